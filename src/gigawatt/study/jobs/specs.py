"""Kinds of runs beside pre-training, as a user writes them: reinforcement learning, tuning, evaluation, data.

Counts are of one run. Times and shares carry their units (`30 s`, `5 %`); lengths are tokens.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gigawatt.physics.workload.data_work import STAGES
from gigawatt.study.door import Id, Seconds, Share, Strict, Tokens
from gigawatt.study.jobs.owed import Count, Run
from gigawatt.study.reliability import Reliability

Spread = Annotated[float, Field(ge=0, le=4)]
Precisions = list[str] | Literal["auto"]


class Scoring(Strict):
    """How an answer is scored: `cpu` seconds of a processor, `places` of them at once; a `model` that reads prompt and answer.

    output_tokens: what that model writes.
    """

    cpu: Seconds | None = None
    places: Count = 1024
    model: Id | None = None
    output_tokens: Count = 1


class Answers(Strict):
    """What is sampled: `output_tokens` on average, at most `output_limit`, with a log-normal tail.

    output_spread: sigma of the logarithm; where auto, a 99th percentile of ten times the median. wait: for tools, in all.
    """

    input_tokens: Count
    output_tokens: Count
    output_limit: Count | Literal["auto"] = "auto"
    output_spread: Spread | Literal["auto"] = "auto"
    wait: Seconds | None = None

    @property
    def limit(self) -> float:
        """Where auto, eight times the mean, which one answer in a hundred reaches."""
        return 8.0 * self.output_tokens if self.output_limit == "auto" else float(self.output_limit)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        even = self.output_spread == 0
        if self.output_limit != "auto" and not even and self.output_tokens > 0.9 * self.output_limit:
            raise ValueError(
                f"answers of {self.output_tokens:,} tokens on average are too near 'output_limit' {self.output_limit:,}; "
                "raise it, or say output_spread: 0"
            )
        return self


class PostTraining(Answers, Run):
    """Reinforcement learning: `steps` steps of `prompts` prompts answered `answers` times each, scored, trained on.

    mode: synchronous, one-step-off, asynchronous with a `staleness` in steps (`strict`: no answer is older). partial: new
    weights interrupt answers, which go on with them. placement: colocated, disaggregated; the usual one of the mode where
    auto. rollout_share: of the chips; the best one where auto. updates: optimizer steps a step; on chips of its own the
    trainer takes each one's answers as they end. old_policy: the trainer computes its log-probabilities again, else those of
    the rollouts are used. reference, critic: further models. adapters: low-rank ones alone are trained.
    """

    kind: Literal["post_training"]
    steps: Count
    prompts: Count = 512
    answers: Count = 16
    mode: Literal["synchronous", "one-step-off", "asynchronous"] = "asynchronous"
    staleness: Annotated[float, Field(ge=0, le=100)] = 1.0
    strict: bool = False
    partial: bool = True
    placement: Literal["auto", "colocated", "disaggregated"] = "auto"
    rollout_share: Annotated[Share, Field(gt=0, lt=1)] | Literal["auto"] = "auto"
    updates: Count = 1
    old_policy: bool = True
    reference: bool = False
    critic: bool = False
    adapters: bool = False
    scoring: Scoring = Scoring()
    precisions: Precisions = "auto"
    rollout_precisions: Precisions = "auto"
    reliability: Reliability = Reliability()

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if self.placement == "colocated" and self.mode != "synchronous":
            raise ValueError(
                f"{self.mode} rollouts run beside the updates, on chips of their own: "
                "placement disaggregated, or mode synchronous"
            )
        return self

    @property
    def owed_tokens(self) -> float:
        return float(self.steps) * self.prompts * self.answers * (self.input_tokens + self.output_tokens)


class Finetune(Run):
    """Supervised tuning: `samples` of `sample_tokens` on average, `epochs` times, packed into sequences of `sequence_length`.

    sample_limit, sample_spread: the longest, and sigma of the logarithm of lengths. adapters: low-rank ones alone are trained.
    """

    kind: Literal["finetune"]
    samples: Annotated[float, Field(gt=0)]
    sample_tokens: Count
    sample_limit: Count | Literal["auto"] = "auto"
    sample_spread: Spread = 0.7
    sequence_length: Count = 8192
    global_batch: Count = 128
    epochs: Annotated[float, Field(gt=0, le=1000)] = 1.0
    packed: bool = True
    adapters: bool = False
    precisions: Precisions = "auto"
    reliability: Reliability = Reliability()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.sample_tokens > self.sequence_length:
            raise ValueError(
                f"samples of {self.sample_tokens:,} tokens do not fit a 'sequence_length' of {self.sequence_length:,}; raise it"
            )
        return self

    @property
    def limit(self) -> float:
        """The longest sample: a sequence where auto."""
        return float(self.sequence_length if self.sample_limit == "auto" else self.sample_limit)

    @property
    def owed_tokens(self) -> float:
        return self.samples * self.epochs * self.sample_tokens


class Bench(Answers):
    """A benchmark: `questions`, each answered `answers` times, scored in `score` of a processor, `places` at once."""

    id: Id
    questions: Count
    answers: Count = 1
    score: Seconds | None = None
    places: Count = 1024

    @property
    def tokens(self) -> float:
        return float(self.questions) * (self.input_tokens + self.answers * self.output_tokens)


class Evaluation(Run):
    """Benchmarks one after the other, `times` times (a run for each checkpoint)."""

    kind: Literal["evaluation"]
    benchmarks: Annotated[list[Bench], Field(min_length=1)]
    times: Count = 1
    precisions: Precisions = "auto"

    @property
    def owed_tokens(self) -> float:
        return self.times * sum(bench.tokens for bench in self.benchmarks)


class DataRun(Run):
    """Training data: `tokens` that are kept; `model` reads (and rewrites) documents, the hosts do the stages.

    input_tokens: read of a document; its mean length where auto. output_tokens: written to it. read_per_kept: documents
    read for each that is kept. stages: on the hosts' processors, in order; none of them where empty.
    """

    kind: Literal["data"]
    tokens: Tokens
    input_tokens: Count | Literal["auto"] = "auto"
    output_tokens: Count = 1
    read_per_kept: Annotated[float, Field(ge=1, le=1000)] = 1.0
    stages: list[str] = [name for name in STAGES if name != "classify"]
    precisions: Precisions = "auto"

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name in self.stages:
            if name not in STAGES:
                raise ValueError(f"'{name}' is no stage of data processing; known: {', '.join(STAGES)}")
        return self

    @property
    def owed_tokens(self) -> float:
        return self.tokens


Job = PostTraining | Finetune | Evaluation | DataRun

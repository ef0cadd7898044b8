"""A run of a scenario as physics works it out: its fields as plain numbers, on so many chips of a platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Box, HostPath, PowerMode, host_path
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs import (
    Ahead,
    Benchmark,
    Failures,
    JobRun,
    Learning,
    Lengths,
    Reading,
    Sampling,
    Scoring,
    Stretch,
    Tuning,
    data_processing,
    documents_of,
    evaluation,
    finetuning,
    lengths,
    post_training,
    prepared,
    pretraining,
)
from gigawatt.physics.jobs.sides import Placement
from gigawatt.physics.jobs.weights import constants
from gigawatt.physics.workload import from_config
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.jobs.specs import Answers, DataRun, Evaluation, Finetune, PostTraining
from gigawatt.study.points import usable_precisions
from gigawatt.study.reliability import Reliability, fleet_of, plan_of, storage_of
from gigawatt.study.workloads import Training

# Precisions worth trying, narrowest first, where the scenario leaves the choice; a chip runs those it has a peak for.
SERVED = ("fp8", "bf16")
TRAINED = ("fp8", "bf16")
TUNED = ("bf16",)  # reinforcement learning and tuning keep the wide format, in which both engines agree


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run would stand: a rack with its network, its hosts, and the speeds of its software.

    `mode` is the power mode of its chips, the rack's first where None.
    """

    box: Box
    fabric: Fabric
    network_w_per_chip: float
    catalog: Catalog
    host: str = ""
    chips_per_host: float = 0.0
    training_speed: float = 1.0
    serving_speed: float = 1.0
    mode: PowerMode | None = None

    @property
    def path(self) -> HostPath | None:
        """The way to the hosts' memory; None where no source names the host."""
        return host_path(self.catalog.get("host", self.host), max(self.chips_per_host, 1.0)) if self.host else None

    @property
    def cores_per_chip(self) -> float:
        """Processor cores beside a chip; 0 where no source names the host."""
        return float(self.catalog.get("host", self.host).cores) / max(self.chips_per_host, 1.0) if self.host else 0.0

    @property
    def common(self) -> dict[str, Any]:
        return {"fabric": self.fabric, "box": self.box, "network_w_per_chip": self.network_w_per_chip,
                "mode": self.mode or self.box.modes[0]}  # fmt: skip


def worked(spec: Any, arch: Architecture, chips: int, place: Place) -> JobRun:
    """The run on `chips` chips.

    Raises:
        InputError: numbers that can not be. Infeasible: it fits these chips in no way.
    """
    if isinstance(spec, PostTraining):
        return _post_training(spec, arch, chips, place)
    if isinstance(spec, Finetune):
        asked = Tuning(
            spec.samples, lengths(spec.sample_tokens, spec.sample_spread, spec.limit), spec.sequence_length,
            spec.global_batch, spec.epochs, spec.packed, spec.adapters,
        )  # fmt: skip
        return finetuning(
            arch, place.box.chip, asked=asked, chips=chips, precisions=usable_precisions(spec.precisions, TUNED, place.box),
            maturity=place.training_speed, failures=_failures(spec.reliability, chips, place), name=spec.id, **place.common,
        )  # fmt: skip
    if isinstance(spec, Evaluation):
        benches = [
            Benchmark(
                bench.id,
                _sampling(bench, bench.questions * spec.times, bench.answers),
                bench.score or 0.0,
                bench.places,
            )
            for bench in spec.benchmarks
        ]
        return evaluation(
            arch, place.box.chip, benchmarks=benches, chips=chips,
            precisions=usable_precisions(spec.precisions, SERVED, place.box), maturity=place.serving_speed, name=spec.id,
            **place.common,
        )  # fmt: skip
    if isinstance(spec, DataRun):
        return _data(spec, arch, chips, place)
    assert isinstance(spec, Training)
    stretches = [
        Stretch("main" if k == 0 else f"then {length:,} tokens", share, length, batch)
        for k, (length, batch, share) in enumerate(spec.stretches())
    ]
    return pretraining(
        arch, place.box.chip, tokens=spec.tokens, chips=chips, stretches=stretches,
        precisions=usable_precisions(spec.precisions, TRAINED, place.box), maturity=place.training_speed,
        stack="" if spec.stack == "auto" else spec.stack, release="" if spec.release == "auto" else spec.release,
        failures=_failures(spec.reliability, chips, place), name=spec.id,
        **place.common,
    )  # fmt: skip


def _post_training(spec: PostTraining, arch: Architecture, chips: int, place: Place) -> JobRun:
    judge = spec.scoring.model
    record = place.catalog.get("model", judge) if judge else None
    usual: Placement = "colocated" if spec.mode == "synchronous" else "disaggregated"
    share = None if spec.rollout_share == "auto" else spec.rollout_share
    made = post_training(
        arch,
        place.box.chip,
        asked=_sampling(spec, spec.prompts, spec.answers),
        steps=spec.steps,
        chips=chips,
        ahead=Ahead(
            spec.mode,
            usual if spec.placement == "auto" else spec.placement,
            spec.staleness,
            spec.strict,
            spec.partial,
            share,
        ),
        learning=Learning(spec.updates, spec.old_policy, spec.reference, spec.critic, spec.adapters),
        scoring=Scoring(
            spec.scoring.cpu or 0.0,
            spec.scoring.places,
            from_config(record.id, record.config) if record is not None else None,
            spec.scoring.output_tokens,
        ),
        train_precisions=usable_precisions(spec.precisions, TUNED, place.box),
        rollout_precisions=usable_precisions(spec.rollout_precisions, TUNED, place.box),
        maturity=place.training_speed,
        serving_maturity=place.serving_speed,
        host=place.path,
        failures=_failures(spec.reliability, chips, place),
        name=spec.id,
        **place.common,
    )
    return made.run


def _data(spec: DataRun, arch: Architecture, chips: int, place: Place) -> JobRun:
    documents = documents_of(spec.tokens)
    read = spec.tokens / documents if spec.input_tokens == "auto" else float(spec.input_tokens)
    return data_processing(
        place.box.chip,
        chips=chips,
        cores=place.cores_per_chip * chips,
        work=prepared(spec.tokens, spec.stages) if spec.stages else None,
        arch=arch,
        reading=Reading(documents * spec.read_per_kept, read, float(spec.output_tokens)),
        precisions=usable_precisions(spec.precisions, SERVED, place.box),
        maturity=place.serving_speed,
        name=spec.id,
        **place.common,
    )


def _sampling(spec: Answers, prompts: float, group: float) -> Sampling:
    return Sampling(prompts, group, spec.input_tokens, _answers(spec), spec.wait or 0.0)


def _answers(spec: Answers) -> Lengths:
    sigma = constants()["tail_sigma"] if spec.output_spread == "auto" else spec.output_spread
    return lengths(spec.output_tokens, sigma, spec.limit)


def _failures(asked: Reliability, chips: int, place: Place) -> Failures:
    return Failures(plan_of(asked, chips, place.box), fleet_of(asked, place.box), storage_of(asked), asked.state)

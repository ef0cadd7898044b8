"""The work of a scenario: services with their levels, demand and prices, and training runs."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from gigawatt.core import units
from gigawatt.physics.serving.engine.speculation import MTP_ACCEPTANCE
from gigawatt.physics.serving.steady.production import PROFILE_TO_PRODUCTION
from gigawatt.study.door import (
    Id,
    Multiple,
    Seconds,
    Share,
    Strict,
    TokenPrice,
    TokenRate,
    Tokens,
)
from gigawatt.study.jobs.owed import Run
from gigawatt.study.jobs.specs import DataRun, Evaluation, Finetune, PostTraining
from gigawatt.study.reliability import Reliability

PRODUCTION = "profile-to-production"


class Slo(Strict):
    """Limits at the 99th percentile, at the client's side of the router."""

    ttft_p99: Seconds = 2.0
    tpot_p99: Seconds = 0.05


class Tier(Strict):
    """Further demand at a lower price: `at` is its share of the realised price."""

    output: TokenRate
    at: Share


class Demand(Strict):
    """Mean output tokens that customers will take at the realised price, how far the peak lies over the mean, and what
    more they will take at lower prices."""

    output: TokenRate
    peak_to_mean: Annotated[float, Field(ge=1, le=20)] = 1.25
    tiers: list[Tier] = []


class TokenPrices(Strict):
    """List prices, and the share of list that is really received (discounts, free use, caching)."""

    input: TokenPrice = 0.0
    output: TokenPrice
    realised_share: Share = 1.0


class SloTier(Strict):
    """The same service sold at another level: its own limits, its price over the workload's (`at`), its own customers."""

    id: Id
    slo: Slo
    at: Multiple = 1.0
    demand: Demand


class Derates(Strict):
    """What production keeps of a profile's speed in each phase; one share stands for both.

    `profile-to-production` is what DeepSeek's published serving day keeps of its own published profile.
    """

    decode: Annotated[Share, Field(gt=0)] = 1.0
    prefill: Annotated[Share, Field(gt=0)] = 1.0

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if value == PRODUCTION:
            return dict(PROFILE_TO_PRODUCTION)
        if isinstance(value, (dict, Derates)):
            return value
        try:
            share = units.parse(value, "share")
        except ValueError as error:
            raise ValueError(
                f"'{value}' is no derate: a share such as 80 %, {{decode: 80 %, prefill: 51 %}}, or {PRODUCTION}"
            ) from error
        if not 0.0 < share <= 1.0:
            raise ValueError(f"{value} is out of range; what is kept lies above 0 and at most at 1")
        return {"decode": share, "prefill": share}


class Drafting(Strict):
    """Speculative decoding: tokens drafted a step by the model's own module, and the share accepted of each."""

    tokens: Annotated[int, Field(ge=1, le=16)] = 1
    acceptance: Share = MTP_ACCEPTANCE


def _no_drafts(value: Any) -> Any:
    return None if value == "none" else value


class Serving(Strict):
    """A model served to customers at an SLO, and to others at the further `slo_tiers`."""

    kind: Literal["serving"]
    id: Id
    model: Id
    input_tokens: Annotated[int, Field(gt=0, le=10_000_000)]
    output_tokens: Annotated[int, Field(gt=0, le=10_000_000)]
    cached_share: Share = 0.0
    derate: Derates = Derates(**PROFILE_TO_PRODUCTION)
    speculation: Annotated[Drafting | None, BeforeValidator(_no_drafts)] = None
    slo: Slo = Slo()
    precisions: list[str] | Literal["auto"] = "auto"
    demand: Demand
    price: TokenPrices
    slo_tiers: list[SloTier] = []

    def levels(self) -> list[Serving]:
        """The workload itself and each further tier as a workload of its own, `<id>-<tier>`."""
        mine = self.model_copy(update={"slo_tiers": []})
        return [mine] + [
            mine.model_copy(
                update={
                    "id": f"{self.id}-{tier.id}",
                    "slo": tier.slo,
                    "demand": tier.demand,
                    "price": self.price.model_copy(
                        update={"input": self.price.input * tier.at, "output": self.price.output * tier.at}
                    ),
                }
            )
            for tier in self.slo_tiers
        ]


class Stretch(Strict):
    """A part of a run at a length of its own: `share` of its tokens, in batches of as many tokens unless it says."""

    sequence_length: Annotated[int, Field(gt=0, le=10_000_000)]
    share: Annotated[Share, Field(gt=0, lt=1)]
    global_batch: Annotated[int, Field(gt=0, le=10_000_000)] | None = None


def _release_text(value: Any) -> Any:
    return f"{value:.2f}" if isinstance(value, float) else str(value) if isinstance(value, (int, date)) else value


ReleaseName = Annotated[str, BeforeValidator(_release_text, json_schema_input_type=str | float)]


class Training(Run):
    """A pre-training run: owed by a date, or paid for.

    `then` are stretches at other lengths after the first, which keeps the rest of the tokens. `stack` is the training
    software; the usual one of the chip where auto. `release` is the container (26.02) or the date (2026-03) of it; the
    newest where auto.
    """

    kind: Literal["training"]
    tokens: Tokens
    sequence_length: Annotated[int, Field(gt=0, le=10_000_000)] = 8192
    global_batch: Annotated[int, Field(gt=0, le=10_000_000)] = 2048
    precisions: list[str] | Literal["auto"] = "auto"
    stack: Id = "auto"
    release: ReleaseName = "auto"
    then: list[Stretch] = []
    reliability: Reliability = Reliability()

    @model_validator(mode="after")
    def _shared(self) -> Training:
        if sum(stretch.share for stretch in self.then) >= 1.0:
            raise ValueError("the shares of 'then' leave no tokens for the first stretch: their sum must be below 1")
        return self

    @property
    def owed_tokens(self) -> float:
        return self.tokens

    def stretches(self) -> list[tuple[int, int, float]]:
        """(sequence length, sequences a step, share of the tokens) of each stretch."""
        rest = 1.0 - sum(stretch.share for stretch in self.then)
        tokens = self.sequence_length * self.global_batch
        return [(self.sequence_length, self.global_batch, rest)] + [
            (one.sequence_length, one.global_batch or max(tokens // one.sequence_length, 1), one.share)
            for one in self.then
        ]


Workload = Annotated[Serving | Training | PostTraining | Finetune | Evaluation | DataRun, Field(discriminator="kind")]

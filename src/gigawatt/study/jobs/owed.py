"""What every run of a scenario has: a date by which it is owed, or a price; chips; how it is guarded against failures."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gigawatt.study.door import Day, Id, Money, MoneyRate, Strict

Count = Annotated[int, Field(gt=0, le=10_000_000)]


class Obligation(Strict):
    """A run that is owed by a date; lateness is not planned, it is infeasible."""

    finish_by: Day
    late_fee: MoneyRate | None = None


class Run(Strict):
    """Work that ends: owed by a date, or paid for. `chips` are those of the job, sized by the date where auto."""

    id: Id
    model: Id
    chips: Count | Literal["auto"] = "auto"
    obligation: Obligation | None = None
    price_per_run: Money | None = None

    @model_validator(mode="after")
    def _why(self) -> Self:
        if self.obligation is None and self.price_per_run is None:
            kind = str(getattr(self, "kind", "run")).replace("_", "-")
            raise ValueError(
                f"a {kind} workload needs an 'obligation' (finish_by) or a 'price_per_run', else no plan would ever run it"
            )
        return self

    @property
    def owed_tokens(self) -> float:
        """Tokens of the whole run, by which its progress is counted."""
        raise NotImplementedError

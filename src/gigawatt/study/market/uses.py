"""What a use of power asks for, in the forms that it may take, as megawatts at the meter.

    tokens     MW = people x tokens a day / seconds of a day / (tokens/s of a MW)
    streams    MW = people x hours a day / 24 x watts of a live stream
    compute    MW = FLOP a year / seconds of a year / (FLOP of a joule)
    jobs       MW = jobs a year x chip-seconds of one / seconds of a year x watts of a chip

Each is the mean over a year, all-in at the meter: what a watt at the chip takes beside it is in the intensity as stated.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from gigawatt.catalog.quantity import Count, Money, Power, Time
from gigawatt.core.datum import Datum
from gigawatt.study.door import Id, Strict
from gigawatt.study.market.sourced import Sourced

Array = NDArray[np.float64]
DAY_S = 86400.0
YEAR_S = 8760 * 3600.0
MW = 1e6
LEVEL = Datum(1.0, "", 1.0, 1.0, "assumed", source="level over the day")


class Tokens(Strict):
    """`tokens_a_day` of each of the people, made at `tokens_per_s_of_a_mw`."""

    kind: Literal["tokens"]
    tokens_a_day: Count
    tokens_per_s_of_a_mw: Count


class Streams(Strict):
    """Each of the people has a live stream open for `hours_a_day`, which takes `watts`."""

    kind: Literal["streams"]
    hours_a_day: Count
    watts: Power


class Compute(Strict):
    """So many operations a year, at `flop_of_a_joule` reached."""

    kind: Literal["compute"]
    flop_a_year: Count
    flop_of_a_joule: Count


class Jobs(Strict):
    """So many jobs a year, each a chip for `chip_time`, which takes `watts` all-in."""

    kind: Literal["jobs"]
    jobs_a_year: Count
    chip_time: Time
    watts: Power


Form = Annotated[Tokens | Streams | Compute | Jobs, Field(discriminator="kind")]


class Use(Strict):
    """One use: for whom, in which of its `forms`, and what it is worth a year (of one of its `people`; of all without them).

    `waits`: it can run in hours in which others rest. `whole`: all of it or nothing. `either_or`: it is one of those between
    which one is said to have to choose.
    """

    id: Id
    people: Count | None = None
    forms: Annotated[dict[Id, Form], Field(min_length=1)]
    form: Id = "auto"
    peak_to_mean: Count = LEVEL
    waits: bool = False
    whole: bool = False
    worth: Money
    either_or: bool = False

    @model_validator(mode="after")
    def _sound(self) -> Use:
        if self.form != "auto" and self.form not in self.forms:
            raise ValueError(f"use '{self.id}' has no form '{self.form}'; it has: {', '.join(self.forms)}")
        asks = [name for name, form in self.forms.items() if isinstance(form, Tokens | Streams)]
        if asks and self.people is None:
            raise ValueError(f"use '{self.id}' needs 'people' for its form {asks[0]}")
        return self

    @property
    def chosen(self) -> str:
        """The form that counts: the one named, else the first."""
        return next(iter(self.forms)) if self.form == "auto" else self.form


def mean_mw(use: Use, form: str, drawn: Sourced) -> Array:
    """[1 + samples] MW at the meter, mean over a year, of a use in one of its forms."""
    one, at = use.forms[form], f"uses.{use.id}.forms.{form}"

    def column(name: str) -> Array:
        return drawn.column(f"{at}.{name}", getattr(one, name), least=1e-12)

    if isinstance(one, Compute):
        return np.asarray(column("flop_a_year") / YEAR_S / column("flop_of_a_joule") / MW)
    if isinstance(one, Jobs):
        return np.asarray(column("jobs_a_year") * column("chip_time") / YEAR_S * column("watts") / MW)
    assert use.people is not None
    people = drawn.column(f"uses.{use.id}.people", use.people)
    if isinstance(one, Streams):
        return np.asarray(people * column("hours_a_day") / 24 * column("watts") / MW)
    return np.asarray(people * column("tokens_a_day") / DAY_S / column("tokens_per_s_of_a_mw"))


def worth_usd_per_yr(use: Use, drawn: Sourced) -> Array:
    """[1 + samples] of all of the demand."""
    worth = drawn.column(f"uses.{use.id}.worth", use.worth)
    if use.people is None:
        return worth
    return np.asarray(worth * drawn.column(f"uses.{use.id}.people", use.people))


def peaks(use: Use, drawn: Sourced) -> Array:
    """[1 + samples] power in the hour of the peak over the mean."""
    return drawn.column(f"uses.{use.id}.peak_to_mean", use.peak_to_mean, least=1.0)

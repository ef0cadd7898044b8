"""What a scenario says of a day of operation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from gigawatt.study.door import Day, EnergyPrice, Id, Share, Strict

MOST_DAYS = 14


class Curtailment(Strict):
    """From hour `start` of the period, for `hours`, the grid asks the site to give up `share` of its connection.

    `payment`: what it pays for each MWh of the connection that is given up.
    """

    start: Annotated[float, Field(ge=0, lt=24 * MOST_DAYS)]
    hours: Annotated[float, Field(gt=0, le=24 * MOST_DAYS)]
    share: Share
    payment: EnergyPrice | None = None


class Outage(Strict):
    """From hour `start`, for `hours`, a share of one offer's racks is down (beside the failures that are expected anyway)."""

    offer: Id
    start: Annotated[float, Field(ge=0, lt=24 * MOST_DAYS)]
    hours: Annotated[float, Field(gt=0, le=24 * MOST_DAYS)]
    share: Share


class Operate(Strict):
    """The days to operate (none: the hottest of the site's year), what befalls them.

    `energy_price`: the grid's at its mean in every hour, as a contract has it, or as hourly markets have it about the same mean
    (a site with plant, batteries or calls of its grid pays the hour's in any case).
    `shape`: demand of services over the hours of a day as shares of their mean, 24 of them (none: a wave with the peak that
    each workload's `peak_to_mean` states, highest at `peak_hour`, local time).
    """

    day: Day | None = None
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] = 1
    energy_price: Literal["contract", "hourly"] = "contract"
    peak_hour: Annotated[float, Field(ge=0, lt=24)] = 20.0
    shape: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=24, max_length=24)] | None = None
    curtailments: list[Curtailment] = []
    outages: list[Outage] = []

    @field_validator("shape")
    @classmethod
    def _some(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and not any(value):
            raise ValueError("all 24 shares of demand are zero; give them as shares of the mean, such as 0.8 and 1.2")
        return value

"""What a scenario says of a day of operation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gigawatt.study.door import Day, Id, Share, Strict


class Curtailment(Strict):
    """From hour `start` of the day, for `hours`, the grid asks the site to give up `share` of its power."""

    start: Annotated[float, Field(ge=0, lt=24)]
    hours: Annotated[float, Field(gt=0, le=24)]
    share: Share


class Outage(Strict):
    """From hour `start`, for `hours`, a share of one offer's racks is down (beside the failures that are expected anyway)."""

    offer: Id
    start: Annotated[float, Field(ge=0, lt=24)]
    hours: Annotated[float, Field(gt=0, le=24)]
    share: Share


class Operate(Strict):
    """The day to operate (none: the hottest of the site's year), what befalls it, and from which state of the fleet.

    `shape`: demand of services over the hours as shares of their mean, 24 of them (none: a sine with the peak that each
    workload's `peak_to_mean` states, highest at `peak_hour`, local time).
    """

    day: Day | None = None
    days: Annotated[int, Field(ge=1, le=14)] = 1
    peak_hour: Annotated[float, Field(ge=0, lt=24)] = 20.0
    shape: Annotated[list[float], Field(min_length=24, max_length=24)] | None = None
    curtailments: list[Curtailment] = []
    outages: list[Outage] = []

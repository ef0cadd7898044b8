"""What a scenario says of designs to choose from: fabrics by offer, and sites."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gigawatt.study.door import EnergyPrice, Id, Multiple, Power, Strict

ChipMeasure = Literal["speed", "speed_per_usd", "speed_per_watt"]


class JointSite(Strict):
    """A site that one may build on; what it does not say is the scenario's own site's."""

    id: Id
    place: Id | None = None
    facility: Id | None = None
    grid_power: Power | None = None
    energy_price: EnergyPrice | None = None


class Joint(Strict):
    """`fabrics` by offer (none: the one it comes with). One after another goes by `chip`: dense FP8 peak of a chip, by itself,
    per USD of its rack or per watt of its limit; then the cheapest fabric, then the cheapest energy. `capital` and `prices` are
    factors on the scenario's capital and on its prices of tokens to look at as well.
    """

    fabrics: dict[Id, Annotated[list[Id], Field(min_length=1)]] = {}
    sites: Annotated[list[JointSite], Field(min_length=1, max_length=24)]
    chip: ChipMeasure = "speed"
    capital: list[Multiple] = [0.25, 0.5, 1.0, 2.0]
    prices: list[Multiple] = [0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.5]
    samples: Annotated[int, Field(ge=0, le=1_000)] = 24

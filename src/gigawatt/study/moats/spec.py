"""What a scenario says of the moats: whose they are, beside which rival, in which regimes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gigawatt.study.door import Id, Strict

RegimeName = Literal["power", "capital", "chips", "demand", "export", "open-software"]


class Moats(Strict):
    """`vendor`: whose platforms are in focus (auto: the maker of the first on offer). `rival`: an offer, the one whose values
    stand in where a moat is off (auto: the nearest to being bought). `basis` of performance per watt: tokens per joule at the
    meter that both reach here, or dense peak in a precision.
    """

    vendor: Id = "auto"
    rival: Id = "auto"
    basis: Literal["measured", "fp4", "fp8", "bf16"] = "measured"
    regimes: list[RegimeName] = ["power", "capital", "chips", "demand", "export", "open-software"]
    samples: Annotated[int, Field(ge=0, le=10_000)] = 64
    map: bool = True

"""What a scenario says of the moats: whose they are, beside which rival, in which regimes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gigawatt.factory.moats import REGIMES, RegimeName
from gigawatt.study.door import DataRate, Id, Length, Share, Strict

Basis = Literal["measured", "fp4", "fp8", "bf16"]
# What people call a regime for short.
_SHORT = {"power": "power-limited", "capital": "capital-limited", "chips": "chip-limited", "chip": "chip-limited",
          "demand": "demand-limited", "export": "export-limited", "open": "open-software", "given": "as given",
          "as-given": "as given"}  # fmt: skip


def _switched(value: Any) -> Any:
    return {} if value is True else None if value is False else value


def _named(value: Any) -> Any:
    return _SHORT.get(value, value) if isinstance(value, str) else value


class Across(Strict):
    """Training runs spread their data-parallel ranks over `sites` places; `fibre` and `rate` are of the way to the next."""

    sites: Annotated[int, Field(ge=2, le=64)] = 2
    fibre: Length
    rate: DataRate


class Moats(Strict):
    """`vendor`: whose platforms are in focus (auto: the maker of the first on offer). `rival`: an offer, the one whose values
    stand in where a moat is off (auto: who would sell if the vendor did not). `basis` of performance per watt: tokens per joule
    at the meter that both reach here, or dense peak in a precision. `ports`: how often in its life the work of the fleet is
    moved to another stack (each new model that takes a bring-up is one). `across`: training over several sites. `export_share`:
    of the vendor's chips, what an export limit lets through. `samples`: draws for the bands. `map`: the maps over scarcity and
    over the price of a watt.
    """

    vendor: Id = "auto"
    rival: Id = "auto"
    basis: Basis = "measured"
    regimes: Annotated[list[Annotated[RegimeName, BeforeValidator(_named)]], Field(min_length=1)] = list(REGIMES)
    ports: Annotated[float, Field(ge=0, le=40)] = 1.0
    across: Across | None = None
    export_share: Share = 0.0
    samples: Annotated[int, Field(ge=0, le=10_000)] = 200
    map: bool = True


# `true` is the defaults; `false` leaves the table out of a run.
Switched = Annotated[Moats | None, BeforeValidator(_switched, json_schema_input_type=bool | Moats)]

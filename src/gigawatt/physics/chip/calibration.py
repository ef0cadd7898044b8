"""Fitted constants of chips: read from the catalog, once, with the nearest kin of a chip that nobody measured.

A calibration of a chip is a row of a table in `catalog/data/calibration/chip-*.yaml`. Where the chip itself has none,
its generation's does (`same generation`), else the kin that the table names; each step widens the band.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

from gigawatt.catalog import Catalog
from gigawatt.physics.chip.device import Chip

Nearness = Literal["measured", "generation", "kin"]


@dataclass(frozen=True, slots=True)
class Constants:
    """One row of fitted constants: of which chip, how near that chip is, and the 80 % band of measured over predicted.

    `values` maps the name of a constant to its number, in the units of the module that uses it.
    """

    chip: str
    nearness: Nearness
    values: Mapping[str, float]
    low: float
    high: float
    source: str

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    @property
    def note(self) -> str:
        """What a report says of it, empty where the chip itself was measured."""
        if self.nearness == "measured":
            return ""
        words = "same generation" if self.nearness == "generation" else "nearest kin, another generation"
        return f"constants of {self.chip} ({words})"


@lru_cache(maxsize=1)
def _catalog() -> Catalog:
    return Catalog.load()


@lru_cache(maxsize=32)
def record(name: str) -> Any:
    """The calibration record `name` of the packaged catalog."""
    return _catalog().get("calibration", name)


@lru_cache(maxsize=32)
def parameters(name: str) -> Mapping[str, float]:
    """Its shared constants as plain floats."""
    return {key: float(fitted.value) for key, fitted in record(name).parameters.items()}


def table(name: str, part: str) -> Mapping[str, Any]:
    """One table of it."""
    return cast("Mapping[str, Any]", record(name).tables[part])


def kin_of(chip: Chip, rows: Mapping[str, Any], kin: Mapping[str, str]) -> tuple[str, Nearness]:
    """The row that serves `chip`: its own, its generation's, or the one `kin` names for its generation."""
    if chip.name in rows:
        return chip.name, "measured"
    same = [name for name, row in rows.items() if row.get("generation") == chip.generation]
    named = kin.get(chip.generation, kin["default"])
    if named in same:
        return named, "generation"
    if same:
        return same[0], "generation"
    return named, "kin"


def widened(low: float, high: float, factor: float) -> tuple[float, float]:
    """A band of factors around 1, stretched by `factor` in the logarithm."""
    return low**factor, high**factor

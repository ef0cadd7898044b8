"""What is known and assumed of long links in SI, read once: the calibration `scale-across`, and the records of fibres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gigawatt.catalog import Catalog

CALIBRATION = "scale-across"
# Name of a kind of fibre here -> its link record in the catalog.
FIBRES = {"standard": "fibre-single-mode", "hollow_core": "fibre-hollow-core"}


@dataclass(frozen=True, slots=True)
class Known:
    """A value with the range that sources or judgement leave."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Known:
        """In another unit."""
        return Known(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Across:
    """`fit` k and phi of bandwidth for a utilisation; `efficiency` payload over line rate; `claims` as published.

    `bands` is the 80 % factor of published over predicted bandwidth; `grid` the one published values are rounded to.
    """

    fit: Mapping[str, float]
    fibre_s_per_km: Mapping[str, Known]
    fibre_db_per_km: Mapping[str, Known]
    route_factor: Known
    switch_s: Known
    efficiency: Known
    bands: tuple[float, float]
    grid: Mapping[str, float]
    load_balance: Mapping[str, float]
    claims: Mapping[str, Mapping[str, Any]]


def _known(row: Mapping[str, Any], factor: float = 1.0) -> Known:
    return Known(float(row["value"]), float(row["low"]), float(row["high"])).times(factor)


def _stated(datum: Any) -> Known:
    low = datum.value if datum.low is None else datum.low
    high = datum.value if datum.high is None else datum.high
    return Known(float(datum.value), float(low), float(high))


def from_records(record: Any, fibres: Mapping[str, Any]) -> Across:
    """The constants of a calibration record, and of a link record for each kind of fibre."""
    tables = record.tables
    assumed = tables["assumed"]
    return Across(
        fit={name: float(fitted.value) for name, fitted in record.parameters.items()},
        fibre_s_per_km={name: _stated(link.latency_per_km) for name, link in fibres.items()},
        fibre_db_per_km={name: _stated(link.attenuation_db_per_km) for name, link in fibres.items()},
        route_factor=_known(assumed["route_factor"]),
        switch_s=_known(assumed["switch_us"], 1e-6),
        efficiency=_known(assumed["efficiency"]),
        bands=(float(tables["band"]["low"]), float(tables["band"]["high"])),
        grid={name: float(value) for name, value in tables["grid"].items()},
        load_balance={name: float(value) for name, value in tables["load_balance"].items()},
        claims=tables["claims"],
    )


@lru_cache(maxsize=1)
def packaged() -> Across:
    """The constants that ship."""
    catalog = Catalog.load()
    links = {name: catalog.get("link", link) for name, link in FIBRES.items()}
    return from_records(catalog.get("calibration", CALIBRATION), links)

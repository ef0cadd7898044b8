"""Cost models of plug-ins: what a site pays beside racks, shell, energy, upkeep and staff.

A scenario names one under `charges`, with its terms, and an installed package brings it under the entry-point group
`gigawatt.costs`. It sees the site and the platforms on offer as columns and answers with rates:

    charge of a rack in use, USD/yr = per rack + per MWh x MWh drawn in a year + per MW-year x MW at the meter
    a part more of every rack       = USD at purchase, with its life

so the fleet is chosen with it: a levy on energy moves what is worth buying. Negative rates are subsidies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.terms import Term

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Charged:
    """What a cost model sees: a site, and columns of the platforms on offer.

    `platforms` and `vendors` are ids of the catalog; `chips` and `hosts` (nodes) are of a rack, `list_usd` its price and
    `nic_bytes_per_s` what its NICs carry, one way. `power_mw` is what can be counted on at the meter; price and carbon are
    means of the year over what is drawn.
    """

    platforms: tuple[str, ...]
    vendors: tuple[str, ...]
    chips: Array
    hosts: Array
    list_usd: Array
    nic_bytes_per_s: Array
    power_mw: float
    energy_usd_per_mwh: float
    carbon_kg_per_mwh: float


@dataclass(frozen=True, slots=True)
class Rates:
    """What a cost model answers: USD by platform at purchase (not negative) and by year of a rack in use; by MWh drawn and by
    MW-year in use at the meter."""

    rack_usd: ArrayLike = 0.0
    life_years: float = 5.0
    rack_usd_per_yr: ArrayLike = 0.0
    usd_per_mwh: float = 0.0
    usd_per_mw_yr: float = 0.0


@dataclass(frozen=True, slots=True)
class CostModel:
    """A plug-in's cost model.

    terms:   a frozen dataclass of floats and words
    door:    name in a scenario -> Term (`gigawatt.core.terms`)
    rates:   the pure function (terms, Charged) -> Rates
    payee:   who is paid where the scenario does not say; outside the listed companies
    says:    one sentence on what it is; stands among a result's assumptions
    """

    terms: type[Any]
    door: Mapping[str, Term]
    rates: Callable[[Any, Charged], Rates]
    payee: str
    says: str


def wrong_rates(rates: object, platforms: int) -> str:
    """What is wrong with an answer, in words; '' for nothing."""
    if not isinstance(rates, Rates):
        return f"a {type(rates).__name__}, not gigawatt.economics.cost.Rates"
    for name in Rates.__slots__:
        column = np.asarray(getattr(rates, name), dtype=np.float64)
        if column.shape not in ((), (platforms,)) or (column.ndim and name not in ("rack_usd", "rack_usd_per_yr")):
            return f"{name} of shape {column.shape} for {platforms} platforms"
        if not np.all(np.isfinite(column)):
            return f"{name} is no finite number"
        if name in ("rack_usd", "life_years") and np.any(column < (0.0 if name == "rack_usd" else 0.25)):
            return f"{name} of {float(column.min()):g}: {'not below 0' if name == 'rack_usd' else 'a quarter at least'}"
    return ""

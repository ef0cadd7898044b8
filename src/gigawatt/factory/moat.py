"""The moats of a vendor, priced: Shapley value of software, networking and performance per watt, regime by regime.

With v(S) of `game`, each of the three gets its mean marginal worth over all orders in which they could be switched on:

    shapley(m) = sum over S without m of |S|! (2 - |S|)! / 3! (v(S + m) - v(S)),     sum over m = v(all) - v(none)

Beside it, each alone: *removed* is what the pair of buyer and vendor loses when F loses the moat, v(all) - v(all but
m); *given* is what they lose when every rival gains it. Removed bounds from above what a rival's progress can take.
All are USD per MW of the site with all moats on, and year; a negative one says that the advantage is the rival's.

The *premium* is the highest price at which the buyer still takes half of what it takes at list (bisection on the
programme), over the same price with no moat, or over production cost where that is higher: a vendor does not sell
below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.factory.fleet import plan
from gigawatt.factory.game import MOATS, Game, MoatTerms
from gigawatt.factory.inputs import PlanInputs

Array = NDArray[np.float64]
_SUBSETS = tuple(subset for size in range(4) for subset in combinations(MOATS, size))
_TRIANGULAR = "each moat's factor is drawn from a triangle over its stated range, one draw a moat"


@dataclass(frozen=True, slots=True)
class Regime:
    """A site in which some limit binds: inputs, terms, and the ends of the terms' ranges (weak and strong moats)."""

    name: str
    inputs: PlanInputs
    terms: MoatTerms
    weak: MoatTerms | None = None
    strong: MoatTerms | None = None


@dataclass(frozen=True, slots=True)
class Moats:
    """`rows`: one a regime and moat; `total`, `premium` and binding limits by regime; `extras`: further lines."""

    rows: Table
    total: dict[str, float]
    premium: dict[str, float]
    binding: dict[str, tuple[str, ...]]
    extras: Table

    def as_json(self) -> dict[str, Any]:
        """The keys of the command's JSON."""
        return {
            "rows": self.rows.as_json(),
            "total": self.total,
            "premium": self.premium,
            "binding": {name: list(limits) for name, limits in self.binding.items()},
            "extras": self.extras.as_json(),
        }


def shapley(worth: dict[tuple[str, ...], float]) -> dict[str, float]:
    """Shapley values from the worth of every subset (tuples in the order of `MOATS`).

    >>> additive = {s: float(len(s)) for s in _SUBSETS}
    >>> shapley(additive)
    {'software': 1.0, 'networking': 1.0, 'perf_per_watt': 1.0}
    """
    n = len(MOATS)
    out = {}
    for moat in MOATS:
        value = 0.0
        for subset in _SUBSETS:
            if moat in subset:
                continue
            joined = tuple(m for m in MOATS if m in subset or m == moat)
            weight = factorial(len(subset)) * factorial(n - 1 - len(subset)) / factorial(n)
            value += weight * (worth[joined] - worth[subset])
        out[moat] = value
    return out


def worths(game: Game, terms: MoatTerms) -> dict[tuple[str, ...], float]:
    """v(S) of every set of moats that are on, USD per year: nine solves."""
    absent = game.value(terms, present=False).usd_per_yr
    return {
        subset: game.value(terms, tuple(m for m in MOATS if m not in subset)).usd_per_yr - absent for subset in _SUBSETS
    }


def moats(regimes: Sequence[Regime], *, samples: int = 64, seed: int = 0, outside_price: float = 2.0) -> Moats:
    """Price the moats in each regime.

    Args:
        regimes: the sites; their names are unique.
        samples: draws of the terms for the 80 % band of the Shapley values (0: none, low = high = value).
        seed: of those draws; draw i depends on the seed and i alone.
        outside_price: what an owed token costs outside, over what the last one costs this site with all moats on.

    Raises:
        Infeasible: a regime has no plan even with all moats on.
        ValueError: two regimes share a name.
    """
    names = [regime.name for regime in regimes]
    if len(set(names)) != len(names):
        raise ValueError("two regimes share a name")
    rows: list[dict[str, Any]] = []
    extras: list[dict[str, Any]] = []
    total, premium, binding = {}, {}, {}
    for regime in regimes:
        game = Game(regime.inputs, outside_price=outside_price)
        base = game.value(regime.terms)
        per_mw = 1 / base.site_mw if base.site_mw > 0 else 0.0
        worth = worths(game, regime.terms)
        values = shapley(worth)
        given = _given(game, regime.terms, worth[MOATS])
        low, high, first = _bands(game, regime, values, samples, seed)
        for moat in MOATS:
            rest = tuple(m for m in MOATS if m != moat)
            removed = worth[MOATS] - worth[rest]
            rows.append(
                {
                    "regime": regime.name,
                    "moat": moat,
                    "removed_usd_per_mw_yr": removed * per_mw,
                    "given_usd_per_mw_yr": given[moat] * per_mw,
                    "shapley_usd_per_mw_yr": values[moat] * per_mw,
                    "low": low[moat],
                    "high": high[moat],
                }
            )
            only = worth[(moat,)] - worth[()]
            extras.append(_extra(regime.name, f"{moat}: first on", only * per_mw, "USD/MW/yr"))
            extras.append(_extra(regime.name, f"{moat}: largest of the three", first[moat], "share of draws"))
        total[regime.name] = (worth[MOATS] - worth[()]) * per_mw
        premium[regime.name], lines = _premium(game, regime.terms)
        extras += [_extra(regime.name, name, value, unit) for name, value, unit in lines]
        extras.append(_extra(regime.name, "all three given to rivals", given["all"] * per_mw, "USD/MW/yr"))
        extras.append(_extra(regime.name, "joint worth with no moat", worth[()] * per_mw, "USD/MW/yr"))
        extras.append(_extra(regime.name, "site power", base.site_mw, "MW"))
        extras.append(_extra(regime.name, "focal racks", base.focal_racks, "racks"))
        limits = plan(regime.inputs.with_objective("system")).limits
        binding[regime.name] = tuple(limit.name for limit in limits if limit.binding)
    return Moats(_rows_table(rows), total, premium, binding, _extras_table(extras))


def _given(game: Game, terms: MoatTerms, base: float) -> dict[str, float]:
    """Joint worth that is lost when rivals gain a moat, each alone and all three, USD per year."""
    out = {}
    for name, off in [(moat, (moat,)) for moat in MOATS] + [("all", MOATS)]:
        with_focal = game.value(terms, off, given=True).usd_per_yr
        without = game.value(terms, off, given=True, present=False).usd_per_yr
        lost = base - (with_focal - without)
        out[name] = 0.0 if abs(lost) < 1e-9 * max(abs(with_focal), 1.0) else lost
    return out


def _bands(
    game: Game, regime: Regime, values: dict[str, float], samples: int, seed: int
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """P10 and P90 of each Shapley value per MW over draws of the terms, and how often each is the largest."""
    base = game.value(regime.terms)
    per_mw = 1 / base.site_mw if base.site_mw > 0 else 0.0
    flat = {moat: value * per_mw for moat, value in values.items()}
    best = max(MOATS, key=lambda moat: flat[moat])
    if samples < 1 or regime.weak is None or regime.strong is None:
        return flat, flat, {moat: float(moat == best) for moat in MOATS}
    found = np.empty((samples, len(MOATS)))
    for i in range(samples):
        # One generator a draw, keyed by seed and index: more samples never change the first ones.
        draw = np.random.Generator(np.random.Philox(key=[seed, i])).triangular(-1.0, 0.0, 1.0, 3)
        terms = regime.terms.drawn(regime.weak, regime.strong, draw)
        mine = shapley(worths(game, terms))
        found[i] = [mine[moat] * per_mw for moat in MOATS]
    low, high = np.percentile(found, [10, 90], axis=0)
    largest = np.bincount(found.argmax(axis=1), minlength=len(MOATS)) / samples
    return (
        {moat: float(v) for moat, v in zip(MOATS, low, strict=True)},
        {moat: float(v) for moat, v in zip(MOATS, high, strict=True)},
        {moat: float(v) for moat, v in zip(MOATS, largest, strict=True)},
    )


def _premium(game: Game, terms: MoatTerms) -> tuple[float, list[tuple[str, float, str]]]:
    """The premium, and the prices behind it as multiples of list."""
    base = game.at_list(terms, 1.0).focal_racks
    at = "list"
    if base <= 1e-6:  # nothing is bought at list: count from what is bought at cost
        base, at = game.at_list(terms, terms.cost_share).focal_racks, "production cost"
    if base <= 1e-6:
        return 1.0, [("focal platforms are not bought even at production cost", 0.0, "racks")]
    with_all = _highest(game, terms, base / 2, ())
    with_none = _highest(game, terms, base / 2, MOATS)
    lines = [
        (f"price at half of the volume at {at}, all moats", with_all, "x list"),
        (f"price at half of the volume at {at}, no moat", with_none, "x list"),
        ("production cost", terms.cost_share, "x list"),
    ]
    return max(1.0, with_all / max(with_none, terms.cost_share)), lines


def _highest(game: Game, terms: MoatTerms, racks: float, off: tuple[str, ...]) -> float:
    """The highest factor on the list price at which the buyer takes at least `racks`; 0 where it takes them at none."""
    low, high = 0.0, 1.0
    if game.at_list(terms, 1e-3, off).focal_racks < racks:
        return 0.0
    while game.at_list(terms, high, off).focal_racks >= racks and high < 64:
        low, high = high, 2 * high
    for _ in range(14):
        middle = (low + high) / 2
        if game.at_list(terms, middle, off).focal_racks >= racks:
            low = middle
        else:
            high = middle
    return low


def _extra(regime: str, name: str, value: float, unit: str) -> dict[str, Any]:
    return {"regime": regime, "line": name, "value": float(value), "unit": unit}


def _rows_table(rows: list[dict[str, Any]]) -> Table:
    money = ("removed_usd_per_mw_yr", "given_usd_per_mw_yr", "shapley_usd_per_mw_yr", "low", "high")
    units = dict.fromkeys(money, "USD/MW/yr")
    note = f"low and high are an 80 % band: {_TRIANGULAR}"
    return Table.from_rows("moats", rows, ("regime", "moat", *money), units, "What each moat is worth", note)


def _extras_table(rows: list[dict[str, Any]]) -> Table:
    return Table.from_rows("moats_extras", rows, ("regime", "line", "value", "unit"))

"""The moats of a vendor in one regime: Shapley values with their bands, each alone, in both directions, to whom.

*Removed* is what buyer and vendor together lose when F loses a moat, v(all) - v(all but m): an upper bound of what a rival's
progress can take. *Given* is what they lose when every rival gains it: the open alternative. At list price the same two show
who bears it: the buyer loses by the first and gains by the second. All values are USD per year; `per_mw` makes of them USD per
MW of the site with all moats on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.fleet import plan
from gigawatt.factory.moats.demand import MOST, Premium, best_price, premium
from gigawatt.factory.moats.game import Game, Position, World, at_production_cost, values_of
from gigawatt.factory.moats.regimes import Regime
from gigawatt.factory.moats.shapley import Coalition
from gigawatt.factory.moats.terms import MOATS, MoatTerms

Array = NDArray[np.float64]
Draw = tuple[MoatTerms, World]
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Band:
    """P10, P50, P90 of a Shapley value over the draws, and the share of draws in which it is the largest of the three."""

    low: float
    middle: float
    high: float
    largest: float


@dataclass(frozen=True, slots=True)
class Alone:
    """What changes when one moat (or all) is taken or handed over, USD per year.

    `joint` is what buyer and vendor lose together at production cost; `buyer` is the change of the buyer's surplus at list
    price, `vendor` that of the vendor's profit at the price that is best for it.
    """

    joint: float
    buyer: float
    vendor: float


@dataclass(frozen=True, slots=True)
class Value:
    """What the moats are worth in a regime, USD per year.

    Attributes:
        base: the joint plan with all moats on. binding: names of the limits that bind in it.
        worth: v(S) by set of moats that are on.
        shapley, first_on: by moat. removed, given: by moat, and `all`. bands: by moat, empty where nothing was drawn.
        buyer, vendor: surplus and profit at list price. box: what the cheaper box would save where the domain is the rival's.
        premium: prices.
    """

    regime: Regime
    base: Position
    binding: tuple[str, ...]
    worth: dict[Coalition, float]
    shapley: dict[str, float]
    first_on: dict[str, float]
    removed: dict[str, Alone]
    given: dict[str, Alone]
    bands: dict[str, Band]
    total_band: tuple[float, float]
    buyer: float
    vendor: float
    box: float
    premium: Premium

    @property
    def total(self) -> float:
        """All three together: v(all) - v(none)."""
        return self.worth[MOATS] - self.worth[()]

    @property
    def per_mw(self) -> float:
        """1 over the MW of the site with all moats on; 0 where nothing is built."""
        return 1 / self.base.site_mw if self.base.site_mw > 0 else 0.0


def assess(
    regime: Regime, draws: Sequence[Draw] = (), *, outside_price: float = 2.0, game: Game | None = None
) -> Value:
    """Price the moats of a regime.

    Args:
        regime: the site.
        draws: terms and worlds for the bands; none: no bands.
        outside_price: see `game`.
        game: of this regime, where one was built.

    Raises:
        Infeasible: the regime has no plan even with all moats on.
    """
    game = game or Game(regime.inputs, regime.terms, outside_price=outside_price)
    base = game.value()
    worth = game.worths()
    at_list = game.value(price=1.0)
    absent = game.value(present=False)
    prices = premium(game)
    first = {m: worth[(m,)] - worth[()] for m in MOATS}
    known = _Known(game, worth, at_list.usd_per_yr, prices)
    sets = {m: (m,) for m in MOATS} | {"all": MOATS}
    removed = {name: known.removed(off) for name, off in sets.items()}
    given = {name: known.given(moats) for name, moats in sets.items()}
    narrow = game.value(("networking",)).usd_per_yr
    bands, total_band = _bands(game, regime, draws)
    return Value(
        regime,
        base,
        _binding(regime),
        worth,
        values_of(worth),
        first,
        removed,
        given,
        bands,
        total_band,
        _gap(at_list.usd_per_yr, absent.usd_per_yr),
        at_list.profit_usd_per_yr,
        _gap(game.value(("networking",), box=True).usd_per_yr, narrow),
        prices,
    )


def _gap(a: float, b: float) -> float:
    """a - b, nothing where the solver's tolerance is all there is."""
    return 0.0 if abs(a - b) < _SAME * max(abs(a), abs(b), 1.0) else a - b


@dataclass(frozen=True, slots=True)
class _Known:
    """What is compared with: the worth of every set of moats, the buyer's value at list price, the vendor's best price."""

    game: Game
    worth: dict[Coalition, float]
    at_list: float
    prices: Premium

    def removed(self, off: Coalition) -> Alone:
        rest = tuple(m for m in MOATS if m not in off)
        bought = self.game.value(off, price=1.0).usd_per_yr
        return Alone(self.worth[MOATS] - self.worth[rest], _gap(bought, self.at_list), self._vendor(off, ()))

    def given(self, moats: Coalition) -> Alone:
        with_focal = self.game.value(given=moats).usd_per_yr
        without = self.game.value(given=moats, present=False).usd_per_yr
        bought = self.game.value(given=moats, price=1.0).usd_per_yr
        lost = _gap(self.worth[MOATS], _gap(with_focal, without))
        return Alone(lost, _gap(bought, self.at_list), self._vendor((), moats))

    def _vendor(self, off: Coalition, given: Coalition) -> float:
        if self.prices.volume <= 0:
            return 0.0
        most = max(self.prices.with_all, self.prices.best) * MOST
        return _gap(best_price(self.game, most, off, given)[1], self.prices.best_profit)


def _bands(game: Game, regime: Regime, draws: Sequence[Draw]) -> tuple[dict[str, Band], tuple[float, float]]:
    if not draws:
        return {}, (float("nan"), float("nan"))
    found = np.empty((len(draws), len(MOATS)))
    for i, (terms, world) in enumerate(draws):
        if regime.opened_by is not None:
            # The inputs hold the rivals as they are with the vendor's software in the middle of its range.
            ratio = terms.given_software / np.where(regime.opened_by > 0, regime.opened_by, 1.0)
            tokens = ratio if world.tokens is None else ratio * world.tokens
            terms, world = terms.opened(), replace(world, tokens=tokens)
        values = values_of(game.worths(terms, world))
        found[i] = [values[m] for m in MOATS]
    low, middle, high = np.percentile(found, [10, 50, 90], axis=0)
    # Where none is above zero there is no largest.
    share = np.bincount(found.argmax(axis=1)[found.max(axis=1) > 0], minlength=len(MOATS)) / len(draws)
    bands = {m: Band(float(low[k]), float(middle[k]), float(high[k]), float(share[k])) for k, m in enumerate(MOATS)}
    ends = np.percentile(found.sum(axis=1), [10, 90])
    return bands, (float(ends[0]), float(ends[1]))


def _binding(regime: Regime) -> tuple[str, ...]:
    joint = at_production_cost(regime.inputs, regime.terms)
    return tuple(limit.name for limit in plan(joint).limits if limit.binding)

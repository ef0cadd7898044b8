"""Which source gives how many watts in each hour: the dispatch of least weight, with batteries, losses and shortages.

    minimise   sum over hours of  sum_s weight_s p_s + sum_b wear_b d_b + unserved_weight u
    so that    sum_s p_s + sum_b (d_b - c_b) + u - spill = load        in every hour
               floor_s <= p_s <= available_s,   |p_s(t) - p_s(t-1)| <= ramp_s
               e_b(t) = e_b(t-1) + eta_c c_b dt - d_b dt / eta_d,   0 <= e_b <= E_b,   0 <= c_b, d_b <= P_b

Weights are plain numbers per joule: what they stand for (dollars, carbon) is the caller's. Without batteries or ramps
that bind every hour stands alone, and filling up in order of weight is the optimum: one sort over [S, H] columns. With
them the hours hang together and a linear programme is solved in windows of a week that look two days further
(`windows`).

The least output of a unit that may also be turned off is no linear thing. Hours in which a source would run below it
are settled afterwards, each by the lighter of two ways: raised to its least with others turned down (or watts spilt),
or off with others turned up. Each hour is settled alone, so starts cost nothing, and what a battery does is left as it
was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem, nearest
from gigawatt.physics.site.storage import Battery
from gigawatt.physics.site.supplied import SECONDS_PER_HOUR, Source, stacked

Array = NDArray[np.float64]
# Where no weight of unserved energy is given: this many times the heaviest source, so that what can be served is.
UNSERVED_TIMES = 1000.0


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Watts by source and hour, [S, H], [B, H] or [H]; in every hour sources + discharge + unserved = load + charge + spilt.

    Attributes:
        load_w: what was asked for.
        names, batteries: rows of the columns below.
        source_w: given by each source.
        charge_w, discharge_w: into and out of each battery, at its terminals; `stored_j` after each hour.
        curtailed_w: output of sun and wind that nobody took, [H].
        spilt_w: what sources that must run gave beyond all that could be taken, [H].
        unserved_w: asked for and not given, [H].
        weight: the sum that was minimised, unserved energy included.
    """

    load_w: Array
    names: tuple[str, ...]
    source_w: Array
    batteries: tuple[str, ...]
    charge_w: Array
    discharge_w: Array
    stored_j: Array
    curtailed_w: Array
    spilt_w: Array
    unserved_w: Array
    weight: float

    @property
    def served_w(self) -> Array:
        """[H] what the load was given."""
        return self.load_w - self.unserved_w

    @property
    def energy_j(self) -> dict[str, float]:
        """Joules given by each source over all hours."""
        sums = self.source_w.sum(axis=1) * SECONDS_PER_HOUR
        return dict(zip(self.names, map(float, sums), strict=True))

    def of(self, name: str) -> Array:
        """[H] watts of one source.

        Raises:
            KeyError: no such source.
        """
        if name not in self.names:
            raise KeyError(name)
        return np.asarray(self.source_w[self.names.index(name)])


@dataclass(frozen=True, slots=True)
class Weights:
    """Plain numbers per joule: of each source [S, H], of each battery's output [B], of a joule unserved."""

    sources: Array
    batteries: Array
    unserved: float

    @classmethod
    def read(
        cls,
        given: Mapping[str, ArrayLike],
        sources: Sequence[Source],
        storage: Sequence[Battery],
        hours: int,
        unserved: float | None,
    ) -> Weights:
        """Weights by name as columns; a battery's wear may be left out (none), a source's may not.

        Raises:
            InputError: a source without a weight, a name that is none, a negative weight.
        """
        known = [s.name for s in sources] + [b.name for b in storage]
        found = [
            Problem("unknown_name", f"no source or battery is named '{name}'", hints=_near(name, known))
            for name in given
            if name not in known
        ]
        found += [
            Problem("missing", f"source '{s.name}' has no weight", hints=("give a number per joule",))
            for s in sources
            if s.name not in given
        ]
        found += [
            Problem("out_of_range", f"the weight of '{name}' must not be negative, in any hour")
            for name, value in given.items()
            if not np.all(np.asarray(value) >= 0)
        ]
        if found:
            raise InputError(found)
        table = np.zeros((len(sources), hours))
        for row, source in enumerate(sources):
            table[row] = given[source.name]
        wear = np.array([float(np.asarray(given.get(b.name, 0.0), dtype=np.float64).mean()) for b in storage])
        heaviest = max(float(table.max(initial=0.0)), float(wear.max(initial=0.0)))
        return cls(table, wear, UNSERVED_TIMES * (heaviest or 1.0) if unserved is None else unserved)


def dispatch(
    load_w: ArrayLike,
    sources: Sequence[Source],
    storage: Sequence[Battery] = (),
    weights: Mapping[str, ArrayLike] | None = None,
    *,
    unserved_weight: float | None = None,
) -> Dispatch:
    """The dispatch of least weight.

    Args:
        load_w: [H] watts asked for at the meter in each hour.
        sources: what can give watts; where weights are equal, the earlier one is taken first.
        storage: batteries at the same meter.
        weights: per joule given, by the name of a source (a number, or [H]) or of a battery (its wear, per joule out).
        unserved_weight: of a joule not served; by default so heavy that whatever can be served is.

    Raises:
        InputError: columns of different lengths, doubled names, weights that lack or are negative.

    >>> from gigawatt.physics.site.supplied import Source
    >>> grid, sun = Source.of("grid", 3.0, 2), Source("sun", np.array([2.0, 0.0]), weather=True)
    >>> found = dispatch([4.0, 4.0], [grid, sun], weights={"grid": 1.0, "sun": 0.0})
    >>> found.source_w.tolist(), found.unserved_w.tolist()
    ([[2.0, 3.0], [2.0, 0.0]], [0.0, 1.0])
    """
    load = np.atleast_1d(np.asarray(load_w, dtype=np.float64))
    if not np.all(load >= 0):
        raise InputError(Problem("out_of_range", "the load must be watts that are not negative, in every hour"))
    hours, all_sources, batteries = len(load), tuple(sources), tuple(b for b in storage if b.energy_j and b.power_w)
    available, floor = stacked(all_sources, hours)
    weight = Weights.read(weights or {}, all_sources, tuple(storage), hours, unserved_weight)
    kept = [i for i, b in enumerate(storage) if b.energy_j and b.power_w]
    weight = Weights(weight.sources, weight.batteries[kept], weight.unserved)
    swift = all(s.ramp_w_per_h >= float(s.available_w.max(initial=0.0)) or s.weather for s in all_sources)
    if batteries or not swift:
        from gigawatt.physics.site.windows import in_windows

        given, charge, discharge, stored = in_windows(load, all_sources, batteries, available, floor, weight)
    else:
        given = merit_order(load, available, floor, weight.sources)
        charge = discharge = stored = np.zeros((0, hours))
    net = load + charge.sum(axis=0) - discharge.sum(axis=0)
    given = _settle_least(given, net, all_sources, available, floor, weight)
    over = given.sum(axis=0) - net
    unserved, spilt = _no_dust(-over, load), _no_dust(over, load)
    weather = np.array([source.weather for source in all_sources], dtype=bool)
    total = float(
        (weight.sources * given).sum() + (weight.batteries @ discharge).sum() + weight.unserved * unserved.sum()
    )
    return Dispatch(
        load,
        tuple(s.name for s in all_sources),
        given,
        tuple(b.name for b in batteries),
        charge,
        discharge,
        stored,
        _no_dust((available - given)[weather].sum(axis=0), load),
        spilt,
        unserved,
        total * SECONDS_PER_HOUR,
    )


def merit_order(load_w: Array, available_w: Array, floor_w: Array, weights: Array) -> Array:
    """[S, H] watts: floors first, then what is lightest in each hour; ties go to the earlier source."""
    room = available_w - floor_w
    order = np.argsort(weights, axis=0, kind="stable")
    sorted_room = np.take_along_axis(room, order, axis=0)
    wanted = np.maximum(load_w - floor_w.sum(axis=0), 0.0)
    before = np.cumsum(sorted_room, axis=0) - sorted_room
    taken = np.clip(wanted - before, 0.0, sorted_room)
    out = np.empty_like(room)
    np.put_along_axis(out, order, taken, axis=0)
    return np.asarray(out + floor_w)


def _no_dust(watts: Array, load: Array) -> Array:
    """What is above zero by more than the rounding of sums of watts of this size."""
    return np.where(watts > 1e-9 * np.maximum(load, 1.0), watts, 0.0)


def _settle_least(
    given: Array, net: Array, sources: tuple[Source, ...], available: Array, floor: Array, weight: Weights
) -> Array:
    """Hours below a unit's least output, settled by the lighter of raising it or turning it off (see the module)."""
    given = given.copy()
    for row, source in enumerate(sources):
        if source.least_w <= 0 or source.must_run:
            continue
        short = (given[row] > 0) & (given[row] < source.least_w)
        hours = np.flatnonzero(short)
        if not hours.size:
            continue
        can = available[row, hours] >= source.least_w
        up = _refilled(given, row, np.where(can, source.least_w, 0.0), hours, net, available, floor, weight)
        off = _refilled(given, row, np.zeros(hours.size), hours, net, available, floor, weight)
        lighter = can & (_weigh(up, hours, net, weight) < _weigh(off, hours, net, weight))
        given[:, hours] = np.where(lighter, up, off)
    return given


def _refilled(
    given: Array,
    row: int,
    watts: Array,
    hours: NDArray[np.intp],
    net: Array,
    available: Array,
    floor: Array,
    weight: Weights,
) -> Array:
    """[S, hours] the merit order of all others once source `row` gives `watts`; others keep the least they run at."""
    room = available[:, hours].copy()
    low = floor[:, hours].copy()
    room[row] = low[row] = watts
    return merit_order(net[hours], room, low, weight.sources[:, hours])


def _weigh(given: Array, hours: NDArray[np.intp], net: Array, weight: Weights) -> Array:
    unserved = np.maximum(net[hours] - given.sum(axis=0), 0.0)
    return np.asarray((weight.sources[:, hours] * given).sum(axis=0) + weight.unserved * unserved)


def _near(name: str, known: Sequence[str]) -> tuple[str, ...]:
    near = nearest(name, known)
    return (f"did you mean '{near}'?",) if near else ()


__all__ = ["Dispatch", "Weights", "dispatch", "merit_order"]

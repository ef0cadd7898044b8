"""The dispatch with batteries and ramps as linear programmes, one a week, each looking two days further.

A window's programme is that of `dispatch` over its hours. What lies behind it counts through one number: the joules
that must be in store at its end to carry later shortages (`storage.needed_j`, which knows all later hours); a joule
that lacks there weighs as much as it would leave unserved. So a cut into weeks loses nothing in reliability, and of the
weight only what a battery could gain by shifting between weeks. The year ends with what it began with in store, where
watts allow it.

Sizes inside are scaled to the largest load, weights to the heaviest source: HiGHS' tolerances are absolute. HiGHS is
imported here, where it is used; the solver of the fleet programme belongs to another room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.highs import core_module, quiet_highs
from gigawatt.physics.site.storage import Battery, needed_j, together
from gigawatt.physics.site.supplied import SECONDS_PER_HOUR, Source

if TYPE_CHECKING:
    from gigawatt.physics.site.dispatch import Weights

Array = NDArray[np.float64]
WINDOW_HOURS = 168
AHEAD_HOURS = 48
INFINITE = float("inf")


def in_windows(
    load: Array,
    sources: tuple[Source, ...],
    batteries: tuple[Battery, ...],
    available: Array,
    floor: Array,
    weight: Weights,
    *,
    window: int = WINDOW_HOURS,
    ahead: int = AHEAD_HOURS,
) -> tuple[Array, Array, Array, Array]:
    """Watts of sources [S, H], charge, discharge and stored joules [B, H]."""
    hours, unit = len(load), max(float(load.max(initial=0.0)), float(available.max(initial=0.0)), 1.0)
    store = np.array([b.energy_j for b in batteries]) / (unit * SECONDS_PER_HOUR)
    level = np.array([b.start_share for b in batteries]) * store
    start = level.copy()
    if batteries:
        one = together(batteries)
        need = needed_j(available.sum(axis=0) - load, one) / (unit * SECONDS_PER_HOUR)
        need[-1] = start.sum()
    else:
        need = np.zeros(hours)
    given, flows = np.zeros((len(sources), hours)), np.zeros((3, len(batteries), hours))
    last: Array | None = None
    models: dict[int, _Window] = {}
    for first in range(0, hours, window):
        end = min(first + window + ahead, hours)
        kept = min(window, hours - first)
        if end - first not in models:
            models[end - first] = _Window(end - first, sources, batteries, unit, weight)
        span = slice(first, end)
        solved = models[end - first].solve(
            load[span] / unit, available[:, span] / unit, floor[:, span] / unit, weight.sources[:, span], level,
            float(need[end - 1]), last,
        )  # fmt: skip
        p, c, d, e = solved
        keep = slice(first, first + kept)
        given[:, keep] = p[:, :kept] * unit
        flows[0][:, keep], flows[1][:, keep], flows[2][:, keep] = c[:, :kept], d[:, :kept], e[:, :kept]
        if batteries:
            level = np.clip(e[:, kept - 1], 0.0, store)
        last = p[:, kept - 1]
    given = np.clip(given, floor, available)
    return given, flows[0] * unit, flows[1] * unit, flows[2] * unit * SECONDS_PER_HOUR


class _Window:
    """One programme of T hours: the matrix is built once, bounds and weights are those of each window.

    Columns, in blocks of T: p of each source; charge, discharge, stored of each battery; unserved; spilt; and one last
    column, what lacks in store at the end. Rows, in blocks of T: the balance; each battery's level; each ramp; and one
    last row, the end.
    """

    def __init__(
        self, hours: int, sources: tuple[Source, ...], batteries: tuple[Battery, ...], unit: float, weight: Weights
    ) -> None:
        self.hours, self.batteries = hours, batteries
        self.n_s, self.n_b = len(sources), len(batteries)
        self.ramping = [i for i, s in enumerate(sources) if not s.weather and np.isfinite(s.ramp_w_per_h)]
        self.ramp = np.array([sources[i].ramp_w_per_h for i in self.ramping]) / unit
        self.power = np.array([b.power_w for b in batteries]) / unit
        self.store = np.array([b.energy_j for b in batteries]) / (unit * SECONDS_PER_HOUR)
        # The last unit of store is worth what it leaves unserved once it lacks, and a hair less, so that now comes first.
        self.heaviest = (
            max(float(weight.sources.max(initial=0.0)), float(weight.batteries.max(initial=0.0))) or weight.unserved
        )
        self.wear = weight.batteries / self.heaviest
        self.unserved = weight.unserved / self.heaviest
        worst = min((b.discharge_efficiency for b in batteries), default=1.0)
        self.lack = 0.999 * self.unserved * worst
        self.matrix = self._matrix()

    def _matrix(self) -> tuple[Array, Array, Array]:
        """The constraint matrix by columns: starts, rows, values."""
        t, n_s, n_b = self.hours, self.n_s, self.n_b
        hour = np.arange(t)
        rows, columns, values = [], [], []

        def put(row: Any, column: Any, value: float) -> None:
            r, c = np.broadcast_arrays(np.asarray(row), np.asarray(column))
            rows.append(r.ravel())
            columns.append(c.ravel())
            values.append(np.full(r.size, value))

        for s in range(n_s):
            put(hour, s * t + hour, 1.0)
        for b, battery in enumerate(self.batteries):
            charge, discharge, stored = ((n_s + k * n_b + b) * t + hour for k in range(3))
            level = (1 + b) * t + hour
            put(hour, charge, -1.0)
            put(hour, discharge, 1.0)
            put(level, stored, 1.0)
            put(level[1:], stored[:-1], -1.0)
            put(level, charge, -battery.charge_efficiency)
            put(level, discharge, 1.0 / battery.discharge_efficiency)
            put(self._end_row, stored[-1], 1.0)
        put(hour, self._unserved + hour, 1.0)
        put(hour, self._unserved + t + hour, -1.0)
        put(self._end_row, self._unserved + 2 * t, 1.0)
        for k, s in enumerate(self.ramping):
            row = (1 + n_b + k) * t + hour
            put(row, s * t + hour, 1.0)
            put(row[1:], s * t + hour[:-1], -1.0)
        r, c, v = np.concatenate(rows), np.concatenate(columns), np.concatenate(values)
        order = np.lexsort((r, c))
        counts = np.bincount(c, minlength=self._columns)
        return np.concatenate([[0], np.cumsum(counts)]), r[order], v[order]

    @property
    def _unserved(self) -> int:
        return (self.n_s + 3 * self.n_b) * self.hours

    @property
    def _columns(self) -> int:
        return self._unserved + 2 * self.hours + 1

    @property
    def _end_row(self) -> int:
        return (1 + self.n_b + len(self.ramping)) * self.hours

    def solve(
        self, load: Array, available: Array, floor: Array, weights: Array, level: Array, need: float, last: Array | None
    ) -> tuple[Array, Array, Array, Array]:
        """Columns of one window, scaled: sources, charge, discharge, stored."""
        t, n_s, n_b = self.hours, self.n_s, self.n_b
        high = np.concatenate(
            [available.ravel(), np.repeat(self.power, t), np.repeat(self.power, t), np.repeat(self.store, t),
             np.full(2 * t, INFINITE), [INFINITE]]
        )  # fmt: skip
        low = np.concatenate([floor.ravel(), np.zeros(self._columns - n_s * t)])
        cost = np.concatenate(
            [weights.ravel() / self.heaviest, np.zeros(n_b * t), np.repeat(self.wear, t), np.zeros(n_b * t),
             np.full(t, self.unserved), np.zeros(t), [self.lack]]
        )  # fmt: skip
        row_low = np.zeros(self._end_row + 1)
        row_high = np.zeros(self._end_row + 1)
        row_low[:t] = row_high[:t] = load
        for b in range(n_b):
            row_low[(1 + b) * t] = row_high[(1 + b) * t] = level[b]
        for k, s in enumerate(self.ramping):
            # Output that falls away (an outage, heat) is no ramp of the plant: the limit widens by what it must fall.
            fall = np.maximum(-np.diff(available[s], prepend=available[s, 0]), 0.0)
            block = slice((1 + n_b + k) * t, (2 + n_b + k) * t)
            row_low[block], row_high[block] = (
                -self.ramp[k] - fall,
                self.ramp[k] + np.diff(floor[s], prepend=floor[s, 0]).clip(0),
            )
            at = (1 + n_b + k) * t
            if last is None:
                row_low[at], row_high[at] = -INFINITE, INFINITE
            else:
                fell = max(float(last[s] - available[s, 0]), 0.0)
                row_low[at] = last[s] - self.ramp[k] - fell
                row_high[at] = max(last[s] + self.ramp[k], float(floor[s, 0]))
        row_low[-1], row_high[-1] = need, INFINITE
        x = self._run(cost, low, high, row_low, row_high)
        body = x[: self._unserved].reshape(n_s + 3 * n_b, t)
        c, d, e = (body[n_s + k * n_b : n_s + (k + 1) * n_b] for k in range(3))
        return body[:n_s], np.clip(c, 0, None), np.clip(d, 0, None), np.clip(e, 0, None)

    def _run(self, cost: Array, low: Array, high: Array, row_low: Array, row_high: Array) -> Array:
        core, highs = core_module(), quiet_highs()
        for name in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
            highs.setOptionValue(name, 1e-9)
        highs.setOptionValue("solver", "simplex")
        lp = core.HighsLp()
        lp.num_col_, lp.num_row_ = cost.size, row_low.size
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, low, high
        lp.row_lower_, lp.row_upper_ = row_low, row_high
        start, index, value = self.matrix
        lp.a_matrix_.format_ = core.MatrixFormat.kColwise
        lp.a_matrix_.start_ = start.astype(np.int32)
        lp.a_matrix_.index_ = index.astype(np.int32)
        lp.a_matrix_.value_ = value
        highs.passModel(lp)
        highs.run()
        if highs.getModelStatus() != core.HighsModelStatus.kOptimal:
            status = highs.modelStatusToString(highs.getModelStatus())
            raise RuntimeError(f"a dispatch that always has an answer ended '{status}'")
        return np.array(highs.getSolution().col_value)

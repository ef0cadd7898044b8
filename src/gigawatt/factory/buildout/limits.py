"""What limits a build-out in each quarter, and what one more unit of each limit is worth, in present USD.

Two questions of a limit b_t: what is one more worth in this quarter alone, and what from this quarter on (a MW that stays, a
rack more in every quarter that follows)? The optimum is concave in both moves, so at a corner the worth of one more and of
the last one differ, and the solver's dual is any number between:

    up = (V(b + h) - V(b)) / h   <=   dual   <=   (V(b) - V(b - h)) / h = down

From this quarter on, the dual is the sum of the quarters' duals. Duals are known for all limits; both sides come from warm
solves and so only for those that bind most. A dollar of capital is carried over: in a quarter alone it is there from then on.
Worths of capital are net of the dollar itself, which the objective pays when it is spent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.buildout.programme import Programme
from gigawatt.factory.limits import ONE_MORE, amount, dollars, listed
from gigawatt.factory.model import LimitRow
from gigawatt.factory.solver import Solver

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
_STEP = 1e-4
_SMALLEST_STEP = 1e-5  # in row units: far over the solver's tolerance of 1e-9
_TIGHT = 1e-7
_LARGE = 5_000  # columns from which a warm solve takes over ten milliseconds
_NOTHING = 1e-7  # M USD per row unit: under the solver's tolerances for a worth


@dataclass(frozen=True, slots=True)
class PeriodLimit:
    """One limit in one quarter. Worths are present USD per unit, in `price_unit`.

    Attributes:
        name: "power in 2028 Q3". kind: power, capital, supply, demand, obligation. subject: the platform, price segment or
            obligation ("" for power and capital). quarter, t: its name and number.
        limit, used: in `unit`.
        dual, up, down: of one more, in this quarter alone; `down` of the last one (infinite where no plan fits less).
        lasting_dual, lasting_up, lasting_down: of one more in this quarter and in all that follow.
        then: limits that are taken in full when a tenth more of this one is there from then on, and were not before.
        probed: whether both sides were solved for; else `up` and `down` repeat the dual.
        operating: with blocks, dual of this quarter alone with the purchases held (else None).
        increment: with blocks, worth per unit of `increment_step` more from then on, which lies in `increment_low` to
            `increment_high` (else None).
        words: in a sentence.
    """

    name: str
    kind: str
    subject: str
    quarter: str
    t: int
    unit: str
    price_unit: str
    limit: float
    used: float
    dual: float
    up: float
    down: float
    lasting_dual: float
    lasting_up: float
    lasting_down: float
    then: tuple[str, ...] = ()
    probed: bool = False
    operating: float | None = None
    increment: float | None = None
    increment_low: float | None = None
    increment_high: float | None = None
    increment_step: float | None = None
    words: str = ""

    @property
    def used_share(self) -> float:
        """Of the limit (NaN for a limit of zero)."""
        return self.used / self.limit if self.limit else float("nan")

    @property
    def binding(self) -> bool:
        """Whether moving it in this quarter alone changes the optimum (a limit of zero can only be raised)."""
        down = self.down if self.limit > 0 else 0.0
        return max(abs(self.up), abs(down)) > 1e-9


@dataclass(frozen=True, slots=True)
class _Worth:
    """Worth of a move per row unit, both sides, and what is full a tenth further."""

    up: float
    down: float
    then: tuple[str, ...] = ()


def activity(programme: Programme, x: Array) -> Array:
    """A x of every row."""
    program = programme.program
    sums = np.bincount(program.rows, weights=program.values * x[program.columns], minlength=program.row_low.size)
    return np.asarray(sums, dtype=np.float64)


def shadow_prices(
    programme: Programme, solver: Solver, dual: Array, value: float, optimum: Array, shown: Array, most: int | None
) -> tuple[PeriodLimit, ...]:
    """Worth of every limit that a user would move.

    Left out are infinite limits, and limits of zero on what is not there in that quarter (no demand, nothing owed, a platform
    not on offer), but for a platform that is never on offer.

    Args:
        programme: what was solved. solver: holds it at its optimum. dual: [rows] its duals; value: its optimum, M USD.
        optimum: [columns] a linear optimum (worths are of it); shown: the plan whose use of each limit is told.
        most: how many limits are solved for on both sides (None: 200, and 16 of a large programme).
    """
    taken, used = activity(programme, optimum), activity(programme, shown)
    all_ = programme.limits()
    limits = [limit for limit in all_ if _told(programme, limit)]
    rows = np.array([limit.row for limit in limits], dtype=np.int64)
    bounds = np.array([limit.bound for limit in limits])
    tight = np.abs(taken[rows] - bounds) <= _TIGHT * np.maximum(1.0, np.abs(bounds))
    rent = np.abs(dual[rows]) * np.array([_size(programme, limit) for limit in limits])
    order = np.lexsort((rows, -rent))
    if most is None:
        most = 16 if programme.program.cost.size > _LARGE else 200
    probed = [int(i) for i in order if tight[i]][:most]
    lasting = [_rows_from(programme, limit) for limit in limits]
    first_extra = programme.program.cost.size
    if probed:
        solver.add_columns([lasting[i] for i in probed], 1.0)
    probe = _Probe(programme, solver, value, taken, all_)
    worths: dict[int, tuple[_Worth, _Worth]] = {}
    for n, i in enumerate(probed):
        sign = -1.0 if limits[i].lower else 1.0  # the column stands on the left side: less of it is more of the limit
        now = probe.quarter(limits[i])
        last = lasting[i].size == 1
        worths[i] = now, now if last else probe.lasting(limits[i], lasting[i], first_extra + n, sign)
    return tuple(
        _told_as(programme, limit, float(used[limit.row]), dual, lasting[i], worths.get(i), bool(tight[i]))
        for i, limit in enumerate(limits)
    )


def _told(programme: Programme, limit: LimitRow) -> bool:
    if limit.kind in ("power", "capital") or limit.bound > 0:
        return True
    return limit.kind == "supply" and not programme.bound["supply"][limit.subject].any()


def _size(programme: Programme, limit: LimitRow) -> float:
    """How much of a limit there is, for its rent: capital of a quarter without an inflow counts as a mean one."""
    if limit.bound > 0 and limit.kind != "capital":
        return limit.bound
    all_ = programme.bound[limit.kind][limit.subject]
    known = all_[np.isfinite(all_)]
    return max(limit.bound, float(known.mean()), 1e-3)


def _rows_from(programme: Programme, limit: LimitRow) -> Indices:
    """Rows of this limit from its quarter on, where it is there and finite."""
    bound = programme.bound[limit.kind][limit.subject]
    rows = programme.limit_row[limit.kind][limit.subject]
    t = int(np.flatnonzero(rows == limit.row)[0])
    there = np.isfinite(bound) & ((bound > 0) | (limit.kind in ("power", "capital")))
    there[t] = True
    return np.asarray(rows[t:][there[t:]], dtype=np.int64)


class _Probe:
    """Warm solves around an optimum; every move is taken back."""

    def __init__(
        self, programme: Programme, solver: Solver, value: float, taken: Array, limits: tuple[LimitRow, ...]
    ) -> None:
        self.programme, self.solver, self.value, self.taken = programme, solver, value, taken
        self.limits = limits
        self.low, self.high = programme.program.row_low, programme.program.row_high

    def quarter(self, limit: LimitRow) -> _Worth:
        """One more and one less in this quarter alone."""

        def move(by: float) -> None:
            bound = limit.bound + by
            self.solver.set_row(limit.row, bound if limit.lower else -np.inf, np.inf if limit.lower else bound)

        return self._sides(move, self._step(limit), limit.bound)

    def lasting(self, limit: LimitRow, rows: Indices, column: int, sign: float) -> _Worth:
        """The same in this quarter and in those that follow; a column on the left side moves all of their bounds."""
        bounds = self.low[rows] if limit.lower else self.high[rows]

        def move(by: float) -> None:
            self.solver.set_column(column, -by, -by)

        floor = float(bounds.min())
        step = min(self._step(limit), floor) if floor > 0 else self._step(limit)
        found = self._sides(move, step, floor)
        if limit.lower or found.up == 0 or not np.isfinite(found.up):
            return found
        move(0.1 * max(limit.bound, step))
        then = self._full(rows) if self.solver.value() > float("-inf") else ()
        move(0.0)
        self.solver.value()
        return _Worth(found.up, found.down, then)

    def _step(self, limit: LimitRow) -> float:
        return max(_STEP * _size(self.programme, limit), _SMALLEST_STEP)

    def _sides(self, move: Callable[[float], None], step: float, floor: float) -> _Worth:
        worth = []
        for by in (step, -step):
            if floor + by < 0:  # less than nothing
                worth.append(float("inf"))
                continue
            move(by)
            there = self.solver.value()
            if there == float("-inf"):
                worth.append(float("-inf") if by > 0 else float("inf"))
            else:
                gain = (there - self.value) / by
                worth.append(0.0 if abs(gain) * step < 1e-11 * max(1.0, abs(self.value)) else gain)
        move(0.0)
        self.solver.value()
        return _Worth(worth[0], worth[1])

    def _full(self, own: Indices) -> tuple[str, ...]:
        """Names of the limits that are taken in full now and were not before, dearest first; a few."""
        x = self.solver.columns()[: self.programme.program.cost.size]
        after, high = activity(self.programme, x), self.high
        gap = _TIGHT * np.maximum(1.0, np.abs(np.where(np.isfinite(high), high, 0.0)))
        full = np.isfinite(high) & (high - after <= gap) & (high - self.taken > gap) & (high > 0)
        full[own] = False
        dual = np.abs(self.solver.duals())
        named = [limit for limit in self.limits if full[limit.row] and dual[limit.row] > _NOTHING]
        named.sort(key=lambda limit: (-dual[limit.row] * max(limit.bound, 1e-3), limit.row))
        return tuple(limit.name for limit in named[:3])


def _told_as(
    programme: Programme,
    limit: LimitRow,
    used: float,
    dual: Array,
    rows: Indices,
    worth: tuple[_Worth, _Worth] | None,
    tight: bool,
) -> PeriodLimit:
    inputs, scale = programme.inputs, limit.price_scale
    names = {"supply": inputs.platforms, "demand": inputs.segments, "obligation": inputs.obligations}
    t = int(np.flatnonzero(programme.limit_row[limit.kind][limit.subject] == limit.row)[0])
    own = float(dual[limit.row]) if tight else 0.0
    later = float(dual[rows].sum())
    now, lasting = worth if worth is not None else (_Worth(own, own), _Worth(later, later))
    told = PeriodLimit(
        limit.name,
        limit.kind,
        names[limit.kind][limit.subject] if limit.kind in names else "",
        inputs.quarters[t],
        t,
        limit.unit,
        limit.price_unit,
        limit.bound * limit.scale,
        used * limit.scale,
        own * scale,
        now.up * scale,
        now.down * scale,
        later * scale,
        lasting.up * scale,
        lasting.down * scale,
        lasting.then,
        worth is not None or not tight,
    )
    return _with_words(told)


def _with_words(limit: PeriodLimit) -> PeriodLimit:
    return replace(limit, words=sentence(limit))


def sentences(limits: Sequence[PeriodLimit]) -> list[str]:
    """The limits in words; what holds alike in consecutive quarters is said once."""
    out: list[tuple[str, PeriodLimit, PeriodLimit]] = []
    for limit in limits:
        text = limit.words.removeprefix(limit.quarter)
        if out and out[-1][0] == text and out[-1][2].t + 1 == limit.t:
            out[-1] = (text, out[-1][1], limit)
        else:
            out.append((text, limit, limit))
    return [f"{first.quarter}{'' if first is last else f' to {last.quarter}'}{text}" for text, first, last in out]


def sentence(limit: PeriodLimit) -> str:
    """One limit in a sentence: what one more is worth, in this quarter and from then on, and what binds then.

    Worths are present values; capital's is what is earned beyond the dollars themselves.
    """
    more, units = ONE_MORE[limit.kind]
    what = limit.name.removesuffix(f" in {limit.quarter}")
    if not limit.binding:
        if limit.kind == "obligation":
            return f"{limit.quarter}: {what} costs nothing: the plan does more than is owed."
        spare = amount(max(limit.limit - limit.used, 0.0), limit.unit)
        return f"{limit.quarter}: {what} is not short: {spare} of {amount(limit.limit, limit.unit)} unused."
    if limit.kind == "obligation":
        dear = limit.up == float("-inf")
        cost = "no plan fits more" if dear else f"{more} more would cost {dollars(-limit.up * units)}"
        return f"{limit.quarter}: {what} binds at {amount(limit.limit, limit.unit)}: {cost}."
    if limit.up == 0 and limit.lasting_up == 0:
        last = "no plan fits less" if limit.down == float("inf") else f"the last is worth {dollars(limit.down * units)}"
        return f"{limit.quarter}: {what} is just enough: more is worth nothing, {last}."
    if limit.kind == "capital":
        text = (
            f"{limit.quarter}: capital is short: {more} more then adds {dollars(limit.up * units)} of net present value"
        )
    elif limit.kind == "demand":
        text = f"{limit.quarter}: {what} is short: {more} more is worth {dollars(limit.up)}"
    else:
        each = " a quarter" if limit.kind == "supply" else ""
        text = f"{limit.quarter}: {what} is short: {more} more{each} from then on is worth"
        text += f" {dollars(limit.lasting_up * units)}"
        text += f", in this quarter alone {dollars(limit.up * units)}"
    if abs(limit.up - limit.down) > 1e-6 * max(abs(limit.up), abs(limit.down)):
        less = "no plan fits less" if limit.down == float("inf") else f"the last of it {dollars(limit.down * units)}"
        text += f" ({less})"
    if limit.then:
        short = {name: name.rpartition(" in ")[0] for name in limit.then}
        names = list(dict.fromkeys(name if alone == what else alone for name, alone in short.items()))
        text += f"; with a tenth more, {listed(names)} {'binds' if len(names) == 1 else 'bind'} too"
    return text + "."

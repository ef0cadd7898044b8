"""What limits a plan, and what one more unit of each limit is worth.

The optimum V(b) is concave in a limit b, so its worth falls as there is more of it. At a corner the worth of one more
(right derivative) and of the last one (left derivative) differ, and the solver's dual is any number between them:

    up = (V(b + h) - V(b)) / h   <=   dual   <=   (V(b) - V(b - h)) / h = down,      h = 1e-4 b

Both come from warm solves. How far a worth holds is the range of the right side just beside b (a corner has none at
b itself), and what binds then is read from one more solve behind it. For an obligation, more is dearer: both are
negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.model import LimitRow, Model
from gigawatt.factory.solver import Answer, Solver

Array = NDArray[np.float64]
_STEP = 1e-4
_SMALLEST_STEP = 1e-5  # in row units: far over the solver's tolerance of 1e-9
_TIGHT = 1e-7


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a plan. Worths are per year and unit, in `price_unit`.

    Attributes:
        name, kind, unit: "power", "power", "MW"; kinds are power, capital, supply, demand, obligation.
        limit, used, used_share: in `unit`.
        dual: the solver's price (0 where the limit does not bind).
        up, down: worth of one more and of the last one; `down` is infinite where less of it fits no plan.
        until, since: the limit up to which `up` holds, and down to which `down` does (in `unit`).
        then: limits that begin to bind behind `until`.
        increment, increment_step: with whole racks, worth per unit of a step that one would buy (else None).
        operating: with whole racks, price of the limit with the racks fixed (else None).
    """

    name: str
    kind: str
    unit: str
    price_unit: str
    limit: float
    used: float
    used_share: float
    dual: float
    up: float
    down: float
    until: float
    since: float
    then: tuple[str, ...] = ()
    increment: float | None = None
    increment_step: float | None = None
    operating: float | None = None

    @property
    def binding(self) -> bool:
        """Whether moving it changes the optimum."""
        down = self.down if np.isfinite(self.down) or self.limit > 0 else 0.0
        return max(abs(self.up), abs(down)) > 1e-9

    @property
    def corner(self) -> bool:
        """Whether one more and the last one differ in worth."""
        return abs(self.up - self.down) > 1e-6 * max(abs(self.up), abs(self.down), 1e-12)


def shadow_prices(model: Model, best: Answer, chosen: Array | None = None) -> tuple[Limit, ...]:
    """Worth of every limit that is not infinite.

    Args:
        model: the program.
        best: its linear optimum: worths are of this one.
        chosen: the plan that is shown (of several equal ones, or of whole racks): what is used is of this one.
    """
    used = activity(model, best.x)
    shown = used if chosen is None else activity(model, chosen)
    probe = Solver(model.program, relax=True)
    probe.solve()
    out = []
    for row in model.limits:
        if not np.isfinite(row.bound):
            continue
        out.append(_limit(model, row, best, float(used[row.row]), float(shown[row.row]), used, probe))
    return tuple(out)


def activity(model: Model, x: Array) -> Array:
    """A x of every row."""
    program = model.program
    out = np.zeros(program.row_low.size)
    np.add.at(out, program.rows, program.values * x[program.columns])
    return out


def _limit(model: Model, row: LimitRow, best: Answer, taken: float, used: float, usage: Array, probe: Solver) -> Limit:
    """One limit: `taken` is what the linear optimum takes of it, `used` what the plan that is shown does."""
    dual = float(best.row_dual[row.row])
    slack = (taken - row.bound) if row.lower else (row.bound - taken)
    tight = slack <= _TIGHT * max(1.0, abs(row.bound))
    up = down = 0.0
    until = float("nan") if tight else float("inf")
    since = float("nan") if tight else used
    then: tuple[str, ...] = ()
    if tight:
        step = max(_STEP * abs(row.bound), _SMALLEST_STEP)
        up, until = _side(probe, row, best.value, step)
        down, since = _side(probe, row, best.value, -step)
        if np.isfinite(until) and until > row.bound:
            then = _behind(model, probe, row, until + step, usage)
        _reset(probe, row)
    return Limit(
        row.name,
        row.kind,
        row.unit,
        row.price_unit,
        row.bound * row.scale,
        used * row.scale,
        used / row.bound if row.bound else float("nan"),
        dual * row.price_scale,
        up * row.price_scale,
        down * row.price_scale,
        until * row.scale,
        since * row.scale,
        then,
    )


def _move(probe: Solver, row: LimitRow, bound: float) -> None:
    probe.set_row(row.row, bound if row.lower else -np.inf, np.inf if row.lower else bound)


def _reset(probe: Solver, row: LimitRow) -> None:
    _move(probe, row, row.bound)
    probe.value()


def _side(probe: Solver, row: LimitRow, best: float, step: float) -> tuple[float, float]:
    """Worth per unit on one side, and the bound up to which it holds."""
    moved = row.bound + step
    if moved < 0:  # a limit of zero: less than nothing fits no plan, and owing less than nothing changes none
        return (0.0 if row.lower else float("inf")), 0.0
    _move(probe, row, moved)
    there = probe.value()
    if there == float("-inf"):
        return (float("-inf") if step > 0 else float("inf")), row.bound
    worth = (there - best) / step
    if abs(worth) < 1e-9 * max(1.0, abs(best)) * 1e-3:
        worth = 0.0
    if worth == 0:
        return worth, float("inf") if step > 0 else 0.0
    low, high = probe.row_range(row.row)
    if step > 0:
        return worth, max(high, moved)
    return worth, min(low, moved) if low > _TIGHT else 0.0


def _behind(model: Model, probe: Solver, row: LimitRow, bound: float, usage: Array) -> tuple[str, ...]:
    """Names of the limits that are taken in full at `bound` of this one and were not before."""
    _move(probe, row, bound)
    if probe.value() == float("-inf"):
        return ()
    after = activity(model, probe.columns())
    names = []
    for other in model.limits:
        if other.row == row.row or not np.isfinite(other.bound) or other.lower:
            continue
        gap = _TIGHT * max(1.0, abs(other.bound))
        if other.bound - after[other.row] <= gap < other.bound - usage[other.row]:
            names.append(other.name)
    return tuple(names)


# How one more of each kind is said: the words, and how many units of the limit they are.
ONE_MORE = {
    "power": ("1 MW", 1.0),
    "capital": ("1 B USD", 1e9),
    "supply": ("1 rack", 1.0),
    "demand": ("1 M tokens", 1.0),
    "obligation": ("1 M tokens", 1.0),
}


def dollars(value: float) -> str:
    """An amount of money in words.

    >>> dollars(-40.2e9)
    '-40.2 B USD'
    """
    size, name = abs(value), "USD"
    for scale, word in ((1e9, "B USD"), (1e6, "M USD"), (1e3, "k USD")):
        if size >= scale:
            size, name = size / scale, word
            break
    return f"{'-' if value < 0 else ''}{size:,.3g} {name}"


def _worth(limit: Limit, value: float) -> str:
    """A worth in words, for as much as `ONE_MORE` says; tokens are priced each and not by the year."""
    each = dollars(value * ONE_MORE[limit.kind][1])
    return each if limit.price_unit == "USD per million tokens" else f"{each} a year"


def amount(value: float, unit: str) -> str:
    """A limit's amount in words: '1,067 MW', '40.2 B USD', '3.4 M tokens/s'.

    >>> amount(40.2e9, "USD")
    '40.2 B USD'
    """
    if unit == "USD":
        return dollars(value)
    for scale, word in ((1e9, "B "), (1e6, "M ")):
        if unit == "tokens/s" and abs(value) >= scale:
            return f"{value / scale:,.3g} {word}{unit}"
    return f"{value:,.0f} {unit}" if abs(value) >= 1000 else f"{value:,.4g} {unit}"


def sentence(limit: Limit) -> str:
    """One limit in a sentence, with its price and how far it holds."""
    name = limit.name[0].upper() + limit.name[1:]
    more = ONE_MORE[limit.kind][0]
    if limit.kind == "obligation":
        if not limit.binding:
            return f"{name} costs nothing: the plan does more than is owed."
        dear = limit.up == float("-inf")
        cost = "no plan fits more" if dear else f"{more} more would cost {_worth(limit, -limit.up)}"
        return f"{name} binds at {amount(limit.limit, limit.unit)}: {cost}."
    if not limit.binding:
        spare = amount(max(limit.limit - limit.used, 0.0), limit.unit)
        return f"{name} is not short: {spare} of {amount(limit.limit, limit.unit)} unused."
    least = limit.down == float("inf")
    less = "no plan fits less" if least else f"the last is worth {_worth(limit, limit.down)}"
    if limit.up == 0:
        return f"{name} is just enough: more is worth nothing, {less}."
    text = f"{name} is short: {more} more is worth {_worth(limit, limit.up)}"
    if limit.corner:
        text += f" ({less})"
    if np.isfinite(limit.until):
        text += f", up to {amount(limit.until, limit.unit)}"
        if limit.then:
            text += f"; then {listed(limit.then)} {'binds' if len(limit.then) == 1 else 'bind'}"
    return text + "."


def listed(names: Sequence[str]) -> str:
    """'a, b and c'."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]

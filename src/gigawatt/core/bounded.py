"""A figure with its unit and boundary: added to, compared with and divided by others of the same boundary only.

Everything else is an error that says which dimension differs, both values, and what would make the two comparable. The
ways from one boundary to another each state what they assume:

    at_power(power, pue=)            USD per facility W = USD per IT W / PUE, since the whole costs the same
    part(scope, share), total(parts) a part by its share of the whole; a whole of parts that do not overlap
    as_side(side, factor, because)   the vendor's sale, the buyer's cost, what it cost to make
    restate(..., factor, because)    a list, quoted or realised price; a reading of a power that is unstated
    times_power, per_power           USD/W <-> USD, for a power counted the same way
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from gigawatt.core.boundary import Boundary, differences, parse_scope, remedy, scope_text
from gigawatt.core.errors import InputError, Problem, Problems


@dataclass(frozen=True, slots=True)
class Bounded:
    """A figure with its unit (the engine's: 'USD', 'USD/W', 'USD/W/s') and boundary; `low` and `high` where known.

    `name` is for messages; `steps` says what was done to it since its source. Sums, differences, ratios and comparisons
    take figures of one unit and boundary.

    >>> from gigawatt.core.boundary import parse_boundary
    >>> claim = Bounded(35.0, "USD/W", parse_boundary("facility, systems, vendor sale, quoted"), name="the call")
    >>> whole = Bounded(35.0, "USD/W", parse_boundary("facility, all-in, buyer cost, quoted"), name="the note")
    >>> try:
    ...     claim < whole
    ... except InputError as error:
    ...     print(error.problems[1].message)
    'the call' and 'the note' can not be compared: side differs: vendor sale against buyer cost
    >>> round(whole.at_power("it", pue=1.2).value, 9)
    42.0
    """

    value: float
    unit: str
    boundary: Boundary
    low: float | None = None
    high: float | None = None
    name: str = ""
    steps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            _fail("not_finite", f"{self._said()} is not a finite number")

    def __add__(self, other: Bounded) -> Bounded:
        self._same(other, "added")
        (low, high), (other_low, other_high) = self.range, other.range
        return self._with(self.value + other.value, low + other_low, high + other_high, other)

    def __sub__(self, other: Bounded) -> Bounded:
        self._same(other, "subtracted")
        (low, high), (other_low, other_high) = self.range, other.range
        return self._with(self.value - other.value, low - other_high, high - other_low, other)

    def __truediv__(self, other: Bounded) -> float:
        """How many times the other: a plain ratio."""
        self._same(other, "divided")
        if other.value == 0:
            _fail("divided_by_zero", f"{other._said()} is zero: nothing can be divided by it")
        return self.value / other.value

    def __mul__(self, factor: float) -> Bounded:
        low, high = sorted(end * factor for end in self.range)
        return self._with(self.value * factor, low, high)

    __rmul__ = __mul__

    def __lt__(self, other: Bounded) -> bool:
        self._same(other, "compared")
        return self.value < other.value

    def __le__(self, other: Bounded) -> bool:
        self._same(other, "compared")
        return self.value <= other.value

    @property
    def range(self) -> tuple[float, float]:
        """(low, high); the value itself where a bound is not known."""
        return (self.value if self.low is None else self.low), (self.value if self.high is None else self.high)

    def require(self, action: str, **wanted: object) -> Bounded:
        """Itself, where the named dimensions are as wanted.

        Raises:
            InputError: one that is not; says which, both values and what would make it fit.
        """
        needed = replace(self.boundary, **wanted)  # type: ignore[arg-type]
        found = [
            Problem(
                "boundary_mismatch",
                f"{action} needs {dimension} '{want}': {self._said()} is '{have}'",
                None,
                (remedy(dimension, self.boundary, needed),),
            )
            for dimension, have, want in differences(self.boundary, needed)
        ]
        if found:
            raise InputError(found)
        return self

    def at_power(self, power: str, *, pue: float | None = None) -> Bounded:
        """Per W of another power: facility <-> it through a stated PUE. Nothing changes where it is that already.

        Raises:
            InputError: the power is unstated, no PUE is given or one below 1, or the unit has no power in it.
        """
        target = replace(self.boundary, power=power)
        if power == self.boundary.power:
            return self
        if "unstated" in (power, self.boundary.power) or pue is None:
            self._other_power(power)
        if not pue >= 1:
            _fail("bad_pue", f"a PUE is facility over IT power and at least 1, not {pue:g}")
        self._unit("/W", "from one power to another")
        moved = self * (pue if power == "it" else 1 / pue)
        return replace(moved, boundary=target, steps=(*self.steps, f"per {power} W at PUE {pue:g}"))

    def part(self, scope: Iterable[str] | str, share: float, because: str = "") -> Bounded:
        """A part of the whole by its share of it.

        Raises:
            InputError: the part is not inside, or the share is not between 0 and 1.
        """
        inside = parse_scope(scope) if isinstance(scope, str) else frozenset(scope)
        if not inside <= self.boundary.scope:
            _fail("boundary_mismatch", f"{scope_text(inside - self.boundary.scope)} is not inside {self._said()}")
        if not 0 <= share <= 1:
            _fail("out_of_range", f"a share lies between 0 and 1, not at {share:g}")
        step = f"{scope_text(inside)} is {share:.4g} of it" + (f" ({because})" if because else "")
        return replace(self * share, boundary=replace(self.boundary, scope=inside), steps=(*self.steps, step))

    def as_side(self, side: str, factor: float, because: str) -> Bounded:
        """Whose money it is: the vendor's sale as the buyer's cost, or as what it cost to make, by a stated factor."""
        return self.restate(side=side, factor=factor, because=because)

    def restate(
        self,
        *,
        because: str,
        power: str | None = None,
        side: str | None = None,
        price: str | None = None,
        factor: float = 1.0,
    ) -> Bounded:
        """Another reading of power (only where it is unstated), side or price, by a factor and with its reason.

        Raises:
            InputError: no reason, a factor that is not above zero, or a stated power (that takes a PUE: `at_power`).
        """
        if not because.strip():
            _fail("no_reason", "a figure is restated with a reason: because='...'")
        if not (factor > 0 and math.isfinite(factor)):
            _fail("out_of_range", f"a factor lies above zero, not at {factor:g}")
        if power is not None and self.boundary.power not in ("unstated", power):
            self._other_power(power)
        given = {"power": power, "side": side, "price": price}
        target = replace(self.boundary, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
        words = ", ".join(f"{d} read as {now}" for d, _, now in differences(self.boundary, target))
        times = "" if factor == 1 else f" x {factor:.4g}"
        return replace(self * factor, boundary=target, steps=(*self.steps, f"{words}{times} ({because})"))

    def times_power(self, power_w: float, power: str, *, pue: float | None = None) -> Bounded:
        """The whole of `power_w` counted as `power`: USD/W x W. Another power needs a PUE."""
        self._unit("/W", "times a power")
        return replace(self.at_power(power, pue=pue) * power_w, unit=self.unit.replace("/W", "", 1))

    def per_power(self, power_w: float, power: str) -> Bounded:
        """USD over `power_w` counted as `power`: USD/W."""
        if not power_w > 0:
            _fail("out_of_range", f"a power to divide by lies above zero, not at {power_w:g} W")
        if self.boundary.power != "unstated":
            self.require("dividing by that power", power=power)
        unit = self.unit.replace("USD", "USD/W", 1)
        return replace(self * (1 / power_w), unit=unit, boundary=replace(self.boundary, power=power))

    def _said(self) -> str:
        return f"'{self.name}'" if self.name else f"{self.value:.4g} {self.unit}"

    def _with(self, value: float, low: float, high: float, other: Bounded | None = None) -> Bounded:
        known = any(end is not None for one in (self, other) if one for end in (one.low, one.high))
        return replace(self, value=value, low=low if known else None, high=high if known else None)

    def _unit(self, part: str, action: str) -> None:
        if part not in self.unit:
            _fail("unit_mismatch", f"{self._said()} is in {self.unit}: without '{part}' it can not go {action}")

    def _other_power(self, power: str) -> NoReturn:
        message = f"power differs: {self._said()} counts '{self.boundary.power}', not '{power}'"
        _fail("boundary_mismatch", message, remedy("power", self.boundary, replace(self.boundary, power=power)))

    def _same(self, other: Bounded, action: str) -> None:
        """One problem for each dimension that differs."""
        problems = Problems()
        pair = f"{self._said()} and {other._said()} can not be {action}"
        if self.unit != other.unit:
            problems.add("unit_mismatch", f"{pair}: one is in {self.unit}, the other in {other.unit}")
        for dimension, mine, theirs in differences(self.boundary, other.boundary):
            message = f"{pair}: {dimension} differs: {mine} against {theirs}"
            problems.add("boundary_mismatch", message, None, remedy(dimension, self.boundary, other.boundary))
        problems.raise_if_any()


def _fail(code: str, message: str, *hints: str) -> NoReturn:
    raise InputError(Problem(code, message, None, hints))


def total(parts: Sequence[Bounded]) -> Bounded:
    """One whole of parts whose scopes do not overlap; the other dimensions must be the same.

    >>> from gigawatt.core.boundary import parse_boundary
    >>> chips = Bounded(13.65, "USD/W", parse_boundary("facility, chips, buyer cost, quoted"))
    >>> network = Bounded(4.55, "USD/W", parse_boundary("facility, network, buyer cost, quoted"))
    >>> whole = total([chips, network])
    >>> round(whole.value, 2), str(whole.boundary)
    (18.2, 'facility, chips + network, buyer cost, quoted')

    Raises:
        InputError: nothing to add, parts counted twice, or another boundary.
    """
    if not parts:
        _fail("nothing", "there are no parts to add")
    whole = parts[0]
    for one in parts[1:]:
        twice = whole.boundary.scope & one.boundary.scope
        if twice:
            _fail("counted_twice", f"{scope_text(twice)} would be counted twice by adding {one._said()}")
        scope = whole.boundary.scope | one.boundary.scope
        wider = [replace(x, boundary=replace(x.boundary, scope=scope)) for x in (whole, one)]
        whole = replace(wider[0] + wider[1], name="")
    return whole

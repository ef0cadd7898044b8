"""What the loans' covenants test, and which tests fail.

lock-up      DSCR of the period below the lock-up level: nothing is distributed
default      DSCR below the default level: the lenders may accelerate (a finding here, no payment changes)
utilisation  MW in use over MW on offer below its level
payment      anything overdue at the period's end
LLCR         present value of CFADS over the loan's remaining life / balance, at the loan's rate, shown by period
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.finance.project.operations import Operations
from gigawatt.finance.project.terms import Covenants, level
from gigawatt.finance.project.timing import Timing
from gigawatt.finance.project.waterfall import NOTHING_USD, SAME, Waterfall
from gigawatt.finance.schedule import Array


@dataclass(frozen=True, slots=True)
class Test:
    """One covenant: the values it watches and its level, [..., periods]; NaN where it is not tested."""

    name: str
    unit: str
    value: Array
    threshold: Array
    breached: NDArray[np.bool_]
    consequence: str


def tests_of(covenants: Covenants, operations: Operations, waterfall: Waterfall, timing: Timing) -> tuple[Test, ...]:
    """Every covenant over all periods."""
    live = np.arange(timing.periods) >= timing.first
    dscr = waterfall.dscr
    out = []
    for name, asked, value, consequence in (
        ("lock_up", covenants.lock_up, dscr, "no distribution"),
        ("default", covenants.default, dscr, "event of default"),
        ("utilisation", covenants.utilisation, operations.utilisation, "event of default"),
    ):
        threshold = level(asked)
        if np.any(threshold > 0):
            breached = below(value, threshold) & live
            unit = "share" if name == "utilisation" else "x"
            out.append(Test(name, unit, value, threshold + np.zeros(timing.periods), breached, consequence))
    late = waterfall.unpaid_usd
    out.append(Test("payment", "USD", late, np.zeros(timing.periods), (late > NOTHING_USD) & live, "event of default"))
    return tuple(out)


def below(value: Array, threshold: Array) -> NDArray[np.bool_]:
    """Where a ratio lies below its level by more than rounding; NaN never does.

    >>> below(np.array([1.1, 1.2, np.nan]), np.array([1.2])).tolist()
    [True, False, False]
    """
    return np.asarray(value < threshold * (1 - SAME))


def cover_of_life(cfads_usd: Array, rate: Array, balance_usd: Array, first: int, until: int) -> Array:
    """LLCR (or PLCR, with `until` the project's end) at the start of each period from `first`, [..., periods]; else NaN.

    Present value of CFADS of periods t ... until - 1 at the loan's rate a period, over the balance before t.
    """
    n = cfads_usd.shape[-1]
    shape = np.broadcast_shapes(cfads_usd.shape, rate.shape, balance_usd.shape)
    out, value = np.full(shape, np.nan), np.zeros(shape[:-1])
    for k in range(min(until, n) - 1, first - 1, -1):
        value = (value + cfads_usd[..., k]) / (1 + rate[..., k])
        owed = np.broadcast_to(balance_usd[..., k - 1], value.shape)
        np.divide(value, owed, out=out[..., k], where=owed > NOTHING_USD)
    return out

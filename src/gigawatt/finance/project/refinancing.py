"""A new loan for the old one: how large it is, when it comes about, what equity gains.

The new loan is sized on the CFADS after the refinancing date at its own cover, rate and tenor; its interest changes the tax
and so the CFADS, a second circle, closed by fixed point like the first. It comes about where it repays what is owed and its
fee; elsewhere (in other draws) the old loan goes on.

    net proceeds   new loan - balance - fee, in the period it happens
    gain           present value to equity, at equity's discount rate, with the refinancing less without it
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.finance.project.debt import least, limits_usd, repay
from gigawatt.finance.project.operations import Operations
from gigawatt.finance.project.sizing import MAX_ROUNDS, ROUNDING, TOLERANCE_USD, Sizing
from gigawatt.finance.project.terms import Terms
from gigawatt.finance.project.timing import Timing
from gigawatt.finance.project.waterfall import NewLoan, Waterfall, run
from gigawatt.finance.schedule import Array


@dataclass(frozen=True, slots=True)
class Refinanced:
    """The new loan, the waterfall with it, where it came about [..., 1], and how well its circle closed."""

    new: NewLoan
    waterfall: Waterfall
    done: NDArray[np.bool_]
    iterations: int
    residual_usd: Array


def refinance(terms: Terms, timing: Timing, operations: Operations, sizing: Sizing, before: Waterfall) -> Refinanced:
    """Size the new loan and run the waterfall with it; `before` is the waterfall without."""
    plan = terms.refinancing
    assert plan is not None
    at = timing.first + plan.after - 1
    cash, made, size = before.cfads_usd, before, np.full(1, np.inf)
    none = np.full(1, np.inf)
    rounds = 0
    tolerance = TOLERANCE_USD + ROUNDING * float(np.max(before.senior_balance_usd, initial=0.0))
    residual = np.zeros(1)
    for _ in range(MAX_ROUNDS):
        rounds += 1
        debt, binds = least(limits_usd(plan.loan, cash, none, none, at + 1, timing))
        new = NewLoan(at, plan.loan, repay(plan.loan, debt, cash, at + 1, timing, binds))
        made = run(terms, timing, operations, sizing, new)
        moves = (np.abs(debt - size), np.abs(made.cfads_usd - cash).max(axis=-1, keepdims=True))
        residual = np.max(np.stack(np.broadcast_arrays(*moves)), axis=0)
        size, cash = debt, made.cfads_usd
        if float(residual.max()) <= tolerance:
            break
    return Refinanced(new, made, made.new_loan_usd[..., at : at + 1] > 0, rounds, residual)

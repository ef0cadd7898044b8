"""How much debt: the circle of debt, interest, tax and total uses, closed by fixed point.

    debt -> fees and interest while building -> uses -> wear for tax and gearing limit -> tax (with interest) -> CFADS -> debt

Each round works out all of it from the last round's debt, need, interest and reserve, for every draw at once. A round moves
the debt by about the tax rate over the cover ratio of the last move, or by the fees' and interest's share of the cost, so
that ten to twenty rounds reach a millionth of a dollar. The largest move of the last round is the result's
`residual_usd`, [..., 1], and never hidden.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.finance.project.construction import Construction, fund, spending
from gigawatt.finance.project.debt import Repayment, least, limits_usd, repay, reserve_target_usd
from gigawatt.finance.project.operations import Operations
from gigawatt.finance.project.tax import (
    book_shares,
    part_bases_usd,
    tax_of,
    tax_shares,
    upkeep_wear_usd,
    worn_usd,
)
from gigawatt.finance.project.terms import Loan, Terms, over_all
from gigawatt.finance.project.timing import Timing
from gigawatt.finance.schedule import Array

MAX_ROUNDS = 200
# A move below this share of the capital is rounding of a float of 53 bits, gathered over a few hundred operations.
ROUNDING = 1e-14
TOLERANCE_USD = 1e-6


@dataclass(frozen=True, slots=True)
class Sizing:
    """The loans (None where the terms have none), the construction that they fund, and how well the circle closed.

    `cash_usd` is the CFADS that the debt was sized on; `tax_wear_usd` and `book_wear_usd` are [..., periods].
    """

    senior: Repayment | None
    subordinated: Repayment | None
    construction: Construction
    cash_usd: Array
    tax_wear_usd: Array
    book_wear_usd: Array
    iterations: int
    residual_usd: Array


def size(terms: Terms, timing: Timing, operations: Operations) -> Sizing:
    """The debt of every draw; see the module."""
    n = timing.periods
    parts = spending(terms, timing)
    capital = sum((part.sum(axis=-1, keepdims=True) for part in parts), np.zeros(1))
    tax_kernels = [tax_shares(part, timing) for part in terms.capital]
    kept = upkeep_wear_usd(terms, operations.upkeep_lines_usd, timing)
    loans = [loan for loan in (terms.senior, terms.subordinated) if loan is not None]
    need = np.maximum(capital - operations.prepaid_usd, 0.0)
    debts: list[Array] = [np.zeros_like(need) for _ in loans]
    interest: list[Array] = [np.zeros(n) for _ in loans]
    reserve: Array = np.zeros(1)
    schedules: list[Repayment] = []
    residual, rounds = np.zeros(1), 0
    tolerance = TOLERANCE_USD + ROUNDING * float(np.max(capital, initial=0.0)) * len(loans)
    for _ in range(MAX_ROUNDS):
        rounds += 1
        built = fund(terms, timing, parts, operations.prepaid_usd, list(zip(loans, debts, strict=True)), need, reserve)
        bases = part_bases_usd(parts, built.financing_usd)
        wear = over_all(worn_usd(bases, tax_kernels, kept, timing), n)
        profit = operations.ebitda_usd - wear - sum(interest, np.zeros(n))
        cash = operations.cash_before_tax_usd - over_all(tax_of(profit[..., timing.first :], terms), n)
        schedules = _schedules(loans, cash, built, timing)
        target = _reserve(terms, schedules, timing)
        moves = [np.abs(built.total_need_usd - need), np.abs(target - reserve)]
        for made, debt, paid in zip(schedules, debts, interest, strict=True):
            moves += [np.abs(made.debt_usd - debt), np.abs(made.interest_usd - paid).max(axis=-1, keepdims=True)]
        residual = np.max(np.stack(np.broadcast_arrays(*moves)), axis=0)
        need, reserve = built.total_need_usd, target
        debts, interest = [made.debt_usd for made in schedules], [made.interest_usd for made in schedules]
        if float(residual.max()) <= tolerance:
            break
    built = fund(terms, timing, parts, operations.prepaid_usd, list(zip(loans, debts, strict=True)), need, reserve)
    bases = part_bases_usd(parts, built.financing_usd)
    book = worn_usd(bases, [book_shares(part, timing) for part in terms.capital], kept, timing)
    wear = worn_usd(bases, tax_kernels, kept, timing)
    return Sizing(
        schedules[0] if schedules else None,
        schedules[1] if len(schedules) > 1 else None,
        _exact(built, debts, timing),
        cash,
        over_all(wear, n),
        over_all(book, n),
        rounds,
        residual,
    )


def _schedules(loans: list[Loan], cash: Array, built: Construction, timing: Timing) -> list[Repayment]:
    """Each loan in its rank: the later has the cash and the need that the earlier leave."""
    out: list[Repayment] = []
    left, need = cash, built.total_need_usd
    for loan in loans:
        debt, binds = least(limits_usd(loan, left, built.total_uses_usd, need, timing.first, timing))
        made = repay(loan, debt, left, timing.first, timing, binds)
        out.append(made)
        left = np.maximum(left, 0.0) - made.interest_usd - made.principal_usd
        need = np.maximum(need - debt, 0.0)
    return out


def _reserve(terms: Terms, schedules: list[Repayment], timing: Timing) -> Array:
    if not schedules or not terms.reserve_funded or terms.reserve_months <= 0:
        return np.zeros(1)
    target = reserve_target_usd(schedules[0].regular_usd, terms.reserve_months, timing)
    return target[..., timing.first - 1 : timing.first]


def _exact(built: Construction, debts: list[Array], timing: Timing) -> Construction:
    """The last draw takes what the residual leaves, so that the draws add up to the debt; equity gives it back."""
    last = timing.first - 1
    for draw, debt in zip(built.draws_usd, debts, strict=True):
        off = debt[..., 0] - draw.sum(axis=-1)
        draw[..., last] += off
        built.equity_usd[..., last] -= off
    return built

"""From the close to the first day of operation: what is spent, on what it is spent, who pays.

    uses = capital x (1 + contingency) + upfront fee + commitment fee + interest while building + reserve
    need = uses beyond what customers prepaid
    pro rata      each loan pays its debt / total need of every period's need, equity the rest
    equity first  equity pays until its part of the total is used up, then the loans in proportion

Interest is that of the balance at the period's start, a commitment fee that of what is not yet drawn. Both are part of the
uses and so of the debt's base: the circle that `sizing` closes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.finance.project.terms import Loan, Part, Terms, column, level, total
from gigawatt.finance.project.timing import Timing
from gigawatt.finance.schedule import Array


@dataclass(frozen=True, slots=True)
class Construction:
    """Columns of all periods, [..., periods] in USD, zero from the first operating period on.

    `draws_usd`, `interest_usd` and `fees_usd` have a column a loan (senior, then subordinated). `cash_usd` is what of a
    prepayment is not yet spent. `total_need_usd` and `total_uses_usd` are [..., 1].
    """

    parts_usd: tuple[Array, ...]
    fees_usd: tuple[Array, ...]
    interest_usd: tuple[Array, ...]
    draws_usd: tuple[Array, ...]
    reserve_usd: Array
    uses_usd: Array
    need_usd: Array
    equity_usd: Array
    cash_usd: Array

    @property
    def capital_usd(self) -> Array:
        return total(self.parts_usd, self.uses_usd.shape[-1])

    @property
    def financing_usd(self) -> Array:
        """Fees and interest that are capitalised."""
        return total((*self.fees_usd, *self.interest_usd), self.uses_usd.shape[-1])

    @property
    def total_uses_usd(self) -> Array:
        return np.asarray(self.uses_usd.sum(axis=-1, keepdims=True))

    @property
    def total_need_usd(self) -> Array:
        return np.asarray(self.need_usd.sum(axis=-1, keepdims=True))


def drawing_curve(part: Part, timing: Timing) -> Array:
    """Shares of a part's cost by period, [periods]; the S-curve is 3 x^2 - 2 x^3 of the time elapsed.

    >>> from gigawatt.finance.project.terms import Calendar
    >>> from gigawatt.finance.project.timing import timing_of
    >>> drawing_curve(Part("shell", 1.0, "s-curve"), timing_of(Calendar(construction=2, operation=1))).tolist()
    [0.0, 0.5, 0.5, 0.0]
    """
    out = np.zeros(timing.periods)
    n = timing.construction
    if part.curve == "shares" and part.shares:
        out[timing.first - len(part.shares) : timing.first] = part.shares
    elif n == 0:
        out[0] = 1.0
    else:
        x = np.arange(n + 1) / n
        out[1 : n + 1] = np.diff(3 * x**2 - 2 * x**3 if part.curve == "s-curve" else x)
    return out


def spending(terms: Terms, timing: Timing) -> tuple[Array, ...]:
    """What each part costs by period, [..., periods], with contingency and inflation."""
    dear = (1 + level(terms.contingency)) * (1 + level(terms.inflation.capital)) ** timing.time_years
    return tuple(level(part.cost_usd) * drawing_curve(part, timing) * dear for part in terms.capital)


def fund(
    terms: Terms,
    timing: Timing,
    parts: tuple[Array, ...],
    prepaid_usd: Array,
    loans: Sequence[tuple[Loan, Array]],
    need_usd: Array,
    reserve_usd: Array,
) -> Construction:
    """Who pays for what, given each loan's debt, the total need that it is drawn against and the reserve's opening.

    At the true total need the draws of a loan add up to its debt.
    """
    last, n = timing.first - 1, timing.periods
    capital = total(parts, n)
    debts = [debt for _, debt in loans]
    owed = sum(debts, np.zeros(1))
    shape = np.broadcast_shapes(
        *(a.shape[:-1] for a in (capital, prepaid_usd, need_usd, reserve_usd, *debts)),
        *(column(loan.rate, n).shape[:-1] for loan, _ in loans),
    )
    columns = {key: np.zeros((*shape, n)) for key in ("uses", "need", "equity", "cash", "reserve")}
    per_loan = [{key: np.zeros((*shape, n)) for key in ("draw", "interest", "fee")} for _ in loans]
    balance = [np.zeros((*shape, 1)) for _ in loans]
    spent, needed = np.zeros((*shape, 1)), np.zeros((*shape, 1))
    part_of = [np.divide(d, need_usd, out=np.zeros(np.broadcast_shapes(d.shape, need_usd.shape)), where=need_usd > 0)
               for d in debts]  # fmt: skip
    weight = [np.divide(d, owed, out=np.zeros(np.broadcast_shapes(d.shape, owed.shape)), where=owed > 0)
              for d in debts]  # fmt: skip
    own = np.maximum(need_usd - owed, 0.0)
    for k in range(timing.first):
        at = slice(k, k + 1)
        use = capital[..., at] + (reserve_usd if k == last else 0.0)
        for (loan, debt), made, have in zip(loans, per_loan, balance, strict=True):
            if k == 0:
                made["fee"][..., at] = level(loan.upfront_fee) * debt
            else:
                made["interest"][..., at] = column(loan.rate, n)[..., at] / timing.per_year * have
                made["fee"][..., at] = level(loan.commitment_fee) / timing.per_year * np.maximum(debt - have, 0.0)
            use = use + made["fee"][..., at] + made["interest"][..., at]
        spent = spent + use
        need = np.maximum(spent - prepaid_usd, 0.0) - needed
        paid = np.minimum(needed + need, own) - np.minimum(needed, own)
        for share, part, made, have in zip(part_of, weight, per_loan, balance, strict=True):
            draw = part * (need - paid) if terms.equity_first else share * need
            made["draw"][..., at] = draw
            have += draw
        drawn = sum((made["draw"][..., at] for made in per_loan), np.zeros(1))
        needed = needed + need
        columns["uses"][..., at] = use
        columns["need"][..., at] = need
        columns["equity"][..., at] = need - drawn
        columns["cash"][..., at] = np.maximum(prepaid_usd - spent, 0.0)
    columns["reserve"][..., last : last + 1] = reserve_usd
    return Construction(
        parts,
        tuple(made["fee"] for made in per_loan),
        tuple(made["interest"] for made in per_loan),
        tuple(made["draw"] for made in per_loan),
        columns["reserve"],
        columns["uses"],
        columns["need"],
        columns["equity"],
        columns["cash"],
    )

"""Who is paid, period by period, in what order.

    1  revenue, less running costs, working capital, upkeep and tax               = CFADS
    2  costs that an earlier period left unpaid
    3  senior interest and principal, arrears first to be caught up; the reserve helps where cash is short
    4  a refinancing's new loan repays the old one and its fee
    5  the reserve is filled up to its target, or gives back what is over it
    6  subordinated interest and principal
    7  a sweep prepays the senior loan
    8  the rest goes to equity, unless cover is below lock-up or anything is in arrears; it then waits as cash

What can not be paid is carried forward and shown: interest that is not paid is added to the loan, principal stays owed,
costs stay unpaid. Nothing is raised. Tax is worked out on the interest of the balance as it really is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.finance.project.debt import Repayment, period_rate, reserve_target_usd
from gigawatt.finance.project.operations import Operations
from gigawatt.finance.project.sizing import Sizing
from gigawatt.finance.project.tax import charge
from gigawatt.finance.project.terms import Loan, Terms, level
from gigawatt.finance.project.timing import Timing
from gigawatt.finance.schedule import Array

# A balance below this is rounding, not a debt: half a cent.
NOTHING_USD = 0.005
# Two cover ratios this near are the same: a loan sculpted to its lock-up level is not locked by rounding.
SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Columns of all periods, [..., periods] in USD, positive as named; stocks are at the period's end.

    `*_interest_usd` and `*_due_usd` (scheduled principal) are owed for the period, `*_paid_usd` is paid of them and of
    arrears; `dscr` is CFADS over interest and scheduled principal without a balloon, NaN where nothing is due.
    """

    tax_usd: Array
    cfads_usd: Array
    disposal_usd: Array
    disposal_tax_usd: Array
    costs_unpaid_usd: Array
    senior_interest_usd: Array
    senior_due_usd: Array
    senior_service_usd: Array
    senior_paid_usd: Array
    senior_interest_paid_usd: Array
    senior_arrears_usd: Array
    senior_balance_usd: Array
    new_loan_usd: Array
    repaid_usd: Array
    refinancing_fee_usd: Array
    reserve_target_usd: Array
    reserve_drawn_usd: Array
    reserve_added_usd: Array
    reserve_released_usd: Array
    reserve_usd: Array
    sub_interest_usd: Array
    sub_due_usd: Array
    sub_paid_usd: Array
    sub_interest_paid_usd: Array
    sub_arrears_usd: Array
    sub_balance_usd: Array
    sweep_usd: Array
    locked: Array
    distribution_usd: Array
    cash_usd: Array
    losses_usd: Array
    dscr: Array

    @property
    def unpaid_usd(self) -> Array:
        """All that is overdue at each period's end."""
        return np.asarray(self.senior_arrears_usd + self.sub_arrears_usd + self.costs_unpaid_usd)


@dataclass(frozen=True, slots=True)
class NewLoan:
    """A refinancing as sized: after the period of index `at`."""

    at: int
    loan: Loan
    schedule: Repayment


def residual_usd(terms: Terms, sizing: Sizing) -> Array:
    """What the parts bring in the last period, [..., 1]: a share of what each cost."""
    parts = sizing.construction.parts_usd
    return sum(
        (level(p.residual_share) * c.sum(axis=-1, keepdims=True) for p, c in zip(terms.capital, parts, strict=True)),
        np.zeros(1),
    )


def run(
    terms: Terms, timing: Timing, operations: Operations, sizing: Sizing, refinancing: NewLoan | None = None
) -> Waterfall:
    """All periods in their order, every draw at once."""
    n, last = timing.periods, timing.periods - 1
    built, senior, sub = sizing.construction, sizing.senior, sizing.subordinated
    shape = _shape(terms, operations, sizing, refinancing, timing)

    def periods_first(values: Array) -> Array:
        wide = np.broadcast_to(values, (*shape, values.shape[-1]))
        return np.ascontiguousarray(np.moveaxis(wide, -1, 0))

    empty = np.zeros(n)
    before_tax = periods_first(operations.cash_before_tax_usd)
    profit = periods_first(operations.ebitda_usd - sizing.tax_wear_usd)
    sold = periods_first(residual_usd(terms, sizing))[0]
    written_off = periods_first(_left(terms, operations, sizing))[0]
    due_s = periods_first(senior.principal_usd if senior else empty)
    balloon_s = periods_first(senior.interest_usd + senior.principal_usd - senior.regular_usd if senior else empty)
    target = periods_first(_target(terms, senior, timing))
    rate_s = periods_first(period_rate(terms.senior, timing) if terms.senior else empty)
    due_j = periods_first(sub.principal_usd if sub else empty)
    rate_j = periods_first(period_rate(terms.subordinated, timing) if terms.subordinated else empty)
    tax_rate = np.broadcast_to(level(terms.tax.rate)[..., 0], shape)
    lock_up = np.broadcast_to(level(terms.covenants.lock_up)[..., 0], shape)
    sweep_share = np.broadcast_to(level(terms.sweep)[..., 0], shape)
    if refinancing is not None:
        new = refinancing.schedule
        new_due, new_target = periods_first(new.principal_usd), periods_first(_target(terms, new, timing))
        new_balloon = periods_first(new.interest_usd + new.principal_usd - new.regular_usd)
        new_rate = periods_first(period_rate(refinancing.loan, timing))
        new_debt = periods_first(new.debt_usd)[0]
        new_fee = new_debt * np.broadcast_to(level(refinancing.loan.upfront_fee)[..., 0], shape)
    out = {name: np.zeros((n, *shape)) for name in Waterfall.__dataclass_fields__}
    out["dscr"][:] = np.nan
    zero = np.zeros(shape)
    owed_s, owed_j, late_s, late_j, unpaid, losses = (zero.copy() for _ in range(6))
    cash, reserve, taken = zero.copy(), zero.copy(), np.zeros(shape, dtype=bool)
    draws = [periods_first(draw) for draw in built.draws_usd]
    for k in range(timing.first):
        owed_s = owed_s + (draws[0][k] if draws else 0.0)
        owed_j = owed_j + (draws[1][k] if len(draws) > 1 else 0.0)
        reserve = reserve + periods_first(built.reserve_usd)[k]
        cash = periods_first(built.cash_usd)[k]
        for name, value in (
            ("senior_balance_usd", owed_s),
            ("sub_balance_usd", owed_j),
            ("reserve_usd", reserve),
            ("cash_usd", cash),
        ):
            out[name][k] = value
    for k in range(timing.first, n):
        row: dict[str, Array] = {}
        interest_s, interest_j = rate_s[k] * owed_s, rate_j[k] * owed_j
        gain = profit[k] - interest_s - interest_j
        tax, left = charge(gain, losses, tax_rate, terms.tax.loss_limit)
        sale_tax = zero
        if k == last:
            whole, left = charge(gain + sold - written_off, losses, tax_rate, terms.tax.loss_limit)
            sale_tax = whole - tax
        losses = left
        cfads = before_tax[k] - tax
        free = cash + cfads - unpaid + ((sold - sale_tax) if k == last else 0.0)
        helped = np.minimum(reserve, np.maximum(-free, 0.0))
        unpaid = np.maximum(-free - helped, 0.0)
        free, reserve = np.maximum(free, 0.0), reserve - helped

        # what is late is part of the balance and owed beside the period's own
        on_time = np.maximum(owed_s - late_s, 0.0)
        principal = np.minimum(due_s[k], on_time)
        service = interest_s + np.minimum(due_s[k] - balloon_s[k], on_time)
        owing = interest_s + principal + late_s
        paid = np.minimum(free, owing)
        drawn = np.minimum(reserve, owing - paid)
        free, reserve, paid = free - paid, reserve - drawn, paid + drawn
        paid_interest = np.where(owing >= 0, np.minimum(paid, interest_s), interest_s)
        owed_s, late_s = owed_s + interest_s - paid, owing - paid
        drawn = drawn + helped

        row |= {"new_loan_usd": zero, "repaid_usd": zero, "refinancing_fee_usd": zero}
        if refinancing is not None and k == refinancing.at:
            taken = new_debt >= owed_s + new_fee
            row["new_loan_usd"] = np.where(taken, new_debt, 0.0)
            row["repaid_usd"] = np.where(taken, owed_s, 0.0)
            row["refinancing_fee_usd"] = np.where(taken, new_fee, 0.0)
            free = free + row["new_loan_usd"] - row["repaid_usd"] - row["refinancing_fee_usd"]
            owed_s, late_s = np.where(taken, new_debt, owed_s), np.where(taken, 0.0, late_s)
            due_s, rate_s = np.where(taken, new_due, due_s), np.where(taken, new_rate, rate_s)
            balloon_s, target = np.where(taken, new_balloon, balloon_s), np.where(taken, new_target, target)

        aim = np.where(owed_s > NOTHING_USD, target[k], 0.0)
        added = np.minimum(free, np.maximum(aim - reserve, 0.0))
        released = np.maximum(reserve - aim, 0.0)
        free, reserve = free - added + released, reserve + added - released

        principal_j = np.minimum(due_j[k], np.maximum(owed_j - late_j, 0.0))
        owing_j = interest_j + principal_j + late_j
        paid_j = np.minimum(free, owing_j)
        paid_interest_j = np.where(owing_j >= 0, np.minimum(paid_j, interest_j), interest_j)
        free, owed_j, late_j = free - paid_j, owed_j + interest_j - paid_j, owing_j - paid_j

        swept = np.minimum(sweep_share * free, np.maximum(owed_s, 0.0))
        free, owed_s = free - swept, owed_s - swept
        dscr = np.divide(cfads, service, out=np.full(shape, np.nan), where=service > NOTHING_USD)
        locked = (dscr < lock_up * (1 - SAME)) | (late_s + late_j + unpaid > NOTHING_USD)
        locked = locked & (k != last)
        given = np.where(locked, 0.0, free)
        cash = free - given
        row |= {
            "tax_usd": tax,
            "cfads_usd": cfads,
            "disposal_usd": sold if k == last else zero,
            "disposal_tax_usd": sale_tax,
            "costs_unpaid_usd": unpaid,
            "senior_interest_usd": interest_s,
            "senior_due_usd": principal,
            "senior_service_usd": service,
            "senior_paid_usd": paid,
            "senior_interest_paid_usd": paid_interest,
            "senior_arrears_usd": late_s,
            "senior_balance_usd": owed_s,
            "reserve_target_usd": aim,
            "reserve_drawn_usd": drawn,
            "reserve_added_usd": added,
            "reserve_released_usd": released,
            "reserve_usd": reserve,
            "sub_interest_usd": interest_j,
            "sub_due_usd": principal_j,
            "sub_paid_usd": paid_j,
            "sub_interest_paid_usd": paid_interest_j,
            "sub_arrears_usd": late_j,
            "sub_balance_usd": owed_j,
            "sweep_usd": swept,
            "locked": locked.astype(np.float64),
            "distribution_usd": given,
            "cash_usd": cash,
            "losses_usd": losses,
            "dscr": dscr,
        }
        for name, value in row.items():
            out[name][k] = value
    return Waterfall(**{name: np.moveaxis(values, 0, -1) for name, values in out.items()})


def _target(terms: Terms, schedule: Repayment | None, timing: Timing) -> Array:
    if schedule is None or terms.reserve_months <= 0:
        return np.zeros(timing.periods)
    return reserve_target_usd(schedule.regular_usd, terms.reserve_months, timing)


def _left(terms: Terms, operations: Operations, sizing: Sizing) -> Array:
    """Cost for tax that has not worn by the end, [..., 1]."""
    built = sizing.construction
    spent = built.capital_usd + built.financing_usd + operations.upkeep_usd
    return np.asarray((spent - sizing.tax_wear_usd).sum(axis=-1, keepdims=True))


def _shape(
    terms: Terms, operations: Operations, sizing: Sizing, refinancing: NewLoan | None, timing: Timing
) -> tuple[int, ...]:
    """Leading axes of everything that the waterfall reads."""
    built = sizing.construction
    read: list[Array] = [
        operations.cash_before_tax_usd, sizing.tax_wear_usd, sizing.cash_usd, built.cash_usd, built.reserve_usd,
        residual_usd(terms, sizing), level(terms.tax.rate), level(terms.covenants.lock_up), level(terms.sweep),
        *built.draws_usd,
    ]  # fmt: skip
    for loan, made in ((terms.senior, sizing.senior), (terms.subordinated, sizing.subordinated)):
        if loan is not None and made is not None:
            read += [made.principal_usd, period_rate(loan, timing)]
    if refinancing is not None:
        read += [refinancing.schedule.principal_usd, period_rate(refinancing.loan, timing)]
        read.append(level(refinancing.loan.upfront_fee))
    return np.broadcast_shapes(*(values.shape[:-1] for values in read))

"""What the project, its owners and its lenders earn.

project flows   -capital + prepayment + cash of operation + residual, before tax; after tax less the tax of a project
                without debt (no fee, no interest, no reserve)
equity flows    -contributions + distributions
lender's flows  -draws + fees + interest + principal (what a refinancing repays ends them)
rate of return  (1 + x)^periods a year - 1 with x the rate a period that makes the value zero; of several the one
                nearest to zero; NaN where there is none
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.finance.project.operations import Operations
from gigawatt.finance.project.sizing import Sizing
from gigawatt.finance.project.tax import part_bases_usd, tax_of, tax_shares, upkeep_wear_usd, worn_usd
from gigawatt.finance.project.terms import Terms, over_all
from gigawatt.finance.project.timing import Timing
from gigawatt.finance.project.waterfall import NOTHING_USD, Waterfall, residual_usd
from gigawatt.finance.schedule import Array

GRID = 81
NEWTON_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Flows:
    """Columns of all periods, [..., periods] in USD, from the holder's side."""

    project_before_tax_usd: Array
    project_usd: Array
    unlevered_tax_usd: Array
    equity_usd: Array
    senior_usd: Array
    sub_usd: Array


def flows_of(terms: Terms, timing: Timing, operations: Operations, sizing: Sizing, made: Waterfall) -> Flows:
    """Who pays and gets what, over all periods."""
    built, n = sizing.construction, timing.periods
    opening = np.arange(n) == 0
    last = np.arange(n) == n - 1
    sold = residual_usd(terms, sizing)
    before = (
        operations.cash_before_tax_usd + np.where(opening, operations.prepaid_usd, 0.0) - built.capital_usd
    ) + np.where(last, sold, 0.0)
    tax = _unlevered_tax(terms, timing, operations, sizing, sold)
    empty = np.zeros(n)
    out = []
    for at, (paid, swept, repaid) in enumerate(
        ((made.senior_paid_usd, made.sweep_usd, made.repaid_usd), (made.sub_paid_usd, empty, empty))
    ):
        if at >= len(built.draws_usd):
            out.append(empty)
            continue
        # the first lender's flows end where a new loan repays him
        gone = np.cumsum(repaid > 0, axis=-1) - (repaid > 0) > 0
        mine = np.where(gone, 0.0, paid + np.where(repaid > 0, repaid, swept))
        out.append(mine + built.fees_usd[at] + built.interest_usd[at] - built.draws_usd[at])
    equity = made.distribution_usd - built.equity_usd
    # an equity that is rounding alone (all is lent) has no return
    equity = np.where(np.abs(equity) < NOTHING_USD, 0.0, equity)
    return Flows(np.asarray(before), np.asarray(before - tax), tax, np.asarray(equity), out[0], out[1])


def _unlevered_tax(terms: Terms, timing: Timing, operations: Operations, sizing: Sizing, sold: Array) -> Array:
    """Tax of the same project without debt: nothing but capital and upkeep wears, no interest is deducted."""
    parts, n = sizing.construction.parts_usd, timing.periods
    bases = part_bases_usd(parts, np.zeros(1))
    kept = upkeep_wear_usd(terms, operations.upkeep_lines_usd, timing)
    wear = worn_usd(bases, [tax_shares(part, timing) for part in terms.capital], kept, timing)
    spent = sum(bases, np.zeros(1)) + operations.upkeep_usd.sum(axis=-1, keepdims=True)
    profit = operations.ebitda_usd[..., timing.first :] - wear
    gain = sold - (spent - wear.sum(axis=-1, keepdims=True))
    end = np.arange(timing.operation) == timing.operation - 1
    return over_all(tax_of(profit + np.where(end, gain, 0.0), terms), n)


def rate_of_return(flows_usd: Array, per_year: float) -> Array:
    """Internal rate of return, effective a year, of every row of [..., periods]; NaN where there is none.

    >>> float(rate_of_return(np.array([-100.0, 60.0, 60.0]), 1).round(6))
    0.130662
    """
    flows = np.atleast_2d(flows_usd)
    lead, n = flows.shape[:-1], flows.shape[-1]
    rows = flows.reshape(-1, n)
    scale = np.abs(rows).max(axis=-1, keepdims=True)
    rows = np.divide(rows, scale, out=np.zeros_like(rows), where=scale > 0)
    time = np.arange(n, dtype=np.float64)
    # the rate as x = ln(1 + rate a period), as wide as the powers stay finite
    wide = min(4.6, 300.0 / n)
    grid = np.sort(np.concatenate((np.linspace(-wide, wide, GRID), [-0.02, -0.005, 0.005, 0.02, 0.05])))
    values = rows @ np.exp(-np.outer(time, grid))
    change = (values[:, 1:] < 0) != (values[:, :-1] < 0)
    centre = np.abs((grid[1:] + grid[:-1]) / 2)
    at = np.argmin(np.where(change, centre, np.inf), axis=-1)
    known = change.any(axis=-1) & (rows > 0).any(axis=-1) & (rows < 0).any(axis=-1)
    low, high = grid[at].copy(), grid[at + 1].copy()
    low_negative = values[np.arange(len(rows)), at] < 0
    x = (low + high) / 2
    for _ in range(NEWTON_ROUNDS):
        weights = rows * np.exp(-np.multiply.outer(x, time))
        value, slope = weights.sum(axis=-1), -(weights @ time)
        left = (value < 0) == low_negative
        low, high = np.where(left, x, low), np.where(left, high, x)
        step = np.divide(value, slope, out=np.full_like(x, np.inf), where=np.abs(slope) > 1e-200)
        guess = x - step
        new = np.where((guess > low) & (guess < high), guess, (low + high) / 2)
        done = np.abs(new - x) <= 1e-15 * (1 + np.abs(x))
        x = new
        if bool(np.all(done | ~known)):
            break
    rate = np.where(known, np.expm1(x * per_year), np.nan)
    return np.asarray(rate.reshape(lead)[0] if np.ndim(flows_usd) == 1 else rate.reshape(lead))


def present_value(flows_usd: Array, rate: Array, time_years: Array) -> Array:
    """Sum of flow (1 + rate)^-t, [...]; `rate` is [..., 1], effective a year."""
    return np.asarray((flows_usd * (1 + rate) ** -time_years).sum(axis=-1))


def payback(flows_usd: Array, time_years: Array) -> Array:
    """Years from the close until the cumulative flow is positive for good, [...]; NaN where it never is.

    >>> float(payback(np.array([-100.0, 40.0, 40.0, 40.0]), np.array([0.0, 1.0, 2.0, 3.0])))
    2.5
    """
    run = np.cumsum(flows_usd, axis=-1)
    negative = run < 0
    n = run.shape[-1]
    latest = n - 1 - np.argmax(negative[..., ::-1], axis=-1)
    after = np.minimum(latest + 1, n - 1)
    value = np.take_along_axis(run, latest[..., None], -1)[..., 0]
    following = np.take_along_axis(run, after[..., None], -1)[..., 0]
    gained = following - value
    part = np.divide(-value, gained, out=np.zeros(value.shape), where=gained > 0)
    years = time_years[latest] + part * (time_years[after] - time_years[latest])
    return np.where(~negative.any(axis=-1), 0.0, np.where(negative[..., -1], np.nan, years))


def multiple(flows_usd: Array) -> Array:
    """Money back over money in, [...]; NaN where nothing goes in."""
    paid = -np.minimum(flows_usd, 0.0).sum(axis=-1)
    back = np.maximum(flows_usd, 0.0).sum(axis=-1)
    return np.asarray(np.divide(back, paid, out=np.full(np.shape(paid), np.nan), where=paid > 0))

"""Wear in the books and for tax, and the tax on what is left.

    straight    1/n of the cost in each of n periods
    declining   factor / life of what is left in each year, straight over the years left once that is more; spread
                evenly over the year's periods
    table       shares of the cost by year, spread evenly
    tax         rate x (profit - losses carried forward, up to `loss_limit` of the profit); never below zero

Interest is deducted, and so are fees and interest of the construction, which wear with the parts that they paid for. What
has not worn by the last period is written off in it, against what the residual brings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gigawatt.finance.project.terms import Part, Terms, level
from gigawatt.finance.project.timing import Timing
from gigawatt.finance.schedule import Array


def wear_shares(
    method: str, life_years: float, timing: Timing, factor: float = 2.0, table: Sequence[float] = ()
) -> Array:
    """Shares of a cost that wear in each operating period, [operation].

    >>> from gigawatt.finance.project.terms import Calendar
    >>> from gigawatt.finance.project.timing import timing_of
    >>> wear_shares("declining", 4, timing_of(Calendar(step="year", operation=4))).tolist()
    [0.5, 0.25, 0.125, 0.125]
    """
    if method == "straight":
        n = whole_periods(life_years, timing)
        return np.where(np.arange(timing.operation) < n, 1 / n, 0.0)
    shares = list(table)
    if method == "declining":
        years, left, shares = max(1, round(life_years)), 1.0, []
        for year in range(years):
            shares.append(min(left, max(left * factor / life_years, left / (years - year))))
            left -= shares[-1]
    by_year = np.zeros(max(len(shares), int(timing.year[-1]) + 1))
    by_year[: len(shares)] = shares
    return np.asarray(by_year[timing.year.astype(np.int64)] / timing.per_year)


def whole_periods(life_years: float, timing: Timing) -> int:
    """A life in periods, at least one; half a period counts as a whole one."""
    return max(1, math.floor(life_years * timing.per_year + 0.5))


def book_shares(part: Part, timing: Timing) -> Array:
    """Wear of a part in the books: straight over its life."""
    return wear_shares("straight", part.life_years, timing)


def tax_shares(part: Part, timing: Timing) -> Array:
    """Wear of a part for tax, by its method."""
    life = part.life_years if part.tax_life_years is None else part.tax_life_years
    return wear_shares(part.tax_method, life, timing, part.tax_factor, part.tax_table)


def part_bases_usd(parts: Sequence[Array], financing_usd: Array) -> list[Array]:
    """What each part cost with its share of fees and interest, [..., 1]."""
    costs = [part.sum(axis=-1, keepdims=True) for part in parts]
    whole = sum(costs, np.zeros(1))
    extra = financing_usd.sum(axis=-1, keepdims=True)
    return [c + extra * np.divide(c, whole, out=np.zeros(np.broadcast_shapes(c.shape, whole.shape)), where=whole > 0)
            for c in costs]  # fmt: skip


def worn_usd(bases: Sequence[Array], shares: Sequence[Array], upkeep_usd: Array, timing: Timing) -> Array:
    """Wear of the parts in each operating period, [..., operation], and of the upkeep that `upkeep_usd` gives."""
    out = upkeep_usd
    for base, share in zip(bases, shares, strict=True):
        out = out + base * share
    return out


def upkeep_wear_usd(terms: Terms, lines: Sequence[Array], timing: Timing) -> Array:
    """Wear of maintenance capital, [..., operation]: 1/n of each outlay in the n periods after it."""
    n = timing.operation
    out: Array = np.zeros(n)
    for line, paid in zip(terms.upkeep, lines, strict=True):
        life = whole_periods(line.life_years, timing)
        lag = np.arange(n)[None, :] - np.arange(n)[:, None] - 1
        out = out + paid[..., timing.first :] @ np.where((lag >= 0) & (lag < life), 1 / life, 0.0)
    return out


def charge(profit_usd: Array, losses_usd: Array, rate: Array, limit: float) -> tuple[Array, Array]:
    """(tax, losses carried forward) of one period's profit; both of the shape of the profit.

    >>> tax, left = charge(np.array(100.0), np.array(30.0), np.array(0.2), 1.0)
    >>> float(tax), float(left)
    (14.0, 0.0)
    """
    gain = np.maximum(profit_usd, 0.0)
    used = np.minimum(losses_usd, limit * gain)
    return rate * (gain - used), losses_usd - used + np.maximum(-profit_usd, 0.0)


def tax_of(profit_usd: Array, terms: Terms) -> Array:
    """Tax by period of a column of profit, losses carried forward from period to period."""
    rate = level(terms.tax.rate)[..., 0]
    shape = np.broadcast_shapes(profit_usd.shape[:-1], rate.shape)
    profit = np.ascontiguousarray(np.moveaxis(np.broadcast_to(profit_usd, (*shape, profit_usd.shape[-1])), -1, 0))
    out, losses = np.zeros_like(profit), np.zeros(shape)
    if np.any(rate != 0):
        for k in range(len(profit)):
            out[k], losses = charge(profit[k], losses, rate, terms.tax.loss_limit)
    return np.moveaxis(out, 0, -1)

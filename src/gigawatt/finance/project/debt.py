"""What a loan can be for the cash there is, and how it is paid back.

With i the rate a period and DF_t = 1 / ((1 + i_1) ... (1 + i_t)):

    sculpted   debt = sum CFADS_t DF_t / cover;  service_t = CFADS_t debt / sum CFADS DF
    annuity    service = debt / sum DF
    equal      principal = debt / tenor
    bullet     interest, and the debt with the last payment
    table      principal = debt x given shares
    all but sculpted:  debt = least over t of CFADS_t / (cover x service_t of 1 USD)

Cash below zero counts as none. A bullet's balloon is left out of cover ratios and reserves: it is paid by a refinancing or
from what is left, and it is owed all the same. A sculpted principal may be negative where a period's cash is small: the
loan then lends part of the interest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.finance.project.terms import Loan, column, level
from gigawatt.finance.project.timing import Timing
from gigawatt.finance.schedule import Array

# What set the size of a debt: `Repayment.binds` holds the place in this list.
LIMITS = ("none", "cover", "gearing", "amount", "total need")
# Below this a service (of 1 USD or in USD) is none: a quotient by a number with few digits left means nothing.
NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Repayment:
    """A loan's schedule, columns of all periods [..., periods] in USD; `debt_usd`, `cover`, `binds` are [..., 1].

    `balance_usd` is at the period's end, from the period before the first payment on; `regular_usd` is interest and
    principal without a bullet's balloon; `cover` the least of cash / regular service that the schedule has.
    """

    debt_usd: Array
    interest_usd: Array
    principal_usd: Array
    regular_usd: Array
    balance_usd: Array
    cover: Array
    binds: Array
    first: int
    tenor: int


def period_rate(loan: Loan, timing: Timing) -> Array:
    """Rate of interest a period, [..., periods]."""
    return column(loan.rate, timing.periods) / timing.per_year


def unit_principal(loan: Loan, rate: Array) -> Array:
    """Principal of each payment on 1 USD, [..., tenor]; sculpted loans have none of their own and count as annuities.

    >>> unit_principal(Loan(0.08, 2, "annuity"), np.full(2, 0.08)).round(6).tolist()
    [0.480769, 0.519231]
    """
    n = loan.tenor
    if loan.repayment == "equal":
        return np.full((*rate.shape[:-1], n), 1 / n)
    if loan.repayment == "bullet":
        return np.broadcast_to(np.where(np.arange(n) == n - 1, 1.0, 0.0), (*rate.shape[:-1], n))
    if loan.repayment == "table":
        assert loan.shares is not None
        return column(loan.shares, n)
    factors = np.cumprod(1 / (1 + rate), axis=-1)
    gathered = np.cumsum(factors, axis=-1)
    owed = (1 - gathered / gathered[..., -1:]) / factors
    return np.asarray(-np.diff(owed, axis=-1, prepend=np.ones((*owed.shape[:-1], 1))))


def _window(loan: Loan, first: int) -> slice:
    return slice(first, first + loan.tenor)


def _unit_interest(principal: Array, rate: Array) -> Array:
    owed = 1.0 - np.cumsum(principal, axis=-1) + principal
    return np.asarray(owed * rate)


def _regular(loan: Loan, principal: Array) -> Array:
    if loan.repayment != "bullet":
        return principal
    return np.where(np.arange(loan.tenor) == loan.tenor - 1, 0.0, principal)


def capacity_usd(loan: Loan, cash_usd: Array, first: int, timing: Timing) -> Array:
    """The most debt that the cash serves at the loan's cover, [..., 1]; infinite where no service is due.

    >>> from gigawatt.finance.project.terms import Calendar
    >>> from gigawatt.finance.project.timing import timing_of
    >>> years = timing_of(Calendar(step="year", construction=0, operation=2))
    >>> capacity_usd(Loan(0.0, 2, cover=1.3), np.array([0.0, 130.0, 130.0]), 1, years).round(9).tolist()
    [200.0]
    """
    cash = np.maximum(cash_usd[..., _window(loan, first)], 0.0)
    rate = period_rate(loan, timing)[..., _window(loan, first)]
    if loan.repayment == "sculpted":
        factors = np.cumprod(1 / (1 + rate), axis=-1)
        return np.asarray((cash * factors).sum(axis=-1, keepdims=True) / level(loan.cover))
    principal = unit_principal(loan, rate)
    due = _regular(loan, principal) + _unit_interest(principal, rate)
    due, cash = np.broadcast_arrays(due, cash)
    most = np.divide(cash, due, out=np.full(cash.shape, np.inf), where=due > NOTHING)
    return np.asarray(most.min(axis=-1, keepdims=True) / level(loan.cover))


def limits_usd(
    loan: Loan, cash_usd: Array, uses_usd: Array, need_usd: Array, first: int, timing: Timing
) -> list[Array]:
    """Limits of the debt in the order of `LIMITS`, infinite where the terms give none."""
    none = np.full(1, np.inf)
    return [
        none,
        none if loan.cover is None else capacity_usd(loan, cash_usd, first, timing),
        none if loan.gearing is None else level(loan.gearing) * uses_usd,
        none if loan.amount_usd is None else level(loan.amount_usd),
        need_usd,
    ]


def least(limits: list[Array]) -> tuple[Array, Array]:
    """(least limit, not below zero; place of the limit that binds)."""
    stacked = np.stack(np.broadcast_arrays(*limits))
    return np.maximum(stacked.min(axis=0), 0.0), stacked.argmin(axis=0)


def repay(
    loan: Loan, debt_usd: Array, cash_usd: Array, first: int, timing: Timing, binds: Array | None = None
) -> Repayment:
    """The schedule of a debt: what is left after the last payment is exactly zero.

    A sculpted schedule follows the cash: where the debt is not the capacity its cover is re-solved from the debt.
    """
    window = _window(loan, first)
    rate = period_rate(loan, timing)
    i, cash = rate[..., window], np.maximum(cash_usd[..., window], 0.0)
    principal = unit_principal(loan, i) * debt_usd
    if loan.repayment == "sculpted":
        factors = np.cumprod(1 / (1 + i), axis=-1)
        present = (cash * factors).sum(axis=-1, keepdims=True)
        share = np.divide(debt_usd, present, out=np.zeros(np.broadcast_shapes(debt_usd.shape, present.shape)),
                          where=present > NOTHING)  # fmt: skip
        owed = (debt_usd - np.cumsum(cash * share * factors, axis=-1)) / factors
        before = np.concatenate((np.broadcast_to(debt_usd, (*owed.shape[:-1], 1)), owed[..., :-1]), axis=-1)
        # without any cash the loan is owed as an annuity and stays unpaid
        principal = np.where(present > NOTHING, before - owed, principal)
    shape = np.broadcast_shapes(principal.shape[:-1], cash.shape[:-1], debt_usd.shape[:-1], i.shape[:-1])
    principal = np.array(np.broadcast_to(principal, (*shape, loan.tenor)))
    principal[..., -1] = debt_usd[..., 0] - principal[..., :-1].sum(axis=-1)
    left = debt_usd - np.cumsum(principal, axis=-1)
    interest = i * np.concatenate((np.broadcast_to(debt_usd, (*shape, 1)), left[..., :-1]), axis=-1)
    regular = interest + _regular(loan, principal)
    ratio = np.divide(np.broadcast_to(cash, regular.shape), regular, out=np.full(regular.shape, np.inf),
                      where=regular > NOTHING)  # fmt: skip
    columns: Mapping[str, Array] = {"interest": interest, "principal": principal, "regular": regular}
    made: dict[str, Any] = {}
    for name, values in columns.items():
        made[f"{name}_usd"] = np.zeros((*shape, timing.periods))
        made[f"{name}_usd"][..., window] = values
    balance = np.zeros((*shape, timing.periods))
    balance[..., first - 1] = debt_usd[..., 0]
    balance[..., window] = left
    balance[..., first + loan.tenor - 1] = 0.0
    return Repayment(
        np.broadcast_to(debt_usd, (*shape, 1)),
        **made,
        balance_usd=balance,
        cover=ratio.min(axis=-1, keepdims=True),
        binds=np.zeros((*shape, 1), dtype=np.int64) if binds is None else binds,
        first=first,
        tenor=loan.tenor,
    )


def reserve_target_usd(service_usd: Array, months: float, timing: Timing) -> Array:
    """What a reserve of `months` of the service ahead holds at each period's end, [..., periods].

    >>> from gigawatt.finance.project.terms import Calendar
    >>> from gigawatt.finance.project.timing import timing_of
    >>> years = timing_of(Calendar(step="year", construction=0, operation=2))
    >>> reserve_target_usd(np.array([0.0, 10.0, 20.0]), 6, years).tolist()
    [5.0, 10.0, 0.0]
    """
    out = np.zeros_like(service_usd)
    ahead = months * timing.per_year / 12
    n = service_usd.shape[-1]
    for k in range(1, n):
        weight = min(max(ahead - (k - 1), 0.0), 1.0)
        if weight <= 0:
            break
        out[..., : n - k] += weight * service_usd[..., k:]
    out[..., : timing.first - 1] = 0.0
    return out

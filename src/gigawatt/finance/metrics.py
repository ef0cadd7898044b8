"""What a stream of money is worth, and how safely it serves a debt.

Rates are effective a year; a flow at `time_years` t is discounted by (1 + r)^-t, so a quarter by (1 + r)^-1/4. Arrays
carry periods last; leading axes (draws) are kept where a formula is closed, and refused where one is solved for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.finance.accounts import VENDOR_FUNDING, account_of
from gigawatt.finance.ledger import Ledger
from gigawatt.finance.schedule import Array


def npv_usd(flows_usd: ArrayLike, rate: float, time_years: ArrayLike) -> Array:
    """Net present value, [...]: sum of flow (1 + rate)^-t.

    >>> round(float(npv_usd([-100.0, 121.0], 0.10, [0.0, 1.0])), 9)
    10.0
    """
    weights = (1 + rate) ** -np.asarray(time_years, dtype=np.float64)
    return np.asarray(np.asarray(flows_usd, dtype=np.float64) @ weights)


def irr(flows_usd: ArrayLike, periods_per_year: float = 4) -> float | None:
    """Internal rate of return, effective a year, of equally spaced flows; None where no rate makes the value zero.

    Flows that change sign more than once can have several; this is the one that pyxirr finds from its own guess.

    >>> round(irr([-100.0, 121.0], periods_per_year=0.5), 9)
    0.1
    """
    from pyxirr import irr as solve

    flows = np.asarray(flows_usd, dtype=np.float64)
    if flows.ndim != 1 or not (np.any(flows > 0) and np.any(flows < 0)):
        return None
    rate = solve(flows.tolist(), silent=True)
    return None if rate is None or not np.isfinite(rate) else float((1 + rate) ** periods_per_year - 1)


def xirr(dates: Sequence[date], flows_usd: ArrayLike) -> float | None:
    """Internal rate of return, effective a year of 365 days, of dated flows; None where there is none."""
    from pyxirr import xirr as solve

    flows = np.asarray(flows_usd, dtype=np.float64)
    if not (np.any(flows > 0) and np.any(flows < 0)):
        return None
    rate = solve(list(dates), flows.tolist(), silent=True)
    return None if rate is None or not np.isfinite(rate) else float(rate)


def crossings(values: ArrayLike, time_years: ArrayLike, level: float = 0.0) -> list[tuple[float, int]]:
    """Where a column crosses `level`: (time in years, +1 upward or -1 downward), linear between periods.

    >>> crossings([-1.0, 1.0, -3.0], [0.0, 1.0, 2.0])
    [(0.5, 1), (1.25, -1)]
    """
    y, t = np.asarray(values, dtype=np.float64) - level, np.asarray(time_years, dtype=np.float64)
    out = []
    for k in range(1, len(y)):
        if (y[k - 1] < 0) != (y[k] < 0):
            share = y[k - 1] / (y[k - 1] - y[k])
            out.append((float(t[k - 1] + share * (t[k] - t[k - 1])), 1 if y[k] >= 0 else -1))
    return out


def payback_years(flows_usd: ArrayLike, time_years: ArrayLike) -> float | None:
    """Years until the cumulative flow turns positive for good; None where it never does, 0 where it is never negative.

    >>> payback_years([-100.0, 40.0, 40.0, 40.0], [0.0, 1.0, 2.0, 3.0])
    2.5
    """
    total = np.cumsum(np.asarray(flows_usd, dtype=np.float64))
    if not np.any(total < 0):
        return 0.0
    if total[-1] < 0:
        return None
    return crossings(total, time_years)[-1][0]


def moic(flows_usd: ArrayLike) -> float | None:
    """Multiple on invested capital: money back over money in; None where nothing is invested."""
    flows = np.asarray(flows_usd, dtype=np.float64)
    paid = -flows[flows < 0].sum()
    return float(flows[flows > 0].sum() / paid) if paid > 0 else None


@dataclass(frozen=True, slots=True)
class Cover:
    """Debt service cover by period (NaN without service), its least and its mean over periods with service."""

    by_period: Array
    minimum: float | None
    average: float | None


def dscr(cfads_usd: ArrayLike, service_usd: ArrayLike) -> Cover:
    """Debt service cover ratio: CFADS over principal and interest, where anything is due.

    >>> dscr([130.0, 150.0], [100.0, 100.0]).minimum
    1.3
    """
    cash, due = np.broadcast_arrays(np.asarray(cfads_usd, float), np.asarray(service_usd, float))
    ratio = np.divide(cash, due, out=np.full(cash.shape, np.nan), where=due > 0)
    known = ratio[np.isfinite(ratio)]
    return Cover(ratio, float(known.min()) if known.size else None, float(known.mean()) if known.size else None)


def llcr(cfads_usd: ArrayLike, rate: float, debt_usd: float, time_years: ArrayLike) -> float | None:
    """Loan life cover ratio: present value of CFADS over the loan's life, at the debt's rate, over the debt."""
    return float(npv_usd(cfads_usd, rate, time_years)) / debt_usd if debt_usd > 0 else None


def sculpted_debt_usd(cfads_usd: ArrayLike, cover: float, rate: float, time_years: ArrayLike) -> float:
    """The most debt that `cfads_usd` serves at a constant cover ratio: present value over the ratio.

    >>> round(sculpted_debt_usd([130.0, 130.0], 1.3, 0.0, [1.0, 2.0]), 9)
    200.0
    """
    return float(npv_usd(cfads_usd, rate, time_years)) / cover


def annuity_usd(debt_usd: float, rate: float, periods: int) -> float:
    """Level payment a period that repays `debt_usd` at `rate` a period.

    >>> round(annuity_usd(4.06, 0.09, 5), 4)
    1.0438
    """
    # Below the smallest normal number a rate has too few digits to divide by.
    return debt_usd / periods if abs(rate) < 1e-300 else debt_usd * rate / -float(np.expm1(-periods * np.log1p(rate)))


def cfads_usd(ledger: Ledger, company: str) -> Array:
    """Cash available for debt service, [..., periods]: operating cash before interest and fees, without closing."""
    out = np.zeros((*ledger.amount_usd.shape[:-2], ledger.schedule.periods))
    for k, line in enumerate(ledger.lines):
        account = account_of(line.account)
        if line.closing or account.payer_line == "interest":
            continue
        if line.payee == company and account.payee_section == "operating":
            out = out + ledger.amount_usd[..., k, :]
        if line.payer == company and account.payer_section == "operating":
            out = out - ledger.amount_usd[..., k, :]
    return out


def debt_service_usd(ledger: Ledger, company: str) -> Array:
    """Principal and interest that a company pays, [..., periods], without closing."""
    kept = ledger.without_closing()
    principal = kept.total_usd(payer=company, account="loan_repayment")
    return principal + kept.total_usd(payer=company, account="loan_interest")


def own_funded_share(ledger: Ledger, vendor: str) -> float | None:
    """Share of a vendor's sales that his own money to his customers could pay for.

    Vendor's money to customers: equity, loans less what is paid back, grants and prepayments, to every company from
    which a path of payments leads back to him. None where he sells nothing.
    """
    sold, lent = (float(np.mean(usd)) for usd in vendor_funding_usd(ledger, vendor))
    return lent / sold if sold > 0 else None


def vendor_funding_usd(ledger: Ledger, vendor: str) -> tuple[Array, Array]:
    """(what a vendor sells, his own money to his customers) over all periods, [...] each; see `own_funded_share`."""
    kept = ledger.without_closing()
    customers = upstream(kept, vendor)
    sold, lent = np.zeros(kept.amount_usd.shape[:-2]), np.zeros(kept.amount_usd.shape[:-2])
    for k, line in enumerate(kept.lines):
        amount, account = kept.amount_usd[..., k, :].sum(axis=-1), account_of(line.account)
        if line.payee == vendor and account.payee_line == "revenue":
            sold = sold + amount
        if line.payer == vendor and line.payee in customers and account.name in VENDOR_FUNDING:
            lent = lent + amount
        if line.payee == vendor and line.payer in customers and account.name == "loan_repayment":
            lent = lent - amount
    return sold, lent


def upstream(ledger: Ledger, company: str) -> set[str]:
    """Every company from which money reaches `company` along payments that are not zero."""
    paying: dict[str, set[str]] = {}
    for k, line in enumerate(ledger.lines):
        if np.any(ledger.amount_usd[..., k, :] > 0):
            paying.setdefault(line.payee, set()).add(line.payer)
    seen: set[str] = set()
    ahead = [company]
    while ahead:
        for payer in paying.get(ahead.pop(), ()):
            if payer not in seen and payer != company:
                seen.add(payer)
                ahead.append(payer)
    return seen


def usd_per_mw_year(ledger: Ledger, company: str, account: str) -> float | None:
    """What a company is paid on an account for each MW-year in use; None without use.

    The price of revenue: with account 'rent' that of capacity, with 'revenue' that of what is sold from it.
    """
    schedule = ledger.schedule
    mw_years = float((schedule.mw_active * schedule.year_share).sum(axis=-1).mean())
    paid = float(ledger.total_usd(payee=company, account=account).sum(axis=-1).mean())
    return paid / mw_years if mw_years > 0 else None

"""Debt: a term loan funds a share of the borrower's capital expenditure, or an amount; a bond is an amount, paid back at
its end. Both are paid back with interest.

Each draw D runs for n quarters from the quarter after it, at i = rate / 4 a quarter (a nominal annual rate, paid
quarterly):

    amortising   level payment      a = D i / (1 - (1 + i)^-n)
    bullet       interest i D each quarter, D with the last
    sculpted     payment_t = k CFADS_t for n quarters after the last draw, k = balance / PV(CFADS at i), so that the
                 debt service cover ratio is the same 1 / k in every quarter; interest alone is paid until the last draw

A delayed-draw facility is many draws, each with its own maturity. An amount is drawn when the contract starts; where that
was before the first period, only what is still to be paid is posted. A floating rate is base_t + spread: principal is
that of the rate at the start, interest follows the path. What is still owed at the horizon's end is left to whoever closes
the books (`build_ledger`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.finance.contracts.base import Columns, Deal, Kind, Term, quarters_of
from gigawatt.finance.schedule import Array, Flow

REPAYMENTS = ("amortising", "bullet", "sculpted")


@dataclass(frozen=True, slots=True)
class TermLoan:
    """Rate a year (nominal, paid quarterly), term in years from each draw, upfront fee as a share of what is drawn.

    Either `share_of_capex` or `amount_usd` (drawn at the start); both: the share, up to the amount. Either `rate`, or
    `base` (a path) with `spread`.
    """

    rate: float | None = None
    term_years: float = 5.0
    share_of_capex: float | None = None
    amount_usd: float | None = None
    repayment: str = "amortising"
    fee_share: float = 0.0
    base: str = ""
    spread: float = 0.0

    def __post_init__(self) -> None:
        if self.share_of_capex is None and self.amount_usd is None:
            raise ValueError("a loan needs 'share_of_capex' or 'amount'")
        if (self.rate is None) == (not self.base):
            raise ValueError("a loan needs either a 'rate', or a 'base' with its 'spread'")
        if self.term_years <= 0:
            raise ValueError("'term' must be above zero")
        if (self.rate or 0.0) < 0 or self.fee_share < 0:
            raise ValueError("'rate' and 'fee' can not be negative")
        if self.share_of_capex is not None and not 0 <= self.share_of_capex <= 1:
            raise ValueError("'share_of_capex' is a share between 0 and 1")


def draws_usd(terms: TermLoan, capex_usd: Array, first: int = 0) -> Array:
    """What is drawn in each period; an amount in period `first` (negative: before the schedule)."""
    if terms.share_of_capex is None:
        out = np.zeros_like(capex_usd)
        if 0 <= first < out.shape[-1]:
            out[..., first] = terms.amount_usd or 0.0
        return out
    wanted = terms.share_of_capex * np.maximum(capex_usd, 0.0)
    if terms.amount_usd is None:
        return wanted
    total = np.minimum(np.cumsum(wanted, axis=-1), terms.amount_usd)
    return np.diff(total, axis=-1, prepend=0.0)


def unit_schedule(rate: float | Array, quarters: int, repayment: str) -> tuple[Array, Array]:
    """(principal, interest) of each of `quarters` payments on 1 USD drawn, [..., quarters]; the principal sums to 1.

    >>> principal, interest = unit_schedule(0.08, 2, "amortising")
    >>> (principal + interest).round(6).tolist()
    [0.51505, 0.51505]
    """
    if quarters < 1:
        raise InputError(Problem("no_quarters", "a loan needs a term of at least one quarter"))
    i = np.asarray(rate, dtype=np.float64)[..., None] / 4
    if repayment == "bullet":
        principal = np.zeros((*i.shape[:-1], quarters))
        principal[..., -1] = 1.0
    else:
        # principal grows by (1 + i) from payment to payment; expm1/log1p keep small rates exact
        small = np.abs(i) < 1e-300  # a subnormal rate has too few digits to divide by
        some = np.where(small, 1.0, i)
        first = some / np.expm1(quarters * np.log1p(some))
        principal = np.where(small, 1 / quarters, first * (1 + some) ** np.arange(quarters))
    paid = np.cumsum(principal, axis=-1)
    owed = 1.0 - np.concatenate((np.zeros_like(paid[..., :1]), paid[..., :-1]), axis=-1)
    return principal, owed * i


def level_service(terms: TermLoan, drawn_usd: Array, rate: float | Array) -> tuple[Array, Array]:
    """(principal, interest) columns of amortising or bullet draws: each draw begets its own payments, lagged."""
    principal, interest = unit_schedule(rate, quarters_of(terms.term_years), terms.repayment)
    periods = drawn_usd.shape[-1]
    lag = np.arange(periods)[None, :] - np.arange(periods)[:, None] - 1
    inside = (lag >= 0) & (lag < principal.shape[-1])
    at = np.clip(lag, 0, principal.shape[-1] - 1)
    return (
        _lagged(drawn_usd, np.where(inside, principal[..., at], 0.0)),
        _lagged(drawn_usd, np.where(inside, interest[..., at], 0.0)),
    )


def _lagged(drawn_usd: Array, share: Array) -> Array:
    """drawn @ share, added up in one order: a library's product rounds by how many draws stand beside each other."""
    out = np.zeros(np.broadcast_shapes(drawn_usd.shape, share.shape[:-1]))
    for period in np.flatnonzero(np.any(drawn_usd.reshape(-1, drawn_usd.shape[-1]) != 0, axis=0)):
        out += drawn_usd[..., period, None] * share[..., period, :]
    return out


def earlier_service(terms: TermLoan, first: int, periods: int, rate: float | Array) -> tuple[Array, Array]:
    """(principal, interest) columns of an amount that was drawn `-first` quarters before the schedule."""
    principal, interest = unit_schedule(rate, quarters_of(terms.term_years), terms.repayment)
    lag = np.arange(periods) - first - 1
    inside, at = lag < principal.shape[-1], np.clip(lag, 0, principal.shape[-1] - 1)
    amount = terms.amount_usd or 0.0
    return amount * np.where(inside, principal[..., at], 0.0), amount * np.where(inside, interest[..., at], 0.0)


def sculpted_service(terms: TermLoan, drawn_usd: Array, cfads_usd: Array, rate: float | Array) -> tuple[Array, Array]:
    """(principal, interest) columns with the same cover ratio in every quarter after the last draw.

    Raises:
        InputError: no cash is available for debt service over the term.
    """
    i = np.asarray(rate, dtype=np.float64) / 4
    periods = drawn_usd.shape[-1]
    drawing = np.nonzero(np.any(drawn_usd.reshape(-1, periods) > 0, axis=0))[0]
    principal, interest = np.zeros_like(drawn_usd), np.zeros_like(drawn_usd)
    if not len(drawing):
        return principal, interest
    last = int(drawing[-1])
    until = min(periods, last + 1 + quarters_of(terms.term_years))
    owed_before = np.cumsum(drawn_usd, axis=-1) - drawn_usd
    interest[..., : last + 1] = i[..., None] * owed_before[..., : last + 1]
    debt = drawn_usd.sum(axis=-1)
    cash = np.maximum(np.broadcast_to(cfads_usd, drawn_usd.shape)[..., last + 1 : until], 0.0)
    present = (cash * (1 + i[..., None]) ** -np.arange(1, until - last)).sum(axis=-1)
    if np.any((present <= 0) & (debt > 0)):
        message = "a sculpted loan needs cash available for debt service after its last draw; there is none"
        raise InputError(Problem("no_cash_for_debt", message, None, ("use 'amortising'",)))
    cover = np.divide(debt, present, out=np.zeros_like(debt), where=present > 0)
    owed = debt
    for step, period in enumerate(range(last + 1, until)):
        interest[..., period] = i * owed
        principal[..., period] = cover * cash[..., step] - interest[..., period]
        owed = owed - principal[..., period]
    return principal, interest


def postings(terms: TermLoan, deal: Deal, columns: Columns) -> list[Flow]:
    """Draws and, the other way, fee, interest and principal. `pays` is the lender, `gets` the borrower."""
    capex = np.asarray(columns.capex_of(deal.gets), dtype=np.float64)
    if deal.starts or deal.ends:  # a facility is open from its start to its end
        capex = np.where(deal.life_years(columns.schedule) > 0, capex, 0.0)
    first = deal.first_period(columns.schedule)
    base = columns.path(terms.base, deal) if terms.base else None
    rate = np.asarray(terms.rate if base is None else base[..., max(first, 0)] + terms.spread)
    drawn = draws_usd(terms, capex, first)
    if terms.repayment == "sculpted" and first < 0 and terms.share_of_capex is None:
        message = f"contract '{deal.id}': a sculpted loan began before the first period: what it owed then is not known"
        hint = "use 'amortising', or begin the horizon with the loan"
        raise InputError(Problem("sculpted_before_start", message, None, (hint,)))
    if terms.repayment == "sculpted":
        cash = np.asarray(columns.cfads_of(deal.gets), dtype=np.float64)
        drawn = np.broadcast_to(drawn, np.broadcast_shapes(drawn.shape, cash.shape, (*rate.shape, cash.shape[-1])))
        principal, interest = sculpted_service(terms, drawn, cash, rate)
        before = np.zeros(1)
    elif first < 0 and terms.share_of_capex is None:
        principal, interest = earlier_service(terms, first, columns.schedule.periods, rate)
        before = (terms.amount_usd or 0.0) * _unpaid_share(terms, first, rate)[..., None]
    else:
        principal, interest = level_service(terms, drawn, rate)
        before = np.zeros(1)
    if base is not None:
        owed = before + np.cumsum(drawn - principal, axis=-1) - (drawn - principal)
        lent = before + drawn.sum(axis=-1, keepdims=True)
        owed = np.where(owed > 1e-9 * lent, owed, 0.0)  # what rounding leaves of a loan that is paid back is no debt
        interest = owed * (base + terms.spread) / 4
    flows = [
        deal.flow("loan_draw", drawn),
        deal.flow("loan_interest", interest, back=True),
        deal.flow("loan_repayment", principal, back=True),
    ]
    if terms.fee_share:
        flows.append(deal.flow("loan_fee", terms.fee_share * drawn, back=True))
    return flows


def _unpaid_share(terms: TermLoan, first: int, rate: Array) -> Array:
    """What share of the amount is still owed when the schedule begins, `-first` quarters after the draw."""
    principal, _ = unit_schedule(rate, quarters_of(terms.term_years), terms.repayment)
    return np.asarray(principal[..., min(-first - 1, principal.shape[-1]) :].sum(axis=-1))


_DOOR = {
    "rate": Term("rate", "share", meaning="interest, nominal a year, paid quarterly"),
    "base": Term("base", "text", meaning="path of a floating rate, instead of 'rate'"),
    "spread": Term("spread", "share", meaning="what is paid above the base"),
    "term": Term("term_years", "years", meaning="from each draw to its last payment"),
    "share_of_capex": Term(
        "share_of_capex", "share", meaning="share of the borrower's purchases of plant that is lent"
    ),
    "amount": Term("amount_usd", "money", meaning="what is lent at the start; with a share, the most that is lent"),
    "repayment": Term("repayment", "text", choices=REPAYMENTS, meaning="how principal is paid back"),
    "fee": Term("fee_share", "share", meaning="upfront fee as a share of what is drawn"),
}
KIND = Kind(
    "term_loan", TermLoan, _DOOR, postings, stage="financing", meaning="A lender lends and is paid back with interest."
)


@dataclass(frozen=True, slots=True)
class Bond(TermLoan):
    """A loan of an amount that is paid back at its end, unless it says otherwise."""

    repayment: str = "bullet"


BOND = Kind(
    "bond", Bond, _DOOR, postings, stage="financing", meaning="Holders lend an amount that is paid back at the end."
)

"""Term loan: the lender funds a share of the borrower's capital expenditure, or an amount, and is paid back with
interest.

Each draw D runs for n quarters from the quarter after it, at i = rate / 4 a quarter (a nominal annual rate, paid
quarterly):

    amortising   level payment      a = D i / (1 - (1 + i)^-n)
    bullet       interest i D each quarter, D with the last
    sculpted     payment_t = k CFADS_t for n quarters after the last draw, k = balance / PV(CFADS at i), so that the
                 debt service cover ratio is the same 1 / k in every quarter; interest alone is paid until the last draw

A delayed-draw facility is many draws, each with its own maturity. What is still owed at the horizon's end is left to
whoever closes the books (`build_ledger`).
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

    Either `share_of_capex` or `amount_usd` (drawn in the first period); both: the share, up to the amount.
    """

    rate: float
    term_years: float = 5.0
    share_of_capex: float | None = None
    amount_usd: float | None = None
    repayment: str = "amortising"
    fee_share: float = 0.0

    def __post_init__(self) -> None:
        if self.share_of_capex is None and self.amount_usd is None:
            raise ValueError("a loan needs 'share_of_capex' or 'amount'")
        if self.term_years <= 0:
            raise ValueError("'term' must be above zero")
        if self.rate < 0 or self.fee_share < 0:
            raise ValueError("'rate' and 'fee' can not be negative")
        if self.share_of_capex is not None and not 0 <= self.share_of_capex <= 1:
            raise ValueError("'share_of_capex' is a share between 0 and 1")


def draws_usd(terms: TermLoan, capex_usd: Array) -> Array:
    """What is drawn in each period."""
    if terms.share_of_capex is None:
        out = np.zeros_like(capex_usd)
        out[..., 0] = terms.amount_usd or 0.0
        return out
    wanted = terms.share_of_capex * np.maximum(capex_usd, 0.0)
    if terms.amount_usd is None:
        return wanted
    total = np.minimum(np.cumsum(wanted, axis=-1), terms.amount_usd)
    return np.diff(total, axis=-1, prepend=0.0)


def unit_schedule(rate: float, quarters: int, repayment: str) -> tuple[Array, Array]:
    """(principal, interest) of each of `quarters` payments on 1 USD drawn; the principal sums to 1.

    >>> principal, interest = unit_schedule(0.08, 2, "amortising")
    >>> (principal + interest).round(6).tolist()
    [0.51505, 0.51505]
    """
    if quarters < 1:
        raise InputError(Problem("no_quarters", "a loan needs a term of at least one quarter"))
    i = rate / 4
    if repayment == "bullet":
        principal = np.zeros(quarters)
        principal[-1] = 1.0
    elif abs(i) < 1e-300:  # a subnormal rate has too few digits to divide by
        principal = np.full(quarters, 1 / quarters)
    else:
        # principal grows by (1 + i) from payment to payment; expm1/log1p keep small rates exact
        first = i / np.expm1(quarters * np.log1p(i))
        principal = first * (1 + i) ** np.arange(quarters)
    owed = 1.0 - np.concatenate(([0.0], np.cumsum(principal)[:-1]))
    return principal, owed * i


def level_service(terms: TermLoan, drawn_usd: Array) -> tuple[Array, Array]:
    """(principal, interest) columns of amortising or bullet draws: each draw begets its own payments, lagged."""
    principal, interest = unit_schedule(terms.rate, quarters_of(terms.term_years), terms.repayment)
    periods = drawn_usd.shape[-1]
    lag = np.arange(periods)[None, :] - np.arange(periods)[:, None] - 1
    inside = (lag >= 0) & (lag < len(principal))
    at = np.clip(lag, 0, len(principal) - 1)
    return drawn_usd @ np.where(inside, principal[at], 0.0), drawn_usd @ np.where(inside, interest[at], 0.0)


def sculpted_service(terms: TermLoan, drawn_usd: Array, cfads_usd: Array) -> tuple[Array, Array]:
    """(principal, interest) columns with the same cover ratio in every quarter after the last draw.

    Raises:
        InputError: no cash is available for debt service over the term.
    """
    i = terms.rate / 4
    periods = drawn_usd.shape[-1]
    drawing = np.nonzero(np.any(drawn_usd.reshape(-1, periods) > 0, axis=0))[0]
    principal, interest = np.zeros_like(drawn_usd), np.zeros_like(drawn_usd)
    if not len(drawing):
        return principal, interest
    last = int(drawing[-1])
    until = min(periods, last + 1 + quarters_of(terms.term_years))
    owed_before = np.cumsum(drawn_usd, axis=-1) - drawn_usd
    interest[..., : last + 1] = i * owed_before[..., : last + 1]
    debt = drawn_usd.sum(axis=-1)
    cash = np.maximum(np.broadcast_to(cfads_usd, drawn_usd.shape)[..., last + 1 : until], 0.0)
    present = (cash * (1 + i) ** -np.arange(1, until - last)).sum(axis=-1)
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
    drawn = draws_usd(terms, np.asarray(columns.capex_of(deal.gets), dtype=np.float64))
    if terms.repayment == "sculpted":
        cash = np.asarray(columns.cfads_of(deal.gets), dtype=np.float64)
        drawn = np.broadcast_to(drawn, np.broadcast_shapes(drawn.shape, cash.shape))
        principal, interest = sculpted_service(terms, drawn, cash)
    else:
        principal, interest = level_service(terms, drawn)
    flows = [
        deal.flow("loan_draw", drawn),
        deal.flow("loan_interest", interest, back=True),
        deal.flow("loan_repayment", principal, back=True),
    ]
    if terms.fee_share:
        flows.append(deal.flow("loan_fee", terms.fee_share * drawn, back=True))
    return flows


KIND = Kind(
    "term_loan",
    TermLoan,
    {
        "rate": Term("rate", "share"),
        "term": Term("term_years", "years"),
        "share_of_capex": Term("share_of_capex", "share"),
        "amount": Term("amount_usd", "money"),
        "repayment": Term("repayment", "text", choices=REPAYMENTS),
        "fee": Term("fee_share", "share"),
    },
    postings,
    stage="financing",
)

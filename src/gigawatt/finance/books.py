"""The books of all parties at once: which lines a payment moves, as sparse signed matrices over lines.

A payment of line l moves, at its payer and at its payee, one book and one section of the cash flow (`accounts.CHART`):

    book[p] = sum over lines l of K_book[p, l] x paid_l          K: +1, -1 or 0

so a quarter's books of every party and draw are one matrix product. An asset grows by what its owner pays and shrinks by
what he gets; a claim grows by what its issuer gets. Money that a supplier gives to his own customer lowers his revenue
(consideration payable to a customer, ASC 606-10-32-25) and is the customer's gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.finance.accounts import ASSET_LINES, CLAIM_LINES, account_of
from gigawatt.finance.ledger import Line

INCOME = ("revenue", "contra_revenue", "expense", "interest", "investment_income", "gains")
ASSETS = ("cash", *ASSET_LINES)
CLAIMS = ("loans_owed", "advances_received", "tax_owed")
SECTIONS = ("operating", "investing", "financing")
# What the matrices give, in the order of their blocks of rows.
BOOKS = (*INCOME, "distribution", *ASSET_LINES, *CLAIM_LINES, *SECTIONS)


@dataclass(frozen=True, slots=True)
class Firm:
    """A party with books. `cash_usd` None: a purse that can not run empty, whose cash shows what it needs from outside.

    The opening balances are those at the schedule's start; its net worth then is assets less debts.
    """

    name: str
    cash_usd: float | None = None
    fixed_assets_usd: float = 0.0
    loans_made_usd: float = 0.0
    stakes_usd: float = 0.0
    loans_owed_usd: float = 0.0
    advances_paid_usd: float = 0.0
    advances_received_usd: float = 0.0
    tax_rate: float = 0.0
    plant_life_years: float = 5.0


def parties_of(firms: Sequence[Firm], lines: Sequence[Line]) -> tuple[str, ...]:
    """Every name: the firms in their order, then whoever else pays or is paid."""
    names = [firm.name for firm in firms]
    return tuple(dict.fromkeys([*names, *(n for line in lines for n in (line.payer, line.payee))]))


def customers_of(lines: Sequence[Line]) -> dict[str, set[str]]:
    """For each party that sells, every party whose money reaches it as a purchase, at any distance."""
    paying: dict[str, set[str]] = {}
    for line in lines:
        account = account_of(line.account)
        if account.payee_line == "revenue" and account.name != "grant":
            paying.setdefault(line.payee, set()).add(line.payer)
    found: dict[str, set[str]] = {}
    for seller in paying:
        seen: set[str] = set()
        ahead = [seller]
        while ahead:
            for buyer in paying.get(ahead.pop(), ()):
                if buyer not in seen and buyer != seller:
                    seen.add(buyer)
                    ahead.append(buyer)
        found[seller] = seen
    return found


def book_entries(line: Line, buyers: dict[str, set[str]]) -> list[tuple[str, str, float]]:
    """(party, book, sign) of every entry that one USD of a line makes."""
    account = account_of(line.account)
    payer_book, payee_book = account.payer_line, account.payee_line
    if account.name == "grant":
        payee_book = "gains"
        if line.payee in buyers.get(line.payer, ()):
            payer_book = "contra_revenue"
    entries = [
        (line.payer, payer_book, 1.0 if payer_book in ASSET_LINES else -1.0),
        (line.payee, payee_book, -1.0 if payee_book in ASSET_LINES else 1.0),
    ]
    if account.cash:
        entries += [(line.payer, account.payer_section, -1.0), (line.payee, account.payee_section, 1.0)]
    else:
        # shares given away: the issuer's equity grows by what its revenue loses; the holder's stake by its gain
        entries += [(line.payer, "paid_in", 1.0), (line.payee, "stakes", 1.0)]
    return entries


def matrix(lines: Sequence[Line], parties: Sequence[str], buyers: dict[str, set[str]]) -> Any:
    """Sparse [books x parties, lines]: row b * len(parties) + p is book b of party p."""
    from scipy.sparse import csr_matrix

    at = {name: k for k, name in enumerate(parties)}
    block = {name: k for k, name in enumerate(BOOKS)}
    rows, columns, signs = [], [], []
    for number, line in enumerate(lines):
        for party, book, sign in book_entries(line, buyers):
            rows.append(block[book] * len(parties) + at[party])
            columns.append(number)
            signs.append(sign)
    return csr_matrix((signs, (rows, columns)), shape=(len(BOOKS) * len(parties), len(lines)))


def incidence(who: NDArray[np.intp], parties: int) -> Any:
    """Sparse [parties, rows] that sums rows by party."""
    from scipy.sparse import csr_matrix

    return csr_matrix((np.ones(len(who)), (who, np.arange(len(who)))), shape=(parties, len(who)))

"""The network of a settlement: rows of obligations, who pays and who gets each, and what stands behind them.

A row is a bundle of lines that net (a rent and the credit of what was prepaid on it), a bundle that turned round, a tax or
a guarantee. What stays the same over quarters and draws is worked out once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gigawatt.finance.accounts import INVESTING, account_of
from gigawatt.finance.books import Firm, customers_of, incidence, matrix, parties_of
from gigawatt.finance.contracts import Contract
from gigawatt.finance.ledger import Line
from gigawatt.finance.obligations import Obligations
from gigawatt.finance.schedule import Array

GOVERNMENT = "government"
# Who is paid what a default costs: an outside party.
ADMINISTRATORS = "administrators"


class Network:
    """What stays the same over quarters: rows of obligations (one a bundle of lines that net), payers, payees, matrices."""

    def __init__(self, owed: Obligations, firms: Sequence[Firm]) -> None:
        lines = owed.lines
        covers = [_guarantee_line(one) for one in owed.guarantees]
        self.parties = parties_of(firms, [*lines, *covers, *owed.without_cash, Line(ADMINISTRATORS, GOVERNMENT, "tax")])
        self.at = {name: k for k, name in enumerate(self.parties)}
        count = len(self.parties)
        by_name = {firm.name: firm for firm in firms}
        self.firms = [by_name.get(name, Firm(name)) for name in self.parties]
        self.purse = np.array([firm.cash_usd is not None for firm in self.firms])
        self.taxed = np.array([k for k, firm in enumerate(self.firms) if firm.tax_rate], dtype=int)
        self.wish = np.array([account_of(line.account).name == "dividend" for line in lines], dtype=bool)
        self.invest = np.array(
            [
                account_of(line.account).name in INVESTING or bool(tie)
                for line, tie in zip(lines, owed.tied, strict=True)
            ],
            dtype=bool,
        )
        self.payer = np.array([self.at[line.payer] for line in lines], dtype=int)
        self.payee = np.array([self.at[line.payee] for line in lines], dtype=int)
        self.tied = np.array([self.at[tie] if tie else -1 for tie in owed.tied], dtype=int)
        self.repays = np.array([account_of(line.account).name == "loan_repayment" for line in lines], dtype=bool)
        self.shares = np.array(
            [k for k, line in enumerate(lines) if account_of(line.account).name == "equity"], dtype=int
        )
        self._bundle(lines, owed.amount_usd)
        # rows of the network: bundles, bundles that turn round, taxes, guarantees
        reverse = self.turning
        self.row_payer = np.concatenate(
            (
                self.bundle_payer,
                self.bundle_payee[reverse],
                self.taxed,
                np.array([self.at[line.payer] for line in covers], dtype=int),
            )
        )
        self.row_payee = np.concatenate(
            (
                self.bundle_payee,
                self.bundle_payer[reverse],
                np.full(len(self.taxed), self.at[GOVERNMENT]),
                np.array([self.at[line.payee] for line in covers], dtype=int),
            )
        )
        self.out = incidence(self.row_payer, count)
        self.into = incidence(self.row_payee, count)
        self.wish_out = incidence(self.payer[self.wish], count)
        self.wish_into = incidence(self.payee[self.wish], count)
        buyers = customers_of(lines)
        self.book_lines = (*lines, *covers)
        self.books = matrix([*lines, *covers], self.parties, buyers)
        self.vest_books = matrix(owed.without_cash, self.parties, buyers)
        self.covered = [self._covered(one, lines) for one in owed.guarantees]
        self.vest_holder = np.array([self.at[line.payee] for line in owed.without_cash], dtype=int)
        self.vest_issuer = np.array([self.at[line.payer] for line in owed.without_cash], dtype=int)

    def _bundle(self, lines: Sequence[Line], amounts: Array) -> None:
        """Lines of one contract between the same two net where it credits an advance; every other line is its own row."""
        netting = {line.contract for line in lines if line.contract and account_of(line.account).name == "prepayment"}
        keys: dict[tuple[object, ...], int] = {}
        self.bundle = np.zeros(len(lines), dtype=int)
        payers, payees = [], []
        for k, line in enumerate(lines):
            key = (line.contract, line.payer, line.payee) if line.contract in netting else (k,)
            if key not in keys:
                keys[key] = len(keys)
                payers.append(self.payer[k])
                payees.append(self.payee[k])
            self.bundle[k] = keys[key]
        self.bundle_payer, self.bundle_payee = np.array(payers, dtype=int), np.array(payees, dtype=int)
        kept = ~self.wish
        from scipy.sparse import csr_matrix

        self.to_bundle = csr_matrix(
            (np.ones(int(kept.sum())), (self.bundle[kept], np.flatnonzero(kept))), shape=(len(keys), len(lines))
        )
        below = (amounts < 0).any(axis=(1, 2)) if len(lines) else np.zeros(0, dtype=bool)
        self.turning = np.unique(self.bundle[below & kept]).astype(int)

    def _covered(self, guarantee: Contract, lines: Sequence[Line]) -> NDArray[np.intp]:
        """What a guarantee stands behind: all that is owed to its creditor under the contract it covers."""
        found = {
            int(self.bundle[k])
            for k, line in enumerate(lines)
            if line.contract == guarantee.terms.covers and line.payee == guarantee.deal.gets and not self.wish[k]
        }
        return np.array(sorted(found), dtype=int)


def _guarantee_line(guarantee: Contract) -> Line:
    return Line(guarantee.deal.pays, guarantee.deal.gets, "guarantee", guarantee.id, guarantee.status)

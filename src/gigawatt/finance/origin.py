"""Whose money pays a seller: every dollar of a company's revenue traced back to where it entered.

A company spends what it has without asking where it came from, so each dollar it pays is a mix of its sources in
proportion: with B_ij the share of i's money that came from company j, O_ik that from origin k,

    X = (I - B)^-1 O          X_ik: share of i's money that came from k

The seller itself is an origin: what it gave its own customers comes back as its own money. So are opening cash, and every
party without books, apart by what it paid for (its purchases, its loans, its shares).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.finance.accounts import VENDOR_FUNDING, account_of
from gigawatt.finance.ledger import Line
from gigawatt.finance.schedule import Array

OWN, CASH, UNKNOWN = "its own money", "cash at the start", "money from outside, not stated"
_KINDS = {"loan_draw": "loans", "equity": "shares", "prepayment": "advances", "grant": "grants"}


@dataclass(frozen=True, slots=True)
class Origins:
    """What a seller was paid, by origin, in USD, largest first; `direct` are origins that buy from it themselves."""

    seller: str
    usd: Mapping[str, float]
    direct: frozenset[str] = frozenset()

    @property
    def total_usd(self) -> float:
        return float(sum(self.usd.values()))

    @property
    def own_share(self) -> float | None:
        return self.usd.get(OWN, 0.0) / self.total_usd if self.total_usd > 0 else None


def origins(
    lines: Sequence[Line], paid_usd: Array, companies: Sequence[str], seller: str, cash_usd: Mapping[str, float]
) -> Origins:
    """Trace what `seller` is paid for its goods and services.

    Args:
        lines: who pays whom.
        paid_usd: what each line paid over the time looked at, [lines].
        companies: parties with books; all others are outside.
        seller: whose revenue is traced.
        cash_usd: opening cash by company; a company that pays out more than it gets and holds has the rest from outside.
    """
    names = [name for name in companies if name != seller]
    at = {name: k for k, name in enumerate(names)}
    inflow = np.zeros((len(names), len(names)))
    sources: dict[str, Array] = {}
    paid_out = np.zeros(len(names))
    sold: dict[str, float] = {}

    def source(label: str) -> Array:
        return sources.setdefault(label, np.zeros(len(names)))

    for line, usd in zip(lines, paid_usd, strict=True):
        payer, payee, amount = (
            (line.payer, line.payee, float(usd)) if usd >= 0 else (line.payee, line.payer, -float(usd))
        )
        if not amount:
            continue
        account = account_of(line.account)
        if payer in at:
            paid_out[at[payer]] += amount
        if payee == seller:
            if account.payee_line == "revenue":
                sold[payer] = sold.get(payer, 0.0) + amount
        elif payee in at:
            if payer in at:
                inflow[at[payee], at[payer]] += amount
            elif payer == seller:
                label = OWN if account.name in VENDOR_FUNDING else "what it buys"
                source(label)[at[payee]] += amount
            else:
                source(f"{payer} ({_KINDS.get(account.name, 'purchases')})")[at[payee]] += amount
    got = inflow.sum(axis=1) + sum(sources.values(), np.zeros(len(names)))
    held = np.array([max(cash_usd.get(name, 0.0), 0.0) for name in names])
    drawn = np.minimum(held, np.maximum(paid_out - got, 0.0))
    source(CASH)[:] += drawn
    source(UNKNOWN)[:] += np.maximum(paid_out - got - drawn, 0.0)
    total = inflow.sum(axis=1) + sum(sources.values(), np.zeros(len(names)))
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    labels = list(sources)
    back = np.linalg.lstsq(
        np.eye(len(names)) - inflow * scale[:, None],
        np.column_stack([sources[label] * scale for label in labels]),
        rcond=None,
    )[0]
    usd_by: dict[str, float] = {}
    direct = set()
    for payer, amount in sold.items():
        if payer in at:
            for k, label in enumerate(labels):
                usd_by[label] = usd_by.get(label, 0.0) + amount * float(back[at[payer], k])
        else:
            label = f"{payer} (its own purchases)"
            direct.add(label)
            usd_by[label] = usd_by.get(label, 0.0) + amount
    kept = {label: usd for label, usd in usd_by.items() if usd > 0.5}
    return Origins(seller, dict(sorted(kept.items(), key=lambda item: -item[1])), frozenset(direct))

"""Tables made from a ledger for charts: links of a Sankey diagram, money between companies."""

from __future__ import annotations

from typing import Any

from gigawatt.core.table import Table
from gigawatt.finance.accounts import account_of
from gigawatt.finance.ledger import Ledger


def sankey(ledger: Ledger, *, closing: bool = False, headline: bool = False) -> Table:
    """Links payer -> payee by account, summed over the horizon, largest first; the mean over draws.

    A link that sums to a negative amount (a credit) is turned round. Closing entries are left out unless asked for.
    """
    amounts = ledger.headline_usd if headline else ledger.amount_usd
    total = amounts.sum(axis=-1).reshape(-1, len(ledger.lines)).mean(axis=0)
    links: dict[tuple[str, str, str], float] = {}
    for line, amount in zip(ledger.lines, total, strict=True):
        if line.closing and not closing:
            continue
        key = (line.payer, line.payee, account_of(line.account).name)
        links[key] = links.get(key, 0.0) + float(amount)
    rows: list[dict[str, Any]] = [
        {"payer": a, "payee": b, "account": account, "amount_usd": amount}
        if amount > 0
        else {"payer": b, "payee": a, "account": account, "amount_usd": -amount}
        for (a, b, account), amount in links.items()
        if amount
    ]
    rows.sort(key=lambda row: (-row["amount_usd"], row["payer"], row["payee"], row["account"]))
    names = ("payer", "payee", "account", "amount_usd")
    return Table.from_rows("sankey", rows, names, {"amount_usd": "USD"}, "Who pays whom")


def between(ledger: Ledger) -> Table:
    """One row a pair of companies and account: cash and headline, over the horizon; the mean over draws."""
    rows = []
    for k, line in enumerate(ledger.lines):
        cash = float(ledger.amount_usd[..., k, :].sum(axis=-1).mean())
        headline = float(ledger.headline_usd[..., k, :].sum(axis=-1).mean())
        rows.append(
            {
                "payer": line.payer,
                "payee": line.payee,
                "account": line.account,
                "contract": line.contract,
                "status": line.status,
                "cash_usd": cash,
                "headline_usd": headline,
            }
        )
    names = ["payer", "payee", "account", "contract", "status", "cash_usd", "headline_usd"]
    return Table.from_rows(
        "between", rows, names, {"cash_usd": "USD", "headline_usd": "USD"}, "Money between companies"
    )

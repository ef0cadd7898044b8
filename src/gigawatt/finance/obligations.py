"""What everybody owes everybody: base flows and contracts as lines of amounts by period and draw, before anyone defaults.

    amount_usd [lines, periods, draws]

Each sale of goods by a company with a gross margin brings a line of its cost, (1 - margin) x sale, to its suppliers; that
line is tied to the buyer, since nobody makes goods for a buyer in default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.finance.accounts import account_of
from gigawatt.finance.contracts import Columns, Contract, counts_as_cash
from gigawatt.finance.ledger import STAGES, Line, check_flows, seen_so_far
from gigawatt.finance.schedule import Array, Flow

SUPPLIERS = "suppliers"
# What a company with a gross margin makes: the goods it sells, not the capacity it lets.
GOODS = ("capex",)


@dataclass(frozen=True, slots=True)
class Obligations:
    """Lines with cash, lines without (shares that vest), and the guarantees that stand behind some of them.

    `tied` is the company whose default stops a line beside its own parties' ('' for none); `index` names the path that a
    line of shares is marked by ('' for at cost), `entry_usd` the price a share was bought at (NaN: the path's level).
    """

    columns: Columns
    lines: tuple[Line, ...]
    amount_usd: Array
    tied: tuple[str, ...]
    index: tuple[str, ...]
    entry_usd: Array
    without_cash: tuple[Line, ...]
    vested_usd: Array
    vested_index: tuple[str, ...]
    guarantees: tuple[Contract, ...]
    draws: int


def owe(
    flows: Sequence[Flow],
    contracts: Iterable[Contract],
    columns: Columns,
    draws: int = 1,
    *,
    gross_margin: Mapping[str, float] | None = None,
) -> Obligations:
    """All lines of the contracts that count as cash, with what each stage leaves the next to see.

    Raises:
        InputError: a flow of the wrong length, a site or a path that nobody gives.
    """
    margins = gross_margin or {}
    lines: list[Line] = []
    amounts: list[Array] = []
    tied: list[str] = []
    index: list[str] = []
    entry: list[float] = []
    vested: list[tuple[Line, Array, str]] = []

    def post(flow: Flow, status: str, marked: str = "", price_usd: float = np.nan) -> None:
        check_flows([flow], columns.schedule)
        line = Line(flow.payer, flow.payee, flow.account, flow.contract, status)
        if not account_of(flow.account).cash:
            vested.append((line, flow.amount_usd, marked))
            return
        lines.append(line)
        amounts.append(flow.amount_usd)
        tied.append("")
        followed = marked if account_of(flow.account).name == "equity" else ""
        index.append(followed)
        entry.append(price_usd if followed else np.nan)  # at cost where no path is given
        margin = margins.get(flow.payee)
        if margin is not None and account_of(flow.account).name in GOODS:
            made = flow.amount_usd * (1 - margin)
            lines.append(Line(flow.payee, SUPPLIERS, "cogs", "", status))
            amounts.append(made)
            tied.append(flow.payer)
            index.append("")
            entry.append(np.nan)

    for flow in flows:
        post(flow, "definitive")
    columns = _with_sales(columns, flows)
    signed = [one for one in contracts if counts_as_cash(one.status)]
    for stage in STAGES:
        if stage != "operating":
            columns = seen_so_far(columns, lines, amounts)
        for one in signed:
            if one.kind.stage == stage:
                for flow in one.postings(columns):
                    post(flow, one.status, _marked_by(one), _entry_usd(one))
    kept = [k for k, amount in enumerate(amounts) if np.any(amount)]
    return Obligations(
        columns,
        tuple(lines[k] for k in kept),
        _stacked([amounts[k] for k in kept], columns.schedule.periods, draws),
        tuple(tied[k] for k in kept),
        tuple(index[k] for k in kept),
        np.array([entry[k] for k in kept]),
        tuple(line for line, _, _ in vested),
        _stacked([amount for _, amount, _ in vested], columns.schedule.periods, draws),
        tuple(marked for _, _, marked in vested),
        tuple(one for one in signed if one.kind.name == "guarantee"),
        draws,
    )


def _marked_by(contract: Contract) -> str:
    """The path of the share price that a contract's shares follow."""
    if contract.kind.name == "warrant":
        return str(contract.terms.price)
    return str(getattr(contract.terms, "index", "") or "")


def _entry_usd(contract: Contract) -> float:
    """What of a share's price is booked as the share; NaN where the path's level on the day says it."""
    price = getattr(contract.terms, "price_usd", None)
    return float(price) * float(getattr(contract.terms, "fair_share", 1.0)) if price else np.nan


def _with_sales(columns: Columns, flows: Sequence[Flow]) -> Columns:
    """Sales to the outside, by company: what revenue shares and royalties are a share of."""
    from dataclasses import replace

    sales: dict[str, Array] = {}
    for flow in flows:
        if account_of(flow.account).name == "revenue":
            sales[flow.payee] = sales.get(flow.payee, np.zeros(columns.schedule.periods)) + flow.amount_usd
    return replace(columns, sales_usd=sales)


def _stacked(amounts: Sequence[Array], periods: int, draws: int) -> Array:
    """[lines, periods, draws] from columns of [periods] or [draws, periods]."""
    out = np.zeros((len(amounts), periods, draws))
    for k, amount in enumerate(amounts):
        out[k] = amount[:, None] if amount.ndim == 1 else amount.T
    return out

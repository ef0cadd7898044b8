"""Income, cash flow and balance sheet of every company and period, from one ledger.

    depreciation   straight line over the life of the account, from the period after the purchase
    gain           residual value received less book value left of that account
    net income     revenue - expense - net interest - tax - depreciation + gain + investment income
    tie            cash + plant + loans made + stakes + advances paid
                   = loans owed + advances received + paid-in + retained, to rounding

Opening cash stands against paid-in capital. Stakes stay at cost: a ledger of payments knows no market price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.core.table import Table
from gigawatt.finance.accounts import ASSET_LINES, CLAIM_LINES, account_of
from gigawatt.finance.ledger import Ledger
from gigawatt.finance.schedule import Array

INCOME = (
    "revenue_usd",
    "expense_usd",
    "depreciation_usd",
    "interest_usd",
    "tax_usd",
    "disposal_gain_usd",
    "investment_income_usd",
    "net_income_usd",
)
CASH_FLOW = ("operating_usd", "investing_usd", "financing_usd", "net_cash_usd")
BALANCE = (
    "cash_usd",
    "fixed_assets_usd",
    "loans_made_usd",
    "stakes_usd",
    "advances_paid_usd",
    "loans_owed_usd",
    "advances_received_usd",
    "paid_in_usd",
    "retained_usd",
)


@dataclass(frozen=True, slots=True)
class Statements:
    """Columns by company, each [..., periods] in USD; costs are negative in income."""

    ledger: Ledger
    columns: Mapping[str, Mapping[str, Array]]

    def income(self) -> Table:
        return self._table("income", INCOME, "Income")

    def cash_flow(self) -> Table:
        return self._table("cash_flow", CASH_FLOW, "Cash flow")

    def balance(self) -> Table:
        return self._table("balance", BALANCE, "Balance sheet")

    def gap_usd(self, company: str) -> float:
        """Largest difference between assets and claims in any period: zero but for rounding."""
        c = self.columns[company]
        assets = c["cash_usd"] + sum(c[f"{name}_usd"] for name in ASSET_LINES)
        claims = sum(c[f"{name}_usd"] for name in CLAIM_LINES) + c["retained_usd"]
        return float(np.max(np.abs(assets - claims)))

    def _table(self, name: str, columns: tuple[str, ...], title: str) -> Table:
        rows = [
            {"company": company, "period": k, "date": end.isoformat()}
            | {key: float(_first(values[key])[k]) for key in columns}
            for company, values in self.columns.items()
            for k, end in enumerate(self.ledger.schedule.ends)
        ]
        return Table.from_rows(
            name, rows, ("company", "period", "date", *columns), dict.fromkeys(columns, "USD"), title
        )


def build_statements(ledger: Ledger, lives_years: Mapping[str, float]) -> Statements:
    """Statements of all companies of the ledger.

    `lives_years` gives the straight-line life of each capex account, by its full name ('capex:accelerator') or for all
    the rest under 'capex'.

    Raises:
        InputError: a capex account without a life.
    """
    return Statements(ledger, {name: _company(ledger, name, lives_years) for name in ledger.companies})


def _company(ledger: Ledger, name: str, lives_years: Mapping[str, float]) -> dict[str, Array]:
    shape = (*ledger.amount_usd.shape[:-2], ledger.schedule.periods)
    lines: dict[str, Array] = {}
    sections = {section: np.zeros(shape) for section in ("operating", "investing", "financing")}
    bought: dict[str, Array] = {}
    sold: dict[str, Array] = {}

    def add(into: dict[str, Array], key: str, amount: Array) -> None:
        into[key] = into.get(key, np.zeros(shape)) + amount

    for k, line in enumerate(ledger.lines):
        amount = ledger.amount_usd[..., k, :]
        account = account_of(line.account)
        detail = line.account.partition(":")[2]
        plant = f"capex:{detail}" if detail else "capex"
        for role, sign, book, section in (
            (line.payee, 1.0, account.payee_line, account.payee_section),
            (line.payer, -1.0, account.payer_line, account.payer_section),
        ):
            if role != name:
                continue
            sections[section] += sign * amount
            if book == "fixed_assets":
                add(bought if sign < 0 else sold, plant, amount)
            else:
                add(lines, book, sign * amount)
    cash_flow = sum(sections.values(), np.zeros(shape))
    opening = ledger.opening_cash_usd.get(name, 0.0)
    plant_book, depreciation, gain = _plant(bought, sold, lives_years, shape)
    zero = np.zeros(shape)
    income = {key: lines.get(key, zero) for key in ("revenue", "expense", "interest", "tax", "investment_income")}
    net_income = sum(income.values(), np.zeros(shape)) - depreciation + gain

    def balance(key: str, sign: float) -> Array:
        return np.cumsum(sign * lines.get(key, zero), axis=-1)

    return {
        "revenue_usd": income["revenue"],
        "expense_usd": income["expense"],
        "depreciation_usd": -depreciation,
        "interest_usd": income["interest"],
        "tax_usd": income["tax"],
        "disposal_gain_usd": gain,
        "investment_income_usd": income["investment_income"],
        "net_income_usd": net_income,
        "operating_usd": sections["operating"],
        "investing_usd": sections["investing"],
        "financing_usd": sections["financing"],
        "net_cash_usd": cash_flow,
        "cash_usd": opening + np.cumsum(cash_flow, axis=-1),
        "fixed_assets_usd": plant_book,
        # an asset grows by cash paid out, a claim by cash taken in
        **{f"{key}_usd": balance(key, -1.0) for key in ASSET_LINES if key != "fixed_assets"},
        **{f"{key}_usd": balance(key, 1.0) for key in CLAIM_LINES if key != "paid_in"},
        "paid_in_usd": opening + balance("paid_in", 1.0),
        "retained_usd": np.cumsum(net_income + lines.get("distribution", zero), axis=-1),
    }


def _plant(
    bought: Mapping[str, Array], sold: Mapping[str, Array], lives_years: Mapping[str, float], shape: tuple[int, ...]
) -> tuple[Array, Array, Array]:
    """(book value at period end, depreciation, gain on disposal) over all plant accounts."""
    book, depreciation, gain = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for account in dict.fromkeys((*bought, *sold)):
        cost = bought.get(account, np.zeros(shape))
        worn = straight_line(cost, _life(account, lives_years)) if account in bought else np.zeros(shape)
        left = np.cumsum(cost - worn, axis=-1)
        if account in sold:
            # the first sale takes all that is left of the account; what is bought later wears on its own
            when = np.cumsum(np.abs(sold[account]), axis=-1) > 0
            before = np.concatenate((np.zeros((*shape[:-1], 1), dtype=bool), when[..., :-1]), axis=-1)
            gain += sold[account] - np.where(when & ~before, left, 0.0)
            later = np.where(before, cost, 0.0)
            worn_later = straight_line(later, _life(account, lives_years)) if np.any(later) else np.zeros(shape)
            worn = np.where(before, worn_later, worn)
            left = np.where(when, np.cumsum(later - worn_later, axis=-1), left)
        depreciation += worn
        book += left
    return book, depreciation, gain


def straight_line(cost_usd: Array, life_years: float) -> Array:
    """Depreciation of purchases, [..., periods]: 1/n of each in the n quarters after it.

    >>> straight_line(np.array([8.0, 0.0, 0.0, 0.0]), 0.5).tolist()
    [0.0, 4.0, 4.0, 0.0]
    """
    quarters = max(1, round(life_years * 4))
    periods = cost_usd.shape[-1]
    lag = np.arange(periods)[None, :] - np.arange(periods)[:, None] - 1
    return np.asarray(cost_usd @ np.where((lag >= 0) & (lag < quarters), 1 / quarters, 0.0))


def _life(account: str, lives_years: Mapping[str, float]) -> float:
    life = lives_years.get(account, lives_years.get("capex"))
    if life is None or life <= 0:
        hint = "give one for it, or for all accounts under 'capex'"
        raise InputError(Problem("no_life", f"'{account}' has no life in years to depreciate it over", None, (hint,)))
    return life


def _first(values: Array) -> Array:
    return np.asarray(values.reshape(-1, values.shape[-1])[0])

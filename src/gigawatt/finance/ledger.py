"""The ledger: every payment between two companies, by period, account and contract; cash by company; who runs out.

A ledger holds *lines* (payer, payee, account, contract) with an amount a period, which is the columnar form of
postings (period, payer, payee, account, contract, amount). Each posting leaves one company and reaches another, so
that over all companies, the outside ones included, every period sums to zero.

Leading axes of the amounts (draws) are carried along: `amount_usd` has shape [..., lines, periods].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.core.table import Table
from gigawatt.finance.accounts import account_of
from gigawatt.finance.contracts import Columns, Contract, counts_as_cash, counts_in_headline
from gigawatt.finance.schedule import Array, Flow, Schedule

OUTSIDE_BUYER = "market"
MONEY = ("amount_usd", "headline_usd")
# The order in which kinds of contract post: each stage sees what those before it left.
STAGES = ("operating", "financing", "owner")


@dataclass(frozen=True, slots=True)
class Line:
    """Who pays whom, for what. `closing` marks what only settles the books at the horizon's end."""

    payer: str
    payee: str
    account: str
    contract: str = ""
    status: str = "definitive"
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Residual:
    """What `owner`'s plant of one capex account ('capex:accelerator') is worth at the horizon's end."""

    owner: str
    account: str
    amount_usd: float | Array


@dataclass(frozen=True, slots=True)
class Ledger:
    """Postings in columns.

    amount_usd:       cash that is owed under contracts that count, [..., lines, periods]
    headline_usd:     the same with letters of intent
    opening_cash_usd: cash at the start, by company; a company not named has no purse that can run empty
    """

    schedule: Schedule
    lines: tuple[Line, ...]
    amount_usd: Array
    headline_usd: Array
    opening_cash_usd: Mapping[str, float] = field(default_factory=dict)

    @property
    def companies(self) -> tuple[str, ...]:
        """All parties, in the order in which they first appear; outside ones too."""
        return tuple(dict.fromkeys(name for line in self.lines for name in (line.payer, line.payee)))

    def select(self, keep: Callable[[Line], bool]) -> Ledger:
        """The lines that `keep` accepts."""
        index = [k for k, line in enumerate(self.lines) if keep(line)]
        return replace(
            self,
            lines=tuple(self.lines[k] for k in index),
            amount_usd=self.amount_usd[..., index, :],
            headline_usd=self.headline_usd[..., index, :],
        )

    def without_closing(self) -> Ledger:
        """Leave out residual values and the settling of loans at the end."""
        return self.select(lambda line: not line.closing)

    def total_usd(self, *, payer: str | None = None, payee: str | None = None, account: str | None = None) -> Array:
        """Amounts by period, [..., periods], of lines that match; `account` matches with or without its detail."""
        matching = self.select(
            lambda line: (
                (payer is None or line.payer == payer)
                and (payee is None or line.payee == payee)
                and (account is None or account in (line.account, line.account.partition(":")[0]))
            )
        )
        return np.asarray(matching.amount_usd.sum(axis=-2))

    def net_usd(self, companies: Sequence[str] | None = None) -> Array:
        """Cash in less cash out, [..., companies, periods]; over all companies it sums to zero."""
        names = self.companies if companies is None else tuple(companies)
        sign = np.zeros((len(names), len(self.lines)))
        where = {name: k for k, name in enumerate(names)}
        for column, line in enumerate(self.lines):
            if line.payee in where:
                sign[where[line.payee], column] += 1
            if line.payer in where:
                sign[where[line.payer], column] -= 1
        return np.asarray(sign @ self.amount_usd)

    def cash_usd(self, company: str) -> Array:
        """Cash at the end of each period, [..., periods]."""
        flows = self.net_usd([company])[..., 0, :]
        return np.asarray(self.opening_cash_usd.get(company, 0.0) + np.cumsum(flows, axis=-1))

    def imbalance(self) -> float:
        """Largest sum over all companies in any period, as a share of that period's turnover: zero but for rounding."""
        net = np.abs(self.net_usd().sum(axis=-2))
        turnover = np.abs(self.amount_usd).sum(axis=-2)
        return float(np.max(np.divide(net, turnover, out=np.zeros_like(net), where=turnover > 0), initial=0.0))

    def postings(self) -> Table:
        """One row a posting that is not zero; of the first draw where there are several."""
        amount, headline = _first(self.amount_usd), _first(self.headline_usd)
        rows: list[dict[str, Any]] = []
        for period, end in enumerate(self.schedule.ends):
            for k, line in enumerate(self.lines):
                if amount[k, period] or headline[k, period]:
                    rows.append(
                        {
                            "period": period,
                            "date": end.isoformat(),
                            "payer": line.payer,
                            "payee": line.payee,
                            "account": line.account,
                            "contract": line.contract,
                            "status": line.status,
                            "amount_usd": float(amount[k, period]),
                            "headline_usd": float(headline[k, period]),
                            "closing": line.closing,
                        }
                    )
        names = ("period", "date", "payer", "payee", "account", "contract", "status", *MONEY, "closing")
        return Table.from_rows("postings", rows, names, dict.fromkeys(MONEY, "USD"), "Postings")

    def by_company(self) -> Table:
        """Cash in, out, net, at the end, by company and period; of the first draw where there are several."""
        amount, rows = _first(self.amount_usd), []
        for name in self.companies:
            paid = amount[[k for k, line in enumerate(self.lines) if line.payer == name]].sum(axis=0)
            got = amount[[k for k, line in enumerate(self.lines) if line.payee == name]].sum(axis=0)
            cash = self.opening_cash_usd.get(name, 0.0) + np.cumsum(got - paid)
            rows += [
                {
                    "company": name,
                    "period": k,
                    "date": end.isoformat(),
                    "in_usd": got[k],
                    "out_usd": paid[k],
                    "net_usd": got[k] - paid[k],
                    "cash_usd": cash[k],
                }
                for k, end in enumerate(self.schedule.ends)
            ]
        names = ("company", "period", "date", "in_usd", "out_usd", "net_usd", "cash_usd")
        return Table.from_rows("companies", rows, names, dict.fromkeys(names[3:], "USD"), "Cash by company")


def build_ledger(
    base_flows: Iterable[Flow],
    contracts: Iterable[Contract],
    schedule: Schedule,
    *,
    residuals: Iterable[Residual] = (),
    opening_cash_usd: Mapping[str, float] | None = None,
    close: bool = True,
) -> Ledger:
    """Base flows and contracts into one ledger.

    Operating contracts post first; financing ones then see each company's capital expenditure and its cash available
    for debt service (CFADS: its operating flows without interest). Contracts whose status does not count show in the
    headline or nowhere, and nothing builds on their money.

    With `close`, the last period also receives each residual value from the outside market and settles what is still
    owed on loans and advances, marked as closing: values for a net present value, not payments that a company could miss.

    Raises:
        InputError: a flow of the wrong length, an unknown account.
    """
    flows = list(base_flows)
    check_flows(flows, schedule)
    lines = [Line(flow.payer, flow.payee, flow.account, flow.contract) for flow in flows]
    amounts, headlines = [flow.amount_usd for flow in flows], [flow.amount_usd for flow in flows]
    deals = sorted(contracts, key=lambda one: STAGES.index(one.kind.stage))
    columns = Columns(schedule, cash_usd=opening_cash_usd or {})
    for number, deal in enumerate(deals):
        if deal.kind.stage != "operating" and (number == 0 or deals[number - 1].kind.stage != deal.kind.stage):
            columns = seen_so_far(columns, lines, amounts)
        for flow in deal.postings(columns):
            check_flows([flow], schedule)
            if not account_of(flow.account).cash:
                continue  # a ledger holds payments
            lines.append(Line(flow.payer, flow.payee, flow.account, flow.contract, deal.status))
            amounts.append(flow.amount_usd * counts_as_cash(deal.status))
            headlines.append(flow.amount_usd * counts_in_headline(deal.status))
    if close:
        for line, amount in _closing(schedule, lines, amounts, residuals):
            lines.append(line)
            amounts.append(amount)
            headlines.append(amount)
    return Ledger(
        schedule,
        tuple(lines),
        _stack(amounts, schedule),
        _stack(headlines, schedule),
        dict(opening_cash_usd or {}),
    )


def check_flows(flows: Sequence[Flow], schedule: Schedule) -> None:
    """Refuse flows of another length than the schedule's, and cashless ones that no contract made.

    Raises:
        InputError: the first that is wrong.
    """
    for flow in flows:
        if not account_of(flow.account).cash and not flow.contract:
            raise InputError(Problem("no_cash", f"'{flow.account}' moves no cash: it can only come from a contract"))
        if flow.amount_usd.shape[-1:] != (schedule.periods,):
            have = flow.amount_usd.shape[-1] if flow.amount_usd.ndim else 1
            message = (
                f"'{flow.contract or flow.account}' has {have} amounts; the schedule has {schedule.periods} periods"
            )
            raise InputError(Problem("wrong_length", message))


def seen_so_far(columns: Columns, lines: Sequence[Line], amounts: Sequence[Array]) -> Columns:
    """`columns` with what is posted so far summed by company: plant bought, CFADS, debt service, net cash."""
    capex: dict[str, Array] = {}
    cfads: dict[str, Array] = {}
    service: dict[str, Array] = {}
    net: dict[str, Array] = {}
    zero = np.zeros(columns.schedule.periods)

    def add(to: dict[str, Array], company: str, amount: Array) -> None:
        to[company] = to.get(company, zero) + amount

    for line, amount in zip(lines, amounts, strict=True):
        account = account_of(line.account)
        add(net, line.payer, -amount)
        add(net, line.payee, amount)
        if account.name == "capex":
            add(capex, line.payer, amount)
        if account.name in ("loan_repayment", "loan_interest"):
            add(service, line.payer, amount)
        if account.payer_line == "interest":
            continue
        if account.payer_section == "operating":
            add(cfads, line.payer, -amount)
        if account.payee_section == "operating":
            add(cfads, line.payee, amount)
    return replace(columns, capex_usd=capex, cfads_usd=cfads, service_usd=service, net_usd=net)


def _closing(
    schedule: Schedule, lines: Sequence[Line], amounts: Sequence[Array], residuals: Iterable[Residual]
) -> list[tuple[Line, Array]]:
    out: list[tuple[Line, Array]] = []
    for one in residuals:
        detail = one.account.partition(":")[2]
        account = f"residual:{detail}" if detail else "residual"
        out.append((Line(OUTSIDE_BUYER, one.owner, account, closing=True), _last(one.amount_usd, schedule)))
    # what would settle each loan and each advance: a payment by who owes, or a credit to who paid ahead
    due: dict[Line, Array] = {}
    for line, amount in zip(lines, amounts, strict=True):
        name, total = account_of(line.account).name, amount.sum(axis=-1)
        if name == "loan_draw":
            key = Line(line.payee, line.payer, "loan_repayment", line.contract, line.status, closing=True)
            due[key] = due.get(key, np.zeros(())) + total
        elif name in ("loan_repayment", "prepayment"):
            key = replace(line, account=name, closing=True)
            due[key] = due.get(key, np.zeros(())) - total
    for line, balance in due.items():
        # less than a cent is rounding of the annuity, not debt
        owed = np.where(np.abs(balance) > 1e-2, balance, 0.0)
        if np.any(owed):
            out.append((line, _last(owed, schedule)))
    return out


def _last(value: float | Array, schedule: Schedule) -> Array:
    amount = np.asarray(value, dtype=np.float64)
    out = np.zeros((*amount.shape, schedule.periods))
    out[..., -1] = amount
    return out


def _stack(amounts: Sequence[Array], schedule: Schedule) -> Array:
    if not amounts:
        return np.zeros((0, schedule.periods))
    return np.stack(np.broadcast_arrays(*amounts), axis=-2)


def _first(amounts: Array) -> Array:
    return np.asarray(amounts.reshape(-1, *amounts.shape[-2:])[0])

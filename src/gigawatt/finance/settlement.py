"""Settles obligations quarter by quarter, all draws at once: who pays, who can not, who stands in, and the books of it.

In each quarter
    1. whoever is in default invests nothing more, and nobody invests in him;
    2. if every purse holds, all is paid; in the draws where one does not, payments are cleared (Eisenberg-Noe, or
       Rogers-Veraart with default costs): a company that is short pays all it has, pro rata; what its default costs goes
       to its administrators;
    3. guarantees are called for what the contracts they cover leave unpaid, up to their caps, and payments clear again;
    4. distributions to owners are cut to the cash at hand; they are no debts;
    5. the books of every party are written: income, cash flow, balance sheet; taxes on income fall due a quarter later.

A company in default goes on under administration: it pays pro rata what it can in every later quarter. Principal that is
not paid is written off by its lender; rent that is not paid is revenue that never was. Shares of a company in default are
worth nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.finance.books import ASSETS, BOOKS, CLAIMS, INCOME, SECTIONS, Firm, incidence
from gigawatt.finance.contracts import Contract
from gigawatt.finance.ledger import Line
from gigawatt.finance.network import ADMINISTRATORS, GOVERNMENT, Network
from gigawatt.finance.obligations import Obligations
from gigawatt.finance.schedule import Array, Schedule
from gigawatt.finance.shortfall import CENT, pay_ratio

NEVER = np.iinfo(np.int16).max
# The books that a settlement of many draws keeps; of one draw it keeps all.
KEPT = ("cash", "net_income", "net_worth", "revenue")

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was paid, by whom not, and the books.

    books:          by name, [parties, periods, draws]
    default_period: [parties, draws], `NEVER` where none; shortfall_usd: what was missing then
    lost_usd:       [parties, draws] what creditors did not get, over the horizon
    paid_usd:       [lines, periods, draws] where all is kept, else empty
    called_usd:     [guarantees, draws]
    residual:       largest breach of stock-flow consistency over all periods, as a share of turnover
    """

    schedule: Schedule
    parties: tuple[str, ...]
    lines: tuple[Line, ...]
    guarantees: tuple[Contract, ...]
    books: Mapping[str, Array]
    default_period: NDArray[np.int16]
    shortfall_usd: Array
    lost_usd: Array
    paid_usd: Array
    called_usd: Array
    residual: float

    def of(self, book: str, party: str) -> Array:
        """One book of one party, [periods, draws]."""
        return np.asarray(self.books[book][self.parties.index(party)])

    def default_share(self, party: str) -> Array:
        """Share of draws in which the party has defaulted by the end of each period, [periods]."""
        first = self.default_period[self.parties.index(party)]
        return np.asarray((first[None, :] <= np.arange(self.schedule.periods)[:, None]).mean(axis=1))


def settle(
    owed: Obligations,
    firms: Sequence[Firm],
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    keep: Sequence[str] | None = None,
) -> Settlement:
    """Settle every quarter and draw.

    Args:
        owed: what everybody owes.
        firms: parties with books; any other name is an outside party with a bottomless purse.
        alpha: share of a defaulting company's own cash that survives its default, in the quarter of it.
        beta: the same of what others pay it.
        keep: books to keep (None: all of them, and every payment).
    """
    net = Network(owed, firms)
    ledger = _Ledger(net, owed, keep)
    for period in range(owed.columns.schedule.periods):
        ledger.quarter(period, alpha, beta)
    return ledger.settlement()


class _Ledger:
    """The running state of a settlement: cash, who is in default, guarantees left, balances."""

    def __init__(self, net: Network, owed: Obligations, keep: Sequence[str] | None) -> None:
        self.net, self.owed = net, owed
        parties, periods, draws = len(net.parties), owed.columns.schedule.periods, owed.draws
        self.shape = (parties, draws)
        opening: dict[str, Array] = {name: np.zeros(parties) for name in (*ASSETS, *CLAIMS)}
        for k, firm in enumerate(net.firms):
            opening["cash"][k] = firm.cash_usd or 0.0
            for name in ("fixed_assets", "loans_made", "stakes", "loans_owed", "advances_paid", "advances_received"):
                opening[name][k] = getattr(firm, f"{name}_usd")
        self.balance = {name: np.repeat(values[:, None], draws, axis=1) for name, values in opening.items()}
        worth = np.sum([opening[name] for name in ASSETS], axis=0) - np.sum([opening[name] for name in CLAIMS], axis=0)
        self.balance["paid_in"] = np.repeat(worth[:, None], draws, axis=1)
        self.balance["retained"] = np.zeros(self.shape)
        self.life = np.array([max(1, round(firm.plant_life_years * 4)) for firm in net.firms])
        self.old_plant = opening["fixed_assets"]
        self.bought = np.zeros((periods + 1, parties, draws))  # plant bought before each period
        self.rate = np.array([firm.tax_rate for firm in net.firms])[:, None]
        self.earned = np.zeros(self.shape)
        self.most_earned = np.zeros(self.shape)
        self.dead = np.zeros(self.shape, dtype=bool)
        self.default_period = np.full(self.shape, NEVER, dtype=np.int16)
        self.shortfall = np.zeros(self.shape)
        self.lost = np.zeros(self.shape)
        self.cap_left = [np.full(draws, float(one.terms.cap_usd)) for one in owed.guarantees]
        self.called = np.zeros((len(owed.guarantees), draws))
        names = (
            *INCOME,
            "depreciation",
            "tax",
            "net_income",
            *SECTIONS,
            *ASSETS,
            *CLAIMS,
            "paid_in",
            "retained",
            "net_worth",
        )
        wanted = names if keep is None else keep
        kind = np.float64 if keep is None else np.float32
        self.history = {name: np.zeros((parties, periods, draws), dtype=kind) for name in wanted}
        all_kept = keep is None
        self.paid = np.zeros((len(net.book_lines), periods, draws) if all_kept else (0, 0, 0))
        # shares held, in units of their price: bought with cash, or vested
        self.held = np.zeros((len(net.shares) + len(owed.without_cash), draws))
        self.worth = np.zeros_like(self.held)
        self.residual = 0.0

    def quarter(self, t: int, alpha: float, beta: float) -> None:
        """Pay, stand in, distribute and write the books of period t."""
        net, owed = self.net, self.owed
        lines = owed.amount_usd[:, t, :]
        if self.dead.any():
            stopped = self.dead[net.payer] | self.dead[net.payee]
            stopped |= np.where((net.tied >= 0)[:, None], self.dead[net.tied], False)
            lines = np.where(net.invest[:, None] & stopped, 0.0, lines)
        forward = net.to_bundle @ lines
        taxes = self.balance["tax_owed"][net.taxed]
        calls = np.zeros((len(owed.guarantees), self.shape[1]))
        rows = np.concatenate((np.maximum(forward, 0.0), np.maximum(-forward[net.turning], 0.0), taxes, calls))
        out, into = net.out @ rows, net.into @ rows
        after = self.balance["cash"] + into - out
        short = net.purse[:, None] & (after < -(CENT + 1e-12 * out))
        ratio: Array | None = None
        cost: Array | None = None
        if short.any():
            ratio = np.ones(self.shape)
            some = np.flatnonzero(short.any(axis=0))
            ratio[:, some], calls[:, some] = self._clear(rows[:, some], some, alpha, beta)
            if len(calls):
                rows[len(rows) - len(calls) :] = calls
            out = net.out @ rows
            paid = rows * ratio[net.row_payer]
            into, gone = net.into @ paid, net.out @ paid
            missed = out - gone
            fallen = (ratio < 1) & (missed > CENT)
            new = fallen & ~self.dead
            self.default_period[new] = t
            self.shortfall[new] = missed[new]
            self.dead |= fallen
            self.lost += net.into @ (rows - paid)
            for g in range(len(calls)):
                given = paid[len(paid) - len(calls) + g]
                self.cap_left[g] = self.cap_left[g] - given
                self.called[g] += given
            after = self.balance["cash"] + into - gone
            if alpha < 1 or beta < 1:  # what a default destroys goes to those who wind it up
                cost = np.where(new, np.maximum(after, 0.0), 0.0)
                after = after - cost
                after[net.at[ADMINISTRATORS]] += cost.sum(axis=0)
        paid_tax = taxes if ratio is None else taxes * ratio[net.taxed]
        self._book(t, lines, forward, ratio, calls, paid_tax, cost, after)

    def _clear(self, rows: Array, draws: NDArray[np.intp], alpha: float, beta: float) -> tuple[Array, Array]:
        """(share that each party pays, calls on guarantees) in the draws where a purse does not hold."""
        net, owed = self.net, self.owed
        rows = rows.copy()
        cash = np.where(net.purse[:, None], self.balance["cash"][:, draws], np.inf)
        dead, count = self.dead[:, draws], len(owed.guarantees)
        # the costs of a default fall due once, in the quarter of it
        own, others = np.where(dead, 1.0, alpha), np.where(dead, 1.0, beta)
        ratio = pay_ratio(net, rows, cash, own, others)
        for _ in range(count + 1):
            before = rows[len(rows) - count :].copy()
            for g, guarantee in enumerate(owed.guarantees):
                mine = net.covered[g]
                unpaid = (rows[mine] * (1 - ratio[net.row_payer[mine]])).sum(axis=0)
                call = np.minimum(guarantee.terms.share * unpaid, self.cap_left[g][draws])
                rows[len(rows) - count + g] = np.maximum(call, before[g])
            if not count or np.allclose(rows[len(rows) - count :], before, rtol=0, atol=CENT):
                break
            ratio = pay_ratio(net, rows, cash, own, others)
        return ratio, rows[len(rows) - count :] if count else np.zeros((0, len(draws)))

    def _book(
        self,
        t: int,
        lines: Array,
        forward: Array,
        ratio: Array | None,
        calls: Array,
        paid_tax: Array,
        cost: Array | None,
        cash: Array,
    ) -> None:
        net, owed = self.net, self.owed
        paid = lines
        written: Array | None = None
        if ratio is not None:
            turned = forward[net.bundle] < 0
            share = np.where(turned, ratio[net.payee], ratio[net.payer])
            paid = lines * share
            written = lines[net.repays] * (1 - share[net.repays])
            covers = np.array([net.at[one.deal.pays] for one in owed.guarantees], dtype=int)
            calls = calls * ratio[covers] if len(covers) else calls
        if net.wish.any():
            wish = np.where(self.dead[net.payer[net.wish]], 0.0, np.maximum(lines[net.wish], 0.0))
            asked = net.wish_out @ wish
            free = np.where(net.purse[:, None], np.maximum(cash, 0.0), np.inf)
            cut = np.minimum(1.0, np.divide(free, asked, out=np.ones_like(asked), where=asked > 0))
            wish = wish * cut[net.payer[net.wish]]
            paid = paid.copy()
            paid[net.wish] = wish
            cash = cash + net.wish_into @ wish - net.wish_out @ wish
        every = np.concatenate((paid, calls)) if len(calls) else paid
        block = (net.books @ every).reshape(len(BOOKS), *self.shape)
        books = {name: block[k] for k, name in enumerate(BOOKS)}
        if written is not None and len(written):
            self._write_off(books, written)
        if cost is not None:
            for book in ("expense", "operating"):
                books[book] = books[book] - cost
            for book in ("revenue", "operating"):
                books[book][net.at[ADMINISTRATORS]] += cost.sum(axis=0)
        self._mark(books, t, paid)
        self._close(books, paid_tax, t, cash, every)

    def _write_off(self, books: dict[str, Array], written: Array) -> None:
        """Principal that is not paid: the lender's loss and the borrower's gain."""
        net = self.net
        lender = incidence(net.payee[net.repays], self.shape[0]) @ written
        borrower = incidence(net.payer[net.repays], self.shape[0]) @ written
        books["loans_made"] = books["loans_made"] - lender
        books["loans_owed"] = books["loans_owed"] - borrower
        books["gains"] = books["gains"] - lender + borrower

    def _mark(self, books: dict[str, Array], t: int, paid: Array) -> None:
        """Change in the worth of shares held: by their path, and to nothing where the issuer is in default."""
        net, owed = self.net, self.owed
        parties = self.shape[0]
        vested = owed.vested_usd[:, t, :]
        if len(vested):
            block = (net.vest_books @ vested).reshape(len(BOOKS), *self.shape)
            for k, name in enumerate(BOOKS):
                books[name] = books[name] + block[k]
        if not len(self.held):
            return
        bought = np.concatenate((paid[net.shares], vested))
        marks = [*(owed.index[k] for k in net.shares), *owed.vested_index]
        holder = np.concatenate((net.payer[net.shares], net.vest_holder))
        issuer = np.concatenate((net.payee[net.shares], net.vest_issuer))
        price = np.stack([self._level(name, t) for name in marks])
        entry = np.full(len(marks), np.nan)
        entry[: len(net.shares)] = owed.entry_usd[net.shares]
        self.held += bought / np.where(np.isnan(entry)[:, None], price, entry[:, None])
        worth = np.where(self.dead[issuer], 0.0, self.held * price)
        change = worth - self.worth - bought
        self.worth = worth
        total = np.asarray(incidence(holder, parties) @ change)
        books["stakes"] = books["stakes"] + total
        books["gains"] = books["gains"] + total

    def _level(self, path: str, t: int) -> Array:
        draws = self.shape[1]
        if not path or path not in self.owed.columns.paths:
            return np.ones(draws)
        return np.asarray(np.broadcast_to(self.owed.columns.paths[path][..., t], (draws,)))

    def _close(self, books: dict[str, Array], paid_tax: Array, t: int, cash: Array, every: Array) -> None:
        """Depreciation, tax, the balance sheet, and how far it is from consistent."""
        n, taxed, government = self.life, self.net.taxed, self.net.at[GOVERNMENT]
        self.bought[t + 1] = self.bought[t] + books["fixed_assets"]
        before = self.bought[np.maximum(t - n, 0), np.arange(self.shape[0])]
        worn = (self.bought[t] - before) / n[:, None] + np.where(t < n, self.old_plant / n, 0.0)[:, None]
        # gains are marks and write-offs: not taxed here
        self.earned += sum(books[name] for name in INCOME) - books["gains"] - worn
        most = np.maximum(self.most_earned, self.earned)
        tax = self.rate * (most - self.most_earned)
        self.most_earned = most
        books["revenue"][government] += paid_tax.sum(axis=0)
        books["operating"][government] += paid_tax.sum(axis=0)
        books["operating"][taxed] -= paid_tax
        income = sum(books[name] for name in INCOME) - worn - tax
        new = self.balance
        change = cash - new["cash"]
        new["cash"] = cash
        for name in (
            "fixed_assets",
            "loans_made",
            "stakes",
            "advances_paid",
            "loans_owed",
            "advances_received",
            "paid_in",
        ):
            new[name] = new[name] + books[name]
        new["fixed_assets"] -= worn
        new["tax_owed"] = new["tax_owed"] + tax
        new["tax_owed"][taxed] -= paid_tax
        new["retained"] = new["retained"] + income + books["distribution"]
        self._check(books, change, every)
        self._keep(books, worn, tax, income, t, every)

    def _keep(self, books: dict[str, Array], worn: Array, tax: Array, income: Array, t: int, every: Array) -> None:
        worth = self.balance["paid_in"] + self.balance["retained"]
        made = {**books, **self.balance, "depreciation": -worn, "tax": -tax, "net_income": income, "net_worth": worth}
        for name, kept in self.history.items():
            kept[:, t, :] = made[name]
        if len(self.paid):
            self.paid[:, t, :] = every

    def _check(self, books: dict[str, Array], change: Array, every: Array) -> None:
        """Sums that must vanish: assets less claims of each party; cash, loans and advances over all parties; the sections
        of each cash flow less the change in cash."""
        balance = self.balance
        tie = sum(balance[name] for name in ASSETS) - sum(balance[n] for n in (*CLAIMS, "paid_in", "retained"))
        loans = (books["loans_made"] - books["loans_owed"]).sum(axis=0)
        advances = (books["advances_paid"] - books["advances_received"]).sum(axis=0)
        flows = sum(books[name] for name in SECTIONS) - change
        turnover = np.abs(every).sum(axis=0) + sum(np.abs(balance[name]).sum(axis=0) for name in ASSETS) + 1.0
        sums = (
            np.abs(tie).max(axis=0),
            np.abs(loans),
            np.abs(advances),
            np.abs(change.sum(axis=0)),
            np.abs(flows).max(axis=0),
        )
        self.residual = max(self.residual, *(float((one / turnover).max()) for one in sums))

    def settlement(self) -> Settlement:
        net, owed = self.net, self.owed
        return Settlement(
            owed.columns.schedule,
            net.parties,
            net.book_lines,
            owed.guarantees,
            self.history,
            self.default_period,
            self.shortfall,
            self.lost,
            self.paid,
            self.called,
            self.residual,
        )

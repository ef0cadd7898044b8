"""Settlement the slow way: one draw, one quarter, one line at a time, in plain Python. What the batched form must equal."""

from dataclasses import dataclass, field

import numpy as np

from gigawatt.finance.accounts import CHART, INVESTING, account_of
from gigawatt.finance.books import Firm, customers_of
from gigawatt.finance.clearing import clear
from gigawatt.finance.obligations import Obligations

CENT = 0.01


@dataclass
class Books:
    cash: float
    plant: float
    lent: float = 0.0
    stakes: float = 0.0
    ahead: float = 0.0
    owed: float = 0.0
    got_ahead: float = 0.0
    tax_owed: float = 0.0
    paid_in: float = 0.0
    retained: float = 0.0
    bought: list[float] = field(default_factory=list)
    earned: float = 0.0
    most: float = 0.0


@dataclass
class Looped:
    cash: dict[str, list[float]]
    net_income: dict[str, list[float]]
    net_worth: dict[str, list[float]]
    revenue: dict[str, list[float]]
    default: dict[str, int]


def settle_one(owed: Obligations, firms: list[Firm], draw: int, keep: float = 1.0) -> Looped:
    lines, periods = owed.lines, owed.columns.schedule.periods
    names = list(
        dict.fromkeys(
            [f.name for f in firms]
            + [n for line in (*lines, *owed.without_cash) for n in (line.payer, line.payee)]
            + [n for g in owed.guarantees for n in (g.deal.pays, g.deal.gets)]
            + ["administrators", "government"]
        )
    )
    by_name = {f.name: f for f in firms}
    books = {}
    for name in names:
        f = by_name.get(name, Firm(name))
        books[name] = Books(f.cash_usd or 0.0, f.fixed_assets_usd)
        books[name].paid_in = books[name].cash + books[name].plant
    purse = {f.name for f in firms if f.cash_usd is not None}
    buyers = customers_of(lines)
    netting = {line.contract for line in lines if line.contract and account_of(line.account).name == "prepayment"}
    cap = {g.id: g.terms.cap_usd for g in owed.guarantees}
    held: dict[tuple[str, int], float] = {}
    worth: dict[tuple[str, int], float] = {}
    dead: dict[str, int] = {}
    out = Looped({n: [] for n in names}, {n: [] for n in names}, {n: [] for n in names}, {n: [] for n in names}, dead)

    for t in range(periods):
        amounts = []
        for k, line in enumerate(lines):
            amount = float(owed.amount_usd[k, t, draw])
            stops = account_of(line.account).name in INVESTING or owed.tied[k]
            if stops and any(n in dead for n in (line.payer, line.payee, owed.tied[k])):
                amount = 0.0
            amounts.append(amount)
        # what nets: (payer, payee, amount, lines)
        bundles: dict[object, list[int]] = {}
        for k, line in enumerate(lines):
            if account_of(line.account).name == "dividend":
                continue
            key = (line.contract, line.payer, line.payee) if line.contract in netting else k
            bundles.setdefault(key, []).append(k)
        dues = []
        for ks in bundles.values():
            total = sum(amounts[k] for k in ks)
            a, b = lines[ks[0]].payer, lines[ks[0]].payee
            dues.append((a, b, total, ks) if total >= 0 else (b, a, -total, ks))
        taxes = {n: books[n].tax_owed for n in names if by_name.get(n, Firm(n)).tax_rate}
        calls = {g.id: 0.0 for g in owed.guarantees}
        pays = _clear(names, purse, books, dues, taxes, calls, owed, dead, keep)
        for _ in range(len(owed.guarantees) + 1):
            before = dict(calls)
            for g in owed.guarantees:
                unpaid = sum(
                    max(sum(amounts[k] for k in ks), 0.0) * (1 - pays[lines[ks[0]].payer])
                    for ks in bundles.values()
                    if any(lines[k].contract == g.terms.covers and lines[k].payee == g.deal.gets for k in ks)
                )
                calls[g.id] = max(calls[g.id], min(g.terms.share * unpaid, cap[g.id]))
            if all(abs(calls[n] - before[n]) <= CENT for n in calls):
                break
            pays = _clear(names, purse, books, dues, taxes, calls, owed, dead, keep)
        share = [pays[lines[k].payer] for k in range(len(lines))]
        for a, _b, _total, ks in dues:
            for k in ks:
                share[k] = pays[a]
        fell = []
        for n in names:
            due = sum(d[2] for d in dues if d[0] == n) + taxes.get(n, 0.0)
            due += sum(calls[g.id] for g in owed.guarantees if g.deal.pays == n)
            if pays[n] < 1 and due * (1 - pays[n]) > CENT:
                fell.append(n)
        for g in owed.guarantees:
            calls[g.id] *= pays[g.deal.pays]
            cap[g.id] -= calls[g.id]
        new = [n for n in fell if n not in dead]
        for n in fell:
            dead.setdefault(n, t)
        paid = [amounts[k] * share[k] for k in range(len(lines))]
        change = dict.fromkeys(names, 0.0)
        for k, line in enumerate(lines):
            if account_of(line.account).name != "dividend":
                change[line.payer] -= paid[k]
                change[line.payee] += paid[k]
        for n, tax in taxes.items():
            change[n] -= tax * pays[n]
            change["government"] += tax * pays[n]
        for g in owed.guarantees:
            change[g.deal.pays] -= calls[g.id]
            change[g.deal.gets] += calls[g.id]
        costs = {n: max(books[n].cash + change[n], 0.0) if n in new and keep < 1 else 0.0 for n in names}
        for n, cost in costs.items():
            change[n] -= cost
            change["administrators"] += cost
        wishes = [k for k, line in enumerate(lines) if account_of(line.account).name == "dividend"]
        free = {n: max(books[n].cash + change[n], 0.0) if n in purse else np.inf for n in names}
        for k in wishes:
            paid[k] = 0.0 if lines[k].payer in dead else max(amounts[k], 0.0)
        for n in {lines[k].payer for k in wishes}:
            asked = sum(paid[k] for k in wishes if lines[k].payer == n)
            cut = min(1.0, free[n] / asked) if asked > 0 else 1.0
            for k in wishes:
                if lines[k].payer == n:
                    paid[k] *= cut
        for k in wishes:
            change[lines[k].payer] -= paid[k]
            change[lines[k].payee] += paid[k]
        _write(
            owed,
            draw,
            t,
            names,
            by_name,
            books,
            lines,
            amounts,
            share,
            paid,
            calls,
            taxes,
            pays,
            change,
            dead,
            buyers,
            held,
            worth,
            out,
            costs,
        )
    return out


def _clear(names, purse, books, dues, taxes, calls, owed, dead, keep):  # type: ignore[no-untyped-def]
    at = {n: k for k, n in enumerate(names)}
    table = np.zeros((len(names), len(names)))
    for a, b, amount, _ in dues:
        table[at[a], at[b]] += amount
    for n, tax in taxes.items():
        table[at[n], at["government"]] += tax
    for g in owed.guarantees:
        table[at[g.deal.pays], at[g.deal.gets]] += calls[g.id]
    total = table.sum(axis=1)
    cash = np.array([books[n].cash if n in purse else total[at[n]] for n in names])
    # costs of default fall due once: in the quarter of it
    kept = np.array([1.0 if n in dead else keep for n in names])
    paid = clear(table, np.maximum(cash, 0.0), alpha=kept, beta=kept).paid_usd
    short = total - paid > CENT
    return {n: float(paid[k] / total[k]) if total[k] > 0 and short[k] else 1.0 for k, n in enumerate(names)}


def _write(
    owed,
    draw,
    t,
    names,
    by_name,
    books,
    lines,
    amounts,
    share,
    paid,
    calls,
    taxes,
    pays,
    change,
    dead,
    buyers,
    held,
    worth,
    out,
    costs,
):  # type: ignore[no-untyped-def]
    income = dict.fromkeys(names, 0.0)
    gains = dict.fromkeys(names, 0.0)
    revenue = dict.fromkeys(names, 0.0)
    spent = dict.fromkeys(names, 0.0)
    for k, line in enumerate(lines):
        account, x = account_of(line.account), paid[k]
        a, b = books[line.payer], books[line.payee]
        match account.name:
            case "capex":
                spent[line.payer] += x
                a.plant += x
                income[line.payee] += x
                revenue[line.payee] += x
            case "equity":
                a.stakes += x
                b.paid_in += x
            case "loan_draw":
                a.lent += x
                b.owed += x
            case "loan_repayment":
                a.owed -= x
                b.lent -= x
                miss = amounts[k] * (1 - share[k])
                a.owed -= miss
                b.lent -= miss
                gains[line.payer] += miss
                gains[line.payee] -= miss
            case "prepayment":
                a.ahead += x
                b.got_ahead += x
            case "dividend":
                a.retained -= x
                income[line.payee] += x
            case "grant":
                income[line.payer] -= x
                gains[line.payee] += x
            case _:
                income[line.payer] -= x
                income[line.payee] += x
                if account.payee_line == "revenue":
                    revenue[line.payee] += x
    for n, cost in costs.items():
        income[n] -= cost
        income["administrators"] += cost
        revenue["administrators"] += cost
    for g in owed.guarantees:
        income[g.deal.pays] -= calls[g.id]
        income[g.deal.gets] += calls[g.id]
        revenue[g.deal.gets] += calls[g.id]
    for k, line in enumerate(owed.without_cash):
        x = float(owed.vested_usd[k, t, draw])
        income[line.payer] -= x
        books[line.payer].paid_in += x
        gains[line.payee] += x
        books[line.payee].stakes += x
    marked = [(("line", k), line, owed.index[k], paid[k]) for k, line in enumerate(lines) if line.account == "equity"]
    marked += [
        (("vest", k), line, owed.vested_index[k], float(owed.vested_usd[k, t, draw]))
        for k, line in enumerate(owed.without_cash)
    ]
    for key, line, path, x in marked:
        # a line's holder is its payer, a vested share's the payee
        holder, issuer = (line.payer, line.payee) if key[0] == "line" else (line.payee, line.payer)
        price = float(owed.columns.paths[path][draw, t]) if path else 1.0
        entry = float(owed.entry_usd[key[1]]) if key[0] == "line" else np.nan
        held[key] = held.get(key, 0.0) + x / (price if np.isnan(entry) else entry)
        now = 0.0 if issuer in dead else held[key] * price
        step = now - worth.get(key, 0.0) - x
        worth[key] = now
        books[holder].stakes += step
        gains[holder] += step
    for n in names:
        b, firm = books[n], by_name.get(n, Firm(n))
        life = max(1, round(firm.plant_life_years * 4))
        worn = sum(x for s, x in enumerate(b.bought) if t - s <= life) / life + (
            firm.fixed_assets_usd / life if t < life else 0.0
        )
        b.bought.append(spent[n])
        b.plant -= worn
        b.earned += income[n] - worn
        most = max(b.most, b.earned)
        tax = firm.tax_rate * (most - b.most)
        b.most = most
        b.tax_owed += tax - (taxes[n] * pays[n] if n in taxes else 0.0)
        if n == "government":
            got = sum(x * pays[m] for m, x in taxes.items())
            income[n] += got
            revenue[n] += got
        b.cash += change[n]
        net = income[n] + gains[n] - worn - tax
        b.retained += net
        out.cash[n].append(b.cash)
        out.net_income[n].append(net)
        out.net_worth[n].append(b.paid_in + b.retained)
        out.revenue[n].append(revenue[n])
        assets = b.cash + b.plant + b.lent + b.stakes + b.ahead
        claims = b.owed + b.got_ahead + b.tax_owed + b.paid_in + b.retained
        assert abs(assets - claims) < 1e-6 * (abs(assets) + abs(claims) + 1e6), (n, t)


assert set(CHART) >= {"capex", "equity", "loan_draw"}

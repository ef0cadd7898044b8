"""The tables of a deals run: companies by quarter, contracts, claims, backlog, debt service, money and ownership links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.finance.accounts import account_of
from gigawatt.finance.contracts import Contract, counts_as_cash, counts_in_headline
from gigawatt.finance.origin import Origins
from gigawatt.finance.schedule import Array
from gigawatt.finance.settlement import NEVER, Settlement
from gigawatt.study.deals.case import Case

MONEY = (
    "revenue", "contra_revenue", "expense", "depreciation", "interest", "tax", "investment_income", "gains", "net_income",
    "operating", "investing", "financing",
)  # fmt: skip
BALANCES = (
    "cash", "fixed_assets", "loans_made", "stakes", "advances_paid", "loans_owed", "advances_received", "tax_owed",
    "net_worth",
)  # fmt: skip
GOODS = ("revenue", "rent", "opex", "capex", "royalty")


def companies_table(case: Case, base: Settlement, drawn: Settlement | None, firm: dict[str, Array]) -> Table:
    """Income, cash flow and balance sheet of each company by quarter; bands of cash over the draws."""
    rows: list[dict[str, Any]] = []
    for company in case.loaded.companies:
        if company.id not in base.parties:
            continue
        columns = {f"{name}_usd": base.of(name, company.id)[:, 0] for name in (*MONEY, *BALANCES)}
        low = high = share = None
        if drawn is not None and company.id in drawn.parties:
            low, high = np.quantile(drawn.of("cash", company.id), [0.1, 0.9], axis=1)
            share = drawn.default_share(company.id)
        first = int(base.default_period[base.parties.index(company.id), 0])
        for t, end in enumerate(base.schedule.ends):
            row: dict[str, Any] = {"company": company.id, "period": t, "date_end": end.isoformat()}
            row |= {key: float(values[t]) for key, values in columns.items()}
            row["net_cash_usd"] = row["operating_usd"] + row["investing_usd"] + row["financing_usd"]
            row["cash_low_usd"] = None if low is None else float(low[t])
            row["cash_high_usd"] = None if high is None else float(high[t])
            row["backlog_usd"] = float(firm[company.id][t]) if company.id in firm else 0.0
            row["default_share"] = None if share is None else float(share[t])
            row["in_default"] = first <= t
            rows.append(row)
    names = [
        "company", "period", "date_end",
        *(f"{name}_usd" for name in MONEY), "net_cash_usd", "cash_usd", "cash_low_usd", "cash_high_usd",
        *(f"{name}_usd" for name in BALANCES[1:]), "backlog_usd", "default_share", "in_default",
    ]  # fmt: skip
    units = {name: "USD" for name in names if name.endswith("_usd")} | {"default_share": "share"}
    note = "Costs are negative. A company without a stated purse shows what it needs from outside as negative cash."
    return Table.from_rows("companies", rows, names, units, "Companies by quarter", note)


def quarters_table(case: Case, base: Settlement) -> Table:
    """Net cash of each company by quarter, one column each: what the cash chart adds up."""
    ends = base.schedule.ends
    columns: dict[str, list[Any]] = {"period": list(range(len(ends))), "date_end": [end.isoformat() for end in ends]}
    for company in case.loaded.ids:
        if company in base.parties:
            net = sum(base.of(name, company)[:, 0] for name in ("operating", "investing", "financing"))
            columns[company] = [float(value) for value in np.asarray(net)]
    units = {name: "USD" for name in columns if name not in ("period", "date_end")}
    return Table("quarters", columns, units, "Net cash by quarter")


def contracts_table(case: Case, base: Settlement) -> Table:
    """Every contract as known on the day: status, grade, what was announced, what is paid over the horizon."""
    paid, back = _paid_and_back(case, base)
    rows = [
        {
            "id": one.id,
            "kind": one.kind.name,
            "pays": one.deal.pays,
            "gets": one.deal.gets,
            "status": one.status,
            "counts": "cash" if counts_as_cash(one.status) else "headline" if counts_in_headline(one.status) else "no",
            "grade": one.grade,
            "known_on": one.known_on.isoformat() if one.known_on else "",
            "headline_usd": one.headline_usd if counts_in_headline(one.status) else 0.0,
            "cash_usd": paid.get(one.id, 0.0),
            "back_usd": back.get(one.id, 0.0),
            "source": one.source,
        }
        for one in case.loaded.contracts
    ]
    names = (
        "id", "kind", "pays", "gets", "status", "counts", "grade", "known_on", "headline_usd", "cash_usd", "back_usd", "source",
    )  # fmt: skip
    note = (
        "Cash: what the paying side pays over the horizon; back: what comes back to it (interest, principal). "
        "An intent shows as headline only."
    )
    units = {"headline_usd": "USD", "cash_usd": "USD", "back_usd": "USD"}
    return Table.from_rows("contracts", rows, names, units, "Contracts as known", note)


def _paid_and_back(case: Case, base: Settlement) -> tuple[dict[str, float], dict[str, float]]:
    """By contract: what its paying side pays over the horizon, and what the other side pays back."""
    first = {one.id: one.deal.pays for one in case.loaded.contracts}
    paid: dict[str, float] = {}
    back: dict[str, float] = {}
    for k, line in enumerate(base.lines):
        if line.contract:
            side = paid if line.payer == first.get(line.contract) else back
            side[line.contract] = side.get(line.contract, 0.0) + float(np.maximum(base.paid_usd[k, :, 0], 0.0).sum())
    return paid, back


def claims_table(case: Case) -> Table:
    """What contracts may still call for: guarantees, warrants, tranches, rights to cancel, conditions."""
    columns = case.columns(0, 1)
    rows: list[dict[str, Any]] = []
    for one in case.loaded.contracts:
        if one.kind.claims is None or not counts_in_headline(one.status):
            continue
        for claim in one.kind.claims(one.terms, one.deal, columns):
            rows.append(
                {
                    "contract": one.id,
                    "kind": claim.kind,
                    "holder": claim.holder,
                    "against": claim.against,
                    "amount_usd": claim.amount_usd if np.isfinite(claim.amount_usd) else None,
                    "trigger": claim.trigger,
                    "status": one.status,
                    "grade": one.grade,
                    "as_of": case.loaded.as_of.isoformat() if case.loaded.as_of else "",
                }
            )
    rows.sort(key=lambda row: -float(row["amount_usd"] or 0.0))
    names = ("contract", "kind", "holder", "against", "amount_usd", "trigger", "status", "grade", "as_of")
    note = "Undiscounted and at their most; nothing of this is in the cash above."
    return Table.from_rows("claims", rows, names, {"amount_usd": "USD"}, "What may still be called", note)


def backlog(case: Case) -> tuple[dict[str, Array], dict[str, Array]]:
    """(firm, headline) by seller: what contracts still bring after each period, to their end, beyond the horizon too.

    Firm is what is owed whatever happens: the floor of a take-or-pay, what falls within the notice of a right to cancel.
    """
    horizon = case.loaded.scenario.horizon.quarters
    far = Case(case.loaded, 0, case.change, extra_quarters=max(_longest(case) - horizon, 0))
    columns = far.columns(0, 1)
    firm: dict[str, Array] = {}
    headline: dict[str, Array] = {}
    for one in far.contracts:
        if not counts_in_headline(one.status) or one.kind.stage != "operating":
            continue
        due = [f.amount_usd for f in one.postings(columns) if account_of(f.account).name in GOODS]
        if not due:
            continue
        whole = np.asarray(sum(due, np.zeros(columns.schedule.periods)))
        sure = whole if one.kind.firm is None else np.asarray(one.kind.firm(one.terms, one.deal, columns))
        seller = one.deal.gets
        left = _after(whole)[:horizon]
        headline[seller] = headline.get(seller, np.zeros(horizon)) + left
        if counts_as_cash(one.status):
            firm[seller] = firm.get(seller, np.zeros(horizon)) + _within_notice(one, sure, horizon)
    return firm, headline


def _longest(case: Case) -> int:
    """Quarters until the last contract ends, at most 60 years."""
    start = case.schedule.start
    most = case.loaded.scenario.horizon.quarters
    for one in case.contracts:
        term = float(getattr(one.terms, "term_years", None) or 0.0)
        first = one.deal.starts or start
        most = max(most, round(((first - start).days / 365 + term) * 4) + 1)
        if one.deal.ends:
            most = max(most, round((one.deal.ends - start).days / 365 * 4) + 1)
    return min(most, 240)


def _after(values: Array) -> Array:
    """Sum of what comes after each period."""
    total = np.cumsum(values[::-1])[::-1]
    return np.asarray(total - values)


def _within_notice(contract: Contract, due: Array, horizon: int) -> Array:
    notice = getattr(contract.terms, "cancel_notice_years", None)
    if notice is None:
        return _after(due)[:horizon]
    quarters = max(notice * 4, 0.0)
    whole, part = int(quarters), quarters - int(quarters)
    padded = np.concatenate((due, np.zeros(whole + 2)))
    return np.array([padded[t + 1 : t + 1 + whole].sum() + part * padded[t + 1 + whole] for t in range(horizon)])


def backlog_table(case: Case, firm: dict[str, Array], headline: dict[str, Array]) -> Table:
    """Backlog by seller and quarter."""
    rows = [
        {
            "company": name,
            "period": t,
            "date_end": end.isoformat(),
            "firm_usd": float(firm[name][t]) if name in firm else 0.0,
            "headline_usd": float(headline[name][t]),
        }
        for name in headline
        for t, end in enumerate(case.schedule.ends)
    ]
    units = {"firm_usd": "USD", "headline_usd": "USD"}
    note = (
        "Firm: owed whatever happens (floors, within a notice). Headline: at planned use, letters of intent included."
    )
    return Table.from_rows(
        "backlog", rows, ("company", "period", "date_end", "firm_usd", "headline_usd"), units, "Backlog", note
    )


def debt_service_table(case: Case, base: Settlement) -> Table:
    """Interest, principal and cover of every company that owes, by quarter."""
    rows: list[dict[str, Any]] = []
    for company in case.loaded.ids:
        mine = [(k, line) for k, line in enumerate(base.lines) if line.payer == company]
        interest = _sum(base, [k for k, line in mine if line.account == "loan_interest"])
        principal = _sum(base, [k for k, line in mine if line.account == "loan_repayment"])
        if not np.any(interest) and not np.any(principal):
            continue
        # operating cash before interest: what is there to serve the debt
        cfads = base.of("operating", company)[:, 0] - base.of("interest", company)[:, 0]
        due = interest + principal
        for t, end in enumerate(base.schedule.ends):
            rows.append(
                {
                    "company": company,
                    "period": t,
                    "date_end": end.isoformat(),
                    "interest_usd": float(interest[t]),
                    "principal_usd": float(principal[t]),
                    "cfads_usd": float(cfads[t]),
                    "dscr": float(cfads[t] / due[t]) if due[t] > 0 else None,
                }
            )
    names = ("company", "period", "date_end", "interest_usd", "principal_usd", "cfads_usd", "dscr")
    units = {name: "USD" for name in names if name.endswith("_usd")}
    return Table.from_rows("debt_service", rows, names, units, "Debt service")


def covenants_table(case: Case, service: Table) -> Table:
    """Quarters in which a project company's cover ratio is below what its lenders ask for."""
    asked = {one.deal.pays: float(one.terms.covenant_dscr) for one in case.contracts if one.kind.name == "spv"}
    rows = [
        {"company": row["company"], "date_end": row["date_end"], "dscr": row["dscr"], "asked": asked[row["company"]]}
        for row in service.rows()
        if row["company"] in asked and row["dscr"] is not None and row["dscr"] < asked[row["company"]]
    ]
    note = "A broken covenant is told; what lenders would do about it is not played."
    return Table.from_rows("covenants", rows, ("company", "date_end", "dscr", "asked"), {}, "Covenants broken", note)


def _sum(base: Settlement, lines: Sequence[int]) -> Array:
    return np.asarray(base.paid_usd[list(lines), :, 0].sum(axis=0)) if lines else np.zeros(base.schedule.periods)


def cash_links_table(case: Case, base: Settlement) -> Table:
    """Who pays whom for what, over the horizon."""
    links: dict[tuple[str, str, str], float] = {}
    for k, line in enumerate(base.lines):
        key = (line.payer, account_of(line.account).name, line.payee)
        links[key] = links.get(key, 0.0) + float(base.paid_usd[k, :, 0].sum())
    rows: list[dict[str, Any]] = [
        {"source": payer, "account": account, "target": payee, "amount_usd": usd}
        if usd > 0
        else {"source": payee, "account": account, "target": payer, "amount_usd": -usd}
        for (payer, account, payee), usd in links.items()
        if abs(usd) > 0.5
    ]
    rows.sort(key=lambda row: -float(row["amount_usd"]))
    return Table.from_rows(
        "cash_links", rows, ("source", "account", "target", "amount_usd"), {"amount_usd": "USD"}, "Who pays whom"
    )


_RELATIONS = {
    "equity": "owns",
    "milestone_tranche": "owns",
    "warrant": "owns",
    "spv": "owns",
    "term_loan": "lends",
    "bond": "lends",
    "guarantee": "guarantees",
    "capacity_backstop": "guarantees",
}


def network_table(case: Case, base: Settlement) -> Table:
    """Links between parties: pays, owns, lends, guarantees; letters of intent among them."""
    paid, _ = _paid_and_back(case, base)
    links: dict[tuple[str, str, str, str], float] = {}
    for one in case.loaded.contracts:
        if not counts_in_headline(one.status):
            continue
        relation = _RELATIONS.get(one.kind.name, "pays")
        source, target = one.deal.pays, one.deal.gets
        if one.kind.name in ("warrant", "spv"):
            source, target = target, source
        usd = one.headline_usd or paid.get(one.id, 0.0)
        if one.kind.name == "guarantee" and np.isfinite(one.terms.cap_usd):
            usd = float(one.terms.cap_usd)
        key = (source, target, relation, "intent" if one.status == "intent" else "signed")
        links[key] = links.get(key, 0.0) + usd
    rows = [
        {"source": a, "target": b, "relation": relation, "status": status, "amount_usd": usd}
        for (a, b, relation, status), usd in sorted(links.items(), key=lambda item: -item[1])
    ]
    names = ("source", "target", "relation", "status", "amount_usd")
    note = "Owns: from owner to company. Amounts are those announced, else what is paid over the horizon."
    return Table.from_rows("network", rows, names, {"amount_usd": "USD"}, "Who is bound to whom", note)


def whose_money_table(traced: Sequence[Origins]) -> Table:
    """Each vendor's revenue by whose money paid it."""
    rows = [
        {"company": one.seller, "funded_by": origin, "amount_usd": usd, "share": usd / one.total_usd}
        for one in traced
        for origin, usd in one.usd.items()
    ]
    names = ("company", "funded_by", "amount_usd", "share")
    note = "Each payer's money is taken as a mix of its sources in proportion, all the way back to where it entered."
    return Table.from_rows(
        "whose_money", rows, names, {"amount_usd": "USD", "share": "share"}, "By whose money the vendor is paid", note
    )


def defaults_table(base: Settlement) -> Table:
    """Companies that run out of cash in the undisturbed case: when, and how much is missing."""
    rows = [
        {
            "company": name,
            "date": base.schedule.ends[int(base.default_period[k, 0])].isoformat(),
            "shortfall_usd": float(base.shortfall_usd[k, 0]),
        }
        for k, name in enumerate(base.parties)
        if base.default_period[k, 0] < NEVER
    ]
    rows.sort(key=lambda row: str(row["date"]))
    names = ("company", "date", "shortfall_usd")
    return Table.from_rows("defaults", rows, names, {"shortfall_usd": "USD"}, "Companies that run out of cash")

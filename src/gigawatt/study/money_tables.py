"""Tables of money: companies, quarters, links, capital by part, our revenue beside signed contracts, and why they differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.finance import irr, sankey
from gigawatt.finance.accounts import account_of
from gigawatt.study.answer import SECONDS_PER_YEAR, Answer
from gigawatt.study.bands import percentiles
from gigawatt.study.workloads import Serving

EARNED = ("revenue", "interest")  # lines of the books that a receipt earns
# Signed contracts for capacity, million USD per MW and year, with where the figure was read.
SIGNED = (
    ("IREN - Microsoft (2025)", 9.7, "9.7 billion USD over 5 years for 200 MW; IREN release, Nov 2025"),
    ("CoreWeave, Q1 2026 run rate", 9.788, "revenue of Q1 2026 x 4 over 850 MW active; CoreWeave filings"),
    ("Oracle - OpenAI (2025)", 13.333, "300 billion USD over 5 years for 4.5 GW; press, Sep 2025"),
)


def companies_table(answer: Answer) -> Table:
    """One row a listed company: cash in, cash out, value with its band, return, the deepest hole, and what to know."""
    ledger = answer.settled.ledger.without_closing()
    rows: list[dict[str, Any]] = []
    roles = {c.id: c.role for c in answer.resolved.scenario.companies}
    for name in answer.listed:
        flows = np.asarray(ledger.net_usd([name])[0])
        paid_in = float(ledger.total_usd(payee=name).sum())
        earned = sum(
            float(ledger.amount_usd[k].sum())
            for k, line in enumerate(ledger.lines)
            if line.payee == name and account_of(line.account).payee_line in EARNED
        )
        paid_out = float(ledger.total_usd(payer=name).sum())
        low, _, high = percentiles(answer.bands.columns[f"npv.{name}"])
        hole = float(np.minimum.accumulate(np.cumsum(flows)).min(initial=0.0))
        rate = _return(answer.flows(name))
        note = "must be funded from outside to this depth" if hole < -1 else ""
        rows.append(
            {
                "company": name,
                "role": roles.get(name, ""),
                "revenue_usd": earned,
                "cash_in_usd": paid_in,
                "cash_out_usd": paid_out,
                "net_cash_usd": paid_in - paid_out,
                "npv_usd": answer.npv(name),
                "npv_low_usd": low,
                "npv_high_usd": high,
                "irr": rate,
                "min_cash_usd": hole,
                "note": note,
            }
        )
    money = ("revenue", "cash_in", "cash_out", "net_cash", "npv", "npv_low", "npv_high")
    columns = ["company", "role", *(f"{name}_usd" for name in money), "irr", "min_cash_usd", "note"]
    units = {name: "USD" for name in columns if name.endswith("_usd")} | {"irr": "share"}
    note = (
        "Over the horizon. Revenue is what is earned (sales, rent, interest); cash in and out hold loans and equity too. "
        "NPV includes what plant is worth and loans owe at the end. Equity that a tranche buys is not valued."
    )
    return Table.from_rows("companies", rows, columns, units, "Money by company", note)


def _return(flows: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    """IRR of a company that invests first; who is paid first has none that means anything."""
    moved = flows[np.abs(flows) > 0]
    return irr(flows) if moved.size and moved[0] < 0 else None


def quarters_table(answer: Answer) -> Table:
    """Net cash of each listed company by period, the opening first, without closing values."""
    ledger = answer.settled.ledger.without_closing()
    columns: dict[str, list[Any]] = {
        "period": list(range(ledger.schedule.periods)),
        "date_end": [end.isoformat() for end in ledger.schedule.ends],
        "mw_active": [float(v) for v in ledger.schedule.mw_active],
    }
    for name in answer.listed:
        columns[name] = [float(v) for v in ledger.net_usd([name])[0]]
    units = dict.fromkeys(answer.listed, "USD") | {"mw_active": "MW"}
    return Table("quarters", columns, units, "Cash by quarter", "Period 0 is the opening day.")


def cash_links_table(answer: Answer) -> Table:
    """Who pays whom over the horizon, by account."""
    ledger = answer.settled.ledger
    if not ledger.lines:
        return Table("cash_links", {"source": [], "target": [], "amount_usd": [], "account": []})
    table = sankey(ledger)
    columns = {"source": table.columns["payer"], "target": table.columns["payee"]}
    columns |= {"amount_usd": table.columns["amount_usd"], "account": table.columns["account"]}
    return Table("cash_links", columns, {"amount_usd": "USD"}, "Who pays whom")


def capex_table(answer: Answer) -> Table:
    """Capital at list price by part, boundary and payee."""
    total: dict[tuple[str, str, str], float] = {}
    for p in answer.settled.purchases:
        total[p.part, p.boundary, p.payee] = total.get((p.part, p.boundary, p.payee), 0.0) + p.usd
    whole = sum(total.values())
    rows = [
        {"part": part, "boundary": boundary, "payee": payee, "usd": usd, "share": usd / whole if whole else 0.0}
        for (part, boundary, payee), usd in sorted(total.items(), key=lambda item: -item[1])
    ]
    columns = ["part", "boundary", "payee", "usd", "share"]
    return Table.from_rows("capex", rows, columns, {"usd": "USD", "share": "share"}, "Capital by part, at list price")


def revenue_per_mw_year(answer: Answer) -> float:
    """USD of token sales per MW-year in use."""
    return answer.plan.revenue_usd_per_yr / answer.mean_mw if answer.mean_mw else 0.0


def contracts_beside_table(answer: Answer) -> Table:
    """Our revenue and gross profit per MW-year beside contracts that were signed."""
    ours = revenue_per_mw_year(answer)
    gross = ours - answer.annual_running_usd / answer.mean_mw if answer.mean_mw else 0.0
    rows = [
        {"name": "this plan, token revenue", "usd_m_per_mw_yr": ours / 1e6, "source": "this run", "kind": "ours"},
        {"name": "this plan, gross profit", "usd_m_per_mw_yr": gross / 1e6,
         "source": "this run: revenue less energy, upkeep, staff", "kind": "ours"},
    ]  # fmt: skip
    rows += [{"name": n, "usd_m_per_mw_yr": v, "source": s, "kind": "signed"} for n, v, s in SIGNED]
    columns = ["name", "usd_m_per_mw_yr", "source", "kind"]
    note = "Contracts are rents for capacity at their own MW (facility, active or contracted IT); ours is per MW at the meter."
    return Table.from_rows("contracts_beside", rows, columns, {"usd_m_per_mw_yr": "million USD/MW/yr"},
                           "Revenue per MW-year beside signed contracts", note)  # fmt: skip


def gap_table(answer: Answer) -> Table | None:
    """Named factors between our revenue per MW-year and the signed contracts, where they differ by more than 2x.

    revenue per MW-year = tokens per MW and second x seconds of a year x list price x realised share x share sold
    """
    ours = revenue_per_mw_year(answer) / 1e6
    middle = float(np.median([value for _, value, _ in SIGNED]))
    if ours <= 0 or 0.5 <= ours / middle <= 2:
        return None
    rows = []
    points, use = answer.priced.inputs.points, answer.plan.mean_use
    for j, work in enumerate(answer.resolved.works):
        mine = points.workload == j
        made = float((use * points.tokens_out_per_s)[mine].sum())
        mw = float((use * points.mw)[mine].sum())
        if not isinstance(work.spec, Serving) or made <= 0:
            continue
        spec = work.spec
        at_list = (spec.price.output + spec.price.input * spec.input_tokens / spec.output_tokens) * made / mw
        per_year = at_list * SECONDS_PER_YEAR / 1e6
        sold = answer.plan.revenue_by_workload[j] / (made / mw * mw) / SECONDS_PER_YEAR if made else 0.0
        mean = sold / (spec.price.output + spec.price.input * spec.input_tokens / spec.output_tokens)
        rows += [
            {"input": f"{work.id}: revenue per MW-year at list price", "factor": per_year / middle,
             "note": f"{per_year:,.1f} million USD at {made / mw:,.0f} output tokens/s per MW, over the median contract"},
            {"input": f"workloads.{work.id}.price.realised_share and tiers", "factor": mean,
             "note": "what is received of list, mean over the tiers that are sold"},
            {"input": f"workloads.{work.id}.derate and demand.peak_to_mean", "factor": 1 / spec.demand.peak_to_mean,
             "note": "already inside tokens per MW: the site is sized for the peak"},
        ]  # fmt: skip
    return Table.from_rows("gap", rows, ["input", "factor", "note"], {"factor": "x"},
                           "Why revenue per MW-year is not that of the contracts")  # fmt: skip

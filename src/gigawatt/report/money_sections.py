"""The parts of a deals, market or project report in reading order, and tables made shorter for reading.

`sections_of` gives the parts of whatever kind of run it is. The tables of inputs (`*_inputs`) come last, folded.
"""

from __future__ import annotations

from typing import Any

from gigawatt.core.table import Table
from gigawatt.report import sections
from gigawatt.report.chart_parts import value_of
from gigawatt.report.compare_parts import COMPARE
from gigawatt.report.fleet_parts import FLEET
from gigawatt.report.grid import INPUTS, NOISE, words_of
from gigawatt.report.moat_parts import MOAT
from gigawatt.report.money_charts import question_of
from gigawatt.report.money_sentences import measure_words
from gigawatt.report.net_parts import NETWORK
from gigawatt.report.operate_parts import OPERATE
from gigawatt.report.risk_parts import RISK
from gigawatt.report.sections import Section
from gigawatt.report.sentences import rows_of
from gigawatt.report.serve_parts import SERVE, SERVICE
from gigawatt.report.sweep_parts import SWEEP
from gigawatt.report.train_parts import TRAIN
from gigawatt.study.result import RunResult

MOST_SHOWN = 24  # rows of a table in the page; more are behind a click

METRICS = Section(
    "metrics",
    "Headline numbers",
    "`gigawatt explain NAME` shows where each comes from.",
    columns=("name", "value", "unit", "low", "high", "formula"),
)


def contracts(result: RunResult) -> Table:
    """The contracts with their kinds as words."""
    table = result.tables["contracts"]
    rows = [
        row
        | {"what": str(row.get("kind") or "").replace("_", " "), "who": f"{row.get('pays')} \u2192 {row.get('gets')}"}
        for row in table.rows()
    ]
    if len(rows) > MOST_SHOWN:
        rows.sort(key=lambda row: -max(row.get("headline_usd") or 0.0, row.get("cash_usd") or 0.0))
    return Table.from_rows(table.name, rows, [*table.columns, "what", "who"], table.units, table.title, table.note)


def circularity(result: RunResult) -> Table:
    """The measures with their names as words."""
    table = result.tables["circularity"]
    rows = [row | {"measure": measure_words(str(row.get("name")))} for row in table.rows()]
    for row in rows:
        value = value_of(row.get("value"))
        whole = row.get("unit") == "companies" and value is not None
        row["value"] = "not known" if value is None else int(value) if whole else value
    return Table.from_rows(table.name, rows, ("measure", "value", "unit", "meaning"), {}, table.title, table.note)


def companies(result: RunResult) -> Table:
    """One row a company: sums over the horizon, cash at its lowest and at the end, what is owed, the chance of default."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(result, "companies"):
        found.setdefault(str(row.get("company")), []).append(row)
    rows = []
    for name, quarters in found.items():
        last = quarters[-1]
        # What is below a dollar is the arithmetic's.
        purse = [(round(cash), row) for row in quarters if (cash := value_of(row.get("cash_usd"))) is not None]
        low, when = min(purse, key=lambda pair: pair[0]) if purse else (None, {})
        rows.append(
            {
                "company": name,
                "revenue_usd": _sum(quarters, "revenue_usd"),
                "net_income_usd": _sum(quarters, "net_income_usd"),
                "lowest_cash_usd": None if low is None else float(low),
                "lowest_on": when.get("date_end"),
                "cash_end_usd": value_of(last.get("cash_usd")),
                "cash_low_usd": value_of(last.get("cash_low_usd")),
                "cash_high_usd": value_of(last.get("cash_high_usd")),
                "debt_usd": value_of(last.get("loans_owed_usd")),
                "backlog_usd": value_of(quarters[0].get("backlog_usd")),
                "default_share": value_of(last.get("default_share")),
            }
        )
    note = "Sums over the horizon; P10 and P90 of cash at its end; backlog after the first quarter; defaults: share of draws."
    return Table.from_rows("companies", rows, list(COMPANY_LABELS), {}, "Money by company", note)


def steps(result: RunResult) -> Table:
    """The waterfall summed over its periods, in the order of payment."""
    sums: dict[str, float] = {}
    for row in sorted(rows_of(result, "waterfall"), key=lambda row: value_of(row.get("order")) or 0.0):
        sums[str(row.get("step"))] = sums.get(str(row.get("step")), 0.0) + (value_of(row.get("amount_usd")) or 0.0)
    # What is left of a period's rounding is no step.
    most = max(map(abs, sums.values()), default=0.0)
    sums = {step: usd for step, usd in sums.items() if abs(usd) > NOISE * most}
    return Table("steps", {"step": list(sums), "amount_usd": list(sums.values())}, {"amount_usd": "USD"})


COMPANY_LABELS = {
    "company": "company",
    "revenue_usd": "revenue",
    "net_income_usd": "net income",
    "lowest_cash_usd": "lowest cash",
    "lowest_on": "on",
    "cash_end_usd": "cash at end",
    "cash_low_usd": "P10",
    "cash_high_usd": "P90",
    "debt_usd": "debt at end",
    "backlog_usd": "backlog",
    "default_share": "defaults",
}


def _sum(rows: list[dict[str, Any]], column: str) -> float | None:
    values = [value for row in rows if (value := value_of(row.get(column))) is not None]
    return sum(values) if values else None


DEALS: tuple[Section, ...] = (
    Section(
        "contracts",
        "Contracts",
        "As known on the day. Counts: cash is in force and pays; headline is a letter of intent, which pays nothing here. "
        "Grades: A filing or release, B press that quotes one, C secondary source, D own arithmetic.",
        columns=("id", "what", "who", "status", "counts", "grade", "known_on", "headline_usd", "cash_usd", "source"),
        shows=contracts,
        labels={"cash_usd": "paid", "who": "pays, gets"},
    ),
    Section("network", "Who is bound to whom", "The wider an arrow, the more money.", folded=("network",)),
    Section("circularity", "How circular", shows=circularity),
    Section("whose_money", "By whose money the vendor is paid"),
    Section(
        "stress",
        "Who breaks first",
        beside=("defaults",),
        columns=("shock", "means", "who", "date", "shortfall_usd", "lost_usd", "called_usd", "outside_usd"),
        labels={"who": "who falls, first to last", "date": "first by", "outside_usd": "from outside"},
    ),
    Section("claims", "What may still be called"),
    Section(
        "companies",
        "Money by company",
        "The line is the file's own case, the ground P10 to P90 of the draws, the cross a default.",
        shows=companies,
        labels=COMPANY_LABELS,
        folded=("companies", "quarters"),
        fold_words="Every company, every quarter",
    ),
    Section("backlog", "Backlog by seller", folded=("backlog",)),
    Section("debt_service", "Debt service", "Bars are owed, the line is there to pay them.", folded=("debt_service",)),
    Section(
        "cash_links", "Who pays whom", "Left pays, right is paid; the middle says for what.", folded=("cash_links",)
    ),
    METRICS,
)

MARKET: tuple[Section, ...] = (
    Section(
        "quarters", "Quarters, and the next one", folded=("quarters",), charts=("balance",), fold_words="Every quarter"
    ),
    Section(
        "forecast_rows",
        "The next quarter by every rule",
        beside=("windows",),
        labels={"words": "rule", "rule": "name", "past_errors": "errors used"},
    ),
    Section(
        "backtest",
        "How the rules did before",
        columns=(
            "words",
            "quarters",
            "mape_share",
            "bias_share",
            "hits",
            "trials",
            "median_width_share",
            "naive_width_share",
            "forecast_usd",
            "actual_usd",
            "error_share",
            "words_of_failure",
        ),
        labels={"words": "rule", "median_width_share": "band width", "naive_width_share": "naive width"},
    ),
    Section("growth", "Growth as the base rises", folded=("growth",)),
    Section("binding", "What binds"),
    Section("inputs", "What each input allows", folded=("inputs",)),
    Section("backlog_fan", "Backlog ahead", folded=("backlog_fan",)),
    Section("compare", "Reported figures beside others"),
    Section(
        "ramp",
        "What runs short",
        columns=(
            "input",
            "gw_per_year_now",
            "gw_per_year_at_end",
            "needed_multiple",
            "short_from",
            "lead_quarters",
            "order_by",
            "late_quarters",
            "first_share",
            "source",
        ),
    ),
    Section("ramp_path", "The ramp beside what the inputs allow", folded=("ramp_path",)),
    Section("rent_fan", "Rent ahead", folded=("rent_fan",), beside=("rent_seen",)),
    Section("tokens", "Prices of tokens", beside=("token_families",)),
    Section("ban", "Selling against being banned"),
    Section(
        "loop", "The software loop", folded=("loop", "maturity_overlay"), fold_words="The loop by quarter and region"
    ),
    Section("relet", "Who can use the chip when its first user leaves"),
    Section("resale", "Resale and loan by age", folded=("resale",)),
    Section("contest", "The contest of the labs", beside=("dilemma",)),
    Section(
        "take",
        "What the vendor takes",
        columns=(
            "changed",
            "labs",
            "decisiveness",
            "tokens_per_dollar",
            "spent_share",
            "spend_usd_per_yr",
            "labs_profit_usd_per_yr",
            "vendor_sales_usd_per_yr",
            "vendor_gross_profit_usd_per_yr",
            "holds",
        ),
    ),
    Section("labs", "Revenue of a MW by lab, against rent"),
    Section("allocation", "What the budget serves"),
    Section("allocation_forms", "When the choice binds, by the form of a use"),
    Section("allocation_path", "The same uses at other budgets", folded=("allocation_path",)),
    Section("edge_machines", "Machines beside the site"),
    Section("edge_years", "Machines beside the site, year by year"),
    Section("edge_places", "On board or at the site"),
    Section("edge_alone", "Software where no chip may be sold"),
    METRICS,
)

PROJECT: tuple[Section, ...] = (
    Section("sources_uses", "Sources and uses"),
    Section("project", "The project by period", folded=("project",), fold_words="Every period"),
    Section("debt_service", "Debt service", "Bars are owed, the line is there to pay them.", folded=("debt_service",)),
    Section(
        "waterfall",
        "Where the cash goes",
        "In the order of payment: what comes in is up, what goes out is down.",
        folded=("waterfall",),
        charts=("waterfall_total",),
    ),
    Section("covenants", "Covenants"),
    METRICS,
    Section("assumptions", "Assumptions and sources"),
)

BY_QUESTION = {
    "deals": DEALS,
    "market": MARKET,
    "project": PROJECT,
    "network": NETWORK,
    "serve": SERVE,
    "service": SERVICE,
    "train": TRAIN,
    "moats": MOAT,
    "operate": OPERATE,
    "fleet": FLEET,
    "risk": RISK,
    "sweep": SWEEP,
    "compare": COMPARE,
}


def sections_of(result: RunResult) -> tuple[Section, ...]:
    """All parts that a report of this kind may have, in reading order."""
    own = BY_QUESTION.get(question_of(result), sections.SECTIONS)
    taken = sections.known_tables(own)
    inputs = [name for name in result.tables if name.endswith(INPUTS) and name not in taken]
    return own + tuple(
        Section(
            name,
            f"Inputs: {words_of(name.removesuffix(INPUTS)).lower()}",
            f"{assumed(result, name)} Each has its range, its kind and where it comes from.",
            folded=(name,),
            fold_words="Every input",
        )
        for name in inputs
    )


def assumed(result: RunResult, name: str) -> str:
    """How many of a section's inputs are our own assumptions."""
    kinds = [str(row.get("kind") or "") for row in rows_of(result, name)]
    return f"{len(kinds)} inputs, {kinds.count('assumed')} of them assumed."


def present(result: RunResult) -> list[Section]:
    """The parts whose main table this run has, with rows."""
    return sections.present(result, sections_of(result))

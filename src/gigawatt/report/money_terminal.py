"""A deals, market or project run in the terminal, within 100 columns: what is claimed, agreed, owed, and who breaks first.

Plain ASCII in our own words, as in `terminal`. Of each table the columns that fit the console are shown, the least needed
dropped first; everything is in the page and in the run folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.core.table import Table
from gigawatt.report import money_sections as made
from gigawatt.report.chart_parts import value_of
from gigawatt.report.claim_terminal import claim_part
from gigawatt.report.deals_charts import OWN_MONEY
from gigawatt.report.grid import INPUTS, Grid, counted, grid, words_of
from gigawatt.report.money_charts import question_of
from gigawatt.report.money_sentences import WEAK_GRADES, claim_of, measure_words, says
from gigawatt.report.numbers import quantity, span
from gigawatt.report.sections import has
from gigawatt.report.terminal import _Page
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    from rich.console import Console

GAP = 3  # between two columns
LEAST_TEXT = 10  # characters that a column of text keeps when the line is full
MOST_TEXT = 34  # characters of text beyond which a column folds though there were room
MOST_CONTRACTS, MOST_ROWS, MOST_UNKNOWN, MOST_HEADLINES, MOST_COMPANIES, MOST_VENDORS = 20, 14, 8, 18, 16, 3
MOST_LINES = 4
BAR = 30  # characters of a share of 100 %
LEAST_SHARE = 0.001  # of a vendor's revenue, below which a source is for the page


@dataclass(frozen=True, slots=True)
class Shown:
    """How a table is printed: heading, columns in order, those that go first when room is short, headings of its own."""

    table: str
    heading: str
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    rows: Callable[[RunResult], Table] | None = None
    most: int = MOST_ROWS
    last: bool = False  # of a long table the last rows
    least: int = LEAST_TEXT  # characters that its columns of text keep


def render_money(result: RunResult, console: Console, folder: Path | None = None) -> None:
    """Print a run of deals, market or project to `console`.

    Args:
        result: the run; a table it lacks leaves its part out, one that is not known is printed with what fits.
        console: any rich console; at most 100 columns are used.
        folder: the run folder, when one was written: its page is named at the end.
    """
    page = _Page(console)
    page.text(result.title or result.name, style="bold")
    claim = claim_of(result)
    computed = claim.computes if claim is not None else ()
    said = [line for line in result.texts.get("answer", []) if line.strip()]
    if not computed:
        for line in said or [result.headline]:
            page.text(line, hang=2 if said else 0)
    claim_part(result, page)
    further = [line for line in said if computed and line not in computed]
    if further:
        page.heading("WHAT IT SAYS BESIDES")
        for line in further:
            page.text(line, hang=2)
    shown = PARTS.get(question_of(result), ())
    for one in shown:
        if one.table == "whose_money":
            _whose_money(result, page)
        elif has(result, one.table):
            _part(result, one, page)
    known = {one.table for one in shown} | HIDDEN
    for name, table in result.tables.items():
        if name not in known and not name.endswith(INPUTS) and len(table):
            page.heading((table.title or words_of(name)).upper())
            page.grid(fitted(table, page.width), most=MOST_UNKNOWN)
    _headlines(result, page)
    _doubts(result, page)
    _ways_on(result, page, folder)


def _part(result: RunResult, one: Shown, page: _Page) -> None:
    page.heading(one.heading)
    sentence = says(result, one.table)
    table = one.rows(result) if one.rows is not None else result.tables[one.table]
    if one.last and len(table) > one.most:
        rows = list(table.rows())[-one.most :]
        table = Table.from_rows(table.name, rows, list(table.columns), table.units)
    page.grid(fitted(table, page.width, one.columns, one.drop, one.labels, one.least, one.most), most=one.most)
    if one.table == "contracts" and any(str(row.get("grade")).endswith("*") for row in table.rows()):
        page.text(WEAK, style="dim", hang=2)
    page.text(sentence, hang=2)


def fitted(
    table: Table,
    width: int,
    columns: Sequence[str] = (),
    drop: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    least: int = LEAST_TEXT,
    most: int = MOST_ROWS,
    cut: bool = True,
) -> Grid:
    """The table with the columns that fit `width`: those of `drop` leave first, then from the right; the first stays.

    Only the `most` first rows are measured, since only they are shown. `cut` ends sentences that no cell has room for.

    Numbers and the first column are never folded; other text keeps at least `least` characters.
    """
    seen = Table(table.name, {name: list(values)[:most] for name, values in table.columns.items()}, table.units)
    kept = [name for name in (columns or table.columns) if name in table.columns]
    order = [name for name in drop if name in kept] + [name for name in reversed(kept[1:]) if name not in drop]
    for name in order:
        if _room(grid(seen, kept, labels, bands=True), least) <= width:
            break
        kept.remove(name)
    shown = grid(table, kept, labels, bands=True)
    return replace(shown, rows=[[_short(cell) for cell in row] for row in shown.rows]) if cut else shown


def _short(cell: str) -> str:
    """A cell that a terminal has room for: a sentence of a source is cut."""
    return cell if len(cell) <= 3 * MOST_TEXT else cell[: 3 * MOST_TEXT - 3].rstrip() + "..."


def _room(shown: Grid, least: int) -> int:
    """Characters that the grid needs at least."""
    need = GAP * (len(shown.labels) - 1)
    for at, (label, unit, numeric) in enumerate(zip(shown.labels, shown.units, shown.numeric, strict=True)):
        cells = max((len(row[at]) for row in shown.rows), default=0)
        header = max(len(unit) + 2 if unit else 0, *map(len, label.split()))
        need += max(len(label), header, cells) if numeric or at == 0 else max(header, min(least, cells))
    return need


def contracts(result: RunResult) -> Table:
    """The largest contracts, in the file's order, with their parties as one and the weakest grades marked."""
    rows = list(result.tables["contracts"].rows())
    size = [max(value_of(row.get("headline_usd")) or 0.0, value_of(row.get("cash_usd")) or 0.0) for row in rows]
    largest = sorted(sorted(range(len(rows)), key=lambda at: -size[at])[:MOST_CONTRACTS])
    rest = [at for at in range(len(rows)) if at not in largest]
    out = [
        {
            "id": rows[at].get("id"),
            "kind": str(rows[at].get("kind") or "").replace("_", " "),
            "who": f"{rows[at].get('pays')} -> {rows[at].get('gets')}",
            "status": str(rows[at].get("status") or "").replace("definitive (hypothetical)", "assumed"),
            "counts": rows[at].get("counts"),
            "grade": _grade(rows[at].get("grade")),
            "headline_usd": value_of(rows[at].get("headline_usd")),
            "cash_usd": value_of(rows[at].get("cash_usd")),
        }
        for at in [*largest, *rest]
    ]
    return Table.from_rows(
        "contracts", out, ("id", "kind", "who", "status", "counts", "grade", "headline_usd", "cash_usd")
    )


def _grade(given: Any) -> str:
    """'C*': weak grades are marked; '-' where the file states the contract itself."""
    grade = str(given or "")
    return f"{grade}*" if grade in WEAK_GRADES else grade or "-"


def circularity(result: RunResult) -> Table:
    """The measures in words; of a vendor without any funding only what says so."""
    rows = []
    given = list(result.tables["circularity"].rows())
    silent = {
        str(row["name"]).partition(":")[2]
        for row in given
        if str(row["name"]).startswith("invested_over_sales:") and not value_of(row.get("value"))
    }
    for row in given:
        name, value = str(row.get("name")), value_of(row.get("value"))
        if name.partition(":")[2] in silent and not value and not name.startswith("invested_over_sales"):
            continue
        whole = row.get("unit") == "companies" and value is not None
        said = "-" if value is None else quantity(int(value) if whole else value, row.get("unit") or "")
        rows.append({"measure": measure_words(name), "value": said, "meaning": row.get("meaning")})
    return Table.from_rows("circle", rows, ("measure", "value", "meaning"))


def companies(result: RunResult) -> Table:
    """One row a company that has any money, those with most first."""
    table = made.companies(result)
    rows = [row for row in table.rows() if any(value_of(value) for name, value in row.items() if name.endswith("_usd"))]
    rows.sort(
        key=lambda row: -max(value_of(row.get(name)) or 0.0 for name in ("revenue_usd", "cash_high_usd", "debt_usd"))
    )
    return Table.from_rows("companies", rows, list(table.columns), table.units)


def stress(result: RunResult) -> Table:
    """The shocks, by month; where nobody is short nothing is said."""
    table = result.tables["stress"]
    rows = [
        row | {"short": value_of(row.get("shortfall_usd")) or None, "date": str(row.get("date") or "")[:7]}
        for row in table.rows()
    ]
    units = {**table.units, "short": "USD"}
    return Table.from_rows("stress", rows, [*table.columns, "short"], units)


def _whose_money(result: RunResult, page: _Page) -> None:
    """Each vendor's revenue as shares in bars of text."""
    if not has(result, "whose_money"):
        return
    page.heading("BY WHOSE MONEY THE VENDOR IS PAID")
    rows = [row for row in result.tables["whose_money"].rows() if value_of(row.get("share"))]
    total: dict[str, float] = {}
    for row in rows:
        total[str(row.get("company"))] = total.get(str(row.get("company")), 0.0) + float(row["amount_usd"])
    vendors = sorted(total, key=lambda name: -total[name])[:MOST_VENDORS]
    rows = [row for row in rows if str(row.get("company")) in vendors]
    longest = max((len(str(row.get("funded_by"))) for row in rows), default=0)
    room = min(longest, max(12, page.width - BAR - 26))
    for company in vendors:
        mine = sorted((row for row in rows if str(row.get("company")) == company), key=lambda row: -float(row["share"]))
        page.text(f"{company}, {quantity(total[company], 'USD')}", style="dim")
        for row in [one for one in mine if one["share"] > LEAST_SHARE or one.get("funded_by") == OWN_MONEY][:8]:
            bar = "#" * round(BAR * min(max(float(row["share"]), 0.0), 1.0))
            share, amount = quantity(row["share"], "share"), quantity(row["amount_usd"], "USD")
            page.text(f"{str(row.get('funded_by'))[:room]:<{room}}  {bar:<{BAR}} {share:>8} {amount:>11}", indent=2)
    more = len(total) - len(vendors)
    if more > 0:
        page.text(f"... and {more} more vendor{'s' if more > 1 else ''} in the report", style="dim")


def _headlines(result: RunResult, page: _Page) -> None:
    rows = [counted(row) for row in result.metrics.rows()]
    if not rows:
        return
    page.heading("HEADLINES, with [P10 - P90]")
    wide = min(max(len(words_of(str(row["name"]))) for row in rows[:MOST_HEADLINES]), 38)
    for row in rows[:MOST_HEADLINES]:
        ends = (row.get("low"), row.get("high"))
        counts = all(isinstance(end, int) for end in ends)
        band = f"{ends[0]} to {ends[1]}" if counts else span(*ends, row.get("unit") or "")
        name, value = words_of(str(row["name"])), quantity(row.get("value"), row.get("unit") or "")
        page.text(f"{name:<{wide}} {value or '-':>18}   {f'[{band}]' if band else ''}".rstrip(), indent=2, hang=2)
    if len(rows) > MOST_HEADLINES:
        page.text(f"... and {len(rows) - MOST_HEADLINES} more in the report", style="dim")


def _doubts(result: RunResult, page: _Page) -> None:
    for words, name in (("Left out", "left_out"), ("Weakest inputs", "weakest"), ("Notes", "notes")):
        lines = [line.strip() for line in result.texts.get(name, []) if line.strip()]
        if lines:
            page.heading(words.upper())
            for line in lines[:MOST_LINES]:
                page.text(f"- {line}", hang=2, style="dim")
            if len(lines) > MOST_LINES:
                page.text(f"... and {len(lines) - MOST_LINES} more in the report", style="dim")


def _ways_on(result: RunResult, page: _Page, folder: Path | None) -> None:
    page.console.print()
    page.ending(folder, result.texts.get("next", [])[:2])


WEAK = "* C: secondary source, in no headline; D: our own arithmetic. -: the file's own. Assumed: of the file, counted as cash."

DEALS = (
    Shown(
        "contracts",
        "CONTRACTS",
        ("id", "kind", "who", "status", "counts", "grade", "headline_usd", "cash_usd"),
        ("counts", "kind", "status"),
        {"who": "pays -> gets", "cash_usd": "paid"},
        contracts,
        MOST_CONTRACTS,
        least=40,
    ),
    Shown("circularity", "HOW CIRCULAR", ("measure", "value", "meaning"), ("meaning",), {}, circularity, 24, least=30),
    Shown("whose_money", "BY WHOSE MONEY THE VENDOR IS PAID"),
    Shown(
        "stress",
        "WHO BREAKS FIRST",
        ("shock", "means", "first_default", "date", "short", "defaults", "lost_usd", "called_usd"),
        ("short", "called_usd", "means"),
        {"first_default": "first", "date": "by", "defaults": "fall"},
        stress,
        24,
        least=22,
    ),
    Shown(
        "claims",
        "WHAT MAY STILL BE CALLED",
        ("contract", "kind", "holder", "against", "amount_usd", "trigger", "grade"),
        ("kind", "grade", "trigger"),
        least=24,
    ),
    Shown(
        "companies",
        "MONEY BY COMPANY, over the horizon",
        tuple(made.COMPANY_LABELS),
        ("lowest_on", "backlog_usd", "debt_usd"),
        dict(made.COMPANY_LABELS),
        companies,
        MOST_COMPANIES,
    ),
)
MARKET = (
    Shown(
        "quarters",
        "QUARTERS",
        ("quarter", "status", "revenue_usd", "low_usd", "high_usd", "data_centre_usd", "supply_gw", "backlog_gw",
         "shipped_gw", "cover_ratio", "binding_side", "binding_input"),
        ("cover_ratio", "shipped_gw", "binding_side"),
        {"low_usd": "low", "high_usd": "high"},
        last=True,
    ),
    Shown("forecast_rows", "THE NEXT QUARTER BY EVERY RULE",
          ("words", "value_usd", "low_usd", "high_usd", "past_errors", "actual_usd", "error_share", "held"),
          ("past_errors",), {"words": "rule", "past_errors": "errors used"}),
    Shown("backtest", "HOW THE RULES DID BEFORE",
          ("words", "quarters", "mape_share", "bias_share", "hits", "trials", "median_width_share", "naive_width_share",
           "forecast_usd", "actual_usd", "error_share"),
          ("naive_width_share", "quarters"),
          {"words": "rule", "median_width_share": "band width", "naive_width_share": "naive width"}),
    Shown("growth", "GROWTH AS THE BASE RISES", ("regime", "quarter", "growth_share", "increment_usd")),
    Shown("binding", "WHAT BINDS",
          ("input", "unit", "stock", "need_per_gw", "allows_gw", "used_share", "worth_usd", "room_gw", "binds_share"),
          ("room_gw", "need_per_gw", "stock"), {"worth_usd": "one more", "binds_share": "binds in"}),
    Shown("compare", "REPORTED FIGURES BESIDE OTHERS", ("id", "quarter", "value_usd", "beside_usd", "ratio")),
    Shown("backlog_fan", "BACKLOG AHEAD",
          ("quarter", "backlog_p10_gw", "backlog_p50_gw", "backlog_p90_gw", "revenue_p10_usd", "revenue_p50_usd",
           "revenue_p90_usd", "supply_limited_share"),
          ("supply_limited_share",)),
    Shown("ramp", "WHAT RUNS SHORT",
          ("input", "gw_per_year_now", "gw_per_year_at_end", "needed_multiple", "short_from", "lead_quarters", "order_by",
           "late_quarters", "first_share"),
          ("lead_quarters", "late_quarters")),
    Shown("rent_fan", "RENT AHEAD", ("quarter", "rent_p10", "rent_p50", "rent_p90", "rent_mean", "glut_share")),
    Shown("tokens", "PRICES OF TOKENS", ("model", "as_of", "input", "output", "realised", "ahead"), ("ahead",)),
    Shown("token_families", "FROM FLAGSHIP TO FLAGSHIP",
          ("family", "first", "last", "years", "first_output", "last_output", "decline_share"), ("first", "last")),
    Shown("ban", "SELLING AGAINST BEING BANNED",
          ("speed", "value_usd", "direct_usd", "elsewhere_usd", "sold_usd", "banned_usd")),
    Shown("relet", "WHO CAN USE THE CHIP NEXT",
          ("platform", "stack", "kinds_that_run", "kinds", "buyers_per_yr", "vacancy_years", "utilisation",
           "life_power_short_years", "life_power_ample_years"),
          ("life_power_ample_years", "buyers_per_yr", "kinds"),
          {"life_power_short_years": "life, power short", "life_power_ample_years": "life, power ample"}),
    Shown("contest", "THE CONTEST OF THE LABS", ("world", "lab", "share", "spend_usd_per_yr", "profit_usd_per_yr")),
    Shown("dilemma", "ARE THE LABS PRISONERS?", ("own", "others", "profit_usd_per_yr")),
    Shown("take", "WHAT THE VENDOR TAKES",
          ("changed", "labs", "decisiveness", "tokens_per_dollar", "spent_share", "labs_profit_usd_per_yr",
           "vendor_gross_profit_usd_per_yr"), ("decisiveness",)),
    Shown("labs", "REVENUE OF A MW BY LAB",
          ("lab", "date", "grade", "gw", "revenue_usd_per_yr", "average_usd_per_mw_yr", "marginal_usd_per_mw_yr", "limit_gw"),
          ("limit_gw", "revenue_usd_per_yr")),
)  # fmt: skip
PROJECT = (
    Shown("sources_uses", "SOURCES AND USES", ("side", "item", "amount_usd", "share")),
    Shown("debt_service", "DEBT SERVICE", ("date_end", "interest_usd", "principal_usd", "cfads_usd", "dscr")),
    Shown("waterfall", "WHERE THE CASH GOES, over all periods", ("step", "amount_usd"), rows=made.steps, most=24),
    Shown("covenants", "COVENANTS", ("covenant", "date_end", "value", "threshold", "unit", "breached", "consequence")),
)
PARTS: Mapping[str, tuple[Shown, ...]] = {"deals": DEALS, "market": MARKET, "project": PROJECT}
# Shown in another form above, or so long that only the page has room for them.
HIDDEN = {
    "cash_links", "network", "backlog", "debt_service", "defaults", "windows", "inputs", "loop", "maturity_overlay",
    "ramp_path", "waterfall", "project", "assumptions", "resale", "rent_seen", "quarters",
}  # fmt: skip

"""A run in the terminal, within 100 columns: plan, limits, performance, power, money, moats, doubts, where to go next.

Plain ASCII in our own words, so that a pipe with any encoding takes it; colour only where the console has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.core.table import Table
from gigawatt.report import sentences as say
from gigawatt.report.claim_terminal import claim_part
from gigawatt.report.grid import Grid, grid, words_of
from gigawatt.report.money_sentences import claim_of
from gigawatt.report.numbers import number, quantity, span
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod

WIDTH = 100
MOST_ROWS = 14  # more than this is for the page
MOST_EXCLUDED = 6
MOST_LINES = 4
MOST_WAYS = 4
LEAST_WORDS = 14  # characters that a column of text keeps
# What a scenario may ask besides the plan.
FURTHER = ("drift_turn", "joint", "joint_scan")
# Headlines that the tables above them show already.
SHOWN_ABOVE = {"operator_npv", "lab_npv", "vendor_npv", "lender_npv", "capex", "site_power", "tokens_out"}


def render(result: RunResult, console: Console, folder: Path | None = None) -> None:
    """Print the run to `console`.

    Args:
        result: the run; a table it lacks leaves its part out.
        console: any rich console; at most 100 columns are used.
        folder: the run folder, when one was written: its page is named at the end.
    """
    page = _Page(console)
    page.text(result.title or result.name, style="bold")
    page.text(result.headline)
    claim_part(result, page)
    claim = claim_of(result)
    for line in result.texts.get("answer", []):
        if claim is None or line not in claim.computes:
            page.text(line, hang=2)
    _plan(result, page)
    _limits(result, page)
    _performance(result, page)
    _jobs(result, page)
    _power(result, page)
    _money(result, page)
    _moats(result, page)
    _further(result, page)
    _doubts(result, page)
    _ways_on(result, page, folder)


class _Page:
    """Headings, sentences and grids on a console, never wider than 100 columns."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.width = min(console.width, WIDTH)
        self.encoding = console.encoding or "utf-8"

    def _safe(self, text: str) -> str:
        """What the console's encoding can not show becomes '?': a pipe must not fail on a name."""
        return text.encode(self.encoding, "replace").decode(self.encoding, "replace")

    def heading(self, words: str) -> None:
        self.console.print()
        self.console.print(self._safe(words), style="bold cyan", markup=False)

    def text(self, words: str, style: str = "", indent: int = 0, hang: int = 0) -> None:
        from rich.text import Text

        if not words:
            return
        lead = " " * hang
        body = Text(self._safe(words), style=style)
        lines = body.wrap(self.console, self.width - indent - hang)
        for at, line in enumerate(lines):
            line.rstrip()
            self.console.print(Text(" " * indent + (lead if at else "")) + line, soft_wrap=True)

    def ending(self, folder: Path | None, ways: Sequence[str] = ()) -> None:
        """Where the report is, and what one may ask next."""
        lines = [f"report: {folder / 'report.html'}"] if folder is not None else []
        for line in [*lines, *(f"next:   {way}" for way in ways)]:
            self.console.print(self._safe(line), markup=False, soft_wrap=True)

    def grid(self, shown: Grid, total: list[str] | None = None, most: int = MOST_ROWS) -> None:
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        class _Bottom(Text):
            """A header that stands at the bottom of its line, over cells that stand at the top."""

            vertical = "bottom"

        table = RichTable(
            box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False, safe_box=True, header_style="dim"
        )
        for label, unit, numeric in zip(shown.labels, shown.units, shown.numeric, strict=True):
            header = _Bottom(self._safe(f"{label}\n[{unit}]" if unit else label))
            # Numbers and the first column stay whole; other text folds when the line is full.
            whole = numeric or not table.columns
            justify: JustifyMethod = "right" if numeric else "left"
            table.add_column(header, justify=justify, overflow="fold", vertical="top", no_wrap=whole)
        for row in shown.rows[:most]:
            table.add_row(*(Text(self._safe(cell)) for cell in row))
        if total:
            table.add_section()
            table.add_row(*(Text(self._safe(cell), style="bold") for cell in total))
        self.console.print(table, width=self.width)
        if len(shown.rows) > most:
            rest = len(shown.rows) - most
            self.text(f"... and {rest} more row{'' if rest == 1 else 's'} in the report", style="dim")


def _fit(
    table: Table, page: _Page, columns: Sequence[str], drop: Sequence[str], labels: Mapping[str, str] | None = None
) -> Grid:
    """The columns that a line has room for; those of `drop` leave first."""
    from gigawatt.report.money_terminal import fitted  # which stands on this page

    return fitted(table, page.width, columns, drop, labels, least=LEAST_WORDS, most=len(table), cut=False)


def _wide(shown: Grid) -> int:
    """Characters of a grid and of the gap after it."""
    cells = [
        [label, f"[{unit}]", *column]
        for label, unit, *column in zip(shown.labels, shown.units, *shown.rows, strict=True)
    ]
    return sum(max(map(len, column)) + 3 for column in cells)


def _plan(result: RunResult, page: _Page) -> None:
    table = result.tables.get("plan")
    if table is None or not len(table):
        return
    page.heading("PLAN")
    columns = (
        "platform",
        "workload",
        "racks",
        "mw",
        "tokens_out_per_s",
        "capex_usd",
        "npv_usd",
        "npv_low_usd",
        "npv_high_usd",
    )
    merged = merge_points(table)
    shown = _fit(_with_total(merged), page, columns, ("npv_low_usd", "npv_high_usd", "tokens_out_per_s"))
    *rows, total = shown.rows
    page.grid(replace(shown, rows=rows), total=total if len(rows) > 1 else None)
    out = list(result.tables["excluded"].rows()) if "excluded" in result.tables else []
    if out:
        page.text("not bought: " + "; ".join(_not_bought(out)) + ".", hang=2)


def merge_points(plan: Table) -> Table:
    """The plan with one row a platform and workload: its operating points added up.

    The bands of points are added too, as if they moved together: they share their prices and calibrations.
    """
    added = (
        "racks",
        "mw",
        "tokens_in_per_s",
        "tokens_out_per_s",
        "capex_usd",
        "npv_usd",
        "npv_low_usd",
        "npv_high_usd",
    )
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    for row in plan.rows():
        key = (row.get("platform"), row.get("workload"))
        if key not in found:
            found[key] = dict(row)
            continue
        for name in added:
            if row.get(name) is not None:
                found[key][name] = (found[key].get(name) or 0.0) + row[name]
    return Table.from_rows("plan", list(found.values()), list(plan.columns), plan.units)


def _with_total(plan: Table) -> Table:
    """The plan and a last row of sums; bands are not summed over platforms, and tokens not over workloads."""
    rows = list(plan.rows())
    total: dict[str, Any] = {"platform": "total"}
    for name in ("racks", "mw", "capex_usd", "npv_usd"):
        total[name] = sum(row.get(name) or 0.0 for row in rows)
    return Table.from_rows("plan", [*rows, total], list(plan.columns), plan.units)


def _not_bought(rows: list[dict[str, Any]]) -> list[str]:
    """Those that a lower price would let in, nearest first; then the others, gathered by reason."""
    near = [row for row in rows if isinstance(row.get("price_change_needed"), (int, float))]
    near.sort(key=lambda row: -float(row["price_change_needed"]))
    said = [f"{_pair(row)} (needs a price {number(100 * float(row['price_change_needed']), 2)} %)" for row in near]
    gathered: dict[str, list[str]] = {}
    for row in rows:
        if not isinstance(row.get("price_change_needed"), (int, float)):
            gathered.setdefault(str(row.get("reason") or "").partition(":")[0], []).append(_pair(row))
    said += [f"{', '.join(pairs)} ({reason})" if reason else ", ".join(pairs) for reason, pairs in gathered.items()]
    more = len(said) - MOST_EXCLUDED
    return [*said[:MOST_EXCLUDED], f"{more} more in the report"] if more > 0 else said


def _pair(row: dict[str, Any]) -> str:
    return f"{row['platform']} on {row['workload']}" if row.get("workload") else str(row["platform"])


def _limits(result: RunResult, page: _Page) -> None:
    table = result.tables.get("limits")
    if table is None or not len(table):
        return
    page.heading("WHAT LIMITS YOU")
    rows = list(table.rows())
    words = [say.worth_of_one_more(row) for row in rows]
    columns = ["name", "used", "available", "used_share"]
    wanted = max(map(len, words))
    for leaves in ("available", "used"):  # where the line is too short for the worth, which is the answer
        if _wide(shown := grid(table, columns, {"name": "limit"})) + wanted <= page.width:
            break
        columns.remove(leaves)
    shown = grid(table, columns, {"name": "limit"})
    page.grid(
        Grid(
            [*shown.labels, "one more is worth"],
            [*shown.units, ""],
            [*shown.numeric, False],
            [[*cells, worth] for cells, worth in zip(shown.rows, words, strict=True)],
        )
    )
    for row in say.binding(result)[:MOST_LINES]:
        if row.get("words"):
            page.text(_sentence(str(row["words"])), hang=2)


def _sentence(words: str) -> str:
    text = words.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".") if text else ""


def _performance(result: RunResult, page: _Page) -> None:
    table = result.tables.get("performance")
    if table is None or not len(table):
        return
    page.heading("PERFORMANCE")
    columns: tuple[str, ...] = (
        "workload",
        "platform",
        "mode",
        "tokens_out_per_s_per_mw",
        "joules_per_token",
        "ttft_s",
        "tpot_s",
        "bound",
        "error_median",
    )
    if len(set(table.columns.get("mode", ()))) == 1:
        columns = tuple(name for name in columns if name != "mode")
    labels = {"tokens_out_per_s_per_mw": "tokens", "error_median": "error"}
    page.grid(_fit(table, page, columns, ("mode", "ttft_s", "error_median"), labels))
    sources = dict.fromkeys(
        str(row["error_source"]).partition(";")[0] for row in table.rows() if row.get("error_source")
    )
    if sources:
        page.text(f"error: median, measured on {'; '.join(sources)}", style="dim", hang=2)


def _jobs(result: RunResult, page: _Page) -> None:
    """Runs that the plan runs, each by itself."""
    table = result.tables.get("jobs")
    if table is None:
        return
    rows = [row for row in table.rows() if row["mean_racks"]]
    if not rows:
        return
    page.heading("JOBS")
    columns = ("workload", "platform", "chips", "wall_days", "chip_hours", "mwh", "mean_mw", "peak_mw", "busy_share")
    page.grid(
        _fit(
            Table.from_rows("jobs", rows, columns, table.units),
            page,
            columns,
            ("busy_share", "chip_hours"),
            {"wall_days": "wall", "mwh": "energy", "mean_mw": "mean", "peak_mw": "peak"},
        )
    )


def _power(result: RunResult, page: _Page) -> None:
    sentence = say.power(result)
    if sentence:
        page.heading("POWER")
        page.text(sentence)
    sources = result.tables.get("energy_sources")
    if sources is not None and len(sources):
        page.heading("ENERGY")
        columns = ("source", "mw", "mwh", "share", "usd_per_mwh", "all_in_usd_per_mwh", "kg_per_mwh")
        page.grid(_fit(sources, page, columns, ("kg_per_mwh", "mwh"), {"mw": "rated"}))
        page.text(sources.note)
    for row in say.rows_of(result, "plant_follows"):
        page.text(f"{row['workload']} on {row['platform']}, {row['words']}.", hang=2)


def _money(result: RunResult, page: _Page) -> None:
    table = result.tables.get("companies")
    have_metrics = len(result.metrics) > 0
    if (table is None or not len(table)) and not have_metrics:
        return
    page.heading("MONEY")
    if table is not None and len(table):
        columns = (
            "company",
            "revenue_usd",
            "cash_out_usd",
            "net_cash_usd",
            "npv_usd",
            "npv_low_usd",
            "npv_high_usd",
            "irr",
            "min_cash_usd",
        )
        page.grid(_fit(table, page, columns, ("min_cash_usd", "cash_out_usd", "npv_low_usd", "npv_high_usd")))
    page.text(say.contracts(result))
    if have_metrics:
        page.text("Headlines, with the fleet held [P10 - P90]:", style="dim")
        for row in result.metrics.rows():
            if row["name"] in SHOWN_ABOVE:
                continue
            band = span(row.get("low"), row.get("high"), row.get("unit") or "")
            name = words_of(str(row["name"]))
            value = quantity(row.get("value"), row.get("unit") or "")
            page.text(f"{name:<34} {value:>18}   {f'[{band}]' if band else ''}".rstrip(), indent=2, hang=2)


def _moats(result: RunResult, page: _Page) -> None:
    said = say.moats(result)
    if said:
        page.heading("MOATS")
        for line in said:
            page.text(line, hang=2)


def _further(result: RunResult, page: _Page) -> None:
    """Tables of what a scenario asks besides."""
    for name in FURTHER:
        table = result.tables.get(name)
        if table is not None and len(table):
            page.heading((table.title or words_of(name)).upper())
            page.grid(_fit(table, page, (), ("fabric", "site", "chip")))
            page.text(table.note, style="dim", hang=2)


def _doubts(result: RunResult, page: _Page) -> None:
    told = {"Left out": result.texts.get("left_out", []), "Weakest inputs": say.weakest_lines(result)}
    for words, found in told.items():
        lines = [line.strip().rstrip(".") for line in found if line.strip()]
        if lines:
            page.console.print()
            more = f"; {len(lines) - MOST_LINES} more in the report" if len(lines) > MOST_LINES else ""
            page.text(f"{words}: " + "; ".join(lines[:MOST_LINES]) + more + ".", hang=2)


def _ways_on(result: RunResult, page: _Page, folder: Path | None) -> None:
    page.console.print()
    page.ending(folder, result.texts.get("next", [])[:MOST_WAYS])

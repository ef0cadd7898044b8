"""`market`: who can make how much, what binds, what comes next?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gigawatt.cli.backtest_files import backtest_answer, backtest_table, is_backtest
from gigawatt.cli.output import console, folder_for, print_json, print_table
from gigawatt.cli.questions import day_of

if TYPE_CHECKING:
    from gigawatt.core.table import Table
    from gigawatt.study.result import RunResult

Set = Annotated[list[str], typer.Option("--set", help="Change an input: path=value. Repeatable.", metavar="PATH=VALUE")]
Overlay = Annotated[list[Path], typer.Option("--overlay", help="A folder with your own catalog records. Repeatable.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]
MOST_ROWS = 14
# What a terminal has room for; sources and all else are in the page and in JSON.
SHOWN: dict[str, tuple[str, ...]] = {
    "quarters": ("quarter", "status", "revenue_usd", "low_usd", "high_usd", "data_centre_usd", "supply_gw", "backlog_gw",
                 "shipped_gw", "cover_ratio", "binding_side", "binding_input"),
    "binding": ("input", "unit", "stock", "need_per_gw", "allows_gw", "used_share", "worth_usd", "room_gw", "binds_at",
                "binds_share"),
    "forecast_rows": ("words", "value_usd", "low_usd", "high_usd", "past_errors", "actual_usd", "error_share", "held"),
    "windows": ("window", "past_errors", "half_width_usd", "low_usd", "high_usd"),
    "backtest": ("rule", "quarters", "mape_share", "bias_share", "hits", "trials", "median_width_share", "naive_width_share",
                 "forecast_usd", "actual_usd", "error_share"),
    "growth": ("regime", "quarter", "growth_share", "increment_usd"),
    "compare": ("id", "quarter", "value_usd", "beside_usd", "ratio"),
    "backlog_fan": ("quarter", "backlog_p10_gw", "backlog_p50_gw", "backlog_p90_gw", "revenue_p10_usd", "revenue_p50_usd",
                    "revenue_p90_usd", "supply_limited_share"),
    "rent_fan": ("quarter", "rent_p10", "rent_p50", "rent_p90", "rent_mean", "glut_share", "exact_glut_share"),
    "tokens": ("model", "as_of", "input", "output", "realised_low", "realised", "realised_high", "ahead"),
    "token_families": ("family", "first", "last", "years", "first_output", "last_output", "decline_share"),
    "ramp": ("input", "gw_per_year_now", "gw_per_year_at_end", "needed_multiple", "short_from", "lead_quarters", "order_by",
             "late_quarters", "first_share"),
}  # fmt: skip


def market(
    file: Annotated[Path, typer.Argument(help="A market file, or a back-test.")],
    set_: Set = [],
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Use only what was known by a day.", metavar="DATE")
    ] = None,
    overlay: Overlay = [],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Run folder (default runs/NAME).")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Answer only; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Who can make how much, what binds, what comes next?

    Examples:  gigawatt market examples/market/vendors-quarters.yaml
               gigawatt market examples/market/linear-supply-forecast.yaml --as-of 2025-09-15
    """
    if is_backtest(file):
        answer = backtest_answer(file, set_)
        print_json(answer) if as_json else print_table(backtest_table(answer))
        return
    from gigawatt.catalog import Catalog
    from gigawatt.study.market.run import run_market
    from gigawatt.study.market.scenario import load_market

    loaded = load_market(file, set_, day_of(as_of))
    catalog = Catalog.load(tuple(overlay))
    if sys.stderr.isatty() and not as_json:
        with console(stderr=True).status("reading") as status:
            result = run_market(loaded, status.update, catalog)
    else:
        result = run_market(loaded, catalog=catalog)
    folder = None
    if not no_report:
        from gigawatt.report.files import write_run

        folder = write_run(filed(result), folder_for(loaded.market.name, output))
    if as_json:
        print_json(result.as_json() | ({"folder": str(folder)} if folder else {}))
        return
    show(result, folder)


def filed(result: RunResult) -> RunResult:
    """The run as its folder holds it: there 'quarters' is a ledger's cash by quarter, so the market's stand apart."""
    from dataclasses import replace

    names = {"quarters": "market_quarters"}
    tables = {names.get(name, name): replace(t, name=names.get(name, name)) for name, t in result.tables.items()}
    return replace(result, tables=tables)


def show(result: RunResult, folder: Path | None) -> None:
    """The answer in the terminal: sentences, then the tables in the columns that fit."""
    out = console()
    out.print(result.title or result.name, style="bold", markup=False)
    for line in result.texts.get("answer", []):
        out.print(line, markup=False)
    for name, columns in SHOWN.items():
        if name in result.tables:
            out.print()
            print_table(_shown(result.tables[name], columns))
    for line in (*result.texts.get("notes", []), *result.texts.get("left_out", [])):
        out.print(f"- {line}", style="dim", markup=False)
    if folder is not None:
        out.print(f"\nreport: {folder / 'report.html'}", markup=False, soft_wrap=True)


def _shown(table: Table, columns: tuple[str, ...]) -> Table:
    """The columns asked for that say anything, scaled for people; of a long table the last rows."""
    from gigawatt.core.table import Table
    from gigawatt.report.grid import grid

    kept = [
        name
        for name in columns
        if name in table.columns and any(one is not None and one == one for one in table.columns[name])
    ]
    rows = list(table.rows())[-MOST_ROWS:]
    made = grid(Table.from_rows(table.name, rows, list(table.columns), table.units), tuple(kept))
    cells = zip(*made.rows, strict=True)
    return Table(
        table.name, dict(zip(made.headers(), map(list, cells), strict=True)), title=table.title, note=table.note
    )


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("market")(market)

"""`query`, `export` and `report`: what a run folder knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gigawatt.cli.output import console, print_json, print_table

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]
To = Annotated[Path | None, typer.Option("--to", metavar="FILE|FOLDER", help="Write there: .xlsx, .csv, .parquet.")]
As = Annotated[str, typer.Option("--as", help="The format, where the name does not say it: xlsx, csv, parquet.")]
Folders = Annotated[
    list[str], typer.Option("--run", help="A run or sweep folder, or a pattern ('runs/*'). Repeatable.")
]
MOST_ROWS = 200  # printed; --json and --to have all
Folder = Annotated[Path | None, typer.Option("--run", help="A run folder (default: the newest below runs/).")]


def query(
    sql: Annotated[str, typer.Argument(help="SQL over the tables of runs, such as 'select * from plan'.")] = "",
    run: Folders = [],
    tables: Annotated[bool, typer.Option("--tables", help="List tables with columns and units.")] = False,
    to: To = None,
    as_: As = "",
    as_json: Json = False,
) -> None:
    """My results as tables: SQL over run and sweep folders (read only).

    Of several folders the tables of one name are one, with a first column 'run'; a sweep's scenarios are 'runs'.

    Examples:  gigawatt query 'select platform, workload, racks from plan order by racks desc'
               gigawatt query "select run, value from metrics where name = 'system_npv'" --run 'runs/*'
               gigawatt query 'select * from plan' --to plan.csv
               gigawatt query --tables --run runs/one-gigawatt
    """
    from gigawatt.core.errors import InputError, Problem
    from gigawatt.study.explain import newest_run
    from gigawatt.study.query import query_tables, tables_in

    held = tables_in(run or [newest_run(None)])
    if tables:
        table = held.listed()
    elif sql:
        table = query_tables(held, sql)
    else:
        raise InputError(Problem("no_sql", "there is no SQL", None, ("list tables with their columns: --tables",)))
    if to is not None:
        from gigawatt.report.export import bundle_of_query, export

        _wrote(export(bundle_of_query(table, sql or "--tables", held), to, as_, single=True), as_json)
        return
    print_json({"rows": table.as_json(), "units": dict(table.units)}) if as_json else print_table(table, MOST_ROWS)


def export(
    run: Annotated[Path | None, typer.Argument(help="A run or sweep folder (default: the newest below runs/).")] = None,
    to: To = None,
    table: Annotated[list[str], typer.Option("--table", help="Only this table. Repeatable.")] = [],
    as_: As = "",
    as_json: Json = False,
) -> None:
    """My results for other programs: xlsx, CSV or Parquet, with units and sources.

    A workbook is one file. CSV and Parquet are a folder with a file a table; with one --table they are that file.

    Examples:  gigawatt export runs/one-gigawatt --to plan.xlsx
               gigawatt export --to tables --as csv
               gigawatt export runs/one-gigawatt --to plan.parquet --table plan
    """
    from gigawatt.core.errors import InputError, Problem
    from gigawatt.report.export import bundle_of_folder
    from gigawatt.report.export import export as write
    from gigawatt.study.explain import newest_run

    if to is None:
        hints = ("for example: --to tables.xlsx", "or --to FOLDER --as csv")
        raise InputError(Problem("no_place", "say where the tables go", None, hints))
    bundle = bundle_of_folder(run or newest_run(None), table)
    _wrote(write(bundle, to, as_, single=len(table) == 1), as_json)


def _wrote(files: list[Path], as_json: bool) -> None:
    if as_json:
        print_json({"files": [str(file) for file in files]})
        return
    for file in files:
        console().print(str(file), soft_wrap=True, markup=False)


def report(run: Folder = None, as_json: Json = False) -> None:
    """The page of a run: where it is, or made again from its tables."""
    from gigawatt.report.files import rewrite_report
    from gigawatt.study.explain import newest_run

    page = rewrite_report(newest_run(run))
    print_json({"report": str(page)}) if as_json else console().print(str(page), soft_wrap=True)


def add(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("query")(query)
    app.command("export")(export)
    app.command("report")(report)

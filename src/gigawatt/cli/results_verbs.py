"""`query` and `report`: what a run folder knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gigawatt.cli.output import console, print_json, print_table

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]
Folder = Annotated[Path | None, typer.Option("--run", help="A run folder (default: the newest below runs/).")]


def query(
    sql: Annotated[str, typer.Argument(help="SQL over the tables of a run, such as 'select * from plan'.")],
    run: Folder = None,
    as_json: Json = False,
) -> None:
    """My results as tables: SQL over a run folder (read only).

    Example:  gigawatt query 'select platform, workload, racks from plan order by racks desc'
    """
    from gigawatt.study.explain import newest_run
    from gigawatt.study.query import query_run

    table = query_run(newest_run(run), sql)
    print_json({"rows": table.as_json()}) if as_json else print_table(table)


def report(run: Folder = None, as_json: Json = False) -> None:
    """The page of a run: where it is, or made again from its tables."""
    from gigawatt.report.files import rewrite_report
    from gigawatt.study.explain import newest_run

    page = rewrite_report(newest_run(run))
    print_json({"report": str(page)}) if as_json else console().print(str(page), soft_wrap=True)


def add(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("query")(query)
    app.command("report")(report)

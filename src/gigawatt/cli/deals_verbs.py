"""`deals`: who pays whom when, how circular, who breaks first?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gigawatt.cli.output import console, folder_for, print_json

Set = Annotated[list[str], typer.Option("--set", help="Change an input: path=value. Repeatable.", metavar="PATH=VALUE")]
Overlay = Annotated[list[Path], typer.Option("--overlay", help="A folder with your own catalog records. Repeatable.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Use only what was known on that day, such as 2025-09-24.", metavar="DATE")
]


def deals(
    file: Annotated[Path, typer.Argument(help="A deals file, a project file or a back-test.")],
    as_of: AsOf = None,
    set_: Set = [],
    overlay: Overlay = [],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Run folder (default runs/NAME).")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Answer only; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Who pays whom when, how circular is it, who breaks first?

    Examples:  gigawatt deals examples/deals/circular-loop-late-2026.yaml
               gigawatt deals examples/deals/circular-loop-late-2026.yaml --as-of 2025-09-24
               gigawatt deals mine.yaml --set companies.lab.opening.0.cash='20 billion USD'
    """
    from gigawatt.catalog import Catalog
    from gigawatt.cli.questions import answer

    catalog = Catalog.load(tuple(overlay))
    show = sys.stderr.isatty() and not as_json
    if show:
        with console(stderr=True).status("reading") as status:
            found = answer(file, set_, as_of, catalog, ("deals", "project"), status.update)
    else:
        found = answer(file, set_, as_of, catalog, ("deals", "project"))
    if isinstance(found, dict):
        show_outputs(found, as_json)
        return
    folder = None
    if not no_report:
        from gigawatt.report.files import write_run

        folder = write_run(found, folder_for(found.name, output))
    if as_json:
        print_json(found.as_json() | ({"folder": str(folder)} if folder else {}))
        return
    from gigawatt.report.money_terminal import render_money

    render_money(found, console(), folder=folder)


def show_outputs(found: dict[str, Any], as_json: bool) -> None:
    """The named outputs of a back-test."""
    if as_json:
        print_json(found)
        return
    from gigawatt.cli.output import print_table
    from gigawatt.core.table import Table

    outputs = found["outputs"]
    note = f"class: {found['class']}. {found.get('reading', '')}".strip()
    print_table(
        Table("outputs", {"output": list(outputs), "value": list(outputs.values())}, title=found["title"], note=note)
    )


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("deals")(deals)

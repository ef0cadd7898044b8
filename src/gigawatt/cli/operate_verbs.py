"""`operate`: what happens in this site in a day, hour by hour?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gigawatt.cli.options import OUT, AsJson, Changes, NoReport, Overlays
from gigawatt.cli.output import console, kept, print_result, watched

HELP = """What happens in this site in a day, hour by hour?

The fleet is that of the scenario's plan. Racks move between its services and runs under the hour's power: weather, price
of energy, curtailments, outages and failures by the hour; what a MW more is worth in each, who pays whom, and what steering
earns over racks that are tied to one work. The scenario's `operate:` says the day and what befalls it.

Examples:

  gigawatt operate examples/operate/four-jobs-one-site.yaml

  gigawatt operate examples/one-gigawatt.yaml --day 2027-01-15 --json

  gigawatt operate mine.yaml --set operate.days=7 --set site.grid_power='80 MW' -o week
"""


def operate(
    file: Annotated[Path, typer.Argument(help="A scenario file, as `run` takes it.")],
    day: Annotated[
        str, typer.Option("--day", help="The (first) day: 2027-07-15 (default: the hottest).", rich_help_panel=OUT)
    ] = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Run folder (default runs/NAME-operate).", rich_help_panel=OUT)
    ] = None,
    no_report: NoReport = False,
    set_: Changes = [],
    overlay: Overlays = [],
    as_json: AsJson = False,
) -> None:
    """Answer for a day; see `HELP`."""
    from gigawatt.catalog import Catalog
    from gigawatt.study.load import load
    from gigawatt.study.operate.answer import run_operate
    from gigawatt.study.questions import refuse_other

    refuse_other(file, "operate", ("operate", "plan"))
    loaded = load(file, [*set_, *([f"operate.day={day}"] if day else [])])
    catalog = Catalog.load(tuple(overlay))
    found = watched(lambda say: run_operate(loaded, say, catalog), as_json, overlay)
    folder = kept(found, output, no_report)
    if as_json:
        print_result(found, folder)
        return
    from gigawatt.report.operate_terminal import render_operate

    render_operate(found, console(), folder)


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("operate", help=HELP)(operate)

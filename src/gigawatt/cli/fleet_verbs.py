"""`fleet`: what do I build when, over years?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gigawatt.cli.options import OUT, AsJson, Changes, NoReport, Overlays
from gigawatt.cli.output import console, kept, print_result, watched

HELP = """What do I build when, over years?

Reads the scenario of `gigawatt run` with its section build_out: quarters, a ramp of power, capital by steps, offers
that come later, demand and prices that change. Purchases, retirements and use of every quarter are chosen at once;
deciding with a window that rolls, or from quarter to quarter, is shown beside it.

Examples:

  gigawatt fleet examples/build-out.yaml

  gigawatt fleet examples/build-out.yaml --policy rolling --window 4

  gigawatt fleet examples/build-out.yaml --set site.grid_power='2 GW' --json -o runs/two
"""
HOW = "How it is decided"


def fleet(
    file: Annotated[Path, typer.Argument(help="A scenario file, with a section build_out or without one.")],
    policy: Annotated[
        str, typer.Option("--policy", help="perfect, rolling or myopic (the file's).", rich_help_panel=HOW)
    ] = "",
    window: Annotated[
        int | None,
        typer.Option("--window", min=1, max=160, help="Quarters of a window that rolls.", rich_help_panel=HOW),
    ] = None,
    set_: Changes = [],
    overlay: Overlays = [],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Run folder (default runs/NAME-fleet).", rich_help_panel=OUT)
    ] = None,
    no_report: NoReport = False,
    as_json: AsJson = False,
) -> None:
    """Answer with a build-out; see `HELP`."""
    from gigawatt.catalog import Catalog
    from gigawatt.core.errors import InputError, unknown_name
    from gigawatt.study.fleet.answer import POLICIES, run_fleet
    from gigawatt.study.load import load
    from gigawatt.study.questions import refuse_other

    chosen = next((name for name in POLICIES if name == policy), None)
    if policy and chosen is None:
        raise InputError(unknown_name("policy", policy, POLICIES))
    refuse_other(file, "fleet", ("plan",))
    loaded = load(file, set_)
    catalog = Catalog.load(tuple(overlay))
    found = watched(lambda say: run_fleet(loaded, say, catalog, chosen, window), as_json, overlay)
    folder = kept(found, output, no_report)
    if as_json:
        print_result(found, folder)
        return
    from gigawatt.report.fleet_terminal import render_fleet

    render_fleet(found, console(), folder)


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("fleet", help=HELP)(fleet)

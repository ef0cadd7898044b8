"""`moats`: what is each moat worth, to whom, under which limit?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gigawatt.cli.options import AsJson, Changes, Overlays
from gigawatt.cli.output import console, kept, print_result, watched

HELP = """What is each moat worth, to whom, under which limit?

Software, networking and performance per watt of a vendor, each taken away and given to its rivals, in this site under
one limit at a time: power, capital, chips, demand, an export ban, an open software stack. USD per MW and year with
bands, Shapley values with their sign, prices that the moats carry, and maps of which matters where.

Examples:

  gigawatt moats examples/one-gigawatt.yaml

  gigawatt moats examples/one-gigawatt.yaml --rival mi355x --basis fp4

  gigawatt moats examples/one-gigawatt.yaml --regimes power,chips,export --samples 1000

  gigawatt moats examples/one-gigawatt.yaml --set site.energy_price='120 USD/MWh' -o runs/dear-power
"""


def moats(
    file: Annotated[Path, typer.Argument(help="A scenario file, as for 'run'.")],
    vendor: Annotated[str, typer.Option("--vendor", help="Whose moats (default: the maker of the first offer).")] = "",
    rival: Annotated[str, typer.Option("--rival", help="The offer whose values stand in where a moat is off.")] = "",
    basis: Annotated[
        str, typer.Option("--basis", help="Of performance per watt: measured, fp4, fp8, bf16 (dense peaks).")
    ] = "",
    regimes: Annotated[
        str, typer.Option("--regimes", help="power,capital,chips,demand,export,open-software,as-given (all).")
    ] = "",
    samples: Annotated[int | None, typer.Option("--samples", help="Draws for the bands (200).")] = None,
    no_map: Annotated[bool, typer.Option("--no-map", help="Leave the maps out.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Run folder (default runs/NAME-moats).")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Answer only; write nothing.")] = False,
    set_: Changes = [],
    overlay: Overlays = [],
    as_json: AsJson = False,
) -> None:
    """Price the moats of a scenario; see `HELP`."""
    from gigawatt.catalog import Catalog
    from gigawatt.study.moats.answer import answer_moats
    from gigawatt.study.moats.file import load_moats
    from gigawatt.study.questions import refuse_other

    refuse_other(file, "moats", ("plan",))
    words = {"vendor": vendor, "rival": rival, "basis": basis}
    given: dict[str, Any] = {name: value for name, value in words.items() if value}
    if regimes:
        given["regimes"] = [name.strip() for name in regimes.split(",") if name.strip()]
    if samples is not None:
        given["samples"] = samples
    if no_map:
        given["map"] = False
    loaded = load_moats(file, set_, given)
    catalog = Catalog.load(tuple(overlay))
    result = watched(lambda say: answer_moats(loaded, say, catalog), as_json, overlay)
    folder = kept(result, output, no_report)
    if as_json:
        rows = result.tables["moats"].as_json() if "moats" in result.tables else []
        keys = {"rows": rows, "total": {}, "premium": {}, "extras": []}
        print_result(result, folder, first=keys)
        return
    from gigawatt.report.moat_terminal import render_moats

    render_moats(result, console(), folder)


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("moats", help=HELP)(moats)

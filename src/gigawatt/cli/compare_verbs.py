"""`compare`: why do these two differ?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gigawatt.cli.options import OUT, AsJson, NoReport
from gigawatt.cli.output import console, kept, print_result, watched

HELP = """Why do these two differ?

Moves one group of inputs at a time from A to B (site, energy price, offers, work, prices, capital, contracts, ...) and
says what each step is worth; the steps sum to the gap. A and B are files of one question, run folders, or one file with
inputs changed. The order of the steps matters: they go in the order of the data, in that of --order, or (--shapley, and
by itself where groups are few) are the mean over all orders, with the spread.

Examples:

  gigawatt compare examples/one-gigawatt.yaml examples/slack-capital.yaml

  gigawatt compare examples/one-rack.yaml --set site.energy_price='30 USD/MWh' --set horizon.years=4

  gigawatt compare runs/one-gigawatt mine.yaml --metric operator_npv --shapley

  gigawatt compare a.yaml b.yaml --order capital,fleet,site --json
"""
WHAT = "What differs"


def compare(
    a: Annotated[Path, typer.Argument(help="A file of any question, or a run folder.")],
    b: Annotated[Path | None, typer.Argument(help="Another one (none: A with --set).")] = None,
    set_: Annotated[
        list[str], typer.Option("--set", metavar="PATH=VALUE", help="Change B. Repeatable.", rich_help_panel=WHAT)
    ] = [],
    set_a: Annotated[
        list[str], typer.Option("--set-a", metavar="PATH=VALUE", help="Change A. Repeatable.", rich_help_panel=WHAT)
    ] = [],
    overlay: Annotated[
        list[Path],
        typer.Option(
            "--overlay", help="A folder with your own records (or a run's). Repeatable.", rich_help_panel=WHAT
        ),
    ] = [],
    overlay_b: Annotated[
        list[Path], typer.Option("--overlay-b", help="The folders of B, where they differ.", rich_help_panel=WHAT)
    ] = [],
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Deals, market: as known by that day.", rich_help_panel=WHAT)
    ] = None,
    verb: Annotated[
        str | None, typer.Option("--verb", help="fleet, moats or operate of a site's scenario.", rich_help_panel=WHAT)
    ] = None,
    metric: Annotated[
        str, typer.Option("--metric", help="Whose gap is taken apart (the objective's NPV).", rich_help_panel=OUT)
    ] = "",
    order: Annotated[
        str, typer.Option("--order", help="Groups or paths, first to move first.", rich_help_panel=OUT)
    ] = "",
    shapley: Annotated[bool, typer.Option("--shapley", help="The mean over all orders.", rich_help_panel=OUT)] = False,
    orders: Annotated[
        int, typer.Option("--orders", min=2, max=10_000, help="Drawn of many groups' orders.", rich_help_panel=OUT)
    ] = 32,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Run folder (default runs/A-to-B).", rich_help_panel=OUT)
    ] = None,
    no_report: NoReport = False,
    as_json: AsJson = False,
) -> None:
    """Take the gap between two answers apart; see `HELP`."""
    from gigawatt.study.compare import compare as take_apart

    result = watched(
        lambda say: take_apart(
            a,
            b,
            set_a=set_a,
            set_b=set_,
            verb=verb,
            metric=metric,
            order=order,
            shapley=shapley,
            orders=orders,
            overlays=overlay,
            overlays_b=overlay_b or None,
            as_of=as_of,
            progress=say,
        ),
        as_json,
    )
    folder = kept(result, output, no_report)
    if as_json:
        print_result(result, folder, first={"steps": []})
        return
    from gigawatt.report.compare_terminal import render_compare

    render_compare(result, console(), folder)


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("compare", help=HELP)(compare)

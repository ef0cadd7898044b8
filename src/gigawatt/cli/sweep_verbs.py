"""`sweep`: how does it change over a grid?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gigawatt.cli.options import AsJson, Changes, Overlays
from gigawatt.cli.output import console, folder_for, print_result
from gigawatt.core.errors import GigawattError, Interrupted

HELP = """How does it change over a grid?

Asks a question again and again with other inputs: values of a grid, inputs that move together,
draws from laws, named cases, and all products of these, over any dotted path that --set takes.
FILE is a scenario, any other question, or a file that says 'question: sweep'. Every scenario is a
row of the folder's parts/, those that can not be with their reason. The same command goes on where
a stopped sweep was; nothing that is finished is lost.

Exit code 0 also where some scenarios are infeasible, 1 where none is feasible, 130 after Ctrl-C.

Examples:

  gigawatt sweep examples/one-gigawatt.yaml --grid 'site.energy_price=30..90 USD/MWh/7'

  gigawatt sweep examples/one-rack.yaml --grid site.place=ohio,norway --grid 'discount_rate=8 %,10 %'

  gigawatt sweep examples/one-rack.yaml --zip 'horizon.years=4,5' --zip 'discount_rate=8 %,9 %'

  gigawatt sweep examples/one-rack.yaml --sample 'site.energy_price=lognormal 1.25' --samples 64

  gigawatt sweep examples/one-rack.yaml --case 'dear: site.energy_price=90 USD/MWh' --case as-is

  gigawatt sweep examples/sweeps/site-and-prices.yaml --workers 8 -o runs/overnight

  gigawatt query 'select "site.place", max(system_npv) from runs group by 1' --run runs/overnight
"""
JSON_RUNS = 10_000  # rows in --json; all are in the folder
DESIGN, HOW, OUT = "What changes", "How it is worked out", "Results"


def sweep(
    file: Annotated[Path, typer.Argument(help="A scenario, another question, or a sweep's own file.")],
    grid: Annotated[
        list[str],
        typer.Option(
            "--grid",
            metavar="PATH=VALUES",
            help="v1,v2,... or low..high/n, with ends; then log for ratios.",
            rich_help_panel=DESIGN,
        ),
    ] = [],
    zip_: Annotated[
        list[str],
        typer.Option(
            "--zip", metavar="PATH=VALUES", help="Inputs that move together. Repeatable.", rich_help_panel=DESIGN
        ),
    ] = [],
    sample: Annotated[
        list[str],
        typer.Option(
            "--sample",
            metavar="PATH=LAW",
            help="'lognormal 1.2', 'uniform 30..90 USD/MWh', {dist: ...}.",
            rich_help_panel=DESIGN,
        ),
    ] = [],
    samples: Annotated[
        int | None, typer.Option("--samples", help="Draws of the laws (256).", rich_help_panel=DESIGN)
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the draws.", rich_help_panel=DESIGN)] = None,
    case: Annotated[
        list[str],
        typer.Option(
            "--case",
            metavar="'NAME: PATH=VALUE; ...'",
            help="A named set of changes. Repeatable.",
            rich_help_panel=DESIGN,
        ),
    ] = [],
    verb: Annotated[
        str, typer.Option("--verb", help="Who answers: run, fleet, moats, operate, ...", rich_help_panel=DESIGN)
    ] = "",
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Deals and market: as known by that day.", rich_help_panel=DESIGN)
    ] = None,
    set_: Changes = [],
    overlay: Overlays = [],
    engine: Annotated[
        str, typer.Option("--engine", help="serial, pool (processes), ray (a cluster).", rich_help_panel=HOW)
    ] = "pool",
    workers: Annotated[
        int | None, typer.Option("--workers", help="How many (one a core).", rich_help_panel=HOW)
    ] = None,
    address: Annotated[str | None, typer.Option("--address", help="Of a Ray cluster.", rich_help_panel=HOW)] = None,
    chunk: Annotated[int | None, typer.Option("--chunk", help="Scenarios of a part.", rich_help_panel=HOW)] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh/--resume", help="Begin again, or go on where it was.", rich_help_panel=HOW)
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="A line now and then on stderr.", rich_help_panel=HOW)
    ] = False,
    metric: Annotated[
        list[str],
        typer.Option("--metric", help="To look at; the first decides what is best. Repeatable.", rich_help_panel=OUT),
    ] = [],
    best: Annotated[
        str, typer.Option("--best", help="highest or lowest (by the metric's name).", rich_help_panel=OUT)
    ] = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The folder (default runs/NAME-sweep).", rich_help_panel=OUT)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a question over a design; see `HELP`."""
    from gigawatt.report.files import add_run
    from gigawatt.study.executors import WorkerLost, executor_of
    from gigawatt.study.sweep import Stopped, Sweep, answer_sweep, drive, first_runs

    asked = Sweep.of(
        file,
        verb or None,
        grid=grid,
        zip_=zip_,
        sample=sample,
        samples=samples,
        seed=seed,
        cases=case,
        metrics=metric,
        chunk=chunk,
        overrides=set_,
        overlays=overlay,
        as_of=as_of,
    )
    executor = executor_of(engine, workers, address)
    folder = folder_for(asked.name, output)
    try:
        with _watch(as_json, verbose) as watch, drive(asked, folder, executor, watch, fresh, _lowest(best)) as swept:
            watch.say("reading the parts")
            result = answer_sweep(swept)
            add_run(result, folder)
            runs = first_runs(swept, JSON_RUNS) if as_json else []
    except Stopped as stop:
        raise Interrupted(str(stop)) from None
    except WorkerLost as lost:
        kept = f"what is finished is kept in '{folder}', and the same command goes on from there"
        raise GigawattError(f"{lost}; {kept}") from None
    tally = swept.tally
    if as_json:
        more = {
            "seconds": swept.seconds,
            "engine": swept.engine,
            "resumed": tally.found,
            "left_out": tally.total - len(runs),
        }
        print_result(
            result, folder, first={"runs": runs, "best": [], "worst": [], "effects": []}, more=more | {"runs": runs}
        )
    else:
        from gigawatt.report.sweep_terminal import render_sweep

        render_sweep(result, console(), folder)
    if not tally.feasible:
        raise typer.Exit(3 if tally.statuses.get("failed", 0) == tally.total else 1)


def _lowest(best: str) -> bool | None:
    from gigawatt.core.errors import InputError, Problem, Where

    if best not in ("", "highest", "lowest"):
        raise InputError(Problem("bad_option", f"--best is highest or lowest, not '{best}'", Where("--best")))
    return {"highest": False, "lowest": True}.get(best)


def _watch(as_json: bool, verbose: bool) -> Any:
    """Somebody who looks on: a bar at a terminal, lines with --verbose, else nobody."""
    from contextlib import nullcontext

    from gigawatt.report.sweep_terminal import Bar, Line
    from gigawatt.study.sweep.drive import Unwatched

    out = console(stderr=True)
    if out.is_terminal and not as_json:
        return Bar(out)
    return Line(out) if verbose else nullcontext(Unwatched())


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("sweep", help=HELP)(sweep)

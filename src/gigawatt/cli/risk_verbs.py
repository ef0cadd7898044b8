"""`risk`: how sure are we, and what matters?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gigawatt.cli.options import OUT, AsJson, Changes, NoReport, Overlays
from gigawatt.cli.output import console, kept, print_result, watched

DRAWN = "What is drawn"
HELP = """How sure are we, and what matters?

Draws prices, ranges of the catalog and errors of the calibrations (Sobol' sequence, correlated as asked), revalues the plan in
every draw without asking physics again, and answers with P10, P50, P90, the chance of a loss and of breaking each covenant, the
mean of the worst 5 and 10 %, what each input does to it (tornado, Sobol' indices, Shapley effects), and whether the draws are
enough. A project is drawn by its own laws; any other file by the paths that --vary names, each draw a whole answer.

Examples:

  gigawatt risk examples/one-gigawatt.yaml --samples 100000

  gigawatt risk examples/one-gigawatt.yaml --metric dscr_min --covenant 'dscr_min>=1.3'

  gigawatt risk examples/one-gigawatt.yaml --vary 'discount_rate=8..14 %' --vary 'contracts.offtake.price=x1.3'

  gigawatt risk examples/one-gigawatt.yaml --correlate fleet.list_price,workloads.chat.price=0.6 --reoptimise

  gigawatt risk examples/projects/cloud-contract-with-debt.yaml --metric dscr_min

  gigawatt risk examples/projects/cloud-contract-with-debt.yaml --vary 'project.opex.running.share_of_revenue=10..25 %'
"""


def risk(
    file: Annotated[Path, typer.Argument(help="A scenario, a project, or any other question.")],
    samples: Annotated[
        int | None, typer.Option("--samples", help="Draws (the file's; 16,384; 64 whole answers).", rich_help_panel=DRAWN)
    ] = None,
    metric: Annotated[str, typer.Option("--metric", help="Whose causes are sought (the objective's NPV).")] = "",
    vary: Annotated[
        list[str],
        typer.Option("--vary", metavar="PATH=LAW", help="lognormal(gsd=1.2), 40..75 USD/MWh, x1.2. Repeatable.",
                     rich_help_panel=DRAWN),
    ] = [],
    correlate: Annotated[
        list[str],
        typer.Option("--correlate", metavar="A,B=RHO", help="Rank correlation of inputs. Repeatable.", rich_help_panel=DRAWN),
    ] = [],
    covenant: Annotated[
        list[str], typer.Option("--covenant", metavar="METRIC>=LEVEL", help="How often is it broken? Repeatable.")
    ] = [],
    reoptimise: Annotated[
        bool, typer.Option("--reoptimise", help="Choose the fleet anew in each draw too.", rich_help_panel=DRAWN)
    ] = False,
    no_catalog: Annotated[
        bool, typer.Option("--no-catalog", help="Leave the catalog's ranges out.", rich_help_panel=DRAWN)
    ] = False,
    verb: Annotated[
        str, typer.Option("--verb", metavar="VERB", help="Of another answer to a scenario: fleet, moats, operate.")
    ] = "",
    as_of: Annotated[str | None, typer.Option("--as-of", help="For deals and market: as known on that day.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Run folder (default runs/NAME-risk).", rich_help_panel=OUT)
    ] = None,
    no_report: NoReport = False,
    set_: Changes = [],
    overlay: Overlays = [],
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Draw a question; see `HELP`."""
    from gigawatt.catalog import Catalog
    from gigawatt.core.errors import Problems
    from gigawatt.study.risk import words
    from gigawatt.study.risk.answer import Words, run_risk

    problems = Problems()
    laws = words.laws(vary, problems)
    pairs = words.correlations(correlate, problems)
    bounds = words.covenants(covenant, problems)
    problems.raise_if_any()
    said = Words(samples, metric, laws, tuple(pairs), tuple(bounds), reoptimise, False if no_catalog else None, verb, as_of,
                 tuple(overlay))  # fmt: skip
    catalog = Catalog.load(tuple(overlay))
    result = watched(lambda say: run_risk(file, set_, said, catalog, say), as_json, overlay)
    folder = kept(result, output, no_report)
    if as_json:
        shown = {
            name: table for name, table in result.tables.items() if name != "draws"
        }  # those stay in the run folder
        print_result(replace(result, tables=shown), folder, first={"sensitivity": [], "covenants": []})
        return
    from gigawatt.report.risk_terminal import render_risk

    render_risk(result, console(), folder)


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("risk", help=HELP)(risk)

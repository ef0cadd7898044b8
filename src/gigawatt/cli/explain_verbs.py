"""`explain`: where does this number come from?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gigawatt.cli.output import console, print_json

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]
Folder = Annotated[Path | None, typer.Option("--run", help="A run folder (default: the newest below runs/).")]
Depth = Annotated[
    int | None, typer.Option("--depth", min=0, help="Levels shown (default: as many as fit; 0: all of them).")
]


def explain(
    metric: Annotated[str, typer.Argument(help="A headline metric, such as system_npv; 'list' shows all.")],
    run: Folder = None,
    depth: Depth = None,
    as_json: Json = False,
) -> None:
    """Where does this number come from? Formulas, choices, fits and facts, down to the line of each fact's file.

    Before each operand stands how it joins the others: + x / -; < the least, > the most; ~ is what a value rests on.

    Example:  gigawatt explain revenue_per_mw_year

              gigawatt explain capex --depth 0

              gigawatt explain list --run runs/one-gigawatt
    """
    from gigawatt.report.explain_terminal import render, render_list
    from gigawatt.study.explain import newest_run
    from gigawatt.study.explained.asked import LIST, explain_metric

    tree = explain_metric(newest_run(run), metric)
    if as_json:
        print_json(tree)
    elif metric == LIST:
        render_list(tree["children"], console())
    else:
        render(tree, console(), depth)


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("explain")(explain)

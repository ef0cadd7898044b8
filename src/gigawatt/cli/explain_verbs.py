"""`explain`: where does this number come from?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gigawatt.cli.output import console, print_json, watched

if TYPE_CHECKING:
    from gigawatt.study.explain import Node

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]
Folder = Annotated[Path | None, typer.Option("--run", help="A run folder (default: the newest below runs/).")]
Depth = Annotated[
    int | None, typer.Option("--depth", min=0, help="Levels shown (default: as many as fit; 0: all of them).")
]
Row = Annotated[
    int | None, typer.Option("--row", min=0, help="Of a sweep's folder: the scenario of this row, asked again.")
]
Overlays = Annotated[
    list[Path], typer.Option("--overlay", help="With --row: records the sweep was asked with. Repeatable.")
]


def explain(
    metric: Annotated[str, typer.Argument(help="A headline metric, such as system_npv; 'list' shows all.")],
    run: Folder = None,
    row: Row = None,
    depth: Depth = None,
    overlay: Overlays = [],
    as_json: Json = False,
) -> None:
    """Where does this number come from? Formulas, choices, fits and facts, down to the line of each fact's file.

    Before each operand stands how it joins the others: + x / -; < the least, > the most; ~ is what a value rests on.

    Example:  gigawatt explain revenue_per_mw_year

              gigawatt explain capex --depth 0

              gigawatt explain list --run runs/one-gigawatt

              gigawatt explain capex --run runs/one-gigawatt-sweep --row 12
    """
    from gigawatt.report.explain_terminal import render, render_list
    from gigawatt.study.explain import newest_run
    from gigawatt.study.explained.asked import LIST, explain_metric

    folder = newest_run(run)
    tree = explain_metric(folder, metric) if row is None else _of_row(folder, row, overlay, metric, as_json)
    if as_json:
        print_json(tree)
    elif metric == LIST:
        render_list(tree["children"], console())
    else:
        render(tree, console(), depth)


def _of_row(folder: Path, row: int, overlays: list[Path], metric: str, as_json: bool) -> Node:
    """The tree of one scenario of a sweep, which is asked once more as a whole."""
    from gigawatt.study.explained.asked import explained
    from gigawatt.study.explained.rows import answered_row

    made = watched(lambda say: answered_row(folder, row, overlays, say), as_json)
    return explained(made.manifest, metric, f"row {row} of {folder}")


def add(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("explain")(explain)

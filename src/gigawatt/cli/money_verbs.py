"""`deals` and `market`: who pays whom when, and who can make how much."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gigawatt.cli.output import console, kept, print_json, print_result, print_table, watched

if TYPE_CHECKING:
    from gigawatt.study.result import RunResult

Set = Annotated[list[str], typer.Option("--set", help="Change an input: path=value. Repeatable.", metavar="PATH=VALUE")]
Overlay = Annotated[list[Path], typer.Option("--overlay", help="A folder with your own catalog records. Repeatable.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Run folder (default runs/NAME).")]
NoReport = Annotated[bool, typer.Option("--no-report", help="Answer only; write nothing.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]
# What scripts find in the JSON of a question, empty where a file does not ask for it.
ALWAYS: dict[str, tuple[str, ...]] = {
    "deals": ("companies", "circularity", "claims", "stress"),
    "market": ("quarters", "binding", "forecast", "backtest"),
}
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Use only what was known by a day, such as 2025-09-24.", metavar="DATE")
]


def deals(
    file: Annotated[Path, typer.Argument(help="A deals file, a project file or a back-test.")],
    as_of: AsOf = None,
    set_: Set = [],
    overlay: Overlay = [],
    output: Output = None,
    no_report: NoReport = False,
    as_json: Json = False,
) -> None:
    """Who pays whom when, how circular is it, who breaks first?

    Examples:  gigawatt deals examples/deals/circular-loop-late-2026.yaml
               gigawatt deals examples/deals/circular-loop-late-2026.yaml --as-of 2025-09-24
               gigawatt deals examples/projects/cloud-contract-with-debt.yaml
    """
    _ask(file, ("deals", "project"), as_of, set_, overlay, output, no_report, as_json)


def market(
    file: Annotated[Path, typer.Argument(help="A market file, or a back-test.")],
    as_of: AsOf = None,
    set_: Set = [],
    overlay: Overlay = [],
    output: Output = None,
    no_report: NoReport = False,
    as_json: Json = False,
) -> None:
    """Who can make how much, what binds, what comes next?

    Examples:  gigawatt market examples/market/vendors-quarters.yaml
               gigawatt market examples/market/linear-supply-forecast.yaml --as-of 2025-09-15
               gigawatt market examples/backtests/bt06-linear-supply-one-quarter.yaml --set inputs.steps=2
    """
    _ask(file, ("market",), as_of, set_, overlay, output, no_report, as_json)


def _ask(
    file: Path,
    allowed: Sequence[str],
    as_of: str | None,
    overrides: Sequence[str],
    overlay: Sequence[Path],
    output: Path | None,
    no_report: bool,
    as_json: bool,
) -> None:
    """Answer a file, write its run folder, show it."""
    from gigawatt.catalog import Catalog
    from gigawatt.study.questions import answer

    catalog = Catalog.load(tuple(overlay))
    found = watched(lambda say: answer(file, overrides, as_of, catalog, allowed, say), as_json, catalog.overlays)
    if isinstance(found, dict):
        show_outputs(found, as_json)
        return
    folder = kept(found, output, no_report)
    show_result(found, folder, as_json)


def show_result(found: RunResult, folder: Path | None, as_json: bool) -> None:
    """A result of either verb, as JSON or in the terminal."""
    if as_json:
        print_result(found, folder, first={key: [] for key in ALWAYS.get(str(found.manifest.get("question")), ())})
        return
    from gigawatt.report.money_terminal import render_money

    render_money(found, console(), folder=folder)


def show_outputs(found: dict[str, Any], as_json: bool) -> None:
    """The named outputs of a back-test; the unit is the end of a name."""
    if as_json:
        print_json(found)
        return
    from gigawatt.core.table import Table

    outputs = found["outputs"]
    said = (found["reading"], f"Proves {found['proves']}." if found["proves"] else "", found["outcome"])
    note = " ".join(part for part in said if part)
    columns = {"output": list(outputs), "value": list(outputs.values())}
    print_table(Table("outputs", columns, title=f"{found['id']} ({found['class']}): {found['title']}", note=note))


def add(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("deals")(deals)
    app.command("market")(market)

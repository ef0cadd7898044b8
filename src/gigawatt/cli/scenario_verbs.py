"""`new`, `check` and `run`: from a question to an answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gigawatt.core.table import Table

from gigawatt.cli.output import console, kept, print_json, print_result, print_table, watched

Set = Annotated[list[str], typer.Option("--set", help="Change an input: path=value. Repeatable.", metavar="PATH=VALUE")]
Overlay = Annotated[list[Path], typer.Option("--overlay", help="A folder with your own catalog records. Repeatable.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]


def new(
    template: Annotated[
        str,
        typer.Argument(
            help="one-gigawatt, one-rack, ...; deals/..., market/..., networks/..., projects/..., serving/..., training/...; "
            "plugin: a package of your own"
        ),
    ] = "one-gigawatt",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Where to write it.")] = None,
    as_json: Json = False,
) -> None:
    """Start a scenario from one that runs.

    Examples:  gigawatt new one-rack -o mine.yaml
               gigawatt new deals/three-companies -o loop.yaml
    """
    from gigawatt.study.templates import write_template

    path = write_template(template, output)
    if as_json:
        from gigawatt.study.scenario import Scenario

        print_json({"path": str(path), "template": template, "schema": Scenario.model_json_schema(by_alias=True)})
    elif path.is_dir():
        console().print(f"wrote {path}\nnext:  read {path / 'README.md'}   |   pip install {path}", soft_wrap=True)
    else:
        from gigawatt.study.questions import verb_of

        console().print(
            f"wrote {path}\nnext:  gigawatt check {path}   |   gigawatt {verb_of(path)} {path}", soft_wrap=True
        )


def check(
    file: Annotated[
        Path, typer.Argument(help="A file of any question: a scenario, deals, market, project, back-test.")
    ],
    set_: Set = [],
    overlay: Overlay = [],
    inputs: Annotated[
        str | None,
        typer.Option(
            "--inputs", metavar="PART", help="List what may be set below a path ('all', 'site', 'fleet.gb300')."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Is my scenario right, what was assumed for me, and what may I set?

    Examples:  gigawatt check examples/one-gigawatt.yaml --set site.grid_power='500 MW'
               gigawatt check examples/one-gigawatt.yaml --inputs site
    """
    from gigawatt.catalog import Catalog
    from gigawatt.core.errors import InputError
    from gigawatt.core.table import Table
    from gigawatt.study.questions import check_file

    try:
        defaults = check_file(file, set_, Catalog.load(tuple(overlay)))
    except InputError as error:
        if as_json:
            found = [problem.as_json() for problem in error.problems]
            print_json({"ok": False, "errors": found, "defaults": []} | error.as_json())
            raise typer.Exit(2) from None
        raise
    rows = [
        {"path": d.path, "value": d.value if isinstance(d.value, (int, float, str, type(None))) else str(d.value)}
        for d in defaults
    ]
    listed = _inputs(file, set_, inputs) if inputs is not None else None
    if as_json:
        print_json({"ok": True, "errors": [], "defaults": rows} | ({"inputs": listed.as_json()} if listed else {}))
        return
    if listed is not None:
        print_table(listed)
        return
    console().print(f"{file} is right. Assumed for you ({len(rows)}):")
    print_table(Table("defaults", {"path": [r["path"] for r in rows], "value": [str(r["value"]) for r in rows]}))


def _inputs(file: Path, overrides: list[str], part: str) -> Table:
    from gigawatt.study.evaluate import Recipe
    from gigawatt.study.paths import inputs_table

    return inputs_table(Recipe.of(file, overrides=overrides).inputs(), "" if part == "all" else part)


def run(
    file: Annotated[
        Path | None, typer.Argument(help="A scenario file; none: answer from --power and --capital.")
    ] = None,
    power: Annotated[str | None, typer.Option("--power", help="Site power, such as '100 MW'.")] = None,
    capital: Annotated[str | None, typer.Option("--capital", help="Capital, such as '5 billion USD'.")] = None,
    set_: Set = [],
    overlay: Overlay = [],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Run folder (default runs/NAME).")] = None,
    reoptimise: Annotated[bool, typer.Option("--reoptimise", help="Bands with a new fleet for each draw.")] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Answer only; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """What should I build, what does it earn, what limits me?

    Examples:  gigawatt run examples/one-gigawatt.yaml
               gigawatt run --power '100 MW' --capital '5 billion USD'
    """
    from gigawatt.catalog import Catalog
    from gigawatt.study.load import from_data, load
    from gigawatt.study.pipeline import run as run_scenario
    from gigawatt.study.questions import refuse_other
    from gigawatt.study.templates import assumed, save_assumed

    overrides = [*set_, *(["uncertainty.reoptimise=true"] if reoptimise else [])]
    if file is None:
        data = assumed(power, capital)
        loaded = from_data(data, "assumed scenario", overrides)
        saved = save_assumed(data, overrides) if not no_report else None
        if saved and not as_json:
            console().print(f"No file given: assumed a scenario and saved it as {saved}", soft_wrap=True)
    else:
        refuse_other(file, "run", ("plan",))
        extra = [f"site.grid_power={power}"] if power else []
        extra += [f"capital={capital}"] if capital else []
        loaded = load(file, [*extra, *overrides])
        saved = None
    catalog = Catalog.load(tuple(overlay))
    result = watched(lambda say: run_scenario(loaded, say, catalog), as_json, overlay)
    folder = kept(result, output, no_report)
    if as_json:
        print_result(result, folder, more={"assumed": str(saved)} if saved else None)
        return
    from gigawatt.report.terminal import render

    render(result, console(), folder=folder)


def add(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("new")(new)
    app.command("check")(check)
    app.command("run")(run)

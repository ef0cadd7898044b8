"""`gigawatt catalog list | show | diff | audit | support | import-model`: the facts and their sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gigawatt.cli.output import console, print_json, print_table

if TYPE_CHECKING:
    from gigawatt.catalog import Catalog
    from gigawatt.core.table import Table

catalog_app = typer.Typer(help="Facts: what exists, with a source for every value.", no_args_is_help=True)

Overlay = Annotated[
    list[Path], typer.Option("--overlay", help="A folder with your own records, over ours. Repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@catalog_app.command("list", help="The ids of a kind, or the kinds.\n\nExample:  gigawatt catalog list accelerator")
def list_(
    kind: Annotated[str, typer.Argument(help="accelerator, platform, model, site, ... (none: all kinds)")] = "",
    match: Annotated[str, typer.Option("--match", help="Only ids or names that hold this text.")] = "",
    overlay: Overlay = [],
    as_json: Json = False,
) -> None:
    """List records."""
    from gigawatt.catalog import Catalog
    from gigawatt.catalog.queries import list_table

    table = list_table(Catalog.load(tuple(overlay)), kind, match)
    print_json({table.name: table.as_json()}) if as_json else print_table(table)


@catalog_app.command(
    "show",
    help="One record, each value with range, kind, source and date; of an accelerator also whose kernel times serve.\n\n"
    "Example:  gigawatt catalog show accelerator h100-sxm\n\n"
    "Example:  gigawatt catalog show b200-sxm --plot",
)
def show(
    kind: Annotated[str, typer.Argument(metavar="[KIND]", help="accelerator, platform, model, ... (may be left out)")],
    name: Annotated[str, typer.Argument(metavar="ID")] = "",
    plot: Annotated[
        bool, typer.Option("--plot", help="Write an accelerator's roofline with measured kernels.")
    ] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Where the chart goes.")] = None,
    overlay: Overlay = [],
    as_json: Json = False,
) -> None:
    """Show a record."""
    from gigawatt.catalog import Catalog
    from gigawatt.catalog.queries import kind_of, show_tables

    catalog = Catalog.load(tuple(overlay))
    kind, name = (kind, name) if name else (kind_of(catalog, kind), kind)
    tables = list(show_tables(catalog, kind, name))
    drawn = None
    if kind == "accelerator":
        more, drawn = _kernels_of(catalog, name, plot, output)
        tables = [*tables, *more]
    if as_json:
        print_json({table.name: table.as_json() for table in tables} | ({"plot": str(drawn)} if drawn else {}))
        return
    for table in tables:
        print_table(table)
    if drawn:
        console().print(f"roofline written to {drawn}", soft_wrap=True)


def _kernels_of(catalog: Catalog, name: str, plot: bool, output: Path | None) -> tuple[list[Table], Path | None]:
    """The table of an accelerator's kernel times, and its roofline's page where asked; nothing where facts are missing."""
    from gigawatt.core.errors import InputError
    from gigawatt.physics.chip import chip_from_record
    from gigawatt.report.chart_page import write_chart_page
    from gigawatt.report.roofline import anchor_table, kernel_table, roofline

    try:
        chip = chip_from_record(catalog.get("accelerator", name))
    except InputError:
        if plot:
            raise
        return [], None
    tables = [table for table in (kernel_table(chip), anchor_table(chip)) if table is not None]
    if not plot:
        return tables, None
    note = (
        "Dotted: the data sheet. Dots: measured matrix products, best of engines (PyPI aiconfigurator-core, Apache-2.0); "
        "crosses: the same as predicted. Small products are bound by launches, which no roofline shows."
    )
    title = f"{name}: data sheet, measured kernels, predictions"
    return tables, write_chart_page(roofline(chip), title, note, output or Path(f"{name}-roofline.html"))


@catalog_app.command(
    "diff", help="What differs between two records.\n\nExample:  gigawatt catalog diff accelerator h100-sxm h200-sxm"
)
def diff(kind: str, first: str, second: str, overlay: Overlay = [], as_json: Json = False) -> None:
    """Compare two records."""
    from gigawatt.catalog import Catalog
    from gigawatt.catalog.queries import diff_table

    table = diff_table(Catalog.load(tuple(overlay)), kind, first, second)
    print_json({table.name: table.as_json()}) if as_json else print_table(table)


@catalog_app.command("audit", help="Values that are weak, missing or suspicious.")
def audit(
    plugin: Annotated[
        str, typer.Option("--plugin", metavar="PACKAGE", help="Only records that this installed package brings.")
    ] = "",
    overlay: Overlay = [],
    as_json: Json = False,
) -> None:
    """Audit the catalog."""
    from gigawatt.catalog import Catalog
    from gigawatt.catalog.queries import audit as audit_table

    table = audit_table(Catalog.load(tuple(overlay)), package=_package(plugin))
    print_json({table.name: table.as_json()}) if as_json else print_table(table)


def _package(name: str) -> str:
    """The name, where an installed package of that name brings records."""
    from gigawatt.core import plugins
    from gigawatt.core.errors import InputError, unknown_name

    known = {one.distribution for one in plugins.installed(plugins.CATALOG)}
    if name and name not in known:
        raise InputError(unknown_name("installed package with records", name, known))
    return name


@catalog_app.command(
    "import-model",
    help="What a Hugging Face config.json describes; with -o also as a record of the catalog. Works offline.\n\n"
    "Example:  gigawatt catalog import-model config.json --name my-model -o records/model/my-model.yaml",
)
def import_model(
    file: Annotated[Path, typer.Argument(metavar="CONFIG.JSON", help="A model's configuration.")],
    name: Annotated[str, typer.Option("--name", metavar="ID", help="Its name (default: from the file).")] = "",
    tokens: Annotated[
        int | None, typer.Option("--tokens", help="The length at which work is counted (default: 4096 or its own).")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write a record.")] = None,
    as_json: Json = False,
) -> None:
    """Import a model."""
    from gigawatt.cli.import_model import read_model, write_record

    found = read_model(file, name, tokens)
    if output is not None:
        write_record(found, output)
    if as_json:
        print_json(found.as_json())
        return
    print_table(found.table)
    if output is not None:
        place = f"use it with  --overlay {output.absolute().parent.parent}"
        if output.absolute().parent.name != "model":
            place = "to use it, put it into a folder 'model' below the one that --overlay names"
        print(f"wrote {output}; {place}")


@catalog_app.command(
    "support",
    help="Which software runs which models on which accelerators.\n\n"
    "Example:  gigawatt catalog support --stack neuron --family moe",
)
def support(
    stack: Annotated[str, typer.Option("--stack", help="cuda, rocm, xla, neuron, cann, ... (none: all)")] = "",
    family: Annotated[str, typer.Option("--family", help="dense, moe, mla, diffusion, ... (none: all)")] = "",
    overlay: Overlay = [],
    as_json: Json = False,
) -> None:
    """Show the support matrix, or every cell of a stack or of a family with its source."""
    from gigawatt.catalog import Catalog
    from gigawatt.physics.chip.software import support_table

    table = support_table(Catalog.load(tuple(overlay)), stack, family)
    print_json({table.name: table.as_json()}) if as_json else print_table(table)


def add(app: typer.Typer) -> None:
    """Register the group."""
    app.add_typer(catalog_app, name="catalog")

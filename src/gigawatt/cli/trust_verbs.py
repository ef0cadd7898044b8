"""`validate` and `doctor`: how wrong are we, and is this machine fit?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gigawatt.cli.output import console, print_json, print_table

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]


def validate(
    kind: Annotated[str, typer.Argument(help="training, serving, network, power, flops, kernels or economics")],
    truth: Annotated[Path | None, typer.Option("--truth", help="A measured table (CSV).")] = None,
    set_: Annotated[
        list[str],
        typer.Option("--set", help="Change a back-test: bt18:inputs.term='6 yr'. Repeatable.", metavar="ID:PATH=VALUE"),
    ] = [],
    as_json: Json = False,
) -> None:
    """How wrong are we? Predicted beside measured, for every published row.

    Example:  gigawatt validate training
    """
    from gigawatt.validation.run import validate as score_kind

    found = score_kind(kind, truth, set_)
    if as_json:
        print_json(found)
        return
    print_table(_summary(kind, found["summary"]))
    print_table(_groups(found["groups"]), limit=80)
    if found["skipped"]:
        console().print(
            f"skipped {len(found['skipped'])}: " + "; ".join(sorted({row["reason"] for row in found["skipped"]})[:5]),
            soft_wrap=True,
        )


def _percent(value: Any) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _summary(kind: str, summary: dict[str, Any]):  # type: ignore[no-untyped-def]
    from gigawatt.core.table import Table

    counts = {"rows", "predicted", "skipped", "within_tolerance", "with_tolerance"}
    shown = {key: (value if key in counts else _percent(value)) for key, value in summary.items() if value is not None}
    return Table(
        "summary", {"measure": list(shown), "value": [str(v) for v in shown.values()]}, title=f"validate {kind}"
    )


def _groups(groups: list[dict[str, Any]]):  # type: ignore[no-untyped-def]
    from gigawatt.core.table import Table

    keys = ("mape", "median_ape", "p90_ape", "bias", "coverage80", "median_band_width", "null_mape")
    # back-tests have a metric a row: only their classes say something together
    classes = [g for g in groups if g["group"].startswith("class: ")]
    groups = classes or groups
    columns: dict[str, list[Any]] = {"group": [g["group"] for g in groups], "rows": [g["predicted"] for g in groups]}
    if any(g.get("with_tolerance") for g in groups):
        columns["within tolerance"] = [
            f"{g.get('within_tolerance', 0)} of {g.get('with_tolerance', 0)}" for g in groups
        ]
    columns |= {key: [_percent(g[key]) for g in groups] for key in keys}
    return Table("groups", columns, title="by group")


def doctor(as_json: Json = False) -> None:
    """Is this machine fit? Versions, solver, catalog, a small plan."""
    from gigawatt.cli.doctor import examine

    checks = examine()
    ok = all(check["ok"] for check in checks)
    if as_json:
        print_json({"ok": ok, "checks": checks})
    else:
        for item in checks:
            mark = "[green]ok  [/]" if item["ok"] else "[red]FAIL[/]"
            console().print(f"{mark} {item['name']:<29} {item['detail']}", soft_wrap=True)
    raise typer.Exit(0 if ok else 1)


def add(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("validate")(validate)
    app.command("doctor")(doctor)

"""`explain`, `query` and `report`: what a run folder knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gigawatt.cli.output import console, print_json, print_table

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")]
Folder = Annotated[Path | None, typer.Option("--run", help="A run folder (default: the newest below runs/).")]


def explain(
    metric: Annotated[str, typer.Argument(help="A headline metric, such as system_npv; 'list' shows all.")],
    run: Folder = None,
    as_json: Json = False,
) -> None:
    """Where does this number come from? A tree of data, calibrations, formulas and choices.

    Example:  gigawatt explain revenue_per_mw_year
    """
    from gigawatt.study.explain import newest_run
    from gigawatt.study.explained.asked import explain_metric

    tree = explain_metric(newest_run(run), metric)
    if as_json:
        print_json(tree)
        return
    from rich.tree import Tree

    root = Tree(_line(tree))
    _grow(root, tree)
    console().print(root)


def _line(node: dict[str, Any]) -> str:
    value = node.get("value")
    shown = "" if value is None else (f" = {value:,.6g}" if isinstance(value, (int, float)) else f" = {value}")
    unit = f" {node['unit']}" if node.get("unit") else ""
    where = node.get("source") or node.get("where") or ""
    text = f"{node['kind']:<11} {node['name']}{shown}{unit}" + (f"  <- {where}" if where else "")
    return text.replace("[", r"\[")


def _grow(branch: Any, node: dict[str, Any]) -> None:
    for child in node.get("children", []):
        _grow(branch.add(_line(child)), child)


def query(
    sql: Annotated[str, typer.Argument(help="SQL over the tables of a run, such as 'select * from plan'.")],
    run: Folder = None,
    as_json: Json = False,
) -> None:
    """My results as tables: SQL over a run folder (read only).

    Example:  gigawatt query 'select platform, workload, racks from plan order by racks desc'
    """
    from gigawatt.study.explain import newest_run
    from gigawatt.study.query import query_run

    table = query_run(newest_run(run), sql)
    print_json({"rows": table.as_json()}) if as_json else print_table(table)


def report(run: Folder = None, as_json: Json = False) -> None:
    """The page of a run: where it is, or made again from its tables."""
    from gigawatt.report.files import rewrite_report
    from gigawatt.study.explain import newest_run

    page = rewrite_report(newest_run(run))
    print_json({"report": str(page)}) if as_json else console().print(str(page), soft_wrap=True)


def add(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("explain")(explain)
    app.command("query")(query)
    app.command("report")(report)

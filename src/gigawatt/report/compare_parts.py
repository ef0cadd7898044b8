"""The parts of a report on a comparison, and its tables made shorter for reading."""

from __future__ import annotations

from typing import Any

from gigawatt.core.table import Table
from gigawatt.report.grid import NOISE, words_of
from gigawatt.report.numbers import quantity
from gigawatt.report.sections import Section
from gigawatt.report.sentences import rows_of
from gigawatt.study.result import RunResult

LABELS = {"lowest": "lowest order", "highest": "highest order", "in_order": "in this order", "share": "share of gap"}
PLACES = {"a_where": "A stands in", "b_where": "B stands in", "a": "A", "b": "B"}


def shown_steps(result: RunResult) -> Table:
    """The steps that move the metric, between A and B."""
    table = result.tables["steps"]
    made = result.manifest
    rows: list[dict[str, Any]] = [{"step": "A", "change": made["a_name"], "after": made["a"]}]
    rows += [row for row in table.rows() if row["moves"]]
    rows.append({"step": "B", "change": made["b_name"], "value": made["gap"], "after": made["b"]})
    columns = ["step", "change", "value", "share", "after", "lowest", "highest"]
    return Table.from_rows("steps", rows, columns, table.units, table.title, table.note)


def shown_metrics(result: RunResult) -> Table:
    """Every headline number of A and of B with its unit, and the gap."""
    rows = []
    for row in result.metrics.rows():
        unit = str(row["unit"] or "")
        cells = {name: quantity(row[name], unit) for name in ("a", "b")}
        gap = row["value"]
        if gap is not None and abs(gap) <= NOISE * max(abs(row["a"]), abs(row["b"])):
            gap = 0.0
        sign = "+" if gap is not None and gap > 0 else ""
        change = row["change"] if gap else None
        rows.append(
            {
                "metric": words_of(str(row["name"])),
                "A": cells["a"],
                "B": cells["b"],
                "B less A": "" if gap is None else f"{sign}{_gap(gap, unit)}",
                "change": "" if change is None else f"{change * 100:+.1f} %",
            }
        )
    return Table.from_rows("metrics", rows, ("metric", "A", "B", "B less A", "change"))


def _gap(gap: float, unit: str) -> str:
    """Between two shares lie percentage points, so that no one reads them as a change in per cent.

    >>> _gap(-0.00939, "share"), _gap(-1.07e6, "USD")
    ('-0.939 points', '-1.07 M USD')
    """
    text = quantity(gap, unit)
    return text.replace("%", "points") if unit == "share" else text


def by_metric(result: RunResult) -> Table:
    """The same steps of every metric: a row a metric, a column a step."""
    rows: dict[str, dict[str, Any]] = {}
    for row in rows_of(result, "every_metric"):
        mine = rows.setdefault(str(row["metric"]), {"metric": words_of(str(row["metric"]))})
        value = row["value"]
        mine[str(row["step"])] = "" if value is None else quantity(value, str(row["unit"] or ""))
    names = list(dict.fromkeys(str(row["step"]) for row in rows_of(result, "every_metric")))
    table = result.tables["every_metric"]
    return Table.from_rows("by_metric", list(rows.values()), ("metric", *names), {}, table.title, table.note)


COMPARE: tuple[Section, ...] = (
    Section("steps", "From A to B", labels=LABELS, shows=shown_steps, folded=("steps",), fold_words="Every step"),
    Section("inputs", "Inputs that differ", labels=PLACES, columns=("path", "a", "b", "a_where", "b_where")),
    Section("metrics", "Headline numbers", shows=shown_metrics),
    Section("every_metric", "The same steps of every number", shows=by_metric, folded=("every_metric",)),
)

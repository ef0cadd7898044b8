"""The parts of a report on a sweep in reading order, and its tables made shorter for reading."""

from __future__ import annotations

from collections.abc import Mapping

from gigawatt.core.table import Table
from gigawatt.report.grid import words_of
from gigawatt.report.sections import Section
from gigawatt.study.result import RunResult

LABELS: Mapping[str, str] = {
    "share_of_variance": "share of variance",
    "by_chance": "by chance",
    "lowest_mean": "lowest mean",
    "lowest_at": "at",
    "highest_mean": "highest mean",
    "highest_at": "at ",
    "least_feasible_share": "feasible, least",
    "most_often": "most often",
    "index": "row",
    "low": "P10",
    "high": "P90",
}


def shown_levels(result: RunResult) -> Table:
    """Means by level; where a level leaves some scenarios out, how many are feasible."""
    table = result.tables["levels"]
    rows = list(table.rows())
    some_left_out = any(row["feasible"] < row["runs"] for row in rows)
    columns = ["input", "level", "runs", *(["feasible"] if some_left_out else []), "mean", "low", "high"]
    return Table.from_rows(table.name, rows, columns, table.units, table.title, table.note)


def shown_effects(result: RunResult) -> Table:
    """What says something: no chance where nothing is sampled, no feasible share where all are."""
    table = result.tables["effects"]
    rows = list(table.rows())
    idle = [
        name
        for name, value in (("by_chance", 0.0), ("least_feasible_share", 1.0))
        if all(row[name] == value for row in rows)
    ]
    columns = [name for name in table.columns if name not in idle]
    return Table.from_rows(table.name, rows, columns, table.units, table.title, table.note)


def shown_metrics(result: RunResult) -> Table:
    """Headline numbers over the scenarios, each by its name in words."""
    rows = [{**row, "name": words_of(str(row["name"]))} for row in result.metrics.rows()]
    return Table.from_rows("metrics", rows, list(result.metrics.columns), result.metrics.units)


SWEEP: tuple[Section, ...] = (
    Section("best", "Best", labels=LABELS),
    Section("worst", "Worst", labels=LABELS),
    Section(
        "effects",
        "What each input does",
        "Each input by itself, over all values of the others. Grey: no more than chance would show.",
        labels=LABELS,
        shows=shown_effects,
    ),
    Section("levels", "By level of each input", labels=LABELS, shows=shown_levels, most=12),
    Section("cells", "Over the two inputs that matter most", folded=("cells",), fold_words="Every cell"),
    Section(
        "scenarios",
        "Scenarios",
        "At most a thousand, evenly over the design; all are in parts/. Where lines are drawn, each is a scenario: light ones "
        "have more of the metric, dark ones less.",
        folded=("scenarios",),
        fold_words="Scenario by scenario",
    ),
    Section("statuses", "How many have an answer", labels=LABELS, least=2),
    Section(
        "metrics",
        "Headline numbers",
        labels=LABELS,
        shows=shown_metrics,
        columns=("name", "value", "unit", "low", "high", "runs"),
    ),
)

"""The parts of a report on risk in reading order, and its tables made shorter for reading."""

from __future__ import annotations

from typing import Any

from gigawatt.core.table import Table
from gigawatt.report.grid import words_of
from gigawatt.report.numbers import quantity, span
from gigawatt.report.sections import Section
from gigawatt.report.sentences import rows_of
from gigawatt.study.result import RunResult

LABELS = {
    "bad": "loss, or below 0",
    "shortfall_5": "mean of worst 5 %",
    "value": "as it stands",
    "known": "narrower if known",
    "first": "alone",
    "total": "with all",
}


def _metric_unit(result: RunResult) -> str:
    name = result.manifest.get("metric")
    return next((str(row["unit"] or "") for row in result.metrics.rows() if row["name"] == name), "")


def shown_metrics(result: RunResult) -> Table:
    """One row a metric that the draws move, every number with its unit."""
    rows = []
    for row in result.metrics.rows():
        if row.get("p50") is None:
            continue
        unit = str(row["unit"] or "")
        below = row.get("below_zero")
        value = quantity(row["value"], unit)
        rows.append(
            {"metric": words_of(str(row["name"])), "value": value, "P10": quantity(row["p10"], unit),
             "P50": quantity(row["p50"], unit), "P90": quantity(row["p90"], unit),
             "shortfall_5": quantity(row.get("shortfall_5"), unit), "bad": "" if below is None else quantity(below, "share", 2)}
        )  # fmt: skip
    columns = ["metric", "value", "P10", "P50", "P90", "shortfall_5", "bad"]
    return Table.from_rows("metrics", rows, columns, {}, result.metrics.title, result.metrics.note)


def shown_causes(result: RunResult) -> Table:
    """One row an input: its own P10 and P90, what the metric becomes, shares of the variance, what knowing it is worth."""
    unit = _metric_unit(result)
    rows: list[dict[str, Any]] = []
    for row in rows_of(result, "sensitivity"):
        mine = str(row["input_unit"] or "")
        shares = {
            name: "" if row.get(name) is None else quantity(max(row[name], 0.0), "share", 2)
            for name in ("first", "total", "shapley")
        }
        known = row.get("narrower_if_known")
        rows.append(
            {"input": row["words"], "from P10": quantity(row["at_p10"], mine), "to P90": quantity(row["at_p90"], mine),
             "metric at P10": quantity(row["metric_at_p10"], unit), "at P90": quantity(row["metric_at_p90"], unit), **shares,
             "known": "" if known is None else quantity(max(known, 0.0), "share", 2), "said by": row["kind"]}
        )  # fmt: skip
    table = result.tables["sensitivity"]
    columns = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    return Table.from_rows("causes", rows, columns, {}, table.title, table.note)


def shown_covenants(result: RunResult) -> Table:
    """One row a promise: its level, the band, the probability that it is broken with its interval."""
    rows = []
    for row in rows_of(result, "covenants"):
        unit = str(row["unit"] or "")
        rows.append(
            {"covenant": row["covenant"], "as it stands": quantity(row["value"], unit), "P10": quantity(row["p10"], unit),
             "P50": quantity(row["p50"], unit), "broken in": quantity(row["probability"], "share"),
             "90 % interval": span(row["low"], row["high"], "share")}
        )  # fmt: skip
    table = result.tables["covenants"]
    return Table.from_rows("covenants", rows, list(rows[0]), {}, table.title, table.note)


RISK: tuple[Section, ...] = (
    Section("histogram", "The band", folded=("histogram",), fold_words="Bins"),
    Section("metrics", "How sure", shows=shown_metrics, labels=LABELS),
    Section("covenants", "Covenants", shows=shown_covenants),
    Section("sensitivity", "What matters", charts=("indices",), shows=shown_causes, labels=LABELS, most=14),
    Section("convergence", "Does it hold still", folded=("convergence",), fold_words="Percentiles as draws are added"),
)

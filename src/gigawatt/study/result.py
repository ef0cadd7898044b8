"""What a run returns: named tables, metrics with bands, sentences, a manifest. The report reads only this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gigawatt.core.table import Table
from gigawatt.study.explained.kept import packed


@dataclass(frozen=True, slots=True)
class RunResult:
    """The answer of one scenario.

    `tables` by name (plan, limits, performance, power, companies, ...); `metrics` has a row a headline number with
    value, unit, low and high (P10, P90), P50, formula and inputs; `texts` holds lists of sentences (left_out, weakest,
    next, notes).
    """

    name: str
    title: str
    headline: str
    tables: Mapping[str, Table]
    metrics: Table
    texts: Mapping[str, list[str]] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def metric(self, name: str) -> dict[str, Any]:
        """The row of one headline metric.

        Raises:
            KeyError: there is none of that name.
        """
        for row in self.metrics.rows():
            if row["name"] == name:
                return row
        raise KeyError(name)

    def as_json(self) -> dict[str, Any]:
        """The object that `run --json` prints: the tables by name, and metrics by name."""
        tables = {name: table.as_json() for name, table in self.tables.items()}
        metrics = {
            row["name"]: {key: value for key, value in row.items() if key != "name"} for row in self.metrics.rows()
        }
        texts = {f"text_{name}": list(lines) for name, lines in self.texts.items()}
        kept = packed(self.manifest)
        return {"name": self.name, "headline": self.headline, **tables, "metrics": metrics, **texts, **kept}

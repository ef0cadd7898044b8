"""Headline numbers: floats that know their unit, their band and their formula."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gigawatt.core.table import Table as Columns


class Metric(float):
    """A headline number: a float in its `unit`, with the 80 % band and the formula that it follows.

    It takes part in arithmetic as the plain number; `str` scales it and says its band.

    Attributes:
        name: of the metric.
        unit: of the number, and of its band; 'share' is a part of one.
        low: P10 of the draws; None where the answer draws none.
        high: P90 of the draws; None where the answer draws none.
        p50: their median.
        formula: how it follows.
        inputs: from what.
    """

    __slots__ = ("formula", "high", "inputs", "low", "name", "p50", "unit")

    name: str
    unit: str
    low: float | None
    high: float | None
    p50: float | None
    formula: str
    inputs: str

    def __new__(cls, row: Mapping[str, Any]) -> Metric:
        value = row.get("value")
        made = super().__new__(cls, value if isinstance(value, (int, float)) else "nan")
        made.name, made.unit = str(row.get("name") or ""), str(row.get("unit") or "")
        made.low, made.high, made.p50 = row.get("low"), row.get("high"), row.get("p50")
        made.formula, made.inputs = str(row.get("formula") or ""), str(row.get("inputs") or "")
        return made

    @property
    def value(self) -> float:
        """The plain number.

        >>> import gigawatt as gw
        >>> gw.run("one-rack").metrics["capex"].value > 6e6
        True
        """
        return float(self)

    @property
    def band(self) -> tuple[float, float] | None:
        """P10 and P90, where the run has drawn them."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def __getnewargs__(self) -> tuple[dict[str, Any]]:  # type: ignore[override]
        return (self._row(),)

    def _row(self) -> dict[str, Any]:
        names = ("name", "unit", "low", "high", "p50", "formula", "inputs")
        return {"value": float(self), **{name: getattr(self, name) for name in names}}

    def __str__(self) -> str:
        from gigawatt.report.numbers import quantity, span

        band = span(self.low, self.high, self.unit)
        return quantity(float(self), self.unit) + (f" (P10 to P90: {band})" if band else "")

    def __repr__(self) -> str:
        return f"<Metric {self.name}: {self}>"

    def __format__(self, spec: str) -> str:
        return format(float(self), spec) if spec else str(self)

    def _repr_html_(self) -> str:
        return Metrics({self.name: self})._repr_html_()


class Metrics(Mapping[str, Metric]):
    """The headline numbers of a result by name."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._metrics = dict(metrics)

    def __getitem__(self, name: str) -> Metric:
        try:
            return self._metrics[name]
        except KeyError:
            from gigawatt.api.errors import no_such

            raise no_such("metric", name, self._metrics) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._metrics)

    def __repr__(self) -> str:
        return f"<{len(self)} metrics: {', '.join(self)}>"

    def __str__(self) -> str:
        wide = max((len(name) for name in self), default=0)
        return "\n".join(f"{name:<{wide}}  {metric}" for name, metric in self._metrics.items())

    def _repr_html_(self) -> str:
        from gigawatt.core.markup import framed, table_html
        from gigawatt.report.numbers import quantity, span

        rows = [
            [name, quantity(float(one), one.unit), span(one.low, one.high, one.unit), one.formula]
            for name, one in self._metrics.items()
        ]
        headers = [("metric", ""), ("value", ""), ("P10 to P90", ""), ("formula", "")]
        return framed(table_html(headers, [False, True, True, False], rows))


def metrics_of(table: Columns) -> Metrics:
    """The rows of a table of headline metrics; those whose value is no number are left to the table."""
    rows = [
        row for row in table.rows() if isinstance(row["value"], (int, float)) and not isinstance(row["value"], bool)
    ]
    return Metrics({str(row["name"]): Metric(row) for row in rows})

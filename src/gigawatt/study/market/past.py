"""What was said of the past: the line that broke, growth within a regime, reported figures beside others."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gigawatt.catalog.quantity import Money
from gigawatt.catalog.quarters import Quarters
from gigawatt.core.errors import InputError, Problem, Where, unknown_name
from gigawatt.core.table import Table
from gigawatt.economics.market.trends import LineTest, growth_test, line_test
from gigawatt.study.door import Id, Strict
from gigawatt.study.market.section import Context, metric

Array = NDArray[np.float64]
BILLION = 1e9
Series = Literal["revenue", "data_centre", "networking"]


class Line(Strict):
    """A straight line through quarters `first` to `last`, some steps on; a break from `threshold` standard errors on."""

    series: Series = "data_centre"
    first: str
    last: str
    steps: list[Annotated[int, Field(ge=1, le=40)]] = Field([1], min_length=1)
    threshold: Annotated[float, Field(gt=0)] = 3.0


class Regime(Strict):
    """Quarters within one regime, for the test of falling growth; `first` is the first growth rate."""

    name: str
    first: str
    last: str
    series: Series = "data_centre"


class Compare(Strict):
    """A reported figure beside a sourced one: what was expected, or what was once paid."""

    id: Id
    series: Literal["revenue", "data_centre", "networking", "guide", "supply_commitments"]
    quarter: str
    beside: Money


class _Asked(Protocol):
    @property
    def line(self) -> Line | None: ...
    @property
    def regimes(self) -> Sequence[Regime]: ...
    @property
    def compare(self) -> Sequence[Compare]: ...


def next_quarter(name: str) -> str:
    """The fiscal quarter after one.

    >>> next_quarter("FY2026Q4")
    'FY2027Q1'
    """
    year, quarter = int(name[2:6]), int(name[-1])
    return f"FY{year + quarter // 4}Q{quarter % 4 + 1}"


def _after(name: str, steps: int) -> str:
    for _ in range(steps):
        name = next_quarter(name)
    return name


def is_later(name: str, names: Sequence[str]) -> bool:
    """Whether a name is that of a quarter after all that are known.

    >>> is_later("FY2027Q1", ["FY2026Q3", "FY2026Q4"]), is_later("FY2026Q5", ["FY2026Q4"])
    (True, False)
    """
    return re.fullmatch(r"FY\d{4}Q[1-4]", name) is not None and name > names[-1]


def index_of(name: str, names: Sequence[str], where: Where) -> int:
    """Index of a quarter among those known.

    Raises:
        InputError: not among them; names the nearest.
    """
    if name not in names:
        raise InputError(unknown_name("quarter, as then known,", name, names, where))
    return list(names).index(name)


@dataclass(frozen=True, slots=True)
class Past:
    """A table of quarters as known, and what a section asks of it."""

    section: _Asked
    table: Quarters
    names: Sequence[str]
    context: Context

    def _at(self, name: str, *path: str | int) -> int:
        return index_of(name, self.names, self.context.where(path))

    def _column(self, series: str) -> Array:
        extra = len(self.names) - len(self.table)
        return np.append(self.table.column(series), np.full(extra, np.nan))

    def line(self) -> tuple[LineTest | None, list[dict[str, Any]]]:
        asked = self.section.line
        if asked is None:
            return None, []
        first, last = self._at(asked.first, "line", "first"), self._at(asked.last, "line", "last")
        values = self.table.column(asked.series)
        fitted = values[first : last + 1]
        if len(fitted) < 3 or not np.all(np.isfinite(fitted)):
            message = f"a line needs three quarters or more that are all known; {asked.first} to {asked.last} are not"
            raise InputError(Problem("no_line", message, self.context.where(("line",))))
        made = line_test(fitted, values[last + 1 :], tuple(asked.steps))
        rows = []
        for h, forecast, actual, error in zip(made.steps, made.forecast, made.actual, made.error, strict=True):
            failed = (
                "not yet known"
                if math.isnan(error)
                else f"failed: {100 * error:+.1f} %; the quarter after the fit lay {made.break_errors:.1f} standard errors off"
                if made.break_errors > asked.threshold
                else f"{100 * error:+.1f} %; no break told"
            )
            rows.append(
                {
                    "rule": f"line {asked.first} to {asked.last}, {h} ahead", "words": "linear supply", "quarters": 1,
                    "first_quarter": _after(asked.last, h), "last_quarter": _after(asked.last, h), "is_default": False,
                    "forecast_usd": forecast, "actual_usd": actual, "error_share": error,
                    "break_standard_errors": made.break_errors, "words_of_failure": failed,
                }
            )  # fmt: skip
        return made, rows

    def line_words(self, line: LineTest | None) -> list[str]:
        if line is None or self.section.line is None:
            return []
        asked = self.section.line
        fit = line.line
        parts = [
            f"{h} quarter{'s' if h > 1 else ''} ahead it said {f / BILLION:,.4g} B"
            + (f", {100 * e:+.1f} % off what came" if math.isfinite(e) else " (not yet known)")
            for h, f, e in zip(line.steps, line.forecast, line.error, strict=True)
        ]
        words = [
            f"A line through {asked.first} to {asked.last} rises by {fit.slope / BILLION:,.3g} B a quarter and explains "
            f"{100 * fit.r_squared:.1f} % of the spread; {'; '.join(parts)}."
        ]
        off = line.break_errors
        if math.isfinite(off):
            broke = "the line had broken" if off > asked.threshold else "no break is told"
            words.append(
                f"The first quarter after it lies {off:.1f} standard errors of a new observation off the line "
                f"(threshold {asked.threshold:g}): {broke}. A good fit to the past was no forecast."
            )
        return words

    def growth(self) -> tuple[Table | None, list[str]]:
        rows: list[dict[str, Any]] = []
        words = []
        for n, regime in enumerate(self.section.regimes):
            if is_later(regime.first, self.names):
                continue
            first = self._at(regime.first, "regimes", n, "first")
            ends = is_later(regime.last, self.names)
            last = self.table.last_reported if ends else self._at(regime.last, "regimes", n, "last")
            last = min(last, self.table.last_reported)
            values = self.table.column(regime.series)[max(first - 1, 0) : last + 1]
            if first < 1 or len(values) < 3 or not np.all(np.isfinite(values)):
                continue
            made = growth_test(values)
            rows += [
                {"regime": regime.name, "quarter": self.names[first + k], "growth_share": g, "increment_usd": i}
                for k, (g, i) in enumerate(zip(made.growth, made.increment, strict=True))
            ]
            rates = " > ".join(f"{100 * g:.1f}" for g in made.growth)
            fell = (
                "falls throughout" if made.falls_throughout else f"falls in {made.falling_pairs} of {made.pairs} pairs"
            )
            steps = f"{made.increment[0] / BILLION:.3g} to {made.increment[-1] / BILLION:.3g} B"
            words.append(
                f"Growth within '{regime.name}' {fell} ({rates} %) while increments go from {steps}; a random order would "
                f"fall as much in {100 * made.chance:.2g} % of cases."
            )
        if not rows:
            return None, words
        units = {"growth_share": "share", "increment_usd": "USD"}
        return Table.from_rows("growth", rows, list(rows[0]), units, "Growth as the base rises, within a regime"), words

    def compared(self) -> tuple[Table | None, list[str], list[dict[str, Any]]]:
        rows, words, metrics = [], [], []
        for n, one in enumerate(self.section.compare):
            if is_later(one.quarter, self.names):
                continue
            value = float(self._column(one.series)[self._at(one.quarter, "compare", n, "quarter")])
            if math.isnan(value):
                continue
            ratio = value / one.beside.value
            rows.append(
                {"id": one.id, "series": one.series, "quarter": one.quarter, "value_usd": value,
                 "beside_usd": one.beside.value, "ratio": ratio, "kind": one.beside.kind or "assumed",
                 "source": one.beside.source, "as_of": one.beside.as_of}
            )  # fmt: skip
            words.append(
                f"{one.series.replace('_', ' ').capitalize()} of {one.quarter}: {value / BILLION:,.4g} B USD, {ratio:.3f} "
                f"times {one.id.replace('-', ' ')} ({one.beside.value / BILLION:,.4g} B; {one.beside.source})."
            )
            metrics.append(
                metric(f"{one.id}_ratio".replace("-", "_"), ratio, "x", f"{one.series} of {one.quarter} / {one.id}",
                       one.beside.source)
            )  # fmt: skip
        if not rows:
            return None, words, metrics
        units = {"value_usd": "USD", "beside_usd": "USD"}
        return Table.from_rows("compare", rows, list(rows[0]), units, "Reported figures beside others"), words, metrics

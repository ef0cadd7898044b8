"""Reported quarters of a company, as catalog data: revenue, guide, data-centre revenue, margin, supply commitments.

Fiscal quarters keep their own names ('FY2026Q2') and period ends. A value that was not published is NaN.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quarters:
    """Columns in the order of time; `guide_usd` is the mid-point given with the quarter before."""

    company: str
    names: tuple[str, ...]
    ends: tuple[date, ...]
    revenue_usd: Array
    guide_usd: Array
    data_centre_usd: Array
    gross_margin_share: Array

    def at(self, name: str) -> int:
        """Index of a fiscal quarter.

        Raises:
            InputError: not in the table; names the nearest.
        """
        if name not in self.names:
            raise InputError(unknown_name(f"fiscal quarter of {self.company}", name, self.names))
        return self.names.index(name)

    def column(self, series: str) -> Array:
        """'revenue', 'guide' or 'data_centre' in USD, 'gross_margin' as a share.

        Raises:
            InputError: no such series.
        """
        columns = {
            "revenue": self.revenue_usd,
            "guide": self.guide_usd,
            "data_centre": self.data_centre_usd,
            "gross_margin": self.gross_margin_share,
        }
        if series not in columns:
            raise InputError(unknown_name("series", series, columns))
        return columns[series]

    def span(self, series: str, first: str, last: str) -> Array:
        """Values of a series from one quarter to another, both included.

        Raises:
            InputError: none between them, or one that was not published.
        """
        values = self.column(series)[self.at(first) : self.at(last) + 1]
        if not len(values) or np.any(np.isnan(values)):
            raise InputError(Problem("no_values", f"{self.company}: {series} is not known from {first} to {last}"))
        return values


@lru_cache(maxsize=8)
def quarters(company: str) -> Quarters:
    """The reported quarters of a company.

    >>> float(quarters("nvidia").span("data_centre", "FY2026Q2", "FY2026Q2")[0])
    41096000000.0

    Raises:
        InputError: no table of that company.
    """
    folder = Path(str(resources.files("gigawatt.catalog") / "data" / "quarters"))
    file = folder / f"{company}.csv"
    known = sorted(path.stem for path in folder.glob("*.csv"))
    if company not in known:
        raise InputError(unknown_name("table of quarters", company, known))
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))

    def column(name: str, factor: float) -> Array:
        return np.array([float(row[name]) * factor if row[name] else np.nan for row in rows])

    return Quarters(
        company,
        tuple(row["fiscal_quarter"] for row in rows),
        tuple(date.fromisoformat(row["period_end"]) for row in rows),
        column("revenue_usd_m", 1e6),
        column("guide_usd_m", 1e6),
        column("data_centre_usd_m", 1e6),
        column("gross_margin_pct", 0.01),
    )

"""Reported quarters of a company, as catalog data: revenue and its parts, guide, margin, supply commitments.

Fiscal quarters keep their own names ('FY2026Q2') and period ends. A value that was not published is NaN. A quarter's
figures, and the guide for the next, are known from the day it was reported: `Quarters.known(day)` is the table as it stood.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name

Array = NDArray[np.float64]

# Days from a period's end to its report where the table does not give the day. Assumed.
REPORT_DAYS = 31


@dataclass(frozen=True, slots=True)
class Quarters:
    """Columns in the order of time; `guide_usd` is the mid-point given with the quarter before.

    `reported` is the day on which the figures came out; `reported_assumed` says where that day is assumed.
    """

    company: str
    names: tuple[str, ...]
    ends: tuple[date, ...]
    reported: tuple[date, ...]
    reported_assumed: tuple[bool, ...]
    revenue_usd: Array
    guide_usd: Array
    data_centre_usd: Array
    networking_usd: Array
    gross_margin_share: Array
    supply_commitments_usd: Array
    kinds: tuple[str, ...]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def at(self, name: str) -> int:
        """Index of a fiscal quarter.

        Raises:
            InputError: not in the table; names the nearest.
        """
        if name not in self.names:
            raise InputError(unknown_name(f"fiscal quarter of {self.company}", name, self.names))
        return self.names.index(name)

    def column(self, series: str) -> Array:
        """'revenue', 'guide', 'data_centre', 'networking' or 'supply_commitments' in USD, 'gross_margin' as a share.

        Raises:
            InputError: no such series.
        """
        columns = {
            "revenue": self.revenue_usd,
            "guide": self.guide_usd,
            "data_centre": self.data_centre_usd,
            "networking": self.networking_usd,
            "supply_commitments": self.supply_commitments_usd,
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

    @property
    def last_reported(self) -> int:
        """Index of the last quarter whose revenue is known; -1 where none is."""
        known = np.flatnonzero(np.isfinite(self.revenue_usd))
        return int(known[-1]) if len(known) else -1

    def known(self, day: date | None) -> Quarters:
        """The table as it stood on a day: the quarters reported by then, and the guide for the one after them.

        >>> from datetime import date
        >>> then = quarters("nvidia").known(date(2025, 9, 15))
        >>> then.names[-1], float(then.guide_usd[-1]), then.names[then.last_reported]
        ('FY2026Q3', 54000000000.0, 'FY2026Q2')
        """
        if day is None:
            return self
        out = sum(1 for one in self.reported if one <= day)
        kept = min(out + 1, len(self)) if out else 0

        def cut(values: Array) -> Array:
            return np.where(np.arange(kept) < out, values[:kept], np.nan)

        return replace(
            self,
            names=self.names[:kept],
            ends=self.ends[:kept],
            reported=self.reported[:kept],
            reported_assumed=self.reported_assumed[:kept],
            revenue_usd=cut(self.revenue_usd),
            guide_usd=self.guide_usd[:kept],
            data_centre_usd=cut(self.data_centre_usd),
            networking_usd=cut(self.networking_usd),
            gross_margin_share=cut(self.gross_margin_share),
            supply_commitments_usd=cut(self.supply_commitments_usd),
            kinds=self.kinds[:kept],
            sources=self.sources[:kept],
        )


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

    ends = tuple(date.fromisoformat(row["period_end"]) for row in rows)
    days = [row["report_date"] for row in rows]
    return Quarters(
        company=company,
        names=tuple(row["fiscal_quarter"] for row in rows),
        ends=ends,
        reported=tuple(
            date.fromisoformat(day) if day else end + timedelta(days=REPORT_DAYS)
            for day, end in zip(days, ends, strict=True)
        ),
        reported_assumed=tuple(not day for day in days),
        revenue_usd=column("revenue_usd_m", 1e6),
        guide_usd=column("guide_usd_m", 1e6),
        data_centre_usd=column("data_centre_usd_m", 1e6),
        networking_usd=column("networking_usd_m", 1e6),
        gross_margin_share=column("gross_margin_pct", 0.01),
        supply_commitments_usd=column("supply_commitments_usd_m", 1e6),
        kinds=tuple(row["kind"] for row in rows),
        sources=tuple(row["source"] for row in rows),
    )

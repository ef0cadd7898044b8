"""Parts of a sweep as one table, read in place: DuckDB goes through them column by column, so they never lie in memory at once.

One thread and files in their order: sums are added in the order of the rows, and the same parts give the same digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.study.sql import quoted, text
from gigawatt.study.sweep.schema import INDEX, MESSAGE, STATUS
from gigawatt.study.sweep.store import PARTS

if TYPE_CHECKING:
    import duckdb

EXACT_TO = 1_000_000  # rows up to which percentiles are exact; beyond, a digest of bounded size stands in


@dataclass(frozen=True, slots=True)
class Runs:
    """The view `runs` on an open connection."""

    connection: duckdb.DuckDBPyConnection
    rows: int

    def ask(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one SELECT."""
        return self.connection.execute(sql, list(values)).fetchall()

    def named(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of one SELECT by column."""
        cursor = self.connection.execute(sql, list(values))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def statuses(self) -> list[dict[str, Any]]:
        """Rows by status, the most frequent first, with the commonest message of each."""
        return self.named(
            f"select {STATUS}, count(*)::bigint as runs, mode({MESSAGE}) as message from runs group by 1 order by 2 desc, 1"
        )

    def spread(self, metric: str) -> dict[str, Any]:
        """Count, mean, extremes and percentiles of one metric over the rows that have it."""
        name, how = quoted(metric), "quantile_cont" if self.rows <= EXACT_TO else "approx_quantile"
        found = self.named(
            f"select count({name})::bigint as runs, avg({name}) as mean, min({name}) as least, max({name}) as most, "
            f"{how}({name}, 0.1) as low, {how}({name}, 0.5) as p50, {how}({name}, 0.9) as high, var_pop({name}) as variance "
            "from runs"
        )
        return found[0]

    def top(self, metric: str, count: int, lowest: bool) -> list[dict[str, Any]]:
        """The rows with the best of a metric; of equals the first."""
        name = quoted(metric)
        order = "asc" if lowest else "desc"
        return self.named(f"select * from runs where {name} is not null order by {name} {order}, {INDEX} limit {count}")

    def first(self, count: int) -> list[dict[str, Any]]:
        """The first rows in their order."""
        return self.named(f"select * from runs where {INDEX} < {count} order by {INDEX}")

    def thinned(self, count: int) -> list[dict[str, Any]]:
        """About `count` rows, evenly over the design."""
        step = max(1, -(-self.rows // count))
        return self.named(f"select * from runs where {INDEX} % {step} = 0 order by {INDEX}")


@contextmanager
def reading(folder: Path, rows: int) -> Iterator[Runs]:
    """The parts of a folder as the view `runs`."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        connection.execute("set threads=1")
        files = ", ".join(text(str(file)) for file in sorted((folder / PARTS).glob("part-*.parquet")))
        connection.execute(f"create view runs as select * from read_parquet([{files}])")
        yield Runs(connection, rows)

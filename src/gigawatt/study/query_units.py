"""Units of a query's columns: what is a column of a table, or a sum, mean or percentile of one, keeps its unit.

Anything else (a quotient, a product, a column of a subquery) has none: a wrong unit is worse than no unit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

# Functions whose value is in the unit of their first argument.
KEEPING = {
    "sum", "avg", "mean", "min", "max", "median", "mode", "first", "last", "any_value", "round", "abs", "ceil", "floor",
    "quantile", "quantile_cont", "quantile_disc", "approx_quantile", "stddev", "stddev_pop", "stddev_samp", "coalesce",
}  # fmt: skip


def units_of(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    names: Sequence[str],
    known: Mapping[str, Sequence[str]],
    unit: Callable[[str, str], str],
) -> list[str]:
    """A unit for each of `names`, the columns of the result.

    Args:
        connection: that parses.
        sql: one SELECT.
        names: columns of its result.
        known: table -> columns, of the tables that it may name.
        unit: the unit of a table's column.
    """
    node = _node(connection, sql)
    tables = _tables(node.get("from_table")) if node is not None else None
    if node is None or tables is None or node.get("cte_map", {}).get("map"):
        return [""] * len(names)
    real = {alias: name for alias, name in tables.items() if name in known}
    if len(real) < len(tables):
        return [""] * len(names)

    def of_column(parts: Sequence[str]) -> str:
        places = [real[parts[0]]] if len(parts) > 1 and parts[0] in real else list(real.values())
        found = {unit(table, parts[-1]) for table in places if parts[-1] in known[table]}
        return found.pop() if len(found) == 1 else ""

    def of(one: Mapping[str, Any]) -> str:
        kind = one.get("class")
        if kind == "COLUMN_REF":
            return of_column(one["column_names"])
        if kind == "FUNCTION" and one.get("function_name") in KEEPING:
            given = [a.get("expression", a) for a in one.get("arguments") or one.get("children") or ()]
            inner = {of(a) for a in given if a.get("class") != "CONSTANT"}
            return inner.pop() if len(inner) == 1 else ""
        return ""

    listed = node["select_list"]
    stars = [at for at, one in enumerate(listed) if one.get("class") == "STAR"]
    if not stars:
        return [of(one) for one in listed] if len(listed) == len(names) else [""] * len(names)
    if len(stars) > 1 or listed[stars[0]].get("replace_list"):
        return [""] * len(names)
    before, after = listed[: stars[0]], listed[stars[0] + 1 :]
    middle = names[len(before) : len(names) - len(after)]
    return [*map(of, before), *(of_column([name]) for name in middle), *map(of, after)]


def _node(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any] | None:
    """The parsed SELECT; None where it is a union or can not be written as JSON."""
    import duckdb

    try:
        row = connection.execute("select json_serialize_sql(?)", [sql]).fetchone()
    except duckdb.Error:
        return None
    parsed = json.loads(row[0]) if row else {}
    statements = parsed.get("statements") or []
    node = statements[0].get("node") if statements else None
    return node if isinstance(node, dict) and node.get("type") == "SELECT_NODE" else None


def _tables(source: Any) -> dict[str, str] | None:
    """Alias -> table of a FROM of plain tables and joins of them; None for anything else."""
    if not isinstance(source, dict):
        return {}
    kind = source.get("type")
    if kind == "EMPTY":
        return {}
    if kind == "BASE_TABLE":
        return {str(source.get("alias") or source["table_name"]): str(source["table_name"])}
    if kind == "JOIN":
        left, right = _tables(source.get("left")), _tables(source.get("right"))
        return None if left is None or right is None else {**left, **right}
    return None

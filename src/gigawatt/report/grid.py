"""A run's table as rows of text: one scale and one unit a column, chosen columns in order, the unit in the header.

Terminal and page show the same grids. Tables whose rows carry their own `unit` (metrics, limits, assumptions) get each
cell with its unit instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gigawatt.core.table import Table, plain
from gigawatt.report.numbers import canonical, number, quantity, scaled, signed, unit_of

# Columns whose unit stands in the row's own `unit` column.
ROW_UNITS: Mapping[str, tuple[str, ...]] = {
    "metrics": ("value", "low", "p50", "high"),
    "assumptions": ("value", "low", "high"),
    "limits": ("used", "available", "shadow_price_up", "shadow_price_down"),
}
# Columns where the sign is the message.
SIGNED = ("price_change_needed",)

LABELS: Mapping[str, str] = {
    "tokens_in_per_s": "input tokens",
    "tokens_out_per_s": "output tokens",
    "tokens_out_per_s_per_chip": "output tokens",
    "tokens_out_per_s_per_mw": "output tokens",
    "joules_per_token": "energy",
    "capex_usd": "capex",
    "npv_usd": "NPV",
    "npv_low_usd": "P10",
    "npv_high_usd": "P90",
    "mw": "power",
    "racks": "racks",
    "ttft_s": "TTFT",
    "tpot_s": "TPOT",
    "irr": "IRR",
    "error_median": "median error",
    "error_source": "measured on",
    "used_share": "share used",
    "shadow_price_up": "one more is worth",
    "shadow_price_down": "one less costs",
    "price_change_needed": "price change needed",
    "value_gap_usd_per_mw_yr": "value gap",
    "revenue_usd": "revenue",
    "cash_out_usd": "cash out",
    "net_cash_usd": "net cash",
    "min_cash_usd": "lowest cash",
    "usd": "amount",
    "amount_usd": "amount",
    "watts": "power",
    "usd_m_per_mw_yr": "revenue",
    "removed_usd_per_mw_yr": "removed",
    "given_usd_per_mw_yr": "given to rival",
    "shapley_usd_per_mw_yr": "Shapley",
    "effect_usd": "effect on NPV",
    "system_npv_usd": "system NPV",
    "operator_npv_usd": "operator NPV",
    "lab_npv_usd": "lab NPV",
    "date_end": "ends",
    "as_of": "as of",
    "used": "used",
}


@dataclass(frozen=True, slots=True)
class Grid:
    """Headers (label, unit), cells as text, and which columns are numbers (set flush right)."""

    labels: list[str]
    units: list[str]
    numeric: list[bool]
    rows: list[list[str]]

    def headers(self) -> list[str]:
        """'capex [B USD]' a column."""
        return [f"{label} [{unit}]" if unit else label for label, unit in zip(self.labels, self.units, strict=True)]


def unit_in(table: Table, column: str) -> str:
    """The unit of one column: the table's, else by its name; in `quarters` every company's column is money."""
    if table.name == "quarters" and column not in (*table.units, "period", "date_end"):
        return "USD"
    if table.name == "moats" and column in ("low", "high"):
        return unit_of(column, table.units.get(column, "USD/MW/yr"))
    return unit_of(column, table.units.get(column, ""))


def company_columns(quarters: Table) -> list[str]:
    """The columns of `quarters` that are companies: those that hold money."""
    return [name for name in quarters.columns if unit_in(quarters, name) == "USD"]


def resource_unit(unit: str) -> str:
    """What one more of a limit is counted in: of 'USD/MW/yr' it is 'MW'.

    >>> resource_unit("USD/MW/yr"), resource_unit("USD per rack-yr"), resource_unit("")
    ('MW', 'rack', '')
    """
    parts = canonical(unit).replace("(", "").replace(")", "").split("/")
    if len(parts) < 2 or not parts[0].endswith("USD"):
        return ""
    return "tok/s" if parts[1:3] == ["tok", "s"] else parts[1]


_ACRONYMS = ("NPV", "IRR", "DSCR", "USD", "MW", "GW", "IT", "PUE", "TCO", "TTFT", "TPOT", "KV", "HBM", "MFU", "Mtok")
_CAPITALS = {word.lower(): word for word in _ACRONYMS}


def words_of(name: str) -> str:
    """A metric's name as words: acronyms in capitals, the first letter too.

    >>> words_of("system_npv"), words_of("revenue_per_mw_year")
    ('System NPV', 'Revenue per MW year')
    """
    text = " ".join(_CAPITALS.get(word, word) for word in name.split("_"))
    return text[:1].upper() + text[1:]


def grid(table: Table, columns: Sequence[str] | None = None, labels: Mapping[str, str] | None = None) -> Grid:
    """The display form of `table`; only those of `columns` that exist and are not empty throughout.

    Args:
        table: any table of a run.
        columns: names in order; all when None.
        labels: headings that differ from the usual ones.
    """
    if table.name == "limits":
        table = _with_amount_units(table)
    chosen = [name for name in (columns or list(table.columns)) if name in table.columns]
    row_units = ROW_UNITS.get(table.name, ()) if "unit" in table.columns else ()
    if row_units:
        chosen = [name for name in chosen if name not in ("unit", "amount_unit", "price_unit")]
    shown: list[tuple[str, str, bool, list[str]]] = []
    for name in chosen:
        values = [plain(value) for value in table.columns[name]]
        if values and all(value is None or value == "" for value in values):
            continue
        label = (labels or {}).get(name) or LABELS.get(name, name.replace("_", " "))
        if name in row_units:
            of = "amount_unit" if name in ("used", "available") else "unit"
            of_row = [str(plain(unit) or "") for unit in table.columns[of]]
            cells = [_row_cell(table, name, value, unit) for value, unit in zip(values, of_row, strict=True)]
            shown.append((label, "", True, cells))
        else:
            unit, numeric, cells = _column(name, values, unit_in(table, name))
            shown.append((label, unit, numeric, cells))
    rows = [list(cells) for cells in zip(*(column[3] for column in shown), strict=True)]
    return Grid([c[0] for c in shown], [c[1] for c in shown], [c[2] for c in shown], rows)


def limit_units(row: Mapping[str, Any]) -> tuple[str, str]:
    """(unit of what is used and available, unit of what one more is worth) of a row of `limits`.

    A row with a `price_unit` counts its amounts in `unit`; else `unit` is the price's, and the amounts' follows from it.

    >>> limit_units({"unit": "MW", "price_unit": "USD/yr per MW"}), limit_units({"unit": "USD/MW/yr"})
    (('MW', 'USD/MW/yr'), ('MW', 'USD/MW/yr'))
    """
    unit, price = str(row.get("unit") or ""), str(row.get("price_unit") or "")
    return (canonical(unit), canonical(price)) if price else (resource_unit(unit), canonical(unit))


def _with_amount_units(table: Table) -> Table:
    """The limits with `unit` the price's and `amount_unit` the amounts'."""
    units = [limit_units(row) for row in table.rows()]
    columns = {**table.columns, "amount_unit": [a for a, _ in units], "unit": [p for _, p in units]}
    return Table(table.name, columns, table.units, table.title, table.note)


def _row_cell(table: Table, name: str, value: Any, unit: str) -> str:
    if table.name == "limits" and name in ("shadow_price_up", "shadow_price_down") and value is None:
        return "-"
    return quantity(value, unit)


def _column(name: str, values: list[Any], unit: str) -> tuple[str, bool, list[str]]:
    """(unit shown, numeric?, cells) of one column under one scale."""
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if not numbers or any(isinstance(v, str) and v for v in values):
        return "", False, [cell_text(value) for value in values]
    finite = [abs(v) for v in numbers if v == v and abs(v) != float("inf")]
    factor, shown = scaled(unit, max(finite, default=0.0))
    write = signed if name in SIGNED else number
    whole = factor == 1.0 and all(float(v).is_integer() for v in numbers if abs(v) != float("inf"))
    cells = []
    for value in values:
        if value is None:
            cells.append("")
        elif whole and value == value and abs(value) != float("inf"):
            cells.append(write(round(value)))
        else:
            cells.append(write(float(value) * factor))
    return shown, True, cells


def cell_text(value: Any) -> str:
    """Any other cell: text as it is, a list joined by commas, nothing as ''."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(cell_text(item) for item in value)
    if isinstance(value, (bool, int, float)):
        return number(value)
    return str(value)

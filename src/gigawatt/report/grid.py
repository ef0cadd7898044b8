"""A run's table as rows of text: one scale and one unit a column, chosen columns in order, the unit in the header.

Terminal and page show the same grids. Tables whose rows carry their own `unit` (metrics, limits, assumptions) get each
cell with its unit instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gigawatt.core.table import Table, plain
from gigawatt.report.labels import LABELS
from gigawatt.report.numbers import canonical, number, quantity, scaled, signed, unit_of

# Columns whose unit stands in the row's own `unit` column.
ROW_UNITS: Mapping[str, tuple[str, ...]] = {
    "metrics": ("value", "low", "p50", "high"),
    "assumptions": ("value", "low", "high"),
    "limits": ("used", "available", "shadow_price_up", "shadow_price_down", "lasting_up"),
    "circularity": ("value",),
    "drift_turn": ("value", "low", "high"),
}
# Columns of a table of risk that are in the unit of each row's own input: a price beside a share.
OF_INPUT = ("at_p10", "at_p90")
INPUTS = "_inputs"  # tables of this ending are inputs of one section, each in its own unit
# Of a column's largest number, what is below this share is noise of the arithmetic and shown as 0.
NOISE = 1e-9
TRILLION = 1e12  # a column of which most is below it is shown in billions throughout
# Columns where the sign is the message.
SIGNED = ("price_change_needed",)

# Endings of names that the unit in the header says already.
_SAID = (
    ("usd_per_mw_yr", "USD/MW/yr"),
    ("usd_per_yr", "USD/yr"),
    ("usd_per_mw", "USD/MW"),
    ("usd_per_mwh", "USD/MWh"),
    ("usd", "USD"),
    ("gw_per_year", "GW/yr"),
    ("gw", "GW"),
    ("mwh", "MWh"),
    ("mw", "MW"),
    ("kwh", "kWh"),
    ("kw", "kW"),
    ("w", "W"),
    ("j", "J"),
    ("hz", "Hz"),
    ("gb_per_s", "GB/s"),
    ("gb", "GB"),
    ("days", "d"),
    ("c", "C"),
)
_SHOUTED = (
    "cfads", "dscr", "llcr", "plcr", "irr", "npv", "ltv", "ebitda", "p10", "p50", "p90", "mw", "gw", "usd", "pue", "wue",
    "gpu", "slo",
)  # fmt: skip


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
    # A ledger's quarters have periods; those of a market are other tables, of mixed columns.
    if (
        table.name == "quarters"
        and "quarter" not in table.columns
        and column not in (*table.units, "period", "date_end")
    ):
        return "USD"
    if table.name == "moats" and column in ("low", "high"):
        return unit_of(column, table.units.get(column, "USD/MW/yr"))
    return unit_of(column, table.units.get(column, ""))


def label_of(name: str, unit: str = "") -> str:
    """The heading of a column: as people say it, without the unit that stands beside it.

    >>> label_of("capex_usd", "USD"), label_of("spend_usd_per_yr_low", "USD/yr"), label_of("dscr")
    ('capex', 'spend low', 'DSCR')
    >>> label_of("host_w_per_chip", "W"), label_of("tokens_per_mw"), label_of("site.energy_price", "USD/MWh")
    ('host per chip', 'tokens per MW', 'site.energy_price')
    """
    if name in LABELS:
        return LABELS[name]
    if "." in name:  # the dotted path of an input, as it would be set
        return name
    for part, said in _SAID:
        if said == unit:
            name = re.sub(rf"_{part}(?=_|$)", "", name, count=1)
    text = " ".join(word.upper() if word in _SHOUTED else word for word in name.split("_")).strip()
    return text or unit


def row_units(table: Table) -> tuple[str, ...]:
    """The columns of a table whose unit stands in the row's own `unit` column."""
    if "unit" not in table.columns:
        return ()
    return ("value", "low", "high") if table.name.endswith(INPUTS) else ROW_UNITS.get(table.name, ())


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


_ACRONYMS = (
    "NPV",
    "IRR",
    "DSCR",
    "LLCR",
    "PLCR",
    "USD",
    "MW",
    "GW",
    "IT",
    "PUE",
    "WUE",
    "TCO",
    "TTFT",
    "TPOT",
    "KV",
    "HBM",
    "MFU",
    "Mtok",
    "MWh",
    "GPU",
)
_CAPITALS = {word.lower(): word for word in _ACRONYMS}


def words_of(name: str) -> str:
    """A metric's name as words: acronyms in capitals, the first letter too; a currency at its end is in the unit.

    >>> words_of("system_npv"), words_of("revenue_per_mw_year"), words_of("peak_capital_usd")
    ('System NPV', 'Revenue per MW year', 'Peak capital')
    """
    text = " ".join(_CAPITALS.get(word, word) for word in name.removesuffix("_usd").split("_"))
    return text[:1].upper() + text[1:]


def grid(
    table: Table, columns: Sequence[str] | None = None, labels: Mapping[str, str] | None = None, bands: bool = False
) -> Grid:
    """The display form of `table`; only those of `columns` that exist and are not empty throughout.

    Args:
        table: any table of a run.
        columns: names in order; all when None.
        labels: headings that differ from the usual ones.
        bands: a column X with X_low and X_high beside it becomes one: 'value (low to high)'.
    """
    if table.name == "limits":
        table = _with_amount_units(table)
    if table.name == "metrics":
        table = Table.from_rows(table.name, [counted(row) for row in table.rows()], list(table.columns), table.units)
    chosen = [name for name in (columns or list(table.columns)) if name in table.columns]
    of_rows = row_units(table)
    banded = {name for name in chosen if bands and {f"{name}_low", f"{name}_high"} <= set(table.columns)}
    chosen = [name for name in chosen if not any(name in (f"{one}_low", f"{one}_high") for one in banded)]
    of_input = OF_INPUT if table.name == "sensitivity" and "input_unit" in table.columns else ()
    if of_input:
        chosen = [name for name in chosen if name != "input_unit"]
    if of_rows:
        chosen = [name for name in chosen if name not in ("unit", "amount_unit", "price_unit")]
    shown: list[tuple[str, str, bool, list[str]]] = []
    for name in chosen:
        values = [plain(value) for value in table.columns[name]]
        if values and all(value is None or value == "" for value in values):
            continue
        label = (labels or {}).get(name) or label_of(name, unit_in(table, name))
        if name in of_rows:
            of = "amount_unit" if name in ("used", "available") else "unit"
            of_row = [str(plain(unit) or "") for unit in table.columns[of]]
            cells = [_row_cell(table, name, value, unit) for value, unit in zip(values, of_row, strict=True)]
            shown.append((label, "", True, cells))
        elif name in of_input:
            of_row = [str(plain(unit) or "") for unit in table.columns["input_unit"]]
            shown.append((label, "", True, [quantity(v, unit) for v, unit in zip(values, of_row, strict=True)]))
        else:
            unit, numeric, cells = _column(name, values, unit_in(table, name))
            cells = [_tiny(cell) for cell in cells] if table.name == "plan" and numeric else cells
            if name in banded and numeric:
                cells = _with_ends(cells, values, table, name, unit_in(table, name))
            shown.append((label, unit, numeric, cells))
    rows = [list(cells) for cells in zip(*(column[3] for column in shown), strict=True)]
    return Grid([c[0] for c in shown], [c[1] for c in shown], [c[2] for c in shown], rows)


def _tiny(cell: str) -> str:
    """A share of a fleet too small to read, in as many characters as the others.

    >>> _tiny("0.0000945"), _tiny("-0.000368"), _tiny("0.00415")
    ('<0.001', '>-0.001', '0.00415')
    """
    return re.sub(r"^(-?)0\.000\d*[1-9]\d*$", lambda found: ">-0.001" if found[1] else "<0.001", cell)


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
    return quantity(*for_people(value, unit)) if table.name.endswith(INPUTS) else quantity(value, unit)


# What an SI unit is quoted in, and by how much it is multiplied: hours for rents by the second, years for what is large.
_YEAR_S, _HOUR_S = 8760 * 3600.0, 3600.0


def for_people(value: Any, unit: str) -> tuple[Any, str]:
    """An SI value in the unit that its market quotes.

    >>> for_people(0.001, "USD/s"), for_people(86400.0 * 365, "s"), for_people(25.0, "USD/W")
    ((3.6, 'USD/h'), (1.0, 'yr'), (25000000000.0, 'USD/GW'))
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return value, unit
    if unit == "USD/W/s":
        return value * 1e6 * _YEAR_S, "USD/MW/yr"
    if unit == "USD/W":
        return value * 1e9, "USD/GW"
    if unit == "USD/s":
        return (value * _HOUR_S, "USD/h") if abs(value) < 1 else (value * _YEAR_S, "USD/yr")
    if unit == "s" and abs(value) >= _YEAR_S / 8:
        return value / _YEAR_S, "yr"
    return value, unit


def counted(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `metrics` with the whole numbers of a count as such: 2 companies, not 2.00.

    >>> counted({"value": 2.0, "unit": ""})["value"], counted({"value": 2.0, "unit": "x"})["value"]
    (2, 2.0)
    """
    ends = [end for end in ("value", "low", "p50", "high") if row.get(end) is not None]
    if row.get("unit") or not all(isinstance(row[end], (int, float)) and float(row[end]).is_integer() for end in ends):
        return dict(row)
    return dict(row) | {end: int(row[end]) for end in ends}


def _column(name: str, values: list[Any], unit: str) -> tuple[str, bool, list[str]]:
    """(unit shown, numeric?, cells) of one column under one scale."""
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if not numbers or any(isinstance(v, str) and v for v in values):
        return "", False, [cell_text(value) for value in values]
    finite = [abs(v) for v in numbers if v == v and abs(v) != float("inf")]
    most = max(finite, default=0.0)
    factor, shown = _scale(unit, finite)
    write = signed if name in SIGNED else number
    whole = factor == 1.0 and all(float(v).is_integer() for v in numbers if abs(v) != float("inf"))
    cells = []
    for value in values:
        if value is None:
            cells.append("")
        elif whole and value == value and abs(value) != float("inf"):
            cells.append(write(round(value)))
        elif abs(value) < NOISE * most:
            cells.append("0")
        else:
            cells.append(write(float(value) * factor))
    return shown, True, cells


def _with_ends(cells: list[str], values: list[Any], table: Table, name: str, unit: str) -> list[str]:
    """The cells of a column with their low and high ends, all under the scale of the column itself."""
    most = max((abs(v) for v in values if isinstance(v, (int, float)) and abs(v) != float("inf")), default=0.0)
    factor, _ = _scale(unit, [abs(v) for v in values if isinstance(v, (int, float))])

    def end(which: str) -> list[str]:
        found = [plain(value) for value in table.columns[f"{name}_{which}"]]
        kept = [v if isinstance(v, (int, float)) else None for v in found]
        return ["" if v is None else "0" if abs(v) < NOISE * most else number(float(v) * factor) for v in kept]

    return [f"{c} ({a} to {b})" if c and a and b else c for c, a, b in zip(cells, end("low"), end("high"), strict=True)]


def _scale(unit: str, sizes: Sequence[float]) -> tuple[float, str]:
    """The scale of a column by its largest number; of money of which most is below a trillion, billions."""
    finite = sorted(size for size in sizes if size == size and size != float("inf"))
    factor, shown = scaled(unit, finite[-1] if finite else 0.0)
    if shown.startswith("T ") and finite[len(finite) // 2] < TRILLION:
        return factor * 1e3, shown.replace("T ", "B ", 1)
    return factor, shown


def cell_text(value: Any) -> str:
    """Any other cell: text as it is, a list joined by commas, nothing as ''."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(cell_text(item) for item in value)
    if isinstance(value, (bool, int, float)):
        return number(value)
    return str(value)

"""What `catalog list`, `show` and `diff` print: pure functions from a catalog to tables. The audit is in `audit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel

from gigawatt.catalog.audit import audit
from gigawatt.catalog.display import shown, text
from gigawatt.catalog.quantity import Series
from gigawatt.catalog.records import KINDS, Record
from gigawatt.catalog.store import Catalog
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, unknown_name
from gigawatt.core.table import Table

__all__ = ["audit", "diff_table", "find_table", "kind_of", "list_table", "show_tables"]

_Column = tuple[str, str, Callable[[Any], Any]]


def _in(unit: str, factor: float, field: str) -> _Column:
    def value(record: Any) -> float | None:
        datum = getattr(record, field)
        return None if datum is None else float(f"{datum.value * factor:.6g}")

    return field, unit, value


def _peak(precision: str) -> _Column:
    def value(record: Any) -> float | None:
        datum = record.peak_flops.get(precision)
        return None if datum is None else float(f"{datum.value * 1e-12:.6g}")

    return precision, "TFLOP/s", value


def _plain(field: str, name: str = "") -> _Column:
    return name or field, "", lambda record: getattr(record, field)


def _billions(usd: float | None) -> float | None:
    return None if usd is None else float(f"{usd * 1e-9:.6g}")


_YEAR_S = 8760 * 3600.0
# Rows that a record nests and that read better as a table of their own.
_ROWS = {"events": "What became known, and when", "balances": "Balances", "reported": "Reported"}
_COLUMNS: dict[str, tuple[_Column, ...]] = {
    "accelerator": (
        _plain("vendor"),
        _plain("year"),
        _peak("bf16"),
        _peak("fp8"),
        _peak("fp4"),
        _in("GB", 1e-9, "memory"),
        _in("TB/s", 1e-12, "memory_bandwidth"),
        _in("GB/s one way", 1e-9, "scaleup_bandwidth"),
        _plain("scaleup_domain"),
        _in("W", 1.0, "tdp"),
        _plain("status"),
    ),
    "platform": (
        _plain("vendor"),
        _plain("accelerator"),
        _plain("chips_per_rack"),
        _in("kW", 1e-3, "rack_power_rated"),
        _in("kW", 1e-3, "allin_power_per_chip"),
        _in("million USD", 1e-6, "list_price"),
        _plain("cooling"),
        _plain("fabric"),
    ),
    "fabric": (
        _plain("name"),
        _plain("technology"),
        _plain("topology"),
        _plain("tiers"),
        _in("1", 1.0, "oversubscription"),
        _in("Gb/s", 8e-9, "nic_bandwidth"),
        _plain("routing"),
        _plain("switch"),
        _plain("radix"),
        _plain("reference_endpoints"),
    ),
    "scaleup": (
        _plain("technology"),
        _plain("topology"),
        _plain("domain"),
        _in("GB/s one way", 1e-9, "bandwidth"),
        _plain("links"),
        _plain("switch"),
        _plain("switches"),
        _plain("status"),
    ),
    "link": (
        _plain("link_kind"),
        _in("GB/s one way", 1e-9, "bandwidth"),
        _in("us", 1e6, "latency"),
        _in("us/km", 1e6, "latency_per_km"),
        _in("dB/km", 1.0, "attenuation_db_per_km"),
    ),
    "netpart": (
        _plain("name"),
        _plain("part_kind"),
        _in("Gb/s", 8e-9, "port_bandwidth"),
        _plain("ports"),
        _in("W", 1.0, "power_typical"),
        _in("W", 1.0, "power_max"),
        _in("USD", 1.0, "price"),
    ),
    "model": (
        _plain("name"),
        _plain("family"),
        _plain("model_kind"),
        _in("B", 1e-9, "parameters_published"),
        _in("B", 1e-9, "active_parameters_published"),
        _plain("max_positions"),
        _plain("license"),
    ),
    "site": (
        _plain("name"),
        _plain("country"),
        _plain("grid"),
        _in("USD/MWh", 3.6e9, "energy_price"),
        _in("kg/MWh", 3.6e9, "carbon"),
    ),
    "facility": (
        _plain("name"),
        _in("1", 1.0, "pue"),
        _in("million USD/MW", 1.0, "shell_price"),
        _in("yr", 1.0, "life_years"),
        _in("1", 1.0, "availability"),
    ),
    "cost": (
        _plain("name"),
        _in("1", 1.0, "discount_rate"),
        _in("yr", 1.0, "it_life_years"),
        _in("million USD/MW", 1.0, "shell_price"),
        _in("million USD/MW/yr", _YEAR_S, "staff"),
    ),
    "company": (_plain("name"), _plain("role"), _in("1", 1.0, "discount_rate"), _in("yr", 1.0, "server_life_years")),
    "price": (
        _plain("name"),
        ("tokens", "rows", lambda record: len(record.tokens)),
        ("chip_hours", "rows", lambda record: len(record.chip_hours)),
        ("power_years", "rows", lambda record: len(record.power_years)),
    ),
    "deal": (
        _plain("pays"),
        _plain("gets"),
        _plain("instrument", "contract"),
        ("headline", "billion USD", lambda record: _billions(record.headline_usd_on(date.max))),
        _plain("announced"),
        _plain("status"),
        _plain("grade"),
    ),
    "gigawatt-cost": (
        _plain("platform"),
        _in("billion USD/GW", 1.0, "cost"),
        _in("billion USD/GW/yr", _YEAR_S, "per_year"),
        ("boundary", "", lambda record: str(record.figure.boundary)),
        _plain("grade"),
    ),
    "calibration": (_plain("kind", "of"), _plain("rows"), _plain("release"), _plain("fitted_to")),
}


def list_table(cat: Catalog, kind: str = "", match: str = "") -> Table:
    """The records of a kind whose id, name or alias holds `match`; without a kind the kinds and how many there are.

    Raises:
        InputError: there is no such kind.
    """
    if not kind:
        rows = [{"kind": name, "records": len(cat.ids(name)), "what": _first_line(KINDS[name])} for name in cat.kinds]
        return Table.from_rows("kinds", rows, ("kind", "records", "what"), title="What the catalog holds")
    if kind not in KINDS:
        raise InputError(unknown_name("kind of record", kind, KINDS))
    records = _matching(cat, kind, match)
    columns = _COLUMNS.get(kind, (_plain("name"),))
    data: dict[str, list[Any]] = {"id": [r.id for r in records]}
    data |= {name: [value(record) for record in records] for name, _, value in columns}
    units = {name: unit for name, unit, _ in columns if unit}
    return Table(kind, data, units, title=f"{len(records)} of kind '{kind}'")


def find_table(cat: Catalog, match: str) -> Table:
    """The records of any kind whose id holds `match`; none is read for it."""
    wanted = match.lower()
    rows = [{"kind": kind, "id": name} for kind in cat.kinds for name in cat.ids(kind) if wanted in name.lower()]
    return Table.from_rows("records", rows, ("kind", "id"), title=f"{len(rows)} records with '{match}' in their id")


def _matching(cat: Catalog, kind: str, match: str) -> list[Any]:
    wanted = match.lower()
    return [
        record
        for record in cat.all(kind)
        if any(wanted in word.lower() for word in (record.id, record.name, *getattr(record, "aliases", ())))
    ]


def kind_of(catalog: Catalog, name: str) -> str:
    """The kind that holds a record of this id; accelerators first where several do.

    Raises:
        InputError: no kind has it; the nearest id of any kind is named.
    """
    kinds = ("accelerator", *(kind for kind in KINDS if kind != "accelerator"))
    for kind in kinds:
        if name in catalog.ids(kind):
            return kind
    raise InputError(unknown_name("record", name, [known for kind in kinds for known in catalog.ids(kind)]))


def show_tables(cat: Catalog, kind: str, name: str) -> tuple[Table, ...]:
    """One record as tables: its plain fields, then its values with range, kind, date and source, then what it nests.

    Raises:
        InputError: there is no such record.
    """
    record: Record = cat.get(kind, name)
    apart = ("config.", *(f"{name}." for name in _ROWS))
    head = [{"field": path, "value": value} for path, value in _plains(record) if not path.startswith(apart)]
    values = []
    for path, datum in _values(record):
        number, unit = shown(datum.value, datum.unit)
        low, high = (shown(bound, datum.unit, datum.value)[0] for bound in datum.range)
        values.append(
            {
                "field": path,
                "value": number,
                "unit": unit,
                "low": low,
                "high": high,
                "range": "stated" if datum.low is not None or datum.high is not None else f"default of '{datum.kind}'",
                "kind": datum.kind,
                "as_of": datum.as_of,
                "source": datum.source,
                "note": "; ".join(word for word in (datum.boundary, datum.note) if word),
            }
        )
    plugin = cat.plugin_of(kind, name)
    title = f"{kind} {name}" + (f", of plug-in {plugin.package} ({cat.file(kind, name)})" if plugin else "")
    made = [Table.from_rows("record", head, ("field", "value"), title=title)]
    if values:
        columns = ("field", "value", "unit", "low", "high", "range", "kind", "as_of", "source", "note")
        made.append(Table.from_rows("values", values, columns, title="Values and their sources"))
    made += [_rows_table(record, name, title) for name, title in _ROWS.items() if getattr(record, name, ())]
    config = getattr(record, "config", None)
    if config:
        rows = [{"field": path, "value": str(value)} for path, value in _leaves(config, "")]
        made.append(Table.from_rows("config", rows, ("field", "value"), title="Configuration"))
    return tuple(made)


def _rows_table(record: Record, name: str, title: str) -> Table:
    """The rows that a record nests, such as a deal's events, without what every one leaves empty."""
    rows = [
        {field: _row_cell(getattr(row, field)) for field in type(row).model_fields if field not in ("kind", "as_of")}
        for row in getattr(record, name)
    ]
    said = [field for field in rows[0] if any(row[field] for row in rows)]
    return Table.from_rows(name, [{field: row[field] for field in said} for row in rows], said, title=title)


def _row_cell(item: Any) -> str:
    if isinstance(item, Mapping):
        return ", ".join(f"{key}: {value}" for key, value in item.items())
    return _cell(item)


def diff_table(cat: Catalog, kind: str, first: str, second: str) -> Table:
    """The fields in which two records of a kind differ, with the ratio second / first of numbers.

    Raises:
        InputError: one of them does not exist.
    """
    sides = [_all(cat.get(kind, name)) for name in (first, second)]
    rows = []
    for field in dict.fromkeys((*sides[0], *sides[1])):
        left, right = sides[0].get(field), sides[1].get(field)
        if _same(left, right) or field in ("id", "name", "source", "source_url"):
            continue
        rows.append({"field": field, first: _cell(left), second: _cell(right), "ratio": _ratio(left, right)})
    names = ("field", first, second, "ratio")
    return Table.from_rows("diff", rows, names, {"ratio": "second / first"}, title=f"{kind}: {first} against {second}")


def _first_line(record: type[Record]) -> str:
    return (record.__doc__ or "").strip().splitlines()[0]


def _all(record: Record) -> dict[str, Any]:
    return dict(_plains(record)) | dict(_values(record))


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, Datum) and isinstance(right, Datum):
        return left.value == right.value
    return bool(left == right)


def _cell(item: Any) -> str:
    return text(item) if isinstance(item, Datum) else "" if item is None else str(item)


def _ratio(left: Any, right: Any) -> float | None:
    """Of two quantities; a year or a count is no quantity."""
    if not (isinstance(left, Datum) and isinstance(right, Datum)) or left.value == 0:
        return None
    return float(f"{right.value / left.value:.4g}")


def _leaves(item: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every leaf of a record with its dotted path; lists of plain values are one leaf."""
    if isinstance(item, Series):
        yield path, ", ".join(f"{shown(value, item.unit)[0]:g}" for value in item.values)
        yield f"{path}.source", f"{item.source} ({item.kind})"
    elif isinstance(item, Datum):
        yield path, item
    elif isinstance(item, BaseModel):
        for name in type(item).model_fields:
            yield from _leaves(getattr(item, name), f"{path}.{name}".lstrip("."))
    elif isinstance(item, Mapping):
        for key, below in item.items():
            yield from _leaves(below, f"{path}.{key}".lstrip("."))
    elif isinstance(item, (list, tuple)) and any(isinstance(below, (BaseModel, Datum, Mapping)) for below in item):
        for number, below in enumerate(item):
            yield from _leaves(below, f"{path}.{getattr(below, 'name', None) or number}")
    elif isinstance(item, (list, tuple)):
        if item:
            yield path, "; ".join(str(below) for below in item)
    elif item not in (None, ""):
        yield path, item


def _values(record: Record) -> Iterator[tuple[str, Datum]]:
    return ((path, item) for path, item in _leaves(record, "") if isinstance(item, Datum))


def _plains(record: Record) -> Iterator[tuple[str, Any]]:
    return ((path, item) for path, item in _leaves(record, "") if not isinstance(item, Datum))

"""Looks for values that are weak, missing or suspicious: the traps of data sheets, and facts that grow old."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gigawatt.catalog.deals import Deal
from gigawatt.catalog.display import text
from gigawatt.catalog.hardware import Accelerator, Platform
from gigawatt.catalog.plugged import broken_plugins, plugin_folders, unknown_folders
from gigawatt.catalog.quantity import datums
from gigawatt.catalog.records import KINDS
from gigawatt.catalog.store import Catalog
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError
from gigawatt.core.table import Table

STALE_YEARS = 2.0  # prices older than this are told; data sheets do not age
_HISTORY = ("price", "deal", "company")  # rows of prices, deals and reports are of their own date, and stay so
WIDE = 0.5  # half-width over value from which an input is called weak

# One way per GPU, half of what NVIDIA prints (600, 900, 1,800, 3,600 GB/s).
_ONE_WAY = {"NVLink3": 300e9, "NVLink4": 450e9, "NVLink5": 900e9, "NVLink6": 1800e9}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at. `severity`: wrong (contradicts itself), missing, weak, stale, trap (told, and minded)."""

    severity: str
    kind: str
    id: str
    field: str
    finding: str
    value: str = ""


_ORDER = ("wrong", "missing", "stale", "weak", "trap")


def audit(cat: Catalog, kind: str = "", package: str = "") -> Table:
    """Every finding over all records (of `kind`, if named; of the plug-in `package`, if named), the gravest first.

    Dates are held against the newest `as_of` of the catalog, so that the answer does not depend on the day.
    """
    found: list[Finding] = _plugged(package)
    records: list[tuple[str, Any]] = []
    for name in (kind,) if kind else cat.kinds:
        for record in cat.ids(name):
            if package and not _of(name, record, package):
                continue
            try:
                records.append((name, cat.get(name, record)))
            except InputError as error:
                found += [Finding("wrong", name, record, "", str(problem)) for problem in error.problems]
    newest = max((_year(d.as_of) for _, record in records for d in datums(record)), default=0.0)
    for name, record in records:
        for datum in datums(record):
            found += _value(name, record.id, datum, newest)
        for check in _CHECKS.get(name, ()):
            found += check(record)
        found += [Finding("trap", name, record.id, "flags", flag) for flag in getattr(record, "flags", ())]
    found.sort(key=lambda f: (_ORDER.index(f.severity), list(KINDS).index(f.kind), f.id, f.field))
    rows = [{slot: getattr(finding, slot) for slot in Finding.__slots__} for finding in found]
    counts = ", ".join(f"{sum(f.severity == s for f in found)} {s}" for s in _ORDER)
    return Table.from_rows("audit", rows, Finding.__slots__, title=f"{len(records)} records: {counts}")


def _plugged(package: str) -> list[Finding]:
    """Plug-ins whose folder can not be read, and folders of theirs that are no kind of record."""
    wrong = [
        one for error in broken_plugins() for one in error.problems if not package or f" {package} " in one.message
    ]
    for folder, plugin in plugin_folders().items():
        if package in ("", plugin.distribution):
            wrong += unknown_folders(folder)
    return [Finding("wrong", next(iter(KINDS)), "", "", str(problem)) for problem in wrong]


def _of(kind: str, name: str, package: str) -> bool:
    """Whether a package brings a record, alone or not."""
    return any(
        plugin.distribution == package and (folder / kind / f"{name}.yaml").is_file()
        for folder, plugin in plugin_folders().items()
    )


def _year(as_of: str) -> float:
    """'2026-08' as 2026.6; 0 where there is no date."""
    try:
        year, _, month = as_of.partition("-")
        return int(year) + (int(month[:2]) - 1) / 12 if month[:2].isdigit() else float(int(year))
    except ValueError:
        return 0.0


def _value(kind: str, name: str, datum: Datum, newest: float) -> Iterator[Finding]:
    field, value = datum.path.removeprefix(f"{kind}/{name}."), text(datum)
    if not datum.source:
        yield Finding("wrong", kind, name, field, "has no source", value)
    low, high = datum.range
    if not low <= datum.value <= high:
        yield Finding("wrong", kind, name, field, "lies outside its own range", value)
    stated = datum.low is not None or datum.high is not None
    if datum.kind == "assumed" and not stated and datum.value not in (0.0, 1.0):
        yield Finding("weak", kind, name, field, "assumed, with no range of its own", value)
    if datum.spread > WIDE:
        yield Finding("weak", kind, name, field, f"range of {datum.spread:.0%} to either side", value)
    year = _year(datum.as_of)
    if kind not in _HISTORY and "USD" in datum.unit and year and newest - year > STALE_YEARS and datum.kind != "filing":
        yield Finding("stale", kind, name, field, f"a price of {datum.as_of}", value)


def _missing(fields: tuple[str, ...]) -> Callable[[Any], Iterator[Finding]]:
    def check(record: Any) -> Iterator[Finding]:
        missing = ", ".join(field for field in fields if not getattr(record, field))
        if missing:
            yield Finding("missing", type(record).folder, record.id, missing, "no source gives it")

    return check


def _precisions(record: Accelerator) -> Iterator[Finding]:
    """Dense peaks double from 16 to 8 bits and from 8 to 4; another ratio often means a sparse figure slipped in."""
    peak = {name: datum.value for name, datum in record.peak_flops.items()}
    for wide, narrow, low, high in (("bf16", "fp8", 1.8, 2.2), ("fp8", "fp4", 1.8, 3.0), ("bf16", "int8", 1.8, 2.2)):
        if wide in peak and narrow in peak:
            ratio = peak[narrow] / peak[wide]
            if ratio >= high * 1.0001 or ratio < low:
                what = "is one of the two sparse?" if ratio > high else "is the narrow format real hardware?"
                finding = f"{narrow} is {ratio:.2f} times {wide}: {what}"
                yield Finding("trap", "accelerator", record.id, f"peak_flops.{narrow}", finding)


def _directions(record: Accelerator) -> Iterator[Finding]:
    if record.scaleup_bandwidth is None:
        return
    value, told = record.scaleup_bandwidth.value, text(record.scaleup_bandwidth)
    for name, one_way in _ONE_WAY.items():
        if record.scaleup_technology.startswith(name) and value > 1.5 * one_way:
            finding = f"{name} carries {one_way / 1e9:.0f} GB/s one way: is this both directions?"
            yield Finding(
                "wrong", "accelerator", record.id, "scaleup_bandwidth", finding, text(record.scaleup_bandwidth)
            )
    if record.memory_bandwidth is not None and value > record.memory_bandwidth.value:
        finding = "faster than the memory: is this both directions, or a whole rack?"
        yield Finding("wrong", "accelerator", record.id, "scaleup_bandwidth", finding, told)


def _gibibytes(record: Accelerator) -> Iterator[Finding]:
    if record.memory is None:
        return
    whole = record.memory.value / 2**30
    if abs(whole - round(whole)) < 1e-9 and not any("GiB" in flag for flag in record.flags):
        yield Finding(
            "trap", "accelerator", record.id, "memory", "a whole number of GiB: is it GB?", text(record.memory)
        )


def _rack(record: Platform) -> Iterator[Finding]:
    """The parts beside the accelerators must leave room for them in the rating; the meter must see the whole rack."""
    beside = record.beside_power_w / (record.supply_efficiency.value or 1.0)
    rated = record.rack_power_rated
    if rated is not None and beside > 0.6 * rated.value:
        finding = f"the parts beside the accelerators take {beside / rated.value:.0%} of the rating"
        yield Finding("wrong", "platform", record.id, "host_power", finding, text(rated))
    allin = record.allin_power_per_chip
    if rated is not None and allin is not None and allin.value * record.chips_per_rack < 0.9 * rated.value:
        finding = "at the meter below the rating of the rack itself"
        yield Finding("trap", "platform", record.id, "allin_power_per_chip", finding, text(allin))
    share = record.production_cost_share
    if share is not None and share.value >= 1:
        yield Finding("wrong", "platform", record.id, "production_cost_share", "costs more than its price", text(share))


def _unpublished(record: Deal) -> Iterator[Finding]:
    """What of a deal's terms nobody has published, and a deal that no primary source states."""
    if record.missing:
        yield Finding("missing", "deal", record.id, "contract", f"not published: {'; '.join(record.missing)}")
    if record.grade == "C":
        yield Finding("weak", "deal", record.id, "grade", "only secondary pages state it: in no headline")


_CHECKS: dict[str, tuple[Callable[[Any], Iterator[Finding]], ...]] = {
    "accelerator": (
        _missing(("peak_flops", "memory", "memory_bandwidth", "tdp", "nic_bandwidth", "price")),
        _precisions,
        _directions,
        _gibibytes,
    ),
    "platform": (_missing(("list_price", "rack_power_rated")), _rack),
    "netpart": (_missing(("power_typical", "price")),),
    "deal": (_unpublished,),
}

"""The parts of a report on a network in reading order, for the page and for the terminal."""

from __future__ import annotations

from typing import Any

from gigawatt.core.table import Table
from gigawatt.report.sections import Section
from gigawatt.report.sentences import rows_of
from gigawatt.study.result import RunResult

MOST_POINTS = 40  # rows of a sweep in the terminal
LABELS = {
    "n": "chips",
    "time_us": "time",
    "busbw_gb_per_s": "busbw",
    "busbw_low": "at least",
    "busbw_high": "at most",
    "per_domain": "in a domain",
    "from_size": "from",
    "to_size": "to",
    "over_first": "over the first",
    "over_next": "over the next",
    "next": "next",
    "mean_share": "mean",
    "p1_share": "p1",
    "min_share": "slowest",
    "transfer_us": "transfer",
    "checked_us": "checked",
    "queue_pairs": "QPs",
    "watts_per_chip": "a chip",
    "usd_per_chip": "a chip",
    "usd_low": "at least",
    "usd_high": "at most",
    "each_w": "each",
    "each_usd": "each",
    "usd": "price",
    "watts": "power",
    "alone_gb_per_s": "alone",
    "together_gb_per_s": "together",
    "utilisation": "busy",
    "sync_every": "steps between",
    "farthest_90_km": "90 % up to",
    "busy_share": "busy",
    "transfer_s": "transfer",
    "latency_s": "latency",
    "exposed_s": "exposed",
    "step_s": "step",
    "not_known": "no source for",
    **{f"need_{share}": f"{share} % busy" for share in (50, 80, 90, 95, 99)},
}
ROWS = (
    "network", "fabric", "collective", "algorithm", "n", "per_domain", "tokens", "size", "time_us", "time_us_low",
    "time_us_high", "busbw_gb_per_s", "bound",
)  # fmt: skip


def _varying(result: RunResult, name: str, columns: tuple[str, ...], optional: tuple[str, ...]) -> Table:
    """A table whose `optional` columns are left out where all rows say the same."""
    table = result.tables[name]
    kept = [
        column
        for column in columns
        if column in table.columns and (column not in optional or len({str(v) for v in table.columns[column]}) > 1)
    ]
    return Table(table.name, {c: table.columns[c] for c in kept}, table.units, table.title, table.note)


def shown_rows(result: RunResult) -> Table:
    """The points, times with their range; what is the same in all of them is said by the sentence above."""
    alike = ("network", "fabric", "collective", "algorithm", "n", "per_domain", "tokens", "size")
    shown = _varying(result, "rows", (*ROWS, "low", "high"), alike)
    columns = dict(shown.columns)
    columns |= {"time_us_low": columns.pop("low"), "time_us_high": columns.pop("high")}
    ordered = {name: columns[name] for name in ROWS if name in columns}
    return Table(shown.name, ordered, shown.units, shown.title, shown.note)


def shown_assumed(result: RunResult) -> Table:
    """What was assumed, like lines of several networks as one."""
    found: dict[tuple[str, str, str], list[str]] = {}
    rows = rows_of(result, "assumed")
    for row in rows:
        found.setdefault((row["what"], row["value"], row["why"]), []).append(row["network"])
    everybody = {row["network"] for row in rows if row["network"] != "all"}
    out: list[dict[str, Any]] = [
        {"what": what, "value": value, "of": "" if everybody <= set(of) or of == ["all"] else ", ".join(of), "why": why}
        for (what, value, why), of in found.items()
    ]
    return Table.from_rows("assumed", out, ("what", "value", "of", "why"))


def shown_measured(result: RunResult) -> Table:
    """Published points at the very sizes that were asked for, the largest first, with the source's owner and name."""
    asked = {row["nbytes"] for row in rows_of(result, "rows")}
    rows = [
        row | {"source": "/".join(str(row["source"]).split(" ")[0].split("@")[0].split("/")[:3])}
        for row in rows_of(result, "measured")
        if row["nbytes"] in asked
    ]
    rows.sort(key=lambda row: -row["nbytes"])
    columns = ("network", "collective", "n", "size", "busbw_gb_per_s", "source", "machine")
    units = {"busbw_gb_per_s": "GB/s"}
    note = "The same accelerator, domain, collective and number of chips; the chart shows each with its whole source."
    return Table.from_rows("measured", rows, columns, units, note=note)


NETWORK: tuple[Section, ...] = (
    Section("rows", "How long it takes, and what binds it", labels=LABELS, shows=shown_rows),
    Section("compare", "Which is fastest", labels=LABELS),
    Section("measured", "Published points", labels=LABELS, shows=shown_measured),
    Section("flows", "Flow by flow", labels=LABELS),
    Section("jobs", "Jobs beside each other", labels=LABELS),
    Section("network_totals", "What the network takes", labels=LABELS),
    Section("parts", "Parts of the network", labels=LABELS),
    Section("across", "Over sites", labels=LABELS),
    Section("across_step", "One synchronous step over sites", labels=LABELS),
    Section("assumed", "Assumed for you", shows=shown_assumed),
)

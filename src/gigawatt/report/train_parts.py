"""The parts of a report on training in reading order, for page and terminal, and tables made shorter for reading."""

from __future__ import annotations

from typing import Any

from gigawatt.core.table import Table
from gigawatt.report.numbers import canonical, number, scaled
from gigawatt.report.sections import Section
from gigawatt.report.sentences import rows_of
from gigawatt.report.serve_parts import shown_assumed
from gigawatt.study.result import RunResult

LABELS = {
    "step_s": "step",
    "tokens_per_s": "the job",
    "tokens_per_s_per_chip": "a GPU",
    "tokens_per_s_per_mw": "a MW",
    "mfu": "MFU",
    "memory_gb": "memory",
    "memory_share": "memory full",
    "exposed_comm_share": "waits for messages",
    "bubble_share": "bubble",
    "chip_w": "chip",
    "it_w_per_chip": "rack input",
    "meter_w_per_chip": "meter",
    "job_mw": "job",
    "joules_per_token": "token",
    "chips_used": "GPUs in use",
    "nearest_fix": "nearest fix",
    "gb": "a GPU",
    "share": "of it",
    "seconds": "time",
}
POINT = (
    "platform", "mapping", "precision", "mode", "step_s", "tokens_per_s_per_chip", "mfu", "joules_per_token", "job_mw",
    "memory_gb", "bound",
)  # fmt: skip
# What is told of each best point: column, its unit, words.
SIDES: tuple[tuple[str, str, str], ...] = (
    ("mapping", "", "mapping"),
    ("precision", "", "precision"),
    ("mode", "", "power mode"),
    ("chips_used", "", "GPUs in use"),
    ("step_s", "s", "step"),
    ("tokens_per_s", "token/s", "the job"),
    ("tokens_per_s_per_chip", "token/s", "a GPU"),
    ("mfu", "share", "MFU"),
    ("exposed_comm_share", "share", "waits for messages"),
    ("bubble_share", "share", "pipeline bubble"),
    ("memory_gb", "GB", "memory of a GPU"),
    ("memory_share", "share", "of what it has"),
    ("chip_w", "W", "chip power"),
    ("it_w_per_chip", "W", "rack input a chip"),
    ("meter_w_per_chip", "W", "meter a chip"),
    ("job_mw", "MW", "the job"),
    ("joules_per_token", "J", "a token, meter"),
    ("tokens_per_s_per_mw", "token/s", "a MW"),
    ("bound", "", "bound by"),
)
BAR = 28  # characters of a full bar


def side_by_side(result: RunResult, most: int = 3) -> Table:
    """The best points as columns, a row a quantity with its unit and its 80 % range; at most `most` platforms."""
    rows = rows_of(result, "platforms")[:most]
    out = []
    for column, unit, words in SIDES:
        values = [row[column] for row in rows]
        if all(value is None for value in values):
            continue
        made: dict[str, Any] = {"what": words}
        if unit:
            factor, shown = scaled(canonical(unit), max(abs(value) for value in values if value is not None))
            made["what"] = f"{words} [{shown}]"
            for row in rows:
                made[row["platform"]] = _with_range(row, column, factor)
        else:
            for row in rows:
                value = row[column]
                made[row["platform"]] = f"{value:,.0f}" if isinstance(value, float) else str(value)
        out.append(made)
    table = result.tables["platforms"]
    return Table.from_rows("best", out, ("what", *(row["platform"] for row in rows)), {}, table.title, table.note)


def _with_range(row: dict[str, Any], column: str, factor: float) -> str:
    ends = ("low", "high") if column == "tokens_per_s_per_chip" else (f"{column}_low", f"{column}_high")
    value, low, high = row[column], row.get(ends[0]), row.get(ends[1])
    if value is None:
        return ""
    said = f" ({number(low * factor)}-{number(high * factor)})" if low is not None and high is not None else ""
    return f"{number(value * factor)}{said}"


def shown_points(result: RunResult, name: str) -> Table:
    """Points without what is the same in all rows; bands are in the chart and in the run folder."""
    table = result.tables[name]
    rows = rows_of(result, name)
    kept = []
    for column in POINT:
        same = column in ("platform", "precision", "mode") and len({row[column] for row in rows}) == 1
        if not (len(rows) > 1 and same) and any(row[column] is not None for row in rows):
            kept.append(column)
    return Table.from_rows(name, rows, kept, table.units, table.title, table.note)


def shown_front(result: RunResult) -> Table:
    """The front."""
    return shown_points(result, "pareto")


def shown_precisions(result: RunResult) -> Table:
    """The best of each precision."""
    return shown_points(result, "precisions")


def with_bars(result: RunResult, name: str, words: str, value: str, most: int = 3) -> Table:
    """A table of parts that sum to a whole, each with its share as a bar; at most `most` platforms."""
    table = result.tables[name]
    rows = rows_of(result, name)
    platforms = list(dict.fromkeys(row["platform"] for row in rows))[:most]
    kept = [row | {"bar": bar(row["share"] or 0.0)} for row in rows if row["platform"] in platforms and row[value]]
    columns = ([] if len(platforms) < 2 else ["platform"]) + [words, value, "share", "bar"]
    units = {value: table.units.get(value, ""), "share": "share"}
    return Table.from_rows(name, kept, columns, units, table.title, table.note)


def bar(share: float) -> str:
    """A share as a row of marks.

    >>> bar(0.5)
    '##############'
    """
    return "#" * max(round(share * BAR), 1 if share > 0 else 0)


def shown_rejected(result: RunResult, most: int = 16) -> list[str]:
    """What fell out as sentences, the most frequent of each platform first."""
    rows = rows_of(result, "rejected")
    several = len({row["platform"] for row in rows}) > 1
    out = []
    for platform in dict.fromkeys(row["platform"] for row in rows):
        mine = sorted((row for row in rows if row["platform"] == platform), key=lambda row: -row["count"])
        lead = f"{platform}: " if several else ""
        out += [f"{lead}{row['reason']} ({row['count']:,}): {row['nearest_fix']}" for row in mine[:most]]
    return out


def shown_time(result: RunResult) -> Table:
    """Where a step goes."""
    return with_bars(result, "time", "part", "seconds")


def shown_memory(result: RunResult) -> Table:
    """What fills the memory."""
    return with_bars(result, "memory", "kind", "gb")


def shown_job(result: RunResult, most: int = 3) -> Table:
    """The job of each platform as a column, a row a quantity with its unit and its 80 % range."""
    rows = rows_of(result, "job")
    platforms = list(dict.fromkeys(row["platform"] for row in rows))[:most]
    out: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["platform"] not in platforms:
            continue
        most_of = max(abs(r["value"]) for r in rows if r["what"] == row["what"])
        factor, unit = scaled(canonical(row["unit"]), most_of) if row["unit"] in SCALED else (1.0, row["unit"])
        what = f"{row['what']} [{unit}]" if unit else row["what"]
        ends = f" ({number(row['low'] * factor)}-{number(row['high'] * factor)})" if row["low"] is not None else ""
        out.setdefault(what, {"what": what})[row["platform"]] = f"{number(row['value'] * factor)}{ends}"
    table = result.tables["job"]
    return Table.from_rows("job", list(out.values()), ("what", *platforms), {}, table.title, table.note)


POWER_LABELS = {"w": "watts", "share": "of a step", "what": ""}
SCALED = ("token", "share", "MWh")  # units of which more is written with a prefix, or in percent

TRAIN: tuple[Section, ...] = (
    Section("platforms", "The best mapping", labels=LABELS, shows=lambda result: side_by_side(result, 6)),
    Section("job", "The whole job", labels=LABELS, shows=lambda result: shown_job(result, 6)),
    Section("time", "Where a step goes", labels=LABELS, folded=("time",)),
    Section("schedule", "The pipeline of the best mapping", folded=("schedule",)),
    Section("power", "Power", labels=POWER_LABELS),
    Section("memory", "Memory of a chip, by kind", "The line is what the chip has.", labels=LABELS, folded=("memory",)),
    Section(
        "pareto",
        "Speed against energy",
        "Shaded: 80 % range; stars: the best. No mapping of a platform beats another point in both.",
        labels=LABELS,
        shows=shown_front,
    ),
    Section("precisions", "The best of each precision", labels=LABELS, shows=shown_precisions),
    Section("rejected", "What fell out, and the nearest fix", labels=LABELS),
    Section("metrics", "Headline numbers", columns=("name", "value", "unit", "low", "high", "formula")),
    Section("assumed", "Assumed for you", shows=shown_assumed),
)

"""The parts of a report on a site's hours in reading order, for page and terminal, and tables made shorter for reading."""

from __future__ import annotations

from gigawatt.core.table import Table
from gigawatt.report.sections import Section
from gigawatt.report.sentences import rows_of
from gigawatt.study.result import RunResult

LABELS = {
    "wet_bulb_c": "wet bulb",
    "cap_mw": "may draw",
    "meter_mw": "draws",
    "pue": "PUE",
    "usd_per_mwh": "energy",
    "worth_usd_per_mwh": "a MW more",
    "racks_mean": "racks",
    "racks_least": "least",
    "racks_most": "most",
    "mwh_per_day": "energy",
    "tokens_per_day": "tokens a day",
    "of_plan": "of plan",
    "revenue_usd_per_day": "revenue a day",
    "racks_taken_over_per_day": "taken over",
    "hand_over_hours": "hand-over",
    "margin_usd_per_day": "after energy, a day",
    "worth_of_steering_usd_per_day": "steering is worth",
    "tokens_out_per_day": "served tokens a day",
    "energy_mwh_per_day": "energy a day",
}
SITE = ("wet_bulb_c", "cap_mw", "meter_mw", "pue", "usd_per_mwh", "worth_usd_per_mwh")
MOST_HOURS = 24


def shown_hours(result: RunResult) -> Table:
    """The site's columns with each work's MW and what is served, an hour a row; of several days the first."""
    table = result.tables["hours"]
    rows = rows_of(result, "hours")
    day = len(rows) <= MOST_HOURS
    mw = [f"{row['workload']}_mw" for row in rows_of(result, "works")]
    served = [n for n in table.columns if n.endswith("_served_share")]
    kept = [row | {"hour": str(row["hour"])[11:] if day else row["hour"]} for row in rows]
    return Table.from_rows("hours", kept, ("hour", *SITE, "binds", *mw, *served), table.units, table.title, table.note)


def hour_labels(result: RunResult) -> dict[str, str]:
    """Headings of `shown_hours`: a work's name over its MW, and over the share that it serves."""
    names = list(result.tables["hours"].columns)
    mw = {n: n.removesuffix("_mw") for n in names if n.endswith("_mw")}
    served = {n: f"{n.removesuffix('_served_share')} served" for n in names if n.endswith("_served_share")}
    return {**mw, **served, **LABELS}


OPERATE: tuple[Section, ...] = (
    Section(
        "power_hours",
        "Power by the hour",
        "Means at the meter; the dashed line is what may be drawn.",
        folded=("power_hours",),
        beside=("swings",),
    ),
    Section(
        "work_hours",
        "Work by the hour",
        "Dotted: asked for at every price; dashed: what the plan meant to serve, or a run's pace.",
        folded=("work_hours",),
    ),
    Section("works", "What each work gets", labels=LABELS),
    Section(
        "hours",
        "Price of energy, and what a MW more is worth",
        charts=("weather",),
        shows=shown_hours,
        labels=LABELS,
        most=8,
    ),
    Section("policies", "What steering is worth", labels=LABELS),
    Section("metrics", "Headline numbers", columns=("name", "value", "unit", "low", "high", "formula")),
    Section("postings", "Who pays whom, by the hour", folded=("postings",), fold_words="Every posting"),
    Section("assumptions", "Assumptions and sources", "Every input with its range, its kind and where it comes from."),
)

"""The parts of a report on a build-out in reading order, for page and terminal, and tables made shorter for reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gigawatt.core.table import Table
from gigawatt.report.chart_parts import value_of
from gigawatt.report.fleet_charts import at_work, letters, one_per_cent, quarters_of, summed, text_bar
from gigawatt.report.sections import Section
from gigawatt.report.sentences import rows_of
from gigawatt.study.result import RunResult

BAR = 44  # characters of the power that may be drawn
MOST_QUARTERS = 24

LABELS = {
    "power_mw": "may be drawn",
    "site_mw": "site built",
    "mw": "drawn",
    "capital_usd": "capital",
    "capital_in_usd": "money in",
    "operating_usd": "earned",
    "running_usd": "running costs",
    "funding_usd": "in at once",
    "cash_usd": "not spent",
    "revenue_usd_per_mw_yr": "revenue of a MW",
    "tokens_out_per_s": "output tokens",
    "tokens_in_per_s": "input tokens",
    "trained_tokens_per_s": "trained tokens",
    "first_bought": "first bought",
    "last_bought": "last bought",
    "peak_mw": "most",
    "earns_first_usd_per_mw_yr": "a MW earns first",
    "earns_last_usd_per_mw_yr": "a MW earns last",
    "earns_usd_per_mw_yr": "a MW earns",
    "under_usd_per_mw_yr": "under it",
    "lost_usd": "loses",
    "lost_share": "of it",
    "tokens_out_per_s_per_mw": "tokens, first",
    "tokens_out_per_s_per_mw_end": "tokens, at the end",
    "joules_per_token": "energy",
    "speed_first": "software, first",
    "speed_end": "software, at the end",
    "bound": "bound by",
    "in_use": "in use",
    "binds": "binds in",
    "worth_usd": "1 % more is worth",
    "available": "from",
}


def shown_quarters(result: RunResult) -> Table:
    """The quarters with a bar of MW by platform; of many only every second, third ... one."""
    quarters = quarters_of(result)
    every = -(-len(quarters) // MOST_QUARTERS)
    stacks = summed(at_work(result, "mw"), "platform", "mw", quarters)
    sign = letters(list(stacks))
    periods = rows_of(result, "periods")
    whole = max(
        [value for row in periods if (value := value_of(row.get("power_mw"))) is not None]
        + [float(row["mw"]) for row in periods],
        default=0.0,
    )
    rows = []
    for t, row in enumerate(periods):
        if t % every:
            continue
        parts = [(sign[name], values[t]) for name, values in stacks.items()]
        kept = {name: row[name] for name in ("quarter", "mw", "capital_usd", "operating_usd", "revenue_usd_per_mw_yr")}
        rows.append(kept | {"bar": text_bar(parts, whole, BAR)})
    table = result.tables["periods"]
    columns = ["quarter", "bar", "mw", "capital_usd", "operating_usd", "revenue_usd_per_mw_yr"]
    return Table.from_rows("shown", rows, columns, table.units, table.title)


def legend(result: RunResult) -> str:
    """'A gb300, B vr' for the bars."""
    quarters = quarters_of(result)
    stacks = summed(at_work(result, "mw"), "platform", "mw", quarters)
    return ", ".join(f"{sign} {name}" for name, sign in letters(list(stacks)).items())


def shown_limits(result: RunResult, most: int = 12) -> Table:
    """One row a limit that ever binds: in how many quarters, when, and what one per cent more of all of them is worth."""
    quarters = quarters_of(result)
    at = {name: t for t, name in enumerate(quarters)}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(result, "limits"):
        if row["binding"]:
            found.setdefault(str(row["name"]), []).append(row)
    rows: list[dict[str, Any]] = []
    for name, mine in found.items():
        mine.sort(key=lambda row: at[str(row["quarter"])])
        dearest = max(mine, key=one_per_cent)
        rows.append(
            {
                "limit": name,
                "binds": f"{len(mine)} of {len(quarters)}",
                "first": mine[0]["quarter"],
                "last": mine[-1]["quarter"],
                "worth_usd": sum(one_per_cent(row) for row in mine),
                "dearest": dearest["quarter"],
            }
        )
    rows = sorted((row for row in rows if row["worth_usd"] > 0), key=lambda row: -row["worth_usd"])
    columns = ["limit", "binds", "first", "last", "dearest", "worth_usd"]
    note = "Quarters in which a limit binds, and what 1 % more of it in all of them is worth today."
    return Table.from_rows("shown", rows[:most], columns, {"worth_usd": "USD"}, result.tables["limits"].title, note)


def dearest(result: RunResult) -> list[str]:
    """The sentence of the dearest quarter of power, of capital and of each platform's supply, the dearest first."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows_of(result, "limits"):
        name = str(row["name"])
        if row["kind"] not in ("power", "capital", "supply") or not row["binding"] or not one_per_cent(row):
            continue
        if name not in found or one_per_cent(row) > one_per_cent(found[name]):
            found[name] = row
    return [str(row["words"]) for row in sorted(found.values(), key=lambda row: -one_per_cent(row)) if row["words"]]


def shown_generations(result: RunResult) -> Table:
    """Platforms that ever stand; racks of the first day where there are any."""
    table = result.tables["generations"]
    rows = [row for row in rows_of(result, "generations") if row["bought"] or row["opening"]]
    without = {"available"} | (set() if any(row["opening"] for row in rows) else {"opening"})
    columns = [name for name in table.columns if name not in without]
    return Table.from_rows("shown", rows, columns, table.units, table.title, table.note)


def shown_performance(result: RunResult) -> Table:
    """Pairs in use."""
    table = result.tables["performance"]
    rows = [row for row in rows_of(result, "performance") if row["in_use"]]
    columns = [name for name in table.columns if name != "in_use"]
    return Table.from_rows("shown", rows, columns, table.units, table.title, table.note)


FLEET: tuple[Section, ...] = (
    Section(
        "fleet",
        "The fleet over time",
        "Above by platform, below by what the racks do.",
        charts=("fleet_by_work",),
        folded=("fleet",),
    ),
    Section(
        "generations",
        "Generations",
        labels=LABELS,
        columns=(
            "platform",
            "available",
            "first_bought",
            "leaves",
            "opening",
            "bought",
            "peak_mw",
            "share",
            "earns_first_usd_per_mw_yr",
            "earns_last_usd_per_mw_yr",
        ),
    ),
    Section("leaving", "What leaves, and why", labels=LABELS),
    Section(
        "limits",
        "What limits you, and when",
        "Colour: what one per cent more of a quarter's limit is worth. The sentence of each is in the hover.",
        labels=LABELS,
        shows=shown_limits,
        folded=("limits",),
        fold_words="Every limit and quarter",
    ),
    Section("periods", "Cash and capital", labels=LABELS, folded=("periods",), charts=("tokens",)),
    Section("policies", "What foresight is worth", labels=LABELS),
    Section(
        "performance",
        "Performance",
        "Pairs in use; all others are behind the click.",
        labels=LABELS,
        shows=shown_performance,
        folded=("performance",),
        fold_words="Every platform and workload",
    ),
    Section("excluded", "What was not built, and why"),
    Section(
        "metrics",
        "Headline numbers",
        "P10 to P90 from the draws with the plan held; `gigawatt explain NAME` shows where each comes from.",
        columns=("name", "value", "unit", "low", "high", "formula"),
    ),
    Section("software", "Software at the points"),
    Section("assumptions", "Assumptions and sources", "Every input with its range, its kind and where it comes from."),
)


FLEET_SENTENCES: Mapping[str, Callable[[RunResult], str]] = {"limits": lambda result: " ".join(dearest(result)[:3])}

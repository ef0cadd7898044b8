"""The parts of a report on moats in reading order, and the table of values made shorter for reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gigawatt.core.table import Table
from gigawatt.report.numbers import number
from gigawatt.report.sections import Section
from gigawatt.report.sentences import rows_of
from gigawatt.study.result import RunResult

MILLION = 1e6
SHORT = {"software": "software", "networking": "networking", "perf_per_watt": "perf per watt"}
LABELS = {
    "software": "software",
    "perf_per_watt": "perf per watt",
    "site_mw": "power",
    "total_usd_per_mw_yr": "all three",
    "premium": "premium",
    "premium_without": "without moats",
    "best_price": "best price",
    "short": "what is short",
    "binding": "what binds",
    "tokens_out_per_s_per_mw": "tokens a MW",
    "rival_tokens_out_per_s_per_mw": "rival's",
    "after_port": "after port",
    "power_mw": "site power",
    "perf_per_watt_share": "share of performance per watt",
    "software_usd_per_mw_yr": "software",
    "networking_usd_per_mw_yr": "networking",
    "perf_per_watt_usd_per_mw_yr": "performance per watt",
    "energy_usd_per_mwh": "energy",
    "shell_usd_per_mw": "building",
}


def shown_moats(result: RunResult) -> Table:
    """One row a regime and moat: value with its band, share, both directions; of a GPU over its life."""
    rows: list[dict[str, Any]] = []
    for row in rows_of(result, "moats"):
        each = row.get("shapley_usd_per_accelerator")
        rows.append(
            {
                "regime": row["regime"],
                "moat": SHORT[str(row["moat"])],
                "value": row["shapley_usd_per_mw_yr"],
                "P10": row.get("low"),
                "P90": row.get("high"),
                "share": row.get("share"),
                "largest in": row.get("largest_share"),
                "removed": row["removed_usd_per_mw_yr"],
                "given": row["given_usd_per_mw_yr"],
                "a GPU": each if each is None or abs(each) >= 1 else 0.0,
            }
        )
    table = result.tables["moats"]
    units = dict.fromkeys(("value", "P10", "P90", "removed", "given"), "USD/MW/yr")
    units |= {"share": "share", "largest in": "share", "a GPU": "USD"}
    return Table.from_rows("values", rows, list(rows[0]), units, table.title, table.note)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _m(value: float | None) -> str:
    if value is None:
        return ""
    return "0" if abs(value) < 500 else number(value / MILLION, 2)


def by_regime(result: RunResult) -> Table:
    """One row a regime: each value with its band, M USD/MW/yr, the share of performance per watt, the premium."""
    prices = {row["regime"]: row.get("premium") for row in rows_of(result, "regimes")}
    out: dict[str, dict[str, Any]] = {}
    for row in rows_of(result, "moats"):
        mine = out.setdefault(str(row["regime"]), {"regime": row["regime"]})
        said = _m(row["shapley_usd_per_mw_yr"])
        if row.get("low") is not None and row["low"] != row["high"]:
            said += f" ({_m(row['low'])} to {_m(row['high'])})"
        mine[SHORT[str(row["moat"])]] = said
        if row["moat"] == "perf_per_watt":
            mine["its share"] = _percent(row.get("share"))
    for name, mine in out.items():
        mine["premium"] = prices.get(name)
    columns = ("regime", *SHORT.values(), "its share", "premium")
    table = result.tables["moats"]
    return Table.from_rows("by_regime", list(out.values()), columns, {"premium": "x list"}, table.title, table.note)


def by_direction(result: RunResult) -> Table:
    """One row a regime: what is lost when each moat is taken from the vendor, and when rivals are given it, M USD/MW/yr."""
    out: dict[str, dict[str, Any]] = {}
    for row in rows_of(result, "moats"):
        mine = out.setdefault(str(row["regime"]), {"regime": row["regime"]})
        for way in ("removed", "given"):
            mine[f"{SHORT[str(row['moat'])]} {way}"] = _m(row[f"{way}_usd_per_mw_yr"])
    columns = ("regime", *(f"{name} {way}" for way in ("removed", "given") for name in SHORT.values()))
    return Table.from_rows("by_direction", list(out.values()), columns)


def shown_regimes(result: RunResult) -> Table:
    """One row a regime; what binds by its kind."""
    rows = []
    for row in rows_of(result, "regimes"):
        rows.append(
            {
                "regime": row["regime"],
                "short": row["short"],
                "binding": by_kind(result.manifest.get("binding", {}).get(row["regime"], ())) or row.get("binding"),
                "site_mw": row.get("site_mw"),
                "total_usd_per_mw_yr": row.get("total_usd_per_mw_yr"),
                "premium": row.get("premium"),
                "premium_without": row.get("premium_without"),
                "best_price": row.get("best_price"),
            }
        )
    table = result.tables["regimes"]
    columns = (
        "regime",
        "short",
        "binding",
        "site_mw",
        "total_usd_per_mw_yr",
        "premium",
        "premium_without",
        "best_price",
    )
    return Table.from_rows("regimes", rows, columns, table.units, table.title, table.note)


def by_kind(names: Sequence[str]) -> str:
    """Limits in few words: those of demand, of supply and what is owed as one each.

    >>> by_kind(["power", "demand of chat", "demand of chat, tier 2", "supply of gb300"])
    'power, demand (2), supply of gb300'
    """
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.split()[0], []).append(name)
    return ", ".join(
        f"{kind} ({len(mine)})" if len(mine) > 1 else "an obligation" if kind == "obligation" else mine[0]
        for kind, mine in found.items()
    )


MOAT: tuple[Section, ...] = (
    Section("moats", "What each moat is worth", labels=LABELS, shows=shown_moats),
    Section("regimes", "The regimes: what is short, what binds", labels=LABELS, shows=shown_regimes),
    Section(
        "map_scarcity",
        "Which moat matters most, over scarce power and scarce chips",
        "Colour: the largest; numbers: software / networking / performance per watt, M USD per MW and year.",
        labels=LABELS,
        folded=("map_scarcity",),
    ),
    Section(
        "map_watts",
        "What performance per watt is worth where power is no limit",
        "In M USD per MW and year, with its share; zero where watts and their building cost nothing.",
        labels=LABELS,
        folded=("map_watts",),
    ),
    Section("curves", "What the buyer takes at each price", labels=LABELS, folded=("curves",)),
    Section(
        "terms",
        "What each moat is when it is off",
        labels=LABELS,
        columns=("platform", "workload", "software", "after_port", "networking", "perf_per_watt", "basis"),
        folded=("terms",),
        shows=lambda result: result.tables["terms"],
        fold_words="With the parts of networking, and tokens a MW",
    ),
    Section("extras", "Further lines", folded=("extras",), fold_words="Every line by regime"),
    Section("metrics", "Headline numbers", columns=("name", "value", "unit", "low", "high", "formula")),
)

"""Where the numbers of a market file come from: the inputs of their section with their places, and formulas that can be said.

A path that is simulated (supply and orders, rents, the software loop, the contest's equilibrium) is a formula without an
operation: its children are the inputs that it was simulated from, the stated values first used as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.catalog.quarters import Quarters
from gigawatt.catalog.store import DATA, along
from gigawatt.core.datum import Datum
from gigawatt.study.explain import DEFAULT, Node, choice, defined, node, of_datum, worked
from gigawatt.study.explained.kept import PACKAGED
from gigawatt.study.explained.plan import headed
from gigawatt.study.market.section import SectionResult
from gigawatt.study.source import Source, split_path

QUARTERS = DATA / "quarters"
GW = 1e9
MOST_QUARTERS = 12
Tree = Callable[[], Node]


def trees(source: Source, answers: Mapping[str, SectionResult]) -> dict[str, Node]:
    """A tree for every metric of every section."""
    out: dict[str, Node] = {}
    for name, made in answers.items():
        section = _Section(source, name, made)
        for row in made.metrics:
            out[row["name"]] = headed(row, section.tree(row))
    return out


class _Section:
    """Inputs and metrics of one section."""

    def __init__(self, source: Source, name: str, made: SectionResult) -> None:
        self.source, self.name, self.made = source, name, made
        self.values = {row["name"]: float(row["value"]) for row in made.metrics}
        self.inputs = {key: self._leaf(key, datum) for key, datum in made.data.items()}
        self.further: list[Node] = [dict(leaf) for leaf in made.leaves]
        self.done: dict[str, Node] = {}

    def _leaf(self, name: str, datum: Datum, scale: float = 1.0, unit: str = "") -> Node:
        """An input: its place in the catalog or in the file."""
        made = of_datum(name.replace("_", " "), datum, scale, unit)
        made["source"] = datum.source or datum.note or "assumed in the file"
        if "/" in datum.path:
            return made
        made.pop("path", None)
        return made | {"where": self._place(name, datum), "input": f"{self.name}.{name}"}

    def _place(self, name: str, datum: Datum) -> str:
        for words in (datum.path, f"{self.name}.{name}"):
            path, whole = along(self.source.data, words)
            if whole and path:
                return str(self.source.where(path))
        path = split_path(f"{self.name}.{name}", self.source.data)
        return str(self.source.places[path]) if path in self.source.places else DEFAULT

    def scaled(self, name: str, scale: float, unit: str) -> Node:
        return self._leaf(name, self.made.data[name], scale, unit)

    def rests(self) -> list[Node]:
        """All that a simulated number of the section rests on, and what binds."""
        return [*self._binds(), *self.inputs.values(), *self.further]

    def _binds(self) -> list[Node]:
        """What binds in the first row of a table that says so."""
        for table in self.made.tables:
            if "binding_input" in table.columns and len(table):
                row = next(iter(table.rows()))
                words = f"{row['binding_input']} binds" + (f" in {row['quarter']}" if "quarter" in row else "")
                return [choice(words, None, "", "the least of what the inputs allow")]
        return []

    def tree(self, row: Mapping[str, Any]) -> Node:
        name = str(row["name"])
        if name not in self.done:
            how = _HOW.get(self.name)
            made = how(self, name) if how is not None else None
            self.done[name] = made or self.plain(row)
        return self.done[name]

    def of(self, name: str) -> Node:
        """The tree of another metric of the section."""
        row = next(row for row in self.made.metrics if row["name"] == name)
        return headed(row, self.tree(row))

    def plain(self, row: Mapping[str, Any]) -> Node:
        """A number that is simulated or solved for."""
        rests = self.rests() or [choice(str(row["inputs"]), None, "", "inputs of the section")]
        return node("formula", str(row["formula"]), row["value"], str(row["unit"]), str(row["inputs"]), rests)

    def between(self, words: str, value: float, unit: str, source: str) -> Node:
        """A number between inputs and a metric that the section solves for."""
        return node("formula", words, value, unit, source, self.rests())


def _ramp(s: _Section, name: str) -> Node | None:
    weeks = defined("weeks of a year", 52.0, "weeks", "as the section counts them")
    if name == "gigawatts_per_year":
        return worked("product", "target x weeks", "GW", [s.scaled("target_per_week", 1 / GW, "GW/week"), weeks])
    if name == "bill_per_year":
        return worked(
            "product", "GW a year x capital", "USD", [s.of("gigawatts_per_year"), s.scaled("capex", GW, "USD/GW")]
        )
    if name == "racks_per_year":
        return worked(
            "product", "GW a year x racks", "racks", [s.of("gigawatts_per_year"), s.inputs["racks_per_gigawatt"]]
        )
    if name == "chips_per_year":
        return worked("product", "racks x chips", "chips", [s.of("racks_per_year"), s.inputs["chips_per_rack"]])
    if name == "rack_rate_multiple":
        then = worked("product", "racks a year at the rate seen", "racks", [s.inputs["rack_rate_per_week"], weeks])
        return worked("ratio", "racks a year / those", "x", [s.of("racks_per_year"), then])
    return None


def _contest(s: _Section, name: str) -> Node | None:
    if name == "vendor_sales_from_contest":
        shares = [s.inputs["hardware_share"], s.inputs["vendor_share"]]
        spend = s.values[name] / float(np.prod([one["value"] for one in shares]))
        return worked(
            "product",
            "spend x shares",
            "USD/yr",
            [s.between("spend of all labs", spend, "USD/yr", "equilibrium"), *shares],
        )
    if name == "vendor_take_from_contest":
        return worked(
            "product", "sales x gross margin", "USD/yr", [s.of("vendor_sales_from_contest"), s.inputs["gross_margin"]]
        )
    if name == "tokens_per_query":
        queries = s.inputs["queries_per_year"]
        burned = s.between("tokens burned in a year", s.values[name] * queries["value"], "token/yr", "equilibrium")
        return worked("ratio", "tokens / queries", "token", [burned, queries])
    return None


def _labs(s: _Section, name: str) -> Node | None:
    lab = name.removeprefix("marginal_revenue_")
    powered = sorted(key.removesuffix(".gw") for key in s.inputs if key.startswith(f"{lab}.") and key.endswith(".gw"))
    if not powered:
        return None
    power = s.scaled(f"{powered[-1]}.gw", 1e-6, "MW")
    average = worked("ratio", "revenue / MW", "USD/MW/yr", [s.inputs[f"{powered[-1]}.revenue"], power])
    return worked("product", "elasticity x revenue / MW", "USD/MW/yr", [s.inputs["elasticity"], average])


def _reletting(s: _Section, name: str) -> Node | None:
    if not name.startswith("utilisation_"):
        return None
    stay, used = s.inputs["tenancy_years"], s.values[name]
    if not 0 < used < 1:
        return None
    empty = s.between(
        "vacancy between two users",
        stay["value"] * (1 / used - 1),
        "yr",
        "fit-out and the search for a buyer whose work runs",
    )
    return worked(
        "ratio",
        "tenancy / (tenancy + vacancy)",
        "share",
        [stay, worked("sum", "tenancy and vacancy", "yr", [stay, empty])],
    )


def _tokens(s: _Section, name: str) -> Node | None:
    return (
        worked("same", "decline at constant quality", "share", [s.inputs["decline"]])
        if name == "token_decline"
        else None
    )


def _allocate(s: _Section, name: str) -> Node | None:
    if name != "budget_used":
        return None
    return worked("ratio", "power needed / budget", "share", [s.of("power_needed"), s.inputs["budget"]])


def _edge(s: _Section, name: str) -> Node | None:
    around, own = s.inputs.get("vendor.machines_and_their_site"), s.inputs.get("vendor.machines")
    if name != "site_per_board" or around is None or own is None or around["value"] < own["value"]:
        return None
    return worked(
        "ratio",
        "site / board",
        "x",
        [worked("difference", "sales of site around machines", "USD/yr", [around, own]), own],
    )


def _supply(s: _Section, name: str) -> Node | None:
    if name != "cover_at_end" or not s.values[name]:
        return None
    backlog = s.of("backlog_at_end")
    shipped = s.between(
        "shipped in the last quarter", backlog["value"] / s.values[name], "GW", "least of supply and what is asked for"
    )
    return worked("ratio", "backlog / shipped", "quarters", [backlog, shipped])


def _series(s: _Section, name: str) -> Node | None:
    if name == "baseline_next_quarter" and s.further:
        before = next((leaf for leaf in s.further if leaf["value"] == s.values[name]), None)
        return worked("same", "the quarter before, repeated", "USD", [before]) if before is not None else None
    if not name.endswith("_ratio"):
        return None
    for n, one in enumerate(s.source.data.get(s.name, {}).get("compare", [])):
        if f"{one.get('id')}_ratio".replace("-", "_") == name:
            return _compared(s, n, one, s.values[name])
    return None


def _compared(s: _Section, n: int, one: Mapping[str, Any], ratio: float) -> Node:
    from gigawatt.core import units

    said = one["beside"]
    beside = units.parse(said["value"] if isinstance(said, Mapping) else said, "money")
    source = str(said.get("source") or "the file") if isinstance(said, Mapping) else "the file"
    known = {key: str(said[key]) for key in ("as_of",) if key in said} if isinstance(said, Mapping) else {}
    kind = str(said.get("kind") or "") if isinstance(said, Mapping) else ""
    place = str(s.source.where((s.name, "compare", n, "beside")))
    other = node("datum", str(one["id"]).replace("-", " "), beside, "USD", source, where=place, known=kind) | known
    company = str(s.source.data[s.name].get("company", "nvidia"))
    mine = quarter_leaf(company, str(one["quarter"]), str(one["series"]), ratio * beside, "")
    return worked("ratio", "reported / beside", "x", [mine, other])


_HOW: dict[str, Callable[[_Section, str], Node | None]] = {
    "ramp": _ramp,
    "contest": _contest,
    "labs": _labs,
    "reletting": _reletting,
    "tokens": _tokens,
    "allocate": _allocate,
    "edge": _edge,
    "supply": _supply,
    "series": _series,
}


@lru_cache(maxsize=8)
def _lines(company: str) -> dict[str, tuple[int, str, str]]:
    """Line, kind and source of each quarter in the company's table."""
    import csv

    text = (QUARTERS / f"{company}.csv").read_text(encoding="utf-8").splitlines()
    head = next(n for n, line in enumerate(text) if not line.startswith("#"))
    rows = csv.DictReader(text[head:])
    numbers = [n + 1 for n, line in enumerate(text) if n > head and line and not line.startswith("#")]
    return {row["fiscal_quarter"]: (n, row["kind"], row["source"]) for n, row in zip(numbers, rows, strict=False)}


def quarter_leaf(company: str, quarter: str, series: str, value: float, day: str) -> Node:
    """A reported figure, with its line in the table of quarters."""
    line, kind, source = _lines(company)[quarter]
    place = f"{PACKAGED}/quarters/{company}.csv:{line}:1"
    words = f"{series.replace('_', ' ')} of {company}, {quarter}"
    return node("datum", words, value, "USD", source, where=place, known=kind, as_of=day)


def series_leaves(table: Quarters, series: str, at: int) -> list[Node]:
    """What a forecast of a quarter rests on: the guide for it, and the quarters before, the latest first."""
    rows: list[Node] = []
    names: Sequence[str] = table.names
    if at < len(names) and np.isfinite(table.guide_usd[at]):
        rows.append(quarter_leaf(table.company, names[at], "guide", float(table.guide_usd[at]), ""))
    column = table.column(series)
    for q in range(min(at, len(names)) - 1, max(at - MOST_QUARTERS - 1, -1), -1):
        day = table.reported[q].isoformat()
        for what, values in ((series, column), ("guide", table.guide_usd)):
            if np.isfinite(values[q]):
                rows.append(quarter_leaf(table.company, names[q], what, float(values[q]), day))
    return rows

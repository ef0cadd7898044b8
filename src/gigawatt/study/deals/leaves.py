"""Leaves of a deals file's trees: contracts with their terms, sites and paths, other money, cash at the start."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.document import Path_
from gigawatt.finance.settlement import Settlement
from gigawatt.study.deals.case import Case
from gigawatt.study.deals.circular import Circular
from gigawatt.study.explain import Node, given, node, place_of
from gigawatt.study.explained.once import Keeper, once
from gigawatt.study.source import Source

# Where a term that names something finds it.
NAMED = {"site": "sites", "index": "paths", "base": "paths", "market_value": "paths", "times": "paths"}
OWN_FIELDS = (
    "id",
    "kind",
    "pays",
    "gets",
    "status",
    "events",
    "grade",
    "source",
    "note",
    "headline",
    "deal",
    "missing",
)


class DealLeaves(Keeper):
    """Leaves of a settled case, with their places in the file or the catalog."""

    def __init__(self, case: Case, base: Settlement, ring: Circular, catalog: Catalog) -> None:
        super().__init__()
        self.case, self.base, self.ring, self.catalog = case, base, ring, catalog
        self.source: Source = case.loaded.source
        self.paid = base.paid_usd[:, :, 0] if base.paid_usd.size else np.zeros((len(base.lines), base.schedule.periods))
        self.rows = list(self.source.data.get("contracts") or [])
        self.by_id = {one.id: one for one in case.loaded.contracts}

    # Leaves.

    def _index(self, name: str) -> int | None:
        """Which contract of the file has this id; a catalog deal goes by its own where the file gives none."""
        ids = [str(row.get("id") or row.get("deal")) if isinstance(row, Mapping) else "" for row in self.rows]
        return ids.index(name) if name in ids else None

    @once
    def contract(self, name: str) -> Node:
        """A contract by its headline amount."""
        one, at = self.by_id[name], self._index(name)
        grade = f"grade {one.grade}: " if one.grade else ""
        words = f"contract {name}: {one.kind.name}, {one.deal.pays} to {one.deal.gets} ({one.status})"
        row = self.rows[at] if at is not None else {}
        deal = row.get("deal") if isinstance(row, Mapping) else None
        made = node("datum", words, one.headline_usd, "USD", f"{grade}{one.source or 'the file'}")
        if deal:
            return made | {"path": f"deal/{deal}.contract"}
        return made | {"where": place_of(self.source, ("contracts", at or 0))}

    @once
    def terms(self, name: str) -> list[Node]:
        """A contract with its terms, and the sites and paths that they name."""
        at = self._index(name)
        row: Mapping[str, Any] = self.rows[at] if at is not None else {}
        deal = row.get("deal")
        source = self.by_id[name].source or "the file"
        rows = [self.contract(name)]
        told: dict[str, Any] = {}
        if deal:
            record = self.catalog.get("deal", str(deal))
            told = dict(record.contract or {})
            rows += [
                node(
                    "datum",
                    f"{key.replace('_', ' ')} of {name}",
                    value,
                    "",
                    record.source,
                    path=f"deal/{deal}.contract.{key}",
                )
                for key, value in told.items()
                if isinstance(value, (str, int, float)) and key not in row
            ]
        own: dict[str, Any] = {
            key: value for key, value in row.items() if key not in OWN_FIELDS and isinstance(value, (str, int, float))
        }
        rows += [
            given(self.source, ("contracts", at or 0, key), f"{key.replace('_', ' ')} of {name}", value, "", source)
            for key, value in own.items()
        ]
        for key, value in (told | own).items():
            rows += self._world(key, str(value))
        return rows

    def _world(self, key: str, name: str) -> list[Node]:
        """A site or a path that a term names."""
        found = NAMED.get(key)
        for n, one in enumerate(self.source.data.get(found) or [] if found else []):
            if isinstance(one, Mapping) and one.get("id") == name:
                return self._world_of(str(found), n)
        return []

    @once
    def _world_of(self, found: str, n: int) -> list[Node]:
        """What is said of a site or a path; of dated values only those known on the day."""
        one = self.source.data[found][n]
        fields = ("used", "pue", "delay", "start", "growth", "volatility", "reversion", "built", "by_date")
        rows = []
        for field in fields:
            value = one.get(field)
            if value is None:
                continue
            plain = value if isinstance(value, (str, int, float)) else self._dated(found, n, field)
            name = f"{field.replace('_', ' ')} of {one.get('id')}"
            rows.append(given(self.source, (found, n, field), name, plain, "", str(one.get("source") or "the file")))
        return rows

    def _dated(self, found: str, n: int, field: str) -> str:
        day, scenario = self.case.loaded.as_of, self.case.loaded.scenario
        if found == "paths":
            count = sum(1 for dated in scenario.paths[n].by_date if day is None or dated <= day)
            return f"{count} levels seen"
        plans = [one for one in scenario.sites[n].built if day is None or one.known_on is None or one.known_on <= day]
        last = max(plans, key=lambda one: one.known_on or date.min, default=None)
        return f"{len(last.built) if last is not None else 0} dated steps"

    @once
    def money(self, n: int) -> list[Node]:
        """Money that no contract governs."""
        one = self.source.data["flows"][n]
        rows = []
        for field in ("amount", "price", "growth", "by_year"):
            value = one.get(field)
            if value is not None:
                plain = value if isinstance(value, (str, int, float)) else f"{len(value)} years"
                said = str(one.get("source") or "assumed in the file")
                rows.append(
                    given(
                        self.source,
                        ("flows", n, field),
                        f"{field.replace('_', ' ')} of {one.get('id')}",
                        plain,
                        "",
                        said,
                    )
                )
        return [*rows, *self._world("site", str(one.get("site"))), *self._world("times", str(one.get("times")))]

    @once
    def opening(self, company: str) -> list[Node]:
        """Cash of a company at the start."""
        one = next(c for c in self.case.loaded.companies if c.id == company)
        parties = self.source.data.get("companies") or []
        at = next(
            (n for n, p in enumerate(parties) if p == company or (isinstance(p, Mapping) and p.get("id") == company)), 0
        )
        if one.opening is None or one.opening.cash is None:
            return [given(self.source, ("companies", at), f"{company} has no stated purse", None, "")]
        words = f"cash of {company} on {one.opening.on}"
        day, listed = self.case.loaded.as_of, self.case.loaded.scenario.companies[at].opening
        stated = next((n for n, o in enumerate(listed) if o == one.opening and (day is None or o.known <= day)), None)
        if stated is not None:
            many = isinstance(parties[at].get("opening"), list)
            path: Path_ = ("companies", at, "opening", *((stated,) if many else ()), "cash")
            return [given(self.source, path, words, one.opening.cash, "USD", one.opening.source or "the file")]
        record = self.catalog.get("company", company)
        last = max(
            (b for b in record.balances if b.cash is not None and b.cash.value == one.opening.cash),
            key=lambda b: b.on,
            default=None,
        )
        path_text = last.cash.path if last is not None else f"company/{company}.balances"
        return [node("datum", words, one.opening.cash, "USD", one.opening.source, path=path_text)]

"""What a project's trees are made of: inputs of the file with their places, columns of the model, uses, debt by its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.document import Path_
from gigawatt.finance.project import Loan, ProjectModel
from gigawatt.finance.project.debt import LIMITS, limits_usd
from gigawatt.study.explain import DEFAULT, Node, choice, defined, node, place_of, worked
from gigawatt.study.explained.once import Keeper, once
from gigawatt.study.project_tables import column_of
from gigawatt.study.source import Source

Array = NDArray[np.float64]
SAID = ("source", "note")
# What each column follows from: sections of `project` in the file.
SECTIONS = {
    "capital": ("capital", "contingency", "inflation"),
    "revenue": ("revenue", "prices", "inflation"),
    "costs": ("opex", "working_capital", "maintenance", "prices", "inflation"),
    "tax": ("tax",),
    "senior": ("senior", "reserve", "sweep"),
    "sub": ("subordinated",),
    "equity": ("funding", "covenants", "reserve"),
    "timing": ("timing",),
}


class ProjectParts(Keeper):
    """Inputs, columns and debt of a solved project, as trees."""

    def __init__(self, source: Source, model: ProjectModel, samples: int) -> None:
        super().__init__()
        self.source, self.model, self.samples = source, model, samples
        self.timing, self.terms = model.timing, model.terms
        self.n = model.timing.periods

    # Inputs of the file.

    @once
    def inputs(self, *sections: str) -> list[Node]:
        """Every value that the file gives in sections of `project`, and that others are left at their defaults."""
        rows: list[Node] = []
        given = self.source.data.get("project", {})
        for name in sections:
            if name in given:
                rows += self._below(given[name], ("project", name), name.replace("_", " "), "")
            else:
                rows.append(
                    node(
                        "datum",
                        f"{name.replace('_', ' ')}: none stated",
                        None,
                        "",
                        "assumed by default",
                        where=DEFAULT,
                        input=f"project.{name}",
                    )
                )
        return rows

    def _below(self, value: Any, path: Path_, words: str, said: str) -> list[Node]:
        if isinstance(value, Mapping) and ("value" in value or "by_year" in value):
            shown = (
                value["value"]
                if "value" in value
                else ", ".join(f"year {year}: {item}" for year, item in value["by_year"].items())
            )
            known = {key: str(value[key]) for key in ("as_of", "grade") if key in value}
            low, high = value.get("low"), value.get("high")
            made = node(
                "datum",
                words,
                shown,
                "",
                str(value.get("source") or said or "the file"),
                where=place_of(self.source, path),
                known=str(value.get("kind") or ""),
                low=low,
                high=high,
            )
            return [made | known]
        if isinstance(value, Mapping):
            line = str(value.get("source") or said)
            named = f"{words} {value['id']}" if "id" in value else words
            return [
                leaf
                for key, item in value.items()
                if key not in ("id", *SAID)
                for leaf in self._below(item, (*path, key), f"{named}: {str(key).replace('_', ' ')}", line)
            ]
        if isinstance(value, list):
            return [leaf for at, item in enumerate(value) for leaf in self._below(item, (*path, at), words, said)]
        return [node("datum", words, value, "", said or "the file", where=place_of(self.source, path))]

    def behind(self, *kinds: str) -> list[Node]:
        return self.inputs(*dict.fromkeys(name for kind in kinds for name in SECTIONS[kind]))

    def rate(self, name: str, value: float) -> Node:
        given = self.source.data.get("project", {})
        if name in given:
            return {
                **self._below(given[name], ("project", name), name.replace("_", " "), "")[0],
                "value": value,
                "unit": "share/yr",
            }
        return node(
            "datum",
            name.replace("_", " "),
            value,
            "share/yr",
            "assumed by default",
            where=DEFAULT,
            input=f"project.{name}",
        )

    # Columns of the model.

    def column(self, path: str) -> Array:
        return column_of(self.model, path)

    def wide(self, column: Array) -> Array:
        """A column of the first draw over all periods."""
        return np.asarray(np.broadcast_to(column, (*column.shape[:-1], self.n)).reshape(-1, self.n)[0])

    def term(self, words: str, column: Array, *kinds: str) -> tuple[str, Array, tuple[str, ...]]:
        return words, np.asarray(column, dtype=np.float64), kinds

    def total(self, words: str, column: Array, *kinds: str) -> Node:
        """Sum of a column over all periods."""
        return node("formula", words, float(column.sum()), "USD", "sum of its periods", self.behind(*kinds))

    @once
    def uses(self) -> list[Node]:
        """What the project costs until it runs."""
        built = self.model.sizing.construction
        rows = [
            self.total(f"capital: {part.name}", self.wide(spent), "capital")
            for part, spent in zip(self.terms.capital, built.parts_usd, strict=True)
        ]
        names = [n for n, loan in (("senior", self.terms.senior), ("sub", self.terms.subordinated)) if loan]
        for name, fees, interest in zip(names, built.fees_usd, built.interest_usd, strict=True):
            rows.append(self.total(f"fees of the {name} loan", self.wide(fees), name))
            rows.append(self.total(f"interest of the {name} loan while building", self.wide(interest), name, "timing"))
        rows.append(self.total("reserve", self.wide(built.reserve_usd), "senior"))
        return [row for row in rows if row["value"]] or rows[:1]

    @once
    def total_uses(self) -> Node:
        return self.fitting("sum", "total uses", "USD", self.uses(), self.metric("total_uses_usd"))

    def metric(self, key: str) -> float:
        return float(self.model.metrics[key].reshape(-1)[0])

    def fitting(
        self, operation: Any, words: str, unit: str, rows: list[Node], value: float, rests: Sequence[Node] = ()
    ) -> Node:
        """The operation where it gives the model's own value, else the same children without one."""
        made = worked(operation, words, unit, rows, rests_on=rests)
        scale = max([abs(value), *(abs(row["value"]) for row in rows if isinstance(row["value"], float))], default=1.0)
        if made["value"] is not None and abs(made["value"] - value) <= 1e-6 * scale:
            return {**made, "value": value}
        return node("formula", words, value, unit, "as the model solves it", [*rows, *rests])

    @once
    def capital(self) -> Node:
        built = self.model.sizing.construction
        return self.total("capital with contingency", self.wide(built.capital_usd), "capital")

    def debt(self, loan: Loan | None, repayment: Any, kind: str) -> Node:
        """The least of the loan's limits."""
        if loan is None or repayment is None:
            return defined("no such loan", 0.0, "USD", "the file has none")
        sizing, built = self.model.sizing, self.model.sizing.construction
        value = float(repayment.debt_usd.reshape(-1)[0])
        binds = LIMITS[int(repayment.binds.reshape(-1)[0])]
        limits = limits_usd(loan, sizing.cash_usd, built.uses_usd, built.need_usd, self.timing.first, self.timing)
        rows = []
        for name, limit in zip(LIMITS, limits, strict=True):
            most = float(np.asarray(limit).reshape(-1)[0])
            if np.isfinite(most):
                data = self.behind(kind, "timing") + (self.behind("revenue", "costs") if name == "cover" else [])
                rows.append(node("formula", f"most by {name}", most, "USD", f"limit of the loan by {name}", data))
        second = sorted(row["value"] for row in rows)[1:2]
        why = [choice(f"{binds} binds", value, "USD", "the least limit")]
        why += (
            [choice("runner-up: the next limit would allow", second[0], "USD", "the second least limit")]
            if second
            else []
        )
        return self.fitting("min", "least of the limits", "USD", rows or self.behind(kind), value, why)

    @once
    def senior(self) -> Node:
        return self.debt(self.terms.senior, self.model.sizing.senior, "senior")

    @once
    def sub(self) -> Node:
        return self.debt(self.terms.subordinated, self.model.sizing.subordinated, "sub")

    def equity(self) -> Node:
        built = self.model.sizing.construction
        left = float(self.column("sizing.construction.cash_usd")[self.timing.first - 1])
        kept = node(
            "formula",
            "cash at the start of operation",
            left,
            "USD",
            "what is left of a prepayment",
            self.behind("revenue"),
        )
        need = worked("sum", "uses, and cash that is kept", "USD", [*self.uses(), *([kept] if left else [])])
        names = [n for n, loan in (("senior", self.terms.senior), ("sub", self.terms.subordinated)) if loan]
        paid = [
            self.total(f"{name} debt drawn", self.wide(d), name) for name, d in zip(names, built.draws_usd, strict=True)
        ]
        ahead = node(
            "formula",
            "prepaid by customers",
            self.metric("prepaid_usd"),
            "USD",
            "share of the contract",
            self.behind("revenue"),
        )
        return self.fitting(
            "difference", "need less loans and prepayment", "USD", [need, *paid, ahead], self.metric("equity_usd")
        )

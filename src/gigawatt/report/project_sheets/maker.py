"""Names of the sheets, and what turns terms into inputs: `Maker`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gigawatt.finance.project import Loan, ProjectModel
from gigawatt.finance.project.terms import Number
from gigawatt.report.live_sheet import Cell, Entry, Heading, Row, Sheets

INPUTS, TIMING, BUILDING, OPERATIONS, DEBT = "Inputs", "Timing", "Construction", "Operations", "Debt"
WATERFALL, STATEMENTS, RETURNS, CHECKS = "Waterfall", "Statements", "Returns", "Checks"
ORDER = (INPUTS, TIMING, BUILDING, OPERATIONS, DEBT, WATERFALL, STATEMENTS, RETURNS, CHECKS)


class Maker:
    """Adds entries, and turns terms into named inputs or rows of inputs."""

    def __init__(self, model: ProjectModel, sources: Mapping[str, str]) -> None:
        self.model, self.sources = model, sources
        self.sheets = Sheets(model.timing.periods, model.timing.ends)

    def add(self, sheet: str, *entries: Entry) -> None:
        self.sheets.add(sheet, *entries)

    def head(self, sheet: str, text: str) -> None:
        self.add(sheet, Heading(text))

    def row(
        self, sheet: str, key: str, label: str, unit: str, content: str | Sequence[float], total: bool = False
    ) -> None:
        self.add(sheet, Row(key, label, unit, content, total))

    def built(self, key: str, label: str, unit: str, content: str, total: bool = False) -> None:
        """A row of the construction sheet: what is over before operation begins, so that nothing runs in a circle."""
        self.add(BUILDING, Row(key, label, unit, content, total, until=self.model.timing.first))

    def input(self, name: str, label: str, unit: str, value: Any) -> str:
        """A named input; the reference to it."""
        self.add(INPUTS, Cell(name, label, unit, one_draw(value), self.sources.get(name, "")))
        return f"[{name}]"

    def series(self, sheet: str, name: str, label: str, unit: str, value: Number, first: int = 0) -> str:
        """A named input, or a row of inputs where the term changes over time."""
        made = np.asarray(value, dtype=np.float64)
        if made.ndim == 0 or made.shape[-1] == 1:
            return self.input(name, label, unit, value)
        column = np.zeros(self.sheets.periods)
        column[first:] = made.reshape(-1, made.shape[-1])[0]
        self.row(sheet, name, label + " (input)", unit, column.tolist())
        return f"{{{name}}}"


def one_draw(value: Any) -> float:
    """The one value of a term that is the same in every period."""
    made = np.asarray(0.0 if value is None else value, dtype=np.float64)
    if made.size != 1:
        raise ValueError(
            "a workbook holds one draw: the model has several, or a term that this cell can not vary by period"
        )
    return float(made.reshape(()))


def sum_of(prefix: str, count: int) -> str:
    """Template of the sum of rows numbered from 0."""
    return "+".join(f"{{{prefix}_{n}}}" for n in range(count)) or "0"


def loans_of(model: ProjectModel) -> list[tuple[str, Loan]]:
    """The loans by the letter that ends their names: s for senior, j for subordinated (junior)."""
    terms = model.terms
    return [(p, loan) for p, loan in (("s", terms.senior), ("j", terms.subordinated)) if loan is not None]

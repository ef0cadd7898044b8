"""The formulas of a project's workbook, sheet by sheet; the order of things is that of `gigawatt.finance.project`."""

from __future__ import annotations

from collections.abc import Mapping

from gigawatt.finance.project import ProjectModel
from gigawatt.report.live_sheet import Heading, Sheets
from gigawatt.report.project_sheets.loans import debt
from gigawatt.report.project_sheets.maker import INPUTS, ORDER, Maker
from gigawatt.report.project_sheets.payments import waterfall
from gigawatt.report.project_sheets.results import checks, returns, statements
from gigawatt.report.project_sheets.site import construction, operations, timing, wear

CONVENTION = (
    "Blue: inputs. Yellow: solved outside by fixed point (debt, its cover, total need); Checks shows what is left of the "
    "circle. After a change of inputs paste 'debt that this cash carries' over the yellow debt, and its cover and total need "
    "likewise, until the checks are 1 again. The number of periods is fixed."
)


def sheets_of(model: ProjectModel, sources: Mapping[str, str]) -> Sheets:
    """All sheets of a model of one draw; `sources` by the name of the input.

    Raises:
        ValueError: the model has draws.
    """
    if model.waterfall.cash_usd.size != model.timing.periods:
        raise ValueError("a workbook holds one draw; this model has several")
    make = Maker(model, sources)
    make.add(INPUTS, Heading(CONVENTION, note=True))
    for write in (timing, construction, operations, wear, debt, waterfall, statements, returns, checks):
        write(make)
    make.sheets.entries = {name: make.sheets.entries[name] for name in ORDER}
    return make.sheets

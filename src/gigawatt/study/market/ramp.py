"""A ramp to so many gigawatts a week: which input runs short first and when, and the bill in money, racks and chips."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from gigawatt.catalog.quantity import Count, Power, PowerPrice, Share, inherit
from gigawatt.core.table import Table
from gigawatt.economics.market.learning import cost_factor, exponent
from gigawatt.economics.market.ramp import Shortage, bill_usd_per_year, ramp_path, shortage
from gigawatt.economics.market.supply import lead_kernel as kernel
from gigawatt.economics.market.supply import leontief, stocks
from gigawatt.study.door import Day, Strict
from gigawatt.study.market.chain import Chain, ChainInputs, chain
from gigawatt.study.market.section import AsOf, Context, Section, SectionResult, metric
from gigawatt.study.market.sourced import Sourced, band
from gigawatt.study.timeline import add_months

Array = NDArray[np.float64]
GW = 1e9
WEEKS = 52.0
QUARTERS_AFTER = 4


class Learning(Strict):
    """`rate` of compute per dollar for each doubling of what was ever made; `made_at_start` before the ramp."""

    rate: Share
    made_at_start: Power


class RampSection(Strict):
    """From `from_rate` a year at `start` (none: what the inputs allow then) to `target_per_week` at `reach_by`.

    `capex` is of a GW, a range; racks and chips a GW turn it into things. `of` says whose part of the inputs counts.
    """

    start: Day
    reach_by: Day
    target_per_week: Power
    from_rate: Power | None = None
    shape: Literal["geometric", "linear"] = "geometric"
    of: Literal["vendor", "world"] = "vendor"
    inputs: ChainInputs
    capex: PowerPrice
    racks_per_gigawatt: Count
    chips_per_rack: Count
    rack_rate_per_week: Count | None = None
    learning: Learning | None = None

    @model_validator(mode="after")
    def _forward(self) -> RampSection:
        if not 0 < self._quarters() <= 120:
            raise ValueError("reach_by must lie after start, by at most thirty years")
        return self

    def _quarters(self) -> int:
        return round((self.reach_by - self.start).days / (365 / 4))


def run(section: RampSection, seed: int, samples: int, as_of: AsOf, context: Context) -> SectionResult:
    """Answer the section.

    Raises:
        InputError: an input that is not known (as of the date).
    """
    given = inherit(section, "ramp")
    drawn = Sourced("ramp", seed, samples, as_of)
    ramp_quarters = given._quarters()
    quarters = ramp_quarters + QUARTERS_AFTER
    links = chain(given.inputs, given.start, quarters, drawn, as_of, context, world=given.of == "world")
    stock = stocks(links.base, links.orders, kernel(links.lead_quarters, quarters + 1))
    supply = leontief(stock, links.need)
    yearly = drawn.column("target_per_week", given.target_per_week) / GW * WEEKS
    begin = drawn.column("from_rate", given.from_rate) / GW if given.from_rate else 4 * supply.made[:, 0]
    count = len(yearly)
    target = np.stack(
        [ramp_path(begin[d] / 4, yearly[d] / 4, ramp_quarters, quarters, given.shape) for d in range(count)]
    )
    found = shortage(supply.allows, target[:, None, :], links.lead_quarters)
    names = _names(given.start, quarters)
    bill = bill_usd_per_year(yearly, drawn.column("capex", given.capex) * GW)
    ends = [float(bill_usd_per_year(yearly[0], edge * GW)) for edge in given.capex.range]
    racks = yearly * drawn.column("racks_per_gigawatt", given.racks_per_gigawatt)
    chips = racks * drawn.column("chips_per_rack", given.chips_per_rack)
    metrics = [
        metric("bill_per_year", bill[0], "USD", "GW a year x capital per GW; low and high are the ends of the capital's range",
               "target, capex", (ends[0], float(bill[0]), ends[1])),
        metric("gigawatts_per_year", yearly[0], "GW", "target a week x 52", "target_per_week"),
        metric("racks_per_year", racks[0], "", "GW a year x racks per GW", "racks_per_gigawatt"),
        metric("chips_per_year", chips[0], "", "racks a year x chips a rack", "chips_per_rack"),
    ]  # fmt: skip
    sentences = [_headline(found, links, names, given, target)]
    sentences.append(
        f"The bill at {given.target_per_week.value / GW:g} GW a week: {ends[0] / 1e12:.3g} to {ends[1] / 1e12:.3g} "
        f"trillion USD a year, {racks[0]:,.0f} racks and {chips[0] / 1e6:,.3g} million chips."
    )
    if given.rack_rate_per_week is not None:
        multiple = racks / (drawn.column("rack_rate_per_week", given.rack_rate_per_week) * WEEKS)
        metrics.append(
            metric("rack_rate_multiple", multiple[0], "x", "racks a year / (rack rate x 52)", "rack_rate_per_week")
        )
        sentences.append(
            f"That is {multiple[0]:.2g} times the rack rate of {given.rack_rate_per_week.as_of or 'then'}."
        )
    if given.learning is not None:
        made = drawn.column("learning.made_at_start", given.learning.made_at_start) / GW
        b = exponent(drawn.column("learning.rate", given.learning.rate, most=0.95))
        factor = cost_factor(b, made + target[:, :ramp_quarters].sum(axis=1), made)
        metrics.append(
            metric("compute_cost_factor", factor[0], "x", "(all made by then / made at start)^-b, of compute, not of a GW",
                   "learning", band(factor))
        )  # fmt: skip
        sentences.append(
            f"By learning, a unit of compute would cost {factor[0]:.2g} of today's by then; a gigawatt holds more of it and "
            "need not be cheaper."
        )
    tables = [_table(found, links, names, supply.allows, given), _path(names, target, supply.made, supply.binds, links),
              drawn.table()]  # fmt: skip
    notes = [
        "Ramp: what is announced or assumed in the catalog, and orders in the file; no further expansion is taken."
    ]
    held = [f"{name} after {day}" for name, day in zip(links.names, links.held_from, strict=True) if day is not None]
    notes += ["Held at the last level published: " + ", ".join(held) + "."] if held else []
    return SectionResult(tables, metrics, sentences, {}, _LEFT_OUT, notes, data=drawn.data)


def _names(start: date, quarters: int) -> list[str]:
    days = [date.fromordinal(add_months(start, 3 * (k + 1)).toordinal() - 1) for k in range(quarters)]
    return [f"{day.year}Q{(day.month + 2) // 3}" for day in days]


def _headline(found: Shortage, links: Chain, names: list[str], given: RampSection, target: Array) -> str:
    goal = f"{given.target_per_week.value / GW:g} GW a week by {given.reach_by}"
    j = int(found.first[0])
    if j < 0:
        return f"{goal}: no input runs short on the paths given."
    share = float(np.mean(found.first == j))
    q = int(found.quarter[0, j])
    when = "at once" if q == 0 else f"in {names[q]}, at {4 * target[0, q]:.3g} GW a year"
    late = found.late_quarters[0, j]
    order = (
        f"an order placed at the start comes {late:.2g} quarters too late"
        if late > 0
        else f"ordered by {names[max(0, q - int(np.ceil(links.lead_quarters[0, j])))]} it would be there"
    )
    return (
        f"{goal}: {links.names[j]} runs short first, {when} ({100 * share:.0f} % of the draws say so); it takes "
        f"{found.multiple[0, j]:.3g} times what stands now, and {order}."
    )


def _table(found: Shortage, links: Chain, names: list[str], allows: Array, given: RampSection) -> Table:
    rows: list[dict[str, Any]] = []
    for j in np.argsort(found.quarter[0], kind="stable"):
        q = int(found.quarter[0, j])
        short = q < len(names)
        quarters = band(found.quarter[:, j].astype(np.float64))
        order = q - int(np.ceil(links.lead_quarters[0, j]))
        rows.append(
            {
                "input": links.names[j], "unit": links.units[j], "gw_per_year_now": 4 * allows[0, j, 0],
                "gw_per_year_at_end": 4 * allows[0, j, -1], "needed_multiple": found.multiple[0, j],
                "short_from": names[q] if short else None,
                "short_from_early": names[int(quarters[0])] if quarters and quarters[0] < len(names) else None,
                "short_from_late": names[int(quarters[2])] if quarters and quarters[2] < len(names) else None,
                "lead_quarters": links.lead_quarters[0, j], "order_by": None if not short else
                ("before the start" if order < 0 else names[order]), "late_quarters": found.late_quarters[0, j],
                "first_share": float(np.mean(found.first == j)), "runs_short_first": bool(found.first[0] == j),
                "source": links.sources[j],
            }
        )  # fmt: skip
    units = {"gw_per_year_now": "GW/yr", "gw_per_year_at_end": "GW/yr", "needed_multiple": "x", "lead_quarters": "quarters",
             "late_quarters": "quarters", "first_share": "share"}  # fmt: skip
    note = (
        f"Of the {given.of}'s part. Short from: the first quarter in which the target needs more than stands or is on its way; "
        "early and late are P10 and P90. Late: quarters by which an order of the first day comes after that."
    )
    return Table.from_rows("ramp", rows, list(rows[0]), units, "What runs short", note)


def _path(names: list[str], target: Array, made: Array, binds: NDArray[np.int64], links: Chain) -> Table:
    columns = {
        "quarter": names, "target_gw_per_year": list(4 * target[0]), "possible_gw_per_year": list(4 * made[0]),
        "binding_input": [links.names[int(j)] for j in binds[0]],
    }  # fmt: skip
    units = {"target_gw_per_year": "GW/yr", "possible_gw_per_year": "GW/yr"}
    return Table("ramp_path", columns, units, "The ramp beside what the inputs allow")


_LEFT_OUT = [
    "Ramp: land, water and permits; that inputs are made of each other; and what makers would build if they were asked."
]
SECTION = Section(RampSection, run, context=True)

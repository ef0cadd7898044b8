"""What can be made, what is asked for, what is shipped: which input binds each quarter and what one more of it is worth.

Numbers come from the catalog or from the file; nothing is fitted to reported revenue.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from gigawatt.catalog.quantity import Count, Power, PowerPrice, Share, inherit
from gigawatt.core.datum import Datum
from gigawatt.core.table import Table
from gigawatt.economics.market.backlog import Inputs, Ordering, Path, Pricing
from gigawatt.economics.market.backlog import run as run_path
from gigawatt.economics.market.draws import fan
from gigawatt.study.door import Day, Strict
from gigawatt.study.market.chain import Chain, ChainInputs, chain
from gigawatt.study.market.past import next_quarter
from gigawatt.study.market.section import AsOf, Context, Section, SectionResult, metric
from gigawatt.study.market.series import QUARTER_UNITS
from gigawatt.study.market.sourced import Sourced, band
from gigawatt.study.timeline import add_months

Array = NDArray[np.float64]
GW, BILLION = 1e9, 1e9
_NONE = Datum(0.0, "", 0.0, 0.0, "assumed", source="none assumed")


class Demand(Strict):
    """Orders a quarter in GW: `start` in the first, growing by `growth` a year; or every quarter's own, the last held."""

    start: Power | None = None
    growth: Share = _NONE
    by_quarter: tuple[Power, ...] = ()

    @model_validator(mode="after")
    def _one_of(self) -> Demand:
        if (self.start is None) == (not self.by_quarter):
            raise ValueError("demand needs 'start' (with 'growth'), or 'by_quarter'")
        return self


class Expansion(Strict):
    """Expansions that follow the backlog: `gain` of what is missing is ordered each quarter, the backlog is to be cleared
    in `clear_quarters`, and no order is larger than `most_share` of the stock."""

    gain: Annotated[float, Field(ge=0, le=1)] = 0.0
    clear_quarters: Annotated[float, Field(gt=0)] = 4.0
    most_share: Annotated[float, Field(ge=0)] = 0.25


class SupplySection(Strict):
    """`price` is of a GW sold, and reacts to backlog over shipments by `elasticity` around `cover`, within `price_bounds`;
    `after` names the fiscal quarter before the first one, so that the quarters are called by the company's names."""

    start: Day
    quarters: Annotated[int, Field(ge=1, le=80)] = 8
    after: Annotated[str, Field(pattern=r"^FY\d{4}Q[1-4]$")] | None = None
    inputs: ChainInputs
    price: PowerPrice
    price_growth: Share = _NONE
    elasticity: Count = _NONE
    cover: Annotated[float, Field(gt=0)] = 1.0
    price_bounds: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.5, 2.0)
    demand: Demand
    backlog: Power = Datum(0.0, "W", 0.0, 0.0, "assumed", source="none assumed")
    expansion: Expansion = Expansion()


def run(section: SupplySection, seed: int, samples: int, as_of: AsOf, context: Context) -> SectionResult:
    """Answer the section.

    Raises:
        InputError: an input that is not known (as of the date).
    """
    given = inherit(section, "supply")
    drawn = Sourced("supply", seed, samples, as_of)
    links = chain(given.inputs, given.start, given.quarters, drawn, as_of, context)
    inputs = Inputs(links.names, links.base, links.need, links.lead_quarters, links.orders)
    years = (np.arange(given.quarters) + 0.5) / 4
    price = drawn.column("price", given.price) * GW
    rise = drawn.column("price_growth", given.price_growth, least=-0.99)
    pricing = Pricing(
        price[:, None] * (1 + rise[:, None]) ** years,
        drawn.column("elasticity", given.elasticity),
        given.cover,
        *given.price_bounds,
    )
    rule = given.expansion
    path = run_path(
        inputs, _demand(given, drawn), drawn.column("backlog", given.backlog) / GW, pricing,
        Ordering(rule.gain, rule.clear_quarters, rule.most_share),
    )  # fmt: skip
    names, ends = _names(given)
    origin = drawn.table()
    tables = [_quarters(path, links, names, ends), _binding(path, links, names), _by_input(path, links, names),
              _backlog_fan(path, names), origin]  # fmt: skip
    revenue, cover = path.revenue_usd, path.cover_quarters
    first = band(revenue[:, 0])
    facts: dict[str, Any] = {
        "forecast": {
            "value": float(revenue[0, 0]), "low": first[0] if first else None, "high": first[2] if first else None,
            "baseline": None, "baseline_rule": None, "quarter": names[0], "unit": "USD", "status": "computed",
            "series": "revenue by supply and demand",
        }
    }  # fmt: skip
    binds = path.supply.binds
    metrics = [
        metric("supply_first_quarter", path.supply.made[0, 0], "GW", "least of stock / need over the inputs",
               "stocks, needs, shares", band(path.supply.made[:, 0])),
        metric("revenue_first_quarter", revenue[0, 0], "USD", "price x min(supply, demand + backlog)",
               "supply, demand, backlog, price", first),
        metric("backlog_at_end", path.backlog_gw[0, -1], "GW", "backlog + demand - shipped, never below 0", "demand, supply",
               band(path.backlog_gw[:, -1])),
        metric("cover_at_end", cover[0, -1], "quarters", "backlog / shipped", "backlog, supply", band(cover[:, -1])),
        metric("binding_share_first_quarter", float(np.mean(binds[:, 0] == binds[0, 0])), "share",
               f"share of draws in which {links.names[int(binds[0, 0])]} binds", "ranges of stocks and needs"),
    ]  # fmt: skip
    return SectionResult(
        tables, metrics, _words(path, links, names, context), {"cover": cover},
        _LEFT_OUT, _notes(links, samples), facts, data=drawn.data,
    )  # fmt: skip


def _demand(given: SupplySection, drawn: Sourced) -> Array:
    """[draws, quarters] GW."""
    if given.demand.start is not None:
        start = drawn.column("demand.start", given.demand.start) / GW
        growth = drawn.column("demand.growth", given.demand.growth, least=-0.99)
        return np.asarray(start[:, None] * (1 + growth[:, None]) ** (np.arange(given.quarters) / 4))
    listed = [drawn.column(f"demand.{n}", one) / GW for n, one in enumerate(given.demand.by_quarter[: given.quarters])]
    listed += [listed[-1]] * (given.quarters - len(listed))
    return np.stack(listed, axis=1)


def _names(given: SupplySection) -> tuple[list[str], list[date]]:
    """Names and last days of the quarters: fiscal after the one named, else calendar by the quarter's last day."""
    ends = [add_months(given.start, 3 * (k + 1)) for k in range(given.quarters)]
    if given.after is None:
        last = [date.fromordinal(end.toordinal() - 1) for end in ends]
        return [f"{day.year}Q{(day.month + 2) // 3}" for day in last], ends
    names = [next_quarter(given.after)]
    while len(names) < given.quarters:
        names.append(next_quarter(names[-1]))
    return names, ends


def _quarters(path: Path, links: Chain, names: list[str], ends: list[date]) -> Table:
    revenue, worth = path.revenue_usd, path.worth_usd[0]
    rows = []
    for t, name in enumerate(names):
        limited, j = bool(path.supply_limited[0, t]), int(path.supply.binds[0, t])
        made = band(revenue[:, t])
        rows.append(
            {
                "quarter": name, "status": "computed", "period_end": ends[t].isoformat(), "revenue_usd": revenue[0, t],
                "low_usd": made[0] if made else None, "high_usd": made[2] if made else None,
                "supply_gw": path.supply.made[0, t], "demand_gw": path.demand_gw[0, t],
                "backlog_gw": path.backlog_gw[0, t], "shipped_gw": path.shipped_gw[0, t],
                "price_usd_per_gw": path.price_usd_per_gw[0, t], "cover_ratio": path.cover_quarters[0, t],
                "binding_side": "supply" if limited else "demand", "binding_input": links.names[j] if limited else None,
                "worth_usd": float(worth[:, t].max()), "kind": "estimated",
                "source": "supply, demand and backlog; nothing fitted",
            }
        )  # fmt: skip
    note = "Worth: of one unit more of the binding input in its quarter, USD; see the table of inputs for the unit."
    return Table.from_rows("quarters", rows, list(rows[0]), QUARTER_UNITS, "Quarters", note)


def _binding(path: Path, links: Chain, names: list[str]) -> Table:
    """By input, in the first quarter; and the first quarter in which it binds or would be next to bind."""
    rows, supply = [], path.supply
    first = supply.binds[:, 0]
    for j, name in enumerate(links.names):
        when = np.flatnonzero((supply.binds[0] == j) & path.supply_limited[0])
        others = np.delete(supply.allows[0], j, axis=0)
        room = float(others[:, 0].min() - supply.allows[0, j, 0]) if len(others) else None
        rows.append(
            {
                "input": name, "unit": links.units[j], "stock": path.stock[0, j, 0], "need_per_gw": links.need[0, j],
                "allows_gw": supply.allows[0, j, 0], "used_share": supply.used_share[0, j, 0],
                "worth_usd": path.worth_usd[0, j, 0], "binds": bool(path.worth_usd[0, j, 0] > 0),
                "room_gw": max(room, 0.0) if room is not None else None,
                "binds_at": names[when[0]] if len(when) else None,
                "binds_share": float(np.mean((first == j) & path.supply_limited[:, 0])),
                "lead_quarters": links.lead_quarters[0, j], "source": links.sources[j],
            }
        )  # fmt: skip
    units = {"need_per_gw": "per GW", "allows_gw": "GW", "used_share": "share", "worth_usd": "USD", "room_gw": "GW",
             "binds_share": "share", "lead_quarters": "quarters"}  # fmt: skip
    note = (
        f"In {names[0]}, a quarter's stock of the vendor's part. Worth: one unit more, in that quarter, held prices; 0 for an "
        "input that does not bind. Room: what more of it could add before the next input binds. Binds in: share of the draws."
    )
    return Table.from_rows("binding", rows, list(rows[0]), units, "What binds", note)


def _by_input(path: Path, links: Chain, names: list[str]) -> Table:
    """Output that each input would allow alone, by quarter, and the share of draws in which it binds."""
    rows = []
    for t, quarter in enumerate(names):
        for j, name in enumerate(links.names):
            made = band(path.supply.allows[:, j, t])
            rows.append(
                {
                    "quarter": quarter, "input": name, "allows_gw": path.supply.allows[0, j, t],
                    "allows_gw_low": made[0] if made else None, "allows_gw_high": made[2] if made else None,
                    "ordered": path.orders[0, j, t], "worth_usd": path.worth_usd[0, j, t],
                    "binds_share": float(np.mean((path.supply.binds[:, t] == j) & path.supply_limited[:, t])),
                }
            )  # fmt: skip
    units = {
        "allows_gw": "GW",
        "allows_gw_low": "GW",
        "allows_gw_high": "GW",
        "worth_usd": "USD",
        "binds_share": "share",
    }
    return Table.from_rows("inputs", rows, list(rows[0]), units, "What each input allows")


def _backlog_fan(path: Path, names: list[str]) -> Table:
    drawn = slice(1, None) if path.backlog_gw.shape[0] > 1 else slice(None)
    columns: dict[str, Any] = {"quarter": names}
    for word, values, unit in (("backlog", path.backlog_gw, "gw"), ("revenue", path.revenue_usd, "usd")):
        made = fan(values[drawn])
        columns |= {f"{word}_{level}_{unit}": list(made[level]) for level in ("p10", "p50", "p90")}
    columns["supply_limited_share"] = list(path.supply_limited[drawn].mean(axis=0))
    units = {name: {"gw": "GW", "sd": "USD"}.get(name[-2:], "") for name in columns} | {"supply_limited_share": "share"}
    return Table("backlog_fan", columns, units, "Backlog and revenue over the draws")


def _words(path: Path, links: Chain, names: list[str], context: Context) -> list[str]:
    limited = bool(path.supply_limited[0, 0])
    j = int(path.supply.binds[0, 0])
    revenue = band(path.revenue_usd[:, 0])
    spread = f" [P10 {revenue[0] / BILLION:,.3g}, P90 {revenue[2] / BILLION:,.3g}]" if revenue else ""
    shares = [
        f"{name} {100 * np.mean((path.supply.binds[:, 0] == k) & path.supply_limited[:, 0]):.0f} %"
        for k, name in enumerate(links.names)
    ]
    if not limited:
        first = f"{names[0]}: demand limits; {path.shipped_gw[0, 0]:.3g} GW are asked for and "
        first += (
            f"{path.supply.made[0, 0]:.3g} GW could be made: {path.revenue_usd[0, 0] / BILLION:,.3g} B USD{spread}."
        )
        return [first]
    unit = links.units[j]
    out = [
        f"{names[0]}: supply limits, and {links.names[j]} binds: {path.supply.made[0, 0]:.3g} GW, "
        f"{path.revenue_usd[0, 0] / BILLION:,.3g} B USD{spread}; one {unit} more of it a quarter is worth "
        f"{_money(path.worth_usd[0, j, 0])}, one more of any other input nothing.",
        "Over the ranges of the inputs, what binds first: "
        + ", ".join(shares)
        + ". Nothing here is fitted to revenue.",
    ]
    room = float(path.supply.room[0, 0])
    if np.isfinite(room):
        others = np.where(np.arange(len(links.names)) == j, np.inf, path.supply.allows[0, :, 0])
        after = links.names[int(np.argmin(others))]
        out.append(f"Were there enough {links.names[j]}, {after} would bind {room:.3g} GW higher.")
    out += _beside_reported(path, context)
    changes = np.flatnonzero(np.diff(path.supply.binds[0]))
    if len(changes):
        k = int(changes[0]) + 1
        out.append(f"From {names[k]} on {links.names[int(path.supply.binds[0, k])]} binds instead.")
    free = np.flatnonzero(~path.supply_limited[0])
    out.append(
        f"Demand limits from {names[int(free[0])]} on."
        if len(free)
        else f"The backlog ends at {path.backlog_gw[0, -1]:.3g} GW, {path.cover_quarters[0, -1]:.2g} quarters of shipments."
    )
    return out


def _beside_reported(path: Path, context: Context) -> list[str]:
    """What was sold last, where it is more than the inputs as published allow for the quarter after."""
    sold = context.columns.get("reported_data_centre_usd")
    if sold is None or not sold[0] > path.revenue_usd[0, 0]:
        return []
    times = sold[0] / path.revenue_usd[0, 0]
    return [
        f"The last reported quarter sold {sold[0] / BILLION:,.3g} B USD of data centre, {times:.3g} times that: capacities as "
        "published do not explain what was sold, or sales ran ahead of them."
    ]


def _money(usd: float) -> str:
    return f"{usd / 1e9:,.3g} B USD" if usd >= 1e9 else f"{usd / 1e6:,.3g} M USD" if usd >= 1e6 else f"{usd:,.3g} USD"


def _notes(links: Chain, samples: int) -> list[str]:
    held = [f"{name} after {day}" for name, day in zip(links.names, links.held_from, strict=True) if day is not None]
    out = [
        f"Bands of supply and backlog are P10 to P90 over {samples:,} draws of the inputs' ranges, independent of each other."
    ]
    if held:
        out.append("Held at the last level published: " + ", ".join(held) + ".")
    return out


_LEFT_OUT = [
    "Orders placed twice and cancelled, substitution between inputs, stock of finished goods: structure explains what binds; "
    "it does not forecast.",
    "A shell counts when it takes power; a vendor can sell ahead of it while its buyers store what they can not yet run.",
]
SECTION = Section(SupplySection, run, context=True)

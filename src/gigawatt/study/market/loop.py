"""The section `loop`: what selling to a region is worth against being banned from it, by the speed of the software loop.

Its maturities can be written as a catalog overlay, which a later run of a site reads like any other: the loop never calls
physics. What is modelled stands in `economics.market.ecosystem` and `.ban`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from gigawatt.catalog import Catalog
from gigawatt.catalog.quantity import Count, Money, Share, inherit
from gigawatt.core.datum import Datum
from gigawatt.core.table import Table
from gigawatt.economics.market.ban import (
    BreakEven,
    Selling,
    break_even_shortage_years,
    break_even_speed,
    value_of_selling,
)
from gigawatt.economics.market.ecosystem import Loop, Path, calibrated
from gigawatt.economics.market.learning import exponent, learning_rate
from gigawatt.study.door import Day, Id, Strict, Years
from gigawatt.study.market.overlay import overlay_table, write_maturity_overlay
from gigawatt.study.market.reletting import RELETTING
from gigawatt.study.market.section import AsOf, Context, Section, SectionResult, metric
from gigawatt.study.market.sourced import Sourced, assumed, band, ended, ends

Array = NDArray[np.float64]
__all__ = ["SECTIONS", "LoopSection", "build", "run", "write_maturity_overlay"]
USES = ("serving", "training")
WORLDS = ("sold", "banned")


class Maturity(Strict):
    """Speed of a stack's software; 1 is the stack that the calibrations were fitted on."""

    serving: Share
    training: Share


class Stack(Strict):
    """A software stack: where it stands, how far it can come, how much of what one region learns others get.

    Without `maturity` it is that of the first of `platforms`, the catalog's platforms that run the stack.
    """

    id: Id
    platforms: list[Id] = []
    maturity: Maturity | None = None
    ceiling: Maturity
    openness: Share
    hardware_growth: Share = Datum(0.0, "", 0.0, 0.0, "assumed", source="assumed", note="performance per dollar held")


class Supply(Strict):
    """What rivals can make of a region's demand at first, and the years until they can make all of it."""

    at_start: Share
    full_after_years: Count


class Region(Strict):
    """A region: what it buys a year at list, what stands there, who has which share where all may sell."""

    id: Id
    name: str = ""
    demand_per_year: Money
    growth: Share
    base: dict[str, Money]
    share: dict[str, Share]
    toll: Share = Datum(0.0, "", 0.0, 0.0, "assumed", source="no licence fee")
    rival_supply: Supply | None = None


class LoopSection(Strict):
    """The loop and the question: is `region` worth selling to?"""

    start: Day = date(2026, 10, 1)
    years: Years = 10.0
    focal: Id
    region: Id
    pricing: Literal["list", "hold-share"] = "list"
    speeds: Annotated[list[Annotated[float, Field(ge=0, le=64)]], Field(min_length=1)] = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0]
    stacks: Annotated[list[Stack], Field(min_length=2)]
    regions: Annotated[list[Region], Field(min_length=1)]
    serving_share: Share
    learning_rate: Share
    forgetting: Share
    life_years: Count
    sensitivity: Count
    switching_cost: Share
    cost_share: Share
    discount_rate: Share
    growth_fades_years: Count = assumed(3, 1.5, 6, "years in which growth falls by e")
    redirect: Share = Datum(0.0, "", 0.0, 0.0, "assumed", source="what is turned away finds no other buyer")
    shortage_years: Count = assumed(0, 0, 0, "supply is not short")

    @model_validator(mode="after")
    def _named(self) -> LoopSection:
        stacks, regions = [s.id for s in self.stacks], [r.id for r in self.regions]
        for what, names in (("stacks", stacks), ("regions", regions)):
            if len(set(names)) < len(names):
                raise ValueError(f"two {what} have one id: {', '.join(names)}")
        if self.focal not in stacks:
            raise ValueError(f"focal '{self.focal}' is no stack; known: {', '.join(stacks)}")
        if self.region not in regions:
            raise ValueError(f"region '{self.region}' is none of {', '.join(regions)}")
        for region in self.regions:
            for name in ("base", "share"):
                given = getattr(region, name)
                if set(given) != set(stacks):
                    raise ValueError(f"region '{region.id}': {name} must name each of {', '.join(stacks)}")
            if min(s.value for s in region.share.values()) <= 0:
                raise ValueError(
                    f"region '{region.id}': a stack with no share at all can not be won by it; give it little"
                )
        for stack in stacks:
            if sum(r.base[stack].value for r in self.regions) <= 0:
                raise ValueError(f"stack '{stack}' stands nowhere: learning needs a base to start from")
        return self


def build(section: LoopSection, sourced: Sourced, catalog: Catalog | None = None) -> Loop:
    """The loop of a section as columns: row 0 as stated, the rest drawn."""
    stacks, regions = section.stacks, section.regions

    def each(names: list[tuple[str, Datum]], least: float = 0.0, most: float = np.inf) -> Array:
        return np.stack([sourced.column(name, given, least=least, most=most) for name, given in names], axis=-1)

    def by_region(name: str, fields: list[Datum], least: float = 0.0, most: float = np.inf) -> Array:
        return each([(f"regions.{r.id}.{name}", f) for r, f in zip(regions, fields, strict=True)], least, most)

    def nested(name: str) -> Array:
        rows = [[(f"regions.{r.id}.{name}.{s.id}", getattr(r, name)[s.id]) for s in stacks] for r in regions]
        return np.stack([each(row, 1e-6 if name == "share" else 0.0) for row in rows], axis=1)

    def uses(name: str, given: list[Maturity]) -> Array:
        rows = [
            [(f"stacks.{s.id}.{name}.{u}", getattr(m, u)) for u in USES] for s, m in zip(stacks, given, strict=True)
        ]
        return np.stack([each(row, 0.06, 5.0) for row in rows], axis=1)

    def one(name: str, least: float = 0.0, most: float = np.inf) -> Array:
        return sourced.column(name, getattr(section, name), least=least, most=most)

    able = assumed(1.0, 1.0, 1.0, "rivals can make all that is asked")
    serving = section.serving_share.value
    free = Loop(
        demand_usd_per_yr=by_region("demand_per_year", [r.demand_per_year for r in regions]),
        growth=by_region("growth", [r.growth for r in regions]),
        fade_years=one("growth_fades_years", 0.1),
        base_usd=nested("base"),
        maturity=uses("maturity", [_start(s, catalog) for s in stacks]),
        ceiling=uses("ceiling", [s.ceiling for s in stacks]),
        use_share=np.array([serving, 1 - serving]),
        learning=exponent(one("learning_rate", 0.0, 0.95)),
        openness=each([(f"stacks.{s.id}.openness", s.openness) for s in stacks], most=1.0),
        forgetting=one("forgetting", 0.0, 1.0),
        life_years=one("life_years", 0.5),
        sensitivity=one("sensitivity", 0.1),
        switching=one("switching_cost"),
        hardware_growth=each([(f"stacks.{s.id}.hardware_growth", s.hardware_growth) for s in stacks]),
        attraction=np.zeros(()),
        cost_share=one("cost_share", 0.0, 0.99),
        toll=by_region("toll", [r.toll for r in regions], most=0.9),
        supply_start=by_region("supply.at_start", [r.rival_supply.at_start if r.rival_supply else able for r in regions],
                               most=1.0),
        supply_years=by_region("supply.full_after_years",
                               [r.rival_supply.full_after_years if r.rival_supply else able for r in regions], least=0.25),
        redirect=one("redirect", 0.0, 1.0),
        redirect_years=one("shortage_years"),
        discount_rate=one("discount_rate", 0.0, 0.9),
        quarters=max(1, round(section.years * 4)),
        focal=[s.id for s in stacks].index(section.focal),
        pricing=section.pricing,
    )  # fmt: skip
    return calibrated(free, nested("share"))


def _start(stack: Stack, catalog: Catalog | None) -> Maturity:
    if stack.maturity is not None:
        return stack.maturity
    if not stack.platforms:
        return Maturity(
            serving=assumed(1, 0.8, 1.2, "no platform named"), training=assumed(1, 0.8, 1.2, "no platform named")
        )
    software = (catalog or Catalog.load()).get("platform", stack.platforms[0]).software
    return Maturity(serving=software.serving, training=software.training)


def run(
    section: LoopSection, seed: int, samples: int, as_of: AsOf = None, context: Context | None = None
) -> SectionResult:
    """Both worlds quarter by quarter, the value of selling by speed, the break-even, the overlay's rows."""
    section = inherit(section, "loop")
    catalog = context.catalog if context is not None else Catalog.load()
    sourced = Sourced("loop", seed, samples, as_of, context.where if context is not None else None)
    loop = build(section, sourced, catalog)
    inputs = sourced.table()
    region = [r.id for r in section.regions].index(section.region)
    found = value_of_selling(loop, region)
    all_sold = replace(loop, redirect=np.ones_like(loop.redirect))
    roots = {"speed": break_even_speed(loop, region), "years": break_even_shortage_years(all_sold, region)}
    tables = [
        _quarters(section, found),
        _by_speed(section, loop, region),
        overlay_table(section.stacks, loop, found, section.region, region, _months(section), catalog),
        inputs,
    ]
    return SectionResult(
        tables,
        _metrics(loop, found, roots, region),
        _sentences(section, loop, found, roots, region),
        left_out=["the loop stops at its horizon: what a rival's software is worth afterwards is not counted"],
        notes=_notes(section),
        data=sourced.data,
    )


def _months(section: LoopSection) -> list[str]:
    """Months in which quarters begin: '2026-10', '2027-01', ..."""
    first = section.start.year * 12 + section.start.month - 1
    quarters = range(max(1, round(section.years * 4)))
    return [f"{(first + 3 * q) // 12:04d}-{(first + 3 * q) % 12 + 1:02d}" for q in quarters]


def _quarters(section: LoopSection, found: Selling) -> Table:
    rows = []
    months = _months(section)
    for world, path in zip(WORLDS, (found.sold, found.banned), strict=True):
        for q, month in enumerate(months):
            for r, region in enumerate(section.regions):
                for s, stack in enumerate(section.stacks):
                    rows.append(
                        {"world": world, "quarter": month, "region": region.id, "stack": stack.id}
                        | {f"maturity_{use}": path.maturity[q, 0, r, s, u] for u, use in enumerate(USES)}
                        | ends(path.share[q, :, r, s], "share")
                        | {"base_usd": path.base_usd[q, 0, r, s]}
                        | (_focal(path, q, r) if stack.id == section.focal else {})
                    )
    columns = ("world", "quarter", "region", "stack", "maturity_serving", "maturity_training", *ended(["share"]),
               "base_usd", *ended(["premium_half", "premium_held", "profit_usd"]))  # fmt: skip
    units = dict.fromkeys(("base_usd", *ended(["profit_usd"])), "USD") | dict.fromkeys(
        ended(["premium_half", "premium_held"]), "x list"
    )
    note = (
        "Premium: the factor on list price at which half of the buyers (half), or the first share (held), still take the "
        "focal stack; where it is banned, what they would pay. Low and high are P10 and P90."
    )
    return Table.from_rows("loop", rows, columns, units, "The software loop by quarter and region", note)


def _focal(path: Path, q: int, r: int) -> dict[str, float | None]:
    return (
        ends(path.premium_half[q, :, r], "premium_half")
        | ends(path.premium_held[q, :, r], "premium_held")
        | ends(path.profit_usd[q, :, r], "profit_usd")
    )


def _by_speed(section: LoopSection, loop: Loop, region: int) -> Table:
    rows = []
    for speed in section.speeds:
        found = value_of_selling(loop, region, speed)
        rows.append(
            {"speed": speed, "gap_closed_per_doubling": float(learning_rate(loop.learning[0] * speed))}
            | ends(found.value_usd, "value_usd")
            | {"direct_usd": found.direct_usd[0], "elsewhere_usd": found.elsewhere_usd[0]}
            | {"sold_usd": found.sold_usd[0], "banned_usd": found.banned_usd[0]}
            | {"selling_is_better": float(np.mean(found.value_usd[1:] > 0)) if len(found.value_usd) > 1 else None}
        )
    columns = ("speed", "gap_closed_per_doubling", *ended(["value_usd"]), "direct_usd", "elsewhere_usd", "sold_usd",
               "banned_usd", "selling_is_better")  # fmt: skip
    units = {name: "USD" for name in columns if name.rpartition("_")[2] in ("usd", "low", "high")}
    note = (
        "Present values of the vendor's gross profit. Direct: of the region itself; elsewhere: what the rival's learning takes "
        "in other regions. Selling is better: share of draws."
    )
    return Table.from_rows("ban", rows, columns, units, "Selling against being banned, by the loop's speed", note)


def _metrics(loop: Loop, found: Selling, roots: dict[str, BreakEven], region: int) -> list[dict[str, object]]:
    end, focal = -1, loop.focal
    others = [r for r in range(found.sold.share.shape[2]) if r != region]
    rows = [
        metric("value_of_selling", found.value_usd[0], "USD", "NPV(sold) - NPV(banned) of the vendor's gross profit",
               "loop", band(found.value_usd)),
        metric("value_of_selling_elsewhere", found.elsewhere_usd[0], "USD", "the part of it that lies in other regions",
               "loop", band(found.elsewhere_usd)),
    ]  # fmt: skip
    named = {
        "speed": ("break_even_loop_speed", "x", "speed at which NPV(sold) = NPV(banned)"),
        "years": ("break_even_shortage", "yr", "years of short supply at which a ban costs nothing, redirect 1"),
    }
    drawn = np.isfinite(roots["speed"].at[1:])
    if len(drawn):
        formula = "part of the draws in which a break-even speed exists"
        rows.append(metric("break_even_exists", float(drawn.mean()), "share", formula, "loop"))
    for key, (name, unit, formula) in named.items():
        at = roots[key].at
        if np.isfinite(at[0]):  # where there is none, none is given; its band is over the draws that have one
            rows.append(metric(name, at[0], unit, formula, "loop", band(at)))
    for world, path in zip(WORLDS, (found.sold, found.banned), strict=True):
        where = others[0] if others else region
        rows.append(
            metric(f"premium_elsewhere_{world}", path.premium_half[end, 0, where], "x list",
                   "price factor at which half of the buyers still take the focal stack, last quarter", "loop",
                   band(path.premium_half[end, :, where]))
        )  # fmt: skip
        rows.append(
            metric(f"focal_share_elsewhere_{world}", path.share[end, 0, where, focal], "share",
                   "logit share in the last quarter", "loop", band(path.share[end, :, where, focal]))
        )  # fmt: skip
    return rows


def _sentences(section: LoopSection, loop: Loop, found: Selling, roots: dict[str, BreakEven], region: int) -> list[str]:
    name = section.regions[region].name or section.region
    speed, years = roots["speed"], roots["years"]
    value, elsewhere = found.value_usd / 1e9, found.elsewhere_usd / 1e9
    made = band(value)
    span = f" ({made[0]:,.0f} to {made[2]:,.0f})" if made else ""
    lines = [
        f"Over {section.years:g} years selling to {name} is worth {value[0]:,.0f}{span} billion USD of gross profit more to "
        f"the vendor than being banned; {_elsewhere(float(elsewhere[0]))}."
    ]
    exists = bool(np.isfinite(speed.at[0]))
    if exists:
        lines.append(f"The two are worth the same at {speed.at[0]:.2g} times the stated speed of the loop.")
    else:
        better = "selling" if found.value_usd[0] > 0 else "being banned"
        lines.append(
            f"There is no break-even speed between {speed.least:g} and {speed.most:g} times the stated one: {better} is worth "
            f"more throughout."
        )
    at, which = (speed.at[0], "break-even") if exists else (1.0, "stated")
    half, double = (value_of_selling(loop.take([0]), region, at * f).value_usd[0] / 1e9 for f in (0.5, 2.0))
    lines.append(
        f"At half of the {which} speed selling is worth {half:,.0f} billion USD more than the ban, at double {double:,.0f}."
    )
    drawn = speed.at[1:]
    if len(drawn):
        share = float(np.isfinite(drawn).mean())
        lines.append(f"A break-even speed exists in {share:.0%} of {len(drawn)} draws over the stated ranges.")
    if np.isfinite(years.at[0]):
        lines.append(
            f"If supply stayed short for {years.at[0]:.1f} years and all that {name} may not buy were sold elsewhere at list, "
            f"a ban would cost the vendor nothing."
        )
    lines.append(
        "Maturity ratios, elasticities, openness and switching cost are estimates or assumptions; the verdict is theirs, not a "
        "forecast."
    )
    return lines


def _elsewhere(billion: float) -> str:
    if billion >= 0:
        return f"{billion:,.0f} billion of it is what the rival's learning would take elsewhere"
    return f"elsewhere the ban brings it {-billion:,.0f} billion, by a larger base there"


def _notes(section: LoopSection) -> list[str]:
    words = {
        "list": "the vendor holds its list price and loses share",
        "hold-share": "the vendor cuts price to hold its share",
    }
    return [f"loop: {words[section.pricing]}; shares of the start are fitted, not explained"]


SECTIONS = {"loop": Section(LoopSection, run, context=True), "reletting": RELETTING}

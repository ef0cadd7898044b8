"""Every design of a scenario valued by its own plan, the best of them, and what one gets by choosing layer after layer.

A design is one offer, one of its fabrics and one site, alone; its value is the optimum of the one-period plan there,
every chip at list price. A design whose chips can not do what is owed, or whose fabric does not reach, is left out with
the reason. The band draws the speeds (one latent error a calibration group, the same for a chip on every fabric and
site) with the designs held as chosen: what the choice is worth when speeds are not as computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Infeasible, InputError, Problems, unknown_name
from gigawatt.core.table import Table
from gigawatt.economics.market.draws import normals, uniforms
from gigawatt.factory import Draws, PlanInputs, draw_throughput, replan
from gigawatt.factory.joint import Choice, by_measure, by_value, joint, worth
from gigawatt.factory.model import MILLION, build
from gigawatt.factory.solver import Solver
from gigawatt.study.answer import Answer, Further
from gigawatt.study.joint.spec import Joint, JointSite
from gigawatt.study.perform import perform
from gigawatt.study.price import price
from gigawatt.study.resolve import Resolved, resolve
from gigawatt.study.scenario import Offer, Scenario

Array = NDArray[np.float64]
LAYERS = ("chip", "fabric", "site")
MEASURES = ("speed", "speed_per_usd", "speed_per_watt")
SAID = {
    "speed": "the fastest chip",
    "speed_per_usd": "the most speed per dollar",
    "speed_per_watt": "the most speed per watt",
}


def check(resolved: Resolved) -> None:
    """Offers, fabrics, places and facilities that the joint design names must exist.

    Raises:
        InputError: each that does not, with the nearest.
    """
    spec = resolved.scenario.joint
    if spec is None:
        return
    problems, source = Problems(), resolved.loaded.source
    offers, ids = [one.offer.id for one in resolved.offers], resolved.catalog.ids
    asked: list[tuple[str, str | None, Sequence[str], tuple[str | int, ...]]] = []
    for name, fabrics in spec.fabrics.items():
        asked.append(("offer", name, offers, ("joint", "fabrics", name)))
        asked += [("fabric", fabric, ["auto", *ids("fabric")], ("joint", "fabrics", name)) for fabric in fabrics]
    for n, site in enumerate(spec.sites):
        asked.append(("site", site.place, ids("site"), ("joint", "sites", n, "place")))
        asked.append(("facility", site.facility, ids("facility"), ("joint", "sites", n, "facility")))
    for what, given, known, path in asked:
        if given is not None and given not in known:
            found = unknown_name(what, given, known)
            problems.add(found.code, f"joint: {found.message}", source.where(path), *found.hints)
    problems.raise_if_any()


@dataclass(frozen=True, slots=True)
class _Space:
    """All designs: names of the layers, inputs of each possible design, reasons of the others, own measures of the layers."""

    chips: tuple[str, ...]
    fabrics: tuple[str, ...]
    sites: tuple[str, ...]
    inputs: dict[Choice, PlanInputs]
    groups: dict[Choice, tuple[str, ...]]
    why: dict[Choice, str]
    start: Choice
    chip: dict[str, Array]
    fabric: Array
    site: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.chips), len(self.fabrics), len(self.sites)

    def named(self, choice: Choice | None) -> dict[str, str | None]:
        if choice is None:
            return dict.fromkeys(LAYERS)
        names = (self.chips, self.fabrics, self.sites)
        return {layer: of[i] for layer, of, i in zip(LAYERS, names, choice, strict=True)}

    def values(self, capital: float = 1.0, price: float = 1.0) -> Array:
        """[chips, fabrics, sites] of the best plan, at factors on capital and on the price of tokens; NaN where none fits."""
        out = np.full(self.shape, np.nan)
        for choice, inputs in self.inputs.items():
            sold = replace(inputs.segments, usd_per_mtok=inputs.segments.usd_per_mtok * price)
            asked = replace(inputs, capital_usd=inputs.capital_usd * capital, segments=sold)
            found = Solver(build(asked).program, relax=True).value()
            if np.isfinite(found):
                out[choice] = found * MILLION
        return out


def joined(answer: Answer) -> Further:
    """The joint design of a scenario that asks for it.

    Raises:
        InputError: an id that does not exist, or an offer that it names and the scenario has not.
    """
    spec = answer.resolved.scenario.joint
    assert spec is not None
    space = _space(answer, spec)
    value = space.values()
    ways = _ways(space, value, spec)
    drawn = _drawn(space, list(ways.values()), spec.samples, answer.resolved.scenario.seed)
    tables = [_ways_table(space, value, ways, drawn), _scan_table(space, spec), _designs_table(space, value)]
    return Further(tables, _sentences(space, value, ways, spec))


def _space(answer: Answer, spec: Joint) -> _Space:
    resolved, line = answer.resolved, answer.line
    chips = tuple(one.offer.id for one in resolved.offers)
    asked = {one.offer.id: spec.fabrics.get(one.offer.id, [one.offer.fabric]) for one in resolved.offers}
    fabrics = tuple(dict.fromkeys(name for names in asked.values() for name in names))
    sites = tuple(site.id for site in spec.sites)
    inputs: dict[Choice, PlanInputs] = {}
    groups: dict[Choice, tuple[str, ...]] = {}
    why: dict[Choice, str] = {}
    cost = np.full((len(chips), len(fabrics)), -np.inf)
    energy = np.full((1, 1, len(sites)), -np.inf)
    for i, one in enumerate(resolved.offers):
        for name in asked[one.offer.id]:
            j = fabrics.index(name)
            performance = None
            for k, site in enumerate(spec.sites):
                made = _changed(resolved, one.offer.model_copy(update={"fabric": name}), site)
                cost[i, j] = -made.offers[0].network.price.value
                energy[0, 0, k] = -made.energy_price.value
                try:
                    performance = perform(made, line) if performance is None else performance
                    priced = price(made, performance, line)
                except (Infeasible, InputError) as error:
                    why[i, j, k] = str(error)
                    continue
                inputs[i, j, k] = priced.inputs.thinned()
                groups[i, j, k] = tuple(sorted({row.group for row in performance.points}))
    start = next(iter(inputs), (0, 0, 0))
    return _Space(chips, fabrics, sites, inputs, groups, why, start, _chip_measures(answer), cost, energy)


def _changed(resolved: Resolved, offer: Offer, site: JointSite) -> Resolved:
    """The scenario with one offer, one site, and nobody's chips at cost."""
    scenario = resolved.scenario
    given = {name: value for name in ("place", "facility", "grid_power", "energy_price")
             if (value := getattr(site, name)) is not None}  # fmt: skip
    companies = [company for company in scenario.companies if company.role != "vendor"]
    update = {"fleet": [offer], "site": scenario.site.model_copy(update=given), "companies": companies}
    changed: Scenario = scenario.model_copy(update=update)
    return resolve(replace(resolved.loaded, scenario=changed), resolved.catalog)


def _chip_measures(answer: Answer) -> dict[str, Array]:
    """[chips] by each measure: dense FP8 peak of a chip (BF16 where there is none), per USD of its rack, per watt."""
    speed, usd, watts = [], [], []
    for one, box in zip(answer.resolved.offers, answer.priced.performance.boxes, strict=True):
        peaks = box.chip.peak_flops
        speed.append(float(peaks.get("fp8", peaks["bf16"])))
        usd.append(one.list_price_usd / box.chips)
        watts.append(float(box.chip.tdp_w))
    made = np.array(speed)
    return {"speed": made, "speed_per_usd": made / np.array(usd), "speed_per_watt": made / np.array(watts)}


def _ways(space: _Space, value: Array, spec: Joint) -> dict[str, Choice | None]:
    """How one may choose, the joint way first, then by the measure that the scenario names."""
    ways: dict[str, Choice | None] = {"joint": joint(value)}
    for name in dict.fromkeys((spec.chip, *MEASURES)):
        ways[f"{SAID[name]}, cheapest fabric, cheapest energy"] = by_measure(
            value, (space.chip[name], space.fabric, space.site)
        )
    for order in permutations(range(3)):
        words = ", then ".join(LAYERS[layer] for layer in order)
        ways[f"by value: {words}"] = by_value(value, order, space.start)
    return ways


def _drawn(space: _Space, choices: list[Choice | None], samples: int, seed: int) -> dict[Choice, Array]:
    """[draws] value of each design that some way chooses, the same latent errors for a group wherever it stands."""
    found: dict[Choice, Array] = {}
    if samples < 2:
        return found
    for choice in dict.fromkeys(one for one in choices if one is not None):
        inputs, names = space.inputs[choice], space.groups[choice]
        normal = np.stack([normals(uniforms(seed, crc32(name.encode()), samples, 1)[:, 0]) for name in names], axis=-1)
        draws = Draws(samples, throughput=draw_throughput(inputs.points, normal))
        made = replan(inputs, draws).value_usd_per_yr
        found[choice] = np.where(np.isfinite(made), np.maximum(made, 0.0), 0.0)
    return found


def _ways_table(space: _Space, value: Array, ways: dict[str, Choice | None], drawn: dict[Choice, Array]) -> Table:
    best = ways["joint"]
    rows: list[dict[str, Any]] = []
    for name, choice in ways.items():
        row: dict[str, Any] = {"way": name} | space.named(choice) | {"value_usd_per_yr": worth(value, choice)}
        gap = worth(value, best) - worth(value, choice)
        row |= {"joint_worth_usd_per_yr": gap}
        row |= {"joint_worth_share": gap / worth(value, best) if worth(value, best) > 0 else None}
        low, high = None, None
        if best in drawn and best is not None:
            mine = drawn[choice] if choice is not None and choice in drawn else np.zeros_like(drawn[best])
            low, high = (float(x) for x in np.percentile(drawn[best] - mine, [10, 90]))
        rows.append(row | {"joint_worth_usd_per_yr_low": low, "joint_worth_usd_per_yr_high": high})
    columns = ("way", *LAYERS, "value_usd_per_yr", "joint_worth_usd_per_yr", "joint_worth_usd_per_yr_low",
               "joint_worth_usd_per_yr_high", "joint_worth_share")  # fmt: skip
    units = {name: "USD/yr" for name in columns if "usd" in name} | {"joint_worth_share": "share"}
    note = (
        "Joint worth: of the best design over the one chosen in this way. By value: the layers not yet chosen stand as in the "
        "first design. Low and high draw the speeds with the designs held."
    )
    return Table.from_rows(
        "joint", rows, columns, units, "Chip, fabric and site: all at once or one after another", note
    )


def _scan_table(space: _Space, spec: Joint) -> Table:
    """The worth of joint design at other amounts of capital and other prices of tokens, one changed at a time."""
    rows: list[dict[str, Any]] = []
    cases = [("capital", factor, 1.0) for factor in sorted({*spec.capital, 1.0})]
    cases += [("price of tokens", 1.0, factor) for factor in sorted({*spec.prices, 1.0})]
    for changed, capital, price_factor in cases:
        value = space.values(capital, price_factor)
        best = joint(value)
        mine = by_measure(value, (space.chip[spec.chip], space.fabric, space.site))
        stepped = [worth(value, by_value(value, order, space.start)) for order in permutations(range(3))]
        top = worth(value, best)
        row: dict[str, Any] = {"changed": changed, "factor": capital if changed == "capital" else price_factor}
        row |= space.named(best) if top > 0 else dict.fromkeys(LAYERS)
        row |= {"value_usd_per_yr": top, "over_measures_usd_per_yr": top - worth(value, mine)}
        rows.append(row | {"over_worst_order_usd_per_yr": top - min(stepped)})
    columns = tuple(rows[0])
    units = {name: "USD/yr" for name in columns if "usd" in name} | {"factor": "x"}
    note = (
        "Over measures: of the joint design over each layer by its own measure. Over worst order: over layer after layer by "
        "value, in the order that loses most. No design: nothing is worth building."
    )
    return Table.from_rows("joint_scan", rows, columns, units, "When the worth of joint design is gone", note)


def _designs_table(space: _Space, value: Array) -> Table:
    rows: list[dict[str, Any]] = []
    for choice in _tried(space):
        fits = bool(np.isfinite(value[choice]))
        row: dict[str, Any] = dict(space.named(choice))
        row["value_usd_per_yr"] = float(value[choice]) if fits else None
        row["why_not"] = space.why.get(choice, "" if fits else "its limits conflict")
        rows.append(row)
    rows.sort(key=lambda row: -np.inf if row["value_usd_per_yr"] is None else row["value_usd_per_yr"], reverse=True)
    columns = (*LAYERS, "value_usd_per_yr", "why_not")
    return Table.from_rows("joint_designs", rows, columns, {"value_usd_per_yr": "USD/yr"}, "Every design by itself")


def _tried(space: _Space) -> Iterator[Choice]:
    yield from sorted({*space.inputs, *space.why})


def _sentences(space: _Space, value: Array, ways: dict[str, Choice | None], spec: Joint) -> list[str]:
    best = ways["joint"]
    if best is None:
        return ["No design can do what is owed."]
    names = space.named(best)
    first = next(name for name in ways if name != "joint")
    gap = worth(value, best) - worth(value, ways[first])
    stepped = [
        worth(value, best) - worth(value, choice) for name, choice in ways.items() if name.startswith("by value")
    ]
    mine = space.named(ways[first])
    return [
        f"All at once: {names['chip']} on {names['fabric']} at {names['site']}, worth {worth(value, best) / 1e6:,.0f} M USD a "
        f"year; by {first}: {mine['chip']} on {mine['fabric']} at {mine['site']}, {gap / 1e6:,.0f} M less.",
        f"Layer after layer by value loses {min(stepped) / 1e6:,.0f} to {max(stepped) / 1e6:,.0f} M USD a year, by the order.",
    ]

"""A build-out in sentences: what is built when, what binds, why racks leave, what foresight is worth, what was assumed."""

from __future__ import annotations

import numpy as np

from gigawatt.factory.limits import amount
from gigawatt.study.bands import percentiles
from gigawatt.study.fleet.answer import FleetAnswer
from gigawatt.study.fleet.leaving import DUST, Leaving, leavings
from gigawatt.study.fleet.paths import speeds
from gigawatt.study.site.hall import air_words

AND = " and "
# The rule of what a window takes for what lies behind it: other rules give other losses.
BEHIND = "Behind its last quarter a window expects no change: that quarter goes on to the end of the horizon."


def headline(answer: FleetAnswer) -> str:
    """One sentence: which platforms from when, how many MW, what it is worth, what binds."""
    build, plan = answer.inputs.build, answer.plan
    bought = plan.bought.sum(axis=1)
    order = [int(p) for p in np.argsort(_first_bought(answer), kind="stable") if bought[p] > DUST]
    if not order:
        return _nothing(answer)
    names = [
        f"{bought[p]:,.0f} racks of {build.platforms[p]} from {build.quarters[_first_bought(answer)[p]]}" for p in order
    ]
    band = ""
    if answer.bands is not None:
        low, _, high = (usd(value) for value in percentiles(answer.bands.npv_usd))
        band = f" [P10 {low}, P90 {high}]"
    peak = float(plan.site_mw.max(initial=0.0))
    binds = binding_words(answer)
    return (
        f"Build {_joined(names)}: {amount(peak, 'MW')} at the most, {usd(answer.flows.capital_usd.sum())}, worth "
        f"{usd(answer.npv_usd)} to the {answer.inputs.priced.inputs.objective}{band}"
        + (f"; {binds}." if binds else ".")
    )


def _nothing(answer: FleetAnswer) -> str:
    """Why nothing is bought: it can not be had within the horizon, or it does not earn its keep; what stands and works."""
    build, plan = answer.inputs.build, answer.plan
    to_have = build.supply_racks.sum(axis=1) > 0
    why = "nothing on offer earns its keep" if to_have.any() else "no racks can be had"
    said = f"Nothing is bought: {why} within this horizon"
    late = [name for p, name in enumerate(build.platforms) if answer.inputs.first[p] >= len(build.quarters)]
    said += f" ({_joined(late)} {'come' if len(late) > 1 else 'comes'} after it)" if late else ""
    works = [build.platforms[p] for p in np.flatnonzero(build.opening_racks > 0) if plan.racks[p].max() > DUST]
    if works:
        party = answer.inputs.priced.inputs.objective
        return f"{said}; what stands ({_joined(works)}) works on, worth {usd(answer.npv_usd)} to the {party}."
    return said + "."


def _first_bought(answer: FleetAnswer) -> list[int]:
    """The quarter of each platform's first purchase; the number of quarters where there is none."""
    found = answer.plan.bought > DUST
    return [int(row.argmax()) if row.any() else len(row) for row in found]


def binding_words(answer: FleetAnswer) -> str:
    """'power binds in 14 of 24 quarters and capital in 3'."""
    count = len(answer.inputs.build.quarters)
    bound: dict[str, set[str]] = {}
    for limit in answer.plan.limits:
        if limit.kind in ("power", "capital") and limit.binding:
            bound.setdefault(limit.kind, set()).add(limit.quarter)
    said = [f"{kind} binds in {len(quarters)}" for kind, quarters in bound.items()]
    return f"{AND.join(said)} of {count} quarters" if said else ""


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + AND + names[-1]


def usd(value: float) -> str:
    """'3.21 M USD'."""
    return amount(float(value), "USD")


def leaving_sentence(one: Leaving, quarters: tuple[str, ...]) -> str:
    """'h200 leaves in 2028Q3 (1,200 racks): its MW earn 3.4 times more under vr-nvl72, ...'."""
    when = (
        f"in {quarters[one.first]}" if one.first == one.last else f"from {quarters[one.first]} to {quarters[one.last]}"
    )
    head = f"{one.platform} leaves {when} ({one.racks:,.0f} racks): "
    if one.aged:
        return head + "its racks have reached the longest life in the catalog."
    if one.dark:
        return head + "there is no power for them yet, and their resale is worth more than to wait for it."
    mine = f"{usd(one.earns)} a year"
    if one.earns <= 0:
        beside = f"; a MW of {one.taker} earns {usd(one.under)}" if one.taker else ""
        return head + f"it no longer earns its energy and upkeep ({mine} a MW){beside}."
    if one.taker and one.short and one.under > one.earns:
        return (
            head + f"its MW earn {one.under / one.earns:,.3g} times as much under {one.taker}, {usd(one.under)} a year "
            f"against {usd(one.earns)}, energy and upkeep paid."
        )
    return head + f"a MW of it still earns {mine} after energy and upkeep; its resale is worth more."


def leaving_sentences(answer: FleetAnswer) -> list[str]:
    """One a platform and stretch of quarters."""
    quarters = answer.inputs.build.quarters
    return [leaving_sentence(one, quarters) for one in leavings(answer.inputs.build, answer.plan)]


def foresight_sentence(answer: FleetAnswer) -> str:
    """What the three policies reach."""
    best = answer.others.get("perfect")
    if best is None or len(answer.others) < 2:
        return ""
    words = {"rolling": f"by a rolling window of {answer.window} quarters", "myopic": "quarter by quarter"}
    said = []
    for name, what in words.items():
        value = answer.others.get(name)
        if value is None:
            continue
        if not np.isfinite(value):
            said.append(f"{what} it ends where no plan meets what is owed")
            continue
        lost = answer.lost_usd(name)
        share = f" ({100 * lost / best:.2f} %)" if best > 0 and lost > 0 else ""
        said.append(f"{what} it loses {usd(lost) if lost > 0 else 'nothing'}{share}")
    return (
        f"With all quarters known the plan is worth {usd(best)}; decided {AND.join(said)}, where a window expects no change "
        "behind its end."
    )


def software_sentence(answer: FleetAnswer) -> str:
    """What the build-out is worth were software held where it goes along its curve, or the other way."""
    value = answer.other_software_usd
    if value is None:
        return ""
    held = answer.inputs.resolved.scenario.build_out.software == "release"
    this, that = ("held as released", "along the catalog's curve")[:: 1 if held else -1]
    said = f"it is worth {usd(value)}" if np.isfinite(value) else "no plan fits"
    return f"That is with software {this}; {that}, all chosen anew, {said}."


def answer_lines(answer: FleetAnswer) -> list[str]:
    """The answer in words: headline, retirements, foresight."""
    return [
        headline(answer),
        *filter(None, [software_sentence(answer)]),
        *leaving_sentences(answer),
        *filter(None, [foresight_sentence(answer)]),
    ]


def notes(answer: FleetAnswer) -> list[str]:
    """What holds of the numbers, and what was taken where the scenario says nothing."""
    inputs = answer.inputs
    scenario = inputs.resolved.scenario
    own = scenario.build_out
    out = []
    if answer.bands is not None:
        out.append(
            f"P10 to P90 are over {answer.bands.count:,} draws with purchases, retirements and use held, all revalued at once "
            "(the risk of this plan); trends are held too."
        )
        out += [
            f"With this plan held, '{name}' is missed in {share:.0%} of the draws."
            for name, share in answer.bands.missed.items()
            if share > 0
        ]
    vendor = scenario.company("vendor")
    makers = [o.offer.id for o, mine in zip(inputs.resolved.offers, inputs.priced.vendor_sells, strict=True) if mine]
    if makers and inputs.priced.inputs.objective == "system":
        out.append(
            f"'{vendor}' stands for the maker of {', '.join(makers)}; in the system's value its racks count at cost, and so "
            "does what they are resold for."
        )
    free = [o.offer.id for o in inputs.resolved.offers if _unlimited(answer, o.offer.id)]
    if free:
        out.append(
            f"Nothing is said of the supply of {', '.join(free)}: as many racks as one likes from the first quarter on."
        )
    if scenario.site.provisioning.policy != "busy":
        out.append(
            f"MW are what is set aside for racks ({scenario.site.provisioning.policy}); energy is what they draw."
        )
    if not scenario.site.ramp:
        out.append("The site's power stands from the first quarter on: no ramp is given.")
    if not own.capital:
        out.append("All capital comes in at the start: build_out.capital gives it by steps.")
    elif scenario.capital is not None and abs(sum(step.amount for step in own.capital) - scenario.capital) > 1:
        out.append("build_out.capital takes the place of the scenario's capital.")
    out += _software(answer)
    out += list(answer.plan.notes)
    shell_years = inputs.priced.shell_life_years
    if shell_years < scenario.horizon.years:
        out.append(f"The shell is taken to stand for the whole horizon, longer than its life of {shell_years:g} years.")
    if inputs.priced.inputs.objective == "operator" and any(c.kind == "take_or_pay" for c in scenario.contracts):
        out.append("The rent of the take-or-pay contracts is taken to go on for the whole horizon.")
    held = np.flatnonzero(answer.plan.racks.max(axis=1) > DUST).tolist()
    return out + air_words(inputs.resolved, inputs.priced.chain, held)


def _unlimited(answer: FleetAnswer, name: str) -> bool:
    p = answer.inputs.build.platforms.index(name)
    return bool(np.isinf(answer.inputs.build.supply_racks[p]).any())


def _software(answer: FleetAnswer) -> list[str]:
    inputs = answer.inputs
    held = speeds(inputs.performance, inputs.resolved, inputs.line)[1]
    if inputs.resolved.scenario.build_out.software == "release":
        return ["Software is held as released."]
    least, most = float(inputs.build.speed.min()), float(inputs.build.speed.max())
    out = [
        "Software goes along the catalog's curve, which is the most that a release leaves to be gained. Points are searched at "
        f"the software of the middle of the horizon; in other quarters their tokens are {least:.2f} to {most:.2f} times as "
        "many at the same watts, which says too little of the change where a tight SLO binds."
    ]
    return out + ([f"Software is held where no curve is known: {'; '.join(held)}."] if held else [])


def left_out(answer: FleetAnswer) -> list[str]:
    """What the answer does not count."""
    out = [
        "Taxes, working capital, inflation and loans.",
        "Demand and price as a scenario states them: no response of the market to what this site sells.",
        "A rack's age: upkeep and speed do not fall with it, and a used rack is worth what its platform is worth then.",
        "What it takes to change racks: labour, refitted cooling and power, time without work.",
        "Resale as a share of the price when new is a weak secondary source with a wide range.",
    ]
    inputs = answer.inputs
    seen: dict[str, list[str]] = {}
    for r in inputs.refusals:
        name = f"{inputs.resolved.works[r.work].id} on {inputs.resolved.offers[r.offer].offer.id}"
        seen.setdefault(r.reason, []).append(name)
    return out + [f"{', '.join(names)}: {reason}" for reason, names in seen.items()]


def ways_on(answer: FleetAnswer) -> list[str]:
    """Commands to try next."""
    file = answer.inputs.resolved.loaded.source.file
    other = "curve" if answer.inputs.resolved.scenario.build_out.software == "release" else "release"
    return [
        "gigawatt explain npv_usd",
        f"gigawatt fleet {file} --policy myopic",
        f"gigawatt fleet {file} --set build_out.software={other}",
    ]

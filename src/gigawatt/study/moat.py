"""The thin moat table of a run: the focal vendor against the rivals on offer, in the regime of the scenario.

The focal platforms are those of the listed vendor; the named rival is the platform of another vendor that comes nearest to
being bought for the work that draws most power. What a moat that is switched off means here, and its range:

| moat | off | range |
|---|---|---|
| software | rival's maturity over ours (catalog); 10 % of life lost in porting; a year less of life | maturity's own |
| networking | tokens in a scale-up domain of 8 over those in the platform's own, both worked out here | 1 to its square |
| perf_per_watt | dense FP8 per all-in watt, ours over the rival's | 1 to the ratio in FP4 |

Porting and life are assumed. No measurement feeds two moats: maturity is of software at equal peak, networking is worked out
from the domain alone, and watts compare peaks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.economics.cost import quarterly_crf
from gigawatt.factory import MoatTerms, Regime, moats
from gigawatt.physics.chip import Box
from gigawatt.physics.serving import frontier
from gigawatt.physics.training import best_mapping
from gigawatt.physics.workload import from_config
from gigawatt.study.answer import Answer
from gigawatt.study.jobs.perform import place_of
from gigawatt.study.jobs.points import rate
from gigawatt.study.network import fabric_of
from gigawatt.study.perform import SERVING_PRECISIONS, asked_of
from gigawatt.study.points import usable_precisions
from gigawatt.study.pretrain import TRAINING_PRECISIONS
from gigawatt.study.workloads import Serving, Training

Array = NDArray[np.float64]
SMALL_DOMAIN = 8
PORTING = 0.10  # assumed: 2 of 20 quarters lost in moving to another stack; 0 to 0.2
SHORTER_LIFE_YEARS = 1.0  # assumed: a stack that runs less of what comes next is retired a year earlier
SAMPLES = 48


def moats_table(answer: Answer) -> Table | None:
    """One row a moat; None where the vendor has no platform or no rival on offer.

    USD per MW of the site and year; negative where the advantage is the rival's.
    """
    focal = tuple(i for i, mine in enumerate(answer.priced.vendor_sells) if mine)
    rivals = [i for i in range(len(answer.resolved.offers)) if i not in focal and _runs(answer, i)]
    lead = _lead(answer, focal)
    if lead is None or not rivals:
        return None
    rival = _nearest_rival(answer, rivals)
    base, weak, strong = _terms(answer, focal, lead, rival)
    inputs = replace(answer.priced.inputs, integer_racks=False)
    found = moats([Regime("as given", inputs, base, weak, strong)], samples=SAMPLES, seed=answer.resolved.scenario.seed)
    table = found.rows
    names = answer.priced.inputs.platforms.names
    total, premium = found.total["as given"], found.premium["as given"]
    note = (
        f"{names[lead]} against {names[rival]}: joint worth to buyer and vendor, vendor's racks at production cost. All three "
        f"together {total / 1e6:,.3g} M USD per MW-year; price premium {premium:.2f}x. Low and high are P10 and P90 over the "
        f"stated ranges. Removed bounds from above what a rival's progress can take; given is an open alternative."
    )
    return Table(table.name, table.columns, table.units, table.title, note)


def _runs(answer: Answer, offer: int) -> bool:
    return bool(np.any(answer.priced.inputs.points.platform == offer))


def _lead(answer: Answer, focal: tuple[int, ...]) -> int | None:
    """The focal platform with most racks in the plan, else the first that runs anything."""
    able = [i for i in focal if _runs(answer, i)]
    return max(able, key=lambda i: (answer.plan.racks[i], -i)) if able else None


def _nearest_rival(answer: Answer, rivals: list[int]) -> int:
    inputs = answer.priced.inputs
    names, points = inputs.platforms.names, inputs.points
    power = np.zeros(len(inputs.workloads))
    np.add.at(power, points.workload, answer.plan.mean_use * points.mw)
    main = inputs.workloads[int(np.argmax(power))]
    bought = [i for i in rivals if answer.plan.racks[i] > 0]
    if bought:
        return bought[0]
    near = sorted((a for a in answer.plan.alternatives if a.workload == main), key=lambda a: a.worse_usd_per_mw_yr)
    order = [names.index(a.platform) for a in near]
    return next((i for i in order if i in rivals), rivals[0])


def _terms(answer: Answer, focal: tuple[int, ...], lead: int, rival: int) -> tuple[MoatTerms, MoatTerms, MoatTerms]:
    offers, boxes = answer.resolved.offers, answer.priced.performance.boxes
    works = answer.resolved.works
    kinds = [work.uses for work in works]
    theirs = [getattr(offers[rival].platform.software, kind) for kind in kinds]
    ours = [getattr(offers[lead].platform.software, kind) for kind in kinds]
    middle = np.array([min(t.value / o.value, 1.0) for t, o in zip(theirs, ours, strict=True)])
    high = np.array([min(t.range[1] / o.value, 1.0) for t, o in zip(theirs, ours, strict=True)])
    low = np.array([min(t.range[0] / o.value, 1.0) for t, o in zip(theirs, ours, strict=True)])
    domain = np.array([_domain_gain(answer, lead, w) for w in range(len(works))])
    rate, life = answer.rate, answer.resolved.costs.it_life_years.value
    shorter = float(quarterly_crf(rate, life - SHORTER_LIFE_YEARS) / quarterly_crf(rate, life))
    small = tuple(i for i in range(len(offers)) if i not in focal and boxes[i].chip.scaleup_domain <= SMALL_DOMAIN)
    common: dict[str, Any] = {
        "cost_share": float(answer.priced.production_share[lead]),
        "small_domain": small,
        "power_rivals": (rival,),
    }
    fp8, fp4 = (_per_watt(answer, lead, rival, precision) for precision in ("fp8", "fp4"))
    count = len(works)
    base = MoatTerms.of(focal, count, software=middle, networking=domain, power=fp8, porting=PORTING,
                        software_charge=shorter, **common)  # fmt: skip
    weak = MoatTerms.of(focal, count, software=high, networking=np.ones(count), power=min(fp8, 1.0), porting=0.0,
                        software_charge=1.0, **common)  # fmt: skip
    strong = MoatTerms.of(focal, count, software=low, networking=domain**2, power=max(fp4, fp8), porting=2 * PORTING,
                          software_charge=shorter, **common)  # fmt: skip
    return base, weak, strong


def _domain_gain(answer: Answer, lead: int, w: int) -> float:
    """Best tokens per chip in a domain of 8 over those in the platform's own, at full power; at most 1."""
    box = answer.priced.performance.boxes[lead]
    if box.chip.scaleup_domain <= SMALL_DOMAIN:
        return 1.0
    small = replace(box, chip=replace(box.chip, scaleup_domain=SMALL_DOMAIN))
    wide, narrow = _best(answer, lead, box, w), _best(answer, lead, small, w)
    return min(narrow / wide, 1.0) if wide > 0 and narrow > 0 else 1.0


def _best(answer: Answer, lead: int, box: Box, w: int) -> float:
    work = answer.resolved.works[w]
    offered = answer.resolved.offers[lead]
    catalog, endpoints = answer.resolved.catalog, offered.offer.endpoints
    fabric = fabric_of(offered.fabric, offered.platform, box, catalog, endpoints)
    arch = from_config(work.model.id, work.model.config)
    spec = work.spec
    if isinstance(spec, Serving):
        found = frontier(
            arch, box.chip, fabric=fabric, modes=box.modes[:1],
            precisions=usable_precisions(spec.precisions, SERVING_PRECISIONS, box),
            ttft_s=spec.slo.ttft_p99, tpot_s=spec.slo.tpot_p99, **asked_of(spec),
        )  # fmt: skip
        return float(found.tokens_out_per_s_per_chip.max(initial=0.0))
    made = [p for p in answer.priced.performance.points if p.work == w]
    chips = int(max((p.chips for p in made), default=8 * box.chips_per_node))
    if not isinstance(spec, Training):
        return rate(spec, arch, chips, place_of(offered, answer.resolved, box, fabric))
    points = best_mapping(
        arch, box.chip, fabric=fabric, chips=chips, seq=spec.sequence_length, global_batch=spec.global_batch,
        precisions=usable_precisions(spec.precisions, TRAINING_PRECISIONS, box), modes=box.modes[:1],
        release="" if spec.release == "auto" else spec.release,
    )  # fmt: skip
    return float(points.tokens_per_s_per_chip.max(initial=0.0))


def _per_watt(answer: Answer, lead: int, rival: int, precision: str) -> float:
    """Dense peak per all-in watt, ours over the rival's; a precision that one lacks is taken at its FP8 or BF16 peak."""

    def peak(i: int) -> float:
        box = answer.priced.performance.boxes[i]
        chip = box.chip
        flops = next(chip.peak_flops[p] for p in (precision, "fp8", "bf16") if p in chip.peak_flops)
        watts = chip.tdp_w + (box.host_w + box.fabric_w + box.nic_w + box.fan_w) / box.chips
        return flops / (watts / box.supply_efficiency)

    return peak(lead) / peak(rival)

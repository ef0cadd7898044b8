"""Asks physics for the operating points of every workload on every platform: tokens, seconds, watts, what binds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gigawatt.physics.chip import Box, box_from_record
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.reliability import goodput
from gigawatt.physics.serving import Frontier, frontiers
from gigawatt.physics.serving.engine.speculation import Draft
from gigawatt.physics.training import best_mapping
from gigawatt.physics.workload import from_config
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.network import fabric_of
from gigawatt.study.resolve import Offered, Resolved, Work
from gigawatt.study.software import Software, software
from gigawatt.study.timeline import Timeline, owed_quarters
from gigawatt.study.workloads import Serving, Training

SLO_PERCENTILE = 0.99
# Precisions worth trying, narrowest first, where the scenario leaves the choice; a chip runs those it has a peak for.
SERVING_PRECISIONS = ("fp4", "fp8", "bf16")
TRAINING_PRECISIONS = ("fp8", "bf16")
# Chips of the job on which a training mapping is first looked for, before the number that the date needs is known.
FIRST_GUESS_CHIPS = 8192
# The plan thins points itself, to the hull in watts of whole racks, which a thinning by chip could miss.
ALL_POINTS = 100_000


@dataclass(frozen=True, slots=True)
class Point:
    """One operating point of a workload on a platform, per chip, after the derate.

    For training `tokens_out_per_s` counts trained tokens and `tokens_in_per_s` is 0. `low` and `high` are 80 %
    factors on throughput; `group` names the calibration whose error they share.
    """

    offer: int
    work: int
    mapping: str
    precision: str
    mode: str
    engine: str
    tokens_in_per_s: float
    tokens_out_per_s: float
    chip_w: float
    bound: str
    low: float
    high: float
    group: str
    ttft_s: float = math.nan
    tpot_s: float = math.nan
    step_s: float = math.nan
    mfu: float = math.nan
    chips: float = math.nan


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a workload does not run on a platform, and the nearest change that would let it."""

    offer: int
    work: int
    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Performance:
    """All points, and the pairs of platform and workload that have none."""

    points: tuple[Point, ...]
    refusals: tuple[Refusal, ...]
    boxes: tuple[Box, ...]
    goodput: dict[int, float] = field(default_factory=dict)
    software: dict[tuple[int, int], Software] = field(default_factory=dict)


def perform(resolved: Resolved, line: Timeline) -> Performance:
    """Operating points of every pair of offer and workload."""
    boxes = tuple(box_from_record(o.platform, o.accelerator) for o in resolved.offers)
    arches = [from_config(work.model.id, work.model.config) for work in resolved.works]
    points: list[Point] = []
    refusals: list[Refusal] = []
    shares: dict[int, float] = {}
    states: dict[tuple[int, int], Software] = {}
    for i, (offered, box) in enumerate(zip(resolved.offers, boxes, strict=True)):
        late = _not_there(offered, resolved)
        if late:
            refusals += [Refusal(i, j, *late) for j in range(len(arches))]
            continue
        fabric = fabric_of(offered.fabric, offered.platform, box, resolved.catalog, offered.offer.endpoints)
        searched: dict[int, Frontier] = {}
        for j, (work, arch) in enumerate(zip(resolved.works, arches, strict=True)):
            state = states[i, j] = software(offered, "serving" if work.is_serving else "training", arch, resolved)
            if state.refusal:
                refusals.append(Refusal(i, j, *state.refusal))
                continue
            if isinstance(work.spec, Serving):
                if j not in searched:
                    searched |= _search(box, fabric, arch, state, work, resolved)
                made, why = _served(i, j, state, box, searched[j])
            else:
                made, why, share = _train(i, j, state, box, fabric, arch, work, resolved, line)
                shares[j] = share
            points += made
            refusals += [why] if why else []
    return Performance(tuple(points), tuple(refusals), boxes, shares, states)


def _not_there(offered: Offered, resolved: Resolved) -> tuple[str, str] | None:
    """A platform that can be had only after the start is no part of a fleet for the whole horizon."""
    start, first = resolved.scenario.horizon.start, offered.offer.available
    if first is None or first <= start:
        return None
    return f"available from {first}, after the start on {start}", f"a start on {first}, or an earlier delivery"


def usable_precisions(asked: list[str] | str, usual: Sequence[str], box: Box) -> list[str]:
    """Those of the asked or usual precisions that the chip has a peak for; bf16 always runs."""
    wanted = list(usual) if isinstance(asked, str) else asked
    have = [p for p in wanted if p in box.chip.peak_flops or (p == "bf16")]
    return have or ["bf16"]


def asked_of(spec: Serving) -> dict[str, Any]:
    """What a workload asks of a search but its limits: lengths, the percentile they hold at, speeds that production keeps."""
    drafting = spec.speculation
    return {
        "input_tokens": spec.input_tokens,
        "output_tokens": spec.output_tokens,
        "percentile": SLO_PERCENTILE,
        "drafts": (None,) if drafting is None else (None, Draft(drafting.tokens, drafting.acceptance)),
        "cached_share": spec.cached_share,
        "decode_derate": spec.derate.decode,
        "prefill_derate": spec.derate.prefill,
    }


def _search(
    box: Box, fabric: Fabric, arch: Architecture, state: Software, work: Work, resolved: Resolved
) -> dict[int, Frontier]:
    """The frontiers of a workload and of its further levels, which differ in their SLOs alone: one search for all."""
    family = {j: other.spec for j, other in enumerate(resolved.works) if other.family == work.family}
    levels = {j: spec for j, spec in family.items() if isinstance(spec, Serving)}
    first = next(iter(levels.values()))
    found = frontiers(
        arch,
        box.chip,
        [(spec.slo.ttft_p99, spec.slo.tpot_p99) for spec in levels.values()],
        fabric=fabric,
        precisions=usable_precisions(first.precisions, SERVING_PRECISIONS, box),
        maturity=state.speed,
        modes=box.modes,
        max_points=ALL_POINTS,
        **asked_of(first),
    )
    return dict(zip(levels, found, strict=True))


def _served(i: int, j: int, state: Software, box: Box, found: Frontier) -> tuple[list[Point], Refusal | None]:
    if not len(found):
        first = found.rejected[0] if found.rejected else None
        return [], Refusal(i, j, first.reason if first else "nothing meets the SLO", first.nearest_fix if first else "")
    group = f"serving {box.chip.generation}"
    points = [
        Point(
            i,
            j,
            row["mapping"],
            row["precision"],
            row["mode"],
            row["engine"],
            row["tokens_in_per_s_per_chip"],
            row["tokens_out_per_s_per_chip"],
            row["chip_w"],
            row["bound"],
            row["low"] * state.low,
            row["high"] * state.high,
            group,
            ttft_s=row["ttft_s"],
            tpot_s=row["tpot_s"],
            chips=row["chips_per_replica"],
        )
        for row in found.rows()
    ]
    return points, None


def _train(
    i: int,
    j: int,
    state: Software,
    box: Box,
    fabric: Fabric,
    arch: Architecture,
    work: Work,
    resolved: Resolved,
    line: Timeline,
) -> tuple[list[Point], Refusal | None, float]:
    spec = work.spec
    assert isinstance(spec, Training)
    seconds = line.full_seconds_until(owed_quarters(resolved.scenario, spec))
    if seconds <= 0:
        reason = f"'{spec.id}' is owed before its first quarter ends"
        return [], Refusal(i, j, reason, "a later finish_by, or an earlier start"), 1.0
    needed = spec.tokens / seconds
    chips = spec.chips if isinstance(spec.chips, int) else FIRST_GUESS_CHIPS
    share = 1.0
    found = None
    for _ in range(1 if isinstance(spec.chips, int) else 2):
        found = best_mapping(
            arch,
            box.chip,
            fabric=fabric,
            chips=chips,
            seq=spec.sequence_length,
            global_batch=spec.global_batch,
            precisions=usable_precisions(spec.precisions, TRAINING_PRECISIONS, box),
            maturity=state.speed,
            modes=box.modes,
        )
        if not len(found):
            break
        share = float(goodput(chips).goodput)
        if isinstance(spec.chips, int):
            break
        # Whole multiples of 64 nodes' worth of chips divide well into parallel degrees.
        block = 64 * box.chips_per_node
        chips = max(block, math.ceil(needed / share / found.tokens_per_s_per_chip.max() / block) * block)
    if found is None or not len(found):
        first = found.rejected[0] if found is not None and found.rejected else None
        return [], Refusal(i, j, first.reason if first else "no mapping fits", first.nearest_fix if first else ""), 1.0
    return (
        [
            Point(
                i,
                j,
                str(found.mapping[k]),
                str(found.precision[k]),
                str(found.mode[k]),
                "",
                0.0,
                float(found.tokens_per_s_per_chip[k]) * share,
                float(found.chip_w[k]),
                str(found.bound[k]),
                float(found.low[k]) * state.low,
                float(found.high[k]) * state.high,
                f"training {box.chip.generation}",
                step_s=float(found.step_s[k]),
                mfu=float(found.mfu[k]),
                chips=float(chips),
            )
            for k in range(len(found))
        ],
        None,
        share,
    )

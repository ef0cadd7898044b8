"""Asks physics for the operating points of every workload on every platform: tokens, seconds, watts, what binds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from gigawatt.physics.chip import Box, box_from_record
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs import JobRun
from gigawatt.physics.jobs.searches import frontiers
from gigawatt.physics.serving import Frontier
from gigawatt.physics.serving.engine.speculation import Draft
from gigawatt.physics.workload import from_config
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.job_size import Guarded
from gigawatt.study.jobs.perform import performed
from gigawatt.study.network import fabric_of
from gigawatt.study.points import Point, Refusal, usable_precisions
from gigawatt.study.pretrain import trained
from gigawatt.study.resolve import Offered, Resolved, Work
from gigawatt.study.software import Software, software
from gigawatt.study.timeline import Timeline, owed_quarters
from gigawatt.study.workloads import Serving, Training

SLO_PERCENTILE = 0.99
# Precisions worth trying, narrowest first, where the scenario leaves the choice; a chip runs those it has a peak for.
SERVING_PRECISIONS = ("fp4", "fp8", "bf16")
# The plan thins points itself, to the hull in watts of whole racks, which a thinning by chip could miss.
ALL_POINTS = 100_000


@dataclass(frozen=True, slots=True)
class Performance:
    """All points, and the pairs of platform and workload that have none; `guards` are of training runs and `jobs` all
    other runs, by (offer, work)."""

    points: tuple[Point, ...]
    refusals: tuple[Refusal, ...]
    boxes: tuple[Box, ...]
    guards: dict[tuple[int, int], Guarded] = field(default_factory=dict)
    software: dict[tuple[int, int], Software] = field(default_factory=dict)
    jobs: dict[tuple[int, int], JobRun] = field(default_factory=dict)

    @property
    def held_chips(self) -> dict[tuple[int, int], float]:
        """Chips of each run's job and those standing by, by (offer, work)."""
        held = {pair: guard.owned_chips for pair, guard in self.guards.items()}
        return held | {pair: run.chips + run.spare_chips for pair, run in self.jobs.items()}


class Physics:
    """Who is asked for operating points: physics itself. One that remembers stands in for it where many scenarios ask."""

    def perform(self, resolved: Resolved, line: Timeline) -> Performance:
        return perform(resolved, line)

    def alone(
        self, performance: Performance, pairs: Collection[tuple[int, int]], resolved: Resolved, line: Timeline
    ) -> Performance:
        return alone(performance, pairs, resolved, line)


def perform(
    resolved: Resolved, line: Timeline, until: date | None = None, software_on: date | None = None
) -> Performance:
    """Operating points of every pair of offer and workload.

    Training runs come at the size that suits a fleet with other work; see `alone` for one that has none. A platform that
    can be had only after `until` (by default the start) has none. `software_on` takes the software of that day.
    """
    boxes = tuple(box_from_record(o.platform, o.accelerator) for o in resolved.offers)
    arches = [from_config(work.model.id, work.model.config) for work in resolved.works]
    points: list[Point] = []
    refusals: list[Refusal] = []
    guards: dict[tuple[int, int], Guarded] = {}
    jobs: dict[tuple[int, int], JobRun] = {}
    states: dict[tuple[int, int], Software] = {}
    for i, (offered, box) in enumerate(zip(resolved.offers, boxes, strict=True)):
        late = _not_there(offered, resolved, until)
        if late:
            refusals += [Refusal(i, j, *late) for j in range(len(arches))]
            continue
        fabric = fabric_of(offered.fabric, offered.platform, box, resolved.catalog, offered.offer.endpoints)
        searched: dict[int, Frontier] = {}
        for j, (work, arch) in enumerate(zip(resolved.works, arches, strict=True)):
            state = states[i, j] = software(offered, work.uses, arch, resolved, software_on)
            if state.refusal:
                refusals.append(Refusal(i, j, *state.refusal))
                continue
            if isinstance(work.spec, Serving):
                if j not in searched:
                    searched |= _search(box, fabric, arch, state, work, resolved)
                made, why = _served(i, j, state, box, searched[j])
            elif isinstance(work.spec, Training):
                seconds = line.full_seconds_until(owed_quarters(resolved.scenario, work.spec))
                made, why, guard = trained(i, j, work.spec, seconds, state, box, fabric, arch)
                if guard is not None:
                    guards[i, j] = guard
            else:
                seconds = line.full_seconds_until(owed_quarters(resolved.scenario, work.spec))
                made, why, job = performed(i, j, work.spec, seconds, state, box, fabric, arch, offered, resolved)
                if job is not None:
                    jobs[i, j] = job
            points += made
            refusals += [why] if why else []
    return Performance(tuple(points), tuple(refusals), boxes, guards, states, jobs)


def alone(
    performance: Performance, pairs: Iterable[tuple[int, int]], resolved: Resolved, line: Timeline
) -> Performance:
    """The same, with the runs of some pairs (offer, work) at the size of a fleet that they have for themselves."""
    again = set(pairs)
    points = [point for point in performance.points if (point.offer, point.work) not in again]
    refusals, guards, jobs = list(performance.refusals), dict(performance.guards), dict(performance.jobs)
    for i, j in sorted(again):
        offered, box, work = resolved.offers[i], performance.boxes[i], resolved.works[j]
        assert not isinstance(work.spec, Serving)
        fabric = fabric_of(offered.fabric, offered.platform, box, resolved.catalog, offered.offer.endpoints)
        seconds = line.full_seconds_until(owed_quarters(resolved.scenario, work.spec))
        arch = from_config(work.model.id, work.model.config)
        state = performance.software[i, j]
        if isinstance(work.spec, Training):
            made, why, guard = trained(i, j, work.spec, seconds, state, box, fabric, arch, alone=True)
            guards |= {(i, j): guard} if guard is not None else {}
        else:
            known = performance.jobs[i, j]
            made, why, job = performed(
                i, j, work.spec, seconds, state, box, fabric, arch, offered, resolved, alone=known
            )
            jobs |= {(i, j): job} if job is not None else {}
        points += made
        refusals += [why] if why else []
    return replace(performance, points=tuple(points), refusals=tuple(refusals), guards=guards, jobs=jobs)


def _not_there(offered: Offered, resolved: Resolved, until: date | None) -> tuple[str, str] | None:
    """A platform that can be had only after the start is no part of a fleet for the whole horizon."""
    start, first = resolved.scenario.horizon.start, offered.offer.available
    if first is None or first <= (until or start):
        return None
    if until is not None:
        said = f"available from {first}, after the last quarter of the horizon begins on {until}"
        return said, "a longer horizon, or an earlier delivery"
    return f"available from {first}, after the start on {start}", f"a start on {first}, or an earlier delivery"


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

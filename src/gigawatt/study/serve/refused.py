"""Why candidates fell out, with the nearest fix; and, where nothing is left, the floor and the smallest change that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Change, Infeasible, InputError
from gigawatt.physics.chip import box_from_record
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.serving.engine.calibration import WEIGHT_BYTES
from gigawatt.physics.serving.engine.deployment import Spec, deploy, usable_memory_bytes
from gigawatt.physics.serving.engine.layouts import MAX_CHIPS, layouts
from gigawatt.physics.serving.engine.memory import (
    RESERVE_BYTES,
    cache_bytes_per_request,
    max_requests,
    weight_bytes_per_chip,
)
from gigawatt.physics.serving.search.combos import engines_of
from gigawatt.physics.serving.search.space import Searched
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.hosts import Host
from gigawatt.study.serve.points import Points
from gigawatt.study.serve.question import Question, seconds

GB = 1e9


@dataclass(frozen=True, slots=True)
class Tried:
    """One host with what was found on it; `points` is None where nothing was evaluated."""

    host: Host
    found: Searched | None
    points: Points | None

    @property
    def candidates(self) -> int:
        return self.found.candidates if self.found is not None else 0


def rejections(tried: Sequence[Tried], question: Question) -> list[dict[str, Any]]:
    """Rows: platform, reason, count, nearest fix."""
    out: list[dict[str, Any]] = []
    for one in tried:
        rows = _of_host(one, question)
        out += [{"platform": one.host.label, "reason": r, "count": n, "nearest_fix": fix} for r, n, fix in rows]
    return out


def _of_host(one: Tried, question: Question) -> list[tuple[str, int, str]]:
    if one.host.refusal is not None:
        return [(one.host.refusal[0], 0, one.host.refusal[1])]
    if one.found is None or one.points is None:
        return []
    points, found, rows = one.points, one.found, []
    if not found.specs:
        names = ", ".join(question.mappings) or "no layout"
        return [(f"{names} does not apply", 0, "leave --mapping out, or name one such as tp8, tp8-ep8, dp8-ep8")]
    if not found.fits.all():
        fix = fewest_words(found, one.host)
        rows.append(("weights and one request exceed memory", int((~found.fits).sum()), fix))
    space = points.space
    if not len(space):
        return rows
    roomy = space.roomy
    wide = points.replicas < 1.0
    if (wide & roomy).any():
        rows.append(
            (f"wider than {question.chips:,} chips", int((wide & roomy).sum()), "a smaller replica, or more chips")
        )
    full = ~points.held & ~wide
    if full.any():
        most = float(points.most_per_s.max())
        rows.append(
            (f"too few chips for {question.rate_per_s:,.4g} requests/s", int(full.sum()), f"at most {most:,.4g}/s")
        )
    if not roomy.all():
        at = int(np.argmax(space.room))
        fix = f"at most {space.room[at]:,.0f} at once, with {space.mapping[at]} {space.precision[at]}"
        rows.append(("more requests than the cache holds", int((~roomy).sum()), fix))
    possible = points.possible
    for reason, mask, values, limit in (
        (f"above {_smooth_words(question)}", possible & ~points.smooth, space.tpot_s, "TPOT"),
        (f"above TTFT {_ttft_words(question)}", possible & ~points.quick, space.ttft_slo_s, "TTFT p99"),
    ):
        if mask.any():
            at = _least(values, possible)
            rows.append(
                (reason, int(mask.sum()), f"the lowest {limit} is {seconds(float(values[at]))}, {_named(points, at)}")
            )
    return rows


def _smooth_words(question: Question) -> str:
    slo = question.slo
    limits = (("TPOT", slo.tpot_s), ("TPOT p99", slo.tpot_p99_s), ("a request's", slo.latency_s))
    return " or ".join(f"{name} {seconds(limit)}" for name, limit in limits if limit < np.inf)


def _ttft_words(question: Question) -> str:
    slo = question.slo
    words = [seconds(slo.ttft_p99_s)] if slo.ttft_p99_s < np.inf else []
    return " and ".join([*words, *([f"a mean of {seconds(slo.ttft_mean_s)}"] if slo.ttft_mean_s < np.inf else [])])


def _least(values: NDArray[np.float64], among: NDArray[np.bool_]) -> int:
    return int(np.argmin(np.where(among, values, np.inf)))


def _named(points: Points, at: int) -> str:
    space = points.space
    requests = "1 request" if space.concurrency[at] <= 1.0 else f"{space.concurrency[at]:,.0f} requests"
    return f"with {space.mapping[at]} {space.precision[at]} {space.engine[at]} at {requests}"


def nothing_meets(tried: Sequence[Tried], question: Question, arch: Architecture, catalog: Catalog) -> Infeasible:
    """The answer where no host serves the model within the SLO: what binds, the floor, the smallest change that fits."""
    lines: list[str] = []
    changes: list[Change] = []
    hints: list[str] = []
    for one in tried:
        name = one.host.label
        if one.host.refusal is not None:
            lines.append(f"{name}: {one.host.refusal[0]}")
            hints.append(one.host.refusal[1])
        elif one.points is None or one.found is None:
            continue
        elif question.rate_per_s and len(one.points) and (one.points.most_per_s > 0).any():
            said, change = _too_much(one, one.points, question)
            lines.append(f"{name}: {said}")
            changes += change
        elif not len(one.points) or not one.points.possible.any():
            said, more = _too_large(one, question, arch, catalog)
            lines.append(f"{name}: {said}")
            hints += more
        else:
            said, change = _floor(one.points, question)
            lines.append(f"{name}: {said}")
            changes += [Change(f"{name}, {c.limit}", c.now, c.needed, c.unit) for c in change]
    what = f"{question.model} is not served with {question.slo.words} on {', '.join(one.host.label for one in tried)}"
    fixes = list(dict.fromkeys(hints))
    return Infeasible(what + (f". What would do: {'; '.join(fixes)}" if fixes else ""), lines, changes)


def _too_much(one: Tried, points: Points, question: Question) -> tuple[str, list[Change]]:
    """The most requests/s that the chips hold within the SLO, and the chips that the rate takes."""
    at = int(np.argmax(points.most_per_s))
    most, name = float(points.most_per_s[at]), one.host.label
    needed = float(np.ceil(question.rate_per_s / most * points.chips[at]))
    said = (
        f"{question.chips:,} chips hold at most {most:,.4g} requests/s within the SLO, with {points.space.mapping[at]} "
        f"{points.space.precision[at]} {points.space.engine[at]}"
    )
    return said, [
        Change(f"{name}, rate", question.rate_per_s, most, "requests/s"),
        Change(f"{name}, chips", float(question.chips), needed, "chips"),
    ]


def _floor(points: Points, question: Question) -> tuple[str, list[Change]]:
    """What is the least of each limit, alone and with the other one held."""
    slo, space, possible = question.slo, points.space, points.possible
    said, changes = [], []
    limits = (
        ("TPOT", slo.tpot_s, space.tpot_s, possible & points.quick, points.smooth),
        ("TPOT p99", slo.tpot_p99_s, space.tpot_slo_s, possible & points.quick, points.smooth),
        ("TTFT p99", slo.ttft_p99_s, space.ttft_slo_s, possible & points.smooth, points.quick),
        ("mean TTFT", slo.ttft_mean_s, space.ttft_s, possible & points.smooth, points.quick),
        ("a request", slo.latency_s, space.ttft_s + question.output_tokens * space.tpot_s, possible, points.smooth),
    )
    for name, limit, values, beside, _ in limits:
        if limit == np.inf:
            continue
        floor = _least(values, possible)
        if values[floor] > limit:
            said.append(f"the floor of {name} is {seconds(float(values[floor]))}, {_named(points, floor)}")
        if beside.any():
            at = _least(values, beside)
            if values[at] > limit:
                if values[floor] <= limit:
                    said.append(
                        f"{name} is at least {seconds(float(values[at]))} where the rest of the SLO holds, {_named(points, at)}"
                    )
                changes.append(Change(name, limit * 1e3, float(values[at]) * 1e3, "ms"))
    return "; ".join(said), changes


def _too_large(one: Tried, question: Question, arch: Architecture, catalog: Catalog) -> tuple[str, list[str]]:
    """By how many GB the model does not fit, and the smallest changes that would let it: chips, precision, platform."""
    host = one.host
    if one.found is None or not one.found.specs:
        plain = Spec(arch, host.chip, 1)
        named = [p for name in question.mappings for p in layouts(plain.model, host.fabric.domain, name)]
        if named and question.chips:
            least = min(plan.chips for plan in named)
            said = f"{', '.join(question.mappings)} takes {_chips(least)}, and there are {question.chips:,}"
            return said, [f"--chips {least}", "another --mapping"]
        names = ", ".join(question.mappings) or "any layout"
        return f"{names} does not apply to {question.model}", ["another --mapping"]
    if len(one.points or ()) and one.points is not None:
        room = one.points.space.room
        most = int(np.argmax(room))
        asked = min(question.concurrency) if question.concurrency else 1
        return (
            f"the cache holds {room[most]:,.0f} requests at once, not {asked:,}",
            [f"--concurrency {max(int(room[most]), 1)}"],
        )
    best = _nearest_miss(one.found, question)
    spec, short = one.found.specs[best[0]], best[1]
    tokens, memory = question.input_tokens + question.output_tokens, usable_memory_bytes(host.chip)
    said = (
        f"weights and one request of {tokens:,} tokens exceed memory by {short / GB:,.0f} GB a chip, "
        f"with {_chips(spec.gpus)} of {memory / GB:.0f} GB in {spec.precision}"
    )
    return said, _ways_out(one, question, arch, catalog, spec.gpus)


def _nearest_miss(found: Searched, question: Question) -> tuple[int, float]:
    """(configuration, bytes a chip that it lacks) of the one that is nearest to fitting."""
    d = deploy(found.specs)
    each = cache_bytes_per_request(
        d, np.asarray(float(question.input_tokens)), np.asarray(float(question.output_tokens))
    )
    short = weight_bytes_per_chip(d) + each + RESERVE_BYTES - 0.9 * d.chip.memory_bytes
    at = int(np.argmin(short))
    return at, float(short[at])


def _ways_out(one: Tried, question: Question, arch: Architecture, catalog: Catalog, chips: int) -> list[str]:
    host, out = one.host, []
    here = fewest(arch, host.chip, host.precisions, question)
    if here is not None and here > chips:
        option = "--chips" if question.chips and here > question.chips else "--replica-chips"
        out.append(f"{option} {here} on {host.label}")
    narrower = [
        name
        for name in sorted(WEIGHT_BYTES, key=WEIGHT_BYTES.__getitem__)
        if name not in host.precisions and name in host.chip.peak_flops
    ]
    for name in narrower:
        needed = fewest(arch, host.chip, (name,), question)
        if needed is not None and needed <= chips:
            out.append(f"--precision {name} on {host.label}, {_chips(needed)}")
            break
    return [*out, *_elsewhere(question, arch, catalog, host, chips)]


def _elsewhere(question: Question, arch: Architecture, catalog: Catalog, host: Host, chips: int) -> list[str]:
    """Platforms of the same software stack on which it fits in as many chips, the least memory first."""
    found = []
    for record in catalog.all("platform"):
        try:
            chip = box_from_record(record, catalog.get("accelerator", record.accelerator)).chip
        except InputError:
            continue  # a platform with unpublished facts is no advice
        if chip.stack != host.chip.stack or chip.memory_bytes <= host.chip.memory_bytes:
            continue
        runs = tuple(p for p in host.precisions if p in chip.peak_flops or p == "bf16")
        needed = fewest(arch, chip, runs, question) if runs else None
        if needed is not None and needed <= min(chips, chip.scaleup_domain):
            found.append((chip.memory_bytes, record.id, needed))
    least = sorted(found)[:1]
    return [f"--on {name}, {_chips(needed)}" for _, name, needed in least]


def fewest(arch: Architecture, chip: Chip, precisions: Sequence[str], question: Question) -> int | None:
    """The fewest chips of a replica that hold the weights and one request, in any layout and engine; None where none do."""
    engine = question.engines or engines_of(chip)
    specs = [
        Spec(arch, chip, plan.gpus, plan.dp, plan.moe_tp, e, p)
        for plan in layouts(Spec(arch, chip, 1).model, chip.scaleup_domain, "", MAX_CHIPS)
        for p in precisions
        for e in engine
        if plan.gpus & (plan.gpus - 1) == 0
    ]
    if not specs:
        return None
    tokens = np.asarray(float(question.input_tokens)), np.asarray(float(question.output_tokens))
    fits = max_requests(deploy(specs), *tokens) >= 1.0
    return min((s.gpus for s, ok in zip(specs, fits, strict=True) if ok), default=None)


def fewest_words(found: Searched, host: Host) -> str:
    """The smallest replica that fits, of those that were tried."""
    fitting = [s for s, ok in zip(found.specs, found.fits, strict=True) if ok]
    if not fitting:
        return "no configuration of these fits"
    least = min(fitting, key=lambda s: (s.gpus, -WEIGHT_BYTES[s.precision]))
    return f"{_chips(least.gpus)} of {host.label} hold{'' if least.gpus > 1 else 's'} it in {least.precision}"


def _chips(count: int) -> str:
    return f"{count:,} chip{'' if count == 1 else 's'}"

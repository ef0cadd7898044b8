"""Operating points at a rate of requests: how many replicas it takes, how loaded they are, and which rate would still be held.

    most(configuration)   the largest rate of a replica within the SLO, at no more than `NEAR` load, by halving
    replicas              rate / most, rounded up; or as many as the chips hold, where their number is given
    state                 `steady.open_loop` at rate / replicas, percentiles as `steady.tails` has them

Pools are sized from the points of the closed search that meet the SLO, since nobody waits for a place on a decode worker
before it is full, and prefill workers run at `POOL_LOAD` at most.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.serving.engine.deployment import Deployment, Spec, deploy
from gigawatt.physics.serving.engine.layouts import Layout
from gigawatt.physics.serving.engine.step import PARTS
from gigawatt.physics.serving.power import phase_watts, phases_of
from gigawatt.physics.serving.search.pairs import POOL_LOAD
from gigawatt.physics.serving.search.space import Searched, Space
from gigawatt.physics.serving.search.spent import largest as largest_part
from gigawatt.physics.serving.search.whole import whole_workers
from gigawatt.physics.serving.steady.aggregated import Load
from gigawatt.physics.serving.steady.goodput import LONE, largest
from gigawatt.physics.serving.steady.open_loop import OpenLoop, open_loop
from gigawatt.physics.serving.steady.spread import open_spread, tpot_quantile, tpot_share_within, ttft_share_within
from gigawatt.physics.serving.steady.tails import NEAR, Percentiles, open_tails
from gigawatt.study.hosts import Host
from gigawatt.study.serve.points import (
    HELD,
    Floats,
    Mask,
    Points,
    banded,
    kept,
    of_load,
    rate_half_width,
)
from gigawatt.study.serve.question import Question, Slo


@dataclass(frozen=True, slots=True)
class Lengths:
    """How prompts, answers and the gaps between arrivals vary: coefficients of variation."""

    input_cv: float = 0.0
    output_cv: float = 0.0
    arrival_cv: float = 1.0


def rated_points(
    found: Searched, question: Question, host: Host, catalog: Catalog, lengths: Lengths = Lengths()
) -> Points:
    """The points of every configuration at the question's rate."""
    parts = []
    if question.pools != "only" and found.fits.any():
        parts.append(_aggregated(found, question, host, catalog, lengths))
    pooled = np.flatnonzero(found.space.pooled)
    if len(pooled):
        parts.append(_pooled(found.space.take(pooled), len(found.ladder), question, host, catalog))
    if not parts:
        raise ValueError("no configuration to rate")
    return joined(parts)


def joined(parts: list[Points]) -> Points:
    """Points one after the other."""
    space = Space(**{f.name: np.concatenate([getattr(p.space, f.name) for p in parts], axis=-1) for f in fields(Space)})
    names = [f.name for f in fields(Points) if f.name != "space"]
    return Points(space=space, **{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


def load_of(question: Question, lengths: Lengths) -> Load:
    """What is asked of a replica, the rate apart."""
    return Load.of(
        float(question.input_tokens),
        float(question.output_tokens),
        1.0,
        input_cv=lengths.input_cv,
        output_cv=lengths.output_cv,
        **of_load(question),
    )


def within(d: Deployment, load: Load, state: OpenLoop, slo: Slo, output_tokens: float) -> Mask:
    """Rows that keep every limit, and are not near saturation."""
    spread = open_spread(d, load, state)
    good = state.stable & (state.load <= NEAR) & (state.ttft_s <= slo.ttft_mean_s) & (state.tpot_s <= slo.tpot_s)
    good = good & (state.ttft_s + output_tokens * state.tpot_s <= slo.latency_s)
    if slo.ttft_p99_s < np.inf:
        good = good & (ttft_share_within(spread, np.asarray(slo.ttft_p99_s)) >= HELD)
    if slo.tpot_p99_s < np.inf:
        good = good & (tpot_share_within(spread, np.asarray(slo.tpot_p99_s)) >= HELD)
    return np.asarray(good)


def largest_rate(d: Deployment, load: Load, slo: Slo, output_tokens: float, arrival_cv: float = 1.0) -> Floats:
    """The most requests/s of each row's replica within the SLO; 0 where not even a lone one keeps it."""
    capacity = open_loop(d, load, 1e-9, arrival_cv).capacity_per_s

    def holds(rate: Floats) -> Mask:
        return within(d, load, open_loop(d, load, rate, arrival_cv), slo, output_tokens)

    return largest(capacity, holds(LONE * capacity), holds)


def _aggregated(found: Searched, question: Question, host: Host, catalog: Catalog, lengths: Lengths) -> Points:
    specs = [s for s, fits in zip(found.specs, found.fits, strict=True) if fits]
    d = deploy(specs)
    load, out = load_of(question, lengths), float(question.output_tokens)
    most = largest_rate(d, load, question.slo, out, lengths.arrival_cv)
    capacity = open_loop(d, load, 1e-9, lengths.arrival_cv).capacity_per_s
    if question.chips:
        chips = np.full(len(specs), float(question.chips))
        replicas = np.floor(chips / d.chips + 1e-9)
    else:
        replicas = np.where(most > 0, np.ceil(question.rate_per_s / np.maximum(most, 1e-300) - 1e-9), 1.0)
        chips = replicas * d.chips
    each = question.rate_per_s / np.maximum(replicas, 1.0)
    # Where not even a lone request keeps the SLO the lone one is shown: it says by how much.
    each = np.where(most > 0, each, LONE * capacity)
    half = rate_half_width(np.zeros(len(specs), dtype=bool), d.kernels.half_width, host, question)
    state = open_loop(d, load, each, lengths.arrival_cv)
    tails = open_tails(d, load, each, lengths.arrival_cv, (HELD,), float(half.max()))
    tpot_p99 = tpot_quantile(open_spread(d, load, state), HELD)
    space = _space(specs, d, state, host, tails.ttft, tpot_p99)
    bands = banded(space, host, question, catalog)
    bands["ttft_low_s"] = np.fmin(tails.ttft.low_s[0], bands["ttft_low_s"])
    bands["ttft_high_s"] = np.fmax(tails.ttft.high_s[0], bands["ttft_high_s"])
    slo, whole_s = question.slo, state.ttft_s + out * state.tpot_s
    p99 = np.where(np.isfinite(tails.ttft.middle_s[0]), tails.ttft.middle_s[0], tails.ttft.high_s[0])
    with np.errstate(invalid="ignore"):
        quick = (p99 <= slo.ttft_p99_s) & (state.ttft_s <= slo.ttft_mean_s)
        smooth = (state.tpot_s <= slo.tpot_s) & (tpot_p99 <= slo.tpot_p99_s) & (whole_s <= slo.latency_s)
    return Points(
        space=space,
        replicas=replicas,
        prefill_workers=np.zeros(len(specs)),
        chips=chips,
        chips_used=replicas * d.chips,
        requests_per_s=np.where(most > 0, question.rate_per_s, each),
        most_per_s=most * replicas,
        load=state.load,
        **bands,
        held=(replicas >= 1.0) & state.stable & (state.load < 1.0),
        quick=quick,
        smooth=smooth,
        bound=np.array(_stops(state, space)),
    )


def _stops(state: OpenLoop, space: Space) -> list[str]:
    """What is loaded most, and what the time between tokens goes to."""
    names = np.array(["prompts", "decoding", "places", "KV memory"])
    loads = np.stack([state.prefill_load, state.decode_load, state.slot_load, state.cache_load])
    return [f"{name}, {part}" for name, part in zip(names[np.argmax(loads, axis=0)], space.part, strict=True)]


def _space(
    specs: list[Spec], d: Deployment, state: OpenLoop, host: Host, ttft: Percentiles, tpot_p99_s: Floats
) -> Space:
    """The state as rows of a search."""
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    step_s, gap_s = np.nan_to_num(state.step_s), np.nan_to_num(state.tpot_s) * d.yields
    lost_s = np.maximum(step_s - state.parts.total, 0.0)
    # Nobody is there for a share exp(-N) of the time, N in the mean and coming at random: then the chips wait.
    empty = np.exp(-np.nan_to_num(state.in_flight, nan=1e3))
    idle_s = lost_s + gap_s * empty / np.maximum(1.0 - empty, 1e-12)
    shown = phases_of(state.parts, np.maximum(gap_s - step_s, 0.0), peak, d.chip.memory_bytes_per_s, idle_s=idle_s)
    used = {"compute_util": state.flops_per_s / peak, "memory_util": state.bytes_per_s / d.chip.memory_bytes_per_s}
    # What is achieved is the closed form's while somebody is there.
    shown = replace(shown, **{name: np.nan_to_num(value) * (1.0 - empty) for name, value in used.items()})
    watts = np.zeros(len(specs))
    modes = [s.mode for s in specs]
    for mode in dict.fromkeys(modes):
        own = np.array([m == mode for m in modes])
        watts[own] = phase_watts(host.chip, shown.take(own), mode)
    spent = np.stack([getattr(state.parts, name) / d.yields for name in PARTS])
    spent = np.concatenate([spent, (state.tpot_s - spent.sum(axis=0))[None]])
    names = np.array([Layout(s.gpus, s.dp, s.moe_tp, s.stages).name for s in specs])
    none = np.zeros(len(specs))
    precision, mode_names = np.array([s.precision for s in specs]), np.array([s.mode.name for s in specs])
    return Space(
        mapping=names,
        precision=precision,
        engine=np.array([s.engine for s in specs]),
        mode=mode_names,
        prefill_precision=precision,
        prefill_mode=mode_names,
        chips=d.chips,
        prefill_chips=none,
        prefill_each=none,
        prefill_capacity=none,
        decode_each=d.chips,
        concurrency=state.in_flight,
        requests_per_s=state.requests_per_s,
        room=state.max_requests,
        ttft_s=state.ttft_s,
        ttft_p99_s=ttft.middle_s[0],
        ttft_slo_s=ttft.middle_s[0],
        tpot_s=state.tpot_s,
        tpot_slo_s=tpot_p99_s,
        chip_w=watts,
        prefill_load=state.prefill_load,
        kernel_half=d.kernels.half_width,
        drafted=none if d.draft is None else d.draft.tokens,
        part=largest_part(np.nan_to_num(spent), state.parts.compute_share, d.messages.domains),
        spent_s=spent,
    )


def _pooled(space: Space, rungs: int, question: Question, host: Host, catalog: Catalog) -> Points:
    """One point a pair of pools: the largest flow within the SLO sizes them, the flow that comes says how they run."""
    rate, out = question.rate_per_s, float(question.output_tokens)
    quick, smooth = kept(space, question)
    flow = np.where(space.roomy, space.requests_per_s, 0.0).reshape(-1, rungs)
    good = (quick & smooth).reshape(-1, rungs)
    held = np.where(good, flow, 0.0)
    most = held.max(axis=1)
    first = np.arange(len(most)) * rungs
    capacity, prefill_each, decode_each = (
        getattr(space, name)[first] for name in ("prefill_capacity", "prefill_each", "decode_each")
    )
    usable = np.where(most > 0, most, 1.0)
    if question.chips:
        whole = whole_workers(float(question.chips), prefill_each, capacity, decode_each, usable)
        x, y, total = whole.prefill_workers, whole.decode_workers, whole.requests_per_s
        chips = np.full(len(most), float(question.chips))
    else:
        x, y = np.ceil(rate / capacity - 1e-9), np.ceil(rate / usable - 1e-9)
        total = np.minimum(x * capacity, y * usable)
        chips = x * prefill_each + y * decode_each
    # The rung that answers what comes to one decode worker; the most that is held where that is more.
    wanted = rate / np.maximum(y, 1.0)
    rung = np.where(
        most > 0,
        np.minimum(np.argmax(np.where(flow >= wanted[:, None] * (1 - 1e-9), 1, 0), axis=1), rungs - 1),
        0,
    )
    enough = (total >= rate * (1 - 1e-9)) & (y >= 1.0) & (x >= 1.0) & (most > 0)
    rows = first + rung
    taken = space.take(rows)
    loaded = np.maximum(
        rate / np.maximum(x * capacity, 1e-300) * POOL_LOAD, wanted / np.maximum(flow.max(axis=1), 1e-300)
    )
    taken = replace(
        taken,
        prefill_chips=x * prefill_each,
        concurrency=np.where(enough, wanted * (out * taken.tpot_s), taken.concurrency),
        prefill_load=np.minimum(rate / np.maximum(x * capacity, 1e-300) * POOL_LOAD, 1.0),
    )
    return Points(
        space=taken,
        replicas=y,
        prefill_workers=x,
        chips=chips,
        chips_used=x * prefill_each + y * decode_each,
        requests_per_s=np.where(enough, rate, total),
        most_per_s=np.where(most > 0, total, 0.0),
        load=loaded,
        **banded(taken, host, question, catalog),
        held=enough | (most <= 0),
        quick=quick[rows],
        smooth=smooth[rows],
        bound=taken.part.astype(str),
    )

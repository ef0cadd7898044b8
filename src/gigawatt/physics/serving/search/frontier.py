"""What a chip can serve at an SLO: every layout, precision, engine, power mode and concurrency, in one array pass.

A point meets the SLO where its TTFT (99th percentile of the steady state, no start burst) and its TPOT (mean over requests) are
within it. Points are rates of one replica over its chips. What stops a point from carrying one step more is its `bound`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import PowerMode
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.fabric import Fabric, default_fabric
from gigawatt.physics.serving.engine.calibration import BLACKWELL, WEIGHT_BYTES, sigmas
from gigawatt.physics.serving.engine.deployment import FULL, Deployment, Spec, deploy, take, usable_memory_bytes
from gigawatt.physics.serving.engine.layouts import Layout, layouts
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import Floats, ServedModel, served_model
from gigawatt.physics.serving.engine.step import PARTS, decode_step, prefill_flops
from gigawatt.physics.serving.power import Phases, phase_watts, phases_of, prefilling
from gigawatt.physics.serving.steady.aggregated import Load, steady_state
from gigawatt.physics.serving.steady.disaggregated import pool_prefill_seconds, servers
from gigawatt.physics.workload.architecture import Architecture

CONCURRENCY = np.unique(np.round(2.0 ** np.arange(0.0, 12.51, 0.125)))
POOL_LOAD = 0.7  # of a prefill pool's capacity, so that its queue stays short (planners take 0.9 and add a correction)
MAX_POINTS = 12
BOUND_OF_PART = {
    "host": "host",
    "launches": "launch floor",
    "dense": "weights bandwidth",
    "experts": "weights bandwidth",
    "attention": "cache bandwidth",
    "collectives": "scale-up links",
}


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why candidates fell out, how many, and the smallest change that would let one in."""

    reason: str
    count: int
    nearest_fix: str


@dataclass(frozen=True, slots=True)
class Frontier:
    """Operating points that meet the SLO, by rising tokens out; columns of equal length.

    `low` and `high` are 80 % factors on throughput. `candidates` counts what was evaluated.
    """

    mapping: NDArray[np.str_]
    precision: NDArray[np.str_]
    engine: NDArray[np.str_]
    mode: NDArray[np.str_]
    chips_per_replica: Floats
    concurrency: Floats
    tokens_in_per_s_per_chip: Floats
    tokens_out_per_s_per_chip: Floats
    ttft_s: Floats
    tpot_s: Floats
    chip_w: Floats
    bound: NDArray[np.str_]
    low: Floats
    high: Floats
    candidates: int = 0
    rejected: tuple[Rejected, ...] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.chip_w)

    def take(self, rows: NDArray[np.intp]) -> Frontier:
        """The points named, in that order."""
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        return Frontier(**columns, candidates=self.candidates, rejected=self.rejected)

    @property
    def best(self) -> int | None:
        """The point with most tokens out per chip, or None where nothing meets the SLO."""
        return int(np.argmax(self.tokens_out_per_s_per_chip)) if len(self) else None

    def rows(self) -> list[dict[str, Any]]:
        """One mapping a point, plain values."""
        return [{name: getattr(self, name)[i].item() for name in COLUMNS} for i in range(len(self))]


COLUMNS = tuple(f.name for f in fields(Frontier) if f.name not in ("candidates", "rejected"))
TEXT = ("mapping", "precision", "engine", "mode", "bound")
Mask = NDArray[np.bool_]


def frontier(
    arch: Architecture,
    chip: Chip,
    *,
    fabric: Fabric | None = None,
    input_tokens: float,
    output_tokens: float,
    ttft_s: float = np.inf,
    tpot_s: float = np.inf,
    precisions: Sequence[str] = ("fp8",),
    engine: str = "best",
    maturity: float = 1.0,
    modes: Sequence[PowerMode] = (FULL,),
    disaggregate: bool = True,
    speculation: float = 1.0,
    mapping: str = "",
    replica_chips: int = 0,
    max_points: int = MAX_POINTS,
) -> Frontier:
    """The serving frontier of one model on one chip under an SLO, thinned in (watts, tokens out) to `max_points`.

    Replicas stay inside the scale-up domain of `fabric` (the chip's default one where None), where few messages are worth the
    network between domains; `replica_chips` lets them grow to as many chips over several domains, and a `mapping` that is
    named may be of any size. `engine` "best" tries every stack that runs on the chip. Nothing meets the SLO: an empty
    frontier whose `rejected` says why and what would.
    """
    model = served_model(arch)
    options = engines_of(chip) if engine == "best" else (engine,)
    wired = default_fabric(chip) if fabric is None else fabric
    plans = layouts(model, wired.domain, mapping, replica_chips)
    combos = [(p, q, e, m) for p in plans for q in precisions for e in options for m in modes]
    if not combos:
        return _empty((Rejected("no layout", 0, "name one of tp1, tp2, tp8-ep8, dp8-ep8, ..."),))
    specs = [
        Spec(arch, chip, p.gpus, p.dp, p.moe_tp, e, q, maturity=maturity, mode=m, speculation=speculation, fabric=wired)
        for p, q, e, m in combos
    ]
    base = deploy(specs)
    fit = max_requests(base, np.asarray(input_tokens), np.asarray(output_tokens)) >= 1.0
    ladder = CONCURRENCY
    rows = np.repeat(np.flatnonzero(fit), len(ladder))
    if not len(rows):
        return _empty((_does_not_fit(model, chip, wired.domain, precisions, len(specs)),), len(specs))
    load = Load.of(input_tokens, output_tokens, np.tile(ladder, int(fit.sum())))
    made = [_aggregated(take(base, rows), rows, load, chip, combos)]
    if disaggregate:
        made.append(_disaggregated(base, np.flatnonzero(fit), rows, load, chip, combos, ttft_s))
    columns = {name: np.concatenate([part[name] for part in made]) for name in made[0]}
    return _choose(columns, ttft_s, tpot_s, specs, fit, model, chip, wired.domain, max_points)


def engines_of(chip: Chip) -> tuple[str, ...]:
    """Serving stacks that run on a chip: TensorRT-LLM on CUDA only, vLLM and SGLang also elsewhere."""
    return ("trtllm", "vllm", "sglang") if chip.stack == "cuda" else ("vllm", "sglang")


Combo = tuple[Layout, str, str, PowerMode]


def _aggregated(
    d: Deployment, rows: NDArray[np.intp], load: Load, chip: Chip, combos: Sequence[Combo]
) -> dict[str, NDArray[Any]]:
    """The columns of every configuration of `combos` that `rows` names, at its load."""
    state = steady_state(d, load)
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    parts = np.stack([getattr(state.parts, name) for name in PARTS])
    stall = state.tpot_s - state.step_s / d.speculation
    # Over the time of one step, `speculation` tokens long, prompts take their stalls.
    prompt_flops = state.requests_per_s * prefill_flops(d, load.input_tokens) / d.gpus * state.tpot_s * d.speculation
    phases = phases_of(state.parts, stall * d.speculation, peak, d.chip.memory_bytes_per_s, prompt_flops)
    return {
        "mapping": np.array([p.name for p, *_ in combos])[rows],
        **_names(combos, rows),
        "chips_per_replica": d.gpus,
        "concurrency": load.concurrency,
        "requests_per_s_per_chip": state.requests_per_s / d.gpus,
        "room": state.max_requests,
        "ttft_s": state.ttft_p99_s,
        "tpot_s": state.tpot_s,
        "chip_w": _watts(chip, phases, combos, rows),
        "kernel_half": d.kernels.half_width,
        "part": _largest(parts, state.parts.compute_share, stall, d.messages.domains),
        "input_tokens": np.broadcast_to(load.input_tokens, d.gpus.shape),
        "output_tokens": np.broadcast_to(load.output_tokens, d.gpus.shape),
    }


def _disaggregated(
    base: Deployment,
    fitting: NDArray[np.intp],
    rows: NDArray[np.intp],
    load: Load,
    chip: Chip,
    combos: Sequence[Combo],
    ttft_s: float,
) -> dict[str, NDArray[Any]]:
    """Decode pools of every layout, each beside the prefill layout of the same kin that does most prompts per chip."""
    one = pool_prefill_seconds(base, load.input_tokens)
    wait = base.rates["queue_share"] * POOL_LOAD / (2.0 * (1.0 - POOL_LOAD)) * one
    first = (base.rates.api_s + base.rates["token_us"] * 1e-6 * load.input_tokens) / base.maturity
    first = first + base.rates["transfer_s"] + one + wait * np.log(100.0 * POOL_LOAD) / POOL_LOAD
    per_chip = np.where(first <= ttft_s, POOL_LOAD * servers(base) / one / base.gpus, 0.0)
    partner = np.zeros(len(combos), dtype=np.intp)
    for i in fitting:
        kin = [j for j in fitting if combos[j][1:] == combos[i][1:]]
        partner[i] = max(kin, key=lambda j: (per_chip[j], -first[j]))
    d, p = take(base, rows), take(base, partner[rows])
    out, n = load.output_tokens, load.input_tokens
    room = max_requests(d, n, out)
    batch = np.minimum(load.concurrency, room)
    parts = decode_step(d, batch, n + out / 2.0)
    tpot = parts.total / d.speculation
    flow = batch / (out * tpot)
    prefill_chips = flow * pool_prefill_seconds(p, n) / (POOL_LOAD * servers(p)) * p.gpus
    chips = d.gpus + prefill_chips
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    decode_w = _watts(chip, phases_of(parts, 0.0, peak, d.chip.memory_bytes_per_s), combos, rows)
    prefill_util = prefill_flops(p, n) * flow / np.maximum(prefill_chips, 1e-12) / peak
    prefill_w = _watts(chip, prefilling(POOL_LOAD, prefill_util), combos, rows)
    names = [
        f"{combos[int(j)][0].name} prefill + {combo[0].name} decode" for combo, j in zip(combos, partner, strict=True)
    ]
    stacked = np.stack([getattr(parts, name) for name in PARTS])
    return {
        "mapping": np.array(names)[rows],
        **_names(combos, rows),
        "chips_per_replica": chips,
        "concurrency": load.concurrency,
        "requests_per_s_per_chip": flow / chips,
        "room": room,
        "ttft_s": first[partner[rows]],
        "tpot_s": tpot,
        "chip_w": (decode_w * d.gpus + prefill_w * prefill_chips) / chips,
        "kernel_half": d.kernels.half_width,
        "part": _largest(stacked, parts.compute_share, np.zeros_like(tpot), d.messages.domains),
        "input_tokens": np.broadcast_to(n, tpot.shape),
        "output_tokens": np.broadcast_to(out, tpot.shape),
    }


def _names(combos: Sequence[Combo], rows: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    return {
        "precision": np.array([q for _, q, _, _ in combos])[rows],
        "engine": np.array([e for _, _, e, _ in combos])[rows],
        "mode": np.array([m.name for *_, m in combos])[rows],
    }


def _watts(chip: Chip, phases: Phases, combos: Sequence[Combo], rows: NDArray[np.intp]) -> Floats:
    """Chip watts, mode by mode (phases are those of the mode)."""
    modes = {m.name: m for *_, m in combos}
    number = np.array([list(modes).index(m.name) for *_, m in combos])[rows]
    out = np.zeros(len(rows))
    for i, mode in enumerate(modes.values()):
        own = number == i
        out[own] = phase_watts(chip, phases.take(own), mode)
    return out


def _largest(parts: Floats, compute_bound: Floats, stall: Floats, domains: Floats) -> NDArray[Any]:
    """Name of what the decode step spends most of its time on; messages of several domains wait for the network."""
    table = np.vstack([parts, stall[None]])
    names = np.array([*(BOUND_OF_PART[name] for name in PARTS), "prefill compute"])
    found = names[np.argmax(table, axis=0)]
    found = np.where((found == BOUND_OF_PART["collectives"]) & (domains > 1), "scale-out network", found)
    return np.where((found == "weights bandwidth") & (compute_bound > 0.5), "compute", found)


def _choose(
    columns: dict[str, NDArray[Any]],
    ttft_s: float,
    tpot_s: float,
    specs: Sequence[Spec],
    fit: Mask,
    model: ServedModel,
    chip: Chip,
    domain: int,
    max_points: int,
) -> Frontier:
    roomy = columns["concurrency"] <= np.maximum(columns["room"], 1.0)
    quick, smooth = columns["ttft_s"] <= ttft_s, columns["tpot_s"] <= tpot_s
    good = roomy & quick & smooth
    rejected = _rejections(columns, roomy, quick, smooth)
    if not fit.all():
        rejected.insert(0, _does_not_fit(model, chip, domain, sorted({s.precision for s in specs}), int((~fit).sum())))
    total = len(columns["tpot_s"]) + int((~fit).sum())
    if not good.any():
        return _empty(tuple(rejected), total)
    bound = _bounds(columns, good, roomy, quick, smooth)
    rows = np.flatnonzero(good)
    out = columns["requests_per_s_per_chip"] * columns["output_tokens"]
    kept = thin(columns["chip_w"][rows], out[rows], max_points)
    rows = rows[kept]
    half = throughput_half_width(chip, columns["mapping"][rows], columns["kernel_half"][rows])
    return Frontier(
        **{name: columns[name][rows] for name in ("mapping", "precision", "engine", "mode")},
        chips_per_replica=columns["chips_per_replica"][rows],
        concurrency=columns["concurrency"][rows],
        tokens_in_per_s_per_chip=columns["requests_per_s_per_chip"][rows] * columns["input_tokens"][rows],
        tokens_out_per_s_per_chip=out[rows],
        ttft_s=columns["ttft_s"][rows],
        tpot_s=columns["tpot_s"][rows],
        chip_w=columns["chip_w"][rows],
        bound=bound[rows],
        low=np.exp(-half),
        high=np.exp(half),
        candidates=total,
        rejected=tuple(rejected),
    )


def throughput_half_width(chip: Chip, mapping: NDArray[np.str_], kernel_half: Floats) -> Floats:
    """80 % half-widths of the logarithm of throughput, by mapping: pools are known less well than one kind of replica.

    On chips of generations that no serving point was seen of (kin), the floor's own band joins that of serving, and the
    wider band of kin is the least.
    """
    groups = sigmas()
    seen = chip.generation == "hopper" or (chip.generation in BLACKWELL and chip.generation != "rubin")
    half = np.full(len(mapping), groups["throughput_fitted"])
    if not seen or chip.stack != "cuda":
        half = np.maximum(groups["throughput_kin"], np.hypot(half, kernel_half))
    pooled = np.char.find(mapping, "prefill") >= 0
    return np.where(pooled, np.maximum(half, groups["disagg.tpot_ms"]), half)


def _bounds(columns: dict[str, NDArray[Any]], good: Mask, roomy: Mask, quick: Mask, smooth: Mask) -> NDArray[Any]:
    """What the next rung of the concurrency ladder breaks, and what the step is spent on."""
    rung = len(CONCURRENCY)

    def following(mask: Mask) -> Mask:
        grid = mask.reshape(-1, rung)
        return np.concatenate([grid[:, 1:], grid[:, -1:]], axis=1).ravel()

    stop = np.full(len(good), "", dtype="U16")
    stop[~following(quick)] = "TTFT SLO"
    stop[~following(smooth)] = "TPOT SLO"
    stop[~following(roomy)] = "KV memory"
    joined = np.char.add(np.char.add(stop, np.where(stop == "", "", ", ")), columns["part"].astype(str))
    return np.asarray(joined)


def thin(watts: Floats, tokens: Floats, count: int) -> NDArray[np.intp]:
    """Pareto points (more tokens, fewer watts), at most `count`, both ends kept, by rising tokens."""
    order = np.lexsort((-tokens, watts))
    best = np.maximum.accumulate(tokens[order])
    first = np.concatenate([[True], tokens[order][1:] > best[:-1] * (1.0 + 1e-9)])
    kept = order[first]
    if len(kept) <= count:
        return np.asarray(kept)
    # Even in tokens: few points tell the curve, and the ends (fewest watts, most tokens) stay.
    steps = np.linspace(tokens[kept[0]], tokens[kept[-1]], count)
    chosen = np.unique([int(np.argmin(np.abs(tokens[kept] - step))) for step in steps])
    return np.asarray(kept[chosen])


def _rejections(columns: dict[str, NDArray[Any]], roomy: Mask, quick: Mask, smooth: Mask) -> list[Rejected]:
    found = []
    if not roomy.all():
        most = int(np.argmax(columns["room"]))
        fix = f"at most {columns['room'][most]:,.0f} requests at once fit, with {columns['mapping'][most]}"
        found.append(Rejected("more requests than the cache holds", int((~roomy).sum()), fix))
    if (roomy & ~smooth).any():
        floor = columns["tpot_s"][roomy].min()
        fix = f"the lowest TPOT of any candidate is {floor * 1e3:.3g} ms"
        found.append(Rejected("TPOT above the SLO", int((roomy & ~smooth).sum()), fix))
    if (roomy & smooth & ~quick).any() or not quick.any():
        floor = columns["ttft_s"][roomy].min()
        fix = f"the lowest TTFT (p99) of any candidate is {floor * 1e3:.4g} ms"
        found.append(Rejected("TTFT above the SLO", int((roomy & ~quick).sum()), fix))
    return found


def _does_not_fit(model: ServedModel, chip: Chip, domain: int, precisions: Sequence[str], count: int) -> Rejected:
    narrow = min(precisions, key=WEIGHT_BYTES.__getitem__)
    weights = float(model.weights) * WEIGHT_BYTES[narrow]
    room = 0.8 * usable_memory_bytes(chip)
    needed = int(np.ceil(weights / room))
    short = weights - room * domain
    text = (
        f"{weights / 1e9:,.0f} GB of {narrow} weights need at least {needed} chips of {chip.memory_bytes / 1e9:.0f} GB"
    )
    if short > 0:
        text += f"; a scale-up domain of {domain} is {short / 1e9:,.0f} GB short"
    return Rejected("the model does not fit", count, text)


def _empty(rejected: tuple[Rejected, ...], candidates: int = 0) -> Frontier:
    columns: dict[str, Any] = {name: np.array([], dtype=np.str_) if name in TEXT else np.zeros(0) for name in COLUMNS}
    return Frontier(**columns, candidates=candidates, rejected=rejected)

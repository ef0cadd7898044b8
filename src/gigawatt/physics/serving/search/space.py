"""Every layout, precision, engine, power mode and concurrency of one model on one chip, in one array pass.

Rows stand in runs of one ladder of concurrencies, which is the same for all. Rates are those of one replica; of pools, of one
decode worker beside as much of a prefill pool as it needs, in fractions of a chip (`whole` makes whole workers of them).

    aggregated      the closed loop of `steady.aggregated`
    disaggregated   decode pools of every layout, each beside the prefill layout of the same kin (precision, engine, mode)
                    that does most prompts per chip within the TTFT asked for; prefill pools run at `POOL_LOAD`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import PowerMode, chip_watts
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.fabric import Fabric, default_fabric
from gigawatt.physics.serving.engine.deployment import FULL, Deployment, Spec, deploy, take
from gigawatt.physics.serving.engine.layouts import Layout, layouts
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import Floats, ServedModel, served_model
from gigawatt.physics.serving.engine.step import PARTS, decode_step, prefill_flops
from gigawatt.physics.serving.steady.aggregated import Load, steady_state
from gigawatt.physics.serving.steady.disaggregated import pool_prefill_seconds, servers
from gigawatt.physics.workload.architecture import Architecture

CONCURRENCY = np.unique(np.round(2.0 ** np.arange(0.0, 12.51, 0.125)))
POOL_LOAD = 0.7  # of a prefill pool's capacity, so that its queue stays short (planners take 0.9 and add a correction)
SPENT = (*PARTS, "stall")  # what the time between two tokens is spent on; the stall is of prompts among the decoders
BOUND_OF = {
    "host": "host",
    "launches": "launch floor",
    "dense": "weights bandwidth",
    "experts": "weights bandwidth",
    "attention": "cache bandwidth",
    "collectives": "scale-up links",
    "drafting": "drafting",
    "stall": "prefill compute",
}

Mask = NDArray[np.bool_]
Combo = tuple[Layout, str, str, PowerMode]


@dataclass(frozen=True, slots=True)
class Space:
    """Columns of equal length, a row for each configuration and concurrency.

    `chips` are those of a replica, of which `prefill_chips` prefill alone (0: aggregated); `prefill_each` are the chips of
    one prefill worker and `prefill_capacity` the requests/s it takes, `decode_each` the chips of a decode worker (the whole
    replica where aggregated). `room` is how many requests the cache holds at once, `spent_s` (parts of SPENT, rows) what the
    mean time between two tokens goes to, `part` the largest of it. Times in s, `chip_w` the mean watts of a chip.
    """

    mapping: NDArray[np.str_]
    precision: NDArray[np.str_]
    engine: NDArray[np.str_]
    mode: NDArray[np.str_]
    chips: Floats
    prefill_chips: Floats
    prefill_each: Floats
    prefill_capacity: Floats
    decode_each: Floats
    concurrency: Floats
    requests_per_s: Floats
    room: Floats
    ttft_s: Floats
    ttft_p99_s: Floats
    tpot_s: Floats
    chip_w: Floats
    prefill_load: Floats
    kernel_half: Floats
    part: NDArray[np.str_]
    spent_s: Floats

    def __len__(self) -> int:
        return len(self.tpot_s)

    @property
    def pooled(self) -> Mask:
        """Prefill and decode on chips of their own."""
        return self.prefill_chips > 0

    @property
    def requests_per_s_per_chip(self) -> Floats:
        """Requests answered per second and chip."""
        return self.requests_per_s / self.chips

    @property
    def roomy(self) -> Mask:
        """All of the concurrency is in the cache at once."""
        return self.concurrency <= np.maximum(self.room, 1.0)

    def take(self, rows: NDArray[np.intp]) -> Space:
        """The rows named, in that order."""
        return Space(**{f.name: getattr(self, f.name)[..., rows] for f in fields(Space)})


@dataclass(frozen=True, slots=True)
class Searched:
    """A space with what it was made of: `specs` one a configuration, `fits` where its weights leave room for a request."""

    space: Space
    specs: tuple[Spec, ...]
    fits: Mask
    model: ServedModel
    ladder: Floats

    @property
    def candidates(self) -> int:
        """What was looked at: every row, and every configuration that does not fit."""
        return len(self.space) + int((~self.fits).sum())


def engines_of(chip: Chip) -> tuple[str, ...]:
    """Serving stacks that run on a chip: TensorRT-LLM on CUDA only, vLLM and SGLang also elsewhere."""
    return ("trtllm", "vllm", "sglang") if chip.stack == "cuda" else ("vllm", "sglang")


def search(
    arch: Architecture,
    chip: Chip,
    *,
    fabric: Fabric | None = None,
    input_tokens: float,
    output_tokens: float,
    ttft_s: float = np.inf,
    precisions: Sequence[str] = ("fp8",),
    engines: Sequence[str] = (),
    maturity: float = 1.0,
    release: str = "",
    modes: Sequence[PowerMode] = (FULL,),
    aggregate: bool = True,
    disaggregate: bool = True,
    speculation: float = 1.0,
    mappings: Sequence[str] = (),
    replica_chips: int = 0,
    most_chips: int = 0,
    ladder: Floats = CONCURRENCY,
) -> Searched:
    """Evaluate everything; nothing is left out for an SLO.

    Args:
        fabric: the network; the chip's default one where None.
        ttft_s: what a prefill layout must meet to stand beside decoders (p99).
        engines: every stack that runs on the chip where empty.
        release: of the engine, or a date of the software; the newest that constants were fitted to where none is named.
        mappings: layouts by name, however wide; all within a scale-up domain, or within `replica_chips`, where empty.
        most_chips: no replica and no worker is wider (0: no limit).
        ladder: concurrencies of a replica, rising.
    """
    model = served_model(arch)
    wired = default_fabric(chip) if fabric is None else fabric
    plans = [p for only in mappings or ("",) for p in layouts(model, wired.domain, only, replica_chips)]
    plans = [p for p in dict.fromkeys(plans) if not most_chips or p.gpus <= most_chips]
    combos = [(p, q, e, m) for p in plans for q in precisions for e in engines or engines_of(chip) for m in modes]
    specs = tuple(
        Spec(
            arch, chip, p.gpus, p.dp, p.moe_tp, e, q,
            release=release, maturity=maturity, mode=m, speculation=speculation, fabric=wired,
        )
        for p, q, e, m in combos
    )  # fmt: skip
    if not specs:
        return Searched(_nothing(), specs, np.zeros(0, dtype=bool), model, ladder)
    base = deploy(specs)
    fits = max_requests(base, np.asarray(input_tokens), np.asarray(output_tokens)) >= 1.0
    rows = np.repeat(np.flatnonzero(fits), len(ladder))
    made = []
    if len(rows):
        load = Load.of(input_tokens, output_tokens, np.tile(ladder, int(fits.sum())))
        if aggregate:
            made.append(_aggregated(take(base, rows), rows, load, chip, combos))
        if disaggregate:
            made.append(_disaggregated(base, np.flatnonzero(fits), rows, load, chip, combos, ttft_s))
    if not made:
        return Searched(_nothing(), specs, fits, model, ladder)
    columns = {name: np.concatenate([part[name] for part in made], axis=-1) for name in made[0]}
    return Searched(Space(**columns), specs, fits, model, ladder)


def _aggregated(
    d: Deployment, rows: NDArray[np.intp], load: Load, chip: Chip, combos: Sequence[Combo]
) -> dict[str, NDArray[Any]]:
    """The columns of every configuration of `combos` that `rows` names, at its load."""
    state = steady_state(d, load)
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    busy = 1.0 - state.parts.host / np.maximum(state.parts.total, 1e-12)
    stall = state.tpot_s - state.step_s / d.yields
    spent = np.stack([*(getattr(state.parts, name) / d.yields for name in PARTS), stall])
    none = np.zeros_like(d.gpus)
    return {
        "mapping": np.array([p.name for p, *_ in combos])[rows],
        **_names(combos, rows),
        "chips": d.chips,
        "prefill_chips": none,
        "prefill_each": none,
        "prefill_capacity": none,
        "decode_each": d.chips,
        "concurrency": load.concurrency,
        "requests_per_s": state.requests_per_s,
        "room": state.max_requests,
        "ttft_s": state.ttft_s,
        "ttft_p99_s": state.ttft_p99_s,
        "tpot_s": state.tpot_s,
        "chip_w": _watts(d, chip, state.flops_per_s / peak, state.bytes_per_s, busy, combos, rows),
        "prefill_load": state.prefill_load,
        "kernel_half": d.kernels.half_width,
        "part": _largest(spent, state.parts.compute_share, d.messages.domains),
        "spent_s": spent,
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
    mean = (base.rates.api_s + base.rates["token_us"] * 1e-6 * load.input_tokens) / base.maturity
    mean = mean + base.rates["transfer_s"] + one
    first = mean + wait * np.log(100.0 * POOL_LOAD) / POOL_LOAD
    capacity = POOL_LOAD * servers(base) / one
    per_chip = np.where(first <= ttft_s, capacity / base.gpus, 0.0)
    partner = np.zeros(len(combos), dtype=np.intp)
    for i in fitting:
        kin = [j for j in fitting if combos[j][1:] == combos[i][1:]]
        partner[i] = max(kin, key=lambda j: (per_chip[j], -first[j]))
    beside = partner[rows]
    d, p = take(base, rows), take(base, beside)
    out, n = load.output_tokens, load.input_tokens
    room = max_requests(d, n, out)
    batch = np.minimum(load.concurrency, room)
    parts = decode_step(d, batch, n + out / 2.0)
    tpot = parts.total / d.yields
    flow = batch / (out * tpot)
    prefill_chips = flow / capacity[beside] * p.gpus
    chips = d.gpus + prefill_chips
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    busy = 1.0 - parts.host / np.maximum(parts.total, 1e-12)
    decode_w = _watts(d, chip, parts.flops / tpot / peak, parts.bytes_moved / tpot, busy, combos, rows)
    prefill_util = prefill_flops(p, n) * flow / np.maximum(prefill_chips, 1e-12) / peak
    prefill_bytes = 0.3 * p.chip.memory_bytes_per_s
    prefill_w = _watts(p, chip, prefill_util, prefill_bytes, np.full_like(busy, POOL_LOAD), combos, rows)
    names = [
        f"{combos[int(j)][0].name} prefill + {combo[0].name} decode" for combo, j in zip(combos, partner, strict=True)
    ]
    spent = np.stack([*(getattr(parts, name) / d.yields for name in PARTS), np.zeros_like(tpot)])
    return {
        "mapping": np.array(names)[rows],
        **_names(combos, rows),
        "chips": chips,
        "prefill_chips": prefill_chips,
        "prefill_each": p.gpus,
        "prefill_capacity": capacity[beside],
        "decode_each": d.gpus,
        "concurrency": load.concurrency,
        "requests_per_s": flow,
        "room": room,
        "ttft_s": (mean + wait)[beside],
        "ttft_p99_s": first[beside],
        "tpot_s": tpot,
        "chip_w": (decode_w * d.gpus + prefill_w * prefill_chips) / chips,
        "prefill_load": np.full_like(tpot, POOL_LOAD),
        "kernel_half": d.kernels.half_width,
        "part": _largest(spent, parts.compute_share, d.messages.domains),
        "spent_s": spent,
    }


def _names(combos: Sequence[Combo], rows: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    return {
        "precision": np.array([q for _, q, _, _ in combos])[rows],
        "engine": np.array([e for _, _, e, _ in combos])[rows],
        "mode": np.array([m.name for *_, m in combos])[rows],
    }


def _watts(
    d: Deployment,
    chip: Chip,
    compute: Floats,
    bytes_per_s: Floats,
    busy: Floats,
    combos: Sequence[Combo],
    rows: NDArray[np.intp],
) -> Floats:
    """Chip watts, mode by mode (utilisation is what is reached in the mode)."""
    memory = bytes_per_s / d.chip.memory_bytes_per_s
    modes = {m.name: m for *_, m in combos}
    number = np.array([list(modes).index(m.name) for *_, m in combos])[rows]
    out = np.zeros(len(rows))
    for i, mode in enumerate(modes.values()):
        own = number == i
        out[own] = chip_watts(chip, compute[own], memory[own], busy[own], mode)
    return out


def _largest(spent: Floats, compute_bound: Floats, domains: Floats) -> NDArray[Any]:
    """Name of what the time between tokens mostly goes to; messages of several domains wait for the network."""
    names = np.array([BOUND_OF[name] for name in SPENT])
    found = names[np.argmax(spent, axis=0)]
    found = np.where((found == BOUND_OF["collectives"]) & (domains > 1), "scale-out network", found)
    return np.where((found == "weights bandwidth") & (compute_bound > 0.5), "compute", found)


def _nothing() -> Space:
    text = ("mapping", "precision", "engine", "mode", "part")
    columns: dict[str, Any] = {
        f.name: np.array([], dtype=np.str_) if f.name in text else np.zeros(0) for f in fields(Space)
    }
    return Space(**columns | {"spent_s": np.zeros((len(SPENT), 0))})

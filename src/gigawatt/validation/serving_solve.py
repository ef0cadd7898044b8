"""Answers to published cases: one array pass for each software stack.

A stack scales the constants of the steady-state calibration (`serving-stacks`): launches, host time, kernels.
They belong to software on a kind of chip, never to a row or a source. What its clients see of a batch: `serving_batch`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import PowerMode
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.serving import Load, SteadyState, deploy, frontier, steady_state
from gigawatt.physics.serving.engine.calibration import calibration
from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.step import decode_step, prefill_compute
from gigawatt.physics.serving.power import Phases, phases_of
from gigawatt.validation.serving_batch import Server, client_gaps, server_of
from gigawatt.validation.serving_launches import PROTOCOL
from gigawatt.validation.serving_models import architecture_of, catalog, chip_of
from gigawatt.validation.serving_published import Case

STACKS = "serving-stacks"
SCALES: Mapping[str, tuple[str, ...]] = {
    "launches": ("launch_share",),
    "host": ("host_ms.trtllm", "host_ms.vllm", "host_ms.sglang"),
    "request": ("host_per_request_us.trtllm", "host_per_request_us.vllm", "host_per_request_us.sglang"),
    "eager": ("eager_kernel_us.trtllm", "eager_kernel_us.vllm", "eager_kernel_us.sglang"),
    "decode": ("decode_slowdown.trtllm", "decode_slowdown.vllm", "decode_slowdown.sglang"),
    "attention": ("attention_slowdown",),
    "prefill": ("prefill_slowdown.trtllm", "prefill_slowdown.vllm", "prefill_slowdown.sglang"),
    "reduce": ("custom_all_reduce",),
    "exchange": ("custom_exchange",),
    "skew": ("expert_skew",),
}
# Families whose FP8 checkpoints scale weights by blocks of 128 x 128 (`weight_block_size` in their configurations); Llama's
# scale by channel.
BLOCK_SCALED = ("qwen", "deepseek")
FEW_EXPERTS = 16
# Nodes on which servers of one chip are taken to have run eight at a time (inferred from their gaps and watts), each with up
# to eight API processes (`api-server-count: 8` in ml-energy/benchmark, configs/vllm, B200).
SHARED_HOST = "b200-sxm"


@dataclass(frozen=True, slots=True)
class Solved:
    """Times (s) and output rate (tokens/s, a replica) of one case, and the phases of its mean step."""

    step_s: float
    tpot_s: float
    itl_p50_s: float
    itl_p99_s: float
    ttft_s: float
    ttft_p99_s: float
    prefill_s: float
    tokens_per_s: float
    phases: Phases


@lru_cache(maxsize=1)
def stack_tables() -> Mapping[str, Mapping[str, Any]]:
    """stack -> scale -> factor."""
    record = catalog().get("calibration", STACKS)
    return {name: dict(row) for name, row in record.tables["stacks"].items()}


def scaled(values: Mapping[str, float], factors: Mapping[str, float]) -> dict[str, float]:
    """The steady-state constants as a stack has them."""
    out = dict(values)
    for scale, names in SCALES.items():
        for name in names:
            out[name] *= float(factors.get(scale, 1.0))
    return out


def factors_of(stack: str) -> Mapping[str, float]:
    """Factors of a stack; 1 where it has none."""
    return stack_tables().get(stack, {})


def solve(cases: Sequence[Case], factors: Mapping[str, float] | None = None) -> list[Solved]:
    """Times and rates of cases of one stack that have a layout; of a case with several, those of the fastest."""
    tried = [(i, replace(c, spec=spec)) for i, c in enumerate(cases) for spec in (c.spec, *c.others)]
    best: dict[int, Solved] = {}
    for (i, _), solved in zip(tried, _solved([c for _, c in tried], factors), strict=True):
        if i not in best or solved.tokens_per_s > best[i].tokens_per_s:
            best[i] = solved
    return [best[i] for i in range(len(cases))]


def _solved(cases: Sequence[Case], factors: Mapping[str, float] | None) -> list[Solved]:
    """The same for cases of one layout each."""
    if not cases:
        return []
    given = factors_of(cases[0].stack) if factors is None else factors
    d = deploy([c.spec for c in cases if c.spec is not None], scaled(calibration(), given))
    n = np.array([c.input_tokens * given.get(f"input.{c.task}", 1.0) for c in cases])
    out = np.array([c.output_tokens for c in cases])
    asked = np.array([c.batch for c in cases])
    kind = np.array([c.kind for c in cases])
    loop = (kind == "closed") | (kind == "full")
    d = _slower_experts(d, np.where(loop, _experts(cases, given), 1.0))
    room = np.maximum(max_requests(d, n, out), 1.0)
    users = np.where(kind == "full", np.minimum(room, given.get("admitted", 2048.0) * d.dp), asked)
    state = steady_state(d, Load.of(n, out, np.maximum(users, 1.0), burst=(kind == "closed") * PROTOCOL.burst))
    batch = np.where(loop, state.decoding, np.maximum(asked, 1e-3))
    gaps = client_gaps(d, batch, n, out, _server(cases, given, asked / d.dp))
    step = decode_step(d, batch, n + out / 2.0)
    # A batch that starts and ends together.
    launches = d.kernels.calls * d.rates.eager_kernel_s
    together = np.maximum(asked, 1.0)
    whole = np.hypot(together * prefill_compute(d, n, together), launches)
    run = whole + np.maximum(out - 1.0, 1.0) * step.total
    static = kind == "static"
    rate = np.where(loop, state.requests_per_s * out, np.where(static, together * out / run, batch / gaps.mean_s))
    columns: dict[str, Floats] = {
        "step_s": step.total,
        "tpot_s": np.where(loop, state.tpot_s, np.where(static, step.total, gaps.mean_s)),
        "itl_p50_s": gaps.p50_s,
        "itl_p99_s": gaps.p99_s,
        "ttft_s": np.where(kind == "closed", state.ttft_s, whole),
        "ttft_p99_s": state.ttft_p99_s,
        "prefill_s": whole,
        "tokens_per_s": rate,
    }
    phases = _phases(d, gaps.phases, state, loop)
    return [
        Solved(**{name: float(column[i]) for name, column in columns.items()}, phases=phases.take(np.array([i])))
        for i in range(len(cases))
    ]


def _experts(cases: Sequence[Case], given: Mapping[str, float]) -> Floats:
    """Factors on the expert kernels of rows, by how their weights are stored and the generation of the chip."""
    return np.array([given.get(f"experts.{_kernels(c)}.{c.chip.generation}", 1.0) for c in cases])


def _slower_experts(d: Deployment, factor: Floats) -> Deployment:
    """The deployment with its expert kernels slower by a factor, rows of one table alike."""
    if not np.any(factor != 1.0):
        return d
    by_table = np.zeros(len(d.kernels.experts))
    by_table[d.kernels.row] = np.log2(factor)
    return replace(d, kernels=replace(d.kernels, experts=d.kernels.experts + by_table[:, None]))


def _server(cases: Sequence[Case], given: Mapping[str, float], rank: Floats) -> Server:
    """What the stack's software and hosts add to the rows."""
    experts = _experts(cases, given)
    # The steady state's constants hold for many experts, of which a part carries the load; of few, all work.
    few = np.array([0.0 < float(c.spec.model.experts) <= FEW_EXPERTS if c.spec else False for c in cases])
    experts = np.where(few, experts / calibration()["loaded_share"], experts)
    prompt = (
        np.array([given.get("prompt_us", 0.0) * 1e-3 + given.get(f"prompt_ms.{c.task}", 0.0) for c in cases]) * 1e-3
    )
    # Gaps of servers on one chip fit a host shared with seven others of their kind (inferred: the source does not say so).
    share = np.array([given.get(f"shared.{c.task}", 0.0) * (c.gpus == 1 and c.chip.name == SHARED_HOST) for c in cases])
    onset = np.array([given.get(f"shared_from.{c.task}", 0.0) for c in cases])
    crowded = 1.0 / (1.0 + (onset / np.maximum(rank, 1.0)) ** 4)
    contended = (
        share * crowded * (given.get("shared_ms", 0.0) * 1e-3 + given.get("shared_request_us", 0.0) * 1e-6 * rank)
    )
    # Attention in chunks: the host cuts every sequence into its local pieces at each step, and builds their tables.
    chunked = np.array([any(g.mixer.chunked for g in c.spec.arch.groups) if c.spec else False for c in cases])
    host = chunked * (given.get("chunked_ms", 0.0) * 1e-3 + given.get("chunked_request_us", 0.0) * 1e-6 * rank)
    return server_of(given, experts, host, contended, prompt)


def _kernels(case: Case) -> str:
    """Which expert kernels a checkpoint takes: those of fp8 with block scales are others than those with a scale a channel."""
    precision = case.spec.precision if case.spec else "bf16"
    scaled_by_block = case.named.model_id.startswith(BLOCK_SCALED)
    return "block" if precision == "fp8" and scaled_by_block else precision


def _phases(d: Deployment, batched: Phases, state: SteadyState, loop: NDArray[np.bool_]) -> Phases:
    """Phases of a mean step: of a closed loop where there is one, else of the batch."""
    prompts = state.tpot_s - state.parts.total
    rates = (state.flops_per_s, state.bytes_per_s)
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    closed = phases_of(state.parts, prompts, peak, d.chip.memory_bytes_per_s)
    closed = replace(closed, compute_util=rates[0] / peak, memory_util=rates[1] / d.chip.memory_bytes_per_s)
    return Phases(*(np.where(loop, getattr(closed, f.name), getattr(batched, f.name)) for f in fields(Phases)))


@dataclass(frozen=True, slots=True)
class Operating:
    """Output tokens/s and watts of a chip at one operating point."""

    tokens_per_s: float
    chip_w: float


@lru_cache(maxsize=4096)
def mlperf_point(
    model: str,
    gpu: str,
    precision: str,
    chips: float,
    n: float,
    out: float,
    ttft_s: float,
    tpot_s: float,
    mode: PowerMode = FULL,
) -> Operating | None:
    """The best point within an MLPerf scenario's limits, which give way where nothing meets them; None where nothing fits."""
    arch, chip = architecture_of(model).arch, chip_of(gpu)[0]
    domain = max(int(min(chips, max(chip.scaleup_domain, 8))), 1)
    chip = replace(chip, scaleup_domain=2 ** int(np.log2(domain)))
    for slack in (1.0, 2.0, 4.0, 1e9):
        found = frontier(
            arch,
            chip,
            input_tokens=n,
            output_tokens=out,
            ttft_s=ttft_s * slack,
            tpot_s=tpot_s * slack,
            precisions=(precision,),
            engine="trtllm" if chip.stack == "cuda" else "vllm",
            modes=(mode,),
            disaggregate=False,
        )
        if found.best is not None:
            return Operating(float(found.tokens_out_per_s_per_chip[found.best]), float(found.chip_w[found.best]))
    return None

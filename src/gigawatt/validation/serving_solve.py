"""Answers to published cases: one array pass for each software stack.

A stack scales the constants of the steady-state calibration (`serving-stacks`): launches, host time, kernels.
They belong to software on a kind of chip, never to a row or a source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.physics.serving import Load, deploy, frontier, steady_state
from gigawatt.physics.serving.engine.calibration import calibration
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.step import decode_step, prefill_compute, prefill_flops
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
    "reduce": ("custom_all_reduce", "custom_exchange"),
}


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


def solve(cases: Sequence[Case], factors: Mapping[str, float] | None = None) -> list[dict[str, float]]:
    """Times and rates of cases of one stack that have a layout: keys step, tpot, itl_p50, itl_p99, ttft, prefill, rate."""
    if not cases:
        return []
    given = factors_of(cases[0].stack) if factors is None else factors
    d = deploy([c.spec for c in cases if c.spec is not None], scaled(calibration(), given))
    n = np.array([c.input_tokens * given.get(f"input.{c.task}", 1.0) for c in cases])
    out = np.array([c.output_tokens for c in cases])
    asked = np.array([c.batch for c in cases])
    kind = np.array([c.kind for c in cases])
    room = np.maximum(max_requests(d, n, out), 1.0)
    users = np.where(kind == "full", np.minimum(room, given.get("admitted", 2048.0) * d.dp), asked)
    state = steady_state(d, Load.of(n, out, np.maximum(users, 1.0), burst=(kind == "closed") * PROTOCOL.burst))
    batch = np.where((kind == "closed") | (kind == "full"), state.decoding, asked)
    step = decode_step(d, batch, n + out / 2.0)
    launches = d.kernels.calls * d.rates.eager_kernel_s
    vision = np.array([given.get(f"prompt_ms.{c.task}", 0.0) for c in cases]) * 1e-3
    alone = prefill_compute(d, n)
    # Prompts that enter in one step, and what they add to it: the launches of a step are paid once, beyond the decode's own.
    entering = batch / out / state.side_by_side
    added = entering * (alone + vision) + np.minimum(entering, 1.0) * launches * given.get("mixed_launch", 0.3)
    mean = step.total + added
    # Half of the steps see this many prompts or fewer (Poisson), one in a hundred more than that.
    median = step.total + _poisson_median(entering) / np.maximum(entering, 1e-9) * added
    tail = _poisson_tail(entering)
    worst = step.total + tail * (alone + vision) * given.get("tail", 1.0) + np.minimum(tail, 1.0) * launches
    together = np.maximum(asked, 1.0)
    whole = np.hypot(together * prefill_compute(d, n, together), launches)
    static = np.maximum(asked, 1.0) * out / (whole + np.maximum(out - 1.0, 1.0) * step.total)
    closed = (kind == "closed") | (kind == "full")
    rate = np.where(closed, state.requests_per_s * out, np.where(kind == "static", static, batch / mean))
    tpot = np.where(closed, state.tpot_s, np.where(kind == "static", step.total, mean))
    # While a prompt's images are encoded and queued by the host, the chips wait.
    busy = 1.0 - (step.host + entering * vision) / np.maximum(mean, 1e-12)
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    flops = step.flops + entering * state.side_by_side * prefill_flops(d, n) / d.gpus
    keys = (
        "step",
        "mean",
        "tpot",
        "itl_p50",
        "itl_p99",
        "ttft",
        "ttft_p99",
        "prefill",
        "rate",
        "busy",
        "compute",
        "memory",
        "room",
    )
    columns: tuple[Floats, ...] = (
        step.total,
        mean,
        tpot,
        median,
        worst,
        np.where(kind == "closed", state.ttft_s, whole),
        state.ttft_p99_s,
        whole,
        rate,
        busy,
        flops / mean / peak,
        step.bytes_moved / mean / d.chip.memory_bytes_per_s,
        room,
    )
    return [dict(zip(keys, (float(c[i]) for c in columns), strict=True)) for i in range(len(cases))]


def _poisson_median(mean: Floats) -> Floats:
    """Median of a Poisson count, smoothed: 0 below ln 2, mean - 1/3 well above."""
    return np.maximum(mean - 0.35, 0.0) * (1.0 - np.exp(-((mean / 0.75) ** 6)))


def _poisson_tail(mean: Floats) -> Floats:
    """The 99th percentile of a Poisson count, smoothed; none where fewer than one step in a hundred sees a prompt."""
    return np.where(mean > 0.012, mean + 2.33 * np.sqrt(mean) + 0.6, 0.0)


@lru_cache(maxsize=4096)
def mlperf_rate(key: tuple[str, str, str, float, float, float, float, float]) -> tuple[float, float, float]:
    """(output tokens/s, TTFT, TPOT) per chip of the best point within an MLPerf scenario's limits; zeros where none is."""
    model, gpu, precision, chips, n, out, ttft_s, tpot_s = key
    arch, chip = architecture_of(model).arch, chip_of(gpu)[0]
    domain = max(int(min(chips, max(chip.scaleup_domain, 8))), 1)
    chip = replace(chip, scaleup_domain=2 ** int(np.log2(domain)))
    engine = "trtllm" if chip.stack == "cuda" else "vllm"
    for slack in (1.0, 2.0, 4.0, 1e9):
        found = frontier(
            arch,
            chip,
            input_tokens=n,
            output_tokens=out,
            ttft_s=ttft_s * slack,
            tpot_s=tpot_s * slack,
            precisions=(precision,),
            engine=engine,
            disaggregate=False,
        )
        if found.best is not None:
            i = found.best
            return float(found.tokens_out_per_s_per_chip[i]), float(found.ttft_s[i]), float(found.tpot_s[i])
    return 0.0, 0.0, 0.0

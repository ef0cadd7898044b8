"""From solved cases to the metrics that published tables state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.physics.chip import PowerMode
from gigawatt.physics.chip.maturity import calibrated_release, launched, maturity
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.serving import served_model
from gigawatt.physics.serving.engine.kernel_sums import ChipKey
from gigawatt.physics.serving.services.diffusion import (
    DiffusionRates,
    DiffusionShape,
    batch_seconds,
    denoising_seconds,
    diffusion_shape,
)
from gigawatt.validation.mlperf import round_of
from gigawatt.validation.serving_models import architecture_of, catalog
from gigawatt.validation.serving_phases import is_phase, phase_rate
from gigawatt.validation.serving_published import Case
from gigawatt.validation.serving_solve import Operating, Solved, mlperf_point, solve

# Fields of DiffusionRates where no stack table names them: kernels as fast as the floor's, 10 us a launch.
DIFFUSION_START: Mapping[str, float] = {
    "slowdown": 1.2,
    "launch_s": 1e-5,
    "decode_s": 0.05,
    "split": 0.8,
    "split_launch_s": 2e-4,
}
# Factors of MLPerf answers before any fit: the engine's own rate, half of each limit, a tenth of bandwidth for speech.
MLPERF_START: Mapping[str, float] = {
    "tpot_limit": 0.5,
    "ttft_limit": 0.5,
    "diffusion": 1.0,
    "diffusion_latency": 1.0,
}
# Whisper large-v3. Bytes of encoder keys and values that one token reads: 1,500 positions, width 1,280, 32 layers, two of them,
# bf16. Arithmetic of the encoder for one token of text: 0.64 B weights over 1,500 frames and their attention, 2.3 TFLOP for a
# window of 30 s, of about 90 tokens (assumed).
SPEECH_TOKEN_BYTES = 1500.0 * 1280.0 * 2.0 * 32.0 * 2.0
SPEECH_TOKEN_FLOPS = 2.3e12 / 90.0
# Seconds a token beside them on the host, and how many times longer both take than the data sheet's peaks allow.
SPEECH_START: Mapping[str, float] = {"host_us": 50.0, "bytes": 2.0, "flops": 2.0}


def answers(cases: Sequence[Case]) -> list[float | None]:
    """The value of each case's metric, None where nothing is known of it."""
    found: list[float | None] = [None] * len(cases)
    groups: dict[str, list[int]] = {}
    for i, case in enumerate(cases):
        if is_phase(case):
            found[i] = phase_rate(case)
        elif case.spec is not None:
            groups.setdefault(case.stack, []).append(i)
        else:
            found[i] = unsolved(case)
    for rows in groups.values():
        for i, solved in zip(rows, solve([cases[i] for i in rows]), strict=True):
            found[i] = metric_of(cases[i], solved)
    return found


def metric_of(case: Case, solved: Solved) -> float | None:
    """The row's metric from the times and rates of its case."""
    metric, out = case.row.get("metric") or "", case.output_tokens
    rate, gpus = solved.tokens_per_s, case.gpus
    replicas = max(gpus / max(case.spec.gpus, 1), 1.0) if case.spec else 1.0
    per_gpu = rate / (case.spec.gpus if case.spec else gpus)
    ttft, tpot = solved.ttft_s, solved.tpot_s
    table = {
        "total_output_tok_s": rate * replicas,
        "output_tok_s_per_gpu": per_gpu,
        "output_tok_s_per_gpu_ambiguous": per_gpu,
        "total_tok_s_per_gpu": per_gpu * (1.0 + case.input_tokens / out),
        "itl_p50_ms": solved.itl_p50_s * 1e3,
        "itl_p99_ms": solved.itl_p99_s * 1e3,
        "tpot_p50_ms": tpot * 1e3,
        "tpot_mean_ms": tpot * 1e3,
        "tpot_p99_ms": tpot * 1.25e3,
        "token_time_ms": solved.step_s * 1e3,
        "prompt_time_ms": solved.prefill_s * 1e3,
        "ttft_ms": ttft * 1e3,
        "ttft_p50_ms": ttft * 1e3,
        "ttft_mean_ms": ttft * 1e3,
        "ttft_p99_ms": max(solved.ttft_p99_s, ttft * 1.8) * 1e3,
        "e2e_mean_ms": (ttft + out * tpot) * 1e3,
        "e2e_p99_ms": (ttft + out * tpot) * 1.7e3,
    }
    return table.get(metric)


@lru_cache(maxsize=1)
def mlperf_shares() -> Mapping[str, float]:
    """Fitted factors of MLPerf answers."""
    found: Mapping[str, float] = catalog().get("calibration", "serving-stacks").tables.get("mlperf", {})
    return dict(MLPERF_START) | dict(found)


def share_of(case: Case) -> str:
    """Which factor answers a case without a layout: rates by generation and family, since their software differs."""
    metric = case.row.get("metric") or ""
    if case.kind == "diffusion":
        return "diffusion_latency" if metric == "latency_s" else "diffusion"
    if metric.startswith(("tpot", "ttft")):
        return f"{metric[:4]}_limit"
    return f"rate.{case.chip.generation}.{family_of(case)}"


def family_of(case: Case) -> str:
    """moe for mixtures of experts, else dense."""
    return "moe" if float(served_model(case.named.arch).moe_layers) > 0 else "dense"


@lru_cache(maxsize=1)
def speech_rates() -> Mapping[str, float]:
    """Fitted constants of speech."""
    found: Mapping[str, float] = catalog().get("calibration", "serving-stacks").tables.get("speech", {})
    return dict(SPEECH_START) | dict(found)


def speech_seconds(case: Case) -> tuple[float, float, float]:
    """Seconds of a token on the host, in memory traffic and in arithmetic."""
    r, chip = speech_rates(), case.chip
    peak = chip.peak_flops.get("bf16", max(chip.peak_flops.values()))
    moved = r["bytes"] * SPEECH_TOKEN_BYTES / chip.memory_bytes_per_s
    return r["host_us"] * 1e-6, moved, r["flops"] * SPEECH_TOKEN_FLOPS / peak


def unsolved(case: Case) -> float | None:
    """The metric of a case that has no layout: diffusion, speech, MLPerf."""
    if case.kind == "diffusion":
        return _diffusion(case)
    if case.kind == "speech":
        return case.gpus / sum(speech_seconds(case))  # the rounds call tokens samples
    return _mlperf(case)


@lru_cache(maxsize=1)
def diffusion_rates() -> Mapping[str, Mapping[str, float]]:
    """generation -> rates; the record's table of diffusion."""
    return dict(catalog().get("calibration", "serving-stacks").tables.get("diffusion", {}))


def rates_of(case: Case) -> DiffusionRates:
    """Rates of a case: its stack's, else the start values."""
    table = diffusion_rates()
    row = dict(DIFFUSION_START) | dict(table.get(case.chip.generation, table.get("default", {})))
    return DiffusionRates(**{name: float(row[name]) for name in DIFFUSION_START})


def _diffusion(case: Case) -> float | None:
    metric = case.row.get("metric") or ""
    record = catalog().find_model(case.row.get("model") or "")
    if record is None:
        return None
    shape = _denoised(case, record.config)
    batch = case.batch or 8.0
    if case.kind == "diffusion" and case.stack.startswith("mlperf"):
        tuned = mlperf_shares()[share_of(case)]
        one = float(batch_seconds(shape, case.chip, np.asarray(1.0), np.asarray(8.0), rates_of(case))) / 8.0
        if metric == "latency_s":
            return float(one / case.gpus * tuned)  # all chips share one sample
        return float(case.gpus / one * tuned)
    total = float(batch_seconds(shape, case.chip, np.asarray(case.gpus), np.asarray(batch), rates_of(case)))
    return total if metric == "latency_s" else float(batch / total)


def _denoised(case: Case, config: Mapping[str, Any]) -> DiffusionShape:
    stated = {k: v for k, v in case.extra.items() if k in ("steps", "width", "height", "frames")}
    return diffusion_shape(architecture_of(case.row.get("model") or "").arch, config, **stated)


def denoising_share(case: Case) -> float:
    """Share of a sample's time in which a chip computes: beyond it the chips of a split sample wait for each other."""
    record = catalog().find_model(case.row.get("model") or "")
    if record is None:
        return 1.0
    shape, rates, batch = _denoised(case, record.config), rates_of(case), case.batch or 8.0
    busy, *_ = denoising_seconds(
        shape.pieces, ChipKey.of(case.chip), shape.tokens, shape.context, float(shape.passes * batch)
    )
    total = float(batch_seconds(shape, case.chip, np.asarray(case.gpus), np.asarray(batch), rates))
    return min(shape.steps * rates.slowdown * busy / case.gpus / total, 1.0)


def _mlperf(case: Case) -> float | None:
    metric, row = case.row.get("metric") or "", case.row
    limit_s = {"tpot": case.tpot_s, "ttft": case.ttft_s}.get(metric[:4])
    if limit_s is not None:
        # Without a limit: 0.1 s a token, 2 s to the first. A median lies at about 0.7 of the 99th percentile.
        bound_s = limit_s if np.isfinite(limit_s) else {"tpot": 0.1, "ttft": 2.0}[metric[:4]]
        return mlperf_shares()[share_of(case)] * bound_s * 1e3 * (0.7 if "p50" in metric else 1.0)
    point, shares = mlperf_operating(case), mlperf_shares()
    usual = float(np.median([value for name, value in shares.items() if name.startswith("rate.")] or [1.0]))
    per_chip = (point.tokens_per_s if point else 0.0) * shares.get(share_of(case), usual) * _age(case)
    if not per_chip:
        per_chip = 0.15 * case.chip.memory_bytes_per_s / 1e9  # does not fit as stated: a token a 7 GB read
    if metric in ("samples_s", "queries_s") and "8b" not in (row.get("model") or ""):
        return per_chip * case.gpus / case.output_tokens / case.extra.get("beams", 1.0)
    if metric in ("tok_s_per_all_in_utility_MW", "usd_per_M_tokens"):
        return None  # needs a site and a price: no serving model's answer
    return per_chip * case.gpus


def mlperf_operating(case: Case, mode: PowerMode = FULL) -> Operating | None:
    """Where the engine would run a case of MLPerf, in a power mode."""
    return mlperf_point(
        case.row.get("model") or "",
        case.row.get("gpu") or "",
        {2.0: "bf16", 1.0: "fp8", 0.5: "fp4"}[case.extra.get("precision", 1.0)],
        case.gpus,
        case.input_tokens,
        case.output_tokens * case.extra.get("beams", 1.0),
        case.ttft_s,
        case.tpot_s,
        mode,
    )


def _age(case: Case) -> float:
    """Speed of the software of the row's round over that of the constants' release."""
    month, generation = round_of(case.row.get("source") or ""), launched(case.chip.name, case.chip.generation)
    if not month or not generation:
        return 1.0
    return float(
        maturity(case.chip.stack, generation, "serving", month, calibrated_release("serving"), family_of(case)).value
    )

"""From a step time to the metric a row reports, under the FLOP rule of its source.

    tokens_per_s_per_gpu   batch * seq / (step * chips)
    tflops_per_gpu, mfu    FLOPs of the source's rule / (step * chips [* 16-bit peak])
    time_to_train_min      samples to the target / batch * step, and what a run spends beside steps

Rules, per token: full square of the scores and 3 forwards (Megatron papers and README, llm-foundry, NeMo to 2024, PaLM,
MaxText before 27 July 2025); the same with 4 forwards through the layers (Narayanan et al., SC'21: recompute counted);
causal half and 3 forwards (Megatron-Bridge, MaxText since, what runs).
"""

from __future__ import annotations

import re

from gigawatt.physics.jobs.targets import steps_to_target, time_to_target_s
from gigawatt.physics.training import Shape
from gigawatt.validation.training_mlperf import benchmark_named, target_for
from gigawatt.validation.training_rows import Case

# What a source counts, where its name says: the share of the score square. Megatron-Core, NeMo since 2026 and the
# recipes count the half that runs; NeMo's pages to 2025 print TFLOP/s over tokens/s that only the whole square explains.
CAUSAL = r"megatron-bridge|tpu-recipes|gpu-recipes"
FULL = (
    r"sc21|narayanan|korthikanti|bigscience|megatron-lm|nemo|dgxc|llm-foundry|mosaicml|maxtext|palm|internevo|simumax"
)
WITH_RECOMPUTE = r"sc21|narayanan|bigscience"
RULE_CHANGED = 2026.0
UNKNOWN_SQUARE = 0.5**0.5  # of a source that does not say: between half and whole
MINUTES = 60.0


def square_counted(source: str, year: float) -> float | None:
    """The share of the score square that a source counts, None where it is not known."""
    text = source.lower()
    if re.search(CAUSAL, text) or ("nemo" in text and year >= RULE_CHANGED):
        return 0.5
    return 1.0 if re.search(FULL, text) else None


def rule_flops_per_token(shape: Shape, seq: float, source: str, *, year: float = 2024.0, lora: bool = False) -> float:
    """FLOPs of a token, forward and backward, as the source counts them; of adapters the weights' gradients are not."""
    head = 2.0 * float(shape.hidden) * float(shape.vocab) * (1.0 + float(shape.mtp_layers))
    square = square_counted(source, year)
    forward = float(shape.forward_flops_per_token(seq, UNKNOWN_SQUARE if square is None else square))
    if re.search(WITH_RECOMPUTE, source.lower()):
        return 4.0 * (forward - head) + 3.0 * head
    return (2.0 if lora else 3.0) * forward


def metric_value(case: Case, step_s: float) -> float:
    """The row's metric at a step time."""
    tokens = case.global_batch * case.seq
    rate = tokens / (step_s * case.chips)
    if case.metric == "tokens_per_s_per_gpu":
        return rate
    if case.metric == "tflops_per_gpu":
        return rate * _flops(case) / 1e12
    if case.metric == "mfu":
        flops = rate * _flops(case)
        return 100.0 * flops / case.chip.peak_flops["bf16"]
    if case.metric == "time_to_train_min":
        return float(time_to_target_s(target_for(benchmark_of(case)), step_s, case.global_batch)) / MINUTES
    if case.metric in ("samples_per_s", "samples/s"):
        return case.global_batch / step_s
    return step_s


def _flops(case: Case) -> float:
    return rule_flops_per_token(case.shape, case.seq, case.source, year=case.year, lora=case.lora)


def step_of(case: Case, value: float) -> float:
    """The step time that a metric's value means; the inverse of `metric_value`."""
    if case.metric == "time_to_train_min":
        target = target_for(benchmark_of(case))
        return float((value * MINUTES - target.start_s) / steps_to_target(target, case.global_batch))
    unit = metric_value(case, 1.0)
    if case.metric == "step_time_s":
        return value / unit
    return unit / value


def benchmark_of(case: Case) -> str:
    """The MLPerf benchmark a time-to-train row belongs to."""
    return benchmark_named(case.source) or ("llama2_70b_lora" if case.lora else "gpt3")

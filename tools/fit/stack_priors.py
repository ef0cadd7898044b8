"""Starting values and widths of what software stacks change of serving's constants: (start, sigma of the logarithm)."""

from __future__ import annotations

from collections.abc import Mapping

from gigawatt.validation.serving_published import TASK_INPUT

Priors = Mapping[str, tuple[float, float]]

COMMON: Priors = {
    "launches": (1.0, 0.5), "host": (1.0, 0.8), "request": (1.0, 0.8), "eager": (1.0, 0.6), "decode": (1.1, 0.25),
    "attention": (1.1, 0.4), "prefill": (1.1, 0.4), "reduce": (1.0, 0.6), "exchange": (1.0, 0.6),
}  # fmt: skip
TASKS: Priors = {f"input.{task}": (1.0, 0.5) for task in TASK_INPUT}
# Kernels of experts that no tile table was tuned for, by precision and generation; and where tokens outnumber experts.
EXPERTS: Priors = {
    "experts.bf16.hopper": (1.3, 0.4), "experts.fp8.hopper": (1.0, 0.3), "experts.block.hopper": (1.5, 0.4),
    "experts.bf16.blackwell": (1.3, 0.4), "experts.block.blackwell": (1.5, 0.4), "experts_many": (1.3, 0.4),
    "skew": (0.85, 0.15),
}  # fmt: skip
# Host time of a prompt, and of its images or frames; prompts that enter at once; pieces of a graph launched eagerly.
PROMPTS: Priors = {
    "prompt_us": (300.0, 1.0), "prompt_ms.image-chat": (20.0, 0.8), "prompt_ms.video-chat": (40.0, 0.8),
    "chunked_ms": (2.0, 0.8), "chunked_request_us": (20.0, 1.0), "clump": (2.0, 0.3), "mixed_launch": (0.3, 0.8),
    "tail": (1.0, 0.5),
}  # fmt: skip
# Servers of one chip that share their node's processors: least time of a step, by task the share of it that was met and the
# batch from which it was.
SHARED: Priors = {
    "shared_ms": (30.0, 0.3), "shared_request_us": (80.0, 0.5), "shared.gpqa": (1.0, 0.05), "shared.image-chat": (1.0, 0.2),
    "shared.video-chat": (0.7, 0.5), "shared.lm-arena-chat": (0.2, 0.8), "shared_from.image-chat": (12.0, 0.4),
    "shared_from.video-chat": (16.0, 0.6), "shared_from.lm-arena-chat": (16.0, 0.5),
}  # fmt: skip
STACKS: Mapping[str, Priors] = {
    "vllm-benchmark": {**COMMON, **TASKS, **EXPERTS, **PROMPTS, **SHARED},
    "splitwise-2024": COMMON,
    "trtllm-2023": COMMON,
    "trtllm-offline": {
        **COMMON,
        "admitted": (1024.0, 0.7),
        "experts.fp4.hopper": (1.3, 0.4),
        "experts.fp8.hopper": (1.0, 0.3),
        "experts.block.hopper": (1.0, 0.3),
        "experts.fp4.blackwell": (1.0, 0.3),
    },
    "neuronx": COMMON,
    "vllm-online": COMMON,
}
# How closely a metric is worth meeting: errors are divided by this.
METRIC_SIGMA: Mapping[str, float] = {"itl_p50_ms": 0.12, "itl_p99_ms": 0.5}
USUAL_SIGMA = 0.15

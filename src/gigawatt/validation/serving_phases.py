"""Published figures of one phase alone: prompts a second of a prefill pool, tokens a second of a decode pool.

Publishers give them with the other phase taken as free, so they are answered by the pools' own phases (`steady.production`),
on layouts that copy attention to every chip and spread the experts. A pool that states no size takes as few chips as hold the
weights twice over, or DeepSeek's own pools where it is theirs; one that states no batch decodes `FULL_BATCH` a chip.
"""

from __future__ import annotations

import re
from dataclasses import replace

from gigawatt.physics.serving.engine.calibration import WEIGHT_BYTES
from gigawatt.physics.serving.engine.deployment import usable_memory_bytes
from gigawatt.physics.serving.engine.model import served_model
from gigawatt.physics.serving.steady.production import DEEPSEEK_DAY, PROFILE_TO_PRODUCTION, Day, DayAnswer, deepseek_day
from gigawatt.validation.serving_published import Case

PHASE_METRICS = ("input_tok_s_per_gpu", "input_tok_s_per_node_prefill", "output_tok_s_per_node_decode")
FULL_BATCH = 256.0  # sequences a chip of a decode pool that is called saturated (assumed)
AMPLE = 64
PRECISIONS = {2.0: "bf16", 1.0: "fp8", 0.5: "fp4"}


def is_phase(case: Case) -> bool:
    """Whether a row speaks of one phase alone."""
    metric = case.row.get("metric") or ""
    alone = (case.row.get("disagg") or "n") == "y" or "example/" in (case.row.get("concurrency_or_rate") or "")
    return metric in PHASE_METRICS or (metric == "output_tok_s_per_gpu" and alone)


def phase_rate(case: Case) -> float | None:
    """The row's rate from the phase it speaks of."""
    metric, load = case.row.get("metric") or "", case.row.get("concurrency_or_rate") or ""
    found = _answer(case, load)
    derate = PROFILE_TO_PRODUCTION if "production" in load else {"prefill": 1.0, "decode": 1.0}
    node = float(_day(case, load).chips_per_node)
    prompts = found.prefill_tokens_per_s_per_node * derate["prefill"]
    tokens = found.decode_tokens_per_s_per_node * derate["decode"]
    return {
        "input_tok_s_per_gpu": prompts / node,
        "input_tok_s_per_node_prefill": prompts,
        "output_tok_s_per_node_decode": tokens,
        "output_tok_s_per_gpu": tokens / node,
    }.get(metric)


def _answer(case: Case, load: str) -> DayAnswer:
    return deepseek_day(case.named.arch, case.chip, _day(case, load))


def _day(case: Case, load: str) -> Day:
    """The pools of a row."""
    profile = "profile" in (case.row.get("engine") or "") or "in-house" in (case.row.get("engine") or "")
    prefill, decode = _chips(case, load, profile)
    # The other phase is taken as free: pools of its own that surely hold the model.
    if (case.row.get("metric") or "").startswith("input"):
        decode = max(decode, AMPLE)
    else:
        prefill = max(prefill, AMPLE)
    batch = re.search(r"batch (\d+) per gpu", load.lower())
    engine = "vllm" if "vllm" in (case.row.get("engine") or "").lower() else "sglang"
    stated = bool(case.row.get("isl"))
    prompt = case.input_tokens if stated else DEEPSEEK_DAY.prompt_tokens
    context = case.input_tokens + case.output_tokens / 2.0 if stated and not profile else DEEPSEEK_DAY.context_tokens
    return replace(
        DEEPSEEK_DAY,
        context_tokens=context,
        prompt_tokens=prompt,
        prefill_chips=prefill,
        decode_chips=decode,
        decode_batch_per_chip=float(batch[1]) if batch else (128.0 if profile else FULL_BATCH),
        chips_per_node=min(8, max(case.chip.scaleup_domain, 1)) if case.chip.scaleup_domain <= 8 else 4,
        precision=PRECISIONS[case.extra.get("precision", 1.0)],
        engine=engine,
    )


def _chips(case: Case, load: str, profile: bool) -> tuple[int, int]:
    """Chips of a prefill and of a decode worker."""
    if each := re.search(r"instances? x (\d+) gpus", load.lower()):
        return int(each[1]), int(each[1])
    if case.row.get("n_gpus"):
        return int(case.gpus), int(case.gpus)
    if profile:
        return DEEPSEEK_DAY.prefill_chips, 128  # the profile's own pools: EP32 and EP128 (deepseek-ai/profile-data)
    weights = float(served_model(case.named.arch).weights) * WEIGHT_BYTES[PRECISIONS[case.extra.get("precision", 1.0)]]
    needed, chips = 2.0 * weights / usable_memory_bytes(case.chip), 1
    while chips < needed:
        chips *= 2
    return chips, chips

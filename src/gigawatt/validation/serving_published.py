"""Published serving figures (leaderboards, vendor tables, MLPerf, papers) as cases the engine can solve.

Every row becomes a `Case`; what its columns leave open is filled with the default a practitioner would use, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gigawatt.physics.chip import Chip
from gigawatt.physics.serving import Spec
from gigawatt.validation.mlperf import Scenario, denoising_of, scenario_of
from gigawatt.validation.serving_models import Named, architecture_of, chip_of, is_diffusion
from gigawatt.validation.wiring import usual_fabric

Row = Mapping[str, str]

# Mean tokens of a prompt by task, where the table does not say. The data sets are those of ml-energy/benchmark (mlenergy/llm/
# workloads.py): LMArena human preferences, GPQA extended, Sourcegraph context-aware FIM, VisionArena, LLaVA-Video-178K. Lengths
# are assumed (chat turns, exam questions, a file around a hole, one image or sampled frames before a short question); a stack's
# `input.<task>` corrects them.
TASK_INPUT: Mapping[str, float] = {
    "lm-arena-chat": 150.0,
    "gpqa": 250.0,
    "sourcegraph-fim": 1500.0,
    "image-chat": 1200.0,
    "video-chat": 5000.0,
}
# Models that give every image so many tokens whatever its size (Gemma 3 report: 256 at 896 x 896), with the question beside it.
FIXED_IMAGE: Mapping[str, float] = {"gemma3": 356.0}
TASK_OUTPUT: Mapping[str, float] = {
    "lm-arena-chat": 700.0,
    "gpqa": 7000.0,
    "sourcegraph-fim": 250.0,
    "image-chat": 900.0,
    "video-chat": 400.0,
}


# Which stack a row ran on; the first pattern found in its engine and source counts.
CLASSES: tuple[tuple[str, str], ...] = (
    (r"ml\.energy", "vllm-benchmark"),
    (r"splitwise", "splitwise-2024"),
    (r"gptsession|static batch", "trtllm-2023"),
    (r"neuronx|neuron", "neuronx"),
    (r"tensorrt-llm \(pytorch", "trtllm-offline"),
    (r"rubin", "mlperf-cuda"),
    (r"mlperf.*(rocm|mango|amd|mi3\d\d|shark)", "mlperf-rocm"),
    (r"mlperf", "mlperf-cuda"),
    (r"tpu", "vllm-tpu"),
    (r"sglang|deepseek", "sglang-wide"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One row, ready to be solved.

    `others` are layouts that the row may have had as well: a throughput table names tensor parallelism alone where experts may
    have been spread and attention copied, and publishes the faster.

    `kind`: batch (that many sequences decode), static (a batch from prompt to end), closed (that many users), full (as many as
    fit), mlperf (as many as the limits allow), diffusion, other.
    """

    row: Row
    kind: str
    stack: str
    task: str
    named: Named
    chip: Chip
    spec: Spec | None
    gpus: float
    input_tokens: float
    output_tokens: float
    batch: float
    ttft_s: float = float("inf")
    tpot_s: float = float("inf")
    defaults: tuple[str, ...] = ()
    group: str = ""
    extra: Mapping[str, float] = field(default_factory=dict)
    others: tuple[Spec, ...] = ()


def _float(text: str | None, default: float) -> tuple[float, bool]:
    try:
        return float(text or ""), True
    except ValueError:
        return default, False


def task_of(row: Row) -> str:
    """The task of a leaderboard row: its file name ('' elsewhere)."""
    found = re.search(r"tasks/([\w-]+)\.json", row.get("source") or "")
    return found[1] if found else (row.get("task") or "")


def stack_of(row: Row) -> str:
    """The software stack a row ran on."""
    text = f"{row.get('engine') or ''} {row.get('source') or ''} {row.get('gpu') or ''}".lower()
    return next((name for pattern, name in CLASSES if re.search(pattern, text)), "vllm-online")


def precision_of(row: Row, chip: Chip) -> tuple[str, str]:
    """Precision of the weights; where blank, the narrowest that the chip has of fp8 and bf16."""
    if "gpt-oss" in (row.get("model") or "").lower():
        return "fp4", ""  # the only checkpoints there are: MXFP4 experts
    text = (row.get("precision") or "").lower()
    for name, patterns in (("fp4", "fp4|nvfp4|mxfp4"), ("fp8", "fp8"), ("bf16", "bf16|bfloat16|fp16|float16")):
        if re.search(patterns, text):
            return name, ""
    model = (row.get("model") or "").lower()
    if model.startswith("deepseek") or "/deepseek-" in model:
        return "fp8", ""  # as published
    if "fp8" in model or "fp4" in model:
        return ("fp4" if "fp4" in model else "fp8"), ""
    if "MLPerf" in (row.get("source") or ""):
        found = "fp4" if chip.peak_flops.get("fp4") else ("fp8" if chip.peak_flops.get("fp8") else "bf16")
        return found, f"precision taken as {found}"
    return "bf16", "precision taken as bf16"


def case_of(row: Row) -> Case:
    """Read one row of the published table."""
    named = architecture_of(row.get("model") or "")
    chip, chip_note = chip_of(row.get("gpu") or "")
    stack, task = stack_of(row), task_of(row)
    defaults = [note for note in (named.note, chip_note) if note]
    precision, note = precision_of(row, chip)
    if note:
        defaults.append(note)
    gpus, stated = _float(row.get("n_gpus"), 8.0)
    if not stated:
        defaults.append("8 chips assumed")
    if stack == "neuronx":
        gpus = max(gpus / 2.0, 1.0)  # the table counts cores, two to a chip
    kind, batch, limits = _load(row, stack)
    scenario = scenario_of(row.get("model") or "")
    n, has_n = _float(row.get("isl"), _prompt(task, named, scenario))
    out, has_out = _float(row.get("osl"), TASK_OUTPUT.get(task, scenario.output_tokens))
    if not has_n:
        defaults.append(f"{n:.0f} input tokens assumed")
    if not has_out:
        defaults.append(f"{out:.0f} output tokens assumed")
    ttft_s, tpot_s = {"server": scenario.server, "interactive": scenario.interactive}.get(limits, (float("inf"),) * 2)
    if is_diffusion(row.get("model") or "") or named.kind.startswith("diffusion"):
        kind = "diffusion"
    elif "whisper" in (row.get("model") or "").lower():
        kind = "speech"
    spec = None
    if kind in ("batch", "static", "closed", "full"):
        spec = _spec(row, named, chip, precision, stack, gpus)
    extra = {"precision": {"bf16": 2.0, "fp8": 1.0, "fp4": 0.5}[precision], "beams": scenario.beams}
    if kind == "diffusion" and stack.startswith("mlperf"):
        extra |= denoising_of(row.get("model") or "")
    group = f"{stack} / {chip.name} / {named.model_id or row.get('model')}"
    return Case(
        row,
        kind,
        stack,
        task,
        named,
        chip,
        spec,
        gpus,
        n,
        max(out, 1.0),
        batch,
        ttft_s,
        tpot_s,
        tuple(defaults),
        group,
        extra,
        _others(row, spec, kind),
    )


def _others(row: Row, spec: Spec | None, kind: str) -> tuple[Spec, ...]:
    """Layouts beside the stated one: ranks of attention and spread experts, where a full server states neither."""
    if spec is None or kind != "full" or row.get("dp") or row.get("ep") or spec.gpus == 1:
        return ()
    if not float(spec.model.moe_layers) > 0:
        return ()
    spread, copied = replace(spec, moe_tp=1), replace(spec, dp=spec.gpus, moe_tp=1)
    return (spread, copied)


def _prompt(task: str, named: Named, scenario: Scenario) -> float:
    """Mean tokens of a prompt that the row does not state."""
    if task == "image-chat":
        fixed = [size for family, size in FIXED_IMAGE.items() if named.model_id.startswith(family)]
        return fixed[0] if fixed else TASK_INPUT[task]
    return TASK_INPUT.get(task, scenario.input_tokens)


def _load(row: Row, stack: str) -> tuple[str, float, str]:
    """(kind, batch or users, name of the limits) of what the row says of its load."""
    text = (row.get("concurrency_or_rate") or "").lower()
    if found := re.search(r"mean batch ([\d.]+)", text):
        return "batch", float(found[1]), ""
    if found := re.search(r"max_num_seqs (\d+)", text):
        return "batch", float(found[1]), ""
    if found := re.search(r"batch (\d+) per gpu", text):
        return "batch", float(found[1]) * _float(row.get("n_gpus"), 8.0)[0], ""
    if found := re.search(r"^batch (\d+)", text):
        return "static", float(found[1]), ""
    if found := re.search(r"concurrency (\d+)$", text):
        return "closed", float(found[1]), ""
    if found := re.search(r"(\d+) sharegpt", text):
        return "closed", float(found[1]), ""
    for name in ("server", "interactive", "offline", "singlestream"):
        if name in text:
            return "mlperf", 0.0, name
    return ("full" if stack != "mlperf-cuda" else "mlperf"), 0.0, ""


def _spec(row: Row, named: Named, chip: Chip, precision: str, stack: str, gpus: float) -> Spec:
    """The layout of a row: as stated, with attention cut over all chips unless ranks are stated."""
    dp, ep = _float(row.get("dp"), 1.0)[0], _float(row.get("ep"), 1.0)[0]
    tp, has_tp = _float(row.get("tp"), gpus)
    size = int(max(1, gpus if stack != "trtllm-offline" or not has_tp else max(tp, ep, 1.0)))
    dp = int(min(max(dp, 1), size))
    moe_tp = max(size // int(max(ep, 1)), 1)
    engine = {"trtllm-2023": "trtllm", "trtllm-offline": "trtllm", "sglang-wide": "sglang"}.get(stack, "vllm")
    return Spec(named.arch, chip, size, dp, moe_tp, engine, precision, fabric=usual_fabric(chip))

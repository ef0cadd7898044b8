"""`validate power`: watts, times and energy of serving rows, wall power of nodes, and published facts.

Serving rows are solved like any serving case and the phases of their steps turned into watts (`serving.power`); nodes and
systems take the platform's parts from the catalog. A fact that no power model answers is skipped, with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gigawatt.physics.chip import Chip, PowerMode, capped, chip_watts
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.serving.power import RECORD, Phases, phase_watts
from gigawatt.validation.base import Prediction
from gigawatt.validation.power_facility import node_watts, published_fact
from gigawatt.validation.serving import banded, half_width, published_width
from gigawatt.validation.serving_answers import answers, denoising_share, mlperf_operating, speech_seconds
from gigawatt.validation.serving_models import catalog, chip_of
from gigawatt.validation.serving_published import Case, case_of
from gigawatt.validation.serving_solve import Solved, solve

Row = dict[str, str]
LEADERBOARD = "ML.ENERGY leaderboard, tasks/{task}.json"
DENOISING = (0.4, 0.2)  # utilisation (arithmetic, memory) of a chip that denoises: large products, few bytes (assumed)
SATURATED = (0.4, 0.6)  # the same of a server that is full (assumed)
LIQUID_FROM_W = 1000.0
MAX_Q = 0.7  # power share of a submission tuned for efficiency (assumed: the set point that DGX B200 ships with)


def predict(rows: list[Row]) -> list[Prediction]:
    """Every row of any of the three tables, from its inputs alone."""
    header = rows[0] if rows else {}
    if "median_itl_ms" in header:
        return _leaderboard(rows)
    return _energy(rows) if "config" in header else _facts(rows)


def watts_of(chip: Chip, solved: Solved, plateaus: Mapping[str, float] | None = None) -> float:
    """Mean watts of one chip in a solved case; `plateaus` in place of the calibration's."""
    return float(phase_watts(chip, solved.phases, plateaus=plateaus)[0])


def denoising_factors() -> Mapping[str, float]:
    """Factors on a denoising chip's watts by kind of output and generation; none before a fit."""
    found: Mapping[str, float] = catalog().get("calibration", RECORD).tables.get("denoising", {})
    return found


def _leaderboard(rows: Sequence[Row]) -> list[Prediction]:
    cases = [case_of(leaderboard_row(row)) for row in rows]
    out = []
    for row, case, solved in zip(rows, cases, solve(cases), strict=True):
        kind = "text" if case.task in ("lm-arena-chat", "gpqa", "sourcegraph-fim") else "vision"
        group = f"{case.chip.name} / {case.task}"
        note = "; ".join(case.defaults)
        values = {
            "gpu_power_w": watts_of(case.chip, solved),
            "itl_p50_ms": solved.itl_p50_s * 1e3,
            "output_tok_s": solved.tokens_per_s,
        }
        for metric, value in values.items():
            width = published_width(case, f"power.{metric}.{kind}", f"power.{metric}", metric)
            out.append(banded(row["id"], metric, value, width, note, group))
    return out


def leaderboard_row(row: Mapping[str, str]) -> Row:
    """A row of the leaderboard table in the columns of the published one."""
    return {
        "id": row["id"],
        "source": LEADERBOARD.format(task=row.get("task") or ""),
        "engine": "vLLM (ML.ENERGY benchmark)",
        "model": row.get("model_id") or "",
        "gpu": row.get("gpu_model") or "",
        "n_gpus": row.get("num_gpus") or "",
        "precision": row.get("weight_precision") or "",
        "tp": row.get("tensor_parallel") or "",
        "ep": row.get("expert_parallel") or "",
        "dp": row.get("data_parallel") or "",
        "osl": row.get("avg_output_len") or "",
        "concurrency_or_rate": _batch_text(row),
        "metric": "itl_p50_ms",
    }


def _batch_text(row: Mapping[str, str]) -> str:
    mean = row.get("avg_batch_size") or ""
    seqs = row.get("max_num_seqs") or "64"
    return f"max_num_seqs {seqs} (mean batch {mean})" if mean else f"max_num_seqs {seqs}"


def _energy(rows: Sequence[Row]) -> list[Prediction]:
    cases: list[Case | None] = [energy_case(row) for row in rows]
    known = [i for i, case in enumerate(cases) if case is not None and case.spec is not None]
    solved: dict[int, Solved] = {}
    for stack in {cases[i].stack for i in known}:  # type: ignore[union-attr]
        part = [i for i in known if cases[i].stack == stack]  # type: ignore[union-attr]
        for i, item in zip(part, solve([c for j in part if (c := cases[j]) is not None]), strict=True):
            solved[i] = item
    return [_energy_answer(row, case, solved.get(i)) for i, (row, case) in enumerate(zip(rows, cases, strict=True))]


def energy_case(row: Mapping[str, str]) -> Case | None:
    """An energy row in the columns of the published table; None where it is no run of a model."""
    config, metric = row.get("config") or "", row.get("metric") or ""
    if not row.get("model") or metric.startswith(("share", "reduction", "carbon", "water")) or not config:
        return None
    text: Row = {key: row.get(key) or "" for key in ("id", "model", "gpu", "n_gpus", "precision", "source", "metric")}
    if "task " in config:
        task = re.search(r"task ([\w-]+)", config)
        text["source"] = LEADERBOARD.format(task=task[1] if task else "")
        text["engine"] = "vLLM (ML.ENERGY benchmark)"
        layout = re.search(r"TP (\d+) EP (\d+) DP (\d+)", config)
        if layout:
            text |= {"tp": layout[1], "ep": layout[2], "dp": layout[3]}
        seqs, mean = re.search(r"max_num_seqs (\d+)", config), re.search(r"mean batch ([\d.]+)", config)
        text["concurrency_or_rate"] = f"max_num_seqs {seqs[1] if seqs else 64}" + (
            f" (mean batch {mean[1]})" if mean else ""
        )
        length = re.search(r"mean OSL ([\d.]+)", config)
        text["osl"] = length[1] if length else ""
    elif sweep := re.search(r"sweep_c(\d+)", config):
        text |= {
            "concurrency_or_rate": f"concurrency {sweep[1]}",
            "isl": "7200",
            "osl": "900",
            "engine": "vLLM",
            "tp": "1",
        }
    elif batch := re.search(r"batch (\d+)", config):
        text |= {"concurrency_or_rate": f"batch {batch[1]}", "engine": "xDiT (ML.ENERGY benchmark)"}
    else:
        text |= {"concurrency_or_rate": config, "engine": "TensorRT"}
    case = case_of(text)
    return _with_size(case, config)


def _with_size(case: Case, config: str) -> Case:
    """Steps and size of an image or a video where the configuration states them."""
    extra = dict(case.extra)
    if steps := re.search(r"steps (\d+)", config):
        extra["steps"] = float(steps[1])
    if size := re.search(r"(\d{3,4})x(\d{3,4})(?:x(\d+))?", config):
        extra |= {"width": float(size[1]), "height": float(size[2])}
        if size[3]:
            extra["frames"] = float(size[3])
    return replace(case, extra=extra)


def _energy_answer(row: Mapping[str, str], case: Case | None, solved: Solved | None) -> Prediction:
    metric = row.get("metric") or ""
    if case is None:
        return published_fact(row["id"], metric, row.get("gpu") or "", row.get("model") or "", row.get("unit") or "")
    note, group = "; ".join(case.defaults), f"{case.stack} / {case.chip.name} / {metric}"
    width = published_width(case, f"energy.{case.stack}.{metric}", f"energy.{metric}")
    if solved is not None:
        watts = watts_of(case.chip, solved)
        per_token = watts * (case.spec.gpus if case.spec else case.gpus) / max(solved.tokens_per_s, 1e-9)
        values = {
            "energy_per_output_token": per_token,
            "energy_per_output_token_derived": per_token,
            "energy_per_response": per_token * case.output_tokens,
            "gpu_power_mean": watts,
        }
        return banded(row["id"], metric, values.get(metric), width, note, group, bool(case.defaults))
    value = (
        _node_energy(case, metric)
        if "derived" in metric or metric == "system_wall_power"
        else _sample_energy(case, metric)
    )
    return banded(row["id"], metric, value, width, note, group, bool(case.defaults))


def _node_energy(case: Case, metric: str) -> float | None:
    """Wall watts of the nodes of a saturated server, or the joules of a token or a sample there."""
    # A vendor's Max-Q submission runs its chips below their limit; the source's path says so.
    mode = capped(MAX_Q) if "maxq" in (case.row.get("source") or "").lower() else FULL
    chip_w = _saturated_watts(case, mode)
    boxes = [node_watts(case.chip, chip_w, case.gpus, fans) for fans in ((True, False) if _either(case) else (True,))]
    known = [w for w in boxes if w is not None]
    wall_w = sum(known) / len(known) if known else None
    if metric == "system_wall_power" or wall_w is None:
        return wall_w
    wanted = "total_output_tok_s" if "token" in metric else "samples_s"
    rate = answers([replace(case, row={**case.row, "metric": wanted})])[0]
    return wall_w / rate if rate else None


def _either(case: Case) -> bool:
    """Whether boxes of a chip are sold with air and with liquid in like numbers: from 1,000 W on. Rows do not say which."""
    return case.chip.tdp_w >= LIQUID_FROM_W


def _saturated_watts(case: Case, mode: PowerMode) -> float:
    """Watts of one chip of a saturated server: at the engine's own operating point where there is one."""
    if case.kind == "mlperf" and (point := mlperf_operating(case, mode)) is not None:
        return point.chip_w
    if case.kind == "speech":
        host, moved, arithmetic = (np.array([seconds]) for seconds in speech_seconds(case))
        none = np.zeros(1)
        phases = Phases(host, none, none, none, moved, none, arithmetic, none, none)
        return float(phase_watts(case.chip, phases, mode)[0])
    return float(chip_watts(case.chip, *SATURATED, mode=mode))


def _sample_energy(case: Case, metric: str) -> float | None:
    """Joules of an image or a video on the chips that share it: they compute, or wait for each other."""
    kind = "video" if "video" in metric else "image"
    rate = answers([replace(case, row={**case.row, "metric": f"{kind}s_s"})])[0]
    if not rate:
        return None
    busy = np.array([denoising_share(case)])
    none = np.zeros(1)
    used = (busy * DENOISING[0], busy * DENOISING[1])
    watts = float(phase_watts(case.chip, Phases(1.0 - busy, none, busy, none, none, none, none, *used))[0])
    return denoising_factors().get(f"{kind}.{case.chip.generation}", 1.0) * watts * case.gpus / rate


def _facts(rows: Sequence[Row]) -> list[Prediction]:
    out = []
    for row in rows:
        metric, subject, work = row.get("metric") or "", row.get("subject") or "", row.get("workload") or ""
        served = re.match(r"vLLM serving (\S+)", work)
        if served:
            out.append(_served(row, served[1], work))
        else:
            source = row.get("source") or ""
            out.append(published_fact(row["id"], metric, subject, work, row.get("unit") or "", source))
    return out


def _served(row: Mapping[str, str], model: str, work: str) -> Prediction:
    chips = re.search(r"TP(\d+)|x(\d+)\b|(\d+) GPU", work)
    count = next((g for g in chips.groups() if g), "1") if chips else "1"
    batch = re.search(r"bs(\d+)", work)
    task = "gpqa" if "gpqa" in work else "lm-arena-chat"
    chip, _ = chip_of(row.get("subject") or "")
    moe = "x" in (chips[0] if chips else "")
    text = {
        "id": row["id"],
        "task": task,
        "model_id": model,
        "gpu_model": row.get("subject") or "",
        "num_gpus": count,
        "tensor_parallel": "1" if moe else count,
        "expert_parallel": count if moe else "1",
        "data_parallel": "1",
        "weight_precision": "fp8"
        if re.search(r"FP8|DeepSeek", model)
        else ("fp4" if "gpt-oss" in model else "bfloat16"),
        "max_num_seqs": batch[1] if batch else "64",
    }
    case = case_of(leaderboard_row(text))
    watts = watts_of(chip, solve([case])[0])
    note = "; ".join(case.defaults)
    width = half_width("power.gpu_power_w.text", "power.gpu_power_w")
    return banded(row["id"], row.get("metric") or "", watts, width, note, "serving, GPU watts", True)

"""Rows of serving points (engine, system, layout, lengths, concurrency) as specifications the engine can solve.

Only stated inputs are read. Traps of the layout's columns, each with the rule used:
a `tp_size` of 16 or 64 on a box of 4 or 8 is moe_tp x moe_ep, the box has moe_tp chips with experts spread; an attention
data-parallel size above the box is the same; `batch_size` below the concurrency means one attention rank a chip.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gigawatt.physics.serving import Load, Spec
from gigawatt.physics.serving.engine.calibration import ENGINES, calibration
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.speculation import Draft
from gigawatt.validation.serving_launches import (
    PROTOCOL,
    drafts_of,
    limits_of,
    release_of,
    scheduling_of,
    shared_attention,
)
from gigawatt.validation.serving_models import architecture_of, chip_of
from gigawatt.validation.serving_recipes import SAME, Asked, Recipe, Worker, nearest, recipes
from gigawatt.validation.wiring import usual_fabric

Row = Mapping[str, str]
STATED, RECIPE, RECIPES, NEAR, RULE = "stated", "recipe", "recipes", "near", "rule"

NODE = 8  # chips of one machine


@dataclass(frozen=True, slots=True)
class Point:
    """One row, or one reading of it: what is solved, and what had to be assumed.

    `sized` says where the pools come from: the row, a published recipe of the same run (a unique one or one of several), the
    nearest recipe, or a rule.
    """

    id: str
    spec: Spec
    input_tokens: float
    output_tokens: float
    concurrency: float
    extra_in_flight: float
    group: str
    notes: tuple[str, ...] = ()
    prefill: Spec | None = None
    prefill_workers: float = 1.0
    decode_workers: float = 1.0
    max_batch: float = np.inf
    sized: str = STATED


def number(row: Row, name: str, default: float = 0.0) -> float:
    """A numeric input of a row, or the default where blank."""
    try:
        return float(row.get(name) or default)
    except ValueError:
        return default


def source_field(row: Row, name: str) -> str:
    """A field of the free-form provenance text, such as `silicon_concurrency=32`."""
    found = re.search(rf"{name}=([^;\s]+)", row.get("silicon_data_source") or "")
    return found[1] if found else ""


def precision_of(row: Row) -> tuple[str, str]:
    """Precision of the weights and what was assumed."""
    stated = (row.get("precision") or "").lower()
    if stated in ("fp4", "nvfp4", "mxfp4"):
        return "fp4", ""
    if stated in ("fp8", "bf16"):
        return stated, ""
    if "fp8" in (row.get("model_path") or "").lower():
        return "fp8", ""
    return "bf16", "precision taken as bf16"


def layout_of(row: Row, prefix: str = "") -> tuple[int, int, int]:
    """(chips, attention ranks, ways the experts are cut) of a replica."""
    tp, dp = number(row, f"{prefix}tp_size", 1), number(row, f"{prefix}attention_dp_size", 1)
    moe_tp, moe_ep = number(row, f"{prefix}moe_tp_size", 1), number(row, f"{prefix}moe_ep_size", 1)
    wide = max(tp, dp)
    if wide >= 16 and moe_tp == moe_ep and moe_tp * moe_ep == wide and not prefix:
        return int(moe_tp), int(moe_tp if dp > 1 else 1), 1
    gpus = max(wide, moe_tp * moe_ep if moe_tp * moe_ep <= max(wide, 8) else wide)
    return int(gpus), int(min(dp, gpus)), int(max(gpus / max(moe_ep, 1), 1))


def points(rows: Sequence[Row]) -> list[Point]:
    """Every row as a point; as several of one id where it can be read in several ways."""
    out: list[Point] = []
    for row in rows:
        out += _disaggregated(row) if row.get("mode") == "disagg" else [_aggregated(row)]
    return out


def _common(row: Row) -> tuple[dict[str, object], list[str], str]:
    named = architecture_of(row.get("model_path") or "")
    chip, chip_note = chip_of(row.get("system") or "")
    precision, precision_note = precision_of(row)
    engine = row.get("backend") or ""
    notes = [note for note in (named.note, chip_note, precision_note) if note]
    if engine not in ENGINES:
        notes.append(f"engine '{engine}' taken as vllm")
        engine = "vllm"
    spec: dict[str, object] = {
        "arch": named.arch,
        "chip": chip,
        "fabric": usual_fabric(chip),
        "engine": engine,
        "precision": precision,
        "release": release_of(row, engine, source_field(row, "measured")),
    }
    group = f"{row.get('system')} / {engine} / {named.model_id or row.get('model_path')}"
    return spec, notes, group


def _aggregated(row: Row) -> Point:
    spec, notes, group = _common(row)
    gpus, dp, moe_tp = layout_of(row)
    batch = number(row, "batch_size")
    concurrency = float(source_field(row, "silicon_concurrency") or 0) or batch * dp
    if not concurrency:
        concurrency = 32.0
        notes.append("concurrency taken as 32")
    if batch and batch < concurrency and not row.get("attention_dp_size"):
        dp = gpus
    moe_tp = min(moe_tp, gpus)
    engine, precision = str(spec["engine"]), str(spec["precision"])
    if shared_attention(row, engine, precision, concurrency):
        dp, moe_tp = gpus, 1
    spaced = "gap-analysis" in (row.get("silicon_data_source") or "") and engine == "trtllm"
    drafts = drafts_of(row, engine, precision, gpus, dp > 1, source_field(row, "measured"))
    spec["scheduling"] = scheduling_of(row, engine, precision, gpus, concurrency, drafts)
    limits = limits_of(row, engine, precision, gpus, drafts)
    spec |= {"memory_share": limits.memory_share, "token_budget": limits.step_tokens, "kv_precision": limits.cache}
    return Point(
        id=row["id"],
        spec=Spec(gpus=gpus, dp=dp, moe_tp=moe_tp, draft=_draft(drafts, engine), **spec),  # type: ignore[arg-type]
        input_tokens=number(row, "isl", 1024),
        output_tokens=number(row, "osl", 1024),
        concurrency=concurrency,
        extra_in_flight=1.0 if spaced else 0.0,
        max_batch=limits.requests,
        group=f"agg / {group}",
        notes=tuple(notes),
    )


def _draft(tokens: int, engine: str) -> Draft | None:
    """Speculation of the public scripts: TensorRT-LLM's put prompts in the chat template, SGLang's send random tokens."""
    if not tokens:
        return None
    return Draft(tokens, calibration()["draft_acceptance.random" if engine == "sglang" else "draft_acceptance.chat"])


def _disaggregated(row: Row) -> list[Point]:
    spec, notes, group = _common(row)
    decode = _pool_layout(row, "decode_")
    prefill = _pool_layout(row, "prefill_")
    np_, nd = number(row, "prefill_num_workers"), number(row, "decode_num_workers")
    concurrency = float(source_field(row, "silicon_concurrency") or 0)
    if not concurrency:
        concurrency = number(row, "decode_batch_size", 16) * max(nd, 1) * decode[1]
        notes.append("concurrency taken from the decode batch")
    one = Point(
        id=row["id"],
        spec=Spec(gpus=decode[0], dp=decode[1], moe_tp=decode[2], **spec),  # type: ignore[arg-type]
        prefill=Spec(gpus=prefill[0], dp=prefill[1], moe_tp=prefill[2], **spec),  # type: ignore[arg-type]
        prefill_workers=max(np_, 1.0),
        decode_workers=max(nd, 1.0),
        input_tokens=number(row, "isl", 1024),
        output_tokens=number(row, "osl", 1024),
        concurrency=concurrency,
        extra_in_flight=0.0,
        group=f"disagg / {group}",
        notes=tuple(notes),
    )
    return [_capped(row, one)] if np_ and nd else _sized(row, one)


def _known(row: Row, point: Point) -> tuple[Recipe, ...]:
    """Published recipes of a row's kind."""
    key = (row.get("system") or "", point.spec.engine, point.spec.precision, row.get("isl") or "", row.get("osl") or "")
    return recipes().get(key, ()) if "deepseek" in (row.get("model_path") or "").lower() else ()


def _capped(row: Row, point: Point) -> Point:
    """A row with stated pools and the admission of the one published recipe that is the same."""
    mine = (point.prefill_workers, point.decode_workers, point.spec.gpus, point.spec.dp, point.spec.draft is not None)
    same = [
        r
        for r in _known(row, point)
        if point.concurrency in r.users
        and (r.prefill_workers, r.decode_workers, r.decode.gpus, r.decode.dp, r.drafts > 0) == mine
    ]
    return replace(point, max_batch=same[0].slots) if same else point


def _sized(row: Row, point: Point) -> list[Point]:
    """Readings of a row whose pools have no stated size."""
    widths = ((p.gpus, p.moe_tp) for p in (point.prefill or point.spec, point.spec))
    away, found = nearest(_known(row, point), Asked(point.concurrency, *widths))
    if not found:
        return [
            replace(point, sized=RULE, notes=(*point.notes, "workers of the pools assumed: sized for 0.7 prefill load"))
        ]
    how = NEAR if away > SAME else RECIPE if len(found) == 1 else RECIPES
    said = {
        NEAR: "workers of the pools taken from the nearest published recipe",
        RECIPE: "workers of the pools taken from the published recipe",
        RECIPES: f"workers and drafts of the pools taken from {len(found)} published recipes, and averaged",
    }[how]
    return [
        replace(
            point,
            spec=replace(point.spec, **_worker(recipe.decode), draft=_draft(recipe.drafts, point.spec.engine)),
            prefill=replace(point.prefill or point.spec, **_worker(recipe.prefill)),
            prefill_workers=float(recipe.prefill_workers),
            decode_workers=float(recipe.decode_workers),
            max_batch=recipe.slots,
            sized=how,
            notes=(*point.notes, said),
        )
        for recipe in found
    ]


def _worker(worker: Worker) -> dict[str, Any]:
    return {"gpus": worker.gpus, "dp": worker.dp, "moe_tp": worker.moe_tp}


def _pool_layout(row: Row, prefix: str) -> tuple[int, int, int]:
    """Layout of a worker. Attention copied to all chips with experts cut over all of them is in no published recipe of SGLang:

    within a node such rows are its tensor parallel workers, wider ones spread their experts.
    """
    gpus, dp, moe_tp = layout_of(row, prefix)
    if row.get("backend") == "sglang" and gpus > 1 and dp == gpus and moe_tp >= gpus:
        return (gpus, 1, gpus) if gpus <= NODE else (gpus, gpus, 1)
    return gpus, dp, min(moe_tp, gpus)


def load_of(found: Sequence[Point], burst: float = PROTOCOL.burst) -> Load:
    """The load columns of a list of points."""

    def column(name: str) -> Floats:
        return np.array([float(getattr(p, name)) for p in found])

    return Load(
        column("input_tokens"),
        column("output_tokens"),
        column("concurrency"),
        np.full(len(found), burst),
        column("extra_in_flight"),
        column("max_batch"),
    )

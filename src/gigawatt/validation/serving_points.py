"""Rows of serving points (engine, system, layout, lengths, concurrency) as specifications the engine can solve.

Only stated inputs are read. Traps of the layout's columns, each with the rule used:
a `tp_size` of 16 or 64 on a box of 4 or 8 is moe_tp x moe_ep, the box has moe_tp chips with experts spread; an attention
data-parallel size above the box is the same; `batch_size` below the concurrency means one attention rank a chip.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gigawatt.physics.serving import Load, Spec
from gigawatt.physics.serving.engine.calibration import ENGINES, calibration
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.validation.serving_models import architecture_of, chip_of
from gigawatt.validation.wiring import usual_fabric

Row = Mapping[str, str]
# Images that serve with multi-token prediction, though no column says so: told by release and date.
SPECULATING = {"1.2.0rc6.post3": "", "1.1.0rc2.post2": "2026-01-10"}


@dataclass(frozen=True, slots=True)
class Point:
    """One row: what is solved, and what had to be assumed."""

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
    tags: Mapping[str, str] = field(default_factory=dict)


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


def decimal_year(text: str) -> float | None:
    """'2026-02-05...' as 2026.10; None where there is no date."""
    found = re.match(r"(\d{4})-(\d{2})-(\d{2})", text)
    return int(found[1]) + (int(found[2]) - 1 + (int(found[3]) - 1) / 31) / 12 if found else None


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
    """Every row as a point."""
    return [_disaggregated(row) if row.get("mode") == "disagg" else _aggregated(row) for row in rows]


def _common(row: Row) -> tuple[dict[str, object], list[str], str]:
    named = architecture_of(row.get("model_path") or "")
    chip, chip_note = chip_of(row.get("system") or "")
    precision, precision_note = precision_of(row)
    engine = row.get("backend") or ""
    notes = [note for note in (named.note, chip_note, precision_note) if note]
    if engine not in ENGINES:
        notes.append(f"engine '{engine}' taken as vllm")
        engine = "vllm"
    date = source_field(row, "measured")
    since = SPECULATING.get(row.get("backend_version") or "")
    moe = any(group.feed_forward.kind == "moe" for group in named.arch.groups)
    speculates = since is not None and date >= since and moe and "deepseek" in (row.get("model_path") or "").lower()
    year = decimal_year(date)
    values = calibration()
    spec: dict[str, object] = {
        "arch": named.arch,
        "chip": chip,
        "fabric": usual_fabric(chip),
        "engine": engine,
        "precision": precision,
        "year": 2026.0 if year is None else year,
        "speculation": values["speculation"] if speculates else 1.0,
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
    spaced = "gap-analysis" in (row.get("silicon_data_source") or "") and spec["engine"] == "trtllm"
    return Point(
        id=row["id"],
        spec=Spec(gpus=gpus, dp=dp, moe_tp=moe_tp, **spec),  # type: ignore[arg-type]
        input_tokens=number(row, "isl", 1024),
        output_tokens=number(row, "osl", 1024),
        concurrency=concurrency,
        extra_in_flight=1.0 if spaced else 0.0,
        group=f"agg / {group}",
        notes=tuple(notes),
    )


def _disaggregated(row: Row) -> Point:
    spec, notes, group = _common(row)
    decode = _pool_layout(row, "decode_")
    prefill = _pool_layout(row, "prefill_")
    np_, nd = number(row, "prefill_num_workers"), number(row, "decode_num_workers")
    concurrency = float(source_field(row, "silicon_concurrency") or 0)
    if not np_ or not nd:
        notes.append("workers and layouts of the pools assumed: sized for 0.7 prefill load")
    if not concurrency:
        concurrency = number(row, "decode_batch_size", 16) * max(nd, 1) * decode[1]
        notes.append("concurrency taken from the decode batch")
    return Point(
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


def _pool_layout(row: Row, prefix: str) -> tuple[int, int, int]:
    gpus, dp, moe_tp = layout_of(row, prefix)
    return gpus, dp, min(moe_tp, gpus)


def load_of(found: Sequence[Point], burst: float = 1.0) -> Load:
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

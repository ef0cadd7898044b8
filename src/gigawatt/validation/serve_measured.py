"""Measured serving points beside an answer of `gigawatt serve`: same model, same chip, lengths within a tenth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from gigawatt.catalog.names import model_keys
from gigawatt.core.table import Table
from gigawatt.physics.serving import Spec
from gigawatt.physics.serving.engine.layouts import Layout
from gigawatt.study.result import RunResult
from gigawatt.validation.base import number
from gigawatt.validation.serving_models import CHIPS, catalog
from gigawatt.validation.serving_points import STATED, Point, points, source_field
from gigawatt.validation.tables import find_tables, read_rows
from gigawatt.validation.tables import layout_of as table_of

NEAR = 0.1  # of a length: what a benchmark's own spread of lengths hides
COLUMNS = (
    "platform", "pools", "mapping", "engine", "precision", "concurrency", "chips", "ttft_mean_ms", "tpot_ms", "interactivity",
    "tokens_out_per_s_per_chip", "version", "source",
)  # fmt: skip
UNITS = {
    "ttft_mean_ms": "ms", "tpot_ms": "ms", "interactivity": "token/s", "tokens_out_per_s_per_chip": "token/s/chip",
}  # fmt: skip
NOTE = (
    "Of the packaged open-licence set, or of the tables that GIGAWATT_TRUTH names. TTFT of a benchmark holds the burst of its "
    "start. Throughput is that of the loop: requests at once over TTFT + output x TPOT."
)


def with_measured(result: RunResult) -> RunResult:
    """The answer with a table `measured`; as it was where nothing of this model was measured on its chips."""
    chips = result.manifest.get("accelerators") or {}
    if "model" not in result.manifest or not chips:
        return result
    model, wanted_in, wanted_out = (result.manifest[name] for name in ("model", "input_tokens", "output_tokens"))
    found = measured(model, frozenset(chips.values()))
    rows = [
        {"platform": platform} | {k: v for k, v in point.items() if k in COLUMNS}
        for platform, chip in chips.items()
        for point in found
        if point["accelerator"] == chip
        and abs(point["input_tokens"] / wanted_in - 1.0) <= NEAR
        and abs(point["output_tokens"] / wanted_out - 1.0) <= NEAR
    ]
    if not rows:
        return result
    rows.sort(key=lambda row: (row["platform"], row["tpot_ms"]))
    table = Table.from_rows("measured", rows, COLUMNS, UNITS, "Measured points", NOTE)
    return replace(result, tables={**result.tables, "measured": table})


def measured(model: str, chips: frozenset[str]) -> tuple[dict[str, Any], ...]:
    """Measured points of a model on any of the accelerators, whose pools and concurrency are stated."""
    return _read(tuple(path for path in find_tables("serving") if path.name == "serving_points.csv"), model, chips)


@lru_cache(maxsize=16)
def _read(paths: tuple[Path, ...], model: str, chips: frozenset[str]) -> tuple[dict[str, Any], ...]:
    record = catalog().get("model", model)
    # Only this model's names are compared, so that no other record need be read.
    known = {key for text in (record.id, record.name, *record.aliases) for key in model_keys(text)[:1]}
    out: list[dict[str, Any]] = []
    for path in paths:
        everything = read_rows(path)
        answers = table_of("serving", everything, path).measured(everything)
        rows = [row for row in everything if known & set(model_keys(row.get("model_path") or ""))]
        rows = [row for row in rows if any(chip_named(row.get("system") or "", chip) for chip in chips)]
        for row in rows:
            readings = points([row])
            if len(readings) > 1:  # pools that are not stated: no one layout can be said
                continue
            (point,) = readings
            made = _point(row, point, *(answers[row["id"], metric] for metric in ("ttft_ms", "tpot_ms")))
            out += [made] if made is not None else []
    return tuple(out)


def chip_named(text: str, chip: str) -> bool:
    """Whether a table's name of a system is that of an accelerator."""
    return next((name for pattern, name in CHIPS if re.search(pattern, text, re.IGNORECASE)), "") == chip


def _point(row: Mapping[str, str], point: Point, ttft: float | None, tpot: float | None) -> dict[str, Any] | None:
    concurrency = number(source_field(row, "silicon_concurrency"))
    if ttft is None or tpot is None or not tpot > 0 or not concurrency or point.notes or point.sized != STATED:
        return None
    spec, prefill = point.spec, point.prefill
    chips = spec.gpus * point.decode_workers + (prefill.gpus * point.prefill_workers if prefill is not None else 0.0)
    cycle_s = (ttft + point.output_tokens * tpot) * 1e-3
    mapping = _mapping(spec)
    return {
        "accelerator": spec.chip.name,
        "input_tokens": point.input_tokens,
        "output_tokens": point.output_tokens,
        "pools": "aggregated" if prefill is None else "disaggregated",
        "mapping": mapping if prefill is None else f"{_mapping(prefill)} prefill + {mapping} decode",
        "engine": spec.engine,
        "precision": spec.precision,
        "concurrency": concurrency,
        "chips": chips,
        "ttft_mean_ms": ttft,
        "tpot_ms": tpot,
        "interactivity": 1e3 / tpot,
        "tokens_out_per_s_per_chip": concurrency * point.output_tokens / cycle_s / chips,
        "version": row.get("backend_version") or "",
        "source": row.get("source") or row.get("silicon_data_source") or "",
    }


def _mapping(spec: Spec) -> str:
    """A layout as `search` names it."""
    return Layout(spec.gpus, spec.dp, spec.moe_tp if float(spec.model.moe_layers) else spec.gpus).name

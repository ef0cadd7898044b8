"""Measured serving points beside an answer of `gigawatt serve`: same model, same chip, lengths within a tenth."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from gigawatt.core.table import Table
from gigawatt.physics.serving.engine.layouts import Layout
from gigawatt.study.result import RunResult
from gigawatt.validation.base import number
from gigawatt.validation.serving_models import architecture_of, chip_of
from gigawatt.validation.serving_points import points, source_field
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
    wanted = result.manifest["model"], result.manifest.get("input_tokens"), result.manifest.get("output_tokens")
    rows = [
        {"platform": platform} | {k: v for k, v in point.items() if k in COLUMNS}
        for platform, chip in chips.items()
        for point in measured()
        if (point["model"], point["accelerator"]) == (wanted[0], chip)
        and abs(point["input_tokens"] / wanted[1] - 1.0) <= NEAR
        and abs(point["output_tokens"] / wanted[2] - 1.0) <= NEAR
    ]
    if not rows:
        return result
    rows.sort(key=lambda row: (row["platform"], row["tpot_ms"]))
    table = Table.from_rows("measured", rows, COLUMNS, UNITS, "Measured points", NOTE)
    return replace(result, tables={**result.tables, "measured": table})


def measured() -> tuple[dict[str, Any], ...]:
    """Every measured serving point whose pools and concurrency are stated."""
    return _all(tuple(path for path in find_tables("serving") if path.name == "serving_points.csv"))


@lru_cache(maxsize=4)
def _all(paths: tuple[Path, ...]) -> tuple[dict[str, Any], ...]:
    out: list[dict[str, Any]] = []
    for path in paths:
        rows = read_rows(path)
        answers = table_of("serving", rows, path).measured(rows)
        for row, point in zip(rows, points(rows), strict=True):
            ttft, tpot = (answers[row["id"], metric] for metric in ("ttft_ms", "tpot_ms"))
            concurrency = number(source_field(row, "silicon_concurrency"))
            if ttft is None or tpot is None or not tpot > 0 or not concurrency or point.notes:
                continue
            pooled = point.prefill is not None
            chips = point.spec.gpus * point.decode_workers
            chips += point.prefill.gpus * point.prefill_workers if point.prefill is not None else 0.0
            cycle_s = (ttft + point.output_tokens * tpot) * 1e-3
            out.append(
                {
                    "model": architecture_of(row.get("model_path") or "").model_id,
                    "accelerator": chip_of(row.get("system") or "")[0].name,
                    "input_tokens": point.input_tokens,
                    "output_tokens": point.output_tokens,
                    "pools": "disaggregated" if pooled else "aggregated",
                    "mapping": _mapping(
                        point.spec.gpus, point.spec.dp, point.spec.moe_tp, bool(point.spec.model.moe_layers)
                    ),
                    "engine": point.spec.engine,
                    "precision": point.spec.precision,
                    "concurrency": concurrency,
                    "chips": chips,
                    "ttft_mean_ms": ttft,
                    "tpot_ms": tpot,
                    "interactivity": 1e3 / tpot,
                    "tokens_out_per_s_per_chip": concurrency * point.output_tokens / cycle_s / chips,
                    "version": row.get("backend_version") or "",
                    "source": row.get("source") or row.get("silicon_data_source") or "",
                }
            )
    return tuple(out)


def _mapping(gpus: int, dp: int, moe_tp: int, moe: bool) -> str:
    """A layout as `search` names it."""
    return Layout(gpus, dp, moe_tp if moe else gpus).name

"""MLPerf Training: what its benchmarks ask (samples to a target, evaluations) and how submitters lay them out.

Results name a system and a benchmark; layouts are in the submitters' configurations. Where a row leaves its layout blank,
that of the configurations for as many chips a sequence is taken (`calibration/mlperf-targets`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.jobs.targets import Target, target_of
from gigawatt.validation.base import number

Row = Mapping[str, str]
LAYOUT = ("tp", "pp", "cp")


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, Any]:
    found: Mapping[str, Any] = Catalog.load().get("calibration", "mlperf-targets").tables
    return found


@lru_cache(maxsize=8)
def target_for(benchmark: str) -> Target:
    """The quality target of a benchmark."""
    return target_of(benchmark, _tables()["targets"][benchmark])


def benchmark_named(source: str) -> str:
    """The language-model benchmark that a source's path names; '' where it names none.

    >>> benchmark_named("mlcommons/training_results_v5.1 Cisco/results/hpf_n8/llama2_70b_lora")
    'llama2_70b_lora'
    """
    return next((name for name in _tables()["targets"] if name in source.lower()), "")


def laid_out(row: Row) -> Row:
    """The row with a blank layout filled as submitters' configurations have it for as many chips a sequence."""
    benchmark, chip = benchmark_named(row.get("source") or ""), (row.get("gpu") or "").strip().lower()
    chips, batch = number(row.get("n_gpus")), number(row.get("global_batch"))
    if not benchmark or "deepspeed" in (row.get("source") or "").lower() or not chips or not batch:
        return row
    if not (row.get("seq_len") or "").strip():
        row = {**row, "seq_len": str(_tables()["targets"][benchmark]["seq"])}
    if any((row.get(name) or "").strip() for name in LAYOUT):
        return row
    ranks = chips / batch
    found = [entry for entry in _tables()["layouts"] if _holds(entry, benchmark, chip, ranks)]
    if not found:
        return row
    degrees = {name: found[-1][name] for name in LAYOUT}
    if degrees["cp"] == "ranks":
        degrees["cp"] = max(round(ranks / (degrees["tp"] * degrees["pp"])), 1)
    return {**row, **{name: str(value) for name, value in degrees.items()}}


def batch_for(benchmark: str, chips: float) -> float:
    """The global batch that submitters of so many chips take: the least the benchmark runs at, or so many chips a sequence.

    >>> [batch_for("llama2_70b_lora", chips) for chips in (8, 64, 512, 1024)]
    [8.0, 8.0, 64.0, 128.0]
    """
    batches: Mapping[str, float] = _tables()["batches"][benchmark]
    return max(float(batches["least"]), float(np.ceil(chips / float(batches["chips_per_sequence"]))))


def _holds(entry: Mapping[str, Any], benchmark: str, chip: str, ranks: float) -> bool:
    chips = any(re.match(rf"{name}\b", chip) for name in entry["chips"])
    return entry["benchmark"] == benchmark and chips and ranks >= float(entry["ranks"])

"""Operating points of training as the tables that scripts read, and what was taken for the user."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.table import Table
from gigawatt.physics.training.memory.constants import CALIBRATION_ID as MEMORY
from gigawatt.physics.training.releases import release_of
from gigawatt.study.hosts import Assumed, Host
from gigawatt.study.train.points import Points
from gigawatt.study.train.question import CHIP_HOUR_USD, KWH_USD, Question

GB = 1e9
COLUMNS = (
    "platform", "mapping", "precision", "mode", "chips", "chips_used", "step_s", "step_s_low", "step_s_high",
    "tokens_per_s", "tokens_per_s_low", "tokens_per_s_high", "tokens_per_s_per_chip", "low", "high", "mfu", "mfu_low",
    "mfu_high", "memory_gb", "memory_gb_low", "memory_gb_high", "memory_share", "exposed_comm_share", "bubble_share",
    "chip_w", "chip_w_low", "chip_w_high", "it_w_per_chip", "it_w_per_chip_low", "it_w_per_chip_high",
    "meter_w_per_chip", "meter_w_per_chip_low", "meter_w_per_chip_high", "job_mw", "job_mw_low", "job_mw_high",
    "joules_per_token", "joules_per_token_low", "joules_per_token_high", "tokens_per_s_per_mw",
    "tokens_per_s_per_mw_low", "tokens_per_s_per_mw_high", "value_per_mtok", "bound", "meets_limit",
)  # fmt: skip
UNITS = {
    "step_s": "s", "tokens_per_s": "token/s", "tokens_per_s_per_chip": "token/s/chip", "low": "token/s/chip",
    "high": "token/s/chip", "mfu": "share", "memory_gb": "GB", "memory_share": "share", "exposed_comm_share": "share",
    "bubble_share": "share", "chip_w": "W", "it_w_per_chip": "W", "meter_w_per_chip": "W", "job_mw": "MW",
    "joules_per_token": "J/token", "tokens_per_s_per_mw": "token/s/MW",
}  # fmt: skip
UNITS |= {f"{name}_{end}": unit for name, unit in UNITS.items() if f"{name}_low" in COLUMNS for end in ("low", "high")}
NOTE = (
    "low and high hold 80 %. MW and J are at the meter where a platform is known, else of the chips alone. MFU counts the "
    "model's FLOPs (causal attention at half, no recompute) over the dense peak of the precision."
)


def point_rows(host: Host, points: Points, rows: Sequence[int], question: Question) -> list[dict[str, Any]]:
    """One row a point, plain values."""
    found, at = points.found, np.asarray(rows, dtype=np.intp)
    drawn = 0.5 * np.log(host.it_or_chip_w(points.watts_high) / host.it_or_chip_w(points.watts_low))
    joint = np.hypot(points.rate_half, drawn)
    columns: dict[str, Any] = {
        "platform": np.full(len(points), host.label),
        "mapping": found.mapping,
        "precision": found.precision,
        "mode": found.mode,
        "chips": np.full(len(points), question.chips),
        "chips_used": found.chips_used,
        "step_s": found.step_s,
        "tokens_per_s": points.tokens_per_s,
        "tokens_per_s_per_chip": found.tokens_per_s_per_chip,
        "mfu": found.mfu,
        "memory_gb": found.memory_bytes / GB,
        "memory_share": found.memory_bytes / host.chip.memory_bytes,
        "exposed_comm_share": found.exposed_comm_share,
        "bubble_share": found.bubble_share,
        "chip_w": found.chip_w,
        "it_w_per_chip": points.it_w,
        "meter_w_per_chip": points.meter_w,
        "job_mw": points.job_w / 1e6,
        "joules_per_token": points.joules_per_token,
        "tokens_per_s_per_mw": points.tokens_per_s / points.job_w * 1e6,
        "value_per_mtok": points.value * 1e6,
        "bound": found.bound,
        "meets_limit": points.quick,
    }
    halves = {
        "step_s": points.rate_half,
        "tokens_per_s": points.rate_half,
        "tokens_per_s_per_chip": points.rate_half,
        "mfu": points.rate_half,
        "joules_per_token": joint,
        "tokens_per_s_per_mw": joint,
        "job_mw": drawn,
    }
    halves |= {"memory_gb": np.full(len(points), memory_half())}
    for name, half in halves.items():
        prefix = "" if name == "tokens_per_s_per_chip" else f"{name}_"
        columns[f"{prefix}low"], columns[f"{prefix}high"] = columns[name] * np.exp(-half), columns[name] * np.exp(half)
    columns |= {"chip_w_low": points.watts_low, "chip_w_high": points.watts_high}
    for name, watts in (("it_w_per_chip", host.it_w), ("meter_w_per_chip", host.meter_w)):
        columns |= {f"{name}_low": watts(points.watts_low), f"{name}_high": watts(points.watts_high)}
    made = Table("points", {name: list(np.asarray(columns[name])[at]) for name in COLUMNS})
    return list(made.rows())


@lru_cache(maxsize=1)
def memory_half() -> float:
    """80 % half-width of the logarithm of memory in use, of settings that its fit has not seen."""
    return math.log1p(float(Catalog.load().get("calibration", MEMORY).groups["in use"]))


def points_table(name: str, rows: Sequence[dict[str, Any]], title: str) -> Table:
    """Rows of `point_rows` as a table."""
    return Table.from_rows(name, rows, COLUMNS, UNITS, title, NOTE)


def defaults_of(question: Question, given: Sequence[str], stacks: Sequence[str]) -> list[Assumed]:
    """What the question leaves open or was not asked for; `given` are the options that were."""
    out: list[Assumed] = []

    def add(option: str, what: str, value: str, why: str) -> None:
        if option not in given:
            out.append(Assumed(what, value, why))

    add("on", "platform", ", ".join(question.on), "--on names others")
    add("gpus", "GPUs", f"{question.chips:,}", "--gpus states another number")
    add("seq", "sequence", f"{question.sequence:,} tokens", "--seq states another length")
    add("batch", "batch of a step", f"{question.batch:,} sequences", "--batch, in sequences or '16M tokens'")
    add("stack", "software stack", ", ".join(dict.fromkeys(stacks)), "the usual one of the chip; --stack names another")
    add("release", "software release", release_of().words, "the newest known; --release 26.02, or a date")
    add("objective", "best", question.value.words, "--objective energy, cost, or 'chip_hour=2.5,kwh=0.08'")
    if question.value.name == "cost" and question.value.chip_hour == CHIP_HOUR_USD and question.value.kwh == KWH_USD:
        add("weights", "weights", question.value.words, "assumed; 'chip_hour=2.5,kwh=0.08' states others")
    add("offload", "offload", "nothing lives in host memory", "--offload optimizer, activations, weights")
    if not question.tokens:
        add("tokens", "job", "a step alone", "--tokens 15T adds wall time, chip-hours and MWh")
    return out

"""Operating points of workloads on platforms, and why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gigawatt.physics.chip import Box


@dataclass(frozen=True, slots=True)
class Point:
    """One operating point of a workload on a platform, per chip, after the derate.

    For training `tokens_out_per_s` counts trained tokens and `tokens_in_per_s` is 0. `low` and `high` are 80 %
    factors on throughput; `group` names the calibration whose error they share. `load` is the mean draw over `chip_w`;
    NaN where demand decides it. `phases` are (seconds, watts of a chip) of a synchronous step; empty where there is none.
    """

    offer: int
    work: int
    mapping: str
    precision: str
    mode: str
    engine: str
    tokens_in_per_s: float
    tokens_out_per_s: float
    chip_w: float
    bound: str
    low: float
    high: float
    group: str
    ttft_s: float = math.nan
    tpot_s: float = math.nan
    step_s: float = math.nan
    mfu: float = math.nan
    chips: float = math.nan
    load: float = math.nan
    phases: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a workload does not run on a platform, and the nearest change that would let it."""

    offer: int
    work: int
    reason: str
    fix: str


def usable_precisions(asked: list[str] | str, usual: Sequence[str], box: Box) -> list[str]:
    """Those of the asked or usual precisions that the chip has a peak for; bf16 always runs."""
    wanted = list(usual) if isinstance(asked, str) else asked
    have = [p for p in wanted if p in box.chip.peak_flops or (p == "bf16")]
    return have or ["bf16"]

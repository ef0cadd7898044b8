"""Operating points of a training job: the columns that the search returns, and their words."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.core.table import Table
from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.training.search.candidates import Rejection

UNITS = {
    "step_s": "s",
    "tokens_per_s_per_chip": "tokens/s",
    "memory_bytes": "B",
    "chip_w": "W",
}


@dataclass(frozen=True, slots=True)
class TrainingPoints:
    """Operating points of one training job, one row each: a mapping at a precision in a power mode.

    `mfu` is model FLOPs (causal attention at half, no recompute) over the dense peak of the precision. `low` and `high`
    are 80 % factors on throughput. `compute_util`, `memory_util`, `busy` are what `chip_w` was worked out from.
    Rates are per chip of the job, idle ones included.
    """

    mapping: NDArray[np.str_]
    precision: NDArray[np.str_]
    mode: NDArray[np.str_]
    step_s: NDArray[np.float64]
    tokens_per_s_per_chip: NDArray[np.float64]
    mfu: NDArray[np.float64]
    memory_bytes: NDArray[np.float64]
    exposed_comm_share: NDArray[np.float64]
    bubble_share: NDArray[np.float64]
    chip_w: NDArray[np.float64]
    compute_util: NDArray[np.float64]
    memory_util: NDArray[np.float64]
    busy: NDArray[np.float64]
    chips_used: NDArray[np.float64]
    bound: NDArray[np.str_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    rejected: tuple[Rejection, ...] = ()
    candidates: int = 0
    search_s: float = 0.0

    def __len__(self) -> int:
        return int(self.step_s.size)

    @property
    def best(self) -> int:
        """Row of the most tokens per second and chip.

        Raises:
            InputError: nothing fits.
        """
        if not len(self):
            raise InputError(_nothing_fits(self.rejected))
        return int(np.argmax(self.tokens_per_s_per_chip))

    def table(self) -> Table:
        """The points as a table with units."""
        names = [f.name for f in fields(self)[:-3]]
        return Table("training points", {name: list(getattr(self, name)) for name in names}, UNITS)

    def rejected_table(self) -> Table:
        """What fell out: reason, count, nearest fix."""
        rows = [{"reason": r.reason, "count": r.count, "nearest_fix": r.nearest_fix} for r in self.rejected]
        return Table.from_rows("rejected", rows, ["reason", "count", "nearest_fix"])


def describe(mapping: Mapping, row: int) -> str:
    """A mapping in words: 'TP8 PP16 VP4 DP128 MB1 recompute 25 %'."""

    def at(name: str) -> float:
        value = getattr(mapping, name)
        return float(value[row]) if isinstance(value, np.ndarray) and value.ndim else float(value)

    words = [f"TP{at('tp'):.0f}", f"PP{at('pp'):.0f}"]
    words += [f"VP{at('vpp'):.0f}"] if at("vpp") > 1 else []
    words += [f"DP{at('dp'):.0f}"]
    words += [f"CP{at('cp'):.0f}"] if at("cp") > 1 else []
    words += [f"EP{at('ep'):.0f}"] if at("ep") > 1 else []
    words += [f"MB{at('micro_batch'):.0f}"]
    words += ["FSDP"] if at("sharding") >= 3 else []
    words += [f"recompute {at('recompute'):.0%}".replace("%", " %")] if at("recompute") > 0 else []
    words += ["recompute attention"] if at("modules") > 0 else []
    return " ".join(words)


def collect(rows: list[dict[str, Any]], rejected: tuple[Rejection, ...], count: int, seconds: float) -> TrainingPoints:
    """Points from rows of plain values."""
    columns: Dict[str, Any] = {
        f.name: np.array([row[f.name] for row in rows], dtype=None if rows else float)
        for f in fields(TrainingPoints)[:-3]
    }
    return TrainingPoints(**columns, rejected=rejected, candidates=count, search_s=seconds)


def _nothing_fits(rejected: Sequence[Rejection]) -> Problem:
    hints = tuple(f"{r.reason} ({r.count:,}): {r.nearest_fix}" for r in rejected)
    return Problem("nothing_fits", "no mapping of this job fits these chips", None, hints)

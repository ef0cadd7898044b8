"""Measured memory of training runs beside what the model says, `memory_table(rows)`; and runs it would refuse,
`feasibility(rows)`.

Two kinds of figures stand in the notes of `train_truth.csv`: peaks of memory that the framework allocated (SimuMax's runs
of Megatron-LM on B200, 12 settings in 28 rows), and memory in use as the BLOOM engineers noted it by hand. A prediction
reads every column of its row but the notes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.training import Memory, memory_of
from gigawatt.physics.training.columns import ULYSSES
from gigawatt.physics.training.memory.bytes import total_bytes_of
from gigawatt.physics.training.memory.constants import CALIBRATION_ID, MemoryConstants
from gigawatt.physics.training.precision import stored_at
from gigawatt.validation.training_rows import Case, case_of

Row = Mapping[str, str]
GIB, GB = 2.0**30, 1e9
ALLOCATED, IN_USE = "allocated", "in use"
MEASURED: dict[str, tuple[str, float]] = {
    ALLOCATED: (r"peak alloc ([\d.]+) GiB", GIB),
    IN_USE: (r"\bMem=([\d.]+)GB", GB),
}


@dataclass(frozen=True, slots=True)
class MemoryPoint:
    """A row's memory: bytes predicted and measured, of the kind `kind`; `setting` is equal for repeats of one."""

    id: str
    kind: str
    source: str
    setting: str
    predicted_bytes: float
    measured_bytes: float

    @property
    def error(self) -> float:
        """Predicted over measured, less one."""
        return self.predicted_bytes / self.measured_bytes - 1.0


def memory_table(rows: Sequence[Row], constants: MemoryConstants | None = None) -> list[MemoryPoint]:
    """Predicted beside measured for every row that notes its memory, in the order of the table."""
    found = []
    for row in rows:
        measured = measured_bytes(row)
        if measured is None:
            continue
        kind, value = measured
        memory = predicted_memory(row, constants)
        bytes_ = memory.allocated_bytes if kind == ALLOCATED else memory.total_bytes
        setting = " ".join(
            f"{k}={row.get(k, '')}" for k in ("model", "tp", "pp", "dp", "cp", "ep", "seq_len", "micro_batch")
        )
        found.append(MemoryPoint(row["id"], kind, row["source"], setting, float(np.ravel(bytes_)[0]), value))
    return found


def measured_bytes(row: Row) -> tuple[str, float] | None:
    """The kind and the bytes that a row's notes state, or None."""
    for kind, (pattern, unit) in MEASURED.items():
        found = re.search(pattern, row.get("notes", ""))
        if found:
            return kind, float(found[1]) * unit
    return None


def predicted_memory(row: Row, constants: MemoryConstants | None = None) -> Memory:
    """The memory of a row's setting. What its source runs is stated there: no recompute, one chunk a stage, a sharded
    optimizer and all-to-all context parallelism for SimuMax; full recompute for BLOOM."""
    case = case_of({**row, "notes": "", "measured_value": ""})
    mapping = case.mapping.take(_stated(case))
    if "simumax" in row["source"].lower():
        mapping = replace(mapping, context=ULYSSES)
    return memory_of(case.shape, mapping, float(case.context.stack.flash), constants=constants)


def _stated(case: Case) -> np.ndarray:
    """The first candidate with a replicated stage, one chunk and the least recompute."""
    m = case.mapping
    order = np.lexsort((np.asarray(m.recompute), np.asarray(m.vpp), np.asarray(m.sharding)))
    return order[:1].astype(np.intp)


@dataclass(frozen=True, slots=True)
class Feasibility:
    """A published run, which its chip's memory held: bytes predicted for the leanest reading of its blanks, over that
    memory. Above one, the model would have refused it. `xla`: a compiler chose what is kept, which no row says."""

    id: str
    family: str
    xla: bool
    share: float


def feasibility(rows: Sequence[Row]) -> list[Feasibility]:
    """Predicted least memory of each row over its chip's, at the precision's recipe."""
    found = []
    for row in rows:
        case = case_of({**row, "notes": "", "measured_value": ""})
        stack = case.context.stack
        recipe = stored_at(case.context.width)
        least = np.min(total_bytes_of(case.shape, case.mapping, float(stack.flash), recipe=recipe))
        found.append(Feasibility(row["id"], case.family, stack.xla, float(least) / case.chip.memory_bytes))
    return found


@dataclass(frozen=True, slots=True)
class MemoryErrors:
    """Errors of a set of points: number, mean and median of |error|, bias (mean error), and the 0.8 quantile of |error|."""

    points: int
    mape: float
    median: float
    bias: float
    band80: float


def memory_errors(points: Sequence[MemoryPoint]) -> MemoryErrors:
    """How a table did. Empty tables have no errors.

    Raises:
        ValueError: no points.
    """
    if not points:
        raise ValueError("no points with measured memory")
    error = np.array([point.error for point in points])
    size = np.abs(error)
    return MemoryErrors(
        error.size, float(size.mean()), float(np.median(size)), float(error.mean()), float(np.quantile(size, 0.8))
    )


def memory_tolerance() -> float:
    """How far over a chip's memory a published run may be predicted and yet have run: one plus the 80 % band of memory in
    use, on rows left out of the fit."""
    return 1.0 + float(Catalog.load().get("calibration", CALIBRATION_ID).groups[IN_USE])

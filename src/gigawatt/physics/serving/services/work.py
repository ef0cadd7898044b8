"""Operators of a service on a chip as columns of points: seconds, how busy arithmetic and memory are, what binds, watts.

    captured   s = host + sum of kernels                         one graph of the whole pass
    eager      s = host + hypot(sum of kernels, calls x launch)  the host starts every kernel

Kernels are those of the measured chip floor (`run_operators`); a launch and the host's time are the engine's
(calibration `serving-steady-state`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.chip import Numerics, chip_watts, run_operators
from gigawatt.physics.chip.device import Chip, PowerMode
from gigawatt.physics.chip.operators import BOUNDS
from gigawatt.physics.serving.engine.calibration import WEIGHT_BYTES
from gigawatt.physics.serving.engine.deployment import FULL, in_mode, usable_memory_bytes
from gigawatt.physics.serving.engine.kernel_sums import meeting
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.workload import OperatorTable, Widths

# Share of memory a server takes, and what activations, graphs and the runtime hold besides (as the engines' own).
MEMORY_SHARE = 0.9
RESERVE_BYTES = 3e9
BIND = {"compute": "compute", "memory": "memory bandwidth", "launch": "launch floor"}


@dataclass(frozen=True, slots=True)
class Work:
    """One pass of a set of operators, columns by point.

    `kernel_s` is the sum over kernels, `calls` how many there are; `bound_s` (3, points) its parts by what binds (compute,
    memory, launch). `compute_s` and `memory_s` are the data sheet's roofs. `low`, `high`: 80 % factors on seconds.
    """

    kernel_s: Floats
    calls: Floats
    bound_s: Floats
    compute_s: Floats
    memory_s: Floats
    low: Floats
    high: Floats
    flops: Floats

    def __add__(self, other: Work) -> Work:
        """One after the other; the bands go together, weighted by time."""
        total = self.kernel_s + other.kernel_s
        return Work(
            total,
            self.calls + other.calls,
            self.bound_s + other.bound_s,
            self.compute_s + other.compute_s,
            self.memory_s + other.memory_s,
            (self.low * self.kernel_s + other.low * other.kernel_s) / total,
            (self.high * self.kernel_s + other.high * other.kernel_s) / total,
            self.flops + other.flops,
        )

    @property
    def bound(self) -> Any:
        """What most of the time goes to."""
        return np.array([BIND[name] for name in BOUNDS])[np.argmax(self.bound_s, axis=0)]

    @property
    def half_width(self) -> Floats:
        """80 % half-width of the logarithm of kernel seconds, as the floor states it."""
        return np.asarray(np.maximum(np.log(self.high), -np.log(self.low)))


def numerics(precision: str) -> Numerics:
    """Weights and cache in a precision; head, router and norms stay in 16 bits."""
    return Numerics(weights=precision, kv="fp8" if precision in ("fp8", "fp4") else "bf16")


def widths(precision: str) -> Widths:
    """Bytes of stored values: weights (with the scales of fp4) and cache."""
    return Widths(weights=WEIGHT_BYTES[precision], kv=1.0 if precision in ("fp8", "fp4") else 2.0)


def precisions_of(chip: Chip, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Widths to try on a chip: those asked for, else bf16, and fp8 where it has units for it.

    Raises:
        InputError: a width that nobody serves in, or that the chip has no units for (fp4 excepted: it is widened).
    """
    problems = [unknown_name("precision", name, WEIGHT_BYTES) for name in asked if name not in WEIGHT_BYTES]
    for name in asked:
        if name == "fp8" and name not in chip.peak_flops:
            hint = f"it has {', '.join(chip.peak_flops)}"
            problems.append(Problem("no_units", f"chip '{chip.name}' has no units for {name}", None, (hint,)))
    if problems:
        raise InputError(problems)
    return tuple(dict.fromkeys(asked)) or (("bf16", "fp8") if "fp8" in chip.peak_flops else ("bf16",))


def work(chip: Chip, tables: Iterable[OperatorTable], precision: str = "bf16", mode: PowerMode = FULL) -> Work:
    """The sum over the tables, each run once."""
    total: Work | None = None
    able = in_mode(meeting(chip, precision), mode)
    for table in tables:
        costs = run_operators(able, table, numerics(precision))
        spent = table.count[:, None] * costs.seconds
        bound = costs.bound
        part = Work(
            kernel_s=costs.total_s,
            calls=np.full(table.points, table.count.sum()),
            bound_s=np.stack([np.where(bound == k, spent, 0.0).sum(axis=0) for k in range(len(BOUNDS))]),
            compute_s=table.count @ costs.roof_compute_s,
            memory_s=table.count @ costs.roof_memory_s,
            low=costs.total_low_s / costs.total_s,
            high=costs.total_high_s / costs.total_s,
            flops=table.total_flops,
        )
        total = part if total is None else total + part
    if total is None:
        raise ValueError("no operators")
    return total


def eager_seconds(kernel_s: Floats, calls: Floats, launch_s: float) -> Floats:
    """Kernels that the host starts one by one: whichever is longer, smoothly."""
    return np.asarray(np.hypot(kernel_s, calls * launch_s))


def watts(chip: Chip, found: Work, seconds: Floats, busy: Floats | float = 1.0, mode: PowerMode = FULL) -> Floats:
    """Mean watts of a chip that does `found` in `seconds`; `busy` is the share of the time in which kernels run."""
    at = np.maximum(seconds, 1e-12)
    # In a mode the roofs are those of the slowed chip, so the shares are those reached in it.
    return chip_watts(chip, found.compute_s / at, found.memory_s / at, busy, mode)


def idle_watts(chip: Chip, mode: PowerMode = FULL) -> float:
    """Watts of a chip with its clocks up that waits for work."""
    return float(chip_watts(chip, 0.0, 0.0, 0.0, mode))


def room_bytes(chip: Chip) -> float:
    """Memory of a chip that weights, cache and activations may take; small boards keep a tenth for the rest."""
    memory = usable_memory_bytes(chip)
    return max(MEMORY_SHARE * memory - min(RESERVE_BYTES, 0.05 * memory), 0.0)

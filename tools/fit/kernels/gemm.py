"""Matrix products: the form of `physics/chip/gemm.py` with bounds of its constants, and the rows it is fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.gemm import gemm_seconds, widths
from gigawatt.physics.chip.kernels import peak_of

from . import tables
from .harness import Floats, Form, Free

PRECISIONS = ("bf16", "fp8", "fp8_block", "fp4")
# name: start, lowest, highest. Upper ends above 1 allow for a peak or bandwidth that a chip beats.
FREE = {
    "t0": Free(3.0, 0.05, 40.0),
    "ec": Free(0.8, 0.2, 1.3),
    "em": Free(0.85, 0.3, 1.1),
    "pn": Free(2.2, 1.0, 12.0),
    "pro": Free(0.6, 1e-3, 15.0),
    "epi": Free(0.3, 1e-4, 20.0),
    "bsm": Free(4.0, 1.0, 30.0),
    "kl": Free(0.5, 5e-3, 20.0),
    "r0": Free(3.0, 0.01, 40.0),
    "r1": Free(0.5, 1e-3, 3.0),
}
QUANTISE = {"qb": Free(5.0, 1e-3, 30.0), "qr": Free(0.5, 1e-4, 60.0)}
RESIDENT = {"l2c": Free(0.3, 0.03, 1.5), "phi": Free(0.4, 0.02, 1.0)}
STARTS = ({"kl": 3.0}, {"kl": 3.0, "pro": 2.0})
# Vendor wording of a precision that has no quantise pass of its own.
PLAIN = {"qb": 0.0, "qr": 0.0}


def rows(data: Path, system: str, engine: str, precision: str) -> tables.Rows | None:
    """Measured products of an engine, or the fastest engine of each shape ('best'); folds by (n, k)."""
    engines = tables.ENGINES if engine == "best" else (engine,)
    parts = [part for name in engines if (part := tables.gemm(data, system, name, precision)) is not None]
    return tables.grouped(tables.best_of(parts), "n", "k") if parts else None


def form(chip: Chip, precision: str, wide: bool) -> Form:
    """The kernel form on one chip with one menu of tiles."""
    peak = peak_of(chip, precision)

    def predict(x: Mapping[str, Floats], values: Mapping[str, float]) -> Floats:
        return 1e6 * gemm_seconds(chip, x["m"], x["n"], x["k"], precision, peak, values, resident=True)

    free = dict(FREE) | ({} if precision == "bf16" else QUANTISE) | (RESIDENT if chip.l2_bytes else {})
    fixed = {"wide": float(wide)} | (PLAIN if precision == "bf16" else {})
    return Form("gemm", predict, free, fixed, STARTS)


def null(chip: Chip, precision: str) -> Form:
    """Launch plus the larger of arithmetic and memory, each at one share of its peak."""
    peak, bandwidth = peak_of(chip, precision), chip.memory_bytes_per_s
    weight, activation = widths(precision)

    def predict(x: Mapping[str, Floats], v: Mapping[str, float]) -> Floats:
        m, n, k = x["m"], x["n"], x["k"]
        moved = weight * n * k + activation * m * k + 2.0 * m * n
        return v["t0"] + 1e6 * (2.0 * m * n * k / (peak * v["ec"])).clip(moved / (bandwidth * v["em"]))

    shares = Free(0.7, 0.05, 1.5)
    return Form("null", predict, {"t0": Free(5.0, 0.05, 60.0), "ec": shares, "em": shares})

"""Watts of operators: a million rows of mixed kinds, and the same under a cap."""

from __future__ import annotations

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.chip.clocks import capped_seconds
from gigawatt.physics.chip.kernel_power import kinds, operator_watts
from measure import best_of, line, numpy_element_s

ROWS = 1_000_000


def main() -> None:
    chip = chip_from_record(Catalog.load().get("accelerator", "b200-sxm"))
    rng = np.random.default_rng(0)
    compute, memory, comm = rng.random((3, ROWS))
    codes = rng.integers(0, len(kinds().names), ROWS)
    element_s = numpy_element_s()
    for name, kind, share in (
        ("one kind", "gemm/fp8", 0.0),
        ("mixed kinds", codes, 0.0),
        ("and messages", codes, comm),
    ):
        seconds, found = best_of(lambda kind=kind, share=share: operator_watts(chip, compute, memory, kind, share))
        each = seconds / ROWS / element_s
        line(f"{ROWS:,} operators, {name}", f"{1e3 * seconds:.0f} ms", f"{each:,.0f} multiply-adds a row")
    seconds, _ = best_of(lambda: capped_seconds(chip, 1.0, found.watts, 700.0, compute))
    line(f"{ROWS:,} operators under a cap", f"{1e3 * seconds:.0f} ms", "")


if __name__ == "__main__":
    main()

"""Seconds and joules of a million operator rows on one core, full and reduced, beside NumPy streaming the same bytes.

    python bench/bench_operators.py

The table is a decoder's (attention, feed-forward, experts, norms, head) at many batches and lengths, as a search asks.
"""

from __future__ import annotations

import time

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.chip.operators import Numerics, run_operators
from gigawatt.physics.workload import from_config, operators
from measure import line

ROWS = 1_000_000


def main() -> None:
    catalog = Catalog.load()
    chip = chip_from_record(catalog.get("accelerator", "b200-sxm"))
    arch = from_config("qwen3-235b-a22b", catalog.get("model", "qwen3-235b-a22b").config)
    numerics = Numerics("fp8", kv="fp8")
    rng = np.random.default_rng(1)
    for phase in ("decode", "prefill"):
        one = operators(arch, phase, tokens=1 if phase == "decode" else 64, batch=1, past=64, tp=4, ep=4)
        points = ROWS // len(one)
        batch = np.unique(rng.integers(1, 4096, points)) if phase == "decode" else rng.integers(1, 64, points)
        batch = rng.choice(batch, points)
        tokens = 1 if phase == "decode" else rng.integers(64, 8192, points)
        table = operators(
            arch,
            phase,
            tokens=tokens,
            batch=batch,
            past=rng.integers(0, 8192, points),
            tp=4,
            ep=4,
            widths=numerics.widths(),
        )
        rows = len(table) * table.points
        stream = np.ones((len(table), table.points))
        begun = time.process_time()
        for _ in range(3):
            stream = np.sqrt(stream * 1.1 + 0.5)
        limit = time.process_time() - begun
        exact = run_operators(chip, table, numerics)
        for name, reduced in (("full", False), ("reduced", True)):
            begun = time.process_time()
            found = run_operators(chip, table, numerics, reduced=reduced)
            joules = found.total_j
            spent = time.process_time() - begun
            off = np.abs(found.total_s / exact.total_s - 1.0)
            line(
                f"{phase}, {rows:,} rows, {name}",
                f"{spent / rows * 1e6:.3f} s a million",
                f"{spent / limit:.1f} x three NumPy passes; sums off the full form by {np.median(off):.1%} median, "
                f"{np.quantile(off, 0.9):.1%} p90; {np.mean(joules):.3g} J a point",
            )


if __name__ == "__main__":
    main()

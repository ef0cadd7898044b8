"""Contracts, defaults and statements of a network over many draws, beside one draw at a time and plain arithmetic.

60 companies, 500 contracts of fifteen kinds, 40 quarters, three statements each quarter; clearing wherever a purse is short.
The batched form must give what the loop gives: both are printed side by side.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

from gigawatt.finance.batch import CHUNK, settle_draws
from gigawatt.finance.settlement import NEVER, settle
from measure import line, numpy_element_s

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "finance"))

COMPANIES, CONTRACTS, QUARTERS, LOOPED = 60, 500, 40, 50


def main(draws: int = 10_000) -> None:
    from deals_looped import settle_one
    from deals_synthetic import synthetic

    began = time.perf_counter()
    made = synthetic(draws, companies=COMPANIES, contracts=CONTRACTS, quarters=QUARTERS)
    line("network", f"{COMPANIES} x {CONTRACTS} x {QUARTERS}", f"made in {time.perf_counter() - began:.2f} s")

    began = time.perf_counter()
    one = settle(made.obligations(0, 1), made.firms)
    first_s = time.perf_counter() - began
    line("one draw, every payment and book kept", f"{first_s:.2f} s", f"stock-flow residual {one.residual:.1e}")

    began = time.perf_counter()
    owed = made.obligations(0, LOOPED)
    loops = [settle_one(owed, made.firms, k) for k in range(3)]
    loop_s = (time.perf_counter() - began) / 3
    began = time.perf_counter()
    alone = [settle(made.obligations(k, k + 1), made.firms) for k in range(LOOPED)]
    alone_s = (time.perf_counter() - began) / LOOPED
    batch = settle(made.obligations(0, LOOPED), made.firms)
    apart = max(
        float(
            np.abs(batch.books["cash"][:, :, k] - alone[k].books["cash"][:, :, 0]).max()
            / np.abs(batch.books["cash"]).max()
        )
        for k in range(LOOPED)
    )
    plain = max(
        float(np.abs(batch.of("cash", name)[:, k] - np.array(loops[k].cash[name])).max())
        for k in range(3)
        for name in batch.parties
    )
    line(f"batched less one at a time, {LOOPED} draws", f"{apart:.1e}", "of the largest cash balance")
    line("batched less a plain Python loop, 3 draws", f"{plain:.2g} USD", "largest difference of any cash balance")

    workers = min(os.cpu_count() or 1, 2)
    began = time.perf_counter()
    found = settle_draws(made.obligations, made.firms, draws, workers=workers)
    batch_s = time.perf_counter() - began
    elements = draws * QUARTERS * len(one.lines)
    floor_s = elements * numpy_element_s()
    fallen = (found.default_period < NEVER).sum(axis=0)
    line(
        f"{draws:,} draws in chunks of {CHUNK}, {workers} workers",
        f"{batch_s:.1f} s",
        f"{1e6 * batch_s / elements * 1e3:.1f} ns a line and quarter",
    )
    line(
        "  beside the plain loop",
        f"{loop_s * draws / batch_s:.0f} x faster",
        f"a draw: {loop_s:.2f} s, {1e3 * batch_s / draws:.2f} ms",
    )
    line("  beside one draw at a time, batched code", f"{alone_s * draws / batch_s:.0f} x faster")
    line("  beside one NumPy multiply-add a line and quarter", f"{batch_s / floor_s:.0f} x")
    line(
        "companies in default, mean and most of the draws",
        f"{fallen.mean():.1f}, {fallen.max()}",
        f"residual {found.residual:.1e}",
    )
    line(
        "peak memory",
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB",
        "books of 10,000 draws in single precision",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)

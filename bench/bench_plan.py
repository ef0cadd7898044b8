"""The fleet programme: our plan, its shadow prices and a replan for each draw, beside SciPy's HiGHS on the same matrix."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack

from gigawatt.factory import Coefficients, Draws, PlanInputs, Platforms, Points, Segments, plan, replan, revalue
from gigawatt.factory.model import build
from measure import best_of, line

PLATFORMS, WORKLOADS, POINTS, DRAWS = 12, 6, 20, 256


def inputs() -> PlanInputs:
    """A made-up site: every platform runs every workload at every point."""
    rng = np.random.default_rng(1)
    shape = (PLATFORMS, WORKLOADS, POINTS)
    platform, workload, _ = (index.ravel() for index in np.indices(shape))
    watts = np.broadcast_to(np.linspace(0.6, 1.0, POINTS), shape).ravel()
    mw = watts * rng.uniform(0.1, 0.25, PLATFORMS)[platform]
    speed = rng.uniform(0.5, 2.0, (PLATFORMS, WORKLOADS))[platform, workload]
    tokens = speed * watts**0.6 * 4e5 * mw
    points = Points.of(
        platform=platform,
        workload=workload,
        mw=mw,
        tokens_out_per_s=tokens,
        label=[f"p{j}" for j in range(platform.size)],
    )
    return PlanInputs(
        platforms=Platforms.of(tuple(f"platform-{p}" for p in range(PLATFORMS)), rng.uniform(2e6, 6e6, PLATFORMS)),
        workloads=tuple(f"work-{w}" for w in range(WORKLOADS)),
        points=points,
        segments=Segments.of(
            tuple(f"tier-{s}" for s in range(3 * WORKLOADS)),
            np.repeat(np.arange(WORKLOADS), 3),
            np.tile([1.2, 0.8, 0.5], WORKLOADS),
            np.full(3 * WORKLOADS, 4e7),
        ),
        coefficients=(
            Coefficients.of("system", points, platform_usd_per_yr=np.full(PLATFORMS, 1e6), energy_usd_per_mw_yr=4.2e5),
        ),
        power_mw=1000.0,
        capital_usd=4e10,
        shell_usd_per_mw=11.3e6,
        objective="system",
    )


def main() -> None:
    site = inputs()
    program = build(site).program
    matrix = csr_array(
        (program.values, (program.rows, program.columns)), shape=(program.row_low.size, program.cost.size)
    )
    upper, lower = np.isfinite(program.row_high), np.isfinite(program.row_low)
    both = (csr_array(matrix[upper]), csr_array(-matrix[lower]))
    stacked = vstack(both) if lower.any() else both[0]
    sides = np.concatenate([program.row_high[upper], -program.row_low[lower]])
    bounds = np.column_stack([program.col_low, program.col_high])
    peer_s, peer = best_of(lambda: linprog(-program.cost, A_ub=stacked, b_ub=sides, bounds=bounds, method="highs"), 3)
    bare_s, best = best_of(lambda: plan(site, prices=False), 3)
    full_s, _ = best_of(lambda: plan(site), 3)
    line("columns x rows", f"{program.cost.size:,} x {program.row_low.size}")
    line("SciPy linprog (HiGHS), same matrix", f"{1e3 * peer_s:.1f} ms", f"optimum {-peer.fun:,.6g}")
    line(
        "plan without prices",
        f"{1e3 * bare_s:.1f} ms",
        f"{bare_s / peer_s:.2f} x SciPy; optimum {best.value_usd_per_yr / 1e6:,.6g}",
    )
    line("plan with shadow prices of every limit", f"{1e3 * full_s:.1f} ms", f"{full_s / peer_s:.2f} x SciPy")
    rng = np.random.default_rng(2)
    draws = Draws(DRAWS, price=rng.lognormal(0, 0.2, (DRAWS, WORKLOADS)))
    held_s, _ = best_of(lambda: revalue(best, draws), 3)
    again_s, _ = best_of(lambda: replan(site, draws), 1)
    line(f"{DRAWS} draws, fleet held", f"{1e3 * held_s:.1f} ms", f"{held_s / peer_s:.2f} x one solve of SciPy")
    line(
        f"{DRAWS} draws, fleet chosen anew", f"{1e3 * again_s:.0f} ms", f"{again_s / peer_s / DRAWS:.2f} x SciPy a draw"
    )


if __name__ == "__main__":
    main()

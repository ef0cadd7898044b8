"""The build-out over six years: with and without the points that can not be needed, beside SciPy's HiGHS on the same matrix.

24 quarters x 20 platforms x 10 workloads x 30 operating points. Peak memory is that of a process of its own that does nothing
else (`--alone`).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from gigawatt.factory import Points
from gigawatt.factory.buildout import BuildInputs, BuildPlan, build_out
from gigawatt.factory.buildout.hull import useful
from gigawatt.factory.buildout.programme import build
from gigawatt.factory.solver import Solver
from measure import best_of, line, process

QUARTERS, PLATFORMS, WORKLOADS, POINTS, TIERS = 24, 20, 10, 30, 3


def inputs(seed: int = 1) -> BuildInputs:
    """A made-up site: a generation after another, 6 % better a quarter; a gigawatt that comes in steps; money once a year."""
    rng = np.random.default_rng(seed)
    shape, t = (PLATFORMS, WORKLOADS, POINTS), np.arange(QUARTERS)
    p, w, _ = (index.ravel() for index in np.indices(shape))
    watts = np.broadcast_to(np.linspace(0.6, 1.0, POINTS), shape).ravel()
    out = np.sort(rng.uniform(0, 0.8 * QUARTERS, PLATFORMS))
    out[0] = 0.0
    full_mw = rng.uniform(0.1, 0.2, PLATFORMS)[p]
    speed = (rng.uniform(0.7, 1.4, (PLATFORMS, WORKLOADS)) * 1.06 ** out[:, None])[p, w]
    tokens = speed * watts**0.6 * rng.uniform(0.97, 1.0, p.size) * 4e5 * full_mw
    points = Points.of(p, w, full_mw * watts, tokens)
    segments = TIERS * WORKLOADS
    price = np.tile([1.2, 0.8, 0.5], WORKLOADS) * np.repeat(rng.uniform(0.5, 1.5, WORKLOADS), TIERS)
    since = np.maximum(t - out[:, None], 0)
    cost = rng.uniform(2.5e6, 5e6, PLATFORMS)[:, None] * 0.95**since
    offered = (t >= out[:, None]) & (t < out[:, None] + 10)
    resale = 0.7 * cost * 0.9**since
    return BuildInputs(
        quarters=tuple(f"{2027 + i // 4} Q{i % 4 + 1}" for i in t),
        platforms=tuple(f"platform-{i}" for i in range(PLATFORMS)),
        workloads=tuple(f"work-{i}" for i in range(WORKLOADS)),
        points=points,
        segments=tuple(f"tier-{i}" for i in range(segments)),
        segment_workload=np.repeat(np.arange(WORKLOADS), TIERS),
        obligations=("pretrain",),
        obligation_workload=np.array([0]),
        discount=1.10 ** (-(t + 1) / 4),
        opening_discount=1.10 ** (-t / 4),
        power_mw=np.minimum(1000.0, 200.0 + 100.0 * t),
        capital_usd=np.where(t % 4 == 0, 1e10, 0.0),
        supply_racks=np.where(offered, rng.uniform(100, 600, PLATFORMS)[:, None], 0.0),
        demand_tokens_per_s=4e7 * 1.5 ** (t / 4) * np.ones((segments, 1)),
        price_usd_per_mtok=price[:, None] * 0.85 ** (t / 4),
        owed_tokens_per_s=np.where(t < QUARTERS // 2, 5e6, 0.0)[None, :],
        speed=np.broadcast_to(1 + 0.1 * (1 - np.exp(-t / 6)), (PLATFORMS, WORKLOADS, QUARTERS)).copy(),
        cost_usd=cost,
        list_usd=cost,
        upkeep_usd_per_yr=0.03 * cost[:, 0],
        energy_usd_per_yr=points.mw[:, None] * 5e5 * np.ones(QUARTERS),
        other_usd_per_yr=np.zeros(p.size),
        shell_usd_per_mw=np.full(QUARTERS, 11.3e6),
        shell_upkeep_usd_per_mw_yr=1e5,
        resale_usd=resale,
        terminal_usd=0.9 * resale[:, -1],
        shell_terminal_usd_per_mw=11.3e6 * (1 - (QUARTERS - t) / 60),
        lead_quarters=np.arange(PLATFORMS) % 3,
        life_quarters=np.full(PLATFORMS, 20),
        opening_racks=np.zeros(PLATFORMS),
        reinvest_share=0.3,
    )


def main() -> None:
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, vstack

    memory()
    site = inputs()
    keep = useful(site)
    for name, case in (("all points", site), ("points that can be needed", site.take(keep))):
        program = build(case).program
        size = f"{program.cost.size:,} x {program.row_low.size:,}"
        line(f"columns x rows, {name}", size, f"{program.values.size:,} non-zeros, {len(case.points):,} points")
        build_s, _ = best_of(lambda case=case: build(case), 2)
        ours_s, ours = best_of(lambda program=program: Solver(program, presolve=True).solve(), 1)
        shape = (program.row_low.size, program.cost.size)
        matrix = csr_array((program.values, (program.rows, program.columns)), shape=shape)
        same = program.row_low == program.row_high
        upper, lower = np.isfinite(program.row_high) & ~same, np.isfinite(program.row_low) & ~same
        began = time.perf_counter()
        peer = linprog(
            -program.cost,
            A_ub=vstack([csr_array(matrix[upper]), csr_array(-matrix[lower])]),
            b_ub=np.concatenate([program.row_high[upper], -program.row_low[lower]]),
            A_eq=csr_array(matrix[same]),
            b_eq=program.row_low[same],
            bounds=np.column_stack([program.col_low, program.col_high]),
            method="highs",
        )
        peer_s = time.perf_counter() - began
        line("  build the matrix", f"{1e3 * build_s:.0f} ms")
        line("  SciPy linprog (HiGHS), same matrix", f"{1e3 * peer_s:.0f} ms", f"optimum {-peer.fun:,.9f}")
        line("  our solve", f"{1e3 * ours_s:.0f} ms", f"{ours_s / peer_s:.2f} x SciPy; optimum {ours.value:,.9f}")
    began = time.perf_counter()
    best = build_out(site, prices=False)
    plan_s = time.perf_counter() - began
    line("build_out, all points given", f"{1e3 * plan_s:.0f} ms", f"{plan_s / peer_s:.2f} x SciPy, thinned matrix")
    began = time.perf_counter()
    priced = build_out(site)
    priced_s = time.perf_counter() - began
    probed = sum(limit.probed and limit.binding for limit in priced.limits)
    line("  with shadow prices", f"{1e3 * priced_s:.0f} ms", f"{len(priced.limits)} limits, {probed} on both sides")
    policies(best, peer_s)


def policies(best: BuildPlan, peer_s: float) -> None:
    """What seeing less costs."""
    for window in (12, 8, 4, 2, 1):
        began = time.perf_counter()
        rolled = build_out(best.inputs, policy="rolling", window=window, prices=False)
        seconds = time.perf_counter() - began
        lost = f"loses {100 * rolled.lost_share:.2f} %; {seconds / peer_s:.1f} x SciPy, thinned matrix"
        line(f"  rolling, {window} quarters at a time", f"{1e3 * seconds:.0f} ms", lost)


def memory() -> None:
    """Before anything large stands in this process: a child's peak starts from its parent's."""
    alone, bare = (process([sys.executable, str(Path(__file__)), flag]) for flag in ("--alone", "--imports"))
    line(
        "build_out with prices, a process of its own: peak",
        f"{alone.rss_mb:.0f} MB",
        f"{alone.cpu_s:.1f} s of one core",
    )
    line("  of which the interpreter and the imports", f"{bare.rss_mb:.0f} MB")


if __name__ == "__main__":
    if "--alone" in sys.argv:
        build_out(inputs())
    elif "--imports" not in sys.argv:
        main()

"""The network flow by flow: paths, max-min rates, exchanges, memory; beside a pass over the paths and slower solvers.

`python bench_flows.py HOSTS FLOWS` runs one case alone, for its memory.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from gigawatt.physics.fabric.flows import (
    SPRAY,
    Exchange,
    Routed,
    Routing,
    Topology,
    fat_tree_2,
    fat_tree_3,
    flow_seconds,
    max_min,
    route,
    shift,
    throughput,
    torus,
)
from gigawatt.physics.fabric.flows.maxmin import has_numba
from measure import best_of, line, process

B, LEAF = 50e9, 32
# (endpoints, flows a pair, tiers, bars in milliseconds by solver where there are any)
CASES: tuple[tuple[int, int, int, dict[str, int]], ...] = (
    (16_384, 1, 2, {"numpy": 20}),
    (16_384, 4, 2, {}),
    (16_384, 16, 2, {"numpy": 500, "numba": 150}),
    (65_536, 4, 2, {"numpy": 500}),
    (65_536, 16, 2, {"numba": 1_000}),
    (16_384, 16, 3, {}),
    (65_536, 4, 3, {}),
)


def tree(hosts: int, tiers: int = 2) -> Topology:
    if tiers == 2:
        return fat_tree_2(hosts, B, down=LEAF, spines=LEAF)
    return fat_tree_3(hosts, B, down=LEAF, pod_leaves=LEAF, aggregations=LEAF, group_cores=LEAF)


def shifted(topology: Topology, flows: int, by: int) -> Routed:
    hosts = np.arange(topology.network.endpoints)
    return route(topology, hosts, np.roll(hosts, -by), Routing("ecmp", flows))


def one_level_at_a_time(flows: Routed) -> np.ndarray:
    """Progressive filling in NumPy, a level a turn: what the rounds of local bottlenecks replace."""
    links, size = flows.links, flows.network.links
    left, rate = flows.bytes_per_s.copy(), np.full(len(links), np.nan)
    path = np.where(links < 0, size, links)
    count = np.bincount(path.ravel(), minlength=size + 1)[:size].astype(float)
    while np.isnan(rate).any():
        share = np.divide(left, count, out=np.full(size, np.inf), where=count > 0.5)
        full = np.append(share <= share.min() * (1 + 1e-12), False)
        frozen = full[path].any(axis=1) & np.isnan(rate)
        rate[frozen] = share.min()
        gone = np.bincount(path[frozen].ravel(), minlength=size + 1)[:size]
        left, count = left - gone * share.min(), count - gone
    return rate


def highest_minimum(flows: Routed) -> float:
    """The first level alone, as a linear programme."""
    row = np.repeat(np.arange(len(flows.links)), flows.links.shape[1])
    on = flows.links.ravel() >= 0
    uses = csr_array(
        (np.ones(on.sum()), (flows.links.ravel()[on], row[on])), shape=(flows.network.links, len(flows.links))
    )
    # Every flow a variable, all at least the level.
    n = len(flows.links)
    level = linprog(
        np.append(np.zeros(n), -1.0),
        A_ub=csr_array(np.vstack([np.hstack([uses.toarray(), np.zeros((uses.shape[0], 1))]), _above(n)])),
        b_ub=np.concatenate([flows.bytes_per_s, np.zeros(n)]),
        method="highs",
    )
    return float(level.x[-1])


def _above(n: int) -> np.ndarray:
    return np.hstack([-np.eye(n), np.ones((n, 1))])


def one_pass(flows: Routed) -> float:
    """Seconds to look up a share for every entry of the paths once: no exact solver does less."""
    path, share = np.ascontiguousarray(flows.links.T), flows.bytes_per_s
    return best_of(lambda: share[path].min(axis=0), 3)[0]


def patterns() -> None:
    for hosts, q, tiers, bars in CASES:
        build_s, topology = best_of(lambda hosts=hosts, tiers=tiers: tree(hosts, tiers), 2)
        by = LEAF if tiers == 2 else LEAF * LEAF
        paths_s, flows = best_of(lambda t=topology, q=q, by=by: shifted(t, q, by), 2)
        seconds = {}
        for solver in ("numpy", "numba") if has_numba() else ("numpy",):
            seconds[solver], rates = best_of(lambda f=flows, s=solver: f.pair_rates(solver=s), 2)
        share, floor = rates / B, one_pass(flows)
        what = f"{hosts:,} x {q}, {tiers} tiers"
        line(f"{what}: network, then paths", f"{1e3 * build_s:.0f}, {1e3 * paths_s:.0f} ms")
        for solver, s in seconds.items():
            line(
                f"{what}: rates, {solver}",
                f"{1e3 * s:.0f} ms",
                f"{s / floor:,.0f} passes over the paths" + (f"; bar {bars[solver]} ms" if solver in bars else ""),
            )
        line(
            f"{what}: mean, p1, minimum of line rate",
            f"{share.mean():.3f}",
            f"{np.quantile(share, 0.01):.2f}, {share.min():.2f}",
        )


def peers() -> None:
    flows = shifted(tree(4_096), 4, LEAF)
    mine_s, mine = best_of(lambda: flows.flow_rates(solver="numpy"), 3)
    naive_s, naive = best_of(lambda: one_level_at_a_time(flows), 1)
    assert np.allclose(mine, naive, rtol=1e-9)
    line(
        "4,096 x 4: one level at a time, NumPy",
        f"{1e3 * naive_s:.0f} ms",
        f"{naive_s / mine_s:,.0f} times ours, same rates",
    )
    few = shifted(tree(512), 1, LEAF)
    mine_s, rates = best_of(lambda: max_min(few.links, few.bytes_per_s, solver="numpy"), 5)
    programme_s, level = best_of(lambda: highest_minimum(few), 1)
    assert np.isclose(level, rates.min(), rtol=1e-6)
    line(
        "512 x 1: HiGHS, the first level alone",
        f"{1e3 * programme_s:.0f} ms",
        f"{programme_s / mine_s:,.0f} times ours",
    )


def exchanges() -> None:
    everybody = Exchange("all-to-all", np.arange(16_384, dtype=np.int32)[None])
    for what, topology, exact in (
        ("two tiers, 1:1", tree(16_384), 16_383 / 16_384),
        ("two tiers, 1:7", fat_tree_2(16_384, B, down=LEAF, spines=LEAF, oversubscription=7), 7 * 16_352 / 16_384),
        ("torus 16 x 32 x 32", torus((16, 32, 32), B), 32 / 8),
    ):
        seconds, timing = best_of(lambda t=topology: flow_seconds(t, "all_to_all", 1e9), 3)
        off = timing.seconds * B / 1e9 / exact - 1
        line(f"all-to-all of 16,384, {what}", f"{1e3 * seconds:.0f} ms", f"268 M pairs; {off:+.1e} off the closed form")
    seconds, _ = best_of(lambda: throughput(tree(16_384), everybody), 2)
    line("the same with shares of line rate", f"{1e3 * seconds:.0f} ms")
    sprayed = tree(65_536)
    seconds, _ = best_of(lambda: throughput(sprayed, shift(65_536, LEAF), SPRAY), 2)
    line("65,536 sprayed, with shares of line rate", f"{1e3 * seconds:.0f} ms")


def memory() -> None:
    """First of all: a child counts what its parent held when it was born."""
    bare = process([sys.executable, __file__, "32", "1", "numpy"])
    for solver in ("numpy", "numba") if has_numba() else ("numpy",):
        run = process([sys.executable, __file__, "65536", "16", solver])
        told = f"{run.rss_mb - bare.rss_mb:.0f} MB above a process with 32 flows; bar 500 MB"
        line(f"65,536 x 16, whole process, {solver}", f"{run.rss_mb:.0f} MB", told)


def main() -> None:
    if len(sys.argv) > 1:
        hosts, q = int(sys.argv[1]), int(sys.argv[2])
        solver = sys.argv[3] if len(sys.argv) > 3 else "auto"
        shifted(tree(hosts), q, LEAF).pair_rates(solver=solver)
        return
    memory()
    patterns()
    peers()
    exchanges()


if __name__ == "__main__":
    main()

"""Throughput, jobs beside each other, stragglers, and the factor that the closed form may take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gigawatt.core.errors import InputError
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.fabric.flows import (
    SPRAY,
    Exchange,
    Routing,
    Step,
    domains,
    efficiency,
    fat_tree_2,
    health,
    network_of,
    nodes_named,
    place,
    planes,
    random_permutation,
    share_network,
    share_patterns,
    shift,
    switch,
    throughput,
    torus,
)

B = 50e9
NDR = Fabric(
    "ndr",
    "infiniband",
    "switched",
    "hopper",
    450e9,
    8,
    8,
    50e9,
    50e9,
    radix=64,
    switch_port_bytes_per_s=50e9,
    tiers=2,
    routing="ecmp",
    topology="rail_fat_tree",
)
TREE = fat_tree_2(4_096, B, down=32, spines=32)


def test_mean_first_percentile_and_minimum() -> None:
    found = throughput(TREE, shift(4_096, 32), Routing("ecmp", 4))
    assert found.pairs == 4_096
    assert found.mean == pytest.approx(0.893, abs=0.01)
    assert found.minimum < found.p1 < found.mean
    assert found.slowest_bytes_per_s == pytest.approx(found.minimum * B)
    assert "leaf" in found.bottleneck and "spine" in found.bottleneck
    sprayed = throughput(TREE, shift(4_096, 32))
    assert (sprayed.mean, sprayed.p1, sprayed.minimum) == pytest.approx((1.0, 1.0, 1.0))
    assert "endpoint" in sprayed.bottleneck


def test_which_permutation_matters() -> None:
    """A random one also collides where leaves receive: .95 with 16 queue pairs, where a shift has .986."""
    found = throughput(TREE, random_permutation(4_096), Routing("ecmp", 16))
    assert found.mean == pytest.approx(0.95, abs=0.005)
    assert throughput(TREE, random_permutation(4_096)).minimum == pytest.approx(1.0)


def test_fewer_fatter_spines_collide_less() -> None:
    """4 queue pairs over 64, 32, 16, 8 spines: .82, .89, .94, .96."""
    for spines, mean in ((64, 0.82), (32, 0.89), (16, 0.94), (8, 0.96)):
        topology = fat_tree_2(4_096, B, down=32, spines=spines)
        assert throughput(topology, shift(4_096, 32), Routing("ecmp", 4)).mean == pytest.approx(mean, abs=0.012)


def test_the_line_is_what_endpoints_allow() -> None:
    """All-to-all at 1:7: pairs in a leaf are as fast as the line and not faster; the others have a seventh, about."""
    n = 4_096
    topology = fat_tree_2(n, B, down=32, spines=32, oversubscription=7)
    found = throughput(topology, Exchange("all-to-all", np.arange(n, dtype=np.int32)[None]))
    assert found.pairs == n * (n - 1)
    assert found.minimum == found.p1 == pytest.approx((n - 1) / (n - 32) / 7)
    assert found.mean == pytest.approx(found.minimum + (1 - found.minimum) * 31 / (n - 1))
    # One queue pair in one plane of four has a quarter of the line.
    four = planes(fat_tree_2(256, B / 4, down=256, spines=256), 4)
    assert throughput(four, shift(256, 1), Routing("ecmp")).minimum == pytest.approx(0.25)
    # A node of a 4 x 4 x 4 torus injects at six links, and an all-to-all takes n k/8 flows over each.
    cube = throughput(torus((4, 4, 4), B), Exchange("all-to-all", np.arange(64, dtype=np.int32)[None]))
    assert cube.minimum == pytest.approx((1 / 32) / (6 / 63))


def test_stragglers_hold_back_a_step() -> None:
    slow = health(TREE.network, slow_nodes={7: 0.3})
    found = throughput(TREE, shift(4_096, 32), SPRAY, slow)
    assert found.minimum == pytest.approx(0.3)
    assert found.mean == pytest.approx(1 - 2 * 0.7 / 4_096)
    assert "endpoint 7" in found.bottleneck


def test_a_cut_is_a_result() -> None:
    state = health(TREE.network, failed_nodes=nodes_named(TREE.network, "leaf 0"))
    found = throughput(TREE, shift(4_096, 32), SPRAY, state)
    assert (found.minimum, found.bottleneck, found.cut_pairs) == (0.0, "cut off", 64)
    assert found.cut.startswith("endpoint 0, endpoint 1, ") and found.cut.endswith("and 26 more")
    assert found.mean == pytest.approx(1 - 64 / 4_096)


def test_hashed_and_broken_exchanges() -> None:
    """Pair by pair where classes would not be alike; shares are of the same line."""
    small = fat_tree_2(128, B, down=16, spines=16)
    pattern = Exchange("all-to-all", np.arange(128, dtype=np.int32)[None])
    assert throughput(small, pattern).minimum == pytest.approx(1.0)
    hashed = throughput(small, pattern, Routing("ecmp"))
    assert 0.6 < hashed.minimum < hashed.mean < 1.0
    state = health(small.network, failed_nodes=[3], failed_share=0.05)
    broken = throughput(small, pattern, SPRAY, state)
    assert (broken.cut_pairs, broken.cut) == (2 * 127, "endpoint 3")
    assert broken.p1 == 0.0


def test_jobs_beside_each_other() -> None:
    """16 jobs of 128 hosts placed at random: steps take 6.0, 2.3, 1.3 times the line's, alone 2-3, 1, 1; packed 1."""
    rails = fat_tree_2(16_384, B, down=32, spines=32, rails=8)
    for flows, together, alone in ((1, 6.0, 2.5), (4, 2.3, 1.0), (16, 1.3, 1.0)):
        jobs = share_network(rails, [1_024] * 16, placement="random", unit=8, routing=Routing("ecmp", flows))
        assert B / np.median([job.together_bytes_per_s for job in jobs]) == pytest.approx(together, rel=0.05)
        assert B / np.median([job.alone_bytes_per_s for job in jobs]) == pytest.approx(alone, rel=0.21)
        assert all(job.slowdown >= 1 - 1e-9 for job in jobs)
    for placement in ("random", "packed"):
        jobs = share_network(rails, [1_024] * 16, placement=placement, unit=8)
        assert [job.slowdown for job in jobs] == pytest.approx([1.0] * 16)


def test_a_job_pays_for_its_neighbour() -> None:
    """Two shifts over the same trunk of a 2:1 leaf get half of what one alone gets."""
    topology = fat_tree_2(32, B, down=16, spines=1, oversubscription=2)
    left, right = (Step("job", np.arange(first, first + 8), 16 + np.arange(first, first + 8)) for first in (0, 8))
    jobs = share_patterns(topology, [left, right])
    assert [job.slowdown for job in jobs] == pytest.approx([2.0, 2.0])
    assert jobs[0].alone_bytes_per_s == pytest.approx(B)
    cut = share_patterns(topology, [left, right], health=health(topology.network, failed_nodes=[0]))
    assert cut[0].slowdown == float("inf")
    assert cut[1].slowdown == pytest.approx(15 / 8 / 1, rel=0.1)


def test_domains_stay_whole_when_placed() -> None:
    made = domains(switch(8, 9 * B), fat_tree_2(512, B, down=32, spines=32, rails=8))
    jobs = share_network(made, [256, 128], placement="random", routing=Routing("ecmp"))
    assert [job.ranks for job in jobs] == [256, 128]
    groups = place(512, [256, 128], "random", unit=8, seed=3)
    assert all(
        np.array_equal(group.reshape(-1, 8) % 8, np.tile(np.arange(8), (len(group) // 8, 1))) for group in groups
    )
    assert len(np.unique(np.concatenate(groups))) == 384


@pytest.mark.parametrize(
    ("sizes", "how", "unit", "says"),
    [
        ([8], "paked", 1, "did you mean 'packed'"),
        ([12], "packed", 8, "no whole number of units of 8"),
        ([40, 32], "packed", 8, "jobs of 72 ranks in all"),
    ],
)
def test_placements_that_do_not_fit(sizes: list[int], how: str, unit: int, says: str) -> None:
    with pytest.raises(InputError) as caught:
        place(64, sizes, how, unit=unit)
    assert says in str(caught.value)


def test_efficiency_is_one_where_nothing_is_worse() -> None:
    """Sprayed and packed it is 1 by definition, and so with rails that a ring never leaves; oversubscription is not in it."""
    for fabric in (NDR, replace(NDR, oversubscription=3.0)):
        for pattern in ("ring", "shift", "random", "all_to_all"):
            assert efficiency(fabric, pattern, endpoints=1_024, routing=SPRAY) == 1.0
    assert efficiency(NDR, endpoints=2_048) == pytest.approx(1.0)
    assert efficiency(replace(NDR, routing="adaptive"), "shift", endpoints=2_048) == 1.0
    hashed = efficiency(NDR, "shift", endpoints=2_048, flows_per_pair=4)
    assert hashed == efficiency(NDR, "shift", endpoints=2_048, routing=Routing("ecmp", 4)) < 1.0


def test_placement_matters_more_than_rails() -> None:
    """Rings at the slowest hop: packed .29 / .99 / 1.0 under top-of-rack leaves, at random .16 / .42 / .75 with rails."""
    racks = replace(NDR, rails=1)
    packed = [efficiency(racks, endpoints=2_048, routing=Routing("ecmp", q)) for q in (1, 4, 16)]
    assert packed == pytest.approx([0.31, 0.99, 1.0], abs=0.03)
    spread = [
        efficiency(NDR, endpoints=2_048, placement="random", routing=Routing("ecmp", q), statistic="minimum")
        for q in (1, 4, 16)
    ]
    assert spread == pytest.approx([0.16, 0.42, 0.77], abs=0.08)
    assert efficiency(NDR, endpoints=2_048, placement="random", routing=SPRAY) == pytest.approx(1.0)


def test_efficiency_statistics_failures_and_parts() -> None:
    low, first, mean = (
        efficiency(NDR, "shift", endpoints=2_048, routing=Routing("ecmp", 4), statistic=s)
        for s in ("minimum", "p1", "mean")
    )
    assert low < first < mean < 1
    whole, broken = (
        efficiency(NDR, "shift", endpoints=2_048, routing=SPRAY, failed_share=f, statistic="mean") for f in (0.0, 0.03)
    )
    assert broken == pytest.approx(0.96, abs=0.015)
    assert broken < whole == 1.0
    assert 0 < efficiency(NDR, endpoints=2_048, ranks=256, placement="random") < 1


def test_efficiency_depends_on_design_numbers_alone() -> None:
    from gigawatt.physics.fabric.flows.efficiency import _share

    first = efficiency(NDR, "shift", endpoints=1_024)
    before = _share.cache_info().misses
    assert efficiency(replace(NDR, name="other", generation="blackwell"), "shift", endpoints=1_024) == first
    assert _share.cache_info().misses == before


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"pattern": "rings"}, "did you mean 'ring'"),
        ({"statistic": "median"}, "no statistic 'median'"),
        ({"ranks": 8}, "meets no network"),
        ({"ranks": 100}, "no whole number of units of 8"),
        ({"ranks": 2_048}, "jobs of 2,048 ranks"),
        ({"failed_share": 1.5}, "between 0 and 1"),
    ],
)
def test_efficiency_of_nonsense(asked: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as caught:
        efficiency(NDR, **({"endpoints": 1_024} | asked))  # type: ignore[arg-type]
    assert says in str(caught.value)


def test_empty_patterns_have_no_throughput() -> None:
    nobody = np.empty(0, dtype=np.int32)
    with pytest.raises(InputError, match="has no pairs"):
        throughput(network_of(NDR, 64), Step("nothing", nobody, nobody))

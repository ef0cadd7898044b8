"""Tori against the bisection bound and networkx, dragonfly+, and the networks of catalog fabrics."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible, InputError
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.fabric.design import wiring_from_record
from gigawatt.physics.fabric.flows import (
    SPRAY,
    Domains,
    Routing,
    Topology,
    dragonfly_plus,
    fat_tree_2,
    flow_seconds,
    health,
    network,
    network_of,
    route,
    shapes,
    shortest_paths,
    torus,
)
from gigawatt.physics.fabric.topology import count

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
    topology="rail_fat_tree",
)


def everybody(topology: Topology) -> tuple[np.ndarray, np.ndarray]:
    n = topology.network.endpoints
    src, dst = (x.ravel() for x in np.meshgrid(np.arange(n), np.arange(n)))
    return src[src != dst], dst[src != dst]


def walks(topology: Topology, choice: int) -> None:
    """Every path leads from sender to receiver in as few links as networkx finds."""
    net = topology.network
    src, dst = (x.astype(np.int32) for x in everybody(topology))
    links = topology.paths(src, dst, np.full(len(src), choice))
    at = src.copy()
    for column in links.T:
        on = column >= 0
        assert np.array_equal(net.src[column[on]], at[on])
        at[on] = net.dst[column[on]]
    assert np.array_equal(at, dst)
    shortest = dict(nx.all_pairs_shortest_path_length(nx.DiGraph(zip(net.src.tolist(), net.dst.tolist(), strict=True))))
    assert (links >= 0).sum(axis=1).tolist() == [
        shortest[a][b] for a, b in zip(src.tolist(), dst.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("shape", "twist"),
    [
        ((7,), ()),
        ((2, 4), ()),
        ((5, 4), ()),
        ((3, 4, 4), ()),
        ((1, 6, 1), ()),
        ((4, 8), ((0, 1, 4),)),
        ((3, 3, 6), ((0, 2, 3), (1, 2, 3))),
        ((5, 3), ((0, 1, 1),)),
    ],
)
def test_torus_routes_are_minimal(shape: tuple[int, ...], twist: tuple[tuple[int, int, int], ...]) -> None:
    made = torus(shape, B, twist=twist)
    for choice in {0, 1, made.splits - 1, made.splits, made.choices - 1}:
        walks(made, choice)


@pytest.mark.parametrize("routing", [Routing("ecmp", 3), SPRAY], ids=["ecmp", "spray"])
@pytest.mark.parametrize("shape", [(4, 4, 4), (5, 5)])
def test_a_torus_goes_round_a_dead_link(shape: tuple[int, ...], routing: Routing) -> None:
    """In another order of dimensions or, half-way round, the other direction; on a straight line there is no other way."""
    made = torus(shape, B)
    net = made.network
    state = health(net, failed_links=[0])
    assert np.array_equal(np.flatnonzero(state == 0), np.sort([0, net.twins()[0]]))
    src, dst = everybody(made)
    found = route(made, src, dst, routing, state)
    assert not np.isin(found.links, np.flatnonzero(state == 0)).any()
    assert np.array_equal(found.pair_rates() > 0, ~found.cut)
    graph = nx.DiGraph(zip(net.src.tolist(), net.dst.tolist(), strict=True))
    whole = dict(nx.all_pairs_shortest_path_length(graph))
    graph.remove_edges_from([(0, int(net.dst[0])), (int(net.dst[0]), 0)])
    left = dict(nx.all_pairs_shortest_path_length(graph))
    longer = np.array([left[a][b] > whole[a][b] for a, b in zip(src.tolist(), dst.tolist(), strict=True)])
    assert found.cut.any() and not found.cut_names
    assert np.array_equal(found.cut, longer)
    lost = health(net, failed_share=0.1)
    assert (lost == 0).sum() == 2 * round(0.1 * net.links / 2)


@pytest.mark.parametrize("shape", [(8,), (7,), (8, 8), (6, 6), (5, 5), (4, 8), (2, 4, 4), (4, 4, 4), (3, 5, 2)])
def test_a_torus_reaches_the_bound_of_its_bisection(shape: tuple[int, ...]) -> None:
    """n k/8 flows over each link of the longest dimension (k even), n (k^2 - 1)/(8 k) (k odd): exactly."""
    made = torus(shape, B)
    n, k = made.network.endpoints, max(shape)
    bound = n * k / 8 if k % 2 == 0 else n * (k * k - 1) / (8 * k)
    slowest = route(made, *everybody(made), SPRAY).pair_rates().min()
    assert slowest == pytest.approx(B / bound, rel=1e-9)
    assert flow_seconds(made, "all_to_all", float(n)).seconds == pytest.approx(bound / B, rel=1e-9)


def test_the_flows_of_one_node_stand_for_all() -> None:
    """8 x 8 x 8 by symmetry, against the bound; 5 x 7 x 3 against pair by pair, where dimensions differ."""
    assert flow_seconds(torus((8, 8, 8), B), "all_to_all", 512.0).seconds == pytest.approx(512 / B, rel=1e-9)
    made = torus((5, 7, 3), B)
    step = route(made, *everybody(made), SPRAY)
    assert flow_seconds(made, "all_to_all", 105.0).seconds == pytest.approx(step.step_s(1.0), rel=1e-9)


def test_a_twist_shortens_the_way_round() -> None:
    """k x 2k, wrapped so that the short side shifts the long one by k, is nearly square: all-to-all gains a third."""
    plain, twisted = (flow_seconds(torus((4, 8), B, twist=t), "all_to_all", 1.0) for t in ((), ((0, 1, 4),)))
    assert plain.seconds / twisted.seconds > 1.3


def test_optical_switches_wire_any_shape() -> None:
    assert shapes(64)[0] == (4, 4, 4)
    assert {(1, 1, 64), (2, 4, 8), (4, 4, 4), (1, 8, 8), (2, 2, 16), (1, 2, 32), (1, 4, 16)} == set(shapes(64))
    times = [flow_seconds(torus(shape, B), "all_to_all", 64.0).seconds for shape in shapes(64)]
    assert times[0] == min(times) and times[-1] == max(times)


@settings(max_examples=25, deadline=None)
@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_all_links_of_a_torus_dimension_carry_the_same(shape: list[int]) -> None:
    """In an all-to-all: ties are split evenly, whatever the shape."""
    made = torus(shape, 1.0)
    if made.network.endpoints == 1:
        return
    routed = route(made, *everybody(made), SPRAY)
    load = np.bincount(routed.links[routed.links >= 0], minlength=made.network.links) / routed.flows_per_pair
    by_direction = load.reshape(made.network.endpoints, -1)
    assert np.ptp(by_direction, axis=0) == pytest.approx(0.0, abs=1e-9)
    assert by_direction[:, ::2] == pytest.approx(by_direction[:, 1::2])


def test_dragonfly_paths() -> None:
    made = dragonfly_plus(5, B, group_leaves=2, group_spines=4, down=2, spine_links=2)
    for choice in range(made.choices):
        walks(made, choice)
    twin = made.network.twins()
    assert np.array_equal(twin[twin], np.arange(made.network.links))
    cables = made.network.kind == made.network.kinds.index("group-group")
    pairs = np.stack([made.pooled.node[made.network.src], made.pooled.node[made.network.dst]])[:, cables]
    # Every two groups are joined alike.
    assert set(np.unique(pairs, axis=1, return_counts=True)[1].tolist()) == {2}


def test_dragonfly_rates() -> None:
    """Balanced, an all-to-all runs at line rate; a shift to the next group has only the links between the two."""
    made = dragonfly_plus(5, B, group_leaves=4, group_spines=4, down=4, spine_links=4)
    n = made.network.endpoints
    assert route(made, *everybody(made), SPRAY).pair_rates() == pytest.approx(B / (n - 1))
    hosts = np.arange(n)
    assert route(made, hosts, (hosts + 16) % n, SPRAY).pair_rates() == pytest.approx(B * 4 / 16)
    hashed = route(made, hosts, (hosts + 16) % n, Routing("ecmp")).pair_rates()
    assert hashed.sum() <= 5 * 4 * B * (1 + 1e-9)
    with pytest.raises(InputError, match="8 links out of a group can not be shared evenly by 5"):
        dragonfly_plus(6, B, group_leaves=2, group_spines=4, down=2, spine_links=2)


@settings(max_examples=40, deadline=None)
@given(
    hosts=st.integers(1, 200),
    tiers=st.integers(1, 3),
    over=st.sampled_from([1.0, 2.0, 3.0, 7.0]),
    planes=st.sampled_from([1, 2, 4]),
    rails=st.sampled_from([1, 4, 8]),
    narrow=st.sampled_from(["leaf", "pod"]),
)
def test_the_network_of_a_fabric(hosts: int, tiers: int, over: float, planes: int, rails: int, narrow: str) -> None:
    """Sprayed it gives line rate, or the share that oversubscription leaves; it has no fewer switches than are bought."""
    fabric = replace(NDR, tiers=tiers, oversubscription=over, planes=planes, rails=rails)
    n = hosts * 8
    try:
        bought = count(fabric, n)
    except Infeasible:
        with pytest.raises(Infeasible):
            network_of(fabric, n)
        return
    made = network_of(fabric, n, narrow=narrow)
    assert made.network.endpoints == n
    assert isinstance(made, Domains)
    if narrow == "leaf":
        # `planes` of one network each are one graph with the planes side by side.
        assert made.outside.network.nodes - n >= bought.switches
    ranks = np.arange(n)
    there = (ranks + 8 * (hosts // 2)) % n
    rates = route(made, ranks, there, SPRAY).pair_rates()[ranks != there] / fabric.nic_bytes_per_s
    assert np.all(rates <= 1 + 1e-9)
    assert np.all(rates >= 1 / over - 1e-9)


def test_networks_of_fabrics_in_detail() -> None:
    """Two tiers of 64 ports, full: as the parts list, 1:1, all ranks of one place at one leaf."""
    made = network_of(NDR, 2_048)
    assert dict(made.network.groups) == {"rank": 2_048, "leaf": 64, "spine": 32, "scale-up switch": 256}
    assert flow_seconds(made, "all_to_all", 1e9).seconds == pytest.approx(1e9 * 255 / 256 / 50e9)
    # Llama 3: 1:7 above the pod, where traffic inside one is not slowed.
    narrow = replace(NDR, tiers=3, oversubscription=7.0)
    hosts = np.arange(4_096)
    pod = network_of(narrow, 4_096, narrow="pod", scaleup=False)
    inside, across = (route(pod, hosts, (hosts + by) % 4_096, SPRAY).pair_rates() / 50e9 for by in (256, 2_048))
    assert np.median(inside) == pytest.approx(1.0)
    assert across == pytest.approx(1 / 7)
    small = network_of(replace(NDR, scaleup="mesh"), 4)
    assert flow_seconds(small, "all_to_all", 8.0).seconds == pytest.approx(2.0 / (450e9 / 7))
    cube = network_of(replace(NDR, scaleup="torus", domain=64, node=4), 64)
    assert flow_seconds(cube, "all_to_all", 64.0).seconds == pytest.approx(32 / (450e9 / 6))
    two = network_of(replace(NDR, scaleup="torus", domain=64, node=4), 128)
    for ranks in (64, np.arange(64, 128)):
        assert flow_seconds(two, "all_reduce", 64.0, ranks).seconds == pytest.approx(2 * 63 / 450e9)
    with pytest.raises(InputError, match="no whole number of domains of 8"):
        network_of(NDR, 20)
    with pytest.raises(InputError, match="did you mean 'pod'"):
        network_of(NDR, 64, narrow="pods")
    with pytest.raises(InputError, match="at least one endpoint"):
        network_of(NDR, 0)


def test_tori_that_do_not_exist() -> None:
    with pytest.raises(InputError) as caught:
        torus((0, 4), B, twist=[(1, 0, 2)])
    assert len(caught.value.problems) == 2
    with pytest.raises(InputError, match="no torus has 0 nodes"):
        shapes(0)


@pytest.mark.parametrize("seed", range(3))
def test_any_network_has_shortest_paths(seed: int) -> None:
    """Random switches with endpoints on them, some links double."""
    rng = np.random.default_rng(seed)
    graph = nx.connected_watts_strogatz_graph(12, 4, 0.4, seed=seed)
    ends = 20
    a, b = (ends + np.array(list(graph.edges))).T
    hosts, at = np.arange(ends), ends + rng.integers(0, 12, ends)
    src, dst = np.concatenate([hosts, at, a, b, a[:5], b[:5]]), np.concatenate([at, hosts, b, a, b[:5], a[:5]])
    made = shortest_paths(network("lab", (("endpoint", ends), ("switch", 12)), [("link", src, dst, B)]))
    for choice in (0, 1, 17, 720_719):
        walks(made, choice)


def test_any_network_gives_what_the_builders_give() -> None:
    """Two tiers as a graph: as many ways, the same rates sprayed, the same collisions on average."""
    made = fat_tree_2(64, B, down=8, spines=8)
    plain = shortest_paths(made.network, splits=8)
    hosts = np.arange(64)
    there = (hosts + 8) % 64
    assert np.array_equal(np.unique(plain.paths(hosts[:8] * 0, hosts[:8] * 0 + 9, np.arange(8)), axis=0).shape, (8, 4))
    assert route(plain, hosts, there, SPRAY).pair_rates() == pytest.approx(B)
    means = [
        np.mean([route(t, hosts, there, Routing("ecmp", 1, seed=s)).pair_rates().mean() / B for s in range(20)])
        for t in (made, plain)
    ]
    assert means[0] == pytest.approx(means[1], abs=0.02)
    ring = torus((6,), B)
    with pytest.raises(InputError, match="only through others"):
        shortest_paths(ring.network)
    around = shortest_paths(ring.network, relays=True, splits=2)
    assert route(around, *everybody(ring), SPRAY).step_s(1.0) == pytest.approx(
        route(ring, *everybody(ring), SPRAY).step_s(1.0)
    )
    with pytest.raises(InputError, match="at least 1 path"):
        shortest_paths(made.network, splits=0)


def test_the_networks_of_catalog_designs() -> None:
    """Every design of the catalog is a graph whose sprayed traffic has line rate, or what its oversubscription leaves."""
    catalog = Catalog.load()
    for name in catalog.ids("fabric"):
        fabric = wiring_from_record(catalog.get("fabric", name))
        leaves = count(fabric, 1_536).leaves
        n = 1_536 if fabric.topology != "dragonfly_plus" else leaves * (1_536 // leaves)
        made = network_of(fabric, n, scaleup=False)
        assert made.network.endpoints == n
        ranks = np.arange(n)
        if fabric.topology in ("fat_tree", "rail_fat_tree"):
            rates = route(made, ranks, (ranks + n // 2) % n, SPRAY).pair_rates() / fabric.nic_bytes_per_s
            assert np.all(rates >= 1 / fabric.oversubscription - 1e-9), name
            assert np.all(rates <= 1 + 1e-9), name

"""Collectives on exact networks: textbook times, and exchanges by classes against pair by pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.fabric import bus_factor
from gigawatt.physics.fabric.flows import (
    SPRAY,
    Exchange,
    Routing,
    Topology,
    domains,
    dragonfly_plus,
    fat_tree_2,
    fat_tree_3,
    flow_seconds,
    health,
    mesh,
    moe_schedule,
    planes,
    route,
    schedule,
    schedule_s,
    switch,
    torus,
    tree,
)
from gigawatt.physics.fabric.flows.classes import exchange
from gigawatt.physics.fabric.flows.patterns import double_tree

B, UP, S = 50e9, 450e9, 1e9


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 60), kind=st.sampled_from(["all_reduce", "all_gather", "reduce_scatter", "all_to_all"]))
def test_bus_bandwidth_of_one_switch_is_its_ports(n: int, kind: str) -> None:
    """2 (n-1)/n S/B for a ring all-reduce, (n-1)/n S/B for its halves and for all-to-all."""
    seconds = flow_seconds(switch(n, B), kind, S).seconds
    assert S / seconds * float(bus_factor(kind, n)) == pytest.approx(B, rel=1e-9)


@pytest.mark.parametrize("n", [3, 5, 8, 64])
def test_the_same_ring_on_a_ring_of_links(n: int) -> None:
    """One of a node's two directions, or both at half the bytes; two nodes alone are joined twice."""
    assert flow_seconds(torus((2,), B), "all_reduce", S, algorithm="ring").seconds == pytest.approx(S / B / 2)
    one, both = (flow_seconds(torus((n,), B), "all_reduce", S, algorithm=a).seconds for a in ("ring", "torus"))
    assert one == pytest.approx(2 * (n - 1) / n * S / B)
    assert both == pytest.approx(one / 2)


@pytest.mark.parametrize("shape", [(4, 4), (3, 3, 3), (4, 4, 4), (2, 2, 2)])
def test_a_cube_reduces_over_all_its_links(shape: tuple[int, ...]) -> None:
    """(n - 1)/n S over all 2 d links of a node, twice for an all-reduce: nothing less moves so much into a node."""
    made, n = torus(shape, B), int(np.prod(shape))
    half = (n - 1) / n * S / (2 * len(shape) * B)
    assert flow_seconds(made, "all_gather", S).seconds == pytest.approx(half)
    assert flow_seconds(made, "reduce_scatter", S).seconds == pytest.approx(half)
    assert flow_seconds(made, "all_reduce", S).seconds == pytest.approx(2 * half)


def test_flat_tori_wait_for_their_long_side() -> None:
    flat = flow_seconds(torus((2, 8, 4), B), "all_reduce", S).seconds
    assert (
        2 * 63 / 64 * S / (6 * B) < flat < flow_seconds(torus((2, 8, 4), B), "all_reduce", S, algorithm="ring").seconds
    )


def test_steady_flows() -> None:
    """A chain passes S over each hop; two trees give every port 2 S, one S if there are only two ranks."""
    for n in (3, 4, 8, 13, 64):
        assert flow_seconds(switch(n, B), "broadcast", S).seconds == pytest.approx(S / B)
        assert flow_seconds(switch(n, B), "reduce", S).seconds == pytest.approx(S / B)
        seconds = flow_seconds(switch(n, B), "all_reduce", S, algorithm="tree").seconds
        assert 1.5 * S / B <= seconds <= 2.001 * S / B
    assert flow_seconds(switch(2, B), "all_reduce", S, algorithm="tree").seconds == pytest.approx(S / B)
    assert flow_seconds(switch(6, B), "send_recv", S).seconds == pytest.approx(S / B)
    assert flow_seconds(switch(6, B), "all_reduce", S, 1).seconds == 0.0


@settings(max_examples=60, deadline=None)
@given(count=st.integers(2, 300))
def test_both_trees_span_and_share_the_work(count: int) -> None:
    """Each is a binary tree over all ranks; nobody has children in both, but for one rank where counts are odd."""
    inner = np.zeros(count, dtype=int)
    for up in double_tree(count):
        assert (up < 0).sum() == 1
        children = np.bincount(up[up >= 0], minlength=count)
        assert children.max() <= 2
        at = np.arange(count)
        for _ in range(count.bit_length() + 1):
            at = np.where(up[at] >= 0, up[at], at)
        assert len(set(at.tolist())) == 1, "all climb to one root"
        inner += children > 0
    assert (inner > 1).sum() <= 1


@pytest.mark.parametrize(("count", "size"), [(2, 64), (3, 64), (2, 8), (4, 8), (12, 4)])
def test_domains_with_nics(count: int, size: int) -> None:
    """All-to-all: bus bandwidth N/(N-1) of the NIC's but for the 1/n kept; rings use all NICs of a domain."""
    n = count * size
    made = domains(switch(size, UP), switch(n, B))
    exchanged = flow_seconds(made, "all_to_all", S).seconds
    assert exchanged == pytest.approx((count - 1) / count * S / B, rel=1e-12)
    ring = flow_seconds(made, "all_reduce", S).seconds
    assert ring == pytest.approx(2 * (n - 1) / n * max(S / size / B, (size - 1) / size * S / UP))
    phases = flow_seconds(made, "all_reduce", S, algorithm="hierarchical")
    inside, across = (size - 1) / size * S / UP, 2 * (count - 1) / count * S / size / B
    assert [seconds for _, seconds in phases.phases] == pytest.approx([inside, across, inside])
    assert phases.seconds == pytest.approx(2 * inside + across)
    together = flow_seconds(made, "all_reduce", S, algorithm="hierarchical", pipelined=True)
    assert together.seconds == pytest.approx(max(inside, across))
    chain = flow_seconds(made, "broadcast", S).seconds
    assert chain == pytest.approx(max(S / size / B, S / UP))
    assert flow_seconds(made, "reduce", S).seconds == pytest.approx(chain)


def test_inside_one_domain() -> None:
    made = domains(switch(8, UP), switch(16, B))
    assert flow_seconds(made, "all_reduce", S, 8).seconds == pytest.approx(2 * 7 / 8 * S / UP)
    assert flow_seconds(made, "all_to_all", S, 8).seconds == pytest.approx(7 / 8 * S / UP)
    assert flow_seconds(made, "broadcast", S, 8).seconds == pytest.approx(S / UP)
    linked = domains(mesh(8, UP), switch(16, B))
    assert flow_seconds(linked, "all_to_all", S, 8).seconds == pytest.approx(7 / 8 * S / UP)
    # A ring over a full mesh uses one link of seven.
    assert flow_seconds(linked, "all_reduce", S, 8).seconds == pytest.approx(2 * 7 / 8 * S / (UP / 7))


def test_mixture_of_experts() -> None:
    """Normal: payload (N-1)/N over the NIC. Low latency: the same share, to every rank. The slower of network, domain."""
    made = domains(switch(8, UP), fat_tree_2(512, B, down=8, spines=8, rails=8))
    for style in ("normal", "low_latency"):
        assert schedule_s(made, moe_schedule(S, 512, domain=8, style=style)).seconds == pytest.approx(63 / 64 * S / B)
    inside = schedule_s(made, moe_schedule(S, 8, domain=8))
    assert inside.seconds == pytest.approx(7 / 8 * S / UP)
    assert schedule_s(made, moe_schedule(S, 1)).seconds == 0.0


SYMMETRIC: dict[str, Topology] = {
    "switch": switch(96, B),
    "two tiers, ragged": fat_tree_2(90, B, down=8, spines=4, oversubscription=3),
    "two tiers, rails": fat_tree_2(128, B, down=4, spines=4, rails=4),
    "three tiers": fat_tree_3(128, B, down=8, pod_leaves=4, aggregations=4, group_cores=2, pod_oversubscription=2),
    "planes": planes(fat_tree_2(96, B / 2, down=16, spines=8), 2),
    "dragonfly+": dragonfly_plus(5, B, group_leaves=4, group_spines=4, down=6, spine_links=4),
    "domains": domains(switch(8, UP), fat_tree_2(128, B, down=8, spines=4, rails=4)),
    "domains over leaves": domains(switch(6, B / 3), fat_tree_2(96, B, down=8, spines=8)),
    "mesh domains": domains(mesh(4, UP), fat_tree_2(96, B, down=8, spines=2, oversubscription=5)),
    "relayed": domains(switch(4, UP), fat_tree_2(96, B, down=8, spines=8, rails=4), relay=True),
}


@pytest.mark.parametrize("name", SYMMETRIC)
@pytest.mark.parametrize("some", [False, True], ids=["all", "some"])
def test_classes_of_pairs_are_the_pairs(name: str, some: bool) -> None:
    """The same rates, as often, and the same step; for a part of the endpoints too."""
    topology = SYMMETRIC[name]
    n = topology.network.endpoints
    members = np.flatnonzero(np.random.default_rng(1).random(n) < 0.8) if some else np.arange(n)
    whole = Exchange("all-to-all", members.astype(np.int32)[None])
    classes = exchange(topology, whole, SPRAY)
    step = whole.pairs()
    pairs = route(topology, step.src, step.dst, SPRAY)
    assert classes.pairs == len(step.src)
    assert classes.step_s(1.0) == pytest.approx(pairs.step_s(1.0), rel=1e-9)
    if some and name == "relayed":
        assert classes.count is None
        return
    assert classes.count is not None and len(classes.cut) < len(pairs.cut) / 2
    for one, other in ((classes.pair_rates(), pairs.pair_rates()), (classes.line_rates(), pairs.line_rates())):
        assert np.repeat(np.sort(one), classes.count[np.argsort(one)].astype(int)) == pytest.approx(np.sort(other))


def test_groups_exchange_apart() -> None:
    """Each rail on its own: as many pairs as groups have, at the rates of pair by pair."""
    topology = domains(switch(2, UP), fat_tree_2(288, B, down=16, spines=4, oversubscription=4, rails=2))
    rails = np.arange(288, dtype=np.int32).reshape(-1, 2).T.copy()
    made = Exchange("rails", rails)
    classes, step = exchange(topology, made, SPRAY), made.pairs()
    pairs = route(topology, step.src, step.dst, SPRAY)
    assert classes.count is not None
    assert classes.pairs == len(step.src) == 2 * 144 * 143
    assert classes.step_s(1.0) == pytest.approx(pairs.step_s(1.0))
    assert classes.pair_rates().min() == pytest.approx(pairs.pair_rates().min())


def test_sixteen_thousand_exchange() -> None:
    """268 million pairs: 1:1 is bound by ports, 1:7 by the leaves, as the closed form has it."""
    n, leaf = 16_384, 32
    for over in (1, 7):
        topology = fat_tree_2(n, B, down=leaf, spines=leaf, oversubscription=over)
        seconds = flow_seconds(topology, "all_to_all", S).seconds
        assert seconds == pytest.approx(max((n - 1) / n, (n - leaf) / n * over) * S / B, rel=1e-9)


def test_hashed_collectives_take_longer() -> None:
    topology = fat_tree_2(256, B, down=16, spines=16)
    sprayed, hashed = (flow_seconds(topology, "all_to_all", S, routing=r).seconds for r in (SPRAY, Routing("ecmp")))
    assert sprayed < hashed < 1.6 * sprayed
    assert flow_seconds(topology, "all_reduce", S, routing=Routing("ecmp")).seconds >= 2 * 255 / 256 * S / B


def test_a_cut_is_an_answer() -> None:
    topology = fat_tree_2(64, B, down=8, spines=8)
    found = flow_seconds(topology, "all_reduce", S, health=health(topology.network, failed_nodes=[5]))
    assert found.seconds == float("inf")
    assert found.cut == "endpoint 5"
    without = [rank for rank in range(64) if rank != 5]
    assert flow_seconds(topology, "all_reduce", S, without).seconds == pytest.approx(2 * 62 / 63 * S / B)


def test_one_payload_of_a_tree_is_one_byte() -> None:
    made = tree(64, domain=8)
    assert np.sum(np.asarray(made.nbytes)[made.src // 8 != made.dst // 8]) == pytest.approx(2 * 7)
    assert len(tree(1).src) == 0


def test_what_can_not_be_scheduled() -> None:
    for call, says in (
        (lambda: schedule("all_redcue", 1.0, 8), "did you mean 'all_reduce'"),
        (lambda: schedule("all_reduce", 1.0, 8, algorithm="rings"), "did you mean 'ring'"),
        (lambda: schedule("all_reduce", -1.0, 8), "negative"),
        (lambda: flow_seconds(torus((4, 4), B), "all_reduce", -1.0), "negative"),
        (
            lambda: flow_seconds(torus((4, 4), B), "all_reduce", 1.0, 8, algorithm="torus"),
            "known: hierarchical, ring, tree",
        ),
        (lambda: schedule("all_reduce", 1.0, 12, domain=8), "no whole number of scale-up domains of 8"),
        (lambda: schedule("all_reduce", 1.0, [1, 2, 1]), "twice"),
        (lambda: schedule("all_reduce", 1.0, 0), "at least one rank"),
        (lambda: flow_seconds(switch(8, B), "all_reduce", 1.0, 9), "a group of 9 ranks on network"),
        (lambda: moe_schedule(1.0, 8, style="norml"), "did you mean 'normal'"),
        (lambda: flow_seconds(switch(8, B), "all_to_all", 1.0, [7, 8]), "8 endpoints; senders hold 8"),
        (lambda: flow_seconds(SYMMETRIC["switch"], "all_to_all", 1.0, np.arange(20, 100)), "endpoints 20 .. 99"),
        (lambda: flow_seconds(switch(4_096, B), "all_to_all", 1.0, routing=Routing("ecmp")), "spray over a whole"),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert says in str(caught.value)


def test_rings_in_a_fabric_with_more_queue_pairs() -> None:
    """Equal and dynamic split of unlike hops: the network's hop binds, and hashing does not speed it up."""
    made = domains(switch(4, UP), fat_tree_2(64, B, down=4, spines=4, rails=1))
    best = flow_seconds(made, "all_reduce", S).seconds
    for split in ("equal", "dynamic"):
        assert flow_seconds(made, "all_reduce", S, routing=Routing("ecmp", 4, split)).seconds >= best * (1 - 1e-9)
    step = replace(schedule("all_reduce", S, 64, domain=4)[0].patterns[0], times=1)
    assert schedule_s(made, schedule("all_reduce", S, 64, domain=4)).seconds == pytest.approx(126 * _once(made, step))


def _once(topology: Topology, step: object) -> float:
    return route(topology, step.src, step.dst, SPRAY).step_s(step.nbytes)  # type: ignore[attr-defined]

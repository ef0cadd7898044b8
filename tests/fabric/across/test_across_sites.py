"""Sites: distances, errors, shortest paths against networkx, all-reduce over them against a simulation of messages."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.fabric.across import (
    Link,
    Sites,
    cable_bytes_per_s,
    connect,
    even_exchange,
    exchanges,
    fibre,
    great_circle_km,
    linked,
    paths,
)
from gigawatt.physics.fabric.across.routes import ALGORITHMS

US_PER_KM = 5e-6


@st.composite
def networks(draw: st.DrawFn) -> Sites:
    """A random connected network: a tree and some more links."""
    n = draw(st.integers(2, 7))
    km, rate = st.floats(0, 3000), st.floats(1e9, 1e13)
    pairs = {(draw(st.integers(0, i - 1)), i) for i in range(1, n)}
    pairs |= {(i, j) for i in range(n) for j in range(i + 1, n) if draw(st.booleans())}
    names = [f"s{i}" for i in range(n)]
    cables = [Link(names[a], names[b], draw(km), draw(rate), draw(rate)) for a, b in sorted(pairs)]
    return linked(names, cables, switch_s=draw(st.floats(0, 1e-3)))


@given(networks())
@settings(max_examples=40, deadline=None)
def test_paths_are_those_of_networkx(sites: Sites) -> None:
    graph = nx.Graph()
    for (a, b), link_s in zip(sites.ends.tolist(), sites.link_s.tolist(), strict=True):
        graph.add_edge(a, b, weight=link_s)
    found = paths(sites)
    for start, row in nx.all_pairs_dijkstra_path_length(graph):
        for end, seconds in row.items():
            assert found.delay_s[start, end] == pytest.approx(seconds, abs=1e-15)
    assert np.allclose(found.round_trip_s, 2 * found.delay_s)


def simulated_ring(sites: Sites, backwards: bool = False) -> float:
    """Delays of a ring all-reduce by passing every piece on by itself: 2 (n-1) sends, each when the piece is there."""
    found, n = paths(sites), sites.count
    last = 0.0
    for start in range(n):
        at, now = start, 0.0
        for _ in range(2 * (n - 1)):
            after = (at + (-1 if backwards else 1)) % n
            now += found.delay_s[at, after]
            at = after
        last = max(last, now)
    return last


@given(networks())
@settings(max_examples=40, deadline=None)
def test_latency_of_rings_is_that_of_pieces_passed_on(sites: Sites) -> None:
    ring, both = exchanges(sites, ["ring", "two_way_ring"])
    assert ring.latency_s == pytest.approx(simulated_ring(sites), rel=1e-12, abs=1e-15)
    assert both.latency_s == pytest.approx(
        max(simulated_ring(sites), simulated_ring(sites, True)), rel=1e-12, abs=1e-15
    )


@given(networks(), st.floats(1.5, 10))
@settings(max_examples=30, deadline=None)
def test_more_rate_is_proportionally_faster_and_longer_cables_slower(sites: Sites, factor: float) -> None:
    def rows(rate: float, km: float) -> list[Link]:
        columns = (sites.ends, sites.fibre_km, sites.forward_bytes_per_s, sites.back_bytes_per_s)
        return [
            Link(sites.names[a], sites.names[b], d * km, w * rate, v * rate)
            for (a, b), d, w, v in zip(*columns, strict=True)
        ]

    # Twice the length changes no shortest path only where nothing is added on the way.
    base = linked(sites.names, rows(1, 1), switch_s=0.0)
    fast, far = (linked(sites.names, rows(*x), switch_s=0.0) for x in ((factor, 1.0), (1.0, factor)))
    for one, two, three in zip(exchanges(base), exchanges(fast), exchanges(far), strict=True):
        assert two.seconds_per_byte == pytest.approx(one.seconds_per_byte / factor)
        assert two.latency_s == pytest.approx(one.latency_s, abs=1e-15)
        assert three.latency_s == pytest.approx(factor * one.latency_s, abs=1e-15)


@pytest.mark.parametrize("n", [2, 3, 4, 8, 23])
def test_even_networks_are_the_closed_forms(n: int) -> None:
    names = [f"s{i}" for i in range(n)]
    hop = 300 * US_PER_KM + 2e-5
    for shape, algorithm in (("ring", "ring"), ("ring", "two_way_ring"), ("mesh", "direct")):
        found = exchanges(connect(names, 300.0, 1e11, shape=shape, switch_s=2e-5), [algorithm])[0]
        per_byte, latency = even_exchange(n, hop, 1e11, algorithm)
        assert found.seconds_per_byte == pytest.approx(float(per_byte))
        assert found.latency_s == pytest.approx(float(latency))


def test_published_form_of_the_ring() -> None:
    """2 (s-1)/s bytes/W + hops x distance x us/km, and a tree of two levels: bytes/W and four hops."""
    sites = connect([f"s{i}" for i in range(23)], 4800 / 23, 1e12, switch_s=0.0)
    ring = exchanges(sites, ["ring"])[0]
    assert ring.latency_s == pytest.approx(44 * 4800 / 23 * US_PER_KM) == pytest.approx(0.0459, abs=1e-4)
    assert float(ring.seconds(1e12)) == pytest.approx(2 * 22 / 23 + ring.latency_s)
    hub = [[0, 100, 100, 100], [100, 0, 900, 900], [100, 900, 0, 900], [100, 900, 900, 0]]
    star = connect(list("abcd"), hub, 1e12, shape="tree", switch_s=0.0)
    assert len(star.ends) == 3
    tree = exchanges(star, ["tree"])[0]
    assert tree.seconds_per_byte == pytest.approx(1e-12)
    assert tree.latency_s == pytest.approx(2 * 100 * US_PER_KM)


def test_no_way_beats_the_bytes_a_site_must_send() -> None:
    """All of its gradient counts, so a site sends at least one copy, over all its links."""
    for shape, links in (("ring", 2), ("mesh", 5), ("tree", 1)):
        rng = np.random.default_rng(7)
        km = great_circle_km(rng.uniform(30, 50, 6), rng.uniform(-120, -70, 6))
        for way in exchanges(connect(list("abcdef"), km, 1e11, shape=shape)):
            assert way.seconds_per_byte >= 1 / (links * 1e11) * (1 - 1e-12)


def test_one_site_exchanges_nothing() -> None:
    alone = linked(["a"], [])
    assert [(x.seconds_per_byte, x.latency_s) for x in exchanges(alone)] == [(0.0, 0.0)] * len(ALGORITHMS)
    assert [float(x) for x in even_exchange(1, 0.001, 1e9)] == [0.0, 0.0]


def test_cable_and_fibre() -> None:
    assert float(cable_bytes_per_s(2, [64, 96], 50e9)[1]) == 2 * 96 * 50e9
    hollow = fibre("hollow_core")
    assert hollow.fibre_s_per_km < fibre().fibre_s_per_km
    sites = connect(["a", "b"], 1000.0, 1e11, kind="hollow_core", route_factor=1.2, switch_s=0.0)
    assert sites.loss_db[0] == pytest.approx(1200 * 0.091)
    assert sites.link_s[0] == pytest.approx(1200 * 3.4e-6)


def codes(error: pytest.ExceptionInfo[InputError]) -> set[str]:
    return {problem.code for problem in error.value.problems}


def test_all_problems_at_once() -> None:
    with pytest.raises(InputError) as error:
        linked(["a", "b", "c", "d", "a"], [Link("b", "c", -1.0, 0.0), Link("d", "d", 1.0, 1e9)])
    assert codes(error) == {"site_twice", "negative_distance", "zero_bandwidth", "link_to_itself", "disconnected_sites"}


def test_each_problem_names_what_is_wrong() -> None:
    with pytest.raises(InputError, match="no path joins c, d with the others"):
        linked(list("abcd"), [Link("a", "b", 1, 1e9), Link("c", "d", 1, 1e9)])
    with pytest.raises(InputError, match="link a - b: each way needs a rate above 0"):
        linked(list("ab"), [Link("a", "b", 1, 1e9, 0.0)])
    with pytest.raises(InputError, match="did you mean 'abilene'"):
        linked(["abilene", "b"], [Link("abilen", "b", 1, 1e9)])
    with pytest.raises(InputError, match="hollow_core"):
        fibre("hollow-core")
    with pytest.raises(InputError, match="3 x 3"):
        connect(list("abc"), np.ones((2, 2)), 1e9)
    with pytest.raises(InputError, match="did you mean 'mesh'"):
        connect(list("abc"), 1.0, 1e9, shape="mech")
    with pytest.raises(InputError, match="two_way_ring"):
        exchanges(connect(list("ab"), 1.0, 1e9), ["two_way"])
    with pytest.raises(InputError, match="rate between sites"):
        even_exchange(3, 0.001, [1e9, 0.0])

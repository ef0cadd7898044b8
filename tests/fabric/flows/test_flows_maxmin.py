"""Max-min fair rates: against progressive filling, a lexicographic LP and the compiled form; the laws of fairness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog

from gigawatt.core.errors import InputError
from gigawatt.physics.fabric.flows import link_loads, max_min
from gigawatt.physics.fabric.flows.maxmin import has_numba

Problem = tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]
needs_numba = pytest.mark.skipif(not has_numba(), reason="the extra `fast` is not installed")


def incidence(links: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """Uses of link l by flow f."""
    uses = np.zeros((count, len(links)))
    for flow, path in enumerate(links):
        for link in path[path >= 0]:
            uses[link, flow] += 1
    return uses


def progressive_filling(
    links: NDArray[np.int32], capacity: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The definition: raise all open flows together, freeze those of the first link that is full, go on."""
    uses, left = incidence(links, len(capacity)), capacity.copy()
    rate, open_ = np.zeros(len(links)), np.ones(len(links), bool)
    level = 0.0
    while open_.any():
        demand = uses[:, open_] @ weight[open_]
        used = np.flatnonzero(demand > 0)
        if not len(used):
            rate[open_] = np.inf
            break
        steps = left[used] / demand[used]
        full = used[np.argmin(steps)]
        level += steps.min()
        left = left - steps.min() * demand
        frozen = open_ & (uses[full] > 0)
        rate[frozen] = level * weight[frozen]
        open_ &= ~frozen
    return rate


def lexicographic(links: NDArray[np.int32], capacity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Highest minimum first, then the highest of the rest: an LP for each level."""
    uses, flows = incidence(links, len(capacity)), len(links)
    fixed: dict[int, float] = {}
    while len(fixed) < flows:
        free = [f for f in range(flows) if f not in fixed]
        # Variables: all rates, then the level of those that are free.
        equal = np.zeros((len(fixed), flows + 1))
        equal[range(len(fixed)), list(fixed)] = 1.0
        above = np.zeros((len(free), flows + 1))
        above[range(len(free)), free] = -1.0
        above[:, -1] = 1.0
        within = np.hstack([uses, np.zeros((len(uses), 1))])
        rows, limits = np.vstack([within, above]), np.concatenate([capacity, np.zeros(len(free))])
        same = {"A_eq": equal, "b_eq": list(fixed.values())} if fixed else {}
        level = linprog(np.append(np.zeros(flows), -1.0), rows, limits, **same).x[-1]
        # A flow is at its limit if it can not exceed the level while the others hold it.
        bounds = [(level if f in free else 0.0, None) for f in range(flows)] + [(0.0, None)]
        stuck = []
        for f in free:
            goal = np.zeros(flows + 1)
            goal[f] = -1.0
            if -linprog(goal, within, capacity, bounds=bounds, **same).fun < level + 1e-9:
                stuck.append(f)
        fixed.update(dict.fromkeys(stuck, level))
    return np.array([fixed[f] for f in range(flows)])


def random_problem(seed: int, flows: int, links: int, width: int, integer: bool = False) -> Problem:
    rng = np.random.default_rng(seed)
    path = rng.integers(0, links, (flows, width)).astype(np.int32)
    path[rng.random((flows, width)) < 0.3] = -1
    path[:, 0] = rng.integers(0, links, flows)
    capacity = rng.integers(1, 5, links).astype(float) if integer else rng.uniform(0.5, 4.0, links)
    return path, capacity, rng.uniform(0.2, 3.0, flows)


problems = st.builds(
    random_problem, st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 15), st.integers(1, 5), st.booleans()
)


@pytest.mark.parametrize("solver", ["numpy", pytest.param("numba", marks=needs_numba)])
@pytest.mark.parametrize("seed", range(30))
def test_as_progressive_filling(seed: int, solver: str) -> None:
    links, capacity, weight = random_problem(seed, 60, 25, 4, seed % 2 == 0)
    even = np.ones(len(links))
    assert max_min(links, capacity, solver=solver) == pytest.approx(
        progressive_filling(links, capacity, even), rel=1e-9
    )
    weighted = max_min(links, capacity, weight, solver=solver)
    assert weighted == pytest.approx(progressive_filling(links, capacity, weight), rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_as_a_lexicographic_programme(seed: int) -> None:
    links, capacity, _ = random_problem(seed, 8, 5, 3)
    assert max_min(links, capacity) == pytest.approx(lexicographic(links, capacity), rel=1e-7)


@needs_numba
@pytest.mark.parametrize("seed", range(5))
def test_the_compiled_form_agrees(seed: int) -> None:
    """Thousands of flows, some links much more popular than others."""
    rng = np.random.default_rng(seed)
    links = (rng.zipf(1.3, (4_000, 4)) % 300).astype(np.int32)
    capacity, weight = rng.uniform(0.1, 9.0, 300), rng.uniform(0.1, 9.0, 4_000)
    for w in (None, weight):
        one, other = (max_min(links, capacity, w, solver=solver) for solver in ("numpy", "numba"))
        assert one == pytest.approx(other, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(problem=problems)
def test_links_hold_and_every_flow_has_its_bottleneck(problem: Problem) -> None:
    """Bertsekas and Gallager: fair if and only if each flow crosses a full link on which no flow is faster."""
    links, capacity, weight = problem
    rate = max_min(links, capacity, weight)
    uses = incidence(links, len(capacity))
    load = uses @ rate
    assert np.all(load <= capacity * (1 + 1e-9))
    assert link_loads(links, rate, len(capacity)) == pytest.approx(load)
    full = load >= capacity * (1 - 1e-9)
    fastest = np.array([(rate / weight)[row > 0].max(initial=0.0) for row in uses])
    for flow, path in enumerate(links):
        mine = path[path >= 0]
        assert np.any(full[mine] & (rate[flow] / weight[flow] >= fastest[mine] * (1 - 1e-9)))


@settings(max_examples=60, deadline=None)
@given(problem=problems, more=st.floats(1.0, 5.0), pick=st.integers(0, 100))
def test_more_bandwidth_never_lowers_the_slowest(problem: Problem, more: float, pick: int) -> None:
    links, capacity, _ = problem
    wider = capacity.copy()
    wider[pick % len(wider)] *= more
    assert max_min(links, wider).min() >= max_min(links, capacity).min() * (1 - 1e-12)


@settings(max_examples=60, deadline=None)
@given(problem=problems, seed=st.integers(0, 1_000))
def test_names_do_not_matter(problem: Problem, seed: int) -> None:
    """Flows in another order, links of other numbers, a path walked backwards."""
    links, capacity, weight = problem
    rng = np.random.default_rng(seed)
    order, number = rng.permutation(len(links)), rng.permutation(len(capacity))
    renamed = np.where(links >= 0, number[links], -1).astype(np.int32)[order, ::-1]
    bandwidth = np.empty_like(capacity)
    bandwidth[number] = capacity
    assert max_min(renamed, bandwidth, weight[order]) == pytest.approx(max_min(links, capacity, weight)[order])


@settings(max_examples=60, deadline=None)
@given(problem=problems, count=st.integers(2, 5))
def test_like_flows_are_one_of_more_weight(problem: Problem, count: int) -> None:
    links, capacity, _ = problem
    each = max_min(np.repeat(links, count, axis=0), capacity).reshape(-1, count)
    together = max_min(links, capacity, np.full(len(links), float(count)))
    assert together == pytest.approx(each.sum(axis=1))


@pytest.mark.parametrize("solver", ["numpy", pytest.param("numba", marks=needs_numba)])
def test_flows_without_links_and_links_without_rate(solver: str) -> None:
    links = np.array([[-1, -1], [0, -1], [0, 1], [2, -1]], np.int32)
    assert max_min(links, [3.0, 0.0, np.inf], solver=solver).tolist() == [np.inf, 3.0, 0.0, np.inf]
    assert max_min(np.empty((0, 2), np.int32), [1.0], solver=solver).tolist() == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"solver": "nunpy"}, "did you mean 'numpy'"),
        ({"bytes_per_s": [1.0, -1.0]}, "negative"),
        ({"weights": [1.0, 0.0]}, "above 0"),
        ({"links": np.array([[0], [2]], np.int32)}, "-1 .. 1"),
        ({"links": np.array([[0], [1]])}, "int32"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, object], says: str) -> None:
    call: dict[str, object] = {"links": np.array([[0], [1]], np.int32), "bytes_per_s": [1.0, 1.0]} | change
    with pytest.raises(InputError) as caught:
        max_min(**call)  # type: ignore[arg-type]
    assert says in str(caught.value)

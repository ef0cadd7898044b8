"""Exported steps: read back by other readers, bytes of the closed forms, orders that all formats share, mistakes."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import numpy as np
import pytest
from export_readers import BYTE_S, clock_matrix, clock_schedule, clock_traces, flight_s, read_matrix, read_trace
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.fabric.export import (
    Collective,
    Compute,
    Program,
    Schedule,
    Tier,
    all_to_all,
    astra_config,
    collective_traces,
    connection_matrix,
    hierarchical_all_reduce,
    join,
    message_traces,
    moe_layer,
    ring_all_reduce,
    split_bytes,
    training_step,
)

RNG = np.random.default_rng(3)
TOKENS = RNG.integers(1, 10_000, (6, 6))
EXAMPLES = {
    "ring": ring_all_reduce(5, 1003),
    "all-to-all": all_to_all(6, 6000),
    "over sites": hierarchical_all_reduce(3, 4, 4 * 3 * 1000 + 7),
    "mixture of experts": moe_layer(TOKENS, 0.0),
    "training step": training_step(4, 0.012, 4_000_001),
    "training step over sites": training_step(6, 0.012, 6_000_000, sites=2),
}
# What only traces can hold: compute between messages, and compute beside them.
ONLY_TRACES = {
    "experts that compute": moe_layer(TOKENS, [1e-4, 2e-4, 3e-4, 1e-4, 1e-4, 1e-4]),
    "buckets": training_step(4, 0.0117, 4_000_000, buckets=3),
}


def wire_bytes(schedule: Schedule) -> int:
    return int(schedule.nbytes.sum())


@pytest.mark.parametrize("n", [2, 3, 8, 17])
@pytest.mark.parametrize("nbytes", [1000, 1_000_003])
def test_bytes_of_the_closed_forms(n: int, nbytes: int) -> None:
    assert wire_bytes(ring_all_reduce(n, nbytes)) == 2 * (n - 1) * nbytes
    assert wire_bytes(all_to_all(n, n * nbytes)) == n * (n - 1) * nbytes
    assert wire_bytes(hierarchical_all_reduce(3, n, nbytes)) == 2 * 3 * (n - 1) * nbytes + 2 * 2 * nbytes
    step = training_step(n, 0.1, nbytes, buckets=4)
    assert wire_bytes(step) == 2 * (n - 1) * nbytes
    assert step.compute_s.sum() == pytest.approx(0.1 * n)


def test_every_rank_of_a_collective_sends_its_share() -> None:
    for schedule in (ring_all_reduce(8, 8000), all_to_all(8, 8000), hierarchical_all_reduce(2, 4, 8000)):
        sent = np.bincount(schedule.source, weights=schedule.nbytes)
        assert len(set(sent)) == 1
    layer = moe_layer(TOKENS, 0.0)
    off = TOKENS - np.diag(np.diag(TOKENS))
    assert np.bincount(layer.source, weights=layer.nbytes).tolist() == (off.sum(1) + off.sum(0)).tolist()
    # Across sites goes each piece alone: 2 (s-1)/s of the payload out of a site.
    inside = hierarchical_all_reduce(2, 4, 8000)
    across = inside.source // 4 != inside.target // 4
    assert inside.nbytes[across].sum() == 2 * 8000


@pytest.mark.parametrize("schedule", EXAMPLES.values(), ids=EXAMPLES)
def test_no_cycle_and_no_wait_for_a_later_task(schedule: Schedule) -> None:
    assert (schedule.on < schedule.waits).all()
    assert (schedule.step[schedule.on] < schedule.step[schedule.waits]).all()


def ring_values(schedule: Schedule, n: int) -> list[set[int]]:
    """Runs a ring on sets of contributions: whose gradient a rank's piece holds, were each message to carry its sum."""
    holds = [[{r} for _ in range(n)] for r in range(n)]
    for step in range(2 * (n - 1)):
        rows = np.flatnonzero(schedule.step == step)
        sent = {int(schedule.target[i]): ((schedule.source[i] - step) % n, schedule.source[i]) for i in rows}
        piece = {r: holds[int(source)][int(place)].copy() for r, (place, source) in sent.items()}
        for r, (place, _) in sent.items():
            holds[r][int(place)] |= piece[r]
    return [set.intersection(*pieces) for pieces in holds]


def test_a_ring_all_reduce_reduces() -> None:
    n = 6
    assert ring_values(ring_all_reduce(n, 600), n) == [set(range(n))] * n


def test_a_ring_passes_on_what_came() -> None:
    """Pieces differ in size: what a rank sends is what reached it a step before."""
    size = ring_all_reduce(5, 1003).nbytes.reshape(8, 5)
    assert len(set(size[0].tolist())) > 1
    for before, now in itertools.pairwise(size):
        assert now.tolist() == np.roll(before, 1).tolist()
    # Over sites: what crosses is the piece that the reduce-scatter left, what comes back is gathered.
    over = EXAMPLES["over sites"]
    by_step = [np.flatnonzero(over.step == step) for step in range(3 + 4 + 3)]
    last = dict(zip(over.target[by_step[2]].tolist(), over.nbytes[by_step[2]].tolist(), strict=True))
    gathered = dict(zip(over.source[by_step[7]].tolist(), over.nbytes[by_step[7]].tolist(), strict=True))
    assert gathered == last
    for place in range(4):
        crossed = sum(over.nbytes[rows][over.source[rows] % 4 == place].sum() for rows in by_step[3:7])
        assert crossed == 2 * 2 * last[place]


@pytest.mark.parametrize("schedule", (EXAMPLES | ONLY_TRACES).values(), ids=EXAMPLES | ONLY_TRACES)
def test_traces_read_back(schedule: Schedule) -> None:
    files = message_traces(schedule, "step")
    assert list(files) == [f"step.{r}.et" for r in range(schedule.ranks)]
    sends, receives = Counter(), Counter()
    compute = 0.0
    for rank, data in enumerate(files.values()):
        version, nodes = read_trace(data)
        assert version == "0.0.4"
        assert [node.id for node in nodes] == list(range(len(nodes)))
        for node in nodes:
            assert node.attr["is_cpu_op"] is False
            assert all(dep < node.id for dep in node.deps)
            if node.type == 4:
                compute += node.micros * 1e-6
                continue
            message = tuple(node.attr[f"comm_{key}"] for key in ("src", "dst", "tag", "size"))
            assert rank == message[node.type == 6]
            (sends if node.type == 5 else receives)[message] += 1
    assert sends == receives and set(sends.values()) <= {1}
    assert sum(size for *_, size in sends) == wire_bytes(schedule)
    assert compute == pytest.approx(schedule.compute_s.sum(), abs=1e-6 * schedule.count)


@pytest.mark.parametrize("schedule", (EXAMPLES | ONLY_TRACES).values(), ids=EXAMPLES | ONLY_TRACES)
def test_sends_of_a_step_come_before_its_receives(schedule: Schedule) -> None:
    """One slot for communication, lowest id first, must not stop: run the ranks that way."""
    ranks = [read_trace(data)[1] for data in message_traces(schedule).values()]
    done, posted = [set() for _ in ranks], set()
    moved = True
    while moved:
        moved = False
        for rank, nodes in enumerate(ranks):
            free = [n for n in nodes if n.id not in done[rank] and all(dep in done[rank] for dep in n.deps)]
            if not free:
                continue
            node = free[0]
            key = tuple(node.attr.get(f"comm_{name}") for name in ("src", "dst", "tag"))
            if node.type == 6 and key not in posted:
                # The slot is taken by a receive that has not come; compute may still go on beside it.
                node = next((n for n in free if n.type == 4), node)
                if node.type == 6:
                    continue
            if node.type == 5:
                posted.add(key)
            done[rank].add(node.id)
            moved = True
    assert [len(x) for x in done] == [len(nodes) for nodes in ranks]


@pytest.mark.parametrize("schedule", EXAMPLES.values(), ids=EXAMPLES)
def test_matrices_read_back(schedule: Schedule) -> None:
    matrix = read_matrix(connection_matrix(schedule, name="an example"))
    assert matrix.nodes == schedule.ranks
    flows = Counter((flow.src, flow.dst, flow.size) for flow in matrix.flows.values())
    messages = schedule.is_message
    columns = (schedule.source[messages], schedule.target[messages], schedule.nbytes[messages])
    assert flows == Counter(zip(*(x.tolist() for x in columns), strict=True))


@pytest.mark.parametrize("schedule", EXAMPLES.values(), ids=EXAMPLES)
def test_all_formats_tell_the_same_order(schedule: Schedule) -> None:
    own = np.sort(clock_schedule(schedule))
    traces = np.sort(clock_traces(message_traces(schedule)))
    matrix = np.sort(clock_matrix(read_matrix(connection_matrix(schedule))))
    assert traces == pytest.approx(own, rel=1e-9)
    assert matrix == pytest.approx(own, rel=1e-9)


@pytest.mark.parametrize("schedule", ONLY_TRACES.values(), ids=ONLY_TRACES)
def test_traces_hold_compute_between_messages(schedule: Schedule) -> None:
    own = np.sort(clock_schedule(schedule))
    assert np.sort(clock_traces(message_traces(schedule))) == pytest.approx(own, rel=1e-9)
    with pytest.raises(InputError, match="compute lie between messages"):
        connection_matrix(schedule)


def test_dropped_compute_takes_no_time() -> None:
    dropped = read_matrix(connection_matrix(ONLY_TRACES["experts that compute"], gaps="drop"))
    without = read_matrix(connection_matrix(EXAMPLES["mixture of experts"]))
    assert clock_matrix(dropped) == pytest.approx(clock_matrix(without))


@given(n=st.integers(2, 9), nbytes=st.integers(9, 10**7), compute=st.floats(0, 0.01))
@settings(max_examples=25, deadline=None)
def test_time_of_a_ring_is_the_closed_form(n: int, nbytes: int, compute: float) -> None:
    program = Program(n)
    program.all_reduce(program.compute(compute), [range(n)], nbytes - nbytes % n + n)
    size = (nbytes - nbytes % n + n) // n
    # A piece goes round twice, but for the last two hops.
    hops = [flight_s(p, (p + 1) % n) for p in range(n)]
    round_trip = max(sum(hops[(first + i) % n] for i in range(2 * (n - 1))) for first in range(n))
    matrix = read_matrix(connection_matrix(program.schedule()))
    expected = compute + 2 * (n - 1) * BYTE_S * size + round_trip
    assert clock_matrix(matrix).max() == pytest.approx(expected, rel=1e-6)


def test_a_long_message_becomes_flows_that_end_together() -> None:
    schedule = ring_all_reduce(2, 2 * 5_000_000_000)
    matrix = read_matrix(connection_matrix(schedule))
    assert len(matrix.flows) == 4 * 3
    assert sum(flow.size for flow in matrix.flows.values()) == wire_bytes(schedule)
    assert set(matrix.barriers.values()) == {6}
    assert len(clock_matrix(matrix)) == 12


def test_units_of_start() -> None:
    step = training_step(2, 0.5, 1000)
    first = [read_matrix(connection_matrix(step, start_unit=unit)).flows[1].start for unit in ("ps", "us")]
    assert first == [500_000_000_000, 500_000]


def test_waits_that_triggers_can_not_say() -> None:
    """One arrival that two different sets of waits count is refused by htsim's writer, and held by traces."""
    ranks = np.array([0, 2, 1, 1])
    schedule = Schedule(
        ranks=4,
        source=ranks,
        target=np.array([1, 1, 3, 0]),
        nbytes=np.full(4, 100),
        compute_s=np.zeros(4),
        step=np.array([0, 0, 1, 1]),
        phase=np.zeros(4, dtype=np.int64),
        phases=("made by hand",),
        waits=np.array([2, 3, 3]),
        on=np.array([0, 0, 1]),
    )
    with pytest.raises(InputError, match="count towards several sets"):
        connection_matrix(schedule)
    assert len(clock_traces(message_traces(schedule))) == 4


def test_a_program_goes_on_from_what_each_rank_has() -> None:
    """A rank that only receives still waits for its own compute before what comes next."""
    program = Program(2)
    slow = program.compute([0.0, 1.0])
    table = [[0, 10], [0, 0]]
    program.exchange(program.exchange(slow, table), np.transpose(table))
    there, back = clock_schedule(program.schedule())
    assert there < 1e-5 and 1.0 < back < 1.0 + 1e-5
    # Two fronts joined wait for both.
    both = join(program.start, slow)
    assert [x.tolist() for x in both] == [[0], [1]]


def test_a_step_told_in_collectives() -> None:
    tasks = [Compute(0.002, "forward"), Collective("all_gather", 4000, (0, 2)), Collective("all_reduce", 1 << 33)]
    files = collective_traces(tasks, 3, "step")
    assert json.loads(files.pop("step.groups.json")) == {"1": [0, 2]}
    nodes = [read_trace(data)[1] for data in files.values()]
    assert [[node.name for node in mine] for mine in nodes] == [
        ["forward", "all_gather", "all_reduce"],
        ["forward", "all_reduce"],
        ["forward", "all_gather", "all_reduce"],
    ]
    _, gather, reduce = nodes[0]
    assert (gather.type, gather.attr) == (7, {"is_cpu_op": False, "comm_type": 2, "comm_size": 2000, "pg_name": "1"})
    assert (reduce.deps, reduce.attr) == ([1], {"is_cpu_op": False, "comm_type": 0, "comm_size": 1 << 33})
    assert nodes[1][0].micros == 2000


def test_configuration_of_the_analytical_back_end() -> None:
    tiers = [Tier(8, 450e9, 500e-9), Tier(4, 50e9, 2e-6), Tier(2, 25e9, 5e-3, "Ring")]
    files = astra_config(tiers)
    assert files["network.yml"].decode().splitlines() == [
        "topology: [ Switch, Switch, Ring ]",
        "npus_count: [ 8, 4, 2 ]",
        "bandwidth: [ 419.095159, 46.566129, 23.283064 ]  # GiB/s",
        "latency: [ 500.0, 2000.0, 5000000.0 ]  # ns",
    ]
    system = json.loads(files["system.json"])
    assert system["roofline-enabled"] == 0
    assert all(len(value) == 3 for key, value in system.items() if key.endswith("implementation"))


def test_parts_add_up() -> None:
    for nbytes, parts in ((10, 4), (7, 7), (2**62, 9)):
        found = split_bytes(nbytes, parts)
        assert found.sum() == nbytes and found.max() - found.min() <= 1


def test_mistakes_are_told() -> None:
    with pytest.raises(InputError, match="3 bytes can not be split into 4 messages"):
        ring_all_reduce(4, 3)
    with pytest.raises(InputError, match="sites must divide the ranks"):
        training_step(5, 1.0, 1000, sites=2)
    with pytest.raises(InputError, match="share no rank"):
        program = Program(3)
        program.all_reduce(program.start, [[0, 1], [1, 2]], 1000)
    with pytest.raises(InputError, match="same number of ranks"):
        program.all_gather(program.start, [[0], [1, 2]], 1000)
    with pytest.raises(InputError, match="3 x 3"):
        program.exchange(program.start, [[1, 2]])
    with pytest.raises(InputError) as error:
        connection_matrix(EXAMPLES["ring"], nodes=4, gaps="skip", start_unit="ns")
    assert [x.code for x in error.value.problems][2] == "too_few_nodes" and len(error.value.problems) == 3
    with pytest.raises(InputError) as error:
        tasks = [
            Collective("allreduce", 100),
            Collective("all_reduce", 100, (0, 9)),
            Collective("all_gather", 1),
            Compute(-1),
        ]
        collective_traces(tasks, 4)
    assert len(error.value.problems) == 4 and "did you mean 'all_reduce'" in str(error.value)
    with pytest.raises(InputError) as error:
        astra_config([Tier(0, 1e9, 0.0, "Torus")], chunks=0)
    assert len(error.value.problems) == 3


def test_a_schedule_by_hand_is_checked() -> None:
    base = ring_all_reduce(3, 300)
    columns = {name: getattr(base, name) for name in Schedule.__dataclass_fields__}
    cases = {
        "ranks outside": {"target": base.target + 1},
        "no bytes": {"nbytes": base.nbytes * 0},
        "does not come earlier": {"on": base.waits},
        "inside one step": {"step": base.step * 0},
    }
    for text, change in cases.items():
        with pytest.raises(InputError, match=text):
            Schedule(**(columns | change))
    with pytest.raises(InputError, match="neither ran, sent nor received"):
        Schedule(**(columns | {"waits": np.array([3]), "on": np.array([1])}))

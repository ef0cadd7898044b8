"""The rows that the event kernel reads and writes: a request, an instance, its step curve, a cached block.

A row is a class of plain numbers here and a record of the same fields when compiled: `records` turns a class into a NumPy
record type (int -> int64, Short -> int32, float -> float64), `as_objects` turns records into instances of the class. So the
kernel's code, `x.free -= 1`, is the same for both. Times in s, lengths in tokens; -1 stands for none.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Row = TypeVar("Row")
Short = int  # kept in 32 bits: rows there are many of are short, and two of them fit where one would

# What became of a request.
WAITING, RUNNING, MOVING, UNSEEN, DONE, REFUSED = 0, 1, 2, 3, 4, 5
# What an instance does: serves, starts, takes no more and empties, is off, is broken.
ON, STARTING, DRAINING, OFF, BROKEN = 0, 1, 2, 3, 4
# How requests are routed.
ROUND_ROBIN, BY_REQUESTS, BY_TOKENS, BY_PREFIX, BY_SESSION, PULLED = 0, 1, 2, 3, 4, 5
# What happens to the fleet: another speed, an instance breaks, an instance is repaired.
SET_SPEED, BREAK, REPAIR = 0, 1, 2
# What an instance is for.
BOTH, PREFILL, DECODE = 0, 1, 2


@dataclass(slots=True)
class RequestRow:
    """A request: what is asked, where it is, what happened.

    goal: tokens to prefill before the next one is made (the prompt, and after a preemption what was made so far).
    computed: of these, in the cache. made: tokens made before the present run of decoding, which began at step `since`.
    follows: 1 where it comes in `think_s` after the end of another; follower, beside: the first that follows it, and the next
    that follows the same.
    units: cache blocks of its own; nodes: leading hashed blocks it shares. full: leading hashed blocks that can be shared.
    next, prev: links of a queue; later, earlier: links of an instance's running requests in order of admission.
    """

    enter_s: float
    input: Short
    output: Short
    klass: Short
    session: Short
    hash_from: Short
    hashes: Short
    think_s: float
    follows: Short
    follower: Short
    beside: Short
    status: Short
    instance: Short
    source: Short
    goal: Short
    computed: Short
    made: Short
    since: int
    finish_step: int
    units: Short
    nodes: Short
    full: Short
    phase: Short
    next: Short
    prev: Short
    later: Short
    earlier: Short
    cached: Short
    preempted: Short
    restarts: Short
    scheduled_s: float
    first_s: float
    finish_s: float


@dataclass(slots=True)
class InstanceRow:
    """An instance: the stretch of steps it is in, who is in it, its cache, what it has done.

    A stretch of `steps` steps began at `began_s`; its first takes `first_s`, each next `rise_s` more. `step` counts steps
    before it. `context`: cached tokens over all who decode. `free`, `idle`: blocks unused, and kept for reuse only.
    head, tail: prompts not yet done. `*_s` below `load` are integrals over its time.
    """

    curve: int
    role: int
    state: int
    began_s: float
    clock_s: float
    first_s: float
    rise_s: float
    steps: int
    step: int
    decoding: int
    prefilling: int
    waiting: int
    context: float
    growers: int
    free: int
    idle: int
    oldest: int
    newest: int
    head: int
    tail: int
    chunk: int
    load: float
    on_since_s: float
    queue_since_s: float
    on_s: float
    queue_s: float
    decode_s: float
    mixed_s: float
    batch_s: float
    context_s: float
    used_s: float
    all_steps: int
    prompt_tokens: int
    output_tokens: int
    most_used: int
    lookups: int
    hits: int


@dataclass(slots=True)
class CurveRow:
    """A step curve: where its tables begin, its limits. See `StepCurve`; blocks, not tokens, of the cache."""

    decode_at: int
    token_at: int
    chunk_at: int
    beside_at: int
    chunk_size: int
    stride: int
    pair_s: float
    seqs: int
    budget: int
    ranks: int
    part: int
    gate_steps: int
    gate_prompts: int
    blocks: int
    block: int
    held_back: int
    growth_steps: int
    growth_blocks: int
    tokens_per_step: float
    seen_steps: float
    reserve: int
    static: int
    node_blocks: int
    longest: int
    queue_limit: int


@dataclass(slots=True)
class NodeRow:
    """A cached block of a prompt on an instance: who uses it; its place among idle ones; the next in its bucket."""

    block: Short
    owner: Short
    refs: Short
    older: Short
    newer: Short
    chain: Short


@dataclass(slots=True)
class ControlRow:
    """Something that happens to the fleet at a time: see `control`."""

    at_s: float
    kind: int
    who: int
    value: float


@dataclass(slots=True)
class HeapRow:
    """A place in a heap: what orders it, and who it is."""

    key: float
    item: int


@dataclass(slots=True)
class StateRow:
    """The one row of what all share: counters first, then what the run was asked, then where parts of arrays begin.

    next: of the requests, in order of arrival. over: done or refused. inside: come in and not over. agenda, entries: sizes
    of the heaps. held_up: requests that wait outside for an instance. calm_since_s: when all instances on were last wanted.
    """

    next: int
    over: int
    inside: int
    agenda: int
    entries: int
    control: int
    free_node: int
    held_up: int
    events: int
    now_s: float
    speed: float
    tick_s: float
    calm_since_s: float
    requests: int
    instances: int
    classes: int
    seats: int
    cycle: int
    bins: int
    bin_s: float
    block_tokens: int
    bucket_mask: int
    skip: int
    routing: int
    users: int
    think_s: float
    door_s: float
    door_token_s: float
    transfer_s: float
    transfer_token_s: float
    balance_requests: float
    balance_ratio: float
    every_s: float
    target: float
    lag_s: float
    calm_s: float
    least: int
    most: int
    agenda_at: int
    entry_at: int
    load_at: int
    finish_where: int
    agenda_where: int
    entry_where: int
    load_where: int
    pools: int
    queue: int
    outside: int
    phases: int
    hashes: int
    held: int
    buckets: int
    remembered: int
    homes: int
    bins_at: int


def records(row: type[Row]) -> np.dtype[Any]:
    """The NumPy record type of a row class."""
    kinds = {"int": np.int64, "Short": np.int32, "float": np.float64}
    return np.dtype([(f.name, kinds[str(f.type)]) for f in fields(row)])  # type: ignore[arg-type]


def empty(row: type[Row], size: int) -> NDArray[Any]:
    """Records of zeros."""
    return np.zeros(size, dtype=records(row))


def as_objects(row: type[Row], table: NDArray[Any]) -> list[Row]:
    """Records as instances of their class, for Python to run on."""
    return [row(*values) for values in table.tolist()]


def write_back(objects: list[Any], table: NDArray[Any]) -> None:
    """Copy what Python left in the objects into the records they came from."""
    for name in table.dtype.names or ():
        table[name] = [getattr(item, name) for item in objects]


class World(NamedTuple):
    """All that the kernel touches: records and two arrays of plain numbers where compiled, lists where not.

    heap: for each instance, `seats` apart, those who decode by the step at which they end; then instances by the end of
    their stretch (`agenda_at`), requests on their way (`entry_at`), instances of each pool by load (`load_at`).

    ints, from where `StateRow` says: places in these heaps; size and cursor of each pool; first and last waiting, first and
    last running of each instance and class (`queue`); first and last of each class that wait outside (`outside`); how many
    grow at each step of a cycle, by instance (`phases`); hashes of prompts and the cached block that holds each (`held`);
    the hash table's buckets; where a hash went last (`remembered`); where a session went first (`homes`).

    floats: tables of the curves; integrals by interval of time (`bins_at`).
    """

    state: list[StateRow]
    reqs: list[RequestRow]
    insts: list[InstanceRow]
    curves: list[CurveRow]
    nodes: list[NodeRow]
    heap: list[HeapRow]
    controls: list[ControlRow]
    ints: list[int]
    floats: list[float]


# The row class of each table of records.
RECORDS: dict[str, type[Any]] = {
    "state": StateRow,
    "reqs": RequestRow,
    "insts": InstanceRow,
    "curves": CurveRow,
    "nodes": NodeRow,
    "heap": HeapRow,
    "controls": ControlRow,
}

# Columns of the integrals by interval of time.
BUSY, MIXED, BATCH, CONTEXT, USED, ON_TIME, PROMPTS, OUTPUTS, STEPS = range(9)
BIN_COLUMNS = 9

"""Chakra execution traces of a schedule, and the configuration with which ASTRA-sim runs them.

Traces follow MLCommons Chakra, `schema/protobuf/et_def.proto` (schema 0.0.4, read at commit 6dc63e147b): a file for each NPU,
`NAME.RANK.et`, holds a `GlobalMetadata` and then one `Node` after another, each behind its length. Attributes are those that
ASTRA-sim's feeder asks for (`workload/feeder_v3`, read at commits 2aa2bbd166 and 0383c20393):

    COMP_NODE       duration_micros, whole microseconds (0 is replayed as one nanosecond), is_cpu_op
    COMM_SEND_NODE  comm_src, comm_dst, comm_size, comm_tag, is_cpu_op; a pair and a tag make a message
    COMM_RECV_NODE  the same, in the trace of the receiver
    COMM_COLL_NODE  comm_type, comm_size, is_cpu_op, pg_name for a group other than all; the simulator picks the messages

A rank's own order is kept: within a step sends have lower ids than receives, since a simulator with one slot for communication
takes the lowest id first and would otherwise wait for a message that nobody was let send.

Traps of ASTRA-sim, measured: its congestion-unaware back end answers a *direct* all-to-all (n - 1) times too fast, the aware
one takes a ring twice as long on a Switch and knows one dimension; its bandwidths are GiB/s; an all-gather counts the shard.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric.export import wire
from gigawatt.physics.fabric.export.schedule import Schedule

SCHEMA = "0.0.4"
COMP_NODE, COMM_SEND_NODE, COMM_RECV_NODE, COMM_COLL_NODE = 4, 5, 6, 7
COLLECTIVES = {"all_reduce": 0, "all_gather": 2, "all_to_all": 6, "reduce_scatter": 7}
GIB = 2**30
BLOCKS = ("Ring", "FullyConnected", "Switch")
# Fields of a Node, of an attribute, and of its values.
_ID, _NAME, _TYPE, _DATA_DEPS, _DURATION, _ATTR = 1, 2, 3, 5, 7, 10
_ATTR_NAME, _INT64, _BOOL, _STRING = 1, 9, 27, 29


@dataclass(frozen=True, slots=True)
class Compute:
    """A stretch of compute of all ranks, of a step that is told in collectives."""

    compute_s: float
    name: str = "compute"


@dataclass(frozen=True, slots=True)
class Collective:
    """A collective among a group (None: all ranks); bytes in nccl-tests' meaning, as in `collective_seconds`."""

    kind: str
    nbytes: int
    group: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """A dimension of ASTRA-sim's analytical network: building block, NPUs in it, bandwidth of an NPU one way, latency."""

    npus: int
    bytes_per_s: float
    latency_s: float
    block: str = "Switch"


# Ranks, tags and sizes of a step are few, its nodes many. typed: True and 1 are different attributes.
@lru_cache(maxsize=1 << 14, typed=True)
def _attribute(name: str, value: int | bool | str) -> bytes:
    if isinstance(value, bool):
        body = wire.number(_BOOL, value)
    elif isinstance(value, int):
        body = wire.number(_INT64, value)
    else:
        body = wire.chunk(_STRING, value.encode())
    return wire.chunk(_ATTR, wire.chunk(_ATTR_NAME, name.encode()) + body)


def _node(
    number: int, name: str, kind: int, after: Sequence[int], attributes: Mapping[str, int | str], micros: int = 0
) -> bytes:
    """A Node behind its length; every node says that it does not run on the CPU."""
    body = wire.number(_ID, number) + wire.chunk(_NAME, name.encode()) + wire.number(_TYPE, kind)
    body += wire.packed(_DATA_DEPS, after)
    if micros:
        body += wire.number(_DURATION, micros)
    body += _attribute("is_cpu_op", False)
    body += b"".join(_attribute(key, value) for key, value in attributes.items())
    return wire.delimited(body)


def _head() -> bytes:
    return wire.delimited(wire.chunk(1, SCHEMA.encode()))


def _micros(seconds: float) -> int:
    return round(seconds * 1e6)


def _tags(schedule: Schedule) -> list[int]:
    """How many messages of the same pair came before: with the pair, the name of a message."""
    tags, seen = [], dict[tuple[int, int], int]()
    for pair in zip(schedule.source.tolist(), schedule.target.tolist(), strict=True):
        tags.append(seen.get(pair, 0))
        seen[pair] = tags[-1] + 1
    return tags


def message_traces(schedule: Schedule, name: str = "trace") -> dict[str, bytes]:
    """Files of a schedule, by name: every message a send and a receive.

    A rank without any task has a file with no node but its metadata.
    """
    source, target = schedule.source.tolist(), schedule.target.tolist()
    message, step, tags = schedule.is_message.tolist(), schedule.step.tolist(), _tags(schedule)
    waits = schedule.waits_for()
    # (step, receives last, task, rank): the order of a rank's own nodes.
    events: list[list[tuple[int, int, int]]] = [[] for _ in range(schedule.ranks)]
    for task in range(schedule.count):
        events[source[task]].append((step[task], 0, task))
        if message[task]:
            events[target[task]].append((step[task], 1, task))
    files = {}
    for rank, mine in enumerate(events):
        mine.sort()
        number = {task: at for at, (_, _, task) in enumerate(mine)}
        parts = [_head()]
        for at, (_, received, task) in enumerate(mine):
            phase = schedule.phases[schedule.phase[task]]
            after = [] if received else sorted(number[on] for on in waits[task].tolist())
            if not message[task]:
                parts.append(_node(at, phase, COMP_NODE, after, {}, _micros(float(schedule.compute_s[task]))))
                continue
            attributes: dict[str, int | str] = {
                "comm_src": source[task],
                "comm_dst": target[task],
                "comm_size": int(schedule.nbytes[task]),
                "comm_tag": tags[task],
            }
            parts.append(_node(at, phase, COMM_RECV_NODE if received else COMM_SEND_NODE, after, attributes))
        files[f"{name}.{rank}.et"] = b"".join(parts)
    return files


def _checked(tasks: Sequence[Compute | Collective], ranks: int) -> None:
    problems = []
    for task in tasks:
        if isinstance(task, Compute):
            if not task.compute_s >= 0:
                problems.append(Problem("negative_time", f"{task.name}: compute of less than no time"))
            continue
        if task.kind not in COLLECTIVES:
            problems.append(unknown_name("collective of a trace", task.kind, COLLECTIVES))
        group = range(ranks) if task.group is None else task.group
        if not group or len(set(group)) != len(group) or min(group) < 0 or max(group) >= ranks:
            text = f"{task.kind}: a group names ranks from 0 to {ranks - 1}, each once"
            problems.append(Problem("no_such_rank", text))
        if task.nbytes < max(1, len(group)):
            problems.append(Problem("empty_message", f"{task.kind}: fewer bytes than ranks"))
    if problems:
        raise InputError(problems)


def collective_traces(tasks: Sequence[Compute | Collective], ranks: int, name: str = "trace") -> dict[str, bytes]:
    """Files of a step told in collectives, one after the other on each rank; groups go to `NAME.groups.json`.

    ASTRA-sim counts an all-gather by the shard of a rank and the others as nccl-tests does; sizes are turned into that.

    Raises:
        InputError: unknown collective, a group of ranks that do not exist, fewer bytes than ranks.
    """
    _checked(tasks, ranks)
    groups: dict[tuple[int, ...], int] = {}
    for task in tasks:
        if isinstance(task, Collective) and task.group is not None:
            groups.setdefault(task.group, len(groups) + 1)  # 0 means all ranks
    files = {}
    for rank in range(ranks):
        parts = [_head()]
        number = 0
        for task in tasks:
            after = [number - 1] if number else []
            if isinstance(task, Compute):
                parts.append(_node(number, task.name, COMP_NODE, after, {}, _micros(task.compute_s)))
            elif task.group is not None and rank not in task.group:
                continue
            else:
                size = task.nbytes // (ranks if task.group is None else len(task.group))
                attributes: dict[str, int | str] = {
                    "comm_type": COLLECTIVES[task.kind],
                    "comm_size": size if task.kind == "all_gather" else task.nbytes,
                }
                if task.group is not None:
                    attributes["pg_name"] = str(groups[task.group])
                parts.append(_node(number, task.kind, COMM_COLL_NODE, after, attributes))
            number += 1
        files[f"{name}.{rank}.et"] = b"".join(parts)
    if groups:
        table = {str(number): list(group) for group, number in groups.items()}
        files[f"{name}.groups.json"] = json.dumps(table).encode()
    return files


def astra_config(tiers: Sequence[Tier], *, chunks: int = 4) -> dict[str, bytes]:
    """`network.yml` of the analytical back end, `system.json` and `memory.json`, by name.

    Compute is replayed (no roofline), reductions and gathers go in rings, all-to-all directly.

    Args:
        tiers: innermost first; the NPUs are their product.
        chunks: pieces of a collective.

    Raises:
        InputError: no tier, an unknown building block, a rate of nothing, fewer than one NPU or chunk.
    """
    problems = [] if tiers else [Problem("no_tier", "a network needs at least one tier")]
    for tier in tiers:
        if tier.block not in BLOCKS:
            problems.append(unknown_name("building block", tier.block, BLOCKS))
        if tier.npus < 1 or not tier.bytes_per_s > 0 or not tier.latency_s >= 0:
            problems.append(Problem("out_of_range", f"tier {tier}: NPUs and rate must be above 0, latency 0 or more"))
    if chunks < 1:
        problems.append(Problem("out_of_range", "chunks must be at least 1"))
    if problems:
        raise InputError(problems)

    def row(values: Sequence[object]) -> str:
        return "[ " + ", ".join(map(str, values)) + " ]"

    network = (
        f"topology: {row([tier.block for tier in tiers])}\n"
        f"npus_count: {row([tier.npus for tier in tiers])}\n"
        f"bandwidth: {row([round(tier.bytes_per_s / GIB, 6) for tier in tiers])}  # GiB/s\n"
        f"latency: {row([round(tier.latency_s * 1e9, 3) for tier in tiers])}  # ns\n"
    )
    system = {
        "scheduling-policy": "LIFO",
        "endpoint-delay": 0,
        "active-chunks-per-dimension": 1,
        "preferred-dataset-splits": chunks,
        "all-reduce-implementation": ["ring"] * len(tiers),
        "all-gather-implementation": ["ring"] * len(tiers),
        "reduce-scatter-implementation": ["ring"] * len(tiers),
        "all-to-all-implementation": ["direct"] * len(tiers),
        "collective-optimization": "localBWAware",
        # Local memory is not what a network trace asks about: as fast as nothing waits for it.
        "local-mem-bw": 1_000_000,
        "boost-mode": 0,
        "roofline-enabled": 0,
    }
    memory = {"memory-type": "NO_MEMORY_EXPANSION"}
    return {
        "network.yml": network.encode(),
        "system.json": (json.dumps(system, indent=2) + "\n").encode(),
        "memory.json": (json.dumps(memory) + "\n").encode(),
    }

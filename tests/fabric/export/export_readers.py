"""Readers of what the exporters write, made from the formats alone, and a clock that runs what they read.

The clock is the simplest one that tells orders apart: a message is out after bytes x seconds a byte, there a flight later, and
shares nothing; it starts when all it waits for is done. Three readings of one schedule (its own columns, traces, matrix) must
tell the same arrivals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np


# ---- protocol buffers -------------------------------------------------------------------------------------------------
def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value += (byte % 128) * 2**shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data: bytes) -> list[tuple[int, Any]]:
    at, out = 0, []
    while at < len(data):
        tag, at = read_varint(data, at)
        number, kind = divmod(tag, 8)
        if kind == 0:
            value, at = read_varint(data, at)
            out.append((number, value))
        elif kind == 2:
            size, at = read_varint(data, at)
            assert at + size <= len(data), "a field longer than its message"
            out.append((number, data[at : at + size]))
            at += size
        else:
            raise AssertionError(f"wire type {kind} is not used in these traces")
    return out


@dataclass
class Node:
    id: int = 0
    name: str = ""
    type: int = 0
    deps: list[int] = field(default_factory=list)
    micros: int = 0
    attr: dict[str, Any] = field(default_factory=dict)


def read_attribute(data: bytes) -> tuple[str, Any]:
    found = dict(fields(data))
    name = found.pop(1).decode()
    ((number, value),) = found.items()
    readers = {9: int, 13: int, 27: bool, 29: lambda x: x.decode()}
    return name, readers[number](value)


def read_trace(data: bytes) -> tuple[str, list[Node]]:
    """Version and nodes of a `.et` file."""
    at, messages = 0, []
    while at < len(data):
        size, at = read_varint(data, at)
        assert at + size <= len(data), "a message longer than its file"
        messages.append(data[at : at + size])
        at += size
    version = dict(fields(messages[0]))[1].decode()
    nodes = []
    for message in messages[1:]:
        node = Node()
        for number, value in fields(message):
            if number == 1:
                node.id = value
            elif number == 2:
                node.name = value.decode()
            elif number == 3:
                node.type = value
            elif number == 5:
                place = 0
                while place < len(value):
                    dep, place = read_varint(value, place)
                    node.deps.append(dep)
            elif number == 7:
                node.micros = value
            elif number == 10:
                name, content = read_attribute(value)
                node.attr[name] = content
            else:
                raise AssertionError(f"field {number} is not used in these traces")
        nodes.append(node)
    return version, nodes


# ---- connection matrices ----------------------------------------------------------------------------------------------
@dataclass
class Flow:
    src: int
    dst: int
    size: int = 0
    start: int | None = None
    trigger: int | None = None
    send_done_trigger: int | None = None
    recv_done_trigger: int | None = None


@dataclass
class Matrix:
    nodes: int
    flows: dict[int, Flow]
    barriers: dict[int, int]


def read_matrix(text: str) -> Matrix:
    """A `.cm` file by the rules of its reader: header, counts that must agree, ids from 1, 32-bit sizes."""
    head, flows, barriers = {}, {}, {}
    for line in text.splitlines():
        words = line.split(" ")
        if line.startswith("#"):
            continue
        if words[0] in ("Nodes", "Connections", "Triggers"):
            assert not flows and not barriers, "a header after the first connection"
            head[words[0]] = int(words[1])
        elif found := re.fullmatch(r"(\d+)->(\d+)", words[0]):
            flow = Flow(int(found[1]), int(found[2]))
            values = dict(zip(words[1::2], words[2::2], strict=True))
            number = int(values.pop("id"))
            for name, value in values.items():
                assert name in ("size", "start", "trigger", "send_done_trigger", "recv_done_trigger"), line
                setattr(flow, name, int(value))
            assert number > 0 and number not in flows
            assert 0 < flow.size <= 2**31 - 1
            assert (flow.start is None) != (flow.trigger is None), "one way to start"
            assert flow.src != flow.dst and max(flow.src, flow.dst) < head["Nodes"]
            flows[number] = flow
        else:
            assert words[:2] == ["trigger", "id"]
            assert words[3:] == ["oneshot"] or words[3:5] == ["barrier", "count"], line
            assert int(words[2]) > 0
            barriers[int(words[2])] = 1 if words[3] == "oneshot" else int(words[5])
    assert (len(flows), len(barriers)) == (head["Connections"], head["Triggers"])
    assert {flow.trigger for flow in flows.values()} - {None} <= barriers.keys()
    return Matrix(head["Nodes"], flows, barriers)


# ---- the clock --------------------------------------------------------------------------------------------------------
BYTE_S = 1 / 50e9


def flight_s(source: int, target: int) -> float:
    """Different for each pair and way, so that a wait for the wrong end or message shows."""
    return 2e-6 + 1e-7 * source + 1.3e-8 * target


def clock_schedule(schedule: Any) -> np.ndarray:
    """Seconds at which each message arrives."""
    gone, there = np.zeros(schedule.count), np.zeros(schedule.count)
    waits = schedule.waits_for()
    for task in range(schedule.count):
        source, target = int(schedule.source[task]), int(schedule.target[task])
        ends = [there[on] if schedule.target[on] == source else gone[on] for on in waits[task]]
        busy = BYTE_S * schedule.nbytes[task] if source != target else schedule.compute_s[task]
        gone[task] = max(ends, default=0.0) + busy
        there[task] = gone[task] + (flight_s(source, target) if source != target else 0.0)
    return there[schedule.is_message]


def clock_traces(files: dict[str, bytes]) -> np.ndarray:
    """The same of traces: a send starts when its own rank lets it, its receive ends a flight later."""
    ranks = [read_trace(data)[1] for data in files.values()]
    nodes = {(rank, node.id): node for rank, mine in enumerate(ranks) for node in mine}
    names = ("comm_src", "comm_dst", "comm_tag")
    sends = {tuple(n.attr[name] for name in names): key for key, n in nodes.items() if n.type == 5}
    end: dict[tuple[int, int], float] = {}

    def ready(key: tuple[int, int]) -> bool:
        node = nodes[key]
        need = [(key[0], dep) for dep in node.deps]
        if node.type == 6:
            need.append(sends[tuple(node.attr[name] for name in names)])
        if any(other not in end for other in need):
            return False
        busy = BYTE_S * node.attr.get("comm_size", 0)
        flight = flight_s(node.attr.get("comm_src", 0), node.attr.get("comm_dst", 0))
        took = {4: node.micros * 1e-6, 5: busy, 6: flight}[node.type]
        end[key] = max((end[other] for other in need), default=0.0) + took
        return True

    left = set(nodes)
    while left:
        done = {key for key in left if ready(key)}
        assert done, "nothing can go on: the traces wait for each other"
        left -= done
    return np.array([seconds for key, seconds in end.items() if nodes[key].type == 6])


def clock_matrix(matrix: Matrix, unit: float = 1e-12) -> np.ndarray:
    """The same of a connection matrix."""
    there: dict[int, float] = {}
    fired: dict[int, list[float]] = {number: [] for number in matrix.barriers}
    begin = {number: flow.start * unit for number, flow in matrix.flows.items() if flow.start is not None}
    while begin:
        number = min(begin, key=lambda key: begin[key])
        flow = matrix.flows[number]
        gone = begin.pop(number) + BYTE_S * flow.size
        there[number] = gone + flight_s(flow.src, flow.dst)
        for trigger, at in ((flow.send_done_trigger, gone), (flow.recv_done_trigger, there[number])):
            if trigger is None:
                continue
            fired[trigger].append(at)
            assert len(fired[trigger]) <= matrix.barriers[trigger], "a trigger set off too often"
            if len(fired[trigger]) == matrix.barriers[trigger]:
                begin |= {k: max(fired[trigger]) for k, f in matrix.flows.items() if f.trigger == trigger}
    assert len(there) == len(matrix.flows), "flows that nothing starts"
    return np.array(list(there.values()))

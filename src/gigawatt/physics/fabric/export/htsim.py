"""Connection matrices of csg-htsim: the messages of a schedule as flows that set each other off.

The format is that of `sim/datacenter/connection_matrix.cpp` (Broadcom/csg-htsim, read at commit 20b2297193): a header
`Nodes N`, `Connections C`, `Triggers T`; a line `SRC->DST id I start T size B` for each flow, with `trigger K` in place of
`start T` where it waits; `recv_done_trigger K` and `send_done_trigger K` name what its arrival and its end at the sender set
off; `trigger id K oneshot` or `trigger id K barrier count M`. Ids begin with 1, a size is a signed 32-bit number (longer
messages become several flows), `start` is handed to the transport as it stands: picoseconds for NDP, RoCE and EQDS.

A flow has one trigger at each end and one it waits for, and a trigger has no delay. So an arrival (a departure) must count
towards one set of waits only, and compute can come only before a rank's first message: its end is the start of that.
"""

from __future__ import annotations

from dataclasses import dataclass

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric.export.schedule import Schedule

MOST_BYTES = 2**31 - 1
START_UNITS = {"ps": 1e12, "us": 1e6}
GAPS = ("refuse", "drop")
# What a flow waits for: (task, True if for its arrival, False if for its end at the sender).
Wait = tuple[int, bool]


@dataclass(frozen=True, slots=True)
class _Flow:
    """A message as htsim sees it: when it starts, or what it waits for."""

    task: int
    start_s: float
    waits: tuple[Wait, ...]


def _flows(schedule: Schedule, gaps: str) -> list[_Flow]:
    """Messages with compute folded away: into the start where nothing but compute comes before, else refused or dropped."""
    source, target = schedule.source.tolist(), schedule.target.tolist()
    message, waits_for = schedule.is_message.tolist(), schedule.waits_for()
    ends: list[float] = [0.0] * schedule.count  # of compute that waits for no message
    before: list[tuple[Wait, ...]] = [()] * schedule.count  # messages that compute stands behind
    flows, refused = [], 0
    for task in range(schedule.count):
        start, waits = 0.0, set[Wait]()
        for on in waits_for[task].tolist():
            if message[on]:
                waits.add((on, target[on] == source[task]))
            else:
                start = max(start, ends[on])
                waits.update(before[on])
        if not message[task]:
            span = float(schedule.compute_s[task])
            refused += bool(waits) and span > 0
            before[task] = tuple(sorted(waits))
            ends[task] = 0.0 if waits else start + span
            continue
        refused += bool(waits) and start > 0
        flows.append(_Flow(task, 0.0 if waits else start, tuple(sorted(waits))))
    if refused and gaps == "refuse":
        hints = ('gaps="drop" leaves that compute out', "Chakra traces can hold it")
        raise InputError(
            Problem("compute_between", f"{refused} stretches of compute lie between messages", hints=hints)
        )
    return flows


def _triggers(flows: list[_Flow]) -> tuple[dict[tuple[Wait, ...], int], dict[Wait, int]]:
    """Trigger of each set of waits, and what the end of a flow sets off."""
    ids: dict[tuple[Wait, ...], int] = {}
    fires: dict[Wait, int] = {}
    twice = set[Wait]()
    for flow in flows:
        if not flow.waits or flow.waits in ids:
            continue
        ids[flow.waits] = len(ids) + 1
        for wait in flow.waits:
            twice |= {wait} & fires.keys()
            fires[wait] = ids[flow.waits]
    if twice:
        text = f"{len(twice)} ends of messages count towards several sets of waits; htsim knows one for each end"
        raise InputError(Problem("too_many_joins", text, hints=("Chakra traces have no such limit",)))
    return ids, fires


def connection_matrix(
    schedule: Schedule, *, nodes: int | None = None, gaps: str = "refuse", start_unit: str = "ps", name: str = ""
) -> str:
    """The text of a `.cm` file.

    Args:
        schedule: messages and compute.
        nodes: of the topology, the ranks where None.
        gaps: compute between messages: refuse, or drop it.
        start_unit: ps, or us for a build whose transport reads microseconds.
        name: a comment on the first line.

    Raises:
        InputError: compute between messages that may not be dropped, waits that triggers can not say, too few nodes.
    """
    problems = [
        unknown_name(what, given, known)
        for what, given, known in (("way with gaps", gaps, GAPS), ("unit of start", start_unit, START_UNITS))
        if given not in known
    ]
    nodes = schedule.ranks if nodes is None else nodes
    if nodes < schedule.ranks:
        problems.append(Problem("too_few_nodes", f"{schedule.ranks} ranks need that many nodes, not {nodes}"))
    if problems:
        raise InputError(problems)
    flows = _flows(schedule, gaps)
    ids, fires = _triggers(flows)
    lines: list[str] = []
    count = dict.fromkeys(ids.values(), 0)
    for flow in flows:
        size = int(schedule.nbytes[flow.task])
        parts = -(-size // MOST_BYTES)
        begin = f"trigger {ids[flow.waits]}" if flow.waits else f"start {round(flow.start_s * START_UNITS[start_unit])}"
        done = [(word, fires.get((flow.task, arrives))) for word, arrives in (("send", False), ("recv", True))]
        then = "".join(f" {word}_done_trigger {trigger}" for word, trigger in done if trigger)
        for part in range(parts):
            piece = size * (part + 1) // parts - size * part // parts
            ends = f"{schedule.source[flow.task]}->{schedule.target[flow.task]}"
            lines.append(f"{ends} id {len(lines) + 1} {begin} size {piece}{then}")
            for _, trigger in done:
                if trigger:
                    count[trigger] += 1
    triggers = [f"trigger id {k} " + ("oneshot" if n == 1 else f"barrier count {n}") for k, n in count.items()]
    head = [f"# {name}"] if name else []
    head += [f"Nodes {nodes}", f"Connections {len(lines)}", f"Triggers {len(triggers)}"]
    return "\n".join([*head, *lines, *triggers]) + "\n"

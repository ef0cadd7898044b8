"""The check at flow level: the same collectives on the explicit graph, with the routing, placement and failures asked for.

    efficiency = slowest share of line rate as asked / the same sprayed, packed, whole
    checked    = the closed form with that efficiency as what routing leaves of the NIC's rate

All groups of a layout send at once, each on its own rails; with several jobs all of them do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gigawatt.core import units
from gigawatt.core.errors import InputError, Problem, Problems, unknown_name
from gigawatt.core.table import Table
from gigawatt.physics.fabric.flows import (
    SPRAY,
    Exchange,
    Routing,
    Step,
    Topology,
    health,
    moe_schedule,
    network_of,
    nodes_named,
    place,
    schedule,
    share_patterns,
    throughput,
)
from gigawatt.physics.fabric.flows.graph import Array, Ids, spell
from gigawatt.physics.fabric.flows.patterns import PLACEMENTS, Pattern
from gigawatt.physics.fabric.flows.routes import SPLITS
from gigawatt.physics.fabric.flows.schedule import SCHEDULES, flows_of, schedule_s
from gigawatt.study.net.groups import Groups
from gigawatt.study.net.points import points
from gigawatt.study.net.question import MOE, Question
from gigawatt.study.net.tables import size_words
from gigawatt.study.net.wiring import Wired
from gigawatt.study.net.words import names_in, read_count, read_series

ROUTINGS = ("ecmp", "adaptive", "spray")
# What a collective does to the network between domains.
PATTERN = {"all_to_all": "all_to_all", "moe_dispatch": "all_to_all", "moe_combine": "all_to_all", "send_recv": "shift"}
COLUMNS = (
    "network", "collective", "n", "size", "schedule", "routing", "queue_pairs", "mean_share", "p1_share", "min_share",
    "efficiency", "transfer_us", "time_us", "checked_us", "bottleneck", "cut",
)  # fmt: skip
UNITS = {
    "mean_share": "share", "p1_share": "share", "min_share": "share", "efficiency": "share", "transfer_us": "us",
    "time_us": "us", "checked_us": "us",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """How flows find their paths, where jobs stand, what failed.

    `routing` empty is the fabric's own. `queue_pairs` matter to hashing alone; `split` says how they share a pair's bytes.
    `failed_share` of the cables between switches, `failed_nodes` by name; `straggler` is the share of its rate that the
    first chip's links have.
    """

    routing: tuple[str, ...] = ()
    queue_pairs: tuple[int, ...] = ()
    split: str = "dynamic"
    placement: str = "packed"
    failed_share: float = 0.0
    failed_nodes: tuple[str, ...] = ()
    jobs: int = 1
    straggler: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        told = Problems()
        for what, names, known in (
            ("routing", self.routing, ROUTINGS),
            ("split", (self.split,), SPLITS),
            ("placement", (self.placement,), PLACEMENTS),
        ):
            told.extend(unknown_name(what, name, known) for name in names if name not in known)
        if any(n < 1 for n in self.queue_pairs):
            told.add("out_of_range", "--queue-pairs must be at least 1")
        if not 0 <= self.failed_share < 1:
            told.add(
                "out_of_range", f"--failed-links {self.failed_share:g}: a share of at least 0 and below 1, such as 1 %"
            )
        if not 0 <= self.straggler <= 1:
            told.add("out_of_range", f"--straggler {self.straggler:g}: a share of the rate between 0 and 1")
        if self.jobs < 1:
            told.add("out_of_range", f"--jobs must be at least 1, not {self.jobs}")
        told.raise_if_any()

    def routings(self, wired: Wired) -> list[tuple[str, Routing]]:
        """Names and ways of routing on a network."""
        out: list[tuple[str, Routing]] = []
        for name in self.routing or (wired.fabric.routing,):
            if name == "ecmp":
                pairs = self.queue_pairs or (wired.fabric.queue_pairs,)
                out += [(name, Routing("ecmp", q, self.split, self.seed)) for q in pairs]
            else:
                out.append((name, SPRAY))
        return out


def read_check(
    *,
    routing: str = "",
    queue_pairs: str = "",
    split: str = "dynamic",
    placement: str = "packed",
    failed_links: str = "",
    failed_switches: str = "",
    jobs: int = 1,
    straggler: str = "",
    seed: int = 0,
    told: Problems | None = None,
) -> Check:
    """A check from the words of a command line.

    Raises:
        InputError: all that is wrong, unless `told` is given, which then gets it.
    """
    alone = told is None
    told = Problems() if told is None else told
    pairs = read_series("--queue-pairs", queue_pairs, read_count, told) if queue_pairs else []
    failed = _share("--failed-links", failed_links, 0.0, told)
    slow = _share("--straggler", straggler, 1.0, told)
    made = Check()
    try:
        made = Check(
            names_in(routing),
            tuple(int(q) for q in pairs),
            split,
            placement,
            failed,
            names_in(failed_switches),
            jobs,
            slow,
            seed,
        )
    except InputError as error:
        told.extend(error.problems)
    if alone:
        told.raise_if_any()
    return made


def _share(option: str, text: str, usual: float, told: Problems) -> float:
    if not text:
        return usual
    try:
        return units.parse(text, "share")
    except units.UnitError as error:
        told.add("bad_unit", f"{option}: {error}")
        return usual


@dataclass(frozen=True, slots=True)
class Checked:
    """Tables `flows` and, of several jobs, `jobs`; `cut` says what failures cut off, '' where nothing."""

    flows: Table
    jobs: Table | None
    cut: str


def check_flows(wired: Sequence[Wired], groups: Groups, question: Question, asked: Check) -> Checked:
    """Every network, group and collective of the question, at its largest size.

    Raises:
        InputError: no whole ranks a domain, unknown switches, a network that can not be built; all that are told at once.
        Infeasible: more chips than the tiers reach.
    """
    told, rows, jobs = Problems(), [], []
    for at, w in enumerate(wired):
        for place_at in range(groups.ranks.shape[1]):
            n, q = float(groups.ranks[at, place_at]), float(groups.per_domain[at, place_at])
            try:
                made = _Group.of(w, n, q, asked)
                rows += [row for kind in question.collectives for row in _rows(made, kind, question)]
                jobs += _jobs(made) if asked.jobs > 1 else []
            except InputError as error:
                told.extend(error.problems)
    told.raise_if_any()
    note = (
        "Shares of line rate over pairs that all send; a step waits for the slowest. Transfer is the flow level's own, without "
        "latency; checked is the closed form with the efficiency as what is left of the NIC's rate."
    )
    if any(name == "ecmp" for w in wired for name, _ in asked.routings(w)):
        way = "share their work" if asked.split == "dynamic" else "carry the same bytes each"
        note += f" Hashed queue pairs {way} (--split)."
    cut = next((row["cut"] for row in rows if row.get("cut")), "")
    shared = None
    if jobs:
        columns = ("network", "n", "routing", "queue_pairs", "job", "alone_gb_per_s", "together_gb_per_s", "slowdown")
        units = {"alone_gb_per_s": "GB/s", "together_gb_per_s": "GB/s", "slowdown": "x"}
        words = "The slowest pair of a job's rings, alone on the network and beside the others."
        shared = Table.from_rows("jobs", jobs, columns, units, "Jobs beside each other", words)
    return Checked(Table.from_rows("flows", rows, COLUMNS, UNITS, "Flow by flow", note), shared, cut)


@dataclass(frozen=True, slots=True)
class _Group:
    """A group laid on an explicit network: a row of a job is a domain, whose first `per_domain` chips belong to it."""

    wired: Wired
    asked: Check
    topology: Topology | None
    ranks: int
    per_domain: int
    jobs: tuple[Ids, ...]
    packed: tuple[Ids, ...]
    state: Array | None

    @classmethod
    def of(cls, wired: Wired, n: float, q: float, asked: Check) -> _Group:
        """The network with the jobs placed and the failures drawn."""
        fabric = wired.fabric
        if q != round(q):
            domains = int(np.ceil(n / q - 1e-9))
            hint = f"{domains * int(q):,} or {domains * int(q + 1):,} chips"
            said = f"{wired.label}: {n:,.0f} chips are no whole number in each of {domains} scale-up domains"
            raise InputError(Problem("out_of_range", said, None, (hint,)))
        count = round(n / q)
        if count == 1:
            return cls(wired, asked, None, int(n), int(q), (), (), None)
        size = fabric.domain
        endpoints = asked.jobs * count * size
        topology = network_of(fabric, endpoints)
        sizes = [count * size] * asked.jobs
        placed = place(endpoints, sizes, asked.placement, unit=size, seed=asked.seed)
        packed = place(endpoints, sizes, "packed", unit=size)
        state = None
        if asked.failed_share or asked.failed_nodes or asked.straggler < 1:
            net = topology.network
            slow = {int(placed[0][0]): asked.straggler} if asked.straggler < 1 else None
            failed = nodes_named(net, *asked.failed_nodes)
            state = health(net, failed_share=asked.failed_share, failed_nodes=failed, slow_nodes=slow, seed=asked.seed)
        rows, plain = (tuple(job.reshape(count, size) for job in jobs) for jobs in (placed, packed))
        return cls(wired, asked, topology, int(n), int(q), rows, plain, state)

    @property
    def members(self) -> Ids:
        """Chips of the first job's group, domain by domain."""
        return np.ascontiguousarray(self.jobs[0][:, : self.per_domain]).ravel()

    def pattern(self, kind: str, jobs: Sequence[Ids]) -> Pattern:
        """What all jobs send between their domains."""
        what = PATTERN.get(kind, "ring")
        if what == "all_to_all":
            q = self.per_domain
            cuts = range(0, jobs[0].shape[1] - q + 1, q)
            return Exchange("all-to-all", np.stack([job[:, at : at + q].ravel() for job in jobs for at in cuts]))
        by = 1 if what == "ring" else max(1, len(jobs[0]) // 2)
        there = [np.roll(job, -by, axis=0).ravel() for job in jobs]
        return Step(what, np.concatenate([job.ravel() for job in jobs]), np.concatenate(there))


def _rows(made: _Group, kind: str, question: Question) -> list[dict[str, Any]]:
    """One row a routing, at the largest size."""
    w, n, q = made.wired, made.ranks, made.per_domain
    sizes = (max(question.experts.tokens),) if kind in MOE else (max(question.nbytes),)
    experts = replace(question.experts, tokens=(max(question.experts.tokens),))
    place_ = Groups(np.array([[float(n)]]), np.array([[float(q)]]))
    plain = points([w.fabric], [kind], sizes, place_, experts=experts)
    nbytes = float(plain.nbytes[0])
    head = {"network": w.label, "collective": kind, "n": n, "size": size_words(nbytes)}
    seconds = float(plain.seconds[0])
    if made.topology is None:
        inside = head | {"routing": "inside a domain", "time_us": seconds * 1e6, "checked_us": seconds * 1e6}
        return [inside | {"efficiency": 1.0}]
    algorithm = _algorithm(kind, str(plain.bound[0]))
    head["schedule"] = algorithm
    best = throughput(made.topology, made.pattern(kind, made.packed), SPRAY).minimum
    out = []
    for name, routing in made.asked.routings(w):
        slowest, shares = _shares(made, kind, routing)
        factor = min(1.0, slowest / best)
        checked = None
        if factor > 0:
            slower = replace(w.fabric, ring_share=factor, exchange_share=factor)
            checked = float(points([slower], [kind], sizes, place_, experts=experts).seconds[0])
        row = head | shares | {"routing": name, "efficiency": factor, "time_us": seconds * 1e6}
        row["queue_pairs"] = routing.flows_per_pair if name == "ecmp" else None
        if factor > 0:
            row["transfer_us"] = _transfer_s(made, kind, algorithm, nbytes, question, routing) * 1e6
        row["checked_us"] = None if checked is None else checked * 1e6
        out.append(row)
    return out


def _shares(made: _Group, kind: str, routing: Routing) -> tuple[float, dict[str, Any]]:
    """(slowest share, columns of a row) under one routing.

    Failures are tried on rings first: what they cut off there is the answer, and an exchange of everybody with everybody
    need not look for ways around them pair by pair.
    """
    cut = _cut_off(made, routing) if made.state is not None else ""
    if cut:
        return 0.0, {"min_share": 0.0, "bottleneck": "cut off", "cut": cut}
    assert made.topology is not None
    found = throughput(made.topology, made.pattern(kind, made.jobs), routing, made.state)
    shares = {"mean_share": found.mean, "p1_share": found.p1, "min_share": found.minimum}
    cut = f"{found.cut_pairs:,} of {found.pairs:,} pairs" if found.cut_pairs else ""
    return found.minimum, shares | {"bottleneck": found.bottleneck, "cut": cut}


def _cut_off(made: _Group, routing: Routing) -> str:
    """Chips that reach no other domain any more, in words; inside their own they may be well."""
    assert made.topology is not None
    rings = made.pattern("all_reduce", made.jobs)
    assert isinstance(rings, Step)
    lost = flows_of(made.topology, rings, routing, made.state).cut
    if not lost.any():
        return ""
    alive = np.zeros(made.topology.network.endpoints, np.bool_)
    alive[rings.src[~lost]] = alive[rings.dst[~lost]] = True
    gone = np.setdiff1d(rings.src, np.flatnonzero(alive))
    pairs = f"{int(lost.sum()):,} of {len(lost):,} neighbours"
    return f"{pairs}; no other domain reached by {spell(made.topology.network, gone)}" if len(gone) else pairs


def _algorithm(kind: str, bound: str) -> str:
    """The schedule of flows that is nearest to the closed form's fastest line: reduction in switches has none of its own."""
    known = SCHEDULES.get(kind, {"direct": None})
    line = bound.partition(", ")[2].partition(",")[0]
    if kind == "all_reduce" and line in ("NVLS", "SHARP"):
        return "hierarchical"
    return line if line in known else next(iter(known))


def _transfer_s(made: _Group, kind: str, algorithm: str, nbytes: float, question: Question, routing: Routing) -> float:
    """Seconds of the schedule's flows."""
    assert made.topology is not None
    if kind in MOE:
        phases = moe_schedule(nbytes, made.members, domain=made.per_domain, style=question.experts.style)
    else:
        phases = schedule(kind, nbytes, made.members, algorithm=algorithm, domain=made.per_domain)
    return schedule_s(made.topology, phases, routing, made.state).seconds


def _jobs(made: _Group) -> list[dict[str, Any]]:
    """Every job's slowest pair, alone and together."""
    if made.topology is None:
        return []
    steps = [Step("rings", job.ravel(), np.roll(job, -1, axis=0).ravel()) for job in made.jobs]
    out = []
    for name, routing in made.asked.routings(made.wired):
        for job, found in enumerate(share_patterns(made.topology, steps, routing, made.state), start=1):
            out.append(
                {
                    "network": made.wired.label,
                    "n": made.ranks,
                    "routing": name,
                    "queue_pairs": routing.flows_per_pair if name == "ecmp" else None,
                    "job": job,
                    "alone_gb_per_s": found.alone_bytes_per_s * 1e-9,
                    "together_gb_per_s": found.together_bytes_per_s * 1e-9,
                    "slowdown": found.slowdown,
                }
            )
    return out

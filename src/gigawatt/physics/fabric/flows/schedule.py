"""Collectives as steps of flows, and the seconds that bytes and rates make of them.

Sizes are those of the closed form and of nccl-tests: all-gather counts the gathered whole, all-to-all what one rank sends.
With n ranks, D a domain, N = n/D domains, S bytes:

    ring          k (n - 1) steps of S/n on each of D rings; k = 2 for all-reduce, 1 for the halves of it
    tree          one step in steady flow, two trees over the domains at S/2 on every edge, a chain in each domain
    hierarchical  reduce-scatter in the domain, rings over same ranks of all domains, all-gather in the domain
    direct        one exchange of S/n between any two
    torus         the halves of a ring dimension by dimension: 2 d parts of S start in d dimensions and both directions
    chain         broadcast and reduce in steady flow: D chains of S/D through all ranks from the first, or back to it

Transfer alone: no latency, no protocol, no fill. Those are the closed form's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric.flows import patterns
from gigawatt.physics.fabric.flows.classes import exchange
from gigawatt.physics.fabric.flows.graph import Array, Ids
from gigawatt.physics.fabric.flows.patterns import Exchange, Pattern, Step
from gigawatt.physics.fabric.flows.routes import SPRAY, Routed, Routing, require, route
from gigawatt.physics.fabric.flows.topology import Domains, Topology
from gigawatt.physics.fabric.flows.torus import Torus

MOE_STYLES = ("normal", "low_latency")
# What a torus does dimension by dimension.
TORUS = ("all_reduce", "all_gather", "reduce_scatter")


@dataclass(frozen=True, slots=True)
class Phase:
    """Patterns that run at once, and the next phase after them."""

    what: str
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds in all and phase by phase. Infinite where a pair is cut; `cut` names endpoints that lost the others."""

    seconds: float
    phases: tuple[tuple[str, float], ...]
    cut: str = ""


def _ring(times: int) -> Callable[[Ids, float, int], tuple[Phase, ...]]:
    def made(ranks: Ids, nbytes: float, domain: int) -> tuple[Phase, ...]:
        n = len(ranks)
        hops = patterns.ring(ranks, domain)
        per_ring = nbytes / n / min(domain, n)
        step = replace(hops, nbytes=np.asarray(hops.nbytes) * per_ring, times=times * (n - 1))
        return (Phase("ring", (step,)),)

    return made


def _tree(ranks: Ids, nbytes: float, domain: int) -> tuple[Phase, ...]:
    step = patterns.tree(ranks, domain)
    return (Phase("tree", (replace(step, nbytes=np.asarray(step.nbytes) * nbytes),)),)


def _hierarchical(ranks: Ids, nbytes: float, domain: int) -> tuple[Phase, ...]:
    group = patterns.by_domain(ranks, domain)
    count, size = group.shape
    inside = Step("", group.ravel(), np.roll(group, -1, axis=1).ravel(), nbytes / size, size - 1)
    across = Step("", group.ravel(), np.roll(group, -1, axis=0).ravel(), nbytes / size / count, 2 * (count - 1))
    halves = ("reduce-scatter in the domain", inside), ("all-reduce over domains", across)
    phases = [Phase(what, (step,)) for what, step in (*halves, ("all-gather in the domain", inside)) if step.times]
    return tuple(phases)


def _direct(ranks: Ids, nbytes: float, domain: int) -> tuple[Phase, ...]:
    return (Phase("direct", (Exchange("all-to-all", ranks[None], nbytes / len(ranks)),)),)


def _chain(backwards: bool) -> Callable[[Ids, float, int], tuple[Phase, ...]]:
    def made(ranks: Ids, nbytes: float, domain: int) -> tuple[Phase, ...]:
        # D chains of S/D. All start at the first rank and pass its whole domain; they enter each other one at their own
        # rails and leave out one hop of its circle.
        group = patterns.by_domain(ranks, domain)
        size = group.shape[1]
        around = np.roll(group[1:], -1, axis=1)
        hops = [
            (group[0, :-1], group[0, 1:], nbytes),
            (group[:-1], group[1:], nbytes / size),
            (group[1:], around, nbytes * (size - 1) / size),
        ]
        src, dst = (np.concatenate([hop[at].ravel() for hop in hops]) for at in (0, 1))
        amounts = np.concatenate([np.full(here.size, amount) for here, _, amount in hops])
        step = Step("chain", dst, src, amounts) if backwards else Step("chain", src, dst, amounts)
        return (Phase("chain", (step,)),)

    return made


def _pairs(ranks: Ids, nbytes: float, domain: int) -> tuple[Phase, ...]:
    half = len(ranks) // 2
    return (Phase("direct", (Step("send and receive", ranks[:half], ranks[half : 2 * half], nbytes),)),)


# Collective -> its algorithms, the first one the default. Send-receive goes from the first half of the ranks to the second.
SCHEDULES: dict[str, dict[str, Callable[[Ids, float, int], tuple[Phase, ...]]]] = {
    "all_reduce": {"ring": _ring(2), "tree": _tree, "hierarchical": _hierarchical},
    "all_gather": {"ring": _ring(1)},
    "reduce_scatter": {"ring": _ring(1)},
    "all_to_all": {"direct": _direct},
    "broadcast": {"chain": _chain(False)},
    "reduce": {"chain": _chain(True)},
    "send_recv": {"direct": _pairs},
}


def schedule(
    kind: str, nbytes: float, ranks: int | ArrayLike, *, algorithm: str | None = None, domain: int = 1
) -> tuple[Phase, ...]:
    """The phases of a collective; none for one rank.

    Args:
        kind: all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, reduce, send_recv.
        nbytes: bytes in nccl-tests' meaning.
        ranks: how many, the first endpoints, or which, domain by domain.
        algorithm: ring, tree, hierarchical, direct, chain; what is usual where None.
        domain: ranks that share a scale-up domain.

    Raises:
        InputError: unknown kind or algorithm, negative size, no whole number of domains, an endpoint twice.
    """
    if kind not in SCHEDULES:
        raise InputError(unknown_name("collective", kind, SCHEDULES))
    known = SCHEDULES[kind]
    chosen = next(iter(known)) if algorithm is None else algorithm
    if chosen not in known:
        raise InputError(unknown_name(f"algorithm of {kind}", chosen, known))
    if not nbytes >= 0:
        raise InputError(Problem("out_of_range", f"{kind}: bytes must not be negative, not {nbytes:g}"))
    group = patterns.ranks_of(ranks)
    patterns.by_domain(group, domain)
    return known[chosen](group, float(nbytes), domain) if len(group) > 1 else ()


def _torus(topology: Torus, kind: str, nbytes: float) -> tuple[Phase, ...]:
    """Reduce-scatter along one dimension after the other, all-gather back; part p starts in dimension p.

    In a dimension of k a part's ring carries (k - 1)/k of what is left of it and leaves 1/k; every part uses another
    dimension, so that a cube keeps all links busy: (n - 1)/n S / (2 d b) for each half.
    """
    dims, nodes = len(topology.shape), np.arange(topology.network.endpoints, dtype=np.int32)
    left = np.full(dims, nbytes / (2 * dims))
    halves = []
    for turn in range(dims):
        src, dst, amounts = [], [], []
        for part in range(dims):
            side = topology.shape[(part + turn) % dims]
            for way in (0, 1):
                src.append(nodes)
                dst.append(topology.neighbour[:, 2 * ((part + turn) % dims) + way])
                amounts.append(np.full(len(nodes), left[part] * (side - 1) / side))
            left[part] /= side
        step = Step("torus", np.concatenate(src), np.concatenate(dst), np.concatenate(amounts))
        halves.append(Phase(f"dimension {turn + 1} of each part", (step,)))
    return (*halves, *reversed(halves)) if kind == "all_reduce" else tuple(halves)


def moe_schedule(
    payload_bytes: float, ranks: int | ArrayLike, *, domain: int = 1, style: str = "normal"
) -> tuple[Phase, ...]:
    """One dispatch or one combine of mixture-of-experts tokens.

    Args:
        payload_bytes: what one rank sends, from `moe_payload`.
        ranks: how many, the first endpoints, or which, domain by domain.
        domain: ranks that share a scale-up domain.
        style: normal: over the network once to the rank of the same place in each other domain, and from it to the others
            of that domain, both at once. low_latency: from every rank to every other at once.

    Raises:
        InputError: unknown style, no whole number of domains, an endpoint twice.
    """
    if style not in MOE_STYLES:
        raise InputError(unknown_name("style of MoE exchange", style, MOE_STYLES))
    group = patterns.by_domain(patterns.ranks_of(ranks), domain)
    count, size = group.shape
    if group.size == 1:
        return ()
    if style == "low_latency":
        return (
            Phase("dispatch", (Exchange("low-latency dispatch", group.reshape(1, -1), payload_bytes / group.size),)),
        )
    parts: list[Pattern] = []
    if count > 1:
        parts.append(Exchange("dispatch over rails", np.ascontiguousarray(group.T), payload_bytes / count))
    if size > 1:
        parts.append(Exchange("dispatch in domains", group, payload_bytes / size))
    return (Phase("dispatch", tuple(parts)),)


def flows_of(topology: Topology, pattern: Pattern, routing: Routing = SPRAY, health: Array | None = None) -> Routed:
    """The flows of a pattern on their paths.

    Raises:
        InputError: endpoints that do not exist; an exchange of too many pairs.
    """
    if isinstance(pattern, Exchange):
        return exchange(topology, pattern, routing, health)
    return route(topology, pattern.src, pattern.dst, routing, health)


def schedule_s(
    topology: Topology,
    phases: tuple[Phase, ...],
    routing: Routing = SPRAY,
    health: Array | None = None,
    *,
    pipelined: bool = False,
) -> Timing:
    """Seconds of a schedule.

    Patterns of one phase run at once on links of their own (network beside scale-up): the slowest counts. Phases follow
    on each other, or `pipelined` run at once in chunks, where again the slowest counts.

    Raises:
        InputError: as `flows_of`.
    """
    found, cut = [], ""
    for phase in phases:
        seconds = [0.0]
        for pattern in phase.patterns:
            flows = flows_of(topology, pattern, routing, health)
            seconds.append(pattern.times * flows.step_s(pattern.nbytes))
            cut = cut or flows.cut_names
        found.append((phase.what, max(seconds)))
    times = [seconds for _, seconds in found] or [0.0]
    return Timing(max(times) if pipelined else sum(times), tuple(found), cut)


def _is_whole_torus(topology: Topology, group: Ids) -> TypeGuard[Domains]:
    """Is the group all of one scale-up domain, and that a torus?"""
    if not (isinstance(topology, Domains) and isinstance(topology.inside, Torus) and len(group) == topology.size):
        return False
    return len(np.unique(topology.domain_of(group))) == 1


def flow_seconds(
    topology: Topology,
    kind: str,
    nbytes: float,
    ranks: int | ArrayLike | None = None,
    *,
    algorithm: str | None = None,
    routing: Routing = SPRAY,
    health: Array | None = None,
    pipelined: bool = False,
) -> Timing:
    """Seconds of a collective on a topology: its transfer, without latency.

    Args:
        topology: where; its scale-up domains are used.
        kind: as in `schedule`.
        nbytes: bytes in nccl-tests' meaning.
        ranks: how many or which, all endpoints where None.
        algorithm: as in `schedule`; torus, the usual one of reductions and all-gather over all of a torus.
        routing: how flows find their paths.
        health: share of its rate that each link has.
        pipelined: phases at once instead of one after the other.

    Raises:
        InputError: as `schedule`; a group larger than the network.
    """
    group = patterns.ranks_of(topology.network.endpoints if ranks is None else ranks)
    require(topology.network, len(group), f"{kind}: a group")
    if health is None and _is_whole_torus(topology, group):
        topology, group = topology.inside, patterns.ranks_of(len(group))
    domain = min(topology.size, len(group)) if isinstance(topology, Domains) else 1
    around = isinstance(topology, Torus) and not topology.twist and kind in TORUS and len(group) == len(topology.ties)
    if isinstance(topology, Torus) and around and algorithm in (None, "torus"):
        schedule(kind, nbytes, group)  # says what is wrong with the call
        phases = _torus(topology, kind, nbytes)
    else:
        phases = schedule(kind, nbytes, group, algorithm=algorithm, domain=domain)
    return schedule_s(topology, phases, routing, health, pipelined=pipelined)

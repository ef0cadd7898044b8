"""Who sends to whom: permutations, rings, trees, and exchanges of everybody with everybody.

Groups are arrays of endpoints. Where ranks share scale-up domains, a group is given domain by domain, as many ranks of
each: rank r of domain d is `ranks[d * domain + r]`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric.flows.graph import Array, Ids

PLACEMENTS = ("packed", "random")


@dataclass(frozen=True, slots=True)
class Step:
    """`times` rounds in each of which src[p] sends `nbytes` (one number, or one a pair) to dst[p], all at once."""

    what: str
    src: Ids
    dst: Ids
    nbytes: float | Array = 1.0
    times: int = 1


@dataclass(frozen=True, slots=True)
class Exchange:
    """Within each row of `groups`, every member sends `nbytes` to every other, all at once."""

    what: str
    groups: Ids
    nbytes: float = 1.0
    times: int = 1

    def pairs(self) -> Step:
        """The same, pair by pair."""
        size = self.groups.shape[1]
        src, dst = np.divmod(np.arange(size * size), size)
        two = src != dst
        return Step(
            self.what, self.groups[:, src[two]].ravel(), self.groups[:, dst[two]].ravel(), self.nbytes, self.times
        )


Pattern = Step | Exchange


def ranks_of(ranks: int | ArrayLike) -> Ids:
    """The first so many endpoints, or those given.

    Raises:
        InputError: none, or one of them twice.
    """
    found = np.arange(ranks, dtype=np.int32) if isinstance(ranks, int) else np.asarray(ranks, dtype=np.int32).ravel()
    if len(found) < 1:
        raise InputError(Problem("out_of_range", f"a group needs at least one rank, not {len(found)}"))
    if len(np.unique(found)) < len(found):
        raise InputError(Problem("duplicate", "an endpoint stands twice in a group"))
    return found


def by_domain(ranks: Ids, domain: int) -> Ids:
    """(domains, ranks of each), a group smaller than a domain being one.

    Raises:
        InputError: no whole number of domains.
    """
    domain = min(domain, len(ranks))
    if domain < 1 or len(ranks) % domain:
        raise InputError(
            Problem("out_of_range", f"{len(ranks):,} ranks are no whole number of scale-up domains of {domain}")
        )
    return ranks.reshape(-1, domain)


def shift(ranks: int | ArrayLike, by: int) -> Step:
    """Every rank sends to the one `by` places further on: between leaves of size h, by = h makes all flows cross."""
    group = ranks_of(ranks)
    return Step(f"shift by {by}", group, np.roll(group, -by))


def random_permutation(ranks: int | ArrayLike, seed: int = 0) -> Step:
    """Every rank sends to another at random, each receiving once. Leaves then get more or less than they can take."""
    group = ranks_of(ranks)
    order = np.random.default_rng(seed).permutation(len(group))
    # One cycle through all: nobody sends to itself.
    return Step("random permutation", group[order], group[np.roll(order, -1)])


def ring(ranks: int | ArrayLike, domain: int = 1) -> Step:
    """A ring over the domains on each rail, and a chain through each domain: the hops of a ring's every step.

    With D ranks a domain there are D rings, each through all ranks and over the network at one rank's NIC. `nbytes` is
    what the hops carry for one byte of each ring's hop: 1 between domains, D - 1 inside, where all rings but one pass.
    """
    group = by_domain(ranks_of(ranks), domain)
    count, size = group.shape
    inside = Step("", group.ravel(), np.roll(group, -1, axis=1).ravel(), float(size - 1))
    # A group in one domain closes its rings inside: all of them pass every hop.
    if count == 1:
        return Step("ring", inside.src, inside.dst, np.full(size, float(size)))
    across = Step("", group.ravel(), np.roll(group, -1, axis=0).ravel())
    if size == 1:
        return Step("ring", across.src, across.dst)
    nbytes = np.repeat([float(size - 1), 1.0], group.size)
    return Step("ring", np.concatenate([inside.src, across.src]), np.concatenate([inside.dst, across.dst]), nbytes)


def double_tree(count: int) -> tuple[Ids, Ids]:
    """Parents of 0 .. count-1 in two binary trees, -1 at the root; who is inner in one is a leaf of the other.

    NCCL, src/graph/trees.cc: binary trees by lowest set bit, the second one mirrored (even counts) or shifted by one.
    """
    rank = np.arange(count)
    bit = rank & -rank
    above = (rank ^ bit) | (bit << 1)
    up = np.where(above >= count, rank ^ bit, above)
    up[0] = -1
    if count % 2 == 0:
        other = np.where(up < 0, -1, count - 1 - up)[::-1]
    else:
        other = np.roll(np.where(up < 0, -1, (up + 1) % count), 1)
    return up.astype(np.int32), other.astype(np.int32)


def tree(ranks: int | ArrayLike, domain: int = 1) -> Step:
    """An all-reduce over two trees at once, in steady flow: up to be reduced, down to be spread.

    `nbytes` for a payload of one byte: rails carry 1/D each, half of it on each tree; inside a domain a chain gathers to
    the rail's rank and spreads from it.
    """
    group = by_domain(ranks_of(ranks), domain)
    count, size = group.shape
    src, dst, nbytes = [], [], []
    for up in double_tree(count) if count > 1 else ():
        child = np.flatnonzero(up >= 0)
        low, high = group[child].ravel(), group[up[child]].ravel()
        src += [low, high]
        dst += [high, low]
        nbytes += [np.full(low.size, 0.5 / size)] * 2
    if size > 1:
        # Every rail has a chain of its own, which leaves out one of the hops of the circle.
        here, there = group.ravel(), np.roll(group, -1, axis=1).ravel()
        src += [here, there]
        dst += [there, here]
        nbytes += [np.full(here.size, (size - 1) / size)] * 2
    if not src:
        return Step("tree", group.ravel()[:0], group.ravel()[:0], np.empty(0))
    return Step("tree", np.concatenate(src), np.concatenate(dst), np.concatenate(nbytes))


def place(endpoints: int, sizes: ArrayLike, how: str = "packed", *, unit: int = 1, seed: int = 0) -> tuple[Ids, ...]:
    """The endpoints of several jobs.

    Args:
        endpoints: of the network.
        sizes: ranks of each job, whole units.
        how: packed one after the other, or units at random.
        unit: endpoints that stay together, such as a host's or a scale-up domain's.
        seed: of the draw.

    Raises:
        InputError: unknown placement, sizes that are no whole units, more ranks than endpoints.
    """
    wanted = [int(size) for size in np.atleast_1d(np.asarray(sizes))]
    if how not in PLACEMENTS:
        raise InputError(unknown_name("placement", how, PLACEMENTS))
    units = endpoints // unit
    odd = [size for size in wanted if size < 1 or size % unit]
    if odd:
        raise InputError(Problem("out_of_range", f"a job of {odd[0]} ranks is no whole number of units of {unit}"))
    if sum(wanted) > units * unit:
        raise InputError(
            Problem("out_of_range", f"jobs of {sum(wanted):,} ranks in all on a network of {endpoints:,} endpoints")
        )
    order = np.arange(units) if how == "packed" else np.random.default_rng(seed).permutation(units)
    ranks = (order[:, None] * unit + np.arange(unit)).ravel().astype(np.int32)
    return tuple(np.split(ranks[: sum(wanted)], np.cumsum(wanted)[:-1]))

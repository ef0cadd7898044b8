"""Rings and tori, plain or twisted, with minimal routes whose ties of direction are split evenly.

Nodes are coordinates (x_0 .. x_d-1) below the shape; each has a link to its neighbours in both directions of every
dimension. Wrapping in dimension i may also shift another (a twisted torus), so that the nodes are Z^d modulo the lattice
of the wraps. A route is a displacement of least length between two nodes, walked dimension by dimension: sprayed flows in
order, hashed ones in any order, so that some get round a dead link. Half-way round an even dimension both directions are
equally long: a flow over all such ties, split evenly, loads every link of a dimension alike, and an all-to-all then
reaches the bound of the bisection:

    flows over each link of a dimension of k = n k/8 (k even), n (k^2 - 1)/(8 k) (k odd), for n^2 flows
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, Problems
from gigawatt.physics.fabric.flows.graph import Ids, Ints, network
from gigawatt.physics.fabric.flows.topology import Topology, unpooled

# (dimension that wraps, dimension that it shifts, by how much)
Twist = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Torus(Topology):
    """Link node 2 d + 2 i goes up in dimension i, the next one down.

    `ties[o]` displacements of least length lead from a node to the one `o` away; `steps[p, o, t]` are the directions of
    the t-th with the dimensions in their p-th order, -1 where it ends.
    """

    shape: tuple[int, ...]
    twist: tuple[Twist, ...]
    ties: Ints
    steps: NDArray[np.int8]
    neighbour: Ids

    def paths(self, src: Ids, dst: Ids, choice: Ints) -> Ids:
        away = self.offset(src, dst)
        order, tie = np.divmod(choice, self.splits)
        steps = self.steps[order % len(self.steps), away, tie % self.ties[away]]
        found = np.full(steps.shape, -1, dtype=np.int32)
        node = src.astype(np.int32)
        fan = np.int32(self.neighbour.shape[1])
        for at in range(steps.shape[1]):
            on = steps[:, at] >= 0
            way = steps[on, at]
            found[on, at] = node[on] * fan + way
            node[on] = self.neighbour[node[on], way]
        return found

    def offset(self, src: Ids, dst: Ids) -> Ints:
        """The node that lies as far from node 0 as `dst` from `src`."""
        here, there = (np.stack(np.unravel_index(x, self.shape), axis=-1) for x in (src, dst))
        return _numbers(_reduce(there - here, self.shape, self.twist), self.shape)


def torus(shape: Sequence[int], link_bytes_per_s: float, *, twist: Sequence[Twist] = ()) -> Torus:
    """A torus of any shape; (n,) is a ring, dimensions of 1 fall away.

    Args:
        shape: nodes in each dimension.
        link_bytes_per_s: of a link, one way. A node has two of them for each dimension.
        twist: wraps that shift: (i, j, s) for a step of s in dimension j > i when dimension i wraps. A k x 2k torus is
            best twisted by (0, 1, k).

    Raises:
        InputError: dimensions below 1, twists between dimensions that do not exist.
    """
    kept = [at for at, k in enumerate(shape) if k != 1]
    problems = Problems()
    if not shape or min(shape) < 1:
        problems.add("out_of_range", f"a torus needs at least 1 node in each dimension, not {tuple(shape)}")
    for i, j, _ in twist:
        if not (i in kept and j in kept and i < j):
            problems.add("out_of_range", f"twist ({i}, {j}): the second of two dimensions of {tuple(shape)} shifts")
    problems.raise_if_any()
    sides = tuple(shape[at] for at in kept) or (1,)
    twists = tuple((kept.index(i), kept.index(j), s) for i, j, s in twist)
    count, dims = math.prod(sides), len(sides)
    coordinate = np.stack(np.unravel_index(np.arange(count), sides), axis=-1)
    moves = np.concatenate([[unit, -unit] for unit in np.eye(dims, dtype=np.intp)])
    neighbour = _numbers(_reduce(coordinate[:, None, :] + moves, sides, twists), sides).astype(np.int32)
    name = " x ".join(str(k) for k in shape) + (" twisted torus" if twist else " torus" if dims > 1 else " ring")
    net = network(
        name,
        (("endpoint", count),),
        [("torus", np.repeat(np.arange(count), 2 * dims), neighbour.ravel(), link_bytes_per_s)],
    )
    ties, steps = _routes(coordinate, sides, twists)
    splits = math.lcm(*np.unique(ties).tolist())
    return Torus(net, unpooled(net), splits * len(steps), splits, 1, sides, twists, ties, steps, neighbour)


def shapes(nodes: int, dimensions: int = 3) -> list[tuple[int, ...]]:
    """Every shape of so many nodes, the most cubic first: what optical switches can wire n nodes into.

    Raises:
        InputError: fewer than one node or dimension.
    """
    if nodes < 1 or dimensions < 1:
        raise InputError(Problem("out_of_range", f"no torus has {nodes} nodes in {dimensions} dimensions"))

    def split(left: int, dims: int, least: int) -> list[tuple[int, ...]]:
        if dims == 1:
            return [(left,)] if left >= least else []
        sides = [k for k in range(least, round(left ** (1 / dims)) + 1) if left % k == 0]
        return [(k, *rest) for k in sides for rest in split(left // k, dims - 1, k)]

    return sorted(split(nodes, dimensions, 1), key=lambda shape: (max(shape), sum(shape)))


def _reduce(x: Ints, shape: tuple[int, ...], twist: tuple[Twist, ...]) -> Ints:
    """Coordinates below the shape that stand for the same node."""
    x = x.copy()
    for i, k in enumerate(shape):
        turns = x[..., i] // k
        x[..., i] -= turns * k
        for one, other, shift in twist:
            if one == i:
                x[..., other] -= turns * shift
    return x


def _numbers(x: Ints, shape: tuple[int, ...]) -> Ints:
    return np.asarray(np.ravel_multi_index(tuple(np.moveaxis(x, -1, 0)), shape))


def _routes(coordinate: Ints, shape: tuple[int, ...], twist: tuple[Twist, ...]) -> tuple[Ints, NDArray[np.int8]]:
    """How many displacements of least length lead to each node, and the steps of each in every order."""
    dims = len(shape)
    wraps = np.diag(shape)
    for one, other, shift in twist:
        wraps[one, other] += shift
    turns = range(-2, 3) if twist else range(-1, 1)
    shifts = np.array(list(itertools.product(turns, repeat=dims))) @ wraps
    away = coordinate[:, None, :] + shifts
    length = np.abs(away).sum(axis=-1)
    least = length.min(axis=1)
    tied = length == least[:, None]
    ties = tied.sum(axis=1)
    first = np.argsort(~tied, axis=1, kind="stable")[:, : ties.max()]
    chosen = np.take_along_axis(away, first[:, :, None], axis=1)
    least_steps = np.arange(max(1, least.max()))
    orders = []
    for order in itertools.permutations(range(dims)):
        # Step s belongs to the dimension into whose share of the length it falls.
        walk = chosen[..., order]
        end = np.cumsum(np.abs(walk), axis=-1)
        place = (least_steps[:, None] >= end[:, :, None, :]).sum(axis=-1)
        inside = np.minimum(place, dims - 1)
        down = np.take_along_axis(walk, inside, axis=-1) < 0
        orders.append(np.where(place < dims, 2 * np.array(order)[inside] + down, -1).astype(np.int8))
    return ties, np.stack(orders)

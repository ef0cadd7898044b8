"""Schedules that people ask for: all-reduce flat and over sites, all-to-all, a mixture-of-experts layer, a training step.

Bytes on the wire, S the payload, n ranks, s sites of m ranks:

    ring all-reduce           2 (n-1) S
    all-to-all                n (n-1) S/n        S what one rank sends in all, its own share included
    hierarchical all-reduce   2 s (m-1) S + 2 (s-1) S
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric.export.schedule import Front, Program, Schedule, join, split_bytes


def ring_all_reduce(ranks: int, nbytes: int) -> Schedule:
    """Ring all-reduce of `nbytes`: 2 (n-1) steps of nbytes/n."""
    program = Program(ranks)
    program.all_reduce(program.start, [range(ranks)], nbytes)
    return program.schedule()


def all_to_all(ranks: int, nbytes: int) -> Schedule:
    """Each rank sends nbytes/n to every other; `nbytes` is what one rank holds, as nccl-tests counts."""
    program = Program(ranks)
    program.exchange(program.start, np.tile(split_bytes(nbytes, ranks), (ranks, 1)))
    return program.schedule()


def _sites(sites: int, ranks_per_site: int) -> tuple[list[list[int]], list[list[int]]]:
    """Ranks of each site, and ranks of one place in all sites."""
    table = np.arange(sites * ranks_per_site).reshape(sites, ranks_per_site)
    return table.tolist(), table.T.tolist()


def hierarchical_all_reduce(sites: int, ranks_per_site: int, nbytes: int) -> Schedule:
    """Reduce-scatter in each site, all-reduce of the pieces across, all-gather in each site."""
    program = Program(sites * ranks_per_site)
    _hierarchical(program, program.start, sites, ranks_per_site, nbytes)
    return program.schedule()


def _hierarchical(program: Program, after: Front, sites: int, ranks_per_site: int, nbytes: int) -> Front:
    inside, across = _sites(sites, ranks_per_site)
    # After the reduce-scatter, place p holds piece p + 1.
    pieces = np.roll(split_bytes(nbytes, ranks_per_site), -1).tolist()
    after = program.reduce_scatter(after, inside, nbytes)
    after = program.all_reduce(after, across, pieces)
    return program.all_gather(after, inside, nbytes)


def moe_layer(nbytes: ArrayLike, expert_s: ArrayLike) -> Schedule:
    """Dispatch of tokens to experts, their compute, combine.

    Args:
        nbytes: (ranks, ranks), from the sender to the rank of the expert; combine sends the same back.
        expert_s: compute of the experts of a rank, one number or one a rank.
    """
    table = np.asarray(nbytes, dtype=np.int64)
    program = Program(len(table))
    arrived = program.exchange(program.start, table, "dispatch")
    program.exchange(program.compute(expert_s, arrived, "experts"), table.T, "combine")
    return program.schedule()


def training_step(
    ranks: int, compute_s: float, gradient_bytes: int, *, buckets: int = 1, overlap: float = 2 / 3, sites: int = 1
) -> Schedule:
    """A data-parallel step: compute, then all-reduce of the gradient, in buckets behind the rest of the backward pass.

    Args:
        ranks: in all.
        compute_s: of the step.
        gradient_bytes: of the whole gradient.
        buckets: pieces; each is ready when its share of the backward pass is done. 1 overlaps nothing.
        overlap: share of the step that is the backward pass.
        sites: hierarchical all-reduce over that many, flat where 1.

    Raises:
        InputError: ranks that do not divide among the sites, no bucket.
    """
    if buckets < 1 or sites < 1 or ranks % sites:
        text = f"{ranks} ranks, {sites} sites, {buckets} buckets: sites must divide the ranks, buckets be at least 1"
        raise InputError(Problem("out_of_range", text))
    program = Program(ranks)
    done = program.compute(compute_s * (1 - overlap), name="forward")
    sent = program.start
    for size in split_bytes(gradient_bytes, buckets).tolist():
        done = program.compute(compute_s * overlap / buckets, done, "backward")
        if sites == 1:
            sent = program.all_reduce(join(done, sent), [range(ranks)], size)
        else:
            sent = _hierarchical(program, join(done, sent), sites, ranks // sites, size)
    return program.schedule()

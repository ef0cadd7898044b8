"""What is wrong with a search before it starts, all at once with the nearest right value; and why nothing fits.

Degrees that the space names must be possible on the job: at least one value of each axis, and at least one product of
them. Values that are possible beside others that are not are left to the search, which counts what falls out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Change, InputError, Problem
from gigawatt.physics.chip import Chip
from gigawatt.physics.training.calibration import PRECISIONS
from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.training.memory.changes import smallest_change
from gigawatt.physics.training.precision import Precision, Stored
from gigawatt.physics.training.search.bulk import smallest
from gigawatt.physics.training.search.candidates import Candidates, Job, Rejection, candidates_of, divisors
from gigawatt.physics.training.search.plain import known_precision, unknown_precision
from gigawatt.physics.training.search.points import describe
from gigawatt.physics.training.search.space import Limits, Space, Weights
from gigawatt.physics.training.shape import Shape
from gigawatt.physics.training.step.sites import Between

DOUBLINGS = 12  # of the chips, tried before giving up on chips as a way out


def check(
    shape: Shape,
    job: Job,
    precisions: Sequence[str | Precision],
    space: Space,
    weights: Weights,
    limits: Limits,
    between: Between | None = None,
) -> None:
    """Raises everything that is wrong with a search.

    Raises:
        InputError: counts below one or not whole; unknown precisions; values that no mapping can have; degrees that do
            not divide what they must, or that contradict each other; weights or limits that mean nothing.
    """
    found: list[Problem] = []
    for name, value in (
        ("chips", job.chips), ("seq", job.seq), ("global_batch", job.global_batch),
        ("sites", job.sites), ("local_steps", job.local_steps),
    ):  # fmt: skip
        if not math.isfinite(value) or value < 1 or value != math.floor(value):
            hint = f"nearest: {max(round(value), 1) if math.isfinite(value) else 1}"
            found.append(
                Problem("out_of_range", f"{name} is {value:g}; it must be a whole number, at least 1", None, (hint,))
            )
    if not job.imbalance >= 1.0:
        found.append(
            Problem("out_of_range", f"imbalance is {job.imbalance:g}; the busiest rank has at least the mean load (1)")
        )
    counts_hold = not found
    if not precisions:
        found.append(Problem("missing", "no precision is named", None, ("known: " + ", ".join(PRECISIONS),)))
    for precision in precisions:
        if isinstance(precision, str) and not known_precision(precision):
            found.append(unknown_precision(precision))
    if job.sites > 1 and between is None:
        text, way = "a job over several sites needs the cables between them", "give Between(fibre_km, bytes_per_s)"
        found.append(Problem("missing", text, None, (way,)))
    wrong = space.problems()
    found += [*wrong, *weights.problems(), *limits.problems()]
    if counts_hold and not wrong:
        found += _indivisible(shape, job, space) or _contradictions(job.chips, job.global_batch, space)
    if found:
        raise InputError(found)


def on_chips_alone(space: Space, chip: Chip, rejected: list[Rejection]) -> Space:
    """The space without what needs a way to a host's memory that nobody knows; a row says so.

    Raises:
        InputError: the space has nothing else.
    """
    shares = {name: getattr(space, name) for name in ("offload_optimizer", "offload_activations", "offload_weights")}
    asked = [name for name, values in shares.items() if max(values, default=0.0) > 0]
    reason = f"no way from {chip.name} to its host's memory is known"
    fix = "give one (HostPath), or take shares of 0"
    if asked:
        if any(min(shares[name]) > 0 for name in asked):
            raise InputError(Problem("missing", f"{reason}, and {' and '.join(asked)} needs one", None, (fix,)))
        rejected.append(Rejection(f"{reason}: {', '.join(asked)} left out", 1, fix))
    return replace(space, offload_optimizer=(0.0,), offload_activations=(0.0,), offload_weights=(0.0,))


def _indivisible(shape: Shape, job: Job, space: Space) -> list[Problem]:
    """Axes none of whose values divides what it must, or is small enough."""
    heads, layers = round(float(shape.max_heads)), round(float(shape.layers))
    experts = round(max((float(np.max(kind.experts)) for kind in shape.kinds), default=0.0))
    found = []
    divide = (
        ("tp", heads, "attention heads"),
        ("cp", job.seq, "tokens of a sequence"),
        ("micro_batch", job.global_batch, "sequences of a step"),
        ("dp", job.global_batch, "sequences of a step"),
        ("ep", experts, "experts"),
    )
    for name, whole, what in divide:
        values = getattr(space, name)
        if name == "ep" and not experts:
            if values and min(values) > 1:
                found.append(
                    Problem(
                        "indivisible", f"ep is {_listed(values)}, and the model has no experts", None, ("nearest: 1",)
                    )
                )
        elif values and all(whole % int(value) for value in values):
            found.append(
                Problem("indivisible", f"{name} {_listed(values)} does not divide the {whole:,} {what}", None,
                        (f"nearest: {_near(divisors(whole), values[0])}",))
            )  # fmt: skip
    if space.pp and min(space.pp) > layers:
        found.append(
            Problem(
                "indivisible", f"pp {_listed(space.pp)} is more than the {layers} layers", None, (f"nearest: {layers}",)
            )
        )
    return found


def _contradictions(chips: int, batch: int, space: Space) -> list[Problem]:
    """Products of named degrees that no job of this size can have."""
    least = {name: min(getattr(space, name)) for name in ("tp", "pp", "cp", "dp") if getattr(space, name)}
    product = math.prod(least.values())
    if product > chips:
        widest = max(least, key=lambda name: least[name])
        text = " x ".join(f"{name} {value:g}" for name, value in least.items())
        nearest = max(math.floor(chips * least[widest] / product), 1)
        return [
            Problem("contradiction", f"{text} = {product:,.0f} chips, and the job has {chips:,}", None,
                    (f"use {product:,.0f} chips, or {widest} {nearest} at most",))
        ]  # fmt: skip
    pairs = [(dp, micro) for dp in space.dp for micro in space.micro_batch or (1.0,)]
    if pairs and all(batch % int(dp * micro) for dp, micro in pairs):
        dp, micro = min(pairs, key=lambda pair: pair[0] * pair[1])
        each = int(dp * micro)
        nearest = max(round(batch / each), 1) * each
        return [
            Problem("contradiction", f"dp {dp:g} x micro-batch {micro:g} does not divide the {batch:,} sequences", None,
                    (f"nearest: a batch of {nearest:,}, or dp {_near(divisors(batch), dp)} with a micro-batch of 1",))
        ]  # fmt: skip
    return []


def _listed(values: Sequence[float]) -> str:
    return " or ".join(f"{value:g}" for value in values)


def _near(options: NDArray[np.float64], value: float) -> str:
    """The options around a value: the one below, the one above."""
    below, above = options[options <= value], options[options > value]
    return " or ".join(f"{one:g}" for one in (*below[-1:], *above[:1]))


@dataclass(frozen=True, slots=True)
class Misfit:
    """Candidates over the memory: the precision where there are several, the mapping that comes nearest, how many, and
    whether all are."""

    precision: str
    nearest: Mapping
    count: int
    all: bool


def too_large(
    shape: Shape,
    found: Candidates,
    space: Space,
    flash: float,
    room_bytes: float,
    chip: Chip,
    stored: Stored,
    misfit: Misfit,
    host_bytes: float,
) -> tuple[Rejection, tuple[Change, ...]]:
    """What does not fit the memory: how many, the nearest of them by kind; and, where nothing fits, what would."""
    job = found.job
    gap = smallest_change(
        shape, misfit.nearest, room_bytes, flash, recipe=stored, host_bytes=host_bytes,
        max_tp=max(job.domain, 8.0), max_chips=float(job.chips),
    )  # fmt: skip
    total = room_bytes + gap.over_bytes
    reason = "does not fit the memory" + (f" in {misfit.precision}" if misfit.precision else "")
    text = (
        f"the nearest ({describe(misfit.nearest, 0)}) needs {total / 1e9:,.0f} GB a chip, {_size(gap.over_bytes)} "
        f"more than the {room_bytes / 1e9:,.0f} GB that can be planned with; {gap.largest_in_words}"
    )
    if not misfit.all:
        return Rejection(reason, misfit.count, text), ()
    share = room_bytes / chip.memory_bytes
    changes = [Change("memory of a chip", chip.memory_bytes / 1e9, total / share / 1e9, "GB")]
    enough = _chips_enough(shape, found, space, flash, room_bytes, stored)
    if enough:
        changes.append(Change("chips", job.chips, enough, "chips"))
        text += f"; {enough:,} chips would do"
    if gap.changes:
        ways = " or ".join(" and ".join(str(change).strip() for change in way) for way in gap.changes)
        text += f"; so would of this mapping {ways}"
        changes += gap.changes[0]
    return Rejection(reason, misfit.count, text), tuple(changes)


def _size(nbytes: float) -> str:
    """Bytes in words: GB, or MB of less than one.

    >>> _size(787.1e9), _size(42e6)
    ('787.1 GB', '42 MB')
    """
    return f"{nbytes / 1e9:,.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:,.0f} MB"


def _chips_enough(
    shape: Shape, found: Candidates, space: Space, flash: float, room_bytes: float, stored: Stored
) -> int | None:
    """The fewest chips, in multiples of the job's, on which a mapping of the space fits; None where none does."""

    def fits(times: int) -> bool:
        more = candidates_of(shape, replace(found.job, chips=times * found.job.chips), space)
        return smallest(shape, more, flash, stored)[0] <= room_bytes

    high = next((2**i for i in range(1, DOUBLINGS + 1) if fits(2**i)), 0)
    if not high:
        return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return int(high * found.job.chips)


def idle_notes(layout: Mapping, row: int, chips: int) -> tuple[str, ...]:
    """Why chips idle under a mapping, and the nearest batches with which more data-parallel ranks would use them."""
    tp, cp, pp, micro, dp = (float(getattr(layout, name)[row]) for name in ("tp", "cp", "pp", "micro_batch", "dp"))
    batch, used = float(layout.global_batch[row]), tp * cp * pp * dp
    ranks = math.floor(chips / (tp * cp * pp))
    if used >= chips:
        return ()
    text = f"{chips - used:,.0f} of {chips:,} chips idle: the degrees multiply to {used:,.0f}"
    if ranks > dp:
        each = ranks * micro
        below, above = math.floor(batch / each) * each, math.ceil(batch / each) * each
        near = " or ".join(f"{one:,.0f}" for one in (below, above) if one)
        text += f"; a batch of {near} sequences would let {ranks * tp * cp * pp:,.0f} work"
    return (text,)

"""What a search tries, what it minimises, and what an answer must keep.

A `Space` names the values of each axis of a mapping. An empty axis is every value that makes sense on the job's model,
chips and batch; a single value fixes it. `Space()` is what a practitioner would try, `Space.wide()` far more of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.training.columns import (
    ALL_GATHER,
    CONTEXTS,
    CORE_ATTENTION,
    DUAL_PIPE_V,
    NORM,
    ONE_F_ONE_B,
    RING,
    SCHEDULES,
    ULYSSES,
    ZERO_BUBBLE_H1,
    ZERO_BUBBLE_V,
)

MEMORY_SHARE = (
    0.98  # of the memory that a job may plan with (assumed); the memory model holds reserve and context itself
)
Axis = tuple[float, ...]
DEGREES = ("tp", "pp", "vpp", "dp", "cp", "ep", "etp", "micro_batch")  # whole numbers from 1
SHARES = ("recompute", "offload_optimizer", "offload_activations", "offload_weights")
SWITCHES = (
    "sequence_parallel",
    "overlap_tp",
    "overlap_cp",
    "overlap_ep",
    "overlap_pp",
    "overlap_dp",
    "paired",
    "fused",
)
NAMES = {"schedule": SCHEDULES, "context": CONTEXTS}
MODULES = 63.0  # all of CORE_ATTENTION ... EXPERTS


@dataclass(frozen=True, slots=True)
class Space:
    """Values tried of each axis of `columns.Mapping`, where the axes are documented.

    Empty tuples of the degrees mean: tp powers of two that divide the heads, within the scale-up domain (8 at least, 64
    at most); cp powers of two that leave a rank 2,048 tokens; pp divisors of the layers and powers of two up to 64; vpp
    chunks that divide the layers, 12 at most; ep powers of two that divide the experts; dp what is left of the chips, as
    far as the batch divides. `every` takes all divisors in place of powers of two.
    """

    tp: Axis = ()
    pp: Axis = ()
    vpp: Axis = ()
    dp: Axis = ()
    cp: Axis = ()
    ep: Axis = ()
    etp: Axis = (1.0,)
    micro_batch: Axis = (1.0, 2.0, 4.0, 8.0)
    recompute: Axis = (0.0, 0.25, 0.5, 1.0)
    modules: Axis = (0.0, CORE_ATTENTION)
    sequence_parallel: Axis = (1.0,)
    sharding: Axis = (1.0, 3.0)
    shard_ranks: Axis = (0.0,)
    schedule: Axis = (ONE_F_ONE_B,)
    context: Axis = (RING,)
    offload_optimizer: Axis = (0.0,)
    offload_activations: Axis = (0.0,)
    offload_weights: Axis = (0.0,)
    overlap_tp: Axis = (1.0,)
    overlap_cp: Axis = (1.0,)
    overlap_ep: Axis = (1.0,)
    overlap_pp: Axis = (1.0,)
    overlap_dp: Axis = (1.0,)
    paired: Axis = (0.0, 1.0)  # of models without experts the first alone
    fused: Axis = (1.0,)
    every: bool = False

    @staticmethod
    def wide() -> Space:
        """All degrees that divide, every ZeRO stage, finer recompute, offload, and messages that are not hidden."""
        return Space(
            micro_batch=(1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0),
            recompute=tuple(i / 8.0 for i in range(9)),
            modules=(0.0, CORE_ATTENTION, NORM, CORE_ATTENTION + NORM),
            sequence_parallel=(1.0, 0.0),
            sharding=(0.0, 1.0, 2.0, 3.0),
            schedule=(ONE_F_ONE_B, ZERO_BUBBLE_H1, ZERO_BUBBLE_V, DUAL_PIPE_V),
            paired=(0.0, 1.0),
            context=(RING, ALL_GATHER, ULYSSES),
            offload_optimizer=(0.0, 1.0),
            offload_activations=(0.0, 0.5, 1.0),
            overlap_tp=(1.0, 0.0),
            overlap_dp=(1.0, 0.0),
            every=True,
        )

    @staticmethod
    def of(base: Space | None = None, **axes: Any) -> Space:
        """A space with some axes replaced: numbers, names of schedules and contexts, or sequences of them.

        Raises:
            InputError: an axis or a name that does not exist, or a value that no mapping can have; all at once.

        >>> Space.of(tp=8, schedule="zb-h1").schedule
        (2.0,)
        """
        found: list[Problem] = []
        taken: dict[str, Axis] = {}
        for name, given in axes.items():
            if name not in AXES:
                found.append(unknown_name("axis of a mapping", name, AXES))
                continue
            values = (given,) if isinstance(given, str) or not isinstance(given, Sequence) else tuple(given)
            taken[name] = tuple(v for value in values if (v := _number(name, value, found)) is not None)
        if found:
            raise InputError(found)
        made = replace(base or Space(), **taken)  # type: ignore[arg-type]
        found = made.problems()
        if found:
            raise InputError(found)
        return made

    def problems(self) -> list[Problem]:
        """Values that no mapping can have, whatever the job."""
        found = []
        for name in AXES:
            values = getattr(self, name)
            if not values and name not in DEGREES:
                found.append(Problem("missing", f"no value of {name} is to be tried"))
            for value in values:
                wrong = _wrong(name, float(value))
                if wrong:
                    found.append(Problem("out_of_range", f"{name} is {value:g}; {wrong}"))
        return found


AXES = tuple(f.name for f in fields(Space) if f.name != "every")


def _number(name: str, value: Any, found: list[Problem]) -> float | None:
    known = NAMES.get(name, ())
    if isinstance(value, str) and known:
        if value.lower() in known:
            return float(known.index(value.lower()))
        found.append(unknown_name(name, value, known))
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        found.append(Problem("wrong_type", f"{name} is {value!r}; it must be a number"))
        return None


def _wrong(name: str, value: float) -> str:
    """What a value would have to be; empty where it is that."""
    whole = math.isfinite(value) and value == math.floor(value)
    if name in DEGREES and not (whole and value >= 1):
        return f"it must be a whole number from 1 (nearest: {max(round(value), 1) if math.isfinite(value) else 1})"
    if name == "shard_ranks" and not (whole and value >= 0):
        return "it must be a whole number of ranks, or 0 for all"
    if name in (*SHARES, *SWITCHES) and not 0.0 <= value <= 1.0:
        return f"it must be between 0 and 1 (nearest: {min(max(value, 0.0), 1.0):g})"
    if name == "modules" and not (whole and 0 <= value <= MODULES):
        return "it must be a sum of 1 (attention core), 2 (norms), 4 (activations), 8, 16, 32"
    if name == "sharding" and value not in (0.0, 1.0, 2.0, 3.0):
        return "it must be a ZeRO stage: 0, 1, 2 or 3"
    if name in NAMES and not (whole and 0 <= value < len(NAMES[name])):
        return "it must be one of " + ", ".join(f"{i} ({word})" for i, word in enumerate(NAMES[name]))
    return ""


@dataclass(frozen=True, slots=True)
class Weights:
    """What the search minimises in a step: per_chip_s x chips x seconds + per_joule x joules of the chips.

    Plain numbers: the caller may fill in the price of a chip-second and of a joule. By default speed alone counts.
    """

    per_chip_s: float = 1.0
    per_joule: float = 0.0

    def problems(self) -> list[Problem]:
        """Weights that are negative, or both zero."""
        values = (self.per_chip_s, self.per_joule)
        if all(math.isfinite(v) and v >= 0 for v in values) and any(values):
            return []
        return [
            Problem("out_of_range", f"weights are {values[0]:g} and {values[1]:g}; one must be above 0, none below")
        ]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer must keep: share of the memory, seconds of a step, watts of a chip, tokens a second of the whole
    job, share of the step that messages may be waited for."""

    max_memory_share: float = MEMORY_SHARE
    max_step_s: float = math.inf
    max_chip_w: float = math.inf
    min_tokens_per_s: float = 0.0
    max_exposed_share: float = 1.0

    def problems(self) -> list[Problem]:
        """Limits that nothing can keep."""
        found = []
        for name in ("max_memory_share", "max_step_s", "max_chip_w"):
            if not getattr(self, name) > 0:
                found.append(Problem("out_of_range", f"{name} is {getattr(self, name):g}; it must be above 0"))
        if not 0.0 <= self.max_exposed_share <= 1.0:
            found.append(
                Problem("out_of_range", f"max_exposed_share is {self.max_exposed_share:g}; it is a share, 0 to 1")
            )
        if not 0.0 <= self.min_tokens_per_s < math.inf:
            found.append(Problem("out_of_range", f"min_tokens_per_s is {self.min_tokens_per_s:g}; it must be from 0"))
        return found

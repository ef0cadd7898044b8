"""Where a pipeline schedule is defined: as a mask over columns for the search, and in words for people."""

from __future__ import annotations

from typing import Any

import numpy as np

from gigawatt.core.errors import Problem
from gigawatt.physics.training.columns import (
    DUAL_PIPE,
    DUAL_PIPE_V,
    GPIPE,
    ONE_F_ONE_B,
    SCHEDULES,
    ZERO_BUBBLE_H1,
    ZERO_BUBBLE_V,
)

# What each rule asks, and the change that meets it.
RULES: dict[str, tuple[str, str]] = {
    "whole": ("a step needs a whole number of micro-batches, at least one", "choose a global batch that divides"),
    "one chunk": ("{schedule} runs one model chunk a stage", "set vpp to 1, or use 1f1b, which interleaves chunks"),
    "two chunks": ("{schedule} runs two model chunks a stage", "set vpp to 2"),
    "one stage": ("one stage has no chunks to interleave", "set vpp to 1, or use more stages"),
    "groups": (
        "the interleaved schedule runs micro-batches in groups of the stages, and {m:g} is no multiple of {p:g}",
        "choose a global batch that makes the micro-batches of a rank a multiple of pp, or vpp 1",
    ),
    "even stages": ("{schedule} pairs stages from both ends, and {p:g} is odd", "use an even number of stages"),
    "even batch": ("{schedule} feeds both ends alike, and {m:g} micro-batches are odd", "use an even number of them"),
    "twice": (
        "{schedule} needs at least twice as many micro-batches as stages, and has {m:g} for {p:g}",
        "use a larger global batch, smaller micro-batches, or fewer stages",
    ),
    "fill": (
        "{schedule} fills the V with 2 pp - 1 micro-batches, and has {m:g} for {p:g} stages",
        "use a larger global batch, smaller micro-batches, or fewer stages",
    ),
}


def broken_rules(schedule: Any, micro_batches: Any, stages: Any, chunks: Any = 1.0) -> dict[str, Any]:
    """For each rule of `RULES`, where it is broken: masks that broadcast over the columns."""
    s, m, p, v = (np.asarray(x, dtype=float) for x in (schedule, micro_batches, stages, chunks))
    folded = (s == ZERO_BUBBLE_V) | (s == DUAL_PIPE_V)
    several = (s == ONE_F_ONE_B) & (v > 1)
    piped = p > 1  # with one stage, schedules of one chunk are all the same
    return {
        "whole": (m < 1) | (np.mod(m, 1.0) != 0),
        "one chunk": (v != 1) & ((s == GPIPE) | (s == ZERO_BUBBLE_H1) | (s == DUAL_PIPE)),
        "two chunks": (v != 2) & folded,
        "one stage": several & ~piped,
        "groups": several & piped & (np.mod(m, p) != 0),
        "even stages": (np.mod(p, 2.0) != 0) & (s == DUAL_PIPE),
        "even batch": (np.mod(m, 2.0) != 0) & (s == DUAL_PIPE),
        "twice": (m < 2 * p) & ((s == DUAL_PIPE) | (s == DUAL_PIPE_V)),
        "fill": (m < 2 * p - 1) & (s == ZERO_BUBBLE_V),
    }


def valid_schedule(schedule: Any, micro_batches: Any, stages: Any, chunks: Any = 1.0) -> Any:
    """True where a schedule is defined for the micro-batches, stages and chunks of a row.

    >>> valid_schedule(1.0, [8, 9], 4, 2).tolist()
    [True, False]
    """
    broken = broken_rules(schedule, micro_batches, stages, chunks).values()
    bad: Any = np.asarray(False)
    for mask in broken:
        bad = bad | mask
    return ~np.asarray(bad)


def schedule_problem(schedule: float, micro_batches: float, stages: float, chunks: float = 1.0) -> str:
    """What keeps one row from its schedule, with the smallest change, in words; empty where nothing does.

    >>> schedule_problem(4.0, 16, 7)
    'dualpipe pairs stages from both ends, and 7 is odd: use an even number of stages'
    """
    name = SCHEDULES[int(schedule)]
    values = {"schedule": name, "m": float(micro_batches), "p": float(stages)}
    broken = broken_rules(schedule, micro_batches, stages, chunks)
    found = [": ".join(RULES[rule]).format(**values) for rule, mask in broken.items() if bool(mask)]
    return "; ".join(found)


def check_schedule(schedule: float, micro_batches: float, stages: float, chunks: float = 1.0) -> list[Problem]:
    """The same as problems of an input."""
    text = schedule_problem(schedule, micro_batches, stages, chunks)
    return [Problem("schedule", text)] if text else []

"""The question of `gigawatt net` in numbers. Sizes are bytes in nccl-tests' meaning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.fabric.collective import LINES, algorithms_of

MOE = ("moe_dispatch", "moe_combine")
COLLECTIVES = (*LINES, *MOE)
ALL = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send_recv")
DEFAULT_SIZES = (2.0**20, 2.0**26, 2.0**30)
# Axis of a layout -> the group that it names; 'edp' are the ranks with equal experts.
GROUPS = {
    "tp": "tensor",
    "cp": "context",
    "ep": "expert",
    "dp": "data",
    "edp": "expert_data",
    "pp": "pipeline",
}
AXES = ("tp", "cp", "ep", "dp", "pp")
MOST_POINTS = 20_000


@dataclass(frozen=True, slots=True)
class Experts:
    """A dispatch or combine: tokens of a rank, values of a token, experts a token is sent to, bytes of a value.

    `width` 0 takes what is usual: a byte in dispatch, two in combine.
    """

    tokens: tuple[int, ...] = (4096,)
    hidden: int = 7168
    topk: int = 8
    width: float = 0.0
    style: str = "normal"

    def bytes_of(self, kind: str) -> float:
        """Bytes of a value."""
        return self.width or (1.0 if kind == "moe_dispatch" else 2.0)


@dataclass(frozen=True, slots=True)
class Overrides:
    """What replaces the fabric's own design; None leaves it."""

    domain: int | None = None
    nic_bytes_per_s: float | None = None
    ports_per_pair: int | None = None
    oversubscription: float | None = None
    tiers: int | None = None
    planes: int | None = None
    sharp: bool | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Collectives on networks: every platform with every fabric, each at all sizes and numbers of chips.

    `fabrics` empty takes each platform's own, `chips` empty one rack. `layout` (axis -> ways) with `group` places the group
    in Megatron's order; else `per_domain` ranks share a scale-up domain, as many as fit where None. `algorithms` gives each
    of them rows of its own; `auto` is the fastest.
    """

    collectives: tuple[str, ...] = ("all_reduce",)
    on: tuple[str, ...] = ("gb300-nvl72",)
    fabrics: tuple[str, ...] = ()
    chips: tuple[int, ...] = ()
    nbytes: tuple[float, ...] = DEFAULT_SIZES
    algorithms: tuple[str, ...] = ("auto",)
    per_domain: int | None = None
    layout: Mapping[str, int] = field(default_factory=dict)
    group: str = ""
    experts: Experts = field(default_factory=Experts)
    overrides: Overrides = field(default_factory=Overrides)

    @property
    def world(self) -> int:
        """Chips of the layout, 0 without one."""
        return math.prod(self.layout.get(axis, 1) for axis in ("tp", "cp", "dp", "pp")) if self.layout else 0


def lines_of(kind: str, algorithm: str) -> list[str]:
    """The lines of a collective whose names begin so, whatever the case."""
    return [name for name in algorithms_of(kind) if name.lower().startswith(algorithm.strip().lower())]


def refuse_too_many(question: Question, networks: int) -> None:
    """A command that would print more rows than anybody reads; the Python functions have no such limit.

    Raises:
        InputError: more than `MOST_POINTS`.
    """
    each = len(question.nbytes) * len(question.algorithms) * len(question.collectives)
    count = networks * max(1, len(question.chips)) * each
    if count > MOST_POINTS:
        hint = "gigawatt.study.net.points takes columns of any length"
        said = f"{count:,} rows are more than the {MOST_POINTS:,} of one command"
        raise InputError(Problem("too_many", said, None, (hint,)))

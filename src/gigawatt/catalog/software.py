"""Records of software and of what runs it: frameworks and what they support, what a port takes, the hosts of accelerators.

A framework's cell says how it serves a family of architectures on an accelerator stack. What a source does not say stays
`unknown`: that no page names a model is no proof that it does not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from gigawatt.catalog.quantity import Bytes, Count, DataRate, Money, Power, Strict, Time
from gigawatt.catalog.record import Record

Level = Literal["in-tree", "plugin", "partial", "unknown", "no"]
Family = Literal["dense", "moe", "mla", "state-space", "diffusion", "speech", "vla", "sparse-attention"]
Task = Literal["serving", "training"]
LEVELS: tuple[Level, ...] = get_args(Level)  # the best first
FAMILIES: tuple[Family, ...] = get_args(Family)
TASKS: tuple[Task, ...] = get_args(Task)


class Cell(Strict):
    """One cell of the matrix. in-tree: in the framework itself; plugin: in a package beside it that its vendor keeps;
    partial: listed as experimental, untested or of some models only; unknown: no source says; no: a source says no."""

    level: Level
    note: str = ""
    source: str = ""
    source_url: str = ""
    as_of: str = ""


class StackSupport(Cell):
    """A framework on one accelerator stack; `families` are the families that a source speaks of (short: their level)."""

    families: dict[Family, Cell] = Field(default_factory=dict)

    @field_validator("families", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: {"level": cell} if isinstance(cell, str) else cell for name, cell in value.items()}

    @model_validator(mode="after")
    def _no_more_than_the_stack(self) -> Self:
        """No family is served better than the stack itself is."""
        above = [name for name, cell in self.families.items() if LEVELS.index(cell.level) < LEVELS.index(self.level)]
        if above and self.level != "unknown":
            raise ValueError(f"{', '.join(above)}: better than the '{self.level}' of the whole stack")
        return self


class Framework(Record):
    """A serving or training framework, and the families of models that it runs on each accelerator stack.

    `only` names the stacks of a product that one vendor keeps for its own: elsewhere its cell is `no`, which says nothing
    of what other software does there. `refuses` are tasks that the vendor of those stacks does not offer on them at all.
    """

    tasks: tuple[Task, ...] = Field(min_length=1)
    refuses: tuple[Task, ...] = ()
    only: tuple[str, ...] = ()
    stacks: dict[str, StackSupport] = Field(min_length=1)

    def cell(self, stack: str, family: Family) -> Cell:
        """The cell, with the source of the nearest mapping around it that states one."""
        mine = self.stacks.get(stack)
        if mine is None:
            level: Level = "no" if self.only else "unknown"
            note = f"made for {', '.join(self.only)} only" if self.only else ""
            return Cell(level=level, note=note, source=self.source, source_url=self.source_url, as_of=self.as_of)
        cell = mine.families.get(family) or Cell(level="no" if mine.level == "no" else "unknown")
        said = {
            name: getattr(cell, name) or getattr(mine, name) or getattr(self, name)
            for name in ("source", "source_url", "as_of")
        }
        return Cell(level=cell.level, note=cell.note or mine.note, **said)


class Port(Strict):
    """What a port of one kind takes: months until it serves customers, and the work of engineers in it."""

    months: Count
    engineer_months: Count
    kind: str = ""
    source: str = ""
    as_of: str = ""


class Porting(Record):
    """What it takes to run a family of models where no framework does, for economics to price.

    `family`: a framework runs on the stack, but not this family. `stack`: nothing runs there. `bring_up`: a new model of a
    family that is served already, until it runs at speed. `life_lost_years`: how much sooner a chip is
    retired whose software runs less of what comes next.
    """

    family: Port
    stack: Port
    bring_up: Port
    life_lost_years: Count
    engineer_month_price: Money


class HostLink(Strict):
    """The link from a host to one accelerator: one way, peak, and what copies were measured to reach each way.

    `latency` is of one copy or one remote load; `coherent`: the accelerator loads and stores host memory itself.
    """

    technology: str
    bandwidth: DataRate
    to_device: DataRate | None = None
    to_host: DataRate | None = None
    latency: Time
    coherent: bool = False


class Host(Record):
    """A host CPU: one socket, its memory as sold in these systems, and its link to one accelerator.

    `memory_bandwidth` is the peak of all channels; `memory_bandwidth_measured` what STREAM reaches.
    """

    vendor: str
    architecture: Literal["x86", "arm"]
    cores: int = Field(ge=1)
    memory: Bytes
    memory_type: str = ""
    memory_bandwidth: DataRate
    memory_bandwidth_measured: DataRate | None = None
    link: HostLink
    power: Power | None = None
    flags: tuple[str, ...] = ()

"""What a launch of training sets, in plain words that belong to no framework: a model, a machine, a mapping, a precision."""

from __future__ import annotations

import math
from collections.abc import Mapping as Dict
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.training.calibration import Stack, default_stack, load_calibration
from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.workload import from_config
from gigawatt.physics.workload.architecture import Architecture


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it runs: the platform's name, its chip's generation and software, chips of a node and of a scale-up domain."""

    name: str
    generation: str = "hopper"
    stack: str = "cuda"
    node_chips: int = 8
    domain_chips: int = 8


@dataclass(frozen=True, slots=True)
class Predicted:
    """What the model predicts: seconds of a step with its 80 % range, tokens/s of a chip, share of the time that counts."""

    step_s: float
    low_s: float
    high_s: float
    tokens_per_s_per_chip: float
    goodput: float = math.nan


@dataclass(frozen=True, slots=True)
class Settings:
    """A chosen mapping, scalars in every column. `tokens` is the budget (0: none), `save_every` steps between checkpoints (0:
    the framework's own). `config` is the model's published configuration, for what an architecture does not keep, `release`
    the software release behind what is predicted, in words.
    """

    model: str
    arch: Architecture
    config: Dict[str, Any]
    machine: Machine
    mapping: Mapping
    precision: str
    software: Stack
    tokens: float = 0.0
    save_every: int = 0
    predicted: Predicted | None = None
    release: str = ""

    def degree(self, name: str) -> int:
        """A column of the mapping as a whole number."""
        return round(float(getattr(self.mapping, name)))

    def part(self, name: str) -> float:
        """A column of the mapping as a number."""
        return float(getattr(self.mapping, name))

    @property
    def chips(self) -> int:
        """Chips that work."""
        return self.degree("chips")

    @property
    def nodes(self) -> int:
        """Nodes that they fill."""
        return -(-self.chips // self.machine.node_chips)

    @property
    def micro_batches(self) -> int:
        """Micro-batches that a rank runs in a step."""
        return round(float(self.mapping.micro_batches))

    @property
    def steps(self) -> int:
        """Steps of the budget; 0 where there is none."""
        each = self.part("global_batch") * self.part("seq")
        return math.ceil(self.tokens / each) if self.tokens else 0

    @property
    def experts(self) -> int:
        """Routed experts of a layer."""
        return max((group.feed_forward.experts for group in self.arch.groups), default=0)


def row_of(layout: Mapping, row: int) -> Mapping:
    """One row of a column of mappings, as scalars."""
    columns = {f.name: np.ravel(np.asarray(getattr(layout, f.name), dtype=float)) for f in fields(Mapping)}
    return Mapping(**{name: float(values[row if len(values) > 1 else 0]) for name, values in columns.items()})


def machine_of(platform: str, catalog: Catalog) -> Machine:
    """The facts of a platform of the catalog, or of an accelerator with its scale-up domain as the node."""
    if platform in catalog.ids("platform"):
        record = catalog.get("platform", platform)
        chip = chip_from_record(catalog.get("accelerator", record.accelerator))
        return Machine(platform, chip.generation, chip.stack, int(record.chips_per_node), int(record.scaleup_domain))
    chip = chip_from_record(catalog.get("accelerator", platform))
    return Machine(platform, chip.generation, chip.stack, min(chip.scaleup_domain, 8), chip.scaleup_domain)


def settings_of(
    model: str,
    platform: str,
    layout: Mapping,
    precision: str,
    *,
    row: int = 0,
    stack: str = "",
    catalog: Catalog | None = None,
    **more: Any,
) -> Settings:
    """Settings of one row of a search's layout; `more` are further fields."""
    found = catalog or Catalog.load()
    record = found.get("model", model)
    machine = machine_of(platform, found)
    software = load_calibration().stack(stack or default_stack(machine.generation))
    return replace(
        Settings(
            model,
            from_config(record.id, record.config),
            dict(record.config),
            machine,
            row_of(layout, row),
            precision,
            software,
        ),
        **more,
    )

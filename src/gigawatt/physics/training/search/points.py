"""Operating points of a training job: the columns that the search returns, and their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import Change, Infeasible
from gigawatt.core.table import Table
from gigawatt.physics.training.columns import (
    ACTIVATION,
    ALL_GATHER,
    CONTEXTS,
    CORE_ATTENTION,
    EXPERTS,
    LATENT_UP,
    MLP,
    NORM,
    ONE_F_ONE_B,
    SCHEDULES,
    Mapping,
)
from gigawatt.physics.training.memory.bytes import Memory
from gigawatt.physics.training.search.candidates import Rejection
from gigawatt.physics.training.step.times import Steps

UNITS = {
    "step_s": "s",
    "tokens_per_s_per_chip": "tokens/s",
    "memory_bytes": "B",
    "chip_w": "W",
    "node_w": "W",
    "chip_joules_per_token": "J/token",
    "node_joules_per_token": "J/token",
}
Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrainingPoints:
    """Operating points of one training job, one row each: a mapping at a precision in a power mode.

    `mfu` is model FLOPs (causal attention at half, no recompute) over the dense peak of the precision. `low` and `high`
    are 80 % factors on throughput. `compute_util`, `memory_util`, `busy` are what `chip_w` was worked out from.
    Rates and joules are per chip of the job, idle ones included; `node_w` is a chip's share of its rack's input where
    the rack was given, else `chip_w`, and `node_joules_per_token` goes with it. `cost` is what the search minimised, a
    token. `layout`, `times` and `memory` are the mappings, the step by class, the bytes by kind, in the same rows.
    `notes` are sentences on the best row: chips that idle, and the batch that would use them.
    """

    mapping: NDArray[np.str_]
    precision: NDArray[np.str_]
    mode: NDArray[np.str_]
    step_s: Column
    tokens_per_s_per_chip: Column
    mfu: Column
    memory_bytes: Column
    exposed_comm_share: Column
    bubble_share: Column
    chip_w: Column
    compute_util: Column
    memory_util: Column
    busy: Column
    chips_used: Column
    bound: NDArray[np.str_]
    low: Column
    high: Column
    chip_joules_per_token: Column
    node_w: Column
    node_joules_per_token: Column
    cost: Column
    layout: Mapping
    times: Steps
    memory: Memory
    chips: int = 0
    rejected: tuple[Rejection, ...] = ()
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    candidates: int = 0  # in each precision
    fits: int = 0  # of them, those within the memory
    timed: int = 0  # cells, in each power mode
    search_s: float = 0.0

    def __len__(self) -> int:
        return int(self.step_s.size)

    @property
    def best(self) -> int:
        """Row of the least cost; by default that is the most tokens per second and chip.

        Raises:
            Infeasible: nothing fits.
        """
        if not len(self):
            raise self.nothing_fits
        return int(np.argmin(self.cost))

    @property
    def nothing_fits(self) -> Infeasible:
        """The answer where there is no point: what ruled candidates out, and the smallest changes that would not."""
        told = [f"{r.reason} ({r.count:,}): {r.nearest_fix}" for r in self.rejected]
        return Infeasible("no mapping of this job fits these chips", told, self.changes)

    @property
    def idle_chips(self) -> Column:
        """Chips of the job that a mapping leaves without work: its degrees do not multiply to the whole."""
        return np.asarray(self.chips - self.chips_used)

    def table(self) -> Table:
        """The points as a table with units."""
        return Table("training points", {name: list(getattr(self, name)) for name in FLAT}, UNITS)

    def rejected_table(self) -> Table:
        """What fell out: reason, count, nearest fix."""
        rows = [{"reason": r.reason, "count": r.count, "nearest_fix": r.nearest_fix} for r in self.rejected]
        return Table.from_rows("rejected", rows, ["reason", "count", "nearest_fix"])


FLAT = tuple(f.name for f in fields(TrainingPoints))[: [f.name for f in fields(TrainingPoints)].index("layout")]
MODULES = {
    CORE_ATTENTION: "attention",
    NORM: "norms",
    ACTIVATION: "activations",
    LATENT_UP: "latent up-projection",
    MLP: "MLP",
    EXPERTS: "experts",
}
PARTS = {"layout": Mapping, "times": Steps, "memory": Memory}


def describe(mapping: Mapping, row: int) -> str:
    """A mapping in words: 'TP8 PP16 VP4 DP128 MB1 recompute 25 %'. The usual is not said: 1F1B, a ring of context ranks,
    sequence parallelism, the optimizer sharded over all replicas (ZeRO-1), fused kernels, messages beside compute."""

    def at(name: str) -> float:
        value = getattr(mapping, name)
        return float(value[row]) if isinstance(value, np.ndarray) and value.ndim else float(value)

    words = [f"TP{at('tp'):.0f}", f"PP{at('pp'):.0f}"]
    words += [f"VP{at('vpp'):.0f}"] if at("vpp") > 1 else []
    words += [f"DP{at('dp'):.0f}"]
    words += [f"CP{at('cp'):.0f}"] if at("cp") > 1 else []
    words += [CONTEXTS[int(at("context"))]] if at("cp") > 1 and at("context") >= ALL_GATHER else []
    words += [f"EP{at('ep'):.0f}"] if at("ep") > 1 else []
    words += [f"ETP{at('etp'):.0f}"] if at("etp") > 1 else []
    words += [f"MB{at('micro_batch'):.0f}"]
    words += [SCHEDULES[int(at("schedule"))]] if at("pp") > 1 and at("schedule") != ONE_F_ONE_B else []
    words += ["passes in pairs"] if at("paired") > 0 else []
    words += ["no sequence parallelism"] if at("tp") > 1 and at("sequence_parallel") == 0 else []
    grouped, stage = at("shard_ranks") > 0, int(at("sharding"))
    named = {0: "no ZeRO", 1: "ZeRO-1" if grouped else "", 2: "ZeRO-2", 3: "HSDP" if grouped else "FSDP"}[stage]
    words += [named] if named and at("dp") * at("cp") > 1 else []
    words += [f"in groups of {at('shard_ranks'):.0f}"] if grouped and stage > 0 else []
    words += [f"recompute {at('recompute'):.0%}".replace("%", " %")] if at("recompute") > 0 else []
    again = [name for module, name in MODULES.items() if int(at("modules")) & int(module)]
    words += ["recompute " + ", ".join(again)] if again else []
    for part in ("optimizer", "activations", "weights"):
        share = at(f"offload_{part}")
        words += [f"offload {part}" + ("" if share == 1 else f" {100 * share:.0f} %")] if share > 0 else []
    words += ["unfused"] if at("fused") == 0 else []
    off = [part for part in ("tp", "cp", "ep", "pp", "dp") if at(f"overlap_{part}") == 0]
    words += ["no overlap of " + ", ".join(part.upper() for part in off)] if off else []
    return " ".join(words)


def collect(rows: Sequence[dict[str, Any]], **rest: Any) -> TrainingPoints:
    """Points from groups of columns, one after the other; `rest` is what is told of all."""
    columns: dict[str, Any] = {name: np.concatenate([r[name] for r in rows]) if rows else np.zeros(0) for name in FLAT}
    for name, kind in PARTS.items():
        names = [f.name for f in fields(kind)]
        columns[name] = kind(*(np.concatenate([getattr(r[name], n) for r in rows] or [np.zeros(0)]) for n in names))
    return TrainingPoints(**columns, **rest)

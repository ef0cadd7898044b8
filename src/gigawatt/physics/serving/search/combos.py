"""What a search chooses from: layouts, precisions, engines, power modes and drafts of one model on one kind of chip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import PowerMode
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.serving.engine.deployment import Deployment, Spec, deploy, kv_precision
from gigawatt.physics.serving.engine.layouts import Layout
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.speculation import Draft
from gigawatt.physics.serving.power import Phases, phase_watts
from gigawatt.physics.serving.steady.aggregated import Load
from gigawatt.physics.workload.architecture import Architecture

Rows = NDArray[np.intp]


class Combo(NamedTuple):
    """One configuration, concurrency left open."""

    layout: Layout
    precision: str
    engine: str
    mode: PowerMode


@dataclass(frozen=True, slots=True)
class Side:
    """All configurations of one draft on one kind of chip, laid out: `base` has a row for each of `combos`.

    `fits` where weights leave room for a request. `names` are columns of text.
    """

    chip: Chip
    combos: tuple[Combo, ...]
    specs: tuple[Spec, ...]
    base: Deployment
    fits: NDArray[np.bool_]

    def names(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """Precision, engine and mode of rows."""
        return {
            "precision": np.array([c.precision for c in self.combos])[rows],
            "engine": np.array([c.engine for c in self.combos])[rows],
            "mode": np.array([c.mode.name for c in self.combos])[rows],
        }

    def mappings(self) -> NDArray[np.str_]:
        """Names of the layouts, one a combo."""
        return np.array([c.layout.name for c in self.combos])

    def watts(self, phases: Phases, rows: Rows) -> Floats:
        """Mean watts of a chip, mode by mode (phases are those of the mode)."""
        modes = {c.mode.name: c.mode for c in self.combos}
        number = np.array([list(modes).index(c.mode.name) for c in self.combos])[rows]
        out = np.zeros(len(rows))
        for i, mode in enumerate(modes.values()):
            own = number == i
            out[own] = phase_watts(self.chip, phases.take(own), mode)
        return out


def side(
    arch: Architecture,
    chip: Chip,
    fabric: Fabric,
    plans: Sequence[Layout],
    load: Load,
    *,
    precisions: Sequence[str],
    engines: Sequence[str],
    modes: Sequence[PowerMode],
    draft: Draft | None = None,
    cache_for: Chip | None = None,
    **more: Any,
) -> Side | None:
    """Every combination, laid out; None where there is none. `more` are fields of every `Spec`.

    `cache_for` is a chip that is to read the caches: they are as wide as they would be there.
    """
    combos = tuple(Combo(p, q, e, m) for p in plans for q in precisions for e in engines for m in modes)
    if not combos:
        return None
    specs = tuple(
        Spec(
            arch, chip, c.layout.gpus, c.layout.dp, c.layout.moe_tp, c.engine, c.precision,
            mode=c.mode, fabric=fabric, stages=c.layout.stages, draft=draft, **more,
        )
        for c in combos
    )  # fmt: skip
    if cache_for is not None:
        specs = tuple(replace(s, kv_precision=kv_precision(replace(s, chip=cache_for))) for s in specs)
    base = deploy(specs)
    fits = max_requests(base, load.input_tokens, load.output_tokens) >= 1.0
    return Side(chip, combos, specs, base, fits)


def engines_of(chip: Chip) -> tuple[str, ...]:
    """Serving stacks that run on a chip: TensorRT-LLM on CUDA only, vLLM and SGLang also elsewhere."""
    return ("trtllm", "vllm", "sglang") if chip.stack == "cuda" else ("vllm", "sglang")

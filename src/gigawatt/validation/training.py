"""Measured training rows, predicted blind: `predict(rows)`.

Every row is answered. Its blanks are filled as `training_rows` says, all rows' open mappings are evaluated in one
column call, the fastest that fits the memory is taken for each, and its step time is turned into the row's metric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.training import Steps, coefficients, load_calibration, memory_of, stack_shapes, step_times
from gigawatt.physics.training.columns import Mapping as Layout
from gigawatt.physics.training.columns import stack_machines
from gigawatt.physics.training.search import Z80
from gigawatt.physics.training.shape import Shape
from gigawatt.validation.base import Prediction
from gigawatt.validation.training_metrics import metric_value
from gigawatt.validation.training_rows import Case, case_of

Row = dict[str, str]
MEMORY_TOLERANCE = (
    1.6  # tuned stacks keep 16-bit gradients and recompute small parts only: measured peaks lie far lower
)
UTILISATION = (0.02, 0.90)  # a step outside of this model-FLOP utilisation is a mistake in a row, not a prediction
IMPORTANT_BLANKS = ("shape by size", "mapping", "global batch", "sequence length", "number of chips", "precision")


def predict(rows: Sequence[Row]) -> list[Prediction]:
    """One prediction a row, with what was filled in and an 80 % band of the kin it belongs to."""
    if not rows:
        return []
    cases = [case_of(row) for row in rows]
    chosen, steps = choose(cases, load_calibration().parameters)
    return [_prediction(case, steps, row) for case, row in zip(cases, chosen, strict=True)]


def choose(cases: Sequence[Case], parameters: Mapping[str, float]) -> tuple[NDArray[np.intp], Steps]:
    """For each case the row of its fastest mapping that fits, and the steps of all candidates."""
    owner, layout, shapes = flatten(cases)
    machine = stack_machines([case.machine for case in cases]).take(owner)
    c = coefficients([case.context for case in cases], parameters).take(owner)
    steps = step_times(shapes, machine, layout, c)
    need = np.asarray(memory_of(shapes, layout, c.flash).total_bytes)
    over = np.maximum(need / (MEMORY_TOLERANCE * machine.memory_bytes), 1.0)
    # what does not fit comes last, the least over first
    rank = np.lexsort((steps.step_s, np.where(over > 1, over, 1.0), owner))
    first = np.searchsorted(owner[rank], np.arange(len(cases)))
    return rank[first], steps


def flatten(cases: Sequence[Case]) -> tuple[NDArray[np.intp], Layout, Shape]:
    """All candidates of all cases as columns, and whose each is."""
    sizes = [np.size(case.mapping.tp) for case in cases]
    owner = np.repeat(np.arange(len(cases)), sizes).astype(np.intp)
    layout = Layout(
        *(
            np.concatenate([np.asarray(getattr(case.mapping, f.name), dtype=float) for case in cases])
            for f in fields(Layout)
        )
    )
    return owner, layout, stack_shapes([case.shape for case in cases]).take(owner)


def _prediction(case: Case, steps: Steps, row: int) -> Prediction:
    step_s, notes = float(steps.step_s[row]), list(case.notes)
    model = float(steps.model_flops[row])
    peak = float(case.machine.peak_flops) * case.chips
    low_s, high_s = model / (UTILISATION[1] * peak), model / (UTILISATION[0] * peak)
    if case.metric != "time_to_train_min" and step_s > high_s and float(case.global_batch) * case.seq > 5e4:
        step_s = high_s
        notes.append("held at 2 % of peak")
    if step_s < low_s:
        step_s = low_s
        notes.append("held at 90 % of peak")
    value = metric_value(case, step_s)
    spread = np.exp(Z80 * sigma_of(case))
    important = [note for note in notes if note in IMPORTANT_BLANKS]
    return Prediction(
        id=case.id,
        metric=case.metric,
        predicted=value,
        low=value / spread,
        high=value * spread,
        note=("filled in: " + ", ".join(notes)) if notes else "",
        group=case.family,
        defaulted=bool(important),
    )


def sigma_of(case: Case) -> float:
    """Spread of the row's kin, wider where something that matters was filled in."""
    sigma = load_calibration().sigma
    kin = sigma.get(f"family {case.family}", sigma.get(case.group, sigma.get("all", 0.15)))
    blanks = sum(note in IMPORTANT_BLANKS for note in case.notes)
    extra = sigma.get("a blank filled in", 0.05)
    return float(np.hypot(kin, extra if blanks else 0.0))

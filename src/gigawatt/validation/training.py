"""Measured training rows, predicted blind: `predict(rows)`.

Every row is answered. Its blanks are filled as `training_rows` says, all rows' open mappings are evaluated in one
column call, the fastest that fits the memory is taken for each, and its step time is turned into the row's metric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import Chip
from gigawatt.physics.training import Steps, coefficients, load_calibration, memory_of, stack_shapes, step_times
from gigawatt.physics.training.columns import Machine, stack_machines
from gigawatt.physics.training.columns import Mapping as Layout
from gigawatt.physics.training.precision import WIDTH_RECIPES, Precision, short_sums, stack_stored, stored_at
from gigawatt.physics.training.shape import Shape
from gigawatt.physics.training.step.collectives import Messages, messages_of
from gigawatt.physics.training.step.kernels import KernelTimes, kernel_times_of
from gigawatt.validation.base import Prediction
from gigawatt.validation.training_bands import ORIGIN, band_of, kin_of_row, origin_of, unseen
from gigawatt.validation.training_door import REPAIRS
from gigawatt.validation.training_memory import memory_tolerance
from gigawatt.validation.training_metrics import metric_value
from gigawatt.validation.training_recipes import OPEN_RELEASE
from gigawatt.validation.training_rows import Case, readings_of

Row = dict[str, str]
STATED_ROOM = 1.6  # a mapping that a source states did fit: what it needs is known worse than what a search would pick
UNIT_FLOPS = 1e12  # a chip: the speed at which the null model's unit is taken
TIMES = ("step_time_s", "time_to_train_min")
SLOW, FAST = "held at 2 % of peak", "held at 90 % of peak"
FLAGS = (*REPAIRS, SLOW, FAST, ORIGIN, OPEN_RELEASE)
UTILISATION = (0.02, 0.90)  # a step outside of this model-FLOP utilisation is a mistake in a row, not a prediction


def predict(rows: Sequence[Row]) -> list[Prediction]:
    """One prediction a row, with what was filled in and an 80 % band of the kin it belongs to."""
    if not rows:
        return []
    readings = [readings_of(row) for row in rows]
    cases = [case for read in readings for case in read]
    chosen, steps = choose(cases, candidates_of(cases), load_calibration().parameters)
    made = iter([_prediction(case, steps, row) for case, row in zip(cases, chosen, strict=True)])
    return [_joined([next(made) for _ in read]) for read in readings]


@dataclass(frozen=True, slots=True)
class CaseCandidates:
    """All open mappings of all cases as columns; `owner` is the case of each row. Nothing here is fitted."""

    owner: NDArray[np.intp]
    layout: Layout
    shapes: Shape
    machine: Machine
    kernels: KernelTimes
    messages: Messages

    def take(self, rows: NDArray[np.intp]) -> CaseCandidates:
        """The rows named."""
        return CaseCandidates(
            self.owner[rows],
            self.layout.take(rows),
            self.shapes.take(rows),
            self.machine.take(rows),
            self.kernels.take(rows),
            self.messages.take(rows),
        )


def candidates_of(cases: Sequence[Case]) -> CaseCandidates:
    """The candidates of all cases, with the seconds of their kernels and messages."""
    sizes = [np.size(case.mapping.tp) for case in cases]
    owner = np.repeat(np.arange(len(cases)), sizes).astype(np.intp)
    sized = list(zip(cases, sizes, strict=True))
    layout = Layout(
        *(
            np.concatenate(
                [np.broadcast_to(np.asarray(getattr(case.mapping, f.name), dtype=float), n) for case, n in sized]
            )
            for f in fields(Layout)
        )
    )
    shapes = stack_shapes([case.shape for case in cases]).take(owner)
    models = {shape: float(i) for i, shape in enumerate(dict.fromkeys(case.shape for case in cases))}
    names = [(case.chip.name, case.context.width) for case in cases]
    devices = {name: (case.chip, case.context.width) for name, case in zip(names, cases, strict=True)}
    order = {name: i for i, name in enumerate(devices)}
    flash = np.array([float(case.context.stack.flash) for case in cases])[owner]
    model = np.array([models[case.shape] for case in cases])[owner]
    device = np.array([order[name] for name in names])[owner]
    kernels = kernel_times_of(shapes, list(devices.values()), device, layout, flash=flash, model=model)
    wide = np.array([case.context.recipe.wide_layers if case.context.recipe else 0.0 for case in cases])[owner]
    kernels = _with_wide_layers(kernels, wide, shapes, [(chip, "16") for chip, _ in devices.values()], device, layout)
    machine = stack_machines([case.machine for case in cases]).take(owner)
    plain = np.array([case.plain for case in cases])[owner]
    messages = messages_of(shapes, machine.network, layout, plain)
    for name in WIDTH_RECIPES:
        mine = [case.context.stack.short_sums and case.context.width == name for case in cases]
        messages = _with_sums(
            messages, np.flatnonzero(np.array(mine)[owner]), short_sums(name), shapes, machine, layout, plain
        )
    return CaseCandidates(owner, layout, shapes, machine, kernels, messages)


def _with_sums(
    messages: Messages,
    rows: NDArray[np.intp],
    sums: Precision,
    shapes: Shape,
    machine: Machine,
    layout: Layout,
    plain: NDArray[np.bool_],
) -> Messages:
    """Messages where the rows named sum gradients and gather weights in as many bytes as `sums` says."""
    if not rows.size:
        return messages
    found = messages_of(shapes.take(rows), machine.network.take(rows), layout.take(rows), plain[rows], recipe=sums)
    for f in fields(messages.stage):
        column, short = getattr(messages.stage, f.name), getattr(found.stage, f.name)
        if np.ndim(column):
            column[rows] = short
    return messages


def _with_wide_layers(
    kernels: KernelTimes,
    share: NDArray[np.float64],
    shapes: Shape,
    devices: Sequence[tuple[Chip, str]],
    device: NDArray[np.intp],
    layout: Layout,
) -> KernelTimes:
    """Kernel seconds where `share` of a row's layers keeps its products in 16 bit."""
    rows = np.flatnonzero(share > 0)
    if not rows.size:
        return kernels
    ones = np.ones(rows.size)
    used, index = np.unique(device[rows], return_inverse=True)
    model = rows.astype(float)  # each row on its own: they are few
    in16 = kernel_times_of(
        shapes.take(rows), [devices[i] for i in used], index.ravel(), layout.take(rows), flash=ones, model=model
    )
    for layer, wide in zip(kernels.layers, in16.layers, strict=True):
        for f in fields(layer):
            column = getattr(layer, f.name)
            column[rows] += share[rows] * (getattr(wide, f.name) - column[rows])
    return kernels


def choose(
    cases: Sequence[Case], open_: CaseCandidates, parameters: Mapping[str, float]
) -> tuple[NDArray[np.intp], Steps]:
    """For each case the row of its fastest mapping that fits, and the steps of all candidates."""
    c = coefficients([case.context for case in cases], parameters).take(open_.owner)
    steps = step_times(open_.shapes, open_.machine, open_.layout, open_.kernels, open_.messages, c)
    recipes = stack_stored([stored_at(case.context.width) for case in cases]).take(open_.owner)
    need = np.asarray(memory_of(open_.shapes, open_.layout, c.flash, recipe=recipes).total_bytes)
    room = np.array([memory_tolerance() * (STATED_ROOM if case.mapped else 1.0) for case in cases])[open_.owner]
    over = np.maximum(need / (room * open_.machine.memory_bytes), 1.0)
    # what does not fit comes last, the least over first
    rank = np.lexsort((steps.step_s, np.where(over > 1, over, 1.0), open_.owner))
    first = np.searchsorted(open_.owner[rank], np.arange(len(cases)))
    return rank[first], steps


def _joined(readings: Sequence[Prediction]) -> Prediction:
    """One prediction of the readings of a row: their geometric mean, in a band that holds all of theirs."""
    first = readings[0]
    if len(readings) == 1:
        return first
    values = [p.predicted for p in readings if p.predicted]
    return replace(
        first,
        predicted=float(np.exp(np.mean(np.log(values)))),
        low=min(p.low for p in readings if p.low is not None),
        high=max(p.high for p in readings if p.high is not None),
    )


def _prediction(case: Case, steps: Steps, row: int) -> Prediction:
    step_s, notes = float(steps.step_s[row]), list(case.notes)
    model = float(steps.model_flops[row])
    peak = float(case.machine.peak_flops) * case.chips
    low_s, high_s = model / (UTILISATION[1] * peak), model / (UTILISATION[0] * peak)
    if case.metric != "time_to_train_min" and step_s > high_s and float(case.global_batch) * case.seq > 5e4:
        step_s = high_s
        notes.append(SLOW)
    if step_s < low_s:
        step_s = low_s
        notes.append(FAST)
    value = metric_value(case, step_s)
    low, high = band_of(case, value)
    notes += [ORIGIN] if unseen(case) else []
    return Prediction(
        id=case.id,
        metric=case.metric,
        predicted=value,
        low=low,
        high=high,
        note=("filled in: " + ", ".join(notes)) if notes else "",
        group=case.family,
        defaulted=bool(case.blanks),
        strata=strata_of(case, notes),
        kin=kin_of_row(case),
        unit=metric_value(case, model / (UNIT_FLOPS * case.chips)),
        falls=case.metric in TIMES,
    )


def strata_of(case: Case, notes: Sequence[str]) -> tuple[str, ...]:
    """Further groups of a row: chip with precision, origin, what was filled in or repaired, what stood at a limit."""
    told = (note for note in notes if note in FLAGS or note in case.blanks)
    return (f"chip: {kin_of_row(case)}", f"source: {origin_of(case.source)}", *(f"flag: {note}" for note in told))

"""Watts of a serving chip from what its time goes into; joules of a token; a curve met at two measured points.

    W / limit = soft(sum over phases of share x plateau + compute uc + memory um, cap),  soft(x, c) = x c / (x^6 + c^6)^(1/6)

`share` is a phase's part of the time: waiting for the host, launches that show, dense products, experts, attention,
collectives, prompts. Its plateau is what the chip draws in it, over its limit; slow kernels draw nearly as much as fast
ones, so the time spent says more than the bytes moved. `uc` and `um` are achieved flop/s and bytes/s over the data sheet's
peaks in all the time. Constants: calibration `serving-power`, with the error on models left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip import Chip, PowerMode, calibration
from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.models import modelled_watts
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.serving.engine.step import StepSeconds

Floats = NDArray[np.float64]
RECORD = "serving-power"
PHASES = ("wait", "launches", "dense", "experts", "attention", "collectives", "prompts")
SHARPNESS = 6.0  # of the bend at the cap (chosen: watts of busy chips stay within 2 % of the limit)


@dataclass(frozen=True, slots=True)
class Phases:
    """What a chip does in a stretch of time: seconds by phase, columns of one shape, and its utilisation in all of it."""

    wait: Floats
    launches: Floats
    dense: Floats
    experts: Floats
    attention: Floats
    collectives: Floats
    prompts: Floats
    compute_util: Floats
    memory_util: Floats

    @property
    def seconds(self) -> Floats:
        """All the time."""
        total: Floats = sum((getattr(self, name) for name in PHASES), np.zeros(()))
        return total

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Phases:
        """The rows named."""
        return Phases(*(getattr(self, f.name)[rows] for f in fields(Phases)))


def phases_of(
    parts: StepSeconds,
    prompts_s: ArrayLike,
    peak_flops: ArrayLike,
    peak_bytes_per_s: ArrayLike,
    prompt_flops: ArrayLike = 0.0,
    idle_s: ArrayLike = 0.0,
) -> Phases:
    """One decode step and what comes with it.

    Args:
        parts: the step's seconds by part, its flops and bytes a chip.
        prompts_s: seconds of prompts for each step.
        peak_flops: peak of the precision that the chip computes in, flop/s.
        peak_bytes_per_s: of its memory.
        prompt_flops: arithmetic of those prompts, a chip.
        idle_s: seconds for each step in which the chip waits beside the step's own host time.
    """
    shape = np.broadcast_shapes(parts.total.shape, np.shape(prompts_s), np.shape(idle_s))

    def column(values: ArrayLike) -> Floats:
        return np.broadcast_to(np.asarray(values, dtype=np.float64), shape)

    whole = np.maximum(parts.total + np.asarray(prompts_s) + np.asarray(idle_s), 1e-12)
    return Phases(
        wait=column(parts.host + np.asarray(idle_s)),
        launches=column(parts.launches),
        dense=column(parts.dense + parts.drafting),
        experts=column(parts.experts),
        attention=column(parts.attention),
        collectives=column(parts.collectives),
        prompts=column(prompts_s),
        compute_util=column((parts.flops + np.asarray(prompt_flops)) / whole / np.asarray(peak_flops)),
        memory_util=column(parts.bytes_moved / whole / np.asarray(peak_bytes_per_s)),
    )


def prefilling(load: float, compute_util: Floats) -> Phases:
    """A chip that only takes prompts, `load` of the time; memory is hardly used."""
    none = np.zeros_like(compute_util)
    busy = np.full_like(compute_util, load)
    return Phases(1.0 - busy, none, none, none, none, none, busy, compute_util, none)


def constants_of(chip: Chip) -> Constants:
    """The plateaus that serve `chip`: its own, or those of the nearest kin with a wider band.

    They are fractions of a limit. A sibling with a higher limit does not draw more where memory binds: products of one row
    draw 668 W on a B200 of 1,000 W and 689 W on a GB200 of 1,200 W, both at 5.9 TB/s, and those of thousands of rows each
    chip's limit (medians of kernel tables of aiconfigurator). So in all but arithmetic and prompts a chip of the kin's
    vendor draws the kin's watts, in proportion to the bandwidth, and at most the same fraction.
    """
    tables = calibration.record(RECORD).tables
    name, nearness = calibration.kin_of(chip, tables["plateaus"], tables["kin"])
    row, kin = tables["plateaus"][name], tables["measured_on"][name]
    band = row if nearness == "measured" else tables["band_of_kin"]
    values = {key: float(row[key]) for key in (*PHASES, "compute", "memory")}
    if nearness != "measured" and chip.vendor == kin["vendor"]:
        by_bytes = kin["limit_w"] / chip.tdp_w * chip.memory_bytes_per_s / kin["memory_bytes_per_s"]
        values |= {key: values[key] * min(by_bytes, 1.0) for key in values if key not in ("prompts", "compute")}
    return Constants(name, nearness, values, float(band["low"]), float(band["high"]), RECORD)


def phase_watts(
    chip: Chip, phases: Phases, mode: PowerMode | None = None, plateaus: Mapping[str, float] | None = None
) -> Floats:
    """Mean watts of one chip over its phases, one for each row.

    Args:
        chip: the chip.
        phases: its time, as it passes *in* the mode.
        mode: power mode; full power where None. One that leaves memory at full speed is a cap, one that slows it scales
            the draw (see `chip.power`).
        plateaus: constants by name in place of the calibration's.

    Returns:
        Watts between the chip's idle draw and the mode's limit.
    """
    found: Mapping[str, float] = constants_of(chip).values if plateaus is None else plateaus
    whole = np.maximum(phases.seconds, 1e-12)
    drawn = found["compute"] * np.clip(phases.compute_util, 0.0, 1.0)
    drawn = drawn + found["memory"] * np.clip(phases.memory_util, 0.0, 1.0)
    for name in PHASES:
        drawn = drawn + found[name] * getattr(phases, name) / whole
    cap = calibration.parameters(RECORD)["cap"]
    drawn = np.maximum(drawn, 1e-6)
    share = drawn * cap / (drawn**SHARPNESS + cap**SHARPNESS) ** (1.0 / SHARPNESS)
    if chip.device_model and plateaus is None:
        modelled = modelled_watts(chip, phases.compute_util, phases.memory_util, 1.0 - phases.wait / whole)
        share = share if modelled is None else modelled / chip.tdp_w
    setting = FULL if mode is None else mode
    limit_w = chip.tdp_w * setting.power_share
    scale_w = chip.tdp_w if setting.memory_share >= 1.0 else limit_w
    watts: Floats = np.clip(scale_w * share, min(chip.idle_w, limit_w), limit_w)
    return watts


def joules_of_tokens(
    chip: Chip, phases: Phases, input_tokens_per_s: ArrayLike, output_tokens_per_s: ArrayLike, mode: PowerMode | None = None
) -> tuple[Floats, Floats]:  # fmt: skip
    """Joules of an input and of an output token on one chip, from its rates: prompts' time pays the first, the rest the second.

    Time in which the chip only waits is the output's. Both times their rates sum to the chip's watts.
    """
    found, whole = constants_of(chip).values, np.maximum(phases.seconds, 1e-12)
    weigh = {name: found[name] * getattr(phases, name) / whole for name in PHASES}
    share = weigh["prompts"] / np.maximum(sum(weigh.values(), np.zeros(())), 1e-12)
    watts = phase_watts(chip, phases, mode)
    each_in = watts * share / np.maximum(np.asarray(input_tokens_per_s, dtype=np.float64), 1e-12)
    each_out = watts * (1.0 - share) / np.maximum(np.asarray(output_tokens_per_s, dtype=np.float64), 1e-12)
    return each_in, each_out


@dataclass(frozen=True, slots=True)
class Anchored:
    """A deployment's own power curve: predicted watts times a factor that runs straight in the logarithm of the batch.

    Before the first anchor and beyond the last the factor stays. (A floor and a scale on the predicted watts met the points
    between two anchors less well: 8.8 against 7.5 % on models left out.)
    """

    log_batch: tuple[float, ...]
    log_factor: tuple[float, ...]

    def watts(self, predicted_w: ArrayLike, batch: ArrayLike) -> Floats:
        """Watts at `batch` sequences (or any measure of load) from the watts predicted there."""
        place = np.log(np.asarray(batch, dtype=np.float64))
        factor = np.exp(np.interp(place, self.log_batch, self.log_factor))
        return np.asarray(predicted_w, dtype=np.float64) * factor


def anchored(predicted_w: ArrayLike, measured_w: ArrayLike, batch: ArrayLike) -> Anchored:
    """The curve through measured points of one deployment: one fits a factor, two a factor at light and one at full load.

    >>> curve = anchored([400.0, 600.0], [440.0, 600.0], [8, 128])
    >>> [round(float(w), 1) for w in curve.watts([400.0, 500.0, 600.0], [4, 32, 256])]
    [440.0, 524.4, 600.0]

    Raises:
        InputError: no points, columns of unequal length, or numbers that are not positive.
    """
    given = (predicted_w, measured_w, batch)
    x, y, b = (np.atleast_1d(np.asarray(column, dtype=np.float64)) for column in given)
    if not len(x) or not x.shape == y.shape == b.shape or not min(float(c.min()) for c in (x, y, b)) > 0.0:
        raise InputError(
            Problem("bad_anchor", "an anchor is positive watts, predicted and measured, at a positive batch")
        )
    order = np.argsort(b)
    return Anchored(tuple(np.log(b[order]).tolist()), tuple(np.log(y / x)[order].tolist()))

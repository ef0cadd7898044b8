"""What one host makes of a question: the search's points with watts at three boundaries, joules, the value that is least.

    value of a token = (chip_hour x chips / 3,600 s + kwh x chips x meter W / 3.6 MJ) / tokens a second

with the two weights of the question. The watts at the meter are linear in the chip's own, so that the same two weights, per
chip-second and per joule of a chip, steer the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import Chip
from gigawatt.physics.chip.power import power_constants
from gigawatt.physics.training import Space, TrainingPoints, Weights, best_mapping
from gigawatt.physics.training.columns import CONTEXTS, SCHEDULES
from gigawatt.study.hosts import Host
from gigawatt.study.serve.subject import Subject
from gigawatt.study.train.question import SHARDINGS, Question

HOUR_S, KWH_J = 3600.0, 3.6e6
# Shares tried of what may live in host memory.
OFFLOADED = {"optimizer": (0.0, 1.0), "activations": (0.0, 0.5, 1.0), "weights": (0.0, 1.0)}
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Tried:
    """One host with the points found on it; `found` is None where the model can not run."""

    host: Host
    found: TrainingPoints | None

    @property
    def candidates(self) -> int:
        return self.found.candidates if self.found is not None else 0


@dataclass(frozen=True, slots=True)
class Points:
    """Columns beside those of `found`, one row an operating point. Rates are of the whole job, watts of one chip.

    `rate_half` and `watts_half` are 80 % half-widths of the logarithm; `quick`: the step is within the
    question's limit, and its recompute one that was asked for.
    """

    found: TrainingPoints
    tokens_per_s: Floats
    it_w: Floats
    meter_w: Floats
    job_w: Floats
    joules_per_token: Floats
    value: Floats
    rate_half: Floats
    watts_low: Floats
    watts_high: Floats
    quick: Mask

    def __len__(self) -> int:
        return len(self.found)


def space_of(question: Question) -> Space:
    """What the search tries for a question; what it leaves open is the search's own."""
    d = question.degrees
    axes: dict[str, Any] = {
        name: (float(size),)
        for name, size in (
            ("tp", d.tp), ("pp", d.pp), ("vpp", d.vp), ("dp", d.dp), ("cp", d.cp), ("ep", d.ep), ("etp", d.etp),
            ("micro_batch", d.mb),
        )
        if size
    }  # fmt: skip
    for axis, names, known in (
        ("schedule", question.schedules, SCHEDULES),
        ("context", question.contexts, CONTEXTS),
        ("sharding", question.shardings, SHARDINGS),
    ):
        if names:
            axes[axis] = tuple(float(known.index(name)) for name in names)
    if question.recompute:
        axes["recompute"] = tuple(sorted({share for share, _ in question.recompute}))
        axes["modules"] = tuple(sorted({modules for _, modules in question.recompute}))
    if question.pair is not None:
        axes["paired"] = (float(question.pair),)
    for name, shares in OFFLOADED.items():
        if name in question.offload:
            axes[f"offload_{name}"] = shares
    return Space.of(**axes)


def tried(question: Question, subject: Subject, host: Host) -> Tried:
    """Everything that the search makes of a question on one host."""
    if host.refusal is not None:
        return Tried(host, None)
    found = best_mapping(
        subject.arch,
        host.chip,
        fabric=host.fabric,
        chips=question.chips,
        seq=question.sequence,
        global_batch=question.batch,
        precisions=host.precisions,
        maturity=host.speed,
        modes=host.modes,
        stack=question.stack,
        release=question.release,
        lora=question.lora,
        space=space_of(question),
        weights=weights_of(question, host),
        imbalance=question.imbalance,
        sites=question.sites,
        local_steps=question.local_steps,
        between=question.between,
    )
    return Tried(host, found)


def weights_of(question: Question, host: Host) -> Weights:
    """The two weights of the question as the search takes them: per second of a chip, per joule of a chip.

    A chip that draws w stands for a + b w at the meter, so that a kWh there weighs on its seconds too.
    """
    at_rest, at_full = (float(watts) for watts in standing_w(host, np.array([0.0, host.chip.tdp_w])))
    slope = (at_full - at_rest) / host.chip.tdp_w
    kwh = question.value.kwh / KWH_J
    return Weights(question.value.chip_hour / HOUR_S + kwh * at_rest, kwh * slope)


def standing_w(host: Host, chip_w: Floats) -> Floats:
    """Watts of a chip at the meter; its own where no platform is known."""
    meter = host.meter_w(chip_w)
    return np.where(np.isfinite(meter), meter, chip_w)


def points_of(one: Tried, question: Question) -> Points | None:
    """The operating points of a host; None where there are none."""
    found, host = one.found, one.host
    if found is None or not len(found):
        return None
    rate = found.tokens_per_s_per_chip * question.chips
    it_w, meter_w = host.it_w(found.chip_w), host.meter_w(found.chip_w)
    idle_w = standing_w(host, np.array([host.chip.idle_w]))
    drawn_w = found.chips_used * standing_w(host, found.chip_w) + found.idle_chips * idle_w
    joules = drawn_w / rate
    shares = {mode.name: mode.power_share for mode in host.modes}
    limit_w = host.chip.tdp_w * np.array([shares[str(name)] for name in found.mode])
    least_w, most_w = watts_between(host.chip, found.chip_w, limit_w)
    return Points(
        found=found,
        tokens_per_s=rate,
        it_w=it_w,
        meter_w=meter_w,
        job_w=drawn_w,
        joules_per_token=joules,
        value=question.value.chip_hour * question.chips / HOUR_S / rate + question.value.kwh * joules / KWH_J,
        rate_half=np.log(found.high),
        watts_low=least_w,
        watts_high=most_w,
        quick=(found.step_s <= question.step_s) & _asked(found, question),
    )


def watts_between(chip: Chip, watts: Floats, limit_w: Floats | float) -> tuple[Floats, Floats]:
    """80 % range of the watts of a chip, from its idle draw to its limit."""
    constants = power_constants(chip)
    low = np.maximum(constants.low * watts, np.minimum(chip.idle_w, watts))
    return low, np.minimum(constants.high * watts, np.maximum(limit_w, watts))


def _asked(found: TrainingPoints, question: Question) -> Mask:
    """Rows whose recompute is one that was asked for: the search tries each share with each sum of modules."""
    if not question.recompute:
        return np.ones(len(found), dtype=bool)
    share, modules = np.asarray(found.layout.recompute), np.asarray(found.layout.modules)
    return np.asarray(np.any([(share == r) & (modules == m) for r, m in question.recompute], axis=0))


def best_of(points: Points) -> int:
    """The row within the limit whose token is worth least; the fastest of all where none is within it."""
    among = points.quick if points.quick.any() else np.ones(len(points), dtype=bool)
    return int(np.argmin(np.where(among, points.value, np.inf)))


def front(rate: Floats, joules: Floats, count: int) -> NDArray[np.intp]:
    """Rows that no other beats in both (more tokens a second, fewer joules a token), fastest first, at most `count`.

    >>> front(np.array([3.0, 2.0, 1.0]), np.array([2.0, 1.0, 1.5]), 9).tolist()
    [0, 1]
    """
    order = np.lexsort((joules, -rate))
    least = np.minimum.accumulate(joules[order])
    first = np.concatenate([[True], joules[order][1:] < least[:-1] * (1.0 - 1e-9)])
    kept = order[first]
    if len(kept) <= count:
        return np.asarray(kept)
    return np.asarray(kept[np.unique(np.round(np.linspace(0, len(kept) - 1, count)).astype(int))])

"""What a power cap or a locked core clock does to the time, watts and joules of work on a chip.

With r the core clock over the one the work ran at, W1 its watts and t1 its seconds there:

    v(r)   = voltage: v0 below the knee, then straight up to 1        phi(r) = r v(r)^2
    W(r)   = static + (W1 - static)(f + (1 - f) phi(r))               static: the idle draw; f: uncore (memory, links)
    t(r)   = t1 (1 - bound + bound / r)                               bound: share of the time that follows the core clock

A cap lowers the clock only where W1 exceeds it, to W(r) = cap. Memory-bound work (bound = 0) then takes as long as before;
compute-bound work slows as about cap^0.5 above the knee and more steeply below it, where the voltage no longer falls. Where the
lowest clock still draws more than the cap, the chip pauses part of the time: only there does a cap cost joules.

Constants, their sources and errors: calibration `chip-clocks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip import calibration
from gigawatt.physics.chip.device import Chip

Array = NDArray[np.float64]
RECORD = "chip-clocks"


@dataclass(frozen=True, slots=True)
class Throttled:
    """Work under a cap or a locked clock; every field is an array of the same shape.

    `clock` is over the clock without it; `paused` the share of the time in which the chip halts because its lowest clock
    draws more than the cap.
    """

    seconds: Array
    watts: Array
    clock: Array
    paused: Array

    @property
    def joules(self) -> Array:
        """Energy of the work."""
        return np.asarray(self.watts * self.seconds)


def voltage(clock: ArrayLike) -> Array:
    """Core voltage over that at full clock."""
    p = calibration.parameters(RECORD)
    rise = (np.asarray(clock, dtype=np.float64) - p["knee"]) / (1.0 - p["knee"])
    return np.asarray(p["voltage_floor"] + (1.0 - p["voltage_floor"]) * np.clip(rise, 0.0, None))


def switching(clock: ArrayLike) -> Array:
    """phi(r) = r v(r)^2: watts that follow the core clock over those at full clock; 1 at 1."""
    r = np.asarray(clock, dtype=np.float64)
    return np.asarray(r * voltage(r) ** 2)


def clock_for(phi: ArrayLike) -> Array:
    """The relative clock at which `switching` is `phi`, 0..1."""
    return np.interp(np.asarray(phi, dtype=np.float64), *_inverse())


@lru_cache(maxsize=1)
def _inverse() -> tuple[Array, Array]:
    """Grid of (phi, r): one step below the knee, where phi is straight, and fine above it."""
    knee = calibration.parameters(RECORD)["knee"]
    r = np.concatenate([[0.0], np.linspace(knee, 1.0, 2048)])
    return switching(r), r


def locked(chip: Chip, seconds: ArrayLike, uncapped_w: ArrayLike, clock: ArrayLike, bound: ArrayLike) -> Throttled:
    """Work with the core clock locked at a share of the one it ran at.

    Args:
        chip: the chip.
        seconds: time of each piece of work without the lock, any shape.
        uncapped_w: its watts without the lock.
        clock: locked clock over the clock without it, 0..1; a lock above it changes nothing.
        bound: share of its time that follows the core clock: 1 compute-bound, 0 memory- or message-bound.

    Raises:
        InputError: a clock that no driver locks.
    """
    lowest = calibration.parameters(RECORD)["clock_floor"]
    r = np.minimum(np.asarray(clock, dtype=np.float64), 1.0)
    if bool(np.any(r < lowest)):
        message = (
            f"a core clock of {float(np.min(r)):g} of the full one is below {lowest:g}, the lowest that can be locked"
        )
        raise InputError(Problem("out_of_range", message))
    t, w, r, c = _columns(seconds, uncapped_w, r, bound)
    static, fixed = _split(chip, w, c)
    watts = static + (w - static) * (fixed + (1.0 - fixed) * switching(r))
    return Throttled(t * (1.0 - c + c / r), watts, r, np.zeros_like(t))


def capped_seconds(
    chip: Chip, seconds: ArrayLike, uncapped_w: ArrayLike, cap_w: ArrayLike, bound: ArrayLike = 1.0
) -> Throttled:
    """Time, watts and clock of work under a power cap.

    Args:
        chip: the chip.
        seconds: time of each piece of work without the cap, any shape.
        uncapped_w: its watts without the cap.
        cap_w: the chip's power cap.
        bound: share of its time that follows the core clock: 1 compute-bound, 0 memory- or message-bound.

    Returns:
        A cap at or above `uncapped_w` changes nothing; a lower one is met exactly, never faster, never with more watts.

    Raises:
        InputError: a cap below what drivers accept (`lowest_cap` of the limit), or at or below the chip's idle draw.
    """
    p = calibration.parameters(RECORD)
    _least(chip, np.asarray(cap_w, dtype=np.float64))
    t, w, cap, c = _columns(seconds, uncapped_w, cap_w, bound)
    static, fixed = _split(chip, w, c)
    dynamic = np.maximum(w - static, 1e-12)
    phi = ((cap - static) / dynamic - fixed) / (1.0 - fixed)
    r = np.where(w > cap, np.clip(clock_for(phi), p["clock_floor"], 1.0), 1.0)
    running = np.where(w > cap, static + dynamic * (fixed + (1.0 - fixed) * switching(r)), w)
    at_floor = r <= p["clock_floor"]
    duty = np.where(at_floor, np.clip((cap - static) / np.maximum(running - static, 1e-12), 0.0, 1.0), 1.0)
    return Throttled(t * (1.0 - c + c / r) / duty, np.minimum(w, cap), r, 1.0 - duty)


def cap_exponent(chip: Chip, bound: float = 1.0, low: float = 0.8, high: float = 1.0) -> float:
    """Slope of ln(speed) over ln(cap) between two caps (shares of the limit), for work that draws the whole limit."""
    caps = np.array([low, high]) * chip.tdp_w
    seconds = capped_seconds(chip, 1.0, chip.tdp_w, caps, bound).seconds
    return float(np.log(seconds[0] / seconds[1]) / np.log(high / low))


def sustained_share(chip: Chip, precision: str, cap_w: float | None = None) -> float:
    """Share of a precision's peak that large products sustain within the power limit (or a cap).

    static + uncore are drawn at any clock; what the cap leaves drives the cores, whose full-clock draw is flop/s x joules per
    flop: phi(r) = (cap - static - uncore) / (peak x ceiling x joules per flop), share = ceiling x r. Precisions without a
    figure are taken not to be power-limited.

    Raises:
        InputError: a cap below what drivers accept.
    """
    p = calibration.parameters(RECORD)
    cap = chip.tdp_w if cap_w is None else cap_w
    _least(chip, np.asarray(cap))
    ceiling = p["kernel_ceiling"]
    energy = calibration.table(RECORD, "picojoules_per_flop").get(chip.generation, {}).get(precision)
    if energy is None:
        return ceiling
    core_w = cap - chip.idle_w - p["uncore_compute"] * (chip.tdp_w - chip.idle_w)
    phi = core_w / (ceiling * chip.peak_flops[precision] * float(energy) * 1e-12)
    return ceiling * float(clock_for(phi))


def _least(chip: Chip, cap_w: Array) -> None:
    """Refuse a cap that the chip cannot hold."""
    least = max(calibration.parameters(RECORD)["lowest_cap"] * chip.tdp_w, 1.05 * chip.idle_w)
    if bool(np.any(cap_w < least * (1.0 - 1e-12))):
        message = f"a cap of {float(np.min(cap_w)):g} W on {chip.name} is below {least:.0f} W, the lowest it can hold"
        raise InputError(Problem("out_of_range", message))


def _columns(*arguments: ArrayLike) -> tuple[Array, Array, Array, Array]:
    a, b, c, bound = (np.asarray(x, dtype=np.float64) for x in arguments)
    found = np.broadcast_arrays(a, b, c, np.clip(bound, 0.0, 1.0))
    return found[0], found[1], found[2], found[3]


def _split(chip: Chip, watts: Array, bound: Array) -> tuple[Array, Array]:
    """Static watts, and the share of the others that does not follow the core clock."""
    p = calibration.parameters(RECORD)
    fixed = p["uncore_memory"] + (p["uncore_compute"] - p["uncore_memory"]) * bound
    return np.minimum(chip.idle_w, watts), fixed

"""Power swings of a synchronous job: what the meter sees when all chips compute, wait and restart together.

Every chip runs the same phases in step: watts w_k for s_k seconds, a step of S = sum s_k. What stands beside the chips
draws evenly. At the meter of N chips

    P_k = N (w_k + beside) / supply x meter_per_it          swing = max P - min P,   frequency = 1 / S

Chips are not exactly in step: edges that are spread over `spread_s` turn the corners into ramps; by its n-th harmonic a
rectangular wave keeps sinc(n spread / S), and an edge rises in no less than `spread_s`.

What smooths it:

    ballast    chips draw at least a floor while they wait: the trough rises, joules are burnt
    storage    E joules behind the supply (capacitors in the supply, batteries at the rack or the site) give what lies
               over a cap and refill in the trough; the least cap for E is found by running the store through the step

The least cap for E joules solves  max over the step of the energy above the cap in store = E, with the mean unchanged (losses
in the store raise it). Flattening a step wholly takes the largest rise of the integral of P - mean. Restarts fall from the mean
to idle and climb back, however the step is smoothed. Plain numbers in and out; no workload is known here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem

Array = NDArray[np.float64]
PERIODS = 4  # steps run until a store repeats itself
GRID = 2048  # points a step for harmonics
BISECTIONS = 60


@dataclass(frozen=True, slots=True)
class Swing:
    """At the meter, watts: mean, peak and trough of a step, the swing between them, its frequency, the steepest edge.

    `harmonics_w` are the amplitudes (peak, not peak to peak) at 1, 2, 3 ... times `frequency_hz`.
    """

    mean_w: float
    peak_w: float
    trough_w: float
    frequency_hz: float
    ramp_w_per_s: float
    harmonics_w: Array

    @property
    def swing_w(self) -> float:
        """Peak less trough."""
        return self.peak_w - self.trough_w


@dataclass(frozen=True, slots=True)
class Smoothed:
    """A step after ballast and storage: the swing, the watts added in the mean, and the store's state.

    `peak_cut` is the share by which the peak fell; `whole_joules` what would flatten a step wholly, all chips together.
    """

    swing: Swing
    added_w: float
    peak_cut: float
    stored_joules: float
    whole_joules: float


@dataclass(frozen=True, slots=True)
class Ramp:
    """A change of the whole job at once: watts at the meter, in how many seconds, how often a day."""

    name: str
    watts: float
    seconds: float
    per_day: float


def meter_phases(
    chips: float,
    phase_w: ArrayLike,
    *,
    beside_w: float = 0.0,
    supply_efficiency: float = 1.0,
    meter_per_it: float = 1.0,
) -> Array:
    """Watts at the meter in each phase.

    Args:
        chips: chips in step.
        phase_w: watts of one chip in each phase.
        beside_w: host, NICs, fans, switches a chip, drawn evenly.
        supply_efficiency: of the rack's power supplies.
        meter_per_it: meter watts for one more watt at the rack input (losses and cooling).
    """
    watts = np.asarray(phase_w, dtype=float)
    if chips <= 0 or np.any(watts < 0) or not 0 < supply_efficiency <= 1 or meter_per_it < 1:
        raise InputError(
            Problem("out_of_range", "chips and watts must be positive, efficiency in (0, 1], meter over IT >= 1")
        )
    made: Array = chips * (watts + beside_w) / supply_efficiency * meter_per_it
    return made


def swing_of(phase_meter_w: ArrayLike, phase_s: ArrayLike, *, spread_s: float = 0.0, harmonics: int = 5) -> Swing:
    """The swing of one step.

    Args:
        phase_meter_w: watts at the meter in each phase.
        phase_s: seconds of each.
        spread_s: seconds over which the chips' edges are spread.
        harmonics: how many to give.

    Raises:
        InputError: phases without seconds, or negative ones.
    """
    watts, seconds = _phases(phase_meter_w, phase_s)
    step = float(seconds.sum())
    wave = _wave(watts, seconds, spread_s)
    lines = np.abs(np.fft.rfft(wave))[1 : harmonics + 1] * 2.0 / wave.size
    mean = float(watts @ seconds) / step
    return Swing(mean, float(wave.max()), float(wave.min()), 1.0 / step, _ramp(wave, step, spread_s), lines)


def smooth(
    phase_meter_w: ArrayLike,
    phase_s: ArrayLike,
    *,
    floor_w: float = 0.0,
    storage_joules: float = 0.0,
    round_trip: float = 0.95,
    spread_s: float = 0.0,
) -> Smoothed:
    """The same step with a floor under the watts and a store behind the supply.

    Args:
        phase_meter_w: watts at the meter in each phase.
        phase_s: seconds of each.
        floor_w: least watts at the meter: ballast makes up the rest.
        storage_joules: usable joules of all stores together, at the meter.
        round_trip: joules out over joules in.
        spread_s: as in `swing_of`.
    """
    watts, seconds = _phases(phase_meter_w, phase_s)
    if not 0 < round_trip <= 1 or storage_joules < 0 or floor_w < 0:
        raise InputError(Problem("out_of_range", "a round trip lies in (0, 1]; joules and floor are not negative"))
    before = swing_of(watts, seconds, spread_s=spread_s)
    lifted = np.maximum(watts, floor_w)
    added = float((lifted - watts) @ seconds) / float(seconds.sum())
    wave = _wave(lifted, seconds, spread_s)
    dt = float(seconds.sum()) / wave.size
    whole = _held(wave, _even(wave, round_trip), dt, round_trip)
    low, high = _even(wave, round_trip), float(wave.max())
    if storage_joules < whole:
        for _ in range(BISECTIONS):
            cap = 0.5 * (low + high)
            low, high = (cap, high) if _held(wave, cap, dt, round_trip) > storage_joules else (low, cap)
    else:
        high = low
    cap = high
    drawn = _drawn(wave, cap, round_trip)
    used = _held(wave, cap, dt, round_trip) if storage_joules > 0 else 0.0
    lines = np.abs(np.fft.rfft(drawn))[1:6] * 2.0 / drawn.size
    ramp = _ramp(drawn, float(seconds.sum()), spread_s)
    swing = Swing(float(drawn.mean()), float(drawn.max()), float(drawn.min()), before.frequency_hz, ramp, lines)
    lost = float(drawn.mean() - wave.mean())
    return Smoothed(swing, added + lost, 1.0 - swing.peak_w / before.peak_w, used, whole)


def ramps(
    mean_w: float,
    idle_w: float,
    *,
    failures_per_day: float = 0.0,
    snapshots_per_day: float = 0.0,
    snapshot_w: float | None = None,
    fall_s: float = 1.0,
    rise_s: float = 10.0,
) -> tuple[Ramp, ...]:
    """Changes of the whole job: a failure drops it from its mean to idle, a restart brings it back, a snapshot dips it.

    All watts at the meter. `fall_s` and `rise_s` are assumed unless measured: a job stops within a step and restarts
    within a few.
    """
    drop = mean_w - idle_w
    made = [Ramp("failure", -drop, fall_s, failures_per_day), Ramp("restart", drop, rise_s, failures_per_day)]
    if snapshots_per_day > 0:
        dip = mean_w - (idle_w if snapshot_w is None else snapshot_w)
        made += [Ramp("snapshot", -dip, fall_s, snapshots_per_day)]
    return tuple(made)


def _phases(watts: ArrayLike, seconds: ArrayLike) -> tuple[Array, Array]:
    w, s = np.asarray(watts, dtype=float), np.asarray(seconds, dtype=float)
    if w.shape != s.shape or w.ndim != 1 or not w.size or np.any(s < 0) or s.sum() <= 0:
        raise InputError(Problem("out_of_range", "a step needs as many seconds as watts, none negative, some positive"))
    return w, s


def _wave(watts: Array, seconds: Array, spread_s: float) -> Array:
    """A step on an even grid, exact in its mean; edges spread evenly over `spread_s`."""
    edges = np.concatenate([[0.0], np.cumsum(seconds)])
    grid = np.linspace(0.0, edges[-1], GRID + 1)
    energy = np.interp(grid, edges, np.concatenate([[0.0], np.cumsum(watts * seconds)]))
    wave = np.diff(energy) / (edges[-1] / GRID)
    width = min(round(spread_s / edges[-1] * GRID), GRID)
    if width > 1:
        kernel = np.zeros(GRID)
        kernel[:width] = 1.0 / width
        wave = np.fft.irfft(np.fft.rfft(wave) * np.fft.rfft(kernel), GRID)
    made: Array = wave
    return made


def _ramp(wave: Array, step_s: float, spread_s: float) -> float:
    """Steepest edge; without a spread a jump has no slope, and is infinite."""
    jump = float(np.abs(np.diff(np.append(wave, wave[0]))).max())
    if spread_s > 0:
        return jump / (step_s / wave.size)
    return float("inf") if jump > 1e-9 * float(np.abs(wave).max()) else 0.0


def _drawn(wave: Array, cap: float, round_trip: float) -> Array:
    """What the meter sees under a cap: no more than the cap, and in the troughs what refills the store, spread evenly."""
    over = np.maximum(wave - cap, 0.0)
    need = over.mean() / round_trip
    room = np.maximum(cap - wave, 0.0)
    low, high = float(wave.min()), cap
    for _ in range(BISECTIONS):  # fill the troughs to a level, as water would
        level = 0.5 * (low + high)
        low, high = (level, high) if np.minimum(np.maximum(level - wave, 0.0), room).mean() < need else (low, level)
    made: Array = np.minimum(np.maximum(wave, high), cap)
    return made


def _even(wave: Array, round_trip: float) -> float:
    """The lowest cap that a store of any size can hold: what lies over it, with losses, fits below it."""
    low, high = float(wave.mean()), float(wave.max())
    for _ in range(BISECTIONS):
        cap = 0.5 * (low + high)
        fits = np.maximum(wave - cap, 0.0).mean() / round_trip <= np.maximum(cap - wave, 0.0).mean()
        low, high = (low, cap) if fits else (cap, high)
    return high


def _held(wave: Array, cap: float, dt: float, round_trip: float) -> float:
    """Joules that the store must hold under a cap: the largest fall of its level, over steps that repeat."""
    drawn = _drawn(wave, cap, round_trip)
    flow = np.where(drawn > wave, (drawn - wave) * round_trip, drawn - wave)
    level = np.cumsum(np.tile(flow, PERIODS)) * dt
    return float((np.maximum.accumulate(level) - level).max())

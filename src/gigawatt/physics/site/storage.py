"""Batteries: what they hold, how long they carry a shortage, and what they must hold to carry the next one.

The stored joules e of a battery with power P and capacity E follow, hour by hour of `dt` seconds,

    e' = e + eta_c c dt - d dt / eta_d          0 <= c, d <= P        0 <= e <= E

with c drawn from and d given to the site. A battery that saves itself for shortages (charging whenever watts are to spare,
discharging only when they lack) leaves the fewest joules unserved that any schedule could: its level is at every hour the
highest there is. That schedule is a chain of clips, e' = clip(e + x, 0, E), and a chain of clips is again a clip

    s -> min(max(s + a, l), h)      (a, l, h)_2 after (a, l, h)_1 = (a1 + a2, clip(l1 + a2, l2, h2), clip(h1 + a2, l2, h2))

so that all hours are found in log2 H passes over whole columns, for many years or loads at once (Hillis and Steele's prefix
scan, 1986). Run backwards the same chain tells what must be in store at each hour's end to carry all that is to come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.site.supplied import SECONDS_PER_HOUR

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Battery:
    """A store of joules behind the meter.

    Attributes:
        power_w: what it takes and gives at most, at its terminals.
        energy_j: usable joules (those behind its depth of discharge are not counted).
        charge_efficiency, discharge_efficiency: joules into store over joules drawn, joules given over joules out of it.
        start_share: of its capacity that is stored before the first hour, and again (where it can be) after the last.

    Raises:
        InputError: a number outside its range.
    """

    name: str
    power_w: float
    energy_j: float
    charge_efficiency: float = 1.0
    discharge_efficiency: float = 1.0
    start_share: float = 0.5

    def __post_init__(self) -> None:
        found = [
            Problem("out_of_range", f"battery '{self.name}': {field} is {value:g}; it must not be negative")
            for field in ("power_w", "energy_j")
            if not (value := getattr(self, field)) >= 0 or not np.isfinite(value)
        ]
        found += [
            Problem("out_of_range", f"battery '{self.name}': {field} is {value:g}; it must be over 0 and at most 1")
            for field in ("charge_efficiency", "discharge_efficiency")
            if not 0 < (value := getattr(self, field)) <= 1
        ]
        if not 0 <= self.start_share <= 1:
            found.append(Problem("out_of_range", f"battery '{self.name}': start_share must lie between 0 and 1"))
        if found:
            raise InputError(found)

    @property
    def round_trip(self) -> float:
        """Joules given over joules drawn."""
        return self.charge_efficiency * self.discharge_efficiency


def together(batteries: tuple[Battery, ...]) -> Battery:
    """One battery in place of several: powers and capacities add, the worse efficiencies count.

    It can do no more than the several could; exact where all have the same hours and efficiencies.
    """
    if len(batteries) == 1:
        return batteries[0]
    energy = sum(b.energy_j for b in batteries)
    start = sum(b.start_share * b.energy_j for b in batteries)
    return Battery(
        "all batteries",
        sum(b.power_w for b in batteries),
        energy,
        min((b.charge_efficiency for b in batteries), default=1.0),
        min((b.discharge_efficiency for b in batteries), default=1.0),
        start / energy if energy > 0 else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Chain:
    """The clips of all steps joined, [..., H]: the level after step t is min(max(start + shift_t, low_t), up_t)."""

    shift: Array
    low: Array
    up: Array

    def levels(self, start: ArrayLike) -> Array:
        """[..., H] levels after each step, from [...] levels before the first."""
        begin = np.asarray(start, dtype=np.float64)[..., None]
        return np.asarray(np.minimum(np.maximum(begin + self.shift, self.low), self.up))


def chain(change: ArrayLike, high: float) -> Chain:
    """The steps  s' = clip(s + change, 0, high)  along the last axis, joined by doubling."""
    shift = np.array(change, dtype=np.float64)
    low, up = np.zeros_like(shift), np.full_like(shift, high)
    step = 1
    while step < shift.shape[-1]:
        a, floor, cap = shift[..., step:].copy(), low[..., step:].copy(), up[..., step:].copy()
        low[..., step:] = np.minimum(np.maximum(low[..., :-step] + a, floor), cap)
        up[..., step:] = np.minimum(np.maximum(up[..., :-step] + a, floor), cap)
        shift[..., step:] = shift[..., :-step] + a
        step *= 2
    return Chain(shift, low, up)


def clip_chain(change: ArrayLike, high: float, start: ArrayLike) -> Array:
    """Levels after each step of  s' = clip(s + change, 0, high), along the last axis.

    Args:
        change: [..., H] what is added in each step.
        high: the most a level can be.
        start: [...] the level before the first step.

    >>> clip_chain([3.0, 4.0, -9.0, 2.0], 5.0, 0.0)
    array([3., 5., 0., 2.])
    """
    return chain(change, high).levels(start)


@dataclass(frozen=True, slots=True)
class Carried:
    """What a battery that saves itself for shortages does, [..., H]: its level after each hour, and what stays unserved."""

    stored_j: Array
    unserved_w: Array


def carry(spare_w: ArrayLike, battery: Battery) -> Carried:
    """Shortages carried by a battery that charges from all that is spare and gives only where watts lack.

    Args:
        spare_w: [..., H] watts available less watts asked for; negative where they lack.
        battery: the store.
    """
    spare = np.asarray(spare_w, dtype=np.float64)
    stored = clip_chain(_flow_j(spare, battery), battery.energy_j, battery.start_share * battery.energy_j)
    before = np.concatenate(
        [np.full((*spare.shape[:-1], 1), battery.start_share * battery.energy_j), stored[..., :-1]], axis=-1
    )
    lack = np.maximum(-spare, 0.0)
    given = np.where(lack > 0, np.maximum(before - stored, 0.0) * battery.discharge_efficiency / SECONDS_PER_HOUR, 0.0)
    unserved = np.maximum(lack - given, 0.0)
    # What is left by rounding of the level is no shortage.
    unserved[unserved <= 1e-9 * np.maximum(lack, battery.power_w)] = 0.0
    return Carried(stored, unserved)


def needed_j(spare_w: ArrayLike, battery: Battery) -> Array:
    """[..., H] joules that must be in store after each hour to carry all later shortages as well as any schedule can."""
    spare = np.asarray(spare_w, dtype=np.float64)
    later = -_flow_j(spare[..., :0:-1], battery)
    chain = clip_chain(later, battery.energy_j, 0.0)
    return np.concatenate([chain[..., ::-1], np.zeros((*spare.shape[:-1], 1))], axis=-1)


def _flow_j(spare: Array, battery: Battery) -> Array:
    """Joules into (+) or out of (-) store in each hour, were the store neither full nor empty."""
    drawn = np.clip(spare, 0.0, battery.power_w) * battery.charge_efficiency
    given = np.clip(-spare, 0.0, battery.power_w) / battery.discharge_efficiency
    return np.asarray((drawn - given) * SECONDS_PER_HOUR)

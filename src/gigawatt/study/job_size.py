"""How many chips a training run takes, on a fleet with other work and on one of its own.

A job may be larger than its date needs and be done earlier, in the same time of its chips: on a fleet that does other work
too, the size is the one whose chips keep most tokens, of sizes that parallel degrees divide well. On a fleet of its own no
chip has other work before or after: there it is the smallest that is done in time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gigawatt.physics.reliability import Effective
from gigawatt.study.points import Refusal

# Chips of the job on which a mapping is first looked for, before the number that the date needs is known.
GUESSES = (8192, 1024, 65_536)
MOST_SIZES = 4  # sizes tried beside the guess
MOST_OVER = 4.0  # a guess this many times larger than the date needs is no size for it
STEPS = (1.0, 1.125, 1.25, 1.5, 1.75)  # between powers of two, where the smallest is asked for
MOST_STEPS = 8
WORKING = ("productive", "lost", "silent")  # shares of time in which chips draw what the mapping draws


@dataclass(frozen=True, slots=True)
class Guarded:
    """A run's size on a platform, and where its time goes."""

    chips: int
    effective: Effective

    @property
    def share(self) -> float:
        """Share of time that is work kept."""
        return float(self.effective.productive)

    @property
    def spare_share(self) -> float:
        """Chips standing by over chips of the job."""
        return float(self.effective.spare_chips) / self.chips

    @property
    def owned_chips(self) -> float:
        """Chips of the job and those standing by."""
        return self.chips * (1.0 + self.spare_share)

    @property
    def checkpoint_share(self) -> float:
        """Share of time that snapshots stop the job."""
        return float(self.effective.checkpoint)

    @property
    def failure_share(self) -> float:
        """Share of time that interruptions cost, planned ones too."""
        return 1.0 - self.share - self.checkpoint_share

    @property
    def busy_share(self) -> float:
        """Share of time that chips of the job work, whether it counts or not."""
        return sum(float(getattr(self.effective, name)) for name in WORKING)


@dataclass(frozen=True, slots=True)
class Run:
    """A run at one precision and mode: the mapping of its longest stretch in words, and the means over its stretches.

    `tokens_per_s_per_chip` is what a healthy job trains. `replica_chips` are those of one data-parallel replica, `phases`
    (seconds, watts of a chip) of its longest stretch's step.
    """

    mapping: str
    precision: str
    mode: str
    tokens_per_s_per_chip: float
    chip_w: float
    bound: str
    step_s: float
    mfu: float
    low: float
    high: float
    replica_chips: float
    phases: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Sized:
    """The runs at one size of job, and where its time goes there."""

    runs: list[Run]
    guard: Guarded

    def kept(self, run: Run) -> float:
        """Tokens a second of an owned chip, work kept alone."""
        return run.tokens_per_s_per_chip * self.guard.share * self.guard.chips / self.guard.owned_chips

    @property
    def best(self) -> float:
        """`kept` of the fastest run."""
        return max(self.kept(run) for run in self.runs)

    @property
    def tokens_per_s(self) -> float:
        """Of the whole job, work kept alone, of the fastest run."""
        return self.best * self.guard.owned_chips


Look = Callable[[int], Sized | Refusal]


def best_size(look: Look, needed: float) -> Sized | Refusal:
    """The size whose chips keep most, of those that train `needed` tokens a second; the fastest where none does."""
    tried = _Tried(look)
    first = tried.first()
    if isinstance(first, Refusal):
        return first
    least = _least(first, needed)
    for chips in _even(least):
        tried.at(chips)
        if chips >= 2 * least and tried.fast(needed):
            break
    fast = [one for one in tried.fast(needed) if one.guard.chips <= MOST_OVER * least]
    return max(fast, key=_best_of) if fast else tried.fastest()


def smallest_size(look: Look, needed: float) -> Sized | Refusal:
    """The smallest size that trains `needed` tokens a second, of those tried; the fastest where none does."""
    tried = _Tried(look)
    first = tried.first()
    if isinstance(first, Refusal):
        return first
    for chips in _close(_least(first, needed)):
        found = tried.at(chips)
        if isinstance(found, Sized) and found.tokens_per_s >= needed:
            break
    fast = tried.fast(needed)
    return min(fast, key=lambda one: one.guard.chips) if fast else tried.fastest()


class _Tried:
    """Sizes looked at, each once."""

    __slots__ = ("found", "look")

    def __init__(self, look: Look) -> None:
        self.look = look
        self.found: dict[int, Sized | Refusal] = {}

    def at(self, chips: int) -> Sized | Refusal:
        if chips not in self.found:
            self.found[chips] = self.look(chips)
        return self.found[chips]

    def first(self) -> Sized | Refusal:
        """The first guess that fits any mapping; the first one's refusal where none does."""
        return next((made for chips in GUESSES if isinstance(made := self.at(chips), Sized)), self.at(GUESSES[0]))

    def made(self) -> list[Sized]:
        return [one for one in self.found.values() if isinstance(one, Sized)]

    def fast(self, needed: float) -> list[Sized]:
        return [one for one in self.made() if one.tokens_per_s >= needed]

    def fastest(self) -> Sized:
        return max(self.made(), key=_speed_of)


def _best_of(one: Sized) -> float:
    return one.best


def _speed_of(one: Sized) -> float:
    return one.tokens_per_s


def _least(first: Sized, needed: float) -> int:
    """Chips that `needed` tokens a second would take at the speed of another size."""
    return max(math.ceil(needed / (first.tokens_per_s / first.guard.chips)), 1)


def _even(least: int) -> Iterator[int]:
    """Powers of two and one and a half times them, from `least` on."""
    power = 2 ** math.ceil(math.log2(least))
    sizes = [power * 3 // 4, power, power * 3 // 2, power * 2, power * 3, power * 4]
    yield from [chips for chips in sizes if chips >= least][:MOST_SIZES]


def _close(least: int) -> Iterator[int]:
    """Sizes close to each other, from `least` on."""
    power = 2 ** math.floor(math.log2(least))
    sizes = [int(power * scale * step) for scale in (1, 2, 4) for step in STEPS]
    yield from [chips for chips in sizes if chips >= least][:MOST_STEPS]

"""What a whole job takes: rows by phase with chips, seconds, watts, tokens, what binds; totals of time, energy and power.

    chip-hours = sum of chips x wall        energy = sum of chips x wall x watts of a chip
    wall       = longest track              peak   = the highest sum of watts that run at once

Phases of one track follow each other on the same chips; tracks run beside each other (rollouts beside training). A track that
ends early waits: `job_run` adds the row, so that chip-hours are chips x wall whatever the phases are. Phases that alternate
(the steps of a loop) are one row each with the sum of their time. Watts of a chip become watts at the rack's input (IT) by
`chip.box_watts` where a box is given: hosts, scale-up, NICs, fans and the loss of the supplies join.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gigawatt.core.errors import InputError, Problem
from gigawatt.core.table import Table
from gigawatt.physics.chip import Box, Chip, box_watts, chip_watts

Runs = Literal["train", "serve", "cpu", "idle"]
HOUR_S = 3600.0
J_PER_MWH = 3.6e9


@dataclass(frozen=True, slots=True)
class Phase:
    """One row of a job.

    `chip_w` is the mean draw of a chip over the phase, `peak_chip_w` its highest (the mean where 0), `load` the share of their
    work that the hosts do. `tokens` are trained, read or written ones, as `runs` says. `low` and `high` are 80 % factors on
    its time.
    """

    name: str
    runs: Runs
    chips: float
    wall_s: float
    chip_w: float
    tokens: float = 0.0
    bound: str = ""
    track: int = 0
    peak_chip_w: float = 0.0
    load: float = 1.0
    low: float = 1.0
    high: float = 1.0

    @property
    def chip_hours(self) -> float:
        return self.chips * self.wall_s / HOUR_S

    @property
    def chip_energy_j(self) -> float:
        """Of the chips alone."""
        return self.chips * self.wall_s * self.chip_w


@dataclass(frozen=True, slots=True)
class JobRun:
    """A job as it runs. `box` is the rack its chips stand in, None where only chips are known.

    `network_w_per_chip` are switches and optics outside the rack. `low` and `high` are 80 % factors on `wall_s`.
    """

    name: str
    phases: tuple[Phase, ...]
    box: Box | None = None
    network_w_per_chip: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def tracks(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(phase.track for phase in self.phases))

    @property
    def chips(self) -> float:
        """Chips held while it lasts: the most of each track's phases."""
        return sum(max(p.chips for p in self.phases if p.track == t) for t in self.tracks)

    @property
    def wall_s(self) -> float:
        return max((self._track_s(t) for t in self.tracks), default=0.0)

    @property
    def wall_low_s(self) -> float:
        """80 % band: errors of phases are those of the same models, so they add up instead of cancelling."""
        return max((sum(p.wall_s * p.low for p in self.phases if p.track == t) for t in self.tracks), default=0.0)

    @property
    def wall_high_s(self) -> float:
        return max((sum(p.wall_s * p.high for p in self.phases if p.track == t) for t in self.tracks), default=0.0)

    @property
    def low(self) -> float:
        return self.wall_low_s / self.wall_s if self.wall_s else 1.0

    @property
    def high(self) -> float:
        return self.wall_high_s / self.wall_s if self.wall_s else 1.0

    @property
    def chip_hours(self) -> float:
        return sum(p.chip_hours for p in self.phases)

    @property
    def tokens(self) -> float:
        return sum(p.tokens for p in self.phases)

    @property
    def chip_energy_j(self) -> float:
        """Of the chips alone."""
        return sum(p.chip_energy_j for p in self.phases)

    @property
    def energy_j(self) -> float:
        """At the racks' input where a box is given, else of the chips."""
        return sum(self.phase_w(p) * p.wall_s for p in self.phases)

    @property
    def mwh(self) -> float:
        return self.energy_j / J_PER_MWH

    @property
    def mean_w(self) -> float:
        return self.energy_j / self.wall_s if self.wall_s else 0.0

    @property
    def chip_w(self) -> float:
        """Mean watts of one chip over the job."""
        return self.chip_energy_j / (self.chip_hours * HOUR_S) if self.chip_hours else 0.0

    @property
    def peak_w(self) -> float:
        """Tracks may meet at their highest phases."""
        return sum(max(self.phase_w(p, peak=True) for p in self.phases if p.track == t) for t in self.tracks)

    @property
    def busy_share(self) -> float:
        """Of the chip-hours, those in which chips do not wait."""
        work = sum(p.chip_hours for p in self.phases if p.runs != "idle")
        return work / self.chip_hours if self.chip_hours else 0.0

    def phase_w(self, phase: Phase, peak: bool = False) -> float:
        """Watts of a phase: IT where a box is given."""
        each = max(phase.peak_chip_w, phase.chip_w) if peak else phase.chip_w
        if self.box is None:
            return phase.chips * each
        inside = float(box_watts(self.box, each, phase.load).total_w) / self.box.chips
        return phase.chips * (inside + self.network_w_per_chip)

    def table(self) -> Table:
        """One row a phase, with energy at the chips and at the racks' input."""
        rows = [
            {
                "phase": p.name,
                "runs": p.runs,
                "track": p.track,
                "chips": p.chips,
                "wall_s": p.wall_s,
                "wall_low_s": p.wall_s * p.low,
                "wall_high_s": p.wall_s * p.high,
                "chip_hours": p.chip_hours,
                "chip_energy_j": p.chip_energy_j,
                "energy_j": self.phase_w(p) * p.wall_s,
                "mean_w": self.phase_w(p),
                "peak_w": self.phase_w(p, peak=True),
                "tokens": p.tokens,
                "bound": p.bound,
            }
            for p in self.phases
        ]
        columns = ["phase", "runs", "track", "chips", "wall_s", "wall_low_s", "wall_high_s", "chip_hours", "chip_energy_j",
                   "energy_j", "mean_w", "peak_w", "tokens", "bound"]  # fmt: skip
        seconds = dict.fromkeys(("wall_s", "wall_low_s", "wall_high_s"), "s")
        units = seconds | {"chip_hours": "h", "chip_energy_j": "J", "energy_j": "J", "mean_w": "W", "peak_w": "W"}
        where = "at the racks' input" if self.box is not None else "of the chips"
        note = f"Watts and energy are {where}. Phases of one track follow each other, tracks run beside each other."
        return Table.from_rows(f"job {self.name}", rows, columns, units, self.name, note)

    def totals(self) -> dict[str, float]:
        """The headline: chips, seconds with their band, chip-hours, MWh, watts, tokens, share of the time in work."""
        return {
            "chips": self.chips,
            "wall_s": self.wall_s,
            "wall_low_s": self.wall_low_s,
            "wall_high_s": self.wall_high_s,
            "chip_hours": self.chip_hours,
            "mwh": self.mwh,
            "mean_w": self.mean_w,
            "peak_w": self.peak_w,
            "tokens": self.tokens,
            "busy_share": self.busy_share,
        }

    def _track_s(self, track: int) -> float:
        return sum(p.wall_s for p in self.phases if p.track == track)


def waiting_w(chip: Chip) -> float:
    """Watts of a chip that waits with its clocks up: what stands between two phases of a job."""
    return float(chip_watts(chip, 0.0, 0.0, 0.0))


def job_run(
    name: str,
    phases: Sequence[Phase],
    chip: Chip,
    *,
    box: Box | None = None,
    network_w_per_chip: float = 0.0,
    notes: Sequence[str] = (),
) -> JobRun:
    """A job of these phases; empty ones are left out, and tracks that end before the longest one wait.

    Raises:
        InputError: no phase, or a phase with negative seconds, chips or watts.
        ValueError: phases of one track on different numbers of chips.
    """
    bad = [p.name for p in phases if not (p.wall_s >= 0 and p.chips >= 0 and p.chip_w >= 0)]
    if bad:
        raise InputError(
            Problem("wrong_value", f"job '{name}': seconds, chips and watts of {', '.join(bad)} must be >= 0")
        )
    kept = [p for p in phases if p.wall_s > 0 and p.chips > 0]
    if not kept:
        raise InputError(
            Problem("nothing_to_do", f"job '{name}' has nothing to do", None, ("give it tokens or samples",))
        )
    draft = JobRun(name, tuple(kept), box, network_w_per_chip, tuple(notes))
    idle_w, wall_s = waiting_w(chip), draft.wall_s
    rows = list(kept)
    for track in draft.tracks:
        mine = [p for p in kept if p.track == track]
        width = mine[0].chips
        if any(p.chips != width for p in mine):
            raise ValueError(f"job '{name}': phases of track {track} hold different numbers of chips")
        short_s = wall_s - sum(p.wall_s for p in mine)
        if short_s > 1e-9 * wall_s:
            rows.append(Phase("waiting for the rest", "idle", width, short_s, idle_w, track=track, load=0.0))
    return replace(draft, phases=tuple(rows))

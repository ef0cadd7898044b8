"""Operating points of a run on a platform: sized by its date, as tokens per chip-second and watts per chip.

    tokens/s of an owned chip = tokens of the run / (wall x (chips + spares))

The size follows from the wall time and the wall time from the size; a run that waits for its longest answers gains less than
its chips, so the search goes on until it is done in time or more chips no longer help.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.physics.jobs import JobRun
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.jobs.owed import Run
from gigawatt.study.jobs.specs import PostTraining
from gigawatt.study.jobs.work import Place, worked
from gigawatt.study.points import Point, Refusal

FIRST_NODES = 8  # nodes of the job on which it is first looked at
CLOSE = 0.93  # of the chips that a run must really need for the size to be right
MOST_SIZES = 8  # sizes tried until the run is done in time
MOST_CHIPS = 262_144  # beyond any cluster of today
GAIN = 0.97  # of the wall time that twice the chips must save for more of them to be worth a look


@dataclass(frozen=True, slots=True)
class Sized:
    """A run at the size that its date asks for."""

    run: JobRun
    chips: int


def sized(spec: Run, arch: Architecture, seconds: float, place: Place) -> Sized:
    """The run on its own chips, or on the fewest found that are done within `seconds`.

    Raises:
        InputError: numbers that can not be. Infeasible: it fits no number of chips, or no number is done in time.
    """
    node = place.box.chips_per_node
    if isinstance(spec.chips, int):
        return _in_time(spec, Sized(worked(spec, arch, spec.chips, place), spec.chips), seconds)
    chips, failed, best = FIRST_NODES * node, None, None
    for _ in range(MOST_SIZES):
        try:
            run = worked(spec, arch, chips, place)
        except Infeasible as why:
            if best is not None or chips * 4 > MOST_CHIPS:
                break
            failed, chips = why, chips * 4  # too few to hold it
            continue
        better = best is None or run.wall_s < best.run.wall_s * GAIN
        done = run.wall_s <= seconds
        if better or (done and best is not None and best.run.wall_s > seconds):
            best = Sized(run, chips)
        asked = math.ceil(chips * run.wall_s / seconds / node) * node
        if done and (asked >= CLOSE * chips or chips <= 2 * node):
            return Sized(run, chips)
        if not done and not better:
            break
        chips = min(max(asked, 2 * node), MOST_CHIPS)
    if best is None:
        assert failed is not None
        raise failed
    return _in_time(spec, best, seconds)


def _in_time(spec: Run, made: Sized, seconds: float) -> Sized:
    if made.run.wall_s <= seconds or spec.obligation is None:
        return made
    days, due = made.run.wall_s / 86400, seconds / 86400
    longest = max((p for p in made.run.phases if p.runs != "idle"), key=lambda p: p.wall_s)
    message = (
        f"'{spec.id}' takes {days:,.3g} days on {made.chips:,} chips, and {due:,.3g} days of the whole fleet are left; "
        f"most goes to {longest.name}"
    )
    raise Infeasible(message, [f"a finish_by {days / due:.2g} times as far off, or fewer tokens"])


def points_of(
    i: int,
    j: int,
    spec: Run,
    arch: Architecture,
    seconds: float,
    place: Place,
    low: float,
    high: float,
    group: str,
    alone: JobRun | None = None,
) -> tuple[list[Point], Refusal | None, JobRun | None]:
    """The operating points of a run on an offer, one a power mode, or why there is none; and the run in the first mode.

    Args:
        i, j: the offer and the work.
        seconds: of the whole fleet's work until it is owed.
        low, high: 80 % factors of the software's speed.
        group: of the latent error that it shares.
        alone: the run as it was sized before, on a fleet of its own: an owned chip then counts for no more than its share of
            the tokens that the date asks for, so that the fleet holds the whole job.
    """
    if seconds <= 0:
        reason = f"'{spec.id}' is owed before its first quarter ends"
        return [], Refusal(i, j, reason, "a later finish_by, or an earlier start"), None
    try:
        made = sized(spec, arch, seconds, place) if alone is None else Sized(alone, round(alone.chips))
    except Infeasible as why:
        fix = why.conflict[0] if why.conflict else ""
        return [], Refusal(i, j, str(why), fix), None
    except InputError as wrong:
        first = wrong.problems[0]
        return [], Refusal(i, j, first.message, first.hints[0] if first.hints else ""), None
    points = []
    fixed = _at_its_share(spec, made.run)
    for mode in place.box.modes:
        run = made.run
        if mode != place.box.modes[0]:
            try:
                run = worked(fixed, arch, made.chips, replace(place, mode=mode))
            except Infeasible:
                continue
        most = math.inf if alone is None else spec.owed_tokens / seconds / (run.chips + run.spare_chips)
        points.append(_point(i, j, spec, run, mode.name, place, low, high, group, most))
    return points, None, made.run


def _at_its_share(spec: Run, run: JobRun) -> Run:
    """The same run with the share of its chips for rollouts as it was found: power modes move it little."""
    if not isinstance(spec, PostTraining) or len(run.tracks) < 2:
        return spec
    sampling = max(p.chips for p in run.phases if p.track == 0)
    return spec.model_copy(update={"rollout_share": sampling / run.chips})


def _point(
    i: int, j: int, spec: Run, run: JobRun, mode: str, place: Place, low: float, high: float, group: str, most: float
) -> Point:
    """A run as a point per owned chip, of at most `most` tokens a second.

    Spares stand by at idle watts, and so does the whole job once it is done.
    """
    owned = run.chips + run.spare_chips
    idle_w = place.box.chip.idle_w
    peak = sum(max(p.chips * p.chip_w for p in run.phases if p.track == t) for t in run.tracks)
    busiest = (peak + run.spare_chips * idle_w) / owned
    mean = (run.chip_w * run.chips + run.spare_chips * idle_w) / owned
    speed = spec.owed_tokens / (run.wall_s * owned)
    if most < speed:
        mean = idle_w + (mean - idle_w) * most / speed
    main = max((p for p in run.phases if p.runs != "idle"), key=lambda p: p.chip_hours)
    words = run.notes[0] if run.notes else main.name
    return Point(
        i, j, words, "", mode, "", 0.0, min(speed, most), busiest, f"{main.name}: {main.bound}",
        low / run.high, high / run.low, group, chips=run.chips, load=mean / busiest,
    )  # fmt: skip


def rate(spec: Run, arch: Architecture, chips: int, place: Place) -> float:
    """Tokens per second and chip of a run on so many chips; 0 where it fits in no way."""
    try:
        return spec.owed_tokens / (worked(spec, arch, chips, place).wall_s * chips)
    except Infeasible:
        return 0.0

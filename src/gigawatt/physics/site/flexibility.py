"""What a site that can draw less for a while gains and gives up, and whether its plant can follow its load.

Grid. A grid that can serve G in its worst hours may connect a site of G / (1 - f) that gives up the share f in those
hours: the call takes the site down to G, and no more. So a site that would wait until the grid is built out for all of
its load may connect at once. What it loses is f times the hours asked, and nothing in the hours that its own plant and
batteries carry. (Norris et al., Rethinking Load Growth, Duke University 2025: 76, 100, 126 GW of new load fit into the
United States' grids with 0.25, 0.5, 1 % of its energy given up; a field test cut 25 % of a cluster for three hours,
arXiv 2507.00909.)

Own plant. A job of synchronous training swings between compute and communication within seconds, falls to idle when it
fails and climbs back (`reliability.swings` works the watts out; plain watts are taken here). On an island the units must take

    each step at once       step <= sum of what units take at once (a share of rating), and no sooner again than they recover
    each ramp               dP/dt <= sum of their ramps
    each cycle              peak <= what stands, trough >= their least output

and what they can not take, something faster must: storage at the racks, in the supplies, or a battery. A swing of
period S faster than plant can follow is held by E = (P_peak - P_mean) x time above the mean, a ramp by the triangle
between the load's edge and the plant's:  E = dP^2 / (2 r), r the plant's ramp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem

Array = NDArray[np.float64]
# A step at once is taken with a dip of frequency, and the next only when that is over: 3 s for the strictest class of
# ISO 8528-5, 5 s for the next; the latter is taken here.
RECOVERY_S = 5.0


def called_hours(price: ArrayLike, hours: float) -> NDArray[np.bool_]:
    """[H] the hours in which a grid asks load back: those of the highest price (ties go to the earlier one).

    >>> called_hours([1.0, 5.0, 2.0, 5.0], 2.0).tolist()
    [False, True, False, True]
    """
    column = np.asarray(price, dtype=np.float64)
    out = np.zeros(column.size, dtype=bool)
    out[np.argsort(-column, kind="stable")[: round(hours)]] = True
    return out


def connectable_w(grid_w: float, share: float) -> float:
    """Watts that may be connected where the grid can serve `grid_w` in its worst hours and the site gives up `share` then.

    Raises:
        InputError: a share outside [0, 1).

    >>> connectable_w(750e6, 0.25)
    1000000000.0
    """
    if not 0 <= share < 1:
        raise InputError(Problem("out_of_range", "the share that is given up must lie from 0 to under 1"))
    return grid_w / (1.0 - share)


def given_up_share(share: float, hours: float) -> float:
    """Of a year's energy (and about of its tokens) that is lost at most: share x hours / 8,760.

    >>> round(given_up_share(0.25, 88.0), 5)
    0.00251
    """
    return share * hours / 8760.0


@dataclass(frozen=True, slots=True)
class Plant:
    """A plant's standing units as one: watts that stand, and shares of them a second, at once, and at least."""

    name: str
    standing_w: float
    ramp_per_s: float
    step_share: float
    least_share: float


@dataclass(frozen=True, slots=True)
class Follows:
    """Whether plant follows a load's change, and what must stand beside it.

    Attributes:
        what: of the load: a swing, a failure, a restart.
        watts: of the change; `at_once_w` of it the plant takes by itself.
        follows: True where nothing else is needed.
        storage_w, storage_j: of the smallest store that does the rest.
        words: a sentence.
    """

    what: str
    watts: float
    at_once_w: float
    follows: bool
    storage_w: float
    storage_j: float
    words: str


def follows_ramp(plants: Sequence[Plant], what: str, watts: float, seconds: float) -> Follows:
    """Can plant on its own follow a change of `watts` within `seconds`?

    The plant takes its step at once and goes on at its ramp; the store gives the rest until the plant has caught up.

    >>> gas = Plant("gas", 100e6, 0.12 / 60, 0.10, 0.4)
    >>> found = follows_ramp([gas], "restart", 50e6, 1.0)
    >>> found.follows, round(found.storage_w / 1e6, 1), round(found.storage_j / 3.6e9, 2)
    (False, 39.8, 1.11)
    """
    change = abs(watts)
    step = min(sum(p.standing_w * p.step_share for p in plants), change)
    ramp = sum(p.standing_w * p.ramp_per_s for p in plants)
    rest = change - step
    if rest <= ramp * seconds:
        return Follows(
            what, watts, step, True, 0.0, 0.0, f"{what}: {change / 1e6:,.3g} MW in {seconds:g} s are followed"
        )
    edge = rest / seconds if seconds > 0 else float("inf")
    most = rest - ramp * seconds
    # Triangle from the edge's start: the load is ahead by `most` when its edge ends, and is caught up with at the ramp's slope.
    joules = 0.5 * most * seconds + (0.5 * most**2 / ramp if ramp > 0 else float("inf"))
    words = (
        f"{what}: {change / 1e6:,.3g} MW in {seconds:g} s; the plant takes {step / 1e6:,.3g} MW at once and "
        f"{ramp * 60 / 1e6:,.3g} MW a minute, the load asks for {edge * 60 / 1e6:,.3g} MW a minute: "
        + (
            f"{most / 1e6:,.3g} MW and {joules / 3.6e9:,.3g} MWh of storage do the rest"
            if ramp > 0
            else f"{most / 1e6:,.3g} MW of storage must carry it for as long as it lasts"
        )
    )
    return Follows(what, watts, step, False, most, joules, words)


def follows_swing(plants: Sequence[Plant], mean_w: float, swing_w: float, period_s: float) -> Follows:
    """Can plant on its own follow a load that swings by `swing_w` about its mean every `period_s`?

    Within half a period the plant moves by its ramp, and by its step where it has time to recover from one before the next;
    what is left swings in the store, which holds at most the rest of half a swing for half a period.
    """
    step = sum(p.standing_w * p.step_share for p in plants) if period_s / 2 >= RECOVERY_S else 0.0
    ramp = sum(p.standing_w * p.ramp_per_s for p in plants)
    standing = sum(p.standing_w for p in plants)
    least = min((p.least_share * p.standing_w for p in plants), default=0.0)
    moved = min(step + ramp * period_s / 2, swing_w)
    rest = swing_w - moved
    peak, trough = mean_w + swing_w / 2, mean_w - swing_w / 2
    fits = rest <= 0 and peak <= standing * (1 + 1e-9) and trough >= least
    joules = rest / 2 * period_s / 2
    words = f"swing of {swing_w / 1e6:,.3g} MW every {period_s:,.3g} s: "
    if fits:
        words += "the plant follows"
    elif rest > 0:
        words += (
            f"the plant moves by {moved / 1e6:,.3g} MW within half of it; {rest / 2 / 1e6:,.3g} MW and "
            f"{joules / 3.6e6:,.3g} kWh of fast storage hold the rest"
        )
    else:
        words += f"from {trough / 1e6:,.3g} to {peak / 1e6:,.3g} MW it leaves what the plant can run at"
    return Follows("swing", swing_w, min(step, swing_w), fits, rest / 2, joules, words)

"""Where the policy of a machine can run: on board, or at a site behind a link, by the deadline of its task.

    on board    t_board
    at a site   t_away = t_access + 2 km s/km + bytes up / rate + t_served

A place is sound where its time is within the deadline, from observation to the first action that follows from it. A task
that may not stop when the link does has no place away at all. So a longer deadline never forces more on board, and the
distance up to which a site is near enough,

    km = (deadline - t_access - bytes / rate - t_served) / (2 s/km),

grows with it. Seconds, bytes, km; columns of any shape that broadcast. A floor of a pass at one machine is that its weights
are read once: bytes read / memory bandwidth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.physics.fabric.across.serving import one_way_s
from gigawatt.physics.fabric.across.sites import Array, fibre

PLACES = ("either", "on board", "at a site", "neither")
EITHER, ON_BOARD, AT_A_SITE, NEITHER = range(4)


def away_s(
    access_s: ArrayLike, fibre_km: ArrayLike, up_bytes: ArrayLike, bytes_per_s: ArrayLike, served_s: ArrayLike
) -> Array:
    """Seconds from an observation to its action by way of a site; `access_s` is the round trip of the last mile.

    >>> round(float(away_s(0.030, 1000.0, 30e3, 3e6, 0.028)), 3)
    0.078
    """
    up = np.asarray(up_bytes, dtype=np.float64) / np.asarray(bytes_per_s, dtype=np.float64)
    there_and_back = 2 * one_way_s(fibre_km, hops=0.0)
    return np.asarray(np.asarray(access_s) + there_and_back + up + np.asarray(served_s), dtype=np.float64)


def farthest_km(deadline_s: ArrayLike, away_without_fibre_s: ArrayLike) -> Array:
    """Kilometres of fibre up to which a site is near enough; NaN where next door is too far.

    >>> round(float(farthest_km(0.1, 0.06)), 6), float(farthest_km(0.05, 0.06))
    (4000.0, nan)
    """
    room = np.asarray(deadline_s, dtype=np.float64) - np.asarray(away_without_fibre_s, dtype=np.float64)
    return np.asarray(np.where(room < 0, np.nan, room / (2 * fibre().fibre_s_per_km)), dtype=np.float64)


def places(
    deadline_s: ArrayLike, on_board_s: ArrayLike, by_site_s: ArrayLike, may_stop: ArrayLike = True
) -> NDArray[np.int64]:
    """Which places are sound, as a number into `PLACES`.

    >>> [PLACES[k] for k in places([0.05, 0.1, 1.0], 0.08, 0.2)]
    ['neither', 'on board', 'either']
    """
    deadline = np.asarray(deadline_s, dtype=np.float64)
    here = np.asarray(on_board_s, dtype=np.float64) <= deadline
    there = (np.asarray(by_site_s, dtype=np.float64) <= deadline) & np.asarray(may_stop, dtype=np.bool_)
    found = np.where(here & there, EITHER, np.where(here, ON_BOARD, np.where(there, AT_A_SITE, NEITHER)))
    return np.asarray(found, dtype=np.int64)


def pass_floor_s(bytes_read: ArrayLike, bytes_per_s: ArrayLike) -> Array:
    """The least a pass takes one machine: what it reads / memory bandwidth."""
    return np.asarray(np.asarray(bytes_read, dtype=np.float64) / np.asarray(bytes_per_s, dtype=np.float64))

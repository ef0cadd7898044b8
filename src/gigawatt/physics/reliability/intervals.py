"""How often to save, and what a stream of failures leaves of the time, in closed form.

Work of T seconds, then a stall of c for the snapshot; the snapshot is durable w seconds after it was taken (0 for a save that
stops the job until it is written). Failures come at rate l at any moment; each is followed by a downtime R (which another
failure starts anew, with a downtime of its own kind), and work resumes from the last durable snapshot. With L = T + c and
phi = E[exp(-l R)] over the kinds of downtime, the share of time that is work kept is exactly

    g = l T phi exp(-l w) / (exp(l L) - 1)

Proof: a cycle begins with its snapshot durable (state A, after a restart) or not yet (B, after another cycle). It survives with
p = exp(-l L); a failure within w of a cycle begun in B also loses the cycle before. The chain of cycles is in B with
probability p, gains p - p (1 - exp(-l w)) cycles a visit, and a visit lasts (1 - p) / (l phi). With w = 0 and one R it is
Daly's equation (13); a lag acts as so much more restart. The rest of the time divides exactly as

    down = 1 - phi,   checkpoints kept = g c / T,   lost = phi - g L / T

and lost into what lay between saves, phi (1 - l L / (exp(l L) - 1)), and what was not yet durable. The best T is free of R and
w: (1 - l T) exp(l (T + c)) = 1, so l T = 1 + W0(-exp(-1 - l c)) with Lambert's W; Young's sqrt(2 c / l) and Daly's series are
its approximations. A snapshot can be taken no more often than it is written: T + c >= w.

[J. T. Daly, FGCS 22 (2006) 303-312; J. W. Young, CACM 17 (1974) 530-531.] All arguments may be arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LARGEST = 500.0  # of l L, beyond which nothing is kept that a float could tell from zero
SMALLEST = 1e-7  # of l c, below which Daly's series is exact to rounding and Lambert's W is not


@dataclass(frozen=True, slots=True)
class Level:
    """What one stream of failures leaves: shares of time that sum to 1."""

    kept: Any
    checkpoint: Any
    lost: Any
    lost_to_lag: Any
    down: Any


def young_interval_s(checkpoint_s: Any, mttf_s: Any) -> Any:
    """Young's checkpoint interval sqrt(2 c M), seconds of work.

    >>> round(float(young_interval_s(30.0, 3 * 3600.0)), 1)
    805.0
    """
    return np.sqrt(2.0 * np.asarray(checkpoint_s, dtype=float) * mttf_s)


def daly_interval_s(checkpoint_s: Any, mttf_s: Any) -> Any:
    """Daly's higher-order checkpoint interval, seconds of work."""
    c, m = np.asarray(checkpoint_s, dtype=float), np.asarray(mttf_s, dtype=float)
    ratio = c / (2.0 * m)
    series = np.sqrt(2.0 * c * m) * (1.0 + np.sqrt(ratio) / 3.0 + ratio / 9.0) - c
    return np.where(c < 2.0 * m, series, m)


def best_interval_s(stall_s: Any, mttf_s: Any, lag_s: Any = 0.0) -> Any:
    """The interval that keeps most: Lambert's W, and no shorter than the snapshot takes to become durable.

    >>> round(float(best_interval_s(30.0, 3 * 3600.0)), 1)
    785.1
    """
    from scipy.special import lambertw

    c, m = np.asarray(stall_s, dtype=float), np.asarray(mttf_s, dtype=float)
    x = 1.0 + np.real(lambertw(-np.exp(-1.0 - c / m)))
    best = np.where(c / m < SMALLEST, daly_interval_s(c, m), x * m)
    return np.maximum(best, np.asarray(lag_s, dtype=float) - c)


def mean_survival(rate_per_s: Any, downtimes: Sequence[tuple[Any, Any]]) -> Any:
    """phi = sum of share x exp(-rate R) over the kinds of downtime (share, R seconds)."""
    rate = np.asarray(rate_per_s, dtype=float)
    total = sum(np.asarray(share, dtype=float) * np.exp(-rate * np.asarray(s, dtype=float)) for share, s in downtimes)
    return total if downtimes else np.ones_like(rate)


def level(rate_per_s: Any, work_s: Any, stall_s: Any = 0.0, lag_s: Any = 0.0, survival: Any = 1.0) -> Level:
    """The shares of one stream of failures.

    Args:
        rate_per_s: failures a second; 0 leaves T / (T + c).
        work_s: work between snapshots (T), positive.
        stall_s: seconds that a snapshot stops the job (c).
        lag_s: seconds until a snapshot is durable (w), at most T + c.
        survival: phi of `mean_survival`.
    """
    rate, work = np.asarray(rate_per_s, dtype=float), np.asarray(work_s, dtype=float)
    stall, phi = np.asarray(stall_s, dtype=float), np.asarray(survival, dtype=float)
    cycle = work + stall
    x = np.minimum(rate * cycle, LARGEST)
    through = np.where(x > 0.0, x / np.expm1(np.where(x > 0.0, x, 1.0)), 1.0)  # l L / (e^(l L) - 1)
    durable = np.exp(-rate * np.asarray(lag_s, dtype=float))
    kept = phi * through * durable * work / cycle
    late = phi * through * (1.0 - durable)
    return Level(kept, kept * stall / work, phi * (1.0 - through) + late, late, 1.0 - phi)

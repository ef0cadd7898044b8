"""What is left of a run after checkpoints, lost work and restarts.

With a checkpoint of c seconds after every T seconds of work, restarts of R seconds and interruptions at rate 1/M
(exponential, at any moment, restarts included), the expected wall time to get T seconds of work done and saved is

    E = (M + 0) e^{R/M} (e^{(T + c)/M} - 1)                        [Daly 2006, eq. 13]

and goodput = T / E. The best T is near Young's sqrt(2 c M); Daly's higher-order form is

    T = sqrt(2 c M) (1 + sqrt(c / 2M) / 3 + c / 18M) - c   for c < 2M,  else M

[J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", FGCS 22 (2006) 303-312;
J. W. Young, CACM 17 (1974) 530-531.] All arguments may be arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.reliability.failures import default_restart_s, mean_time_between_failures_s


@dataclass(frozen=True, slots=True)
class Goodput:
    """Shares of wall time: work that counts, checkpoints, work lost, waiting for restarts. They sum to 1."""

    goodput: Any
    checkpoint_share: Any
    lost_share: Any
    restart_share: Any
    interval_s: Any
    mttf_s: Any


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


def goodput(
    chips: Any = None,
    checkpoint_s: Any = 60.0,
    restart_s: Any = None,
    mttf_s: Any = None,
    interval_s: Any = None,
    cluster: str = "default",
) -> Goodput:
    """Goodput of a job and where the rest of the time goes.

    Args:
        chips: chips of the job; needed where `mttf_s` is not given.
        checkpoint_s: seconds that a checkpoint stops the job.
        restart_s: seconds from an interruption to running again; the calibrated default where None.
        mttf_s: mean time between interruptions; from `chips` and `cluster` where None.
        interval_s: seconds of work between checkpoints; Daly's optimum where None.
        cluster: whose published failure rate.

    Raises:
        InputError: neither chips nor mttf_s, or a time that is not positive.
    """
    if mttf_s is None:
        if chips is None:
            raise InputError(Problem("missing", "goodput needs the number of chips or the mean time between failures"))
        mttf_s = mean_time_between_failures_s(np.asarray(chips, dtype=float), cluster)
    restart = np.asarray(default_restart_s() if restart_s is None else restart_s, dtype=float)
    c, m = np.asarray(checkpoint_s, dtype=float), np.asarray(mttf_s, dtype=float)
    if np.any(c <= 0) or np.any(m <= 0) or np.any(restart < 0):
        raise InputError(Problem("out_of_range", "checkpoint time and time between failures must be positive"))
    work = np.asarray(daly_interval_s(c, m) if interval_s is None else interval_s, dtype=float)
    wall = m * np.exp(restart / m) * np.expm1((work + c) / m)
    failures = np.expm1((work + c) / m)  # attempts of a segment that fail, each followed by one restart that ends
    waiting = failures * m * np.expm1(restart / m)
    lost = wall - work - c - waiting
    return Goodput(work / wall, c / wall, lost / wall, waiting / wall, work, m)


def serving_availability(
    chips_per_replica: Any, restart_s: Any = None, cluster: str = "default", spares_share: Any = 0.0
) -> Any:
    """Share of replicas that serve: up / (up + down), plus what spare replicas stand in for, at most 1.

    A replica of n chips is down for `restart_s` after each interruption; with spares the lost share is covered up to
    their own.

    >>> bool(serving_availability(8) > serving_availability(64))
    True
    """
    restart = default_restart_s() if restart_s is None else restart_s
    up = mean_time_between_failures_s(np.asarray(chips_per_replica, dtype=float), cluster)
    return np.minimum(up / (up + restart) * (1.0 + np.asarray(spares_share, dtype=float)), 1.0)

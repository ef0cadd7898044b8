"""What one stream of failures leaves of a run: goodput with checkpoints, work lost and waiting. See `intervals`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.reliability.failures import default_restart_s, mean_time_between_failures_s
from gigawatt.physics.reliability.intervals import best_interval_s, level


@dataclass(frozen=True, slots=True)
class Goodput:
    """Shares of wall time: work that counts, checkpoints, work lost, waiting for restarts. They sum to 1."""

    goodput: Any
    checkpoint_share: Any
    lost_share: Any
    restart_share: Any
    interval_s: Any
    mttf_s: Any


def goodput(
    chips: Any = None,
    checkpoint_s: Any = 60.0,
    restart_s: Any = None,
    mttf_s: Any = None,
    interval_s: Any = None,
    cluster: str = "default",
    lag_s: Any = 0.0,
) -> Goodput:
    """Goodput of a job and where the rest of the time goes.

    Args:
        chips: chips of the job; needed where `mttf_s` is not given.
        checkpoint_s: seconds that a checkpoint stops the job.
        restart_s: seconds from an interruption to running again; the calibrated default where None.
        mttf_s: mean time between interruptions; from `chips` and `cluster` where None.
        interval_s: seconds of work between checkpoints; the best where None.
        cluster: whose published failure rate.
        lag_s: seconds after which a checkpoint that is written beside the work is durable.

    Raises:
        InputError: neither chips nor mttf_s, a time that is not positive, or checkpoints more often than they are durable.
    """
    if mttf_s is None:
        if chips is None:
            raise InputError(Problem("missing", "goodput needs the number of chips or the mean time between failures"))
        mttf_s = mean_time_between_failures_s(np.asarray(chips, dtype=float), cluster)
    restart = np.asarray(default_restart_s() if restart_s is None else restart_s, dtype=float)
    c, m = np.asarray(checkpoint_s, dtype=float), np.asarray(mttf_s, dtype=float)
    lag = np.asarray(lag_s, dtype=float)
    if np.any(c <= 0) or np.any(m <= 0) or np.any(restart < 0) or np.any(lag < 0):
        raise InputError(Problem("out_of_range", "checkpoint time and time between failures must be positive"))
    work = np.asarray(best_interval_s(c, m, lag) if interval_s is None else interval_s, dtype=float)
    if np.any(work <= 0) or np.any(lag > (work + c) * (1 + 1e-9)):
        fix = f"an interval of at least {float(np.max(lag - c)):.0f} s of work, or faster storage"
        raise InputError(Problem("out_of_range", "checkpoints come faster than they are written", None, (fix,)))
    found = level(1.0 / m, work, c, lag, np.exp(-restart / m))
    return Goodput(found.kept, found.checkpoint, found.lost, found.down, work, m)

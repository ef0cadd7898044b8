"""Jobs that go on with fewer replicas: a failure stops all for a moment and one replica for a restart.

n replicas; the job's failures come at rate l while all are up. All stall s seconds to drop the failed replica and later to take
it back; nothing is rolled back, the others hold the state. The failed replica is away for R seconds, the first s of them
inside the stall. A replica alternates between n / l up and R away, and a failure during a stall starts it anew:

    up     = 1 / (1 + l R / n)             share of replicas up
    moving = exp(-l up s)                  share of time outside stalls
    kept   = moving / (1 + l (R - s) / n)  replicas at work outside stalls

Stalls of the others are taken as independent of an absence, which the simulation (`simulate.replicas`) bears out.
[Fault Tolerant HSDP, arXiv 2602.00277.]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Elastic:
    """Shares of the job's chip time, summing to 1."""

    kept: Any
    stall: Any
    away: Any


def elastic(rate_per_s: Any, replicas: Any, stall_s: Any, away_s: Any) -> Elastic:
    """What a job of `replicas` replicas keeps.

    Raises:
        InputError: fewer than two replicas, or negative seconds.
    """
    rate, n = np.asarray(rate_per_s, dtype=float), np.asarray(replicas, dtype=float)
    stall, away = np.asarray(stall_s, dtype=float), np.asarray(away_s, dtype=float)
    if np.any(n < 2):
        fix = "smaller replicas, or a job that restarts"
        raise InputError(Problem("out_of_range", "a job goes on only with two replicas or more", None, (fix,)))
    if np.any(stall < 0) or np.any(away < 0):
        raise InputError(Problem("out_of_range", "seconds of a stall and of an absence cannot be negative"))
    up = 1.0 / (1.0 + rate * away / n)
    moving = np.exp(-rate * up * stall)
    kept = moving / (1.0 + rate * np.maximum(away - stall, 0.0) / n)
    return Elastic(kept, 1.0 - moving, moving - kept)

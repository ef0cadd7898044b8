"""Slow nodes: a synchronous step waits for the slowest of N.

Noise: if a node's step takes 1 + e, with e normal of standard deviation s, the job's takes the expected maximum over N,

    1 + s m(N),    m(N) = integral over x > 0 of 1 - Phi(x)^N - Phi(-x)^N      (about sqrt(2 ln N))

so it grows with the size of a job and never stops to. Nodes that turn slow (heat, a degraded link, a sick neighbour): at
a rate r a node, found and replaced after d seconds, slower by a factor f. At least one of N is slow for a share
1 - exp(-N r d) of the time (M/G/infinity), and the job keeps 1 / (1 + (f - 1) share). The step-time model's own growth with
size (`training-step`) is measured and holds the noise: use this for what is not in a healthy run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem

POINTS = 4001
REACH = 9.0  # standard deviations that the grid spans


def expected_maximum(nodes: Any) -> Any:
    """Mean of the largest of `nodes` standard normal draws.

    >>> round(float(expected_maximum(2)), 4), round(float(expected_maximum(1000)), 2)
    (0.5642, 3.24)
    """
    from scipy.special import log_ndtr

    n = np.asarray(nodes, dtype=float)
    if np.any(n < 1):
        raise InputError(Problem("out_of_range", "a job runs on at least one node"))
    x = np.linspace(0.0, REACH, POINTS)
    size = n[..., None]
    return np.trapezoid(1.0 - np.exp(size * log_ndtr(x)) - np.exp(size * log_ndtr(-x)), x, axis=-1)


def noise_factor(nodes: Any, spread: Any) -> Any:
    """Step of the slowest over the mean step, for normal noise of relative standard deviation `spread`."""
    return 1.0 + np.asarray(spread, dtype=float) * expected_maximum(nodes)


def slow_share(nodes: Any, rate_per_s: Any, found_after_s: Any) -> Any:
    """Share of time that at least one node is slow."""
    return 1.0 - np.exp(-np.asarray(nodes, dtype=float) * np.asarray(rate_per_s) * np.asarray(found_after_s))


def kept_despite_slow(nodes: Any, rate_per_s: Any, found_after_s: Any, factor: Any) -> Any:
    """Share of a healthy job's speed that is left.

    Raises:
        InputError: a slow node faster than the others.
    """
    slower = np.asarray(factor, dtype=float)
    if np.any(slower < 1.0):
        raise InputError(Problem("out_of_range", f"a slow node takes a step of at least 1, not {np.min(slower):g}"))
    return 1.0 / (1.0 + (slower - 1.0) * slow_share(nodes, rate_per_s, found_after_s))

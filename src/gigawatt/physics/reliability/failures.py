"""How often a job of many chips is interrupted.

Interruptions of independent nodes form a Poisson stream: rate = nodes * rate of one node, and the mean time between
them is its inverse. Published rates differ by a factor of three between clusters; the range is part of the answer.

    Llama 3, 16,384 H100: 419 unexpected interruptions in 54 days  -> one in 3.1 h
    RSC-1, A100: 6.5 a thousand node-days                          -> one in 1.8 h at 16,384
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, unknown_name

DAY_S = 86_400.0
CALIBRATION_ID = "training-failures"
NOT_RATES = ("restart_s", "checkpoint_bytes_per_s_per_chip")


@lru_cache(maxsize=1)
def _parameters() -> dict[str, float]:
    record = Catalog.load().get("calibration", CALIBRATION_ID)
    return {name: float(fitted.value) for name, fitted in record.parameters.items()}


def default_restart_s() -> float:
    """Detection, restart and reload after an interruption, seconds."""
    return _parameters()["restart_s"]


def node_rate_per_s(cluster: str = "default") -> float:
    """Interruptions per second of one eight-chip node, as published for `cluster`.

    Raises:
        InputError: no such cluster.
    """
    rates = {name: value for name, value in _parameters().items() if name not in NOT_RATES}
    if cluster not in rates:
        raise InputError(unknown_name("cluster of failure rates", cluster, rates))
    return rates[cluster] / 1000.0 / DAY_S


def failure_rate_per_s(chips: Any, cluster: str = "default", chips_per_node: float = 8.0, factor: float = 1.0) -> Any:
    """Interruptions per second of a job on `chips` chips.

    The published unit is a node of eight; a rack of 72 counts as nine. `factor` scales the rate (an older or younger
    fleet).

    Raises:
        InputError: `chips_per_node` or `factor` is not positive.
    """
    if chips_per_node <= 0 or factor <= 0:
        raise InputError(Problem("out_of_range", "chips a node and the factor on failures must be positive"))
    return chips / chips_per_node * node_rate_per_s(cluster) * factor


def mean_time_between_failures_s(
    chips: Any, cluster: str = "default", chips_per_node: float = 8.0, factor: float = 1.0
) -> Any:
    """Seconds between interruptions of a job on `chips` chips.

    >>> round(mean_time_between_failures_s(16384, "rsc1-a100") / 3600, 2)
    1.8
    """
    return 1.0 / failure_rate_per_s(chips, cluster, chips_per_node, factor)


def expected_failures(chips: Any, days: Any, cluster: str = "default") -> Any:
    """Interruptions in `days` days.

    >>> round(expected_failures(16384, 54, "llama3-h100"))
    419
    """
    return failure_rate_per_s(chips, cluster) * days * DAY_S

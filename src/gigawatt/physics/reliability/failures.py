"""How often a job of many chips is interrupted, by cause, by size, by age of the fleet.

Interruptions of independent nodes form a Poisson stream: rate = nodes * rate of one node, and the mean time between
them is its inverse. Published rates differ by a factor of three between clusters; the range is part of the answer.

    Llama 3, 16,384 H100: 419 unexpected interruptions in 54 days  -> one in 3.1 h
    RSC-1, A100: 6.5 a thousand node-days                          -> one in 1.8 h at 16,384

Streams add up: rate of a job = nodes x rate of a node x factors + what the job has of its own. A job of 1,024 on RSC
lived 7.9 h where its nodes alone would give 28.8: small jobs of a shared research cluster fail for other reasons.
Causes are shares of Llama 3's 419. Data: calibration `training-failures`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, unknown_name

DAY_S = 86_400.0
CALIBRATION_ID = "training-failures"
NODE_CHIPS = 8.0  # chips of the node in which published rates count
Z80 = 1.2816  # normal quantile of an 80 % band


@dataclass(frozen=True, slots=True)
class Cause:
    """One root cause: its share of interruptions, the 80 % range of that share, and what it takes down.

    `domain` is process, node, rack, or corruption (of the state).
    """

    name: str
    share: float
    low: float
    high: float
    domain: str
    note: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """Whose rates, and in what state the fleet is.

    cluster: published rate (`clusters()`); where empty, that of `generation`, else the default.
    generation: kin of the chip (ampere, hopper, blackwell, ...).
    age_days: days since the fleet was taken into service; a young one fails more often. Settled where infinite.
    lemons_removed: the few nodes that fail again and again are found and taken out.
    job: "production" (a stack run at scale before), or "research" (with a research job's own interruptions).
    code: "settled", or "changing" (features added as the run goes, as in a first MoE run).
    factor: on top of all.
    """

    cluster: str = ""
    generation: str = ""
    age_days: float = math.inf
    lemons_removed: bool = True
    job: Literal["production", "research"] = "production"
    code: Literal["settled", "changing"] = "settled"
    factor: float = 1.0


SETTLED = Fleet()


@lru_cache(maxsize=1)
def _record() -> Any:
    return Catalog.load().get("calibration", CALIBRATION_ID)


def parameter(name: str) -> float:
    """A constant of the calibration."""
    return float(_record().parameters[name].value)


def sigma(name: str) -> float:
    """Spread of a constant's logarithm; 0 where it is a count."""
    return float(_record().parameters[name].sigma or 0.0)


def table(name: str) -> dict[str, Any]:
    """A table of the calibration."""
    found: dict[str, Any] = _record().tables[name]
    return found


def clusters() -> tuple[str, ...]:
    """Clusters with a published rate."""
    return tuple(name.removeprefix("rate.") for name in _record().parameters if name.startswith("rate."))


def default_restart_s() -> float:
    """Detection, restart and reload after an interruption, seconds."""
    return parameter("restart_s")


def node_rate_per_s(cluster: str = "default") -> float:
    """Interruptions per second of one eight-chip node, as published for `cluster`.

    Raises:
        InputError: no such cluster.
    """
    if cluster not in clusters():
        raise InputError(unknown_name("cluster of failure rates", cluster, clusters()))
    return parameter(f"rate.{cluster}") / 1000.0 / DAY_S


def rate_sigma(fleet: Fleet = SETTLED) -> float:
    """Spread of the logarithm of a job's rate: a named cluster's own count would be surer, but the next fleet is not it."""
    young = sigma("factor.new_fleet") if math.isfinite(fleet.age_days) else 0.0
    parts = [sigma("rate.default"), young]
    parts += [0.0 if fleet.lemons_removed else sigma("factor.lemons")]
    parts += [sigma("factor.changing_code") if fleet.code == "changing" else 0.0]
    return math.hypot(*parts)


def fleet_factor(fleet: Fleet) -> float:
    """Factor on a node's settled rate: age (1 + (k - 1) e^(-age / tau)), lemons, code.

    Raises:
        InputError: a negative age or a factor that is not positive.
    """
    if fleet.factor <= 0 or fleet.age_days < 0:
        raise InputError(Problem("out_of_range", "the factor on failures must be positive and the age not negative"))
    age = 1.0 + (parameter("factor.new_fleet") - 1.0) * math.exp(-fleet.age_days / parameter("factor.new_fleet_days"))
    lemons = 1.0 if fleet.lemons_removed else parameter("factor.lemons")
    code = parameter("factor.changing_code") if fleet.code == "changing" else 1.0
    return age * lemons * code * fleet.factor


def cluster_of(fleet: Fleet) -> str:
    """The published rate that serves a fleet: its own cluster's, its generation's, else the default."""
    return fleet.cluster or str(table("generations").get(fleet.generation, "default"))


def job_rate_per_s(chips: Any, fleet: Fleet = SETTLED) -> Any:
    """Interruptions per second of a job on `chips` chips of a fleet, all causes.

    >>> round(float(1 / job_rate_per_s(16384, Fleet(cluster="rsc1-a100"))) / 3600, 2)
    1.8
    >>> round(float(1 / job_rate_per_s(1024, Fleet(cluster="rsc1-a100", job="research"))) / 3600, 1)
    7.9

    Raises:
        InputError: no chips, an unknown cluster, or factors out of range.
    """
    size = np.asarray(chips, dtype=float)
    if np.any(size <= 0):
        raise InputError(Problem("out_of_range", f"a job has at least one chip, not {np.min(size):g}"))
    nodes = size / NODE_CHIPS * node_rate_per_s(cluster_of(fleet)) * fleet_factor(fleet)
    return nodes + (parameter("research_job_per_day") / DAY_S if fleet.job == "research" else 0.0)


def causes() -> tuple[Cause, ...]:
    """Root causes with their shares; the range is that of a Poisson count (n +- 1.28 sqrt n)."""
    rows = table("causes")
    total = float(sum(row["count"] for row in rows.values()))

    def edge(count: float, side: float) -> float:
        return max(count + side * Z80 * math.sqrt(count), 0.0) / total

    return tuple(
        Cause(name, row["count"] / total, edge(row["count"], -1.0), edge(row["count"], 1.0), str(row["domain"]),
              str(row["note"]))
        for name, row in rows.items()
    )  # fmt: skip


def share_of(*names: str) -> float:
    """Share of interruptions with one of the named causes.

    Raises:
        InputError: no such cause.
    """
    known = {cause.name: cause.share for cause in causes()}
    for name in names:
        if name not in known:
            raise InputError(unknown_name("cause of failures", name, known))
    return sum(known[name] for name in names)


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

"""How many nodes stand by, so that a job seldom waits for one.

A job runs on N nodes with S spares. A node that fails is out for repair while a spare takes its place; with more than S out the
job waits, and then nothing fails. The number out is a birth-death chain that goes up at the job's rate r of node failures
for k <= S and down at k / m (m: mean repair): with a = r m its stationary probabilities are a^k / k!, cut off at S + 1, and

    share of time that the job waits = a^(S+1) / (S+1)! / sum_{k <= S+1} a^k / k! = Erlang's B(S + 1, a)

which holds for any distribution of the repair time (A. K. Erlang 1917; B. A. Sevastyanov 1957). What fails as one is a unit
of `unit_chips`, a node. Where parallel groups span a scale-up domain of several nodes (a rack of 72), a spare node elsewhere
is no help: either whole domains stand by (`unit_chips` of the domain), or every one of D domains holds s nodes more than it
uses (64 of 72), and the job waits for the share 1 - (1 - B(s + 1, a / D))^D.

Without waiting, a pool of n units each available with u has binomially many in service; `operational` is the number in service
with a given confidence (Google's superpods: 130 of 144 cubes at 95 %).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.reliability.failures import SETTLED, Fleet, job_rate_per_s, parameter, share_of


def erlang_b(servers: Any, offered: Any) -> Any:
    """Erlang's B: the share of time that all of `servers` repairs are under way, with `offered` = rate x mean repair.

    >>> round(float(erlang_b(2, 1.0)), 3)
    0.2
    """
    from scipy.special import gammaincc, gammaln

    c, a = np.asarray(servers, dtype=float), np.asarray(offered, dtype=float)
    some = np.where(a > 0.0, a, 1.0)
    mass = np.exp(c * np.log(some) - some - gammaln(c + 1.0))
    return np.where(a > 0.0, mass / np.maximum(gammaincc(c + 1.0, some), 1e-300), np.where(c > 0, 0.0, 1.0))


def out_for_repair(chips: Any, fleet: Fleet = SETTLED, repair_s: float | None = None) -> Any:
    """Mean number of units in repair that a job of `chips` keeps busy: its rate of failures that take a unit out x repair.

    Software errors and hangs take nothing out.
    """
    takes_out = 1.0 - share_of("software", "hang")
    away = parameter("repair_s") if repair_s is None else repair_s
    return job_rate_per_s(chips, fleet) * takes_out * away


def waiting_share(
    chips: Any, spare_chips: Any, fleet: Fleet = SETTLED, repair_s: float | None = None, unit_chips: float = 8.0
) -> Any:
    """Share of time that a job waits for units because more are in repair than spares stand by."""
    spares = np.floor(np.asarray(spare_chips, dtype=float) / unit_chips + 1e-9)
    return erlang_b(spares + 1.0, out_for_repair(chips, fleet, repair_s))


def spares_needed(
    chips: Any,
    target: float = 0.999,
    fleet: Fleet = SETTLED,
    repair_s: float | None = None,
    unit_chips: float = 8.0,
) -> Any:
    """Fewest spare chips, in whole units, with which a job has its nodes a share `target` of the time.

    Raises:
        InputError: a target outside 0 to 1.
    """
    if not 0.0 < target < 1.0:
        raise InputError(Problem("out_of_range", f"the target is {target:g}; it lies between 0 and 1"))
    offered = np.asarray(out_for_repair(chips, fleet, repair_s), dtype=float)
    low = np.zeros(offered.shape)
    high = np.ceil(offered + 12.0 * np.sqrt(offered) + 12.0)
    for _ in range(int(np.ceil(np.log2(np.max(high) + 1.0)))):  # bisection on whole numbers
        middle = np.floor((low + high) / 2.0)
        enough = erlang_b(middle + 1.0, offered) <= 1.0 - target
        high, low = np.where(enough, middle, high), np.where(enough, low, middle + 1.0)
    return high * unit_chips


def waiting_in_domains(
    chips: Any,
    spare_chips: Any,
    domain_chips: float,
    fleet: Fleet = SETTLED,
    repair_s: float | None = None,
    unit_chips: float = 8.0,
) -> Any:
    """Share of time that a job waits because some domain of `domain_chips` has lost more nodes than it holds spare."""
    domains = np.ceil(np.asarray(chips, dtype=float) / domain_chips)
    spares = np.floor(np.asarray(spare_chips, dtype=float) / domains / unit_chips + 1e-9)
    short = erlang_b(spares + 1.0, out_for_repair(chips, fleet, repair_s) / domains)
    return -np.expm1(domains * np.log1p(-np.minimum(short, 1.0 - 1e-12)))


def spares_in_domains(
    chips: Any,
    domain_chips: float,
    target: float = 0.999,
    fleet: Fleet = SETTLED,
    repair_s: float | None = None,
    unit_chips: float = 8.0,
) -> Any:
    """Fewest spare chips, as many nodes in every domain, with which a job has its nodes a share `target` of the time."""
    domains = np.ceil(np.asarray(chips, dtype=float) / domain_chips)
    nodes = np.zeros(domains.shape)
    for _ in range(int(np.ceil(domain_chips / unit_chips))):
        waits = waiting_in_domains(chips, nodes * domains * unit_chips, domain_chips, fleet, repair_s, unit_chips)
        short = waits > 1.0 - target
        if not np.any(short):
            break  # one more node never makes a job wait longer
        nodes = np.where(short, nodes + 1.0, nodes)
    return nodes * domains * unit_chips


def operational(units: int, availability: float, confidence: float) -> int:
    """Units of a pool that are in service with `confidence`, each available independently.

    >>> operational(144, 0.93, 0.95)
    129

    Raises:
        InputError: an availability or confidence outside 0 to 1.
    """
    from scipy.stats import binom

    if not (0.0 < availability < 1.0 and 0.0 < confidence < 1.0):
        raise InputError(Problem("out_of_range", "availability and confidence lie between 0 and 1"))
    return int(units - binom.ppf(confidence, units, 1.0 - availability))

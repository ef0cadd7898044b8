"""A fleet: groups of like instances, how requests are routed, what happens to the instances over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import Problems, unknown_name
from gigawatt.physics.serving.events.curve import StepCurve
from gigawatt.physics.serving.events.rows import BOTH, DECODE, PREFILL

ROUTINGS = ("round_robin", "least_requests", "least_tokens", "prefix", "session", "pull")
ROLES = {"both": BOTH, "prefill": PREFILL, "decode": DECODE}


@dataclass(frozen=True, slots=True)
class Group:
    """`count` instances of one curve; role: both, prefill or decode."""

    curve: StepCurve
    count: int = 1
    role: str = "both"


@dataclass(frozen=True, slots=True)
class Scaling:
    """Instances started and stopped: one for every `target` requests inside, looked at every `every_s`.

    A started instance serves after `lag_s`. Some are stopped only where `calm_s` passed without a need for those on.
    At the beginning `least` are on.
    """

    target: float
    least: int = 1
    most: int = 1 << 30
    every_s: float = 15.0
    lag_s: float = 60.0
    calm_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Outage:
    """Instance `instance` (counted through the groups) is broken from `start_s` until `end_s`."""

    instance: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """Instances and their router.

    Args:
        groups: like instances together; those of role prefill hand over to those of role decode.
        routing: round_robin, least_requests, least_tokens (prompt tokens sent and not done), prefix (where the longest
            known prefix went), session (where the session went first), pull (a common queue; an instance with a free seat
            takes the next).
        transfer_s, transfer_token_s: seconds for a cache to move to the decode pool, and more for each token.
        balance_requests, balance_ratio: a prefix is followed unless that instance has more requests than the least loaded
            one by both.
        pace: factor on the speed of all steps, from the beginning.
        speed: (time, factor) pairs: steps that begin from then on take 1 / factor as long (power cap, curtailment).

    Raises:
        InputError: no instance, unknown routing or role, a pool without its other, times or limits that make no sense.
    """

    groups: tuple[Group, ...]
    routing: str = "least_requests"
    transfer_s: float = 0.0
    transfer_token_s: float = 0.0
    balance_requests: float = 64.0
    balance_ratio: float = 1.5
    pace: float = 1.0
    speed: tuple[tuple[float, float], ...] = ()
    outages: tuple[Outage, ...] = ()
    scaling: Scaling | None = None

    def __post_init__(self) -> None:
        problems = Problems()
        if self.routing not in ROUTINGS:
            problems.extend([unknown_name("routing", self.routing, ROUTINGS)])
        for group in self.groups:
            if group.role not in ROLES:
                problems.extend([unknown_name("role", group.role, ROLES)])
            if group.count < 1:
                problems.add("out_of_range", f"a group has {group.count} instances; it needs at least 1")
        roles = {group.role for group in self.groups}
        if not self.groups:
            problems.add("empty", "a fleet needs at least one instance")
        elif ("prefill" in roles) != ("decode" in roles):
            there = "prefill" if "prefill" in roles else "decode"
            problems.add("missing", f"a {there} pool needs the other pool beside it")
        if min(self.transfer_s, self.transfer_token_s, self.balance_requests, self.balance_ratio) < 0:
            problems.add("out_of_range", "transfer and balance must not be negative")
        for at_s, factor in ((0.0, self.pace), *self.speed):
            if not (factor > 0 and np.isfinite(factor) and np.isfinite(at_s)):
                hint = "for a full stop state an outage of each instance"
                problems.add("out_of_range", f"speed {factor:g} at {at_s:g} s must be above 0", None, hint)
        for outage in self.outages:
            if not 0 <= outage.instance < self.instances:
                problems.add(
                    "out_of_range", f"there is no instance {outage.instance}; they are 0 to {self.instances - 1}"
                )
            if not outage.end_s > outage.start_s:
                problems.add("out_of_range", f"an outage ends at {outage.end_s:g} s, not after its start")
        s = self.scaling
        if s is not None and not (s.target > 0 and 1 <= s.least <= s.most and s.every_s > 0 and s.lag_s >= 0):
            problems.add(
                "out_of_range", "scaling needs target above 0, 1 <= least <= most, every_s above 0, lag_s >= 0"
            )
        if s is not None and "decode" in roles:
            problems.add("unsupported", "scaling of pools is not there: state the count of each")
        problems.raise_if_any()

    @classmethod
    def of(cls, curve: StepCurve, instances: int = 1, **more: object) -> Fleet:
        """Like instances, each of which does both; `more` are fields by name."""
        return cls((Group(curve, instances),), **more)  # type: ignore[arg-type]

    @property
    def instances(self) -> int:
        """How many there are, on or off."""
        return sum(group.count for group in self.groups)


def random_outages(instances: int, mtbf_s: float, repair_s: float, until_s: float, seed: int = 0) -> tuple[Outage, ...]:
    """Outages of each instance up to `until_s`: exponential times to failure and to repair, the same for the same seed."""
    found: list[Outage] = []
    for i, stream in enumerate(np.random.SeedSequence(seed).spawn(instances)):
        draw = np.random.default_rng(stream)
        at_s = draw.exponential(mtbf_s)
        while at_s < until_s:
            end_s = at_s + draw.exponential(repair_s)
            found.append(Outage(i, at_s, end_s))
            at_s = end_s + draw.exponential(mtbf_s)
    return tuple(found)

"""Effective training time: the share of a job's time that is work kept, and where the rest goes, as shares that sum to 1.

A job meets several streams of failures. Each leaves a share of the time to what lies inside it, from outside in:

    nodes      waits until enough nodes are repaired                          1 - Erlang B           `spares`
    planned    maintenance announced: a save, a restart                       exp(-l R)
    silent     corruption seen d seconds later: back to a save from before    level(l, W, lag d)     `intervals`
    hard       failures that copies in memory do not outlive                  level(l, W, lag w)
    soft       all others                                                     level(l, T, c, lag w)

where W is the wall time between saves to the remote store. The share kept is their product; each stream's downtime, loss and
stall is scaled by what the streams outside it leave. The product takes the progress between outer failures as even,
which is exact to second order (`simulate` measures it).

Checkpointing (`Plan.checkpoint`):

    sync      the job stops until the remote store has it: stall = write, no lag; one level for soft and hard
    async     the job stops for the copy to the host: stall = copy, lag = write; one level
    tiered    soft failures return from a peer's memory (stall = copy, lag = replication), hard ones and corruption
              from the remote store, written beside the work from the hosts' copies

The interval is the best one (`best_interval_s`) unless given. With `go_on="replicas"` the soft and hard levels are
those of `replicas`. The band varies rate, downtime and bandwidths by their spreads, one at a time, added in squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.reliability.checkpoint import Storage, default_storage, transfer_s
from gigawatt.physics.reliability.failures import (
    DAY_S,
    SETTLED,
    Z80,
    Fleet,
    hard_share,
    job_rate_per_s,
    parameter,
    rate_sigma,
    share_of,
    sigma,
)
from gigawatt.physics.reliability.incidents import Downtime, Recovery, downtime
from gigawatt.physics.reliability.intervals import best_interval_s, level, mean_survival
from gigawatt.physics.reliability.replicas import elastic
from gigawatt.physics.reliability.spares import spares_needed, waiting_share

REMOTE_INTERVAL_S = 1800.0  # assumed: saves to the remote store where memory takes most failures
SMALL_JOB = 1024  # chips: below, a practitioner keeps no spares warm and saves to the store alone
DEFAULT_RECOVERY = Recovery()
DOWNTIME_SIGMA = 0.5  # assumed parts of a downtime, see the calibration; more where people take part


@dataclass(frozen=True, slots=True)
class Plan:
    """How a job guards against failures; None stands for what suits its size.

    checkpoint: "sync", "async" or "tiered"; see the module.
    interval_s: seconds of work between snapshots.
    remote_interval_s: with "tiered", seconds between saves to the remote store.
    spares: chips standing by over chips of the job; None for what has the nodes ready 99.9 % of the time.
    unit_chips: chips that one failure takes out for repair: a node of 8, or a rack where the domain must be whole.
    repair_s: until a unit is back.
    recovery: detection, diagnosis, replacement, start.
    go_on: "restart", or "replicas" (the others go on while one restarts).
    replica_chips: chips of a replica, with "replicas".
    reconfigure_s: stall of the replicas that go on.
    silent_detect_s: until a corruption is seen.
    planned: maintenance is counted.
    """

    checkpoint: Literal["sync", "async", "tiered"] = "tiered"
    interval_s: float | None = None
    remote_interval_s: float | None = None
    spares: float | None = None
    unit_chips: float = 8.0
    repair_s: float | None = None
    recovery: Recovery = DEFAULT_RECOVERY
    go_on: Literal["restart", "replicas"] = "restart"
    replica_chips: float | None = None
    reconfigure_s: float | None = None
    silent_detect_s: float | None = None
    planned: bool = True


@dataclass(frozen=True, slots=True)
class Effective:
    """Shares of the time of a job's chips; `productive` to `replicas_away` sum to 1.

    checkpoint: stalls for snapshots; lost: work done again; detect ... reload: parts of the downtimes; planned: maintenance;
    silent: work thrown away for corruption and the restarts it takes; spares: waiting for nodes; stall, replicas_away: of
    jobs that go on with fewer replicas. `low`, `high` is the 80 % band of `productive`. `spare_chips` stand by beside the job.
    """

    productive: Any
    checkpoint: Any
    lost: Any
    detect: Any
    diagnose: Any
    restart: Any
    reload: Any
    planned: Any
    silent: Any
    spares: Any
    stall: Any
    replicas_away: Any
    low: Any
    high: Any
    interval_s: Any
    stall_s: Any
    lag_s: Any
    mttf_s: Any
    downtime_s: Any
    spare_chips: Any

    def parts(self) -> dict[str, Any]:
        """The shares by name, in order; they sum to 1."""
        return {name: getattr(self, name) for name in PARTS}


PARTS = tuple(f.name for f in fields(Effective))[:12]


def default_plan(chips: float) -> Plan:
    """What a practitioner would use at this size: small jobs save to the store beside the work and wait for a node; large ones
    keep copies in memory and spares warm."""
    if chips < SMALL_JOB:
        return Plan(
            checkpoint="async", spares=0.0, repair_s=parameter("reprovision_s"), recovery=Recovery(warm_spares=False)
        )
    return Plan()


def effective_training(
    chips: Any,
    state_bytes: Any,
    *,
    plan: Plan | None = None,
    fleet: Fleet = SETTLED,
    storage: Storage | None = None,
) -> Effective:
    """Effective training time of a job.

    Args:
        chips: chips of the job; an array gives arrays.
        state_bytes: bytes of the whole state to save; see `checkpoint.state_bytes`.
        plan: how the job is guarded; `default_plan` of the (largest) size where None.
        fleet: whose rates of failure.
        storage: bytes per second of the tiers.

    Returns:
        Shares of time and the seconds behind them.

    Raises:
        InputError: no chips, no state, or settings that contradict each other.
    """
    size, state = np.broadcast_arrays(np.asarray(chips, dtype=float), np.asarray(state_bytes, dtype=float))
    if np.any(size <= 0) or np.any(state <= 0):
        raise InputError(Problem("out_of_range", "a job has at least one chip and a state of at least one byte"))
    how = default_plan(float(np.max(size))) if plan is None else plan
    made = default_storage() if storage is None else storage
    middle = _shares(size, state, how, fleet, made, 1.0)
    gaps_low, gaps_high = [], []
    for worse, better in (
        _pair(
            lambda f: _shares(size, state, how, replace(fleet, factor=fleet.factor * f), made, 1.0), rate_sigma(fleet)
        ),
        _pair(lambda f: _shares(size, state, how, fleet, made, f), _downtime_sigma(how.recovery)),
        _pair(lambda f: _shares(size, state, how, fleet, made.slower(f), 1.0), sigma("remote_bytes_per_s")),
    ):
        gaps_low.append(np.square(middle.productive - worse.productive))
        gaps_high.append(np.square(better.productive - middle.productive))
    low = np.maximum(middle.productive - np.sqrt(sum(gaps_low)), 0.0)
    high = np.minimum(middle.productive + np.sqrt(sum(gaps_high)), 1.0)
    return replace(middle, low=low, high=high)


def _downtime_sigma(recovery: Recovery) -> float:
    return DOWNTIME_SIGMA if recovery.diagnosis == "automatic" else sigma("diagnose_by_hand_s")


def _pair(shares: Any, spread: float) -> tuple[Effective, Effective]:
    """At the upper and lower edge of an 80 % band of a factor."""
    return shares(math.exp(Z80 * spread)), shares(math.exp(-Z80 * spread))


@dataclass(frozen=True, slots=True)
class _Saving:
    """Seconds of saving: stall and lag of the snapshots that soft failures return to, lag of the remote store's."""

    stall_s: Any
    lag_s: Any
    remote_lag_s: Any
    reload_s: Any
    remote_reload_s: Any


def _saving(state: Any, size: Any, plan: Plan, storage: Storage) -> _Saving:
    copy = transfer_s(state, size, "host", storage) + storage.snapshot_s
    read = transfer_s(state, size, "remote", storage)
    write = read + storage.save_s
    if plan.checkpoint == "sync":
        return _Saving(write, 0.0 * write, 0.0 * write, read, read)
    if plan.checkpoint == "async":
        return _Saving(copy, write, write, read, read)
    peer = transfer_s(state, size, "peer", storage)
    return _Saving(copy, peer, write, peer, read)


def _shares(size: Any, state: Any, plan: Plan, fleet: Fleet, storage: Storage, slower: float) -> Effective:
    """The shares; every downtime lasts `slower` times as long."""
    saving = _saving(state, size, plan, storage)
    rate = job_rate_per_s(size, fleet)
    silent_rate = rate * share_of("silent")
    tiered = plan.checkpoint == "tiered"
    hard_rate = rate * (hard_share() - share_of("silent")) if tiered and plan.go_on == "restart" else 0.0 * rate
    soft_rate = rate - silent_rate - hard_rate
    down = _slow(downtime(size, plan.recovery, saving.reload_s), slower)
    remote = _slow(downtime(size, plan.recovery, saving.remote_reload_s), slower)
    mttf = 1.0 / soft_rate
    work = (
        best_interval_s(saving.stall_s, mttf, saving.lag_s) if plan.interval_s is None else plan.interval_s + 0.0 * size
    )
    _check_interval(work + saving.stall_s, saving.lag_s)
    spare = _spare_chips(size, plan, fleet)
    waits = waiting_share(size, spare, fleet, plan.repair_s, plan.unit_chips)
    inside = 1.0 - waits
    shares: dict[str, Any] = dict.fromkeys(PARTS, 0.0 * size)
    shares["spares"] = waits
    planned_rate = parameter("planned_per_day") / DAY_S if plan.planned and plan.go_on == "restart" else 0.0
    off = down.diagnose_s + down.start_s + down.reload_s + saving.stall_s
    calm = np.exp(-planned_rate * off)
    shares["planned"] = inside * (1.0 - calm)
    inside = inside * calm
    wall = (work + saving.stall_s) if not tiered else np.maximum(_remote_interval(plan), saving.remote_lag_s)
    seen = parameter("silent_detect_s") if plan.silent_detect_s is None else plan.silent_detect_s
    bad = level(silent_rate, wall, 0.0, seen, mean_survival(silent_rate, remote.kinds))
    shares["silent"] = inside * (1.0 - bad.kept)
    inside = inside * bad.kept
    if plan.go_on == "replicas":
        return _with_replicas(size, plan, saving, down, soft_rate, inside, shares, spare, slower)
    if tiered:
        hard = level(hard_rate, wall, 0.0, saving.remote_lag_s, mean_survival(hard_rate, remote.kinds))
        _add_downtime(shares, remote, inside * hard.down)
        shares["lost"] = inside * hard.lost
        inside = inside * hard.kept
    soft = level(soft_rate, work, saving.stall_s, saving.lag_s, mean_survival(soft_rate, down.kinds))
    _add_downtime(shares, down, inside * soft.down)
    shares["lost"] = shares["lost"] + inside * soft.lost
    shares["checkpoint"] = inside * soft.checkpoint
    shares["productive"] = inside * soft.kept
    return _effective(shares, work, saving, 1.0 / rate, down, spare)


def _with_replicas(
    size: Any,
    plan: Plan,
    saving: _Saving,
    down: Downtime,
    rate: Any,
    inside: Any,
    shares: dict[str, Any],
    spare: Any,
    slower: float,
) -> Effective:
    if plan.replica_chips is None:
        fix = "replica_chips: the chips of one data-parallel replica"
        raise InputError(Problem("missing", "a job that goes on with fewer replicas needs their size", None, (fix,)))
    stall_s = (parameter("reconfigure_s") if plan.reconfigure_s is None else plan.reconfigure_s) * slower
    found = elastic(rate, size / plan.replica_chips, stall_s, down.mean_s)
    save_every = np.maximum(_remote_interval(plan), saving.remote_lag_s)
    busy = save_every / (save_every + saving.stall_s)
    shares["stall"], shares["replicas_away"] = inside * found.stall, inside * found.away
    shares["checkpoint"] = inside * found.kept * (1.0 - busy)
    shares["productive"] = inside * found.kept * busy
    return _effective(shares, save_every, saving, 1.0 / rate, down, spare)


def _effective(shares: dict[str, Any], work: Any, saving: _Saving, mttf: Any, down: Downtime, spare: Any) -> Effective:
    kept = shares["productive"]
    return Effective(**shares, low=kept, high=kept, interval_s=work, stall_s=saving.stall_s, lag_s=saving.lag_s,
                     mttf_s=mttf, downtime_s=down.mean_s, spare_chips=spare)  # fmt: skip


def _remote_interval(plan: Plan) -> float:
    return REMOTE_INTERVAL_S if plan.remote_interval_s is None else plan.remote_interval_s


def _spare_chips(size: Any, plan: Plan, fleet: Fleet) -> Any:
    if plan.spares is None:
        return spares_needed(size, 0.999, fleet, plan.repair_s, plan.unit_chips)
    return np.ceil(size * plan.spares / plan.unit_chips) * plan.unit_chips


def _add_downtime(shares: dict[str, Any], down: Downtime, share: Any) -> None:
    """A share of downtime over its parts, in proportion to their mean seconds."""
    whole = np.maximum(down.mean_s, 1e-300)
    parts = (
        ("detect", down.detect_s),
        ("diagnose", down.diagnose_s),
        ("restart", down.start_s),
        ("reload", down.reload_s),
    )
    for name, seconds in parts:
        shares[name] = shares[name] + share * seconds / whole


def _slow(down: Downtime, factor: float) -> Downtime:
    if factor == 1.0:
        return down
    return Downtime(down.detect_s * factor, down.diagnose_s * factor, down.start_s * factor, down.reload_s * factor,
                    tuple((share, seconds * factor) for share, seconds in down.kinds))  # fmt: skip


def _check_interval(cycle: Any, lag: Any) -> None:
    if np.any(lag > cycle * (1.0 + 1e-9)):
        fix = f"an interval of at least {float(np.max(lag)):.0f} s, faster storage, or checkpoint: tiered"
        raise InputError(Problem("out_of_range", "checkpoints come faster than they are written", None, (fix,)))

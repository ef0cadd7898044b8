"""The same jobs event by event, with seeds: what the closed forms are checked against.

`job` runs one job through failures of several streams, snapshots that become durable later, downtimes of several kinds;
`replicas` one that goes on with fewer replicas; `pool` nodes and spares with repairs. Each returns the mean over independent
histories and the half-width of its 95 % interval (Student's t over histories).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Simulated:
    """Mean shares of time over histories, and half the width of the 95 % interval of the first."""

    shares: dict[str, float]
    half_width: float

    @property
    def kept(self) -> float:
        """Share of time that is work kept."""
        return self.shares["kept"]


@dataclass(frozen=True, slots=True)
class Stream:
    """Failures at `rate_per_s`, sent back to the newest copy on `tier` that was durable `blind_s` before they were seen.

    `kinds` are downtimes (share, seconds). `blind_s` is the age of a corruption when it is seen.
    """

    rate_per_s: float
    tier: int
    kinds: tuple[tuple[float, float], ...]
    blind_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Tier:
    """Copies on a tier: one after each `every` snapshots, durable `lag_s` after it was taken."""

    lag_s: float
    every: int = 1


def job(
    streams: Sequence[Stream],
    tiers: Sequence[Tier],
    work_s: float,
    stall_s: float,
    *,
    horizon_s: float,
    histories: int = 16,
    seed: int = 0,
) -> Simulated:
    """A job that works `work_s` between snapshots, each stopping it for `stall_s`."""
    rng = np.random.default_rng(seed)
    rows = [_one_job(streams, tiers, work_s, stall_s, horizon_s, rng) for _ in range(histories)]
    names = ("kept", "checkpoint", "lost", "down")
    return _summary(names, np.array(rows))


def _one_job(
    streams: Sequence[Stream], tiers: Sequence[Tier], work_s: float, stall_s: float, horizon_s: float, rng: Generator
) -> list[float]:
    rates = np.array([s.rate_per_s for s in streams])
    total = float(rates.sum())
    now, done, stalled, down = 0.0, 0.0, 0.0, 0.0
    copies: list[list[tuple[float, float, float]]] = [[(0.0, 0.0, 0.0)] for _ in tiers]  # taken, durable, work
    order = itertools.count()
    events: list[tuple[float, int, str]] = []
    failure = rng.exponential(1.0 / total)
    heapq.heappush(events, (failure, next(order), "fail"))
    heapq.heappush(events, (work_s, next(order), "snapshot"))
    snapshots, kept_stalls = 0, 0.0
    began, epoch_done = 0.0, 0.0  # when the present stretch of work began, and the work behind it
    while True:
        at, _, what = heapq.heappop(events)
        if at >= horizon_s:
            break
        now = at
        if what == "snapshot":
            done = epoch_done + (now - began)
            began, epoch_done = now + stall_s, done
            stalled += stall_s
            heapq.heappush(events, (now + stall_s, next(order), "taken"))
        elif what == "taken":
            snapshots += 1
            for held, tier in zip(copies, tiers, strict=True):
                if snapshots % tier.every == 0:
                    held.append((now, now + tier.lag_s, epoch_done))
            heapq.heappush(events, (now + work_s, next(order), "snapshot"))
        else:
            stream = streams[int(rng.choice(len(streams), p=rates / total))]
            back, back_at = _newest(copies[stream.tier], now - stream.blind_s, now)
            copies = [[c for c in held if c[0] <= back_at] or [(now, 0.0, back)] for held in copies]
            epoch_done = back
            end = now + _draw(stream, rng)
            while (again := now + rng.exponential(1.0 / total)) < end:  # a failure in the downtime starts another
                down += again - now
                now = again
                end = now + _draw(streams[int(rng.choice(len(streams), p=rates / total))], rng)
            down += end - now
            now = end
            began = now
            events = [
                (now + rng.exponential(1.0 / total), next(order), "fail"),
                (now + work_s, next(order), "snapshot"),
            ]
            heapq.heapify(events)
    kept = epoch_done
    kept_stalls = kept / work_s * stall_s
    down = min(down, now)
    whole = max(now, horizon_s * 1e-9)
    return [kept / whole, kept_stalls / whole, (now - kept - kept_stalls - down) / whole, down / whole]


def _newest(held: list[tuple[float, float, float]], clean_until: float, now: float) -> tuple[float, float]:
    """Work of the newest copy that is durable now and was taken while the state was clean, and when it was taken."""
    for taken, durable, work in reversed(held):
        if durable <= now and taken <= max(clean_until, 0.0):
            return work, taken
    return 0.0, 0.0


def _draw(stream: Stream, rng: Generator) -> float:
    shares = [share for share, _ in stream.kinds]
    return float(stream.kinds[int(rng.choice(len(shares), p=np.array(shares) / sum(shares)))][1])


def replicas(
    rate_per_s: float,
    count: int,
    stall_s: float,
    away_s: float,
    *,
    horizon_s: float,
    histories: int = 16,
    seed: int = 0,
) -> Simulated:
    """A job of `count` replicas: a failure stalls all for `stall_s` and takes its replica away for `away_s`."""
    rng = np.random.default_rng(seed)

    def one() -> list[float]:
        events = [(rng.exponential(count / rate_per_s), i, "fail") for i in range(count)]
        heapq.heapify(events)
        up, last, stall_until = count, 0.0, 0.0
        kept = stall = 0.0
        while True:
            at, i, what = heapq.heappop(events)
            at = min(at, horizon_s)
            moving = max(at - max(last, min(stall_until, at)), 0.0)
            kept += up / count * moving
            stall += (at - last) - moving
            last = at
            if at >= horizon_s:
                break
            if what == "fail":
                up -= 1
                stall_until = at + stall_s
                heapq.heappush(events, (at + away_s, i, "back"))
            else:
                up += 1
                heapq.heappush(events, (at + rng.exponential(count / rate_per_s), i, "fail"))
        return [kept / horizon_s, stall / horizon_s, 1.0 - (kept + stall) / horizon_s]

    return _summary(("kept", "stall", "away"), np.array([one() for _ in range(histories)]))


def pool(
    nodes: int,
    spares: int,
    rate_per_s: float,
    repair_s: float,
    *,
    horizon_s: float,
    exponential: bool = True,
    histories: int = 16,
    seed: int = 0,
) -> Simulated:
    """A job on `nodes` nodes, each failing at `rate_per_s` while the job runs, with `spares` and repairs side by side."""
    rng = np.random.default_rng(seed)
    draw: Callable[[], float] = (lambda: float(rng.exponential(repair_s))) if exponential else (lambda: repair_s)

    def one() -> list[float]:
        now = run = 0.0
        repairs: list[float] = []
        while now < horizon_s:
            if len(repairs) > spares:
                now = heapq.heappop(repairs)
                continue
            fail = now + rng.exponential(1.0 / (nodes * rate_per_s))
            until = min(fail, repairs[0] if repairs else np.inf)
            run += min(until, horizon_s) - now
            now = until
            if until == fail:
                heapq.heappush(repairs, now + draw())
            else:
                heapq.heappop(repairs)
        return [run / horizon_s, 1.0 - run / horizon_s]

    return _summary(("kept", "waits"), np.array([one() for _ in range(histories)]))


def _summary(names: Sequence[str], rows: NDArray[np.float64]) -> Simulated:
    from scipy.stats import t

    n = len(rows)
    half = float(t.ppf(0.975, n - 1) * rows[:, 0].std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return Simulated(dict(zip(names, (float(x) for x in rows.mean(axis=0)), strict=True)), half)

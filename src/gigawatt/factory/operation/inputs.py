"""What a site does its hours with: racks that stand, ways to run them, work with its demand or its pace, power by the hour.

Columns only. Index h hour, p platform, w work, g lane (one platform on one work), j way (an operating point of a lane),
s price segment, k source of power, b store. MW are of IT where the name says so, else at the meter; tokens are output or
trained tokens per second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
NO_LIMIT = float("inf")
KINDS = ("service", "block", "elastic", "waiting")


@dataclass(frozen=True, slots=True)
class Works:
    """What is to be done.

    Attributes:
        names: unique.
        kind: `service` (demand of the hour is served in it or lost); runs: `block` (all its racks run or none, always the same
            number of them), `elastic` (may shrink and grow), `waiting` (may be done in any hour).
        owed_tokens_per_s: [W] pace that a run must keep on average; 0 where nothing is owed.
        check_hours: [W] after each so many hours a run must have kept its pace since the start.
    """

    names: tuple[str, ...]
    kind: tuple[str, ...]
    owed_tokens_per_s: Array
    check_hours: Indices


@dataclass(frozen=True, slots=True)
class Lanes:
    """One row a platform on a work.

    Attributes:
        platform, work: row numbers.
        ready_it_mw: [G] a rack that is set up for the work and waits.
        start_hours: [G] of a rack's time lost when it is taken over from other work: engines start, weights load.
        most_racks: [G] that the work can use of the platform.
        up_share: [G] share of a rack's time that is left by failures which the ways' rates do not hold already.
    """

    platform: Indices
    work: Indices
    ready_it_mw: Array
    start_hours: Array
    most_racks: Array
    up_share: Array

    def __len__(self) -> int:
        return len(self.platform)


@dataclass(frozen=True, slots=True)
class Ways:
    """One row an operating point of a lane, of one rack that is busy all the time.

    Attributes:
        lane: row numbers. label: words.
        peak_it_mw, mean_it_mw: [J] what is provided for and what is drawn on average.
        tokens_in_per_s, tokens_out_per_s: [J].
    """

    lane: Indices
    label: tuple[str, ...]
    peak_it_mw: Array
    mean_it_mw: Array
    tokens_in_per_s: Array
    tokens_out_per_s: Array

    def __len__(self) -> int:
        return len(self.lane)


@dataclass(frozen=True, slots=True)
class Segments:
    """Who buys: up to `tokens_per_s` [S, H] of a work at `usd_per_mtok` [S].

    A service sells in the hour; a run in any hour up to the sum over all of them.
    """

    names: tuple[str, ...]
    work: Indices
    usd_per_mtok: Array
    tokens_per_s: Array


@dataclass(frozen=True, slots=True)
class Sources:
    """Where power comes from: [K, H] MW there are, what a MWh of it costs, and its carbon."""

    names: tuple[str, ...]
    available_mw: Array
    usd_per_mwh: Array
    carbon_kg_per_mwh: Array


@dataclass(frozen=True, slots=True)
class Stores:
    """Batteries behind the meter, [B]: MW in and out, MWh, efficiency each way. They end the period as they began it."""

    names: tuple[str, ...]
    power_mw: Array
    energy_mwh: Array
    charge_efficiency: Array
    discharge_efficiency: Array

    @classmethod
    def none(cls) -> Stores:
        """No battery."""
        empty = np.zeros(0)
        return cls((), empty, empty, empty, empty)


NO_STORES = Stores.none()


@dataclass(frozen=True, slots=True)
class OperateInputs:
    """Everything that `operate` needs, for H hours that follow each other; the first follows the last.

    Attributes:
        platforms: names. up_racks: [P, H] that stand and are not out. idle_it_mw: [P] a rack without work.
        per_it, fixed_mw: [H] meter MW = fixed + per_it x IT MW.
        hall_it_mw: IT MW that building and cooling were built for.
        may_stop: [H] hours in which racks without work may be switched off.

    Raises:
        ValueError: columns do not fit each other, or a kind of work is unknown.
    """

    platforms: tuple[str, ...]
    up_racks: Array
    idle_it_mw: Array
    works: Works
    lanes: Lanes
    ways: Ways
    segments: Segments
    sources: Sources
    per_it: Array
    fixed_mw: Array
    may_stop: NDArray[np.bool_]
    stores: Stores = NO_STORES
    hall_it_mw: float = NO_LIMIT

    def __post_init__(self) -> None:
        wrong = [text for text, holds in self._shapes() if not holds]
        if wrong:
            raise ValueError("; ".join(wrong))

    @property
    def hours(self) -> int:
        return len(self.per_it)

    @property
    def cap_mw(self) -> Array:
        """[H] what all sources together can give at the meter."""
        return np.asarray(self.sources.available_mw.sum(axis=0))

    def divisible(self) -> OperateInputs:
        """The same with blocks that shrink and grow as they like: quicker to solve, and worth no less."""
        kind = tuple("elastic" if name == "block" else name for name in self.works.kind)
        return replace(self, works=replace(self.works, kind=kind))

    def between(self, first: int, last: int) -> OperateInputs:
        """The hours from `first` up to `last` alone; work that may be done in any hour keeps its mean pace in them."""
        cut = slice(first, last)
        hours = self.per_it[cut].size
        source = self.sources
        return replace(
            self,
            up_racks=self.up_racks[:, cut],
            works=replace(self.works, check_hours=np.minimum(self.works.check_hours, hours)),
            segments=replace(self.segments, tokens_per_s=self.segments.tokens_per_s[:, cut]),
            sources=Sources(
                source.names, source.available_mw[:, cut], source.usd_per_mwh[:, cut], source.carbon_kg_per_mwh[:, cut]
            ),
            per_it=self.per_it[cut],
            fixed_mw=self.fixed_mw[cut],
            may_stop=self.may_stop[cut],
        )

    def _shapes(self) -> list[tuple[str, bool]]:
        h, p, w, g = self.hours, len(self.platforms), len(self.works.names), len(self.lanes)
        s, k = len(self.segments.names), len(self.sources.names)

        def within(index: Indices, count: int) -> bool:
            return not index.size or (int(index.min()) >= 0 and int(index.max()) < count)

        return [
            ("up_racks is [platforms, hours]", self.up_racks.shape == (p, h)),
            ("idle_it_mw is [platforms]", self.idle_it_mw.shape == (p,)),
            ("works' columns are [works]", len(self.works.kind) == len(self.works.owed_tokens_per_s) == w),
            ("check_hours is [works], from 1", len(self.works.check_hours) == w and bool(np.all(self.works.check_hours >= 1))),
            (f"a work is one of {KINDS}", set(self.works.kind) <= set(KINDS)),
            ("lanes point at platforms and works", within(self.lanes.platform, p) and within(self.lanes.work, w)),
            ("ways point at lanes", within(self.ways.lane, g)),
            ("segments point at works", within(self.segments.work, w)),
            ("segments' demand is [segments, hours]", self.segments.tokens_per_s.shape == (s, h)),
            ("sources are [sources, hours]", self.sources.available_mw.shape == self.sources.usd_per_mwh.shape == (k, h)),
            ("fixed_mw and may_stop are [hours]", self.fixed_mw.shape == self.may_stop.shape == (h,)),
            ("no negative racks, shares or rates", bool(np.all(self.up_racks >= 0) and np.all(self.lanes.up_share >= 0))),
        ]  # fmt: skip

"""Paths of the market, drawn: what prices, rates and shares do, and how late a site is.

    ln(x_t / m_t) = (1 - k dt) ln(x_{t-1} / m_{t-1}) + sigma sqrt(dt) z_t         m: the path without noise

with k = 0 a random walk and k > 0 a pull back to the path. Normals come from a counter-based generator keyed by seed and
the path's name, one row a draw: a draw's numbers do not depend on how many others there are, nor on chunks or cores.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from gigawatt.finance.schedule import Array, Schedule

QUARTER = 0.25


@dataclass(frozen=True, slots=True)
class Path:
    """A level at the start, its growth a year or its values by date, and its noise a year."""

    start: float = 1.0
    growth: float = 0.0
    by_date: Mapping[date, float] | None = None
    volatility: float = 0.0
    reversion: float = 0.0

    def middle(self, schedule: Schedule) -> Array:
        """The path without noise at each period's end, [periods]."""
        if self.by_date:
            known = sorted(self.by_date.items())
            days = [day.toordinal() for day, _ in known]
            ends = [end.toordinal() for end in schedule.ends]
            return np.interp(ends, days, [value for _, value in known])
        return self.start * (1 + self.growth) ** schedule.time_years

    def drawn(self, schedule: Schedule, name: str, seed: int, draws: int) -> Array:
        """[draws, periods] around the middle; [1, periods] where it has no noise.

        >>> flat = Path(2.0).drawn(Schedule.quarterly(date(2027, 1, 1), 3, opening=False), "x", 1, 100)
        >>> flat.tolist()
        [[2.0, 2.0, 2.0]]
        """
        middle = self.middle(schedule)
        if self.volatility == 0 or draws == 0:
            return middle[None, :]
        z = normals(name, seed, draws, schedule.periods)
        step = self.volatility * np.sqrt(schedule.year_share)
        keep = np.exp(-self.reversion * schedule.year_share)
        away = np.zeros((draws, schedule.periods))
        last = np.zeros(draws)
        for t in range(schedule.periods):
            last = last * keep[t] + step[t] * z[:, t]
            away[:, t] = last
        return np.asarray(middle * np.exp(away))


def normals(name: str, seed: int, draws: int, periods: int) -> Array:
    """Standard normals [draws, periods]; row k is the same however many draws are asked for."""
    key = np.array([seed & 0xFFFFFFFFFFFFFFFF, zlib.crc32(name.encode())], dtype=np.uint64)
    uniform = np.random.Generator(np.random.Philox(key=key)).random((draws, periods))
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(uniform, 1e-16, 1 - 1e-16)))


@dataclass(frozen=True, slots=True)
class SitePath:
    """GW that stand from each day on (cumulative), the share of it in use, and how uncertain its delay is."""

    built: Mapping[date, float]
    used_share: float = 1.0
    delay_quarters: int = 0
    delay_sd_quarters: float = 0.0

    def schedule(self, schedule: Schedule, name: str, seed: int, draws: int) -> Schedule:
        """The site's MW and GW by period: [periods], or [draws, periods] where its delay is drawn.

        What stands counts from the quarter after the one that holds its day, unless that is the quarter's first. A delay
        is whole quarters, at least none.
        """
        gw = np.zeros(schedule.periods)
        for day, value in sorted(self.built.items()):
            first = [begin >= day for begin in schedule.begins]
            gw = np.where(first, value, gw)
        if self.delay_sd_quarters and draws:
            noise = normals(f"site:{name}", seed, draws, 1)[:, 0] * self.delay_sd_quarters
            late = np.maximum(np.rint(self.delay_quarters + noise), 0).astype(int)[:, None]
        else:
            late = np.array([[self.delay_quarters]])
        before = float(next((v for d, v in sorted(self.built.items(), reverse=True) if d <= schedule.start), 0.0))
        at = np.arange(schedule.periods)[None, :] - late
        shifted = np.where(at >= 0, gw[np.clip(at, 0, None)], before)
        stands = shifted[0] if len(shifted) == 1 else shifted
        mw = stands * 1e3
        return Schedule(schedule.start, schedule.ends, schedule.year_share, mw * self.used_share, mw, stands)

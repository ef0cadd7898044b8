"""Rules that forecast the next quarter of a company, by name, each from what was known before that quarter.

    last_value, last_increment, last_growth      the series alone
    ols<N>, loglinear<N>                         a line through the last N points, or through their logarithms
    guide                                        the company's own guide for its revenue
    guide_beat<N>                                guide + mean of (revenue - guide) over the last N quarters
    guide_ratio<N>                               guide x mean of (revenue / guide) over the last N quarters

A guide is of the total. For a part of it (data centre, networking) the guided total is taken times the part's share of
the quarter before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, nearest
from gigawatt.economics.market.forecast import RULES, guided, log_trend, trend

Array = NDArray[np.float64]

DEFAULT_RULE = "guide_beat4"
# Printed beside every forecast: what it has to beat.
BASELINES = ("last_value", "last_increment", "last_growth", "ols4", "loglinear4", "guide")
_NUMBERED = re.compile(r"(ols|loglinear|guide_beat|guide_ratio)([1-9]\d?)")


@dataclass(frozen=True, slots=True)
class History:
    """Quarters in the order of time: the series forecast, the company's total, and the guide given for each quarter.

    NaN where a value was not published. A rule for quarter `at` may look at `values[:at]`, `total[:at]` and
    `guide[:at + 1]`, and at nothing else.
    """

    values: Array
    total: Array
    guide: Array

    def __len__(self) -> int:
        return len(self.values)

    def before(self, at: int) -> History:
        """The history as it stood before quarter `at` came: later values are NaN, its own guide is known."""
        later = np.arange(len(self)) >= at
        return replace(
            self,
            values=np.where(later, np.nan, self.values),
            total=np.where(later, np.nan, self.total),
            guide=np.where(np.arange(len(self)) > at, np.nan, self.guide),
        )


Forecaster = Callable[[History, int], float]


def forecaster(name: str) -> Forecaster:
    """The rule of that name: (history, quarter) -> forecast, NaN where too little is known.

    >>> known = History(np.array([10.0, 12.0, 15.0]), np.array([20.0, 24.0, 30.0]), np.array([18.0, 23.0, 27.0, 33.0]))
    >>> forecaster("last_increment")(known, 3), forecaster("guide_beat2")(known, 3)
    (18.0, 17.5)

    Raises:
        InputError: no such rule; names the nearest.
    """
    numbered = _NUMBERED.fullmatch(name)
    if name == "guide":
        return lambda known, at: float(known.guide[at]) * _share(known, at)
    if numbered and numbered[1].startswith("guide"):
        count, ratio = int(numbered[2]), numbered[1] == "guide_ratio"
        return lambda known, at: _guided(known, at, count, ratio) * _share(known, at)
    if numbered and int(numbered[2]) >= 3:
        count = int(numbered[2])
        rule = trend(count) if numbered[1] == "ols" else log_trend(count)
        return lambda known, at: rule(known.values[:at]) if at >= count else np.nan
    if name in RULES:
        plain = RULES[name]
        return lambda known, at: plain(known.values[:at]) if at >= 2 else np.nan
    near = nearest(name, (*RULES, "guide", DEFAULT_RULE, "guide_ratio4"))
    hints = ((f"did you mean '{near}'?",) if near else ()) + (
        "known: last_value, last_increment, last_growth, ols<N> and loglinear<N> (N from 3), guide, guide_beat<N>, "
        "guide_ratio<N>",
    )
    raise InputError(Problem("unknown_name", f"there is no rule '{name}'", None, hints))


def _guided(known: History, at: int, count: int, ratio: bool) -> float:
    return guided(known.total, known.guide, at, quarters=count, ratio=ratio) if at >= count else np.nan


def _share(known: History, at: int) -> float:
    """The last share of the series in the total: 1 for the total itself."""
    return float(known.values[at - 1] / known.total[at - 1]) if at else np.nan


def in_words(name: str) -> str:
    """What a rule does, in a few words.

    >>> in_words("guide_beat4")
    'guide plus the mean beat of the last 4'
    """
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        kind, count = numbered[1], numbered[2]
        return {
            "ols": f"line through the last {count}",
            "loglinear": f"line through the logarithms of the last {count}",
            "guide_beat": f"guide plus the mean beat of the last {count}",
            "guide_ratio": f"guide times the mean ratio of the last {count}",
        }[kind]
    return {"guide": "the guide alone"}.get(name, name.replace("_", " ").replace("last", "the last"))

"""The horizon by quarters: how much of the fleet stands, its phase of work, and what a quarter weighs today.

Racks arrive in equal parts over the first `build_quarters` quarters and earn from the quarter of arrival on; flows
fall at a quarter's end. With v = (1 + r)^(-1/4) and A_q the share that stands in quarter q = 1..Q:

    weight of phase f   w_f = sum over q in f of A_q v^q / sum over all q of A_q v^q
    build annuity       F   = sum over q of A_q v^q / 4          (years of full-fleet earnings, today)

so that NPV = (annual value of the full fleet) x F, to the cent, where capital is charged as rent (a level quarterly
payment over each part's life, and at the horizon's end the parts are worth their remaining payments).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from gigawatt.study.jobs.owed import Run
from gigawatt.study.scenario import Scenario

SECONDS_PER_QUARTER = 8760 * 3600 / 4


@dataclass(frozen=True, slots=True)
class Phase:
    """Consecutive quarters with the same work; `owed` names the runs that are owed in it."""

    name: str
    first: int
    last: int
    weight: float
    owed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Quarter columns of length Q; index 0 is the first quarter."""

    ends: tuple[date, ...]
    arrivals: NDArray[np.float64]
    active: NDArray[np.float64]
    discount: NDArray[np.float64]
    phases: tuple[Phase, ...]
    annuity_years: float

    @property
    def quarters(self) -> int:
        return len(self.ends)

    def phase_of(self) -> NDArray[np.int64]:
        """Phase index of each quarter."""
        out = np.zeros(self.quarters, dtype=np.int64)
        for index, phase in enumerate(self.phases):
            out[phase.first : phase.last + 1] = index
        return out

    def full_seconds_until(self, quarter: int) -> float:
        """Seconds of the whole fleet's work within the first `quarter` quarters: sum of A_q times a quarter."""
        return float(self.active[:quarter].sum() * SECONDS_PER_QUARTER)


def add_months(day: date, months: int) -> date:
    """The same day of the month, `months` later (the month's last day where there is none such)."""
    import calendar

    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def quarters_until(start: date, end: date) -> int:
    """Whole quarters that end on or before `end` (a run owed mid-quarter must be done by the quarter before)."""
    months = (end.year - start.year) * 12 + end.month - start.month + (1 if end.day >= 28 else 0)
    return max(0, months // 3)


def timeline(scenario: Scenario) -> Timeline:
    """Quarters, phases and weights of a scenario."""
    count = scenario.horizon.quarters
    build = min(scenario.horizon.build_quarters, count)
    arrivals = np.zeros(count)
    arrivals[:build] = 1 / build
    active = np.cumsum(arrivals)
    discount = (1 + scenario.discount_rate) ** (-np.arange(1, count + 1) / 4)
    present = active * discount
    ends = tuple(add_months(scenario.horizon.start, 3 * (q + 1)) for q in range(count))
    return Timeline(ends, arrivals, active, discount, _phases(scenario, present), float(present.sum() / 4))


def owed_quarters(scenario: Scenario, work: Run) -> int:
    """Quarters that a run may take: until its obligation, else the whole horizon."""
    if work.obligation is None:
        return scenario.horizon.quarters
    return min(quarters_until(scenario.horizon.start, work.obligation.finish_by), scenario.horizon.quarters)


def _phases(scenario: Scenario, present: NDArray[np.float64]) -> tuple[Phase, ...]:
    """Cut the horizon wherever an owed run must be done."""
    runs = {w.id: owed_quarters(scenario, w) for w in scenario.workloads if isinstance(w, Run)}
    cuts = sorted({q for q in runs.values() if 0 < q < len(present)} | {len(present)})
    phases, first = [], 0
    for cut in cuts:
        owed = tuple(name for name, until in runs.items() if until >= cut)
        name = "whole horizon" if len(cuts) == 1 else ("with " + " and ".join(owed) if owed else "after the owed runs")
        phases.append(Phase(name, first, cut - 1, float(present[first:cut].sum() / present.sum()), owed))
        first = cut
    return tuple(phases)

"""What a build-out chose and when, and the tokens that it makes, as trees: racks, rack-years, tokens sold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.document import Path_
from gigawatt.factory.inputs import SECONDS_PER_YEAR
from gigawatt.study.explain import Node, choice, fitted, given, node, worked
from gigawatt.study.explained.once import once
from gigawatt.study.explained.work import Work
from gigawatt.study.fleet.answer import FleetAnswer
from gigawatt.study.fleet.flows import QUARTER_YR
from gigawatt.study.fleet.leaving import DUST

Array = NDArray[np.float64]
PROGRAMME = "build-out programme"
SECONDS = SECONDS_PER_YEAR * QUARTER_YR


class BuildChosen(Work):
    """Choices of a build-out."""

    def __init__(self, answer: FleetAnswer) -> None:
        super().__init__(answer.inputs.resolved, answer.inputs.priced)
        self.answer, self.plan, self.flows = answer, answer.plan, answer.flows
        self.build = answer.inputs.build
        self.asked_for = self.resolved.scenario.build_out
        self.used = [int(j) for j in np.flatnonzero(self.plan.use.sum(axis=1) > DUST)]

    def per_year(self, path: Path_, name: str, value: float) -> Node:
        """A change a year that the scenario states."""
        return given(self.source, ("build_out", *path), name, value, "share/yr")

    # What was chosen.

    @once
    def why(self) -> list[Node]:
        """What holds the build-out: limits that bind longest, and what was never bought."""
        asked = given(
            self.source, ("objective", "for"), "objective: highest present value for", self.priced.inputs.objective
        )
        policy = given(self.source, ("build_out", "policy"), "decided with foresight that is", self.answer.policy)
        binding = [one for one in self.plan.limits if abs(one.dual) > 1e-9]
        rows = []
        for name in dict.fromkeys(f"{one.kind} {one.subject}".strip() for one in binding):
            mine = [one for one in binding if f"{one.kind} {one.subject}".strip() == name]
            worst = max(mine, key=lambda one: abs(one.dual))
            label = f"{name} binds in {len(mine)} quarters; worth of one more in {worst.quarter}, the most"
            rows.append(choice(label, worst.dual, worst.price_unit, PROGRAMME))
        return [asked, policy, *rows, *self._passed_over()]

    def _passed_over(self) -> list[Node]:
        never = [name for p, name in enumerate(self.build.platforms) if self.plan.bought[p].sum() <= DUST]
        found = sorted((value, name) for name, value in self.answer.others.items() if np.isfinite(value))
        rows = [choice(f"never bought: {name}", 0.0, "racks", "others earn more on the same limits") for name in never]
        others = [(value, name) for value, name in found if name != self.answer.policy]
        if others:
            value, name = others[-1]
            rows.append(
                choice(f"runner-up among policies: {name}", value, "USD", "the same programme with its foresight")
            )
        return rows

    @once
    def racks(self, what: str, p: int) -> Node:
        """Racks bought or retired of a platform, all quarters, with their dates."""
        column: Array = getattr(self.plan, what)[p]
        some, name = np.flatnonzero(column > DUST), self.build.platforms[p]
        when = f", {self.build.quarters[some[0]]} to {self.build.quarters[some[-1]]}" if len(some) else ""
        return choice(f"racks of {name} {what}{when}", float(column.sum()), "racks", PROGRAMME, self.why())

    @once
    def rack_years(self, j: int) -> Node:
        """Rack-years in use on a point."""
        value = float(self.plan.use[j].sum()) * QUARTER_YR
        return choice(f"rack-years on {self.label(j)}", value, "rack-years", PROGRAMME, self.why())

    @once
    def sold(self, s: int) -> Node:
        """Tokens sold in a segment, all quarters."""
        w, name = int(self.build.segment_workload[s]), self.build.segments[s]
        made = [self.made_on(j) for j in self.used if self.build.points.workload[j] == w]
        value = float(self.plan.sold[s].sum()) * SECONDS
        trend = self.asked_for.trends.get(self.resolved.works[w].family)
        path = ("trends", self.resolved.works[w].family, "demand")
        grows = [self.per_year(path, f"demand of {name} changes by", trend.demand)] if trend is not None else []
        return choice(
            f"tokens sold: {name}, all quarters",
            value,
            "token",
            PROGRAMME,
            [self.demand(s), *grows, *made, *self.why()],
        )

    @once
    def made_on(self, j: int) -> Node:
        """Tokens that a point makes, all quarters: rack-years x tokens of a rack x the speed its software gains."""
        points = self.build.points
        speed = self.build.speed[points.platform[j], points.workload[j]]
        made = float(self.plan.use[j] @ speed) * QUARTER_YR
        years = self.rack_years(j)
        rests = [fitted(self.resolved.catalog.get("calibration", "software-maturity"))]
        rests.append(
            given(self.source, ("build_out", "software"), "software over the quarters", self.asked_for.software)
        )
        mean = node("formula", "speed of software over that of the point, mean of its racks", made / years["value"], "x",
                    "quarter by quarter, weighted by racks in use", rests)  # fmt: skip
        return worked("product", f"tokens made: {self.label(j)}, all quarters", "token", [years, mean, self.of_rack(j)],
                      scale=SECONDS_PER_YEAR, scale_of="seconds of a year")  # fmt: skip

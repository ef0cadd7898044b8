"""What steering chose in the hours, as trees: tokens sold, rack-hours, what a rack makes at full load, power that is short."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.operation import Operation
from gigawatt.factory.operation.model import HOUR_S
from gigawatt.study.explain import Node, choice, defined, given, worked
from gigawatt.study.explained.chosen import Chosen
from gigawatt.study.explained.once import once
from gigawatt.study.operate.conditions import DAY_H
from gigawatt.study.operate.fleet import Setting
from gigawatt.study.operate.measures import BINDS

Array = NDArray[np.float64]
PROGRAMME = "programme of the hours"


class Steered(Chosen):
    """Choices of a period's hours; `of_day` takes a sum over them to a day."""

    def __init__(self, setting: Setting, done: Operation) -> None:
        super().__init__(setting.answer)
        self.setting, self.done = setting, done
        self.days = setting.inputs.hours / DAY_H
        self.kinds = setting.inputs.works.kind

    def of_day(self, values: Any) -> float:
        return float(np.sum(values)) / self.days

    def operate(self, field: str, name: str, value: Any, unit: str = "") -> Node:
        """An input of the scenario's section of the hours."""
        return given(self.source, ("operate", field), name, value, unit)

    # What was steered.

    @once
    def held(self) -> list[Node]:
        """What holds the hours: power that is short, racks that there are."""
        rows = [self.short()]
        rows += [self.racks_of(p) for p in self.setting.platforms]
        return rows

    @once
    def short(self) -> Node:
        labels, worth = self.setting.around.labels(), self.done.worth_usd_per_mwh
        hours = [label[-5:] for label, one in zip(labels, worth, strict=True) if one > BINDS]
        at = f"at {', '.join(hours)}: worth of a MW more, the most" if hours else "in no hour"
        name = f"power is short {at}"
        return choice(name, float(worth.max()), "USD/MWh", PROGRAMME)

    @once
    def tokens_sold(self, row: int) -> Node:
        """Tokens of a segment that are sold in a day."""
        s = self.setting.segment[row]
        value = self.of_day(self.done.sold_tokens_per_s[row]) * HOUR_S
        w = int(self.setting.inputs.segments.work[row])
        made = [self.way(k) for k in self.ways_of(w)]
        name = f"tokens sold in a day: {self.setting.inputs.segments.names[row]}"
        return choice(name, value, "token", PROGRAMME, [self.demand(s), self.wave(), *made, *self.held()])

    @once
    def wave(self) -> Node:
        asked = self.resolved.scenario.operate
        if asked.shape is not None:
            return self.operate("shape", "demand by the hour over its mean", "24 shares")
        return self.operate("peak_hour", "hour in which demand is highest", asked.peak_hour, "h")

    def busy(self) -> list[int]:
        """Ways that racks are busy on in some hour."""
        return [int(k) for k in np.flatnonzero(self.done.busy.sum(axis=1) > 0)]

    def ways_of(self, w: int) -> list[int]:
        """Those of one work."""
        lanes, ways = self.setting.inputs.lanes.work, self.setting.inputs.ways.lane
        return [k for k in self.busy() if int(lanes[ways[k]]) == w]

    @once
    def rack_hours(self, k: int) -> Node:
        value = self.of_day(self.done.busy[k])
        return choice(f"rack-hours busy in a day, {self._way(k)}", value, "rack-hours", PROGRAMME, self.held())

    def _way(self, k: int) -> str:
        return self.label(self.setting.way_point[k])

    @once
    def at_full_load(self, k: int) -> Node:
        """Tokens a second of a rack at full load: its mean of the day times the day's peak over mean."""
        j = self.setting.way_point[k]
        value = float(self.setting.inputs.ways.tokens_out_per_s[k])
        mean = self.of_rack(j)
        factor = defined("full load over the mean of the day", value / mean["value"], "x",
                         "a rack is sized for the peak of its demand, and for hours with power")  # fmt: skip
        return worked("product", f"a rack at full load, {self._way(k)}", "token/s", [mean, factor], value)

    @once
    def way(self, k: int) -> Node:
        return worked("product", f"tokens made in a day, {self._way(k)}", "token", [self.rack_hours(k), self.at_full_load(k)],
                      scale=HOUR_S, scale_of="seconds of an hour")  # fmt: skip

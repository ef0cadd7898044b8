"""What the same hours are worth without steering: racks tied to one work, and works in a fixed order hour by hour.

Both are schedules that the programme of `schedule` could have chosen, so neither is worth more, as long as it keeps the
pace of every run; where one does not, it says by how much it is short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.factory.operation.inputs import Array, Indices, OperateInputs
from gigawatt.factory.operation.model import HOUR_S, THOUSAND, build, held_on
from gigawatt.factory.solver import Solver


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What a policy makes of the hours; nan where it can not run at all.

    `made_tokens` is [W], `short_tokens` [W] what runs owe and do not get; `energy_mwh` at the meter.
    """

    name: str
    value_usd: float
    made_tokens: Array
    short_tokens: Array
    energy_mwh: float
    energy_usd: float

    @property
    def keeps_pace(self) -> bool:
        """Whether every run gets what it is owed."""
        return bool(np.all(self.short_tokens <= 1e-6 * np.maximum(self.made_tokens, 1.0)))


def static_split(inputs: OperateInputs) -> Dispatched:
    """The best fixed split of racks over works: each serves one work in all hours, and waits where that has nothing to do."""
    model = build(inputs, static=True)
    answer = Solver(held_on(model, np.ones(model.at.on.shape)), relax=True).solve()
    count = len(inputs.works.names)
    if not answer.optimal:
        nan = float("nan")
        return Dispatched("static split", nan, np.zeros(count), np.full(count, nan), nan, nan)
    made = np.zeros(count)
    busy = answer.x[model.at.busy].sum(axis=1)
    np.add.at(made, inputs.lanes.work[inputs.ways.lane], busy * inputs.ways.tokens_out_per_s * HOUR_S)
    gen = answer.x[model.at.gen]
    paid = float((gen * inputs.sources.usd_per_mwh).sum())
    return Dispatched("static split", answer.value * THOUSAND, made, np.zeros(count), float(gen.sum()), paid)


def priority(inputs: OperateInputs) -> Dispatched:
    """Runs first, at their pace in every hour; then services by what a MW of them earns. No hour looks at another.

    Racks are handed over with the same losses; batteries are left alone. In hours in which racks may be switched off, those
    without work are.
    """
    works, lanes, ways, segments = inputs.works, inputs.lanes, inputs.ways, inputs.segments
    h, count = inputs.hours, len(works.names)
    idle = inputs.idle_it_mw
    base = np.where(inputs.may_stop, 0.0, idle @ inputs.up_racks)
    room = (inputs.cap_mw - inputs.fixed_mw) / inputs.per_it - base
    room = np.minimum(room, inputs.hall_it_mw - base)
    left = inputs.up_racks.copy()
    made, drawn = np.zeros((count, h)), base.copy()
    for w in _order(inputs):
        demand = segments.tokens_per_s[segments.work == w].sum(axis=0)
        run = works.kind[w] != "service"
        want = np.full(h, works.owed_tokens_per_s[w]) if run else demand
        if run and works.owed_tokens_per_s[w] <= 0:
            want = demand
        for g in np.flatnonzero(lanes.work == w):
            mine = np.flatnonzero(ways.lane == g)
            if not mine.size or not np.any(want > 0):
                continue
            p, up, ready = int(lanes.platform[g]), float(lanes.up_share[g]), lanes.ready_it_mw[g]
            stays = np.where(inputs.may_stop, 0.0, idle[p])
            most = np.minimum(left[p], lanes.most_racks[g] / max(up, 1e-12))
            held, j = _taken(inputs, mine, want, most, np.maximum(room, 0.0), up, ready - stays)
            busy = np.maximum(up * held - lanes.start_hours[g] * np.maximum(held - np.roll(held, 1), 0.0), 0.0)
            room = room - (ready - stays) * held - (ways.peak_it_mw[j] - ready) * busy
            drawn = drawn + (ready - stays) * held + (ways.mean_it_mw[j] - ready) * busy
            left[p] = left[p] - held
            done = busy * ways.tokens_out_per_s[j]
            made[w] += done
            want = np.maximum(want - done, 0.0)
    meter = inputs.fixed_mw + inputs.per_it * drawn
    paid = _merit_order(inputs, meter)
    earned = _earned(inputs, made)
    short = np.maximum(works.owed_tokens_per_s * h - made.sum(axis=1), 0.0) * HOUR_S
    value = earned - paid
    return Dispatched("priority order", value, made.sum(axis=1) * HOUR_S, short, float(meter.sum()), paid)


def _taken(
    inputs: OperateInputs, mine: Indices, want: Array, most: Array, room: Array, up: float, beside: Array
) -> tuple[Array, Indices]:
    """[H] racks of a lane for `want` tokens per second, and in which way: what makes most, of equal ones the thriftiest.

    `most` racks and `room` MW are left; a rack that is set up takes `beside` MW more than one that is not.
    """
    ways = inputs.ways
    rate = ways.tokens_out_per_s[mine][:, None] * max(up, 1e-12)
    each = beside + up * (ways.peak_it_mw[mine] - inputs.lanes.ready_it_mw[ways.lane[mine]])[:, None]
    held = np.minimum(want / rate, np.minimum(most, room / np.maximum(each, 1e-12)))
    made = held * rate
    enough = made >= made.max(axis=0) * (1.0 - 1e-9)
    pick = np.argmin(np.where(enough, held * each, np.inf), axis=0)
    return np.asarray(held[pick, np.arange(inputs.hours)]), mine[pick]


def _order(inputs: OperateInputs) -> list[int]:
    """Owed runs in their order, then the rest by what a MW earns at their first price."""
    works, lanes, ways, segments = inputs.works, inputs.lanes, inputs.ways, inputs.segments
    worth = np.zeros(len(works.names))
    price = np.zeros(len(works.names))
    if len(segments.names):
        np.maximum.at(price, segments.work, segments.usd_per_mtok)
    if len(ways):
        work = lanes.work[ways.lane]
        np.maximum.at(worth, work, price[work] * ways.tokens_out_per_s / ways.peak_it_mw)
    owed = [w for w in range(len(works.names)) if works.owed_tokens_per_s[w] > 0]
    rest = [int(w) for w in np.argsort(-worth, kind="stable") if works.owed_tokens_per_s[w] <= 0 and worth[w] > 0]
    return owed + rest


def _merit_order(inputs: OperateInputs, meter: Array) -> float:
    """USD of meeting `meter` [H] from the cheapest sources of each hour first."""
    price, there = inputs.sources.usd_per_mwh, inputs.sources.available_mw
    order = np.argsort(price, axis=0, kind="stable")
    left, paid = meter.copy(), 0.0
    for row in order:
        hours = np.arange(inputs.hours)
        taken = np.minimum(np.maximum(left, 0.0), there[row, hours])
        left = left - taken
        paid += float(taken @ price[row, hours])
    return paid


def _earned(inputs: OperateInputs, made: Array) -> float:
    """USD of what is made [W, H], sold to the dearest first: a service's in the hour, a run's over all hours."""
    segments, total = inputs.segments, 0.0
    left = made * HOUR_S
    whole = left.sum(axis=1)
    for s in np.argsort(-segments.usd_per_mtok, kind="stable"):
        w = int(segments.work[s])
        wanted = segments.tokens_per_s[s] * HOUR_S
        if inputs.works.kind[w] == "service":
            sold = np.minimum(left[w], wanted)
            left[w] = left[w] - sold
            total += float(sold.sum()) * segments.usd_per_mtok[s] / 1e6
        else:
            run_sold = min(float(whole[w]), float(wanted.sum()))
            whole[w] -= run_sold
            total += run_sold * segments.usd_per_mtok[s] / 1e6
    return total

"""Tables of training runs: where their time goes, and how their steps swing the meter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.physics.reliability.failures import DAY_S
from gigawatt.physics.reliability.swings import meter_phases, ramps, smooth, swing_of
from gigawatt.physics.site import balance
from gigawatt.study.answer import Answer
from gigawatt.study.points import Point
from gigawatt.study.pretrain import Guarded

J_PER_KWH = 3.6e6
PRODUCTIVE = "time: work kept (goodput)"
WORDS = {
    "checkpoint": "time: snapshots",
    "lost": "time: work done again",
    "detect": "time: until a failure is seen",
    "diagnose": "time: until its node is named",
    "restart": "time: replacement and start",
    "reload": "time: loading the state",
    "planned": "time: maintenance",
    "silent": "time: silent corruption",
    "spares": "time: waiting for nodes",
    "stall": "time: the others stall",
    "replicas_away": "time: replicas away",
}


def runs_table(answer: Answer) -> Table:
    """Each training run and platform in the plan, a row a figure: its size, what it keeps, where the rest of its time goes."""
    rows = []
    for row, guard, _ in _runs(answer):
        found = guard.effective
        told: list[tuple[str, Any, str]] = [
            ("chips of the job", guard.chips, "chips"),
            ("chips standing by", found.spare_chips, "chips"),
            ("time between interruptions", found.mttf_s, "s"),
            ("downtime of one", found.downtime_s, "s"),
            ("work between snapshots", found.interval_s, "s"),
            ("stall of a snapshot", found.stall_s, "s"),
            (PRODUCTIVE, guard.share, "share"),
            ("  its 80 % band, low", found.low, "share"),
            ("  its 80 % band, high", found.high, "share"),
        ]
        told += [(WORDS[name], share, "share") for name, share in found.parts().items() if name in WORDS]
        rows += [row | {"what": what, "value": float(value), "unit": unit} for what, value, unit in told]
    note = "The shares of time without the band sum to 1. Chips that stand by are bought beside those of the job."
    columns = ["workload", "platform", "what", "value", "unit"]
    return Table.from_rows("runs", rows, columns, {}, "Training runs: where their time goes", note)


def swings_table(answer: Answer) -> Table:
    """One row a training run and platform in the plan: the swing of its steps at the meter and what would flatten it."""
    rows = []
    per_it = float(balance(1.0, answer.priced.chain).meter_w)
    for row, guard, made in _runs(answer):
        if not made.phases:
            continue
        seconds, watts = (np.array(column) for column in zip(*made.phases, strict=True))
        box = answer.priced.performance.boxes[made.offer]
        beside = (box.host_w + box.fabric_w + box.nic_w + box.fan_w) / box.chips
        common = {"beside_w": beside, "supply_efficiency": box.supply_efficiency, "meter_per_it": per_it}
        phases = meter_phases(guard.chips, watts, **common)
        idle = float(meter_phases(guard.chips, [box.chip.idle_w], **common)[0])
        found, flat = swing_of(phases, seconds), smooth(phases, seconds)
        even = smooth(phases, seconds, storage_joules=2.0 * flat.whole_joules)
        per_day = DAY_S / float(guard.effective.mttf_s)
        fall = next(r for r in ramps(found.mean_w, idle, failures_per_day=per_day) if r.name == "failure")
        rows.append(
            row
            | {
                "mean_mw": found.mean_w / 1e6,
                "peak_mw": found.peak_w / 1e6,
                "trough_mw": found.trough_w / 1e6,
                "swing_mw": found.swing_w / 1e6,
                "frequency_hz": found.frequency_hz,
                "store_to_flatten_kwh": flat.whole_joules / J_PER_KWH,
                "store_to_flatten_j_per_chip": flat.whole_joules / guard.chips,
                "peak_cut": even.peak_cut,
                "failure_drop_mw": -fall.watts / 1e6,
                "failures_per_day": per_day,
            }
        )
    units = {name: "MW" for name in (rows[0] if rows else {}) if name.endswith("_mw")}
    units |= {
        "frequency_hz": "Hz",
        "store_to_flatten_kwh": "kWh",
        "store_to_flatten_j_per_chip": "J",
        "peak_cut": "share",
    }
    note = (
        "All chips of a run work, exchange and wait in step: at the meter of the whole run, if nothing smooths it. The store "
        "would hold the meter at its mean and cut the peak by that share; a failure drops the run to idle."
    )
    columns = list(rows[0]) if rows else ["workload", "platform"]
    return Table.from_rows("swings", rows, columns, units, "Power swings of training runs", note)


def _runs(answer: Answer) -> Iterator[tuple[dict[str, Any], Guarded, Point]]:
    """The most used point of each training run on each platform of the plan."""
    performance = answer.priced.performance
    use = answer.plan.mean_use
    seen = set()
    for j in np.argsort(-use, kind="stable"):
        made = performance.points[answer.priced.points_of[int(j)]]
        guard = performance.guards.get((made.offer, made.work))
        if use[j] > 0 and guard is not None and (made.offer, made.work) not in seen:
            seen.add((made.offer, made.work))
            name = answer.resolved.works[made.work].id
            yield {"workload": name, "platform": answer.resolved.offers[made.offer].offer.id}, guard, made

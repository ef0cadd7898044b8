"""What stands behind a point: where its step goes, what fills the memory, how its pipeline runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.physics.training.columns import SCHEDULES
from gigawatt.physics.training.memory.bytes import Memory
from gigawatt.physics.training.schedule.replay import replay
from gigawatt.physics.training.step.power import phase_watts
from gigawatt.physics.training.step.times import BOUND_TEXT, CLASSES
from gigawatt.study.train.points import Points, Tried, watts_between
from gigawatt.study.train.tables import memory_half

GB = 1e9
STRAGGLERS = "waiting for slower chips"
LEAST = 1e-9  # of a step: a part below it is rounding
MOST_UNITS = 4000  # of a timeline: ranks x chunks x micro-batches x passes
PASSES = {"F": "forward", "B": "backward, inputs", "W": "backward, weights", "A": "backward"}
Chosen = Sequence[tuple[Tried, Points, int]]  # a point of each platform, by its row


def time_table(chosen: Chosen) -> Table:
    """Seconds of a step by part: the parts sum to the step."""
    rows: list[dict[str, Any]] = []
    for one, points, row in chosen:
        times = points.found.times
        half, step_s = float(points.rate_half[row]), float(times.step_s[row])
        parts = {BOUND_TEXT[name]: float(getattr(times, f"{name}_s")[row]) for name in CLASSES}
        parts[STRAGGLERS] = float(times.straggler_s[row])
        mine = [
            {
                "platform": one.host.label,
                "part": name,
                "seconds": seconds,
                "low": seconds * np.exp(-half),
                "high": seconds * np.exp(half),
                "share": seconds / step_s,
            }
            for name, seconds in parts.items()
            if seconds > LEAST * step_s
        ]
        rows += sorted(mine, key=lambda r: -r["seconds"])
    units = {"seconds": "s", "low": "s", "high": "s", "share": "share"}
    note = "Of one rank, in the mean over ranks. Messages count as far as kernels do not hide them."
    columns = ("platform", "part", "seconds", "low", "high", "share")
    return Table.from_rows("time", rows, columns, units, "Where a step goes", note)


def memory_table(chosen: Chosen) -> Table:
    """Bytes of the fullest rank by kind, beside what the chip has."""
    rows: list[dict[str, Any]] = []
    for one, points, row in chosen:
        memory, has = points.found.memory, float(one.host.chip.memory_bytes)
        parts = {f.name.removesuffix("_bytes"): float(getattr(memory, f.name)[row]) for f in fields(Memory)}
        rows += [
            {
                "platform": one.host.label,
                "kind": name.replace("_", " "),
                "gb": size / GB,
                "low": size / GB * np.exp(-memory_half()),
                "high": size / GB * np.exp(memory_half()),
                "share": size / has,
                "has_gb": has / GB,
            }
            for name, size in parts.items()
            if size > 0
        ]
    units = {"gb": "GB", "low": "GB", "high": "GB", "share": "share", "has_gb": "GB"}
    note = "Of the fullest rank; shares are of what the chip has."
    return Table.from_rows(
        "memory", rows, ("platform", "kind", "gb", "low", "high", "share", "has_gb"), units, "Memory", note
    )


def power_table(chosen: Chosen) -> Table:
    """Watts of a chip in each phase of a step and its mean, to the meter; and what the job's draw drops by once a step."""
    rows: list[dict[str, Any]] = []
    drops: list[str] = []
    for one, points, row in chosen:
        found, host = points.found, one.host
        mode = next(mode for mode in host.modes if mode.name == str(found.mode[row]))
        phases = phase_watts(host.chip, found.times.take(np.array([row])), mode)
        step_s = float(phases.step_s[0])
        limit_w = host.chip.tdp_w * mode.power_share
        for name in ("working", "exchanging", "waiting"):
            share = float(getattr(phases, f"{name}_s")[0]) / step_s
            watts = float(getattr(phases, f"{name}_w")[0])
            low, high = (float(end[0]) for end in watts_between(host.chip, np.array([watts]), limit_w))
            told = {"platform": host.label, "what": f"a chip, {name}", "w": watts, "low": low, "high": high}
            rows.append(told | {"share": share})
        ends = np.array([found.chip_w[row], points.watts_low[row], points.watts_high[row]])
        whole = [("a chip, mean", ends), ("at the rack's input", host.it_w(ends)), ("at the meter", host.meter_w(ends))]
        rows += [
            {"platform": host.label, "what": what, "w": w, "low": low, "high": high}
            for what, (w, low, high) in whole
            if np.isfinite(w)
        ]
        swing_w = float(phases.swing_w[0])
        rows.append({"platform": host.label, "what": "a chip drops by, once a step", "w": swing_w})
        drops.append(f"{swing_w * float(found.chips_used[row]) / 1e6:.3g} MW on {host.label}")
    units = {"w": "W", "share": "share", "low": "W", "high": "W"}
    note = (
        "Working: kernels, with the messages between them. Exchanging: gradients and weights at the end of the step. Waiting: "
        "the bubble, slower chips, the host. All chips of a job change phase together, so that once a step it drops by "
        f"{', '.join(drops)}."
    )
    return Table.from_rows("power", rows, ("platform", "what", "w", "low", "high", "share"), units, "Power", note)


def schedule_table(chosen: Chosen) -> Table:
    """The pipeline of the best point of all, unit by unit; empty with one stage.

    Stages are taken as equal, forward to backward as 1 to 2; of many micro-batches only the first are run.
    """
    one, points, row = chosen[0]
    layout, times = points.found.layout, points.found.times
    ranks, chunks, schedule = (round(float(getattr(layout, name)[row])) for name in ("pp", "vpp", "schedule"))
    batches = round(float(layout.micro_batches[row]))
    columns = ("platform", "rank", "start_s", "end_s", "work", "chunk", "micro_batch")
    units = {"start_s": "s", "end_s": "s"}
    if ranks < 2:
        return Table.from_rows("schedule", [], columns, units)
    per_batch = 3 * ranks * chunks
    fewest = 2 * ranks
    run = min(batches, max(MOST_UNITS // per_batch // ranks * ranks, fewest))
    parts = sum(float(getattr(times, f"{name}_s")[row]) for name in ("data", "site", "optimizer", "offload", "bubble"))
    stage_s = (float(times.step_s[row]) - parts - float(times.straggler_s[row])) / batches
    third = stage_s / 3.0
    done = replay(float(schedule), run, ranks, chunks, forward_s=third, input_s=third, weight_s=third)
    rows = [
        {
            "platform": one.host.label,
            "rank": rank,
            "start_s": start,
            "end_s": end,
            "work": " and ".join(dict.fromkeys(PASSES[unit.work] for unit in units_)),
            "chunk": units_[0].stage // ranks,
            "micro_batch": units_[0].batch,
        }
        for rank, start, end, units_ in done.runs
    ]
    left = f", the first {run:,} of {batches:,} micro-batches" if run < batches else ""
    note = (
        f"{SCHEDULES[schedule]}, {ranks} stages of {chunks} chunks{left}; stages as equal, backward as twice forward."
    )
    return Table.from_rows("schedule", rows, columns, units, "The pipeline", note)

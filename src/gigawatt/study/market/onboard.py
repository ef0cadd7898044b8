"""Tasks of machines: where each policy runs, on board or at the end of a link, and what those that are sent ask of the site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog.hardware import Accelerator
from gigawatt.core.table import Table
from gigawatt.factory.edge import Machines, site_mw_of_passes
from gigawatt.physics.fabric.across.offload import (
    AT_A_SITE,
    EITHER,
    NEITHER,
    ON_BOARD,
    PLACES,
    away_s,
    farthest_km,
    pass_floor_s,
    places,
)
from gigawatt.study.market.machines import EdgeSection, Link, Policy, Task
from gigawatt.study.market.sourced import Sourced, ended, ends

Array = NDArray[np.float64]
Chips = Mapping[str, Accelerator]


@dataclass(frozen=True, slots=True)
class Placed:
    """One task over one link: seconds on board and by the site, where it can run (into `PLACES`), km that are near enough; all
    [draws]."""

    task: Task
    link: Link
    here_s: Array
    there_s: Array
    where: NDArray[np.int64]
    near_km: Array


def placed(given: EdgeSection, chips: Chips, drawn: Sourced) -> list[Placed]:
    """Every task over every link that it could use."""
    devices, policies = {d.id: d for d in given.devices}, {p.id: p for p in given.policies}
    rows = []
    for task in given.tasks:
        policy = policies[task.policy]
        deadline = drawn.column(f"tasks.{task.id}.deadline", task.deadline)
        up = drawn.column(f"tasks.{task.id}.up", task.up)
        here = pass_s(policy, devices[task.device].chip, chips, drawn)
        for link in (one for one in given.links if not task.over or one.id in task.over):
            at = f"links.{link.id}"
            access = drawn.column(f"{at}.access", link.access)
            rate = drawn.column(f"{at}.rate", link.rate, least=1.0)
            km = drawn.column(f"{at}.distance", link.distance) / 1e3
            served = pass_s(policy, link.chip or given.site.chip, chips, drawn)
            there = away_s(access, km, up, rate, served)
            near = farthest_km(deadline, away_s(access, 0.0, up, rate, served))
            rows.append(Placed(task, link, here, there, places(deadline, here, there, task.may_stop), near))
    return rows


def floor_s(policy: Policy, chip: Accelerator) -> float:
    """The least that a pass of a policy takes a chip."""
    assert chip.memory_bandwidth is not None
    return float(pass_floor_s(policy.reads.value, chip.memory_bandwidth.value))


def pass_s(policy: Policy, chip: str, chips: Chips, drawn: Sourced) -> Array:
    """[draws] seconds of a pass on an accelerator: measured, else its bytes over a part of the memory bandwidth."""
    if chip in policy.times:
        return drawn.column(f"policies.{policy.id}.times.{chip}", policy.times[chip])
    reads = drawn.column(f"policies.{policy.id}.reads", policy.reads)
    bandwidth = chips[chip].memory_bandwidth
    assert bandwidth is not None
    reach = drawn.column(f"policies.{policy.id}.reach", policy.reach, least=1e-3, most=1.0)
    return np.asarray(pass_floor_s(reads, bandwidth.value) / reach)


def sent(
    given: EdgeSection, chips: Chips, machines: Machines, tasks: list[Placed], at: int, drawn: Sourced
) -> tuple[Array, Array]:
    """([draws] MW at the site, were every task sent there that can be over some link to it, [draws] machines that send)."""
    watts = drawn.column("site.chip_watts", given.site.chip_watts)
    batch = drawn.column("site.batch", given.site.batch, least=1.0)
    policies = {p.id: p for p in given.policies}
    total, sends = np.zeros(len(watts)), np.zeros((len(watts), len(machines.names)))
    for task in given.tasks:
        c = machines.names.index(task.device)
        can = np.zeros(len(watts))
        for one in tasks:
            if one.task is task and one.link.chip is None:
                can = np.maximum(can, np.isin(one.where, (EITHER, AT_A_SITE)).astype(np.float64))
        served = pass_s(policies[task.policy], given.site.chip, chips, drawn)
        rate = drawn.column(f"tasks.{task.id}.passes_per_s", task.passes_per_s)
        total += site_mw_of_passes(machines.installed[:, c, at], can, machines.busy[:, c], rate, served, watts, batch)
        sends[:, c] = np.maximum(sends[:, c], can)
    return total, np.asarray((sends * machines.installed[:, :, at]).sum(axis=1))


def places_table(tasks: list[Placed]) -> Table:
    """Task by task and link by link: times, where it runs, and up to where the site is near enough."""
    rows = []
    for one in tasks:
        row: dict[str, object] = {
            "task": one.task.id,
            "link": one.link.id,
            "deadline_ms": one.task.deadline.value * 1e3,
        }
        row |= {"runs": PLACES[int(one.where[0])], **ends(one.here_s * 1e3, "on_board_ms")}
        row |= {**ends(one.there_s * 1e3, "by_site_ms"), **ends(one.near_km, "near_enough_km")}
        row |= {"on_board_only_share": float((one.where == ON_BOARD).mean())}
        row |= {"neither_share": float((one.where == NEITHER).mean()), "may_stop": one.task.may_stop}
        rows.append(row)
    columns = ("task", "link", "runs", "deadline_ms", *ended(["on_board_ms", "by_site_ms"]), "on_board_only_share",
               "neither_share", *ended(["near_enough_km"]), "may_stop")  # fmt: skip
    units = dict.fromkeys(("deadline_ms", *ended(["on_board_ms", "by_site_ms"])), "ms")
    units |= {"on_board_only_share": "share of draws", "neither_share": "share of draws"}
    units |= dict.fromkeys(ended(["near_enough_km"]), "km")
    note = (
        "From an observation to the first action that follows: a pass on board, or the last mile's round trip, the fibre there "
        "and back, the upload and a pass at the link's end. Near enough: fibre up to which the site makes the deadline."
    )
    return Table.from_rows("edge_places", rows, columns, units, "On board or at the site", note)


def said_of(tasks: list[Placed]) -> str:
    """One sentence: what may run where."""
    found: dict[str, list[str]] = {name: [] for name in PLACES}
    for one in tasks:
        found[PLACES[int(one.where[0])]].append(f"{one.task.id} over {one.link.id}")
    words = {"either": "either place will do for", "on board": "on board only", "at a site": "at the site only",
             "neither": "neither makes the deadline for"}  # fmt: skip
    said = "; ".join(f"{words[place]}: {', '.join(names)}" for place, names in found.items() if names)
    return f"{said[0].upper()}{said[1:]}."

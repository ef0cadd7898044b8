"""How a training run of a scenario is guarded against failures: the fields, and what physics takes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gigawatt.physics.chip import Box
from gigawatt.physics.reliability import (
    Effective,
    Fleet,
    Plan,
    Recovery,
    Storage,
    default_plan,
    default_storage,
    effective_training,
    state_bytes,
)
from gigawatt.physics.reliability.failures import DAY_S, node_rate_per_s
from gigawatt.study.door import Id, Multiple, Quantity, Seconds, Share, Strict

DataRate = Annotated[float, BeforeValidator(Quantity("data_rate")), Field(gt=0)]


class Reliability(Strict):
    """How often a run is interrupted and what is done about it; `auto` takes what suits its chips and its size.

    cluster: whose published rate; that of the chip's generation where auto. rate: interruptions per 1000 eight-chip nodes
    and day, in its place. factor: on the rate. fleet_age: since the fleet was taken into service; young ones fail more often.
    code: changing where features are added as the run goes. checkpoint: sync (stops the job), async (written beside it),
    tiered (copies in other hosts' memory and in the store). interval: work between snapshots. state: what is saved a parameter.
    store: bytes a second of the whole remote store. spares: chips standing by over chips of the job. repair: until a
    node is back. unit: what must stay whole, a node, or the scale-up domain; auto where tensor or expert groups span nodes.
    diagnosis: by a program or by hand. go_on: the whole job restarts, or the other data-parallel replicas go on.
    """

    cluster: Id = "auto"
    rate: Annotated[float, Field(gt=0, le=1000)] | None = None
    factor: Multiple = 1.0
    fleet_age: Seconds | Literal["settled"] = "settled"
    code: Literal["settled", "changing"] = "settled"
    checkpoint: Literal["auto", "sync", "async", "tiered"] = "auto"
    interval: Seconds | Literal["auto"] = "auto"
    state: Id = "adam"
    store: DataRate | Literal["auto"] = "auto"
    spares: Annotated[Share, Field(le=1)] | Literal["auto"] = "auto"
    repair: Seconds | Literal["auto"] = "auto"
    unit: Literal["auto", "node", "domain"] = "auto"
    diagnosis: Literal["automatic", "by hand"] = "automatic"
    go_on: Literal["restart", "replicas"] = "restart"


def guarded(
    asked: Reliability,
    chips: float,
    parameters: float,
    box: Box,
    replica_chips: float | None = None,
    group_chips: float = 1.0,
) -> Effective:
    """Effective training time of a run on `chips` chips of a box.

    Its data-parallel replicas have `replica_chips`; its tensor and expert groups span `group_chips` neighbours.

    A run of fewer than two replicas restarts whatever was asked: there is nothing that could go on.

    Raises:
        InputError: settings that contradict each other (checkpoints more often than they can be written).
    """
    return effective_training(
        chips,
        state_bytes(parameters, asked.state),
        plan=plan_of(asked, chips, box, replica_chips, group_chips),
        fleet=fleet_of(asked, box),
        storage=storage_of(asked),
    )


def fleet_of(asked: Reliability, box: Box) -> Fleet:
    """Whose rates of failure."""
    known = "" if asked.cluster == "auto" else asked.cluster
    factor = asked.factor
    if asked.rate is not None:
        known = "default"
        factor *= asked.rate / (node_rate_per_s(known) * 1000.0 * DAY_S)
    fleet = Fleet(cluster=known, generation=box.chip.generation, code=asked.code, factor=factor)
    return fleet if asked.fleet_age == "settled" else replace(fleet, age_days=asked.fleet_age / DAY_S)


def plan_of(
    asked: Reliability, chips: float, box: Box, replica_chips: float | None = None, group_chips: float = 1.0
) -> Plan:
    """The plan for a size: what a practitioner would use, where the scenario says nothing."""
    usual = default_plan(chips)
    node, domain = float(box.chips_per_node), float(box.chip.scaleup_domain)
    whole = asked.unit == "domain" or (asked.unit == "auto" and group_chips > node)
    several = replica_chips is not None and chips >= 2 * replica_chips
    return replace(
        usual,
        checkpoint=usual.checkpoint if asked.checkpoint == "auto" else asked.checkpoint,
        interval_s=usual.interval_s if asked.interval == "auto" else asked.interval,
        spares=usual.spares if asked.spares == "auto" else asked.spares,
        repair_s=usual.repair_s if asked.repair == "auto" else asked.repair,
        unit_chips=node,
        domain_chips=domain if whole else 0.0,
        go_on=asked.go_on if several else "restart",
        replica_chips=replica_chips,
        recovery=usual.recovery if asked.diagnosis == "automatic" else Recovery(asked.diagnosis, warm_spares=False),
    )


def storage_of(asked: Reliability) -> Storage:
    """Bytes per second of the tiers."""
    usual = default_storage()
    return usual if asked.store == "auto" else replace(usual, remote_total_bytes_per_s=asked.store)

"""Names of platforms, accelerators and fabrics as networks: records looked up, overrides applied, assumptions told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, Problems, unknown_name
from gigawatt.physics.chip import Chip
from gigawatt.physics.fabric import Fabric, default_fabric, fabric_from_record
from gigawatt.physics.fabric.constants import packaged
from gigawatt.physics.fabric.design import NET_CLASS
from gigawatt.study.net.question import MOE, Overrides, Question
from gigawatt.study.network import balanced_within, scaleup_of
from gigawatt.study.plugged import models_said

GBIT = 8e-9


@dataclass(frozen=True, slots=True)
class Assumed:
    """Something taken for the user: what, as which value, why or on whose word."""

    what: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Wired:
    """A platform (or an accelerator alone) on a fabric, ready for collectives.

    `record` is the fabric's, None where the chip's default is taken; `platform` is None where an accelerator was named.
    """

    label: str
    on: str
    fabric: Fabric
    chip: Chip
    rack: int
    platform: Any
    record: Any
    assumed: tuple[Assumed, ...]


def wire(question: Question, catalog: Catalog, told: Problems | None = None) -> tuple[Wired, ...]:
    """Every platform with every fabric of the question.

    Raises:
        InputError: unknown ids, facts that are missing, a domain larger than what is wired: all of them; unless `told` is
            given, which then gets them.
    """
    alone, found = told is None, []
    told = Problems() if told is None else told
    known = catalog.ids("fabric")
    told.extend(unknown_name("fabric", name, known) for name in question.fabrics if name not in known)
    for name in question.on:
        try:
            platform, chip, node = _named(name, catalog)
        except InputError as error:
            told.extend(error.problems)
            continue
        own = (str(platform.fabric),) if platform is not None else ("",)
        for fabric in question.fabrics or own:
            if fabric and fabric not in known:
                continue
            try:
                found.append(_wired(name, platform, chip, node, fabric, question, catalog))
            except InputError as error:
                told.extend(error.problems)
    if alone:
        told.raise_if_any()
    return tuple(found)


def _named(name: str, catalog: Catalog) -> tuple[Any, Chip, int]:
    """(platform or None, chip as wired, chips of a host)."""
    platforms, chips = catalog.ids("platform"), catalog.ids("accelerator")
    if name in platforms:
        platform = catalog.get("platform", name)
        chip = _chip(catalog.get("accelerator", platform.accelerator))
        return platform, replace(chip, scaleup_domain=int(platform.scaleup_domain)), int(platform.chips_per_node)
    if name not in chips:
        raise InputError(unknown_name("platform or accelerator", name, [*platforms, *chips]))
    chip = _chip(catalog.get("accelerator", name))
    hosts = [platform.chips_per_node for platform in catalog.platforms_of(name)]
    return None, chip, int(min(hosts, default=min(8, max(1, chip.scaleup_domain))))


def _chip(record: Any) -> Chip:
    """What a network needs of an accelerator; memory, watts and peaks may be unpublished.

    Raises:
        InputError: several chips share a scale-up network whose rate nobody has published.
    """
    if record.scaleup_bandwidth is None and record.scaleup_domain > 1:
        hint = f"give it in an overlay: a file accelerator/{record.id}.yaml that says `extends: {record.id}`"
        said = f"accelerator '{record.id}' has no published scaleup_bandwidth"
        raise InputError(Problem("missing_fact", said, None, (hint,)))
    return Chip(
        name=record.id,
        vendor=record.vendor,
        generation=record.generation,
        stack=record.stack,
        peak_flops={},
        memory_bytes=0.0,
        memory_bytes_per_s=0.0,
        scaleup_bytes_per_s=0.0 if record.scaleup_bandwidth is None else float(record.scaleup_bandwidth.value),
        scaleup_domain=int(record.scaleup_domain),
        nic_bytes_per_s=0.0 if record.nic_bandwidth is None else float(record.nic_bandwidth.value),
        tdp_w=0.0,
    )


def _wired(name: str, platform: Any, chip: Chip, node: int, fabric: str, question: Question, catalog: Catalog) -> Wired:
    record = catalog.get("fabric", fabric) if fabric else None
    if record is None:
        made = default_fabric(chip, node=node)
    else:
        made = fabric_from_record(record, chip, node=node, scaleup=scaleup_of(platform, catalog))
    made = _changed(made, name, question.overrides)
    if question.per_domain is not None and question.per_domain > made.domain:
        said = f"--per-domain {question.per_domain}: a scale-up domain of '{name}' holds {made.domain} chips"
        raise InputError(Problem("out_of_range", said, None, (f"at most {made.domain}",)))
    several = len(question.fabrics) > 1
    label = f"{name} on {fabric}" if several else name
    if record is not None and made.routing == "ecmp":
        made = _hashed(made, int(record.reference_endpoints), question)
    assumed = tuple(_assumptions(name, platform, chip, made, record, question))
    rack = int(platform.chips_per_rack) if platform is not None else made.domain
    return Wired(label, name, made, chip, rack, platform, record, assumed)


def _hashed(fabric: Fabric, endpoints: int, question: Question) -> Fabric:
    """The fabric with what hashing leaves of its NICs, as a plan takes it: on a network of the record's usual size."""
    inside = bool(question.chips) and max(question.chips) <= fabric.domain and question.per_domain is None
    if inside and not question.layout:
        return fabric
    return balanced_within(fabric, endpoints)


def _changed(fabric: Fabric, name: str, changes: Overrides) -> Fabric:
    """The fabric with the question's overrides."""
    if changes.domain is not None:
        if changes.domain > fabric.domain:
            said = f"--domain {changes.domain}: '{name}' wires {fabric.domain} chips into a scale-up domain"
            raise InputError(Problem("out_of_range", said, None, (f"at most {fabric.domain}, or another platform",)))
        fabric = fabric.with_domain(changes.domain)
    if changes.nic_bytes_per_s is not None:
        nic = changes.nic_bytes_per_s
        port = min(fabric.port_bytes_per_s, nic)
        fabric = replace(
            fabric,
            nic_bytes_per_s=nic,
            port_bytes_per_s=port,
            ports_per_pair=max(1, round(nic / port)),
            nic_stated=True,
        )
    given: dict[str, Any] = {
        "ports_per_pair": changes.ports_per_pair,
        "oversubscription": changes.oversubscription,
        "tiers": changes.tiers,
        "planes": changes.planes,
        "sharp": changes.sharp,
    }
    return replace(fabric, **{field: value for field, value in given.items() if value is not None})


def _assumptions(
    name: str, platform: Any, chip: Chip, fabric: Fabric, record: Any, question: Question
) -> list[Assumed]:
    nic = f"{fabric.nic_bytes_per_s * GBIT:,.0f} Gb/s a chip"
    out = []
    if record is None:
        value = f"{fabric.technology}, {fabric.tiers} tiers"
        out.append(Assumed("fabric", value, f"none is named for {name}; --fabric names one"))
    elif platform is not None and not question.fabrics:
        out.append(Assumed("fabric", fabric.name, f"the one that {name} comes with; --fabric names another"))
    if not fabric.nic_stated:
        out.append(Assumed("NIC rate", nic, "no source states it: the band is wider; --nic states it"))
    elif question.overrides.nic_bytes_per_s is None:
        why = f"of {fabric.name}" if record is not None else f"of {chip.name}"
        if record is not None and 0 < chip.nic_bytes_per_s < float(record.nic_bandwidth.value):
            why = f"of {chip.name}, which is slower than the fabric's"
        out.append(Assumed("NIC rate", nic, f"{why}; --nic states another"))
    if fabric.collective_model:
        out += [Assumed(*row[:3]) for row in models_said(None, record)]
    kinds = set(question.collectives)
    if kinds & {"all_to_all"} and question.overrides.ports_per_pair is None:
        ports = max(1, round(fabric.nic_bytes_per_s / fabric.port_bytes_per_s))
        why = "NCCL from 2.28 on uses all ports, earlier ones a single one; --ports-per-pair says which"
        out.append(Assumed("ports that a pair uses", f"{fabric.ports_per_pair} of {ports}", why))
    if record is not None and record.sharp and "all_reduce" in kinds and question.overrides.sharp is None:
        why = "the fabric's switches can, NCCL has it off unless asked (NCCL_COLLNET_ENABLE); --sharp turns it on"
        out.append(Assumed("reduction in the switches", "off", why))
    if fabric.ring_share < 1 or fabric.exchange_share < 1:
        value = f"{100 * fabric.ring_share:.0f} % of the NIC to rings, {100 * fabric.exchange_share:.0f} % to exchanges"
        out.append(
            Assumed("load balance", value, f"{fabric.name} hashes flows to paths; --flows checks it at your size")
        )
    if kinds & set(MOE) and fabric.generation in ("blackwell", "blackwell-ultra", "rubin") and fabric.domain > 1:
        fit = packaged()
        as_hopper, as_told = (f"{100 * fit[f'moe_scaleup_{name}']:.0f} %" for name in ("hopper", "blackwell"))
        why = f"as measured on Hopper; Blackwell's one table is of a library that engines do not run by default ({as_told})"
        out.append(Assumed("links that experts' kernels fill", as_hopper, why))
    fitted = NET_CLASS[fabric.technology]
    if fitted != fabric.technology:
        out.append(Assumed("constants", fitted, f"none are fitted to {fabric.technology}"))
    elif fitted == "efa":
        step = f"{packaged()['lat_efa'] * 1e6:.0f} us"
        out.append(Assumed("latency of a network step", step, "EFA was not fitted: half of what its plugin tells NCCL"))
    if fabric.scaleup == "torus":
        out.append(Assumed("torus", f"{fabric.torus_dims} dimensions", "no measured table: wires and shares of links"))
    return out

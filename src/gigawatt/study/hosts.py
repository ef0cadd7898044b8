"""Names of platforms and accelerators as places to run on: chips, network, watts beside the chips, software.

rack input of a chip = (chips x chip W + hosts, switches, NICs, fans, storage) / supply efficiency / chips + its share
                       of the scale-out network
meter                = rack input x PUE of the facility on its design day
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, Problems, unknown_name
from gigawatt.core.table import Table
from gigawatt.physics.chip import Box, PowerMode, box_from_record, chip_from_record
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.power import capped
from gigawatt.physics.chip.software import families_of, support
from gigawatt.physics.fabric import Fabric, default_fabric, fabric_from_record
from gigawatt.physics.site import balance, chain_from_record
from gigawatt.physics.training.calibration import MEASURED
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.network import balanced_within, fabric_of, network_of
from gigawatt.study.plugged import models_said

Floats = NDArray[np.float64]
FULL = PowerMode("full", 1.0, 1.0)
Task = Literal["serving", "training"]
# Precisions worth trying where none is asked for, narrowest first, and the peak that each needs of a chip: chips that scale
# blocks (MXFP8) are those with a 4-bit peak. Training in 4 bit changes the recipe of a model, so it is tried by name alone.
PRECISIONS: dict[Task, dict[str, str]] = {
    "serving": {"fp4": "fp4", "fp8": "fp8", "bf16": "bf16"},
    "training": {"mxfp8": "fp4", "fp8": "fp8", "bf16": "bf16"},
}


@dataclass(frozen=True, slots=True)
class Cap:
    """A power setting: a mode of the platform by name, a share of the chip's limit, or watts; one of them."""

    mode: str = ""
    share: float = 0.0
    watts: float = 0.0


class Asks(Protocol):
    """What a question says about the places it is asked of."""

    @property
    def on(self) -> tuple[str, ...]: ...
    @property
    def precisions(self) -> tuple[str, ...]: ...
    @property
    def caps(self) -> tuple[Cap, ...]: ...
    @property
    def maturity(self) -> float | None: ...
    @property
    def fabric(self) -> str: ...
    @property
    def facility(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Assumed:
    """Something taken for the user: what, as which value, why or on whose word."""

    what: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Host:
    """A platform, or an accelerator alone, ready to run; `place` is its id in the catalog.

    `beside_w` are the watts that stand beside the chips of a rack and `network_w` those of a chip's scale-out network; None
    where no platform says them, so that only chip watts are known; nor is there a `box` then. `refusal` says why the model can
    not run here.
    """

    label: str
    place: str
    chip: Chip
    fabric: Fabric
    modes: tuple[PowerMode, ...]
    precisions: tuple[str, ...]
    speed: float
    rack_chips: int
    beside_w: float | None
    network_w: float | None
    supply_efficiency: float
    pue: float
    assumed: tuple[Assumed, ...] = ()
    refusal: tuple[str, str] | None = None
    box: Box | None = None

    def it_w(self, chip_w: Floats) -> Floats:
        """Watts of a chip at the rack's input; NaN where no platform is known."""
        if self.beside_w is None or self.network_w is None:
            return np.full_like(chip_w, np.nan)
        return (chip_w + self.beside_w / self.rack_chips) / self.supply_efficiency + self.network_w

    def it_or_chip_w(self, chip_w: Floats) -> Floats:
        """Watts at the rack's input where they are known, else the chip's own."""
        return chip_w if self.beside_w is None else self.it_w(chip_w)

    def meter_w(self, chip_w: Floats) -> Floats:
        """Watts of a chip at the meter."""
        return self.it_w(chip_w) * self.pue


def hosts_of(
    question: Asks, arch: Architecture, catalog: Catalog, told: Problems, task: Task = "serving"
) -> tuple[Host, ...]:
    """Every platform of the question; what is wrong goes to `told`."""
    found = []
    facility = None
    try:
        facility = catalog.get("facility", question.facility)
    except InputError as error:
        told.extend(error.problems)
    if question.fabric and question.fabric not in catalog.ids("fabric"):
        told.extend([unknown_name("fabric", question.fabric, catalog.ids("fabric"))])
        return ()
    for name in question.on:
        try:
            made = _host(name, question, arch, catalog, task)
        except InputError as error:
            told.extend(error.problems)
            continue
        if facility is not None:
            pue = float(balance(1.0, chain_from_record(facility)).meter_w)
            found.append(replace(made, pue=pue))
    return tuple(found)


def platform_of(accelerator: str, catalog: Catalog) -> str:
    """The first platform in the order of ids that holds an accelerator; '' where none does."""
    return next((str(one.id) for one in catalog.platforms_of(accelerator)), "")


def _host(name: str, question: Asks, arch: Architecture, catalog: Catalog, task: Task) -> Host:
    platforms, chips = catalog.ids("platform"), catalog.ids("accelerator")
    assumed: list[Assumed] = []
    if name not in platforms and name not in chips:
        raise InputError(unknown_name("platform or accelerator", name, [*platforms, *chips]))
    place = name if name in platforms else platform_of(name, catalog)
    if place != name:
        why = (
            "the accelerator alone has no hosts, fans and switches" if place else "no platform of the catalog holds it"
        )
        assumed.append(Assumed("platform", place or "none: chip watts only", why))
    if not place:
        return _alone(name, question, catalog, assumed, task)
    platform = catalog.get("platform", place)
    accelerator = catalog.get("accelerator", platform.accelerator)
    box = box_from_record(platform, accelerator)
    _check_links(accelerator, box.chip)
    fabric_id = question.fabric or str(platform.fabric)
    record = catalog.get("fabric", fabric_id)
    if not question.fabric:
        assumed.append(Assumed("fabric", fabric_id, f"the one that {place} comes with; --fabric names another"))
    assumed += [Assumed(*row[:3]) for row in models_said(accelerator, record)]
    level = getattr(platform.software, task)
    # A generation whose own rows training was fitted to carries its software in those constants.
    fitted = task == "training" and accelerator.generation in MEASURED
    speed = 1.0 if fitted else float(level.value)
    found = support(accelerator.stack, families_of(arch), task, catalog)
    refusal = (found.note, "another platform; 'gigawatt catalog list framework' says what runs where")
    if found.note and not found.runs and not found.refused:
        assumed.append(Assumed("software", "runs", found.note))
    if question.maturity is None and speed != 1:
        assumed.append(Assumed("software speed", f"{speed:g} of CUDA's", f"{level.source}; --maturity states another"))
    network_w = float(network_of(record, platform, accelerator, catalog).power.value)
    return Host(
        label=name,
        place=place,
        chip=box.chip,
        fabric=fabric_of(record, platform, box, catalog),
        modes=_modes(question.caps, box.modes, box.chip, name),
        precisions=_precisions(question.precisions, box.chip, assumed, task),
        speed=speed if question.maturity is None else question.maturity,
        rack_chips=box.chips,
        beside_w=box.host_w + box.fabric_w + box.nic_w + box.fan_w,
        network_w=network_w,
        supply_efficiency=box.supply_efficiency,
        pue=1.0,
        assumed=tuple(assumed),
        refusal=refusal if found.refused else None,
        box=box,
    )


def _check_links(record: Any, chip: Chip) -> None:
    """Chips that share a scale-up network whose rate is known.

    Raises:
        InputError: nobody has published it.
    """
    if record.scaleup_bandwidth is None and chip.scaleup_domain > 1:
        hint = f"give it in an overlay: a file accelerator/{record.id}.yaml that says `extends: {record.id}`"
        said = f"accelerator '{record.id}' has no published scaleup_bandwidth"
        raise InputError(Problem("missing_fact", said, None, (hint,)))


def _alone(name: str, question: Asks, catalog: Catalog, assumed: list[Assumed], task: Task) -> Host:
    """An accelerator that no platform holds: its default network, and no watts but its own."""
    chip = chip_from_record(catalog.get("accelerator", name))
    _check_links(catalog.get("accelerator", name), chip)
    assumed += [Assumed(*row[:3]) for row in models_said(catalog.get("accelerator", name))]
    node = min(8, max(1, chip.scaleup_domain))
    if question.fabric:
        record = catalog.get("fabric", question.fabric)
        fabric = balanced_within(fabric_from_record(record, chip, node=node), record.reference_endpoints or node)
    else:
        fabric = default_fabric(chip, node=node)
        assumed.append(
            Assumed("fabric", f"{fabric.technology}, {fabric.tiers} tiers", "none is named; --fabric names one")
        )
    return Host(
        label=name,
        place=name,
        chip=chip,
        fabric=fabric,
        modes=_modes(question.caps, (FULL,), chip, name),
        precisions=_precisions(question.precisions, chip, assumed, task),
        speed=1.0 if question.maturity is None else question.maturity,
        rack_chips=node,
        beside_w=None,
        network_w=None,
        supply_efficiency=1.0,
        pue=1.0,
        assumed=tuple(assumed),
    )


def _precisions(asked: Sequence[str], chip: Chip, assumed: list[Assumed], task: Task) -> tuple[str, ...]:
    """Those asked for, else those that the chip has a peak for; bf16 always runs."""
    have = tuple(name for name, peak in PRECISIONS[task].items() if peak in chip.peak_flops or name == "bf16")
    if not asked:
        assumed.append(Assumed("precision", ", ".join(have), "what the chip computes in; --precision names some"))
        return have
    return tuple(asked)


def _modes(caps: Sequence[Cap], modes: Sequence[PowerMode], chip: Chip, name: str) -> tuple[PowerMode, ...]:
    """The power modes asked for, else all of the platform.

    Raises:
        InputError: no mode of that name, or a cap beyond what is known.
    """
    if not caps:
        return tuple(modes)
    found, told = [], Problems()
    known = {mode.name: mode for mode in modes}
    for cap in caps:
        if cap.mode:
            if cap.mode in known:
                found.append(known[cap.mode])
            else:
                told.extend([unknown_name(f"power mode of {name}", cap.mode, known)])
            continue
        share = cap.share or cap.watts / chip.tdp_w
        try:
            found.append(capped(share, f"{share * chip.tdp_w:.0f} W"))
        except InputError as error:
            told.extend(error.problems)
    told.raise_if_any()
    return tuple(found)


def assumed_table(facility: str, hosts: Sequence[Host], defaults: Sequence[Assumed]) -> Table:
    """What was taken for the user, host by host; `facility` is where the racks stand."""
    rows = [{"platform": "all", "what": a.what, "value": a.value, "why": a.why} for a in defaults]
    for host in hosts:
        rows += [{"platform": host.label, "what": a.what, "value": a.value, "why": a.why} for a in host.assumed]
        if host.beside_w is not None:
            value = f"{host.beside_w / host.rack_chips:,.0f} W beside a chip, PUE {host.pue:.3f}"
            why = f"hosts, switches, NICs, fans of the platform; {facility} on its design day; --facility"
            rows.append({"platform": host.label, "what": "power", "value": value, "why": why})
    return Table.from_rows("assumed", rows, ("platform", "what", "value", "why"), {}, "Assumed for you")

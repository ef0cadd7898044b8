"""Names of platforms and accelerators as places to serve on: chips, network, watts beside the chips, software.

rack input of a chip = (chips x chip W + hosts, switches, NICs, fans, storage) / supply efficiency / chips + its share
                       of the scale-out network
meter                = rack input x PUE of the facility on its design day
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, Problems, unknown_name
from gigawatt.physics.chip import PowerMode, box_from_record, chip_from_record
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.power import capped
from gigawatt.physics.chip.software import families_of, support
from gigawatt.physics.fabric import Fabric, default_fabric, fabric_from_record
from gigawatt.physics.site import balance, chain_from_record
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.network import balanced_within, fabric_of, network_of
from gigawatt.study.serve.question import PRECISIONS, Cap, Question

Floats = NDArray[np.float64]
FULL = PowerMode("full", 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Assumed:
    """Something taken for the user: what, as which value, why or on whose word."""

    what: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Host:
    """A platform, or an accelerator alone, ready to serve; `place` is its id in the catalog.

    `beside_w` are the watts that stand beside the chips of a rack and `network_w` those of a chip's scale-out network; None
    where no platform says them, so that only chip watts are known. `refusal` says why the model can not run here.
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


def hosts_of(question: Question, arch: Architecture, catalog: Catalog, told: Problems) -> tuple[Host, ...]:
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
            made = _host(name, question, arch, catalog)
        except InputError as error:
            told.extend(error.problems)
            continue
        if facility is not None:
            pue = float(balance(1.0, chain_from_record(facility)).meter_w)
            found.append(replace(made, pue=pue))
    return tuple(found)


def platform_of(accelerator: str, catalog: Catalog) -> str:
    """The first platform in the order of ids that holds an accelerator; '' where none does."""
    ids = catalog.ids("platform")
    return next((name for name in ids if catalog.get("platform", name).accelerator == accelerator), "")


def _host(name: str, question: Question, arch: Architecture, catalog: Catalog) -> Host:
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
        return _alone(name, question, catalog, assumed)
    platform = catalog.get("platform", place)
    accelerator = catalog.get("accelerator", platform.accelerator)
    box = box_from_record(platform, accelerator)
    _check_links(accelerator, box.chip)
    fabric_id = question.fabric or str(platform.fabric)
    record = catalog.get("fabric", fabric_id)
    if not question.fabric:
        assumed.append(Assumed("fabric", fabric_id, f"the one that {place} comes with; --fabric names another"))
    level = platform.software.serving
    found = support(accelerator.stack, families_of(arch), "serving", catalog)
    refusal = (found.note, "another platform; 'gigawatt catalog list framework' says what runs where")
    if found.note and not found.runs and not found.refused:
        assumed.append(Assumed("software", "runs", found.note))
    if question.maturity is None and level.value != 1:
        assumed.append(
            Assumed("software speed", f"{level.value:g} of CUDA's", f"{level.source}; --maturity states another")
        )
    network_w = float(network_of(record, platform, accelerator, catalog).power.value)
    return Host(
        label=name,
        place=place,
        chip=box.chip,
        fabric=fabric_of(record, platform, box, catalog),
        modes=_modes(question.caps, box.modes, box.chip, name),
        precisions=_precisions(question.precisions, box.chip, assumed),
        speed=float(level.value) if question.maturity is None else question.maturity,
        rack_chips=box.chips,
        beside_w=box.host_w + box.fabric_w + box.nic_w + box.fan_w,
        network_w=network_w,
        supply_efficiency=box.supply_efficiency,
        pue=1.0,
        assumed=tuple(assumed),
        refusal=refusal if found.refused else None,
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


def _alone(name: str, question: Question, catalog: Catalog, assumed: list[Assumed]) -> Host:
    """An accelerator that no platform holds: its default network, and no watts but its own."""
    chip = chip_from_record(catalog.get("accelerator", name))
    _check_links(catalog.get("accelerator", name), chip)
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
        precisions=_precisions(question.precisions, chip, assumed),
        speed=1.0 if question.maturity is None else question.maturity,
        rack_chips=node,
        beside_w=None,
        network_w=None,
        supply_efficiency=1.0,
        pue=1.0,
        assumed=tuple(assumed),
    )


def _precisions(asked: Sequence[str], chip: Chip, assumed: list[Assumed]) -> tuple[str, ...]:
    """Those asked for, else those that the chip has a peak for; bf16 always runs."""
    have = tuple(name for name in PRECISIONS if name in chip.peak_flops or name == "bf16")
    if not asked:
        assumed.append(Assumed("precision", ", ".join(have), f"what {chip.name} computes in; --precision names some"))
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

"""Published power facts that are no serving run: kernels, training nodes, racks and systems of many chips.

Kernels come from the watts of one operator; nodes and systems from the chip's power over a step and the platform's parts in
the catalog: utilisation -> chip watts -> rack watts -> meter.
For the wall watts of one kind of node a constant per chip (the `null_mape` of a group) is as good as any model, as published
nodes differ by a few percent; what the model adds is other chips, coolings and node counts. Facts that no power model of ours
answers (water of a fleet, most savings, shares, prices, carbon) are skipped. PUE of fleets on file: `fleet_pue`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from gigawatt.core.errors import GigawattError
from gigawatt.physics.chip import Box, Chip, box_from_record, box_watts, chip_from_record, chip_watts
from gigawatt.physics.chip.clocks import locked
from gigawatt.physics.chip.kernel_power import floor_w, operator_watts
from gigawatt.physics.chip.node import node_of
from gigawatt.study.network import network_of
from gigawatt.study.site.allin import hall_factor
from gigawatt.validation.base import Prediction
from gigawatt.validation.fleet_pue import pue_of_subject
from gigawatt.validation.power_training import training_node
from gigawatt.validation.serving import banded
from gigawatt.validation.serving_models import catalog, chip_of

# Kernels by what a fact says of them: kind of operator, share of the peak and of the bandwidth it reaches. Products at 0.65 and
# streaming at 0.8 are what calibration chip-gemm predicts of large shapes; attention kernels reach a quarter of the peak.
KERNELS: tuple[tuple[str, str, float, float, str], ...] = (
    (r"gemm.*m\s*(>|&gt;)", "gemm", 0.65, 0.1, "large products"),
    (r"gemm.*(m\s*<=|m\s*=\s*1)", "gemm", 0.01, 0.8, "weights streamed"),
    (r"prefill", "prefill", 0.25, 0.02, "attention over prompts"),
    (r"decode", "decode", 0.0, 0.7, "attention over the cache"),
)
# Of the share of the peak that wider precisions reach (assumed; the power limit: `clocks.sustained_share`).
FP4_SHARE = 0.8
TRAINING = (0.4, 0.5)
# Strong scaling of other models: at n nodes each chip does an n-th of the work of a step while messages, loading and evaluation
# take as long as before, so it waits r n / (1 + r n) of the time. r, of one node, is estimated from three published runs of
# convolutional models on 8 and 9 nodes. Language models come from the step model (`power_training`).
WAITING_OVER_WORK = 0.25
NO_FANS = re.compile(r"immersion|\bdlc\b|sr780|sustainable metal", re.IGNORECASE)  # liquid takes the heat
GATHERS = (0.05, 0.4)  # recommendation and graph models: table look-ups, small products (assumed)
MIXED_BOUND = 0.3  # share of a mixed workload's time that follows the core clock, and its draw (assumed)
MIXED_DRAW = 0.8
FACT_HALF_WIDTH = 0.3
PUE_HALF_WIDTH = 0.05
NO_MODEL = "no power model answers this fact"


@lru_cache(maxsize=64)
def box_of(chip_name: str) -> Box | None:
    """The first platform of the catalog that holds the chip."""
    for record in catalog().platforms_of(chip_name)[:1]:
        try:
            return box_from_record(record, catalog().get("accelerator", chip_name))
        except GigawattError:
            return None
    return None


def node_watts(chip: Chip, chip_w: float, chips: float, fans: bool = True) -> float | None:
    """Input watts of the rack positions that hold `chips` chips at `chip_w` each; None where no platform holds the chip."""
    box = box_of(chip.name)
    if box is None:
        return None
    node = node_of(box, fans)
    return float(box_watts(node, chip_w).total_w) / node.chips * chips


def waiting_share(text: str) -> float:
    """Share of a training step that a chip waits for messages, from the nodes a text names.

    >>> waiting_share("1x node 8x H100"), round(waiting_share("8 nodes 8x H100, resnet"), 2)
    (0.0, 0.67)
    """
    found = re.search(r"(\d+) nodes", text)
    if not found:
        return 0.0
    ratio = WAITING_OVER_WORK * float(found[1])
    return ratio / (1.0 + ratio)


def published_fact(identity: str, metric: str, subject: str, work: str, unit: str = "", source: str = "") -> Prediction:
    """One fact from the chip and its platform, or a skip with its reason."""
    if metric.lower() == "pue" and (pue := pue_of_subject(subject)) is not None:
        note = "designs and climates that public sources describe"
        return Prediction(
            identity, metric, pue, pue - PUE_HALF_WIDTH, pue + PUE_HALF_WIDTH, note, group="PUE of fleets"
        )
    chip, unknown = _subject(subject, work)
    group = f"published: {unit or 'value'}"
    value, note = (None, NO_MODEL) if unknown else _value(metric.lower(), f"{subject} {work}", unit, chip, source)
    return banded(identity, metric, value, FACT_HALF_WIDTH, note, group, True)


def _subject(subject: str, work: str) -> tuple[Chip, str]:
    """The chip that a fact speaks of: named in its subject or its workload, or the one of the platform that it names."""
    chip, unknown = chip_of(subject or work)
    if unknown and work and not chip_of(work)[1]:
        return chip_of(work)
    if unknown:
        name = re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")
        if name in catalog().ids("platform"):
            return chip_from_record(catalog().get("accelerator", catalog().get("platform", name).accelerator)), ""
    return chip, unknown


def _value(metric: str, text: str, unit: str, chip: Chip, source: str) -> tuple[float | None, str]:
    if unit == "W" and "gpu power" in metric:
        return _kernel(metric, text, chip)
    if unit == "W" and ("node power" in metric or "wall power" in metric or "ac power" in metric):
        return _node(metric, text, chip, not NO_FANS.search(f"{text} {source}"), source)
    if metric == "mean power / tdp":
        return _share_of_rating(chip), "a node in training over its rating"
    if speed := re.search(r"energy saving at >=(\d+)% performance", metric):
        note = f"a locked clock on work of which {MIXED_BOUND:.0%} follows it (assumed)"
        return _profile_saving(chip, float(speed[1]) / 100.0), note
    if metric == "all_in_utility_kw_per_gpu":
        full = meter_watts_per_chip(chip)
        return (None if full is None else full / 1e3), "chip at its limit, platform's parts, network, facility"
    if metric == "power" and unit in ("MW", "kW"):
        return _system(text, chip, 1e6 if unit == "MW" else 1e3)
    return None, NO_MODEL


def _node(metric: str, text: str, chip: Chip, fans: bool, source: str) -> tuple[float | None, str]:
    """Wall watts of a node of eight chips."""
    cooling = "" if fans else ", no fans"
    if "max" in metric:
        return node_watts(
            chip, chip.tdp_w, 8.0, fans
        ), "eight chips at their limit, with the platform's parts" + cooling
    if found := training_node(text, chip, source):
        shares = f"{found.compute_share:.0%} of a step in products, {found.message_share:.0%} waiting for messages"
        return node_watts(chip, found.chip_w, 8.0, fans), f"{shares}, by the step model{cooling}"
    waits = waiting_share(text)
    work = GATHERS if re.search(r"dlrm|gat\b", text) else TRAINING
    chip_w = float(chip_watts(chip, *work, comm_share=waits))
    note = (
        f"eight chips at {work[0]:.0%} of their peak, {waits:.0%} of the time waiting for messages (assumed){cooling}"
    )
    return node_watts(chip, chip_w, 8.0, fans), note


def _share_of_rating(chip: Chip) -> float | None:
    """Input of a node in training over the maximum that its platform is rated for."""
    box = box_of(chip.name)
    rated = None if box is None else catalog().get("platform", box.name).node_power_rated
    node = node_watts(chip, float(chip_watts(chip, *TRAINING)), 8.0)
    return None if rated is None or node is None else node / float(rated.value)


def _system(text: str, chip: Chip, scale: float) -> tuple[float | None, str]:
    """Watts over `scale` of the chips a text counts, in training; of the chip's platform at its limit where it counts none."""
    if count := chips_in(text):
        full, note = node_watts(chip, float(chip_watts(chip, *TRAINING)), count), "chips at 40 % of their peak"
    else:
        box = box_of(chip.name)
        full, note = (None if box is None else node_watts(chip, chip.tdp_w, box.chips)), "a system at its limit"
    return (None if full is None else full / scale), note


def meter_watts_per_chip(chip: Chip) -> float | None:
    """Watts at the meter for each chip at its limit: platform, scale-out network and the hall its cooling needs.

    The hall counts with a year's mean, as published all-in figures multiply by an annual PUE.
    """
    box = box_of(chip.name)
    if box is None:
        return None
    platform = catalog().get("platform", box.name)
    fabric, accelerator = catalog().get("fabric", platform.fabric), catalog().get("accelerator", platform.accelerator)
    network = network_of(fabric, platform, accelerator, catalog())
    rack_w = float(box_watts(box, chip.tdp_w).total_w) + box.chips * network.power.value
    return rack_w * _hall_factor(platform.cooling) / box.chips


@lru_cache(maxsize=2)
def _hall_factor(cooling: str) -> float:
    return hall_factor(cooling, catalog())


def _profile_saving(chip: Chip, speed: float) -> float:
    """Percent of energy that a clock saves at which mixed work keeps `speed` of its speed."""
    draw_w = MIXED_DRAW * chip.tdp_w
    clock = MIXED_BOUND / (1.0 / speed - 1.0 + MIXED_BOUND)
    return 100.0 * (1.0 - float(locked(chip, 1.0, draw_w, clock, MIXED_BOUND).joules) / draw_w)


def _kernel(metric: str, text: str, chip: Chip) -> tuple[float | None, str]:
    words = f"{metric} {text}".lower()
    if re.search(r"power floor|idle", words):
        return floor_w(chip), "waiting with clocks up"
    row = next((row for row in KERNELS if re.search(row[0], words)), None)
    if row is None:
        return None, NO_MODEL
    _, family, compute, memory, note = row
    precision = "fp4" if "fp4" in words else "fp8" if "fp8" in words else "bf16"
    kind = f"{family}/{precision if family in ('gemm', 'moe') else precision.replace('fp4', 'fp8')}"
    share = compute * (FP4_SHARE if precision == "fp4" else 1.0)
    return float(operator_watts(chip, share, memory, kind).watts), f"{note}, {kind}"


def chips_in(text: str) -> float:
    """How many accelerators a text speaks of; 0 where it names none.

    >>> chips_in("9,216 TPU7x"), chips_in("100k H100 (Jul 2024)"), chips_in("system")
    (9216.0, 100000.0, 0.0)
    """
    found = re.search(r"(\d[\d,]*)(k?)\s*x?\s*(?:[bh]\d00|gpu|tpu|mi\d{3})", text.lower())
    return float(found[1].replace(",", "")) * (1000.0 if found[2] else 1.0) if found else 0.0

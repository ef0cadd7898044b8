"""Published power facts that are no serving run: kernels, training nodes, racks and systems of many chips.

All come from the chip's power model and the platform's parts in the catalog: utilisation -> chip watts -> rack watts -> meter.
Facts that no power model of ours answers (PUE and water of a fleet, savings claimed, shares, prices, carbon) are skipped.
"""

from __future__ import annotations

import re
from functools import lru_cache

from gigawatt.core.errors import GigawattError
from gigawatt.physics.chip import Box, Chip, box_from_record, box_watts, chip_watts
from gigawatt.validation.base import Prediction
from gigawatt.validation.serving import banded
from gigawatt.validation.serving_models import catalog, chip_of

# Utilisation of a chip by kind of work: (arithmetic, memory bandwidth), shares of the data-sheet peak. Assumed; large products
# and streaming reach what the serving calibration calls compute_share and bandwidth_weights, training the usual 40 % of peak.
UTILISATION: tuple[tuple[str, float, float, str], ...] = (
    (r"gemm.*m\s*(>|&gt;)", 0.65, 0.2, "large products"),
    (r"gemm.*(m\s*<=|m\s*=\s*1)", 0.0, 0.85, "weights streamed"),
    (r"prefill", 0.4, 0.2, "attention over prompts"),
    (r"decode", 0.0, 0.7, "attention over the cache"),
    (r"power floor|idle", 0.0, 0.0, "waiting"),
)
TRAINING = (0.4, 0.5)
PUE = 1.25  # utility power over IT with network and storage shared out (assumed)
FACT_HALF_WIDTH = 0.3
NO_MODEL = "no power model answers this fact"


@lru_cache(maxsize=64)
def box_of(chip_name: str) -> Box | None:
    """The first platform of the catalog that holds the chip."""
    for identity in catalog().ids("platform"):
        record = catalog().get("platform", identity)
        if record.accelerator == chip_name:
            try:
                return box_from_record(record, catalog().get("accelerator", chip_name))
            except GigawattError:
                return None
    return None


def node_watts(chip: Chip, chip_w: float, chips: float) -> float | None:
    """Input watts of the rack positions that hold `chips` chips at `chip_w` each; None where no platform holds the chip."""
    box = box_of(chip.name)
    return None if box is None else float(box_watts(box, chip_w).total_w) / box.chips * chips


def published_fact(identity: str, metric: str, subject: str, work: str, unit: str = "") -> Prediction:
    """One fact from the chip and its platform, or a skip with its reason."""
    chip, unknown = chip_of(subject or work)
    group = f"published: {unit or 'value'}"
    value, note = (None, NO_MODEL) if unknown else _value(metric.lower(), f"{subject} {work}", unit, chip)
    return banded(identity, metric, value, FACT_HALF_WIDTH, note, group, True)


def _value(metric: str, text: str, unit: str, chip: Chip) -> tuple[float | None, str]:
    kernel = next((row for row in UTILISATION if re.search(row[0], f"{metric} {text}".lower())), None)
    if unit == "W" and kernel and ("gpu power" in metric):
        return float(chip_watts(chip, kernel[1], kernel[2], float(kernel[1] + kernel[2] > 0))), kernel[3]
    if unit == "W" and ("node power" in metric or "wall power" in metric or "ac power" in metric):
        chip_w = float(chip_watts(chip, *TRAINING))
        return node_watts(chip, chip_w, 8.0), "eight chips at 40 % of their peak, with the platform's parts"
    if metric == "all_in_utility_kw_per_gpu":
        full = node_watts(chip, chip.tdp_w, 1.0)
        return (None if full is None else full * PUE / 1e3), f"chip at its limit, platform's parts, PUE {PUE}"
    if metric == "power" and unit in ("MW", "kW") and (count := chips_in(text)):
        full = node_watts(chip, float(chip_watts(chip, *TRAINING)), count)
        return (None if full is None else full / (1e6 if unit == "MW" else 1e3)), "chips at 40 % of their peak"
    return None, NO_MODEL


def chips_in(text: str) -> float:
    """How many accelerators a text speaks of; 0 where it names none.

    >>> chips_in("9,216 TPU7x"), chips_in("100k H100 (Jul 2024)"), chips_in("system")
    (9216.0, 100000.0, 0.0)
    """
    found = re.search(r"(\d[\d,]*)(k?)\s*x?\s*(?:[bh]\d00|gpu|tpu|mi\d{3})", text.lower())
    return float(found[1].replace(",", "")) * (1000.0 if found[2] else 1.0) if found else 0.0

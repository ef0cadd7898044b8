"""Loads of a platform's racks, for provisioning: what the maker rates, what chips were measured to draw, how racks move.

The measured shares are those of calibration `provision-loads`: serving by GPU, each row a deployment at its steady load;
training from node readings, of which what stands beside the GPUs is taken off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Box, box_from_record, calibration
from gigawatt.physics.chip.clocks import cap_exponent
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.site.provision import Loads
from gigawatt.study.network import network_of

RECORD = "provision-loads"
P95 = 1.645  # standard deviations of a normal variable below which 95 % lie
SPREAD = 0.98  # of the widest that a share near its end can have
MODEL_LOADS = ("serving, many models", "serving, one model, not known before", "dense 70B and larger, large batch")
TRAINING_LOADS = ("synchronous training", "training, strongly scaled")
LOADS = (*MODEL_LOADS, *TRAINING_LOADS)


@dataclass(frozen=True, slots=True)
class Rack:
    """A rack of a platform at its input: watts of its parts, with what of the network outside belongs to it.

    `static_w` is drawn whatever the chips do, `chips_w` comes with all chips at their limit; `rated` tells whether a source
    states the rating (the planning figure stands for it where none does).
    """

    box: Box
    static_w: float
    chips_w: float
    nameplate_w: float
    planning_w: float
    rated: bool

    def columns(self) -> dict[str, float]:
        """As columns of `Loads`."""
        names = ("static_w", "chips_w", "nameplate_w", "planning_w")
        return {"chips": float(self.box.chips)} | {name: getattr(self, name) for name in names}


def rack_of(platform: Any, accelerator: Any, network_w: float, *, static_factor: float = 1.0) -> Rack:
    """A platform's rack.

    Args:
        platform, accelerator: their records.
        network_w: watts of the scale-out network for each chip.
        static_factor: on the watts beside the chips, for draws over their range.
    """
    box = box_from_record(platform, accelerator)
    outside_w = network_w * box.chips
    beside = (box.host_w + box.fabric_w + box.nic_w + box.fan_w) * static_factor / box.supply_efficiency
    chips_w = box.chips * box.chip.tdp_w / box.supply_efficiency
    full = beside + chips_w
    rating = rating_w(platform)
    # Where the parts at full load come to more than the rating, what a rack can draw counts.
    return Rack(
        box,
        beside + outside_w,
        chips_w,
        max(rating or full, full) + outside_w,
        full + outside_w,
        rating is not None,
    )


def rating_w(platform: Any) -> float | None:
    """What the maker rates a rack at, watts; a node's rating times its nodes where the rack has none."""
    if platform.rack_power_rated is not None:
        return float(platform.rack_power_rated.value)
    if platform.node_power_rated is not None:
        return float(platform.node_power_rated.value * platform.chips_per_rack / platform.chips_per_node)
    return None


def static_range(platform: Any) -> float:
    """80 % half-width of the watts beside the chips over their value, the parts' ranges taken together."""
    parts, total = platform.beside_power, platform.beside_power_w
    half = sum((part.range[1] - part.range[0]) / 2 for part in parts)
    return float(half / total) if total else 0.0


def measured_share(chip: Chip, table: str = "serving") -> Mapping[str, Any]:
    """The row of measured shares that serves a chip: its own, or its nearest kin's."""
    rows = calibration.table(RECORD, table)
    name, _ = calibration.kin_of(chip, rows, calibration.table(RECORD, "kin"))
    row: Mapping[str, Any] = rows[name]
    return row


def narrowed(within: float, between: float, mean: float, low: float, high: float) -> tuple[float, float]:
    """Spreads that fit a share near its end: a chip at its limit cannot draw more, so it moves less."""
    t = (mean - low) / (high - low)
    least = min(t, 1.0 - t)
    widest = SPREAD * least * np.sqrt((1.0 - least) / (1.0 + least)) * (high - low)
    both = float(np.hypot(within, between))
    factor = min(1.0, float(widest) / both) if both > 0 else 1.0
    return within * factor, between * factor


def load_columns(name: str, chip: Chip, catalog: Catalog) -> dict[str, float]:
    """Mean, spreads and correlations of one of `LOADS` on a chip, as columns of `Loads`."""
    p = calibration.parameters(RECORD)
    low, high = p["low"], p["high"]
    if name in MODEL_LOADS:
        row = measured_share(chip, "dense_large_batch" if name == MODEL_LOADS[2] else "serving")
        mean, between, within = float(row["mean"]), float(row["sd"]), p["serving_within"]
        together, alike = p["serving_together"], 1.0 if name == MODEL_LOADS[1] else 0.0
        bound = 1.0 if name == MODEL_LOADS[2] else p["serving_bound"]
    else:
        node = _node(chip, "synchronous" if name == TRAINING_LOADS[0] else "scaled")
        mean, within = training_share(node, catalog)
        between, alike, together, bound = 0.0, 1.0, p["training_together"], 1.0
    within, between = narrowed(within, between, mean, low, high)
    return {
        "mean": mean,
        "between": between,
        "within": within,
        "alike": alike,
        "together": together,
        "low": low,
        "high": high,
        "cap_exponent": bound * cap_exponent(chip),
    }


def training_share(node: Mapping[str, Any], catalog: Catalog) -> tuple[float, float]:
    """Mean and spread in time of the GPUs' draw over their limit, from the readings of a node.

    share = (node watts x supply efficiency - what stands beside the GPUs) / (GPUs x limit); liquid-cooled nodes have no fans.
    """
    platform = catalog.get("platform", str(node["platform"]))
    box = box_from_record(platform, catalog.get("accelerator", platform.accelerator))
    part = box.chips_per_node / box.chips
    beside = (box.host_w + box.fabric_w + box.nic_w + (box.fan_w if node["fans"] else 0.0)) * part
    limit = box.chips_per_node * box.chip.tdp_w
    mean = (float(node["mean_w"]) * box.supply_efficiency - beside) / limit
    spread = (float(node["p95_w"]) - float(node["mean_w"])) / P95 * box.supply_efficiency / limit
    return mean, spread


def _node(chip: Chip, kind: str) -> Mapping[str, Any]:
    """The node reading that serves a chip: of its generation where there is one of that kind, else the first."""
    rows: list[Mapping[str, Any]] = [
        r for r in calibration.record(RECORD).tables["training_nodes"] if r["kind"] == kind
    ]
    catalog = Catalog.load()
    for row in rows:
        platform = catalog.get("platform", str(row["platform"]))
        if catalog.get("accelerator", platform.accelerator).generation == chip.generation:
            return row
    return rows[0]


def platform_rack(name: str, catalog: Catalog, *, static_factor: float = 1.0) -> Rack:
    """The rack of a platform of the catalog with its usual network."""
    platform = catalog.get("platform", name)
    accelerator = catalog.get("accelerator", platform.accelerator)
    network = network_of(catalog.get("fabric", platform.fabric), platform, accelerator, catalog)
    return rack_of(platform, accelerator, network.power.value, static_factor=static_factor)


def loads_on(rack: Rack, names: tuple[str, ...], catalog: Catalog) -> Loads:
    """Some of `LOADS` on a rack, one row each."""
    rows = [rack.columns() | load_columns(name, rack.box.chip, catalog) for name in names]
    return Loads.of(**{key: [row[key] for row in rows] for key in rows[0]})

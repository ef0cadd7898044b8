"""What a chip of a measured row hangs on where the row does not say: its usual network, in hosts of its platform's size."""

from __future__ import annotations

from functools import lru_cache

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Chip
from gigawatt.physics.fabric import Fabric, default_fabric

CHIPS_PER_NODE = 8  # where no platform of the catalog holds the chip


def usual_fabric(chip: Chip) -> Fabric:
    """The default fabric of a chip, over hosts as its platform has them (four to a tray of an NVL72 rack)."""
    return default_fabric(chip, node=_chips_per_node(chip.name))


@lru_cache(maxsize=64)
def _chips_per_node(accelerator: str) -> int:
    catalog = Catalog.load()
    return next((int(platform.chips_per_node) for platform in catalog.platforms_of(accelerator)), CHIPS_PER_NODE)

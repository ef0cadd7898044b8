"""The cheaper box: what a platform of the vendor costs and draws when it is built with a domain of the rival's size.

Networking is switched off at equal price and watts. A box of eight costs and draws less than a rack of 72, and that saving is
a line of its own: price of a chip's share and watts beside the chip, from the platform of the same generation in the catalog
whose domain is nearest to the rival's. The chip itself stays what it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog.records import Accelerator, Platform
from gigawatt.study.moats.setting import Setting

Array = NDArray[np.float64]


def cheaper_boxes(setting: Setting) -> tuple[Array, Array, tuple[str, ...]]:
    """([offers] price, [offers] watts) over the platform's own, and which platform they come from ('' where none)."""
    n = len(setting.names)
    price, watts, names = np.ones(n), np.ones(n), [""] * n
    wanted = setting.priced.performance.boxes[setting.rival].chip.scaleup_domain
    for i in setting.focal:
        mine = setting.resolved.offers[i]
        if mine.platform.scaleup_domain <= wanted:
            continue
        other = _nearest(setting, mine.platform, mine.accelerator, wanted)
        if other is None or other.list_price is None:
            continue
        each = other.list_price.value / other.chips_per_rack
        price[i] = each / (mine.list_price_usd / mine.platform.chips_per_rack)
        chip = setting.priced.performance.boxes[i].chip.tdp_w
        fabric = mine.network.power.value
        watts[i] = (_rack_w(other, chip) + fabric) / (_rack_w(mine.platform, chip) + fabric)
        names[i] = other.id
    return price, watts, tuple(names)


def _nearest(setting: Setting, mine: Platform, chip: Accelerator, wanted: int) -> Platform | None:
    """Of the vendor's platforms of the same generation with a smaller domain, the one nearest to the rival's."""
    catalog = setting.resolved.catalog
    found = [
        p
        for p in catalog.all("platform")
        if p.vendor == mine.vendor
        and p.list_price is not None
        and p.scaleup_domain < mine.scaleup_domain
        and catalog.get("accelerator", p.accelerator).generation == chip.generation
    ]
    return min(found, key=lambda p: (abs(p.scaleup_domain - wanted), p.id), default=None)


def _rack_w(platform: Platform, chip_w: float) -> float:
    """Watts of a chip's share at the rack input, with the chip at `chip_w`."""
    beside = platform.beside_power_w / platform.chips_per_rack
    return float((chip_w + beside) / platform.supply_efficiency.value)

"""What is wrong with one hall for all racks: heat of air-cooled racks does not go to liquid."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from gigawatt.physics.site import PowerChain, meter_watts
from gigawatt.study.resolve import Resolved


def pue_by_air(chain: PowerChain) -> float:
    """PUE of the design hour where all heat of the racks goes to the hall's air circuit."""
    by_air = replace(chain, cooling=replace(chain.cooling, liquid_share=0.0))
    return float(meter_watts(1.0, by_air))


def air_words(resolved: Resolved, chain: PowerChain, used: Collection[int]) -> list[str]:
    """A sentence where offers (rows) that are used are cooled by air in a hall that counts on liquid; else none."""
    cooling = chain.cooling
    if not cooling.liquid_share or cooling.air is None:
        return []
    names = [resolved.offers[i].offer.id for i in used if resolved.offers[i].platform.cooling == "air"]
    if not names:
        return []
    counted, alone = float(meter_watts(1.0, chain)), pue_by_air(chain)
    fewer = 1 - counted / alone
    return [
        f"The hall takes {cooling.liquid_share:.0%} of all heat by liquid, that of {', '.join(names)} too, which air cools: by "
        f"air alone the design hour's PUE is {alone:.2f} instead of {counted:.2f}, and the same power holds {fewer:.0%} fewer "
        "of these racks. A facility of its own answers for them: site.facility=air-cooled-2020."
    ]

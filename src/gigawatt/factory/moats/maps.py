"""Which moat matters where: over how scarce power and chips are, and over what a watt costs where power is no limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.factory.moats.game import Game, World, values_of

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a map: its coordinates, the MW that the plan takes there, Shapley values in USD per year."""

    across: float
    up: float
    site_mw: float
    values: dict[str, float]


def scarcity_map(game: Game, power_mw: Sequence[float], racks: Sequence[tuple[float, Array]]) -> list[Cell]:
    """Values over limits of site power and supplies of platforms.

    Args:
        game: of a site with capital free; its limits are changed and left at the last place.
        power_mw: MW at the meter.
        racks: (accelerators of the vendor's on offer, racks [platforms]).
    """
    out = []
    for mw in power_mw:
        game.set_power(mw)
        for chips, supply in racks:
            game.set_supply(supply)
            out.append(_cell(game, mw, chips, World()))
    return out


def watt_map(game: Game, energy: Sequence[float], shell: Sequence[float]) -> list[Cell]:
    """Values over factors on the price of energy and of the building. Both at 0: performance per watt is worth nothing."""
    return [_cell(game, e, s, World(energy=e, shell=s)) for e in energy for s in shell]


def _cell(game: Game, across: float, up: float, world: World) -> Cell:
    base = game.value(world=world)
    return Cell(across, up, base.site_mw, values_of(game.worths(world=world)))

"""Cooling by design and weather: watts and water for each watt of heat, hour by hour.

Heat leaves a hall in two circuits, air and liquid, each with a sink outdoors:

    dry         air over a coil or straight through the hall:     T_sink = T_db
    adiabatic   the same air wetted first, as far as needed:      T_sink = max(T_wb + (1 - s)(T_db - T_wb), min(T_db, T_free))
    tower       water sprayed in a tower:                         T_sink = T_wb

The circuit supplies T_s to the racks and takes the heat back rise kelvin warmer. Where T_sink + approach <= T_s = T_free +
approach the sink alone does it; above, the chiller takes what is missing of the rise:

    free share  f = clip((T_s + rise - approach - T_sink) / rise, 0, 1),   0 without an economiser, or where outside air
                    would bring in more moisture than the racks allow (dew point over `dew_limit`)
    chiller     (1 - f) / COP,   COP = carnot T_e / (T_c - T_e),  T_e = T_s - evaporator,  T_c = T_sink + condenser
    sink's fans fan_out x^3,     x = load min(1, (rise + approach) / (T_s + rise - T_sink)), not under the turndown
    inside      (fan_in + pump) x^3, x = load, not under the turndown; the fans' watts are heat of the circuit too

Fans and pumps follow the cube of their flow (affinity laws), the chiller the Carnot limit at its lift times a fixed share; a
chiller's own loss at part load is left out. A circuit without a chiller lets T_s rise instead; `Cooled.over_k` says how far.

Water: a tower evaporates the latent part of what its air takes up (air leaves saturated at the mean temperature of the
water); wetted air evaporates what cools it, (T_db - T_sink) / (air rise x latent heat). Blow-down keeps the water at
`cycles` times its salt: what is taken in is evaporation x cycles / (cycles - 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.site.psychrometrics import (
    LATENT_J_PER_KG,
    Air,
    dew_point_k,
    enthalpy_j_per_kg,
    humidity_ratio,
    saturation_pa,
    vapour_pa,
)

Array = NDArray[np.float64]
Sink = Literal["dry", "adiabatic", "tower"]
LEAST_LIFT_K = 10.0  # below it a compressor's pressure ratio no longer falls (assumed)


@dataclass(frozen=True, slots=True)
class Circuit:
    """One way for heat to leave, per watt of heat at full load. Temperatures and differences in kelvin.

    Attributes:
        sink: dry, adiabatic or tower. supply_k: to the racks at most. rise_k: over the racks.
        approach_k: of supply over sink when the sink alone cools (all exchangers between them).
        fan_in, pump, fan_out: watts per watt of heat at full flow. turndown: least share of flow.
        carnot: share of the Carnot limit that the chiller reaches; 0: there is none.
        condenser_k: of condensing over sink. evaporator_k: of supply over evaporating.
        economiser: the sink may cool without the chiller.
        saturation: effectiveness of wetting (adiabatic). air_rise_k: of the air over the sink (adiabatic).
        dew_limit_k: outside air of a higher dew point stays out of the hall, and chillers do all; None: it never comes in.

    Raises:
        InputError: a share or a difference that can not be.
    """

    sink: Sink
    supply_k: float
    rise_k: float
    approach_k: float = 0.0
    fan_in: float = 0.0
    pump: float = 0.0
    fan_out: float = 0.0
    turndown: float = 0.3
    carnot: float = 0.0
    condenser_k: float = 8.0
    evaporator_k: float = 4.0
    economiser: bool = True
    saturation: float = 0.0
    air_rise_k: float = 12.0
    dew_limit_k: float | None = None

    def __post_init__(self) -> None:
        found = []
        if self.sink not in get_args(Sink):
            found.append(f"sink '{self.sink}' is none of {', '.join(get_args(Sink))}")
        found += [
            f"{name} is {value:g}; it must not be negative"
            for name in ("approach_k", "fan_in", "pump", "fan_out", "condenser_k", "evaporator_k")
            if not (value := getattr(self, name)) >= 0
        ]
        found += [
            f"{name} is {value:g}; it must lie between 0 and 1"
            for name in ("turndown", "carnot", "saturation")
            if not 0 <= (value := getattr(self, name)) <= 1
        ]
        found += [
            f"{name} is {value:g}; it must be over 0"
            for name in ("supply_k", "rise_k", "air_rise_k")
            if not (value := getattr(self, name)) > 0
        ]
        if not self.economiser and not self.carnot:
            found.append("neither chiller nor economiser: nothing cools")
        if self.dew_limit_k is not None and not self.carnot:
            found.append("outside air is kept out over a dew point, but there is no chiller for those hours")
        if found:
            raise InputError([Problem("out_of_range", f"cooling circuit: {text}") for text in found])

    def sink_k(self, air: Air) -> Array:
        """What the sink offers, kelvin."""
        if self.sink == "tower":
            return air.wet_bulb_k
        if self.sink == "dry":
            return air.dry_bulb_k
        free = self.supply_k - self.approach_k
        most = air.wet_bulb_k + (1.0 - self.saturation) * (air.dry_bulb_k - air.wet_bulb_k)
        return np.asarray(np.maximum(most, np.minimum(air.dry_bulb_k, free)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Cooled:
    """For each watt of IT: watts by kind, kilograms of water a second taken in; `over_k` beyond the supply temperature."""

    fan: Array
    pump: Array
    compressor: Array
    water_kg_per_s: Array
    over_k: Array

    @property
    def share(self) -> Array:
        """All watts for each watt of IT."""
        return self.fan + self.pump + self.compressor

    def __add__(self, other: Cooled) -> Cooled:
        return Cooled(
            self.fan + other.fan,
            self.pump + other.pump,
            self.compressor + other.compressor,
            self.water_kg_per_s + other.water_kg_per_s,
            np.maximum(self.over_k, other.over_k),
        )


def cool(circuit: Circuit, air: Air, load: ArrayLike = 1.0, cycles: float = 4.0) -> Cooled:
    """One watt of heat that leaves by a circuit.

    Args:
        circuit: the design.
        air: outdoors, columns of any shape.
        load: heat over what the circuit was built for, broadcast against `air`.
        cycles: of concentration of the water.
    """
    share = np.maximum(np.asarray(load, dtype=np.float64), 1e-6)
    sink = circuit.sink_k(air)
    back = circuit.supply_k + circuit.rise_k
    reach = circuit.rise_k + circuit.approach_k
    inside = np.clip(share, circuit.turndown, 1.0) ** 3 / share
    fan_in, pump = circuit.fan_in * inside, circuit.pump * inside
    heat = 1.0 + fan_in
    gap = back - circuit.approach_k - sink
    free = np.clip(gap / circuit.rise_k, 0.0, 1.0) if circuit.economiser else np.zeros_like(gap)
    if circuit.dew_limit_k is not None:
        free = np.where(dew_point_k(vapour_pa(air)) > circuit.dew_limit_k, 0.0, free)
    over = np.maximum(sink + circuit.approach_k - circuit.supply_k, 0.0)
    if circuit.carnot:
        evaporating = circuit.supply_k - circuit.evaporator_k
        lift = np.maximum(sink + circuit.condenser_k - evaporating, LEAST_LIFT_K)
        compressor = heat * (1.0 - free) * lift / (circuit.carnot * evaporating)
        over = np.zeros_like(over)
    else:
        compressor = np.zeros_like(sink)
    slower = np.minimum(1.0, reach / np.maximum(back - sink, 1e-9)) if circuit.economiser else np.ones_like(sink)
    slower = np.where(back > sink, slower, 1.0)
    rejected = heat + compressor
    fan_out = circuit.fan_out * rejected * np.clip(share * slower, circuit.turndown, 1.0) ** 3 / share
    water = _evaporated(circuit, air, sink) * rejected * cycles / (cycles - 1.0)
    columns = np.broadcast_arrays(fan_in + fan_out, pump, compressor, water, over)
    return Cooled(*(np.array(column) for column in columns))


def _evaporated(circuit: Circuit, air: Air, sink: Array) -> Array:
    """Kilograms of water for each joule that the sink takes."""
    if circuit.sink == "dry":
        return np.zeros_like(sink)
    if circuit.sink == "adiabatic":
        return np.asarray((air.dry_bulb_k - sink) / (circuit.air_rise_k * LATENT_J_PER_KG), dtype=np.float64)
    leaving = air.wet_bulb_k + circuit.approach_k + circuit.rise_k / 2.0
    out = humidity_ratio(saturation_pa(leaving), air.pressure_pa)
    into = humidity_ratio(vapour_pa(air), air.pressure_pa)
    gained = enthalpy_j_per_kg(leaving, out) - enthalpy_j_per_kg(air.dry_bulb_k, into)
    return np.asarray(np.maximum(out - into, 0.0) / gained, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Cooling:
    """How a hall is cooled: an air circuit, a liquid one, and which share of the IT heat goes to liquid.

    Raises:
        InputError: a share beyond 0 to 1, a circuit that is missing, or fewer than 1 cycle of concentration.
    """

    liquid_share: float = 0.0
    air: Circuit | None = None
    liquid: Circuit | None = None
    cycles: float = 4.0
    name: str = ""

    def __post_init__(self) -> None:
        found = []
        if not 0 <= self.liquid_share <= 1:
            found.append(f"liquid_share is {self.liquid_share:g}; it must lie between 0 and 1")
        if self.liquid_share > 0 and self.liquid is None:
            found.append("heat goes to liquid, but there is no liquid circuit")
        if self.air is None and self.liquid_share < 1:
            found.append("heat goes to air, but there is no air circuit")
        if not self.cycles > 1:
            found.append(f"cycles is {self.cycles:g}; it must be over 1")
        if found:
            raise InputError([Problem("out_of_range", f"cooling '{self.name}': {text}") for text in found])

    @property
    def is_dry(self) -> bool:
        """No circuit takes water."""
        return all(circuit is None or circuit.sink == "dry" for circuit in (self.air, self.liquid))

    def per_it_watt(self, air: Air, load: ArrayLike = 1.0, losses: ArrayLike = 0.0) -> Cooled:
        """Watts and water for each watt of IT.

        Args:
            air: outdoors.
            load: share of the heat that the plant was built for.
            losses: watts that conversion loses into the hall for each watt of IT; the air takes them.
        """
        none = np.zeros(np.broadcast_shapes(air.dry_bulb_k.shape, np.shape(load), np.shape(losses)))
        made = Cooled(none, none, none, none, none)
        warm = 1.0 - self.liquid_share + np.asarray(losses, dtype=np.float64)
        for circuit, heat in ((self.air, warm), (self.liquid, np.asarray(self.liquid_share))):
            if circuit is not None and np.any(heat > 0):
                one = cool(circuit, air, load, self.cycles)
                made = made + Cooled(
                    one.fan * heat, one.pump * heat, one.compressor * heat, one.water_kg_per_s * heat, one.over_k
                )
        return made

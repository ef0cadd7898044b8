"""The power chain: watts at the meter that stand behind watts at the rack input.

    meter -> transformer (grid, medium voltage) -> UPS -> distribution (low voltage, busway) -> IT rack input
                     +-> cooling, house load (beside the UPS, behind the transformer)

With stage efficiencies e_t, e_u, e_d, cooling watts c for each IT watt and house load h for each watt provisioned at
the meter,

    behind the transformer  B = IT / (e_u e_d) + c IT + h M_prov
    meter                   M = B / e_t

and a site sized for just this load (M_prov = M) takes M = IT (1 / (e_u e_d) + c) / (e_t - h). Every column of a
`Balance` is watts lost or used at one place; together they sum to the meter exactly.

Efficiencies follow the load of the stage (`ups`), cooling the weather and the load (`cooling`). A chain states one load and
one hour, the design hour: there it is linear in IT watts, as a linear programme needs. `load` and `air` ask for others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.catalog.places import Circuit as CircuitRecord
from gigawatt.catalog.places import Facility
from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.site.cooling import Circuit, Cooled, Cooling
from gigawatt.physics.site.psychrometrics import Air
from gigawatt.physics.site.ups import Modules, Redundancy, Stage

Array = NDArray[np.float64]
SUMMER_DAY = Air.of(308.15, 297.15)  # 35 C with a wet bulb of 24 C
SHARED = Modules()


@dataclass(frozen=True, slots=True)
class PowerChain:
    """A facility design as plain numbers; shares are watts per watt, temperatures in kelvin.

    Attributes:
        transformer, ups, distribution: losses by load. modules: of the UPS, in parallel.
        cooling: circuits for air and liquid.
        design: air of the hour that power is sized for.
        house_share: lights, offices, security: watts for each watt provisioned at the meter, whatever the load.
        load: share of the IT watts the site was built for, at which the chain is linear.

    Raises:
        InputError: a share or load that can not be, or house load that eats the transformer's output.
    """

    transformer: Stage
    ups: Stage
    distribution: Stage
    cooling: Cooling
    design: Air = SUMMER_DAY
    house_share: float = 0.0
    modules: Modules = SHARED
    load: float = 1.0
    name: str = ""

    def __post_init__(self) -> None:
        found = []
        if not self.house_share >= 0:
            found.append(f"house_share is {self.house_share:g}; it must not be negative")
        if not 0 < self.load <= 1:
            found.append(f"load is {self.load:g}; it must be over 0 and at most 1")
        if not found and self.house_share >= self.transformer_efficiency:
            found.append("house load leaves no watt for IT")
        if found:
            raise InputError([Problem("out_of_range", f"power chain '{self.name}': {text}") for text in found])

    @property
    def transformer_efficiency(self) -> float:
        """Output over input at the stated load."""
        return float(self.transformer.efficiency(self.load))

    @property
    def ups_efficiency(self) -> float:
        """Output over input at the stated load, shared by all modules."""
        return float(self.ups.efficiency(self.modules.load(self.load)))

    @property
    def distribution_efficiency(self) -> float:
        """Output over input at the stated load."""
        return float(self.distribution.efficiency(self.load))

    def cooled(self, air: Air | None = None, load: ArrayLike | None = None) -> Cooled:
        """Watts by kind and water for each IT watt; None is the design hour and the stated load."""
        share = self.load if load is None else load
        out = self.distribution.efficiency(share)
        losses = 1.0 / (out * self.ups.efficiency(self.modules.load(share))) - 1.0
        return self.cooling.per_it_watt(self.design if air is None else air, share, losses)

    def cooling_share(self, air: Air | None = None, load: ArrayLike | None = None) -> Array:
        """Cooling watts for each IT watt; None is the design hour and the stated load."""
        return self.cooled(air, load).share

    def at(self, air: Air | None = None, load: float | None = None) -> PowerChain:
        """The same design, linear about another hour or load."""
        return replace(self, design=self.design if air is None else air, load=self.load if load is None else load)

    def __call__(
        self,
        it_w: ArrayLike,
        *,
        air: Air | None = None,
        load: ArrayLike | None = None,
        provisioned_w: ArrayLike | None = None,
    ) -> Balance:
        """Watts by stage for `it_w` watts at the rack input (any shape); see `balance`."""
        return balance(it_w, self, air=air, load=load, provisioned_w=provisioned_w)


@dataclass(frozen=True, slots=True)
class Balance:
    """Watts by stage, columns of equal shape; `meter_w` is the sum of all the others."""

    meter_w: Array
    transformer_loss_w: Array
    house_w: Array
    cooling_w: Array
    ups_loss_w: Array
    distribution_loss_w: Array
    it_w: Array

    @property
    def pue(self) -> Array:
        """Meter watts over IT watts (of this moment; an annual PUE is a ratio of energies)."""
        return self.meter_w / self.it_w


def balance(
    it_w: ArrayLike,
    chain: PowerChain,
    *,
    air: Air | None = None,
    load: ArrayLike | None = None,
    provisioned_w: ArrayLike | None = None,
) -> Balance:
    """All stages of the chain for `it_w` watts at the rack input.

    Args:
        it_w: watts at the rack input, any shape.
        chain: the facility.
        air: outdoors, broadcast against `it_w`; None is the design hour.
        load: share of the IT watts the site was built for; None is the chain's stated load.
        provisioned_w: meter watts that the house load was sized for; None sizes the site for this very load.

    Raises:
        InputError: negative or missing watts.
    """
    it = np.asarray(it_w, dtype=np.float64)
    if not np.all(it >= 0):
        raise InputError(Problem("out_of_range", "IT power must be a number of watts that is not negative"))
    share = chain.load if load is None else np.asarray(load, dtype=np.float64)
    cooling = chain.cooling_share(air, share) * it
    ups_out = it / chain.distribution.efficiency(share)
    ups_in = ups_out / chain.ups.efficiency(chain.modules.load(share))
    carried = ups_in + cooling
    through = chain.transformer.efficiency(share)
    if provisioned_w is None:
        sized = carried / (through - chain.house_share)
    else:
        sized = np.asarray(provisioned_w, dtype=np.float64)
    house = chain.house_share * sized
    behind = carried + house
    transformer_loss = behind / through - behind
    losses = (transformer_loss, house, cooling, ups_in - ups_out, ups_out - it, it)
    columns = [np.array(column) for column in np.broadcast_arrays(*losses)]
    # The meter is defined as the sum, so that no rounding stands between a part and the whole.
    return Balance(np.sum(columns, axis=0), *columns)


def meter_watts(
    it_w: ArrayLike,
    chain: PowerChain,
    *,
    air: Air | None = None,
    load: ArrayLike | None = None,
    provisioned_w: ArrayLike | None = None,
) -> Array:
    """Watts at the meter behind `it_w` watts at the rack input; the sum of all columns of `balance`."""
    return balance(it_w, chain, air=air, load=load, provisioned_w=provisioned_w).meter_w


def it_watts(meter_w: ArrayLike, chain: PowerChain, *, air: Air | None = None, load: ArrayLike | None = None) -> Array:
    """The rack-input watts that `meter_w` watts at the meter can carry, the site being sized for just that."""
    share = chain.load if load is None else np.asarray(load, dtype=np.float64)
    into = chain.ups.efficiency(chain.modules.load(share)) * chain.distribution.efficiency(share)
    per_it = 1 / into + chain.cooling_share(air, share)
    return np.asarray(meter_w, dtype=np.float64) * (chain.transformer.efficiency(share) - chain.house_share) / per_it


def chain_from_record(facility: Facility, *, redundancy: Redundancy | None = None, load: float = 1.0) -> PowerChain:
    """A `PowerChain` from a catalog record of kind `facility`, about the design hour of the record.

    Args:
        facility: the record.
        redundancy: of the UPS, other than the record's.
        load: share of the IT watts built for at which the chain is linear.

    Raises:
        InputError: the record says something impossible; see `PowerChain`.
    """
    cooling = facility.cooling
    return PowerChain(
        transformer=_stage(facility.transformer),
        ups=_stage(facility.ups),
        distribution=_stage(facility.distribution),
        cooling=Cooling(
            liquid_share=facility.liquid_share.value,
            air=None if cooling.air is None else _circuit(cooling.air),
            liquid=None if cooling.liquid is None else _circuit(cooling.liquid),
            cycles=cooling.cycles.value,
            name=facility.id,
        ),
        design=Air.of(cooling.design_dry_bulb.value, cooling.design_wet_bulb.value),
        house_share=facility.house_load.value,
        modules=Modules(redundancy or facility.redundancy, int(facility.ups_modules.value)),
        load=load,
        name=facility.id,
    )


def _stage(record: Any) -> Stage:
    return Stage(record.no_load.value, record.proportional.value, record.square.value)


def _circuit(record: CircuitRecord) -> Circuit:
    chosen = {
        name: datum.value
        for name, datum in (
            ("carnot", record.carnot),
            ("condenser_k", record.condenser),
            ("evaporator_k", record.evaporator),
            ("saturation", record.saturation),
            ("air_rise_k", record.air_rise),
            ("dew_limit_k", record.dew_limit),
        )
        if datum is not None
    }
    return Circuit(
        sink=record.sink,
        supply_k=record.supply.value,
        rise_k=record.rise.value,
        approach_k=record.approach.value,
        fan_in=record.fan_in.value,
        pump=record.pump.value,
        fan_out=record.fan_out.value,
        turndown=record.turndown.value,
        economiser=record.economiser,
        **chosen,
    )

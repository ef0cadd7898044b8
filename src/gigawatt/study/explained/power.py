"""Watts as trees: from a chip to the rack input, to the meter, to the energy of a year with its price and its carbon.

rack input   = (chips x watts of a chip + watts beside them) / efficiency of supplies + chips x network
meter        = rack input x meter watts per watt of IT (distribution, UPS, cooling, house load, transformer)
set aside    = meter x what the policy of provisioning sets aside over busy draw
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gigawatt.catalog.records import Facility
from gigawatt.core.datum import Datum
from gigawatt.physics.site import PowerChain, balance
from gigawatt.study.explain import Node, defined, fact, fitted, given, node, of_datum, worked
from gigawatt.study.explained.once import once
from gigawatt.study.explained.racks import Racks
from gigawatt.study.points import Point
from gigawatt.study.resolve import Resolved

HOURS = 8760.0
PROVISIONING = "provision-loads"


def chain_node(resolved: Resolved, chain: PowerChain) -> Node:
    """Watts at the meter for each watt at the rack input in the design hour of a scenario's place."""
    return meter_node(resolved.facility, chain, _redundancy(resolved), [climate(resolved)])


def meter_node(facility: Facility, chain: PowerChain, redundancy: Sequence[Node], weather: Sequence[Node]) -> Node:
    """Watts at the meter for each watt at the rack input in the design hour, by where they go."""
    one = balance(1.0, chain)
    behind = {
        "distribution": (float(one.distribution_loss_w), loss_data(facility, "distribution")),
        "UPS": (float(one.ups_loss_w), [*loss_data(facility, "ups"), *redundancy]),
        "cooling": (float(one.cooling_w), [*cooling_data(facility), *weather]),
        "house load": (
            float(one.house_w),
            [of_datum("house load over what the site is built for", facility.house_load)],
        ),
        "transformer": (float(one.transformer_loss_w), loss_data(facility, "transformer")),
    }
    parts = [defined("rack input", 1.0, "W/W of IT", "what the others are counted over")]
    parts += [
        node("formula", name, watts, "W/W of IT", f"{facility.id}, in the hour that power is sized for", children)
        for name, (watts, children) in behind.items()
        if watts
    ]
    return worked("sum", "meter watts per watt at the rack input", "W/W of IT", parts, float(one.meter_w))


def loss_data(facility: Facility, stage: str) -> list[Node]:
    """Losses of a conversion stage, as shares of its rated output."""
    losses = getattr(facility, stage)
    words = {"no_load": "standing loss", "proportional": "loss in step with the load", "square": "loss with its square"}
    return [of_datum(f"{stage}: {text}", getattr(losses, name)) for name, text in words.items()]


def _redundancy(resolved: Resolved) -> list[Node]:
    asked = resolved.scenario.site.redundancy
    modules = of_datum("UPS modules that carry the load", resolved.facility.ups_modules)
    if asked != "facility":
        return [modules, given(resolved.loaded.source, ("site", "redundancy"), "redundancy", asked)]
    return [modules, fact("redundancy", resolved.facility, "redundancy", resolved.facility.redundancy)]


def cooling_data(facility: Facility) -> list[Node]:
    """What the circuits of the hall ask for."""
    fields = ("supply", "rise", "approach", "fan_in", "pump", "fan_out", "carnot")
    out = [of_datum("share of heat that liquid takes", facility.liquid_share)]
    for name in ("air", "liquid"):
        circuit = getattr(facility.cooling, name)
        for field in fields if circuit is not None else ():
            datum: Datum | None = getattr(circuit, field)
            if datum is not None:
                out.append(of_datum(f"{name} circuit: {field.replace('_', ' ')}", datum))
    return out


def climate(resolved: Resolved) -> Node:
    """The place's monthly means, of which the hours are drawn."""
    site = resolved.site
    series = site.climate.dry_bulb
    return node(
        "datum", f"weather of {site.name or site.id}: dry bulb, mean of the months", float(np.mean(series.values)),
        series.unit, series.source, path=f"site/{site.id}.climate.dry_bulb", known=series.kind, as_of=series.as_of,
        note="hours are drawn about monthly means, or taken where the record has them", si=list(series.values),
    )  # fmt: skip


class Power(Racks):
    """Watts of a scenario's points, and what a MWh costs and emits, as trees."""

    @once
    def mode(self, j: int) -> list[Node]:
        """What the watts of a chip at a point rest on: calibration, power mode, rating."""
        made = self.made(j)
        chip, platform = self.offered(made.offer).accelerator, self.offered(made.offer).platform
        mode = next((m for m in platform.modes if m.name == made.mode), None)
        record = self.resolved.catalog.get("calibration", "chip-power")
        rests = [fitted(record)]
        rests += [of_datum(f"rating of {chip.name or chip.id}", chip.tdp)] if chip.tdp is not None else []
        rests += [of_datum(f"idle power of {chip.name or chip.id}", chip.idle_power)] if chip.idle_power else []
        rests += [of_datum(f"mode {mode.name}: share of full power", mode.power_share)] if mode is not None else []
        return rests

    def made(self, j: int) -> Point:
        """The physics point behind a column of the plan."""
        return self.priced.performance.points[self.priced.points_of[j]]

    def label(self, j: int) -> str:
        """A column of the plan in words."""
        inputs = self.priced.inputs
        points = inputs.points
        return (
            f"{inputs.workloads[points.workload[j]]} on {inputs.platforms.names[points.platform[j]]}, {points.label[j]}"
        )

    @once
    def rack_input(self, j: int) -> Node:
        """Watts at the input of a rack that is busy."""
        made = self.made(j)
        platform = self.offered(made.offer).platform
        chips = fact("chips of a rack", platform, "chips_per_rack", platform.chips_per_rack, "chips")
        chip = node("formula", f"a chip, {self.label(j)}", made.chip_w, "W", "watts by phase of the work", self.mode(j))
        accelerators = worked("product", "accelerators", "W", [chips, chip])
        names = ("hosts", "scale-up network", "NICs", "fans", "storage")
        beside = [of_datum(f"{name} of a rack", part) for name, part in zip(names, platform.beside_power, strict=True)]
        inside = worked("sum", "inside the rack", "W", [accelerators, *beside])
        supplied = worked(
            "ratio", "through the supplies", "W",
            [inside, of_datum("efficiency of supplies", platform.supply_efficiency)],
        )  # fmt: skip
        network = worked("product", "scale-out network", "W", [chips, self.network(made.offer, "power")])
        value = float(self.priced.it_w[j])
        return worked("sum", f"rack input, {self.label(j)}", "W", [supplied, network], value)

    @once
    def busy_mw(self, j: int) -> Node:
        """MW at the meter of a rack that is busy."""
        value = float(self.priced.busy_mw[j])
        parts = [self.rack_input(j), self.meter_per_it()]
        return worked("product", f"a busy rack at the meter, {self.label(j)}", "MW", parts, value, scale=1e-6,
                      scale_of="MW per W")  # fmt: skip

    @once
    def set_aside_mw(self, j: int) -> Node:
        """MW at the meter that is set aside for a rack: what a plan counts against the site's power."""
        value, factor = float(self.priced.inputs.points.mw[j]), float(self.priced.reserved.factor[j])
        label = f"set aside for a rack, {self.label(j)}"
        if factor == 1.0:
            return worked("same", label, "MW", [self.busy_mw(j)], value, rests_on=[self._policy()])
        rests = [self._policy(), fitted(self.resolved.catalog.get("calibration", PROVISIONING))]
        over = node("formula", "set aside over busy draw", factor, "x", "draws of all racks behind a feed", rests)
        return worked("product", label, "MW", [self.busy_mw(j), over], value)

    @once
    def _policy(self) -> Node:
        asked = self.resolved.scenario.site.provisioning.policy
        return given(self.source, ("site", "provisioning", "policy"), "policy of provisioning", asked)

    @once
    def mean_load(self, j: int) -> Node:
        """Mean draw over what is set aside."""
        value, factor = float(self.priced.mean_load[j]), float(self.priced.reserved.factor[j])
        made = self.made(j)
        if self.resolved.works[made.work].is_serving:
            of_busy = of_datum("mean load of serving, over busy draw", self.resolved.costs.load_factor)
        else:
            guards = [fitted(self.resolved.catalog.get("calibration", "training-failures"))]
            of_busy = node("formula", "mean draw of the run over busy draw", made.load, "share",
                           "its steps, checkpoints and restarts", guards)  # fmt: skip
        if factor == 1.0:
            return of_busy
        over = defined("set aside over busy draw", factor, "x", "policy of provisioning")
        return worked("ratio", "mean draw over what is set aside", "share", [of_busy, over], value)

    @once
    def year_share(self) -> Node:
        """The year's mean watts at the meter over those of the design hour, at the same load."""
        plant = self.priced.plant
        rests = [climate(self.resolved), *cooling_data(self.resolved.facility)]
        return node("formula", "the year's mean watts at the meter over the design hour's", plant.energy_share, "share",
                    "the building hour by hour", rests)  # fmt: skip

    @once
    def served_share(self) -> Node:
        """Share of the year's energy that is there."""
        flex = self.resolved.scenario.site.flexibility
        rests = [
            given(self.source, ("site", "flexibility", "share"), "given up when the grid calls", flex.share, "share"),
            given(self.source, ("site", "flexibility", "hours"), "for up to", flex.hours, "h/yr"),
        ]
        return node("formula", "energy that is there over what is asked for", self.priced.plant.served_share, "share",
                    "dispatch of the year", rests)  # fmt: skip

    @once
    def grid_price(self) -> Node:
        """What a MWh of the grid costs, mean of the year."""
        asked = self.resolved.scenario.site.energy_price
        if asked is not None:
            return given(self.source, ("site", "energy_price"), "energy price of the grid", asked * 3.6e9, "USD/MWh")
        return of_datum("energy price of the grid", self.resolved.site.energy_price, 3.6e9, "USD/MWh")

    @once
    def energy_price(self) -> Node:
        """What a MWh at the meter costs: the grid's price, or the mean over what the dispatch draws."""
        plant = self.priced.plant
        name = "grid energy, fuel and variable upkeep over MWh drawn"
        if plant.supply.found is None:
            return worked("same", name, "USD/MWh", [self.grid_price()], plant.energy_usd_per_mwh)
        found, standing = plant.supply.found[0], plant.supply.standing
        rows = []
        for source in standing.sources:
            watts = found.of(source.name)
            mwh = float(watts.sum()) / 1e6
            if mwh <= 0:
                continue
            usd = float((watts * standing.usd_per_mwh[source.name]).sum()) / 1e6
            given_up = node("formula", f"{source.name}: MWh of a year", mwh, "MWh", "dispatch hour by hour",
                            self._source_data(source.name))  # fmt: skip
            price = node("formula", f"{source.name}: mean price of what it gives", usd / mwh, "USD/MWh",
                         "price of the hour, weighted by MWh", self._price_data(source.name))  # fmt: skip
            rows.append(worked("product", f"{source.name}: money of a year", "USD", [given_up, price]))
        money = worked("sum", "energy of all sources", "USD", rows)
        served = node("formula", "MWh drawn", float(found.served_w.sum()) / 1e6, "MWh", "dispatch of the year",
                      [self.year_share()])  # fmt: skip
        return worked("ratio", name, "USD/MWh", [money, served], plant.energy_usd_per_mwh)

    def _source_data(self, name: str) -> list[Node]:
        own = {plant.asked.id: plant.record for plant in self.resolved.plants}
        if name not in own:
            power = self.resolved.scenario.site.grid_power
            return [given(self.source, ("site", "grid_power"), "grid connection", power / 1e6, "MW")]
        record = own[name]
        return [
            self.own_mw(name),
            of_datum(f"forced outages of {name}", record.forced_outage_rate),
            of_datum(f"planned outages of {name}", record.planned_outage),
        ]

    def _price_data(self, name: str) -> list[Node]:
        own = {plant.asked.id: plant.record for plant in self.resolved.plants}
        if name not in own:
            shape = self.resolved.catalog.get("calibration", "energy-price-shape")
            return [self.grid_price(), fitted(shape)]
        record = own[name]
        rows = [of_datum(f"variable upkeep of {name}", record.variable_upkeep, 3.6e9, "USD/MWh")]
        if record.fuel_price is not None and record.efficiency is not None:
            rows += [of_datum(f"fuel of {name}", record.fuel_price, 3.6e9, "USD/MWh of fuel"),
                     of_datum(f"efficiency of {name}", record.efficiency)]  # fmt: skip
        if record.contract_price is not None:
            rows.append(of_datum(f"contract price of {name}", record.contract_price, 3.6e9, "USD/MWh"))
        return rows

    @once
    def carbon(self) -> Node:
        """Carbon for each MWh drawn."""
        plant = self.priced.plant
        grid = of_datum("carbon of the grid", self.resolved.site.carbon, 3.6e9, "kg/MWh")
        name = "carbon for each MWh drawn"
        if plant.supply.found is None:
            return worked("same", name, "kg/MWh", [grid], plant.carbon_kg_per_mwh)
        rows = [grid]
        for own in self.resolved.plants:
            if own.record.fuel_carbon is not None and own.record.efficiency is not None:
                fuel = of_datum(
                    f"carbon of the fuel of {own.asked.id}", own.record.fuel_carbon, 3.6e9, "kg/MWh of fuel"
                )
                rows += [fuel, of_datum(f"efficiency of {own.asked.id}", own.record.efficiency)]
        return node("formula", name, plant.carbon_kg_per_mwh, "kg/MWh", "at the stacks and in the grid's mean, by dispatch",
                    rows)  # fmt: skip

    @once
    def energy_of_rack(self, j: int) -> Node:
        """USD of energy for a rack in use through a year."""
        parts = [self.set_aside_mw(j), self.mean_load(j), self.year_share(), self.served_share(), self.energy_price()]
        return worked("product", f"energy of a rack, {self.label(j)}", "USD/yr", parts,
                      float(self.priced.energy_usd_per_yr[j]), scale=HOURS, scale_of="hours of a year")  # fmt: skip

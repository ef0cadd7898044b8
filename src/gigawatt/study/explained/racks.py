"""What racks, building and own plant cost: from list prices and shares of the catalog to a price, and to a rent.

price of a rack   = compute + network + storage + spares, each a share of its list price (or from its own bill)
shell             = MW of site power x price per MW of IT / (meter watts per watt of IT)
rent of a part    = USD x 4 q / (1 - (1 + q)^-4n),   q = (1 + r)^(1/4) - 1,   n years of life
"""

from __future__ import annotations

from gigawatt.catalog.records import CostSet, Facility
from gigawatt.core.datum import Datum
from gigawatt.economics.cost import Part, capital_charge
from gigawatt.study.explain import Node, defined, fact, given, node, of_datum, worked
from gigawatt.study.explained.charges import rate_node
from gigawatt.study.explained.once import Keeper, once
from gigawatt.study.explained.wires import What, fabric_leaf, network_node
from gigawatt.study.price import SECONDS_PER_YEAR, Priced
from gigawatt.study.resolve import Offered, Resolved
from gigawatt.study.site.supply import Own


class Racks(Keeper):
    """Prices of a scenario's racks, building and plant, as trees.

    Args:
        resolved: the scenario with its facts.
        priced: what prices made of them.
    """

    def __init__(self, resolved: Resolved, priced: Priced) -> None:
        super().__init__()
        self.resolved, self.priced = resolved, priced
        self.source = resolved.loaded.source
        self.levied = {one.levy.id: one for one in priced.levied}
        self.costs: CostSet = resolved.costs
        self.facility: Facility = resolved.facility

    def offered(self, i: int) -> Offered:
        return self.resolved.offers[i]

    @once
    def list_price(self, i: int) -> Node:
        """Buyer's price of all IT of a rack: the scenario's, else the catalog's."""
        one = self.offered(i)
        name = f"list price of a rack of {one.offer.id}"
        if one.offer.list_price is not None:
            return given(self.source, ("fleet", i, "list_price"), name, one.offer.list_price, "USD")
        assert one.platform.list_price is not None
        return of_datum(name, one.platform.list_price)

    @once
    def part(self, i: int, name: str) -> Node:
        """One part of a rack's capital."""
        one, parts = self.offered(i), {part.name: part for part in self.priced.rack_parts[i].parts}
        value, platform, own = parts[name].usd, one.platform, one.offer.fabric != "auto"
        label = f"{name} of a rack of {one.offer.id}"
        if name == "spares":
            over = of_datum("spares over compute, bought once", self.costs.spares_share)
            return worked("product", label, "USD", [self.part(i, "compute"), over], value)
        if name == "network" and own:
            chips = fact("chips of a rack", platform, "chips_per_rack", platform.chips_per_rack, "chips")
            return worked("product", label, "USD", [chips, self.network(i, "price")], value)
        shares: dict[str, Datum | None] = {"network": platform.network_share, "storage": platform.storage_share}
        if name == "compute":
            rest = [of_datum(f"{of} over list price", one) for of, one in shares.items() if one is not None]
            whole = defined("all IT of a rack", 1.0, "share", "what the list price stands for")
            left = worked("difference", "compute over list price", "share", [whole, *rest])
            return worked("product", label, "USD", [self.list_price(i), left], value)
        levied = self.levied.get(name)
        if levied is not None:
            charges = self.resolved.scenario.charges
            return rate_node(self.source, charges, levied, label, value, "USD")
        share = shares[name]
        assert share is not None
        return worked("product", label, "USD", [self.list_price(i), of_datum(f"{name} over list price", share)], value)

    @once
    def network(self, i: int, what: What) -> Node:
        """Watts or price of the scale-out network for a chip."""
        one = self.offered(i)
        name = f"scale-out network of a chip of {one.offer.id}"
        return network_node(one.network, one.fabric, what, name, self.resolved.catalog)

    @once
    def _fabric(self, i: int) -> Node:
        return fabric_leaf(self.offered(i).fabric)

    @once
    def rack_price(self, i: int) -> Node:
        """All parts of a rack at list price."""
        rack = self.priced.rack_parts[i]
        parts = [self.part(i, part.name) for part in rack.parts]
        return worked("sum", f"a rack of {rack.platform}, all parts", "USD", parts, rack.usd)

    @once
    def shell_price(self) -> Node:
        """USD of shell per MW at the meter."""
        per_it = of_datum("shell price", self.facility.shell_price, 1e6, "USD/MW of IT")
        return worked(
            "ratio", "shell per MW at the meter", "USD/MW", [per_it, self.meter_per_it()], self.priced.shell_usd_per_mw
        )

    @once
    def meter_per_it(self) -> Node:
        """Watts at the meter for each watt at the rack input in the hour that power is sized for."""
        from gigawatt.study.explained.power import chain_node

        return chain_node(self.resolved, self.priced.chain)

    @once
    def rate(self) -> Node:
        return given(self.source, ("discount_rate",), "discount rate", self.resolved.scenario.discount_rate, "share/yr")

    @once
    def rent_factor(self, life: float, of: Datum | None = None, name: str = "life") -> Node:
        """What a dollar of plant costs a year: a level quarterly payment over its life, times four."""
        value = float(capital_charge(1.0, self.resolved.scenario.discount_rate, life))
        leaf = of_datum(name, of) if of is not None else defined(name, life, "yr", "life of the part")
        source = "4 q / (1 - (1 + q)^-4n), q the quarterly rate, n the life in years"
        return node(
            "formula", f"yearly rent of a dollar over {life:g} years", value, "1/yr", source, [self.rate(), leaf]
        )

    @once
    def part_rent(self, i: int, name: str) -> Node:
        """Yearly rent of one part of a rack."""
        part = next(p for p in self.priced.rack_parts[i].parts if p.name == name)
        factor = self.it_factor(part)
        value = part.charge_usd_per_yr(self.resolved.scenario.discount_rate)
        label = f"rent of {name} of a rack of {self.offered(i).offer.id}"
        return worked("product", label, "USD/yr", [self.part(i, name), factor], value)

    def it_factor(self, part: Part) -> Node:
        """The rent factor of a part of a rack."""
        if part.name == "network":
            return self.rent_factor(part.life_years, self.costs.network_life_years, "life of networks")
        if part.name in self.levied:
            return self.rent_factor(part.life_years, None, f"life of {part.name}")
        return self.rent_factor(part.life_years, self.costs.it_life_years, "life of IT")

    @once
    def rack_rent(self, i: int) -> Node:
        """Yearly rent of a rack at list price."""
        rack = self.priced.rack_parts[i]
        value = rack.charge_usd_per_yr(self.resolved.scenario.discount_rate)
        parts = [self.part_rent(i, part.name) for part in rack.parts]
        return worked("sum", f"rent of a rack of {rack.platform} at list price", "USD/yr", parts, value)

    @once
    def shell_rent(self) -> Node:
        """Yearly rent of the shell of a MW at the meter."""
        factor = self.rent_factor(self.priced.shell_life_years, self.facility.life_years, "life of the building")
        return worked("product", "rent of the shell of a MW", "USD/MW/yr", [self.shell_price(), factor])

    @once
    def upkeep_share(self, what: str) -> Node:
        """Maintenance, insurance and property tax of a year over the capital they look after; `what` is IT or shell."""
        c = self.costs
        first = c.maintenance_share if what == "IT" else c.facility_maintenance_share
        parts = [
            of_datum(f"maintenance of {what}", first),
            of_datum("insurance", c.insurance_share),
            of_datum("property tax", c.property_tax_share),
        ]
        return worked("sum", f"upkeep of {what}, a year over its capital", "1/yr", parts)

    @once
    def staff_rate(self) -> Node:
        return of_datum("staff", self.costs.staff, 1e6 * SECONDS_PER_YEAR, "USD/MW/yr")

    @once
    def production_share(self, i: int) -> Node:
        """What the vendor's own parts cost it to make, over list."""
        share = self.offered(i).platform.production_cost_share
        if share is None:
            return defined("production cost over list", 1.0, "share", "no source states one: counted at list")
        return of_datum("production cost over list", share)

    def owned(self) -> list[tuple[Own, Node]]:
        """Plant and batteries of the site's own, each with its capital."""
        return [(one, self._own(n)) for n, one in enumerate(self.priced.plant.supply.standing.own)]

    @once
    def own_mw(self, name: str) -> Node:
        """MW of a plant or battery, as the scenario asks for it."""
        site = self.resolved.scenario.site
        made = [("generation", "capacity", n, one.id, one.capacity) for n, one in enumerate(site.generation)]
        made += [("storage", "power", n, one.id, one.power) for n, one in enumerate(site.storage)]
        key, field, at, watts = next((key, field, n, watts) for key, field, n, one, watts in made if one == name)
        return given(self.source, ("site", key, at, field), f"{field} of {name}", watts / 1e6, "MW")

    @once
    def _own(self, n: int) -> Node:
        one = self.priced.plant.supply.standing.own[n]
        record = next(own.record for own in self.resolved.owned if own.asked.id == one.name)
        price = of_datum(f"price of {one.name}", record.capex, 1e6, "USD/MW")
        power = worked("product", f"{one.name}, by its watts", "USD", [self.own_mw(one.name), price])
        store = next((s for s in self.resolved.stores if s.asked.id == one.name), None)
        if store is None or record.energy_capex is None:
            return worked("same", f"capital of {one.name}", "USD", [power], one.capital_usd)
        at = self.resolved.stores.index(store)
        hours = given(self.source, ("site", "storage", at, "hours"), f"hours of {one.name}", store.asked.hours, "h")
        each = of_datum(f"price of {one.name}, by its energy", record.energy_capex, 3.6e9, "USD/MWh")
        held = worked("product", f"{one.name}, by its energy", "USD", [self.own_mw(one.name), hours, each])
        return worked("sum", f"capital of {one.name}", "USD", [power, held], one.capital_usd)

    @once
    def own_charge(self) -> Node:
        """Rent and fixed upkeep of own plant, a year."""
        rows = []
        records = {own.asked.id: own.record for own in self.resolved.owned}
        for one, capital in self.owned():
            factor = self.rent_factor(one.life_years, records[one.name].life_years, f"life of {one.name}")
            rent = worked("product", f"rent of {one.name}", "USD/yr", [capital, factor])
            rows.append(
                worked("sum", f"{one.name}: rent and fixed upkeep", "USD/yr", [rent, self.own_upkeep(one.name)])
            )
        return worked("sum", "own plant: rent and fixed upkeep", "USD/yr", rows, self.priced.plant.charge_usd_per_yr)

    @once
    def own_upkeep(self, name: str) -> Node:
        one, capital = next((o, c) for o, c in self.owned() if o.name == name)
        record = next(own.record for own in self.resolved.owned if own.asked.id == name)
        fixed = of_datum(f"fixed upkeep of {name}", record.fixed_upkeep, 1e6 * SECONDS_PER_YEAR, "USD/MW/yr")
        shares = worked(
            "sum", "insurance and property tax", "1/yr",
            [of_datum("insurance", self.costs.insurance_share), of_datum("property tax", self.costs.property_tax_share)],
        )  # fmt: skip
        rows = [
            worked("product", f"fixed upkeep of {name}", "USD/yr", [self.own_mw(name), fixed]),
            worked("product", f"insurance and property tax of {name}", "USD/yr", [capital, shares]),
        ]
        return worked("sum", f"upkeep of {name}", "USD/yr", rows, one.upkeep_usd_per_yr)

"""Where the headline numbers of a plan come from: one tree each, with its own formula and operands.

Physics and prices are in `racks`, `power`, `work`; money over the quarters in `cash`; what was chosen in `chosen`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gigawatt.core.table import Table
from gigawatt.factory import value_of
from gigawatt.study.answer import Answer
from gigawatt.study.explain import Node, defined, node, worked
from gigawatt.study.explained.chosen import SECONDS, Chosen
from gigawatt.study.explained.once import once
from gigawatt.study.explained.power import HOURS, climate, cooling_data, loss_data


class PlanTrees(Chosen):
    """The trees of one answer."""

    @once
    def joules(self) -> Node:
        serving = [j for j in self.used if self.resolved.works[int(self.points.workload[j])].is_serving]
        watts = [
            worked("product", f"watts of {self.label(j)}", "W", [self.in_use(j), self.set_aside_mw(j), self.mean_load(j)],
                   scale=1e6, scale_of="W per MW")
            for j in serving
        ]  # fmt: skip
        tokens = worked("sum", "output tokens made by services", "token/s", [self._made(j) for j in serving])
        return worked("ratio", "watts of services over their output tokens", "J/token",
                      [worked("sum", "watts of services at the meter, mean load", "W", watts), tokens])  # fmt: skip

    @once
    def drawn(self) -> Node:
        """MWh drawn in a year."""
        rows = [
            worked("product", f"mean MW of {self.label(j)}", "MW",
                   [self.in_use(j), self.set_aside_mw(j), self.mean_load(j), self.year_share(), self.served_share()])
            for j in self.used
        ]  # fmt: skip
        mean = worked("sum", "mean MW drawn", "MW", rows, self.answer.drawn_mw)
        return worked("product", "MWh drawn in a year", "MWh/yr", [mean], scale=HOURS, scale_of="hours of a year")

    def pue(self) -> Node:
        """Meter over rack input in the busiest phase."""
        busiest = int(np.argmax((self.plan.use * self.points.mw[:, None]).sum(axis=0)))
        up, down = [], []
        for j in map(int, np.flatnonzero(self.plan.use[:, busiest] > 0)):
            racks = self.in_phase(j, busiest)
            up.append(worked("product", f"meter, {self.label(j)}", "MW", [racks, self.busy_mw(j)]))
            down.append(worked("product", f"rack input, {self.label(j)}", "MW", [racks, self.rack_input(j)], scale=1e-6,
                               scale_of="MW per W"))  # fmt: skip
        meter = worked("sum", "meter MW, busy racks", "MW", up)
        return worked(
            "ratio", "meter MW over rack-input MW", "", [meter, worked("sum", "rack-input MW, busy racks", "MW", down)]
        )

    def of_year(self, water: bool) -> Node:
        """PUE or water use of a year, hour by hour."""
        year, facility = self.answer.site_year, self.resolved.facility
        assert year is not None
        it = float(year.it_w.mean()) / 1e6
        rests = [climate(self.resolved), *cooling_data(facility)]
        mean = node("formula", "rack-input MW, mean of the year", it, "MW", "racks in use at their mean load",
                    [self.in_use(j) for j in self.used] + [self.rack_input(j) for j in self.used])  # fmt: skip
        if water:
            litres = float(year.water_kg_per_s.mean()) * 3600.0
            taken = node(
                "formula", "litres an hour taken in for cooling", litres, "L/h", "the building hour by hour", rests
            )
            return worked(
                "ratio", "litres over kWh at the rack input", "L/kWh", [taken, mean], scale=1e-3, scale_of="MW per kW"
            )
        parts = [node("formula", "rack input", it, "MW", "as below", [mean])]
        behind = {
            "distribution": (year.distribution_loss_w, loss_data(facility, "distribution")),
            "UPS": (year.ups_loss_w, loss_data(facility, "ups")),
            "cooling": (year.cooling_w, rests),
            "house load": (year.house_w, [self.meter_per_it()]),
            "transformer": (year.transformer_loss_w, loss_data(facility, "transformer")),
        }
        parts += [
            node("formula", name, float(watts.mean()) / 1e6, "MW", "mean of the year's hours", data)
            for name, (watts, data) in behind.items()
            if float(watts.mean()) > 0
        ]
        meter = worked("sum", "meter MW, mean of the year", "MW", parts)
        return worked("ratio", "meter MW over rack-input MW, mean of the year", "", [meter, mean])

    def own_share(self) -> Node:
        found, standing = self.priced.plant.supply.found, self.priced.plant.supply.standing
        assert found is not None
        rows = {s.name: node("formula", f"MWh of {s.name}", float(found[0].of(s.name).sum()) / 1e6, "MWh",
                             "dispatch hour by hour", self._source_data(s.name)) for s in standing.sources}  # fmt: skip
        own = [rows[s.name] for s in standing.sources if s.own]
        over = (
            worked("sum", "MWh of own plant", "MWh", own)
            if own
            else defined("MWh of own plant", 0.0, "MWh", "there is none")
        )
        return worked(
            "ratio",
            "MWh of own plant over MWh of all",
            "share",
            [over, worked("sum", "MWh of all", "MWh", list(rows.values()))],
        )

    def party_npv(self, party: str) -> Node:
        """Value of a year times the years of income that the horizon is worth."""
        mine = next(c for c in self.inputs.coefficients if c.name == party)
        rows = [self.revenue()] if mine.revenue_share else []
        rows.append(self.energy())
        rows.append(self.staff())
        rows += self.charges()
        rows.append(self.platform_charges())
        shell = [
            self.shell_rent(),
            worked(
                "product", "upkeep of the shell of a MW", "USD/MW/yr", [self.shell_price(), self.upkeep_share("shell")]
            ),
        ]
        rows.append(
            worked(
                "product",
                "shell: rent and upkeep",
                "USD/yr",
                [self.site_power(), worked("sum", "shell of a MW", "USD/MW/yr", shell)],
            )
        )
        if mine.fixed_usd_per_yr:
            rows.append(self.own_charge())
        value = worked("difference", "revenue less energy, staff, racks, shell and own plant, a year", "USD/yr", rows,
                       value_of(self.plan, party), rests_on=self.why())  # fmt: skip
        return worked("product", "value of a year x build annuity", "USD", [value, self.annuity()])

    @once
    def platform_charges(self) -> Node:
        """Racks to the system: rent with the listed vendor's parts at production cost, and upkeep."""
        rows = []
        for i in self.bought:
            rents = []
            for part in self.priced.rack_parts[i].parts:
                rent = self.part_rent(i, part.name)
                if self.priced.vendor_sells[i] and part.name in ("compute", "spares"):
                    label = f"{part.name} at what it costs the vendor to make"
                    rent = worked("product", label, "USD/yr", [rent, self.production_share(i)])
                rents.append(rent)
            upkeep = worked("product", "upkeep of a rack", "USD/yr", [self.rack_price(i), self.upkeep_share("IT")])
            name = self.inputs.platforms.names[i]
            each = worked("sum", f"a rack of {name}: rent and upkeep", "USD/yr", [*rents, upkeep])
            rows.append(worked("product", f"racks of {name}: rent and upkeep", "USD/yr", [self.racks_of(i), each]))
        return worked("sum", "racks: rent and upkeep", "USD/yr", rows)


def _metrics(t: PlanTrees) -> dict[str, Callable[[], Node]]:
    """How the tree of each headline is made."""
    a, who = t.answer, t.resolved.scenario.company
    return {
        "system_npv": lambda: t.party_npv("system"),
        "operator_npv": lambda: t.npv(who("operator")),
        "lab_npv": lambda: t.npv(who("lab")),
        "vendor_npv": lambda: t.npv(who("vendor")),
        "lender_npv": lambda: t.npv(who("lender")),
        "revenue_per_mw_year": lambda: worked("ratio", "revenue / MW", "USD/MW/yr", [t.revenue(), t.mean_mw()]),
        "gross_profit_per_mw_year": lambda: worked("ratio", "gross profit / MW", "USD/MW/yr", [
            worked("difference", "revenue less energy, upkeep and staff", "USD/yr", [t.revenue(), t.running()]), t.mean_mw()]),
        "capex": t.capex,
        "capex_per_gw": lambda: worked("ratio", "capital / site power", "USD/GW", [t.capex(), t.site_power()], scale=1e3,
                                       scale_of="MW of a GW"),
        "site_power": t.site_power,
        "pue": t.pue,
        "annual_pue": lambda: t.of_year(water=False),
        "wue": lambda: t.of_year(water=True),
        "tokens_out": t.tokens,
        "joules_per_output_token": t.joules,
        "energy_price": t.energy_price,
        "energy_cost_all_in": lambda: worked("sum", "energy and own plant", "USD/MWh", [
            t.energy_price(), worked("ratio", "own plant over MWh drawn", "USD/MWh", [t.own_charge(), t.drawn()])]),
        "own_energy_share": t.own_share,
        "carbon_per_mwh": t.carbon,
        "carbon_per_mtok": lambda: worked("product", "energy of a token x carbon of a MWh", "kg/Mtok", [
            t.joules(), t.year_share(), t.carbon()], scale=1 / 3600.0, scale_of="1e6 tokens / 3.6e9 J per MWh"),
        "cost_per_mtok": lambda: worked("ratio", "cost of a year over tokens of a year", "USD/Mtok", [
            worked("sum", "capital as rent, energy, upkeep, staff", "USD/yr", [t.rents(), t.running()], a.annual_cost_usd),
            t.tokens()], scale=1e6 / SECONDS, scale_of="1e6 tokens / seconds of a year"),
        "operator_irr": lambda: t.rate_of_return(a.flows(who("operator")), who("operator"), loans=True),
        "project_irr": lambda: t.rate_of_return(a.project_flows(closing=True), who("operator"), loans=False),
        "dscr_min": lambda: t.least_cover(who("operator")),
        "payback": lambda: t.payback(who("operator")),
        "vendor_funded_share": lambda: t.vendor_funded(who("vendor")),
    }  # fmt: skip


def trees(answer: Answer, metrics: Table) -> dict[str, Node]:
    """A tree for every headline metric of a plan."""
    made, out = PlanTrees(answer), {}
    how = _metrics(made)
    for row in metrics.rows():
        out[row["name"]] = headed(row, how[row["name"]]())
    return out


def headed(row: Mapping[str, object], tree: Node) -> Node:
    """The tree of a metric under its declared name, value, unit and formula."""
    return {**tree, "name": f"{row['name']}: {row['formula']}", "value": row["value"], "unit": row["unit"]}

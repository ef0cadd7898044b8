"""What the fleet programme chose, and the power, capital and money of a year that follow from it, as trees.

What it chose is a choice: racks, their use, tokens sold; under it stand the limits that bind and the runner-up's reduced cost.
"""

from __future__ import annotations

import numpy as np

from gigawatt.study.answer import Answer
from gigawatt.study.explain import Node, choice, given, node, worked
from gigawatt.study.explained.cash import Cash
from gigawatt.study.explained.charges import rate_node
from gigawatt.study.explained.once import once
from gigawatt.study.explained.power import HOURS

SECONDS = HOURS * 3600.0


class Chosen(Cash):
    """What the fleet programme of an answer chose, and the money of a year that follows."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.plan = answer.plan
        self.inputs = answer.priced.inputs
        self.points = self.inputs.points
        self.use = self.plan.mean_use
        self.used = [int(j) for j in np.flatnonzero(self.use > 0)]
        self.bought = [i for i, racks in enumerate(self.plan.racks) if racks > 0]

    # What was chosen.

    @once
    def why(self) -> list[Node]:
        """What holds the plan: limits that bind, and what comes nearest to being chosen."""
        rows = [
            choice(f"{limit.name} binds: worth of one more", finite(limit.up), limit.price_unit, "fleet programme")
            for limit in self.plan.limits
            if limit.binding
        ]
        first = next(iter(self.plan.alternatives), None)
        if first is not None:
            name = f"runner-up: {first.platform} on {first.workload}, worse by (reduced cost)"
            rows.append(choice(name, first.worse_usd_per_mw_yr, "USD/MW/yr", "fleet programme"))
        party = self.inputs.objective
        asked = given(self.source, ("objective", "for"), "objective: highest value for", party)
        return [asked, *rows]

    @once
    def racks_of(self, i: int) -> Node:
        name, racks = self.inputs.platforms.names[i], float(self.plan.racks[i])
        return choice(f"racks of {name}", racks, "racks", "fleet programme", self.why())

    @once
    def in_use(self, j: int) -> Node:
        """Racks in use at a point, mean over the horizon."""
        return choice(
            f"racks on {self.label(j)}, mean of the horizon", float(self.use[j]), "racks", "fleet programme", self.why()
        )

    @once
    def in_phase(self, j: int, f: int) -> Node:
        """Racks in use at a point in a phase."""
        name = f"racks on {self.label(j)}, {self.inputs.phases[f].name}"
        return choice(name, float(self.plan.use[j, f]), "racks", "fleet programme", self.why())

    @once
    def sold(self, s: int) -> Node:
        """Output tokens a second that are sold in a segment, mean over the horizon."""
        value = float(self.plan.sold_tokens_per_s[s] @ self.plan.weights)
        w = int(self.inputs.segments.workload[s])
        made = [self._made(j) for j in self.used if self.points.workload[j] == w]
        rows = [self.demand(s), *made, *self.why()]
        return choice(f"tokens sold: {self.inputs.segments.names[s]}", value, "token/s", "fleet programme", rows)

    @once
    def _made(self, j: int) -> Node:
        """Tokens that the racks on a point make."""
        return worked("product", f"tokens made: {self.label(j)}", "token/s", [self.in_use(j), self.of_rack(j)])

    # Quantities.

    @once
    def mean_mw(self) -> Node:
        rows = [
            worked("product", f"MW on {self.label(j)}", "MW", [self.in_use(j), self.set_aside_mw(j)]) for j in self.used
        ]
        return worked("sum", "MW in use, mean of the horizon", "MW", rows, self.answer.mean_mw)

    @once
    def site_power(self) -> Node:
        plan, names = self.plan, [phase.name for phase in self.inputs.phases]
        rows = []
        for f, name in enumerate(names):
            parts = [
                worked("product", f"MW on {self.label(j)}, {name}", "MW",
                       [self.in_phase(j, f),
                        self.set_aside_mw(j)])
                for j in map(int, np.flatnonzero(plan.use[:, f] > 0))
            ]  # fmt: skip
            if parts:
                rows.append(worked("sum", f"MW set aside, {name}", "MW", parts))
        rests = [self.limit_of_power()]
        return worked("max", "most MW set aside in any phase", "MW", rows, self.answer.site_mw, rests_on=rests)

    @once
    def limit_of_power(self) -> Node:
        """What the site can be counted on for."""
        watts = self.resolved.scenario.site.grid_power
        grid = given(self.source, ("site", "grid_power"), "grid connection", watts / 1e6, "MW")
        rows = [grid, *(self.own_mw(own.asked.id) for own in self.resolved.owned)]
        value = self.priced.plant.power_mw
        if len(rows) == 1 and abs(value - watts / 1e6) < 1e-9 * max(value, 1.0):
            return grid
        return node(
            "formula", "MW that the site can be counted on for", value, "MW", "firm power of the year's hours", rows
        )

    @once
    def revenue(self) -> Node:
        segments = self.inputs.segments
        rows = [
            worked("product", f"sales of {name}", "USD/yr", [self.sold(s), self.price(s)], scale=SECONDS / 1e6,
                   scale_of="seconds of a year / 1e6 tokens")
            for s, name in enumerate(segments.names)
            if segments.usd_per_mtok[s] and self.plan.sold_tokens_per_s[s].any()
        ]  # fmt: skip
        return worked("sum", "token revenue of a year", "USD/yr", rows, self.plan.revenue_usd_per_yr)

    def made_revenue(self, segment: str) -> Node:
        """Sales of a segment in a year, or of all."""
        found = [row for row in self.revenue()["children"] if row["name"] == f"sales of {segment}"]
        return found[0] if found else self.revenue()

    @once
    def cost_of_goods(self) -> Node:
        """What the listed vendor's parts cost it to make."""
        rows = []
        for i in self.bought:
            parts = {part.name for part in self.priced.rack_parts[i].parts} & {"compute", "spares"}
            if self.priced.vendor_sells[i] and parts:
                sold = worked("sum", "its parts of a rack", "USD", [self.part(i, name) for name in sorted(parts)])
                rows.append(worked("product", f"racks of {self.inputs.platforms.names[i]} at what they cost to make", "USD",
                                   [self.racks_of(i), sold, self.production_share(i)]))  # fmt: skip
        return worked("sum", "racks at what they cost to make", "USD", rows)

    @once
    def energy(self) -> Node:
        rows = [
            worked("product", f"energy of {self.label(j)}", "USD/yr", [self.in_use(j), self.energy_of_rack(j)])
            for j in self.used
        ]
        return worked("sum", "energy of a year", "USD/yr", rows, self.answer.annual_energy_usd)

    @once
    def it_capital(self) -> Node:
        rows = [
            worked(
                "product", f"racks of {self.inputs.platforms.names[i]}", "USD", [self.racks_of(i), self.rack_price(i)]
            )
            for i in self.bought
        ]
        return worked("sum", "racks at list price", "USD", rows)

    @once
    def shell_capital(self) -> Node:
        return worked("product", "shell", "USD", [self.site_power(), self.shell_price()])

    @once
    def capex(self) -> Node:
        own = [capital for _, capital in self.owned()]
        return worked("sum", "capital", "USD", [self.it_capital(), self.shell_capital(), *own], self.answer.capex_usd)

    @once
    def upkeep(self) -> Node:
        rows = [
            worked("product", "upkeep of racks", "USD/yr", [self.it_capital(), self.upkeep_share("IT")]),
            worked("product", "upkeep of the shell", "USD/yr", [self.shell_capital(), self.upkeep_share("shell")]),
            *(self.own_upkeep(one.name) for one, _ in self.owned()),
        ]
        return worked("sum", "upkeep of a year", "USD/yr", rows)

    @once
    def staff(self) -> Node:
        return worked("product", "staff of a year", "USD/yr", [self.mean_mw(), self.staff_rate()])

    @once
    def charge(self, name: str) -> Node:
        k = list(self.levied).index(name)
        rows = [
            worked("product", f"{name} of {self.label(j)}", "USD/yr", [self.in_use(j), self._charge_of_rack(k, j)])
            for j in self.used
        ]
        return worked("sum", f"charge {name} of a year", "USD/yr", rows)

    def _charge_of_rack(self, k: int, j: int) -> Node:
        """USD of one charge for a rack in use through a year."""
        levied, charges = self.priced.levied[k], self.resolved.scenario.charges
        value = float(self.priced.charges_usd_per_yr[k, j])
        name = f"{levied.levy.id} of a rack, {self.label(j)}"
        return rate_node(self.source, charges, levied, name, value, "USD/yr")

    def charges(self) -> list[Node]:
        """Each charge of the scenario, a year."""
        return [self.charge(name) for name in self.levied]

    @once
    def running(self) -> Node:
        rows = [self.energy(), self.upkeep(), self.staff(), *self.charges()]
        return worked("sum", "energy, upkeep and staff of a year", "USD/yr", rows, self.answer.annual_running_usd)

    @once
    def rents(self) -> Node:
        """Capital as rent, at list."""
        rows = [
            worked(
                "product",
                f"rent of racks of {self.inputs.platforms.names[i]}",
                "USD/yr",
                [self.racks_of(i), self.rack_rent(i)],
            )
            for i in self.bought
        ]
        rows.append(worked("product", "rent of the shell", "USD/yr", [self.site_power(), self.shell_rent()]))
        records = {own.asked.id: own.record for own in self.resolved.owned}
        for one, capital in self.owned():
            factor = self.rent_factor(one.life_years, records[one.name].life_years, f"life of {one.name}")
            rows.append(worked("product", f"rent of {one.name}", "USD/yr", [capital, factor]))
        return worked("sum", "capital as rent", "USD/yr", rows)

    @once
    def tokens(self) -> Node:
        """Output tokens of services that are sold."""
        works, segments = self.resolved.works, self.inputs.segments
        rows = [self.sold(s) for s, w in enumerate(segments.workload) if works[w].is_serving]
        value = float(sum(row["value"] for row in rows))
        return worked("sum", "output tokens sold, mean of the horizon", "token/s", rows, value)


def finite(value: float) -> float | None:
    """None for what a plan has no number of."""
    return float(value) if np.isfinite(value) else None

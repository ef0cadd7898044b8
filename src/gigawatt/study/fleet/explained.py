"""Where a build-out's headline numbers come from: flows of all quarters, their prices and points, what was chosen when.

npv       = sum of the flows' present values, and of what racks and shell are worth at the end
a flow    = amount of all quarters x its mean price over them; the price of the first quarter has a tree of its own
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.study.explain import Node, choice, defined, fitted, given, node, of_datum, worked
from gigawatt.study.explained.charges import rate_node
from gigawatt.study.explained.once import once
from gigawatt.study.explained.plan import headed
from gigawatt.study.fleet.answer import FleetAnswer
from gigawatt.study.fleet.chosen import PROGRAMME, SECONDS, BuildChosen
from gigawatt.study.fleet.flows import QUARTER_YR
from gigawatt.study.fleet.inputs import RESALE
from gigawatt.study.fleet.leaving import DUST
from gigawatt.study.price import rent_usd_per_mw_yr

Array = NDArray[np.float64]


class BuildTrees(BuildChosen):
    """The trees of a build-out."""

    # Flows: amounts of all quarters, undiscounted.

    def mean_price(self, name: str, unit: str, value: float, first: Node, *trends: Node) -> Node:
        """A mean price over the quarters of what is bought or sold at it."""
        rests = [first, *trends]
        return node("formula", name, value, unit, "price of each quarter, weighted by its amount", rests)

    @once
    def sales(self) -> Node:
        rows = []
        for s, name in enumerate(self.build.segments):
            paid = float(self.plan.sold[s] @ self.build.price_usd_per_mtok[s]) * SECONDS / 1e6
            if not paid:
                continue
            w = int(self.build.segment_workload[s])
            family = self.resolved.works[w].family
            trend = self.asked_for.trends.get(family)
            changes = (
                [self.per_year(("trends", family, "price"), f"price of {name} changes by", trend.price)]
                if trend
                else []
            )
            tokens = self.sold(s)
            mean = self.mean_price(
                f"mean price of {name}", "USD/Mtok", paid / tokens["value"] * 1e6, self.price(s), *changes
            )
            rows.append(
                worked("product", f"sales of {name}", "USD", [tokens, mean], scale=1e-6, scale_of="1 / 1e6 tokens")
            )
        share = self.build.revenue_share
        value = float(self.flows.sales_usd.sum())
        if share == 1.0 or not rows:
            return worked("sum", "token sales, all quarters", "USD", rows or [self._nothing("sales")], value)
        whole = worked("sum", "token sales, all quarters", "USD", rows)
        part = defined(
            "share of sales that this party receives", share, "share", "who sells: the lab where one is listed"
        )
        return worked("product", "token sales that this party receives", "USD", [whole, part], value)

    def _nothing(self, what: str) -> Node:
        return defined(f"no {what}", 0.0, "USD", "the build-out has none")

    @once
    def revenue(self) -> Node:
        rows = [self.sales()]
        rent = float(self.flows.rent_usd.sum())
        if rent:
            rate = rent_usd_per_mw_yr(self.resolved.scenario)
            price = given(
                self.source, ("contracts",), "rent of a MW-year under take-or-pay contracts", rate, "USD/MW/yr"
            )
            rows.append(worked("product", "rent for MW in use", "USD", [self.mw_years(), price], rent))
        return worked("sum", "sales and rent, all quarters", "USD", rows, float(self.flows.revenue_usd.sum()))

    @once
    def mw_years(self) -> Node:
        rows = [worked("product", f"MW-years on {self.label(j)}", "MW-years", [self.rack_years(j), self.set_aside_mw(j)])
                for j in self.used]  # fmt: skip
        value = float((self.build.points.mw @ self.plan.use).sum()) * QUARTER_YR
        return worked("sum", "MW-years in use", "MW-years", rows, value)

    @once
    def energy(self) -> Node:
        rows = []
        for j in self.used:
            paid = float(self.build.energy_usd_per_yr[j] @ self.plan.use[j]) * QUARTER_YR
            years, grows = self.rack_years(j), self.asked_for.energy_price
            trend = self.per_year(("energy_price",), "energy price changes by", grows)
            mean = self.mean_price(f"energy of a rack-year, {self.label(j)}", "USD/yr", paid / years["value"],
                                   self.energy_of_rack(j), trend)  # fmt: skip
            rows.append(worked("product", f"energy of {self.label(j)}", "USD", [years, mean]))
        return worked("sum", "energy, all quarters", "USD", rows, float(self.flows.energy_usd.sum()))

    @once
    def upkeep(self) -> Node:
        rows = []
        for p, name in enumerate(self.build.platforms):
            years = float(self.plan.racks[p].sum()) * QUARTER_YR
            if years:
                owned = choice(f"rack-years owned of {name}", years, "rack-years", PROGRAMME, self.why())
                each = worked(
                    "product", f"upkeep of a rack of {name}", "USD/yr", [self.rack_price(p), self.upkeep_share("IT")]
                )
                rows.append(worked("product", f"upkeep of racks of {name}", "USD", [owned, each]))
        site = choice(
            "MW-years of site", float(self.plan.site_mw.sum()) * QUARTER_YR, "MW-years", PROGRAMME, self.why()
        )
        shell = worked(
            "product", "upkeep of the shell of a MW", "USD/MW/yr", [self.shell_price(), self.upkeep_share("shell")]
        )
        rows.append(worked("product", "upkeep of the shell", "USD", [site, shell]))
        own = float(self.answer.inputs.site.own_upkeep_usd.sum())
        if own:
            rows.append(
                node(
                    "formula", "upkeep of own plant", own, "USD", "from the quarter in which it comes", self._own_data()
                )
            )
        return worked("sum", "upkeep, all quarters", "USD", rows, float(self.flows.upkeep_usd.sum()))

    def _own_data(self) -> list[Node]:
        rows: list[Node] = []
        for own in self.resolved.owned:
            rows += [self.own_mw(own.asked.id), of_datum(f"price of {own.asked.id}", own.record.capex, 1e6, "USD/MW")]
            rows.append(of_datum(f"life of {own.asked.id}", own.record.life_years))
        return rows

    @once
    def staff(self) -> Node:
        paid = float(self.flows.staff_usd.sum())
        if not self.levied:
            return worked("product", "staff, all quarters", "USD", [self.mw_years(), self.staff_rate()], paid)
        staff = worked("product", "staff, all quarters", "USD", [self.mw_years(), self.staff_rate()])
        charges = self.resolved.scenario.charges
        rates = [
            rate_node(self.source, charges, one, f"{name}: rates of its model", one.rates.usd_per_mwh, "USD/MWh")
            for name, one in self.levied.items()
        ]
        rest = node("formula", "charges, all quarters", paid - staff["value"], "USD", "rates x use", rates)
        return worked("sum", "staff and charges, all quarters", "USD", [staff, rest], paid)

    def _racks_paid(self, paid_by: str) -> list[Node]:
        """Racks of each platform at what they are paid: `list_usd`, or `cost_usd` as the objective counts them."""
        rows = []
        price: Array = getattr(self.build, paid_by)
        for p, name in enumerate(self.build.platforms):
            paid = float(self.plan.bought[p] @ price[p])
            if not paid:
                continue
            bought, change = self.racks("bought", p), self.asked_for.offers.get(name)
            trends = (
                [self.per_year(("offers", name, "price"), f"price of {name} changes by", change.price)]
                if change
                else []
            )
            trends += [self.production_share(p)] if paid_by == "cost_usd" and self.priced.vendor_sells[p] else []
            mean = self.mean_price(
                f"mean price of a rack of {name}", "USD", paid / bought["value"], self.rack_price(p), *trends
            )
            rows.append(worked("product", f"racks of {name}", "USD", [bought, mean]))
        return rows

    @once
    def shell(self) -> Node:
        added = np.diff(self.plan.site_mw, prepend=self.build.opening_mw)
        mw = choice("MW of site built", float(added.sum()), "MW", PROGRAMME, [*self.why(), *self._power_data()])
        paid = float(self.flows.shell_usd.sum())
        if not mw["value"]:
            return node("formula", "shell", paid, "USD", "MW built x price", [mw, self.shell_price()])
        mean = self.mean_price("mean price of shell", "USD/MW", paid / mw["value"], self.shell_price())
        return worked("product", "shell", "USD", [mw, mean], paid)

    def _power_data(self) -> list[Node]:
        site = self.resolved.scenario.site
        steps = [
            given(self.source, ("site", "ramp", n, "power"), f"power from {step.from_}", step.power / 1e6, "MW")
            for n, step in enumerate(site.ramp)
        ]
        return steps or [given(self.source, ("site", "grid_power"), "grid connection", site.grid_power / 1e6, "MW")]

    @once
    def own(self) -> list[Node]:
        paid = float(self.flows.own_usd.sum())
        return [node("formula", "own plant", paid, "USD", "when it comes", self._own_data())] if paid else []

    @once
    def capital(self) -> Node:
        rows = [*self._racks_paid("list_usd"), self.shell(), *self.own()]
        return worked(
            "sum", "racks at list price, shell and own plant", "USD", rows, float(self.flows.capital_usd.sum())
        )

    @once
    def counted(self) -> Node:
        """Racks as the objective's party counts them."""
        rows = self._racks_paid("cost_usd") or [self._nothing("racks bought")]
        return worked("sum", "racks as this party counts them", "USD", rows, float(self.flows.counted_usd.sum()))

    @once
    def resale_data(self) -> list[Node]:
        known = self.resolved.catalog.get("price", RESALE).resale_share_by_age
        rows = [of_datum(f"resale after {age} years, of the price when new", datum) for age, datum in known.items()]
        return [
            *rows,
            given(self.source, ("build_out", "sale_cost"), "what selling takes", self.asked_for.sale_cost, "share"),
        ]

    @once
    def resale(self) -> Node:
        some = [self.racks("retired", p) for p in range(len(self.build.platforms)) if self.plan.retired[p].sum() > DUST]
        return node("formula", "resale of racks that leave", float(self.flows.resale_usd.sum()), "USD",
                    "racks that leave x what their age is worth", [*some, *self.resale_data()])  # fmt: skip

    # Present values.

    def present(self, name: str, value: float, behind: Node) -> Node:
        rate = self.resolved.scenario.discount_rate
        rests = [behind, given(self.source, ("discount_rate",), "discount rate", rate, "share/yr")]
        return node("formula", f"{name}, discounted", value, "USD", "each quarter at its own discount", rests)

    @once
    def npv(self) -> Node:
        flows, ends, starts = self.flows, self.build.discount, self.build.opening_discount
        worth = node("formula", "racks, shell and plant at the end", flows.worth_end_usd, "USD", "as worth then",
                     [*self.resale_data(), given(self.source, ("build_out", "terminal"), "at the end racks count as",
                                                 self.asked_for.terminal)])  # fmt: skip
        rows = [
            self.present("revenue", float(ends @ flows.revenue_usd), self.revenue()),
            self.present("less energy", -float(ends @ flows.energy_usd), self.energy()),
            self.present("less upkeep", -float(ends @ flows.upkeep_usd), self.upkeep()),
            self.present("less staff", -float(ends @ flows.staff_usd), self.staff()),
            self.present("less racks", -float(starts @ flows.counted_usd), self.counted()),
            self.present("less shell", -float(starts @ flows.shell_usd), self.shell()),
            *(self.present("less own plant", -float(starts @ flows.own_usd), own) for own in self.own()),
            self.present("resale", float(starts @ flows.resale_usd), self.resale()),
            self.present("worth at the end", float(ends[-1] * flows.worth_end_usd), worth),
        ]
        return worked("sum", "present value", "USD", rows, flows.npv_usd, rests_on=self.why())

    def peak_capital(self) -> Node:
        """The quarter in which most is in at once."""
        flows = self.flows
        t = int(np.argmax(flows.funding_usd))
        name = self.build.quarters[t]
        if not flows.funding_usd[t] > 0:
            return worked("same", "nothing is ever in", "USD", [self._nothing("money in")])
        made = [
            ("capital", float(flows.capital_usd[: t + 1].sum()), self.capital()),
            ("resale", float(flows.resale_usd[: t + 1].sum()), self.resale()),
            ("earned before", float(flows.operating_usd[:t].sum()), self.revenue()),
        ]
        rows = [
            node("formula", f"{what}, until {name}", value, "USD", "its quarters until then", [tree])
            for what, value, tree in made
        ]
        return worked("difference", f"capital less resale and what was earned before, in {name}", "USD", rows)

    def peak_mw(self) -> Node:
        rows = [
            choice(
                f"site at the end of {name}",
                float(self.plan.site_mw[t]),
                "MW",
                PROGRAMME,
                [*self.why(), *self._power_data()],
            )
            for t, name in enumerate(self.build.quarters)
        ]
        return worked("max", "site that is built", "MW", rows)

    def mean_mw(self) -> Node:
        years = defined("years of the horizon", len(self.build.quarters) * QUARTER_YR, "yr", "its quarters / 4")
        return worked("ratio", "MW-years over years", "MW", [self.mw_years(), years])

    def tokens(self) -> Node:
        rows = [
            self.sold(s) for s, w in enumerate(self.build.segment_workload) if self.resolved.works[int(w)].is_serving
        ]
        return worked(
            "sum", "output tokens of services", "token", rows or [defined("no service", 0.0, "token", "no such work")]
        )

    def counted_racks(self, what: str) -> Node:
        rows = [self.racks(what, p) for p in range(len(self.build.platforms))]
        return worked("sum", f"racks {what}", "racks", rows)

    def lost(self, policy: str) -> Node:
        """What deciding without foresight costs."""
        others, words = self.answer.others, "present value, decided with {} foresight"
        rows = [
            node("formula", words.format(name), others[name], "USD", f"{PROGRAMME}, {name}", self.why())
            for name in ("perfect", policy)
        ]
        return worked("difference", f"perfect foresight less {policy}", "USD", rows)

    def other_software(self, value: float) -> Node:
        record = self.resolved.catalog.get("calibration", "software-maturity")
        held = given(self.source, ("build_out", "software"), "software of the headline", self.asked_for.software)
        return node("formula", "the same with the other software", value, "USD", "points, purchases and use chosen anew",
                    [fitted(record), held, self.npv()])  # fmt: skip


def trees(answer: FleetAnswer, metrics: Table) -> dict[str, Node]:
    """A tree for every headline metric."""
    t, out = BuildTrees(answer), {}
    how: dict[str, Callable[[], Node]] = {
        "npv_usd": t.npv,
        "capital_usd": t.capital,
        "peak_capital_usd": t.peak_capital,
        "revenue_usd": t.revenue,
        "energy_usd": t.energy,
        "mean_mw": t.mean_mw,
        "peak_mw": t.peak_mw,
        "revenue_per_mw_year": lambda: worked("ratio", "revenue / MW-years", "USD/MW/yr", [t.revenue(), t.mw_years()]),
        "tokens_out": t.tokens,
        "racks_bought": lambda: t.counted_racks("bought"),
        "racks_retired": lambda: t.counted_racks("retired"),
        "rolling_lost_usd": lambda: t.lost("rolling"),
        "myopic_lost_usd": lambda: t.lost("myopic"),
    }
    for row in metrics.rows():
        name = row["name"]
        made = how[name]() if name in how else t.other_software(row["value"])
        out[name] = headed(row, made)
    return out

"""Where the headline numbers of the hours come from: amounts of a day that steering chose, at prices and rates with trees of
their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.factory.operation import Dispatched, Operation
from gigawatt.factory.operation.model import HOUR_S
from gigawatt.finance import Ledger
from gigawatt.study.explain import Node, choice, defined, fitted, node, of_datum, worked
from gigawatt.study.explained.once import once
from gigawatt.study.explained.plan import headed
from gigawatt.study.explained.power import climate, cooling_data, loss_data
from gigawatt.study.operate.conditions import DAY_H, GRID, ZERO_C_K
from gigawatt.study.operate.fleet import Setting
from gigawatt.study.operate.measures import BINDS, served_tokens_per_s
from gigawatt.study.operate.steered import PROGRAMME, Steered

Array = NDArray[np.float64]
MOST_SHOWN = 3  # hours shown of those in which power is short


class HourTrees(Steered):
    """The trees of a period's hours."""

    # Money and energy of a day.

    @once
    def revenue_of_day(self) -> Node:
        rows = [
            worked("product", f"sales of {name}", "USD", [self.tokens_sold(row), self.price(self.setting.segment[row])],
                   scale=1e-6, scale_of="1 / 1e6 tokens")
            for row, name in enumerate(self.setting.inputs.segments.names)
        ]  # fmt: skip
        return worked("sum", "sales of a day", "USD", rows, self.of_day(self.done.revenue_usd))

    @once
    def mwh_of(self, n: int) -> Node:
        name = self.setting.inputs.sources.names[n]
        rows = [self.building(), *self._source_data(name), *self.held()]
        return choice(f"MWh of {name} in a day", self.of_day(self.done.gen_mw[n]), "MWh", PROGRAMME, rows)

    def sources(self) -> list[int]:
        return [n for n in range(len(self.done.gen_mw)) if self.done.gen_mw[n].sum() > 0]

    def mean_of(self, n: int, column: Array, name: str, unit: str, rests: Sequence[Node]) -> Node:
        made = self.done.gen_mw[n]
        value = float(made @ column) / float(made.sum())
        return node("formula", name, value, unit, "of each hour, weighted by its MWh", rests)

    @once
    def energy_money(self) -> Node:
        rows, sources = [], self.setting.inputs.sources
        for n in self.sources():
            name = sources.names[n]
            rests = [*self._price_data(name)]
            if name == GRID:
                rests.append(
                    self.operate(
                        "energy_price", "the grid's price by the hour", self.resolved.scenario.operate.energy_price
                    )
                )
            price = self.mean_of(n, sources.usd_per_mwh[n], f"mean price of {name}", "USD/MWh", rests)
            rows.append(worked("product", f"energy of {name}", "USD", [self.mwh_of(n), price]))
        return worked("sum", "energy of a day", "USD", rows, self.of_day(self.done.energy_usd))

    @once
    def carbon_of_day(self) -> Node:
        rows, sources = [], self.setting.inputs.sources
        for n in self.sources():
            mean = self.mean_of(
                n, sources.carbon_kg_per_mwh[n], f"carbon of {sources.names[n]}", "kg/MWh", [super().carbon()]
            )
            rows.append(
                worked(
                    "product", f"carbon of {sources.names[n]}", "t", [self.mwh_of(n), mean], scale=1e-3, scale_of="t/kg"
                )
            )
        return worked("sum", "carbon of a day", "t", rows)

    @once
    def it_energy(self) -> Node:
        """MWh at the racks' input, by work."""
        names, works = self.setting.inputs.works.names, self.done.work_it_mw
        rows = []
        for w, name in enumerate(names):
            mine = self.ways_of(w)
            rests = [*(self.rack_hours(k) for k in mine), *(self.rack_input(self.setting.way_point[k]) for k in mine)]
            rows.append(node("formula", f"MWh of racks set up for {name}", self.of_day(works[w]), "MWh",
                             "busy racks at their watts, those that wait at theirs", [*rests, *self.held()]))  # fmt: skip
        rest = self.of_day(self.done.it_mw) - sum(row["value"] for row in rows)
        if abs(rest) > 1e-9 * max(self.of_day(self.done.it_mw), 1e-12):
            rows.append(
                node("formula", "MWh of racks without work", rest, "MWh", "idle watts", [fitted(self._chip_power())])
            )
        return worked("sum", "MWh at the racks in a day", "MWh", rows, self.of_day(self.done.it_mw))

    def _chip_power(self) -> Any:
        return self.resolved.catalog.get("calibration", "chip-power")

    @once
    def building(self) -> Node:
        """MWh at the meter: what the building takes whatever the load, and for each MWh of IT."""
        around, done, facility = self.setting.around, self.done, self.resolved.facility
        data = [
            *self._air(),
            *cooling_data(facility),
            *loss_data(facility, "ups"),
            *loss_data(facility, "distribution"),
        ]
        fixed = self.of_day(around.fixed_mw)
        per_it = float(done.it_mw @ around.per_it) / float(done.it_mw.sum())
        each = node(
            "formula",
            "meter MWh for each MWh of IT, mean of the hours",
            per_it,
            "MWh/MWh",
            "the building by the hour",
            data,
        )
        house = [of_datum("house load over what the site is built for", facility.house_load), self.site_power()]
        rows = [
            worked("product", "racks with their losses and cooling", "MWh", [self.it_energy(), each]),
            node("formula", "whatever the load", fixed, "MWh", "house load and its losses", house),
        ]
        return worked("sum", "MWh at the meter in a day", "MWh", rows, self.of_day(done.meter_mw))

    @once
    def _air(self) -> list[Node]:
        around, day = self.setting.around, self.setting.around.first.isoformat()
        asked = self.operate("day", "day", day if self.resolved.scenario.operate.day else f"{day}, the dearest to cool")
        rows = [("dry bulb", around.dry_bulb_k), ("wet bulb", around.wet_bulb_k)]
        return [
            node(
                "formula",
                f"{name}, mean of the hours",
                float(column.mean()) - ZERO_C_K,
                "C",
                around.made,
                [climate(self.resolved), asked],
            )
            for name, column in rows
        ]

    # Shares and rates.

    def services(self) -> list[int]:
        return [w for w, kind in enumerate(self.kinds) if kind == "service"]

    @once
    def sold_of_services(self) -> Node:
        mine = self.services()
        rows = [self.tokens_sold(r) for r, w in enumerate(self.setting.inputs.segments.work) if int(w) in mine]
        return worked("sum", "output tokens of services sold in a day", "token", rows)

    @once
    def asked_of_services(self) -> Node:
        mine = self.services()
        rows = []
        for r, w in enumerate(self.setting.inputs.segments.work):
            if int(w) in mine:
                name = self.setting.inputs.segments.names[r]
                value = self.of_day(self.setting.inputs.segments.tokens_per_s[r]) * HOUR_S
                rows.append(node("formula", f"asked for in a day: {name}", value, "token", "its mean x the wave of the day",
                                 [self.demand(self.setting.segment[r]), self.wave()]))  # fmt: skip
        return worked("sum", "output tokens asked for in a day", "token", rows)

    def unserved(self) -> Node:
        whole = defined("all that is asked for", 1.0, "share", "what the other is taken from")
        share = worked("ratio", "sold over asked for", "share", [self.sold_of_services(), self.asked_of_services()])
        return worked("difference", "1 - sold / asked for", "share", [whole, share])

    def missed(self) -> Node:
        mine = self.services()
        meant, served = self.setting.planned[mine], served_tokens_per_s(self.setting, self.done)[mine]
        late = self.of_day(np.maximum(meant - served, 0.0)) * HOUR_S
        plan = node("formula", "tokens that the plan meant to serve in a day", self.of_day(meant) * HOUR_S, "token",
                    "what the plan sells x the wave of the day", [self.sold(s) for s in self.setting.segment])  # fmt: skip
        less = node(
            "formula",
            "of them not served in their hour",
            late,
            "token",
            "hour by hour",
            [self.sold_of_services(), *self.held()],
        )
        return worked("ratio", "not served over meant", "share", [less, plan])

    def run_tokens(self) -> Node:
        mine = set(range(len(self.kinds))) - set(self.services())
        lanes, ways = self.setting.inputs.lanes.work, self.setting.inputs.ways.lane
        rows = [self.way(k) for k in self.busy() if int(lanes[ways[k]]) in mine]
        return worked(
            "sum", "tokens of runs in a day", "token", rows or [defined("no run is worked on", 0.0, "token", PROGRAMME)]
        )

    def joules_of_token(self) -> Node:
        mine = self.services()
        mwh = self.of_day(self.done.work_it_mw[mine].sum(axis=0) * self.setting.inputs.per_it)
        energy = node("formula", "MWh at the meter of services' racks, in a day", mwh, "MWh", "with their losses and cooling",
                      [self.building()])  # fmt: skip
        return worked("ratio", "joules over output tokens sold", "J/token", [energy, self.sold_of_services()], scale=3.6e9,
                      scale_of="J per MWh")  # fmt: skip

    def load_factor(self) -> Node:
        hours = defined("hours of a day", float(DAY_H), "h", "definition")
        mean = worked("ratio", "mean MW at the meter", "MW", [self.building(), hours])
        return worked("ratio", "mean draw over MW built", "share", [mean, self.site_power()])

    def load_in_plan(self) -> Node:
        f = self.setting.phase
        rows = [
            worked(
                "product",
                f"MW of {self.label(j)}",
                "MW",
                [self.in_phase(j, f), self.set_aside_mw(j), self.mean_load(j)],
            )
            for j in map(int, np.flatnonzero(self.plan.use[:, f] > 0))
        ]
        return worked("ratio", "racks in use at their load over MW built", "share", [
            worked("sum", "MW of racks in use at their load", "MW", rows), self.site_power()])  # fmt: skip

    def hours_short(self) -> Node:
        hours = [defined(f"{label}, worth {worth:,.4g} USD/MWh", 1.0 / self.days, "h", "a MW more is worth something")
                 for label, worth in zip(self.setting.around.labels(), self.done.worth_usd_per_mwh, strict=True)
                 if worth > BINDS]  # fmt: skip
        rows = hours or [defined("no hour is short of power", 0.0, "h", PROGRAMME)]
        return worked(
            "sum", "hours of a day in which power is short", "h", rows, rests_on=[self.limit_of_power(), *self.held()]
        )

    def best_mwh(self) -> Node:
        worth, labels = self.done.worth_usd_per_mwh, self.setting.around.labels()
        first = np.argsort(-worth, kind="stable")[:MOST_SHOWN]
        rows = [
            choice(f"a MW more at {labels[h]}", float(worth[h]), "USD/MWh", "dual of the hour's power, blocks held")
            for h in first
        ]
        return worked(
            "max", "most that a MW more is worth", "USD/MWh", rows, rests_on=[self.limit_of_power(), *self.held()]
        )

    def water(self) -> Node:
        around, done = self.setting.around, self.done
        mean = float(around.water_l_per_it_mwh @ done.it_mw) / float(done.it_mw.sum())
        each = node("formula", "litres for each MWh of IT, mean of the hours", mean, "L/MWh", "cooling by the hour",
                    [*self._air(), *cooling_data(self.resolved.facility)])  # fmt: skip
        return worked("product", "water of a day", "m3", [self.it_energy(), each], scale=1e-3, scale_of="m3/L")

    def margin(self) -> Node:
        rows = [self.revenue_of_day(), self.energy_money()]
        return worked("difference", "sales less energy of a day", "USD", rows, rests_on=self.held())

    def steering(self, other: Dispatched) -> Node:
        value = other.value_usd / self.days
        static = node(
            "formula", f"margin a day of a {other.name}", value, "USD", "the same hours, steered so", [self.margin()]
        )
        return worked("difference", f"margin less that of a {other.name}", "USD", [self.margin(), static])

    def net(self, company: str, ledger: Ledger) -> Node:
        """Cash of a company in a day, by account of the hours' ledger."""
        made: dict[str, Callable[[], Node]] = {
            "revenue": self.revenue_of_day,
            "energy": self.energy_money,
            "opex": self.running,
        }
        rows = []
        for k, line in enumerate(ledger.lines):
            if company in (line.payer, line.payee):
                sign = (line.payee == company) - (line.payer == company)
                side = f"from {line.payer}" if sign > 0 else f"to {line.payee}"
                behind = (
                    self._contract(line.contract)
                    if line.contract
                    else [made.get(line.account.partition(":")[0], self.margin)()]
                )
                name = f"{line.account} {side}" + (f" ({line.contract})" if line.contract else "")
                value = sign * self.of_day(ledger.amount_usd[k])
                rows.append(node("formula", name, value, "USD", "sum of its hours, a day", behind))
        return worked("sum", f"cash of {company} in a day", "USD", rows)


def trees(
    setting: Setting, done: Operation, metrics: Table, others: Sequence[Dispatched] = (), ledger: Ledger | None = None
) -> dict[str, Node]:
    """A tree for every headline number."""
    t, out = HourTrees(setting, done), {}
    how: dict[str, Callable[[], Node]] = {
        "revenue_per_day": t.revenue_of_day,
        "margin_per_day": t.margin,
        "tokens_out_per_day": t.sold_of_services,
        "run_tokens_per_day": t.run_tokens,
        "missed_share": t.missed,
        "unserved_share": t.unserved,
        "energy_per_day": t.building,
        "energy_usd_per_day": t.energy_money,
        "pue": lambda: worked("ratio", "meter over racks", "", [t.building(), t.it_energy()]),
        "load_factor": t.load_factor,
        "load_factor_in_plan": t.load_in_plan,
        "joules_per_output_token": t.joules_of_token,
        "hours_short_of_power": t.hours_short,
        "best_mwh_usd": t.best_mwh,
        "water_per_day": t.water,
        "carbon_per_day": t.carbon_of_day,
    }
    for other in others:
        how["steering_over_" + other.name.replace(" ", "_")] = partial(t.steering, other)
    if ledger is not None:
        how |= {f"{company}_net_per_day": partial(t.net, company, ledger) for company in ledger.companies}
    for row in metrics.rows():
        out[row["name"]] = headed(row, how[row["name"]]())
    return out

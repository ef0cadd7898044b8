"""Where the values of the moats come from: the worth of every coalition, and what each moat is when it is off.

value of a moat   = sum over coalitions S without it of weight x (v(S + it) - v(S)), over the MW of the site
v(S)              = best joint plan with the moats S - best plan without the vendor
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial

import numpy as np

from gigawatt.core.table import Table
from gigawatt.factory.moats import MOATS, Value
from gigawatt.factory.moats.shapley import Coalition, coalitions
from gigawatt.physics.chip.software import PORTING
from gigawatt.study.explain import Node, choice, defined, fitted, given, node, of_datum, worked
from gigawatt.study.explained.once import once
from gigawatt.study.explained.plan import headed
from gigawatt.study.explained.work import Work
from gigawatt.study.moats.strengths import PEAKS, Strengths
from gigawatt.study.moats.tables import WORDS

NOTHING = 1e-12


class MoatTrees(Work):
    """The trees of an answer about moats."""

    def __init__(self, strengths: Strengths) -> None:
        super().__init__(strengths.setting.resolved, strengths.setting.priced)
        self.strengths, self.setting, self.terms = strengths, strengths.setting, strengths.terms()
        self.rival = strengths.setting.rival

    def name(self, i: int) -> str:
        return self.setting.names[i]

    # The game of a regime.

    def regime(self, one: Value) -> dict[str, Node]:
        """The trees of a regime's headline numbers."""
        name = one.regime.name.replace("-", "_").replace(" ", "_")
        site = choice("MW of the site with all moats on", one.base.site_mw, "MW", "joint plan", self._why(one))
        worth = {on: self._worth(one, on, site) for on in one.worth}
        out = {}
        for moat in MOATS:
            out[f"{moat}_{name}"] = self._over(
                self._shapley(one, moat, worth), site, f"{WORDS[moat]}, {one.regime.name}"
            )
        total = [out[f"{moat}_{name}"] for moat in MOATS]
        out[f"moats_{name}"] = worked(
            "sum", f"all three, {one.regime.name}", "USD/MW/yr", total, rests_on=self._why(one)
        )
        out[f"premium_{name}"] = self._premium(one)
        return out

    def _over(self, value: Node, site: Node, name: str) -> Node:
        if not site["value"]:
            none = defined("nothing is built in this regime", 0.0, "USD/MW/yr", "a value over no MW counts as none")
            return worked("same", name, "USD/MW/yr", [none], rests_on=[value, site])
        return worked("ratio", name, "USD/MW/yr", [value, site])

    def _why(self, one: Value) -> list[Node]:
        asked = given(self.source, ("moats", "regimes"), "regime", one.regime.name)
        binds = [choice(f"{limit} binds", 1.0, "", "joint plan with all moats") for limit in one.binding]
        short = choice(f"what is short: {one.regime.short}", None, "", f"regime {one.regime.name}")
        return [asked, short, *binds]

    def _worth(self, one: Value, on: Coalition, site: Node) -> Node:
        """v(S): the joint plan with these moats less the plan without the vendor."""
        absent = one.base.usd_per_yr - one.worth[MOATS]
        off = [self.off(moat) for moat in MOATS if moat not in on]
        words = ", ".join(WORDS[m] for m in on) or "none"
        joint = node("formula", f"joint plan with {words}", one.worth[on] + absent, "USD/yr",
                     "fleet programme, the vendor at production cost", [*off, *self._prices(), site])  # fmt: skip
        without = node(
            "formula", "plan without the vendor's platforms", absent, "USD/yr", "fleet programme", self._prices()
        )
        return worked("difference", f"v({words})", "USD/yr", [joint, without], one.worth[on])

    @once
    def _prices(self) -> list[Node]:
        """What every plan of the game is made from: what is sold and bought at which price."""
        inputs = self.priced.inputs
        sold = [self.price(s) for s in range(len(inputs.segments.names)) if inputs.segments.usd_per_mtok[s]]
        racks = [self.rack_price(i) for i in range(len(self.resolved.offers))]
        made = [self.production_share(i) for i in self.setting.focal]
        return [*sold, *racks, *made, self.shell_price(), self.energy_price()]

    def _shapley(self, one: Value, moat: str, worth: dict[Coalition, Node]) -> Node:
        rows, n = [], len(MOATS)
        for subset in coalitions([other for other in MOATS if other != moat]):
            joined = tuple(other for other in MOATS if other in subset or other == moat)
            weight = factorial(len(subset)) * factorial(n - 1 - len(subset)) / factorial(n)
            share = defined("share of the orders in which it comes so", weight, "share", "|S|! (2 - |S|)! / 3!")
            beside = ", ".join(WORDS[m] for m in subset) or "nothing"
            added = worked("difference", f"what it adds beside {beside}", "USD/yr", [worth[joined], worth[subset]])
            rows.append(worked("product", f"beside {beside}", "USD/yr", [share, added]))
        return worked("sum", f"{WORDS[moat]}: mean over all orders of what it adds", "USD/yr", rows, one.shapley[moat],
                      rests_on=[self.off(moat)], source="Shapley value")  # fmt: skip

    def _premium(self, one: Value) -> Node:
        lead = self.setting.lead
        taken = choice(
            f"taken at {one.premium.base}", one.premium.volume, "accelerators", "buyer's plan", self._why(one)
        )
        rows = [
            taken,
            self.list_price(lead),
            self.production_share(lead),
            *(self.off(moat) for moat in MOATS),
            *self._prices(),
        ]
        return node("formula", "highest price at which the buyer still takes half", one.premium.with_all, "x list",
                    "bisection on the buyer's plan", rows)  # fmt: skip

    # What each moat is when it is off.

    @once
    def off(self, moat: str) -> Node:
        """The factors of a moat that is off, by workload, on the vendor's best platform."""
        rows = []
        for w in range(len(self.setting.inputs.workloads)):
            i = int(self.strengths.best[w])
            rows.append(
                {"software": self.software, "networking": self.networking, "perf_per_watt": self.watts}[moat](i, w)
            )
        if moat == "software":
            rows.append(self._life())
        return node("formula", f"{WORDS[moat]} off", None, "", f"values of {self.name(self.rival)}", rows)

    @once
    def software_level(self, i: int, w: int) -> Node:
        """Speed of a platform's software on a workload, over the calibrations' own."""
        offered, work = self.offered(i), self.resolved.works[w]
        name = f"{work.uses} software of {self.name(i)}"
        if offered.offer.maturity is not None:
            return given(self.source, ("fleet", i, "maturity"), name, offered.offer.maturity, "x")
        datum = of_datum(name, getattr(offered.platform.software, work.uses))
        state = self.priced.performance.software.get((i, w))
        if state is None or state.growth == 1.0:
            return datum
        curve = fitted(self.resolved.catalog.get("calibration", "software-maturity"))
        grown = node("formula", "what it gains until the start", state.growth, "x", "curve of its releases", [curve])
        return worked("product", f"{name}, at the start", "x", [datum, grown])

    @once
    def ported(self, w: int) -> Node:
        """Share of the life that is left after a port."""
        left = float(self.strengths.porting()[w])
        months, ports = float(self.strengths.months[w, 0]), self.setting.spec.ports
        record = self.resolved.catalog.get("porting", PORTING)
        name = f"share of life left after the port of {self.setting.inputs.workloads[w]}"
        rests = [of_datum("months of a bring-up", record.bring_up.months)]
        moved = given(self.source, ("moats", "ports"), "moves to another stack in a life", ports, "x")
        life = of_datum("life of IT", self.costs.it_life_years)
        plain = 1.0 - ports * months / (12 * self.strengths.life_years)
        if abs(plain - left) > NOTHING:
            why = "it never runs on the rival's stack" if self.strengths.lost[w] else "no life is left"
            return node("formula", name, left, "share", why, [*rests, moved, life])
        port = node("formula", "months of a port", months, "months", "what the work asks of the rival's stack", rests)
        gone = worked("product", "months of ports", "months", [moved, port])
        share = worked("ratio", "of the life", "share", [gone, life], scale=1 / 12, scale_of="yr per month")
        whole = defined("whole life", 1.0, "share", "what the other is taken from")
        return worked("difference", name, "share", [whole, share], left)

    def software(self, i: int, w: int) -> Node:
        levels = worked(
            "ratio",
            "the rival's software over the vendor's",
            "x",
            [self.software_level(self.rival, w), self.software_level(i, w)],
        )
        name = f"tokens of {self.setting.inputs.workloads[w]} on {self.name(i)} without its software"
        return worked("product", name, "x", [levels, self.ported(w)], float(self.terms.software[i, w]))

    @once
    def _life(self) -> Node:
        record = self.resolved.catalog.get("porting", PORTING)
        rows = [
            of_datum("years of life lost", record.life_lost_years),
            of_datum("life of IT", self.costs.it_life_years),
            self.rate(),
        ]
        value = float(max(self.terms.charge[i] for i in self.setting.focal))
        return node(
            "formula",
            "yearly charge without the software, over that with it",
            value,
            "x",
            "rent over a shorter life",
            rows,
        )

    def _wires(self, i: int) -> list[Node]:
        offered = self.offered(i)
        chip, label = offered.accelerator, self.name(i)
        facts = (("scale-up bandwidth", chip.scaleup_bandwidth), ("NIC bandwidth", chip.nic_bandwidth))
        rows = [of_datum(f"{what} of {label}", datum) for what, datum in facts if datum is not None]
        return [*rows, self._fabric(i)]

    @once
    def networking(self, i: int, w: int) -> Node:
        name = (
            f"tokens of {self.setting.inputs.workloads[w]} on {self.name(i)} in the network of {self.name(self.rival)}"
        )
        fabric = fitted(self.resolved.catalog.get("calibration", "fabric-collectives"))
        rests = [fabric, *self._wires(i), *self._wires(self.rival)]
        return node(
            "formula",
            name,
            float(self.terms.networking[i, w]),
            "x",
            "best mapping in each network, all else kept",
            rests,
        )

    @once
    def per_mw(self, i: int, w: int) -> Node:
        """Tokens a second and MW of the best point of a platform."""
        points = self.priced.inputs.points
        mine = np.flatnonzero((points.platform == i) & (points.workload == w))
        name, value = (
            f"tokens of {self.setting.inputs.workloads[w]} a MW on {self.name(i)}",
            float(self.setting.per_mw[i, w]),
        )
        j = int(mine[np.argmax(points.tokens_out_per_s[mine] / points.mw[mine])])
        made = worked("ratio", name, "token/s/MW", [self.of_rack(j), self.set_aside_mw(j)])
        if abs(made["value"] - value) <= 1e-9 * abs(value):
            return made
        spread = [given(self.source, ("moats", "across"), "training spread over sites", "yes")]
        return node("formula", name, value, "token/s/MW", "what crosses between sites costs it", [made, *spread])

    def watts(self, i: int, w: int) -> Node:
        """Watts for the same tokens without the moat: what is left between the two at equal software and network."""
        name = f"watts for {self.setting.inputs.workloads[w]} on {self.name(i)} without the moat"
        value, basis = float(self.terms.watts[i, w]), self.strengths.bases[w]
        asked = given(self.source, ("moats", "basis"), "basis of performance per watt", self.setting.spec.basis)
        if basis == "measured here":
            levels = worked(
                "ratio",
                "the rival's software over the vendor's",
                "x",
                [self.software_level(self.rival, w), self.software_level(i, w)],
            )
            ours = worked("product", "the vendor's tokens a MW at the rival's software and network", "token/s/MW",
                          [self.per_mw(i, w), levels, self.networking(i, w)])  # fmt: skip
            return worked("ratio", name, "x", [ours, self.per_mw(self.rival, w)], value, rests_on=[asked])
        k = next(k for k, peak in enumerate(PEAKS) if peak in basis)
        pair = [self._peak(k, at) for at in (i, self.rival)]
        return worked("ratio", name, "x", pair, value, rests_on=[asked], source=basis)

    @once
    def _peak(self, k: int, i: int) -> Node:
        """Dense peak per watt at the meter of a platform."""
        chip, platform = self.offered(i).accelerator, self.offered(i).platform
        flops = next((chip.peak_flops[p] for p in (PEAKS[k], "fp8", "bf16") if p in chip.peak_flops), None)
        rows = [of_datum(f"dense peak of {self.name(i)}", flops)] if flops is not None else []
        rows += [of_datum(f"rating of {self.name(i)}", chip.tdp)] if chip.tdp is not None else []
        rows += [of_datum(f"supplies of {self.name(i)}", platform.supply_efficiency), self.meter_per_it()]
        return node("formula", f"dense peak of {self.name(i)} a watt", float(self.strengths.peaks[k, i]), "flop/s/W",
                    "peak over watts at the meter, with what stands beside", rows)  # fmt: skip


def trees(values: Sequence[Value], strengths: Strengths, metrics: Table) -> dict[str, Node]:
    """A tree of every headline number."""
    t = MoatTrees(strengths)
    made: dict[str, Node] = {}
    for one in values:
        made |= t.regime(one)
    return {row["name"]: headed(row, made[row["name"]]) for row in metrics.rows()}

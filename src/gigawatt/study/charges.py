"""Charges of a scenario: costs that a plug-in's model knows, read, asked for at the site's own numbers, and told.

    charges: [{id: carbon, model: carbon-price, terms: {price: 80 USD/t}}]

They are the operator's; who is paid stands outside the listed companies, so the system pays them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core import plugins
from gigawatt.core.errors import InputError, Problems
from gigawatt.core.table import Table
from gigawatt.core.terms import read_terms
from gigawatt.economics.cost import Charged, CostModel, Part, RackCapex, Rates
from gigawatt.economics.cost.models import wrong_rates
from gigawatt.study.load import Loaded

if TYPE_CHECKING:
    from gigawatt.factory import Points
    from gigawatt.study.answer import Answer
    from gigawatt.study.resolve import Resolved
    from gigawatt.study.site.plant import Plant

Array = NDArray[np.float64]
HOURS_PER_YEAR = 8760.0


@dataclass(frozen=True, slots=True)
class Levy:
    """A charge of the scenario with its model and its terms."""

    id: str
    plugin: plugins.Plugin
    model: CostModel
    terms: Any
    payee: str


@dataclass(frozen=True, slots=True)
class Levied:
    """A charge at a site: its rates, with USD at purchase and by year as columns over the platforms on offer."""

    levy: Levy
    rates: Rates
    rack_usd: Array
    rack_usd_per_yr: Array

    def usd_per_yr(self, points: Points, mwh_per_yr: Array) -> Array:
        """[points] of a rack in use, which draws `mwh_per_yr`."""
        rates = self.rates
        each = self.rack_usd_per_yr[points.platform] + rates.usd_per_mwh * mwh_per_yr + rates.usd_per_mw_yr * points.mw
        return np.asarray(each)


def read_levies(loaded: Loaded, problems: Problems) -> tuple[Levy, ...]:
    """The charges of a scenario, their models loaded and their terms read."""
    found, listed = [], {company.id for company in loaded.scenario.companies}
    for index, charge in enumerate(loaded.scenario.charges):
        where = loaded.source.where
        try:
            model = plugins.named(plugins.COSTS, charge.model, CostModel, where(("charges", index, "model")))
            plugin = plugins.find(plugins.COSTS, charge.model)
            assert plugin is not None
            told = Problems()
            with plugins.guarded(plugin, f"its terms, as charge '{charge.id}' gives them, failed"):
                name = f"charge '{charge.id}'"
                terms = read_terms(name, charge.model, model.door, model.terms, charge.terms, told)
        except InputError as error:
            problems.extend(error.problems)
            continue
        for one in told.found:
            key = next((key for key in charge.terms if f"'{key}'" in one.message or f", {key}:" in one.message), "")
            problems.extend([replace(one, where=where(("charges", index, "terms", key)))])
        payee = charge.payee or model.payee
        if payee in listed:
            hint = "who is paid stands outside; money between listed companies is a contract"
            place = where(("charges", index, "payee"))
            problems.add(
                "listed_payee", f"charge '{charge.id}' pays '{payee}', a company of this scenario", place, hint
            )
        found.append(Levy(charge.id, plugin, model, terms, payee))
    return tuple(found)


def levied_on(resolved: Resolved, plant: Plant) -> tuple[Levied, ...]:
    """Every charge at the site as it stands.

    Raises:
        PluginError: a model failed, or answered something else than rates.
    """
    if not resolved.levies:
        return ()
    seen = _seen(resolved, plant)
    count = len(seen.platforms)
    found = []
    for levy in resolved.levies:
        with plugins.guarded(levy.plugin, f"its rates of charge '{levy.id}' failed"):
            rates = levy.model.rates(levy.terms, seen)
            wrong = wrong_rates(rates, count)
        if wrong:
            raise plugins.PluginError(levy.plugin, f"its rates of charge '{levy.id}': {wrong}")
        columns = (np.broadcast_to(np.asarray(x, np.float64), count) for x in (rates.rack_usd, rates.rack_usd_per_yr))
        found.append(Levied(levy, rates, *columns))
    return tuple(found)


def _seen(resolved: Resolved, plant: Plant) -> Charged:
    platforms = [offered.platform for offered in resolved.offers]
    return Charged(
        platforms=tuple(one.id for one in platforms),
        vendors=tuple(one.vendor for one in platforms),
        chips=np.array([float(one.chips_per_rack) for one in platforms]),
        hosts=np.array([one.chips_per_rack / one.chips_per_node for one in platforms]),
        list_usd=np.array([offered.list_price_usd for offered in resolved.offers]),
        nic_bytes_per_s=np.array([o.platform.chips_per_rack * o.fabric.nic_bandwidth.value for o in resolved.offers]),
        power_mw=plant.power_mw,
        energy_usd_per_mwh=plant.energy_usd_per_mwh,
        carbon_kg_per_mwh=plant.carbon_kg_per_mwh,
    )


def with_charges(racks: Sequence[RackCapex], levied: Sequence[Levied]) -> tuple[RackCapex, ...]:
    """Racks with the parts that charges add at purchase."""
    made = list(racks)
    for one in levied:
        for i, usd in enumerate(one.rack_usd):
            if usd > 0:
                boundary = f"{one.levy.model.says} (plug-in {one.levy.plugin.package})"
                part = Part(one.levy.id, float(usd), one.rates.life_years, one.levy.payee, boundary)
                made[i] = replace(made[i], parts=(*made[i].parts, part))
    return tuple(made)


def charges_of(levied: Sequence[Levied], points: Points, mwh_per_yr: Array) -> Array:
    """[charges, points] USD a year of a rack in use."""
    rows = [one.usd_per_yr(points, mwh_per_yr) for one in levied]
    return np.array(rows) if rows else np.zeros((0, len(points)))


def charges_table(answer: Answer) -> Table:
    """What each charge comes to, at which rates, by whose model."""
    priced, plan = answer.priced, answer.plan
    rows = [
        {
            "charge": one.levy.id,
            "model": f"{one.levy.plugin.name}, {one.levy.plugin.package}",
            "paid_to": one.levy.payee,
            "usd_per_yr": float(priced.charges_usd_per_yr[k] @ plan.mean_use),
            "capex_usd": float(one.rack_usd @ plan.racks),
            "usd_per_mwh": one.rates.usd_per_mwh,
            "usd_per_mw_yr": one.rates.usd_per_mw_yr,
            "what": one.levy.model.says,
        }
        for k, one in enumerate(priced.levied)
    ]
    columns = ("charge", "model", "paid_to", "usd_per_yr", "capex_usd", "usd_per_mwh", "usd_per_mw_yr", "what")
    units = {"usd_per_yr": "USD/yr", "capex_usd": "USD", "usd_per_mwh": "USD/MWh", "usd_per_mw_yr": "USD/MW/yr"}
    note = "Paid by the operator to outsiders; the fleet was chosen with them."
    return Table.from_rows("charges", rows, columns, units, "Charges", note)

"""Tables of where the watts come from: sources of a year, months, and whether own plant follows the load."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.economics.cost.energy import J_PER_MWH, levelised
from gigawatt.physics.site.climate import MONTH_OF_HOUR
from gigawatt.physics.site.flexibility import Plant as Followers
from gigawatt.physics.site.flexibility import follows_ramp, follows_swing, given_up_share
from gigawatt.study.answer import Answer
from gigawatt.study.site.supply import Own, Supply, hour_words

Array = NDArray[np.float64]
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
UNSERVED = "not served"
# Where the grid is more than this of what can be counted on, it follows the load and own plant need not.
GRID_FOLLOWS = 0.5
RESTART_S = 10.0
FAIL_S = 1.0


def sources_table(answer: Answer) -> Table | None:
    """One row a source or battery: energy of the year, its share, what it costs and emits."""
    supply = answer.priced.plant.supply
    if supply.found is None:
        return None
    found, carbon = supply.found
    scale = _scale(answer, supply)
    own = {one.name: one for one in supply.standing.own}
    total = float(found.served_w.sum())
    rows: list[dict[str, Any]] = []
    for source in supply.standing.sources:
        given = found.of(source.name)
        mwh = float(given.sum()) / 1e6 * scale
        rated = own[source.name].mw if source.name in own else float(source.available_w.max()) / 1e6
        price = _mean_price(given, supply.standing.usd_per_mwh[source.name])
        rows.append(
            {
                "source": source.name,
                "technology": own[source.name].technology if source.name in own else "",
                "mw": rated,
                "mwh": mwh,
                "share": float(given.sum()) / total,
                "capacity_factor": mwh / (rated * 8760) if rated else None,
                "usd_per_mwh": price if mwh else None,
                "all_in_usd_per_mwh": _all_in(own.get(source.name), mwh, price, answer.rate),
                "kg_per_mwh": source.carbon_kg_per_j * J_PER_MWH,
                "curtailed_mwh": float((source.available_w - given).sum()) / 1e6 if source.weather else 0.0,
            }
        )
    for row, name in enumerate(found.batteries):
        out = float(found.discharge_w[row].sum()) / 1e6 * scale
        rows.append(
            {
                "source": f"{name} (of what was charged)",
                "technology": own[name].technology,
                "mw": own[name].mw,
                "mwh": out,
                "share": float(found.discharge_w[row].sum()) / total,
                "capacity_factor": out / (own[name].mw * 8760),
            }
        )
    columns = ["source", "technology", "mw", "mwh", "share", "capacity_factor", "usd_per_mwh", "all_in_usd_per_mwh",
               "kg_per_mwh", "curtailed_mwh"]  # fmt: skip
    units = {"mw": "MW", "mwh": "MWh", "share": "share", "capacity_factor": "share", "usd_per_mwh": "USD/MWh",
             "all_in_usd_per_mwh": "USD/MWh", "kg_per_mwh": "kg/MWh", "curtailed_mwh": "MWh"}  # fmt: skip
    note = (
        f"Of a year with the whole fleet; {supply.firm_mw:,.4g} MW can be counted on ({_counted(answer, supply)}). All-in adds "
        "capital as rent, fixed upkeep, insurance and property tax of own plant. "
        f"{carbon.annual_match:.0%} of the load are matched by carbon-free energy over the year, "
        f"{carbon.hourly_match:.0%} hour by hour; carbon is what leaves the stack.{_called(answer)}{_later(answer)}"
    )
    return Table.from_rows("energy_sources", rows, columns, units, "Where the energy comes from", note)


def months_table(answer: Answer) -> Table | None:
    """One row a month and source: MWh, mean price, with what batteries gave and what was not served."""
    supply = answer.priced.plant.supply
    if supply.found is None:
        return None
    found, _ = supply.found
    scale = _scale(answer, supply) / 1e6
    rate = {source.name: source.carbon_kg_per_j for source in supply.standing.sources}
    columns: dict[str, Array] = {name: found.of(name) for name in found.names}
    columns |= {f"{name}, given": found.discharge_w[i] for i, name in enumerate(found.batteries)}
    columns |= {f"{name}, taken": -found.charge_w[i] for i, name in enumerate(found.batteries)}
    columns[UNSERVED] = found.unserved_w
    sums = {name: np.bincount(MONTH_OF_HOUR, watts, minlength=12) for name, watts in columns.items()}
    rows = []
    for month, name_of in enumerate(MONTHS):
        for name, mwh in sums.items():
            if not np.any(mwh) and name == UNSERVED:
                continue
            price = supply.standing.usd_per_mwh.get(name)
            inside = month == MONTH_OF_HOUR
            paid = _mean_price(columns[name][inside], price[inside]) if price is not None and mwh[month] else None
            kg = rate.get(name, 0.0) * float(mwh[month]) * scale * J_PER_MWH
            rows.append(
                {
                    "month": name_of,
                    "source": name,
                    "mwh": float(mwh[month]) * scale,
                    "usd_per_mwh": paid,
                    "carbon_kg": kg,
                }
            )
    units = {"mwh": "MWh", "usd_per_mwh": "USD/MWh", "carbon_kg": "kg"}
    note = "What a battery takes counts below zero; source and battery together are what the site drew."
    columns_shown = ["month", "source", "mwh", "usd_per_mwh", "carbon_kg"]
    return Table.from_rows("site_supply_months", rows, columns_shown, units, "Supply by month", note)


def follows_table(answer: Answer, swings: Table | None) -> Table | None:
    """Whether own plant follows the swings, failures and restarts of training runs where the grid is too small to."""
    supply = answer.priced.plant.supply
    grid = next((s for s in supply.standing.sources if not s.own), None)
    grid_w = float(grid.available_w.min()) if grid is not None else 0.0
    if (
        swings is None
        or not len(swings)
        or not supply.standing.own
        or grid_w > GRID_FOLLOWS * supply.standing.firm.load_w
    ):
        return None
    # The rest of the site draws evenly; sun and grid give what they give, so that plant of fuel has the whole swing.
    fuel = {plant.asked.id for plant in answer.resolved.plants if plant.record.works_by == "fuel"}
    assert supply.found is not None
    mean_w = max(sum(float(supply.found[0].of(name).mean()) for name in fuel), 1.0)
    rows = []
    for run in swings.rows():
        plants = _followers(answer, 1.0 + 0.5 * run["swing_mw"] * 1e6 / mean_w)
        found = [
            follows_swing(plants, mean_w, run["swing_mw"] * 1e6, 1.0 / run["frequency_hz"]),
            follows_ramp(plants, "failure", -run["failure_drop_mw"] * 1e6, FAIL_S),
            follows_ramp(plants, "restart", run["failure_drop_mw"] * 1e6, RESTART_S),
        ]
        held = sum(b.power_w for b in supply.standing.batteries)
        joules = sum(b.energy_j for b in supply.standing.batteries)
        for one in found:
            enough = one.follows or (one.storage_w <= held and one.storage_j <= joules)
            rows.append(
                {
                    "workload": run["workload"],
                    "platform": run["platform"],
                    "change": one.what,
                    "mw": one.watts / 1e6,
                    "taken_at_once_mw": one.at_once_w / 1e6,
                    "plant_follows": "yes" if one.follows else "no",
                    "store_mw": one.storage_w / 1e6,
                    "store_kwh": one.storage_j / 3.6e6,
                    "batteries_do": "yes" if enough else "no",
                    "words": one.words,
                }
            )
    units = dict.fromkeys(("mw", "taken_at_once_mw", "store_mw"), "MW") | {"store_kwh": "kWh"}
    note = (
        "On plant of its own a site has no grid to take its swings. Failures are taken to drop the run within one second, "
        "restarts to bring it back within ten (assumed). Storage in the racks' supplies or batteries must do what plant can "
        "not; without it frequency and voltage leave their bands."
    )
    columns = list(rows[0]) if rows else ["workload"]
    return Table.from_rows("plant_follows", rows, columns, units, "Can own plant follow the load?", note)


def _called(answer: Answer) -> str:
    """What the promise to give up load is good for, and what it cost in this year."""
    flex, supply = answer.resolved.scenario.site.flexibility, answer.priced.plant.supply
    if not supply.standing.called.any():
        return ""
    connected = answer.resolved.scenario.site.grid_power / 1e6
    lost = 1.0 - supply.served_share
    words = (
        f" The grid may call {flex.share:.0%} back in {flex.hours:,.4g} hours of the year: a grid that can give "
        f"{connected * (1 - flex.share):,.4g} MW in its worst hours connects {connected:,.4g} MW so. "
    )
    if lost <= 0:
        return words + "Own plant, batteries and a load below its limit carry all of them."
    return words + f"{lost:.2%} of the year's energy is given up, {given_up_share(flex.share, flex.hours):.2%} at most."


def _later(answer: Answer) -> str:
    """Plant that comes after the first day."""
    start = answer.resolved.scenario.horizon.start
    late = [plant.asked for plant in answer.resolved.plants if not plant.stands(start)]
    names = ", ".join(f"{one.id} from {one.available}" for one in late)
    return f" Not counted here, since it comes after the first day: {names}." if late else ""


def _followers(answer: Answer, peak: float) -> list[Followers]:
    """What of own plant runs at the load's peak over its mean: the units that it keeps on, with their ramps and steps."""
    supply = answer.priced.plant.supply
    assert supply.found is not None
    plants = {plant.asked.id: plant.record for plant in answer.resolved.plants}
    out = []
    for source in supply.standing.sources:
        record = plants.get(source.name)
        if record is None or record.works_by != "fuel":
            continue
        running = float(supply.found[0].of(source.name).mean()) * peak
        units = np.ceil(running / record.unit_power.value) * record.unit_power.value
        standing = min(float(units), float(source.available_w.max()))
        step = record.load_step.value if record.load_step is not None else 0.0
        out.append(
            Followers(source.name, standing, record.ramp_per_minute.value / 60.0, step, record.least_share.value)
        )
    return out


def _scale(answer: Answer, supply: Supply) -> float:
    """Hours of the dispatch to energy that the plan draws: 1 but for what the fixed point of load and price left."""
    mean = answer.drawn_mw
    return mean / supply.load_mw / supply.served_share if supply.load_mw and mean else 1.0


def _mean_price(watts: Array, price: Array) -> float:
    total = float(watts.sum())
    return float((watts * price).sum()) / total if total > 0 else 0.0


def _all_in(own: Own | None, mwh: float, running: float, rate: float) -> float | None:
    if mwh <= 0:
        return None
    if own is None:
        return running
    return levelised(
        own.capital_usd / own.mw, own.upkeep_usd_per_yr / own.mw, running, mwh / own.mw, rate, own.life_years
    ).usd_per_mwh


def _counted(answer: Answer, supply: Supply) -> str:
    firm = supply.standing.firm
    binds = f"{hour_words(firm.binding_hour)} binds"
    if not any(source.own and not source.weather for source in supply.standing.sources):
        return binds
    allowed = answer.resolved.scenario.site.lack_hours
    alone = f"plant of fuel alone would count {firm.fuel_alone_w / 1e6:,.4g} MW"
    return f"what lacks at most {allowed:g} hours a year; {alone}; {binds}"

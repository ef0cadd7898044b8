"""Headline metrics: each declared once, with unit, formula and inputs, and worked out with its band.

Tables, JSON, `explain` and the report read them from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.table import Table
from gigawatt.finance import cfads_usd, debt_service_usd, dscr, irr, own_funded_share, payback_years
from gigawatt.study.answer import Answer
from gigawatt.study.bands import percentiles
from gigawatt.study.money_tables import revenue_per_mw_year

Array = NDArray[np.float64]
Value = float | None


Columns = Mapping[str, Array]  # of the draws, by name (`study.risk.held`)


@dataclass(frozen=True, slots=True)
class Headline:
    """A metric: `value` from the plan as it stands, `draws` its values over the draws, by default the column of its name."""

    name: str
    unit: str
    formula: str
    inputs: str
    value: Callable[[Answer], Value]
    draws: Callable[[Answer, Columns], Array | None] | None = None


def _npv(role: str) -> Callable[[Answer], Value]:
    def value(answer: Answer) -> Value:
        company = answer.resolved.scenario.company(role)
        return answer.npv(company) if company in answer.listed else None

    return value


def _gross(answer: Answer) -> Value:
    return revenue_per_mw_year(answer) - answer.annual_running_usd / answer.mean_mw if answer.mean_mw else None


def _tokens(answer: Answer) -> float:
    """Output tokens per second of serving, mean over the horizon, that are sold."""
    serving = [j for j, work in enumerate(answer.resolved.works) if work.is_serving]
    segments = answer.priced.inputs.segments
    sold = answer.plan.sold_tokens_per_s @ answer.plan.weights
    return float(sold[np.isin(segments.workload, serving)].sum())


def _cost_per_mtok(answer: Answer) -> Value:
    tokens = _tokens(answer)
    return answer.annual_cost_usd / (tokens * 8760 * 3600 / 1e6) if tokens else None


def _funded(answer: Answer) -> Value:
    return own_funded_share(answer.settled.ledger, answer.resolved.scenario.company("vendor"))


def _operator(answer: Answer) -> str:
    return answer.resolved.scenario.company("operator")


def _dscr(answer: Answer) -> Value:
    ledger, who = answer.settled.ledger, _operator(answer)
    return dscr(cfads_usd(ledger, who), debt_service_usd(ledger, who)).minimum


def _payback(answer: Answer) -> Value:
    return payback_years(answer.project_flows(closing=False), answer.settled.schedule.time_years)


def _project_irr(answer: Answer) -> Value:
    return irr(answer.project_flows(closing=True))


def _it_share(answer: Answer) -> Value:
    busiest = int(np.argmax((answer.plan.use * answer.priced.inputs.points.mw[:, None]).sum(axis=0)))
    use = answer.plan.use[:, busiest]
    it = float(use @ answer.priced.it_w)
    return float(use @ answer.priced.busy_mw) * 1e6 / it if it else None


def _joules(answer: Answer) -> Value:
    points, use = answer.priced.inputs.points, answer.plan.mean_use
    serving = np.array([answer.resolved.works[w].is_serving for w in points.workload], dtype=bool)
    watts = float((use * points.mw * answer.priced.mean_load)[serving].sum()) * 1e6
    tokens = float((use * points.tokens_out_per_s)[serving].sum())
    return watts / tokens if tokens else None


def _energy_all_in(answer: Answer) -> Value:
    """With capital and fixed upkeep of own plant, over what is drawn."""
    plant, mwh = answer.priced.plant, answer.drawn_mw * 8760
    return plant.energy_usd_per_mwh + plant.charge_usd_per_yr / mwh if mwh and plant.charge_usd_per_yr else None


def _carbon_per_mtok(answer: Answer) -> Value:
    joules, plant = _joules(answer), answer.priced.plant
    return None if joules is None else joules * plant.energy_share * plant.carbon_kg_per_mwh / 3.6e9 * 1e6


def _per_token(value: Callable[[Answer], Value]) -> Callable[[Answer, Columns], Array | None]:
    """Watts are held but for the mean load; tokens sold are as drawn (a demand that is met does not stop the chips)."""

    def draws(answer: Answer, columns: Columns) -> Array | None:
        now, base = value(answer), _tokens(answer)
        if not now or not base or not np.all(columns["tokens_out"] > 0):
            return None
        return np.asarray(now * base / columns["tokens_out"] * columns.get("load_factor", 1.0))

    return draws


def _energy_price_draws(answer: Answer, columns: Columns) -> Array | None:
    factor = columns.get("energy_factor")
    return None if factor is None else np.asarray(answer.priced.plant.energy_usd_per_mwh * factor)


_SYSTEM = "sum over quarters of (revenue - energy - upkeep - staff - capital, the vendor's racks at production cost) discounted"
HEADLINES: tuple[Headline, ...] = (
    Headline("system_npv", "USD", _SYSTEM, "plan, prices, energy price, list prices, production cost, discount rate",
             lambda a: _party_npv(a, "system")),
    Headline("operator_npv", "USD", "discounted net cash of the operator with closing values", "ledger", _npv("operator")),
    Headline("lab_npv", "USD", "discounted net cash of the lab with closing values", "ledger", _npv("lab")),
    Headline("vendor_npv", "USD", "discounted net cash of the vendor: sales less production cost less tranches", "ledger",
             _npv("vendor")),
    Headline("lender_npv", "USD", "discounted net cash of the lender at the scenario's discount rate", "ledger",
             _npv("lender")),
    Headline("revenue_per_mw_year", "USD/MW/yr", "token revenue of a year / mean MW in use at the meter",
             "tokens sold, realised prices, MW", revenue_per_mw_year),
    Headline("gross_profit_per_mw_year", "USD/MW/yr", "(token revenue - energy - upkeep - staff) / mean MW in use",
             "revenue, energy price, upkeep shares, staff", _gross),
    Headline("capex", "USD", "racks x list price + MW x shell price + own plant", "list prices, shell price",
             lambda a: a.capex_usd),
    Headline("capex_per_gw", "USD/GW", "capex / GW of site power built", "capex, MW",
             lambda a: a.capex_usd / a.site_mw * 1e3 if a.site_mw else None),
    Headline("site_power", "MW", "most that is set aside for racks in any phase, at the meter",
             "racks in use, watts, provisioning", lambda a: a.site_mw),
    Headline("pue", "", "meter watts / rack-input watts in the busiest phase, in the hour power is sized for", "facility",
             _it_share),
    Headline("annual_pue", "", "energy at the meter / energy at the rack input over a year, at the mean load",
             "facility, weather of the place, mean load", lambda a: None if a.site_year is None else a.site_year.pue),
    Headline("wue", "L/kWh", "litres taken in for cooling / kWh at the rack input over a year",
             "facility, weather of the place", lambda a: None if a.site_year is None else a.site_year.wue),
    Headline("tokens_out", "token/s", "output tokens sold, mean over the horizon", "plan",
             _tokens),
    Headline("joules_per_output_token", "J/token", "meter watts at mean load / output tokens", "watts, tokens",
             _joules, _per_token(_joules)),
    Headline("energy_price", "USD/MWh", "grid energy, fuel and variable upkeep of a year / MWh drawn at the meter",
             "energy price of the site by hour, own plant, dispatch", lambda a: a.priced.plant.energy_usd_per_mwh,
             _energy_price_draws),
    Headline("energy_cost_all_in", "USD/MWh", "energy_price + (capital as rent + fixed upkeep of own plant) / MWh drawn",
             "own plant, discount rate", _energy_all_in),
    Headline("own_energy_share", "share", "energy from plant of the site's own / energy of all sources",
             "dispatch", lambda a: a.priced.plant.supply.own_share if a.priced.plant.supply.found else None),
    Headline("carbon_per_mwh", "kg/MWh", "carbon at stacks and in the grid's mean / MWh drawn",
             "grid carbon, fuel carbon, dispatch", lambda a: a.priced.plant.carbon_kg_per_mwh),
    Headline("carbon_per_mtok", "kg/Mtok", "joules a year per output token of serving x carbon_per_mwh",
             "watts, tokens, carbon", _carbon_per_mtok, _per_token(_carbon_per_mtok)),
    Headline("cost_per_mtok", "USD/Mtok", "(capital as rent at list + energy + upkeep + staff) / output tokens sold",
             "list prices, lives, discount rate, energy price", _cost_per_mtok),
    Headline("operator_irr", "share", "rate at which the operator's net cash with closing values is worth nothing",
             "ledger", lambda a: irr(a.flows(_operator(a)))),
    Headline("project_irr", "share", "the same without its loans", "ledger",
             _project_irr),
    Headline("dscr_min", "x", "least quarterly operating cash / principal and interest", "ledger", _dscr),
    Headline("payback", "yr", "years until cumulative cash, loans left out, stays positive", "ledger",
             _payback),
    Headline("vendor_funded_share", "share", "vendor's money to its customers / vendor's sales", "ledger",
             _funded),
)  # fmt: skip


def _party_npv(answer: Answer, party: str) -> float:
    from gigawatt.factory import value_of

    return value_of(answer.plan, party) * answer.line.annuity_years


def headline_draws(answer: Answer, columns: Columns) -> dict[str, Array]:
    """Every headline that moves with the draws, [draws] each, from columns of the held plan (`Held.columns`)."""
    out = {}
    for one in HEADLINES:
        drawn = one.draws(answer, columns) if one.draws is not None else columns.get(one.name)
        if drawn is not None:
            out[one.name] = drawn
    return out


def values(answer: Answer) -> dict[str, tuple[float, str]]:
    """Every headline that the scenario has, as value and unit, without its band."""
    found = ((one, one.value(answer)) for one in HEADLINES)
    return {one.name: (float(value), one.unit) for one, value in found if value is not None}


def metrics_table(answer: Answer) -> Table:
    """All headlines that the scenario has."""
    rows: list[dict[str, Any]] = []
    drawn = headline_draws(answer, answer.bands.columns)
    for one in HEADLINES:
        value = one.value(answer)
        if value is None:
            continue
        low, middle, high = percentiles(drawn[one.name]) if one.name in drawn else (None, None, None)
        rows.append(
            {"name": one.name, "value": float(value), "unit": one.unit, "low": low, "high": high, "p50": middle,
             "formula": one.formula, "inputs": one.inputs}
        )  # fmt: skip
    columns = ["name", "value", "unit", "low", "high", "p50", "formula", "inputs"]
    return Table.from_rows(
        "metrics", rows, columns, {}, "Headline numbers", "low and high are P10 and P90, the fleet held."
    )

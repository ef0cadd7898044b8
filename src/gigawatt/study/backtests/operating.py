"""Running a site: cost and revenue of a day of serving, a MW-year's price, life, energy, power that binds or does
not."""

from __future__ import annotations

import math

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.economics.cost import RunningCosts, capital_charge
from gigawatt.factory import Coefficients, PlanInputs, Platforms, Points, Segments, plan
from gigawatt.finance import Flow, usd_per_mw_year
from gigawatt.finance.contracts.base import SECONDS_PER_YEAR
from gigawatt.study.backtests.agreements import by_place
from gigawatt.study.backtests.case import Evaluator
from gigawatt.study.backtests.inputs import Inputs
from gigawatt.study.backtests.ledgers import amount, one_period

BILLION = 1e9
DAY_S = 86_400.0
DAYS_PER_YEAR = 365.0
PFLOP = 1e15
MWH_J = 3.6e9
KWH_PER_MWH = 1e3


def serving_day(x: Inputs) -> dict[str, float]:
    """A day of serving: rented chips against tokens at list price, and the same per MW at the meter and year.

    Cached input, other input and output have a price each; the rate per MW counts output tokens only.
    """
    chips = x.positive("nodes") * x.positive("chips_per_node")
    power = chips * x.positive("power_per_chip")
    fresh = x.number("input") - x.number("cached_input")
    if fresh < 0:
        raise InputError(Problem("bad_input", "inputs.cached_input is part of inputs.input and can not exceed it"))
    tokens = np.array([x.number("cached_input"), fresh, x.number("output")])
    prices = np.array([x.number("cached_price"), x.number("input_price"), x.number("output_price")])
    flows = [
        Flow("customers", "operator", f"revenue:{name}", amount(usd))
        for name, usd in zip(("cached input", "input", "output"), tokens * prices, strict=True)
    ]
    flows.append(Flow("operator", "owner", "rent", amount(chips * x.number("chip_rent") * DAY_S)))
    ledger = one_period(flows, 1 / DAYS_PER_YEAR, power)
    cost = float(ledger.total_usd(payer="operator", account="rent").sum())
    revenue = float(ledger.total_usd(payee="operator", account="revenue").sum())
    return {
        "cost_usd_per_day": cost,
        "revenue_usd_per_day": revenue,
        "margin_on_cost": 100 * (revenue / cost - 1) if cost else math.nan,
        "mw": power / 1e6,
        "cost_usd_m_per_mw_yr": (usd_per_mw_year(ledger, "owner", "rent") or 0.0) / 1e6,
        "list_revenue_usd_m_per_mw_yr": (usd_per_mw_year(ledger, "operator", "revenue") or 0.0) / 1e6,
        "output_tok_s_per_mw": x.number("output") / DAY_S / (power / 1e6),
    }


def cost_by_life(x: Inputs) -> dict[str, float]:
    """Total cost of a year by the life of the plant: its capital charge plus everything else.

    At a rate of zero, as published, the charge is a straight line: capital / life.
    """
    capital, running = x.number("capital"), x.number("running_cost") * SECONDS_PER_YEAR
    rate = x.optional("rate") or 0.0
    made = {}
    for life in x.numbers("lives"):
        if not life > 0:
            raise InputError(Problem("bad_input", f"inputs.lives: a life of {life:g} years is none"))
        made[float(life)] = (float(capital_charge(capital, rate, life)) + running) / BILLION
    out = {f"tco_usd_b_per_yr_life_{life:g}": usd for life, usd in made.items()}
    return out | by_place("tco_usd_b_per_yr_life", made)


def energy_line(x: Inputs) -> dict[str, float]:
    """What a kWh costs if a site at full power all year pays this much; load factor x PUE taken as stated.

    A site's energy at 1 USD a MWh is the MWh it takes.
    """
    site = RunningCosts(energy_usd_per_mwh=1.0, load_factor=x.positive("load_factor_times_pue"))
    mwh = x.positive("power") / 1e6 * site.energy_usd_per_mw_yr
    return {"energy_usd_per_kwh": x.number("energy_cost") * SECONDS_PER_YEAR / mwh / KWH_PER_MWH}


def mw_year_price(x: Inputs) -> dict[str, float]:
    """Revenue of a quarter over the MW-years that were active in it."""
    flow = Flow("customers", "cloud", "revenue", amount(x.number("quarter_revenue")))
    price = usd_per_mw_year(one_period([flow], 0.25, x.positive("active_power")), "cloud", "revenue")
    return {"usd_m_per_mw_yr": (price or 0.0) / 1e6}


def power_or_capital(x: Inputs) -> dict[str, float]:
    """Two racks under a power limit and without one.

    Where power binds, the efficient rack does more work per MW: what the fleet programme makes of one MW with each rack
    alone. Where it does not, the other pays only for its extra energy; over `years`, undiscounted, that is a share of the
    efficient rack's price per unit of work. A watt that is ample still stands in a shell: where its price is given, its
    straight line over its life is paid beside the energy.
    """
    lean, heavy = x.positive("lean_power"), x.positive("heavy_power")
    lean_work, heavy_work = x.positive("lean_work"), x.positive("heavy_work")
    site = RunningCosts(energy_usd_per_mwh=x.number("energy_price") * MWH_J)
    energy = [watts / 1e6 * site.energy_usd_per_mw_yr for watts in (lean, heavy)]  # USD per rack-year
    per_year = energy[1] / heavy_work - energy[0] / lean_work
    price = x.positive("lean_rack_price") / lean_work
    out = {
        "work_per_mw_ratio": _work_of_a_megawatt(lean, lean_work) / _work_of_a_megawatt(heavy, heavy_work),
        "energy_penalty_usd_per_pf_yr": per_year * PFLOP,
        "penalty_share_of_capex": 100 * per_year * x.number("years") / price,
    }
    if "shell_price" in x.given and "shell_life" in x.given:
        more_w = heavy / heavy_work - lean / lean_work  # for each flop/s
        shell = float(capital_charge(more_w * x.number("shell_price"), 0.0, x.positive("shell_life")))
        out |= {
            "shell_penalty_usd_per_pf_yr": shell * PFLOP,
            "penalty_with_shell_share_of_capex": 100 * (per_year + shell) * x.number("years") / price,
        }
    return out


def _work_of_a_megawatt(rack_w: float, work_per_s: float) -> float:
    """PFLOP/s that the fleet programme makes of 1 MW with one kind of rack, each unit of work being worth the same."""
    points = Points.of([0], [0], [rack_w / 1e6], [work_per_s / PFLOP])
    inputs = PlanInputs(
        platforms=Platforms.of(("rack",), [0.0]),
        workloads=("work",),
        points=points,
        segments=Segments.of(("work",), [0], [1e6], [1e9]),
        coefficients=(Coefficients.of("system", points, platform_usd_per_yr=[0.0]),),
        power_mw=1.0,
        capital_usd=math.inf,
    )
    return float(plan(inputs, prices=False).made_tokens_per_s().sum())


EVALUATORS = (
    Evaluator(
        "serving_day",
        serving_day,
        {
            "nodes": "count",
            "chips_per_node": "count",
            "chip_rent": "chip_price",
            "power_per_chip": "power",
            "input": "token",
            "cached_input": "token",
            "output": "token",
            "input_price": "token_price",
            "cached_price": "token_price",
            "output_price": "token_price",
        },
    ),
    Evaluator(
        "cost_by_life",
        cost_by_life,
        {"capital": "money", "running_cost": "money_rate", "lives": "count[]", "rate": "share"},
        optional=("rate",),
    ),
    Evaluator(
        "energy_line", energy_line, {"energy_cost": "money_rate", "power": "power", "load_factor_times_pue": "share"}
    ),
    Evaluator("mw_year_price", mw_year_price, {"quarter_revenue": "money", "active_power": "power"}),
    Evaluator(
        "power_or_capital",
        power_or_capital,
        {
            "lean_power": "power",
            "lean_work": "compute_rate",
            "lean_rack_price": "money",
            "heavy_power": "power",
            "heavy_work": "compute_rate",
            "energy_price": "energy_price",
            "years": "years",
            "shell_price": "power_price",
            "shell_life": "years",
        },
        optional=("shell_price", "shell_life"),
    ),
)

"""Running a site: cost and revenue of a day of serving, a MW-year's price, life, energy, power that binds or does
not."""

from __future__ import annotations

import numpy as np

from gigawatt.finance.contracts.base import SECONDS_PER_YEAR
from gigawatt.study.backtests.case import Evaluator, Inputs

BILLION = 1e9
DAY_S = 86_400.0
DAYS_PER_YEAR = 365.0
JOULES_PER_KWH = 3.6e6


def serving_day(x: Inputs) -> dict[str, float]:
    """A day of serving: rented chips against tokens at list price, and the same per MW at the meter and year.

    Cached input, other input and output have a price each; the rate per MW counts output tokens only.
    """
    chips = x.number("nodes") * x.number("chips_per_node")
    cost = chips * x.number("chip_rent") * DAY_S
    tokens = np.array([x.number("cached_input"), x.number("input") - x.number("cached_input"), x.number("output")])
    prices = np.array([x.number("cached_price"), x.number("input_price"), x.number("output_price")])
    revenue = float(tokens @ prices)
    mw = chips * x.number("power_per_chip") / 1e6
    return {
        "cost_usd_per_day": cost,
        "revenue_usd_per_day": revenue,
        "margin_on_cost": 100 * (revenue / cost - 1),
        "mw": mw,
        "cost_usd_m_per_mw_yr": cost * DAYS_PER_YEAR / mw / 1e6,
        "list_revenue_usd_m_per_mw_yr": revenue * DAYS_PER_YEAR / mw / 1e6,
        "output_tok_s_per_mw": x.number("output") / DAY_S / mw,
    }


def cost_by_life(x: Inputs) -> dict[str, float]:
    """Total cost of a year when plant is written off in a straight line: capital / life + running cost. No interest."""
    capital, running = x.number("capital"), x.number("running_cost") * SECONDS_PER_YEAR
    return {
        f"tco_usd_b_per_yr_life_{life:g}": (capital / float(life) + running) / BILLION for life in x.numbers("lives")
    }


def energy_line(x: Inputs) -> dict[str, float]:
    """What a kWh costs if a site at full power all year pays this much; load factor x PUE taken as stated."""
    kwh = x.number("power") * x.number("load_factor_times_pue") * SECONDS_PER_YEAR / JOULES_PER_KWH
    return {"energy_usd_per_kwh": x.number("energy_cost") * SECONDS_PER_YEAR / kwh}


def mw_year_price(x: Inputs) -> dict[str, float]:
    """Revenue of a quarter, annualised, over active power."""
    return {"usd_m_per_mw_yr": 4 * x.number("quarter_revenue") / 1e6 / (x.number("active_power") / 1e6)}


def power_or_capital(x: Inputs) -> dict[str, float]:
    """Two racks under a power limit and without one.

    Where power binds, the efficient rack does more work per MW by the ratio of their work per watt. Where it does not,
    the other pays only for its extra energy; over `years`, undiscounted, that is a share of the efficient rack's price
    per unit of work.
    """
    lean, heavy = x.number("lean_power") / x.number("lean_work"), x.number("heavy_power") / x.number("heavy_work")
    per_year = (heavy - lean) * SECONDS_PER_YEAR * x.number("energy_price")
    price = x.number("lean_rack_price") / x.number("lean_work")
    return {
        "work_per_mw_ratio": heavy / lean,
        "energy_penalty_usd_per_pf_yr": per_year * 1e15,
        "penalty_share_of_capex": 100 * per_year * x.number("years") / price,
    }


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
    Evaluator("cost_by_life", cost_by_life, {"capital": "money", "running_cost": "money_rate", "lives": "count[]"}),
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
        },
    ),
)

"""Rental contracts, backlog, stakes and warrants: what a signature is worth."""

from __future__ import annotations

import numpy as np

from gigawatt.finance.metrics import annuity_usd, dscr, irr
from gigawatt.study.backtests.case import Evaluator, Inputs

BILLION = 1e9


def rental_return(x: Inputs) -> dict[str, float]:
    """Price of a MW-year and return of a rental contract at several costs of the plant.

    Capital at the start, the site margin of the rent at the end of each year, no tax, no residual value.
    """
    years = round(x.number("term"))
    rent = x.number("contract_value") / x.number("term")
    out = {
        "rent_usd_b_per_yr": rent / BILLION,
        "usd_m_per_mw_yr": rent / 1e6 / (x.number("power") / 1e6),
    }
    for capex in x.numbers("capex"):
        flows = [-capex * x.number("power"), *[rent * x.number("site_margin")] * years]
        rate = irr(flows, periods_per_year=1)
        out[f"irr_capex_{capex:.4g}"] = float("nan") if rate is None else 100 * rate
    return out


def financed_rental(x: Inputs) -> dict[str, float]:
    """Return of a rental contract, with and without prepayment, and the cover of a level annuity on its debt.

    A prepayment comes at the start and is credited evenly against the *cash* of the years, after the margin.
    """
    years, power = round(x.number("term")), x.number("power")
    rent, capex = x.number("contract_value") / x.number("term"), x.number("capex")
    cash = rent * x.number("site_margin")
    prepaid = x.number("prepaid_share") * x.number("contract_value")
    plain = irr([-capex, *[cash] * years], periods_per_year=1)
    ahead = irr([-capex + prepaid, *[cash - prepaid / years] * years], periods_per_year=1)
    service = annuity_usd(x.number("loan_to_cost") * capex, x.number("rate"), years)
    cover = dscr(np.full(years, cash), np.full(years, service)).minimum
    out = {"usd_m_per_mw_yr": rent / power}
    out["irr"] = float("nan") if plain is None else 100 * plain
    out["irr_with_prepayment"] = float("nan") if ahead is None else 100 * ahead
    out["dscr_level_annuity"] = float("nan") if cover is None else cover
    return out


def backlog(x: Inputs) -> dict[str, float]:
    """What signed contracts alone bring in the next twelve months, over the last twelve."""
    next_year = x.number("remaining_obligations") * x.number("next_twelve_months_share")
    return {
        "next_12m_usd_b": next_year / BILLION,
        "growth_floor": 100 * (next_year / x.number("trailing_revenue") - 1),
    }


def customer_warrant(x: Inputs) -> dict[str, float]:
    """Shares given to a customer, fully vested, against what he buys: consideration lowers the seller's revenue."""
    shares = x.number("shares")
    gross = shares * x.number("top_price")
    return {
        "warrant_gross_usd_b": gross / BILLION,
        "warrant_net_of_strike_usd_b": shares * (x.number("top_price") - x.number("strike")) / BILLION,
        "exceeds_gross_sales": float(gross > x.number("gross_sales")),
    }


def stake(x: Inputs) -> dict[str, float]:
    """Shares at the price paid and at a later price."""
    shares = x.number("shares")
    return {
        "cost_usd_b": shares * x.number("price_paid") / BILLION,
        "value_usd_b": shares * x.number("price_later") / BILLION,
    }


def self_funding(x: Inputs) -> dict[str, float]:
    """Internal cash over capital expenditure: of a group as ratio of sums, and of one company alone with its gap."""
    names = x.texts("companies")
    capex, cash = x.numbers("capex"), x.numbers("internal_cash")
    group = [names.index(name) for name in x.texts("group")]
    one = names.index(x.text("company"))
    label = x.text("company").lower()
    return {
        f"self_funding_big{len(group)}": float(cash[group].sum() / capex[group].sum()),
        f"self_funding_{label}": float(cash[one] / capex[one]),
        f"gap_{label}_usd_b": float(capex[one] - cash[one]) / BILLION,
    }


_RENTAL = {"contract_value": "money", "term": "years", "power": "power", "site_margin": "share"}
EVALUATORS = (
    Evaluator("rental_return", rental_return, {**_RENTAL, "capex": "power_price[]"}),
    Evaluator(
        "financed_rental",
        financed_rental,
        {**_RENTAL, "capex": "money", "prepaid_share": "share", "loan_to_cost": "share", "rate": "share"},
    ),
    Evaluator(
        "backlog",
        backlog,
        {"remaining_obligations": "money", "next_twelve_months_share": "share", "trailing_revenue": "money"},
    ),
    Evaluator(
        "customer_warrant",
        customer_warrant,
        {"shares": "count", "strike": "money", "top_price": "money", "gross_sales": "money"},
    ),
    Evaluator("stake", stake, {"shares": "count", "price_paid": "money", "price_later": "money"}),
    Evaluator(
        "self_funding",
        self_funding,
        {"companies": "text[]", "capex": "money[]", "internal_cash": "money[]", "group": "text[]", "company": "text"},
    ),
)

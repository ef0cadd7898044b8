"""Shares: what a warrant for a customer vests, and what a stake is worth later. Both by the contract kinds themselves."""

from __future__ import annotations

import numpy as np

from gigawatt.finance import Schedule, build_ledger, read_contract
from gigawatt.finance.contracts import Columns
from gigawatt.finance.contracts.warrant import gross_usd
from gigawatt.study.backtests.case import Evaluator
from gigawatt.study.backtests.inputs import Inputs
from gigawatt.study.backtests.ledgers import START

BILLION = 1e9
PRICE = "share-price"


def customer_warrant(x: Inputs) -> dict[str, float]:
    """Shares given to a customer, fully vested, against what he buys: consideration lowers the seller's revenue.

    The warrant vests in one quarter in which the whole volume stands and the share has reached its top price.
    """
    top = x.number("top_price")
    deal = read_contract(
        {
            "id": "warrant",
            "kind": "warrant",
            "pays": "seller",
            "gets": "customer",
            "shares": x.number("shares"),
            "strike": x.number("strike"),
            "price": PRICE,
            "tranches": [{"power": "1 GW", "price": f"{top!r} USD"}],
        }
    )
    schedule = Schedule.quarterly(START, 1, opening=False, gw_built=1.0)
    (vested,) = deal.postings(Columns(schedule, paths={PRICE: np.array([top])}))
    gross = gross_usd(deal.terms)
    return {
        "warrant_gross_usd_b": gross / BILLION,
        "warrant_net_of_strike_usd_b": float(vested.amount_usd.sum()) / BILLION,
        "exceeds_gross_sales": float(gross > x.number("gross_sales")),
    }


def stake(x: Inputs) -> dict[str, float]:
    """Shares at the price paid, as the contract pays it, and marked to a later price."""
    paid_price, later = x.positive("price_paid"), x.number("price_later")
    deal = read_contract(
        {
            "id": "stake",
            "kind": "equity",
            "pays": "investor",
            "gets": "company",
            "shares": x.number("shares"),
            "price": paid_price,
        }
    )
    cost = float(build_ledger([], [deal], Schedule.quarterly(START, 1)).total_usd(payer="investor").sum())
    return {"cost_usd_b": cost / BILLION, "value_usd_b": marked(cost, paid_price, later) / BILLION}


def marked(cost_usd: float, paid_price: float, later_price: float) -> float:
    """What a stake is worth when its share has another price: cost x later / paid."""
    return cost_usd * later_price / paid_price


EVALUATORS = (
    Evaluator(
        "customer_warrant",
        customer_warrant,
        {"shares": "count", "strike": "money", "top_price": "money", "gross_sales": "money"},
    ),
    Evaluator("stake", stake, {"shares": "count", "price_paid": "money", "price_later": "money"}),
)

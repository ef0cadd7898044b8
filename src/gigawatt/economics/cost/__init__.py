"""Prices into capital by part and into charges per year. Plain numbers in, plain numbers out.

crf(rate, years); quarterly_crf(rate, years); annuity_factor(rate, years)     level payments, effective annual rates
capital_charge(capex_usd, rate, years, residual_share=0) -> USD per year      = 4 x quarterly CRF x capex
rack_capex(platform, list_price_usd, network_share=..., ...) -> RackCapex     parts with life, payee, boundary
shell_usd(meter_mw, price_usd_per_mw, life_years=...) -> Part                 per MW of site power, not per rack
rack_opex(meter_w, it_capex_usd, RunningCosts(...)) -> RackOpex               energy, upkeep, staff per rack-year
price_parts(counts, catalog_prices(parts)) -> Bill                            a network from its parts list
CostModel(terms, door, rates, ...)                                            a plug-in's: (terms, Charged) -> Rates
"""

from gigawatt.economics.cost.annuity import annuity_factor, capital_charge, crf, quarterly_crf, quarterly_rate
from gigawatt.economics.cost.capex import Part, RackCapex, capex_table, rack_capex, shell_usd
from gigawatt.economics.cost.models import Charged, CostModel, Rates
from gigawatt.economics.cost.network import Bill, BillLine, catalog_prices, price_parts
from gigawatt.economics.cost.opex import HOURS_PER_YEAR, RackOpex, RunningCosts, rack_opex

__all__ = [
    "HOURS_PER_YEAR",
    "Bill",
    "BillLine",
    "Charged",
    "CostModel",
    "Part",
    "RackCapex",
    "RackOpex",
    "Rates",
    "RunningCosts",
    "annuity_factor",
    "capex_table",
    "capital_charge",
    "catalog_prices",
    "crf",
    "price_parts",
    "quarterly_crf",
    "quarterly_rate",
    "rack_capex",
    "rack_opex",
    "shell_usd",
]

"""What each of a vendor's moats is worth to buyer and vendor, in a site with one limit or another."""

from gigawatt.factory.moats.assess import Alone, Band, Draw, Value, assess
from gigawatt.factory.moats.demand import VARIANTS, Premium, demand_curves, highest, premium
from gigawatt.factory.moats.game import Game, Position, World, at_production_cost
from gigawatt.factory.moats.maps import Cell, scarcity_map, watt_map
from gigawatt.factory.moats.regimes import REGIMES, Absent, Regime, RegimeName, standard_regimes
from gigawatt.factory.moats.shapley import coalitions, shapley, shares
from gigawatt.factory.moats.terms import MOATS, MoatTerms

__all__ = [
    "MOATS",
    "REGIMES",
    "VARIANTS",
    "Absent",
    "Alone",
    "Band",
    "Cell",
    "Draw",
    "Game",
    "MoatTerms",
    "Position",
    "Premium",
    "Regime",
    "RegimeName",
    "Value",
    "World",
    "assess",
    "at_production_cost",
    "coalitions",
    "demand_curves",
    "highest",
    "premium",
    "scarcity_map",
    "shapley",
    "shares",
    "standard_regimes",
    "watt_map",
]

"""Contracts by kind: from what a scenario says to who pays whom when.

>>> made = read_contract({"id": "offtake", "kind": "take_or_pay", "pays": "lab", "gets": "operator",
...                       "price": "13.3 million USD/MW/yr", "term": 5, "floor": 0.8})
>>> round(made.terms.price_usd_per_mw_year)
13300000
"""

from __future__ import annotations

from gigawatt.finance.contracts.base import Claim, Columns, Deal, Kind, Term
from gigawatt.finance.contracts.reading import Contract, kind_named, kind_names, kinds, read_contract, read_contracts
from gigawatt.finance.contracts.status import Event, Known, as_known, counts_as_cash, counts_in_headline

__all__ = [
    "Claim",
    "Columns",
    "Contract",
    "Deal",
    "Event",
    "Kind",
    "Known",
    "Term",
    "as_known",
    "counts_as_cash",
    "counts_in_headline",
    "kind_named",
    "kind_names",
    "kinds",
    "read_contract",
    "read_contracts",
]

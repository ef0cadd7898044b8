"""Companies, contracts, ledger, statements, metrics: who pays whom, who earns, who runs out.

A project of 100 MW, paid for by a loan of 60 % and rented out by take-or-pay; amounts in USD, MW at the meter:

>>> from datetime import date
>>> import numpy as np
>>> from gigawatt.finance import Flow, Residual, Schedule, build_ledger, build_statements
>>> from gigawatt.finance import defaults, irr, npv_usd, read_contracts
>>> schedule = Schedule.quarterly(date(2027, 1, 1), 20, mw_active=80.0, mw_committed=100.0, gw_built=0.1)
>>> capex = np.zeros(schedule.periods)
>>> capex[0] = 4e9                                      # paid on the first day
>>> energy = schedule.column(np.full(20, 8e6))          # a value a quarter
>>> flows = [
...     Flow("operator", "chip-vendor", "capex:accelerator", capex),
...     Flow("operator", "utility", "energy", energy),
... ]
>>> deals = read_contracts([
...     {"id": "offtake", "kind": "take_or_pay", "pays": "lab", "gets": "operator",
...      "price": "13.3 million USD/MW/yr", "term": "5 yr", "floor": "80 %"},
...     {"id": "loan", "kind": "term_loan", "pays": "lender", "gets": "operator",
...      "share_of_capex": 0.6, "rate": 0.09, "term": 5},
... ])
>>> ledger = build_ledger(flows, deals, schedule,
...                       residuals=[Residual("operator", "capex:accelerator", 0.4e9)],
...                       opening_cash_usd={"operator": 1.6e9})
>>> ledger.imbalance() < 1e-12
True
>>> equity = ledger.net_usd(["operator"])[0]
>>> round(irr(equity), 3), bool(npv_usd(equity, 0.10, schedule.time_years) > 0)
(0.183, True)
>>> defaults(ledger)
()
>>> books = build_statements(ledger, {"capex": 5.0})
>>> books.gap_usd("operator") < 1.0
True

The schedule begins with an opening of zero length (period 0, the first day), then the quarters; flows fall at a
period's end. `read_contracts` also takes what a scenario holds: `[deal.model_dump() for deal in scenario.contracts]`.
Accounts are those of `accounts.CHART`; a third party's kinds of contract come as entry points 'gigawatt.contracts'.
"""

from gigawatt.finance.accounts import CHART
from gigawatt.finance.contracts import (
    Contract,
    Event,
    Kind,
    kind_named,
    kind_names,
    kinds,
    read_contract,
    read_contracts,
)
from gigawatt.finance.ledger import Ledger, Line, Residual, build_ledger
from gigawatt.finance.metrics import (
    Cover,
    annuity_usd,
    cfads_usd,
    crossings,
    debt_service_usd,
    dscr,
    irr,
    llcr,
    moic,
    npv_usd,
    own_funded_share,
    payback_years,
    sculpted_debt_usd,
    usd_per_mw_year,
    xirr,
)
from gigawatt.finance.schedule import Flow, Schedule
from gigawatt.finance.solvency import Default, default_share, defaults, defaults_table
from gigawatt.finance.statements import Statements, build_statements
from gigawatt.finance.views import between, sankey

__all__ = [
    "CHART",
    "Contract",
    "Cover",
    "Default",
    "Event",
    "Flow",
    "Kind",
    "Ledger",
    "Line",
    "Residual",
    "Schedule",
    "Statements",
    "annuity_usd",
    "between",
    "build_ledger",
    "build_statements",
    "cfads_usd",
    "crossings",
    "debt_service_usd",
    "default_share",
    "defaults",
    "defaults_table",
    "dscr",
    "irr",
    "kind_named",
    "kind_names",
    "kinds",
    "llcr",
    "moic",
    "npv_usd",
    "own_funded_share",
    "payback_years",
    "read_contract",
    "read_contracts",
    "sankey",
    "sculpted_debt_usd",
    "usd_per_mw_year",
    "xirr",
]

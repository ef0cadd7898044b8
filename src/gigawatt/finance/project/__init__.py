"""Project finance: a company that builds one site, borrows for it and rents it out.

The published shape of a cloud contract: 200 MW at 9.7 million USD per MW-year for five years, chips for 5.8 billion USD at
the start, 15 % running costs, debt of 70 % of the cost at 9 % repaid in level payments:

>>> from gigawatt.finance.project import Calendar, Cost, Loan, Part, Revenue, Terms, solve
>>> contract = Terms(
...     Calendar(step="year", construction=0, operation=5),
...     capital=(Part("chips", 5.8e9),),
...     revenue=(Revenue("cloud", 9.7e6, 200.0),),
...     costs=(Cost("running", revenue_share=0.15),),
...     senior=Loan(0.09, 5, "annuity", amount_usd=0.7 * 5.8e9),
... )
>>> made = solve(contract)
>>> round(float(made.metrics["dscr_min"]), 2), round(float(made.metrics["project_irr"]), 3)
(1.58, 0.13)
>>> float(abs(made.statements.gap_usd).max()) < 0.01
True
"""

from gigawatt.finance.project.asked import price_factor, scaled
from gigawatt.finance.project.checks import Fault, faults
from gigawatt.finance.project.covenants import Test
from gigawatt.finance.project.model import ProjectModel, debt_usd, held, solve
from gigawatt.finance.project.returns import payback, present_value, rate_of_return
from gigawatt.finance.project.terms import (
    Calendar,
    Cost,
    Covenants,
    Inflation,
    Loan,
    Part,
    Refinancing,
    Revenue,
    Tax,
    Terms,
    Upkeep,
)

__all__ = [
    "Calendar",
    "Cost",
    "Covenants",
    "Fault",
    "Inflation",
    "Loan",
    "Part",
    "ProjectModel",
    "Refinancing",
    "Revenue",
    "Tax",
    "Terms",
    "Test",
    "Upkeep",
    "debt_usd",
    "faults",
    "held",
    "payback",
    "present_value",
    "price_factor",
    "rate_of_return",
    "scaled",
    "solve",
]

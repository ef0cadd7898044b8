"""The debt: the case that it is sized on, each loan's schedule, what the cash would carry."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gigawatt.finance.project import Loan
from gigawatt.finance.project.debt import Repayment, period_rate
from gigawatt.report.live_sheet import Cell
from gigawatt.report.project_sheets.maker import DEBT, INPUTS, Maker, loans_of, one_draw

# How far ahead the reserve's formula looks at least; a reserve beyond it would need a new book.
RESERVE_YEARS = 2


def debt(make: Maker) -> None:
    """The case that the debt is sized on: scheduled interest, its tax, the cash, each loan's schedule."""
    model = make.model
    names = [p for p, _ in loans_of(model)]
    make.head(DEBT, "Cash that the debt is sized on")
    interest = "".join(f"-{{interest_{p}}}" for p in names)
    make.row(DEBT, "plan_profit", "profit for tax", "USD", f"{{op}}*({{ebitda}}-{{tax_wear}}{interest})")
    make.row(DEBT, "plan_used", "losses used", "USD", "MIN({plan_losses<},[loss_limit]*MAX({plan_profit},0))")
    make.row(DEBT, "plan_losses", "losses carried forward", "USD", "{plan_losses<}-{plan_used}+MAX(-{plan_profit},0)")
    make.row(DEBT, "plan_tax", "tax", "USD", "[tax_rate]*(MAX({plan_profit},0)-{plan_used})", True)
    make.row(DEBT, "plan_cash", "CFADS", "USD", "{before_tax}-{plan_tax}", True)
    cash, need = "{plan_cash}", "SUM({need:})"
    for p, loan in loans_of(model):
        made = model.sizing.senior if p == "s" else model.sizing.subordinated
        assert made is not None
        loan_block(make, p, "senior" if p == "s" else "subordinated", loan, made, cash, need)
        cash = "(MAX({plan_cash},0)-{interest_s}-{due_s})"
        need = "MAX(SUM({need:})-[debt_s],0)"
    make.input("reserve_months", "reserve: months of senior service", "months", model.terms.reserve_months)
    make.input("reserve_funded", "reserve funded with the last draw", "flag", float(model.terms.reserve_funded))
    if names:
        make.row(DEBT, "target_s", "reserve to hold", "USD", reserve_target(make, "regular_s"))


def loan_block(make: Maker, p: str, label: str, loan: Loan, made: Repayment, cash: str, need: str) -> None:
    """Schedule of a loan from its debt, what the cash would carry, and the difference."""
    make.head(DEBT, label)
    make.input(f"tenor_{p}", f"{label}: tenor", "periods", loan.tenor)
    make.row(DEBT, f"window_{p}", "repayment runs", "flag", f"IF(AND({{op}}=1,{{j}}<=[tenor_{p}]),1,0)")
    make.row(DEBT, f"factor_{p}", "discount factor", "x", f"IF({{window_{p}}}=1,{{factor_{p}<}}/(1+{{i_{p}}}),1)")
    make.row(DEBT, f"basis_{p}", "cash for this loan", "USD", f"{{window_{p}}}*MAX({cash},0)", True)
    annuity = f"{{window_{p}}}*[debt_{p}]/SUMPRODUCT({{factor_{p}:}}*{{window_{p}:}})-{{interest_{p}}}"
    last = f"IF({{j}}=[tenor_{p}],{{window_{p}}},0)"
    if loan.repayment == "sculpted":
        present = float(np.sum(_present(make, loan, made, p)))
        debt = one_draw(made.debt_usd)
        ratio = present / debt if debt > 0 else 0.0
        make.add(
            INPUTS,
            Cell(f"cover_{p}", f"{label}: cover that the debt is repaid at (solved)", "x", ratio, "fixed point", True),
        )
        due = f"IF([cover_{p}]>0,{{basis_{p}}}/[cover_{p}]-{{interest_{p}}},{annuity})"
    elif loan.repayment == "table":
        column = np.zeros(make.sheets.periods)
        column[made.first : made.first + loan.tenor] = np.asarray(loan.shares).reshape(-1)
        make.row(DEBT, f"shares_{p}", "principal (input)", "share", column.tolist())
        due = f"[debt_{p}]*{{shares_{p}}}"
    else:
        due = {
            "annuity": annuity,
            "equal": f"{{window_{p}}}*[debt_{p}]/[tenor_{p}]",
            "bullet": f"{last}*[debt_{p}]",
        }[loan.repayment]
    make.row(DEBT, f"interest_{p}", "interest", "USD", f"{{window_{p}}}*{{i_{p}}}*{{plan_{p}<}}", True)
    make.row(DEBT, f"due_{p}", "principal", "USD", due, True)
    make.row(DEBT, f"plan_{p}", "balance", "USD",
             f"IF({{op}}=1,{{plan_{p}<}}-{{due_{p}}},IF({{k}}=[building],[debt_{p}],0))")  # fmt: skip
    balloon = f"*(1-{last})" if loan.repayment == "bullet" else ""
    make.row(DEBT, f"regular_{p}", "service without a balloon", "USD", f"{{interest_{p}}}+{{due_{p}}}{balloon}", True)
    limits = [need]
    if loan.cover is not None:
        asked = make.input(f"asked_cover_{p}", f"{label}: cover asked", "x", loan.cover)
        if loan.repayment == "sculpted":
            carried = f"SUMPRODUCT({{basis_{p}:}}*{{factor_{p}:}})/{asked}"
        else:
            make.row(DEBT, f"unit_{p}", "service of 1 USD of debt", "share", _unit_service(p, loan.repayment))
            make.row(DEBT, f"carried_{p}", "debt that the period's cash carries", "USD",
                     f"IF({{unit_{p}}}>0,{{basis_{p}}}/{{unit_{p}}}/{asked},1E+30)")  # fmt: skip
            carried = f"MIN({{carried_{p}:}})"
        make.add(DEBT, Cell(f"by_cover_{p}", "debt by cover", "USD", carried))
        limits.append(f"[by_cover_{p}]")
    if loan.gearing is not None:
        gearing = make.input(f"gearing_{p}", f"{label}: highest share of uses", "share", loan.gearing)
        make.add(DEBT, Cell(f"by_gearing_{p}", "debt by gearing", "USD", f"{gearing}*SUM({{uses:}})"))
        limits.append(f"[by_gearing_{p}]")
    if loan.amount_usd is not None:
        limits.append(make.input(f"amount_{p}", f"{label}: amount", "USD", loan.amount_usd))
    make.add(DEBT, Cell(f"implied_{p}", "debt that this cash carries", "USD", f"MAX(0,MIN({','.join(limits)}))"))
    make.add(DEBT, Cell(f"residual_{p}", "less the debt as solved: what is left of the circle", "USD",
                     f"[implied_{p}]-[debt_{p}]"))  # fmt: skip
    if loan.repayment == "sculpted":
        make.add(DEBT, Cell(f"implied_cover_{p}", "cover that repays it", "x",
                         f"IF([debt_{p}]>0,SUMPRODUCT({{basis_{p}:}}*{{factor_{p}:}})/[debt_{p}],0)"))  # fmt: skip


def _unit_service(p: str, repayment: str) -> str:
    """Template of a payment on 1 USD, without a balloon."""
    window, i = f"{{window_{p}}}", f"{{i_{p}}}"
    if repayment == "annuity":
        return f"{window}/SUMPRODUCT({{factor_{p}:}}*{{window_{p}:}})"
    if repayment == "equal":
        return f"{window}*(1/[tenor_{p}]+{i}*(1-({{j}}-1)/[tenor_{p}]))"
    if repayment == "bullet":
        return f"{window}*{i}"
    return f"{window}*({{shares_{p}}}+{i}*(1-SUMPRODUCT(({{j:}}<{{j}})*{{shares_{p}:}})))"


def _present(make: Maker, loan: Loan, made: Repayment, p: str) -> np.ndarray[Any, Any]:
    """Discounted cash of a sculpted loan's window, by payment."""
    sizing = make.model.sizing
    cash = np.maximum(sizing.cash_usd, 0.0)
    if p == "j":
        assert sizing.senior is not None
        cash = np.maximum(cash - sizing.senior.interest_usd - sizing.senior.principal_usd, 0.0)
    window = slice(made.first, made.first + loan.tenor)
    factors = np.cumprod(1 / (1 + period_rate(loan, make.model.timing)[..., window]), axis=-1)
    return np.asarray(cash[..., window] * factors)


def reserve_target(make: Maker, service: str) -> str:
    """Template of what a reserve holds: the months of service ahead, the last one in part."""
    per_year = make.model.timing.per_year
    ahead = max(RESERVE_YEARS * per_year, math.ceil(make.model.terms.reserve_months * per_year / 12))
    terms = (f"MAX(0,MIN(1,[reserve_months]*[per_year]/12-{k}))*{{{service}+{k + 1}}}" for k in range(ahead))
    return f"IF({{k}}>=[building],{'+'.join(terms)},0)"

"""Statements, returns and checks."""

from __future__ import annotations

import numpy as np

from gigawatt.report.live_sheet import Cell
from gigawatt.report.project_sheets.maker import CHECKS, INPUTS, RETURNS, STATEMENTS, Maker, loans_of

# What a check lets pass, in USD: the solver's residual and the rounding of large sums.
CENT = 0.01


def statements(make: Maker) -> None:
    """Income, cash flow and balance sheet."""

    def put(key: str, label: str, content: str, total: bool = True) -> None:
        make.row(STATEMENTS, key, label, "USD", content, total)

    names = [p for p, _ in loans_of(make.model)]
    draws = "".join(f"+{{draw_{p}}}" for p in names)
    make.head(STATEMENTS, "Income")
    put("s_revenue", "revenue", "{revenue}")
    put("s_costs", "costs", "-{cost}")
    put("s_wear", "depreciation", "-{book_wear}")
    put("s_interest", "interest", "-{w_interest_s}-{w_interest_j}")
    put("s_fee", "refinancing fee", "-{new_fee}")
    put("s_tax", "tax", "-{tax}-{sale_tax}")
    put("book", "book value before the disposal", "{book<}+{capital}+{financing}+{upkeep}-{book_wear}", False)
    put("s_gain", "gain on disposal", "{sold}-{last}*{book}")
    put("income", "net income", "{s_revenue}+{s_costs}+{s_wear}+{s_interest}+{s_fee}+{s_tax}+{s_gain}")
    make.head(STATEMENTS, "Cash flow")
    put("interest_paid_s", "senior interest paid", "IF({owing}>=0,MIN({paid_s},{w_interest_s}),{w_interest_s})")
    put("interest_paid_j", "subordinated interest paid", "IF({owing_j}>=0,MIN({paid_j},{w_interest_j}),{w_interest_j})")
    put("interest_paid", "interest paid", "{interest_paid_s}+{interest_paid_j}")
    ahead = "IF({k}=0,[prepaid],0)"
    earned = f"{{ebitda}}+{ahead}-{{credit}}-{{working}}-{{tax}}-{{sale_tax}}"
    put("operating", "operating", earned + "-{interest_paid}-{new_fee}+{unpaid}-{unpaid<}")
    put("investing", "investing", "{sold}-{capital}-{financing}-{upkeep}")
    put("principal_paid", "principal paid", "{paid_s}+{paid_j}-{interest_paid}+{swept}")
    brought = f"{{equity}}{draws}+{{new_loan}}-{{repaid}}"
    put("financing_cash", "financing", brought + "-{principal_paid}-{paid_out}")
    put("net_cash", "net cash", "{operating}+{investing}+{financing_cash}")
    make.head(STATEMENTS, "Balance sheet")
    put("b_cash", "cash", "{cash}", False)
    put("b_reserve", "reserve", "{reserve}", False)
    put("b_receivable", "receivable", "{receivable}", False)
    put("b_fixed", "fixed assets", "{book}-{last}*{book}", False)
    put("assets", "assets", "{b_cash}+{b_reserve}+{b_receivable}+{b_fixed}", False)
    put("b_senior", "senior debt", "{senior}", False)
    put("b_sub", "subordinated debt", "{sub}", False)
    put("advances", "advances", f"{{advances<}}+{ahead}-{{credit}}", False)
    put("b_payable", "payable", "{payable}", False)
    put("b_unpaid", "unpaid costs", "{unpaid}", False)
    put("paid_in", "paid in", "{paid_in<}+{equity}", False)
    put("retained", "retained", "{retained<}+{income}-{paid_out}", False)
    put("claims", "claims", "{b_senior}+{b_sub}+{advances}+{b_payable}+{b_unpaid}+{paid_in}+{retained}", False)


def returns(make: Maker) -> None:
    """Flows of each holder and what they earn."""
    terms, model = make.model.terms, make.model
    make.head(INPUTS, "Discount rates")
    make.input("discount_rate", "project's discount rate", "share", terms.discount_rate)
    make.input("equity_rate", "equity's discount rate", "share", terms.equity_discount_rate)
    costs = [f"SUM({{part_{n}:}})*{{tax_share_{n}}}" for n in range(len(terms.capital))]
    kept = [f"{{worn_upkeep_{n}}}" for n in range(len(terms.upkeep))]
    make.head(RETURNS, "Tax of the project without debt")
    make.row(RETURNS, "u_wear", "wear for tax", "USD", "+".join([*costs, *kept]), True)
    unworn = "SUM({capital:})+SUM({upkeep:})-SUM({u_wear:})"
    make.row(
        RETURNS, "u_profit", "profit for tax", "USD", f"{{op}}*({{ebitda}}-{{u_wear}})+{{sold}}-{{last}}*({unworn})"
    )
    make.row(RETURNS, "u_used", "losses used", "USD", "MIN({u_losses<},[loss_limit]*MAX({u_profit},0))")
    make.row(RETURNS, "u_losses", "losses carried forward", "USD", "{u_losses<}-{u_used}+MAX(-{u_profit},0)")
    make.row(RETURNS, "u_tax", "tax", "USD", "[tax_rate]*(MAX({u_profit},0)-{u_used})", True)
    make.head(RETURNS, "Flows")
    before = "{before_tax}+IF({k}=0,[prepaid],0)-{capital}+{sold}"
    make.row(RETURNS, "f_before", "project before tax", "USD", before, True)
    make.row(RETURNS, "f_project", "project", "USD", "{f_before}-{u_tax}", True)
    make.row(RETURNS, "f_equity", "equity", "USD", "{paid_out}-{equity}", True)
    holders = [("f_before", "irr_before_tax", "project's return before tax"), ("f_project", "irr_project", "project's return"),
               ("f_equity", "irr_equity", "equity's return")]  # fmt: skip
    if terms.senior is not None:
        paid = "IF({taken<}=1,0,{paid_s}+IF({now}=1,{repaid},{swept}))"
        make.row(RETURNS, "f_senior", "senior lender", "USD", f"{paid}+{{fee_s}}+{{idc_s}}-{{draw_s}}", True)
        holders.append(("f_senior", "yield_senior", "senior lender's return"))
    make.head(RETURNS, "Results")
    for key, name, label in holders:
        guess = float(np.nan_to_num(_metric(make, name), nan=0.1))
        start = (1 + guess) ** (1 / model.timing.per_year) - 1
        make.add(RETURNS, Cell(name, f"{label}, effective a year", "share",
                         f'IFERROR((1+IRR({{{key}:}},{start:.6f}))^[per_year]-1,"")'))  # fmt: skip
    value = "SUMPRODUCT({{{}:}}*(1+{})^(-{{discount_years:}}))"
    make.add(
        RETURNS, Cell("npv_project", "project's present value", "USD", value.format("f_project", "[discount_rate]"))
    )
    make.add(RETURNS, Cell("npv_equity", "equity's present value", "USD", value.format("f_equity", "[equity_rate]")))
    paid_in = "SUM({equity:})"
    make.add(
        RETURNS,
        Cell("multiple", "equity's money back over money in", "x", f'IF({paid_in}>0,SUM({{paid_out:}})/{paid_in},"")'),
    )
    make.add(RETURNS, Cell("dscr_min", "least DSCR", "x", 'IF(COUNT({dscr:})>0,MIN({dscr:}),"")'))
    make.add(RETURNS, Cell("dscr_average", "mean DSCR", "x", 'IF(COUNT({dscr:})>0,SUM({dscr:})/COUNT({dscr:}),"")'))


def _metric(make: Maker, name: str) -> float:
    names = {"irr_before_tax": "project_irr_before_tax", "irr_project": "project_irr", "irr_equity": "equity_irr",
             "yield_senior": "lender_yield"}  # fmt: skip
    return float(make.model.metrics[names[name]].reshape(-1)[0])


def checks(make: Maker) -> None:
    """1 is fine, 0 is not."""
    names = [p for p, _ in loans_of(make.model)]
    make.head(CHECKS, "By period (1: holds)")

    def by_period(key: str, label: str, gap: str) -> str:
        make.row(CHECKS, f"gap_{key}", f"{label}: difference", "USD", gap)
        make.row(CHECKS, f"check_{key}", label, "flag", f"IF(ABS({{gap_{key}}})<[tolerance],1,0)")
        return f"MIN({{check_{key}:}})"

    make.input("tolerance", "what a check lets pass", "USD", CENT)
    whole = [
        by_period("balance", "assets are claims", "{assets}-{claims}"),
        by_period("cash", "cash and reserve are the sum of net cash", "{cash}+{reserve}-{cash<}-{reserve<}-{net_cash}"),
        by_period("sources", "sources are uses", "{need}-{equity}" + "".join(f"-{{draw_{p}}}" for p in names)),
    ]
    make.head(CHECKS, "Whole project (1: holds)")
    single = [("curves", "drawing curves add up", "+".join(
        f"ABS(SUM({{curve_{n}:}})-1)" for n in range(len(make.model.terms.capital))), "0.000001")]  # fmt: skip
    single.append(("need", "total need is what was solved", "SUM({need:})-[total_need]", "[tolerance]"))
    for p in names:
        label = "senior" if p == "s" else "subordinated"
        single.append((f"debt_{p}", f"{label}: debt is what the cash carries", f"[residual_{p}]", "[tolerance]"))
        single.append((f"end_{p}", f"{label}: schedule ends at zero", f"SUM({{due_{p}:}})-[debt_{p}]", "[tolerance]"))
        single.append((f"draws_{p}", f"{label}: draws are the debt", f"SUM({{draw_{p}:}})-[debt_{p}]", "[tolerance]"))
    if make.model.terms.refinancing is not None:
        single.append(("end_n", "new loan: schedule ends at zero", "SUM({due_n:})-[debt_n]", "[tolerance]"))
    for key, label, gap, allowed in single:
        make.add(CHECKS, Cell(f"check_{key}", label, "flag", f"IF(ABS({gap})<{allowed},1,0)"))
        whole.append(f"[check_{key}]")
    make.add(CHECKS, Cell("all_checks", "all checks", "flag", f"MIN({','.join(whole)})"))

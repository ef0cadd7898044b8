"""Who is paid, period by period: the waterfall with a refinancing, in the order of `finance.project.waterfall`."""

from __future__ import annotations

from gigawatt.report.live_sheet import Cell, Row
from gigawatt.report.project_sheets.loans import reserve_target
from gigawatt.report.project_sheets.maker import INPUTS, WATERFALL, Maker, loans_of


def waterfall(make: Maker) -> None:
    """Who is paid, in the order of `finance.project.waterfall`."""
    terms, names = make.model.terms, [p for p, _ in loans_of(make.model)]
    make.head(INPUTS, "Waterfall and covenants")
    for name, label, unit, value in (
        ("sweep", "sweep: share of the cash after debt service", "share", terms.sweep),
        ("lock_up", "lock-up: least cover for distributions", "x", terms.covenants.lock_up),
        ("default_cover", "default: least cover", "x", terms.covenants.default),
        ("least_use", "least utilisation", "share", terms.covenants.utilisation),
    ):
        make.input(name, label, unit, value)
    new = terms.refinancing is not None
    if new:
        _new_loan(make)
    senior, sub = "s" in names, "j" in names

    def put(key: str, label: str, content: str, total: bool = False, unit: str = "USD") -> None:
        make.row(WATERFALL, key, label, unit, content, total)

    make.head(WATERFALL, "Cash available for debt service")
    rate = "IF({taken<}=1,{i_n},{i_s})" if new else "{i_s}"
    put("w_interest_s", "senior interest", f"{{op}}*{rate}*{{senior<}}" if senior else "0", True)
    put("w_interest_j", "subordinated interest", "{op}*{i_j}*{sub<}" if sub else "0", True)
    put("profit", "profit for tax", "{op}*({ebitda}-{tax_wear}-{w_interest_s}-{w_interest_j})")
    put("losses_used", "losses used", "MIN({losses<},[loss_limit]*MAX({profit},0))")
    put("tax", "tax", "[tax_rate]*(MAX({profit},0)-{losses_used})", True)
    residual = "+".join(f"[residual_part_{n}]*SUM({{part_{n}:}})" for n in range(len(terms.capital)))
    put("sold", "residual", f"{{last}}*({residual})", True)
    put(
        "unworn",
        "cost for tax that has not worn",
        "{last}*(SUM({capital:})+SUM({financing:})+SUM({upkeep:})-SUM({tax_wear:}))",
    )
    put("whole", "profit with the disposal", "{profit}+{sold}-{unworn}")
    put("whole_used", "losses used with it", "MIN({losses<},[loss_limit]*MAX({whole},0))")
    put("losses", "losses carried forward", "{losses<}-{whole_used}+MAX(-{whole},0)")
    put("sale_tax", "tax on the disposal", "{last}*([tax_rate]*(MAX({whole},0)-{whole_used})-{tax})", True)
    put("cfads", "CFADS", "{before_tax}-{tax}", True)
    put("free_0", "cash, with what was kept", "{op}*({cash<}+{cfads}-{unpaid<}+{sold}-{sale_tax})")
    put("helped", "reserve for costs", "MIN({op}*{reserve<},MAX(-{free_0},0))", True)
    put("unpaid", "costs left unpaid", "MAX(-{free_0}-{helped},0)")
    make.head(WATERFALL, "Senior debt")
    due = "IF({taken<}=1,{due_n},{due_s})" if new else "{due_s}"
    regular = (
        "IF({taken<}=1,{regular_n}-{interest_n},{regular_s}-{interest_s})" if new else "({regular_s}-{interest_s})"
    )
    put("on_time", "balance that is not late", "{op}*MAX({senior<}-{late_s<},0)")
    put("principal", "principal due", f"{{op}}*MIN({due},{{on_time}})" if senior else "0", True)
    put(
        "service",
        "service due, without a balloon",
        f"{{w_interest_s}}+{{op}}*MIN({regular},{{on_time}})" if senior else "0",
        True,
    )
    put("owing", "owed with arrears", "{w_interest_s}+{principal}+{op}*{late_s<}")
    put("paid_free", "paid from cash", "MIN(MAX({free_0},0),{owing})", True)
    put("drawn", "paid from the reserve", "MIN({op}*{reserve<}-{helped},{owing}-{paid_free})", True)
    put("paid_s", "paid", "{paid_free}+{drawn}", True)
    put("late_after", "arrears", "{owing}-{paid_s}")
    put("senior_after", "balance after payment", "{op}*({senior<}+{w_interest_s}-{paid_s})")
    if new:
        make.head(WATERFALL, "Refinancing")
        put(
            "now",
            "takes place",
            "IF(AND({op}=1,{j}=[after],[debt_n]>={senior_after}+[debt_n]*[upfront_n]),1,0)",
            unit="flag",
        )
        put("taken", "has taken place", "MAX({taken<},{now})", unit="flag")
        put("new_loan", "new loan", "{now}*[debt_n]", True)
        put("repaid", "old loan repaid", "{now}*{senior_after}", True)
        put("new_fee", "fee", "{now}*[debt_n]*[upfront_n]", True)
    else:
        for key in ("now", "taken", "new_loan", "repaid", "new_fee"):
            put(key, f"refinancing: {key.replace('_', ' ')}", "0")
    put("late_s", "senior arrears", "IF({now}=1,0,{late_after})")
    put("owed_s", "balance before a sweep", "{senior_after}-{repaid}+{new_loan}")
    put("free_1", "cash left", "MAX({free_0},0)-{paid_free}+{new_loan}-{repaid}-{new_fee}")
    make.head(WATERFALL, "Reserve")
    target = "IF({taken}=1,{target_n},{target_s})" if new else "{target_s}"
    put("aim", "to hold", f"{{op}}*IF({{owed_s}}>0.005,{target},0)" if senior else "0")
    put("reserve_left", "left", "{op}*{reserve<}-{helped}-{drawn}")
    put("added", "filled up", "MIN({free_1},MAX({aim}-{reserve_left},0))", True)
    put("released", "given back", "MAX({reserve_left}-{aim},0)", True)
    put("reserve", "reserve", "IF({op}=1,{reserve_left}+{added}-{released},{reserve<}+{reserve_built})")
    put("free_2", "cash left", "{free_1}-{added}+{released}")
    make.head(WATERFALL, "Subordinated debt, sweep, equity")
    put("principal_j", "subordinated principal due", "{op}*MIN({due_j},MAX({sub<}-{late_j<},0))" if sub else "0", True)
    put("owing_j", "owed with arrears", "{w_interest_j}+{principal_j}+{op}*{late_j<}")
    put("paid_j", "paid", "MIN({free_2},{owing_j})", True)
    put("late_j", "subordinated arrears", "{owing_j}-{paid_j}")
    built = "{built_j}" if sub else "0"
    put("sub", "subordinated balance", f"IF({{op}}=1,{{sub<}}+{{w_interest_j}}-{{paid_j}},{built})")
    put("swept", "swept", "MIN([sweep]*({free_2}-{paid_j}),MAX({owed_s},0))", True)
    built = "{built_s}" if senior else "0"
    put("senior", "senior balance", f"IF({{op}}=1,{{owed_s}}-{{swept}},{built})")
    put("free_3", "cash for equity", "{free_2}-{paid_j}-{swept}")
    put("dscr", "DSCR", 'IF({service}>0.005,{cfads}/{service},"")', unit="x")
    put("locked", "locked up", "IF({op}*(1-{last})=1,IF(OR(AND({service}>0.005,{cfads}<[lock_up]*(1-0.000000001)*{service}),"
        "{late_s}+{late_j}+{unpaid}>0.005),1,0),0)", unit="flag")  # fmt: skip
    put("paid_out", "distributions", "IF({locked}=1,0,{free_3})", True)
    put("cash", "cash", "IF({op}=1,{free_3}-{paid_out},{cash_built})")
    put(
        "breach_default",
        "cover below default",
        "IF(AND({service}>0.005,{cfads}<[default_cover]*(1-0.000000001)*{service}),1,0)",
        True,
        "flag",
    )
    put(
        "breach_use",
        "utilisation below its level",
        "IF(AND({op}=1,{used}<[least_use]*(1-0.000000001)*{mw}),1,0)",
        True,
        "flag",
    )
    if senior:
        _life_cover(make)


def _new_loan(make: Maker) -> None:
    """A refinancing's loan: its schedule is solved outside, with the cash that it leads to."""
    model = make.model
    plan, done = model.terms.refinancing, model.refinanced
    assert plan is not None and done is not None
    made = done.new.schedule
    make.head(WATERFALL, "New loan (solved)")
    make.input("after", "refinancing: after operating period", "periods", plan.after)
    make.input("upfront_n", "refinancing: fee, share of the new loan", "share", plan.loan.upfront_fee)
    make.add(
        INPUTS,
        Cell(
            "debt_n", "refinancing: new loan (solved)", "USD", float(made.debt_usd.reshape(-1)[0]), "fixed point", True
        ),
    )
    rate = make.series(WATERFALL, "rate_n", "refinancing: interest a year", "share", plan.loan.rate)
    make.row(WATERFALL, "i_n", "interest a period", "share", f"{rate}/[per_year]")
    values = made.principal_usd.reshape(-1, model.timing.periods)[0]
    make.add(WATERFALL, Row("due_n", "principal", "USD", values.tolist(), True, True))
    make.row(WATERFALL, "plan_n", "balance", "USD", "IF({j}<[after],0,IF({j}=[after],[debt_n],{plan_n<}-{due_n}))")
    make.row(WATERFALL, "interest_n", "interest", "USD", "{i_n}*{plan_n<}", True)
    balloon = made.interest_usd + made.principal_usd - made.regular_usd
    column = balloon.reshape(-1, model.timing.periods)[0]
    make.add(WATERFALL, Row("balloon_n", "balloon", "USD", column.tolist(), True, True))
    make.row(WATERFALL, "regular_n", "service without a balloon", "USD", "{interest_n}+{due_n}-{balloon_n}", True)
    make.row(WATERFALL, "target_n", "reserve to hold", "USD", reserve_target(make, "regular_n"))


def _life_cover(make: Maker) -> None:
    """LLCR and PLCR at the start of each period, at the first loan's rate (before a refinancing the same cash)."""
    if make.model.terms.refinancing is not None:
        return
    make.head(WATERFALL, "Cover of the loan's and the project's life")
    for key, label, flag in (("llcr", "LLCR", "{window_s}"), ("plcr", "PLCR", "{op}")):
        make.row(
            WATERFALL,
            f"value_{key}",
            "present value of CFADS",
            "USD",
            f"{flag}*({{value_{key}+1}}+{{cfads}})/(1+{{i_s}})",
        )
        make.row(WATERFALL, key, label, "x", f'IF({flag}*{{senior<}}>0.005,{{value_{key}}}/{{senior<}},"")')

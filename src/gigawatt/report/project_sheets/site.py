"""The site without its debt: timing, what is built and who funds it, what is earned, how it wears."""

from __future__ import annotations

import numpy as np

from gigawatt.finance.project.construction import drawing_curve
from gigawatt.finance.project.tax import tax_shares
from gigawatt.report.live_sheet import Cell, Row
from gigawatt.report.project_sheets.maker import BUILDING, INPUTS, OPERATIONS, TIMING, Maker, loans_of, one_draw, sum_of


def timing(make: Maker) -> None:
    """Periods, years, flags and price levels."""
    timing, inflation = make.model.timing, make.model.terms.inflation
    make.head(INPUTS, "Timing (fixed)")
    make.input("per_year", "periods a year", "periods", timing.per_year)
    make.input("building", "construction periods", "periods", timing.construction)
    make.input("running", "operating periods", "periods", timing.operation)
    make.input("mid_period", "present values from mid-period", "flag", float(make.model.terms.calendar.mid_period))
    make.head(INPUTS, "Prices and rates")
    make.row(TIMING, "k", "period (0: the close)", "periods", list(map(float, range(timing.periods))))
    make.row(TIMING, "years", "years from the close", "years", "{k}/[per_year]")
    make.row(
        TIMING,
        "discount_years",
        "years that present values count",
        "years",
        "IF({k}=0,0,({k}-0.5*[mid_period])/[per_year])",
    )
    make.row(TIMING, "build", "close and construction", "flag", "IF({k}<=[building],1,0)")
    make.row(TIMING, "op", "operation", "flag", "1-{build}")
    make.row(TIMING, "j", "operating period", "periods", "{k}-[building]")
    make.row(TIMING, "y", "whole years of operation before", "years", "IF({op}=1,INT(({j}-1)/[per_year]),0)")
    make.row(TIMING, "last", "last period", "flag", "IF({k}=[building]+[running],1,0)")
    for name in ("revenue", "opex", "capital", "maintenance"):
        rate = make.input(f"inflation_{name}", f"inflation of {name}, a year", "share", getattr(inflation, name))
        make.row(TIMING, f"index_{name}", f"price level of {name}", "x", f"(1+{rate})^{{years}}")


def construction(make: Maker) -> None:
    """Capital, fees and interest, uses and sources."""
    terms, model = make.model.terms, make.model
    make.head(INPUTS, "Capital")
    make.input("contingency", "contingency, share of cost", "share", terms.contingency)
    make.input("equity_first", "equity first (else pro rata)", "flag", float(terms.equity_first))
    for n, part in enumerate(terms.capital):
        make.input(f"cost_part_{n}", f"cost of {part.name}", "USD", part.cost_usd)
        make.input(f"life_part_{n}", f"life of {part.name} in the books", "years", part.life_years)
        make.input(f"residual_part_{n}", f"residual of {part.name}, share of cost", "share", part.residual_share)
    make.head(BUILDING, "Capital cost")
    for n, part in enumerate(terms.capital):
        make.row(
            BUILDING,
            f"curve_{n}",
            f"drawing curve of {part.name} (input)",
            "share",
            drawing_curve(part, model.timing).tolist(),
        )
        spent = f"[cost_part_{n}]*{{curve_{n}}}*(1+[contingency])*{{index_capital}}"
        make.built(f"part_{n}", f"{part.name}", "USD", spent, True)
    make.built("capital", "capital cost", "USD", sum_of("part", len(terms.capital)), True)
    make.head(BUILDING, "Interest and fees while building")
    make.head(INPUTS, "Loans")
    for p, loan in loans_of(model):
        label = "senior" if p == "s" else "subordinated"
        made = model.sizing.senior if p == "s" else model.sizing.subordinated
        assert made is not None
        make.input(f"upfront_{p}", f"{label}: upfront fee, share of the debt", "share", loan.upfront_fee)
        make.input(
            f"commitment_{p}", f"{label}: commitment fee a year on what is undrawn", "share", loan.commitment_fee
        )
        make.add(
            INPUTS, Cell(f"debt_{p}", f"{label}: debt (solved)", "USD", one_draw(made.debt_usd), "fixed point", True)
        )
        rate = make.series(BUILDING, f"rate_{p}", f"{label}: interest a year", "share", loan.rate)
        make.row(BUILDING, f"i_{p}", f"{label}: interest a period", "share", f"IF({{k}}=0,0,{rate}/[per_year])")
        fee = f"IF({{k}}=0,[upfront_{p}]*[debt_{p}],[commitment_{p}]/[per_year]*MAX([debt_{p}]-{{built_{p}<}},0))"
        make.built(f"fee_{p}", f"{label}: fees", "USD", fee, True)
        make.built(f"idc_{p}", f"{label}: interest while building", "USD", f"{{i_{p}}}*{{built_{p}<}}", True)
    names = [p for p, _ in loans_of(model)]
    make.built("financing", "fees and interest, capitalised", "USD",
             "+".join(f"{{fee_{p}}}+{{idc_{p}}}" for p in names) or "0", True)  # fmt: skip
    make.head(BUILDING, "Uses and sources")
    last = make.model.timing.first - 1
    funded = "{target_s}*[reserve_funded]" if names else "0"
    make.add(BUILDING, Row("reserve_built", "reserve", "USD", funded, True, since=last, until=last + 1))
    make.built("uses", "uses", "USD", "({capital}+{financing}+{reserve_built})", True)
    make.built("uses_so_far", "uses so far", "USD", "{uses_so_far<}+{uses}")
    make.built("need_so_far", "need beyond prepayments so far", "USD", "MAX({uses_so_far}-[prepaid],0)")
    make.built("need", "need", "USD", "{need_so_far}-{need_so_far<}", True)
    need = one_draw(model.sizing.construction.total_need_usd)
    make.add(INPUTS, Cell("total_need", "total need, as drawn against (solved)", "USD", need, "fixed point", True))
    owed = "+".join(f"[debt_{p}]" for p in names) or "0"
    own = f"MAX([total_need]-({owed}),0)"
    make.built("own_first", "equity, where it comes first", "USD",
             f"MIN({{need_so_far}},{own})-MIN({{need_so_far<}},{own})")  # fmt: skip
    for p in names:
        label = "senior" if p == "s" else "subordinated"
        first = f"IF({owed}>0,[debt_{p}]/({owed}),0)*({{need}}-{{own_first}})"
        make.built(f"draw_{p}", f"{label}: draw", "USD",
                 f"IF([equity_first]=1,{first},IF([total_need]>0,[debt_{p}]/[total_need],0)*{{need}})", True)  # fmt: skip
        make.built(f"built_{p}", f"{label}: balance while building", "USD", f"({{built_{p}<}}+{{draw_{p}}})")
    make.built("equity", "equity", "USD", "{need}" + "".join(f"-{{draw_{p}}}" for p in names), True)
    make.built("cash_built", "prepayment not yet spent", "USD", "MAX([prepaid]-{uses_so_far},0)")


def operations(make: Maker) -> None:
    """Lines of revenue and cost, and the cash before tax."""
    terms, first = make.model.terms, make.model.timing.first
    make.head(INPUTS, "Revenue")
    for n, line in enumerate(terms.revenue):
        at = f"revenue_{n}"
        make.head(OPERATIONS, line.name)
        term = make.model.timing.operation if line.contract_periods is None else line.contract_periods
        make.input(f"term_{at}", f"{line.name}: periods of contract", "periods", term)
        price = make.series(
            OPERATIONS, f"price_{at}", f"{line.name}: price", "USD/MW/yr", line.price_usd_per_mw_yr, first
        )
        mw = make.series(OPERATIONS, f"mw_{at}", f"{line.name}: MW", "MW", line.mw, first)
        free = make.series(
            OPERATIONS, f"available_{at}", f"{line.name}: availability", "share", line.availability, first
        )
        use = make.series(OPERATIONS, f"use_{at}", f"{line.name}: utilisation", "share", line.utilisation, first)
        floor = make.series(OPERATIONS, f"floor_{at}", f"{line.name}: take-or-pay floor", "share", line.floor, first)
        make.input(f"growth_{at}", f"{line.name}: escalator a year", "share", line.growth)
        later = make.series(OPERATIONS, f"later_{at}", f"{line.name}: price after the contract", "USD/MW/yr",
                            line.merchant_price_usd_per_mw_yr, first)  # fmt: skip
        sold = make.series(OPERATIONS, f"sold_{at}", f"{line.name}: utilisation after the contract", "share",
                           line.merchant_utilisation, first)  # fmt: skip
        make.input(f"later_growth_{at}", f"{line.name}: growth after the contract", "share", line.merchant_growth)
        make.input(f"ahead_{at}", f"{line.name}: prepaid share of the contract", "share", line.prepaid_share)
        make.row(OPERATIONS, f"on_{n}", "contract runs", "flag", f"IF(AND({{op}}=1,{{j}}<=[term_{at}]),1,0)")
        signed = f"{price}*(1+[growth_{at}])^{{y}}"
        free_price = f"{later}*(1+[later_growth_{at}])^{{y}}"
        make.row(OPERATIONS, f"paid_{n}", "price paid", "USD/MW/yr",
                 f"IF({{on_{n}}}=1,{signed},{free_price})*{{index_revenue}}")  # fmt: skip
        unsigned = f"IF({later}>0,{sold},0)"
        share = f"IF({{on_{n}}}=1,MAX({use},{floor}),{unsigned})"
        make.row(
            OPERATIONS,
            f"rent_{n}",
            f"rent of {line.name}",
            "USD",
            f"{{op}}*{{paid_{n}}}*{mw}*{free}*{share}/[per_year]",
            True,
        )
        make.row(
            OPERATIONS,
            f"used_{n}",
            "MW in use",
            "MW",
            f"{{op}}*{mw}*{free}*IF({{on_{n}}}=1,{use},IF({later}>0,{sold},0))",
        )
        make.row(OPERATIONS, f"offered_{n}", "MW on offer", "MW", f"{{op}}*{mw}")
        make.row(
            OPERATIONS,
            f"full_{n}",
            "rent of the contract in full use",
            "USD",
            f"{{on_{n}}}*{{paid_{n}}}*{mw}/[per_year]",
            True,
        )
        make.row(OPERATIONS, f"credit_{n}", "prepayment credited", "USD",
                 f"{{on_{n}}}*[ahead_{at}]*SUM({{full_{n}:}})/MAX([term_{at}],1)", True)  # fmt: skip
    lines = range(len(terms.revenue))
    make.head(OPERATIONS, "Revenue, costs, cash before tax")
    ahead = "+".join(f"[ahead_revenue_{n}]*SUM({{full_{n}:}})" for n in lines)
    make.add(OPERATIONS, Cell("prepaid", "prepayment at the close", "USD", ahead))
    for key, name, label, unit in (("revenue", "rent", "revenue", "USD"), ("credit", "credit", "prepayment credited", "USD"),
                                   ("mw", "offered", "MW on offer", "MW"), ("used", "used", "MW in use", "MW")):  # fmt: skip
        make.row(OPERATIONS, key, label, unit, sum_of(name, len(terms.revenue)), unit == "USD")
    _costs(make)
    make.row(OPERATIONS, "ebitda", "revenue less costs", "USD", "{revenue}-{cost}", True)
    make.input("receivable_days", "days of revenue receivable", "days", terms.receivable_days)
    make.input("payable_days", "days of costs payable", "days", terms.payable_days)
    for key, base in (("receivable", "revenue"), ("payable", "cost")):
        make.row(OPERATIONS, key, key, "USD", f"{{{base}}}*(1-{{last}})*[{key}_days]*[per_year]/365")
    make.row(
        OPERATIONS,
        "working",
        "increase of working capital",
        "USD",
        "{receivable}-{payable}-({receivable<}-{payable<})",
        True,
    )
    make.row(OPERATIONS, "before_tax", "cash before tax", "USD", "{ebitda}-{credit}-{working}-{upkeep}", True)


def _costs(make: Maker) -> None:
    terms, first = make.model.terms, make.model.timing.first
    make.head(INPUTS, "Costs, upkeep, working capital")
    for n, line in enumerate(terms.costs):
        fixed = make.series(OPERATIONS, f"fixed_cost_{n}", f"{line.name}: fixed", "USD/yr", line.usd_per_yr, first)
        per_mw = make.series(OPERATIONS, f"mw_cost_{n}", f"{line.name}: by MW", "USD/MW/yr", line.usd_per_mw_yr, first)
        per_mwh = make.series(
            OPERATIONS, f"mwh_cost_{n}", f"{line.name}: by MWh used", "USD/MWh", line.usd_per_mwh, first
        )
        share = make.series(
            OPERATIONS, f"share_cost_{n}", f"{line.name}: share of revenue", "share", line.revenue_share, first
        )
        make.input(f"growth_cost_{n}", f"{line.name}: growth a year", "share", line.growth)
        grown = f"(1+[growth_cost_{n}])^{{y}}*{{index_opex}}"
        bill = f"({fixed}+{per_mw}*{{mw}}+{per_mwh}*{{used}}*8760)"
        make.row(OPERATIONS, f"cost_{n}", line.name, "USD",
                 f"{{op}}*({grown}*{bill}/[per_year]+{share}*{{revenue}})", True)  # fmt: skip
    make.row(OPERATIONS, "cost", "costs", "USD", sum_of("cost", len(terms.costs)), True)
    for n, kept in enumerate(terms.upkeep):
        yearly = make.series(OPERATIONS, f"yearly_upkeep_{n}", kept.name, "USD/yr", kept.usd_per_yr, first)
        make.input(f"growth_upkeep_{n}", f"{kept.name}: growth a year", "share", kept.growth)
        make.input(f"life_upkeep_{n}", f"{kept.name}: life", "years", kept.life_years)
        make.row(OPERATIONS, f"upkeep_{n}", kept.name, "USD",
                 f"{{op}}*(1+[growth_upkeep_{n}])^{{y}}*{{index_maintenance}}*{yearly}/[per_year]", True)  # fmt: skip
    make.row(OPERATIONS, "upkeep", "upkeep", "USD", sum_of("upkeep", len(terms.upkeep)), True)


def wear(make: Maker) -> None:
    """Depreciation in the books and for tax."""
    terms, timing = make.model.terms, make.model.timing
    make.head(INPUTS, "Tax")
    make.input("tax_rate", "tax on profit", "share", terms.tax.rate)
    make.input("loss_limit", "share of a profit that losses may offset", "share", terms.tax.loss_limit)
    make.head(OPERATIONS, "Wear")
    for n, part in enumerate(terms.capital):
        own = f"SUM({{part_{n}:}})"
        make.add(OPERATIONS, Cell(f"base_{n}", f"{part.name} with its fees and interest", "USD",
                         f"{own}+IF(SUM({{capital:}})>0,{own}/SUM({{capital:}}),0)*SUM({{financing:}})"))  # fmt: skip
        make.row(
            OPERATIONS, f"book_share_{n}", f"{part.name}: wear in the books", "share", _straight(f"[life_part_{n}]")
        )
        if part.tax_method == "straight":
            years = part.life_years if part.tax_life_years is None else part.tax_life_years
            make.input(f"tax_life_{n}", f"{part.name}: life for tax", "years", years)
            make.row(OPERATIONS, f"tax_share_{n}", f"{part.name}: wear for tax", "share", _straight(f"[tax_life_{n}]"))
        else:
            column = np.zeros(timing.periods)
            column[timing.first :] = tax_shares(part, timing)
            make.row(OPERATIONS, f"tax_share_{n}", f"{part.name}: wear for tax (input)", "share", column.tolist())
    kept = []
    for n, upkept in enumerate(terms.upkeep):
        life = f"MAX(1,ROUND([life_upkeep_{n}]*[per_year],0))"
        make.row(OPERATIONS, f"worn_upkeep_{n}", f"{upkept.name}: wear", "USD",
                 f"SUMPRODUCT(({{j:}}<{{j}})*({{j:}}>={{j}}-{life})*{{upkeep_{n}:}})/{life}", True)  # fmt: skip
        kept.append(f"{{worn_upkeep_{n}}}")
    for key, label in (("book", "wear in the books"), ("tax", "wear for tax")):
        parts = [f"[base_{n}]*{{{key}_share_{n}}}" for n in range(len(terms.capital))]
        make.row(OPERATIONS, f"{key}_wear", label, "USD", "+".join([*parts, *kept]), True)


def _straight(life: str) -> str:
    periods = f"MAX(1,ROUND({life}*[per_year],0))"
    return f"IF(AND({{op}}=1,{{j}}<={periods}),1/{periods},0)"

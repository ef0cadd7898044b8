"""The workbook calculates: another library's evaluation of its formulas is what it shows, and what the engine says."""

import re
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import formulas
import numpy as np
import pytest

from gigawatt.core.units import parse
from gigawatt.finance.project import (
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
    solve,
)
from gigawatt.report.live_sheet import FIRST_COLUMN, Cell, Evaluator, Row, Sheets, column_name
from gigawatt.report.project_sheets import sheets_of
from gigawatt.report.project_workbook import write_project_workbook, write_sheets

CENT = 0.01
FULL = Terms(
    Calendar(date(2026, 1, 1), "year", 2, 6),
    (
        Part("shell", 1.0e9, "s-curve", life_years=10, tax_method="declining", tax_life_years=8, residual_share=0.3),
        Part("chips", 2.0e9, "shares", (0.25, 0.75), life_years=5, tax_method="table", tax_table=(0.5, 0.3, 0.2)),
    ),
    (
        Revenue(
            "cloud", np.array([11e6, 11e6, 10e6, 10e6, 9e6, 9e6]), 100.0, 0.98, 0.9, 0.8, 0.02, 4, 8e6, 0.7, -0.05, 0.1
        ),
    ),
    (Cost("running", 1e6, 3e5, 60.0, 0.05, 0.02),),
    (Upkeep("fix", 2e7, 0.02, 3.0),),
    0.05,
    Inflation(0.01, 0.02, 0.03, 0.02),
    Tax(0.21, 0.8),
    Loan(0.08, 5, cover=1.4, gearing=0.6, upfront_fee=0.02, commitment_fee=0.005),
    Loan(0.12, 4, "annuity", cover=1.5, gearing=0.1, upfront_fee=0.01),
    Refinancing(2, Loan(0.06, 4, cover=1.3, upfront_fee=0.01)),
    False,
    6.0,
    True,
    0.2,
    30.0,
    45.0,
    Covenants(1.15, 1.05, 0.6),
)
PLAIN = replace(FULL, refinancing=None)
CASES = {
    "everything": FULL,
    "without a refinancing": PLAIN,
    "equity first": replace(PLAIN, equity_first=True),
    "annuity": replace(PLAIN, senior=replace(FULL.senior, repayment="annuity")),
    "equal principal": replace(PLAIN, senior=replace(FULL.senior, repayment="equal")),
    "bullet": replace(PLAIN, senior=replace(FULL.senior, repayment="bullet", amount_usd=1e9)),
    "no debt": replace(PLAIN, senior=None, subordinated=None, sweep=0.0),
    "senior alone": replace(PLAIN, subordinated=None),
    "too much debt": replace(PLAIN, senior=Loan(0.08, 5, amount_usd=2.9e9), subordinated=None),
    "paid at the close": replace(PLAIN, calendar=replace(FULL.calendar, construction=0), capital=(Part("chips", 2e9),)),
    "a rate over time": replace(PLAIN, senior=replace(FULL.senior, rate=np.linspace(0.05, 0.09, 9))),
}
SHEETS = {
    "revenue": "operations.revenue_usd", "cost": "operations.cost_usd", "credit": "operations.credit_usd",
    "working": "operations.working_capital_change_usd", "upkeep": "operations.upkeep_usd",
    "uses": "sizing.construction.uses_usd", "need": "sizing.construction.need_usd",
    "equity": "sizing.construction.equity_usd", "book_wear": "sizing.book_wear_usd", "tax_wear": "sizing.tax_wear_usd",
    "tax": "waterfall.tax_usd", "cfads": "waterfall.cfads_usd", "senior": "waterfall.senior_balance_usd",
    "sub": "waterfall.sub_balance_usd", "paid_s": "waterfall.senior_paid_usd", "paid_j": "waterfall.sub_paid_usd",
    "reserve": "waterfall.reserve_usd", "swept": "waterfall.sweep_usd", "paid_out": "waterfall.distribution_usd",
    "cash": "waterfall.cash_usd", "locked": "waterfall.locked", "late_s": "waterfall.senior_arrears_usd",
    "late_j": "waterfall.sub_arrears_usd", "unpaid": "waterfall.costs_unpaid_usd", "dscr": "waterfall.dscr",
    "losses": "waterfall.losses_usd", "new_loan": "waterfall.new_loan_usd", "income": "statements.net_income_usd",
    "operating": "statements.operating_usd", "investing": "statements.investing_usd",
    "financing_cash": "statements.financing_usd", "b_fixed": "statements.fixed_assets_usd",
    "retained": "statements.retained_usd", "advances": "statements.advances_usd", "llcr": "llcr", "plcr": "plcr",
    "f_before": "flows.project_before_tax_usd", "f_project": "flows.project_usd", "f_equity": "flows.equity_usd",
}  # fmt: skip
METRICS = {
    "irr_before_tax": "project_irr_before_tax", "irr_project": "project_irr", "irr_equity": "equity_irr",
    "yield_senior": "lender_yield", "npv_project": "project_npv_usd", "npv_equity": "equity_npv_usd",
    "multiple": "equity_multiple", "dscr_min": "dscr_min", "dscr_average": "dscr_average", "prepaid": "prepaid_usd",
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_formulas_say_what_the_engine_says_to_the_cent(name):
    model = solve(CASES[name])
    values = Evaluator(sheets_of(model, {}))
    n, compared = model.timing.periods, 0
    for key, path in SHEETS.items():
        if key not in values.columns:
            continue
        node = model
        for part in path.split("."):
            node = getattr(node, part)
        expected = np.broadcast_to(node, (*np.shape(node)[:-1], n)).reshape(-1, n)[0]
        assert values.columns[key] == pytest.approx(expected, rel=1e-9, abs=CENT, nan_ok=True), key
        compared += 1
    assert compared >= 37
    for cell, metric in METRICS.items():
        if cell in values.named:
            assert values.named[cell] == pytest.approx(float(model.metrics[metric]), rel=1e-6, abs=CENT, nan_ok=True)
    assert values.named["all_checks"] == 1


def recomputed(path: Path, cells):
    """Every cell of the book as the library `formulas` works it out, and as the file shows it."""
    book = formulas.ExcelModel().loads(str(path)).finish()
    found = book.calculate()
    for sheet, address in cells:
        value = found[f"'[{path.name}]{sheet.upper()}'!{address}"].value[0, 0]
        yield sheet, address, value


def shown(path: Path):
    """(sheet, address) -> (formula, stored value) of every formula in the file."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    out = {}
    with zipfile.ZipFile(path) as parts:
        names = [s.get("name") for s in ElementTree.fromstring(parts.read("xl/workbook.xml")).iter(f"{space}sheet")]
        for at, name in enumerate(names, start=1):
            for cell in ElementTree.fromstring(parts.read(f"xl/worksheets/sheet{at}.xml")).iter(f"{space}c"):
                formula = cell.find(f"{space}f")
                if formula is not None:
                    value = cell.find(f"{space}v")
                    text = None if value is None or cell.get("t") == "str" else value.text
                    out[name, cell.get("r")] = (formula.text, None if text is None else float(text))
    return out


def test_another_library_works_out_every_formula_alike(tmp_path):
    path = tmp_path / "project.xlsx"
    write_project_workbook(solve(FULL), path)
    stored = shown(path)
    assert len(stored) > 1500
    for sheet, address, value in recomputed(path, stored):
        formula, expected = stored[sheet, address]
        if expected is None:
            assert str(value) in ("", "empty"), (sheet, address, formula)
        else:
            assert float(value) == pytest.approx(expected, rel=1e-9, abs=CENT), (sheet, address, formula)


def test_an_input_that_changes_changes_all_and_the_check_says_so():
    """A higher rent, with the yellow cells as they were: cash flows are the engine's for that debt, and a check fails."""
    terms = replace(PLAIN, subordinated=None, sweep=0.0, senior=replace(FULL.senior, repayment="annuity"))
    model = solve(terms)
    sheets = sheets_of(model, {})
    _, at, cell = sheets.cells["tax_rate"]
    changed = replace(cell, content=0.30)
    sheets.cells["tax_rate"] = (sheets.cells["tax_rate"][0], at, changed)
    values = Evaluator(sheets)
    fixed = replace(terms.senior, cover=None, gearing=None, amount_usd=float(model.metrics["debt_usd"]))
    expected = solve(replace(terms, tax=Tax(0.30, 0.8), senior=fixed))
    assert values.columns["paid_out"] == pytest.approx(expected.waterfall.distribution_usd.reshape(-1), abs=CENT)
    assert values.columns["assets"] == pytest.approx(values.columns["claims"], abs=CENT)
    assert values.named["check_debt_s"] == 0 == values.named["all_checks"]
    assert values.named["implied_s"] < float(model.metrics["debt_usd"])


def test_pasting_what_the_cash_carries_until_the_checks_hold_is_the_new_debt():
    terms = replace(PLAIN, subordinated=None, sweep=0.0)
    sheets = sheets_of(solve(terms), {})

    def put(name, value):
        where, at, cell = sheets.cells[name]
        sheets.cells[name] = (where, at, replace(cell, content=value))

    put("tax_rate", 0.30)
    for _ in range(60):
        values = Evaluator(sheets)
        if values.named["all_checks"] == 1:
            break
        put("debt_s", values.named["implied_s"])
        put("total_need", float(values.columns["need"].sum()))
        put("cover_s", Evaluator(sheets).named["implied_cover_s"])
    expected = solve(replace(terms, tax=Tax(0.30, 0.8)))
    assert values.named["all_checks"] == 1
    assert values.named["debt_s"] == pytest.approx(float(expected.metrics["debt_usd"]), abs=1.0)


def test_inputs_are_named_and_show_their_source(tmp_path):
    path = tmp_path / "project.xlsx"
    write_project_workbook(solve(PLAIN), path, title="A site", sources={"cost_part_0": "a filing"})
    with zipfile.ZipFile(path) as parts:
        book = parts.read("xl/workbook.xml").decode()
        text = parts.read("xl/sharedStrings.xml").decode()
    assert re.search(r'<definedName name="debt_s">Inputs!\$C\$\d+</definedName>', book)
    assert "a filing" in text and "A site: Inputs" in text and "USD/MW/yr" in text
    names = re.findall(r'<sheet name="(\w+)"', book)
    assert names == [
        "Inputs",
        "Timing",
        "Construction",
        "Operations",
        "Debt",
        "Waterfall",
        "Statements",
        "Returns",
        "Checks",
    ]


def test_the_same_project_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_project_workbook(solve(PLAIN), tmp_path / f"{name}.xlsx")
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_draws_and_results_without_a_model_are_refused(tmp_path):
    many = replace(PLAIN, tax=Tax(np.array([[0.1], [0.2]])))
    with pytest.raises(ValueError, match="one draw"):
        write_project_workbook(solve(many), tmp_path / "x.xlsx")
    with pytest.raises(ValueError, match="no project model"):
        write_project_workbook(object(), tmp_path / "x.xlsx")


def test_the_evaluator_by_hand(tmp_path):
    sheets = Sheets(3, [date(2026, 1, 1)] * 3)
    sheets.add("A", Cell("rate", "rate", "share", 0.1), Row("x", "x", "USD", [1.0, 2.0, 3.0]))
    sheets.add(
        "B", Row("sum", "sum", "USD", "{sum<}*(1+[rate])^2+{x}"), Row("ahead", "ahead", "USD", "{x+1}+{ahead+1}")
    )
    sheets.add("B", Row("odd", "odd", "USD", 'IF(AND({x}<>2,{x}>=1),{x}/0,"")'), Cell("all", "all", "USD", "SUM({x:})"))
    values = Evaluator(sheets)
    assert values.columns["sum"] == pytest.approx([1.0, 3.21, 3.21 * 1.21 + 3])
    assert values.columns["ahead"] == pytest.approx([5.0, 3.0, 0.0])
    assert values.named["all"] == 6.0 == parse("6 USD", "money")
    assert sheets.formula("{sum<}+{x}+[rate]", "B", 1) == f"={column_name(FIRST_COLUMN)}4+A!E5+rate"
    circle = Sheets(1, [date(2026, 1, 1)])
    circle.add("A", Row("a", "a", "", "{b}+1"), Row("b", "b", "", "{a}+1"))
    with pytest.raises(AssertionError, match="circle"):
        Evaluator(circle)
    write_sheets(sheets, tmp_path / "small.xlsx", "small")

"""Published answers, a project written out by hand, and single rules of project finance."""

from dataclasses import replace
from datetime import date

import numpy as np
import numpy_financial as npf
import pytest

from gigawatt.core.errors import InputError
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
    held,
    price_factor,
    scaled,
    solve,
)

CONTRACT = Terms(
    Calendar(date(2026, 1, 1), "year", 0, 5),
    capital=(Part("chips", 5.8e9),),
    revenue=(Revenue("cloud", 9.7e6, 200.0),),
    costs=(Cost("running", revenue_share=0.15),),
)


def one(model, name):
    return float(model.metrics[name])


def test_the_published_contract_with_a_level_annuity():
    """9.7 B over 5 years on 200 MW, 5.8 B of chips, 85 % margin, 70 % at 9 %: return 13.0 %, cover 1.58."""
    model = solve(replace(CONTRACT, senior=Loan(0.09, 5, "annuity", amount_usd=0.7 * 5.8e9)))
    assert one(model, "project_irr") == pytest.approx(0.130, abs=5e-4)
    assert one(model, "dscr_min") == pytest.approx(1.58, abs=5e-3)
    assert one(model, "lender_yield") == pytest.approx(0.09)
    assert model.waterfall.senior_paid_usd[1:] == pytest.approx(-npf.pmt(0.09, 5, 4.06e9))


def test_the_published_contract_with_its_prepayment():
    """A fifth ahead, credited evenly against the cash after the margin: 19.0 %."""
    model = solve(replace(CONTRACT, revenue=(replace(CONTRACT.revenue[0], prepaid_share=0.2),)))
    assert one(model, "prepaid_usd") == pytest.approx(1.94e9)
    assert one(model, "project_irr") == pytest.approx(0.190, abs=1e-3)
    assert one(model, "equity_usd") == pytest.approx(3.86e9)
    assert model.statements.advances_usd[0] == pytest.approx(1.94e9)
    assert abs(model.statements.advances_usd[-1]) < 0.01


@pytest.mark.parametrize(("rate", "share"), [(0.06, 0.92), (0.09, 0.85), (0.11, 0.81), (0.15, 0.73)])
def test_debt_at_a_cover_of_1_30(rate, share):
    model = solve(replace(CONTRACT, senior=Loan(rate, 5, cover=1.3)))
    assert one(model, "debt_over_capital") == pytest.approx(share, abs=0.005)
    assert model.waterfall.dscr[1:] == pytest.approx(1.3)


def test_equal_principal_is_covered_less_in_the_first_year():
    model = solve(replace(CONTRACT, senior=Loan(0.09, 5, "equal", amount_usd=4.06e9)))
    assert one(model, "dscr_min") == pytest.approx(1.40, abs=5e-3) == model.waterfall.dscr[1]


def test_a_project_written_out_by_hand():
    """Two years of building, three of running, by the year; every number worked out here with plain arithmetic.

    Capital 1,000, half in each year. Debt 600 at 10 %, a fee of 2 % at the close, pro rata to every need. Rent 500 a year,
    costs 100. Tax 25 %, wear straight over three years for tax and books. Level payments. Half a year of service is kept.
    """
    terms = Terms(
        Calendar(date(2026, 1, 1), "year", 2, 3),
        capital=(Part("plant", 1000.0, life_years=3),),
        revenue=(Revenue("rent", 500.0, 1.0),),
        costs=(Cost("costs", usd_per_yr=100.0),),
        tax=Tax(0.25),
        senior=Loan(0.10, 3, "annuity", amount_usd=600.0, upfront_fee=0.02),
        reserve_months=6,
    )
    model = solve(terms)
    service = 600 * 0.10 / (1 - 1.10**-3)  # 241.2689
    reserve = service / 2
    # the circle of building: draws are 600 / need of every need, need = 12 + 500 + i b0 + 500 + i b1 + reserve
    need = 1000.0
    for _ in range(100):
        share = 600 / need
        b0 = share * 12
        b1 = b0 + share * (500 + 0.1 * b0)
        need = 12 + 500 + 0.1 * b0 + 500 + 0.1 * b1 + reserve
    idc = [0.1 * b0, 0.1 * b1]
    assert one(model, "total_uses_usd") == pytest.approx(need, abs=0.005)
    assert model.sizing.construction.draws_usd[0][:3] == pytest.approx([b0, b1 - b0, 600 - b1], abs=0.005)
    base = 1000 + 12 + sum(idc)
    wear = base / 3
    balance, rows, loss = 600.0, [], 0.0
    for year in range(3):
        interest = 0.1 * balance
        profit = 400 - wear - interest
        used = min(loss, max(profit, 0))
        tax = 0.25 * (max(profit, 0) - used)
        loss += max(-profit, 0) - used
        cash = 400 - tax
        balance += interest - service
        reserve_next = service / 2 if year < 2 else 0.0
        paid_out = cash - service + (reserve - reserve_next)
        reserve = reserve_next
        rows.append((interest, tax, cash, paid_out, balance))
    made = model.waterfall
    for at, (interest, tax, cash, paid_out, left) in enumerate(rows, start=3):
        assert made.senior_interest_usd[at] == pytest.approx(interest, abs=0.005)
        assert made.tax_usd[at] == pytest.approx(tax, abs=0.005)
        assert made.cfads_usd[at] == pytest.approx(cash, abs=0.005)
        assert made.distribution_usd[at] == pytest.approx(paid_out, abs=0.005)
        assert made.senior_balance_usd[at] == pytest.approx(left, abs=0.005)
    books = model.statements
    assert books.net_income_usd[3] == pytest.approx(400 - wear - rows[0][0] - rows[0][1], abs=0.005)
    # assets at the end of construction: plant and reserve; claims: the debt and the equity
    assert books.fixed_assets_usd[2] == pytest.approx(base, abs=0.005)
    assert books.paid_in_usd[2] == pytest.approx(need - 600, abs=0.005)
    assert np.abs(books.gap_usd).max() < 0.01
    assert np.abs(books.cash_gap_usd).max() < 0.01
    equity = [
        -(12 - b0),
        -(500 + idc[0] - (b1 - b0)),
        -(500 + idc[1] + service / 2 - (600 - b1)),
        *(r[3] for r in rows),
    ]
    assert model.flows.equity_usd == pytest.approx(equity, abs=0.005)
    assert one(model, "equity_irr") == pytest.approx(npf.irr(equity), rel=1e-6)


def test_when_gearing_binds_the_cover_is_solved_again():
    capped = solve(replace(CONTRACT, tax=Tax(0.21), senior=Loan(0.09, 5, cover=1.3, gearing=0.6, upfront_fee=0.02)))
    assert capped.binds == "gearing"
    assert one(capped, "gearing") == pytest.approx(0.6)
    assert float(capped.sizing.senior.balance_usd[-1]) == 0.0
    cover = capped.waterfall.dscr[1:]
    assert cover.min() > 1.3
    assert cover == pytest.approx(cover[0])


def test_the_circle_says_how_well_it_closed():
    model = solve(replace(CONTRACT, tax=Tax(0.21), senior=Loan(0.09, 5, cover=1.3, upfront_fee=0.03), reserve_months=6))
    assert 2 < model.iterations < 40
    assert float(model.residual_usd.max()) < 1e-3


def test_tax_does_not_touch_the_lock_up_by_rounding():
    model = solve(replace(CONTRACT, tax=Tax(0.21), senior=Loan(0.09, 5, cover=1.3), covenants=Covenants(1.3, 1.3)))
    assert one(model, "locked_periods") == 0
    assert not any(test.breached.any() for test in model.covenants)


def test_cash_below_lock_up_is_kept_and_released_later():
    """Low rent in the second year: nothing goes out then, all of it in the third."""
    line = Revenue("rent", np.array([100.0, 55.0, 100.0]), 1.0)
    loan = Loan(0.0, 3, "equal", amount_usd=150.0)
    terms = Terms(Calendar(step="year", construction=0, operation=3), (Part("plant", 200.0),), (line,), senior=loan)
    model = solve(replace(terms, covenants=Covenants(lock_up=1.2, default=1.05)))
    assert model.waterfall.dscr[1:] == pytest.approx([2.0, 1.1, 2.0])
    assert model.waterfall.distribution_usd[1:] == pytest.approx([50.0, 0.0, 55.0])
    assert model.waterfall.cash_usd[1:] == pytest.approx([0.0, 5.0, 0.0])
    assert model.waterfall.locked[1:].tolist() == [0.0, 1.0, 0.0]


def test_a_shortfall_takes_the_reserve_and_then_stays_unpaid():
    """Service 50 a year, 25 in reserve, rent of 10 in the second year: 35 paid, 15 late, caught up in the third."""
    line = Revenue("rent", np.array([100.0, 10.0, 100.0]), 1.0)
    loan = Loan(0.0, 3, "equal", amount_usd=150.0)
    terms = Terms(Calendar(step="year", construction=0, operation=3), (Part("plant", 200.0),), (line,), senior=loan)
    model = solve(replace(terms, reserve_months=6, covenants=Covenants(1.1, 1.0)))
    made = model.waterfall
    assert made.reserve_drawn_usd[1:] == pytest.approx([0.0, 25.0, 0.0])
    assert made.senior_paid_usd[1:] == pytest.approx([50.0, 35.0, 65.0])
    assert made.senior_arrears_usd[1:] == pytest.approx([0.0, 15.0, 0.0])
    assert one(model, "unpaid_usd") == 0 and one(model, "worst_arrears_usd") == pytest.approx(15.0)
    broken = {test.name: np.flatnonzero(test.breached).tolist() for test in model.covenants}
    assert broken == {"lock_up": [2], "default": [2], "payment": [2]}


def test_debt_without_cash_is_an_answer():
    poor = replace(CONTRACT, costs=(Cost("running", revenue_share=1.1),), senior=Loan(0.09, 5, cover=1.3, gearing=0.5))
    model = solve(poor)
    assert one(model, "debt_usd") == 0
    assert np.abs(model.statements.gap_usd).max() < 0.01
    assert model.waterfall.costs_unpaid_usd[-1] > 0
    forced = solve(replace(poor, senior=Loan(0.09, 5, amount_usd=1e9)))
    assert one(forced, "unpaid_usd") > 1e9
    assert np.abs(forced.statements.gap_usd).max() < 0.01


def test_the_price_that_carries_the_asked_debt():
    asked = replace(CONTRACT, tax=Tax(0.21), senior=Loan(0.09, 5, cover=1.3, gearing=0.9, upfront_fee=0.02))
    factor = price_factor(asked)
    assert factor is not None and factor > 1
    assert solve(scaled(asked, factor)).binds != "cover"
    assert solve(scaled(asked, factor * (1 - 1e-5))).binds == "cover"
    assert price_factor(replace(asked, costs=(Cost("running", revenue_share=1.1),))) is None
    assert price_factor(CONTRACT) is None


def test_refinancing_at_a_lower_rate_is_worth_the_difference():
    """All at once at par: 100 at 10 % over 4 years, after two repaid by a loan at 5 % for the two left, no tax, no fee."""
    line = Revenue("rent", 100.0, 1.0)
    terms = Terms(
        Calendar(step="year", construction=0, operation=4),
        (Part("plant", 200.0),),
        (line,),
        senior=Loan(0.10, 4, "annuity", amount_usd=100.0),
        equity_discount_rate=0.0,
    )
    pay = -npf.pmt(0.10, 4, 100.0)
    left = -npf.pv(0.10, 2, pay)
    model = solve(replace(terms, refinancing=Refinancing(2, Loan(0.05, 2, "annuity", amount_usd=left))))
    cheaper = -npf.pmt(0.05, 2, left)
    assert model.waterfall.senior_paid_usd[1:] == pytest.approx([pay, pay, cheaper, cheaper])
    assert one(model, "refinancing_gain_usd") == pytest.approx(2 * (pay - cheaper))
    assert one(model, "lender_yield") == pytest.approx(0.10)
    small = solve(replace(terms, refinancing=Refinancing(2, Loan(0.05, 2, "annuity", amount_usd=left - 1))))
    assert not small.refinanced.done.any()
    assert small.waterfall.senior_paid_usd[1:] == pytest.approx(pay)


def test_a_refinancing_sized_by_cover_brings_money_to_equity():
    terms = replace(CONTRACT, tax=Tax(0.21), senior=Loan(0.11, 5, cover=1.5))
    model = solve(replace(terms, refinancing=Refinancing(2, Loan(0.06, 3, cover=1.2, upfront_fee=0.01))))
    assert model.waterfall.dscr[1:3] == pytest.approx(1.5, rel=1e-3)
    assert model.waterfall.dscr[3:] == pytest.approx(1.2)
    assert one(model, "refinancing_proceeds_usd") > 0
    assert one(model, "equity_irr") > one(model, "equity_irr_without_refinancing")
    assert np.abs(model.statements.gap_usd).max() < 0.01


def test_the_subordinated_loan_has_what_the_senior_leaves():
    terms = replace(CONTRACT, senior=Loan(0.09, 5, cover=1.6), subordinated=Loan(0.13, 5, cover=1.25))
    model = solve(terms)
    left = model.waterfall.cfads_usd - model.waterfall.senior_paid_usd
    assert left[1:] / model.waterfall.sub_paid_usd[1:] == pytest.approx(1.25)
    assert one(model, "sub_yield") == pytest.approx(0.13)
    assert abs(model.waterfall.sub_balance_usd[-1]) < 0.01


def test_a_sweep_shortens_the_loan():
    plain = replace(CONTRACT, senior=Loan(0.09, 5, "annuity", amount_usd=3e9))
    swept = solve(replace(plain, sweep=1.0))
    # all cash goes to the loan until it is repaid: 3 B at 9 % with 1.649 B a year
    balance = 3e9
    for year in range(1, 4):
        balance = max(balance * 1.09 - 1.649e9, 0.0)
        assert swept.waterfall.senior_balance_usd[year] == pytest.approx(balance, abs=0.01)
    assert one(swept, "lender_yield") == pytest.approx(0.09)
    assert swept.waterfall.distribution_usd.sum() > solve(plain).waterfall.distribution_usd.sum()


def test_who_pays_first():
    terms = Terms(
        Calendar(step="year", construction=2, operation=3),
        (Part("plant", 100.0),),
        (Revenue("rent", 80.0, 1.0),),
        senior=Loan(0.0, 3, amount_usd=60.0),
    )
    assert solve(terms).sizing.construction.equity_usd[1:3] == pytest.approx([20.0, 20.0])
    assert solve(replace(terms, equity_first=True)).sizing.construction.equity_usd[1:3] == pytest.approx([40.0, 0.0])


def test_a_commitment_fee_is_paid_on_what_is_undrawn():
    terms = Terms(
        Calendar(step="year", construction=2, operation=3),
        (Part("plant", 100.0),),
        (Revenue("rent", 80.0, 1.0),),
        senior=Loan(0.0, 3, amount_usd=50.0, commitment_fee=0.01),
    )
    fees = solve(terms).sizing.construction.fees_usd[0]
    drawn = solve(terms).sizing.construction.draws_usd[0]
    assert fees[:3] == pytest.approx([0.0, 0.5, 0.01 * (50 - drawn[1])])


def test_losses_are_carried_forward_up_to_their_limit():
    terms = Terms(
        Calendar(step="year", construction=0, operation=3),
        (Part("plant", 100.0, life_years=1),),
        (Revenue("rent", 60.0, 1.0),),
        tax=Tax(0.5, 0.8),
    )
    # 60 - 100 = -40; then 60: 40 used of at most 48; then 60 in full
    assert solve(terms).waterfall.tax_usd[1:] == pytest.approx([0.0, 10.0, 30.0])
    assert solve(replace(terms, tax=Tax(0.5, 0.5))).waterfall.tax_usd[1:] == pytest.approx([0.0, 15.0, 25.0])


def test_wear_by_table_and_by_declining_balance():
    table = Part("plant", 100.0, tax_method="table", tax_table=(0.5, 0.3, 0.2))
    terms = Terms(Calendar(step="half-year", construction=0, operation=8), (table,), (Revenue("rent", 1.0, 1.0),))
    assert solve(terms).sizing.tax_wear_usd[1:] == pytest.approx([25, 25, 15, 15, 10, 10, 0, 0])
    falling = replace(table, tax_method="declining", tax_life_years=4, tax_factor=2.0)
    assert solve(replace(terms, capital=(falling,))).sizing.tax_wear_usd[1:] == pytest.approx(
        [25, 25, 12.5, 12.5, 6.25, 6.25, 6.25, 6.25]
    )


def test_the_residual_is_taxed_on_its_gain():
    terms = Terms(
        Calendar(step="year", construction=0, operation=2),
        (Part("plant", 100.0, life_years=2, residual_share=0.3),),
        (Revenue("rent", 100.0, 1.0),),
        tax=Tax(0.2),
    )
    model = solve(terms)
    assert model.waterfall.disposal_tax_usd[-1] == pytest.approx(6.0)
    assert model.waterfall.distribution_usd[-1] == pytest.approx(100 - 0.2 * 50 + 30 - 6)
    assert model.statements.fixed_assets_usd[-1] == pytest.approx(0.0)


def test_lines_of_operation_by_hand():
    """Half-years: contract of a year at a floor, then merchant; escalator on the anniversary; costs by MW and MWh."""
    line = Revenue("rent", 1000.0, 10.0, 0.9, 0.5, 0.8, 0.10, 2, 600.0, 0.7, -0.5)
    terms = Terms(
        Calendar(step="half-year", construction=0, operation=4),
        (Part("plant", 1.0),),
        (line,),
        costs=(Cost("mixed", 100.0, 10.0, 0.01, 0.1, 0.5),),
        upkeep=(Upkeep("fix", 8.0, 0.25, 1.0),),
        receivable_days=73.0,
        payable_days=36.5,
    )
    o = solve(terms).operations
    rent = [1000 * 10 * 0.9 * 0.8 / 2] * 2 + [600 * 0.5 * 10 * 0.9 * 0.7 / 2] * 2
    used = [10 * 0.9 * 0.5] * 2 + [10 * 0.9 * 0.7] * 2
    cost = [
        (100 + 100 + 0.01 * u * 8760) * g / 2 + 0.1 * r for u, r, g in zip(used, rent, (1, 1, 1.5, 1.5), strict=True)
    ]
    assert o.revenue_usd[1:] == pytest.approx(rent)
    assert o.cost_usd[1:] == pytest.approx(cost)
    assert o.upkeep_usd[1:] == pytest.approx([4, 4, 5, 5])
    assert o.receivable_usd[1:4] == pytest.approx([0.4 * r for r in rent[:3]])
    assert o.payable_usd[1:4] == pytest.approx([0.2 * c for c in cost[:3]])
    assert o.working_capital_change_usd.sum() == pytest.approx(0.0)


def test_inflation_counts_from_the_close():
    terms = Terms(
        Calendar(step="year", construction=1, operation=2),
        (Part("plant", 100.0),),
        (Revenue("rent", 50.0, 1.0),),
        (Cost("costs", 10.0),),
        inflation=Inflation(0.02, 0.03, 0.04),
    )
    model = solve(terms)
    assert model.sizing.construction.capital_usd[1] == pytest.approx(104.0)
    assert model.operations.revenue_usd[2:] == pytest.approx([50 * 1.02**2, 50 * 1.02**3])
    assert model.operations.cost_usd[2:] == pytest.approx([10 * 1.03**2, 10 * 1.03**3])


def test_a_rate_that_changes_over_time():
    rate = np.array([0.0, 0.05, 0.10, 0.10, 0.10, 0.10])
    model = solve(replace(CONTRACT, senior=Loan(rate, 5, "annuity", amount_usd=1e9)))
    paid = model.waterfall.senior_paid_usd[1:]
    assert paid == pytest.approx(paid[0])
    assert model.waterfall.senior_interest_usd[1] == pytest.approx(5e7)
    assert abs(model.waterfall.senior_balance_usd[-1]) < 0.01


def test_mid_period_discounting_moves_values_not_returns():
    plain, middle = solve(CONTRACT), solve(replace(CONTRACT, calendar=replace(CONTRACT.calendar, mid_period=True)))
    assert one(middle, "project_irr") == one(plain, "project_irr")
    inflow = one(plain, "project_npv_usd") + 5.8e9
    assert one(middle, "project_npv_usd") + 5.8e9 == pytest.approx(inflow * 1.1**0.5)


def test_debt_held_as_signed_meets_a_fall_of_price():
    terms = replace(CONTRACT, tax=Tax(0.21), senior=Loan(0.09, 5, cover=1.3, upfront_fee=0.02))
    base = solve(terms)
    same = solve(held(terms, base))
    assert same.waterfall.senior_paid_usd == pytest.approx(base.waterfall.senior_paid_usd, abs=0.01)
    fallen = solve(scaled(held(terms, base), 0.7))
    assert one(fallen, "debt_usd") == pytest.approx(one(base, "debt_usd"))
    assert one(fallen, "dscr_min") < 1
    assert one(fallen, "worst_arrears_usd") > 0


def test_faults_are_told_all_at_once():
    bad = Terms(
        Calendar(step="yaer", construction=1, operation=4),
        (Part("a", 1.0, "shares", (0.5, 0.4)), Part("a", float("nan"))),
        (Revenue("r", 1.0, 1.0, contract_periods=9),),
        senior=Loan(0.05, 9),
        refinancing=Refinancing(9, Loan(0.05, 1, amount_usd=1.0)),
    )
    with pytest.raises(InputError) as raised:
        solve(bad)
    codes = {problem.code for problem in raised.value.problems}
    assert {
        "unknown_name",
        "not_shares",
        "duplicate_id",
        "not_finite",
        "term_too_long",
        "tenor_too_long",
        "no_size",
    } <= codes

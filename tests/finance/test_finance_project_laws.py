"""Laws that every project keeps, whatever its terms."""

from dataclasses import replace
from datetime import date

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gigawatt.finance.metrics import payback_years
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
    payback,
    rate_of_return,
    scaled,
    solve,
)

SHARE = st.floats(0.0, 1.0)
CENT = 0.01


@st.composite
def projects(draw, refinanced=True):
    step = draw(st.sampled_from(["year", "half-year", "quarter"]))
    building, running = draw(st.integers(0, 4)), draw(st.integers(2, 12))
    parts = tuple(
        Part(
            f"part-{n}",
            draw(st.floats(1e6, 5e9)),
            draw(st.sampled_from(["straight", "s-curve"])),
            life_years=draw(st.floats(0.5, 12.0)),
            tax_method=draw(st.sampled_from(["straight", "declining"])),
            residual_share=draw(st.floats(0.0, 0.4)),
        )
        for n in range(draw(st.integers(1, 2)))
    )
    line = Revenue(
        "rent",
        draw(st.floats(1e5, 2e7)),
        draw(st.floats(10.0, 500.0)),
        draw(SHARE),
        draw(SHARE),
        draw(SHARE),
        draw(st.floats(-0.1, 0.1)),
        draw(st.one_of(st.none(), st.integers(0, running))),
        draw(st.floats(0.0, 1e7)),
        draw(SHARE),
        prepaid_share=draw(st.sampled_from([0.0, 0.2])),
    )

    def loan(left):
        return Loan(
            draw(st.floats(0.0, 0.2)),
            draw(st.integers(1, left)),
            draw(st.sampled_from(["sculpted", "annuity", "equal", "bullet"])),
            draw(st.one_of(st.none(), st.floats(1.05, 2.0))),
            draw(st.one_of(st.none(), st.floats(0.1, 0.9))),
            draw(st.floats(1e5, 3e9)),
            draw(st.floats(0.0, 0.03)),
            draw(st.floats(0.0, 0.01)),
        )

    senior = loan(running)
    refinancing = None
    if refinanced and senior.tenor > 1 and draw(st.booleans()):
        after = draw(st.integers(1, senior.tenor - 1))
        refinancing = Refinancing(after, replace(loan(running - after), gearing=None))
    return Terms(
        Calendar(date(2026, 1, 1), step, building, running),
        parts,
        (line,),
        (Cost("costs", draw(st.floats(0, 1e8)), revenue_share=draw(st.floats(0, 0.6))),),
        (Upkeep("fix", draw(st.floats(0, 5e7)), life_years=draw(st.floats(0.5, 5))),),
        draw(st.floats(0, 0.2)),
        Inflation(*(draw(st.floats(0, 0.05)) for _ in range(4))),
        Tax(draw(st.floats(0, 0.4)), draw(st.floats(0.2, 1.0))),
        senior,
        draw(st.one_of(st.none(), st.just(loan(running)))),
        refinancing,
        draw(st.booleans()),
        draw(st.sampled_from([0.0, 3.0, 6.0, 12.0])),
        draw(st.booleans()),
        draw(st.sampled_from([0.0, 0.5])),
        draw(st.floats(0, 60)),
        draw(st.floats(0, 60)),
        Covenants(1.15, 1.0, 0.4),
    )


RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@RELAXED
@given(projects())
def test_the_books_tie_in_every_period(terms):
    model = solve(terms)
    scale = 1 + float(np.abs(model.operations.revenue_usd).sum() + model.metrics["total_uses_usd"])
    assert np.abs(model.statements.gap_usd).max() < 1e-11 * scale + CENT
    assert np.abs(model.statements.cash_gap_usd).max() < 1e-11 * scale + CENT


@RELAXED
@given(projects())
def test_sources_are_uses(terms):
    model = solve(terms)
    built = model.sizing.construction
    paid = built.equity_usd + sum(built.draws_usd)
    assert paid.sum() + model.operations.prepaid_usd[0] == pytest.approx(
        built.uses_usd.sum() + built.cash_usd[model.timing.first - 1], rel=1e-11, abs=CENT
    )
    assert (built.equity_usd > -CENT).all()
    assert sum(d.sum() for d in built.draws_usd) <= built.need_usd.sum() + CENT


@RELAXED
@given(projects(refinanced=False))
def test_schedules_end_at_exactly_zero_and_stay_within_their_limits(terms):
    model = solve(terms)
    for loan, made in ((terms.senior, model.sizing.senior), (terms.subordinated, model.sizing.subordinated)):
        if loan is None:
            continue
        assert made.balance_usd[..., -1] == 0.0
        assert made.principal_usd.sum() == pytest.approx(float(made.debt_usd.sum()), rel=1e-9, abs=CENT)
        assert float(made.debt_usd.sum()) <= loan.amount_usd
        if loan.gearing is not None:
            assert float(made.debt_usd.sum()) <= loan.gearing * model.metrics["total_uses_usd"] * (1 + 1e-9) + CENT


@RELAXED
@given(projects(refinanced=False), st.floats(1.05, 2.0))
def test_a_sculpted_debt_without_a_cap_is_covered_as_asked_in_every_period(terms, cover):
    loan = replace(terms.senior, repayment="sculpted", cover=cover, gearing=None, amount_usd=None)
    dear = tuple(replace(part, cost_usd=20 * part.cost_usd) for part in terms.capital)  # so that cover is what limits
    lean = tuple(replace(cost, usd_per_yr=0.0, usd_per_mw_yr=0.0, usd_per_mwh=0.0) for cost in terms.costs)
    upkeep = tuple(replace(one, usd_per_yr=0.0) for one in terms.upkeep)
    model = solve(replace(terms, senior=loan, subordinated=None, sweep=0.0, capital=dear, costs=lean, upkeep=upkeep))
    assume(model.binds == "cover" and float(model.metrics["debt_usd"]) > 1e4)
    assume(float(model.metrics["worst_arrears_usd"]) < CENT)
    made = model.waterfall
    window = slice(model.timing.first, model.timing.first + loan.tenor)
    due = made.senior_service_usd[..., window] > 1.0
    assert made.dscr[..., window][due] == pytest.approx(cover, rel=1e-5)


@RELAXED
@given(projects(refinanced=False), st.floats(1.0, 1.5))
def test_a_higher_price_never_lowers_debt_or_equity_return(terms, factor):
    """Debt by cover alone, up to all that is needed; equity without debt, and with the same debt.

    Without customers who pay late: tax is due on what is billed, so a higher price can cost a first quarter cash.
    """
    prompt = (replace(terms.revenue[0], prepaid_share=0.0),)
    terms = replace(terms, revenue=prompt, subordinated=None, tax=Tax(terms.tax.rate), receivable_days=0.0)
    free = replace(terms, senior=replace(terms.senior, cover=1.3, gearing=None, amount_usd=None))
    low, high = solve(free), solve(scaled(free, factor))
    more = float(high.metrics["debt_usd"]) >= float(low.metrics["debt_usd"]) * (1 - 1e-9) - CENT
    assert more or high.binds == "total need"
    bare = replace(terms, senior=None, sweep=0.0)
    before, after = (float(solve(one).metrics["equity_irr"]) for one in (bare, scaled(bare, factor)))
    if np.isfinite(before) and np.isfinite(after):
        assert after >= before - 1e-7
    fixed = replace(terms, senior=replace(terms.senior, cover=None, gearing=None), sweep=0.0, covenants=Covenants())
    first, second = (solve(one).metrics for one in (fixed, scaled(fixed, factor)))
    if np.isfinite(first["equity_irr"]) and np.isfinite(second["equity_irr"]) and first["equity_usd"] > 1e3:
        assert float(second["equity_irr"]) >= float(first["equity_irr"]) - 1e-6


@RELAXED
@given(projects())
def test_real_and_nominal_agree_without_inflation(terms):
    quiet = replace(terms, inflation=Inflation())
    zero = replace(terms, inflation=Inflation(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1)))
    one, two = solve(quiet), solve(zero)
    assert np.array_equal(
        one.waterfall.distribution_usd,
        np.broadcast_to(two.waterfall.distribution_usd, one.waterfall.distribution_usd.shape),
    )


@RELAXED
@given(projects())
def test_a_waterfall_pays_out_what_comes_in(terms):
    """Over the whole life: what comes in is what lenders, tax and equity get, and nothing is left in cash or reserve."""
    model = solve(terms)
    made, last = model.waterfall, -1
    assert made.cash_usd[..., last] == pytest.approx(0, abs=CENT)
    assert made.reserve_usd[..., last] == pytest.approx(0, abs=CENT)
    assert (made.distribution_usd >= 0).all() and (made.reserve_usd > -CENT).all() and (made.cash_usd > -CENT).all()
    if float(model.metrics["worst_arrears_usd"]) < CENT:
        assert abs(float(made.senior_balance_usd[..., last])) < CENT


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(projects(), st.integers(0, 2**31))
def test_draws_are_the_same_as_a_loop_over_them(terms, seed):
    draws = np.random.default_rng(seed)
    factor = draws.lognormal(0, 0.2, (4, 50, 1))

    def varied(f):
        line, loan = terms.revenue[0], terms.senior
        return replace(
            terms,
            revenue=(replace(line, price_usd_per_mw_yr=line.price_usd_per_mw_yr * f[0]),),
            capital=tuple(replace(p, cost_usd=p.cost_usd * f[1]) for p in terms.capital),
            senior=replace(loan, rate=loan.rate * f[2]),
            tax=replace(terms.tax, rate=np.minimum(terms.tax.rate * f[3], 0.9)),
        )

    together = solve(varied(factor))
    for k in range(50):
        alone = solve(varied(factor[:, k]))
        for name, value in alone.metrics.items():
            if name == "locked_periods" or "irr" in name or "yield" in name or "payback" in name:
                continue
            assert together.metrics[name][k] == pytest.approx(float(value), rel=1e-6, abs=1.0, nan_ok=True), name
        assert together.waterfall.cfads_usd[k] == pytest.approx(alone.waterfall.cfads_usd, rel=1e-9, abs=CENT)


@given(st.floats(1.0, 1e10), st.lists(st.floats(1.0, 1e10), min_size=1, max_size=40), st.sampled_from([1, 2, 4]))
def test_rates_of_return_as_numpy_financial(spent, earned, per_year):
    flows = np.array([-spent, *earned])
    expected = npf.irr(flows)
    assume(np.isfinite(expected) and -0.9 < expected < 20)
    assert float(rate_of_return(flows, per_year)) == pytest.approx((1 + expected) ** per_year - 1, rel=1e-6, abs=1e-8)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_payback_as_the_ledgers(flows):
    time = np.arange(len(flows), dtype=float)
    expected = payback_years(flows, time)
    assert float(payback(np.array(flows), time)) == pytest.approx(np.nan if expected is None else expected, nan_ok=True)


def test_no_return_where_there_is_none():
    assert np.isnan(rate_of_return(np.array([1.0, 2.0]), 1))
    assert np.isnan(rate_of_return(np.zeros(3), 1))
    assert rate_of_return(np.zeros((2, 3)), 1).shape == (2,)

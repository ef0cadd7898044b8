"""Returns and cover ratios, against another library and closed forms."""

from datetime import date, timedelta

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gigawatt.finance import (
    Flow,
    Schedule,
    annuity_usd,
    build_ledger,
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
    read_contract,
    sculpted_debt_usd,
    usd_per_mw_year,
    xirr,
)

START = date(2027, 1, 1)
MONEY = st.floats(1.0, 1e10)


@given(spent=MONEY, earned=st.lists(MONEY, min_size=2, max_size=24))
def test_irr_as_numpy_financial_and_zero_of_npv(spent: float, earned: list[float]) -> None:
    flows = np.array([-spent, *earned])
    expected = npf.irr(flows)
    assume(np.isfinite(expected) and -0.5 < expected < 2)
    found = irr(flows, periods_per_year=1)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert found is not None
    assert abs(npv_usd(flows, found, np.arange(len(flows)))) < 1e-6 * np.abs(flows).max()


@given(spent=MONEY, share=st.lists(st.floats(0.05, 1.0), min_size=2, max_size=8))
def test_xirr_on_regular_dates_is_irr(spent: float, share: list[float]) -> None:
    """365 days apart, so that a year is a year of 365 days."""
    flows = np.array([-spent, *(spent * np.array(share))])
    dates = [START + timedelta(days=365 * k) for k in range(len(flows))]
    plain = irr(flows, periods_per_year=1)
    assume(plain is not None and -0.9 < plain < 5)
    assert xirr(dates, flows) == pytest.approx(plain, abs=1e-7)


def test_no_rate_where_there_is_none() -> None:
    assert irr([1.0, 2.0]) is None
    assert xirr([START, START + timedelta(days=1)], [-1.0, -2.0]) is None


def test_quarters_compound_to_the_annual_rate() -> None:
    time = Schedule.quarterly(START, 8).time_years
    flows = np.zeros(9)
    flows[[0, 4]] = -100.0, 110.0
    assert irr(flows) == pytest.approx(0.10)
    assert float(npv_usd(flows, 0.10, time)) == pytest.approx(0.0, abs=1e-9)
    many = np.stack([flows, 2 * flows])
    assert npv_usd(many, 0.05, time)[1] == pytest.approx(2 * npv_usd(many, 0.05, time)[0])


def test_payback_moic_crossings() -> None:
    time = [0.0, 1.0, 2.0, 3.0]
    assert payback_years([-100, 40, 40, 40], time) == pytest.approx(2.5)
    assert payback_years([-100, 40, 40, 10], time) is None
    assert payback_years([5, 1, 1, 1], time) == 0.0
    assert payback_years([-10, 20, -30, 40], time) == pytest.approx(2.5)
    assert moic([-100, 40, 40, 40]) == pytest.approx(1.2)
    assert moic([1.0]) is None
    assert crossings([1, 1, -1, -1], time) == [(1.5, -1)]
    assert crossings([1.3, 1.1], [0.0, 1.0], level=1.2) == [(pytest.approx(0.5), -1)]


@given(debt=MONEY, rate=st.floats(0.0, 0.3), periods=st.integers(1, 40), cover=st.floats(1.0, 3.0))
def test_debt_sized_at_a_cover_has_that_cover(debt: float, rate: float, periods: int, cover: float) -> None:
    payment = annuity_usd(debt, rate, periods)
    cash = np.full(periods, payment * cover)
    time = np.arange(1, periods + 1)
    assert dscr(cash, np.full(periods, payment)).minimum == pytest.approx(cover)
    assert sculpted_debt_usd(cash, cover, rate, time) == pytest.approx(debt, rel=1e-6)
    assert llcr(cash, rate, debt, time) == pytest.approx(cover, rel=1e-6)
    assert dscr(cash, np.zeros(periods)).minimum is None


def _loop(letter_status: str = "definitive") -> tuple[Schedule, list[Flow], dict[str, object]]:
    schedule = Schedule.quarterly(START, 4, mw_active=100.0)
    flows = [
        Flow("operator", "vendor", "capex", np.array([35.0, 0, 0, 0, 0])),
        Flow("lab", "operator", "rent", schedule.column([10.0, 10, 10, 10])),
        Flow("operator", "utility", "energy", schedule.column([1.0, 1, 1, 1])),
        Flow("vendor", "bystander", "equity", np.array([50.0, 0, 0, 0, 0])),
    ]
    letter = {"id": "e", "kind": "equity", "pays": "vendor", "gets": "lab", "amount": "7 USD", "status": letter_status}
    return schedule, flows, letter


def test_own_funded_share_counts_customers_at_any_distance() -> None:
    """The lab pays the operator, who pays the vendor; the bystander pays nobody and does not count."""
    schedule, flows, letter = _loop()
    assert own_funded_share(build_ledger(flows, [read_contract(letter)], schedule), "vendor") == pytest.approx(7 / 35)
    letter["status"] = "intent"
    assert own_funded_share(build_ledger(flows, [read_contract(letter)], schedule), "vendor") == 0
    assert own_funded_share(build_ledger([], [], schedule), "vendor") is None


def test_ledger_columns() -> None:
    schedule, flows, _ = _loop()
    loan = {"id": "l", "kind": "term_loan", "pays": "lender", "gets": "operator", "amount": "8 USD", "rate": 0.0}
    ledger = build_ledger(flows, [read_contract(loan | {"term": 1})], schedule)
    np.testing.assert_allclose(cfads_usd(ledger, "operator"), [0, 9, 9, 9, 9])
    np.testing.assert_allclose(debt_service_usd(ledger, "operator"), [0, 2, 2, 2, 2])
    assert usd_per_mw_year(ledger, "operator", "rent") == pytest.approx(40 / 100)

"""Balance sheets tie, whatever happens; and a five-year project with debt, to the cent, against numbers by hand."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.finance import CHART, Flow, Residual, Schedule, build_ledger, build_statements, npv_usd, read_contracts

START = date(2027, 1, 1)
NAMES = ("operator", "lab", "vendor", "lender")
CASH = sorted(name for name, account in CHART.items() if account.cash)


@given(st.data())
def test_balance_sheets_tie(data: st.DataObject) -> None:
    schedule = Schedule.quarterly(START, 6)
    flows = []
    for _ in range(data.draw(st.integers(1, 10))):
        payer, payee = data.draw(st.permutations(NAMES))[:2]
        account = data.draw(st.sampled_from([*CASH, "capex:network", "residual:network"]))
        amounts = data.draw(st.lists(st.floats(0, 1e10), min_size=7, max_size=7))
        flows.append(Flow(payer, payee, account, np.array(amounts)))
    residual = Residual("operator", "capex:network", data.draw(st.floats(0, 1e10)))
    ledger = build_ledger(flows, [], schedule, residuals=[residual], opening_cash_usd={"operator": 5e9})
    books = build_statements(ledger, {"capex": data.draw(st.floats(0.25, 8.0))})
    for name in ledger.companies:
        assert books.gap_usd(name) < 1e-9 * 7e11 + 1e-3
        columns = books.columns[name]
        sections = columns["operating_usd"] + columns["investing_usd"] + columns["financing_usd"]
        cash = columns["cash_usd"]
        np.testing.assert_allclose(np.diff(cash, prepend=ledger.opening_cash_usd.get(name, 0.0)), sections, atol=1e-2)


def test_five_years_to_the_cent() -> None:
    """100 MW at 10 million USD a MW-year with a floor of 80 %, used at 70; 1 billion of plant, 60 % lent at 8 %.

    By hand (40 digits): payment 36,694,030.87517 a quarter, interest in all 133,880,617.50348, owed after a year
    498,220,884.79263; net present value to the owner at 10 % 1,751,725,456.06613.
    """
    schedule = Schedule.quarterly(START, 20, mw_active=70.0, mw_committed=100.0)
    capex = np.zeros(21)
    capex[0] = 1e9
    deals = read_contracts(
        [
            {
                "id": "offtake",
                "kind": "take_or_pay",
                "pays": "lab",
                "gets": "operator",
                "price": "10 million USD/MW/yr",
                "term": "5 yr",
                "floor": "80 %",
            },
            {
                "id": "loan",
                "kind": "term_loan",
                "pays": "lender",
                "gets": "operator",
                "share_of_capex": 0.6,
                "rate": "8 %",
                "term": "5 yr",
                "fee": "1 %",
            },
        ]
    )
    ledger = build_ledger(
        [
            Flow("operator", "vendor", "capex:rack", capex),
            Flow("operator", "utility", "energy", schedule.column(np.full(20, 20e6))),
            Flow("operator", "staff", "opex", schedule.column(np.full(20, 10e6))),
        ],
        deals,
        schedule,
        residuals=[Residual("operator", "capex:rack", 100e6)],
        opening_cash_usd={"operator": 406e6},
    )
    cent = 0.005
    books = build_statements(ledger, {"capex:rack": 5.0}).columns["operator"]
    assert books["cash_usd"][0] == pytest.approx(0.0, abs=cent)
    assert books["cash_usd"][1] == pytest.approx(170e6 - 36_694_030.87517, abs=cent)
    assert books["cash_usd"][20] == pytest.approx(20 * (170e6 - 36_694_030.87517) + 100e6, abs=cent)
    assert books["revenue_usd"][1] == pytest.approx(200e6, abs=cent)
    assert books["interest_usd"][1] == pytest.approx(-12e6, abs=cent)
    assert books["net_income_usd"][0] == pytest.approx(-6e6, abs=cent)
    assert books["net_income_usd"][1] == pytest.approx(108e6, abs=cent)
    assert books["net_income_usd"].sum() == pytest.approx(3400e6 - 1000e6 - 133_880_617.50348 - 6e6 + 100e6, abs=cent)
    assert books["fixed_assets_usd"][4] == pytest.approx(800e6, abs=cent)
    assert books["fixed_assets_usd"][20] == pytest.approx(0.0, abs=cent)
    assert books["disposal_gain_usd"][20] == pytest.approx(100e6, abs=cent)
    assert books["loans_owed_usd"][4] == pytest.approx(498_220_884.79263, abs=cent)
    assert books["loans_owed_usd"][20] == pytest.approx(0.0, abs=cent)
    equity = ledger.net_usd(["operator"])[0]
    assert float(npv_usd(equity, 0.10, schedule.time_years)) == pytest.approx(1_751_725_456.06613, abs=cent)
    # the lender's books mirror the loan
    lender = build_statements(ledger, {"capex": 5.0}).columns["lender"]
    np.testing.assert_allclose(lender["loans_made_usd"], books["loans_owed_usd"], atol=cent)
    assert lender["retained_usd"][20] == pytest.approx(133_880_617.50348 + 6e6, abs=cent)


def test_plant_sold_early_stops_wearing() -> None:
    schedule = Schedule.quarterly(START, 4)
    bought = Flow("operator", "vendor", "capex:gpu", np.array([80.0, 0, 0, 40.0, 0]))
    sold = Flow("other", "operator", "residual:gpu", np.array([0, 0, 50.0, 0, 0]))
    books = build_statements(build_ledger([bought, sold], [], schedule), {"capex": 1.0})
    mine = books.columns["operator"]
    # 80 wears 20 a quarter; after two quarters 40 is left and fetches 50; the 40 bought later wears on its own
    np.testing.assert_allclose(mine["fixed_assets_usd"], [80, 60, 0, 40, 30])
    np.testing.assert_allclose(mine["depreciation_usd"], [0, -20, -20, 0, -10])
    np.testing.assert_allclose(mine["disposal_gain_usd"], [0, 0, 10, 0, 0])
    assert books.gap_usd("operator") < 1e-9


def test_a_life_is_needed() -> None:
    schedule = Schedule.quarterly(START, 1)
    ledger = build_ledger([Flow("operator", "vendor", "capex:gpu", np.array([1.0, 0]))], [], schedule)
    with pytest.raises(InputError, match="capex:gpu"):
        build_statements(ledger, {"capex:network": 5.0})


def test_tables_have_a_row_a_company_and_period() -> None:
    schedule = Schedule.quarterly(START, 3)
    ledger = build_ledger([Flow("lab", "operator", "rent", np.ones(4))], [], schedule)
    books = build_statements(ledger, {})
    assert len(books.income()) == len(books.cash_flow()) == len(books.balance()) == 2 * 4
    assert books.balance().header("cash_usd") == "cash usd [USD]"

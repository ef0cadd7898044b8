"""Back-tests with other inputs than the packaged ones, against arithmetic done another way.

Oracles: numpy-financial for returns and annuities, networkx and plain linear algebra for networks, NumPy for fits, hand
formulas for the rest. None knows how the engine computes the same number.
"""

import csv
from datetime import date
from importlib import resources

import networkx as nx
import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from gigawatt.core.errors import InputError
from gigawatt.study import backtests
from gigawatt.study.backtests import run

FEW = settings(max_examples=15, deadline=None)


def table() -> dict[str, np.ndarray]:
    file = resources.files("gigawatt.catalog") / "data" / "quarters" / "nvidia.csv"
    rows = list(csv.DictReader(line for line in file.read_text().splitlines() if not line.startswith("#")))
    names = np.array([row["fiscal_quarter"] for row in rows])
    out = {"name": names}
    for key in ("revenue_usd_m", "guide_usd_m", "data_centre_usd_m", "gross_margin_pct"):
        out[key] = np.array([float(row[key] or "nan") for row in rows])
    return out


# -- contracts ----------------------------------------------------------------------------------------------------------


@FEW
@given(
    st.integers(2, 12), st.floats(50, 900), st.floats(0.5, 9), st.floats(0.3, 0.95),
    st.lists(st.integers(20, 70), min_size=3, max_size=5, unique=True),
)  # fmt: skip
def test_returns_of_a_rental_as_numpy_financial(years, value_b, gw, margin, capex):
    out = run(
        "bt18",
        [
            f"inputs.term={years} yr",
            f"inputs.contract_value={value_b} billion USD",
            f"inputs.power={gw} GW",
            f"inputs.site_margin={margin}",
            "inputs.capex=[" + ", ".join(f"{c} billion USD/GW" for c in capex) + "]",
        ],
    )
    assert out["rent_usd_b_per_yr"] == pytest.approx(value_b / years)
    assert out["usd_m_per_mw_yr"] == pytest.approx(value_b * 1e3 / years / (gw * 1e3))
    for cost in capex:
        flows = [-cost * gw] + [value_b / years * margin] * years
        expected = 100 * npf.irr(flows)
        got = out[f"irr_capex_{cost}"]
        if np.isfinite(expected) and expected > -50:
            assert got == pytest.approx(expected, abs=1e-4)
    assert out["irr_capex_low"] == pytest.approx(out[f"irr_capex_{min(capex)}"], nan_ok=True)
    assert out["irr_capex_high"] == pytest.approx(out[f"irr_capex_{max(capex)}"], nan_ok=True)


def test_a_part_of_a_year_is_paid_at_its_end():
    out = run("bt18", ["inputs.term=4.5 yr", "inputs.capex=[50 billion USD/GW]"])
    rent = 300 / 4.5 * 0.85
    expected = 100 * npf.irr([-225, rent, rent, rent, rent, rent / 2])
    assert out["irr_capex_50"] == pytest.approx(expected, abs=1e-4)
    assert "irr_capex_low" not in out  # one cost has no order
    with pytest.raises(InputError, match="no whole number of quarters"):
        run("bt18", ["inputs.term=4.6 yr"])
    with pytest.raises(InputError, match="above zero"):
        run("bt18", ["inputs.power=0 MW"])


@FEW
@given(
    st.integers(2, 10), st.floats(0.1, 0.4), st.floats(0.0, 0.3), st.floats(0.1, 0.9), st.floats(0.01, 0.2),
    st.floats(0.6, 0.95),
)  # fmt: skip
def test_prepayment_and_cover_as_numpy_financial(years, price, prepaid, debt_share, rate, margin):
    capex = 5.0
    value = price * years * capex * 1.6
    out = run(
        "bt20",
        [
            f"inputs.term={years} yr",
            f"inputs.contract_value={value} billion USD",
            f"inputs.prepaid_share={prepaid}",
            f"inputs.loan_to_cost={debt_share}",
            f"inputs.rate={rate}",
            f"inputs.site_margin={margin}",
            f"inputs.capex={capex} billion USD",
            "inputs.power=150 MW",
        ],
    )
    cash = value / years * margin
    assert out["usd_m_per_mw_yr"] == pytest.approx(value * 1e3 / years / 150)
    plain = npf.irr([-capex] + [cash] * years)
    ahead = npf.irr([-capex + prepaid * value] + [cash - prepaid * value / years] * years)
    for name, expected in (("irr", plain), ("irr_with_prepayment", ahead)):
        if np.isfinite(expected) and -0.5 < expected < 5:
            assert out[name] == pytest.approx(100 * expected, abs=1e-3)
    service = -npf.pmt(rate, years, debt_share * capex)
    assert out["dscr_level_annuity"] == pytest.approx(cash / service)
    quarterly = -npf.pmt(rate / 4, 4 * years, debt_share * capex)
    assert out["dscr_quarterly_loan"] == pytest.approx(cash / 4 / quarterly)
    equity = npf.irr([-(1 - debt_share) * capex] + [cash - service] * years)
    if np.isfinite(equity) and -0.5 < equity < 2:
        assert out["irr_to_equity"] == pytest.approx(100 * equity, abs=1e-3)


def test_backlog_warrant_stake_and_price_by_hand():
    out = run("bt19", ["inputs.remaining_obligations=500 billion USD", "inputs.next_twelve_months_share=20 %"])
    assert out == {"next_12m_usd_b": pytest.approx(100), "growth_floor": pytest.approx(100 * (100 / 71.776 - 1))}
    out = run("bt22", ["inputs.shares=100e6", "inputs.top_price=450 USD", "inputs.strike=50 USD"])
    assert out["warrant_gross_usd_b"] == pytest.approx(45)
    assert out["warrant_net_of_strike_usd_b"] == pytest.approx(40)
    assert out["exceeds_gross_sales"] == 0
    assert run("bt22", ["inputs.gross_sales=95.9 billion USD"])["exceeds_gross_sales"] == 1
    out = run("bt23", ["inputs.shares=1e8", "inputs.price_paid=20 USD", "inputs.price_later=35.29 USD"])
    assert out == {"cost_usd_b": pytest.approx(2.0), "value_usd_b": pytest.approx(3.529)}
    out = run("bt21", ["inputs.quarter_revenue=3 billion USD", "inputs.active_power=1.2 GW"])
    assert out["usd_m_per_mw_yr"] == pytest.approx(3e3 * 4 / 1200)


def test_more_companies_keep_their_names():
    more = [
        "inputs.companies=[a, b, c, d, e, f]",
        "inputs.capex=[" + ", ".join(f"{v} billion USD" for v in (10, 20, 30, 40, 50, 60)) + "]",
        "inputs.internal_cash=[" + ", ".join(f"{v} billion USD" for v in (12, 18, 33, 20, 50, -6)) + "]",
        "inputs.group=[a, b, c, d, e]",
        "inputs.company=f",
    ]
    out = run("bt28", more)
    assert out["self_funding_big5"] == out["self_funding_group"] == pytest.approx(133 / 150)
    assert out["self_funding_f"] == out["self_funding_company"] == pytest.approx(-0.1)
    assert out["gap_f_usd_b"] == out["gap_usd_b"] == pytest.approx(66)
    with pytest.raises(InputError, match="did you mean 'oracle'"):
        run("bt28", ["inputs.company=oracel"])
    with pytest.raises(InputError, match="one a company is needed"):
        run("bt28", ["inputs.capex=[1 billion USD]"])


# -- per gigawatt -------------------------------------------------------------------------------------------------------


@FEW
@given(st.floats(1, 90), st.floats(1, 90), st.floats(0.1, 50))
def test_sales_and_capital_by_the_gigawatt(a, b, gw):
    change = f"[{a} billion USD/GW, {b} billion USD/GW]"
    out = run("bt01", [f"inputs.vendor_part={change}", f"inputs.power={gw} GW"])
    assert out["vendor_sale_low_usd_b"] == pytest.approx(min(a, b) * gw)
    assert out["vendor_sale_high_usd_b"] == pytest.approx(max(a, b) * gw)
    out = run("bt24", [f"inputs.capex={change}", f"inputs.power_per_year={gw} GW", "inputs.racks_per_gigawatt=4000"])
    assert out["usd_t_per_yr_low"] == pytest.approx(min(a, b) * gw / 1e3)
    assert out["racks_per_yr"] == pytest.approx(4000 * gw)
    assert out["gpus_per_yr_m"] == pytest.approx(4000 * gw * 72 / 1e6)
    assert out["multiple_of_2025_rack_rate"] == pytest.approx(4000 * gw / 52_000)
    out = run("bt04", [f"inputs.capex={change}", "inputs.per=2 GW", "inputs.amount=7 billion USD"])
    assert out["tranche_share_of_capex_high"] == pytest.approx(7 / (2 * min(a, b)))


def test_racks_of_another_gigawatt():
    out = run("bt02", ["inputs.cost=40 billion USD/GW", "inputs.rack_price=8 million USD", "inputs.chips_per_rack=144",
                       "inputs.chip_share=45 %", "inputs.network_share=10 %", "inputs.cpu_share=0"])  # fmt: skip
    assert out["racks_per_gw"] == pytest.approx(5000)
    assert out["rack_power_kw"] == pytest.approx(200)
    assert out["gpus_per_gw"] == pytest.approx(720_000)
    assert out["vendor_content_usd_b"] == pytest.approx(22) and out["gpu_usd_b"] == pytest.approx(18)
    assert out["vendor_gross_profit_usd_b"] == pytest.approx(11.6)


def test_tranches_wait_for_whole_steps():
    steps = "inputs.built_by_quarter=[0.3 GW, 1.1 GW, 1.9 GW, 2.5 GW, 3.0 GW]"
    assert run("bt04", [steps])["cash_paid_usd_b"] == pytest.approx(30)
    assert run("bt04", [steps, "inputs.per=2 GW"])["cash_paid_usd_b"] == pytest.approx(10)
    assert run("bt04", [steps])["cash_before_first_gw_usd_b"] == 0


def test_another_claim_is_tested_too():
    out = run("bt03", ["inputs.claimed=20 billion USD/GW"])
    assert out["rejects_20_per_gw"] == out["rejects_claim"] == 0
    assert run("bt03", ["inputs.claimed=20 billion USD/GW", "inputs.tolerance=3 %"])["rejects_claim"] == 1
    values = table()
    half = values["data_centre_usd_m"][np.isin(values["name"], ["FY2027Q1", "FY2027Q2"])].sum() / 1e3
    out = run("bt03", ["inputs.first_quarter=FY2027Q1", "inputs.last_quarter=FY2027Q2", "inputs.power_shipped=8 GW"])
    assert out["dc_revenue_per_gw_usd_b"] == pytest.approx(half / 8)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("bt01", ["inputs.vendor_part.boundary=facility, all-in, buyer cost, quoted"], r"side 'vendor sale'.*'buyer cost'"),
        ("bt01", ["inputs.power.boundary=it"], r"power differs: .* counts 'facility', not 'it'"),
        ("bt02", ["inputs.rack_price.boundary=facility, servers, buyer cost, quoted"], "scope differs: all-in against chips"),
        ("bt02", ["inputs.rack_price.boundary=facility, all-in, buyer cost, list"], "price differs: quoted against list"),
        ("bt03", ["inputs.claimed.boundary=facility, all-in, buyer cost, quoted"], "scope differs"),
        ("bt03", ["inputs.claimed.boundary=facility, all-in, buyer cost, quoted"], "side differs"),
        ("bt03", ["inputs.power_shipped.boundary=it"], "power differs"),
        ("bt04", ["inputs.capex.boundary=facility, systems, vendor sale, quoted"], "side 'buyer cost'"),
        ("bt04", ["inputs.vendor_part={value: 30 USD/W, boundary: 'it, systems, vendor sale, quoted'}"], "power differs"),
        ("bt04", ["inputs.built_by_quarter.boundary=it"], "power differs"),
        ("bt24", ["inputs.capex.boundary=it, all-in, buyer cost, quoted"], "power differs"),
        ("bt24", ["inputs.capex.boundary=facility, all-in, buyer cots, quoted"], "did you mean 'buyer cost'"),
        ("bt24", ["inputs.power_per_year.boundary=facilty"], "did you mean 'facility'"),
    ],
)  # fmt: skip
def test_another_boundary_is_an_error_that_says_which(name, changes, said):
    with pytest.raises(InputError, match=said):
        run(name, changes)


def test_a_stated_pue_brings_the_powers_together():
    it = "boundary: 'it, all-in, buyer cost, quoted'"
    out = run("bt24", [f"inputs.capex={{value: [38 billion USD/GW], {it}}}", "inputs.pue=1.25"])
    assert out["usd_t_per_yr_low"] == pytest.approx(38 / 1.25 * 52 / 1e3)
    out = run("bt01", ["inputs.power.boundary=it", "inputs.pue=1.2"])
    assert out["vendor_sale_high_usd_b"] == pytest.approx(350 * 1.2)
    out = run(
        "bt18",
        ["inputs.capex.boundary=it, all-in, buyer cost, quoted", "inputs.power.boundary=facility", "inputs.pue=1.2"],
    )
    assert out["irr_capex_60"] == pytest.approx(run("bt18", ["inputs.capex.2=50 billion USD/GW"])["irr_capex_50"])
    with pytest.raises(InputError, match="at least 1"):
        run("bt24", [f"inputs.capex={{value: [38 billion USD/GW], {it}}}", "inputs.pue=0.9"])


def test_cash_by_a_day_inside_a_quarter():
    later = ["inputs.contracts.shares.on=2026-05-10", "inputs.contracts.shares.amount=12 billion USD"]
    assert run("bt05", [*later, "inputs.by=2026-05-09"])["cash_usd_b"] == 0
    assert run("bt05", [*later, "inputs.by=2026-05-10"])["cash_usd_b"] == 12
    assert run("bt05", ["inputs.by=2026-03-30"])["cash_usd_b"] == 0
    assert run("bt05", ["inputs.by=2026-03-31"])["cash_usd_b"] == 30
    kept = ["inputs.contracts.0.events.0.status=definitive", "inputs.contracts.0.events.1.status=effective"]
    assert run("bt05", [*kept, "inputs.built=3 GW"])["cash_usd_b"] == 60
    assert f"cash_vendor_to_lab_by_{date(2026, 7, 1):%Y_%m_%d}_usd_b" in run("bt05")


# -- forecasts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "steps"), [("FY2024Q1", "FY2026Q1", 2), ("FY2025Q1", "FY2026Q3", 1), ("FY2023Q4", "FY2025Q4", 3)]
)
def test_lines_as_numpy(first, last, steps):
    values = table()
    a, b = (int(np.flatnonzero(values["name"] == q)[0]) for q in (first, last))
    y = values["data_centre_usd_m"] / 1e3
    t = np.arange(b - a + 1)
    slope, start = np.polyfit(t, y[a : b + 1], 1)
    out = run("bt07", [f"inputs.first_quarter={first}", f"inputs.last_quarter={last}", f"inputs.steps={steps}"])
    assert out["slope_usd_b_per_q"] == pytest.approx(slope)
    assert out["forecast_usd_b"] == pytest.approx(start + slope * (b - a + steps))
    assert out["error"] == pytest.approx((start + slope * (b - a + steps)) / y[b + steps] - 1)
    assert out["r2"] == pytest.approx(np.corrcoef(t, y[a : b + 1])[0, 1] ** 2)


@pytest.mark.parametrize(
    ("first", "last", "k"), [("FY2025Q3", "FY2027Q1", 4), ("FY2025Q1", "FY2027Q2", 6), ("FY2024Q4", "FY2026Q2", 2)]
)
def test_guides_as_numpy(first, last, k):
    values = table()
    a, b = (int(np.flatnonzero(values["name"] == q)[0]) for q in (first, last))
    y, g = values["revenue_usd_m"], values["guide_usd_m"]
    at = range(a, b + 1)
    beat = [g[q] + (y[q - k : q] - g[q - k : q]).mean() for q in at]
    ratio = [g[q] * (y[q - k : q] / g[q - k : q]).mean() for q in at]
    out = run("bt09", [f"inputs.first_quarter={first}", f"inputs.last_quarter={last}", f"inputs.quarters={k}"])
    for name, made in (
        (f"guide_plus_mean{k}_beat", beat),
        (f"guide_times_mean{k}_ratio", ratio),
        ("guide", g[a : b + 1]),
    ):
        assert out[f"mape_{name}"] == pytest.approx(100 * np.mean(np.abs(np.array(made) / y[a : b + 1] - 1)))
    assert out["mape_guide_plus_mean_beat"] == out[f"mape_guide_plus_mean{k}_beat"]
    live = run("bt10", [f"inputs.quarter={last}", f"inputs.quarters={k}"])
    d = values["data_centre_usd_m"]
    assert live["total_additive_usd_b"] == pytest.approx(beat[-1] / 1e3)
    assert live["total_multiplicative_usd_b"] == pytest.approx(ratio[-1] / 1e3)
    assert live["dc_last_increment_usd_b"] == pytest.approx((2 * d[b - 1] - d[b - 2]) / 1e3)
    assert live["dc_last_growth_usd_b"] == pytest.approx(d[b - 1] ** 2 / d[b - 2] / 1e3)


@pytest.mark.parametrize("points", [3, 4, 6])
def test_trends_of_another_length_as_numpy(points):
    values = table()
    a, b = (int(np.flatnonzero(values["name"] == q)[0]) for q in ("FY2025Q2", "FY2027Q1"))
    y = values["data_centre_usd_m"]

    def ahead(known: np.ndarray) -> float:
        slope, start = np.polyfit(np.arange(points), known[-points:], 1)
        return float(start + slope * points)

    line = np.array([ahead(y[:q]) for q in range(a, b + 1)])
    curve = np.array([np.exp(ahead(np.log(y[:q]))) for q in range(a, b + 1)])
    out = run("bt08", ["inputs.first_quarter=FY2025Q2", "inputs.last_quarter=FY2027Q1", f"inputs.points={points}"])
    assert out[f"mape_ols{points}"] == pytest.approx(100 * np.mean(np.abs(line / y[a : b + 1] - 1)))
    assert out[f"mape_loglinear{points}"] == pytest.approx(100 * np.mean(np.abs(curve / y[a : b + 1] - 1)))
    assert out["mape_ols"] == out[f"mape_ols{points}"]
    assert out["mape_last_value"] == pytest.approx(100 * np.mean(np.abs(y[a - 1 : b] / y[a : b + 1] - 1)))


def test_growth_and_the_side_that_bound_by_hand():
    values = table()
    y = values["data_centre_usd_m"]
    out = run("bt11", ["inputs.first_quarter=FY2025Q2", "inputs.last_quarter=FY2025Q4"])
    at = int(np.flatnonzero(values["name"] == "FY2025Q2")[0])
    assert out["qoq_fy25q2"] == out["qoq_first"] == pytest.approx(100 * (y[at] / y[at - 1] - 1))
    assert out["qoq_fy25q4"] == out["qoq_last"] == pytest.approx(100 * (y[at + 2] / y[at + 1] - 1))
    at = int(np.flatnonzero(values["name"] == "FY2024Q2")[0])
    out = run("bt12", ["inputs.quarter=FY2024Q2", "inputs.margin_quarters=3"])
    assert out["revenue_to_guide"] == pytest.approx(100 * (values["revenue_usd_m"][at] / values["guide_usd_m"][at] - 1))
    assert out["margin_drop"] == pytest.approx(
        (values["gross_margin_pct"][at - 3 : at].mean() - values["gross_margin_pct"][at]) / 100
    )
    assert out["supply_binds"] == 1
    # the margin fell, but not by so much
    assert run("bt12", ["inputs.margin_drop=30 %"])["supply_binds"] == 1


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("bt08", ["inputs.first_quarter=FY2022Q2"], "not known for 4 quarters before FY2022Q2"),
        ("bt08", ["inputs.last_quarter=FY2027Q3"], "not known from"),
        ("bt09", ["inputs.first_quarter=FY2022Q4"], "guide is not known for 4 quarters before"),
        ("bt10", ["inputs.quarter=FY2027Q9"], "did you mean 'FY2027Q"),
        ("bt06", ["inputs.steps=0"], "at least 1"),
        ("bt06", ["inputs.steps=1.5"], "whole number"),
        ("bt06", ["inputs.first_quarter=FY2026Q1"], "needs three quarters"),
        ("bt12", ["inputs.quarter=FY2022Q1"], "not known for 5 quarters"),
        ("bt11", ["inputs.series=datacentre"], "did you mean 'data_centre'"),
    ],
)  # fmt: skip
def test_windows_that_the_table_does_not_hold(name, changes, said):
    with pytest.raises(InputError, match=said):
        run(name, changes)


# -- a site -------------------------------------------------------------------------------------------------------------


@FEW
@given(st.floats(10, 2000), st.floats(0.5, 5), st.floats(0, 1), st.floats(0.05, 5), st.floats(0.7, 3))
def test_a_day_of_serving_by_hand(nodes, rent, cached, price, kw):
    out = run(
        "bt14",
        [
            f"inputs.nodes={nodes}",
            f"inputs.chip_rent={rent} USD/h",
            f"inputs.cached_input={608e9 * cached} tokens",
            f"inputs.output_price={price} USD/Mtok",
            f"inputs.power_per_chip={kw} kW",
        ],
    )
    cost = nodes * 8 * rent * 24
    revenue = (608e9 * cached * 0.14 + 608e9 * (1 - cached) * 0.55 + 168e9 * price) / 1e6
    mw = nodes * 8 * kw / 1e3
    assert out["cost_usd_per_day"] == pytest.approx(cost) and out["revenue_usd_per_day"] == pytest.approx(revenue)
    assert out["margin_on_cost"] == pytest.approx(100 * (revenue / cost - 1))
    assert out["mw"] == pytest.approx(mw)
    assert out["cost_usd_m_per_mw_yr"] == pytest.approx(cost * 365 / mw / 1e6)
    assert out["list_revenue_usd_m_per_mw_yr"] == pytest.approx(revenue * 365 / mw / 1e6)
    assert out["output_tok_s_per_mw"] == pytest.approx(168e9 / 86_400 / mw)


def test_lives_energy_and_two_racks_by_hand():
    out = run("bt15", ["inputs.lives=[4, 6]", "inputs.capital=30 billion USD", "inputs.running_cost=2 billion USD/yr"])
    assert out["tco_usd_b_per_yr_life_4"] == out["tco_usd_b_per_yr_life_low"] == pytest.approx(9.5)
    assert out["tco_usd_b_per_yr_life_6"] == out["tco_usd_b_per_yr_life_high"] == pytest.approx(7.0)
    # with interest the charge is an annuity by quarters at the same effective rate
    out = run("bt15", ["inputs.lives=[5]", "inputs.rate=10 %", "inputs.running_cost=0 USD/yr"])
    level = -4 * npf.pmt(1.1**0.25 - 1, 20, 26.25)
    assert out["tco_usd_b_per_yr_life_5"] == pytest.approx(level)
    out = run(
        "bt16", ["inputs.power=300 MW", "inputs.load_factor_times_pue=0.9", "inputs.energy_cost=200 million USD/yr"]
    )
    assert out["energy_usd_per_kwh"] == pytest.approx(200e6 / (300e3 * 0.9 * 8760))
    out = run(
        "bt25",
        [
            "inputs.lean_power=120 kW",
            "inputs.heavy_work=400 PFLOP/s",
            "inputs.energy_price=80 USD/MWh",
            "inputs.years=4 yr",
        ],
    )
    lean, heavy = 120 / 180, 559 / 400
    assert out["work_per_mw_ratio"] == pytest.approx(heavy / lean)
    assert out["energy_penalty_usd_per_pf_yr"] == pytest.approx((heavy - lean) * 8760 * 0.08)
    assert out["penalty_share_of_capex"] == pytest.approx(100 * (heavy - lean) * 8760 * 0.08 * 4 / (3.2e6 / 180))
    # The shell of the watts between them, its straight line: more than their energy at 11.3 M USD a MW, less at 4 M.
    shell = (heavy - lean) * 11.3e6 / 1e3 / 15
    assert out["shell_penalty_usd_per_pf_yr"] == pytest.approx(shell)
    with_shell = ((heavy - lean) * 8760 * 0.08 + shell) * 4 / (3.2e6 / 180)
    assert out["penalty_with_shell_share_of_capex"] == pytest.approx(100 * with_shell)
    for rack, dear, cheap in (("3.2", 35.4, 21.0), ("3.0", 37.8, 22.4)):
        at = f"inputs.lean_rack_price={rack} million USD"
        assert run("bt25", [at])["penalty_with_shell_share_of_capex"] == pytest.approx(dear, abs=0.1)
        low = run("bt25", [at, "inputs.shell_price=4 million USD/MW"])
        assert low["penalty_with_shell_share_of_capex"] == pytest.approx(cheap, abs=0.1)
    with pytest.raises(InputError, match="can not exceed"):
        run("bt13", ["inputs.cached_input=700e9 tokens"])


# -- networks -----------------------------------------------------------------------------------------------------------


@FEW
@given(st.integers(2, 7), st.integers(0, 10_000))
def test_clearing_of_other_networks_as_a_linear_programme(n, seed):
    rng = np.random.default_rng(seed)
    owed = rng.uniform(0.1, 1.0, (n, n)).round(3) * (1 - np.eye(n))
    assets, outside = rng.uniform(0, 1.5, n).round(3), rng.uniform(0.1, 1.0, n).round(3)
    changes = [
        f"inputs.liabilities={owed.tolist()}",
        f"inputs.outside_assets={assets.tolist()}",
        f"inputs.outside_liabilities={outside.tolist()}",
    ]
    out = run("bt26", changes)
    whole = owed.sum(axis=1) + outside
    share = owed / whole[:, None]
    best = linprog(-np.ones(n), A_ub=np.eye(n) - share.T, b_ub=assets, bounds=[(0, top) for top in whole])
    paid = [out[f"eisenberg_noe_p{k}"] for k in range(1, n + 1)]
    np.testing.assert_allclose(paid, best.x, atol=1e-7)
    costly = [out[f"rogers_veraart_p{k}"] for k in range(1, n + 1)]
    assert all(a <= b + 1e-9 for a, b in zip(costly, paid, strict=True))
    same = run("bt26", [*changes, "inputs.alpha=1", "inputs.beta=1"])
    np.testing.assert_allclose([same[f"rogers_veraart_p{k}"] for k in range(1, n + 1)], paid, atol=1e-9)


@FEW
@given(st.integers(3, 7), st.integers(0, 10_000))
def test_cycling_of_other_networks_as_visits_of_a_walk(n, seed):
    """Finn's index from expected visits of an absorbing walk, summed over its powers; links by networkx."""
    rng = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(n, 0.5, seed=seed, directed=True)
    names = [f"firm{k}" for k in range(n)]
    flows = np.zeros((n, n))
    for a, b in graph.edges:
        flows[a, b] = round(rng.uniform(1, 20), 3)
    if not flows.any():
        return
    inflow = np.maximum(flows.sum(axis=1) - flows.sum(axis=0), 0) + rng.uniform(1, 5, n).round(3)
    a, b = (int(k) for k in np.argwhere(flows)[0])
    rows = [f"{{payer: firm{i}, payee: firm{j}, amount: {float(flows[i, j])!r} billion USD}}" for i, j in graph.edges]
    entering = [f"{{payee: firm{k}, amount: {float(inflow[k])!r} billion USD}}" for k in range(n)]
    out = run(
        "bt27",
        [
            f"inputs.companies=[{', '.join(names)}]",
            f"inputs.payments=[{', '.join(rows)}]",
            f"inputs.outside_inflows=[{', '.join(entering)}]",
            f"inputs.payer=firm{a}",
            f"inputs.payee=firm{b}",
        ],
    )
    through = inflow + flows.sum(axis=0)
    step = flows / through[:, None]
    visits, power = np.eye(n), np.eye(n)
    for _ in range(4000):
        power = power @ step
        visits += power
    again = np.diag(visits)
    assert out["finn_index"] == pytest.approx(through @ ((again - 1) / again) / through.sum(), abs=1e-6)
    assert out["returned_usd_b"] == pytest.approx(flows[a, b] * visits[b, a] / again[a], abs=1e-5)
    if nx.is_directed_acyclic_graph(graph):
        assert out["finn_index"] == pytest.approx(0, abs=1e-12)


def test_wrong_rows_of_a_network_are_told():
    with pytest.raises(InputError, match="no 'amuont'"):
        run("bt27", ["inputs.payments.0={payer: vendor, payee: lab, amuont: 1 USD}"])
    with pytest.raises(InputError, match="did you mean 'cloud'"):
        run("bt27", ["inputs.payments.0.payee=clod"])
    with pytest.raises(InputError, match="below zero"):
        run("bt27", ["inputs.payments.0.amount=-5 USD"])
    with pytest.raises(InputError, match="square table"):
        run("bt26", ["inputs.liabilities=[[0, 1], [1, 0, 2]]"])
    with pytest.raises(InputError, match="3 firms need"):
        run("bt26", ["inputs.outside_liabilities=[0, 1]"])


# -- the door -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", backtests.cases())
def test_every_input_can_be_set_and_says_where_it_came_from(name):
    case = backtests.load(name)
    for key, dimension in case.evaluator.inputs.items():
        if key in case.inputs and dimension not in ("data",):
            value = case.inputs.data(key)
            unit = case.inputs.given[key].unit
            one = (
                (lambda v, u=unit: f"{v!r} {u}".strip())
                if not isinstance(value, list) or dimension[-2:] != "[]"
                else None
            )
            text = one(value) if one else None
            if isinstance(value, list) and dimension.count("[]") == 1:
                text = "[" + ", ".join(f"{v!r} {unit}".strip() if not isinstance(v, str) else v for v in value) + "]"
            if isinstance(value, (str, date)):
                text = str(value)
            if text is None:
                continue
            again = backtests.load(name, [f"inputs.{key}={text}"])
            assert again.inputs.data(key) == value or again.inputs.number(key) == pytest.approx(value)
            assert again.inputs.given[key].source == f"--set inputs.{key}"
            assert again.inputs.given[key].boundary == case.inputs.given[key].boundary


@pytest.mark.parametrize("name", backtests.cases())
def test_every_number_has_a_source_or_is_called_assumed(name):
    case = backtests.load(name)
    for key, one in case.inputs.given.items():
        if one.unit or case.evaluator.inputs[key] in ("share", "years", "share[]"):
            assert one.source or one.kind == "assumed", (name, key)
    assert len(case.inputs_table()) == len(case.inputs.given)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("inputs.capexx=1", "did you mean 'capex'"),
        ("inputs.capex.3=40 billion USD/GW", "there is no '3'"),
        ("inputs.capex.0=40 MW", "not a power price"),
        ("inputs.capex=[40 billion USD/GW, fifty]", "'fifty' is not a quantity"),
        ("inputs.capex.bondary=x", "there is no 'bondary'"),
        ("inputs.capex={value: 1 USD/W, sorce: x}", "did you mean 'source'"),
        ("class=history", "what can be set: inputs.NAME"),
        ("term=6 yr", "did you mean 'inputs.term'"),
        ("inputs.term=[5 yr]", "expected one value"),
        ("inputs.capex.kind=guess", "kind of source 'guess'"),
    ],
)
def test_wrong_overrides_are_told(change, said):
    with pytest.raises(InputError, match=said):
        backtests.load("bt18", [change])


def test_what_is_assumed_is_not_the_sources():
    case = backtests.load("bt18")
    margin, value = (case.inputs.given[name] for name in ("site_margin", "contract_value"))
    assert (margin.kind, margin.source) == ("assumed", "") and value.kind == "quoted" and value.source
    with pytest.raises(InputError, match=r"--set inputs.capex.boundary=.*says no scope") as caught:
        backtests.load("bt18", ["inputs.capex.boundary=vendor sale"])
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("bt04", "inputs.capex=[0 USD/W]", "zero: .*inputs.capex"),
        ("bt02", "inputs.cost=0 USD/W", "zero: inputs.cost"),
        ("bt02", "inputs.rack_price=0 USD", "is zero"),
        ("bt28", "inputs.capex.4=0 USD", "zero: inputs.capex"),
        ("bt17", "inputs.measured.0.tokens_per_s=0", "zero"),
        ("bt05", "inputs.contracts=5", "expected a list of mappings"),
        ("bt27", "inputs.payments=[1, 2]", "expected a list of mappings"),
    ],
)
def test_zeros_and_rows_of_another_form_are_told(name, change, said):
    with pytest.raises(InputError, match=said):
        run(name, [change])


def test_all_wrong_overrides_are_told_at_once():
    with pytest.raises(InputError) as caught:
        backtests.load("bt18", ["inputs.trem=6 yr", "inputs.powr=1 GW", "inputs.term=six"])
    assert len(caught.value.problems) == 3
    assert all(p.where and p.where.file.startswith("--set") for p in caught.value.problems)

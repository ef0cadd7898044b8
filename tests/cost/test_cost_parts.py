"""Annuities against another library, capital by part, running costs."""

from __future__ import annotations

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError
from gigawatt.economics.cost import (
    RunningCosts,
    annuity_factor,
    capex_table,
    capital_charge,
    catalog_prices,
    crf,
    price_parts,
    quarterly_crf,
    quarterly_rate,
    rack_capex,
    rack_opex,
    shell_usd,
)


@given(st.floats(1e-6, 0.5), st.integers(1, 40))
def test_annuities_equal_another_library(rate: float, years: int) -> None:
    assert float(crf(rate, years)) == pytest.approx(-npf.pmt(rate, years, 1.0), rel=1e-7)
    quarter = (1 + rate) ** 0.25 - 1
    assert float(quarterly_crf(rate, years)) == pytest.approx(-npf.pmt(quarter, 4 * years, 1.0), rel=1e-6)


@given(st.floats(0, 0.5), st.floats(0.5, 40), st.floats(0, 0.9))
def test_a_charge_repays_its_capital(rate: float, years: float, residual: float) -> None:
    periods = round(4 * years)
    charge = float(capital_charge(100.0, rate, periods / 4, residual))
    discount = (1 + float(quarterly_rate(rate))) ** -np.arange(1, periods + 1)
    repaid = charge / 4 * discount.sum() + residual * 100 * (1 + rate) ** (-periods / 4)
    assert repaid == pytest.approx(100.0, rel=1e-9)


def test_special_cases() -> None:
    assert float(crf(0.0, 5)) == pytest.approx(0.2)
    assert float(annuity_factor(0.0, 5)) == pytest.approx(5.0)
    assert crf([0.0, 0.1], 5).shape == (2,)
    with pytest.raises(ValueError, match="life"):
        crf(0.1, 0)


@given(st.floats(0, 1e7), st.floats(0, 0.5), st.floats(0, 0.5))
def test_parts_sum_to_the_list_price(price: float, network: float, storage: float) -> None:
    rack = rack_capex("r", price, network_share=network, storage_share=storage)
    assert rack.usd == pytest.approx(price)


def test_a_priced_network_replaces_its_share() -> None:
    rack = rack_capex("r", 100.0, network_share=0.2, storage_share=0.05, network_usd=30.0, spares_share=0.02)
    assert rack.part_usd("network") == 30.0
    assert rack.part_usd("compute") == 75.0
    assert rack.part_usd("spares") == pytest.approx(1.5)
    assert rack.usd == pytest.approx(75 + 30 + 5 + 1.5)
    table = capex_table([(rack, 2.0)], shell_usd(10.0, 11.3e6, life_years=15))
    assert sum(table.columns["usd"]) == pytest.approx(2 * rack.usd + 113e6)
    with pytest.raises(InputError):
        rack_capex("r", 100.0, network_share=0.8, storage_share=0.4)


def test_running_costs_by_hand() -> None:
    costs = RunningCosts(60.0, 0.8, 0.03, 0.003, 0.005, 0.02, 120_000)
    opex = rack_opex([1e6, 2e6], 1e7, costs)
    assert opex.energy_usd_per_yr.tolist() == pytest.approx([420_480, 840_960])
    assert opex.upkeep_usd_per_yr.tolist() == pytest.approx([380_000, 380_000])
    assert opex.staff_usd_per_yr.tolist() == pytest.approx([120_000, 240_000])
    assert float(costs.shell_upkeep_usd_per_yr(1e6)) == pytest.approx(28_000)
    with pytest.raises(ValueError, match="not negative"):
        rack_opex(-1.0, 1.0, costs)


def test_a_bill_is_the_sum_of_its_parts_with_their_range() -> None:
    bill = price_parts(
        {"switch": 2, "optic": 128}, {"switch": Datum(2e5, "USD", 1.5e5, 2.5e5), "optic": Datum(1e3, "USD", 1e3, 2e3)}
    )
    assert bill.usd == 2 * 2e5 + 128e3
    assert bill.range_usd == (2 * 1.5e5 + 128e3, 2 * 2.5e5 + 256e3)
    assert not bill.is_lower_bound
    assert sum(bill.table().columns["usd"]) == bill.usd


def test_a_part_without_a_price_makes_a_lower_bound_with_its_name() -> None:
    bill = price_parts({"switch": 2, "fibre": 8}, {"switch": Datum(2e5, "USD"), "fibre": None})
    assert (bill.usd, bill.unpriced, bill.is_lower_bound) == (4e5, ("fibre",), True)
    assert "lower bound: no price of fibre" in bill.table().note
    assert bill.table().columns["usd"] == [4e5, None]


def test_unknown_parts_and_counts_below_zero_are_all_told() -> None:
    with pytest.raises(InputError) as caught:
        price_parts({"swich": 1, "switch": -2}, {"switch": Datum(2e5, "USD")})
    assert "did you mean 'switch'?" in str(caught.value)
    assert len(caught.value.problems) == 2
    with pytest.raises(InputError) as caught:
        catalog_prices(["quantum-x800-q340", "osfp-800g-twinn"])
    assert "did you mean 'quantum-x800-q3400'?" in str(caught.value)
    assert "did you mean 'osfp-800g-twin'?" in str(caught.value)


def test_catalog_prices_are_the_records_own() -> None:
    made = catalog_prices(["osfp-800g-twin", "connectx-7"])
    assert made["osfp-800g-twin"] is not None
    assert made["osfp-800g-twin"].range == (1_100, 1_400)  # luxoptx.com, above 1,000 units
    assert made["connectx-7"] is None

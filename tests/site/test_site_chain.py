"""The power chain: watts balance, and the textbook PUE comes out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.site import PowerChain, balance, chain_from_record, it_watts, meter_watts, sankey_links

efficiency = st.floats(0.5, 1.0)
chains = st.builds(
    PowerChain,
    transformer_efficiency=efficiency,
    ups_efficiency=efficiency,
    distribution_efficiency=efficiency,
    cooling_share_at_design=st.floats(0, 0.6),
    design_wet_bulb_k=st.floats(285, 305),
    cooling_slope_per_k=st.floats(0, 0.02),
    cooling_share_floor=st.floats(0, 0.05),
    house_share=st.floats(0, 0.1),
)
watts = st.lists(st.floats(0, 1e9), min_size=1, max_size=8)
STAGES = ("transformer_loss_w", "house_w", "cooling_w", "ups_loss_w", "distribution_loss_w", "it_w")


@given(chains, watts, st.floats(250, 320))
def test_stages_sum_to_the_meter_and_none_is_negative(chain: PowerChain, it_w: list[float], wet_bulb_k: float) -> None:
    flow = balance(it_w, chain, wet_bulb_k=wet_bulb_k)
    total = np.sum([getattr(flow, name) for name in STAGES], axis=0)
    assert np.array_equal(flow.meter_w, total)
    assert all(np.all(getattr(flow, name) >= -1e-6) for name in STAGES)
    # The transformer's loss is its share of what it takes in: the sum is the physics, not a definition alone.
    behind = flow.meter_w - flow.transformer_loss_w
    assert np.allclose(behind, chain.transformer_efficiency * flow.meter_w, rtol=1e-12, atol=1e-6)


@given(chains, st.floats(1e3, 1e9), st.floats(250, 320), st.floats(0.1, 30))
def test_warmer_air_never_takes_fewer_watts(chain: PowerChain, it_w: float, wet_bulb_k: float, warmer: float) -> None:
    cold, warm = (float(meter_watts(it_w, chain, wet_bulb_k=t)) for t in (wet_bulb_k, wet_bulb_k + warmer))
    assert warm >= cold


@given(chains, st.floats(1e3, 2e9))
def test_it_watts_is_the_inverse_of_meter_watts(chain: PowerChain, it_w: float) -> None:
    assert float(it_watts(meter_watts(it_w, chain), chain)) == pytest.approx(it_w, rel=1e-12)


def test_hand_worked_chain() -> None:
    # 80 W of IT through 0.8 x 1.0 takes 100 W at the UPS; 0.25 cooling adds 20 W; 120 W / 0.96 = 125 W.
    flow = PowerChain(0.96, 0.8, 1.0, 0.25)(80.0)
    assert float(flow.meter_w) == pytest.approx(125.0)
    assert float(flow.pue) == pytest.approx(1.5625)
    assert float(flow.ups_loss_w) == pytest.approx(20.0)
    assert float(flow.transformer_loss_w) == pytest.approx(5.0)


def test_house_load_follows_what_is_provisioned() -> None:
    chain = PowerChain(1.0, 1.0, 1.0, 0.0, house_share=0.1)
    assert float(meter_watts(90.0, chain)) == pytest.approx(100.0)
    assert float(meter_watts(45.0, chain, provisioned_w=100.0)) == pytest.approx(55.0)


@pytest.mark.parametrize(
    "facility", ["air-cooled-2020", "hyperscale-mixed", "liquid-cooled-2026", "direct-current-800v"]
)
def test_catalog_designs_meet_their_stated_pue(facility: str) -> None:
    record = Catalog.load().get("facility", facility)
    chain = chain_from_record(record)
    low, high = record.pue.range
    # The stated PUE is an annual mean; the floor of cooling and the design day must enclose it.
    coldest = float(balance(1.0, chain, wet_bulb_k=240.0).pue)
    design = float(balance(1.0, chain).pue)
    assert coldest <= high and design >= low


def test_links_keep_watts_at_every_node() -> None:
    flow = PowerChain(0.985, 0.975, 0.985, 0.08, house_share=0.01)(1e8)
    table = sankey_links(flow, {"chips": 7e7, "hosts": 1e7})
    rows = list(table.rows())
    into = {name: sum(r["watts"] for r in rows if r["target"] == name) for name in ("UPS", "distribution", "IT")}
    out = {name: sum(r["watts"] for r in rows if r["source"] == name) for name in into}
    assert into == pytest.approx(out)
    assert sum(r["watts"] for r in rows if r["source"] == "meter") == pytest.approx(float(flow.meter_w))
    with pytest.raises(InputError, match="parts of IT"):
        sankey_links(flow, {"chips": 2e8})


@pytest.mark.parametrize("bad", [{"ups_efficiency": 1.2}, {"ups_efficiency": 0.0}, {"house_share": -0.1}])
def test_impossible_chains_are_refused(bad: dict[str, float]) -> None:
    good = {"transformer_efficiency": 0.98, "ups_efficiency": 0.97, "distribution_efficiency": 0.98}
    with pytest.raises(InputError):
        PowerChain(**(good | {"cooling_share_at_design": 0.1} | bad))

"""The power chain: what goes in is lost or used, warmer is never cheaper, more redundancy never saves where it can not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.site import (
    Air,
    Circuit,
    Cooling,
    Modules,
    PowerChain,
    Stage,
    balance,
    chain_from_record,
    it_watts,
    meter_watts,
    sankey_links,
)
from gigawatt.physics.site.psychrometrics import wet_bulb_k

CAT = Catalog.load()
CHAINS = {record.id: chain_from_record(record) for record in CAT.all("facility")}
FREE = Cooling(air=Circuit("dry", 300.0, 10.0))

stages = st.builds(Stage, no_load=st.floats(0.002, 0.03), proportional=st.floats(0, 0.04), square=st.floats(0, 0.02))
circuits = st.builds(
    Circuit,
    sink=st.sampled_from(["dry", "adiabatic", "tower"]),
    supply_k=st.floats(285, 318),
    rise_k=st.floats(4, 20),
    approach_k=st.floats(0, 12),
    fan_in=st.floats(0, 0.1),
    pump=st.floats(0, 0.04),
    fan_out=st.floats(0, 0.04),
    turndown=st.floats(0.1, 0.9),
    carnot=st.floats(0.3, 0.7),
    economiser=st.booleans(),
    saturation=st.floats(0, 0.95),
    dew_limit_k=st.one_of(st.none(), st.floats(280, 296)),
)
coolings = st.builds(Cooling, liquid_share=st.floats(0, 1), air=circuits, liquid=circuits, cycles=st.floats(2, 10))
chains = st.builds(
    PowerChain,
    transformer=stages,
    ups=stages,
    distribution=stages,
    cooling=coolings,
    house_share=st.floats(0, 0.1),
    modules=st.builds(Modules, redundancy=st.sampled_from(["N", "N+1", "2N"]), needed=st.integers(1, 8)),
    load=st.floats(0.2, 1),
)
watts = st.lists(st.floats(0, 1e9), min_size=1, max_size=8)
loads = st.floats(0.1, 1)
PARTS = ("transformer_loss_w", "house_w", "cooling_w", "ups_loss_w", "distribution_loss_w", "it_w")


def air_at(dry_k: float, dew_k: float) -> Air:
    return Air(np.asarray(dry_k), wet_bulb_k(dry_k, min(dew_k, dry_k)))


@given(chains, watts, st.floats(250, 318), st.floats(245, 299), loads)
def test_stages_sum_to_the_meter_and_none_is_negative(
    chain: PowerChain, it_w: list[float], dry_k: float, dew_k: float, load: float
) -> None:
    flow = balance(it_w, chain, air=air_at(dry_k, dew_k), load=load)
    total = np.sum([getattr(flow, name) for name in PARTS], axis=0)
    assert np.array_equal(flow.meter_w, total)
    assert all(np.all(getattr(flow, name) >= -1e-6) for name in PARTS)
    # The transformer's loss is its share of what it takes in: the sum is the physics, not a definition alone.
    behind = flow.meter_w - flow.transformer_loss_w
    assert np.allclose(behind, chain.transformer.efficiency(load) * flow.meter_w, rtol=1e-12, atol=1e-6)


@given(chains, st.floats(250, 310), st.floats(245, 297), st.floats(0.1, 15), loads)
def test_warmer_air_of_the_same_humidity_never_takes_fewer_watts(
    chain: PowerChain, dry_k: float, dew_k: float, warmer: float, load: float
) -> None:
    dew = min(dew_k, dry_k)
    cold, warm = (float(meter_watts(1.0, chain, air=air_at(t, dew), load=load)) for t in (dry_k, dry_k + warmer))
    assert warm >= cold - 1e-12


@given(chains, st.floats(1e3, 2e9))
def test_it_watts_is_the_inverse_of_meter_watts(chain: PowerChain, it_w: float) -> None:
    assert float(it_watts(meter_watts(it_w, chain), chain)) == pytest.approx(it_w, rel=1e-12)


@given(chains, st.floats(1e3, 1e9), loads)
def test_the_chain_is_linear_at_its_stated_load_and_pue_is_never_below_one(
    chain: PowerChain, it_w: float, load: float
) -> None:
    at = chain.at(load=load)
    assert float(meter_watts(3.0 * it_w, at)) == pytest.approx(3.0 * float(meter_watts(it_w, at)), rel=1e-12)
    assert float(at(it_w).pue) >= 1.0


@given(stages, st.integers(1, 8), loads)
def test_more_redundancy_never_raises_efficiency_where_standing_losses_lead(
    stage: Stage, needed: int, load: float
) -> None:
    kept = Stage(max(stage.no_load, stage.square), stage.proportional, stage.square)
    found = [float(kept.efficiency(Modules(r, needed).load(load))) for r in ("N", "N+1", "2N")]
    assert found[0] >= found[1] - 1e-12 >= found[2] - 2e-12
    assert Modules("N", needed).installed < Modules("N+1", needed).installed <= Modules("2N", needed).installed == 2.0


@pytest.mark.parametrize("facility", CHAINS)
def test_shipped_designs_never_gain_from_redundancy(facility: str) -> None:
    record = CAT.get("facility", facility)
    for load in (0.3, 0.6, 1.0):
        n, plus, double = (
            float(chain_from_record(record, redundancy=r, load=load)(1.0).meter_w) for r in ("N", "N+1", "2N")
        )
        assert n <= plus <= double


def test_a_stage_is_best_where_its_losses_balance() -> None:
    stage = Stage(0.01, 0.02, 0.04)
    assert stage.best_load == pytest.approx(0.5)
    around = stage.efficiency([0.45, 0.5, 0.55])
    assert around[1] > around[0] and around[1] > around[2]
    assert float(stage.efficiency(1.0)) == pytest.approx(1 / 1.07)


def test_hand_worked_chain() -> None:
    # 80 W of IT through a UPS of 0.8 takes 100 W; cooling adds 0.25 x 80 = 20 W; 120 W / 0.96 = 125 W. A fan of 0.2 W for each
    # watt of heat carries 80 W of IT and the 20 W that the UPS loses.
    fans = Cooling(air=Circuit("dry", 330.0, 10.0, fan_in=0.2))
    chain = PowerChain(Stage(proportional=1 / 0.96 - 1), Stage(proportional=0.25), Stage(), fans)
    flow = chain(80.0)
    assert float(flow.ups_loss_w) == pytest.approx(20.0)
    assert float(flow.cooling_w) == pytest.approx(20.0)
    assert float(flow.meter_w) == pytest.approx(125.0)
    assert float(flow.pue) == pytest.approx(1.5625)
    assert float(flow.transformer_loss_w) == pytest.approx(5.0)


def test_house_load_follows_what_is_provisioned() -> None:
    chain = PowerChain(Stage(), Stage(), Stage(), FREE, house_share=0.1)
    assert float(meter_watts(90.0, chain)) == pytest.approx(100.0)
    assert float(meter_watts(45.0, chain, provisioned_w=100.0)) == pytest.approx(55.0)


def test_links_keep_watts_at_every_node() -> None:
    flow = CHAINS["liquid-cooled-2026"](1e8)
    table = sankey_links(flow, {"chips": 7e7, "hosts": 1e7})
    rows = list(table.rows())
    into = {name: sum(r["watts"] for r in rows if r["target"] == name) for name in ("UPS", "distribution", "IT")}
    out = {name: sum(r["watts"] for r in rows if r["source"] == name) for name in into}
    assert into == pytest.approx(out)
    assert sum(r["watts"] for r in rows if r["source"] == "meter") == pytest.approx(float(flow.meter_w))
    with pytest.raises(InputError, match="parts of IT"):
        sankey_links(flow, {"chips": 2e8})


def test_impossible_chains_are_refused() -> None:
    with pytest.raises(InputError, match="no_load"):
        Stage(no_load=-0.1)
    with pytest.raises(InputError, match="house load"):
        PowerChain(Stage(), Stage(), Stage(), FREE, house_share=1.0)
    with pytest.raises(InputError, match="redundancy"):
        Modules("3N")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="liquid"):
        Cooling(liquid_share=0.5, air=Circuit("dry", 300.0, 10.0))
    with pytest.raises(InputError, match="nothing cools"):
        Circuit("dry", 300.0, 10.0, economiser=False)
    with pytest.raises(InputError, match="wet bulb"):
        Air(np.asarray(290.0), np.asarray(291.0))

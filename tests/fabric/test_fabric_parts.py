"""Bills of materials: published switch counts, the divisor rule, limits, watts and dollars."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.physics.fabric import Fabric, parts_list
from gigawatt.physics.fabric.parts import capacity

X800 = Fabric(
    "x800",
    "infiniband",
    "switched",
    "blackwell-ultra",
    900e9,
    72,
    4,
    100e9,
    100e9,
    radix=144,
    switch_port_bytes_per_s=100e9,
)
NDR = replace(X800, name="400G", nic_bytes_per_s=50e9, radix=64)


@pytest.mark.parametrize(
    ("endpoints", "tiers", "switches"), [(576, 2, 12), (4_608, 2, 100), (10_368, 2, 216), (41_472, 3, 1_440)]
)
def test_switches_of_the_published_sizing_table(endpoints: int, tiers: int, switches: int) -> None:
    """Lambda's sizing of GB300 clusters on 144 x 800G switches."""
    assert parts_list(replace(X800, tiers=tiers), endpoints).switches == switches


@pytest.mark.parametrize(
    ("endpoints", "tiers", "kilowatts"), [(576, 2, 37), (4_608, 2, 305), (10_368, 2, 658), (41_472, 3, 4_392)]
)
def test_watts_that_co_packaged_switches_free(endpoints: int, tiers: int, kilowatts: float) -> None:
    """The same table: 7.0 kW a switch with pluggable optics, 3.95 kW with co-packaged ones."""
    design = replace(X800, tiers=tiers)
    freed = parts_list(design, endpoints).switches * (7_000 - 3_950)
    assert freed / 1e3 == pytest.approx(kilowatts, rel=0.011)
    plain, inside = parts_list(design, endpoints), parts_list(design, endpoints, co_packaged=True)
    per_switch = next(p for p in inside.parts if p.kind == "switch").watts
    assert per_switch == pytest.approx(3_950, rel=0.001)
    assert inside.power_w < plain.power_w


def test_a_two_tier_fabric_of_144_ports_ends_at_10368() -> None:
    """The vendor's own maximum for two levels."""
    design = replace(X800, tiers=2)
    assert capacity(design) == 10_368
    with pytest.raises(Infeasible) as caught:
        parts_list(design, 10_369)
    assert "10,368" in str(caught.value)
    assert {change.limit for change in caught.value.changes} == {"tiers", "endpoints"}


def test_planes_save_a_tier() -> None:
    three = parts_list(replace(X800, tiers=3), 131_072)
    four_planes = parts_list(replace(X800, tiers=2, planes=4), 131_072)
    assert (three.switches, four_planes.switches) == (4_553, 2_976)
    assert four_planes.power_w < 0.7 * three.power_w
    assert four_planes.price_usd < 0.7 * three.price_usd


def test_oversubscription_saves_switches() -> None:
    full, narrow = (parts_list(replace(NDR, tiers=3, oversubscription=o), 131_072) for o in (1.0, 7.0))
    assert (full.switches, narrow.switches) == (5_120, 1_611)


@settings(max_examples=80, deadline=None)
@given(endpoints=st.integers(1, 8_192), planes=st.sampled_from([1, 2, 4]))
def test_every_endpoint_has_its_ports_and_no_switch_too_many_links(endpoints: int, planes: int) -> None:
    design = replace(NDR, tiers=2, planes=planes)
    made = parts_list(design, endpoints)
    k = 128 * planes
    if made.spines:
        assert made.leaves // planes * (k // 2) >= endpoints
        # Every leaf has as many links to each spine.
        assert (k // 2) % (made.spines // planes) == 0
        assert made.links <= made.spines * k
    low, high = made.price_range_usd
    assert low <= made.price_usd <= high
    assert made.power_w > 0
    assert sum(p.count for p in made.parts if p.kind == "nic") == endpoints


def test_no_endpoints() -> None:
    with pytest.raises(InputError):
        parts_list(NDR, 0)

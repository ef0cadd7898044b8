"""Parts lists and topologies: published counts and watts, the divisor rule, limits, other libraries' graphs, bad input."""

from __future__ import annotations

from dataclasses import replace

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible, InputError
from gigawatt.physics.fabric import (
    Fabric,
    PartsList,
    capacity,
    count,
    kit_from_record,
    parts_list,
    scaleup_parts,
    wiring_from_record,
)
from gigawatt.physics.fabric.topology import UNLIMITED, ports

CAT = Catalog.load()
X800 = wiring_from_record(CAT.get("fabric", "quantum-x800-2tier"))
NDR = wiring_from_record(CAT.get("fabric", "tomahawk5-roce-2tier"))  # 400G NICs on 64 x 800G: 128 ports
X800_KIT = kit_from_record(CAT.get("fabric", "quantum-x800-2tier"))
CPO_KIT = kit_from_record(CAT.get("fabric", "quantum-x-photonics-2tier"))
NDR_KIT = kit_from_record(CAT.get("fabric", "tomahawk5-roce-2tier"))
LLAMA = wiring_from_record(CAT.get("fabric", "llama3-roce-24k"))
# Lambda's sizing of GB300 clusters on 144 x 800G switches: endpoints, tiers, switches, kW that co-packaged optics free.
LAMBDA = [(576, 2, 12, 37), (4_608, 2, 100, 305), (10_368, 2, 216, 658), (41_472, 3, 1_440, 4_392)]


def listed(fabric: Fabric, endpoints: int, kit=X800_KIT) -> PartsList:
    return parts_list(fabric, endpoints, kit)


@pytest.mark.parametrize(("endpoints", "tiers", "switches", "kilowatts"), LAMBDA)
@pytest.mark.parametrize("topology", ["fat_tree", "rail_fat_tree"])
def test_switches_and_freed_watts_of_the_published_sizing_table(
    topology, endpoints, tiers, switches, kilowatts
) -> None:
    """Rails change no count here: the leaves are a multiple of eight already. Freed: 7.0 kW a switch to 3.95 kW."""
    design = replace(X800, tiers=tiers, topology=topology)
    plain, inside = listed(design, endpoints), listed(design, endpoints, CPO_KIT)
    assert plain.switches == inside.switches == switches
    # The table takes every switch as full; where all ports are used the two lists differ by exactly that, else by less.
    freed = (plain.power_w - inside.power_w) / 1e3
    full = plain.counts.host_links + 2 * plain.links == switches * 144
    assert freed <= switches * 3.05 * (1 + 1e-9)
    assert freed == pytest.approx(kilowatts, abs=1 if full else 0.06 * kilowatts)
    assert switches * 3.05 == pytest.approx(kilowatts, abs=1)


def test_a_full_pluggable_switch_draws_seven_kilowatts() -> None:
    made = listed(X800, 10_368)
    at_switches = sum(p.count * (p.watts or 0) for p in made.bought if p.role != "module at a NIC")
    assert at_switches / made.switches == pytest.approx(7_000, rel=1e-9)


@pytest.mark.parametrize(
    ("endpoints", "tiers", "planes", "oversubscription", "switches", "modules"),
    [(1_024, 2, 1, 1, 24, 1_536), (16_384, 3, 1, 1, 640, 40_960), (131_072, 3, 1, 1, 5_120, 327_680),
     (16_384, 2, 2, 1, 384, 24_576), (131_072, 3, 1, 7, 1_611, 103_024)],
)  # fmt: skip
def test_bills_of_64_times_800g(endpoints, tiers, planes, oversubscription, switches, modules) -> None:
    """Counted once by hand from the rules in the module's head."""
    made = listed(
        replace(NDR, tiers=tiers, planes=planes, oversubscription=float(oversubscription)), endpoints, NDR_KIT
    )
    assert made.switches == switches
    assert sum(p.count for p in made.parts if p.role == "module at a switch") == modules
    assert made.power_w / endpoints == pytest.approx({24: 54, 640: 83, 5_120: 83, 384: 54, 1_611: 32}[switches], abs=1)


def test_a_two_tier_fabric_of_144_ports_ends_at_10368() -> None:
    """The vendor's own maximum for two levels."""
    assert capacity(X800) == 10_368
    with pytest.raises(Infeasible) as caught:
        listed(X800, 10_369)
    assert "10,368" in str(caught.value)
    assert [(c.limit, c.now, c.needed) for c in caught.value.changes] == [
        ("tiers", 2, 3),
        ("endpoints", 10_369, 10_368),
    ]
    assert listed(replace(X800, tiers=3), 10_369).switches > 216


def test_the_smallest_change_is_one_that_works() -> None:
    """Three tiers are the most: beyond them planes, and what is proposed reaches."""
    design = replace(NDR, tiers=3)
    with pytest.raises(Infeasible) as caught:
        count(design, 600_000)
    change = caught.value.changes[0]
    assert change.limit == "planes"
    assert capacity(replace(design, planes=int(change.needed))) >= 600_000 > capacity(design)
    with pytest.raises(Infeasible) as caught:
        count(replace(NDR, tiers=1), 100_000)
    assert caught.value.changes[0].needed == 3


def test_planes_save_a_tier() -> None:
    three = replace(X800, tiers=3, topology="fat_tree")
    four = replace(X800, planes=4, topology="fat_tree")
    assert (listed(three, 131_072).switches, listed(four, 131_072).switches) == (4_553, 2_976)
    assert listed(four, 131_072).power_w < 0.7 * listed(three, 131_072).power_w


def test_llama_3_has_1536_rack_switches_in_8_pods() -> None:
    """The Llama 3 Herd of Models, section 3.3.1: 16 GPUs a rack switch, pods of 3,072, 1:7 above them."""
    made = count(LLAMA, 24_576)
    assert (made.leaves, made.groups, made.leaves // made.groups) == (1_536, 8, 192)
    assert made.leaf_links == 24_576  # full bisection inside a pod
    assert made.leaf_links / made.core_links == pytest.approx(7, rel=0.003)
    assert LLAMA.pod == 3_072


@settings(max_examples=60, deadline=None)
@given(endpoints=st.integers(1, 8_192), planes=st.sampled_from([1, 2, 4]), rails=st.sampled_from([0, 4, 8]))
def test_every_endpoint_has_its_ports_and_no_switch_too_many_links(endpoints: int, planes: int, rails: int) -> None:
    topology = {"topology": "rail_fat_tree", "rails": rails} if rails else {}
    design = replace(NDR, planes=planes, **topology)
    made, k = listed(design, endpoints, NDR_KIT), 128 * planes
    assert ports(design) == k
    if made.counts.spines:
        assert made.counts.leaves * (k // 2) >= endpoints
        # Every leaf has as many links to each spine.
        assert (k // 2) % made.counts.spines == 0
        assert made.counts.leaf_links <= made.counts.spines * k
        assert not rails or made.counts.leaves < rails or made.counts.leaves % rails == 0
    low, high = made.power_range_w
    assert 0 < low <= made.power_w <= high
    assert sum(p.count for p in made.parts if p.kind == "nic") == endpoints
    assert not any(p.in_platform for p in made.bought)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 200_000), st.sampled_from([1.0, 2.0, 3.0]))
def test_dragonfly_plus_spends_no_port_twice(endpoints: int, oversubscription: float) -> None:
    design = replace(NDR, topology="dragonfly_plus", oversubscription=oversubscription)
    made, k = count(design, endpoints), 128
    if not made.spines:
        assert endpoints <= k
        return
    assert made.leaf_links <= made.spines * (k // 2)
    assert 2 * made.core_links <= made.spines * (k // 2)
    assert made.leaves * int(k * oversubscription / (1 + oversubscription)) >= endpoints
    # Each pair of groups has a link of its own.
    assert made.core_links >= made.groups * (made.groups - 1) // 2


def test_dragonfly_plus_takes_a_tier_less_than_a_fat_tree() -> None:
    tree, fly = (count(replace(NDR, tiers=3, topology=t), 131_072) for t in ("fat_tree", "dragonfly_plus"))
    assert (tree.switches, fly.switches) == (5_120, 4_096)
    assert capacity(replace(NDR, topology="dragonfly_plus")) == 64 * 64 * (64 * 64 + 1)
    with pytest.raises(Infeasible):
        count(replace(NDR, topology="dragonfly_plus"), 64 * 64 * (64 * 64 + 1) + 1)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (3, 5, 7)])
def test_a_torus_has_the_links_of_its_graph(shape: tuple[int, ...]) -> None:
    graph = networkx.grid_graph(shape, periodic=True)
    made = count(replace(NDR, topology="torus", tiers=len(shape)), graph.number_of_nodes())
    assert (made.links, made.switches) == (graph.number_of_edges(), 0)
    assert capacity(replace(NDR, topology="torus")) == UNLIMITED


def test_cables_with_ends_of_their_own_replace_modules() -> None:
    design = CAT.get("fabric", "tomahawk5-roce-2tier")
    copper = design.model_copy(update={"host_cable": "dac-800g"})
    light = design.model_copy(update={"host_cable": "aoc-800g"})
    fibre, dac, aoc = (parts_list(NDR, 1_024, kit_from_record(record)) for record in (design, copper, light))
    saved = 1_024 * 9 + 512 * 15  # modules at NICs, and the half of those at leaves that looked down
    assert fibre.power_w - dac.power_w == pytest.approx(saved)
    assert aoc.power_w - dac.power_w == pytest.approx(512 * 2 * 3)  # a splitter of 800G serves two NICs; 3 W an end
    assert sum(p.count for p in dac.parts if p.id == "dac-800g") == 512
    with pytest.raises(InputError, match="'dac-800g' for 'host_cable' reaches 2 m, not 5 m"):
        parts_list(NDR, 1_024, kit_from_record(copper), host_m=5.0)
    with pytest.raises(InputError) as caught:
        parts_list(NDR, 1_024, kit_from_record(copper), host_m=5.0, trunk_m=900.0)
    assert len(caught.value.problems) == 2


def test_a_part_that_no_source_rates_is_told() -> None:
    record = CAT.get("fabric", "tomahawk5-roce-2tier").model_copy(update={"optic": "osfp-800g-fr4"})
    made = parts_list(NDR, 1_024, kit_from_record(record))
    assert made.unrated == ("osfp-800g-fr4",)
    assert made.power_w < listed(NDR, 1_024, NDR_KIT).power_w
    assert not listed(NDR, 1_024, NDR_KIT).unrated


def test_the_scale_up_network_is_listed_and_counted_nowhere() -> None:
    record = CAT.get("scaleup", "nvlink5-x72")
    bare, told = listed(X800, 144), parts_list(X800, 144, X800_KIT, scaleup=record)
    inside = {p.role: p for p in told.parts if p.role.startswith("scale-up")}
    assert inside["scale-up switch"].count == 36
    assert inside["scale-up link"].count == 144 * 18
    assert inside["scale-up cable"].count == 2 * 5_184
    assert told.power_w == bare.power_w
    assert told.tally() == bare.tally()
    # The switches' own watts are what the platform states for them.
    assert 18 * (inside["scale-up switch"].watts or 0) == CAT.get("platform", "gb300-nvl72").scaleup_power.value


@pytest.mark.parametrize(("name", "links"), [("xgmi-mi300x-x8", 28), ("ici-v5e-256", 512), ("ici-v4-4096", 3 * 4096)])
def test_links_of_a_mesh_and_of_a_torus(name: str, links: int) -> None:
    record = CAT.get("scaleup", name)
    graph = (
        networkx.complete_graph(record.domain)
        if record.topology == "mesh"
        else networkx.grid_graph(record.shape, periodic=True)
    )
    (line,) = scaleup_parts(record, record.domain)
    assert line.count == links == graph.number_of_edges()


def test_bad_designs_are_told_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        replace(NDR, oversubscription=0.5, radix=0, planes=0, tiers=4, topology="butterfly", routing="luck")
    told = str(caught.value)
    for words in ("oversubscription", "radix", "planes", "tiers", "topology", "routing"):
        assert words in told
    with pytest.raises(InputError) as caught:
        count(replace(LLAMA, leaf_endpoints=40), 0)
    assert len(caught.value.problems) == 2
    assert "a leaf of 40 endpoints needs 80 ports, and a switch has 64" in str(caught.value)


def test_unknown_parts_are_told_with_the_nearest() -> None:
    record = CAT.get("fabric", "quantum-x800-2tier")
    wrong = record.model_copy(update={"switch": "quantum-x800-q3401", "optic": "", "cable": "fibre-mpo-12"})
    with pytest.raises(InputError) as caught:
        kit_from_record(wrong)
    told = str(caught.value)
    assert "did you mean 'quantum-x800-q3400'?" in told
    assert "did you mean 'fibre-mpo12'?" in told
    assert "names no 'optic'" in told


def test_no_endpoints() -> None:
    with pytest.raises(InputError):
        listed(NDR, 0, NDR_KIT)

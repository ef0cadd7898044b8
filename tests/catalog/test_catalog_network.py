"""Records of networks: scale-up domains agree with chips, platforms and their switches; links with hosts; bad records."""

from __future__ import annotations

import math

import pytest

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError

CAT = Catalog.load()
DOMAINS = CAT.all("scaleup")


def test_accelerators_and_their_scale_up_network_agree() -> None:
    named = [record for record in CAT.all("accelerator") if record.scaleup]
    assert len(named) >= 28
    for record in named:
        domain = CAT.get("scaleup", record.scaleup)
        assert domain.domain == record.scaleup_domain, record.id
        if domain.bandwidth is None:
            assert record.scaleup_bandwidth is None, record.id
        else:
            assert domain.bandwidth.value == record.scaleup_bandwidth.value, record.id


def test_platforms_wire_what_their_scale_up_record_says() -> None:
    for platform in CAT.all("platform"):
        chip = CAT.get("accelerator", platform.accelerator)
        if chip.scaleup:
            assert platform.scaleup, platform.id
        if platform.scaleup:
            domain = CAT.get("scaleup", platform.scaleup)
            assert domain.domain == platform.scaleup_domain, platform.id
            # A smaller domain may use fewer of the chip's links, never more.
            if domain.bandwidth is not None:
                assert domain.bandwidth.value <= chip.scaleup_bandwidth.value, platform.id
            if domain.power is not None:
                racks = platform.chips_per_rack / domain.domain
                assert platform.scaleup_power.value == pytest.approx(racks * domain.power.value), platform.id


@pytest.mark.parametrize("record", [d for d in DOMAINS if d.switches], ids=lambda record: record.id)
def test_switches_carry_the_domain(record) -> None:
    """Non-blocking: the chips' rate together is no more than what the switches' ports take."""
    switch = CAT.get("netpart", record.switch)
    if switch.aggregate_bandwidth is not None:
        assert record.switches * switch.aggregate_bandwidth.value >= record.domain * record.bandwidth.value * (1 - 1e-9)


def test_links_share_the_chips_bandwidth() -> None:
    one_way = {"3": 25e9, "4": 25e9, "5": 50e9, "6": 50e9}  # of an NVLink, by generation
    for record in DOMAINS:
        if record.technology == "nvlink" and record.bandwidth is not None:
            assert record.links * one_way[record.generation] == record.bandwidth.value, record.id
        if record.shape:
            assert record.links == 2 * len(record.shape), record.id
            assert math.prod(record.shape) == record.domain
        if record.topology == "mesh":
            assert record.links % (record.domain - 1) in (0, 3), record.id  # Gaudi: three ports leave the box


def test_reduction_in_the_switch_is_switched() -> None:
    assert {d.id for d in DOMAINS if d.reduces} >= {"nvlink4-x8", "nvlink5-x72", "nvlink6-x72"}
    assert all(d.topology == "switched" for d in DOMAINS if d.reduces)
    assert not CAT.get("scaleup", "nvlink3-x8").reduces


NAMED = """
nvlink3-x8 nvlink4-x8 nvlink5-x8 nvlink5-x72 nvlink6-x72 nvlink7-x144 xgmi-mi300x-x8 xgmi-mi355x-x8 ualink-helios-x72
ualink1-pod-1024 ici-v4-4096 ici-v5e-256 ici-v5p-8960 ici-v6e-256 ici-tpu7x-9216 neuronlink3-x16 neuronlink3-x64
neuronlink4-x64 ub-cloudmatrix-384 roce-gaudi3-x8
"""


@pytest.mark.parametrize("name", NAMED.split())
def test_every_named_domain_is_there(name: str) -> None:
    assert CAT.get("scaleup", name).id == name


def test_what_nobody_published_of_rubin_ultra_stays_away() -> None:
    record = CAT.get("scaleup", "nvlink7-x144")
    assert record.bandwidth is None
    assert not record.switches
    assert any("576" in flag for flag in record.flags)


def test_links_of_hosts_are_the_records_of_links() -> None:
    of = {"nvlink-c2c": {"grace": "nvlink-c2c-grace", "vera": "nvlink-c2c-vera"}}
    for host in CAT.all("host"):
        name = of.get(host.link.technology, {}).get(host.id, host.link.technology)
        link = CAT.get("link", name)
        assert link.bandwidth.value == host.link.bandwidth.value, host.id
        assert link.latency.value == host.link.latency.value, host.id
        assert link.coherent == host.link.coherent, host.id


def test_light_is_faster_in_a_hollow_core() -> None:
    """45 to 47 % faster than silica, as the same sources say; no fibre beats light in vacuum, 3.336 us/km."""
    silica, hollow = CAT.get("link", "fibre-single-mode"), CAT.get("link", "fibre-hollow-core")
    assert silica.latency_per_km.value / hollow.latency_per_km.value == pytest.approx(1.46, abs=0.02)
    assert hollow.latency_per_km.range[0] == pytest.approx(3.336e-6, rel=0.02)
    assert hollow.attenuation_db_per_km.value < silica.attenuation_db_per_km.range[0]


def test_fabrics_either_follow_from_parts_or_state_themselves() -> None:
    for record in CAT.all("fabric"):
        assert record.stated != (record.power_per_chip is not None), record.id
        if record.power_per_chip is not None:
            assert {record.power_per_chip.kind, record.price_per_chip.kind} <= {"estimated", "assumed"}, record.id
            assert record.power_per_chip.low is not None, record.id
        for name in (record.nic_optic, record.host_cable):
            if name:
                CAT.get("netpart", name)
        if record.stated:
            switch = CAT.get("netpart", record.switch)
            capacity = record.radix * record.port_bandwidth.value
            assert capacity == pytest.approx(switch.ports * switch.port_bandwidth.value), record.id


def test_routing_and_topology_are_spread_over_the_catalog() -> None:
    fabrics = CAT.all("fabric")
    assert {record.routing for record in fabrics} == {"ecmp", "adaptive", "spray"}
    assert {record.topology for record in fabrics} >= {"fat_tree", "rail_fat_tree", "dragonfly_plus"}
    assert all(record.sharp for record in fabrics if record.technology == "infiniband")
    assert CAT.get("fabric", "llama3-roce-24k").queue_pairs == 16


GOOD = """
technology: roce
tiers: 2
oversubscription: 1
nic_bandwidth: 400 Gb/s
switch: tomahawk5-64x800g
radix: 64
port_bandwidth: 800 Gb/s
optic: osfp-800g-twin
efficiency: 0.9
hop_latency: 20 us
reference_endpoints: 1024
source: here
"""


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [("oversubscription: 1", "oversubscription: 0.5", ("at least 1", "did you mean 2?")),
     ("radix: 64", "radix: 0", ("radix", "greater than or equal to 2")),
     ("tiers: 2", "tiers: 5", ("tiers", "less than or equal to 3")),
     ("optic: osfp-800g-twin\n", "", ("give 'switch', 'radix'", "power_per_chip")),
     ("technology: roce", "technology: roce\npod_endpoints: 64", ("three tiers",)),
     ("technology: roce", "technology: rocce", ("technology",))],
)  # fmt: skip
def test_bad_fabrics_say_what_would_be_right(tmp_path, before, after, words) -> None:
    folder = tmp_path / "fabric"
    folder.mkdir()
    (folder / "mine.yaml").write_text(GOOD)
    assert Catalog.load((tmp_path,)).get("fabric", "mine").stated
    (folder / "mine.yaml").write_text(GOOD.replace(before, after))
    with pytest.raises(InputError) as caught:
        Catalog.load((tmp_path,)).get("fabric", "mine")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("technology: ici\ntopology: torus3d\ndomain: 64\nshape: [4, 4]", "3 dimensions"),
     ("technology: ici\ntopology: torus2d\ndomain: 64\nshape: [4, 4]", "holds 16 chips"),
     ("technology: nvlink\ntopology: switched\ndomain: 8\nswitches: 4", "name it")],
)  # fmt: skip
def test_bad_domains_are_refused(tmp_path, text, words) -> None:
    folder = tmp_path / "scaleup"
    folder.mkdir()
    (folder / "mine.yaml").write_text(text + "\nsource: here\n")
    with pytest.raises(InputError, match=words):
        Catalog.load((tmp_path,)).get("scaleup", "mine")

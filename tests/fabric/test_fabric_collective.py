"""Collectives: laws, limits that have an exact value, published points, errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.fabric import (
    Fabric,
    bus_factor,
    collective_seconds,
    default_fabric,
    fabric_from_record,
    moe_payload,
    moe_seconds,
)
from gigawatt.physics.fabric.collective import LINES, algorithms_of
from gigawatt.physics.fabric.constants import ideal, packaged
from gigawatt.physics.fabric.wires import wires_of

FIT = packaged()
GIB = 2**30
HGX = Fabric("hgx", "infiniband", "switched", "hopper", 450e9, 8, 8, 50e9, 50e9, 1)
NVL72 = Fabric("nvl72", "infiniband", "switched", "blackwell", 900e9, 72, 4, 50e9, 50e9, 1)

fabrics = st.builds(
    Fabric,
    name=st.just("any"),
    technology=st.sampled_from(["infiniband", "roce", "efa", "tcpx"]),
    scaleup=st.sampled_from(["switched", "mesh", "torus"]),
    generation=st.sampled_from(["hopper", "blackwell", "cdna3", "tpu"]),
    scaleup_bytes_per_s=st.floats(50e9, 2e12),
    domain=st.sampled_from([1, 4, 8, 64]),
    node=st.just(4),
    nic_bytes_per_s=st.floats(5e9, 200e9),
    port_bytes_per_s=st.floats(5e9, 200e9),
)
ranks = st.sampled_from([2, 4, 8, 16, 64, 256, 1024])
sizes = st.floats(1, 2**36)
kinds = st.sampled_from(sorted(LINES))


def seconds(kind: str, nbytes: float, n: int, fabric: Fabric) -> float:
    return float(collective_seconds(kind, nbytes, n, fabric).seconds[0])


@settings(max_examples=150, deadline=None)
@given(kind=kinds, fabric=fabrics, n=ranks, nbytes=sizes, more=st.floats(1, 4))
def test_more_bytes_are_never_faster_and_more_bandwidth_never_slower(
    kind: str, fabric: Fabric, n: int, nbytes: float, more: float
) -> None:
    base = seconds(kind, nbytes, n, fabric)
    assert seconds(kind, more * nbytes, n, fabric) >= base * (1 - 1e-9)
    wide = replace(fabric, nic_bytes_per_s=more * fabric.nic_bytes_per_s)
    assert seconds(kind, nbytes, n, wide) <= base * (1 + 1e-9)
    fast = replace(fabric, scaleup_bytes_per_s=more * fabric.scaleup_bytes_per_s)
    assert seconds(kind, nbytes, n, fast) <= base * (1 + 1e-9)


@settings(max_examples=80, deadline=None)
@given(kind=kinds, fabric=fabrics, n=ranks, nbytes=sizes)
def test_the_band_holds_the_answer_and_nothing_beats_line_rate(
    kind: str, fabric: Fabric, n: int, nbytes: float
) -> None:
    answer = collective_seconds(kind, nbytes, n, fabric)
    assert answer.low[0] < answer.seconds[0] < answer.high[0]
    assert "-bound" in answer.bound[0]
    # In-switch reduction and two-domain trees halve what a rank sends; nothing else does.
    passed = 0.5 * nbytes * (n - 1) / n / (fabric.scaleup_bytes_per_s + 64 * fabric.nic_bytes_per_s)
    assert answer.seconds[0] > passed


@settings(max_examples=60, deadline=None)
@given(fabric=fabrics, nbytes=sizes, n=ranks)
def test_reduce_scatter_and_all_gather_are_one_and_make_an_all_reduce(fabric: Fabric, nbytes: float, n: int) -> None:
    gather = seconds("all_gather", nbytes, n, fabric)
    assert seconds("reduce_scatter", nbytes, n, fabric) == gather
    assert seconds("all_reduce", nbytes, n, fabric) <= 2 * gather + 1e-3


def test_one_rank_takes_no_time_and_rows_are_independent() -> None:
    answer = collective_seconds("all_reduce", [1e6, 1e6, 1e9], [1, 8, 16], HGX)
    assert answer.seconds[0] == 0
    assert answer.seconds[1] == seconds("all_reduce", 1e6, 8, HGX)
    each = collective_seconds("all_reduce", 1e9, [16, 16], [HGX, replace(HGX, technology="efa")])
    assert each.seconds[0] == answer.seconds[2]
    assert each.seconds[1] != each.seconds[0]


def test_a_long_ring_reaches_its_share_of_the_slowest_link() -> None:
    ring = collective_seconds("all_reduce", 2.0**40, 8, HGX, algorithms=("ring",))
    bus = 2.0**40 / ring.seconds[0] * float(bus_factor("all_reduce", 8))
    assert bus == pytest.approx(450e9 * FIT["e_simple"], rel=1e-3)
    # Eight NICs of 50 GB/s carry 400 GB/s; slower ones bind.
    slow = replace(HGX, nic_bytes_per_s=12.5e9, port_bytes_per_s=12.5e9)
    gather = collective_seconds("all_gather", 2.0**40, 64, slow)
    assert 2.0**40 / gather.seconds[0] * float(bus_factor("all_gather", 64)) == pytest.approx(
        8 * 12.5e9 * FIT["net_infiniband"], rel=1e-3
    )
    assert gather.bound[0] == "NIC-bound at tier 2, ring, simple"


@pytest.mark.parametrize("domains", [2, 3, 4, 16])
def test_all_to_all_beyond_the_domain_is_n_over_n_minus_1_of_the_nic(domains: int) -> None:
    n = 8 * domains
    bus = 2.0**44 / seconds("all_to_all", 2.0**44, n, HGX) * float(bus_factor("all_to_all", n))
    rule = domains / (domains - 1) * 50e9 * FIT["a2a_net"] * (n - 1) / n
    assert bus == pytest.approx(rule, rel=0.02)


def test_all_to_all_uses_only_the_ports_a_pair_reaches() -> None:
    two = replace(HGX, nic_bytes_per_s=100e9)
    assert seconds("all_to_all", 8 * GIB, 16, two) == seconds("all_to_all", 8 * GIB, 16, HGX)
    assert seconds("all_to_all", 8 * GIB, 16, replace(two, ports_per_pair=2)) < 0.6 * seconds(
        "all_to_all", 8 * GIB, 16, HGX
    )


def test_oversubscription_slows_all_to_all_alone() -> None:
    narrow = replace(HGX, oversubscription=7.0, tiers=3, radix=64)
    assert narrow.pod == 56 * 32
    leaving = 1 - 56 * 32 / 16_384
    slower = seconds("all_to_all", 2.0**44, 16_384, narrow) / seconds("all_to_all", 2.0**44, 16_384, HGX)
    assert slower == pytest.approx(7 * leaving, rel=0.02)
    assert seconds("all_to_all", 8 * GIB, 1_024, narrow) == seconds("all_to_all", 8 * GIB, 1_024, HGX)
    assert seconds("all_reduce", 8 * GIB, 16_384, narrow) == seconds("all_reduce", 8 * GIB, 16_384, HGX)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_torus_is_bound_by_its_bisection(dims: int) -> None:
    torus = Fabric("t", "ici", "torus", "tpu", 600e9, 4096, 4, 25e9, 25e9, torus_dims=dims)
    for side in (4, 8, 16):
        # n S/4 bytes cross two cuts of side^(dims - 1) links each, a link being 1/(2 dims) of what a chip has.
        n = side**dims
        expected = n * 2.0**44 / 4 / (2 * side ** (dims - 1) * 600e9 / (2 * dims))
        assert seconds("all_to_all", 2.0**44, n, torus) * FIT["a2a_scaleup"] == pytest.approx(expected, rel=0.01)


def test_the_domain_decides_expert_parallelism() -> None:
    """Measured on GB200 within and beyond the rack: 7 to 14 times."""
    inside = seconds("all_to_all", 8 * GIB, 64, NVL72)
    beyond = seconds("all_to_all", 8 * GIB, 64, NVL72.with_domain(4))
    assert 7 < beyond / inside < 16


def test_a_group_with_one_rank_a_domain_has_one_nic() -> None:
    packed = collective_seconds("all_gather", 8 * GIB, 16, HGX)
    spread = collective_seconds("all_gather", 8 * GIB, 16, HGX, per_domain=1)
    assert spread.seconds[0] > 5 * packed.seconds[0]
    assert spread.bound[0].startswith("NIC-bound")


@pytest.mark.parametrize(
    ("kind", "nbytes", "n", "fabric", "bus_gb"),
    [
        # NVIDIA staff on nccl-tests issue 212: about 480 with NVLS, 370 with rings on H100.
        ("all_reduce", 16 * GIB, 8, HGX, 480),
        ("all_gather", 16 * GIB, 8, HGX, 355),
        # CoreWeave nccl-tests README: two racks of GB200.
        ("all_reduce", 8 * GIB, 144, NVL72, 793),
        # Azure baseline of GB300: InfiniBand only, domains of 4.
        ("all_reduce", 16 * GIB, 72, NVL72.with_domain(4), 200),
    ],
)
def test_published_bus_bandwidth(kind: str, nbytes: float, n: int, fabric: Fabric, bus_gb: float) -> None:
    bus = nbytes / seconds(kind, nbytes, n, fabric) * float(bus_factor(kind, n)) / 1e9
    assert bus == pytest.approx(bus_gb, rel=0.10)


def test_low_latency_dispatch_follows_the_published_table() -> None:
    """DeepEP V1, H800 and 400G InfiniBand, 128 tokens: microseconds by size of the expert-parallel group."""
    h800 = replace(HGX, scaleup_bytes_per_s=200e9)
    published = {8: 77, 16: 118, 32: 155, 64: 173, 128: 192, 256: 194}
    for n, us in published.items():
        payload = moe_payload(128, 8, 7168, 1, n, h800, "low_latency")
        found = float(moe_seconds(payload, n, h800, style="low_latency").seconds[0])
        assert found * 1e6 == pytest.approx(us, rel=0.13)


def test_normal_dispatch_sends_a_token_once_to_each_domain() -> None:
    assert float(moe_payload(1, 8, 100, 1, 64, HGX, "normal")) == pytest.approx(800 * (1 - (7 / 8) ** 8))
    assert float(moe_payload(1, 8, 100, 1, 64, HGX, "low_latency")) == 800
    for n in (16, 32, 64):
        # Tokens of a training batch: far above the start.
        time = float(moe_seconds(1e9, n, HGX).seconds[0])
        domains = n / 8
        assert 1e9 / time == pytest.approx(domains / (domains - 1) * 50e9 * FIT["moe_net"])
    with pytest.raises(InputError, match="style"):
        moe_seconds(1.0, 8, HGX, style="slow")


def test_fabrics_of_the_catalog() -> None:
    catalog = Catalog.load()
    h100 = chip_from_record(catalog.get("accelerator", "h100-sxm"))
    for name in catalog.ids("fabric"):
        fabric = fabric_from_record(catalog.get("fabric", name), h100)
        assert fabric.nic_bytes_per_s <= 50e9
        assert seconds("all_reduce", GIB, 64, fabric) > 0
    assert not default_fabric(replace(h100, nic_bytes_per_s=0.0)).nic_stated


def test_a_guessed_nic_rate_widens_the_band_beyond_the_domain_only() -> None:
    guess = replace(HGX, nic_stated=False)
    stated, guessed = (collective_seconds("all_reduce", GIB, 16, f) for f in (HGX, guess))
    assert guessed.high[0] / guessed.low[0] > stated.high[0] / stated.low[0]
    inside = [collective_seconds("all_reduce", GIB, 8, f) for f in (HGX, guess)]
    assert inside[0].high[0] == inside[1].high[0]


def test_wrong_questions() -> None:
    with pytest.raises(InputError, match="all_reduce"):
        collective_seconds("all_reduc", 1.0, 8, HGX)
    with pytest.raises(InputError, match="negative"):
        collective_seconds("all_reduce", -1.0, 8, HGX)
    with pytest.raises(InputError, match="algorithm"):
        collective_seconds("all_gather", 1.0, 8, HGX, algorithms=("NVLS",))
    with pytest.raises(InputError, match="technology"):
        replace(HGX, technology="token-ring")
    with pytest.raises(InputError, match="domain"):
        replace(HGX, domain=0)


def test_many_rows_at_once_are_fast_enough_to_search_with() -> None:
    import time

    start = time.process_time()
    answer = collective_seconds("all_reduce", np.geomspace(1, 1e10, 100_000), 64, HGX)
    assert len(answer.seconds) == 100_000
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize("n", [2, 8, 64, 1000])
def test_without_latency_a_ring_takes_two_n_minus_1_over_n_of_the_bytes(n: int) -> None:
    switched = Fabric("s", "infiniband", "switched", "ampere", 300e9, n, n, 25e9, 25e9, 1)
    found = collective_seconds("all_reduce", GIB, n, switched, algorithms=("ring",), fit=ideal())
    assert found.seconds[0] == pytest.approx(2 * (n - 1) / n * GIB / 300e9, rel=1e-9)
    half = collective_seconds("all_gather", GIB, n, switched, algorithms=("ring",), fit=ideal())
    assert half.seconds[0] == pytest.approx(found.seconds[0] / 2, rel=1e-9)


def test_without_latency_an_exchange_fills_its_port() -> None:
    switched = Fabric("s", "infiniband", "switched", "ampere", 300e9, 64, 64, 25e9, 25e9, 1)
    inside = collective_seconds("all_to_all", GIB, 64, switched, fit=ideal()).seconds[0]
    assert inside == pytest.approx(63 / 64 * GIB / 300e9, rel=1e-9)
    beyond = collective_seconds("all_to_all", GIB, 256, switched, fit=ideal()).seconds[0]
    assert beyond == pytest.approx(3 / 4 * GIB / 25e9, rel=0.01)


def test_more_domains_never_reduce_faster_than_their_nics() -> None:
    for domains in (3, 4, 8, 64):
        n = 8 * domains
        bus = 2.0**36 / seconds("all_reduce", 2.0**36, n, HGX) * float(bus_factor("all_reduce", n))
        assert bus < 8 * 50e9
        # Switches that reduce pass every byte once each way.
        sharp = (
            2.0**36 / seconds("all_reduce", 2.0**36, n, replace(HGX, sharp=True)) * float(bus_factor("all_reduce", n))
        )
        assert sharp > bus


def test_a_network_without_order_knows_no_low_latency_protocol() -> None:
    unordered = collective_seconds("all_reduce", [1024, 2**30], 16, replace(HGX, technology="efa", ordered=False))
    assert all("LL" not in text for text in unordered.bound)
    assert unordered.seconds[0] > seconds("all_reduce", 1024, 16, replace(HGX, technology="efa"))


def test_columns_of_networks_answer_as_fabrics_do() -> None:
    each = [HGX, NVL72, replace(HGX, technology="tcpx"), replace(HGX, oversubscription=7.0)]
    size, n = [2.0**k for k in (10, 22, 30, 33)], [16, 144, 64, 2048]
    one = [seconds("all_reduce", s, k, f) for s, k, f in zip(size, n, each, strict=True)]
    many = collective_seconds("all_reduce", size, n, wires_of(each)).seconds
    assert many.tolist() == one
    # Blocks of rows are one answer.
    long = collective_seconds("all_reduce", np.tile(size, 5000), np.tile(n, 5000), wires_of(each * 5000))
    assert long.seconds.tolist() == one * 5000
    with pytest.raises(InputError, match="4 networks for 3"):
        collective_seconds("all_reduce", size[:3], n[:3], wires_of(each))


def test_expert_tokens_that_leave_a_pod_pass_its_narrow_tier() -> None:
    narrow = replace(HGX, oversubscription=7.0, tiers=3, pod_endpoints=512)
    wide, inside = (float(moe_seconds(1e9, 2048, f).seconds[0]) for f in (narrow, HGX))
    assert wide / inside == pytest.approx(7 * 0.75)
    assert float(moe_seconds(1e9, 256, narrow).seconds[0]) == float(moe_seconds(1e9, 256, HGX).seconds[0])


def test_phases_are_answered_where_they_are_named() -> None:
    """Without latency an all-reduce in phases is its parts one after the other; no library picks it by itself."""
    near, far = 2 * 7 / 8 * GIB / 450e9, 2 * 15 / 16 * GIB / 8 / 50e9
    found = collective_seconds("all_reduce", GIB, 128, HGX, algorithms=("hierarchical",), fit=ideal())
    assert found.seconds[0] == pytest.approx(near + far, rel=1e-9)
    gather = collective_seconds("all_gather", GIB, 128, HGX, algorithms=("hierarchical",), fit=ideal())
    assert gather.seconds[0] == pytest.approx((near + far) / 2, rel=1e-9)
    swap = collective_seconds("all_to_all", GIB, 128, HGX, algorithms=("hierarchical",), fit=ideal())
    assert swap.seconds[0] == pytest.approx(7 / 8 * GIB / 450e9 + 15 / 16 * GIB / 50e9, rel=1e-9)
    assert all("hierarchical" not in collective_seconds(k, [1e3, 1e9], 4096, HGX).bound[0] for k in LINES)
    # Far fewer steps cross the network: a small gather over many hosts gains most.
    small = collective_seconds("all_gather", 2**16, 1024, HGX, algorithms=("hierarchical",)).seconds[0]
    assert small < 0.25 * seconds("all_gather", 2**16, 1024, HGX)
    # One domain has no second phase.
    assert np.isinf(collective_seconds("all_reduce", GIB, 8, HGX, algorithms=("hierarchical",)).seconds[0])
    assert "hierarchical" in algorithms_of("reduce_scatter") and "hierarchical" not in algorithms_of("broadcast")


def test_two_ranks_have_one_band_however_many_there_are() -> None:
    few, many = (collective_seconds("send_recv", GIB, n, HGX) for n in (16, 2048))
    assert many.high[0] / many.seconds[0] == few.high[0] / few.seconds[0]
    wide, narrow = (collective_seconds("all_reduce", GIB, n, HGX) for n in (2048, 16))
    assert wide.high[0] / wide.seconds[0] > narrow.high[0] / narrow.seconds[0]

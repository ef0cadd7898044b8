"""The host: laws of copies, published bandwidths of links, offload against ZeRO-Offload and SuperOffload."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip.host import (
    DIRECTIONS,
    HostPath,
    host_path,
    move_seconds,
    offload,
    offloaded_step,
    optimizer_seconds,
)

CATALOG = Catalog.load()
HOSTS = CATALOG.ids("host")
hosts = st.sampled_from(HOSTS)
sharers = st.integers(1, 8)
sizes = st.floats(1, 1e13)


def path(name: str, chips: float = 1) -> HostPath:
    return host_path(CATALOG.get("host", name), chips)


@given(name=hosts, chips=sharers, size=sizes, more=st.floats(1, 10), direction=st.sampled_from(DIRECTIONS))
def test_a_faster_link_is_never_slower(name: str, chips: int, size: float, more: float, direction: str) -> None:
    slow = path(name, chips)
    fast = replace(
        slow,
        to_device_bytes_per_s=slow.to_device_bytes_per_s * more,
        to_host_bytes_per_s=slow.to_host_bytes_per_s * more,
    )
    assert move_seconds(fast, size, direction) <= move_seconds(slow, size, direction)  # type: ignore[arg-type]
    wide = replace(slow, stream_bytes_per_s=slow.stream_bytes_per_s * more)
    assert move_seconds(wide, size, direction) <= move_seconds(slow, size, direction)  # type: ignore[arg-type]


@given(name=hosts, chips=sharers, size=sizes, more=st.floats(1, 10))
def test_more_bytes_never_take_less_and_none_take_none(name: str, chips: int, size: float, more: float) -> None:
    p = path(name, chips)
    assert move_seconds(p, size * more) >= move_seconds(p, size)
    assert move_seconds(p, 0.0) == 0.0
    # No copy beats the link's peak or the memory it reads.
    peak = float(CATALOG.get("host", name).link.bandwidth.value)
    assert move_seconds(p, size) >= size / min(peak, p.stream_bytes_per_s)


@given(name=hosts, size=sizes, few=sharers, more=st.integers(0, 8))
def test_company_on_the_socket_never_helps(name: str, size: float, few: int, more: int) -> None:
    assert move_seconds(path(name, few + more), size) >= move_seconds(path(name, few), size)
    assert move_seconds(path(name, few + more), size, busy=0.0) == pytest.approx(float(move_seconds(path(name), size)))


@given(name=hosts, size=sizes, compute=st.floats(0, 100), overlap=st.floats(0, 1), less=st.floats(0, 1))
def test_what_is_hidden_and_what_is_exposed_are_the_copy(
    name: str, size: float, compute: float, overlap: float, less: float
) -> None:
    found = offload(path(name), size, compute, overlap=overlap)
    assert found.hidden_s + found.exposed_s == pytest.approx(float(found.transfer_s))
    assert 0 <= found.hidden_s <= overlap * compute * (1 + 1e-12)
    assert offload(path(name), size, compute, overlap=overlap * less).exposed_s >= found.exposed_s


def test_columns_at_once_equal_one_by_one():
    p, size = path("grace", 2), np.array([0.0, 1e6, 1e9, 1e11])
    compute = np.array([[0.1], [1.0]])
    whole = offload(p, size, compute)
    assert whole.exposed_s.shape == (2, 4)
    for i in range(2):
        for j in range(4):
            assert whole.exposed_s[i, j] == pytest.approx(float(offload(p, size[j], compute[i, 0]).exposed_s))


def test_measured_bandwidths_of_links():
    """A GB of a large copy: 375 and 297 GB/s on C2C (GH200), 55.6 on PCIe 5, 24.8 on PCIe 4, as measured."""
    large = 64e9
    for name, direction, wanted in (
        ("grace", "to_device", 375e9),
        ("grace", "to_host", 297e9),
        ("xeon-8570", "to_device", 55.6e9),
        ("epyc-7742", "to_device", 24.8e9),
    ):
        assert large / float(move_seconds(path(name), large, direction)) == pytest.approx(wanted, rel=0.01)  # type: ignore[arg-type]
    # No measurement of Vera: twice the lanes' peak of Grace, the same share of it.
    assert path("vera").to_device_bytes_per_s == pytest.approx(2 * 375e9, rel=0.02)


def test_a_small_copy_costs_its_latency():
    p = path("xeon-8570")
    assert float(move_seconds(p, 4096.0)) == pytest.approx(p.latency_s, rel=0.02)
    assert float(move_seconds(p, 4096.0, copies=100)) == pytest.approx(100 * p.latency_s, rel=0.02)


def test_the_coherent_link_against_pcie():
    """7 times a PCIe 5 link in data sheets (450 over 63); 6.7 as measured."""
    ratio = path("grace").to_device_bytes_per_s / path("xeon-8570").to_device_bytes_per_s
    assert 6.0 < ratio < 7.2
    assert path("grace").coherent and not path("xeon-8570").coherent


def test_superoffload_against_zero_offload_on_one_gh200():
    """Fine-tuning Qwen3-14B, 4 x 4096 tokens on a GH200: DeepSpeed's own examples give about half more throughput with
    SuperOffload (the README of DeepSpeed-SuperOffload), up to 600 model TFLOP/s (PyTorch blog)."""
    parameters, tokens = 14.8e9, 4 * 4096
    compute_s = 6 * parameters * tokens / 600e12
    p = path("grace")
    zero = compute_s + float(offloaded_step(p, parameters, compute_s, overlap=0.0).exposed_s)
    super_ = compute_s + float(offloaded_step(p, parameters, compute_s, overlap=1.0).exposed_s)
    assert super_ == pytest.approx(compute_s)
    assert 1.25 < zero / super_ < 1.75
    # ZeRO-Offload kept the GPU busy about half of the time there, SuperOffload above 0.8 (PyTorch blog).
    assert 0.5 < compute_s / zero < 0.8


def test_small_batches_gain_most_from_overlap():
    """Up to four times at the smallest batches in the same blog: the optimizer is a fixed cost."""
    p, parameters = path("grace"), 14.8e9
    compute = 6 * parameters * np.array([4096.0, 16384.0, 65536.0]) / 600e12
    zero = compute + offloaded_step(p, parameters, compute, overlap=0.0).exposed_s
    both = compute + offloaded_step(p, parameters, compute, overlap=1.0).exposed_s
    gain = zero / both
    assert gain[0] > gain[2] and 1.0 < gain[2] < 1.3 < gain[0] < 4.0


def test_the_optimizer_is_bound_by_host_memory():
    """28 bytes a parameter over 486 GB/s: 57.6 ms for a billion; four accelerators on a socket take four times as long."""
    assert float(optimizer_seconds(path("grace"), 1e9)) == pytest.approx(28e9 / 486e9, rel=1e-6)
    assert optimizer_seconds(path("grace", 4), 1e9) == pytest.approx(4 * optimizer_seconds(path("grace"), 1e9))


def test_platforms_point_to_their_host():
    named = [p for p in CATALOG.all("platform") if p.host]
    assert {"gb300-nvl72", "gb200-nvl72", "hgx-b200", "hgx-h100", "mi355x-8", "vr-nvl72"} <= {p.id for p in named}
    for platform in named:
        p = host_path(CATALOG.get("host", platform.host), platform.chips_per_host)
        assert platform.chips_per_node % platform.chips_per_host == 0, platform.id
        assert p.memory_bytes > CATALOG.get("accelerator", platform.accelerator).memory.value * 0.5, platform.id
    sockets = CATALOG.get("platform", "gb300-nvl72")
    assert sockets.chips_per_rack / sockets.chips_per_host == 36


def test_what_can_not_be_says_what_would_be_right():
    with pytest.raises(InputError, match="0 accelerators to a socket"):
        path("grace", 0)
    with pytest.raises(InputError, match="did you mean 'to_host'"):
        move_seconds(path("grace"), 1.0, "to_hots")  # type: ignore[arg-type]

"""Watts of chips and racks: bounds, monotony, published racks and nodes."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import (
    Box,
    Chip,
    PowerMode,
    box_from_record,
    box_watts,
    capped,
    chip_from_record,
    chip_watts,
    mode_named,
    power_constants,
)

CATALOG = Catalog.load()
share = st.floats(0, 1)


def chip(name: str) -> Chip:
    return chip_from_record(CATALOG.get("accelerator", name))


def box(name: str) -> Box:
    platform = CATALOG.get("platform", name)
    return box_from_record(platform, CATALOG.get("accelerator", platform.accelerator))


def test_every_accelerator_is_read_or_says_what_it_lacks() -> None:
    lacking = {}
    for name in CATALOG.ids("accelerator"):
        try:
            found = chip(name)
        except InputError as error:
            lacking[name] = str(error)
        else:
            assert 0 < found.idle_w < found.tdp_w
            assert found.memory_bytes > 1e8
            assert found.memory_bytes_per_s > 1e11
    assert all("has no published" in text and "overlay" in text for text in lacking.values())
    assert not {"h100-sxm", "h200-sxm", "b200-sxm", "gb200", "gb300", "mi300x", "tpu7x", "trainium2"} & set(lacking)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["h100-sxm", "b200-sxm", "gb300", "mi355x", "tpu7x"]),
    uc=share,
    um=share,
    busy=share,
    cap=st.floats(0.4, 1),
)
def test_watts_lie_between_idle_and_cap_and_grow_with_load(
    name: str, uc: float, um: float, busy: float, cap: float
) -> None:
    c = chip(name)
    mode = PowerMode("some", cap, 1.0)
    watts = float(chip_watts(c, uc, um, busy, mode))
    assert min(c.idle_w, cap * c.tdp_w) <= watts <= cap * c.tdp_w
    assert watts <= float(chip_watts(c, uc, um, busy)) + 1e-9
    more = chip_watts(c, [min(1, uc + 0.1), uc, uc], [um, min(1, um + 0.1), um], [busy, busy, min(1, busy + 0.1)], mode)
    assert bool(np.all(more >= watts - 1e-9))


def test_plateaus_are_in_order_and_compute_reaches_the_limit() -> None:
    c = chip("h100-sxm")
    waiting, memory, compute = chip_watts(c, [0, 0.02, 0.7], [0, 0.8, 0.3], [0, 1, 1])
    assert waiting < memory < compute
    # H200-class kernels draw 99 % of the limit in large products; weight streaming three quarters and more.
    assert compute > 0.95 * c.tdp_w
    assert 0.6 * c.tdp_w < memory < 0.9 * c.tdp_w


def test_nearest_kin_is_named_and_has_a_wider_band() -> None:
    own, kin = power_constants(chip("h100-sxm")), power_constants(chip("tpu7x"))
    assert own.nearness == "measured"
    assert own.note == ""
    assert kin.nearness == "kin"
    assert "h100-sxm" in kin.note
    assert kin.high / kin.low > own.high / own.low


def test_a_cap_slows_compute_by_its_square_root_and_not_memory() -> None:
    mode = capped(0.81)
    assert mode.compute_share == pytest.approx(0.9)
    assert mode.memory_share == 1.0
    with pytest.raises(InputError, match="outside"):
        capped(0.1)


def test_a_cap_leaves_work_below_it_alone_and_a_profile_does_not() -> None:
    c = chip("h100-sxm")
    profile = PowerMode("profile", 0.81, 0.95, 0.97)
    decode, prefill = [0.02, 0.6], [0.8, 0.2]
    full, cap, slowed = (chip_watts(c, decode, prefill, mode=m) for m in (None, capped(0.81), profile))
    assert cap[0] == full[0] < 0.81 * c.tdp_w
    assert cap[1] == pytest.approx(0.81 * c.tdp_w)
    assert cap[1] < full[1]
    np.testing.assert_allclose(slowed, 0.81 * full)


def test_modes_of_a_platform_by_name() -> None:
    b = box("gb300-nvl72")
    assert mode_named(b, "efficient").power_share < 1
    with pytest.raises(InputError, match="power mode"):
        mode_named(b, "eficient")


def test_a_platform_takes_only_its_own_accelerator_and_wires_its_own_domain() -> None:
    with pytest.raises(InputError, match="holds"):
        box_from_record(CATALOG.get("platform", "hgx-h100"), CATALOG.get("accelerator", "h200-sxm"))
    assert box("gb200-nvl72").chip.scaleup_domain == 72


@settings(max_examples=40, deadline=None)
@given(watts=st.floats(50, 700), load=share)
def test_parts_of_a_rack_sum_to_its_input(watts: float, load: float) -> None:
    b = box("hgx-h100")
    w = box_watts(b, watts, load)
    parts = w.chips_w + w.host_w + w.fabric_w + w.nic_w + w.fan_w
    assert float(w.total_w) == pytest.approx(float(parts) / b.supply_efficiency, rel=1e-12)
    assert float(w.chips_w) == pytest.approx(b.chips * watts)
    assert float(w.total_w) <= float(box_watts(b, 700.0, 1.0).total_w) + 1e-6


@pytest.mark.parametrize(
    ("name", "share_of_tdp", "kw", "within"),
    [
        # Published rack and pod figures, of all chips near their limit.
        ("gb200-nvl72", 1.0, 126.0, 0.05),  # 120 to 132 kW
        ("gb300-nvl72", 1.0, 142.0, 0.05),  # NVIDIA Enterprise RA: up to 142 kW
        ("tpu7x-9216", 0.95, 10_000.0, 0.05),  # Google: nearly 10 MW
        ("cloudmatrix-384", 1.0, 559.0, 0.05),  # SemiAnalysis
        ("hgx-h100", 1.0, 4 * 8.4, 0.05),  # Latif, Newkirk et al.: 8.4 kW at most for a node of 8, four nodes here
    ],
)
def test_racks_at_full_power(name: str, share_of_tdp: float, kw: float, within: float) -> None:
    b = box(name)
    assert float(box_watts(b, share_of_tdp * b.chip.tdp_w).total_w) / 1e3 == pytest.approx(kw, rel=within)


@pytest.mark.truth
def test_single_nodes_of_mlperf_training() -> None:
    """One node at 0.95 of the limit, the share of independent GPU measurements in training; fans off where immersed."""
    root = os.environ.get("GIGAWATT_TRUTH")
    if not root:
        pytest.skip("GIGAWATT_TRUTH is not set")
    with (Path(root) / "facts" / "power_truth.csv").open(encoding="utf-8") as stream:
        rows = {row["id"]: float(row["value"]) for row in csv.DictReader(stream) if row["id"].startswith("mlpt")}
    off = []
    for row, name in (
        ("mlpt4-llama2_70b_lora", "hgx-h100"),
        ("mlpt4-resnet", "hgx-h100"),
        ("mlpt4-64n-gpt3", "hgx-h100"),
        ("mlpt5-llama2_70b_lora", "hgx-b200"),
        ("mlpt5-stable_diffusion", "hgx-b200"),
        ("mlpt5-bert", "hgx-b200"),
    ):
        b = box(name)
        w = box_watts(b, 0.95 * b.chip.tdp_w)
        node = float(w.total_w - w.fan_w / b.supply_efficiency) * b.chips_per_node / b.chips
        off.append(abs(node / rows[row] - 1))
    assert np.mean(off) < 0.05

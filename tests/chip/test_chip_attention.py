"""Attention kernels: laws that hold for every fitted chip, exact counts, limits of the data sheet, held-out bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Chip, chip_from_record
from gigawatt.physics.chip.attention import (
    decode_seconds,
    encoder_seconds,
    mla_decode_seconds,
    mla_prefill_seconds,
    prefill_seconds,
)
from gigawatt.physics.chip.prefill import causal_keys

CATALOG = Catalog.load()
FAMILIES = ("prefill", "decode", "mla-prefill", "mla-decode", "encoder")
HBM = ("a100-sxm-80gb", "h100-sxm", "h200-sxm", "b200-sxm", "gb200", "b300-sxm", "gb300")
Case = tuple[str, Chip, Mapping[str, Any]]


def _cases() -> list[Case]:
    found = []
    for family in FAMILIES:
        table = CATALOG.get("calibration", f"chip-{family}").tables["rows"]
        for name, rows in table.items():
            chip = chip_from_record(CATALOG.get("accelerator", name))
            found += [(family, chip, fit) for fit in rows["fits"]]
    return found


CASES = _cases()
case = st.sampled_from(CASES)
groups = st.sampled_from([(8, 8), (32, 8), (16, 2), (64, 8), (24, 4), (96, 8)])


def seconds(
    one: Case, batch: int, length: Any, heads: tuple[int, int], dim: int = 128, chip: Chip | None = None, **more: Any
) -> np.ndarray[Any, Any]:
    family, own, fit = one
    c = chip or own
    asked, kept = fit["precision"].split("/")
    kv = {"kv_bytes": 1.0 if kept == "fp8" else 2.0}
    peak = c.peak_flops["fp8" if asked == "fp8" and "decode" not in family else "bf16"]
    h, hkv = heads
    if family == "prefill":
        value = {"value_bytes": 1.0 if asked == "fp8" else 2.0}
        return prefill_seconds(c, batch, length, h, hkv, dim, peak, fit, **value, **kv, **more)
    if family == "decode":
        return decode_seconds(c, batch, length, h, hkv, dim, peak, fit, **kv, **more)
    if family == "mla-prefill":
        return mla_prefill_seconds(c, batch, length, h, peak, fit, **kv)
    if family == "mla-decode":
        return mla_decode_seconds(c, batch, length, h, peak, fit, **kv)
    return encoder_seconds(c, batch, length, h, dim, peak, fit)


def roof(one: Case, batch: int, length: int, heads: tuple[int, int], dim: int = 128) -> float:
    """What no kernel can beat: its products at the peak and its operands, once, at the memory's bandwidth."""
    family, c, fit = one
    asked, kept = fit["precision"].split("/")
    value, kv = (1.0 if asked == "fp8" else 2.0), (1.0 if kept == "fp8" else 2.0)
    peak = c.peak_flops["fp8" if asked == "fp8" and "decode" not in family else "bf16"]
    h, hkv = heads
    if family in ("mla-prefill", "mla-decode"):
        dim, hkv = 160, h
    if family == "mla-decode":
        flops, moved = 4.0 * batch * h * length * 544, batch * length * 576 * kv
    elif family == "decode":
        flops, moved = 4.0 * batch * h * length * dim, 2.0 * batch * hkv * length * dim * kv
    else:
        pairs = float(length) ** 2 if family == "encoder" else length**2 / 2.0
        hkv = h if family == "encoder" else hkv
        flops, moved = 4.0 * batch * h * pairs * dim, 2.0 * batch * length * dim * (h * value + hkv * kv)
    return max(flops / peak, moved / c.memory_bytes_per_s)


@settings(max_examples=150, deadline=None)
@given(one=case, batch=st.integers(1, 256), length=st.integers(1, 40_000), heads=groups)
def test_nothing_beats_the_data_sheet(one: Case, batch: int, length: int, heads: tuple[int, int]) -> None:
    assert seconds(one, batch, length, heads)[0] >= roof(one, batch, length, heads) * (1 - 1e-9)


@settings(max_examples=150, deadline=None)
@given(one=case, batch=st.integers(1, 256), length=st.integers(1, 40_000), heads=groups, more=st.floats(1.0, 3.0))
def test_more_bandwidth_or_peak_is_never_slower(
    one: Case, batch: int, length: int, heads: tuple[int, int], more: float
) -> None:
    c = one[1]
    base = seconds(one, batch, length, heads)[0]
    faster = replace(c, peak_flops={k: more * v for k, v in c.peak_flops.items()})
    wider = replace(c, memory_bytes_per_s=more * c.memory_bytes_per_s)
    assert seconds(one, batch, length, heads, chip=faster)[0] <= base * (1 + 1e-12)
    assert seconds(one, batch, length, heads, chip=wider)[0] <= base * (1 + 1e-12)


@settings(max_examples=150, deadline=None)
@given(one=case, batch=st.integers(1, 64), length=st.integers(1, 32_000), heads=groups, more=st.integers(1, 4_000))
def test_a_longer_prompt_is_never_faster(one: Case, batch: int, length: int, heads: tuple[int, int], more: int) -> None:
    if "decode" in one[0]:
        return
    short, long = seconds(one, batch, [length, length + more], heads)
    assert long >= short * (1 - 1e-9)


@settings(max_examples=150, deadline=None)
@given(one=case, batch=st.integers(1, 64), length=st.integers(1, 32_000), heads=groups)
def test_a_cache_twice_as_long_is_never_faster(one: Case, batch: int, length: int, heads: tuple[int, int]) -> None:
    """Twice, for a step's time is a staircase: one more split of a sequence can save more than a key costs."""
    short, long = seconds(one, batch, [length, 2 * length], heads)
    assert long >= short * (1 - 1e-9)


@settings(max_examples=150, deadline=None)
@given(
    one=case, batch=st.integers(1, 64), length=st.integers(1, 64_000), window=st.sampled_from([128, 512, 1024, 8192])
)
def test_a_window_is_never_slower_where_heads_stay_grouped(one: Case, batch: int, length: int, window: int) -> None:
    family, _, fit = one
    if family not in ("prefill", "decode") or fit.get("lone_window", 0) > 0:
        return
    full = seconds(one, batch, length, (32, 8))[0]
    windowed = seconds(one, batch, length, (32, 8), window=window)[0]
    # A planned combine and the edge blocks of a window stay; they are worth a launch, no more.
    slack = (fit["r0"] + fit["r1"] * 32) * 1e-6 if family == "decode" else 0.0
    assert windowed <= full * (1 + 1e-9) + slack


def test_keys_of_tiles_are_exact_when_lengths_fill_them() -> None:
    for length, past in ((1024, 0), (1024, 512), (128, 0)):
        expected = sum(past + 64 * (i + 1) for i in range(length // 64))
        one = np.array([float(length)])
        tiles, keys, longest = causal_keys(one, np.array([float(past)]), np.array([1e9]), 64.0)
        assert (tiles[0], keys[0], longest[0]) == (length / 64, expected, past + length)


def test_a_long_window_counts_its_keys() -> None:
    """4,096 tokens, window 1,024, tiles of 64: the first 17 tiles rise to 1,088 keys, the others stay there."""
    one = np.array([4096.0])
    _, keys, longest = causal_keys(one, np.array([0.0]), np.array([1024.0]), 64.0)
    assert longest[0] == 1088
    assert keys[0] == sum(min(64 * (i + 1), 1088) for i in range(64))


def test_an_encoder_does_twice_the_products_of_a_long_causal_prompt() -> None:
    fit = CATALOG.get("calibration", "chip-prefill").tables["rows"]["h100-sxm"]["fits"][0]
    chip = chip_from_record(CATALOG.get("accelerator", "h100-sxm"))
    peak = chip.peak_flops["bf16"]
    both, half = (prefill_seconds(chip, 4, 65_536, 32, 32, 128, peak, fit, causal=c)[0] for c in (False, True))
    assert both / half == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize("name", ["h100-sxm", "b200-sxm", "gb300"])
def test_large_decode_streams_the_cache_from_memory(name: str) -> None:
    """Even a cache that fits L2 comes from memory: benchmark loops that re-read it flatter."""
    for one in (x for x in CASES if x[0] == "decode" and x[1].name == name and x[2]["precision"] == "bf16/bf16"):
        moved = 256 * 4096 * 8 * 2 * 128 * 2
        assert 0.7 < moved / seconds(one, 256, 4096, (32, 8))[0] / one[1].memory_bytes_per_s < 1.0
        small = seconds(one, 16, 1024, (32, 8))[0]
        assert seconds(one, 16, 1024, (32, 8), resident=True)[0] < small


@pytest.mark.parametrize(
    ("family", "precision", "chips", "bar"),
    [
        ("prefill", "bf16/bf16", HBM, 0.08),
        ("decode", "bf16/bf16", ("b200-sxm", "gb200", "b300-sxm", "gb300"), 0.065),
        ("decode", "bf16/fp8", ("b200-sxm", "gb200", "b300-sxm", "gb300"), 0.065),
        ("decode", "bf16/bf16", ("h100-sxm", "h200-sxm"), 0.08),
        ("decode", "bf16/fp8", ("h100-sxm", "h200-sxm"), 0.13),
        ("mla-prefill", "bf16/bf16", HBM, 0.05),
        ("mla-decode", "bf16/bf16", HBM, 0.09),
        ("mla-decode", "bf16/fp8", HBM[1:], 0.09),
    ],
)
def test_one_engine_of_every_chip_keeps_the_bar(
    family: str, precision: str, chips: tuple[str, ...], bar: float
) -> None:
    rows = CATALOG.get("calibration", f"chip-{family}").tables["rows"]
    for name in chips:
        fits = [fit for fit in rows[name]["fits"] if fit["precision"] == precision]
        assert min(fit["median"] for fit in fits) <= bar
        for fit in fits:
            assert fit["median"] < fit["null_median"]
            assert fit["low"] < 1.0 < fit["high"]

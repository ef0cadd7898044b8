"""Matrix products: laws of the form, its reduced form, L2 in benchmarks only, errors of the packaged measured sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Chip, calibration_for, chip_from_record, kernel_seconds, peak_of
from gigawatt.physics.chip.gemm import gemm_seconds, smooth_max

CATALOG = Catalog.load()
CHIPS = ["a100-sxm-80gb", "h100-sxm", "h200-sxm", "b200-sxm", "gb200", "b300-sxm", "gb300", "l40s", "rtx-pro-6000"]
size = st.integers(2, 128).map(lambda x: 128 * x)


def chip(name: str) -> Chip:
    return chip_from_record(CATALOG.get("accelerator", name))


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(CHIPS), m=st.integers(1, 20_000), n=size, k=size)
def test_no_product_beats_the_data_sheet(name: str, m: int, n: int, k: int) -> None:
    c = chip(name)
    seconds = float(kernel_seconds(c, "gemm", "bf16", m=m, n=n, k=k).seconds[0])
    roof = max(2.0 * m * n * k / peak_of(c, "bf16"), 2.0 * (n * k + m * k + m * n) / c.memory_bytes_per_s)
    assert seconds > roof
    assert seconds < 40 * roof + 60e-6


@settings(max_examples=40, deadline=None)
@given(
    precision=st.sampled_from(["bf16", "fp8", "fp4"]),
    m=st.integers(1, 8_000),
    n=size,
    k=size,
    more=st.floats(1.0, 3.0),
    what=st.sampled_from(["memory", "peak", "both"]),
)
def test_more_bandwidth_or_arithmetic_is_never_slower(
    precision: str, m: int, n: int, k: int, more: float, what: str
) -> None:
    c = chip("b200-sxm")
    better = replace(
        c,
        memory_bytes_per_s=(more if what != "peak" else 1.0) * c.memory_bytes_per_s,
        peak_flops={key: (more if what != "memory" else 1.0) * value for key, value in c.peak_flops.items()},
    )
    for reduced in (False, True):
        slow, fast = (
            float(kernel_seconds(x, "gemm", precision, m=[m], n=[n], k=[k], reduced=reduced).seconds[0])
            for x in (c, better)
        )
        assert fast <= slow * (1 + 1e-9)


@settings(max_examples=40, deadline=None)
@given(m=st.integers(1, 64).map(lambda x: 256 * x), n=size, k=size)
def test_twice_the_rows_never_take_less(m: int, n: int, k: int) -> None:
    once, twice = kernel_seconds(chip("h100-sxm"), "gemm", "fp8", m=[m, 2 * m], n=n, k=k).seconds
    assert twice >= once * (1 - 1e-12)


@pytest.mark.parametrize("name", CHIPS[:7])
def test_large_products_and_weight_streaming_reach_what_was_measured(name: str) -> None:
    c = chip(name)
    big, thin = kernel_seconds(c, "gemm", "bf16", m=[8192, 8], n=8192, k=8192).seconds
    assert 0.62 < 2.0 * 8192**3 / big / peak_of(c, "bf16") < 0.92
    assert 0.6 < 2.0 * 8192**2 / thin / c.memory_bytes_per_s < 0.95


def test_the_smooth_maximum_is_no_less_than_the_maximum_and_no_more_than_the_sum() -> None:
    a, b = np.array([1e-6, 3e-3, 5.0]), np.array([2e-6, 3e-3, 1e-9])
    for p in (1.0, 2.2, 12.0):
        joined = smooth_max(a, b, p)
        assert np.all(joined >= np.maximum(a, b))
        assert np.all(joined <= (a + b) * (1 + 1e-12))
    assert smooth_max(a, b, 2.0) == pytest.approx(np.hypot(a, b))


def test_what_stays_in_l2_is_faster_in_benchmarks_only() -> None:
    """A weight of 8 MB fits the L2 of an L40S: a loop reads it there, a model's layers do not."""
    c = chip("l40s")
    fit = calibration_for(c, "gemm", "bf16")
    peak = peak_of(c, "bf16")
    loop = gemm_seconds(c, [8.0], [2048.0], [2048.0], "bf16", peak, fit, resident=True)[0]
    served = gemm_seconds(c, [8.0], [2048.0], [2048.0], "bf16", peak, fit)[0]
    assert loop < 0.8 * served
    large = {"m": [8.0], "n": [32768.0], "k": [16384.0]}
    assert kernel_seconds(c, "gemm", "bf16", resident=True, **large).seconds[0] == pytest.approx(
        kernel_seconds(c, "gemm", "bf16", **large).seconds[0], rel=0.01
    )


def test_the_reduced_form_adds_the_error_it_states() -> None:
    rng = np.random.default_rng(1)
    m = np.exp(rng.uniform(0, np.log(16_384), 4_000)).round()
    n, k = 128 * rng.integers(2, 128, 4_000), 128 * rng.integers(2, 128, 4_000)
    for precision in ("bf16", "fp8", "fp4"):
        few = kernel_seconds(chip("b200-sxm"), "gemm", precision, m=m, n=n, k=k, reduced=True).seconds
        full = kernel_seconds(chip("b200-sxm"), "gemm", precision, m=m, n=n, k=k).seconds
        off = np.abs(few / full - 1)
        assert np.median(off) < 0.10
        assert np.quantile(off, 0.9) < 0.30


def test_a_fused_quantise_pass_costs_nothing() -> None:
    columns = {"m": [4096], "n": [512], "k": [8192]}
    c = chip("h100-sxm")
    fit = calibration_for(c, "gemm", "fp8")
    apart = kernel_seconds(c, "gemm", "fp8", **columns).seconds[0]
    fused = kernel_seconds(c, "gemm", "fp8", fused_quantise=True, **columns).seconds[0]
    assert apart - fused == pytest.approx(4096 * (fit["qb"] * 8192 / c.memory_bytes_per_s + fit["qr"] * 1e-9), rel=1e-6)


def test_long_columns_give_the_same_as_rows_one_by_one() -> None:
    rng = np.random.default_rng(2)
    m, n, k = rng.integers(1, 9_000, 9_000), 128 * rng.integers(2, 64, 9_000), 128 * rng.integers(2, 64, 9_000)
    c = chip("h200-sxm")
    whole = kernel_seconds(c, "gemm", "fp8_block", m=m, n=n, k=k).seconds
    some = [0, 4_095, 8_191, 8_192, 8_999]
    alone = [float(kernel_seconds(c, "gemm", "fp8_block", m=m[i], n=n[i], k=k[i]).seconds[0]) for i in some]
    assert whole[some] == pytest.approx(alone, rel=1e-12)


def test_chips_without_multiprocessors_have_no_waves() -> None:
    c = replace(chip("h100-sxm"), sms=2)
    seconds = kernel_seconds(c, "gemm", "bf16", m=[100, 128], n=4096, k=4096).seconds
    assert seconds[1] >= seconds[0]

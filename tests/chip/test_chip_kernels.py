"""Kernel times: laws, sizes of the numbers, kin and bands, the reduced form against the full one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import Chip, calibration_for, chip_from_record, kernel_seconds, peak_of
from gigawatt.physics.chip.experts import active_experts

CATALOG = Catalog.load()
CHIPS = ["a100-sxm-80gb", "h100-sxm", "h200-sxm", "b200-sxm", "gb200", "b300-sxm", "gb300"]
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
    assert seconds < 40 * roof + 40e-6


@settings(max_examples=30, deadline=None)
@given(m=st.integers(1, 8_000), n=size, k=size, more=st.floats(1.0, 3.0))
def test_a_chip_with_more_of_everything_is_never_slower(m: int, n: int, k: int, more: float) -> None:
    c = chip("h100-sxm")
    better = replace(
        c,
        memory_bytes_per_s=more * c.memory_bytes_per_s,
        peak_flops={key: more * value for key, value in c.peak_flops.items()},
    )
    columns = {"m": [m], "n": [n], "k": [k]}
    slow, fast = (float(kernel_seconds(x, "gemm", "bf16", **columns).seconds[0]) for x in (c, better))
    assert fast <= slow * (1 + 1e-12)


@pytest.mark.parametrize("name", CHIPS)
def test_large_products_and_weight_streaming_reach_what_was_measured(name: str) -> None:
    c = chip(name)
    big, thin = kernel_seconds(c, "gemm", "bf16", m=[8192, 8], n=8192, k=8192).seconds
    assert 0.62 < 2.0 * 8192**3 / big / peak_of(c, "bf16") < 0.92
    assert 0.6 < 2.0 * 8192**2 / thin / c.memory_bytes_per_s < 0.95


def test_reduced_form_agrees_with_the_full_one() -> None:
    rng = np.random.default_rng(1)
    m, n, k = rng.integers(1, 16_384, 3_000), 128 * rng.integers(2, 128, 3_000), 128 * rng.integers(2, 128, 3_000)
    for precision, worst in (("bf16", 0.03), ("fp8", 0.08), ("fp4", 0.05)):
        few = kernel_seconds(chip("b200-sxm"), "gemm", precision, m=m, n=n, k=k).seconds
        full = kernel_seconds(chip("b200-sxm"), "gemm", precision, m=m, n=n, k=k, full=True).seconds
        assert np.all(few >= full * (1 - 1e-12))
        assert np.median(few / full - 1) < 0.01
        assert np.quantile(few / full - 1, 0.9) < worst


def test_a_fused_quantise_pass_costs_nothing() -> None:
    columns = {"m": [4096], "n": [512], "k": [8192]}
    c = chip("h100-sxm")
    apart = kernel_seconds(c, "gemm", "fp8", **columns).seconds[0]
    fused = kernel_seconds(c, "gemm", "fp8", fused_quantise=True, **columns).seconds[0]
    assert apart - fused == pytest.approx(6.27 * 4096 * 8192 / 3.35e12, rel=0.01)


def test_expected_experts() -> None:
    one, many = active_experts(np.array([1.0, 1e6]), np.array([8.0]), np.array([256.0]))
    assert one == pytest.approx(8.0)
    assert many == pytest.approx(256.0)


def test_experts_stream_their_weights_in_small_batches() -> None:
    c = chip("h100-sxm")
    columns = {"hidden": 7168, "width": 2048, "experts": 256, "topk": 8}
    seconds = kernel_seconds(c, "moe", "fp8_block", tokens=[1024], **columns).seconds[0]
    assert seconds > 256 * 3 * 7168 * 2048 / c.memory_bytes_per_s
    fewer = kernel_seconds(c, "moe", "fp8_block", tokens=[1024], local_experts=32, **columns).seconds[0]
    assert fewer < 0.3 * seconds


def test_unmeasured_chips_take_kin_with_wider_bands() -> None:
    own, sister, kin = (calibration_for(chip(x), "gemm", "bf16") for x in ("h100-sxm", "h20", "mi300x"))
    assert (own.nearness, sister.nearness, kin.nearness) == ("measured", "generation", "kin")
    assert own.high / own.low < sister.high / sister.low < kin.high / kin.low
    found = kernel_seconds(chip("mi300x"), "gemm", "bf16", m=4096, n=4096, k=4096)
    assert "another generation" in found.note
    assert found.low[0] < found.seconds[0] < found.high[0]


def test_a_precision_without_units_runs_at_the_next_rate() -> None:
    assert peak_of(chip("h100-sxm"), "fp4") == peak_of(chip("h100-sxm"), "fp8")
    assert peak_of(chip("a100-sxm-80gb"), "fp8") == peak_of(chip("a100-sxm-80gb"), "bf16")


def test_engines_have_their_own_constants() -> None:
    best = calibration_for(chip("h100-sxm"), "gemm", "fp8")
    assert calibration_for(chip("h100-sxm"), "gemm", "fp8", "trtllm")["t0"] > best["t0"]
    assert calibration_for(chip("h100-sxm"), "gemm", "fp8", "nobody") == best


def test_wrong_questions() -> None:
    with pytest.raises(InputError, match="kernel family"):
        kernel_seconds(chip("h100-sxm"), "gem", m=1, n=1, k=1)
    with pytest.raises(InputError, match="need k too"):
        kernel_seconds(chip("h100-sxm"), "gemm", m=1, n=1)
    with pytest.raises(InputError, match="precision"):
        peak_of(chip("h100-sxm"), "fp7")

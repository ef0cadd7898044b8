"""Kernel times: laws, sizes of the numbers, kin and bands, the reduced form against the full one."""

from __future__ import annotations

import numpy as np
import pytest
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

"""Kernel times: laws, sizes of the numbers, kin and bands, the reduced form against the full one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import Chip, calibration_for, chip_from_record, kernel_seconds, peak_of
from gigawatt.physics.chip.experts import active_experts
from gigawatt.physics.chip.kernels import FAMILIES

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


def test_every_family_answers_for_a_measured_chip_and_for_one_that_nobody_measured() -> None:
    attention = {"batch": 4, "length": 1024, "heads": 16, "kv_heads": 4, "head_dim": 128}
    columns = {
        "channels": 4096,
        "key_heads": 16,
        "value_heads": 32,
        "rows": 4096,
        "width": 4096,
        "read": 2.0,
        "written": 1.0,
    }
    columns |= attention | {"m": 128, "n": 512, "k": 4096, "tokens": 64, "hidden": 4096, "experts": 64, "topk": 4}
    for family, kind in FAMILIES.items():
        asked = {name: columns[name] for name in kind.needs} | ({"width": 1024} if family == "moe" else {})
        own, foreign = (kernel_seconds(chip(name), family, "bf16", **asked) for name in ("h100-sxm", "mi300x"))
        assert own.seconds[0] > 0 and foreign.seconds[0] > 0, family
        assert own.note == "" and foreign.note != "", family
        assert foreign.low_factor <= own.low_factor and foreign.high_factor >= own.high_factor, family

"""Kernels of linear attention: laws that hold for every fitted chip, serial state passes, waves, held-out bars."""

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
from gigawatt.physics.chip.scans import (
    convolution_seconds,
    convolution_update_seconds,
    delta_chunk_seconds,
    delta_decode_seconds,
)

CATALOG = Catalog.load()
ROWS = CATALOG.get("calibration", "chip-scan").tables["rows"]
Case = tuple[Chip, Mapping[str, Any]]
CASES: list[Case] = [
    (chip_from_record(CATALOG.get("accelerator", name)), fit) for name, rows in ROWS.items() for fit in rows["fits"]
]
case = st.sampled_from(CASES)
# Value heads of a chip, with a key head for every two of them.
heads = st.sampled_from([2, 8, 16, 32, 64])


def seconds(one: Case, batch: int, length: Any, hv: int, chip: Chip | None = None) -> np.ndarray[Any, Any]:
    own, fit = one
    c = chip or own
    kernel, channels = fit["kernel"], 2 * (hv // 2) * 128 + hv * 128
    if kernel == "conv-context":
        return convolution_seconds(c, batch, length, channels, fit)
    if kernel == "conv-update":
        return convolution_update_seconds(c, batch, channels, fit)
    if kernel == "delta-chunk":
        return delta_chunk_seconds(c, batch, length, hv // 2, hv, fit)
    return delta_decode_seconds(c, batch, hv, fit)


@settings(max_examples=150, deadline=None)
@given(one=case, batch=st.integers(1, 512), length=st.integers(1, 40_000), hv=heads)
def test_every_kernel_moves_its_operands_once(one: Case, batch: int, length: int, hv: int) -> None:
    c, fit = one
    channels = 2 * (hv // 2) * 128 + hv * 128
    moved = {
        "conv-context": 4.0 * batch * length * channels,
        "conv-update": 16.0 * batch * channels,
        "delta-chunk": 4.0 * batch * length * (hv // 2 + hv) * 128,
        "delta-decode": 4.0 * batch * hv * 128 * 128,
    }[fit["kernel"]]
    assert seconds(one, batch, length, hv)[0] >= moved / c.memory_bytes_per_s * (1 - 1e-9)


@settings(max_examples=100, deadline=None)
@given(one=case, batch=st.integers(1, 512), length=st.integers(1, 40_000), hv=heads, more=st.floats(1.0, 3.0))
def test_more_bandwidth_is_never_slower(one: Case, batch: int, length: int, hv: int, more: float) -> None:
    wider = replace(one[0], memory_bytes_per_s=more * one[0].memory_bytes_per_s)
    assert seconds(one, batch, length, hv, wider)[0] <= seconds(one, batch, length, hv)[0] * (1 + 1e-12)


@settings(max_examples=100, deadline=None)
@given(one=case, batch=st.integers(1, 64), length=st.integers(1, 4_000), hv=heads, more=st.integers(1, 500))
def test_longer_prompts_take_longer(one: Case, batch: int, length: int, hv: int, more: int) -> None:
    """In steps of 8 tokens: a convolution whose rows are not aligned to 16 bytes takes a slower path."""
    short, long = np.broadcast_to(seconds(one, batch, [8 * length, 8 * (length + more)], hv), 2)
    assert long >= short * (1 - 1e-9)


def test_the_state_pass_is_serial_in_chunks() -> None:
    """One sequence cannot use the whole chip: eight together cost less than eight, on HBM far less."""
    for chip, fit in (x for x in CASES if x[1]["kernel"] == "delta-chunk"):
        one, eight = delta_chunk_seconds(chip, [1, 8], 8192, 2, 4, fit)
        assert eight < (0.7 if chip.memory_bytes_per_s > 2e12 else 1.0) * 8.0 * one
        long, longer = delta_chunk_seconds(chip, 1, [16_384, 32_768], 2, 4, fit)
        assert longer / long == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize(
    ("kernel", "bar"), [("conv-context", 0.06), ("delta-chunk", 0.09), ("delta-decode", 0.035), ("conv-update", 0.12)]
)
def test_held_out_errors_keep_the_bar_and_beat_bytes_over_bandwidth(kernel: str, bar: float) -> None:
    fits = [fit for _, fit in CASES if fit["kernel"] == kernel]
    assert len(fits) >= 8
    assert max(fit["median"] for fit in fits) <= bar
    if kernel in ("conv-context", "delta-chunk"):
        assert np.median([fit["median"] / fit["null_median"] for fit in fits]) < 0.6

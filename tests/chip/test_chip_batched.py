"""Batched products of latent attention: bounds, monotony, the size of what was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Chip, chip_from_record, peak_of
from gigawatt.physics.chip.batched import batched_seconds
from gigawatt.physics.chip.calibration import table

CATALOG = Catalog.load()
ROWS = [(chip, n) for chip, row in table("chip-bmm", "rows").items() for n in range(len(row["fits"]))]


def seconds(row: tuple[str, int], heads: int, tokens: int, better: float = 1.0) -> tuple[float, Chip, str]:
    fit = table("chip-bmm", "rows")[row[0]]["fits"][row[1]]
    values = {key: float(value) for key, value in fit.items() if isinstance(value, (int, float))}
    chip = chip_from_record(CATALOG.get("accelerator", row[0]))
    chip = replace(chip, memory_bytes_per_s=better * chip.memory_bytes_per_s)
    peak = better * peak_of(chip, fit["precision"])
    return (
        float(batched_seconds(chip, heads, tokens, 512, 128, fit["precision"], peak, values)[0]),
        chip,
        fit["precision"],
    )


@settings(max_examples=60, deadline=None)
@given(row=st.sampled_from(ROWS), heads=st.integers(1, 128), tokens=st.integers(1, 8_192))
def test_no_batch_beats_its_weights_nor_its_flops(row: tuple[str, int], heads: int, tokens: int) -> None:
    found, chip, precision = seconds(row, heads, tokens)
    weights = heads * 512 * 128 * (2 if precision == "bf16" else 1)
    assert found >= weights / chip.memory_bytes_per_s
    assert found >= 2.0 * heads * tokens * 512 * 128 / peak_of(chip, precision)


@settings(max_examples=60, deadline=None)
@given(
    row=st.sampled_from(ROWS),
    heads=st.integers(1, 127),
    tokens=st.integers(1, 8_192),
    more=st.integers(0, 900),
    better=st.floats(1.0, 3.0),
)
def test_more_work_is_never_faster_and_a_better_chip_never_slower(
    row: tuple[str, int], heads: int, tokens: int, more: int, better: float
) -> None:
    now = seconds(row, heads, tokens)[0]
    assert now <= seconds(row, heads, tokens + more)[0] * (1 + 1e-9)
    assert now <= seconds(row, heads + 1, tokens)[0] * (1 + 1e-9)
    assert seconds(row, heads, tokens, better)[0] <= now * (1 + 1e-9)


def test_columns_broadcast() -> None:
    fit = {key: value for key, value in table("chip-bmm", "rows")["h100-sxm"]["fits"][0].items() if key != "kernel"}
    chip = chip_from_record(CATALOG.get("accelerator", "h100-sxm"))
    found = batched_seconds(chip, [[16], [128]], [1, 64, 4096], 128, 512, "bf16", chip.peak_flops["bf16"], fit)
    assert found.shape == (2, 3)
    assert (np.diff(found, axis=1) >= 0).all()
    assert found[0, 0] == pytest.approx(4e-6, rel=0.6)  # a launch: about 4 us were measured for 1 token

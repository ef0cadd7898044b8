"""Passes that only move data: laws, the share of bandwidth that was measured, a cold cache."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import Chip, chip_from_record
from gigawatt.physics.chip.calibration import table
from gigawatt.physics.chip.streams import PASSES, pass_bytes, stream_seconds

CATALOG = Catalog.load()
ROWS = [(chip, n) for chip, row in table("chip-stream", "rows").items() for n in range(len(row["fits"]))]
rows = st.integers(1, 60_000)
width = st.integers(64, 16_384)
kind = st.sampled_from(sorted(PASSES))


def made(row: tuple[str, int]) -> tuple[Chip, dict[str, float]]:
    fit = table("chip-stream", "rows")[row[0]]["fits"][row[1]]
    values = {key: float(value) for key, value in fit.items() if isinstance(value, (int, float))}
    return chip_from_record(CATALOG.get("accelerator", row[0])), values


def seconds(chip: Chip, m: object, k: object, name: str, fit: dict[str, float], cold: bool = False) -> float:
    return float(stream_seconds(chip, m, k, *pass_bytes(name), fit, cold=cold)[0])  # type: ignore[arg-type]


@settings(max_examples=80, deadline=None)
@given(row=st.sampled_from(ROWS), m=rows, k=width, name=kind)
def test_a_cold_pass_never_beats_bandwidth_and_a_warm_one_is_no_slower(
    row: tuple[str, int], m: int, k: int, name: str
) -> None:
    chip, fit = made(row)
    cold, warm = (seconds(chip, m, k, name, fit, cold) for cold in (True, False))
    assert cold >= m * k * sum(pass_bytes(name)) / chip.memory_bytes_per_s
    assert warm <= cold * (1 + 1e-12)
    assert warm >= fit["t0"] * 1e-6 * (1 - 1e-12)


@settings(max_examples=60, deadline=None)
@given(
    row=st.sampled_from(ROWS),
    m=rows,
    k=width,
    more=st.integers(0, 5_000),
    faster=st.floats(1.0, 3.0),
    cold=st.booleans(),
)
def test_more_rows_cost_and_more_bandwidth_helps(
    row: tuple[str, int], m: int, k: int, more: int, faster: float, cold: bool
) -> None:
    chip, fit = made(row)
    now = seconds(chip, m, k, "norm", fit, cold)
    assert now <= seconds(chip, m + more, k, "norm", fit, cold) * (1 + 1e-12)
    better = replace(chip, memory_bytes_per_s=faster * chip.memory_bytes_per_s)
    assert seconds(better, m, k, "norm", fit, cold) <= now * (1 + 1e-12)


@pytest.mark.parametrize("name", ["h100-sxm", "h200-sxm", "l40s"])
def test_long_quantise_passes_stream_at_most_of_the_bandwidth(name: str) -> None:
    chip, fit = made((name, [f["precision"] for f in table("chip-stream", "rows")[name]["fits"]].index("quantise")))
    reached = 32_768 * 16_384 * 3.0 / seconds(chip, 32_768, 16_384, "quantise", fit) / chip.memory_bytes_per_s
    assert 0.65 < reached < 0.97


def test_columns_broadcast_and_unknown_passes_are_named() -> None:
    chip, fit = made(("h100-sxm", 0))
    found = stream_seconds(chip, np.array([[1], [4096]]), [2048, 8192, 16384], *pass_bytes("add"), fit)
    assert found.shape == (2, 3)
    assert (np.diff(found, axis=1) > 0).all()
    with pytest.raises(InputError) as caught:
        pass_bytes("quantize")
    assert "quantise" in str(caught.value)


def test_every_fit_has_a_band_and_one_is_the_default() -> None:
    for chip, row in table("chip-stream", "rows").items():
        for name in {fit["precision"] for fit in row["fits"]}:
            fits = [fit for fit in row["fits"] if fit["precision"] == name]
            assert [fit.get("default", False) for fit in fits] == [True] + [False] * (len(fits) - 1), chip
        for fit in row["fits"]:
            assert 0.4 < fit["low"] < 1.0 < fit["high"] < 2.0, (chip, fit["engine"])
            assert fit["median"] < 0.1

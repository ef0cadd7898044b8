"""The packaged sample of measured kernels, predicted blind."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from gigawatt.validation.kernels import predict, shape_of
from gigawatt.validation.run import validate

SAMPLE = Path(str(resources.files("gigawatt.validation") / "data" / "kernel_points.csv"))


@pytest.fixture(scope="module")
def scored():
    return validate("kernels", SAMPLE)


def test_every_row_is_predicted_within_the_stated_errors(scored):
    summary = scored["summary"]
    assert summary["skipped"] == 0
    assert summary["rows"] > 5_000
    assert summary["median_ape"] < 0.06
    assert summary["p90_ape"] < 0.25
    assert 0.70 <= summary["coverage80"] <= 0.90
    assert abs(summary["bias"]) < 0.02
    assert summary["median_band_width"] < 0.2


def test_families_that_serving_stands_on_keep_their_bars(scored):
    groups = {g["group"]: g["median_ape"] for g in scored["groups"]}
    for chip in ("h100-sxm", "h200-sxm", "b200-sxm", "gb200", "b300-sxm", "gb300"):
        assert groups[f"gemm / bf16 / {chip}"] < 0.08
        assert groups[f"prefill / bf16/bf16 / {chip}"] < 0.10
        assert groups[f"mla-prefill / bf16/bf16 / {chip}"] < 0.07
        assert groups[f"moe / fp8_block / {chip}"] < 0.15


def test_the_answer_column_is_never_read():
    row = {
        "id": "x",
        "chip": "h100-sxm",
        "family": "gemm",
        "precision": "bf16",
        "engine": "best",
        "shape": "m=8;n=4096;k=4096",
    }
    assert predict([{**row, "time_us": ""}]) == predict([{**row, "time_us": "1"}])


def test_what_cannot_be_answered_says_why():
    row = {"id": "x", "family": "gemm", "precision": "bf16", "engine": "best", "shape": "m=8;n=4096"}
    (missing,) = predict([{**row, "chip": "h100-sxm"}])
    assert missing.predicted is None
    assert "gemm kernels need" in missing.reason
    (unknown,) = predict([{**row, "chip": "h100-sxm", "family": "gem", "shape": "m=8;n=4096;k=64"}])
    assert "kernel family" in unknown.reason


def test_shapes_are_pairs():
    assert shape_of("batch=4;length=2048") == {"batch": 4.0, "length": 2048.0}

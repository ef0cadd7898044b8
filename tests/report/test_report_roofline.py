"""The roofline of an accelerator, and the tables beside it."""

from __future__ import annotations

import pytest

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record
from gigawatt.report.chart_page import write_chart_page
from gigawatt.report.roofline import anchor_table, kernel_table, measured_rows, roofline

CATALOG = Catalog.load()


@pytest.fixture(autouse=True)
def packaged(monkeypatch):
    monkeypatch.delenv("GIGAWATT_TRUTH", raising=False)


def chip(name):
    return chip_from_record(CATALOG.get("accelerator", name))


def test_no_measured_kernel_stands_above_the_roof():
    b200 = chip("b200-sxm")
    dots = [trace for trace in roofline(b200)["data"] if trace["name"].endswith("measured")]
    assert sum(len(trace["x"]) for trace in dots) == len(measured_rows(b200)) > 40
    for trace in dots:
        peak = b200.peak_flops[trace["name"].split()[0].replace("_block", "")]
        for x, y in zip(trace["x"], trace["y"], strict=True):
            # L2 serves small operands of a benchmark's loop, so only the ceiling is a law there.
            assert y <= peak
            assert x > 0


def test_a_chip_that_nobody_measured_has_roofs_and_a_list_of_what_to_measure():
    mi300x = chip("mi300x")
    assert all(trace["mode"] == "lines" for trace in roofline(mi300x)["data"])
    table = anchor_table(mi300x)
    assert table is not None
    assert "gemm/bf16" in [row["anchor"] for row in table.rows()]
    measured = anchor_table(chip("h100-sxm"))
    assert measured is None or "gemm/bf16" not in [row["anchor"] for row in measured.rows()]
    served = {row["family"]: row["constants of"] for row in kernel_table(mi300x).rows()}
    assert served["gemm"] == "pooled, kin"


def test_the_page_opens_without_a_network(tmp_path):
    path = write_chart_page(roofline(chip("h100-sxm")), "h100 <roofline>", "dots & crosses", tmp_path / "a" / "b.html")
    text = path.read_text(encoding="utf-8")
    assert "h100 &lt;roofline&gt;" in text
    assert "src=" not in text.split("<script>")[0]
    assert "Plotly.newPlot" in text

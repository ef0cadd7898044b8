"""Reading rows of measured tables, and the errors that the calibration promises."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Chip, chip_from_record
from gigawatt.validation.base import score
from gigawatt.validation.network import nic_bytes_per_s, predict, read
from gigawatt.validation.tables import LAYOUTS, read_rows

ROW = {
    "id": "x",
    "source": "somebody",
    "collective": "all_reduce",
    "nbytes": str(2**30),
    "n_gpus": "16",
    "gpus_per_node": "8",
    "gpu": "H100 SXM",
    "scale_up": "NVLink4+NVSwitch",
    "scale_out": "InfiniBand 8x400G per node",
    "algorithm/protocol": "NCCL 2.26",
    "metric": "busbw_GBps",
    "value": "",
    "notes": "",
}


def h100() -> Chip:
    return chip_from_record(Catalog.load().get("accelerator", "h100-sxm"))


@pytest.mark.parametrize(
    ("text", "per_node", "gbits", "stated"),
    [
        ("OCI RoCE 8 x 2x400G per node", 8, 800, True),
        ("RoCE 8x400G per 4-GPU node", 4, 800, True),
        ("OCI RoCE cluster network (16x200G)", 8, 400, True),
        ("AWS EFA 3200G per node (p5)", 8, 400, True),
        ("InfiniBand 400G per GPU", 8, 400, True),
        ("RoCE 2x400G per GPU", 8, 800, True),
        ("RoCE, 3.2 Tbps", 8, 400, True),
        ("GPUDirect-TCPX 1 Tbps per node (A3 High)", 8, 100, True),
        ("GPUDirect-TCPXO (A3 Mega)", 8, 200, True),
        ("CX7 RDMA", 8, 400, True),
        ("InfiniBand", 8, 400, False),
    ],
)
def test_nic_rates_are_read(text: str, per_node: int, gbits: float, stated: bool) -> None:
    rate, port, said = nic_bytes_per_s(text, per_node, h100())
    assert rate * 8e-9 == pytest.approx(gbits)
    assert port <= rate
    assert said is stated


def test_domains_are_read_and_never_taken_from_the_gpu_alone() -> None:
    gb = {**ROW, "gpu": "GB200", "n_gpus": "144", "gpus_per_node": "4"}
    assert read({**gb, "scale_up": "NVLink5 NVL72 (2 racks)"}).per_domain == 72
    assert read({**gb, "scale_up": "NVLink5 (4 GPUs per node)"}).per_domain == 4
    assert read({**gb, "scale_up": "NVLink5 NVL72, MNNVL off"}).per_domain == 4
    assert read({**gb, "scale_up": "NVLink5 NVL72, IB only"}).per_domain == 4


def test_an_answer_does_not_change_the_prediction() -> None:
    first, second = predict([ROW, {**ROW, "value": "1", "notes": "very slow"}])
    assert first.predicted == second.predicted
    assert first.low is not None
    assert first.predicted is not None
    assert first.high is not None
    assert first.low < first.predicted < first.high


def test_metrics_agree_with_each_other() -> None:
    time, bus, alg = predict([{**ROW, "metric": m} for m in ("time_us", "busbw_GBps", "algbw_GBps")])
    assert time.predicted and bus.predicted and alg.predicted
    assert alg.predicted == pytest.approx(2**30 / time.predicted / 1e3)
    assert bus.predicted == pytest.approx(alg.predicted * 2 * 15 / 16)


def test_defaults_are_told_and_nonsense_is_skipped_with_a_reason() -> None:
    told, skipped, odd = predict(
        [{**ROW, "scale_out": "InfiniBand"}, {**ROW, "collective": "gossip"}, {**ROW, "metric": "smell"}]
    )
    assert told.defaulted
    assert "400 Gb/s" in told.note
    assert skipped.predicted is None
    assert "gossip" in skipped.reason
    assert odd.predicted is None
    assert "smell" in odd.reason


@pytest.mark.truth
def test_errors_on_the_measured_table() -> None:
    root = os.environ.get("GIGAWATT_TRUTH")
    if not root:
        pytest.skip("GIGAWATT_TRUTH is not set")
    layout = next(x for x in LAYOUTS if x.file == "net_truth.csv")
    rows = read_rows(Path(root) / "truth" / "net_truth.csv")
    made = predict(layout.blind(rows))
    assert all(p.predicted is not None for p in made)
    measured = layout.measured(rows)
    everything = score(made, measured)
    assert everything["median_ape"] < 0.07
    assert 0.74 < everything["coverage80"] < 0.92
    size = {row["id"]: float(row["nbytes"] or 0) for row in rows}
    large = score([p for p in made if size[p.id] >= 2**26], measured)
    assert large["mape"] < 0.05
    assert large["median_ape"] < 0.035
    assert large["mape"] < 0.3 * large["null_mape"]
    assert np.isfinite([p.low for p in made if p.low is not None]).all()

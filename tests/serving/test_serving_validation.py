"""Reading of measured tables, blindness, regret, and errors on the open rows that ship."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gigawatt.physics.serving import served_model
from gigawatt.validation import power, serving
from gigawatt.validation.base import Prediction, score
from gigawatt.validation.power_facility import chips_in, published_fact
from gigawatt.validation.regret import chance, pick_loss, regret
from gigawatt.validation.serving_models import architecture_of, chip_of, generic
from gigawatt.validation.serving_points import layout_of, points
from gigawatt.validation.serving_published import case_of
from gigawatt.validation.tables import layout_of as table_of
from gigawatt.validation.tables import read_rows

DATA = Path(serving.__file__).parent / "data"


def open_rows(name, kind="serving"):
    path = DATA / name
    rows = read_rows(path)
    layout = table_of(kind, rows, path)
    return layout.blind(rows), layout.measured(rows)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"tp_size": "8", "attention_dp_size": "1", "moe_tp_size": "8", "moe_ep_size": "1"}, (8, 1, 8)),
        ({"tp_size": "64", "attention_dp_size": "1", "moe_tp_size": "8", "moe_ep_size": "8"}, (8, 1, 1)),
        ({"tp_size": "1", "attention_dp_size": "16", "moe_tp_size": "4", "moe_ep_size": "4"}, (4, 4, 1)),
        ({"tp_size": "1", "attention_dp_size": "8", "moe_tp_size": "1", "moe_ep_size": "8"}, (8, 8, 1)),
        ({"tp_size": "4", "attention_dp_size": "1", "moe_tp_size": "2", "moe_ep_size": "2"}, (4, 1, 2)),
    ],
)
def test_layout_columns_that_mean_another_box(row, expected):
    assert layout_of(row) == expected


def test_predictions_do_not_change_with_the_answers():
    rows, _ = open_rows("serving_points.csv")
    lying = [row | {"silicon_ttft_ms": "1", "silicon_tpot_ms": "1"} for row in rows]
    assert [p.predicted for p in serving.predict(rows)] == [p.predicted for p in serving.predict(lying)]


def test_every_serving_point_is_predicted_within_its_band():
    rows, _ = open_rows("serving_points.csv")
    made = serving.predict(rows)
    assert len(made) == 2 * len(rows)
    assert all(p.predicted and p.low < p.predicted < p.high for p in made)


def test_aggregated_points_beat_the_null_model_clearly():
    rows, measured = open_rows("serving_points.csv")
    found = score([p for p in serving.predict(rows) if p.group.startswith("agg") and p.metric == "tpot_ms"], measured)
    assert found["median_ape"] < 0.12 and found["null_mape"] > 2 * found["mape"]


def test_published_rows_are_predicted_or_say_why_not():
    rows, _ = open_rows("infer_truth.csv")
    for p in serving.predict(rows):
        assert (p.predicted is not None and p.predicted > 0) or p.reason


def test_blanks_are_filled_with_defaults_that_the_note_names():
    case = case_of(
        {"id": "x", "model": "llama2-70b-99", "gpu": "H200", "concurrency_or_rate": "Server", "source": "MLPerf"}
    )
    assert any("input tokens assumed" in note for note in case.defaults) and case.tpot_s == 0.2


@pytest.mark.parametrize(("size", "active"), [(8, 0), (70, 0), (405, 0), (30, 3), (235, 22)])
def test_a_generic_model_has_the_size_of_its_name(size, active):
    model = served_model(generic("m", size, active))
    assert float(model.weights) / 1e9 == pytest.approx(size, rel=0.25)
    if active:
        assert float(model.active_weights) / 1e9 == pytest.approx(active, rel=0.5)


def test_unknown_models_and_chips_are_said_to_be_assumed():
    assert "sized from its name" in architecture_of("acme/Widget-13B").note
    assert chip_of("Intel Arc Pro B60")[1] and not chip_of("NVIDIA B200-SXM-180GB")[1]


def test_facts_without_a_model_are_skipped_with_a_reason():
    headroom = published_fact("a", "flexible load headroom", "US 22 balancing authorities", "", "GW")
    assert headroom.predicted is None and headroom.reason
    assert 1.0 < published_fact("a", "PUE", "Google fleet", "", "ratio").predicted < 1.2
    assert chips_in("100k H100 (Jul 2024)") == 100_000


def test_wall_power_of_a_node_lies_between_its_chips_and_its_rating():
    found = published_fact("a", "AC node power mean", "1x node 8x H100 SXM", "bert", "W")
    assert 8 * 300 < found.predicted < 10_200


def test_energy_per_token_is_watts_over_rate():
    row = {
        "id": "e", "source": "s", "model": "Qwen/Qwen3-8B", "gpu": "H100", "n_gpus": "1", "precision": "bfloat16", "unit": "J",
        "config": "task lm-arena-chat; max_num_seqs 64; mean batch 63.9; TP 1 EP 1 DP 1; mean OSL 700.0",
    }  # fmt: skip
    token, reply = (power.predict([row | {"metric": m}])[0] for m in ("energy_per_output_token", "energy_per_response"))
    assert reply.predicted == pytest.approx(700.0 * token.predicted)
    assert 0.02 < token.predicted < 2.0


def test_regret_of_a_perfect_and_of_a_wrong_pick():
    measured, guess = np.array([1.0, 2.0, 4.0]), np.array([1.0, 5.0, 4.0])
    yes, no = np.ones(3, bool), np.zeros(3, bool)
    assert pick_loss(measured, measured, yes, no) == 0.0
    assert pick_loss(guess, measured, yes, no) == pytest.approx(0.5)
    assert pick_loss(guess, measured, np.array([True, False, True]), np.array([False, True, False])) == 1.0
    assert pick_loss(guess, measured, no, yes) is None


def test_the_chance_of_keeping_an_slo_falls_with_the_predicted_time():
    found = chance(np.array([5.0, 11.0, 30.0]), np.full(3, 0.2), 10.0)
    assert (np.diff(found) < 0).all() and found[1] == pytest.approx(0.5)


def test_training_regret_by_group():
    rows = [
        {"id": str(i), "model": "m", "gpu": "g", "n_gpus": "8", "seq_len": "1", "global_batch": "1",
         "measured_metric": "tokens_per_s_per_gpu"}
        for i in range(4)
    ]  # fmt: skip
    measured = {(str(i), "tokens_per_s_per_gpu"): 100.0 + i for i in range(4)}
    made = [Prediction(str(i), "tokens_per_s_per_gpu", 100.0 - i) for i in range(4)]
    assert regret(rows, made, measured, "training")["regret_median"] == pytest.approx(1 - 100 / 103)


@pytest.mark.truth
@pytest.mark.skipif("GIGAWATT_TRUTH" not in os.environ, reason="needs the measured tables")
def test_aggregated_times_on_the_whole_table():
    path = Path(os.environ["GIGAWATT_TRUTH"]) / "truth" / "serving_points.csv"
    rows = read_rows(path)
    layout = table_of("serving", rows, path)
    made = [p for p in serving.predict(layout.blind(rows)) if p.group.startswith("agg")]
    found = score([p for p in made if p.metric == "tpot_ms"], layout.measured(rows))
    assert found["median_ape"] < 0.12 and abs(found["bias"]) < 0.05
    assert assert_points(points(layout.blind(rows)))


def assert_points(found):
    return all(p.concurrency > 0 and p.spec.gpus >= p.spec.dp >= 1 for p in found)

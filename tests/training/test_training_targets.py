"""Time to a quality target, MLPerf's benchmarks, and the watts of nodes that run them."""

import csv
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.jobs.targets import (
    evaluations,
    samples_to_target,
    steps_to_target,
    target_of,
    time_to_target_s,
)
from gigawatt.validation.power import predict as predict_power
from gigawatt.validation.power_training import training_node
from gigawatt.validation.serving_models import catalog
from gigawatt.validation.training_mlperf import batch_for, laid_out, target_for
from gigawatt.validation.training_rows import case_of

LORA = target_for("llama2_70b_lora")
ROW = {"source": "mlcommons/training_results_v5.1 X/results/y/llama2_70b_lora", "model": "Llama 2 70B LoRA"}
ROW |= dict.fromkeys(("tp", "pp", "vpp", "dp", "cp", "ep", "micro_batch", "seq_len", "precision", "recompute"), "")


@pytest.mark.parametrize("name", ["llama2_70b_lora", "llama31_8b", "llama31_405b", "gpt3"])
def test_published_points_are_met(name: str) -> None:
    target = target_for(name)
    assert samples_to_target(target, target.batches) == pytest.approx(target.samples)


@given(st.floats(1.0, 1e5), st.floats(1.01, 4.0))
def test_larger_batches_need_more_samples_and_fewer_steps(batch: float, times: float) -> None:
    few, many = (float(samples_to_target(LORA, b)) for b in (batch, batch * times))
    assert few < many < few * times
    assert float(steps_to_target(LORA, batch)) > float(steps_to_target(LORA, batch * times))


def test_time_counts_evaluations_by_their_forward_pass() -> None:
    target = replace(LORA, start_s=0.0)
    plain = float(samples_to_target(target, 8.0)) / 8.0 * 2.0
    extra = float(evaluations(target, samples_to_target(target, 8.0))) * 173 / 2 / 8.0 * 2.0
    assert float(time_to_target_s(target, 2.0, 8.0)) == pytest.approx(plain + extra)
    trained = replace(target, frozen=False)
    assert float(time_to_target_s(trained, 2.0, 8.0)) == pytest.approx(plain + extra * 2 / 3)
    assert float(time_to_target_s(LORA, 2.0, 8.0)) == pytest.approx(plain + extra + 20.0)


def test_columns_of_runs() -> None:
    times = time_to_target_s(LORA, np.array([4.0, 1.0, 0.6]), np.array([8.0, 8.0, 64.0]))
    assert times.shape == (3,) and np.all(np.diff(times) < 0)


def test_a_target_without_points_is_refused() -> None:
    with pytest.raises(InputError):
        target_of("x", {"samples": {8: -1}, "every": 384, "evaluated": 173})


@pytest.mark.parametrize(
    ("gpu", "chips", "batch", "layout"),
    [
        ("H100", 8, 8, ("4", "1", "1")),
        ("H100", 512, 64, ("4", "1", "2")),
        ("GB300", 512, 64, ("1", "1", "8")),
        ("B200", 8, 8, ("1", "1", "1")),
    ],
)
def test_submitters_layouts_fill_blanks(gpu: str, chips: int, batch: int, layout: tuple[str, ...]) -> None:
    found = laid_out(ROW | {"gpu": gpu, "n_gpus": str(chips), "global_batch": str(batch)})
    assert (found["tp"], found["pp"], found["cp"]) == layout and found["seq_len"] == "8192"


def test_a_stated_layout_stays() -> None:
    row = ROW | {"gpu": "H100", "n_gpus": "8", "global_batch": "8", "tp": "2"}
    assert laid_out(row)["tp"] == "2" and laid_out(row)["cp"] == ""
    own = row | {"tp": "", "source": "mlcommons/training_results_v4.0 J/results/h100_deepspeed/llama2_70b_lora"}
    assert laid_out(own)["tp"] == ""


def test_sequences_of_adapters_are_not_taken_for_long_ones() -> None:
    row = ROW | {"id": "x", "measured_metric": "step_time_s", "gpu": "GB300", "n_gpus": "512", "global_batch": "64"}
    assert case_of(row).seq == 8192.0


def test_batches_of_runs_of_many_chips() -> None:
    assert [batch_for("gpt3", chips) for chips in (512, 10752)] == [2048.0, 2688.0]


def test_strong_scaling_lowers_the_watts_of_a_node() -> None:
    chip = chip_from_record(catalog().get("accelerator", "h100-sxm"))
    found = [training_node(f"{n} nodes 8x H100, llama2_70b_lora", chip, "MLPerf Training v4.0") for n in (1, 8, 64)]
    watts = [node.chip_w for node in found if node]
    assert watts[0] > watts[1] > watts[2] > 0.4 * chip.tdp_w
    assert training_node("8 nodes 8x H100, resnet", chip, "") is None


@pytest.mark.truth
@pytest.mark.skipif(not os.environ.get("GIGAWATT_TRUTH"), reason="measured tables are not at hand")
def test_nodes_that_train_language_models() -> None:
    path = Path(os.environ["GIGAWATT_TRUTH"]) / "facts" / "power_truth.csv"
    rows = [r for r in csv.DictReader(path.open(encoding="utf-8")) if r["id"].startswith("mlpt")]
    found = predict_power([r | {"value": ""} for r in rows])
    error = np.array([abs((p.predicted or 0.0) / float(r["value"]) - 1) for p, r in zip(found, rows, strict=True)])
    language = np.array(["gpt3" in r["id"] or "llama" in r["id"] for r in rows])
    assert np.mean(error[language]) < 0.08 and np.max(error[language]) < 0.12
    assert np.mean(error) < 0.08

"""Files that say `question: train`, and a plan's training workload as a question."""

from __future__ import annotations

from pathlib import Path

import pytest

from gigawatt.core.errors import InputError
from gigawatt.study.train.file import load_train, load_workload, run_train
from gigawatt.study.train.question import Degrees

EXAMPLES = Path(__file__).parents[3] / "examples"
SHORT = "schema: 1\nquestion: train\nname: short\nmodel: llama3-8b\non: hgx-h100\ngpus: 64\nbatch: 256\n"


def written(folder: Path, more: str = "") -> Path:
    file = folder / "short.yaml"
    file.write_text(SHORT + more)
    return file


def test_a_file_says_what_the_command_line_does(tmp_path):
    loaded = load_train(
        written(tmp_path, "mapping: {tp: 2, pp: 2}\nprecision: [fp8, bf16]\nobjective: {chip_hour: 2, kwh: 0.1}\n")
    )
    asked = loaded.question
    assert asked.degrees == Degrees(tp=2, pp=2)
    assert asked.precisions == ("fp8", "bf16")
    assert (asked.value.chip_hour, asked.value.kwh) == (2.0, 0.1)
    assert set(loaded.given) == {"on", "gpus", "batch", "mapping", "precision", "objective"}


def test_overrides_reach_every_input(tmp_path):
    asked = load_train(written(tmp_path), ["gpus=128", "tokens=1T", "mapping.tp=4"]).question
    assert (asked.chips, asked.tokens, asked.degrees.tp) == (128, 1e12, 4)


def test_problems_stand_at_their_places(tmp_path):
    file = written(tmp_path, "precision: fp9\nmax_step: 20\nsequence: 3\n")
    with pytest.raises(InputError) as told:
        load_train(file)
    assert [p.where.line for p in told.value.problems if p.where] == [9, 10]
    assert "unknown field 'sequence'" in told.value.problems[1].message
    file = written(tmp_path, "precision: fp9\nmax_step: '20'\n")
    with pytest.raises(InputError) as told:
        load_train(file)
    assert sorted(p.where.line for p in told.value.problems if p.where) == [8, 9]
    assert all("--" not in p.message for p in told.value.problems)


def test_a_plan_is_asked_about_its_training_workload():
    loaded = load_workload(EXAMPLES / "one-gigawatt.yaml", "pretrain")
    assert loaded.question.tokens > 1e12
    assert loaded.hosts
    assert {host.label for host in loaded.hosts} == set(loaded.question.on)


def test_a_plan_without_that_workload_says_which_there_are():
    with pytest.raises(InputError) as told:
        load_workload(EXAMPLES / "one-gigawatt.yaml", "pretrian")
    assert "pretrain" in str(told.value)
    with pytest.raises(InputError) as told:
        load_workload(EXAMPLES / "one-rack.yaml")
    assert "trains nothing" in str(told.value)


@pytest.mark.parametrize("file", sorted((EXAMPLES / "training").glob("*.yaml")), ids=lambda f: f.stem)
def test_shipped_examples_answer(file):
    made = run_train(load_train(file))
    assert made.manifest["best"]["tokens_per_s"] > 0
    assert made.manifest["scenario_hash"]

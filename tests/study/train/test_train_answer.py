"""The answer of `gigawatt train`: its keys, bands, laws that must hold, and what it says where nothing fits."""

from __future__ import annotations

import numpy as np
import pytest

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.study.result import RunResult
from gigawatt.study.train import answer, read_question

LLAMA = {"on": "hgx-h100", "gpus": "64", "batch": "256"}


def asked(model: str = "llama3-8b", **words: str) -> RunResult:
    return answer(read_question(model, **{**LLAMA, **words}))


def best(model: str = "llama3-8b", **words: str) -> dict:
    return asked(model, **words).manifest["best"]


@pytest.fixture(scope="module")
def plain() -> RunResult:
    return asked()


def test_the_keys_that_scripts_rely_on(plain):
    made = plain.as_json()
    assert {"best", "pareto", "rejected", "candidates", "search_s", "assumed", "platforms", "metrics"} <= set(made)
    assert all(set(row) == {"platform", "reason", "count", "nearest_fix"} for row in made["rejected"])
    assert made["candidates"] > 1000


def test_every_number_has_its_band(plain):
    for row in [plain.manifest["best"], *plain.tables["pareto"].rows()]:
        assert row["low"] < row["tokens_per_s_per_chip"] < row["high"]
        for name in ("step_s", "tokens_per_s", "mfu", "joules_per_token", "job_mw", "chip_w", "meter_w_per_chip"):
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"], name


def test_rates_and_powers_are_one_arithmetic(plain):
    row = plain.manifest["best"]
    assert row["tokens_per_s"] * row["step_s"] == pytest.approx(256 * 8192)
    assert row["tokens_per_s_per_chip"] * 64 == pytest.approx(row["tokens_per_s"])
    assert row["joules_per_token"] * row["tokens_per_s"] == pytest.approx(row["job_mw"] * 1e6)
    assert row["job_mw"] * 1e6 == pytest.approx(64 * row["meter_w_per_chip"])
    assert row["chip_w"] < row["it_w_per_chip"] < row["meter_w_per_chip"]


def test_no_point_of_a_front_beats_another(plain):
    rows = list(plain.tables["pareto"].rows())
    rate = np.array([row["tokens_per_s"] for row in rows])
    joules = np.array([row["joules_per_token"] for row in rows])
    assert np.all(np.diff(rate) <= 0)
    assert np.all(np.diff(joules) < 0)


def test_the_objective_decides_what_is_best(plain):
    fast, frugal = plain.manifest["best"], best(objective="energy")
    assert fast["tokens_per_s"] >= frugal["tokens_per_s"]
    assert frugal["joules_per_token"] <= fast["joules_per_token"]
    paid = best(objective="chip_hour=2,kwh=0.1")
    for other in (fast, frugal):
        hours = 64 / 3600 / other["tokens_per_s"]
        assert paid["value_per_mtok"] <= 1e6 * (2 * hours + 0.1 * other["joules_per_token"] / 3.6e6) * (1 + 1e-9)


def test_platforms_are_compared_and_the_best_comes_first():
    made = asked(on="hgx-h100,hgx-b200,dgx-a100", precision="bf16")
    rows = list(made.tables["platforms"].rows())
    assert [row["platform"] for row in rows] == ["hgx-b200", "hgx-h100", "dgx-a100"]
    assert made.manifest["best"] == rows[0]


def test_what_was_not_said_is_listed(plain):
    what = {row["what"] for row in plain.tables["assumed"].rows()}
    assert {"sequence", "software stack", "precision", "fabric", "power"} <= what
    assert "GPUs" not in {
        row["what"] for row in answer(read_question("llama3-8b", **LLAMA), given=("gpus",)).tables["assumed"].rows()
    }


def test_a_model_that_fits_nowhere_says_the_smallest_change():
    with pytest.raises(Infeasible) as told:
        asked("llama3-405b", gpus="8", batch="64")
    assert "--gpus" in told.value.message
    assert any("memory" in line for line in told.value.conflict)
    change = next(change for change in told.value.changes if change.limit == "hgx-h100, GPUs")
    assert change.now == 8
    enough = answer(read_question("llama3-405b", on="hgx-h100", gpus=str(int(change.needed)), batch="64"))
    assert enough.manifest["best"]["tokens_per_s"] > 0


def test_a_step_that_none_is_as_fast_as():
    with pytest.raises(Infeasible) as told:
        asked(max_step="100 ms")
    named = {change.limit for change in told.value.changes}
    assert "hgx-h100, step" in named
    step = next(change for change in told.value.changes if change.limit == "hgx-h100, step")
    assert best(max_step=f"{step.needed * 1.001} s")["step_s"] == pytest.approx(step.needed)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"mapping": "tp3", "gpus": "48"}, "does not divide the 32 heads"),
        ({"mapping": "pp16-vp4"}, "more than the 32 layers"),
        ({"mapping": "ep8"}, "has no experts"),
        ({"stack": "megatron-tuned2"}, "did you mean 'megatron-tuned'"),
        ({"on": "hgx-h10"}, "did you mean 'hgx-h100'"),
        ({"fabric": "nothing-here"}, "fabric"),
        ({"facility": "nothing-here"}, "facility"),
        ({"power_cap": "turbo"}, "power mode"),
    ],
)
def test_what_the_model_or_the_catalog_rules_out(words, said):
    with pytest.raises(InputError) as told:
        asked(**words)
    assert said in str(told.value)


def test_models_that_write_no_tokens_are_refused():
    with pytest.raises(InputError) as told:
        asked("flux-1-dev")
    assert "writes no tokens" in str(told.value)


def test_unknown_names_are_told_together():
    with pytest.raises(InputError) as told:
        asked("lama3-8b", on="hgx-h10", stack="megatron-tund")
    assert len(told.value.problems) == 3

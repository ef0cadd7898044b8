"""The answer of `gigawatt train`: its keys, bands, laws that must hold, and what it says where nothing fits."""

from __future__ import annotations

import numpy as np
import pytest

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible, InputError, Problems
from gigawatt.study.hosts import hosts_of
from gigawatt.study.result import RunResult
from gigawatt.study.serve.subject import subject_of
from gigawatt.study.train import answer, read_question
from gigawatt.study.train.points import points_of, tried
from gigawatt.study.train.refused import kept_of, rejections

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


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"on": "hgx-b200,dgx-a100", "precision": "mxfp8,bf16"},
        {"recompute": "none,full"},
        {"max_step": "30 s"},
        {"power_cap": "80 %"},
    ],
)
def test_what_fell_out_adds_up_to_the_candidates_that_were_not_kept(more):
    question = read_question("llama3-8b", **{"on": "hgx-h100", "gpus": "64", "batch": "256"} | more)
    catalog = Catalog.load()
    subject = subject_of("llama3-8b", catalog, Problems())
    of = []
    for host in hosts_of(question, subject.arch, catalog, Problems(), "training"):
        one = tried(question, subject, host)
        of.append((one, points_of(one, question)))
    rows = rejections(of, question)
    kept = sum(kept_of(points) for _, points in of if points is not None)
    assert sum(row["count"] for row in rows) + kept == sum(one.candidates for one, _ in of)
    assert all(row["nearest_fix"] and row["count"] > 0 for row in rows)


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
        asked("llama3-405b", gpus="8", batch="64", precision="bf16")
    assert "--gpus" in told.value.message
    (said,) = (line for line in told.value.conflict if "does not fit the memory" in line)
    assert all(words in said for words in ("the optimizer takes", "GB more than", "128 chips would do"))
    change = next(change for change in told.value.changes if change.limit == "hgx-h100, GPUs")
    assert change.now == 8
    enough = answer(
        read_question("llama3-405b", on="hgx-h100", gpus=str(int(change.needed)), batch="64", precision="bf16")
    )
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


def test_parts_sum_to_their_whole(plain):
    row = plain.manifest["best"]
    assert sum(part["seconds"] for part in plain.tables["time"].rows()) == pytest.approx(row["step_s"], rel=1e-6)
    assert sum(part["gb"] for part in plain.tables["memory"].rows()) == pytest.approx(row["memory_gb"], rel=1e-6)
    layout = plain.manifest["layout"]
    assert layout["tp"] * layout["pp"] * layout["cp"] * layout["dp"] == row["chips_used"]


def test_a_budget_takes_its_time_and_failures_take_more():
    calm, usual, rough = (
        asked(tokens="1T", failures=failures, mapping="tp2-pp1-mb2").metrics for failures in ("none", "", "factor=5")
    )
    days, hours, mwh = ({row["name"]: row for row in m.rows()} for m in (calm, usual, rough))
    tokens_per_day = days["tokens_rate"]["value"] * 86400
    assert days["wall_time"]["value"] == pytest.approx(1e12 / tokens_per_day)
    assert days["wall_time"]["value"] < hours["wall_time"]["value"] < mwh["wall_time"]["value"]
    assert days["energy"]["value"] < hours["energy"]["value"] < mwh["energy"]["value"]
    for rows in (days, hours, mwh):
        for name in ("wall_time", "chip_hours", "energy"):
            assert rows[name]["low"] < rows[name]["value"] < rows[name]["high"]
        assert rows["chip_hours"]["value"] == pytest.approx(64 * 24 * rows["wall_time"]["value"])


def test_shares_of_the_time_sum_to_one():
    rows = list(asked(tokens="1T").tables["job"].rows())
    shares = [row["value"] for row in rows if row["unit"] == "share"]
    assert sum(shares) == pytest.approx(1.0, abs=1e-3)


def test_a_mapping_that_is_fixed_is_what_is_timed():
    made = asked(mapping="tp4-pp2-vp2-dp8-cp1-mb1", recompute="none", precision="bf16", sharding="zero1")
    layout = made.manifest["layout"]
    assert [layout[name] for name in ("tp", "pp", "vpp", "dp", "cp", "micro_batch", "recompute")] == [
        4,
        2,
        2,
        8,
        1,
        1,
        0,
    ]
    assert {row["mapping"] for row in made.tables["pareto"].rows()} == {made.manifest["best"]["mapping"]}


def test_only_the_recompute_that_was_asked_for_is_shown():
    for words, share, modules in (("full", 1.0, 0.0), ("selective", 0.0, 1.0), ("50 %", 0.5, 0.0)):
        layout = asked(recompute=words, precision="bf16").manifest["layout"]
        assert (layout["recompute"], layout["modules"]) == (share, modules)


def test_older_software_is_slower_and_it_is_said():
    new, old = asked(precision="bf16", on="hgx-b200"), asked(precision="bf16", on="hgx-b200", release="2025-06")
    assert old.manifest["best"]["step_s"] > new.manifest["best"]["step_s"]
    assert "Software of container 25.05 (2025-06)" in old.texts["notes"][0]
    assert asked(precision="bf16", on="hgx-b200", release="2027-01").manifest["best"] == new.manifest["best"]


def test_every_headline_number_has_a_tree(plain):
    trees = plain.manifest["explain"]
    for row in plain.metrics.rows():
        assert trees[row["name"]]["value"] == pytest.approx(row["value"])
    parts = [child["value"] for child in trees["step"]["children"] if child["kind"] == "formula"]
    assert sum(parts) == pytest.approx(trees["step"]["value"], rel=1e-6)


def test_two_sites_wait_for_each_other():
    one = best(gpus="128", precision="bf16")
    two = best(gpus="128", precision="bf16", sites="2", link="1000 km, 400 Gb/s")
    assert two["step_s"] > one["step_s"]


def test_phases_of_a_step_fill_it_and_their_mean_is_the_chips_power(plain):
    rows = list(plain.tables["power"].rows())
    phases = [row for row in rows if row["share"] is not None]
    assert sum(row["share"] for row in phases) == pytest.approx(1.0)
    mean = sum(row["w"] * row["share"] for row in phases)
    assert mean == pytest.approx(plain.manifest["best"]["chip_w"], rel=0.02)
    named = {row["what"]: row["w"] for row in rows}
    assert named["a chip, working"] >= named["a chip, exchanging"]
    assert named["a chip, mean"] < named["at the rack's input"] < named["at the meter"]


def test_a_mixture_names_the_recipe_of_its_release_and_an_older_one_is_slower():
    asked_of = {"on": "gb200-nvl72", "gpus": "256", "mapping": "pp4-mb1", "precision": "mxfp8"}
    new, old = (answer(read_question("deepseek-v3", release=name, **asked_of)) for name in ("", "26.02"))
    assert old.manifest["best"]["step_s"] > 1.05 * new.manifest["best"]["step_s"]
    said = [{row["what"]: row["value"] for row in one.tables["assumed"].rows()} for one in (new, old)]
    what = "recipe of mxfp8 on gb200-nvl72"
    assert "fused experts" in said[0][what] and "fused experts" not in said[1][what]
    assert "software release" in said[0]

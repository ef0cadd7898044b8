"""Runs beside pre-training in a scenario: reinforcement learning, tuning, evaluation and data; what is owed is met."""

import copy
from importlib import resources
from typing import Any

import numpy as np
import pytest

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible, InputError
from gigawatt.physics.chip import box_from_record
from gigawatt.physics.fabric import default_fabric
from gigawatt.physics.workload import from_config
from gigawatt.study import load as loading
from gigawatt.study.jobs.answer import answer_job
from gigawatt.study.jobs.points import rate
from gigawatt.study.jobs.specs import DataRun, Evaluation, Finetune, PostTraining
from gigawatt.study.jobs.work import Place, worked
from gigawatt.study.pipeline import assemble, work_out
from gigawatt.study.resolve import resolve

OWED = {"finish_by": "2027-06-30"}
REASON: dict[str, Any] = {
    "id": "reason", "kind": "post_training", "model": "qwen2.5-7b", "steps": 500, "prompts": 256, "answers": 8,
    "input_tokens": 500, "output_tokens": 3000, "output_limit": 16000, "scoring": {"cpu": "2 s", "places": 512},
    "obligation": OWED,
}  # fmt: skip
PRETRAIN: dict[str, Any] = {
    "id": "pretrain", "kind": "training", "model": "llama3-8b", "tokens": 2e12, "global_batch": 512, "obligation": OWED,
}  # fmt: skip
TUNE: dict[str, Any] = {
    "id": "tune", "kind": "finetune", "model": "llama3-8b", "samples": 1e6, "sample_tokens": 900, "obligation": OWED,
}  # fmt: skip
GRADE: dict[str, Any] = {
    "id": "grade", "kind": "evaluation", "model": "llama3-8b", "times": 20, "obligation": OWED,
    "benchmarks": [
        {"id": "math", "questions": 500, "answers": 8, "input_tokens": 300, "output_tokens": 2000},
        {"id": "code", "questions": 200, "input_tokens": 900, "output_tokens": 1500, "score": "10 s"},
    ],
}  # fmt: skip
CORPUS: dict[str, Any] = {
    "id": "corpus", "kind": "data", "model": "qwen3-4b", "tokens": 1e11, "read_per_kept": 2, "obligation": OWED,
}  # fmt: skip
BASE: dict[str, Any] = {
    "schema": 1,
    "name": "jobs",
    "horizon": {"start": "2027-01-01", "years": 2},
    "site": {"grid_power": "30 MW"},
    "moats": False,
    "uncertainty": {"samples": 32},
    "fleet": [{"id": "h200", "platform": "hgx-h200"}],
    "workloads": [PRETRAIN, REASON, TUNE, GRADE, CORPUS],
}


def loaded(*works: dict[str, Any], **changes: Any) -> Any:
    data = copy.deepcopy(BASE) | changes
    if works:
        data["workloads"] = [copy.deepcopy(work) for work in works]
    return loading.from_data(data, "test")


@pytest.fixture(scope="module")
def usual() -> Any:
    return work_out(loaded())


@pytest.fixture(scope="module")
def place() -> Place:
    catalog = Catalog.load()
    platform = catalog.get("platform", "hgx-h200")
    box = box_from_record(platform, catalog.get("accelerator", platform.accelerator))
    return Place(box, default_fabric(box.chip), 15.0, catalog, platform.host, platform.chips_per_host)


def test_every_run_is_done_by_its_date_beside_the_others(usual: Any) -> None:
    points, use = usual.priced.inputs.points, usual.plan.use
    seconds = usual.line.full_seconds_until(2)
    for j, work in enumerate(usual.resolved.works):
        made = float((use[:, 0] * points.tokens_out_per_s * (points.workload == j)).sum())
        assert made * seconds >= work.spec.owed_tokens * (1 - 1e-6), work.id
    owed = [limit.name for limit in usual.plan.limits if limit.kind == "obligation" and limit.binding]
    assert len(owed) == 5


def test_tables_and_trees_of_the_jobs(usual: Any) -> None:
    made = assemble(usual)
    jobs = {row["workload"]: row for row in made.tables["jobs"].rows()}
    assert set(jobs) == {"pretrain", "reason", "tune", "grade", "corpus"}
    phases = list(made.tables["job_phases"].rows())
    for name, row in jobs.items():
        mine = [p for p in phases if p["workload"] == name]
        assert sum(p["chip_hours"] for p in mine) == pytest.approx(row["chip_hours"])
        assert sum(p["energy_j"] for p in mine) == pytest.approx(row["mwh"] * 3.6e9)
        assert row["mean_mw"] * row["wall_days"] * 24 == pytest.approx(row["mwh"])
        assert 0 < row["mean_mw"] <= row["peak_mw"] * (1 + 1e-9)
        assert row["wall_low_days"] <= row["wall_days"] <= row["wall_high_days"]
        assert row["wall_days"] * 86400 <= usual.line.full_seconds_until(2) or name == "pretrain"
        assert row["mean_racks"] > 0
        assert made.manifest["explain"][f"job.{name}"]["value"] == pytest.approx(row["wall_days"])
    performance = {row["workload"]: row for row in made.tables["performance"].rows()}
    assert performance["reason"]["joules_per_token"] > performance["tune"]["joules_per_token"]
    assert made.tables["software"].columns["workload"].count("reason") == 1


@pytest.mark.parametrize("work", [REASON, TUNE, GRADE, CORPUS], ids=lambda work: work["kind"])
def test_a_fleet_of_its_own_holds_the_whole_job(work: Any) -> None:
    found = work_out(loaded(work | {"chips": 512}))
    held = found.priced.performance.held_chips[0, 0]
    owned = float(found.plan.racks[0]) * found.priced.performance.boxes[0].chips
    assert owned == pytest.approx(held, rel=1e-6)  # and no rack more: nothing else earns here
    assert held >= 512


def test_no_job_holds_more_chips_than_the_plan_owns(usual: Any) -> None:
    points, use = usual.priced.inputs.points, usual.plan.mean_use
    for (i, j), held in usual.priced.performance.held_chips.items():
        if np.any(use[(points.platform == i) & (points.workload == j)] > 0):
            owned = float(usual.plan.racks[i]) * usual.priced.performance.boxes[i].chips
            assert held <= owned * (1 + 1e-6)


def test_the_shipped_example_stands_a_loop_beside_pre_training() -> None:
    path = resources.files("gigawatt") / "examples" / "post-training.yaml"
    answer = work_out(loading.load(str(path), ["moats=false", "uncertainty.samples=16"]))
    racks = {work.id: 0.0 for work in answer.resolved.works}
    for w, used in zip(answer.priced.inputs.points.workload, answer.plan.mean_use, strict=True):
        racks[answer.resolved.works[w].id] += float(used)
    assert racks["pretrain"] > racks["reason"] > 0
    assert racks["chat"] > racks["pretrain"]
    runs = {(answer.resolved.works[j].id, i): run for (i, j), run in answer.priced.performance.jobs.items()}
    assert runs["reason", 0].wall_s <= answer.line.full_seconds_until(1)


def test_a_run_by_itself_takes_the_chips_that_its_time_asks_for(place: Place) -> None:
    record = place.catalog.get("model", "qwen2.5-7b")
    spec = PostTraining(**(REASON | {"mode": "synchronous"}))
    slow = answer_job(spec, record, place, seconds=5 * 86400, platform="h200")
    fast = answer_job(spec, record, place, seconds=43200)
    assert slow.made.chips < fast.made.chips
    assert fast.made.run.wall_s <= 43200
    row = slow.row()
    assert (row["kind"], row["platform"], row["tokens"]) == ("post_training", "h200", 500 * 256 * 8 * 3500)
    assert slow.tree()["kind"] == "formula" and len(slow.tree()["children"]) > 5
    with pytest.raises(Infeasible, match="most goes to rollouts"):
        answer_job(spec, record, place, seconds=900)
    with pytest.raises(Infeasible, match=r"takes .* days on 16 chips"):
        answer_job(PostTraining(**(REASON | {"mode": "synchronous", "chips": 16})), record, place, seconds=3600)


@pytest.mark.parametrize("kind", [PostTraining, Finetune, Evaluation, DataRun])
def test_more_chips_never_take_longer(kind: Any, place: Place) -> None:
    given = {PostTraining: REASON, Finetune: TUNE, Evaluation: GRADE, DataRun: CORPUS}[kind]
    record = place.catalog.get("model", given["model"])
    arch, spec = from_config(record.id, record.config), kind(**given)
    walls = [worked(spec, arch, chips, place).wall_s for chips in (16, 32, 64)]
    assert walls[0] >= walls[1] * 0.999 and walls[1] >= walls[2] * 0.999
    # A chip does less in a larger run; data's readers alone gain, from pools that 16 chips do not hold.
    assert kind is DataRun or rate(spec, arch, 16, place) >= rate(spec, arch, 64, place) * 0.999


def test_synchronous_runs_stand_on_the_same_chips(place: Place) -> None:
    record = place.catalog.get("model", "qwen2.5-7b")
    arch = from_config(record.id, record.config)
    made = worked(PostTraining(**(REASON | {"mode": "synchronous"})), arch, 64, place)
    assert made.tracks == (0,)
    assert len(worked(PostTraining(**REASON), arch, 64, place).tracks) == 2


@pytest.mark.parametrize(
    ("work", "changes", "message", "hint"),
    [
        (REASON, {"mode": "asynchron"}, "asynchron", "did you mean 'asynchronous'?"),
        (REASON, {"placement": "colocated"}, "chips of their own", ""),
        (REASON, {"output_limit": 3100}, "too near 'output_limit' 3,100", ""),
        (REASON, {"obligation": None}, "a post-training workload needs an 'obligation'", ""),
        (REASON, {"stps": 5}, "unknown field 'stps'", "did you mean 'steps'?"),
        (REASON, {"wait": "5 MW"}, "wait", ""),
        (TUNE, {"sample_tokens": 9000}, "do not fit a 'sequence_length' of 8,192", ""),
        (GRADE, {"benchmarks": []}, "benchmarks", ""),
        (CORPUS, {"stages": ["filtr"]}, "'filtr' is no stage of data processing", ""),
        (CORPUS, {"kind": "dataa"}, "unknown kind 'dataa'", "did you mean 'data'?"),
    ],
)
def test_wrong_fields_are_told_with_what_would_be_right(work: Any, changes: Any, message: str, hint: str) -> None:
    with pytest.raises(InputError) as told:
        loaded(work | changes)
    problem = told.value.problems[0]
    assert message in problem.message
    assert not hint or hint in problem.hints


def test_names_and_lengths_that_the_catalog_does_not_know(tmp_path: Any) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "schema: 1\nname: s\nfleet: [{id: h200, platform: hgx-h200}]\nworkloads:\n"
        "  - id: reason\n    kind: post_training\n    model: qwen2.5-7b\n    steps: 10\n    input_tokens: 500\n"
        "    output_tokens: 3000\n    output_limit: 200000\n    scoring:\n      model: qwen2.5-32\n"
        "    reliability: {cluster: llama}\n    price_per_run: 1 million USD\n"
    )
    with pytest.raises(InputError) as told:
        resolve(loading.load(path))
    by = {problem.code: problem for problem in told.value.problems}
    lines = {problem.where.line: problem.message for problem in told.value.problems if problem.where}
    assert "200,500 tokens" in lines[11] and "too_long" in by
    assert "qwen2.5-32" in lines[13]
    assert any("llama" in message for message in lines.values())


def test_a_run_that_can_not_be_done_in_time_says_so() -> None:
    with pytest.raises(Infeasible, match="reason"):
        work_out(loaded(REASON | {"steps": 500_000, "mode": "synchronous"}))

"""Pre-training in a run: obligations met with failures in, what guards a run is asked and told, stretches of lengths."""

import copy
import json
from typing import Any

import pytest

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.physics.chip import PowerMode
from gigawatt.physics.reliability import Plan, effective_training
from gigawatt.physics.reliability.effective import PARTS
from gigawatt.study import load as loading
from gigawatt.study.job_size import Guarded, Run, Sized, best_size, smallest_size
from gigawatt.study.jobs.answer import answers, jobs_tables
from gigawatt.study.pipeline import work_out
from gigawatt.study.points import Refusal
from gigawatt.study.pretrain import fastest_modes
from gigawatt.study.resolve import resolve
from gigawatt.study.runs_tables import PRODUCTIVE, WORDS, availability_table, runs_table, swings_table
from gigawatt.study.software import software_table

BASE: dict[str, Any] = {
    "schema": 1,
    "name": "runs",
    "horizon": {"start": "2027-01-01", "years": 2},
    "site": {"grid_power": "30 MW"},
    "moats": False,
    "fleet": [{"id": "b200", "platform": "hgx-b200"}],
    "workloads": [
        {
            "id": "pretrain",
            "kind": "training",
            "model": "llama3-405b",
            "tokens": 8e12,
            "obligation": {"finish_by": "2027-12-31"},
        },
    ],
}


def scenario(**changes: Any) -> dict[str, Any]:
    data = copy.deepcopy(BASE)
    data["workloads"][0] |= changes
    return data


def answer(**changes: Any) -> Any:
    return work_out(loading.from_data(scenario(**changes), "test"))


@pytest.fixture(scope="module")
def usual() -> Any:
    return answer()


def kept(found: Any) -> float:
    (guard,) = found.priced.performance.guards.values()
    return float(guard.share)


def test_obligation_is_met_with_failures_in(usual: Any) -> None:
    points, use = usual.priced.inputs.points, usual.plan.use
    made = float((use[:, 0] * points.tokens_out_per_s).sum())
    seconds = usual.line.full_seconds_until(4)
    assert made * seconds >= 8e12 * (1 - 1e-6)
    (guard,) = usual.priced.performance.guards.values()
    assert 0.8 < guard.share < 1.0
    assert guard.share + guard.checkpoint_share + guard.failure_share == pytest.approx(1.0)


def test_a_fleet_of_its_own_holds_the_whole_job(usual: Any) -> None:
    (guard,) = usual.priced.performance.guards.values()
    owned = float(usual.plan.racks[0]) * usual.priced.performance.boxes[0].chips
    assert owned >= guard.owned_chips * (1 - 1e-6)
    assert owned == pytest.approx(guard.owned_chips, rel=1e-6)  # and no rack more: nothing else earns here


def test_points_count_what_is_kept_and_what_stands_by(usual: Any) -> None:
    (guard,) = usual.priced.performance.guards.values()
    needed = 8e12 / usual.line.full_seconds_until(4)
    for point in usual.priced.performance.points:
        step = 8192 * 2048 / point.step_s / guard.chips
        kept = step * guard.share / (1 + guard.spare_share)
        assert point.tokens_out_per_s == pytest.approx(min(kept, needed / guard.owned_chips))
        assert 0.5 < point.load <= 1.0


def test_worse_guards_keep_less_and_need_more_racks(usual: Any) -> None:
    worse = answer(reliability={"rate": 12.0, "checkpoint": "sync", "diagnosis": "by hand"})
    assert kept(worse) < kept(usual)
    assert worse.plan.racks.sum() > usual.plan.racks.sum()


def test_spares_are_bought(usual: Any) -> None:
    some = answer(reliability={"spares": "10 %"})
    (few,), (guard,) = (made.priced.performance.guards.values() for made in (usual, some))
    assert few.spare_share < guard.spare_share == pytest.approx(0.10, abs=0.01)
    assert some.plan.racks.sum() > usual.plan.racks.sum()


def test_a_run_without_spares_waits_for_repairs(usual: Any) -> None:
    assert kept(answer(reliability={"spares": "0 %"})) < 0.5 * kept(usual)


def test_interruptions_that_leave_no_time_are_named() -> None:
    with pytest.raises(Infeasible, match="tiered checkpoints") as caught:
        answer(chips=65536, reliability={"rate": 900.0, "checkpoint": "sync", "diagnosis": "by hand"})
    assert "an interruption every" in caught.value.conflict[0]


def test_performance_tells_the_parts(usual: Any) -> None:
    from gigawatt.study.plan_tables import performance_table

    (row,) = performance_table(usual, {}).rows()
    assert row["goodput"] + row["lost_to_failures"] + row["lost_to_checkpoints"] == pytest.approx(1.0)
    assert row["job_chips"] > 0


def test_defaults_of_guards_are_listed() -> None:
    paths = {default.path for default in loading.from_data(scenario(), "test").defaults}
    assert "workloads.pretrain.reliability" in paths
    written = loading.from_data(scenario(reliability={"spares": "2 %"}), "test").defaults
    assert "workloads.pretrain.reliability.checkpoint" in {default.path for default in written}


def test_long_stretches_take_longer(usual: Any) -> None:
    long = answer(then=[{"sequence_length": 65536, "share": "20 %"}])

    def wall_days(found: Any) -> float:
        table, _ = jobs_tables(list(answers(found)))
        assert table is not None
        (row,) = table.rows()
        return float(row["wall_days"])

    assert long.plan.racks.sum() >= usual.plan.racks.sum()
    assert wall_days(long) > 1.02 * wall_days(usual)
    assert ", then " in long.priced.performance.points[0].mapping


def test_a_run_that_cannot_be_done_in_time_is_infeasible() -> None:
    with pytest.raises(Infeasible, match="pretrain"):
        answer(tokens=8e14)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reliability": {"cluster": "rsc1-a10"}}, "rsc1-a100"),
        ({"reliability": {"state": "adm"}}, "adam"),
        ({"stack": "megatron-9999"}, "training stack"),
        ({"then": [{"sequence_length": 32768, "share": "100 %"}]}, "under 1"),
        (
            {"then": [{"sequence_length": 32768, "share": "60 %"}, {"sequence_length": 65536, "share": "50 %"}]},
            "below 1",
        ),
        ({"then": [{"sequence_length": 9_000_000, "share": "5 %"}]}, "positions"),
        ({"reliability": {"checkpoint": "never"}}, "sync"),
        ({"reliability": {"interval": 30}}, "unit"),
        ({"release": 26.03}, "no software release is called '26.03'"),
        ({"release": "soon"}, "'soon' is no software release"),
    ],
)
def test_wrong_runs_say_what_would_be_right(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        resolve(loading.from_data(scenario(**changes), "test"))


def test_a_release_is_a_container_or_a_date_and_an_older_one_trains_slower(usual: Any) -> None:
    fixed = {"chips": 8192, "tokens": 2e12}
    found = [answer(release=name, **fixed) for name in (26.08, "26.02", "2025-06")]
    steps = [min(point.step_s for point in one.priced.performance.points) for one in found]
    assert steps == sorted(steps) and steps[0] < steps[2]
    assert steps[0] == min(point.step_s for point in answer(**fixed).priced.performance.points)
    (row,) = software_table(found[2].resolved, found[2].priced.performance.software).rows()
    assert "container 25.05 (2025-06)" in row["note"]


def test_a_wrong_release_is_told_at_its_place(tmp_path: Any) -> None:
    file = tmp_path / "s.yaml"
    text = json.dumps(scenario(), indent=1).replace('"llama3-405b",', '"llama3-405b",\n    "release": "26.03",')
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as told:
        resolve(loading.load(file))
    (problem,) = told.value.problems
    assert problem.where is not None and problem.where.line == text[: text.index("26.03")].count("\n") + 1
    assert "did you mean '26.02'?" in problem.hints


def test_a_fleet_with_other_work_takes_the_size_that_keeps_most() -> None:
    look = {4096: 1.0, 6144: 0.7, 8192: 0.9, 3072: 0.8, 3584: 0.95, 4608: 0.8, 5120: 0.8, 7168: 0.8, 3840: 0.8}
    effective = effective_training(4096.0, 1e12, plan=Plan(spares=0.0, repair_s=1.0))

    def sized(chips: int) -> Sized | Refusal:
        if chips not in look:
            return Refusal(0, 0, "no mapping", "")
        run = Run("", "bf16", "full", look[chips], 1.0, "", 1.0, 0.5, 0.9, 1.1, 64.0, 8.0, ())
        return Sized([run], Guarded(chips, effective))

    kept = float(effective.productive)
    needed = 3100.0 * kept
    best, least = best_size(sized, needed), smallest_size(sized, needed)
    assert isinstance(best, Sized) and best.guard.chips == 4096
    assert isinstance(least, Sized) and least.guard.chips == 3584


def test_stated_chips_that_are_too_few_are_refused() -> None:
    with pytest.raises(Infeasible, match="pretrain") as caught:
        answer(chips=64, reliability={"spares": "20 %"})
    assert any("the date asks for" in line or "memory" in line for line in caught.value.conflict)


def test_replicas_go_on_where_asked(usual: Any) -> None:
    found = answer(reliability={"go_on": "replicas"})
    (guard,) = found.priced.performance.guards.values()
    assert float(guard.effective.stall) > 0 and float(guard.effective.lost) == 0.0


def test_runs_and_swings_have_tables(usual: Any) -> None:
    told = {row["what"]: row["value"] for row in runs_table(usual).rows()}
    assert sum(value for what, value in told.items() if what.startswith("time: ")) == pytest.approx(1.0)
    assert set(WORDS) | {"productive"} == set(PARTS)
    assert told["  its 80 % band, low"] <= told[PRODUCTIVE] <= told["  its 80 % band, high"]
    (swing,) = swings_table(usual).rows()
    assert swing["trough_mw"] < swing["mean_mw"] < swing["peak_mw"]
    assert 0.0 < swing["peak_cut"] < 0.5
    steps = {point.step_s for point in usual.priced.performance.points}
    assert any(swing["frequency_hz"] == pytest.approx(1 / step, rel=1e-6) for step in steps)


def test_fleets_that_serve_are_told_what_failures_leave() -> None:
    data = copy.deepcopy(BASE)
    data["workloads"] = [
        {
            "id": "chat",
            "kind": "serving",
            "model": "llama3-405b",
            "input_tokens": 1000,
            "output_tokens": 300,
            "slo": {"ttft_p99": "5 s", "tpot_p99": "80 ms"},
            "demand": {"output": "2e6 tokens/s"},
            "price": {"output": "3 USD/Mtok"},
        }
    ]
    rows = availability_table(work_out(loading.from_data(data, "test"))).rows()
    assert rows
    for row in rows:
        assert row["up_without"] < row["up_with_spare_nodes"] < 1.0
        assert row["beside_without"] >= row["beside_with_spare_nodes"] > 0.0


def test_a_job_is_sized_in_the_mode_that_nothing_beats() -> None:
    full, low = PowerMode("full", 1.0, 1.0, 1.0), PowerMode("low", 0.7, 0.8, 1.0)
    dim = PowerMode("dim", 0.8, 0.9, 0.7)
    assert fastest_modes((low, full, dim)) == (full,)
    odd = PowerMode("odd", 0.7, 0.7, 1.1)
    assert fastest_modes((full, odd)) == (full, odd)  # neither is quicker in both

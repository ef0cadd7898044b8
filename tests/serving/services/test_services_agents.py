"""Agents and batch work: Little's law, what holding a cache costs, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import host_path
from gigawatt.physics.serving.services import AgentTask, Tier, agents, chips_by_deadline, offline, usual_task


def best(found):
    return float(found.units_per_s_per_chip.max())


@given(mean=st.floats(1.0, 60.0), longer=st.floats(1.2, 4.0), name=st.sampled_from(["gpt-oss-120b", "llama3-70b"]))
@settings(max_examples=8, deadline=None)
def test_longer_waits_never_give_more_tasks_where_the_cache_is_held(mean, longer, name, model, chip):
    short, long = (agents(model(name), chip("h200-sxm"), task=usual_task(tool_mean_s=m)) for m in (mean, mean * longer))
    assert best(long) <= best(short) * (1 + 1e-9)


def test_waits_cost_nothing_but_time_where_the_cache_is_evicted(model, chip):
    args = model("gpt-oss-120b"), chip("h200-sxm")
    short, long = (agents(*args, task=usual_task(tool_mean_s=m, keep_s=0.0)) for m in (1.0, 60.0))
    assert best(short) == pytest.approx(best(long))
    assert long.latency_s.min() > short.latency_s.min() + 29 * 58


def test_holding_the_cache_pays_as_published(model, chip):
    """vLLM with Mooncake, 2026-05: 3.8 times the throughput on these traces with prefixes found (another model and chip)."""
    args = model("deepseek-v3"), chip("b200-sxm")
    held, evicted = agents(*args), agents(*args, task=usual_task(keep_s=0.0))
    assert 2.5 < best(held) / best(evicted) < 5.5


@given(calls=st.integers(1, 60), tool=st.floats(0.0, 4000.0), hit=st.floats(0.0, 1.0), keep=st.floats(0.0, 1000.0))
@settings(max_examples=60, deadline=None)
def test_shares_of_a_task_are_shares_and_a_longer_keep_finds_more(calls, tool, hit, keep):
    task = usual_task(calls=float(calls), tool_tokens=tool, hit=hit, keep_s=keep)
    longer = usual_task(calls=float(calls), tool_tokens=tool, hit=hit, keep_s=keep * 2 + 1)
    assert 0.0 <= task.cached_share <= 1.0
    assert 0.0 <= task.evicted <= 1.0
    assert 0.0 <= task.kept_s <= min(task.tool_mean_s, max(keep, 0.0)) * (1 + 1e-9)
    assert longer.cached_share >= task.cached_share - 1e-12
    assert longer.kept_s >= task.kept_s - 1e-12


def test_the_kept_part_of_a_wait_equals_sampling():
    task = usual_task(keep_s=30.0)
    sigma = np.sqrt(2 * np.log(task.tool_mean_s / task.tool_median_s))
    waits = task.tool_median_s * np.exp(sigma * np.random.default_rng(3).standard_normal(2_000_000))
    assert task.kept_s == pytest.approx(np.minimum(waits, 30.0).mean(), rel=0.01)
    assert task.evicted == pytest.approx((waits > 30.0).mean(), rel=0.01)


def test_the_usual_task_is_the_published_one():
    task = usual_task()
    assert task.last_tokens == pytest.approx(80_488, rel=0.01)
    assert task.cached_share == pytest.approx(1_525_376 / 1_637_000, abs=0.02)
    assert usual_task(keep_s=0.0).cached_share == 0.0


def test_sessions_follow_littles_law_and_watts_stay_within_the_chip(model, chip):
    board = chip("h200-sxm")
    found = agents(model("gpt-oss-120b"), board)
    tasks_per_s = found.units_per_s_per_chip * found.chips
    assert found.details["sessions"] == pytest.approx(tasks_per_s * found.latency_s, rel=1e-6)
    assert found.details["chip_s_per_task"] == pytest.approx(1 / found.units_per_s_per_chip)
    assert np.all((found.chip_w >= board.idle_w) & (found.chip_w <= board.tdp_w))
    assert np.all(found.joules_per_unit > 0)
    assert np.all((found.details["waiting_share"] >= 0) & (found.details["waiting_share"] < 1))


def test_parking_caches_in_hosts_lies_between_holding_room_and_working_them_out_again(model, chip):
    catalog = Catalog.load()
    host = host_path(catalog.get("host", "xeon-8570"), 4)
    args = model("gpt-oss-120b"), chip("h200-sxm")
    task = usual_task(keep_s=1.0, tool_mean_s=120.0)
    evicted = agents(*args, task=task)
    parked = agents(*args, task=task, host=host, host_cache_bytes=host.memory_bytes)
    assert best(parked) > 1.2 * best(evicted)
    assert parked.details["host_bytes_per_chip"].max() <= host.memory_bytes
    held = agents(*args, task=usual_task(tool_mean_s=120.0))
    assert best(parked) > best(held)  # waits of minutes cost more room than a fetch costs time
    none = agents(*args, task=task, host=host, host_cache_bytes=1e6)
    assert len(none) == 0
    assert any("host memory" in r.nearest_fix for r in none.rejected)


def test_production_does_less_than_a_benchmark(model, chip):
    args = model("gpt-oss-120b"), chip("h200-sxm")
    whole = best(agents(*args))
    assert best(agents(*args, decode_derate=0.8)) < whole
    assert best(agents(*args, prefill_derate=0.51)) < whole


def test_a_task_that_waits_longer_than_its_limit_says_the_floor(model, chip):
    found = agents(model("gpt-oss-120b"), chip("h200-sxm"), task_s=60.0)
    assert len(found) == 0
    assert "lowest task time" in found.rejected[-1].nearest_fix
    slow = agents(model("gpt-oss-120b"), chip("h200-sxm"), tpot_s=1e-5)
    assert len(slow) == 0
    assert any("lowest TPOT" in r.nearest_fix for r in slow.rejected)


def test_a_model_that_does_not_fit_says_by_how_much(model, chip):
    found = agents(model("llama3-405b"), chip("l40s"))
    assert len(found) == 0
    assert "GB more than there are" in found.rejected[0].nearest_fix


def test_tasks_that_make_no_sense_are_refused_all_at_once(model, chip):
    bad = AgentTask(0.0, -1.0, -2.0, 5.0, 1.0, 2.0, 1.5)
    with pytest.raises(InputError) as told:
        agents(model("gpt-oss-120b"), chip("h200-sxm"), task=bad)
    assert len(told.value.problems) == 5
    with pytest.raises(InputError, match="positions"):
        agents(model("qwen3-8b"), chip("h200-sxm"))


def test_batch_work_is_never_slower_than_someone_waiting(model, chip):
    args = model("llama3-70b"), chip("h200-sxm")
    lengths = {"input_tokens": 2000.0, "output_tokens": 300.0}
    loose, tight = (offline(*args, **lengths, tier=Tier(5.0, t)) for t in (0.2, 0.012))
    ratios = [float(f.details["ratio_to_interactive"].max()) for f in (loose, tight)]
    assert 1.0 <= ratios[0] <= ratios[1]
    assert ratios[1] > 1.2
    never = offline(*args, **lengths, tier=Tier(5.0, 1e-6))
    assert np.all(np.isinf(never.details["ratio_to_interactive"]))
    row = loose.rows()[loose.best]
    assert row["tokens_out_per_s_per_chip"] == pytest.approx(300 * row["units_per_s_per_chip"])


def test_a_deadline_takes_chips_in_proportion(model, chip):
    found = offline(model("llama3-8b"), chip("h200-sxm"), input_tokens=500.0, output_tokens=200.0)
    day, half = (chips_by_deadline(found, 1e9, s) for s in (86400.0, 43200.0))
    assert half == pytest.approx(2 * day, abs=found.chips[found.best] + 1)
    assert chips_by_deadline(found, 1e9, 86400.0, derate=0.5) == pytest.approx(2 * day, abs=found.chips[found.best] + 1)
    with pytest.raises(InputError, match="deadline_s"):
        chips_by_deadline(found, 1e9, 0.0)
    none = offline(model("llama3-405b"), chip("l4"), input_tokens=500.0, output_tokens=200.0)
    with pytest.raises(InputError, match="no point"):
        chips_by_deadline(none, 1e9, 86400.0)

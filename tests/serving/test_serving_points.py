"""Scheduling, releases, protocol, anchors, recipes: what the reading of serving points rests on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.serving import Load, Spec, deploy, pools, steady_state
from gigawatt.physics.serving.engine.memory import free_bytes_per_chip
from gigawatt.physics.serving.engine.releases import release_year, releases, version
from gigawatt.physics.serving.engine.scheduling import Scheduling, SchedulingColumns, entry
from gigawatt.physics.serving.steady.anchor import Spread, anchor, spread_of
from gigawatt.physics.serving.steady.disaggregated import overflow
from gigawatt.physics.serving.steady.protocol import Protocol
from gigawatt.validation.serving_launches import Limits, drafts_of, limits_of, release_of, scheduling_of
from gigawatt.validation.serving_models import architecture_of, chip_of
from gigawatt.validation.serving_points import NEAR, RECIPE, RECIPES, points
from gigawatt.validation.serving_recipes import Asked, Recipe, Worker, nearest, recipes

DEEPSEEK, LLAMA, B200 = "deepseek-ai/DeepSeek-R1", "meta-llama/Llama-3.1-70B", "b200_sxm"


def spec(model=LLAMA, gpus=4, **more):
    return Spec(architecture_of(model).arch, chip_of(B200)[0], gpus, **({"moe_tp": gpus} | more))


def enter(arrivals, dp=1.0, tokens=1024.0, **set_to):
    columns = SchedulingColumns.of([Scheduling(**set_to)])
    return entry(columns, np.array([arrivals]), np.array([dp]), np.array([tokens]))


@given(st.floats(1e-4, 3.0), st.floats(1.0, 60.0), st.sampled_from([1.0, 2.0, 8.0]))
def test_who_is_held_longer_enters_in_larger_groups(arrivals, poll, dp):
    short, long = enter(arrivals, dp, poll_steps=poll), enter(arrivals, dp, poll_steps=poll * 2)
    assert long.steps >= short.steps and long.beside >= short.beside and long.ranks >= short.ranks
    assert 1.0 <= float(short.ranks[0]) <= dp and short.beside >= 1.0


def test_a_lone_prompt_waits_for_the_whole_gathering_and_half_of_a_poll():
    assert enter(1e-9, gather_steps=20.0, gather_tokens=1e5).steps[0] == pytest.approx(20.5, rel=1e-3)
    assert enter(1e-9, poll_steps=30.0).steps[0] == pytest.approx(15.0)


def test_gathering_ends_when_the_step_is_full():
    slow, fast = (enter(a, gather_steps=40.0, gather_tokens=4096.0).steps[0] for a in (0.01, 3.0))
    assert fast < 2.0 < slow


def test_balancing_lets_ranks_enter_together_and_one_rank_has_nothing_to_balance():
    assert enter(0.05, 8.0, balance_steps=60.0).ranks[0] > 2 * enter(0.05, 8.0, balance_steps=0.0).ranks[0]
    assert enter(0.05, 1.0, balance_steps=60.0).steps[0] == enter(0.05, 1.0, balance_steps=0.0).steps[0]


def test_versions_sort_as_their_makers_number_them():
    order = ["1.0.0rc3", "1.0.0", "1.1.0rc2", "1.1.0rc2.post2", "1.2.0rc6.post1", "1.2.0rc6.post2", "1.2.0"]
    assert sorted(order, key=version) == order


@pytest.mark.parametrize("engine", ["trtllm", "vllm", "sglang"])
def test_no_release_counts_as_later_than_the_newest_fitted(engine):
    newest = max(releases()[engine].values())
    assert release_year(engine) == release_year(engine, "99.0.0") == newest
    assert all(release_year(engine, name) <= newest for name in releases()[engine])


def test_a_release_between_two_counts_as_the_older_and_one_before_all_as_the_oldest():
    assert release_year("vllm", "0.13.0") == release_year("vllm", "0.12.0")
    assert release_year("vllm", "0.5.0") == min(releases()["vllm"].values())


def test_an_older_release_is_never_faster():
    load = Load.of(1024.0, 1024.0, 8.0)
    names = sorted(releases()["sglang"], key=version)
    tpot = steady_state(deploy([spec(engine="sglang", release=n) for n in names]), load).tpot_s
    assert (np.diff(tpot) <= 1e-12).all()


def test_protocol_of_a_mean_a_median_and_nonsense():
    assert Protocol(10.0).burst == pytest.approx(0.1) and Protocol(10.0, "median").burst == 0.0
    assert Protocol(1.0, "median").burst == 1.0
    with pytest.raises(InputError) as caught:
        Protocol(0.5, "meen")
    assert len(caught.value.problems) == 2 and "mean" in str(caught.value.problems[1].hints)


def test_a_start_burst_only_lengthens_the_first_token():
    d, times = deploy([spec()]), []
    for waves in (np.inf, 10.0, 2.0):
        times.append(steady_state(d, Load.of(1024.0, 1024.0, 64.0, burst=Protocol(waves).burst)))
    assert times[0].ttft_s < times[1].ttft_s < times[2].ttft_s
    assert times[2].tpot_s == pytest.approx(times[0].tpot_s, rel=0.05)


@settings(deadline=None)
@given(st.floats(0.8, 1.25), st.floats(0.7, 1.4))
def test_an_anchor_finds_the_factors_that_made_its_points(decode, prefill):
    d = deploy([spec()] * 3)
    load = Load.of(4096.0, 512.0, np.array([4.0, 16.0, 64.0]))
    made = steady_state(d, Load.of(4096.0, 512.0, load.concurrency, decode_derate=decode, prefill_derate=prefill))
    found = anchor(d, load, made.tpot_s, made.ttft_s, Spread(1.0, 1.0, 0.01, 0.01))
    assert (found.decode, found.prefill) == (pytest.approx(decode, rel=0.02), pytest.approx(prefill, rel=0.02))


def test_an_anchor_of_nothing_and_of_noise_stays_where_it_was():
    d, load = deploy([spec()]), Load.of(1024.0, 512.0, 16.0)
    state = steady_state(d, load)
    nothing = anchor(d, load, np.array([np.nan]), np.array([np.nan]))
    noisy = anchor(d, load, 2.0 * state.tpot_s, 2.0 * state.ttft_s, Spread(0.1, 0.1, 5.0, 5.0))
    assert (nothing.decode, nothing.prefill) == (1.0, 1.0)
    assert noisy.decode == pytest.approx(1.0, abs=0.01) and noisy.prefill == pytest.approx(1.0, abs=0.01)


def test_spreads_are_between_deployments_and_within_them():
    rng = np.random.default_rng(1)
    kin = {str(i): (rng.normal(m, 0.05, 50), rng.normal(2 * m, 0.2, 50)) for i, m in enumerate(rng.normal(0, 0.3, 400))}
    found = spread_of(kin)
    assert (found.decode, found.tpot) == (pytest.approx(0.3, rel=0.2), pytest.approx(0.05, rel=0.1))
    assert (found.prefill, found.ttft) == (pytest.approx(0.6, rel=0.2), pytest.approx(0.2, rel=0.1))


@given(st.floats(0.1, 200.0), st.integers(1, 20), st.floats(1.0, 100.0))
def test_what_waits_at_a_worker_lies_between_its_excess_and_all(mean, workers, slots):
    found = float(overflow(np.asarray(mean), np.asarray(float(workers)), np.asarray(slots)))
    assert max(mean - slots, 0.0) - 1e-9 <= found <= mean


def test_uneven_routing_costs_where_places_are_as_few_as_users():
    assert overflow(np.asarray(1.0), np.asarray(1.0), np.asarray(1.0)) == pytest.approx(0.0, abs=1e-5)
    mean, workers, slots, draws = 6.0, 5, 8.0, np.random.default_rng(0)
    sample = draws.multinomial(int(mean * workers), [1 / workers] * workers, 20000)
    truth = np.maximum(sample - slots, 0.0).mean()
    assert overflow(np.asarray(mean), np.asarray(5.0), np.asarray(slots)) == pytest.approx(truth, rel=0.15)


def test_pools_without_places_keep_their_users_waiting():
    d = deploy([spec(DEEPSEEK, 8, engine="trtllm")])
    ample, few = (
        pools(d, d, Load.of(1024.0, 1024.0, 64.0, max_batch=cap), np.asarray(2.0), np.asarray(2.0))
        for cap in (np.inf, 32.0)
    )
    assert few.ttft_s > 5 * ample.ttft_s and few.tpot_s < ample.tpot_s


ROW = {
    "id": "a", "backend": "trtllm", "backend_version": "0.8.1.post1", "model_path": DEEPSEEK, "system": B200,
    "precision": "fp4",
    "mode": "disagg", "isl": "1024", "osl": "1024", "prefill_tp_size": "4", "prefill_attention_dp_size": "1",
    "prefill_moe_tp_size": "1", "prefill_moe_ep_size": "4", "decode_tp_size": "8", "decode_attention_dp_size": "1",
    "decode_moe_tp_size": "2", "decode_moe_ep_size": "4",
}  # fmt: skip


def row(users, **more):
    text = (
        f"source_file=2026-03-25.csv; silicon_concurrency={users}; measured=2026-01-29; image=ai-dynamo/runtime:0.8.1"
    )
    return ROW | {"silicon_data_source": text} | more


def test_pools_of_unstated_size_take_the_published_recipe_of_their_run():
    (found,) = points([row(1214)])
    assert (found.sized, found.prefill_workers, found.decode_workers, found.spec.dp) == (RECIPE, 1.0, 2.0, 8)
    assert found.spec.draft.tokens == 2 and found.max_batch == 64 * 8 * 2
    both = points([row(10)])
    assert [p.sized for p in both] == [RECIPES] * 2 and {p.spec.draft is None for p in both} == {True, False}
    assert points([row(1100)])[0].sized == NEAR


def test_every_recipe_is_nearest_to_itself():
    for known in recipes().values():
        for r in known:
            asked = Asked(r.users[0], (r.prefill.gpus, r.prefill.moe_tp), (r.decode.gpus, r.decode.moe_tp))
            away, found = nearest(known, asked)
            assert away < 1e-9 and r in found


def test_chips_of_both_pools_together_name_the_recipe_too():
    wide = Recipe((512.0,), Worker.of("dep4"), Worker.of("dep32"), 1, 1, 0, 16.0)
    small = Recipe((512.0,), Worker.of("dep4"), Worker.of("tep8"), 1, 1, 0, 16.0)
    assert nearest([wide, small], Asked(500.0, (36, 36), (36, 36)))[1] == [wide]
    with pytest.raises(ValueError, match="names no layout"):
        Worker.of("pp8")


def test_settings_of_public_scripts_and_of_others():
    public, other = row(64), row(64, silicon_data_source="source_file=gap-analysis.csv")
    assert scheduling_of(public, "sglang", "fp4", 8, 64.0, 0).poll_steps == 30.0
    assert scheduling_of(public, "sglang", "fp4", 8, 8.0, 0).poll_steps == 10.0
    assert scheduling_of(other, "sglang", "fp4", 8, 64.0, 0) == Scheduling()
    llama = public | {"model_path": LLAMA}
    assert scheduling_of(llama, "trtllm", "fp8", 4, 64.0, 0).gather_steps == 20.0
    assert scheduling_of(llama, "trtllm", "fp8", 8, 64.0, 0).gather_steps == 0.0


def test_drafts_are_told_by_image_and_never_of_the_dump():
    late = row(64, backend_version="1.2.0rc6.post3")
    assert drafts_of(late, "trtllm", "fp4", 8, False, "2026-02-06") == 3
    assert drafts_of(late, "trtllm", "fp4", 8, True, "2026-02-06") == 1
    dump = late | {"silicon_data_source": "db-dump/2026-04-27; silicon_concurrency=64"}
    assert drafts_of(dump, "trtllm", "fp4", 8, False, "2026-02-06") == 0


def test_the_release_behind_an_image_or_a_date():
    assert release_of(row(4), "trtllm", "2026-01-29") == "1.2.0rc6.post1"
    assert release_of(row(4, backend_version="0.15.1", silicon_data_source=""), "vllm", "") == "0.15.1"
    blank = row(4, backend_version="", silicon_data_source="")
    assert release_of(blank, "vllm", "2025-12-05") == "0.12.0" and release_of(blank, "vllm", "") == ""


def test_limits_of_public_scripts_and_none_of_others():
    public = {"silicon_data_source": "db-dump/x", "model_path": "deepseek-ai/DeepSeek-V3", "system": "b200_sxm"}
    assert limits_of(public, "sglang", "fp8", 4, 0).memory_share == 0.95
    assert limits_of(public, "sglang", "fp8", 8, 2).requests == 512.0
    assert limits_of({**public, "silicon_data_source": ""}, "sglang", "fp8", 4, 0) == Limits()


@given(st.floats(0.0, 1.0), st.floats(0.5, 60.0), st.integers(1, 16), st.floats(1.0, 60.0))
def test_less_uneven_routing_leaves_fewer_waiting(uneven, mean, workers, slots):
    at = (np.asarray(mean), np.asarray(float(workers)), np.asarray(slots))
    assert overflow(*at, uneven) <= overflow(*at) + 1e-5
    assert overflow(*at, uneven) >= max(mean - slots, 0.0) - 1e-9


@pytest.mark.parametrize("engine", ["trtllm", "vllm", "sglang"])
def test_more_memory_for_the_engine_is_more_room(engine):
    some, more = (deploy([spec(engine=engine, memory_share=share)]) for share in (0.7, 0.9))
    assert free_bytes_per_chip(more)[0] > free_bytes_per_chip(some)[0]


@pytest.mark.parametrize("engine", ["trtllm", "vllm", "sglang"])
def test_an_unstated_share_is_the_engines_default(engine):
    stated = deploy([spec(engine=engine, memory_share=0.0)])
    assert free_bytes_per_chip(stated)[0] == pytest.approx(free_bytes_per_chip(deploy([spec(engine=engine)]))[0])


def test_a_start_burst_waits_for_kernels_met_first():
    d = deploy([spec(engine="sglang")])
    calm, cold = (steady_state(d, Load.of(1024.0, 1024.0, 1.0, burst=share)).ttft_s[0] for share in (0.0, 0.1))
    assert cold - calm == pytest.approx(0.1 * d.rates.cold_s[0], rel=1e-3)

"""What an engine may switch on: drafts, stages, cached prefixes, chunks, eager launches, derates. Off, each changes nothing."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import chip_from_record, host_path
from gigawatt.physics.serving import Draft, Load, Spec, deploy, eagle_head, evaluate
from gigawatt.physics.serving.engine.caching import (
    cache_room_tokens,
    fetch_gain,
    fetch_seconds,
    hit_share,
    residence_s,
)
from gigawatt.physics.serving.engine.deployment import take
from gigawatt.physics.serving.engine.memory import free_bytes_per_chip, max_requests, weight_bytes_per_chip
from gigawatt.physics.serving.engine.step import PARTS, decode_step, prefill_compute, prefill_seconds
from gigawatt.physics.serving.steady.aggregated import SteadyState
from gigawatt.physics.workload import Architecture, FeedForward, LayerGroup, Mixer, from_config
from gigawatt.physics.workload.counts import parameters

CATALOG = Catalog.load()
DENSE = Architecture(
    "8b", "llama", 4096, 128256, (LayerGroup(32, Mixer("gqa", 32, 8, 128), FeedForward("dense", 14336)),)
)
SMALL = Architecture(
    "1b", "llama", 2048, 128256, (LayerGroup(16, Mixer("gqa", 32, 8, 64), FeedForward("dense", 8192)),), True
)
SPARSE = from_config("deepseek-v3", CATALOG.get("model", "deepseek-v3").config)
H200 = chip_from_record(CATALOG.get("accelerator", "h200-sxm"))
GB300 = chip_from_record(CATALOG.get("accelerator", "gb300"))
GRACE = host_path(CATALOG.get("host", "grace"), 2)
XEON = host_path(CATALOG.get("host", "xeon-8480c"), 4)
COLUMNS = [f.name for f in fields(SteadyState) if f.name != "parts"]


def spec(arch=DENSE, chip=H200, gpus=1, **more):
    return Spec(arch, chip, gpus, **{"moe_tp": gpus, **more})


def one(given_spec, batch, context=2000.0):
    return decode_step(deploy([given_spec]), np.array([float(batch)]), np.array([context]))


@pytest.mark.parametrize(
    "other",
    [{"draft": Draft(1, 0.8)}, {"stages": 2}, {"eager": True}, {"token_budget": 256.0}, {"host": GRACE}],
    ids=lambda other: next(iter(other)),
)
def test_a_row_without_a_feature_does_not_feel_that_its_neighbour_has_it(other):
    plain = spec(SPARSE, gpus=8, dp=8, moe_tp=1)
    load = Load.of(3000.0, 400.0, 64.0, 1.0)
    alone, beside = evaluate([plain], load), evaluate([plain, spec(SPARSE, gpus=8, dp=8, moe_tp=1, **other)], load)
    for name in COLUMNS:
        assert getattr(beside, name)[0] == pytest.approx(getattr(alone, name)[0], rel=1e-12), name


def test_rows_are_taken_with_all_their_features():
    d = deploy([spec(stages=2, draft=Draft(2, 0.7, SMALL), host=GRACE, host_cache_bytes=1e11), spec()])
    back = take(d, np.array([1, 0]))
    assert back.stages.tolist() == [1, 2] and back.draft.tokens.tolist() == [0, 2]
    assert back.host.memory_bytes.tolist() == [0, 1e11] and back.yields[0] == 1.0
    step = decode_step(back, np.array([8.0, 8.0]), np.array([2000.0, 2000.0]))
    ahead = decode_step(d, np.array([8.0, 8.0]), np.array([2000.0, 2000.0]))
    np.testing.assert_allclose(step.total, ahead.total[::-1])


# Speculation


@given(k=st.integers(1, 8), a=st.floats(0.0, 1.0))
def test_tokens_of_a_step_follow_the_geometric_sum(k, a):
    found = Draft(k, a).tokens_per_step
    assert found == pytest.approx(sum(a**i for i in range(k + 1)))
    assert 1.0 <= found <= k + 1.0
    assert Draft(k, (a,) * k).tokens_per_step == pytest.approx(found)


def test_bad_drafts_are_refused_with_all_that_is_wrong():
    with pytest.raises(InputError) as caught:
        Draft(0, 1.2)
    assert len(caught.value.problems) == 2


def test_only_models_with_a_module_draft_for_themselves():
    with pytest.raises(InputError) as caught:
        deploy([spec(draft=Draft())])
    assert "8b" in caught.value.problems[0].message and "draft" in caught.value.problems[0].hints[0]


@given(batch=st.floats(1.0, 256.0), k=st.integers(1, 4), sparse=st.booleans())
@settings(max_examples=25, deadline=None)
def test_drafts_that_are_never_accepted_only_cost_time(batch, k, sparse):
    base = spec(SPARSE, gpus=8, moe_tp=1) if sparse else spec(draft=None)
    useless = Draft(k, 0.0, None if sparse else SMALL)
    plain, drafted = (
        one(base, batch),
        one(Spec(**{f.name: getattr(base, f.name) for f in fields(Spec)} | {"draft": useless}), batch),
    )
    assert drafted.total[0] > plain.total[0]
    for name in PARTS:
        assert getattr(drafted, name)[0] >= getattr(plain, name)[0] * (1 - 1e-9), name


@given(low=st.floats(0.0, 0.95), more=st.floats(0.0, 0.05), users=st.sampled_from([1, 16, 128]))
@settings(max_examples=15, deadline=None)
def test_more_acceptance_is_never_slower(low, more, users):
    state = evaluate([spec(draft=Draft(3, a, SMALL)) for a in (low, low + more)], Load.of(1000.0, 500.0, float(users)))
    assert state.tpot_s[1] <= state.tpot_s[0] * (1 + 1e-9)
    assert state.requests_per_s[1] >= state.requests_per_s[0] * (1 - 1e-9)


def test_the_gain_of_drafts_falls_as_arithmetic_comes_to_bind():
    drafts = [None, Draft(1, 0.85)]
    gains = []
    for users in (1.0, 64.0, 2048.0):
        plain, drafted = (one(spec(SPARSE, gpus=8, dp=8, moe_tp=1, draft=d), users, 1500.0).total[0] for d in drafts)
        gains.append(1.85 * plain / drafted)
    assert 1.2 < gains[0] < 1.85
    assert gains[2] < gains[0] and gains[2] < 1.3


def test_a_module_that_drafts_takes_its_memory_and_not_its_models_vocabulary():
    plain, drafted = deploy([spec(SPARSE, gpus=8, moe_tp=1)]), deploy([spec(SPARSE, gpus=8, moe_tp=1, draft=Draft())])
    added = weight_bytes_per_chip(drafted)[0] - weight_bytes_per_chip(plain)[0]
    assert added == pytest.approx(11.5e9 / 8, rel=0.05)  # 14 B as published, less embedding and head of 0.93 B each
    n, out = np.array(3000.0), np.array(500.0)
    assert max_requests(drafted, n, out)[0] < max_requests(plain, n, out)[0]


def test_a_draft_head_is_small_and_dense():
    head = eagle_head(SPARSE, vocab=32000)
    assert head.layers == 1 and head.groups[0].feed_forward.kind == "dense"
    assert parameters(head) < 0.01 * parameters(SPARSE)
    state = evaluate([spec(SPARSE, gpus=8, moe_tp=1, draft=Draft(3, 0.7, head))], Load.of(1000.0, 500.0, 8.0))
    assert state.parts.drafting[0] > 0 and np.isfinite(state.tpot_s[0])


# Pipelines


def test_stages_hold_what_one_cannot_and_share_its_work():
    big = from_config("llama3-405b", CATALOG.get("model", "llama3-405b").config)
    d = deploy([spec(big, gpus=4), spec(big, gpus=4, stages=2)])
    assert free_bytes_per_chip(d)[0] < free_bytes_per_chip(d)[1] and d.chips.tolist() == [4, 8]
    assert weight_bytes_per_chip(d)[1] == pytest.approx(weight_bytes_per_chip(d)[0] / 2, rel=0.02)


def test_one_sequence_gains_nothing_from_stages_and_many_do():
    pair = [spec(gpus=2), spec(gpus=2, stages=4)]
    few = [one(s, 1.0).total[0] for s in pair]
    assert few[1] >= few[0]
    many = [one(s, 512.0).total[0] for s in pair]
    assert many[1] < many[0]
    # Bubbles: with fewer micro-batches than stages each is larger, and stages stand empty.
    half = one(spec(gpus=2, stages=4, micro_batches=2), 512.0).total[0]
    assert many[1] < half < many[0] * 1.2


def test_chunks_fill_a_pipeline():
    def alone(budget, stages):
        d = deploy([spec(gpus=2, stages=stages, token_budget=budget)])
        return float(prefill_compute(d, np.array([16384.0]))[0])

    # A prompt in one piece passes the stages one after the other; in eight it fills them.
    assert alone(np.inf, 4) >= alone(np.inf, 1)
    assert alone(2048.0, 4) < 0.5 * alone(2048.0, 1)


# Prefixes and offload


@given(
    share=st.floats(0.0, 0.98), more=st.floats(0.0, 0.02), users=st.sampled_from([1, 32]), n=st.floats(64.0, 30000.0)
)
@settings(max_examples=25, deadline=None)
def test_a_higher_cached_share_never_raises_the_first_token(share, more, users, n):
    found = [evaluate([spec()], Load.of(n, 300.0, float(users), cached_share=s)) for s in (share, share + more)]
    assert found[1].ttft_s[0] <= found[0].ttft_s[0] * (1 + 1e-9)
    assert found[1].requests_per_s[0] >= found[0].requests_per_s[0] * (1 - 1e-9)
    assert found[1].max_requests[0] == found[0].max_requests[0]  # what is found is held all the same


@given(n=st.floats(16.0, 60000.0), more=st.floats(1.0, 2.0), budget=st.sampled_from([np.inf, 512.0, 2048.0]))
@settings(max_examples=25, deadline=None)
def test_a_longer_prompt_never_lowers_the_first_token(n, more, budget):
    found = [evaluate([spec(token_budget=budget)], Load.of(x, 300.0, 8.0)).ttft_s[0] for x in (n, n * more)]
    assert found[1] >= found[0] * (1 - 1e-9)


def test_fresh_tokens_still_meet_the_whole_context():
    d, one_prompt = deploy([spec()]), np.ones(1)
    fresh = prefill_seconds(d, np.array([512.0]), one_prompt)[0]
    behind = prefill_seconds(d, np.array([512.0]), one_prompt, np.array([60000.0]))[0]
    whole = prefill_seconds(d, np.array([60512.0]), one_prompt)[0]
    assert fresh < behind < 0.2 * whole


def test_a_coherent_link_pays_sooner_than_pcie():
    rows = [spec(host=GRACE, host_cache_bytes=2e11), spec(host=XEON, host_cache_bytes=2e11), spec()]
    d = deploy(rows)
    seconds = fetch_seconds(d, np.full(3, 8000.0))
    assert 0 < seconds[0] < seconds[1] and seconds[2] == 0.0
    gain = fetch_gain(d, np.full(3, 8000.0))
    assert gain[0] > gain[1] > 0
    state = evaluate(rows, Load.of(8001.0, 300.0, 4.0, cached_share=1.0, fetched_share=1.0))
    assert state.ttft_s[0] < state.ttft_s[1] and state.ttft_s[2] < state.ttft_s[0]


def test_host_memory_keeps_prefixes_longer():
    d = deploy([spec(host=GRACE, host_cache_bytes=2e11)])
    chips, hosts = cache_room_tokens(d, np.array([10.0]), np.array([4000.0]))
    assert hosts[0] == pytest.approx(2e11 / 65536, rel=0.01)  # 32 layers x 2 x 8 heads x 128, one byte each
    stays, longer = residence_s(chips, np.array([1e4])), residence_s(chips + hosts, np.array([1e4]))
    assert hit_share(longer, 300.0)[0] > hit_share(stays, 300.0)[0]


# Chunks, launches, derates


def test_chunks_read_the_weights_again():
    d = deploy([spec(token_budget=t) for t in (np.inf, 4096.0, 512.0, 128.0)])
    seconds = prefill_compute(d, np.full(4, 8192.0))
    assert (np.diff(seconds) > 0).all() and seconds[1] < 1.1 * seconds[0]


def test_eager_launches_cost_most_where_steps_are_short():
    ratio = [one(spec(eager=True), b).total[0] / one(spec(), b).total[0] for b in (1.0, 512.0)]
    assert ratio[0] > ratio[1] > 1.0


def test_derates_slow_their_own_phase():
    load = [Load.of(1000.0, 500.0, 16.0, **more) for more in ({}, {"decode_derate": 0.8}, {"prefill_derate": 0.51})]
    full, decode, prefill = (evaluate([spec()], item) for item in load)
    # Fewer or more prompts that enter together share a step a little differently.
    assert decode.step_s[0] >= full.step_s[0] / 0.8 * (1 - 1e-2)
    assert decode.prefill_s[0] == pytest.approx(full.prefill_s[0], rel=1e-3)
    assert (
        prefill.prefill_s[0] == pytest.approx(full.prefill_s[0] / 0.51, rel=1e-2) and prefill.tpot_s[0] > full.tpot_s[0]
    )

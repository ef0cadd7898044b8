"""Laws that any serving model keeps, whatever its constants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import PowerMode, chip_from_record
from gigawatt.physics.serving import Load, Spec, evaluate, frontier
from gigawatt.physics.serving.engine.calibration import calibration
from gigawatt.physics.serving.engine.deployment import deploy
from gigawatt.physics.serving.engine.kernel_sums import ChipKey
from gigawatt.physics.serving.engine.memory import free_bytes_per_chip, max_requests, weight_bytes_per_chip
from gigawatt.physics.serving.engine.step import active_experts, crowding, decode_step
from gigawatt.physics.serving.search.frontier import thin
from gigawatt.physics.serving.services.diffusion import (
    DiffusionRates,
    batch_seconds,
    denoising_seconds,
    diffusion_shape,
)
from gigawatt.physics.workload import Architecture, FeedForward, LayerGroup, Mixer, forward_flops, from_config

CATALOG = Catalog.load()
DENSE = Architecture(
    "8b", "llama", 4096, 128256, (LayerGroup(32, Mixer("gqa", 32, 8, 128), FeedForward("dense", 14336)),)
)
SPARSE = from_config("deepseek-v3", CATALOG.get("model", "deepseek-v3").config)
H200 = chip_from_record(CATALOG.get("accelerator", "h200-sxm"))
LIMITS = {"input_tokens": 1000.0, "output_tokens": 500.0}


def spec(arch=DENSE, chip=H200, gpus=1, **more):
    return Spec(arch, chip, gpus, **{"moe_tp": gpus, **more})


@given(faster=st.floats(1.0, 4.0), users=st.integers(1, 256), engine=st.sampled_from(["trtllm", "vllm", "sglang"]))
@settings(max_examples=30, deadline=None)
def test_more_memory_bandwidth_is_never_slower(faster, users, engine):
    quick = replace(H200, memory_bytes_per_s=H200.memory_bytes_per_s * faster)
    state = evaluate([spec(engine=engine), spec(chip=quick, engine=engine)], Load.of(1000.0, 500.0, float(users)))
    assert state.step_s[1] <= state.step_s[0] * (1 + 1e-9)
    assert state.requests_per_s[1] >= state.requests_per_s[0] * (1 - 1e-6)


@given(batch=st.floats(1.0, 512.0), more=st.floats(1.01, 4.0), context=st.floats(64.0, 16000.0))
@settings(max_examples=30, deadline=None)
def test_a_larger_batch_never_makes_a_step_shorter_but_a_token_cheaper(batch, more, context):
    d = deploy([spec(SPARSE, gpus=8, dp=8, moe_tp=1)])
    small, large = (decode_step(d, np.array([b]), np.array([context])).total[0] for b in (batch, batch * more))
    assert large >= small * (1 - 1e-9)
    assert large / (batch * more) <= small / batch


def test_more_users_never_lower_the_time_per_token():
    users = np.array([1.0, 4.0, 16.0, 64.0, 128.0])
    state = evaluate([spec()] * len(users), Load.of(1000.0, 500.0, users))
    assert (np.diff(state.tpot_s) > 0).all()
    assert (np.diff(state.requests_per_s) > 0).all()


def test_littles_law_closes():
    users = np.array([1.0, 8.0, 64.0])
    state = evaluate([spec()] * 3, Load.of(1000.0, 500.0, users))
    np.testing.assert_allclose(state.requests_per_s * (state.ttft_s + 500.0 * state.tpot_s), users, rtol=1e-6)
    # ... and so does the part that decodes, which the iteration solves for.
    np.testing.assert_allclose(state.requests_per_s * 500.0 * state.tpot_s, state.decoding, rtol=5e-3)


def test_users_beyond_the_cache_wait_and_do_not_speed_anything_up():
    fit = float(max_requests(deploy([spec()]), np.array(8000.0), np.array(500.0))[0])
    state = evaluate([spec()] * 2, Load.of(8000.0, 500.0, np.array([fit, 4 * fit])))
    assert state.requests_per_s[1] == pytest.approx(state.requests_per_s[0], rel=1e-6)
    assert state.ttft_s[1] > 2 * state.ttft_s[0]


def test_weights_and_cache_stay_inside_the_memory():
    for layout in ({"gpus": 8}, {"gpus": 8, "dp": 8, "moe_tp": 1}, {"gpus": 8, "moe_tp": 1}):
        d = deploy([spec(SPARSE, **layout)])
        assert 0 < weight_bytes_per_chip(d)[0] + free_bytes_per_chip(d)[0] <= d.chip.memory_bytes[0]
    one = deploy([spec(SPARSE)])
    assert max_requests(one, np.array(1000.0), np.array(500.0))[0] == 0


@given(batch=st.floats(1.0, 5000.0))
def test_active_experts_lie_between_top_k_and_all(batch):
    found = active_experts(deploy([spec(SPARSE, gpus=8)]), np.array([batch]))[0]
    assert 8 * (1 - 1e-6) <= found <= 256


@pytest.fixture(scope="module")
def wide():
    return frontier(SPARSE, H200, **LIMITS, ttft_s=3.0, tpot_s=0.05, precisions=("fp8", "fp4"))


def test_frontier_keeps_the_slo_and_is_pareto(wide):
    assert 2 <= len(wide) <= 12
    assert (wide.ttft_s <= 3.0).all() and (wide.tpot_s <= 0.05).all()
    assert (np.diff(wide.tokens_out_per_s_per_chip) > 0).all() and (np.diff(wide.chip_w) > 0).all()
    assert (wide.chip_w <= H200.tdp_w).all()
    np.testing.assert_allclose(wide.tokens_in_per_s_per_chip, 2.0 * wide.tokens_out_per_s_per_chip)
    assert (wide.low < 1).all() and (wide.high > 1).all() and all(wide.bound)


def test_a_tighter_slo_never_gives_more(wide):
    tight = frontier(SPARSE, H200, **LIMITS, ttft_s=3.0, tpot_s=0.025, precisions=("fp8", "fp4"))
    assert tight.tokens_out_per_s_per_chip.max() < wide.tokens_out_per_s_per_chip.max()


def test_maturity_scales_speed_and_a_power_cap_saves_watts():
    base = frontier(DENSE, H200, **LIMITS, precisions=("fp8",))
    slow = frontier(DENSE, H200, **LIMITS, precisions=("fp8",), maturity=0.5)
    assert slow.tokens_out_per_s_per_chip.max() == pytest.approx(0.5 * base.tokens_out_per_s_per_chip.max(), rel=0.02)
    capped = frontier(DENSE, H200, **LIMITS, precisions=("fp8",), modes=(PowerMode("half", 0.5, 0.7),))
    assert (capped.chip_w <= 0.5 * H200.tdp_w + 1e-9).all()


def test_infeasible_is_an_answer_that_says_what_would_fit():
    small = replace(H200, scaleup_domain=1)
    nothing = frontier(SPARSE, small, **LIMITS)
    assert len(nothing) == 0 and nothing.best is None
    assert "need at least" in nothing.rejected[0].nearest_fix and "short" in nothing.rejected[0].nearest_fix
    fast = frontier(DENSE, H200, **LIMITS, tpot_s=1e-6)
    assert len(fast) == 0
    assert any("lowest TPOT" in r.nearest_fix for r in fast.rejected)


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 10_000)), min_size=1, max_size=60), st.integers(2, 12))
def test_thinning_keeps_only_undominated_points_and_both_ends(points, count):
    watts, tokens = np.array(points, dtype=float).T
    kept = thin(watts, tokens, count)
    assert 1 <= len(kept) <= count
    for i in kept:
        assert not ((watts <= watts[i]) & (tokens > tokens[i] * (1 + 1e-9))).any()
    assert tokens[kept].max() == tokens.max() and watts[kept].min() == watts.min()


@pytest.mark.parametrize("tokens", [8, 64, 1024])
def test_the_busiest_rank_carries_what_dice_give_it(tokens):
    ranks, rng = 8, np.random.default_rng(0)
    d = deploy([spec(SPARSE, gpus=ranks, dp=ranks, moe_tp=1)], dict(calibration()) | {"expert_skew": 1.0})
    thrown = rng.multinomial(tokens * 8, np.full(ranks, 1.0 / ranks), size=4000)
    by_dice = float((thrown.max(axis=1) / thrown.mean(axis=1)).mean())
    found = float(crowding(d, np.array([float(tokens)]))[0])
    assert by_dice <= found <= 1.0 + 2.0 * (by_dice - 1.0)


def test_a_denoising_pass_takes_its_arithmetic_and_not_much_more():
    record = CATALOG.get("model", "flux-1-dev")
    shape = diffusion_shape(from_config("flux-1-dev", record.config), record.config)
    seconds, calls, layers = denoising_seconds(shape.pieces, ChipKey.of(H200), shape.tokens, shape.context, 4.0)
    arithmetic = 4.0 * forward_flops(from_config("flux-1-dev", record.config)) / H200.peak_flops["bf16"]
    assert arithmetic < seconds < 2.5 * arithmetic
    assert layers == 57 and calls > 5 * layers
    wide = diffusion_shape(from_config("flux-1-dev", record.config), record.config, width=2048, height=1024)
    assert wide.tokens == pytest.approx(2.0 * shape.tokens) and wide.pixels == pytest.approx(2.0 * shape.pixels)


def test_more_chips_and_smaller_batches_make_an_image_sooner():
    record = CATALOG.get("model", "sd3.5-medium")
    shape = diffusion_shape(from_config("sd3.5-medium", record.config), record.config)
    rates = DiffusionRates(slowdown=1.2, launch_s=1e-5, decode_s=0.05, split=0.8, split_launch_s=1e-4)

    def at(chips, batch):
        return float(batch_seconds(shape, H200, np.asarray(chips), np.asarray(batch), rates))

    assert at(4.0, 8.0) < at(2.0, 8.0) < at(1.0, 8.0) and at(1.0, 1.0) < at(1.0, 8.0) < 8.0 * at(1.0, 1.0)

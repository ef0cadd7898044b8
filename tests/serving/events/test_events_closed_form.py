"""The steady state in closed form beside the simulation of the same step model, in a closed loop without start burst."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.serving import Load, Spec, deploy, pools, steady_state
from gigawatt.physics.serving.engine.step import decode_step, prefill_seconds
from gigawatt.physics.serving.events import Fleet, Group, Requests, curve_of, fit_curve, simulate
from gigawatt.physics.workload import from_config

CATALOG = Catalog.load()
PROMPT, ANSWER = 1000, 400
CASES = {
    "llama3-70b": {"gpus": 4, "moe_tp": 4, "engine": "vllm"},
    "llama3-8b": {"gpus": 1, "engine": "trtllm"},
    "gpt-oss-120b": {"gpus": 1, "engine": "sglang"},
    "deepseek-v3": {"gpus": 8, "dp": 8, "moe_tp": 1, "engine": "sglang"},
}


@lru_cache
def deployment(model):
    arch = from_config(model, CATALOG.get("model", model).config)
    chip = chip_from_record(CATALOG.get("accelerator", "h200-sxm"))
    return deploy([Spec(arch, chip, **{"moe_tp": 1, **CASES[model]})])


def mixed(n, seed=3):
    """Prompts of one length and answers that differ, so that users fall out of step as in a steady state."""
    draw = np.random.default_rng(seed)
    return Requests.of(np.zeros(n), PROMPT, draw.integers(ANSWER // 2, ANSWER + ANSWER // 2 + 1, n))


@pytest.mark.parametrize("model", CASES)
def test_a_step_takes_what_the_closed_form_says(model):
    d = deployment(model)
    fit = fit_curve(d, contexts=(500.0, 4000.0), token_budget=8192 * int(d.dp[0]))
    curve = fit.curve
    assert fit.context_error < 0.02
    for batch in (1, 3, 17, 120):
        for context in (500.0, 1500.0, 4000.0):
            closed = decode_step(d, np.array([float(batch)]), np.array([context])).total[0]
            assert curve.step_seconds(batch, batch * context) == pytest.approx(closed, rel=fit.context_error + 1e-9)
    for ranks in {1, int(d.dp[0])}:
        for tokens in (200.0, 1000.0, 4000.0, 8000.0):
            mine = curve.step_seconds(0, 0, ranks * tokens, ranks * tokens * (tokens + 1) / 2, ranks)
            closed = prefill_seconds(d, np.array([tokens]), np.ones(1), 0.0, float(ranks))[0]
            assert mine == pytest.approx(closed, rel=0.02)


# The closed form's own approximations: a queue of constant service, a mean number of decoders, prompts that share a step.
@pytest.mark.parametrize("model", CASES)
def test_closed_loop_means_agree_with_the_steady_state(model):
    d = deployment(model)
    fleet = Fleet.of(curve_of(d, contexts=(PROMPT, PROMPT + ANSWER)))
    gaps = {"tpot": [], "ttft": [], "rate": []}
    # A lone user finds the scheduler's gate open here; the closed form has everyone wait for half of it.
    for users in (1, 4, 16, 48) if d.dp[0] == 1 else (4, 16, 48):
        state = steady_state(d, Load.of(float(PROMPT), float(ANSWER), float(users)))
        n = 30 * users + 120
        o = simulate(mixed(n), fleet, users=users)
        kept = slice(8 * users, n - 2 * users)
        seconds = o.finish_s[kept].max() - o.finish_s[kept].min()
        gaps["tpot"].append(np.mean(o.tpot_s[kept]) / state.tpot_s[0] - 1)
        gaps["ttft"].append(np.mean(o.ttft_s[kept]) / state.ttft_s[0] - 1)
        gaps["rate"].append((kept.stop - kept.start) / seconds / state.requests_per_s[0] - 1)
    worst = {name: np.max(np.abs(found)) for name, found in gaps.items()}
    assert worst["tpot"] < 0.03
    assert worst["ttft"] < 0.08
    assert worst["rate"] < 0.03


def test_pools_agree_with_the_steady_state():
    d = deployment("llama3-70b")
    prefill = curve_of(d, contexts=(PROMPT, PROMPT + ANSWER), prefill_pool=True)
    decode = curve_of(d, contexts=(PROMPT, PROMPT + ANSWER))
    fleet = Fleet((Group(prefill, 2, "prefill"), Group(decode, 2, "decode")), transfer_s=float(d.rates.transfer_s[0]))
    # Where workers are busy the closed form has prompts of a step wait for each other; here few meet.
    for users, near in ((4, 0.03), (32, 0.22)):
        state = pools(d, d, Load.of(float(PROMPT), float(ANSWER), float(users)), np.array([2.0]), np.array([2.0]))
        o = simulate(mixed(60 * users), fleet, users=users)
        kept = slice(10 * users, 58 * users)
        assert np.mean(o.tpot_s[kept]) == pytest.approx(state.tpot_s[0], rel=0.002)
        assert np.mean(o.ttft_s[kept]) == pytest.approx(state.ttft_s[0], rel=near)


def test_a_model_that_leaves_no_cache_is_told():
    arch = from_config("deepseek-v3", CATALOG.get("model", "deepseek-v3").config)
    chip = chip_from_record(CATALOG.get("accelerator", "h100-sxm"))
    with pytest.raises(InputError, match="left for the cache"):
        curve_of(deploy([Spec(arch, chip, 4, moe_tp=4)]))

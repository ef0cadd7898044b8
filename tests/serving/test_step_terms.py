"""The step's terms sum to the closed form and scale with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.serving import Load, Spec, deploy, steady_state
from gigawatt.physics.serving.engine.deployment import take
from gigawatt.physics.serving.engine.step import decode_step, prefill_compute
from gigawatt.physics.serving.engine.terms import CHUNK_STRIDE, TERMS, prior_sigma, scaled, step_terms
from gigawatt.physics.workload import from_config

CAT = Catalog.load()
CASES = {
    "dense": ("llama3-8b", "rtx-pro-6000", {"gpus": 1, "engine": "vllm", "precision": "bf16"}),
    "tensor": ("qwen3-32b", "h100-sxm", {"gpus": 2, "engine": "vllm", "precision": "bf16"}),
    "experts": ("gpt-oss-120b", "b200-sxm", {"gpus": 4, "engine": "trtllm", "precision": "fp4"}),
    "wide": ("deepseek-v3", "h200-sxm", {"gpus": 8, "dp": 8, "engine": "sglang", "precision": "fp8"}),
}


CASES["stages"] = ("llama3-70b", "h100-sxm", {"gpus": 4, "stages": 2, "engine": "vllm", "precision": "fp8"})


def spec(case):
    model, chip, more = CASES[case]
    arch = from_config(model, CAT.get("model", model).config)
    return Spec(arch, chip_from_record(CAT.get("accelerator", chip)), **more)


@pytest.fixture(scope="module")
def deployments():
    return {case: deploy([spec(case)]) for case in CASES}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("context", [500.0, 2000.0, 6000.0])
def test_terms_sum_to_the_decode_step(deployments, case, context):
    d = deployments[case]
    terms = step_terms(d, 0, 256, 2048)
    batch = np.array([8.0, 32.0, 64.0, 128.0, 256.0])
    at = take(d, np.zeros(len(batch), dtype=np.intp))
    b = batch.astype(int)
    summed = terms.decode_s[:, b].sum(axis=0) + terms.token_s[:, b].sum(axis=0) * batch * context
    assert summed == pytest.approx(decode_step(at, batch, np.full(len(b), context)).total, rel=0.06)


@pytest.mark.parametrize("case", CASES)
def test_prompts_add_what_they_take_beyond_the_reading_of_weights(deployments, case):
    d = deployments[case]
    terms = step_terms(d, 0, 64, 4096)
    at = 2048 // CHUNK_STRIDE
    added = terms.chunk_s.sum(axis=0)
    assert np.all(np.diff(added) >= 0.0) and added[0] == 0.0
    ranks = float(d.dp[0])
    alone = float(prefill_compute(d, np.array([2048.0 / ranks]))[0])
    whole = added[at] + terms.pair_s.sum() * 0.5 * 2048.0**2 / ranks
    assert 0.4 * alone < whole < 1.02 * alone  # of experts spread wide, most of a short prompt's time is their weights


@settings(max_examples=15, deadline=None)
@given(
    case=st.sampled_from(list(CASES)),
    logs=st.lists(st.floats(-0.7, 0.7), min_size=len(TERMS), max_size=len(TERMS)),
)
def test_a_scaled_deployment_has_scaled_terms(deployments, case, logs):
    d, factors = deployments[case], np.exp(logs)
    was, now = step_terms(d, 0, 128, 2048), step_terms(scaled(d, factors), 0, 128, 2048)
    for name in ("host", "requests", "weights", "cache"):
        i = TERMS.index(name)
        assert now.decode_s[i] == pytest.approx(factors[i] * was.decode_s[i], rel=1e-6, abs=1e-12)
        assert now.token_s[i] == pytest.approx(factors[i] * was.token_s[i], rel=1e-6, abs=1e-15)
    assert now.pair_s == pytest.approx(factors * was.pair_s, rel=1e-6)
    i = TERMS.index("prompts")
    # A prompt's hand-overs between stages are counted with it, and no factor scales them.
    near = 1e-6 if d.hand_over is None else 1e-3
    assert now.chunk_s[i][-1] == pytest.approx(factors[i] * was.chunk_s[i][-1], rel=near)


@settings(max_examples=15, deadline=None)
@given(case=st.sampled_from(list(CASES)), term=st.sampled_from(TERMS), factor=st.floats(1.0, 3.0))
def test_a_slower_term_is_never_faster(deployments, case, term, factor):
    d, load = deployments[case], Load.of(1000.0, 500.0, 32.0)
    factors = np.ones(len(TERMS))
    before = steady_state(scaled(d, factors), load)
    factors[TERMS.index(term)] = factor
    after = steady_state(scaled(d, factors), load)
    assert after.tpot_s[0] >= before.tpot_s[0] * (1 - 1e-6)


def test_priors_are_the_catalogs(deployments):
    terms = step_terms(deployments["dense"], 0, 8, 64)
    stated = {"host_ms.vllm": 0.2, "decode_slowdown.vllm": 0.04}
    sigma = dict(zip(TERMS, prior_sigma(terms, "vllm", stated), strict=True))
    assert sigma["host"] == 0.2
    assert sigma["weights"] == pytest.approx(np.hypot(0.04, terms.half_width / 1.2815515655446004))
    assert sigma["requests"] == 0.3  # not stated
    with pytest.raises(ValueError, match="no constants"):
        prior_sigma(terms, "vlm", stated)

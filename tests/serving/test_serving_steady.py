"""The steady state at a rate, percentiles, goodput: laws, queueing theory, and the closed loop beside the open one."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.serving import Load, Spec, deploy, evaluate, steady_state
from gigawatt.physics.serving.engine.calibration import calibration
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.events import Fleet, Group, Requests, curve_of, simulate
from gigawatt.physics.serving.steady.goodput import best_rate, goodput_per_s, share_within
from gigawatt.physics.serving.steady.open_loop import open_loop, take, waits_for_a_place
from gigawatt.physics.serving.steady.spread import (
    Spread,
    closed_spread,
    itl_quantile,
    open_spread,
    tpot_quantile,
    tpot_share_within,
    ttft_quantile,
    ttft_share_within,
    wait_variation,
)
from gigawatt.physics.serving.steady.tails import closed_tails, open_tails
from gigawatt.physics.workload import Architecture, FeedForward, LayerGroup, Mixer, from_config

CATALOG = Catalog.load()
DENSE = Architecture(
    "8b", "llama", 4096, 128256, (LayerGroup(32, Mixer("gqa", 32, 8, 128), FeedForward("dense", 14336)),)
)
SPARSE = from_config("deepseek-v3", CATALOG.get("model", "deepseek-v3").config)
H200 = chip_from_record(CATALOG.get("accelerator", "h200-sxm"))
ENGINES = st.sampled_from(["trtllm", "vllm", "sglang"])


def spec(arch=DENSE, chip=H200, gpus=1, **more):
    return Spec(arch, chip, gpus, **{"moe_tp": gpus, **more})


ROWS = {"dense": spec(), "wide": spec(SPARSE, gpus=8, dp=8, moe_tp=1)}
MODELS = st.sampled_from(sorted(ROWS))


@lru_cache(maxsize=8)
def laid(model, engine="trtllm", stall_share=None):
    changed = {} if stall_share is None else {"stall_share": stall_share}
    return deploy([replace(ROWS[model], engine=engine)], dict(calibration()) | changed)


def capacity(d, load):
    return open_loop(d, load, 1e-9).capacity_per_s


@given(model=MODELS, engine=ENGINES, users=st.floats(2.0, 512.0), out=st.sampled_from([100.0, 800.0]))
@settings(max_examples=20, deadline=None)
def test_the_open_loop_at_the_rate_of_a_closed_one_finds_its_batch_and_its_users(model, engine, users, out):
    # Closed loops of like requests fall into step, which the fitted share of stalls holds; strangers do not.
    d, load = laid(model, engine, 1.0), Load.of(1500.0, out, users)
    closed = steady_state(d, load)
    found = open_loop(d, load, closed.requests_per_s)
    assert found.stable[0] or found.load[0] > 0.98
    if found.load[0] < 0.95:
        # A stream of strangers is less even than a fixed number of users: each meets one more than the mean of them.
        assert closed.tpot_s[0] * (1 - 2e-3) <= found.tpot_s[0] <= closed.tpot_s[0] * (1.1 if users < 16 else 1.04)
        assert found.ttft_s[0] == pytest.approx(closed.ttft_s[0], rel=0.12)
        assert found.in_flight[0] == pytest.approx(users, rel=0.1 if users < 16 else 0.05)


@given(model=MODELS, part=st.floats(0.001, 0.999), n=st.floats(100.0, 8000.0), cv=st.floats(0.0, 4.0))
@settings(max_examples=20, deadline=None)
def test_littles_law_holds_for_the_batch_and_for_all_in_flight(model, part, n, cv):
    d, load = laid(model), Load.of(n, 300.0, 1.0)
    rate = part * capacity(d, load)
    found = open_loop(d, load, rate, cv)
    assert found.stable[0] and found.load[0] < 1.0
    assert found.decoding[0] == pytest.approx(rate[0] * 300.0 * found.tpot_s[0], rel=1e-4)
    assert found.in_flight[0] == pytest.approx(rate[0] * (found.ttft_s[0] + 300.0 * found.tpot_s[0]), rel=1e-4)


@given(model=MODELS, part=st.floats(0.01, 0.9), more=st.floats(1.0, 1.1), n=st.floats(100.0, 8000.0))
@settings(max_examples=20, deadline=None)
def test_a_higher_rate_is_never_faster_and_never_emptier(model, part, more, n):
    d, load = laid(model), Load.of(n, 300.0, 1.0)
    low, high = (open_loop(d, load, part * x * capacity(d, load)) for x in (1.0, more))
    # Not so the load of the chips by prompts: where more come, more of them share a step.
    for name in ("tpot_s", "ttft_s", "decoding", "in_flight"):
        assert getattr(high, name)[0] >= getattr(low, name)[0] * (1 - 1e-6), name


def test_beyond_the_capacity_there_is_no_steady_state():
    d, load = deploy([spec()] * 3), Load.of(1000.0, 300.0, 1.0)
    most = capacity(d, load)
    found = open_loop(d, load, most * np.array([0.99, 1.01, 3.0]))
    assert found.stable.tolist() == [True, False, False] and np.isnan(found.ttft_s[1:]).all()
    assert np.isnan(found.tpot_s[2]) and found.load[2] == pytest.approx(3.0, rel=0.01)
    back = take(found, np.array([2, 0]))
    assert back.stable.tolist() == [False, True]
    tails = open_tails(d, load, most * np.array([0.99, 1.01, 3.0]))
    assert np.isnan(tails.ttft.low_s[:, 1:]).all() and np.isnan(tails.ttft.high_s[:, 1:]).all()


def test_a_model_that_does_not_fit_serves_no_rate():
    found = open_loop(deploy([spec(SPARSE)]), Load.of(1000.0, 300.0, 1.0), 0.1)
    assert not found.stable[0] and found.capacity_per_s[0] == 0.0


@given(faster=st.floats(1.0, 3.0), part=st.floats(0.05, 0.95))
@settings(max_examples=20, deadline=None)
def test_better_chips_never_lower_the_rate_or_raise_a_time(faster, part):
    better = [
        replace(H200, memory_bytes_per_s=H200.memory_bytes_per_s * faster),
        replace(H200, peak_flops={name: peak * faster for name, peak in H200.peak_flops.items()}),
        replace(H200, memory_bytes=H200.memory_bytes * faster),
    ]
    d, load = deploy([spec(chip=c) for c in (H200, *better)]), Load.of(1000.0, 300.0, 1.0)
    most = capacity(d, load)
    # Three fillings of the places are tried for the most: between them it is known to a few thousandths.
    assert (most[1:] >= most[0] * (1 - 5e-3)).all()
    found = open_loop(d, load, part * most.min())
    assert (found.tpot_s[1:] <= found.tpot_s[0] * (1 + 1e-3)).all()
    assert (found.ttft_s[1:] <= found.ttft_s[0] * (1 + 1e-3)).all()


@pytest.mark.parametrize(
    ("n", "out", "part", "cv"),
    [
        (1000, 300, 0.5, 0.0),
        (1000, 300, 0.7, 0.0),
        (4000, 300, 0.3, 0.0),
        (1000, 1000, 0.5, 0.0),
        (1000, 300, 0.6, 1.0),
    ],
)
def test_means_and_percentiles_lie_by_the_simulation_of_every_request(n, out, part, cv):
    d = deploy([spec(engine="vllm")])
    load = Load.of(float(n), float(out), 1.0, max_batch=256.0, input_cv=0.5 * cv, output_cv=cv)
    rate, rng = part * capacity(d, load), np.random.default_rng(3)
    arrive, count = np.cumsum(rng.exponential(1 / rate[0], 4000)), 4000
    prompts, answers = (
        np.maximum(2, m * np.exp(rng.normal(-np.log1p(c * c) / 2, np.sqrt(np.log1p(c * c)), count))).astype(int)
        for m, c in ((n, 0.5 * cv), (out, cv))
    )
    curve = curve_of(d, max_num_seqs=256, prefix_cache=False, contexts=(256.0, float(n + out)))
    seen = simulate(Requests.of(arrive, prompts, answers), Fleet((Group(curve, 1),)), solver="python")
    ttft, tpot = seen.ttft_s[500:], seen.tpot_s[500:][answers[500:] > out / 10]
    state = open_loop(d, load, rate)
    s = open_spread(d, load, state)
    assert state.ttft_s[0] == pytest.approx(ttft.mean(), rel=0.12)
    assert state.tpot_s[0] == pytest.approx(tpot.mean(), rel=0.1 if cv else 0.05)
    for share in (0.5, 0.9, 0.99):
        assert ttft_quantile(s, share)[0] == pytest.approx(np.quantile(ttft, share), rel=0.2)
        assert tpot_quantile(s, share)[0] == pytest.approx(np.quantile(tpot, share), rel=0.2)


def test_answers_of_different_lengths_are_longer_while_under_way():
    d = laid("dense", "vllm")
    even, varied = (Load.of(1000.0, 500.0, 64.0, output_cv=cv) for cv in (0.0, 1.0))
    assert steady_state(d, varied).tpot_s[0] > steady_state(d, even).tpot_s[0]
    assert open_loop(d, varied, 1.0).max_requests[0] < open_loop(d, even, 1.0).max_requests[0]


# Waits and percentiles


def even_wait(rho, service=1.0, prompt_cv=0.0, poll=1e-6):
    one = np.ones(1)
    wait = rho / (2 * (1 - rho)) * service
    return Spread(
        0 * one, poll * one, service * one, prompt_cv * one, wait * one, rho * one,
        wait_variation(rho * one, prompt_cv * one), 0 * one, 0 * one,
        one, 0.1 * one, 0.5 * one, one, one, 0.1 * one, one,
    )  # fmt: skip


def md1_wait_quantile(rho, share):
    """Of a queue of constant service 1 (Crommelin's series), by bisection."""

    def within(t):
        terms = ((rho * (i - t)) ** i / math.factorial(i) * math.exp(-rho * (i - t)) for i in range(math.floor(t) + 1))
        return (1 - rho) * sum(terms)

    low, high = 0.0, 60.0
    if within(0.0) >= share:
        return 0.0
    for _ in range(50):
        low, high = (low, (low + high) / 2) if within((low + high) / 2) >= share else ((low + high) / 2, high)
    return high


@pytest.mark.parametrize("rho", [0.3, 0.5, 0.7, 0.8])
def test_p99_of_a_queue_of_constant_service_lies_by_its_theory(rho):
    found = float(ttft_quantile(even_wait(rho), 0.99)[0]) - 1.0
    assert found == pytest.approx(md1_wait_quantile(rho, 0.99), rel=0.03)


@given(
    rho=st.floats(0.0, 0.95), place=st.floats(0.0, 1.0), cv=st.sampled_from([0.0, 1.0]),
    long=st.floats(0.01, 5.0), poll=st.floats(0.001, 1.0),
)  # fmt: skip
@settings(max_examples=20, deadline=None)
def test_shares_within_are_those_of_the_parts_thrown_at_random(rho, place, cv, long, poll):
    one, rng, n = np.ones(1), np.random.default_rng(7), 40_000
    wait, queue = 0.4 * rho, long * place
    s = replace(
        even_wait(0.5), fixed_s=0.2 * one, held_s=poll * one, prefill_s=0.3 * one, prompt_cv=cv * one,
        wait_s=wait * one, wait_share=rho * one, wait_variation=wait_variation(rho * one, cv * one),
        place_s=queue * one, place_share=place * one,
    )  # fmt: skip
    sigma = np.sqrt(np.log1p(cv**2))
    # Waits of the same mean and variance, thrown as gamma.
    shape = 1.0 / max(float(wait_variation(rho * one, cv * one)[0]), 0.505)
    waits = rng.gamma(shape, 0.4 / shape, n)
    thrown = (
        0.2 + rng.uniform(0, 2 * poll, n) + 0.3 * np.exp(sigma * rng.standard_normal(n) - sigma**2 / 2)
        + (rng.random(n) < rho) * waits + (rng.random(n) < place) * rng.exponential(long, n)
    )  # fmt: skip
    for share in (0.2, 0.5, 0.9, 0.99):
        at = np.quantile(thrown, share)
        assert float(ttft_share_within(s, at * one)[0]) == pytest.approx(share, abs=0.025)
        assert float(ttft_share_within(s, ttft_quantile(s, share))[0]) == pytest.approx(share, abs=1e-3)


def test_the_share_that_waits_for_a_place_follows_erlang():
    # Erlang's C of many servers: 100 places, 90 of them busy in the mean.
    busy, places = 90.0, 100
    blocked = 1.0
    for n in range(1, places + 1):
        blocked = busy * blocked / (n + busy * blocked)
    waits = blocked / (1 - busy / places * (1 - blocked))
    assert float(waits_for_a_place(np.array([(places - busy) / np.sqrt(busy)]))[0]) == pytest.approx(waits, abs=0.05)


@given(model=MODELS, part=st.floats(0.01, 0.99), cv=st.floats(0.0, 2.0))
@settings(max_examples=15, deadline=None)
def test_percentiles_rise_with_their_share_and_lie_within_their_interval(model, part, cv):
    d, load = laid(model), Load.of(2000.0, 300.0, 1.0, input_cv=cv, output_cv=cv)
    tails = open_tails(d, load, part * capacity(d, load))
    for found in (tails.ttft, tails.tpot, tails.itl):
        assert (np.diff(found.low_s[:, 0]) >= -1e-9).all()
        assert (found.low_s <= found.high_s).all()
        known = np.isfinite(found.middle_s)
        assert (found.low_s[known] <= found.middle_s[known] * (1 + 1e-6)).all()
        assert (found.middle_s[known] <= found.high_s[known] * (1 + 1e-6)).all()
    assert known[0, 0] and known[2, 0] == (tails.load[0] <= 0.85)


def test_near_saturation_a_p99_is_an_interval_that_widens():
    d, load = deploy([spec()] * 3), Load.of(1000.0, 300.0, 1.0)
    found = open_tails(d, load, capacity(d, load) * np.array([0.3, 0.6, 0.9]))
    wide = found.ttft.high_s[2] / found.ttft.low_s[2]
    assert wide[0] < wide[1] < wide[2] and np.isinf(wide[2])
    assert np.isnan(found.ttft.middle_s[2, 2]) and np.isfinite(found.ttft.middle_s[0, 2])


def test_means_are_the_means_of_what_is_spread():
    d, load = deploy([spec()]), Load.of(2000.0, 300.0, 1.0, input_cv=0.8)
    state = open_loop(d, load, 0.6 * capacity(d, load))
    s = open_spread(d, load, state)
    shares = (np.arange(100) + 0.5) / 100
    assert np.mean([ttft_quantile(s, x)[0] for x in shares]) == pytest.approx(state.ttft_s[0], rel=0.02)
    assert np.mean([tpot_quantile(s, x)[0] for x in shares]) == pytest.approx(state.tpot_s[0], rel=0.01)
    for x in (0.1, 0.5, 0.99):
        assert tpot_share_within(s, tpot_quantile(s, x))[0] == pytest.approx(x, abs=1e-6)


def test_a_lone_user_never_waits_and_never_varies():
    tails = closed_tails(deploy([spec()]), Load.of(1000.0, 300.0, 1.0))
    assert tails.tpot.middle_s[2, 0] == pytest.approx(tails.tpot.middle_s[0, 0], rel=0.01)
    state = evaluate([spec()], Load.of(1000.0, 300.0, 1.0))
    assert tails.ttft.middle_s[2, 0] < 2 * state.ttft_s[0]


def test_time_between_tokens_is_bimodal_where_prompts_enter():
    d, load = deploy([spec(), spec(token_budget=256.0)]), Load.of(4000.0, 300.0, 32.0)
    s = closed_spread(d, load, evaluate([spec(), spec(token_budget=256.0)], load))
    middle, late = itl_quantile(s, 0.5), itl_quantile(s, 0.995)
    assert middle[0] == pytest.approx(s.step_s[0]) and late[0] > 5 * middle[0]
    assert late[1] < 0.5 * late[0]  # chunks smooth it


# Goodput


@given(model=MODELS, cv=st.sampled_from([0.0, 1.0]), part=st.floats(0.01, 0.9), more=st.floats(1.0, 1.1))
@settings(max_examples=15, deadline=None)
def test_the_share_within_an_slo_falls_with_the_rate(model, cv, part, more):
    d, load = laid(model), Load.of(2000.0, 300.0, 1.0, input_cv=cv)
    most = capacity(d, load)
    shares = [share_within(d, load, open_loop(d, load, part * x * most), 1.5, 0.04)[0] for x in (1.0, more)]
    assert shares[1] <= shares[0] + 1e-6


def test_the_best_rate_keeps_the_slo_and_a_little_more_does_not():
    d, load = deploy([spec(), spec(), spec()]), Load.of(2000.0, 300.0, 1.0, input_cv=0.5)
    limits = np.array([0.3, 1.0, 1e-3]), np.array([0.02, 0.03, 0.03])
    found = best_rate(d, load, *limits)
    assert 0 < found.requests_per_s[0] < found.requests_per_s[1] and found.requests_per_s[2] == 0.0
    assert (found.share[:2] >= 0.99).all() and found.share_alone[2] < 0.5 and found.load[1] < 1
    beyond = open_loop(d, load, found.requests_per_s * 1.01)
    assert (share_within(d, load, beyond, *limits)[:2] < 0.99).all()
    good = goodput_per_s(d, load, found.requests_per_s, *limits)
    assert good[1] == pytest.approx(found.requests_per_s[1] * found.share[1])
    assert found.requests_per_s[1] * (300.0 + 2000.0) < max_requests(d, np.array(2000.0), np.array(300.0))[1] * 2300.0

"""Fleets: queues that theory knows, what breaks, what scales, what is said near saturation."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_events_laws import CURVE, SEEDS, columns, traffic

from gigawatt.core.errors import InputError
from gigawatt.physics.serving.events import (
    Fleet,
    Group,
    Outage,
    Requests,
    Scaling,
    StepCurve,
    offered_load,
    random_outages,
    simulate,
    summarise,
)
from gigawatt.physics.serving.events.compiled import has_numba

needs_numba = pytest.mark.skipif(not has_numba(), reason="a hundred thousand requests need the extra `fast`")
ROOMY = replace(CURVE, kv_blocks=3000)


def erlang_c(servers, erlangs):
    """Probability to wait in M/M/k."""
    terms = [1.0]
    for k in range(1, servers + 1):
        terms.append(terms[-1] * erlangs / k)
    last = terms[-1] * servers / (servers - erlangs)
    return last / (sum(terms[:-1]) + last)


def seats(count, step_s):
    """An engine whose steps take the same whoever is in them: its seats are servers of a common queue."""
    return StepCurve.affine(step_s=step_s, max_num_seqs=count)


@needs_numba
@pytest.mark.parametrize(("servers", "load"), [(2, 0.5), (4, 0.8), (8, 0.7)])
def test_seats_wait_as_erlang_says(servers, load):
    """M/M/k: exponential answers of a thousand steps in the mean, so that the end of a step hardly shows."""
    draw = np.random.default_rng(11)
    n, steps = 600_000, 1000
    arrival = np.cumsum(draw.exponential(1.0 / (servers * load), n))
    requests = Requests.of(arrival, 1, np.ceil(draw.exponential(steps, n)) + 1)
    outcome = simulate(requests, Fleet.of(seats(servers, 1.0 / steps)), solver="numba")
    theory = erlang_c(servers, servers * load) / (servers - servers * load)
    wait = np.mean(outcome.scheduled_s - outcome.arrival_s) - 0.5 / steps
    assert wait == pytest.approx(theory, rel=0.02)


@needs_numba
def test_seats_with_like_answers_wait_as_crommelin_says():
    """M/D/2 at load 0.8: the mean wait is that of D. C. Crommelin 1932 (by the roots of the generating function)."""
    draw = np.random.default_rng(12)
    n, steps = 1_000_000, 1000
    requests = Requests.of(np.cumsum(draw.exponential(1.0 / 1.6, n)), 1, steps + 1)
    outcome = simulate(requests, Fleet.of(seats(2, 1.0 / steps)), solver="numba")
    wait = np.mean(outcome.scheduled_s - outcome.arrival_s) - 0.5 / steps
    assert wait == pytest.approx(md_k_wait(2, 1.6), rel=0.02)


def md_k_wait(servers, rate, size=400):
    """Mean wait of M/D/k with service 1: after one service N' = max(N - k, 0) + Poisson(rate); Little's law on its mean."""
    j = np.arange(size)
    poisson = np.exp(-rate + j * np.log(rate) - np.array([math.lgamma(k + 1) for k in j]))
    law = np.full(size, 1.0 / size)
    for _ in range(3000):
        left = np.append(law[: servers + 1].sum(), law[servers + 1 :])
        law = np.convolve(left, poisson)[:size]
        law /= law.sum()
    return float(j @ law) / rate - 1.0


@given(seed=SEEDS, servers=st.integers(1, 6), load=st.sampled_from([0.4, 0.9, 1.5]))
@settings(max_examples=25, deadline=None)
def test_a_common_queue_waits_as_kiefer_and_wolfowitz_say(seed, servers, load):
    """G/G/k, request by request: the next in turn goes to the server that is free first."""
    draw = np.random.default_rng(seed)
    tokens = draw.integers(1, 2000, 400)
    arrival = np.cumsum(draw.exponential(0.1 / servers / load, 400))
    one = StepCurve.affine(step_s=0.0, chunk_token_s=1e-4, max_num_seqs=1)
    o = simulate(Requests.of(arrival, tokens, 1), Fleet.of(one, servers, routing="pull"))
    free = np.zeros(servers)
    for at_s, service, found in zip(arrival, tokens * 1e-4, o.scheduled_s, strict=True):
        k = np.argmin(free)
        assert found == pytest.approx(max(at_s, free[k]), abs=1e-9)
        free[k] = max(at_s, free[k]) + service


@given(seed=SEEDS, instances=st.integers(1, 4), more=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_more_single_seats_in_turn_never_wait_longer(seed, instances, more):
    """Round robin over one-seat instances whose number is a multiple: each serves a part of what one served before."""
    requests = traffic(seed, per_s=3.0)
    one = replace(ROOMY, decode_s=CURVE.decode_s[:2], token_s=CURVE.token_s[:2], prefix_cache=False)
    few, many = (
        simulate(requests, Fleet.of(one, k, routing="round_robin")) for k in (instances, instances * (1 + more))
    )
    assert np.all(many.finish_s <= few.finish_s + 1e-9)


def test_the_least_loaded_is_better_than_turns_and_prefixes_hit_more():
    requests = traffic(5, n=600, per_s=14.0, families=30)
    found = {
        routing: simulate(requests, Fleet.of(ROOMY, 4, routing=routing))
        for routing in ("round_robin", "least_requests", "prefix", "session")
    }
    assert np.mean(found["least_requests"].e2e_s) < np.mean(found["round_robin"].e2e_s)
    assert found["prefix"].cached_tokens.sum() > 1.05 * found["round_robin"].cached_tokens.sum()
    kept = requests.session >= 0
    for session in range(10):
        assert len(np.unique(found["session"].instance[kept & (requests.session == session)])) == 1


def test_unlike_instances_share_by_load():
    slow = replace(ROOMY, decode_s=ROOMY.decode_s * 3, token_s=ROOMY.token_s * 3, chunk_s=ROOMY.chunk_s * 3)
    o = simulate(traffic(6, n=600, per_s=10.0), Fleet((Group(ROOMY, 2), Group(slow, 2))))
    assert o.served.all()
    assert (o.instance < 2).sum() > 1.3 * (o.instance >= 2).sum()


@given(
    seed=SEEDS, repair_s=st.sampled_from([0.5, 10.0]), instances=st.sampled_from([1, 3]), users=st.sampled_from([0, 12])
)
@settings(max_examples=30, deadline=None)
def test_what_breaks_is_served_elsewhere_or_later(seed, repair_s, instances, users):
    requests = traffic(seed, per_s=5.0)
    broken = Fleet.of(CURVE, instances, outages=random_outages(instances, 6.0, repair_s, 60.0, seed))
    o = simulate(requests, broken, users=users)
    assert o.served.all()
    assert o.use.output_tokens.sum() == requests.output_tokens.sum()
    assert np.all(o.use.still_used == 0)
    for outage in broken.outages:
        inside = (o.instance == outage.instance) & (o.finish_s > outage.start_s) & (o.finish_s < outage.end_s)
        assert not inside.any()
    assert np.all(o.use.on_s + 1e-9 >= o.use.busy_s)
    other = simulate(requests, broken, users=users, skip=False)
    assert np.allclose(o.finish_s, other.finish_s, rtol=1e-9)


def test_outages_are_the_same_for_the_same_seed():
    assert random_outages(5, 100.0, 10.0, 1000.0, 3) == random_outages(5, 100.0, 10.0, 1000.0, 3)
    assert random_outages(5, 100.0, 10.0, 1000.0, 3) != random_outages(5, 100.0, 10.0, 1000.0, 4)
    assert random_outages(5, 100.0, 10.0, 1000.0, 3)[:2] == random_outages(2, 100.0, 10.0, 1000.0, 3)[:2]


def test_nobody_is_served_while_all_are_broken():
    requests = traffic(8, per_s=5.0)
    for_good = Fleet.of(CURVE, 2, outages=(Outage(0, 5.0, 1e12), Outage(1, 8.0, 1e12)))
    o = simulate(replace(requests, arrival_s=requests.arrival_s), for_good)
    late = np.nanmax(o.finish_s)
    assert o.served.all()
    assert late > 1e12


@pytest.mark.parametrize("pace", [0.5, 1.0])
def test_half_speed_takes_twice_as_long(pace):
    requests = traffic(9, n=40, per_s=1e9)
    full = simulate(requests, Fleet.of(ROOMY))
    slow = simulate(requests, Fleet.of(ROOMY, speed=((-1.0, 0.5),), pace=pace))
    assert slow.end_s == pytest.approx(full.end_s * 2 / pace, rel=1e-6)


def test_a_dip_in_speed_costs_what_it_takes_away():
    """From then to then at half speed: the end is later by half of that time (whole steps keep their speed)."""
    requests = traffic(10, n=60, per_s=1e9)
    full = simulate(requests, Fleet.of(ROOMY))
    dip = simulate(requests, Fleet.of(ROOMY, speed=((1.0, 0.5), (3.0, 1.0))))
    assert dip.end_s - full.end_s == pytest.approx(1.0, abs=0.1)


def test_instances_follow_the_load_with_a_lag():
    draw = np.random.default_rng(13)
    busy, calm = np.sort(draw.uniform(100, 400, 1500)), np.sort(draw.uniform(0, 1500, 300))
    arrival = np.sort(np.concatenate([busy, calm]))
    requests = Requests.of(arrival, draw.integers(1, 300, 1800), draw.integers(1, 80, 1800))
    scaling = Scaling(target=5, least=1, most=10, every_s=5.0, lag_s=20.0, calm_s=60.0)
    grown = simulate(requests, Fleet.of(ROOMY, 10, scaling=scaling), bin_s=50.0)
    all_on, one = (simulate(requests, Fleet.of(ROOMY, k), bin_s=50.0) for k in (10, 1))
    assert grown.served.all()
    assert one.use.on_s.sum() < grown.use.on_s.sum() < 0.6 * all_on.use.on_s.sum()
    assert np.mean(all_on.e2e_s) <= np.mean(grown.e2e_s) < np.mean(one.e2e_s)
    on = grown.by_time.on_s / 50.0
    assert on[0] == pytest.approx(1.0, abs=0.2)
    assert on[2:9].max() > 1.5
    assert on[20:28].mean() < 1.5
    assert grown.by_time.on_s.sum() == pytest.approx(grown.use.on_s.sum())


def test_use_by_time_adds_up_to_use_by_instance():
    o = simulate(traffic(14, n=400), Fleet.of(replace(CURVE, tokens_per_step=1.6), 3), bin_s=3.0)
    for column in fields(o.by_time):
        if column.name != "bin_s":
            total = getattr(o.use, column.name).sum()
            assert getattr(o.by_time, column.name).sum() == pytest.approx(total, rel=1e-9), column.name


@pytest.mark.parametrize("load", [0.5, 0.95, 1.2])
def test_a_percentile_near_saturation_is_no_point(load):
    curve = replace(ROOMY, step_error=0.03, prefix_cache=False)
    requests = traffic(15, n=3000)
    now = offered_load(requests, Fleet.of(curve), requests.per_s)
    requests = replace(requests, arrival_s=requests.arrival_s * now / load)
    outcome, told = summarise(requests, Fleet.of(curve))
    assert told.offered_load == pytest.approx(load, rel=1e-3)
    p99 = told.ttft.p99
    assert p99.said == {0.5: "point", 0.95: "interval", 1.2: "unstable"}[load]
    assert math.isnan(p99.value_s) == (load > 0.85)
    assert p99.low_s <= np.quantile(outcome.ttft_s, 0.99)
    assert p99.high_s >= np.quantile(outcome.ttft_s, 0.99)
    assert math.isinf(p99.high_s) == (load > 1)
    if load == 0.95:
        assert p99.high_s > 1.2 * p99.low_s
        _, doubt = summarise(requests, Fleet.of(replace(curve, step_error=0.1)))
        assert doubt.ttft.p99.said == "unstable"


@given(seed=SEEDS, load=st.sampled_from([0.7, 1.3]))
@settings(max_examples=10, deadline=None)
def test_offered_load_tells_whether_the_queue_grows(seed, load):
    curve = replace(ROOMY, prefix_cache=False)
    requests = traffic(seed, n=2500)
    now = offered_load(requests, Fleet.of(curve), requests.per_s)
    o = simulate(replace(requests, arrival_s=requests.arrival_s * now / load), Fleet.of(curve))
    first, last = np.array_split(o.ttft_s, 5)[1].mean(), np.array_split(o.ttft_s, 5)[4].mean()
    assert (last > 2.0 * first and last > 3.0) == (load > 1)


def test_a_summary_counts_the_window_alone():
    requests = traffic(17, n=800, per_s=4.0)
    fleet = Fleet.of(ROOMY, 2)
    outcome, told = summarise(requests, fleet, window_s=(50.0, 150.0), ttft_limit_s=0.02, tpot_limit_s=0.03)
    inside = (outcome.arrival_s >= 50.0) & (outcome.arrival_s < 150.0)
    good = inside & (outcome.ttft_s <= 0.02) & ~(outcome.tpot_s > 0.03)
    span = np.ptp(outcome.arrival_s[inside])
    assert told.requests == told.served == inside.sum()
    assert told.ttft.mean.value_s == pytest.approx(np.mean(outcome.ttft_s[inside]))
    assert told.tpot.p90.value_s == pytest.approx(np.nanquantile(outcome.tpot_s[inside], 0.9))
    assert 0 < told.goodput_per_s == pytest.approx(good.sum() / span)
    assert told.goodput_per_s < told.requests_per_s
    assert told.output_tokens_per_s == pytest.approx(outcome.output_tokens[inside].sum() / span)
    with pytest.raises(InputError, match="no request arrives"):
        summarise(requests, fleet, window_s=(1e6, 2e6))
    _, refused = summarise(requests, Fleet.of(replace(ROOMY, max_context=2)), users=3)
    assert refused.served == 0 and refused.refused == refused.requests and math.isnan(refused.ttft.p99.value_s)


def test_the_same_input_gives_the_same_bytes():
    requests = traffic(16, n=300, classes=3)
    fleet = Fleet.of(CURVE, 3, routing="prefix", outages=random_outages(3, 10.0, 2.0, 50.0, 1), speed=((5.0, 0.7),))
    one, other = (columns(simulate(requests, fleet)) for _ in range(2))
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"speed": ((0.0, 0.0),)}, "outage"),
        ({"outages": (Outage(3, 0.0, 1.0),)}, "no instance 3"),
        ({"outages": (Outage(0, 2.0, 1.0),)}, "not after its start"),
        ({"scaling": Scaling(0.0)}, "target above 0"),
        ({"transfer_s": -1.0}, "not be negative"),
    ],
)
def test_bad_fleets_are_told(wrong, told):
    with pytest.raises(InputError, match=told):
        Fleet.of(CURVE, 2, **wrong)

"""Laws of the event simulation, whatever the numbers."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.serving.events import Fleet, Group, Requests, StepCurve, prepare, random_outages, simulate
from gigawatt.physics.serving.events.compiled import has_numba, is_loaded

CURVE = StepCurve.affine(
    step_s=0.011,
    request_s=3e-4,
    token_s=1.3e-6,
    chunk_s=0.004,
    chunk_token_s=7e-5,
    pair_s=1.1e-8,
    max_num_seqs=16,
    token_budget=128,
    kv_blocks=80,
    block_size=16,
)
SEEDS = st.integers(0, 100_000)


def traffic(seed, n=80, classes=1, per_s=4.0, families=8):
    """Requests whose prompts begin alike within a family, with blocks of 32 tokens."""
    draw = np.random.default_rng(seed)
    prompt = draw.integers(1, 300, n)
    blocks = prompt // 32
    ids: dict[tuple[int, ...], int] = {}
    hashes = []
    for family, count in zip(draw.integers(0, families, n), blocks, strict=True):
        path = (int(family),)
        for _ in range(count):
            path = (*path, int(draw.random() < 0.2) * int(draw.integers(1, 4)))
            hashes.append(ids.setdefault(path, len(ids)))
    return Requests.of(
        np.cumsum(draw.exponential(1 / per_s, n)),
        prompt,
        draw.integers(1, 80, n),
        priority=draw.integers(0, classes, n),
        session=draw.integers(-1, 10, n),
        hash_from=np.append(0, np.cumsum(blocks)),
        hashes=hashes,
        block_tokens=32,
    )


def columns(outcome):
    whole = {f.name: getattr(outcome, f.name) for f in fields(outcome)}
    whole.update({f"use.{f.name}": getattr(outcome.use, f.name) for f in fields(outcome.use)})
    whole.update({f"by_time.{f.name}": getattr(outcome.by_time, f.name) for f in fields(outcome.by_time)})
    return {name: np.asarray(value) for name, value in whole.items() if name not in ("use", "by_time")}


def gated(gate, **more):
    """Data-parallel ranks, and a queue that is looked at every so many steps or where so many wait."""
    ranks, steps, prompts = gate
    return replace(CURVE, ranks=ranks, beside_s=1.2 * CURVE.chunk_s, gate_steps=steps, gate_prompts=prompts, **more)


ways = {
    "seed": SEEDS,
    "classes": st.sampled_from([1, 3]),
    "instances": st.sampled_from([1, 3]),
    "routing": st.sampled_from(["round_robin", "least_requests", "least_tokens", "prefix", "session", "pull"]),
    "per_s": st.sampled_from([1.0, 6.0, 1000.0]),
    "speculation": st.sampled_from([1.0, 1.6, 3.0]),
    "seen": st.sampled_from([0.0, 4.0]),
    "users": st.sampled_from([0, 20]),
    "gate": st.sampled_from([(1, 1, 1), (4, 12, 5), (2, 7, 1 << 40)]),
}


@given(**ways)
@settings(max_examples=60, deadline=None)
def test_tokens_are_served_once_and_the_cache_never_overflows(
    seed, classes, instances, routing, per_s, speculation, seen, users, gate
):
    curve = gated(gate, tokens_per_step=speculation, seen_steps=seen, kv_blocks=24)
    requests = traffic(seed, classes=classes, per_s=per_s)
    o = simulate(requests, Fleet.of(curve, instances, routing=routing), users=users)
    fits = o.served
    assert np.array_equal(o.refused, ~fits)
    tokens = requests.input_tokens + requests.output_tokens
    if speculation == 1.0:
        assert np.array_equal(fits, tokens <= curve.longest)
    else:
        assert np.all(fits[tokens <= curve.longest - 4 * 16])
    assert o.use.output_tokens.sum() == requests.output_tokens[fits].sum()
    again = o.use.prompt_tokens.sum() + o.use.hit_tokens.sum() - requests.input_tokens[fits].sum()
    assert again >= 0
    if o.preemptions.sum() == 0:
        assert again == 0
    assert np.all(o.use.most_used <= curve.kv_blocks)
    assert np.all(o.use.still_used == 0)
    done = o.served
    assert np.all(o.arrival_s[done] <= o.scheduled_s[done] + 1e-12)
    assert np.all(o.scheduled_s[done] < o.first_token_s[done])
    assert np.all(o.first_token_s[done] <= o.finish_s[done])
    assert np.all(o.cached_tokens < o.input_tokens)
    # Time in steps is what the requests saw: queues and batches by Little's law, instance by instance.
    assert np.all(o.use.busy_s <= o.end_s * (1 + 1e-9))
    decoding = np.where(o.output_tokens > 1, o.finish_s - o.first_token_s, 0.0)
    if o.preemptions.sum() == 0:
        assert np.nansum(decoding) == pytest.approx(o.use.batch_s.sum(), rel=1e-9, abs=1e-9)


@given(**ways)
@settings(max_examples=40, deadline=None)
def test_skipping_ahead_changes_nothing(seed, classes, instances, routing, per_s, speculation, seen, users, gate):
    curve = gated(gate, tokens_per_step=speculation, seen_steps=seen)
    requests = traffic(seed, classes=classes, per_s=per_s)
    fleet = Fleet.of(curve, instances, routing=routing)
    one, other = (simulate(requests, fleet, users=users, skip=skip, bin_s=7.0) for skip in (True, False))
    for name, mine in columns(one).items():
        # A stretch counts the blocks in use at its beginning, and spreads its tokens evenly over its time.
        if name not in ("events", "use.context_token_s", "use.used_block_s") and not name.startswith("by_time"):
            theirs = columns(other)[name]
            assert np.allclose(mine, theirs, rtol=1e-9, atol=1e-9, equal_nan=True), name
    assert one.events <= other.events


@pytest.mark.skipif(not has_numba(), reason="needs the extra `fast`")
@given(**ways)
@settings(max_examples=40, deadline=None)
def test_compiled_and_python_give_the_same_bytes(
    seed, classes, instances, routing, per_s, speculation, seen, users, gate
):
    curve = gated(gate, tokens_per_step=speculation, seen_steps=seen)
    requests = traffic(seed, classes=classes, per_s=per_s)
    fleet = Fleet.of(curve, instances, routing=routing)
    one, other = (simulate(requests, fleet, users=users, solver=s, bin_s=7.0) for s in ("python", "numba"))
    for name, mine in columns(one).items():
        assert mine.tobytes() == columns(other)[name].tobytes(), name


@given(seed=SEEDS, more=st.floats(1.0, 3.0))
@settings(max_examples=30, deadline=None)
def test_one_seat_in_turn_is_never_later_when_faster(seed, more):
    """First come, first served, one at a time: every request ends no later. With batches this holds for no scheduler."""
    requests = traffic(seed)
    slow = replace(CURVE, decode_s=CURVE.decode_s[:2], token_s=CURVE.token_s[:2], kv_blocks=10_000)
    fast = replace(slow, decode_s=slow.decode_s / more, token_s=slow.token_s / more, chunk_s=slow.chunk_s / more)
    a, b = (simulate(requests, Fleet.of(curve)) for curve in (slow, fast))
    assert np.all(b.finish_s <= a.finish_s + 1e-9)


@given(seed=SEEDS, speed=st.floats(0.2, 5.0))
@settings(max_examples=20, deadline=None)
def test_time_has_no_unit(seed, speed):
    """All steps and gaps longer by a factor: all times longer by it."""
    requests = traffic(seed)
    scaled = replace(requests, arrival_s=requests.arrival_s * speed)
    longer = {name: getattr(CURVE, name) * speed for name in ("decode_s", "token_s", "chunk_s", "pair_s")}
    a, b = simulate(requests, Fleet.of(CURVE)), simulate(scaled, Fleet.of(replace(CURVE, **longer)))
    assert np.allclose(a.finish_s * speed, b.finish_s, rtol=1e-6)


@given(seed=SEEDS, blocks=st.lists(st.integers(22, 400), min_size=2, max_size=4))
@settings(max_examples=30, deadline=None)
def test_a_larger_cache_never_hits_less(seed, blocks):
    """Least recently used is a stack algorithm: at a fixed order of use, a larger cache holds all that a smaller one does."""
    requests = traffic(seed, families=3)
    one = replace(CURVE, decode_s=CURVE.decode_s[:2], token_s=CURVE.token_s[:2], block_size=16)
    hits = [simulate(requests, Fleet.of(replace(one, kv_blocks=n))).cached_tokens for n in sorted(blocks)]
    for small, large in pairwise(hits):
        assert np.all(small <= large)


def test_an_endless_cache_hits_what_was_there_before():
    requests = traffic(7, n=400, per_s=0.05)
    o = simulate(requests, Fleet.of(replace(CURVE, kv_blocks=1_000_000)))
    seen: set[int] = set()
    for r in range(len(requests)):
        mine = requests.hashes[requests.hash_from[r] : requests.hash_from[r + 1]].tolist()
        known = next((k for k, block in enumerate(mine) if block not in seen), len(mine))
        assert o.cached_tokens[r] == min(known * 32, requests.input_tokens[r] - 1)
        seen.update(mine)
    assert requests.reusable_share() > 0.3


@given(seed=SEEDS, seats=st.sampled_from([1, 4, 16]))
@settings(max_examples=30, deadline=None)
def test_the_urgent_never_wait_for_others_to_be_admitted(seed, seats):
    requests = traffic(seed, classes=3, per_s=8.0)
    curve = replace(CURVE, decode_s=CURVE.decode_s[: seats + 1], token_s=CURVE.token_s[: seats + 1])
    o = simulate(requests, Fleet.of(curve))
    for r in range(len(requests)):
        waits = (requests.arrival_s <= o.scheduled_s[r]) & (o.scheduled_s > o.scheduled_s[r])
        ahead = waits & (requests.priority < requests.priority[r]) & (requests.arrival_s < o.scheduled_s[r] - 1e-9)
        assert not ahead.any()


@given(
    seed=SEEDS,
    classes=st.sampled_from([1, 3]),
    per_s=st.sampled_from([2.0, 1000.0]),
    blocks=st.sampled_from([24, 60, 900]),
)
@settings(max_examples=40, deadline=None)
def test_pools_serve_all_whatever_their_room(seed, classes, per_s, blocks):
    requests = traffic(seed, classes=classes, per_s=per_s)
    tight = replace(CURVE, kv_blocks=blocks)
    pools = Fleet(
        (Group(tight, 2, "prefill"), Group(replace(tight, reserve=seed % 2 == 0), 2, "decode")),
        transfer_s=0.05,
        transfer_token_s=1e-5,
        outages=random_outages(4, 20.0, 2.0, 60.0, seed),
    )
    one, other = (simulate(requests, pools, skip=skip) for skip in (True, False))
    fits = requests.input_tokens + requests.output_tokens <= tight.longest
    assert np.array_equal(one.served, fits)
    assert one.use.output_tokens.sum() == requests.output_tokens[fits].sum()
    assert np.all(one.use.still_used == 0)
    assert np.all(one.use.most_used <= blocks)
    assert np.allclose(one.finish_s, other.finish_s, rtol=1e-9, equal_nan=True)


def test_pools_hand_over():
    requests = traffic(3, per_s=6.0)
    roomy = replace(CURVE, kv_blocks=2000)
    pools = Fleet((Group(roomy, 2, "prefill"), Group(roomy, 3, "decode")), transfer_s=0.05, transfer_token_s=1e-5)
    o = simulate(requests, pools)
    assert o.served.all()
    moved = requests.output_tokens > 1
    assert np.all(o.instance[moved] >= 2)
    assert np.all(o.instance[~moved] < 2)
    least = 0.05 + 1e-5 * requests.input_tokens
    assert np.all((o.first_token_s - o.scheduled_s)[moved] > least[moved])
    # No prompt stalls those who decode: a token never takes longer than the longest pure decode step.
    longest = CURVE.step_seconds(16, 16 * 400)
    assert np.nanmax(o.tpot_s) <= longest
    assert o.use.prompt_tokens[2:].sum() == 0
    assert np.all(o.use.still_used == 0)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"arrival_s": []}, "no request"),
        ({"arrival_s": [0.0, 2.0, 1.0]}, "row 3"),
        ({"input_tokens": [5, -1, 5]}, "row 2"),
        ({"output_tokens": [5, 5, 0.5]}, "whole number"),
        ({"input_tokens": [5, 5, 1e10]}, "row 3"),
        ({"after": [-1, 1, 0]}, "not a row above"),
        ({"hash_from": [0, 1, 1, 5], "hashes": [1]}, "hash_from"),
    ],
)
def test_bad_requests_are_told_with_their_row(wrong, told):
    good = {"arrival_s": [0.0, 1.0, 2.0], "input_tokens": [5, 5, 5], "output_tokens": [5, 5, 5]}
    with pytest.raises(InputError, match=told):
        Requests.of(**{**good, **wrong})


def test_bad_fleets_and_curves_are_told():
    with pytest.raises(InputError, match="did you mean 'prefix'"):
        Fleet.of(CURVE, routing="prefixes")
    with pytest.raises(InputError, match="other pool"):
        Fleet((Group(CURVE, 1, "prefill"),))
    with pytest.raises(InputError, match="not negative"):
        replace(CURVE, pair_s=-1.0)
    with pytest.raises(InputError, match="solver"):
        simulate(traffic(1), Fleet.of(CURVE), solver="fortran")


def test_a_static_batch_is_admitted_and_ends_before_the_next():
    requests = traffic(21, per_s=50.0)
    o = simulate(requests, Fleet.of(replace(CURVE, static_batch=True, token_budget=100_000, kv_blocks=3000)))
    batches = np.unique(o.scheduled_s)
    ends = [o.finish_s[o.scheduled_s == start].max() for start in batches]
    assert max(np.sum(o.scheduled_s == start) for start in batches) == 16
    assert np.all(np.array(ends[:-1]) <= batches[1:] + 1e-12)


@given(seed=SEEDS, door=st.sampled_from([0.0, 1e-4]))
@settings(max_examples=25, deadline=None)
def test_who_follows_comes_after(seed, door):
    plain = traffic(seed)
    draw = np.random.default_rng(seed)
    after = np.array([int(draw.integers(-1, r)) if r and draw.random() < 0.6 else -1 for r in range(len(plain))])
    requests = replace(plain, after=after, think_s=draw.exponential(1.0, len(plain)))
    curve = replace(CURVE, api_s=0.01, api_token_s=door)
    o, other = (simulate(requests, Fleet.of(curve, 2), skip=skip) for skip in (True, False))
    assert o.served.all()
    follows = after >= 0
    came = np.maximum(o.finish_s[after] + requests.think_s, requests.arrival_s)
    assert np.allclose(o.arrival_s[follows], came[follows], rtol=1e-12)
    assert np.array_equal(o.arrival_s[~follows], requests.arrival_s[~follows])
    assert np.allclose(o.finish_s, other.finish_s, rtol=1e-9)
    with pytest.raises(InputError, match="follow others"):
        simulate(replace(requests, after=np.append(-1, np.zeros(len(after) - 1, dtype=int))), Fleet.of(curve), users=3)


def test_few_requests_need_no_compiler():
    assert prepare(10) == ("numba" if is_loaded() else "python")
    if has_numba():
        assert prepare(1_000_000) == "numba"
        assert is_loaded()


def test_a_gate_opens_on_its_step_or_for_enough_prompts():
    requests = traffic(22, per_s=6.0)
    open_gate, shut = (simulate(requests, Fleet.of(replace(CURVE, kv_blocks=3000, gate_steps=g))) for g in (1, 40))
    few = simulate(requests, Fleet.of(replace(CURVE, kv_blocks=3000, gate_steps=40, gate_prompts=2)))
    waits = [np.mean(o.scheduled_s - o.arrival_s) for o in (open_gate, few, shut)]
    assert waits[0] < waits[1] < waits[2]
    assert len(np.unique(shut.scheduled_s)) < len(np.unique(few.scheduled_s)) < len(np.unique(open_gate.scheduled_s))

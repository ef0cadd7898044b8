"""Prefill and decode on pools of their own: of different chips, with the way of the cache between them, at a rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.fabric import default_fabric
from gigawatt.physics.serving import Load, Spec, deploy, pools
from gigawatt.physics.serving.steady.disaggregated import matched_workers, open_pools
from gigawatt.physics.serving.steady.goodput import best_rate
from gigawatt.physics.serving.steady.tails import at_speed, open_tails
from gigawatt.physics.serving.steady.transfer import (
    CachePath,
    cache_path,
    moved_bytes_per_chip,
    transfer_load,
    transfer_seconds,
)
from gigawatt.physics.workload import from_config

CATALOG = Catalog.load()
DENSE = from_config("llama3-70b", CATALOG.get("model", "llama3-70b").config)
SPARSE = from_config("deepseek-v3", CATALOG.get("model", "deepseek-v3").config)
H200, B200, MI355X = (chip_from_record(CATALOG.get("accelerator", n)) for n in ("h200-sxm", "b200-sxm", "mi355x"))


def laid(arch=DENSE, chip=H200, gpus=4, dp=1, engine="vllm", **more):
    return deploy([Spec(arch, chip, gpus, dp, gpus if dp == 1 else 1, engine, **more)])


PREFILL, DECODE = laid(), laid(gpus=8)
LOAD = Load.of(4000.0, 400.0, 64.0)


def test_a_path_adds_its_bytes_to_the_first_token_alone():
    two, three, few = np.asarray(2.0), np.asarray(3.0), Load.of(4000.0, 400.0, 2.0)
    none = pools(PREFILL, DECODE, few, two, three)
    found = [pools(PREFILL, DECODE, few, two, three, CachePath(b, by_layer=False)) for b in (1e9, 1e11)]
    seconds = [f.ttft_s[0] - none.ttft_s[0] for f in found]
    # 80 layers x 8 heads x 128 x 2 x 4,000 tokens, two bytes each, over four sending chips: 0.33 s at 1 GB/s.
    assert seconds[0] == pytest.approx(0.328, rel=0.05) and 0 < seconds[1] < 0.004
    assert found[0].tpot_s[0] <= none.tpot_s[0]


def test_layers_sent_as_they_are_made_hide_behind_the_prompt():
    n, one = np.array([4000.0]), np.array([0.2])
    whole, layered = (transfer_seconds(PREFILL, DECODE, n, CachePath(1e10, by_layer=x), one)[0] for x in (False, True))
    assert layered < 0.1 * whole
    slow = transfer_seconds(PREFILL, DECODE, n, CachePath(1e8, by_layer=True), one)[0]
    assert slow == pytest.approx(
        transfer_seconds(PREFILL, DECODE, n, CachePath(1e8, by_layer=False), one)[0] - 0.2, rel=1e-3
    )


def test_the_path_is_the_slower_side_and_shorter_within_a_domain():
    near, far = default_fabric(H200), default_fabric(B200)
    assert cache_path(near, far).bytes_per_s == pytest.approx(0.9 * min(near.nic_bytes_per_s, far.nic_bytes_per_s))
    assert cache_path(near, near, same_domain=True).bytes_per_s == near.scaleup_bytes_per_s
    # The latent is whole on every chip that decodes: cutting it over more senders shortens nothing.
    wide, narrow = laid(SPARSE, gpus=8), laid(SPARSE, gpus=16)
    n = np.array([4000.0])
    assert moved_bytes_per_chip(narrow, wide, n)[0] == moved_bytes_per_chip(wide, wide, n)[0]


def test_links_can_be_what_binds():
    thin = CachePath(2e8)
    load = transfer_load(PREFILL, DECODE, LOAD.input_tokens, thin, np.array([2.0]))[0]
    assert load > 1.0
    found = open_pools(PREFILL, DECODE, LOAD, np.array([1.0]), np.array([1.0]), 2.0, path=thin)
    assert not found.stable[0] and found.prefill_load[0] == pytest.approx(load)
    wide = open_pools(PREFILL, DECODE, LOAD, np.array([1.0]), np.array([1.0]), 2.0, path=CachePath(5e10))
    assert wide.stable[0] and wide.capacity_per_s[0] > found.capacity_per_s[0]


@given(prefill=st.sampled_from([H200, B200, MI355X]), decode=st.sampled_from([H200, B200, MI355X]))
@settings(max_examples=9, deadline=None)
def test_pools_of_two_kinds_have_the_prefill_of_one_and_the_steps_of_the_other(prefill, decode):
    p, d = laid(chip=prefill), laid(chip=decode)
    mixed = pools(p, d, LOAD, np.asarray(2.0), np.asarray(2.0))
    assert mixed.prefill_s[0] == pools(p, p, LOAD, np.asarray(2.0), np.asarray(2.0)).prefill_s[0]
    alike = pools(d, d, LOAD, np.asarray(2.0), np.asarray(2.0))
    same_batch = abs(mixed.decoding[0] / alike.decoding[0] - 1.0) < 0.02
    assert not same_batch or mixed.tpot_s[0] == pytest.approx(alike.tpot_s[0], rel=0.02)


def test_matched_pools_are_both_as_full_as_asked():
    batch = np.array([32.0])
    each = matched_workers(PREFILL, DECODE, LOAD, batch, 0.7)
    workers = np.array([10.0])
    first = open_pools(PREFILL, DECODE, LOAD, each * workers, workers, 1e-9)
    rate = workers * batch / (400.0 * pools(PREFILL, DECODE, Load.of(4000.0, 400.0, 1.0), each, workers).tpot_s)
    found = open_pools(PREFILL, DECODE, LOAD, each * workers, workers, rate)
    assert first.stable[0] and found.prefill_load[0] == pytest.approx(0.7 * found.decoding[0] / 320.0, rel=0.5)
    exact = open_pools(PREFILL, DECODE, LOAD, each * workers, workers, 320.0 / (400.0 * _tpot_at(batch)))
    assert exact.prefill_load[0] == pytest.approx(0.7, rel=1e-3)
    # Each of a random stream meets one more than the mean of a worker, so a little more decode at the same rate.
    assert 320.0 <= exact.decoding[0] <= 1.03 * 320.0


def _tpot_at(batch):
    from gigawatt.physics.serving.engine.step import decode_step

    return decode_step(DECODE, batch, np.array([4200.0])).total / DECODE.yields


@given(part=st.floats(0.05, 0.9), more=st.floats(1.0, 1.1))
@settings(max_examples=15, deadline=None)
def test_pools_at_a_rate_keep_littles_law_and_slow_with_it(part, more):
    two, three = np.array([2.0]), np.array([3.0])
    most = open_pools(PREFILL, DECODE, LOAD, two, three, 1e-9).capacity_per_s
    low, high = (open_pools(PREFILL, DECODE, LOAD, two, three, part * x * most) for x in (1.0, more))
    assert low.decoding[0] == pytest.approx(low.requests_per_s[0] * 400.0 * low.tpot_s[0], rel=1e-3)
    assert high.ttft_s[0] >= low.ttft_s[0] and high.tpot_s[0] >= low.tpot_s[0] * (1 - 1e-6)


def test_pools_at_the_rate_of_a_closed_loop_find_its_batch():
    four, three, some = np.asarray(4.0), np.asarray(3.0), Load.of(4000.0, 400.0, 32.0)
    closed = pools(PREFILL, DECODE, some, four, three)
    found = open_pools(PREFILL, DECODE, some, four, three, closed.requests_per_s)
    assert found.decoding[0] == pytest.approx(closed.decoding[0], rel=0.04)
    assert found.ttft_s[0] == pytest.approx(closed.ttft_s[0], rel=0.2)


def test_pools_have_tails_and_a_best_rate():
    two, three = np.array([2.0]), np.array([3.0])

    def at(rate, prefill=PREFILL, decode=DECODE):
        return open_pools(prefill, decode, LOAD, two, three, rate)

    found = best_rate(DECODE, LOAD, 1.0, 0.05, solve=at)
    assert 0 < found.requests_per_s[0] < at(1e-9).capacity_per_s[0] and found.share[0] >= 0.99
    rate = 0.6 * at(1e-9).capacity_per_s
    tails = open_tails(DECODE, LOAD, rate, solve=lambda d, x: at(rate, at_speed(PREFILL, x), d))
    assert (np.diff(tails.ttft.middle_s[:, 0]) > 0).all() and (tails.ttft.low_s < tails.ttft.high_s).all()
    # No prompt ever enters a step of those who decode.
    assert tails.itl.middle_s[0, 0] == pytest.approx(tails.itl.middle_s[2, 0])

"""Failures and effective time: published counts and shares, laws, and what is wrong said."""

import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics import reliability as rel

Mode = Literal["sync", "async", "tiered"]
MODES: tuple[Mode, ...] = ("sync", "async", "tiered")


def test_llama3_interruptions() -> None:
    # arXiv 2407.21783 sec 3.3.4: 419 unexpected interruptions in 54 days on 16,384 H100
    assert rel.expected_failures(16384, 54, "llama3-h100") == pytest.approx(419, rel=0.005)


def test_rsc1_projection() -> None:
    # arXiv 2410.21680: 1.8 h at 16,384 and 0.23 h at 131,072
    assert rel.mean_time_between_failures_s(16384, "rsc1-a100") / 3600 == pytest.approx(1.8, abs=0.01)
    assert rel.mean_time_between_failures_s(131072, "rsc1-a100") / 3600 == pytest.approx(0.23, abs=0.01)


def test_llama3_effective_time_above_ninety_percent() -> None:
    found = rel.goodput(16384, checkpoint_s=20.0, restart_s=600.0, cluster="llama3-h100")
    assert 0.88 < found.goodput < 0.97


@given(c=st.floats(1.0, 600.0), m=st.floats(600.0, 1e6), r=st.floats(0.0, 3600.0))
def test_shares_sum_to_one_and_are_shares(c: float, m: float, r: float) -> None:
    found = rel.goodput(checkpoint_s=c, restart_s=r, mttf_s=m)
    parts = [float(x) for x in (found.goodput, found.checkpoint_share, found.lost_share, found.restart_share)]
    assert sum(parts) == pytest.approx(1.0, abs=1e-9)
    assert all(-1e-9 <= x <= 1.0 for x in parts)


@given(c=st.floats(1.0, 300.0), m=st.floats(3600.0, 1e6))
def test_no_other_interval_keeps_more(c: float, m: float) -> None:
    best = rel.goodput(checkpoint_s=c, restart_s=0.0, mttf_s=m)
    t = float(best.interval_s)
    for other in (0.7 * t, 0.98 * t, 1.02 * t, 1.4 * t):
        assert float(rel.goodput(checkpoint_s=c, restart_s=0.0, mttf_s=m, interval_s=other).goodput) <= float(
            best.goodput
        )


def test_more_chips_never_more_goodput() -> None:
    found = np.asarray(rel.goodput(np.array([1024.0, 8192.0, 65536.0]), checkpoint_s=60.0).goodput)
    assert np.all(np.diff(found) < 0)


def test_young_limit() -> None:
    assert float(rel.daly_interval_s(1.0, 1e9)) == pytest.approx(float(rel.young_interval_s(1.0, 1e9)), rel=1e-3)


def test_spares_cover_downtime() -> None:
    assert rel.serving_availability(8, restart_s=600.0) > 0.9999
    assert float(rel.serving_availability(8192, restart_s=3600.0, spares_share=0.5)) == 1.0


def test_says_what_is_missing() -> None:
    with pytest.raises(InputError, match="number of chips"):
        rel.goodput()
    with pytest.raises(InputError, match="positive"):
        rel.goodput(8, checkpoint_s=0.0)
    with pytest.raises(InputError, match="cluster"):
        rel.node_rate_per_s("lama3-h100")


def test_small_research_jobs_fail_for_other_reasons() -> None:
    # arXiv 2410.21680: 7.9 h at 1,024 where the nodes alone would give 28.8 h
    alone = rel.Fleet(cluster="rsc1-a100")
    shared = rel.Fleet(cluster="rsc1-a100", job="research")
    assert 1 / rel.job_rate_per_s(1024, alone) / 3600 == pytest.approx(28.8, rel=0.01)
    assert 1 / rel.job_rate_per_s(1024, shared) / 3600 == pytest.approx(7.9, rel=0.01)


def test_causes_are_shares_with_ranges() -> None:
    found = rel.causes()
    assert sum(c.share for c in found) == pytest.approx(1.0)
    assert all(0.0 <= c.low < c.share < c.high <= 1.0 for c in found)
    gpu = sum(c.share for c in found if c.name in ("gpu", "hbm", "sram"))
    assert gpu == pytest.approx(0.587, abs=0.05)  # the paper's 58.7 % counts sensors and corruption too


def test_a_young_fleet_settles_and_lemons_cost() -> None:
    rates = [float(rel.job_rate_per_s(8192, rel.Fleet(age_days=days))) for days in (0.0, 30.0, 365.0, math.inf)]
    assert rates == sorted(rates, reverse=True)
    assert rel.job_rate_per_s(8192, rel.Fleet(lemons_removed=False)) > 3 * rates[-1]


@given(
    chips=st.floats(8.0, 200_000.0),
    state=st.floats(1e9, 4e13),
    checkpoint=st.sampled_from(MODES),
    spares=st.sampled_from([None, 0.0, 0.02]),
)
def test_parts_of_effective_time_sum_to_one(chips: float, state: float, checkpoint: Mode, spares: float | None) -> None:
    plan = rel.Plan(checkpoint=checkpoint, spares=spares)
    found = rel.effective_training(chips, state, plan=plan)
    parts = [float(x) for x in found.parts().values()]
    assert sum(parts) == pytest.approx(1.0, abs=1e-9)
    assert all(-1e-12 <= x <= 1.0 for x in parts)
    assert 0.0 <= float(found.low) <= float(found.productive) <= float(found.high) <= 1.0


@settings(max_examples=40)
@given(chips=st.floats(64.0, 100_000.0), times=st.floats(1.0, 8.0), mode=st.sampled_from(MODES))
def test_more_of_what_fails_or_waits_never_helps(chips: float, times: float, mode: Mode) -> None:
    plan = rel.Plan(checkpoint=mode)
    state = 5e12
    base = rel.effective_training(chips, state, plan=plan).productive
    worse = [
        rel.effective_training(chips, state, plan=plan, fleet=rel.Fleet(factor=times)),
        rel.effective_training(chips, state, plan=plan, storage=rel.default_storage().slower(times)),
        rel.effective_training(chips, state * times, plan=plan),
        rel.effective_training(
            chips, state, plan=rel.Plan(checkpoint=mode, recovery=rel.Recovery(diagnose_s=60.0 * times))
        ),
        rel.effective_training(chips, state, plan=rel.Plan(checkpoint=mode, spares=0.0)),
    ]
    assert all(float(found.productive) <= float(base) + 1e-12 for found in worse)


def test_columns_are_single_jobs() -> None:
    sizes = np.array([1024.0, 16384.0, 100_000.0])
    plan = rel.Plan()
    columns = rel.effective_training(sizes, 5e12, plan=plan)
    for k, chips in enumerate(sizes):
        one = rel.effective_training(chips, 5e12, plan=plan)
        assert float(columns.productive[k]) == pytest.approx(float(one.productive), rel=1e-12)
        assert float(columns.low[k]) == pytest.approx(float(one.low), rel=1e-12)


def test_memory_beats_the_store_and_copies_beside_beat_stopping() -> None:
    found = [float(rel.effective_training(65_536, 2e13, plan=rel.Plan(checkpoint=mode)).productive) for mode in MODES]
    assert found[0] < found[1]
    assert found[0] < found[2]


def test_fewest_spares_meet_the_target() -> None:
    for chips in (256, 16_384, 100_000):
        spare = float(rel.spares_needed(chips, 0.999))
        assert rel.waiting_share(chips, spare) <= 0.001
        assert spare == 0 or rel.waiting_share(chips, spare - 8) > 0.001


def test_a_rack_that_must_be_whole_needs_more_spare_chips() -> None:
    assert rel.spares_needed(16_384, 0.999, unit_chips=72.0) > 5 * rel.spares_needed(16_384, 0.999, unit_chips=8.0)


def test_superpod_binomial() -> None:
    # a pool of 144 cubes of which 130 serve at 95 %: each is available 93 to 94 % of the time
    assert rel.operational(144, 0.936, 0.95) in (129, 130)


def test_serving_fleet_holds_its_target() -> None:
    small = rel.serving_fleet(100, 8)
    large = rel.serving_fleet(100, 64)
    assert float(large.over_provisioning) > float(small.over_provisioning) > 0
    assert float(rel.serving_fleet(100, 8, target=0.99).spare_replicas) <= float(small.spare_replicas)
    assert float(small.serving) < 1.0


def test_effective_time_says_what_is_missing() -> None:
    with pytest.raises(InputError, match="size"):
        rel.effective_training(1024, 1e12, plan=rel.Plan(go_on="replicas"))
    with pytest.raises(InputError, match="two replicas"):
        rel.effective_training(1024, 1e12, plan=rel.Plan(go_on="replicas", replica_chips=1024))
    with pytest.raises(InputError, match="faster than they are written"):
        rel.effective_training(64, 1e13, plan=rel.Plan(checkpoint="async", interval_s=1.0))
    with pytest.raises(InputError, match="recipe"):
        rel.state_bytes(1e9, "adm")
    with pytest.raises(InputError, match="tier"):
        rel.transfer_s(1e9, 8, "tape")
    with pytest.raises(InputError, match="at least one chip"):
        rel.effective_training(0, 1e12)

"""Failures and goodput: published counts, and the closed form against a simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics import reliability as rel


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


def _simulate(work: float, save: float, restart: float, mttf: float, segments: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    wall = 0.0
    for _ in range(segments):
        while True:
            life = rng.exponential(mttf)
            if life >= work + save:
                wall += work + save
                break
            wall += life
            while (life := rng.exponential(mttf)) < restart:  # a restart may be interrupted too
                wall += life
            wall += restart
    return work * segments / wall


@pytest.mark.parametrize(
    ("save", "restart", "mttf"), [(30.0, 600.0, 11_000.0), (120.0, 1800.0, 6_000.0), (60.0, 300.0, 1_500.0)]
)
def test_goodput_against_simulation(save: float, restart: float, mttf: float) -> None:
    found = rel.goodput(checkpoint_s=save, restart_s=restart, mttf_s=mttf)
    simulated = _simulate(float(found.interval_s), save, restart, mttf, 20_000, 7)
    assert float(found.goodput) == pytest.approx(simulated, rel=0.015)


@given(c=st.floats(1.0, 600.0), m=st.floats(600.0, 1e6), r=st.floats(0.0, 3600.0))
def test_shares_sum_to_one_and_are_shares(c: float, m: float, r: float) -> None:
    found = rel.goodput(checkpoint_s=c, restart_s=r, mttf_s=m)
    parts = [float(x) for x in (found.goodput, found.checkpoint_share, found.lost_share, found.restart_share)]
    assert sum(parts) == pytest.approx(1.0, abs=1e-9)
    assert all(-1e-9 <= x <= 1.0 for x in parts)


@given(c=st.floats(1.0, 300.0), m=st.floats(3600.0, 1e6))
def test_daly_interval_is_near_the_best(c: float, m: float) -> None:
    best = rel.goodput(checkpoint_s=c, restart_s=0.0, mttf_s=m)
    t = float(best.interval_s)
    for other in (0.7 * t, 1.4 * t):
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

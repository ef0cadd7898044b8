"""The closed forms beside event-by-event histories over a grid: they agree within the simulation's own interval."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.physics.reliability import simulate
from gigawatt.physics.reliability.intervals import best_interval_s, level, mean_survival
from gigawatt.physics.reliability.replicas import elastic
from gigawatt.physics.reliability.simulate import Stream, Tier
from gigawatt.physics.reliability.spares import erlang_b

# Half-widths are of 95 %; over dozens of cases one may lie outside, so twice the half-width is asked for.
WIDTHS = 2.0


@settings(max_examples=10, deadline=None)
@given(
    mttf=st.floats(1_000.0, 50_000.0),
    stall=st.floats(0.5, 120.0),
    restart=st.floats(10.0, 2_000.0),
    lag_share=st.floats(0.0, 1.0),
    hang=st.floats(0.0, 0.5),
    seed=st.integers(0, 2**31),
)
def test_one_level(mttf: float, stall: float, restart: float, lag_share: float, hang: float, seed: int) -> None:
    work = float(best_interval_s(stall, mttf))
    lag = lag_share * (work + stall)
    kinds = ((1.0 - hang, restart), (hang, restart + 600.0))
    found = level(1.0 / mttf, work, stall, lag, mean_survival(1.0 / mttf, kinds))
    seen = simulate.job(
        [Stream(1.0 / mttf, 0, kinds)], [Tier(lag)], work, stall, horizon_s=150 * mttf, histories=8, seed=seed
    )
    edge = WIDTHS * seen.half_width + 0.003  # the horizon cuts the last cycle of each history
    assert seen.kept == pytest.approx(float(found.kept), abs=edge)
    assert seen.shares["down"] == pytest.approx(float(found.down), abs=edge)
    assert seen.shares["lost"] == pytest.approx(float(found.lost), abs=edge)


@pytest.mark.parametrize(("hard", "every"), [(0.03, 30), (0.1, 12), (0.3, 5)])
def test_two_tiers(hard: float, every: int) -> None:
    mttf, stall, work, lag, remote_lag = 8_000.0, 1.0, 120.0, 5.0, 60.0
    soft_kinds, hard_kinds = ((1.0, 400.0),), ((1.0, 500.0),)
    rate = 1.0 / mttf
    streams = [Stream(rate * (1 - hard), 0, soft_kinds), Stream(rate * hard, 1, hard_kinds)]
    tiers = [Tier(lag), Tier(remote_lag, every)]
    inner = level(rate * (1 - hard), work, stall, lag, mean_survival(rate * (1 - hard), soft_kinds))
    wall = every * (work + stall)
    outer = level(rate * hard, wall, 0.0, remote_lag, mean_survival(rate * hard, hard_kinds))
    seen = simulate.job(streams, tiers, work, stall, horizon_s=250 * mttf, histories=8, seed=3)
    assert seen.kept == pytest.approx(float(inner.kept * outer.kept), abs=WIDTHS * seen.half_width + 0.004)


def test_silent_corruption_goes_back_to_before_it() -> None:
    mttf, seen_after, work = 30_000.0, 3_600.0, 600.0
    stream = Stream(1.0 / mttf, 0, ((1.0, 300.0),), blind_s=seen_after)
    found = level(1.0 / mttf, work, 5.0, seen_after, math.exp(-300.0 / mttf))
    seen = simulate.job([stream], [Tier(0.0)], work, 5.0, horizon_s=200 * mttf, histories=8, seed=5)
    assert seen.kept == pytest.approx(float(found.kept), abs=WIDTHS * seen.half_width + 0.003)


@settings(max_examples=8, deadline=None)
@given(
    count=st.integers(4, 40), stall=st.floats(10.0, 240.0), away=st.floats(60.0, 1_200.0), seed=st.integers(0, 2**31)
)
def test_replicas(count: int, stall: float, away: float, seed: int) -> None:
    rate = 1.0 / 1_800.0
    found = elastic(rate, count, stall, away)
    seen = simulate.replicas(rate, count, stall, away, horizon_s=600_000.0, histories=8, seed=seed)
    edge = WIDTHS * seen.half_width + 0.003
    assert seen.kept == pytest.approx(float(found.kept), abs=edge)
    assert seen.shares["stall"] == pytest.approx(float(found.stall), abs=edge)


@pytest.mark.parametrize("exponential", [True, False])
@pytest.mark.parametrize(("nodes", "spares"), [(128, 0), (128, 2), (1024, 8)])
def test_pool_is_erlangs(nodes: int, spares: int, exponential: bool) -> None:
    rate, repair = 3.79e-3 / 86_400.0, 172_800.0
    seen = simulate.pool(
        nodes, spares, rate, repair, horizon_s=2_000 * 86_400.0, exponential=exponential, histories=12, seed=1
    )
    waits = float(erlang_b(spares + 1, nodes * rate * repair))
    assert seen.shares["waits"] == pytest.approx(waits, abs=WIDTHS * seen.half_width + 0.002)


def test_simulation_is_seeded() -> None:
    once = [simulate.replicas(1e-3, 4, 10.0, 100.0, horizon_s=1e5, histories=2, seed=seed).kept for seed in (1, 1, 2)]
    assert once[0] == once[1] != once[2]
    assert np.isfinite(once).all()

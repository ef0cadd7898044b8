"""Pipeline formulas against a schedule run unit by unit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.physics.training.schedule.pipeline import bubble_share, pipeline_s, replay, stored_micro_batches


@settings(deadline=None, max_examples=60)
@given(stages=st.integers(1, 8), extra=st.integers(0, 12), forward=st.floats(0.5, 2.0), backward=st.floats(0.5, 4.0))
def test_1f1b_equals_replay(stages: int, extra: int, forward: float, backward: float) -> None:
    m = stages + extra
    stage = forward + backward
    assert replay(m, stages, 1, forward, backward) == pytest.approx(float(pipeline_s(m, stages, 1, stage, stage)))


@pytest.mark.parametrize("stages", [2, 3, 4])
@pytest.mark.parametrize("chunks", [2, 3, 5])
@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_interleaved_equals_replay(stages: int, chunks: int, rounds: int) -> None:
    m = rounds * stages
    assert replay(m, stages, chunks, 1.0, 2.0) == pytest.approx(float(pipeline_s(m, stages, chunks, 3.0, 3.0)))


def test_interleaving_needs_multiples() -> None:
    with pytest.raises(ValueError, match="multiples"):
        replay(5, 4, 2)


def test_bubble_of_the_paper() -> None:
    # Narayanan et al. (SC'21) sec. 2.2.1: ideal time m, bubble (p - 1) / m of it; interleaved 1 / v of that
    assert bubble_share(64, 8) / (1 - bubble_share(64, 8)) == pytest.approx(7 / 64)
    assert bubble_share(64, 8, 4) / (1 - bubble_share(64, 8, 4)) == pytest.approx(7 / 256)


def test_stored_micro_batches_of_the_paper() -> None:
    # Korthikanti et al. sec. 4.2.3: 1F1B stores p, interleaving L (1 + (p - 1) / (p v))
    assert float(stored_micro_batches(1000, 8, 1)) == 8
    assert float(stored_micro_batches(1000, 8, 4)) / 8 == pytest.approx(1 + 7 / 32)
    assert float(stored_micro_batches(3, 8, 1)) == 3

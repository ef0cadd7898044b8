"""Slow nodes: the largest of many draws against order statistics and against draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.reliability import stragglers


def test_known_order_statistics() -> None:
    # means of the largest of n standard normals (Harter 1961)
    for n, mean in ((1, 0.0), (3, 0.84628), (10, 1.53875), (100, 2.50759)):
        assert float(stragglers.expected_maximum(n)) == pytest.approx(mean, abs=1e-4)


def test_against_draws() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((4000, 500)).max(axis=1)
    assert float(stragglers.expected_maximum(500)) == pytest.approx(drawn.mean(), abs=4 * drawn.std() / np.sqrt(4000))


@given(nodes=st.floats(1.0, 1e5), more=st.floats(1.0, 10.0))
def test_a_larger_job_waits_longer(nodes: float, more: float) -> None:
    sizes = np.array([nodes, nodes * more])
    noise = stragglers.noise_factor(sizes, 0.01)
    kept = stragglers.kept_despite_slow(sizes, 1e-8, 3600.0, 1.3)
    assert noise[1] >= noise[0] - 1e-12
    assert kept[1] <= kept[0] + 1e-12
    assert 1 / 1.3 - 1e-12 <= kept[1] <= 1.0


def test_a_slow_node_is_not_fast() -> None:
    with pytest.raises(InputError, match="at least 1"):
        stragglers.kept_despite_slow(8, 1e-8, 60.0, 0.9)
    with pytest.raises(InputError, match="at least one node"):
        stragglers.expected_maximum(0)

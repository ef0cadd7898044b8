"""Whole workers of two pools: never more than the chips, never above the fractional proportion, as good as trying all."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.physics.serving.search.whole import whole_workers

sizes = st.sampled_from([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 72.0])
rates = st.floats(0.05, 50.0)


@given(st.integers(1, 300), sizes, rates, sizes, rates)
def test_as_good_as_trying_every_pair(chips, prefill_each, capacity, decode_each, flow):
    made = whole_workers(float(chips), *(np.array([x]) for x in (prefill_each, capacity, decode_each, flow)))
    best = 0.0
    for x in range(1, chips + 1):
        y = int((chips - x * prefill_each) // decode_each)
        if y < 1:
            break
        best = max(best, min(x * capacity, y * flow))
    assert made.requests_per_s[0] == np.float64(best) or abs(made.requests_per_s[0] / best - 1) < 1e-9
    used = made.prefill_workers[0] * prefill_each + made.decode_workers[0] * decode_each
    assert used <= chips + 1e-9
    share = flow / capacity
    assert made.requests_per_s[0] / chips <= flow / (decode_each + share * prefill_each) * (1 + 1e-9)

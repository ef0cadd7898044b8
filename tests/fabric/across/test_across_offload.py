"""Where a policy can run: laws of deadlines and distances, and a sum worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.physics.fabric.across import PLACES, away_s, farthest_km, pass_floor_s, places

seconds = st.floats(1e-4, 10.0)


def test_the_way_by_a_site_is_the_sum_of_its_parts():
    """32 ms of last mile, 1,000 km there and back at 5 us, 30 kB at 21.08 Mb/s, 27.9 ms of policy."""
    by_hand = 0.032 + 2 * 1000 * 5e-6 + 30e3 * 8 / 21.08e6 + 0.0279
    assert float(away_s(0.032, 1000.0, 30e3, 21.08e6 / 8, 0.0279)) == pytest.approx(by_hand, rel=1e-6)
    assert by_hand == pytest.approx(0.0813, rel=1e-3)


@given(deadline=seconds, longer=seconds, here=seconds, there=seconds, may_stop=st.booleans())
def test_a_longer_deadline_never_forces_more_on_board(deadline, longer, here, there, may_stop):
    before, after = (int(places(d, here, there, may_stop)) for d in (deadline, deadline + longer))
    by_site = {PLACES.index("either"), PLACES.index("at a site")}
    assert before not in by_site or after in by_site
    assert PLACES[before] == "neither" or PLACES[after] != "neither"


@given(deadline=seconds, here=seconds, there=seconds)
def test_what_may_not_stop_with_the_link_never_runs_by_a_site(deadline, here, there):
    assert PLACES[int(places(deadline, here, there, False))] in ("on board", "neither")


@given(deadline=seconds, rest=seconds)
def test_at_the_farthest_distance_the_deadline_is_just_met(deadline, rest):
    km = float(farthest_km(deadline, rest))
    if np.isnan(km):
        assert rest > deadline
    else:
        assert float(away_s(rest, km, 0.0, 1.0, 0.0)) == pytest.approx(deadline)
        assert float(farthest_km(2 * deadline, rest)) > km


def test_a_pass_takes_at_least_the_reading_of_its_weights():
    assert float(pass_floor_s(6e9, 273e9)) == pytest.approx(0.02198, rel=1e-3)

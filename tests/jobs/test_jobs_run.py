"""Rows and totals of a job: chip-hours, energy and power add up, whatever the phases are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs_models import box, chip

from gigawatt.core.errors import InputError
from gigawatt.physics.chip import box_watts
from gigawatt.physics.jobs import Phase, job_run
from gigawatt.physics.jobs.run import waiting_w

walls = st.lists(st.floats(1.0, 1e6), min_size=1, max_size=5)


@settings(max_examples=30, deadline=None)
@given(walls, walls, st.integers(1, 4096), st.integers(1, 4096), st.floats(100.0, 700.0))
def test_tracks_fill_up_to_the_wall_and_energy_is_the_integral(first, second, wide, narrow, watts):
    phases = [Phase(f"a{i}", "train", wide, s, watts) for i, s in enumerate(first)]
    phases += [Phase(f"b{i}", "serve", narrow, s, watts / 2, track=1) for i, s in enumerate(second)]
    made = job_run("two tracks", phases, chip())
    wall = max(sum(first), sum(second))
    assert made.wall_s == pytest.approx(wall)
    assert made.chip_hours == pytest.approx((wide + narrow) * wall / 3600)
    busy = wide * watts * sum(first) + narrow * watts / 2 * sum(second)
    idle = waiting_w(chip()) * (wide * (wall - sum(first)) + narrow * (wall - sum(second)))
    assert made.chip_energy_j == pytest.approx(busy + idle)
    assert made.mean_w <= made.peak_w * (1 + 1e-12)
    rows = list(made.table().rows())
    assert sum(row["energy_j"] for row in rows) == pytest.approx(made.energy_j)
    assert sum(row["chip_hours"] for row in rows) == pytest.approx(made.chip_hours)


def test_a_box_adds_what_stands_beside_the_chips():
    rack = box()
    phase = Phase("train", "train", 64, 3600.0, 600.0)
    bare = job_run("bare", [phase], chip())
    whole = job_run("whole", [phase], chip(), box=rack, network_w_per_chip=20.0)
    each = float(box_watts(rack, 600.0).total_w) / rack.chips + 20.0
    assert bare.mean_w == pytest.approx(64 * 600.0)
    assert whole.mean_w == pytest.approx(64 * each)
    assert whole.mwh == pytest.approx(64 * each / 1e6)


def test_the_band_of_a_track_adds_its_phases():
    phases = [
        Phase("a", "train", 8, 100.0, 1.0, low=0.9, high=1.2),
        Phase("b", "train", 8, 300.0, 1.0, low=0.8, high=1.1),
    ]
    made = job_run("band", phases, chip())
    assert (made.wall_low_s, made.wall_high_s) == (pytest.approx(330.0), pytest.approx(450.0))
    assert made.low == pytest.approx(330 / 400)


def test_nothing_to_do_and_negative_seconds_are_refused():
    with pytest.raises(InputError, match="nothing to do"):
        job_run("empty", [Phase("a", "train", 8, 0.0, 1.0)], chip())
    with pytest.raises(InputError, match="must be >= 0"):
        job_run("bad", [Phase("a", "train", 8, -1.0, 1.0)], chip())
    with pytest.raises(ValueError, match="different numbers of chips"):
        job_run("bad", [Phase("a", "train", 8, 1.0, 1.0), Phase("b", "train", 4, 1.0, 1.0)], chip())

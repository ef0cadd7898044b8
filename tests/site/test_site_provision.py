"""Provisioning: what sets aside how much, by closed form against draws, and the laws that hold for every load."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.site.provision import (
    POLICIES,
    Loads,
    exceeded_share,
    mixed,
    percentile_share,
    provision,
    tokens_lost,
)

RACK = {"chips": 32, "static_w": 10e3, "chips_w": 24e3, "nameplate_w": 41e3, "planning_w": 34e3}


@st.composite
def loads(draw):
    """A load of any mean, its spreads within what one mode allows."""
    low = draw(st.floats(0.0, 0.3))
    high = draw(st.floats(0.8, 1.0))
    t = draw(st.floats(0.05, 0.95))
    mean = low + t * (high - low)
    plain = Loads.of(**RACK, mean=mean, low=low, high=high)
    widest = float(np.sqrt(plain.widest[0]))
    turn = draw(st.floats(0.0, np.pi / 2))
    size = draw(st.floats(0.01, 0.99)) * widest
    return plain.with_(
        between=size * np.cos(turn),
        within=size * np.sin(turn),
        alike=draw(st.floats(0.0, 1.0)),
        together=draw(st.floats(0.0, 1.0)),
        cap_exponent=draw(st.floats(0.0, 1.0)),
    )


@given(loads(), st.floats(0.51, 0.9999), st.floats(1.0, 50.0), st.floats(1.0, 2000.0))
@settings(max_examples=150, deadline=None)
def test_gpus_never_fall_from_nameplate_to_planning_to_percentile_to_dynamic(load, percentile, row, site):
    found = provision(load, level_racks=(1.0, row, row * site), percentiles=(percentile,))
    gpus = found.gpus_per_mw[:, 0, :, 0]
    if percentile >= 0.9:  # a lower percentile of a skewed share may lie a hair higher for the narrower sum
        assert np.all(np.diff(gpus, axis=0) >= -1e-9 * gpus[:-1])
        assert np.all(np.diff(gpus[2]) >= -1e-9 * gpus[2][:-1])  # more racks behind one feed never hold fewer a MW
    assert np.all(gpus[:2] <= gpus[2] * (1 + 1e-9))


@given(loads(), st.floats(0.9, 0.9999), st.floats(0.9, 0.9999), st.floats(1.0, 1000.0))
@settings(max_examples=150, deadline=None)
def test_a_tighter_percentile_never_adds_gpus(load, one, other, racks):
    loose, tight = sorted((one, other))
    found = provision(load, level_racks=(racks,), percentiles=(loose, tight))
    assert np.all(found.gpus_per_mw[:, 1] <= found.gpus_per_mw[:, 0] * (1 + 1e-9))
    assert np.all(found.exceeded[:, 1] <= found.exceeded[:, 0] + 1e-9)
    assert np.all(found.lost[:, 1] <= found.lost[:, 0] + 1e-9)


@given(loads(), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.9, 0.999), st.floats(1.0, 1000.0))
@settings(max_examples=150, deadline=None)
def test_more_correlation_never_lowers_a_percentile_above_the_mean(load, one, other, percentile, racks):
    less, more = sorted((one, other))
    for name in ("together", "alike"):
        low = float(percentile_share(load.with_(**{name: less}), racks, percentile)[0])
        high = float(percentile_share(load.with_(**{name: more}), racks, percentile)[0])
        assert high >= low - 1e-9


@given(loads(), st.floats(0.5, 0.999), st.floats(1.0, 1000.0))
@settings(max_examples=100, deadline=None)
def test_the_percentile_is_exceeded_as_often_as_it_says(load, percentile, racks):
    share = percentile_share(load, racks, percentile)
    if float(load.variance(racks)[0]) > 1e-6:
        assert float(exceeded_share(load, racks, share)[0]) == pytest.approx(1 - percentile, abs=1e-6)


@given(loads(), st.floats(0.3, 0.99), st.floats(1.0, 1000.0))
@settings(max_examples=100, deadline=None)
def test_work_that_waits_for_memory_loses_nothing_and_caps_never_cost_more_than_their_watts(load, cap, racks):
    assert float(tokens_lost(load.with_(cap_exponent=0.0), racks, cap)[0]) == 0.0
    part, whole = (float(tokens_lost(load.with_(cap_exponent=e), racks, cap)[0]) for e in (0.5, 1.0))
    assert 0.0 <= part <= whole + 1e-12 <= 1.0


def test_closed_forms_against_draws():
    """Independent racks, each with a Beta share of its own, as their mean."""
    load = Loads.of(**RACK, mean=0.7, between=0.12, within=0.0, low=0.1)
    racks, draws = 12, 100_000
    t = (0.7 - 0.1) / 0.9
    size = t * (1 - t) / (0.12 / 0.9) ** 2 - 1
    site = (0.1 + 0.9 * np.random.default_rng(1).beta(t * size, (1 - t) * size, (draws, racks))).mean(axis=1)
    assert float(load.variance(racks)[0]) == pytest.approx(site.var(), rel=0.02)
    for p in (0.9, 0.99, 0.999):
        assert float(percentile_share(load, racks, p)[0]) == pytest.approx(np.quantile(site, p), abs=0.003)
    cap = 0.72
    lost = np.where(site > cap, 1 - (cap / site) ** 0.5, 0).mean()
    assert float(tokens_lost(load.with_(cap_exponent=0.5), racks, cap)[0]) == pytest.approx(lost, rel=0.03)


def test_racks_that_move_together_add_their_variance_whole():
    load = Loads.of(**RACK, mean=0.6, within=0.1, together=0.25, between=0.05, alike=0.5)
    rng = np.random.default_rng(2)
    n, draws = 8, 200_000
    moving = 0.1 * (np.sqrt(0.25) * rng.normal(size=(draws, 1)) + np.sqrt(0.75) * rng.normal(size=(draws, n)))
    apart = 0.05 * (np.sqrt(0.5) * rng.normal(size=(draws, 1)) + np.sqrt(0.5) * rng.normal(size=(draws, n)))
    assert float(load.variance(n)[0]) == pytest.approx((moving + apart).mean(axis=1).var(), rel=0.02)


def test_a_rack_by_itself_has_the_percentile_of_its_own_share():
    from scipy.stats import beta

    load = Loads.of(**RACK, mean=0.6, within=0.15, low=0.0)
    size = 0.6 * 0.4 / 0.15**2 - 1
    expected = beta(0.6 * size, 0.4 * size)
    assert float(percentile_share(load, 1, 0.95)[0]) == pytest.approx(expected.ppf(0.95))
    # Independent racks: the spread of the mean falls with the root of their number.
    many = beta(*(x * (0.6 * 0.4 * 100 / 0.15**2 - 1) for x in (0.6, 0.4)))
    assert float(percentile_share(load, 100, 0.95)[0]) == pytest.approx(many.ppf(0.95), abs=1e-9)


def test_a_synchronous_job_gains_nothing_from_more_racks():
    load = Loads.of(**RACK, mean=0.9, within=0.04, together=1.0)
    found = provision(load, level_racks=(1, 10, 1000))
    assert np.ptp(found.gpus_per_mw[2:]) == pytest.approx(0.0, abs=1e-9)
    serving = provision(load.with_(together=0.0), level_racks=(1, 10, 1000))
    assert np.all(np.diff(serving.gpus_per_mw[2, 0, :, 0]) > 0)


def test_a_steady_draw_is_its_own_percentile():
    load = Loads.of(**RACK, mean=0.95)
    found = provision(load, level_racks=(1, 100), percentiles=(0.95, 0.999))
    assert np.allclose(found.set_aside_w[2:], 10e3 + 0.95 * 24e3)
    assert np.all(found.exceeded == 0) and np.all(found.lost == 0)


def test_a_mix_lies_between_its_loads_and_moves_less_than_either():
    two = Loads.of(**RACK, mean=[0.6, 0.9], between=[0.1, 0.02], within=[0.1, 0.04], together=[0.1, 1.0], low=0.1)
    both = mixed(two, [1, 1], racks=200)
    assert 0.6 < float(both.mean[0]) < 0.9
    assert float(both.variance(1)[0]) < float(np.max(two.variance(100)))
    alone = mixed(two, [0, 1], racks=100)
    assert float(percentile_share(alone, 1, 0.99)[0]) == pytest.approx(float(percentile_share(two, 100, 0.99)[1]))


def test_rows_stand_by_themselves():
    """A column of loads gives what each gives alone."""
    both = Loads.of(**RACK, mean=[0.6, 0.9], within=[0.1, 0.04], together=[0.1, 1.0], low=0.1)
    whole = provision(both, level_racks=(1, 10), percentiles=(0.95, 0.99))
    assert whole.gpus_per_mw.shape == (len(POLICIES), 2, 2, 2)
    for k, (mean, within, together) in enumerate(((0.6, 0.1, 0.1), (0.9, 0.04, 1.0))):
        one = provision(
            Loads.of(**RACK, mean=mean, within=within, together=together, low=0.1),
            level_racks=(1, 10),
            percentiles=(0.95, 0.99),
        )
        assert np.allclose(whole.gpus_per_mw[..., k], one.gpus_per_mw[..., 0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"mean": 1.2},
        {"mean": 0.05, "low": 0.1},
        {"mean": 0.97, "within": 0.2},
        {"mean": 0.7, "together": 1.4},
        {"mean": 0.7, "planning_w": 20e3},
        {"mean": 0.7, "nameplate_w": 30e3},
        {"mean": float("nan")},
    ],
)
def test_loads_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError):
        Loads.of(**(RACK | wrong))


def test_questions_that_cannot_be_are_refused():
    load = Loads.of(**RACK, mean=0.7)
    for wrong in ({"percentiles": (0.4,)}, {"level_racks": (0.5,)}, {"policies": ("guess",)}, {"meter_per_it": 0.9}):
        with pytest.raises(InputError):
            provision(load, **({"level_racks": (1,)} | wrong))
    with pytest.raises(InputError):
        mixed(load, [0.0], 10)

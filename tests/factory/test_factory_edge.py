"""Machines beside a site: laws of counts and parts, and sums worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.factory.edge import (
    Machines,
    beside,
    even_paid_share,
    site_mw_bought,
    site_mw_of_passes,
    software_usd_per_mw_yr,
)

some = st.floats(0.0, 1e7)


def machines(sold, life=3.0, usd=1000.0, watts=100.0, busy=0.25):
    sold = np.array(sold, dtype=float)[None, None, :]

    def one(x):
        return np.full((1, 1), float(x))

    years = tuple(range(2025, 2025 + sold.shape[-1]))
    return Machines(("robots",), years, sold, one(life), one(usd), one(watts), one(busy), one(34.0), one(1e9))


def test_counts_worked_by_hand():
    """100 sold a year with a life of 2.5 years: 100, 200, then 100 + 100 + half of the oldest."""
    made = machines([100.0] * 4, life=2.5)
    assert made.installed[0, 0] == pytest.approx([100, 200, 250, 250])
    assert made.mean_mw[0, 0, 1] == pytest.approx(200 * 100 * 0.25 / 1e6)
    assert made.peak_mw[0, 0, 1] == pytest.approx(200 * 100 / 1e6)
    assert made.revenue_usd[0, 0] == pytest.approx([1e5] * 4)
    assert made.up_bytes_per_s[0, 0, 0] == pytest.approx(100 * 1e9 / 86400)


@given(sold=st.lists(some, min_size=1, max_size=6), more=some, year=st.integers(0, 5), rest=st.floats(1.0, 1e12))
def test_more_machines_never_lower_their_part(sold, more, year, rest):
    grown = list(sold)
    grown[year % len(sold)] += more
    before, after = machines(sold), machines(grown)
    for name in ("installed", "revenue_usd", "mean_mw", "peak_mw", "tokens"):
        low, high = getattr(before, name), getattr(after, name)
        assert np.all(high >= low)
        assert np.all(beside(high, rest) >= beside(low, rest) - 1e-15)
        assert np.all(beside(high, rest) <= 1)


@given(watts=st.floats(0.0, 1e4), other=st.floats(0.0, 1e4))
def test_watts_of_machines_are_no_part_of_the_sites(watts, other):
    """What comes to the site depends on what it does for them, not on what they draw."""
    found = []
    for w in (watts, other):
        made = machines([1e6], watts=w)
        sent = site_mw_of_passes(made.installed[:, 0, 0], 1.0, made.busy[:, 0], 10.0, 0.028, 1300.0, 4.0)
        bought = site_mw_bought(made.revenue_usd[:, 0, 0], 1.55, 32.5e6)
        found.append((float(sent[0]), float(bought[0])))
    assert found[0] == found[1]


def test_a_longer_life_leaves_more_of_them():
    assert np.all(machines([5.0] * 6, life=5).installed >= machines([5.0] * 6, life=2).installed)


@given(chip=st.floats(100.0, 5000.0), licence=st.floats(1.0, 1e5), usd=st.floats(1e6, 1e8), life=st.floats(1.0, 10.0))
def test_at_the_even_share_software_brings_what_hardware_would(chip, licence, usd, life):
    share = even_paid_share(chip, licence, usd, 0.75, life)
    assert float(software_usd_per_mw_yr(chip, licence, share)) == pytest.approx(usd * 0.75 / life)


def test_what_does_not_fit_is_refused():
    good = machines([1.0, 2.0])
    for wrong in ({"years": (2025, 2027)}, {"busy": np.full((1, 1), 1.5)}, {"usd": np.full((1, 2), 1.0)},
                  {"sold": -good.sold}, {"watts": np.full((1, 1), -1.0)}):  # fmt: skip
        with pytest.raises(ValueError):
            replace(good, **wrong)

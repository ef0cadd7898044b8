"""Synchronous training over sites: laws, the parts against the closed forms, what binds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.fabric import Fabric, collective_seconds
from gigawatt.physics.fabric.across import Known, Within, connect, exchanges, synchronous_step

HGX = Fabric("hgx", "infiniband", "switched", "hopper", 450e9, 8, 8, 50e9, 50e9, 1)
EXACT = Known(1.0, 1.0, 1.0)
TWO = connect(["a", "b"], 1000.0, 1e11)


@given(
    compute=st.floats(0.1, 100),
    values=st.floats(1e6, 1e13),
    overlap=st.floats(0, 1),
    bits=st.sampled_from([4.0, 8.0, 16.0, 32.0]),
    buckets=st.sampled_from([1.0, 8.0, np.inf]),
)
@settings(max_examples=60, deadline=None)
def test_laws(compute: float, values: float, overlap: float, bits: float, buckets: float) -> None:
    given_ = {"bits": bits, "overlap": overlap, "buckets": buckets, "efficiency": EXACT}
    step = synchronous_step(compute, values, TWO, **given_)
    sync = step.site_s + step.transfer_s + step.latency_s
    assert 0 < step.utilisation[0] <= 1
    assert step.latency_s[0] <= step.exposed_s[0] <= sync[0] * (1 + 1e-12)
    assert step.step_s[0] == pytest.approx(compute / step.utilisation[0])
    more = synchronous_step(compute, 2 * values, TWO, **given_)
    assert more.utilisation[0] <= step.utilisation[0]
    fewer = synchronous_step(compute, values, TWO, **{**given_, "bits": bits / 2})
    assert fewer.transfer_s[0] == pytest.approx(step.transfer_s[0] / 2)
    hides = synchronous_step(compute, values, TWO, **{**given_, "overlap": 1.0})
    assert hides.utilisation[0] >= step.utilisation[0]


def test_parts_are_the_closed_forms() -> None:
    ring = connect(list("abcd"), 500.0, 2e11, switch_s=1e-5)
    within = Within(HGX, 64, shards=8, per_domain=1)
    step = synchronous_step(10.0, 70e9, ring, within=within, efficiency=EXACT, algorithms=["ring"])
    gradient = 70e9 * 2
    scatter, gather = (
        float(collective_seconds(kind, gradient / 8, 64, HGX, per_domain=1).seconds[0])
        for kind in ("reduce_scatter", "all_gather")
    )
    assert step.site_s[0] == pytest.approx(scatter + gather)
    assert step.transfer_s[0] == pytest.approx(2 * 3 / 4 * gradient / 2e11)
    assert step.latency_s[0] == pytest.approx(6 * (500 * 5e-6 + 1e-5))
    assert step.exposed_s[0] == pytest.approx(step.site_s[0] + step.transfer_s[0] + step.latency_s[0])


def test_a_compressed_exchange_moves_fewer_bytes_across_but_not_in_the_site() -> None:
    within = Within(HGX, 16)
    full, short = (synchronous_step(1.0, 7e9, TWO, within=within, bits=b) for b in (16.0, 4.0))
    assert short.transfer_s[0] == pytest.approx(full.transfer_s[0] / 4)
    assert short.site_s[0] == full.site_s[0]


def test_what_binds() -> None:
    values = [1e6, 1e12, 1e9]
    step = synchronous_step([0.01, 0.01, 100.0], values, TWO, overlap=[0.0, 0.0, 0.5])
    assert step.bound.tolist() == ["latency between sites", "bandwidth between sites", "hidden behind compute"]
    near = connect(["a", "b"], 1.0, 1e15)
    slow = synchronous_step(1.0, 70e9, near, within=Within(HGX, 64))
    assert slow.bound[0] == "site fabric"


def test_the_fastest_way_is_taken_and_changes_with_size() -> None:
    ring = connect([f"s{i}" for i in range(8)], 500.0, 1e11)
    step = synchronous_step(1.0, [1e4, 1e12], ring, efficiency=EXACT)
    ways = {x.name: x for x in exchanges(ring)}
    for i, values in enumerate((1e4, 1e12)):
        best = min(ways.values(), key=lambda x: float(x.seconds(values * 2)))
        assert step.algorithm[i] == best.name
        assert step.transfer_s[i] + step.latency_s[i] == pytest.approx(float(best.seconds(values * 2)))
    assert step.algorithm[0] != step.algorithm[1]


def test_the_last_bucket_always_shows() -> None:
    hidden = synchronous_step(100.0, 1e10, TWO, overlap=0.6, buckets=10, efficiency=EXACT)
    assert hidden.exposed_s[0] == pytest.approx(hidden.latency_s[0] + hidden.transfer_s[0] / 10)


def test_the_band_holds_the_answer_and_follows_the_efficiency() -> None:
    step = synchronous_step(10.0, 4e11, TWO, within=Within(HGX, 64, shards=8))
    assert step.low[0] < step.utilisation[0] < step.high[0]
    sure = synchronous_step(10.0, 4e11, TWO, efficiency=EXACT)
    assert sure.low[0] == sure.utilisation[0] == sure.high[0]


def test_mistakes_are_told_together() -> None:
    with pytest.raises(InputError) as error:
        synchronous_step(0.0, -1.0, TWO, bits=0.0, overlap=1.5, buckets=0)
    assert len(error.value.problems) == 5

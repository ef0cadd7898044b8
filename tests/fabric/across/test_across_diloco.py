"""Bandwidth of training with few synchronisations: the published tables, inverses, laws."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.fabric.across import (
    Method,
    blocking,
    connect,
    decoupled,
    exchanges,
    largest_distance_km,
    largest_latency_s,
    required_bytes_per_s,
    smallest_sync_every,
    streaming,
    synchronous_step,
    utilisation,
)
from gigawatt.physics.fabric.across.constants import Known
from gigawatt.physics.fabric.across.diloco import (
    band,
    bytes_per_step,
    on_published_grid,
    peak_bytes_per_s,
    physical,
    streaming_hours,
    textbook,
)

GBPS = 1e9 / 8
TABLE = Path(__file__).with_name("bandwidth_table.csv")
ERROR = Catalog.load().get("calibration", "scale-across").error


def published() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8") as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


ROWS = published()
P, C, H, U, W, AT_LEAST = (
    np.array([float(row[name]) for row in ROWS])
    for name in ("parameters", "step_s", "sync_every", "utilisation", "gigabits_per_s", "at_least")
)


def mape(bytes_per_s: np.ndarray) -> float:
    """Mean of |predicted/published - 1|; the one cell that is a lower bound counts only from below."""
    ratio = bytes_per_s / GBPS / W
    return float(np.mean(np.where(AT_LEAST > 0, np.maximum(0, 1 - ratio), np.abs(ratio - 1))))


def test_table_6_of_2503_09799() -> None:
    found = required_bytes_per_s(P, C, U, blocking(H))
    assert len(ROWS) == 75 and AT_LEAST.sum() == 1
    errors = {"grid": mape(on_published_grid(found)), "unrounded": mape(found), "centred": mape(1.1 * found)}
    for name, limit in (("grid", 0.08), ("unrounded", 0.15), ("centred", 0.10)):
        assert errors[name] < limit
        assert errors[name] == pytest.approx(ERROR[name]["mape"], abs=5e-4), "what the calibration says of itself"
    # The bound is not met: the honest answer for data parallel at 99 % is 680 Gb/s where the paper says above 1000.
    assert found[AT_LEAST > 0] / GBPS == pytest.approx([680], abs=1)


def test_what_has_not_seen_the_table() -> None:
    found = required_bytes_per_s(P, C, U, physical(blocking(H)))
    assert mape(on_published_grid(found)) < 0.15
    assert mape(on_published_grid(found)) == pytest.approx(ERROR["physical"]["grid_mape"], abs=5e-4)
    assert mape(found) == pytest.approx(ERROR["physical"]["unrounded_mape"], abs=5e-4)
    null = required_bytes_per_s(P, C, U, textbook(blocking(H)))
    assert mape(on_published_grid(null)) == pytest.approx(ERROR["textbook"]["grid_mape"], abs=5e-4)


def test_the_band_covers_as_it_says() -> None:
    low, high = band(required_bytes_per_s(P, C, U, blocking(H)))
    exact = AT_LEAST == 0
    inside = (low <= W * GBPS) & (high >= W * GBPS)
    assert 0.8 <= inside[exact].mean() <= 0.95


@pytest.mark.skipif("GIGAWATT_TRUTH" not in os.environ, reason="needs the fact tables")
@pytest.mark.truth
def test_the_packaged_table_is_the_collected_one() -> None:
    with (Path(os.environ["GIGAWATT_TRUTH"]) / "facts" / "scale_across.csv").open(encoding="utf-8") as lines:
        collected = [row["value"] for row in csv.DictReader(lines) if "2503.09799" in row["source"]]
    assert [row["gigabits_per_s"] + "+" * int(row["at_least"]) for row in ROWS] == collected


@pytest.mark.parametrize(
    ("ideal", "slow", "terabytes", "streamed_terabytes", "streamed_hours"),
    [(0.67, 109, 441, 1.1, 0.88), (2.7, 438, 1767, 4.42, 3.5), (6.75, 1097, 4418, 11.05, 8.75)],
)
def test_table_1_of_2501_18512(
    ideal: float, slow: float, terabytes: float, streamed_terabytes: float, streamed_hours: float
) -> None:
    """Streaming DiLoCo in 4 bits: 400 times fewer bytes; hours at 1 Gb/s without its overlap are 7 to 8 % too long."""
    ratio = float(bytes_per_step(1e9, Method()) / bytes_per_step(1e9, streaming(100, 3, 5, bits=4)))
    assert ratio == 400
    assert terabytes / ratio == pytest.approx(streamed_terabytes, rel=0.005)
    assert float(streaming_hours(ideal, terabytes)) == pytest.approx(slow, rel=0.01)
    assert 1.05 < float(streaming_hours(ideal, streamed_terabytes)) / streamed_hours < 1.10


def test_the_grid() -> None:
    low, high = on_published_grid([1.0, 1e14]) / GBPS
    assert (low, high) == (pytest.approx(0.1), pytest.approx(1000.0))
    points = np.unique(on_published_grid(np.geomspace(0.1, 1000, 5000) * GBPS))
    assert len(points) == 50
    assert points[1:] / points[:-1] == pytest.approx(np.full(49, 10 ** (4 / 49)))
    assert on_published_grid(points) == pytest.approx(points)
    # Published values are points of it, to the decimal they are printed with (2.947 as 3.0).
    nearest = points[np.argmin(np.abs(points[:, None] / GBPS - W), axis=0)] / GBPS
    assert nearest == pytest.approx(W, abs=0.055)


methods = st.one_of(
    st.builds(blocking, st.sampled_from([1.0, 10.0, 300.0]), bits=st.sampled_from([4.0, 16.0])),
    st.builds(streaming, st.just(100.0), st.sampled_from([1.0, 4.0]), st.floats(0, 10)),
)
sizes, steps = st.floats(1e8, 1e13), st.floats(0.1, 60)


@given(sizes, steps, st.floats(0.05, 0.995), methods, st.floats(0, 0.2))
@settings(max_examples=80, deadline=None)
def test_inverses(p: float, c: float, u: float, method: Method, latency: float) -> None:
    need = required_bytes_per_s(p, c, u, method, latency_s=latency)
    if not np.isfinite(need):
        assert float(largest_latency_s(p, c, u, 1e30, method)) <= latency * (1 + 1e-9)
        return
    assert float(utilisation(p, c, need, method, latency_s=latency)) == pytest.approx(u, rel=1e-9)
    assert float(largest_latency_s(p, c, u, need, method)) == pytest.approx(latency, abs=1e-9 * c * 300)
    assert float(required_bytes_per_s(p, c, min(1.0, u * 1.01), method, latency_s=latency)) >= float(need)


@given(sizes, steps, st.floats(0.5, 0.99), st.floats(1e8, 1e13), st.floats(0, 0.5))
@settings(max_examples=80, deadline=None)
def test_the_smallest_period_reaches_the_target_and_one_less_does_not(
    p: float, c: float, target: float, w: float, latency: float
) -> None:
    h = float(smallest_sync_every(p, c, target, w, blocking(), latency_s=latency))
    assert h == round(h) >= 1
    assert float(utilisation(p, c, w, blocking(h), latency_s=latency)) >= target * (1 - 1e-9)
    if h > 1:
        assert float(utilisation(p, c, w, blocking(h - 1), latency_s=latency)) < target * (1 + 1e-9)


def test_the_largest_distance_is_where_sites_that_far_reach_the_target() -> None:
    km = float(largest_distance_km(1e9, 1.0, 0.9, 1e11, blocking(), hops=2))
    two = connect(["a", "b"], km, 1e11)
    latency = exchanges(two, ["ring"])[0].latency_s
    assert float(utilisation(1e9, 1.0, 1e11, blocking(), latency_s=latency)) == pytest.approx(0.9)
    assert float(largest_distance_km(1e12, 1.0, 0.9, 1e9, blocking())) < 0


def test_limits() -> None:
    """Data parallel is the synchronous step; decoupled waits for nothing at its mean rate; fragments cut the peak."""
    two = connect(["a", "b"], 800.0, 1e11)
    step = synchronous_step(3.0, 4e11, two, efficiency=Known(1, 1, 1), overlap=0.0, algorithms=["ring"])
    alone = utilisation(4e11, 3.0, 1e11, Method(), latency_s=step.latency_s)
    assert step.utilisation == pytest.approx(alone)
    free = decoupled(50)
    mean = float(bytes_per_step(12e9, free)) / 2.0
    assert float(peak_bytes_per_s(12e9, 2.0, free)) == pytest.approx(mean)
    assert float(utilisation(12e9, 2.0, mean, free)) == 1.0
    whole, parts = (float(peak_bytes_per_s(1e9, 1.0, streaming(100, f, 1.0))) for f in (1, 8))
    assert whole / parts == pytest.approx(8)
    assert float(smallest_sync_every(1e12, 1.0, 1.0, 1e9, blocking())) == np.inf


def test_mistakes() -> None:
    with pytest.raises(InputError, match=r"90 % is 0.9"):
        required_bytes_per_s(1e9, 1.0, 90, blocking())
    with pytest.raises(InputError) as error:
        Method(sync_every=0, fragments=0, bits=0, k=0)
    assert len(error.value.problems) == 4
    with pytest.raises(InputError, match=r"at most sync_every / fragments"):
        streaming(100, 50, 5.0)
    with pytest.raises(InputError, match="bytes_per_s must be above 0"):
        utilisation(1e9, 1.0, 0.0, blocking())

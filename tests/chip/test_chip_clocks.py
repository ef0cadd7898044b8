"""Caps and locked clocks: laws, published sweeps, locks and sister chips, plateaus and the parts of a node."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import Chip, box_from_record, box_watts, calibration, chip_from_record, chip_watts
from gigawatt.physics.chip.clocks import (
    cap_exponent,
    capped_seconds,
    clock_for,
    locked,
    sustained_share,
    switching,
)
from gigawatt.physics.chip.node import node_of
from gigawatt.physics.chip.plateaus import plateau, plateaus

CATALOG = Catalog.load()
share = st.floats(0, 1)
chips = st.sampled_from(["a100-sxm-80gb", "h100-sxm", "b200-sxm", "gb300", "mi355x", "tpu7x"])
EXACT = 1e-9


def chip(name: str) -> Chip:
    return chip_from_record(CATALOG.get("accelerator", name))


@settings(max_examples=200, deadline=None)
@given(name=chips, draw=share, cap=st.floats(0.3, 1), less=share, bound=share)
def test_a_lower_cap_is_never_faster_and_never_draws_more(
    name: str, draw: float, cap: float, less: float, bound: float
) -> None:
    c = chip(name)
    watts = c.idle_w + draw * (c.tdp_w - c.idle_w)
    high = cap * c.tdp_w
    low = high - less * (high - 0.3 * c.tdp_w)
    found = capped_seconds(c, 1.0, watts, [high, low], bound)
    assert found.seconds[1] >= found.seconds[0] - EXACT >= 1.0 - 2 * EXACT
    assert found.watts[1] <= found.watts[0] + EXACT <= watts + 2 * EXACT
    assert bool(np.all(found.watts <= np.array([high, low]) + EXACT))


@settings(max_examples=200, deadline=None)
@given(name=chips, draw=share, cap=st.floats(0.3, 1), bound=share)
def test_a_cap_that_binds_is_met_and_one_that_does_not_changes_nothing(
    name: str, draw: float, cap: float, bound: float
) -> None:
    c = chip(name)
    watts, cap_w = c.idle_w + draw * (c.tdp_w - c.idle_w), cap * c.tdp_w
    found = capped_seconds(c, 1.0, watts, cap_w, bound)
    if watts <= cap_w:
        assert (float(found.seconds), float(found.watts), float(found.clock)) == (1.0, watts, 1.0)
    else:
        assert found.watts == pytest.approx(cap_w)
        assert found.clock < 1.0


@settings(max_examples=200, deadline=None)
@given(name=chips, draw=share, cap=st.floats(0.3, 1))
def test_memory_bound_work_under_a_cap_is_as_fast_and_never_costs_more(name: str, draw: float, cap: float) -> None:
    c = chip(name)
    watts = c.idle_w + draw * (c.tdp_w - c.idle_w)
    found = capped_seconds(c, 1.0, watts, cap * c.tdp_w, 0.0)
    assume(found.paused == 0.0)  # deeper caps than the lowest clock can hold cost joules, as they do on real cards
    assert found.seconds == pytest.approx(1.0)
    assert found.joules <= watts + EXACT


@settings(max_examples=150, deadline=None)
@given(name=chips, draw=share, clock=st.floats(0.2, 1.2), bound=share)
def test_a_lock_saves_watts_and_slows_only_what_follows_the_clock(
    name: str, draw: float, clock: float, bound: float
) -> None:
    c = chip(name)
    watts = c.idle_w + draw * (c.tdp_w - c.idle_w)
    found = locked(c, 1.0, watts, clock, [0.0, bound])
    assert bool(np.all(found.watts <= watts + EXACT))
    assert found.seconds[0] == pytest.approx(1.0)
    assert found.seconds[1] == pytest.approx(1 - bound + bound / min(clock, 1.0))


@given(r=st.floats(0, 1), s=st.floats(0, 1))
def test_the_clock_for_a_share_of_switching_inverts_it(r: float, s: float) -> None:
    assert float(clock_for(switching(r))) == pytest.approx(r, abs=2e-4)
    assert (switching(r) <= switching(s)) == (r <= s)


def test_caps_and_clocks_that_nothing_can_hold_are_refused() -> None:
    c = chip("h100-sxm")
    with pytest.raises(InputError, match="lowest it can hold"):
        capped_seconds(c, 1.0, 600.0, 100.0)
    with pytest.raises(InputError, match="lowest that can be locked"):
        locked(c, 1.0, 600.0, 0.05, 1.0)


def test_compute_bound_work_slows_within_the_prior() -> None:
    for name in ("a100-sxm-80gb", "h100-sxm", "b200-sxm", "gb300"):
        for low in (0.7, 0.8, 0.9):
            assert 0.4 <= cap_exponent(chip(name), 1.0, low, 1.0) <= 0.6
        assert cap_exponent(chip(name), 0.0, 0.7, 1.0) == 0.0


def test_published_cap_sweeps() -> None:
    """Speed from draw alone: prefill within 3 % (cap^0.5 and unchanged speed do worse), decode within 16 %."""
    errors: dict[str, list[float]] = {"prefill": [], "decode": [], "prefill root": [], "prefill unchanged": []}
    for sweep in calibration.table("chip-clocks", "sweeps"):
        draw, speed = np.array(sweep["points"], dtype=float).T[:2]
        top = int(np.argmax(draw))
        limit_w, idle_w = float(sweep["card"]["limit_w"]), float(sweep["card"]["idle_w"])
        card = Chip(sweep["card"]["name"], "", "", "", {}, 1.0, 1.0, 0.0, 1, 0.0, limit_w, idle_w)
        others = np.arange(len(draw)) != top
        model = 1.0 / capped_seconds(card, 1.0, draw[top], draw, sweep["bound"]).seconds
        measured = speed / speed[top]

        def off(predicted: np.ndarray, others: np.ndarray = others, measured: np.ndarray = measured) -> float:
            return float(np.mean(np.abs(predicted / measured - 1)[others]))

        kind = "prefill" if "prefill" in sweep["name"] else "decode"
        errors[kind].append(off(model))
        if kind == "prefill":
            errors["prefill root"].append(off(np.sqrt(draw / draw[top])))
            errors["prefill unchanged"].append(off(np.ones_like(draw)))
    assert max(errors["prefill"]) < 0.03
    assert np.mean(errors["prefill"]) < np.mean(errors["prefill root"]) < np.mean(errors["prefill unchanged"])
    assert max(errors["decode"]) < 0.16


def test_published_clock_locks() -> None:
    """Energy of the same work at a lower clock: 0.58 to 0.82 predicted where 0.63 to 0.85 was published."""
    off = []
    for row in calibration.table("chip-clocks", "locks"):
        card = Chip(row["name"], "", "", "", {}, 1.0, 1.0, 0.0, 1, 0.0, 2 * row["base_w"], row["idle_w"])
        found = locked(card, 1.0, row["base_w"], row["clock"], row["bound"])
        assert float(found.seconds) == pytest.approx(row["slower"], abs=0.06)
        off.append(float(found.joules) / row["base_w"] / row["energy"] - 1)
    assert np.mean(np.abs(off)) < 0.13
    assert abs(np.median(off)) < 0.06


def test_sister_chips_at_other_limits_and_half_of_the_fp4_peak() -> None:
    """Speed of products at 1,100 to 1,400 W over B200's: 3 % in the mean, where unchanged speed is 10 % off."""
    b200 = chip("b200-sxm")
    shares = {p: sustained_share(b200, p) for p in ("bf16", "fp8", "fp4")}
    off, unchanged = [], []
    for row in calibration.table("chip-clocks", "siblings"):
        for precision, own in shares.items():
            faster = sustained_share(replace(b200, tdp_w=float(row["cap_w"])), precision) / own
            off.append(abs(faster / row[precision] - 1))
            unchanged.append(abs(1 / row[precision] - 1))
    assert np.mean(off) < 0.035 < np.mean(unchanged)
    # The calibration has B200; GB200 at 1,200 W reaches 0.497 of its own fp4 peak at best
    # (published kernel tables; its 95th percentile, which is what the calibration speaks of, is not published).
    assert 0.45 < shares["fp4"] < 0.55
    assert sustained_share(chip("gb200"), "fp4") == pytest.approx(0.497, rel=0.06)
    assert shares["bf16"] > shares["fp8"] > shares["fp4"]
    assert sustained_share(b200, "fp4", 700.0) < shares["fp4"]
    assert sustained_share(chip("mi300x"), "bf16") == calibration.parameters("chip-clocks")["kernel_ceiling"]


@settings(max_examples=60, deadline=None)
@given(name=chips, precision=st.sampled_from(["bf16", "fp8", "fp4"]))
def test_plateaus_are_in_order_and_inside_the_limit(name: str, precision: str) -> None:
    c = chip(name)
    found = {p.name: p for p in plateaus(c, precision)}
    for p in found.values():
        assert 0.5 * c.idle_w <= p.low <= p.watts <= p.high <= c.tdp_w
        assert p.source
    order = ("idle", "waiting", "messages", "decode-attention", "products")
    watts = [found[name].watts for name in order]
    assert watts == sorted(watts)


def test_a_plateau_is_measured_or_borrowed_with_a_wider_band() -> None:
    own, lent = plateau(chip("b200-sxm"), "products", "fp4"), plateau(chip("mi355x"), "products", "fp4")
    assert (own.measured_on, own.precision) == ("b200-sxm", "fp4")
    assert own.watts == pytest.approx(979)
    assert lent.measured_on == "b200-sxm"
    assert lent.high / lent.low > own.high / own.low
    with pytest.raises(InputError, match="decode"):
        plateau(chip("b200-sxm"), "decod")


def test_waiting_for_messages_lowers_a_chip_and_its_node() -> None:
    c = chip("h100-sxm")
    watts = chip_watts(c, 0.4, 0.5, comm_share=[0.0, 0.3, 0.6, 1.0])
    assert bool(np.all(np.diff(watts) < 0))
    assert watts[0] == float(chip_watts(c, 0.4, 0.5))
    # 64 nodes on a model that one node trains: 5,086 W, where one node draws 6,951 W, both without fans.
    node = node_of(
        box_from_record(CATALOG.get("platform", "hgx-h100"), CATALOG.get("accelerator", "h100-sxm")), fans=False
    )
    total = box_watts(node, watts).total_w
    assert total[0] == pytest.approx(6951, rel=0.03)
    assert total[3] < 5086 < total[1]


@settings(max_examples=60, deadline=None)
@given(watts=st.floats(50, 700), load=share, fans=st.booleans())
def test_parts_of_a_node_sum_to_its_input_and_nodes_to_their_rack(watts: float, load: float, fans: bool) -> None:
    rack = box_from_record(CATALOG.get("platform", "hgx-h100"), CATALOG.get("accelerator", "h100-sxm"))
    node = box_watts(node_of(rack, fans), watts, load)
    assert sum(float(part) for part in node.parts.values()) == pytest.approx(float(node.total_w), rel=1e-12)
    assert sum(float(part) for part in node.shares.values()) == pytest.approx(1.0, rel=1e-12)
    if fans:
        whole = float(box_watts(rack, watts, load).total_w)
        assert float(node.total_w) * rack.chips / rack.chips_per_node == pytest.approx(whole, rel=1e-12)
    else:
        assert float(node.fan_w) == 0.0

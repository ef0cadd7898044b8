"""Watts by phase: bounds, monotony, joules that add up, and curves met at measured points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import capped, chip_from_record
from gigawatt.physics.serving import Load, Spec, deploy, frontier, steady_state
from gigawatt.physics.serving.power import (
    PHASES,
    Phases,
    anchored,
    constants_of,
    joules_of_tokens,
    phase_watts,
    phases_of,
    prefilling,
)
from gigawatt.physics.workload import from_config

CATALOG = Catalog.load()
CHIPS = {
    name: chip_from_record(CATALOG.get("accelerator", name))
    for name in ("h100-sxm", "b200-sxm", "gb200", "mi300x", "gb300")
}
LLAMA = from_config("llama3-70b", CATALOG.get("model", "llama3-70b").config)
share = st.floats(0.0, 1.0)


def phases(times, compute=0.0, memory=0.0):
    return Phases(*(np.array([t]) for t in times), np.array([compute]), np.array([memory]))


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(CHIPS)),
    times=st.lists(st.floats(1e-6, 1.0), min_size=7, max_size=7),
    compute=share,
    memory=share,
    cap=st.floats(0.4, 1.0),
)
def test_watts_lie_between_idle_and_the_limit_and_a_cap_never_adds(name, times, compute, memory, cap):
    chip = CHIPS[name]
    full, less = (float(phase_watts(chip, phases(times, compute, memory), m)[0]) for m in (None, capped(cap)))
    assert min(chip.idle_w, cap * chip.tdp_w) - 1e-9 <= less <= full + 1e-9 <= chip.tdp_w + 2e-9
    busier = float(phase_watts(chip, phases(times, min(compute + 0.1, 1.0), memory))[0])
    assert busier >= full - 1e-9


@pytest.mark.parametrize("name", ["h100-sxm", "b200-sxm"])
def test_a_waiting_chip_draws_less_than_one_that_computes(name):
    found = constants_of(CHIPS[name])
    only = {p: [1e-6 if q != p else 1.0 for q in PHASES] for p in PHASES}
    watts = {p: float(phase_watts(CHIPS[name], phases(times))[0]) for p, times in only.items()}
    assert found.nearness == "measured"
    assert max(watts["wait"], watts["launches"]) < min(watts["dense"], watts["experts"], watts["prompts"])


def test_chips_without_measurements_take_their_kin_and_say_so():
    found = constants_of(CHIPS["mi300x"])
    assert found.nearness == "kin" and found.low < 0.8 and found.note


def test_more_sequences_draw_more_and_a_token_costs_less():
    specs = [Spec(LLAMA, CHIPS["h100-sxm"], 4, engine="vllm", precision="bf16")] * 4
    d = deploy(specs)
    state = steady_state(d, Load.of(200.0, 400.0, np.array([4.0, 16.0, 64.0, 256.0])))
    made = phases_of(state.parts, state.tpot_s - state.step_s, d.chip.bf16_flops, d.chip.memory_bytes_per_s)
    watts = phase_watts(CHIPS["h100-sxm"], made)
    assert np.all(np.diff(watts) > 0.0)
    rate = state.requests_per_s / d.gpus
    each_in, each_out = joules_of_tokens(CHIPS["h100-sxm"], made, rate * 200.0, rate * 400.0)
    assert np.allclose(each_in * rate * 200.0 + each_out * rate * 400.0, watts)
    assert np.all(np.diff(each_out) < 0.0)


def test_a_prefill_pool_draws_more_at_more_load():
    watts = [
        float(phase_watts(CHIPS["b200-sxm"], prefilling(load, np.array([0.3 * load])))[0]) for load in (0.2, 0.5, 0.9)
    ]
    assert watts[0] < watts[1] < watts[2]


def test_points_of_the_frontier_draw_watts_of_their_phases():
    found = frontier(
        LLAMA,
        CHIPS["h100-sxm"],
        input_tokens=500.0,
        output_tokens=200.0,
        tpot_s=0.05,
        engine="vllm",
        disaggregate=False,
    )
    assert len(found) and np.all(found.chip_w > CHIPS["h100-sxm"].idle_w) and np.all(found.chip_w <= 700.0)
    assert np.all(np.diff(found.tokens_out_per_s_per_chip) > 0) and np.all(np.diff(found.chip_w) > 0)


@settings(deadline=None)
@given(
    watts=st.lists(st.floats(50.0, 1200.0), min_size=2, max_size=5),
    off=st.lists(st.floats(0.5, 2.0), min_size=5, max_size=5),
    at=st.floats(1.0, 1e4),
)
def test_a_curve_meets_its_anchors_and_stays_between_their_factors(watts, off, at):
    batch = 2.0 ** np.arange(len(watts))
    factors = np.array(off[: len(watts)])
    curve = anchored(watts, np.array(watts) * factors, batch)
    assert np.allclose(curve.watts(watts, batch), np.array(watts) * factors)
    between = float(curve.watts(100.0, at)) / 100.0
    assert factors.min() - 1e-9 <= between <= factors.max() + 1e-9


def test_anchors_need_positive_watts():
    with pytest.raises(InputError):
        anchored([400.0], [0.0], [8.0])
    with pytest.raises(InputError):
        anchored([400.0, 500.0], [400.0], [8.0])


def test_phases_keep_their_shape_when_rows_are_taken():
    made = replace(prefilling(0.5, np.array([0.1, 0.2, 0.3])))
    assert made.take(np.array([2, 0])).compute_util.tolist() == [0.3, 0.1]


def test_where_memory_binds_a_sibling_draws_by_its_bandwidth_and_where_arithmetic_does_by_its_limit():
    """Kernel tables: products of one row draw 668 W on B200 and 689 W on GB200; of thousands of rows, each its limit."""
    b200, gb200 = CHIPS["b200-sxm"], CHIPS["gb200"]

    def both(phase):
        times = [1e-6 if name != phase else 1.0 for name in PHASES]
        return [float(phase_watts(chip, phases(times))[0]) for chip in (b200, gb200)]

    small, large = both("dense"), both("prompts")
    assert small[1] / small[0] == pytest.approx(689 / 668, rel=0.08)
    assert large[1] / large[0] == pytest.approx(1200 / 1000, rel=0.02)

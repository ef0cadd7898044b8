"""The search: equal to the plain model, honest about what fell out, and never worse for more freedom."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_models import DEEPSEEK_V3, LLAMA_405B, chip, gpt

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible, InputError
from gigawatt.physics.chip import PowerMode, box_from_record
from gigawatt.physics.training import (
    Limits,
    Mapping,
    Space,
    Weights,
    best_mapping,
    enumerate_mappings,
    evaluate,
    memory_of,
    shape_of,
)
from gigawatt.physics.training.calibration import coefficients, load_calibration
from gigawatt.physics.training.columns import machine_of
from gigawatt.physics.training.releases import context_of, release_of
from gigawatt.physics.training.search.best import FULL
from gigawatt.physics.training.search.bulk import Settings, chips_of, evaluated, messages_in
from gigawatt.physics.training.search.front import undominated
from gigawatt.physics.training.search.plain import sums_of
from gigawatt.physics.training.search.space import MEMORY_SHARE
from gigawatt.physics.training.step.offload import usual_host
from gigawatt.physics.training.step.power import phase_watts
from gigawatt.physics.training.step.sites import Between

H100, GB300 = chip("h100-sxm"), chip("gb300")
SMALL = gpt(24, 2048, 16)
SPACES = {"usual": Space(), "wide": Space.wide()}


def every_cell(arch, precision: str, space: Space, *, chips: int, seq: int, batch: int, layouts: int = 0):
    """Blocks of the whole space (or of some layouts of it), timed whether they fit the memory or not."""
    shape = shape_of(arch)
    found = enumerate_mappings(shape, chips=chips, seq=seq, global_batch=batch, scaleup_domain=8, space=space)
    fit = load_calibration()
    software = fit.stack("megatron-tuned")
    machine = machine_of(H100, precision, host=usual_host(H100))
    context, plain = context_of(arch.name, shape, H100, precision, software, release_of())
    c = coefficients([context], fit.parameters)
    distinct = Settings.of(found, found.grids)
    run = chips_of(
        shape,
        H100,
        precision,
        machine,
        c,
        FULL,
        distinct,
        messages_in(shape, machine.network, distinct, plain, sums_of(software, precision, None)),
    )
    random = np.random.default_rng(1)
    picked = list(found.grids)
    if layouts:  # some layouts of some grids, all their knobs
        picked = [picked[i] for i in random.permutation(len(picked))[:12]]
        picked = [grid.take(random.integers(0, grid.shape[-1], min(layouts, grid.shape[-1]))) for grid in picked]
    return evaluated(run, picked, flash=1.0, room_bytes=np.inf, job_chips=chips)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("arch", [LLAMA_405B, DEEPSEEK_V3], ids=["dense", "mixture"])
def test_every_cell_equals_the_plain_model(arch, space) -> None:
    """Seconds, bytes and joules of random cells of every block against `evaluate` of the same mappings, one by one."""
    random = np.random.default_rng(3)
    seen = 0
    for part in every_cell(arch, "8", SPACES[space], chips=256, seq=8192, batch=256, layouts=3):
        cells = random.integers(0, np.prod(part.block.shape), 40)
        at = np.unravel_index(cells, part.block.shape)
        mapping = part.block.rows(cells)
        plain = evaluate(arch, H100, mapping, "fp8", stack="megatron-tuned")
        watts = phase_watts(H100, plain, FULL).mean_w
        for bulk, alone in (
            (part.step_s, plain.step_s),
            (part.memory_bytes, memory_of(shape_of(arch), mapping).total_bytes),
            (part.chip_w, watts),
            (
                part.joules,
                plain.step_s * (mapping.chips * watts + (256 - mapping.chips) * H100.idle_w),
            ),
            *((getattr(part.steps, f.name), getattr(plain, f.name)) for f in fields(plain)),
        ):
            np.testing.assert_allclose(np.broadcast_to(bulk, part.block.shape)[at], alone, rtol=1e-12, atol=1e-15)
        seen += 1
    assert seen > 1


@pytest.mark.parametrize("chips", [1000, 1024, 10_007])
def test_every_candidate_divides(chips) -> None:
    space = Space(ep=(1.0, 8.0), schedule=(0.0, 1.0, 2.0), sharding=(0.0, 1.0, 3.0), shard_ranks=(0.0, 8.0))
    found = enumerate_mappings(
        shape_of(DEEPSEEK_V3), chips=chips, seq=4096, global_batch=960, scaleup_domain=8, space=space
    )
    m = found.mapping
    assert m.tp.size == len(found) > 0
    assert np.all(m.tp * m.pp * m.dp * m.cp == m.chips)
    assert np.all(m.chips <= chips)
    assert np.all(np.mod(960, m.dp * m.micro_batch) == 0)
    assert np.all(np.mod(m.tp * m.dp * m.cp, m.ep) == 0)
    batches = 960 / (m.dp * m.micro_batch)
    assert np.all((m.vpp == 1) | ((np.mod(batches, m.pp) == 0) & (m.schedule == 1)))
    assert np.all((m.pp == 1) | (m.sharding < 3))
    assert np.all((m.shard_ranks == 0) | (np.mod(m.dp * m.cp, np.maximum(m.shard_ranks, 1)) == 0))
    rows = np.stack([np.asarray(getattr(m, f.name)) for f in fields(Mapping)])
    assert np.unique(rows, axis=1).shape == rows.shape, "no mapping is tried twice"
    assert found.enumerated == len(found) + sum(r.count for r in found.rejected)


def test_llama_405b_on_sixteen_thousand() -> None:
    found = best_mapping(
        LLAMA_405B,
        H100,
        chips=16384,
        seq=8192,
        global_batch=2048,
        precisions=("bf16", "fp8"),
        modes=(PowerMode("full", 1, 1),),
    )
    bf16 = found.precision == "bf16"
    # arXiv 2407.21783 sec 3.3: 38-43 % of the BF16 peak at 8-16 thousand chips
    assert 0.36 < found.mfu[bf16].max() < 0.50
    assert found.tokens_per_s_per_chip[~bf16].max() > found.tokens_per_s_per_chip[bf16].max()
    assert np.all(found.memory_bytes <= 80e9)
    assert np.all((found.chip_w > 300) & (found.chip_w <= 700))
    assert np.all((found.low < 1) & (found.high > 1))
    assert any("memory" in r.reason and "GB" in r.nearest_fix for r in found.rejected)
    assert "TP" in found.mapping[found.best]


def test_power_mode_trades_speed_for_watts() -> None:
    modes = (PowerMode("full", 1.0, 1.0), PowerMode("low", 0.7, 0.85, 1.0))
    found = best_mapping(LLAMA_405B, GB300, chips=512, seq=8192, global_batch=1152, precisions=("mxfp8",), modes=modes)
    fast = {mode: found.tokens_per_s_per_chip[found.mode == mode].max() for mode in ("full", "low")}
    watts = {mode: found.chip_w[found.mode == mode].max() for mode in ("full", "low")}
    assert 0.8 * fast["full"] < fast["low"] < fast["full"]
    assert watts["low"] <= 0.7 * GB300.tdp_w + 1e-6 < watts["full"]


def test_points_tell_the_layout_the_step_and_the_memory() -> None:
    catalog = Catalog.load()
    rack = catalog.get("platform", "hgx-h200")
    box = box_from_record(rack, catalog.get("accelerator", rack.accelerator))
    found = best_mapping(SMALL, box, chips=16, seq=2048, global_batch=64)
    assert len(found) == found.layout.tp.size == found.times.step_s.size
    again = evaluate(SMALL, box.chip, found.layout)
    np.testing.assert_allclose(again.step_s, found.step_s, rtol=1e-12)
    np.testing.assert_allclose(memory_of(shape_of(SMALL), found.layout).total_bytes, found.memory_bytes, rtol=1e-12)
    watts = found.chip_w * found.chips_used / 16 + box.chip.idle_w * found.idle_chips / 16
    np.testing.assert_allclose(found.chip_joules_per_token, watts / found.tokens_per_s_per_chip, rtol=1e-12)
    assert np.all(found.node_w > 1.05 * found.chip_w)
    assert np.all(found.node_joules_per_token > 1.05 * found.chip_joules_per_token)
    assert found.table().as_json() and found.timed > len(found)


@pytest.mark.parametrize("space", SPACES)
def test_the_front_is_not_dominated(space) -> None:
    """No cell of the space that fits beats a kept point on seconds, joules and memory at once; the fastest is kept."""
    kept = best_mapping(SMALL, H100, chips=8, seq=4096, global_batch=16, space=SPACES[space])
    parts = every_cell(SMALL, "16", SPACES[space], chips=8, seq=4096, batch=16)
    fastest = np.inf
    kept_joules = kept.chip_joules_per_token * 16 * 4096
    for part in parts:
        shape = part.block.shape
        step, joules, memory = (
            np.broadcast_to(x, shape).ravel() for x in (part.step_s, part.joules, part.memory_bytes)
        )
        fits = memory <= MEMORY_SHARE * H100.memory_bytes
        if np.any(fits):
            fastest = min(fastest, float(step[fits].min()))
        for t, j, b in zip(kept.step_s, kept_joules, kept.memory_bytes, strict=True):
            less = 1 - 1e-9
            assert not np.any(fits & (step < less * t) & (joules < less * j) & (memory < less * b))
    assert kept.step_s.min() == pytest.approx(fastest, rel=1e-12)


@given(st.lists(st.tuples(*(st.integers(0, 5),) * 3), min_size=1, max_size=30))
def test_undominated_is_what_pairwise_comparison_leaves(rows) -> None:
    t, j, m = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    kept = set(undominated(t, j, m.astype(np.intp)).tolist())
    points = list(zip(t, j, m, strict=True))
    front = {p for p in points if not any(all(a <= b for a, b in zip(q, p, strict=True)) and q != p for q in points)}
    assert {points[i] for i in kept} == front
    assert len(kept) == len(front), "equal rows are kept once"


def fastest_of(**asked) -> float:
    job = {"chips": 32, "seq": 4096, "global_batch": 64} | asked
    device = job.pop("device", H100)
    found = best_mapping(SMALL, device, **job)
    return float(found.step_s.min(initial=np.inf))


@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from([(1.0,), (1.0, 2.0), (2.0, 8.0), ()]),
    st.sampled_from([(1.0,), (2.0, 4.0), ()]),
    st.sampled_from([(0.0,), (0.0, 1.0), (0.5, 1.0)]),
    st.floats(0.02, 0.9),
    st.floats(1.0, 3.0),
)
def test_more_freedom_is_never_slower(tp, pp, recompute, memory_share, more) -> None:
    narrow = Space(tp=tp, pp=pp, recompute=recompute)
    limits = Limits(max_memory_share=memory_share)
    base = fastest_of(space=narrow, limits=limits)
    wider = replace(narrow, tp=(), recompute=(0.0, *recompute, 0.25, 1.0), sharding=(0.0, 1.0, 2.0, 3.0))
    assert fastest_of(space=wider, limits=limits) <= base
    assert fastest_of(space=narrow, limits=Limits(max_memory_share=min(more * memory_share, 1.0))) <= base
    larger = replace(H100, memory_bytes=more * H100.memory_bytes)
    assert fastest_of(space=narrow, limits=limits, device=larger) <= base
    quicker = replace(
        H100, nic_bytes_per_s=more * H100.nic_bytes_per_s, scaleup_bytes_per_s=more * H100.scaleup_bytes_per_s
    )
    assert fastest_of(space=narrow, limits=limits, device=quicker) <= base * (1 + 1e-12)
    assert fastest_of(space=narrow, limits=limits) == base, "the same question has the same answer"


def test_limits_are_kept_and_told() -> None:
    free = best_mapping(LLAMA_405B, GB300, chips=512, seq=8192, global_batch=1152)
    at = free.best
    watts = best_mapping(
        LLAMA_405B, GB300, chips=512, seq=8192, global_batch=1152, limits=Limits(max_chip_w=0.97 * free.chip_w[at])
    )
    assert len(watts) and np.all(watts.chip_w <= 0.97 * free.chip_w[at])
    assert any("watts" in r.reason and r.count for r in watts.rejected)
    slow = Limits(max_step_s=0.5 * free.step_s[at])
    none = best_mapping(LLAMA_405B, GB300, chips=512, seq=8192, global_batch=1152, limits=slow)
    assert not len(none)
    assert f"{free.step_s[at]:.4g}" in next(r.nearest_fix for r in none.rejected if "seconds" in r.reason)
    hidden = Limits(max_exposed_share=0.5 * free.exposed_comm_share[at])
    quiet = best_mapping(LLAMA_405B, GB300, chips=512, seq=8192, global_batch=1152, limits=hidden)
    assert np.all(quiet.exposed_comm_share <= 0.5 * free.exposed_comm_share[at] * (1 + 1e-12))
    tokens = Limits(min_tokens_per_s=0.9 * 512 * free.tokens_per_s_per_chip[at])
    assert np.all(
        best_mapping(LLAMA_405B, GB300, chips=512, seq=8192, global_batch=1152, limits=tokens).tokens_per_s_per_chip
        >= 0.9 * free.tokens_per_s_per_chip[at]
    )


def test_weights_decide_what_is_best() -> None:
    modes = (PowerMode("full", 1.0, 1.0), PowerMode("low", 0.7, 0.85, 1.0))
    asked = {"chips": 512, "seq": 8192, "global_batch": 1152, "modes": modes}
    fast = best_mapping(LLAMA_405B, GB300, **asked)
    frugal = best_mapping(LLAMA_405B, GB300, **asked, weights=Weights(0.0, 1.0))
    assert fast.mode[fast.best] == "full" and frugal.mode[frugal.best] == "low"
    assert frugal.chip_joules_per_token[frugal.best] < fast.chip_joules_per_token[fast.best]
    tokens = 1152 * 8192
    both = best_mapping(LLAMA_405B, GB300, **asked, weights=Weights(3.0, 0.01))
    cost = (3.0 * 512 * both.step_s + 0.01 * both.chip_joules_per_token * tokens) / tokens
    np.testing.assert_allclose(both.cost, cost, rtol=1e-12)


def test_odd_number_of_chips_leaves_some_idle() -> None:
    found = best_mapping(LLAMA_405B, H100, chips=10_007, seq=8192, global_batch=2048)
    best = found.best
    assert 0.5 * 10_007 < found.chips_used[best] <= 10_007
    assert found.idle_chips[best] == 10_007 - found.chips_used[best]
    assert f"{int(found.idle_chips[best]):,} chips idle" in found.mapping[best]
    (note,) = found.notes
    assert f"{int(found.idle_chips[best]):,} of 10,007 chips idle" in note and "a batch of" in note
    assert not best_mapping(SMALL, H100, chips=8, seq=2048, global_batch=64).notes
    rest = found.chip_w[best] * found.chips_used[best] + H100.idle_w * found.idle_chips[best]
    assert found.chip_joules_per_token[best] == pytest.approx(rest / (found.tokens_per_s_per_chip[best] * 10_007))


def test_nothing_fits_says_why_and_what_would() -> None:
    found = best_mapping(LLAMA_405B, H100, chips=8, seq=8192, global_batch=8)
    assert len(found) == 0
    with pytest.raises(Infeasible, match="no mapping") as caught:
        _ = found.best
    changes = {change.limit: change for change in caught.value.changes}
    enough = int(changes["chips"].needed)
    assert enough % 8 == 0
    asked = {"seq": 8192, "global_batch": 8}
    assert len(best_mapping(LLAMA_405B, H100, chips=enough, **asked))
    assert not len(best_mapping(LLAMA_405B, H100, chips=enough - 8, **asked))
    larger = replace(H100, memory_bytes=1.001e9 * changes["memory of a chip"].needed)
    assert len(best_mapping(LLAMA_405B, larger, chips=8, **asked))
    row = found.rejected[0]
    assert "memory" in row.reason and row.count and "GB more than" in row.nearest_fix
    assert found.rejected_table().as_json()


def test_a_chip_without_the_precision_is_told() -> None:
    found = best_mapping(SMALL, chip("a100-sxm-80gb"), chips=8, seq=2048, global_batch=64, precisions=("bf16", "fp8"))
    assert set(found.precision) == {"bf16"}
    assert any("fp8" in r.reason for r in found.rejected)
    none = best_mapping(SMALL, chip("a100-sxm-80gb"), chips=8, seq=2048, global_batch=64, precisions=("fp8", "nvfp4"))
    assert not len(none)
    with pytest.raises(Infeasible) as caught:
        _ = none.best
    assert any("nvfp4 peak" in text and "bf16" in text for text in caught.value.conflict)


def test_bad_input_is_all_told() -> None:
    with pytest.raises(InputError) as caught:
        best_mapping(
            LLAMA_405B, H100, chips=0, seq=0, global_batch=8, precisions=("bf61",), weights=Weights(-1.0),
            limits=Limits(max_memory_share=0.0), space=Space(recompute=(2.0,), tp=(1.5,)),
        )  # fmt: skip
    assert len(caught.value.problems) == 7
    assert "bf16" in str(caught.value)


@pytest.mark.parametrize(
    ("axes", "told"),
    [
        ({"tp": (7.0,)}, "nearest: 4 or 8"),
        ({"cp": (3.0,)}, "nearest: 2 or 4"),
        ({"ep": (8.0,)}, "no experts"),
        ({"pp": (200.0,)}, "nearest: 126"),
        ({"micro_batch": (5.0,)}, "nearest: 4 or 8"),
        ({"tp": (8.0,), "pp": (16.0,), "dp": (64.0,)}, "8,192 chips, or dp 8 at most"),
        ({"dp": (8.0,), "micro_batch": (512.0,)}, "does not divide"),
    ],
)
def test_indivisible_degrees_name_the_nearest(axes, told) -> None:
    with pytest.raises(InputError, match=told):
        best_mapping(LLAMA_405B, H100, chips=1024, seq=8192, global_batch=2048, space=Space(**axes))


def test_a_space_is_written_in_words() -> None:
    assert Space.of(schedule=["1f1b", "zb-h1"], tp=8).schedule == (1.0, 2.0)
    assert Space.of(Space.wide(), tp="8").tp == (8.0,)
    with pytest.raises(InputError) as caught:
        Space.of(schedule="1f1p", tpp=8, recompute=1.5, tp="many")
    text = str(caught.value)
    assert len(caught.value.problems) == 3 and "'1f1b'" in text and "'tp'" in text and "many" in text
    with pytest.raises(InputError, match="nearest: 1"):
        Space.of(recompute=1.5)


def test_memory_limit_is_kept() -> None:
    small = replace(H100, memory_bytes=40e9)
    found = best_mapping(LLAMA_405B, small, chips=16384, seq=8192, global_batch=2048)
    assert len(found) and np.all(found.memory_bytes <= 40e9)
    shape = shape_of(LLAMA_405B)
    few = enumerate_mappings(shape, chips=64, seq=8192, global_batch=64, scaleup_domain=8)
    assert float(memory_of(shape, few.mapping).total_bytes.max()) > 40e9


FIXED = {  # layers, width, heads, chips: all degrees said
    (96, 12288, 96, 512): {"tp": 8.0, "pp": 8.0, "vpp": 3.0, "micro_batch": 1.0},
    (80, 10240, 80, 1024): {"tp": 8.0, "pp": 8.0, "vpp": 5.0, "micro_batch": 1.0},
}


@pytest.mark.parametrize("model", FIXED)
def test_a_space_of_single_values_is_that_mapping(model) -> None:
    """What `validate` times one mapping at, a search that may try no other finds."""
    *sides, chips = model
    arch, a100 = gpt(*sides), chip("a100-sxm-80gb")
    fixed = Space.of(recompute=1.0, modules=0.0, sharding=1.0, **FIXED[model])
    found = best_mapping(arch, a100, chips=chips, seq=2048, global_batch=1536, space=fixed, stack="megatron-2021")
    assert len(found) == 1 and found.timed == 1
    dp = chips / (fixed.tp[0] * fixed.pp[0])
    one = Mapping(
        chips=chips, tp=8.0, pp=8.0, vpp=fixed.vpp[0], dp=dp, cp=1.0, ep=1.0, micro_batch=1.0, global_batch=1536.0,
        seq=2048.0, recompute=1.0,
    )  # fmt: skip
    assert found.step_s[0] == pytest.approx(
        np.ravel(evaluate(arch, a100, one, stack="megatron-2021").step_s)[0], rel=1e-12
    )


@pytest.mark.parametrize("precision", ["fp8", "fp8-current", "fp8-blockwise", "mxfp8", "nvfp4"])
def test_precisions_and_recipes_are_worked_out_as_they_stand(precision) -> None:
    low = chip("gb300")
    found = best_mapping(DEEPSEEK_V3, low, chips=256, seq=4096, global_batch=2048, precisions=(precision,))
    assert set(found.precision) == {precision}
    steps = evaluate(DEEPSEEK_V3, low, found.layout, precision)
    np.testing.assert_allclose(found.step_s, steps.step_s, rtol=1e-12)
    np.testing.assert_allclose(found.memory.total_bytes, found.memory_bytes, rtol=1e-12)
    assert np.all(found.memory_bytes <= MEMORY_SHARE * low.memory_bytes)


def test_adapters_need_less_memory_and_time() -> None:
    asked = {"chips": 16, "seq": 4096, "global_batch": 64}
    whole = best_mapping(LLAMA_405B, GB300, **asked, space=Space.wide())
    adapters = best_mapping(LLAMA_405B, GB300, **asked, lora=True)
    assert len(adapters) and np.all(adapters.layout.lora == 1.0)
    assert not len(whole) or adapters.step_s.min() < whole.step_s.min()


def test_sites_need_cables_and_cost_time() -> None:
    asked = {"chips": 1024, "seq": 8192, "global_batch": 1024}
    with pytest.raises(InputError, match="cables"):
        best_mapping(LLAMA_405B, GB300, **asked, sites=2)
    here = best_mapping(LLAMA_405B, GB300, **asked)
    cable = Between(fibre_km=100.0, bytes_per_s=100e9)
    apart = best_mapping(LLAMA_405B, GB300, **asked, sites=2, between=cable)
    seldom = best_mapping(LLAMA_405B, GB300, **asked, sites=2, between=cable, local_steps=20)
    assert here.step_s.min() < seldom.step_s.min() < apart.step_s.min()
    assert np.all(apart.times.site_s > 0) and np.all(np.mod(apart.layout.dp, 2) == 0)


def test_what_the_host_can_not_hold_is_left_out_and_told() -> None:
    asked = {"chips": 8, "seq": 2048, "global_batch": 32, "space": Space(offload_optimizer=(0.0, 1.0))}
    host = usual_host(H100)
    assert host is not None
    small = best_mapping(SMALL, H100, **asked, host=replace(host, memory_bytes=1e6))
    assert len(small) and np.all(small.layout.offload_optimizer == 0)
    assert any("host" in told.reason for told in small.rejected)
    assert not any("host" in told.reason for told in best_mapping(SMALL, H100, **asked).rejected)


def test_offload_without_a_host_is_left_out_and_told() -> None:
    alone = replace(H100, name="a chip of nobody's platform")
    asked = {"chips": 8, "seq": 2048, "global_batch": 64}
    found = best_mapping(SMALL, alone, **asked, space=Space(offload_optimizer=(0.0, 1.0)))
    assert len(found) and np.all(found.layout.offload_optimizer == 0)
    assert any("host's memory" in r.reason for r in found.rejected)
    with pytest.raises(InputError, match="offload_optimizer"):
        best_mapping(SMALL, alone, **asked, space=Space(offload_optimizer=(1.0,)))
    assert len(best_mapping(SMALL, H100, **asked, space=Space(offload_optimizer=(1.0,))))


def test_a_depth_is_split_with_its_ends_and_predictors_counted() -> None:
    """61 layers, a module that predicts a further token, embedding and head are 64: published runs take PP4 VP4."""
    deep = replace(shape_of(DEEPSEEK_V3), mtp_layers=1.0)
    asked = {"chips": 256, "seq": 4096, "global_batch": 4096, "scaleup_domain": 8.0}
    with_it, without = (enumerate_mappings(shape, **asked).mapping for shape in (deep, shape_of(DEEPSEEK_V3)))
    assert np.any((with_it.pp == 4) & (with_it.vpp == 4))
    assert not np.any((without.pp == 4) & (without.vpp == 4))
    assert np.all(with_it.pp * with_it.vpp <= 61)

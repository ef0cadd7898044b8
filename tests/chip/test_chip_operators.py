"""An operator table on a chip: sums, laws, experts as one kernel, energy, bands, anchors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import Chip, chip_from_record, kernel_seconds
from gigawatt.physics.chip.kernels import anchor_for, anchors
from gigawatt.physics.chip.operators import BOUNDS, Numerics, run_operators
from gigawatt.physics.workload import from_config, operators

CATALOG = Catalog.load()


def chip(name: str) -> Chip:
    return chip_from_record(CATALOG.get("accelerator", name))


def table(model: str, phase: Any, numerics: Numerics | None = None, **sizes: Any) -> Any:
    arch = from_config(model, CATALOG.get("model", model).config)
    return operators(arch, phase, widths=(numerics or Numerics()).widths(), **sizes)


def test_a_dense_step_is_the_sum_of_its_kernels() -> None:
    t = table("llama3-8b", "decode", batch=[32], past=2047)
    costs = run_operators(chip("h100-sxm"), t)
    at = {str(name): i for i, name in enumerate(t.name)}
    c = chip("h100-sxm")
    up = kernel_seconds(c, "gemm", "bf16", m=32, n=28672, k=4096).seconds[0]
    attention = kernel_seconds(
        c, "decode", "bf16/bf16", batch=32, length=2048, heads=32, kv_heads=8, head_dim=128
    ).seconds[0]
    assert costs.seconds[at["up"], 0] == pytest.approx(up)
    assert costs.seconds[at["attention"], 0] == pytest.approx(attention)
    assert costs.total_s[0] == pytest.approx(float((t.count * costs.seconds[:, 0]).sum()))
    # A token of an 8B model at 16 bit reads 15 GB of weights: no step is shorter than that.
    assert costs.total_s[0] > 2 * 7.5e9 / c.memory_bytes_per_s
    assert BOUNDS[costs.bound[at["up"], 0]] == "memory"


@pytest.mark.parametrize("phase", ["decode", "prefill", "forward", "backward"])
def test_a_layer_of_experts_is_one_kernel(phase: str) -> None:
    sizes = {"batch": [64], "past": 1000} if phase == "decode" else {"batch": [1], "tokens": 2048}
    t = table("qwen3-30b-a3b", phase, **sizes)
    costs = run_operators(chip("b200-sxm"), t)
    tokens = 64 if phase == "decode" else 2048
    layer = kernel_seconds(
        chip("b200-sxm"), "moe", "bf16", tokens=tokens, hidden=2048, width=768, experts=128, topk=8
    ).seconds[0]
    suffixes = (".dgrad", ".wgrad") if phase == "backward" else ("",)
    for suffix in suffixes:
        rows = np.isin(t.name, [f"expert_up{suffix}", f"expert_down{suffix}"])
        assert costs.seconds[rows, 0].sum() == pytest.approx(layer, rel=1e-6)
    inside = np.char.startswith(t.name, "expert_activation") | np.char.startswith(t.name, "expert_gather")
    assert np.all(costs.seconds[inside] == 0.0)


@settings(max_examples=25, deadline=None)
@given(
    model=st.sampled_from(["llama3-8b", "deepseek-v2-lite", "qwen3-next-80b-a3b", "gpt-oss-20b", "jamba-52b"]),
    batch=st.integers(1, 256),
    past=st.integers(1, 16_000),
    more=st.floats(1.0, 3.0),
)
def test_a_better_chip_is_never_slower(model: str, batch: int, past: int, more: float) -> None:
    c = chip("b200-sxm")
    better = replace(
        c,
        memory_bytes_per_s=more * c.memory_bytes_per_s,
        peak_flops={key: more * value for key, value in c.peak_flops.items()},
    )
    t = table(model, "decode", batch=[batch], past=past)
    assert run_operators(better, t).total_s[0] <= run_operators(c, t).total_s[0] * (1 + 1e-9)


@settings(max_examples=20, deadline=None)
@given(batch=st.integers(1, 128), phase=st.sampled_from(["decode", "prefill"]))
def test_energy_lies_between_waiting_and_the_limit(batch: int, phase: str) -> None:
    c = chip("b200-sxm")
    sizes = {"past": 2048} if phase == "decode" else {"tokens": 512}
    costs = run_operators(c, table("llama3-70b", phase, batch=[batch], tp=4, **sizes))
    assert c.idle_w * costs.total_s[0] < costs.total_j[0] < c.tdp_w * costs.total_s[0]
    assert np.all(costs.low <= costs.seconds * (1 + 1e-12))
    assert np.all(costs.high >= costs.seconds * (1 - 1e-12))
    assert costs.total_low_s[0] < costs.total_s[0] < costs.total_high_s[0]


def test_narrow_weights_make_a_step_shorter_and_cheaper() -> None:
    c = chip("b200-sxm")
    found = []
    for word in ("bf16", "fp8", "fp4"):
        n = Numerics(word, kv="fp8" if word != "bf16" else "bf16")
        found.append(run_operators(c, table("llama3-70b", "decode", n, batch=[64], past=2048, tp=2), n))
    seconds = [float(f.total_s[0]) for f in found]
    joules = [float(f.total_j[0]) for f in found]
    assert seconds[0] > seconds[1] > seconds[2]
    assert joules[0] > joules[1] > joules[2]


def test_the_reduced_form_stays_close_in_sums() -> None:
    rng = np.random.default_rng(3)
    n = Numerics("fp8", kv="fp8")
    t = table(
        "qwen3-235b-a22b", "decode", n, batch=rng.integers(1, 2048, 400), past=rng.integers(0, 8192, 400), tp=4, ep=4
    )
    full, few = (run_operators(chip("b200-sxm"), t, n, reduced=reduced).total_s for reduced in (False, True))
    assert np.median(np.abs(few / full - 1)) < 0.03
    assert np.max(np.abs(few / full - 1)) < 0.15


def test_every_kind_of_model_runs_and_says_whose_kernels_served() -> None:
    for model, phase, sizes in (
        ("deepseek-v3", "prefill", {"tokens": 1024, "tp": 8, "ep": 8}),
        ("nemotron-h-8b", "prefill", {"tokens": 1024}),
        ("mamba2-2.7b", "decode", {"past": 10}),
        ("flux-1-dev", "forward", {}),
        ("whisper-large-v3", "forward", {"tokens": 300}),
        ("vit-h-14", "forward", {}),
    ):
        costs = run_operators(chip("h100-sxm"), table(model, phase, batch=[1, 4], **sizes))
        assert np.all(costs.total_s > 0), model
        assert costs.total_s[1] >= costs.total_s[0], model
        assert bool(costs.notes) == (model in ("nemotron-h-8b", "mamba2-2.7b")), (model, costs.notes)
    foreign = run_operators(chip("mi300x"), table("llama3-8b", "decode", batch=[8], past=100))
    assert any("another generation" in note for note in foreign.notes)


def test_one_measured_kernel_moves_all_and_narrows_the_band() -> None:
    c = chip("mi300x")
    anchor = anchor_for("gemm", "bf16")
    assert anchor is not None
    shape = {"m": 4096, "n": 8192, "k": 8192}
    before = kernel_seconds(c, "gemm", "bf16", **shape)
    alone = float(kernel_seconds(c, "gemm", "bf16", **dict(anchor.shape)).seconds[0])
    slower = replace(c, anchors={"gemm/bf16": 1.44 * alone})
    after = kernel_seconds(slower, "gemm", "bf16", **shape)
    assert after.seconds[0] == pytest.approx(before.seconds[0] * 1.44**anchor.weight)
    assert after.high_factor / after.low_factor < before.high_factor / before.low_factor
    assert next((a.family, a.precision) for a in anchors(c)) == ("gemm", "bf16")
    assert not anchors(replace(chip("h100-sxm"), generation="hopper"))
    # A measured chip is not moved by an anchor.
    own = replace(chip("h100-sxm"), anchors={"gemm/bf16": 1.0})
    assert kernel_seconds(own, "gemm", "bf16", **shape).seconds == pytest.approx(
        kernel_seconds(chip("h100-sxm"), "gemm", "bf16", **shape).seconds
    )


def test_a_precision_that_no_chip_has_is_refused() -> None:
    n = Numerics("fp7")
    with pytest.raises(InputError, match="precision of h100-sxm"):
        run_operators(chip("h100-sxm"), table("llama3-8b", "decode", batch=[1], past=1), n)

"""Tables of kernel seconds against the floor they come from, summed here by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record, kernel_seconds
from gigawatt.physics.serving.engine.kernel_sums import like_engine, meeting, stream_seconds
from gigawatt.physics.serving.engine.kernel_times import Configuration, Places, Precisions, kernel_times
from gigawatt.physics.workload import Architecture, FeedForward, LayerGroup, Mixer, from_config

CATALOG = Catalog.load()
CHIPS = {
    name: chip_from_record(CATALOG.get("accelerator", name)) for name in ("h200-sxm", "b200-sxm", "mi355x", "tpu7x")
}
H200 = CHIPS["h200-sxm"]
BF16 = Precisions("bf16", "bf16", "bf16", "bf16")
FP8 = Precisions("fp8", "fp8", "fp8", "fp8")
DENSE = Architecture(
    "8b", "llama", 4096, 128256, (LayerGroup(32, Mixer("gqa", 32, 8, 128), FeedForward("dense", 14336)),)
)
DEEPSEEK = from_config("deepseek-v3", CATALOG.get("model", "deepseek-v3").config)
HYBRID = from_config("qwen3.5-397b-a17b", CATALOG.get("model", "qwen3.5-397b-a17b").config)
ONE = np.array([1.0])


def times(arch=DENSE, chip=H200, engine="vllm", precisions=BF16, places=(1, 1, 1)):
    return kernel_times([Configuration(arch, chip, engine, precisions, Places(*places))])


@pytest.mark.parametrize("rows", [1.0, 32.0, 4096.0])
@pytest.mark.parametrize("tensor", [1, 4])
def test_dense_seconds_are_the_products_and_passes_of_the_layers(rows, tensor):
    shapes = [(6144 / tensor, 4096), (4096, 4096 / tensor), (28672 / tensor, 4096), (4096, 14336 / tensor)]
    products = sum(
        32 * kernel_seconds(H200, "gemm", "bf16", m=rows, n=n, k=k).seconds[0]
        for n, k in shapes  # qkv, out, up and gate, down
    )
    head = kernel_seconds(H200, "gemm", "bf16", m=rows, n=128256 / tensor, k=4096).seconds[0]
    # Values a row that passes read and write: two norms, rotary on 32 + 8 heads, the activation, the last norm.
    passes = [(64, 4 * 4096), (32, 2 * 5120 / tensor), (32, 3 * 14336 / tensor), (1, 2 * 4096)]
    streams = sum(n * float(stream_seconds(H200, 2 * values * rows)) for n, values in passes)
    found = times(places=(tensor, 1, tensor)).dense_s(rows * ONE)[0]
    assert found == pytest.approx(products + head + streams, rel=1e-9)


def test_latent_attention_reads_one_latent_for_all_heads():
    at = {"batch": 32.0, "length": 4096.0}
    by_hand = 61 * kernel_seconds(H200, "mla-decode", "bf16/fp8", engine="trtllm", heads=128 / 8, **at).seconds[0]
    found = times(DEEPSEEK, precisions=FP8, engine="trtllm", places=(8, 1, 8))
    assert found.attention_s(32.0 * ONE, 4096.0 * ONE)[0] == pytest.approx(by_hand, rel=1e-9)


def test_experts_behind_an_all_to_all_cost_no_more_than_with_all_rows_on_every_chip():
    # Below, a chip that is sent less than a row in the mean is taken to have one.
    sizes = 2.0 ** np.arange(3.0, 13.0)
    sent, all_rows = (times(DEEPSEEK, precisions=FP8, places=places) for places in ((32, 32, 1), (32, 1, 1)))
    at = [np.array([t.experts_s(size * ONE)[0] for size in sizes]) for t in (sent, all_rows)]
    assert (at[0] <= at[1] * (1 + 1e-9)).all()
    assert (np.diff(at[0]) >= 0).all()


@given(
    name=st.sampled_from(sorted(CHIPS)),
    faster=st.floats(1.0, 4.0),
    rows=st.floats(1.0, 5000.0),
    context=st.floats(16.0, 1e5),
    arch=st.sampled_from([DENSE, DEEPSEEK, HYBRID]),
)
@settings(max_examples=15, deadline=None)
def test_no_kernel_is_slower_with_more_bandwidth(name, faster, rows, context, arch):
    chip = CHIPS[name]
    quick = replace(chip, memory_bytes_per_s=chip.memory_bytes_per_s * faster)
    places, x, s = (8, 1, 8), rows * ONE, context * ONE
    slow_times, quick_times = (times(arch, c, precisions=FP8, places=places) for c in (chip, quick))
    for part in ("dense_s", "experts_s", "prompt_dense_s", "prompt_attention_s"):
        assert getattr(quick_times, part)(x)[0] <= getattr(slow_times, part)(x)[0] * (1 + 1e-9)
    assert quick_times.attention_s(x, s)[0] <= slow_times.attention_s(x, s)[0] * (1 + 1e-9)


@given(rows=st.floats(1.0, 1e5), more=st.floats(1.0, 8.0))
@settings(max_examples=30, deadline=None)
def test_more_rows_take_longer_but_less_a_row(rows, more):
    table = times(DEEPSEEK, precisions=FP8, places=(8, 1, 8))
    for part in (table.dense_s, table.experts_s, table.prompt_dense_s):
        small, large = part(rows * ONE)[0], part(more * rows * ONE)[0]
        assert small <= large * (1 + 0.02)
        assert large <= more * small * (1 + 0.02)


def test_a_dense_model_has_no_experts_and_a_table_serves_many_rows():
    found = kernel_times([Configuration(a, H200, "vllm", BF16, Places(1, 1, 1)) for a in (DENSE, DEEPSEEK, DENSE)])
    assert len(found.dense) == 2 and list(found.row) == [0, 1, 0]
    # Norms, products, rotary, attention, activation: nine calls a layer and two at the end.
    assert found.calls[0] == 32 * 10 + 2 - 32
    assert found.experts_s(np.full(3, 64.0))[0] < 1e-12 < found.experts_s(np.full(3, 64.0))[1]
    assert (sum(found.launch_s)[:2] < found.dense_s(np.ones(3))[:2] + found.experts_s(np.ones(3))[:2] + 1e-2).all()


def test_chips_that_nobody_measured_carry_the_wider_band_of_their_kin():
    measured, kin = (times(chip=CHIPS[name]).half_width[0] for name in ("h200-sxm", "mi355x"))
    assert 0.0 < measured < kin


def test_fp4_weights_are_widened_where_a_chip_has_no_such_units():
    assert set(meeting(H200, "fp4").peak_flops) == {"bf16"}
    assert "fp4" in meeting(CHIPS["b200-sxm"], "fp4").peak_flops


def test_engines_that_share_the_only_fit_are_worked_out_once():
    engines = ("trtllm", "vllm", "sglang")
    assert like_engine(CHIPS["b200-sxm"], "decode", "bf16/bf16", "sglang", engines) == "sglang"
    # vLLM's latent kernels were measured nowhere: the fastest engine's stand for them.
    assert like_engine(H200, "mla-decode", "bf16/bf16", "vllm", engines) == "trtllm"

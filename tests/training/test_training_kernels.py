"""Kernel seconds of a layer: the chip floor asked shape by shape, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_models import DEEPSEEK_V3, LLAMA_405B, chip, gpt

from gigawatt.physics.chip.kernels import kernel_seconds
from gigawatt.physics.training import Mapping, shape_of, stack_shapes
from gigawatt.physics.training.step.kernels import (
    CAST_BYTES,
    LayerKernels,
    kernel_times,
    kernel_times_of,
    stream_seconds,
)

H100, B200, A100 = chip("h100-sxm"), chip("b200-sxm"), chip("a100-sxm-80gb")
ONE = Mapping(
    chips=64.0, tp=8.0, pp=1.0, vpp=1.0, dp=8.0, cp=1.0, ep=1.0, micro_batch=2.0, global_batch=64.0, seq=4096.0
)


def product(device, m: float, n: float, k: float, precision: str) -> float:
    found = kernel_seconds(device, "gemm", precision, m=m, n=n, k=k, fused_quantise=True)
    return float(found.seconds[0])


def test_dense_products_are_those_of_the_chip() -> None:
    # Llama 3 405B, tensor parallel 8: qkv, out, up with gate, down
    t, h, f = 8192.0, 16384.0, 53248.0
    sides = ((h, (128 + 16) * 128 / 8), (h / 8, h), (h, 2 * f / 8), (f / 8, h))
    (layer,) = kernel_times(shape_of(LLAMA_405B), H100, "8", ONE).layers
    assert layer.forward_s[0] == pytest.approx(sum(product(H100, t, n, k, "fp8") for k, n in sides))
    assert layer.input_s[0] == pytest.approx(sum(product(H100, t, k, n, "fp8") for k, n in sides))
    assert layer.weight_s[0] == pytest.approx(sum(product(H100, k, n, t, "fp8") for k, n in sides))
    assert layer.cast_s[0] == pytest.approx(stream_seconds(H100, CAST_BYTES * t * sum(k for k, _ in sides)))
    assert layer.expert_forward_s[0] == 0


def test_experts_are_equal_products() -> None:
    mapping = replace(ONE, tp=1.0, dp=64.0, ep=32.0, micro_batch=1.0)
    _, layer = kernel_times(shape_of(DEEPSEEK_V3), B200, "mx8", mapping).layers
    held, load = 256 / 32, 4096 * 8 / (256 / 32)
    one = product(B200, load, 4096, 7168, "fp8") + product(B200, load, 7168, 2048, "fp8")
    assert layer.expert_forward_s[0] == pytest.approx(held * one)
    deep = product(B200, 7168, 4096, load, "fp8") + product(B200, 2048, 7168, load, "fp8")
    assert layer.expert_weight_s[0] == pytest.approx(held * deep)


def test_router_stays_in_sixteen_bit() -> None:
    shape = shape_of(DEEPSEEK_V3)
    narrow = [m.n for m in shape.kinds[1].matrices if m.wide]
    assert narrow == [256.0]


def test_attention_is_the_measured_prefill() -> None:
    (layer,) = kernel_times(shape_of(LLAMA_405B), H100, "16", replace(ONE, cp=2.0)).layers
    whole = kernel_seconds(H100, "prefill", "bf16", batch=2, length=4096, heads=16, kv_heads=1, head_dim=128)
    assert layer.attention_s[0] == pytest.approx(float(whole.seconds[0]) / 2)
    assert layer.attention_backward_s[0] == 0  # a multiple of forward, fitted


def test_an_unfused_core_is_slower() -> None:
    shape = shape_of(gpt(24, 2048, 16))
    mapping = replace(ONE, tp=1.0)
    (fused,) = kernel_times(shape, A100, "16", mapping).layers
    (plain,) = kernel_times(shape, A100, "16", mapping, flash=0.0).layers
    assert plain.attention_s[0] > 2 * fused.attention_s[0]
    assert plain.attention_backward_s[0] > plain.attention_s[0]
    assert np.allclose(plain.forward_s, fused.forward_s)


@pytest.mark.parametrize("arch", [LLAMA_405B, DEEPSEEK_V3], ids=["dense", "mixture"])
def test_columns_equal_rows_one_by_one(arch) -> None:
    rng = np.random.default_rng(7)
    sizes = {"tp": 2.0 ** rng.integers(0, 4, 20), "cp": 2.0 ** rng.integers(0, 3, 20)}
    sizes |= {"ep": 2.0 ** rng.integers(0, 5, 20), "micro_batch": 2.0 ** rng.integers(0, 3, 20)}
    sizes["sequence_parallel"] = rng.integers(0, 2, 20).astype(float)
    shape = shape_of(arch)
    columns = kernel_times(shape, H100, "8", replace(ONE, **sizes))
    for row in range(20):
        alone = kernel_times(shape, H100, "8", replace(ONE, **{k: float(v[row]) for k, v in sizes.items()}))
        for many, one in zip(columns.layers, alone.layers, strict=True):
            for name in LayerKernels.__slots__:
                assert getattr(many, name)[row] == pytest.approx(float(getattr(one, name)[0]), rel=1e-12), name
        assert columns.head_weight_s[row] == pytest.approx(float(alone.head_weight_s[0]))


def test_models_and_chips_side_by_side_equal_each_alone() -> None:
    models = [shape_of(LLAMA_405B), shape_of(DEEPSEEK_V3), shape_of(gpt(24, 2048, 16))]
    devices = [(H100, "8"), (A100, "16"), (B200, "4")]
    device, model = np.array([2, 0, 1]), np.array([0.0, 1.0, 2.0])
    flash = np.array([1.0, 1.0, 0.0])
    wide = Mapping(*(np.full(3, float(getattr(ONE, name))) for name in Mapping.__slots__))
    side = kernel_times_of(stack_shapes(models), devices, device, wide, flash, model)
    for i, shape in enumerate(models):
        alone = kernel_times(shape, *devices[device[i]], ONE, flash=flash[i])
        for kind, one in enumerate(alone.layers):
            for name in LayerKernels.__slots__:
                assert getattr(side.layers[kind], name)[i] == pytest.approx(float(getattr(one, name)[0])), name
        assert side.logit_s[i] == pytest.approx(float(alone.logit_s[0]))


@given(tp=st.sampled_from([1.0, 2.0, 4.0, 8.0]), micro=st.sampled_from([1.0, 2.0, 4.0]))
@settings(deadline=None, max_examples=12)
def test_a_cut_layer_is_never_slower_and_never_shared_out_better_than_evenly(tp: float, micro: float) -> None:
    shape = shape_of(LLAMA_405B)
    (whole,) = kernel_times(shape, H100, "16", replace(ONE, tp=1.0, micro_batch=micro)).layers
    (part,) = kernel_times(shape, H100, "16", replace(ONE, tp=tp, micro_batch=micro)).layers
    assert part.forward_s[0] <= whole.forward_s[0] * (1 + 1e-12)
    assert part.forward_s[0] >= 0.95 * whole.forward_s[0] / tp  # tiles may fit a narrow matrix a little better

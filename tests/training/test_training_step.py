"""Laws of the step-time model, and published answers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_models import DEEPSEEK_V3, LLAMA_405B, chip, gpt

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.training import Mapping, evaluate, load_calibration, memory_of, shape_of
from gigawatt.physics.training.calibration import Context, constants_of
from gigawatt.physics.training.columns import CORE_ATTENTION
from gigawatt.physics.training.memory.bytes import kept_bytes_per_token
from gigawatt.physics.training.step.times import CLASSES
from gigawatt.physics.workload import from_config
from gigawatt.physics.workload.counts import parameters

H100 = chip("h100-sxm")
A100 = chip("a100-sxm-80gb")
BASE = Mapping(
    chips=1024.0, tp=8.0, pp=8.0, vpp=1.0, dp=16.0, cp=1.0, ep=1.0, micro_batch=1.0, global_batch=512.0, seq=8192.0
)


def step(mapping: Mapping = BASE, device=H100, arch=LLAMA_405B, **more) -> float:
    return float(evaluate(arch, device, mapping, **more).step_s[0])


@pytest.mark.parametrize(
    ("layers", "hidden", "heads", "billions"), [(96, 12288, 96, 174.6), (128, 25600, 160, 1008.0), (48, 8192, 64, 39.1)]
)
def test_gpt_parameters(layers: int, hidden: int, heads: int, billions: float) -> None:
    # Narayanan et al. (SC'21) Table 1
    assert float(shape_of(gpt(layers, hidden, heads)).parameters) / 1e9 == pytest.approx(billions, rel=0.004)


def test_parameters_of_published_models() -> None:
    assert float(shape_of(LLAMA_405B).parameters) == pytest.approx(405_853_388_800, rel=1e-4)
    assert float(shape_of(DEEPSEEK_V3).parameters) == pytest.approx(671_026_404_352, rel=1e-4)


def test_every_language_model_of_the_catalog_keeps_its_weights() -> None:
    catalog, kinds = Catalog.load(), ("llm", "moe", "hybrid", "state-space")
    records = [r for r in (catalog.get("model", name) for name in catalog.ids("model")) if r.model_kind in kinds]
    assert len(records) > 40
    for record in records:
        arch = replace(from_config(record.id, record.config), mtp_layers=0)
        assert float(shape_of(arch).parameters) == pytest.approx(parameters(arch), rel=0.01), record.id


def test_forward_flops_of_published_models() -> None:
    # transformers + torch FlopCounter on meta tensors, full (non-causal) attention
    assert float(shape_of(LLAMA_405B).forward_flops_per_token(8192, 1.0)) * 8192 == pytest.approx(
        7_169_159_410_483_200, rel=1e-6
    )
    assert float(shape_of(DEEPSEEK_V3).forward_flops_per_token(4096, 1.0)) * 4096 == pytest.approx(
        383_866_460_176_384, rel=1e-3
    )


@pytest.mark.parametrize(
    ("layers", "hidden", "heads", "chips", "tp", "pp", "vpp", "batch", "micro", "tflops"),
    [
        (24, 2304, 24, 32, 1, 1, 1, 512, 16, 137),
        (48, 8192, 64, 512, 8, 2, 1, 1536, 4, 138),
        (80, 12288, 96, 1536, 8, 8, 2, 2304, 2, 148),
        (105, 20480, 128, 2520, 8, 35, 3, 2520, 1, 163),
        (128, 25600, 160, 3072, 8, 64, 1, 3072, 1, 163),
    ],
)
def test_megatron_paper_throughput(layers, hidden, heads, chips, tp, pp, vpp, batch, micro, tflops) -> None:
    # Narayanan et al. (SC'21) Table 1: TFLOP/s a GPU, 96 B s l h^2 (1 + s/6h + V/16lh), full recompute
    arch = gpt(layers, hidden, heads)
    mapping = Mapping(
        chips=float(chips),
        tp=float(tp),
        pp=float(pp),
        vpp=float(vpp),
        dp=chips / (tp * pp),
        cp=1.0,
        ep=1.0,
        micro_batch=float(micro),
        global_batch=float(batch),
        seq=2048.0,
        recompute=1.0,
        sequence_parallel=0.0,
    )
    seconds = step(mapping, A100, arch, stack="megatron-2021")
    flops = 96 * batch * 2048 * layers * hidden**2 * (1 + 2048 / (6 * hidden) + 51200 / (16 * layers * hidden))
    assert flops / seconds / chips / 1e12 == pytest.approx(tflops, rel=0.10)


@pytest.mark.parametrize(
    ("layers", "hidden", "heads", "pp", "vpp", "batch", "full_s", "selective_s"),
    [(105, 20480, 128, 35, 3, 280, 49.05, 37.83), (128, 25600, 160, 64, 1, 512, 94.42, 71.49)],
)
def test_selective_recompute_paper(layers, hidden, heads, pp, vpp, batch, full_s, selective_s) -> None:
    # Korthikanti et al. (arXiv 2205.05198) Table 5: seconds an iteration on A100
    arch = gpt(layers, hidden, heads)
    base = Mapping(
        chips=float(8 * pp),
        tp=8.0,
        pp=float(pp),
        vpp=float(vpp),
        dp=1.0,
        cp=1.0,
        ep=1.0,
        micro_batch=1.0,
        global_batch=float(batch),
        seq=2048.0,
    )
    full = step(replace(base, recompute=1.0, sequence_parallel=0.0), A100, arch, stack="megatron-2021")
    some = step(replace(base, modules=CORE_ATTENTION), A100, arch, stack="megatron-2021")
    assert full == pytest.approx(full_s, rel=0.15)
    assert some == pytest.approx(selective_s, rel=0.15)
    assert full / some == pytest.approx(full_s / selective_s, rel=0.12)


@pytest.mark.parametrize("field", ["memory_bytes_per_s", "scaleup_bytes_per_s", "nic_bytes_per_s"])
@pytest.mark.parametrize("arch", [LLAMA_405B, DEEPSEEK_V3], ids=["dense", "mixture"])
@given(factor=st.floats(1.0, 10.0), tp=st.sampled_from([1.0, 4.0, 8.0, 16.0]))
@settings(deadline=None, max_examples=15)
def test_more_bandwidth_is_never_slower(field, arch, factor: float, tp: float) -> None:
    mapping = replace(BASE, tp=tp, dp=128.0 / tp, ep=1.0 if arch is LLAMA_405B else 16.0)
    faster = replace(H100, **{field: getattr(H100, field) * factor})
    assert step(mapping, faster, arch) <= step(mapping, H100, arch) * (1 + 1e-12)


@given(factor=st.floats(1.0, 8.0))
@settings(deadline=None, max_examples=20)
def test_more_flops_are_never_slower(factor: float) -> None:
    faster = replace(H100, peak_flops={k: v * factor for k, v in H100.peak_flops.items()})
    assert step(device=faster) <= step()


@pytest.mark.parametrize("arch", [LLAMA_405B, DEEPSEEK_V3], ids=["dense", "mixture"])
@given(doublings=st.integers(1, 4))
@settings(deadline=None, max_examples=8)
def test_more_replicas_are_never_slower_at_equal_batch(arch, doublings: int) -> None:
    few = replace(BASE, ep=1.0 if arch is LLAMA_405B else 16.0)
    more = replace(few, dp=few.dp * 2.0**doublings, chips=few.chips * 2.0**doublings)
    assert step(more, arch=arch) <= step(few, arch=arch)


@given(r=st.floats(0.0, 1.0), s=st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=20)
def test_recompute_trades_time_for_memory(r: float, s: float) -> None:
    low, high = sorted((r, s))
    shape = shape_of(LLAMA_405B)
    more, less = replace(BASE, recompute=high), replace(BASE, recompute=low)
    assert step(more) >= step(less)
    assert float(memory_of(shape, more).activations_bytes) <= float(memory_of(shape, less).activations_bytes) * (
        1 + 0.02
    )
    assert float(memory_of(shape, replace(BASE, recompute=1.0)).total_bytes) < float(memory_of(shape, BASE).total_bytes)


def test_sharding_shards() -> None:
    shape = shape_of(LLAMA_405B)
    flat = replace(BASE, pp=1.0, dp=128.0)
    none, first, full = (memory_of(shape, replace(flat, sharding=float(z))) for z in (0, 1, 3))
    assert float(first.optimizer_bytes) == pytest.approx(float(none.optimizer_bytes) / 128)
    assert float(first.weights_bytes) == float(none.weights_bytes)
    assert float(full.gradients_bytes) == pytest.approx(float(none.gradients_bytes) / 2 / 128)
    assert float(full.total_bytes) < float(first.total_bytes) < float(none.total_bytes)


def test_activations_of_the_paper() -> None:
    # Korthikanti et al. eq. 2: s b h (34 + 5 a s / h) bytes a layer without parallelism
    arch = gpt(96, 12288, 96)
    shape = shape_of(arch)
    mapping = replace(BASE, tp=1.0, seq=2048.0)
    assert float(kept_bytes_per_token(shape.kinds[0], shape, mapping, 0.0)) == pytest.approx(
        12288 * 34 + 5 * 96 * 2048, rel=0.01
    )


@pytest.mark.parametrize("arch", [LLAMA_405B, DEEPSEEK_V3], ids=["dense", "mixture"])
def test_parts_sum_to_the_step(arch) -> None:
    sizes = Mapping(
        chips=np.array([64.0, 256.0, 2048.0]),
        tp=np.array([8.0, 2.0, 16.0]),
        pp=np.array([1.0, 8.0, 16.0]),
        vpp=np.array([1.0, 1.0, 1.0]),
        dp=np.array([8.0, 16.0, 4.0]),
        cp=np.array([1.0, 1.0, 2.0]),
        ep=np.array([8.0, 16.0, 32.0]) if arch is DEEPSEEK_V3 else np.ones(3),
        micro_batch=1.0,
        global_batch=512.0,
        seq=8192.0,
        recompute=np.array([0.0, 0.5, 1.0]),
    )
    found = evaluate(arch, H100, sizes, "fp8")
    total = sum(getattr(found, f"{name}_s") for name in CLASSES) + found.straggler_s
    assert np.allclose(total, found.step_s, rtol=0.02)
    assert np.all(found.executed_flops >= found.model_flops * 0.97)
    for share in (found.compute_util, found.memory_util, found.busy, found.exposed_comm_share):
        assert np.all((share >= 0) & (share <= 1))


def test_tensor_parallelism_over_a_node_is_slow() -> None:
    inside, outside = replace(BASE, tp=8.0, dp=16.0), replace(BASE, tp=16.0, dp=8.0)
    slow = replace(H100, nic_bytes_per_s=H100.nic_bytes_per_s / 8)
    assert step(outside, slow) > 1.2 * step(inside, slow)


def test_older_software_is_slower_and_adapters_are_faster() -> None:
    assert step(maturity=0.5) == pytest.approx(2 * step())
    assert step(replace(BASE, lora=1.0)) < 0.8 * step()


def test_names_the_nearest() -> None:
    with pytest.raises(InputError, match="precision"):
        step(precision="fp9")
    with pytest.raises(InputError, match="megatron"):
        step(stack="megatron-tuned-x")


def test_a_small_model_of_an_eager_stack_waits_for_its_launches() -> None:
    small = gpt(12, 1024, 16)
    one = replace(BASE, chips=8.0, tp=1.0, pp=1.0, dp=8.0, global_batch=64.0, seq=1024.0)
    times = [
        step(replace(one, tp=tp, dp=8.0 / tp), A100, small, stack="megatron-2021") / float(tp)
        for tp in (1.0, 2.0, 4.0, 8.0)
    ]
    # Micro-batches of a rank grow with tp: what one takes never falls below its launches, which tensor ranks add to.
    assert times[1] < times[2] < times[3]
    assert times[3] > 12 * 2.7 * 0.8e-3 * 8
    assert times[3] > 2.0 * step(replace(one, tp=8.0, dp=1.0), A100, small) / 8.0


def test_a_loss_of_plain_passes_moves_more() -> None:
    p = load_calibration().parameters
    fused, plain = (load_calibration().stack(name) for name in ("zero1-flash", "megatron-2021"))
    assert constants_of(Context("ampere", "16", fused), p)["loss"] == 1.0
    assert constants_of(Context("ampere", "16", plain), p)["loss"] == pytest.approx(52 / 14)

"""Bytes of each kind of message against counts published for it, and training over racks against training over boxes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_models import DEEPSEEK_V3, LLAMA_405B, chip, gpt

from gigawatt.physics.fabric import collective_seconds, default_fabric
from gigawatt.physics.fabric.wires import wires_of
from gigawatt.physics.training import Mapping, Steps, coefficients, load_calibration, memory_of, shape_of, step_times
from gigawatt.physics.training.calibration import Context
from gigawatt.physics.training.columns import ALL_GATHER, LATENT_UP, MLP, ULYSSES, machine_of
from gigawatt.physics.training.release_recipes import ReleaseRecipe
from gigawatt.physics.training.step.collectives import messages_of
from gigawatt.physics.training.step.kernels import kernel_times
from gigawatt.physics.training.step.sharding import data_messages, shard_ranks

H100, GB200, GB300, B200, B300 = (chip(n) for n in ("h100-sxm", "gb200", "gb300", "b200-sxm", "b300-sxm"))
HGX = default_fabric(H100)
RANKS = 64.0
GPT3 = shape_of(gpt(96, 12288, 96))
FLAT = Mapping(
    chips=RANKS, tp=1.0, pp=1.0, vpp=1.0, dp=RANKS, cp=1.0, ep=1.0, micro_batch=1.0, global_batch=256.0, seq=2048.0
)


def volume(mapping: Mapping, shape=GPT3) -> tuple[float, float]:
    """Parameters' worth of traffic a rank sends in a step, once and for each micro-batch: 2 bytes a value."""
    once = micro = 0.0
    for one in data_messages(shape, wires_of(HGX), mapping):
        sends = {"reduce_scatter": 1.0, "all_gather": 1.0, "all_reduce": 2.0}[one.kind]
        moved = sends * float(np.max(one.each)) * (1 - 1 / float(one.group.ranks))
        once, micro = once + moved * float(one.a_step), micro + moved * float(one.a_micro_batch)
    held = float(shape.parameters)
    return once / held, micro / held


def test_volumes_of_zero() -> None:
    # Rajbhandari et al. (arXiv 1910.02054, sec. 7): stages 1 and 2 send 2 Psi as plain data parallelism does, stage 3 sends
    # 3 Psi, in 16-bit values. Here unsharded gradients are summed in fp32, so a value of them counts twice.
    near = 1 - 1 / RANKS
    assert volume(replace(FLAT, sharding=0.0)) == pytest.approx((8 * near, 0), rel=1e-9)
    assert volume(replace(FLAT, sharding=1.0)) == pytest.approx((6 * near, 0), rel=1e-9)
    assert volume(replace(FLAT, sharding=2.0)) == pytest.approx((2 * near, 2 * near), rel=1e-9)
    assert volume(replace(FLAT, sharding=3.0)) == pytest.approx((0, 6 * near), rel=1e-9)


def test_volumes_of_hybrid_sharding() -> None:
    # Zhao et al. (arXiv 2304.11277, sec. 3.2.2): of M values a host of G ranks sends 3 M (G-1)/G inside, and across
    # only 2 M (W-1)/(G W) with W replicas, W G ranks
    once, micro = volume(replace(FLAT, sharding=3.0, shard_ranks=8.0))
    assert micro == pytest.approx(2 * 3 * (1 - 1 / 8), rel=1e-9)
    assert once == pytest.approx(2 * 2 * (1 - 1 / 8) / 8, rel=1e-9)
    groups = shard_ranks(replace(FLAT, shard_ranks=8.0))
    assert (float(groups.dense), float(groups.dense_replicas)) == (8.0, 8.0)


@given(
    shard=st.sampled_from([1.0, 2.0, 8.0, 32.0, 64.0]),
    sites=st.sampled_from([1.0, 2.0, 4.0]),
    ep=st.sampled_from([1.0, 8.0, 16.0]),
)
@settings(deadline=None, max_examples=30)
def test_groups_and_replicas_are_all_ranks_of_a_site(shard: float, sites: float, ep: float) -> None:
    mapping = replace(FLAT, tp=2.0, dp=RANKS, ep=ep, shard_ranks=shard, sites=sites)
    groups = shard_ranks(mapping)
    assert float(groups.dense * groups.dense_replicas) == RANKS / sites
    assert float(groups.expert * groups.expert_replicas) == 2 * RANKS / (sites * ep)


def context_s(way: float, cp: float, arch=LLAMA_405B, seq: float = 131072.0) -> float:
    mapping = replace(FLAT, chips=8 * cp, tp=8.0, dp=1.0, cp=cp, seq=seq, context=way)
    return float(messages_of(shape_of(arch), wires_of(HGX), mapping).layers[0].context_s[0])


def test_gathered_keys_and_values_of_llama_3() -> None:
    # arXiv 2407.21783, sec. 3.3.2: keys and values are gathered; with 8 of 128 heads they are an eighth of the queries'
    # width. 16 context ranks, 8 tensor ranks, 131,072 tokens: one key and one value head of 128 each, 67 MB gathered
    gathered = 2.0 * 131072 * 2 * 128
    by_hand = float(collective_seconds("all_gather", gathered, 16, HGX, per_domain=1).seconds[0])
    assert context_s(ALL_GATHER, 16.0) == pytest.approx(by_hand)


def test_swapped_heads_of_ulysses() -> None:
    # Jacobs et al. (arXiv 2309.14509, sec. 3.2): before the core 3 N h / P values a rank, after it N h / P, with as many
    # key heads as query heads
    arch = gpt(96, 12288, 96)
    n, ranks = 65536.0, 8.0
    mapping = replace(FLAT, chips=8.0, dp=1.0, cp=ranks, seq=n, context=ULYSSES)
    found = float(messages_of(shape_of(arch), wires_of(HGX), mapping).layers[0].context_s[0])
    sent = 2.0 * n * 12288 / ranks
    by_hand = sum(float(collective_seconds("all_to_all", k * sent, ranks, HGX).seconds[0]) for k in (3.0, 1.0))
    assert found == pytest.approx(by_hand)


def test_expert_tensor_ranks_gather_their_tokens() -> None:
    shape, wires = shape_of(DEEPSEEK_V3), wires_of(HGX)
    mapping = replace(FLAT, ep=4.0, etp=2.0, seq=4096.0)
    found, alone = (messages_of(shape, wires, m).layers[1].expert_s[0] for m in (mapping, replace(mapping, etp=1.0)))
    rows = 2.0 * 4096 * 8 * 7168 * 2  # 4,096 tokens to 8 experts each, of both ranks, in 16 bit
    cut = sum(float(collective_seconds(k, rows, 2, HGX).seconds[0]) for k in ("all_gather", "reduce_scatter"))
    spread = replace(mapping, etp=1.0)
    assert found > alone + 0.9 * cut
    assert float(messages_of(shape, wires, spread).layers[0].expert_s[0]) == 0


# --- Racks of 72 against boxes of 8, DeepSeek-V3 on 256 chips in MXFP8: Megatron-Bridge performance summary (containers 26.04
# to 26.08). Tokens/s a chip: GB200 4,912, B200 3,328, GB300 6,288, B300 3,541. Parallelism as in its tables; graphs, fused
# experts, modules to recompute and the pairing of passes as in its configurations of that release.

JOB = Mapping(
    chips=256.0, tp=1.0, pp=4.0, vpp=4.0, dp=64.0, cp=1.0, ep=64.0, micro_batch=1.0, global_batch=4096.0, seq=4096.0
)
WHOLE, PART = ReleaseRecipe("step", "kernels", fused_experts=True), ReleaseRecipe("part", "kernels")
MEASURED = {
    "gb200": (GB200, 4, WHOLE, replace(JOB, modules=LATENT_UP, paired=1.0)),
    "b200": (B200, 8, PART, replace(JOB, pp=8.0, vpp=2.0, dp=32.0, ep=32.0, modules=LATENT_UP + MLP, paired=1.0)),
    "gb300": (
        GB300,
        4,
        replace(WHOLE, narrow_attention=True),
        replace(JOB, pp=2.0, vpp=8.0, dp=128.0, ep=32.0, paired=1.0),
    ),
    "b300": (B300, 8, PART, replace(JOB, pp=8.0, vpp=1.0, dp=32.0, ep=8.0, micro_batch=2.0, modules=LATENT_UP)),
}
SHAPE = shape_of(replace(DEEPSEEK_V3, mtp_layers=1))


def run(name: str, mapping: Mapping) -> Steps:
    """Steps on a chip with the release's recipe for it."""
    device, node, recipe, _ = MEASURED[name]
    fit = load_calibration()
    c = coefficients([Context(device.generation, "mx8", fit.stack("megatron-tuned"), 0.0, recipe)], fit.parameters)
    machine = machine_of(device, "mx8", default_fabric(device, node=node))
    sent = messages_of(SHAPE, machine.network, mapping)
    return step_times(SHAPE, machine, mapping, kernel_times(SHAPE, device, "mx8", mapping), sent, c)


def speed(name: str) -> float:
    return 4096 * 4096 / 256 / float(run(name, MEASURED[name][3]).step_s[0])


@pytest.mark.parametrize(
    ("rack", "box", "published"), [("gb200", "b200", 4912 / 3328), ("gb300", "b300", 6288 / 3541)], ids=["1.48", "1.78"]
)
def test_racks_against_boxes(rack: str, box: str, published: float) -> None:
    assert speed(rack) / speed(box) == pytest.approx(published, rel=0.15)


def test_without_pairing_boxes_wait_for_their_experts() -> None:
    alone, paired = (run("b200", replace(MEASURED["b200"][3], paired=p)) for p in (0.0, 1.0))
    assert float(alone.expert_s[0] / alone.step_s[0]) > 0.35
    assert float(alone.step_s[0] / paired.step_s[0]) > 1.3


def best_speed(name: str, paired: tuple[float, ...]) -> float:
    """Tokens/s a chip of the fastest mapping that fits, over a grid around what such jobs run."""
    device = MEASURED[name][0]
    axes = ((1.0, 2.0, 4.0, 8.0, 16.0), (1.0, 2.0, 4.0), (8.0, 16.0, 32.0, 64.0), (1.0, 2.0), (0.0, LATENT_UP), paired)
    pp, vpp, ep, micro, modules, pair = (x.ravel() for x in np.meshgrid(*axes, indexing="ij"))
    # Passes of one micro-batch run beside another's where there are chunks, or no stages.
    able = ((vpp == 1) | (pp > 1)) & ((pair == 0) | (pp == 1) | (vpp > 1)) & (np.mod(256 / pp, ep) == 0)
    pp, vpp, ep, micro, modules, pair = (x[able] for x in (pp, vpp, ep, micro, modules, pair))
    columns = {"pp": pp, "vpp": vpp, "dp": 256 / pp, "ep": ep, "micro_batch": micro, "modules": modules, "paired": pair}
    mapping = replace(JOB, **columns)
    fits = memory_of(SHAPE, mapping).total_bytes <= device.memory_bytes
    return float(4096 * 4096 / 256 / np.min(np.where(fits, run(name, mapping).step_s, np.inf)))


def test_best_mappings_of_racks_against_boxes() -> None:
    # As the software of the release could: it did not pair passes on B300
    both, alone = (0.0, 1.0), (0.0,)
    assert best_speed("gb200", both) / best_speed("b200", both) == pytest.approx(4912 / 3328, rel=0.15)
    assert best_speed("gb300", both) / best_speed("b300", alone) == pytest.approx(6288 / 3541, rel=0.15)
    # With pairing on both the rack is worth less: the rest of the published ratio is software.
    assert best_speed("gb300", both) / best_speed("b300", both) < best_speed("gb300", both) / best_speed("b300", alone)

"""Laws of the columns of a mapping: what each may and may not do to a step."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_models import DEEPSEEK_V3, LLAMA_405B, chip

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip.adapt import box_from_record
from gigawatt.physics.chip.host import HostPath, host_path
from gigawatt.physics.training import Mapping, coefficients, evaluate, load_calibration, machine_of, shape_of
from gigawatt.physics.training.calibration import Context
from gigawatt.physics.training.columns import (
    ACTIVATION,
    ALL_GATHER,
    CORE_ATTENTION,
    EXPERTS,
    LATENT_UP,
    MLP,
    NORM,
    RING,
    ULYSSES,
)
from gigawatt.physics.training.precision import precision_recipe, precision_recipes
from gigawatt.physics.training.step.collectives import messages_of
from gigawatt.physics.training.step.kernels import kernel_times
from gigawatt.physics.training.step.layer import micro_batch_costs
from gigawatt.physics.training.step.offload import usual_host
from gigawatt.physics.training.step.power import step_power
from gigawatt.physics.training.step.routing import drawn_imbalance
from gigawatt.physics.training.step.sites import Between
from gigawatt.physics.training.step.stages import Split, layer_seconds, split_layers
from gigawatt.physics.training.step.times import CLASSES

H100, B200, GB200 = chip("h100-sxm"), chip("b200-sxm"), chip("gb200")
DENSE = Mapping(
    chips=1024.0, tp=8.0, pp=4.0, vpp=1.0, dp=16.0, cp=2.0, ep=1.0, micro_batch=1.0, global_batch=256.0, seq=8192.0
)
MIXED = Mapping(
    chips=256.0, tp=2.0, pp=4.0, vpp=1.0, dp=32.0, cp=1.0, ep=16.0, micro_batch=1.0, global_batch=1024.0, seq=4096.0
)
FSDP = replace(DENSE, tp=1.0, pp=1.0, cp=1.0, dp=1024.0, global_batch=2048.0, sharding=3.0)
CABLE = Between(fibre_km=500.0, bytes_per_s=400e9)
EVEN = 1 + 1e-9  # rounding


def step(mapping: Mapping, device=H100, arch=None, precision="bf16", **more) -> float:
    model = arch or (DEEPSEEK_V3 if float(mapping.ep) > 1 else LLAMA_405B)
    return float(evaluate(model, device, mapping, precision, **more).step_s[0])


# --- what leaves a step as it is


@pytest.mark.parametrize(
    "same",
    [
        replace(FSDP, shard_ranks=1024.0),
        replace(FSDP, shard_ranks=4096.0),
        replace(FSDP, sites=1.0, local_steps=8.0),
        replace(MIXED, etp=1.0, imbalance=1.0),
        replace(MIXED, context=ULYSSES),
        replace(MIXED, context=ALL_GATHER),
        replace(MIXED, modules=0.0, recompute=0.0),
        replace(DENSE, paired=1.0),
        replace(DENSE, modules=LATENT_UP + EXPERTS),
        replace(DENSE, imbalance=3.0, etp=2.0),
        replace(DENSE, recompute=1.0, modules=NORM),
    ],
)
def test_columns_that_say_nothing_new(same: Mapping) -> None:
    plain = {"shard_ranks": 0.0, "context": RING, "paired": 0.0, "modules": 0.0, "imbalance": 1.0, "etp": 1.0}
    assert step(same) == pytest.approx(step(replace(same, **plain, local_steps=1.0)), rel=1e-12)


@pytest.mark.parametrize(("mapping", "arch"), [(DENSE, LLAMA_405B), (MIXED, DEEPSEEK_V3)], ids=["dense", "mixture"])
def test_parts_of_every_column_sum_to_the_step(mapping: Mapping, arch) -> None:
    columns = {
        "overlap_tp": [0.0, 0.5, 1.0],
        "sites": [1.0, 2.0, 1.0],
        "offload_optimizer": [0.0, 1.0, 0.5],
        "offload_weights": [1.0, 0.0, 0.5],
        "modules": [CORE_ATTENTION + MLP, NORM + ACTIVATION, EXPERTS],
        "context": [RING, ALL_GATHER, ULYSSES],
        "sharding": [0.0, 1.0, 2.0],
        "fused": [1.0, 0.0, 1.0],
        "paired": [0.0, 1.0, 1.0],
    }
    wide = replace(mapping, **{name: np.array(value) for name, value in columns.items()})
    found = evaluate(arch, H100, wide, between=CABLE)
    total = sum(getattr(found, f"{name}_s") for name in CLASSES) + found.straggler_s
    assert np.allclose(total, found.step_s, rtol=1e-9)
    # Columns equal rows one by one
    for row in range(3):
        one = replace(mapping, **{name: value[row] for name, value in columns.items()})
        assert step(one, arch=arch, between=CABLE) == pytest.approx(float(found.step_s[row]), rel=1e-12)


# --- overlaps and fusion


@pytest.mark.parametrize("name", ["tp", "cp", "ep", "pp", "dp"])
@given(a=st.floats(0.0, 1.0), b=st.floats(0.0, 1.0), mixed=st.booleans())
@settings(deadline=None, max_examples=8)
def test_more_overlap_is_never_slower(name: str, a: float, b: float, mixed: bool) -> None:
    base, (less, more) = (MIXED if mixed else DENSE), sorted((a, b))
    assert step(replace(base, **{f"overlap_{name}": more})) <= step(replace(base, **{f"overlap_{name}": less})) * EVEN


def test_without_overlap_every_message_is_waited_for() -> None:
    on, off = (evaluate(LLAMA_405B, H100, replace(DENSE, overlap_tp=o)) for o in (1.0, 0.0))
    hidden = float(on.tensor_s[0] / off.tensor_s[0])
    assert 0.3 < hidden < 0.65  # the stack's exposure
    assert float(off.step_s[0]) > float(on.step_s[0])


def test_separate_kernels_are_slower() -> None:
    assert step(DENSE) < step(replace(DENSE, fused=0.0)) < 1.2 * step(DENSE)


@given(ep=st.sampled_from([8.0, 16.0, 32.0]), vpp=st.sampled_from([1.0, 2.0]), overlap=st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=12)
def test_pairing_hides_expert_messages_and_never_costs_time(ep: float, vpp: float, overlap: float) -> None:
    alone = replace(MIXED, ep=ep, vpp=vpp, overlap_ep=overlap)
    one, two = (evaluate(DEEPSEEK_V3, B200, replace(alone, paired=p)) for p in (0.0, 1.0))
    assert float(two.step_s[0]) <= float(one.step_s[0]) * EVEN
    assert float(two.compute_s[0]) == pytest.approx(float(one.compute_s[0]))


# --- experts


@given(a=st.floats(1.0, 4.0), b=st.floats(1.0, 4.0))
@settings(deadline=None, max_examples=15)
def test_more_imbalance_is_never_faster(a: float, b: float) -> None:
    even, skewed = sorted((a, b))
    assert step(replace(MIXED, imbalance=even)) <= step(replace(MIXED, imbalance=skewed)) * EVEN


def test_imbalance_is_of_experts_alone() -> None:
    even, uneven = (evaluate(DEEPSEEK_V3, B200, replace(MIXED, imbalance=x)) for x in (1.0, 2.0))
    assert float(uneven.tensor_s[0]) == pytest.approx(float(even.tensor_s[0]))
    assert 1.9 < float(uneven.expert_s[0] / even.expert_s[0]) < 2.1
    assert float(even.step_s[0]) < float(uneven.step_s[0]) < 2 * float(even.step_s[0])


def test_drawn_imbalance() -> None:
    shape = shape_of(DEEPSEEK_V3)
    rows = replace(MIXED, ep=np.array([1.0, 8.0, 64.0]), micro_batch=np.array([1.0, 1.0, 1.0]))
    chance = drawn_imbalance(shape, rows)
    assert chance[0] == 1.0
    assert 1.0 < chance[1] < chance[2] < 1.1  # thousands of tokens together: chance is small
    skewed = drawn_imbalance(shape, rows, skew=1.0)
    assert skewed[2] > 1.5
    assert np.all(drawn_imbalance(shape_of(LLAMA_405B), replace(DENSE, ep=np.ones(3))) == 1.0)


def test_expert_tensor_parallelism_cuts_experts_and_pays_for_it() -> None:
    # The same 64 ranks hold the experts: 64 x 1 or 8 x 8
    wide = evaluate(DEEPSEEK_V3, B200, replace(MIXED, ep=64.0, dp=32.0))
    cut = evaluate(DEEPSEEK_V3, B200, replace(MIXED, ep=8.0, etp=8.0))
    assert float(cut.executed_flops[0]) == pytest.approx(float(wide.executed_flops[0]))
    assert float(cut.expert_s[0]) != pytest.approx(float(wide.expert_s[0]))
    # eight times the rows, an eighth of the width: products of the same FLOPs, never much faster
    assert float(cut.compute_s[0]) > 0.9 * float(wide.compute_s[0])


@given(etp=st.sampled_from([1.0, 2.0, 4.0]))
@settings(deadline=None, max_examples=3)
def test_more_expert_tensor_parallelism_at_equal_ep_is_never_faster_in_messages(etp: float) -> None:
    few, more = (evaluate(DEEPSEEK_V3, H100, replace(MIXED, ep=8.0, etp=e)).expert_s[0] for e in (etp, 2 * etp))
    assert more >= few


# --- recomputed modules


@pytest.mark.parametrize("base", [DENSE, MIXED], ids=["dense", "mixture"])
@given(bits=st.integers(0, 63), more=st.sampled_from([1, 2, 4, 8, 16, 32]))
@settings(deadline=None, max_examples=12)
def test_recomputing_more_is_never_faster_and_never_beyond_all(base: Mapping, bits: int, more: int) -> None:
    less, both = (step(replace(base, modules=float(b))) for b in (bits, bits | more))
    assert less <= both * EVEN
    assert both <= step(replace(base, recompute=1.0)) * EVEN


def test_modules_run_again_by_their_own_seconds() -> None:
    # A feed-forward part takes its activation with it: both together are no more than the part.
    assert step(replace(DENSE, modules=MLP)) == pytest.approx(step(replace(DENSE, modules=MLP + ACTIVATION)), rel=1e-12)
    alone = [step(replace(DENSE, modules=m)) - step(DENSE) for m in (CORE_ATTENTION, NORM, MLP)]
    together = step(replace(DENSE, modules=CORE_ATTENTION + NORM + MLP)) - step(DENSE)
    assert together == pytest.approx(sum(alone), rel=1e-6)
    assert step(replace(MIXED, modules=LATENT_UP)) > step(MIXED)
    # 405B: 3 h ffn of 3 h ffn + 2 h (heads + kv) d weights are the feed-forward part
    again = evaluate(LLAMA_405B, H100, replace(DENSE, modules=MLP)).executed_flops[0]
    once = evaluate(LLAMA_405B, H100, DENSE).executed_flops[0]
    assert again - once == pytest.approx(2 * 3 * 16384 * 53248 * 126 * 256 * 8192, rel=1e-9)


# --- context


@given(cp=st.sampled_from([2.0, 4.0, 8.0]), kind=st.sampled_from([RING, ALL_GATHER, ULYSSES]))
@settings(deadline=None, max_examples=9)
def test_context_ranks_share_the_work(cp: float, kind: float) -> None:
    one = evaluate(LLAMA_405B, GB200, replace(DENSE, chips=512.0, cp=1.0, seq=65536.0))
    many = evaluate(LLAMA_405B, GB200, replace(DENSE, chips=512 * cp, cp=cp, seq=65536.0, context=kind))
    assert float(many.executed_flops[0]) == pytest.approx(float(one.executed_flops[0]), rel=1e-9)
    assert 0.9 / cp < float(many.compute_s[0] / one.compute_s[0]) < 1.3 / cp
    assert float(many.context_s[0]) > 0


def test_few_key_heads_make_ulysses_dear() -> None:
    # 8 key heads: 8-way swaps send each once, 32-way four copies of each
    few, many = (
        evaluate(LLAMA_405B, GB200, replace(DENSE, tp=1.0, cp=cp, seq=65536.0, context=ULYSSES)) for cp in (8.0, 32.0)
    )
    assert float(many.context_s[0]) > float(few.context_s[0]) / 4


# --- sharding


def test_shards_in_a_group_and_replicas_of_it() -> None:
    slow = replace(H100, nic_bytes_per_s=H100.nic_bytes_per_s / 8)
    whole, hybrid = (evaluate(LLAMA_405B, slow, replace(FSDP, shard_ranks=s)) for s in (0.0, 8.0))
    assert float(hybrid.data_s[0]) < 0.5 * float(whole.data_s[0])  # weights are gathered inside of a host


def test_gradients_sharded_pay_for_every_micro_batch() -> None:
    few = replace(FSDP, global_batch=1024.0, overlap_dp=0.0)
    many = replace(few, global_batch=8192.0)
    first, second = ([evaluate(LLAMA_405B, H100, replace(m, sharding=z)) for m in (few, many)] for z in (1.0, 2.0))
    assert float(first[1].data_s[0]) == pytest.approx(float(first[0].data_s[0]))
    assert float(second[1].data_s[0]) > 2 * float(second[0].data_s[0])


# --- offload


def _faster(path: HostPath, factor: float) -> HostPath:
    return replace(
        path,
        to_device_bytes_per_s=path.to_device_bytes_per_s * factor,
        to_host_bytes_per_s=path.to_host_bytes_per_s * factor,
        stream_bytes_per_s=path.stream_bytes_per_s * factor,
    )


PCIE = host_path(Catalog.load().get("host", "xeon-8480c"), 4.0)
COHERENT = host_path(Catalog.load().get("host", "grace"), 2.0)


@pytest.mark.parametrize("what", ["optimizer", "activations", "weights"])
@given(a=st.floats(0.0, 1.0), b=st.floats(0.0, 1.0), factor=st.floats(1.0, 8.0))
@settings(deadline=None, max_examples=8)
def test_offload_is_never_faster_and_a_faster_link_never_slower(what: str, a: float, b: float, factor: float) -> None:
    less, more = sorted((a, b))
    low, high = (replace(DENSE, **{f"offload_{what}": share}) for share in (less, more))
    assert step(DENSE) <= step(low, host=PCIE) * EVEN
    assert step(low, host=PCIE) <= step(high, host=PCIE) * EVEN
    assert step(high, host=_faster(PCIE, factor)) <= step(high, host=PCIE) * EVEN


def test_coherent_links_offload_cheaply() -> None:
    moved = replace(FSDP, offload_optimizer=1.0, offload_activations=1.0)
    assert step(moved, host=COHERENT) < step(moved, host=PCIE)
    found = evaluate(LLAMA_405B, H100, moved, host=PCIE)
    assert float(found.offload_s[0]) > 0
    assert found.bound()[0]
    usual = usual_host(GB200)
    assert usual is not None and usual.coherent


def test_adam_on_the_host_by_hand() -> None:
    # One rank owns 405e9 / 1024 parameters: 28 bytes of each over its quarter of the socket's memory, gradients hidden
    found = evaluate(LLAMA_405B, H100, replace(FSDP, offload_optimizer=1.0), host=PCIE)
    owned = 405_849_243_648 / 1024
    by_hand = owned * 28 / (PCIE.stream_bytes_per_s / 4)
    assert float(found.offload_s[0]) == pytest.approx(by_hand, rel=1e-3)
    assert float(found.optimizer_s[0]) == 0


def test_inputs_of_recomputed_layers_move_too() -> None:
    moved = replace(DENSE, recompute=1.0, offload_activations=1.0)
    slow = _faster(PCIE, 1e-3)
    tokens = float(DENSE.micro_batch * DENSE.seq / DENSE.cp)
    inputs = (
        2.0 * 16384 / float(DENSE.tp) * tokens * 126 / float(DENSE.pp)
    )  # of a rank's layers, cut along the sequence
    copies_s = inputs * (1 / slow.to_host_bytes_per_s + 1 / slow.to_device_bytes_per_s)
    assert step(moved, host=slow) > float(DENSE.micro_batches) * copies_s
    assert step(moved, host=slow) > 2 * step(replace(moved, offload_activations=0.0))


def test_gradients_share_the_hosts_memory_with_activations() -> None:
    narrow = replace(PCIE, stream_bytes_per_s=4.0 * PCIE.to_host_bytes_per_s)  # a copy one way takes all of it
    both, one, other = (
        float(evaluate(LLAMA_405B, H100, replace(DENSE, **moved), host=narrow).offload_s[0])
        for moved in (
            {"offload_activations": 1.0, "offload_optimizer": 1.0},
            {"offload_activations": 1.0},
            {"offload_optimizer": 1.0},
        )
    )
    assert both > one + other * (1 - 1e-9)


def test_copies_slow_kernels_that_wait_for_the_chips_memory() -> None:
    endless = _faster(COHERENT, 1e6)  # no copy is waited for
    found = evaluate(LLAMA_405B, H100, replace(DENSE, offload_activations=1.0), host=endless)
    assert 0 < float(found.offload_s[0]) < 0.05 * float(found.step_s[0])


def test_offload_without_a_host_is_told() -> None:
    nowhere = replace(H100, name="nobody's chip")
    with pytest.raises(InputError, match="host"):
        step(replace(DENSE, offload_weights=1.0), nowhere)


# --- sites


@given(km=st.floats(1.0, 5000.0), rate=st.floats(1e9, 1e12), sites=st.sampled_from([2.0, 4.0, 8.0]))
@settings(deadline=None, max_examples=12)
def test_sites_cost_time_and_fewer_exchanges_less(km: float, rate: float, sites: float) -> None:
    apart = replace(DENSE, sites=sites)
    base = step(apart, between=Between(km, rate))
    # Less inside of a site is exchanged than among all ranks, so only the exchange across is compared.
    across = [
        evaluate(LLAMA_405B, H100, replace(apart, local_steps=h), between=Between(km, rate)).site_s[0]
        for h in (1.0, 16.0)
    ]
    assert across[1] == pytest.approx(across[0] / 16)
    assert step(apart, between=Between(km, 2 * rate)) <= base * EVEN
    assert step(apart, between=Between(km / 2, rate)) <= base * EVEN


def test_an_exchange_between_sites_by_hand() -> None:
    # Two sites, no window to hide in: 2 (s - 1) / s = 1 copy of the gradient through the cable, two hops there and back
    found = evaluate(LLAMA_405B, H100, replace(DENSE, sites=2.0, overlap_dp=0.0), between=Between(1000.0, 50e9))
    transfer = 2 * float(shape_of(LLAMA_405B).parameters) / 50e9
    assert transfer < float(found.site_s[0]) < 1.2 * (transfer + 0.02)  # payload over line rate
    with pytest.raises(InputError, match="cables"):
        step(replace(DENSE, sites=2.0))


# --- stages on unlike chips


@given(slow=st.lists(st.floats(1.0, 3.0), min_size=1, max_size=7), layers=st.integers(16, 128))
@settings(deadline=None, max_examples=30)
def test_layers_are_dealt_out_as_well_as_can_be(slow: list[float], layers: int) -> None:
    split = split_layers([1.0, *slow], layers)
    assert sum(split.layers) == layers and min(split.layers) >= 1
    times = np.array([1.0, *slow])
    longest = max(n * t for n, t in zip(split.layers, times, strict=True))
    # No split beats all chips working all the time; nor is this one a layer off it.
    ideal = layers / np.sum(1.0 / times)
    assert ideal <= longest * EVEN
    assert longest <= ideal + times.max()
    assert split.mean <= split.longest * EVEN


def test_a_slow_stage_costs_what_its_layers_do() -> None:
    even = step(DENSE)
    assert step(DENSE, split=split_layers([1.0] * 4, 124)) == pytest.approx(even, rel=0.01)
    assert even < step(DENSE, split=split_layers([1.0, 1.0, 1.0, 2.0], 126)) < 1.35 * even
    with pytest.raises(InputError, match="layers"):
        split_layers([1.0] * 8, 4)


def _micro(device, mapping: Mapping):
    shape, fit = shape_of(LLAMA_405B), load_calibration()
    c = coefficients([Context(device.generation, "16", fit.stack("megatron-tuned"))], fit.parameters)
    machine = machine_of(device, "16")
    sent = messages_of(shape, machine.network, mapping).layers
    return micro_batch_costs(shape, machine, mapping, kernel_times(shape, device, "16", mapping), sent, c)


def test_a_pipeline_over_two_kinds_of_chip() -> None:
    # Three stages of H100 and one of A100: the slow chips take fewer layers, and the step lies between those of each alone
    shape = shape_of(LLAMA_405B)
    old = chip("a100-sxm-80gb")
    fast, slow = (float(layer_seconds(shape, _micro(device, DENSE))[0]) for device in (H100, old))
    split = split_layers([fast, fast, fast, slow], 126)
    assert split.layers[3] < split.layers[0] / 2
    assert step(DENSE) < step(DENSE, split=split) < step(DENSE, old)
    even_cut = Split((32, 32, 31, 31), 31 * slow / (126 / 4 * fast), 1.0)
    assert step(DENSE, split=split) < step(DENSE, split=even_cut)


# --- precision


def test_recipes() -> None:
    for name, recipe in precision_recipes().items():
        device = H100 if recipe.width in ("16", "8") else B200
        assert step(DENSE, device, precision=precision_recipe(name)) > 0
    delayed, current, blocks = (
        evaluate(LLAMA_405B, H100, FSDP, precision_recipe(f"fp8-{n}")) for n in ("delayed", "current", "blockwise")
    )
    usual = evaluate(LLAMA_405B, H100, FSDP, "fp8")
    assert delayed.memory_s[0] == pytest.approx(usual.memory_s[0], rel=1e-12)  # what the constants were fitted to
    assert (
        delayed.memory_s[0] < blocks.memory_s[0] < current.memory_s[0]
    )  # a tensor's own scale needs a pass of its own
    in16 = evaluate(LLAMA_405B, H100, FSDP, "bf16")
    assert delayed.data_s[0] < 0.8 * in16.data_s[0]  # two of three messages in 8 bit
    narrow, mixed = (step(DENSE, B200, precision=p) for p in ("nvfp4", precision_recipe("nvfp4")))
    assert narrow < mixed < step(DENSE, B200, precision="bf16")  # a sixth of the layers stays wide
    with pytest.raises(InputError, match="fp8-current"):
        precision_recipe("fp8-curent")


# --- power of a step


@given(tp=st.sampled_from([2.0, 8.0]), dp=st.sampled_from([4.0, 16.0, 64.0]), mixed=st.booleans())
@settings(deadline=None, max_examples=10)
def test_phases_are_the_step_and_lie_within_the_chip(tp: float, dp: float, mixed: bool) -> None:
    base = MIXED if mixed else DENSE
    mapping = replace(base, tp=tp, dp=dp, chips=tp * dp * base.pp * base.cp)
    steps = evaluate(DEEPSEEK_V3 if mixed else LLAMA_405B, H100, mapping)
    power = step_power(H100, steps)
    phases = power.phases
    assert phases.step_s == pytest.approx(steps.step_s)
    for watts in (phases.working_w, phases.exchanging_w, phases.waiting_w, power.chip_w):
        assert np.all((watts > 0) & (watts <= H100.tdp_w))
    assert np.all(phases.waiting_w <= phases.exchanging_w) and np.all(phases.exchanging_w <= phases.working_w)
    assert power.chip_joules == pytest.approx(power.chip_w * steps.step_s)
    assert power.box_w == pytest.approx(power.chip_w)  # no box is given


def test_a_box_adds_what_stands_beside_its_chips() -> None:
    box = box_from_record(Catalog.load().get("platform", "hgx-h100"), Catalog.load().get("accelerator", "h100-sxm"))
    steps = evaluate(LLAMA_405B, H100, DENSE)
    alone, boxed = step_power(H100, steps), step_power(H100, steps, box=box)
    assert 1.2 < float(boxed.box_w[0] / alone.chip_w[0]) < 2.0
    assert boxed.chip_w == pytest.approx(alone.chip_w)


def test_less_time_for_messages_is_more_watts() -> None:
    hidden, shown = (step_power(H100, evaluate(LLAMA_405B, H100, replace(DENSE, overlap_tp=o))) for o in (1.0, 0.0))
    assert float(hidden.chip_w[0]) > float(shown.chip_w[0])


# --- all together


@given(
    overlap=st.floats(0.0, 1.0),
    less=st.floats(0.0, 1.0),
    factor=st.floats(1.0, 16.0),
    moved=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
    sharding=st.sampled_from([1.0, 2.0, 3.0]),
    batch=st.sampled_from([512.0, 1024.0, 4096.0]),
    sites=st.sampled_from([1.0, 2.0]),
)
@settings(deadline=None, max_examples=40)
def test_longer_messages_and_slower_links_never_save_time(overlap, less, factor, moved, sharding, batch, sites) -> None:
    # What hides behind a layer hides no better for the layer's taking longer.
    base = replace(FSDP, tp=2.0, dp=512.0, sharding=sharding, shard_ranks=64.0, global_batch=batch, sites=sites)
    names = ("offload_optimizer", "offload_activations", "offload_weights")
    base = replace(base, overlap_tp=max(overlap, less), **dict(zip(names, moved, strict=True)))
    usual = step(base, host=PCIE, between=CABLE)
    assert usual <= step(replace(base, overlap_tp=min(overlap, less)), host=PCIE, between=CABLE) * EVEN
    slow = replace(H100, nic_bytes_per_s=H100.nic_bytes_per_s / factor)
    assert usual <= step(base, slow, host=PCIE, between=CABLE) * EVEN
    assert usual <= step(base, host=_faster(PCIE, 1 / factor), between=CABLE) * EVEN

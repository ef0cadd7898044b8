"""Memory of a mapping: published formulas and peaks, laws of every column, what fits."""

import csv
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_models import DEEPSEEK_V3, LLAMA_405B, gpt

from gigawatt.core.errors import InputError
from gigawatt.physics.training import Mapping, memory_of, shape_of
from gigawatt.physics.training.columns import (
    ACTIVATION,
    CORE_ATTENTION,
    DUAL_PIPE,
    EXPERTS,
    GPIPE,
    LATENT_UP,
    MLP,
    NORM,
    ONE_F_ONE_B,
    ULYSSES,
    ZERO_BUBBLE_V,
)
from gigawatt.physics.training.memory.bytes import KINDS, kept_bytes_per_token, total_bytes_of
from gigawatt.physics.training.memory.changes import smallest_change
from gigawatt.physics.training.memory.host import host_bytes_of
from gigawatt.physics.training.memory.parameters import held_parameters
from gigawatt.physics.training.memory.stages import FIRST, LAST, stages_of
from gigawatt.physics.training.precision import precision_recipe, precision_recipes, stack_stored
from gigawatt.physics.training.shape import stack_shapes
from gigawatt.physics.training.step.sharding import shard_ranks
from gigawatt.validation.training_memory import (
    ALLOCATED,
    IN_USE,
    feasibility,
    measured_bytes,
    memory_errors,
    memory_table,
    memory_tolerance,
)

BASE = Mapping(
    chips=128.0,
    tp=8.0,
    pp=1.0,
    vpp=1.0,
    dp=16.0,
    cp=1.0,
    ep=1.0,
    micro_batch=1.0,
    global_batch=512.0,
    seq=4096.0,
)
MODELS = {"dense": LLAMA_405B, "mixture": DEEPSEEK_V3}
# Korthikanti et al. (arXiv 2205.05198) table 3: layers, hidden, heads, pp, micro-batch, all with tp 8 and 2,048 tokens
PAPER = [(48, 6144, 64, 1, 4), (96, 12288, 96, 8, 1), (105, 20480, 128, 35, 1), (128, 25600, 160, 64, 1)]


def total(mapping: Mapping, arch=LLAMA_405B, **more) -> float:
    return float(np.ravel(memory_of(shape_of(arch), mapping, **more).total_bytes)[0])


@pytest.mark.parametrize(("layers", "hidden", "heads", "pp", "micro"), PAPER)
def test_activations_of_the_paper(layers: int, hidden: int, heads: int, pp: int, micro: int) -> None:
    # eq. 1 to 6 of a layer, in units of s b h bytes
    s, a, t = 2048.0, heads, 8.0
    kind = shape_of(gpt(layers, hidden, heads)).kinds[0]
    shape = shape_of(gpt(layers, hidden, heads))

    def units(tp: float, sequence: float, modules: float = 0.0) -> float:
        mapping = replace(BASE, tp=tp, seq=s, sequence_parallel=sequence, modules=modules, micro_batch=float(micro))
        return float(kept_bytes_per_token(kind, shape, mapping, 0.0)) / hidden

    scores = 5.0 * a * s / hidden
    assert units(1.0, 0.0) == pytest.approx(34.0 + scores, rel=0.002)
    assert units(t, 0.0) == pytest.approx(10.0 + 24.0 / t + scores / t, rel=0.002)
    assert units(t, 1.0) == pytest.approx(34.0 / t + scores / t, rel=0.002)
    assert units(t, 1.0, CORE_ATTENTION) == pytest.approx(34.0 / t, rel=0.002)


@pytest.mark.parametrize(("layers", "hidden", "heads", "pp", "micro"), PAPER)
def test_stage_activations_of_the_paper(layers: int, hidden: int, heads: int, pp: int, micro: int) -> None:
    # sec. 4.2.3: the first stage stores L layers' worth, 34 s b h / t each, with sequence parallelism and selective recompute
    mapping = replace(
        BASE, pp=float(pp), dp=1.0, seq=2048.0, modules=CORE_ATTENTION, micro_batch=float(micro), global_batch=1024.0
    )
    shape = shape_of(gpt(layers, hidden, heads))
    found = float(np.ravel(memory_of(shape, mapping, 0.0).activations_bytes)[0])
    assert found == pytest.approx(34.0 * 2048 * micro * hidden / 8.0 * layers, rel=0.01)


@pytest.mark.parametrize("ranks", [1.0, 8.0, 64.0])
def test_states_of_megatron(ranks: float) -> None:
    # Megatron-LM: 18 bytes a parameter of the fullest shard, with its distributed optimizer 6 + 12 / ranks
    shape = shape_of(gpt(96, 12288, 96))
    mapping = replace(BASE, pp=8.0, dp=ranks, global_batch=512.0)
    shard = (12 * 12288**2 * 96 / 8 + 51200 * 12288) / 8
    for sharding, each in ((0.0, 18.0), (1.0, 6.0 + 12.0 / ranks)):
        found = memory_of(shape, replace(mapping, sharding=sharding))
        states = found.weights_bytes + found.gradients_bytes + found.optimizer_bytes
        assert float(np.ravel(states)[0]) == pytest.approx(each * shard, rel=1e-9)


@pytest.fixture(scope="module")
def runs():
    path = Path(os.environ.get("GIGAWATT_TRUTH", "")) / "truth" / "train_truth.csv"
    if not path.is_file():
        pytest.skip("the measured table is not here")
    with path.open(encoding="utf-8") as rows:
        return list(csv.DictReader(rows))


@pytest.fixture(scope="module")
def table(runs):
    return [row for row in runs if measured_bytes(row)]


def test_runs_that_were_published_are_not_refused(runs) -> None:
    share = np.array([found.share for found in feasibility(runs[::4]) if not found.xla])
    assert share.size > 140
    assert np.mean(share <= 1.0) > 0.95 and np.mean(share <= memory_tolerance()) > 0.985


def test_measured_peaks(table) -> None:
    points = [point for point in memory_table(table) if point.kind == ALLOCATED]
    errors = memory_errors(points)
    assert errors.points == 28 and len({point.setting for point in points}) == 12
    assert max(abs(point.error) for point in points) < 0.02  # each setting, of 1 to 8 ranks and 4K to 128K tokens
    assert errors.mape < 0.01 and abs(errors.bias) < 0.005


def test_measured_memory_in_use(table) -> None:
    points = [point for point in memory_table(table) if point.kind == IN_USE]
    errors = memory_errors(points)
    assert errors.points > 60
    assert errors.median < 0.09 and abs(errors.bias) < 0.03
    assert errors.band80 < memory_tolerance() - 1.0 + 0.01
    with pytest.raises(ValueError, match="no points"):
        memory_errors([])


def test_a_prediction_does_not_read_its_notes(table) -> None:
    other = [{**row, "notes": row["notes"].replace("GiB", "GiB") + " x", "measured_value": "1"} for row in table[:3]]
    assert [p.predicted_bytes for p in memory_table(other)] == [p.predicted_bytes for p in memory_table(table[:3])]


@pytest.mark.parametrize("arch", MODELS.values(), ids=MODELS)
@given(
    tp=st.sampled_from([1.0, 2.0, 8.0]),
    pp=st.sampled_from([1.0, 2.0, 7.0, 16.0]),
    ep=st.sampled_from([1.0, 8.0]),
    seq=st.sampled_from([4096.0, 32768.0]),
    sharding=st.sampled_from([0.0, 1.0, 2.0, 3.0]),
    recompute=st.sampled_from([0.0, 0.5, 1.0]),
    modules=st.sampled_from([0.0, NORM, EXPERTS + ACTIVATION]),
)
@settings(deadline=None, max_examples=25)
def test_laws(arch, tp, pp, ep, seq, sharding, recompute, modules) -> None:
    m = replace(
        BASE, tp=tp, pp=pp, ep=ep, seq=seq, sharding=sharding, recompute=recompute, modules=modules, dp=64.0,
        global_batch=1024.0,
    )  # fmt: skip
    here = total(m, arch)
    slack = 1 + 1e-9
    assert total(replace(m, micro_batch=2.0), arch) >= here / slack
    assert total(replace(m, imbalance=1.5), arch) >= here / slack
    assert total(replace(m, dp=128.0), arch) <= here * slack
    assert total(replace(m, cp=2.0), arch) <= here * slack
    if tp < 8:
        assert total(replace(m, tp=tp * 2), arch) <= here * slack
    assert total(replace(m, schedule=GPIPE), arch) >= here / slack
    for share in ("offload_optimizer", "offload_activations"):
        assert total(replace(m, **{share: 0.5}), arch) <= here * slack
    for module in (CORE_ATTENTION, NORM, ACTIVATION, LATENT_UP):
        kept = memory_of(shape_of(arch), replace(m, modules=float(int(modules) | int(module)))).activations_bytes
        assert np.all(kept <= memory_of(shape_of(arch), m).activations_bytes * slack)
    if 1 <= sharding < 3:
        assert total(replace(m, sharding=sharding - 1), arch) >= here / slack
    assert total(replace(m, shard_ranks=8.0), arch) >= here / slack
    assert total(replace(m, lora=1.0), arch) <= here * slack


@pytest.mark.parametrize("arch", MODELS.values(), ids=MODELS)
def test_columns_are_rows(arch) -> None:
    rng = np.random.default_rng(3)
    rows = 40
    columns = {
        "tp": 2.0 ** rng.integers(0, 4, rows), "pp": rng.choice([1.0, 2.0, 4.0, 16.0], rows),
        "vpp": np.ones(rows), "dp": 2.0 ** rng.integers(2, 6, rows), "cp": 2.0 ** rng.integers(0, 3, rows),
        "ep": 2.0 ** rng.integers(0, 4, rows), "micro_batch": 2.0 ** rng.integers(0, 2, rows),
        "recompute": rng.choice([0.0, 0.5, 1.0], rows), "modules": rng.integers(0, 64, rows).astype(float),
        "sharding": rng.integers(0, 4, rows).astype(float), "schedule": rng.choice([0.0, 1.0, 2.0, 4.0], rows),
        "context": rng.choice([0.0, 2.0], rows), "offload_activations": rng.choice([0.0, 0.5], rows),
        "lora": rng.choice([0.0, 1.0], rows), "shard_ranks": rng.choice([0.0, 4.0], rows),
    }  # fmt: skip
    names = list(precision_recipes())
    recipes = [precision_recipe(names[i % len(names)]).stored for i in range(rows)]
    whole = Mapping(chips=1.0, global_batch=512.0, seq=8192.0, **columns)
    shape = shape_of(arch)
    together = memory_of(stack_shapes([shape] * rows), whole, recipe=stack_stored(recipes))
    assert np.allclose(total_bytes_of(shape, whole, recipe=stack_stored(recipes)), together.total_bytes)
    for i in range(rows):
        alone = memory_of(
            shape,
            Mapping(chips=1.0, global_batch=512.0, seq=8192.0, **{k: float(v[i]) for k, v in columns.items()}),
            recipe=recipes[i],
        )
        for kind in KINDS:
            assert float(getattr(alone, f"{kind}_bytes")) == pytest.approx(float(getattr(together, f"{kind}_bytes")[i]))


def test_grids_broadcast() -> None:
    shape = shape_of(LLAMA_405B)
    grid = replace(
        BASE,
        tp=np.array([1.0, 8.0])[:, None, None],
        recompute=np.array([0.0, 1.0])[:, None],
        sharding=np.array([0.0, 1.0, 3.0]),
    )
    found = total_bytes_of(shape, grid)
    assert found.shape == (2, 2, 3)
    one = replace(BASE, tp=8.0, recompute=1.0, sharding=3.0)
    assert float(found[1, 1, 2]) == pytest.approx(total(one))


def test_stages() -> None:
    # DeepSeek-V3 over 16 stages: 61 layers, 4 a stage, three dense ones first
    shape = shape_of(DEEPSEEK_V3)
    stages = stages_of(shape, replace(BASE, pp=16.0))
    assert [np.ravel(count).tolist() for count in stages.counts] == [[3.0, 0.0, 0.0], [1.0, 4.0, 4.0]]
    assert np.ravel(stages.embedding).tolist() == [1.0, 0.0, 0.0] and np.ravel(stages.head).tolist() == [0.0, 0.0, 1.0]
    # 126 layers over 16: embedding and head count as a layer each
    even = stages_of(shape_of(LLAMA_405B), replace(BASE, pp=16.0))
    assert np.ravel(even.counts[0]).tolist() == [7.0, 8.0, 7.0]
    # both ends of a V lie on the first rank
    folded = stages_of(shape, replace(BASE, pp=4.0, vpp=2.0, schedule=ZERO_BUBBLE_V))
    assert np.ravel(folded.head).tolist() == [1.0, 0.0]
    assert np.ravel(stages_of(shape, replace(BASE, pp=4.0)).in_flight).tolist() == [4.0, 3.0, 1.0]
    assert np.ravel(stages_of(shape, replace(BASE, pp=4.0, vpp=2.0)).in_flight).tolist() == [5.5, 4.5, 2.5]
    assert stages_of(shape, BASE).ranks == (FIRST,)
    assert stages_of(shape_of(gpt(96, 12288, 96)), replace(BASE, pp=8.0)).ranks == (FIRST, LAST)


def test_dualpipe_holds_two_stages() -> None:
    shape, m = shape_of(LLAMA_405B), replace(BASE, pp=8.0, dp=2.0)
    one, two = memory_of(shape, m), memory_of(shape, replace(m, schedule=DUAL_PIPE))
    assert float(np.ravel(two.weights_bytes)[0]) == pytest.approx(2 * float(np.ravel(one.weights_bytes)[0]), rel=0.08)
    # the optimizer is sharded over both copies of a stage
    assert float(np.ravel(two.optimizer_bytes)[0]) == pytest.approx(float(np.ravel(one.optimizer_bytes)[0]), rel=0.1)
    assert float(np.ravel(two.activations_bytes)[0]) > float(np.ravel(one.activations_bytes)[0])


def test_shards_lie_where_messages_go() -> None:
    for more in ({}, {"shard_ranks": 8.0}, {"sites": 2.0}, {"etp": 2.0, "cp": 2.0}):
        mapping = replace(BASE, tp=4.0, dp=32.0, ep=8.0, **more)
        shape = shape_of(DEEPSEEK_V3)
        held = held_parameters(shape, mapping, stages_of(shape, mapping))
        ranks = shard_ranks(mapping)
        assert float(held.dense_cut) == float(ranks.dense) and float(held.expert_cut) == float(ranks.expert)


def test_recipes_store_less() -> None:
    shape = shape_of(LLAMA_405B)
    kept = {name: float(memory_of(shape, BASE, recipe=name).activations_bytes) for name in precision_recipes()}
    assert (
        kept["nvfp4"]
        < kept["fp8-delayed"]
        == kept["fp8-current"]
        < kept["mxfp8"]
        == kept["fp8-blockwise"]
        < kept["bf16"]
    )
    states = {name: float(memory_of(shape, BASE, recipe=name).optimizer_bytes) for name in precision_recipes()}
    assert states["fp8-blockwise"] == pytest.approx(states["bf16"] * 8 / 12)
    with pytest.raises(InputError, match="nvfp4"):
        precision_recipe("nvfp5")


def test_exchanged_heads_are_kept_twice() -> None:
    # 16-bit attention output before and after the exchange: h bytes times two a token and layer
    shape, m = shape_of(LLAMA_405B), replace(BASE, cp=4.0, dp=4.0)
    more = memory_of(shape, replace(m, context=ULYSSES)).activations_bytes - memory_of(shape, m).activations_bytes
    assert float(more) == pytest.approx(2.0 * 16384 / 8 * 1024 * 126)


def test_expert_tensor_parallelism_gathers_rows() -> None:
    shape, m = shape_of(DEEPSEEK_V3), replace(BASE, tp=4.0, dp=32.0, ep=8.0)
    cut = replace(m, etp=4.0)
    kind = shape.kinds[-1]
    more = kept_bytes_per_token(kind, shape, cut, 1.0) - kept_bytes_per_token(kind, shape, m, 1.0)
    assert float(more) == pytest.approx(2.0 * 8 * 7168 * (1.0 - 0.25))  # rows of eight experts, on all of four ranks


def test_a_fused_loss_saves_the_logits() -> None:
    shape = shape_of(LLAMA_405B)
    apart, fused = (memory_of(shape, BASE, fused_loss=f).head_bytes for f in (0.0, 1.0))
    assert float(apart - fused) == pytest.approx(4.0 * 4096 * 128256 / 8)


@pytest.mark.parametrize("arch", MODELS.values(), ids=MODELS)
@given(
    tp=st.sampled_from([1.0, 4.0]),
    pp=st.sampled_from([1.0, 4.0]),
    share=st.floats(0.3, 0.98),
    modules=st.sampled_from([0.0, MLP]),
)
@settings(deadline=None, max_examples=15)
def test_changes_fit(arch, tp: float, pp: float, share: float, modules: float) -> None:
    m = replace(BASE, tp=tp, pp=pp, dp=32.0, micro_batch=2.0, modules=modules, schedule=ONE_F_ONE_B)
    shape = shape_of(arch)
    room = share * total(m, arch)
    gap = smallest_change(shape, m, room)
    assert gap.over_bytes == pytest.approx(total(m, arch) - room)
    assert sum(gap.kinds.values()) == pytest.approx(room + gap.over_bytes)
    assert gap.kinds[gap.largest] == max(gap.kinds.values()) and gap.largest in str(gap)
    columns = {"recomputed modules": "modules", "share of layers recomputed": "recompute", "ZeRO stage": "sharding",
               "micro-batch": "micro_batch", "share of the optimizer in host memory": "offload_optimizer",
               "share of the activations in host memory": "offload_activations"}  # fmt: skip
    for way in gap.changes:
        if all(change.limit in columns for change in way):
            changed = replace(m, **{columns[change.limit]: change.needed for change in way})
            assert total(changed, arch) <= room


def test_the_host_holds_what_leaves_the_chip() -> None:
    shape = shape_of(LLAMA_405B)
    assert float(host_bytes_of(shape, BASE)) == 0
    optimizer = replace(BASE, offload_optimizer=1.0)
    left = float(memory_of(shape, BASE).optimizer_bytes)
    assert float(host_bytes_of(shape, optimizer)) == pytest.approx(left * 16 / 12)
    half, whole = (float(host_bytes_of(shape, replace(BASE, offload_activations=s))) for s in (0.5, 1.0))
    assert 2 * half == whole == pytest.approx(float(memory_of(shape, BASE).activations_bytes))
    spared = float(host_bytes_of(shape, replace(BASE, offload_activations=1.0, recompute=1.0)))
    assert spared < 0.2 * whole
    room = 0.9 * total(BASE, LLAMA_405B)
    near, far = (smallest_change(shape, BASE, room, host_bytes=size) for size in (1e6, 1e15))
    named = [{change.limit for way in gap.changes for change in way} for gap in (near, far)]
    assert not any("host" in name for name in named[0]) and any("host" in name for name in named[1])


def test_what_fits_and_what_never_does() -> None:
    shape = shape_of(LLAMA_405B)
    assert "to spare" in str(smallest_change(shape, BASE, 1e15))
    never = smallest_change(shape, BASE, 1e9, max_chips=128.0, host_bytes=0.0)
    assert never.changes == () and "no change" in str(never)


def test_llama_405b_as_published_fits_without_recompute() -> None:
    # Llama 3 report (arXiv 2407.21783) sec. 3.3.2: 8K tokens, tp 8, pp 16, dp 128 on 80 GB, gradients sharded, nothing
    # recomputed
    m = replace(BASE, pp=16.0, dp=128.0, seq=8192.0, global_batch=2048.0, sharding=2.0)
    assert 0.8 * 80e9 < total(m) < 85e9
    assert total(replace(m, seq=16384.0)) > 1.4 * 80e9

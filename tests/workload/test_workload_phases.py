"""Laws of the phases of use: passes, messages, memory, speculation, recomputation, the optimizer."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.workload import (
    AdamWidths,
    Architecture,
    Widths,
    embedding,
    expected_imbalance,
    forward_flops,
    from_config,
    gradient_messages,
    kv_bytes_per_token,
    messages,
    mtp_module,
    mtp_parameters,
    operators,
    optimizer_operators,
    parameters,
    recomputed,
    serving_memory,
    speculative_step,
    stacked,
    tokens_per_step,
    weight_bytes,
)

NAMES = ("llama3-8b", "gemma2-9b", "deepseek-v3", "deepseek-v3.2", "qwen3-next-80b-a3b", "jamba-52b", "mamba2-2.7b")
MOE = ("deepseek-v3", "deepseek-v3.2", "qwen3-30b-a3b", "mixtral-8x7b", "gpt-oss-120b")


@cache
def model(name: str) -> Architecture:
    return from_config(name, Catalog.load().get("model", name).config)


@pytest.mark.parametrize("name", [*NAMES, "kimi-linear-48b-a3b", "whisper-large-v3"])
@settings(max_examples=8, deadline=None)
@given(tokens=st.integers(1, 400), batch=st.integers(1, 64))
def test_flops_are_linear_in_the_batch(name: str, tokens: int, batch: int) -> None:
    arch = model(name)
    assert forward_flops(arch, tokens, batch) == pytest.approx(batch * forward_flops(arch, tokens), rel=1e-12)
    table = operators(arch, "forward", tokens=tokens, batch=[1, batch])
    assert table.total_flops[1] == pytest.approx(batch * table.total_flops[0], rel=1e-9)


@pytest.mark.parametrize(
    "name", ["llama3-8b", "gemma2-9b", "gpt-oss-20b", "deepseek-v3", "deepseek-v3.2", "llama4-scout"]
)
@settings(max_examples=12, deadline=None)
@given(past=st.integers(1, 12000), new=st.integers(1, 300))
def test_new_tokens_after_a_cache_cost_the_difference_of_two_prompts(name: str, past: int, new: int) -> None:
    arch = model(name)
    whole, first = forward_flops(arch, past + new), forward_flops(arch, past)
    assert forward_flops(arch, new, past=past) == whole - first


@pytest.mark.parametrize("name", ["llama3-8b", "qwen3-32b", "mixtral-8x7b", "gemma2-9b"])
@pytest.mark.parametrize("phase", ["forward", "backward", "prefill", "decode"])
def test_tensor_parallel_shares_of_matrix_products_add_up(name: str, phase: Any) -> None:
    arch = model(name)
    whole = operators(arch, phase, tokens=64, batch=3, past=0)
    share = operators(arch, phase, tokens=64, batch=3, past=0, tp=4, ep=1)
    for family in ("gemm", "head", "moe_gemm"):
        a, b = whole.where(family), share.where(family)
        cut = np.array([n not in ("router", "router.dgrad", "router.wgrad") for n in a.name], dtype=bool)
        ours = (b.flops * b.count[:, None])[cut] * 4
        np.testing.assert_allclose(ours, (a.flops * a.count[:, None])[cut], rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(k=st.integers(1, 7), tokens=st.integers(1, 200))
def test_more_experts_a_token_never_cost_less(k: int, tokens: int) -> None:
    base = Catalog.load().get("model", "qwen3-30b-a3b").config
    few, more = (from_config("m", {**base, "num_experts_per_tok": n}) for n in (k, k + 1))
    assert forward_flops(more, tokens) > forward_flops(few, tokens)
    one, two = (operators(arch, "decode", batch=tokens, ep=4) for arch in (few, more))
    assert (two.total_flops >= one.total_flops).all() and (two.total_bytes >= one.total_bytes).all()


@pytest.mark.parametrize("name", MOE)
def test_the_busiest_expert_place_works_its_imbalance_more(name: str) -> None:
    arch, ep = model(name), 4
    table = operators(arch, "prefill", tokens=512, batch=1, ep=ep, imbalance=[1.0, 1.5, 3.0, 100.0])
    work = (table.where("moe_gemm").flops * table.where("moe_gemm").count[:, None]).sum(axis=0)
    np.testing.assert_allclose(work[:3] / work[0], [1.0, 1.5, 3.0], rtol=1e-12)
    assert work[3] == pytest.approx(ep * work[0], rel=1e-12)  # all rows in one place is the most there can be
    alone = operators(arch, "prefill", tokens=512, imbalance=7.0).total_flops
    assert alone == pytest.approx(operators(arch, "prefill", tokens=512).total_flops)
    with pytest.raises(InputError, match="at least 1"):
        operators(arch, "prefill", tokens=512, imbalance=0.5)


@pytest.mark.parametrize(
    ("rows", "experts", "top_k", "ep"), [(512, 256, 8, 32), (4096, 256, 8, 32), (256, 64, 6, 8), (100, 8, 2, 4)]
)
def test_even_routing_is_as_uneven_as_dice(rows: int, experts: int, top_k: int, ep: int) -> None:
    dice = np.random.default_rng(7)
    busiest = []
    for _ in range(150):
        chosen = dice.random((rows, experts)).argpartition(top_k, axis=1)[:, :top_k] * ep // experts
        busiest.append(np.bincount(chosen.ravel(), minlength=ep).max() * ep / (rows * top_k))
    assert expected_imbalance(rows, experts, top_k, ep) - 1 == pytest.approx(np.mean(busiest) - 1, rel=0.12)


def test_imbalance_grows_with_skew_and_shrinks_with_rows() -> None:
    rows = np.array([1, 10, 100, 1e4, 1e9])
    made = expected_imbalance(rows, 256, 8, 32)
    assert (np.diff(made) < 0).all() and made[-1] == pytest.approx(1, abs=1e-3) and (made <= 32).all()
    assert expected_imbalance(1e9, 256, 8, 32, skew=0.5) > expected_imbalance(1e9, 256, 8, 32, skew=0.1) > made[-1]
    with pytest.raises(InputError) as caught:
        expected_imbalance(0, 256, 8, 33, skew=-1)
    assert len(caught.value.problems) == 3


def test_multi_token_prediction_adds_its_module() -> None:
    arch = model("deepseek-v3")
    assert arch.mtp_layers == 1
    module = mtp_parameters(arch)
    # Published: 671 B of the model and 14 B of the module, whose checkpoint repeats embedding and head.
    assert module + 2 * arch.vocab * arch.hidden == pytest.approx(14e9, rel=0.05)
    assert parameters(arch) == 671_026_404_352
    assert mtp_parameters(model("llama3-8b")) == 0
    assert forward_flops(arch, 64, mtp=1) == forward_flops(arch, 64) + forward_flops(mtp_module(arch), 64)
    with_mtp, without = (operators(arch, "forward", tokens=64, mtp=n) for n in (1, 0))
    assert with_mtp.total_flops > without.total_flops and len(with_mtp) > len(without)
    assert "mtp_join" in with_mtp.name and "mtp_join" not in without.name
    with pytest.raises(InputError, match="predicts no tokens"):
        mtp_module(model("siglip-so400m-384"))


@given(a=st.floats(0, 1), k=st.integers(0, 12))
def test_tokens_of_a_step_lie_between_one_and_all(a: float, k: int) -> None:
    made = tokens_per_step(a, k)
    assert 1.0 <= made <= k + 1 + 1e-9
    assert made == pytest.approx(sum(a**i for i in range(k + 1)), rel=1e-6)


def test_a_speculative_step_is_its_drafts_and_its_check() -> None:
    arch, draft = model("llama3-70b"), model("llama3-8b")
    step = speculative_step(arch, 3, draft, batch=[1, 8], past=1000, tp=8)
    check = operators(arch, "decode", tokens=4, batch=[1, 8], past=1000, tp=8)
    drafts = sum(operators(draft, "decode", batch=[1, 8], past=1000 + i, tp=8).total_flops for i in range(3))
    np.testing.assert_allclose(step.total_flops, check.total_flops + drafts, rtol=1e-12)
    own = speculative_step(model("deepseek-v3"), 1, batch=1, past=1000, ep=8)
    assert "mtp_join" in own.name
    with pytest.raises(InputError):
        speculative_step(arch, 0, draft)
    with pytest.raises(InputError) as caught:
        tokens_per_step(1.2, -1)
    assert len(caught.value.problems) == 2


def test_recomputation_runs_nothing_the_cheap_parts_or_all_layers() -> None:
    arch = model("llama3-8b")
    forward = operators(arch, "forward", tokens=2048)
    assert len(recomputed(forward, "none")) == 0
    full, cheap = recomputed(forward, "full"), recomputed(forward, "selective")
    head = forward.where("head").flops[0, 0]
    assert full.total_flops[0] == pytest.approx(forward.total_flops[0] - head)
    assert cheap.total_flops[0] == 0 and 0 < cheap.total_bytes[0] < full.total_bytes[0]
    assert set(cheap.family) == {"elementwise"} and "rotary" not in cheap.name
    with pytest.raises(InputError, match="selective"):
        recomputed(forward, "selectiv")


def test_adam_reads_and_writes_its_state() -> None:
    table = optimizer_operators([1e9, 2e9])
    assert AdamWidths().state == 12
    np.testing.assert_allclose(table.total_bytes, [30e9, 60e9])  # 12 + 4 read, 12 + 2 written a parameter
    assert table.total_flops[1] == 2 * table.total_flops[0] > 0
    with pytest.raises(InputError):
        optimizer_operators(-1)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(tokens=st.integers(1, 4000), more=st.integers(1, 4000), batch=st.integers(1, 30))
def test_memory_never_falls_with_batch_or_sequence(name: str, tokens: int, more: int, batch: int) -> None:
    arch = model(name)
    got = serving_memory(arch, tokens=[tokens, tokens + more, tokens], batch=[batch, batch, batch + 1])
    assert got.total_bytes[1] >= got.total_bytes[0] and got.total_bytes[2] > got.total_bytes[0]


def test_memory_of_one_chip_is_the_whole_model_and_its_cache() -> None:
    arch = model("llama3-8b")
    got = serving_memory(arch, tokens=1000, batch=[1, 4], new_tokens=1)
    assert got.parameters[0] == parameters(arch)
    assert got.weights_bytes[0] == sum(weight_bytes(arch).values())
    assert got.cache_bytes[1] == 4 * 1000 * kv_bytes_per_token(arch)
    assert serving_memory(model("deepseek-v3"), tokens=10).cache_bytes[0] == 10 * 61 * 576 * 2
    assert serving_memory(model("mamba2-2.7b"), tokens=[10, 1000]).state_bytes.std() == 0


def test_layouts_divide_what_they_cut() -> None:
    arch = model("llama3-70b")
    one, eight = (serving_memory(arch, tokens=4096, tp=tp) for tp in (1, 8))
    assert one.weights_bytes[0] / 8 == pytest.approx(eight.weights_bytes[0], rel=0.001)  # norms are whole everywhere
    pipe, share = serving_memory(arch, tokens=4096, tp=8, pp=8), one.weights_bytes[0] / 64
    assert share < pipe.weights_bytes[0] < share + 2 * arch.vocab * arch.hidden / 8
    assert pipe.cache_bytes[0] == pytest.approx(eight.cache_bytes[0] / 8)
    # GQA's eight heads of keys cannot be cut finer than eight ways; a latent is whole on every chip.
    caches = [serving_memory(arch, tokens=100, tp=tp).cache_bytes[0] for tp in (1, 8, 16)]
    assert caches[0] / 8 == caches[1] == caches[2]
    shared = [serving_memory(model("deepseek-v3"), tokens=100, tp=tp, ep=8).cache_bytes[0] for tp in (1, 8)]
    assert shared[0] == shared[1]


def test_experts_are_cut_by_expert_ranks_alone() -> None:
    arch = model("deepseek-v3")
    one, cut = (serving_memory(arch, tokens=1, ep=ep).parameters[0] for ep in (1, 64))
    assert one - cut == pytest.approx(58 * 256 * (1 - 1 / 64) * 3 * 7168 * 2048, rel=1e-9)


def test_impossible_uses_are_refused() -> None:
    arch = model("llama3-8b")
    for wrong in ({"tokens": 0}, {"tokens": 8, "batch": 0}, {"tokens": 8, "tp": 3}, {"tokens": 8, "pp": 64}):
        with pytest.raises(InputError):
            serving_memory(arch, **wrong)
    with pytest.raises(InputError, match="not possible"):
        messages(arch, "forward", tokens=8, pp=99)


def test_one_chip_sends_nothing() -> None:
    for phase in ("forward", "backward", "prefill", "decode"):
        assert len(messages(model("deepseek-v3"), phase, tokens=8)) == 0
    assert len(gradient_messages(1e9, 1)) == 0


def test_a_tensor_parallel_layer_reduces_twice() -> None:
    arch = model("llama3-70b")
    got = messages(arch, "forward", tokens=4096, batch=[1, 2], tp=8)
    blocks = got.count[np.isin(got.name, ("out", "down"))].sum()
    assert blocks == 2 * arch.layers
    size = 4096 * arch.hidden * 2
    assert got.total_bytes[0] == (2 * arch.layers + 1) * size and got.total_bytes[1] == 2 * got.total_bytes[0]
    split = messages(arch, "forward", tokens=4096, tp=8, sequence_parallel=True)
    assert {"reduce_scatter", "all_gather"} < set(split.kind)
    # An all-reduce moves what a reduce-scatter and an all-gather move together.
    assert split.where("tp").count[split.kind == "reduce_scatter"].sum() == 2 * arch.layers
    back = messages(arch, "backward", tokens=4096, tp=8, sequence_parallel=True)
    assert back.total_bytes[0] > split.total_bytes[0]


def test_experts_are_reached_by_two_exchanges_a_layer() -> None:
    arch, ep = model("deepseek-v3"), 32
    got = messages(arch, "decode", batch=128, ep=ep, widths=Widths(activations=1.0))
    assert list(got.kind) == ["all_to_all", "all_to_all"] and set(got.count) == {58.0}
    copies = ep * (1 - (1 - 1 / ep) ** 8)
    assert got.bytes[0, 0] == pytest.approx(128 * copies * 7168)
    assert messages(arch, "decode", batch=128, ep=ep, imbalance=2.0).total_bytes[0] == pytest.approx(
        2 * messages(arch, "decode", batch=128, ep=ep).total_bytes[0]
    )


def test_cut_experts_share_one_sum_a_row() -> None:
    arch = model("mixtral-8x7b")
    got = messages(arch, "prefill", tokens=100, tp=8)
    sums = got.name == "expert_sum"
    assert got.bytes[sums][0, 0] == 100 * arch.hidden * 2 and got.count[sums][0] == 32  # not top_k of them
    both = messages(arch, "prefill", tokens=100, tp=8, ep=4, moe_tp=2)
    assert {"dispatch", "combine", "expert_sum"} < set(both.name)


def test_stages_pass_rows_on_and_replicas_share_gradients() -> None:
    arch = model("llama3-8b")
    forward, backward = (messages(arch, phase, tokens=100, pp=4).where("pp") for phase in ("forward", "backward"))
    assert forward.bytes[0, 0] == 100 * 4096 * 2 == backward.bytes[0, 0] and forward.kind[0] == "send_recv"
    assert list(gradient_messages(1e9, 8).kind) == ["reduce_scatter", "all_gather"]
    assert gradient_messages(1e9, 8, sharded=False).total_bytes[0] == 4e9


def test_sparse_attention_sees_no_more_keys_than_it_chooses() -> None:
    sparse, dense = model("deepseek-v3.2"), model("deepseek-v3")
    short, long = (operators(sparse, "decode", past=p).where("attention_decode") for p in (2047, 131071))
    chosen = short.name == "mla_sparse"
    assert short.flops[chosen][0, 0] == long.flops[chosen][0, 0]
    index = long.name == "index"
    assert long.flops[index][0, 0] == 2 * 64 * (128 + 1) * 131072  # scores, and their weighted sum over heads
    far = {"past": 131071, "batch": 32, "ep": 32}
    assert operators(sparse, "decode", **far).total_flops < operators(dense, "decode", **far).total_flops
    assert operators(sparse, "decode", **far).total_bytes < operators(dense, "decode", **far).total_bytes


def test_an_embedding_is_a_pass_without_a_head() -> None:
    arch = model("qwen3-8b")
    table = embedding(arch, tokens=512, batch=[1, 2])
    assert len(table.where("head")) == 0
    whole = operators(arch, "forward", tokens=512)
    assert table.total_flops[0] == pytest.approx(whole.total_flops[0] - whole.where("head").flops[0, 0])


def test_tables_of_different_points_are_stacked_or_refused() -> None:
    arch = model("llama3-8b")
    one, two = operators(arch, "decode"), operators(arch, "decode", batch=[1, 2])
    assert stacked((one, two)).points == 2
    assert stacked((one, one)).total_flops[0] == one.repeated(2).total_flops[0]
    with pytest.raises(ValueError):
        stacked((two, operators(arch, "decode", batch=[1, 2, 3])))

"""Operators: they add up to the whole, shards add up to the whole, backward is twice forward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_workload_flops import MODELS

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.workload import OperatorTable, Widths, forward_flops, from_config, kv_values, operators

GEMMS = ("gemm", "moe_gemm", "head")
names = st.sampled_from(sorted(MODELS))


def _sum(table: OperatorTable, *kinds: str) -> Any:
    return table.where(*kinds).total_flops


@settings(max_examples=60)
@given(names, st.integers(1, 200), st.integers(1, 9))
def test_forward_operators_add_up_to_the_models_flops(name: str, tokens: int, batch: int) -> None:
    table = operators(MODELS[name], "forward", tokens=tokens, batch=batch)
    assert table.total_flops[0] == pytest.approx(forward_flops(MODELS[name], tokens, batch), rel=1e-9)


def test_operators_of_every_catalog_model_add_up() -> None:
    catalog = Catalog.load()
    for name in catalog.ids("model"):
        arch = from_config(name, catalog.get("model", name).config)
        tokens = arch.sample_tokens or 128
        table = operators(arch, "forward", tokens=tokens, batch=2)
        assert table.total_flops[0] == pytest.approx(forward_flops(arch, tokens, 2), rel=1e-9), name
        assert np.all(table.bytes_read > 0) and np.all(table.bytes_written > 0), name


@settings(max_examples=60)
@given(names, st.integers(1, 64), st.integers(1, 9), st.integers(0, 300))
def test_prefill_runs_the_head_once(name: str, tokens: int, batch: int, past: int) -> None:
    arch = MODELS[name]
    table = operators(arch, "prefill", tokens=tokens, batch=batch, past=past)
    wanted = forward_flops(arch, tokens, batch, past=past, logits="last")
    assert table.total_flops[0] == pytest.approx(wanted, rel=1e-9)


@settings(max_examples=40)
@given(names, st.integers(1, 200))
def test_backward_is_twice_the_forward_products(name: str, tokens: int) -> None:
    forward = operators(MODELS[name], "forward", tokens=tokens)
    backward = operators(MODELS[name], "backward", tokens=tokens)
    assert _sum(backward, *GEMMS)[0] == pytest.approx(2 * _sum(forward, *GEMMS)[0], rel=1e-12)
    assert _sum(backward, "attention_prefill")[0] == pytest.approx(2.5 * _sum(forward, "attention_prefill")[0])


@pytest.mark.parametrize("phase", ["forward", "prefill", "decode"])
@pytest.mark.parametrize("tp", [2, 4, 8])
def test_shards_sum_to_the_whole(phase: Any, tp: int) -> None:
    """Cut matrices and heads divide exactly; replicated ones (router, low-rank down-projections) do not shrink."""
    for name in ("llama", "gemma2", "mla"):
        whole = operators(MODELS[name], phase, tokens=7, batch=3, past=5, moe_tp=1)
        shard = operators(MODELS[name], phase, tokens=7, batch=3, past=5, tp=tp)
        assert whole.name.tolist() == shard.name.tolist()
        same = np.isin(whole.name, ("router", "q_down", "kv_down"))
        ratio = (shard.flops * shard.experts)[:, 0] / np.maximum((whole.flops * whole.experts)[:, 0], 1e-9)
        counted = whole.flops[:, 0] > 0
        assert ratio[counted & same] == pytest.approx(1.0)
        assert ratio[counted & ~same] == pytest.approx(1 / tp)


@settings(max_examples=40)
@given(st.sampled_from([(1, 1), (1, 2), (2, 4), (4, 8), (1, 8), (2, 2)]), st.integers(1, 500))
def test_expert_places_sum_to_the_whole(layout: tuple[int, int], tokens: int) -> None:
    """All chips of a layout together do the experts' work of all their attention groups' tokens, once."""
    tp, ep = layout
    one = operators(MODELS["mla"], "forward", tokens=tokens)
    each = operators(MODELS["mla"], "forward", tokens=tokens, tp=tp, ep=ep)
    cut = max(tp // ep, 1)
    groups = ep * cut // tp
    assert _sum(each, "moe_gemm")[0] * ep * cut == pytest.approx(groups * _sum(one, "moe_gemm")[0], rel=1e-9)


def test_experts_touched_grow_to_all_of_them() -> None:
    arch = MODELS["mla"]
    table = operators(arch, "decode", batch=np.array([1, 4, 4096])).where("moe_gemm")
    assert table.experts[0, 0] == pytest.approx(2.0)  # one token meets its top_k
    assert table.experts[0, 2] == pytest.approx(8.0)
    assert np.all(np.diff(table.experts[0]) > 0) and np.all(table.experts * table.m >= 1.0)


def test_decode_reads_the_cache_once() -> None:
    width = Widths(activations=0.0, weights=0.0, high=0.0, head=0.0)
    for name in ("llama", "gemma2", "mla"):
        arch = MODELS[name]
        table = operators(arch, "decode", batch=5, past=np.array([3.0, 99.0]), widths=width).where("attention_decode")
        read = (table.bytes_read * table.count[:, None]).sum(axis=0)
        assert read.tolist() == pytest.approx([5 * 2 * kv_values(arch, 4), 5 * 2 * kv_values(arch, 100)])


def test_mla_decodes_on_its_latent() -> None:
    row = operators(MODELS["mla"], "decode", past=99).where("attention_decode")
    assert (row.k[0, 0], row.kv_heads[0, 0]) == (32 + 8, 1.0)
    assert row.flops[0, 0] == 100 * 2 * 8 * (2 * 32 + 8)


def test_weights_are_read_in_their_width() -> None:
    arch = MODELS["llama"]
    quiet: dict[str, float] = {"activations": 0.0, "kv": 0.0}
    wide = operators(arch, "decode", widths=Widths(**quiet)).where("gemm")
    narrow = operators(arch, "decode", widths=Widths(weights=0.5, **quiet)).where("gemm")
    assert wide.total_bytes[0] == 4 * narrow.total_bytes[0]


def test_points_are_independent() -> None:
    batch, past = np.array([1, 8, 64]), np.array([10, 200, 3000])
    for arch in MODELS.values():
        many = operators(arch, "decode", batch=batch, past=past)
        for i in range(3):
            one = operators(arch, "decode", batch=int(batch[i]), past=int(past[i]))
            assert np.allclose(many.flops[:, i], one.flops[:, 0]) and np.allclose(
                many.bytes_read[:, i], one.bytes_read[:, 0]
            )


def test_context_of_an_encoder_is_projected_once() -> None:
    whisper = from_config(
        "w",
        {
            "model_type": "whisper",
            "d_model": 64,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 128,
            "decoder_ffn_dim": 128,
            "num_mel_bins": 16,
            "max_source_positions": 50,
            "vocab_size": 100,
        },
    )
    prefill, decode = operators(whisper, "prefill", tokens=4), operators(whisper, "decode", past=4)
    assert "cross_kv" in prefill.name and "cross_kv" not in decode.name
    assert decode.where("attention_decode").length.ravel().tolist() == [5.0, 50.0]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"tp": 3}, "not divisible"),
        ({"tp": 0}, "at least 1"),
        ({"ep": 3}, "8 experts"),
        ({"ep": 1, "tp": 4, "moe_tp": 2}, "no multiple"),
        ({"batch": 0}, "one sequence"),
        ({"tokens": 0}, "one token"),
    ],
)
def test_what_does_not_fit_is_refused(more: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        operators(MODELS["mla"], "forward", **{"tokens": 8, **more})


def test_an_unknown_phase_is_refused() -> None:
    with pytest.raises(InputError, match="phase"):
        operators(MODELS["llama"], "sideways", tokens=1)  # type: ignore[arg-type]

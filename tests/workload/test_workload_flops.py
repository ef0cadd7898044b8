"""Laws of the counts: more is never less, causal is at most full, chunks and windows agree with brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.physics.workload import (
    Architecture,
    activation_bytes_per_token_layer,
    forward_flops,
    from_config,
    kv_bytes_per_token,
    kv_values,
    kv_values_per_token,
    layer_summary,
    state_bytes,
    state_values,
)
from gigawatt.physics.workload.attended import chunked_pairs, windowed_pairs

LLAMA: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}
MLA: dict[str, Any] = {
    "model_type": "deepseek_v3",
    "hidden_size": 64,
    "intermediate_size": 128,
    "moe_intermediate_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "n_shared_experts": 1,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "first_k_dense_replace": 1,
    "kv_lora_rank": 32,
    "q_lora_rank": 48,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "v_head_dim": 16,
    "vocab_size": 100,
}
MAMBA2: dict[str, Any] = {
    "model_type": "mamba2",
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_heads": 8,
    "head_dim": 16,
    "state_size": 32,
    "chunk_size": 16,
    "vocab_size": 100,
}
DELTA: dict[str, Any] = dict(
    LLAMA,
    model_type="qwen3_next",
    head_dim=16,
    linear_num_value_heads=4,
    linear_num_key_heads=2,
    linear_key_head_dim=16,
    linear_value_head_dim=16,
    num_experts=4,
    num_experts_per_tok=2,
    moe_intermediate_size=16,
    shared_expert_intermediate_size=16,
)
MODELS: dict[str, Architecture] = {
    "llama": from_config("llama", LLAMA),
    "gemma2": from_config("gemma2", {**LLAMA, "model_type": "gemma2", "sliding_window": 8}),
    "mla": from_config("mla", MLA),
    "mamba2": from_config("mamba2", MAMBA2),
    "delta": from_config("delta", DELTA),
}
names = st.sampled_from(sorted(MODELS))
sizes = st.integers(1, 300)


@given(names, sizes, sizes, st.integers(1, 5))
def test_more_tokens_are_never_fewer_flops(name: str, a: int, b: int, batch: int) -> None:
    arch = MODELS[name]
    low, high = sorted((a, b))
    for rule in ("engine", "oracle"):
        assert forward_flops(arch, low, batch, rule) <= forward_flops(arch, high, batch, rule)
        assert forward_flops(arch, low, batch, rule) == batch * forward_flops(arch, low, 1, rule)


@given(st.sampled_from(["llama", "gemma2", "mla", "mamba2"]), sizes)
def test_causal_is_at_most_full(name: str, tokens: int) -> None:
    arch = MODELS[name]
    engine, oracle = forward_flops(arch, tokens), forward_flops(arch, tokens, rule="oracle")
    # A scan of few tokens may cost more than the counter's products, since the counter leaves its elementwise part out.
    assert engine <= oracle or (name == "mamba2" and tokens < 16)


@given(names, sizes, sizes)
def test_a_prompt_costs_the_same_in_two_pieces(name: str, first: int, second: int) -> None:
    arch = MODELS[name]
    whole = forward_flops(arch, first + second)
    parts = forward_flops(arch, first) + forward_flops(arch, second, past=first)
    assert parts == pytest.approx(whole, rel=1e-12)


@given(sizes, st.integers(1, 64), st.integers(0, 200))
def test_windowed_pairs_equal_a_count_by_hand(queries: int, window: int, past: int) -> None:
    positions = range(past + 1, past + queries + 1)
    assert windowed_pairs(queries, window, past) == sum(min(p, window) for p in positions)
    assert chunked_pairs(queries, window, past) == sum((p - 1) % window + 1 for p in positions)


def test_arrays_equal_their_elements() -> None:
    tokens, batch = np.array([3, 70, 200]), np.array([1, 4, 2])
    for arch in MODELS.values():
        for rule in ("engine", "oracle"):
            made = forward_flops(arch, tokens, batch, rule)
            single = [forward_flops(arch, int(t), int(b), rule) for t, b in zip(tokens, batch, strict=True)]
            assert made.tolist() == single


def test_long_contexts_do_not_overflow() -> None:
    arch = from_config("big", {**LLAMA, "hidden_size": 16384, "num_attention_heads": 128, "num_hidden_layers": 126})
    one = forward_flops(arch, 4_000_000, 64)
    many = forward_flops(arch, np.array([4_000_000]), np.array([64]))
    assert one > 2.0**63 and many[0] == pytest.approx(one, rel=1e-12)


def test_engine_flops_of_llama_by_hand() -> None:
    # 2 FLOPs an entry of qkv, out, gate-up, down and head; 4 h a pair, S (S + 1) / 2 pairs a layer.
    s, h = 10, 64
    matrices = 4 * (64 * (64 + 2 * 16) + 64 * 64 + 3 * 64 * 160) + 64 * 100
    assert forward_flops(MODELS["llama"], s) == 2 * s * matrices + 4 * 4 * h * (s * (s + 1) // 2)


def test_last_logits_only() -> None:
    arch = MODELS["llama"]
    assert forward_flops(arch, 10) - forward_flops(arch, 10, logits="last") == 9 * 2 * 64 * 100


@pytest.mark.parametrize(("tokens", "batch"), [(0, 1), (4, 0), (-1, 1)])
def test_nothing_to_do_is_refused(tokens: int, batch: int) -> None:
    with pytest.raises(InputError):
        forward_flops(MODELS["llama"], tokens, batch)


def test_beyond_learned_positions_is_refused() -> None:
    arch = from_config("g", {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 50, "n_positions": 128})
    assert forward_flops(arch, 128) > 0
    with pytest.raises(InputError, match="128 positions"):
        forward_flops(arch, 129)
    with pytest.raises(InputError):
        forward_flops(arch, 1, past=128)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(InputError, match="rule"):
        forward_flops(MODELS["llama"], 4, rule="guess")  # type: ignore[arg-type]


# --- what a sequence keeps ---


def test_cached_values_by_hand() -> None:
    assert kv_values_per_token(MODELS["llama"]) == 4 * 2 * 2 * 8
    assert kv_values_per_token(MODELS["mla"]) == 4 * (32 + 8)
    assert kv_bytes_per_token(MODELS["llama"], 1.0) == 128
    assert kv_values_per_token(MODELS["mamba2"]) == 0
    # One layer in four of the delta hybrid caches; 2 heads of 16, keys and values.
    assert kv_values_per_token(MODELS["delta"]) == 2 * 2 * 16


def test_a_window_stops_growing() -> None:
    arch = MODELS["gemma2"]
    each = 2 * 2 * 8
    assert kv_values_per_token(arch) == 4 * each
    assert kv_values_per_token(arch, windowed=False) == 2 * each
    assert kv_values(arch, np.array([4, 100])).tolist() == [4 * 4 * each, 2 * 100 * each + 2 * 8 * each]


def test_constant_state_by_hand() -> None:
    state, tail = 8 * 16 * 32, (8 * 16 + 2 * 32) * 3
    assert state_values(MODELS["mamba2"]) == 3 * (state + tail)
    assert state_bytes(MODELS["mamba2"], 2.0, 4.0) == 3 * (4 * state + 2 * tail)
    assert state_values(MODELS["llama"]) == 0


def test_an_encoder_keeps_nothing() -> None:
    vit = from_config(
        "v",
        {
            "model_type": "vit",
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 128,
            "patch_size": 8,
            "image_size": 32,
        },
    )
    assert kv_values_per_token(vit) == 0 and kv_values(vit, 100) == 0.0


# --- training's activations, the summary ---


def test_activations_of_a_gpt_layer_are_those_of_korthikanti() -> None:
    # arXiv 2205.05198, equation 1: 34 h bytes a token, 2 h of them dropout masks; plus 5 a s scores, plus log-sum-exp here.
    arch = from_config("g", {"n_embd": 1024, "n_layer": 2, "n_head": 16, "vocab_size": 10})
    kept = activation_bytes_per_token_layer(arch)
    assert kept == 32 * 1024 + 4 * 16
    with_scores = activation_bytes_per_token_layer(arch, flash=False, seq=512)
    assert with_scores - kept == 5 * 16 * 512
    # equation 4: with tensor and sequence parallelism all of it is divided.
    assert activation_bytes_per_token_layer(arch, tp=8) == pytest.approx(kept / 8)
    assert activation_bytes_per_token_layer(arch, recompute="full") == 2 * 1024


@settings(max_examples=30)
@given(names, st.sampled_from([1, 2, 4]))
def test_recomputation_keeps_less(name: str, tp: int) -> None:
    arch = MODELS[name]
    sizes = [activation_bytes_per_token_layer(arch, recompute=r, tp=tp) for r in ("full", "selective", "none")]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2]
    whole = activation_bytes_per_token_layer(arch, tp=tp, sequence_parallel=False)
    assert whole >= sizes[2]
    with pytest.raises(InputError):
        activation_bytes_per_token_layer(arch, recompute="some")  # type: ignore[arg-type]


@given(st.sampled_from(["llama", "gemma2", "mla"]), st.integers(1, 400))
def test_the_summary_adds_up_to_one_decoded_token(name: str, context: int) -> None:
    arch = MODELS[name]
    summary = layer_summary(arch)
    step = summary.gemm_flops_per_token + summary.attention_flops_per_token(context)
    assert step == pytest.approx(forward_flops(arch, 1, past=context - 1), rel=1e-12)


def test_the_summary_counts_layers() -> None:
    summary = layer_summary(MODELS["delta"])
    assert summary.layers_by_mixer == {"gated_delta": 3, "gqa": 1}
    assert (summary.experts, summary.top_k, summary.expert_width) == (4, 2, 16)
    assert layer_summary(MODELS["gemma2"]).windowed == ((8, 2 * 2 * 8 * 16),)
    mla = layer_summary(MODELS["mla"])
    assert mla.pair_flops_absorbed == 4 * 2 * 8 * (2 * 32 + 8)
    assert mla.active_gemm_parameters["routed_experts"] * 4 == mla.gemm_parameters["routed_experts"]

"""Decoders that mix linear attention with full attention: Qwen3-Next and Qwen3.5, Kimi Linear, MiniMax-Text-01."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gigawatt.physics.workload.architecture import Architecture, LayerGroup, Mixer
from gigawatt.physics.workload.config.decoder import (
    NONE,
    attention,
    decoder,
    experts,
    feed_forward,
    heads_of,
    moe_layers,
)
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.config.mla import mla_mixer
from gigawatt.physics.workload.config.traits import TRAITS

PLAIN = TRAITS["llama"]
CHUNK = 64  # tokens of a chunk of the delta rule, in the published kernels and in transformers' reference


def qwen3_next(fields: Fields, family: str) -> Architecture:
    """Qwen3-Next and Qwen3.5: gated delta rule in three layers of four, gated attention in the fourth; experts."""
    hidden, layers = fields.count("hidden_size"), fields.count("num_hidden_layers")
    heads, kv_heads, head_dim = heads_of(fields, hidden)
    bias = fields.flag("attention_bias")
    attention = Mixer("gqa", heads, kv_heads, head_dim, qk_norm=True, gated_output=True, qkv_bias=bias, out_bias=bias)
    values, keys = fields.count("linear_num_value_heads"), fields.count("linear_num_key_heads")
    fields.require(values % keys == 0, f"{values} value heads are not divisible by {keys} key heads")
    key_dim, value_dim = fields.count("linear_key_head_dim"), fields.count("linear_value_head_dim")
    delta = Mixer(
        "gated_delta",
        heads=values,
        kv_heads=keys,
        head_dim=key_dim,
        v_head_dim=value_dim,
        conv_width=fields.count("linear_conv_kernel_dim", default=4),
        inner=values * value_dim,
        chunk=CHUNK,
    )
    kinds = fields.items("layer_types")
    every = fields.count("full_attention_interval", default=4)
    if kinds is None:
        kinds = ["full_attention" if (i + 1) % every == 0 else "linear_attention" for i in range(layers)]
    fields.require(len(kinds) == layers, f"layer_types has {len(kinds)} entries for {layers} layers")
    sparse = moe_layers(fields, "step" if fields.has("num_experts") else "none", layers)
    dense = feed_forward(fields, PLAIN, hidden) if not all(sparse) else NONE
    part = replace(experts(fields, PLAIN), shared_gate=True) if any(sparse) else NONE
    stack = [
        LayerGroup(1, attention if kind == "full_attention" else delta, part if is_sparse else dense)
        for kind, is_sparse in zip(kinds, sparse, strict=False)
    ]
    return decoder(fields, family, hidden, stack, fields.flag("tie_word_embeddings"))


def kimi_linear(fields: Fields, family: str) -> Architecture:
    """Kimi Linear (arXiv 2510.26692): three layers of Kimi delta attention to one of latent attention; experts.

    Published configurations nest the linear layers' shape in `linear_attn_config`, with layers counted from 1.
    """
    hidden, layers = fields.count("hidden_size"), fields.count("num_hidden_layers")
    nested = Fields(f"{fields.name} linear_attn_config", fields.mapping("linear_attn_config") or {})
    source = nested if nested.values else fields
    shape = (
        ("num_heads", "head_dim", "short_conv_kernel_size"),
        ("linear_num_heads", "linear_head_dim", "linear_conv_kernel_dim"),
    )
    names = shape[0] if nested.values else shape[1]
    heads, each, conv = (source.count(name, default=usual) for name, usual in zip(names, (32, 128, 4), strict=True))
    linear = Mixer("kda", heads=heads, kv_heads=heads, head_dim=each, conv_width=conv, chunk=CHUNK)
    kinds = fields.items("layer_types")
    if kinds is None:
        full = nested.items("full_attn_layers")
        chosen = {i - 1 for i in full} if full else {i for i in range(layers) if (i + 1) % 4 == 0}
        kinds = ["full_attention" if i in chosen else "linear_attention" for i in range(layers)]
    fields.problems.extend(nested.problems.found)
    fields.require(len(kinds) == layers, f"layer_types has {len(kinds)} entries for {layers} layers")
    latent = mla_mixer(fields)
    sparse = moe_layers(fields, "first_dense", layers)
    dense = feed_forward(fields, PLAIN, hidden) if not all(sparse) else NONE
    part = experts(fields, PLAIN) if any(sparse) else NONE
    stack = [
        LayerGroup(1, latent if kind == "full_attention" else linear, part if is_sparse else dense)
        for kind, is_sparse in zip(kinds, sparse, strict=False)
    ]
    return decoder(fields, family, hidden, stack, fields.flag("tie_word_embeddings"))


def minimax(fields: Fields, family: str) -> Architecture:
    """MiniMax-Text-01 (arXiv 2501.08313): lightning attention, full attention where the list says; experts throughout."""
    hidden, layers = fields.count("hidden_size"), fields.count("num_hidden_layers")
    full = attention(fields, PLAIN, hidden)
    block = fields.count("block_size", default=256)
    linear = Mixer("lightning", heads=full.heads, kv_heads=full.heads, head_dim=full.head_dim, chunk=block)
    kinds = fields.items("layer_types", "attn_type_list") or [int((i + 1) % 8 == 0) for i in range(layers)]
    fields.require(len(kinds) == layers, f"layer_types has {len(kinds)} entries for {layers} layers")
    part = experts(fields, PLAIN)
    stack = [LayerGroup(1, full if kind in (1, "full_attention") else linear, part) for kind in kinds]
    return decoder(fields, family, hidden, stack, fields.flag("tie_word_embeddings"))


READERS: dict[str, Callable[[Fields, str], Architecture]] = {
    "qwen3_next": qwen3_next,
    "kimi_linear": kimi_linear,
    "minimax": minimax,
}

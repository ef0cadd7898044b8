"""Decoders with multi-head latent attention: DeepSeek V2, V3, R1 and Kimi K2; sparse attention of V3.2 and GLM-5.

Sparse attention (DSA, arXiv 2512.02556): a light indexer of `index_n_heads` heads scores every earlier token and the
layer attends to the best `index_topk` of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gigawatt.physics.workload.architecture import Architecture, LayerGroup, Mixer
from gigawatt.physics.workload.config.decoder import NONE, decoder, experts, feed_forward, moe_layers
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.config.traits import TRAITS


def mla_mixer(fields: Fields) -> Mixer:
    """Latent attention, with its indexer where the configuration has one."""
    heads = fields.count("num_attention_heads")
    nope, rope = fields.count("qk_nope_head_dim"), fields.count("qk_rope_head_dim")
    bias = fields.flag("attention_bias")
    index_heads = fields.count("index_n_heads", default=0, low=0)
    q_rank = fields.count("q_lora_rank", default=0, low=0)
    fields.require(not index_heads or q_rank > 0, "an indexer works on compressed queries: give q_lora_rank")
    return Mixer(
        "mla",
        heads=heads,
        kv_heads=heads,
        head_dim=nope + rope,
        v_head_dim=fields.count("v_head_dim"),
        q_lora_rank=q_rank,
        kv_lora_rank=fields.count("kv_lora_rank"),
        rope_dim=rope,
        nope_dim=nope,
        qkv_bias=bias,
        out_bias=bias,
        index_heads=index_heads,
        index_dim=fields.count("index_head_dim", default=128) if index_heads else 0,
        index_top_k=fields.count("index_topk", default=2048) if index_heads else 0,
    )


def mla(fields: Fields, family: str) -> Architecture:
    """Latent attention in every layer; shared and routed experts, the first layers dense."""
    hidden, layers = fields.count("hidden_size"), fields.count("num_hidden_layers")
    mixer = mla_mixer(fields)
    has_experts = fields.has("n_routed_experts", "num_experts", "num_local_experts")
    traits = TRAITS["llama"]
    sparse = moe_layers(fields, "first_dense", layers) if has_experts else [False] * layers
    dense = feed_forward(fields, traits, hidden) if not all(sparse) else NONE
    part = experts(fields, traits) if any(sparse) else NONE
    shared_index = replace(mixer, index_heads=0) if mixer.index_heads else mixer
    kinds = fields.items("indexer_types") or ["full"] * layers  # "shared": the layer takes the last index
    fields.require(len(kinds) == layers, f"indexer_types has {len(kinds)} entries for {layers} layers")
    stack = [
        LayerGroup(1, mixer if kind == "full" else shared_index, part if is_sparse else dense)
        for kind, is_sparse in zip(kinds, sparse, strict=False)
    ]
    return decoder(fields, family, hidden, stack, fields.flag("tie_word_embeddings"))


READERS: dict[str, Callable[[Fields, str], Architecture]] = {"deepseek_v3": mla, "deepseek_v32": mla}

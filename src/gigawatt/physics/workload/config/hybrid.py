"""State-space models and hybrids: Mamba, Mamba-2, Jamba, Bamba, Granite 4, Nemotron-H."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config.decoder import NONE, decoder, experts, feed_forward, heads_of
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.config.traits import TRAITS

PLAIN = TRAITS["llama"]
NO_MIXER = Mixer("none")
# Default of transformers' NemotronHConfig, Nemotron-H-8B (arXiv 2504.03624): M Mamba-2, * attention, - feed-forward.
NEMOTRON_H = "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-"


def mamba1_mixer(fields: Fields, hidden: int, inner_norm: bool = False) -> Mixer:
    """The selective-scan mixer; `inner_norm` for Jamba's norms on step size, B and C."""
    inner = fields.count("expand", "mamba_expand", default=2) * hidden
    rank_text = fields.text("time_step_rank", "mamba_dt_rank", default="auto")
    auto = math.ceil(hidden / 16)
    rank = auto if rank_text == "auto" else fields.count("time_step_rank", "mamba_dt_rank", default=auto)
    bias = fields.flag("use_bias", "mamba_proj_bias")
    return Mixer(
        "mamba1",
        state_dim=fields.count("state_size", "mamba_d_state", default=16),
        conv_width=fields.count("conv_kernel", "mamba_d_conv", default=4),
        inner=inner,
        dt_rank=rank,
        qkv_bias=bias,
        out_bias=bias,
        conv_bias=fields.flag("use_conv_bias", "mamba_conv_bias", default=True),
        inner_norm=inner_norm,
    )


def mamba2_mixer(fields: Fields, hidden: int) -> Mixer:
    """The state-space-duality mixer."""
    heads = fields.count("mamba_num_heads", "mamba_n_heads", "num_heads")
    dim_names = ("mamba_head_dim", "mamba_d_head", "head_dim")
    expand = fields.count("expand", "mamba_expand", default=2)
    head_dim = (
        expand * hidden // heads if fields.text(*dim_names, default="auto") == "auto" else fields.count(*dim_names)
    )
    groups = fields.count("n_groups", "mamba_n_groups", default=1)
    fields.require(heads % groups == 0, f"{heads} state-space heads are not divisible by {groups} groups")
    bias = fields.flag("use_bias", "mamba_proj_bias")
    return Mixer(
        "mamba2",
        heads=heads,
        head_dim=head_dim,
        state_dim=fields.count("ssm_state_size", "state_size", "mamba_d_state"),
        groups=groups,
        conv_width=fields.count("conv_kernel", "mamba_d_conv", default=4),
        inner=heads * head_dim,
        chunk=fields.count("chunk_size", "mamba_chunk_size", default=256),
        qkv_bias=bias,
        out_bias=bias,
        conv_bias=fields.flag("use_conv_bias", "mamba_conv_bias", default=True),
    )


def mamba(fields: Fields, family: str) -> Architecture:
    """Mamba and Mamba-2: one mixer and one norm a layer, no feed-forward part."""
    hidden = fields.count("hidden_size", "d_model")
    layers = fields.count("num_hidden_layers", "n_layer")
    mixer = mamba1_mixer(fields, hidden) if family == "mamba" else mamba2_mixer(fields, hidden)
    tied = fields.flag("tie_word_embeddings", default=family == "mamba")
    return decoder(fields, family, hidden, [LayerGroup(layers, mixer, NONE, 1)], tied)


def _gqa(fields: Fields, hidden: int) -> Mixer:
    heads, kv_heads, head_dim = heads_of(fields, hidden)
    bias = fields.flag("attention_bias")
    return Mixer("gqa", heads, kv_heads, head_dim, qkv_bias=bias, out_bias=bias)


def jamba(fields: Fields, family: str) -> Architecture:
    """Jamba (arXiv 2403.19887): attention in one layer of eight, experts in one of two."""
    hidden, layers = fields.count("hidden_size"), fields.count("num_hidden_layers")
    attention, scan = _gqa(fields, hidden), mamba1_mixer(fields, hidden, inner_norm=True)
    dense, sparse = feed_forward(fields, PLAIN, hidden), experts(fields, PLAIN)
    a_step, a_first = fields.count("attn_layer_period", default=8), fields.count("attn_layer_offset", default=4, low=0)
    e_step, e_first = (
        fields.count("expert_layer_period", default=2),
        fields.count("expert_layer_offset", default=1, low=0),
    )
    stack = [
        LayerGroup(1, attention if i % a_step == a_first else scan, sparse if i % e_step == e_first else dense)
        for i in range(layers)
    ]
    return decoder(fields, family, hidden, stack, fields.flag("tie_word_embeddings"))


def bamba(fields: Fields, family: str) -> Architecture:
    """Bamba: Mamba-2 layers, attention where `attn_layer_indices` says; a feed-forward part in each."""
    hidden, layers = fields.count("hidden_size"), fields.count("num_hidden_layers")
    # head_dim, where given, is that of attention: the state-space head has names of its own.
    attention, scan = _gqa(fields, hidden), mamba2_mixer(fields, hidden)
    dense = feed_forward(fields, PLAIN, hidden)
    where = set(fields.items("attn_layer_indices") or [])
    fields.require(all(isinstance(i, int) and 0 <= i < layers for i in where), "attn_layer_indices leaves the model")
    stack = [LayerGroup(1, attention if i in where else scan, dense) for i in range(layers)]
    return decoder(fields, family, hidden, stack, fields.flag("tie_word_embeddings"))


def granite_hybrid(fields: Fields, family: str) -> Architecture:
    """Granite 4: Mamba-2 or attention by `layer_types`; a dense part in each, experts beside it where there are any."""
    hidden, layers = fields.count("hidden_size"), fields.count("num_hidden_layers")
    attention, scan = _gqa(fields, hidden), mamba2_mixer(fields, hidden)
    kinds = fields.items("layer_types", "layers_block_type") or ["mamba"] * layers
    fields.require(len(kinds) == layers, f"layer_types has {len(kinds)} entries for {layers} layers")
    width = fields.count("shared_intermediate_size")
    if fields.count("num_local_experts", default=0, low=0):
        part = experts(fields, PLAIN)
    else:
        part = FeedForward("dense", width)
    stack = [
        LayerGroup(1, attention if "attention" in kind and kind != "linear_attention" else scan, part) for kind in kinds
    ]
    return decoder(fields, family, hidden, stack, fields.flag("tie_word_embeddings"))


_BLOCKS = {"linear_attention": "M", "mamba": "M", "attention": "*", "full_attention": "*", "mlp": "-", "moe": "E"}


def nemotron_h(fields: Fields, family: str) -> Architecture:
    """Nemotron-H, Nemotron Nano 2 and 3: a layer is one part (M, *, -, or E for experts) and one norm; squared ReLU."""
    hidden = fields.count("hidden_size")
    listed = fields.items("layers_block_type")
    if listed is not None:
        pattern = "".join(_BLOCKS.get(str(kind), "?") for kind in listed)
    else:
        pattern = fields.text("hybrid_override_pattern", default=NEMOTRON_H)
    layers = fields.count("num_hidden_layers", default=len(pattern))
    fields.require(len(pattern) == layers, f"hybrid_override_pattern has {len(pattern)} layers, the model {layers}")
    fields.require(set(pattern) <= set("M*-E"), "hybrid_override_pattern knows M, *, - and E only")
    made = {
        "M": (mamba2_mixer(fields, hidden), NONE),
        "*": (_gqa(fields, hidden), NONE),
        "-": (NO_MIXER, NONE),
        "E": (NO_MIXER, NONE),
    }
    if "-" in pattern:
        made["-"] = (NO_MIXER, replace(feed_forward(fields, PLAIN, hidden), gated=False))
    if "E" in pattern:
        part = replace(
            experts(fields, PLAIN),
            gated=False,
            shared_width=fields.count("moe_shared_expert_intermediate_size", default=0, low=0),
            latent=fields.count("moe_latent_size", default=0, low=0),
        )
        made["E"] = (NO_MIXER, part)
    stack = [LayerGroup(1, *made[kind], 1) for kind in pattern if kind in made]
    return decoder(fields, family, hidden, stack, fields.flag("tie_word_embeddings"))


READERS: dict[str, Callable[[Fields, str], Architecture]] = {
    "mamba": mamba,
    "mamba2": mamba,
    "jamba": jamba,
    "bamba": bamba,
    "granitemoehybrid": granite_hybrid,
    "nemotron_h": nemotron_h,
}

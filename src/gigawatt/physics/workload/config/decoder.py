"""Decoder language models of attention layers: Llama and its kin, Gemma, GPT-2, gpt-oss, mixtures of experts.

How one family differs from another is data (`traits`); here is how a trait and a configuration's fields become layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.config.traits import TRAITS, Traits
from gigawatt.physics.workload.pieces import Piece, Vector

NONE = FeedForward("none")


def heads_of(fields: Fields, hidden: int) -> tuple[int, int, int]:
    """Query heads, key-value heads and head width, checked against each other."""
    heads = fields.count("num_attention_heads", "n_head", "num_heads", "n_heads")
    kv_heads = fields.count("num_key_value_heads", "num_kv_heads", default=heads)
    head_dim = fields.count("head_dim", "attention_head_dim", default=0, low=0)
    if not head_dim:
        fields.require(
            hidden % heads == 0,
            f"hidden size {hidden} is not divisible by {heads} attention heads",
            "give head_dim, or a number of heads that divides the hidden size",
        )
        head_dim = max(hidden // heads, 1)
    fields.require(heads % kv_heads == 0, f"{heads} attention heads are not divisible by {kv_heads} key-value heads")
    return heads, kv_heads, head_dim


def pool(layers: Sequence[LayerGroup]) -> tuple[LayerGroup, ...]:
    """Equal neighbours, then equal layers anywhere, as one group; order of first appearance."""
    counts: dict[LayerGroup, int] = {}
    for layer, run in groupby(layers):
        counts[layer] = counts.get(layer, 0) + sum(item.count for item in run)
    return tuple(replace(layer, count=count) for layer, count in counts.items())


def windows(fields: Fields, traits: Traits, layers: int) -> list[int]:
    """The window of each layer, 0 for full attention.

    An explicit `layer_types` (or GPT-Neo's `attention_layers`) wins; else the rule of the family.
    """
    width = fields.count("sliding_window", "attention_chunk_size", "window_size", default=0, low=0)
    kinds = fields.items("layer_types", "attention_layers")
    if kinds is not None:
        fields.require(len(kinds) == layers, f"layer_types has {len(kinds)} entries for {layers} layers")
        full = ("full_attention", "attention", "global_attention", "global")
        some = ("sliding_attention", "chunked_attention", "local_attention", "local")
        strange = sorted({str(kind) for kind in kinds} - {*full, *some})
        fields.require(
            not strange, f"layers of kind {', '.join(strange)} are not known", "known: " + ", ".join(full + some)
        )
        return [0 if kind in full else width or traits.window_width for kind in kinds]
    if traits.window == "even_full":
        width = width or traits.window_width
        return [0 if (i + 1) % 2 == 0 else width for i in range(layers)]
    if traits.window == "pattern":
        pattern = fields.count("sliding_window_pattern", "_sliding_window_pattern", default=traits.pattern)
        return [0 if (i + 1) % pattern == 0 else width or traits.window_width for i in range(layers)]
    if traits.window == "no_rope":
        full_every = fields.count("no_rope_layer_interval", default=4)
        return [0 if (i + 1) % full_every == 0 else width or traits.window_width for i in range(layers)]
    if traits.window == "late":
        if not fields.flag("use_sliding_window"):
            return [0] * layers
        first = fields.count("max_window_layers", default=layers, low=0)
        return [width if i >= first else 0 for i in range(layers)]
    return [width if traits.window == "all" else 0] * layers


_BIAS = ("attention_bias", "use_qkv_bias", "qkv_bias", "enable_bias", "use_bias", "bias")


def attention(fields: Fields, traits: Traits, hidden: int) -> Mixer:
    """Grouped-query attention with the family's biases and norms; no window yet."""
    heads, kv_heads, head_dim = heads_of(fields, hidden)
    if fields.flag("multi_query") and not fields.flag("new_decoder_architecture"):
        kv_heads = 1  # Falcon-7B, StarCoder: the head count beside it is the query's
    bias = fields.flag(*_BIAS, default=traits.qkv_bias)
    out_bias = fields.flag("attention_out_bias", default=bias if traits.out_bias is None else traits.out_bias)
    if fields.has("use_qkv_bias"):
        out_bias = False  # StableLM's field speaks of queries, keys and values alone
    asked = fields.flag("use_qk_norm", "qk_layernorm") and bool(traits.qk_norm_asked)
    qk_norm = bool(traits.qk_norm) or asked
    return Mixer(
        "gqa",
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        qkv_bias=bias,
        out_bias=out_bias,
        qk_norm=qk_norm,
        qk_norm_wide=(traits.qk_norm or traits.qk_norm_asked) == "wide",
        sinks=traits.sinks,
        chunked=traits.chunked,
    )


def feed_forward(fields: Fields, traits: Traits, hidden: int) -> FeedForward:
    """The dense feed-forward part; ungated ones are four times as wide as the model where no width is given."""
    names = ["intermediate_size", "ffn_dim", "n_inner"]
    # Names that leave the other to experts (Llama 4), or that a family prefers (Falcon).
    names = [name for name in ("intermediate_size_mlp", "ffn_hidden_size") if name in fields] + names
    ratio = fields.count("expansion_ratio", default=4)
    width = fields.count(*names, default=None if traits.gated else ratio * hidden)
    bias = fields.flag("mlp_bias", "enable_bias", "use_bias", "bias", default=traits.ffn_bias)
    return FeedForward("dense", width, gated=traits.gated, bias=bias)


def experts(fields: Fields, traits: Traits) -> FeedForward:
    """The mixture of experts of a family that has one."""
    number = fields.count("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
    top_k = fields.count("num_experts_per_tok", "moe_topk", "moe_k", "num_experts_per_token")
    fields.require(top_k <= number, f"each token is sent to {top_k} experts, but there are only {number}")
    width = fields.count("moe_intermediate_size", "intermediate_size")
    names = ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert")
    shared = fields.count(*names, default=traits.shared_experts, low=0)
    shared_width = fields.count("shared_expert_intermediate_size", "shared_intermediate_size", default=0, low=0)
    return FeedForward(
        "moe",
        width,
        gated=traits.gated,
        bias=traits.expert_bias,
        experts=number,
        top_k=top_k,
        shared_experts=shared or int(shared_width > 0),
        shared_width=shared_width,
        shared_gate=traits.shared_gate,
        router_bias=traits.router_bias,
    )


def moe_layers(fields: Fields, rule: str, layers: int) -> list[bool]:
    """Which layers have experts: as listed (`mlp_layer_types`), else by the family's rule."""
    kinds = fields.items("mlp_layer_types")
    if kinds is not None:
        fields.require(len(kinds) == layers, f"mlp_layer_types has {len(kinds)} entries for {layers} layers")
        return [kind in ("sparse", "moe") for kind in kinds]
    if rule == "none":
        return [False] * layers
    if rule == "step":
        step = fields.count("decoder_sparse_step", default=1)
        plain = set(fields.items("mlp_only_layers") or [])
        return [i not in plain and (i + 1) % step == 0 for i in range(layers)]
    if rule == "interleave":
        listed = fields.items("moe_layers")
        if listed is not None:
            return [i in listed for i in range(layers)]
        step = fields.count("interleave_moe_layer_step", default=1)
        return [(i + 1) % step == 0 for i in range(layers)]
    if rule == "range":
        first = fields.count("moe_layer_start_index", default=0, low=0)
        last = fields.number("moe_layer_end_index", default=layers - 1) if layers > 1 else 0
        step = fields.count("moe_layer_interval", default=1)
        return [(i + 1) % step == 0 and first <= i <= last for i in range(layers)]
    first = fields.count("first_k_dense_replace", default=0, low=0)
    step = fields.count("moe_layer_freq", default=1)
    fields.require(first <= layers, f"{first} dense layers lead a model of {layers}")
    return [i >= first and i % step == 0 for i in range(layers)]


def norms_of(fields: Fields, traits: Traits, kv_heads: int) -> int:
    """Norms a layer; attention and feed-forward part side by side share one, unless the family gives each its own."""
    if fields.has("parallel_attn", "new_decoder_architecture") or traits is TRAITS["falcon"]:
        new = fields.flag("new_decoder_architecture", default=kv_heads > 1)
        if not fields.flag("parallel_attn", default=True):
            return 2
        return fields.count("num_ln_in_parallel_attn", default=2 if new else 1)
    if fields.flag("use_parallel_residual") and traits is TRAITS["stablelm"]:
        return 1
    return traits.norms


def standard(fields: Fields, family: str) -> Architecture:
    """Decoders that differ by traits alone; see `TRAITS`."""
    traits = TRAITS[family]
    hidden = fields.count("hidden_size", "n_embd", "d_model")
    layers = fields.count("num_hidden_layers", "n_layer", "num_layers", "n_layers")
    mixer = attention(fields, traits, hidden)
    sparse = moe_layers(fields, traits.moe, layers)
    dense = feed_forward(fields, traits, hidden) if not all(sparse) else NONE
    part = experts(fields, traits) if any(sparse) else NONE
    norms = norms_of(fields, traits, mixer.kv_heads)
    extra: tuple[Piece, ...] = ()
    if traits.act_parameters:
        extra = (Vector("activation", "dense_ffn", traits.act_parameters, layers),)
    stack = [
        LayerGroup(1, replace(mixer, window=w), part if is_sparse else dense, norms, traits.norm_bias, extra=extra)
        for w, is_sparse in zip(windows(fields, traits, layers), sparse, strict=False)
    ]
    if not traits.norm_weight:
        stack = [replace(layer, norm_weight=False) for layer in stack]
    tied = fields.flag("tie_word_embeddings", default=traits.tied)
    return decoder(fields, family, hidden, stack, tied, traits)


def decoder(
    fields: Fields, family: str, hidden: int, stack: Sequence[LayerGroup], tied: bool, traits: Traits | None = None
) -> Architecture:
    """What all decoders share: vocabulary, positions, head, multi-token prediction."""
    traits = traits or TRAITS["llama"]
    longest = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "model_max_length")
    positions = fields.count(*longest, default=0 if traits.positions is None else 1024, low=0)
    learned = 0
    if traits.positions is not None:  # a stated 0 says that positions are not learned (ALiBi, rotary)
        rows = fields.count("n_positions", "max_position_embeddings", default=1024, low=0)
        learned = rows + traits.positions if rows else 0
    narrow = fields.count("word_embed_proj_dim", default=hidden)
    if narrow != hidden:
        fields.wrong("word_embed_proj_dim", narrow, f"the hidden size {hidden}: narrower embeddings are not read")
    return Architecture(
        fields.name,
        family,
        hidden,
        fields.count("vocab_size"),
        pool(stack),
        tied_embeddings=tied,
        max_positions=positions,
        mtp_layers=fields.count("num_nextn_predict_layers", default=0, low=0),
        final_norm=traits.norm_weight,
        final_norm_bias=traits.norm_bias,
        embedding_norm=traits.embedding_norm,
        head_bias=fields.flag("lm_head_bias", default=traits.head_bias),
        learned_positions=learned,
    )


READERS: dict[str, Callable[[Fields, str], Architecture]] = dict.fromkeys(TRAITS, standard)

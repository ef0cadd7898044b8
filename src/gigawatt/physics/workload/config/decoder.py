"""Decoder language models of attention layers: Llama and its kin, Gemma, GPT-2, gpt-oss, mixtures of experts, MLA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config.fields import Fields

# Families whose layers differ only by flags; see `standard` for how each flag is read.
DENSE = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "olmo2", "nemotron", "falcon")
MOE = ("mixtral", "qwen2_moe", "qwen3_moe", "gpt_oss", "llama4_text", "glm4_moe")
_UNGATED = ("nemotron", "falcon", "gpt2")
_LAYER_NORM = ("nemotron", "falcon", "gpt2")


def heads_of(fields: Fields, hidden: int) -> tuple[int, int, int]:
    """Query heads, key-value heads and head width, checked against each other."""
    heads = fields.count("num_attention_heads", "n_head", "num_heads")
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


def windows(fields: Fields, family: str, layers: int) -> list[int]:
    """The window of each layer, 0 for full attention.

    An explicit `layer_types` wins; else the rule of the family's config class in transformers.
    """
    width = fields.count("sliding_window", "attention_chunk_size", default=0, low=0)
    kinds = fields.items("layer_types")
    if kinds is not None:
        fields.require(len(kinds) == layers, f"layer_types has {len(kinds)} entries for {layers} layers")
        full = ("full_attention", "attention", "global_attention")
        return [0 if kind in full else width for kind in kinds]
    if family == "gemma2" or family == "gpt_oss":
        width = width or (4096 if family == "gemma2" else 128)
        return [0 if (i + 1) % 2 == 0 else width for i in range(layers)]
    if family == "gemma3_text":
        pattern = fields.count("sliding_window_pattern", "_sliding_window_pattern", default=6)
        return [0 if (i + 1) % pattern == 0 else width or 4096 for i in range(layers)]
    if family == "llama4_text":
        full_every = fields.count("no_rope_layer_interval", default=4)
        return [0 if (i + 1) % full_every == 0 else width or 8192 for i in range(layers)]
    if family in ("qwen2", "qwen3", "qwen2_moe", "qwen3_moe"):
        if not fields.flag("use_sliding_window"):
            return [0] * layers
        first = fields.count("max_window_layers", default=layers, low=0)
        return [width if i >= first else 0 for i in range(layers)]
    if family in ("mistral", "mixtral", "phi3"):
        return [width] * layers
    return [0] * layers


def attention(fields: Fields, family: str, hidden: int) -> Mixer:
    """Grouped-query attention with the family's biases and norms; no window yet."""
    heads, kv_heads, head_dim = heads_of(fields, hidden)
    bias = fields.flag("attention_bias", "qkv_bias", "bias", default=family in ("qwen2", "qwen2_moe", "gpt_oss"))
    out_bias = bias and family not in ("qwen2", "qwen2_moe", "glm4_moe")
    return Mixer(
        "gqa",
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        qkv_bias=bias,
        out_bias=out_bias,
        qk_norm=family in ("qwen3", "qwen3_moe", "gemma3_text", "olmo2") or fields.flag("use_qk_norm"),
        qk_norm_wide=family == "olmo2",
        sinks=family == "gpt_oss",
        chunked=family == "llama4_text",
    )


def feed_forward(fields: Fields, family: str, hidden: int) -> FeedForward:
    """The dense feed-forward part."""
    names = ("intermediate_size_mlp", "intermediate_size", "ffn_hidden_size")
    width = fields.count(*names, default=4 * hidden if family in _UNGATED else None)
    return FeedForward("dense", width, gated=family not in _UNGATED, bias=fields.flag("mlp_bias"))


def experts(fields: Fields, family: str, hidden: int) -> FeedForward:
    """The mixture of experts of a family that has one."""
    number = fields.count("num_local_experts", "num_experts", "n_routed_experts")
    top_k = fields.count("num_experts_per_tok", "moe_topk")
    fields.require(top_k <= number, f"each token is sent to {top_k} experts, but there are only {number}")
    width = fields.count("moe_intermediate_size", "intermediate_size")
    shared = fields.count("n_shared_experts", default=0, low=0)
    shared_width = fields.count("shared_expert_intermediate_size", default=0, low=0)
    return FeedForward(
        "moe",
        width,
        bias=family == "gpt_oss",
        experts=number,
        top_k=top_k,
        shared_experts=shared or int(shared_width > 0),
        shared_width=shared_width,
        shared_gate=family in ("qwen2_moe", "qwen3_next"),
        router_bias=family == "gpt_oss",
    )


def moe_layers(fields: Fields, family: str, layers: int) -> list[bool]:
    """Which layers have experts."""
    if family in ("qwen2_moe", "qwen3_moe", "qwen3_next"):
        step = fields.count("decoder_sparse_step", default=1)
        plain = set(fields.items("mlp_only_layers") or [])
        return [i not in plain and (i + 1) % step == 0 for i in range(layers)]
    if family == "llama4_text":
        step = fields.count("interleave_moe_layer_step", default=1)
        return [(i + 1) % step == 0 for i in range(layers)]
    first = fields.count("first_k_dense_replace", default=0, low=0)
    step = fields.count("moe_layer_freq", default=1)
    fields.require(first <= layers, f"{first} dense layers lead a model of {layers}")
    return [i >= first and i % step == 0 for i in range(layers)]


def standard(fields: Fields, family: str) -> Architecture:
    """Decoders that differ by flags: Llama, Mistral, Qwen, Gemma, Nemotron, Falcon, Mixtral, gpt-oss, Llama 4, GLM."""
    hidden = fields.count("hidden_size", "n_embd", "d_model")
    layers = fields.count("num_hidden_layers", "n_layer", "num_layers", "n_layers")
    mixer = attention(fields, family, hidden)
    sparse = moe_layers(fields, family, layers) if family in MOE else [False] * layers
    dense = feed_forward(fields, family, hidden) if not all(sparse) else FeedForward("none")
    sparse_part = experts(fields, family, hidden) if any(sparse) else FeedForward("none")
    norms = 4 if family in ("gemma2", "gemma3_text") else 2
    if family == "falcon" and not fields.flag("new_decoder_architecture", default=mixer.kv_heads > 1):
        norms = 1
    norm_bias = family in _LAYER_NORM
    stack = [
        LayerGroup(1, replace(mixer, window=w), sparse_part if is_sparse else dense, norms, norm_bias)
        for w, is_sparse in zip(windows(fields, family, layers), sparse, strict=False)
    ]
    tied = fields.flag("tie_word_embeddings", default=family in ("gemma", "gemma2", "gemma3_text", "falcon"))
    return decoder(fields, family, hidden, stack, tied, norm_bias)


def decoder(
    fields: Fields, family: str, hidden: int, stack: Sequence[LayerGroup], tied: bool, norm_bias: bool = False
) -> Architecture:
    """What all decoders share: vocabulary, positions, head, multi-token prediction."""
    return Architecture(
        fields.name,
        family,
        hidden,
        fields.count("vocab_size"),
        pool(stack),
        tied_embeddings=tied,
        max_positions=fields.count("max_position_embeddings", "n_positions", "n_ctx", default=0, low=0),
        mtp_layers=fields.count("num_nextn_predict_layers", default=0, low=0),
        final_norm_bias=norm_bias,
    )


def gpt2(fields: Fields, family: str) -> Architecture:
    """GPT-2 and GPT-3 (full attention), also OPT, BLOOM, MPT and GPT-J in GPT-2's field names.

    `n_positions: 0` says that positions are not learned (ALiBi, rotary); `max_positions` then comes from elsewhere.
    """
    hidden = fields.count("n_embd", "hidden_size", "d_model")
    layers = fields.count("n_layer", "num_hidden_layers", "n_layers")
    heads, kv_heads, head_dim = heads_of(fields, hidden)
    width = fields.count("n_inner", "intermediate_size", "ffn_dim", default=4 * hidden)
    mixer = Mixer("gqa", heads, kv_heads, head_dim, qkv_bias=True, out_bias=True)
    layer = LayerGroup(layers, mixer, FeedForward("dense", width, gated=False, bias=True), 2, True)
    tied = fields.flag("tie_word_embeddings", default=True)
    positions = fields.count("n_positions", "max_position_embeddings", default=1024, low=0)
    made = decoder(fields, family, hidden, [layer], tied, True)
    return replace(made, learned_positions=positions)


def mla(fields: Fields, family: str) -> Architecture:
    """DeepSeek V2, V3, R1 and Kimi K2: latent attention, shared and routed experts, the first layers dense."""
    hidden = fields.count("hidden_size")
    layers = fields.count("num_hidden_layers")
    heads = fields.count("num_attention_heads")
    nope, rope = fields.count("qk_nope_head_dim"), fields.count("qk_rope_head_dim")
    bias = fields.flag("attention_bias")
    mixer = Mixer(
        "mla",
        heads=heads,
        kv_heads=heads,
        head_dim=nope + rope,
        v_head_dim=fields.count("v_head_dim"),
        q_lora_rank=fields.count("q_lora_rank", default=0, low=0),
        kv_lora_rank=fields.count("kv_lora_rank"),
        rope_dim=rope,
        nope_dim=nope,
        qkv_bias=bias,
        out_bias=bias,
    )
    has_experts = fields.has("n_routed_experts", "num_experts", "num_local_experts")
    sparse = moe_layers(fields, family, layers) if has_experts else [False] * layers
    dense = feed_forward(fields, family, hidden) if not all(sparse) else FeedForward("none")
    sparse_part = experts(fields, family, hidden) if any(sparse) else FeedForward("none")
    stack = [LayerGroup(1, mixer, sparse_part if is_sparse else dense) for is_sparse in sparse]
    return decoder(fields, family, hidden, stack, fields.flag("tie_word_embeddings"))


READERS: dict[str, Callable[[Fields, str], Architecture]] = {
    **dict.fromkeys((*DENSE, *MOE), standard),
    "gpt2": gpt2,
    "deepseek_v3": mla,
}

"""Encoders: T5, ViT, SigLIP, Whisper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.pieces import CONTEXT, SEQUENCE, TOKENS, Attention, Linear, Piece, Rows, Vector


def biased(
    name: str, part: Any, k: int, n: int, count: int = 1, rows: Rows = TOKENS, cut: Any = "replicated"
) -> Linear:
    """A matrix with a bias."""
    return Linear(name, part, k, n, count, n, rows=rows, cut=cut)


def _self_attention(heads: int, hidden: int, key_bias: bool = True) -> Mixer:
    return Mixer("gqa", heads, heads, hidden // heads, qkv_bias=True, out_bias=True, key_bias=key_bias)


def _layers(fields: Fields, hidden: int, heads: int, width: int, layers: int, key_bias: bool = True) -> LayerGroup:
    fields.require(hidden % heads == 0, f"hidden size {hidden} is not divisible by {heads} attention heads")
    part = FeedForward("dense", width, gated=False, bias=True)
    return LayerGroup(layers, _self_attention(heads, hidden, key_bias), part, 2, True)


def _patches(fields: Fields) -> tuple[int, int]:
    """Patches of an image, and values of one patch."""
    size, patch = fields.count("image_size"), fields.count("patch_size")
    return (size // patch) ** 2, fields.count("num_channels", default=3) * patch**2


def vit(fields: Fields, family: str) -> Architecture:
    """ViT (arXiv 2010.11929) as transformers' ViTModel: a class token, learned positions, a pooled output."""
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    patches, values = _patches(fields)
    width = fields.count("intermediate_size", default=4 * hidden)
    stem: tuple[Piece, ...] = (
        biased("patch", "stem", values, hidden, rows=Rows(1, 0, -1)),
        Vector("class_token", "stem", hidden),
        biased("pooler", "stem", hidden, hidden, rows=SEQUENCE),
    )
    group = _layers(fields, hidden, heads, width, fields.count("num_hidden_layers"))
    return _encoder(fields, family, hidden, group, stem, patches + 1)


def siglip(fields: Fields, family: str) -> Architecture:
    """SigLIP's vision tower (arXiv 2303.15343): no class token, pooling by a learned query."""
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    patches, values = _patches(fields)
    width = fields.count("intermediate_size")
    pooled: tuple[Piece, ...] = ()
    if fields.flag("vision_use_head", default=True):
        pooled = (
            Vector("probe", "stem", hidden),
            biased("pool_q", "stem", hidden, hidden, rows=SEQUENCE),
            biased("pool_kv", "stem", hidden, 2 * hidden),
            Attention("pool", heads, heads, hidden // heads, hidden // heads, 1, False, queries=SEQUENCE),
            biased("pool_out", "stem", hidden, hidden, rows=SEQUENCE),
            Vector("pool_norm", "stem", 2 * hidden),
            biased("pool_up", "stem", hidden, width, rows=SEQUENCE),
            biased("pool_down", "stem", width, hidden, rows=SEQUENCE),
        )
    stem = (biased("patch", "stem", values, hidden), *pooled)
    group = _layers(fields, hidden, heads, width, fields.count("num_hidden_layers"))
    return _encoder(fields, family, hidden, group, stem, patches)


def _encoder(
    fields: Fields, family: str, hidden: int, group: LayerGroup, stem: tuple[Piece, ...], positions: int
) -> Architecture:
    return Architecture(
        fields.name,
        family,
        hidden,
        0,
        (group,),
        has_head=False,
        max_positions=positions,
        causal=False,
        final_norm_bias=True,
        learned_positions=positions,
        stem=stem,
        sample_tokens=positions,
    )


def t5(fields: Fields, family: str) -> Architecture:
    """T5's encoder (arXiv 1910.10683, v1.1): no biases, RMS norms, one table of relative positions."""
    hidden, heads = fields.count("d_model", "hidden_size"), fields.count("num_heads", "num_attention_heads")
    head_dim = fields.count("d_kv", "head_dim", default=64)
    width = fields.count("d_ff", "intermediate_size")
    gated = "gated" in fields.text("feed_forward_proj", default="gated-gelu")
    buckets = fields.count("relative_attention_num_buckets", default=32)
    layers = fields.count("num_layers", "num_hidden_layers")
    group = LayerGroup(layers, Mixer("gqa", heads, heads, head_dim), FeedForward("dense", width, gated))
    return Architecture(
        fields.name,
        family,
        hidden,
        fields.count("vocab_size", default=32128),
        (group,),
        has_head=False,
        causal=False,
        stem=(Vector("relative_positions", "stem", buckets * heads),),
    )


def whisper(fields: Fields, family: str) -> Architecture:
    """Whisper (arXiv 2212.04356): with `decoder_layers` the decoder, its encoder as a tower; else the encoder."""
    hidden = fields.count("d_model", "hidden_size")
    encoder = _whisper_encoder(fields, hidden)
    layers = fields.count("decoder_layers", default=0, low=0)
    if not layers:
        return encoder
    heads = fields.count("decoder_attention_heads")
    group = _layers(fields, hidden, heads, fields.count("decoder_ffn_dim"), layers, key_bias=False)
    each = hidden // heads
    cross: tuple[Piece, ...] = (
        Vector("cross_norm", "norm", 2 * hidden, layers),
        biased("cross_q", "attention", hidden, hidden, layers, cut="column"),
        Linear("cross_kv", "attention", hidden, 2 * hidden, layers, hidden, rows=CONTEXT, cut="column", cached=True),
        Attention("cross", heads, heads, each, each, layers, False, keys=CONTEXT),
        biased("cross_out", "attention", hidden, hidden, layers, cut="row"),
    )
    positions = fields.count("max_target_positions", default=448)
    return Architecture(
        fields.name,
        family,
        hidden,
        fields.count("vocab_size"),
        (replace(group, extra=cross),),
        tied_embeddings=fields.flag("tie_word_embeddings", default=True),
        max_positions=positions,
        final_norm_bias=True,
        learned_positions=positions,
        towers=(encoder,),
        context_tokens=encoder.sample_tokens,
    )


def _whisper_encoder(fields: Fields, hidden: int) -> Architecture:
    """Two convolutions of width 3, the second of stride 2, then the layers; keys have no bias."""
    heads = fields.count("encoder_attention_heads", "num_attention_heads")
    mel, positions = fields.count("num_mel_bins", default=128), fields.count("max_source_positions", default=1500)
    stem = (
        biased("conv1", "stem", 3 * mel, hidden, rows=Rows(2)),
        biased("conv2", "stem", 3 * hidden, hidden),
    )
    layers = fields.count("encoder_layers", "num_hidden_layers")
    width = fields.count("encoder_ffn_dim", "intermediate_size", default=4 * hidden)
    group = _layers(fields, hidden, heads, width, layers, key_bias=False)
    return _encoder(fields, "whisper", hidden, group, stem, positions)


READERS: dict[str, Callable[[Fields, str], Architecture]] = {
    "vit": vit,
    "siglip_vision_model": siglip,
    "t5": t5,
    "whisper": whisper,
}

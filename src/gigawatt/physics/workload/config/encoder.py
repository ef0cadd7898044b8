"""Encoders of images and sound: ViT, DINOv2, CLIP, SigLIP, Whisper's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.pieces import SEQUENCE, TOKENS, Attention, Linear, Piece, Rows, Vector


def biased(
    name: str, part: Any, k: int, n: int, count: int = 1, rows: Rows = TOKENS, cut: Any = "replicated"
) -> Linear:
    """A matrix with a bias."""
    return Linear(name, part, k, n, count, n, rows=rows, cut=cut)


def _self_attention(heads: int, hidden: int, key_bias: bool = True) -> Mixer:
    return Mixer("gqa", heads, heads, hidden // heads, qkv_bias=True, out_bias=True, key_bias=key_bias)


def layers_of(fields: Fields, hidden: int, heads: int, width: int, layers: int, key_bias: bool = True) -> LayerGroup:
    """`layers` equal layers of plain attention and a two-matrix part, with biases and LayerNorm."""
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
    group = layers_of(fields, hidden, heads, width, fields.count("num_hidden_layers"))
    return _encoder(fields, family, hidden, group, stem, patches + 1)


def dinov2(fields: Fields, family: str) -> Architecture:
    """DINOv2 (arXiv 2304.07193): a class token, registers, a learned scale after each part, a gated part in the giant."""
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    layers = fields.count("num_hidden_layers")
    patches, values = _patches(fields)
    registers = fields.count("num_register_tokens", default=0, low=0)
    swiglu = fields.flag("use_swiglu_ffn")
    width = int(fields.number("mlp_ratio", default=4.0) * hidden)
    if swiglu:  # two thirds, rounded up to a multiple of eight, as transformers' Dinov2SwiGLUFFN has it
        width = (width * 2 // 3 + 7) // 8 * 8
    group = layers_of(fields, hidden, heads, width, layers)
    scales = (Vector("layer_scale", "norm", 2 * hidden, layers),)
    group = replace(group, feed_forward=replace(group.feed_forward, gated=swiglu), extra=scales)
    mask = int(fields.flag("use_mask_token", default=True))
    stem: tuple[Piece, ...] = (
        biased("patch", "stem", values, hidden, rows=Rows(1, 0, -1 - registers)),
        Vector("tokens", "stem", (1 + registers + mask) * hidden),
    )
    own = int(fields.flag("class_position", default=True))  # timm's models with registers give the class token none
    made = _encoder(fields, family, hidden, group, stem, patches + own)
    return replace(
        made, max_positions=0, sample_tokens=patches + 1 + registers, extras={"special_tokens": float(1 + registers)}
    )


def clip_vision(fields: Fields, family: str) -> Architecture:
    """CLIP's vision tower (arXiv 2103.00020): a class token, a norm before the layers, patches without a bias."""
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    patches, values = _patches(fields)
    stem: tuple[Piece, ...] = (
        Linear("patch", "stem", values, hidden, rows=Rows(1, 0, -1)),
        Vector("class_token", "stem", hidden),
        Vector("first_norm", "norm", 2 * hidden),
    )
    group = layers_of(fields, hidden, heads, fields.count("intermediate_size"), fields.count("num_hidden_layers"))
    return replace(_encoder(fields, family, hidden, group, stem, patches + 1), extras={"special_tokens": 1.0})


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
    group = layers_of(fields, hidden, heads, width, fields.count("num_hidden_layers"))
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


def whisper_encoder(fields: Fields, hidden: int) -> Architecture:
    """Two convolutions of width 3, the second of stride 2, then the layers; keys have no bias."""
    heads = fields.count("encoder_attention_heads", "num_attention_heads")
    mel, positions = fields.count("num_mel_bins", default=128), fields.count("max_source_positions", default=1500)
    stem = (
        biased("conv1", "stem", 3 * mel, hidden, rows=Rows(2)),
        biased("conv2", "stem", 3 * hidden, hidden),
    )
    layers = fields.count("encoder_layers", "num_hidden_layers")
    width = fields.count("encoder_ffn_dim", "intermediate_size", default=4 * hidden)
    group = layers_of(fields, hidden, heads, width, layers, key_bias=False)
    return _encoder(fields, "whisper", hidden, group, stem, positions)


READERS: dict[str, Callable[[Fields, str], Architecture]] = {
    "vit": vit,
    "siglip_vision_model": siglip,
    "clip_vision_model": clip_vision,
    "dinov2": dinov2,
}

"""Denoising transformers that meet their text by cross-attention or in one stream: PixArt, SANA, Hunyuan-DiT, CogVideoX.

Shapes are those of Hugging Face diffusers. Sources: PixArt arXiv 2403.04692, SANA arXiv 2410.10629 and 2501.18427,
Hunyuan-DiT arXiv 2405.08748, CogVideoX arXiv 2408.06072.
"""

from __future__ import annotations

from collections.abc import Callable

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config.diffusion import (
    TIME_WIDTH,
    cross_attention,
    embedder,
    feed_forward_width,
    head_shape,
    modulation,
    sample_model,
)
from gigawatt.physics.workload.config.encoder import biased
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.pieces import CONTEXT, JOINT, SEQUENCE, Convolution, Linear, Piece, Vector

NONE = FeedForward("none")


def _common(fields: Fields, hidden: int, values: int, out_values: int) -> tuple[Piece, ...]:
    """Patches, time, one shared modulation, text projection and output layer of PixArt and SANA."""
    text = fields.count("caption_channels", default=4096)
    return (
        biased("patch", "stem", values, hidden),
        *embedder("time", TIME_WIDTH, hidden),
        modulation("time_modulation", hidden, 6),
        *embedder("text", text, hidden, rows=CONTEXT),
        Vector("final_table", "modulation", 2 * hidden),
        biased("final", "stem", hidden, out_values),
    )


def pixart(fields: Fields, family: str) -> Architecture:
    """PixArt: DiT with one modulation for all layers (a table each) and cross-attention to the text."""
    hidden, heads, each = head_shape(fields)
    layers = fields.count("num_hidden_layers", "num_layers")
    patch = fields.count("patch_size", default=2)
    values = fields.count("in_channels", default=4) * patch**2
    mixer = Mixer("gqa", heads, heads, each, qkv_bias=True, out_bias=True)
    part = FeedForward("dense", feed_forward_width(fields, hidden), gated=False, bias=True)
    text = fields.count("cross_attention_dim", default=hidden)
    extra = (Vector("table", "modulation", 6 * hidden, layers), *cross_attention(hidden, heads, each, text, layers))
    group = LayerGroup(layers, mixer, part, 0, extra=extra)
    return sample_model(fields, family, hidden, (group,), _common(fields, hidden, values, 2 * values), patch)


def sana(fields: Fields, family: str) -> Architecture:
    """SANA: linear self-attention, softmax cross-attention, a gated feed-forward part with a depthwise 3 x 3 convolution."""
    hidden, heads, each = head_shape(fields)
    layers = fields.count("num_hidden_layers", "num_layers")
    patch = fields.count("patch_size", default=1)
    values = fields.count("in_channels", default=32) * patch**2
    width = feed_forward_width(fields, hidden)
    mixer = Mixer("linear", heads, heads, each, out_bias=True)
    cross_heads = fields.count("num_cross_attention_heads", default=20)
    cross_each = fields.count("cross_attention_head_dim", default=112)
    extra: tuple[Piece, ...] = (
        Vector("table", "modulation", 6 * hidden, layers),
        Vector("qk_norms", "norm", 4 * hidden, layers),
        *cross_attention(hidden, cross_heads, cross_each, hidden, layers),
        biased("up", "dense_ffn", hidden, 2 * width, layers, cut="column"),
        Convolution("depthwise", 2 * width, 9, True, layers, "dense_ffn"),
        Linear("down", "dense_ffn", width, hidden, layers, cut="row"),
    )
    stem = (*_common(fields, hidden, values, values), Vector("text_norm", "norm", hidden))
    group = LayerGroup(layers, mixer, NONE, 0, extra=extra)
    return sample_model(fields, family, hidden, (group,), stem, patch)


def hunyuan_dit(fields: Fields, family: str) -> Architecture:
    """Hunyuan-DiT: cross-attention to two text encoders, long skips into the second half, one shift vector a layer."""
    hidden, heads, each = head_shape(fields)
    layers = fields.count("num_hidden_layers", "num_layers")
    patch = fields.count("patch_size", default=2)
    values = fields.count("in_channels", default=4) * patch**2
    text, pooled = fields.count("cross_attention_dim", default=1024), 1024
    t5 = fields.count("cross_attention_dim_t5", default=2048)
    mixer = Mixer("gqa", heads, heads, each, qkv_bias=True, out_bias=True, qk_norm=True)
    part = FeedForward("dense", feed_forward_width(fields, hidden), gated=False, bias=True)
    skips = layers - layers // 2 - 1
    extra: tuple[Piece, ...] = (
        modulation("shift", hidden, 1, layers),
        Vector("qk_shifts_and_cross_norms", "norm", 6 * each, layers),
        *cross_attention(hidden, heads, each, text, layers),
        biased("skip", "dense_ffn", 2 * hidden, hidden, skips),
        Vector("skip_norm", "norm", 4 * hidden, skips),
    )
    stem: tuple[Piece, ...] = (
        biased("patch", "stem", values, hidden),
        biased("text_1", "stem", t5, 4 * t5, rows=CONTEXT),
        biased("text_2", "stem", 4 * t5, text, rows=CONTEXT),
        *embedder("time", TIME_WIDTH, hidden),
        biased("pooled_1", "modulation", pooled, 4 * hidden, rows=SEQUENCE),
        biased("pooled_2", "modulation", 4 * hidden, hidden, rows=SEQUENCE),
        modulation("final_adaln", hidden, 2),
        biased("final", "stem", hidden, 2 * values),
    )
    group = LayerGroup(layers, mixer, part, 3, True, extra=extra)
    return sample_model(fields, family, hidden, (group,), stem, patch)


def cogvideox(fields: Fields, family: str) -> Architecture:
    """CogVideoX: one stream of text and clip with shared matrices, modulated apart."""
    hidden, heads, each = head_shape(fields)
    layers = fields.count("num_hidden_layers", "num_layers")
    patch, patch_t = fields.count("patch_size", default=2), fields.count("patch_size_t", default=1)
    values = fields.count("in_channels", default=16) * patch**2 * patch_t
    time = fields.count("time_embed_dim", default=512)
    mixer = Mixer("gqa", heads, heads, each, qkv_bias=True, out_bias=True, qk_norm=True, joint=True)
    part = FeedForward("dense", feed_forward_width(fields, hidden), gated=False, bias=True)
    extra: tuple[Piece, ...] = (
        modulation("adaln", hidden, 12, layers, time),
        Vector("qk_shifts", "norm", 2 * each, layers),
    )
    stem: tuple[Piece, ...] = (
        biased("patch", "stem", values, hidden),
        biased("text_in", "stem", fields.count("text_embed_dim", default=4096), hidden, rows=CONTEXT),
        biased("time_1", "modulation", hidden, time, rows=SEQUENCE),
        biased("time_2", "modulation", time, time, rows=SEQUENCE),
        Vector("final_norms", "norm", 4 * hidden),
        modulation("final_adaln", hidden, 2, 1, time),
        biased("final", "stem", hidden, values),
    )
    group = LayerGroup(layers, mixer, part, 2, True, rows=JOINT, extra=extra)
    return sample_model(fields, family, hidden, (group,), stem, patch)


READERS: dict[str, Callable[[Fields, str], Architecture]] = {
    "pixart": pixart,
    "sana": sana,
    "hunyuan_dit": hunyuan_dit,
    "cogvideox": cogvideox,
}

"""Denoising transformers: DiT, SD3's MM-DiT, FLUX and Hunyuan Video, Wan.

Shapes are those of Hugging Face diffusers; one pass is one denoising step without guidance. `tokens` are latent
patches, `context` the conditioning text. Sources: DiT arXiv 2212.09748, SD3 arXiv 2403.03206, Wan arXiv 2503.20314.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config.encoder import biased
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.pieces import CONTEXT, JOINT, SEQUENCE, Attention, Linear, Piece, Rows, Vector

TIME_WIDTH = 256  # sinusoidal features of the time step in all of these models


def embedder(name: str, k: int, hidden: int, count: int = 1, rows: Rows = SEQUENCE) -> tuple[Piece, ...]:
    """Two matrices with an activation between, as time, text and guidance embedders have."""
    return (
        biased(f"{name}_1", "modulation", k, hidden, count, rows),
        biased(f"{name}_2", "modulation", hidden, hidden, count, rows),
    )


def modulation(name: str, hidden: int, vectors: int, count: int = 1, k: int = 0) -> Linear:
    """Shift, scale and gate vectors from the conditioning, once a sequence."""
    return biased(name, "modulation", k or hidden, vectors * hidden, count, SEQUENCE)


def latent_tokens(fields: Fields, patch: int) -> int:
    """Patches of one image or clip, from the latent's size: image_tokens, sample_size, or frames x height x width."""
    if "image_tokens" in fields:
        return fields.count("image_tokens")
    size = fields.count("sample_size", default=0, low=0)
    width = fields.count("sample_width", default=size, low=0)
    height = fields.count("sample_height", default=size, low=0)
    frames = fields.count("sample_frames", default=1)
    stride = fields.count("temporal_compression_ratio", default=4) if frames > 1 else 1
    patch_t = fields.count("patch_size_t", default=1)
    latent_frames = (frames - 1) // stride + 1
    return max(latent_frames // patch_t, 1) * (width // patch) * (height // patch)


def head_shape(fields: Fields) -> tuple[int, int, int]:
    """Hidden width, heads and head width; any two give the third."""
    heads = fields.count("num_attention_heads", "num_heads")
    each = fields.count("attention_head_dim", "head_dim", default=0, low=0)
    hidden = fields.count("hidden_size", "inner_dim", default=each * heads if each else None)
    fields.require(hidden % heads == 0 or each > 0, f"hidden size {hidden} is not divisible by {heads} attention heads")
    return hidden, heads, each or max(hidden // heads, 1)


def sample_model(
    fields: Fields,
    family: str,
    hidden: int,
    groups: tuple[LayerGroup, ...],
    stem: tuple[Piece, ...],
    patch: int,
    **more: Any,
) -> Architecture:
    """What all denoisers share: no vocabulary and no mask, a sample's length, its text, its steps."""
    return Architecture(
        fields.name,
        family,
        hidden,
        0,
        groups,
        has_head=False,
        causal=False,
        final_norm=False,
        stem=stem,
        sample_tokens=latent_tokens(fields, patch),
        context_tokens=fields.count("text_tokens", default=0, low=0),
        steps=fields.count("steps", default=1),
        guidance=fields.flag("guidance"),
        **more,
    )


def feed_forward_width(fields: Fields, hidden: int) -> int:
    """Width of the feed-forward part, stated or as a multiple of the hidden width."""
    named = fields.count("intermediate_size", "ffn_dim", default=0, low=0)
    return named or int(fields.number("mlp_ratio", default=4.0) * hidden)


def dit(fields: Fields, family: str) -> Architecture:
    """DiT: class-conditional; in diffusers each block has its own time and class embedder."""
    hidden, heads, each = head_shape(fields)
    layers = fields.count("num_hidden_layers", "num_layers")
    patch, channels = fields.count("patch_size", default=2), fields.count("in_channels", default=4)
    classes = fields.count("num_embeds_ada_norm", default=1000) + 1
    mixer = Mixer("gqa", heads, heads, each, qkv_bias=True, out_bias=True)
    part = FeedForward("dense", feed_forward_width(fields, hidden), gated=False, bias=True)
    extra: tuple[Piece, ...] = (
        *embedder("time", TIME_WIDTH, hidden, layers),
        Vector("classes", "modulation", classes * hidden, layers),
        modulation("adaln", hidden, 6, layers),
    )
    values = channels * patch**2
    # The last layer asks the first block's embedder once more; noise and variance are both predicted.
    again = tuple(
        Linear(f"time_again_{i}", "modulation", k, hidden, rows=SEQUENCE, stored=False)
        for i, k in ((1, TIME_WIDTH), (2, hidden))
    )
    stem: tuple[Piece, ...] = (
        biased("patch", "stem", values, hidden),
        *again,
        modulation("final_adaln", hidden, 2),
        biased("final", "stem", hidden, 2 * values),
    )
    group = LayerGroup(layers, mixer, part, norms=0, extra=extra)
    return sample_model(fields, family, hidden, (group,), stem, patch)


def _second_stream(
    hidden: int, heads: int, each: int, width: int, layers: int, last_open: bool, qk_norm: bool
) -> tuple[Piece, ...]:
    """The text stream of a double block: its own matrices; `last_open` False: the last block ends with attention."""
    full = layers if last_open else layers - 1
    inner = heads * each
    norms: tuple[Piece, ...] = (Vector("text_qk_norm", "norm", 2 * each, layers),) if qk_norm else ()
    last: tuple[Piece, ...] = () if last_open else (modulation("text_adaln_last", hidden, 2),)
    return (
        modulation("adaln", hidden, 6, layers),
        modulation("text_adaln", hidden, 6, full),
        *last,
        *norms,
        biased("text_qkv", "attention", hidden, 3 * inner, layers, CONTEXT, "column"),
        biased("text_out", "attention", inner, hidden, full, CONTEXT, "row"),
        biased("text_up", "dense_ffn", hidden, width, full, CONTEXT, "column"),
        biased("text_down", "dense_ffn", width, hidden, full, CONTEXT, "row"),
    )


def sd3(fields: Fields, family: str) -> Architecture:
    """Stable Diffusion 3 and 3.5: image and text joined in attention; 3.5 adds image-only attention in some layers."""
    hidden, heads, each = head_shape(fields)
    layers = fields.count("num_hidden_layers", "num_layers")
    patch, channels = fields.count("patch_size", default=2), fields.count("in_channels", default=16)
    dual = fields.count("dual_attention_layers", default=0, low=0)
    qk_norm = fields.has("qk_norm") or dual > 0
    width, inner = feed_forward_width(fields, hidden), heads * each
    mixer = Mixer("gqa", heads, heads, each, qkv_bias=True, out_bias=True, qk_norm=qk_norm, joint=True)
    extra = list(_second_stream(hidden, heads, each, width, layers, False, qk_norm))
    if dual:
        extra += [
            modulation("adaln_dual", hidden, 3, dual),
            biased("dual_qkv", "attention", hidden, 3 * inner, dual, cut="column"),
            Vector("dual_qk_norm", "norm", 2 * each, dual),
            Attention("dual", heads, heads, each, each, dual, False),
            biased("dual_out", "attention", inner, hidden, dual, cut="row"),
        ]
    part = FeedForward("dense", width, gated=False, bias=True)
    values = channels * patch**2
    stem: tuple[Piece, ...] = (
        biased("patch", "stem", values, hidden),
        *embedder("time", TIME_WIDTH, hidden),
        *embedder("pooled_text", fields.count("pooled_projection_dim", default=2048), hidden),
        biased("text_in", "stem", fields.count("joint_attention_dim", default=4096), hidden, rows=CONTEXT),
        modulation("final_adaln", hidden, 2),
        biased("final", "stem", hidden, values),
    )
    return sample_model(fields, family, hidden, (LayerGroup(layers, mixer, part, 0, extra=tuple(extra)),), stem, patch)


def flux(fields: Fields, family: str) -> Architecture:
    """FLUX.1 and Hunyuan Video: double blocks of two streams, then single ones: attention beside the feed-forward."""
    hidden, heads, each = head_shape(fields)
    double, single = fields.count("num_layers", "num_hidden_layers"), fields.count("num_single_layers")
    patch = fields.count("patch_size", default=1)
    values = fields.count("in_channels", default=64) * patch**2
    width, inner = feed_forward_width(fields, hidden), heads * each
    joint = Mixer("gqa", heads, heads, each, qkv_bias=True, out_bias=True, qk_norm=True, joint=True)
    part = FeedForward("dense", width, gated=False, bias=True)
    first = LayerGroup(double, joint, part, 0, extra=_second_stream(hidden, heads, each, width, double, True, True))
    # One output matrix takes attention and feed-forward together; its bias is the feed-forward part's.
    side = Mixer("gqa", heads, heads, each, qkv_bias=True, out_bias=False, qk_norm=True, joint=True)
    second = LayerGroup(single, side, part, 0, rows=JOINT, extra=(modulation("adaln_single", hidden, 3, single),))
    text = fields.count("joint_attention_dim", "text_embed_dim", default=4096)
    pooled = fields.count("pooled_projection_dim", default=768)
    stem: list[Piece] = [
        biased("patch", "stem", values, hidden),
        *embedder("time", TIME_WIDTH, hidden),
        *embedder("pooled_text", pooled, hidden),
        modulation("final_adaln", hidden, 2),
        biased("final", "stem", hidden, values),
    ]
    if fields.flag("guidance_embeds"):
        stem += embedder("guidance", TIME_WIDTH, hidden)
    if family == "hunyuan_video":
        stem += _token_refiner(text, hidden, inner, heads, each, width)
    else:
        stem.append(biased("text_in", "stem", text, hidden, rows=CONTEXT))
    return sample_model(fields, family, hidden, (first, second), tuple(stem), patch)


def _token_refiner(text: int, hidden: int, inner: int, heads: int, each: int, width: int) -> list[Piece]:
    """Hunyuan Video's two layers over the text before the blocks (arXiv 2412.03603)."""
    return [
        *embedder("refiner_time", TIME_WIDTH, hidden),
        *embedder("refiner_text", text, hidden),
        biased("text_in", "stem", text, hidden, rows=CONTEXT),
        biased("refiner_qkv", "stem", hidden, 3 * inner, 2, CONTEXT),
        Attention("refiner", heads, heads, each, each, 2, False, queries=CONTEXT, keys=CONTEXT),
        biased("refiner_out", "stem", inner, hidden, 2, CONTEXT),
        biased("refiner_up", "stem", hidden, width, 2, CONTEXT),
        biased("refiner_down", "stem", width, hidden, 2, CONTEXT),
        modulation("refiner_adaln", hidden, 2, 2),
        Vector("refiner_norm", "norm", 4 * hidden, 2),
    ]


def wan(fields: Fields, family: str) -> Architecture:
    """Wan 2.x: self-attention over the clip, cross-attention to the text, one shared modulation and a table a layer.

    `experts` (2.2): as many whole models for different noise levels, of which a step runs one; parameters are of one.
    """
    hidden, heads, each = head_shape(fields)
    layers = fields.count("num_hidden_layers", "num_layers")
    patch, patch_t = fields.count("patch_size", default=2), fields.count("patch_size_t", default=1)
    values = fields.count("in_channels", default=16) * patch**2 * patch_t
    mixer = Mixer("gqa", heads, heads, each, qkv_bias=True, out_bias=True, qk_norm=True, qk_norm_wide=True)
    part = FeedForward("dense", feed_forward_width(fields, hidden), gated=False, bias=True)
    extra: tuple[Piece, ...] = (
        Vector("table", "modulation", 6 * hidden, layers),
        Vector("cross_norm", "norm", 2 * hidden, layers),
        Vector("cross_qk_norm", "norm", 2 * hidden, layers),
        *cross_attention(hidden, heads, each, hidden, layers),
    )
    text = fields.count("text_embed_dim", "text_dim", default=4096)
    stem: tuple[Piece, ...] = (
        biased("patch", "stem", values, hidden),
        *embedder("time", TIME_WIDTH, hidden),
        modulation("time_modulation", hidden, 6),
        *embedder("text", text, hidden, rows=CONTEXT),
        Vector("final_table", "modulation", 2 * hidden),
        biased("final", "stem", hidden, values),
    )
    copies = fields.count("experts", default=1)
    made = sample_model(fields, family, hidden, (LayerGroup(layers, mixer, part, 0, extra=extra),), stem, patch)
    if copies == 1:
        return made
    return sample_model(
        fields,
        family,
        hidden,
        made.groups,
        stem,
        patch,
        extras={"experts": float(copies)},
        towers=(made,) * (copies - 1),
    )


def cross_attention(hidden: int, heads: int, each: int, text: int, layers: int) -> tuple[Piece, ...]:
    """Queries from the tokens, keys and values from the text (the same at every step, so they may be cached)."""
    inner = heads * each
    return (
        biased("cross_q", "attention", hidden, inner, layers, cut="column"),
        Linear("cross_kv", "attention", text, 2 * inner, layers, 2 * inner, rows=CONTEXT, cut="column", cached=True),
        Attention("cross", heads, heads, each, each, layers, False, keys=CONTEXT),
        biased("cross_out", "attention", inner, hidden, layers, cut="row"),
    )


READERS: dict[str, Callable[[Fields, str], Architecture]] = {
    "dit": dit,
    "sd3": sd3,
    "flux": flux,
    "hunyuan_video": flux,
    "wan": wan,
}

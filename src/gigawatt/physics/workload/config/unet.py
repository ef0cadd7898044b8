"""Stable Diffusion XL's U-Net (arXiv 2307.01952): residual convolutions, and transformers with text at the lower levels.

A token is a latent pixel of the lowest level; a level k steps above holds 4**k of them for each. A 3 x 3 convolution
is a matrix of 9 * inputs x outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.config.encoder import biased
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.pieces import CONTEXT, SEQUENCE, Attention, Linear, Piece, Rows, Vector


def _resnet(inputs: int, out: int, time: int, rows: Rows) -> Iterator[Piece]:
    yield Vector("norms", "norm", 2 * inputs + 2 * out)
    yield biased("conv_1", "dense_ffn", 9 * inputs, out, rows=rows)
    yield biased("time", "modulation", time, out, rows=SEQUENCE)
    yield biased("conv_2", "dense_ffn", 9 * out, out, rows=rows)
    if inputs != out:
        yield biased("shortcut", "dense_ffn", inputs, out, rows=rows)


def _transformer(width: int, depth: int, each: int, text: int, rows: Rows) -> Iterator[Piece]:
    """Projection in, `depth` blocks of self-attention, cross-attention and a gated feed-forward part, projection out."""
    heads = width // each
    yield Vector("norm", "norm", 2 * width)
    yield biased("in", "attention", width, width, rows=rows)
    yield Vector("norms", "norm", 6 * width, depth)
    yield Linear("qkv", "attention", width, 3 * width, depth, rows=rows, cut="column")
    yield Attention("attention", heads, heads, each, each, depth, False, queries=rows, keys=rows)
    yield biased("out", "attention", width, width, depth, rows, "row")
    yield Linear("cross_q", "attention", width, width, depth, rows=rows, cut="column")
    yield Linear("cross_kv", "attention", text, 2 * width, depth, rows=CONTEXT, cut="column", cached=True)
    yield Attention("cross", heads, heads, each, each, depth, False, queries=rows, keys=CONTEXT)
    yield biased("cross_out", "attention", width, width, depth, rows, "row")
    yield biased("up", "dense_ffn", width, 8 * width, depth, rows, "column")
    yield biased("down", "dense_ffn", 4 * width, width, depth, rows, "row")
    yield biased("proj_out", "attention", width, width, rows=rows)


def _unet(widths: list[int], depths: list[int], blocks: int, each: int, text: int, time: int) -> Iterator[Piece]:
    last = len(widths) - 1
    level = [Rows(4 ** (last - i)) for i in range(len(widths))]
    skips = [widths[0]]
    channels = widths[0]
    for i, width in enumerate(widths):
        for _ in range(blocks):
            yield from _resnet(channels, width, time, level[i])
            channels = width
            skips.append(width)
            if depths[i]:
                yield from _transformer(width, depths[i], each, text, level[i])
        if i < last:
            yield biased("downsample", "dense_ffn", 9 * width, width, rows=level[i + 1])
            skips.append(width)
    yield from _resnet(channels, channels, time, level[last])
    yield from _transformer(channels, depths[last], each, text, level[last])
    yield from _resnet(channels, channels, time, level[last])
    for i in reversed(range(len(widths))):
        for _ in range(blocks + 1):
            yield from _resnet(channels + skips.pop(), widths[i], time, level[i])
            channels = widths[i]
            if depths[i]:
                yield from _transformer(channels, depths[i], each, text, level[i])
        if i:
            yield biased("upsample", "dense_ffn", 9 * channels, channels, rows=level[i - 1])


def unet_sdxl(fields: Fields, family: str) -> Architecture:
    """The whole U-Net as pieces of the stem: its layers differ in width and resolution."""
    widths = fields.items("block_out_channels") or [320, 640, 1280]
    depths = fields.items("transformer_layers_per_block") or [0, 2, 10]
    fields.require(len(widths) == len(depths), "block_out_channels and transformer_layers_per_block differ in length")
    channels, each = fields.count("in_channels", default=4), fields.count("attention_head_dim", default=64)
    time = 4 * widths[0]
    added = fields.count("projection_class_embeddings_input_dim", default=2816)  # pooled text and six size embeddings
    text = fields.count("cross_attention_dim", default=2048)
    fields.finish()
    top = Rows(4 ** (len(widths) - 1))
    blocks = fields.count("layers_per_block", default=2)
    stem: tuple[Piece, ...] = (
        biased("conv_in", "stem", 9 * channels, widths[0], rows=top),
        biased("time_1", "modulation", widths[0], time, rows=SEQUENCE),
        biased("time_2", "modulation", time, time, rows=SEQUENCE),
        biased("added_1", "modulation", added, time, rows=SEQUENCE),
        biased("added_2", "modulation", time, time, rows=SEQUENCE),
        *_unet(widths, depths, blocks, each, text, time),
        Vector("final_norm", "norm", 2 * widths[0]),
        biased("conv_out", "stem", 9 * widths[0], channels, rows=top),
    )
    size = fields.count("sample_size", default=128) // 2 ** (len(widths) - 1)
    return Architecture(
        fields.name,
        family,
        widths[-1],
        0,
        (),
        has_head=False,
        causal=False,
        final_norm=False,
        stem=stem,
        sample_tokens=size * size,
        context_tokens=fields.count("text_tokens", default=77),
        steps=fields.count("steps", default=1),
        guidance=fields.flag("guidance"),
    )


READERS: dict[str, Callable[[Fields, str], Architecture]] = {"unet_sdxl": unet_sdxl}

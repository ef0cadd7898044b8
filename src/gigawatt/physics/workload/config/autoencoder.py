"""Autoencoders of latent diffusion: images (AutoencoderKL of diffusers) and video (Wan's, with causal convolutions).

The model is the decoder, which turns a latent into pixels; its encoder is a tower. A token is a latent pixel (of one
frame, where there are several): a level k steps above works on 4**k rows for each. A convolution of side s over inputs
is a matrix of s**2 (s**3 with time) * inputs x outputs. Sources: arXiv 2112.10752, Wan arXiv 2503.20314 and the
implementations in diffusers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.config.encoder import biased
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.pieces import Attention, Linear, Piece, Rows, Vector


def _convolution(name: str, inputs: int, out: int, rows: Rows, taps: int = 9) -> Linear:
    return biased(name, "dense_ffn", taps * inputs, out, rows=rows)


def _resnet(inputs: int, out: int, rows: Rows, taps: int, norm: int) -> Iterator[Piece]:
    """Two convolutions with a norm before each (`norm` values a channel), and a shortcut where the width changes."""
    yield Vector("norms", "norm", norm * (inputs + out))
    yield _convolution("conv_1", inputs, out, rows, taps)
    yield _convolution("conv_2", out, out, rows, taps)
    if inputs != out:
        yield _convolution("shortcut", inputs, out, rows, 1)


def _middle(width: int, rows: Rows, frames: int, taps: int, norm: int) -> Iterator[Piece]:
    """A block, attention of one head within each frame, a block."""
    frame = Rows(1)
    yield from _resnet(width, width, rows, taps, norm)
    yield Vector("norm", "norm", norm * width)
    yield biased("qkv", "attention", width, 3 * width, rows=rows)
    yield Attention("attention", 1, 1, width, width, frames, False, queries=frame, keys=frame)
    yield biased("out", "attention", width, width, rows=rows)
    yield from _resnet(width, width, rows, taps, norm)


def _image_decoder(widths: list[int], blocks: int, latent: int, out: int, quantised: bool) -> Iterator[Piece]:
    low, width = Rows(1), widths[-1]
    if quantised:
        yield _convolution("post_quant", latent, latent, low, 1)
    yield _convolution("conv_in", latent, width, low)
    yield from _middle(width, low, 1, 9, 2)
    rows = low
    for i, above in enumerate(reversed(widths)):
        for j in range(blocks + 1):
            yield from _resnet(width if j == 0 else above, above, rows, 9, 2)
        width = above
        if i < len(widths) - 1:
            rows = Rows(4 * rows.per_token)
            yield _convolution("upsample", width, width, rows)
    yield Vector("norm_out", "norm", 2 * width)
    yield _convolution("conv_out", width, out, rows)


def _image_encoder(widths: list[int], blocks: int, latent: int, inputs: int, quantised: bool) -> Iterator[Piece]:
    top = 4 ** (len(widths) - 1)
    rows, width = Rows(top), widths[0]
    yield _convolution("conv_in", inputs, width, rows)
    for i, below in enumerate(widths):
        for j in range(blocks):
            yield from _resnet(width if j == 0 else below, below, rows, 9, 2)
        width = below
        if i < len(widths) - 1:
            rows = Rows(rows.per_token // 4)
            yield _convolution("downsample", width, width, rows)
    yield from _middle(width, rows, 1, 9, 2)
    yield Vector("norm_out", "norm", 2 * width)
    yield _convolution("conv_out", width, 2 * latent, rows)
    if quantised:
        yield _convolution("quant", 2 * latent, 2 * latent, rows, 1)


def autoencoder_kl(fields: Fields, family: str) -> Architecture:
    """Stable Diffusion's, SDXL's, SD3's and FLUX's autoencoder; `sample_size` is the image's side in pixels."""
    widths = [int(width) for width in fields.items("block_out_channels") or [128, 256, 512, 512]]
    blocks, latent = fields.count("layers_per_block", default=2), fields.count("latent_channels", default=4)
    quantised = fields.flag("use_post_quant_conv", default=True)
    before = fields.flag("use_quant_conv", default=True)
    size = fields.count("sample_size", default=512)
    step = 2 ** (len(widths) - 1)
    fields.require(size % step == 0, f"an image of {size} pixels cannot be halved {len(widths) - 1} times")
    channels, out = fields.count("in_channels", default=3), fields.count("out_channels", default=3)
    tokens = (size // step) ** 2
    encoder = _stack(f"{fields.name} encoder", family, widths[-1], tokens)
    decoder = _stack(fields.name, family, widths[-1], tokens)
    return _with(
        decoder,
        tuple(_image_decoder(widths, blocks, latent, out, quantised)),
        (_with(encoder, tuple(_image_encoder(widths, blocks, latent, channels, before)), ()),),
    )


def _video_decoder(widths: list[int], blocks: int, latent: int, frames: int, doubled: list[bool]) -> Iterator[Piece]:
    """`frames` latent frames; each doubling of time makes 2 n - 1 of n, since the first frame stands alone."""
    rows, now, width = Rows(frames), frames, widths[-1]
    yield _convolution("post_quant", latent, latent, rows, 1)
    yield _convolution("conv_in", latent, width, rows, 27)
    yield from _middle(width, rows, frames, 27, 1)
    scale = 1
    for i, above in enumerate(reversed(widths)):
        for j in range(blocks + 1):
            yield from _resnet(width if j == 0 else above, above, rows, 27, 1)
        width = above
        if i == len(widths) - 1:
            break
        if doubled[i]:  # the first frame needs no convolution over time
            yield _convolution("time", width, 2 * width, Rows(scale * (now - 1)), 3)
            now = 2 * now - 1
        scale *= 4
        rows = Rows(scale * now)
        yield _convolution("upsample", width, width // 2, rows)
        width //= 2
    yield Vector("norm_out", "norm", width)
    yield _convolution("conv_out", width, 3, rows, 27)


def autoencoder_wan(fields: Fields, family: str) -> Architecture:
    """Wan 2.1's video decoder (the encoder is left out); `sample_frames` frames of `sample_height` x `sample_width`."""
    base = fields.count("base_dim", default=96)
    multiples = fields.items("dim_mult") or [1, 2, 4, 4]
    time = fields.items("temperal_downsample", "temporal_downsample") or [False, True, True]
    fields.require(len(time) == len(multiples) - 1, "temperal_downsample says of each step whether time is halved")
    height, width = fields.count("sample_height", default=480), fields.count("sample_width", default=832)
    shown = fields.count("sample_frames", default=81)
    step, stride = 2 ** len(time), 2 ** sum(map(bool, time))
    fields.require(
        height % step == 0 and width % step == 0, f"{width} x {height} pixels cannot be halved {len(time)} times"
    )
    frames = (shown - 1) // stride + 1
    widths = [base * int(multiple) for multiple in multiples]
    made = _stack(fields.name, family, widths[-1], (height // step) * (width // step))
    blocks, latent = fields.count("num_res_blocks", default=2), fields.count("z_dim", default=16)
    return _with(made, tuple(_video_decoder(widths, blocks, latent, frames, [bool(t) for t in reversed(time)])), ())


def _stack(name: str, family: str, width: int, tokens: int) -> Architecture:
    return Architecture(
        name, family, width, 0, (), has_head=False, causal=False, final_norm=False, sample_tokens=tokens
    )


def _with(arch: Architecture, stem: tuple[Piece, ...], towers: tuple[Architecture, ...]) -> Architecture:
    return replace(arch, stem=stem, towers=towers)


READERS: dict[str, Callable[[Fields, str], Architecture]] = {
    "autoencoder_kl": autoencoder_kl,
    "autoencoder_kl_wan": autoencoder_wan,
}

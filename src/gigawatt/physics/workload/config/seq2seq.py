"""Encoder-decoders: T5, BART, Pegasus, Marian, Whisper. The decoder is the model, its encoder a tower.

The encoder runs once a request over `context_tokens`; each decoder layer meets its output by cross-attention, whose
keys and values (`cross_kv`) are computed once and cached. Sources: T5 arXiv 1910.10683, BART arXiv 1910.13461,
Whisper arXiv 2212.04356, their published implementations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config.encoder import layers_of, whisper_encoder
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.pieces import CONTEXT, Attention, Linear, Piece, Vector


def cross_layers(
    hidden: int, heads: int, each: int, layers: int, bias: bool, key_bias: bool = True
) -> tuple[Piece, ...]:
    """The cross-attention of `layers` decoder layers, with its norm; `key_bias` False: keys alone have none."""
    inner = heads * each
    wide = 2 * inner if key_bias else inner
    return (
        Vector("cross_norm", "norm", hidden * (2 if bias else 1), layers),
        Linear("cross_q", "attention", hidden, inner, layers, inner if bias else 0, cut="column"),
        Linear(
            "cross_kv",
            "attention",
            hidden,
            2 * inner,
            layers,
            wide if bias else 0,
            rows=CONTEXT,
            cut="column",
            cached=True,
        ),
        Attention("cross", heads, heads, each, each, layers, False, keys=CONTEXT),
        Linear("cross_out", "attention", inner, hidden, layers, hidden if bias else 0, cut="row"),
    )


def t5(fields: Fields, family: str) -> Architecture:
    """T5 and mT5: no biases, RMS norms, one table of relative positions a stack (umT5: one a layer).

    `model_type` t5_encoder, or `num_decoder_layers` 0, is the encoder alone.
    """
    hidden, heads = fields.count("d_model", "hidden_size"), fields.count("num_heads", "num_attention_heads")
    head_dim = fields.count("d_kv", "head_dim", default=64)
    width = fields.count("d_ff", "intermediate_size")
    gated = "gated" in fields.text("feed_forward_proj", default="gated-gelu")
    buckets = fields.count("relative_attention_num_buckets", default=32)
    layers = fields.count("num_layers", "num_hidden_layers")
    vocab = fields.count("vocab_size", default=32128)
    alone = fields.text("model_type") in ("", "t5_encoder", "t5-encoder")
    below = fields.count("num_decoder_layers", default=0 if alone else layers, low=0)
    mixer, part = Mixer("gqa", heads, heads, head_dim), FeedForward("dense", width, gated)
    every_layer = fields.text("model_type") == "umt5"
    encoder = Architecture(
        fields.name,
        family,
        hidden,
        vocab if not below else 0,
        (LayerGroup(layers, mixer, part),),
        has_head=False,
        causal=False,
        stem=(Vector("relative_positions", "stem", buckets * heads, layers if every_layer else 1),),
    )
    if not below:
        return encoder
    cross = cross_layers(hidden, heads, head_dim, below, False)
    return replace(
        encoder,
        vocab=vocab,
        groups=(LayerGroup(below, mixer, part, extra=cross),),
        has_head=True,
        causal=True,
        tied_embeddings=fields.flag("tie_word_embeddings", default=True),
        stem=(Vector("relative_positions", "stem", buckets * heads, below if every_layer else 1),),
        towers=(replace(encoder, name=f"{fields.name} encoder"),),
        context_tokens=fields.count("n_positions", default=512),
    )


def bart(fields: Fields, family: str) -> Architecture:
    """BART, mBART, Pegasus, Marian: biases and LayerNorm, one table of words for encoder, decoder and head.

    BART has a norm after its embeddings and none at the end, Pegasus the reverse, mBART both; Pegasus and Marian have
    sinusoidal positions, which are stored all the same.
    """
    hidden, positions = fields.count("d_model"), fields.count("max_position_embeddings", default=1024)
    first, last = family in ("bart", "mbart"), family in ("pegasus", "mbart")
    rows = positions + (2 if first else 0)

    def side(name: str) -> tuple[int, LayerGroup]:
        heads = fields.count(f"{name}_attention_heads")
        width, layers = fields.count(f"{name}_ffn_dim"), fields.count(f"{name}_layers")
        return heads, layers_of(fields, hidden, heads, width, layers)

    _, below = side("encoder")
    heads, above = side("decoder")
    encoder = Architecture(
        f"{fields.name} encoder",
        family,
        hidden,
        0,
        (below,),
        has_head=False,
        causal=False,
        max_positions=positions,
        final_norm=last,
        final_norm_bias=True,
        embedding_norm=first,
        learned_positions=rows,
        sample_tokens=positions,
    )
    cross = cross_layers(hidden, heads, max(hidden // heads, 1), above.count, True)
    return replace(
        encoder,
        name=fields.name,
        vocab=fields.count("vocab_size"),
        groups=(replace(above, extra=cross),),
        tied_embeddings=fields.flag("tie_word_embeddings", default=True),
        has_head=True,
        causal=True,
        towers=(encoder,),
        sample_tokens=0,
        context_tokens=positions,
    )


def whisper(fields: Fields, family: str) -> Architecture:
    """Whisper: with `decoder_layers` the decoder, its encoder as a tower; else the encoder."""
    hidden = fields.count("d_model", "hidden_size")
    encoder = whisper_encoder(fields, hidden)
    layers = fields.count("decoder_layers", default=0, low=0)
    if not layers:
        return encoder
    heads = fields.count("decoder_attention_heads")
    group = layers_of(fields, hidden, heads, fields.count("decoder_ffn_dim"), layers, key_bias=False)
    positions = fields.count("max_target_positions", default=448)
    return Architecture(
        fields.name,
        family,
        hidden,
        fields.count("vocab_size"),
        (replace(group, extra=cross_layers(hidden, heads, max(hidden // heads, 1), layers, True, False)),),
        tied_embeddings=fields.flag("tie_word_embeddings", default=True),
        max_positions=positions,
        final_norm_bias=True,
        learned_positions=positions,
        towers=(encoder,),
        context_tokens=encoder.sample_tokens,
    )


READERS: dict[str, Callable[[Fields, str], Architecture]] = {
    "t5": t5,
    "bart": bart,
    "mbart": bart,
    "pegasus": bart,
    "marian": bart,
    "whisper": whisper,
}

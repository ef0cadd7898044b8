"""Encoders of text, as embedding models and classifiers have them: BERT and its kin, ModernBERT, CLIP's text tower.

One forward pass gives a vector a token; the pooled output of a sentence is one more row a sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config.decoder import pool
from gigawatt.physics.workload.config.encoder import biased, layers_of
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.pieces import SEQUENCE, Linear, Piece, Vector


def bert(fields: Fields, family: str) -> Architecture:
    """BERT (arXiv 1810.04805), RoBERTa, XLM-R, ELECTRA (narrower embeddings), DistilBERT (no segments, no pooler)."""
    hidden = fields.count("hidden_size", "dim")
    heads = fields.count("num_attention_heads", "n_heads")
    layers = fields.count("num_hidden_layers", "n_layers")
    width = fields.count("intermediate_size", "hidden_dim", default=4 * hidden)
    positions = fields.count("max_position_embeddings", default=512)
    segments = 0 if family == "distilbert" else fields.count("type_vocab_size", default=2, low=0)
    narrow = fields.count("embedding_size", default=hidden)
    vocab = fields.count("vocab_size")
    stem: list[Piece] = [Vector("segments", "embedding", segments * narrow)] if segments else []
    if narrow != hidden:
        stem.append(biased("embedding_up", "stem", narrow, hidden))
    if family == "bert":
        stem.append(biased("pooler", "stem", hidden, hidden, rows=SEQUENCE))
    return Architecture(
        fields.name,
        family,
        hidden,
        vocab,
        (layers_of(fields, hidden, heads, width, layers),),
        has_head=False,
        max_positions=positions,
        causal=False,
        final_norm=False,
        embedding_norm=True,
        final_norm_bias=True,
        learned_positions=positions,
        embedding_width=narrow,
        stem=tuple(stem),
    )


def modernbert(fields: Fields, family: str) -> Architecture:
    """ModernBERT (arXiv 2412.13663): no biases, gated parts, local attention in two layers of three, rotary positions."""
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    layers, width = fields.count("num_hidden_layers"), fields.count("intermediate_size")
    fields.require(hidden % heads == 0, f"hidden size {hidden} is not divisible by {heads} attention heads")
    every = fields.count("global_attn_every_n_layers", default=3)
    reach = fields.count("local_attention", "sliding_window", default=128)
    kinds = fields.items("layer_types") or ["full_attention" if i % every == 0 else "local" for i in range(layers)]
    bias = fields.flag("attention_bias")
    part = FeedForward("dense", width, bias=fields.flag("mlp_bias"))
    full = Mixer("gqa", heads, heads, max(hidden // heads, 1), qkv_bias=bias, out_bias=bias)
    local = replace(full, window=reach)
    stack = [LayerGroup(1, full if kind == "full_attention" else local, part) for kind in kinds]
    if stack:  # the first layer takes the embedding's norm for its own
        stack[0] = replace(stack[0], norms=1)
    return Architecture(
        fields.name,
        family,
        hidden,
        fields.count("vocab_size"),
        pool(stack),
        has_head=False,
        max_positions=fields.count("max_position_embeddings", default=8192),
        causal=False,
        embedding_norm=True,
    )


def clip_text(fields: Fields, family: str) -> Architecture:
    """The text tower of CLIP (causal, arXiv 2103.00020) or SigLIP (both ways, with an output matrix)."""
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    positions = fields.count("max_position_embeddings", default=77)
    group = layers_of(fields, hidden, heads, fields.count("intermediate_size"), fields.count("num_hidden_layers"))
    siglip = family == "siglip_text_model"
    out = fields.count("projection_size", default=hidden)
    stem: tuple[Piece, ...] = (Linear("text_head", "stem", hidden, out, bias=out, rows=SEQUENCE),) if siglip else ()
    return Architecture(
        fields.name,
        family,
        hidden,
        fields.count("vocab_size"),
        (group,),
        has_head=False,
        max_positions=positions,
        causal=not siglip,
        final_norm_bias=True,
        learned_positions=positions,
        stem=stem,
        sample_tokens=positions,
    )


READERS: dict[str, Callable[[Fields, str], Architecture]] = {
    "bert": bert,
    "electra": bert,
    "distilbert": bert,
    "modernbert": modernbert,
    "clip_text_model": clip_text,
    "siglip_text_model": clip_text,
}

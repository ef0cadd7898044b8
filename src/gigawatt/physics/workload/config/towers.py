"""Vision and audio towers of multimodal language models, from the nested `vision_config` and `audio_config`.

A tower's token is one token handed to the language model: merge**2 patches of an image (two frames of a video each),
or the stretch of audio that becomes one token. Windowed attention of Qwen2.5-VL's tower is counted as full. Sources:
Qwen2.5-VL arXiv 2502.13923, Qwen3-VL arXiv 2511.21631, their published implementations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config.encoder import biased, clip_vision, dinov2, siglip, vit
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.config.seq2seq import whisper
from gigawatt.physics.workload.pieces import SEQUENCE, Linear, Piece, Rows, Vector

QWEN3_POSITIONS = 2304  # num_position_embeddings of Qwen3-VL's published configurations


# Vision towers that are models of their own: the reader of each, by the tower's model type.
_ENCODERS = {"clip_vision_model": clip_vision, "siglip_vision_model": siglip, "dinov2": dinov2, "vit": vit}


def towers_of(fields: Fields, model: Architecture) -> tuple[Architecture, ...]:
    """The towers that the configuration nests, none for a text model."""
    towers = []
    vision, audio = fields.mapping("vision_config"), fields.mapping("audio_config")
    if vision is not None and str(vision.get("model_type")) in _ENCODERS:
        towers.append(_encoder_tower(fields, vision, model))
    elif vision is not None and "patch_size" in vision:
        towers.append(_vision(fields, vision, model))
    if audio is not None:
        inner = Fields(f"{fields.name} audio", audio)
        towers.append(whisper(inner, "whisper"))
        fields.problems.extend(inner.problems.found)
    return tuple(towers)


def _encoder_tower(outer: Fields, config: Mapping[str, Any], model: Architecture) -> Architecture:
    """A published image encoder, and what carries its output into the language model.

    Gemma 3 pools its patches to `mm_tokens_per_image` tokens, a norm and one matrix follow; PaliGemma has one matrix,
    LLaVA two. CLIP and SigLIP are no language models: a matrix (or none) projects the pooled output.
    """
    fields = Fields(f"{outer.name} vision", config)
    kind = str(config["model_type"])
    tower = _ENCODERS[kind](fields, kind)
    outer.problems.extend(fields.problems.found)
    wide, out, wrapper = tower.hidden, model.hidden, outer.text("wrapper_type")
    pieces: tuple[Piece, ...]
    pooled = outer.count("mm_tokens_per_image", default=256)
    if wrapper == "gemma3":
        pieces = (
            Vector("project_norm", "norm", wide),
            Linear("project", "stem", wide, out, rows=Rows(0, 0, pooled)),
        )
    elif wrapper == "paligemma":
        pieces = (biased("project", "stem", wide, out),)
    elif wrapper == "clip":
        both = outer.count("projection_dim", default=512)
        pieces = (
            Linear("project", "stem", wide, both, rows=SEQUENCE),
            Linear("project_text", "stem", out, both, rows=SEQUENCE),
            Vector("logit_scale", "stem", 1),
        )
    elif wrapper == "siglip":
        pieces = (Vector("logit_scale", "stem", 2),)
    else:
        pieces = (biased("project_1", "stem", wide, out), biased("project_2", "stem", out, out))
    extras = {**tower.extras, "image_tokens": float(pooled)} if wrapper == "gemma3" else tower.extras
    return replace(tower, name=fields.name, stem=(*tower.stem, *pieces), extras=extras)


def _vision(outer: Fields, config: Mapping[str, Any], model: Architecture) -> Architecture:
    """Four kinds. Qwen2.5-VL: gated parts, RMS norms, no positions; Qwen2-VL: plain parts, LayerNorm, its `hidden_size`
    the output's. Qwen3-VL: plain parts, LayerNorm, learned positions, three further mergers for early layers. Any
    other: a ViT with a two-matrix projector.
    """
    if "embed_dim" in config:
        wide = config["embed_dim"]
        named = {"hidden_size": wide, "intermediate_size": config.get("mlp_ratio", 4) * wide}
        config = {**config, "out_hidden_size": config.get("hidden_size", model.hidden), **named}
    fields = Fields(f"{outer.name} vision", config)
    first, qwen3 = "embed_dim" in config, model.family in ("qwen3", "qwen3_moe", "qwen3_next")
    qwen2 = model.family == "qwen2" and not first  # of Qwen2.5-VL
    hidden, heads = fields.count("hidden_size"), fields.count("num_heads", "num_attention_heads")
    width, layers = fields.count("intermediate_size"), fields.count("depth", "num_hidden_layers")
    merge, patch = fields.count("spatial_merge_size", default=2), fields.count("patch_size")
    size = fields.count("image_size", default=0, low=0)
    values = 3 * fields.count("temporal_patch_size", default=1) * patch**2
    out = fields.count("out_hidden_size", default=model.hidden)
    fields.require(hidden % heads == 0, f"hidden size {hidden} is not divisible by {heads} attention heads")
    outer.problems.extend(fields.problems.found)
    wide, patches = hidden * merge**2, Rows(merge**2)
    stem: list[Piece] = [
        Linear("patch", "stem", values, hidden, bias=0 if qwen2 or first else hidden, rows=patches),
        Vector("merge_norm", "norm", hidden if qwen2 else 2 * hidden),
        biased("merge_1", "stem", wide, wide),
        biased("merge_2", "stem", wide, out),
    ]
    if qwen3:
        stem += [
            Vector("positions", "stem", fields.count("num_position_embeddings", default=QWEN3_POSITIONS) * hidden),
            Vector("deep_norm", "norm", 2 * wide, 3),
            biased("deep_1", "stem", wide, wide, 3),
            biased("deep_2", "stem", wide, out, 3),
        ]
    mixer = Mixer("gqa", heads, heads, max(hidden // heads, 1), qkv_bias=True, out_bias=True)
    part = FeedForward("dense", width, gated=qwen2, bias=True)
    group = LayerGroup(layers, mixer, part, 2, not qwen2, rows=patches)
    return Architecture(
        fields.name,
        "vision_tower",
        hidden,
        0,
        (group,),
        has_head=False,
        causal=False,
        final_norm=False,
        stem=tuple(stem),
        sample_tokens=(size // patch // merge) ** 2,
    )

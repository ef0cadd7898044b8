"""Robot policies: a vision-language model that emits action tokens, or one beside an action expert that denoises a chunk.

OpenVLA (arXiv 2406.09246): Llama-2 7B with DINOv2 and SigLIP side by side; seven action tokens, one a degree of freedom.
pi0 (arXiv 2410.24164): PaliGemma and an expert of 300 million parameters that reads its keys and values layer by layer;
ten steps of flow matching over a chunk of 50 actions. GR00T N1 (arXiv 2503.14734): Eagle-2 and a diffusion transformer
that meets its output by cross-attention; four steps over 16 actions.

The language model is the architecture; its image encoders and the action expert are towers, the latter of family
"action_expert" with its own `steps` and `sample_tokens` (the chunk, and one token of the robot's state).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config.decoder import standard
from gigawatt.physics.workload.config.encoder import biased, dinov2, siglip
from gigawatt.physics.workload.config.fields import Fields
from gigawatt.physics.workload.config.seq2seq import cross_layers
from gigawatt.physics.workload.pieces import SEQUENCE, Linear, Piece, Rows, Vector

EXPERT = "action_expert"
_ACTIONS = Rows(1, 0, -1)  # all tokens of the chunk but the state's

# Image encoders that published policies name by their timm id: the reader, and the configuration that the id stands for.
_TIMM: dict[str, tuple[Callable[[Fields, str], Architecture], dict[str, Any]]] = {
    "vit_large_patch14_reg4_dinov2": (
        dinov2,
        {
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "patch_size": 14,
            "num_register_tokens": 4,
            "use_mask_token": False,
            "class_position": False,
        },
    ),
    "vit_so400m_patch14_siglip_224": (
        siglip,
        {
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "patch_size": 14,
        },
    ),
}


def openvla(fields: Fields, model: Architecture) -> Architecture:
    """The image encoders, whose outputs are joined and projected by three matrices; `action_tokens` a step (7)."""
    towers = []
    sizes = fields.items("image_sizes") or [224]
    for i, name in enumerate(fields.items("timm_model_ids") or list(_TIMM)):
        known = _TIMM.get(str(name).split(".")[0])
        if known is None:
            fields.wrong("timm_model_ids", name, "one of " + ", ".join(_TIMM))
            continue
        reader, config = known
        inner = Fields(str(name), {**config, "image_size": sizes[min(i, len(sizes) - 1)]})
        towers.append(reader(inner, reader.__name__))
        fields.problems.extend(inner.problems.found)
    if towers:
        wide = sum(tower.hidden for tower in towers)
        project: tuple[Piece, ...] = (
            biased("project_1", "stem", wide, 4 * wide),
            biased("project_2", "stem", 4 * wide, model.hidden),
            biased("project_3", "stem", model.hidden, model.hidden),
        )
        towers[-1] = replace(towers[-1], stem=(*towers[-1].stem, *project))
    tokens = fields.count("action_tokens", default=7)
    return replace(model, family="openvla", towers=tuple(towers), extras={"action_tokens": float(tokens)})


def pi0(fields: Fields, family: str) -> Architecture:
    """The vision-language model of `vlm_config` and the expert of `dit_config` (a Gemma of its own width).

    The expert's word table, which transformers' implementation keeps and no step reads, is left out; attention
    within the prompt, which is open both ways, is counted as causal.
    """
    from gigawatt.physics.workload.config import read_fields

    vlm, expert = fields.mapping("vlm_config"), fields.mapping("dit_config")
    if vlm is None or expert is None:
        fields.problems.add("missing_field", f"model '{fields.name}': a policy needs vlm_config and dit_config")
        fields.finish()
    assert vlm is not None and expert is not None
    model, _ = read_fields(fields.name, vlm)
    inner = Fields(f"{fields.name} expert", {**expert, "model_type": "gemma"})
    layers = standard(inner, "gemma")
    inner.finish()
    hidden, chunk = layers.hidden, fields.count("chunk_size", default=50)
    action = fields.count("max_action_dim", default=32)
    stem: tuple[Piece, ...] = (
        biased("state", "stem", fields.count("max_state_dim", default=32), hidden, rows=SEQUENCE),
        biased("action_in", "stem", action, hidden, rows=_ACTIONS),
        biased("time_1", "stem", 2 * hidden, hidden, rows=_ACTIONS),
        biased("time_2", "stem", hidden, hidden, rows=_ACTIONS),
        biased("action_out", "stem", hidden, action, rows=_ACTIONS),
    )
    made = replace(
        layers,
        family=EXPERT,
        vocab=0,
        has_head=False,
        causal=False,
        stem=stem,
        sample_tokens=chunk + 1,
        steps=fields.count("num_inference_steps", default=10),
        max_positions=0,
    )
    return replace(model, family="pi0", has_head=False, towers=(*model.towers, made))


def gr00t(fields: Fields, model: Architecture) -> Architecture:
    """The diffusion transformer of `action_head_cfg`: cross-attention and self-attention in turn.

    Encoders and decoders of state and action exist once for each of `max_num_embodiments` robots, of which one runs.
    """
    head = Fields(f"{fields.name} action head", fields.mapping("action_head_cfg") or {})
    cfg: Mapping[str, Any] = head.mapping("diffusion_model_cfg") or {}
    dit = Fields(f"{fields.name} diffusion model", cfg)
    heads, each = dit.count("num_attention_heads"), dit.count("attention_head_dim")
    layers, hidden = dit.count("num_layers"), heads * each
    seen = dit.count("cross_attention_dim", default=head.count("backbone_embedding_dim", default=model.hidden))
    turns = dit.flag("interleave_self_attention", default=True)
    mixer = Mixer("gqa", heads, heads, each, qkv_bias=True, out_bias=True)
    part = FeedForward("dense", 4 * hidden, gated=False, bias=True)
    alone = layers // 2 if turns else 0
    met = layers - alone
    cross: list[Piece] = []
    for piece in cross_layers(hidden, heads, each, met, True):
        if isinstance(piece, Linear) and piece.name == "cross_kv":
            piece = replace(piece, k=seen)
        if piece.name != "cross_norm":
            cross.append(piece)

    def adaptive(count: int) -> Piece:
        return biased("adaln", "modulation", hidden, 2 * hidden, count, SEQUENCE)

    groups = [LayerGroup(met, Mixer("none"), part, 0, extra=(*cross, adaptive(met)))]
    if alone:
        groups.append(LayerGroup(alone, mixer, part, 0, extra=(adaptive(alone),)))
    horizon, inner = head.count("action_horizon", default=16), head.count("hidden_size", default=1024)
    action, state = head.count("max_action_dim", "action_dim", default=32), head.count("max_state_dim", default=64)
    robots = head.count("max_num_embodiments", default=32)
    out = dit.count("output_dim", default=inner)
    own = (
        biased("state_1", "stem", state, inner, rows=SEQUENCE),
        biased("state_2", "stem", inner, hidden, rows=SEQUENCE),
        biased("action_1", "stem", action, hidden, rows=_ACTIONS),
        biased("action_2", "stem", 2 * hidden, hidden, rows=_ACTIONS),
        biased("action_3", "stem", hidden, hidden, rows=_ACTIONS),
        biased("decode_1", "stem", out, inner, rows=_ACTIONS),
        biased("decode_2", "stem", inner, action, rows=_ACTIONS),
    )
    idle = Vector("other_robots", "stem", (robots - 1) * sum(piece.parameters for piece in own))
    stem: tuple[Piece, ...] = (
        *own,
        idle,
        biased("time_1", "modulation", 256, hidden, rows=SEQUENCE),
        biased("time_2", "modulation", hidden, hidden, rows=SEQUENCE),
        biased("final_adaln", "modulation", hidden, 2 * hidden, rows=SEQUENCE),
        biased("final", "stem", hidden, out),
    )
    made = Architecture(
        f"{fields.name} action expert",
        EXPERT,
        hidden,
        0,
        tuple(groups),
        has_head=False,
        causal=False,
        final_norm=False,
        stem=stem,
        sample_tokens=1 + horizon + head.count("num_target_vision_tokens", default=0, low=0),
        steps=head.count("num_inference_timesteps", default=4),
    )
    for part_fields in (head, dit):
        fields.problems.extend(part_fields.problems.found)
    return replace(model, family="gr00t", has_head=False, towers=(*model.towers, made))


READERS: dict[str, Callable[[Fields, str], Architecture]] = {"pi0": pi0}
# Policies that wrap a language model's configuration: what they add to it.
WRAPPERS: dict[str, Callable[[Fields, Architecture], Architecture]] = {"openvla": openvla, "gr00t": gr00t}

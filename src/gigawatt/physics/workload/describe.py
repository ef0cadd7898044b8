"""What a model is, in the few figures that people ask for first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.counts import active_parameters, parameters, weight_bytes
from gigawatt.physics.workload.flops import forward_flops
from gigawatt.physics.workload.mtp import mtp_parameters
from gigawatt.physics.workload.state import kv_values_per_token, state_values
from gigawatt.physics.workload.summary import layer_summary

# Bytes of a value where a checkpoint is quantised: large matrices alone, the rest stays at 16 bits. Four-bit formats
# carry an 8-bit scale for 16 values (NVFP4) besides.
FP8 = {"attention": 1.0, "dense": 1.0, "experts": 1.0, "shared": 1.0}
FP4 = dict.fromkeys(FP8, 0.5 + 1 / 16)


class Figure(NamedTuple):
    """One line: what, how much (a number or words), in which unit, and what it leaves out or assumes."""

    what: str
    value: Any
    unit: str = ""
    note: str = ""


def model_kind(arch: Architecture) -> str:
    """The catalog's kind of model: llm, moe, hybrid, state-space, vlm, speech, encoder, diffusion-image or -video, vla,
    autoencoder.
    """
    summary = layer_summary(arch)
    scans = sum(n for kind, n in summary.layers_by_mixer.items() if kind not in ("gqa", "mla", "none"))
    attention = sum(n for kind, n in summary.layers_by_mixer.items() if kind in ("gqa", "mla"))
    if arch.family.startswith("autoencoder"):
        return "autoencoder"
    if arch.family in ("openvla", "pi0", "gr00t"):
        return "vla"
    if arch.steps > 1 or arch.family == "dit" or (not arch.vocab and arch.context_tokens and not arch.causal):
        return "diffusion-video" if arch.family in ("wan", "hunyuan_video", "cogvideox") else "diffusion-image"
    if "whisper" in (arch.family, *(tower.family for tower in arch.towers)):
        return "omni" if any(tower.family != "whisper" for tower in arch.towers) else "speech"
    if not arch.causal or (not arch.has_head and arch.vocab):
        return "encoder"
    if any(not tower.vocab and tower.sample_tokens >= 0 and tower.family != arch.family for tower in arch.towers):
        return "vlm"
    if scans:
        return "hybrid" if attention else "state-space"
    return "moe" if summary.experts else "llm"


USUAL_TOKENS = 4096


def describe(arch: Architecture, tokens: int | None = None) -> tuple[Figure, ...]:
    """Family, layers, parameters, cache, work for each of `tokens` tokens, weights in three precisions.

    `tokens` defaults to the length of a sample (an image, a clip) where the model has one, else to 4096 or as many
    positions as were learned.

    Raises:
        InputError: fewer than one token, or more than the positions that were learned.
    """
    if tokens is None:
        tokens = arch.sample_tokens or min(USUAL_TOKENS, arch.learned_positions or USUAL_TOKENS)
    return tuple(_figures(arch, tokens))


def _figures(arch: Architecture, tokens: int) -> Iterator[Figure]:
    summary = layer_summary(arch)
    yield Figure("family", arch.family)
    yield Figure("kind", model_kind(arch))
    yield Figure("layers", arch.layers, "", _kinds(arch))
    yield Figure("hidden width", arch.hidden)
    if arch.vocab:
        yield Figure("vocabulary", arch.vocab, "", "shared by embedding and head" if arch.tied_embeddings else "")
    if arch.max_positions:
        yield Figure("positions", arch.max_positions)
    if summary.experts:
        yield Figure("experts", summary.experts, "", f"{summary.top_k} for each token, {summary.expert_width} wide")
    yield Figure("parameters", parameters(arch))
    yield Figure("active parameters", active_parameters(arch), "", "for one token, towers left out")
    for tower in arch.towers:
        yield Figure(f"tower: {tower.name}", parameters(tower), "", f"{tower.layers} layers, counted above")
    if arch.mtp_layers:
        yield Figure("MTP parameters", mtp_parameters(arch), "", f"{arch.mtp_layers} modules, not counted above")
    values = kv_values_per_token(arch)
    if arch.causal:
        windowed = values - kv_values_per_token(arch, windowed=False)
        grows = "layers with a window stop once it is full" if windowed else ""
        yield Figure("KV cache, bf16", 2 * values, "byte/token", grows)
        yield Figure("KV cache, fp8", values, "byte/token", grows)
        if state_values(arch):
            yield Figure("state", state_values(arch), "values/sequence", "constant, whatever the length")
    work = forward_flops(arch, tokens) / tokens
    note = f"mean over {tokens} tokens, logits for each" if arch.vocab else f"mean over {tokens} rows"
    if 0 < arch.max_positions < tokens:
        note += f"; its {arch.max_positions} positions end before that, and it is counted all the same"
    yield Figure("forward FLOPs", work, "FLOP/token", note)
    if arch.causal and arch.vocab:
        last = forward_flops(arch, 1, past=tokens - 1)
        yield Figure("FLOPs of the last token", last, "FLOP", f"with {tokens - 1} cached")
    for name, widths in (("bf16", 2.0), ("fp8", FP8), ("fp4", FP4)):
        note = "" if name == "bf16" else "large matrices; embedding, head, router, norms and towers at bf16"
        yield Figure(f"weights, {name}", sum(weight_bytes(arch, widths).values()), "byte", note)


def _kinds(arch: Architecture) -> str:
    """'58 mla + moe, 3 mla + dense'."""
    names: dict[str, int] = {}
    for group in arch.groups:
        mixer: str = group.mixer.kind
        if group.mixer.window:
            mixer += f" window {group.mixer.window}"
        if group.mixer.index_top_k:
            mixer += f" top {group.mixer.index_top_k}"
        name = " + ".join(part for part in (mixer, group.feed_forward.kind) if part != "none") or "none"
        names[name] = names.get(name, 0) + group.count
    return ", ".join(f"{count} {name}" for name, count in sorted(names.items(), key=lambda item: -item[1]))

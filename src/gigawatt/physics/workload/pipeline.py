"""Whole uses of a model as operators of one chip, stage by stage: an image or clip, a robot's control step, an embedding,
an answer. Each stage is a table whose counts say how often its operators run; `stacked` joins them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.operators import operators
from gigawatt.physics.workload.table import OperatorTable, Widths

Stages = Mapping[str, OperatorTable]


def generation(
    denoiser: Architecture,
    *,
    batch: Any = 1,
    text_encoders: Sequence[Architecture] = (),
    decoder: Architecture | None = None,
    steps: int = 0,
    guidance: bool | None = None,
    text_tokens: int = 0,
    tp: int = 1,
    widths: Widths | None = None,
) -> Stages:
    """An image or a clip for each of `batch` prompts: text encoders once, the denoiser `steps` times, the decoder once.

    With classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598) the denoiser and the text encoders see every
    sample twice, with its prompt and without. Steps, guidance and text length default to the denoiser's own. The
    image decoder's sample must be as large as the denoiser's. `tp` divides the denoiser alone: the rest runs whole.

    Raises:
        InputError: no steps, or sizes and layouts that `operators` refuses.
    """
    steps = steps or denoiser.steps
    if steps < 1:
        raise InputError(Problem("wrong_value", f"{steps} denoising steps: at least one is needed"))
    twice = 2 if (denoiser.guidance if guidance is None else guidance) else 1
    text = text_tokens or denoiser.context_tokens
    samples = np.asarray(batch) * twice
    out: dict[str, OperatorTable] = {}
    for encoder in text_encoders:
        length = min(text, encoder.max_positions) if encoder.max_positions else text
        length = encoder.sample_tokens or length
        out[f"text: {encoder.name}"] = operators(encoder, "forward", tokens=length, batch=samples, widths=widths)
    step = operators(denoiser, "forward", batch=samples, context_tokens=text, tp=tp, widths=widths)
    out["denoising"] = step.repeated(steps)
    if decoder is not None:
        out["decoder"] = operators(decoder, "forward", batch=batch, widths=widths)
    return out


def control_step(
    policy: Architecture,
    *,
    cameras: int = 1,
    text_tokens: int = 32,
    batch: Any = 1,
    tp: int = 1,
    widths: Widths | None = None,
) -> Stages:
    """One decision of a robot's policy: look, read, act.

    Every image encoder runs for every camera, the language model reads image and text tokens, then actions come: as
    tokens one by one (the prompt's pass gives the first), or as a chunk that the action expert denoises in its steps,
    each of which reads the prompt's keys and values or its output.

    Raises:
        InputError: the model is no policy, there is no camera, or sizes that `operators` refuses.
    """
    experts = [tower for tower in policy.towers if tower.family == "action_expert"]
    eyes = [tower for tower in policy.towers if tower.family != "action_expert"]
    actions = int(policy.extras.get("action_tokens", 0))
    problems = []
    if not experts and not actions:
        hint = "a policy has an action expert or emits action tokens: openvla, pi0, gr00t"
        problems.append(Problem("no_policy", f"model '{policy.name}' is no robot policy", None, (hint,)))
    if cameras < 1 or text_tokens < 1:
        problems.append(Problem("wrong_value", "a control step needs at least one camera and one token of instruction"))
    if problems:
        raise InputError(problems)
    common: dict[str, Any] = {"tp": tp, "widths": widths}
    out: dict[str, OperatorTable] = {}
    for eye in eyes:
        looks = np.asarray(batch) * cameras
        out[f"vision: {eye.name}"] = operators(eye, "forward", batch=looks, widths=widths)
    prompt = cameras * image_tokens(policy) + text_tokens
    out["prompt"] = operators(policy, "prefill", tokens=prompt, batch=batch, **common)
    if actions > 1:
        seen = prompt + (actions - 2) / 2  # on average, of the further tokens
        out["actions"] = operators(policy, "decode", batch=batch, past=seen, **common).repeated(actions - 1)
    for expert in experts:
        cross = any(getattr(piece, "cross", False) for group in expert.groups for piece in group.extra)
        meets: dict[str, Any] = {"context_tokens": prompt} if cross else {"past": prompt}
        step = operators(expert, "forward", batch=batch, **meets, **common)
        out["actions"] = step.repeated(expert.steps)
    return out


def image_tokens(model: Architecture) -> int:
    """Tokens that one image puts into the language model: patches, fewer where the configuration says they are pooled."""
    eyes = [tower for tower in model.towers if tower.family != "action_expert" and tower.sample_tokens]
    patches = [eye.extras.get("image_tokens", eye.sample_tokens - eye.extras.get("special_tokens", 0)) for eye in eyes]
    return int(min(patches, default=0))


def embedding(
    arch: Architecture, *, tokens: Any, batch: Any = 1, tp: int = 1, ep: int = 1, widths: Widths | None = None
) -> OperatorTable:
    """An embedding of each of `batch` texts: one pass of an encoder, or of a decoder without its head and its cache.

    The pooled output is a mean over rows or one of them: no work to speak of. A pooling matrix counts where there is one.

    Raises:
        InputError: sizes and layouts that `operators` refuses.
    """
    return operators(replace(arch, has_head=False), "forward", tokens=tokens, batch=batch, tp=tp, ep=ep, widths=widths)


def answer(
    arch: Architecture,
    *,
    prompt: int,
    new_tokens: int,
    batch: Any = 1,
    tp: int = 1,
    ep: int = 1,
    moe_tp: int = 0,
    widths: Widths | None = None,
) -> Stages:
    """One request: towers (an image's or a clip's, an encoder-decoder's encoder), the prompt, then token after token.

    The prompt's pass gives the first token; the others see on average half of what was written before them.

    Raises:
        InputError: no prompt or no new token, or sizes and layouts that `operators` refuses.
    """
    if prompt < 1 or new_tokens < 1:
        raise InputError(Problem("no_tokens", f"model '{arch.name}': a prompt and a new token of at least one each"))
    common: dict[str, Any] = {"batch": batch, "tp": tp, "widths": widths}
    out: dict[str, OperatorTable] = {}
    for tower in arch.towers:
        length = tower.sample_tokens or arch.context_tokens
        if length:
            out[f"tower: {tower.name}"] = operators(tower, "forward", tokens=length, batch=batch, widths=widths)
    experts: dict[str, Any] = {"ep": ep, "moe_tp": moe_tp}
    out["prompt"] = operators(arch, "prefill", tokens=prompt, **common, **experts)
    if new_tokens > 1:
        seen = prompt + (new_tokens - 2) / 2
        step = operators(arch, "decode", past=seen, **common, **experts)
        out["decoding"] = step.repeated(new_tokens - 1)
    return out

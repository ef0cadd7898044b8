"""A replica's step taken apart into a few physical terms, each a table of seconds that one factor may scale.

    host        the step's fixed time outside kernels, and launches that a captured graph still shows
    requests    host time for each sequence
    weights     decode kernels that read weights: dense parts and experts, by how many decode
    cache       decode attention, by cached tokens
    prompts     what prompt tokens add to a step: matrices of p + b tokens less those of b alone
    pairs       attention of prompts, by pairs of a query and a key
    messages    sums and exchanges among chips of those who decode: few bytes, often an engine's own kernel
    bulk        the same of prompts: many bytes, the collective library's

A step in which b sequences decode over `context` cached tokens and p prompt tokens enter with their pairs takes

    step = sum_i f_i (decode_i[b] + token_i[b] context + chunk_i(p) + pair_i pairs)

so that factors f fitted on one deployment hold for another model on the same chip and engine: its bytes, arithmetic and
messages are in its own tables. With all factors 1 it is the closed form's step. Of a step that only prompts enter,
entry 0 is the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gigawatt.physics.serving.engine.calibration import ENGINES
from gigawatt.physics.serving.engine.deployment import Deployment, take
from gigawatt.physics.serving.engine.kernel_sums import ROWS
from gigawatt.physics.serving.engine.kernel_times import spot
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.pipeline import micro_batches
from gigawatt.physics.serving.engine.step import all_reduce_seconds, decode_step, prefill_compute

TERMS = ("host", "requests", "weights", "cache", "prompts", "pairs", "messages", "bulk")
CHUNK_STRIDE = 64
# Sequences that decode beside a prompt, where what it adds to their step is worked out: prompts beyond what rides along in
# the reading of weights cost the same whatever this is.
BESIDE = 32.0
# Contexts between which seconds for each cached token are taken, and prompts between which seconds for each pair are.
CONTEXTS = (256.0, 4096.0)
PROMPTS = (2048.0, 8192.0)
# Sigma of the logarithm of messages' seconds on links that nobody measured (assumed: half to twice is within 80 %). Published
# tables of collectives are of NVLink and NICs; a class of links left out of the fit is off by a third of that.
MESSAGE_SIGMA = 0.54
DECODE_ROWS = 512.0  # sums of so many rows or fewer are taken for those of decode steps
UNSTATED_SIGMA = 0.3  # of a constant whose fit states none (assumed)


@dataclass(frozen=True, slots=True)
class StepTerms:
    """Terms in the order of `TERMS`: decode_s and token_s (terms, sequences + 1), chunk_s (terms, chunks), pair_s (terms,).

    `chunk_s[:, k]` is what `CHUNK_STRIDE` k prompt tokens add. `half_width` is the 80 % half-width of the logarithm of the
    chip's kernel seconds; `tokens_per_step` what a step makes of each sequence (more than 1 with speculation).
    """

    decode_s: Floats
    token_s: Floats
    chunk_s: Floats
    pair_s: Floats
    half_width: float
    tokens_per_step: float = 1.0


def step_terms(d: Deployment, row: int, max_num_seqs: int, token_budget: int) -> StepTerms:
    """The terms of one row of a deployment, for up to `max_num_seqs` sequences and `token_budget` tokens a step.

    Attention-data-parallel ranks count together: b sequences over all of them.
    """
    batch = np.arange(max_num_seqs + 1, dtype=np.float64)
    at = take(d, np.full(len(batch), row, dtype=np.intp))
    least = np.maximum(batch, 1.0)
    low, high = (decode_step(at, least, np.full(len(batch), context)) for context in CONTEXTS)
    zeros = np.zeros(len(batch))
    token = (high.attention - low.attention) / (least * (CONTEXTS[1] - CONTEXTS[0]))
    # In stages a step of the host prepares one micro-batch.
    per_request = at.rates.host_per_request_s / at.dp / at.maturity / micro_batches(least, at.stages, at.micro_batches)
    requests = per_request * batch
    decode = {
        "host": low.host - per_request * least + low.launches,
        "requests": requests,
        "weights": low.dense + low.experts,
        "cache": np.where(batch > 0, np.maximum(low.attention - token * least * CONTEXTS[0], 0.0), 0.0),
        "messages": low.collectives,
    }
    chunk, pair_s = _prompt_terms(d, row, token_budget)
    none = np.zeros(chunk["prompts"].shape)
    return StepTerms(
        decode_s=np.array([decode.get(name, zeros) for name in TERMS]),
        token_s=np.array([np.maximum(token, 0.0) if name == "cache" else zeros for name in TERMS]),
        chunk_s=np.array([chunk.get(name, none) for name in TERMS]),
        pair_s=np.array([pair_s if name == "pairs" else 0.0 for name in TERMS]),
        half_width=float(d.kernels.half_width[row]),
        tokens_per_step=float(d.yields[row]),
    )


def _prompt_terms(d: Deployment, row: int, token_budget: int) -> tuple[dict[str, Floats], float]:
    """What prompt tokens add to a step: tables of `CHUNK_STRIDE` by term, and seconds for each pair."""
    count = max(-(-token_budget // CHUNK_STRIDE), 1) + 1
    tokens = np.arange(count, dtype=np.float64) * CHUNK_STRIDE
    sizes = np.concatenate([(tokens + BESIDE) / d.dp[row], PROMPTS])
    at = take(d, np.full(len(sizes), row, dtype=np.intp))
    slow = at.rates.prefill_slowdown / at.maturity
    attention = at.kernels.prompt_attention_s(sizes) * slow
    messages = 2.0 * at.model.layers * all_reduce_seconds(at, sizes, spot(sizes)) / at.maturity
    messages += at.model.moe_layers * at.messages.normal_s(sizes / at.attention_tp) / at.maturity
    matrices = np.maximum(prefill_compute(at, sizes) - attention - messages, 0.0)
    short, long = attention[-2:]
    pair_s = max(float(long - short) / (0.5 * (PROMPTS[1] ** 2 - PROMPTS[0] ** 2)), 0.0)
    # Attention that does not grow with the square is the prompt's own: so much for each token.
    linear = max(float(short) - pair_s * 0.5 * PROMPTS[0] ** 2, 0.0) / PROMPTS[0]

    def added(seconds: Floats) -> Floats:
        table = seconds[:count]
        return np.maximum.accumulate(np.maximum(table - table[0], 0.0))

    return {
        "prompts": added(matrices),
        "pairs": linear * tokens / d.dp[row],
        "bulk": added(messages),
    }, pair_s / float(d.dp[row])


def prior_sigma(terms: StepTerms, engine: str, sigmas: Mapping[str, float]) -> Floats:
    """Sigma of each factor's logarithm before a deployment is measured, in the order of `TERMS`.

    Kernels are as sure as the chip's floor says, and as the engine's slow-down over it; host time as its fit. `sigmas` are the
    calibration's, by the name of the constant.

    Raises:
        ValueError: the engine is none of those fitted.
    """
    if engine not in ENGINES:
        raise ValueError(f"no constants were fitted for '{engine}'")
    floor = terms.half_width / 1.2815515655446004  # from an 80 % half-width to a sigma

    def own(name: str) -> float:
        return sigmas.get(name, UNSTATED_SIGMA)

    def of(name: str) -> float:
        return float(np.hypot(floor, own(name)))

    found = {
        "host": own(f"host_ms.{engine}"),
        "requests": own(f"host_per_request_us.{engine}"),
        "weights": of(f"decode_slowdown.{engine}"),
        "cache": of("attention_slowdown"),
        "prompts": of(f"prefill_slowdown.{engine}"),
        "pairs": of(f"prefill_slowdown.{engine}"),
        "messages": MESSAGE_SIGMA,
        "bulk": MESSAGE_SIGMA,
    }
    return np.array([found[name] for name in TERMS])


def outside_sigma(engine: str, sigmas: Mapping[str, float]) -> Floats:
    """Sigma of the same for what comes before a step: the time of the front end, and the steps until a request is seen."""
    return np.array([sigmas.get(f"{name}.{engine}", UNSTATED_SIGMA) for name in ("api_ms", "poll_steps")])


def scaled(d: Deployment, factors: Floats, api: float = 1.0, seen: float = 1.0) -> Deployment:
    """The deployment with its terms times factors, in the order of `TERMS`.

    Its time outside the engine is times `api`, the steps until a request is seen times `seen`.

    Messages of up to so many rows as may decode at once are scaled by `messages`, larger ones by `bulk`.
    """
    f = dict(zip(TERMS, np.asarray(factors, dtype=np.float64).tolist(), strict=True))
    r = d.rates
    values = dict(r.values)
    values["attention_slowdown"] *= f["cache"] / f["weights"]
    rates = replace(
        r,
        host_s=r.host_s * f["host"],
        host_per_request_s=r.host_per_request_s * f["requests"],
        launch_share=r.launch_share * f["host"],
        unfused_s=r.unfused_s * f["host"],
        api_s=r.api_s * api,
        poll_steps=r.poll_steps * seen,
        decode_slowdown=r.decode_slowdown * f["weights"],
        prefill_slowdown=r.prefill_slowdown * f["prompts"],
        values=values,
    )
    small, large = np.log2(f["messages"]), np.log2(f["bulk"])
    kernels = replace(d.kernels, prompt_attention=d.kernels.prompt_attention + np.log2(f["pairs"] / f["prompts"]))
    messages = replace(
        d.messages,
        all_reduce=d.messages.all_reduce + np.where(ROWS <= DECODE_ROWS, small, large),
        low_latency=d.messages.low_latency + small,
        normal=d.messages.normal + large,
    )
    return replace(d, rates=rates, kernels=kernels, messages=messages)

"""Embeddings and rerankers: one pass over a batch of texts, taken as they come, under a limit at a percentile.

    batch s = host + host per text n + hypot(slow kernels(n texts), calls launch)        (`encoding`)
    latency = router and tokeniser + that of dynamic batching at the percentile (`batching`)

An embedding is one pass of an encoder, or of a decoder without its head and cache. A reranker reads query and passage as one
text: its unit is a pair. The index that the vectors go to, its memory and its search are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip.device import Chip, PowerMode
from gigawatt.physics.serving.engine.deployment import FULL
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.services.batching import closed, latency_name, saturated, streamed
from gigawatt.physics.serving.services.encoding import engine_named, pass_seconds, prompt_half_width
from gigawatt.physics.serving.services.frontier import Candidates, ServiceFrontier, choose, positive
from gigawatt.physics.serving.services.work import idle_watts, precisions_of, room_bytes, watts, widths, work
from gigawatt.physics.workload import Architecture, embedding, serving_memory

BATCHES = 2.0 ** np.arange(0.0, 10.01, 0.5)
RETRIEVAL_TOKENS = 512.0  # of a passage, as retrieval benchmarks cut them


def embeddings(
    arch: Architecture,
    chip: Chip,
    *,
    tokens: float = 0.0,
    latency_s: float = np.inf,
    percentile: float = 0.99,
    open_stream: bool = True,
    precisions: Sequence[str] = (),
    batches: Floats = BATCHES,
    engine: str = "vllm",
    captured: bool = False,
    maturity: float = 1.0,
    mode: PowerMode = FULL,
) -> ServiceFrontier:
    """Texts/s per chip by batch and precision; each chip holds the whole model.

    `latency_s` is held at `percentile` of texts that come at random; with `open_stream` False it is the batch's.
    `tokens` of a text, or of a picture for an encoder of pictures; 0: those of a passage, or all that the model takes.
    `details`: `tokens_per_s_per_chip`, `service_s`, `load`.

    Raises:
        InputError: no tokens, texts longer than the model's positions, an unknown engine.
    """
    tokens = tokens or float(arch.sample_tokens or min(RETRIEVAL_TOKENS, arch.max_positions or RETRIEVAL_TOKENS))
    positive(f"model '{arch.name}'", tokens=tokens, latency_s=latency_s, maturity=maturity)
    if arch.max_positions and tokens > arch.max_positions:
        message = f"model '{arch.name}': {tokens:,.0f} tokens a text, and it knows {arch.max_positions:,} positions"
        raise InputError(Problem("too_long", message, None, ("cut the texts, or take a model with more positions",)))
    host = engine_named(engine)
    able = precisions_of(chip, precisions)
    parts = []
    for precision in able:
        wide = widths(precision)
        found = work(chip, [embedding(arch, tokens=tokens, batch=batches, widths=wide)], precision, mode)
        service = pass_seconds(found, batches, host, captured, maturity)
        held = serving_memory(arch, tokens=tokens, batch=batches, widths=wide)
        half = np.hypot(found.half_width, prompt_half_width())
        parts.append(
            {
                "service_s": service,
                "chip_w": watts(chip, found, service, found.kernel_s * host.prefill_slowdown / service, mode),
                "memory_bytes": held.weights_bytes + held.activations_bytes,
                "bound": np.where(service > 2.0 * found.kernel_s * host.prefill_slowdown, "host", found.bound),
                "half": half,
            }
        )
    by_batch = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    c = streamed(by_batch, batches, percentile, idle_watts(chip, mode)) if open_stream else closed(by_batch, batches)
    c["latency_s"] = c["latency_s"] + host.outside_s(tokens) / maturity
    rungs = c["service_s"].shape[1]
    flat = {name: column.ravel() for name, column in c.items()}
    candidates = Candidates(
        precision=np.repeat(np.array(able), rungs),
        chips=np.ones(len(flat["rate"])),
        batch=flat["batch"],
        latency_s=flat["latency_s"],
        units_per_s_per_chip=flat["rate"],
        chip_w=flat["chip_w"],
        memory_bytes=flat["memory_bytes"],
        room_bytes=np.full(len(flat["rate"]), room_bytes(chip)),
        bound=flat["bound"],
        low=np.exp(-flat["half"]),
        high=np.exp(flat["half"]),
        rungs=rungs,
        details={"tokens_per_s_per_chip": flat["rate"] * tokens, "service_s": flat["service_s"], "load": flat["load"]},
    )
    return choose(
        "embeddings",
        "embedding",
        candidates,
        limit_s=latency_s,
        limit=latency_name(percentile, open_stream),
        refused=[saturated(flat["load"])],
        band=f"80 % half-width {float(flat['half'].mean()):.2f}: prompts on chips left out of the fit of serving points; "
        "no embedding row was fitted",
        notes=(f"{tokens:,.0f} tokens a text", "the index and its search are left out"),
    )

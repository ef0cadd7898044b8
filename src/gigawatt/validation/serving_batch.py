"""A server that keeps a stated number of sequences decoding, as its clients see it: gaps between tokens, rate, phases.

    plain step = host + kernels + launches                        a captured graph; eager beyond `CAPTURED` tokens:
    eager step = host + hypot(kernels, calls x eager launch)
    mixed step = the same with the prompts that enter: their kernels, host time each, pieces of the graph launched eagerly
    gap p50    = the step with the median count of entering prompts;  p99 with that percentile;  mean over all counts

Finished sequences are replaced, so prompts enter at (sequences / output) a step. They come in clumps: answers end together
and the engine looks for requests between steps; clumps arrive as a Poisson stream. Data-parallel ranks step together and pad
to the longest, so that a prompt on one of them is paid by all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.step import StepSeconds, decode_step, prefill_compute, prefill_flops
from gigawatt.physics.serving.power import Phases, phases_of

# Tokens of the largest step that vLLM captures as a graph (its default `cudagraph_capture_sizes` end at 512), and of a step's
# budget (`max-num-batched-tokens: 8192` in the launch files of ml-energy/benchmark).
CAPTURED = 512.0
BUDGET = 8192.0
TAIL_SEEN = 0.012  # prompts a step from which one step in a hundred sees one


@dataclass(frozen=True, slots=True)
class Server:
    """What a software stack and its host add, a column each.

    `experts` multiplies the expert kernels of a step, `experts_many` them again where a step has more tokens than a chip has
    experts (untuned kernels then take larger tiles). `host_s` is host time of a step beside the engine's, `contended_s` the
    least time of a step where servers share the host, `prompt_s` host time of a prompt: tokens, blocks, images.
    """

    experts: Floats
    experts_many: float
    host_s: Floats
    contended_s: Floats
    prompt_s: Floats
    clump: float
    mixed_launch: float
    tail: float


@dataclass(frozen=True, slots=True)
class Gaps:
    """Seconds between a client's tokens, and what the chip does in a mean step."""

    p50_s: Floats
    p99_s: Floats
    mean_s: Floats
    phases: Phases


def client_gaps(d: Deployment, batch: Floats, n: Floats, out: Floats, server: Server) -> Gaps:
    """Gaps of `batch` sequences over the replica, each of `n` input and `out` output tokens."""
    parts = _served(d, decode_step(d, batch, n + out / 2.0), batch, server)
    entering = batch / out
    clumps = entering / server.clump
    none = np.exp(-clumps)  # steps without a prompt
    met = entering / np.maximum(1.0 - none, 1e-12)
    plain = _step(d, parts, batch, n, 0.0 * entering, server)
    mixed = _step(d, parts, batch, n, met, server)
    usual = np.maximum(server.clump * poisson_median(clumps), 0.3)
    half = 1.0 / (1.0 + np.exp((none - 0.5) / 0.02))
    p50 = plain + half * (_step(d, parts, batch, n, usual, server) - plain)
    most = np.minimum(server.clump * (clumps + 2.33 * np.sqrt(clumps) + 0.6), np.maximum(_fitting(n), 1.0))
    p99 = np.where(entering > TAIL_SEEN, server.tail * _step(d, parts, batch, n, most, server), 1.1 * plain)
    mean = none * plain + (1.0 - none) * mixed
    prompts = _prompts(d, n, met, np.minimum(entering, _fitting(n)))
    spent = parts.total + prompts
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    flops = entering * prefill_flops(d, n) / d.gpus
    idle = np.maximum(mean - spent, 0.0)
    return Gaps(p50, p99, mean, phases_of(parts, prompts, peak, d.chip.memory_bytes_per_s, flops, idle))


def poisson_median(mean: Floats) -> Floats:
    """Median of a Poisson count, smoothed: 0 below ln 2, mean - 1/3 well above."""
    return np.maximum(mean - 0.35, 0.0) * (1.0 - np.exp(-((mean / 0.75) ** 6)))


def _served(d: Deployment, parts: StepSeconds, batch: Floats, server: Server) -> StepSeconds:
    held = np.maximum(d.model.experts / d.expert_parallel, 1e-9)
    many = 1.0 + (server.experts_many - 1.0) / (1.0 + (held / np.maximum(batch, 1e-3)) ** 3)
    return replace(parts, host=parts.host + server.host_s, experts=parts.experts * server.experts * many)


def _fitting(n: Floats) -> Floats:
    """Prompts whose tokens fit in a step."""
    return np.maximum(BUDGET / n, 0.05)


def _prompts(d: Deployment, n: Floats, together: Floats, count: Floats) -> Floats:
    """Chip seconds of `count` prompts of which `together` enter at once."""
    sharing = np.maximum(np.minimum(together, _fitting(n)), 1.0)
    seconds: Floats = count * d.dp * prefill_compute(d, n, sharing)
    return seconds


def _step(d: Deployment, parts: StepSeconds, batch: Floats, n: Floats, prompts: Floats, server: Server) -> Floats:
    """Seconds of a step in which `prompts` enter."""
    kernels = parts.dense + parts.experts + parts.attention + parts.collectives
    kernels = kernels + _prompts(d, n, prompts, np.minimum(prompts, _fitting(n)))
    eager = d.kernels.calls * d.rates.eager_kernel_s
    graph = parts.launches + np.minimum(prompts, 1.0) * server.mixed_launch * eager
    tokens = np.maximum(batch / d.dp + prompts * n, 1.0)
    beyond = 1.0 / (1.0 + (CAPTURED / tokens) ** 16)
    chip = (1.0 - beyond) * (kernels + graph) + beyond * np.hypot(kernels, eager)
    return np.maximum(parts.host + prompts * server.prompt_s + chip, server.contended_s)


def server_of(
    given: Mapping[str, float], experts: Floats, host_s: Floats, contended_s: Floats, prompt_s: Floats
) -> Server:
    """A stack's scalars from its table, beside columns of its rows."""
    return Server(
        experts=experts,
        experts_many=given.get("experts_many", 1.0),
        host_s=host_s,
        contended_s=contended_s,
        prompt_s=prompt_s,
        clump=given.get("clump", 1.0),
        mixed_launch=given.get("mixed_launch", 0.3),
        tail=given.get("tail", 1.0),
    )

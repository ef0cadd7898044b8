"""How many nodes a published day of production needs: physics, times what production loses against a profile.

    nodes = (input ex cache hits / prefill rate / prefill derate + output / decode rate / decode derate) / 86,400 s

The rates are the engine's for the layouts that the operator states; the derates are inputs of the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gigawatt.physics.chip.device import Chip
from gigawatt.physics.fabric import default_fabric
from gigawatt.physics.serving.engine.deployment import Deployment, Spec, deploy
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.step import decode_step
from gigawatt.physics.serving.steady.disaggregated import pool_prefill_seconds, servers
from gigawatt.physics.workload import Architecture

DAY_S = 86_400.0
MICRO_BATCHES = 2.0


@dataclass(frozen=True, slots=True)
class Day:
    """A day's tokens and the mean context they were answered at, with the layouts of both pools."""

    input_tokens: float
    output_tokens: float
    cached_share: float
    context_tokens: float
    prompt_tokens: float
    prefill_chips: int
    decode_chips: int
    decode_batch_per_chip: float
    chips_per_node: int = 8
    precision: str = "fp8"
    engine: str = "sglang"


@dataclass(frozen=True, slots=True)
class DayAnswer:
    """Nodes by pool and the rates of a node behind them, tokens/s, before the derates."""

    prefill_nodes: float
    decode_nodes: float
    prefill_tokens_per_s_per_node: float
    decode_tokens_per_s_per_node: float
    tpot_s: float

    @property
    def nodes(self) -> float:
        return self.prefill_nodes + self.decode_nodes


# DeepSeek, open-infra-index day 6 (2025-02): 608 B input tokens of which 342 B (56.3 %) hit the cache, 168 B output, mean
# context 4,989 tokens; prefill EP32 over 4 nodes, decode EP144 over 18 nodes; the profile they publish decodes 128 a chip.
DEEPSEEK_DAY = Day(608e9, 168e9, 0.563, 4989.0, 4096.0, 32, 144, 128.0)
PROFILE_TO_PRODUCTION = {"prefill": 0.51, "decode": 0.80}


def deepseek_day(
    arch: Architecture,
    chip: Chip,
    day: Day = DEEPSEEK_DAY,
    *,
    prefill_derate: float = PROFILE_TO_PRODUCTION["prefill"],
    decode_derate: float = PROFILE_TO_PRODUCTION["decode"],
) -> DayAnswer:
    """Nodes for one day of tokens on pools of expert-parallel chips.

    The operator decodes in two micro-batches so that one exchanges tokens while the other computes: a step computes both
    halves, each with its own reading of the weights, or exchanges, whichever takes longer. The exchange goes over the
    chip's own network (normal kernels in prefill, FP8 out and BF16 back; low-latency ones in decode), and arithmetic is
    worked out with messages that cost nothing.
    """
    network = default_fabric(chip, node=day.chips_per_node)

    def pool(chips: int) -> Deployment:
        return deploy([Spec(arch, chip, chips, chips, 1, day.engine, day.precision, fabric=network)])

    prefill, decode = pool(day.prefill_chips), pool(day.decode_chips)
    layers = float(decode.model.moe_layers[0])
    prompt = np.asarray(day.prompt_tokens)
    at_once = float(servers(prefill)[0])
    # Prompts that run at once share the worker's chips: each chip exchanges its share of their tokens.
    swapped = layers * float(prefill.messages.normal_s(at_once * prompt / day.prefill_chips)[0])
    quiet = replace(prefill, messages=prefill.messages.silent())
    one = max(float(pool_prefill_seconds(quiet, prompt)[0]), swapped)
    prefill_rate = at_once * day.prompt_tokens / one / day.prefill_chips * day.chips_per_node
    room = float(max_requests(decode, np.asarray(day.context_tokens), np.asarray(1.0))[0])
    batch = min(day.decode_batch_per_chip * day.decode_chips, room)
    half = decode_step(decode, np.asarray([batch / MICRO_BATCHES]), np.asarray([day.context_tokens]))
    computing = float((half.host + MICRO_BATCHES * (half.total - half.host - half.collectives))[0])
    tpot_s = max(computing, layers * float(decode.messages.low_latency_s(np.asarray(batch / day.decode_chips))[0]))
    decode_rate = batch / tpot_s / day.decode_chips * day.chips_per_node
    fresh = day.input_tokens * (1.0 - day.cached_share)
    return DayAnswer(
        prefill_nodes=fresh / DAY_S / (prefill_rate * prefill_derate),
        decode_nodes=day.output_tokens / DAY_S / (decode_rate * decode_derate),
        prefill_tokens_per_s_per_node=prefill_rate,
        decode_tokens_per_s_per_node=decode_rate,
        tpot_s=tpot_s,
    )

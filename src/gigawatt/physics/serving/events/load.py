"""What is asked of a fleet over what it could do: the offered load, from step curves and lengths alone.

    seconds of a request at full batch = chunk(p) n / p + pair_s pairs + gaps / tokens_per_step  step(B, B S) / B
    offered load                       = arrivals per s / sum over instances of 1 / seconds

B: seats, or as many as the cache holds at their mean length S (longer answers hold it longer); p: prompt tokens that
enter a step at that batch, at most the budget. A busy engine says nothing: it is in a step whenever somebody is there.
"""

from __future__ import annotations

import numpy as np

from gigawatt.physics.serving.events.curve import StepCurve
from gigawatt.physics.serving.events.fleet import Fleet
from gigawatt.physics.serving.events.requests import Floats, Ints, Requests


def request_seconds(
    curve: StepCurve, requests: Requests, found: Floats | Ints | float = 0.0, role: str = "both"
) -> float:
    """Seconds of an instance that a request of this mix takes at full batch.

    `found`: tokens of each prompt that are in the cache already.
    """
    n = np.asarray(requests.input_tokens, dtype=np.float64)
    gaps = np.asarray(requests.output_tokens, dtype=np.float64) - 1.0
    fresh = np.maximum(n - found, 1.0)
    steps = gaps / curve.tokens_per_step
    total = 0.0
    seats = float(curve.max_num_seqs)
    if role != "prefill" and gaps.sum() > 0:
        # Means over time: who decodes longer is met more often.
        context = float(np.sum(steps * (n + 0.5 * gaps)) / steps.sum())
        held = context + 0.5 * curve.block_size
        seats = max(1.0, min(seats, curve.kv_tokens / held))
        b = int(seats)
        total += float(steps.mean() * curve.step_seconds(b, b * context) / b)
    if role != "decode":
        entering = seats / max(float(steps.mean()) + 1.0, 1.0)
        tokens = float(np.clip(fresh.mean() * max(entering, 1.0), 1.0, curve.token_budget))
        prompts = max(tokens / float(fresh.mean()), 1.0)
        pairs = float(np.mean(fresh * (n - fresh) + 0.5 * fresh * (fresh + 1.0)))
        alone = float(curve.step_seconds(0, 0.0, tokens, 0.0, prompts))
        total += alone * float(fresh.mean()) / tokens + curve.pair_s * pairs / min(prompts, curve.ranks)
    return total


def offered_load(requests: Requests, fleet: Fleet, per_s: float, found: Floats | Ints | float = 0.0) -> float:
    """Requests per second over what all instances could serve at full batch; of pools, the larger of the two.

    With scaling all instances count, as do those that break. Speed counts at its initial pace.
    """
    loads = []
    for role in ("both", "prefill", "decode"):
        groups = [group for group in fleet.groups if group.role == role]
        rate = sum(group.count / max(request_seconds(group.curve, requests, found, role), 1e-300) for group in groups)
        if groups:
            loads.append(per_s / (rate * fleet.pace))
    return max(loads)

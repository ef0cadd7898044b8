"""Prefill and decode pools: every decode configuration beside the prefill configurations worth having.

Prefill workers run at `POOL_LOAD`, so what they do for a decode pool is settled by three numbers of their own: prompts per
second and chip, time to the first token, joules a prompt. The pair's rates follow by matching (in fractions of a worker), so a
prefill configuration that another one beats in all three is in no best pair: those are left out before anything is paired.

With one partner the choice is the one of the same precision, engine and power mode that does most prompts per chip within the
TTFT asked for. With more, partners may have any layout, precision and mode whose cache the decoders can read (the same engine
and width of cache), up to that number, most prompts per chip first. The two sides may be of different chips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.serving.engine.deployment import take
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.step import PARTS, decode_step, prefill_flops
from gigawatt.physics.serving.power import phases_of, prefilling
from gigawatt.physics.serving.search.combos import Rows, Side
from gigawatt.physics.serving.search.spent import largest
from gigawatt.physics.serving.steady.aggregated import Load, setting
from gigawatt.physics.serving.steady.disaggregated import lanes_of, pool_prefill_seconds, prompts_together
from gigawatt.physics.serving.steady.open_loop import prompt_waits
from gigawatt.physics.serving.steady.transfer import CachePath, transfer_seconds

POOL_LOAD = 0.7  # of a prefill pool's capacity, so that its queue stays short (planners take 0.9 and add a correction)


def kept_speed(derate: float) -> float:
    """Speed of prefill that makes pools keep `derate` of a profile at full load: their load, `POOL_LOAD`, is a part of it.

    >>> kept_speed(1.0), kept_speed(0.35)
    (1.0, 0.5)
    """
    return min(derate / POOL_LOAD, 1.0)


@dataclass(frozen=True, slots=True)
class Prefill:
    """What each configuration is worth as a prefill worker: requests/s it takes, J a prompt, W of a chip; and the times

    of a first token: the prompt's own pass, all that is served, the mean wait before it.
    """

    capacity_per_s: Floats
    energy_j: Floats
    chip_w: Floats
    pass_s: Floats
    served_s: Floats
    wait_s: Floats

    def ttft_s(self, share: float) -> Floats:
        """Within which `share` of the requests have their first token."""
        return self.served_s + self.wait_s * max(float(np.log(POOL_LOAD / (1.0 - share))), 0.0) / POOL_LOAD


def prefill_of(s: Side, load: Load) -> Prefill:
    """The prefill side, one row a configuration."""
    d = s.base
    at = setting(d, load)
    one = pool_prefill_seconds(d, at.fresh, at.cached) / load.prefill_derate
    lone = pool_prefill_seconds(d, at.fresh, at.cached, POOL_LOAD) / load.prefill_derate
    passing = prompts_together(at.fresh, POOL_LOAD) * lone
    wait = prompt_waits(d, load, np.asarray(POOL_LOAD), 1.0) * lone
    served = at.api_s + d.rates.transfer_s + passing
    capacity = POOL_LOAD * lanes_of(d, at.fresh) / one
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    every = np.arange(len(s.combos))
    util = prefill_flops(d, at.fresh, at.cached) * capacity / d.chips / peak
    watts = s.watts(prefilling(POOL_LOAD, util), every)
    return Prefill(capacity, watts * d.chips / capacity, watts, passing, served, wait)


def partners_of(
    decode: Side, prefill: Side, worth: Prefill, limits_s: Sequence[float], share: float, most: int
) -> list[tuple[int, int]]:
    """(decode, prefill) configurations to be paired, those of every limit on the time to the first token."""
    first = worth.ttft_s(share)
    fitting = [int(j) for j in np.flatnonzero(prefill.fits)]
    own = decode.chip is prefill.chip
    kin: dict[tuple[Any, ...], list[int]] = {}
    for j in fitting:
        kin.setdefault(_kin(prefill, j, strict=own and most == 1), []).append(j)
    chosen: dict[tuple[Any, ...], dict[int, None]] = {key: {} for key in kin}
    for limit_s in limits_s:
        per_chip = np.where(first <= limit_s, worth.capacity_per_s / prefill.base.chips, 0.0)
        for key, members in kin.items():
            chosen[key] |= dict.fromkeys(_worth_having(members, first, worth.energy_j, per_chip, most))
    asked = [(int(i), _kin(decode, int(i), strict=own and most == 1)) for i in np.flatnonzero(decode.fits)]
    return [(i, j) for i, key in asked for j in chosen.get(key, [])]


def _kin(s: Side, i: int, strict: bool) -> tuple[Any, ...]:
    c = s.combos[i]
    return (c.precision, c.engine, c.mode) if strict else (c.engine, float(s.base.kv_bytes[i]))


def _worth_having(members: list[int], first: Floats, energy_j: Floats, per_chip: Floats, most: int) -> list[int]:
    """Of a kin those that no other beats in all three, most prompts per chip first; always one."""
    kept: list[int] = []
    for j in sorted(members, key=lambda j: (-per_chip[j], first[j])):
        beaten = any(first[k] <= first[j] and energy_j[k] <= energy_j[j] for k in kept)
        if not kept or (per_chip[j] > 0 and not beaten and len(kept) < most):
            kept.append(j)
    return kept


def pooled(
    decode: Side,
    prefill: Side,
    load: Load,
    ladder: Floats,
    *,
    limits_s: Sequence[float],
    partners: int = 1,
    share: float = 0.99,
    path: CachePath | None = None,
) -> dict[str, NDArray[Any]] | None:
    """Columns of every pair at every concurrency of its decode worker; None where no pair can be."""
    worth = prefill_of(prefill, load)
    pairs = partners_of(decode, prefill, worth, limits_s, share, partners)
    if not pairs:
        return None
    made = np.array(pairs, dtype=np.intp)
    decoders, where = np.unique(made[:, 0], return_inverse=True)
    step = _decoding(decode, np.repeat(decoders, len(ladder)), load, np.tile(ladder, len(decoders)))
    rung = np.arange(len(ladder))
    at = (where[:, None] * len(ladder) + rung).ravel()
    rows, beside = np.repeat(made[:, 0], len(ladder)), np.repeat(made[:, 1], len(ladder))
    column = {name: values[..., at] for name, values in step.items()}
    d, p = take(decode.base, rows), take(prefill.base, beside)
    flow = column["requests_per_s"]
    prefill_chips = flow / worth.capacity_per_s[beside] * p.chips
    chips = d.chips + prefill_chips
    moved = 0.0 * flow
    if path is not None:
        moved = transfer_seconds(p, d, load.input_tokens, path, worth.pass_s[beside])
    names = [f"{prefill.combos[j].layout.name} prefill + {decode.combos[i].layout.name} decode" for i, j in pairs]
    return {
        "mapping": np.repeat(np.array(names), len(ladder)),
        **decode.names(rows),
        **{f"prefill_{name}": values for name, values in prefill.names(beside).items() if name != "engine"},
        **{
            name: column[name]
            for name in ("concurrency", "requests_per_s", "room", "tpot_s", "kernel_half", "part", "spent_s")
        },
        "chips": chips,
        "prefill_chips": prefill_chips,
        "prefill_each": p.chips,
        "prefill_capacity": worth.capacity_per_s[beside],
        "decode_each": d.chips,
        "ttft_s": (worth.served_s + worth.wait_s)[beside] + moved,
        "ttft_p99_s": worth.ttft_s(0.99)[beside] + moved,
        "ttft_slo_s": worth.ttft_s(share)[beside] + moved,
        "tpot_slo_s": column["tpot_s"],
        "chip_w": (column["decode_w"] * d.chips + worth.chip_w[beside] * prefill_chips) / chips,
        "prefill_load": np.full_like(flow, POOL_LOAD),
        "drafted": np.zeros_like(flow) if d.draft is None else d.draft.tokens,
    }


def _decoding(s: Side, rows: Rows, load: Load, concurrency: Floats) -> dict[str, NDArray[Any]]:
    """Decode workers alone, a row for each configuration and concurrency."""
    d = take(s.base, rows)
    n, out = load.input_tokens, load.output_tokens
    resident = out * (1.0 + load.output_cv**2)
    room = max_requests(d, n, resident)
    batch = np.minimum(concurrency, room)
    parts = decode_step(d, batch, n + resident / 2.0)
    step = parts.total / load.decode_derate
    tpot = step / d.yields
    peak = np.maximum(d.chip.dense_flops, d.chip.bf16_flops)
    # What the derate loses, chips wait.
    phases = phases_of(parts, 0.0, peak, d.chip.memory_bytes_per_s, idle_s=np.maximum(step - parts.total, 0.0))
    spent = np.stack([*(getattr(parts, name) / d.yields for name in PARTS), np.zeros_like(tpot)])
    return {
        "concurrency": concurrency,
        "requests_per_s": batch / (out * tpot),
        "room": room,
        "tpot_s": tpot,
        "decode_w": s.watts(phases, rows),
        "kernel_half": d.kernels.half_width,
        "part": largest(spent, parts.compute_share, d.messages.domains),
        "spent_s": spent,
    }

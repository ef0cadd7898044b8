"""Seconds of a fused mixture-of-experts layer on one chip: two grouped products, routing, permutation.

T tokens with k experts each out of E, I the expert width on this chip, H the hidden size, gate 2 for gated activations:

    tiles  = active experts x ceil(mean load/bm) x ceil(N/128)              for (N, K) = (gate I, H) and (H, I)
    comp, waves, pro as in a matrix product ;  mem = (active N K w + routed (K a + 2 N))/(B em)
    time   = t0 + sum of both, min over bm + perm routed 2 H/B + tq T k (gate I + I + 2 H) 2/B + ts T k 1e-9 + te E 1e-8

Reduced form: loads are balanced, as in the tables where skew made no difference to the error. Slot work runs over all
T k slots, also those of other ranks. Constants: calibration `chip-moe`; held-out median 6-12 %, p90 20-40 %.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.gemm import US, widths

Array = NDArray[np.float64]
TILES_M = (8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
TILE_N = 128.0


def active_experts(tokens: Array, topk: Array, experts: Array) -> Array:
    """Mean number of experts that see a token: E (1 - (1 - k/E)^T), uniform routing."""
    miss = np.log1p(-np.minimum(topk / experts, 1.0 - 1e-12))
    hit: Array = experts * -np.expm1(tokens * miss)
    return hit


def moe_layer_seconds(
    chip: Chip,
    tokens: ArrayLike,
    hidden: ArrayLike,
    width: ArrayLike,
    experts: ArrayLike,
    topk: ArrayLike,
    precision: str,
    peak_flops: float,
    fit: Constants,
    *,
    local_experts: ArrayLike | None = None,
    gate: float = 2.0,
) -> Array:
    """Seconds of one layer's routed experts on one chip.

    Args:
        chip: the chip.
        tokens: tokens of all ranks of the expert-parallel group.
        hidden: hidden size.
        width: expert width on this chip (already divided by tensor parallelism).
        experts: experts of the layer, all ranks.
        topk: experts a token.
        precision: of the weights.
        peak_flops: dense peak of it.
        fit: constants of `chip-moe`.
        local_experts: experts held by this chip; all where None.
        gate: 2 for gated activations, 1 for plain ones.
    """
    held = experts if local_experts is None else local_experts
    t, h, i, e, k, mine = (
        np.asarray(x, np.float64)
        for x in np.broadcast_arrays(*(np.atleast_1d(v) for v in (tokens, hidden, width, experts, topk, held)))
    )
    weight, activation = widths(precision)
    sms = float(chip.sms) if chip.sms >= 16 else 128.0
    bandwidth, p = chip.memory_bytes_per_s, fit["pn"]
    share = mine / e
    routed = t * k * share
    active = np.maximum(active_experts(t, k, e) * share, np.minimum(1.0, routed))
    load = routed / np.maximum(active, 1e-9)
    best = np.full_like(t, np.inf)
    for bm in TILES_M:
        total = np.zeros_like(t)
        part = fit["ec"] / (1.0 + fit["feed"] * 64.0 * (1.0 / bm + 1.0 / TILE_N))
        for n, depth in ((gate * i, h), (h, i)):
            feed_bytes = activation * np.minimum(bm, load) + weight * np.minimum(TILE_N, n)
            flops_s = 2.0 * bm * TILE_N / (peak_flops / sms * part)
            unit = np.maximum(flops_s, feed_bytes / (fit["bsm"] * bandwidth / sms))
            x = active * np.ceil(load / bm) * np.ceil(n / TILE_N) / sms
            waves = np.maximum(1.0, x + fit["q"] * (np.ceil(x) - x))
            comp = waves * (fit["pro"] * US + depth * unit)
            mem = (active * n * depth * weight + routed * (depth * activation + 2.0 * n)) / (bandwidth * fit["em"])
            total = total + (comp**p + mem**p) ** (1.0 / p)
        best = np.minimum(best, total)
    slots = t * k
    extra = fit["perm"] * routed * h * 2.0 / bandwidth + fit["tq"] * slots * (gate * i + i + 2.0 * h) * 2.0 / bandwidth
    seconds: Array = fit["t0"] * US + best + extra + (fit["ts"] * 1e-3 * slots + fit["te"] * e / 100.0) * US
    return seconds

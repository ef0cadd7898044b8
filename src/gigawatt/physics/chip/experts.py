"""Seconds of a fused mixture-of-experts layer on one chip: routing, permutation, two grouped products, combination.

T tokens choose k of E experts, the rank holds E_l of them (loads: `routing`); H the hidden size, I the expert width on
this chip, g = 2 for gated activations, else 1; w and a the bytes of a weight and of an activation; S multiprocessors,
P peak, B bandwidth. For the two products (N, K) = (g I, H) and (H, I), over tiles of bm rows by 128 columns:

    step   = max( 2 bm 128 / (ec P/S),  (a min(bm, load) + w min(128, N)) / (bsm B/S) )     a tile, one unit of depth
    waves  = max(1, ceil( sum over experts of ceil(load/bm) * ceil(N/128) / S ))
    comp   = max( waves (pro + K step),  pro + K lat/64 )           a lone tile waits `lat` for each 64 of depth
    mem    = (active N K w + slots (K a + 2 N)) / (em B)
    product = (comp^1.5 + mem^1.5)^(2/3), comp the least over bm
    time   = t0 + both products + perm slots 2 H/B + tq T k (g I + I + 2 H) 2/B + ts T k + te E

`slots` are the rank's own (token, expert) pairs; the last terms run over all T k slots, since the routing, sorting and
combining kernels of the engines do, also for experts that other ranks hold.

Constants (calibration `chip-moe`): t0 us of launches, router and host; ec share of peak; em share of bandwidth; pro us of
a tile's start and end; bsm bandwidth of one multiprocessor over its share of B; lat us; perm and tq passes over the
data; ts ns a slot; te us for 100 experts; ed share of peak of a kernel without tuned tiles; l2 MB that the caches serve.

A Triton kernel for which nobody tuned tiles (constant `ed` present, `tuned` 0) runs one tile: 16 x 32 while at most E_l
tokens have a slot on the rank, else 64 x 64, the default of the engines' public source.

Exact form: loads by `skew`. Reduced form: `skew` None (random routing, closed form, no draws). Held out by model shape:
`error` of the calibration. Not modelled: the exchange between ranks, shared experts, the router's own product.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.device import Chip, multiprocessors
from gigawatt.physics.chip.routing import TILES_M, Loads, active_experts, rank_loads

__all__ = ["active_experts", "from_memory_share", "grouped_product", "layer_seconds", "moe_layer_seconds"]

Array = NDArray[np.float64]
Fit = Mapping[str, float] | Constants
US = 1e-6
TILE_N = 128.0
NORM = 1.5  # of compute and memory; 1 is one after the other, infinity perfect overlap
CHUNK = 16_384  # rows at a time keep the temporaries in cache
# Bytes of a weight and of an activation; scales included (one of 2 bytes per 16 or per 128 x 128).
WIDTHS = {
    "bf16": (2.0, 2.0),
    "fp8": (1.0, 1.0),
    "fp8_block": (1.0, 1.03),
    "fp4": (0.5625, 0.5625),
    "mxfp4": (0.53125, 2.0),
    "int4": (0.5625, 2.0),
}
# A benchmark that repeats one layer reads weights again from the cache; serving never does. The share still read from
# memory, once `b` bytes meet `l2`: FLOOR + (1 - FLOOR)/(1 + (l2/b)^4).
FLOOR = 0.1


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
    skew: ArrayLike | None = None,
    tuned: ArrayLike = True,
) -> Array:
    """Seconds of one layer's routed experts on one chip.

    Args:
        chip: the chip.
        tokens: tokens of all ranks of the expert-parallel group.
        hidden: hidden size.
        width: expert width on this chip (already divided by tensor parallelism).
        experts: experts of the layer, all ranks.
        topk: experts a token.
        precision: of the weights: a key of `WIDTHS`.
        peak_flops: dense peak of the products.
        fit: constants of `chip-moe`.
        local_experts: experts held by this chip; all where None.
        gate: 2 for gated activations, 1 for plain ones.
        skew: None for random routing; 0 dealt round; above 0 the exponent of a power law of loads (1.01 and 1.2 are
            published for two models); the time is that of the busiest rank.
        tuned: whether the engine has tuned tiles for this shape; only Triton kernels care.

    Raises:
        InputError: a routing that cannot be (see `rank_loads`).
    """
    held = experts if local_experts is None else local_experts
    alpha = np.nan if skew is None else skew
    columns = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, float)) for v in (tokens, hidden, width, experts, topk, held, alpha, tuned))
    )
    t, h, i, e, k, mine, a, ready = (np.ravel(column) for column in columns)
    loads = rank_loads(t, k, e, mine, a)
    out = np.empty(t.size)
    for start in range(0, t.size, CHUNK):
        part = slice(start, start + CHUNK)
        shape = {"tokens": t, "hidden": h, "width": i, "experts": e, "topk": k, "local": mine, "tuned": ready}
        few = {name: column[part] for name, column in shape.items()} | {"gate": np.full(1, float(gate))}
        out[part] = layer_seconds(chip, few, loads.take(part), precision, peak_flops, fit)
    return out.reshape(columns[0].shape)


def layer_seconds(
    chip: Chip,
    shape: Mapping[str, Array],
    loads: Loads,
    precision: str,
    peak_flops: float,
    fit: Fit,
    *,
    resident: bool = False,
) -> Array:
    """Seconds for given loads: columns tokens, hidden, width, experts, topk, local, gate, tuned.

    `resident` is for fitting to benchmark loops alone: weights that fit the cache are then read from it.
    """
    h, i, gate = shape["hidden"], shape["width"], shape["gate"]
    slots = np.maximum(shape["tokens"], 1.0) * shape["topk"]
    bandwidth = chip.memory_bytes_per_s
    cache = _get(fit, "l2", 0.0) * 1e6
    weight, _ = WIDTHS[precision]
    again: Array = np.ones(1)
    if resident:
        again = from_memory_share(loads.active * (gate + 1.0) * i * h * weight, cache)
    total = np.zeros(loads.slots.size)
    for n, depth in ((gate * i, h), (h, i)):
        total = total + grouped_product(chip, shape, loads, n, depth, precision, peak_flops, fit, again)
    passed = slots * (gate * i + i + 2.0 * h) * 2.0
    passes = fit["tq"] * passed * from_memory_share(passed, cache) + fit["perm"] * loads.slots * h * 2.0
    fixed = fit["t0"] * US + fit["ts"] * 1e-9 * slots + fit["te"] * 1e-8 * shape["experts"]
    seconds: Array = fixed + total + passes / bandwidth
    return seconds


def _get(fit: Fit, name: str, missing: float) -> float:
    values = fit.values if isinstance(fit, Constants) else fit
    return values.get(name, missing)


def from_memory_share(count: Array, cache: float) -> Array:
    """Share of bytes that come from memory and not from a cache of so many bytes."""
    share: Array = FLOOR + (1.0 - FLOOR) / (1.0 + (cache / np.maximum(count, 1.0)) ** 4)
    return share


def grouped_product(
    chip: Chip,
    shape: Mapping[str, Array],
    loads: Loads,
    n: Array,
    depth: Array,
    precision: str,
    peak: float,
    fit: Fit,
    from_memory: Array,
) -> Array:
    """Seconds of one grouped product over the rank's experts."""
    weight, activation = WIDTHS[precision]
    share = fit["em"] * chip.memory_bytes_per_s
    mem = (from_memory * loads.active * n * depth * weight + loads.slots * (depth * activation + 2.0 * n)) / share
    comp = np.full(loads.slots.size, np.inf)
    for j in range(len(TILES_M)):
        comp = np.minimum(comp, _tiles(chip, loads, j, TILE_N, n, depth, precision, peak * fit["ec"], fit, 1.0))
    plain = _get(fit, "ed", 0.0)
    if plain > 0.0:
        # Half as deep a step as a tuned tile, hence twice the waits.
        narrow, wide = (
            _tiles(chip, loads, j, columns, n, depth, precision, peak * plain, fit, 2.0)
            for j, columns in ((1, 32.0), (3, 64.0))
        )
        default = np.where(loads.tokens <= shape["local"], narrow, wide)
        comp = np.where(shape["tuned"] > 0, comp, default)
    both: Array = np.cbrt(comp * np.sqrt(comp) + mem * np.sqrt(mem)) ** 2
    return both


def _tiles(
    chip: Chip,
    loads: Loads,
    j: int,
    columns: float,
    n: Array,
    depth: Array,
    precision: str,
    peak: float,
    fit: Fit,
    waits: float,
) -> Array:
    """Seconds on the multiprocessors with tiles of TILES_M[j] rows by `columns`."""
    weight, activation = WIDTHS[precision]
    sms = multiprocessors(chip)
    rows = np.minimum(float(TILES_M[j]), loads.slots / np.maximum(loads.active, 1e-9))
    fed = (activation * rows + weight * np.minimum(columns, n)) * (sms / (fit["bsm"] * chip.memory_bytes_per_s))
    step = np.maximum(2.0 * TILES_M[j] * columns * sms / peak, fed)
    waves = np.maximum(1.0, np.ceil(loads.tiles[j] * np.ceil(n / columns) / sms))
    alone = fit["pro"] * US + depth * (waits * fit["lat"] * US / 64.0)
    seconds: Array = np.maximum(waves * (fit["pro"] * US + depth * step), alone)
    return seconds

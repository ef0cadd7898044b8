"""Pools whose sizes a table does not state, as an operator would size them.

Rule, the same for every such row: layouts on which the weights do not fit are widened until they do; about as many
decode chips as published pools have (`pool_decode_chips`); enough prefill workers for 0.7 load; and of attention cut or
copied over the ranks, in either pool, what gives most requests per chip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from gigawatt.physics.serving import Spec, deploy, pools
from gigawatt.physics.serving.engine.calibration import calibration
from gigawatt.physics.serving.engine.memory import free_bytes_per_chip
from gigawatt.physics.serving.steady.disaggregated import servers
from gigawatt.validation.serving_points import Point, load_of

PREFILL_LOAD = 0.7
SPARE_MEMORY = 0.15  # share of memory that must be left for cache
WIDEST = 64
MANY = 1e4


def guess_pools(found: Sequence[Point]) -> list[Point]:
    """The points with layouts and worker counts filled in."""
    if not found:
        return []
    decode = _widened([p.spec for p in found])
    prefill = _widened([p.prefill or p.spec for p in found])
    workers = np.maximum(1.0, np.round(calibration()["pool_decode_chips"] / np.array([s.gpus for s in decode])))
    load = load_of(found)
    tried = []
    for copy_decode, copy_prefill in product((False, True), repeat=2):
        d_specs = [_copied(s) for s in decode] if copy_decode else decode
        p_specs = [_copied(s) for s in prefill] if copy_prefill else prefill
        d, p = deploy(d_specs), deploy(p_specs)
        ample = pools(p, d, load, np.full(len(found), MANY), workers)
        needed = np.maximum(1.0, np.ceil(ample.requests_per_s * ample.prefill_s / (PREFILL_LOAD * servers(p))))
        state = pools(p, d, load, needed, workers)
        tried.append((state.requests_per_s / (p.gpus * needed + d.gpus * workers), d_specs, p_specs, needed))
    best = np.argmax(np.stack([item[0] for item in tried]), axis=0)
    return [
        replace(
            point,
            spec=tried[b][1][i],
            prefill=tried[b][2][i],
            prefill_workers=float(tried[b][3][i]),
            decode_workers=float(workers[i]),
        )
        for i, (point, b) in enumerate(zip(found, best, strict=True))
    ]


def _copied(spec: Spec) -> Spec:
    """Attention copied to every chip, experts spread."""
    return replace(spec, dp=spec.gpus, moe_tp=1)


def _widened(specs: Sequence[Spec]) -> list[Spec]:
    """Each layout doubled until the weights fit with room for cache."""
    out = list(specs)
    while True:
        free = free_bytes_per_chip(deploy(out)) / deploy(out).chip.memory_bytes
        tight = [i for i, share in enumerate(free) if share < SPARE_MEMORY and out[i].gpus < WIDEST]
        if not tight:
            return out
        for i in tight:
            spec = out[i]
            out[i] = replace(
                spec, gpus=2 * spec.gpus, moe_tp=2 * spec.moe_tp if spec.moe_tp == spec.gpus else spec.moe_tp
            )

"""Pipeline schedules in closed form: seconds of a step, activations in flight, copies of the weights.

With p stages, m micro-batches, v chunks a stage, and F, B, W the seconds of a stage's forward, backward for the input
and backward for the weights of one micro-batch, a step takes m (F + B + W) of the longest stage plus idle seconds

    gpipe       (p - 1) (F + B + W)                          [Huang et al., arXiv 1811.06965]
    1f1b        (p - 1) / v (F + B + W)                      [Narayanan et al., SC'21, sec. 2.2]
    zb-h1       (p - 1) (F + max(B - W, 0))                  [Qi et al., arXiv 2401.10241, table 1, there with B >= W]
    zb-v        (p - 1) / 2 max(F, B, 2 (B - W)), or ((p - 1) F + (p - 2) (max(F, W) - B)) / 2 where that is more
    dualpipe    (p / 2 - 1) max(F + 2 B - W, 2 F)            [DeepSeek-V3 report, table 2, there (F&B + B - 3 W) with
                B for both backward passes and F&B as long as its parts]
    dualpipe-v  (p - 1) / 2 max(F + 2 B - W, 2 F)            [the same with 2 p half stages on p ranks]

from the first unit of a step to the last on any rank: the skew between ranks is idle time, since gradients are reduced
and weights stepped together. What zb-v calls zero bubble (F = B = W, optimizer steps not waited for) is the first term
of its form: its ranks are idle for nothing but the skew (p - 1) F / 2.

Against `replay` over equal stages: gpipe, 1f1b, interleaved exact; zb-h1 and zb-v exact where W <= F <= B, as in every
layer with attention; dualpipe and dualpipe-v there never short and at most 4 % long. Elsewhere (W up to 2 F, B down
to F / 2) within 11 % for zb-h1, 6 % for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gigawatt.physics.training.columns import (
    DUAL_PIPE,
    DUAL_PIPE_V,
    GPIPE,
    ONE_F_ONE_B,
    ZERO_BUBBLE_H1,
    ZERO_BUBBLE_V,
)

THIRD = 1.0 / 3.0
Form = Callable[[Any, Any, Any, Any, Any, Any], Any]


def pipeline_s(
    micro_batches: Any,
    stages: Any,
    chunks: Any,
    longest_stage_s: Any,
    mean_stage_s: Any,
    *,
    schedule: Any = ONE_F_ONE_B,
    forward_share: Any = THIRD,
    weight_share: Any = THIRD,
    send_s: Any = 0.0,
) -> Any:
    """Seconds of a pipeline: m * longest stage + idle seconds at the mean stage.

    Args:
        micro_batches: m of one data-parallel replica.
        stages, chunks: p and v.
        longest_stage_s, mean_stage_s: F + B + W of one micro-batch on the longest stage, and on the mean one.
        schedule: of `columns.SCHEDULES`, by number.
        forward_share, weight_share: F and W over F + B + W.
        send_s: seconds of a message between stages, where nothing hides it.

    >>> float(pipeline_s(8, 4, 1, 3.0, 3.0))
    33.0
    """
    idle = idle_s(micro_batches, stages, chunks, mean_stage_s, schedule, forward_share, weight_share)
    total = micro_batches * longest_stage_s + idle
    if isinstance(send_s, float) and send_s == 0.0:
        return total
    return total + send_s * sends(schedule, micro_batches, stages, chunks)


def idle_s(
    micro_batches: Any,
    stages: Any,
    chunks: Any,
    stage_s: Any,
    schedule: Any = ONE_F_ONE_B,
    forward_share: Any = THIRD,
    weight_share: Any = THIRD,
) -> Any:
    """Idle seconds of a rank in a step, with equal stages of `stage_s` a micro-batch."""
    if isinstance(schedule, float) and schedule == ONE_F_ONE_B:
        return (stages - 1.0) / chunks * stage_s
    forward, weight = forward_share * stage_s, weight_share * stage_s
    backward = stage_s - forward - weight
    return _by_schedule(schedule, _IDLE, micro_batches, stages, chunks, forward, backward, weight)


def bubble_share(
    micro_batches: Any,
    stages: Any,
    chunks: Any = 1.0,
    schedule: Any = ONE_F_ONE_B,
    forward_share: Any = THIRD,
    weight_share: Any = THIRD,
) -> Any:
    """Idle share of a step.

    >>> bubble_share(8, 4)
    0.2727272727272727
    """
    idle = idle_s(micro_batches, stages, chunks, 1.0, schedule, forward_share, weight_share)
    return idle / (micro_batches + idle)


def stored_micro_batches(
    micro_batches: Any, stages: Any, chunks: Any, schedule: Any = ONE_F_ONE_B, rank: Any = 0.0
) -> Any:
    """Micro-batches of activations that a rank holds, in units of all its layers; the first rank holds the most.

    gpipe m; 1f1b min(m, p - rank), with v chunks (p - 1 - 2 rank) / v + p, since warm-up runs p - 1 chunks deeper
    [Korthikanti et al., arXiv 2205.05198, sec. 4.2.3: L (1 + (p - 1) / (p v)) layers' worth]; zb-h1 and zb-v p on every
    rank [Qi et al., table 1]; dualpipe p + 1 [DeepSeek-V3 report, table 2] and dualpipe-v p + 1/2. Exact against
    `replay` on the first rank, and on every rank for 1f1b; nowhere too few.
    """
    if isinstance(schedule, float) and schedule == ONE_F_ONE_B:
        return _stored_1f1b(micro_batches, stages, chunks, rank)
    return _by_schedule(schedule, _STORED, micro_batches, stages, chunks, rank, 0.0, 0.0)


def weight_copies(schedule: Any) -> Any:
    """Stages of weights that a rank holds: dualpipe keeps the mirror stage's too."""
    if np.ndim(schedule) == 0:
        return 2.0 if schedule == DUAL_PIPE else 1.0
    return np.where(np.asarray(schedule) == DUAL_PIPE, 2.0, 1.0)


def sends(schedule: Any, micro_batches: Any, stages: Any, chunks: Any = 1.0) -> Any:
    """Messages between stages on the longest path of a step, where no message overlaps compute.

    Filling and draining pay each hop once; 1f1b pays a round trip again for every p micro-batches, since a rank has no
    forward to spare while it waits; interleaving, zb-h1 and zb-v have. Exact against `replay` (F = B = W, m a multiple
    of p) for all but dualpipe and dualpipe-v, at most 2 p messages long.
    """
    return _by_schedule(schedule, _SENDS, micro_batches, stages, chunks, 0.0, 0.0, 0.0)


def uneven_1f1b_s(micro_batches: Any, forward_s: Any, backward_s: Any) -> Any:
    """Seconds of 1f1b over stages of unequal length: arrays whose last axis is the stages of a row.

    The longest path through one stage k: its first forward comes sum(f before k) late; it has p - k forwards until its
    first gradient is back, after the round trip through what follows; then what is left of its m forwards and
    backwards, and the drain. The step is the maximum over k. Never long; at most 7 % short of `replay` where stages
    differ up to fourfold, exact where the longest stage is the last or all are equal. Heads, embeddings, uneven layer
    counts and stages on other chips are all lengths of stages.

    >>> float(uneven_1f1b_s(8, [1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0]))
    33.0
    """
    f, b = np.broadcast_arrays(np.asarray(forward_s, dtype=float), np.asarray(backward_s, dtype=float))
    m = np.asarray(micro_batches, dtype=float)[..., None]
    p = f.shape[-1]
    held = np.arange(p, 0, -1.0)  # forwards a stage runs before its first backward
    before = np.cumsum(f + b, axis=-1) - (f + b)
    after = np.cumsum((f + b)[..., ::-1], axis=-1)[..., ::-1] - (f + b)
    waits = np.maximum(after + f, np.minimum(held, m) * f)
    return np.max(before + waits + m * b + np.maximum(m - held, 0.0) * f, axis=-1)


def _by_schedule(schedule: Any, forms: dict[float, Form], m: Any, p: Any, v: Any, f: Any, b: Any, w: Any) -> Any:
    """The form of each row's schedule; only schedules that occur are evaluated."""
    if np.ndim(schedule) == 0:
        return forms[float(schedule)](m, p, v, f, b, w)
    rows = np.asarray(schedule)
    found: Any = np.zeros(np.shape(rows))
    for number, form in forms.items():
        mask = rows == number
        if mask.any():
            found = np.where(mask, form(m, p, v, f, b, w), found)
    return found


def _stored_1f1b(m: Any, p: Any, v: Any, rank: Any) -> Any:
    return np.minimum(m, p + np.where(np.asarray(v) > 1, (p - 1.0 - 2.0 * rank) / v, -rank))


def _two_way_s(f: Any, b: Any, w: Any) -> Any:
    return np.maximum(f + 2.0 * b - w, 2.0 * f)


def _zero_bubble_v_s(p: Any, f: Any, b: Any, w: Any) -> Any:
    skew = (p - 1.0) * np.maximum(np.maximum(f, b), 2.0 * (b - w))
    return 0.5 * np.maximum(skew, (p - 1.0) * f + np.maximum(p - 2.0, 0.0) * (np.maximum(f, w) - b))


_IDLE: dict[float, Form] = {
    GPIPE: lambda m, p, v, f, b, w: (p - 1.0) * (f + b + w),
    ONE_F_ONE_B: lambda m, p, v, f, b, w: (p - 1.0) / v * (f + b + w),
    ZERO_BUBBLE_H1: lambda m, p, v, f, b, w: (p - 1.0) * (f + np.maximum(b - w, 0.0)),
    ZERO_BUBBLE_V: lambda m, p, v, f, b, w: _zero_bubble_v_s(p, f, b, w),
    DUAL_PIPE: lambda m, p, v, f, b, w: np.maximum(p / 2.0 - 1.0, 0.0) * _two_way_s(f, b, w),
    DUAL_PIPE_V: lambda m, p, v, f, b, w: (p - 1.0) / 2.0 * _two_way_s(f, b, w),
}
_STORED: dict[float, Form] = {
    GPIPE: lambda m, p, v, f, b, w: m + 0.0 * p,
    ONE_F_ONE_B: lambda m, p, v, rank, b, w: _stored_1f1b(m, p, v, rank),
    ZERO_BUBBLE_H1: lambda m, p, v, f, b, w: np.minimum(m, p),
    ZERO_BUBBLE_V: lambda m, p, v, f, b, w: np.minimum(m, p),
    DUAL_PIPE: lambda m, p, v, f, b, w: np.minimum(m, np.where(np.asarray(p) > 1, p + 1.0, 1.0)),
    DUAL_PIPE_V: lambda m, p, v, f, b, w: np.minimum(m, np.where(np.asarray(p) > 1, p + 0.5, 1.0)),
}
_SENDS: dict[float, Form] = {
    GPIPE: lambda m, p, v, f, b, w: 2.0 * (p - 1.0) + 0.0 * m,
    ONE_F_ONE_B: lambda m, p, v, f, b, w: np.where(
        np.asarray(p) == 1,
        0.0,
        np.where(np.asarray(v) > 1, 2.0 * (p * v - 1.0), 2.0 * (p - 1.0) * (np.maximum(m / p, 1.0) + 1.0) - 2.0),
    ),
    ZERO_BUBBLE_H1: lambda m, p, v, f, b, w: 4.0 * (p - 1.0) + 0.0 * m,
    ZERO_BUBBLE_V: lambda m, p, v, f, b, w: np.maximum(5.0 * p - 7.0, 0.0) + 0.0 * m,
    DUAL_PIPE: lambda m, p, v, f, b, w: (p - 1.0) * m / p + np.maximum(1.5 * p - 2.0, 0.0),
    DUAL_PIPE_V: lambda m, p, v, f, b, w: 2.0 * (p - 1.0) * m / p + 3.0 * (p - 1.0),
}

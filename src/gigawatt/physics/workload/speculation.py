"""Speculative decoding: a cheap model drafts k tokens, the model checks them in one pass and keeps the agreed ones.

With an acceptance rate a of each drafted token, taken as independent (Leviathan et al. 2023, arXiv 2211.17192, eq. 1), a
step yields  (1 - a^(k + 1)) / (1 - a)  tokens: the accepted ones and one of the model's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.mtp import mtp_module
from gigawatt.physics.workload.operators import operators
from gigawatt.physics.workload.table import OperatorTable, Widths, stacked


def tokens_per_step(acceptance: Any, drafted: Any) -> Any:
    """Expected tokens of one step; between 1 (nothing accepted) and drafted + 1 (all).

    >>> tokens_per_step(0.0, 3), tokens_per_step(1.0, 3), round(tokens_per_step(0.85, 1), 2)
    (1.0, 4.0, 1.85)

    Raises:
        InputError: an acceptance outside 0 to 1, or fewer than no drafted tokens.
    """
    a, k = np.asarray(acceptance, dtype=np.float64), np.asarray(drafted, dtype=np.float64)
    problems = []
    if np.any((a < 0) | (a > 1)):
        problems.append(Problem("wrong_value", "an acceptance rate lies between 0 and 1"))
    if np.any(k < 0):
        problems.append(Problem("wrong_value", "a step cannot draft fewer than no tokens"))
    if problems:
        raise InputError(problems)
    refused = 1.0 - a
    sure = refused < 1e-9
    made = np.where(sure, k + 1.0, (1.0 - a ** (k + 1.0)) / np.where(sure, 1.0, refused))
    return float(made) if made.ndim == 0 else made


def speculative_step(
    arch: Architecture,
    drafted: int,
    draft: Architecture | None = None,
    *,
    batch: Any = 1,
    past: Any = 0,
    tp: int = 1,
    ep: int = 1,
    moe_tp: int = 0,
    widths: Widths | None = None,
    imbalance: Any = 1.0,
) -> OperatorTable:
    """The operators of one step: `drafted` passes of the draft, then the model over drafted + 1 tokens.

    `draft` is a model of its own; without one, the model's multi-token-prediction module drafts (asked again for each
    further token, as engines do). The draft sees `past` tokens and on average half of the drafted ones.

    Raises:
        InputError: no drafted tokens, or sizes and layouts that `operators` refuses.
    """
    if drafted < 1:
        raise InputError(Problem("wrong_value", f"{drafted} drafted tokens: a step drafts at least one"))
    layout: dict[str, Any] = {"tp": tp, "ep": ep, "moe_tp": moe_tp, "widths": widths, "imbalance": imbalance}
    verify = operators(arch, "decode", tokens=drafted + 1, batch=batch, past=past, **layout)
    seen = np.asarray(past, dtype=np.float64) + (drafted - 1) / 2
    passes = operators(draft or mtp_module(arch), "decode", tokens=1, batch=batch, past=seen, **layout)
    return stacked((passes.repeated(drafted), verify))

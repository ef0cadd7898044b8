"""Forward FLOPs of a whole model under two counting rules.

"oracle" is that of torch's FlopCounterMode over the Hugging Face implementations: 2 m n k of every matrix product,
attention as the full square whatever its mask or window, logits for every token, nothing elementwise. "engine" counts
what has to run: causal halves, windows, chunked scans, and otherwise the same.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.attended import full_pairs, visible_pairs
from gigawatt.physics.workload.lower import pieces
from gigawatt.physics.workload.mtp import mtp_pieces
from gigawatt.physics.workload.pieces import Attention, Convolution, Linear, Piece, Scan
from gigawatt.physics.workload.recurrence import (
    chunk_flops,
    convolution_flops,
    counted_convolution_flops,
    counted_flops,
)

Rule = Literal["engine", "oracle"]


def forward_flops(
    arch: Architecture,
    tokens: Any = None,
    batch: Any = 1,
    rule: Rule = "engine",
    context_tokens: Any = None,
    past: Any = 0,
    logits: Literal["all", "last"] = "all",
    mtp: int = 0,
) -> Any:
    """FLOPs of one forward pass over `batch` sequences of `tokens` tokens; numbers or arrays that broadcast.

    `tokens` defaults to the architecture's `sample_tokens` (an image, a clip), `context_tokens` to its own; `past`
    tokens are already cached (engine rule). `logits="last"` runs the head once a sequence, as a prefill does. `mtp`
    modules of multi-token prediction run besides, none unless asked. Towers are left out: ask for theirs. Exact as long
    as the sum stays under 2**53 for arrays; plain integers are summed without limit.

    Raises:
        InputError: no tokens, an empty batch, a sequence beyond the learned positions, an unknown rule.
    """
    tokens = arch.sample_tokens if tokens is None else tokens
    context = arch.context_tokens if context_tokens is None else context_tokens
    check_size(arch, tokens, batch, past)
    if rule not in ("engine", "oracle"):
        raise InputError(
            Problem("unknown_rule", f"there is no counting rule '{rule}'", None, ("known: engine, oracle",))
        )
    tokens, batch, context, past = (_plain(size) for size in (tokens, batch, context, past))
    total: Any = 0
    for piece in (*pieces(arch), *mtp_pieces(arch, mtp)):
        if isinstance(piece, Linear) and piece.part == "head" and logits == "last":
            total = total + 2 * piece.k * piece.n
        else:
            total = total + _flops(piece, tokens, context, past, rule)
    total = total * batch
    return float(total) if np.ndim(total) == 0 else np.asarray(total, dtype=np.float64)


def _plain(size: Any) -> Any:
    """A whole number as Python's, which cannot overflow; anything else as float64, for the same reason."""
    column = np.asarray(size)
    if column.ndim == 0 and float(column).is_integer():
        return int(column)
    return column.astype(np.float64)


def _flops(piece: Piece, tokens: Any, context: Any, past: Any, rule: Rule) -> Any:
    """FLOPs of one sequence through all equal pieces."""
    if isinstance(piece, Linear):
        return 2 * piece.count * piece.k * piece.n * piece.top_k * piece.rows(tokens, context)
    if isinstance(piece, Attention):
        if rule == "oracle":
            return piece.count * piece.pair_flops * full_pairs(piece, tokens, context)
        return piece.count * piece.pair_flops_when(False) * visible_pairs(piece, tokens, context, past)
    if isinstance(piece, Scan):
        return piece.count * (counted_flops if rule == "oracle" else chunk_flops)(piece, tokens)
    if isinstance(piece, Convolution):
        return piece.count * (counted_convolution_flops if rule == "oracle" else convolution_flops)(piece, tokens)
    return 0


def check_size(arch: Architecture, tokens: Any, batch: Any, past: Any = 0) -> None:
    """Refuse what cannot run.

    Raises:
        InputError: no tokens, an empty batch, a negative past, or positions that were never learned.
    """
    problems = []
    if np.any(np.asarray(tokens) < 1):
        problems.append(Problem("no_tokens", f"model '{arch.name}': a pass needs at least one token"))
    if np.any(np.asarray(batch) < 1):
        problems.append(Problem("empty_batch", f"model '{arch.name}': a batch needs at least one sequence"))
    if np.any(np.asarray(past) < 0):
        problems.append(Problem("negative_past", f"model '{arch.name}': the cached tokens cannot be fewer than none"))
    longest = np.max(np.asarray(tokens) + np.asarray(past))
    if arch.learned_positions and arch.vocab and longest > arch.learned_positions:
        problems.append(
            Problem(
                "sequence_too_long",
                f"model '{arch.name}': {longest} tokens, but only {arch.learned_positions} positions were learned",
                None,
                ("shorten the sequence, or take a model with rotary or ALiBi positions",),
            )
        )
    if problems:
        raise InputError(problems)

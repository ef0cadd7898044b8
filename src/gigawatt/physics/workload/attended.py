"""How many (query, key) pairs attention has to do: full, causal, windowed, after a cached prefix."""

from __future__ import annotations

from typing import Any

import numpy as np

from gigawatt.physics.workload.pieces import Attention


def causal_pairs(queries: Any, past: Any = 0) -> Any:
    """Pairs of q new tokens that follow `past` cached ones: q * past + q (q + 1) / 2.

    >>> causal_pairs(4), causal_pairs(1, 99)
    (10, 100)
    """
    return queries * past + queries * (queries + 1) // 2


def windowed_pairs(queries: Any, window: int, past: Any = 0) -> Any:
    """Pairs where each token sees itself and at most window - 1 before it: sum of min(position, window).

    >>> windowed_pairs(4, 2), windowed_pairs(4, 100) == causal_pairs(4)
    (7, True)
    """

    def below(n: Any) -> Any:
        """The sum of min(i, window) for i = 1 .. n."""
        short = min(n, window) if isinstance(n, int) else np.minimum(n, window)
        return short * (short + 1) // 2 + (n - short) * window

    return below(past + queries) - below(past)


def chunked_pairs(queries: Any, chunk: int, past: Any = 0) -> Any:
    """Pairs where attention restarts every `chunk` tokens (Llama 4).

    >>> chunked_pairs(4, 2), chunked_pairs(3, 100)
    (6, 6)
    """

    def below(n: Any) -> Any:
        rest = n % chunk
        return n // chunk * (chunk * (chunk + 1) // 2) + rest * (rest + 1) // 2

    return below(past + queries) - below(past)


def banded_pairs(queries: Any, window: int) -> Any:
    """Pairs where each token sees window // 2 on either side and itself (ModernBERT).

    >>> banded_pairs(5, 2), banded_pairs(3, 100)
    (13, 9)
    """
    return 2 * windowed_pairs(queries, window // 2 + 1) - queries


def visible_pairs(piece: Attention, tokens: Any, context: Any = 0, past: Any = 0) -> Any:
    """Pairs of one layer and one sequence: `tokens` new ones after `past`, `context` conditioning tokens."""
    queries, keys = piece.queries(tokens, context), piece.keys(tokens, context)
    if piece.cross:
        return queries * keys
    if not piece.causal:
        return banded_pairs(queries, piece.window) if piece.window else queries * (keys + past)
    if piece.window:
        return (chunked_pairs if piece.chunked else windowed_pairs)(queries, piece.window, past)
    if piece.top_k:  # the number of keys is limited as by a window, only which they are differs
        return windowed_pairs(queries, piece.top_k, past)
    return causal_pairs(queries, past)


def full_pairs(piece: Attention, tokens: Any, context: Any = 0) -> Any:
    """The whole rectangle of queries and keys, as counters of matrix products see it."""
    return piece.queries(tokens, context) * piece.keys(tokens, context)

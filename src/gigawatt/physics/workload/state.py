"""What a sequence keeps between tokens: keys and values that grow, states that do not.

Counts are in values; bytes follow from the cache's precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.lower import pieces
from gigawatt.physics.workload.pieces import Attention, Convolution, Scan


def _attention(arch: Architecture) -> list[Attention]:
    return [p for p in pieces(arch) if isinstance(p, Attention) and p.keys.per_token]


def kv_values_per_token(arch: Architecture, windowed: bool = True) -> int:
    """Values cached for one more token, over all layers: 2 * kv_heads * head_dim each, or MLA's latent and rotary key.

    Layers with a window stop growing once it is full: `windowed=False` leaves them out (the growth of a long context).
    An encoder keeps nothing: 0.

    >>> from gigawatt.physics.workload import from_config
    >>> kv_values_per_token(from_config("8b", dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
    ...     num_attention_heads=32, num_key_value_heads=8, vocab_size=128256)))
    65536
    """
    if not arch.causal:
        return 0
    return sum(p.count * p.kv_values for p in _attention(arch) if windowed or not p.window)


def kv_values(arch: Architecture, context: Any) -> Any:
    """Values cached by a sequence of `context` tokens (number or array): windowed layers hold at most their window."""
    length = np.asarray(context, dtype=np.float64)
    total = np.zeros_like(length)
    if arch.causal:
        for p in _attention(arch):
            total = total + p.count * p.kv_values * (np.minimum(length, p.window) if p.window else length)
    return float(total) if total.ndim == 0 else total


def kv_bytes_per_token(arch: Architecture, bytes_per_value: float = 2.0) -> float:
    """Bytes that one more token adds to the cache, in all layers (windowed ones until they are full)."""
    return kv_values_per_token(arch) * float(bytes_per_value)


def state_values(arch: Architecture) -> int:
    """Values of constant state a sequence keeps: recurrent states, tails of convolutions, keys of a fixed context."""
    total = 0
    for p in pieces(arch):
        if isinstance(p, (Scan, Convolution)):
            total += p.count * p.state_values
        elif isinstance(p, Attention) and p.cross and arch.causal:
            total += p.count * p.kv_values * arch.context_tokens
    return total


def state_bytes(arch: Architecture, bytes_per_value: float = 2.0, recurrent_bytes: float = 4.0) -> float:
    """Bytes of constant state a sequence keeps; recurrent states are held wider (fp32 by default), as engines do."""
    recurrent = sum(p.count * p.state_values for p in pieces(arch) if isinstance(p, Scan))
    return recurrent * float(recurrent_bytes) + (state_values(arch) - recurrent) * float(bytes_per_value)

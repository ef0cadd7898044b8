"""Attention kernels of one chip, in one place: prefill, decode, latent (MLA) and encoder attention.

The forms and their constants stand in `prefill`, `decode` and `latent`; an encoder is prefill that is not causal.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from gigawatt.physics.chip.calibration import Constants
from gigawatt.physics.chip.decode import decode_seconds
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.latent import mla_decode_seconds, mla_prefill_seconds
from gigawatt.physics.chip.prefill import Array, prefill_seconds

__all__ = ["decode_seconds", "encoder_seconds", "mla_decode_seconds", "mla_prefill_seconds", "prefill_seconds"]


def encoder_seconds(
    chip: Chip,
    batch: ArrayLike,
    length: ArrayLike,
    heads: ArrayLike,
    head_dim: ArrayLike,
    peak_flops: float,
    fit: Constants,
    *,
    resident: bool = False,
) -> Array:
    """Seconds of bidirectional attention of an encoder (vision, audio): every token sees its whole sequence.

    Args:
        chip: the chip.
        batch: sequences (images, tiles of them).
        length: tokens of each.
        heads: heads on this chip.
        head_dim: of a head.
        peak_flops: dense peak of bf16.
        fit: constants of `chip-encoder`.
        resident: as of `prefill_seconds`.
    """
    return prefill_seconds(
        chip, batch, length, heads, heads, head_dim, peak_flops, fit, causal=False, resident=resident
    )

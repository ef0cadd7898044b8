"""Which engine's constants stand for a chip where none is asked for: the fastest at a few common sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gigawatt.physics.chip import Chip
from gigawatt.physics.chip.kernels import FAMILIES, peak_of

COMMON: dict[str, dict[str, Any]] = {
    "prefill": {"batch": 1, "length": [1024, 8192], "heads": 32, "kv_heads": 8, "head_dim": 128},
    "decode": {"batch": [16, 128], "length": 4096, "heads": 32, "kv_heads": 8, "head_dim": 128},
    "mla-prefill": {"batch": 1, "length": [1024, 8192], "heads": 128},
    "mla-decode": {"batch": [16, 128], "length": 4096, "heads": 128},
    "encoder": {"batch": 4, "length": [1024, 4096], "heads": 16, "head_dim": 64},
    "convolution": {"batch": 1, "length": [1024, 8192], "channels": 8192},
    "convolution-step": {"batch": [16, 128], "channels": 8192},
    "delta": {"batch": 1, "length": [1024, 8192], "key_heads": 16, "value_heads": 32},
    "delta-step": {"batch": [16, 128], "value_heads": 32},
}


def fastest(family: str, chip: Chip, word: str, fits: Sequence[Mapping[str, float]]) -> int:
    """Index of the fit with the least (geometric mean) time at common sizes."""
    kind = FAMILIES[family]
    shape = [COMMON[family][name] for name in kind.needs]
    if kind.wants == "nothing":
        times = [kind.form(chip, *shape, fit) for fit in fits]
    else:
        asked, kept = word.split("/")
        peak = peak_of(chip, "bf16" if kind.wide_peak else asked)
        options = {} if family == "encoder" else {"kv_bytes": 1.0 if kept == "fp8" else 2.0}
        times = [kind.form(chip, *shape, peak, fit, **options) for fit in fits]
    return int(np.argmin([np.mean(np.log(t)) for t in times]))

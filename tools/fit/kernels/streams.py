"""Measured tables of quantisation passes (`quantize`): bf16 rows to fp8, and the search for their scale.

Left out: SGLang's search (a difference of two timings, zero in almost every row) and vLLM's (likewise a difference).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.streams import pass_bytes, stream_seconds

from . import tables
from .experts import chip_of
from .harness import Form, Free
from .tables import Rows

Floats = NDArray[np.float64]
FILES = {"quantise": "scale_matrix", "scale": "computescale"}


@dataclass(frozen=True)
class Table:
    """Rows of one pass of one engine on one chip."""

    system: str
    chip: Chip
    engine: str
    kind: str
    rows: Rows


def read(data: Path, systems: tuple[str, ...] | None = None) -> Iterator[Table]:
    """Every pass of every chip; folds are widths."""
    for system in systems or tuple(tables.SYSTEMS):
        for engine in tables.ENGINES:
            for kind, name in FILES.items():
                frame = tables.read(data, system, "quantize", engine, name)
                if frame is None or (kind == "scale" and engine != "trtllm"):
                    continue
                yield Table(system, chip_of(system), engine, kind, tables.rows(frame, {"m": "m", "k": "k"}, ("k",)))


def form(chip: Chip, kind: str) -> Form:
    """A pass of one kind on a chip: six free constants."""
    moved = pass_bytes(kind)

    def predict(x: Mapping[str, Floats], values: Mapping[str, float]) -> Floats:
        return stream_seconds(chip, x["m"], x["k"], *moved, values) * 1e6

    free = {
        "t0": Free(2.0, 0.2, 40.0),
        "em": Free(0.85, 0.02, 1.0),
        "near": Free(0.3, 0.05, 1.0),
        "l2": Free(40.0, 3.0, 400.0),
        "bsm": Free(2.0, 0.05, 30.0),
        "q": Free(1.5, 1.0, 6.0),
    }
    return Form("stream", predict, free, {}, ({"t0": 6.0, "bsm": 0.5}, {"em": 0.1, "t0": 5.0}))


def null_form(chip: Chip, kind: str) -> Form:
    """t0 + bytes/(em B)."""
    moved = sum(pass_bytes(kind))

    def predict(x: Mapping[str, Floats], values: Mapping[str, float]) -> Floats:
        seconds = x["m"] * x["k"] * moved / (values["em"] * chip.memory_bytes_per_s)
        return values["t0"] + seconds * 1e6

    return Form("stream null", predict, {"t0": Free(2.0, 0.2, 60.0), "em": Free(0.8, 0.02, 1.1)}, {}, ({"em": 0.1},))

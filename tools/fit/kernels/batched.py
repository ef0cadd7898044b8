"""Measured tables of the batched products of latent attention (`mla_bmm`): before, [T, 128] x [128, 512] for each head;
after, [T, 512] x [512, 128]. Small kernels: most rows are launches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gigawatt.physics.chip.batched import batched_seconds
from gigawatt.physics.chip.device import Chip

from . import tables
from .experts import L2_MB, PEAK, chip_of
from .harness import Form, Free
from .tables import Rows

Floats = NDArray[np.float64]
NOPE, RANK = 128.0, 512.0  # width of a head without rotation, rank of the latent


@dataclass(frozen=True)
class Table:
    """Rows of one precision of one engine on one chip."""

    system: str
    chip: Chip
    engine: str
    precision: str
    rows: Rows


def read(data: Path) -> Iterator[Table]:
    """Every engine of every chip; folds are heads."""
    for system in tables.SYSTEMS:
        for engine in tables.ENGINES:
            frame = tables.read(data, system, "mla_bmm", engine, "mla_bmm")
            if frame is None:
                continue
            before = pl.col("op_name").str.contains("pre")
            frame = frame.with_columns(
                n=pl.when(before).then(RANK).otherwise(NOPE), k=pl.when(before).then(NOPE).otherwise(RANK)
            )
            for (word,), part in frame.group_by("bmm_dtype", maintain_order=True):
                precision = tables.PRECISIONS.get(str(word))
                chip = chip_of(system)
                if precision is None or PEAK[precision] not in chip.peak_flops:
                    continue
                shape = {"b": "num_heads", "m": "num_tokens", "n": "n", "k": "k"}
                yield Table(system, chip, engine, precision, tables.rows(part, shape, ("num_heads",)))


def form(chip: Chip, precision: str) -> Form:
    """A batched product on a chip: six free constants."""
    peak = chip.peak_flops[PEAK[precision]]

    def predict(x: Mapping[str, Floats], values: Mapping[str, float]) -> Floats:
        return batched_seconds(chip, x["b"], x["m"], x["n"], x["k"], precision, peak, values, resident=True) * 1e6

    free = {
        "t0": Free(3.0, 0.2, 40.0),
        "ec": Free(0.6, 0.004, 1.0),
        "em": Free(0.8, 0.02, 1.0),
        "pro": Free(0.5, 0.01, 12.0),
        "bsm": Free(4.0, 0.3, 30.0),
        "lat": Free(0.1, 0.002, 1.5),
    }
    return Form("bmm", predict, free, {"l2": L2_MB[chip.name]}, ({"t0": 6.0, "lat": 0.02}, {"em": 0.1, "ec": 0.02}))


def null_form(chip: Chip, precision: str) -> Form:
    """t0 + max(flops/(ec P), activations/(em B))."""
    peak, bandwidth = chip.peak_flops[PEAK[precision]], chip.memory_bytes_per_s

    def predict(x: Mapping[str, Floats], values: Mapping[str, float]) -> Floats:
        comp = 2.0 * x["b"] * x["m"] * x["n"] * x["k"] / (peak * values["ec"])
        mem = x["b"] * x["m"] * (x["n"] + x["k"]) * 2.0 / (bandwidth * values["em"])
        return values["t0"] + 1e6 * np.maximum(comp, mem)

    free = {"t0": Free(4.0, 0.2, 60.0), "ec": Free(0.4, 0.01, 1.3), "em": Free(0.8, 0.02, 1.1)}
    return Form("bmm null", predict, free)

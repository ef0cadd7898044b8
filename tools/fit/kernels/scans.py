"""Kernels of linear attention: readers of the measured tables, one per kernel, and the forms fitted to them.

The tables time each kernel by itself; a layer is their sum. TensorRT-LLM's convolution is one kernel in the tables of
Mamba-2 and of the gated delta net, and fitted on both: what the tables call Mamba-2 holds that convolution only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.scans import (
    convolution_seconds,
    convolution_update_seconds,
    delta_chunk_seconds,
    delta_decode_seconds,
)

from .attention import L2_MB
from .harness import Floats, Form, Free
from .menus import Menu
from .tables import Rows, read, rows

# Kernel -> beginning of the tables' kernel names.
KERNELS = {
    "conv-context": "causal_conv1d_fn",
    "conv-update": "causal_conv1d_update",
    "delta-chunk": "chunk_gated_delta_rule",
    "delta-decode": "fused_recurrent_gated_delta_rule",
}
LEAST_ROWS = 40


def _channels(frame: pl.DataFrame, table: str, narrow: bool) -> pl.DataFrame:
    key, value = pl.col("num_k_heads"), pl.col("num_v_heads")
    if table == "mamba2":
        made = pl.col("nheads") * pl.col("head_dim") + 2 * pl.col("n_groups") * pl.col("d_state")
        key, value = pl.lit(1, pl.Int64), pl.lit(1, pl.Int64)
    elif narrow:
        made = key * pl.col("head_k_dim")
    else:
        made = 2 * key * pl.col("head_k_dim") + value * pl.col("head_v_dim")
    return frame.with_columns(made.alias("channels"), key.alias("key_heads"), value.alias("value_heads"))


def scan_rows(data: Path, system: str, engine: str, kernel: str) -> Rows | None:
    """Rows of one kernel; folds are groups of head counts and batches. None where there are too few.

    The convolutions of TensorRT-LLM's tables and of SGLang's on A100 take the same time for 16 to 64 value heads: they
    ran over the 2,048 channels of the keys alone, and are read so.
    """
    parts = []
    for table in ("gdn", "mamba2"):
        frame = read(data, system, "linear_attention", engine, table)
        if frame is not None:
            frame = _channels(frame, table, narrow=engine == "trtllm" or system == "a100_sxm")
            frame = frame.filter(pl.col("kernel_source").str.starts_with(KERNELS[kernel]))
            if kernel.startswith("conv"):
                frame = frame.with_columns(pl.lit(1).alias("key_heads"), pl.lit(1).alias("value_heads"))
            parts.append(
                frame.select("batch_size", "seq_len", "channels", "key_heads", "value_heads", "us", "kernel_source")
            )
    if sum(map(len, parts)) < LEAST_ROWS:
        return None
    frame = pl.concat(parts, how="vertical_relaxed")
    shape = {
        "batch": "batch_size",
        "length": "seq_len",
        "channels": "channels",
        "key_heads": "key_heads",
        "value_heads": "value_heads",
    }
    found = rows(frame, shape, ("channels", "value_heads", "batch_size"))
    return found if len(found) >= LEAST_ROWS else None


L2 = {"res": Free(40, 0.2, 400), "phi": Free(0.5, 0.05, 1)}
CONV_FREE = {
    "t0": Free(2, 0.2, 20),
    "pro": Free(0.5, 0.001, 500),
    "tok": Free(0.1, 0.0005, 10),
    "lane": Free(0.05, 0.0001, 2),
    "em": Free(0.8, 0.05, 1.0),
    "pn": Free(2, 1, 8),
    "odd": Free(1.2, 0.8, 3),
    **L2,
}
TILES = tuple(
    {"tile": float(r), "halo": h, "serial": s} for r, h, s in ((8, 0.0, 0.0), (16, 0.0, 0.0), (1024, 3.0, 1.0))
)
UPDATE_FREE = {
    "t0": Free(2, 0.2, 20),
    "pro": Free(0.1, 0.0005, 5),
    "em": Free(0.6, 0.02, 1.0),
    "pn": Free(2, 1, 8),
    **L2,
}
CHUNK_FREE = {
    "t0": Free(15, 1, 60),
    "lat": Free(0.1, 0.0001, 2),
    "pro": Free(2, 0.01, 60),
    "step": Free(2, 0.05, 20),
    "chunk": Free(5, 0.001, 100),
    "q": Free(0.5, 0.01, 1),
    "passes": Free(3, 1, 40),
    "pn": Free(1.5, 1, 8),
    **L2,
}
PARTS = tuple({"parts": float(n)} for n in (1, 2, 4, 8))
MOVED = tuple({"moved": float(n)} for n in (8, 6, 4))
DECODE_FREE = {"t0": Free(4, 0.5, 20), "pro": Free(1, 0.01, 20), "em": Free(0.8, 0.1, 1.0), "pn": Free(2, 1, 8), **L2}
Law = Callable[[Mapping[str, Floats], Mapping[str, float]], Floats]


def _law(chip: Chip, kernel: str) -> Law:
    def law(x: Mapping[str, Floats], v: Mapping[str, float]) -> Floats:
        b, n, c, hk, hv = (x[k] for k in ("batch", "length", "channels", "key_heads", "value_heads"))
        if kernel == "conv-context":
            return 1e6 * convolution_seconds(chip, b, n, c, v, resident=True)
        if kernel == "conv-update":
            return 1e6 * convolution_update_seconds(chip, b, c, v, resident=True)
        if kernel == "delta-chunk":
            return 1e6 * delta_chunk_seconds(chip, b, n, hk, hv, v, resident=True)
        return 1e6 * delta_decode_seconds(chip, b, hv, v, resident=True)

    return law


def scan_form(chip: Chip, kernel: str) -> Menu:
    """The form of a kernel."""
    free, menus = {
        "conv-context": (CONV_FREE, (TILES,)),
        "conv-update": (UPDATE_FREE, ()),
        "delta-chunk": (CHUNK_FREE, (PARTS,)),
        "delta-decode": (DECODE_FREE, (MOVED,)),
    }[kernel]
    free = {**free, "res": Free(0.8 * L2_MB.get(chip.name, 50), 0.2, 400)}
    far = ({"pn": 5.0}, {"pn": 1.1}) if kernel != "delta-chunk" else ({"pn": 4.0}, {"step": 0.5, "chunk": 15.0})
    return Menu(Form(kernel, _law(chip, kernel), free, starts=far), menus)


def scan_null(chip: Chip, kernel: str) -> Form:
    """The null model: t0 + bytes over an achieved bandwidth."""

    def law(x: Mapping[str, Floats], v: Mapping[str, float]) -> Floats:
        b, n, c = x["batch"], x["length"], x["channels"]
        moved = {"conv-context": 4.0 * b * n * c, "conv-update": 16.0 * b * c, "delta-chunk": 4.0 * b * n * c}.get(
            kernel, 8.0 * b * x["value_heads"] * 128.0**2
        )
        return v["t0"] + 1e6 * moved / (chip.memory_bytes_per_s * v["em"])

    return Form("null", law, {"t0": Free(5, 0.5, 60), "em": Free(0.5, 0.001, 3)})

"""Attention kernels: readers of the measured tables with their filters, and the forms fitted to them.

Rows left out, and why:
- kernels other than the engine's main one for a table (Triton and FA4 fall-backs, the decode kernel that serves
  prompts of one token): few rows with curves of their own;
- head dimension 512: served by such fall-backs only;
- decode with more than 32 query heads a KV head: TensorRT-LLM falls onto an unfused path, 5-8 times slower;
- encoders of head dimension 72 in TensorRT-LLM on Blackwell: an unfused path, four times slower than 64 and 80;
- decode of TensorRT-LLM on A100 with shared KV heads: the loops move bytes faster than the memory can (2.9 of 2.0 TB/s
  at 1 GB), so they cannot have read what a step reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from gigawatt.physics.chip.attention import (
    decode_seconds,
    encoder_seconds,
    mla_decode_seconds,
    mla_prefill_seconds,
    prefill_seconds,
)
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.latent import EXPANDED_DIM, LATENT_VALUES, PRODUCT_DIM
from gigawatt.physics.chip.prefill import NO_WINDOW

from .harness import Floats, Form, Free
from .menus import Menu
from .tables import PRECISIONS, Rows, read, rows

SHAPE = {
    "batch": "batch_size",
    "length": "length",
    "heads": "num_heads",
    "kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "window": "window_size",
}
GROUPS = ("num_heads", "num_key_value_heads", "head_dim")
LATENT = {"batch": "batch_size", "length": "length", "heads": "num_heads"}
ENCODER = {"batch": "batch_size", "length": "isl", "heads": "num_heads", "head_dim": "head_dim"}
FALL_BACKS = "triton|fa4"
UNFUSED_72 = ("b200_sxm", "gb200", "b300_sxm", "gb300")
LEAST_ROWS = 400
TABLES = {"prefill": "context_attention", "decode": "generation_attention"}
LATENT_TABLES = {"prefill": "context_mla", "decode": "generation_mla"}
# L2 of a chip in MB, to start the search for what stays resident. Datasheets; RTX PRO 6000 and GB parts: NVIDIA briefs.
L2_MB = {
    "a100-sxm-80gb": 40,
    "h100-sxm": 50,
    "h200-sxm": 50,
    "b200-sxm": 126,
    "gb200": 126,
    "b300-sxm": 126,
    "gb300": 126,
    "l40s": 96,
    "rtx-pro-6000": 128,
}


def _of_precision(frame: pl.DataFrame, query: str, precision: str) -> pl.DataFrame:
    words = {ours: [word for word, o in PRECISIONS.items() if o == ours] for ours in ("bf16", "fp8")}
    asked, kept = precision.split("/")
    return frame.filter(pl.col(query).is_in(words[asked]) & pl.col("kv_cache_dtype").is_in(words[kept]))


def _main_kernel(frame: pl.DataFrame) -> pl.DataFrame | None:
    counted = frame.filter(~pl.col("kernel_source").str.contains(FALL_BACKS))["kernel_source"].value_counts(sort=True)
    if not len(counted) or counted["count"][0] < LEAST_ROWS:
        return None
    return frame.filter(pl.col("kernel_source") == counted["kernel_source"][0])


def attention(data: Path, system: str, engine: str, precision: str, phase: str) -> Rows | None:
    """Rows of grouped-query attention, `phase` prefill or decode; precision 'Q/KV'. None where there are too few."""
    frame = read(data, system, "attention", engine, TABLES[phase])
    if frame is None:
        return None
    if "window_size" not in frame.columns:
        frame = frame.with_columns(pl.lit(0).alias("window_size"))
    main = _main_kernel(_of_precision(frame, "attn_dtype", precision))
    if main is None:
        return None
    main = main.with_columns(
        (pl.col("isl") + (pl.col("step") if phase == "decode" else 0)).alias("length"),
        pl.col("window_size").fill_null(0).replace(0, int(NO_WINDOW)),
    ).filter(pl.col("head_dim") <= 256)
    if phase == "decode":
        main = main.filter(pl.col("num_heads") <= 32 * pl.col("num_key_value_heads"))
        if system == "a100_sxm" and engine == "trtllm":
            main = main.filter(pl.col("num_heads") == pl.col("num_key_value_heads"))
    return rows(main, SHAPE, GROUPS) if len(main) >= LEAST_ROWS else None


def latent(data: Path, system: str, engine: str, precision: str, phase: str) -> Rows | None:
    """Rows of MLA attention; folds are groups of head counts and batches."""
    frame = read(data, system, "mla", engine, LATENT_TABLES[phase])
    if frame is None:
        return None
    frame = _of_precision(frame, "mla_dtype", precision)
    frame = frame.filter(~pl.col("kernel_source").str.contains(FALL_BACKS)).with_columns(
        (pl.col("isl") + (pl.col("step") if phase == "decode" else 0)).alias("length")
    )
    return rows(frame, LATENT, ("num_heads", "batch_size")) if len(frame) >= LEAST_ROWS else None


def encoder(data: Path, system: str, engine: str, precision: str = "bf16/bf16") -> Rows | None:
    """Rows of bidirectional attention; here FA4 is the engine's main kernel on Blackwell."""
    frame = read(data, system, "encoder_attention", engine, "encoder_attention")
    if frame is None or precision != "bf16/bf16":
        return None
    frame = frame.filter(~pl.col("kernel_source").str.contains("triton"))
    if engine == "trtllm" and system in UNFUSED_72:
        frame = frame.filter(pl.col("head_dim") != 72)
    return rows(frame, ENCODER, ("num_heads", "head_dim")) if len(frame) >= LEAST_ROWS else None


def _bytes(precision: str) -> tuple[float, float]:
    asked, kept = precision.split("/")
    return (1.0 if asked == "fp8" else 2.0), (1.0 if kept == "fp8" else 2.0)


def peak_of(chip: Chip, precision: str, decode: bool) -> float:
    """Peak that a fit divides by: of the queries in prefill; of bf16 in decode, where few kernels multiply in fp8."""
    return chip.peak_flops["fp8" if precision.startswith("fp8") and not decode else "bf16"]


# Everything in microseconds but the shares; `res` in MB. See the modules of `physics/chip` for what each means.
PREFILL_FREE = {
    "t0": Free(9, 1, 40),
    "ec": Free(0.8, 0.05, 1.0),
    "cexp": Free(1.2, 0.02, 12),
    "pro": Free(1, 0.01, 12),
    "cq": Free(1.5, 1, 20),
    "ck": Free(3, 1, 40),
    "pn": Free(1.5, 1, 8),
    "q": Free(0.5, 0.01, 1),
    "ptok": Free(0.5, 0.01, 60),
    "res": Free(40, 0.5, 400),
    "phi": Free(0.5, 0.05, 1),
}
TILES = (
    {"tile": 128.0, "least": 64.0},
    {"tile": 64.0, "least": 64.0},
    {"tile": 128.0, "least": 128.0},
    {"tile": 256.0, "least": 128.0},
    {"tile": 256.0, "least": 256.0},
)
SPILLS = ({"spills": 0.0}, {"spills": 1.0})
PACKING = ({"packed": 0.0}, {"packed": 1.0})
DECODE_FREE = {
    "t0": Free(9, 1, 40),
    "em": Free(0.9, 0.1, 1.0),
    "pn": Free(2, 1, 8),
    "pro": Free(2, 0.01, 20),
    "bsm": Free(4, 0.2, 40),
    "r0": Free(1, 0.01, 20),
    "r1": Free(0.05, 0.0005, 2),
    "ec": Free(0.3, 0.01, 1.0),
    "qb": Free(4, 1, 40),
    "res": Free(60, 0.5, 400),
    "phi": Free(0.4, 0.05, 1),
}
CHUNKS = tuple({"chunk": float(c)} for c in (256, 128, 512, 1024))
# A kernel that never splits a sequence: its time grows with the length, however few sequences there are.
UNSPLIT = {"chunk": 1e7}
OCCUPANCY = ({"occ": 1.0}, {"occ": 2.0})
GROUP = tuple({"group": float(g)} for g in (64, 32, 16))
ALIGN = tuple({"align": float(a)} for a in (0, 64, 128))
PLANNED = ({"planned": 0.0}, {"planned": 1.0})
LONE = (
    {"lone_window": 0.0, "lone_mha": 0.0},
    {"lone_window": 1.0, "lone_mha": 0.0},
    {"lone_window": 0.0, "lone_mha": 1.0},
    {"lone_window": 1.0, "lone_mha": 1.0},
)
Law = Callable[[Mapping[str, Floats], Mapping[str, float]], Floats]


def _menu(name: str, law: Law, free: Mapping[str, Free], chip: Chip, **more: object) -> Menu:
    start = {**free, "res": Free(0.8 * L2_MB.get(chip.name, 50), 0.5, 400)} if "res" in free else dict(free)
    far = {"pn": 4.0}
    return Menu(Form(name, law, start, starts=(far,) if name == "decode" or name == "mla-decode" else ()), **more)  # type: ignore[arg-type]


def prefill_form(chip: Chip, precision: str) -> Menu:
    """Causal prefill of grouped-query attention."""
    peak, (value, kv) = peak_of(chip, precision, decode=False), _bytes(precision)

    def law(x: Mapping[str, Floats], v: Mapping[str, float]) -> Floats:
        shape = (x[n] for n in ("batch", "length", "heads", "kv_heads", "head_dim"))
        return 1e6 * prefill_seconds(
            chip, *shape, peak, v, value_bytes=value, kv_bytes=kv, window=x["window"], resident=True
        )

    free = {**PREFILL_FREE, "wide": Free(0.0, 0.0, 8, log=False)}
    menus = (SPILLS, TILES, PACKING)
    return _menu("prefill", law, free, chip, menus=menus, freed={"wide": ("spills",)})


def decode_form(chip: Chip, precision: str) -> Menu:
    """One step of grouped-query attention."""
    peak, (_, kv) = peak_of(chip, precision, decode=True), _bytes(precision)

    def law(x: Mapping[str, Floats], v: Mapping[str, float]) -> Floats:
        shape = (x[n] for n in ("batch", "length", "heads", "kv_heads", "head_dim"))
        return 1e6 * decode_seconds(chip, *shape, peak, v, kv_bytes=kv, window=x["window"], resident=True)

    free = {**DECODE_FREE, "alone": Free(1, 0.02, 3)}
    menus = (CHUNKS, LONE, ALIGN, PLANNED, OCCUPANCY, GROUP)
    return _menu("decode", law, free, chip, menus=menus, freed={"alone": ("lone_window", "lone_mha")})


def mla_prefill_form(chip: Chip, precision: str) -> Menu:
    """Causal prefill of expanded MLA."""
    peak, (value, kv) = peak_of(chip, precision, decode=False), _bytes(precision)

    def law(x: Mapping[str, Floats], v: Mapping[str, float]) -> Floats:
        return 1e6 * mla_prefill_seconds(
            chip, x["batch"], x["length"], x["heads"], peak, v, value_bytes=value, kv_bytes=kv, resident=True
        )

    fixed = {"packed": 0.0, "wide": 0.0}
    menu = _menu("mla-prefill", law, PREFILL_FREE, chip, menus=(TILES,))
    return Menu(Form(menu.form.name, law, menu.form.free, fixed, menu.form.starts), menu.menus)


def mla_decode_form(chip: Chip, precision: str) -> Menu:
    """One step of absorbed MLA."""
    peak, (_, kv) = peak_of(chip, precision, decode=True), _bytes(precision)

    def law(x: Mapping[str, Floats], v: Mapping[str, float]) -> Floats:
        return 1e6 * mla_decode_seconds(chip, x["batch"], x["length"], x["heads"], peak, v, kv_bytes=kv, resident=True)

    groups = tuple({"group": float(g)} for g in (64, 16, 128))
    padded = ({"padded": 0.0}, {"padded": 1.0})
    casts = ({"converts": 0.0}, {"converts": 1.0}) if kv == 1.0 else ({"converts": 0.0},)
    free = {**DECODE_FREE, "cast": Free(0.0, 0.0, 30, log=False)}
    return _menu(
        "mla-decode",
        law,
        free,
        chip,
        menus=(groups, casts, (*CHUNKS, UNSPLIT), padded, OCCUPANCY),
        freed={"cast": ("converts",)},
    )


def encoder_form(chip: Chip, precision: str = "bf16/bf16") -> Menu:
    """Bidirectional attention."""
    peak = peak_of(chip, precision, decode=False)

    def law(x: Mapping[str, Floats], v: Mapping[str, float]) -> Floats:
        return 1e6 * encoder_seconds(chip, x["batch"], x["length"], x["heads"], x["head_dim"], peak, v, resident=True)

    menu = _menu("encoder", law, PREFILL_FREE, chip, menus=(TILES,))
    return Menu(Form("encoder", law, menu.form.free, {"packed": 0.0, "wide": 0.0}, menu.form.starts), menu.menus)


NULL_FREE = {"t0": Free(9, 0.5, 60), "ec": Free(0.5, 0.01, 1.5), "em": Free(0.8, 0.05, 1.5)}


def null_form(family: str, chip: Chip, precision: str) -> Form:
    """The null model: t0 + max(compute, memory), with one efficiency each."""
    decode = family.endswith("decode")
    peak, (value, kv) = peak_of(chip, precision, decode), _bytes(precision)
    bandwidth = chip.memory_bytes_per_s

    def law(x: Mapping[str, Floats], v: Mapping[str, float]) -> Floats:
        b, n, h = x["batch"], x["length"], x["heads"]
        hkv, d = x.get("kv_heads", h), x.get("head_dim", np.full_like(b, EXPANDED_DIM))
        seen = np.minimum(n, x.get("window", np.full_like(b, NO_WINDOW)))
        if family == "mla-decode":
            flops, moved = 4.0 * b * h * n * PRODUCT_DIM, b * n * LATENT_VALUES * kv + 4.0 * b * h * PRODUCT_DIM
        elif decode:
            flops, moved = 4.0 * b * h * seen * d, 2.0 * b * hkv * seen * d * kv + 4.0 * b * h * d
        else:
            pairs = n * n if family == "encoder" else seen * (n - seen / 2.0)
            flops, moved = 4.0 * b * h * pairs * d, 2.0 * b * n * d * (h * value + hkv * kv)
        return v["t0"] + 1e6 * np.maximum(flops / (peak * v["ec"]), moved / (bandwidth * v["em"]))

    return Form("null", law, NULL_FREE)

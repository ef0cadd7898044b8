"""Measured tables of mixture-of-experts layers, one kernel at a time, with the loads that each row really had.

What a row measured is read off the public collectors and engines that made it (`aiconfigurator`, collector/; SGLang 0.5.14
and 0.5.10), checked against the times themselves:

- Loads: `gigawatt.physics.chip.routing`, except where the model's own router limits a token to 4 of 8 groups of experts.
  It then overrules the loads asked for: half the choices fall on the first experts of the chosen groups.
- Masked slots: some collections run the kernel on the slots of other ranks' experts too, as one more expert. Four and
  eight ranks then take as long as one.
- Gate: two collections timed plain (relu2) experts as gated ones; bytes over time show it.
- Tuned tiles: shapes for which the release of SGLang has a file of tuned Triton tiles (E of the rank, N = I/tp).
Left out: kernels with fewer than 500 rows; TRT-LLM's `min_latency` kernel, whose router is the grouped one of another
model for every shape (its loads are unknown); weight-only precisions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.physics.chip.adapt import chip_from_record
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.experts import WIDTHS, layer_seconds
from gigawatt.physics.chip.routing import TILES_M, Loads, rank_loads

from . import tables
from .harness import Form, Free
from .tables import Rows

Floats = NDArray[np.float64]
LEAST_ROWS = 500
KEYS = ("num_tokens", "hidden_size", "inter_size", "topk", "num_experts", "moe_tp_size", "moe_ep_size", "distribution")
PEAK = {"bf16": "bf16", "fp8": "fp8", "fp8_block": "fp8", "fp4": "fp4"}
# L2 of a chip, MB (vendor white papers), and the share of it that a loop over one layer gets: A100 and Hopper have two
# halves that copy each other's lines. Read off single kernels on H100, B200, L40S, RTX PRO 6000; not fitted again.
L2_MB = {
    "a100-sxm-80gb": 40.0 * 0.45,
    "h100-sxm": 50.0 * 0.45,
    "h200-sxm": 50.0 * 0.45,
    "b200-sxm": 126.0 * 0.75,
    "gb200": 126.0 * 0.75,
    "b300-sxm": 126.0 * 0.75,
    "gb300": 126.0 * 0.75,
    "l40s": 96.0 * 1.05,
    "rtx-pro-6000": 128.0 * 1.05,
    "arc-pro-b60": 18.0,
}
# Arc Pro B60: datasheet numbers (20 Xe cores, 456 GB/s), for its own rows alone.
B60 = Chip(
    "arc-pro-b60", "intel", "battlemage", "xpu", {"bf16": 98.5e12, "fp8": 197e12}, 24e9, 456e9, 0, 1, 0, 200.0, 0, 20
)
TUNED_BF16 = {
    "a100_sxm": {
        1: (1792, 3584, 7168, 14336),
        8: (1792, 2048, 3584, 4096, 7168),
        16: (1344, 1792, 2688, 3584, 7168, 14336),
        64: (640, 1280),
    },
    "h100_sxm": {
        1: (3072,),
        8: (1792, 2048, 3584, 4096, 7168),
        16: (1024, 1344, 1856, 2048, 2688),
        32: (224, 448, 896, 928, 1792, 1856),
        64: (192, 320, 384, 464, 640, 768, 928, 1280, 1536, 1856, 2688),
        128: (192, 232, 352, 384, 464, 512, 704, 768, 928, 1344, 1856, 2688),
        256: (672, 1344, 2688),
        512: (64, 128, 336, 672, 1344, 2688),
    },
    "h200_sxm": {
        8: (1792, 2048, 3584, 4096, 7168, 14336),
        16: (1024,),
        64: (320, 640, 1280, 2560),
        128: (192, 384, 704, 768),
        512: (64, 128, 256),
    },
    "b200_sxm": {
        16: (1024, 1856, 2048),
        32: (224, 448, 896, 928, 1792, 1856),
        64: (192, 384, 464, 768, 928, 1536, 1856, 2688),
        128: (232, 352, 464, 704, 928, 1344, 1856, 2688),
        256: (256, 512, 672, 1344, 2688),
        512: (128, 256, 336, 672, 1344, 2688),
    },
    "l40s": {8: (3584,), 128: (928, 1856)},
    "rtx_pro_6000_server": {256: (512,)},
}
# (hidden, experts) of SGLang's Triton rows that ran masked slots; on the A100 every model did.
MASKED = {
    "h100_sxm": {(2816, 128), (1024, 512), (4096, 8), (6144, 8)},
    "h200_sxm": {(2816, 128), (1024, 512), (4096, 8), (6144, 8)},
    "l40s": {(2816, 128), (2048, 512), (4096, 8), (6144, 8)},
}
MASKED |= {system: {(2816, 128)} for system in ("b200_sxm", "gb200", "b300_sxm", "gb300", "rtx_pro_6000_server")}
GROUPED = (7168, 256, 8)  # hidden, experts, top-k of the model with 8 groups of which a token may use 4


@dataclass(frozen=True)
class Table:
    """Rows of one kernel of one engine on one chip."""

    system: str
    chip: Chip
    engine: str
    precision: str
    kernel: str
    rows: Rows


def chip_of(system: str) -> Chip:
    """The catalog's chip of a folder of tables."""
    name = tables.SYSTEMS[system]
    return B60 if name == B60.name else chip_from_record(Catalog.load().get("accelerator", name))


def read(data: Path, systems: tuple[str, ...] | None = None) -> Iterator[Table]:
    """Every kernel of every table, in the order of systems and engines."""
    for system in systems or tuple(tables.SYSTEMS):
        chip = chip_of(system)
        for engine in tables.ENGINES:
            frame = tables.read(data, system, "moe", engine, "moe")
            if frame is None:
                continue
            precision = pl.col("moe_dtype").replace_strict(tables.PRECISIONS, default=None).alias("precision")
            frame = frame.with_columns(precision).drop_nulls("precision")
            for (word, kernel), part in frame.group_by("precision", "kernel_source", maintain_order=True):
                if len(part) >= LEAST_ROWS and "min_latency" not in str(kernel):
                    yield Table(
                        system,
                        chip,
                        engine,
                        str(word),
                        str(kernel),
                        _rows(system, engine, str(word), str(kernel), part),
                    )


def _rows(system: str, engine: str, precision: str, kernel: str, frame: pl.DataFrame) -> Rows:
    middle = frame.group_by(KEYS, maintain_order=True).agg(pl.col("us").median())
    t, h, wide, k, e, tp, ep = (middle[name].to_numpy().astype(np.float64) for name in KEYS[:-1])
    alpha = middle["distribution"].str.extract(r"([\d.]+)$").cast(pl.Float64).fill_null(0.0).to_numpy()
    triton_rows = engine == "sglang" and "triton" in kernel and "trtllm" not in kernel
    loads = _loads(t, k, e, e / ep, alpha)
    if engine != "trtllm":
        loads = _with_groups(loads, (h == GROUPED[0]) & (e == GROUPED[1]) & (k == GROUPED[2]), t, k, e, ep, alpha)
    dead = np.zeros(t.size)
    if kernel == "moe_torch_flow_triton_fp8_block":
        dead = t * k - loads.slots
    elif triton_rows:
        shapes = list(zip(h.astype(int), e.astype(int), strict=True))
        those = MASKED.get(system, set())
        masked = np.array([shape in those and not (shape[1] == 8 and precision != "bf16") for shape in shapes])
        masked |= system == "a100_sxm"
        dead = np.where(masked & (ep > 1), np.maximum(loads.tokens * k - loads.slots, 0.0), 0.0)
    loads = Loads(
        loads.active + np.minimum(dead, 1.0),
        loads.slots + dead,
        loads.tokens if system == "a100_sxm" else t,
        loads.hottest,
        loads.tiles + np.ceil(dead / np.array(TILES_M)[:, None]),
    )
    plain = ((k == 22) | ((h == 2688) & (wide == 1856))) & (system != "a100_sxm") & ~((h == 1024) & triton_rows)
    tuned = TUNED_BF16.get(system, {})
    width = wide / tp
    ready = [float(i in tuned.get(int(held), ())) for i, held in zip(width, e / ep, strict=True)]
    x = {
        "tokens": t,
        "hidden": h,
        "width": width,
        "experts": e,
        "topk": k,
        "local": e / ep,
        "ranks": ep,
        "alpha": alpha,
    }
    x |= {"gate": np.where(plain, 1.0, 2.0), "tuned": np.array(ready)}
    x |= {"active": loads.active, "slots": loads.slots, "here": loads.tokens, "hottest": loads.hottest}
    x |= {f"tiles{bm}": loads.tiles[j] for j, bm in enumerate(TILES_M)}
    label = middle.select(pl.struct(["hidden_size", "inter_size", "num_experts"]).rank("dense").alias("g"))["g"]
    names = np.full(t.size, kernel)
    return Rows(x, middle["us"].to_numpy().astype(np.float64), label.to_numpy().astype(np.int64), names)


_KNOWN: dict[tuple[float, ...], Floats] = {}  # the tables of all chips ask for the same few thousand routings


def _loads(*columns: Floats) -> Loads:
    """`rank_loads`, each routing worked out once."""
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    new = [row for row in dict.fromkeys(rows) if row not in _KNOWN]
    if new:
        found = rank_loads(*np.array(new).T)
        stacked = np.vstack([found.active, found.slots, found.tokens, found.hottest, found.tiles]).T
        _KNOWN.update(zip(new, stacked, strict=True))
    full = np.array([_KNOWN[row] for row in rows]).T
    return Loads(full[0], full[1], full[2], full[3], full[4:])


def loads_of(x: Mapping[str, Floats]) -> Loads:
    """The loads that `_rows` put into columns."""
    return Loads(x["active"], x["slots"], x["here"], x["hottest"], np.stack([x[f"tiles{bm}"] for bm in TILES_M]))


def _with_groups(
    loads: Loads, which: NDArray[np.bool_], t: Floats, k: Floats, e: Floats, ep: Floats, alpha: Floats
) -> Loads:
    """Loads where a router with groups overrules those asked for."""
    if not which.any():
        return loads
    new = np.array(
        [_grouped(*row) for row in zip(t[which], k[which], e[which], ep[which], alpha[which], strict=True)]
    ).T
    full = np.vstack([loads.active, loads.slots, loads.tokens, loads.hottest, loads.tiles]).copy()
    full[:, which] = new
    return Loads(full[0], full[1], full[2], full[3], full[4:])


@cache
def _grouped(
    tokens: float, topk: float, experts: float, ranks: float, alpha: float, groups: int = 8, kept: int = 4
) -> tuple[float, ...]:
    """Loads of the first rank, (active, slots, tokens, hottest, tiles...), after a choice of `kept` of `groups`.

    Scores are 1 on the experts asked for and 0 elsewhere; a group's is the sum of its two best. Ties fall to the lower
    index. Beyond 512 tokens the loads are scaled.
    """
    t, k, e, ep = int(min(tokens, 512)), int(topk), int(experts), int(ranks)
    scale, held = tokens / t, e // ep
    found = []
    for draw in range(1 if alpha == 0.0 else 3):
        asked = _asked(t, k, e, ep, alpha, draw)
        score = np.zeros((t, e))
        np.put_along_axis(score, asked, 1.0, axis=1)
        best = np.minimum(score.reshape(t, groups, -1).sum(axis=2), 2.0)
        chosen = np.argsort(-best, axis=1, kind="stable")[:, :kept]
        inside = np.zeros((t, groups))
        np.put_along_axis(inside, chosen, 1.0, axis=1)
        masked = np.where(np.repeat(inside, e // groups, axis=1) > 0, score, -1.0)
        taken = np.argsort(-masked, axis=1, kind="stable")[:, :k]
        loads = np.bincount(taken.ravel(), minlength=e)[:held] * scale
        here = float((taken < held).any(axis=1).sum()) * scale
        tiles = [float(np.ceil(loads / bm).sum()) for bm in TILES_M]
        found.append([float((loads > 0).sum()), float(loads.sum()), here, float(loads.max()), *tiles])
    return tuple(np.mean(found, axis=0))


def _asked(t: int, k: int, e: int, ep: int, alpha: float, draw: int) -> NDArray[np.intp]:
    """[T, k] experts that the generator asks for, its busiest rank first."""
    stride = -(-e // k)
    if alpha == 0.0:
        start = np.arange(t) if t >= stride else np.arange(t) * stride // t
        return np.asarray((start[:, None] + stride * np.arange(k)) % e, np.intp)
    rng = np.random.default_rng(1000 * draw + e + ep)
    low, high = (1.0, max(0.8 * t, 1.0 + 1e-9)) if t * k > e else (0.01, 2.0)
    power = 1.0 - alpha
    share = (low**power + (high**power - low**power) * rng.random(e)) ** (1.0 / power)
    loads = np.minimum(np.rint(share / share.sum() * t * k), t).astype(int)
    while loads.sum() != t * k:
        free = np.flatnonzero(loads < t) if loads.sum() < t * k else np.flatnonzero(loads > 0)
        order = free[np.argsort(loads[free] if loads.sum() < t * k else -loads[free], kind="stable")]
        some = order[: abs(t * k - int(loads.sum()))]
        loads[some] += 1 if loads.sum() < t * k else -1
    of_ranks = loads.reshape(ep, -1)
    first = int(of_ranks.sum(axis=1).argmax())
    of_ranks[[0, first]] = of_ranks[[first, 0]]
    falling = np.argsort(-of_ranks.ravel(), kind="stable")
    return np.asarray(np.repeat(falling, of_ranks.ravel()[falling]).reshape(k, t).T, np.intp)


def form(chip: Chip, precision: str, kernel: str) -> Form:
    """The layer's form on a chip: ten free constants, eleven for a Triton kernel with shapes nobody tuned."""
    peak = chip.peak_flops[PEAK[precision]]

    def predict(x: Mapping[str, Floats], values: Mapping[str, float]) -> Floats:
        return layer_seconds(chip, x, loads_of(x), precision, peak, values, resident=True) * 1e6

    free = {
        "t0": Free(14.0, 1.0, 250.0),
        "ec": Free(0.7, 0.05, 1.0),
        "em": Free(0.9, 0.1, 1.0),
        "pro": Free(0.8, 0.01, 12.0),
        "bsm": Free(4.0, 0.5, 30.0),
        "lat": Free(0.08, 0.002, 1.5),
        "perm": Free(0.8, 0.01, 15.0),
        "tq": Free(0.5, 0.01, 8.0),
        "ts": Free(0.1, 0.001, 3.0),
        "te": Free(1.0, 0.01, 30.0),
    }
    if kernel == "sglang_fused_moe_triton" and precision == "bf16":
        free["ed"] = Free(0.3, 0.05, 1.0)
    starts = ({"lat": 0.2, "t0": 12.0}, {"perm": 6.0, "tq": 0.1, "ts": 0.3, "pro": 1.8, "ec": 0.4})
    return Form("moe", predict, free, {"l2": L2_MB[chip.name]}, starts)


def null_form(chip: Chip, precision: str) -> Form:
    """t0 + max(useful flops / (ec P), active weights / (em B))."""
    peak, bandwidth = chip.peak_flops[PEAK[precision]], chip.memory_bytes_per_s
    weight = WIDTHS[precision][0]

    def predict(x: Mapping[str, Floats], values: Mapping[str, float]) -> Floats:
        work = (x["gate"] + 1.0) * x["width"] * x["hidden"]
        comp = 2.0 * x["slots"] * work / (peak * values["ec"])
        return values["t0"] + 1e6 * np.maximum(comp, x["active"] * work * weight / (bandwidth * values["em"]))

    free = {"t0": Free(20.0, 1.0, 300.0), "ec": Free(0.4, 0.01, 1.3), "em": Free(0.8, 0.05, 1.1)}
    return Form("moe null", predict, free, {}, ({"ec": 0.1},))

"""Laws of a device model: more bandwidth, peak or less work is never slower; nothing is faster than the data sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import Chip, peak_of
from gigawatt.physics.chip.counts import work_of
from gigawatt.physics.chip.kernels import FAMILIES
from gigawatt.physics.chip.models import Activity, DeviceModel, KernelRows
from gigawatt.testing.rows import answered, never_above, repeatable

Array = NDArray[np.float64]
# Sizes that kernels are asked at; those of one family multiply.
SIZES: Mapping[str, tuple[float, ...]] = {
    "m": (1.0, 64.0, 8192.0),
    "n": (1024.0, 16384.0),
    "k": (512.0, 8192.0),
    "batch": (1.0, 128.0),
    "length": (16.0, 4096.0),
    "heads": (8.0, 64.0),
    "kv_heads": (1.0, 8.0),
    "head_dim": (128.0,),
    "tokens": (1.0, 4096.0),
    "hidden": (4096.0,),
    "width": (2048.0,),
    "experts": (256.0,),
    "topk": (8.0,),
    "rows": (1.0, 8192.0),
    "read": (2.0,),
    "written": (2.0,),
    "channels": (4096.0,),
    "key_heads": (16.0,),
    "value_heads": (32.0,),
}
GROWS = ("m", "batch", "tokens", "rows")  # columns of which more is more work
FLAGS: Mapping[str, Mapping[str, bool]] = {"gemm": {"fused_quantise": True}, "stream": {"cold": True}}


def device_problems(model: DeviceModel, chip: Chip) -> list[str]:
    """What a device model does not keep on a chip; an empty list for nothing.

    Held: one positive, finite answer a row, the same each time and independent of its neighbours; twice the bandwidth or the
    peak is never slower; twice the work is never faster; no kernel beats the data sheet. Watts: between nothing and the limit,
    never less where the chip is busier.
    """
    found: list[str] = []
    for family in FAMILIES:
        precisions = ("bf16", "fp8") if family in ("gemm", "moe", "batched") and "fp8" in chip.peak_flops else ("bf16",)
        for precision in precisions:
            found += _kernels(model, chip, family, precision)
    return found + list(_watts(model, chip))


def _grid(family: str) -> dict[str, Array]:
    needs = FAMILIES[family].needs
    columns = np.meshgrid(*(SIZES[name] for name in needs), indexing="ij")
    return {name: np.ravel(column).astype(np.float64) for name, column in zip(needs, columns, strict=True)}


def _rows(chip: Chip, family: str, precision: str, columns: Mapping[str, Array]) -> KernelRows:
    word = f"{precision}/{precision}" if FAMILIES[family].wants == "attention" else precision
    flops, moved = work_of(family, word, columns)
    return KernelRows(chip, family, word, columns, FLAGS.get(family, {}), flops, moved, peak_of(chip, precision))


def _kernels(model: DeviceModel, chip: Chip, family: str, precision: str) -> Iterator[str]:
    columns, name = _grid(family), f"{family}, {precision}"
    asked = _rows(chip, family, precision, columns)
    rows = len(asked.flops)
    seconds, wrong = answered(model.seconds, asked, rows, name)
    if seconds is None:
        yield wrong
        return
    some = slice(0, rows, 2)
    part = _rows(chip, family, precision, {key: column[some] for key, column in columns.items()})
    yield from repeatable(model.seconds, asked, part, some, seconds, name)
    roof = np.maximum(asked.flops / asked.peak_flops, asked.bytes_moved / chip.memory_bytes_per_s)
    yield from never_above(roof, seconds, f"{name}: faster than the data sheet allows")
    faster = {precision: 2.0 * peak for precision, peak in chip.peak_flops.items()}
    for law, better in (
        ("twice the bandwidth is slower", replace(chip, memory_bytes_per_s=2.0 * chip.memory_bytes_per_s)),
        ("twice the peak is slower", replace(chip, peak_flops=faster)),
    ):
        other, wrong = answered(model.seconds, _rows(better, family, precision, columns), rows, name)
        yield from never_above(other, seconds, f"{name}: {law}") if other is not None else [wrong]
    for grown in (key for key in GROWS if key in columns):
        larger = {**columns, grown: 2.0 * columns[grown]}
        other, wrong = answered(model.seconds, _rows(chip, family, precision, larger), rows, name)
        yield from never_above(seconds, other, f"{name}: twice the {grown} is faster") if other is not None else [wrong]


def _watts(model: DeviceModel, chip: Chip) -> Iterator[str]:
    if model.watts is None:
        return
    shares = np.linspace(0.0, 1.0, 5)
    compute, memory, busy = (np.ravel(column) for column in np.meshgrid(shares, shares, shares, indexing="ij"))
    asked = Activity(chip, compute, memory, busy)
    found, wrong = answered(model.watts, asked, len(busy), "watts")
    if found is None:
        yield wrong
        return
    some = slice(0, len(busy), 2)
    yield from repeatable(
        model.watts, asked, Activity(chip, compute[some], memory[some], busy[some]), some, found, "watts"
    )
    yield from never_above(found, np.full_like(found, chip.tdp_w), "watts above the chip's limit")
    cube = found.reshape(5, 5, 5)
    for axis, what in enumerate(("arithmetic", "memory", "time in kernels")):
        if np.any(np.diff(cube, axis=axis) < -1e-9 * chip.tdp_w):
            yield f"watts fall where there is more {what}"

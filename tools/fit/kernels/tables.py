"""Measured kernel tables of the PyPI package `aiconfigurator-core` (Apache-2.0), read and filtered, as NumPy columns.

The rows left out, and why, stand beside each filter; they were found by looking at the residuals of single engines.
End-to-end measurements that the package also ships are never opened.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

PACKAGE = "aiconfigurator-core"
# Folder of a system -> accelerator of the catalog. GDDR chips have their own bars.
SYSTEMS = {
    "a100_sxm": "a100-sxm-80gb",
    "h100_sxm": "h100-sxm",
    "h200_sxm": "h200-sxm",
    "b200_sxm": "b200-sxm",
    "gb200": "gb200",
    "b300_sxm": "b300-sxm",
    "gb300": "gb300",
    "l40s": "l40s",
    "rtx_pro_6000_server": "rtx-pro-6000",
    "b60": "arc-pro-b60",
}
ENGINES = ("trtllm", "sglang", "vllm")
# The newest complete collection of each engine; a newer folder holds only a few models.
VERSIONS = {"trtllm": "1.3.0rc20", "sglang": "0.5.14", "vllm": "0.24.0"}
OVERRIDES = {
    "a100_sxm": {"trtllm": "1.0.0", "sglang": "0.5.10", "vllm": "0.14.0"},
    "b60": {"vllm": "0.26.0"},
}
PRECISIONS = {"bfloat16": "bf16", "fp8": "fp8", "fp8_block": "fp8_block", "nvfp4": "fp4", "float16": "bf16"}


@dataclass(frozen=True)
class Rows:
    """Columns of one (system, family, precision, engine): `x` the shape, `us` the measured microseconds, `group` folds."""

    x: dict[str, NDArray[np.float64]]
    us: NDArray[np.float64]
    group: NDArray[np.int64]
    kernel: NDArray[np.str_]

    def __len__(self) -> int:
        return int(self.us.size)

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Rows:
        """The rows named."""
        return Rows({k: v[keep] for k, v in self.x.items()}, self.us[keep], self.group[keep], self.kernel[keep])


def root(given: str | None = None) -> Path:
    """The folder `systems/data`: as given, else that of the installed package."""
    if given:
        return Path(given)
    found = importlib.util.find_spec("aiconfigurator_core")
    if found is None or found.origin is None:
        raise SystemExit("install the extra: pip install '.[fit]', or name the folder of tables with --tables")
    return Path(found.origin).parent / "systems" / "data"


def package_version() -> str:
    """Version of the package the tables come from, as installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "0.12.0"


def folder_version(system: str, engine: str) -> str:
    """The collection of an engine that is read for a system."""
    return OVERRIDES.get(system, {}).get(engine, VERSIONS[engine])


def read(data: Path, system: str, area: str, engine: str, name: str) -> pl.DataFrame | None:
    """One table, or None where the package has none."""
    path = data / system / area / engine / folder_version(system, engine) / f"{name}_perf.parquet"
    if not path.exists():
        return None
    frame = pl.read_parquet(path)
    return frame.filter(pl.col("latency") > 0).with_columns((pl.col("latency") * 1e3).alias("us"))


def rows(frame: pl.DataFrame, shape: dict[str, str], groups: tuple[str, ...]) -> Rows:
    """Columns of a frame: `shape` maps our names to the table's; equal shapes are averaged (median)."""
    keys = list(dict.fromkeys([*shape.values(), *groups]))
    middle = frame.group_by(keys, maintain_order=True).agg(
        pl.col("us").median(), pl.col("kernel_source").first().alias("kernel")
    )
    label = middle.select(pl.struct(list(groups)).rank("dense").alias("g"))["g"].to_numpy().astype(np.int64)
    x = {ours: middle[theirs].to_numpy().astype(np.float64) for ours, theirs in shape.items()}
    return Rows(x, middle["us"].to_numpy().astype(np.float64), label, middle["kernel"].to_numpy().astype(np.str_))


def best_of(parts: list[Rows]) -> Rows:
    """The fastest engine of each shape; one engine alone stays as it is."""
    if len(parts) == 1:
        return parts[0]
    names = list(parts[0].x)
    frames = [pl.DataFrame({**p.x, "us": p.us, "kernel": p.kernel}) for p in parts]
    joined = (
        pl.concat(frames)
        .group_by(names, maintain_order=True)
        .agg(pl.col("us").min(), pl.col("kernel").sort_by("us").first())
    )
    return Rows(
        {n: joined[n].to_numpy() for n in names},
        joined["us"].to_numpy(),
        np.zeros(len(joined), np.int64),
        joined["kernel"].to_numpy().astype(np.str_),
    )


def grouped(part: Rows, *names: str) -> Rows:
    """The same rows with folds grouped by the shape columns named."""
    frame = pl.DataFrame({n: part.x[n] for n in names})
    label = frame.select(pl.struct(list(names)).rank("dense").alias("g"))["g"].to_numpy().astype(np.int64)
    return Rows(part.x, part.us, label, part.kernel)


def gemm(data: Path, system: str, engine: str, precision: str) -> Rows | None:
    """Matrix products (m, n, k). Left out: n or k below 256 (odd kernels, pure launch)."""
    frame = read(data, system, "gemm", engine, "gemm")
    if frame is None:
        return None
    words = [word for word, ours in PRECISIONS.items() if ours == precision]
    frame = frame.filter(pl.col("gemm_dtype").is_in(words) & (pl.col("n") >= 256) & (pl.col("k") >= 256))
    if len(frame) < 500:
        return None
    return rows(frame, {"m": "m", "n": "n", "k": "k"}, ("n", "k"))

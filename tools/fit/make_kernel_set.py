"""Write the packaged sample of measured kernels: `validation/data/kernel_points.csv`.

    python tools/fit/make_kernel_set.py [--tables FOLDER]

A few rows for each chip, family, precision and engine, drawn evenly over the logarithm of time after the filters of the fit
(`kernels.tables` and its siblings say which rows those leave out, and why); never by how well they are predicted. Source:
tables of the PyPI package aiconfigurator-core (Apache-2.0, NVIDIA Corporation & Affiliates).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from kernels import attention, experts, gemm, harness, scans, tables
from kernels.tables import SYSTEMS

from gigawatt.physics.chip.calibration import record
from gigawatt.physics.chip.kernels import FAMILIES

OUT = Path(__file__).parents[2] / "src/gigawatt/validation/data/kernel_points.csv"
ROWS = 16
COLUMNS = ("id", "chip", "family", "precision", "engine", "kernel", "shape", "time_us")


PRECISIONS = {"prefill": ("bf16/bf16", "bf16/fp8", "fp8/fp8"), "decode": ("bf16/bf16", "bf16/fp8")}
SCANS = {
    "convolution": "conv-context",
    "convolution-step": "conv-update",
    "delta": "delta-chunk",
    "delta-step": "delta-decode",
}
Group = tuple[str, str, str, str, tables.Rows]


def groups(data: Path) -> Iterator[Group]:
    """(system, family, precision, engine, rows) of everything that is fitted, as `kernel_seconds` names the columns."""
    for system in SYSTEMS:
        for precision in gemm.PRECISIONS:
            for engine in ("best", *tables.ENGINES):
                part = gemm.rows(data, system, engine, precision)
                if part is not None:
                    yield system, "gemm", precision, engine, part
        if SYSTEMS[system] not in record("chip-prefill").tables["rows"]:
            continue
        for engine in tables.ENGINES:
            yield from _attention(data, system, engine)
    yield from _experts(data)


def _attention(data: Path, system: str, engine: str) -> Iterator[Group]:
    for phase, precisions in PRECISIONS.items():
        for precision in precisions:
            part = attention.attention(data, system, engine, precision, phase)
            if part is not None:
                yield system, phase, precision, engine, part
            part = attention.latent(data, system, engine, precision, phase)
            if part is not None and _fitted(f"chip-mla-{phase}", system, precision):
                yield system, f"mla-{phase}", precision, engine, part
    part = attention.encoder(data, system, engine)
    if part is not None:
        yield system, "encoder", "bf16/bf16", engine, part
    for family, kernel in SCANS.items():
        part = scans.scan_rows(data, system, engine, kernel)
        if part is not None:
            x = {name: part.x[name] for name in FAMILIES[family].needs}
            yield system, family, "bf16", engine, tables.Rows(x, part.us, part.group, part.kernel)


def _fitted(name: str, system: str, precision: str) -> bool:
    rows = record(name).tables["rows"]
    return any(fit["precision"] == precision for fit in rows.get(SYSTEMS[system], {"fits": ()})["fits"])


def _experts(data: Path) -> Iterator[Group]:
    """The default kernel of each chip and precision, gated models."""
    fits = {
        (chip, fit["precision"], fit["engine"], fit["kernel"])
        for chip, row in record("chip-moe").tables["rows"].items()
        for fit in row["fits"]
        if fit.get("default")
    }
    names = ("tokens", "hidden", "width", "experts", "topk", "tuned")
    for table in experts.read(data):
        if (table.chip.name, table.precision, table.engine, table.kernel) in fits:
            part = table.rows.take(table.rows.x["gate"] == 2.0)
            x = {name: part.x[name] for name in names}
            x |= {"local_experts": part.x["local"], "skew": part.x["alpha"]}
            yield table.system, "moe", table.precision, table.engine, tables.Rows(x, part.us, part.group, part.kernel)


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables")
    data = tables.root(parser.parse_args().tables)
    with OUT.open("w", newline="", encoding="utf-8") as stream:
        stream.write(
            f"# Measured kernels: PyPI {tables.PACKAGE} {tables.package_version()}, systems/data (Apache-2.0, NVIDIA "
            "Corporation & Affiliates); a sample, times rounded. Made by tools/fit/make_kernel_set.py.\n"
        )
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for system, family, precision, engine, part in groups(data):
            drawn = harness.sample(part, ROWS if engine == "best" or family != "gemm" else ROWS // 2, seed=7)
            for i in range(len(drawn)):
                shape = ";".join(f"{name}={np.round(column[i], 6):.10g}" for name, column in drawn.x.items())
                chip = SYSTEMS[system]
                name = f"{chip}-{family}-{precision.replace('/', '-')}-{engine}-{i}"
                kernel = "" if engine == "best" else str(drawn.kernel[i])
                writer.writerow((name, chip, family, precision, engine, kernel, shape, f"{drawn.us[i]:.4g}"))


if __name__ == "__main__":
    main()

"""Write `catalog/data/calibration/chip-{gemm,prefill,decode,moe}.yaml` from a table of fitted kernel-time parameters.

    python tools/fit/chip_tables.py --truth FOLDER      # holds facts/chip_fits.csv

Only figures are carried over, rounded to three digits; no measured row is. Terms that an ablation found useless (L2 hit
of GEMM) and fits that did not converge are left out.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterable
from pathlib import Path

OUT = Path(__file__).resolve().parents[2] / "src/gigawatt/catalog/data/calibration"
# Name of the system in the table -> accelerator of the catalog and its generation.
CHIPS = {
    "a100_sxm": ("a100-sxm-80gb", "ampere"),
    "h100_sxm": ("h100-sxm", "hopper"),
    "h200_sxm": ("h200-sxm", "hopper"),
    "b200_sxm": ("b200-sxm", "blackwell"),
    "gb200": ("gb200", "blackwell"),
    "b300_sxm": ("b300-sxm", "blackwell-ultra"),
    "gb300": ("gb300", "blackwell-ultra"),
    "l40s": ("l40s", "ada"),
    "rtx_pro_6000_server": ("rtx-pro-6000", "blackwell"),
}
KEPT = {
    "gemm": ("t0", "ec", "em", "pn", "q", "pro", "feed", "r0", "r1", "bsm", "thr", "qb"),
    "prefill": ("t0", "ec", "cexp", "pro", "em", "mb", "pn", "ptok", "q", "thr"),
    "decode": ("t0", "em", "pn", "pro", "bsm", "r0", "ec", "qb", "lk"),
    "moe": ("t0", "ec", "em", "pn", "q", "pro", "feed", "bsm", "perm", "te", "tq", "ts"),
}
ERRORS = {
    "gemm": "{bf16_median: 0.043-0.058, bf16_p90: 0.12-0.185, fp8_median: 0.057-0.074, nvfp4_median: 0.060-0.066}",
    "prefill": "{bf16_median: 0.026-0.096, one_engine_median: 0.050-0.074, fp8_hopper_median: 0.14}",
    "decode": "{blackwell_median: 0.034-0.063, hopper_median: 0.074, hopper_fp8_kv_median: 0.12}",
    "moe": "{hopper_fp8_block_median: 0.064-0.077, blackwell_median: 0.09-0.11, bf16_hopper_median: 0.17-0.20}",
}
# Factors on the band (in the logarithm) of a chip of the same generation and of another: how much wider the residuals
# of a left-out generation were, rounded up.
STRETCH = {"gemm": (1.2, 1.6), "prefill": (1.2, 1.6), "decode": (1.3, 2.5), "moe": (1.5, 2.5)}
SOURCE = "measured kernel tables in PyPI aiconfigurator-core 0.12.0 (Apache-2.0, NVIDIA Corporation & Affiliates)"


def rows(path: Path) -> list[dict[str, str]]:
    """Rows of the table, comments left out."""
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(line for line in stream if not line.startswith("#")))


def precision(dtype: str) -> str:
    """Our word for the table's precision: 'fp4' for nvfp4; attention's 'Q/KV' stays."""
    return dtype.replace("nvfp4", "fp4").replace("_", "/") if "fp8_block" not in dtype else dtype


def write(family: str, members: Iterable[tuple[str, dict[str, str]]], path: Path) -> None:
    """One calibration file."""
    members = list(members)
    same, other = STRETCH[family]
    lines = [
        f"id: chip-{family}",
        f'name: "Seconds of {family} kernels: constants by chip, precision and engine"',
        "kind: chip",
        f'source: "{SOURCE}"',
        "source_url: https://pypi.org/project/aiconfigurator-core/",
        'as_of: "2026-08"',
        'fitted_to: "latency of single kernels; soft-L1 on log(predicted/measured), errors held out by shape"',
        f"rows: {sum(int(row['n']) for _, row in members)}",
        f"error: {ERRORS[family]}",
        'release: "TensorRT-LLM 1.3.0rc20, SGLang 0.5.14, vLLM 0.24.0"',
        "parameters:",
        f'  stretch_generation: {{value: {same}, note: "band of a sister chip, power of the own band"}}',
        f'  stretch_kin: {{value: {other}, note: "band of another generation"}}',
        "# low and high: 80 % band of measured over predicted, held out by shape. Times in microseconds.",
        "tables:",
        "  kin: {cdna2: a100-sxm-80gb, cdna4: b200-sxm, cdna5: gb300, rubin: gb300, default: h100-sxm}",
        "  rows:",
    ]
    chips: dict[str, list[str]] = {}
    for system, row in members:
        name, generation = CHIPS[system]
        if row["engine"] in ("best",) or family in ("decode", "moe") or system in ("h100_sxm", "b200_sxm"):
            values = dict(item.split("=") for item in row["params"].split(";"))
            kept = [f"{key}: {float(values[key]):.3g}" for key in KEPT[family] if key in values]
            low, high = (2.718281828 ** float(row[q]) for q in ("q10", "q90"))
            body = ", ".join([*kept, f"low: {low:.3f}", f"high: {high:.3f}"])
            chips.setdefault(f"{name}|{generation}", []).append(
                f'      {{precision: "{precision(row["dtype"])}", engine: {row["engine"]}, {body}}}'
            )
    for head, found in chips.items():
        name, generation = head.split("|")
        lines += [f"    {name}:", f"      generation: {generation}", "      fits:"]
        lines += ["        - " + line.strip() for line in found]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Read the table, write the four files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", default=os.environ.get("GIGAWATT_TRUTH", "."))
    table = rows(Path(parser.parse_args().truth) / "facts" / "chip_fits.csv")
    for family in KEPT:
        mine = [
            (row["system"], row)
            for row in table
            if row["family"] == family and row["system"] in CHIPS and float(row["e50"]) < 0.25
        ]
        write(family, mine, OUT / f"chip-{family}.yaml")


if __name__ == "__main__":
    main()

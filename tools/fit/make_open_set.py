"""Writes the packaged validation set: rows of the measured tables whose sources have an open licence, with citation.

    python tools/fit/make_open_set.py --truth FOLDER      # FOLDER holds truth/ and facts/

Every row keeps its own `source` (repository, file, commit); the licence of that source is added as a column. Free-text notes
are left out. Nothing else is changed: rows are taken by source, never by how well they are predicted.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from gigawatt.validation.tables import read_rows

OUT = Path(__file__).parents[2] / "src" / "gigawatt" / "validation" / "data"
APACHE, MIT, MPL = "Apache-2.0", "MIT", "MPL-2.0"

# (table, text that the source holds, licence of the source)
OPEN: tuple[tuple[str, str, str], ...] = (
    ("train_truth.csv", "NVIDIA Megatron-Bridge docs/performance-summary.md", APACHE),
    ("train_truth.csv", "NVIDIA/NeMo docs", APACHE),
    ("train_truth.csv", "MosaicML llm-foundry", APACHE),
    ("train_truth.csv", "AI-Hypercomputer/", APACHE),
    ("train_truth.csv", "NVIDIA/dgxc-benchmarking", APACHE),
    ("train_truth.csv", "foundation-model-stack/fms-fsdp", APACHE),
    ("train_truth.csv", "deepseek-ai/DeepSeek-V3", MIT),
    ("infer_truth.csv", "NVIDIA/TensorRT-LLM", APACHE),
    ("infer_truth.csv", "mlcommons/inference_results_v5.1", APACHE),
    ("infer_truth.csv", "AI-Hypercomputer/tpu-recipes", APACHE),
    ("infer_truth.csv", "casys-kaist/LLMServingSim", MIT),
    ("net_truth.csv", "deepseek-ai/DeepEP", MIT),
    ("net_truth.csv", "uccl-project/uccl", APACHE),
    ("net_truth.csv", "awslabs/awsome-distributed-ai", "MIT-0"),
    ("net_truth.csv", "GoogleCloudPlatform/cluster-toolkit", APACHE),
    ("net_truth.csv", "dstackai/dstack", MPL),
    ("energy_truth.csv", "mlcommons/inference_results", APACHE),
    ("power_truth.csv", "MLPerf Training v4.0", APACHE),
    ("power_truth.csv", "MLPerf Training v5.0", APACHE),
    ("power_truth.csv", "MLPerf Inference v5.1", APACHE),
)
# Whole tables: the FLOP oracle is this project's own count; the back-tests are published figures with their reading; the
# serving points derive from an Apache-2.0 package, of which every eighth row is enough here.
WHOLE: tuple[tuple[str, str, int], ...] = (
    ("flop_oracle.csv", "own count", 1),
    ("economics_truth.csv", "published figures", 1),
    ("serving_points.csv", APACHE, 8),
)
DROP = ("notes", "note", "flops_by_op", "wall_s")


def main() -> None:
    """Write the set and say how many rows of each table it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", type=Path, required=True)
    folder = parser.parse_args().truth
    OUT.mkdir(parents=True, exist_ok=True)
    for table in sorted({name for name, *_ in OPEN} | {name for name, *_ in WHOLE}):
        path = next(p for p in (folder / "truth" / table, folder / "facts" / table) if p.is_file())
        rows = []
        for number, row in enumerate(read_rows(path)):
            licence = next((lic for name, text, lic in OPEN if name == table and text in row.get("source", "")), "")
            step = next((s for name, _, s in WHOLE if name == table), 0)
            if step and number % step == 0:
                licence = next(lic for name, lic, _ in WHOLE if name == table)
            if licence:
                rows.append({k: v for k, v in row.items() if k not in DROP} | {"licence": licence})
        with (OUT / table).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        print(f"{table}: {len(rows)} rows")


if __name__ == "__main__":
    main()

"""Fits batched products to the measured ones of latent attention; writes `chip-bmm.yaml`.

python tools/fit/fit_batched.py --tables <package>/systems/data [--write]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from kernels import batched, tables
from kernels.batched import Table
from kernels.harness import Fit, held_out

OUT = Path(__file__).parents[2] / "src/gigawatt/catalog/data/calibration/chip-bmm.yaml"
HEAD = """\
id: chip-bmm
name: "Seconds of batched products of latent attention: constants by chip, precision and engine"
kind: chip
source: "measured kernel tables in PyPI {package} {version} (Apache-2.0, NVIDIA Corporation & Affiliates)"
source_url: https://github.com/ai-dynamo/aiconfigurator
as_of: "2026-11"
fitted_to: "latency of single kernels, 1 to 128 heads of 128 x 512; soft-L1 on log(predicted/measured)"
rows: {rows}
# Of |predicted/measured - 1|, held out by number of heads, over kernels.
error: {{kernels: {count}, median: {median:.3f}, p90: {p90:.3f}, null_median: {null:.3f}, worst_median: {worst:.3f}}}
release: "TensorRT-LLM 1.3.0rc20, SGLang 0.5.14, vLLM 0.24.0; A100: 1.0.0, 0.5.10"
parameters:
  stretch_generation: {{value: 1.5, note: "band of a sister chip, power of the own band"}}
  stretch_kin: {{value: 2.5, note: "band of another generation (assumed, as for experts)"}}
# The default (of the fastest engine) of a chip and precision first. low and high: 80 % band of measured over predicted.
tables:
  kin: {{cdna2: a100-sxm-80gb, cdna4: b200-sxm, cdna5: gb300, rubin: gb300, default: h100-sxm}}
  rows:
"""


def main() -> None:
    """Fit, report, and write when asked."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--tables", help="folder systems/data of the package")
    ask.add_argument("--write", action="store_true", help="write the calibration record")
    given = ask.parse_args()
    done: list[tuple[Table, Fit]] = []
    for table in batched.read(tables.root(given.tables)):
        null = batched.null_form(table.chip, table.precision)
        found = held_out(batched.form(table.chip, table.precision), table.rows, null=null)
        done.append((table, found))
        print(f"{table.system:20s} {table.precision:5s} {table.engine:7s} {found.report()}", flush=True)
    done.sort(
        key=lambda row: (
            list(tables.SYSTEMS).index(row[0].system),
            row[0].precision,
            float(np.mean(np.log(row[0].rows.us))),
        )
    )
    if given.write:
        OUT.write_text(text(done))


def text(done: list[tuple[Table, Fit]]) -> str:
    """The calibration record."""
    numbers = np.array([[f.median, f.p90, f.null_median] for _, f in done])
    median, p90, null = np.median(numbers, axis=0)
    rows, worst = sum(f.rows for _, f in done), numbers[:, 0].max()
    package, version = tables.PACKAGE, tables.package_version()
    found = {"package": package, "version": version, "rows": rows, "count": len(done), "median": median, "p90": p90}
    lines = [HEAD.format(**found, null=null, worst=worst)]
    for system in dict.fromkeys(table.system for table, _ in done):
        here = [(table, fit) for table, fit in done if table.system == system]
        lines.append(f"    {here[0][0].chip.name}:\n      generation: {here[0][0].chip.generation}\n      fits:\n")
        seen: set[str] = set()
        for table, fit in here:
            low, high = np.exp([fit.q10, fit.q90])
            body = ", ".join(f"{name}: {value:.3g}" for name, value in fit.values.items())
            mark = "" if table.precision in seen else "default: true, "
            seen.add(table.precision)
            lines.append(
                f'        - {{precision: "{table.precision}", engine: {table.engine}, {mark}{body}, low: {low:.3f}, '
                f"high: {high:.3f}, rows: {fit.rows}, median: {fit.median:.3f}, p90: {fit.p90:.3f}, "
                f"null_median: {fit.null_median:.3f}}}\n"
            )
    return "".join(lines)


if __name__ == "__main__":
    main()

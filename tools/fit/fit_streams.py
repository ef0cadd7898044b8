"""Fits passes that only move data to measured quantisation passes; writes `chip-stream.yaml`.

    python tools/fit/fit_streams.py --tables <package>/systems/data [--write]

Errors: held out by width on the chip itself, and by the constants of another chip (the fastest engine's pass, its launch
included) at the target's own bandwidth.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from fit_experts import FAMILY
from kernels import streams, tables
from kernels.harness import Fit, errors, held_out
from kernels.streams import Table

OUT = Path(__file__).parents[2] / "src/gigawatt/catalog/data/calibration/chip-stream.yaml"
HEAD = """\
id: chip-stream
name: "Seconds of passes that only move data: constants by chip, pass and engine"
kind: chip
source: "measured kernel tables in PyPI {package} {version} (Apache-2.0, NVIDIA Corporation & Affiliates)"
source_url: https://github.com/ai-dynamo/aiconfigurator
as_of: "2026-11"
fitted_to: "latency of single quantisation passes; soft-L1 on log(predicted/measured)"
rows: {rows}
# Of |predicted/measured - 1|: held out by width on the chip itself, over passes; and of the default quantise
# pass by constants of each chip of another generation, at the target's own bandwidth (between HBM chips; to or from GDDR).
error:
  held_out: {{passes: {count}, median: {median:.3f}, p90: {p90:.3f}, null_median: {null:.3f}, worst_median: {worst:.3f}}}
  other_generation: {{median: {far:.3f}, p90: {far_p90:.3f}, covered_after_stretch: {covered:.2f}}}
  other_generation_gddr: {{median: {gddr:.3f}, p90: {gddr_p90:.3f}}}
release: "TensorRT-LLM 1.3.0rc20, SGLang 0.5.14, vLLM 0.24.0"
parameters:
  stretch_generation: {{value: 1.5, note: "band of a sister chip, power of the own band"}}
  stretch_kin: {{value: {stretch:.2f}, note: "band of another generation: 80 % of rows of other HBM generations lie in it"}}
# The default (of the fastest engine) of a chip and pass first. precision names the pass. low and high: 80 % band of measured
# over predicted, held out by width.
tables:
  kin: {{ampere: h100-sxm, cdna4: b200-sxm, cdna5: gb300, rubin: gb300, default: h100-sxm}}
  rows:
"""


def main() -> None:
    """Fit, report, and write when asked."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--tables", help="folder systems/data of the package")
    ask.add_argument("--write", action="store_true", help="write the calibration record")
    given = ask.parse_args()
    done: list[tuple[Table, Fit]] = []
    for table in streams.read(tables.root(given.tables)):
        found = held_out(
            streams.form(table.chip, table.kind), table.rows, null=streams.null_form(table.chip, table.kind)
        )
        done.append((table, found))
        print(f"{table.system:20s} {table.kind:9s} {table.engine:7s} {found.report()}", flush=True)
    done.sort(
        key=lambda row: (list(tables.SYSTEMS).index(row[0].system), row[0].kind, float(np.median(row[0].rows.us)))
    )
    far = transferred(done)
    print("other generation", {key: round(value, 3) for key, value in far.items()})
    if given.write:
        OUT.write_text(text(done, far))


def transferred(done: list[tuple[Table, Fit]]) -> dict[str, float]:
    """Errors of the default quantisation pass by constants of other families, HBM chips and all; the stretch is HBM's."""
    first: dict[str, tuple[Table, Fit]] = {}
    for table, found in done:
        if table.kind == "quantise":
            first.setdefault(table.system, (table, found))
    ratios: dict[bool, list[np.ndarray]] = {True: [], False: []}
    bands = []
    for table, _ in first.values():
        for other, fit in first.values():
            if FAMILY[other.system] == FAMILY[table.system]:
                continue
            predicted = streams.form(table.chip, table.kind).predict(table.rows.x, fit.values)
            hbm = not {FAMILY[table.system], FAMILY[other.system]} & {"l40s", "rtx"}
            ratios[hbm].append(np.log(table.rows.us / predicted))
            if hbm:
                bands.append((fit.q10, fit.q90))
    out = {}
    for hbm, name in ((True, "far"), (False, "gddr")):
        every = np.concatenate(ratios[hbm])
        out[name], out[f"{name}_p90"] = errors(np.exp(-every), np.ones(every.size))[:2]
    for stretch in np.arange(1.0, 20.0, 0.1):
        held = [
            ((r >= stretch * low) & (r <= stretch * high)) for r, (low, high) in zip(ratios[True], bands, strict=True)
        ]
        covered = float(np.concatenate(held).mean())
        if covered >= 0.8:
            break
    return out | {"stretch": float(stretch), "covered": covered}


def text(done: list[tuple[Table, Fit]], far: dict[str, float]) -> str:
    """The calibration record."""
    numbers = np.array([[f.median, f.p90, f.null_median] for _, f in done])
    middle = np.median(numbers, axis=0)
    lines = [
        HEAD.format(
            package=tables.PACKAGE,
            version=tables.package_version(),
            rows=sum(f.rows for _, f in done),
            count=len(done),
            median=middle[0],
            p90=middle[1],
            null=middle[2],
            worst=numbers[:, 0].max(),
            **far,
        )
    ]
    for system in dict.fromkeys(table.system for table, _ in done):
        here = [(table, found) for table, found in done if table.system == system]
        lines.append(f"    {here[0][0].chip.name}:\n      generation: {here[0][0].chip.generation}\n      fits:\n")
        seen: set[str] = set()
        for table, found in here:
            low, high = np.exp([found.q10, found.q90])
            body = ", ".join(f"{name}: {value:.3g}" for name, value in found.values.items())
            mark = "" if table.kind in seen else "default: true, "
            seen.add(table.kind)
            errs = f"median: {found.median:.3f}, p90: {found.p90:.3f}, null_median: {found.null_median:.3f}"
            band = f"low: {low:.3f}, high: {high:.3f}, rows: {found.rows}"
            pair = f'precision: "{table.kind}", engine: {table.engine}'
            lines.append(f"        - {{{pair}, {mark}{body}, {band}, {errs}}}\n")
    return "".join(lines)


if __name__ == "__main__":
    main()

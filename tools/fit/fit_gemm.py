"""Fit the constants of matrix products and write `catalog/data/calibration/chip-gemm.yaml`.

    python tools/fit/fit_gemm.py [--tables FOLDER] [--only b200_sxm] [--jobs 2] [--write]

FOLDER is `systems/data` of the package aiconfigurator-core (extra `fit`). Without --write the errors are only printed.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from kernels import gemm, generations, harness, tables, write
from kernels.tables import SYSTEMS

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import Chip, chip_from_record

# Which kernel to measure first on a new chip: a few that anybody can run.
ANCHORS = [
    {"m": m, "n": n, "k": k} for m in (16, 128, 512, 2048, 8192) for n, k in ((4096, 4096), (8192, 2048), (2048, 8192))
]
EVERY = ("best", *tables.ENGINES)


Seen = dict[str, tuple[tables.Rows, harness.Fit]]


def main() -> None:
    """Fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables")
    parser.add_argument("--only", choices=SYSTEMS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    data = tables.root(asked.tables)
    systems = [asked.only] if asked.only else list(SYSTEMS)
    with ProcessPoolExecutor(asked.jobs) as pool:
        fitted = list(pool.map(of_system, [data] * len(systems), systems))
        best: dict[str, Seen] = {p: {} for p in gemm.PRECISIONS}
        for system, (_, _, seen) in zip(systems, fitted, strict=True):
            for precision, one in seen.items():
                best[precision][system] = one
        if asked.only:
            return
        moved = list(pool.map(transferred, best, best.values()))
        lent = lent_by_fp8(best)
    for (_, lines), _ in moved:
        print(*lines, sep="\n")
    print(lent)
    if asked.write:
        chips = chips_by_system()
        fits = {SYSTEMS[s]: (chips[s].generation, lines) for s, (lines, _, _) in zip(systems, fitted, strict=True)}
        write.write(
            "gemm",
            "Seconds of matrix products: constants by chip, precision and engine",
            fits,
            [line for (line, _), _ in moved],
            [*(line for (_, lines), _ in moved for line in lines), lent],
            sum(rows for _, rows, _ in fitted),
            write.summary({p: [one for _, one in seen.values()] for p, seen in best.items()}),
            max(stretch for _, stretch in moved),
        )


def chips_by_system() -> dict[str, Chip]:
    """The catalog's chip of each folder."""
    catalog = Catalog.load()
    return {s: chip_from_record(catalog.get("accelerator", name)) for s, name in SYSTEMS.items()}


def of_system(data: Path, system: str) -> tuple[list[str], int, Seen]:
    """(lines of the record, rows, rows and fit of the best engine by precision) of one chip."""
    chip, lines, total, best = chips_by_system()[system], [], 0, {}
    for precision in gemm.PRECISIONS:
        for engine in EVERY:
            part = gemm.rows(data, system, engine, precision)
            if part is None:
                continue
            found = _fit(chip, precision, part)
            errors = f"{found.median:7.3f} {found.p90:7.3f} null {found.null_median:.3f} {found.null_p90:.3f}"
            print(f"{system:20} {precision:9} {engine:7} {errors} rows {found.rows}", flush=True)
            lines.append(write.fit_line(precision, engine, found))
            total += len(part) if engine != "best" else 0
            if engine == "best":
                best[precision] = (part, found)
    return lines, total, best


def transferred(precision: str, seen: Seen) -> tuple[tuple[str, list[str]], float]:
    """(lines of the pooled constants and of what they miss when left out, stretch of a sister's band) of a precision."""
    chips = chips_by_system()

    def make(system: str) -> harness.Form:
        return gemm.form(chips[system], precision, True)

    rows = {s: part for s, (part, _) in seen.items()}
    constants = {s: one.values for s, (_, one) in seen.items()}
    bands = {s: (one.q10, one.q90) for s, (_, one) in seen.items()}
    return (
        write.transfer_lines(precision, generations.transfer(make, rows, ANCHORS)),
        generations.sister_stretch(make, rows, constants, bands),
    )


def lent_by_fp8(best: dict[str, Seen]) -> str:
    """Blackwell's fp4 products by fp8 constants of other generations: no other HBM generation has fp4."""
    chips = chips_by_system()
    rows = {precision: {s: part for s, (part, _) in seen.items()} for precision, seen in best.items()}
    errors = generations.lent(
        lambda s: gemm.form(chips[s], "fp8", True),
        rows["fp8"],
        lambda s: gemm.form(chips[s], "fp4", True),
        rows["fp4"],
        "blackwell",
    )
    return write.lent_line("blackwell", "fp8", errors)


def _fit(chip: Chip, precision: str, part: tables.Rows) -> harness.Fit:
    """The better menu of tiles, then the held-out errors."""
    forms = [gemm.form(chip, precision, wide) for wide in (False, True)]
    form = harness.choose(forms, harness.sample(part, 1500))
    return harness.held_out(form, part, size=2000, null=gemm.null(chip, precision))


if __name__ == "__main__":
    main()

"""Runs the fits of a kernel family over chips, precisions and engines, and writes its calibration record.

A finished fit is kept as a line of JSON in a work folder, so a run can stop and go on, and records are rewritten without
fitting again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gigawatt.catalog import Catalog
from gigawatt.physics.chip.adapt import chip_from_record
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.kernels import FAMILIES

from .defaults import fastest
from .harness import Fit, Form
from .menus import Menu, held_out_menu
from .tables import ENGINES, SYSTEMS, Rows

OUT = Path(__file__).resolve().parents[3] / "src/gigawatt/catalog/data/calibration"
SOURCE = "measured kernel tables in PyPI aiconfigurator-core 0.12.0 (Apache-2.0, NVIDIA Corporation & Affiliates)"
KIN = "{cdna2: a100-sxm-80gb, cdna4: b200-sxm, cdna5: gb300, rubin: gb300, default: h100-sxm}"


@dataclass(frozen=True)
class Family:
    """A kernel family: its calibration record, the precisions asked for, the reader and the forms."""

    name: str
    record: str
    title: str
    precisions: Sequence[str]
    reader: Callable[[Path, str, str, str], Rows | None]
    form: Callable[[Chip, str], Menu]
    null: Callable[[Chip, str], Form]
    key: str = "precision"  # what a fit is of, in the record: a precision, or a kernel


@dataclass(frozen=True)
class Done:
    """A finished fit of one (chip, engine, precision)."""

    system: str
    chip: str
    generation: str
    engine: str
    precision: str
    fit: Fit


def chips() -> dict[str, Chip]:
    """System folder -> chip, for the measured chips that the catalog holds."""
    catalog = Catalog.load()
    known = {record.id for record in catalog.all("accelerator")}
    return {
        system: chip_from_record(catalog.get("accelerator", name)) for system, name in SYSTEMS.items() if name in known
    }


# A kernel's name in the record of recurrences -> the family that times it.
KERNEL_FAMILIES = {kind.word: name for name, kind in FAMILIES.items() if kind.record == "chip-scan"}


def run(family: Family, data: Path, work: Path, systems: Iterable[str], *, folds: int = 3) -> list[Done]:
    """Every fit of the family on the systems named; those already in `work` are read back."""
    work.mkdir(parents=True, exist_ok=True)
    kept = work / f"{family.record}.jsonl"
    done = {(d.system, d.engine, d.precision): d for d in stored(kept)}
    known = chips()
    for system in systems:
        for precision in family.precisions:
            for engine in ENGINES:
                if system not in known or (system, engine, precision) in done:
                    continue
                rows = family.reader(data, system, engine, precision)
                if rows is None:
                    continue
                chip = known[system]
                found = held_out_menu(
                    family.form(chip, precision), rows, count=folds, null=family.null(chip, precision)
                )
                one = Done(system, chip.name, chip.generation, engine, precision, found)
                done[(system, engine, precision)] = one
                with kept.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(asdict(one)) + "\n")
                print(
                    f"{family.name} {system} {engine} {precision} {len(rows)} {found.median:.3f}/{found.p90:.3f}"
                    f" null {found.null_median:.3f}",
                    flush=True,
                )
    return list(done.values())


def stored(path: Path) -> list[Done]:
    """Finished fits of a work file."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Done(**{**line, "fit": Fit(**line["fit"])}) for line in lines]


def _number(value: float) -> str:
    return f"{value:.4g}"


def row(done: Done, key: str) -> str:
    """One fit as a YAML flow mapping."""
    values = ", ".join(f"{name}: {_number(value)}" for name, value in sorted(done.fit.values.items()))
    f = done.fit
    return (
        f'{{{key}: "{done.precision}", engine: {done.engine}, {values}, low: {math.exp(f.q10):.3f}, '
        f"high: {math.exp(f.q90):.3f}, rows: {f.rows}, median: {f.median:.3f}, p90: {f.p90:.3f}, "
        f"null_median: {f.null_median:.3f}}}"
    )


def write(
    family: Family,
    fits: Sequence[Done],
    error: Mapping[str, object],
    stretch: tuple[float, float],
    anchor: Mapping[str, float] | None = None,
) -> None:
    """The calibration record: constants by chip, the fastest engine first."""
    same, other = stretch
    listed = ", ".join(f"{key}: {value}" for key, value in error.items())
    lines = [
        f"id: {family.record}",
        f'name: "{family.title}: constants by chip, precision and engine"',
        "kind: chip",
        f'source: "{SOURCE}"',
        "source_url: https://github.com/ai-dynamo/aiconfigurator",
        'as_of: "2026-08"',
        'fitted_to: "latency of single kernels; soft-L1 on log(predicted/measured), errors held out by shape, in 3 or 4 folds"',
        f"rows: {sum(d.fit.rows for d in fits)}",
        f"error: {{{listed}}}",
        'release: "TensorRT-LLM 1.3.0rc20, SGLang 0.5.14, vLLM 0.24.0; on A100 1.0.0, 0.5.10, 0.14.0"',
        "parameters:",
        f'  stretch_generation: {{value: {same:.2f}, note: "band of a sister chip, power of the own band"}}',
        f'  stretch_kin: {{value: {other:.2f}, note: "band of another generation, power of the own band"}}',
        "# low and high: 80 % band of measured over predicted, held out by shape; median and p90: of |predicted/measured - 1|,",
        "# held out by shape; null_median: the same of t0 + max(compute, memory). Times in microseconds. Of each precision the",
        "# fastest engine at common sizes stands first: it is the default.",
        "tables:",
        f"  kin: {KIN}",
        *([f"  anchor: {{{', '.join(f'{k}: {v:g}' for k, v in anchor.items())}}}"] if anchor else ()),
        "  rows:",
    ]
    order, known = {name: i for i, name in enumerate(SYSTEMS)}, chips()
    for system in sorted({d.system for d in fits}, key=order.__getitem__):
        mine = [d for d in fits if d.system == system]
        lines += [f"    {mine[0].chip}:", f"      generation: {mine[0].generation}", "      fits:"]
        for precision in family.precisions:
            some = sorted((d for d in mine if d.precision == precision), key=lambda d: d.fit.median)
            if not some:
                continue
            name = KERNEL_FAMILIES.get(precision, family.name)
            first = fastest(name, known[system], precision, [d.fit.values for d in some])
            ordered = [some[first], *some[:first], *some[first + 1 :]]
            lines += [f"        - {row(d, family.key)}" for d in ordered]
    (OUT / f"{family.record}.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")

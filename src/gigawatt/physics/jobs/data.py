"""Data processing as a whole job: stages on processors (`workload.data_work`), and a model that reads or rewrites documents.

    processors   s = core-seconds / cores                       cores of the hosts beside the chips, all stages in a stream
    chips        s = documents / (documents a second of a chip x chips)
    together     s = the longer of both                         documents stream from one to the other

A model that grades reads a document and writes a few tokens; one that rewrites writes about as many as it reads. The rates of
the processors are those of the calibration `data-work`, with its spread as the band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible, InputError, Problem
from gigawatt.physics.chip import Box, Chip, PowerMode
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs.run import JobRun, Phase, job_run, waiting_w
from gigawatt.physics.jobs.searches import frontier
from gigawatt.physics.workload import DataWork, data_work
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.data_work import STAGES

RECORD = "data-work"
WITHOUT_MODEL = tuple(name for name in STAGES if name != "classify")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model does to each document it gets: reads `input_tokens` of it, writes `output_tokens`."""

    documents: float
    input_tokens: float
    output_tokens: float = 1.0

    @property
    def tokens(self) -> float:
        return self.documents * (self.input_tokens + self.output_tokens)


def prepared(tokens: float, stages: Sequence[str] = WITHOUT_MODEL) -> DataWork:
    """The processors' work behind `tokens` tokens that are kept.

    Raises:
        InputError: as `workload.data_work`.
    """
    return data_work(tokens, Catalog.load().get("calibration", RECORD), stages)


def documents_of(tokens: float) -> float:
    """Documents that hold so many tokens, of the calibration's mean length."""
    found = Catalog.load().get("calibration", RECORD).parameters
    return float(tokens * found["bytes_per_token"].value / found["bytes_per_document"].value)


def data_processing(
    chip: Chip,
    *,
    chips: int,
    cores: float = 0.0,
    work: DataWork | None = None,
    arch: Architecture | None = None,
    reading: Reading | None = None,
    fabric: Fabric | None = None,
    precisions: Sequence[str] = ("bf16",),
    maturity: float = 1.0,
    mode: PowerMode = FULL,
    box: Box | None = None,
    network_w_per_chip: float = 0.0,
    name: str = "data",
) -> JobRun:
    """Stages on `cores` processors and a model on `chips` chips, beside each other; the hosts stand in the chips' racks.

    Raises:
        InputError: neither work nor a model, or no core to work on. Infeasible: the model fits no replica.
    """
    _check(chips, cores, work, arch, reading)
    idle_w = waiting_w(chip)
    cpu_s = low = high = 0.0
    notes = []
    if work is not None:
        cpu_s = float(work.total_core_s.sum()) / cores
        low, high = (float(column.sum()) / cores / cpu_s for column in (work.core_s_low, work.core_s_high))
        parts = ", ".join(
            f"{stage} {float(s.sum()) / 3600:,.0f}" for stage, s in zip(work.stage, work.core_s, strict=True)
        )
        notes.append(f"core-hours of the stages: {parts}; {cores:,.0f} cores")
    rows = []
    read_s = 0.0
    if arch is not None and reading is not None:
        points = frontier(
            arch, chip, fabric=fabric, input_tokens=reading.input_tokens, output_tokens=max(reading.output_tokens, 1.0),
            precisions=tuple(precisions), maturity=maturity, modes=(mode,),
        )  # fmt: skip
        fitting = np.flatnonzero(points.chips_per_replica <= chips)
        if not fitting.size:
            lines = [f"{r.reason}: {r.nearest_fix}" for r in points.rejected] or [
                f"a replica takes {float(points.chips_per_replica.min()):g} chips"
            ]
            raise Infeasible(f"'{arch.name}' fits no replica on {chips:,} chips: {lines[0]}", lines)
        k = int(fitting[np.argmax(points.tokens_out_per_s_per_chip[fitting])])
        rate = float(points.tokens_out_per_s_per_chip[k]) / max(reading.output_tokens, 1.0)
        read_s = reading.documents / (rate * chips)
        rows.append(
            Phase(f"{arch.name} reads", "serve", chips, read_s, float(points.chip_w[k]), reading.tokens, str(points.bound[k]),
                  low=1 / float(points.high[k]), high=1 / float(points.low[k]))
        )  # fmt: skip
        notes.append(f"{points.mapping[k]} {points.precision[k]} {points.engine[k]}, {rate:,.3g} documents/s a chip")
    if cpu_s > read_s:
        rows.append(
            Phase("stages on processors", "cpu", chips, cpu_s - read_s, idle_w, 0.0, "processors", low=low, high=high)
        )
    return job_run(name, rows, chip, box=box, network_w_per_chip=network_w_per_chip, notes=notes)


def _check(chips: int, cores: float, work: DataWork | None, arch: Architecture | None, reading: Reading | None) -> None:
    problems = []
    if chips < 1:
        problems.append(Problem("out_of_range", f"chips is {chips}; it must be at least 1"))
    if work is not None and not cores > 0:
        hint = "the cores of the hosts beside the chips"
        problems.append(
            Problem("out_of_range", f"stages on processors need cores, and there are {cores:g}", None, (hint,))
        )
    if (arch is None) != (reading is None):
        problems.append(Problem("missing", "a model that reads needs documents to read, and documents a model"))
    if work is None and arch is None:
        problems.append(Problem("nothing_to_do", "data processing needs stages, or a model with documents"))
    if reading is not None and not (
        reading.documents > 0 and reading.input_tokens > 0 and np.isfinite(reading.output_tokens)
    ):
        problems.append(Problem("out_of_range", "a model reads more than no documents of more than no tokens"))
    if problems:
        raise InputError(problems)

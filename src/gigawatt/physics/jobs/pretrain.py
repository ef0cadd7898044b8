"""Pre-training as a whole job: stretches of context length and batch, validation, checkpoints, lost work, restarts.

    training    s = tokens of a stretch / tokens per second of its best mapping at its length and batch
    validation  s = tokens read / (tokens per second x 3)      forward pass: a third of a step's arithmetic
    the rest    s = (training + validation) (1 / goodput - 1)  by goodput's own shares: checkpoints, lost work, restarts

Each stretch has a mapping of its own (`training.best_mapping`): long contexts want context parallelism, small batches fewer
replicas. A batch that grows is several stretches (`ramp`); annealing is a stretch like any other: a falling learning rate costs
no time. What failures take is `failures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip import Box, Chip, PowerMode
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs.failures import DEFAULT, Failures, interruptions
from gigawatt.physics.jobs.points import fastest_mapping
from gigawatt.physics.jobs.run import JobRun, Phase, job_run, waiting_w
from gigawatt.physics.workload import parameters
from gigawatt.physics.workload.architecture import Architecture

FORWARD_SHARE = 1.0 / 3.0  # of a step's time that a forward pass takes alone: backward is twice as much arithmetic
SHARE_SUM = 1e-6


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a run with one length and one batch. `share` of the tokens; `global_batch` in sequences of `seq` tokens."""

    name: str
    share: float
    seq: int
    global_batch: int
    precisions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Validation:
    """Every `every_tokens` trained tokens, `tokens` are read in a forward pass."""

    every_tokens: float
    tokens: float


def ramp(stretch: Stretch, batches: Sequence[tuple[float, int]]) -> tuple[Stretch, ...]:
    """A stretch whose batch grows: (share of the stretch, sequences) each; the rest of it runs at its own batch.

    >>> [s.global_batch for s in ramp(Stretch("main", 1.0, 8192, 2048), [(0.05, 512), (0.15, 1024)])]
    [512, 1024, 2048]
    """
    small = tuple(
        replace(stretch, name=f"{stretch.name}, batch {size:,}", share=stretch.share * share, global_batch=size)
        for share, size in batches
    )
    return (*small, replace(stretch, share=stretch.share * (1.0 - sum(share for share, _ in batches))))


def pretraining(
    arch: Architecture,
    chip: Chip,
    *,
    tokens: float,
    chips: int,
    stretches: Sequence[Stretch],
    fabric: Fabric | None = None,
    precisions: Sequence[str] = ("bf16",),
    maturity: float = 1.0,
    mode: PowerMode = FULL,
    stack: str = "",
    release: str = "",
    validation: Validation | None = None,
    failures: Failures = DEFAULT,
    box: Box | None = None,
    network_w_per_chip: float = 0.0,
    name: str = "pre-training",
) -> JobRun:
    """A pre-training run on `chips` chips.

    Args:
        arch, chip, fabric, maturity, mode, stack, release: as `training.best_mapping` takes them.
        tokens: of the whole run, given or from `scaling`.
        chips: chips of the job; spares are not among them.
        stretches: in order; their shares sum to 1. A stretch without precisions takes `precisions`.
        validation: forward passes beside; none where None.
        failures: whose published rate, seconds of checkpoints and restarts.
        box, network_w_per_chip: the rack and the network watts, for energy at the racks' input.

    Raises:
        InputError: tokens or chips that are not above zero, shares that do not sum to 1. Infeasible: a stretch fits nowhere.
    """
    _check(tokens, chips, stretches, validation)
    rows: list[Phase] = []
    notes: list[str] = []
    read_s, train_s = 0.0, 0.0
    for stretch in stretches:
        found = fastest_mapping(
            arch, chip, f"{name}, {stretch.name}", fabric=fabric, chips=chips, seq=stretch.seq,
            global_batch=stretch.global_batch, precisions=stretch.precisions or precisions, maturity=maturity,
            mode=mode, stack=stack, release=release,
        )  # fmt: skip
        mine = tokens * stretch.share
        seconds = mine / (found.tokens_per_s_per_chip * chips)
        rows.append(
            Phase(
                stretch.name,
                "train",
                chips,
                seconds,
                found.chip_w,
                mine,
                found.bound,
                low=1 / found.high,
                high=1 / found.low,
            )
        )
        notes.append(f"{stretch.name}: {found.mapping} {found.precision}, {found.step_s:.3g} s a step")
        train_s += seconds
        if validation is not None:
            looked = validation.tokens * mine / validation.every_tokens
            read_s += looked / (found.tokens_per_s_per_chip * chips) * FORWARD_SHARE
    main = max(rows, key=lambda p: p.wall_s)
    if validation is not None:
        looked = validation.tokens * tokens / validation.every_tokens
        rows.append(replace(main, name="validation", wall_s=read_s, tokens=0.0, bound=f"{looked:,.3g} tokens read"))
    lost, note, spare = interruptions(failures, float(parameters(arch)), (main,), train_s + read_s, waiting_w(chip))
    rows += lost
    notes.append(note)
    return job_run(name, rows, chip, box=box, network_w_per_chip=network_w_per_chip, notes=notes, spare_chips=spare)


def _check(tokens: float, chips: int, stretches: Sequence[Stretch], validation: Validation | None) -> None:
    problems = []
    if not tokens > 0:
        problems.append(Problem("out_of_range", f"tokens is {tokens:g}; a run trains on more than none"))
    if chips < 1:
        problems.append(Problem("out_of_range", f"chips is {chips}; it must be at least 1"))
    total = sum(stretch.share for stretch in stretches)
    if not stretches or any(not stretch.share >= 0 for stretch in stretches) or abs(total - 1.0) > SHARE_SUM:
        shares = ", ".join(f"{stretch.name} {stretch.share:g}" for stretch in stretches) or "none"
        hint = "shares of the run's tokens, such as 0.95 at 8,192 and 0.05 at 131,072"
        problems.append(Problem("out_of_range", f"the shares of the stretches must sum to 1: {shares}", None, (hint,)))
    if validation is not None and not (validation.every_tokens > 0 and validation.tokens >= 0):
        problems.append(
            Problem("out_of_range", "validation needs tokens to read, and tokens trained between two of them")
        )
    if problems:
        raise InputError(problems)

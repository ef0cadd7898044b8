"""Pre-training as a whole job: stretches of context length and batch, validation, checkpoints, lost work, restarts.

    training    s = tokens of a stretch / tokens per second of its best mapping at its length and batch
    validation  s = tokens read / (tokens per second x 3)      forward pass: a third of a step's arithmetic
    the rest    s = (training + validation) (1 / goodput - 1)  by goodput's own shares: checkpoints, lost work, restarts

Each stretch has a mapping of its own (`training.best_mapping`): long contexts want context parallelism, small batches fewer
replicas. A batch that grows is several stretches (`ramp`); annealing is a stretch like any other: a falling learning rate costs
no time. A checkpoint holds 14 bytes a parameter (16-bit weights, 32-bit master weights and two moments) and stops the job for
bytes / (chips x write rate), once an interval, whose best length `reliability` knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible, InputError, Problem
from gigawatt.physics.chip import Box, Chip, PowerMode
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs.run import JobRun, Phase, job_run, waiting_w
from gigawatt.physics.reliability import goodput
from gigawatt.physics.training import TrainingPoints, best_mapping
from gigawatt.physics.workload import parameters
from gigawatt.physics.workload.architecture import Architecture

CHECKPOINT_BYTES = 14.0  # a parameter: weights 2, master weights 4, two moments 4 each
FORWARD_SHARE = 1.0 / 3.0  # of a step's time that a forward pass takes alone: backward is twice as much arithmetic
SHARE_SUM = 1e-6
FAILURES = "training-failures"


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


@dataclass(frozen=True, slots=True)
class Found:
    """The operating point of one stretch: its mapping in words, rates and watts per chip, and the 80 % factors on speed."""

    mapping: str
    precision: str
    tokens_per_s_per_chip: float
    step_s: float
    chip_w: float
    bound: str
    low: float
    high: float


def fastest(points: TrainingPoints, subject: str) -> Found:
    """The point of most tokens a second.

    Raises:
        Infeasible: nothing fits; says why, and the nearest change.
    """
    if not len(points):
        lines = [f"{r.reason}: {r.nearest_fix}" for r in points.rejected]
        raise Infeasible(f"{subject} fits no mapping: {lines[0] if lines else 'no candidate'}", lines)
    k = points.best
    return Found(
        str(points.mapping[k]),
        str(points.precision[k]),
        float(points.tokens_per_s_per_chip[k]),
        float(points.step_s[k]),
        float(points.chip_w[k]),
        str(points.bound[k]),
        float(points.low[k]),
        float(points.high[k]),
    )


def checkpoint_bytes(arch: Architecture) -> float:
    """Bytes of a checkpoint that training can go on from."""
    return CHECKPOINT_BYTES * float(parameters(arch))


def _write_rate() -> float:
    """Bytes a second that a chip writes of a checkpoint while the job waits."""
    return float(Catalog.load().get("calibration", FAILURES).parameters["checkpoint_bytes_per_s_per_chip"].value)


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
    validation: Validation | None = None,
    cluster: str = "default",
    checkpoint_s: float | None = None,
    restart_s: float | None = None,
    box: Box | None = None,
    network_w_per_chip: float = 0.0,
    name: str = "pre-training",
) -> JobRun:
    """A pre-training run on `chips` chips.

    Args:
        arch, chip, fabric, maturity, mode, stack: as `training.best_mapping` takes them.
        tokens: of the whole run, given or from `scaling`.
        chips: chips of the job; spares are not among them.
        stretches: in order; their shares sum to 1. A stretch without precisions takes `precisions`.
        validation: forward passes beside; none where None.
        cluster: whose published failure rate (`reliability`).
        checkpoint_s: seconds that a checkpoint stops the job; from its bytes and the write rate where None.
        restart_s: seconds of a restart; the calibrated default where None.
        box, network_w_per_chip: the rack and the network watts, for energy at the racks' input.

    Raises:
        InputError: tokens or chips that are not above zero, shares that do not sum to 1. Infeasible: a stretch fits nowhere.
    """
    _check(tokens, chips, stretches, validation)
    rows: list[Phase] = []
    notes: list[str] = []
    read_s, train_s = 0.0, 0.0
    for stretch in stretches:
        points = best_mapping(
            arch, chip, fabric=fabric, chips=chips, seq=stretch.seq, global_batch=stretch.global_batch,
            precisions=stretch.precisions or tuple(precisions), maturity=maturity, modes=(mode,), stack=stack,
        )  # fmt: skip
        found = fastest(points, f"{name}, {stretch.name}")
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
    rows += _interruptions(arch, chip, main, train_s + read_s, chips, cluster, checkpoint_s, restart_s, notes)
    return job_run(name, rows, chip, box=box, network_w_per_chip=network_w_per_chip, notes=notes)


def _interruptions(
    arch: Architecture,
    chip: Chip,
    main: Phase,
    useful_s: float,
    chips: int,
    cluster: str,
    checkpoint_s: float | None,
    restart_s: float | None,
    notes: list[str],
) -> list[Phase]:
    """Checkpoints, lost work and restarts beside `useful_s` of work."""
    stop_s = checkpoint_s
    if stop_s is None:
        stop_s = checkpoint_bytes(arch) / (chips * _write_rate())
    left = goodput(chips, stop_s, restart_s, cluster=cluster)
    share, wait_w = float(left.goodput), waiting_w(chip)
    notes.append(
        f"goodput {share:.1%}: a failure every {float(left.mttf_s) / 3600:.3g} h (published rate '{cluster}'), a checkpoint of "
        f"{checkpoint_bytes(arch) / 1e12:.3g} TB that stops the job for {stop_s:.2g} s every {float(left.interval_s):,.0f} s"
    )
    parts = (
        ("checkpoints", float(left.checkpoint_share), wait_w, 1.0),
        ("work lost to failures", float(left.lost_share), main.chip_w, 1.0),
        ("restarts", float(left.restart_share), wait_w, 0.0),
    )
    return [
        Phase(
            name,
            "idle",
            chips,
            useful_s * part / share,
            watts,
            bound="failures",
            load=load,
            low=main.low,
            high=main.high,
        )
        for name, part, watts, load in parts
    ]


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

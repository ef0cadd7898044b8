"""Supervised tuning and adapters as a whole job: samples packed into sequences, epochs, the best mapping, failures.

    tokens computed = samples x epochs x mean / share of a sequence that is filled
    packed    filled = 1 - E[L^2] / (2 E[L] S)     samples end to end until the next does not fit: half of it is left, in the
    mean,
                                                   of that which comes next (renewal theory); best-fit packing does better
    padded    filled = mean / longest of a micro-batch

Adapters train about a hundredth of the weights: no gradients of frozen matrices, no optimizer state of theirs (`training`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip import Box, Chip, PowerMode
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs.failures import DEFAULT, Failures, interruptions
from gigawatt.physics.jobs.lengths import Lengths
from gigawatt.physics.jobs.points import fastest_mapping
from gigawatt.physics.jobs.run import JobRun, Phase, job_run, waiting_w
from gigawatt.physics.jobs.weights import ADAPTER_SHARE
from gigawatt.physics.workload import parameters
from gigawatt.physics.workload.architecture import Architecture

PADDED_TOGETHER = 8.0  # samples of a micro-batch that are padded to the longest of them (assumed)


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is tuned on: `samples` of some lengths, `epochs` times, in batches of `global_batch` sequences of `seq` tokens.

    `packed` samples share a sequence; else each is padded to the longest beside it. `adapters` alone are trained where it
    says so.
    """

    samples: float
    lengths: Lengths
    seq: int
    global_batch: int
    epochs: float = 1.0
    packed: bool = True
    adapters: bool = False


def filled_share(asked: Tuning) -> float:
    """Share of the computed tokens that are a sample's."""
    if asked.packed:
        left = asked.lengths.second_moment / (2.0 * asked.lengths.mean * asked.seq)
        return float(1.0 - min(left, 0.5))
    return float(asked.lengths.mean / asked.lengths.longest(PADDED_TOGETHER))


def finetuning(
    arch: Architecture,
    chip: Chip,
    *,
    asked: Tuning,
    chips: int,
    fabric: Fabric | None = None,
    precisions: Sequence[str] = ("bf16",),
    maturity: float = 1.0,
    mode: PowerMode = FULL,
    stack: str = "",
    failures: Failures = DEFAULT,
    box: Box | None = None,
    network_w_per_chip: float = 0.0,
    name: str = "fine-tuning",
) -> JobRun:
    """A tuning run on `chips` chips; `tokens` are those of the samples, without what is padded.

    Raises:
        InputError: nothing to tune on, sequences shorter than the longest sample. Infeasible: it fits no mapping.
    """
    _check(asked, chips)
    share = filled_share(asked)
    seq = asked.seq if asked.packed else int(np.ceil(asked.lengths.longest(PADDED_TOGETHER)))
    found = fastest_mapping(
        arch, chip, name, fabric=fabric, chips=chips, seq=seq, global_batch=asked.global_batch, precisions=precisions,
        maturity=maturity, mode=mode, stack=stack, lora=asked.adapters,
    )  # fmt: skip
    tokens = asked.samples * asked.epochs * asked.lengths.mean
    seconds = tokens / share / (found.tokens_per_s_per_chip * chips)
    row = Phase(
        "tuning", "train", chips, seconds, found.chip_w, tokens, found.bound, low=1 / found.high, high=1 / found.low
    )
    trained = float(parameters(arch)) * (ADAPTER_SHARE if asked.adapters else 1.0)
    lost, note, spare = interruptions(failures, trained, (row,), seconds, waiting_w(chip))
    steps = tokens / share / (seq * asked.global_batch)
    how = "packed" if asked.packed else f"padded to the longest of {PADDED_TOGETHER:g}"
    notes = (
        f"{found.mapping} {found.precision}, {found.step_s:.3g} s a step, {steps:,.0f} steps",
        f"samples of {asked.lengths.mean:,.0f} tokens on average, {how}: {share:.1%} of what is computed is theirs",
        note,
    )
    return job_run(
        name, [row, *lost], chip, box=box, network_w_per_chip=network_w_per_chip, notes=notes, spare_chips=spare
    )


def _check(asked: Tuning, chips: int) -> None:
    problems = []
    for label, value in (("samples", asked.samples), ("epochs", asked.epochs), ("global batch", asked.global_batch)):
        if not value > 0:
            problems.append(Problem("out_of_range", f"{label} is {value:g}; it must be above zero"))
    if chips < 1:
        problems.append(Problem("out_of_range", f"chips is {chips}; it must be at least 1"))
    if asked.packed and asked.lengths.mean > asked.seq:
        hint = f"sequences of at least {asked.lengths.mean:,.0f} tokens"
        message = f"samples of {asked.lengths.mean:,.0f} tokens do not fit sequences of {asked.seq:,}"
        problems.append(Problem("out_of_range", message, None, (hint,)))
    if problems:
        raise InputError(problems)

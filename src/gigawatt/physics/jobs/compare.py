"""What running ahead is worth: steps of each mode against the synchronous one on the same chips, and what decides it.

    speed-up = seconds of a colocated synchronous step / seconds of the step           same samples, same chips

    barrier  = G / g       seconds to the last answer of a batch over those of as many in an endless stream, on all chips
    share    = U / (G + U) of a synchronous step that trains

Where the barrier costs nothing both sides are busy either way and the speed-up is near 1, or below it where a split leaves
chips over. It grows with the barrier (long tails, more chips for the same batch, waits for tools) and shrinks as updates take
more of the step. Published: 1.6 to 5.5 (calibration `post-training`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gigawatt.core.table import Table
from gigawatt.physics.chip import Chip
from gigawatt.physics.jobs.post_training import post_training
from gigawatt.physics.jobs.rollout import Sampling, stream
from gigawatt.physics.jobs.sides import Ahead
from gigawatt.physics.workload.architecture import Architecture

SYNCHRONOUS = Ahead("synchronous", "colocated")
MODES_COMPARED = (
    SYNCHRONOUS,
    Ahead("one-step-off"),
    Ahead("asynchronous", staleness=1.0),
    Ahead("asynchronous", staleness=4.0),
)


def speed_ups(
    arch: Architecture,
    chip: Chip,
    asked: Sampling,
    chips: int,
    *,
    modes: Sequence[Ahead] = MODES_COMPARED,
    **options: Any,
) -> Table:
    """One row a mode. `options` are those of `post_training`.

    Raises:
        InputError, Infeasible: as `post_training`.
    """
    base = post_training(arch, chip, asked=asked, steps=1, chips=chips, ahead=SYNCHRONOUS, **options)
    sampler = {name: options[name] for name in ("fabric", "engines", "mode") if name in options}
    flow = stream(
        arch, chip, asked, chips, precisions=options.get("rollout_precisions", ("bf16",)),
        maturity=options.get("serving_maturity", 1.0), **sampler,
    )  # fmt: skip
    barrier = base.parts.batch.seconds * flow.samples_per_s / asked.samples
    trains = base.parts.update_s / (base.parts.update_s + base.parts.batch.seconds)
    rows = []
    for ahead in modes:
        made = base if ahead == SYNCHRONOUS else post_training(
            arch, chip, asked=asked, steps=1, chips=chips, ahead=ahead, **options
        )  # fmt: skip
        rows.append(
            {
                "mode": ahead.mode,
                "placement": ahead.placement,
                "staleness": ahead.staleness if ahead.mode == "asynchronous" else None,
                "step_s": made.step_s,
                "speed_up": base.step_s / made.step_s,
                "rollout_chips": made.rollout_chips,
                "train_chips": made.train_chips,
                "busy_share": made.run.busy_share,
                "joules_per_token": made.run.energy_j / (asked.samples * (asked.prompt_tokens + asked.answers.mean)),
                "barrier": barrier,
                "update_share": trains,
                "bound": made.bound,
            }
        )
    units = {"step_s": "s", "joules_per_token": "J/token"}
    note = (
        "Speed-up is over the colocated synchronous step on the same chips. Barrier: seconds to the last answer of a batch "
        "over those of as many in a stream; update share: of the synchronous step."
    )
    return Table.from_rows("speed_ups", rows, list(rows[0]), units, "Running ahead of the updates", note)

"""A whole run to a quality target, as MLPerf Training counts it, at the best mapping's speed.

    wall = (steps + evaluations as the steps they take as long as) x seconds of a step + start-up       [`targets`]

The clock of the benchmark starts with the first sample: no start of the job, no failures.
"""

from __future__ import annotations

from collections.abc import Sequence

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, unknown_name
from gigawatt.physics.chip import Box, Chip, PowerMode
from gigawatt.physics.chip.power import FULL
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.jobs.points import fastest_mapping
from gigawatt.physics.jobs.run import JobRun, Phase, job_run
from gigawatt.physics.jobs.targets import Target, samples_to_target, steps_to_target, target_of
from gigawatt.physics.workload.architecture import Architecture

RECORD = "mlperf-targets"


def targets() -> dict[str, Target]:
    """The benchmarks whose targets are known, by name."""
    tables = Catalog.load().get("calibration", RECORD).tables["targets"]
    return {name: target_of(name, record) for name, record in tables.items()}


def time_to_target(
    arch: Architecture,
    chip: Chip,
    *,
    target: Target | str,
    seq: int,
    global_batch: int,
    chips: int,
    fabric: Fabric | None = None,
    precisions: Sequence[str] = ("bf16",),
    maturity: float = 1.0,
    mode: PowerMode = FULL,
    stack: str = "",
    lora: bool = False,
    box: Box | None = None,
    network_w_per_chip: float = 0.0,
) -> JobRun:
    """The run until the target is met; `tokens` are those of its samples.

    Args:
        target: of a benchmark, or its name.
        seq, global_batch: tokens of a sample, samples of a step.

    Raises:
        InputError: an unknown benchmark. Infeasible: it fits no mapping.
    """
    if isinstance(target, str):
        known = targets()
        if target not in known:
            raise InputError(unknown_name("benchmark with a target", target, known))
        target = known[target]
    found = fastest_mapping(
        arch, chip, target.name, fabric=fabric, chips=chips, seq=seq, global_batch=global_batch, precisions=precisions,
        maturity=maturity, mode=mode, stack=stack, lora=lora,
    )  # fmt: skip
    samples = float(samples_to_target(target, global_batch))
    rate = found.tokens_per_s_per_chip * chips
    steps_s = samples * seq / rate
    read_s = float(steps_to_target(target, global_batch)) * global_batch * seq / rate - steps_s
    band = {"low": 1 / found.high, "high": 1 / found.low}
    rows = [
        Phase("steps", "train", chips, steps_s, found.chip_w, samples * seq, found.bound, 0, **band),
        Phase("evaluations", "train", chips, read_s, found.chip_w, 0.0, "forward passes", 0, **band),
    ]
    if target.start_s > 0:
        rows.append(Phase("start-up", "idle", chips, target.start_s, chip.idle_w, 0.0, "start-up", 0))
    notes = (
        f"{samples:,.0f} samples in {samples / global_batch:,.0f} steps of {found.step_s:.3g} s; {found.mapping} "
        f"{found.precision}",
        f"target of {target.name}: reference convergence points at batches of {target.batches[0]:,.0f} to "
        f"{target.batches[-1]:,.0f}",
    )
    return job_run(
        f"{target.name} to its target", rows, chip, box=box, network_w_per_chip=network_w_per_chip, notes=notes
    )

"""What failures cost a job: checkpoints, lost work and restarts beside its useful seconds, as phases.

    s of a part = useful x share of the part / goodput        shares of `reliability.goodput` at the best interval

A checkpoint holds 14 bytes for each trained parameter (16-bit weights, 32-bit master weights and two moments) and stops the job
for bytes / (chips x write rate). Interrupted chips wait; lost work drew the watts of work.
"""

from __future__ import annotations

from dataclasses import dataclass

from gigawatt.catalog import Catalog
from gigawatt.physics.jobs.run import Phase
from gigawatt.physics.reliability import goodput

CHECKPOINT_BYTES = 14.0  # a parameter: weights 2, master weights 4, two moments 4 each
RECORD = "training-failures"


@dataclass(frozen=True, slots=True)
class Failures:
    """How a job meets failures: whose published rate, seconds of a checkpoint and of a restart (calibrated where None)."""

    cluster: str = "default"
    checkpoint_s: float | None = None
    restart_s: float | None = None


DEFAULT = Failures()


def write_seconds(trained_parameters: float, chips: float) -> float:
    """Seconds that a checkpoint stops the job."""
    rate = float(Catalog.load().get("calibration", RECORD).parameters["checkpoint_bytes_per_s_per_chip"].value)
    return CHECKPOINT_BYTES * trained_parameters / (chips * rate)


def interruptions(
    failures: Failures, trained_parameters: float, tracks: tuple[Phase, ...], useful_s: float, idle_w: float
) -> tuple[list[Phase], str]:
    """Phases of what failures take, on each track, and a note.

    Args:
        failures: rates and times.
        trained_parameters: what a checkpoint holds.
        tracks: one phase of each track, whose chips, watts and band are taken.
        useful_s: seconds of work without failures.
        idle_w: watts of a chip that waits.
    """
    chips = sum(p.chips for p in tracks)
    stop_s = failures.checkpoint_s
    if stop_s is None:
        stop_s = write_seconds(trained_parameters, chips)
    left = goodput(chips, max(stop_s, 1e-3), failures.restart_s, cluster=failures.cluster)
    share = float(left.goodput)
    note = (
        f"goodput {share:.1%}: a failure every {float(left.mttf_s) / 3600:.3g} h (published rate '{failures.cluster}'), a "
        f"checkpoint of {CHECKPOINT_BYTES * trained_parameters / 1e12:.3g} TB stops {chips:,.0f} chips for {stop_s:.2g} s "
        f"every {float(left.interval_s):,.0f} s"
    )
    rows = []
    for p in tracks:
        parts = (
            ("checkpoints", float(left.checkpoint_share), idle_w, 1.0),
            ("work lost to failures", float(left.lost_share), p.chip_w, 1.0),
            ("restarts", float(left.restart_share), idle_w, 0.0),
        )
        rows += [
            Phase(name, "idle", p.chips, useful_s * part / share, watts, bound="failures", track=p.track, load=load,
                  low=p.low, high=p.high)
            for name, part, watts, load in parts
        ]  # fmt: skip
    return rows, note

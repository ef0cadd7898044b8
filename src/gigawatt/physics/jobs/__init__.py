"""Whole jobs over the training, serving and reliability models: chip-hours, MWh, wall time, peak and mean power."""

from gigawatt.physics.jobs.lengths import Lengths, lengths
from gigawatt.physics.jobs.pretrain import Stretch, Validation, pretraining, ramp
from gigawatt.physics.jobs.run import JobRun, Phase, job_run
from gigawatt.physics.jobs.scaling import Law, Sizing, compute_optimal, laws, tokens_for

__all__ = [
    "JobRun",
    "Law",
    "Lengths",
    "Phase",
    "Sizing",
    "Stretch",
    "Validation",
    "compute_optimal",
    "job_run",
    "laws",
    "lengths",
    "pretraining",
    "ramp",
    "tokens_for",
]

"""Whole jobs over the training, serving and reliability models: chip-hours, MWh, wall time, peak and mean power."""

from gigawatt.physics.jobs.compare import speed_ups
from gigawatt.physics.jobs.failures import Failures
from gigawatt.physics.jobs.lengths import Lengths, lengths
from gigawatt.physics.jobs.loop import MODES, Parts, step_seconds
from gigawatt.physics.jobs.post_training import PostTraining, post_training
from gigawatt.physics.jobs.pretrain import Stretch, Validation, pretraining, ramp
from gigawatt.physics.jobs.rollout import Batch, Sampling, Stream
from gigawatt.physics.jobs.run import JobRun, Phase, job_run
from gigawatt.physics.jobs.scaling import Law, Sizing, compute_optimal, laws, tokens_for
from gigawatt.physics.jobs.sides import PLACEMENTS, Ahead, Learning, Scoring

__all__ = [
    "MODES",
    "PLACEMENTS",
    "Ahead",
    "Batch",
    "Failures",
    "JobRun",
    "Law",
    "Learning",
    "Lengths",
    "Parts",
    "Phase",
    "PostTraining",
    "Sampling",
    "Scoring",
    "Sizing",
    "Stream",
    "Stretch",
    "Validation",
    "compute_optimal",
    "job_run",
    "laws",
    "lengths",
    "post_training",
    "pretraining",
    "ramp",
    "speed_ups",
    "step_seconds",
    "tokens_for",
]

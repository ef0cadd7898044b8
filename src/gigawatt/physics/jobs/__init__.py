"""Whole jobs over the training, serving and reliability models: chip-hours, MWh, wall time, peak and mean power."""

from gigawatt.physics.jobs.agents import agent_tasks
from gigawatt.physics.jobs.compare import speed_ups
from gigawatt.physics.jobs.data import Reading, data_processing, documents_of, prepared
from gigawatt.physics.jobs.evaluation import Benchmark, evaluation
from gigawatt.physics.jobs.failures import Failures
from gigawatt.physics.jobs.finetune import Tuning, finetuning
from gigawatt.physics.jobs.lengths import Lengths, lengths
from gigawatt.physics.jobs.loop import MODES, Parts, step_seconds
from gigawatt.physics.jobs.post_training import PostTraining, post_training
from gigawatt.physics.jobs.pretrain import Stretch, Validation, pretraining, ramp
from gigawatt.physics.jobs.rollout import Batch, Sampling, Stream
from gigawatt.physics.jobs.run import JobRun, Phase, job_run
from gigawatt.physics.jobs.scaling import Law, Sizing, compute_optimal, laws, tokens_for
from gigawatt.physics.jobs.sides import PLACEMENTS, Ahead, Learning, Scoring
from gigawatt.physics.jobs.targets import Target, samples_to_target
from gigawatt.physics.jobs.to_target import targets, time_to_target

__all__ = [
    "MODES",
    "PLACEMENTS",
    "Ahead",
    "Batch",
    "Benchmark",
    "Failures",
    "JobRun",
    "Law",
    "Learning",
    "Lengths",
    "Parts",
    "Phase",
    "PostTraining",
    "Reading",
    "Sampling",
    "Scoring",
    "Sizing",
    "Stream",
    "Stretch",
    "Target",
    "Tuning",
    "Validation",
    "agent_tasks",
    "compute_optimal",
    "data_processing",
    "documents_of",
    "evaluation",
    "finetuning",
    "job_run",
    "laws",
    "lengths",
    "post_training",
    "prepared",
    "pretraining",
    "ramp",
    "samples_to_target",
    "speed_ups",
    "step_seconds",
    "targets",
    "time_to_target",
    "tokens_for",
]

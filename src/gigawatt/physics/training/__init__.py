"""Training: a mapping of a model onto chips -> seconds of a step, memory, what binds; the search over mappings."""

from gigawatt.physics.training.calibration import Context, Stack, TrainingCalibration, coefficients, load_calibration
from gigawatt.physics.training.columns import Machine, Mapping, machine_of
from gigawatt.physics.training.memory.bytes import Memory, memory_of
from gigawatt.physics.training.schedule.pipeline import (
    bubble_share,
    pipeline_s,
    stored_micro_batches,
    uneven_1f1b_s,
    weight_copies,
)
from gigawatt.physics.training.schedule.valid import schedule_problem, valid_schedule
from gigawatt.physics.training.search.best import best_mapping, evaluate
from gigawatt.physics.training.search.candidates import Rejection, enumerate_mappings
from gigawatt.physics.training.search.points import TrainingPoints
from gigawatt.physics.training.search.space import Limits, Space, Weights
from gigawatt.physics.training.shape import Shape, shape_of, stack_shapes
from gigawatt.physics.training.step.times import Steps, step_times

__all__ = [
    "Context",
    "Limits",
    "Machine",
    "Mapping",
    "Memory",
    "Rejection",
    "Shape",
    "Space",
    "Stack",
    "Steps",
    "TrainingCalibration",
    "TrainingPoints",
    "Weights",
    "best_mapping",
    "bubble_share",
    "coefficients",
    "enumerate_mappings",
    "evaluate",
    "load_calibration",
    "machine_of",
    "memory_of",
    "pipeline_s",
    "schedule_problem",
    "shape_of",
    "stack_shapes",
    "step_times",
    "stored_micro_batches",
    "uneven_1f1b_s",
    "valid_schedule",
    "weight_copies",
]

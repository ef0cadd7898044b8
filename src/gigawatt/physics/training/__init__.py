"""Training: a mapping of a model onto chips -> seconds of a step, memory, what binds; the search over mappings."""

from gigawatt.physics.training.calibration import Context, Stack, TrainingCalibration, coefficients, load_calibration
from gigawatt.physics.training.columns import Machine, Mapping, machine_of
from gigawatt.physics.training.memory.bytes import Memory, memory_of, total_bytes_of
from gigawatt.physics.training.memory.changes import MemoryGap, smallest_change
from gigawatt.physics.training.precision import Precision, Stored, precision_recipe
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
from gigawatt.physics.training.step.power import PhaseWatts, StepPower, phase_watts, step_power
from gigawatt.physics.training.step.routing import drawn_imbalance
from gigawatt.physics.training.step.sites import Between
from gigawatt.physics.training.step.stages import Split, layer_seconds, split_layers
from gigawatt.physics.training.step.times import Steps, step_times

__all__ = [
    "Between",
    "Context",
    "Limits",
    "Machine",
    "Mapping",
    "Memory",
    "MemoryGap",
    "PhaseWatts",
    "Precision",
    "Rejection",
    "Shape",
    "Space",
    "Split",
    "Stack",
    "StepPower",
    "Steps",
    "Stored",
    "TrainingCalibration",
    "TrainingPoints",
    "Weights",
    "best_mapping",
    "bubble_share",
    "coefficients",
    "drawn_imbalance",
    "enumerate_mappings",
    "evaluate",
    "layer_seconds",
    "load_calibration",
    "machine_of",
    "memory_of",
    "phase_watts",
    "pipeline_s",
    "precision_recipe",
    "schedule_problem",
    "shape_of",
    "smallest_change",
    "split_layers",
    "stack_shapes",
    "step_power",
    "step_times",
    "stored_micro_batches",
    "total_bytes_of",
    "uneven_1f1b_s",
    "valid_schedule",
    "weight_copies",
]

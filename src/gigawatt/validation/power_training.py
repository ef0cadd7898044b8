"""Watts of nodes that train a language model of MLPerf: from the step model's phases, over a whole run.

The number of nodes gives the layout and the batch (submitters' configurations), these a step and how its time is spent,
and these the watts of a chip: strong scaling lowers them, since a smaller share of a step is products. What a run holds
besides steps (start-up) is spent waiting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from gigawatt.physics.chip import Chip
from gigawatt.physics.chip.kernel_power import comm_watts
from gigawatt.physics.jobs.targets import time_to_target_s
from gigawatt.physics.training import load_calibration
from gigawatt.physics.training.step.power import step_power
from gigawatt.validation.training import candidates_of, choose
from gigawatt.validation.training_mlperf import batch_for, benchmark_named, target_for
from gigawatt.validation.training_rows import case_of

CHIPS_PER_NODE = 8
MODELS = {
    "llama2_70b_lora": "Llama 2 70B LoRA",
    "llama31_8b": "Llama 3.1 8B",
    "llama31_405b": "Llama 3.1 405B",
    "gpt3": "GPT-3 175B",
}


@dataclass(frozen=True, slots=True)
class TrainingNode:
    """Mean watts of a chip over a run, and what it does: shares of the time in products and in waiting for messages."""

    chip_w: float
    compute_share: float
    message_share: float


def round_of(source: str) -> str:
    """The round a source names, as a results folder does; the last one where it names none.

    >>> round_of("MLPerf Training v4.0 Sustainable Metal Cloud power logs"), round_of("logs")
    ('v4.0', 'v5.1')
    """
    found = re.search(r"Training (v\d\.\d)", source)
    return found[1] if found else "v5.1"


def nodes_in(text: str) -> float:
    """Nodes that a text speaks of; 1 where it names none.

    >>> nodes_in("64 nodes 8x H100 SXM"), nodes_in("1x node 8x B200 (DLC)")
    (64.0, 1.0)
    """
    found = re.search(r"(\d+)(?:x)? nodes?\b", text)
    return float(found[1]) if found else 1.0


def training_node(text: str, chip: Chip, source: str) -> TrainingNode | None:
    """A chip of a node in such a run; None where the text names no language model of MLPerf Training."""
    benchmark = benchmark_named(text)
    if not benchmark:
        return None
    chips = nodes_in(text) * CHIPS_PER_NODE
    row = dict.fromkeys(("precision", "tp", "pp", "vpp", "dp", "cp", "ep", "micro_batch", "recompute", "seq_len"), "")
    row |= {"id": "node", "measured_metric": "step_time_s", "model": MODELS[benchmark], "gpu": chip.name}
    row |= {"source": f"mlcommons/training_results_{round_of(source)} {benchmark}", "n_gpus": f"{chips:.0f}"}
    row["global_batch"] = f"{batch_for(benchmark, chips):.0f}"
    case = case_of(row)
    chosen, steps = choose([case], candidates_of([case]), load_calibration().parameters)
    step = steps.take(np.asarray(chosen))
    power, step_s = step_power(chip, step), float(step.step_s[0])
    target = target_for(benchmark)
    run_s = float(time_to_target_s(target, step_s, case.global_batch))
    waiting = target.start_s / run_s
    watts = (1.0 - waiting) * float(power.chip_w[0]) + waiting * float(comm_watts(chip, 0.0))
    messages = step.tensor_s + step.context_s + step.pipeline_s + step.data_s
    return TrainingNode(watts, float(step.compute_s[0]) / step_s, float(messages[0]) / step_s)

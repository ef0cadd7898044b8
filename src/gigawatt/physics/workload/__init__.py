"""A model's architecture, and all that follows from its shape alone: parameters, FLOPs, bytes, operators."""

from gigawatt.physics.workload.activations import activation_bytes_per_token_layer
from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config import families, from_config
from gigawatt.physics.workload.config.importer import Imported, import_config
from gigawatt.physics.workload.counts import active_parameters, parameters, part_parameters, weight_bytes
from gigawatt.physics.workload.data_work import DataWork, data_work
from gigawatt.physics.workload.describe import Figure, describe, model_kind
from gigawatt.physics.workload.flops import forward_flops
from gigawatt.physics.workload.imbalance import expected_imbalance
from gigawatt.physics.workload.messages import MessageTable, gradient_messages, messages
from gigawatt.physics.workload.mtp import mtp_module, mtp_parameters
from gigawatt.physics.workload.operators import operators
from gigawatt.physics.workload.pipeline import answer, control_step, embedding, generation, image_tokens
from gigawatt.physics.workload.serving_memory import ServingMemory, serving_memory
from gigawatt.physics.workload.speculation import speculative_step, tokens_per_step
from gigawatt.physics.workload.state import (
    kv_bytes_per_token,
    kv_values,
    kv_values_per_token,
    state_bytes,
    state_values,
)
from gigawatt.physics.workload.summary import LayerSummary, layer_summary
from gigawatt.physics.workload.table import Layout, OperatorTable, Widths, stacked
from gigawatt.physics.workload.training_work import AdamWidths, optimizer_operators, recomputed

__all__ = [
    "AdamWidths",
    "Architecture",
    "DataWork",
    "FeedForward",
    "Figure",
    "Imported",
    "LayerGroup",
    "LayerSummary",
    "Layout",
    "MessageTable",
    "Mixer",
    "OperatorTable",
    "ServingMemory",
    "Widths",
    "activation_bytes_per_token_layer",
    "active_parameters",
    "answer",
    "control_step",
    "data_work",
    "describe",
    "embedding",
    "expected_imbalance",
    "families",
    "forward_flops",
    "from_config",
    "generation",
    "gradient_messages",
    "image_tokens",
    "import_config",
    "kv_bytes_per_token",
    "kv_values",
    "kv_values_per_token",
    "layer_summary",
    "messages",
    "model_kind",
    "mtp_module",
    "mtp_parameters",
    "operators",
    "optimizer_operators",
    "parameters",
    "part_parameters",
    "recomputed",
    "serving_memory",
    "speculative_step",
    "stacked",
    "state_bytes",
    "state_values",
    "tokens_per_step",
    "weight_bytes",
]

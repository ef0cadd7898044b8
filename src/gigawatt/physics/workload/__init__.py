"""A model's architecture, and all that follows from its shape alone: parameters, FLOPs, bytes, operators."""

from gigawatt.physics.workload.activations import activation_bytes_per_token_layer
from gigawatt.physics.workload.architecture import Architecture, FeedForward, LayerGroup, Mixer
from gigawatt.physics.workload.config import families, from_config
from gigawatt.physics.workload.config.importer import Imported, import_config
from gigawatt.physics.workload.counts import active_parameters, parameters, part_parameters, weight_bytes
from gigawatt.physics.workload.describe import Figure, describe, model_kind
from gigawatt.physics.workload.flops import forward_flops
from gigawatt.physics.workload.mtp import mtp_module, mtp_parameters
from gigawatt.physics.workload.operators import operators
from gigawatt.physics.workload.state import (
    kv_bytes_per_token,
    kv_values,
    kv_values_per_token,
    state_bytes,
    state_values,
)
from gigawatt.physics.workload.summary import LayerSummary, layer_summary
from gigawatt.physics.workload.table import Layout, OperatorTable, Widths

__all__ = [
    "Architecture",
    "FeedForward",
    "Figure",
    "Imported",
    "LayerGroup",
    "LayerSummary",
    "Layout",
    "Mixer",
    "OperatorTable",
    "Widths",
    "activation_bytes_per_token_layer",
    "active_parameters",
    "describe",
    "families",
    "forward_flops",
    "from_config",
    "import_config",
    "kv_bytes_per_token",
    "kv_values",
    "kv_values_per_token",
    "layer_summary",
    "model_kind",
    "mtp_module",
    "mtp_parameters",
    "operators",
    "parameters",
    "part_parameters",
    "state_bytes",
    "state_values",
    "weight_bytes",
]

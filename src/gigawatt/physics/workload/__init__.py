"""A model's architecture, and all that follows from its shape alone: parameters, FLOPs, bytes, operators."""

from gigawatt.physics.workload.config import families, from_config
from gigawatt.physics.workload.counts import active_parameters, part_parameters, parameters, weight_bytes
from gigawatt.physics.workload.flops import forward_flops
from gigawatt.physics.workload.state import (
    kv_bytes_per_token,
    kv_values,
    kv_values_per_token,
    state_bytes,
    state_values,
)

__all__ = [
    "active_parameters",
    "families",
    "forward_flops",
    "from_config",
    "kv_bytes_per_token",
    "kv_values",
    "kv_values_per_token",
    "parameters",
    "part_parameters",
    "state_bytes",
    "state_values",
    "weight_bytes",
]

"""A step written for simulators of packets: Chakra traces for ASTRA-sim and ns-3, connection matrices for htsim."""

from gigawatt.physics.fabric.export.chakra import (
    Collective,
    Compute,
    Tier,
    astra_config,
    collective_traces,
    message_traces,
)
from gigawatt.physics.fabric.export.htsim import connection_matrix
from gigawatt.physics.fabric.export.patterns import (
    all_to_all,
    hierarchical_all_reduce,
    moe_layer,
    ring_all_reduce,
    training_step,
)
from gigawatt.physics.fabric.export.schedule import Program, Schedule, join, split_bytes

__all__ = [
    "Collective",
    "Compute",
    "Program",
    "Schedule",
    "Tier",
    "all_to_all",
    "astra_config",
    "collective_traces",
    "connection_matrix",
    "hierarchical_all_reduce",
    "join",
    "message_traces",
    "moe_layer",
    "ring_all_reduce",
    "split_bytes",
    "training_step",
]

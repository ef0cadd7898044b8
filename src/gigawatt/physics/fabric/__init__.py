"""The network: how long a collective takes, what the fabric is made of."""

from gigawatt.physics.fabric.collective import Answer, bus_factor, collective_seconds
from gigawatt.physics.fabric.design import Fabric, default_fabric, fabric_from_record
from gigawatt.physics.fabric.moe import moe_payload, moe_seconds
from gigawatt.physics.fabric.parts import Part, PartsList, parts_list

__all__ = [
    "Answer",
    "Fabric",
    "Part",
    "PartsList",
    "bus_factor",
    "collective_seconds",
    "default_fabric",
    "fabric_from_record",
    "moe_payload",
    "moe_seconds",
    "parts_list",
]

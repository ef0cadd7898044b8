"""The network: how long a collective takes, what the fabric is made of."""

from gigawatt.physics.fabric.balance import balanced
from gigawatt.physics.fabric.collective import Answer, bus_factor, collective_seconds
from gigawatt.physics.fabric.design import Fabric, default_fabric, fabric_from_record, wiring_from_record
from gigawatt.physics.fabric.moe import moe_payload, moe_seconds
from gigawatt.physics.fabric.parts import Kit, Part, PartsList, Piece, kit_from_record, parts_list, scaleup_parts
from gigawatt.physics.fabric.topology import Counts, capacity, count

__all__ = [
    "Answer",
    "Counts",
    "Fabric",
    "Kit",
    "Part",
    "PartsList",
    "Piece",
    "balanced",
    "bus_factor",
    "capacity",
    "collective_seconds",
    "count",
    "default_fabric",
    "fabric_from_record",
    "kit_from_record",
    "moe_payload",
    "moe_seconds",
    "parts_list",
    "scaleup_parts",
    "wiring_from_record",
]

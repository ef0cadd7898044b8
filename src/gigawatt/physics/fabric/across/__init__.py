"""Several sites as one machine: fibre, synchronisation of training over it, serving over it, published claims."""

from gigawatt.physics.fabric.across.constants import Across, Known, packaged
from gigawatt.physics.fabric.across.diloco import (
    Method,
    blocking,
    decoupled,
    largest_distance_km,
    largest_latency_s,
    required_bytes_per_s,
    smallest_sync_every,
    streaming,
    utilisation,
)
from gigawatt.physics.fabric.across.routes import Exchange, Paths, even_exchange, exchanges, paths
from gigawatt.physics.fabric.across.sites import (
    Fibre,
    Link,
    Sites,
    cable_bytes_per_s,
    connect,
    fibre,
    great_circle_km,
    linked,
)
from gigawatt.physics.fabric.across.sync import Step, Within, synchronous_step

__all__ = [
    "Across",
    "Exchange",
    "Fibre",
    "Known",
    "Link",
    "Method",
    "Paths",
    "Sites",
    "Step",
    "Within",
    "blocking",
    "cable_bytes_per_s",
    "connect",
    "decoupled",
    "even_exchange",
    "exchanges",
    "fibre",
    "great_circle_km",
    "largest_distance_km",
    "largest_latency_s",
    "linked",
    "packaged",
    "paths",
    "required_bytes_per_s",
    "smallest_sync_every",
    "streaming",
    "synchronous_step",
    "utilisation",
]

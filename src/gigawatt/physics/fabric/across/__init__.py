"""Several sites as one machine: fibre, synchronisation of training over it, serving over it, published claims."""

from gigawatt.physics.fabric.across.claims import Claim, Finding, published_claims
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
from gigawatt.physics.fabric.across.serving import (
    Shared,
    added_ttft_s,
    break_even_bytes_per_s,
    break_even_one_way_s,
    cache_move_s,
    movable_share,
    one_way_s,
    shared_capacity,
)
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
    "Claim",
    "Exchange",
    "Fibre",
    "Finding",
    "Known",
    "Link",
    "Method",
    "Paths",
    "Shared",
    "Sites",
    "Step",
    "Within",
    "added_ttft_s",
    "blocking",
    "break_even_bytes_per_s",
    "break_even_one_way_s",
    "cable_bytes_per_s",
    "cache_move_s",
    "connect",
    "decoupled",
    "even_exchange",
    "exchanges",
    "fibre",
    "great_circle_km",
    "largest_distance_km",
    "largest_latency_s",
    "linked",
    "movable_share",
    "one_way_s",
    "packaged",
    "paths",
    "published_claims",
    "required_bytes_per_s",
    "shared_capacity",
    "smallest_sync_every",
    "streaming",
    "synchronous_step",
    "utilisation",
]

"""The network flow by flow: an explicit graph, the path of every flow, max-min fair rates.

The check of the closed form: what collisions, oversubscription, failures, placement and other jobs do to a pattern.
"""

from gigawatt.physics.fabric.flows.dragonfly import dragonfly_plus
from gigawatt.physics.fabric.flows.efficiency import efficiency
from gigawatt.physics.fabric.flows.explicit import shortest_paths
from gigawatt.physics.fabric.flows.fat_tree import fat_tree_2, fat_tree_3, mesh, switch
from gigawatt.physics.fabric.flows.graph import Network, check, network
from gigawatt.physics.fabric.flows.health import health, nodes_named
from gigawatt.physics.fabric.flows.maxmin import link_loads, max_min
from gigawatt.physics.fabric.flows.patterns import Exchange, Step, place, random_permutation, ring, shift, tree
from gigawatt.physics.fabric.flows.routes import SPRAY, Routed, Routing, route
from gigawatt.physics.fabric.flows.schedule import Phase, Timing, flow_seconds, moe_schedule, schedule, schedule_s
from gigawatt.physics.fabric.flows.sizing import network_of
from gigawatt.physics.fabric.flows.study import Shared, Throughput, share_network, share_patterns, throughput
from gigawatt.physics.fabric.flows.topology import Domains, Topology, domains, planes
from gigawatt.physics.fabric.flows.torus import shapes, torus

__all__ = [
    "SPRAY",
    "Domains",
    "Exchange",
    "Network",
    "Phase",
    "Routed",
    "Routing",
    "Shared",
    "Step",
    "Throughput",
    "Timing",
    "Topology",
    "check",
    "domains",
    "dragonfly_plus",
    "efficiency",
    "fat_tree_2",
    "fat_tree_3",
    "flow_seconds",
    "health",
    "link_loads",
    "max_min",
    "mesh",
    "moe_schedule",
    "network",
    "network_of",
    "nodes_named",
    "place",
    "planes",
    "random_permutation",
    "ring",
    "route",
    "schedule",
    "schedule_s",
    "shapes",
    "share_network",
    "share_patterns",
    "shift",
    "shortest_paths",
    "switch",
    "throughput",
    "torus",
    "tree",
]

"""The network flow by flow: an explicit graph, the path of every flow, max-min fair rates.

The check of the closed form: what collisions, oversubscription, failures, placement and other jobs do to a pattern.
"""

from gigawatt.physics.fabric.flows.fat_tree import fat_tree_2, fat_tree_3, mesh, switch
from gigawatt.physics.fabric.flows.graph import Network, check, network
from gigawatt.physics.fabric.flows.health import health, nodes_named
from gigawatt.physics.fabric.flows.maxmin import link_loads, max_min
from gigawatt.physics.fabric.flows.routes import SPRAY, Routed, Routing, route
from gigawatt.physics.fabric.flows.topology import Domains, Topology, domains, planes

__all__ = [
    "SPRAY",
    "Domains",
    "Network",
    "Routed",
    "Routing",
    "Topology",
    "check",
    "domains",
    "fat_tree_2",
    "fat_tree_3",
    "health",
    "link_loads",
    "max_min",
    "mesh",
    "network",
    "nodes_named",
    "planes",
    "route",
    "switch",
]

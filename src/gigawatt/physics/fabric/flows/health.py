"""How well each link of a network does: 1 is whole, 0 failed, between them slow.

Cables fail in both directions, switches with all their links. What this cuts off is for the routes to find and to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gigawatt.core.errors import Problems, unknown_name
from gigawatt.physics.fabric.flows.graph import Array, Ints, Network


def health(
    net: Network,
    *,
    failed_share: float = 0.0,
    failed_links: Sequence[int] = (),
    failed_nodes: Sequence[int] = (),
    slow_links: Mapping[int, float] | None = None,
    slow_nodes: Mapping[int, float] | None = None,
    seed: int = 0,
) -> Array:
    """The share of its rate that each link still has.

    Args:
        net: the network (of a topology, not its pooled form).
        failed_share: share of the network's cables that failed, drawn with `seed`, rounded to whole cables. Cables of
            endpoints to their switches and those of scale-up domains stay whole.
        failed_links: links that failed, each with its cable's other direction.
        failed_nodes: switches or endpoints all of whose links failed.
        slow_links: link -> share of its rate, the cable's other direction too.
        slow_nodes: node -> share of their rate for all its links, such as an endpoint that straggles.
        seed: of the draw.

    Raises:
        InputError: ids that do not exist, shares outside 0 .. 1.
    """
    slow_links, slow_nodes = slow_links or {}, slow_nodes or {}
    _check(net, failed_share, [*failed_links, *slow_links], [*failed_nodes, *slow_nodes], slow_links, slow_nodes)
    share = np.ones(net.links)
    twin = net.twins()

    def cables(links: Sequence[int] | Ints, factor: float) -> None:
        ids = np.asarray(links, dtype=np.intp)
        both = np.concatenate([ids, twin[ids][twin[ids] >= 0]])
        share[both] = np.minimum(share[both], factor)

    if failed_share > 0:
        # Of each cable the direction with the lower id; a link without a way back is a cable of its own.
        once = (twin < 0) | (np.arange(net.links) < twin)
        ports = (net.src < net.endpoints) != (net.dst < net.endpoints)
        scaleup = np.array([kind.startswith("scale-up") for kind in net.kinds])[net.kind]
        between = np.flatnonzero(once & ~ports & ~scaleup)
        lost = round(failed_share * len(between))
        cables(np.random.default_rng(seed).choice(between, lost, replace=False), 0.0)
    cables(failed_links, 0.0)
    for link, factor in slow_links.items():
        cables([link], factor)
    for node, factor in {**slow_nodes, **dict.fromkeys(failed_nodes, 0.0)}.items():
        share[(net.src == node) | (net.dst == node)] *= factor
    return share


def _check(
    net: Network,
    failed_share: float,
    links: Sequence[int],
    nodes: Sequence[int],
    slow_links: Mapping[int, float],
    slow_nodes: Mapping[int, float],
) -> None:
    problems = Problems()
    for what, ids, count in (("link", links, net.links), ("node", nodes, net.nodes)):
        for at in ids:
            if not 0 <= at < count:
                problems.add("out_of_range", f"network '{net.name}' has no {what} {at}, only 0 .. {count - 1}")
    shares = {"failed_share": failed_share, **{f"link {k}": v for k, v in slow_links.items()}}
    shares |= {f"node {k}": v for k, v in slow_nodes.items()}
    for what, share in shares.items():
        if not 0 <= share <= 1:
            problems.add("out_of_range", f"{what}: a share lies between 0 and 1, not {share:g}")
    problems.raise_if_any()


def nodes_named(net: Network, *names: str) -> list[int]:
    """Numbers of nodes by their names, such as 'leaf 3'.

    Raises:
        InputError: no such node.
    """
    first, found, problems = {}, [], Problems()
    at = 0
    for group, count in net.groups:
        first[group] = (at, count)
        at += count
    for name in names:
        group, _, number = name.rpartition(" ")
        if group in first and number.isdigit() and int(number) < first[group][1]:
            found.append(first[group][0] + int(number))
        else:
            problems.extend([unknown_name("node", name, [f"{g} {count - 1}" for g, (_, count) in first.items()])])
    problems.raise_if_any()
    return found

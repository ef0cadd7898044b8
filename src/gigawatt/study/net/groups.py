"""Which chips of a network talk: so many of them spread evenly, so many in each domain, or a group of a parallel layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.physics.fabric import Fabric
from gigawatt.physics.fabric.placement import group, placement
from gigawatt.physics.fabric.wires import Array
from gigawatt.study.net.question import AXES, Question
from gigawatt.study.net.wiring import Assumed, Wired


@dataclass(frozen=True, slots=True)
class Groups:
    """Ranks of each group, and how many of them share a scale-up domain: (networks, groups)."""

    ranks: Array
    per_domain: Array


def spread_evenly(fabrics: Sequence[Fabric], ranks: ArrayLike, per_domain: int | None = None) -> Groups:
    """Groups of so many chips on each network, evenly over the fewest domains that hold them, or `per_domain` in each."""
    n = np.broadcast_to(np.atleast_1d(np.asarray(ranks, np.float64)), (len(fabrics), np.size(ranks)))
    domain = np.array([float(f.domain) for f in fabrics])[:, None]
    if per_domain is not None:
        domain = np.minimum(domain, per_domain)
    node = np.array([float(f.node) for f in fabrics])[:, None]
    placed = group(n, 1.0, domain=domain, node=np.minimum(node, domain))
    return Groups(n, np.broadcast_to(placed.per_domain, n.shape))


def groups_of(question: Question, wired: Sequence[Wired]) -> tuple[Groups, list[Assumed]]:
    """The groups of a question on its networks, and what was assumed for them."""
    fabrics = [w.fabric for w in wired]
    if not question.layout:
        defaults = []
        chips = question.chips
        if not chips:
            chips = (max(w.rack for w in wired),)
            defaults.append(Assumed("chips", f"{chips[0]:,}", "one rack; --chips says how many"))
        return spread_evenly(fabrics, chips, question.per_domain), defaults
    ways = {axis: question.layout.get(axis, 1) for axis in AXES}
    placed = [placement(**ways, domain=f.domain, node=f.node) for f in fabrics]
    chosen = [getattr(p, question.group) for p in placed]
    ranks = np.array([[float(g.ranks)] for g in chosen])
    inside = np.array([[float(g.per_domain)] for g in chosen])
    order = Assumed("order of ranks", "tensor, context, data, pipeline", "Megatron's: the innermost first")
    return Groups(ranks, inside), [order]

"""Where the groups of a parallel layout stand: ranks, the distance between them, how many share a host and a domain.

Ranks are numbered in Megatron's order, tensor innermost, then context, data, pipeline; expert groups are laid over the same
ranks of a stage, experts innermost:

    tensor        tp          ranks, 1 apart           expert        ep               ranks, 1 apart
    context       cp                 tp                expert data   tp cp dp / ep           ep
    data          cp dp              tp                pipeline      pp                      tp cp dp

A group of n ranks s apart has at most q = max(D / s, 1) of them in a domain of D chips. It is spread evenly over the least
number of domains that hold it, N = ceil(n / q), so n / N of its ranks share one: a tensor group of 16 in racks of 72 stays
whole, and eight chips of a rack are left to other work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# Strides are exact counts; this keeps a floor from falling below a whole number.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Group:
    """One parallel group, a row a layout: `ranks`, `stride` chips apart.

    `per_node` and `per_domain` of them share a host and a scale-up domain: a mean where the group does not divide evenly.
    """

    ranks: Any
    stride: Any
    per_node: Any
    per_domain: Any

    @property
    def domains(self) -> Any:
        """Scale-up domains that the group spans, a whole number."""
        return np.round(self.ranks / self.per_domain)


@dataclass(frozen=True, slots=True)
class Placement:
    """The groups of a layout. `data` holds the ranks with equal dense weights, `expert_data` those with equal experts."""

    tensor: Group
    context: Group
    expert: Group
    data: Group
    expert_data: Group
    pipeline: Group


def group(ranks: ArrayLike, stride: ArrayLike, *, domain: ArrayLike, node: ArrayLike) -> Group:
    """Place `ranks` ranks, `stride` chips apart, over hosts of `node` chips in domains of `domain`.

    >>> two = group(16.0, 8.0, domain=72.0, node=4.0)
    >>> float(two.per_domain), float(two.domains), float(two.per_node)
    (8.0, 2.0, 1.0)
    """
    n, s = np.asarray(ranks, dtype=np.float64), np.asarray(stride, dtype=np.float64)
    return Group(n, s, _share(n, s, np.asarray(node, dtype=np.float64)), _share(n, s, np.asarray(domain, np.float64)))


def _share(ranks: Any, stride: Any, place: Any) -> Any:
    """Ranks of the group in one place of `place` chips, spread evenly over as few places as hold them."""
    most = np.maximum(np.floor(place / stride + _ROUNDING), 1.0)
    return ranks / np.maximum(np.ceil(ranks / most - _ROUNDING), 1.0)


def placement(
    tp: ArrayLike,
    cp: ArrayLike,
    ep: ArrayLike,
    dp: ArrayLike,
    pp: ArrayLike,
    *,
    domain: ArrayLike,
    node: ArrayLike,
) -> Placement:
    """Groups of layouts in Megatron's order; arguments broadcast. `ep` divides tp cp dp.

    >>> of = placement(tp=8, cp=1, ep=64, dp=32, pp=4, domain=8, node=8)
    >>> [float(g.per_domain) for g in (of.tensor, of.expert, of.data, of.expert_data)]
    [8.0, 8.0, 1.0, 1.0]
    >>> float(of.expert.domains), float(of.expert_data.ranks), float(of.pipeline.stride)
    (8.0, 4.0, 256.0)
    """
    tensor, context, expert, data, stages = (np.asarray(x, dtype=np.float64) for x in (tp, cp, ep, dp, pp))
    stage = tensor * context * data
    copies = np.maximum(stage / expert, 1.0)

    def place(ranks: Any, stride: Any) -> Group:
        return group(ranks, stride, domain=domain, node=node)

    return Placement(
        tensor=place(tensor, 1.0),
        context=place(context, tensor),
        expert=place(expert, 1.0),
        data=place(context * data, tensor),
        expert_data=place(copies, expert),
        pipeline=place(stages, stage),
    )

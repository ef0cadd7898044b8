"""How uneven experts are loaded: the column `imbalance` of a mapping, drawn from chance and the skew of what is popular.

Benchmarks force balance (column 1). A real run routes by content; what a balanced router leaves is chance over the tokens of a
micro-batch that are routed together, and a skew of popularity where it is not balanced (`workload.imbalance`):

    tokens together = micro_batch seq / (cp tp) x ep

Layers wait for their busiest rank one by one, so each layer takes the expected largest load.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.training.columns import Mapping
from gigawatt.physics.training.shape import Shape
from gigawatt.physics.workload.imbalance import expected_imbalance


def drawn_imbalance(shape: Shape, mapping: Mapping, skew: float = 0.0) -> NDArray[np.float64]:
    """Busiest over mean load of expert ranks in each row; 1 without experts or with one expert rank.

    Args:
        shape: one model. Of several mixtures in it the worst counts.
        mapping: columns; tp, cp, ep, micro_batch and seq matter.
        skew: standard deviation over mean of experts' popularity; 0 is a router that balances perfectly on average.

    Raises:
        InputError: a negative skew, or experts that `ep` does not divide.
    """
    tokens = mapping.micro_batch * mapping.seq / (mapping.cp * mapping.tp)
    columns: tuple[Any, ...] = np.broadcast_arrays(np.asarray(tokens, dtype=float), np.asarray(mapping.ep, dtype=float))
    own, ranks = (np.atleast_1d(column) for column in columns)
    found = np.ones(own.shape)
    mixtures = {(int(kind.experts), int(kind.top_k)) for kind in shape.kinds if kind.experts > 0 and kind.count > 0}
    for experts, top_k in sorted(mixtures):
        for ep in np.unique(ranks):
            here = ranks == ep
            drawn = expected_imbalance(own[here] * ep, experts, top_k, int(ep), skew)
            found[here] = np.maximum(found[here], drawn)
    return found

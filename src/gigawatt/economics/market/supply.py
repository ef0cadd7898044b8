"""What can be made: the least of the inputs, each over what a unit of output needs of it.

    S_t       = min_j stock_jt / need_j                     (Leontief: no input replaces another)
    stock_j,t = base_j,t + sum over s <= t of sum_k a_k O_j,s-k
    dS/dstock = 1 / need_j for the one input that binds, 0 for every other; 0 for all where two bind alike

Shapes: [..., inputs, quarters], draws leading; S in GW a quarter, stocks in the input's own unit a quarter, needs in
that unit per GW. `base` is what stands or is on its way already; O are expansions ordered on top of it, a_k the share
of an order that arrives k quarters later. The worth of one unit more is one-sided, upward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
# Two inputs bind alike where they lie this close (relative).
_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Supply:
    """Supply, [..., quarters], and by input [..., inputs, quarters]: the output each would allow alone, the share of it
    that is used when all of S is made, and dS/dstock upward. `binds` is the index of the binding input."""

    made: Array
    allows: Array
    binds: NDArray[np.int64]
    slope: Array

    @property
    def used_share(self) -> Array:
        """Share of each input that making S takes: 1 for the one that binds."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.allows > 0, self.made[..., None, :] / self.allows, 1.0)

    @property
    def room(self) -> Array:
        """[..., quarters] output that the binding input could add before the next one binds."""
        least = np.partition(self.allows, 1, axis=-2) if self.allows.shape[-2] > 1 else None
        return np.full(self.made.shape, np.inf) if least is None else np.asarray(least[..., 1, :] - self.made)


def leontief(stock: ArrayLike, need: ArrayLike) -> Supply:
    """Supply from stocks [..., inputs, quarters] and needs [..., inputs].

    >>> made = leontief([[30.0], [12.0]], [5.0, 3.0])
    >>> made.made.tolist(), made.binds.tolist(), made.slope.round(3).tolist()
    ([4.0], [1], [[0.0], [0.333]])

    Raises:
        ValueError: a need that is not positive.
    """
    have, per = np.asarray(stock, dtype=np.float64), np.asarray(need, dtype=np.float64)
    if not np.all(per > 0):
        raise ValueError("every input needs a positive amount per unit of output")
    allows = have / per[..., None]
    binds = np.argmin(allows, axis=-2)
    made = np.take_along_axis(allows, binds[..., None, :], axis=-2)[..., 0, :]
    at_least = allows <= made[..., None, :] * (1 + _TIE)
    alone = at_least & (at_least.sum(axis=-2, keepdims=True) == 1)
    return Supply(made, allows, binds.astype(np.int64), np.where(alone, 1 / per[..., None], 0.0))


def lead_kernel(lead_quarters: ArrayLike, quarters: int) -> Array:
    """[..., quarters] share of an order that arrives k quarters later, for a lead time that need not be whole: the two
    whole quarters around it share the order so that the mean wait is the lead time.

    >>> lead_kernel(2.25, 5).tolist()
    [0.0, 0.0, 0.75, 0.25, 0.0]
    """
    lead = np.asarray(lead_quarters, dtype=np.float64)[..., None]
    return np.asarray(np.clip(1 - np.abs(np.arange(quarters) - lead), 0.0, 1.0))


def arrivals(orders: ArrayLike, kernel: ArrayLike) -> Array:
    """[..., quarters] what arrives in each quarter: sum_k a_k O_{t-k}.

    >>> arrivals([4.0, 0.0, 2.0, 0.0], [0.0, 0.75, 0.25, 0.0]).tolist()
    [0.0, 3.0, 1.0, 1.5]
    """
    placed, share = np.asarray(orders, dtype=np.float64), np.asarray(kernel, dtype=np.float64)
    span = placed.shape[-1]
    out = np.zeros(np.broadcast_shapes(placed.shape, (*share.shape[:-1], span)))
    for k in range(min(span, share.shape[-1])):
        out[..., k:] += placed[..., : span - k] * share[..., k : k + 1]
    return out


def stocks(base: ArrayLike, orders: ArrayLike, kernel: ArrayLike) -> Array:
    """Stock by quarter: what stands or is on its way, and all that has arrived of the orders."""
    return np.asarray(np.asarray(base, dtype=np.float64) + np.cumsum(arrivals(orders, kernel), axis=-1))

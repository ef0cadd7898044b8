"""What everybody really pays when some can not: clearing of a network of debts.

    Eisenberg-Noe     p = min(p_bar, e + Pi^T p)                      defaulters pay out all they have
    Rogers-Veraart    p_i = alpha e_i + beta (Pi^T p)_i  in default   a default destroys a part

with p_bar_i all that firm i owes (outside creditors included, pari passu), Pi_ij the share of it owed to j, e_i what
it owns outside the network. The answer is the greatest clearing vector, found by fictitious default: solve the
linear system of those known to default, add whom that drags along, at most n rounds. Unlike fixed-point iteration it
does not stall on rings of debt with little outside money.

Sources: Eisenberg and Noe, "Systemic Risk in Financial Systems", Management Science 47 (2001); Rogers and Veraart,
"Failure and Rescue in an Interbank Network", Management Science 59 (2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.finance.schedule import Array

# A firm that is short by less than this share of its debts has paid: rounding, not default.
PAID = 1e-12


@dataclass(frozen=True, slots=True)
class Clearing:
    """By firm: what it owes, what it pays, whether it defaults, and its equity afterwards; rounds taken."""

    owed_usd: Array
    paid_usd: Array
    defaulted: NDArray[np.bool_]
    equity_usd: Array
    rounds: int

    @property
    def shortfall_usd(self) -> Array:
        return self.owed_usd - self.paid_usd


def clear(
    liabilities_usd: ArrayLike,
    outside_assets_usd: ArrayLike,
    outside_liabilities_usd: ArrayLike | None = None,
    *,
    alpha: ArrayLike = 1.0,
    beta: ArrayLike = 1.0,
) -> Clearing:
    """Clear one network: `liabilities_usd[i, j]` is what i owes j.

    `alpha` and `beta` are the shares of outside assets and of claims on others that survive a default (1:
    Eisenberg-Noe), for all firms or by firm.

    >>> ring = np.array([[0.0, 4.0], [2.0, 0.0]])
    >>> clear(ring, [1.0, 0.5]).paid_usd.tolist()
    [3.0, 2.0]

    Raises:
        InputError: shapes that differ, negative amounts, a firm that owes itself, alpha or beta outside 0..1.
    """
    owed_to = np.asarray(liabilities_usd, dtype=np.float64)
    assets = np.asarray(outside_assets_usd, dtype=np.float64)
    outside = np.zeros(len(assets)) if outside_liabilities_usd is None else np.asarray(outside_liabilities_usd, float)
    alpha, beta = (np.broadcast_to(np.asarray(one, dtype=np.float64), assets.shape) for one in (alpha, beta))
    _check(owed_to, assets, outside, alpha, beta)
    owed = owed_to.sum(axis=1) + outside
    share = np.divide(owed_to, owed[:, None], out=np.zeros_like(owed_to), where=owed[:, None] > 0)
    paid = owed.copy()
    down = np.zeros(len(owed), dtype=np.bool_)
    rounds = 0
    while True:
        rounds += 1
        means = assets + share.T @ paid
        fallen = down | (means < owed * (1 - PAID))
        if np.array_equal(fallen, down):
            break
        down = fallen
        paid = _settle(share, assets, owed, down, alpha, beta)
    received = share.T @ paid
    worth = np.where(down, alpha * assets + beta * received, assets + received)
    return Clearing(owed, paid, down, np.maximum(worth - paid, 0.0), rounds)


def _settle(share: Array, assets: Array, owed: Array, down: NDArray[np.bool_], alpha: Array, beta: Array) -> Array:
    """Payments when exactly the firms `down` default: a linear system over them."""
    inside = share[np.ix_(down, down)]
    from_others = share[np.ix_(~down, down)].T @ owed[~down]
    known = alpha[down] * assets[down] + beta[down] * from_others
    matrix = np.eye(int(down.sum())) - beta[down][:, None] * inside.T
    try:
        solved = np.linalg.solve(matrix, known)
    except np.linalg.LinAlgError:
        # A closed ring that owes only itself: any scale solves it; the greatest is reached from above.
        solved = _descend(inside, known, owed[down], beta[down])
    paid = owed.copy()
    paid[down] = np.clip(solved, 0.0, owed[down])
    return paid


def _descend(inside: Array, known: Array, owed: Array, beta: Array) -> Array:
    paid = owed.copy()
    for _ in range(10_000):
        new = np.minimum(owed, known + beta * (inside.T @ paid))
        if np.max(np.abs(new - paid)) <= 1e-13 * max(float(owed.max()), 1e-300):
            return new
        paid = new
    return paid


def _check(owed_to: Array, assets: Array, outside: Array, alpha: Array, beta: Array) -> None:
    n = len(assets)
    if owed_to.shape != (n, n) or outside.shape != (n,):
        message = (
            f"{n} firms need {n} x {n} liabilities and {n} outside liabilities, not {owed_to.shape}, {outside.shape}"
        )
        raise InputError(Problem("wrong_length", message))
    if np.any(owed_to < 0) or np.any(assets < 0) or np.any(outside < 0):
        raise InputError(Problem("negative", "liabilities and outside assets can not be negative"))
    if np.any(np.diag(owed_to) != 0):
        raise InputError(Problem("pays_itself", "a firm can not owe itself"))
    if np.any((alpha < 0) | (alpha > 1) | (beta < 0) | (beta > 1)):
        raise InputError(Problem("out_of_range", "'alpha' and 'beta' are shares between 0 and 1"))

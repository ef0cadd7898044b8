"""Shapley effects: the variance shared out among inputs that may be correlated; shares that are 0 or more and sum to 1.

    c(J)  = E Var(Y | all inputs but those of J) = E (Y - Y_J)^2 / 2     Y_J: the inputs of J drawn anew, given all others
    s_i   = mean over orders of  c(those before i, and i) - c(those before i),   over Var Y

Few inputs: every subset J, each with the n rows of one sample, n 2^k evaluations (`subsets`). Many: random orders, each
forwards and backwards, n (k + 1) evaluations in all (`orders`): with the inputs ranked so that what is drawn anew comes last, a
Cholesky factor of the ranked matrix turns drawing anew into exchanging one independent normal after the other. For independent
inputs that is the algorithm of Goda (2021).

Draws given all others are those of the Gaussian copula, so any laws will do. Standard errors come from stretches of rows for
subsets, where they overstate the error of smooth models, and from pairs of orders else.

Sources: A. B. Owen, SIAM/ASA J. Uncertainty Quantification 2, 245 (2014); E. Song, B. L. Nelson, J. Staum, ibid. 4, 1060
(2016); A. B. Owen, C. Prieur, ibid. 5, 986 (2017), whose closed form for linear models is our test; T. Goda, Reliab. Eng. Syst.
Saf. 213, 107771 (2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.study.sampling.correlation import Correlation, factor_of
from gigawatt.study.sampling.sequence import normals
from gigawatt.study.sensitivity.inputs import Array, Groups, groups_of, numbers_of, ratio_of_means, steady

Method = Literal["subsets", "orders"]
MOST_SUBSETS = 6  # inputs up to which all subsets cost no more than is gained: 64 evaluations a row


@dataclass(frozen=True, slots=True)
class ShapleyDesign:
    """Rows to evaluate, `normals` [rows of the design, inputs]: correlated standard normal deviates.

    subsets: blocks of `rows`, first the sample, then every subset by its number (bit g is group g) from 1.
    orders: [orders, groups + 1, rows of an order], step s of an order has its last s groups drawn anew.
    """

    normals: Array
    rows: int
    groups: Groups
    method: Method
    orders: NDArray[np.intp]  # [orders, groups]; empty for subsets


@dataclass(frozen=True, slots=True)
class ShapleyEffects:
    """By group, in the order of the design: shares of `variance` that sum to 1, each with its standard error."""

    share: Array
    error: Array
    variance: float


def shapley_design(
    correlation: Correlation | Array | int,
    rows: int,
    seed: int,
    groups: Sequence[Sequence[int]] | None = None,
    *,
    method: Method | None = None,
    orders: int = 64,
    replicate: int = 0,
) -> ShapleyDesign:
    """The rows that Shapley effects need.

    Args:
        correlation: of the normals behind the inputs; a number is that many independent inputs.
        rows: n, best a power of two. With `orders` they are shared out among the orders, at least two each.
        seed, replicate: of the sequence, and of the orders.
        groups: columns that count as one input, such as all latent factors of calibrations.
        method: all subsets up to `MOST_SUBSETS` groups and random orders beyond, where None.
        orders: how many random orders, half of them the other half backwards.

    Raises:
        ValueError: too few rows or orders, or groups that do not hold each input once.
    """
    matrix = _matrix(correlation)
    inputs = len(matrix)
    made = groups_of(inputs, groups)
    method = method or ("subsets" if len(made) <= MOST_SUBSETS else "orders")
    if rows < 2 or (method == "orders" and orders < 2):
        raise ValueError("Shapley effects need two rows and two orders or more")
    if method == "subsets":
        both = normals(seed, 0, rows, 2 * inputs, replicate=replicate)
        base = both[:, 0::2] @ factor_of(matrix).T
        blocks = [base]
        for subset in range(1, 2 ** len(made)):
            drawn = [i for g, group in enumerate(made) if subset >> g & 1 for i in group]
            blocks.append(_drawn_anew(base, both[:, 1::2], matrix, drawn))
        return ShapleyDesign(np.concatenate(blocks), rows, made, method, np.empty((0, len(made)), dtype=np.intp))
    chosen = _orders(len(made), orders, seed, replicate)
    each = max(-(-rows // len(chosen)), 2)
    blocks = []
    for number, order in enumerate(chosen):
        # an aligned stretch of the sequence for each order: rows taken in turns would tie orders to its digits
        both = normals(seed, number * each, (number + 1) * each, 2 * inputs, replicate=replicate)
        ranked = [i for g in order for i in made[g]]
        factor = factor_of(matrix[np.ix_(ranked, ranked)])
        e = both[:, 0::2].copy(order="F")
        back = np.argsort(ranked)
        blocks.append((e @ factor.T)[:, back])
        end = inputs
        for g in order[::-1]:
            start = end - len(made[g])
            e[:, start:end] = both[:, 2 * start + 1 : 2 * end : 2]
            blocks.append((e @ factor.T)[:, back])
            end = start
    return ShapleyDesign(np.concatenate(blocks), each * len(chosen), made, method, chosen)


def shapley_effects(design: ShapleyDesign, values: ArrayLike) -> ShapleyEffects:
    """Shapley effects from the values of all rows of a design.

    Where nothing varies all shares are 0.

    Raises:
        ValueError: values of another length, or not finite.
    """
    column = numbers_of(values, len(design.normals))
    parts = _by_subsets(design, column) if design.method == "subsets" else _by_orders(design, column)
    whole = parts.sum(axis=0)
    variance = float(whole.mean())
    if steady(variance, float(np.square(column).mean())):
        none = np.zeros(len(design.groups))
        return ShapleyEffects(none, none, 0.0)
    share, error = ratio_of_means(parts, whole)
    return ShapleyEffects(share, error, variance)


def _by_subsets(design: ShapleyDesign, column: Array) -> Array:
    """Each group's part of every row, [groups, rows]: weights of Shapley over all subsets without it."""
    k = len(design.groups)
    f = column.reshape(2**k, design.rows)
    cost = 0.5 * (f - f[0]) ** 2
    size = np.array([subset.bit_count() for subset in range(2**k)])
    out = np.zeros((k, design.rows))
    for g in range(k):
        for subset in range(2**k):
            if not subset >> g & 1:
                out[g] += (cost[subset | 1 << g] - cost[subset]) / (k * comb(k - 1, int(size[subset])))
    return out


def _by_orders(design: ShapleyDesign, column: Array) -> Array:
    """Each group's part of every pair of an order and its reverse, [groups, pairs]."""
    count, k = design.orders.shape
    each = design.rows // count
    f = column.reshape(count, k + 1, each)
    cost = (0.5 * (f - f[:, :1]) ** 2).mean(axis=2)
    steps = np.diff(cost, axis=1)  # step s draws anew the s-th group from the end of the order
    parts = np.zeros((count, k))
    np.put_along_axis(parts, design.orders[:, ::-1], steps, axis=1)
    return np.asarray(parts.reshape(count // 2, 2, k).mean(axis=1).T)


def _drawn_anew(base: Array, fresh: Array, matrix: Array, drawn: Sequence[int]) -> Array:
    """The base with some columns drawn anew given all others: mean M z, covariance S - M S' of the normal law given others."""
    out = base.copy(order="F")
    kept = [i for i in range(len(matrix)) if i not in set(drawn)]
    pull = matrix[np.ix_(drawn, kept)] @ np.linalg.pinv(matrix[np.ix_(kept, kept)], hermitian=True)
    rest = matrix[np.ix_(drawn, drawn)] - pull @ matrix[np.ix_(kept, drawn)]
    out[:, drawn] = base[:, kept] @ pull.T + fresh[:, drawn] @ factor_of(rest).T
    return out


def _orders(groups: int, count: int, seed: int, replicate: int) -> NDArray[np.intp]:
    """Random orders, each followed by its reverse: [even count, groups]."""
    stream = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(replicate, 2**31))))
    forward = stream.permuted(np.tile(np.arange(groups), (-(-count // 2), 1)), axis=1)
    return np.stack([forward, forward[:, ::-1]], axis=1).reshape(-1, groups)


def _matrix(correlation: Correlation | Array | int) -> Array:
    if isinstance(correlation, Correlation):
        return correlation.matrix
    return np.eye(correlation) if isinstance(correlation, int) else np.asarray(correlation, dtype=np.float64)

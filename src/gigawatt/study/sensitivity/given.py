"""First-order indices from draws that exist already: no further evaluation, and correlated inputs are allowed.

    S_i = Var E(Y | X_i) / Var Y = sum over k of c_k^2 / Var Y
    c_k = mean over ranks r of y_(r) b_k(r)                        y_(r): the value of the row whose x_i has rank r

E(Y | X_i) is a series in functions b_k of the rank that are orthonormal over the n ranks: five powers of the normal deviate of
the rank, which follow what is smooth up to its tails, then cosines, n^(1/3) functions in all (9 to 40). An input with no more
different values than that takes the mean at each of them instead. Of independent rows the noise of M squares is taken off,
S - (1 - S) M / (n - M); a Sobol' sequence balances most of it out, and there S is too high by less than M / n.

Under correlation S_i counts what X_i tells of Y by itself and through the inputs that it moves with, so the sum may pass 1; an
input that matters only together with others has S_i = 0. Neighbours by rank are not compared (the estimate by Chatterjee's
correlation), since in a Sobol' sequence neighbours in one input lie apart in the others by design: that is biased.

Sources: E. Plischke, Reliab. Eng. Syst. Saf. 95, 354 (2010), cosines of the rank; J.-Y. Tissot, C. Prieur, ibid. 107, 205
(2012), the noise; S. Da Veiga, F. Gamboa, J. Nonparametric Statistics 25, 573 (2013), the error: a row adds
2 y m(x) - m(x)^2 - S y^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular
from scipy.special import ndtri

from gigawatt.study.sensitivity.inputs import Array, block_error, numbers_of, steady

_POWERS = 5
_MOST_TERMS = 40


@dataclass(frozen=True, slots=True)
class FirstOrder:
    """By input: index and its standard error; `noise` is the standard error where an input does not matter."""

    first: Array
    error: Array
    noise: float


def first_order(inputs: Array, values: ArrayLike, *, independent: bool = False) -> FirstOrder:
    """First-order indices of each column of an ordinary sample.

    Args:
        inputs: [rows, inputs]; only their order counts.
        values: [rows].
        independent: the rows are random numbers, not those of a Sobol' sequence.

    Raises:
        ValueError: fewer than 32 rows, another number of values, or values not finite.
    """
    rows, count = inputs.shape
    if rows < 32:
        raise ValueError("first-order indices from draws need 32 rows or more")
    y = numbers_of(values, rows)
    mean = float(y.mean())
    y = y - mean
    terms = min(max(round(rows ** (1 / 3)), _POWERS + 4), _MOST_TERMS)
    variance, noise = float((y * y).mean()), float(np.sqrt(2 * terms) / rows)
    first, error = np.zeros(count), np.zeros(count)
    if steady(variance, mean * mean):
        return FirstOrder(first, error, noise)
    basis = _basis(rows, terms)
    for i in range(count):
        expected, used = _expected(inputs[:, i], y, basis)
        if not used:
            continue  # a column in which nothing changes tells nothing
        raw = float((expected * expected).mean()) / variance
        first[i] = raw - (1 - raw) * used / (rows - used) if independent else raw
        added = 2 * y * expected - expected**2 - raw * y * y
        error[i] = np.hypot(block_error(added) / variance, (1 - raw) * noise)
    return FirstOrder(first, error, noise)


@lru_cache(maxsize=2)
def _basis(rows: int, terms: int) -> Array:
    """Functions of the rank, [rows, terms], of mean 0 and orthonormal as means over the ranks.

    By Cholesky factors of the Gram matrix, twice: orthonormal to rounding, and faster than Householder's QR.
    """
    u = (np.arange(rows) + 0.5) / rows
    z = ndtri(u)
    made = np.stack([z**k for k in range(_POWERS + 1)] + [np.cos(np.pi * k * u) for k in range(1, terms - _POWERS + 1)])
    for _ in range(2):
        made /= np.sqrt(np.square(made).mean(axis=1, keepdims=True))
        made = solve_triangular(np.linalg.cholesky(made @ made.T / rows), made, lower=True)
    return np.asarray(made[1:].T)


def _expected(column: Array, y: Array, basis: Array) -> tuple[Array, int]:
    """E(y | x) at each row, and how many constants were fitted to say it."""
    rows, terms = basis.shape
    order = np.argsort(column, kind="stable")
    new = np.diff(column[order]) > 0
    kinds = 1 + int(np.count_nonzero(new))
    out = np.empty_like(y)
    if kinds <= terms:
        which = np.concatenate([[0], np.cumsum(new)])
        out[order] = (np.bincount(which, weights=y[order]) / np.bincount(which))[which]
        return out, kinds - 1
    out[order] = basis @ (basis.T @ y[order] / rows)
    return out, terms

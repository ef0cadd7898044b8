"""Sobol' indices of independent inputs: what share of the variance is each input's, alone and with all it acts with.

    A, B     two independent samples of n rows;  A_i   A with the columns of input i from B
    first    S_i = mean of f(B) (f(A_i) - f(A)) / V                      Saltelli et al. 2010, equation (b) of table 2
    total    T_i = mean of (f(A) - f(A_i))^2 / 2 V                       Jansen 1999
    V        variance over A and B together;  f is centred first, which S_i needs where the mean is large

n (inputs + 2) evaluations, in one pass. Standard errors are asymptotic: the delta method for a ratio of means over rows, as in
Janon et al. (2014), from stretches of rows. Rows come from a Sobol' sequence, so they overstate the error of smooth models.

Sources: A. Saltelli et al., Comput. Phys. Commun. 181, 259 (2010); M. J. W. Jansen, ibid. 117, 35 (1999); A. Janon et al.,
ESAIM: Probability and Statistics 18, 342 (2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gigawatt.study.sampling.sequence import normals
from gigawatt.study.sensitivity.inputs import Array, Groups, groups_of, numbers_of, ratio_of_means, steady


@dataclass(frozen=True, slots=True)
class SobolDesign:
    """Rows to evaluate: A, B, then A with one group from B, `rows` each.

    `normals` [rows * (groups + 2), inputs] are standard normal deviates: `columns_of(laws, design.normals)` makes values.
    """

    normals: Array
    rows: int
    groups: Groups


@dataclass(frozen=True, slots=True)
class SobolIndices:
    """By group, in the order of the design: indices as shares of `variance`, each with its standard error."""

    first: Array
    first_error: Array
    total: Array
    total_error: Array
    mean: float
    variance: float


def sobol_design(
    inputs: int, rows: int, seed: int, groups: Sequence[Sequence[int]] | None = None, *, replicate: int = 0
) -> SobolDesign:
    """The design of Saltelli over `inputs` independent inputs.

    Args:
        inputs: how many columns.
        rows: n, best a power of two; 1,024 resolve an index to about 0.03.
        seed, replicate: of the sequence. Input i takes dimensions 2 i (A) and 2 i + 1 (B), so a further input changes none.
        groups: columns that count as one input.

    Raises:
        ValueError: fewer than two rows, or groups that do not hold each input once.
    """
    if rows < 2:
        raise ValueError("Sobol' indices need two rows or more")
    made = groups_of(inputs, groups)
    both = normals(seed, 0, rows, 2 * inputs, replicate=replicate)
    a, b = both[:, 0::2], both[:, 1::2]
    blocks = [a, b]
    for group in made:
        block = a.copy(order="F")
        block[:, list(group)] = b[:, list(group)]
        blocks.append(block)
    return SobolDesign(np.concatenate(blocks), rows, made)


def sobol_indices(design: SobolDesign, values: ArrayLike) -> SobolIndices:
    """First and total indices from the values of all rows of a design.

    Where nothing varies all indices are 0.

    Raises:
        ValueError: values of another length, or not finite.
    """
    n, k = design.rows, len(design.groups)
    whole = numbers_of(values, n * (k + 2)).reshape(k + 2, n)
    mean = float(whole[:2].mean())
    f = whole - mean
    a, b, mixed = f[0], f[1], f[2:]
    square = 0.5 * (a * a + b * b)  # by row; its mean is the variance
    variance = float(square.mean())
    if steady(variance, mean * mean):
        none = np.zeros(k)
        return SobolIndices(none, none, none, none, mean, 0.0)
    first, first_error = ratio_of_means(b * (mixed - a), square)
    total, total_error = ratio_of_means(0.5 * (a - mixed) ** 2, square)
    return SobolIndices(first, first_error, total, total_error, mean, variance)

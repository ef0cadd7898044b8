"""What all estimates share: inputs in groups that move together, values that are numbers, errors of means over rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Groups = tuple[tuple[int, ...], ...]


def groups_of(inputs: int, groups: Sequence[Sequence[int]] | None) -> Groups:
    """Columns of each group; every input by itself where none are given.

    Raises:
        ValueError: an input that is in no group or in two, or that does not exist.
    """
    if groups is None:
        return tuple((i,) for i in range(inputs))
    made = tuple(tuple(int(i) for i in group) for group in groups)
    if sorted(i for group in made for i in group) != list(range(inputs)) or not all(made):
        raise ValueError(f"groups must hold each of the {inputs} inputs once")
    return made


def numbers_of(values: ArrayLike, rows: int) -> Array:
    """The values of a design as a column.

    Raises:
        ValueError: another number of rows, or values that are no finite numbers: a variance has no place for them.
    """
    column = np.asarray(values, dtype=np.float64)
    if column.shape != (rows,):
        raise ValueError(f"the design has {rows} rows, the values have the shape {column.shape}")
    bad = int(np.count_nonzero(~np.isfinite(column)))
    if bad:
        raise ValueError(f"{bad} of {rows} values are not finite: say what they are worth, or leave their inputs out")
    return column


def block_error(terms: Array, blocks: int = 16) -> Array:
    """Standard error of the mean of terms [..., rows], from the means of stretches of rows.

    Right for independent rows. For rows of one Sobol' sequence each stretch is a net by itself, so that part of what the
    sequence gains is seen; it still overstates the error of the whole. Rows are taken singly where a stretch would hold
    fewer than 16.
    """
    rows = terms.shape[-1]
    each = rows // blocks
    if each < 16:
        return np.asarray(terms.std(axis=-1, ddof=1) / np.sqrt(rows))
    means = terms[..., : each * blocks].reshape(*terms.shape[:-1], blocks, each).mean(axis=-1)
    return np.asarray(means.std(axis=-1, ddof=1) / np.sqrt(blocks))


def ratio_of_means(above: Array, below: Array) -> tuple[Array, Array]:
    """Means of rows [..., rows] over the mean of `below` [rows], with the standard error of the ratio (delta method).

    error = that of the mean of (above - ratio below), over the mean of `below`
    """
    under = float(below.mean())
    ratio = np.asarray(above.mean(axis=-1) / under)
    return ratio, block_error(above - ratio[..., None] * below) / abs(under)


def steady(variance: float, scale: float) -> bool:
    """Whether a variance is rounding alone, beside the square of the values."""
    return variance <= 1e-24 * scale or variance <= 0

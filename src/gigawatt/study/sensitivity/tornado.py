"""Tornado: each input at its P10 and its P90 with all others at their medians.

One input moves at a time, so what inputs do together is not in it, and neither are their correlations; the bars show what a
reader asks first and not how the variance is shared out (`shapley` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from gigawatt.study.sensitivity.inputs import Array, Groups, groups_of, numbers_of


@dataclass(frozen=True, slots=True)
class TornadoDesign:
    """Rows to evaluate, `normals` [1 + 2 groups, inputs]: all medians, then low and high of each group in turn."""

    normals: Array
    groups: Groups
    levels: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tornado:
    """By group, in the order of the design: the result with it at the low and at the high level; `order` widest bar first."""

    middle: float
    low: Array
    high: Array
    order: NDArray[np.intp]

    @property
    def swing(self) -> Array:
        """What lies between the least and the largest of the three results of each group."""
        ends = np.stack([self.low, self.high, np.full(len(self.low), self.middle)])
        return np.asarray(ends.max(axis=0) - ends.min(axis=0))


def tornado_design(
    inputs: int, groups: Sequence[Sequence[int]] | None = None, levels: tuple[float, float] = (0.1, 0.9)
) -> TornadoDesign:
    """The rows of a tornado; the members of a group move together, all to the same level.

    Raises:
        ValueError: levels that are not 0 < low < high < 1, or groups that do not hold each input once.
    """
    if not 0 < levels[0] < levels[1] < 1:
        raise ValueError("the levels of a tornado rise between 0 and 1, such as 0.1 and 0.9")
    made = groups_of(inputs, groups)
    rows = np.zeros((1 + 2 * len(made), inputs))
    ends = ndtri(np.array(levels))
    for g, group in enumerate(made):
        rows[1 + 2 * g : 3 + 2 * g, list(group)] = ends[:, None]
    return TornadoDesign(rows, made, levels)


def tornado(design: TornadoDesign, values: ArrayLike) -> Tornado:
    """Bars from the values of all rows of a design.

    Raises:
        ValueError: values of another length, or not finite.
    """
    column = numbers_of(values, len(design.normals))
    made = Tornado(float(column[0]), column[1::2], column[2::2], np.empty(0, dtype=np.intp))
    return Tornado(made.middle, made.low, made.high, np.argsort(-made.swing, kind="stable"))

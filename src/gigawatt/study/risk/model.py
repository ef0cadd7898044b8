"""What an analysis of risk needs of a question: named inputs with laws, and metrics of many draws at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gigawatt.study.sampling import Correlation, Law, Sampler

Array = NDArray[np.float64]
Say = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Input:
    """An uncertain input as it is shown.

    `unit` is 'x' for factors, else that of its values; `times` turns what the law gives into it; `kind` is file, calibration or
    catalog: who says how far it varies.
    """

    name: str
    words: str
    law: Law
    unit: str
    kind: str
    source: str
    times: float = 1.0


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of the question: its value as the file stands, None where it has none."""

    name: str
    value: float | None
    unit: str
    formula: str = ""
    inputs: str = ""


class Model(Protocol):
    """A question whose inputs may be drawn.

    `quick`: a draw costs so little that an analysis may ask for tens of thousands. `held`: what a draw leaves as it is.
    """

    quick: bool
    held: str

    @property
    def inputs(self) -> tuple[Input, ...]: ...

    @property
    def sampler(self) -> Sampler: ...

    @property
    def metrics(self) -> tuple[Metric, ...]: ...

    def values(self, normal: Array, say: Callable[[int], Any] = ..., only: str = "") -> dict[str, Array]:
        """Metrics [draws] from correlated standard normals [draws, inputs]; at least the one named by `only`, if any is."""
        ...


@dataclass(frozen=True, slots=True)
class Promise:
    """A covenant with its level in the unit of its metric."""

    id: str
    metric: str
    level: float
    at_least: bool

    def broken(self, values: Array) -> NDArray[np.bool_]:
        """Draws that break it; a draw without a value (no return, never paid back) does."""
        return ~(values >= self.level) if self.at_least else ~(values <= self.level)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a model: the metric whose causes are sought, how many draws, which promises."""

    metric: str
    samples: int
    promises: tuple[Promise, ...] = ()
    seed: int = 20260101
    further: Mapping[str, Array] = field(default_factory=dict)


def correlation_matrix(correlation: Correlation | None, inputs: int) -> Array:
    """Of the normals; the identity where all are independent."""
    return np.eye(inputs) if correlation is None else correlation.matrix

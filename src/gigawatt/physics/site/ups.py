"""Conversion stages with losses that follow their load, and modules in parallel for redundancy.

    loss / rated output = no_load + proportional x + square x^2,   x = output / rated output
    efficiency          = x / (x + loss)

The three terms are those of converters (standing losses; switching and filters; currents in copper), as in Schneider Electric
white paper 108, "Making large UPS systems more efficient". Best is x* = sqrt(no_load / square): where no_load >= square,
more load is never less efficient, and a module more is never a gain at the same load; where square is the larger, a lightly
loaded pair may beat one module that runs full.

Of modules that share the load evenly, with n that are needed: N runs n, N+1 runs n + 1, 2N runs 2 n; each carries
x = load n / running. Installed capacity is running / n of the load the site was built for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem

Array = NDArray[np.float64]
Redundancy = Literal["N", "N+1", "2N"]
LEAST_LOAD = 1e-3  # below this share of its rating a stage's efficiency says nothing


@dataclass(frozen=True, slots=True)
class Stage:
    """Losses of one conversion stage as shares of rated output.

    Raises:
        InputError: a negative share.
    """

    no_load: float = 0.0
    proportional: float = 0.0
    square: float = 0.0

    def __post_init__(self) -> None:
        found = [
            Problem("out_of_range", f"conversion stage: {name} is {value:g}; it must not be negative")
            for name in ("no_load", "proportional", "square")
            if not (value := getattr(self, name)) >= 0
        ]
        if found:
            raise InputError(found)

    @property
    def best_load(self) -> float:
        """Share of the rating with the highest efficiency, at most 1."""
        return 1.0 if self.square <= self.no_load else float(np.sqrt(self.no_load / self.square))

    def efficiency(self, load: ArrayLike) -> Array:
        """Output over input at a share of rated output.

        >>> Stage(0.01, 0.017, 0.01).efficiency([0.25, 0.5, 1.0]).round(3)
        array([0.944, 0.96 , 0.964])
        """
        x = np.maximum(np.asarray(load, dtype=np.float64), LEAST_LOAD)
        return np.asarray(1.0 / (1.0 + self.no_load / x + self.proportional + self.square * x), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Modules:
    """Modules in parallel: `needed` carry the whole load the site was built for, more run for `redundancy`.

    Raises:
        InputError: an unknown redundancy, or fewer than one module.
    """

    redundancy: Redundancy = "N"
    needed: int = 4

    def __post_init__(self) -> None:
        if self.redundancy not in get_args(Redundancy):
            known = ", ".join(get_args(Redundancy))
            raise InputError(Problem("unknown_name", f"redundancy '{self.redundancy}' is none of {known}"))
        if self.needed < 1:
            raise InputError(
                Problem("out_of_range", f"redundancy of {self.needed} modules; at least one must be needed")
            )

    @property
    def installed(self) -> float:
        """Installed over needed capacity: 1, (n + 1) / n or 2."""
        return {"N": 1.0, "N+1": (self.needed + 1) / self.needed, "2N": 2.0}[self.redundancy]

    def load(self, load: ArrayLike) -> Array:
        """Share of its rating that each module carries at a share of the site's load."""
        return np.asarray(np.asarray(load, dtype=np.float64) / self.installed, dtype=np.float64)

"""What can give watts in an hour: the columns that a dispatch is made from, for plant of any kind.

A source is a column of watts it could give in each hour, whatever made it (a grid connection, turbines, sun), with what
a dispatch must mind of it: whether unused output is lost, the least that one unit can run at, how fast the whole may
change. Hours are of local time from the first of January, as the weather's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem

Array = NDArray[np.float64]
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Source:
    """One source of watts, columns of H hours.

    Attributes:
        name: unique among the sources of a site.
        available_w: [H] what it could give.
        least_w: what one of its units gives at least while it runs; 0 where it can be turned down to nothing.
        must_run: it is never turned off: it gives at least `least_w` (or all it has, if less) in every hour.
        weather: its output costs no fuel and is lost where nobody takes it (sun, wind); what is not taken is curtailed.
        ramp_w_per_h: how much its watts may change from one hour to the next; infinity where it follows within the hour.
        carbon_kg_per_j: emitted for a joule given.
        own: stands on the site; a grid connection does not.

    Raises:
        InputError: a negative or missing number.
    """

    name: str
    available_w: Array
    least_w: float = 0.0
    must_run: bool = False
    weather: bool = False
    ramp_w_per_h: float = float("inf")
    carbon_kg_per_j: float = 0.0
    own: bool = True

    def __post_init__(self) -> None:
        found = [
            Problem("out_of_range", f"source '{self.name}': {field} must be a number that is not negative")
            for field in ("available_w", "least_w", "ramp_w_per_h", "carbon_kg_per_j")
            if not np.all(np.asarray(getattr(self, field)) >= 0)
        ]
        if not np.all(np.isfinite(self.available_w)) or np.ndim(self.available_w) != 1:
            found.append(Problem("out_of_range", f"source '{self.name}': available_w must be a column of finite watts"))
        if found:
            raise InputError(found)

    @classmethod
    def of(cls, name: str, available_w: ArrayLike, hours: int, **more: object) -> Source:
        """A source whose watts may be given as one number for all hours."""
        column = np.array(np.broadcast_to(np.asarray(available_w, dtype=np.float64), (hours,)))
        return cls(name, column, **more)  # type: ignore[arg-type]

    @property
    def floor_w(self) -> Array:
        """[H] the least it gives in each hour: nothing, unless it must run."""
        return np.minimum(self.least_w, self.available_w) if self.must_run else np.zeros_like(self.available_w)


def stacked(sources: tuple[Source, ...], hours: int) -> tuple[Array, Array]:
    """Available watts and floors of all sources, [S, H] each.

    Raises:
        InputError: a source of another length, or two of one name.
    """
    names = [source.name for source in sources]
    found = [
        Problem("bad_shape", f"source '{s.name}' has {len(s.available_w)} hours, the load {hours}")
        for s in sources
        if len(s.available_w) != hours
    ]
    found += [
        Problem("duplicate_name", f"two sources are named '{n}'")
        for n in sorted({n for n in names if names.count(n) > 1})
    ]
    if found:
        raise InputError(found)
    if not sources:
        return np.zeros((0, hours)), np.zeros((0, hours))
    return np.array([s.available_w for s in sources]), np.array([s.floor_w for s in sources])

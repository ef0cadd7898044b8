"""What of a benchmark's way of measuring shows in its figures.

A closed-loop benchmark sends as many requests as it has users at once, and one more whenever one is answered, until `waves`
times as many are done. Those of the first wave wait for each other's prompts; a mean over all requests holds 1 / waves of that
wait (and what is left of it in the next waves, see the constant `echo`), a median none of it beyond two waves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import InputError, Problem, nearest

STATISTICS = ("mean", "median")


@dataclass(frozen=True, slots=True)
class Protocol:
    """`waves`: requests over users (inf: a steady stream without a start); `statistic`: what is reported of their times.

    Raises:
        InputError: fewer than one wave, or an unknown statistic: both at once.
    """

    waves: float = np.inf
    statistic: str = "mean"

    def __post_init__(self) -> None:
        problems = []
        if not self.waves >= 1.0:
            problems.append(Problem("wrong_value", f"{self.waves} requests for each user: at least one is sent"))
        if self.statistic not in STATISTICS:
            near = nearest(self.statistic, STATISTICS)
            hints = ((f"did you mean '{near}'?",) if near else ()) + (f"known: {', '.join(STATISTICS)}",)
            problems.append(Problem("unknown_name", f"there is no statistic '{self.statistic}'", None, hints))
        if problems:
            raise InputError(problems)

    @property
    def burst(self) -> float:
        """Share of the first wave in the figure: `Load.burst`.

        >>> Protocol(10).burst, Protocol(10, "median").burst, Protocol().burst
        (0.1, 0.0, 0.0)
        """
        return 1.0 / self.waves if self.statistic == "mean" or self.waves <= 2.0 else 0.0

"""How strong each moat of a vendor is: the factors that apply when it is off, and when rivals are given it.

All matrices are [platforms, workloads]. The first three hold 1 on the rows of rivals, the three that are given hold 1 on the
vendor's own.

| moat          | off (the vendor's platforms)                     | given (every rival)      |
|---------------|--------------------------------------------------|--------------------------|
| software      | tokens x software, price-linked charge x charge  | tokens x given_software   |
| networking    | tokens x networking, same watts and price        | tokens x given_networking |
| perf_per_watt | watts x watts, same tokens and price             | watts x given_watts      |
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
MOATS = ("software", "networking", "perf_per_watt")


@dataclass(frozen=True, slots=True)
class MoatTerms:
    """Factors of the moats of the platforms `focal` (row numbers).

    Attributes:
        software: the named rival's speed of software over ours, with the share of life that is left after porting; 0 where
            the work is lost. Above 1 the rival's is better.
        networking: tokens in the rival's network over those in our own.
        watts: our tokens per watt over the rival's at equal software and network.
        charge: [platforms] factor on the price-linked charge without the software: a shorter life.
        cost_share: [platforms] production cost over list price. sold_share: [platforms] of the rack's price that the vendor is
            paid. box_price, box_watts: [platforms] price and watts of a box of the rival's domain over the platform's own.
    """

    focal: tuple[int, ...]
    software: Array
    networking: Array
    watts: Array
    charge: Array
    given_software: Array
    given_networking: Array
    given_watts: Array
    cost_share: Array
    sold_share: Array
    box_price: Array = field(default_factory=lambda: np.ones(0))
    box_watts: Array = field(default_factory=lambda: np.ones(0))

    @classmethod
    def of(
        cls,
        focal: tuple[int, ...],
        platforms: int,
        workloads: int,
        *,
        software: ArrayLike = 1.0,
        networking: ArrayLike = 1.0,
        watts: ArrayLike = 1.0,
        charge: ArrayLike = 1.0,
        given_software: ArrayLike = 1.0,
        given_networking: ArrayLike = 1.0,
        given_watts: ArrayLike = 1.0,
        cost_share: ArrayLike = 1.0,
        sold_share: ArrayLike = 1.0,
        box_price: ArrayLike = 1.0,
        box_watts: ArrayLike = 1.0,
    ) -> MoatTerms:
        """Terms from scalars, one factor a workload, or whole matrices; rows that a factor does not concern are set to 1.

        Raises:
            ValueError: a factor is negative, or watts, charges and prices are not above zero.
        """
        ours = np.zeros(platforms, dtype=np.bool_)
        ours[list(focal)] = True

        def matrix(values: ArrayLike, on: NDArray[np.bool_]) -> Array:
            given = np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), (platforms, workloads)))
            given[~on] = 1.0
            return given

        def by_platform(values: ArrayLike) -> Array:
            given = np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), platforms))
            given[~ours] = 1.0
            return given

        made = cls(
            tuple(focal),
            matrix(software, ours),
            matrix(networking, ours),
            matrix(watts, ours),
            by_platform(charge),
            matrix(given_software, ~ours),
            matrix(given_networking, ~ours),
            matrix(given_watts, ~ours),
            by_platform(cost_share),
            by_platform(sold_share),
            by_platform(box_price),
            by_platform(box_watts),
        )
        tokens = (made.software, made.networking, made.given_software, made.given_networking)
        above = (made.watts, made.charge, made.given_watts, made.cost_share, made.box_price, made.box_watts)
        if not all(np.all(v >= 0) for v in tokens) or not all(np.all(v > 0) for v in above):
            raise ValueError("factors of moats must not be negative, and those of watts and prices lie above zero")
        return made

    def opened(self) -> MoatTerms:
        """The terms where every rival has the vendor's software already: nothing of it is the vendor's own any more."""
        one = np.ones_like(self.software)
        return replace(self, software=one, charge=np.ones_like(self.charge), given_software=one)

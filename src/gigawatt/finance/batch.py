"""Many draws in chunks: obligations are made and settled a few hundred draws at a time, and only what is asked for is kept.

Postings of every draw would take gigabytes; the books that are kept take megabytes. A draw's numbers do not depend on the
chunk it falls in, and chunks are put together in their order, so neither chunk size nor the number of workers changes a bit
of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from gigawatt.finance.books import Firm
from gigawatt.finance.obligations import Obligations
from gigawatt.finance.settlement import KEPT, Settlement, settle

# Draws at a time: large enough for columns to pay, small enough for a second core's cache (measured: 125 to 500 are alike).
CHUNK = 250

Make = Callable[[int, int], Obligations]


def settle_draws(
    make: Make,
    firms: Sequence[Firm],
    draws: int,
    *,
    chunk: int = CHUNK,
    workers: int = 1,
    alpha: float = 1.0,
    beta: float = 1.0,
    keep: Sequence[str] = KEPT,
    progress: Callable[[int], None] = lambda done: None,
) -> Settlement:
    """Settle `draws` draws; `make(first, last)` gives the obligations of draws first..last-1.

    Returns:
        One settlement over all draws, with the books of `keep` in single precision and no payments by line.
    """
    bounds = [(first, min(first + chunk, draws)) for first in range(0, draws, chunk)]

    def one(bound: tuple[int, int]) -> Settlement:
        made = settle(make(*bound), firms, alpha=alpha, beta=beta, keep=keep)
        progress(bound[1])
        return made

    if workers > 1 and len(bounds) > 1:
        with ThreadPoolExecutor(workers) as pool:
            parts = list(pool.map(one, bounds))
    else:
        parts = [one(bound) for bound in bounds]
    return _joined(parts)


def _joined(parts: Sequence[Settlement]) -> Settlement:
    first = parts[0]
    return Settlement(
        first.schedule,
        first.parties,
        first.lines,
        first.guarantees,
        {name: np.concatenate([part.books[name] for part in parts], axis=-1) for name in first.books},
        np.concatenate([part.default_period for part in parts], axis=-1),
        np.concatenate([part.shortfall_usd for part in parts], axis=-1),
        np.concatenate([part.lost_usd for part in parts], axis=-1),
        np.zeros((0, 0, 0)),
        np.concatenate([part.called_usd for part in parts], axis=-1),
        max(part.residual for part in parts),
    )

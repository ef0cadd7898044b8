"""Many draws in chunks: obligations are made and settled a few hundred draws at a time, and only what is asked for is kept.

Postings of every draw would take gigabytes; the books that are kept take megabytes. A draw's numbers do not depend on the
chunk it falls in, and chunks are put together in their order, so neither chunk size nor the number of workers changes a bit
of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
            return _joined(pool.map(one, bounds), bounds, draws)
    return _joined(map(one, bounds), bounds, draws)


def _joined(parts: Iterable[Settlement], bounds: Sequence[tuple[int, int]], draws: int) -> Settlement:
    """The parts as one; each is laid into its place as it comes and let go, so that none is held twice."""
    whole: Settlement | None = None
    for (first, last), part in zip(bounds, parts, strict=True):
        if whole is None:
            whole = replace(
                part,
                books={name: _empty(book, draws) for name, book in part.books.items()},
                default_period=_empty(part.default_period, draws),
                shortfall_usd=_empty(part.shortfall_usd, draws),
                lost_usd=_empty(part.lost_usd, draws),
                called_usd=_empty(part.called_usd, draws),
            )
        for name, book in part.books.items():
            whole.books[name][..., first:last] = book
        whole.default_period[..., first:last] = part.default_period
        whole.shortfall_usd[..., first:last] = part.shortfall_usd
        whole.lost_usd[..., first:last] = part.lost_usd
        whole.called_usd[..., first:last] = part.called_usd
        whole = replace(whole, residual=max(whole.residual, part.residual))
    assert whole is not None, "there is at least one draw"
    return whole


def _empty(like: NDArray[Any], draws: int) -> NDArray[Any]:
    return np.empty((*like.shape[:-1], draws), dtype=like.dtype)

"""Products of a layer at their distinct settings, timed together on the measured chip floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.chip import Chip
from gigawatt.physics.chip.kernels import kernel_seconds

Column = NDArray[np.float64]
PRECISION = {"16": "bf16", "8": "fp8", "mx8": "fp8", "4": "fp4"}


@dataclass(frozen=True, slots=True)
class Rank:
    """The columns that kernels depend on, flat and equally long. `spread` context ranks share heads instead of tokens."""

    chip: Chip
    width: str
    cast: float
    tp: Column
    cp: Column
    ep: Column
    micro: Column
    seq: Column
    parallel: Column
    etp: Column
    load: Column
    spread: Column
    flash: Column
    model: Column

    @property
    def tokens(self) -> Column:
        return self.micro * self.seq / self.cp

    @property
    def precision(self) -> str:
        """The chip's own name of the width: int8 where it has no 8-bit floats."""
        name, known = PRECISION[self.width], self.chip.peak_flops
        return "int8" if name == "fp8" and "fp8" not in known and "int8" in known else name

    def take(self, rows: NDArray[np.intp]) -> Rank:
        """The rows named."""
        columns = (getattr(self, f.name)[rows] for f in fields(self)[3:])
        return Rank(self.chip, self.width, self.cast, *columns)


def distinct(*columns: Column) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(first row of each distinct combination, which of them each row is).

    >>> [x.tolist() for x in distinct(np.array([3.0, 1.0, 3.0]), np.array([2.0, 2.0, 2.0]))]
    [[1, 0], [1, 0, 1]]
    """
    moving = [column for column in map(np.ravel, columns) if column.size and np.any(column != column[0])]
    count = np.size(columns[0])
    if not moving:
        return np.zeros(min(count, 1), dtype=np.intp), np.zeros(count, dtype=np.intp)
    order = np.lexsort(moving[::-1])  # the first column counts most; equal rows stay in their order
    new = np.zeros(count, dtype=np.bool_)
    for column in moving:
        ordered = column[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    inverse = np.empty(count, dtype=np.intp)
    inverse[order] = np.cumsum(new)
    new[0] = True
    return order[new], inverse


@dataclass(frozen=True, slots=True)
class Product:
    """m x k by k x n products, one row each, whose seconds go to column `name`; in 16 bit where `wide`.

    They are added to the columns of `parts` too, where those are 1.
    """

    name: str
    m: Column
    n: Column
    k: Column
    wide: Any = False
    times: Any = 1.0
    parts: Sequence[tuple[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Kernels at their distinct settings: seconds known so far, products still to be timed, and whose row is whose."""

    columns: dict[str, Column]
    products: list[Product]
    inverse: NDArray[np.intp]


def time_products(rank: Rank, parts: Sequence[Part]) -> None:
    """Times the products of all parts together, one call a precision, and adds them to their columns."""
    asked = [(part.columns, product) for part in parts for product in part.products]
    if not asked:
        return
    size = [product.m.size for _, product in asked]
    m, n, k, wide = (
        np.concatenate([np.broadcast_to(getattr(p, side), p.m.shape) for _, p in asked])
        for side in ("m", "n", "k", "wide")
    )
    seconds = np.zeros(m.size)
    there = (m > 0) & (n > 0) & (k > 0)
    for precision, rows in (("bf16", there & wide), (rank.precision, there & ~wide)):
        if np.any(rows):
            sides = {"m": m[rows], "n": n[rows], "k": k[rows]}
            seconds[rows] = kernel_seconds(rank.chip, "gemm", precision, **sides, fused_quantise=True).seconds
    for (columns, product), found in zip(asked, np.split(seconds, np.cumsum(size)[:-1]), strict=True):
        columns[product.name] = columns.get(product.name, 0.0) + product.times * found
        for name, mine in product.parts:
            columns[name] = columns.get(name, 0.0) + mine * found


def three_passes(
    prefix: str,
    m: Column,
    n: Column,
    k: Column,
    wide: Any = False,
    times: Any = 1.0,
    parts: Sequence[tuple[str, Any]] = (),
) -> list[Product]:
    """A matrix forward, for its input's gradient and for its own."""
    n, k = np.broadcast_to(n, m.shape), np.broadcast_to(k, m.shape)
    return [
        Product(f"{prefix}forward_s", m, n, k, wide, times, parts),
        Product(f"{prefix}input_s", m, k, n, wide, times),
        Product(f"{prefix}weight_s", k, n, m, wide, times),
    ]

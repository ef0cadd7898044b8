"""A scrambled Sobol' sequence whose row d depends on the seed and d alone.

    x_d = s + sum over bits b of d of v'_b   (addition without carry: exclusive or),      v'_b = L v_b

v_b are the direction numbers of Joe and Kuo (2008) as SciPy holds them, L a random lower triangular matrix of bits with ones
on its diagonal and s a random shift, both of one dimension alone: the linear matrix scramble with digital shift of Matousek
(1998). A row is worked out from its number, so prefixes, chunks and any first row give the same rows; a dimension from its
number, so that more dimensions leave the first ones as they are. Rows come in the order of their number, not of the Gray code:
the first 2^k, and every aligned block of 2^k, are the same nets.

Sources: S. Joe, F. Y. Kuo, SIAM J. Sci. Comput. 30(5), 2635 (2008); J. Matousek, J. Complexity 14, 527 (1998); A. B. Owen,
"On dropping the first Sobol' point", arXiv:2008.08051 (why the first row is kept and powers of two are best).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]
Words = NDArray[np.uint32]

SOBOL_DIMENSIONS = 21_201  # of the direction numbers that SciPy has; those beyond are filled with independent numbers
MOST_ROWS = 2**26  # direction numbers of later rows take seconds to read
_BITS = 32
_TABLE_BITS = 10  # rows that are written at once: 2^10 rows of a dimension stay in the first cache
_STEP = 2.0**-_BITS


def uniforms(seed: int, start: int, stop: int, dimensions: int | Sequence[int], *, replicate: int = 0) -> Array:
    """Rows `start` to `stop` of the sequence, strictly inside (0, 1): [stop - start, dimensions].

    A value is the middle of one of 2^32 cells, so its inverse normal is finite (within 6.4). Columns lie contiguous.

    Args:
        seed: 0 or more.
        start, stop: row numbers, `stop` not included; at most `MOST_ROWS`.
        dimensions: how many (the first ones), or which by number. Dimensions beyond `SOBOL_DIMENSIONS` are independent uniform
            numbers (counter-based, by seed, dimension and row).
        replicate: another scramble of the same seed. Estimates from replicates are independent, which gives them a standard
            error; rows of two replicates are not to be laid side by side (take further dimensions for that).

    Raises:
        ValueError: rows out of range, or a negative seed, dimension or replicate.
    """
    if not 0 <= start <= stop <= MOST_ROWS:
        raise ValueError(f"rows {start} to {stop} are not within 0 to {MOST_ROWS:,}")
    numbers = tuple(range(dimensions)) if isinstance(dimensions, int) else tuple(int(d) for d in dimensions)
    if min(numbers, default=0) < 0 or seed < 0 or replicate < 0:
        raise ValueError("a seed, a dimension and a replicate are 0 or more")
    out = np.empty((len(numbers), stop - start))
    if stop == start or not numbers:
        return out.T
    wanted = np.array(numbers)
    inside = np.flatnonzero(wanted < SOBOL_DIMENSIONS)
    if inside.size:
        _fill(out, inside, _scrambled(seed, replicate, tuple(wanted[inside].tolist()), _coarse(stop)), start)
    for at in np.flatnonzero(wanted >= SOBOL_DIMENSIONS):
        out[at] = _independent(seed, replicate, int(wanted[at]), start, stop)
    return out.T


def normals(seed: int, start: int, stop: int, dimensions: int | Sequence[int], *, replicate: int = 0) -> Array:
    """The same rows as independent standard normal deviates."""
    made = uniforms(seed, start, stop, dimensions, replicate=replicate)
    return np.asarray(ndtri(made, out=made))


def _fill(out: Array, into: NDArray[np.intp], words: Words, start: int) -> None:
    """Write rows from `start` on into the lines `into` of `out`; words: [dimensions, 1 + bits], shift first."""
    table = _table(words[:, 0], words[:, 1 : 1 + _TABLE_BITS])
    width, stop = table.shape[1], start + out.shape[1]
    for block in range(start // width, (stop - 1) // width + 1):
        offset = np.zeros(len(words), dtype=np.uint32)
        for bit in range(block.bit_length()):
            if block >> bit & 1:
                offset ^= words[:, 1 + _TABLE_BITS + bit]
        first, last = max(start, block * width), min(stop, (block + 1) * width)
        rows = table[:, first - block * width : last - block * width] ^ offset[:, None]
        out[into, first - start : last - start] = (rows + 0.5) * _STEP


def _table(shift: Words, directions: Words) -> Words:
    """The first 2^bits rows, [dimensions, rows], by doubling."""
    table = shift[:, None]
    for bit in range(directions.shape[1]):
        table = np.concatenate([table, table ^ directions[:, bit, None]], axis=1)
    return table


def _coarse(stop: int) -> int:
    """Bits of a row number, in steps, so that chunks of one run share what is remembered."""
    need = max(int(stop - 1).bit_length(), 1)
    return next(size for size in (16, 20, 23, 26) if size >= need)


@lru_cache(maxsize=64)
def _scrambled(seed: int, replicate: int, dimensions: tuple[int, ...], bits: int) -> Words:
    """Shift and scrambled direction numbers, [dimensions, 1 + bits].

    Bit i of L v (0 the most significant) is the parity of row i of L and v.
    """
    raw = np.array([_stream(seed, replicate, d).random_raw(1 + _BITS) for d in dimensions])
    noise = (raw >> np.uint64(32)).astype(np.uint32)
    place = np.arange(_BITS, dtype=np.uint32)
    one = np.uint32(1) << (np.uint32(_BITS - 1) - place)
    above = ~((one << np.uint32(1)) - np.uint32(1))
    above[0] = 0
    rows = (noise[:, 1:] & above) | one
    count = 1 << max(max(dimensions).bit_length(), 4)
    directions = _directions(min(count, SOBOL_DIMENSIONS), bits)[list(dimensions)]
    out = np.empty((len(dimensions), 1 + bits), dtype=np.uint32)
    out[:, 0] = noise[:, 0]
    for bit in range(bits):
        parity = np.bitwise_count(rows & directions[:, bit, None]) & np.uint8(1)
        out[:, 1 + bit] = (parity * one).sum(axis=1, dtype=np.uint32)
    out.flags.writeable = False
    return out


@lru_cache(maxsize=16)
def _directions(dimensions: int, bits: int) -> Words:
    """Direction numbers [dimensions, bits], read from SciPy's unscrambled sequence.

    It goes by the Gray code, so its row 2^k is v_k + v_(k-1) and its row 1 is v_0.
    """
    from scipy.stats import qmc  # half a second, which only those pay who draw

    engine = qmc.Sobol(dimensions, scramble=False, bits=_BITS)
    engine.random(1)
    out, at = np.empty((dimensions, bits), dtype=np.uint32), 1
    for bit in range(bits):
        if 2**bit > at:
            engine.fast_forward(2**bit - at)
        row = (engine.random(1)[0] * 2.0**_BITS).astype(np.uint64).astype(np.uint32)
        out[:, bit] = row ^ out[:, bit - 1] if bit else row
        at = 2**bit + 1
    return out


def _stream(seed: int, replicate: int, dimension: int) -> np.random.Philox:
    return np.random.Philox(np.random.SeedSequence(seed, spawn_key=(replicate, dimension)))


def _independent(seed: int, replicate: int, dimension: int, start: int, stop: int) -> Array:
    """Uniform numbers by counter; the generator makes four words a step."""
    stream = _stream(seed, replicate, dimension)
    stream.advance(start // 4)
    raw = stream.random_raw(stop - start + start % 4)[start % 4 :]
    return np.asarray(((raw >> np.uint64(32)) + 0.5) * _STEP)

"""Watts and joules of one operator from how busy it keeps arithmetic, memory and links.

While its kernel runs, in shares of the chip's power limit (uc, ub: achieved flop/s and bytes/s over the data sheet's peaks):

    D = busy + compute uc^x + memory ub
    P = floor + soft(D, cap - floor),   soft(D, c) = D c / (D^4 + c^4)^(1/4)

Products carry a `streaming` factor on busy and memory, by chip: published campaigns disagree on what streamed weights draw.
`floor` is the chip that waits with its clocks up; the soft limit is the power controller, which lowers the clock rather than
pass the limit. While it waits for messages P = floor + link x link share, and the mean is over time:

    W = (1 - comm) (on P + (1 - on) floor) + comm P_comm

Constants and their held-out errors: calibration `chip-power-kernels`, fitted to B200 kernel loops; other chips borrow the
shares, with their own limit and floor, and a wider band. Kernel loops, not serving: `power.chip_watts` is for whole steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.chip import calibration
from gigawatt.physics.chip.device import Chip
from gigawatt.physics.chip.models import modelled_watts

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
RECORD = "chip-power-kernels"
CHUNK = 1 << 15  # rows that stay in the cache together


@dataclass(frozen=True, slots=True)
class OperatorWatts:
    """Mean watts of each operator while it lasts, with the 80 % band; three arrays of one shape."""

    watts: Array
    low: Array
    high: Array

    def joules(self, seconds: ArrayLike) -> tuple[Array, Array, Array]:
        """Energy (expected, low, high) of operators that last `seconds`."""
        s = np.asarray(seconds, dtype=np.float64)
        return self.watts * s, self.low * s, self.high * s


@dataclass(frozen=True, slots=True)
class Kinds:
    """Constants by kind of operator ('gemm/bf16', ...), one array element for each; low and high as on the measured chip."""

    names: tuple[str, ...]
    busy: Array
    compute: Array
    exponent: Array
    memory: Array
    low: Array
    high: Array
    link: float


@lru_cache(maxsize=1)
def kinds() -> Kinds:
    """Every kind of operator that a fit serves."""
    tables, shared = calibration.record(RECORD).tables, calibration.parameters(RECORD)
    fits: Mapping[tuple[str, str], Any] = {(row["family"], row["precision"]): row for row in tables["fits"]}
    names, rows = [], []
    for family, precisions in tables["serves"].items():
        for precision, (name, fitted) in precisions.items():
            row = fits[(name, fitted)]
            stretch = 1.0 if row["trusted"] else shared["band_untrusted"]
            if fitted != precision:
                stretch = max(stretch, shared["band_lent"])
            apart = shared["campaign_ratio"] ** 0.5 if family == "gemm" else 1.0
            low, high = calibration.widened(min(row["low"], 1.0 / apart), max(row["high"], apart), stretch)
            names.append(family if precision == "any" else f"{family}/{precision}")
            rows.append([row["busy"], row["compute"], row["x"], row["memory"], low, high])
    busy, compute, exponent, memory, below, above = np.array(rows, dtype=np.float64).T
    link = float(fits["comm", "any"]["memory"])
    return Kinds(tuple(names), busy, compute, exponent, memory, below, above, link)


def kind_codes(names: ArrayLike) -> Codes:
    """Places in `kinds().names` of an array of kinds, for callers that ask again and again.

    >>> kinds().names[int(kind_codes(["stream"])[0])]
    'stream'

    Raises:
        InputError: names no kind has.
    """
    found, inverse = np.unique(np.asarray(names, dtype=np.str_), return_inverse=True)
    known = {name: place for place, name in enumerate(kinds().names)}
    unknown = [unknown_name("kind of operator", str(name), known) for name in found if str(name) not in known]
    if unknown:
        raise InputError(unknown)
    return np.array([known[str(name)] for name in found], dtype=np.intp)[inverse]


def floor_w(chip: Chip) -> float:
    """Watts of a chip that waits with its clocks up; never below idle, never above the limit."""
    if chip.device_model:
        waiting = modelled_watts(chip, 0.0, 0.0, 0.0)
        if waiting is not None:
            return min(max(float(waiting), chip.idle_w), chip.tdp_w)
    floors = calibration.table(RECORD, "floors")
    return min(max(float(floors.get(chip.name, floors["default"])) * chip.tdp_w, chip.idle_w), chip.tdp_w)


def comm_watts(chip: Chip, link_util: ArrayLike = 0.0) -> Array:
    """Watts while a chip only moves messages, from the share of its one-way scale-up bandwidth in use."""
    share = np.clip(np.asarray(link_util, dtype=np.float64), 0.0, 1.0)
    floor = floor_w(chip) / chip.tdp_w
    return np.asarray(chip.tdp_w * (floor + _soft(kinds().link * share, _room(floor))))


def operator_watts(
    chip: Chip,
    compute_util: ArrayLike,
    memory_util: ArrayLike,
    kind: str | ArrayLike = "gemm/bf16",
    comm_share: ArrayLike = 0.0,
    link_util: ArrayLike = 0.5,
    busy: ArrayLike = 1.0,
) -> OperatorWatts:
    """Mean watts of operators, in columns.

    Args:
        chip: the chip.
        compute_util: achieved flop/s (of the shape as asked for, no padding) over the peak of the precision, 0..1.
        memory_util: achieved bytes/s over the memory's peak, 0..1; weights, cache and activations that leave the chip. Of
            'comm' it is the share of the one-way scale-up bandwidth.
        kind: 'gemm/bf16', 'prefill/fp8', 'decode/bf16', 'moe/fp4', 'stream', 'comm', ... (`kinds().names`), one for all or
            an array of names or of `kind_codes`.
        comm_share: share of the time in which the operator waits for messages that nothing hides, 0..1.
        link_util: share of the scale-up bandwidth in use while it waits.
        busy: share of the other time in which kernels run.

    Returns:
        Watts and band, broadcast over the arguments, between the chip's idle draw and its power limit.

    Raises:
        InputError: a kind that no fit serves.
    """
    codes = np.asarray(kind)
    if codes.dtype.kind not in "iu":
        codes = kind_codes(np.atleast_1d(codes)).reshape(codes.shape)
    elif codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < len(kinds().names):
        raise InputError(Problem("out_of_range", f"codes of kinds of operators run from 0 to {len(kinds().names) - 1}"))
    arguments = (compute_util, memory_util, comm_share, link_util, busy)
    columns = [np.clip(np.asarray(a, dtype=np.float64), 0.0, 1.0) for a in arguments]
    shape = np.broadcast_shapes(codes.shape, *(c.shape for c in columns))
    size = int(np.prod(shape, dtype=np.int64))
    flat = [c.reshape(1) if c.size == 1 else np.broadcast_to(c, shape).reshape(-1) for c in (*columns, codes)]
    out = np.empty((3, size))
    constants, floor = _constants(chip.name), floor_w(chip) / chip.tdp_w
    for start in range(0, size, CHUNK):
        part = slice(start, start + CHUNK)
        _fill(out[:, part], [c if c.size == 1 else c[part] for c in flat], floor, constants)
    out *= chip.tdp_w
    np.clip(out, chip.idle_w, chip.tdp_w, out=out)
    watts, low, high = (row.reshape(shape) for row in out)
    return OperatorWatts(watts, low, high)


def mean_watts(chip: Chip, compute_util: Array, memory_util: Array, code: int, out: Array) -> None:
    """Mean watts of many points of one operator into `out`: `operator_watts` without bands or waiting.

    Args:
        chip: the chip.
        compute_util: shares, clipped to 0..1 here; used up.
        memory_util: the same.
        code: the operator's kind, of `kind_codes`.
        out: where they go.
    """
    modelled = modelled_watts(chip, compute_util, memory_util) if chip.device_model else None
    if modelled is not None:
        np.clip(modelled, chip.idle_w, chip.tdp_w, out=out)
        return
    busy, compute, exponent, memory = (float(x) for x in _constants(chip.name)[:4, code])
    floor = floor_w(chip) / chip.tdp_w
    demand = np.minimum(compute_util, 1.0, out=compute_util)
    if exponent != 1.0:
        np.power(demand, exponent, out=demand)
    demand *= compute
    np.minimum(memory_util, 1.0, out=memory_util)
    memory_util *= memory
    demand += memory_util
    demand += busy
    np.add(_soft(demand, _room(floor)), floor, out=out)
    out *= chip.tdp_w
    np.clip(out, chip.idle_w, chip.tdp_w, out=out)


@lru_cache(maxsize=64)
def _constants(name: str) -> Array:
    """Rows busy, compute, exponent, memory, low, high by kind, as they hold on the chip of that name."""
    table, shared = kinds(), calibration.parameters(RECORD)
    streaming = calibration.table(RECORD, "streaming")
    factor = float(streaming.get(name, streaming["default"]))
    scale = np.array([factor if kind.startswith("gemm/") else 1.0 for kind in table.names])
    own = name == calibration.record(RECORD).tables["measured_chip"]
    stretch = 1.0 if own else shared["band_lent"]
    band = (table.low**stretch, table.high**stretch)
    return np.stack([table.busy * scale, table.compute, table.exponent, table.memory * scale, *band])


def _fill(out: Array, columns: list[Any], floor: float, constants: Array) -> None:
    """One chunk, in shares of the limit: watts, low, high."""
    uc, ub, comm, link, on, code = columns
    busy, compute, exponent, memory, low, high = (np.take(row, code, mode="clip") for row in constants)
    demand = compute * uc**exponent
    demand += memory * ub
    demand += busy
    running = _soft(demand, _room(floor))
    if on.size > 1 or on[0] < 1.0:
        running = running * on
    if comm.size > 1 or comm[0] > 0.0:
        running = running * (1.0 - comm) + _soft(kinds().link * link, _room(floor)) * comm
    np.add(running, floor, out=out[0])
    np.multiply(out[0], low, out=out[1])
    np.multiply(out[0], high, out=out[2])


def _room(floor: float) -> float:
    return max(calibration.parameters(RECORD)["cap"] - floor, 1e-6)


def _soft(demand: Any, room: float) -> Any:
    """min(demand, room), smoothed; the fourth root is two square roots."""
    square = demand * demand
    square *= square
    square += room**4
    return demand * room / np.sqrt(np.sqrt(square))

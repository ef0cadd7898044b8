"""One shape for the answer of every service: operating points, what stops them, what was rejected and the nearest fix.

    joules a unit = chip watts / (units/s a chip)            chips only; hosts, fans and losses join at the rack

A point is a batch on `chips` chips that share it. It is kept where its memory fits and its latency meets the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.search.frontier import Rejected, thin

Texts = NDArray[np.str_]
Mask = NDArray[np.bool_]
UNITS = ("image", "video-second", "embedding", "audio-second", "task", "step", "request")
MAX_POINTS = 12


@dataclass(frozen=True, slots=True)
class Candidates:
    """Everything that was evaluated, columns of equal length.

    Points of one precision and one number of chips follow each other by rising batch, `rungs` of them. `latency_s` is what
    the limit holds, `room_bytes` the memory of a chip that may be used. `low` and `high` are 80 % factors on the rate.
    """

    precision: Texts
    chips: Floats
    batch: Floats
    latency_s: Floats
    units_per_s_per_chip: Floats
    chip_w: Floats
    memory_bytes: Floats
    room_bytes: Floats
    bound: Texts
    low: Floats
    high: Floats
    rungs: int
    details: Mapping[str, Floats] = field(default_factory=dict)


COLUMNS = (
    "precision",
    "chips",
    "batch",
    "latency_s",
    "units_per_s_per_chip",
    "chip_w",
    "memory_bytes",
    "bound",
    "low",
    "high",
)
TEXT = ("precision", "bound")


@dataclass(frozen=True, slots=True)
class ServiceFrontier:
    """Operating points that meet the limit, by rising rate; columns of equal length.

    `unit` is what is counted (one of `UNITS`). `batch` units are in work at once on `chips` chips that share them.
    `details` are further columns of the service, named in its module. `band` says where the 80 % factors come from.
    """

    service: str
    unit: str
    precision: Texts
    chips: Floats
    batch: Floats
    latency_s: Floats
    units_per_s_per_chip: Floats
    chip_w: Floats
    memory_bytes: Floats
    bound: Texts
    low: Floats
    high: Floats
    details: Mapping[str, Floats] = field(default_factory=dict)
    band: str = ""
    notes: tuple[str, ...] = ()
    candidates: int = 0
    rejected: tuple[Rejected, ...] = ()

    def __len__(self) -> int:
        return len(self.chip_w)

    @property
    def joules_per_unit(self) -> Floats:
        """Energy of the chips for one unit, J."""
        return np.asarray(self.chip_w / self.units_per_s_per_chip)

    @property
    def units_per_s_per_mw(self) -> Floats:
        """Units/s of a megawatt of chips (not of the meter)."""
        return np.asarray(1e6 * self.units_per_s_per_chip / self.chip_w)

    @property
    def best(self) -> int | None:
        """The point with most units/s per chip, or None where nothing meets the limit."""
        return int(np.argmax(self.units_per_s_per_chip)) if len(self) else None

    def take(self, rows: NDArray[np.intp]) -> ServiceFrontier:
        """The points named, in that order."""
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        return replace(self, **columns, details={name: column[rows] for name, column in self.details.items()})

    def with_details(self, notes: tuple[str, ...] = (), **columns: Floats) -> ServiceFrontier:
        """The same points with further columns and notes."""
        return replace(self, details={**self.details, **columns}, notes=(*self.notes, *notes))

    def rows(self) -> list[dict[str, Any]]:
        """One mapping a point, plain values: the columns, energy, and the service's own."""
        shown = {name: getattr(self, name) for name in COLUMNS} | {"joules_per_unit": self.joules_per_unit}
        shown |= dict(self.details)
        return [{name: column[i].item() for name, column in shown.items()} for i in range(len(self))]


def choose(
    service: str,
    unit: str,
    c: Candidates,
    *,
    limit_s: float = np.inf,
    limit: str = "latency",
    refused: Sequence[tuple[Mask, str, str]] = (),
    band: str = "",
    notes: tuple[str, ...] = (),
    max_points: int = MAX_POINTS,
) -> ServiceFrontier:
    """Keep what fits and meets the limit, thin it in (latency, rate), and say what fell out and what would let it in.

    `refused` points fall out for other reasons, given as (which, reason, nearest fix).
    """
    fits, quick = c.memory_bytes <= c.room_bytes, c.latency_s <= limit_s
    may = np.ones(len(fits), dtype=bool)
    rejected = []
    if not fits.all():
        rejected.append(_too_large(c, fits))
    for which, reason, fix in refused:
        if (fits & may & which).any():
            rejected.append(Rejected(reason, int((fits & may & which).sum()), fix))
        may = may & ~which
    if (fits & may & ~quick).any():
        rejected.append(_too_slow(c, fits & may, quick, limit))
    good = np.flatnonzero(fits & may & quick)
    kept = good[thin(c.latency_s[good], c.units_per_s_per_chip[good], max_points)] if len(good) else good
    bound = _bounds(c, fits, quick, limit)
    return ServiceFrontier(
        service,
        unit,
        **{name: getattr(c, name)[kept] for name in COLUMNS if name != "bound"},
        bound=bound[kept],
        details={name: column[kept] for name, column in c.details.items()},
        band=band,
        notes=notes,
        candidates=len(fits),
        rejected=tuple(rejected),
    )


def _point(c: Candidates, i: int) -> str:
    chips = f"{c.chips[i]:.0f} chip{'s' if c.chips[i] > 1 else ''}"
    return f"a batch of {c.batch[i]:.4g} in {c.precision[i]} on {chips}"


def _too_large(c: Candidates, fits: Mask) -> Rejected:
    count = int((~fits).sum())
    if fits.any():
        most = int(np.flatnonzero(fits)[np.argmax(c.batch[fits])])
        return Rejected("does not fit in memory", count, f"{_point(c, most)} fits")
    least = int(np.argmin(c.memory_bytes - c.room_bytes))
    short = (c.memory_bytes - c.room_bytes)[least]
    fix = f"{_point(c, least)} needs {c.memory_bytes[least] / 1e9:,.1f} GB a chip, {short / 1e9:,.1f} GB more than there are"
    return Rejected("does not fit in memory", count, fix)


def _too_slow(c: Candidates, fits: Mask, quick: Mask, limit: str) -> Rejected:
    rows = np.flatnonzero(fits)
    least = int(rows[np.argmin(c.latency_s[rows])])
    fix = f"the lowest {limit} of any candidate is {c.latency_s[least]:.4g} s, with {_point(c, least)}"
    return Rejected(f"{limit} above the limit", int((fits & ~quick).sum()), fix)


def _bounds(c: Candidates, fits: Mask, quick: Mask, limit: str) -> Texts:
    """What the next rung of the batch breaks, and what the time is spent on."""

    def following(mask: Mask) -> Mask:
        grid = mask.reshape(-1, c.rungs)
        return np.concatenate([grid[:, 1:], grid[:, -1:]], axis=1).ravel()

    stop = np.full(len(fits), "", dtype=np.dtype("U32"))
    stop[~following(quick)] = f"{limit} limit"
    stop[~following(fits)] = "memory"
    return np.asarray(np.char.add(np.char.add(stop, np.where(stop == "", "", ", ")), c.bound.astype(str)))


def positive(service: str, **values: float) -> None:
    """Refuse what must be above zero and is not, all at once.

    Raises:
        InputError: a value that is zero, negative or no number.
    """
    problems = [
        Problem("wrong_value", f"{service}: {name} is {value:g}, and must be above zero")
        for name, value in values.items()
        if not value > 0
    ]
    if problems:
        raise InputError(problems)

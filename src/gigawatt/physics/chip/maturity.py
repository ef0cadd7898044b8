"""How much faster the same chip runs the same work as its software grows older, relative to a release.

    ln m(t) = G_f (e^(-r/tau) - e^(-a/tau)),    a, r: years from the launch of the chip to `date`, to `release`
    m       = min(m, ceiling),                  ceiling = attainable share of the peak / share of it at the release

G_f is the log gain from launch to the plateau of family f (dense, moe), tau the settling time. By construction m = 1 at the
release: a calibration fitted there is never counted twice. Before the release m < 1, for back-tests. Above it stands the
plateau exp(G_f e^(-r/tau)): old chips gain little more. Fitted to dated pairs of one chip and one workload
(catalog/data/calibration/software-maturity.yaml), with the error beside that of no change. What the pairs gained includes
better mappings, which a search of mappings finds already: read m as the most that a release leaves to be gained.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date as Day
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.catalog.software import TASKS
from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.chip.calibration import parameters, record, table

Array = NDArray[np.float64]
RECORD = "software-maturity"
GROUPS = ("dense", "moe")


class Maturity(NamedTuple):
    """Speed relative to the release, its 80 % band (each shaped as the dates), and what it rests on."""

    value: Array
    low: Array
    high: Array
    note: str


def maturity(
    stack: str, generation: str, task: str, date: ArrayLike | Day, release: ArrayLike | Day, family: str = "moe"
) -> Maturity:
    """Speed of software at `date` over its speed at `release`, vectorised over both.

    Args:
        stack: of the accelerator (cuda, rocm, ...): one that is among the fitted pairs, else the band is wider.
        generation: of the accelerator, or its id where the generation spans several launches (tpu7x).
        task: serving or training.
        date: a day, text such as '2027-01', decimal years, or a sequence of either; a bare year means its middle.
        release: of the software that the speed was measured on, in the same forms.
        family: dense, or moe for mixtures of experts.

    Raises:
        InputError: unknown generation, task or family, each with the nearest; a date that is none.
    """
    launches = table(RECORD, "launches")
    for what, name, options in (
        ("generation", generation, launches),
        ("task", task, TASKS),
        ("family of the maturity curve", family, GROUPS),
    ):
        if name not in options:
            raise InputError(unknown_name(what, name, options))
    p, groups = parameters(RECORD), record(RECORD).groups
    launch = decimal_years(launches[generation])
    at, since = np.broadcast_arrays(decimal_years(date), decimal_years(release))
    tau, gain = p["settling_years"], p[f"gain.{family}"]
    # Before its launch a chip has no software that customers run: it is as old as at the launch.
    left_then, left_now = (np.exp(-np.maximum(year - launch, 0.0) / tau) for year in (since, at))
    factor = left_then - left_now
    ceiling = ceiling_of(generation, task)
    kin = stack not in _stacks_of_pairs()
    width = groups[family] * (groups["kin"] if kin else 1.0) * np.sqrt(np.abs(factor))
    value, low, high = (np.minimum(np.exp(gain * factor + sign * width), ceiling) for sign in (0.0, -1.0, 1.0))
    note = f"log gain {gain:.2f} from launch ({launches[generation]}), settling in {tau:.1f} years"
    if kin:
        note += f"; no pair of measurements of {stack}: curve of other stacks, wider band"
    return Maturity(value, low, high, note)


def ceiling_of(generation: str, task: str) -> float:
    """The most that the roofline leaves: attainable share of the peak over the share at the release (a kin's if unknown)."""
    shares = table(RECORD, "share_at_release")[task]
    return parameters(RECORD)["attainable_share"] / float(shares.get(generation, shares["default"]))


def plateau(generation: str, family: str, release: ArrayLike | Day) -> Array:
    """What m tends to from a release on, before the ceiling."""
    p = parameters(RECORD)
    age = np.maximum(decimal_years(release) - decimal_years(table(RECORD, "launches")[generation]), 0.0)
    return np.asarray(np.exp(p[f"gain.{family}"] * np.exp(-age / p["settling_years"])))


def calibrated_release(task: str) -> str:
    """The month of the software that the calibrations of a task were fitted on."""
    return str(table(RECORD, "release")[task])


def launched(accelerator: str, generation: str) -> str:
    """The name under which a chip's launch is known: its own, else its generation's, else ''."""
    launches: Mapping[str, Any] = table(RECORD, "launches")
    return next((name for name in (accelerator, generation) if name in launches), "")


def decimal_years(when: ArrayLike | Day) -> Array:
    """Dates as years: a day, '2026', '2026-06', '2026-06-30', decimal years, or a sequence of either.

    >>> decimal_years(["2026", "2027-01-01"]).round(2).tolist()
    [2026.5, 2027.0]

    Raises:
        InputError: text that is no date.
    """
    if isinstance(when, (str, Day)):
        return np.asarray(_year(when))
    given = np.asarray(when)
    if given.dtype.kind in "iuf":
        return given.astype(np.float64)
    if given.dtype.kind == "M":
        given = given.astype("datetime64[D]").astype(str)
    return np.asarray([_year(item) for item in given.ravel()], dtype=np.float64).reshape(given.shape)


def _year(when: Any) -> float:
    """A bare year is its middle, a month the middle of the month."""
    words = str(when).split("-")
    try:
        numbers = [int(word) for word in words[:3]]
        if len(numbers) == 1:
            return numbers[0] + 0.5
        if len(numbers) == 2:
            return numbers[0] + (Day(numbers[0], numbers[1], 1).month - 0.5) / 12
        day = Day(*numbers)
        return day.year + (day - Day(day.year, 1, 1)).days / (366 if _leap(day.year) else 365)
    except (ValueError, TypeError):
        raise InputError(
            Problem("bad_date", f"'{when}' is no date", None, ("such as 2027-01 or 2027-01-31",))
        ) from None


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _stacks_of_pairs() -> set[str]:
    """cuda, and rocm for the generations of AMD among the pairs."""
    generations = {str(pair[4]) for pair in table(RECORD, "pairs")}
    return {"rocm" if name.startswith("cdna") else "cuda" for name in generations}

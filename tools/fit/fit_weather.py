"""Fit how hours scatter about their month to hourly years, and say how far generated years lie off them.

    python tools/fit/fit_weather.py --data FOLDER    # the data folder of pvlib-python 0.10.3 (pip download pvlib==0.10.3)

Prints what calibration `weather` holds: relations by least squares over months, their error on the place left out, the mean
day, autocorrelation and skewness; then percentiles of wet and dry bulb of generated years less those of the years themselves,
and of two stations that the noise was not fitted to beside ASHRAE's design conditions.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from gigawatt.physics.site.climate import MONTH_OF_HOUR, monthly_mean, weather_of
from gigawatt.physics.site.psychrometrics import ZERO_C_K, wet_bulb_k

Array = NDArray[np.float64]
Year = tuple[Array, Array, float]  # dry bulb and dew point in deg C, pressure in pascal
PERCENTILES = (99.6, 99.0, 98.0, 90.0, 50.0)
# Hour 0 is midnight to one o'clock, local time, in all but the PVGIS file (UTC, one hour behind).
TMY3 = {"sand-point": "703165TY.csv", "greensboro": "723170TYA.CSV"}
EPW = {"amsterdam": ("NLD_Amsterdam062400_IWEC.epw", 0), "turin": ("tmy_45.000_8.000_2005_2016.epw", 1)}
PSM3 = {"boulder-2017": ("test_psm3_2017.csv", 2), "boulder-tmy": ("test_psm3_tmy-2017.csv", 1)}
TMY2 = {"miami": "12839.tm2"}


@dataclass(frozen=True, slots=True)
class Station:
    """TMY3 statistics as EnergyPlus prints them (USA_*.stat, NREL/EnergyPlus, folder weather) and design conditions, deg C.

    Monthly means of dry bulb and dew point, range of each month's mean day; 0.4, 1 and 2 % wet bulb, 0.4 and 1 % dry bulb of
    the ASHRAE Handbook 2009.
    """

    dry: tuple[float, ...]
    dew: tuple[float, ...]
    range: tuple[float, ...]
    pressure: float
    wet_design: tuple[float, ...]
    dry_design: tuple[float, ...]


STATIONS = {
    "washington-dulles": Station(
        (0.6, 1.6, 7.7, 12.5, 18.2, 22.5, 24.5, 23.0, 20.1, 11.9, 7.8, 1.0),
        (-6.3, -4.4, -0.9, 4.4, 12.0, 16.2, 19.2, 17.7, 15.4, 5.1, 2.6, -4.8),
        (6.7, 7.6, 9.6, 10.7, 11.8, 11.7, 9.8, 8.6, 9.6, 11.3, 9.2, 6.7),
        100_344.0,
        (25.4, 24.7, 24.1),
        (34.1, 32.7),
    ),
    "phoenix": Station(
        (13.0, 15.7, 17.3, 23.7, 27.3, 34.0, 35.6, 33.8, 30.4, 24.8, 18.0, 11.7),
        (-2.2, 4.1, 2.5, -1.6, 2.3, 5.9, 13.6, 13.5, 8.9, 6.4, 1.9, 0.5),
        (10.6, 10.9, 10.3, 14.8, 13.6, 13.0, 11.5, 11.0, 11.9, 12.5, 11.7, 10.1),
        97_342.0,
        (24.5, 24.0, 23.5),
        (43.4, 42.3),
    ),
}


def years(folder: Path) -> dict[str, Year]:
    """The seven hourly years."""
    found: dict[str, Year] = {}
    for name, file in TMY2.items():
        lines = (folder / file).read_text(encoding="latin1").splitlines()[1:]
        columns = np.array([(line[67:71], line[73:77], line[84:88]) for line in lines], dtype=float)
        found[name] = (columns[:, 0] / 10, columns[:, 1] / 10, float(columns[:, 2].mean() * 100))
    for name, file in TMY3.items():
        rows = _rows(folder / file)[1:]
        found[name] = _named(rows, "Dry-bulb (C)", "Dew-point (C)", "Pressure (mbar)", 1)
    for name, (file, every) in PSM3.items():
        found[name] = _named(_rows(folder / file), "Temperature", "Dew Point", "Pressure", every)
    for name, (file, shift) in EPW.items():
        rows = [row for row in _rows(folder / file)[8:] if len(row) > 10]
        dry, dew, pressure = (np.roll([float(row[at]) for row in rows], shift) for at in (6, 7, 9))
        found[name] = (dry, dew, float(pressure.mean()))
    return found


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="latin1", newline="") as stream:
        return list(csv.reader(stream))


def _named(rows: list[list[str]], dry: str, dew: str, pressure: str, every: int) -> Year:
    at = [rows[0].index(name) for name in (dry, dew, pressure)]
    columns = np.array([[float(row[i]) for i in at] for row in rows[1::every]])
    return columns[:, 0], columns[:, 1], float(columns[:, 2].mean() * 100)


def months(data: dict[str, Year]) -> tuple[Array, dict[str, Array]]:
    """One row a month: place, and columns of what the relations speak of."""
    place, rows = [], []
    for number, (dry, dew, _) in enumerate(data.values()):
        means = monthly_mean(dry)
        for month in range(12):
            here = month == MONTH_OF_HOUR
            t, d = (column[here].reshape(-1, 24) for column in (dry, dew))
            a, b = (t - t.mean(axis=0)).ravel(), (d - d.mean(axis=0)).ravel()
            place.append(number)
            rows.append((np.ptp(t.mean(axis=0)), (t - d).mean(), a.std(), b.std(), np.corrcoef(a, b)[0, 1],
                         means.max() - means[month]))  # fmt: skip
    names = ("range", "apart", "dry_spread", "dew_spread", "correlation", "colder")
    return np.array(place), dict(zip(names, np.array(rows).T, strict=True))


def fit(
    relation: Callable[[Array, Array], Array], start: list[float], x: Array, y: Array, place: Array
) -> tuple[Array, float]:
    """Constants of a relation y = f(constants, x), and the root mean square on places left out."""
    whole = least_squares(lambda p: relation(p, x) - y, start).x
    off = []
    for one in np.unique(place):
        kept = place != one
        p = least_squares(lambda p, kept=kept: relation(p, x[kept]) - y[kept], start).x
        off.append(relation(p, x[~kept]) - y[~kept])
    return whole, float(np.sqrt(np.mean(np.concatenate(off) ** 2)))


def scatter(year: Year) -> tuple[Array, Array]:
    """Dry bulb and dew point less the mean day of their month, over the spread of that month."""
    out = []
    for column in year[:2]:
        z = np.empty_like(column)
        for month in range(12):
            here = month == MONTH_OF_HOUR
            days = column[here].reshape(-1, 24)
            z[here] = ((days - days.mean(axis=0)) / (days - days.mean(axis=0)).std()).ravel()
        out.append(z)
    return out[0], out[1]


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = years(parser.parse_args().data)
    place, of = months(data)
    stations = list(STATIONS.values())
    apart = np.concatenate([of["apart"], *(np.subtract(one.dry, one.dew) for one in stations)])
    ranges = np.concatenate([of["range"], *(one.range for one in stations)])
    where = np.concatenate([place, np.repeat(len(data) + np.arange(len(stations)), 12)])
    constants, off = fit(lambda p, x: p[0] * np.tanh(x / p[1]), [14.0, 9.0], apart, ranges, where)
    print(f"range of apart: {constants.round(3)}, {off:.2f} on the place left out, spread {ranges.std():.2f}")
    line = lambda p, x: p[0] + p[1] * x  # noqa: E731
    for name, relation, start, x in (
        ("dry_spread", line, [2.5, 0.1], "colder"),
        ("dew_spread", line, [1.0, 1.0], "dry_spread"),
        ("correlation", line, [1.0, -0.1], "apart"),
    ):
        constants, off = fit(relation, start, of[x], of[name], place)
        print(f"{name} of {x}: {constants.round(3)}, {off:.2f} on the place left out, spread {of[name].std():.2f}")
    day = np.mean([_day(dry) for dry, _, _ in data.values()], axis=0)
    print("day:", day.round(3).tolist())
    both = [scatter(year) for year in data.values()]
    for hours in (1, 24, 48):
        lag = np.mean([[np.corrcoef(z[:-hours], z[hours:])[0, 1] for z in pair] for pair in both], axis=0)
        print(f"autocorrelation at {hours} h, dry bulb and dew point: {lag.round(3)}")
    print("skewness:", np.mean([[np.mean(z**3) for z in pair] for pair in both], axis=0).round(2))
    off = []
    for name, (dry, dew, pressure) in data.items():
        t = dry + ZERO_C_K
        wet = wet_bulb_k(t, dew + ZERO_C_K, pressure)
        made = weather_of((monthly_mean(t), monthly_mean(wet)), 0, pressure=pressure)
        off.append(
            [np.percentile(ours, PERCENTILES) - np.percentile(theirs, PERCENTILES)
             for ours, theirs in ((made.wet_bulb_k, wet), (made.dry_bulb_k, t))]
        )  # fmt: skip
        print(f"{name}: wet bulb {off[-1][0].round(1)}, dry bulb {off[-1][1].round(1)} K at {PERCENTILES} %")
    for name, one in STATIONS.items():
        t, d = (np.array(column) + ZERO_C_K for column in (one.dry, one.dew))
        made = weather_of((t, wet_bulb_k(t, d, one.pressure)), 0, pressure=one.pressure)
        wet, dry = (np.percentile(made.wet_bulb_k, PERCENTILES[:3]), np.percentile(made.dry_bulb_k, PERCENTILES[:2]))
        print(f"{name}: wet bulb {(wet - ZERO_C_K).round(1)} beside {one.wet_design}, dry bulb {(dry - ZERO_C_K).round(1)} "
              f"beside {one.dry_design}")  # fmt: skip
    print("root mean square:", np.sqrt(np.mean(np.square(off), axis=0)).round(2).tolist())


def _day(dry: Array) -> Array:
    mean = dry.reshape(365, 24).mean(axis=0)
    return (mean - mean.mean()) / np.ptp(mean)


if __name__ == "__main__":
    main()

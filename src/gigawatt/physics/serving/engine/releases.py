"""Releases of the engines, as dates: how old a release is says how much of a decode step's launches still shows.

The table is catalog data (`calibration/engine-releases`): release -> date, by engine, the releases that the constants were
fitted to. A release that it does not name counts as its nearest older one by number; none, or a later one than any fitted, as
the newest fitted: nothing is gained from software that was not measured. A date may stand for a release: what engines did then,
held at the oldest and the newest release fitted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from gigawatt.catalog import Catalog

RELEASES = "engine-releases"
# Orders of the parts of a version: 1.2.0rc6.post2 is after 1.2.0rc6 and before 1.2.0.
BEFORE, AFTER = -1, 1


@lru_cache(maxsize=1)
def releases() -> Mapping[str, Mapping[str, float]]:
    """engine -> release -> decimal year of its publication."""
    table = Catalog.load().get("calibration", RELEASES).tables["releases"]
    return {engine: {str(name): decimal_year(str(day)) for name, day in rows.items()} for engine, rows in table.items()}


def fitted_years() -> tuple[float, float]:
    """Dates of the oldest and the newest release fitted, over all engines."""
    years = [year for rows in releases().values() for year in rows.values()]
    return min(years), max(years)


def decimal_year(day: str) -> float:
    """'2026-02-05' as 2026.10."""
    year, month, date = (int(part) for part in day[:10].split("-"))
    return year + (month - 1 + (date - 1) / 31) / 12


def version(release: str) -> tuple[tuple[int, int], ...]:
    """A release as something that sorts: numbers, then candidates before and repairs after the release itself."""
    numbers = re.match(r"v?(\d+(?:\.\d+)*)", release)
    if numbers is None:
        return ()
    parts = [(0, int(n)) for n in numbers[1].split(".")]
    parts += [(0, 0)] * (4 - len(parts))
    for word, number in re.findall(r"(rc|post)(\d+)", release[numbers.end() :]):
        parts.append((BEFORE if word == "rc" else AFTER, int(number)))
    return (*parts, (0, 0))


def release_year(engine: str, release: str = "") -> float:
    """Decimal year that a release of an engine counts as (or a date: 2026-02-05, 2026.1); the newest where none is named.

    >>> release_year("vllm", "2026-01-01"), release_year("vllm", "1999.0") == min(releases()["vllm"].values())
    (2026.0, True)
    """
    return _release_year(engine, release)


@lru_cache(maxsize=1024)
def _release_year(engine: str, release: str) -> float:
    known = releases()[engine]
    if re.fullmatch(r"(19|20)\d\d(\.\d+|-\d\d-\d\d)?", release):
        year = decimal_year(release) if "-" in release else float(release)
        return min(max(year, min(known.values())), max(known.values()))
    if release in known:
        return known[release]
    mine = version(release)
    older = [name for name in known if mine and version(name) and version(name) <= mine]
    if not mine or (older and len(older) == len([n for n in known if version(n)])):
        return max(known.values())
    return known[max(older, key=version)] if older else min(known.values())

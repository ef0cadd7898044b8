"""Own plant of a scenario with its records, and what is wrong with it: everything at once, each at its place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from gigawatt.catalog import Catalog
from gigawatt.catalog.records import Generation
from gigawatt.core.errors import InputError, Problems, unknown_name
from gigawatt.study.load import Loaded
from gigawatt.study.site.spec import Generator, Storage


@dataclass(frozen=True, slots=True)
class OwnPlant:
    """A generator of the scenario with its record."""

    asked: Generator
    record: Generation

    def stands(self, day: date) -> bool:
        """Whether it gives watts on that day."""
        return self.asked.available is None or self.asked.available <= day


@dataclass(frozen=True, slots=True)
class OwnStore:
    """A battery of the scenario with its record."""

    asked: Storage
    record: Generation


def fetch_own(loaded: Loaded, cat: Catalog, problems: Problems) -> tuple[tuple[OwnPlant, ...], tuple[OwnStore, ...]]:
    """Records of all plant and storage that the scenario names; what is wrong goes into `problems`."""
    site, where = loaded.scenario.site, loaded.source.where
    plants: list[OwnPlant] = []
    stores: list[OwnStore] = []
    names = [*(one.id for one in site.generation), *(one.id for one in site.storage)]
    for name in sorted({n for n in names if names.count(n) > 1} | ({"grid"} & set(names))):
        said = "the grid's own name" if name == "grid" else "the name of two of them"
        problems.add(
            "duplicate_name",
            f"site: '{name}' is {said}; give each plant and battery its own",
            where(("site", "generation")),
        )
    for index, asked in enumerate(site.generation):
        record = _record(asked.technology, cat, problems, loaded, "generation", index)
        if record is None:
            continue
        if record.works_by == "storage":
            problems.add(
                "wrong_kind",
                f"site.generation.{asked.id}: '{asked.technology}' keeps energy and makes none",
                where(("site", "generation", index, "technology")),
                "it belongs under  storage:  with its power and hours",
            )
            continue
        _check_date(asked, loaded, index, problems)
        plants.append(OwnPlant(asked, record))
    for index, store in enumerate(site.storage):
        record = _record(store.technology, cat, problems, loaded, "storage", index)
        if record is None:
            continue
        if record.works_by != "storage":
            problems.add(
                "wrong_kind",
                f"site.storage.{store.id}: '{store.technology}' makes energy and keeps none",
                where(("site", "storage", index, "technology")),
                "it belongs under  generation:  with its capacity; a battery is 'battery-lithium'",
            )
            continue
        stores.append(OwnStore(store, record))
    if site.storage and not site.generation and site.grid_power == 0:
        problems.add(
            "no_source",
            "site.storage: nothing charges it: the site has no grid connection and no plant of its own",
            where(("site", "storage")),
            "give  grid_power  or  generation",
        )
    return tuple(plants), tuple(stores)


def _record(
    technology: str, cat: Catalog, problems: Problems, loaded: Loaded, part: str, index: int
) -> Generation | None:
    try:
        record = cat.get("generation", technology)
        assert isinstance(record, Generation)
        return record
    except InputError as error:
        if technology in cat.ids("generation"):
            problems.extend(error.problems)
        else:
            place = loaded.source.where(("site", part, index, "technology"))
            problems.extend([unknown_name("technology", technology, cat.ids("generation"), place)])
        return None


def _check_date(asked: Generator, loaded: Loaded, index: int, problems: Problems) -> None:
    horizon = loaded.scenario.horizon
    last = horizon.start + timedelta(days=round(365.25 * horizon.years))
    if asked.available is not None and asked.available >= last:
        problems.add(
            "after_horizon",
            f"site.generation.{asked.id}: available from {asked.available}, but the horizon ends on {last}",
            loaded.source.where(("site", "generation", index, "available")),
            "an earlier date, a longer horizon, or leave it out",
        )

"""Facts at the door: what a notebook asks of the catalog without making one first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.catalog.store import Catalog

if TYPE_CHECKING:
    from gigawatt.core.table import Table

Overlays = Sequence[Path | str]


@lru_cache(maxsize=1)
def _packaged() -> Catalog:
    """The packaged records do not change while a program runs; those of overlays may, and are read each time."""
    return Catalog.load()


def _of(overlays: Overlays) -> Catalog:
    return Catalog.load(overlays) if overlays else _packaged()


def kinds() -> tuple[str, ...]:
    """Kinds of records.

    >>> "accelerator" in kinds()
    True
    """
    return _packaged().kinds


def ids(kind: str, overlays: Overlays = ()) -> list[str]:
    """Ids of a kind, sorted.

    Args:
        kind: 'accelerator', 'platform', 'model', 'site', ...: one of `kinds()`.
        overlays: folders of your own records, over the packaged ones.

    Raises:
        InputError: there is no such kind.

    >>> "h100-sxm" in ids("accelerator")
    True
    """
    return _of(overlays).ids(kind)


def get(kind: str, name: str, overlays: Overlays = ()) -> Any:
    """One record; its quantities are data in SI units with `value`, `low`, `high`, `unit`, `source`, `as_of`.

    Raises:
        InputError: there is no such kind or id; the nearest is named.

    >>> get("accelerator", "h100-sxm").memory.value  # bytes
    80000000000.0
    """
    return _of(overlays).get(kind, name)


def find(text: str = "", kind: str = "", overlays: Overlays = ()) -> Table:
    """Records with a text in their id; of one kind also in its name and aliases, with its main values and their units.

    Raises:
        InputError: there is no such kind.

    >>> find("nvl72", "platform").columns["id"]
    ['gb200-nvl72', 'gb300-nvl72', 'vr-nvl72']
    """
    from gigawatt.catalog.queries import find_table, list_table

    catalog = _of(overlays)
    return list_table(catalog, kind, text) if kind else find_table(catalog, text)


def show(name: str, kind: str = "", overlays: Overlays = ()) -> Table:
    """Every value of one record with its unit, 80 % range, kind, date and source.

    Raises:
        InputError: there is no such record; the nearest is named.

    >>> row = next(row for row in show("h100-sxm").rows() if row["field"] == "tdp")
    >>> row["value"], row["unit"]
    (700.0, 'W')
    """
    from gigawatt.catalog.queries import kind_of, show_tables

    catalog = _of(overlays)
    tables = show_tables(catalog, kind or kind_of(catalog, name), name)
    return next((table for table in tables if table.name == "values"), tables[0])

"""Records that an installed package brings: typed, sourced, told apart from everybody else's."""

from __future__ import annotations

from gigawatt.catalog import Catalog
from gigawatt.catalog.queries import audit


def record_problems(package: str) -> list[str]:
    """What `gigawatt catalog audit --plugin PACKAGE` finds wrong: fields and units, values without a source, ids that another
    package has, a folder that is no kind of record. An empty list for nothing."""
    rows = audit(Catalog.load(), package=package).rows()
    return [
        " ".join(str(row[name]) for name in ("kind", "id", "field", "finding") if row[name])
        for row in rows
        if row["severity"] == "wrong"
    ]

"""The loop's maturities as a catalog overlay: a file that a run reads before it starts, never a loop between towers.

A platform moves with its stack: from its own maturity in the catalog towards the stack's ceiling, by the same part of the gap.
What is written is a projection on assumptions, and its records say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as File
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, Problem
from gigawatt.core.table import Table
from gigawatt.economics.market.ban import Selling
from gigawatt.economics.market.ecosystem import Loop, matured
from gigawatt.study.market.sourced import ended, ends

Array = NDArray[np.float64]
USES = ("serving", "training")


class _Stack(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def platforms(self) -> list[str]: ...


def overlay_table(
    stacks: Sequence[_Stack],
    loop: Loop,
    found: Selling,
    where: str,
    region: int,
    months: Sequence[str],
    catalog: Catalog,
) -> Table:
    """Maturity of every platform named, at the end of each year, in `where`, in both worlds."""
    rows = []
    for world, path in (("sold", found.sold), ("banned", found.banned)):
        for q in range(3, len(months), 4):
            for s, stack in enumerate(stacks):
                for platform in stack.platforms:
                    software = catalog.get("platform", platform).software
                    made = [_moved(getattr(software, use), loop, path.experience[q, :, region, s], s, u)
                            for u, use in enumerate(USES)]  # fmt: skip
                    cells = ends(made[0], "serving") | ends(made[1], "training")
                    rows.append({"world": world, "quarter": months[q], "region": where, "platform": platform} | cells)
    columns = ("world", "quarter", "region", "platform", *ended(USES))
    note = "Ready to be written as an overlay of the catalog; a projection, not a measurement."
    return Table.from_rows("maturity_overlay", rows, columns, title="Maturity of platforms by the loop", note=note)


def _moved(given: Datum, loop: Loop, ratio: Array, stack: int, use: int) -> Array:
    return matured(given.value, loop.ceiling[:, stack, use], ratio, loop.learning)


def write_maturity_overlay(
    result: Any, folder: File | str, *, world: str = "sold", quarter: str | None = None
) -> list[File]:
    """Write the maturities of a result as a folder that `gigawatt run --overlay` takes.

    Args:
        result: what the section `loop` or a run of a market file returned; its table `maturity_overlay` is read.
        folder: made where it is missing.
        world: 'sold' or 'banned'.
        quarter: month such as '2030-07'; the last one of the result by default.

    Returns:
        the files written, one for each platform.

    Raises:
        InputError: the result holds no such table, or no rows of that world and quarter.
    """
    table = _table_of(result)
    rows = [row for row in table.rows() if row["world"] == world] if table is not None else []
    quarters = sorted({row["quarter"] for row in rows})
    at = quarter if quarter is not None else (quarters[-1] if quarters else "")
    chosen = [row for row in rows if row["quarter"] == at]
    if not chosen:
        known = f"quarters of '{world}': {', '.join(quarters)}" if quarters else "run a file that has a section 'loop'"
        raise InputError(
            Problem("no_maturity", f"the result has no maturity of world '{world}' at '{at}'", None, (known,))
        )
    files = []
    for row in chosen:
        file = File(folder) / "platform" / f"{row['platform']}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_record(row), encoding="utf-8")
        files.append(file)
    return files


def _record(row: Mapping[str, Any]) -> str:
    lines = [f"extends: {row['platform']}", "software:"]
    for use in USES:
        value = row[use]
        low, high = (value if row[f"{use}_{end}"] is None else row[f"{use}_{end}"] for end in ("low", "high"))
        lines.append(f"  {use}: {{value: {value:.4f}, low: {min(low, value):.4f}, high: {max(high, value):.4f}}}")
    source = f"projection of the software loop ({row['region']}, {row['world']}), no measurement"
    lines += ["  kind: assumed", f'  source: "{source}"', f'  as_of: "{row["quarter"]}"']
    return "\n".join(lines) + "\n"


def _table_of(result: Any) -> Table | None:
    tables = result.tables
    listed: Iterable[Table] = tables.values() if isinstance(tables, Mapping) else tables
    return next((table for table in listed if table.name == "maturity_overlay"), None)

"""Is this machine fit? Each check runs the thing it speaks of."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

NEEDED = (
    "numpy",
    "scipy",
    "highspy",
    "pydantic",
    "ruamel.yaml",
    "pint",
    "typer",
    "rich",
    "polars",
    "duckdb",
    "xlsxwriter",
    "pyxirr",
    "plotly",
)
EXTRAS = ("numba", "SALib", "ray")


def examine() -> list[dict[str, Any]]:
    """Rows of name, ok, detail."""
    return [
        _try(
            "python",
            lambda: f"{platform.python_version()} on {platform.system()} {platform.machine()}",
            sys.version_info >= (3, 11),
        ),
        _try("processors", lambda: f"{os.cpu_count()} cores"),
        *(_try(f"package {name}", partial(importlib.metadata.version, name)) for name in NEEDED),
        _try("extras", _extras),
        _try("units", _units),
        _try("catalog", _catalog),
        _try("solver", _solver),
        _try("measured tables", _tables),
        *_plugins(),
    ]


def _try(name: str, look: Callable[[], str], holds: bool = True) -> dict[str, Any]:
    try:
        return {"name": name, "ok": holds, "detail": look()}
    except Exception as error:  # a doctor reports whatever fails
        return {"name": name, "ok": False, "detail": f"{type(error).__name__}: {error}"}


def _extras() -> str:
    found = []
    for name in EXTRAS:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} not installed (optional)")
    return ", ".join(found)


def _units() -> str:
    from gigawatt.core import units

    value = units.parse("13.3 million USD/MW/yr", "rent")
    return f"13.3 million USD/MW/yr = {value:.6g} USD/W/s"


def _catalog() -> str:
    from gigawatt.catalog import Catalog

    catalog = Catalog.load()
    kinds = ("accelerator", "platform", "model", "site", "facility")
    counts = {kind: len(catalog.ids(kind)) for kind in kinds}
    if not all(counts.values()):
        raise ValueError(f"empty kinds: {counts}")
    return ", ".join(f"{count} {kind}s" for kind, count in counts.items())


def _solver() -> str:
    from scipy.optimize import linprog

    found = linprog([-1.0, -1.0], A_ub=[[1.0, 2.0]], b_ub=[4.0], bounds=[(0, 3), (0, None)])
    if not found.success or abs(found.fun + 3.5) > 1e-9:
        raise ValueError(f"HiGHS answered {found.fun} where -3.5 is right")
    return f"HiGHS {importlib.metadata.version('highspy')} solves a two-variable programme"


def _plugins() -> list[dict[str, Any]]:
    from gigawatt.testing.health import plugin_rows

    return plugin_rows()


def _tables() -> str:
    from gigawatt.validation.tables import KINDS, find_tables

    return "; ".join(f"{kind}: {len(find_tables(kind))}" for kind in KINDS)

"""Gigawatt: designs, prices and finances AI factories.

    import gigawatt as gw

    site = gw.load("one-gigawatt").with_({"site.grid_power": "500 MW"})
    plan = gw.run(site)
    plan.metrics["system_npv"], plan.table("limits"), plan.plot(), plan.explain("capex")

Names below are all there is; everything else may change without notice. They are imported when they are first used, so that
the command line and a bare import stay fast.
"""

from __future__ import annotations

TYPE_CHECKING = False  # checkers take it for typing's own, which a bare import need not load

if TYPE_CHECKING:
    from typing import Any

    from gigawatt import catalog
    from gigawatt.api.ask import net, run, serve, train
    from gigawatt.api.explanation import Explanation
    from gigawatt.api.metric import Metric, Metrics
    from gigawatt.api.result import Result
    from gigawatt.api.scenario import Scenario, load, templates
    from gigawatt.api.stored import open
    from gigawatt.api.studies import compare, query, risk
    from gigawatt.api.sweeps import SweepResult, sweep
    from gigawatt.api.tables import Table
    from gigawatt.core.errors import GigawattError, Infeasible, InputError

__version__ = "0.1.0"
__all__ = [
    "Explanation",
    "GigawattError",
    "Infeasible",
    "InputError",
    "Metric",
    "Metrics",
    "Result",
    "Scenario",
    "SweepResult",
    "Table",
    "catalog",
    "compare",
    "load",
    "net",
    "open",
    "query",
    "risk",
    "run",
    "serve",
    "sweep",
    "templates",
    "train",
]

_PLACES = {
    "api.ask": ("net", "run", "serve", "train"),
    "api.explanation": ("Explanation",),
    "api.metric": ("Metric", "Metrics"),
    "api.result": ("Result",),
    "api.scenario": ("Scenario", "load", "templates"),
    "api.stored": ("open",),
    "api.studies": ("compare", "query", "risk"),
    "api.sweeps": ("SweepResult", "sweep"),
    "api.tables": ("Table",),
    "core.errors": ("GigawattError", "Infeasible", "InputError"),
}
_HOME = {name: place for place, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "catalog":
        return import_module("gigawatt.catalog")
    if name not in _HOME:
        raise AttributeError(f"module 'gigawatt' has no attribute '{name}'")
    found = getattr(import_module(f"gigawatt.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])

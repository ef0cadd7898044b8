"""Back-tests of the money: small scenario files with stated inputs, run by the evaluator they name.

>>> round(run("bt20")["irr"], 1), round(run("bt20", ["inputs.site_margin=80 %"])["irr"], 1)
(13.0, 10.6)

A file holds no answer. Its class says what it can prove: 'wiring' is arithmetic on published inputs and shows only
that the engine is connected rightly; 'published' reproduces a published answer; 'history' compares a forecast or a
rule with what happened, failures included; 'forward' waits for its outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

from gigawatt.core import document
from gigawatt.core.errors import InputError, unknown_name
from gigawatt.study.backtests import agreements, networks, operating, per_gigawatt, replay, stakes, vendor_quarters
from gigawatt.study.backtests.case import CLASSES, PROVES, Case, Evaluator, check
from gigawatt.study.backtests.inputs import Given, Inputs

__all__ = ["CLASSES", "EVALUATORS", "PROVES", "Case", "Evaluator", "Given", "Inputs", "cases", "load", "run"]

EVALUATORS: dict[str, Evaluator] = {
    one.name: one
    for module in (per_gigawatt, vendor_quarters, operating, agreements, stakes, networks, replay)
    for one in module.EVALUATORS
}


@lru_cache(maxsize=1)
def cases() -> dict[str, Path]:
    """The packaged back-tests: id ('bt01') -> file."""
    folder = Path(str(resources.files("gigawatt") / "examples" / "backtests"))
    return {path.stem.partition("-")[0]: path for path in sorted(folder.glob("bt*.yaml"))}


def load(name: str | Path, overrides: Sequence[str] = ()) -> Case:
    """A back-test by id or from a file, with `path=value` overrides.

    Raises:
        InputError: no such back-test, or what `case.check` finds wrong.
    """
    path = Path(name)
    if path.suffix != ".yaml":
        known = cases()
        if str(name).lower() not in known:
            raise InputError(unknown_name("back-test", str(name), known))
        path = known[str(name).lower()]
    return check(document.read(path), EVALUATORS, overrides)


def run(name: str | Path, overrides: Sequence[str] = ()) -> dict[str, float]:
    """Named outputs of a back-test; see `load`."""
    return load(name, overrides).outputs()

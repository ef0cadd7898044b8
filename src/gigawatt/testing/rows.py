"""What holds of every model in columns: an answer for each row, the same each time, and each row's its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SLACK = 1e-9  # of a law that arithmetic alone may miss


def answered(function: Callable[[Any], Any], asked: Any, rows: int, name: str) -> tuple[Array | None, str]:
    """(the column, what is wrong with it): of the right length, finite, not negative."""
    try:
        found = np.asarray(function(asked), dtype=np.float64)
    except Exception as error:  # whatever the author's code does
        return None, f"{name}: {type(error).__name__}: {' '.join(str(error).split())}"
    if found.shape != (rows,):
        return None, f"{name}: an answer of shape {found.shape} for {rows} rows"
    if not np.all(np.isfinite(found)):
        return None, f"{name}: row {int(np.argmin(np.isfinite(found)))} is {found[~np.isfinite(found)][0]}"
    if np.any(found < 0.0):
        return None, f"{name}: row {int(np.argmax(found < 0.0))} is {found.min():g}"
    return found, ""


def repeatable(
    function: Callable[[Any], Any], whole: Any, part: Any, rows: Array | slice, found: Array, name: str
) -> Iterator[str]:
    """The same answer again; and for some rows alone what they had among the others."""
    again, wrong = answered(function, whole, len(found), name)
    if wrong or again is None or not np.array_equal(again, found):
        yield wrong or f"{name}: another answer the second time"
        return
    alone, wrong = answered(function, part, len(found[rows]), name)
    if wrong or alone is None or not np.allclose(alone, found[rows], rtol=1e-12, atol=0.0):
        yield wrong or f"{name}: a row's answer depends on the rows beside it"


def never_above(less: Array, more: Array, law: str) -> Iterator[str]:
    """`less` is nowhere above `more`."""
    above = less > more * (1.0 + SLACK) + 1e-30
    if np.any(above):
        row = int(np.argmax(above))
        yield f"{law}: row {row} has {less[row]:.6g} against {more[row]:.6g}"

"""Times of single kernels as benchmarks measured them: the packaged sample, or any table of the same columns.

A row names chip, family, precision, engine and the kernel's shape as `name=value` pairs. Benchmarks repeat one kernel, so
operands that fit L2 are taken from there (`resident`), which the engine's own use of the same forms never assumes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.physics.chip import Chip, chip_from_record
from gigawatt.physics.chip.kernels import FAMILIES, kernel_seconds
from gigawatt.validation.base import Prediction

METRIC = "time_us"


@lru_cache(maxsize=64)
def chip_named(name: str) -> Chip:
    """A chip of the packaged catalog.

    Raises:
        InputError: no such accelerator.
    """
    return chip_from_record(Catalog.load().get("accelerator", name))


def shape_of(text: str) -> dict[str, float]:
    """'m=16;n=4096' as numbers.

    >>> shape_of("m=16;n=4096")
    {'m': 16.0, 'n': 4096.0}
    """
    return {key.strip(): float(value) for key, _, value in (item.partition("=") for item in text.split(";") if item)}


def predict(rows: Sequence[dict[str, str]]) -> list[Prediction]:
    """One prediction a row; rows of equal chip, family, precision, engine and columns in one pass."""
    batches: dict[tuple[str, ...], list[tuple[str, dict[str, float]]]] = {}
    out: list[Prediction] = []
    for row in rows:
        shape = shape_of(row["shape"])
        key = (row["chip"], row["family"], row["precision"], row["engine"], ";".join(shape))
        batches.setdefault(key, []).append((row["id"], shape))
    for (chip, family, precision, engine, _), members in batches.items():
        columns: dict[str, Any] = {
            name: np.array([shape[name] for _, shape in members], dtype=np.float64) for name in members[0][1]
        }
        group = f"{family} / {precision} / {chip}"
        try:
            found = kernel_seconds(chip_named(chip), family, precision, engine=engine, **_benchmark(family), **columns)
        except InputError as error:
            reason = str(error).splitlines()[0]
            out += [Prediction(name, METRIC, None, reason=reason, group=group) for name, _ in members]
            continue
        for i, (name, _) in enumerate(members):
            low, middle, high = (1e6 * float(x[i]) for x in (found.low, found.seconds, found.high))
            out.append(Prediction(name, METRIC, middle, low, high, note=found.note, group=group))
    return out


def _benchmark(family: str) -> dict[str, Any]:
    """Options under which a kernel is benchmarked."""
    return {"resident": True} if family in FAMILIES and FAMILIES[family].resident else {}

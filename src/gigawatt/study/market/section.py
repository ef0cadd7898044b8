"""A section of a market file: its model and what answers it. Each part of the market offers its own in `SECTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from gigawatt.catalog import Catalog
from gigawatt.core.datum import Datum
from gigawatt.core.errors import Where
from gigawatt.core.table import Table


@dataclass(frozen=True, slots=True)
class SectionResult:
    """What a section answers.

    `metrics` are rows of `study.headline.metrics_table`: name, value, unit, low, high, p50, formula, inputs. The first
    sentence of a section may stand in the headline. `columns` is what other sections may read ([draws, quarters] or
    [quarters]); `left_out` and `notes` go to the texts of those names, `facts` to the manifest. `data` are its inputs
    by name, and `leaves` what else its numbers rest on, for `explain`.
    """

    tables: list[Table]
    metrics: list[dict[str, Any]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    columns: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Datum] = field(default_factory=dict)
    leaves: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """What a section may look at beside its own text: the catalog, the place of a path below it, and what the sections
    before it left."""

    catalog: Catalog
    where: Callable[[Sequence[str | int]], Where]
    columns: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Section:
    """`run(section, seed, samples, as_of)` answers a checked `model`; with `context` it is called with a `Context` too.

    `as_of` None means all that is known. Nothing dated later may change an answer.
    """

    model: type[BaseModel]
    run: Callable[..., SectionResult]
    context: bool = False


AsOf = date | None


def metric(
    name: str, value: float, unit: str, formula: str, inputs: str, band: tuple[float, float, float] | None = None
) -> dict[str, Any]:
    """A row of the metrics; `band` is (low, middle, high)."""
    low, middle, high = band if band is not None else (None, None, None)
    return {"name": name, "value": float(value), "unit": unit, "low": low, "high": high, "p50": middle,
            "formula": formula, "inputs": inputs}  # fmt: skip

"""Which measured rows the fits have not seen, and which of them belong together.

    serving points      whole deployments by a hash of their name, where the table states how a deployment was launched
    training            two thirds of a table of very many rows on one node; runs that their source calls a regression, or of
                        software that has no constants; documents that no fit has read
    collectives         kernel times of profilers, to which nothing is fitted

Kernels, published serving figures and power were fitted to the rows that they are validated on: their errors outside the fit
stand in the calibration records, from fits that left out shapes, models or sources. The rules by which rows are dealt stand
here alone, for the fits (`tools/fit`) and for the validation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gigawatt.validation.base import Prediction
from gigawatt.validation.network import PROFILED_GROUP
from gigawatt.validation.serving_points import RECIPE, STATED, Point, points
from gigawatt.validation.tables import find_tables, layout_of, read_rows
from gigawatt.validation.training_bands import kin_of_row, origin_of, unseen
from gigawatt.validation.training_rows import case_of

HELD_OUT = 0.3  # share of serving deployments that the fit leaves out
ONE_IN = 3  # rows of which the fit of training reads one, in the table named below
SINGLE_NODE = "train_truth_single_node.csv"
FLAGGED = "source flags known"  # what the notes say of rows that the source itself calls a regression


@dataclass(frozen=True, slots=True)
class Origin:
    """Of one row: what its error belongs to (a deployment, a document's runs on a chip), the chip's generation where that
    is known, and whether a fit has seen it.
    """

    belongs: str
    generation: str
    seen: bool


def part(name: str, salt: str = "serving") -> float:
    """A number in 0..1 from a name, the same on every machine."""
    return int(hashlib.sha256(f"{salt}:{name}".encode()).hexdigest()[:8], 16) / 0xFFFFFFFF


def cell_of(point: Point, row: Mapping[str, str]) -> str:
    """What belongs together: a deployment at all its loads and lengths."""
    s = point.spec
    return "|".join(
        map(str, (point.group, row.get("backend_version"), s.precision, s.gpus, s.dp, s.moe_tp, s.draft is not None))
    )


def read_by_training(row: Mapping[str, str], number: int, table: str) -> bool:
    """Whether the fit of training reads a row: `number` counts from 0 in the file `table`."""
    source, chip = row["source"].lower(), row["gpu"].lower()
    own_stack = row["measured_metric"] == "time_to_train_min" and ("deepspeed" in source or "gaudi" in chip)
    return FLAGGED not in row["notes"] and not own_stack and not (table == SINGLE_NODE and number % ONE_IN)


def origins(kind: str, predictions: Sequence[Prediction]) -> list[Origin]:
    """The origin of every prediction of `validate(kind)`, over the same tables.

    Raises:
        InputError: a table that can not be read.
    """
    known = _serving() if kind == "serving" else _training() if kind == "training" else {}
    return [known.get(p.id) or Origin(p.group, "", p.group != PROFILED_GROUP) for p in predictions]


def _serving() -> dict[str, Origin]:
    """Serving points by id. Rows whose launch no column states were in no fit either; their bands were sized on them."""
    out: dict[str, Origin] = {}
    for path in find_tables("serving"):
        rows = read_rows(path)
        if rows and "silicon_data_source" in rows[0]:
            by = {row["id"]: row for row in rows}
            for point in points(layout_of("serving", rows, path).blind(rows)):
                cell = cell_of(point, by[point.id])
                seen = point.sized in (STATED, RECIPE) and part(cell) >= HELD_OUT
                out.setdefault(point.id, Origin(cell, point.spec.chip.generation, seen))
    return out


def _training() -> dict[str, Origin]:
    out = {}
    for path in find_tables("training"):
        rows = read_rows(path)
        blind = layout_of("training", rows, path).blind(rows)
        for number, (row, hidden) in enumerate(zip(rows, blind, strict=True)):
            case = case_of(hidden)
            seen = not unseen(case) and read_by_training(row, number, path.name)
            out[row["id"]] = Origin(f"{origin_of(case.source)} / {kin_of_row(case)}", case.chip.generation, seen)
    return out

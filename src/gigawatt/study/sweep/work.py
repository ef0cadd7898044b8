"""What a worker does: its evaluator once, then chunk after chunk of the design to the bytes of a part."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gigawatt.study.evaluate import Recipe
from gigawatt.study.executors import Worker
from gigawatt.study.executors.carried import Carried
from gigawatt.study.sweep.design import Design
from gigawatt.study.sweep.schema import Schema, encode, frame_of


@dataclass(frozen=True, slots=True)
class Work:
    """Made where the worker is: plain data, so that it can be sent there."""

    recipe: Recipe
    design: Design
    schema: Schema
    overlays: Carried = field(default_factory=Carried)

    def __call__(self) -> Worker:
        recipe = self.recipe
        if self.overlays.folders:
            recipe = replace(recipe, overlays=self.overlays.here())
        evaluator = recipe.evaluator()

        def part(chunk: int) -> bytes:
            rows = self.design.rows_of(chunk)
            changes = [self.design.changes(row) for row in rows]
            outcomes = [evaluator.outcome(change) for change in changes]
            return encode(frame_of(self.schema, self.design, rows, changes, outcomes))

        return part

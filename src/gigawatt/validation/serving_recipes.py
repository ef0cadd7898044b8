"""Published sizes of prefill and decode pools, for rows whose columns leave them out.

A row states how long prompts and answers are, how many users ask, and mostly how wide each worker is. Launch recipes that are
public say how many workers such a run had (`data/serving_recipes.csv`). The recipes nearest to a row are taken, by

    |ln (users / the recipe's)|  +  1 for each width of a worker that differs  +  0.5 where experts lie differently

Some tables give the chips of both pools together as the width of each: then 2 |ln (chips / the recipe's)| counts instead.
Several recipes may be as near (with and without multi-token prediction, say): all of them are kept.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

FILE = "serving_recipes.csv"
WIDTH_COST, EXPERTS_COST, CHIPS_COST = 1.0, 0.5, 2.0
SAME = 1e-9  # costs this near are equal


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker of a pool: chips, attention ranks, ways the experts are cut."""

    gpus: int
    dp: int
    moe_tp: int

    @classmethod
    def of(cls, text: str) -> Worker:
        """From tep8, dep16, tp4, dp8."""
        found = re.fullmatch(r"(tp|tep|dep|dp)(\d+)", text)
        if found is None:
            raise ValueError(f"'{text}' names no layout")
        kind, size = found[1], int(found[2])
        return cls(size, size if kind in ("dep", "dp") else 1, 1 if "e" in kind else size)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Both pools of a launch, for the numbers of users it was run with."""

    users: tuple[float, ...]
    prefill: Worker
    decode: Worker
    prefill_workers: int
    decode_workers: int
    drafts: int
    batch: float

    @property
    def slots(self) -> float:
        """Requests that the decode pool admits."""
        return self.batch * self.decode.dp * self.decode_workers

    @property
    def chips(self) -> int:
        """Chips of both pools."""
        return self.prefill.gpus * self.prefill_workers + self.decode.gpus * self.decode_workers


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row states: users, and (chips, ways experts are cut) of each worker."""

    users: float
    prefill: tuple[int, int]
    decode: tuple[int, int]


Key = tuple[str, str, str, str, str]


@lru_cache(maxsize=1)
def recipes() -> Mapping[Key, tuple[Recipe, ...]]:
    """(system, engine, precision, input, output tokens) -> recipes."""
    found: dict[Key, list[Recipe]] = {}
    text = (resources.files("gigawatt.validation") / "data" / FILE).read_text(encoding="utf-8")
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        key = (row["system"], row["engine"], row["precision"], row["isl"], row["osl"])
        recipe = Recipe(
            tuple(float(n) for n in row["users"].split()),
            Worker.of(row["prefill_layout"]),
            Worker.of(row["decode_layout"]),
            int(row["prefill_workers"]),
            int(row["decode_workers"]),
            int(row["drafts"]),
            float(row["batch"] or math.inf),
        )
        found.setdefault(key, []).append(recipe)
    return {key: tuple(members) for key, members in found.items()}


def distance(recipe: Recipe, asked: Asked) -> float:
    """How far a recipe is from what a row states."""
    away = min(abs(math.log(asked.users / n)) for n in recipe.users)
    pair = ((recipe.prefill, asked.prefill), (recipe.decode, asked.decode))
    each = sum(
        WIDTH_COST * (worker.gpus != gpus) + EXPERTS_COST * ((worker.moe_tp < worker.gpus) != (moe_tp < gpus))
        for worker, (gpus, moe_tp) in pair
    )
    if asked.prefill == asked.decode and asked.decode[0] > 1:
        each = min(each, CHIPS_COST * abs(math.log(asked.decode[0] / recipe.chips)))
    return away + each


def nearest(known: Sequence[Recipe], asked: Asked) -> tuple[float, list[Recipe]]:
    """The distance of the nearest recipes, and those; no recipe is infinitely far."""
    if not known:
        return math.inf, []
    away = [distance(r, asked) for r in known]
    least = min(away)
    return least, [r for r, d in zip(known, away, strict=True) if d < least + SAME]

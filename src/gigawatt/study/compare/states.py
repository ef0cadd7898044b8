"""The files that lie between A and B, asked: headline metrics of every set of moves, each worked out once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from gigawatt.core.errors import Infeasible
from gigawatt.study.compare.differences import between, tree_of
from gigawatt.study.compare.groups import OVERLAYS, Group
from gigawatt.study.compare.sides import Side
from gigawatt.study.compare.walk import Moves
from gigawatt.study.evaluate import Evaluator, Outcome, Recipe

Progress = Callable[[str], Any]


class States:
    """Outcomes by the set of groups that stand as in B.

    All are asked of one evaluator (of two where the sides have different folders of records), so that what they have in
    common, such as operating points, is worked out once.
    """

    def __init__(self, a: Side, b: Side, groups: Sequence[Group], progress: Progress = lambda text: None) -> None:
        self.a, self.b, self.groups = a, b, tuple(groups)
        self.all: Moves = frozenset(range(len(groups)))
        self.asked = 0
        self._progress = progress
        self._trees = tree_of(a.data), tree_of(b.data)
        same = {key: value for key, value in a.data.items() if key in b.data and b.data[key] == value}
        self._ground = replace(a.recipe.source, data=same, places={})
        self._evaluators: dict[tuple[str, ...], Evaluator] = {}
        self._known: dict[Moves, Outcome] = {}

    @property
    def units(self) -> dict[str, str]:
        """Units of every metric seen so far."""
        return {name: unit for one in self._evaluators.values() for name, unit in one.units.items()}

    def outcome(self, moved: Moves) -> Outcome:
        """What the question comes to with these groups as in B."""
        if moved not in self._known:
            self.asked += 1
            self._progress(f"state {self.asked}: {len(moved)} of {len(self.groups)} groups as in B")
            data = self._data(moved)
            changes = {key: value for key, value in data.items() if key not in self._ground.data}
            self._known[moved] = self._evaluator(moved).outcome(changes)
        return self._known[moved]

    def _data(self, moved: Moves) -> dict[str, Any]:
        if not moved:
            return self.a.data
        if moved == self.all:
            return self.b.data
        return between(*self._trees, [one for k in sorted(moved) for one in self.groups[k].differences])

    def _evaluator(self, moved: Moves) -> Evaluator:
        other = any(self.groups[k].name == OVERLAYS for k in moved)
        overlays = (self.b if other else self.a).recipe.overlays
        if overlays not in self._evaluators:
            recipe = Recipe(self.a.recipe.verb, self._ground, overlays, self.a.recipe.as_of)
            self._evaluators[overlays] = recipe.evaluator()
        return self._evaluators[overlays]

    def ends(self) -> tuple[Outcome, Outcome]:
        """The outcomes of A and of B.

        Raises:
            InputError: a side is wrong, told at its places.
            Infeasible: no plan fits a side.
        """
        found = []
        for side, moved in ((self.a, frozenset[int]()), (self.b, self.all)):
            outcome = self.outcome(moved)
            if outcome.status != "ok":
                _raise(side, outcome)
            found.append(outcome)
        return found[0], found[1]


def _raise(side: Side, outcome: Outcome) -> NoReturn:
    """Ask a side once more by itself, for the whole of its error with places."""
    try:
        side.recipe.evaluator().metrics()
    except Infeasible as error:
        raise Infeasible(f"'{side.name}': {error.message}", error.conflict, error.changes) from None
    raise RuntimeError(f"'{side.name}' has an answer by itself, but not here: {outcome.message}")

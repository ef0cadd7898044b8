"""A comparison as a result: the steps, every headline metric on both sides, every input that differs, and what to say of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gigawatt import __version__
from gigawatt.core.table import Table
from gigawatt.study.compare.groups import Group
from gigawatt.study.compare.sides import Side
from gigawatt.study.compare.states import States
from gigawatt.study.compare.walk import Moves, Step, Value
from gigawatt.study.compare.words import amount, change_of, side_says
from gigawatt.study.result import RunResult

ENGINE = "facts and engine"
CENT = 0.005
NOISE = 1e-9  # of the larger side, below which a step is what solvers and rounding leave


@dataclass(frozen=True, slots=True)
class Method:
    """How steps were taken: in one 'order' (with its `reverse` beside it, where that was asked), or as means over 'orders'."""

    kind: str
    reverse: tuple[Step, ...] = ()
    passed: int = 0
    tried: int = 0
    every: bool = False


@dataclass(frozen=True)
class Made:
    """All that a comparison worked out; `engine` holds by metric what kept results are above today's, of A and of B."""

    a: Side
    b: Side
    groups: tuple[Group, ...]
    states: States
    metric: str
    steps: tuple[Step, ...]
    path: tuple[Step, ...]
    method: Method
    engine: Mapping[str, tuple[float, float]]

    def value(self, metric: str) -> Value:
        """The metric by the set of groups that stand as in B."""

        def of(moved: Moves) -> float | None:
            outcome = self.states.outcome(moved)
            return outcome.values.get(metric) if outcome.status == "ok" else None

        return of

    def end(self, side: int, metric: str) -> float | None:
        """The metric of A (0) or B (1): as kept in a run folder, else as asked today."""
        now = self.value(metric)(self.states.all if side else frozenset())
        return None if now is None else now + self.engine.get(metric, (0.0, 0.0))[side]

    def gap(self, metric: str) -> float | None:
        low, high = self.end(0, metric), self.end(1, metric)
        return None if low is None or high is None else high - low

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The steps of the metric that is taken apart."""
        known = self.a.recipe.inputs(), self.b.recipe.inputs()
        ordered = {step.moves: step for step in self.path}
        back = {step.moves: step for step in self.method.reverse}
        value = self.value(self.metric)
        rows: list[dict[str, Any]] = []
        kept = self.engine_step(self.metric)
        if kept:
            rows.append({"step": ENGINE, "change": self._versions(), "value": kept, "in_order": kept})
        for step in self.steps:
            worth = step.of(value)
            spread = step.spread(value)
            if spread is None and step.moves in back:
                other = back[step.moves].of(value)
                spread = None if worth is None or other is None else (min(worth, other), max(worth, other))
            mine = [self.groups[k] for k in step.moves]
            rows.append(
                {
                    "step": " + ".join(group.name for group in mine),
                    "change": "; ".join(change_of(group, *known) for group in mine),
                    "value": worth,
                    "lowest": spread[0] if spread else None,
                    "highest": spread[1] if spread else None,
                    "in_order": ordered[step.moves].of(value) if step.moves in ordered else None,
                }
            )
        return rows

    def engine_step(self, metric: str) -> float:
        """What facts and engine explain of the gap."""
        of_a, of_b = self.engine.get(metric, (0.0, 0.0))
        return of_b - of_a

    def _versions(self) -> str:
        said = [f"version {side.version}" for side in (self.a, self.b) if side.kept is not None]
        return f"since the run{'s' if len(said) > 1 else ''} of {' and '.join(dict.fromkeys(said))}; now {__version__}"

    @property
    def unit(self) -> str:
        return self.states.units.get(self.metric, "")

    def is_noise(self, value: float, metric: str = "") -> bool:
        """A step of a metric, by default the one that is taken apart, too small to be anything but rounding."""
        name = metric or self.metric
        sizes = [abs(end) for end in (self.end(0, name), self.end(1, name)) if end is not None]
        return abs(value) <= NOISE * max(sizes, default=0.0)

    def is_idle(self, row: Mapping[str, Any]) -> bool:
        """The step moves nothing, in no order that was asked."""
        return all(self.is_noise(row.get(name) or 0.0) for name in ("value", "lowest", "highest"))

    @property
    def same(self) -> bool:
        """Nothing differs: no input, no fact."""
        return not self.groups and not self.engine


def result_of(made: Made, command: str) -> RunResult:
    """The result, with tables `steps`, `inputs`, `every_metric`, metrics (A, B, gap) and sentences."""
    start, gap = made.end(0, made.metric), made.gap(made.metric)
    assert start is not None and gap is not None
    rows, level = [], [start]
    for row in made.rows:
        level.append(row["value"])
        share = row["value"] / gap + 0.0 if gap else None
        rows.append(row | {"share": share, "after": math.fsum(level), "moves": not made.is_idle(row)})
    columns = ("step", "change", "value", "share", "after", "lowest", "highest", "in_order", "moves")
    units = dict.fromkeys(("value", "after", "lowest", "highest", "in_order"), made.unit) | {"share": "share"}
    residual = gap - math.fsum(level[1:])
    title = f"From A to B: {made.metric}"
    tables = {
        "steps": Table.from_rows("steps", rows, columns, units, title, _method(made)),
        "inputs": _inputs(made),
        "every_metric": _every_metric(made),
    }
    manifest = {
        "question": "compare",
        "version": __version__,
        "verb": made.a.recipe.verb,
        "a_name": made.a.name,
        "b_name": made.b.name,
        "metric": made.metric,
        "unit": made.unit,
        "a": start,
        "b": start + gap,
        "gap": gap,
        "residual": residual,
        "method": made.method.kind,
        "order": [group.name for group in made.groups],
        "states": made.states.asked,
        "no_difference": made.same,
    }
    answer, notes = _answer(made, start, gap), _notes(made, residual)
    texts = {"answer": answer, "notes": notes, "next": _next(made, command)}
    name = f"{_slug(made.a)}-to-{_slug(made.b)}"
    title = f"Why {made.b.name} differs from {made.a.name}"
    overlays = {"overlays": made.a.recipe.overlays, "overlays_b": made.b.recipe.overlays}
    manifest |= {key: list(folders) for key, folders in overlays.items() if any(overlays.values())}
    return RunResult(name, title, answer[0], tables, _metrics(made), texts, manifest)


def _slug(side: Side) -> str:
    name = str(side.data.get("name") or Path(side.name).stem)
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "side"


def _metrics(made: Made) -> Table:
    """Every headline metric of either side; `value` is B's less A's."""
    ends = made.value
    zero, every = frozenset[int](), made.states.all
    names = list(dict.fromkeys((*made.states.outcome(zero).values, *made.states.outcome(every).values)))
    rows = []
    for name in sorted(names, key=lambda name: name != made.metric):
        low = made.end(0, name) if ends(name)(zero) is not None else None
        high = made.end(1, name) if ends(name)(every) is not None else None
        gap = made.gap(name)
        gap = 0.0 if gap is not None and made.is_noise(gap, name) else gap
        rows.append(
            {
                "name": name,
                "value": gap,
                "unit": made.states.units.get(name, ""),
                "a": low,
                "b": high,
                "change": gap / abs(low) if gap is not None and low else None,
            }
        )
    note = "value is B's less A's, change its share of A's."
    units = {"change": "share"}
    return Table.from_rows(
        "metrics", rows, ("name", "a", "b", "value", "change", "unit"), units, "Headline numbers", note
    )


def _inputs(made: Made) -> Table:
    known = made.a.recipe.inputs(), made.b.recipe.inputs()
    rows = []
    for group in made.groups:
        if not group.differences:
            folders = [", ".join(side.recipe.overlays) or "none" for side in (made.a, made.b)]
            rows.append({"group": group.name, "path": "folders of records", "a": folders[0], "b": folders[1]})
        for one in group.differences:
            rows.append(
                {
                    "group": group.name,
                    "path": one.dotted,
                    "a": side_says(one.a, known[0].get(one.dotted)),
                    "b": side_says(one.b, known[1].get(one.dotted)),
                    "a_where": made.a.where(one.path),
                    "b_where": made.b.where(one.path),
                }
            )
    columns = ("group", "path", "a", "b", "a_where", "b_where")
    note = "What both sides mean alike (10 % and 0.1, a default written out) is no difference; names and titles are left out."
    return Table.from_rows("inputs", rows, columns, {}, "Inputs that differ", note)


def _every_metric(made: Made) -> Table:
    """The same steps of every other headline metric: a row a metric and step, with the metric's unit."""
    rows = []
    for name, unit in made.states.units.items():
        gap, value = made.gap(name), made.value(name)
        if gap is None:
            continue
        steps: dict[str, float | None] = {ENGINE: made.engine_step(name)} if made.engine_step(name) else {}
        steps |= {" + ".join(made.groups[k].name for k in step.moves): step.of(value) for step in made.steps}
        still = all(made.is_noise(worth or 0.0, name) for worth in (gap, *steps.values()))
        for named, worth in steps.items():
            rows.append({"metric": name, "step": named, "value": worth and (0.0 if still else worth), "unit": unit})
    note = "Without a value: a state on the way does not have the metric."
    columns = ("metric", "step", "value", "unit")
    return Table.from_rows("every_metric", rows, columns, {}, "The same steps of every metric", note)


def _method(made: Made) -> str:
    """How the steps were taken, and that the order matters."""
    if made.same or not made.steps:
        return ""
    if made.method.kind == "orders":
        of = made.method
        which = "both" if of.tried == 2 else f"all {of.passed:,}"
        which = which if of.every and of.passed == of.tried else f"{of.passed:,} of {of.tried:,}"
        how = (
            f"Each step is the mean over {which} orders of the groups{'' if of.every else ', drawn with a fixed seed'}"
        )
        left = "" if of.passed == of.tried else "; the others pass a state that can not be"
        return f"{how} (Shapley value){left}. Lowest and highest are over these orders."
    if len(made.steps) < 2:
        return ""
    flow = "Groups move one after another, top to bottom; another order gives other steps (the sum stays)."
    if made.method.reverse:
        return f"{flow} Lowest and highest: this order and its reverse. --shapley takes the mean over orders."
    return f"{flow} --shapley takes the mean over orders."


def _answer(made: Made, start: float, gap: float) -> list[str]:
    if made.same:
        alike = made.a.name == made.b.name
        line = f"No difference: {made.a.name}" + (
            " is compared with itself." if alike else f" and {made.b.name} ask the same."
        )
        return [f"{line} {made.metric} is {amount(start, made.unit)}."]
    if not made.groups and not gap:
        return [f"No difference in {made.metric}: {amount(start, made.unit)} on both sides."]
    end = start + gap
    first = (
        f"{made.metric} of {made.b.name} is {amount(end, made.unit)}, of {made.a.name} {amount(start, made.unit)}: "
        f"{amount(gap, made.unit, signed=True)}."
    )
    rows = sorted((row for row in made.rows if not made.is_noise(row["value"])), key=lambda row: -abs(row["value"]))
    if not rows:
        count = len(made.groups)
        none = (
            "The group that differs does not move it."
            if count == 1
            else f"None of the {count} groups that differ moves it."
        )
        return [first, none]
    most = ", ".join(f"{row['step']} {amount(row['value'], made.unit, signed=True)}" for row in rows[:3])
    return [first, f"Most of it: {most}."]


def _notes(made: Made, residual: float) -> list[str]:
    notes = []
    if made.groups:
        sums = (
            "to the last cent" if made.unit == "USD" and abs(residual) < CENT else f"with a residual of {residual:.3g}"
        )
        notes.append(f"The steps sum to the gap {sums}.")
    for step in made.steps:
        if len(step.moves) > 1:
            notes.append(_merged(made, step))
    idle = [row["step"] for row in made.rows if made.is_idle(row)]
    if idle:
        notes.append(f"Differs without moving {made.metric}: {', '.join(idle)}.")
    if made.engine:
        notes.append(
            f"'{ENGINE}' is what the kept results differ by from the same questions asked of version {__version__} and its "
            "facts today."
        )
    objectives = [_objective(side) for side in (made.a, made.b)]
    if objectives[0] != objectives[1]:
        notes.append(f"A is planned for the {objectives[0]}, B for the {objectives[1]}; the gap is in {made.metric}.")
    return notes


def _merged(made: Made, step: Step) -> str:
    """Why groups move together: the first state between them that can not be."""
    before = step.terms[0].before
    names = [made.groups[k].name for k in step.moves]
    for count in range(1, len(step.moves)):
        outcome = made.states.outcome(before | set(step.moves[:count]))
        if outcome.status != "ok":
            why = outcome.message.rstrip(".") or f"it has no {made.metric}"
            return f"{' + '.join(names)} move together: with {', '.join(names[:count])} alone, {outcome.status}: {why}."
    return f"{' + '.join(names)} move together: between them there is no {made.metric}."


def _objective(side: Side) -> str:
    said = side.data.get("objective")
    return str(said.get("for", "system")) if isinstance(said, dict) else "system"


def _next(made: Made, again: str) -> list[str]:
    if made.same or not again:
        return []
    moved = {row["name"]: abs(row["change"]) for row in _metrics(made).rows() if row["change"]}
    others = sorted((name for name in moved if name != made.metric), key=lambda name: -moved[name])
    ways: list[str] = [f"{again} --metric {others[0]}"] if others else []
    if made.method.kind == "order" and len(made.groups) > 1:
        ways.append(f"{again} --shapley")
    return ways

"""Why do two answers differ? A walk from A to B, one group of inputs after another, whose steps sum to the gap.

    gap = B's metric - A's metric = facts and engine + sum of steps

`facts and engine` is there for run folders: what a kept result differs by from the same question asked today. Steps are
taken in one order (that of the data by default), or are the mean over all orders.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gigawatt.core.errors import InputError, Problem, Where, unknown_name
from gigawatt.study.compare.differences import Difference, differences, meaning_of, tree_of
from gigawatt.study.compare.groups import Group, groups_of, in_asked_order
from gigawatt.study.compare.made import Made, Method, result_of
from gigawatt.study.compare.sides import Side, refuse_unlike, side_of
from gigawatt.study.compare.states import States
from gigawatt.study.compare.walk import Moves, Step, Value, in_order, over_all_orders, over_some_orders
from gigawatt.study.evaluate import Outcome
from gigawatt.study.folders import manifest_of, verb_asked
from gigawatt.study.result import RunResult

Progress = Callable[[str], Any]
# Groups up to which all orders are asked without being told to: 2^n states, of `run` in milliseconds each.
FEW, FEW_OF_OTHERS = 4, 2
ALL_ORDERS = 8  # groups up to which every order is counted; beyond it orders are drawn
ORDERS, SEED = 32, 20260101
SAME = 1e-9  # relative difference below which a kept number and today's are one: rounding, not facts


def compare(
    a: Path | str,
    b: Path | str | None = None,
    *,
    set_a: Sequence[str] = (),
    set_b: Sequence[str] = (),
    verb: str | None = None,
    metric: str = "",
    order: str | Sequence[str] = "",
    shapley: bool = False,
    orders: int = ORDERS,
    overlays: Sequence[Path | str] = (),
    overlays_b: Sequence[Path | str] | None = None,
    as_of: str | None = None,
    progress: Progress = lambda text: None,
) -> RunResult:
    """The steps from A to B, with every headline metric and every input that differs.

    Args:
        a, b: files of one question, or run folders; without `b`, B is A with `set_b`.
        set_a, set_b: 'path=value' changes of either side.
        verb: who answers, where it is not the files' own ('fleet', 'moats', 'operate' of a site's scenario).
        metric: which headline metric's gap is taken apart (the objective's by default).
        order: names of groups or dotted paths, first to move first; '' or 'data-flow' is the order of the data.
        shapley: the mean over all orders, with the spread; taken without asking where groups are few and no order is given.
        orders: of more than eight groups, how many orders are drawn.
        overlays, overlays_b: folders of records of both sides, or of A and of B; a run folder's own where none are named.
        as_of: for deals and market: what was known by that day.

    Returns:
        Tables `steps` (rows sum to the gap), `metrics`, `inputs`, `every_metric`; in the manifest `a`, `b`, `gap`, `residual`.

    Raises:
        InputError: a side is wrong, the sides ask different questions, or a metric, group or change that is not there.
        Infeasible: no plan fits one of the sides.
    """
    if b is None and not set_b and not set_a and overlays_b is None:
        hint = f"for example: gigawatt compare {a} --set discount_rate='8 %'"
        raise InputError(
            Problem("nothing_to_compare", "there is one side only", None, ("name a second file or run", hint))
        )
    asked_of = verb or _verb_of_folders(a, b)
    one = side_of(a, asked_of, set_a, overlays, as_of)
    two = side_of(a if b is None else b, asked_of, set_b, overlays if overlays_b is None else overlays_b, as_of)
    asked = {"set-a": set_a, "set": set_b, "overlay": overlays, "overlay-b": overlays_b or ()}
    words = [str(one) for one in (a, b) if one is not None]
    words += [word for name, many in asked.items() for value in many for word in (f"--{name}", str(value))]
    words += [word for name, value in (("verb", verb), ("as-of", as_of)) if value for word in (f"--{name}", value)]
    return compare_sides(
        one,
        two,
        metric=metric,
        order=order,
        shapley=shapley,
        orders=orders,
        command=f"gigawatt compare {shlex.join(words)}",
        progress=progress,
    )


def compare_sides(
    one: Side,
    two: Side,
    *,
    metric: str = "",
    order: str | Sequence[str] = "",
    shapley: bool = False,
    orders: int = ORDERS,
    command: str = "",
    progress: Progress = lambda text: None,
) -> RunResult:
    """The same of two sides that are read already; `command` asks it again.

    Raises:
        InputError: the sides ask different questions, or a metric or group that is not there.
        Infeasible: no plan fits one of the sides.
    """
    refuse_unlike(one, two)
    fields = [info.alias or name for name, info in one.recipe.model.model_fields.items()]
    other_folders = one.recipe.overlays != two.recipe.overlays
    groups = in_asked_order(groups_of(_differences(one, two), one.recipe.verb, fields, other_folders), order)
    states = States(one, two, groups, progress)
    ends = states.ends()
    chosen = _metric(metric, one, two, *ends)
    return result_of(_walked(one, two, groups, states, chosen, bool(order), shapley, orders), command)


def _verb_of_folders(a: Path | str, b: Path | str | None) -> str | None:
    """The verb that a run folder among the sides is of: a file beside it is asked the same."""
    for given in (a, b):
        if given is not None and Path(given).is_dir():
            return verb_asked(manifest_of(Path(given)))
    return None


def _differences(a: Side, b: Side) -> list[Difference]:
    model = a.recipe.model
    meant = [meaning_of(model, {k: v for k, v in side.data.items() if k != "question"}) for side in (a, b)]
    if isinstance(meant[0], dict) and isinstance(meant[1], dict):
        return differences(tree_of(a.data), tree_of(b.data), *meant)
    return differences(tree_of(a.data), tree_of(b.data))


def _metric(asked: str, a: Side, b: Side, at_a: Outcome, at_b: Outcome) -> str:
    """The metric that is taken apart.

    Raises:
        InputError: one side lacks it; names the nearest that both have.
    """
    common = [name for name in at_a.values if name in at_b.values]
    if not common:
        raise InputError(
            Problem("no_metric", f"'{a.name}' and '{b.name}' have no headline metric in common", Where(b.name))
        )
    if not asked:
        objective = a.data.get("objective")
        own = f"{objective.get('for', 'system') if isinstance(objective, dict) else 'system'}_npv"
        return own if own in common else common[0]
    if asked in common:
        return asked
    problem = unknown_name("metric", asked, common, Where(f"--metric {asked}"))
    lacking = [side.name for side, end in ((a, at_a), (b, at_b)) if asked not in end.values]
    if len(lacking) == 1:
        problem = replace(problem, message=f"'{lacking[0]}' has no metric '{asked}'")
    raise InputError(problem)


def _walked(
    a: Side,
    b: Side,
    groups: Sequence[Group],
    states: States,
    metric: str,
    ordered: bool,
    shapley: bool,
    orders: int,
) -> Made:
    def value(moved: Moves) -> float | None:
        outcome = states.outcome(moved)
        return outcome.values.get(metric) if outcome.status == "ok" else None

    few = len(groups) <= (FEW if a.recipe.verb == "run" else FEW_OF_OTHERS)
    path = in_order(range(len(groups)), value)
    steps: Sequence[Step] = path
    method = Method("order")
    if (shapley or (few and not ordered)) and len(groups) > 1:
        steps, method = _averaged(groups, path, value, orders)
    elif a.recipe.verb == "run" and len(path) == len(groups) > 1:
        # The reverse order tells how much the order matters, at the price of as many states again.
        back = in_order(range(len(groups))[::-1], value)
        if len(back) == len(groups):
            mirrored = {step.moves: step for step in back}
            method = Method("order", reverse=tuple(mirrored[step.moves] for step in path))
    return Made(a, b, tuple(groups), states, metric, tuple(steps), tuple(path), method, _engine(a, b, states))


def _averaged(
    groups: Sequence[Group], path: Sequence[Step], value: Value, orders: int
) -> tuple[Sequence[Step], Method]:
    """Steps as means over orders; of groups merged as in one order, where none passes with each by itself."""
    for sets in ([frozenset({k}) for k in range(len(groups))], [frozenset(step.moves) for step in path]):
        every = len(sets) <= ALL_ORDERS
        made = over_all_orders(sets, value) if every else over_some_orders(sets, value, orders, SEED)
        if made is not None:
            steps = sorted(made.steps, key=lambda step: min(step.moves))
            return steps, Method("orders", passed=made.passed, tried=made.tried, every=every)
    return path, Method("order")


def _engine(a: Side, b: Side, states: States) -> dict[str, tuple[float, float]]:
    """By metric: what the kept results of A and of B are above the same questions asked today; only what differs."""
    out: dict[str, tuple[float, float]] = {}
    ends = states.outcome(frozenset()), states.outcome(states.all)
    for name in {**ends[0].values, **ends[1].values}:
        moved = []
        for side, end in zip((a, b), ends, strict=True):
            kept, now = (side.kept or {}).get(name), end.values.get(name)
            if kept is None or now is None or math.isclose(kept, now, rel_tol=SAME, abs_tol=SAME):
                moved.append(0.0)
            else:
                moved.append(kept - now)
        if any(moved):
            out[name] = moved[0], moved[1]
    return out

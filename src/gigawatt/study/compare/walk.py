r"""From A to B, one move after another: which part of a gap is whose.

A value v(S) is known for every set S of moves that were made: v(none) is A, v(all) is B. A move's step is

    sum over terms of  weight x (v(after) - v(before)),   after = before and the move

in one order with one term of weight 1; over all orders each term with the share of orders that pass it, which is the
Shapley value (Shapley 1953, "A value for n-person games"). Steps of any order sum to v(all) - v(none), and so does every
mean of orders.

A set may have no value: the file that lies between A and B is infeasible, or can not be. In one order such a move is merged
with the next; over orders only those count that pass no such set (a restricted game in the sense of Faigle and Kern 1992).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

Moves = frozenset[int]
Value = Callable[[Moves], float | None]


@dataclass(frozen=True, slots=True)
class Term:
    """One change of state, with its weight in the step."""

    before: Moves
    after: Moves
    weight: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Step:
    """Moves that are made together (one, where nothing had to be merged), and the changes of state they are averaged over."""

    moves: tuple[int, ...]
    terms: tuple[Term, ...]

    def of(self, value: Value) -> float | None:
        """The step of a number; None where a state on the way does not have it."""
        total = Fraction(0)
        for change in self._changes(value):
            if change is None:
                return None
            total += change[0] * change[1]
        return float(total)

    def spread(self, value: Value) -> tuple[float, float] | None:
        """The least and the most that the step is worth over its terms; None where there is but one term."""
        found = list(self._changes(value))
        if len(found) < 2 or None in found:
            return None
        sizes = [change[1] for change in found if change is not None]
        return float(min(sizes)), float(max(sizes))

    def _changes(self, value: Value) -> Iterator[tuple[Fraction, Fraction] | None]:
        for term in self.terms:
            before, after = value(term.before), value(term.after)
            yield None if before is None or after is None else (term.weight, Fraction(after) - Fraction(before))


def in_order(order: Sequence[int], value: Value) -> list[Step]:
    """One move after another; one after which there is no value is merged with the next.

    >>> [step.moves for step in in_order((0, 1, 2), lambda s: None if s == {0} else float(len(s)))]
    [(0, 1), (2,)]
    """
    steps: list[Step] = []
    before: Moves = frozenset()
    pending: tuple[int, ...] = ()
    for move in order:
        pending = (*pending, move)
        after = before | set(pending)
        if value(after) is not None:
            steps.append(Step(pending, (Term(before, after),)))
            before, pending = after, ()
    if pending:
        raise ValueError("the last state of a walk must have a value")
    return steps


@dataclass(frozen=True, slots=True)
class Averaged:
    """Steps that are means over orders: `passed` orders of `tried` (the others pass a state that has no value)."""

    steps: list[Step]
    passed: int
    tried: int


def over_all_orders(groups: Sequence[Moves], value: Value) -> Averaged | None:
    """Every order of the groups alike: 2^n values; None where no order passes without a state that has none.

    The number of orders that pass a change of state is (orders to its start) x (orders from its end).

    >>> made = over_all_orders([frozenset({0}), frozenset({1})], lambda s: float(len(s)) ** 2)
    >>> [step.of(lambda s: float(len(s)) ** 2) for step in made.steps], made.passed
    ([2.0, 2.0], 2)
    """
    count = len(groups)
    masks = range(1 << count)
    sets = [
        frozenset(itertools.chain.from_iterable(groups[k] for k in range(count) if mask >> k & 1)) for mask in masks
    ]
    stands = [value(sets[mask]) is not None for mask in masks]
    to = [0] * len(sets)
    onward = [0] * len(sets)
    to[0] = onward[-1] = 1
    for mask in masks[1:]:
        if stands[mask]:
            to[mask] = sum(to[mask ^ 1 << k] for k in range(count) if mask >> k & 1)
    for mask in reversed(masks[:-1]):
        if stands[mask]:
            onward[mask] = sum(onward[mask | 1 << k] for k in range(count) if not mask >> k & 1)
    if not to[-1]:
        return None
    steps = []
    for k, group in enumerate(groups):
        terms = [
            Term(sets[mask], sets[mask | 1 << k], Fraction(passes, to[-1]))
            for mask in masks
            if not mask >> k & 1 and (passes := to[mask] * onward[mask | 1 << k])
        ]
        steps.append(Step(tuple(sorted(group)), tuple(terms)))
    return Averaged(steps, to[-1], math.factorial(count))


def over_some_orders(groups: Sequence[Moves], value: Value, orders: int, seed: int) -> Averaged | None:
    """A sample of orders, each with its reverse, so that the way from B to A passes the same states; None where none passes.

    Orders are drawn from `seed` alone; one that passes a state without value is left out with its reverse.
    """
    draw = np.random.default_rng(seed)
    walks: list[list[Term]] = [[] for _ in groups]
    kept = 0
    for _ in range(max(orders // 2, 1)):
        forward = [int(k) for k in draw.permutation(len(groups))]
        pair = [_terms(groups, order, value) for order in (forward, forward[::-1])]
        if None in pair:
            continue
        kept += 2
        for found in pair:
            for k, term in found or ():
                walks[k].append(term)
    if not kept:
        return None
    steps = [Step(tuple(sorted(group)), _gathered(terms, kept)) for group, terms in zip(groups, walks, strict=True)]
    return Averaged(steps, kept, 2 * max(orders // 2, 1))


def _terms(groups: Sequence[Moves], order: Sequence[int], value: Value) -> list[tuple[int, Term]] | None:
    out: list[tuple[int, Term]] = []
    before: Moves = frozenset()
    for k in order:
        after = before | groups[k]
        if value(after) is None:
            return None
        out.append((k, Term(before, after)))
        before = after
    return out


def _gathered(terms: Sequence[Term], orders: int) -> tuple[Term, ...]:
    """Equal changes of state as one, with the share of orders that pass them."""
    passes: dict[tuple[Moves, Moves], int] = {}
    for term in terms:
        key = (term.before, term.after)
        passes[key] = passes.get(key, 0) + 1
    return tuple(Term(before, after, Fraction(count, orders)) for (before, after), count in passes.items())

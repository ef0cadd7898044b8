"""Shapley values: what each player of a game adds, averaged over all orders in which they may come.

shapley(m) = sum over S without m of |S|! (n - 1 - |S|)! / n!  (v(S + m) - v(S)),     sum over m = v(all) - v(none)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial

Coalition = tuple[str, ...]


def coalitions(players: Sequence[str]) -> tuple[Coalition, ...]:
    """Every subset, players in their own order, small ones first."""
    return tuple(s for size in range(len(players) + 1) for s in combinations(players, size))


def shapley(worth: Mapping[Coalition, float], players: Sequence[str]) -> dict[str, float]:
    """Shapley values from the worth of every coalition.

    >>> glove = {(): 0, ("a",): 0, ("b",): 0, ("a", "b"): 1}
    >>> shapley(glove, ("a", "b"))
    {'a': 0.5, 'b': 0.5}

    Raises:
        KeyError: the worth of a coalition is missing.
    """
    n = len(players)
    out = {}
    for player in players:
        value = 0.0
        for subset in coalitions([other for other in players if other != player]):
            joined = tuple(other for other in players if other in subset or other == player)
            weight = factorial(len(subset)) * factorial(n - 1 - len(subset)) / factorial(n)
            value += weight * (worth[joined] - worth[subset])
        out[player] = value
    return out


def shares(values: Mapping[str, float]) -> dict[str, float | None]:
    """Share of each in the sum; None for all unless all are positive: of a sum with two signs there are no shares."""
    if not values or min(values.values()) <= 0:
        return dict.fromkeys(values)
    total = sum(values.values())
    return {name: value / total for name, value in values.items()}

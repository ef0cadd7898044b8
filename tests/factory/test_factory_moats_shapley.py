"""Shapley values against their definition: the mean over every order in which the players may come."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.factory.moats import coalitions, shapley, shares


@st.composite
def games(draw: st.DrawFn) -> tuple[tuple[str, ...], dict[tuple[str, ...], float]]:
    players = tuple("abcd"[: draw(st.integers(1, 4))])
    values = st.floats(-1e6, 1e6)
    return players, {subset: draw(values) for subset in coalitions(players)}


def by_orders(worth: dict[tuple[str, ...], float], players: tuple[str, ...]) -> dict[str, float]:
    total = dict.fromkeys(players, 0.0)
    orders = list(permutations(players))
    for order in orders:
        here: tuple[str, ...] = ()
        for player in order:
            there = tuple(p for p in players if p in here or p == player)
            total[player] += worth[there] - worth[here]
            here = there
    return {player: value / len(orders) for player, value in total.items()}


@given(games())
def test_it_is_the_mean_over_all_orders(game: tuple) -> None:  # type: ignore[type-arg]
    players, worth = game
    assert shapley(worth, players) == pytest.approx(by_orders(worth, players), abs=1e-3)


@given(games())
def test_values_sum_to_the_whole(game: tuple) -> None:  # type: ignore[type-arg]
    players, worth = game
    assert sum(shapley(worth, players).values()) == pytest.approx(worth[players] - worth[()], abs=1e-3)


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3))
def test_an_additive_game_gives_each_its_own(own: list[float]) -> None:
    players = ("a", "b", "c")
    worth = {s: sum(own[players.index(p)] for p in s) for s in coalitions(players)}
    assert list(shapley(worth, players).values()) == pytest.approx(own, abs=1e-6)


@given(st.lists(st.floats(0, 1e6), min_size=4, max_size=4))
def test_symmetric_players_have_equal_values(by_size: list[float]) -> None:
    players = ("a", "b", "c")
    worth = {s: by_size[len(s)] for s in coalitions(players)}
    values = list(shapley(worth, players).values())
    assert values == pytest.approx([values[0]] * 3, abs=1e-6)


@given(games())
def test_a_player_that_adds_nothing_gets_nothing(game: tuple) -> None:  # type: ignore[type-arg]
    players, worth = game
    idle = {s: worth[tuple(p for p in s if p != players[-1])] for s in coalitions(players)}
    assert shapley(idle, players)[players[-1]] == pytest.approx(0, abs=1e-6)


def test_shares_stand_only_where_all_are_positive() -> None:
    assert shares({"a": 1.0, "b": 3.0}) == {"a": 0.25, "b": 0.75}
    assert shares({"a": 1.0, "b": -0.1}) == {"a": None, "b": None}
    assert shares({"a": 1.0, "b": 0.0}) == {"a": None, "b": None}

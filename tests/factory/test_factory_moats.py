"""The moats: published figures of one site, Shapley's sum, signs, bands."""

from __future__ import annotations

import numpy as np
import pytest
from factory_cases import gb300_terms, menu
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.factory import Obligation, Regime, moats, standard_regimes
from gigawatt.factory.game import MOATS, Game
from gigawatt.factory.moat import _SUBSETS, shapley, worths

WEST = ("gb300", "mi355x", "tpu7x", "trn2")


def west(**changes: object):  # type: ignore[no-untyped-def]
    return menu(WEST, focal_cost_share=0.25, **changes)  # type: ignore[arg-type]


@given(st.lists(st.floats(-1e9, 1e9), min_size=8, max_size=8))
def test_shapley_values_sum_to_the_whole(values: list[float]) -> None:
    worth = dict(zip(_SUBSETS, values, strict=True))
    assert sum(shapley(worth).values()) == pytest.approx(worth[MOATS] - worth[()], abs=1e-3)


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3))
def test_an_additive_game_gives_each_its_own(values: list[float]) -> None:
    own = dict(zip(MOATS, values, strict=True))
    worth = {subset: sum(own[m] for m in subset) for subset in _SUBSETS}
    assert list(shapley(worth).values()) == pytest.approx(values, abs=1e-6)


def test_power_limited_site_of_public_figures() -> None:
    found = moats([Regime("power", west(), gb300_terms())], samples=0)
    rows = {r["moat"]: r for r in found.rows.rows()}
    by = {m: r["shapley_usd_per_mw_yr"] / 1e6 for m, r in rows.items()}
    assert [by[m] for m in MOATS] == pytest.approx([2.97, 1.16, 2.65], rel=0.02)
    removed = [rows[m]["removed_usd_per_mw_yr"] / 1e6 for m in MOATS]
    assert removed == pytest.approx([4.47, 2.10, 4.05], rel=0.02)
    handed = [rows[m]["given_usd_per_mw_yr"] / 1e6 for m in MOATS]
    assert handed == pytest.approx([1.45, 0.16, 0.81], rel=0.06)
    assert found.total["power"] == pytest.approx(sum(by.values()) * 1e6)
    assert found.binding["power"] == ("power",)
    # 86.6k USD a chip with all moats, 20.0k with none, at half of the volume.
    assert found.premium["power"] == pytest.approx(86.6 / 20.0, rel=0.01)


def test_where_capital_binds_watts_are_worth_less() -> None:
    found = moats(
        [Regime("power", west(), gb300_terms()), Regime("capital", west(capital_usd=20e9), gb300_terms())], samples=0
    )
    rows = {(r["regime"], r["moat"]): r["shapley_usd_per_mw_yr"] for r in found.rows.rows()}
    assert [rows["capital", m] / 1e6 for m in MOATS] == pytest.approx([2.77, 1.14, 1.50], rel=0.01)
    share = {g: rows[g, "perf_per_watt"] / found.total[g] for g in ("power", "capital")}
    assert share["capital"] < share["power"]


def test_a_rival_with_better_watts_turns_the_sign() -> None:
    found = moats([Regime("rival", west(), gb300_terms(power=0.61))], samples=0)
    rows = {r["moat"]: r["shapley_usd_per_mw_yr"] for r in found.rows.rows()}
    assert rows["perf_per_watt"] < 0 < rows["software"]


def test_moats_that_do_nothing_are_worth_nothing() -> None:
    idle = gb300_terms(software=1.0, porting=0.0, software_charge=1.0, networking=1.0, power=1.0)
    found = moats([Regime("none", west(), idle)], samples=0)
    for row in found.rows.rows():
        assert row["shapley_usd_per_mw_yr"] == pytest.approx(0, abs=1)
        assert row["removed_usd_per_mw_yr"] == pytest.approx(0, abs=1)
        assert row["given_usd_per_mw_yr"] == pytest.approx(0, abs=1)
    assert found.premium["none"] == 1.0


def test_solving_in_place_leaves_no_trace() -> None:
    game, terms = Game(west(capital_usd=30e9)), gb300_terms()
    first = worths(game, terms)
    game.value(terms, MOATS, given=True)
    game.at_list(terms, 3.0, MOATS)
    again = worths(game, terms)
    assert [again[s] for s in _SUBSETS] == pytest.approx([first[s] for s in _SUBSETS], rel=1e-9)


def test_bands_hold_the_value_and_draws_are_stable() -> None:
    weak = gb300_terms(software=0.9, networking=1.0, power=1.14)
    strong = gb300_terms(software=0.4, networking=0.4, power=2.31)
    regime = Regime("power", west(), gb300_terms(), weak, strong)
    found, same = (moats([regime], samples=32, seed=7) for _ in range(2))
    assert found.as_json() == same.as_json()
    for row in found.rows.rows():
        assert row["low"] < row["shapley_usd_per_mw_yr"] < row["high"]


def test_an_owed_run_that_a_weak_site_cannot_do_is_bought_outside() -> None:
    owed = (Obligation("run", 2, 2.6e8),)
    inputs = west(obligations=owed)
    found = moats([Regime("owed", inputs, gb300_terms())], samples=0)
    values = [r["shapley_usd_per_mw_yr"] for r in found.rows.rows()]
    assert all(np.isfinite(values))
    assert sum(values) == pytest.approx(found.total["owed"])
    assert list(found.as_json()) == ["rows", "total", "premium", "binding", "extras"]


def test_two_regimes_need_two_names() -> None:
    with pytest.raises(ValueError, match="share a name"):
        moats([Regime("a", west(), gb300_terms()), Regime("a", west(), gb300_terms())])


def test_each_standard_regime_is_short_of_what_it_is_named_after() -> None:
    found = moats(standard_regimes(west(obligations=(Obligation("run", 2, 1e8),)), gb300_terms()), samples=0)
    binding = found.binding
    assert list(binding) == ["power", "capital", "chips", "demand"]
    assert "power" in binding["power"]
    assert "capital" in binding["capital"]
    assert "supply of gb300" in binding["chips"]
    assert any(name.startswith("demand of") for name in binding["demand"])
    rows = {(r["regime"], r["moat"]): r["shapley_usd_per_mw_yr"] for r in found.rows.rows()}
    share = {g: rows[g, "perf_per_watt"] / found.total[g] for g in binding}
    assert max(share, key=lambda g: share[g]) == "power"

"""The moats: published figures of one site, signs, regimes, directions, bands, prices."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from factory_cases import WEST, gb300_terms, menu

from gigawatt.factory import MoatTerms, Obligation, Regime, assess, standard_regimes
from gigawatt.factory.moats import MOATS, Absent, Game, Value, World, demand_curves, scarcity_map, watt_map
from gigawatt.factory.moats.game import SUBSETS

DEMAND = 6e9  # tokens/s of each workload: several times what 1 GW makes, and an end all the same


def west(**changes: object):  # type: ignore[no-untyped-def]
    return menu(WEST, **({"demand_tokens_per_s": DEMAND} | changes))  # type: ignore[arg-type]


def valued(name: str = "power", draws: tuple = (), terms: MoatTerms | None = None, **changes: object) -> Value:  # type: ignore[type-arg]
    return assess(Regime(name, west(**changes), terms or gb300_terms()), draws)


def millions(found: Value) -> list[float]:
    return [found.shapley[m] * found.per_mw / 1e6 for m in MOATS]


def test_power_limited_site_of_public_figures() -> None:
    found = valued()
    assert millions(found) == pytest.approx([2.97, 1.16, 2.65], rel=0.02)
    assert [found.removed[m].joint * found.per_mw / 1e6 for m in MOATS] == pytest.approx([4.47, 2.10, 4.05], rel=0.02)
    assert [found.given[m].joint * found.per_mw / 1e6 for m in MOATS] == pytest.approx([1.45, 0.16, 0.81], rel=0.06)
    assert found.given["all"].joint * found.per_mw / 1e6 == pytest.approx(6.95, rel=0.01)
    assert sum(found.shapley.values()) == pytest.approx(found.total)
    assert found.binding == ("power",)
    # 86.6k USD a chip at half of the volume with all moats, 20.0k with none; 85.5k is best for the vendor. List is 69.9k.
    assert found.premium.with_all * 69.9 == pytest.approx(86.6, rel=0.01)
    assert found.premium.with_none * 69.9 == pytest.approx(20.0, rel=0.01)
    assert found.premium.best * 69.9 == pytest.approx(85.5, rel=0.05)  # on a grid of 5 % steps


def test_who_bears_it() -> None:
    found = valued()
    for moat in MOATS:
        assert found.removed[moat].buyer <= 0 <= found.given[moat].buyer
        assert found.removed[moat].vendor <= 0
        assert found.given[moat].vendor <= 0
    # An open stack takes about a seventh of the vendor's profit; losing it most.
    assert -0.3 < found.given["software"].vendor / found.premium.best_profit < -0.1
    assert found.removed["software"].vendor / found.premium.best_profit < -0.6


def test_where_capital_binds_watts_are_worth_less() -> None:
    power, capital = valued(), valued("capital", capital_usd=20e9)
    assert millions(capital) == pytest.approx([2.77, 1.14, 1.50], rel=0.01)
    assert capital.shapley["perf_per_watt"] / capital.total < power.shapley["perf_per_watt"] / power.total


def test_a_rival_with_better_watts_turns_the_sign() -> None:
    found = valued(terms=gb300_terms(watts=0.61))
    assert found.shapley["perf_per_watt"] < 0 < found.shapley["software"]


def test_a_rival_twice_as_efficient_lowers_the_third_moat() -> None:
    values = [valued(terms=gb300_terms(watts=1.72 / f)).shapley["perf_per_watt"] for f in (1.0, 1.4, 2.0, 2.8)]
    assert all(a > b for a, b in pairwise(values))


def test_watts_and_their_building_for_nothing_make_the_third_moat_worthless() -> None:
    # Chips are short, power is not.
    inputs = replace(west(power_mw=1e5), platforms=replace(west().platforms, supply_racks=np.array([100, 0, 0, 0.0])))
    game = Game(inputs, gb300_terms())
    cells = {(c.across, c.up): c.values["perf_per_watt"] for c in watt_map(game, [0.0, 1.0], [0.0, 1.0])}
    assert cells[0, 0] == pytest.approx(0, abs=1)
    assert 0 < cells[1, 0] < cells[0, 1] < cells[1, 1]


def test_moats_that_do_nothing_are_worth_nothing() -> None:
    idle = MoatTerms.of((0,), 4, 4, cost_share=0.25)
    found = valued(terms=idle)
    for moat in MOATS:
        assert found.shapley[moat] == pytest.approx(0, abs=1e3)
        assert found.removed[moat].joint == pytest.approx(0, abs=1e3)
        assert found.given[moat].joint == pytest.approx(0, abs=1e3)
    assert found.premium.with_all == pytest.approx(found.premium.with_none, rel=0.01)


def test_equal_moats_have_equal_values() -> None:
    """Software and networking that take the same share of tokens, with no port and no shorter life."""
    same = gb300_terms(software=0.8, networking=0.8, charge=1.0)
    found = valued(terms=same)
    assert found.shapley["software"] == pytest.approx(found.shapley["networking"], rel=1e-6)


def test_solving_in_place_leaves_no_trace() -> None:
    game, terms = Game(west(capital_usd=30e9), gb300_terms()), gb300_terms()
    first = game.worths()
    game.value(given=MOATS)
    game.value(MOATS, price=3.0, box=True, terms=gb300_terms(box_price=0.8, box_watts=0.9))
    game.worths(terms, World(tokens=np.full((4, 4), 1.3), price=np.full(4, 0.7), energy=2.0, shell=0.0))
    again = game.worths()
    assert [again[s] for s in SUBSETS] == pytest.approx([first[s] for s in SUBSETS], rel=1e-9)


def test_bands_hold_the_value_and_draws_are_stable() -> None:
    rng = np.random.default_rng(7)
    draws = tuple(
        (gb300_terms(watts=1.72 * x, software=np.array([0.6, 0.75, 0.85, 0.7]) * 0.9 * y), World(price=np.full(4, z)))
        for x, y, z in zip(rng.uniform(0.7, 1.3, 32), rng.uniform(0.8, 1.1, 32), rng.uniform(0.9, 1.1, 32), strict=True)
    )
    found, same = valued(draws=draws), valued(draws=draws)
    assert found.bands == same.bands
    for moat in ("software", "perf_per_watt"):
        assert found.bands[moat].low < found.shapley[moat] < found.bands[moat].high
    assert sum(band.largest for band in found.bands.values()) == pytest.approx(1)


def test_an_owed_run_that_a_weak_site_cannot_do_is_bought_outside() -> None:
    found = valued(obligations=(Obligation("run", 2, 2.6e8),))
    assert all(np.isfinite(list(found.shapley.values())))
    assert sum(found.shapley.values()) == pytest.approx(found.total)


def test_each_standard_regime_is_short_of_what_it_is_named_after() -> None:
    regimes = standard_regimes(west(obligations=(Obligation("run", 2, 1e8),)), gb300_terms())
    found = {one.name: assess(one) for one in regimes if not isinstance(one, Absent)}
    assert list(found) == [
        "as given", "power-limited", "capital-limited", "chip-limited", "demand-limited", "export-limited", "open-software",
    ]  # fmt: skip
    assert "power" in found["power-limited"].binding
    assert "capital" in found["capital-limited"].binding
    assert "power" not in found["chip-limited"].binding
    assert "supply of gb300" in found["chip-limited"].binding
    assert any(name.startswith("demand of") for name in found["demand-limited"].binding)
    share = {name: one.shapley["perf_per_watt"] / one.total for name, one in found.items() if one.total}
    assert share["power-limited"] > max(share["chip-limited"], share["demand-limited"])


def test_a_ban_takes_every_moat() -> None:
    (banned,) = standard_regimes(west(), gb300_terms(), ("export-limited",))
    assert isinstance(banned, Regime)
    found = assess(banned)
    assert found.shapley == dict.fromkeys(MOATS, 0.0)
    assert found.premium.with_all == 0
    (few,) = standard_regimes(west(), gb300_terms(), ("export-limited",), export_share=0.2)
    assert isinstance(few, Regime)
    assert assess(few).total > 0


def test_with_open_software_the_first_moat_is_gone() -> None:
    (opened,) = standard_regimes(west(), gb300_terms(), ("open-software",))
    assert isinstance(opened, Regime)
    found = assess(opened, draws=((gb300_terms(software=0.5), World()),))
    assert found.shapley["software"] == found.bands["software"].high == 0
    assert found.shapley["perf_per_watt"] > 0


def test_a_regime_that_can_not_arise_says_why() -> None:
    worthless = west()
    cheap = replace(worthless.segments, usd_per_mtok=worthless.segments.usd_per_mtok * 1e-3)
    regimes = standard_regimes(replace(worthless, segments=cheap), gb300_terms(), ("power-limited", "chip-limited"))
    assert all(isinstance(one, Absent) and "nothing is worth building" in one.why for one in regimes)


def test_work_that_a_stack_does_not_run_is_lost() -> None:
    full, lost = valued(), valued(terms=gb300_terms(software=0.0))
    assert lost.removed["software"].joint > full.removed["software"].joint
    # Without its tokens F is worth nothing, so nothing is left for the others to add to.
    assert lost.worth[("networking", "perf_per_watt")] == pytest.approx(0, abs=1e3)


def test_demand_falls_with_price() -> None:
    game = Game(west(), gb300_terms())
    curves = demand_curves(game, np.geomspace(0.2, 2.0, 9))
    for column in curves.values():
        assert all(a >= b - 1e-6 for a, b in pairwise(column))
    assert all(np.all(curves["all moats"] >= curves[f"without {m}"] - 1e-6) for m in MOATS)


def test_more_of_what_is_short_never_lowers_the_joint_value() -> None:
    game = Game(west(), gb300_terms())
    values = []
    for mw in (250.0, 500.0, 1000.0, 2000.0):
        game.set_power(mw)
        values.append(game.value().usd_per_yr)
    assert values == sorted(values)


def test_the_map_has_watts_where_power_is_short_and_not_where_chips_are() -> None:
    game = Game(west(power_mw=1e4), gb300_terms())
    supply = west().platforms.supply_racks
    racks = [(n * 1e3, np.array([n, *supply[1:]])) for n in (50.0, 2000.0)]
    cells = {(c.across, c.up): c.values for c in scarcity_map(game, [300.0, 9000.0], racks)}
    short_power, short_chips = cells[300.0, 2000e3], cells[9000.0, 50e3]
    share = [v["perf_per_watt"] / sum(v.values()) for v in (short_power, short_chips)]
    assert share[0] > share[1]


def test_terms_refuse_what_can_not_be() -> None:
    with pytest.raises(ValueError, match="above zero"):
        MoatTerms.of((0,), 2, 1, watts=0.0)

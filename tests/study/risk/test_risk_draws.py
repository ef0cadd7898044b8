"""Draws: rows by number, bands that widen with their inputs, inputs that move together, what can not be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from risk_sample import DATA, base, held_of, resolved_of
from scipy.stats import spearmanr

from gigawatt.core.errors import InputError
from gigawatt.study.bands import inputs_for, percentiles
from gigawatt.study.load import check, load
from gigawatt.study.resolve import resolve
from gigawatt.study.risk.channels import channels, uncertain_facts
from gigawatt.study.risk.check import check_varied
from gigawatt.study.risk.held import Held
from gigawatt.study.risk.spec import Distribution
from gigawatt.study.risk.world import Inputs
from gigawatt.study.source import Source


@lru_cache(maxsize=1)
def _held() -> Held:
    return held_of(base())


def _inputs(law: Mapping[str, Any]) -> Inputs:
    loaded = check(Source("small.yaml", {**DATA, "uncertainty": dict(law)}))
    resolved = resolve(loaded)
    check_varied(resolved)
    return inputs_for(resolved, base().priced)


def _npv(law: Mapping[str, Any], rows: int = 2048) -> np.ndarray:
    return _held().columns(_inputs(law).draw(0, rows))["system_npv"]


def test_a_row_depends_on_seed_and_number_alone() -> None:
    inputs = _inputs({"vary": {"site.energy_price": {"dist": "lognormal", "gsd": 1.2}}})
    few, many = inputs.draw(0, 100), inputs.draw(0, 4096)
    for target, column in few.columns.items():
        assert np.array_equal(column, many.columns[target][:100]), target
    later = inputs.draw(64, 100)
    for target, column in later.columns.items():
        assert np.array_equal(column, many.columns[target][64:100]), target


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    law = {"samples": 64}
    assert _npv(law).tobytes() == _npv(law).tobytes()
    other = Inputs(_inputs(law).uncertain, 7)
    assert _held().columns(other.draw(0, 2048))["system_npv"].tobytes() != _npv(law).tobytes()


NARROW = {"calibration": False, "catalog": False}


PRICES = ("fleet.list_price", "workloads.chat.price", "site.energy_price")


@settings(max_examples=12, deadline=None)
@given(st.floats(1.02, 2.0), st.floats(1.001, 1.5), st.sampled_from(PRICES))
def test_a_wider_input_is_never_a_narrower_band(gsd: float, more: float, path: str) -> None:
    """The value is monotone in each price, so wider draws of it alone lie further apart in every quantile."""
    low, _, high = percentiles(_npv({**NARROW, "vary": {path: {"dist": "lognormal", "gsd": gsd}}}))
    wide_low, _, wide_high = percentiles(_npv({**NARROW, "vary": {path: {"dist": "lognormal", "gsd": gsd * more}}}))
    assert wide_high - wide_low >= (high - low) * (1 - 1e-9)


def test_perfect_correlation_against_hand_cases() -> None:
    """Rent in and list price out, both uniform by the same number: with +1 they are one input, with -1 its mirror."""
    vary = {
        "contracts.offtake.price": {"dist": "uniform", "low": 0.8, "high": 1.2},
        "fleet.list_price": {"dist": "uniform", "low": 0.8, "high": 1.2},
    }
    names = list(vary)

    def drawn(rho: float) -> tuple[np.ndarray, np.ndarray]:
        law = {**NARROW, "vary": vary, "correlated": [{"between": names, "is": rho}]}
        world = _inputs(law).draw(0, 1024)
        return np.asarray(world.of("contract", "offtake")), np.asarray(world.of("list", 0))

    rent, price = drawn(1.0)
    assert price == pytest.approx(rent, abs=1e-9)
    rent, price = drawn(-1.0)
    assert price == pytest.approx(2.0 - rent, abs=1e-9)
    # Of the operator, who receives rent and pays for racks: the two offset with +1 and add up with -1.
    widths = {}
    for rho in (-1.0, 0.0, 1.0):
        correlated = [{"between": names, "is": rho}] if rho else []
        world = _inputs({**NARROW, "vary": vary, "correlated": correlated}).draw(0, 4096)
        low, _, high = percentiles(_held().columns(world)["operator_npv"])
        widths[rho] = high - low
    assert widths[1.0] < widths[0.0] < widths[-1.0]
    one = {path: percentiles(_held().columns(_inputs({**NARROW, "vary": {path: vary[path]}}).draw(0, 4096))["operator_npv"])
           for path in names}  # fmt: skip
    each = [high - low for low, _, high in one.values()]
    assert widths[-1.0] == pytest.approx(sum(each), rel=5e-3)  # linear in both, so the ends add up
    assert widths[1.0] == pytest.approx(abs(each[0] - each[1]), rel=5e-3, abs=5e-3 * sum(each))


def test_ranks_have_the_correlation_that_was_asked_for() -> None:
    names = ["site.energy_price", "workloads.chat.price"]
    law = {"vary": {name: {"dist": "lognormal", "gsd": 1.3} for name in names},
           "correlated": [{"between": names, "is": 0.6},
                          {"between": ["site.energy_price", "calibration.serving blackwell-ultra"], "is": -0.4}]}  # fmt: skip
    world = _inputs(law).draw(0, 8192)
    grid, price = np.asarray(world.of("grid")), np.asarray(world.of("price", 0))
    speed = np.asarray(world.of("throughput", 0))
    assert spearmanr(grid, price).statistic == pytest.approx(0.6, abs=0.02)
    assert spearmanr(grid, speed).statistic == pytest.approx(-0.4, abs=0.02)
    assert spearmanr(price, speed).statistic == pytest.approx(0.0, abs=0.02)


def test_catalog_ranges_hold_eighty_percent_and_stay_in_their_field() -> None:
    inputs = _inputs({})
    facts = [one for one in inputs.uncertain if one.kind == "catalog"]
    assert len(facts) >= 12
    known = channels(resolved_of())
    world = inputs.draw(0, 8192)
    for one in facts:
        datum = known[one.name].datum
        assert datum is not None
        values = np.asarray(world.columns[one.targets[0]]) * datum.value
        low, high = datum.range
        inside = float(np.mean((values >= low * (1 - 1e-9)) & (values <= high * (1 + 1e-9))))
        assert values.min() >= 0
        assert values.max() <= known[one.name].most
        # A law that is cut off at the bound of its field has no draws beyond it.
        assert 0.78 <= inside <= 0.93, one.name


def test_what_the_file_varies_or_says_takes_the_place_of_the_catalogs_range() -> None:
    resolved = resolved_of({"catalog.cost/baseline-2026.staff": "0.1 million USD/MW/yr"})
    known = channels(resolved)
    names = [one.path for one in uncertain_facts(known, ["fleet.list_price"])]
    assert "catalog.platform/gb300-nvl72.list_price" not in names
    assert "catalog.cost/baseline-2026.staff" not in names
    assert "catalog.platform/gb300-nvl72.list_price" in [one.path for one in uncertain_facts(known, [])]


def test_the_middle_of_a_held_band_is_the_plan_where_every_median_is_its_value() -> None:
    vary = {
        "site.energy_price": {"dist": "lognormal", "gsd": 1.2},
        "fleet.list_price": {"dist": "lognormal", "gsd": 1.1},
    }
    law = {**NARROW, "vary": vary}
    low, middle, high = percentiles(_npv(law, 4096))
    plan = base().plan.value_usd_per_yr * base().line.annuity_years
    assert abs(middle - plan) < 0.02 * (high - low)
    low, middle, high = percentiles(_npv({}, 4096))  # ranges of the catalog lean to the dear side
    assert abs(middle - plan) < 0.25 * (high - low)


def test_a_law_of_values_is_the_law_of_factors() -> None:
    values = {"dist": "uniform", "low": "40 USD/MWh", "high": "60 USD/MWh"}
    factors = {"dist": "uniform", "low": 0.8, "high": 1.2}
    assert _npv({**NARROW, "vary": {"site.energy_price": values}}) == pytest.approx(
        _npv({**NARROW, "vary": {"site.energy_price": factors}}), rel=1e-12
    )


WRONG = """
extends: {base}
uncertainty:
  vary:
    site.energy_prise: {{dist: lognormal, gsd: 1.2}}
    workloads.chat.price.realised_share: {{dist: lognormal, gsd: 3}}
    fleet.list_price: {{dist: normal, mean: 1, sd: 0.6}}
    site.energy_price: {{dist: uniform, low: 40 USD, high: 60 USD}}
    fleet.rack.list_price: {{dist: uniform, low: 4 million USD, high: 6 million USD}}
  correlated:
    - {{between: [site.energy_price, nobody], is: 0.5}}
  covenants:
    - {{metric: dscr_min, at_least: 1.2}}
    - {{metric: dscr_mean, at_least: 1.2}}
"""


def test_every_problem_is_told_at_its_place(tmp_path: Path) -> None:
    from importlib import resources

    example = resources.files("gigawatt") / "examples" / "one-rack.yaml"
    file = tmp_path / "wrong.yaml"
    file.write_text(WRONG.format(base=example), encoding="utf-8")
    with pytest.raises(InputError) as raised:
        check_varied(resolve(load(file)))
    told = [(p.where.line, p.where.column, p.message, p.hints) for p in raised.value.problems if p.where]
    lines = [line for line, *_ in told]
    assert lines == [5, 6, 7, 8, 11, 14]
    assert all(column > 0 for _, column, *_ in told)
    assert "did you mean 'site.energy_price'?" in told[0][3]
    assert "leaves the field's range" in told[1][2]
    assert "leaves the field's range" in told[2][2]
    assert "energy price" in told[3][2]
    assert "nobody" in told[4][2]
    assert "did you mean 'dscr_min'?" in told[5][3]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dist": "lognorma", "gsd": 1.2}, "lognormal"),
        ({"dist": "lognormal"}, "gsd"),
        ({"dist": "uniform", "low": 2, "high": 1}, "below"),
        ({"dist": "uniform", "low": "40 USD/MWh", "high": 2}, "with units"),
        ({"dist": "lognormal", "gsd": 1.2, "as": "value"}, "median"),
        ({"dist": "uniform", "low": "40 USD/MWh", "high": "50 USD/MWh", "as": "factor"}, "no unit"),
    ],
)
def test_a_law_that_can_not_be_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Distribution.model_validate(given)


def test_correlations_that_contradict_each_other_are_refused() -> None:
    names = ["site.energy_price", "workloads.chat.price", "fleet.list_price"]
    pairs = [(0, 1, 0.9), (1, 2, 0.9), (0, 2, -0.9)]
    law = {"vary": {name: {"dist": "lognormal", "gsd": 1.2} for name in names},
           "correlated": [{"between": [names[a], names[b]], "is": rho} for a, b, rho in pairs]}  # fmt: skip
    with pytest.raises(InputError, match="correlations"):
        _inputs(law)

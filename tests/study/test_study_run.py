"""Whole runs: the ledger is the plan, watts balance, looser limits never hurt, the same seed gives the same bytes."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from itertools import pairwise

import numpy as np
import pytest

from gigawatt.core.errors import Infeasible, InputError
from gigawatt.study.answer import Answer
from gigawatt.study.bands import make_draws
from gigawatt.study.headline import HEADLINES
from gigawatt.study.load import load
from gigawatt.study.pipeline import assemble, run, work_out

EXAMPLES = resources.files("gigawatt") / "examples"


@lru_cache(maxsize=16)
def _answer(name: str, *overrides: str) -> Answer:
    return work_out(load(str(EXAMPLES / f"{name}.yaml"), overrides))


@pytest.mark.parametrize(
    "overrides", [(), ("horizon.years=7",), ("horizon.build_quarters=4",), ("discount_rate=0.15",)]
)
@pytest.mark.parametrize("name", ["one-gigawatt", "hundred-megawatts"])
def test_the_ledger_is_worth_what_the_plan_says(name: str, overrides: tuple[str, ...]) -> None:
    answer = _answer(name, *overrides)
    own = {c.id for c in answer.resolved.scenario.companies}
    ledger = answer.settled.ledger
    inside = sum(answer.npv(company) for company in own if company in ledger.companies)
    last = (1 + answer.rate) ** -answer.settled.schedule.time_years[-1]
    inside -= answer.settled.residual_markup_usd * last
    assert inside == pytest.approx(answer.plan.value_usd_per_yr * answer.line.annuity_years, rel=1e-6)


@pytest.mark.parametrize("name", ["one-rack", "one-gigawatt"])
def test_every_posting_has_two_sides(name: str) -> None:
    answer = _answer(name)
    assert answer.settled.ledger.imbalance() < 1e-12
    flows = answer.settled.ledger.net_usd()
    assert np.abs(flows.sum(axis=0)).max() < 1e-6 * np.abs(flows).max()


@pytest.mark.parametrize("name", ["one-rack", "hundred-megawatts", "one-gigawatt"])
def test_watts_balance_at_every_stage(name: str) -> None:
    tables = assemble(_answer(name)).tables
    links = list(tables["power_links"].rows())
    nodes = {row["source"] for row in links} & {row["target"] for row in links}
    for node in nodes:
        arrives = sum(row["watts"] for row in links if row["target"] == node)
        leaves = sum(row["watts"] for row in links if row["source"] == node)
        assert arrives == pytest.approx(leaves, rel=1e-9), node
    power = {row["stage"]: row for row in tables["power"].rows()}
    meter = power["meter"]["watts"]
    assert sum(row["watts"] for row in power.values() if row["parent"] == "meter") == pytest.approx(meter, rel=1e-9)
    assert meter == pytest.approx(_answer(name).site_mw * 1e6, rel=1e-6)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("site.grid_power", ["40 MW", "70 MW", "100 MW", "300 MW"]),
        ("capital", ["1 billion USD", "3 billion USD", "5 billion USD", "20 billion USD"]),
        ("workloads.chat.demand.output", ["1e6 tokens/s", "30e6 tokens/s", "90e6 tokens/s"]),
    ],
)
def test_a_looser_limit_never_lowers_the_optimum(path: str, values: list[str]) -> None:
    worth = [_answer("hundred-megawatts", f"{path}={value}").plan.value_usd_per_yr for value in values]
    assert all(b >= a - 1e-6 * max(abs(a), 1) for a, b in pairwise(worth)), worth


def test_duals_lie_between_the_one_sided_differences() -> None:
    limits = _answer("one-gigawatt").plan.limits
    assert any(limit.binding for limit in limits)
    for limit in limits:
        if np.isfinite(limit.up) and np.isfinite(limit.down):
            low, high = sorted((limit.up, limit.down))
            slack = 1e-6 * max(abs(low), abs(high), 1e-9)
            assert low - slack <= limit.dual <= high + slack, limit.name


def test_power_and_capital_both_bind_in_the_gigawatt() -> None:
    binding = {limit.name for limit in _answer("one-gigawatt").plan.limits if limit.binding}
    assert {"power", "capital"} <= binding
    slack = {limit.name for limit in _answer("slack-capital").plan.limits if limit.binding}
    assert "power" in slack
    assert "capital" not in slack


def test_the_same_seed_gives_the_same_bytes() -> None:
    def text() -> str:
        result = run(load(str(EXAMPLES / "one-rack.yaml"))).as_json()
        return json.dumps({k: v for k, v in result.items() if k != "wall_s"}, sort_keys=True, default=str)

    assert text() == text()


def test_more_samples_never_change_the_first_draws() -> None:
    few, many = _answer("one-gigawatt", "uncertainty.samples=64"), _answer("one-gigawatt", "uncertainty.samples=256")
    a, b = make_draws(few.resolved, few.priced), make_draws(many.resolved, many.priced)
    assert a.price is not None and b.price is not None and a.throughput is not None and b.throughput is not None
    assert np.array_equal(a.price, b.price[:64])
    assert np.array_equal(a.throughput, b.throughput[:64])


def test_bands_hold_the_plan_and_are_ordered() -> None:
    result = assemble(_answer("one-gigawatt"))
    row = result.metric("system_npv")
    assert row["low"] < row["p50"] < row["high"]
    for metric in result.metrics.rows():
        if metric["low"] is not None:
            assert metric["low"] <= metric["p50"] <= metric["high"], metric["name"]


def test_plan_rows_sum_to_the_plan() -> None:
    answer = _answer("one-gigawatt")
    rows = list(assemble(answer).tables["plan"].rows())
    assert sum(row["npv_usd"] for row in rows) == pytest.approx(
        answer.plan.value_usd_per_yr * answer.line.annuity_years
    )
    assert sum(row["capex_usd"] for row in rows) == pytest.approx(answer.plan.capital_usd, rel=1e-6)
    assert sum(row["racks"] for row in rows) == pytest.approx(answer.plan.racks.sum())


def test_every_headline_explains_itself_down_to_sources() -> None:
    result = assemble(_answer("one-gigawatt"))
    trees = result.manifest["explain"]
    names = {row["name"] for row in result.metrics.rows()}
    assert names == {name for name in trees if not name.startswith("job.")}
    assert "job.pretrain" in trees
    assert names <= {headline.name for headline in HEADLINES}

    def kinds(tree: dict[str, object]) -> set[str]:
        found = {str(tree["kind"])}
        for child in tree["children"]:  # type: ignore[attr-defined]
            found |= kinds(child)
        return found

    assert kinds(trees["system_npv"]) == {"datum", "calibration", "formula", "choice"}


def test_whole_racks_are_whole() -> None:
    racks = _answer("hundred-megawatts", "integer_racks=true").plan.racks
    assert np.array_equal(racks, np.round(racks))
    assert racks.sum() > 0


def test_an_obligation_beyond_the_site_names_the_conflict_and_the_smallest_change() -> None:
    with pytest.raises(Infeasible) as caught:
        _answer("one-gigawatt", "site.grid_power=2 MW")
    assert any("power" in name for name in caught.value.conflict)
    assert any("pretrain" in name for name in caught.value.conflict)
    assert caught.value.changes


def test_a_model_that_fits_nowhere_says_by_how_much() -> None:
    with pytest.raises(Infeasible) as caught:
        _answer(
            "hundred-megawatts",
            "workloads.chat.model=kimi-k2",
            "workloads.chat.precisions=[bf16]",
            "fleet=[{id: h, platform: hgx-h100}]",
        )
    assert "GB" in str(caught.value)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("fleet.gb300.platform=gb300-nvl27", "did you mean 'gb300-nvl72'?"),
        ("workloads.chat.model=deepseek-v4x", "there is no model"),
        ("site.facility=liquid-cooled-2062", "did you mean 'liquid-cooled-2026'?"),
        ("site.place=abilene", "did you mean 'abilene-texas'?"),
        ("workloads.chat.input_tokens=9000000", "positions"),
        ("uncertainty.vary={site.energy: {dist: lognormal, gsd: 1.2}}", "nothing varies at 'site.energy'"),
    ],
)
def test_what_the_catalog_does_not_know(override: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        _answer("one-gigawatt", override)
    assert says in str(caught.value)


def test_a_platform_that_comes_too_late_is_left_out_and_said_so() -> None:
    answer = _answer("hundred-megawatts", "fleet.gb300.available=2028-01-01")
    names = answer.priced.inputs.platforms.names
    assert answer.plan.racks[names.index("gb300")] == 0
    reasons = [row["reason"] for row in assemble(answer).tables["excluded"].rows() if row["platform"] == "gb300"]
    assert any("2028-01-01" in reason for reason in reasons)


def test_a_company_is_valued_at_its_own_rate() -> None:
    companies = (
        "[{id: operator, role: operator, discount_rate: 20 %}, {id: lab, role: lab}, "
        "{id: chip-vendor, role: vendor}, {id: lender, role: lender}]"
    )
    dear, usual = _answer("hundred-megawatts", f"companies={companies}"), _answer("hundred-megawatts")
    assert dear.npv("operator") < usual.npv("operator")
    assert dear.npv("lab") == pytest.approx(usual.npv("lab"))


def test_a_small_plan_is_told_in_small_money_and_one_rack_is_one() -> None:
    said = run(load(EXAMPLES / "one-rack.yaml")).headline
    assert said.startswith("Build 1 rack of rack: ") and " M USD, worth " in said and "B USD" not in said

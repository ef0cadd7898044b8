"""Whole answers: metrics, causes, promises, convergence; of plans, projects and questions that are asked anew."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from risk_sample import DATA, base

from gigawatt.core.errors import InputError
from gigawatt.study.evaluate import Recipe
from gigawatt.study.result import RunResult
from gigawatt.study.risk.answer import ANEW, GAIN, Words, of_project, of_recipe, of_source
from gigawatt.study.source import Source, read

EXAMPLES = resources.files("gigawatt") / "examples"
LAW = {
    "samples": 4096,
    "vary": {
        "site.energy_price": {"dist": "lognormal", "gsd": 1.2},
        "workloads.chat.price": {"dist": "lognormal", "gsd": 1.25},
    },
    "covenants": [{"metric": "dscr_min", "at_least": 1.2, "id": "cover"}, {"metric": "payback", "at_most": "3 yr"}],
}


@pytest.fixture(autouse=True)
def _searched_once() -> Iterator[None]:
    answer = base()
    with mock.patch("gigawatt.study.pipeline.chosen", lambda *_, **__: (answer.priced, answer.plan)):
        yield


def _plan(law: dict[str, Any], words: Words | None = None) -> RunResult:
    return of_source(Source("small.yaml", {**DATA, "uncertainty": law}), [], words or Words())


@pytest.fixture(scope="module")
def plan() -> RunResult:
    answer = base()
    with mock.patch("gigawatt.study.pipeline.chosen", lambda *_, **__: (answer.priced, answer.plan)):
        return _plan(LAW)


def test_every_metric_has_its_percentiles_in_order(plan: RunResult) -> None:
    drawn = [row for row in plan.metrics.rows() if row["p50"] is not None]
    assert next(iter(plan.metrics.rows()))["name"] == "system_npv"
    assert len(drawn) > 12
    for row in drawn:
        assert row["p10"] <= row["p50"] <= row["p90"], row["name"]
        assert row["shortfall_5"] <= row["shortfall_10"] <= row["p90"], row["name"]
        assert row["held"] == "the fleet held"
        assert row["p50_error"] >= 0
    shown = plan.as_json()["metrics"]["system_npv"]
    assert {"p10", "p50", "p90", "mean", "shortfall_5", "below_zero"} <= set(shown)


def test_the_band_is_that_of_the_draws_that_are_kept(plan: RunResult) -> None:
    draws = np.asarray(plan.tables["draws"].columns["system_npv"], dtype=float)
    assert len(draws) == 4096
    row = plan.metric("system_npv")
    assert np.quantile(draws, [0.1, 0.5, 0.9]) == pytest.approx([row["p10"], row["p50"], row["p90"]], rel=1e-5)
    worst = np.sort(draws)[: round(0.05 * 4096)]
    assert row["shortfall_5"] == pytest.approx(worst.mean(), rel=2e-3)
    share = np.asarray(plan.tables["histogram"].columns["share"])
    assert share.sum() == pytest.approx(1.0)


def test_promises_are_counted_on_the_draws(plan: RunResult) -> None:
    rows = {row["covenant"]: row for row in plan.tables["covenants"].rows()}
    cover = np.asarray(plan.tables["draws"].columns["dscr_min"], dtype=float)
    assert rows["cover"]["probability"] == pytest.approx(np.mean(cover < 1.2), abs=1e-3)
    assert rows["cover"]["low"] <= rows["cover"]["probability"] <= rows["cover"]["high"]
    late = next(row for name, row in rows.items() if name.startswith("payback"))
    years = np.asarray(plan.tables["draws"].columns["payback"], dtype=float)
    assert late["level"] == pytest.approx(3.0)
    assert late["probability"] == pytest.approx(np.mean(~(years <= 3.0)), abs=1e-3)


def test_causes_are_the_widest_first_and_their_shares_make_sense(plan: RunResult) -> None:
    rows = list(plan.tables["sensitivity"].rows())
    swings = [row["swing"] for row in rows]
    assert swings == sorted(swings, reverse=True)
    assert sum(row["first"] for row in rows) == pytest.approx(1.0, abs=0.08)  # nearly additive
    for row in rows:
        assert row["total"] >= row["first"] - 3 * (row["first_error"] + row["total_error"]) - 0.02, row["input"]
    top = max(rows, key=lambda row: row["total"])
    assert top["narrower_if_known"] == max(row["narrower_if_known"] for row in rows)
    assert "narrow P10 to P90 most" in " ".join(plan.texts["notes"])


def test_more_draws_leave_the_first_ones_alone() -> None:
    few, many = _plan({**LAW, "samples": 512}), _plan({**LAW, "samples": 3000})
    for name in ("system_npv", "dscr_min", "operator_irr"):
        first = np.asarray(many.tables["draws"].columns[name])[:512]
        assert np.array_equal(np.asarray(few.tables["draws"].columns[name]), first), name


def test_the_same_question_gives_the_same_numbers() -> None:
    one, two = _plan({**LAW, "samples": 256}), _plan({**LAW, "samples": 256})
    assert one.metrics.as_json() == two.metrics.as_json()
    for name in one.tables:
        assert one.tables[name].as_json() == two.tables[name].as_json(), name


def test_correlated_inputs_get_shapley_effects_that_sum_to_one() -> None:
    names = list(LAW["vary"])
    found = _plan({**LAW, "samples": 1024}, Words(correlated=({"between": names, "is": 0.5},)))
    rows = list(found.tables["sensitivity"].rows())
    assert sum(row["shapley"] for row in rows) == pytest.approx(1.0, abs=1e-6)
    assert all(row["first"] is None for row in rows)


def test_choosing_anew_stands_beside_the_fleet_held() -> None:
    law = {"samples": 128, "calibration": False, "vary": LAW["vary"]}
    found = _plan(law, Words(reoptimise=True))
    anew, held, gain = (found.metric(name) for name in (ANEW, "system_npv", GAIN))
    assert anew["held"] != held["held"] == "the fleet held"
    assert gain["p10"] >= -1e-6 * abs(held["p50"])
    assert anew["mean"] == pytest.approx(held["mean"] + gain["mean"], rel=1e-9)
    assert "worth to wait" in " ".join(found.texts["notes"])


def test_without_the_catalog_only_the_file_and_calibrations_are_drawn() -> None:
    found = _plan({**LAW, "samples": 256}, Words(catalog=False))
    assert {row["kind"] for row in found.tables["sensitivity"].rows()} == {"file", "calibration"}


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(InputError, match="dscr"):
        _plan({**LAW, "samples": 64}, Words(metric="dscr"))


PROJECT = EXAMPLES / "projects" / "cloud-contract-with-debt.yaml"


def test_a_project_is_drawn_by_its_own_laws() -> None:
    found = of_project(read(Path(str(PROJECT))), [], Words(samples=512, metric="dscr_min"))
    assert {row["input"] for row in found.tables["sensitivity"].rows()} == {"cost", "opex", "rate"}
    row = found.metric("dscr_min")
    assert row["p10"] < 1.3 < row["p90"]
    assert {row["level"] for row in found.tables["covenants"].rows()} == {1.15, 1.05}
    from gigawatt.study.project import load_project, run_project

    same = run_project(load_project(str(PROJECT), ["uncertainty.samples=512"])).metric("dscr_min")
    assert (row["p10"], row["p90"]) == pytest.approx((same["low"], same["high"]), rel=1e-9)


def test_any_path_of_a_project_may_be_drawn_by_asking_it_whole() -> None:
    vary = {"project.senior.rate": {"dist": "uniform", "low": "7 %", "high": "11 %"}}
    found = of_recipe(Recipe.of(str(PROJECT)), Words(samples=16, metric="equity_irr", vary=vary))
    row = found.metric("equity_irr")
    assert row["p10"] < row["value"] < row["p90"]
    cause = next(found.tables["sensitivity"].rows())
    assert (cause["at_p10"], cause["at_p90"]) == pytest.approx((0.074, 0.106))
    assert cause["metric_at_p10"] > cause["metric_at_p90"]
    assert {row["metric"] for row in found.tables["covenants"].rows()} == {"dscr_min"}


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({"project.senior.rat": {"dist": "uniform", "low": 0.5, "high": 2}}, "no input"),
        ({"project.senior.rate": {"dist": "lognormal", "gsd": 9}}, "leaves the field's range"),
        ({"project.id": {"dist": "uniform", "low": 0.5, "high": 2}}, "only numbers"),
        ({}, "say what to vary"),
    ],
)
def test_what_can_not_be_drawn_of_any_question_is_told(vary: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        of_recipe(Recipe.of(str(PROJECT)), Words(samples=16, vary=vary))


def test_what_no_draw_has_a_number_for_is_told() -> None:
    bare = Source("small.yaml", {**DATA, "contracts": [], "uncertainty": {}})
    with pytest.raises(InputError, match="there is no 'dscr_min' here"):
        of_source(bare, [], Words(64, covenants=({"metric": "dscr_min", "at_least": 1.3},)))
    with pytest.raises(InputError, match="nothing that is drawn moves 'pue'"):
        _plan({}, Words(64, metric="pue"))

"""Moats of a scenario: nothing counted twice, who is compared with whom, draws, what can not be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from study_moats_sample import site

from gigawatt.core.errors import InputError
from gigawatt.factory.moats import MOATS
from gigawatt.study.load import from_data
from gigawatt.study.moats.answer import answer_moats
from gigawatt.study.moats.draws import draws_of
from gigawatt.study.moats.networks import PARTS
from gigawatt.study.moats.setting import Setting, setting_of
from gigawatt.study.moats.strengths import Latents, Strengths, strengths_of
from gigawatt.study.pipeline import chosen
from gigawatt.study.resolve import resolve
from gigawatt.study.result import RunResult
from gigawatt.study.timeline import timeline


def set_up(*overrides: str, **changes: object) -> Setting:
    loaded = from_data(site(**changes), "small", overrides)
    resolved = resolve(loaded)
    priced, best = chosen(resolved, timeline(loaded.scenario))
    assert resolved.scenario.moats is not None
    return setting_of(resolved, priced, best, resolved.scenario.moats)


@pytest.fixture(scope="module")
def setting() -> Setting:
    return set_up()


@pytest.fixture(scope="module")
def strengths(setting: Setting) -> Strengths:
    return strengths_of(setting, in_parts=True)


@pytest.fixture(scope="module")
def result() -> RunResult:
    return answer_moats(from_data(site(), "small"))


def test_nothing_is_counted_twice(strengths: Strengths) -> None:
    """With all three off the vendor's best platform makes what the rival makes of a megawatt, in the middle and in draws."""
    setting = strengths.setting
    for at in (Latents(), Latents(serving=0.7, networking=-0.4), Latents(serving=-0.9, networking=0.8)):
        terms = strengths.terms(at)
        made = setting.per_mw * strengths.moved(at)
        for w, best in enumerate(strengths.best):
            left = made[best, w] * terms.software[best, w] / strengths.porting(at)[w]
            left *= terms.networking[best, w] / terms.watts[best, w]
            assert left == pytest.approx(made[setting.rival, w])


def test_all_three_given_bring_a_rival_to_the_vendors_best(strengths: Strengths) -> None:
    setting, terms = strengths.setting, strengths.terms()
    reached = setting.per_mw * terms.given_software * terms.given_networking / terms.given_watts
    best = setting.per_mw[strengths.best[0], 0]
    assert reached[setting.rival, 0] == pytest.approx(max(best, setting.per_mw[setting.rival, 0]))


def test_a_rival_twice_as_efficient_halves_what_watts_are_worth(strengths: Strengths) -> None:
    setting = strengths.setting
    twice = setting.per_mw.copy()
    twice[setting.rival] *= 2
    better = replace(strengths, setting=replace(setting, per_mw=twice))
    assert better.per_watt() == pytest.approx(strengths.per_watt() / 2)


def test_the_parts_of_a_network_multiply_to_it(strengths: Strengths) -> None:
    best = int(strengths.best[0])
    assert strengths.parts[best, 0, -1] == strengths.network[best, 0]


def test_every_platform_of_the_vendor_is_treated(strengths: Strengths) -> None:
    terms = strengths.terms()
    for i in strengths.setting.focal:
        assert terms.software[i, 0] < 1
        assert terms.watts[i, 0] == terms.watts[strengths.best[0], 0]


def test_draws_do_not_depend_on_their_number(strengths: Strengths) -> None:
    few, more = draws_of(strengths, 3), draws_of(strengths, 5)
    for (a, x), (b, y) in zip(few, more, strict=False):
        assert np.array_equal(a.software, b.software)
        assert np.array_equal(a.watts, b.watts)
        assert x.price is not None and y.price is not None
        assert np.array_equal(x.price, y.price)


def test_a_stated_basis_is_that_of_the_peaks() -> None:
    found = strengths_of(set_up(moats={"basis": "bf16"}))
    rival = found.setting.rival
    assert found.per_watt()[0] == pytest.approx(found.peaks[2, found.best[0]] / found.peaks[2, rival])
    assert found.bases == ("dense peak, bf16",)


def test_against_a_rival_of_better_watts_the_third_moat_is_negative() -> None:
    fleet = [*site()["fleet"][:2], {"id": "tpu7x", "platform": "tpu7x-64"}]
    made = answer_moats(
        from_data(site(fleet=fleet, moats={"basis": "fp8", "regimes": ["power"], "samples": 0}), "small")
    )
    rows = {row["moat"]: row for row in made.tables["moats"].rows()}
    assert rows["perf_per_watt"]["shapley_usd_per_mw_yr"] < 0 < rows["software"]["shapley_usd_per_mw_yr"]
    assert rows["perf_per_watt"]["share"] is None


def test_values_sum_to_the_total_and_a_ban_takes_all(result: RunResult) -> None:
    rows = list(result.tables["moats"].rows())
    assert [row["moat"] for row in rows[:3]] == list(MOATS)
    for regime, total in result.manifest["total"].items():
        mine = [row["shapley_usd_per_mw_yr"] for row in rows if row["regime"] == regime]
        assert sum(mine) == pytest.approx(total, abs=1e-3)
    assert [row["shapley_usd_per_mw_yr"] for row in rows if row["regime"] == "export-limited"] == [0, 0, 0]
    assert "power" in result.manifest["binding"]["power-limited"]
    assert set(result.manifest["explain"]) == {row["name"] for row in result.metrics.rows()}


def test_the_rival_is_who_would_sell_without_the_vendor(setting: Setting) -> None:
    assert setting.vendor == "nvidia"
    assert [setting.names[i] for i in setting.focal] == ["gb300", "h200"]
    assert setting.names[setting.rival] == "mi355x"


def test_a_rival_that_runs_nothing_is_a_result() -> None:
    fleet = [*site()["fleet"][:2], {"id": "late", "platform": "mi355x-8", "available": "2040-01-01"}]
    made = answer_moats(from_data(site(fleet=fleet, moats={"regimes": ["power"], "samples": 0}), "small"))
    assert any("late runs none of the workloads" in line for line in made.texts["notes"])
    assert next(iter(made.tables["terms"].rows()))["basis"].startswith("dense peak, fp8")
    assert all(np.isfinite(row["shapley_usd_per_mw_yr"]) for row in made.tables["moats"].rows())


def test_a_vendor_that_runs_nothing_is_a_result() -> None:
    fleet = [{**one, "available": "2040-01-01"} for one in site()["fleet"][:2]] + [site()["fleet"][2]]
    made = answer_moats(from_data(site(fleet=fleet, moats={"samples": 0}), "small"))
    assert all(row["shapley_usd_per_mw_yr"] == 0 for row in made.tables["moats"].rows())
    assert "chip-limited" in made.manifest["absent"]
    assert "worth nothing" in made.headline


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"moats": {"vendor": "nvidai"}}, "did you mean 'nvidia'"),
        ({"moats": {"rival": "mi35x"}}, "did you mean 'mi355x'"),
        ({"moats": {"rival": "h200"}}, "rivals: mi355x"),
        ({"fleet": site()["fleet"][:2]}, "add an offer of another maker"),
    ],
)
def test_what_can_not_be_is_said_with_what_would_be_right(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError) as told:
        set_up(**changes)
    assert words in str([problem.hints for problem in told.value.problems])


def test_the_switch_is_a_word_or_a_section() -> None:
    assert from_data(site() | {"moats": False}, "small").scenario.moats is None
    assert from_data(site() | {"moats": True}, "small").scenario.moats is not None
    with pytest.raises(InputError, match=r"moats.regimes.0"):
        from_data(site(moats={"regimes": ["powr"]}), "small")


def test_scale_across_counts_where_training_spans_sites() -> None:
    run = {"id": "run", "kind": "training", "model": "llama3-70b", "tokens": 1e12, "price_per_run": "30 million USD"}
    works = [*site()["workloads"], {**run, "chips": 512, "global_batch": 512}]
    fleet = site()["fleet"][1:]
    here = set_up(workloads=works, fleet=fleet)
    apart = set_up(workloads=works, fleet=fleet, moats={"across": {"sites": 2, "fibre": "1000 km", "rate": "400 Gb/s"}})
    one, two = strengths_of(here, in_parts=True), strengths_of(apart, in_parts=True)
    best, wide = int(one.best[1]), int(PARTS.index("sites"))
    assert one.parts[best, 1, wide] == one.parts[best, 1, wide - 1]
    assert two.parts[best, 1, wide] < two.parts[best, 1, wide - 1]
    assert two.network[best, 0] == one.network[best, 0]  # a service does not cross
    assert np.all(two.setting.per_mw[:, 1] < one.setting.per_mw[:, 1])  # and every platform pays for the distance

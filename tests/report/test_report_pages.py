import doctest
import re

import pytest
from report_sample import NASTY, metrics, sample

from gigawatt.core.table import Table
from gigawatt.report import accuracy, claims, markdown
from gigawatt.report.accuracy import Fit, accuracy_page, percent, verdict
from gigawatt.report.claims import claims_page, filled, scenarios_of
from gigawatt.report.pages import main, read_claims, read_fits, run_scenarios, solve_all
from gigawatt.study.breakeven import BreakEven


def summary(**more):
    return {
        "rows": 12, "predicted": 10, "skipped": 2, "mape": 0.12, "median_ape": 0.09, "p90_ape": 0.3, "bias": -0.02,
        "coverage80": 0.8, "median_band_width": 0.15, "null_mape": 0.4, "regret_median": 0.03, "regret_p90": 0.1,
    } | more  # fmt: skip


def scored():
    return {
        "training": {
            "summary": summary(),
            "groups": [{"group": "H100 | dense"} | summary(predicted=8), {"group": "tiny"} | summary(predicted=1)],
            "skipped": [{"id": "1", "metric": "mfu", "reason": "no chip count"}] * 2,
        },
        "flops": {
            "summary": summary(median_ape=None, regret_median=None, regret_p90=None),
            "groups": [],
            "skipped": [],
        },
    }


@pytest.mark.parametrize("module", [accuracy, claims, markdown])
def test_the_examples_in_the_docstrings_hold(module):
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


def tables_of(page):
    return re.findall(r"(?:^\|.*\|\n?)+", page, re.M)


def test_every_table_of_the_accuracy_page_is_whole():
    page = accuracy_page(scored())
    found = tables_of(page)
    assert len(found) == 3  # what moved the headline, all kinds, groups of a kind
    for one in found:
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in one.strip().splitlines()}
        assert len(widths) == 1, one


def test_the_page_says_errors_bands_null_and_regret():
    page = accuracy_page(scored())
    for word in (
        "12.0 %",
        "9.0 %",
        "30.0 %",
        "-2.0 %",
        "80.0 %",
        "40.0 %",
        "3.0 %",
        "2: no chip count",
        "H100 \\| dense",
    ):
        assert word in page, word
    assert "tiny" not in page  # one row says nothing about a group


def test_the_verdict_does_not_flatter():
    assert "worse than the null model" in verdict(summary(mape=0.5))
    assert "better than the null model" in verdict(summary())
    assert "none with a measured value" in verdict(summary(median_ape=None))


def test_percent_of_nothing_is_nothing():
    assert percent(None) == ""


def test_anchors_are_shown():
    anchors = Table(
        "anchors",
        {"what": ["MFU of a 405B run"], "published": [0.41], "ours": [0.43]},
        {"published": "share", "ours": "share"},
    )
    assert "| MFU of a 405B run | 41.0 | 43.0 |" in accuracy_page(scored(), anchors)


def test_the_thirteen_claims_make_a_page():
    claims = read_claims()
    assert [claim["number"] for claim in claims] == list(range(1, 14))
    assert {claim["status"] for claim in claims} <= {"computed", "in part", "not yet"}
    assert all(claim.get("refuted_by") for claim in claims)
    page = claims_page(claims)
    assert len(re.findall(r"^## \d+\. ", page, re.M)) == 13
    for claim in claims:
        if claim.get("happened_since"):
            assert claim.get("sources"), claim["number"]  # what is said to have happened names where it was published


def test_a_claim_takes_its_numbers_from_the_run():
    claim = {
        "number": 6,
        "claim": "power",
        "status": "computed",
        "scenario": "one-gigawatt",
        "shows": ["system_npv"],
        "shows_limits": True,
    }
    made = filled(claim, {"one-gigawatt": sample()})
    text = " ".join(made["computes"])
    assert "System NPV: 12.2 B USD (8.10 to 16.0 B USD)" in text
    assert "grid power binds; one more: 3.86 M USD/MW/yr" in text
    assert filled(claim, {}) == claim


def numbered(**more):
    return {
        "number": 1,
        "claim": "power",
        "status": "computed",
        "scenarios": ["one-gigawatt"],
        "values": {"one-gigawatt": {"npv": "system_npv", "chat": {"table": "nowhere", "column": "x"}, "said": "headline"}},
        "verdict": "holds: worth {npv:band}, so {npv}, {npv:bare}",
        "computes": ["it turns at {turn}, in full {turn:fine}", "{chat} is left out", "a sentence without a number", "{said}"],
    } | more  # fmt: skip


def turned(at):
    return BreakEven("site.grid_power", at, "GW", 5.0, 1.0, int(at is not None), 0.0, 1.0)


def test_numbers_go_into_sentences_with_unit_and_band():
    made = filled(numbered(), {"one-gigawatt": sample()}, {"turn": turned(1.23456)})
    assert made["verdict"] == "holds: worth 12.2 B USD (8.10 to 16.0 B USD), so 12.2 B USD, 12,200,000,000"
    assert made["computes"] == [
        "it turns at 1.23 GW, in full 1.235 GW",
        "a sentence without a number",
        sample().headline,
    ]
    page = claims_page([made])
    assert "| 1 | power | holds | computed |" in page
    assert "**Verdict**: Holds: worth 12.2 B USD" in page
    assert "**Scenarios**: `examples/one-gigawatt.yaml`" in page


def test_no_break_even_is_said_with_the_range_that_was_tried():
    made = filled(numbered(), {"one-gigawatt": sample()}, {"turn": turned(None)})
    assert made["computes"][0].startswith("it turns at no value from 1 to 5 GW")


def test_sentences_whose_numbers_were_not_run_are_left_out():
    made = filled(numbered(), {})
    assert made["verdict"] == ""
    assert made["computes"] == ["a sentence without a number"]
    assert "{" not in claims_page([made])


def test_scenarios_are_run_by_the_question_they_ask(capsys):
    runs = run_scenarios(["market/vendors-quarters", "deals/stake-in-an-x86-maker", "no-such-file"])
    assert set(runs) == {"market/vendors-quarters", "deals/stake-in-an-x86-maker"}
    assert runs["deals/stake-in-an-x86-maker"].manifest["question"] == "deals"
    assert "left out" in capsys.readouterr().err


def test_break_even_values_are_solved_by_claim(capsys):
    file = "market/vendors-quarters"
    path = "series.compare.networking-company-once-paid.beside"
    asked = {"in": file, "set": path, "from": "5 billion USD", "to": "10 billion USD"}
    asked |= {"metric": "networking_company_once_paid_ratio", "crosses": 1}
    found = solve_all([{"number": 2, "break_even": {"paid": asked}}, {"number": 4}])
    assert found[2]["paid"].at == pytest.approx(7.252, rel=1e-3)
    assert set(found) == {2}
    assert solve_all([{"number": 2, "break_even": {"paid": asked | {"metric": "no_such"}}}]) == {}
    assert "left out" in capsys.readouterr().err


def test_every_claim_that_names_scenarios_in_two_ways_has_them_all():
    assert scenarios_of({"scenario": "a", "scenarios": ["b", "c"]}) == ["a", "b", "c"]


def test_claims_need_number_text_status_and_numbers_of_their_own():
    with pytest.raises(ValueError, match="lacks status"):
        claims_page([{"number": 1, "claim": "x"}])
    with pytest.raises(ValueError, match="share a number"):
        claims_page([{"number": 1, "claim": "x", "status": "computed"}] * 2)
    assert NASTY not in claims_page([{"number": 1, "claim": NASTY, "status": "computed"}])


def test_the_command_writes_both_pages(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gigawatt.report.pages.score_all", lambda: scored())
    monkeypatch.setattr("gigawatt.report.pages.run_scenarios", lambda names: dict.fromkeys(set(names), sample()))
    monkeypatch.setattr("gigawatt.report.pages.solve_all", lambda claims: {})
    cache = tmp_path / "scored.json"
    assert main([str(tmp_path / "docs"), "--scored", str(cache)]) == 0
    first = (tmp_path / "docs" / "accuracy.md").read_text()
    monkeypatch.setattr("gigawatt.report.pages.score_all", lambda: {})
    assert main([str(tmp_path / "docs"), "--scored", str(cache)]) == 0
    assert (tmp_path / "docs" / "accuracy.md").read_text() == first
    assert (
        str(metrics().columns["name"][0]).replace("_npv", "") in (tmp_path / "docs" / "claims.md").read_text().lower()
    )


def test_errors_outside_the_fit_stand_before_those_of_the_kinds():
    fit = Fit(
        "step",
        "published steps",
        {"source_left_out": {"median": 0.085, "rows": 130}, "fitted_median_percent": 5.78, "p90": "0.12-0.19"},
    )
    page = accuracy_page(scored(), fits=[fit])
    assert "source left out, median 8.5 %; source left out, rows 130; fitted median 5.8 %; p90 0.12-0.19" in page
    assert page.index("## Outside the fit") < page.index("## Training steps")
    assert "Hidden answers do not make a row new" in page


def test_every_calibration_that_was_fitted_gives_its_account():
    fits = {fit.id: fit for fit in read_fits()}
    assert any("left_out" in str(fit.errors) for fit in fits.values())
    assert all(fit.fitted_to for fit in fits.values() if fit.errors)

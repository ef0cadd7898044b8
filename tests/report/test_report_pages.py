import doctest
import re

import pytest
from report_sample import NASTY, metrics, sample

from gigawatt.core.table import Table
from gigawatt.report import accuracy, markdown
from gigawatt.report.accuracy import Fit, accuracy_page, percent, verdict
from gigawatt.report.claims import claims_page, filled
from gigawatt.report.pages import main, read_claims, read_fits


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


@pytest.mark.parametrize("module", [accuracy, markdown])
def test_the_examples_in_the_docstrings_hold(module):
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


def tables_of(page):
    return re.findall(r"(?:^\|.*\|\n?)+", page, re.M)


def test_every_table_of_the_accuracy_page_is_whole():
    page = accuracy_page(scored())
    found = tables_of(page)
    assert len(found) == 2
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


def test_claims_need_number_text_status_and_numbers_of_their_own():
    with pytest.raises(ValueError, match="lacks status"):
        claims_page([{"number": 1, "claim": "x"}])
    with pytest.raises(ValueError, match="share a number"):
        claims_page([{"number": 1, "claim": "x", "status": "computed"}] * 2)
    assert NASTY not in claims_page([{"number": 1, "claim": NASTY, "status": "computed"}])


def test_the_command_writes_both_pages(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gigawatt.report.pages.score_all", lambda: scored())
    monkeypatch.setattr("gigawatt.report.pages.run_scenarios", lambda names: dict.fromkeys(set(names), sample()))
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

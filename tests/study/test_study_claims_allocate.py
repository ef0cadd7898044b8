"""The section `allocate`: published arithmetic, forms, what a wrong file is told, and a looser budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from gigawatt.core.errors import InputError
from gigawatt.report.money_charts import chart_of
from gigawatt.study.market.run import run_market
from gigawatt.study.market.scenario import load_market

FILE = Path(__file__).parents[2] / "src" / "gigawatt" / "examples" / "market" / "ten-gigawatts.yaml"


def answer(*overrides, samples=0):
    return run_market(load_market(FILE, [f"samples={samples}", *overrides]))


def rows(result, table):
    return list(result.tables[table].rows())


def form(result, use, name):
    return next(row for row in rows(result, "allocation_forms") if (row["use"], row["form"]) == (use, name))


def test_the_published_sums_come_out():
    """Tutors by text at DeepSeek's measured rate take 0.56 GW; 2e29 FLOP a year at the published rate of a GB300 5.8 GW."""
    made = answer()
    assert form(made, "tutors", "text")["mean_gw"] == pytest.approx(1.5e9 * 20e3 / 86400 / 620e3 / 1e3)
    assert form(made, "tutors", "text")["mean_gw"] == pytest.approx(0.56, rel=0.01)
    per_joule = 1048 * 6 * 405e9 / 2300
    assert form(made, "research", "one-run")["mean_gw"] == pytest.approx(2e29 / 31.536e6 / per_joule / 1e9, rel=0.02)
    # one watt for each of a million streams, open a day long
    ours = ["allocate.uses.tutors.people=1e6", "allocate.uses.tutors.forms.voice.hours_a_day=24",
            "allocate.uses.tutors.forms.voice.watts=1 W"]  # fmt: skip
    assert form(answer(*ours), "tutors", "voice")["mean_gw"] == pytest.approx(1e-3)


def test_the_form_chosen_counts_and_every_form_is_shown():
    text, video = answer(), answer("allocate.uses.tutors.form=video")
    assert form(text, "tutors", "video")["all_need_gw"] == pytest.approx(video.metric("power_needed")["value"] / 1e9)
    assert not text.metric("choice_binds_share")["value"]
    assert video.metric("choice_binds_share")["value"] == 1.0
    assert video.metric("worth_of_the_next_mw")["value"] > 0
    assert {row["form"] for row in rows(text, "allocation_forms") if row["use"] == "tutors"} == {
        "text", "reasoning", "dense-405b", "voice", "video",
    }  # fmt: skip


def test_a_looser_budget_never_lowers_what_is_served():
    path = rows(answer(samples=50), "allocation_path")
    worth = [row["worth_usd_per_yr"] for row in path]
    assert worth == sorted(worth)
    binds = [row["binds_share"] for row in path]
    assert binds == sorted(binds, reverse=True)
    assert [row["budget_mw"] for row in path] == sorted(row["budget_mw"] for row in path)


def test_the_bands_hold_the_values_and_come_again():
    first, second = (answer(samples=60) for _ in range(2))
    for name in ("power_needed", "power_of_both"):
        row = first.metric(name)
        assert row["low"] < row["value"] < row["high"]
        assert row == second.metric(name)


def test_the_headline_says_what_fits_and_the_page_has_its_charts():
    made = answer(samples=30)
    assert "4 uses need" in made.headline and "all of them fit" in made.headline
    assert "both fit with tutors as text" in " ".join(made.texts["answer"])
    for name in ("allocation_forms", "allocation_path"):
        assert chart_of(made, name)["data"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("allocate.uses.tutors.form=vido", "no form 'vido'"),
        ("allocate.uses.tutors.people=null", "needs 'people'"),
        ("allocate.uses.chat.id=tutors", "two uses have one id"),
        ("allocate.budget=10 USD", "power"),
    ],
)
def test_what_is_wrong_is_told(change, words):
    with pytest.raises(InputError, match=words):
        answer(change)

"""Architecture drift of a scenario: where what is kept comes from, its tables, and what a wrong file is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from gigawatt.core.errors import InputError
from gigawatt.report.money_charts import chart_of
from gigawatt.study.load import load
from gigawatt.study.pipeline import run

FILE = Path(__file__).parents[2] / "src" / "gigawatt" / "examples" / "architecture-drift.yaml"
_made: dict[tuple[str, ...], object] = {}


def answer(*overrides):
    if overrides not in _made:
        few = ["uncertainty.samples=16", "drift.samples=4", "drift.steps=4"]
        _made[overrides] = run(load(FILE, [*few, *overrides]))
    return _made[overrides]


def rows(result, table):
    return list(result.tables[table].rows())


def turn(result, measure):
    return next(row for row in rows(result, "drift_turn") if row["measure"] == measure)


def kept(result, change, platform):
    return next(row for row in rows(result, "drift_keep") if (row["change"], row["platform"]) == (change, platform))


def test_what_is_kept_follows_from_the_support_that_the_catalog_knows():
    made = answer()
    assert kept(made, "state-space", "gb300")["keep"] > kept(made, "state-space", "tpu7x")["keep"]
    assert "in-tree" in kept(made, "state-space", "gb300")["source"]
    assert "unknown" in kept(made, "state-space", "tpu7x")["source"]
    assert all(row["kind"] == "assumed" and row["low"] < row["keep"] < row["high"] for row in rows(made, "drift_keep"))


def test_the_curve_is_that_of_a_larger_menu():
    made = rows(answer(), "drift")
    assert [row["chance"] for row in made] == [0.0, 0.25, 0.3, 0.5, 0.75, 1.0]
    assert all(row["flexibility_usd_per_yr"] >= 0 for row in made)
    for name in ("all_usd_per_yr", "without_usd_per_yr", "alone_usd_per_yr"):
        values = [row[name] for row in made]
        assert values == sorted(values, reverse=True)
    # at no chance of change it is the plan of the run
    plan = sum(row["npv_usd"] for row in rows(answer(), "plan"))
    assert made[0]["all_usd_per_yr"] == pytest.approx(plan / 3.93, rel=0.05)  # five years at 10 % by the quarter


def test_stated_keeps_go_before_the_catalogs_and_turn_the_lead():
    none = {f"drift.changes.{change}.keep={{tpu7x: 0.1, trainium2: 0.1, gb300: 1.0}}" for change in
            ("diffusion", "state-space", "sparse-attention")}  # fmt: skip
    fixed = answer(*sorted(none))
    assert kept(fixed, "diffusion", "gb300")["keep"] == 1.0
    assert turn(fixed, "break-even chance")["value"] < turn(answer(), "break-even chance")["value"]
    assert turn(fixed, "greatest lead")["value"] > turn(answer(), "greatest lead")["value"]


def test_the_less_the_others_keep_the_sooner_the_lead_turns():
    made = [row["break_even_chance"] for row in rows(answer(), "drift_by_keep")]
    known = [one for one in made if one is not None]
    assert len(known) >= 3 and known == sorted(known)
    assert made[-1] is None


def test_it_is_said_and_drawn():
    made = answer()
    assert "having gb300 on the menu is worth" in made.texts["answer"][0]
    assert "until the chance reaches" in made.texts["answer"][1]
    assert len(chart_of(made, "drift")["data"]) >= 4
    assert "drift" not in run(load(FILE, ["drift=null", "uncertainty.samples=16"])).tables


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("drift.focal=[gb30]", "did you mean 'gb300'"),
        ("drift.changes.diffusion.workloads=[pretrian]", "did you mean 'pretrain'"),
        ("drift.changes.diffusion.keep={tpu: 0.5}", "no offer 'tpu'"),
        ("drift.focal=[gb300, tpu7x, trainium2]", "every offer is focal"),
        ("drift.changes.diffusion.family=difusion", "diffusion"),
        ("drift.chance=130 %", "at most 1"),
    ],
)
def test_what_is_wrong_is_told(change, words):
    with pytest.raises(InputError) as told:
        answer(change)
    assert words in str(told.value)

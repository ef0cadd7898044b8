"""The loop, re-letting, the contest and the labs as sections of a market file: examples, draws, overlay, refusals."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gigawatt
from gigawatt.catalog import Catalog
from gigawatt.core import document
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError, Where
from gigawatt.core.table import Table
from gigawatt.study.market import contest, loop
from gigawatt.study.market.overlay import write_maturity_overlay
from gigawatt.study.market.section import Context, SectionResult
from gigawatt.study.market.sourced import Sourced, band, later

EXAMPLES = Path(gigawatt.__file__).parent / "examples" / "market"
SECTIONS = {**loop.SECTIONS, **contest.SECTIONS}
FILES = {"loop": "software-loop", "reletting": "re-letting", "contest": "labs-contest", "labs": "labs-contest"}


def text_of(name: str) -> dict[str, Any]:
    data: dict[str, Any] = document.read(EXAMPLES / f"{FILES[name]}.yaml").data[name]
    return data


def answer(name: str, *, seed: int = 7, samples: int = 64, as_of: date | None = None, **changes: Any) -> SectionResult:
    section = SECTIONS[name]
    return section.run(section.model.model_validate(text_of(name) | changes), seed, samples, as_of)


def table(result: SectionResult, name: str) -> Table:
    return next(one for one in result.tables if one.name == name)


def metric(result: SectionResult, name: str) -> dict[str, Any]:
    return next(row for row in result.metrics if row["name"] == name)


def given(value: float, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "kind": "assumed"}


@pytest.mark.parametrize("name", list(FILES))
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    one, same, other = answer(name), answer(name), answer(name, seed=8)
    assert one.tables == same.tables
    assert one.metrics == same.metrics
    assert one.sentences == same.sentences
    assert one.metrics != other.metrics


@pytest.mark.parametrize("name", list(FILES))
def test_what_is_stated_does_not_depend_on_the_draws(name: str) -> None:
    none, some = answer(name, samples=0), answer(name, samples=32)
    for row in none.metrics:
        assert row["low"] is None
        assert metric(some, row["name"])["value"] == pytest.approx(row["value"], nan_ok=True)


@pytest.mark.parametrize("name", list(FILES))
def test_every_input_says_where_it_comes_from(name: str) -> None:
    for row in table(answer(name), f"{name}_inputs").rows():
        assert row["kind"]
        assert row["low"] <= row["value"] <= row["high"], row["input"]
        if row["kind"] != "assumed":
            assert row["source"], row["input"]


@pytest.mark.parametrize("name", list(FILES))
def test_no_weak_fact_stands_in_the_first_sentence(name: str) -> None:
    first = answer(name).sentences[0]
    assert "grade C" not in first
    assert "resale" not in first.lower()


def test_more_draws_never_change_the_first_ones() -> None:
    datum = Datum(2.0, "", 1.0, 5.0, "assumed")
    few, many = (Sourced("x", 3, n).column("y", datum) for n in (10, 500))
    assert np.array_equal(few, many[:11])
    assert few[0] == 2.0
    low, middle, high = band(Sourced("x", 3, 40_000).column("y", datum)) or (0, 0, 0)
    assert (low, middle, high) == pytest.approx((1.0, 2.0, 5.0), rel=0.03)


def test_inputs_are_drawn_apart_and_stay_in_their_bounds() -> None:
    sourced = Sourced("x", 3, 4000)
    a, b = (sourced.column(name, Datum(0.5, "", 0.1, 0.95, "assumed"), most=1.0) for name in ("a", "b"))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.05
    assert a.max() <= 1.0
    assert sourced.column("c", Datum(0.0, "", 0.0, 0.5, "assumed")).min() >= 0


def test_both_worlds_by_quarter_region_and_stack() -> None:
    rows = list(table(answer("loop", years=3.0), "loop").rows())
    assert len(rows) == 2 * 12 * 2 * 2
    assert [rows[0]["quarter"], rows[-1]["quarter"]] == ["2026-10", "2029-07"]
    for world in ("sold", "banned"):
        for region in ("elsewhere", "china"):
            mine = [r for r in rows if (r["world"], r["region"], r["quarter"]) == (world, region, "2028-01")]
            assert sum(r["share"] for r in mine) == pytest.approx(1)
            cuda = next(r for r in mine if r["stack"] == "cuda")
            assert (cuda["share"] == 0) == (world == "banned" and region == "china")
            assert cuda["premium_half"] > 0


def test_the_value_of_selling_by_speed() -> None:
    found = answer("loop", speeds=[0.0, 1.0, 2.0])
    slow, usual, _ = list(table(found, "ban").rows())
    assert slow["gap_closed_per_doubling"] == 0
    assert usual["gap_closed_per_doubling"] == pytest.approx(0.196)
    assert usual["value_usd"] == pytest.approx(metric(found, "value_of_selling")["value"])
    for row in (slow, usual):
        assert row["direct_usd"] + row["elsewhere_usd"] == pytest.approx(row["value_usd"])
        assert row["value_usd_low"] < row["value_usd_high"]


def test_no_break_even_is_said_to_be_none_and_one_is_reported() -> None:
    none = answer("loop", samples=16)
    assert "break_even_loop_speed" not in [row["name"] for row in none.metrics]
    assert any("no break-even speed" in line for line in none.sentences)
    short = answer("loop", samples=0, pricing="hold-share", redirect=given(1, 1, 1), shortage_years=given(5.2, 5, 6))
    at = metric(short, "break_even_loop_speed")["value"]
    assert 0 < at < 8
    assert any("worth the same" in line for line in short.sentences)
    rows = answer("loop", samples=0, pricing="hold-share", redirect=given(1, 1, 1), shortage_years=given(5.2, 5, 6),
                  speeds=[at * 0.5, at * 2]).tables[1].rows()  # fmt: skip
    half, double = (row["value_usd"] for row in rows)
    assert half * double < 0


def test_an_overlay_that_the_catalog_reads(tmp_path: Path) -> None:
    found = answer("loop", years=4.0)
    files = write_maturity_overlay(found, tmp_path, world="banned")
    assert sorted(f.stem for f in files) == ["cloudmatrix-384", "gb300-nvl72", "mi355x-8"]
    before, after = Catalog.load(), Catalog.load([tmp_path])
    for name in ("cloudmatrix-384", "mi355x-8"):
        old, new = (c.get("platform", name).software for c in (before, after))
        assert new.serving.value > old.serving.value
        assert new.serving.low <= new.serving.value <= new.serving.high
        assert "projection" in new.serving.source
        assert new.serving.kind == "assumed"
    rows = [r for r in table(found, "maturity_overlay").rows() if r["world"] == "banned" and r["quarter"] == "2030-07"]
    row = next(r for r in rows if r["platform"] == "cloudmatrix-384")
    record = after.get("platform", "cloudmatrix-384")
    assert record.software.training.value == pytest.approx(row["training"], abs=1e-4)
    # All else is the platform's own.
    assert record.list_price == before.get("platform", "cloudmatrix-384").list_price


def test_an_overlay_of_what_is_not_there_is_refused(tmp_path: Path) -> None:
    found = answer("loop", years=2.0)
    with pytest.raises(InputError, match="no maturity of world 'sold' at '2050-01'"):
        write_maturity_overlay(found, tmp_path, quarter="2050-01")
    with pytest.raises(InputError, match="no maturity"):
        write_maturity_overlay(answer("labs"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_overlay_changes_who_can_use_the_chip(tmp_path: Path) -> None:
    folder = tmp_path / "platform"
    folder.mkdir()
    text = "extends: cloudmatrix-384\nsoftware:\n  serving: 1\n  training: 1\n  kind: assumed\n  source: test\n"
    (folder / "cloudmatrix-384.yaml").write_text(text)
    section = SECTIONS["reletting"]
    model = section.model.model_validate(text_of("reletting"))
    used = []
    for catalog in (Catalog.load(), Catalog.load([tmp_path])):
        made = section.run(model, 1, 0, None, Context(catalog, lambda path: None, {}))  # type: ignore[arg-type,return-value]
        used.append(metric(made, "utilisation_cloudmatrix-384")["value"])
    assert used[1] > used[0]


def test_wider_support_means_better_use_and_no_smaller_loan() -> None:
    found = answer("reletting", samples=256)
    relet = {row["platform"]: row for row in table(found, "relet").rows()}
    first, last = relet["gb300-nvl72"], relet["cloudmatrix-384"]
    assert first["buyers_per_yr"] > last["buyers_per_yr"]
    assert first["utilisation"] > last["utilisation"]
    assert first["life_power_short_years"] > last["life_power_short_years"]
    assert first["life_power_ample_years"] > first["life_power_short_years"]
    loans = {(r["platform"], r["age_years"]): r for r in table(found, "resale").rows()}
    for age in (0.0, 2.0, 5.0):
        wide, narrow = loans["gb300-nvl72", age], loans["cloudmatrix-384", age]
        assert wide["resale_share"] == narrow["resale_share"]
        assert wide["ltv_0.05"] >= narrow["ltv_0.05"]
        assert wide["ltv_0.01"] <= wide["ltv_0.1"]


def test_the_vendors_take_grows_with_labs_and_decisiveness_and_not_with_efficiency() -> None:
    rows = list(table(answer("contest"), "take").rows())
    by = {
        what: [row for row in rows if row["changed"] == what] for what in ("labs", "decisiveness", "tokens per dollar")
    }
    for what in ("labs", "decisiveness"):
        kept = [row["vendor_gross_profit_usd_per_yr"] for row in by[what] if row["holds"]]
        assert len(kept) >= 2
        assert np.all(np.diff(kept) > 0)
    one, two, ten = by["tokens per dollar"]
    assert one["labs_profit_usd_per_yr"] == pytest.approx(ten["labs_profit_usd_per_yr"])
    assert two["tokens_per_yr"] == pytest.approx(2 * one["tokens_per_yr"])
    beyond = by["decisiveness"][-1]
    assert beyond["decisiveness"] == 1.5
    assert not (beyond["holds"] and beyond["spent_share"] > 1)


def test_the_labs_are_prisoners_and_the_truce_pays_all() -> None:
    found = answer("contest")
    payoff = {(r["own"], r["others"]): r["profit_usd_per_yr"] for r in table(found, "dilemma").rows()}
    assert payoff["race", "truce"] > payoff["truce", "truce"] > payoff["race", "race"] > payoff["truce", "race"]
    assert metric(found, "labs_profit_together")["value"] > metric(found, "labs_profit")["value"]
    assert "prisoners" in found.sentences[0]


def test_labs_use_only_what_was_published_by_the_day() -> None:
    # The rent and the facts of 2026 are not known in 2025: each is named.
    with pytest.raises(InputError, match=r"labs\.rent is dated 2026"):
        answer("labs", as_of=date(2025, 9, 24))
    rent = given(11, 9, 13) | {
        key: f"{v} million USD/MW/yr" for key, v in (("value", 11), ("low", 9.7), ("high", 13.3))
    }
    where = lambda path: Where("x.yaml", 3, 1) if path[0] == "rent" else Where("x.yaml", 9, 1)  # noqa: E731
    section = SECTIONS["labs"]
    with pytest.raises(InputError) as error:
        model = section.model.model_validate(text_of("labs"))
        section.run(model, 1, 0, date(2025, 9, 24), Context(Catalog.load(), where, {}))
    assert str(error.value.problems[0].where) == "x.yaml:3:1"
    early = answer("labs", as_of=date(2026, 3, 1), rent=rent)
    dates = {(row["lab"], row["date"]) for row in table(early, "labs").rows()}
    assert dates == {("OpenAI", "2023-12"), ("OpenAI", "2024-12"), ("OpenAI", "2025-12")}
    assert any("Anthropic" in line for line in early.left_out)


def test_statements_about_named_labs_carry_grade_and_date() -> None:
    for line in answer("labs").sentences[:-1]:
        assert line.startswith(("OpenAI (20", "Anthropic (20"))
        assert "grade A" in line or "grade B" in line


def test_a_marginal_mw_is_the_elasticity_times_the_average() -> None:
    row = next(r for r in table(answer("labs"), "labs").rows() if (r["lab"], r["date"]) == ("OpenAI", "2025-12"))
    assert row["average_usd_per_mw_yr"] == pytest.approx(20e9 / 1900)
    assert row["marginal_usd_per_mw_yr"] == pytest.approx(0.8 * 20e9 / 1900)
    assert row["threshold_elasticity"] == pytest.approx(11e6 * 1900 / 20e9)
    assert row["limit_gw"] < row["gw"]


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("loop", {"focal": "cudda"}, "is no stack"),
        ("loop", {"region": "mars"}, "is none of"),
        ("loop", {"sensitivty": 3}, "sensitivty"),
        ("loop", {"pricing": "cheap"}, "hold-share"),
        ("contest", {"labs": [{"id": "a"}, {"id": "a"}]}, "two labs have one id"),
        ("contest", {"prize": "90 billion"}, "money"),
        ("reletting", {"rent": "11 million USD"}, "rent"),
        (
            "labs",
            {"labs": [{"id": "x", "points": [{"date": "2025", "revenue": "1 billion USD", "grade": "E"}]}]},
            "grade",
        ),
    ],
)
def test_what_is_wrong_is_refused(name: str, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SECTIONS[name].model.model_validate(text_of(name) | changes)


def test_dates_in_part_are_later_only_as_a_whole() -> None:
    day = date(2025, 9, 24)
    assert later("2026", day)
    assert later("2025-10", day)
    assert not later("2025-09", day)
    assert not later("2025", day)
    assert not later("", day)

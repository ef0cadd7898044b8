"""How back-tests are scored: by class, with their own tolerances, with inputs changed; what a replay may never do."""

import csv
import doctest
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.core.errors import InputError
from gigawatt.report.accuracy import accuracy_page
from gigawatt.study import backtests
from gigawatt.study.backtests import CLASSES, PROVES, agreements, margins, replay
from gigawatt.study.backtests.margins import margin_order_table, split_gap
from gigawatt.validation import economics
from gigawatt.validation.economics import add_tolerances, failures_table, parse_overrides, predict, replays
from gigawatt.validation.run import report


def rows() -> list[dict[str, str]]:
    file = resources.files("gigawatt.validation") / "data" / "economics_truth.csv"
    return list(csv.DictReader(line for line in file.read_text().splitlines() if not line.startswith("#")))


def scored(changes=None):
    table = rows()
    blind = [{**row, "value": "", "reading": ""} for row in table]
    made = predict(blind, changes)
    measured = {(row["id"], row["metric"]): float(row["value"]) for row in table}
    return add_tolerances(report("economics", made, measured, {}), table)


def groups(found):
    return {g["group"]: g for g in found["groups"] if g["group"].startswith("class: ")}


@pytest.mark.parametrize("module", [economics, agreements, margins, replay])
def test_examples_hold(module):
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


def test_the_package_scores_every_row_of_its_own_table():
    found = scored()
    assert found["summary"]["within_tolerance"] == found["summary"]["with_tolerance"] == len(rows())
    by_class = groups(found)
    assert sum(g["with_tolerance"] for g in by_class.values()) == len(rows())
    for name, group in by_class.items():
        said = [row for row in rows() if f"class: {row['class']}" == name]
        assert group["predicted"] == len(said), name


def test_a_scenario_is_of_the_class_that_the_table_gives_its_row():
    for row in rows():
        assert backtests.load(row["id"]).kind_of(row["metric"]) == row["class"], (row["id"], row["metric"])


def test_answers_are_not_read():
    table = rows()
    lied = [{**row, "value": "1e9", "reading": "other", "abs_tol": "", "class": "history"} for row in table]
    for one, other in zip(predict(table), predict(lied), strict=True):
        assert one == other


def test_tolerances_count_what_lies_outside():
    """The same table with other answers: a row is outside once it is off by more than its own tolerance."""
    table = rows()
    made = predict(table)
    far = {}
    for row, one in zip(table, made, strict=True):
        allowed = max(float(row["abs_tol"]), float(row["rel_tol"]) * abs(one.predicted))
        far[row["id"], row["metric"]] = one.predicted + (3 * allowed + 1e-6 if row["class"] == "history" else 0.0)
    found = add_tolerances(report("economics", made, far, {}), table)
    by_class = groups(found)
    assert by_class["class: history"]["within_tolerance"] == 0
    assert by_class["class: wiring"]["within_tolerance"] == by_class["class: wiring"]["with_tolerance"]
    assert not any(row["within_tolerance"] for row in found["rows"] if (row["id"] == "BT06"))


def test_a_table_without_tolerances_says_none():
    table = [{key: value for key, value in row.items() if key not in ("abs_tol", "rel_tol")} for row in rows()]
    made = predict(table)
    measured = {(row["id"], row["metric"]): float(row["value"]) for row in table}
    found = add_tolerances(report("economics", made, measured, {}), table)
    assert "within_tolerance" not in found["summary"]
    page = accuracy_page({"economics": found})
    assert "| wiring |" in page


# -- changed inputs -----------------------------------------------------------------------------------------------------


def test_overrides_change_their_back_test_alone():
    changes = parse_overrides(["bt18:inputs.term='6 yr'", "BT01:inputs.power=20 GW"])
    before = {(p.id, p.metric): p for p in predict(rows())}
    for one in predict(rows(), changes):
        old = before[one.id, one.metric]
        if one.id == "BT18":
            assert one.predicted != old.predicted and "with inputs.term='6 yr'" in one.note
        elif one.id == "BT01":
            assert one.predicted == pytest.approx(2 * old.predicted)
        else:
            assert one == old


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inputs.term=6 yr", "name the back-test first"),
        ("bt18", "'id:path=value'"),
        ("bt81:inputs.term=6 yr", "no back-test 'bt81'"),
        ("bt18:inputs.trem=6 yr", "did you mean 'term'"),
        ("bt18:inputs.term=6 MW", "not a time"),
        ("bt18:inputs.term", "path=value"),
    ],
)
def test_wrong_overrides_are_told(text, said):
    with pytest.raises(InputError, match=said):
        parse_overrides([text])


def test_all_wrong_overrides_are_told_at_once():
    with pytest.raises(InputError) as caught:
        parse_overrides(["bt18:inputs.trem=6 yr", "bt20:inputs.rat=6 %", "nonsense"])
    assert len(caught.value.problems) == 3


# -- what is shown ------------------------------------------------------------------------------------------------------


def test_the_page_has_a_row_for_each_class_and_shows_the_failures():
    page = accuracy_page({"economics": scored()})
    for name in CLASSES:
        assert f"| {name} |" in page
    assert "wiring prove only wiring" in page
    assert "A replay proves nothing" in page and "not scored" in page
    assert "-9.3 %" in page and "-34.4 %" in page
    assert "null model" not in page[page.index("## Economics") : page.index("Scored by class")]


def test_failures_are_of_models_that_history_refuted():
    rows_ = list(failures_table().rows())
    assert [row["back-test"] for row in rows_] == ["bt06", "bt07"]
    assert all(row["error"] < -0.05 for row in rows_)
    assert all(backtests.load(row["back-test"]).kind == "history" for row in rows_)


def test_what_is_to_come_is_pending():
    for name in backtests.cases():
        case = backtests.load(name)
        assert (case.kind == "forward") == case.outcome.startswith("pending"), name
        assert case.proves == PROVES[case.kind]
    (row,) = predict([{"id": "BT10", "metric": "total_additive_usd_b"}])
    assert "pending, due 2026-11-25" in row.note
    assert "pending, due 2026-11-25" in backtests.load("bt10").table().note


# -- the replay ---------------------------------------------------------------------------------------------------------


def test_a_replay_is_never_scored():
    assert replays() == [backtests.load("bt17").title]
    made = predict([{"id": "BT17", "metric": metric} for metric in backtests.run("bt17")])
    assert made and all(one.predicted is None and "proves nothing" in one.reason for one in made)
    with pytest.raises(InputError, match="nothing that can be set"):
        backtests.load("bt17", ["class=history"])
    assert set(CLASSES) == set(PROVES) and PROVES["replay"].startswith("nothing")


def test_the_cost_fits_both_published_ends_and_the_margins_come_back():
    out = backtests.run("bt17")
    assert out["tco_low_usd_m_per_yr"] == pytest.approx(330, abs=0.5)
    assert out["tco_high_usd_m_per_yr"] == pytest.approx(807, abs=0.5)
    case = backtests.load("bt17")
    for name, margin in zip(case.inputs.texts("platforms"), case.inputs.numbers("margins"), strict=True):
        assert out[f"replayed_margin_{name}"] == pytest.approx(100 * margin)
    assert out["tok_s_per_mw_high_gb200"] == pytest.approx(8.2e6, rel=0.01)


def test_any_margins_would_have_been_replayed():
    """The proof that it proves nothing: a made-up ranking comes back just as well."""
    margins = [-10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    out = backtests.run("bt17", ["inputs.margins=[" + ", ".join(f"{m} %" for m in margins) + "]"])
    names = backtests.load("bt17").inputs.texts("platforms")
    assert [out[f"replayed_margin_{name}"] for name in names] == pytest.approx(margins)


def test_measured_margins_contradict_sign_and_order():
    out = backtests.run("bt17")
    for name, tokens, cost in (
        ("gb200", 888054 / 72, 2.21),
        ("mi300x", 27598.7 / 8, 1.12),
        ("mi355x", 106517 / 8, 1.48),
    ):
        assert out[f"measured_margin_{name}"] == pytest.approx(100 * (1 - cost / (tokens * 3600 * 0.7 * 0.2e-6)))
    assert out["measured_margin_mi355x"] > out["measured_margin_gb200"] > out["measured_margin_mi300x"] > 0
    assert out["measured_signs_contradicted"] == 2 and out["measured_orders_contradicted"] == 2
    assert "engine_margin_gb200" in out and np.isfinite(out["engine_margin_gb200"])
    # The catalog has no price for it; the case assumes one, and without that there is no margin.
    assert "engine_margin_tpu_v6e" in out
    assert "engine_margin_tpu_v6e" not in backtests.run("bt17", ["inputs.assumed_prices=[]"])


def test_what_sets_our_margins_apart_sums_to_the_gap():
    out = backtests.run("bt17")
    case = backtests.load("bt17")
    for name, margin in zip(case.inputs.texts("platforms"), case.inputs.numbers("margins"), strict=True):
        assert out[f"gap_{name}"] == pytest.approx(out[f"engine_margin_{name}"] - 100 * margin)
        for end in ("low", "high"):
            parts = [out[f"by_{factor}_{name}"] for factor in (f"tokens_{end}", f"cost_{end}", "price", "energy")]
            assert sum(parts) == pytest.approx(out[f"gap_{name}"])


def test_the_order_is_shown_beside_theirs_and_passes_nothing():
    table = margin_order_table(backtests.load("bt17"))
    rows = list(table.rows())
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert sorted(row["engine_rank"] for row in rows) == [1, 2, 3, 4, 5, 6]
    first = rows[0]
    assert (first["platform"], first["engine_rank"]) == ("gb200", 1)
    by_name = {row["platform"]: row for row in rows}
    assert by_name["mi355x"]["engine_rank"] < by_name["mi300x"]["engine_rank"]
    # Tokens part the orders, not cost: for both of AMD their margin needs fewer than we make at either end of the cost.
    for name in ("mi300x", "mi355x"):
        row = by_name[name]
        assert row["implied_high"] < row["tok_s_per_mw"]
        assert row["tokens_points"] > abs(row["cost_points"])
    # The price at which our margin is theirs gives it back.
    matched = backtests.run("bt17", [f"inputs.token_price={first['price_to_match']!r} USD/Mtok"])
    assert matched["engine_margin_gb200"] == pytest.approx(100 * first["published"], abs=1e-6)


@given(
    tokens=st.floats(0.05, 20.0), theirs=st.floats(-2.0, 0.95), cost=st.floats(1e6, 1e9), own_cost=st.floats(1e6, 1e9)
)
def test_a_gap_is_taken_apart_without_a_rest(tokens, theirs, cost, own_cost):
    ours = 1 - (1 - theirs) * own_cost / cost / tokens
    by_tokens, by_cost = split_gap(ours, tokens, theirs, cost, own_cost)
    assert by_tokens + by_cost == pytest.approx(ours - theirs, abs=1e-9 * max(1.0, abs(ours)))
    assert (by_tokens > -1e-9) == (tokens > 1 - 1e-12) or abs(by_tokens) < 1e-9
    assert (by_cost > -1e-9) == (own_cost < cost * (1 + 1e-12)) or abs(by_cost) < 1e-9


def test_wrong_replays_are_told():
    with pytest.raises(InputError, match="margin below 100 %"):
        backtests.run("bt17", ["inputs.margins=[100 %, 1 %, 1 %, 1 %, 1 %, 1 %]"])
    with pytest.raises(InputError, match="did you mean 'mi300x'"):
        backtests.run("bt17", ["inputs.measured.1.platform=mi30x"])
    with pytest.raises(InputError, match="6 platforms need as many"):
        backtests.run("bt17", ["inputs.catalog_platforms=[gb200-nvl72]"])

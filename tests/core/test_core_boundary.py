"""Figures with a boundary: text form, sums and comparisons within one boundary, stated ways from one to another."""

import csv
import doctest
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.catalog import Catalog
from gigawatt.catalog.boundaries import racks_table, reconcile, restated
from gigawatt.core import boundary, bounded
from gigawatt.core.boundary import (
    ALL_IN,
    PARTS,
    POWERS,
    PRICES,
    SIDES,
    Boundary,
    differences,
    parse_boundary,
    parse_power,
    parse_scope,
)
from gigawatt.core.bounded import Bounded, total
from gigawatt.core.errors import InputError

BOUNDARIES = st.builds(
    Boundary,
    st.sampled_from(POWERS),
    st.frozensets(st.sampled_from(PARTS), min_size=1),
    st.sampled_from(SIDES),
    st.sampled_from(PRICES),
)
VALUES = st.floats(0.01, 1e6)
WHOLE = parse_boundary("facility, all-in, buyer cost, quoted")
SALE = parse_boundary("facility, systems, vendor sale, quoted")


@pytest.mark.parametrize("module", [boundary, bounded])
def test_examples_hold(module):
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


@given(BOUNDARIES)
def test_text_and_back(one):
    assert parse_boundary(str(one)) == one


def test_words_that_people_write():
    assert parse_boundary("All In, Buyer_Cost, LIST") == Boundary("unstated", ALL_IN, "buyer_cost", "list")
    assert parse_boundary("it, servers + network, vendor sale, list").scope == {"chips", "cpu", "racks", "network"}
    assert parse_boundary("meter, power, buyer cost, quoted") == Boundary(
        "facility", frozenset({"power"}), "buyer_cost", "quoted"
    )
    assert parse_power("Facility") == "facility" and parse_power("meter") == "facility"
    assert parse_scope("building + power") == {"shell", "power"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("facilty, all-in, buyer cost, quoted", "did you mean 'facility'"),
        ("facility, chips + netwrok, buyer cost, quoted", "did you mean 'network'"),
        ("facility, all-in, buyer cots, quoted", "did you mean 'buyer cost'"),
        ("facility, all-in, buyer cost", "says no price"),
        ("facility, it, all-in, buyer cost, quoted", "names its power twice"),
        ("facility", "no scope, no side, no price"),
    ],
)
def test_wrong_words_are_told_with_the_nearest(text, said):
    with pytest.raises(InputError, match=said):
        parse_boundary(text)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(InputError) as caught:
        parse_boundary("facilty, chpis, buyer cots, quoted")
    assert len(caught.value.problems) == 3
    with pytest.raises(InputError) as caught:
        Boundary("meter", frozenset({"chip"}), "buyer", "quoted")
    assert {p.code for p in caught.value.problems} == {"unknown_name"} and len(caught.value.problems) == 3


@given(BOUNDARIES, BOUNDARIES, VALUES, VALUES)
def test_only_one_boundary_adds_and_compares(one, other, a, b):
    x, y = Bounded(a, "USD/W", one, name="x"), Bounded(b, "USD/W", other, name="y")
    if one == other:
        assert (x + y).value == pytest.approx(a + b) and (x - y).value == pytest.approx(a - b)
        assert x / y == pytest.approx(a / b)
        assert (x < y, x > y, x <= y, x >= y) == (a < b, a > b, a <= b, a >= b)
        return
    for action in (lambda: x + y, lambda: x - y, lambda: x / y, lambda: x < y, lambda: x >= y):
        with pytest.raises(InputError) as caught:
            action()
        told = caught.value.problems
        assert [p.code for p in told] == ["boundary_mismatch"] * len(differences(one, other))
        for problem, (dimension, mine, theirs) in zip(told, differences(one, other), strict=True):
            assert f"{dimension} differs" in problem.message
            assert mine in problem.message and theirs in problem.message
            assert problem.hints and problem.hints[0]


def test_another_unit_is_another_thing():
    with pytest.raises(InputError, match="one is in USD, the other in USD/W"):
        Bounded(1.0, "USD", WHOLE) + Bounded(1.0, "USD/W", WHOLE)
    with pytest.raises(InputError, match="not a finite number"):
        Bounded(float("nan"), "USD", WHOLE)


@given(VALUES, st.floats(1.0, 2.0), st.floats(1e3, 1e10))
def test_the_whole_costs_the_same_however_its_power_is_counted(price, pue, it_w):
    per_facility = Bounded(price, "USD/W", WHOLE, low=0.9 * price, high=1.2 * price)
    per_it = per_facility.at_power("it", pue=pue)
    assert per_it.times_power(it_w, "it").value == pytest.approx(per_facility.times_power(it_w * pue, "facility").value)
    back = per_it.at_power("facility", pue=pue)
    assert back.value == pytest.approx(price) and back.range == pytest.approx(per_facility.range)
    assert back.boundary == WHOLE and len(back.steps) == 2
    again = per_facility.times_power(it_w, "facility").per_power(it_w, "facility")
    assert again.value == pytest.approx(price) and again.unit == "USD/W"


def test_powers_meet_only_through_a_stated_pue():
    figure = Bounded(38.0, "USD/W", parse_boundary("it, all-in, buyer cost, quoted"), name="the sheet")
    with pytest.raises(InputError, match=r"power differs: 'the sheet' counts 'it', not 'facility'.*\n.*state a PUE"):
        figure.times_power(1e9, "facility")
    with pytest.raises(InputError, match="at least 1"):
        figure.at_power("facility", pue=0.8)
    with pytest.raises(InputError, match="state a PUE"):
        figure.restate(power="facility", because="it looks like it")
    unstated = Bounded(35.0, "USD/W", parse_boundary("all-in, buyer cost, quoted"))
    with pytest.raises(InputError, match="say which power it counts"):
        unstated.at_power("facility", pue=1.2)
    assert unstated.restate(power="facility", because="read so").boundary == WHOLE


@given(VALUES, st.lists(st.floats(0.0, 0.5), min_size=2, max_size=2))
def test_parts_of_a_whole_add_up_to_it(value, shares):
    whole = Bounded(value, "USD", WHOLE)
    named = {"chips": shares[0], "network": shares[1], "cpu + racks + storage + shell + power + land": 1 - sum(shares)}
    parts = [whole.part(name, share) for name, share in named.items()]
    made = total(parts)
    assert made.value == pytest.approx(value) and made.boundary == WHOLE
    with pytest.raises(InputError, match="counted twice"):
        total([*parts, parts[0]])
    with pytest.raises(InputError, match="is not inside"):
        parts[0].part("network", 0.5)


def test_a_difference_widens_the_range():
    a = Bounded(10.0, "USD", WHOLE, 8.0, 13.0)
    b = Bounded(4.0, "USD", WHOLE, 3.0, 5.0)
    assert (a - b).range == (3.0, 10.0) and (a + b).range == (11.0, 18.0)
    assert (a * -1.0).range == (-13.0, -8.0)
    assert (b - Bounded(1.0, "USD", WHOLE)).range == (2.0, 4.0)


def test_sides_and_prices_move_by_a_stated_factor_and_reason():
    sale = Bounded(20.0, "USD/W", SALE)
    made = sale.as_side("production_cost", 0.25, "gross margin of 75 %")
    assert made.value == 5.0 and made.boundary.side == "production_cost" and "75 %" in made.steps[0]
    with pytest.raises(InputError, match="with a reason"):
        sale.as_side("buyer_cost", 1.0, " ")
    with pytest.raises(InputError, match=r"needs side 'buyer cost': .* is 'vendor sale'"):
        sale.require("capital", side="buyer_cost")
    assert sale.require("a sale", side="vendor_sale") is sale


# -- the published figures ----------------------------------------------------------------------------------------------

CAT = Catalog.load()
FIGURES = CAT.all("gigawatt-cost")


def test_two_figures_of_35_billion_are_not_one():
    huang = CAT.get("gigawatt-cost", "huang-2025-08-content").figure
    bernstein = CAT.get("gigawatt-cost", "bernstein-2025-10").figure
    assert huang.high == bernstein.value == 35.0
    with pytest.raises(InputError) as caught:
        assert huang < bernstein
    assert {p.message.split(": ")[1].split(" ")[0] for p in caught.value.problems} == {"power", "scope", "side"}


def test_at_the_vendors_boundary_they_are_30_to_35_against_19():
    to = parse_boundary("facility, chips + cpu + network, vendor sale, quoted")
    pays = {("buyer_cost", "vendor_sale"): (1.0, "the buyer pays the vendors")}
    record = CAT.get("gigawatt-cost", "bernstein-2025-10")
    made, missing = restated(record, to, unstated_as="facility", sides=pays)
    assert not missing and made is not None
    assert made.value == pytest.approx(0.55 * 35)
    # nothing is bridged silently
    assert restated(record, to, sides=pays) == (None, ["which power it counts is not stated"])
    assert "no factor" in restated(record, to, unstated_as="facility")[1][0]


def test_every_figure_is_restated_or_says_why_not():
    for pue, unstated in ((None, None), (1.2, "facility")):
        table = reconcile(FIGURES, pue=pue, unstated_as=unstated)
        for row in table.rows():
            assert bool(row["why_not"]) == (row["restated_usd_b_per_gw"] is None), row["figure"]
            assert row["source"] and row["as_of"] and row["grade"] in "ABCD"
            assert row["low"] <= row["usd_b_per_gw"] <= row["high"]
    rows = {row["figure"]: row for row in reconcile(FIGURES, unstated_as="facility").rows()}
    assert "no PUE is stated" in rows["epoch-2026-05"]["why_not"]
    assert rows["huang-2025-08-total"]["how"] == "as it stands"


def test_a_pue_brings_a_figure_of_it_power_to_the_meter():
    record = CAT.get("gigawatt-cost", "epoch-2026-05")
    to = parse_boundary("facility, systems + shell + power, buyer cost, quoted")
    made, missing = restated(record, to, pue=1.25)
    assert not missing and made is not None and made.value == pytest.approx(38 / 1.25)


def test_the_rack_conflict_stays_visible():
    rows = {row["figure"]: row for row in racks_table(FIGURES, CAT).rows()}
    bernstein, stanley = rows["bernstein-2025-10"], rows["morgan-stanley-2026-05-vr200"]
    assert bernstein["racks_per_gw"] == pytest.approx(35e9 / 5.9e6) and not bernstein["conflict"]
    assert stanley["racks_per_gw"] == pytest.approx(41e9 * 0.60 / 7.803e6)
    assert stanley["kw_per_rack"] == pytest.approx(317, abs=0.5)
    assert stanley["conflict"] and stanley["rack_grade"] == "C"


def test_a_record_of_two_figures_or_none_is_refused(tmp_path):
    folder = tmp_path / "gigawatt-cost"
    folder.mkdir()
    head = "kind: quoted\nsource: a test\nas_of: '2026'\ngrade: B\n"
    (folder / "none.yaml").write_text(head)
    (folder / "odd.yaml").write_text(head + "cost: {value: 35 billion USD/GW, boundary: 'facility, all-in, buyer'}\n")
    (folder / "twice.yaml").write_text(
        head
        + "cost: {value: 35 billion USD/GW, boundary: 'all-in, buyer cost, quoted'}\nparts: {servers: 50 %, chips: 30 %}\n"
    )
    cat = Catalog.load([tmp_path])
    for name, said in (
        ("none", "'cost' or 'per_year'"),
        ("odd", "did you mean 'buyer cost'"),
        ("twice", "counted twice"),
    ):
        with pytest.raises(InputError, match=said):
            cat.get("gigawatt-cost", name)


@pytest.mark.truth
def test_every_collected_figure_per_gigawatt_is_a_record():
    folder = os.environ.get("GIGAWATT_TRUTH")
    if not folder:
        pytest.skip("GIGAWATT_TRUTH is not set")
    with (Path(folder) / "facts" / "gw_cost.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    wanted = [row for row in rows if row["unit"] in ("USD B/GW", "USD B/GW-IT", "USD M/MW", "USD M/MW-yr")]
    have = {(r.figure.range, r.grade) for r in FIGURES if r.cost} | {
        (tuple(round(end * 8760 * 3600, 6) for end in (r.figure.value,) * 2), r.grade) for r in FIGURES if r.per_year
    }
    assert len(wanted) > 15
    for row in wanted:
        ends = (float(row["value_low"]), float(row["value_high"]))
        assert (ends, row["grade"]) in have, row

"""The section `edge`: published figures come out, laws hold through a file, and a wrong file is told where."""

from __future__ import annotations

from pathlib import Path

import pytest

from gigawatt.core.errors import InputError
from gigawatt.report.money_charts import chart_of
from gigawatt.study.market.run import run_market
from gigawatt.study.market.scenario import load_market

FILE = Path(__file__).parents[2] / "src" / "gigawatt" / "examples" / "market" / "edge-and-robots.yaml"


def answer(*overrides, samples=0):
    return run_market(load_market(FILE, [f"samples={samples}", *overrides]))


def value(result, name):
    return result.metric(name)["value"]


def place(result, task, link):
    rows = result.tables["edge_places"].rows()
    return next(row for row in rows if (row["task"], row["link"]) == (task, link))


@pytest.fixture(scope="module")
def stated():
    return answer()


def test_what_is_published_comes_out(stated):
    """2.349 of 193.737 + 2.349 B USD; 3.651 at the site for 2.349 on board; passes of 12.4 and 35.9 a second."""
    assert value(stated, "reported_machines_share") == pytest.approx(2.349 / (193.737 + 2.349))
    assert value(stated, "site_per_board") == pytest.approx((6 - 2.349) / 2.349)
    assert value(stated, "site_power_bought") == pytest.approx((6 - 2.349) * 1e9 / 32.5e6 * 1e6)
    grasp = place(stated, "grasp", "5g")
    assert grasp["on_board_ms"] == pytest.approx(1e3 / 12.4, rel=0.01)
    assert grasp["by_site_ms"] == pytest.approx(32 + 10 + 30e3 * 8 / 21.08e6 * 1e3 + 1e3 / 35.9, rel=0.01)
    assert value(stated, "licence_per_mw_at_list") == pytest.approx(1e6 / 850 * 4500)
    assert value(stated, "even_paid_share") == pytest.approx(32.5e6 * 0.75 / 5 / (1e6 / 850 * 4500))


def test_it_runs_where_its_deadline_lets_it(stated):
    found = {(row["task"], row["link"]): row["runs"] for row in stated.tables["edge_places"].rows()}
    assert found["balance", "building"] == found["drive", "5g"] == "on board"
    assert found["catch", "5g"] == "neither" and found["catch", "building"] == "at a site"
    assert found["plan", "5g"] == "at a site"
    assert ("drive", "building") not in found
    longer = answer("edge.tasks.catch.deadline=90 ms")
    assert place(longer, "catch", "5g")["runs"] == "either"
    assert place(answer("edge.links.5g.distance=4000 km"), "grasp", "5g")["runs"] == "on board"


def test_bands_hold_the_stated_value_and_are_the_same_twice():
    first, second = answer(samples=60), answer(samples=60)
    assert list(first.metrics.rows()) == list(second.metrics.rows())
    for name in ("counted_machines_share", "machines_power", "licence_per_mw"):
        row = first.metric(name)
        assert row["low"] <= row["p50"] <= row["high"]
    places = first.tables["edge_places"].rows()
    assert all(0 <= row["on_board_only_share"] + row["neither_share"] <= 1 for row in places)


def test_machines_count_in_no_limit_of_the_site(stated):
    more = answer("edge.devices.cars.growth=40 %", "edge.devices.boxes.watts=60 W")
    assert value(more, "machines_power_over_site") > value(stated, "machines_power_over_site")
    for name in ("site_power_bought", "site_power_sent"):
        assert value(more, name) == pytest.approx(value(stated, name))


def test_more_of_them_is_never_a_smaller_part(stated):
    more = answer("edge.devices.humanoids.growth=300 %")
    assert value(more, "counted_machines_share_at_end") > value(stated, "counted_machines_share_at_end")
    assert value(more, "counted_machines_share") == value(stated, "counted_machines_share")


def test_the_chart_shows_every_row(stated):
    figure = chart_of(stated, "edge_places")
    assert figure is not None
    assert {trace["name"] for trace in figure["data"]} == {"on board", "by the site", "deadline"}
    assert all(len(trace["x"]) == len(stated.tables["edge_places"]) for trace in figure["data"])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("edge.policies.hands.times.jetson-agx-thor=1 ms", "faster than"),
        ("edge.devices.cars.chip=jetson-agx-orrin", "jetson-agx-orin"),
        ("edge.tasks.grasp.device=dogs", "humanoids"),
        ("edge.tasks.drive.over=[6g]", "5g"),
        ("edge.year=2021", "2021"),
        ("edge.site.chip=maia-100x", "maia-100"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(override, said):
    with pytest.raises(InputError) as caught:
        answer(override)
    assert said in str(caught.value)


def test_what_was_not_known_yet_is_told():
    with pytest.raises(InputError) as caught:
        answer("as_of=2025-06-01")
    assert "later than 2025-06-01" in str(caught.value)

"""Charts and tables of an answer about moats: bars with bands, maps by colour, demand that falls, a page that holds them."""

from __future__ import annotations

import io
import json

import pytest
from report_money_sample import MOATS, sample
from rich.console import Console

from gigawatt.report.html import page
from gigawatt.report.moat_charts import COLOURS, MOAT_CHARTS, curves_chart, moat_bars, scarcity_chart, watts_chart
from gigawatt.report.moat_parts import by_direction, by_regime, shown_moats
from gigawatt.report.moat_terminal import render_moats

REGIMES = ["power-limited", "chip-limited", "export-limited"]


@pytest.fixture(scope="module")
def result():
    return sample(MOATS)


def test_bars_have_one_colour_a_moat_and_their_bands(result):
    chart = moat_bars(result)
    json.dumps(chart, allow_nan=False)
    assert [bar["marker"]["color"] for bar in chart["data"]] == [COLOURS[m] for m in COLOURS if m != "none"]
    for bar in chart["data"]:
        assert bar["x"] == REGIMES
        assert all(v >= 0 for v in (*bar["error_y"]["array"], *bar["error_y"]["arrayminus"]))
    assert chart["layout"]["yaxis"]["zeroline"] is True


def test_the_map_has_a_cell_a_place_and_a_colour_a_moat(result):
    chart = scarcity_chart(result)
    json.dumps(chart, allow_nan=False)
    heat = chart["data"][0]
    assert len(heat["z"]) == len(heat["y"]) == 7
    assert all(len(line) == len(heat["x"]) == 7 for line in heat["z"])


def test_watts_for_nothing_are_a_cell_of_zero(result):
    chart = watts_chart(result)
    json.dumps(chart, allow_nan=False)
    heat = chart["data"][0]
    assert (heat["x"][0], heat["y"][0]) == ("0", "0")
    assert heat["z"][0][0] == pytest.approx(0, abs=1e-6)
    assert heat["z"][-1][-1] > 0


def test_curves_fall_and_show_list_and_cost(result):
    chart = curves_chart(result)
    json.dumps(chart, allow_nan=False)
    assert {line["name"] for line in chart["data"]} >= {"all moats", "without software", "no moat"}
    for line in chart["data"]:
        assert line["y"] == sorted(line["y"])
        assert line["x"] == sorted(line["x"], reverse=True)
    assert [words["text"] for words in chart["layout"]["annotations"]] == [
        "list price, power-limited",
        "production cost",
    ]


def test_every_part_is_shown(result):
    assert [row["regime"] for row in by_regime(result).rows()] == REGIMES
    assert len(list(by_direction(result).rows())) == 3
    assert len(shown_moats(result)) == 9
    text = page(result)
    for name in MOAT_CHARTS:
        assert f'id="chart-{name}"' in text
    out = io.StringIO()
    render_moats(result, Console(file=out, width=100))
    assert max(map(len, out.getvalue().splitlines())) <= 100
    assert "none of the vendor's chips" in out.getvalue()

"""What a sweep answers: best and worst, shares of variance against hand-computed ones, checks before anything runs."""

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from study_sweep_sample import PLACE, PRICE, Quick, cases, grid, sweep_of

import gigawatt
from gigawatt.core.errors import InputError, Problems, Where
from gigawatt.report.files import add_run, read_run, write_run
from gigawatt.report.money_charts import chart_of
from gigawatt.study.executors import Serial
from gigawatt.study.sweep import Sweep, answer_sweep, drive
from gigawatt.study.sweep.axes import Columns
from gigawatt.study.sweep.design import Design
from gigawatt.study.sweep.drive import Tally, lower_is_better
from gigawatt.study.sweep.effects import factors_of
from gigawatt.study.sweep.sampled import sampled_of

EXAMPLES = Path(gigawatt.__file__).parent / "examples"
RACK = EXAMPLES / "one-rack.yaml"


def answered(folder, design, *metrics, lowest=None):
    with drive(sweep_of(design, *metrics), folder, Serial(), lowest=lowest) as swept:
        return answer_sweep(swept)


def rows(result, table):
    return list(result.tables[table].rows())


def test_best_and_worst_and_their_inputs(tmp_path):
    result = answered(tmp_path, grid())
    best, worst = rows(result, "best"), rows(result, "worst")
    assert best[0] | {PLACE: "norway", PRICE: 10.0, "value": 20.0} == best[0]
    assert worst[0] | {PLACE: "iowa", PRICE: 80.0, "value": -70.0} == worst[0]
    assert [row["value"] for row in best] == sorted((row["value"] for row in best), reverse=True)
    assert "site.place norway" in result.headline and "24 feasible" in result.headline


def test_less_is_better_where_the_metric_says_so_or_it_is_asked(tmp_path):
    assert lower_is_better("cost_per_mtok") and not lower_is_better("system_npv")
    assert rows(answered(tmp_path, grid(), "cost"), "best")[0]["cost"] == pytest.approx(10 / 3)
    assert rows(answered(tmp_path, grid(), "cost", lowest=False), "best")[0]["cost"] == pytest.approx(80)
    with_unit = answered(tmp_path, grid(), "cost").metrics
    assert [row["unit"] for row in with_unit.rows() if row["name"] == "cost"] == ["USD/Mtok"]


def test_shares_of_variance_of_an_additive_grid_are_those_of_its_parts(tmp_path):
    """value = 10 place - price on a whole grid: eta^2 of each is its own variance over the sum of both."""
    result = answered(tmp_path, grid("10..80 USD/MWh/8"))
    place, price = np.var([10.0, 20.0, 30.0]), np.var(np.arange(10, 81, 10))
    shares = {row["input"]: row["share_of_variance"] for row in rows(result, "effects")}
    # 8 prices, none infeasible
    assert shares[PLACE] == pytest.approx(place / (place + price)) and shares[PRICE] == pytest.approx(
        price / (place + price)
    )
    assert [row["input"] for row in rows(result, "effects")] == [PRICE, PLACE]
    levels = {(row["input"], row["level"]): row for row in rows(result, "levels")}
    assert levels[PLACE, "norway"]["mean"] == pytest.approx(30 - 45)
    assert levels[PRICE, "10 USD/MWh"]["mean"] == pytest.approx(20 - 10)
    assert levels[PRICE, "10 USD/MWh"]["at"] == 10 and levels[PLACE, "norway"]["at"] is None
    cells = {(row["x"], row["y"]): row["mean"] for row in rows(result, "cells")}
    assert cells["10 USD/MWh", "norway"] == pytest.approx(20)


def test_many_levels_are_gathered_into_classes_of_neighbours(tmp_path):
    result = answered(tmp_path, grid("1..80 USD/MWh/80", "iowa", chunk=20))
    levels = rows(result, "levels")
    assert len(levels) == 24 and sum(row["runs"] for row in levels) == 80
    factor = factors_of(grid("1..80 USD/MWh/80", "iowa"), None)[0]
    for row, at in zip(levels, factor.at, strict=True):
        assert row["mean"] == pytest.approx(10 - at)  # the mean of a class is the value at its middle


def test_sampled_inputs_are_cut_where_their_law_says(tmp_path):
    drawn = sampled_of({PRICE: ("uniform 10..60 USD/MWh", Where("x"))}, 256, 3, Quick().inputs(), Problems())
    result = answered(tmp_path, Design((Columns({PLACE: ("iowa", "norway")}), drawn), 64))
    levels = [row for row in rows(result, "levels") if row["input"] == PRICE]
    assert [row["runs"] for row in levels] == pytest.approx([512 / 12] * 12, abs=3)
    middles = 10 + 50 * (np.arange(12) + 0.5) / 12
    assert np.allclose([row["mean"] for row in levels], 20 - middles, atol=0.5)
    effects = {row["input"]: row for row in rows(result, "effects")}
    price, place = 50**2 / 12, 10.0**2
    assert effects[PLACE]["share_of_variance"] == pytest.approx(place / (place + price), abs=0.01)
    # what is left within twelve classes of a straight line is 1/144 of its variance
    assert effects[PRICE]["share_of_variance"] == pytest.approx(price * (1 - 1 / 144) / (place + price), abs=0.01)
    assert effects[PRICE]["by_chance"] == pytest.approx(11 / 255) and effects[PLACE]["by_chance"] == 0


def test_a_folder_of_a_sweep_is_a_run_with_parts(tmp_path):
    folder = tmp_path / "made"
    result = answered(folder, grid())
    add_run(result, folder)
    assert read_run(folder).metrics.columns["name"] == result.metrics.columns["name"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    for name in ("effects", "levels", "cells", "statuses"):
        assert f'id="chart-{name}"' in page
    assert duckdb.sql(
        f"select count(*) from read_parquet('{folder}/parts/*.parquet') where status = 'infeasible'"
    ).fetchall() == [(3,)]
    with pytest.raises(InputError, match="files that no run wrote"):
        write_run(result, folder)
    before = {file.name: file.read_bytes() for file in folder.glob("*.*") if file.suffix in (".parquet", ".json")}
    add_run(answered(folder, grid()), folder)
    assert before == {
        file.name: file.read_bytes() for file in folder.glob("*.*") if file.suffix in (".parquet", ".json")
    }


def test_charts_by_the_number_of_inputs(tmp_path):
    one = answered(tmp_path / "1", grid(places="iowa"))
    assert chart_of(one, "levels") and not chart_of(one, "cells") and not chart_of(one, "scenarios")
    drawn = sampled_of({"capital": ("lognormal 1.2", Where("x"))}, 8, 3, Quick().inputs(), Problems())
    three = grid()
    many = answered(tmp_path / "3", Design((*three.axes, drawn), 50))
    lines = chart_of(many, "scenarios")
    assert lines and len(lines["data"]) == 5
    drawn_y = [y for trace in lines["data"] for y in trace["y"] if y is not None]
    assert min(drawn_y) >= 0 and max(drawn_y) <= 1
    assert chart_of(many, "cells")["data"][0]["type"] == "heatmap"
    only = answered(tmp_path / "c", cases())
    assert [row["level"] for row in rows(only, "levels")] == ["as-is", "dear", "north"]


def test_the_driver_holds_counts_and_the_best_only(tmp_path):
    answered(tmp_path, grid())
    tally = Tally("value", False, 27)
    from gigawatt.study.sweep.schema import schema_of

    schema = schema_of(Quick(), grid())
    for file in sorted((tmp_path / "parts").iterdir()):
        tally.add(file, schema)
    assert tally.statuses == {"ok": 24, "infeasible": 3} and tally.best == 20
    assert tally.best_changes == {PLACE: "norway", PRICE: "10 USD/MWh"}


# ---- a real question, read and not answered


def problems_of(**asked):
    with pytest.raises(InputError) as told:
        Sweep.of(RACK, **asked)
    return told.value.problems


def test_everything_wrong_is_told_at_once_with_the_nearest():
    found = problems_of(
        grid=[
            "site.enrgy_price=30 USD/MWh",
            "site.place=abilene-texs, norway",
            "discount_rate=5 %..120 %/4",
            "capital=5 MW",
        ]
    )
    told = {str(problem.where): problem for problem in found}
    assert "did you mean 'site.energy_price'?" in told["--grid site.enrgy_price=30 USD/MWh"].hints
    assert "did you mean 'abilene-texas'?" in told["--grid site.place=abilene-texs, norway"].hints
    assert (
        "120 % is out of range; it must be at least 0 and under 1" in told["--grid discount_rate=5 %..120 %/4"].message
    )
    assert "not a money" in told["--grid capital=5 MW"].message
    assert len(found) == 4


def test_a_law_outside_the_range_of_its_field():
    (problem,) = problems_of(sample={"workloads.chat.price.realised_share": "lognormal 2"}, samples=64)
    assert problem.code == "out_of_range" and "must be at least 0 and at most 1" in problem.message
    sweep = Sweep.of(RACK, sample={"workloads.chat.price.realised_share": "uniform 0.5..2"}, samples=64)
    assert sweep.design.rows == 64


def test_a_file_of_a_sweep_and_places_in_it(tmp_path):
    file = tmp_path / "sweep.yaml"
    text = f"""question: sweep
of: {RACK}
set: {{capital: 8 million USD}}
cases:
  as-is: {{}}
  dear-chips: {{fleet.rack.list_price: 6 million USD}}
grid:
  site.place: [abilene-texas, norway]
  site.energy_price: 30..90 USD/MWh/3
zip:
  discount_rate: [8 %, 10 %]
  horizon.years: [5, 6]
sample:
  workloads.chat.price.output: {{dist: lognormal, gsd: 1.25}}
samples: 8
metrics: [operator_npv]
chunk: 16
"""
    file.write_text(text)
    sweep = Sweep.of(file, grid=["site.energy_price=40 USD/MWh"])
    assert [len(axis) for axis in sweep.design.axes] == [2, 2, 1, 2, 8]
    assert sweep.design.chunk == 16 and sweep.metrics == ("operator_npv",)
    assert sweep.recipe.source.data["capital"] == "8 million USD"
    assert set(sweep.design.changes(0)) == {
        "site.place", "site.energy_price", "discount_rate", "horizon.years", "workloads.chat.price.output"
    }  # fmt: skip
    file.write_text(text.replace("norway]", "norwy]").replace("gsd: 1.25", "gsd: 0.5").replace("8 %, 10 %", "8 %"))
    with pytest.raises(InputError) as told:
        Sweep.of(file)
    places = {str(problem.where).rpartition("/")[2] for problem in told.value.problems}
    assert places == {"sweep.yaml:8:31", "sweep.yaml:11:18", "sweep.yaml:14:32"}  # the id, the shorter list, the law
    file.write_text(text.replace(f"of: {RACK}", "of: nowhere.yaml"))
    with pytest.raises(InputError, match="there is no file"):
        Sweep.of(file)
    file.write_text(text.replace("chunk:", "chnk:"))
    with pytest.raises(InputError, match="did you mean 'chunk'"):
        Sweep.of(file)


def test_other_questions_are_swept_by_their_own_verb():
    sweep = Sweep.of(EXAMPLES / "market" / "vendors-quarters.yaml", grid={"samples": [500, 1000]})
    assert sweep.recipe.verb == "market" and sweep.design.rows == 2
    assert Sweep.of(RACK, "operate", grid={"capital": ["9 million USD"]}).recipe.verb == "operate"
    with pytest.raises(InputError, match="does not answer"):
        Sweep.of(RACK, "market", grid={"capital": ["9 million USD"]})
    with pytest.raises(InputError, match="changes nothing"):
        Sweep.of(RACK)


@pytest.fixture(scope="module")
def rack(tmp_path_factory):
    """A real sweep: one rack at two sites and two prices, one of them with no capital to build."""
    folder = tmp_path_factory.mktemp("rack") / "made"
    sweep = Sweep.of(
        RACK,
        grid={"site.place": ["abilene-texas", "norway"], "site.energy_price": "30..60 USD/MWh/2"},
        cases={"as-is": {}, "supply": {"fleet.rack.supply": 0}},
        chunk=3,
    )
    with drive(sweep, folder, Serial()) as swept:
        return sweep, folder, answer_sweep(swept)


def test_a_real_question(rack):
    sweep, folder, result = rack
    frame = pl.read_parquet(folder / "parts").sort("index")
    assert frame["status"].to_list()[:4] == ["ok"] * 4
    direct = sweep.recipe.evaluator().outcome(sweep.design.changes(3)).values
    stored = frame.row(3, named=True)
    assert {name: stored[name] for name in direct} == pytest.approx(dict(direct), rel=1e-12)
    cheap, dear = frame["system_npv"].to_list()[:2]
    assert cheap > dear
    assert result.manifest["metric"] == "system_npv"

"""`compare` on the smallest scenario that runs: one rack, in a tenth of a second a state."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import gigawatt
from gigawatt.core.errors import Infeasible, InputError
from gigawatt.report.files import write_run
from gigawatt.study.compare import ENGINE, compare
from gigawatt.study.evaluate import Recipe
from gigawatt.study.load import load
from gigawatt.study.pipeline import run

RACK = Path(gigawatt.__file__).parent / "examples" / "one-rack.yaml"
PRICE, YEARS, RATE = "site.energy_price=30 USD/MWh", "horizon.years=4", "discount_rate=12 %"
OUTPUT = "workloads.chat.price.output=1 USD/Mtok"


@pytest.fixture(scope="module")
def three():
    return compare(RACK, set_b=[PRICE, YEARS, RATE])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_run(run(load(RACK)), tmp_path_factory.mktemp("runs") / "rack")


def values(result):
    return {row["step"]: row["value"] for row in result.tables["steps"].rows()}


def edited(path, text):
    path.write_text(f"extends: {RACK}\n{text}", encoding="utf-8")
    return path


def test_steps_sum_to_the_gap_between_two_runs(three):
    """The ends are what `run` says of the two files; the gap is theirs, and the steps sum to it."""
    ends = [run(load(RACK, said)).metric("system_npv")["value"] for said in ([], [PRICE, YEARS, RATE])]
    made = three.manifest
    assert (made["a"], made["b"]) == pytest.approx(ends, rel=1e-9)
    assert made["gap"] == pytest.approx(ends[1] - ends[0], rel=1e-6)
    assert math.fsum(values(three).values()) == pytest.approx(made["gap"], abs=0.005)
    assert abs(made["residual"]) < 0.005
    assert list(values(three)) == ["energy price", "horizon", "discount rate"]
    rows = list(three.tables["steps"].rows())
    assert rows[-1]["after"] == pytest.approx(made["b"])
    assert all(row["lowest"] <= row["value"] <= row["highest"] for row in rows)
    assert sum(row["share"] for row in rows) == pytest.approx(1)


def test_every_metric_has_the_same_steps(three):
    gaps = {row["name"]: row["value"] for row in three.metrics.rows()}
    sums: dict[str, list[float]] = {}
    for row in three.tables["every_metric"].rows():
        sums.setdefault(row["metric"], []).append(row["value"])
    assert set(sums) == set(gaps)
    for name, steps in sums.items():
        assert math.fsum(steps) == pytest.approx(gaps[name], rel=1e-9, abs=1e-6), name


def test_compared_with_itself_nothing_differs():
    made = compare(RACK, RACK)
    assert not len(made.tables["steps"]) and not len(made.tables["inputs"])
    assert made.headline.startswith("No difference") and made.manifest["gap"] == 0.0
    assert all(row["value"] == 0.0 for row in made.metrics.rows())


def test_from_b_to_a_is_the_negative(three):
    back = compare(RACK, set_a=[PRICE, YEARS, RATE])
    assert back.manifest["gap"] == -three.manifest["gap"]
    assert values(back) == pytest.approx({name: -value for name, value in values(three).items()})


def test_the_order_asked_is_taken_and_matters(three):
    first = compare(RACK, set_b=[PRICE, YEARS, RATE], order="discount rate,horizon")
    assert list(values(first)) == ["discount rate", "horizon", "energy price"]
    again = compare(RACK, set_b=[RATE])
    assert values(first)["discount rate"] == pytest.approx(again.manifest["gap"])
    assert values(first)["discount rate"] != pytest.approx(values(three)["discount rate"], rel=1e-3)
    assert first.manifest["gap"] == three.manifest["gap"]
    assert "another order gives other steps" in first.tables["steps"].note


def test_a_change_that_changes_nothing_adds_no_step(three, tmp_path):
    file = edited(
        tmp_path / "b.yaml",
        "name: other\ntitle: Another\ndiscount_rate: 0.12\nobjective: {for: system}\nsite: {energy_price: 0.03 USD/kWh}\n"
        "horizon: {years: 4.0}\ncompanies: [{id: operator, role: operator}, {id: chip-vendor, role: vendor}]\n",
    )
    made = compare(RACK, file)
    assert values(made) == pytest.approx(values(three))


def test_places_and_defaults_of_inputs(tmp_path):
    file = edited(tmp_path / "b.yaml", "name: b\ncapital: 9 million USD\ndiscount_rate: 8 %\n")
    rows = {row["path"]: row for row in compare(RACK, file).tables["inputs"].rows()}
    assert set(rows) == {"capital", "discount_rate"}
    assert rows["capital"]["b_where"] == f"{file}:3" and rows["capital"]["a_where"] == f"{RACK}:7"
    assert rows["discount_rate"]["a"] == "0.1 (default)" and rows["discount_rate"]["a_where"] == ""


def test_offers_and_work_of_one_side_are_said(tmp_path):
    file = edited(
        tmp_path / "b.yaml",
        "name: b\nreplace: [fleet]\nsite: {grid_power: 400 kW}\n"
        "fleet: [{id: box, platform: hgx-h200}, {id: rack, platform: gb300-nvl72, supply: 2}]\n",
    )
    made = compare(RACK, file, order="data-flow")
    steps = {row["step"]: row["change"] for row in made.tables["steps"].rows()}
    assert steps == {
        "site": "grid_power 200 kW -> 400 kW", "fleet.box": "added: hgx-h200", "fleet.rack": "supply 1 -> 2",
    }  # fmt: skip


def test_what_can_not_be_alone_moves_with_the_next(tmp_path):
    """Another offer under another id: taken away alone it leaves nothing to buy."""
    file = edited(tmp_path / "b.yaml", "name: b\nreplace: [fleet]\nfleet: [{id: box, platform: hgx-h200}]\n")
    made = compare(RACK, file, order="fleet.rack,fleet.box")
    assert list(values(made)) == ["fleet.rack + fleet.box"]
    assert any("move together" in line and "at least 1" in line for line in made.texts["notes"])
    assert math.fsum(values(made).values()) == made.manifest["gap"]
    mean = compare(RACK, file)  # over orders only the one that passes
    assert list(values(mean)) == ["fleet.rack", "fleet.box"] or list(values(mean)) == ["fleet.box", "fleet.rack"]
    assert "1 of 2 orders" in mean.tables["steps"].note


def test_records_said_in_the_file_and_in_folders(tmp_path):
    """A price in the file, and the same in an overlay of B, are worth the same and stand under their own names."""
    inline = compare(RACK, set_b=["catalog.platform/gb300-nvl72.list_price=4 million USD"])
    assert list(values(inline)) == ["catalog.platform/gb300-nvl72"]
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / "gb300-nvl72.yaml").write_text(
        "extends: gb300-nvl72\nlist_price: {value: 4 million USD, kind: filing, source: our order}\n", encoding="utf-8"
    )
    folders = compare(RACK, RACK, overlays_b=[tmp_path])
    assert list(values(folders)) == ["overlays"]
    assert values(folders)["overlays"] == pytest.approx(values(inline)["catalog.platform/gb300-nvl72"])
    assert values(folders)["overlays"] != 0


def test_a_run_folder_is_its_file(folder, three):
    made = compare(folder, RACK, set_b=[PRICE, YEARS, RATE])
    assert values(made) == pytest.approx(values(three))
    where = {row["path"]: row["a_where"] for row in made.tables["inputs"].rows()}
    assert where["horizon.years"] == f"{RACK}:5"
    assert compare(folder, folder).headline.startswith("No difference")


def test_facts_and_engine_are_a_step_of_their_own(folder, tmp_path):
    """A folder of another version whose kept number is not today's: the part that no input explains stands apart."""
    import polars as pl

    old = tmp_path / "old"
    old.mkdir()
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (old / "manifest.json").write_text(json.dumps(manifest | {"version": "0.0.9"}), encoding="utf-8")
    frame = pl.read_parquet(folder / "metrics.parquet")
    frame.with_columns(pl.col("value") * 0.9).write_parquet(old / "metrics.parquet")
    made = compare(old, RACK, set_b=[RATE])
    now = compare(RACK, set_b=[RATE])
    assert list(values(made)) == [ENGINE, "discount rate"]
    assert values(made)["discount rate"] == pytest.approx(values(now)["discount rate"])
    assert values(made)[ENGINE] == pytest.approx(0.1 * now.manifest["a"])
    assert made.manifest["a"] == pytest.approx(0.9 * now.manifest["a"])
    assert math.fsum(values(made).values()) == pytest.approx(made.manifest["gap"], abs=0.005)
    assert "0.0.9" in next(made.tables["steps"].rows())["change"]
    back = compare(RACK, old, set_a=[RATE])
    assert values(back)[ENGINE] == pytest.approx(-values(made)[ENGINE])


def test_the_same_comparison_gives_the_same_tables(three):
    again = compare(RACK, set_b=[PRICE, YEARS, RATE])
    assert again.as_json() == three.as_json()


def test_a_metric_that_one_side_lacks(tmp_path):
    file = edited(
        tmp_path / "b.yaml",
        "name: b\ncompanies: [{id: lender, role: lender}]\n"
        "contracts: [{id: loan, kind: term_loan, pays: lender, gets: operator, share_of_capex: 50 %, rate: 9 %}]\n",
    )
    made = compare(RACK, file)  # listed beside, without a gap
    row = made.metric("dscr_min")
    assert row["a"] is None and row["b"] > 0 and row["value"] is None
    with pytest.raises(InputError) as told:
        compare(RACK, file, metric="dscr_min")
    assert "one-rack.yaml' has no metric 'dscr_min'" in told.value.problems[0].message
    with pytest.raises(InputError) as told:
        compare(RACK, file, metric="system_nvp")
    assert "did you mean 'system_npv'?" in told.value.problems[0].hints


def test_the_objective_decides_the_metric():
    made = compare(RACK, set_a=["objective.for=operator"], set_b=["objective.for=operator", RATE])
    assert made.manifest["metric"] == "operator_npv"
    mixed = compare(RACK, set_b=["objective.for=operator"])
    assert mixed.manifest["metric"] == "system_npv"
    assert any("A is planned for the system, B for the operator" in line for line in mixed.texts["notes"])


def test_bad_sides(tmp_path):
    deals = tmp_path / "deals.yaml"
    deals.write_text("question: deals\nname: d\n", encoding="utf-8")
    with pytest.raises(InputError, match="different things"):
        compare(RACK, deals)
    with pytest.raises(InputError, match="one side only"):
        compare(RACK)
    with pytest.raises(InputError, match="no run folder"):
        compare(RACK, tmp_path)
    with pytest.raises(InputError, match="grid_powr"):
        compare(RACK, set_b=["site.grid_powr=1 GW"])
    with pytest.raises(Infeasible, match=r"b\.yaml"):
        compare(RACK, edited(tmp_path / "b.yaml", IMPOSSIBLE))


IMPOSSIBLE = """name: b
workloads:
  - id: pretrain
    kind: training
    model: llama3-405b
    tokens: 40e12
    obligation: {finish_by: 2027-03-31}
"""


def test_another_verb_of_the_same_file(monkeypatch):
    """Answers of other verbs are compared as they are; here by the outcomes of a stand-in."""
    from gigawatt.study.evaluate import Outcome
    from gigawatt.study.evaluate.evaluator import Evaluator

    asked = []

    def outcome(self, changes=None):
        asked.append(self.recipe.verb)
        self.units |= {"npv": "USD"}
        data = self.source(changes or {}).data
        return Outcome("ok", {"npv": float(data["horizon"]["years"]) * (2.0 if "discount_rate" in data else 1.0)})

    monkeypatch.setattr(Evaluator, "outcome", outcome)
    made = compare(RACK, verb="fleet", set_b=[YEARS, RATE])
    assert set(asked) == {"fleet"} and made.manifest["metric"] == "npv"
    assert (made.manifest["a"], made.manifest["b"]) == (5.0, 8.0)
    assert values(made) == {"horizon": -1.5, "discount rate": 4.5}  # by hand: -1 or -2; 5 or 4
    assert Recipe.of(RACK, "fleet").verb == "fleet"


def test_a_run_folder_keeps_the_overlays_that_it_was_asked_with(tmp_path, monkeypatch):
    from gigawatt.catalog import Catalog
    from gigawatt.study.questions import answer_source
    from gigawatt.study.source import read

    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "platform").mkdir(parents=True)
    (tmp_path / "mine" / "platform" / "gb300-nvl72.yaml").write_text(
        "extends: gb300-nvl72\nlist_price: {value: 4 million USD, kind: filing, source: our order}\n", encoding="utf-8"
    )
    made = answer_source("run", read(RACK), Catalog.load(["mine"]))
    assert made.manifest["overlays"] == ["mine"]  # as it was named
    folder = write_run(made, tmp_path / "kept")
    gap = compare(RACK, folder)
    assert list(values(gap)) == ["overlays"] and gap.manifest["overlays_b"] == ["mine"]
    assert compare(RACK, folder, overlays=["mine"]).manifest["no_difference"]
    (tmp_path / "mine").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="records of 'mine', which is gone"):
        compare(RACK, folder)


def test_what_only_rounding_moves_has_no_gap():
    metrics = compare(RACK, set_b=[PRICE]).metrics.rows()
    sizes = [(abs(row["value"]), 1e-9 * max(abs(row["a"]), abs(row["b"]))) for row in metrics if row["value"]]
    assert sizes and all(gap > noise for gap, noise in sizes)

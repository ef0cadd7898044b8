"""Sweeps, risk, comparison and queries from Python: what they add to what they wrap."""

import gc

import pytest

import gigawatt as gw

GRID = {"site.energy_price": ["40 USD/MWh", "80 USD/MWh"], "capital": ["8 million USD", "9 million USD"]}


@pytest.fixture(scope="module")
def rack():
    return gw.load("one-rack")


@pytest.fixture(scope="module")
def swept(rack):
    return gw.sweep(rack, GRID, metrics="cost_per_mtok", engine="serial")


def test_every_scenario_of_a_sweep_is_what_a_run_says(rack, swept):
    rows = swept.runs().to_dicts()
    assert [row["site.energy_price"] for row in rows] == ["40 USD/MWh"] * 2 + ["80 USD/MWh"] * 2
    last = gw.run(rack.with_({"site.energy_price": "80 USD/MWh", "capital": "9 million USD"}))
    for name, metric in last.metrics.items():
        assert rows[-1][name] == pytest.approx(metric.value, rel=1e-9, abs=1e-9), name
    assert swept.explain("cost_per_mtok").children
    assert swept.table().name == "best" and swept.plots and swept.scenario == rack


def test_a_sweep_can_be_kept_opened_and_gone_on_with(rack, swept, tmp_path):
    folder = swept.save(tmp_path / "kept")
    again = gw.open(folder)
    assert isinstance(again, gw.SweepResult)
    assert again.runs().equals(swept.runs()) and again.folder == folder
    assert again.scenario == rack
    told = []
    gone_on = gw.sweep(rack, GRID, metrics="cost_per_mtok", engine="serial", folder=folder, progress=told.append)
    assert gone_on.runs().equals(swept.runs())
    assert not any("0 of 4" in text for text in told)  # nothing was left to do
    with pytest.raises(gw.InputError, match="is there already"):
        swept.save(tmp_path / "kept")
    with pytest.raises(gw.InputError):
        gw.sweep(rack, {"capital": ["8 million USD"]}, engine="serial", folder=folder)


def test_a_folder_of_nobody_goes_with_its_result(rack):
    made = gw.sweep(rack, {"capital": ["8 million USD"]}, engine="serial")
    folder = made.folder
    assert folder.is_dir()
    del made
    gc.collect()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda r: gw.sweep(r, {"site.energy_prise": [1]}), "did you mean 'site.energy_price'?"),
        (lambda r: gw.sweep(r, GRID, engine="pol"), "did you mean 'pool'?"),
        (lambda r: gw.sweep(r, GRID, best="most"), "best is 'highest' or 'lowest', not 'most'"),
        (lambda r: gw.risk(r, vary={"site.energy_price": "red"}), "'red' is no law"),
        (lambda r: gw.risk(r, vary={"site.energy_prise": "x1.2"}), "did you mean 'site.energy_price'?"),
        (lambda r: gw.risk(r, covenants="dscr>1"), "is not METRIC>=LEVEL"),
        (lambda r: gw.compare(r), "there is one side only"),
        (lambda r: gw.compare(r, gw.load("serving/chat")), "their numbers are of different things"),
        (lambda r: gw.query("select 1"), "no result is named"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(rack, ask, said):
    with pytest.raises(gw.InputError) as told:
        ask(rack)
    assert said in str(told.value)


def test_risk_says_band_cause_and_breach(rack):
    law = {"site.energy_price": {"dist": "uniform", "low": "40 USD/MWh", "high": "75 USD/MWh"}}
    made = gw.risk(rack, 256, vary=law, covenants=["operator_irr>=0.2"], metric="operator_npv", catalog=False)
    npv = made.metrics["operator_npv"]
    assert npv.low < npv.p50 < npv.high
    assert made.table().name == "sensitivity" and "site.energy_price" in "".join(
        map(str, made.table("sensitivity")["input"])
    )
    again = gw.risk(rack, 256, vary=law, covenants=["operator_irr>=0.2"], metric="operator_npv", catalog=False)
    assert {k: v.band for k, v in again.metrics.items()} == {k: v.band for k, v in made.metrics.items()}


def test_a_project_is_drawn_by_its_own_laws():
    made = gw.risk("projects/cloud-contract-with-debt", 64, metric="dscr_min")
    assert made.explain("dscr_min").children
    assert made.metrics["dscr_min"].band and "covenants" in made.tables and made.plots


def test_steps_of_a_comparison_sum_to_the_gap(rack):
    other = rack.with_({"site.energy_price": "90 USD/MWh", "workloads.chat.price.output": "1.40 USD/Mtok"})
    made = gw.compare(gw.run(rack), other, metric="operator_npv")
    first, last = gw.run(rack).metrics["operator_npv"], gw.run(other).metrics["operator_npv"]
    assert sum(made.table("steps")["value"]) == pytest.approx(last - first, rel=1e-9)
    assert made.metrics["operator_npv"].value == pytest.approx(last - first, rel=1e-9)
    assert made.explain("operator_npv").children


def test_a_kept_answer_is_compared_with_its_own_numbers(rack, tmp_path):
    kept = gw.open(gw.run(rack).save(tmp_path / "run"))
    made = gw.compare(kept, changes={"site.energy_price": "90 USD/MWh"}, metric="cost_per_mtok")
    assert made.table("steps")["step"][0] == "energy price" or len(made.table("steps")) >= 1


def test_sql_reads_what_a_result_holds(rack, tmp_path):
    plan = gw.run(rack)
    sql = "select sum(racks) as racks from plan"
    assert gw.query(sql, plan)["racks"] == [1.0]
    assert gw.query(sql, plan.save(tmp_path / "run"))["racks"] == [1.0]
    with pytest.raises(gw.InputError, match="read only"):
        gw.query("drop table plan", plan)
    with pytest.raises(gw.InputError, match="did you mean 'plan'"):
        gw.query("select * from plam", plan)


def test_sql_over_several_says_whose_row_it_is(rack, swept, tmp_path):
    other = gw.run(rack.with_({"site.energy_price": "90 USD/MWh"}))
    sql = "select run, value from metrics where name = 'cost_per_mtok' order by run"
    found = gw.query(sql, gw.run(rack), other)
    assert found["run"] == ["one-rack (1)", "one-rack (2)"] and found["value"][0] < found["value"][1]
    assert gw.query("select count(*) as n from runs", swept)["n"] == [4]
    gw.run(rack).save(tmp_path / "a")
    other.save(tmp_path / "b")
    assert gw.query(sql, f"{tmp_path}/*")["run"] == ["a", "b"]
    units = gw.query("select racks, capex_usd from plan", other).units
    assert units["capex_usd"] == "USD"

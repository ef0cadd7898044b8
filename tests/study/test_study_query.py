"""SQL over run and sweep folders: rows, units, several folders as one, and nothing else within reach."""

from __future__ import annotations

import json

import polars as pl
import pytest

from gigawatt.core.errors import InputError
from gigawatt.core.table import Table
from gigawatt.report.files import write_run
from gigawatt.study.query import query, tables_in
from gigawatt.study.result import RunResult


def run_of(name, rows, more=()):
    columns = list(rows[0])
    offers = Table.from_rows("offers", rows, columns, {"mw": "MW", "price": "USD/MWh"})
    metrics = Table.from_rows("metrics", [{"name": "npv", "value": 1.0, "unit": "USD"}], ("name", "value", "unit"))
    tables = {"offers": offers, **{table.name: table for table in more}}
    return RunResult(name, name, "said", tables, metrics, {}, {"version": "1"})


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    here = tmp_path_factory.mktemp("runs")
    rows = [
        {"platform": "a", "mw": 2.0, "racks": 3, "note": "x"},
        {"platform": "b", "mw": 5.0, "racks": 4, "note": None},
    ]
    other = [{"platform": "c", "mw": 1.0, "racks": 5, "note": None, "price": 30.0}]
    extra = Table("extra", {"id": ["e"], "note": ["text"]})
    one = write_run(run_of("one", rows), here / "one")
    two = write_run(run_of("two", [row | {"note": None} for row in other], [extra]), here / "two")
    sweep = here / "sweep"
    (sweep / "parts").mkdir(parents=True)
    for at in range(3):
        frame = pl.DataFrame(
            {"index": [2 * at, 2 * at + 1], "price [USD/MWh]": [10.0 * at, 10.0 * at + 5], "npv": [at * 1.0, None]}
        )
        frame.write_parquet(sweep / "parts" / f"part-{at:06d}.parquet")
    columns = {
        "inputs": [{"path": "price", "text": "", "number": "price [USD/MWh]", "unit": "USD/MWh"}],
        "metrics": {"npv": "USD"},
    }
    (sweep / "sweep.json").write_text(json.dumps({"format": "gigawatt-sweep/1", "columns": columns}), encoding="utf-8")
    return here, one, two, sweep


def test_one_folder_has_its_rows_and_units(folders):
    _, one, _, _ = folders
    made = query(
        [one], "select platform, mw, mw / racks as each, sum(mw) over () as total from offers order by mw desc"
    )
    assert made.as_json()[0] == {"platform": "b", "mw": 5.0, "each": 1.25, "total": 7.0}
    assert made.units == {"mw": "MW"}


@pytest.mark.parametrize(
    ("sql", "units"),
    [
        ("select * from offers", {"mw": "MW"}),
        ("select racks, * from offers", {"mw": "MW"}),
        (
            "select max(p.mw) as most, round(avg(mw), 1) as mean, count(*) as n from offers p",
            {"most": "MW", "mean": "MW"},
        ),
        ("select mw * 1000 as mw from offers", {}),
        ("select racks as mw from offers", {}),
        ("with offers2 as (select mw * 1000 as mw from offers) select mw from offers2", {}),
        ("select mw from (select mw / racks as mw from offers)", {}),
        ("select mw from offers union all select racks from offers", {}),
        ("select a.mw as x, b.mw as y from offers a join offers b using (platform)", {"x": "MW", "y": "MW"}),
    ],
)
def test_units_are_those_of_columns_and_of_nothing_else(folders, sql, units):
    assert query([folders[1]], sql).units == units


def test_several_folders_are_one_table_by_name(folders):
    here, one, two, _ = folders
    made = query([one, two], "select * from offers")
    assert next(iter(made.columns)) == "run"
    assert [tuple(row[name] for name in ("run", "platform", "price")) for row in made.rows()] == [
        ("one", "a", None), ("one", "b", None), ("two", "c", 30.0),
    ]  # fmt: skip
    assert made.units == {"mw": "MW", "price": "USD/MWh"}
    assert query([here / "*"], "select * from offers").as_json() == made.as_json()
    only = query([one, two], "select run, note from extra").as_json()
    assert only == [{"run": "two", "note": "text"}]


def test_a_column_empty_in_one_folder_takes_its_type_from_the_other(tmp_path):
    for name, value in (("a", None), ("b", 4.5), ("c", "text")):
        write_run(run_of(name, [{"platform": name, "mw": 1.0, "seen": value}]), tmp_path / name)
    made = query([tmp_path / "a", tmp_path / "b"], "select sum(seen) as s from offers")
    assert made.as_json() == [{"s": 4.5}]
    assert query([tmp_path / "b", tmp_path / "c"], "select seen from offers").columns["seen"] == ["4.5", "text"]


def test_folders_of_one_name_are_told_apart(tmp_path):
    for place in ("x", "y"):
        write_run(run_of("same", [{"platform": place, "mw": 1.0}]), tmp_path / place / "same")
    made = query([tmp_path / "x" / "same", tmp_path / "y" / "same"], "select run, platform from offers")
    assert len(set(made.columns["run"])) == 2


def test_a_sweep_is_the_view_runs(folders):
    *_, sweep = folders
    made = query([sweep], 'select index, "price [USD/MWh]", npv from runs order by index')
    assert len(made) == 6 and made.columns["price [USD/MWh]"] == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]
    assert made.units == {"price [USD/MWh]": "USD/MWh", "npv": "USD"}
    assert query([folders[1], sweep], "select run, count(*) as n from runs group by run").as_json() == [
        {"run": "sweep", "n": 6}
    ]


def test_tables_are_listed_with_units(folders):
    rows = tables_in([folders[1]]).listed().as_json()
    assert {"table": "offers", "column": "mw", "unit": "MW", "type": "double"} in rows
    assert {row["table"] for row in rows} == {"offers", "metrics"}


@pytest.mark.parametrize(
    "sql",
    [
        "copy offers to '{out}'",
        "copy (select 1) to '{out}' (format parquet)",
        "attach '{out}' as other",
        "create table made as select 1",
        "insert into offers values (1)",
        "install httpfs",
        "load httpfs",
        "set enable_external_access=true",
        "pragma database_list",
        "export database '{out}'",
        "select 1; copy offers to '{out}'",
        "call pragma_version()",
        "select * from read_csv('{secret}')",
        "select * from read_text('{secret}')",
        "select * from read_blob('{secret}')",
        "select * from '{secret}'",
        "select * from sniff_csv('{secret}')",
        "select * from glob('{folder}/*')",
        "select * from read_parquet('{other}')",
        "select * from read_text('{manifest}')",
    ],
)
def test_nothing_is_written_and_nothing_else_is_read(folders, tmp_path, sql):
    """The same text works where the database is not locked, or is no SELECT at all."""
    _, one, two, _ = folders
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n", encoding="utf-8")
    places = {
        "out": tmp_path / "out", "secret": secret, "folder": tmp_path, "other": two / "offers.parquet",
        "manifest": one / "manifest.json",
    }  # fmt: skip
    before = {path: path.stat().st_mtime_ns for path in one.iterdir()}
    with pytest.raises(InputError):
        query([one], sql.format(**places))
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]
    assert {path: path.stat().st_mtime_ns for path in one.iterdir()} == before


def test_wrong_names_have_the_nearest(folders):
    _, one, _, _ = folders
    for sql, said, hint in (
        ("select * from offerss", "there is no table 'offerss'", "did you mean 'offers'?"),
        ("select platfrom from offers", "there is no column 'platfrom'", "did you mean 'platform'?"),
        ("select p.racs from offers p", "no", "tables"),
        ("selec 1", "syntax error", "tables: metrics, offers"),
    ):
        with pytest.raises(InputError) as told:
            query([one], sql)
        problem = told.value.problems[0]
        assert said in problem.message and any(hint in line for line in problem.hints)


def test_folders_that_are_none(tmp_path):
    with pytest.raises(InputError, match="finds no run"):
        query([str(tmp_path / "*")], "select 1")
    with pytest.raises(InputError, match="no run or sweep folder"):
        query([tmp_path], "select 1")

"""Exports: what is read back is what was written, with units and sources; the same tables give the same bytes."""

from __future__ import annotations

import csv
import json
import zipfile

import duckdb
import polars as pl
import pytest

from gigawatt.core.errors import InputError
from gigawatt.core.table import Table
from gigawatt.report.export import Bundle, bundle_of_folder, bundle_of_query, export
from gigawatt.report.files import write_run
from gigawatt.study.query import query_tables, tables_in
from gigawatt.study.result import RunResult

ROWS = [
    {"id": 'a "quoted", name', "mw": 1 / 3, "share": 0.25, "on": True, "source": "a paper", "lines": "one\r\ntwo"},
    {"id": "=1+1", "mw": None, "share": float("nan"), "on": False, "source": "", "lines": "ä€"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    offers = Table.from_rows("offers", ROWS, list(ROWS[0]), {"mw": "MW"}, "What to build", "a note")
    metrics = Table.from_rows("metrics", [{"name": "npv", "value": 2.0, "unit": "USD"}], ("name", "value", "unit"))
    result = RunResult(
        "run", "A run", "said", {"offers": offers}, metrics, {}, {"version": "9", "scenario_hash": "abc"}
    )
    return write_run(result, tmp_path_factory.mktemp("made") / "run")


def sheets(path):
    with zipfile.ZipFile(path) as book:
        return book.read("xl/workbook.xml").decode(), book.read("xl/sharedStrings.xml").decode()


def test_csv_is_read_back(folder, tmp_path):
    [file] = export(bundle_of_folder(folder, ["offers"]), tmp_path / "offers.csv", single=True)
    raw = file.read_bytes()
    assert raw.startswith(b"id,mw [MW],share [share],on,source,lines\r\n") and raw.endswith(b"\r\n")
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[1] == ['a "quoted", name', repr(1 / 3), "0.25", "true", "a paper", "one\r\ntwo"]
    assert float(rows[1][1]) == 1 / 3
    assert rows[2] == ["=1+1", "", "", "false", "", "ä€"]


def test_a_unit_of_each_row_stays_in_its_row(folder, tmp_path):
    [file] = export(bundle_of_folder(folder, ["metrics"]), tmp_path / "m.csv", single=True)
    assert file.read_text(encoding="utf-8").splitlines() == ["name,value,unit", "npv,2.0,USD"]


def test_parquet_carries_units(folder, tmp_path):
    [file] = export(bundle_of_folder(folder, ["offers"]), tmp_path / "offers.parquet", single=True)
    about = json.loads(pl.read_parquet_metadata(file)["gigawatt"])
    assert about["units"]["mw"] == "MW" and about["note"] == "a note" and about["rows"] == 2
    assert pl.read_parquet(file).columns == list(ROWS[0])
    [(key,)] = duckdb.execute(
        f"select decode(value) from parquet_kv_metadata('{file}') where decode(key) = 'gigawatt'"
    ).fetchall()
    assert json.loads(key) == about


def test_a_workbook_has_units_and_sources(folder, tmp_path):
    [file] = export(bundle_of_folder(folder), tmp_path / "all.xlsx")
    book, strings = sheets(file)
    for name in ("summary", "metrics", "offers", "sources"):
        assert f'name="{name}"' in book
    for words in ("a paper", "(none: assumed)", "MW", "scenario_hash: abc"):
        assert words in strings


def test_a_query_says_what_it_was_asked_of(folder, tmp_path):
    tables = tables_in([folder])
    sql = "select id, mw from offers"
    bundle = bundle_of_query(query_tables(tables, sql), sql, tables)
    [file] = export(bundle, tmp_path / "q.xlsx", single=True)
    book, strings = sheets(file)
    assert 'name="query"' in book
    for words in (sql, "run: version 9, scenario_hash abc", "a paper", "MW"):
        assert words in strings


@pytest.mark.parametrize("kind", ["xlsx", "csv", "parquet"])
def test_the_same_tables_give_the_same_bytes(folder, tmp_path, kind):
    places = [tmp_path / f"one.{kind}", tmp_path / f"two.{kind}"]
    first, second = (export(bundle_of_folder(folder), place) for place in places)
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    assert len(first) == (1 if kind == "xlsx" else 3)  # metrics, offers, sources


def test_a_folder_is_replaced_only_if_an_export_wrote_it(folder, tmp_path):
    bundle = bundle_of_folder(folder)
    export(bundle, tmp_path / "tables", "csv")
    (tmp_path / "tables" / "old.csv").write_text("old", encoding="utf-8")
    export(bundle, tmp_path / "tables", "csv")
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == [
        "about.json",
        "metrics.csv",
        "offers.csv",
        "sources.csv",
    ]
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(InputError, match="something else"):
        export(bundle, other, "csv")
    assert (other / "thesis.txt").is_file()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_sweep_is_exported_with_its_scenarios(tmp_path):
    parts = tmp_path / "sweep" / "parts"
    parts.mkdir(parents=True)
    pl.DataFrame({"index": [0, 1], "npv": [1.0, 2.0]}).write_parquet(parts / "part-000000.parquet")
    asked = {"digest": "d", "columns": {"inputs": [], "metrics": {"npv": "USD"}}}
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(asked), encoding="utf-8")
    [file] = export(bundle_of_folder(tmp_path / "sweep"), tmp_path / "out.csv")
    assert file.name == "runs.csv" and file.read_text(encoding="utf-8").splitlines()[0] == "index,npv [USD]"


def test_bad_places_and_formats(folder, tmp_path):
    bundle = bundle_of_folder(folder)
    with pytest.raises(InputError, match="which format"):
        export(bundle, tmp_path / "x")
    with pytest.raises(InputError, match="which format"):
        export(bundle, tmp_path / "x.docx")
    with pytest.raises(InputError, match="no format 'exel'"):
        export(bundle, tmp_path / "x", "exel")
    with pytest.raises(InputError, match="no table 'plen'"):
        bundle_of_folder(folder, ["plen"])
    (tmp_path / "dir.xlsx").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        export(bundle, tmp_path / "dir.xlsx")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="can not write"):
        export(bundle, tmp_path / "file" / "x.csv")
    long = Table("long", {"x": range(1_048_575)})
    with pytest.raises(InputError, match="a sheet holds"):
        export(Bundle("", (), (long,), {}), tmp_path / "long.xlsx")
    assert not (tmp_path / "long.xlsx").exists()

import dataclasses
import hashlib
import json
import zipfile
from xml.etree import ElementTree

import duckdb
import polars as pl
import pytest
from report_sample import NASTY, sample

from gigawatt.core.errors import InputError
from gigawatt.core.table import Table
from gigawatt.report.files import read_run, rewrite_report, write_run

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_run(sample(), tmp_path_factory.mktemp("runs") / "one")


def hashes(folder):
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.iterdir()}


def test_parquet_gives_the_tables_back(folder):
    for name, table in {**sample().tables, "metrics": sample().metrics}.items():
        assert pl.read_parquet(folder / f"{name}.parquet").to_dicts() == table.as_json()


def test_duckdb_reads_it_in_place(folder):
    query = f"select sum(mw) from '{folder}/plan.parquet' where workload = 'chat'"
    assert duckdb.sql(query).fetchall()[0][0] == pytest.approx(799.5)


def test_the_manifest_says_what_is_there(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == {f.name for f in folder.iterdir()}
    assert manifest["tables"]["plan"]["columns"]["capex_usd"] == "USD"
    assert manifest["seed"] == 20260101
    assert "wall_s" not in manifest


def test_same_run_same_bytes_whatever_the_clock_says(tmp_path):
    first = write_run(sample(), tmp_path / "a")
    later = dataclasses.replace(sample(), manifest=sample().manifest | {"wall_s": 99.9})
    second = write_run(later, tmp_path / "b")
    one, two = hashes(first), hashes(second)
    assert {name for name in one if one[name] != two[name]} == {"timing.json"}


def test_read_back_it_is_the_same_run_and_the_page_is_the_same(folder):
    again = read_run(folder)
    assert again.as_json()["plan"] == sample().as_json()["plan"]
    assert again.texts == sample().texts
    before = (folder / "report.html").read_bytes()
    assert rewrite_report(folder) == folder / "report.html"
    assert (folder / "report.html").read_bytes() == before


def test_an_older_run_is_replaced_as_a_whole(tmp_path):
    target = write_run(sample(), tmp_path / "run")
    smaller = dataclasses.replace(sample(), tables={"plan": sample().tables["plan"]})
    write_run(smaller, target)
    assert sorted(f.name for f in target.glob("*.parquet")) == ["metrics.parquet", "plan.parquet"]
    assert [f.name for f in tmp_path.iterdir()] == ["run"]  # nothing temporary stays


def test_what_is_no_run_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.md").write_text("years of work")
    (tmp_path / "thesis" / "manifest.json").write_text('{"name": "a browser extension"}')
    with pytest.raises(InputError, match="something else than a run"):
        write_run(sample(), tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.md").read_text() == "years of work"
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        write_run(sample(), tmp_path / "file")


def test_a_run_folder_with_a_users_own_file_is_left_alone(tmp_path):
    target = write_run(sample(), tmp_path / "run")
    (target / "my-notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"my-notes\.txt"):
        write_run(sample(), target)
    assert (target / "my-notes.txt").read_text() == "mine"


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "run").mkdir()
    assert (write_run(sample(), tmp_path / "run") / "manifest.json").is_file()


def test_a_failure_half_way_leaves_the_old_run(tmp_path, monkeypatch):
    target = write_run(sample(), tmp_path / "run")
    before = hashes(target)
    monkeypatch.setattr("gigawatt.report.files.page", lambda result: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_run(sample(), target)
    assert hashes(target) == before
    assert [f.name for f in tmp_path.iterdir()] == ["run"]


def test_no_run_no_report(tmp_path):
    with pytest.raises(InputError, match="is no run folder"):
        rewrite_report(tmp_path)


def test_tables_without_values_still_have_types(tmp_path):
    tables = {"excluded": Table("excluded", {"platform": [], "price_change_needed": []})}
    target = write_run(dataclasses.replace(sample(), tables=tables), tmp_path / "run")
    assert pl.read_parquet_schema(target / "excluded.parquet") == {
        "platform": pl.String,
        "price_change_needed": pl.Float64,
    }


def sheets(path):
    """Sheet name -> rows of cells, read from the zip itself."""
    with zipfile.ZipFile(path) as book:
        assert book.testzip() is None
        strings = [
            "".join(t.text or "" for t in item.iter(f"{SHEET}t"))
            for item in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        ]
        names = [s.get("name") for s in ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{SHEET}sheet")]
        found = {}
        for at, name in enumerate(names, start=1):
            root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{at}.xml"))
            rows = []
            for row in root.iter(f"{SHEET}row"):
                cells = {}
                for cell in row:
                    value = cell.find(f"{SHEET}v")
                    assert cell.find(f"{SHEET}f") is None  # no formula, whatever a user wrote
                    if value is not None:
                        column = "".join(c for c in cell.get("r") if c.isalpha())
                        cells[column] = strings[int(value.text)] if cell.get("t") == "s" else float(value.text)
                rows.append(cells)
            found[name] = rows
        return found


def test_the_spreadsheet_opens_with_units_and_sources(folder):
    found = sheets(folder / "tables.xlsx")
    assert {"summary", "metrics", "sources", *sample().tables} == set(found)
    plan = found["plan"]
    assert plan[0]["D"] == "racks"
    assert plan[1]["H"] == "USD"
    assert plan[2]["H"] == 2.9e10
    assert len(plan) == 2 + len(sample().tables["plan"])
    assert "EIA <industrial> average" in {row.get("A") for row in found["sources"]}
    assert found["companies"][-1]["K"] == NASTY


def test_text_that_looks_like_a_formula_stays_text(tmp_path):
    tables = {"gap": Table("gap", {"input": ["=1+1", "@cmd", "http://x"], "factor": [1.0, float("inf"), float("nan")]})}
    target = write_run(dataclasses.replace(sample(), tables=tables), tmp_path / "run")
    rows = sheets(target / "tables.xlsx")["gap"]
    assert [row["A"] for row in rows[2:]] == ["=1+1", "@cmd", "http://x"]
    assert rows[3]["B"] == "no limit"

"""`gigawatt query` and `gigawatt export` on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import gigawatt
from gigawatt.report.files import write_run
from gigawatt.study.load import load
from gigawatt.study.pipeline import run

RACK = Path(gigawatt.__file__).parent / "examples" / "one-rack.yaml"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return write_run(run(load(RACK)), tmp_path_factory.mktemp("kept") / "rack")


@pytest.fixture
def call(command, kept):
    """The command beside two run folders, runs/a and runs/b."""
    for name in ("a", "b"):
        shutil.copytree(kept, Path("runs") / name)
    return command


def test_query_one_and_many(call):
    code, out, _ = call("query", "select platform, mw from plan", "--run", "runs/a", "--json")
    made = json.loads(out)
    assert code == 0 and made["rows"][0]["platform"] == "rack" and made["units"] == {"mw": "MW"}
    code, out, _ = call("query", "select run, mw from plan", "--run", "runs/*", "--json")
    assert [row["run"] for row in json.loads(out)["rows"]] == ["a", "b"]
    code, out, _ = call("query", "select run, mw from plan", "--run", "runs/b", "--run", "runs/a")
    assert code == 0 and "mw [MW]" in out and out.index("b ") < out.index("a ")


def test_tables_are_listed(call):
    code, out, _ = call("query", "--tables", "--run", "runs/a", "--json")
    assert code == 0
    assert {"table": "plan", "column": "mw", "unit": "MW", "type": "double"} in json.loads(out)["rows"]
    code, _, err = call("query")
    assert code == 2 and "--tables" in err


def test_query_to_a_file(call):
    for name in ("q.csv", "q.xlsx", "q.parquet"):
        code, out, _ = call("query", "select platform, mw from plan", "--run", "runs/a", "--to", name, "--json")
        assert code == 0 and json.loads(out)["files"] == [name] and Path(name).stat().st_size > 0
    assert Path("q.csv").read_text(encoding="utf-8").splitlines()[0] == "platform,mw [MW]"


def test_export(call):
    code, out, _ = call("export", "runs/a", "--to", "all.xlsx")
    assert (code, out.strip()) == (0, "all.xlsx")
    code, out, _ = call("export", "runs/a", "--to", "tables", "--as", "csv", "--json")
    assert code == 0 and "tables/plan.csv" in json.loads(out)["files"]
    code, out, _ = call("export", "--to", "plan.parquet", "--table", "plan", "--json")
    assert code == 0 and json.loads(out)["files"] == ["plan.parquet"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("query", "copy plan to 'x.csv'", "--run", "runs/a"), "read only"),
        (("query", "select * from plann", "--run", "runs/a"), "did you mean 'plan'?"),
        (("query", "select 1", "--run", "nowhere"), "no run or sweep folder"),
        (("export", "runs/a"), "where the tables go"),
        (("export", "runs/a", "--to", "x"), "which format"),
        (("export", "runs/a", "--to", "x.csv", "--table", "plen"), "did you mean 'plan'?"),
        (("export", "runs/a", "--to", "runs", "--as", "csv"), "something else"),
    ],
)
def test_bad_input_is_told(call, words, said):
    code, _, err = call(*words)
    assert code == 2 and said in err
    assert not Path("x.csv").exists()

"""`gigawatt sweep` on the command line: JSON keys that scripts rely on, exit codes, files, going on, errors in words."""

from __future__ import annotations

import json
import shlex
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from typer.main import get_command

import gigawatt
from gigawatt.cli.main import app
from gigawatt.cli.sweep_verbs import HELP
from gigawatt.study import executors
from gigawatt.study.evaluate import Evaluator, Outcome
from gigawatt.study.executors import Done, WorkerLost

RACK = Path(gigawatt.__file__).parent / "examples" / "one-rack.yaml"
PRICES = "site.energy_price=30..60 USD/MWh/2"


@pytest.fixture
def gigawatt_sweep(command):
    """Runs the command on one rack, in this process; (exit code, stdout, stderr)."""
    Path("rack.yaml").write_text(RACK.read_text(encoding="utf-8"), encoding="utf-8")
    return partial(command, "sweep", "rack.yaml", "--engine", "serial")


def test_json_files_and_going_on(gigawatt_sweep, tmp_path):
    code, out, err = gigawatt_sweep("--grid", PRICES, "--json", "-o", "made")
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert made["folder"] == "made" and made["count"] == made["feasible"] == 2
    assert [row["index"] for row in made["runs"]] == [0, 1]
    first = made["runs"][0]
    assert (
        first["status"] == "ok"
        and first["site.energy_price"] == "30 USD/MWh"
        and first["site.energy_price [USD/MWh]"] == 30
    )
    assert {"best", "worst", "effects", "levels", "statuses", "metrics", "headline", "seconds"} <= set(made)
    assert {"sweep.json", "manifest.json", "report.html", "tables.xlsx", "parts"} <= {
        f.name for f in (tmp_path / "made").iterdir()
    }
    parts = {file.name: file.read_bytes() for file in (tmp_path / "made" / "parts").iterdir()}
    code, out, err = gigawatt_sweep("--grid", PRICES, "-o", "made", "--verbose")
    assert code == 0 and "2 of 2" in err
    assert all(len(line) <= 100 for line in out.splitlines() if not line.startswith(("report", "next")))
    for heading in ("BEST", "WORST", "WHAT EACH INPUT DOES", "BY LEVEL"):
        assert heading in out
    assert "--run made" in out
    assert parts == {file.name: file.read_bytes() for file in (tmp_path / "made" / "parts").iterdir()}
    code, _, err = gigawatt_sweep("--grid", "site.energy_price=30..60 USD/MWh/3", "-o", "made")
    assert code == 2 and "holds another sweep" in err and "--fresh" in err


def test_nothing_feasible_is_exit_code_one(gigawatt_sweep, monkeypatch):
    monkeypatch.setattr(Evaluator, "outcome", lambda *_: Outcome("infeasible", {}, "no plan fits"))
    code, out, _ = gigawatt_sweep("--grid", PRICES, "--json")
    made = json.loads(out)
    assert code == 1
    assert made["feasible"] == 0 and {row["status"] for row in made["runs"]} == {"infeasible"}
    assert made["best"] == [] and all(row["message"] for row in made["runs"])


def test_bad_input_is_told_at_once(gigawatt_sweep):
    code, out, _ = gigawatt_sweep("--grid", "site.enrgy_price=1", "--sample", "capital=lognrmal 1.2", "--json")
    error = json.loads(out)["error"]
    assert code == 2 and len(error["problems"]) == 2
    assert "site.energy_price" in str(error["problems"]) and "lognormal" in str(error["problems"])
    code, _, err = gigawatt_sweep()
    assert code == 2 and "changes nothing" in err
    code, _, err = gigawatt_sweep("--grid", PRICES, "--best", "most")
    assert code == 2 and "highest or lowest" in err
    code, _, err = gigawatt_sweep("--grid", PRICES, "--engine", "pol")
    assert code == 2 and "did you mean 'pool'" in err
    code, _, err = gigawatt_sweep("--grid", PRICES, "--workers", "0")
    assert (code == 2 and "--workers" in err) or "serial" in err
    assert not Path("runs").exists()


def test_ctrl_c_says_how_to_go_on(gigawatt_sweep, monkeypatch, tmp_path):
    class Interrupted:
        name = "serial"

        def run(self, make, chunks):
            worker = make()
            yield Done(chunks[0], worker(chunks[0]), 0.0)
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(executors, "executor_of", lambda *_: Interrupted())
        code, _, err = gigawatt_sweep("--grid", PRICES, "--chunk", "1", "-o", "made")
    assert code == 130
    assert "1 of 2 scenarios are kept in 'made'" in " ".join(err.split()) and "goes on from there" in " ".join(
        err.split()
    )
    code, _, _ = gigawatt_sweep("--grid", PRICES, "--chunk", "1", "-o", "made")
    assert code == 0 and pl.read_parquet(tmp_path / "made" / "parts").height == 2


def test_workers_that_are_lost_again_and_again(gigawatt_sweep, monkeypatch):
    class Doomed:
        name = "serial"

        def run(self, make, chunks):
            raise WorkerLost(0, "killed")
            yield

    monkeypatch.setattr(executors, "executor_of", lambda *_: Doomed())
    code, _, err = gigawatt_sweep("--grid", PRICES, "-o", "made")
    said = " ".join(err.split())
    assert code == 3 and "chunk 0 has lost three workers: killed; what is finished is kept in 'made'" in said


def test_examples_of_the_help_are_options_that_exist():
    known = {
        option
        for parameter in get_command(app).commands["sweep"].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for example in HELP.partition("Examples:")[2].split("\n\n"):
        words = shlex.split(example.replace("\n", " "))
        if words[:2] == ["gigawatt", "sweep"]:
            assert {word for word in words if word.startswith("-") and not word[1:2].isdigit()} <= known, example

"""`gigawatt train` on the command line: JSON keys that scripts rely on, exit codes, files, errors in words."""

from __future__ import annotations

import json
import shlex
from functools import partial

import pytest
from typer.main import get_command

from gigawatt.cli.main import app
from gigawatt.cli.train_verbs import HELP

SHORT = ("llama3-8b", "--on", "hgx-h100", "--gpus", "64", "--batch", "256")


@pytest.fixture
def gigawatt(command, monkeypatch):
    """Runs the command; (exit code, stdout, stderr)."""
    monkeypatch.delenv("GIGAWATT_TRUTH", raising=False)
    return partial(command, "train")


def test_json_has_the_keys_that_scripts_rely_on(gigawatt):
    code, out, err = gigawatt(*SHORT, "--json")
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert {"best", "pareto", "rejected", "candidates", "search_s", "assumed", "headline"} <= set(made)
    for row in [made["best"], *made["pareto"]]:
        assert row["low"] < row["tokens_per_s_per_chip"] < row["high"]
    assert all(set(row) == {"platform", "reason", "count", "nearest_fix"} for row in made["rejected"])


def test_a_table_has_its_units_within_a_hundred_columns(gigawatt):
    code, out, err = gigawatt(*SHORT[:2], "hgx-h100,hgx-b200", *SHORT[3:])
    assert (code, err) == (0, "")
    for words in ("[GB]", "[tok/s]", "[s]", "THE BEST MAPPING", "ASSUMED FOR YOU", "candidates in"):
        assert words in out
    assert max(map(len, out.splitlines())) <= 100
    assert "\x1b" not in out


def test_several_problems_at_once_in_words_and_in_json(gigawatt):
    words = ("lama3-8b", "--on", "hgx-h10", "--seq", "-3", "--max-step", "9", "--precision", "fp9")
    code, out, err = gigawatt(*words)
    assert (code, out) == (2, "")
    for part in ("'llama3-8b'?", "'hgx-h100'?", "--seq", "no unit", "'fp8'?", "5 problems"):
        assert part in err
    code, out, err = gigawatt(*words, "--json")
    assert (code, err) == (2, "")
    assert len(json.loads(out)["error"]["problems"]) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("llama3-405b", "--on", "hgx-h100", "--gpus", "8"), "--gpus"),
        ((*SHORT, "--max-step", "10 ms"), "the fastest step takes"),
    ],
)
def test_what_can_not_be_is_exit_code_one_and_says_what_would(gigawatt, words, said):
    code, out, err = gigawatt(*words)
    assert (code, out) == (1, "")
    assert said in err.replace("\n", " ")
    code, out, _ = gigawatt(*words, "--json")
    error = json.loads(out)["error"]
    assert code == 1
    assert error["code"] == "infeasible"
    assert error["conflict"]
    assert error["changes"]


def test_files_charts_and_folders(gigawatt, tmp_path):
    file = tmp_path / "short.yaml"
    file.write_text("schema: 1\nquestion: train\nname: short\nmodel: llama3-8b\non: hgx-h100\ngpus: 64\nbatch: 256\n")
    code, out, _ = gigawatt(str(file), "--plot", "front.html", "-o", "runs/short", "--json")
    made = json.loads(out)
    assert code == 0
    assert "Plotly" in (tmp_path / made["plot"]).read_text()
    manifest = json.loads((tmp_path / made["folder"] / "manifest.json").read_text())
    assert manifest["best"] == made["best"]
    assert "search_s" not in manifest
    assert (tmp_path / made["folder"] / "pareto.parquet").is_file()
    code, _, err = gigawatt(str(file), "--on", "hgx-h200")
    assert code == 2
    assert "--on can not stand beside a file" in err
    code, _, err = gigawatt(str(file), "--gpus", "128", "--workload", "x")
    assert code == 2
    assert "2 problems" in err
    code, _, err = gigawatt("llama3-8b", "--set", "a=1", "--workload", "chat")
    assert code == 2
    assert "2 problems" in err
    file.write_text("schema: 1\nquestion: serve\nmodel: llama3-8b\n")
    code, _, err = gigawatt(str(file))
    assert code == 2
    assert "gigawatt serve" in err


def test_help_has_examples_that_the_parser_takes(gigawatt):
    code, out, _ = gigawatt("--help")
    assert code == 0
    assert "--mapping" in out
    command = get_command(app).commands["train"]
    lines = [line.strip() for line in HELP.splitlines() if line.strip().startswith("gigawatt train")]
    assert len(lines) >= 5
    for line in lines:
        command.make_context("train", shlex.split(line)[2:])

"""The command line: verbs, exit codes, JSON and nothing else on stdout, and never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

EXAMPLES = resources.files("gigawatt") / "examples"


def _run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gigawatt.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, check=False)


def test_run_writes_a_whole_folder_and_answers_in_json(tmp_path: Path) -> None:
    done = _run("run", str(EXAMPLES / "one-rack.yaml"), "--json", "-o", str(tmp_path / "out"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {"plan", "limits", "performance", "power", "metrics", "companies", "wall_s"} <= set(answer)
    assert {
        "platform",
        "workload",
        "racks",
        "mw",
        "tokens_in_per_s",
        "tokens_out_per_s",
        "capex_usd",
        "npv_usd",
    } <= set(answer["plan"][0])
    assert {"value", "unit", "low", "high"} <= set(answer["metrics"]["system_npv"])
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"manifest.json", "report.html", "tables.xlsx", "plan.parquet"} <= written
    told = _run("explain", "system_npv", "--run", str(tmp_path / "out"), "--json", cwd=tmp_path)
    assert json.loads(told.stdout)["kind"] == "formula"
    asked = _run("query", "select platform, racks from plan", "--run", str(tmp_path / "out"), "--json", cwd=tmp_path)
    assert json.loads(asked.stdout)["rows"][0]["racks"] == 1
    refused = _run("query", "copy plan to 'x.csv'", "--run", str(tmp_path / "out"), cwd=tmp_path)
    assert refused.returncode == 2


def test_run_without_a_file_saves_what_it_assumed(tmp_path: Path) -> None:
    done = _run("run", "--power", "20 MW", "--capital", "1 billion USD", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    saved = tmp_path / json.loads(done.stdout)["assumed"]
    assert "20 MW" in saved.read_text()
    assert _run("check", str(saved), cwd=tmp_path).returncode == 0


def test_new_check_and_never_over_a_file(tmp_path: Path) -> None:
    assert _run("new", "slack-capital", "-o", "mine.yaml", cwd=tmp_path).returncode == 0
    checked = _run("check", "mine.yaml", "--json", cwd=tmp_path)
    assert json.loads(checked.stdout)["ok"] is True
    assert _run("new", "slack-capital", "-o", "mine.yaml", cwd=tmp_path).returncode == 2
    assert "did you mean 'one-rack'" in _run("new", "one-rak", cwd=tmp_path).stderr


BAD = {
    "syntax": "a: [1, 2\n",
    "binary": "\x00\x01",
    "empty": "",
    "list": "- 1\n",
    "deep": "a: " + "[" * 99 + "]" * 99,
    "bomb": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(8)),
    "circular": "extends: circular.yaml\n",
    "future": "schema: 99\nname: x\n",
    "unknown-id": "name: x\nfleet: [{id: a, platform: gb300-nvl27}]\nworkloads: [{id: c, kind: serving, model: deepsek-v3, "
    "input_tokens: 1, output_tokens: 1, demand: {output: 1 token/s}, price: {output: 1 USD/Mtok}}]\n",
    "no-price": "name: x\nfleet: [{id: a, platform: gb300-nvl72}]\nworkloads: [{id: c, kind: serving, model: deepseek-v3, "
    "input_tokens: 1, output_tokens: 1, demand: {output: 1 token/s}}]\n",
    "negative": "name: x\nsite: {grid_power: -5 MW}\nfleet: [{id: a, platform: gb300-nvl72}]\nworkloads: []\n",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_told_in_words_and_json(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.yaml").write_text(BAD[name])
    said = _run("run", f"{name}.yaml", cwd=tmp_path)
    assert said.returncode == 2
    assert "Traceback" not in said.stderr + said.stdout
    assert said.stdout == ""
    assert name in said.stderr
    asked = _run("run", f"{name}.yaml", "--json", cwd=tmp_path)
    error = json.loads(asked.stdout)["error"]
    assert asked.returncode == 2
    assert error["code"] and error["message"] and error["where"]
    assert not (tmp_path / "runs").exists()


def test_infeasible_is_an_answer(tmp_path: Path) -> None:
    done = _run("run", str(EXAMPLES / "one-gigawatt.yaml"), "--set", "site.grid_power=2 MW", "--json", cwd=tmp_path)
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "infeasible"
    assert error["conflict"] and error["changes"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["rnu"], 2),
        (["fleet"], 2),
        (["run", "none.yaml"], 2),
        (["validate", "netwrk"], 2),
        (["catalog", "show", "accelerator", "h100-smx"], 2),
        (["catalog", "list", "accelerator"], 0),
        (["run", "--nope"], 2),
        (["explain", "system_npv"], 2),
        (["doctor"], 0),
    ],
)
def test_exit_codes(words: list[str], code: int, tmp_path: Path) -> None:
    done = _run(*words, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["rnu"], ["fleet"], ["run", "none.yaml"], ["validate", "netwrk"], ["run", "--nope"]])
def test_json_errors_stand_alone_on_stdout(words: list[str], tmp_path: Path) -> None:
    done = _run(*words, "--json", cwd=tmp_path)
    assert set(json.loads(done.stdout)["error"]) >= {"code", "message", "where", "hints"}


def test_run_takes_a_platform_from_an_overlay(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "platform"
    folder.mkdir(parents=True)
    (folder / "half-price.yaml").write_text(
        "id: half-price\nextends: gb300-nvl72\nkind: assumed\nsource: a quotation of ours\nlist_price: 2.5 million USD\n"
    )
    words = ["run", str(EXAMPLES / "one-rack.yaml"), "--set", "fleet.rack.platform=half-price", "--no-report", "--json"]
    done = _run(*words, "--overlay", str(tmp_path / "mine"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["plan"][0]["capex_usd"] < 4.5e6
    assert _run(*words, cwd=tmp_path).returncode == 2


def test_a_revenue_far_from_the_contracts_is_explained(tmp_path: Path) -> None:
    words = [
        "run",
        str(EXAMPLES / "one-gigawatt.yaml"),
        "--set",
        "workloads.chat.price.realised_share=1",
        "--no-report",
    ]
    answer = json.loads(_run(*words, "--json", cwd=tmp_path).stdout)
    assert any("realised_share" in row["input"] for row in answer["gap"])
    usual = json.loads(_run(*words[:2], "--no-report", "--json", cwd=tmp_path).stdout)
    assert "gap" not in usual


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_stopped_command_says_so(command, monkeypatch, words):
    from gigawatt.catalog import Catalog

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Catalog, "load", stop)
    code, out, err = command("catalog", "list", *words)
    assert code == 130
    said = json.loads(out)["error"] if words else err
    assert "stopped by the user; nothing was left half-written" in str(said)
    assert said["code"] == "interrupted" if words else not out

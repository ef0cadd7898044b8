"""`gigawatt fleet` on the command line: JSON keys that scripts rely on, exit codes, files, errors with their place."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from gigawatt.cli.fleet_verbs import HELP
from gigawatt.cli.main import app

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = str(EXAMPLES / "build-out-small.yaml")


@pytest.fixture
def gigawatt(command, monkeypatch):
    """Runs the command; (exit code, stdout, stderr)."""
    monkeypatch.delenv("GIGAWATT_TRUTH", raising=False)
    return command


def test_json_has_the_keys_that_scripts_rely_on_and_the_folder_explains_them(gigawatt):
    code, out, err = gigawatt("fleet", SMALL, "--json", "-o", "run")
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert {"periods", "fleet", "limits", "metrics", "headline", "folder"} <= set(made)
    assert made["policy"] == "perfect"
    assert all("quarter" in row for name in ("periods", "fleet", "limits") for row in made[name])
    assert {"report.html", "manifest.json", "fleet.parquet"} <= {path.name for path in Path("run").iterdir()}
    for name in made["metrics"]:
        code, out, _ = gigawatt("explain", name, "--run", "run")
        assert code == 0 and name in out


def test_a_table_has_its_units_within_a_hundred_columns(gigawatt):
    code, out, err = gigawatt("fleet", SMALL, "--no-report", "--policy", "rolling", "--window", "2")
    assert (code, err) == (0, "")
    for words in (
        "THE FLEET, QUARTER BY QUARTER",
        "[MW]",
        "WHAT LIMITS YOU, AND WHEN",
        "WHAT FORESIGHT IS WORTH",
        "2027Q1",
    ):
        assert words in out
    assert max(map(len, out.splitlines())) <= 100
    assert "\x1b" not in out
    assert not Path("runs").exists()


def test_wrong_words_are_told_all_at_once_with_line_and_column(gigawatt):
    text = Path(SMALL).read_text(encoding="utf-8")
    text = text.replace("    chat: {demand", "    chta: {demand").replace("power: 20 MW}\n", "power: 7 MW}\n")
    Path("wrong.yaml").write_text(text, encoding="utf-8")
    code, out, err = gigawatt("fleet", "wrong.yaml")
    assert (code, out) == (2, "")
    lines = text.splitlines()
    trend = next(n for n, line in enumerate(lines, 1) if "chta" in line)
    ramp = next(n for n, line in enumerate(lines, 1) if "power: 7 MW" in line)
    assert f"wrong.yaml:{trend}:" in err and "did you mean 'chat'?" in err
    assert f"wrong.yaml:{ramp}:" in err and "falls from 8 MW to 7 MW" in err
    code, out, _ = gigawatt("fleet", "wrong.yaml", "--json")
    assert code == 2 and len(json.loads(out)["error"]["problems"]) == 2


def test_check_finds_what_fleet_would_refuse_and_the_template_is_right(gigawatt):
    code, _, _ = gigawatt("new", "build-out")
    assert code == 0 and Path("one-gigawatt.yaml").is_file()
    assert gigawatt("check", "build-out.yaml")[0] == 0
    code, _, err = gigawatt("check", "build-out.yaml", "--set", "build_out.offers.gb30={price: -5 %/yr}")
    assert code == 2 and "did you mean 'gb300'?" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fleet", SMALL, "--policy", "perfekt"), "did you mean 'perfect'?"),
        (("fleet", str(EXAMPLES / "market" / "re-letting.yaml")), "gigawatt market"),
        (("fleet", SMALL, "--set", "build_out.policy=greedy"), "perfect"),
        (("fleet", SMALL, "--set", "build_out.ofers={}"), "did you mean 'offers'?"),
        (("fleet", "none.yaml"), "none.yaml"),
    ],
)
def test_what_is_wrong_is_exit_code_two_and_says_what_would_be_right(gigawatt, words, said):
    code, out, err = gigawatt(*words)
    assert (code, out) == (2, "")
    assert said in err


def test_what_can_not_be_is_exit_code_one_and_names_what_conflicts(gigawatt):
    chips = [f"fleet.{name}.available=2031-01-01" for name in ("b200", "h200", "gb300")]
    words = [part for change in chips for part in ("--set", change)]
    code, out, _ = gigawatt("fleet", SMALL, *words, "--json")
    error = json.loads(out)["error"]
    assert code == 1 and error["code"] == "infeasible"
    assert any("after the last quarter of the horizon" in line for line in error["conflict"])


def test_help_shows_commands_that_are_right():
    command = get_command(app).commands["fleet"]
    options = {name for parameter in command.params for name in parameter.opts}
    shown = [line.strip() for line in HELP.splitlines() if line.strip().startswith("gigawatt fleet")]
    assert len(shown) == 3
    for line in shown:
        given = [word for word in shlex.split(line) if word.startswith("-")]
        assert set(given) <= options

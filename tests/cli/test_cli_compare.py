"""`gigawatt compare` on the command line: JSON keys that scripts rely on, exit codes, files, errors in words."""

from __future__ import annotations

import json
import math
import shlex
from functools import partial
from pathlib import Path

import pytest
from typer.main import get_command

import gigawatt
from gigawatt.cli.compare_verbs import HELP
from gigawatt.cli.main import app

RACK = str(Path(gigawatt.__file__).parent / "examples" / "one-rack.yaml")
CHANGES = ("--set", "site.energy_price=30 USD/MWh", "--set", "horizon.years=4")


@pytest.fixture
def compare(command):
    """Runs the command; (exit code, stdout, stderr)."""
    return partial(command, "compare")


def test_json_has_steps_that_sum_to_the_gap(compare):
    code, out, err = compare(RACK, *CHANGES, "--json", "--no-report")
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert {"steps", "inputs", "metrics", "a", "b", "gap", "residual", "metric", "unit"} <= set(made)
    assert math.fsum(row["value"] for row in made["steps"]) == pytest.approx(made["gap"], abs=0.005)
    assert made["b"] - made["a"] == pytest.approx(made["gap"])
    assert {"step", "change", "value", "after", "lowest", "highest"} <= set(made["steps"][0])
    assert made["metrics"]["system_npv"]["value"] == made["gap"]


def test_nothing_differs(compare):
    code, out, _ = compare(RACK, RACK, "--json", "--no-report")
    assert code == 0 and json.loads(out)["steps"] == []
    code, out, _ = compare(RACK, RACK, "-o", "same")
    assert code == 0 and "No difference" in out
    assert Path("same/report.html").is_file()


def test_the_terminal_and_the_run_folder(compare):
    code, out, _ = compare(RACK, *CHANGES)
    assert code == 0
    assert all(len(line) <= 100 for line in out.splitlines() if not line.startswith(("report", "next")))
    for words in ("FROM A TO B", "energy price", "years 5 -> 4", "INPUTS THAT DIFFER", "HEADLINE NUMBERS", "last cent"):
        assert words in out
    folder = Path("runs/one-rack-to-one-rack")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "chart-steps" in page and '"waterfall"' in page
    assert (folder / "tables.xlsx").is_file()
    again = next(line for line in out.splitlines() if line.startswith("next:")).removeprefix("next:")
    words = shlex.split(again)
    assert words[:2] == ["gigawatt", "compare"]
    code, out, _ = compare(*words[2:], "--json", "--no-report")
    assert code == 0 and json.loads(out)["metric"] != "system_npv"


def test_the_same_comparison_writes_the_same_bytes(compare):
    for name in ("one", "two"):
        compare(RACK, *CHANGES, "-o", name)
    files = sorted(path.name for path in Path("one").iterdir())
    assert files == sorted(path.name for path in Path("two").iterdir())
    assert all((Path("one") / name).read_bytes() == (Path("two") / name).read_bytes() for name in files)


def test_a_run_folder_is_a_side(compare, command):
    command("run", RACK, "-o", "kept")
    code, out, _ = compare("kept", RACK, "--set", "discount_rate=12 %", "--json", "--no-report")
    assert code == 0 and [row["step"] for row in json.loads(out)["steps"]] == ["discount rate"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((RACK,), "one side only"),
        ((RACK, "nowhere.yaml"), "no file"),
        ((RACK, *CHANGES, "--metric", "system_nvp"), "did you mean 'system_npv'?"),
        ((RACK, *CHANGES, "--order", "horizn"), "did you mean 'horizon'?"),
        ((RACK, "--set", "site.grid_powr=1 GW"), "did you mean 'grid_power'?"),
        ((RACK, *CHANGES, "--verb", "deals"), "does not answer"),
    ],
)
def test_bad_input_is_told(compare, words, said):
    code, _, err = compare(*words)
    assert code == 2
    assert said in err
    code, out, _ = compare(*words, "--json")
    assert code == 2 and json.loads(out)["error"]["message"]


def test_every_example_of_the_help_is_one():
    known = {name for option in get_command(app).commands["compare"].params for name in option.opts}
    for line in HELP.splitlines():
        words = shlex.split(line) if line.strip().startswith("gigawatt") else []
        assert {word for word in words if word.startswith("-")} <= known

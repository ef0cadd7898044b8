"""`gigawatt moats` on the command line: JSON keys that scripts rely on, exit codes, files, errors in words."""

from __future__ import annotations

import json
import shlex
from functools import partial
from pathlib import Path

import pytest
from typer.main import get_command

from gigawatt.cli.main import app
from gigawatt.cli.moat_verbs import HELP

SITE = Path(__file__).parent.parent / "study" / "moats_small.yaml"
ROW = {"regime", "moat", "removed_usd_per_mw_yr", "given_usd_per_mw_yr", "shapley_usd_per_mw_yr", "low", "high"}


@pytest.fixture
def gigawatt(command):
    """Runs the command; (exit code, stdout, stderr)."""
    Path("small.yaml").write_text(SITE.read_text(encoding="utf-8"), encoding="utf-8")
    return partial(command, "moats")


def test_json_has_the_keys_that_scripts_rely_on(gigawatt):
    code, out, err = gigawatt("small.yaml", "--json", "--no-report", "--samples", "2")
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert {"rows", "total", "premium", "extras", "binding", "regimes", "headline"} <= set(made)
    regimes = {row["regime"] for row in made["rows"]}
    assert len(regimes) >= 3
    assert set(made["total"]) == set(made["premium"]) == regimes
    assert {row["moat"] for row in made["rows"]} == {"software", "networking", "perf_per_watt"}
    assert all(set(row) >= ROW for row in made["rows"])
    assert all(set(row) == {"regime", "line", "value", "unit"} for row in made["extras"])


def test_the_terminal_and_the_run_folder(gigawatt, tmp_path):
    code, out, _ = gigawatt("small.yaml", "--regimes", "power", "--samples", "0", "-o", "made")
    assert code == 0
    assert all(len(line) <= 100 for line in out.splitlines() if not line.startswith("report"))
    for heading in ("WHAT EACH MOAT IS WORTH", "TAKEN FROM THE VENDOR", "THE REGIMES", "WHEN IT IS OFF"):
        assert heading in out
    assert (tmp_path / "made" / "manifest.json").is_file()
    assert "chart-moats" in (tmp_path / "made" / "report.html").read_text(encoding="utf-8")


def test_options_are_checked_as_a_file_is(gigawatt):
    code, _, err = gigawatt("small.yaml", "--rival", "mi35x")
    assert code == 2
    assert "--rival mi35x" in err
    assert "did you mean 'mi355x'" in err
    code, out, _ = gigawatt("small.yaml", "--regimes", "power,chps", "--json")
    assert code == 2
    assert "chps" in json.loads(out)["error"]["message"]


def test_another_question_is_sent_to_its_verb(gigawatt):
    Path("deals.yaml").write_text("question: deals\n", encoding="utf-8")
    code, _, err = gigawatt("deals.yaml")
    assert code == 2
    assert "try: gigawatt deals" in err


def test_every_example_of_the_help_is_one():
    known = {name for option in get_command(app).commands["moats"].params for name in option.opts}
    for line in HELP.splitlines():
        words = shlex.split(line) if line.strip().startswith("gigawatt") else []
        assert {word for word in words if word.startswith("-")} <= known | {"--set"}

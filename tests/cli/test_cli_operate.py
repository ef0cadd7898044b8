"""`gigawatt operate` on the command line: JSON keys that scripts rely on, exit codes, a report, errors at their place."""

from __future__ import annotations

import json
import shlex
import sys
from functools import partial
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))
from operate_sample import SMALL

from gigawatt.cli.operate_verbs import HELP


@pytest.fixture
def gigawatt(command):
    """Runs the command in a folder that holds the small site; (exit code, stdout, stderr)."""
    Path("small.yaml").write_text(SMALL, encoding="utf-8")
    return partial(command, "operate")


def test_json_has_the_keys_that_scripts_rely_on_and_the_folder_holds_a_report(gigawatt):
    code, out, err = gigawatt("small.yaml", "--json", "-o", "day")
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert {"hours", "metrics", "works", "work_hours", "power_hours", "policies", "postings", "headline"} <= set(made)
    assert len(made["hours"]) == 24
    keys = {
        "hour",
        "dry_bulb_c",
        "wet_bulb_c",
        "cap_mw",
        "meter_mw",
        "it_mw",
        "pue",
        "usd_per_mwh",
        "worth_usd_per_mwh",
    }
    assert keys <= set(made["hours"][0])
    work = {"racks", "tokens_in_per_s", "tokens_out_per_s", "demand_tokens_per_s", "served_share", "joules_per_token"}
    assert work <= set(made["work_hours"][0])
    names = {
        "tokens_out_per_day",
        "energy_per_day",
        "pue",
        "missed_share",
        "load_factor",
        "water_per_day",
        "carbon_per_day",
    }
    assert names <= set(made["metrics"])
    assert made["metrics"]["margin_per_day"]["low"] <= made["metrics"]["margin_per_day"]["value"]
    posting = {"period", "payer", "payee", "account", "contract", "amount_usd"}
    assert posting <= set(made["postings"][0])
    page = Path("day/report.html").read_text(encoding="utf-8")
    for name in ("power_hours", "work_hours", "hours", "weather"):
        assert f'id="chart-{name}"' in page
    assert "NaN" not in page.partition("plotly.js")[0]
    manifest = json.loads(Path("day/manifest.json").read_text())
    assert manifest["question"] == "operate"
    assert set(manifest["explain"]) == set(made["metrics"])
    assert all(tree["children"] for tree in manifest["explain"].values())


def test_the_day_reads_well_within_a_hundred_columns(gigawatt):
    code, out, err = gigawatt("small.yaml", "--day", "2027-01-15", "--set", "operate.curtailments=[]", "--no-report")
    assert (code, err) == (0, "")
    assert not Path("runs").exists()
    for words in ("15 January 2027", "HOUR BY HOUR", "23:00", "WHAT STEERING IS WORTH", "[MW]", "hours steered in"):
        assert words in out
    assert max(map(len, out.splitlines())) <= 100
    assert "\x1b" not in out


def test_wrong_events_are_told_at_their_place(gigawatt):
    wrong = SMALL.replace("start: 17, hours: 4", "start: 22, hours: 4").replace("offer: h100", "offer: h10")
    Path("small.yaml").write_text(wrong, encoding="utf-8")
    code, out, err = gigawatt("small.yaml")
    assert (code, out) == (2, "")
    assert "small.yaml:21:" in err
    assert "did you mean 'h100'?" in err
    assert "2 problems" in err
    code, out, err = gigawatt("small.yaml", "--json")
    assert (code, err) == (2, "")
    assert len(json.loads(out)["error"]["problems"]) == 2


def test_what_must_run_and_can_not_is_an_answer(gigawatt):
    change = "operate.curtailments=[{start: 0, hours: 24, share: 95 %}]"
    code, out, err = gigawatt("small.yaml", "--set", change, "--json")
    found = json.loads(out)["error"]
    assert (code, err) == (1, "")
    assert found["code"] == "infeasible"
    assert any("power at the meter" in name for name in found["conflict"])
    assert found["changes"]


def test_a_day_that_is_none_and_a_file_of_another_verb(gigawatt):
    code, _, err = gigawatt("small.yaml", "--day", "2027-02-31")
    assert code == 2
    assert "operate.day" in err
    Path("other.yaml").write_text("question: market\n", encoding="utf-8")
    code, _, err = gigawatt("other.yaml")
    assert code == 2
    assert "market" in err


def test_every_example_of_the_help_reads_as_a_command():
    lines = [line.strip() for line in HELP.splitlines() if line.strip().startswith("gigawatt operate")]
    assert len(lines) == 3
    assert all(shlex.split(line)[2].endswith(".yaml") for line in lines)

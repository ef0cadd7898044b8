"""`gigawatt net` on the command line: JSON keys that scripts rely on, exit codes, files, errors in words."""

from __future__ import annotations

import json
import shlex
from functools import partial
from importlib import resources
from pathlib import Path

import pytest

from gigawatt.cli.net_verbs import HELP

EXAMPLES = resources.files("gigawatt") / "examples"
KEYS = {"collective", "nbytes", "n", "time_us", "busbw_gb_per_s", "bound", "low", "high"}


@pytest.fixture
def gigawatt(command, monkeypatch):
    """Runs the command; (exit code, stdout, stderr)."""
    monkeypatch.delenv("GIGAWATT_TRUTH", raising=False)
    return partial(command, "net")


def test_json_has_the_keys_that_scripts_rely_on(gigawatt):
    code, out, _ = gigawatt("all_reduce", "--on", "hgx-h100", "--chips", "8,16", "--size", "1KiB..1MiB", "--json")
    answer = json.loads(out)
    assert code == 0
    assert len(answer["rows"]) == 2 * 11
    for row in answer["rows"]:
        assert set(row) >= KEYS
        assert row["low"] <= row["time_us"] <= row["high"]
    assert answer["rows"][0] | {"nbytes": 1024, "n": 8, "collective": "all_reduce"} == answer["rows"][0]
    assert answer["assumed"] and answer["headline"]


def test_without_words_it_answers_for_a_rack(gigawatt):
    code, out, err = gigawatt()
    assert code == 0 and err == ""
    assert "all-reduce of 1 GiB among 72 chips of gb300-nvl72, in one scale-up domain" in out.replace("\n  ", " ")
    assert "one rack; --chips says how many" in out
    assert "\x1b" not in out


def test_every_header_has_its_unit(gigawatt):
    _, out, _ = gigawatt(
        "all_to_all", "--on", "hgx-h100", "--chips", "8,16", "--size", "1GiB,2GiB", "--parts", "--flows"
    )
    for unit in ("[us]", "[GB/s]", "[%]", "[W]", "USD]"):
        assert unit in out
    assert max(map(len, out.splitlines())) <= 100


def test_several_problems_at_once_in_words_and_in_json(gigawatt):
    words = ("all_reduc", "--on", "gb300-nvl27", "--size", "1G", "--nic", "0 Gb/s", "--routing", "spray")
    code, out, err = gigawatt(*words)
    assert (code, out) == (2, "")
    for part in ("'all_reduce'?", "'gb300-nvl72'?", "1 GiB", "--nic must be above 0", "without --flows", "5 problems"):
        assert part in err
    code, out, err = gigawatt(*words, "--json")
    assert code == 2 and err == ""
    assert len(json.loads(out)["error"]["problems"]) == 5


def test_more_chips_than_the_tiers_reach_is_exit_code_one(gigawatt):
    code, out, _ = gigawatt("all_reduce", "--on", "gb300-nvl72", "--chips", "20736", "--json")
    error = json.loads(out)["error"]
    assert code == 1 and error["code"] == "infeasible"
    assert {change["limit"] for change in error["changes"]} == {"tiers", "endpoints"}


def test_what_failures_cut_off_is_an_answer_with_exit_code_one(gigawatt):
    words = (
        "all_reduce",
        "--on",
        "hgx-h100",
        "--chips",
        "512",
        "--size",
        "1GiB",
        "--flows",
        "--failed-switches",
        "leaf 0",
    )
    code, out, err = gigawatt(*words)
    assert code == 1 and err == ""
    assert "Cut off by the failures" in out and "rank 0" in out
    code, out, _ = gigawatt(*words, "--json")
    answer = json.loads(out)
    assert code == 1 and "rank 0" in answer["cut"] and answer["rows"][0]["time_us"] > 0
    code, _, err = gigawatt(*words[:-1], "leef 0")
    assert code == 2 and "did you mean 'leaf" in err


def test_a_chart_opens_without_a_network(gigawatt, tmp_path: Path):
    code, out, _ = gigawatt("all_reduce", "--on", "hgx-h100", "--chips", "16", "--plot", "charts/a.html")
    page = (tmp_path / "charts" / "a.html").read_text(encoding="utf-8")
    assert code == 0 and "chart: charts/a.html" in out
    assert "bus bandwidth" in page and "published points" in page and 'src="http' not in page
    code, _, err = gigawatt("all_reduce", "--chips", "16", "--size", "1GiB", "--plot", "b.html")
    assert code == 2 and "1KiB..16GiB" in err and not (tmp_path / "b.html").exists()


def test_a_run_folder_holds_tables_and_report(gigawatt, tmp_path: Path):
    code, out, _ = gigawatt(
        "all_reduce", "--on", "hgx-h100", "--chips", "8,16", "--size", "1MiB,1GiB", "--parts", "-o", "it"
    )
    written = {path.name for path in (tmp_path / "it").iterdir()}
    assert code == 0 and "it/report.html" in out
    assert {
        "manifest.json",
        "report.html",
        "tables.xlsx",
        "rows.parquet",
        "parts.parquet",
        "assumed.parquet",
    } <= written
    page = (tmp_path / "it" / "report.html").read_text(encoding="utf-8")
    assert 'id="chart-rows"' in page and "Assumed for you" in page


@pytest.mark.parametrize(
    ("form", "files"), [("chakra", {"step.0.et", "step.15.et", "network.yml"}), ("htsim", {"step.cm"})]
)
def test_exports_are_written_with_how_to_run_them(gigawatt, tmp_path: Path, form: str, files: set[str]):
    words = ("all_reduce", "--on", "hgx-h100", "--chips", "16", "--size", "1MiB", "--export", form)
    code, out, _ = gigawatt(*words, "-o", "traces", "--json")
    made = json.loads(out)["export"]
    assert code == 0 and made["messages"] == 2 * 16 * 15
    assert files <= {path.name for path in (tmp_path / "traces").iterdir()}
    assert "traces" in made["run"]
    code, _, err = gigawatt(*words)
    assert code == 2 and "-o DIR" in err


def test_exports_of_what_has_no_schedule_or_too_many_messages(gigawatt):
    code, _, err = gigawatt("broadcast", "--on", "hgx-h100", "--chips", "16", "--export", "htsim", "-o", "x")
    assert code == 2 and "all_gather" in err
    code, _, err = gigawatt("all_reduce", "--on", "hgx-h100", "--chips", "4096", "--export", "htsim", "-o", "x")
    assert code == 2 and "33,546,240 messages" in err
    code, out, _ = gigawatt(
        "all_reduce", "--on", "hgx-h100", "--chips", "1024", "--export", "chakra", "-o", "y", "--json"
    )
    assert code == 0 and json.loads(out)["export"]["messages"] == 0
    code, _, err = gigawatt("all_reduce", "--on", "hgx-h100", "--chips", "16", "--export", "ns3", "-o", "x")
    assert code == 2 and "known: chakra, htsim" in err


def test_sites_alone_and_beside_a_collective(gigawatt):
    words = ("--across", "1000 km", "--wan", "400 Gb/s", "--parameters", "405e9", "--step", "26 s")
    code, out, _ = gigawatt(*words, "--json")
    answer = json.loads(out)
    assert code == 0 and answer["rows"] == []
    assert [row["sync_every"] for row in answer["across"]] == [1, 100]
    assert answer["across"][0]["need_90"] == pytest.approx(268, rel=0.01)
    code, out, _ = gigawatt("all_reduce", *words, "--sites", "4", "--json")
    assert code == 0 and json.loads(out)["rows"]
    code, _, err = gigawatt("--wan", "400 Gb/s")
    assert code == 2 and "--across" in err
    code, _, err = gigawatt("--across", "1000 km")
    assert code == 2 and "3 problems" in err


def test_records_of_ones_own(gigawatt, tmp_path: Path):
    folder = tmp_path / "mine" / "fabric"
    folder.mkdir(parents=True)
    (folder / "half-rate.yaml").write_text(
        "id: half-rate\nextends: tomahawk5-roce-2tier\nkind: assumed\nsource: ours\nnic_bandwidth: 200 Gb/s\n"
    )
    words = ("all_to_all", "--on", "hgx-h100", "--chips", "64", "--size", "1GiB", "--json")
    code, out, _ = gigawatt(*words, "--fabric", "tomahawk5-roce-2tier,half-rate", "--overlay", "mine")
    one, half = json.loads(out)["rows"]
    assert code == 0 and half["time_us"] / one["time_us"] == pytest.approx(2.0, rel=0.05)
    assert gigawatt(*words, "--fabric", "half-rate")[0] == 2


@pytest.mark.parametrize(
    "example",
    [line.strip() for line in HELP.splitlines() if line.strip().startswith("gigawatt net")],
    ids=lambda e: e[13:40],
)
def test_the_commands_in_the_help_run(gigawatt, example):
    words = shlex.split(example.replace("examples/", f"{EXAMPLES}/"))[2:]
    code, out, err = gigawatt(*words)
    assert (code, err) == (0, "") and out


def test_help_shows_its_examples(gigawatt):
    code, out, _ = gigawatt("--help")
    assert code == 0 and out.count("gigawatt net") >= 8

"""`gigawatt serve` on the command line: JSON keys that scripts rely on, exit codes, files, errors in words."""

from __future__ import annotations

import json
import shlex
from functools import partial

import pytest
from typer.main import get_command

from gigawatt.cli.main import app
from gigawatt.cli.serve_verbs import HELP

SHORT = ("llama3-8b", "--on", "hgx-h100", "--isl", "512", "--osl", "256", "--slo", "ttft=1s,tpot=20ms")


@pytest.fixture
def gigawatt(command, monkeypatch):
    """Runs the command; (exit code, stdout, stderr)."""
    monkeypatch.delenv("GIGAWATT_TRUTH", raising=False)
    return partial(command, "serve")


def test_json_has_the_keys_that_scripts_rely_on(gigawatt):
    code, out, err = gigawatt(*SHORT, "--json")
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert {"best", "pareto", "rejected", "candidates", "search_s", "assumed", "headline"} <= set(made)
    for row in [made["best"], *made["pareto"]]:
        assert row["low"] < row["tokens_out_per_s_per_chip"] < row["high"]
        assert {
            "platform",
            "mapping",
            "engine",
            "precision",
            "mode",
            "chips",
            "concurrency",
            "kv_share",
            "bound",
        } <= set(row)
    assert made["candidates"] > 1000
    assert all(set(row) == {"platform", "reason", "count", "nearest_fix"} for row in made["rejected"])


def test_a_table_has_its_units_within_a_hundred_columns(gigawatt):
    code, out, err = gigawatt(*SHORT[:2], "hgx-h100,hgx-b200", *SHORT[3:])
    assert (code, err) == (0, "")
    for words in ("[ms]", "[tok/s]", "[W]", "[M tok/s]", "THE BEST WITHIN THE SLO", "ASSUMED FOR YOU", "candidates in"):
        assert words in out
    assert max(map(len, out.splitlines())) <= 100
    assert "\x1b" not in out


def test_several_problems_at_once_in_words_and_in_json(gigawatt):
    words = ("lama3-8b", "--on", "hgx-h10", "--isl", "-3", "--slo", "tpot=9", "--engine", "vlm")
    code, out, err = gigawatt(*words)
    assert (code, out) == (2, "")
    for part in ("'llama3-8b'?", "'hgx-h100'?", "--isl", "no unit", "'vllm'?", "5 problems"):
        assert part in err
    code, out, err = gigawatt(*words, "--json")
    assert (code, err) == (2, "")
    assert len(json.loads(out)["error"]["problems"]) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("llama3-8b", "--on", "hgx-h100", "--slo", "tpot=100 us"), "the floor of TPOT is"),
        (("deepseek-v3", "--on", "hgx-h100", "--chips", "8"), "GB a chip"),
        (("llama3-8b", "--on", "hgx-h100", "--concurrency", "900000"), "--concurrency"),
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


def test_files_charts_and_folders(gigawatt, tmp_path):
    file = tmp_path / "chat.yaml"
    file.write_text("schema: 1\nquestion: serve\nname: chat\nmodel: llama3-8b\non: hgx-h100\nslo: {tpot: 20 ms}\n")
    code, out, _ = gigawatt(str(file), "--plot", "front.html", "-o", "runs/chat", "--json")
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
    code, _, err = gigawatt("llama3-8b", "--set", "a=1", "--workload", "chat")
    assert code == 2
    assert "2 problems" in err
    file.write_text("schema: 1\nquestion: network\nnetworks: [{id: a, on: gb300-nvl72}]\ncollectives: [all_reduce]\n")
    code, _, err = gigawatt(str(file))
    assert code == 2
    assert "gigawatt net" in err


@pytest.mark.parametrize("engine", ["vllm", "trtllm", "dynamo"])
def test_launch_settings_of_the_best_point(gigawatt, tmp_path, engine):
    code, out, _ = gigawatt(*SHORT, "--chips", "8", "--no-disaggregate", "--emit", engine, "-o", "launch", "--json")
    made = json.loads(out)
    assert code == 0
    assert made["emit"]["engine"] == engine
    assert all((tmp_path / file).is_file() for file in made["emit"]["files"])
    assert engine == "dynamo" or made["best"]["engine"] == engine
    text = "".join((tmp_path / file).read_text() for file in made["emit"]["files"])
    assert "512 tokens in and 256 out" in text


def test_launch_settings_need_a_folder_and_their_own_engine(gigawatt):
    code, _, err = gigawatt(*SHORT, "--emit", "vllm")
    assert code == 2
    assert "without -o DIR" in err
    code, _, err = gigawatt(*SHORT, "--emit", "sglang", "--engine", "vllm", "-o", "x")
    assert code == 2
    assert "--engine sglang" in err
    code, _, err = gigawatt(*SHORT, "--emit", "vlm", "-o", "x")
    assert code == 2
    assert "did you mean 'vllm'?" in err


def test_a_rate_a_trace_and_a_measured_point(gigawatt, tmp_path):
    code, out, _ = gigawatt(*SHORT, "--rate", "5", "--json")
    assert code == 0
    assert 0 < json.loads(out)["best"]["load_share"] <= 0.85
    rows = "".join(f"{0.2 * i:.2f},{200 + i},{50 + i}\n" for i in range(60))
    (tmp_path / "trace.csv").write_text("arrival_s,input_tokens,output_tokens\n" + rows)
    code, out, _ = gigawatt(*SHORT[:3], "--slo", "tpot=30ms", "--trace", "trace.csv", "--json")
    made = json.loads(out)
    assert code == 0
    assert {"requests", "simulate_s", "ttft_ms", "tpot_ms", "utilisation"} <= set(made)
    assert made["requests"] == 60
    assert {"p50", "p90", "p99"} <= set(made["ttft_ms"])
    stated = ("--mapping", "tp1", "--engine", "vllm", "--precision", "fp8", "--anchor", "concurrency=8,tpot=9ms")
    code, out, _ = gigawatt(*SHORT, *stated)
    assert code == 0
    assert "ONE MEASURED POINT" in out


def test_a_service_beside_chat(gigawatt):
    code, out, _ = gigawatt("flux-1-dev", "--on", "hgx-h100", "--with", "steps=4", "--slo", "latency=9s", "--json")
    made = json.loads(out)
    assert code == 0
    assert (made["service"], made["unit"]) == ("images", "image")
    code, out, _ = gigawatt("flux-1-dev", "--on", "hgx-h100", "--with", "steps=4")
    assert code == 0
    assert "THE BEST OF EACH PLATFORM" in out
    assert max(map(len, out.splitlines())) <= 100
    code, _, err = gigawatt("flux-1-dev", "--on", "hgx-h100", "--emit", "vllm", "-o", "x")
    assert code == 2
    code, _, err = gigawatt(
        "llama3-8b", "--as", "agents", "--anchor", "concurrency=8,tpot=9ms", "--trace-with", "first=3"
    )
    assert code == 2
    assert "2 problems" in err


def test_every_option_of_the_examples_exists():
    known = {option for parameter in get_command(app).commands["serve"].params for option in parameter.opts}
    examples = [shlex.split(line) for line in HELP.splitlines() if line.strip().startswith("gigawatt serve")]
    assert len(examples) >= 4
    for words in examples:
        assert {word for word in words if word.startswith("--")} <= known, words

"""`gigawatt deals` from outside: answers, defaults that are answers, wrong files in words and in JSON, the run folder."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(str(resources.files("gigawatt") / "examples" / "deals"))
THREE = EXAMPLES / "three-companies.yaml"


def _run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gigawatt.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, check=False)


def _answer(*words: str, cwd: Path) -> dict[str, Any]:
    done = _run("deals", *words, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr + done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_answer_in_json_and_its_run_folder(tmp_path: Path) -> None:
    found = _answer(str(EXAMPLES / "circular-loop-announced.yaml"), "-o", "out", cwd=tmp_path)
    assert {"companies", "circularity", "claims", "stress", "contracts", "metrics", "headline"} <= set(found)
    assert found["as_of"] == "2025-09-24" and found["folder"] == "out"
    letter = next(one for one in found["contracts"] if one["id"] == "nvidia-openai-letter")
    assert (letter["status"], letter["cash_usd"], letter["headline_usd"]) == ("intent", 0.0, 100e9)
    assert {"shock", "first_default", "date", "shortfall_usd"} <= set(found["stress"][0])
    assert {"name", "value", "unit", "meaning"} <= set(found["circularity"][0])
    assert {"holder", "against", "amount_usd", "trigger", "grade"} <= set(found["claims"][0])
    assert {"company", "date_end", "cash_usd", "net_worth_usd"} <= set(found["companies"][0])
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"manifest.json", "report.html", "tables.xlsx", "companies.parquet", "stress.parquet"} <= written
    asked = _run("query", "select id from contracts where counts = 'headline'", "--run", "out", "--json", cwd=tmp_path)
    assert {"id": "nvidia-openai-letter"} in json.loads(asked.stdout)["rows"]
    told = _run("explain", "announced", "--run", "out", "--json", cwd=tmp_path)
    assert json.loads(told.stdout)["kind"] == "formula"
    # a second run takes the folder's place; a folder of something else stays
    assert _run("deals", str(THREE), "-o", "out", "--json", cwd=tmp_path).returncode == 0
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert _run("deals", str(THREE), "-o", "out", "--json", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.yaml")))
def test_every_example_answers_in_words(name: str, tmp_path: Path) -> None:
    done = _run("deals", str(EXAMPLES / f"{name}.yaml"), "--no-report", "--set", "samples=8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "contracts known" in " ".join(done.stdout.split())
    assert not list(tmp_path.iterdir())


def test_the_day_changes_what_is_known(tmp_path: Path) -> None:
    words = (str(EXAMPLES / "circular-loop-late-2026.yaml"), "--set", "samples=0", "--no-report")
    ids = {}
    for day in ("2025-09-24", "2026-06"):
        found = _answer(*words, "--as-of", day, cwd=tmp_path)
        ids[day] = {one["id"] for one in found["contracts"]}
        assert all(one["known_on"] <= found["as_of"] for one in found["contracts"])
    assert "nvidia-openai-shares" in ids["2026-06"] - ids["2025-09-24"]
    assert _run("deals", str(THREE), "--as-of", "soon", cwd=tmp_path).returncode == 2


def test_a_company_that_runs_dry_is_an_answer(tmp_path: Path) -> None:
    found = _answer(str(THREE), "--set", "flows.tokens.amount=1 billion USD/yr", "--no-report", cwd=tmp_path)
    first = found["defaults"][0]
    assert first["company"] == "lab" and first["shortfall_usd"] > 0
    usual = next(one for one in found["stress"] if one["shock"] == "none")
    assert (usual["first_default"], usual["date"]) == ("lab", first["date"])
    assert "lab runs out of cash first" in found["headline"]


BAD = """\
schema: 1
question: deals
name: bad
horizon: {start: 2026-01-01, years: 2}
companies:
  - {id: bank, opening: {on: 2025-12-31, cash: 10 billion EUR}}
  - {id: lab}
contracts:
  - {id: a, kind: term_lone, pays: bank, gets: lab, amount: 1 billion USD}
  - {id: b, kind: take_or_pay, pays: lab, gets: clod, price: 10 million USD/MW/yr, mw: 100}
  - {id: c, kind: equity, pays: lab, gets: lab, amount: 1 billion USD}
  - {deal: nvidia-openai-leter}
"""


def test_wrong_files_are_told_whole_in_words_and_json(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    said = _run("deals", "bad.yaml", "--set", "companies.lob.tax_rate=1 %", cwd=tmp_path)
    assert (said.returncode, said.stdout) == (2, "") and "Traceback" not in said.stderr
    words = " ".join(said.stderr.split())
    for expected in (
        "currencies can not be mixed", "did you mean 'term_loan'?", "'clod'", "power needs one", "pays itself",
        "did you mean 'nvidia-openai-letter'?", "there is no 'lob'",
    ):  # fmt: skip
        assert expected in words
    asked = _run("deals", "bad.yaml", "--json", cwd=tmp_path)
    assert asked.returncode == 2
    error = json.loads(asked.stdout)["error"]
    assert {"code", "message", "where", "hints", "problems"} <= set(error)
    places = {(one["where"][0]["file"], one["where"][0]["line"]) for one in error["problems"]}
    assert {("bad.yaml", line) for line in (6, 9, 10, 11, 12)} <= places
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["none.yaml"],
        [str(THREE), "--set", "contracts.rnt.floor=1"],
        [str(THREE), "--set", "flows.tokens"],
        [str(EXAMPLES.parent / "one-rack.yaml")],
        [str(THREE), "--nope"],
    ],
)
def test_wrong_words_exit_with_two(words: list[str], tmp_path: Path) -> None:
    done = _run("deals", *words, "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert set(json.loads(done.stdout)["error"]) >= {"code", "message", "where", "hints"}


def test_a_company_of_ones_own_comes_in_an_overlay(tmp_path: Path) -> None:
    """What the file leaves open is filled from the overlay's company of that id: its margin makes its goods cost money."""
    folder = tmp_path / "mine" / "company"
    folder.mkdir(parents=True)
    text = THREE.read_text().replace(", gross_margin: 75 %", "")
    (tmp_path / "file.yaml").write_text(text)
    (folder / "vendor.yaml").write_text(
        "id: vendor\nname: Our vendor\nkind: assumed\nsource: ours\nas_of: '2025-11'\nrole: vendor\n"
        "gross_margin: 40 %\ndiscount_rate: 9 %\n"
    )
    words = ("file.yaml", "--set", "samples=0", "--no-report")
    bare = _answer(*words, cwd=tmp_path)
    filled = _answer(*words, "--overlay", "mine", cwd=tmp_path)

    def goods(found: dict[str, Any]) -> list[float]:
        return [one["amount_usd"] for one in found["cash_links"] if one["account"] == "cogs"]

    assert goods(bare) == [] and len(goods(filled)) == 1

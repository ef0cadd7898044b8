"""`gigawatt risk` as people and scripts call it."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest

from gigawatt.cli.main import run
from gigawatt.report.files import read_run

PROJECT = str(resources.files("gigawatt") / "examples" / "projects" / "cloud-contract-with-debt.yaml")


def _called(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run(["risk", *words])
    out = capsys.readouterr()
    return int(ended.value.code or 0), out.out, out.err


def test_json_has_the_keys_of_the_contract(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    code, out, _ = _called(capsys, PROJECT, "--samples", "256", "--metric", "dscr_min", "--json", "-o", str(folder))
    assert code == 0
    answer = json.loads(out)
    assert {"p10", "p50", "p90"} <= set(answer["metrics"]["dscr_min"])
    assert answer["sensitivity"][0]["input"]
    assert answer["covenants"][0]["probability"] is not None
    kept = read_run(folder)
    assert len(kept.tables["draws"]) == 256
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'id="chart-histogram"' in page
    assert 'id="chart-indices"' in page
    assert "table-draws" not in page


def test_the_terminal_tells_band_causes_and_promises(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _called(capsys, PROJECT, "--samples", "256", "--no-report", "--covenant", "equity_irr>=10 %")
    assert code == 0
    for words in ("HOW SURE", "COVENANTS", "WHAT MATTERS TO IT [equity_npv]", "equity_irr at least 10 %", "hold still"):
        assert words in out
    assert max(len(line) for line in out.splitlines() if not line.startswith("next:")) <= 100


def test_words_that_are_no_law_are_all_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _called(capsys, PROJECT, "--vary", "cost", "--vary", "opex=12", "--correlate", "cost=1", "--json")
    assert code == 2
    assert [problem["code"] for problem in json.loads(out)["error"]["problems"]] == [
        "bad_vary",
        "bad_vary",
        "bad_correlate",
    ]

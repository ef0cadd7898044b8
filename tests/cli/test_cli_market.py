"""`gigawatt market`: one JSON object, a run folder, back-tests, and errors that say where."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gigawatt.cli import money_verbs
from gigawatt.core.errors import InputError
from gigawatt.report.files import read_run
from gigawatt.study.questions import backtest_answer, question_of

EXAMPLES = Path(str(resources.files("gigawatt") / "examples"))
MARKET = EXAMPLES / "market"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.callback()(lambda: None)
    money_verbs.add(app)

    def call(*words: str):  # type: ignore[no-untyped-def]
        return CliRunner().invoke(app, ["market", *words])

    return call


def test_json_has_the_tables_and_the_forecast(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run(str(MARKET / "supply-and-demand.yaml"), "--set", "samples=50", "--no-report", "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert {"quarters", "binding", "forecast", "forecast_rows", "backtest", "backlog_fan", "metrics", "as_of"} <= set(
        answer
    )
    assert {"value", "low", "high", "baseline", "baseline_rule", "quarter", "unit", "status"} <= set(answer["forecast"])
    assert answer["forecast"]["status"] == "pending"
    assert {"input", "stock", "need_per_gw", "used_share", "worth_usd", "binds_at"} <= set(answer["binding"][0])
    assert not (tmp_path / "runs").exists()


def test_a_run_folder_that_can_be_read_again(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run(str(MARKET / "vendors-quarters.yaml"), "-o", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert "111.7 B USD" in done.stdout and "pending" in done.stdout and max(map(len, done.stdout.splitlines())) <= 100
    kept = read_run(tmp_path / "out")
    assert kept.manifest["question"] == "market" and kept.manifest["forecast"]["quarter"] == "FY2027Q3"
    assert "quarters" in kept.tables and (tmp_path / "out" / "report.html").is_file()


def test_as_of_uses_only_what_was_known(run) -> None:  # type: ignore[no-untyped-def]
    words = (str(MARKET / "linear-supply-forecast.yaml"), "--no-report", "--json")
    then = json.loads(run(*words, "--as-of", "2025-09").stdout)
    assert then["as_of"] == "2025-09-30" and then["forecast"]["status"] == "pending"
    assert json.loads(run(*words).stdout)["forecast"]["status"] == pytest.approx(51.215e9)
    refused = run(*words, "--as-of", "soon")
    assert isinstance(refused.exception, InputError) and "no date" in str(refused.exception)


def test_a_back_test_is_answered_too(run) -> None:  # type: ignore[no-untyped-def]
    file = next((EXAMPLES / "backtests").glob("bt07*"))
    answer = json.loads(run(str(file), "--json").stdout)
    assert answer["id"] == "bt07" and answer["class"] == "history"
    assert answer["outputs"]["error"] == pytest.approx(-0.3435, abs=5e-4)
    assert "regime_change_flagged" in run(str(file)).stdout
    changed = json.loads(run(str(file), "--set", "inputs.steps=1", "--json").stdout)
    assert changed["outputs"]["error"] == pytest.approx(-0.0927, abs=5e-4)


def test_what_is_a_back_test(tmp_path: Path) -> None:
    assert question_of(MARKET / "vendors-quarters.yaml") == "market"
    bad = tmp_path / "bt.yaml"
    bad.write_text("id: x\ntitle: x\nclass: wiring\nevaluator: gigawatt_a_wek\ninputs: {}\n")
    assert question_of(bad) == "backtest"
    with pytest.raises(InputError, match="gigawatt_a_week"):
        backtest_answer(bad)
    with pytest.raises(InputError, match=r"none\.yaml"):
        question_of(tmp_path / "none.yaml")


def test_every_market_example_answers(run) -> None:  # type: ignore[no-untyped-def]
    for file in sorted(MARKET.glob("*.yaml")):
        done = run(str(file), "--set", "samples=20", "--no-report", "--json")
        assert done.exit_code == 0, (file.name, done.output, done.exception)
        assert json.loads(done.stdout)["headline"]

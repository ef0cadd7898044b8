"""Published failures and effective times: the bars, and what the rows say."""

from pathlib import Path

import pytest

from gigawatt.validation import reliability as published

ROWS = {row.what: row for row in published.published()}


def test_time_between_failures_at_16384() -> None:
    assert ROWS["RSC-1, 16,384 GPUs: time between failures"].ours == pytest.approx(1.80, abs=0.01)


def test_llama3_keeps_over_ninety_percent() -> None:
    row = ROWS["Llama 3 405B, 16,384 GPUs"]
    assert row.ours > 0.90
    assert row.low > 0.88


def test_a_hundred_thousand_gpus_from_stated_inputs() -> None:
    restart, go_on = ROWS["100,000 GPUs, one synchronous job"], ROWS["100,000 GPUs, replicas go on"]
    assert restart.ours == pytest.approx(0.44, abs=0.04)
    assert go_on.ours == pytest.approx(0.80, abs=0.04)


def test_the_saving_time_that_44_percent_asks_for() -> None:
    stall = published.sync_checkpoint_stall_s()
    assert 20.0 < stall < 60.0
    assert published.stated_sync(stall) == pytest.approx(0.44, abs=1e-6)


def test_most_rows_lie_in_their_bands() -> None:
    shares = [row.low <= row.published <= row.high or row.error == 0.0 for row in ROWS.values()]
    assert sum(shares) / len(shares) >= 0.8


def test_table_names_inputs_of_every_row() -> None:
    table = published.reliability_table()
    assert all(table.columns["inputs"])
    assert len(table.columns["what"]) == len(ROWS)


def test_the_page_tells_what_the_rows_are() -> None:
    page = Path(__file__).parents[2] / "docs" / "model" / "reliability.md"
    cells = [line.split("|") for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    told = {row[1].strip(): float(row[2].split()[0]) for row in cells if row[1].strip() in ROWS}
    assert set(told) == set(ROWS)
    for what, value in told.items():
        scale = 100.0 if ROWS[what].unit == "share" else 1.0
        assert value == pytest.approx(scale * ROWS[what].ours, rel=0.005, abs=0.05), what

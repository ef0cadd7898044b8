"""Scoring itself, the blinding of tables, and the published anchors."""

from __future__ import annotations

import math

import pytest

from gigawatt.core.errors import InputError
from gigawatt.validation.anchors import anchors_table
from gigawatt.validation.base import Prediction, score
from gigawatt.validation.run import validate
from gigawatt.validation.tables import KINDS, LAYOUTS, find_tables, read_rows


def test_score_on_numbers_worked_by_hand() -> None:
    rows = [
        Prediction("a", "m", 110.0, 90.0, 130.0, group="g"),
        Prediction("b", "m", 50.0, 45.0, 55.0, group="g"),
        Prediction("c", "m", None, reason="no model"),
    ]
    found = score(rows, {("a", "m"): 100.0, ("b", "m"): 100.0, ("c", "m"): 7.0})
    assert (found["rows"], found["predicted"], found["skipped"]) == (3, 2, 1)
    assert found["mape"] == pytest.approx((0.1 + 0.5) / 2)
    assert found["coverage80"] == 0.5
    assert found["bias"] == pytest.approx((0.1 - 0.5) / 2)
    assert found["median_band_width"] == pytest.approx((20 / 110 + 5 / 50) / 2)
    assert found["null_mape"] == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_answers_the_packaged_rows_and_skips_with_reasons(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIGAWATT_TRUTH", raising=False)
    found = validate(kind)
    assert found["summary"]["rows"] > 0
    assert found["summary"]["predicted"] > 0.9 * found["summary"]["rows"]
    assert all(row["reason"] for row in found["skipped"])
    for row in found["rows"]:
        assert math.isfinite(row["predicted"]), row
        if row["low"] is not None and row["high"] is not None:
            assert row["low"] <= row["predicted"] <= row["high"], row


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.file)
def test_predictions_do_not_move_when_answers_do(layout, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.delenv("GIGAWATT_TRUTH", raising=False)
    path = next((p for p in find_tables(layout.kind) if p.name == layout.file), None)
    if path is None:
        pytest.skip("not in the packaged set")
    rows = read_rows(path)[:40]
    blind = [{key: ("" if key in layout.hidden else value) for key, value in row.items()} for row in rows]
    import csv

    for name, content in (("shown.csv", rows), ("blank.csv", blind)):
        with (tmp_path / name).open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(content[0]))
            writer.writeheader()
            writer.writerows(content)
    shown, blank = (validate(layout.kind, tmp_path / name) for name in ("shown.csv", "blank.csv"))
    assert [r["predicted"] for r in shown["rows"]] == [r["predicted"] for r in blank["rows"]]
    assert all(row["measured"] is None for row in blank["rows"])


def test_a_table_of_another_kind_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    wrong = tmp_path / "w.csv"
    wrong.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no table of kind"):
        validate("training", wrong)


def test_published_anchors() -> None:
    rows = {row["anchor"].strip(): row for row in anchors_table().rows()}
    day = rows["DeepSeek's serving day: mean nodes"]
    assert abs(day["error"]) < 0.30
    watts = [row for name, row in rows.items() if "all-in at the meter" in name]
    assert len(watts) >= 6
    assert sum(abs(row["error"]) <= 0.10 for row in watts) >= 6

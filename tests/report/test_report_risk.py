"""What a reader sees of risk: numbers and names as everywhere else, no noise below zero, no empty sections."""

from __future__ import annotations

from gigawatt.core.table import Table
from gigawatt.report.grid import grid
from gigawatt.report.html import page
from gigawatt.report.risk_charts import histogram, indices
from gigawatt.report.risk_parts import shown_causes, shown_metrics
from gigawatt.report.sections import Section, present
from gigawatt.study.result import RunResult


def _answer() -> RunResult:
    metrics = [
        {"name": "system_npv", "value": 7.11e6, "unit": "USD", "p10": 4.59e6, "p50": 6.75e6, "p90": 9.15e6,
         "low": 4.59e6, "high": 9.15e6, "shortfall_5": 3.4e6, "below_zero": 0.0},
        {"name": "tokens_out", "value": 146_682.0, "unit": "token/s", "p10": 123_477.0, "p50": 146_692.0,
         "p90": 174_246.0, "low": 123_477.0, "high": 174_246.0, "shortfall_5": 111_400.0, "below_zero": None},
    ]  # fmt: skip
    causes = [
        {"input": "x", "words": "speed", "input_unit": "x", "at_p10": 0.84, "at_p90": 1.19, "metric_at_p10": 5e6,
         "metric_at_p90": 9e6, "first": 0.9, "total": 0.92, "narrower_if_known": -0.01, "kind": "calibration"},
    ]  # fmt: skip
    bins = [
        {"from": 4e6 + 1e6 * k, "to": 5e6 + 1e6 * k, "share": 0.2, "below": 0.2 * (k + 1)} for k in range(5)
    ]  # fmt: skip
    tables = {
        name: Table.from_rows(name, rows, list(rows[0]))
        for name, rows in (("sensitivity", causes), ("histogram", bins))
    }
    manifest = {"question": "risk", "metric": "system_npv", "at_medians": 7075961.242377866}
    of = Table.from_rows("metrics", metrics, list(metrics[0]))
    return RunResult("risk", "Risk", "", tables, of, {"notes": []}, manifest)


def test_numbers_read_as_everywhere_else() -> None:
    """Names in words, thousands separated, never scientific notation."""
    npv, tokens = shown_metrics(_answer()).rows()
    assert (npv["metric"], npv["P10"], npv["bad"]) == ("System NPV", "4.59 M USD", "0 %")
    assert (tokens["metric"], tokens["value"]) == ("Tokens out", "146,682 tok/s")


def test_noise_below_zero_is_none_in_table_and_chart() -> None:
    """What knowing an input is worth can not be less than nothing."""
    result = _answer()
    assert next(shown_causes(result).rows())["known"] == "0 %"
    chart = indices(result)
    assert chart is not None
    assert min(x for bar in chart["data"] for x in bar["x"]) == 0.0


def test_axes_say_metric_and_unit() -> None:
    """The axis of the sum goes by quarters to the whole."""
    chart = histogram(_answer())
    assert chart is not None
    assert chart["layout"]["xaxis"]["title"]["text"] == "System NPV [M USD]"
    assert chart["layout"]["yaxis2"]["dtick"] == 0.25


def test_page_has_no_raw_numbers() -> None:
    """The footer repeats no unrounded intermediate."""
    assert "7075961" not in page(_answer()).split("Made by Gigawatt")[1]


def test_a_section_may_ask_for_rows() -> None:
    """A table of one row that says nothing is left out."""
    result = _answer()
    assert not present(result, [Section("sensitivity", "Few", least=2)])
    assert present(result, [Section("histogram", "Bins", least=2), Section("absent", "None")]) == [
        Section("histogram", "Bins", least=2)
    ]


def test_an_input_is_shown_in_its_own_unit() -> None:
    """A share of a thousandth beside a price of millions is not noise of it."""
    rows = [
        {"input": "insurance", "at_p10": 0.001, "at_p90": 0.006, "input_unit": "share"},
        {"input": "shell price", "at_p10": 8e6, "at_p90": 17.6e6, "input_unit": "USD/MW"},
    ]
    shown = grid(Table.from_rows("sensitivity", rows, list(rows[0])))
    assert shown.rows == [["insurance", "0.100 %", "0.600 %"], ["shell price", "8.00 M USD/MW", "17.6 M USD/MW"]]

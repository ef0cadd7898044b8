"""Charts of joint design: what each way of choosing gets, and the designs themselves."""

from __future__ import annotations

from gigawatt.report.chart_parts import bars, rows_with
from gigawatt.report.numbers import quantity
from gigawatt.report.sentences import rows_of
from gigawatt.report.theme import BLUE, GREY, Figure
from gigawatt.study.result import RunResult


def joint(result: RunResult) -> Figure | None:
    """What the best design of each way is worth, with the design."""
    rows = rows_with(rows_of(result, "joint"), "value_usd_per_yr")
    names = [str(row["way"]) for row in rows]
    texts = [
        f"{quantity(row['value_usd_per_yr'], 'USD/yr')}: {row.get('chip')}, {row.get('fabric')}, {row.get('site')}"
        for row in rows
    ]
    colours = [BLUE if name == "joint" else GREY for name in names]
    return bars(names, [row["value_usd_per_yr"] for row in rows], colours, "worth", "USD/yr", texts=texts)


JOINT_CHARTS = {"joint": joint}

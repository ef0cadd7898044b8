"""The training part of the accuracy page: errors by chip, by kin of stack and by source, inside the fit and outside of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.report import markdown
from gigawatt.report.numbers import number
from gigawatt.validation.reliability import published

RECORD = "training-step"
SMALLEST = 3  # rows below which a line says nothing
COLUMNS: tuple[tuple[str, str], ...] = (
    ("fitted_mape", "fitted, mean"),
    ("fitted_median", "fitted, median"),
    ("left_out_mape", "source left out, mean"),
    ("left_out_median", "source left out, median"),
    ("left_out_bias", "source left out, bias"),
    ("null_mape", "null model"),
)
TABLES: tuple[tuple[str, str], ...] = (
    ("error_by_chip", "chip, precision, kind of model"),
    ("error_by_family", "kin of software"),
    ("error_by_source", "source"),
)
INTRODUCTION = """Errors in % of step time. *Fitted* rows were among those that the constants were fitted to; *source left
out* is the same row predicted by constants fitted without its whole source, which is what to expect of a system that
nobody of these sources measured. The null model says the median achieved FLOP/s of the row's own chip, precision and
kind of model, the row itself seen. A container release is an input where a source states it: {release} is the one that
constants are of, and software of another age runs slower by the law of the record `software-maturity` (log gain
{gain} from a chip's launch to the plateau, fitted to training steps)."""


FAILURES = """Failures, and the time they leave, from inputs that the sources state or, where they do not, that are assumed
([reliability](model/reliability.md) names each):"""


def training_part(record: Any = None) -> list[str]:
    """Paragraphs and tables of the training calibration's own account of its errors.

    Args:
        record: the calibration record; the packaged one where None.
    """
    one = record if record is not None else Catalog.load().get("calibration", RECORD)
    parts = []
    for name, heading in TABLES:
        lines = _lines(one.tables.get(name, {}))
        if lines:
            heads = [heading, "rows", *(title for _, title in COLUMNS)]
            parts.append(markdown.table(heads, lines, [False, *([True] * (len(heads) - 1))]))
    if not parts:
        return []
    gain = one.parameters["maturing"].value if "maturing" in one.parameters else 0.0
    introduction = INTRODUCTION.format(release=one.release or "no stated release", gain=f"{gain:.2f}")
    return [introduction, *parts, FAILURES, _failures()]


def _failures() -> str:
    """Published figures of failures and effective time beside ours."""
    rows = [
        [
            row.what,
            f"{row.ours:.3g} [{row.low:.3g} to {row.high:.3g}]",
            f"{'over ' if row.bound else ''}{row.published:.3g}",
            row.unit,
            f"{100.0 * row.error:+.1f}",
            row.inputs,
        ]
        for row in published()
    ]
    heads = ["failures and effective time", "ours [80 % band]", "published", "unit", "error [%]", "from"]
    return markdown.table(heads, rows, [False, True, True, False, True, False])


def _lines(errors: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """A line for each kin that is large enough, the largest first."""
    large = [(name, e) for name, e in errors.items() if e["rows"] >= SMALLEST]
    large.sort(key=lambda item: (-item[1]["rows"], item[0]))
    return [
        [name, number(e["rows"]), *(f"{float(e[column]):.1f}" if column in e else "" for column, _ in COLUMNS)]
        for name, e in large
    ]

"""The page `docs/accuracy.md`: how wrong the engine is, kind by kind, beside a null model; generated, never written by hand.

Input are the objects that `gigawatt validate KIND --json` prints. What each column means stands on the page itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gigawatt.core.table import Table
from gigawatt.report import markdown
from gigawatt.report.grid import grid
from gigawatt.report.numbers import number
from gigawatt.study.backtests import PROVES
from gigawatt.validation.economics import CLASS, failures_table, replays

Scored = Mapping[str, Any]

SMALLEST_GROUP = 3  # fewer measured rows than this say nothing about a group
MOST_REASONS = 8

TITLES = {
    "training": "Training steps",
    "serving": "Serving",
    "network": "Collectives",
    "power": "Power and energy",
    "flops": "FLOPs and parameters",
    "kernels": "Single kernels",
    "economics": "Economics (back-tests)",
}
# key of a summary -> heading, whether it is a share
MEASURES: tuple[tuple[str, str, bool], ...] = (
    ("rows", "rows", False),
    ("predicted", "predicted", False),
    ("mape", "mean error", True),
    ("median_ape", "median", True),
    ("p90_ape", "P90", True),
    ("bias", "bias", True),
    ("coverage80", "in the 80 % band", True),
    ("median_band_width", "half-width of band", True),
    ("null_mape", "null model", True),
    ("regret_median", "regret, median", True),
    ("regret_p90", "regret, P90", True),
)
INTRODUCTION = """# How wrong are we?

This page is generated from `gigawatt validate KIND --json` over measured rows. Answer columns are removed before the
model sees a row, and the prediction is then compared. **Hidden answers do not make a row new**: the calibrations were
fitted to part of these rows, so the errors by kind below are partly those of a fit. What to expect of a system that
nobody measured stands in the table *Outside the fit*, where whole sources, models or chips were left out; those errors
are usually larger.

- **error**: |predicted / measured - 1|; the mean, the median and the 90th percentile of it.
- **bias**: the median of predicted / measured - 1; above zero we promise too much of what is measured.
- **in the 80 % band**: share of measured values inside the stated band; 80 % is right, far more means the band is too wide.
- **half-width of band**: median of (high - low) / 2 / predicted: a band can also be honest and useless.
- **null model**: mean error of always saying the median of the row's own group, which needs the answers. Where a group mixes
  sizes, that is an easy rival.
- **regret**: share of the best measured throughput lost by taking the configuration that we would pick.
- Rows that the engine will not answer are counted and their reasons named; they are not in the errors.
"""
# What the last change of the physics did to the first scenario, step by step.
HEADLINE = """## What moved the headline

Value of `examples/one-gigawatt.yaml` to the system, when its site came to be worked out by the hour, and its bands to
hold what the catalog says of its own facts:

| step | system NPV [B USD] |
|---|---|
| before: cooling on a line over monthly means, energy at the design day's PUE of 1.15 | 20.589 [6.311 to 38.13] |
| weather by the hour, cooling and conversion from physics: 1.23 in the hour that sizes the site | 20.213 |
| energy paid for the mean of a year's hours, at 1.11 | 20.349 [6.189 to 37.75] |
| ranges of the catalog's facts drawn too, rows of a Sobol' sequence | 20.349 [2.63 to 36.3] |

The hall takes more in its hottest hours, when chillers trim, so that a megawatt carries fewer racks and the plan runs more of
them at lower clocks; energy is paid for the mean hour, no longer for the worst. A megawatt more falls from 959 to 898
thousand USD a year. The ranges of facts lean to the dear side (the vendor's production cost is 25 % of the price, in a range of
22 to 47 %; so do upkeep and property tax), so that the median of the draws, 17.2, lies below the plan as it stands.

The hall is one for all racks, 85 % of their heat in liquid. Boxes cooled by air alone, as the catalog has the B200 of this
plan, would have a design-hour PUE of 1.40 there, and 12 % fewer of them would fit the megawatt. The run says so.
"""
# What a near-zero error of a kind does not mean.
NOTES = {
    "kernels": "Rows of the tables that the kernels were fitted to, drawn by time, never by error; what to expect of shapes, "
    "chips and generations that a fit never saw stands in the calibration records above.",
    "flops": "Counts of a stated architecture under a stated rule, checked against another library's counter: "
    "arithmetic, no forecast.",
    "economics": "Most rows are arithmetic on stated inputs: an error near zero says that a published figure is "
    "reproduced under the reading given, not that it was foreseen.",
}


@dataclass(frozen=True, slots=True)
class Fit:
    """A calibration's own account: what it was fitted to, and its errors by name (nested mappings, numbers or text)."""

    id: str
    fitted_to: str
    errors: Mapping[str, Any]


def accuracy_page(
    scored: Mapping[str, Scored],
    anchors: Table | None = None,
    fits: Sequence[Fit] = (),
    more: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The page's text.

    Args:
        scored: kind -> the object that `validate` prints (keys summary, groups, skipped).
        fits: the calibrations' own accounts of their errors, in and outside the fit.
        anchors: published single figures beside ours, shown as they are (any columns).
        more: further paragraphs and tables by kind, shown below its groups.
    """
    parts = [INTRODUCTION, HEADLINE]
    if scored:
        parts += ["## All kinds", _overview(scored)]
    told = _fits(fits)
    if told:
        parts += [
            "## Outside the fit",
            "As the calibration records state it.",
            told,
        ]
    if anchors is not None and len(anchors):
        parts += [
            "## Published anchors",
            markdown.sentence(anchors.note) if anchors.note else "",
            markdown.of_grid(grid(anchors)),
        ]
    for kind, one in scored.items():
        classes = _economics(one.get("groups", ())) if kind == "economics" else []
        # errors of classes that prove different things have no common mean
        said = [] if classes else [verdict(one["summary"])]
        parts += [f"## {TITLES.get(kind, kind)}", f"`gigawatt validate {kind}`", *said, NOTES.get(kind, ""), *classes]
        groups = _groups([g for g in one.get("groups", ()) if not _class_of(g)])
        if groups:
            parts += ["By group:", groups]
        parts += (more or {}).get(kind, ())
        reasons = _reasons(one.get("skipped", ()))
        if reasons:
            parts += ["Not answered:", reasons]
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _class_of(group: Scored) -> str:
    """'history' of the group 'class: history'; '' of any other group."""
    name = str(group.get("group", ""))
    return name.removeprefix(CLASS) if name.startswith(CLASS) else ""


def _economics(groups: Sequence[Scored]) -> list[str]:
    """One row a class, since agreement proves another thing in each; and the models that history refuted."""
    found = {_class_of(group): group for group in groups if _class_of(group)}
    if not found:
        return []
    rows = []
    for name in (*PROVES, *(name for name in found if name not in PROVES)):
        if name == "replay":
            rows.append([name, f"({number(len(replays()))} shown)", "not scored", "", PROVES[name]])
        elif name in found:
            one = found[name]
            stated = one.get("with_tolerance")
            within = f"{number(one.get('within_tolerance', 0))} of {number(stated)}" if stated else ""
            rows.append([name, number(one["predicted"]), within, percent(one.get("median_ape")), PROVES.get(name, "")])
    headers = ["class", "rows", "within tolerance", "median error", "what agreement proves"]
    parts = [
        "Scored by class. Rows of wiring prove only wiring: arithmetic on published inputs. A replay proves nothing, since "
        "its inputs were solved from the answer, and is not scored. What is history stands alone as a test of foresight.",
        markdown.table(headers, rows, [False, True, True, True, False]),
    ]
    failed = [
        [str(row["back-test"]), str(row["model"]), percent(row["error"])] for row in failures_table().rows()
    ]  # fmt: skip
    if failed:
        parts += [
            "Models that history refuted. The engine reproduces each failure, and such a row within its tolerance says that "
            "the failure is the right one, not that the model is any good:",
            markdown.table(["back-test", "model", "forecast over what came, less one"], failed, [False, False, True]),
        ]
    return parts


COUNTS = ("rows", "kernels", "passes")  # of a record's errors: numbers, not shares


def _fits(fits: Sequence[Fit]) -> str:
    rows = [[fit.id, fit.fitted_to, "; ".join(_errors(fit.errors))] for fit in fits if set(fit.errors) - {"note"}]
    return markdown.table(["calibration", "fitted to", "errors"], rows) if rows else ""


def _errors(errors: Mapping[str, Any], above: str = "") -> list[str]:
    """'source left out, median 6.1 %' for each number, whatever the nesting; counts of rows and text stay as they are."""
    said = []
    for name, value in errors.items():
        words = f"{above}, {name}" if above else str(name)
        shown = words.replace("_percent", "").replace("_", " ")
        if isinstance(value, Mapping):
            said += _errors(value, words)
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            said.append(f"{shown} {value}")
        elif isinstance(value, int) and (name in COUNTS or value > 1):
            said.append(f"{shown} {number(value)}")
        else:
            said.append(f"{shown} {percent(value / 100 if str(name).endswith('percent') else value)}")
    return said


def percent(value: Any) -> str:
    """A share in per cent with one decimal below 100; '' for nothing.

    >>> percent(0.1234), percent(None), percent(12.5)
    ('12.3 %', '', '1,250 %')
    """
    if value is None:
        return ""
    return f"{number(100 * float(value))} %" if abs(value) >= 1 else f"{100 * float(value):.1f} %"


def _measures(rows: Sequence[Scored]) -> list[tuple[str, str, bool]]:
    """The measures that at least one row has."""
    return [m for m in MEASURES if any(row.get(m[0]) is not None for row in rows)]


def _cells(row: Scored, measures: Sequence[tuple[str, str, bool]]) -> list[str]:
    return [percent(row.get(key)) if share else number(row.get(key)) for key, _, share in measures]


def _overview(scored: Mapping[str, Scored]) -> str:
    summaries = [one["summary"] for one in scored.values()]
    measures = _measures(summaries)
    rows = [[TITLES.get(kind, kind), *_cells(one["summary"], measures)] for kind, one in scored.items()]
    return markdown.table(["kind", *(m[1] for m in measures)], rows, [False, *([True] * len(measures))])


def verdict(summary: Scored) -> str:
    """One sentence on a kind: median error, band, and whether it beats the null model."""
    if summary.get("median_ape") is None:
        return f"{number(summary.get('rows', 0))} rows, none with a measured value to compare."
    text = f"Half of {number(summary['predicted'])} predictions are within {percent(summary['median_ape'])}"
    if summary.get("p90_ape") is not None:
        text += f", nine in ten within {percent(summary['p90_ape'])}"
    text += "."
    if summary.get("coverage80") is not None:
        text += f" The 80 % band holds {percent(summary['coverage80'])} of them."
    mean, null = summary.get("mape"), summary.get("null_mape")
    if mean is not None and null is not None:
        better = "better" if mean < null else "worse"
        text += f" The mean error of {percent(mean)} is {better} than the null model's {percent(null)}."
    if summary.get("regret_median") is not None:
        text += (
            f" Who takes our pick loses {percent(summary['regret_median'])} (median) of the best measured throughput."
        )
    return text


def _groups(groups: Sequence[Scored]) -> str:
    """The groups that are large enough, largest first."""
    large = [g for g in groups if (g.get("predicted") or 0) >= SMALLEST_GROUP and g.get("median_ape") is not None]
    large.sort(key=lambda g: (-g["predicted"], str(g["group"])))
    measures = [m for m in _measures(large) if m[0] != "rows"]
    rows = [[str(g["group"]), *_cells(g, measures)] for g in large]
    return (
        markdown.table(["group", *(m[1] for m in measures)], rows, [False, *([True] * len(measures))]) if rows else ""
    )


def _reasons(skipped: Sequence[Scored]) -> str:
    counts: dict[str, int] = {}
    for row in skipped:
        reason = str(row.get("reason") or "no reason given")
        counts[reason] = counts.get(reason, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"- {number(count)}: {markdown.safe(reason)}" for reason, count in ordered[:MOST_REASONS]]
    if len(ordered) > MOST_REASONS:
        lines.append(f"- {number(sum(c for _, c in ordered[MOST_REASONS:]))}: other reasons")
    return "\n".join(lines)

"""A company's quarters as they were known, the next one by a rule with its band, the same rule over the past beside plain
baselines, and the line that broke."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gigawatt.catalog.quarters import REPORT_DAYS, Quarters, quarters
from gigawatt.core.errors import InputError, Problem
from gigawatt.core.table import Table
from gigawatt.economics.market.bands import BackTest, backtest, band
from gigawatt.economics.market.rules import BASELINES, DEFAULT_RULE, History, forecaster, in_words
from gigawatt.economics.market.trends import supply_rejected
from gigawatt.study.door import Id, Share, Strict
from gigawatt.study.market.explained import series_leaves
from gigawatt.study.market.past import Compare, Line, Past, Regime, Series, index_of, next_quarter
from gigawatt.study.market.section import AsOf, Context, Section, SectionResult, metric

Array = NDArray[np.float64]
BILLION = 1e9
# Windows whose bands are printed beside the one asked for: the window is the assumption on the regime.
WINDOWS = (8, 10, 12, 18)


class SeriesSection(Strict):
    """`quarter` is the one to forecast (default: the next), from what was known before it; `backtest_quarters` how many
    past ones the rules are held against; a miss of more than `guide_range` with a margin down by more than `margin_drop`
    rejects supply as the limit."""

    company: Id = "nvidia"
    series: Series = "revenue"
    quarter: str | None = None
    rule: str = DEFAULT_RULE
    window: Annotated[int, Field(ge=4, le=60)] = 10
    coverage: Annotated[Share, Field(ge=0.5, lt=1)] = 0.8
    backtest_quarters: Annotated[int, Field(ge=1, le=60)] = 10
    guide_range: Share = 0.02
    margin_quarters: Annotated[int, Field(ge=1, le=12)] = 5
    margin_drop: Share = 0.10
    line: Line | None = None
    regimes: tuple[Regime, ...] = ()
    compare: tuple[Compare, ...] = ()


def run(section: SeriesSection, seed: int, samples: int, as_of: AsOf, context: Context) -> SectionResult:
    """Answer the section.

    Raises:
        InputError: a company, quarter, series or rule that is not known (as of the date).
    """
    where = context.where
    try:
        table = quarters(section.company).known(as_of)
    except InputError as error:
        raise _placed(error, where(("company",))) from None
    if table.last_reported < 1:
        raise InputError(
            Problem("nothing_known", f"no quarter of {section.company} was reported by {as_of}", where(()))
        )
    return _Answer(section, table, context).result()


def _placed(error: InputError, where: Any) -> InputError:
    return InputError(Problem(p.code, p.message, p.where or where, p.hints) for p in error.problems)


class _Answer:
    """One section over one table."""

    def __init__(self, section: SeriesSection, table: Quarters, context: Context) -> None:
        self.section, self.table, self.context = section, table, context
        self.names = list(table.names)
        if table.last_reported == len(table) - 1:
            self.names.append(next_quarter(self.names[-1]))
        self.at = self._target()
        extra = len(self.names) - len(table)
        self.history = History(*(np.append(table.column(s), np.full(extra, np.nan)) for s in self._columns()))
        try:
            self.rule = forecaster(section.rule)
        except InputError as error:
            raise _placed(error, context.where(("rule",))) from None

    def _columns(self) -> tuple[str, str, str]:
        return self.section.series, "revenue", "guide"

    def _target(self) -> int:
        after = self.table.last_reported + 1
        if self.section.quarter is None:
            return after
        return index_of(self.section.quarter, self.names, self.context.where(("quarter",)))

    def result(self) -> SectionResult:
        section, name = self.section, self.names[self.at]
        known = self.history.before(self.at)
        made = band(self.rule, known, self.at, section.window, section.coverage)
        if not math.isfinite(made.value):
            message = f"'{section.rule}' can not forecast {name}: it needs more quarters, or a guide, than were known"
            raise InputError(Problem("too_little_known", message, self.context.where(("rule",))))
        actual = float(self.history.values[self.at])
        tested = self._test(section.rule)
        past = Past(section, self.table, self.names, context=self.context)
        line, line_rows = past.line()
        tables = [self._quarters(made.value, made.low, made.high), self._forecasts(known), self._windows(known)]
        tables += [self._backtest(line_rows)]
        growth, growth_words = past.growth()
        compared, compare_words, compare_metrics = past.compared()
        tables += [one for one in (growth, compared) if one is not None]
        baseline = forecaster("last_value")(known, self.at)
        facts = {
            "forecast": {
                "value": made.value, "low": made.low, "high": made.high, "baseline": baseline, "baseline_rule": "last_value",
                "quarter": name, "unit": "USD", "status": "pending" if math.isnan(actual) else actual,
                "series": section.series, "rule": section.rule, "window": section.window, "coverage": section.coverage,
                "past_errors": made.errors,
                "hits": tested.hits if tested else None, "trials": tested.trials if tested else None,
            }
        }  # fmt: skip
        unit = "band from the errors of the same rule"
        metrics = [
            metric("next_quarter", made.value, "USD", f"{section.series} of {name}: {in_words(section.rule)}",
                   f"{section.company} quarters to {self.names[self.at - 1]}; {unit} over {made.errors} quarters",
                   (made.low, made.value, made.high)),
            metric("baseline_next_quarter", baseline, "USD", "the quarter before, repeated", section.company),
        ]  # fmt: skip
        if tested:
            metrics += [
                metric("rule_mape", tested.mape, "share", f"mean |error| / actual over {len(tested.quarters)} quarters",
                       section.rule),
                metric("band_hits", tested.hits, "", f"bands that held, of {tested.trials}", section.rule),
            ]  # fmt: skip
        metrics += compare_metrics
        if line is not None and math.isfinite(line.break_errors):
            metrics.append(
                metric("line_break", line.break_errors, "standard errors",
                       "|first quarter after the fit - line| / standard error of a new observation", "line")
            )  # fmt: skip
        sentences = [self._headline(made, actual, tested), *past.line_words(line), *growth_words, *compare_words]
        sold = self.table.data_centre_usd[self.table.last_reported]
        columns = {"reported_data_centre_usd": np.array([sold])}
        leaves = series_leaves(self.table, section.series, self.at)
        return SectionResult(tables, metrics, sentences, columns, _LEFT_OUT, self._notes(), facts, leaves=leaves)

    # -- words ---------------------------------------------------------------------------------------------------------

    def _headline(self, made: Any, actual: float, tested: BackTest | None) -> str:
        section, name = self.section, self.names[self.at]
        spread = "no band for want of past errors"
        if made.errors:
            ends = f"{made.low / BILLION:,.4g} to {made.high / BILLION:,.4g}"
            spread = f"{100 * section.coverage:.0f} % band {ends} from {made.errors} past errors"
        came = "the result is pending"
        if math.isfinite(actual):
            came = f"it came in at {actual / BILLION:,.4g} B: the forecast was {100 * (made.value / actual - 1):+.1f} % off"
            if made.errors:
                came += f" and the band {'held' if made.low <= actual <= made.high else 'did not hold'}"
        record = (
            f"; over the {len(tested.quarters)} quarters before, the rule missed by {100 * tested.mape:.2g} % on average and "
            f"{tested.hits} of {tested.trials} such bands held"
            if tested and tested.trials
            else ""
        )
        words = section.series.replace("_", " ")
        return (
            f"{section.company.upper()} {name} {words}: {made.value / BILLION:,.4g} B USD by {in_words(section.rule)}, "
            f"{spread}{record}; {came}."
        )

    def _notes(self) -> list[str]:
        table = self.table
        last = table.last_reported
        out = [
            f"Quarters of {self.section.company} to {table.names[last]}, known since {table.reported[last]}"
            + (f" (day assumed: {REPORT_DAYS} days after its end)." if table.reported_assumed[last] else "."),
            "The window of past errors is the assumption on the regime: a wider one takes in older and larger errors.",
        ]
        if np.any(np.isfinite(table.supply_commitments_usd)):
            out.append(
                "Cover is supply commitments over the next quarter's revenue (its guide until reported); what counts as a "
                "commitment changes over time."
            )
        return out

    # -- tables --------------------------------------------------------------------------------------------------------

    def _quarters(self, value: float, low: float, high: float) -> Table:
        table, section = self.table, self.section
        rows: list[dict[str, Any]] = []
        for q in range(table.last_reported + 1):
            first = max(0, q - section.margin_quarters)
            rejected = supply_rejected(
                table.revenue_usd[q], table.guide_usd[q], table.gross_margin_share[q],
                table.gross_margin_share[first:q], section.guide_range, section.margin_drop,
            )  # fmt: skip
            rows.append(
                {
                    "quarter": table.names[q], "status": "reported", "period_end": table.ends[q].isoformat(),
                    "revenue_usd": table.revenue_usd[q], "guide_usd": table.guide_usd[q],
                    "data_centre_usd": table.data_centre_usd[q], "networking_usd": table.networking_usd[q],
                    "data_centre_growth_share": _over(table.data_centre_usd, q, 4),
                    "gross_margin_share": table.gross_margin_share[q],
                    "supply_commitments_usd": table.supply_commitments_usd[q], "cover_ratio": self._cover(q),
                    "binding_side": "demand" if rejected else "supply not rejected",
                    "kind": table.kinds[q], "source": table.sources[q],
                }
            )  # fmt: skip
        column = {"revenue": "revenue_usd", "data_centre": "data_centre_usd", "networking": "networking_usd"}
        rows.append(
            {
                "quarter": self.names[self.at], "status": "forecast", column[section.series]: value, "low_usd": low,
                "high_usd": high, "guide_usd": self.history.guide[self.at], "kind": "estimated",
                "source": f"{in_words(section.rule)}, from what was known before",
            }
        )  # fmt: skip
        columns = list(dict.fromkeys(key for row in rows for key in row))
        return Table.from_rows("quarters", rows, columns, QUARTER_UNITS, "Quarters")

    def _cover(self, q: int) -> float:
        after = self.history.total[q + 1] if q + 1 < len(self.history) else np.nan
        if not math.isfinite(after):
            after = self.history.guide[q + 1] if q + 1 < len(self.history) else np.nan
        return float(self.table.supply_commitments_usd[q] / after)

    def _forecasts(self, known: History) -> Table:
        section, rows = self.section, []
        for name in dict.fromkeys((section.rule, DEFAULT_RULE, "guide_ratio4", *BASELINES)):
            made = band(forecaster(name), known, self.at, section.window, section.coverage)
            if not math.isfinite(made.value):
                continue
            actual = float(self.history.values[self.at])
            rows.append(
                {
                    "rule": name, "words": in_words(name), "quarter": self.names[self.at], "value_usd": made.value,
                    "low_usd": made.low, "high_usd": made.high, "past_errors": made.errors, "is_default": name == section.rule,
                    "actual_usd": actual, "error_share": made.value / actual - 1,
                    "held": None if math.isnan(actual) else made.low <= actual <= made.high,
                }
            )  # fmt: skip
        units = {"value_usd": "USD", "low_usd": "USD", "high_usd": "USD", "actual_usd": "USD", "error_share": "share"}
        note = f"Bands of {100 * section.coverage:.0f} % by split-conformal on the last {section.window} errors of each rule."
        return Table.from_rows("forecast_rows", rows, list(rows[0]), units, "The next quarter by every rule", note)

    def _windows(self, known: History) -> Table:
        section, rows = self.section, []
        for window in sorted({*WINDOWS, section.window}):
            made = band(self.rule, known, self.at, window, section.coverage)
            rows.append(
                {"window": window, "past_errors": made.errors, "half_width_usd": made.half, "low_usd": made.low,
                 "high_usd": made.high, "enough": made.enough, "is_default": window == section.window}
            )  # fmt: skip
        units = {"half_width_usd": "USD", "low_usd": "USD", "high_usd": "USD"}
        return Table.from_rows("windows", rows, list(rows[0]), units, "The band by the window of past errors")

    def _test(self, name: str, count: int | None = None) -> BackTest | None:
        section = self.section
        last = min(self.at, self.table.last_reported + 1) - 1
        first = max(1, last + 1 - (section.backtest_quarters if count is None else count))
        return backtest(forecaster(name), self.history, first, last, section.window, section.coverage)

    def _backtest(self, failures: list[dict[str, Any]]) -> Table:
        section, rows = self.section, []
        naive = self._test("last_value")
        for name in dict.fromkeys((section.rule, DEFAULT_RULE, "guide_ratio4", *BASELINES)):
            made = self._test(name)
            if made is not None:
                rows.append(self._tested(name, name, made, naive))
        whole = self._test(section.rule, len(self.history))
        if whole is not None and len(whole.quarters) > section.backtest_quarters:
            rows.append(self._tested(section.rule, f"{section.rule}, all quarters", whole, None))
        columns = ["rule", "words", "first_quarter", "last_quarter", "quarters", "mape_share", "median_ape_share",
                   "bias_share", "hits", "trials", "median_width_share", "naive_width_share", "is_default", "forecast_usd",
                   "actual_usd", "error_share", "break_standard_errors", "words_of_failure"]  # fmt: skip
        units = {name: "share" for name in columns if name.endswith("_share")}
        units |= {"forecast_usd": "USD", "actual_usd": "USD"}
        note = (
            f"Each forecast from what was known before its quarter. Hits of {100 * section.coverage:.0f} % bands: with ten "
            "trials a true 80 % band holds 6 to 10 times nine times in ten. Naive: the band of the last value."
        )
        return Table.from_rows("backtest", [*rows, *failures], columns, units, "The rules over past quarters", note)

    def _tested(self, rule: str, label: str, made: BackTest, naive: BackTest | None) -> dict[str, Any]:
        return {
            "rule": label, "words": in_words(rule), "first_quarter": self.names[made.quarters[0]],
            "last_quarter": self.names[made.quarters[-1]], "quarters": len(made.quarters), "mape_share": made.mape,
            "median_ape_share": made.median_ape, "bias_share": made.bias, "hits": made.hits, "trials": made.trials,
            "median_width_share": made.median_width, "naive_width_share": naive.median_width if naive else None,
            "is_default": label == self.section.rule,
        }  # fmt: skip


def _over(values: Array, at: int, quarters: int) -> float:
    """Growth over the same quarter some quarters before; NaN where that is not known."""
    return float(values[at] / values[at - quarters] - 1) if at >= quarters else float("nan")


QUARTER_UNITS = {
    "revenue_usd": "USD", "low_usd": "USD", "high_usd": "USD", "guide_usd": "USD", "data_centre_usd": "USD",
    "networking_usd": "USD", "data_centre_growth_share": "share", "gross_margin_share": "share",
    "supply_commitments_usd": "USD", "cover_ratio": "quarters", "supply_gw": "GW", "demand_gw": "GW",
    "backlog_gw": "GW", "shipped_gw": "GW", "price_usd_per_gw": "USD/GW", "worth_usd": "USD",
}  # fmt: skip
_LEFT_OUT = [
    "News after the last guide, one-off charges and lost markets: a rule of guide and past beats knows none of them.",
]
SECTION = Section(SeriesSection, run, context=True)

"""An answer: its headline, its numbers with their bands, tables, charts, and where every number comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.api.errors import no_such
from gigawatt.api.explanation import Explanation, explanation_of
from gigawatt.api.metric import Metric, Metrics, metrics_of
from gigawatt.api.tables import Table, shown_as
from gigawatt.core.errors import InputError, Problem
from gigawatt.study.result import RunResult

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from gigawatt.api.scenario import Scenario
    from gigawatt.report.sections import Section

CARDS = 8  # headline numbers that a notebook shows
MAIN = {"risk": "sensitivity"}  # where it is not the first of the report
ROWS = 12  # rows of the main table that it shows


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """What a question came to. Shown in a notebook it is its headline, its key numbers with their bands, and its main table."""

    _run: RunResult
    _scenario: Scenario | None = None
    _folder: Path | None = None  # where it lies, if anywhere
    _kept: object = None  # what deletes a folder of nobody's when the last result that needs it is gone

    @property
    def name(self) -> str:
        """Of the run."""
        return self._run.name

    @property
    def title(self) -> str:
        """Of the run, as people say it."""
        return self._run.title or self._run.name

    @property
    def headline(self) -> str:
        """The answer in a sentence."""
        return self._run.headline

    @property
    def texts(self) -> dict[str, list[str]]:
        """Sentences by kind: 'answer', 'notes', 'left_out', 'weakest', 'next', ..."""
        return {name: list(lines) for name, lines in self._run.texts.items() if lines}

    @property
    def scenario(self) -> Scenario:
        """What was asked.

        Raises:
            InputError: a run of another version, whose scenario this one does not read.
        """
        if self._scenario is not None:
            return self._scenario
        from gigawatt.api.scenario import of_source
        from gigawatt.study.source import Source

        data = self._run.manifest.get("scenario")
        if not isinstance(data, Mapping):
            raise InputError(Problem("no_scenario", f"'{self.name}' does not say what was asked"))
        return of_source(Source(str(self._run.manifest.get("scenario_file") or self.name), dict(data)))

    @property
    def _verb(self) -> str:
        """Who answered."""
        from gigawatt.study.folders import verb_asked

        return verb_asked(dict(self._run.manifest))

    @cached_property
    def metrics(self) -> Metrics:
        """Headline numbers by name, each with value, unit, low, high and formula.

        >>> import gigawatt as gw
        >>> npv = gw.run("one-rack").metrics["system_npv"]
        >>> npv.unit, npv.low < npv < npv.high
        ('USD', True)
        """
        return metrics_of(self._run.metrics)

    @cached_property
    def tables(self) -> dict[str, Table]:
        """Every table that has rows, by name, in the order of the report.

        >>> import gigawatt as gw
        >>> list(gw.run("one-rack").tables)[:3]
        ['plan', 'limits', 'performance']
        """
        sections = {one.table: one for one in _sections(self._run)}
        own = {"metrics": self._run.metrics, **self._run.tables}
        names = [*(name for name in sections if name in own), *(name for name in own if name not in sections)]
        return {name: _table(self._run, name, sections.get(name)) for name in names if len(own[name])}

    def table(self, name: str | None = None) -> Table:
        """One table; the main one where none is named.

        Raises:
            InputError: there is none of that name; the nearest is told.

        >>> import gigawatt as gw
        >>> gw.run("one-rack").table().name
        'plan'
        """
        if name is None:
            main = MAIN.get(str(self._run.manifest.get("question")), "")
            others = [table for table in self.tables.values() if table.name != "metrics"]
            return self.tables.get(main) or (others[0] if others else self.tables["metrics"])
        if name not in self.tables:
            raise no_such("table", name, self.tables)
        return self.tables[name]

    @cached_property
    def plots(self) -> list[str]:
        """Names of the charts that this result has.

        >>> import gigawatt as gw
        >>> gw.run("one-rack").plots[:2]
        ['plan', 'limits']
        """
        from gigawatt.report.money_charts import BY_QUESTION, chart_of, question_of

        known = BY_QUESTION[question_of(self._run)]
        first = [name for name in self.tables if name in known]
        return [name for name in dict.fromkeys((*first, *known)) if chart_of(self._run, name) is not None]

    def plot(self, name: str | None = None) -> go.Figure:
        """One chart as a Plotly figure; the first of `plots` where none is named.

        Raises:
            InputError: there is none of that name.

        >>> import gigawatt as gw
        >>> len(gw.run("one-rack").plot("limits").data)
        1
        """
        from gigawatt.report.charts import figure
        from gigawatt.report.money_charts import chart_of

        chosen = name if name is not None else next(iter(self.plots), "")
        chart = chart_of(self._run, chosen) if chosen else None
        if chart is None:
            raise no_such("plot", chosen, self.plots)
        return figure({**chart, "layout": {**chart["layout"], "title": None}})

    def explain(self, metric: str) -> Explanation:
        """Where a headline number comes from: formulas, choices, calibrations and facts with their sources.

        Raises:
            InputError: there is no such metric, or nothing is kept of it.

        >>> import gigawatt as gw
        >>> tree = gw.run("one-rack").explain("capex")
        >>> tree.kind, tree.unit
        ('formula', 'USD')
        """
        from gigawatt.study.explained.asked import explained
        from gigawatt.study.explained.derived import derived_trees

        manifest = dict(self._run.manifest)
        if not manifest.get("explain"):  # of a sweep, a risk, a comparison the tables say it
            manifest["explain"] = derived_trees(manifest, self._run.metrics, dict(self._run.tables))
        return explanation_of(explained(manifest, metric, f"the result {self.name!r}"))

    def save(self, folder: Path | str) -> Path:
        """Write the run folder: Parquet tables, manifest, workbook and page; an older run there is replaced as a whole.

        Raises:
            InputError: something else than a run is there, or it can not be written.
        """
        from gigawatt.report.files import write_run

        return write_run(self._run, Path(folder))

    def report(self, file: Path | str) -> Path:
        """Write the page alone: one HTML file that needs no network.

        Raises:
            InputError: it can not be written.
        """
        from gigawatt.report.html import page

        path = Path(file)
        try:
            path.write_text(page(self._run), encoding="utf-8", newline="\n")
        except OSError as error:
            raise InputError(Problem("not_writable", f"can not write '{path}': {error.strerror or error}")) from None
        return path

    def as_json(self) -> dict[str, Any]:
        """What the verb prints with `--json`: tables by name, metrics, texts."""
        return self._run.as_json()

    def __repr__(self) -> str:
        return (
            f"<Result {self.name!r}: {len(self.metrics)} metrics, {len(self.tables)} tables, {len(self.plots)} plots>"
        )

    def __str__(self) -> str:
        return f"{self.headline}\n\n{self.metrics}"

    def _repr_html_(self) -> str:
        from gigawatt.core.markup import framed

        main = self.table()
        metrics = "".join(map(_card, list(self.metrics.values())[:CARDS]))
        names = f"tables: {', '.join(self.tables)}" + (f"; plots: {', '.join(self.plots)}" if self.plots else "")
        return framed(
            f'<div style="font-size:1.25em;font-weight:600;margin:2px 0 4px">{escape(self.title)}</div>'
            f'<div style="max-width:62em">{escape(self.headline)}</div>'
            '<div style="display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:10px;margin:12px 0">'
            f"{metrics}</div>{main._html(ROWS)}"
            f'<details><summary class="dim">{len(self.tables)} tables, {len(self.plots)} plots</summary>'
            f'<div class="dim">{escape(names)}</div></details>'
        )


def _sections(run: RunResult) -> list[Section]:
    from gigawatt.report.money_sections import present

    return present(run)


def _table(run: RunResult, name: str, one: Section | None) -> Table:
    """A table as the report shows it: with the columns and labels of its part."""
    made = run.metrics if name == "metrics" else run.tables[name]
    return shown_as(made, one.columns if one else None, one.labels if one else None)


def _card(one: Metric) -> str:
    """A headline number with its band drawn in the page's own ink."""
    from gigawatt.report.grid import words_of
    from gigawatt.report.numbers import quantity, span

    amount, _, unit = quantity(float(one), one.unit).partition(" ")
    band = drawing = ""
    if one.low is not None and one.high is not None:
        low, high = min(one.low, float(one)), max(one.high, float(one))
        if high > low:
            left, right, at = (100 * (x - low) / (high - low) for x in (one.low, one.high, float(one)))
            drawing = (
                '<svg viewBox="0 0 104 8" width="100%" height="8" preserveAspectRatio="none" aria-hidden="true">'
                f'<rect x="{2 + left:.1f}" y="3" width="{right - left:.1f}" height="2" fill="currentColor" opacity=".35"/>'
                f'<rect x="{1 + at:.1f}" y="0" width="2" height="8" fill="currentColor"/></svg>'
            )
        band = f'<div class="dim">{escape(span(one.low, one.high, one.unit))}</div>'
    return (
        '<div style="border:1px solid rgba(128,128,128,.35);border-radius:8px;padding:8px 11px">'
        f'<div class="dim">{escape(words_of(one.name))}</div>'
        f'<div style="font-size:1.35em;font-weight:600">{escape(amount)} <small style="font-weight:400">{escape(unit)}</small>'
        f"</div>{drawing}{band}</div>"
    )

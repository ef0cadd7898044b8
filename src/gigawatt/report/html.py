"""One self-contained page of a run: every script and style is inside, nothing is fetched, and it prints.

A content-security policy in the page forbids the network altogether, so "works offline" is a fact and not a promise.
The chart library is Plotly's own file from its wheel, embedded once (about 4.8 MB).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

from gigawatt.core.table import Table, plain
from gigawatt.report import explain_page, money_sections, sections
from gigawatt.report.explain_page import explained_section
from gigawatt.report.grid import NOISE, Grid, counted, grid, words_of
from gigawatt.report.money_charts import chart_of, question_of
from gigawatt.report.money_sentences import WEAK_GRADES, claim_of, says
from gigawatt.report.numbers import canonical, number, quantity, scaled
from gigawatt.report.sentences import moats
from gigawatt.report.theme import Figure
from gigawatt.study.result import RunResult

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
MOST_CARDS = 12
# What the footer does not repeat: volatile timings and the trees that `explain` reads.
MOST_ROWS = 400  # of a table that no section shows: the ledger has thousands
FOLDED_FROM = 30  # rows of such a table, from which it is behind a click
SHORT = 10  # characters up to which a cell is never broken: a day, a name
SENTENCE = 40  # characters from which a cell is read as a sentence
NOT_IN_FOOTER = (
    "explain",
    "explain_parts",
    "explain_files",
    "scenario",
    "wall_s",
    "best",
    "search_s",
    "simulate_s",
    "tables",
    "texts",
    "headline",
    "title",
    "name",
    "format",
    "files",
    "parts",
    "claim",
    "description",
    "forecast",
    "at_medians",
)


def page(result: RunResult) -> str:
    """The whole page as text."""
    shown = money_sections.present(result)
    drawn = [name for one in shown for name in (one.table, *one.charts)]
    charts = {name: chart for name in drawn if (chart := chart_of(result, name)) is not None}
    known = sections.known_tables(money_sections.sections_of(result))
    other = [t for name, t in result.tables.items() if name not in known and name not in sections.UNSHOWN and len(t)]
    top = [_header(result), _claim(result)]
    body = "\n".join(
        [*top, *_parts(result, shown, charts), *map(_further, other), explained_section(result), _footer(result)]
    )
    return Template(_own("page.html")).substitute(
        policy=POLICY,
        title=escape(result.title or result.name),
        style=_own("style.css"),
        contents=_contents(result, shown, other),
        body=body,
        charts=_json_in_script(charts),
        plotly=plotly_js(),
    )


@lru_cache(maxsize=1)
def plotly_js() -> str:
    """Plotly's minified JavaScript, as its wheel ships it; found without importing the package."""
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("plotly is not installed")
    source = Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js"
    return source.read_text(encoding="utf-8").replace("</script", "<\\/script")


def _own(name: str) -> str:
    return files("gigawatt.report").joinpath(name).read_text(encoding="utf-8")


def _json_in_script(value: Any) -> str:
    """JSON that can stand inside a script element: no '<', whatever a user called a company."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=plain)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _contents(result: RunResult, shown: Sequence[sections.Section], other: Sequence[Table]) -> str:
    claim = [("claim", "The claim")] if claim_of(result) else []
    entries = [("top", "Summary"), *claim, *((one.table, one.title) for one in shown)]
    if result.texts.get("left_out"):
        entries.append(("left-out", "What was left out"))
    if result.texts.get("notes"):
        entries.append(("notes", "Notes"))
    entries += [(f"table-{table.name}", table.title or words_of(table.name)) for table in other]
    entries += [(explain_page.ANCHOR, explain_page.TITLE)] if result.manifest.get("explain") else []
    items = "".join(f'<li><a href="#{escape(key)}">{escape(title)}</a></li>' for key, title in entries)
    return f'<nav aria-label="Contents"><p>Gigawatt</p><ol>{items}</ol></nav>'


def _header(result: RunResult) -> str:
    # A comparison has two values a number: its table shows both.
    shown = [] if question_of(result) == "compare" else list(result.metrics.rows())[:MOST_CARDS]
    cards = "".join(map(_card, shown))
    return (
        f'<header id="top"><h1>{escape(result.title or result.name)}</h1>'
        f'<p class="headline">{escape(result.headline)}</p>{_answer(result)}<div class="cards">{cards}</div></header>'
    )


def _answer(result: RunResult) -> str:
    """What the run says beyond its headline, a line each."""
    if question_of(result) == "moats":  # a line a regime: its table says the same
        return ""
    more = [line for line in result.texts.get("answer", []) if line.strip() and line not in result.headline]
    return "".join(f'<p class="answer">{escape(line)}</p>' for line in more)


def _claim(result: RunResult) -> str:
    """The essay's claim in a box: what it says, what is computed of it, what came, what would refute it."""
    claim = claim_of(result)
    if claim is None:
        return ""
    said = [
        (f"The essay says{f' (claim {claim.number})' if claim.number else ''}", (claim.says,)),
        ("The engine computes", claim.computes),
        ("Since then", claim.since),
        ("Would be refuted by", (claim.refuted_by,)),
        ("Sources", claim.sources),
    ]
    rows = "".join(
        f"<dt>{escape(words)}</dt><dd>{''.join(f'<p>{escape(line)}</p>' for line in lines if line)}</dd>"
        for words, lines in said
        if any(lines)
    )
    return f'<section id="claim" class="claim"><h2>The claim</h2><dl>{rows}</dl></section>'


def _card(row: dict[str, Any]) -> str:
    """One headline number with its P10, P50, P90 and a small drawing of where the value lies between them."""
    unit = canonical(row.get("unit") or "")
    row = counted(row)
    value = quantity(row.get("value"), unit)
    amount, _, of = value.partition(" ")
    low, high, middle = row.get("low"), row.get("high"), row.get("p50")
    band = drawing = ""
    if low is not None and high is not None:
        factor, _ = scaled(unit, float(row["value"]) if row.get("value") else float(high))
        ends = (("P10", low), ("P50", middle), ("P90", high))
        marks = "".join(
            f"<span><i>{p}</i>{number(x if factor == 1.0 else float(x) * factor)}</span>"
            for p, x in ends
            if x is not None
        )
        band = f'<div class="band">{marks}</div>'
        drawing = _band_drawing(float(low), float(high), row.get("value"), middle)
    name = escape(words_of(str(row["name"])))
    return (
        f'<div class="card"><div class="name">{name}</div><b>{escape(amount)} <span>{escape(of)}</span></b>'
        f"{drawing}{band}</div>"
    )


def _band_drawing(low: float, high: float, value: Any, middle: Any) -> str:
    inside = [x for x in (value, middle) if isinstance(x, (int, float))]
    left, right = min([low, *inside]), max([high, *inside])
    if right - left <= NOISE * max(abs(left), abs(right)):
        return ""

    def at(x: float) -> float:
        return 3 + 194 * (x - left) / (right - left)

    tick = f'<rect x="{at(middle) - 1:.1f}" y="1.5" width="2" height="7" fill="#0072b2"/>' if middle is not None else ""
    mark = (
        f'<rect x="{at(value) - 1.5:.1f}" y="0" width="3" height="10" rx="1" fill="#1b2733"/>'
        if value is not None
        else ""
    )
    return (
        '<svg viewBox="0 0 200 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect x="{at(low):.1f}" y="3.5" width="{at(high) - at(low):.1f}" height="3" rx="1.5" fill="#a9cfe4"/>'
        f"{tick}{mark}</svg>"
    )


def _parts(result: RunResult, shown: Sequence[sections.Section], charts: dict[str, Figure]) -> Iterator[str]:
    for one in shown:
        yield _section(result, one, charts)
        if one.table == "weakest":
            yield _sentences(result, "weakest", "")
    yield _sentences(result, "left_out", "What was left out")
    yield _sentences(result, "notes", "Notes")


def _section(result: RunResult, one: sections.Section, charts: dict[str, Figure]) -> str:
    table = result.metrics if one.table == "metrics" else result.tables[one.table]
    sentence = says(result, one.table)
    planned = question_of(result) == "plan"
    lines = moats(result) if one.table == "moats" and planned else ([sentence] if sentence else [])
    parts = [f'<section id="{one.table}"><h2>{escape(one.title)}</h2>']
    parts += [f'<p class="says">{escape(line)}</p>' for line in lines]
    # A plan's own note takes the place of what is said of any plan; elsewhere the two add up.
    told = (table.note or one.explains,) if planned else (table.note, one.explains)
    explains = " ".join(text for text in told if text)
    parts.append(f'<p class="explains">{escape(explains)}</p>' if explains else "")
    for name in (one.table, *one.charts):
        if name in charts:
            label = escape(f"{one.title}. {sentence}")
            parts.append(f'<div class="chart" id="chart-{name}" role="img" aria-label="{label}"></div>')
    if one.shows is not None or one.table not in one.folded:
        made = one.shows(result) if one.shows is not None else table
        whole = grid(made, one.columns, {**_LABELS.get(one.table, {}), **one.labels}, bands=True)
        parts.append(_head_and_rest(whole, one.most or (MOST_ROWS if planned else money_sections.MOST_SHOWN)))
    if one.table == "performance":
        measured = dict.fromkeys(str(row["error_source"]) for row in table.rows() if row.get("error_source"))
        parts += [f'<p class="explains">Error measured on: {escape(source)}</p>' for source in measured]
    for name in one.beside:
        if sections.has(result, name):
            parts.append(
                _table(
                    grid(result.tables[name], bands=True), caption=result.tables[name].title or _CAPTIONS.get(name, "")
                )
            )
    words = one.fold_words or f"The numbers{' behind the chart' if one.table in charts else ''}"
    for name in one.folded:
        if sections.has(result, name):
            table = result.tables[name]
            about = words if name == one.folded[0] else table.title or words_of(name)
            inside = _table(grid(table, bands=True), most=MOST_ROWS)
            parts.append(f"<details><summary>{escape(about)}</summary>{inside}</details>")
    parts.append("</section>")
    return "".join(parts)


_LABELS = {"metrics": {"low": "P10", "p50": "P50", "high": "P90"}}
_CAPTIONS = {"gap": "What explains the gap between this revenue and the contracts"}


def _sentences(result: RunResult, name: str, title: str) -> str:
    lines = [line for line in result.texts.get(name, []) if line.strip()]
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    if not title:
        return f"<ul>{items}</ul>"
    return f'<section id="{name.replace("_", "-")}"><h2>{escape(title)}</h2><ul>{items}</ul></section>'


def _further(table: Table) -> str:
    title = escape(table.title or words_of(table.name))
    note = f'<p class="explains">{escape(table.note)}</p>' if table.note else ""
    inside = _table(grid(table), most=MOST_ROWS)
    if len(table) > FOLDED_FROM:
        inside = f"<details><summary>{len(table):,} rows</summary>{inside}</details>"
    return f'<section id="table-{escape(table.name)}"><h2>{title}</h2>{note}{inside}</section>'


def _table(shown: Grid, caption: str = "", most: int | None = None) -> str:
    if not shown.labels:
        return ""
    head = "".join(
        f"<th{_right(numeric)}>{escape(label)}{f'<span>[{escape(unit)}]</span>' if unit else ''}</th>"
        for label, unit, numeric in zip(shown.labels, shown.units, shown.numeric, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{_shape(numeric, cell)}>{_cell(label, cell)}</td>"
            for label, numeric, cell in zip(shown.labels, shown.numeric, row, strict=True)
        )
        + "</tr>"
        for row in shown.rows[:most]
    )
    cut = ""
    if most is not None and len(shown.rows) > most:
        cut = f'<p class="explains">{len(shown.rows) - most:,} more rows are in the run folder.</p>'
    words = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="wide"><table>{words}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{cut}'


def _head_and_rest(whole: Grid, most: int) -> str:
    """A table of which only the first rows are seen at once."""
    if len(whole.rows) <= most + 4:
        return _table(whole)
    rest = replace(whole, rows=whole.rows[most:])
    head = _table(replace(whole, rows=whole.rows[:most]))
    words = f"{len(rest.rows):,} more rows"
    return f"{head}<details><summary>{words}</summary>{_table(rest, most=MOST_ROWS)}</details>"


def _right(numeric: bool) -> str:
    return ' class="n"' if numeric else ""


def _shape(numeric: bool, cell: str) -> str:
    """Numbers to the right; what is short in one line; sentences as wide as they can be read."""
    return _right(numeric) or (
        ' class="whole"'
        if len(cell) <= SHORT and not cell.isalnum()
        else ' class="long"'
        if len(cell) > SENTENCE
        else ""
    )


def _cell(label: str, cell: str) -> str:
    if label == "kind" and cell:
        return f'<span class="kind{" assumed" if cell == "assumed" else ""}">{escape(cell)}</span>'
    if label == "grade" and cell:
        return f'<span class="kind{" assumed" if cell in WEAK_GRADES else ""}">{escape(cell)}</span>'
    return escape(cell)


def _footer(result: RunResult) -> str:
    facts = [(key, value) for key, value in result.manifest.items() if key not in NOT_IN_FOOTER]
    rows = "".join(
        f"<dt>{escape(words_of(key))}</dt>"
        f"<dd>{escape(value if isinstance(value, str) else json.dumps(value, default=str))}</dd>"
        for key, value in facts
    )
    if "scenario" in result.manifest:
        text = json.dumps(result.manifest["scenario"], indent=2, ensure_ascii=False, default=str)
        rows += (
            f"<dt>Scenario</dt><dd><details><summary>as it was read</summary><pre>{escape(text)}</pre></details></dd>"
        )
    ways = [line for line in result.texts.get("next", []) if line.strip()]
    next_ = "".join(f"<li><code>{escape(line)}</code></li>" for line in ways)
    onwards = f"<section><h2>Where to go next</h2><ul>{next_}</ul></section>" if next_ else ""
    words = "Made by Gigawatt. USD nominal, MW at the meter unless it says IT, a year is 8,760 hours, bands are 80 %."
    return f"{onwards}<footer>{words}<dl>{rows}</dl></footer>"

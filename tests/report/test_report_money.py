import dataclasses
import doctest
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from report_money_sample import LOOP, NAMES, sample
from rich.console import Console

from gigawatt.core.table import Table
from gigawatt.report import chart_parts, market_worlds, money_sections, money_sentences, network_chart
from gigawatt.report.files import read_run, rewrite_report, write_run
from gigawatt.report.grid import grid, unit_in
from gigawatt.report.html import page
from gigawatt.report.money_sections import MOST_SHOWN, sections_of
from gigawatt.report.money_sentences import claim_of, said, says
from gigawatt.report.money_terminal import fitted, render_money

HOSTILE = "<script>alert('x')</script>"


class Reader(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)


def printed(result, width=100, encoding="utf-8", folder=Path("runs/x")):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    render_money(result, Console(file=out, width=width, highlight=False), folder)
    out.flush()
    return raw.getvalue().decode(encoding)


def renamed(result, old, new):
    """The run with one party called otherwise, in every table and text."""

    def cell(value):
        return value.replace(old, new) if isinstance(value, str) else value

    def table(one):
        columns = {cell(name): [cell(value) for value in values] for name, values in one.columns.items()}
        return Table(one.name, columns, {cell(k): v for k, v in one.units.items()}, one.title, one.note)

    tables = {name: table(one) for name, one in result.tables.items()}
    texts = {name: [cell(line) for line in lines] for name, lines in result.texts.items()}
    return dataclasses.replace(
        result, tables=tables, texts=texts, title=new, headline=cell(result.headline), metrics=table(result.metrics)
    )


@pytest.mark.parametrize("module", [chart_parts, market_worlds, money_sections, money_sentences, network_chart])
def test_the_examples_in_the_docstrings_hold(module):
    assert doctest.testmod(module).failed == 0


# --- terminal


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_line_is_wider_than_the_console_nor_than_100_columns(name, width):
    text = printed(sample(name), width)
    ways = ("report: ", "next:   ")
    assert max(len(line) for line in text.splitlines() if not line.startswith(ways)) <= min(width, 100)
    assert "\x1b" not in text
    # No scientific notation, but where a run's own sentences have it.
    silent = dataclasses.replace(sample(name), texts={}, headline="")
    assert not re.search(r"\d[eE][+-]?\d\d", printed(silent, width))


def test_the_parts_of_a_deals_run_are_there_in_reading_order():
    text = printed(sample(LOOP))
    parts = [
        "A small loop", "THE CLAIM (9)", "The essay says: Money goes round.", "The engine computes:", "Since then:",
        "Would be refuted by:", "CONTRACTS", "HOW CIRCULAR", "BY WHOSE MONEY", "WHO BREAKS FIRST",
        "WHAT MAY STILL BE CALLED", "MONEY BY COMPANY", "HEADLINES", "LEFT OUT", "NOTES", "report: runs/x/report.html",
        "next: ",
    ]  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "[B USD]" in text
    assert "C*" in text  # the weakest grade is marked
    assert re.search(r"its own money\s+#+\s+[\d.]+ %", text)
    assert "vendor -> lab" in text


def test_any_encoding_and_any_name_is_taken():
    named = renamed(sample(LOOP), "vendor", "千兆瓦 [red]x[/red]")
    text = printed(named, encoding="ascii")
    assert "??? [red]x[/red]" in text  # markup in a name stays text
    long = renamed(sample(LOOP), "vendor", "x" * 130)
    assert max(map(len, printed(long).splitlines())) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_any_table_may_be_missing_or_empty_and_unknown_ones_are_printed(name):
    result = sample(name)
    for gone in result.tables:
        without = {key: one for key, one in result.tables.items() if key != gone}
        empty = without | {gone: Table(gone, {key: [] for key in result.tables[gone].columns})}
        for tables in (without, empty):
            changed = dataclasses.replace(result, tables=tables)
            assert printed(changed)
            assert said(changed) is not None
    odd = {"odd": Table("odd", {"what": ["a", None], "n": [1.5, "x"], "list": [[1, 2], None]}, title="An odd one")}
    text = printed(dataclasses.replace(result, tables=odd, metrics=Table("metrics", {}), texts={}))
    assert "AN ODD ONE" in text


def test_a_table_that_does_not_fit_loses_columns_and_keeps_its_first():
    table = Table("wide", {f"column_{at}": [f"text of column {at}"] for at in range(30)})
    shown = fitted(table, 60, drop=["column_1"])
    assert shown.labels[0] == "column 0"
    assert "column 1" not in shown.labels
    assert "column 2" in shown.labels
    assert 1 < len(shown.labels) < 30


# --- page


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_whole_offline_and_holds_every_section(name):
    result = sample(name)
    text = page(result)
    read = Reader(text)
    assert read.open == []
    assert len(text.encode()) < 6_500_000
    for tag, attributes in read.tags:
        for key in ("src", "href", "action"):
            assert (attributes.get(key) or "#").startswith("#"), (tag, attributes)
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {attributes["href"][1:] for tag, attributes in read.tags if tag == "a"}
    assert links <= set(ids)
    data = json.loads(re.search(r'id="charts">(.*?)</script>', text, re.S)[1])
    assert {f"chart-{key}" for key in data} == {one for one in ids if one.startswith("chart-")}
    words = "".join(read.words)
    for line in said(result):
        assert line in words


@pytest.mark.parametrize("name", [name for name in NAMES if claim_of(sample(name))])
def test_the_page_and_the_sheet_hold_the_claim(name, tmp_path):
    result = sample(name)
    claim = claim_of(result)
    words = "".join(Reader(page(result)).words)
    box = page(result)
    box = box[box.index('<section id="claim"') : box.index("</section>", box.index('<section id="claim"'))]
    for heading in ("The essay says", "The engine computes"):
        assert heading in box
    for line in (claim.says, *claim.computes, *claim.since, claim.refuted_by, *claim.sources):
        assert line in words


def test_a_run_without_a_claim_has_no_box():
    plain = dataclasses.replace(sample(LOOP), texts={}, manifest={"question": "deals"})
    assert claim_of(plain) is None
    assert 'id="claim"' not in page(plain)


def test_a_claim_may_come_as_sentences_alone():
    told = dataclasses.replace(sample(LOOP), texts={"claim": ["The sky is blue."]}, manifest={"question": "deals"})
    assert "The sky is blue." in page(told)
    assert "The sky is blue." in printed(told)


@pytest.mark.parametrize("name", [LOOP, "market/labs-contest", "projects/hyperion-shell"])
def test_a_party_called_script_is_harmless(name):
    old = {"deals": "vendor", "market": "lab-a", "project": "senior"}[sample(name).manifest["question"]]
    hostile = renamed(sample(name), old, HOSTILE)
    text = page(hostile)
    read = Reader(text)
    assert sum(tag == "script" for tag, _ in read.tags) == 3
    assert "<script>alert" not in text
    assert "alert('x')" in "".join(read.words)
    charts = json.loads(re.search(r'id="charts">(.*?)</script>', text, re.S)[1])
    for shown in re.findall(r'"(?:text|name|label|hovertemplate)": "(.*?)"', json.dumps(charts)):
        assert "<script" not in shown  # Plotly reads a small HTML in labels
    assert HOSTILE[:8] in printed(hostile)


def test_long_tables_are_behind_a_click_and_nothing_is_lost():
    result = sample("deals/circular-loop-late-2026")
    text = page(result)
    part = text[text.index('<section id="contracts"') : text.index('<section id="network"')]
    head, _, rest = part.partition("<details>")
    rows = len(result.tables["contracts"])
    assert head.count("<tr>") - 1 == MOST_SHOWN
    assert f"{rows - MOST_SHOWN} more rows" in rest
    assert part.count("<tr>") - 2 == rows


def test_companies_of_a_deals_run_are_one_row_each():
    result = sample(LOOP)
    table = money_sections.companies(result)
    quarters = list(result.tables["companies"].rows())
    assert table.columns["company"] == ["vendor", "lab", "cloud"]
    for row in table.rows():
        mine = [one for one in quarters if one["company"] == row["company"]]
        assert row["revenue_usd"] == pytest.approx(sum(one["revenue_usd"] for one in mine))
        assert row["lowest_cash_usd"] == pytest.approx(min(one["cash_usd"] for one in mine), abs=1)
        assert row["cash_end_usd"] == mine[-1]["cash_usd"]
        assert row["cash_low_usd"] <= row["cash_high_usd"]


def test_the_waterfall_keeps_every_step_that_is_more_than_rounding():
    result = sample("projects/hyperion-shell")
    rows = list(result.tables["waterfall"].rows())
    table = money_sections.steps(result)
    assert sum(table.columns["amount_usd"]) == pytest.approx(sum(row["amount_usd"] for row in rows), abs=1e3)
    assert next(iter(table.columns["step"])) == "revenue"


def test_inputs_of_sections_come_last_and_folded():
    result = sample("market/supply-and-demand")
    last = sections_of(result)[-1]
    assert last.table == "supply_inputs"
    assert last.folded == ("supply_inputs",)


# --- sentences


def test_sentences_are_made_of_the_tables_own_numbers():
    result = sample(LOOP)
    index = next(row["value"] for row in result.tables["circularity"].rows() if row["name"] == "finn_cycling_index")
    assert says(result, "circularity").startswith(f"{100 * index:.1f} %")
    assert "1 is no more than a letter (5.00 B USD)" in says(result, "contracts")
    assert "of it from vendor" in says(result, "claims")
    worst = max(result.tables["stress"].rows(), key=lambda row: row["lost_usd"])
    assert f"'{worst['shock']}'" in says(result, "stress")
    assert says(result, "no such table") == ""


@pytest.mark.parametrize("name", NAMES)
def test_every_sentence_is_one(name):
    for line in said(sample(name)):
        assert line.endswith(".")
        assert "None" not in line
        assert "nan" not in line.split()


# --- tables


def test_a_column_with_its_ends_is_one():
    table = Table("x", {"share": [0.5, None], "share_low": [0.4, None], "share_high": [0.61, None]})
    assert grid(table, bands=True).rows == [["50.0 (40.0 to 61.0)"], [""]]
    assert len(grid(table).labels) == 3


def test_money_of_which_most_is_billions_is_shown_in_billions():
    table = Table("x", {"cash_usd": [2.5e12, 4e10, 3e9]})
    assert grid(table).headers() == ["cash [B USD]"]
    assert [row[0] for row in grid(table).rows] == ["2,500", "40.0", "3.00"]


def test_quarters_of_a_market_are_not_a_ledger():
    table = Table("quarters", {"quarter": ["Q1"], "status": ["reported"], "supply_gw": [2.0]}, {"supply_gw": "GW"})
    assert unit_in(table, "status") == ""
    ledger = Table("quarters", {"period": [0], "date_end": ["2026-03-31"], "somebody": [1e9]})
    assert unit_in(ledger, "somebody") == "USD"


# --- folder


@pytest.mark.parametrize("name", NAMES)
def test_a_run_folder_gives_the_same_run_and_page_back(name, tmp_path):
    result = sample(name)
    folder = write_run(result, tmp_path / "run")
    before = (folder / "report.html").read_bytes()
    again = read_run(folder)
    assert set(again.tables) == set(result.tables)
    for key, table in result.tables.items():
        assert again.tables[key].as_json() == table.as_json()
        assert pl.read_parquet(folder / f"{key}.parquet").height == len(table)
    rewrite_report(folder)
    assert (folder / "report.html").read_bytes() == before
    assert printed(again) == printed(result)

import dataclasses
import json
import re
from html.parser import HTMLParser

import pytest
from report_sample import NASTY, sample, table

from gigawatt.core.table import Table
from gigawatt.report.html import page
from gigawatt.report.money_charts import BY_QUESTION
from gigawatt.report.sections import SECTIONS, present


class Reader(HTMLParser):
    """What a browser would make of the page: tags with attributes, text, scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.scripts, self.stack = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        (self.scripts if self.stack and self.stack[-1] in ("script", "style") else self.words).append(data)


@pytest.fixture(scope="module")
def text():
    return page(sample())


@pytest.fixture(scope="module")
def read(text):
    return Reader(text)


def test_tags_close_in_order(read):
    assert read.stack == []


def test_nothing_is_fetched(text, read):
    for tag, attributes in read.tags:
        for key in ("src", "href", "action", "data", "srcset", "poster"):
            assert (attributes.get(key) or "#").startswith("#"), (tag, attributes)
        assert tag not in ("link", "iframe", "img", "object", "embed", "base")
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(a["content"] for t, a in read.tags if t == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_it_is_one_file_under_six_megabytes_with_the_library_once(text, read):
    assert len(text.encode()) < 6_000_000
    assert sum(len(script) > 1_000_000 for script in read.scripts) == 1


def test_every_table_is_shown(read):
    words = "\n".join(read.words)
    for name, one in sample().tables.items():
        for column, values in one.columns.items():
            for value in values:
                if isinstance(value, str) and value and column != "unit":
                    assert value in words, (name, column, value)


def test_every_chart_has_its_place_and_its_data(text, read):
    data = json.loads(re.search(r'id="charts">(.*?)</script>', text, re.S)[1])
    assert set(data) == set(BY_QUESTION["plan"])
    places = {a["id"] for _, a in read.tags if a.get("class") == "chart"}
    assert places == {f"chart-{name}" for name in data}


def test_contents_lead_to_sections(read):
    ids = {a["id"] for _, a in read.tags if "id" in a}
    links = [a["href"][1:] for t, a in read.tags if t == "a"]
    assert set(links) <= ids
    assert len(links) == len(set(links))
    assert {one.table for one in present(sample())} == {one.table for one in SECTIONS} <= set(links)


def test_the_site_stands_together_after_the_power():
    order = [one.table for one in SECTIONS]
    at = order.index("power")
    assert order[at : at + 5] == ["power", "site_months", "provisioning", "kw_per_gpu", "energy_sources"]


def test_a_hostile_name_stays_text(text, read):
    assert NASTY in "".join(read.words)
    assert "alert('x')</script>" not in text
    hostile = dataclasses.replace(
        sample(),
        title=NASTY,
        headline=NASTY,
        tables=sample().tables
        | {
            "companies": table("companies", "company role npv_usd", (NASTY, NASTY, 1e9)),
            "extra": Table("extra", {NASTY: [NASTY]}),
        },
        manifest={NASTY: NASTY},
    )
    again = Reader(page(hostile))
    assert sum(tag == "script" for tag, _ in again.tags) == 3
    assert sum(tag == "b" for tag, _ in again.tags) == len(sample().metrics)


def test_unknown_tables_are_shown_too():
    more = sample().tables | {"hours": Table("hours", {"hour": [1, 2], "watts": [5e8, 6e8]}, title="Hour by hour")}
    words = "".join(Reader(page(dataclasses.replace(sample(), tables=more))).words)
    assert "Hour by hour" in words


@pytest.mark.parametrize("name", sorted(sample().tables))
def test_any_table_may_be_missing_or_empty(name):
    result = sample()
    without = {key: value for key, value in result.tables.items() if key != name}
    assert f'<section id="{name}">' not in page(dataclasses.replace(result, tables=without))
    empty = without | {name: Table(name, {key: [] for key in result.tables[name].columns})}
    assert page(dataclasses.replace(result, tables=empty))


def test_the_footer_names_version_seed_and_hash_but_no_timing(read):
    words = "".join(read.words)
    for fact in ("0.1.0", "20260101", "ab12ab12"):
        assert fact in words
    assert "12.3" not in words


def test_a_ledger_of_thousands_is_cut_and_the_scenario_is_folded():
    rows = 5000
    more = sample().tables | {"postings": Table("postings", {"payer": ["a"] * rows, "amount_usd": [1e6] * rows})}
    made = page(dataclasses.replace(sample(), tables=more, manifest={"scenario": {"name": NASTY}}))
    assert "4,600 more rows are in the run folder" in made
    assert made.count("<td>a</td>") == 400
    assert "&lt;b&gt;Ham" in made[made.index("<pre>") :]

import dataclasses
import io
from pathlib import Path

import pytest
from report_sample import sample, table
from rich.console import Console

from gigawatt.core.table import Table
from gigawatt.report.terminal import merge_points, render


def printed(result, width=100, encoding="utf-8", folder=Path("runs/one-gigawatt"), colour=False):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    render(result, Console(file=out, width=width, highlight=False, force_terminal=colour), folder)
    out.flush()
    return raw.getvalue().decode(encoding)


def test_every_part_is_there_in_reading_order():
    text = printed(sample())
    parts = [
        "PLAN",
        "not bought:",
        "WHAT LIMITS YOU",
        "PERFORMANCE",
        "JOBS",
        "POWER",
        "MONEY",
        "MOATS",
        "Left out",
        "Weakest inputs",
    ]
    places = [
        text.index(part) for part in [*parts, "report: runs/one-gigawatt/report.html", "next:   gigawatt explain"]
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("width", [100, 140])
def test_no_line_is_wider_than_100_columns_and_the_headers_carry_units(width):
    text = printed(sample(), width)
    assert max(len(line) for line in text.splitlines()) <= 100
    for unit in ("[MW]", "[B USD]", "[tok/s/MW]", "[ms]", "[%]"):
        assert unit in text


def test_piped_output_has_no_escape_codes_and_any_encoding_takes_it():
    text = printed(sample(), encoding="ascii")
    assert "\x1b" not in text
    assert "998 MW at the meter" in text
    named = dataclasses.replace(sample(), title="千兆瓦 [red]site[/red]")
    assert "[red]site[/red]" in printed(named, encoding="ascii")  # markup in a user's name stays text


def test_numbers_are_the_tables_own():
    text = printed(sample())
    assert "4,730" in text  # 4,120 + 610 racks: two operating points of one platform are one line
    assert "needs a price -21 %" in text
    assert "3.86 M USD/MW/yr" in text
    assert "440 k USD/rack/yr; one less costs 610" in text


def test_merging_points_keeps_sums():
    plan = sample().tables["plan"]
    merged = merge_points(plan)
    assert len(merged) == 2
    for column in ("racks", "mw", "capex_usd", "npv_usd"):
        assert sum(merged.columns[column]) == pytest.approx(sum(plan.columns[column]))


def test_a_run_with_nothing_but_a_headline_prints():
    bare = dataclasses.replace(sample(), tables={}, metrics=Table("metrics", {}), texts={})
    lines = printed(bare, folder=None).split("\n")
    assert lines[0] == "One gigawatt of AI factory"
    assert "PLAN" not in lines


@pytest.mark.parametrize("name", sorted(sample().tables))
def test_any_table_may_be_missing_or_empty(name):
    result = sample()
    without = {key: value for key, value in result.tables.items() if key != name}
    assert printed(dataclasses.replace(result, tables=without))
    empty = without | {name: Table(name, {key: [] for key in result.tables[name].columns})}
    assert printed(dataclasses.replace(result, tables=empty))


def test_long_tables_are_cut_and_say_so():
    rows = [("p", f"w{at}", "", 1.0, 1.0, None, None, 1e6, 1e6, None, None) for at in range(40)]
    columns = " ".join(sample().tables["plan"].columns)
    result = dataclasses.replace(sample(), tables={"plan": table("plan", columns, *rows)})
    assert "more rows in the report" in printed(result)

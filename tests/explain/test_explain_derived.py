"""Answers about answers: the steps of a comparison, the inputs of a risk, a sweep's scenario asked once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from explain_sample import faults, once

from gigawatt.core.errors import InputError
from gigawatt.core.table import Table
from gigawatt.study.explain import operands_of
from gigawatt.study.explained.asked import explained
from gigawatt.study.explained.derived import derived_trees
from gigawatt.study.explained.rows import answered_row, is_sweep

FILE = """\
question: project
name: small
project:
  id: small
  timing: {step: year, construction: 0 yr, operation: 5 yr}
  capital: [{id: chips, cost: 100 million USD}]
  revenue: [{id: rent, price: 3 million USD/MW/yr, power: 10 MW, term: 5 yr}]
uncertainty: {samples: 0}
"""


def metrics(**values: Any) -> Table:
    rows = [{"name": name, "unit": "USD", **row} for name, row in values.items()]
    return Table.from_rows("metrics", rows, tuple(dict.fromkeys(key for row in rows for key in row)))


def sound(trees: dict[str, Any]) -> None:
    for tree in trees.values():
        assert [fault for one in once(tree, set()) for fault in faults(one)] == []


def test_a_comparison_is_the_sum_of_its_steps() -> None:
    tables = {
        "steps": Table.from_rows(
            "steps", [{"step": "prices", "value": 3.0}, {"step": "site", "value": -1.0}], ("step", "value")
        ),
        "every_metric": Table.from_rows(
            "every_metric", [{"metric": "capex", "step": "prices", "value": None}], ("metric", "step", "value")
        ),
        "inputs": Table.from_rows(
            "inputs",
            [
                {
                    "group": "prices",
                    "path": "site.energy_price",
                    "a": "30",
                    "b": "60",
                    "a_where": None,
                    "b_where": None,
                }
            ],
            ("group", "path", "a", "b", "a_where", "b_where"),
        ),
    }
    made = metrics(npv={"a": 5.0, "b": 7.0, "value": 2.0}, capex={"a": 1.0, "b": 4.0, "value": 3.0})
    trees = derived_trees({"question": "compare", "metric": "npv", "method": "order"}, made, tables)
    assert [one["name"] for one in operands_of(trees["npv"])] == ["prices", "site"]
    assert trees["capex"]["operation"] == "difference"
    assert trees["npv"]["children"][0]["children"][0]["value"] == "30 -> 60"
    sound(trees)


def test_an_analysis_of_risk_names_what_moves_it() -> None:
    bar = {"input": "catalog.platform/gb300-nvl72.list_price", "words": "list price", "kind": "fact", "at_p10": 4e6,
           "at_p90": 6e6, "input_unit": "USD", "swing": 1e6, "source": "a paper"}  # fmt: skip
    tables = {"sensitivity": Table.from_rows("sensitivity", [bar], tuple(bar))}
    made = metrics(npv={"value": 2.0, "p10": 1.0, "p50": 2.0, "p90": 3.0, "formula": "discounted cash"})
    trees = derived_trees(
        {"question": "risk", "metric": "npv", "samples": 64, "seed": 1, "bands": "the fleet held"}, made, tables
    )
    (found,) = {one["where"] for one in once(trees["npv"], set()) if one.get("input") == bar["input"]}
    assert found.startswith("catalog/data/platform/gb300-nvl72.yaml:")
    sound(trees)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from gigawatt.study.executors import Serial
    from gigawatt.study.sweep import Sweep, drive

    folder = tmp_path_factory.mktemp("swept")
    file = folder / "small.yaml"
    file.write_text(FILE)
    grid = ["project.revenue.rent.price=2 million USD/MW/yr,3 million USD/MW/yr", "project.discount_rate=8 %,12 %"]
    out = folder / "out"
    with drive(Sweep.of(file, grid=grid, chunk=3), out, Serial()):
        return out


def test_a_row_of_a_sweep_is_asked_again(swept: Path) -> None:
    assert is_sweep(swept)
    parts = pl.concat([pl.read_parquet(file) for file in sorted((swept / "parts").glob("*.parquet"))])
    for row in (0, 3):
        made = answered_row(swept, row)
        tree = explained(made.manifest, "project_npv")
        assert tree["value"] == pytest.approx(parts.filter(pl.col("index") == row)["project_npv"][0], rel=1e-9)
    leaves = {one.get("input"): one for one in once(tree, set()) if one["kind"] == "datum"}
    assert any("12 %" in str(one["where"]) for one in leaves.values())
    assert any(str(one["where"]).endswith("small.yaml:6:31") for one in once(tree, set()) if one["kind"] == "datum")


def test_a_row_that_is_not_there_says_so(swept: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no row 4; its 4 rows are 0 to 3"):
        answered_row(swept, 4)
    with pytest.raises(InputError, match="no folder of a sweep"):
        answered_row(tmp_path, 0)

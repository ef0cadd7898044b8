"""Every headline of every verb explains itself: roots are the metrics, operations recompute, places hold what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from explain_sample import CASES, answer, catalog, faults, kinds, lines_of, once, split

from gigawatt.study.explain import operands_of
from gigawatt.study.explained.asked import explained, listed
from gigawatt.study.explained.kept import file_of
from gigawatt.study.explained.places import Places

SOLVED = {"datum", "formula"}


@pytest.mark.parametrize("case", CASES)
def test_every_metric_has_a_sound_tree(case: str) -> None:
    result = answer(case)
    trees, seen, wrong = result.manifest["explain"], set[int](), list[str]()
    places = Places(result.manifest)
    rows = {row["name"]: row for row in result.metrics.rows()}
    assert rows, case
    assert set(rows) <= set(trees)
    for name, row in rows.items():
        assert trees[name]["value"] == row["value"], name
        assert trees[name]["unit"] == row["unit"], name
        assert trees[name]["children"], f"{name} has no branch"
    for name, tree in trees.items():
        for one in once(places.placed(tree), seen):
            wrong += [f"{name}: {fault}" for fault in faults(one)]
    assert not wrong, "\n".join(wrong[:20])
    assert {head["metric"] for head in listed(result.manifest)["children"]} == set(trees)


@pytest.mark.parametrize("case", [name for name in CASES if not name.startswith(("market", "deals", "project"))])
def test_physics_and_programmes_rest_on_fits_and_choices(case: str) -> None:
    trees = answer(case).manifest["explain"]
    assert {"datum", "calibration", "formula", "choice"} <= set().union(*(kinds(tree) for tree in trees.values()))


def test_calibrations_are_records_with_what_they_were_fitted_to() -> None:
    found = set()
    for case in CASES:
        for tree in answer(case).manifest["explain"].values():
            found |= {one["path"] for one in once(tree, set()) if one["kind"] == "calibration"}
    assert len(found) > 10
    for path in sorted(found):
        record = catalog().get(*path.split("/", 1))
        assert record.fitted_to, path


def test_the_line_of_a_fact_holds_its_number() -> None:
    """Where a line writes a number with its unit, it is the one that the tree says, in SI."""
    from gigawatt.core import units

    checked = 0
    for one in once(explained(answer("run").manifest, "system_npv"), set()):
        if one["kind"] != "datum" or not one.get("path"):
            continue
        file, line, _ = split(one["where"])
        told = lines_of(file_of(file))[line - 1]
        found = re.search(
            r"(?:value|" + re.escape(one["path"].rsplit(".", 1)[-1]) + r"): \{?(?:value: )?([^,}#]+)", told
        )
        if found is None:
            continue
        text = found[1].strip().strip('"')
        for dimension in units.DIMENSIONS:
            try:
                value = units.parse(text, dimension)
            except ValueError:
                continue
            if value == pytest.approx(one.get("si", one["value"]), rel=1e-12):
                checked += 1
                break
        else:
            if re.match(r"[\d.]", text):
                raise AssertionError(f"{one['name']}: {one['value']} {one['unit']}, but {file}:{line} says {text}")
    assert checked > 30


def test_a_plan_says_what_binds_and_who_came_second() -> None:
    names = [
        one["name"]
        for one in once(answer("run-gigawatt").manifest["explain"]["capex"], set())
        if one["kind"] == "choice"
    ]
    assert any("binds" in name for name in names)
    assert any("reduced cost" in name for name in names)


def test_a_rate_of_return_is_where_the_parts_cancel() -> None:
    tree = answer("run-gigawatt").manifest["explain"]["operator_irr"]
    values = [one["value"] for one in operands_of(tree)]
    assert tree["operation"] == "zero"
    assert abs(sum(values)) < 1e-6 * max(abs(value) for value in values)


def test_trees_share_their_branches() -> None:
    """What several numbers rest on is one node, so that a manifest keeps it once."""
    trees = answer("run-gigawatt").manifest["explain"]
    energy = [id(one) for name in ("system_npv", "gross_profit_per_mw_year") for one in once(trees[name], set())
              if one["name"] == "energy of a year"]  # fmt: skip
    assert len(energy) == 2
    assert len(set(energy)) == 1


def test_no_file_of_ours_is_named_by_where_it_was_checked_out() -> None:
    root = str(Path(__file__).parents[2])
    for one in once(explained(answer("run").manifest, "capex"), set()):
        if one.get("path"):
            assert not one["where"].startswith(root), one["where"]

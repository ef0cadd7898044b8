"""What a run keeps of its trees: shared branches once, digests of files; and what is said where a file changed since."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from explain_sample import answer, once

from gigawatt.catalog import Catalog
from gigawatt.catalog.records import KINDS, datums
from gigawatt.core.datum import Datum
from gigawatt.core.errors import InputError
from gigawatt.study.explain import DEFAULT, fact, fitted, given, node, of_datum, recomputed, worked
from gigawatt.study.explained.asked import explained
from gigawatt.study.explained.kept import kept, packed, tree_in
from gigawatt.study.explained.places import Places
from gigawatt.study.source import read

CHIP = """\
extends: h100-sxm
name: "A chip of our own"
kind: measured
source: "our own meter"
as_of: "2026-06"
tdp: {value: 600 W, low: 590 W, high: 610 W}
"""


def test_every_value_of_the_catalog_has_its_line() -> None:
    """The place of a datum's path holds its key, or the value in a block below it."""
    catalog, lines = Catalog.load(), dict[str, list[str]]()
    for kind in ("platform", "accelerator", "company", "price", "facility", "supply", "cost"):
        for record in catalog.all(kind):
            for datum in datums(record):
                where = catalog.where(datum.path)
                text = lines.setdefault(where.file, Path(where.file).read_text(encoding="utf-8").splitlines())
                told = text[where.line - 1]
                assert datum.path.rsplit(".", 1)[-1] in told or told.strip().startswith("value:"), (
                    datum.path,
                    str(where),
                )
    assert set(KINDS) >= {"platform", "company"}


def test_a_written_manifest_keeps_shared_branches_once_and_gives_the_same_tree() -> None:
    whole = answer("run").manifest
    made = json.loads(json.dumps(packed(whole)))
    assert made["explain_parts"]
    assert len(json.dumps(made["explain"])) + len(json.dumps(made["explain_parts"])) < 0.4 * len(
        json.dumps(whole["explain"])
    )
    for name in whole["explain"]:
        assert tree_in(made, name) == json.loads(json.dumps(whole["explain"][name]))
    assert packed(made) == made
    assert explained(made, "capex") == explained(json.loads(json.dumps(whole)), "capex")


def overlaid(tmp_path: Path) -> tuple[Path, Catalog]:
    file = tmp_path / "facts" / "accelerator" / "ours.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(CHIP)
    return file, Catalog.load((tmp_path / "facts",))


def leaf_of(catalog: Catalog, field: str) -> tuple[dict[str, Any], dict[str, Any]]:
    datum: Datum = getattr(catalog.get("accelerator", "ours"), field)
    tree = worked("same", "a watt", "kW", [of_datum("rating", datum, 1e-3, "kW")])
    return tree, kept({"watts": tree}, catalog, None)


def test_an_overlay_is_named_by_its_own_path_and_what_it_inherits_by_the_packages(tmp_path: Path) -> None:
    file, catalog = overlaid(tmp_path)
    _, manifest = leaf_of(catalog, "tdp")
    (leaf,) = explained(manifest, "watts")["children"]
    assert leaf["where"] == f"{file}:6:6"
    _, manifest = leaf_of(catalog, "memory")
    (leaf,) = explained(manifest, "watts")["children"]
    assert leaf["where"].startswith("catalog/data/accelerator/h100-sxm.yaml:")


def test_a_file_that_changed_since_says_so(tmp_path: Path) -> None:
    file, catalog = overlaid(tmp_path)
    _, manifest = leaf_of(catalog, "tdp")
    file.write_text("# a line more\n" + CHIP)
    (leaf,) = explained(manifest, "watts")["children"]
    assert leaf["where"] == f"{file}:7:6"
    assert "the value is the same" in leaf["changed"]
    file.write_text(CHIP.replace("600 W", "595 W"))
    (leaf,) = explained(manifest, "watts")["children"]
    assert "which used 600" in leaf["changed"]
    assert "it says 595 now" in leaf["changed"]
    shutil.rmtree(tmp_path / "facts")
    (leaf,) = explained(manifest, "watts")["children"]
    assert "any more" in leaf["changed"]
    assert "where" not in leaf


def test_a_scenario_that_changed_since_says_so(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("site: {grid_power: 5 MW}\nfleet: [{id: a, platform: x}]\n")
    source = read(file)
    leaves = [
        given(source, ("site", "grid_power"), "power", 5.0, "MW"),
        given(source, ("site", "energy_price"), "price", 60.0, "USD/MWh"),
        given(source, ("fleet", 0, "platform"), "platform", "x"),
    ]
    manifest = kept({"power": node("formula", "power", 5.0, "MW", "", leaves)}, None, source)
    first, second, third = explained(manifest, "power")["children"]
    assert first["where"] == f"{file}:1:20"
    assert second["where"] == DEFAULT
    assert third["input"] == "fleet.a.platform"
    assert "changed" not in first
    file.write_text("site: {grid_power: 6 MW}\n")
    first, second, _ = explained(manifest, "power")["children"]
    assert "changed since the run" in first["changed"]
    assert "changed" not in second


def test_values_that_a_scenario_says_of_records_stand_in_its_file(tmp_path: Path) -> None:
    from gigawatt.study.questions import answer_source

    file = tmp_path / "mine.yaml"
    base = Path(__file__).parents[2] / "examples" / "one-rack.yaml"
    file.write_text(f"extends: {base.resolve()}\ncatalog:\n  platform/gb300-nvl72: {{list_price: 4.2 million USD}}\n")
    result = answer_source("run", read(file), Catalog.load(), overrides=["uncertainty.samples=16"])
    found = [one for one in once(explained(result.manifest, "capex"), set()) if one["name"].startswith("list price of")]
    assert found
    assert {one["where"] for one in found} == {f"{file}:3:38"}
    assert {one["value"] for one in found} == {4.2e6}


@pytest.mark.parametrize(
    ("operation", "values", "expected"),
    [("sum", (2.0, 3.0), 5.0), ("product", (2.0, 3.0), 6.0), ("ratio", (6.0, 3.0), 2.0), ("difference", (6.0, 3.0, 1.0), 2.0),
     ("same", (4.0,), 4.0), ("min", (6.0, 3.0), 3.0), ("max", (6.0, 3.0), 6.0), ("zero", (2.0, -2.0), 0.0),
     ("ratio", (1.0, 0.0), None), ("sum", ("a", 1.0), None)],
)  # fmt: skip
def test_operations(operation: Any, values: tuple[Any, ...], expected: float | None) -> None:
    parts = [node("datum", "part", value) for value in values]
    made = worked(operation, "whole", "", parts, rests_on=[node("choice", "why", 99.0)])
    assert made["value"] == expected
    assert recomputed(made) == expected
    double = worked(operation, "whole", "", parts, scale=2.0, scale_of="twice")
    assert recomputed(double) == (None if expected is None else 2 * expected)


def test_leaves_say_how_they_are_known() -> None:
    catalog = Catalog.load()
    record = catalog.get("calibration", "training-step")
    leaf = fitted(record, error=0.1, of="median error of a step")
    assert leaf["path"] == "calibration/training-step"
    assert leaf["rows"] == record.rows
    assert leaf["fitted_to"] == record.fitted_to
    platform = catalog.get("platform", "gb300-nvl72")
    placed = Places({}).placed(fact("chips", platform, "chips_per_rack", 72))
    assert "chips_per_rack: 72" in Path(catalog.where("platform/gb300-nvl72.chips_per_rack").file).read_text()
    assert placed["where"].startswith("catalog/data/platform/gb300-nvl72.yaml:")


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(InputError, match="there is no metric 'capx'") as caught:
        explained(answer("run").manifest, "capx")
    assert "did you mean 'capex'?" in caught.value.problems[0].hints

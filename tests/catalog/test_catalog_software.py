"""Records of frameworks, ports and hosts: the door, what cells inherit, the matrix against the collected facts."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from gigawatt.catalog import Catalog
from gigawatt.catalog.software import FAMILIES, Framework, StackSupport

CAT = Catalog.load()


def test_every_cell_that_a_record_speaks_of_has_source_and_date():
    for framework in CAT.all("framework"):
        for stack, on in framework.stacks.items():
            for family in on.families:
                cell = framework.cell(stack, family)
                assert cell.source and cell.as_of, (framework.id, stack, family)


def test_stacks_are_those_of_accelerators():
    known = {a.stack for a in CAT.all("accelerator")}
    for framework in CAT.all("framework"):
        assert set(framework.stacks) <= known, framework.id
        assert set(framework.only) <= set(framework.stacks), framework.id
        assert not set(framework.refuses) & set(framework.tasks), framework.id


def test_silence_is_unknown_and_the_product_of_one_vendor_is_no_elsewhere():
    vllm, trt = CAT.get("framework", "vllm"), CAT.get("framework", "tensorrt-llm")
    assert vllm.cell("groq", "dense").level == "unknown"
    assert vllm.cell("cuda", "vla").level == "unknown"
    assert trt.cell("rocm", "dense").level == "no"
    assert "cuda only" in trt.cell("rocm", "dense").note


def test_no_family_is_better_than_its_stack():
    with pytest.raises(ValidationError, match="moe: better than the 'plugin' of the whole stack"):
        StackSupport.model_validate({"level": "plugin", "families": {"moe": "in-tree"}})
    with pytest.raises(ValidationError):
        StackSupport.model_validate({"level": "plugin", "families": {"mixture": "plugin"}})
    with pytest.raises(ValidationError):
        Framework.model_validate({"id": "x", "source": "y", "tasks": ["serving"], "stacks": {}})


def test_an_overlay_says_what_one_knows_better(tmp_path: Path) -> None:
    (tmp_path / "framework").mkdir()
    (tmp_path / "framework" / "own-server.yaml").write_text(
        "id: own-server\nkind: measured\nsource: our own servers\nas_of: 2026-10\ntasks: [serving]\n"
        "stacks: {neuron: {level: in-tree, families: {mla: in-tree, moe: in-tree}}}\n"
    )
    from gigawatt.physics.chip.software import support

    found = support("neuron", ["mla", "moe"], "serving", Catalog.load((tmp_path,)))
    assert found.frameworks == ("own-server",) and found.runs
    assert support("neuron", ["mla", "moe"], "serving").level == "unknown"


def test_a_port_has_ranges_and_a_price_of_work():
    record = CAT.get("porting", "baseline-2026")
    for port in (record.bring_up, record.family, record.stack):
        for datum in (port.months, port.engineer_months):
            assert datum.low is not None and datum.high is not None and datum.low < datum.value < datum.high
    assert record.bring_up.months.value < record.family.months.value < record.stack.months.value
    assert record.engineer_month_price.unit == "USD"


# Columns of the collected table and the stacks they stand for.
_COLUMNS = {"nvidia": "cuda", "amd": "rocm", "intel_gaudi": "gaudi", "google_tpu": "xla", "huawei_ascend": "cann"}
_NAMES = {"vLLM": "vllm", "DeepSpeed": "deepspeed", "JAX": "jax", "TensorRT-LLM / Dynamo-TRT": "tensorrt-llm"}


@pytest.mark.skipif("GIGAWATT_TRUTH" not in os.environ, reason="needs the collected tables")
def test_stack_levels_equal_the_facts():
    with (Path(os.environ["GIGAWATT_TRUTH"]) / "facts" / "stack_support.csv").open(encoding="utf-8") as lines:
        rows = {row["framework"]: row for row in csv.DictReader(lines)}
    checked = 0
    for name, record in _NAMES.items():
        framework = CAT.get("framework", record)
        for column, stack in _COLUMNS.items():
            said = rows[name][column]
            if not said or said == "experimental":
                continue
            cell = framework.stacks.get(stack)
            level = cell.level if cell is not None else framework.cell(stack, FAMILIES[0]).level
            wanted = {"in-tree": "in-tree", "yes": "in-tree", "plugin": "plugin", "no": "no"}[
                next(word for word in ("in-tree", "plugin", "yes", "no") if said.startswith(word))
            ]
            assert level == wanted, (name, column)
            checked += 1
    assert checked >= 14

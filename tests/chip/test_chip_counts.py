"""FLOPs and bytes of kernel families, held against those that a model's operators count for themselves."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest

from gigawatt.catalog import Catalog
from gigawatt.core import plugins
from gigawatt.physics.chip import chip_from_record, run_operators
from gigawatt.physics.chip.counts import work_of
from gigawatt.physics.chip.kernels import FAMILIES
from gigawatt.physics.chip.models import DeviceModel, KernelRows
from gigawatt.physics.workload import from_config, operators

CATALOG = Catalog.load()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[KernelRows]:
    """What a device model 'counting' is asked, call by call; it answers with the FLOPs as seconds."""
    seen: list[KernelRows] = []

    def seconds(rows: KernelRows) -> Any:
        seen.append(rows)
        return rows.flops + 1e-30

    point = EntryPoint("counting", "counts:MODEL", plugins.DEVICES)
    plugin = plugins.Plugin(plugins.DEVICES, "counting", "counts", "1.0", point.value, point)
    monkeypatch.setattr(plugins, "_found", lambda: (plugin,))
    monkeypatch.setattr(EntryPoint, "load", lambda self: DeviceModel(seconds, None, (1.0, 1.0), "for a test"))
    return seen


@pytest.mark.parametrize("model", ["llama3-8b", "deepseek-v3", "qwen3-30b-a3b"])
@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_flops_as_the_operators_of_a_model_count_them(asked: list[KernelRows], model: str, phase: str) -> None:
    arch = from_config(model, CATALOG.get("model", model).config)
    chip = replace(chip_from_record(CATALOG.get("accelerator", "b200-sxm")), device_model="counting")
    tokens, past = (2048.0, 0.0) if phase == "prefill" else (1.0, 4096.0)
    table = operators(arch, phase, batch=[8.0], tokens=[tokens], past=[past])
    costs = run_operators(chip, table)
    for family in ("gemm", "head", "attention_prefill", "attention_decode", "moe_gemm"):
        rows = table.family == family
        counted = float((table.count[rows] @ costs.seconds[rows]).sum())
        theirs = float((table.count[rows] @ table.flops[rows]).sum())
        assert counted == pytest.approx(theirs, rel=2e-3), family
    assert {rows.family for rows in asked} <= set(FAMILIES)


def test_attention_pairs_by_hand() -> None:
    """Three new tokens after two old ones see 3, 4 and 5 keys; through a window of four 3, 4 and 4."""
    one = {name: np.ones(1) for name in ("batch", "heads", "kv_heads", "head_dim")}
    shape = one | {"length": np.array([3.0]), "context": np.array([2.0])}
    assert work_of("prefill", "bf16/bf16", shape)[0] == pytest.approx(4 * 12)
    assert work_of("prefill", "bf16/bf16", shape | {"window": np.array([4.0])})[0] == pytest.approx(4 * 11)
    step = one | {"length": np.array([9.0]), "window": np.array([4.0])}
    assert [float(x[0]) for x in work_of("decode", "bf16/fp8", step)] == [4 * 4, 2 * 4 + 4]


def test_experts_by_hand() -> None:
    """Two tokens to one of four experts each: seven sixteenths of the experts' weights are read, 1 - (3/4)^2 of each."""
    shape = {"tokens": 2.0, "hidden": 8.0, "width": 4.0, "experts": 4.0, "topk": 1.0}
    columns = {name: np.array([value]) for name, value in shape.items()}
    flops, moved = work_of("moe", "bf16", columns)
    assert flops == pytest.approx(2 * 2 * 8 * 4 * 3)
    weights = 4 * (1 - (3 / 4) ** 2) * 3 * 8 * 4 * 2
    assert moved == pytest.approx(weights + 2 * (2 * (8 + 4) + 2 * (2 * 4 + 8)))

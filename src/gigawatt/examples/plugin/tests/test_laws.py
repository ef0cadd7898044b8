"""The laws that a plug-in keeps, on the objects themselves; `gigawatt doctor` runs them on what is installed."""

from __future__ import annotations

from gigawatt_example import contract, cost, device, executor, fabric

from gigawatt.catalog import Catalog
from gigawatt.physics.chip import chip_from_record
from gigawatt.physics.fabric import fabric_from_record
from gigawatt.testing import (
    contract_problems,
    cost_problems,
    device_problems,
    executor_problems,
    fabric_problems,
    record_problems,
)


def test_records() -> None:
    assert record_problems("gigawatt-example") == []


def test_device() -> None:
    assert device_problems(device.MODEL, chip_from_record(Catalog.load().get("accelerator", "example-h1"))) == []


def test_fabric() -> None:
    catalog = Catalog.load()
    chip = chip_from_record(catalog.get("accelerator", "example-h1"))
    assert fabric_problems(fabric.MODEL, fabric_from_record(catalog.get("fabric", "example-optical"), chip)) == []


def test_contract() -> None:
    terms = {"share": "20 %", "base": "20 million USD/yr", "cap": "6 million USD/yr"}
    assert contract_problems(contract.KIND, terms) == []


def test_cost() -> None:
    assert cost_problems(cost.MODEL, {"price": "80 USD/t", "free": "10 %"}) == []


def test_executor() -> None:
    assert executor_problems(executor.Futures) == []

"""Watts and dollars of a network for each chip: from its parts at a scale, or as the record states them."""

from __future__ import annotations

import math
from importlib import resources

import pytest

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Infeasible, InputError
from gigawatt.study.load import load
from gigawatt.study.network import network_of, network_table
from gigawatt.study.pipeline import work_out
from gigawatt.study.plan_tables import power_tables
from gigawatt.study.resolve import resolve

CAT = Catalog.load()


def network(fabric: str, platform: str = "hgx-h200", endpoints: int | None = None):
    box = CAT.get("platform", platform)
    return network_of(CAT.get("fabric", fabric), box, CAT.get("accelerator", box.accelerator), CAT, endpoints)


@pytest.mark.parametrize(
    ("fabric", "watts", "usd"),
    [
        ("tomahawk5-roce-2tier", 53.5, 7_262),
        ("tomahawk5-roce-3tier", 83.2, 11_638),
        ("quantum2-ndr-3tier", 83.2, 11_638),
    ],
)
def test_a_chip_of_400g_by_hand(fabric: str, watts: float, usd: float) -> None:
    """54 and 83 W, 5.8-8.8 and 9.2-14.1 thousand USD a chip: 15 W and 9 W a module, 940 W and 150-250 kUSD a switch."""
    made = network(fabric)
    assert made.power.value == pytest.approx(watts, abs=0.1)
    assert made.price.value == pytest.approx(usd, abs=1)
    low, high = made.price.range
    assert 0.75 < low / usd < 0.85
    assert 1.15 < high / usd < 1.25
    assert made.power.low <= made.power.value <= made.power.high
    assert "no price of fibre-mpo12: a lower bound" in made.price.source
    assert made.price.kind == "estimated"


def test_a_smaller_network_takes_fewer_tiers() -> None:
    at_reference, small = network("tomahawk5-roce-3tier"), network("tomahawk5-roce-3tier", endpoints=128)
    assert small.power.value < 0.6 * at_reference.power.value
    assert small.parts.switches == 1


def test_a_slower_nic_takes_less_of_the_same_switch() -> None:
    """Two chips of 400G share a port of 800G."""
    full, half = (network("quantum-x800-2tier", p, 4_608) for p in ("gb300-nvl72", "gb200-nvl72"))
    assert half.parts.switches < 0.6 * full.parts.switches


def test_a_record_is_taken_at_its_word() -> None:
    made = network("efa-p5")
    record = CAT.get("fabric", "efa-p5")
    assert (made.power, made.price, made.parts) == (record.power_per_chip, record.price_per_chip, None)


def test_every_fabric_of_the_catalog_answers() -> None:
    for platform in CAT.all("platform"):
        for fabric in CAT.ids("fabric"):
            made = network(fabric, platform.id)
            assert 5 < made.power.value < 400, (platform.id, fabric)
            assert math.isfinite(made.price.value)


EXAMPLE = str(resources.files("gigawatt") / "examples" / "one-gigawatt.yaml")


def answer(*overrides: str):
    return work_out(load(EXAMPLE, (*overrides, "moats=false", "uncertainty.samples=16")))


def test_a_run_draws_what_the_parts_list_says() -> None:
    """Watts of the network in the power table are chips in use times the parts list's watts a chip."""
    # Of the platforms on offer only those with a network from parts, so that one of them is bought.
    made = answer("fleet.h200.supply=0", "fleet.b200.supply=0", "fleet.mi355x.supply=0", "fleet.tpu7x.supply=0")
    offered = next(o for o in made.resolved.offers if o.offer.id == "gb300")
    assert offered.network.parts is not None
    assert offered.network.power.value == pytest.approx(offered.network.parts.power_w / 10_368)
    power, _ = power_tables(made)
    drawn = dict(zip(power.columns["stage"], power.columns["watts"], strict=True))["scale-out network"]
    racks = made.plan.use.sum(axis=0).max()
    assert drawn == pytest.approx(racks * 72 * offered.network.power.value, rel=1e-6)
    table = network_table(made)
    rows = [dict(zip(table.columns, row, strict=True)) for row in zip(*table.columns.values(), strict=True)]
    assert {row["platform"] for row in rows} == {"gb300"}
    here = [row for row in rows if row["counted"] == "here"]
    assert sum(row["count"] * row["each_w"] for row in here) == pytest.approx(offered.network.parts.power_w)
    assert sum(row["usd"] or 0.0 for row in here) == pytest.approx(offered.network.bill.usd)
    assert {row["role"] for row in rows if row["counted"] == "in the platform"} >= {"NIC", "scale-up switch"}


def test_the_caller_gives_the_scale() -> None:
    at_reference, small = (
        resolve(load(EXAMPLE, sets)).offers[0].network
        for sets in ((), ("fleet.gb300.endpoints=576", "fleet.gb300.fabric=quantum-x800-2tier"))
    )
    assert (at_reference.parts.endpoints, small.parts.endpoints) == (10_368, 576)
    assert small.parts.switches == 12
    with pytest.raises(Infeasible, match="reach 10,368 endpoints, not 20,000"):
        resolve(load(EXAMPLE, ("fleet.gb300.endpoints=20000",)))
    with pytest.raises(InputError, match="endpoints"):
        load(EXAMPLE, ("fleet.gb300.endpoints=0",))


def test_the_fabric_that_is_named_is_paid_for() -> None:
    """A fabric named by the user replaces the usual share of the list price by its own bill."""
    made = answer("fleet.gb300.fabric=quantum-x800-2tier")
    rack = made.priced.rack_parts[0]
    assert rack.part_usd("network") == pytest.approx(72 * made.resolved.offers[0].network.price.value)

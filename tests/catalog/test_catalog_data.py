"""The packaged records: every file loads, every value has a source, references hold, values agree with each other."""

from __future__ import annotations

import re

import pytest

from gigawatt.catalog import KINDS, Catalog
from gigawatt.catalog.quantity import datums
from gigawatt.core.datum import KINDS as SOURCE_KINDS

CAT = Catalog.load()
ALL = [(kind, name) for kind in CAT.kinds for name in CAT.ids(kind)]


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIGAWATT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize(("kind", "name"), ALL, ids=lambda value: str(value))
def test_record_loads_with_sources(kind, name):
    record = CAT.get(kind, name)
    assert record.id == name
    assert re.fullmatch(r"[a-z0-9]+(?:[.\-][a-z0-9]+)*", name)
    assert record.source, "a record names where it comes from"
    for datum in datums(record):
        assert datum.source, datum.path
        assert datum.kind in SOURCE_KINDS, datum.path
        assert datum.path.startswith(f"{kind}/"), datum.path
        assert datum.as_of, datum.path
        low, high = datum.range
        assert low <= datum.value <= high, datum.path


def test_every_kind_holds_records():
    for kind in KINDS:
        if kind != "calibration":
            assert CAT.ids(kind), kind


def test_the_named_records_are_there():
    """What scenarios and examples rely on by default."""
    for kind, name in (
        ("platform", "gb300-nvl72"),
        ("platform", "hgx-h200"),
        ("platform", "hgx-b200"),
        ("platform", "mi355x-8"),
        ("platform", "tpu7x-64"),
        ("platform", "trn2-ultra"),
        ("platform", "cloudmatrix-384"),
        ("facility", "liquid-cooled-2026"),
        ("site", "abilene-texas"),
        ("cost", "baseline-2026"),
        ("fabric", "quantum-x800-2tier"),
        ("fabric", "spectrum-x-2tier"),
        ("model", "deepseek-v3"),
        ("model", "llama3-405b"),
    ):
        assert CAT.get(kind, name).id == name


def test_references_resolve():
    for platform in CAT.all("platform"):
        accelerator = CAT.get("accelerator", platform.accelerator)
        CAT.get("fabric", platform.fabric)
        CAT.get("company", platform.vendor)
        assert platform.scaleup_domain <= max(accelerator.scaleup_domain, platform.scaleup_domain)
        assert platform.chips_per_rack % platform.chips_per_node == 0
    for accelerator in CAT.all("accelerator"):
        CAT.get("company", accelerator.vendor)
    for fabric in CAT.all("fabric"):
        for part in (fabric.switch, fabric.optic, fabric.nic, fabric.cable):
            if part:
                CAT.get("netpart", part)


def test_modes_start_full_and_never_gain_from_less_power():
    for platform in CAT.all("platform"):
        assert len(platform.modes) >= 2
        first = platform.modes[0]
        assert (first.power_share.value, first.compute_share.value, first.memory_share.value) == (1, 1, 1)
        for mode in platform.modes:
            assert 0 < mode.power_share.value <= mode.compute_share.value <= 1
            assert mode.compute_share.value <= mode.memory_share.value <= 1


def test_rack_parts_stay_inside_the_rating():
    """Accelerators at their limit and the parts beside them come to the rated rack, within 20 %, where one is known."""
    for name in ("gb300-nvl72", "gb200-nvl72", "vr-nvl72", "cloudmatrix-384"):
        platform = CAT.get("platform", name)
        chip = CAT.get("accelerator", platform.accelerator)
        beside = sum(
            part.value
            for part in (
                platform.host_power,
                platform.scaleup_power,
                platform.nic_power,
                platform.fan_power,
                platform.storage_power,
            )
        )
        rack = (platform.chips_per_rack * chip.tdp.value + beside) / platform.supply_efficiency.value
        assert rack == pytest.approx(platform.rack_power_rated.value, rel=0.2), name


def test_tpu_rack_agrees_with_the_pod():
    """9,216 chips at nearly 10 MW are 1.085 kW a chip."""
    rack, pod = CAT.get("platform", "tpu7x-64"), CAT.get("platform", "tpu7x-9216")
    chip = CAT.get("accelerator", "tpu7x").tdp.value
    for platform in (rack, pod):
        beside = platform.host_power.value + platform.scaleup_power.value + platform.nic_power.value
        per_chip = (chip + beside / platform.chips_per_rack) / platform.supply_efficiency.value
        assert per_chip == pytest.approx(10e6 / 9216, rel=0.05)


def test_facility_circuits_have_what_their_heat_needs():
    """A share of heat that goes to liquid has a circuit, wetted air says how well it is wetted, a chiller how it condenses."""
    for facility in CAT.all("facility"):
        share = facility.liquid_share.value
        assert (facility.cooling.liquid is not None) or share == 0, facility.id
        assert (facility.cooling.air is not None) or share == 1, facility.id
        for circuit in filter(None, (facility.cooling.air, facility.cooling.liquid)):
            assert circuit.sink != "adiabatic" or (circuit.saturation is not None and circuit.air_rise is not None)
            assert circuit.carnot is None or (circuit.condenser is not None and circuit.evaporator is not None)
            assert circuit.economiser or circuit.carnot is not None, facility.id


def test_wet_bulb_never_above_dry_bulb():
    for site in CAT.all("site"):
        dry, wet = site.climate.dry_bulb.values, site.climate.wet_bulb.values
        assert len(dry) == len(wet) == 12
        assert all(w <= d for d, w in zip(dry, wet, strict=True))
        assert min(wet) > 230, "kelvin inside"
        assert max(dry) < 320


def test_platform_price_of_gb300_is_the_sum_of_its_gpus():
    """1.2 x GB200, each solved from USD per GPU-hour: 69.9 k USD a GPU."""
    gb300, gb200 = CAT.get("platform", "gb300-nvl72"), CAT.get("platform", "gb200-nvl72")
    assert gb300.list_price.value / gb200.list_price.value == pytest.approx(1.2, rel=0.005)
    assert gb300.list_price.value / 72 == pytest.approx(69_900, rel=0.002)


def annuity(rate: float, years: float) -> float:
    return rate / (1 - (1 + rate) ** -years)


@pytest.mark.parametrize(
    ("name", "usd_per_gpu_hour"),
    [("hgx-h100", 1.30), ("hgx-h200", 1.41), ("hgx-b200", 1.95), ("gb200-nvl72", 2.21), ("mi300x-8", 1.12),
     ("mi325x-8", 1.28), ("mi355x-8", 1.48)],
)  # fmt: skip
def test_list_price_solves_the_published_tco(name, usd_per_gpu_hour):
    """IT capital, shell at 11.3 M USD/MW, energy at 0.06 USD/kWh and 80 % load give the published USD per GPU-hour."""
    platform = CAT.get("platform", name)
    kw = platform.allin_power_per_chip.value / 1e3
    year = platform.list_price.value / platform.chips_per_rack * annuity(0.10, 5)
    year += kw * 11_300 * annuity(0.10, 15) + kw * 0.06 * 8760 * 0.8
    assert year / 8760 == pytest.approx(usd_per_gpu_hour, rel=0.01)


def test_money_of_the_cost_set_is_in_si():
    cost = CAT.get("cost", "baseline-2026")
    assert cost.shell_price.value == pytest.approx(11.3)  # USD per W
    assert cost.staff.value * 8760 * 3600 * 1e6 == pytest.approx(120_000)  # USD per MW and year
    china = CAT.get("cost", "china-2026")
    assert china.discount_rate == cost.discount_rate, "inherited with its source and path"
    assert china.shell_price.value == pytest.approx(4.0)

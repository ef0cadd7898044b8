"""Values against the collected fact tables, column by column, every row. Needs GIGAWATT_TRUTH."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from gigawatt.catalog import Catalog

pytestmark = [
    pytest.mark.truth,
    pytest.mark.skipif("GIGAWATT_TRUTH" not in os.environ, reason="needs the fact tables"),
]
CAT = Catalog.load()


def table(name: str) -> list[dict[str, str]]:
    with (Path(os.environ["GIGAWATT_TRUTH"]) / "facts" / name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def accelerators() -> dict[str, object]:
    """By the name of the fact table, which follows the vendor in ours."""
    return {record.name.split(" ", 1)[1]: record for record in CAT.all("accelerator")}


COLUMNS = {
    "mem_tbs": ("memory_bandwidth", 1e12),
    "scaleup_gbs_one_dir": ("scaleup_bandwidth", 1e9),
    "nic_gbps_per_gpu": ("nic_bandwidth", 1e9 / 8),
    "tdp_w": ("tdp", 1.0),
}
PEAKS = {
    "tflops_fp64_tensor": "fp64",
    "tflops_tf32": "tf32",
    "tflops_bf16": "bf16",
    "tflops_fp8": "fp8",
    "tflops_fp6": "fp6",
    "tflops_fp4": "fp4",
    "tops_int8": "int8",
}


def test_every_accelerator_is_there():
    named = {row["name"] for row in table("hardware.csv")}
    assert named <= set(accelerators())
    # Beyond the table: a chip that kernels were measured on, and those that robots carry or are measured with.
    robots = {"GeForce RTX 4090", "Jetson AGX Orin 64GB", "Jetson AGX Thor T5000"}
    assert set(accelerators()) - named == {"Arc Pro B60", *robots}


@pytest.mark.parametrize("column", [*COLUMNS, *PEAKS, "mem_gb", "scaleup_domain"])
def test_accelerators_equal_the_facts(column):
    records, checked = accelerators(), 0
    for row in table("hardware.csv"):
        given = row[column].split("-")[0]
        if not given:
            continue
        record = records[row["name"]]
        if column in PEAKS:
            value, expected = record.peak_flops[PEAKS[column]].value, float(given) * 1e12
        elif column == "mem_gb":
            value, expected = record.memory.value, float(given) * (2**30 if "GiB" in row["mem_type"] else 1e9)
        elif column == "scaleup_domain":
            value, expected = record.scaleup_domain, float(given)
        else:
            field, factor = COLUMNS[column]
            value, expected = getattr(record, field).value, float(given) * factor
        assert value == pytest.approx(expected, rel=1e-9), (record.id, column)
        checked += 1
    assert checked >= (1 if column in ("tflops_fp64_tensor", "tflops_fp6") else 10)


def test_accelerator_prices_equal_the_facts():
    records = accelerators()
    for row in table("hardware.csv"):
        if row["price_usd"]:
            price = records[row["name"]].price
            for part in row["price_usd"].split("-"):
                assert price.range[0] <= float(part) <= price.range[1], row["name"]


# Parts of the table that are told more exactly here: a chip and not its tray, one of two boxes.
NETPARTS = {
    "NVLink 6 switch (VR NVL72)": "NVLink 6 switch chip (VR NVL72)",
    "Spectrum-6 SN6810 / SN6800 (CPO)": "Spectrum-6 SN6810 (CPO)",
}


def test_netparts_equal_the_facts():
    records = {record.name: record for record in CAT.all("netpart")}
    rows = table("netparts.csv")
    for row in rows:
        record = records[NETPARTS.get(row["part"], row["part"])]
        if row["speed_gbps"]:
            assert record.port_bandwidth.value == pytest.approx(float(row["speed_gbps"]) * 1e9 / 8)
        if row["ports"].isdigit():
            assert record.ports == int(row["ports"])
        if row["power_w_max"]:
            assert record.power_max.value == float(row["power_w_max"])
        if row["power_w_typ"]:
            low, high = record.power_typical.range
            assert all(low <= float(part) <= high for part in row["power_w_typ"].split("-"))


def test_models_equal_the_counted_ones():
    """Sizes that were counted on the meta device are what the records say."""
    for row in table("flop_oracle.csv"):
        if row["model"].endswith("v3-encoder"):
            continue  # half of our whisper-large-v3
        record = CAT.find_model(row["model"])
        assert record is not None, row["model"]
        assert record.parameters_published.value == float(row["params"]), row["model"]


def test_all_in_power_equals_the_facts():
    wanted = {"H100": "hgx-h100", "H200": "hgx-h200", "B200": "hgx-b200", "GB200": "gb200-nvl72", "MI300X": "mi300x-8",
              "MI325X": "mi325x-8", "MI355X": "mi355x-8"}  # fmt: skip
    seen = set()
    for row in table("gw_cost.csv"):
        if row["item"] == "all-in power":
            record = CAT.get("platform", wanted[row["platform"]])
            assert record.allin_power_per_chip.value == pytest.approx(float(row["value_low"]) * 1e3)
            seen.add(row["platform"])
    assert seen == set(wanted)


def test_token_and_chip_prices_hold_the_facts():
    prices = CAT.get("price", "market-2026")
    tokens = {(round(r.input.value * 1e6, 6), round(r.output.value * 1e6, 6)) for r in prices.tokens}
    hours = [r.price for r in prices.chip_hours]
    rents = [round(r.price.value * 8760 * 3600, 6) for r in prices.power_years]
    for row in table("market_prices.csv"):
        low, high = row["value_low"], row["value_high"]
        if row["category"] == "token_price" and "input/output" in row["item"]:
            assert (float(low), float(high)) in tokens, row["item"]
        if row["category"] == "gpu_hour" and row["unit"] == "USD/GPU-h":
            middle = (float(low) + float(high)) / 2 / 3600
            assert any(price.value == pytest.approx(middle) for price in hours), row["item"]
        if row["category"] == "contract_per_mw_year":
            assert any(rent == pytest.approx(float(low), rel=1e-4) for rent in rents), row["item"]


SYSTEMS = {
    "DGX/HGX H100 (8x)": "hgx-h100",
    "HGX H200 (8x)": "hgx-h200",
    "HGX/DGX B200 (8x)": "hgx-b200",
    "DGX B300 (8x)": "hgx-b300",
    "DGX GB200 NVL72": "gb200-nvl72",
    "GB300 NVL72": "gb300-nvl72",
    "Vera Rubin NVL72 (was NVL144)": "vr-nvl72",
    "Vera Rubin NVL144 CPX": "vr-nvl144-cpx",
    "Rubin Ultra NVL576 (Kyber)": "kyber-nvl144",
    "HGX Rubin NVL8": "hgx-rubin-nvl8",
    "8x MI300X node": "mi300x-8",
    "8x MI325X node": "mi325x-8",
    "8x MI355X node": "mi355x-8",
    "Helios (72x MI455X)": "helios-72",
    "TPU7x rack (64 chips)": "tpu7x-64",
    "TPU7x superpod (9,216)": "tpu7x-9216",
    "TPU 8t superpod": "tpu-8t-pod",
    "Trn2 instance": "trn2-16",
    "Trn2 UltraServer": "trn2-ultra",
    "Trn3 UltraServer Gen1": "trn3-ultra-64",
    "Trn3 UltraServer Gen2": "trn3-ultra-144",
    "CloudMatrix 384": "cloudmatrix-384",
    "Cerebras CS-3": "cs-3",
    "Meta MTIA 400 rack": "mtia-400-72",
    "Groq 3 LPX rack": "groq-3-lpx",
}


def test_every_system_is_a_platform():
    """Counts of accelerators, scale-up domains and rated watts; HGX rows are nodes, of which our racks hold four."""
    rows = {row["system"]: row for row in table("systems.csv") if not row["system"].startswith("DSX")}
    assert set(rows) == set(SYSTEMS)
    for system, row in rows.items():
        platform = CAT.get("platform", SYSTEMS[system])
        nodes = 4 if SYSTEMS[system].startswith(("hgx", "mi3")) else 1
        count = "".join(c for c in row["accelerators"].split()[0] if c.isdigit()) or row["scaleup_domain"]
        assert platform.chips_per_rack == nodes * int(count), system
        if row["scaleup_domain"]:
            assert platform.scaleup_domain == int(row["scaleup_domain"]), system
        if row["power_kw_rated"]:
            rated = platform.node_power_rated if nodes > 1 else platform.rack_power_rated
            for part in row["power_kw_rated"].strip(">").split("-"):
                low, high = rated.range
                assert low * 0.999 <= float(part) * 1e3 <= high * 1.001, system

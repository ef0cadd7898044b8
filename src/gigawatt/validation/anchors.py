"""Published single figures beside ours: a day of serving, node and rack watts, all-in kW a chip, capital of a gigawatt.

Each of ours is worked out by the engine from catalog facts; none is fitted to the figure beside it. What was looked at
while a form was chosen says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.table import Table
from gigawatt.economics.cost import rack_capex
from gigawatt.physics.chip import box_from_record, box_watts, chip_from_record
from gigawatt.physics.serving.steady.production import deepseek_day
from gigawatt.physics.site import chain_from_record, meter_watts
from gigawatt.physics.workload import from_config
from gigawatt.study.network import network_of
from gigawatt.study.site.allin import PLATFORMS, kw_per_gpu

Row = dict[str, Any]
DEEPSEEK = "DeepSeek, open-infra-index day 6 (2025)"
TRAINING_SHARE = 0.95  # of the power limit in dense training: assumed, from plateaus of large GEMMs
# (platform, published mean W of a training node, where; fans off where immersed)
NODES = (
    ("hgx-h100", 6849.0, True, "MLPerf Training v4.0, GPT-3 on 64 nodes (immersion)"),
    ("hgx-b200", 9571.0, False, "MLPerf Training v5.0, Llama2-70B LoRA, one node"),
)
ALL_IN = (*PLATFORMS, "tpu7x-64")
CAPITAL = (
    ("gb300-nvl72", 33e9, "Morgan Stanley, May 2026"),
    ("gb200-nvl72", 35e9, "Bernstein, Oct 2025"),
    ("hgx-b200", 24e9, "Morgan Stanley, May 2026"),
    ("tpu7x-64", 27e9, "Morgan Stanley, May 2026"),
)


def anchors_table() -> Table:
    """One row an anchor: ours, published, error, source, and what to know."""
    catalog = Catalog.load()
    rows = [*_serving_day(catalog), *_nodes(catalog), *_all_in(catalog), *_capital(catalog)]
    columns = ["anchor", "unit", "ours", "published", "error", "source", "note"]
    return Table.from_rows("anchors", rows, columns, {"error": "share"}, "Published anchors")


def _row(anchor: str, unit: str, ours: float, published: float, source: str, note: str = "") -> Row:
    return {"anchor": anchor, "unit": unit, "ours": ours, "published": published, "error": ours / published - 1,
            "source": source, "note": note}  # fmt: skip


def _serving_day(catalog: Catalog) -> Iterator[Row]:
    model = catalog.get("model", "deepseek-v3")
    day = deepseek_day(from_config(model.id, model.config), chip_from_record(catalog.get("accelerator", "h800-sxm")))
    note = "overlap and two decode micro-batches, as the operator publishes them, were added with the figure known"
    nodes = day.nodes
    yield _row("DeepSeek's serving day: mean nodes", "nodes", nodes, 226.75, DEEPSEEK, note)
    yield _row("  prefill of a node before the derate", "token/s", day.prefill_tokens_per_s_per_node, 62713.0, DEEPSEEK,
               "published profile; the two errors below partly offset in the sum")  # fmt: skip
    yield _row("  decode of a node before the derate", "token/s", day.decode_tokens_per_s_per_node, 18598.0, DEEPSEEK)
    cost = nodes * 8 * 2.0 * 24
    revenue = 562_027.0
    yield _row("  cost of the day at 2 USD a GPU-hour", "USD", cost, 87_072.0, DEEPSEEK)
    yield _row("  margin on cost at all list prices", "share", revenue / cost - 1, 5.4547, DEEPSEEK,
               "revenue is tokens x list prices, as published")  # fmt: skip


def _nodes(catalog: Catalog) -> Iterator[Row]:
    for name, published, immersed, source in NODES:
        platform = catalog.get("platform", name)
        box = box_from_record(platform, catalog.get("accelerator", platform.accelerator))
        watts = box_watts(box, TRAINING_SHARE * box.chip.tdp_w)
        total = float(watts.total_w - (watts.fan_w / box.supply_efficiency if immersed else 0.0))
        per_node = total / platform.chips_per_rack * platform.chips_per_node
        note = "host watts in the catalog were sized with such figures in view: not independent"
        yield _row(f"{name}: node in training", "W", per_node, published, source, note)


def _all_in(catalog: Catalog) -> Iterator[Row]:
    for row in kw_per_gpu(ALL_IN, catalog).rows():
        published = catalog.get("platform", row["platform"]).allin_power_per_chip
        note = f"in {row['hall']}; by the maker's rating and the publisher's PUE {row['by_rating']:.2f}"
        yield _row(f"{row['platform']}: all-in at the meter, chips at their limit", "kW/chip", row["total"], row["published"],
                   published.source[:80], note)  # fmt: skip


def _meter_w(catalog: Catalog, name: str, facility: Any) -> float:
    chips = catalog.get("platform", name).chips_per_rack
    return float(meter_watts(_rack_w(catalog, name), chain_from_record(facility))) / float(chips)


def _rack_w(catalog: Catalog, name: str) -> float:
    """Rack-input watts of a platform with its part of the scale-out network, chips at their limit."""
    platform = catalog.get("platform", name)
    box = box_from_record(platform, catalog.get("accelerator", platform.accelerator))
    fabric = catalog.get("fabric", platform.fabric)
    network = network_of(fabric, platform, catalog.get("accelerator", platform.accelerator), catalog)
    return float(box_watts(box, box.chip.tdp_w).total_w) + box.chips * network.power.value


def _capital(catalog: Catalog) -> Iterator[Row]:
    facility = catalog.get("facility", "liquid-cooled-2026")
    costs = catalog.get("cost", "baseline-2026")
    per_it = float(meter_watts(1.0, chain_from_record(facility)))
    for name, published, source in CAPITAL:
        platform = catalog.get("platform", name)
        rack = rack_capex(name, platform.list_price.value, spares_share=costs.spares_share.value,
                          network_share=platform.network_share.value if platform.network_share else 0.0)  # fmt: skip
        racks = 1e9 / (_meter_w(catalog, name, facility) * platform.chips_per_rack)
        shell = facility.shell_price.value * 1e9 / per_it
        note = f"IT {racks * rack.usd / 1e9:.1f}, shell {shell / 1e9:.1f} B USD; racks at full power, all-in"
        yield _row(
            f"{name}: capital of a GW at the meter",
            "B USD",
            (racks * rack.usd + shell) / 1e9,
            published / 1e9,
            source,
            note,
        )

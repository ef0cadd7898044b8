"""All-in kW of an accelerator at the meter, part by part, beside what is published.

    all-in = (chips + hosts + NICs + switches in the rack + fans + storage) / supply efficiency + network outside,
             through the hall's power chain and cooling, mean of a year

All parts at full load: it is the power that must stand behind a chip, not what it draws in the mean. The hall counts with a
year's mean, as the published figures multiply by an annual PUE; the hour that power is sized for takes more. Every watt is a
fact of the catalog with its source; none was set with the published figure in view. A second estimate beside it takes the
maker's rating of the whole box and the publisher's own PUE: where both agree, the published figure is what boxes are rated at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.datum import Datum
from gigawatt.core.table import Table
from gigawatt.physics.chip import calibration
from gigawatt.physics.site import chain_from_record, site_year, sized, weather_of
from gigawatt.study.network import network_of
from gigawatt.study.site.loads import RECORD, rating_w

PLATFORMS = ("hgx-h100", "hgx-h200", "hgx-b200", "gb200-nvl72", "mi300x-8", "mi325x-8", "mi355x-8-air")
HALLS = {"air": "air-cooled-2020", "liquid": "liquid-cooled-2026"}
CLIMATE = "northern-virginia"  # of the largest market
# The same chip on a liquid loop, for which nobody publishes a figure of its own.
BESIDE = ("mi355x-8",)
COLUMNS = ("platform", "component", "kw_per_gpu", "low", "high", "kind", "source")
Part = dict[str, Any]


def kw_per_gpu_parts(names: Sequence[str] = PLATFORMS, catalog: Catalog | None = None) -> Table:
    """One row a platform and component: kW for each accelerator, its range, where it comes from."""
    found = catalog or Catalog.load()
    halls = _halls(found)
    rows = [row for name in names for row in _parts(name, found, halls)]
    units = dict.fromkeys(("kw_per_gpu", "low", "high"), "kW")
    note = f"At full load. Hall: losses and cooling, mean of a year in {CLIMATE}, whole records as their source."
    return Table.from_rows("kw_per_gpu_parts", rows, COLUMNS, units, "All-in kW per accelerator, by component", note)


def kw_per_gpu(names: Sequence[str] = (*PLATFORMS, *BESIDE), catalog: Catalog | None = None) -> Table:
    """One row a platform: its components summed into groups, the total, what is published, the error, the rating's way."""
    cat = catalog or Catalog.load()
    halls = _halls(cat)
    rows = []
    for name in names:
        platform = cat.get("platform", name)
        parts = {row["component"]: float(row["kw_per_gpu"]) for row in _parts(name, cat, halls)}
        total = sum(parts.values())
        published = platform.allin_power_per_chip
        rows.append(
            {
                "platform": name,
                "hall": HALLS[platform.cooling],
                "chip": parts["chip"],
                "host": parts["host"] + parts["storage"],
                "network": parts["NICs"] + parts["switches in the rack"] + parts["network outside"],
                "fans": parts["fans"],
                "supplies": parts["power supplies"],
                "facility": sum(watts for part, watts in parts.items() if part.startswith("hall: ")),
                "total": total,
                "published": published.value / 1e3 if published is not None else None,
                "error": total / (published.value / 1e3) - 1 if published is not None else None,
                "by_rating": _by_rating(name, cat),
            }
        )
    columns = list(rows[0])
    units = dict.fromkeys(columns[2:], "kW") | {"error": "share"}
    pue = calibration.table(RECORD, "allin_pue")
    note = (
        f"Parts at full load through the hall, mean of a year in {CLIMATE}. By rating: the maker's rating of the box, "
        f"and its network, at the publisher's PUE of {pue['air']} (air) and {pue['liquid']} (liquid). Published: SemiAnalysis "
        "InferenceX-app."
    )
    return Table.from_rows("kw_per_gpu", rows, columns, units, "All-in kW per accelerator", note)


def _parts(name: str, catalog: Catalog, halls: Mapping[str, Mapping[str, float]]) -> Iterator[Part]:
    platform = catalog.get("platform", name)
    accelerator = catalog.get("accelerator", platform.accelerator)
    fabric = catalog.get("fabric", platform.fabric)
    network = network_of(fabric, platform, accelerator, catalog).power
    facility = catalog.get("facility", HALLS[platform.cooling])
    chips, efficiency = platform.chips_per_rack, platform.supply_efficiency.value

    def row(component: str, watts: float, datum: Datum, scale: float) -> Part:
        low, high = datum.range
        source = datum.source or platform.source
        return {"platform": name, "component": component, "kw_per_gpu": watts / 1e3, "low": low * scale / 1e3,
                "high": high * scale / 1e3, "kind": datum.kind or platform.kind, "source": source}  # fmt: skip

    inside = 0.0
    yield row("chip", accelerator.tdp.value, accelerator.tdp, 1.0)
    for component, datum in (
        ("host", platform.host_power),
        ("storage", platform.storage_power),
        ("NICs", platform.nic_power),
        ("switches in the rack", platform.scaleup_power),
        ("fans", platform.fan_power),
    ):
        inside += datum.value / chips
        yield row(component, datum.value / chips, datum, 1 / chips)
    inside += accelerator.tdp.value
    lost = inside * (1 / efficiency - 1)
    ends = sorted(inside * (1 / e - 1) / 1e3 for e in platform.supply_efficiency.range)
    supply = platform.supply_efficiency
    yield {"platform": name, "component": "power supplies", "kw_per_gpu": lost / 1e3, "low": ends[0], "high": ends[1],
           "kind": supply.kind, "source": supply.source}  # fmt: skip
    yield row("network outside", network.value, network, 1.0)
    it_w = inside + lost + network.value
    for component, share in halls[platform.cooling].items():
        source = f"facility {facility.id}: {facility.source}"
        yield {"platform": name, "component": component, "kw_per_gpu": it_w * share / 1e3, "kind": facility.kind,
               "source": source}  # fmt: skip


def _halls(catalog: Catalog) -> dict[str, dict[str, float]]:
    """Watts by component of each hall for each watt at the rack input, mean of a year; linear, so one year serves all racks."""
    weather = weather_of(catalog.get("site", CLIMATE))
    out = {}
    for cooling, name in HALLS.items():
        flow = site_year(sized(chain_from_record(catalog.get("facility", name)), weather), weather, 1e6).mean
        out[cooling] = {
            "hall: distribution": float(flow.distribution_loss_w) / 1e6,
            "hall: UPS": float(flow.ups_loss_w) / 1e6,
            "hall: cooling": float(flow.cooling_w) / 1e6,
            "hall: building": float(flow.house_w) / 1e6,
            "hall: transformer": float(flow.transformer_loss_w) / 1e6,
        }
    return out


def hall_factor(cooling: str, catalog: Catalog) -> float:
    """Watts at the meter for each watt at the rack input, mean of a year, in the hall that a platform's cooling needs."""
    return 1.0 + sum(_halls(catalog)[cooling].values())


def _by_rating(name: str, catalog: Catalog) -> float | None:
    """(Rating of the box + network outside) x the publisher's PUE, kW for each accelerator; None without a rating."""
    platform = catalog.get("platform", name)
    rating = rating_w(platform)
    if rating is None:
        return None
    accelerator = catalog.get("accelerator", platform.accelerator)
    network = network_of(catalog.get("fabric", platform.fabric), platform, accelerator, catalog).power.value
    pue = float(calibration.table(RECORD, "allin_pue")[platform.cooling])
    return float((rating / platform.chips_per_rack + network) * pue / 1e3)

"""PUE of whole fleets from the climates and designs that public sources describe, beside what the fleets report.

A fleet is shares of IT energy over (design, climate): data/pue_fleets.yaml says which and on whose word. Each part is a
year of the design at its mean load under the hours of its climate (`physics.site.site_year`); of the fleet,

    PUE = sum of share x PUE of the part;   each stage's watts for each IT watt add up the same way, so causes sum to PUE - 1

Nothing is fitted to a fleet: designs are the catalog's, which take midpoints of published input ranges. pue_regions.csv holds
what operators publish by region (Green-Software-Foundation/real-time-cloud), against which climates alone are held.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from gigawatt.catalog import Catalog
from gigawatt.core.table import Table
from gigawatt.physics.site import SiteYear, chain_from_record, it_watts, site_year, sized, weather_of

CAUSES = (
    ("conversion", ("transformer_loss_w", "ups_loss_w", "distribution_loss_w")),
    ("fans and pumps", ("fan_w", "pump_w")),
    ("chillers", ("compressor_w",)),
    ("house", ("house_w",)),
)
SITE_W = 100e6
SEED = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a fleet's IT energy on one design in one climate."""

    facility: str
    site: str
    share: float
    places: str = ""


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet as described, with what it reports."""

    id: str
    subject: str
    published: float
    year: int
    source: str
    why: str
    leaves_out: str
    parts: tuple[Part, ...]


def _data(name: str) -> str:
    return resources.files("gigawatt.validation").joinpath("data", name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def fleets() -> tuple[Fleet, ...]:
    """The fleets on file, shares summing to one each."""
    found = []
    for name, said in YAML(typ="safe").load(_data("pue_fleets.yaml"))["fleets"].items():
        parts = _parts(said)
        whole = sum(part.share for part in parts)
        parts = tuple(Part(part.facility, part.site, part.share / whole, part.places) for part in parts)
        published = said["published"]
        found.append(
            Fleet(
                name, said["subject"], float(published["pue"]), int(published["year"]), published["source"], said["why"],
                said["leaves_out"], parts,
            )
        )  # fmt: skip
    return tuple(found)


def _parts(said: dict[str, Any]) -> tuple[Part, ...]:
    """As listed one by one; as owned and leased over zones; or as designs over climates."""
    if "parts" in said:
        return tuple(Part(p["facility"], p["site"], float(p["share"]), p.get("for", "")) for p in said["parts"])
    if "zones" in said:
        kinds = [(said[kind]["facility"], float(said[kind]["share"]), kind) for kind in ("owned", "leased")]
        return tuple(
            Part(name, site, n * share, kind) for site, n in said["zones"].items() for name, share, kind in kinds
        )
    return tuple(Part(name, site, float(share)) for name, share in said["designs"].items() for site in said["climates"])


@lru_cache(maxsize=256)
def year_of(facility: str, site: str) -> SiteYear:
    """A year of a design at its mean load in a climate."""
    cat = Catalog.load()
    record, weather = cat.get("facility", facility), weather_of(cat.get("site", site), SEED)
    chain = sized(chain_from_record(record), weather)
    return site_year(chain, weather, record.mean_load.value * float(it_watts(SITE_W, chain)), SITE_W)


def causes(year: SiteYear) -> dict[str, float]:
    """Watts for each IT watt by cause, over a year; they sum to PUE - 1."""
    it = year.it_w.sum()
    return {name: float(sum(getattr(year, stage).sum() for stage in stages) / it) for name, stages in CAUSES}


def fleet_pue(fleet: Fleet) -> tuple[float, float, dict[str, float]]:
    """(PUE, litres for each kWh of IT, watts for each IT watt by cause) of a fleet."""
    years = [(part.share, year_of(part.facility, part.site)) for part in fleet.parts]
    pue = sum(share * year.pue for share, year in years)
    wue = sum(share * year.wue for share, year in years)
    adds = {name: sum(share * causes(year)[name] for share, year in years) for name, _ in CAUSES}
    return pue, wue, adds


def pue_of_subject(subject: str) -> float | None:
    """The fleet's PUE where the fleet of that name is on file."""
    return next((fleet_pue(fleet)[0] for fleet in fleets() if fleet.subject == subject), None)


def fleets_table() -> Table:
    """Ours beside the reported, with what each cause adds."""
    rows = []
    for fleet in fleets():
        pue, wue, adds = fleet_pue(fleet)
        rows.append(
            {"fleet": fleet.id, "reported": fleet.published, "pue": pue, "off": pue - fleet.published, **adds, "wue": wue,
             "why": fleet.why, "source": fleet.source}
        )  # fmt: skip
    columns = ("fleet", "reported", "pue", "off", *(name for name, _ in CAUSES), "wue", "why", "source")
    return Table.from_rows("pue_fleets", rows, columns, {"wue": "L/kWh"}, "PUE of fleets from climate and design")


def regions_table() -> Table:
    """Every published region with the fleet's own designs there, weighted as the fleet says; and how far off."""
    known = {fleet.id: fleet for fleet in fleets()}
    rows = []
    for row in csv.DictReader(_data("pue_regions.csv").splitlines()):
        parts = [part for part in known[row["fleet"]].parts if part.site == row["site"]]
        named = [part for part in parts if row["place"] in part.places.split(", ")]
        used = named or parts
        years = [(part.share, year_of(part.facility, part.site)) for part in used]
        whole = sum(share for share, _ in years)
        pue, wue = (sum(s * getattr(y, key) for s, y in years) / whole for key in ("pue", "wue"))
        reported, water = float(row["pue"]), float(row["wue"]) if row["wue"] else None
        rows.append(
            {"fleet": row["fleet"], "region": row["region"], "year": int(row["year"]), "reported": reported, "pue": pue,
             "off": pue - reported, "wue_reported": water, "wue": wue, "designs": ", ".join(part.facility for part in used)}
        )  # fmt: skip
    columns = ("fleet", "region", "year", "reported", "pue", "off", "wue_reported", "wue", "designs")
    units = {"wue": "L/kWh", "wue_reported": "L/kWh"}
    return Table.from_rows("pue_regions", rows, columns, units, "PUE by region, of climate and design")


def error_by_fleet() -> dict[str, float]:
    """Root mean square of (ours - reported) over the regions of each fleet."""
    rows = list(regions_table().rows())
    return {
        fleet: float(np.sqrt(np.mean([row["off"] ** 2 for row in rows if row["fleet"] == fleet])))
        for fleet in dict.fromkeys(row["fleet"] for row in rows)
    }

"""PUE of fleets and of shipped designs: from climate and design, within what is published."""

from __future__ import annotations

import pytest

from gigawatt.catalog import Catalog
from gigawatt.validation.fleet_pue import causes, fleet_pue, fleets, regions_table, year_of

CAT = Catalog.load()
FLEETS = {fleet.id: fleet for fleet in fleets()}
# Where each shipped design is at home: a temperate climate, and a hot one.
CLIMATES = ("iowa", "abilene-texas")


@pytest.mark.parametrize("name", FLEETS)
def test_five_fleets_come_within_five_hundredths_of_what_they_report(name: str) -> None:
    fleet = FLEETS[name]
    pue, wue, adds = fleet_pue(fleet)
    assert pue == pytest.approx(fleet.published, abs=0.05)
    assert sum(adds.values()) == pytest.approx(pue - 1, abs=1e-9)
    assert all(value >= 0 for value in adds.values()) and wue >= 0
    assert sum(part.share for part in fleet.parts) == pytest.approx(1.0)


def test_google_by_region_follows_climate_alone() -> None:
    """One design in eleven climates: each within 0.03, and the hottest and the coolest are where the operator has them."""
    rows = [row for row in regions_table().rows() if row["fleet"] == "google"]
    assert len(rows) == 11
    assert all(abs(row["off"]) < 0.03 for row in rows)
    assert max(rows, key=lambda row: row["pue"])["region"] == max(rows, key=lambda row: row["reported"])["region"]


@pytest.mark.parametrize("facility", CAT.ids("facility"))
def test_shipped_designs_have_the_pue_their_records_name(facility: str) -> None:
    low, high = CAT.get("facility", facility).pue.range
    years = [year_of(facility, site) for site in CLIMATES]
    # Records name a range over the climates where such halls stand; a temperate and a hot one reach into it.
    assert any(low <= year.pue <= high for year in years), [year.pue for year in years]
    assert all(low - 0.03 <= year.pue <= high + 0.03 for year in years), [year.pue for year in years]


@pytest.mark.parametrize("facility", CAT.ids("facility"))
def test_water_is_what_the_design_evaporates(facility: str) -> None:
    record = CAT.get("facility", facility)
    sinks = {c.sink for c in (record.cooling.air, record.cooling.liquid) if c is not None}
    year = year_of(facility, "abilene-texas")
    assert (year.wue == 0) == (sinks == {"dry"})
    # No more than all heat and all chiller work evaporated: 3.6 MJ / 2.45 MJ/kg a kWh, with blow-down, and warm air's own heat.
    assert year.wue <= 1.47 * 1.25 * (1 + causes(year)["chillers"] + causes(year)["conversion"]) * 1.4

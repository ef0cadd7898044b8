"""Tables of a run's building: hours add up to the meter, months to the year, the hottest day is the dearest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gigawatt
from gigawatt.report.building_charts import COLOURS
from gigawatt.study.answer import Answer
from gigawatt.study.headline import metrics_table
from gigawatt.study.load import load
from gigawatt.study.pipeline import work_out
from gigawatt.study.site.year_tables import STAGES, days_of, hours_table, year_table

ONE_RACK = Path(gigawatt.__file__).parent / "examples" / "one-rack.yaml"


@pytest.fixture(scope="module")
def answer() -> Answer:
    return work_out(load(ONE_RACK, []))


def test_stages_of_an_hour_add_up_to_the_meter(answer: Answer) -> None:
    table = hours_table(answer)
    assert table is not None and len(table) == 48
    for row in table.rows():
        assert sum(row[f"{stage} MW"] for stage in STAGES) == pytest.approx(row["meter_mw"], rel=1e-12)
        assert row["pue"] == pytest.approx(row["meter_mw"] / row["IT MW"])
        assert row["wet_bulb"] <= row["dry_bulb"]
    assert tuple(COLOURS) == STAGES


def test_months_are_the_year_and_the_hottest_day_takes_the_most(answer: Answer) -> None:
    year, table = answer.site_year, year_table(answer)
    assert year is not None and table is not None
    rows = list(table.rows())
    days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    assert np.dot([row["mean_mw"] for row in rows], days) / 365 == pytest.approx(year.meter_w.mean() / 1e6)
    assert max(row["peak_mw"] for row in rows) == pytest.approx(year.peak_w / 1e6)
    energy = year.meter_w.reshape(-1, 24).sum(axis=1)
    found = days_of(year)
    assert energy[found["hottest"]] == energy.max()
    assert energy[found["typical"]] == np.sort(energy)[182]


def test_headlines_have_the_design_hour_and_the_year(answer: Answer) -> None:
    metrics = {row["name"]: row["value"] for row in metrics_table(answer).rows()}
    assert metrics["pue"] >= metrics["annual_pue"] >= 1
    assert metrics["wue"] == 0  # the default building cools dry
    # What a run pays for is what the year takes: the design hour's watts at mean load, times the share.
    plant = answer.priced.plant
    assert 0.85 < plant.energy_share < 1.0


@pytest.mark.parametrize("redundancy", ["N", "N+1", "2N"])
def test_redundancy_of_the_scenario_reaches_the_chain(redundancy: str) -> None:
    from gigawatt.study.resolve import resolve
    from gigawatt.study.site.year import chain_at, weather_at

    resolved = resolve(load(ONE_RACK, [f"site.redundancy={redundancy}"]))
    assert chain_at(resolved, weather_at(resolved)).modules.redundancy == redundancy

"""The answer of `gigawatt moats`: every regime, its bands, prices and maps, as one result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt import __version__
from gigawatt.catalog import Catalog
from gigawatt.core.table import Table
from gigawatt.factory.moats import (
    MOATS,
    Absent,
    Cell,
    Game,
    Regime,
    Value,
    assess,
    demand_curves,
    scarcity_map,
    standard_regimes,
    watt_map,
)
from gigawatt.study.explained.kept import kept
from gigawatt.study.load import Loaded
from gigawatt.study.moats.draws import draws_of
from gigawatt.study.moats.explained import trees
from gigawatt.study.moats.setting import setting_of
from gigawatt.study.moats.spec import Moats
from gigawatt.study.moats.strengths import Strengths, strengths_of
from gigawatt.study.moats.tables import (
    cells_table,
    curves_table,
    extras_table,
    moat_rows,
    moats_of,
    regimes_table,
    terms_table,
)
from gigawatt.study.moats.words import sentences
from gigawatt.study.pipeline import chosen
from gigawatt.study.resolve import resolve
from gigawatt.study.result import RunResult
from gigawatt.study.risk.check import check_varied
from gigawatt.study.site.hall import air_words
from gigawatt.study.source import digest
from gigawatt.study.timeline import timeline

Array = NDArray[np.float64]
Say = Callable[[str], Any]
POWER_STEPS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of the power-limited site's MW
CHIP_STEPS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of the vendor's racks in it
ENERGY_USD_PER_MWH = (0.0, 30.0, 60.0, 100.0, 200.0)
SHELL_USD_PER_MW = (0.0, 4e6, 11.3e6, 20e6)
PRICES = 25  # points of a demand curve


def answer_moats(loaded: Loaded, say: Say = lambda _: None, catalog: Catalog | None = None) -> RunResult:
    """Price the moats of a scenario.

    Raises:
        InputError: an id, a vendor or a rival that is not there, or no rival at all.
        Infeasible: no plan fits.
    """
    began = time.perf_counter()
    say("looking up the catalog")
    resolved = resolve(loaded, catalog)
    check_varied(resolved)
    spec = resolved.scenario.moats or Moats()
    priced, best = chosen(resolved, timeline(loaded.scenario), say)
    say("working out each moat")
    setting = setting_of(resolved, priced, best, spec)
    strengths = strengths_of(setting, in_parts=True)
    return _result(strengths, began, say)


def _result(strengths: Strengths, began: float, say: Say) -> RunResult:
    setting, terms = strengths.setting, strengths.terms()
    spec, scenario = setting.spec, setting.resolved.scenario
    draws = draws_of(strengths, spec.samples)
    found: list[Value | Absent] = []
    curves: list[tuple[str, Array, dict[str, Array]]] = []
    regimes = standard_regimes(setting.inputs, terms, list(dict.fromkeys(spec.regimes)), export_share=spec.export_share)
    for regime in regimes:
        if isinstance(regime, Absent):
            found.append(regime)
            continue
        say(f"solving {regime.name}")
        game = Game(regime.inputs, regime.terms)
        value = assess(regime, draws, game=game)
        found.append(value)
        if value.premium.volume > 0:
            low = float(setting.cost_share[list(setting.focal)].min()) * 0.8
            grid = np.geomspace(low, max(value.premium.with_all, 1.0) * 1.25, PRICES)
            curves.append((regime.name, grid, demand_curves(game, grid)))
    values = [one for one in found if isinstance(one, Value)]
    rows = [row for one in values for row in moat_rows(one, setting)]
    say("drawing maps")
    tables = [
        moats_of(rows, _note(strengths, len(draws))),
        regimes_table(found),
        curves_table(curves, setting),
        *(_maps(strengths) if spec.map else ()),
        terms_table(strengths),
        extras_table(values, strengths),
    ]
    said = sentences(found, strengths)
    metrics = _metrics(values)
    origins = trees(values, strengths, metrics)
    manifest = {
        "question": "moats",
        "version": __version__,
        "vendor": setting.vendor,
        "rival": setting.names[setting.rival],
        "basis": spec.basis,
        "total": {one.regime.name: one.total * one.per_mw for one in values},
        "premium": {one.regime.name: one.premium.with_all for one in values},
        "binding": {one.regime.name: list(one.binding) for one in values},
        "absent": {one.name: one.why for one in found if isinstance(one, Absent)},
        "seed": scenario.seed,
        "samples": len(draws),
        "scenario": setting.resolved.loaded.source.data,
        "scenario_file": setting.resolved.loaded.source.file,
        "scenario_hash": digest(setting.resolved.loaded.source.data)[:16],
        **kept(origins, setting.resolved.catalog, setting.resolved.loaded.source),
        "wall_s": time.perf_counter() - began,
    }
    made = {table.name: table for table in tables if len(table)}
    title = f"Moats of {setting.vendor}: {scenario.title or scenario.name}"
    onwards = [f"gigawatt explain {name}" for name in list(origins)[:1]]
    texts = {"answer": said[1:], "notes": [*setting.notes, *_caveats(strengths)], "next": onwards}
    return RunResult(f"{scenario.name}-moats", title, said[0], made, metrics, texts, manifest)


def _note(strengths: Strengths, samples: int) -> str:
    setting = strengths.setting
    return (
        f"{setting.vendor} against {setting.names[setting.rival]}; USD per MW of the site with all moats on and year, joint "
        f"surplus of buyer and vendor. Low and high are P10 and P90 of {samples} draws of the terms, token prices and "
        "calibration errors. Removed is an upper bound of what a rival's progress can take; given is the open alternative."
    )


def _metrics(values: Sequence[Value]) -> Table:
    """Headline numbers: the total of each regime with its band, and its premium."""
    rows: list[dict[str, Any]] = []
    for one in values:
        name, per_mw = one.regime.name.replace("-", "_").replace(" ", "_"), one.per_mw
        drawn = not np.isnan(one.total_band[0])
        rows.append(
            {
                "name": f"moats_{name}",
                "value": one.total * per_mw,
                "unit": "USD/MW/yr",
                "low": one.total_band[0] * per_mw if drawn else None,
                "high": one.total_band[1] * per_mw if drawn else None,
                "formula": "v(all) - v(none): sum of the three Shapley values",
            }
        )
        for moat in MOATS:
            band = one.bands.get(moat)
            rows.append(
                {
                    "name": f"{moat}_{name}",
                    "value": one.shapley[moat] * per_mw,
                    "unit": "USD/MW/yr",
                    "low": band.low * per_mw if band else None,
                    "p50": band.middle * per_mw if band else None,
                    "high": band.high * per_mw if band else None,
                    "formula": "Shapley value",
                }
            )
        rows.append(
            {
                "name": f"premium_{name}",
                "value": one.premium.with_all,
                "unit": "x list",
                "formula": "highest price at which half of the base volume is still taken",
            }
        )
    columns = ("name", "value", "unit", "low", "p50", "high", "formula", "inputs")
    return Table.from_rows("metrics", rows, columns)


def _maps(strengths: Strengths) -> list[Table]:
    """The map over scarcity, and that over the price of a watt where power is no limit."""
    setting, terms = strengths.setting, strengths.terms()
    names = ("power-limited", "chip-limited", "demand-limited")
    power, *free = standard_regimes(setting.inputs, terms, names)
    if isinstance(power, Absent):
        return []
    out = [_scarcity(strengths, power)]
    place = next((one for one in free if isinstance(one, Regime)), None)
    energy = setting.priced.running.energy_usd_per_mwh
    shell = setting.priced.shell_usd_per_mw
    if place is not None and energy > 0 and shell > 0:
        game = Game(place.inputs, terms)
        cells = watt_map(game, [e / energy for e in ENERGY_USD_PER_MWH], [s / shell for s in SHELL_USD_PER_MW])
        shown = [replace(cell, across=cell.across * energy, up=cell.up * shell) for cell in cells]
        units = {"energy_usd_per_mwh": "USD/MWh", "shell_usd_per_mw": "USD/MW"}
        title = f"What a watt costs, where power is no limit ({place.name})"
        out.append(cells_table("map_watts", shown, "energy_usd_per_mwh", "shell_usd_per_mw", units, title))
    return out


def _scarcity(strengths: Strengths, power: Regime) -> Table:
    setting, terms = strengths.setting, strengths.terms()
    game = Game(power.inputs, terms)
    base = game.value()
    focal = list(setting.focal)
    supplies = []
    for times in CHIP_STEPS:
        supply = np.array(power.inputs.platforms.supply_racks)
        supply[focal] = base.racks[focal] * times
        supplies.append((base.accelerators * times, supply))
    cells: list[Cell] = []
    if base.accelerators > 0:
        cells = scarcity_map(game, [base.site_mw * times for times in POWER_STEPS], supplies)
    units = {"power_mw": "MW", "accelerators": ""}
    title = "Which moat matters most, over power and the vendor's chips on offer"
    return cells_table("map_scarcity", cells, "power_mw", "accelerators", units, title)


def _caveats(strengths: Strengths) -> list[str]:
    """What a reader must know."""
    setting = strengths.setting
    peaks = sorted({basis for basis in strengths.bases if basis != "measured here"})
    said = [
        "Software and network are not separable in published data: what is taken for one is not in the others, and their sum "
        "is better known than its parts.",
        "Token prices are held: with fewer chips on the market they would rise. Give a workload price tiers where the fleet is "
        "large enough to move them.",
        "Networking is switched off at equal price and watts; what a box of the rival's domain would save is a line by itself.",
    ]
    if setting.spec.across is None:
        said.append("The site is one place: nothing crosses between sites, and scale-across is worth nothing here.")
    else:
        said.append("Scale-across rests on a vendor's claim: the middle of 1 and its 1.9 times ordinary Ethernet.")
    if peaks:
        works = [n for n, b in zip(setting.inputs.workloads, strengths.bases, strict=True) if b != "measured here"]
        said.append(f"Performance per watt of {', '.join(works)} rests on {', '.join(peaks)}.")
    compared = sorted({*strengths.best, setting.rival})
    return said + air_words(setting.resolved, setting.priced.chain, compared)

"""The tables of an answer about moats, from what the factory found in each regime."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.economics.cost import quarterly_crf
from gigawatt.factory.moats import MOATS, Absent, Cell, Value, shares
from gigawatt.study.moats.networks import PARTS
from gigawatt.study.moats.setting import Setting
from gigawatt.study.moats.strengths import Strengths

WORDS = {"software": "software", "networking": "networking", "perf_per_watt": "performance per watt"}
MONEY = ("removed_usd_per_mw_yr", "given_usd_per_mw_yr", "shapley_usd_per_mw_yr", "low", "high")
MORE = (
    "p50", "first_on_usd_per_mw_yr", "share", "largest_share", "shapley_usd_per_rack_yr", "shapley_usd_per_accelerator",
)  # fmt: skip
Row = dict[str, Any]


def moat_rows(found: Value, setting: Setting) -> list[Row]:
    """One row a moat of one regime."""
    per_mw, part = found.per_mw, shares(found.shapley)
    racks = float(found.base.racks[list(setting.focal)].sum())
    life = float(setting.resolved.costs.it_life_years.value)
    level = float(quarterly_crf(setting.resolved.scenario.discount_rate, life))
    rows = []
    for moat in MOATS:
        value, band = found.shapley[moat], found.bands.get(moat)
        ends = (band.low, band.middle, band.high, band.largest) if band else (value, value, value, None)
        rows.append(
            {
                "regime": found.regime.name,
                "moat": moat,
                "removed_usd_per_mw_yr": found.removed[moat].joint * per_mw,
                "given_usd_per_mw_yr": found.given[moat].joint * per_mw,
                "shapley_usd_per_mw_yr": value * per_mw,
                "low": ends[0] * per_mw,
                "high": ends[2] * per_mw,
                "p50": ends[1] * per_mw,
                "first_on_usd_per_mw_yr": found.first_on[moat] * per_mw,
                "share": part[moat],
                "largest_share": ends[3],
                "shapley_usd_per_rack_yr": value / racks if racks > 0 else None,
                "shapley_usd_per_accelerator": (
                    value / found.base.accelerators / level if found.base.accelerators > 0 else None
                ),
            }
        )
    return rows


def moats_of(rows: Sequence[Row], note: str, *, short: bool = False) -> Table:
    """The table of all regimes."""
    units = dict.fromkeys([*MONEY, "p50", "first_on_usd_per_mw_yr"], "USD/MW/yr")
    units |= {"shapley_usd_per_rack_yr": "USD/rack/yr", "shapley_usd_per_accelerator": "USD"}
    units |= {"share": "share", "largest_share": "share"}
    columns = ("regime", "moat", *MONEY, *(() if short else MORE))
    return Table.from_rows("moats", rows, columns, units, "What each moat is worth", note)


def regimes_table(found: Iterable[Value | Absent]) -> Table:
    """One row a regime: what is short, what binds, how much stands, what the three are worth together, the prices."""
    rows: list[Row] = []
    for one in found:
        if isinstance(one, Absent):
            rows.append({"regime": one.name, "short": f"can not arise: {one.why}"})
            continue
        per_mw = one.per_mw
        rows.append(
            {
                "regime": one.regime.name,
                "short": one.regime.short,
                "binding": ", ".join(one.binding) or "nothing",
                "site_mw": one.base.site_mw,
                "accelerators": one.base.accelerators,
                "total_usd_per_mw_yr": one.total * per_mw,
                "total_low_usd_per_mw_yr": None if np.isnan(one.total_band[0]) else one.total_band[0] * per_mw,
                "total_high_usd_per_mw_yr": None if np.isnan(one.total_band[1]) else one.total_band[1] * per_mw,
                "premium": one.premium.with_all,
                "premium_without": one.premium.with_none,
                "best_price": one.premium.best,
            }
        )
    columns = (
        "regime", "short", "binding", "site_mw", "accelerators", "total_usd_per_mw_yr", "total_low_usd_per_mw_yr",
        "total_high_usd_per_mw_yr", "premium", "premium_without", "best_price",
    )  # fmt: skip
    units = {"site_mw": "MW"} | dict.fromkeys(
        ("total_usd_per_mw_yr", "total_low_usd_per_mw_yr", "total_high_usd_per_mw_yr"), "USD/MW/yr"
    )
    units |= dict.fromkeys(("premium", "premium_without", "best_price"), "x list")
    note = (
        "Premium: the highest price at which the buyer still takes half of what it takes at list (at production cost where it "
        "takes nothing at list); without: the same with none of the moats; best price: where the vendor earns most."
    )
    return Table.from_rows("regimes", rows, columns, units, "The regimes: what is short, what binds", note)


def extras_table(found: Iterable[Value], strengths: Strengths) -> Table:
    """Further lines, one a row."""
    rows = [row for one in found for row in _extras(one, strengths)]
    return Table.from_rows("extras", rows, ("regime", "line", "value", "unit"), {}, "Further lines")


def _extras(found: Value, strengths: Strengths) -> Iterator[Row]:
    per_mw, regime = found.per_mw, found.regime.name

    def line(words: str, value: float | None, unit: str = "USD/MW/yr") -> Row:
        return {"regime": regime, "line": words, "value": value, "unit": unit}

    yield line("joint worth with all moats", found.worth[MOATS] * per_mw)
    yield line("joint worth with no moat", found.worth[()] * per_mw)
    yield line("buyer's surplus at list price", found.buyer * per_mw)
    yield line("vendor's profit at list price", found.vendor * per_mw)
    for moat in MOATS:
        yield line(f"{WORDS[moat]}: first on", found.first_on[moat] * per_mw)
        yield line(f"{WORDS[moat]}: last off", found.removed[moat].joint * per_mw)
    names = {**WORDS, "all": "all three"}
    for way, of in (("removed", found.removed), ("given to rivals", found.given)):
        yield line(f"all three {way}: joint worth lost", of["all"].joint * per_mw)
        for moat, alone in of.items():
            yield line(f"{names[moat]} {way}: change of the buyer's surplus at list price", alone.buyer * per_mw)
            yield line(f"{names[moat]} {way}: change of the vendor's profit at its best price", alone.vendor * per_mw)
    yield line(f"the cheaper box where the domain is the rival's ({_boxes(strengths)})", found.box * per_mw)
    prices = found.premium
    yield line(f"price at half of the volume at {prices.base}, all moats", prices.with_all, "x list")
    yield line(f"price at half of the volume at {prices.base}, no moat", prices.with_none, "x list")
    focal = list(strengths.setting.focal)
    costs = strengths.setting.cost_share[focal]
    yield line("production cost", float(costs.min()), "x list")
    yield line("vendor's best price", prices.best, "x list")
    yield line("vendor's profit at its best price", prices.best_profit * per_mw)
    for moat, band in found.bands.items():
        yield line(f"{WORDS[moat]}: largest of the three", band.largest, "share of draws")
    yield line("site power", found.base.site_mw, "MW")
    yield line("racks of the vendor", float(found.base.racks[focal].sum()), "racks")
    yield line("accelerators of the vendor", found.base.accelerators, "accelerators")


def _boxes(strengths: Strengths) -> str:
    pairs = [
        f"{name} as {other}" for name, other in zip(strengths.setting.names, strengths.box_names, strict=True) if other
    ]
    return ", ".join(pairs) or "no platform of the vendor has a wider domain and a smaller one in the catalog"


def terms_table(strengths: Strengths) -> Table:
    """One row a platform of the vendor and workload: the factors, where they come from, how tokens per MW stand here."""
    setting, terms = strengths.setting, strengths.terms()
    level, left = strengths.levels(), strengths.porting()
    rows = []
    for i in setting.focal:
        for w, name in enumerate(setting.inputs.workloads):
            if setting.per_mw[i, w] <= 0:
                continue
            steps = np.exp(np.diff(_logs(np.append(1.0, strengths.parts[i, w]))))
            parts = steps.tolist() if i == strengths.best[w] else [None] * len(PARTS)
            rows.append(
                {
                    "platform": setting.names[i],
                    "workload": name,
                    "software": level[setting.rival, w] / level[i, w],
                    "after_port": left[w],
                    "networking": terms.networking[i, w],
                    **dict(zip(PARTS, parts, strict=True)),
                    "perf_per_watt": terms.watts[i, w],
                    "basis": strengths.bases[w]
                    + ("" if i == strengths.best[w] else f" on {setting.names[strengths.best[w]]}"),
                    "tokens_out_per_s_per_mw": setting.per_mw[i, w],
                    "rival_tokens_out_per_s_per_mw": setting.per_mw[setting.rival, w],
                }
            )
    columns = (
        "platform", "workload", "software", "after_port", "networking", *PARTS, "perf_per_watt", "basis",
        "tokens_out_per_s_per_mw", "rival_tokens_out_per_s_per_mw",
    )  # fmt: skip
    units = dict.fromkeys(("tokens_out_per_s_per_mw", "rival_tokens_out_per_s_per_mw"), "token/s/MW")
    note = (
        "Off: tokens x software (speed of the rival's stack over ours) x after port (share of life left), tokens x networking "
        f"(domain x links x fabric x sites of {setting.names[setting.rival]}), watts x performance per watt. Measured, the "
        "three multiply to the rival's tokens per MW on the platform named, so that nothing feeds two moats."
    )
    return Table.from_rows("terms", rows, columns, units, "What each moat is when it is off", note)


def _logs(values: Any) -> Any:
    return np.log(np.maximum(values, 1e-9))


def curves_table(curves: Sequence[tuple[str, Any, dict[str, Any]]], setting: Setting) -> Table:
    """Accelerators taken at each price, by regime and set of moats."""
    offered = setting.resolved.offers[setting.lead]
    each = offered.list_price_usd / offered.platform.chips_per_rack
    rows = [
        {
            "regime": regime,
            "moats": name,
            "price": float(at),
            "price_usd_per_accelerator": float(at) * each,
            "accelerators": float(taken),
        }
        for regime, prices, by in curves
        for name, column in by.items()
        for at, taken in zip(prices, column, strict=True)
    ]
    units = {"price": "x list", "price_usd_per_accelerator": "USD"}
    note = f"Every platform of the vendor at the same multiple of list; in USD for {offered.offer.id}, all IT of its share."
    columns = ("regime", "moats", "price", "price_usd_per_accelerator", "accelerators")
    return Table.from_rows("curves", rows, columns, units, "What the buyer takes at each price", note)


def cells_table(name: str, cells: Sequence[Cell], across: str, up: str, units: dict[str, str], title: str) -> Table:
    """A map: the Shapley values of each cell, which is largest, the share of performance per watt."""
    rows = []
    for cell in cells:
        part = shares(cell.values)
        per_mw = 1 / cell.site_mw if cell.site_mw > 0 else 0.0
        most = max(cell.values, key=lambda m: cell.values[m])
        rows.append(
            {
                across: cell.across,
                up: cell.up,
                "site_mw": cell.site_mw,
                **{f"{m}_usd_per_mw_yr": value * per_mw for m, value in cell.values.items()},
                "largest": most if cell.values[most] > 0 else "none",
                "perf_per_watt_share": part["perf_per_watt"],
            }
        )
    money = {f"{m}_usd_per_mw_yr": "USD/MW/yr" for m in MOATS}
    columns = (across, up, "site_mw", *money, "largest", "perf_per_watt_share")
    note = "Shares only where all three are positive."
    return Table.from_rows(name, rows, columns, {**units, **money, "site_mw": "MW"}, title, note)

"""Headline numbers of the hours: each with its unit, formula and, where the speed of services moves it, its band."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.core.table import Table
from gigawatt.factory.operation import Dispatched, Operation
from gigawatt.factory.operation.model import HOUR_S
from gigawatt.study.operate.bands import Band
from gigawatt.study.operate.conditions import DAY_H
from gigawatt.study.operate.fleet import Setting

BINDS = 1e-3  # USD a MWh over which power counts as short


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of the hours: `value` of a schedule; `banded` where it is worked out at both ends of the services' speed."""

    name: str
    unit: str
    formula: str
    value: Callable[[Setting, Operation], float | None]
    banded: bool = False


def _services(setting: Setting) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array([kind == "service" for kind in setting.inputs.works.kind], dtype=bool)


def _days(setting: Setting) -> float:
    return setting.inputs.hours / DAY_H


def sold(setting: Setting, done: Operation) -> float:
    """Output tokens of services over all hours."""
    mine = _services(setting)[setting.inputs.segments.work]
    return float(done.sold_tokens_per_s[mine].sum()) * HOUR_S


def _asked(setting: Setting) -> float:
    return float(setting.demand_tokens_per_s[_services(setting)].sum()) * HOUR_S


def _unserved(setting: Setting, done: Operation) -> float | None:
    asked = _asked(setting)
    return 1.0 - sold(setting, done) / asked if asked else None


def _missed(setting: Setting, done: Operation) -> float | None:
    """Of what the plan meant to serve, the share that is not served in its hour."""
    mine = _services(setting)
    meant = setting.planned[mine]
    if not meant.sum():
        return None
    served = served_tokens_per_s(setting, done)[mine]
    return float(np.maximum(meant - served, 0.0).sum() / meant.sum())


def served_tokens_per_s(setting: Setting, done: Operation) -> np.ndarray[Any, np.dtype[np.float64]]:
    """[W, H] sold of services."""
    out = np.zeros_like(setting.demand_tokens_per_s)
    np.add.at(out, setting.inputs.segments.work, done.sold_tokens_per_s)
    return out


def _trained(setting: Setting, done: Operation) -> float | None:
    runs = ~_services(setting)
    return float(done.tokens_out_per_s[runs].sum()) * HOUR_S / _days(setting) if runs.any() else None


def _joules(setting: Setting, done: Operation) -> float | None:
    """Meter joules of services' racks, with their share of losses and cooling, over their output tokens."""
    mine = _services(setting)
    mwh = float((done.work_it_mw[mine].sum(axis=0) * setting.inputs.per_it).sum())
    tokens = sold(setting, done)
    return mwh * 3.6e9 / tokens if tokens else None


def _pue(setting: Setting, done: Operation) -> float:
    return float(done.meter_mw.sum() / done.it_mw.sum())


def _water(setting: Setting, done: Operation) -> float:
    return float((setting.around.water_l_per_it_mwh * done.it_mw).sum()) / 1e3 / _days(setting)


def _carbon(setting: Setting, done: Operation) -> float:
    return float((done.gen_mw * setting.inputs.sources.carbon_kg_per_mwh).sum()) / 1e3 / _days(setting)


def _load(setting: Setting, done: Operation) -> float:
    return float(done.meter_mw.mean()) / setting.answer.plan.site_mw


def _planned_load(setting: Setting, done: Operation) -> float:
    """What the plan's energy bill assumes: racks in use x their load, in the design hour, over the MW built."""
    answer = setting.answer
    use = answer.plan.use[:, setting.phase]
    return float(use @ (answer.priced.inputs.points.mw * answer.priced.mean_load)) / answer.plan.site_mw


def _short_hours(setting: Setting, done: Operation) -> float:
    return float((done.worth_usd_per_mwh > BINDS).sum()) / _days(setting)


def _revenue(setting: Setting, done: Operation) -> float:
    return float(done.revenue_usd.sum()) / _days(setting)


MEASURES: tuple[Measure, ...] = (
    Measure("revenue_per_day", "USD", "tokens sold x realised prices", _revenue, True),
    Measure("margin_per_day", "USD", "revenue less energy", lambda s, d: d.value_usd / _days(s), True),
    Measure("tokens_out_per_day", "token", "output tokens of services that are sold", lambda s, d: sold(s, d) / _days(s), True),
    Measure("run_tokens_per_day", "token", "tokens of runs: trained, written, read", _trained),
    Measure("missed_share", "share", "of what the plan meant to serve in each hour, what is not served", _missed, True),
    Measure("unserved_share", "share", "1 - sold / asked for at every price", _unserved, True),
    Measure("energy_per_day", "MWh", "mean draw at the meter x hours", lambda s, d: float(d.meter_mw.sum()) / _days(s), True),
    Measure("energy_usd_per_day", "USD", "MWh x price of its hour", lambda s, d: float(d.energy_usd.sum()) / _days(s), True),
    Measure("pue", "", "MWh at the meter / MWh at the racks", _pue),
    Measure("load_factor", "share", "mean draw at the meter / MW built", _load, True),
    Measure("load_factor_in_plan", "share", "the same as the plan's energy bill assumes it", _planned_load),
    Measure("joules_per_output_token", "J/token", "meter joules of services' racks / output tokens sold", _joules, True),
    Measure("hours_short_of_power", "h", "hours a day in which a MW more is worth something", _short_hours),
    Measure("best_mwh_usd", "USD/MWh", "most that a MW more is worth", lambda s, d: float(d.worth_usd_per_mwh.max())),
    Measure("water_per_day", "m3", "litres of each hour's weather x MWh of IT", _water),
    Measure("carbon_per_day", "t", "MWh x carbon of its source", _carbon, True),
)  # fmt: skip


def measures_table(
    setting: Setting, done: Operation, ends: Band, others: tuple[Dispatched, ...], net_usd: dict[str, float]
) -> Table:
    """All measures that the hours have, what steering is worth, and what each listed company keeps."""
    rows: list[dict[str, Any]] = []
    for one in MEASURES:
        value = one.value(setting, done)
        if value is None:
            continue
        row: dict[str, Any] = {"name": one.name, "value": value, "unit": one.unit, "formula": one.formula}
        if one.banded:
            found = [one.value(setting, end) for end in (ends.slow, ends.fast) if end is not None]
            known = [v for v in [value, *found] if v is not None]
            if len(found) == 2:
                row |= {"low": min(known), "high": max(known)}
        rows.append(row)
    for other in others:
        if np.isfinite(other.value_usd) and other.keeps_pace:
            gain = (done.value_usd - other.value_usd) / _days(setting)
            name = "steering_over_" + other.name.replace(" ", "_")
            rows.append(
                {"name": name, "value": gain, "unit": "USD", "formula": f"margin a day less that of a {other.name}"}
            )
    for company, usd in net_usd.items():
        formula = "cash in less cash out a day; capital, loans and tranches are not in it"
        rows.append(
            {"name": f"{company}_net_per_day", "value": usd / _days(setting), "unit": "USD", "formula": formula}
        )
    columns = ("name", "value", "unit", "low", "p50", "high", "formula", "inputs")
    note = "low and high: services as slow or as fast as the calibration's 80 % error has them, the hours steered anew."
    return Table.from_rows("metrics", rows, columns, {}, "Headline numbers", note)

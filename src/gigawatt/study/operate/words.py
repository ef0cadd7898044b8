"""The hours in sentences."""

from __future__ import annotations

import numpy as np

from gigawatt.core.table import Table
from gigawatt.factory.operation import Dispatched, Operation
from gigawatt.study.operate.conditions import DAY_H, ZERO_C_K
from gigawatt.study.operate.fleet import Setting
from gigawatt.study.operate.measures import BINDS, served_tokens_per_s
from gigawatt.study.site.hall import air_words


def sentences(setting: Setting, done: Operation, others: tuple[Dispatched, ...]) -> list[str]:
    """The headline first: what the day earns and draws; then when power is short, what is lost, what steering is worth."""
    inputs, around = setting.inputs, setting.around
    days = inputs.hours / DAY_H
    what = f"{around.first:%d %B %Y}" if days == 1 else f"{days:.0f} days from {around.first:%d %B %Y}"
    hot = ", the hottest day of the year" if around.hottest else ""
    each = "" if days == 1 else " a day"
    head = (
        f"{what}{hot}: {_mw(done.meter_mw.min())} to {_mw(done.meter_mw.max())} at the meter, "
        f"{_count(done.meter_mw.sum() / days)} MWh{each}, {_usd(done.revenue_usd.sum() / days)} of revenue and "
        f"{_usd(done.value_usd / days)} after energy{each}."
    )
    return [head, _short_of_power(setting, done), *_lost(setting, done), *_steering(done, others, days)]


def _short_of_power(setting: Setting, done: Operation) -> str:
    worth = done.worth_usd_per_mwh
    count = int((worth > BINDS).sum())
    if not count:
        return "Power is short in no hour: a MW more would be worth nothing."
    best = int(np.argmax(worth))
    label = setting.around.labels()[best]
    when = label[11:] if setting.inputs.hours == DAY_H else label
    return (
        f"Power is short in {count} of {setting.inputs.hours} hours: a MW more at {when} is worth {worth[best]:,.0f} USD for "
        f"the hour, one all day {_usd(worth.sum() / (setting.inputs.hours / DAY_H))}, after its energy is paid for."
    )


def _lost(setting: Setting, done: Operation) -> list[str]:
    """Services that serve less than the plan meant, and the hours in which most is lost."""
    out = []
    served = served_tokens_per_s(setting, done)
    for w, name in enumerate(setting.inputs.works.names):
        if setting.inputs.works.kind[w] != "service":
            continue
        gap = np.maximum(setting.planned[w] - served[w], 0.0)
        share = gap.sum() / setting.planned[w].sum() if setting.planned[w].sum() else 0.0
        if share > 5e-4:
            worst = int(np.argmax(gap))
            out.append(
                f"{name} loses {share:.1%} of what the plan meant to serve, most at {setting.around.labels()[worst][11:]} "
                f"({gap[worst] / setting.planned[w, worst]:.0%})."
            )
        more = served[w].sum() / setting.planned[w].sum() - 1.0 if setting.planned[w].sum() else 0.0
        if more > 0.01:
            out.append(
                f"{name} serves {more:.0%} more than the plan counts on: the plan sizes racks for the peak of what it sells "
                "and turns the rest away; off the peak they can serve some of that."
            )
    return out


def _steering(done: Operation, others: tuple[Dispatched, ...], days: float) -> list[str]:
    out = []
    for other in others:
        if not np.isfinite(other.value_usd) or not other.keeps_pace:
            out.append(f"A {other.name} can not keep every run's pace through these hours.")
            continue
        gain = (done.value_usd - other.value_usd) / days
        share = gain * days / abs(other.value_usd) if other.value_usd else 0.0
        out.append(f"Steering is worth {_usd(gain)} a day over a {other.name} ({share:.1%} of its margin).")
    return out


def notes(setting: Setting, done: Operation, swings: Table) -> list[str]:
    """What was taken for granted."""
    answer, around = setting.answer, setting.around
    phase = answer.line.phases[setting.phase]
    racks = ", ".join(
        f"{_count(answer.plan.racks[p])} racks of {answer.priced.inputs.platforms.names[p]}" for p in setting.platforms
    )
    out = [
        f"The fleet is the plan's, all of it there: {racks}; its work is that of the phase '{phase.name}', the first in which "
        "all work stands.",
        f"Weather: {around.made}, {around.dry_bulb_k.min() - ZERO_C_K:.0f} to {around.dry_bulb_k.max() - ZERO_C_K:.0f} C dry, "
        f"{around.wet_bulb_k.min() - ZERO_C_K:.0f} to {around.wet_bulb_k.max() - ZERO_C_K:.0f} C wet bulb. The first hour "
        "follows the last.",
        "Failures of services: the expected share of racks is down in every hour. Runs' rates hold their own failures and "
        "spares.",
    ]
    out += air_words(answer.resolved, answer.priced.chain, setting.platforms)
    for row in swings.rows():
        out.append(
            f"Hours are means: within a step of {row['workload']} on {row['platform']} the meter swings by "
            f"{_mw(row['swing_mw'])} {row['frequency_hz']:.2g} times a second, unless {row['store_to_flatten_kwh']:,.3g} kWh "
            "of stores flatten it."
        )
    if done.bound_usd > done.value_usd * (1.0 + 1e-6) and "block" in setting.inputs.works.kind:
        gap = (done.bound_usd - done.value_usd) / abs(done.bound_usd)
        out.append(f"Blocks run whole hours; were they divisible at will, the margin would be {gap:.2%} higher.")
    return out


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.4g}"


def _mw(value: float) -> str:
    return f"{value:,.3g} MW" if value < 1000 else f"{value:,.0f} MW"


def _usd(value: float) -> str:
    for scale, word in ((1e9, "B USD"), (1e6, "M USD"), (1e3, "k USD")):
        if abs(value) >= scale:
            return f"{value / scale:,.3g} {word}"
    return f"{value:,.3g} USD"

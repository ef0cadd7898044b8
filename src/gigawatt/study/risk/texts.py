"""An analysis of risk in sentences."""

from __future__ import annotations

import numpy as np

from gigawatt.study.risk.analyse import Found
from gigawatt.study.risk.model import Asked, Model
from gigawatt.study.risk.plan_model import PlanModel

_SIZES = ((1e12, "T "), (1e9, "B "), (1e6, "M "), (1e3, "k "))


def shown(value: float | None, unit: str) -> str:
    """A number as it is said: USD in thousands, millions, billions; shares in percent.

    >>> shown(20.3e9, "USD"), shown(0.123, "share"), shown(1.66, "x")
    ('20.3 B USD', '12.3 %', '1.66 x')
    """
    if value is None or not np.isfinite(value):
        return "none"
    if unit == "share":
        return f"{value * 100:.3g} %"
    if unit.startswith("USD") and abs(value) >= 1e3:
        size, word = next((s, w) for s, w in _SIZES if abs(value) >= s)
        return f"{value / size:.3g} {word}{unit}"
    return f"{value:,.4g} {unit}".strip()


def headline(model: Model, asked: Asked, found: Found) -> str:
    """Band, chance of a loss, promises most often broken, and what moves the metric most."""
    one = next(m for m in model.metrics if m.name == asked.metric)
    spread = found.spreads[asked.metric]
    said = (
        f"{_words(one.name)}: P10 {shown(spread.p10, one.unit)}, P50 {shown(spread.p50, one.unit)}, P90 "
        f"{shown(spread.p90, one.unit)} ({model.held}, {asked.samples:,} draws)"
    )
    if one.name.endswith("npv") and spread.below_zero is not None:
        said += f"; a loss in {spread.below_zero.share * 100:.2g} % of the draws"
    broken = sorted(zip(found.broken, asked.promises, strict=True), key=lambda pair: -pair[0].share)
    if broken:
        share, promise = broken[0]
        said += f"; '{promise.id}' is broken in {share.share * 100:.2g} %"
    if found.causes:
        first = found.causes[0]
        who = model.inputs[first.at]
        said += f". What moves it most: {who.words} ({shown(first.low, one.unit)} to {shown(first.high, one.unit)})"
    return said + "."


def notes(model: Model, asked: Asked, found: Found) -> list[str]:
    """How still it holds, which knowledge would narrow it, what the draws leave as it is."""
    out = [_held(model)]
    steady = found.steady
    if steady is not None:
        worst = float(max(steady.change.max(), 2 * steady.error.max()))
        if steady.enough:
            out.append(
                f"The percentiles hold still: halving the draws, or twice their error, moves them by at most "
                f"{worst * 100:.1f} % of P10 to P90."
            )
        else:
            out.append(
                f"The percentiles do not hold still yet: halving the draws, or twice their error, moves them by "
                f"{worst * 100:.1f} % of P10 to P90; about {steady.needed:,} draws would do (--samples {steady.needed})."
            )
    known = sorted((c for c in found.causes if c.known is not None), key=lambda c: -(c.known or 0.0))[:3]
    told = [f"{model.inputs[c.at].words} ({(c.known or 0) * 100:.2g} %)" for c in known if (c.known or 0.0) > 0.005]
    if told:
        out.append("Nailed down, these would narrow P10 to P90 most: " + ", ".join(told) + ".")
    gain = found.spreads.get("gain_of_reoptimising")
    if gain is not None:
        worth, most = shown(gain.mean, "USD"), shown(gain.p90, "USD")
        out.append(
            f"Choosing the fleet anew in each draw would be worth {worth} in the mean (P90 {most}): what it is worth to wait "
            "until prices are known."
        )
    if model.sampler.correlation is not None:
        out += [line for line in (model.sampler.correlation.sentence(),) if line]
    out += found.notes
    late = [name for name in found.spreads if name.startswith("missed.") and found.spreads[name].mean > 0]
    for name in late:
        share = found.spreads[name].mean
        out.append(
            f"With this fleet and its use held, '{name.removeprefix('missed.')}' is missed in {share:.0%} of the draws."
        )
    return out


def _held(model: Model) -> str:
    if model.held == "the fleet held":
        return (
            "Bands hold the fleet and its use: they are the risk of this plan, not the spread of plans (--reoptimise chooses a "
            "fleet for each draw)."
        )
    return f"Bands are with {model.held}."


def left_out(model: Model) -> list[str]:
    """What no draw moves."""
    if not isinstance(model, PlanModel):
        return ["Everything that is not varied stands as the file says it."]
    return [
        "Facts that change seconds or watts (bandwidth, peaks, power of chips and boxes, losses): the calibrations' bands hold "
        "their error on throughput; watts, and so the racks that fit behind the meter, are held.",
        "Lives of racks, network and building; dates; what is on offer.",
        "The dispatch of own plant: each source gives what it gives in the plan, at the price drawn.",
        "Capital: a fleet held is bought whatever it costs, and a new one is not held to the capital limit at drawn prices.",
        "Prices that move over the horizon: a draw is one level for all of it.",
    ]


def _words(name: str) -> str:
    made = name.replace("_", " ")
    for short in ("npv", "irr", "dscr"):
        made = made.replace(short, short.upper())
    return made[:1].upper() + made[1:]

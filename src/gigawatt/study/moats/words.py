"""What the moats say, in sentences made from their own numbers."""

from __future__ import annotations

from collections.abc import Sequence

from gigawatt.factory.moats import MOATS, Absent, Value, shares
from gigawatt.study.moats.strengths import Strengths
from gigawatt.study.moats.tables import WORDS


def sentences(found: Sequence[Value | Absent], strengths: Strengths) -> list[str]:
    """A headline, then a line a regime."""
    values = [one for one in found if isinstance(one, Value)]
    setting = strengths.setting
    rival = setting.names[setting.rival]
    lines = [_headline(values, setting.vendor, rival)]
    lines += [regime_line(one) if isinstance(one, Value) else f"{one.name}: can not arise; {one.why}." for one in found]
    return lines


def _headline(values: Sequence[Value], vendor: str, rival: str) -> str:
    if not values:
        return f"No regime can arise in which the moats of {vendor} could be worth anything."
    one = next((v for v in values if v.regime.name == "power-limited"), values[0])
    if not any(abs(v.total) > 0 for v in values):
        return f"The moats of {vendor} against {rival} are worth nothing here: none of its chips is used in any regime."
    parts = ", ".join(f"{WORDS[m]} {_millions(one.shapley[m] * one.per_mw)}" for m in MOATS)
    where = "" if one.regime.name == "as given" else f" where it is {one.regime.name}"
    return (
        f"Against {rival} the three moats of {vendor} are worth {_millions(one.total * one.per_mw)} M USD per MW and year to "
        f"buyer and vendor{where}: {parts}."
    )


def regime_line(one: Value) -> str:
    """One regime: what binds, the three values with their bands, the share, the premium."""
    per_mw = one.per_mw
    if one.premium.volume <= 0 and not any(one.shapley.values()):
        return f"{one.regime.name} ({one.regime.short}): none of the vendor's chips is used, and no moat is worth anything."
    parts = []
    for moat in MOATS:
        said = f"{WORDS[moat]} {_millions(one.shapley[moat] * per_mw)}"
        band = one.bands.get(moat)
        if band:
            said += f" ({_millions(band.low * per_mw)} to {_millions(band.high * per_mw)})"
        parts.append(said)
    share = shares(one.shapley)["perf_per_watt"]
    third = f"; performance per watt is {share:.0%} of it" if share is not None else ""
    negative = [WORDS[m] for m in MOATS if one.shapley[m] * per_mw < -1e3]
    if negative:
        third += f"; {' and '.join(negative)} is the rival's"
    price = (
        f"; half of the volume is still taken at {one.premium.with_all:.2f} x list" if one.premium.volume > 0 else ""
    )
    return f"{one.regime.name} ({_binds(one.binding)}): {', '.join(parts)} M USD/MW/yr{third}{price}."


def _binds(names: tuple[str, ...], most: int = 3) -> str:
    """What binds, in words; of many the first.

    >>> _binds(("power",)), _binds(("power", "capital"))
    ('power binds', 'power and capital bind')
    """
    if not names:
        return "nothing binds"
    shown = list(names[:most]) + ([f"{len(names) - most} more"] if len(names) > most else [])
    return f"{shown[0]} binds" if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]} bind"


def _millions(value: float) -> str:
    text = f"{value / 1e6:.2g}" if abs(value) < 1e6 else f"{value / 1e6:.3g}"
    return "0" if float(text) == 0 else text

"""Numbers as people read them: `1.23 B USD`, `805 MW`, `4.1 k racks`; never scientific notation.

A unit is text. Money, watts, tokens, bytes and counts get a prefix by size; a share becomes per cent; prices per token
and per joule become the market's own units (USD/Mtok, USD/MWh). A run keeps plain floats; this is for people.
"""

from __future__ import annotations

import math
from typing import Any

SMALLEST = 1e-12  # below it a number is what rounding left
# Short scale, as the financial press writes it: k, M, B (1e9), T (1e12).
_SHORT = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_SI = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))

# Column-name endings that fix the unit where the table states none; the first match wins.
_SUFFIXES: tuple[tuple[str, str], ...] = (
    ("usd_m_per_mw_yr", "M USD/MW/yr"),
    ("usd_per_mw_yr", "USD/MW/yr"),
    ("usd_per_mtok", "USD/Mtok"),
    ("usd_per_token", "USD/tok"),
    ("usd", "USD"),
    ("per_s_per_chip", "tok/s/chip"),
    ("per_s_per_mw", "tok/s/MW"),
    ("tokens_in_per_s", "tok/s"),
    ("tokens_out_per_s", "tok/s"),
    ("joules_per_token", "J/tok"),
    ("ttft_s", "s"),
    ("tpot_s", "s"),
    ("step_s", "s"),
    ("share", "share"),
    ("irr", "share"),
    ("error_median", "share"),
    ("price_change_needed", "share"),
    ("spread", "share"),
    ("watts", "W"),
    ("chip_w", "W"),
    ("mw", "MW"),
)


def unit_of(column: str, stated: str = "") -> str:
    """The unit of a column: as stated, else what its name's ending says, else ''.

    >>> unit_of("capex_usd"), unit_of("used_share"), unit_of("platform")
    ('USD', 'share', '')
    """
    if stated:
        return canonical(stated)
    for ending, unit in _SUFFIXES:
        if column == ending or column.endswith("_" + ending):
            return unit
    return ""


def canonical(unit: str) -> str:
    """One spelling a unit: `tokens/s` is `tok/s`, `USD/yr per MW` is `USD/MW/yr`.

    >>> canonical("USD/yr per MW"), canonical("USD per million tokens"), canonical("tokens/s/MW")
    ('USD/MW/yr', 'USD/Mtok', 'tok/s/MW')
    """
    text = unit.strip().replace("per million tokens", "per Mtok").replace(" per ", "/")
    text = text.replace("-year", "/yr").replace("-yr", "/yr").replace("/year", "/yr")
    text = text.replace("tokens", "tok").replace("token", "tok")
    # 'USD/yr/MW' says the same as 'USD/MW/yr', the way contracts are quoted.
    return f"USD/{text.removeprefix('USD/yr/')}/yr" if text.startswith("USD/yr/") else text


def scaled(unit: str, magnitude: float) -> tuple[float, str]:
    """(factor, unit shown) that make a number of about `magnitude` readable.

    >>> scaled("USD", 4.3e10)
    (1e-09, 'B USD')
    >>> scaled("share", 0.3), scaled("USD/tok", 1e-6)
    ((100.0, '%'), (1000000.0, 'USD/Mtok'))
    """
    size = abs(magnitude)
    if unit in ("share", "%"):
        return 100.0, "%"
    if unit == "USD/tok":
        return 1e6, "USD/Mtok"
    if unit == "USD/J":
        return 3.6e9, "USD/MWh"
    if unit.startswith("USD") and not unit.startswith("USD/Mtok"):
        return _prefixed(unit, size, _SHORT, 1e3, " ")
    if unit.startswith("tok"):
        return _prefixed(unit, size, _SHORT, 1e4, " ")
    if unit == "W" or unit.startswith(("byte", "flop")):
        return _prefixed(unit.replace("byte", "B").replace("flop", "FLOP"), size, _SI, 1e3, "")
    if unit == "MW" and size >= 1e4:
        return 1e-3, "GW"
    if unit.startswith("J"):
        return (1e3, "m" + unit) if 0 < size < 0.1 else _prefixed(unit, size, _SI, 1e3, "")
    if unit == "s":
        return _time(size)
    return 1.0, unit


def _prefixed(
    unit: str, size: float, steps: tuple[tuple[float, str], ...], least: float, gap: str
) -> tuple[float, str]:
    for step, prefix in steps:
        # 999.6 rounds to 1,000 of the smaller prefix: take the larger one already there.
        if step >= least and size >= step * 0.9995:
            return 1 / step, f"{prefix}{gap}{unit}"
    return 1.0, unit


def _time(size: float) -> tuple[float, str]:
    if size >= 2 * 86_400:
        return 1 / 86_400, "days"
    if size >= 2 * 3_600:
        return 1 / 3_600, "h"
    if size >= 1 or size == 0:
        return 1.0, "s"
    return (1e3, "ms") if size >= 1e-3 else (1e6, "us")


def number(value: Any, significant: int = 3) -> str:
    """A number with `significant` digits, thousands separated, whole above 1,000; '' for nothing; 0 below 1e-12.

    >>> number(1234567.8), number(0.0312), number(99.96), number(-3e-15), number(None)
    ('1,234,568', '0.0312', '100', '0', '')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if math.isinf(value):
        return "no limit" if value > 0 else "-no limit"
    if abs(value) < SMALLEST:
        return "0"
    exponent = int(f"{value:.{significant - 1}e}".split("e")[1])
    decimals = max(0, significant - 1 - exponent)
    return f"{value:,.{min(decimals, 12 + significant)}f}"


def signed(value: Any, significant: int = 3) -> str:
    """As `number`, with a plus sign before what is above zero.

    >>> signed(0.25), signed(-3.0)
    ('+0.250', '-3.00')
    """
    text = number(value, significant)
    return f"+{text}" if text and isinstance(value, (int, float)) and value > 0 else text


def quantity(value: Any, unit: str = "", significant: int = 3) -> str:
    """A value with its unit, scaled: '1.23 B USD'; '' for nothing; text as it is.

    >>> quantity(1.234e9, "USD"), quantity(805.0, "MW"), quantity(4120, "racks"), quantity(0.124, "share")
    ('1.23 B USD', '805 MW', '4.12 k racks', '12.4 %')
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return number(value) if isinstance(value, bool) else ("" if value is None else str(value))
    if not math.isfinite(value):
        return number(float(value))
    unit = canonical(unit)
    if unit == "racks" and abs(value) >= 1e3:
        return f"{number(value / 1e3, significant)} k racks"
    factor, shown = scaled(unit, value)
    if isinstance(value, int) and factor == 1.0:
        return f"{value:,} {shown}".rstrip()
    return f"{number(value * factor, significant)} {shown}".rstrip()


def span(low: Any, high: Any, unit: str = "") -> str:
    """A band with one unit, scaled by its larger end: '8.1 to 16.0 B USD'; '' unless both ends are known.

    >>> span(8.1e9, 1.6e10, "USD")
    '8.10 to 16.0 B USD'
    """
    if low is None or high is None:
        return ""
    factor, shown = scaled(canonical(unit), max(abs(float(low)), abs(float(high))))
    return f"{number(float(low) * factor)} to {number(float(high) * factor)} {shown}".rstrip()

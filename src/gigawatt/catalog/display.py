"""How an SI value is shown to people: `1.4e10` of `byte/s` as 14 GB/s. Only for tables; nothing reads these back."""

from __future__ import annotations

from gigawatt.core.datum import Datum

_MWH = 3.6e9
_YEAR_S = 8760 * 3600.0
# engine unit -> (factor, unit shown); one fixed unit each, so that a column is comparable at sight
_FIXED: dict[str, tuple[float, str]] = {
    "byte": (1e-9, "GB"),
    "byte/s": (1e-9, "GB/s"),
    "flop/s": (1e-12, "TFLOP/s"),
    "USD/J": (_MWH, "USD/MWh"),
    "USD/token": (1e6, "USD/Mtok"),
    "USD/W": (1.0, "million USD/MW"),
    "USD/W/s": (_YEAR_S, "million USD/MW/yr"),
    "USD/s": (3600.0, "USD/h"),
    "kg/J": (_MWH, "kg/MWh"),
}


def shown(value: float, unit: str, like: float | None = None) -> tuple[float, str]:
    """(number, unit) for people; a bound is shown in the unit of the value it is `like`.

    >>> shown(1.3333333e-08, "USD/J")
    (48.0, 'USD/MWh')
    >>> shown(142_000.0, "W"), shown(8_000.0, "W", like=142_000.0)
    ((142.0, 'kW'), (8.0, 'kW'))
    """
    if unit == "K":
        return round(value - 273.15, 4), "degC"
    factor, name = _FIXED.get(unit) or _scaled(abs(value if like is None else like), unit)
    return float(f"{value * factor:.6g}"), name


def _scaled(size: float, unit: str) -> tuple[float, str]:
    """Powers, times and money span too much for one unit."""
    if unit == "W":
        return (1e-6, "MW") if size >= 1e6 else (1e-3, "kW") if size >= 1e4 else (1.0, "W")
    if unit == "USD" and size >= 1e6:
        return (1e-9, "billion USD") if size >= 1e9 else (1e-6, "million USD")
    if unit == "s":
        if size >= _YEAR_S / 4:
            return 1 / _YEAR_S, "yr"
        return (1.0, "s") if size >= 1 or size == 0 else (1e6, "us")
    return 1.0, unit


def text(datum: Datum | None) -> str:
    """'700 W', or '' for none."""
    if datum is None:
        return ""
    number, unit = shown(datum.value, datum.unit)
    return f"{number:,.6g} {unit}".strip()

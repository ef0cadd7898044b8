"""Units at the door: text such as `100 MW`, `400 Gb/s`, `0.30 USD/Mtok` becomes an SI float, once.

Inside the engine a number is a plain float and its name carries the unit (`power_w`, `price_usd_per_token`). Nothing in
here is called in a loop: one parse costs about 0.1 ms.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gigawatt.core.errors import nearest

if TYPE_CHECKING:
    import pint

# dimension name -> (unit of the engine, an example a person may write)
DIMENSIONS: dict[str, tuple[str, str]] = {
    "power": ("W", "100 MW"),
    "energy": ("J", "5 MWh"),
    "time": ("s", "30 ms"),
    "money": ("USD", "5 billion USD"),
    "bytes": ("byte", "192 GiB"),
    "data_rate": ("byte/s", "400 Gb/s"),
    "compute_rate": ("flop/s", "2.5 PFLOP/s"),
    "token": ("token", "15e12 tokens"),
    "token_rate": ("token/s", "4e6 tokens/s"),
    "energy_price": ("USD/J", "48 USD/MWh"),
    "token_price": ("USD/token", "0.30 USD/Mtok"),
    "power_price": ("USD/W", "11.3 million USD/MW"),
    "rent": ("USD/W/s", "13.3 million USD/MW/yr"),
    "chip_price": ("USD/s", "2.10 USD/h"),
    "money_rate": ("USD/s", "1 million USD/day"),
    "rate": ("1/s", "35 %/yr"),
    "share": ("", "0.3 or 30 %"),
    "carbon": ("kg/J", "350 kg/MWh"),
    "carbon_price": ("USD/kg", "80 USD/t"),
    "temperature": ("K", "25 degC"),
    "length": ("m", "10 km"),
    "count": ("", "64"),
}

_DEFINITIONS = """
bit = [information]
byte = 8 * bit = B = octet
b = bit
token = [token] = tok = tokens
flop = [operation] = FLOP = flops
USD = [money] = usd = dollar = dollars
year = 8760 * hour = yr = a = annum
percent = 0.01 = % = pct
billion = 1e9
million = 1e6
thousand = 1e3
trillion = 1e12
second = [time] = s = sec
minute = 60 * second = min
hour = 60 * minute = h = hr
day = 24 * hour
week = 7 * day
meter = [length] = m = metre
gram = [mass] = g
tonne = 1e6 * gram = t
newton = kilogram * meter / second ** 2 = N
joule = newton * meter = J
watt = joule / second = W
watt_hour = watt * hour = Wh = watthour
kelvin = [temperature]; offset: 0 = K
degree_Celsius = kelvin; offset: 273.15 = degC = celsius
"""
_PREFIXES = """
nano- = 1e-9 = n-
micro- = 1e-6 = u-
milli- = 1e-3 = m-
kilo- = 1e3 = k-
mega- = 1e6 = M-
giga- = 1e9 = G-
tera- = 1e12 = T-
peta- = 1e15 = P-
exa- = 1e18 = E-
kibi- = 2**10 = Ki-
mebi- = 2**20 = Mi-
gibi- = 2**30 = Gi-
tebi- = 2**40 = Ti-
"""


# ISO 4217 (https://www.six-group.com, list one), without USD; and four signs. Only named in what is refused.
_CODES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNH
CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR
ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT
MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX UYU UZS VES VND VUV
WST XAF XCD XOF XPF YER ZAR ZMW ZWG € £ ¥ ₹
"""
CURRENCIES = frozenset(_CODES.split())


class UnitError(ValueError):
    """The text is no quantity, or one of another dimension; the message says which and what would be right."""


@lru_cache(maxsize=1)
def registry() -> pint.UnitRegistry[Any]:
    """Our own small registry: `b` is a bit, `Gb` a gigabit, USD and token are units, a year is 8,760 hours."""
    import pint

    made: pint.UnitRegistry[Any] = pint.UnitRegistry(None, autoconvert_offset_to_baseunit=True)
    made.load_definitions((_PREFIXES + _DEFINITIONS).splitlines())
    return made


_NUMBER = re.compile(r"^\s*([-+]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*)$", re.DOTALL)


def parse(text: str | float | int, dimension: str) -> float:
    """Read a quantity into the engine's unit of `dimension` (a key of `DIMENSIONS`).

    A bare number is allowed only for dimensionless ones ('share', 'count').

    >>> parse("100 MW", "power")
    100000000.0
    >>> parse("400 Gb/s", "data_rate")
    50000000000.0
    >>> round(parse("0.30 USD/Mtok", "token_price") * 1e6, 9)
    0.3

    Raises:
        UnitError: not a quantity, wrong dimension, or not finite.
    """
    unit, example = DIMENSIONS[dimension]
    if isinstance(text, bool):
        raise UnitError(f"expected {_a(dimension)} such as '{example}', not {text}")
    if isinstance(text, (int, float)):
        if unit:
            raise UnitError(f"{text} has no unit: {dimension.replace('_', ' ')} needs one, such as '{example}'")
        return _finite(float(text), str(text))
    return _parse_text(text, dimension)


@lru_cache(maxsize=4096)
def _parse_text(text: str, dimension: str) -> float:
    unit, example = DIMENSIONS[dimension]
    match = _NUMBER.match(text)
    if not match:
        raise UnitError(f"'{text}' is not a quantity; write for example '{example}'")
    value = float(match[1].replace(",", "").replace("_", ""))
    written = match[2].strip()
    if not written:
        if unit:
            raise UnitError(f"'{text}' has no unit: {dimension.replace('_', ' ')} needs one, such as '{example}'")
        return _finite(value, text)
    ureg = registry()
    # "5 billion USD" multiplies; "13.3 million USD/MW/yr" too. A percent sign is no operator here.
    expression = re.sub(r"(?<=[\w%])\s+(?=[A-Za-z%])", " * ", written.replace("%", "percent"))
    try:
        quantity = ureg.Quantity(value, ureg.parse_units(expression))
        return _finite(float(quantity.to(unit or "dimensionless").magnitude), text)
    except UnitError:
        raise
    except Exception as error:  # pint raises many kinds: tokens, undefined units, dimensions
        raise UnitError(_explain(text, written, dimension, error)) from None


def _finite(value: float, text: str) -> float:
    if not math.isfinite(value):
        raise UnitError(f"'{text}' is not a finite number")
    return value


def _a(dimension: str) -> str:
    words = dimension.replace("_", " ")
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def _explain(text: str, written: str, dimension: str, error: Exception) -> str:
    _, example = DIMENSIONS[dimension]
    foreign = next((word for word in re.findall(r"[A-Z]{3}|[€£¥₹]", written) if word in CURRENCIES), None)
    if foreign:
        return (
            f"'{text}' is not {_a(dimension)} in USD: currencies can not be mixed; "
            f"state it in USD, such as '{example}', and say which rate of {foreign} was used"
        )
    kind = type(error).__name__
    if kind == "DimensionalityError":
        return f"'{text}' is not {_a(dimension)}; write for example '{example}'"
    known = [
        "MW",
        "GW",
        "kW",
        "W",
        "USD",
        "million",
        "billion",
        "tok",
        "Mtok",
        "tokens",
        "Gb",
        "GB",
        "GiB",
        "TB",
        "MWh",
        "kWh",
        "GWh",
        "s",
        "ms",
        "h",
        "day",
        "yr",
        "PFLOP",
        "TFLOP",
        "km",
    ]
    words = re.findall(r"[A-Za-z]+", written)
    for word in words:
        if word not in known:
            near = nearest(word, known)
            if near:
                return f"'{text}': unknown unit '{word}' (did you mean '{near}'?); write for example '{example}'"
    return f"'{text}' is not {_a(dimension)}; write for example '{example}'"

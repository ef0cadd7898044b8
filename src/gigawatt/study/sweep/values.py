"""Values of one input along a grid: a list as a file would write it, or evenly spaced points that cost no memory.

Text forms: `30 USD/MWh, 40 USD/MWh`; `30..90 USD/MWh/7` (seven points, both ends among them, one unit for both);
`1..100 MW/5 log` (even ratios instead of even steps).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gigawatt.core import document, units
from gigawatt.core.errors import InputError

_SPAN = re.compile(r"^\s*(?P<low>\S.*?)\s*\.\.\s*(?P<high>\S.*?)\s*(?:/\s*(?P<points>\d+))?\s*(?P<log>\blog)?\s*$")
_QUANTITY = re.compile(r"^\s*([-+]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\D.*)?$", re.DOTALL)
DIGITS = 12  # of a number that a design works out: what is written is what is asked
MOST_POINTS = 1_000_000


class ValuesError(ValueError):
    """What was written is no list and no span; says what would be."""


@dataclass(frozen=True, slots=True)
class Span:
    """`points` numbers from `low` to `high`, both among them: low + k (high - low) / (points - 1), or in even ratios.

    `whole`: numbers without a unit that are all whole stay whole.
    """

    low: float
    high: float
    points: int
    unit: str = ""
    log: bool = False
    whole: bool = False

    def __len__(self) -> int:
        return self.points

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(self.points))

    def __getitem__(self, k: int) -> Any:
        return quantity(self.number(k), self.unit, self.whole)

    def number(self, k: int) -> float:
        """The k-th number, rounded to what is written of it."""
        if k in (0, self.points - 1):
            return self.low if k == 0 else self.high
        share = k / (self.points - 1)
        value = self.low * (self.high / self.low) ** share if self.log else self.low + (self.high - self.low) * share
        return float(f"{value:.{DIGITS}g}")

    def as_json(self) -> dict[str, Any]:
        spaced = "log" if self.log else "even"
        return {"from": self[0], "to": self[self.points - 1], "points": self.points, "spaced": spaced}


Values = tuple[Any, ...] | Span


def quantity(number: float, unit: str = "", whole: bool = False) -> Any:
    """A number as a file would write it: bare, or text with its unit.

    >>> quantity(31.25, "USD/MWh"), quantity(4.0, whole=True), quantity(0.3)
    ('31.25 USD/MWh', 4, 0.3)
    """
    if unit:
        return f"{number:.{DIGITS}g} {unit}"
    return int(number) if whole else number


def split(value: Any) -> tuple[float, str] | None:
    """(number, unit as written) of a value, or None where it is something else: an id, a date, a list, yes or no.

    >>> split("30 USD/MWh"), split("5%"), split(4), split("abilene-texas"), split("2027-01-01"), split("405b-chat")
    ((30.0, 'USD/MWh'), (5.0, '%'), (4.0, ''), None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if not isinstance(value, str):
        return float(value), ""
    match = _QUANTITY.match(value)
    if not match:
        return None
    unit = (match[2] or "").strip()
    if unit and not _is_unit(unit):
        return None
    return float(match[1].replace(",", "").replace("_", "")), unit


def _is_unit(text: str) -> bool:
    if re.search(r"\d\s*-|-\s*[A-Za-z]", text) or not re.match(r"[A-Za-z%]", text):
        return False
    try:
        units.registry().parse_units(re.sub(r"(?<=[\w%])\s+(?=[A-Za-z%])", " * ", text.replace("%", "percent")))
    except Exception:  # pint raises many kinds
        return False
    return True


def read_words(text: str) -> Values:
    """Values in one line: a span, or values with commas between them.

    >>> read_words("abilene-texas, northern-virginia"), read_words("5, 8")
    (('abilene-texas', 'northern-virginia'), (5, 8))

    Raises:
        ValuesError: neither.
    """
    span = None if "," in text else read_span(text)
    if span is not None:
        return span
    try:
        found = document.parse(f"[{text}]").data
    except InputError as error:
        raise ValuesError(f"'{text}' is no list of values: {error.problems[0].message}") from None
    return _listed(found)


def read_values(said: Any) -> Values:
    """Values as a file or Python gives them: a list, text as `read_words` takes it, {from, to, points, spaced}, one value.

    Raises:
        ValuesError: none of these.
    """
    if isinstance(said, Span):
        return said
    if isinstance(said, dict) and {"from", "to"} <= set(said):
        return _from_mapping(said)
    if isinstance(said, str):
        return read_words(said)
    if hasattr(said, "tolist"):  # a NumPy column
        said = said.tolist()
    return _listed(list(said) if isinstance(said, (list, tuple, range)) else [said])


def _listed(found: Sequence[Any]) -> Values:
    """Every value once; a span among values gives its points."""
    out: list[Any] = []
    for value in found:
        span = read_span(value) if isinstance(value, str) else None
        out += list(span) if span is not None else [value]
    if not out:
        raise ValuesError("there is no value")
    twice = [value for at, value in enumerate(out) if value in out[:at]] if len(out) <= 2000 else []
    if twice:
        raise ValuesError(f"{written(twice[0])!r} stands there twice")
    return tuple(out)


def _from_mapping(said: dict[str, Any]) -> Span:
    unknown = sorted(set(said) - {"from", "to", "points", "spaced"})
    if unknown:
        raise ValuesError(f"unknown field '{unknown[0]}'; known: from, to, points, spaced")
    points, spaced = said.get("points"), said.get("spaced", "even")
    if not isinstance(points, int) or isinstance(points, bool):
        raise ValuesError("'points' says how many values there are, such as points: 7")
    if spaced not in ("even", "log"):
        raise ValuesError(f"'spaced' is even or log, not {spaced!r}")
    return _span(said["from"], said["to"], points, spaced == "log")


def read_span(text: str) -> Span | None:
    """A span, or None where the text is none.

    >>> [*read_span("30..90 USD/MWh/3")], [*read_span("1..100 MW/3 log")], [*read_span("1..5/3")]
    (['30 USD/MWh', '60 USD/MWh', '90 USD/MWh'], ['1 MW', '10 MW', '100 MW'], [1, 3, 5])

    Raises:
        ValuesError: it looks like one and can not be.
    """
    match = _SPAN.match(text)
    if not match:
        return None
    if match["points"] is None:
        if split(match["low"]) is None or split(match["high"]) is None:
            return None  # text that holds two dots
        raise ValuesError(f"'{text}' does not say how many values there are; write for example '{text.strip()}/7'")
    return _span(match["low"], match["high"], int(match["points"]), match["log"] is not None)


def _span(low: Any, high: Any, points: int, log: bool) -> Span:
    ends = [split(low), split(high)]
    if ends[0] is None or ends[1] is None:
        wrong = low if ends[0] is None else high
        raise ValuesError(
            f"'{wrong}' is no number with a unit; only numbers span a range, others are written one by one"
        )
    (first, low_unit), (last, high_unit) = ends[0], ends[1]
    unit = high_unit or low_unit
    if low_unit and low_unit != unit:
        raise ValuesError(f"both ends of a range have one unit, not '{low_unit}' and '{high_unit}'")
    if not 2 <= points <= MOST_POINTS:
        raise ValuesError(f"a range has 2 to {MOST_POINTS:,} points, not {points:,}")
    if not first < last:
        raise ValuesError(f"a range runs from low to high, not from {first:g} to {last:g}")
    if log and not first > 0:
        raise ValuesError(f"even ratios start above zero, not at {first:g}")
    whole = (
        not unit
        and not log
        and all(isinstance(end, int) or str(end).strip().lstrip("+-").isdigit() for end in (low, high))
    )
    whole = whole and (last - first) % (points - 1) == 0
    return Span(first, last, points, unit, log, whole)


def written(value: Any) -> str:
    """A value as text, in one line.

    >>> written("30 USD/MWh"), written(5), written([1, 2]), written(True)
    ('30 USD/MWh', '5', '[1, 2]', 'true')
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def number_of(value: Any) -> float:
    """The number of a value that has one, in the unit as written; NaN for any other."""
    found = split(value)
    return math.nan if found is None else found[0]

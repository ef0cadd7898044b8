"""What changed, and by how much, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gigawatt.study.compare.differences import ABSENT, Difference
from gigawatt.study.compare.groups import Group
from gigawatt.study.paths import Input

_STEPS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
MOST_NAMED = 3
LONGEST = 60
TELLING = ("platform", "model", "technology", "on", "kind", "role")  # fields that say what a new thing is


def amount(value: float, unit: str, signed: bool = False) -> str:
    """A number with its unit as people read it.

    >>> amount(-1.234e9, "USD"), amount(0.0312, "share", signed=True), amount(805.0, "MW")
    ('-1.23 B USD', '+3.12 %', '805 MW')
    """
    if unit == "share":
        value, unit = 100 * value, "%"
    sign = "+" if signed and value > 0 else ""
    if unit.startswith("USD"):
        size, prefix = next(((step, name) for step, name in _STEPS if abs(value) >= step), (1.0, ""))
        return f"{sign}{value / size:,.3g} {prefix}{' ' if prefix else ''}{unit}"
    return f"{sign}{value:,.4g} {unit}".rstrip()


def said(value: Any) -> str:
    """What a file says, on one line."""
    if value is ABSENT or value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = json.dumps(value, ensure_ascii=False).replace('"', "") if isinstance(value, (dict, list)) else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3].rstrip() + "..."


def side_says(value: Any, known: Input | None) -> str:
    """The same, with the default where a side says nothing."""
    if value is not ABSENT:
        return said(value)
    if known is None or known.value is None or known.value in ([], {}):
        return "not given"
    if isinstance(known.value, (int, float)) and not isinstance(known.value, bool):
        shown = f"{known.value:,}" if isinstance(known.value, int) else f"{known.value:,.6g}"
        return f"{shown} {known.unit}".rstrip() + " (default)"
    return f"{said(known.value)} (default)"


def change_of(group: Group, known_a: Mapping[str, Input], known_b: Mapping[str, Input]) -> str:
    """A group's change: '48 USD/MWh -> 30 USD/MWh', 'added: hgx-h200', 'place, facility'."""
    found = group.differences
    if group.change:
        return f"{group.change}{_what(found[0].b if group.change == 'added' else found[0].a)}"
    if not found:
        return "other folders of records"
    if len(found) == 1:
        one = found[0]
        text = _from_to(one, known_a, known_b)
        inner = one.path[-1]
        return text if inner in group.name.replace(" ", "_") or one.order else f"{inner} {text}"
    named = [f"{one.path[-1]} {_from_to(one, known_a, known_b)}" for one in found[:MOST_NAMED]]
    more = len(found) - len(named)
    return "; ".join(named) + (f"; {more} more" if more else "")


def _from_to(one: Difference, known_a: Mapping[str, Input], known_b: Mapping[str, Input]) -> str:
    return f"{side_says(one.a, known_a.get(one.dotted))} -> {side_says(one.b, known_b.get(one.dotted))}"


def _what(item: Any) -> str:
    if not isinstance(item, dict):
        return "" if item is ABSENT else f": {said(item)}"
    told = [str(item[field]) for field in TELLING if isinstance(item.get(field), str)]
    return f": {' '.join(told[:2])}" if told else ""

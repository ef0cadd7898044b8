"""A tree of `explain` in the terminal: each value with the sign that joins it to its parent, places dim, long trees folded.

    capex: racks x list price + ...                       46.1 B USD
      + racks at list price                               36.2 B USD
        + racks of gb300
          x racks of gb300                 fleet programme   7.2 k
          x a rack of gb300-nvl72, all parts              5.18 M USD
      + shell

Plain ASCII, so that a pipe with any encoding takes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gigawatt.report.numbers import number, quantity, span
from gigawatt.study.explain import Node, operands_of

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100
MOST_LINES = 70  # of a tree that is not asked for at a depth: deeper levels are folded
MOST_DEEP = 40
STEP = "  "
VALUE = 22  # characters of the column of values
LEAST_NAME = 24
PLURAL = {"datum": "data", "calibration": "calibrations", "formula": "formulas", "choice": "choices"}
REST = "~"  # before what a value rests on, which is no operand


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line: a node's name and value, or its place below it."""

    text: str
    value: str = ""
    style: str = ""


def render(tree: Node, console: Console, depth: int | None = None) -> None:
    """Print a tree.

    Args:
        tree: with its places filled in.
        console: at most 100 columns are used.
        depth: levels shown below the root; the most that keep it within 70 lines where None, all where 0.
    """
    from rich.text import Text

    width = min(console.width, WIDTH)
    for line in lines_of(tree, depth, width):
        name = width - len(line.value) - 1 if line.value else width
        shown = Text(_cut(line.text, name), style=line.style)
        if line.value:
            shown.pad_right(max(name - len(shown.plain), 0))
            shown.append(" " + line.value, style="bold" if not line.style else line.style)
        console.print(shown, soft_wrap=True)


def lines_of(tree: Node, depth: int | None = None, width: int = WIDTH) -> list[Line]:
    """The lines of a tree; see `render`."""
    if depth is not None:
        return _drawn(tree, depth or MOST_DEEP, width)
    made = _drawn(tree, 2, width)
    for deeper in range(3, MOST_DEEP):
        more = _drawn(tree, deeper, width)
        if len(more) > MOST_LINES:
            break
        whole, made = len(more) == len(made), more
        if whole:
            break
    return made


def _drawn(tree: Node, depth: int, width: int) -> list[Line]:
    seen: set[str] = set()
    out: list[Line] = []
    _draw(tree, "", 0, depth, width, seen, out)
    return out


def _draw(one: Node, sign: str, level: int, depth: int, width: int, seen: set[str], out: list[Line]) -> None:
    lead = STEP * level + (f"{sign} " if sign else "")
    again = bool(one["children"]) and _key(one) in seen
    value = shown(one)
    style = "bold" if not level else ("dim" if sign == REST else "")
    out.append(Line(_ascii(f"{lead}{one['name']}" + ("  (as above)" if again else "")), _ascii(value), style))
    if again:
        return
    under = STEP * level + " " * (len(sign) + 1 if sign else 0)
    first = _key(one) not in seen
    seen.add(_key(one))
    for text in _told(one) if first else ():
        out.append(Line(_ascii(_cut(f"{under}{STEP}{text}", width)), style="dim"))
    if not one["children"]:
        return
    if level >= depth:
        out.append(Line(f"{under}{STEP}... {_folded(one)}", style="dim"))
        return
    signs = signs_of(one)
    for child, mark in zip(one["children"], signs, strict=True):
        _draw(child, mark, level + 1, depth, width, seen, out)


def signs_of(one: Node) -> list[str]:
    """The sign before each child: how an operand joins the others, '~' before what the value rests on."""
    count = len(operands_of(one))
    operation = str(one.get("operation", ""))
    first, rest = {
        "sum": ("+", "+"), "zero": ("+", "+"), "product": ("x", "x"), "ratio": (" ", "/"), "difference": (" ", "-"),
        "min": ("<", "<"), "max": (">", ">"), "same": ("=", "="),
    }.get(operation, (REST, REST))  # fmt: skip
    return [first if n == 0 else rest if n < count else REST for n in range(len(one["children"]))]


def shown(one: Mapping[str, Any]) -> str:
    """A node's value with its unit, scaled to be read."""
    value, unit = one["value"], str(one["unit"])
    if value is None:
        return ""
    if isinstance(value, str):
        return _cut(f"{value} {unit}".strip(), 2 * VALUE)
    return quantity(value, unit, 4) if not isinstance(value, bool) else number(value)


def _told(one: Node) -> list[str]:
    """What stands below a node: how the numbers are joined, where a value stands and who says so."""
    out = []
    scale = one.get("scale")
    if scale is not None:
        out.append(f"times {float(scale):.6g}: {one.get('scale_of', '')}")
    if one["kind"] in ("datum", "calibration"):
        place = one.get("where") or one.get("path") or ""
        known = " ".join(str(one[key]) for key in ("known", "as_of") if one.get(key))
        low, high = one.get("low"), one.get("high")
        ranged = span(low, high, str(one["unit"])) if isinstance(low, (int, float)) and low != high else ""
        facts = [str(place), known, f"[{ranged}]" if ranged else "", *_fit(one)]
        out.append("; ".join(text for text in facts if text))
        out += [f"from: {one['source']}"] if one["source"] else []
    elif one["source"]:
        out.append(f"{'chosen' if one['kind'] == 'choice' else 'by'}: {one['source']}")
    if one.get("changed"):
        out.append(f"! {one['changed']}")
    return out


def _fit(one: Node) -> list[str]:
    if one["kind"] != "calibration":
        return []
    rows = f"{one['rows']:,} rows" if one.get("rows") else ""
    return [f"fitted to {one['fitted_to']}" if one.get("fitted_to") else "", rows]


def _folded(one: Node) -> str:
    """How much lies below: '23 more: 12 data, 8 formulas, 3 choices'."""
    found: Counter[str] = Counter()
    ahead, seen = list(one["children"]), set()
    while ahead:
        node = ahead.pop()
        key = _key(node)
        if key not in seen:
            seen.add(key)
            found[node["kind"]] += 1
            ahead += node["children"]
    kinds = ", ".join(f"{count} {PLURAL[kind] if count > 1 else kind}" for kind, count in found.most_common())
    return f"{sum(found.values())} more below: {kinds}"


def _key(one: Node) -> str:
    return f"{one['kind']}|{one['name']}|{one['value']}|{one.get('where')}|{len(one['children'])}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 3, 0)] + "..."


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode("ascii") if not text.isascii() else text


def render_list(heads: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Every metric by what it measures: name, value, formula."""
    from rich.text import Text

    width = min(console.width, WIDTH)
    if not heads:
        console.print("this run keeps no explanations")
        return
    name = max(len(str(head["metric"])) for head in heads) + 2
    for group in dict.fromkeys(str(head["group"]) for head in heads):
        console.print(Text(group, style="bold cyan"))
        for head in (head for head in heads if head["group"] == group):
            formula = str(head["name"]).removeprefix(f"{head['metric']}: ")
            line = Text(f"  {head['metric']}".ljust(name + 2))
            line.append(shown(head).rjust(VALUE), style="bold")
            room = width - len(line.plain) - 2
            line.append(f"  {_ascii(_cut(formula, room))}" if room > 8 else "", style="dim")
            console.print(line, soft_wrap=True)
    console.print(Text("gigawatt explain NAME shows one of them down to its sources", style="dim"))

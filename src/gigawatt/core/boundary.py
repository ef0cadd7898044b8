"""The boundary of a figure: which power, what is inside, whose money, which kind of price.

'35 billion USD per GW' is the vendor's sale to one speaker and the whole cost to another. What a figure counts has four
dimensions:

| dimension | values                                                      |
|-----------|-------------------------------------------------------------|
| power     | facility (at the meter), it, unstated                       |
| scope     | chips, cpu, racks, network, storage, shell, power, land     |
| side      | vendor sale, buyer cost, production cost                    |
| price     | list, quoted, realised                                      |

Parts are disjoint: 'racks' is the rest of a rack (boards, in-rack switches, cables, power shelves) beside its chips and
host processors. Words for several: 'servers' (chips + cpu + racks), 'systems' (servers + network), 'it equipment'
(systems + storage), 'all-in'. As text: `facility, all-in, buyer cost, quoted`, or `it, chips + cpu, vendor sale, list`;
the power may be left out and is then unstated. Figures that carry a boundary are in `bounded`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gigawatt.core.errors import InputError, Problem, Problems, Where, nearest, unknown_name

POWERS = ("facility", "it", "unstated")
PARTS = ("chips", "cpu", "racks", "network", "storage", "shell", "power", "land")
SIDES = ("vendor_sale", "buyer_cost", "production_cost")
PRICES = ("list", "quoted", "realised")
ALL_IN = frozenset(PARTS)
DIMENSIONS = ("power", "scope", "side", "price")

# What people also write for a scope; the words of the other dimensions are those above.
_SCOPES: dict[str, frozenset[str]] = {
    "all in": ALL_IN,
    "servers": frozenset({"chips", "cpu", "racks"}),
    "systems": frozenset({"chips", "cpu", "racks", "network"}),
    "it equipment": frozenset({"chips", "cpu", "racks", "network", "storage"}),
    "building": frozenset({"shell"}),
} | {part: frozenset({part}) for part in PARTS}
_POWERS = {power: power for power in POWERS} | {"meter": "facility", "power unstated": "unstated"}
# Every word of the text form -> its dimension and value; the bare word 'power' is a part.
_WORDS: dict[str, tuple[str, object]] = {
    **{name: ("scope", value) for name, value in _SCOPES.items()},
    **{name: ("power", value) for name, value in _POWERS.items()},
    **{side.replace("_", " "): ("side", side) for side in SIDES},
    **{price: ("price", price) for price in PRICES},
}
EXAMPLE = "facility, all-in, buyer cost, quoted"


@dataclass(frozen=True, slots=True)
class Boundary:
    """Four dimensions of what a figure counts.

    Raises:
        InputError: a value that is none of its dimension's; names the nearest.
    """

    power: str = "unstated"
    scope: frozenset[str] = ALL_IN
    side: str = "buyer_cost"
    price: str = "quoted"

    def __post_init__(self) -> None:
        object.__setattr__(self, "scope", frozenset(self.scope))
        problems = Problems()
        for what, value, known in (
            ("power", self.power, POWERS),
            ("side", self.side, SIDES),
            ("price", self.price, PRICES),
            *(("part", part, PARTS) for part in sorted(self.scope)),
        ):
            if value not in known:
                problems.extend([unknown_name(f"{what} of a boundary", str(value), known)])
        if not self.scope:
            problems.add("unknown_boundary", "a boundary needs something inside", None, f"parts: {', '.join(PARTS)}")
        problems.raise_if_any()

    @property
    def all_in(self) -> bool:
        return self.scope == ALL_IN

    def __str__(self) -> str:
        power = "power unstated" if self.power == "unstated" else self.power
        return ", ".join((power, scope_text(self.scope), self.side.replace("_", " "), self.price))

    def said(self, dimension: str) -> str:
        """One dimension in words."""
        value = getattr(self, dimension)
        return scope_text(value) if dimension == "scope" else str(value).replace("_", " ")


def scope_text(scope: Iterable[str]) -> str:
    """A scope in words, its parts in their usual order.

    >>> scope_text({"network", "chips"}), scope_text(PARTS)
    ('chips + network', 'all-in')
    """
    inside = frozenset(scope)
    return "all-in" if inside == ALL_IN else " + ".join(part for part in PARTS if part in inside)


def parse_scope(text: str, where: Where | None = None) -> frozenset[str]:
    """Parts from text such as 'chips + network', 'servers' or 'all-in'.

    Raises:
        InputError: an unknown part, with the nearest.
    """
    out: frozenset[str] = frozenset()
    problems = Problems()
    for word in text.split("+"):
        out |= _SCOPES.get(_word(word), frozenset())
        if _word(word) not in _SCOPES:
            problems.extend([_unknown(word.strip(), _SCOPES, where)])
    problems.raise_if_any()
    return out


def parse_power(text: str, where: Where | None = None) -> str:
    """Which power a GW is counted at: 'facility', 'it' or 'unstated'.

    Raises:
        InputError: another word, with the nearest.
    """
    name = _word(text)
    if name not in _POWERS:
        raise InputError(_unknown(text, _POWERS, where))
    return _POWERS[name]


def parse_boundary(text: str, where: Where | None = None) -> Boundary:
    """A boundary from its text form.

    >>> str(parse_boundary("Facility, all-in, buyer cost, quoted"))
    'facility, all-in, buyer cost, quoted'
    >>> sorted(parse_boundary("chips + cpu, vendor_sale, list").scope)
    ['chips', 'cpu']

    Raises:
        InputError: an unknown word (with the nearest), a dimension named twice, or scope, side or price left out; all at
            once.
    """
    found: dict[str, object] = {}
    problems = Problems()
    for piece in text.split(","):
        name = _word(piece)
        if name not in _WORDS and "+" not in piece:
            problems.extend([_unknown(piece.strip(), _WORDS, where)])
            continue
        try:
            dimension, value = _WORDS.get(name) or ("scope", parse_scope(piece, where))
        except InputError as error:
            problems.extend(error.problems)
            continue
        if dimension in found:
            message = f"'{text}' names its {dimension} twice"
            problems.add("bad_boundary", message, where, "parts of one scope are joined by '+'")
        found[dimension] = value
    # an unknown word may have been meant for what is missing: one complaint is enough
    missing = [] if problems.found else [name for name in ("scope", "side", "price") if name not in found]
    if missing:
        message = f"the boundary '{text}' says no {', no '.join(missing)}"
        problems.add("bad_boundary", message, where, f"as in: {EXAMPLE}")
    problems.raise_if_any()
    return Boundary(**{"power": "unstated", **found})  # type: ignore[arg-type]


def _word(text: str) -> str:
    return " ".join(text.lower().replace("_", " ").replace("-", " ").split())


def _unknown(text: str, words: Iterable[str], where: Where | None) -> Problem:
    known = list(words)
    near = nearest(_word(text), known)
    hints = (f"did you mean '{near}'?",) if near else (f"as in: {EXAMPLE}",)
    return Problem("unknown_boundary", f"a boundary has no '{text}'", where, hints)


def differences(one: Boundary, other: Boundary) -> list[tuple[str, str, str]]:
    """(dimension, value of one, value of the other) wherever two boundaries differ."""
    return [(d, one.said(d), other.said(d)) for d in DIMENSIONS if getattr(one, d) != getattr(other, d)]


def remedy(dimension: str, one: Boundary, other: Boundary) -> str:
    """What would make figures of two boundaries comparable in one dimension, in words."""
    if dimension == "power":
        if "unstated" in (one.power, other.power):
            return "say which power it counts: boundary 'facility, ...' or 'it, ...'"
        return "state a PUE: facility W = PUE x IT W"
    if dimension == "scope":
        if one.scope < other.scope or other.scope < one.scope:
            narrow = min(one.scope, other.scope, key=len)
            return f"state what share of the wider one is {scope_text(narrow)}"
        if not one.scope & other.scope:
            return "parts that do not overlap make one whole: total([...])"
        return "bring both to the parts that they share"
    if dimension == "side":
        return f"state what share of one the other is: {one.said('side')} to {other.said('side')}"
    return f"state what is {other.price} of what is {one.price}, or say why the two may be held together"

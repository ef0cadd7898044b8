"""A question that answers at once, for tests of what is around it; a module of its own, so that other processes can load it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gigawatt.study.door import Quantity
from gigawatt.study.evaluate import Outcome
from gigawatt.study.paths import Input
from gigawatt.study.source import Source
from gigawatt.study.sweep.asked import Sweep
from gigawatt.study.sweep.axes import Cases, Columns
from gigawatt.study.sweep.design import Design
from gigawatt.study.sweep.values import read_words, split

PRICE, PLACE, CAPITAL = "site.energy_price", "site.place", "capital"
PLACES = {"iowa": 1.0, "norway": 3.0, "ohio": 2.0}
UNITS = {"value": "USD", "cost": "USD/Mtok"}


@dataclass(frozen=True, slots=True)
class Quick:
    """Stands for a `Recipe`: value = 10 x place - price, infeasible over 80 USD/MWh, broken at 66."""

    verb: str = "quick"
    source: Source = field(default_factory=lambda: Source("quick.yaml", {"name": "quick", "title": "Quick"}))
    overlays: tuple[str, ...] = ()
    as_of: str | None = None

    def inputs(self) -> dict[str, Input]:
        price = Input(
            PRICE, "quantity", "energy_price", "USD/J", {"ge": 0.0}, value="48 USD/MWh", reader=Quantity("energy_price")
        )
        capital = Input(
            CAPITAL, "quantity", "money", "USD", {"ge": 0.0}, value="5 billion USD", reader=Quantity("money")
        )
        return {PRICE: price, PLACE: Input(PLACE, "text", value="iowa"), CAPITAL: capital}

    def evaluator(self) -> Answers:
        return Answers()


@dataclass(slots=True)
class Answers:
    """Stands for an `Evaluator`."""

    recipe: Quick = field(default_factory=Quick)
    units: dict[str, str] = field(default_factory=lambda: dict(UNITS))

    def outcome(self, changes: Mapping[str, Any] | None = None) -> Outcome:
        said = changes or {}
        price = split(said.get(PRICE, "48 USD/MWh"))[0]
        place = PLACES.get(said.get(PLACE, "iowa"))
        if place is None:
            return Outcome("wrong", {}, f"there is no site '{said[PLACE]}'")
        if price > 80:
            return Outcome("infeasible", {}, "power is too dear")
        if price == 66:
            return Outcome("failed", {}, "ZeroDivisionError: division by zero")
        values = {"value": 10 * place - price, "cost": price / place}
        return Outcome("ok", values | ({"norway_only": 1.0} if place == 3.0 else {}))


def grid(prices: str = "10..90 USD/MWh/9", places: str = "iowa, norway, ohio", chunk: int = 4) -> Design:
    return Design((Columns({PLACE: read_words(places)}), Columns({PRICE: read_words(prices)})), chunk)


def cases() -> Design:
    named = {"as-is": {}, "dear": {PRICE: "70 USD/MWh"}, "north": {PLACE: "norway", PRICE: "20 USD/MWh"}}
    return Design((Cases(named),), 1)


def sweep_of(design: Design, *metrics: str) -> Sweep:
    return Sweep(Quick(), design, "quick-sweep", "Quick: a sweep", metrics)

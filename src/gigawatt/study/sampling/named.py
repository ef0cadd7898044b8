"""Laws by the names that files use, with what each needs said in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gigawatt.core.errors import nearest
from gigawatt.study.sampling import laws
from gigawatt.study.sampling.laws import Law
from gigawatt.study.sampling.ranges import law_of_range
from gigawatt.study.sampling.tables import Choice, Empirical

Numbers = float | Sequence[float]


@dataclass(frozen=True, slots=True)
class Door:
    """What a law is given: `needs` must be there, `takes` may. One sentence, and an example of a file."""

    needs: tuple[str, ...]
    takes: tuple[str, ...]
    meaning: str
    example: str


DOORS: Mapping[str, Door] = {
    "lognormal": Door(("gsd",), ("median",), "median times gsd to the power of a normal deviate", "gsd: 1.2"),
    "normal": Door(("mean", "sd"), (), "mean plus sd times a normal deviate", "mean: 1, sd: 0.1"),
    "uniform": Door(("low", "high"), (), "every value between low and high alike", "low: 0.8, high: 1.2"),
    "loguniform": Door(("low", "high"), (), "every doubling between low and high alike", "low: 0.5, high: 2"),
    "triangular": Door(
        ("low", "high"), ("mode",), "straight up to the mode and down again", "low: 0.8, mode: 1, high: 1.5"
    ),
    "pert": Door(
        ("low", "high"),
        ("mode", "weight"),
        "a beta around its mode, within low and high",
        "low: 0.8, mode: 1, high: 1.5",
    ),
    "beta": Door(
        ("a", "b"), ("low", "high"), "a beta of shapes a and b, from low to high", "a: 2, b: 5, low: 0.5, high: 2"
    ),
    "choice": Door(("values",), ("weights",), "one of the values", "values: [0.8, 1, 1.3], weights: [1, 2, 1]"),
    "empirical": Door(
        ("values",),
        ("levels",),
        "measured values, or values at given shares",
        "values: [0.8, 1, 1.4], levels: [0.1, 0.5, 0.9]",
    ),
    "range": Door(
        ("low", "high"),
        ("value",),
        "a tenth below low, a tenth above high, half below value",
        "low: 0.8, value: 1, high: 1.3",
    ),
}


def law_of(name: str, numbers: Mapping[str, Numbers | None], middle: float | None = None) -> Law:
    """The law that a file names.

    Args:
        name: one of `DOORS`.
        numbers: what it was given; None counts as not given.
        middle: mode, median or value where none is given and the law has one (1 where the law is of factors). A triangular or
            PERT whose range leaves it out takes the middle of the range.

    Raises:
        ValueError: an unknown name (with the nearest), numbers that are missing or have no meaning here, and numbers that do
            not fit together; all that is wrong with the names of the numbers at once.
    """
    if name not in DOORS:
        near = nearest(name, DOORS)
        raise ValueError(
            f"there is no law '{name}'" + (f"; did you mean '{near}'?" if near else f"; known: {', '.join(DOORS)}")
        )
    door = DOORS[name]
    given = {key: value for key, value in numbers.items() if value is not None}
    missing = [key for key in door.needs if key not in given]
    strange = [key for key in given if key not in door.needs + door.takes]
    if missing or strange:
        said = [f"a {name} needs '{key}'" for key in missing]
        said += [f"a {name} has no '{key}' (it takes {', '.join(door.needs + door.takes)})" for key in strange]
        raise ValueError("; ".join(said) + f"; such as {{dist: {name}, {door.example}}}")
    many = {key: _numbers(name, key, value) for key, value in given.items() if key in ("values", "weights", "levels")}
    one = {key: _number(name, key, value) for key, value in given.items() if key not in many}
    if name == "choice":
        return Choice(many["values"], many.get("weights", ()))
    if name == "empirical":
        return Empirical(many["values"], many["levels"]) if "levels" in many else Empirical.of_sample(many["values"])
    return _made(name, one, middle)


def _made(name: str, one: Mapping[str, float], middle: float | None) -> Law:
    if name == "lognormal":
        return laws.Lognormal(one["gsd"], one.get("median", 1.0 if middle is None else middle))
    if name == "normal":
        return laws.Normal(one["mean"], one["sd"])
    if name == "beta":
        return laws.Beta(one["a"], one["b"], one.get("low", 0.0), one.get("high", 1.0))
    low, high = one["low"], one["high"]
    if name == "uniform":
        return laws.Uniform(low, high)
    if name == "loguniform":
        return laws.Loguniform(low, high)
    if not low < high:
        raise ValueError(f"a {name} needs 'low' below 'high', not {low:g} and {high:g}")
    inside = middle if middle is not None and low <= middle <= high else (low + high) / 2
    if name == "triangular":
        return laws.Triangular(low, one.get("mode", inside), high)
    if name == "pert":
        return laws.pert(low, one.get("mode", inside), high, one.get("weight", 4.0))
    value = one.get("value", middle)
    if value is not None and "value" in one and not low <= value <= high:
        raise ValueError(f"the range {low:g} to {high:g} does not hold its value {value:g}")
    if value is None:
        value = (low * high) ** 0.5 if low > 0 else (low + high) / 2
    return law_of_range(value, low, high)


def _number(law: str, key: str, value: Numbers) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"'{key}' of a {law} is one number")
    return float(value)


def _numbers(law: str, key: str, value: Numbers) -> tuple[float, ...]:
    if isinstance(value, (int, float, str)):
        raise ValueError(f"'{key}' of a {law} is a list of numbers")
    return tuple(_number(law, key, one) for one in value)

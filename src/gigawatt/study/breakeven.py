"""The value of an input at which a number of the answer crosses a level: what would flip a verdict, and at what value.

    find x in [start, end] with  f(x) = level,   f: run the file with  path = x,  read one number

The range is walked on a grid, the first bracket with a change of sign is halved; so the crossing nearest to `start` is found,
counts (companies in default) may jump over their level, and where nothing changes sign there is no break-even, and that is
said. Every run is on stated values, with as few draws as its question takes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.study.questions import QUESTIONS, answer, question_of
from gigawatt.study.reading import Reading, read_of
from gigawatt.study.result import RunResult

# What leaves a file with its stated values alone, or with the fewest draws it takes.
FEWEST = {
    "deals": ("samples=0",),
    "market": ("samples=0",),
    "plan": ("uncertainty.samples=16",),
    "project": ("uncertainty.samples=0",),
    "network": (),
    "backtest": (),
    "moats": ("uncertainty.samples=16", "moats.samples=0", "moats.map=false"),
    "operate": ("uncertainty.samples=16",),
    "fleet": ("uncertainty.samples=16",),
}
# Verbs other than the file's own that a name may ask for: `moats claims/07-west` is what `gigawatt moats` says of that file.
VERBS = ("moats", "operate", "fleet")
_NUMBER = re.compile(r"\s*([-+]?\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")


@dataclass(frozen=True, slots=True)
class BreakEven:
    """`at` is the value nearest to the start at which the number crosses, in `unit`; None where it never does.

    `crossings` counts the changes of sign on the grid; `at_start` and `at_end` are what was read at the ends of the range.
    """

    path: str
    at: float | None
    unit: str
    start: float
    end: float
    crossings: int
    at_start: float
    at_end: float


def split_name(name: str) -> tuple[str, str]:
    """(verb, file) of a name; no verb is the file's own.

    >>> split_name("moats claims/07-west"), split_name("claims/07-west")
    (('moats', 'claims/07-west'), ('', 'claims/07-west'))

    Raises:
        InputError: a verb that no name may ask for.
    """
    verb, _, rest = name.rpartition(" ")
    if verb and verb not in VERBS:
        raise InputError(unknown_name("verb of a file", verb, VERBS))
    return verb, rest


def few_of(file: Path, verb: str = "") -> tuple[str, ...]:
    """What leaves a file with its stated values alone under a verb."""
    return FEWEST[verb or question_of(file)]


def run_file(
    file: Path | str, overrides: Sequence[str] = (), catalog: Catalog | None = None, verb: str = ""
) -> RunResult:
    """The answer of any file but a back-test, by the question it asks; of a plan by `verb` where one of `VERBS` is named.

    Raises:
        InputError: the file is wrong, or is a back-test.
    """
    path = Path(file)
    if verb:
        return _of_verb(path, overrides, catalog, verb)
    if question_of(path) == "plan":
        from gigawatt.study.load import load
        from gigawatt.study.pipeline import run

        return run(load(path, overrides))
    found = answer(path, overrides, None, catalog or Catalog.load(), QUESTIONS)
    if isinstance(found, dict):
        raise InputError(Problem("no_run", f"'{file}' is a back-test: it has outputs, no run"))
    return found


def _of_verb(path: Path, overrides: Sequence[str], catalog: Catalog | None, verb: str) -> RunResult:
    """What `moats`, `operate` or `fleet` says of the scenario of a site."""
    if verb == "moats":
        from gigawatt.study.moats.answer import answer_moats
        from gigawatt.study.moats.file import load_moats

        return answer_moats(load_moats(path, overrides), catalog=catalog)
    from gigawatt.study.load import load

    if verb == "operate":
        from gigawatt.study.operate.answer import run_operate

        return run_operate(load(path, overrides), catalog=catalog)
    if verb == "fleet":
        from gigawatt.study.fleet.answer import run_fleet

        return run_fleet(load(path, overrides), catalog=catalog)
    raise InputError(unknown_name("verb of a file", verb, VERBS))


def break_even(
    file: Path | str,
    path: str,
    start: str | float,
    end: str | float,
    reading: Reading,
    level: float = 0.0,
    *,
    steps: int = 8,
    overrides: Sequence[str] = (),
    catalog: Catalog | None = None,
    verb: str = "",
    rounds: int = 10,
) -> BreakEven:
    """Where along `path` (dotted, as for --set) the number that `reading` names crosses `level`.

    `start` and `end` are numbers with one unit ("1 GW", "10 GW"); `overrides` change other inputs; a reading that is missing
    at a value counts as no sign.

    Raises:
        InputError: the file or the path is wrong, or the ends have no common unit.
    """
    first, unit = split_number(start)
    last, other = split_number(end)
    if unit != other:
        message = f"'{start}' and '{end}' have two units"
        raise InputError(Problem("two_units", message, None, ("give both ends in one unit",)))
    facts, few = catalog or Catalog.load(), few_of(Path(file), verb)

    def number(x: float) -> float:
        written = f"{path}={x:.12g} {unit}".rstrip()
        return read_of(run_file(file, [*few, *overrides, written], facts, verb), reading).number - level

    return crossing(number, first, last, steps, path, unit, level, rounds=rounds)


def crossing(
    number: Callable[[float], float],
    start: float,
    end: float,
    steps: int = 8,
    path: str = "",
    unit: str = "",
    level: float = 0.0,
    *,
    rounds: int = 10,
) -> BreakEven:
    """The first change of sign of `number` on the way from `start` to `end`.

    >>> made = crossing(lambda x: x * x - 2, 0.0, 4.0)
    >>> round(made.at, 1), made.crossings, crossing(lambda x: x + 1, 0.0, 1.0).at
    (1.4, 1, None)
    """
    grid = np.linspace(start, end, steps + 1)
    seen = [number(float(x)) for x in grid]
    turns = [k for k in range(steps) if _sign(seen[k]) * _sign(seen[k + 1]) < 0]
    at = None
    if turns:
        k = turns[0]
        low, high, side = float(grid[k]), float(grid[k + 1]), _sign(seen[k])
        for _ in range(rounds):
            middle = (low + high) / 2
            if _sign(number(middle)) == side:
                low = middle
            else:
                high = middle
        at = (low + high) / 2
    return BreakEven(path, at, unit, start, end, len(turns), seen[0] + level, seen[-1] + level)


def _sign(value: float) -> int:
    """-1 below, 1 at or above zero, 0 where there is no number."""
    return 0 if math.isnan(value) else 1 if value >= 0 else -1


def split_number(text: str | float) -> tuple[float, str]:
    """A number and its unit.

    >>> split_number("-3.5 GW"), split_number(0.2), split_number("70 %")
    ((-3.5, 'GW'), (0.2, ''), (70.0, '%'))

    Raises:
        InputError: it begins with no number.
    """
    if isinstance(text, (int, float)):
        return float(text), ""
    found = _NUMBER.match(text)
    if found is None:
        raise InputError(Problem("no_number", f"'{text}' is no number with a unit", None, ("for example: '3.5 GW'",)))
    return float(found[1].replace("_", "")), found[2]

"""What is wrong with an `uncertainty` section: every problem at once, each at its place."""

from __future__ import annotations

from gigawatt.core import units
from gigawatt.core.document import Path_
from gigawatt.core.errors import Problem, Problems, nearest
from gigawatt.study.resolve import Resolved
from gigawatt.study.risk.channels import Channel, calibration_names, channels, uncertain_facts
from gigawatt.study.risk.spec import Covenant, Distribution, pairs_of
from gigawatt.study.risk.world import SMALL, from_file, outside
from gigawatt.study.sampling import correlation_of, pair_problems
from gigawatt.study.source import Source

SECTION = "uncertainty"
# What a level of a covenant may be written with, by the unit of its metric.
_LEVELS = {"USD": "money", "share": "share", "yr": "time", "MW": "power"}


def check_varied(resolved: Resolved) -> None:
    """Every law, correlation and covenant of a scenario must be one that can be.

    Raises:
        InputError: unknown paths (each with the nearest), laws outside the range of their field, correlations that contradict
            each other, covenants on no metric.
    """
    problems, known = Problems(), channels(resolved)
    law, source = resolved.scenario.uncertainty, resolved.loaded.source
    for path, given in law.vary.items():
        problems.found += [_placed(source, (SECTION, "vary", path), one) for one in _of_law(path, given, known)]
    varied = [path for path in law.vary if path in known]
    names = [*varied, *(calibration_names(resolved) if law.calibration else [])]
    names += [one.path for one in uncertain_facts(known, varied)] if law.catalog else []
    _check_pairs(resolved, names, problems)
    for index, covenant in enumerate(law.covenants):
        found = covenant_problem(covenant)
        if found is not None:
            problems.found.append(_placed(source, (SECTION, "covenants", index), found))
    problems.raise_if_any()


def _placed(source: Source, path: Path_, problem: Problem) -> Problem:
    return Problem(problem.code, problem.message, source.where(path), problem.hints)


def _of_law(path: str, given: Distribution, known: dict[str, Channel]) -> list[Problem]:
    if path not in known:
        shown = [name for name in known if not name.startswith("catalog.")]
        near = nearest(path, known)
        hints = ((f"did you mean '{near}'?",) if near else ()) + ("known: " + ", ".join(shown),)
        return [Problem("unknown_path", f"uncertainty.vary: nothing varies at '{path}'", None, hints)]
    channel = known[path]
    try:
        one = from_file(channel, given)
    except ValueError as error:
        return [Problem("bad_law", f"uncertainty.vary.{path}: {error}")]
    share = outside(channel, one)
    if share <= SMALL:
        return []
    bounds = f"at least {channel.least:g}" + (f" and at most {channel.most:g}" if channel.most < float("inf") else "")
    least, most = (end * one.scale * (channel.base or 1.0) for end in one.law.support)
    said = f"from {least:.4g} to {most:.4g}" if most < float("inf") else f"from {least:.4g} up"
    what = f"{channel.words} is {bounds}" if channel.base is not None else f"a factor on {channel.words} is at least 0"
    message = (
        f"uncertainty.vary.{path}: a {given.dist} {said} leaves the field's range in {share:.2g} of the draws; {what}"
    )
    hint = "a law with both ends fits: {dist: pert, low: .., high: ..}"
    return [Problem("out_of_range", message, None, (hint,))]


def _check_pairs(resolved: Resolved, names: list[str], problems: Problems) -> None:
    law, where = resolved.scenario.uncertainty, resolved.loaded.source.where
    before = len(problems.found)
    pairs = pairs_of(law.correlated)
    twice: dict[frozenset[str], int] = {}
    for index, one in enumerate(law.correlated):
        place = where((SECTION, "correlated", index))
        problems.extend(pair_problems(names, one.pairs(), place))
        for a, b, _ in one.pairs():
            if twice.setdefault(frozenset((a, b)), index) != index:
                problems.add("contradiction", f"'{a}' with '{b}' is given twice", place, "keep one of them")
    if pairs and len(problems.found) == before:
        used = list(dict.fromkeys(name for a, b, _ in pairs for name in (a, b)))
        found = correlation_of(used, pairs).problem(where((SECTION, "correlated")))
        if found is not None:
            problems.found.append(found)


def covenant_problem(covenant: Covenant) -> Problem | None:
    """What is wrong with a covenant on a scenario's metric."""
    from gigawatt.study.headline import HEADLINES

    known = {one.name: one.unit for one in HEADLINES}
    if covenant.metric not in known:
        near = nearest(covenant.metric, known)
        hints = ((f"did you mean '{near}'?",) if near else ()) + ("known: " + ", ".join(known),)
        return Problem("unknown_metric", f"a covenant needs a metric: there is no '{covenant.metric}'", None, hints)
    try:
        level(covenant, known[covenant.metric])
    except ValueError as error:
        return Problem("bad_covenant", f"covenant on {covenant.metric}: {error}")
    return None


def level(covenant: Covenant, unit: str) -> float:
    """The level in the unit of its metric.

    Raises:
        ValueError: a text of another dimension.
    """
    given = covenant.at_least if covenant.at_least is not None else covenant.at_most
    assert given is not None
    if not isinstance(given, str):
        return float(given)
    dimension = _LEVELS.get(unit, "share")
    value = units.parse(given, dimension)
    return value / {"time": 8760 * 3600.0, "power": 1e6}.get(dimension, 1.0)

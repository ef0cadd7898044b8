"""How sure, why different: risk of a scenario, a walk between two, SQL over results."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigawatt.api.ask import Asked, Verb
from gigawatt.api.data import plain_data
from gigawatt.api.result import Result
from gigawatt.api.scenario import Scenario, load
from gigawatt.core.errors import InputError, Problem, Problems, Where

if TYPE_CHECKING:
    from gigawatt.api.tables import Table
    from gigawatt.study.compare import Side
    from gigawatt.study.evaluate import Recipe
    from gigawatt.study.query_folders import Kept
    from gigawatt.study.risk.answer import Words


def risk(
    scenario: Asked,
    samples: int | None = None,
    *,
    vary: Mapping[str, Any] | None = None,
    correlate: Mapping[tuple[str, ...], float] | None = None,
    covenants: str | Sequence[str] = (),
    metric: str = "",
    reoptimise: bool = False,
    catalog: bool | None = None,
    verb: Verb | None = None,
    progress: Callable[[str], Any] | None = None,
) -> Result:
    """How sure we are, and what matters: draws of prices, catalog ranges and calibration errors, correlated as asked.

    A site's plan is held and revalued in every draw without asking physics again; a project is drawn by its own laws; any
    other question is asked whole for each draw of the inputs in `vary`.

    Args:
        scenario: what `gw.load` gave, or what it takes.
        samples: draws (the scenario's own; 16,384; 64 whole answers).
        vary: dotted path -> law: {'dist': 'lognormal', 'gsd': 1.2}, 'x1.2' (80 % within that factor), '40..75 USD/MWh'.
        correlate: (path, path) -> rank correlation.
        covenants: how often is it broken: 'dscr_min>=1.3'.
        metric: whose causes are sought (the objective's NPV).
        reoptimise: choose the fleet anew in each draw, too.
        catalog: draw the catalog's ranges as well (the scenario's own).
        verb: who answers, where it is not the scenario's own.
        progress: is told what is being worked out.

    Raises:
        InputError: laws, correlations, covenants or names that can not be, all at once.
        Infeasible: no plan fits as the scenario stands.

    >>> import gigawatt as gw
    >>> sure = gw.risk("one-rack", 256, vary={"site.energy_price": "40..75 USD/MWh"})
    >>> npv = sure.metrics["system_npv"]
    >>> npv.low < npv.p50 < npv.high
    True
    """
    from gigawatt.study.risk.answer import of_project, of_recipe, of_source

    asked = scenario if isinstance(scenario, Scenario) else load(scenario)
    recipe, say = asked._asked(verb), progress or (lambda text: None)
    said = _words(recipe, samples, vary, correlate, covenants, metric, reoptimise, catalog)
    if recipe.verb == "run":
        made = of_source(recipe.source, [], said, asked._catalog, say)
    elif recipe.source.data.get("question") == "project" and _own_laws(said):
        made = of_project(recipe.source, [], said, say)
    else:
        made = of_recipe(recipe, said, say)
    return Result(made, asked)


def _words(
    recipe: Recipe,
    samples: int | None,
    vary: Mapping[str, Any] | None,
    correlate: Mapping[tuple[str, ...], float] | None,
    covenants: str | Sequence[str],
    metric: str,
    reoptimise: bool,
    catalog: bool | None,
) -> Words:
    """What stands beside the file, as the file itself would say it.

    Raises:
        InputError: a law or a covenant that can not be read.
    """
    from gigawatt.study.risk import words
    from gigawatt.study.risk.answer import Words

    problems = Problems()
    laws: dict[str, Any] = {}
    for path, law in (vary or {}).items():
        given = plain_data(law, path)
        made = words.law_words(given) if isinstance(given, str) else given
        if not isinstance(made, Mapping):
            hints = ("for example 'x1.2', '40..75 USD/MWh', {'dist': 'lognormal', 'gsd': 1.2}",)
            problems.add("bad_law", f"{law!r} is no law", Where(f"vary {path}"), *hints)
        else:
            laws[path] = dict(made)
    pairs = [{"between": list(names), "is": plain_data(rho)} for names, rho in (correlate or {}).items()]
    bounds = words.covenants([covenants] if isinstance(covenants, str) else list(covenants), problems)
    problems.raise_if_any()
    return Words(
        samples,
        metric,
        laws,
        tuple(pairs),
        tuple(bounds),
        reoptimise,
        catalog,
        "" if recipe.verb == "run" else recipe.verb,
        recipe.as_of,
    )


def _own_laws(said: Words) -> bool:
    """Whether a project varies nothing but what its own model draws."""
    from gigawatt.study.project import VARIED

    return all(path in VARIED for path in said.vary)


def compare(
    a: Asked | Result,
    b: Asked | Result | None = None,
    *,
    changes: Mapping[str, Any] | None = None,
    metric: str = "",
    order: str | Sequence[str] = "",
    shapley: bool = False,
    verb: Verb | None = None,
    progress: Callable[[str], Any] | None = None,
) -> Result:
    """Why two answers differ: a walk from A to B, one group of inputs after another, whose steps sum to the gap.

    Args:
        a: a scenario or its answer; of an answer that `gw.open` gave, what it differs by from the same question asked
            today is a step of its own.
        b: the other side; without one, A with `changes`.
        changes: dotted path -> value, put into B.
        metric: which headline metric's gap is taken apart (the objective's NPV).
        order: groups of inputs or dotted paths, first to move first (that of the data).
        shapley: the mean over all orders, with the spread; taken anyhow where groups are few and no order is given.
        verb: who answers, where it is not the scenario's own.
        progress: is told what is being worked out.

    Raises:
        InputError: the sides ask different questions, or a metric, group or path that is not there.
        Infeasible: no plan fits one of the sides.

    >>> import gigawatt as gw
    >>> why = gw.compare("one-rack", changes={"site.energy_price": "90 USD/MWh"}, metric="cost_per_mtok")
    >>> steps = why.table("steps")
    >>> abs(sum(steps["value"]) - why.metrics["cost_per_mtok"]) < 1e-12
    True
    """
    from gigawatt.study.compare import compare_sides

    if b is None and not changes:
        hint = "name another one, or changes={'discount_rate': '8 %'}"
        raise InputError(Problem("nothing_to_compare", "there is one side only", None, (hint,)))
    one = _side(a, verb)
    two = _side(a if b is None else b, verb)
    if changes or b is None:
        made = _scenario(a if b is None else b).with_(changes)
        count = f"{len(changes or {})} changes"
        said = next((f"{path}={value}" for path, value in (changes or {}).items()), count)
        two = _of_scenario(made, verb, f"{two.name} with {said if len(changes or {}) == 1 else count}")
    if one.name == two.name:
        one, two = replace(one, name=f"{one.name} (A)"), replace(two, name=f"{two.name} (B)")
    made_of = compare_sides(
        one, two, metric=metric, order=order, shapley=shapley, progress=progress or (lambda text: None)
    )
    return Result(made_of)


def _side(given: Asked | Result, verb: Verb | None) -> Side:
    """A side of a comparison; of an answer that was kept, with the numbers it had then."""
    if isinstance(given, Result) and given._folder is not None and given._scenario is None:
        from gigawatt.study.compare import side_of

        return side_of(given._folder, verb)
    return _of_scenario(_scenario(given), verb or (given._verb if isinstance(given, Result) else None))


def _scenario(given: Asked | Result) -> Scenario:
    if isinstance(given, Result):
        return given.scenario
    return given if isinstance(given, Scenario) else load(given)


def _of_scenario(scenario: Scenario, verb: str | None, name: str = "") -> Side:
    """A scenario as a side; the day up to which things are known is part of what it says."""
    from gigawatt.study.compare import Side
    from gigawatt.study.compare.sides import DATED

    recipe = scenario._asked(verb)
    if recipe.as_of is not None and recipe.verb in DATED:
        source = replace(recipe.source, data={**recipe.source.data, "as_of": recipe.as_of})
        recipe = replace(recipe, source=source)
    return Side(name or scenario.name, recipe)


def query(sql: str, *results: Result | Path | str) -> Table:
    """One SELECT over the tables of results or folders, read only; of several the tables of one name are one, row under row.

    Args:
        sql: every table goes by its name: 'select * from plan'; a sweep's scenarios are 'runs'. Of several results a first
            column `run` says whose row it is.
        results: what `gw.run` and the others gave, run and sweep folders, or patterns such as 'runs/*'.

    Raises:
        InputError: the SQL is wrong (the nearest table or column is named), or tries to change something; a folder is no run.

    >>> import gigawatt as gw
    >>> gw.query("select platform, racks from plan", gw.run("one-rack"))["platform"]
    ['rack']
    """
    from gigawatt.api.tables import shown_as
    from gigawatt.study.query import Tables, query_tables
    from gigawatt.study.query_folders import open_folders

    if not results:
        raise InputError(Problem("no_run", "no result is named", None, ("gw.query(sql, result)",)))
    with tempfile.TemporaryDirectory(prefix="gigawatt-query-") as place:
        kept = [
            one
            for number, given in enumerate(results)
            for one in (
                [_written(given, Path(place) / str(number))]
                if isinstance(given, Result) and given._folder is None
                else open_folders([given._folder if isinstance(given, Result) and given._folder else str(given)])
            )
        ]
        names = [one.name for one in kept]
        named = [
            replace(one, name=f"{one.name} ({names[: at + 1].count(one.name)})") if names.count(one.name) > 1 else one
            for at, one in enumerate(kept)
        ]
        return shown_as(query_tables(Tables(tuple(named)), sql))


def _written(result: Result, folder: Path) -> Kept:
    """The tables of a result that lies nowhere, for as long as the query runs."""
    from gigawatt.study.query_folders import Kept

    folder.mkdir()
    files = {name: (folder / f"{name}.parquet",) for name in result.tables}
    for name, (file,) in files.items():
        result.tables[name].polars().write_parquet(file)
    units = {name: table.units for name, table in result.tables.items()}
    return Kept(result.name, folder, files, units, result._run.manifest)

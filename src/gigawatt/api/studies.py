"""How sure, why different: risk of a scenario, a walk between two, SQL over results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gigawatt.api.ask import Asked, Verb
from gigawatt.api.data import plain_data
from gigawatt.api.result import Result
from gigawatt.api.scenario import Scenario, load
from gigawatt.core.errors import Problems, Where

if TYPE_CHECKING:
    from gigawatt.study.evaluate import Recipe
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

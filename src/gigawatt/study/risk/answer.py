"""`gigawatt risk`: how sure are we, and what matters? A question of any kind to metrics with bands, causes and promises.

A plan is drawn by columns (`plan_model`), a project in one solution (`project_model`), any other question by asking it whole
for each draw of the paths that are varied (`boxed`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gigawatt import __version__
from gigawatt.catalog import Catalog
from gigawatt.core import units
from gigawatt.core.errors import InputError, Problem, Problems, Where, unknown_name
from gigawatt.study.bands import reoptimised
from gigawatt.study.evaluate import Recipe
from gigawatt.study.load import check
from gigawatt.study.project import VARIED, check_project
from gigawatt.study.questions import question_of
from gigawatt.study.result import RunResult
from gigawatt.study.risk import tables
from gigawatt.study.risk.analyse import Found, analyse
from gigawatt.study.risk.boxed import BoxedModel, boxed_model
from gigawatt.study.risk.model import Array, Asked, Metric, Model, Promise
from gigawatt.study.risk.plan_model import PlanModel, plan_model
from gigawatt.study.risk.project_model import project_risk, promises_of
from gigawatt.study.risk.spec import Correlated, Covenant, Distribution, pairs_of
from gigawatt.study.risk.texts import headline, left_out, notes
from gigawatt.study.source import Source, changed, digest, read

Say = Callable[[str], Any]
SAMPLES, BOXED_SAMPLES = 16_384, 64  # where nobody says: of what is drawn by columns, and of whole answers
ANEW, GAIN = "reoptimised_npv", "gain_of_reoptimising"
ANEW_WORDS = "the fleet chosen anew in each draw"


@dataclass(frozen=True, slots=True)
class Words:
    """What stands beside the file: as the file itself would say it. None and empty: the file's own.

    `verb` answers a scenario in another way than as a plan: fleet, moats, operate.
    """

    samples: int | None = None
    metric: str = ""
    vary: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    correlated: tuple[Mapping[str, Any], ...] = ()
    covenants: tuple[Mapping[str, Any], ...] = ()
    reoptimise: bool = False
    catalog: bool | None = None
    verb: str = ""
    as_of: str | None = None
    overlays: tuple[Path, ...] = ()


def run_risk(
    file: Path, overrides: list[str], words: Words, catalog: Catalog, say: Say = lambda text: None
) -> RunResult:
    """The risk of a file's question.

    Raises:
        InputError: the file, a law, a correlation, a covenant or a metric that can not be.
        Infeasible: no plan fits as the file stands.
    """
    asked = question_of(file)
    if asked in ("plan", "operate") and words.verb in ("", "run"):
        return of_source(read(file), overrides, words, catalog, say)
    if asked == "project" and all(path in VARIED for path in words.vary):
        return of_project(read(file), overrides, words, say)
    recipe = Recipe.of(file, words.verb or None, overrides, words.overlays, words.as_of)
    return of_recipe(recipe, words, say)


def of_source(
    source: Source, overrides: list[str], words: Words, catalog: Catalog | None = None, say: Say = lambda text: None
) -> RunResult:
    """The risk of a scenario's plan."""
    began = time.perf_counter()
    loaded = check(with_words(source, words), overrides)
    law = loaded.scenario.uncertainty
    model = plan_model(loaded, say, catalog)
    samples = law.samples if "samples" in law.model_fields_set else SAMPLES
    further: dict[str, Array] = {}
    more: list[tuple[Metric, str]] = []
    if law.reoptimise:
        anew = reoptimised(
            model.held_plan, model.drawn, samples, lambda n: say(f"choosing the fleet of {n:,} of {samples:,} draws")
        )
        further[ANEW] = anew
        more.append((_anew_metric(model), ANEW_WORDS))
    asked = Asked(
        _metric(model, words.metric, model.objective), samples, model.promises(), loaded.scenario.seed, further
    )
    found = analyse(model, asked, say)
    if law.reoptimise:
        found = _with_gain(model, found, further[ANEW])
        more.append(
            (
                Metric(GAIN, None, "USD", f"{ANEW} less the same plan's value with the fleet held, in the same draw"),
                ANEW_WORDS,
            )
        )
    return _result(loaded.source, loaded.scenario.name, loaded.scenario.title, model, asked, found, more, began)


def of_project(source: Source, overrides: list[str], words: Words, say: Say = lambda text: None) -> RunResult:
    """The risk of a project under its own laws."""
    began = time.perf_counter()
    loaded = check_project(with_words(source, words), overrides)
    law = loaded.file.uncertainty
    if not law.vary:
        raise InputError(
            Problem("nothing_varies", "uncertainty.vary is empty: there is nothing to draw", Where(source.file))
        )
    say("sizing the debt")
    model = project_risk(loaded)
    samples = max(law.samples, 16) if "samples" in law.model_fields_set else SAMPLES
    metric = _metric(model, words.metric, "equity_npv")
    promises = (*model.promises(), *_promises(model, law.covenants))
    asked = Asked(metric, samples, promises, loaded.file.seed)
    found = analyse(model, asked, say)
    return _result(loaded.source, loaded.file.name, loaded.file.title, model, asked, found, [], began)


def of_recipe(recipe: Recipe, words: Words, say: Say = lambda text: None) -> RunResult:
    """The risk of any question over paths that are varied, asked whole for each draw."""
    began = time.perf_counter()
    if not words.vary:
        hint = "for example: --vary 'PATH=lognormal(gsd=1.2)'; `gigawatt check FILE --inputs` lists the paths"
        raise InputError(
            Problem("nothing_varies", f"'{recipe.source.file}' asks '{recipe.verb}': say what to vary", None, (hint,))
        )
    problems = Problems()
    given = {path: _model(Distribution, law, f"--vary {path}", problems) for path, law in words.vary.items()}
    correlated = [_model(Correlated, one, "--correlate", problems) for one in words.correlated]
    bounds = [_model(Covenant, one, "--covenant", problems) for one in words.covenants]
    problems.raise_if_any()
    seed = int(recipe.source.data.get("seed", 20260101))
    model = boxed_model(_quiet(recipe), given, pairs_of(correlated), seed)
    say("answering the question as it stands")
    default = next(
        (m.name for m in model.metrics if m.name.endswith("npv")), model.metrics[0].name if model.metrics else ""
    )
    metric = _metric(model, words.metric, default)
    promises = _promises(model, bounds)
    if recipe.source.data.get("question") == "project":
        promises = (*promises_of(check_project(recipe.source).file), *promises)
    asked = Asked(metric, words.samples or BOXED_SAMPLES, promises, seed)
    found = analyse(model, asked, say)
    name = str(recipe.source.data.get("name") or Path(recipe.source.file).stem)
    title = str(recipe.source.data.get("title") or name)
    return _result(recipe.source, name, title, model, asked, found, [], began)


def with_words(source: Source, words: Words) -> Source:
    """The source with what was said beside it in its `uncertainty`; each at the place of its option."""
    data, places = dict(source.data), dict(source.places)
    given = data.get("uncertainty")
    law = dict(given) if isinstance(given, Mapping) else {}

    def put(name: str, value: Any, said: str) -> None:
        law[name] = value
        places["uncertainty", name] = Where(said)

    if words.samples is not None:
        put("samples", words.samples, f"--samples {words.samples}")
    if words.reoptimise:
        put("reoptimise", True, "--reoptimise")
    if words.catalog is not None:
        put("catalog", words.catalog, "--no-catalog")
    if words.vary:
        law["vary"] = {**(law.get("vary") or {}), **{path: dict(one) for path, one in words.vary.items()}}
        places |= {("uncertainty", "vary", path): Where(f"--vary {path}") for path in words.vary}
    for name, option, more in (
        ("correlated", "--correlate", words.correlated),
        ("covenants", "--covenant", words.covenants),
    ):
        if more:
            before = list(law.get(name) or [])
            law[name] = [*before, *map(dict, more)]
            places |= {("uncertainty", name, len(before) + at): Where(option) for at in range(len(more))}
    return replace(source, data={**data, "uncertainty": law} if law else data, places=places)


def _quiet(recipe: Recipe) -> Recipe:
    """The same question without bands of its own: they would be drawn anew in each draw."""
    least = {"project": 0}.get(
        str(recipe.source.data.get("question")), 16 if recipe.verb in ("fleet", "moats", "operate") else None
    )
    if least is None:
        return recipe
    problems = Problems()
    source = changed(recipe.source, {"uncertainty.samples": least}, problems)
    return recipe if problems.found else replace(recipe, source=source)


def _model(kind: Any, given: Mapping[str, Any], said: str, problems: Problems) -> Any:
    """A part of an uncertainty section as its model; complaints go into `problems`."""
    from pydantic import ValidationError

    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        for item in error.errors(include_url=False):
            message = str(item["msg"]).removeprefix("Value error, ")
            shown = ".".join(map(str, item["loc"]))
            problems.add("bad_law", f"{shown}: {message}" if shown else message, Where(said))
        return None


def _metric(model: Model, name: str, default: str) -> str:
    """The metric asked for.

    Raises:
        InputError: the question has none of that name.
    """
    known = [one.name for one in model.metrics]
    if not name:
        return default if default in known else known[0]
    if name not in known:
        raise InputError(unknown_name("metric", name, known, Where(f"--metric {name}")))
    return name


def _promises(model: Model, given: list[Covenant]) -> tuple[Promise, ...]:
    """Covenants on a model's metrics.

    Raises:
        InputError: a metric that it does not have, or a level of another dimension.
    """
    problems = Problems()
    unit = {one.name: one.unit for one in model.metrics}
    out = []
    for one in given:
        least = one.at_least is not None
        level = one.at_least if least else one.at_most
        if one.metric not in unit:
            problems.found.append(unknown_name("metric", one.metric, unit, Where("--covenant")))
            continue
        try:
            value = (
                units.parse(level, "money" if unit[one.metric] == "USD" else "share")
                if isinstance(level, str)
                else level
            )
        except ValueError as error:
            problems.add("bad_covenant", f"covenant on {one.metric}: {error}", Where("--covenant"))
            continue
        assert value is not None
        out.append(
            Promise(
                one.id or f"{one.metric} {'at least' if least else 'at most'} {level}", one.metric, float(value), least
            )
        )
    problems.raise_if_any()
    return tuple(out)


def _anew_metric(model: PlanModel) -> Metric:
    plan, line = model.answer.plan, model.answer.line
    words = f"best value of the plan for the {model.answer.priced.inputs.objective} in each draw, loans left out"
    return Metric(
        ANEW, plan.value_usd_per_yr * line.annuity_years, "USD", words, "the fleet programme, solved again in each draw"
    )


def _with_gain(model: PlanModel, found: Found, anew: Array) -> Found:
    from gigawatt.study.bands import blocks, evaluate
    from gigawatt.study.risk.analyse import spread_of

    name = f"value.{model.answer.priced.inputs.objective}"
    worlds = (model.drawn.draw(first, last) for first, last in blocks(len(anew)))
    held = evaluate(lambda world: {name: model.held_plan.columns(world)[name]}, worlds, len(anew))[name]
    gain = anew - held
    return replace(found, drawn={**found.drawn, GAIN: gain}, spreads={**found.spreads, GAIN: spread_of(gain)})


def _result(
    source: Source,
    name: str,
    title: str,
    model: Model,
    asked: Asked,
    found: Found,
    more: list[tuple[Metric, str]],
    began: float,
) -> RunResult:
    unit = next(one.unit for one in model.metrics if one.name == asked.metric)
    made = [
        tables.sensitivity_table(model, asked, found),
        tables.covenants_table(model, asked.promises, found),
        tables.histogram_table(asked, found, unit),
        tables.convergence_table(asked, found, unit),
        tables.draws_table(model, asked, found),
    ]
    told = {"left_out": left_out(model), "notes": notes(model, asked, found)}
    if isinstance(model, BoxedModel):
        told["notes"] += ["Only what is asked to vary is drawn; uncertainty that the file states itself is not."]
        told["notes"] += model.notes(asked.samples + 1 + 2 * len(model.inputs))
    told["next"] = [f"gigawatt risk {source.file} --metric {one}" for one in _others(model, asked)]
    manifest = {
        "question": "risk",
        "version": __version__,
        "scenario": source.data,
        "scenario_file": source.file,
        "scenario_hash": digest(source.data)[:16],
        "seed": asked.seed,
        "samples": asked.samples,
        "metric": asked.metric,
        "bands": model.held,
        "at_medians": found.middle,
        "inputs": len(model.inputs),
        "converged": found.steady.enough if found.steady is not None else None,
        "wall_s": time.perf_counter() - began,
    }
    return RunResult(
        f"{name}-risk",
        title or name,
        headline(model, asked, found),
        {table.name: table for table in made if table is not None and len(table)},
        tables.metrics_table(model, asked, found, more),
        told,
        manifest,
    )


def _others(model: Model, asked: Asked) -> list[str]:
    known = [one.name for one in model.metrics if one.value is not None and one.name != asked.metric]
    wanted = ("dscr_min", "operator_irr", "equity_irr", "cost_per_mtok", "project_irr")
    return [name for name in wanted if name in known][:2]

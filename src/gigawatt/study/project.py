"""A project file from text to result: read, check, solve, draw bands, write tables and sentences.

    schema: 1
    question: project
    name: cloud-contract-with-debt
    project: {id: ..., capital: [...], revenue: [...], senior: {...}}
    uncertainty: {samples: 1000, vary: {price: {dist: lognormal, gsd: 1.1}}}

Draws are factors on price, utilisation, capital cost, running costs and the loans' rates. Bands of returns and cover hold the
debt and its repayment as signed; the band of the debt sizes it anew in each draw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from gigawatt import __version__
from gigawatt.core.errors import Problems
from gigawatt.finance.project import Loan, ProjectModel, Terms, debt_usd, faults, held, price_factor, solve
from gigawatt.finance.project.terms import Number, level
from gigawatt.study.claim import Claim
from gigawatt.study.door import QuestionName, Strict
from gigawatt.study.explained.kept import kept
from gigawatt.study.load import Default, defaults_of
from gigawatt.study.project_explained import trees
from gigawatt.study.project_tables import inputs_table, metrics_table, tables_of
from gigawatt.study.project_terms import Project
from gigawatt.study.project_texts import headline, texts
from gigawatt.study.result import RunResult
from gigawatt.study.risk.spec import Correlated, Covenant, Distribution, pairs_of
from gigawatt.study.sampling import Sampler, correlation_of, pair_problems
from gigawatt.study.source import Source, digest, override, read, validated

Array = NDArray[np.float64]
Progress = Callable[[str], Any]
VARIED = ("price", "utilisation", "cost", "opex", "rate")
# Assumed by us, and said so beside the bands: what a lender's first look moves. 80 % of the draws of price, capital cost and
# rate lie within about 13 % of the value.
USUAL = {
    "price": Distribution(dist="lognormal", gsd=1.1),
    "utilisation": Distribution(dist="triangular", low=0.85, high=1.0),
    "cost": Distribution(dist="lognormal", gsd=1.1),
    "rate": Distribution(dist="lognormal", gsd=1.1),
}
# Terms of the finance room by the name that the file gives them.
_FILE_NAMES = {"calendar": "timing", "costs": "opex", "upkeep": "maintenance", "cover": "dscr"}


class ProjectUncertainty(Strict):
    """What is drawn; no samples, no bands."""

    samples: Annotated[int, Field(ge=0, le=100_000)] = 1000
    vary: dict[Literal["price", "utilisation", "cost", "opex", "rate"], Distribution] = USUAL  # type: ignore[assignment]
    correlated: list[Correlated] = []
    covenants: list[Covenant] = []

    @field_validator("vary")
    @classmethod
    def _factors(cls, value: dict[str, Distribution]) -> dict[str, Distribution]:
        for name, one in value.items():
            if one.absolute:
                raise ValueError(f"the laws of a project are factors, and that of '{name}' is of values; 'gigawatt risk --vary "
                                 f"PATH=LAW' draws values")  # fmt: skip
            if one.law(middle=1.0).support[0] < 0:
                raise ValueError(f"a factor on '{name}' is at least 0: {one.dist} goes below")
        return value


class ProjectFile(Strict):
    """A whole question about one project."""

    schema_: Literal[1] = Field(1, alias="schema")
    question: Literal["project"] = "project"
    name: QuestionName = "unnamed"
    title: str = Field("", max_length=200)
    description: str = ""
    claim: Claim | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 20260101
    project: Project
    uncertainty: ProjectUncertainty = ProjectUncertainty()


@dataclass(frozen=True, slots=True)
class LoadedProject:
    """A checked project file and its terms."""

    file: ProjectFile
    source: Source
    defaults: tuple[Default, ...]
    terms: Terms


@dataclass(frozen=True, slots=True)
class ProjectRun(RunResult):
    """A run that carries its solved model, for the workbook; `sources` by the name of the workbook's input."""

    model: ProjectModel | None = None
    sources: Mapping[str, str] = field(default_factory=dict)


def load_project(path: Path | str, overrides: Sequence[str] = ()) -> LoadedProject:
    """Read, merge, override and check a project file.

    Raises:
        InputError: with every problem found, each at its place.
    """
    return check_project(read(Path(path)), overrides)


def check_project(source: Source, overrides: Sequence[str] = ()) -> LoadedProject:
    """The same from a source that is read already."""
    problems = Problems()
    merged = override(source, overrides, problems)
    file = validated(ProjectFile, merged, problems)
    if file is not None:
        for path, message in _uneven(file.project):
            problems.add("uneven", message, merged.where(("project", *path)))
        pairs = pairs_of(file.uncertainty.correlated)
        place = merged.where(("uncertainty", "correlated"))
        names = [name for name in VARIED if name in file.uncertainty.vary]
        wrong = pair_problems(names, pairs, place)
        contradiction = correlation_of(names, pairs).problem(place) if pairs and not wrong else None
        problems.extend([*wrong, *([contradiction] if contradiction is not None else [])])
    problems.raise_if_any()
    assert file is not None
    terms = file.project.to_terms()
    for fault in faults(terms):
        shown = ("project", *(_FILE_NAMES.get(str(part), part) for part in fault.path))
        message = f"{_dotted(shown, file)}: {fault.message}"
        problems.add(fault.code, message, merged.where(shown), *fault.hints)
    problems.raise_if_any()
    return LoadedProject(file, merged, defaults_of(file), terms)


def _dotted(path: Sequence[str | int], file: ProjectFile) -> str:
    shown: list[str] = []
    for part in path:
        if isinstance(part, int) and shown:
            lines = getattr(file.project, shown[-1], None)
            shown.append(lines[part].id if isinstance(lines, list) and part < len(lines) else str(part))
        else:
            shown.append(str(part))
    return ".".join(shown)


def _uneven(project: Project) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Durations that are no whole number of periods."""
    step = project.timing.step
    per_year = {"quarter": 4, "half-year": 2, "year": 1}[step]
    given: list[tuple[tuple[str | int, ...], float | None]] = [
        (("timing", "construction"), project.timing.construction),
        (("timing", "operation"), project.timing.operation),
        *((("revenue", n, "term"), line.term) for n, line in enumerate(project.revenue)),
    ]
    for name in ("senior", "subordinated", "refinancing"):
        loan = getattr(project, name)
        if loan is not None:
            given.append(((name, "tenor"), loan.tenor))
    if project.refinancing is not None:
        given.append((("refinancing", "after"), project.refinancing.after))
    for path, years in given:
        if years is not None and abs(years * per_year - round(years * per_year)) > 1e-6:
            yield (
                path,
                f"project.{'.'.join(map(str, path))}: {years:g} years are no whole number of periods of a {step}",
            )


def run_project(loaded: LoadedProject, progress: Progress = lambda text: None) -> ProjectRun:
    """Answer a project file. Debt that can not be carried is an answer: the run says so, and what price would carry it."""
    began = time.perf_counter()
    file, terms = loaded.file, loaded.terms
    progress("sizing the debt")
    model = solve(terms)
    factor = price_factor(terms) if terms.senior is not None else None
    drawn: Mapping[str, Array] = {}
    if file.uncertainty.samples and file.uncertainty.vary:
        progress(f"drawing {file.uncertainty.samples} futures")
        drawn = draw(file, model)
    progress("writing tables")
    metrics = metrics_table(model, drawn, factor)
    made = {table.name: table for table in (*tables_of(file.project.id, model), inputs_table(loaded.source.data))}
    said = texts(file, model, drawn, factor, loaded.defaults)
    manifest = {
        "question": "project",
        "version": __version__,
        "scenario": loaded.source.data,
        "scenario_file": loaded.source.file,
        "scenario_hash": digest(loaded.source.data)[:16],
        "seed": file.seed,
        "samples": file.uncertainty.samples,
        "iterations": model.iterations,
        "residual_usd": float(np.max(model.residual_usd)),
        "balance_gap_usd": float(np.abs(model.statements.gap_usd).max()),
        "claim": file.claim.model_dump(mode="json") if file.claim else None,
        **kept(trees(loaded.source, model, file.uncertainty.samples, metrics), None, loaded.source),
        "wall_s": time.perf_counter() - began,
    }
    return ProjectRun(
        file.name,
        file.title or file.name,
        headline(file.project.id, model, drawn, factor),
        {name: table for name, table in made.items() if len(table)},
        metrics,
        said,
        manifest,
        model,
        origins(loaded.source.data),
    )


def draw(file: ProjectFile, model: ProjectModel) -> dict[str, Array]:
    """Metrics over the draws, [samples] each, with the debt held as signed; `resized_debt_usd` sizes it anew.

    Rows are those of a Sobol' sequence by number: the first n draws are the same whatever the number of samples.
    """
    count = file.uncertainty.samples
    drawn = sampler_of(file).draw(0, count)
    made = {name: column[:, None] for name, column in drawn.items()}
    resized = np.broadcast_to(debt_usd(varied(model.terms, made)), (count,))
    return draws_of(model, drawn, count) | {"resized_debt_usd": resized}


def sampler_of(file: ProjectFile) -> Sampler:
    """What a project draws: factors by name, in the order of `VARIED`."""
    law = file.uncertainty
    given: dict[str, Distribution] = {str(name): one for name, one in law.vary.items()}
    laws = {name: given[name].law(middle=1.0) for name in VARIED if name in given}
    pairs = [pair for pair in pairs_of(law.correlated) if pair[0] in laws and pair[1] in laws]
    return Sampler(laws, file.seed, correlation_of(tuple(laws), pairs) if pairs else None)


def draws_of(model: ProjectModel, drawn: Mapping[str, Array], count: int) -> dict[str, Array]:
    """Metrics [draws] with factors [draws] on price, utilisation, cost, opex and rate, the debt held as signed."""
    made = {name: column[:, None] for name, column in drawn.items()}
    signed = solve(varied(held(model.terms, model), made))
    return {name: np.broadcast_to(values, (count,)) for name, values in signed.metrics.items()}


def varied(terms: Terms, by: Mapping[str, Array]) -> Terms:
    """The terms with factors [draws, 1] on price, utilisation, cost, opex and rate."""

    def times(value: Number, name: str) -> Number:
        return level(value) * by[name] if name in by else value

    def used(value: Number) -> Number:
        return np.minimum(level(value) * by["utilisation"], 1.0) if "utilisation" in by else value

    def lent(loan: Loan | None) -> Loan | None:
        return None if loan is None else replace(loan, rate=times(loan.rate, "rate"))

    refinancing = terms.refinancing
    if refinancing is not None:
        loan = lent(refinancing.loan)
        assert loan is not None
        refinancing = replace(refinancing, loan=loan)
    return replace(
        terms,
        capital=tuple(replace(part, cost_usd=times(part.cost_usd, "cost")) for part in terms.capital),
        revenue=tuple(
            replace(
                line,
                price_usd_per_mw_yr=times(line.price_usd_per_mw_yr, "price"),
                merchant_price_usd_per_mw_yr=times(line.merchant_price_usd_per_mw_yr, "price"),
                utilisation=used(line.utilisation),
                merchant_utilisation=used(line.merchant_utilisation),
            )
            for line in terms.revenue
        ),
        costs=tuple(
            replace(
                line,
                usd_per_yr=times(line.usd_per_yr, "opex"),
                usd_per_mw_yr=times(line.usd_per_mw_yr, "opex"),
                usd_per_mwh=times(line.usd_per_mwh, "opex"),
                revenue_share=times(line.revenue_share, "opex"),
            )
            for line in terms.costs
        ),
        senior=lent(terms.senior),
        subordinated=lent(terms.subordinated),
        refinancing=refinancing,
    )


def origins(data: Mapping[str, Any]) -> dict[str, str]:
    """Sources of what the file gives, by the name of the workbook's input."""
    project = data.get("project", {})
    out: dict[str, str] = {}

    def note(name: str, line: Mapping[str, Any], key: str) -> None:
        given = line.get(key)
        said = given.get("source") or given.get("kind") if isinstance(given, Mapping) else None
        if said or (given is not None and line.get("source")):
            out[name] = str(said or line.get("source"))

    for n, part in enumerate(project.get("capital", [])):
        for name, key in (("cost", "cost"), ("life", "life"), ("residual", "residual")):
            note(f"{name}_part_{n}", part, key)
    for n, line in enumerate(project.get("revenue", [])):
        for name, key in (("price", "price"), ("mw", "power"), ("available", "availability"), ("use", "utilisation"),
                          ("floor", "floor"), ("term", "term"), ("growth", "escalator"), ("ahead", "prepaid")):  # fmt: skip
            note(f"{name}_revenue_{n}", line, key)
    for n, line in enumerate(project.get("opex", [])):
        for name, key in (("fixed", "fixed"), ("mw", "per_mw"), ("mwh", "per_mwh"), ("share", "share_of_revenue")):
            note(f"{name}_cost_{n}", line, key)
    for p, name in (("s", "senior"), ("j", "subordinated"), ("n", "refinancing")):
        loan = project.get(name) or {}
        for key, term in (("rate", "rate"), ("tenor", "tenor"), ("asked_cover", "dscr"), ("gearing", "gearing"),
                          ("amount", "amount"), ("upfront", "upfront_fee"), ("commitment", "commitment_fee")):  # fmt: skip
            note(f"{key}_{p}", loan, term)
    note("tax_rate", project.get("tax") or {}, "rate")
    for key in ("contingency", "sweep", "discount_rate"):
        note(key, project, key)
    note("equity_rate", project, "equity_discount_rate")
    return out

"""A file of a serving question, and a plan's scenario read as one.

    schema: 1
    question: serve
    name: chat
    model: deepseek-v3
    on: [gb300-nvl72, hgx-h200]
    isl: 4096
    osl: 1024
    slo: {ttft_p99: 1 s, tpot: 30 ms}

Words are those of the command line; `--set slo.tpot='20 ms'` changes any of them. Of a plan's scenario one serving workload is
asked about: its model, lengths, SLO and derate on the platforms of the fleet, their software as the plan takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Problems
from gigawatt.study.claim import Claim
from gigawatt.study.door import QuestionName, Strict
from gigawatt.study.hosts import Host
from gigawatt.study.load import Default, check
from gigawatt.study.load import defaults_of as unwritten
from gigawatt.study.question_files import chosen, filed, fleet_hosts, placed, text_of
from gigawatt.study.resolve import Resolved, Work, resolve
from gigawatt.study.result import RunResult
from gigawatt.study.serve.answer import answer
from gigawatt.study.serve.question import Derate, Drafts, Question, Slo
from gigawatt.study.serve.replay import replay
from gigawatt.study.serve.replay_words import Replay, read_replay
from gigawatt.study.serve.words import read_question
from gigawatt.study.source import Source, override, read, validated
from gigawatt.study.workloads import Serving

Some = str | int | float | list[str | int | float]


class TraceSpec(Strict):
    """A trace to be served, beside the file that names it; `options` are those of the command line's --trace-with."""

    file: str
    format: str = ""
    options: dict[str, str | int | float | bool] = {}


class ServeFile(Strict):
    """A whole question about serving; a field that is left out is open, or the command line's default."""

    schema_: Literal[1] = Field(1, alias="schema")
    question: Literal["serve"] = "serve"
    name: QuestionName = "unnamed"
    title: str = Field("", max_length=200)
    description: str = ""
    claim: Claim | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    model: str
    as_service: str = Field("", alias="as")
    options: dict[str, str | int | float | bool] = Field({}, alias="with")
    trace: TraceSpec | None = None
    on: Some = ""
    isl: str | int = ""
    osl: str | int = ""
    cached: str | float = ""
    slo: str | dict[str, str | float] = ""
    rate: str | float = ""
    concurrency: Some = ""
    precision: Some = ""
    engine: Some = ""
    mapping: Some = ""
    chips: str | int = ""
    replica_chips: str | int = ""
    stages: str | int = ""
    disaggregate: bool | None = None
    speculation: str | float | list[str] = ""
    power_cap: Some = ""
    maturity: str | float = ""
    release: str | int = ""
    fabric: str = ""
    facility: str = ""
    derate: str | float | dict[str, str | float] = ""
    objective: str = ""
    pareto: int | None = None


@dataclass(frozen=True, slots=True)
class LoadedServe:
    """A checked question with its file; `hosts` are those of a plan's fleet, None where the question names them."""

    name: str
    title: str
    source: Source
    defaults: tuple[Default, ...]
    question: Question
    given: tuple[str, ...]
    catalog: Catalog
    hosts: tuple[Host, ...] | None = None
    as_service: str = ""
    options: tuple[str, ...] = ()
    replayed: Replay | None = None
    claim: Claim | None = None
    seed: int = 0


def load_serve(path: Path | str, overrides: Sequence[str] = (), catalog: Catalog | None = None) -> LoadedServe:
    """Read, merge, override and check a file that says `question: serve`.

    Raises:
        InputError: with every problem found, each at its place.
    """
    return check_serve(read(Path(path)), overrides, catalog)


def check_serve(source: Source, overrides: Sequence[str] = (), catalog: Catalog | None = None) -> LoadedServe:
    """The same from a source that is read already."""
    told = Problems()
    merged = override(source, overrides, told)
    file = validated(ServeFile, merged, told)
    told.raise_if_any()
    assert file is not None
    found = Problems()
    words = {name: text_of(getattr(file, name)) for name in WORDS}
    question = read_question(file.model, disaggregate=file.disaggregate, pareto=file.pareto, told=found, **words)
    replayed = None
    if file.trace is not None:
        beside = Path(source.file).parent / file.trace.file
        replayed = read_replay(beside, file.trace.format, _pairs(file.trace.options), question.rate_per_s, found)
    for problem in found.found:
        told.extend([placed(problem, merged, WORDS)])
    told.raise_if_any()
    given = tuple(name for name in (*WORDS, "disaggregate", "pareto") if name in merged.data)
    return LoadedServe(
        file.name,
        file.title,
        merged,
        unwritten(file),
        question,
        given,
        catalog or Catalog.load(),
        as_service=file.as_service,
        options=_pairs(file.options),
        replayed=replayed,
        claim=file.claim,
        seed=file.seed,
    )


WORDS = (
    "on", "isl", "osl", "cached", "slo", "rate", "concurrency", "precision", "engine", "mapping", "chips",
    "replica_chips", "stages", "speculation", "power_cap", "maturity", "release", "fabric", "facility", "derate",
    "objective",
)  # fmt: skip


def _pairs(options: dict[str, str | int | float | bool]) -> tuple[str, ...]:
    """Options as name=value; yes and no as people write them."""
    words = {True: "yes", False: "no"}
    return tuple(f"{name}={words[v] if isinstance(v, bool) else v}" for name, v in options.items())


def load_workload(
    path: Path | str, workload: str = "", overrides: Sequence[str] = (), catalog: Catalog | None = None
) -> LoadedServe:
    """A serving workload of a plan's scenario as a question; the only one where none is named.

    Raises:
        InputError: the scenario is wrong, or has no such workload.
    """
    return check_workload(read(Path(path)), workload, overrides, catalog)


def check_workload(
    source: Source, workload: str = "", overrides: Sequence[str] = (), catalog: Catalog | None = None
) -> LoadedServe:
    """The same of a scenario that is read already."""
    cat = catalog or Catalog.load()
    loaded = check(source, overrides)
    resolved = resolve(loaded, cat)
    works = {work.id: work for work in resolved.works if work.is_serving}
    where = loaded.source.where(("workloads",))
    if not workload and len({work.family for work in works.values()}) == 1:
        workload = next(iter(works))  # its further levels differ in their limits alone
    work = chosen(works, workload, where, "serving", source.file)
    question = _question(work, resolved)
    hosts = fleet_hosts(question, work, resolved, "serving")
    given = ("on", "isl", "osl", "cached", "slo", "derate", "fabric")
    scenario = loaded.scenario
    return LoadedServe(
        f"{scenario.name}-{work.id}",
        f"{scenario.title or scenario.name}: {work.id}",
        loaded.source,
        loaded.defaults,
        question,
        given,
        cat,
        hosts,
        seed=scenario.seed,
    )


def _question(work: Work, resolved: Resolved) -> Question:
    spec = work.spec
    assert isinstance(spec, Serving)
    drafting = spec.speculation
    return Question(
        model=work.model.id,
        on=tuple(offered.offer.id for offered in resolved.offers),
        input_tokens=spec.input_tokens,
        output_tokens=spec.output_tokens,
        cached_share=spec.cached_share,
        slo=Slo(ttft_p99_s=spec.slo.ttft_p99, tpot_p99_s=spec.slo.tpot_p99),
        precisions=() if isinstance(spec.precisions, str) else tuple(spec.precisions),
        facility=resolved.scenario.site.facility,
        derate=Derate(spec.derate.decode, spec.derate.prefill),
        speculation=Drafts() if drafting is None else Drafts("mtp", drafting.tokens, drafting.acceptance),
    )


def run_serve(loaded: LoadedServe, progress: Callable[[str], Any] = lambda text: None) -> RunResult:
    """Answer a file.

    Raises:
        InputError: names that do not exist, requests longer than the model takes.
        Infeasible: nothing serves it within the SLO.
    """
    more: dict[str, Any] = {"given": loaded.given, "hosts": loaded.hosts, "say": progress}
    if loaded.replayed is not None:
        made = replay(loaded.replayed, loaded.question, loaded.catalog, **more)
    else:
        made = answer(loaded.question, loaded.catalog, as_service=loaded.as_service, options=loaded.options, **more)
    return filed(made, loaded)

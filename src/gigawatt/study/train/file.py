"""A file of a training question, and a plan's scenario read as one.

    schema: 1
    question: train
    name: frontier-run
    model: llama3-405b
    on: [gb300-nvl72, hgx-h100]
    gpus: 4608
    seq: 8192
    tokens: 15T

Words are those of the command line; `--set tokens=30T` changes any of them. Of a plan's scenario one training workload is asked
about: its model, lengths, batch and budget on the platforms of the fleet, their software as the plan takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Problems
from gigawatt.physics.training.releases import release_of
from gigawatt.study.claim import Claim
from gigawatt.study.door import QuestionName, Strict
from gigawatt.study.hosts import Host
from gigawatt.study.load import Default, check
from gigawatt.study.load import defaults_of as unwritten
from gigawatt.study.question_files import chosen, filed, fleet_hosts, placed, text_of
from gigawatt.study.resolve import Resolved, Work, resolve
from gigawatt.study.result import RunResult
from gigawatt.study.source import Source, override, read, validated
from gigawatt.study.train.answer import answer
from gigawatt.study.train.question import DEFAULT_CHIPS, Question
from gigawatt.study.train.words import read_question
from gigawatt.study.workloads import Training

Some = str | int | float | list[str | int | float]


class TrainFile(Strict):
    """A whole question about training; a field that is left out is open, or the command line's default."""

    schema_: Literal[1] = Field(1, alias="schema")
    question: Literal["train"] = "train"
    name: QuestionName = "unnamed"
    title: str = Field("", max_length=200)
    description: str = ""
    claim: Claim | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    model: str
    on: Some = ""
    gpus: str | int = ""
    seq: str | int = ""
    batch: str | int = ""
    tokens: str | float = ""
    precision: Some = ""
    stack: str = ""
    release: str | int | float = ""
    maturity: str | float = ""
    mapping: str | dict[str, int] = ""
    schedule: Some = ""
    context: Some = ""
    sharding: Some = ""
    recompute: Some = ""
    offload: Some = ""
    lora: bool = False
    pair: bool | None = None
    sites: str | int = ""
    link: Some = ""
    local_steps: str | int = ""
    imbalance: str | float = ""
    power_cap: Some = ""
    fabric: str = ""
    facility: str = ""
    objective: str | dict[str, str | float] = ""
    max_step: str = ""
    failures: str | float | dict[str, str | float] = ""
    pareto: int | None = None


@dataclass(frozen=True, slots=True)
class LoadedTrain:
    """A checked question with its file; `hosts` are those of a plan's fleet, None where the question names them."""

    name: str
    title: str
    source: Source
    defaults: tuple[Default, ...]
    question: Question
    given: tuple[str, ...]
    catalog: Catalog
    hosts: tuple[Host, ...] | None = None
    claim: Claim | None = None
    seed: int = 0


def load_train(path: Path | str, overrides: Sequence[str] = (), catalog: Catalog | None = None) -> LoadedTrain:
    """Read, merge, override and check a file that says `question: train`.

    Raises:
        InputError: with every problem found, each at its place.
    """
    return check_train(read(Path(path)), overrides, catalog)


def check_train(source: Source, overrides: Sequence[str] = (), catalog: Catalog | None = None) -> LoadedTrain:
    """The same from a source that is read already."""
    told = Problems()
    merged = override(source, overrides, told)
    file = validated(TrainFile, merged, told)
    told.raise_if_any()
    assert file is not None
    found = Problems()
    words = {name: text_of(getattr(file, name)) for name in WORDS}
    words["mapping"] = text_of(file.mapping, "-", "")
    question = read_question(file.model, lora=file.lora, pair=file.pair, pareto=file.pareto, told=found, **words)
    for problem in found.found:
        told.extend([placed(problem, merged, WORDS)])
    told.raise_if_any()
    given = tuple(name for name in (*WORDS, "lora", "pair", "pareto") if name in merged.data)
    return LoadedTrain(
        file.name,
        file.title,
        merged,
        unwritten(file),
        question,
        given,
        catalog or Catalog.load(),
        claim=file.claim,
        seed=file.seed,
    )


WORDS = (
    "on", "gpus", "seq", "batch", "tokens", "precision", "stack", "release", "maturity", "mapping", "schedule", "context",
    "sharding", "recompute", "offload", "sites", "link", "local_steps", "imbalance",
    "power_cap", "fabric", "facility", "objective", "max_step", "failures",
)  # fmt: skip


def load_workload(
    path: Path | str, workload: str = "", overrides: Sequence[str] = (), catalog: Catalog | None = None
) -> LoadedTrain:
    """A training workload of a plan's scenario as a question; the only one where none is named.

    Raises:
        InputError: the scenario is wrong, or has no such workload.
    """
    return check_workload(read(Path(path)), workload, overrides, catalog)


def check_workload(
    source: Source, workload: str = "", overrides: Sequence[str] = (), catalog: Catalog | None = None
) -> LoadedTrain:
    """The same of a scenario that is read already."""
    cat = catalog or Catalog.load()
    loaded = check(source, overrides)
    resolved = resolve(loaded, cat)
    works = {work.id: work for work in resolved.works if isinstance(work.spec, Training)}
    where = loaded.source.where(("workloads",))
    work = chosen(works, workload, where, "training", source.file)
    question = _question(work, resolved)
    given = ["on", "seq", "batch", "tokens", "fabric"]
    spec = work.spec
    assert isinstance(spec, Training)
    given += ["gpus"] if isinstance(spec.chips, int) else []
    given += [name for name in ("stack", "release") if getattr(spec, name) != "auto"]
    scenario = loaded.scenario
    return LoadedTrain(
        f"{scenario.name}-{work.id}",
        f"{scenario.title or scenario.name}: {work.id}",
        loaded.source,
        loaded.defaults,
        question,
        tuple(given),
        cat,
        fleet_hosts(question, work, resolved, "training"),
        seed=scenario.seed,
    )


def _question(work: Work, resolved: Resolved) -> Question:
    spec = work.spec
    assert isinstance(spec, Training)
    return Question(
        model=work.model.id,
        on=tuple(offered.offer.id for offered in resolved.offers),
        chips=spec.chips if isinstance(spec.chips, int) else 8 * DEFAULT_CHIPS,
        sequence=spec.sequence_length,
        batch=spec.global_batch,
        tokens=spec.tokens,
        stack="" if spec.stack == "auto" else spec.stack,
        release="" if spec.release == "auto" else release_of(spec.release).name,
        failures=spec.reliability,
        precisions=() if isinstance(spec.precisions, str) else tuple(spec.precisions),
        facility=resolved.scenario.site.facility,
    )


def run_train(loaded: LoadedTrain, progress: Callable[[str], Any] = lambda text: None) -> RunResult:
    """Answer a file.

    Raises:
        InputError: names that do not exist, degrees that do not divide.
        Infeasible: nothing trains it as asked.
    """
    made = answer(loaded.question, loaded.catalog, given=loaded.given, hosts=loaded.hosts, say=progress)
    return filed(made, loaded)

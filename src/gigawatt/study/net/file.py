"""A file of a network's question: several networks by id, each with its own design, under the same collectives.

    schema: 1
    question: network
    name: domains
    networks:
      - {id: rack, on: gb300-nvl72}
      - {id: boxes, on: gb300-nvl72, domain: 8}
    collectives: [all_reduce, all_to_all]
    chips: [72]
    sizes: [1 GiB]

Words are those of the command line; `--set networks.boxes.nic='1600 Gb/s'` changes any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from gigawatt import __version__
from gigawatt.catalog import Catalog
from gigawatt.core.errors import Problem, Problems
from gigawatt.study.claim import Claim
from gigawatt.study.door import QuestionName, Strict
from gigawatt.study.explained.kept import kept
from gigawatt.study.explained.options import at_places
from gigawatt.study.load import Default, defaults_of
from gigawatt.study.net.answer import answer
from gigawatt.study.net.check import Check, read_check
from gigawatt.study.net.question import Question
from gigawatt.study.net.sites import Across, read_across
from gigawatt.study.net.wiring import Wired, wire
from gigawatt.study.net.words import read_question
from gigawatt.study.result import RunResult
from gigawatt.study.source import Source, check_duplicates, override, read, validated

Words = Annotated[list[str | int | float], Field(min_length=1)]
Some = list[str | int | float]


class NetworkSpec(Strict):
    """A platform or accelerator on a fabric, with what differs from their records."""

    id: str
    on: str
    fabric: str = ""
    domain: int | None = None
    nic: str = ""
    ports_per_pair: int | None = None
    oversubscription: float | None = None
    tiers: int | None = None
    planes: int | None = None
    sharp: bool | None = None


class ExpertSpec(Strict):
    """What dispatch and combine of experts move."""

    tokens: Some = []
    hidden: int = 7168
    topk: int = 8
    bytes_per_value: float = 0.0
    style: str = "normal"


class FlowSpec(Strict):
    """The check at flow level."""

    routing: Some = []
    queue_pairs: Some = []
    split: str = "dynamic"
    placement: str = "packed"
    failed_links: str = ""
    failed_switches: Some = []
    jobs: int = 1
    straggler: str = ""


class SiteSpec(Strict):
    """Training over sites."""

    distance: str
    wan: str
    sites: int = 2
    parameters: str | float
    step: str
    sync_every: Some = [1, 100]
    bits: float = 16.0


class NetFile(Strict):
    """A whole question about networks."""

    schema_: Literal[1] = Field(1, alias="schema")
    question: Literal["network"] = "network"
    name: QuestionName = "unnamed"
    title: str = Field("", max_length=200)
    description: str = ""
    claim: Claim | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    networks: Annotated[list[NetworkSpec], Field(min_length=1)]
    collectives: Words
    chips: Some = []
    sizes: Some = []
    algorithms: Some = []
    per_domain: int | None = None
    layout: dict[str, int] = {}
    group: str = ""
    experts: ExpertSpec = ExpertSpec()
    flows: FlowSpec | None = None
    parts: bool = False
    across: SiteSpec | None = None


@dataclass(frozen=True, slots=True)
class LoadedNet:
    """A checked file with its networks; `question` is that of the first, its collectives those of all."""

    file: NetFile
    source: Source
    defaults: tuple[Default, ...]
    question: Question
    wired: tuple[Wired, ...]
    check: Check | None
    across: Across | None
    catalog: Catalog


def load_net(path: Path | str, overrides: Sequence[str] = (), catalog: Catalog | None = None) -> LoadedNet:
    """Read, merge, override and check a file.

    Raises:
        InputError: with every problem found, each at its place.
    """
    return check_net(read(Path(path)), overrides, catalog)


def check_net(source: Source, overrides: Sequence[str] = (), catalog: Catalog | None = None) -> LoadedNet:
    """The same from a source that is read already."""
    told = Problems()
    merged = override(source, overrides, told)
    file = validated(NetFile, merged, told)
    check_duplicates(merged, ("networks",), told)
    told.raise_if_any()
    assert file is not None
    cat = catalog or Catalog.load()
    wired: list[Wired] = []
    questions = []
    for at, spec in enumerate(file.networks):
        found = Problems()
        question = _question(file, spec, found)
        wired += [replace(w, label=spec.id) for w in wire(question, cat, found)]
        questions.append(question)
        _tell(told, found, merged, ("networks", at))
    check = across = None
    if file.flows is not None:
        found = Problems()
        check = _check(file.flows, file.seed, found)
        _tell(told, found, merged, ("flows",))
    if file.across is not None:
        found = Problems()
        across = _across(file.across, found)
        _tell(told, found, merged, ("across",))
    told.raise_if_any()
    return LoadedNet(file, merged, defaults_of(file), questions[0], tuple(wired), check, across, cat)


def _tell(told: Problems, found: Problems, source: Source, path: Sequence[str | int]) -> None:
    """Problems of the command line's words, without its dashes and at their place in the file; like ones once."""
    known = {(p.code, p.message) for p in told.found}
    for problem in found.found:
        message = problem.message.replace("--", "")
        if (problem.code, message) not in known:
            hints = tuple(hint.replace("--", "") for hint in problem.hints)
            told.extend([Problem(problem.code, message, source.where(path), hints)])


def _joined(words: Sequence[str | int | float]) -> str:
    return ",".join(str(word) for word in words)


def _question(file: NetFile, spec: NetworkSpec, told: Problems) -> Question:
    return read_question(
        _joined(file.collectives),
        on=spec.on,
        fabric=spec.fabric,
        chips=_joined(file.chips),
        size=_joined(file.sizes),
        algorithm=_joined(file.algorithms),
        per_domain=file.per_domain,
        layout=_joined([f"{axis}={ways}" for axis, ways in file.layout.items()]),
        group=file.group,
        tokens=_joined(file.experts.tokens),
        hidden=file.experts.hidden,
        topk=file.experts.topk,
        width=file.experts.bytes_per_value,
        style=file.experts.style,
        domain=spec.domain,
        nic=spec.nic,
        ports_per_pair=spec.ports_per_pair,
        oversubscription=spec.oversubscription,
        tiers=spec.tiers,
        planes=spec.planes,
        sharp=spec.sharp,
        told=told,
    )


def _check(spec: FlowSpec, seed: int, told: Problems) -> Check:
    return read_check(
        routing=_joined(spec.routing),
        queue_pairs=_joined(spec.queue_pairs),
        split=spec.split,
        placement=spec.placement,
        failed_links=spec.failed_links,
        failed_switches=_joined(spec.failed_switches),
        jobs=spec.jobs,
        straggler=spec.straggler,
        seed=seed,
        told=told,
    )


def _across(spec: SiteSpec, told: Problems) -> Across:
    return read_across(
        spec.distance,
        spec.wan,
        sites=spec.sites,
        parameters=str(spec.parameters),
        step=spec.step,
        sync_every=_joined(spec.sync_every),
        bits=spec.bits,
        told=told,
    )


def run_net(loaded: LoadedNet, progress: Callable[[str], Any] = lambda text: None) -> RunResult:
    """Answer a file.

    Raises:
        Infeasible: more chips than a fabric's tiers reach.
    """
    file = loaded.file
    made = answer(
        loaded.question,
        loaded.catalog,
        wired=loaded.wired,
        check=loaded.check,
        parts=file.parts,
        across=loaded.across,
        say=progress,
    )
    at_places(made.manifest.get("explain", {}).values(), loaded.source)
    files = made.manifest.get("explain_files", {}) | kept({}, None, loaded.source)["explain_files"]
    manifest = {
        **made.manifest,
        "explain_files": files,
        "version": __version__,
        **loaded.source.manifest,
        "seed": file.seed,
        "claim": file.claim.model_dump(mode="json") if file.claim else None,
    }
    return replace(made, name=file.name, title=file.title or file.name, manifest=manifest)

"""What files of questions about serving and about training have in common: words, places of problems, a plan's fleet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol

from gigawatt import __version__
from gigawatt.core.errors import InputError, Problem, Problems, Where, unknown_name
from gigawatt.physics.workload import from_config
from gigawatt.study.claim import Claim
from gigawatt.study.explained.kept import kept
from gigawatt.study.explained.options import at_places
from gigawatt.study.hosts import Host, hosts_of
from gigawatt.study.resolve import Resolved, Work
from gigawatt.study.result import RunResult
from gigawatt.study.software import software, speed_at
from gigawatt.study.source import Source
from gigawatt.study.workloads import Training


class Loaded(Protocol):
    """A checked question with its file."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def source(self) -> Source: ...
    @property
    def claim(self) -> Claim | None: ...
    @property
    def seed(self) -> int: ...


def text_of(value: Any, between: str = ",", joined: str = "=") -> str:
    """What the command line would say; `between` entries of a dictionary, `joined` name and value of one.

    >>> text_of({"tp": 8, "pp": 2}, "-", ""), text_of(["bf16", "fp8"])
    ('tp8-pp2', 'bf16,fp8')
    """
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    if isinstance(value, dict):
        return between.join(f"{key}{joined}{item}" for key, item in value.items())
    return str(value)


def placed(problem: Problem, source: Source, words: Sequence[str]) -> Problem:
    """A problem of the command line's words, without its dashes and at its place in the file."""
    option = next((word for word in words if f"--{word.replace('_', '-')}" in problem.message), "")
    named = re.search(r"'([^']+)'", problem.message)
    if not option and named:  # a name that is not known: where it stands
        option = next((word for word in words if named[1] in str(source.data.get(word, "")).lower()), "")
    where = source.where((option,)) if option else problem.where or Where(source.file)
    hints = tuple(hint.replace("--", "") for hint in problem.hints)
    return Problem(problem.code, problem.message.replace("--", ""), where, hints)


def chosen(
    works: Mapping[str, Work], workload: str, where: Where | None, kind: Literal["serving", "training"], file: object
) -> Work:
    """The workload of that name; the only one where none is named.

    Raises:
        InputError: there is none of that kind or that name, or one of several must be named.
    """
    does, has = ("serves", "workloads") if kind == "serving" else ("trains", "models")
    if not works:
        said = f"'{file}' {does} nothing: none of its workloads is '{kind}'"
        raise InputError(Problem("no_workload", said, where))
    if workload and workload not in works:
        raise InputError(unknown_name(f"{kind} workload", workload, works, where))
    if not workload and len(works) > 1:
        said = f"'{file}' {does} {len(works)} {has}; which one?"
        raise InputError(Problem("missing", said, where, tuple(f"--workload {name}" for name in works)))
    return works[workload or next(iter(works))]


def fleet_hosts(
    question: Any, work: Work, resolved: Resolved, kind: Literal["serving", "training"]
) -> tuple[Host, ...]:
    """The offers of a plan's fleet, with the software and the network that the plan gives them.

    `question` is a dataclass that `hosts_of` takes, with the fields `on`, `fabric` and `maturity`.
    """
    arch = from_config(work.model.id, work.model.config)
    out = []
    for offered in resolved.offers:
        state = software(offered, kind, arch, resolved)
        speed = speed_at(state, work.spec.release) if isinstance(work.spec, Training) else state.speed
        asked = replace(question, on=(offered.platform.id,), fabric=offered.fabric.id, maturity=speed)
        told = Problems()
        found = hosts_of(asked, arch, resolved.catalog, told, kind)
        told.raise_if_any()
        out += [replace(host, label=offered.offer.id, refusal=state.refusal) for host in found]
    return tuple(out)


def filed(made: RunResult, loaded: Loaded) -> RunResult:
    """An answer under the name of its file, with a manifest that says where it comes from."""
    trees = made.manifest.get("explain", {})
    at_places(trees.values(), loaded.source, loaded.name if "workloads" in loaded.source.data else "")
    files = made.manifest.get("explain_files", {}) | kept({}, None, loaded.source)["explain_files"]
    manifest = {
        **made.manifest,
        "explain_files": files,
        "version": __version__,
        **loaded.source.manifest,
        "seed": loaded.seed,
        "claim": loaded.claim.model_dump(mode="json") if loaded.claim else None,
    }
    return replace(made, name=loaded.name, title=loaded.title or made.title, manifest=manifest)

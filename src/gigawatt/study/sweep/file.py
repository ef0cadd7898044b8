"""A file that asks for a sweep:

    schema: 1
    question: sweep
    of: one-gigawatt.yaml            # the question whose inputs are changed
    verb: run                        # or fleet, moats, operate; by default the one that answers the file
    set: {capital: 40 billion USD}   # changed in every scenario
    cases:
      as-is: {}
      cheap-chips: {fleet.gb300.list_price: 3 million USD}
    grid:
      site.place: [abilene-texas, northern-virginia]
      site.energy_price: 30..90 USD/MWh/7
    zip:
      site.grid_power: [500 MW, 1 GW]
      capital: [22 billion USD, 45 billion USD]
    sample:
      workloads.chat.price.output: {dist: lognormal, gsd: 1.25}
    samples: 64
    metrics: [system_npv, cost_per_mtok]
    chunk: 50

Scenarios are the product of cases, grid, zip and samples, in this order; the last runs fastest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from gigawatt.core.errors import InputError, Problem, Problems
from gigawatt.study.door import QuestionName, Strict
from gigawatt.study.source import Source, read, validated


class SweepFile(Strict):
    """What the file may say; values along the axes are read by `values`, laws by `sampled`."""

    schema_: Literal[1] = Field(1, alias="schema")
    question: Literal["sweep"]
    of: str
    verb: str | None = None
    name: QuestionName = ""
    title: str = Field("", max_length=200)
    description: str = ""
    as_of: Any = None
    set_: dict[str, Any] = Field(default={}, alias="set")
    grid: dict[str, Any] = {}
    zip_: dict[str, Any] | list[dict[str, Any]] = Field(default={}, alias="zip")
    cases: dict[str, dict[str, Any]] = {}
    sample: dict[str, Any] = {}
    samples: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    metrics: list[str] = []
    chunk: Annotated[int, Field(ge=1, le=100_000)] | None = None


def read_sweep_file(path: Path) -> tuple[SweepFile, Source]:
    """The file and where everything in it stands.

    Raises:
        InputError: with every problem found.
    """
    source, problems = read(path), Problems()
    spec = validated(SweepFile, source, problems)
    problems.raise_if_any()
    assert spec is not None
    return spec, source


def base_of(spec: SweepFile, source: Source) -> Path:
    """The file whose inputs are changed, by its place beside the sweep's.

    Raises:
        InputError: it is a sweep itself.
    """
    from gigawatt.study.questions import question_of

    base = Path(source.file).parent / spec.of
    if base.is_file() and question_of(base) == "sweep":
        where = source.where(("of",))
        raise InputError(
            Problem("other_question", f"'{spec.of}' is a sweep itself; 'of' names the question it changes", where)
        )
    if not base.is_file():
        near = sorted(p.name for p in base.parent.glob("*.yaml"))[:8] if base.parent.is_dir() else []
        hints = (f"in that folder: {', '.join(near)}",) if near else ()
        raise InputError(Problem("no_such_file", f"there is no file '{base}'", source.where(("of",)), hints))
    return base


def zipped(spec: SweepFile) -> list[tuple[dict[str, Any], tuple[str | int, ...]]]:
    """Every set of inputs that move together, with its path in the file."""
    if isinstance(spec.zip_, list):
        return [(one, ("zip", at)) for at, one in enumerate(spec.zip_)]
    return [(spec.zip_, ("zip",))] if spec.zip_ else []

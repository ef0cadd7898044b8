"""From a file to a checked scenario: `extends`, `--set`, all problems at once with their places, the defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from gigawatt.core.errors import Problems, nearest
from gigawatt.study.scenario import Scenario
from gigawatt.study.source import Source, check_duplicates, override, read, validated


@dataclass(frozen=True, slots=True)
class Default:
    """A value that the scenario did not give: its dotted path and what was taken."""

    path: str
    value: Any


@dataclass(frozen=True, slots=True)
class Loaded:
    """A scenario, the text it came from, and what was assumed for it."""

    scenario: Scenario
    source: Source
    defaults: tuple[Default, ...]


def load(path: Path | str, overrides: Sequence[str] = ()) -> Loaded:
    """Read, merge, override and check a scenario file.

    Raises:
        InputError: with every problem found, each at its place.
    """
    return check(read(Path(path)), overrides)


def from_data(data: Mapping[str, Any], name: str, overrides: Sequence[str] = ()) -> Loaded:
    """The same from plain data, for scenarios made by the engine itself."""
    return check(Source(name, dict(data)), overrides)


def check(source: Source, overrides: Sequence[str] = ()) -> Loaded:
    """Apply `path=value` overrides and validate.

    Raises:
        InputError: with every problem found.
    """
    problems = Problems()
    merged = override(source, overrides, problems)
    if merged.data.get("question") in (
        "plan",
        "operate",
    ):  # what it is meant for; it is the same scenario to every verb
        merged = replace(merged, data={key: value for key, value in merged.data.items() if key != "question"})
    scenario = validated(Scenario, merged, problems)
    _check_names(merged, problems)
    problems.raise_if_any()
    assert scenario is not None
    return Loaded(scenario, merged, defaults_of(scenario))


def _check_names(source: Source, problems: Problems) -> None:
    """Names that refer to other parts of the same file: parties, and ids that occur twice."""
    data = source.data
    check_duplicates(source, ("fleet", "workloads", "contracts", "companies", "charges"), problems)
    listed = data.get("companies")
    names = (
        [c.get("id") if isinstance(c, dict) else c for c in listed]
        if isinstance(listed, list)
        else ["operator", "lab", "chip-vendor", "lender"]
    )
    known = [str(name) for name in names if name]
    for index, deal in enumerate(data.get("contracts") or [] if isinstance(data.get("contracts"), list) else []):
        if not isinstance(deal, dict):
            continue
        for side in ("pays", "gets"):
            party = deal.get(side)
            if isinstance(party, str) and party not in known:
                near = nearest(party, known)
                hints = ([f"did you mean '{near}'?"] if near else []) + ["companies: " + ", ".join(known)]
                problems.add(
                    "unknown_party",
                    f"contract '{deal.get('id', index)}' {side} '{party}', which is no company of this scenario",
                    source.where(("contracts", index, side)),
                    *hints,
                )


def defaults_of(model: BaseModel) -> tuple[Default, ...]:
    """Every field of a scenario that was not written, by dotted path, with the value taken."""
    return tuple(_defaults(model, ""))


def _defaults(model: BaseModel, prefix: str) -> Iterator[Default]:
    """Every field that was not written, with the value taken."""
    for name, info in type(model).model_fields.items():
        shown = f"{prefix}{info.alias or name}"
        value = getattr(model, name)
        if name not in model.model_fields_set:
            yield Default(shown, _show(value))
        elif isinstance(value, BaseModel):
            yield from _defaults(value, shown + ".")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from _defaults(item, f"{shown}.{getattr(item, 'id', index)}.")


def _show(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, (list, tuple)):
        return [_show(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value

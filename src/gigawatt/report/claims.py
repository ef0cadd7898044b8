"""The page `docs/claims.md`: claim by claim, what the engine computes, what happened since, what would refute it.

A claim is a mapping with the keys of `KEYS`. The texts are data (`claims.yaml` beside this file); numbers come from runs of
the scenarios that a claim names, so that the page can not drift from the engine: a sentence holds `{name}` where a number of
`values` (read from a run) or of `break_even` (found by trying values of an input) goes, `{name:band}` with its band,
`{name:bare}` without its unit, `{name:name}` an id as people write it. A sentence whose numbers were not run is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError
from gigawatt.report import markdown
from gigawatt.report.grid import words_of
from gigawatt.report.numbers import number, quantity, span
from gigawatt.report.sentences import binding, moats, rows_of, worth_of_one_more
from gigawatt.study.breakeven import BreakEven, break_even, split_name
from gigawatt.study.reading import Read, Reading, read_of
from gigawatt.study.result import RunResult

Claim = Mapping[str, Any]

KEYS = ("number", "claim", "verdict", "computes", "band", "happened_since", "refuted_by", "sources", "status")
TEXTS = ("verdict", "computes", "band", "happened_since", "refuted_by")
NOT_YET = "not yet"
HEADLINE = "headline"  # as a value: the run's own headline, with the grades and dates it states

INTRODUCTION = """# The claims

Gigawatt starts from an essay of September 2025 about the moats of the leading accelerator vendor and the loop of money around
it. Each claim below is something that the engine computes, or says that it does not yet. This page is generated.

- **Verdict**: holds, holds in part, fails, or can not be told, at the values stated in the scenario; many of them are assumed,
  and the scenario says which.
- **Computes**: from the named scenarios, with an 80 % band where the run has one; what contracts leave open is assumed.
- **Since**: what was published afterwards, with its date and grade: A filing or company release, B press quoting one, C
  secondary (in no verdict), D own arithmetic.
- **Would be refuted by**: the input whose change flips the verdict, and the value at which it does, found by trying.
"""


def claims_page(claims: Sequence[Claim]) -> str:
    """The page's text, claims in the order of their numbers.

    Raises:
        ValueError: a claim lacks its number, text or status, or two share a number.
    """
    for claim in claims:
        missing = [key for key in ("number", "claim", "status") if not claim.get(key)]
        if missing:
            raise ValueError(f"claim {claim.get('number', '?')}: lacks {', '.join(missing)}")
    numbers = [claim["number"] for claim in claims]
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"two claims share a number: {sorted(n for n in set(numbers) if numbers.count(n) > 1)}")
    ordered = sorted(claims, key=lambda claim: int(claim["number"]))
    overview = markdown.table(
        ["#", "the essay says", "verdict", "status"],
        [[str(c["number"]), c.get("short") or c["claim"], _word(c), c["status"]] for c in ordered],
    )
    return "\n\n".join([INTRODUCTION.strip(), overview, *(_one(claim) for claim in ordered)]) + "\n"


def _word(claim: Claim) -> str:
    """The verdict's first words: what stands before its colon."""
    return str(claim.get("verdict") or "").partition(":")[0]


def _one(claim: Claim) -> str:
    lines = [f"## {claim['number']}. {markdown.safe(claim.get('short') or claim['claim'])}"]
    if claim.get("short"):
        lines.append(markdown.sentence(markdown.safe(claim["claim"])))
    lines.append(f"**Status**: {markdown.safe(claim['status'])}.")
    lines += _said("Verdict", claim.get("verdict"))
    lines += _said("Computes", claim.get("computes") or NOT_YET)
    lines += _said("Band", claim.get("band"))
    lines += _said("Since", claim.get("happened_since"))
    lines += _said("Would be refuted by", claim.get("refuted_by"))
    lines += _said("Sources", claim.get("sources"))
    if scenarios_of(claim):
        files = ", ".join(_file_of(name) for name in scenarios_of(claim))
        lines.append(f"**Scenarios**: {files}")
    return "\n\n".join(lines)


def _said(words: str, value: Any) -> list[str]:
    """One bold-headed paragraph, or a list where there are several sentences."""
    if not value:
        return []
    if isinstance(value, str):
        return [f"**{words}**: {markdown.sentence(markdown.safe(value))}"]
    items = "\n".join(f"- {markdown.sentence(markdown.safe(str(item)))}" for item in value)
    return [f"**{words}**:\n\n{items}"]


def _file_of(name: str) -> str:
    """The file of a name, and the verb that answers it where that is not the file's own."""
    verb, path = split_name(name)
    return f"`examples/{path}.yaml`" + (f" (`gigawatt {verb}`)" if verb else "")


def scenarios_of(claim: Claim) -> list[str]:
    """The scenarios that a claim names, by their paths below the examples, a verb before it where it is not the file's own."""
    return [*([claim["scenario"]] if claim.get("scenario") else []), *(claim.get("scenarios") or ())]


# -- numbers in sentences -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """A number as a sentence takes it: with its unit, `band` with its band too, `bare` without either; an id as words, `name`
    as the company's own."""

    value: Any
    unit: str = ""
    low: float | None = None
    high: float | None = None

    def __format__(self, spec: str) -> str:
        if spec == "name":
            return _names().get(str(self.value)) or str(self.value).replace("-", " ")
        if spec == "bare":
            return _bare(self.value) if isinstance(self.value, (int, float)) else str(self.value)
        shown = quantity(self.value, self.unit)
        band = span(self.low, self.high, self.unit) if spec == "band" else ""
        return f"{shown} ({band})" if band else shown


def _bare(value: float, digits: int = 3) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else number(value, digits)


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    catalog = Catalog.load()
    names = {name: str(catalog.get("company", name).name) for name in catalog.ids("company")}
    # Inside a sentence an article is small.
    return {id_: re.sub(r"^(The|An?) ", lambda found: found[0].lower(), name) for id_, name in names.items()}


@dataclass(frozen=True, slots=True)
class Turned:
    """A break-even value as a sentence takes it, `fine` with one digit more; or that there is none, and where it was sought."""

    found: BreakEven

    def __format__(self, spec: str) -> str:
        found, digits = self.found, 4 if spec == "fine" else 3
        if found.at is not None:
            return f"{_bare(found.at, digits)} {found.unit}".rstrip()
        ends = sorted((found.start, found.end))
        return f"no value from {_bare(ends[0])} to {_bare(ends[1])} {found.unit}".rstrip()


def names_in(text: Any) -> set[str]:
    """The names of the numbers that a text, or any of several, holds.

    >>> sorted(names_in(["{growth} a year", "from {first:band}"]))
    ['first', 'growth']
    """
    parts = [text] if isinstance(text, str) else list(text or ())
    return {name for part in parts for _, name, _, _ in Formatter().parse(str(part)) if name}


def _with_numbers(text: Any, known: Mapping[str, Said | Turned]) -> Any:
    """The text, or the texts of a list, with numbers in; what lacks one of its numbers is left out."""
    if isinstance(text, str):
        return text.format_map(known) if names_in(text) <= known.keys() else ""
    return [part.format_map(known) for part in text if names_in(part) <= known.keys()]


def values_of(claim: Claim, runs: Mapping[str, RunResult]) -> dict[str, Said]:
    """The numbers of a claim that the runs hold; what a run does not hold is left out."""
    found: dict[str, Said] = {}
    for scenario, wanted in (claim.get("values") or {}).items():
        run = runs.get(scenario)
        if run is None:
            continue
        for name, where in wanted.items():
            try:
                read = Read(run.headline) if where == HEADLINE else read_of(run, Reading.of(where))
            except InputError:
                continue
            if read.value is not None:
                found[name] = Said(read.value, read.unit, read.low, read.high)
    return found


def solved(claim: Claim, folder: Path) -> dict[str, BreakEven]:
    """The break-even values of a claim: each tries values of one input in a scenario below `folder`.

    Raises:
        InputError: a scenario, path or metric that does not exist.
    """
    found = {}
    for name, asked in (claim.get("break_even") or {}).items():
        verb, path = split_name(asked["in"])
        found[name] = break_even(
            folder / f"{path}.yaml", asked["set"], asked["from"], asked["to"], Reading.of(asked["metric"]),
            float(asked.get("crosses", 0.0)), overrides=asked.get("with", ()), verb=verb,
            steps=int(asked.get("steps", 8)), rounds=int(asked.get("rounds", 10)),
        )  # fmt: skip
    return found


def filled(claim: Claim, runs: Mapping[str, RunResult], found: Mapping[str, BreakEven] | None = None) -> dict[str, Any]:
    """The claim with the numbers of its runs in its sentences, and under `computes` the metrics that it `shows`, what binds
    and the moats where it says so, of the files that are answered by their own verb.

    A claim whose scenarios were not run keeps its texts, but for sentences that want numbers.
    """
    made = dict(claim)
    known: dict[str, Said | Turned] = {
        **values_of(claim, runs),
        **{name: Turned(one) for name, one in (found or {}).items()},
    }
    made |= {key: _with_numbers(made[key], known) for key in TEXTS if made.get(key)}
    # What another verb says of a file is told in sentences alone.
    own = [name for name in scenarios_of(claim) if name in runs and not split_name(name)[0]]
    said = [line for name in own for line in _shown(claim, runs[name])]
    if said:
        text = made.get("computes")
        made["computes"] = [*([text] if isinstance(text, str) and text else (text or [])), *said]
    return made


def _shown(claim: Claim, run: RunResult) -> Iterable[str]:
    for row in run.metrics.rows():
        if row["name"] in (claim.get("shows") or ()):
            unit = row.get("unit") or ""
            yield f"{words_of(row['name'])}: {Said(row['value'], unit, row.get('low'), row.get('high')):band}"
    if claim.get("shows_limits") and rows_of(run, "limits"):
        yield from (f"{row['name']} binds; one more: {worth_of_one_more(row)}" for row in binding(run))
    if claim.get("shows_moats"):
        yield from moats(run)

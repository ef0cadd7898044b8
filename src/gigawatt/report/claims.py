"""The page `docs/claims.md`: claim by claim, what the engine computes, what happened since, what would refute it.

A claim is a mapping with the keys of `KEYS`. The texts are data (`claims.yaml` beside this file); numbers come from runs of
the scenario that a claim names, so that the page can not drift from the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gigawatt.report import markdown
from gigawatt.report.grid import words_of
from gigawatt.report.numbers import quantity, span
from gigawatt.report.sentences import binding, rows_of, worth_of_one_more
from gigawatt.study.result import RunResult

Claim = Mapping[str, Any]

KEYS = ("number", "claim", "computes", "band", "happened_since", "refuted_by", "sources", "status")
NOT_YET = "not yet"

INTRODUCTION = """# The claims

Gigawatt starts from an essay of September 2025 about the moats of the leading accelerator vendor and the loop of money around
it. Each claim below is something that the engine computes, or says that it does not yet. This page is generated.

- **Computes**: from the named scenario, with an 80 % band where the run has one; contracts in scenarios are hypothetical.
- **Since**: what was published afterwards, with its source. Press and analysts are said to be such.
- **Would be refuted by**: the input whose change flips the verdict.
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
        ["#", "the essay says", "status"],
        [[str(c["number"]), c.get("short") or c["claim"], c["status"]] for c in ordered],
    )
    return "\n\n".join([INTRODUCTION.strip(), overview, *(_one(claim) for claim in ordered)]) + "\n"


def _one(claim: Claim) -> str:
    lines = [f"## {claim['number']}. {markdown.safe(claim.get('short') or claim['claim'])}"]
    if claim.get("short"):
        lines.append(markdown.sentence(markdown.safe(claim["claim"])))
    lines.append(f"**Status**: {markdown.safe(claim['status'])}.")
    lines += _said("Computes", claim.get("computes") or NOT_YET)
    lines += _said("Band", claim.get("band"))
    lines += _said("Since", claim.get("happened_since"))
    lines += _said("Would be refuted by", claim.get("refuted_by"))
    lines += _said("Sources", claim.get("sources"))
    return "\n\n".join(lines)


def _said(words: str, value: Any) -> list[str]:
    """One bold-headed paragraph, or a list where there are several sentences."""
    if not value:
        return []
    if isinstance(value, str):
        return [f"**{words}**: {markdown.sentence(markdown.safe(value))}"]
    items = "\n".join(f"- {markdown.sentence(markdown.safe(str(item)))}" for item in value)
    return [f"**{words}**:\n\n{items}"]


def filled(claim: Claim, runs: Mapping[str, RunResult]) -> dict[str, Any]:
    """The claim with `computes` from the run of its scenario: the metrics it `shows`, and what binds if it says so.

    A claim whose scenario was not run keeps its text.
    """
    made = dict(claim)
    run = runs.get(str(claim.get("scenario") or ""))
    if run is None:
        return made
    said = []
    for row in run.metrics.rows():
        if row["name"] in (claim.get("shows") or ()):
            band = span(row.get("low"), row.get("high"), row.get("unit") or "")
            said.append(
                f"{words_of(row['name'])}: {quantity(row['value'], row.get('unit') or '')}"
                + (f" ({band})" if band else "")
            )
    if claim.get("shows_limits") and rows_of(run, "limits"):
        said += [f"{row['name']} binds; one more: {worth_of_one_more(row)}" for row in binding(run)]
    if claim.get("shows_moats"):
        from gigawatt.report.sentences import moats

        said += moats(run)
    text = claim.get("computes")
    made["computes"] = [*([text] if isinstance(text, str) and text else (text or [])), *said, f"scenario: {run.name}"]
    return made

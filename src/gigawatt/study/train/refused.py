"""Why mappings fell out, with the nearest fix; and, where nothing is left, what binds and the smallest change that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Change, Infeasible, InputError, Problems
from gigawatt.study.hosts import Host, hosts_of
from gigawatt.study.serve.subject import Subject
from gigawatt.study.train.points import Mask, Points, Tried, tried
from gigawatt.study.train.question import Degrees, Question, day_words

CHANGED = {"chips": "GPUs"}  # limits of the search by the option's word
MOST_DOUBLINGS = 10  # of the chips that are tried where nothing fits


def rejections(of: Sequence[tuple[Tried, Points | None]], question: Question) -> list[dict[str, Any]]:
    """Rows: platform, reason, count, nearest fix."""
    out: list[dict[str, Any]] = []
    for one, points in of:
        rows = _rows(one)
        if points is not None:
            rows += _slower(points, question)
        out += [{"platform": one.host.label, "reason": r, "count": n, "nearest_fix": fix} for r, n, fix in rows]
    return out


def kept_of(points: Points) -> int:
    """Mappings, each in its precision, that are among the points and are as asked for."""
    return len(_named_rows(points, points.quick))


def _named_rows(points: Points, some: Mask) -> set[tuple[str, str]]:
    found = points.found
    return {(str(found.precision[row]), str(found.mapping[row])) for row in np.flatnonzero(some)}


def _slower(points: Points, question: Question) -> list[tuple[str, int, str]]:
    """Mappings that fit and are no answer: those that others beat, and points that are not as asked for."""
    every = np.ones(len(points), dtype=bool)
    late = points.found.step_s > question.step_s
    quick = _named_rows(points, points.quick)
    slow = _named_rows(points, late) - quick
    other = _named_rows(points, every) - quick - slow
    beaten = points.found.fits - len(quick | slow | other)
    out = []
    if beaten:
        fix = "fix its degrees with --mapping, or another --objective, to see it"
        out.append(("fits, but others are faster or take less energy", beaten, fix))
    if slow:
        fastest = f"the fastest takes {float(points.found.step_s.min()):.3g} s"
        out.append((f"a step above {day_words(question.step_s)}", len(slow), fastest))
    if other:
        out.append(
            ("another recompute than asked for", len(other), "leave --recompute out, or name one of its settings")
        )
    return out


def _rows(one: Tried) -> list[tuple[str, int, str]]:
    if one.host.refusal is not None:
        return [(one.host.refusal[0], 0, one.host.refusal[1])]
    return [] if one.found is None else [(r.reason, r.count, r.nearest_fix) for r in one.found.rejected]


def nothing_meets(
    of: Sequence[tuple[Tried, Points | None]], question: Question, subject: Subject, catalog: Catalog
) -> Infeasible:
    """The answer where no host trains the model as asked: what binds, and the smallest change that fits."""
    lines: list[str] = []
    changes: list[Change] = []
    hints: list[str] = []
    for one, points in of:
        name = one.host.label
        if one.host.refusal is not None:
            lines.append(f"{name}: {one.host.refusal[0]}")
            hints.append(one.host.refusal[1])
        elif points is not None:
            fastest = int(np.argmin(points.found.step_s))
            least = float(points.found.step_s[fastest])
            lines.append(f"{name}: the fastest step takes {least:.3g} s, with {_named(points, fastest)}")
            changes.append(Change(f"{name}, step", question.step_s, least, "s"))
            more = _chips_for(question, subject, one.host, lambda p: bool((p.step_s <= question.step_s).any()))
            if more:
                changes.append(Change(f"{name}, GPUs", float(question.chips), float(more), "chips"))
        else:
            assert one.found is not None
            lines += [f"{name}: {r.reason} ({r.count:,}): {r.nearest_fix}" for r in one.found.rejected]
            hints += _ways_out(one, question, subject, catalog)
            changes += [replace(c, limit=f"{name}, {CHANGED.get(c.limit, c.limit)}") for c in one.found.changes]
    limit = f" in steps of {day_words(question.step_s)}" if question.step_s < np.inf else ""
    places = ", ".join(one.host.label for one, _ in of)
    what = f"{question.model} is not trained on {gpus(question.chips)} of {places}{limit}"
    fixes = list(dict.fromkeys(hints))
    return Infeasible(what + (f". What would do: {'; '.join(fixes)}" if fixes else ""), lines, changes)


def gpus(count: int) -> str:
    """So many GPUs.

    >>> gpus(1), gpus(4608)
    ('1 GPU', '4,608 GPUs')
    """
    return f"{count:,} GPU{'' if count == 1 else 's'}"


def _named(points: Points, at: int) -> str:
    return f"{points.found.mapping[at]}, {points.found.precision[at]}"


def _ways_out(one: Tried, question: Question, subject: Subject, catalog: Catalog) -> list[str]:
    """Options that would let it fit: fewer that are fixed, more chips, host memory, another platform."""
    assert one.found is not None
    fixes = []
    peakless = any(r.reason.endswith(" peak") for r in one.found.rejected)
    if peakless and _fits(question, subject, replace(one.host, precisions=("bf16",))):
        fixes.append("--precision bf16")
    if question.degrees != Degrees() and _fits(replace(question, degrees=Degrees()), subject, one.host):
        fixes.append("leave --mapping out, or fix fewer degrees")
    if question.recompute and _fits(replace(question, recompute=()), subject, one.host):
        fixes.append("--recompute auto")
    if question.offload == ("none",) and _fits(
        replace(question, offload=("optimizer", "activations")), subject, one.host
    ):
        fixes.append("--offload optimizer,activations")
    fixes += [f"--gpus {change.needed:.0f}" for change in one.found.changes if change.limit == "chips"]
    elsewhere = _elsewhere(question, subject, one.host, catalog)
    return [*fixes, *([f"--on {elsewhere}"] if elsewhere else [])]


def _fits(question: Question, subject: Subject, host: Host) -> bool:
    found = tried(question, subject, host).found
    return found is not None and len(found) > 0


def _chips_for(question: Question, subject: Subject, host: Host, good: Any) -> int:
    """The fewest doublings of the chips that do; 0 where ten of them do not."""
    for doubling in range(1, MOST_DOUBLINGS + 1):
        chips = question.chips << doubling
        found = tried(replace(question, chips=chips), subject, host).found
        if found is not None and good(found):
            return chips
    return 0


def _elsewhere(question: Question, subject: Subject, host: Host, catalog: Catalog) -> str:
    """A platform of the same software stack with more memory a chip on which it fits; the least memory first."""
    larger = []
    for platform in catalog.all("platform"):
        name, record = str(platform.id), catalog.get("accelerator", platform.accelerator)
        if record.stack == host.chip.stack and record.memory is not None:
            larger += [(record.memory.value, name)] if record.memory.value > host.chip.memory_bytes else []
    for _, name in sorted(larger):
        told = Problems()
        try:
            made = hosts_of(replace(question, on=(name,), fabric=""), subject.arch, catalog, told, "training")
        except InputError:
            continue
        if told.found or not made or made[0].refusal is not None:
            continue  # a platform with unpublished facts is no advice
        if _fits(question, subject, made[0]):
            return name
    return ""

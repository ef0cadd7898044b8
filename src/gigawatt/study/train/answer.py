"""The answer of `gigawatt train`: the best mapping, the front behind it, where a step goes, what fell out, as one result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Problems, unknown_name
from gigawatt.core.table import Table
from gigawatt.physics.training import Mapping, load_calibration
from gigawatt.physics.training.calibration import default_stack
from gigawatt.study.explained.kept import kept
from gigawatt.study.hosts import Assumed, Host, assumed_table, hosts_of
from gigawatt.study.result import RunResult
from gigawatt.study.serve.subject import Subject, subject_of
from gigawatt.study.train.detail import memory_table, power_table, schedule_table, time_table
from gigawatt.study.train.explained import trees
from gigawatt.study.train.job import DAY_S, Job, effective_of, job_table, job_words, save_every
from gigawatt.study.train.points import Points, Tried, best_of, front, points_of, tried
from gigawatt.study.train.question import Question, day_words, token_words
from gigawatt.study.train.refused import gpus, nothing_meets, rejections
from gigawatt.study.train.software import recipes_assumed, release_notes
from gigawatt.study.train.tables import defaults_of, point_rows, points_table

Say = Callable[[str], Any]
METRICS = (
    ("step", "s", "step_s"),
    ("tokens_rate", "token/s", "tokens_per_s"),
    ("mfu", "share", "mfu"),
    ("job_power", "MW", "job_mw"),
    ("energy_per_token", "J/token", "joules_per_token"),
    ("chip_power", "W", "chip_w"),
)


Choice = tuple[Tried, Points, int]  # a platform, its points, the row of the best


def answer(
    question: Question,
    catalog: Catalog | None = None,
    *,
    given: Sequence[str] = (),
    hosts: Sequence[Host] | None = None,
    told: Problems | None = None,
    say: Say = lambda _: None,
) -> RunResult:
    """Answer how a model is trained.

    Args:
        question: what is asked.
        catalog: where models and platforms are.
        given: options of the question that were stated; the others are listed as assumed.
        hosts: where it is trained, those of the question's names where None.
        told: problems found before, told with those found here.
        say: told what is being worked on.

    Raises:
        InputError: unknown names, facts that are missing, a model that writes no tokens: all of them.
        Infeasible: nothing trains it as asked; says what binds, and the smallest change that fits.
    """
    started = time.perf_counter()
    cat = catalog or Catalog.load()
    told = Problems() if told is None else told
    subject = _subject(question, cat, told)
    hosts = hosts_of(question, subject.arch, cat, told, "training") if hosts is None else hosts
    _check(question, subject, told)
    told.raise_if_any()
    of: list[tuple[Tried, Points | None]] = []
    for host in hosts:
        say(host.label)
        one = tried(question, subject, host)
        of.append((one, points_of(one, question)))
    if not any(points is not None and points.quick.any() for _, points in of):
        raise nothing_meets(of, question, subject, cat)
    return _result(question, subject, of, given, time.perf_counter() - started, cat)


def _subject(question: Question, catalog: Catalog, told: Problems) -> Subject:
    """The model.

    Raises:
        InputError: there is none of that name; unknown platforms are told beside it.
    """
    subject = subject_of(question.model, catalog, told)
    if subject is None:
        known = [*catalog.ids("platform"), *catalog.ids("accelerator")]
        told.extend(unknown_name("platform or accelerator", name, known) for name in question.on if name not in known)
        _check_names(question, told)
        told.raise_if_any()
        raise AssertionError("a model that is not known is a problem")
    return subject


def _check_names(question: Question, told: Problems) -> None:
    stacks = load_calibration().stacks
    if question.stack and question.stack not in stacks:
        told.extend([unknown_name("training stack", question.stack, stacks)])


def _check(question: Question, subject: Subject, told: Problems) -> None:
    """What the model rules out."""
    named, d = subject.record.name or subject.id, question.degrees
    if not subject.writes:
        told.add(
            "not_text", f"{named} writes no tokens ({subject.record.model_kind}); training is timed for models that do"
        )
        return
    _check_names(question, told)
    heads = [group.mixer.heads for group in subject.arch.groups if group.mixer.heads]
    if d.tp and any(count % d.tp for count in heads):
        said = f"--mapping {d.words}: tp {d.tp} does not divide the {min(heads)} heads of {named}"
        told.add("does_not_divide", said, None, "a divisor of the heads")
    if d.pp * max(d.vp, 1) > subject.arch.layers:
        said = f"--mapping {d.words}: {d.pp * max(d.vp, 1)} chunks are more than the {subject.arch.layers} layers of {named}"
        told.add("does_not_divide", said, None, "fewer stages, or fewer chunks a stage")
    experts = max((group.feed_forward.experts for group in subject.arch.groups), default=0)
    if d.ep > 1 and not experts:
        told.add("no_experts", f"--mapping {d.words}: {named} has no experts to spread", None, f"leave ep{d.ep} out")
    elif d.ep > 1 and experts % d.ep:
        said = f"--mapping {d.words}: ep {d.ep} does not divide the {experts} experts of {named}"
        told.add("does_not_divide", said, None, "a divisor of the experts")


def _result(
    question: Question,
    subject: Subject,
    of: Sequence[tuple[Tried, Points | None]],
    given: Sequence[str],
    wall_s: float,
    catalog: Catalog,
) -> RunResult:
    chosen, each, fronts = _gathered(question, of)
    best = [row for one, points, at in chosen for row in point_rows(one.host, points, [at], question)]
    whole, jobs = job_table(chosen, question, subject)
    each.sort(key=lambda row: row["value_per_mtok"])
    refused = rejections(of, question)
    hosts = [one.host for one, _ in of]
    named = subject.record.name or subject.id
    title = f"Training {named} on {gpus(question.chips)} of {', '.join(host.label for host in hosts)}"
    stacks = [question.stack or default_stack(host.chip.generation) for host in hosts]
    defaults = defaults_of(question, given, stacks)
    defaults += recipes_assumed(question, subject.arch, chosen)
    most = subject.record.max_positions
    if most and question.sequence > most:
        why = f"sequences of {question.sequence:,} tokens; the encoding is taken to be extended"
        defaults.append(Assumed("positions", f"{most:,} in the model's own configuration", why))
    tables = {
        "platforms": points_table("platforms", best, "The best of each platform"),
        "job": whole,
        "time": time_table(chosen),
        "memory": memory_table(chosen),
        "power": power_table(chosen),
        "schedule": schedule_table(chosen),
        "precisions": points_table("precisions", each, "The best of each precision"),
        "pareto": points_table("pareto", fronts, "Speed against energy"),
        "rejected": Table.from_rows(
            "rejected",
            refused,
            ("platform", "reason", "count", "nearest_fix"),
            {},
            "What fell out, and the nearest fix",
        ),
        "assumed": assumed_table(question.facility, hosts, defaults),
    }
    said = sentences(question, named, best, refused, job_words(jobs, question))
    metrics = _metrics(best[0], jobs)
    manifest = {
        **_asked(question, subject, hosts),
        "best": best[0],
        "layout": layout_of(chosen[0]),
        **kept_of(chosen[0], question, subject),
        **kept(trees(chosen, question, jobs, catalog, metrics, tuple(given), [*each, *fronts]), catalog, None),
        "candidates": sum(one.candidates for one, _ in of),
        "search_s": wall_s,
    }
    name = f"train-{subject.id}-{hosts[0].label}"
    return RunResult(
        name,
        title,
        said[0],
        tables,
        metrics,
        {"answer": said, "notes": release_notes(question, subject.arch, hosts)},
        manifest,
    )


def _gathered(
    question: Question, of: Sequence[tuple[Tried, Points | None]]
) -> tuple[list[Choice], list[dict[str, Any]], list[dict[str, Any]]]:
    """The best point of each platform, the least of value first; rows of the best of each precision, and of the fronts."""
    chosen: list[Choice] = []
    each: list[dict[str, Any]] = []
    fronts: list[dict[str, Any]] = []
    for one, points in of:
        if points is None:
            continue
        if points.quick.any():
            chosen.append((one, points, best_of(points)))
        for precision in one.host.precisions:
            mine = np.flatnonzero((points.found.precision == precision) & points.quick)
            if len(mine):
                each += point_rows(one.host, points, [int(mine[np.argmin(points.value[mine])])], question)
        open_ = np.flatnonzero(points.quick)
        kept = open_[front(points.tokens_per_s[open_], points.joules_per_token[open_], question.pareto)]
        fronts += point_rows(one.host, points, kept.tolist(), question)
    chosen.sort(key=lambda choice: float(choice[1].value[choice[2]]))
    return chosen, each, fronts


def _asked(question: Question, subject: Subject, hosts: Sequence[Host]) -> dict[str, Any]:
    """What was asked, for the manifest."""
    return {
        "question": "train",
        "model": subject.id,
        "gpus": question.chips,
        "sequence_tokens": question.sequence,
        "batch_sequences": question.batch,
        "step_tokens": question.step_tokens,
        "places": {host.label: host.place for host in hosts},
        "accelerators": {host.label: host.chip.name for host in hosts},
        "tokens": question.tokens,
    }


def layout_of(choice: Choice) -> dict[str, float]:
    """Every column of the mapping of a point."""
    _, points, at = choice
    columns = {f.name: np.asarray(getattr(points.found.layout, f.name), dtype=float) for f in fields(Mapping)}
    return {name: float(values[at] if values.ndim else values) for name, values in columns.items()}


def kept_of(choice: Choice, question: Question, subject: Subject) -> dict[str, float]:
    """The share of the time that counts, and steps between checkpoints; nothing where nothing interrupts the job."""
    one, points, at = choice
    effective = effective_of(question, points, at, subject, one.host)
    if effective is None:
        return {}
    every = save_every(effective, float(points.found.step_s[at]))
    return {"goodput": float(effective.productive), "save_every": every}


def sentences(
    question: Question,
    named: str,
    best: Sequence[dict[str, Any]],
    refused: Sequence[dict[str, Any]],
    job: str = "",
) -> list[str]:
    """The answer in words: the best mapping and its job, then each further platform's, then those that have none."""
    out = [f"{named} on {gpus(question.chips)} of {row['platform']}: {_point(row, question)}" for row in best]
    out[0] += f" {job}" if job else ""
    have = {row["platform"] for row in best}
    for name in dict.fromkeys(row["platform"] for row in refused if row["platform"] not in have):
        why = [f"{row['reason']}; {row['nearest_fix']}" for row in refused if row["platform"] == name]
        out.append(f"{name} does not: {why[-1]}.")
    return out


def _point(row: dict[str, Any], question: Question) -> str:
    mode = "" if row["mode"] == "full" else f", mode {row['mode']}"
    step = f"a step of {token_words(question.step_tokens)} in {day_words(row['step_s'])}"
    step += f" [{row['step_s_low']:,.3g} to {row['step_s_high']:,.3g}]"
    rate = f"{row['tokens_per_s_per_chip']:,.0f} tokens/s a GPU [{row['low']:,.0f} to {row['high']:,.0f}]"
    power = f"{row['job_mw']:,.3g} MW{'' if row['meter_w_per_chip'] else ' of the chips alone'}"
    joules = f"{row['joules_per_token']:,.3g} J a token"
    return (
        f"{row['mapping']}, {row['precision']}{mode}: {step}, {rate}, MFU {100 * row['mfu']:.0f} %; {power}, {joules}; "
        f"bound by {row['bound']}."
    )


def _metrics(row: dict[str, Any], jobs: Sequence[Job]) -> Table:
    """The headline numbers of the best point, and of its job."""
    of = f"{row['mapping']} {row['precision']} on {row['platform']}"
    rows: list[dict[str, Any]] = [
        {"name": n, "value": row[v], "unit": u, "low": row[f"{v}_low"], "high": row[f"{v}_high"], "formula": of}
        for n, u, v in METRICS
        if row[v] is not None
    ]
    for job in jobs[:1]:
        scale = job.chip_hours / job.wall_s
        rows += [
            {"name": name, "value": value, "unit": unit, "low": low, "high": high, "formula": of}
            for name, value, unit, low, high in (
                ("wall_time", job.wall_s / DAY_S, "day", job.low_s / DAY_S, job.high_s / DAY_S),
                ("chip_hours", job.chip_hours, "h", scale * job.low_s, scale * job.high_s),
                ("energy", job.mwh, "MWh", job.mwh_low, job.mwh_high),
            )
        ]
    return Table.from_rows("metrics", rows, ("name", "value", "unit", "low", "p50", "high", "formula", "inputs"))

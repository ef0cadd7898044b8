"""The answer of `gigawatt serve`: the best point, the front behind it, what fell out and why, as one result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.core.errors import Problems, unknown_name
from gigawatt.core.table import Table
from gigawatt.physics.serving.engine.deployment import Spec
from gigawatt.study.explained.kept import kept as kept_for_later
from gigawatt.study.hosts import Host, assumed_table, hosts_of
from gigawatt.study.result import RunResult
from gigawatt.study.serve.explained import trees
from gigawatt.study.serve.points import Points, front, points_of, searched
from gigawatt.study.serve.question import Question, Slo, seconds
from gigawatt.study.serve.rates import Lengths, rated_points
from gigawatt.study.serve.refused import Tried, nothing_meets, rejections
from gigawatt.study.serve.services import asked_service, service_answer
from gigawatt.study.serve.subject import Subject, check_length, subject_of
from gigawatt.study.serve.tables import defaults_of, point_rows, points_table, slo_of

Say = Callable[[str], Any]
ENGINE_NAMES = {"trtllm": "TensorRT-LLM", "vllm": "vLLM", "sglang": "SGLang"}
METRICS = (
    ("tokens_out_per_chip", "token/s/chip", "tokens_out_per_s_per_chip", "low", "high", 1.0),
    (
        "tokens_out_per_mw", "token/s/MW", "tokens_out_per_s_per_mw", "tokens_out_per_s_per_mw_low",
        "tokens_out_per_s_per_mw_high", 1.0,
    ),
    ("ttft_p99", "s", "ttft_p99_ms", "ttft_p99_ms_low", "ttft_p99_ms_high", 1e-3),
    ("tpot", "s", "tpot_ms", "tpot_ms_low", "tpot_ms_high", 1e-3),
    ("energy_per_token", "J/token", "joules_per_token", "joules_per_token_low", "joules_per_token_high", 1.0),
    ("chip_power", "W", "chip_w", "chip_w_low", "chip_w_high", 1.0),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chosen:
    """An answer, and the configurations behind the rows of each platform."""

    result: RunResult
    specs: Mapping[str, tuple[Spec, ...]]


def answer(
    question: Question,
    catalog: Catalog | None = None,
    *,
    given: Sequence[str] = (),
    hosts: Sequence[Host] | None = None,
    as_service: str = "",
    options: Sequence[str] = (),
    told: Problems | None = None,
    say: Say = lambda _: None,
) -> RunResult:
    """Answer how a model is served.

    Args:
        question: what is asked.
        catalog: where models and platforms are.
        given: options of the question that were stated; the others are listed as assumed.
        hosts: where it is served, those of the question's names where None.
        as_service: what is served beside chat, by name; the model's usual service where empty.
        options: of that service, name=value.
        told: problems found before, told with those found here.
        say: told what is being worked on.

    Raises:
        InputError: unknown names, facts that are missing, requests longer than the model takes: all of them.
        Infeasible: nothing serves it within the SLO; says the floor, and the smallest change that fits.
    """
    cat = catalog or Catalog.load()
    told = Problems() if told is None else told
    subject = _subject(question, cat, told)
    asked = asked_service(subject, as_service, options, question, given, told)
    if asked is None:
        return chosen(question, cat, given=given, hosts=hosts, told=told, say=say).result
    hosts = hosts_of(question, subject.arch, cat, told) if hosts is None else hosts
    told.raise_if_any()
    return service_answer(asked, question, subject, hosts, say, cat, given)


def chosen(
    question: Question,
    catalog: Catalog,
    *,
    given: Sequence[str] = (),
    hosts: Sequence[Host] | None = None,
    lengths: Lengths = Lengths(),
    even_if_not: bool = False,
    told: Problems | None = None,
    say: Say = lambda _: None,
) -> Chosen:
    """The answer of a model that writes text; the arguments are those of `answer`.

    Args:
        lengths: how requests that come at a rate vary.
        even_if_not: where nothing holds a rate within the SLO, take what holds most of it.
    """
    started = time.perf_counter()
    told = Problems() if told is None else told
    subject = _subject(question, catalog, told)
    if not subject.writes:
        said = f"{subject.record.name or subject.id} writes no tokens ({subject.record.model_kind})"
        told.add("not_text", said)
    check_length(subject, question, told)
    hosts = hosts_of(question, subject.arch, catalog, told) if hosts is None else hosts
    told.raise_if_any()
    tried = []
    for host in hosts:
        say(host.label)
        tried.append(_try(question, subject, host, catalog, lengths))
    held = any(one.points is not None and one.points.good.any() for one in tried)
    if not held:
        tried = [_as_it_is(one, question, catalog, lengths) for one in tried] if even_if_not else tried
        if not any(one.points is not None and one.points.good.any() for one in tried):
            raise nothing_meets(tried, question, subject.arch, catalog)
    specs = {one.host.label: one.found.specs if one.found is not None else () for one in tried}
    return Chosen(_result(question, subject, tried, given, time.perf_counter() - started, held, catalog), specs)


def _subject(question: Question, catalog: Catalog, told: Problems) -> Subject:
    """The model.

    Raises:
        InputError: there is none of that name; unknown platforms are told beside it.
    """
    subject = subject_of(question.model, catalog, told)
    if subject is None:
        _known_places(question, catalog, told)
        told.raise_if_any()
        raise AssertionError("a model that is not known is a problem")
    return subject


def _as_it_is(one: Tried, question: Question, catalog: Catalog, lengths: Lengths) -> Tried:
    """A host on what holds most requests, whatever the SLO; beyond that its row is the fullest that is stable."""
    if one.found is None or one.points is None or not len(one.points):
        return one
    free, points = replace(question, slo=Slo()), one.points
    if not (points.most_per_s > 0).any():
        points = rated_points(one.found, free, one.host, catalog, lengths)
    at = int(np.argmax(points.most_per_s))
    if not points.most_per_s[at] > 0:
        return one
    rate = min(question.rate_per_s, 0.999 * float(points.most_per_s[at]))
    calm = rated_points(one.found, replace(free, rate_per_s=rate), one.host, catalog, lengths).take(np.array([at]))
    yes = np.ones(1, dtype=bool)
    beyond = question.rate_per_s / rate
    return replace(one, points=replace(calm, load=calm.load * beyond, held=yes, quick=yes, smooth=yes))


def _known_places(question: Question, cat: Catalog, told: Problems) -> None:
    """Unknown platforms beside an unknown model."""
    known = [*cat.ids("platform"), *cat.ids("accelerator")]
    told.extend(unknown_name("platform or accelerator", name, known) for name in question.on if name not in known)


def _try(question: Question, subject: Subject, host: Host, cat: Catalog, lengths: Lengths) -> Tried:
    if host.refusal is not None:
        return Tried(host, None, None)
    found = searched(question, subject.arch, host, lengths.input_cv, lengths.output_cv)
    if question.rate_per_s and len(found.space):
        return Tried(host, found, rated_points(found, question, host, cat, lengths))
    return Tried(host, found, points_of(found, question, host, cat))


def _value(points: Points, question: Question, objective: str) -> NDArray[np.float64]:
    """What is maximised: requests of a chip or of a MW; with rate and chips both given, what the SLO would hold."""
    if objective == "mw":
        return points.per_mw
    return points.most_per_s / points.chips if question.rate_per_s and question.chips else points.per_chip


def _best(points: Points, question: Question) -> int:
    """The point that meets the SLO and has most."""
    value = _value(points, question, question.objective)
    return int(np.argmax(np.where(points.good & np.isfinite(value), value, -np.inf)))


def _result(
    question: Question,
    subject: Subject,
    tried: Sequence[Tried],
    given: Sequence[str],
    wall_s: float,
    held: bool,
    catalog: Catalog,
) -> RunResult:
    best: list[dict[str, Any]] = []
    fronts: list[dict[str, Any]] = []
    of_mw: list[dict[str, Any]] = []
    column = "tokens_out_per_s_per_mw" if question.objective == "mw" else "tokens_out_per_s_per_chip"
    for one in tried:
        points = one.points
        if points is None:
            continue
        if points.good.any():
            best += point_rows(one.host, points.take(np.array([_best(points, question)])), question)
        open_ = np.flatnonzero(points.possible & points.quick)
        latency = points.space.tpot_s[open_]
        for rows, objective in ((fronts, "chip"), (of_mw, "mw")):
            value = _value(points, question, objective)
            if np.isfinite(value[open_]).all():
                kept = open_[front(latency, value[open_], question.pareto)]
                rows += point_rows(one.host, points.take(kept), question)
    best.sort(key=lambda row: -(row[column] or 0.0))
    if not held:
        for row in (*best, *fronts, *of_mw):
            row["meets_slo"] = False
    chosen = best[0]
    refused = rejections(tried, question)
    hosts = [one.host for one in tried]
    title = f"{subject.record.name or subject.id} on {', '.join(host.label for host in hosts)}"
    tables = {
        "platforms": points_table("platforms", best, "The best of each platform within the SLO"),
        "pareto": points_table("pareto", fronts, "Interactivity against throughput"),
        "pareto_mw": points_table("pareto_mw", of_mw, "Interactivity against throughput a MW"),
        "rejected": Table.from_rows(
            "rejected",
            refused,
            ("platform", "reason", "count", "nearest_fix"),
            {},
            "What fell out, and the nearest fix",
        ),
        "assumed": assumed_table(question.facility, hosts, defaults_of(question, given)),
    }
    answer_ = sentences(question, subject, best, refused)
    metrics = _metrics(chosen)
    host = next(host for host in hosts if host.label == chosen["platform"])
    origins = trees(chosen, [*best, *fronts, *of_mw], host, question, catalog, given, metrics)
    manifest = {
        "question": "serve",
        "model": subject.id,
        "input_tokens": question.input_tokens,
        "output_tokens": question.output_tokens,
        "slo": slo_of(question),
        "places": {host.label: host.place for host in hosts},
        "accelerators": {host.label: host.chip.name for host in hosts},
        "best": chosen,
        "candidates": sum(one.candidates for one in tried),
        **kept_for_later(origins, catalog, None),
        "search_s": wall_s,
    }
    name = f"serve-{subject.id}-{hosts[0].label}"
    return RunResult(name, title, answer_[0], tables, metrics, {"answer": answer_, "notes": []}, manifest)


def sentences(
    question: Question, subject: Subject, best: Sequence[dict[str, Any]], refused: Sequence[dict[str, Any]]
) -> list[str]:
    """The answer in words: the best configuration, then each further platform, then those that have none."""
    named = subject.record.name or subject.id
    out = [f"{named} on {row['platform']}: {_point(row)}" for row in best]
    out[0] += f" It {'holds' if best[0]['meets_slo'] else 'does not hold'} {slo_of(question)}."
    have = {row["platform"] for row in best}
    for name in dict.fromkeys(row["platform"] for row in refused if row["platform"] not in have):
        why = [f"{row['reason']}; {row['nearest_fix']}" for row in refused if row["platform"] == name]
        out.append(f"{name} does not: {why[-1]}.")
    return out


def _point(row: dict[str, Any]) -> str:
    engine = ENGINE_NAMES.get(row["engine"], row["engine"])
    mode = "" if row["mode"] == "full" else f" in mode {row['mode']}"
    size = f"{row['users']:,.3g} requests at once" if row["users"] < 1000 else f"{row['users']:,.0f} requests at once"
    if row["replicas"] > 1 or row["prefill_workers"] >= 1:
        size += f" on {row['chips']:,.0f} chips"
    if row["load_share"] is not None:
        size = f"{row['requests_per_s']:,.4g} requests/s on {row['chips']:,.0f} chip{'s' if row['chips'] > 1 else ''}"
        size += f", {100 * row['load_share']:.0f} % loaded (up to {row['most_requests_per_s']:,.4g}/s)"
    rate = f"{row['tokens_out_per_s_per_chip']:,.0f} output tokens/s a chip [{row['low']:,.0f} to {row['high']:,.0f}]"
    if row["tokens_out_per_s_per_mw"] is not None:
        rate += f", {row['tokens_out_per_s_per_mw'] / 1e6:,.3g} M a MW"
    low, high = (
        None if row[f"ttft_p99_ms_{end}"] is None else row[f"ttft_p99_ms_{end}"] / 1e3 for end in ("low", "high")
    )
    p99 = row["ttft_p99_ms"]
    first = seconds(p99 / 1e3) if p99 is not None else f"between {seconds(low or 0.0)} and {seconds(high or np.inf)}"
    times = f"TTFT p99 {first}, TPOT {seconds(row['tpot_ms'] / 1e3)}"
    return f"{row['mapping']}, {row['precision']}, {engine}{mode}, {size}: {rate}; {times}; bound by {row['bound']}."


def _metrics(row: dict[str, Any]) -> Table:
    """The headline numbers of the best point."""
    of = f"{row['mapping']} {row['precision']} {row['engine']} on {row['platform']}"
    rows = [
        {"name": n, "value": row[v] * f, "unit": u, "low": row[lo] * f, "high": row[hi] * f, "formula": of}
        for n, u, v, lo, hi, f in METRICS
        if row[v] is not None
    ]
    return Table.from_rows("metrics", rows, ("name", "value", "unit", "low", "p50", "high", "formula", "inputs"))

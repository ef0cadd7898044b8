"""One's own deployment: how much faster or slower it is than the constants say, from its request log or one measured point.

    --calibrate    a log of one deployment fits factors on the terms of its step (`calibrate`), scored on the half not fitted
    --anchor       one measured point fits two factors, on decoding and on prompts (`steady.anchor`)

Either becomes factors on the speed of decoding and of prefill, and a band of its own; with a trace the fitted step is replayed
as it is. Both are of the one layout, engine and precision that are stated, and say nothing of others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gigawatt.catalog import Catalog
from gigawatt.core import units
from gigawatt.core.errors import InputError, Problem, Problems, unknown_name
from gigawatt.core.table import Table
from gigawatt.physics.serving.engine.deployment import Deployment, Spec, deploy
from gigawatt.physics.serving.engine.layouts import layouts
from gigawatt.physics.serving.engine.memory import max_requests
from gigawatt.physics.serving.engine.step import decode_step, prefill_seconds
from gigawatt.physics.serving.engine.terms import scaled
from gigawatt.physics.serving.steady.aggregated import Load
from gigawatt.physics.serving.steady.anchor import TYPICAL, anchor
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.study.hosts import Host, hosts_of
from gigawatt.study.result import RunResult
from gigawatt.study.serve.calibrate import calibrate
from gigawatt.study.serve.calibrated import Calibrated, errors_table, factors_table, limits_table
from gigawatt.study.serve.points import draft_of, of_load
from gigawatt.study.serve.question import Derate, Known, Question
from gigawatt.study.serve.request_log import NAMES, RequestLog, read_log
from gigawatt.study.serve.subject import subject_of

OF_80 = 1.2815515655446004  # an 80 % half-width in sigmas
MEDIAN = 0.6745  # of the absolute value of a normal variable, in sigmas
LEAST_HALF = 0.02
LIMITS = ("max_num_seqs", "token_budget", "kv_tokens")
POINT = ("concurrency", "tpot", "ttft")


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a deployment: a log with its limits and columns, or one point (s; NaN where not measured)."""

    log: RequestLog | None = None
    limits: Mapping[str, int] | None = None
    concurrency: float = 0.0
    tpot_s: float = float("nan")
    ttft_s: float = float("nan")


@dataclass(frozen=True, slots=True)
class Own:
    """A deployment's own speed: the question with it, what to show, and the calibration where there is one."""

    question: Question
    tables: Mapping[str, Table]
    lines: tuple[str, ...]
    calibrated: Calibrated | None = None


def read_measured(log: Path | None, words: Sequence[str], point: str, told: Problems) -> Measured | None:
    """The words of a command line: a log with `max_num_seqs=128,first=t1`, or `concurrency=64,tpot=30ms,ttft=400ms`."""
    if log is not None and point:
        told.add("contradiction", "--calibrate and --anchor: a log says more than a point", None, "leave one out")
    given = [part.strip() for text in words for part in text.split(",") if part.strip()]
    if log is None:
        if given:
            told.add("contradiction", "--calibrate-with does nothing without --calibrate FILE")
        return _point(point, told) if point else None
    limits: dict[str, int] = {}
    columns: dict[str, str] = {}
    for word in given:
        name, _, value = (part.strip() for part in word.partition("="))
        if name in NAMES:
            columns[name] = value
        elif name in LIMITS and value.isdigit():
            limits[name] = int(value)
        elif name in LIMITS:
            told.add("bad_option", f"--calibrate-with {word}: '{value}' is no whole number")
        else:
            told.extend([unknown_name("option of a calibration", name, (*LIMITS, *NAMES))])
    try:
        return Measured(log=read_log(log, columns or None), limits=limits)
    except InputError as error:
        told.extend(error.problems)
        return None


def _point(text: str, told: Problems) -> Measured | None:
    found: dict[str, float] = {}
    for part in (word.strip() for word in text.split(",") if word.strip()):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in POINT:
            told.extend([unknown_name("part of an anchor", name, POINT)])
            continue
        try:
            found[name] = float(value) if name == "concurrency" else units.parse(value, "time")
        except ValueError as error:
            told.add("bad_unit", f"--anchor {part}: {error}")
            continue
        if not found[name] > 0:
            told.add("out_of_range", f"--anchor {part}: it lies above 0")
    if "concurrency" not in found or not {"tpot", "ttft"} & set(found):
        told.add(
            "missing", "--anchor needs a concurrency, and its TPOT, its TTFT or both", None, "concurrency=64,tpot=30ms"
        )
        return None
    nan = float("nan")
    return Measured(concurrency=found["concurrency"], tpot_s=found.get("tpot", nan), ttft_s=found.get("ttft", nan))


def one_deployment(question: Question, arch: Architecture, host: Host) -> Deployment:
    """The one deployment that a question states.

    Raises:
        InputError: the layout, engine or precision is left open, or several are named.
    """
    told = Problems()
    stated = {"mapping": question.mappings, "engine": question.engines, "precision": question.precisions}
    for name, values in stated.items():
        if len(values) != 1:
            told.add("missing", f"a measured deployment has one {name}: name it with --{name}")
    told.raise_if_any()
    (mapping,), (engine,), (precision,) = question.mappings, question.engines, question.precisions
    plain = Spec(arch, host.chip, 1)
    plans = layouts(plain.model, host.fabric.domain, mapping)
    if not plans:
        raise InputError(Problem("bad_mapping", f"--mapping {mapping} does not apply to {question.model}"))
    plan = plans[0]
    spec = replace(
        plain,
        gpus=plan.gpus,
        dp=plan.dp,
        moe_tp=plan.moe_tp,
        stages=plan.stages,
        engine=engine,
        precision=precision,
        release=question.release,
        maturity=host.speed,
        mode=host.modes[0],
        fabric=host.fabric,
        draft=draft_of(question.speculation, arch),
        speculation=question.speculation.factor,
    )
    d = deploy([spec])
    if (
        float(max_requests(d, np.asarray(float(question.input_tokens)), np.asarray(float(question.output_tokens)))[0])
        < 1.0
    ):
        said = f"{mapping} in {precision} does not fit on {host.label}: nothing can have been measured on it"
        raise InputError(Problem("does_not_fit", said))
    return d


def own_of(measured: Measured, question: Question, catalog: Catalog) -> Own:
    """The question with the speed that was measured; names are looked up.

    Raises:
        InputError: as `own_speed`; names that do not exist.
    """
    told = Problems()
    subject = subject_of(question.model, catalog, told)
    told.raise_if_any()
    assert subject is not None
    hosts = hosts_of(question, subject.arch, catalog, told)
    told.raise_if_any()
    return own_speed(measured, question, subject.arch, hosts, catalog)


def own_speed(
    measured: Measured, question: Question, arch: Architecture, hosts: Sequence[Host], catalog: Catalog
) -> Own:
    """The question with the speed that was measured.

    Raises:
        InputError: more than one deployment is left open; too few requests, or a log that is none of this deployment.
    """
    if len(hosts) != 1:
        raise InputError(Problem("missing", "a measured deployment stands on one platform: name it with --on"))
    d = one_deployment(question, arch, hosts[0])
    if measured.log is not None:
        return _calibrated(measured.log, measured.limits or {}, question, d, catalog)
    return _anchored(measured, question, d)


def _anchored(measured: Measured, question: Question, d: Deployment) -> Own:
    load = Load.of(
        np.array([float(question.input_tokens)]),
        np.array([float(question.output_tokens)]),
        np.array([measured.concurrency]),
        **of_load(question),
    )
    found = anchor(d, load, np.array([measured.tpot_s]), np.array([measured.ttft_s]))
    half = OF_80 * TYPICAL.tpot if np.isfinite(measured.tpot_s) else None
    known = Known(half, OF_80 * TYPICAL.ttft if np.isfinite(measured.ttft_s) else None)
    rows = [
        {
            "part": "decoding",
            "times_as_fast": found.decode,
            "from": _from(measured.tpot_s, "TPOT", measured.concurrency),
        },
        {
            "part": "prompts",
            "times_as_fast": found.prefill,
            "from": _from(measured.ttft_s, "TTFT", measured.concurrency),
        },
    ]
    speeds = f"decoding {found.decode:.3g} times as fast as the constants say, prompts {found.prefill:.3g} times"
    line = f"Anchored on one point: {speeds}."
    asked = _with(question, found.decode, found.prefill, known)
    return Own(asked, {"anchor": Table.from_rows("anchor", rows, tuple(rows[0]), {}, "One measured point")}, (line,))


def _from(value_s: float, name: str, concurrency: float) -> str:
    return (
        f"{name} {value_s * 1e3:.4g} ms at {concurrency:g} requests"
        if np.isfinite(value_s)
        else f"no {name} was measured"
    )


def _calibrated(log: RequestLog, limits: Mapping[str, int], question: Question, d: Deployment, catalog: Catalog) -> Own:
    found = calibrate(log, d, **dict(limits), catalog=catalog)
    fitted = scaled(d, found.factors, found.outside.api_factor, found.outside.seen_factor)
    span = float(log.finish_s.max() - log.arrival_s.min())
    batch = np.array([max(float((log.finish_s - log.first_token_s).sum()) / max(span, 1e-9), 1.0)])
    batch = np.minimum(batch, float(found.limits.max_num_seqs.value))
    context = np.array([float(log.input_tokens.mean() + log.output_tokens.mean() / 2.0)])
    prompt, one = np.array([float(log.input_tokens.mean())]), np.ones(1)
    decode = float((decode_step(d, batch, context).total / decode_step(fitted, batch, context).total)[0])
    prefill = float((prefill_seconds(d, prompt, one) / prefill_seconds(fitted, prompt, one))[0])
    held = {error.metric: error for error in found.errors if error.part == "held out"}

    def half(metric: str) -> float:
        return max(OF_80 * held[metric].median_ape / MEDIAN, LEAST_HALF)

    tables = {
        "calibration": factors_table(found),
        "calibration_errors": errors_table(found.errors),
        "limits": limits_table(found.limits),
    }
    line = (
        f"Calibrated on {len(log):,} requests: decoding {decode:.3g} times as fast as the constants say, prompts {prefill:.3g} "
        f"times; held out, mean TTFT is {100 * held['ttft'].mean:+.1f} % off and mean TPOT {100 * held['tpot'].mean:+.1f} %."
    )
    asked = _with(question, decode, prefill, Known(half("tpot"), half("ttft")))
    if found.limits.max_num_seqs.origin != "assumed":
        asked = replace(asked, most_at_once=found.limits.max_num_seqs.value)
    return Own(asked, tables, (line,), found)


def _with(question: Question, decode: float, prefill: float, known: Known) -> Question:
    derate = Derate(question.derate.decode * decode, question.derate.prefill * prefill)
    # A measured deployment is one kind of replica: what pools would do was not measured.
    return replace(question, derate=derate, known=known, pools="never")


def with_own(result: RunResult, own: Own) -> RunResult:
    """An answer with what it was anchored or calibrated on, said first."""
    more: dict[str, Any] = {"calibrated": own.calibrated.as_json()} if own.calibrated is not None else {}
    lines = [*result.texts["answer"][:1], *own.lines, *result.texts["answer"][1:]]
    return replace(
        result,
        tables=dict(result.tables) | dict(own.tables),
        texts=dict(result.texts) | {"answer": lines},
        manifest=dict(result.manifest) | more,
    )

"""A trace of requests served event by event on what the search chose for it.

chosen      at the trace's mean lengths and rate, in an open loop whose gaps and lengths vary as the trace's do
simulated   the same engine's steps, request by request; and once with a slower and once with a faster engine, by the 80 %
            half-width of throughput: the ends of every time
load        the closed form's; beyond `NEAR` a high percentile is those ends and no point, and above 1 it is unstable
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problems
from gigawatt.core.table import Table
from gigawatt.physics.serving.engine.deployment import Deployment, Spec, deploy
from gigawatt.physics.serving.engine.layouts import Layout
from gigawatt.physics.serving.engine.terms import TERMS, scaled
from gigawatt.physics.serving.events import Fleet, Group, Outcome, Requests, curve_of, simulate
from gigawatt.physics.serving.steady.tails import HIGH, NEAR, at_speed
from gigawatt.study.hosts import Host
from gigawatt.study.result import RunResult
from gigawatt.study.serve.answer import Chosen, chosen
from gigawatt.study.serve.calibrate import calibrated_curve
from gigawatt.study.serve.calibrated import Calibrated, factors_of
from gigawatt.study.serve.question import Derate, Question, seconds
from gigawatt.study.serve.rates import Lengths
from gigawatt.study.serve.replay_words import Replay
from gigawatt.study.serve.trace import Trace, statistics
from gigawatt.study.serve.traces import read_trace

SHARES = (0.5, 0.9, 0.99)
CURVE = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
MOST_SEQUENCES = 4096  # that a replica runs at once, where nothing says fewer
LEAST_SEQUENCES = 256  # the usual setting of engines
PROMPTS = ("prompts", "pairs", "bulk")  # terms of a step that prompts make
TOKEN_BUDGET = 8192  # of a step and attention rank
Floats = NDArray[np.float64]


def replay(
    asked: Replay,
    question: Question,
    catalog: Catalog | None = None,
    *,
    given: Sequence[str] = (),
    hosts: Sequence[Host] | None = None,
    calibrated: Calibrated | None = None,
    told: Problems | None = None,
    say: Callable[[str], Any] = lambda _: None,
) -> RunResult:
    """The answer at the trace's means, and what a simulation of the trace says of the best point.

    With a calibration its own step is simulated.

    Raises:
        InputError: as `answer`; and all that is wrong with the trace, each at its place.
        Infeasible: no configuration serves a lone request of these lengths within the SLO, or fits.
    """
    cat = catalog or Catalog.load()
    told = Problems() if told is None else told
    say("trace")
    trace = _read(asked, question, cat, told)
    told.raise_if_any()
    assert trace is not None
    means, lengths = at_means(question, trace, given)
    kept = (*given, "isl", "osl", "rate", "arrivals", "concurrency", *(("cached",) if means.cached_share else ()))
    made = chosen(means, cat, given=kept, hosts=hosts, lengths=lengths, even_if_not=True, told=told, say=say)
    say("simulation")
    return with_simulation(made, trace, asked, means, calibrated)


def _read(asked: Replay, question: Question, catalog: Catalog, told: Problems) -> Trace | None:
    record = catalog.get("model", question.model) if question.model in catalog.ids("model") else None
    record = record or catalog.find_model(question.model)
    context = int(record.max_positions) if record is not None else 0
    try:
        trace = read_trace(asked.file, replace(asked.options, context=context))
    except InputError as error:
        told.extend(error.problems)
        return None
    if not trace.timed:
        told.add("missing", f"'{asked.file}' says no times: at which rate do its requests come?", None, "--rate 10")
    elif len(trace) < 2 or not trace.arrival_s[-1] > trace.arrival_s[0]:
        told.add("too_short", f"'{asked.file}' holds {len(trace)} requests at one time: no rate follows from them")
    return trace


def at_means(question: Question, trace: Trace, given: Sequence[str]) -> tuple[Question, Lengths]:
    """The question at a trace's means, and how its lengths and gaps vary."""
    found = statistics(trace)
    cached = question.cached_share
    if "cached" not in given and np.isfinite(found.prefix_token_share):
        cached = min(found.prefix_token_share, 0.999)
    means = replace(
        question,
        input_tokens=max(round(found.input_mean), 1),
        output_tokens=max(round(found.output_mean), 1),
        rate_per_s=found.rate_per_s,
        cached_share=cached,
        concurrency=(),
    )

    def variation(tokens: NDArray[np.int64]) -> float:
        return float(tokens.std() / max(tokens.mean(), 1e-9))

    gaps = found.gap_cv if np.isfinite(found.gap_cv) else 1.0
    return means, Lengths(variation(trace.input_tokens), variation(trace.output_tokens), max(gaps, 0.1))


def requests_of(trace: Trace) -> Requests:
    """A trace as the simulation takes it."""
    return Requests.of(
        trace.arrival_s,
        trace.input_tokens,
        trace.output_tokens,
        session=trace.session,
        hash_from=trace.block_start,
        hashes=trace.block_hash,
        block_tokens=trace.block_tokens or 512,
    )


def with_simulation(
    made: Chosen, trace: Trace, asked: Replay, question: Question, calibrated: Calibrated | None = None
) -> RunResult:
    """The answer with the trace simulated on its best point."""
    best = made.result.manifest["best"]
    half = float(np.log(best["high"] / best["tokens_out_per_s_per_chip"]))
    requests = requests_of(trace)
    route = asked.routing or "least_requests"
    outcomes: dict[str, Outcome] = {}
    spent_s = 0.0
    for name, factor in (("middle", 1.0), ("fast", float(np.exp(half))), ("slow", float(np.exp(-half)))):
        fleet = fleet_of(made, best, trace, route, factor, question.derate, calibrated)
        fleet = asked.events.of(fleet, float(trace.arrival_s[-1]), asked.options.seed)
        started = time.perf_counter()
        outcomes[name] = simulate(requests, fleet)
        spent_s = time.perf_counter() - started if name == "middle" else spent_s
    use = utilisation(best["load_share"], half)
    tables = dict(made.result.tables) | {
        "simulated": times_table(outcomes, use),
        "trace": _trace_table(trace, outcomes["middle"], best, route, asked.events.words),
    }
    manifest = dict(made.result.manifest) | {
        "trace": trace.file,
        "requests": len(trace),
        "served": int(outcomes["middle"].served.sum()),
        "simulate_s": spent_s,
        "ttft_ms": times_of(outcomes, "ttft_s", use),
        "tpot_ms": times_of(outcomes, "tpot_s", use),
        "utilisation": use,
    }
    lines = [*made.result.texts["answer"], _sentence(manifest, question)]
    texts = dict(made.result.texts) | {"answer": lines, "notes": _notes(made.result, question, outcomes["middle"])}
    return replace(made.result, headline=lines[-1], tables=tables, manifest=manifest, texts=texts)


def _notes(result: RunResult, question: Question, outcome: Outcome) -> list[str]:
    """What the choice took for granted that the simulation can tell."""
    notes = list(result.texts["notes"])
    if question.cached_share:
        hits = float(outcome.cached_tokens.sum() / max(outcome.input_tokens.sum(), 1))
        notes.append(
            f"Chosen with {question.cached_share:.0%} of the input found in the cache; simulated, {hits:.0%} was."
        )
    return notes


def utilisation(load: float | None, half: float) -> dict[str, float | None] | str:
    """The load with its 80 % range; no point beyond `NEAR`; 'unstable' where more comes than can be answered.

    >>> utilisation(1.2, 0.2)
    'unstable'
    """
    if load is None or not load < 1.0:
        return "unstable"
    low, high = load * np.exp(-half), load * np.exp(half)
    return {"value": load if load <= NEAR else None, "low": float(low), "high": float(min(high, 1.0))}


def fleet_of(
    made: Chosen,
    best: Mapping[str, Any],
    trace: Trace,
    routing: str,
    factor: float,
    derate: Derate,
    calibrated: Calibrated | None = None,
) -> Fleet:
    """Instances of the best point, its engine `factor` times as fast."""
    contexts = trace.input_tokens + 0.5 * trace.output_tokens
    low, high = (float(max(x, 16.0)) for x in np.percentile(contexts, [5, 95]))
    decode = _deployment(made, best, True, factor, derate)
    each = best["concurrency"] if best["replicas"] else 0.0
    room = float(best["concurrency"] / best["kv_share"]) if best["kv_share"] else float(MOST_SEQUENCES)
    slots = int(np.clip(4.0 * each, LEAST_SEQUENCES, min(MOST_SEQUENCES, max(room, 1.0))))
    words: dict[str, Any] = {"contexts": (low, max(high, low + 1.0)), "max_num_seqs": max(slots, 1)}
    budget = int(TOKEN_BUDGET * decode.dp[0])
    if calibrated is not None:
        own = replace(calibrated, factors=calibrated.factors / factor)
        plain = _deployment(made, best, True, 1.0, Derate())
        return Fleet.of(calibrated_curve(own, plain, 0, own.limits), int(best["replicas"]), routing=routing)
    if not best["prefill_workers"]:
        return Fleet.of(curve_of(decode, token_budget=budget, **words), int(best["replicas"]), routing=routing)
    prefill = _deployment(made, best, False, factor, derate)
    pool = curve_of(prefill, token_budget=int(TOKEN_BUDGET * prefill.dp[0]), prefill_pool=True, **words)
    groups = (
        Group(pool, int(best["prefill_workers"]), "prefill"),
        Group(curve_of(decode, token_budget=budget, **words), int(best["replicas"]), "decode"),
    )
    return Fleet(groups, routing=routing, transfer_s=float(decode.rates.transfer_s[0]))


def _deployment(made: Chosen, best: Mapping[str, Any], decode: bool, factor: float, derate: Derate) -> Deployment:
    """The configuration behind a row, at a speed, with what is kept of each phase."""
    mapping = best["mapping"]
    if " prefill + " in mapping:
        first, _, second = mapping.removesuffix(" decode").partition(" prefill + ")
        mapping = second if decode else first
    wanted = (
        mapping,
        best["precision" if decode else "prefill_precision"],
        best["engine"],
        best["mode" if decode else "prefill_mode"],
    )
    specs = {_key(spec): spec for spec in made.specs[best["platform"]]}
    d = deploy([specs[wanted]])
    if derate != Derate():
        slower = {name: 1.0 / (derate.prefill if name in PROMPTS else derate.decode) for name in TERMS}
        d = scaled(d, factors_of(slower))
    return d if factor == 1.0 else at_speed(d, factor)


def _key(spec: Spec) -> tuple[str, str, str, str]:
    name = Layout(spec.gpus, spec.dp, spec.moe_tp, spec.stages).name
    return name, spec.precision, spec.engine, spec.mode.name


def times_of(outcomes: Mapping[str, Outcome], name: str, use: Mapping[str, Any] | str) -> dict[str, float | None]:
    """Percentiles in ms with the ends of their ranges; no point of a high percentile near saturation."""
    out: dict[str, float | None] = {"mean": float(np.nanmean(getattr(outcomes["middle"], name))) * 1e3}
    vague = isinstance(use, str) or use["value"] is None
    for share in SHARES:
        middle, fast, slow = (_quantile(outcomes[o], name, share) * 1e3 for o in ("middle", "fast", "slow"))
        word = f"p{share * 100:g}"
        out[word] = None if vague and share >= HIGH else middle
        out |= {f"{word}_low": min(fast, middle), f"{word}_high": max(slow, middle)}
    return out


def _quantile(outcome: Outcome, name: str, share: float) -> float:
    return float(np.nanquantile(getattr(outcome, name), share))


def times_table(outcomes: Mapping[str, Outcome], use: Mapping[str, Any] | str) -> Table:
    """TTFT, TPOT and a whole request by share of requests."""
    vague = isinstance(use, str) or use["value"] is None
    rows = []
    for share in CURVE:
        row: dict[str, Any] = {"percentile": 100 * share}
        for name, stem in (("ttft_s", "ttft_ms"), ("tpot_s", "tpot_ms"), ("e2e_s", "request_ms")):
            middle, fast, slow = (_quantile(outcomes[o], name, share) * 1e3 for o in ("middle", "fast", "slow"))
            row[stem] = None if vague and share >= HIGH else middle
            row |= {f"{stem}_low": min(fast, middle), f"{stem}_high": max(slow, middle)}
        rows.append(row)
    columns = list(rows[0])
    note = "Low and high: the whole trace on an engine faster and slower by the 80 % half-width of throughput."
    units = {name: "ms" for name in columns if name != "percentile"}
    return Table.from_rows("simulated", rows, columns, units, "The trace, simulated", note)


def _trace_table(trace: Trace, outcome: Outcome, best: Mapping[str, Any], routing: str, happens: str) -> Table:
    found = statistics(trace)
    hits = float(outcome.cached_tokens.sum() / max(outcome.input_tokens.sum(), 1))
    rows = [
        ("requests", f"{found.rows:,}", f"{trace.format}, over {found.span_s:,.4g} s"),
        ("rate", f"{found.rate_per_s:,.4g} a second", f"gaps vary by {found.gap_cv:.2g} of their mean (1: Poisson)"),
        ("input", f"{found.input_mean:,.0f} tokens", f"half below {found.input_p50:,.0f}, p99 {found.input_p99:,.0f}"),
        (
            "output",
            f"{found.output_mean:,.0f} tokens",
            f"half below {found.output_p50:,.0f}, p99 {found.output_p99:,.0f}",
        ),
        ("prefix hits", f"{100 * hits:.3g} % of input tokens", _hits(found.prefix_token_share)),
        ("routing", routing.replace("_", " "), _instances(best)),
        ("preempted", f"{int((outcome.preemptions > 0).sum()):,} requests", "taken out of the cache, and read again"),
        ("not served", f"{int((~outcome.served).sum()):,} requests", "too long for an instance, or its queue full"),
    ]
    rows += [("what happens", happens, "to the fleet")] if happens else []
    return Table.from_rows(
        "trace",
        [dict(zip(("what", "value", "of"), row, strict=True)) for row in rows],
        ("what", "value", "of"),
        {},
        "The trace",
    )


def _instances(best: Mapping[str, Any]) -> str:
    count = int(best["replicas"] + best["prefill_workers"])
    return f"over {count} instance{'s' if count > 1 else ''}"


def _hits(endless: float) -> str:
    return (
        f"{100 * endless:.3g} % in a cache without end"
        if np.isfinite(endless)
        else "the trace says nothing of prefixes"
    )


def _sentence(manifest: Mapping[str, Any], question: Question) -> str:
    use = manifest["utilisation"]
    if isinstance(use, str):
        load = "more comes than is answered: unstable"
    elif use["value"] is None:
        load = f"loaded {100 * use['low']:.0f} to {100 * use['high']:.0f} %"
    else:
        load = f"{100 * use['value']:.0f} % loaded"
    parts = []
    for name, key in (("TTFT", "ttft_ms"), ("TPOT", "tpot_ms")):
        times = manifest[key]
        low, high = (seconds(times[f"p99_{end}"] / 1e3) for end in ("low", "high"))
        p99 = (
            f"between {low} and {high}" if times["p99"] is None else f"{seconds(times['p99'] / 1e3)} [{low} to {high}]"
        )
        parts.append(f"{name} p50 {seconds(times['p50'] / 1e3)}, p99 {p99}")
    name = Path(manifest["trace"]).name
    said = f"{manifest['requests']:,} requests of {name}, simulated: {'; '.join(parts)}; {load}."
    broken = _broken(manifest, question)
    return f"{said} It does not hold {' nor '.join(broken)}." if broken else said


def _broken(manifest: Mapping[str, Any], question: Question) -> list[str]:
    """Limits that the simulated requests do not keep; a percentile without a point is judged by its far end."""
    slo = question.slo

    def at(times: Mapping[str, Any]) -> float:
        return float(times["p99_high"] if times["p99"] is None else times["p99"]) / 1e3

    first, gap = manifest["ttft_ms"], manifest["tpot_ms"]
    limits = (
        ("TTFT p99", at(first), slo.ttft_p99_s),
        ("mean TTFT", first["mean"] / 1e3, slo.ttft_mean_s),
        ("TPOT", gap["mean"] / 1e3, slo.tpot_s),
        ("TPOT p99", at(gap), slo.tpot_p99_s),
    )
    return [f"{name} within {seconds(limit)}" for name, value, limit in limits if value > limit]

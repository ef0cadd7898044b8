"""What a calibration knows of an engine: its limits and where they are from, factors on its step, errors on the log.

Limits are given, or seen in the log, or follow from the chips' memory, or are assumed; which of them is kept with each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, Where, nearest
from gigawatt.core.table import Table
from gigawatt.physics.serving.engine.deployment import Deployment, take
from gigawatt.physics.serving.engine.memory import cache_bytes_per_request, free_bytes_per_chip
from gigawatt.physics.serving.engine.terms import TERMS
from gigawatt.study.serve.request_log import RequestLog

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DEFAULT_SEQS, DEFAULT_BUDGET = 256, 8192
WAITED_STEPS = 20.0  # a request that waits longer than so many steps waits for a place, not for a step


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the engine and where it is from: 'given', 'seen in the log', 'from memory' or 'assumed'."""

    name: str
    value: int
    origin: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the instance that made the log."""

    max_num_seqs: Limit
    token_budget: Limit
    kv_tokens: Limit
    block_size: int = 16

    @classmethod
    def given(cls, max_num_seqs: int, token_budget: int, kv_tokens: int, block_size: int = 16) -> Limits:
        """Limits that are all known."""
        return cls(
            max_num_seqs=Limit("max_num_seqs", max_num_seqs, "given"),
            token_budget=Limit("token_budget", token_budget, "given"),
            kv_tokens=Limit("kv_tokens", kv_tokens, "given"),
            block_size=block_size,
        )


@dataclass(frozen=True, slots=True)
class Errors:
    """Predicted over measured, less one, of one metric over some requests; `median_ape` of single requests."""

    part: str
    metric: str
    rows: int
    measured_mean_s: float
    mean: float
    p50: float
    p99: float
    median_ape: float
    p90_ape: float


@dataclass(frozen=True, slots=True)
class Outside:
    """What a request takes before its place in a step: seconds of the front end, and steps (engines schedule ahead)."""

    api_s: float
    seen_steps: float
    api_factor: float = 1.0
    seen_factor: float = 1.0

    @classmethod
    def of(cls, d: Deployment, row: int, api_factor: float = 1.0, seen_factor: float = 1.0) -> Outside:
        """That of a deployment, times factors."""
        api_s, seen = float(d.rates.api_s[row]), float(d.rates.poll_steps[row])
        return cls(api_s * api_factor, seen * seen_factor, api_factor, seen_factor)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Factors on the terms (`TERMS`), on the time outside the engine's steps and on the steps until a request is seen.

    `prior_sigma` and `sigma`: of their logarithms before and after the log. `load`: requests that came in a second over the
    most that the fitted instance could serve; above 1 queues grow as long as the log lasts.
    """

    engine: str
    factors: Floats
    prior_sigma: Floats
    sigma: Floats
    outside: Outside
    limits: Limits
    errors: tuple[Errors, ...]
    load: float
    simulations: int

    def as_json(self) -> dict[str, object]:
        """Plain values, for `--json` and for a file to read back with `factors_of`."""
        return {
            "engine": self.engine,
            "factors": dict(zip(TERMS, self.factors.round(4).tolist(), strict=True)),
            "sigma": dict(zip(TERMS, self.sigma.round(4).tolist(), strict=True)),
            "outside": {
                "api_factor": round(self.outside.api_factor, 4),
                "seen_factor": round(self.outside.seen_factor, 4),
            },
            "limits": {
                one.name: {"value": one.value, "origin": one.origin, "note": one.note}
                for one in (self.limits.max_num_seqs, self.limits.token_budget, self.limits.kv_tokens)
            },
            "load": round(self.load, 4),
            "errors": [asdict(error) for error in self.errors],
        }


def limits_of(
    log: RequestLog, d: Deployment, row: int = 0, *, max_num_seqs: int = 0, token_budget: int = 0, kv_tokens: int = 0
) -> Limits:
    """Limits given, and for each that is 0 the best that log and memory say."""
    return Limits(
        max_num_seqs=Limit("max_num_seqs", max_num_seqs, "given") if max_num_seqs else _sequences(log),
        token_budget=Limit("token_budget", token_budget, "given")
        if token_budget
        else Limit("token_budget", DEFAULT_BUDGET, "assumed", "the engines' usual setting"),
        kv_tokens=Limit("kv_tokens", kv_tokens, "given") if kv_tokens else _cache(log, d, row),
    )


def _sequences(log: RequestLog) -> Limit:
    """The most that ran at once, where others waited meanwhile; without a queue nothing shows the limit."""
    known = bool(np.all(np.isfinite(log.scheduled_s)))
    start = log.scheduled_s if known else log.first_token_s
    times = np.concatenate([start, log.finish_s])
    change = np.concatenate([np.ones(len(log)), -np.ones(len(log))])
    running = np.cumsum(change[np.lexsort((change, times))])
    most = int(running.max())
    full_since = np.sort(times)[int(np.argmax(running))]
    waiting = int(np.sum((log.arrival_s < full_since) & (start > full_since)))
    step_s = float(np.nanmedian(log.tpot_s))
    waited = int(np.sum(start - log.arrival_s > WAITED_STEPS * step_s))
    if waiting > 0 and waited > len(log) // 20:
        what = "running" if known else "decoding"
        return Limit("max_num_seqs", most, "seen in the log", f"{most} were {what} at once while others waited")
    note = f"no more than {most} ran at once, and none waited for a place"
    return Limit("max_num_seqs", max(DEFAULT_SEQS, most), "assumed", note)


def _cache(log: RequestLog, d: Deployment, row: int) -> Limit:
    """Tokens of cache that the chips' memory holds beside the weights."""
    mean = np.array([float(np.mean(log.input_tokens + log.output_tokens))])
    one = take(d, np.array([row], dtype=np.intp))
    each = float(cache_bytes_per_request(one, mean, np.zeros(1))[0]) / float(mean[0])
    free = float(free_bytes_per_chip(one)[0])
    if free <= 0.0:
        message = f"the weights do not fit: {-free / 1e9:,.1f} GB a chip too much, yet the log was served"
        hint = "is it the same model, precision and number of chips that made the log?"
        raise InputError(Problem("does_not_fit", message, Where(log.file), (hint,)))
    tokens = int(free / each * float(one.dp[0]))
    return Limit("kv_tokens", tokens, "from memory", "of the chips, less weights and reserve")


def errors_of(log: RequestLog, outcome: RequestLog, rows: Bools, part: str) -> tuple[Errors, ...]:
    """Errors of TTFT, TPOT and the whole time over the rows marked."""
    pairs = {
        "ttft": (log.ttft_s, outcome.ttft_s),
        "tpot": (log.tpot_s, outcome.tpot_s),
        "e2e": (log.e2e_s, outcome.e2e_s),
    }
    out = []
    for name, (measured, predicted) in pairs.items():
        use = rows & np.isfinite(measured) & np.isfinite(predicted)
        m, p = measured[use], predicted[use]
        single = np.abs(p / m - 1.0)
        out.append(
            Errors(
                part=part,
                metric=name,
                rows=len(m),
                measured_mean_s=float(m.mean()),
                mean=float(p.mean() / m.mean() - 1.0),
                p50=float(np.median(p) / np.median(m) - 1.0),
                p99=float(np.percentile(p, 99) / np.percentile(m, 99) - 1.0),
                median_ape=float(np.median(single)),
                p90_ape=float(np.percentile(single, 90)),
            )
        )
    return tuple(out)


def errors_table(errors: Sequence[Errors]) -> Table:
    """Errors as a table: a row a part and metric."""
    rows = [
        {"part": e.part, "metric": e.metric, "requests": e.rows, "measured_ms": e.measured_mean_s * 1e3, "mean_share": e.mean,
         "p50_share": e.p50, "p99_share": e.p99, "median_ape_share": e.median_ape}
        for e in errors
    ]  # fmt: skip
    note = "Predicted over measured, less one; the half held out was not seen by the fit."
    units = {"measured_ms": "ms"}
    return Table.from_rows("calibration_errors", rows, tuple(rows[0]), units, "How wrong it still is", note)


def factors_table(found: Calibrated) -> Table:
    """Factors with their sigma before and after, and what they are on."""
    rows = [
        {"term": name, "times_as_long": f, "sigma_share": s, "prior_share": p}
        for name, f, s, p in zip(TERMS, found.factors, found.sigma, found.prior_sigma, strict=True)
    ]
    return Table.from_rows("calibration", rows, tuple(rows[0]), {}, "Factors on the step's terms")


def limits_table(limits: Limits) -> Table:
    """The engine's limits, and where each is from."""
    rows = [
        {"limit": one.name, "value": one.value, "from": one.origin}
        for one in (limits.max_num_seqs, limits.token_budget, limits.kv_tokens)
    ]
    return Table.from_rows("limits", rows, ("limit", "value", "from"), {}, "Limits of the engine")


def factors_of(stated: Mapping[str, float]) -> Floats:
    """Factors by name as a column in the order of `TERMS`; those not stated are 1.

    Raises:
        InputError: a name that is no term, a factor that is not above 0.
    """
    problems = []
    for name, value in stated.items():
        if name not in TERMS:
            near = nearest(name, TERMS)
            hints = ((f"did you mean '{near}'?",) if near else ()) + (f"known: {', '.join(TERMS)}",)
            problems.append(Problem("unknown_term", f"a step has no term '{name}'", None, hints))
        elif not 0.0 < value < float("inf"):
            problems.append(Problem("out_of_range", f"the factor of '{name}' must be above 0, not {value:g}"))
    if problems:
        raise InputError(problems)
    return np.array([stated.get(name, 1.0) for name in TERMS])

"""Fits the engine's step to a user's own request log, and says how wrong the fit is on what it has not seen.

    step = sum_i f_i term_i          the closed form's physical terms (`StepTerms`), a factor on each

Over the first half of the requests, by arrival: the factors come from who ran beside whom (`step_fit`); then the whole log is
simulated, to fit what it does not show by itself: a common level of all factors, one of prompts, the time before a request
is in the queue, and the steps until it has its place in one (engines schedule ahead),

    minimise  sum rho((TTFT' - TTFT) / hypot(s TTFT, TPOT)) + sum rho(log(TPOT' / TPOT) / s) + priors

with rho(r) = sqrt(1 + r^2) - 1. A request falls somewhere into a step, so that its TTFT is not known better than to one (TPOT).
The sigmas of the priors are the catalog's. The second half is then replayed with the factors found. Factors are of the
chip and engine: `predict` takes them to another model.

Limits of the engine (sequences, tokens of a step, blocks of cache) are read from options, or estimated from the log, and
which of the two is said: a wrong limit of sequences spoils everything. Tokens of a step are those that fit best.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.catalog import Catalog
from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.physics.serving.engine.calibration import CALIBRATION, ENGINES
from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.terms import CHUNK_STRIDE, TERMS, StepTerms, outside_sigma, prior_sigma, step_terms
from gigawatt.physics.serving.events.compiled import has_numba
from gigawatt.physics.serving.events.curve import StepCurve
from gigawatt.physics.serving.events.fleet import Fleet
from gigawatt.physics.serving.events.requests import Requests
from gigawatt.physics.serving.events.simulate import simulate
from gigawatt.study.serve.calibrated import Calibrated, Errors, Limit, Limits, Outside, errors_of, limits_of
from gigawatt.study.serve.request_log import RequestLog, log_of
from gigawatt.study.serve.step_fit import fit_terms

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MEASURE_SIGMA = 0.02  # of the logarithm of a request's times that no fit need come nearer to
LEVEL_SIGMA = (0.1, 0.2)  # of the common level, and of that of prompts: the factors have set both already
STEP = 0.03  # of a log-factor, for differences: smaller ones meet the kinks of who is admitted when
EVALUATIONS = 12
# Tokens of a step that are tried where none is stated; the closest few are fitted to the end.
BUDGETS = (512, 1024, 2048, 4096, 8192, 16_384)
BUDGET_NOTE = "the closest of 512 to 16,384"
SHORT_LIST = 3
OF_PROMPTS = np.array([name in ("prompts", "pairs", "bulk") for name in TERMS])
LEAST_ROWS = 20
LONG_BEFORE_S = 3600.0
WORTH_COMPILING = 1_000  # requests of a log, which a fit simulates some hundred times
PARTS = ("fitted", "held out")


def curve_of_terms(terms: StepTerms, factors: Floats, outside: Outside, limits: Limits) -> StepCurve:
    """The curve of an instance: its terms times factors, within limits."""
    return StepCurve(
        decode_s=factors @ terms.decode_s,
        token_s=factors @ terms.token_s,
        chunk_s=factors @ terms.chunk_s,
        chunk_stride=CHUNK_STRIDE,
        pair_s=float(factors @ terms.pair_s),
        token_budget=limits.token_budget.value,
        kv_blocks=max(limits.kv_tokens.value // limits.block_size, 1),
        block_size=limits.block_size,
        tokens_per_step=terms.tokens_per_step,
        api_s=outside.api_s,
        seen_steps=outside.seen_steps,
    )


def replay(log: RequestLog, curve: StepCurve) -> RequestLog:
    """The log's arrivals and lengths through one instance, as it would have logged them.

    What each prompt found in the cache it finds again: all share one long prefix, that a request long before has left there.
    """
    solver = "numba" if len(log) >= WORTH_COMPILING and has_numba() else "auto"
    blocks = log.cached_tokens // curve.block_size
    if not bool(blocks.any()):
        plain = Requests.of(log.arrival_s, log.input_tokens, log.output_tokens)
        return log_of(simulate(plain, Fleet.of(curve), solver=solver), log.file)
    most = int(blocks.max())
    held = np.concatenate([[most], blocks])
    start = np.concatenate([[0], np.cumsum(held)])
    asked = Requests.of(
        np.concatenate([[0.0], log.arrival_s + LONG_BEFORE_S]),
        np.concatenate([[most * curve.block_size + 1], log.input_tokens]),
        np.concatenate([[1], log.output_tokens]),
        hash_from=start,
        hashes=np.arange(start[-1]) - np.repeat(start[:-1], held),
        block_tokens=curve.block_size,
    )
    return log_of(simulate(asked, Fleet.of(curve), solver=solver), log.file).later(1, LONG_BEFORE_S)


def calibrate(
    log: RequestLog,
    d: Deployment,
    row: int = 0,
    *,
    max_num_seqs: int = 0,
    token_budget: int = 0,
    kv_tokens: int = 0,
    catalog: Catalog | None = None,
) -> Calibrated:
    """Fit the factors to the first half of the log (by arrival) and score the second.

    Args:
        log: what was measured.
        d, row: the deployment as the catalog knows it: model, chip, engine, layout; the prior.
        max_num_seqs, token_budget, kv_tokens: the engine's limits; 0 is estimated (see `limits_of`).
        catalog: where the sigmas of the priors come from.

    Raises:
        InputError: too few requests, weights that do not fit, a request longer than the cache.
    """
    if len(log) < LEAST_ROWS:
        message = f"{len(log)} requests are too few to fit and to check: at least {LEAST_ROWS}"
        raise InputError(Problem("too_few", message, Where(log.file), ("with one measured point use an anchor",)))
    limits = limits_of(log, d, row, max_num_seqs=max_num_seqs, token_budget=token_budget, kv_tokens=kv_tokens)
    _check_lengths(log, limits)
    record = (catalog or Catalog.load()).get("calibration", CALIBRATION)
    stated = {name: fitted.sigma for name, fitted in record.parameters.items() if fitted.sigma is not None}
    first = np.arange(len(log)) < len(log) // 2

    def fit(budget: Limit, levels: bool) -> _Fit:
        return _fit(log, d, row, replace(limits, token_budget=budget), stated, first, levels)

    if token_budget:
        tried = [fit(limits.token_budget, True)]
        best = tried[0]
    else:
        budgets = [Limit("token_budget", tokens, "fitted to the log", BUDGET_NOTE) for tokens in BUDGETS]
        screened = sorted((fit(budget, False) for budget in budgets), key=lambda one: one.cost)
        close = [fit(one.limits.token_budget, True) for one in screened[:SHORT_LIST]]
        tried = screened + close
        best = min(close, key=lambda one: one.cost)
    replayed = replay(log, best.curve)
    return Calibrated(
        engine=ENGINES[int(d.engine[row])],
        factors=best.factors,
        prior_sigma=best.prior_sigma,
        sigma=best.sigma,
        outside=best.outside,
        limits=best.limits,
        errors=errors_of(log, replayed, first, PARTS[0]) + errors_of(log, replayed, ~first, PARTS[1]),
        load=_load(log, best.curve),
        simulations=sum(one.simulations for one in tried),
    )


def calibrated_curve(found: Calibrated, d: Deployment, row: int, limits: Limits) -> StepCurve:
    """The curve of an instance of any deployment on the chip and engine that were calibrated, within its own limits."""
    terms = step_terms(d, row, limits.max_num_seqs.value, limits.token_budget.value)
    outside = Outside.of(d, row, found.outside.api_factor, found.outside.seen_factor)
    return curve_of_terms(terms, found.factors, outside, limits)


def predict(
    log: RequestLog, d: Deployment, found: Calibrated, row: int = 0, limits: Limits | None = None
) -> tuple[Errors, ...]:
    """Errors on another log, of another model or layout on the same chip and engine, nothing fitted again.

    The cache is that of its own memory; sequences and tokens of a step are those of `limits`, or as in the calibration.
    """
    here = limits or limits_of(
        log, d, row, max_num_seqs=found.limits.max_num_seqs.value, token_budget=found.limits.token_budget.value
    )
    _check_lengths(log, here)
    outcome = replay(log, calibrated_curve(found, d, row, here))
    return errors_of(log, outcome, np.ones(len(log), dtype=np.bool_), "predicted")


def _check_lengths(log: RequestLog, limits: Limits) -> None:
    longest, held = int((log.input_tokens + log.output_tokens).max()), limits.kv_tokens.value
    if longest + limits.block_size > held:
        message = (
            f"a request of {longest:,} tokens was served, but the cache holds {held:,} ({limits.kv_tokens.origin})"
        )
        hint = "state the tokens of its cache (kv_tokens), or check model, precision and chips"
        raise InputError(Problem("too_long", message, Where(log.file), (hint,)))


@dataclass(frozen=True, slots=True)
class _Fit:
    """A fit within limits, and what it costs on the requests fitted."""

    cost: float
    factors: Floats
    prior_sigma: Floats
    sigma: Floats
    outside: Outside
    limits: Limits
    curve: StepCurve
    simulations: int


def _fit(
    log: RequestLog, d: Deployment, row: int, limits: Limits, stated: Mapping[str, float], rows: Bools, levels: bool
) -> _Fit:
    """Factors from who ran beside whom, then with `levels` those that need a simulation; over the requests marked."""
    from scipy.optimize import least_squares

    engine = ENGINES[int(d.engine[row])]
    terms = step_terms(d, row, limits.max_num_seqs.value, limits.token_budget.value)
    prior = prior_sigma(terms, engine, stated)
    theta, sigma = fit_terms(log, terms, rows, prior, limits.token_budget.value)
    width = np.concatenate([LEVEL_SIGMA, outside_sigma(engine, stated)])
    step = np.where(np.isfinite(log.tpot_s), log.tpot_s, np.nanmedian(log.tpot_s))
    spread = np.hypot(MEASURE_SIGMA * log.ttft_s, step)[rows]
    many = rows & np.isfinite(log.tpot_s)
    ttft, tpot = log.ttft_s[rows], log.tpot_s[many]
    simulations = 0

    def at(x: Floats) -> tuple[Floats, Outside, StepCurve]:
        """x: logarithms of the level, of prompts' level, of the front end's time and of the steps until seen."""
        factors = np.asarray(np.exp(theta + x[0] + np.where(OF_PROMPTS, x[1], 0.0)))
        outside = Outside.of(d, row, *np.exp(x[2:]).tolist())
        return factors, outside, curve_of_terms(terms, factors, outside, limits)

    def residuals(x: Floats) -> Floats:
        nonlocal simulations
        simulations += 1
        o = replay(log, at(x)[2])
        r = np.concatenate([(o.ttft_s[rows] - ttft) / spread, np.log(o.tpot_s[many] / tpot) / MEASURE_SIGMA])
        return np.concatenate([np.sign(r) * np.sqrt(2.0 * (np.sqrt(1.0 + r * r) - 1.0)), x / width])

    def slopes(x: Floats) -> Floats:
        ways = STEP * np.eye(len(width))
        return np.stack([(residuals(x + way) - residuals(x - way)) / (2.0 * STEP) for way in ways], axis=1)

    x = np.zeros(len(width))
    if levels:
        found = least_squares(residuals, x, jac=slopes, x_scale=width, max_nfev=EVALUATIONS)
        x, cost = np.asarray(found.x), float(found.cost)
    else:
        cost = 0.5 * float(np.sum(residuals(x) ** 2))
    factors, outside, curve = at(x)
    return _Fit(cost, factors, prior, sigma, outside, limits, curve, simulations)


def _load(log: RequestLog, curve: StepCurve) -> float:
    """Arrivals in a second over what the instance serves where all of the log's requests are there at once."""
    if log.arrival_s[-1] <= 0.0:
        return float("inf")
    rate = (len(log) - 1) / float(log.arrival_s[-1])
    order = np.argsort(log.arrival_s, kind="stable")
    full = simulate(Requests.of(np.zeros(len(log)), log.input_tokens[order], log.output_tokens[order]), Fleet.of(curve))
    # The end, where few are left, is no measure of the rate: the middle half of the answers is.
    ends = np.sort(full.finish_s)
    quarter = len(ends) // 4
    return rate * float(ends[-1 - quarter] - ends[quarter]) / max(len(ends) - 1 - 2 * quarter, 1)

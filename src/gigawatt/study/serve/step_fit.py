"""Factors on a step's terms from a log, without simulating: the log itself says who ran beside whom.

A request that makes `o` tokens sees o - 1 steps between its first and its last token (fewer with speculation), so that

    last - first = sum_i f_i A_i        A_i: seconds of term i, summed over those steps

Over time, b(t) decode with context(t) tokens in the cache; steps pass at the mean rate of those who decode,
(o - 1) / (last - first). A prompt's seconds lie evenly between its scheduling and its first token. Then, by Gauss-Newton on
log f with soft absolute residuals,

    minimise  sum rho(log(A f / (last - first)) / s) + sum (log f_i / sigma_i)^2 / 2,     rho(r) = sqrt(1 + r^2) - 1

which is smooth: terms that only differ by how loaded the engine was are told apart, the others keep to their priors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.serving.engine.terms import CHUNK_STRIDE, TERMS, StepTerms
from gigawatt.study.serve.request_log import RequestLog

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DECODE_SIGMA = (
    0.02  # of the logarithm of a request's time from first to last token: what the sums above leave out (assumed)
)
LEAST_TOKENS = 8  # answers shorter than this have too few steps to say how long one takes
SAME_STEP = 0.25  # of a step: first tokens no farther apart are of one
ROUNDS = 12


def seconds_by_term(log: RequestLog, terms: StepTerms, token_budget: int) -> Floats:
    """(requests, terms): seconds of each term over the steps between a request's first and last token, at factor 1."""
    first, last = log.first_token_s, log.finish_s
    prompt = log.input_tokens.astype(np.float64)
    taken = (log.output_tokens - 1.0) / terms.tokens_per_step  # steps
    pace = taken / np.maximum(last - first, 1e-9)
    rate = pace * terms.tokens_per_step
    edges = np.unique(np.concatenate([first, last]))
    begin, end = np.searchsorted(edges, first), np.searchsorted(edges, last)

    def over_time(values: Floats) -> Floats:
        """The sum of `values` over those who decode, between each pair of edges."""
        change = np.zeros(len(edges))
        np.add.at(change, begin, values)
        np.add.at(change, end, -values)
        return np.cumsum(change)[:-1]

    middle, lasting = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
    decoding = np.rint(over_time(np.ones(len(log)))).astype(np.intp)
    batch = np.clip(decoding, 0, terms.decode_s.shape[1] - 1)
    context = np.maximum(over_time(prompt - rate * first) + over_time(rate) * middle, 0.0)
    steps = over_time(pace) / np.maximum(decoding, 1) * lasting
    passed = np.concatenate([[0.0], np.cumsum(steps)])
    spent = (terms.decode_s[:, batch] + terms.token_s[:, batch] * context) * steps
    total = np.concatenate([np.zeros((len(TERMS), 1)), np.cumsum(spent, axis=1)], axis=1)
    # Rates are means over those who decode; each request's own steps are counted.
    own = taken / np.maximum(passed[end] - passed[begin], 1e-9)
    decode = (total[:, end] - total[:, begin]) * own
    return np.asarray((decode + _prompts_between(log, terms, token_budget)).T)


def _prompts_between(log: RequestLog, terms: StepTerms, token_budget: int) -> Floats:
    """(terms, requests): prompts' seconds between each request's first and last token."""
    first = log.first_token_s
    # Where scheduling is not logged, a prompt takes the step before its first token.
    before = first - float(np.nanmedian(log.tpot_s))
    start = np.minimum(np.where(np.isfinite(log.scheduled_s), log.scheduled_s, before), first - 1e-6)
    work = prompt_seconds(terms, log, token_budget)
    times = np.concatenate([start, first])
    order = np.argsort(times, kind="stable")
    pace = work / (first - start)
    slope = np.cumsum(np.concatenate([pace, -pace], axis=1)[:, order], axis=1)
    at = times[order]
    done = np.concatenate([np.zeros((len(TERMS), 1)), np.cumsum(slope[:, :-1] * np.diff(at), axis=1)], axis=1)
    return np.array([np.interp(log.finish_s, at, one) - np.interp(first, at, one) for one in done])


def prompt_seconds(terms: StepTerms, log: RequestLog, token_budget: int) -> Floats:
    """(terms, requests): what each prompt adds to the steps it enters, those that end in one step by their tokens.

    Prompts with the same moment of their first token shared a step, or as many full ones as their tokens fill.
    """
    cached, first = log.cached_tokens.astype(np.float64), log.first_token_s
    tokens = log.input_tokens - cached  # that are worked out
    order = np.argsort(first, kind="stable")
    apart = np.diff(first[order]) > SAME_STEP * float(np.nanmedian(log.tpot_s))
    group = np.empty(len(log), dtype=np.intp)
    group[order] = np.concatenate([[0], np.cumsum(apart)])
    together = np.bincount(group, weights=tokens)
    steps = np.maximum(np.rint(together / token_budget), 1.0)
    size = np.arange(terms.chunk_s.shape[1]) * float(CHUNK_STRIDE)
    each = together / steps
    beyond = np.maximum(each - size[-1], 0.0)
    chunks = np.array(
        [
            steps * (np.interp(each, size, table) + beyond * (table[-1] - table[-2]) / CHUNK_STRIDE)
            for table in terms.chunk_s
        ]
    )
    return np.asarray(
        (chunks / together)[:, group] * tokens + terms.pair_s[:, None] * tokens * (0.5 * (tokens + 1.0) + cached)
    )


def fit_terms(
    log: RequestLog, terms: StepTerms, rows: Bools, prior_sigma: Floats, token_budget: int
) -> tuple[Floats, Floats]:
    """Log-factors of least cost over the requests marked, and their sigma from the curvature."""
    use = rows & (log.output_tokens >= LEAST_TOKENS)
    parts = seconds_by_term(log, terms, token_budget)[use]
    seen = (log.finish_s - log.first_token_s)[use]
    prior = prior_sigma**-2.0
    theta = np.zeros(len(TERMS))
    curvature = np.diag(prior)
    for _ in range(ROUNDS):
        each = parts * np.exp(theta)
        whole = each.sum(axis=1)
        off = np.log(whole / seen) / DECODE_SIGMA
        weight = 1.0 / np.sqrt(1.0 + off * off)
        slope = each / whole[:, None] / DECODE_SIGMA
        curvature = (slope * weight[:, None]).T @ slope + np.diag(prior)
        move = np.linalg.solve(curvature, (slope * weight[:, None]).T @ off + theta * prior)
        theta = theta - np.clip(move, -1.0, 1.0)
        if float(np.abs(move).max()) < 1e-6:
            break
    return theta, np.sqrt(np.diag(np.linalg.inv(curvature)))

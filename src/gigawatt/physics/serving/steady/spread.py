"""How the times of single requests spread about their means, in a steady state of either kind.

    TTFT = fixed + U + S + W + Q
        U   until the engine looks for new requests: even over 0 .. 2 x its mean
        S   the prompt's own pass: lognormal with the prompts' coefficient of variation, of the same mean
        W   for prompts ahead: 0 for a share 1 - rho, else two exponential phases with the mean and the variance that M/G/1 has
            (Takacs' moments; exact for M/M/1, within 3 % of M/D/1's p99)
        Q   for a place: 0 for those who find one, else exponential
    TPOT = lognormal of the mean and
        var = (TPOT e sd B / B)^2 0.7  +  (stall sd N / output)^2
        B   the batch that a request decodes in, averaged over its own stay (0.67 of the variance is left for answers of one
            length, 0.74 for exponential ones); N the prompts that enter meanwhile, Poisson in an open loop
    ITL  = step + N prompts' (or chunks') time, N Poisson at the rate they enter per step, as many as a step takes

`share_within` is the distribution function in closed form over U, W and Q; S is taken at nodes of equal probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from gigawatt.physics.serving.engine.deployment import Deployment
from gigawatt.physics.serving.engine.model import Floats
from gigawatt.physics.serving.engine.scheduling import BUDGET_TOKENS
from gigawatt.physics.serving.engine.step import chunks
from gigawatt.physics.serving.steady.aggregated import Load, SteadyState, setting
from gigawatt.physics.serving.steady.open_loop import OpenLoop, slowing

NODES = 25
HALVINGS = 34
LEAST_VARIATION = 0.505  # of a wait in two phases: at 0.5 both are alike
LEFT = 0.7  # of the variance of the batch, over a request's own stay in it
MOST_PROMPTS = 64  # that one step is worked out for


@dataclass(frozen=True, slots=True)
class Spread:
    """Columns: what a request's times are made of, s. `*_share` wait at all, `*_s` is the mean over all requests.

    `chunk_s` is what one entering chunk adds to a step, `entering` the mean number of them in one, `most` that fit.
    """

    fixed_s: Floats
    poll_s: Floats
    prefill_s: Floats
    prompt_cv: Floats
    wait_s: Floats
    wait_share: Floats
    place_s: Floats
    place_share: Floats
    tpot_s: Floats
    tpot_sd_s: Floats
    step_s: Floats
    chunk_s: Floats
    entering: Floats
    most: Floats


def open_spread(d: Deployment, load: Load, state: OpenLoop) -> Spread:
    """Of an open loop; NaN where it is not stable."""
    at = setting(d, load)
    stay = at.output * state.tpot_s
    batch = state.tpot_s * state.slowing * state.decoding_sd / np.maximum(state.decoding, 1e-12) * np.sqrt(LEFT)
    entered = state.requests_per_s * stay * (1.0 + load.input_cv**2)
    stall = d.rates["stall_share"] * state.each_s * np.sqrt(entered) / at.output
    return Spread(
        fixed_s=state.api_s,
        poll_s=state.enter_s - state.prefill_s,
        prefill_s=state.prefill_s,
        prompt_cv=load.input_cv + 0.0 * state.ttft_s,
        wait_s=state.prompt_wait_s,
        wait_share=state.wait_share,
        place_s=state.place_wait_s,
        place_share=state.place_share,
        tpot_s=state.tpot_s,
        tpot_sd_s=np.hypot(batch, stall),
        step_s=state.step_s,
        **_mixed(d, load, state.requests_per_s, state.tpot_s, state.each_s),
    )


def closed_spread(d: Deployment, load: Load, state: SteadyState) -> Spread:
    """Of a closed loop: no start burst, and those who wait for a place wait alike (each for its turn)."""
    at = setting(d, load)
    admitted = np.minimum(np.minimum(load.concurrency, np.maximum(state.max_requests, 1.0)), load.max_batch)
    users = np.maximum(admitted, 1.0)
    decode_share = np.clip(state.decoding / users, 0.0, 1.0)
    # Of the other users each enters about once a cycle: a binomial number, no Poisson one.
    entered = (users - 1.0) * decode_share * (1.0 - decode_share + load.input_cv**2)
    spread = np.sqrt((users - 1.0) * decode_share * (1.0 - decode_share)) / np.maximum(state.decoding, 1e-12)
    spread = spread * slowing(d, load, state.decoding, at.context, state.step_s)
    stall = d.rates["stall_share"] * state.each_s * np.sqrt(np.maximum(entered, 0.0)) / at.output
    none = np.zeros_like(state.ttft_s)
    return Spread(
        fixed_s=at.api_s + state.queue_s,
        poll_s=state.enter_s - state.prefill_s,
        prefill_s=state.prefill_s,
        prompt_cv=load.input_cv + none,
        wait_s=state.wait_s,
        wait_share=state.prefill_load,
        place_s=none,
        place_share=none,
        tpot_s=state.tpot_s,
        tpot_sd_s=np.hypot(state.tpot_s * spread * np.sqrt(LEFT), stall),
        step_s=state.step_s,
        **_mixed(d, load, state.requests_per_s, state.tpot_s, state.each_s),
    )


def _mixed(d: Deployment, load: Load, rate: Floats, tpot_s: Floats, busy_s: Floats) -> dict[str, Floats]:
    """Chunks that enter a step, what each adds, and how many fit."""
    fresh = np.maximum(load.input_tokens - load.cached_tokens, 1.0)
    parts = chunks(d, fresh)
    budget = np.where(np.isfinite(d.token_budget), d.token_budget, BUDGET_TOKENS)
    return {
        "chunk_s": d.rates["stall_share"] * busy_s / parts,
        "entering": rate * parts * tpot_s * d.yields,
        "most": np.maximum(np.floor(budget / (fresh / parts) + 1e-9), 1.0) + 0.0 * rate,
    }


def ttft_share_within(s: Spread, seconds: Floats) -> Floats:
    """Share of requests whose first token comes within `seconds`."""
    beyond = seconds - s.fixed_s
    if not np.any(s.prompt_cv > 0):
        return _within(s, beyond - s.prefill_s)
    spread = np.sqrt(np.log1p(s.prompt_cv**2))
    scores = ndtri((np.arange(NODES) + 0.5) / NODES)
    sizes = np.exp(np.multiply.outer(scores, spread) - 0.5 * spread**2)
    sizes = sizes / sizes.mean(axis=0)  # nodes leave out a little of the tail: the mean stays the mean
    return np.asarray(_within(s, beyond - s.prefill_s * sizes).mean(axis=0))


def wait_variation(rho: Floats, prompt_cv: Floats) -> Floats:
    """Squared coefficient of variation of the wait of those who wait, M/G/1 with lognormal service.

    E[W^2 | W > 0] / E[W | W > 0]^2 = 2 rho + 4/3 (1 - rho) k3 / k2^2,  k the service's moments over powers of its mean.

    >>> wait_variation(np.array([0.4]), np.array([0.0])).round(2).tolist()
    [0.6]
    """
    second = 1.0 + prompt_cv**2
    return 2.0 * rho + 4.0 / 3.0 * (1.0 - rho) * second - 1.0


def phases(mean: Floats, variation: Floats) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """(weight, rate) of two exponential tails whose sum is that of a time of this mean and squared variation.

    Two phases one after the other where it is below 1 (one weight is then negative), one of two where it is above.
    """
    steady = np.clip(variation, LEAST_VARIATION, 1.0 - 1e-4)
    half = 0.5 * np.sqrt(2.0 * steady - 1.0)
    long, short = mean * (0.5 + half), mean * (0.5 - half)
    wild = np.maximum(variation, 1.0)
    often = 0.5 * (1.0 + np.sqrt((wild - 1.0) / (wild + 1.0)))
    apart = variation > 1.0
    weights = np.where(apart, often, long / (long - short)), np.where(apart, 1.0 - often, -short / (long - short))
    rates = np.where(apart, 2.0 * often / mean, 1.0 / long), np.where(apart, 2.0 * (1.0 - often) / mean, 1.0 / short)
    return (weights[0], rates[0]), (weights[1], rates[1])


def _within(s: Spread, left: Floats) -> Floats:
    """P(U + W + Q <= left): the two waits' tail is a sum of exponentials, which the even wait averages."""
    p, q = np.clip(s.wait_share, 0.0, 1.0), np.clip(s.place_share, 0.0, 1.0)
    b = np.maximum(q / np.maximum(s.place_s, 1e-15), 1e-9)
    wide = np.maximum(2.0 * s.poll_s, 1e-9)
    covered = np.clip(left, 0.0, wide)
    late, early = np.maximum(left - covered, 0.0), np.maximum(left, 0.0)

    def tail(weight: Floats, rate: Floats) -> Floats:
        met: Floats = np.exp(-np.minimum(rate * late, 700.0)) - np.exp(-np.minimum(rate * early, 700.0))
        return weight / rate * met

    within = covered - tail(q * (1.0 - p), b)
    mean = np.maximum(s.wait_s / np.maximum(p, 1e-12), 1e-12)
    for weight, rate in phases(mean, wait_variation(p, s.prompt_cv)):
        a = np.where(np.abs(rate - b) < 1e-6 * b, b * (1.0 + 1e-6), rate)
        both = p * weight * q / (a - b)
        within = within - tail(p * weight * (1.0 - q) - both * b, a) - tail(both * a, b)
    return np.asarray(np.clip(np.where(left > 0.0, within / wide, 0.0), 0.0, 1.0))


def ttft_quantile(s: Spread, share: float) -> Floats:
    """Time to first token that `share` of the requests meet, by halving."""
    low = s.fixed_s + 0.0 * s.prefill_s
    mean = (
        s.poll_s + s.prefill_s + s.wait_s / np.maximum(s.wait_share, 1e-6) + s.place_s / np.maximum(s.place_share, 1e-6)
    )
    # Of an exponential one in 1 - share lies beyond mean x ln; the lognormal's own quantile bounds the prompts.
    reach = (2.0 - np.log(1.0 - share)) * np.maximum(wait_variation(s.wait_share, s.prompt_cv), 1.0)
    wide = np.sqrt(np.log1p(s.prompt_cv**2))
    high = low + 2.0 * s.poll_s + mean * reach + s.prefill_s * np.exp(3.5 * wide)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        enough = ttft_share_within(s, middle) >= share
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.asarray(np.where(np.isfinite(s.tpot_s), high, np.nan))


def tpot_share_within(s: Spread, seconds: Floats) -> Floats:
    """Share of requests whose mean time between tokens is within `seconds`."""
    wide = np.sqrt(np.log1p((s.tpot_sd_s / s.tpot_s) ** 2))
    score = (np.log(np.maximum(seconds, 1e-12) / s.tpot_s) + 0.5 * wide**2) / np.maximum(wide, 1e-9)
    return np.asarray(ndtr(score))


def tpot_quantile(s: Spread, share: float) -> Floats:
    """Mean time between tokens that `share` of the requests meet."""
    wide = np.sqrt(np.log1p((s.tpot_sd_s / s.tpot_s) ** 2))
    return np.asarray(s.tpot_s * np.exp(float(ndtri(share)) * wide - 0.5 * wide**2))


def itl_quantile(s: Spread, share: float) -> Floats:
    """Time between two steps that `share` of the steps meet: decoding alone, or with the prompts that enter."""
    chance = np.exp(-s.entering)
    reached, count = chance, np.zeros_like(s.entering)
    for n in range(1, MOST_PROMPTS + 1):
        count = np.where(reached < share, np.minimum(float(n), s.most), count)
        chance = chance * s.entering / n
        reached = reached + chance
    return np.asarray(s.step_s + count * s.chunk_s)

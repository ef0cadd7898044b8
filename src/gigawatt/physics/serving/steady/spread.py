"""How the times of single requests spread about their means, in a steady state of either kind.

    TTFT = fixed + U + S + W + Q
        U   until the scheduler lets prompts in again: even over 0 .. 2 x its mean
        S   the prompt's own pass: lognormal with the prompts' coefficient of variation, of the same mean
        W   for prompts ahead: 0 for a share 1 - rho, else two exponential phases with the mean and the variance that M/G/1 has
            (Takacs' moments; exact for M/M/1, within 3 % of M/D/1's p99)
        Q   for a place: 0 for those who find one, else exponential
    TPOT = shifted gamma (Pearson III, Wilson and Hilferty's approximation) of its first three moments, those of
        B   the batch that a request decodes in, averaged over its own stay: 0.7 of (TPOT e sd B / B)^2 is left (0.67 for
            answers of one length, 0.74 for exponential ones), with the skew of a Poisson number
        N   the prompts that enter meanwhile, whose stalls lengthen the stay in which more enter: a delay cycle of M/G/1,
            var = m t^2 k2/(1 - rho)^2,  third = m t^3 (k3/(1 - rho)^3 + 3 rho k2^2/(1 - rho)^4),  m of them in the mean
        Short answers average over fewer tokens: variances are those of the mean length times 1 + co^2 (lognormal lengths)
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

NODES = 21
ROUNDS = 18
LEAST_VARIATION = 0.505  # of a wait in two phases: at 0.5 both are alike
LEFT = 0.7  # of the variance of the batch, over a request's own stay in it
MOST_SKEW = 3.0
MOST_PROMPTS = 64  # that one step is worked out for


@dataclass(frozen=True, slots=True)
class Spread:
    """Columns: what a request's times are made of, s. `*_share` wait at all, `*_s` is the mean over all requests.

    `chunk_s` is what one entering chunk adds to a step, `entering` the mean number of them in one, `most` that fit.
    """

    fixed_s: Floats
    held_s: Floats
    prefill_s: Floats
    prompt_cv: Floats
    wait_s: Floats
    wait_share: Floats
    wait_variation: Floats
    place_s: Floats
    place_share: Floats
    tpot_s: Floats
    tpot_sd_s: Floats
    tpot_skew: Floats
    step_s: Floats
    chunk_s: Floats
    entering: Floats
    most: Floats


def open_spread(d: Deployment, load: Load, state: OpenLoop) -> Spread:
    """Of an open loop; NaN where it is not stable."""
    at = setting(d, load)
    stay = at.output * state.tpot_s
    batch = state.tpot_s * state.slowing * state.decoding_sd / np.maximum(state.decoding, 1e-12) * np.sqrt(LEFT)
    left = np.maximum(1.0 - state.requests_per_s * state.each_s, 0.02)
    entered, second = state.requests_per_s * stay, 1.0 + load.input_cv**2
    shorter = 1.0 + load.output_cv**2
    variance = entered * second * shorter / left**2
    third = entered * shorter**2 * (second**3 / left**3 + 3.0 * (1.0 - left) * second**2 / left**4)
    one = state.each_s / at.output
    return Spread(
        fixed_s=state.api_s + state.enter_s - state.held_s - state.prefill_s,
        held_s=state.held_s,
        prefill_s=state.prefill_s,
        prompt_cv=load.input_cv + 0.0 * state.ttft_s,
        wait_s=state.prompt_wait_s,
        wait_share=state.wait_share,
        wait_variation=wait_variation(state.wait_share, load.input_cv),
        place_s=state.place_wait_s,
        place_share=state.place_share,
        tpot_s=state.tpot_s,
        **_joined(state.decoding, batch, one * np.sqrt(variance), one**3 * third),
        step_s=state.step_s,
        **_mixed(d, load, state.requests_per_s, state.tpot_s, state.each_s),
    )


def _joined(decoding: Floats, batch_s: Floats, stall_s: Floats, third: Floats) -> dict[str, Floats]:
    """Standard deviation and skew of the batch's part and the stalls' together: the same arrivals make both."""
    sd = batch_s + stall_s
    whole = (np.cbrt(third) + batch_s * np.maximum(decoding, 1e-12) ** (-1.0 / 6.0)) ** 3
    return {"tpot_sd_s": sd, "tpot_skew": np.minimum(whole / np.maximum(sd, 1e-15) ** 3, MOST_SKEW)}


def closed_spread(d: Deployment, load: Load, state: SteadyState) -> Spread:
    """Of a closed loop: no start burst, and those who wait for a place wait alike (each for its turn)."""
    at = setting(d, load)
    admitted = np.minimum(np.minimum(load.concurrency, np.maximum(state.max_requests, 1.0)), load.max_batch)
    users = np.maximum(admitted, 1.0)
    decode_share = np.clip(state.decoding / users, 0.0, 1.0)
    # Of the other users each enters about once a cycle: a binomial number, a Poisson one where answers' lengths differ.
    even = decode_share * (1.0 - np.minimum(load.output_cv**2, 1.0))
    entered = (users - 1.0) * decode_share * (1.0 - even + load.input_cv**2) * (1.0 + load.output_cv**2)
    spread = np.sqrt((users - 1.0) * decode_share * (1.0 - decode_share)) / np.maximum(state.decoding, 1e-12)
    spread = spread * slowing(d, load, state.decoding, at.context)
    one = d.rates["stall_share"] * state.each_s / at.output
    batch = state.tpot_s * spread * np.sqrt(LEFT)
    none = np.zeros_like(state.ttft_s)
    return Spread(
        fixed_s=at.api_s + state.queue_s + state.enter_s - state.held_s - state.prefill_s,
        held_s=state.held_s,
        prefill_s=state.prefill_s,
        prompt_cv=load.input_cv + none,
        wait_s=state.wait_s,
        wait_share=state.prefill_load,
        # While a prompt is passed no answer ends, so no user asks again: few prompts are ahead of one, and never many.
        wait_variation=none + LEAST_VARIATION,
        place_s=none,
        place_share=none,
        tpot_s=state.tpot_s,
        **_joined(state.decoding, batch, one * np.sqrt(entered), one**3 * entered),
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
    wide = np.maximum(2.0 * s.held_s, 1e-9)
    covered = np.clip(left, 0.0, wide)
    late, early = np.maximum(left - covered, 0.0), np.maximum(left, 0.0)

    def tail(weight: Floats, rate: Floats) -> Floats:
        met: Floats = np.exp(-np.minimum(rate * late, 700.0)) - np.exp(-np.minimum(rate * early, 700.0))
        return weight / rate * met

    within = covered - tail(q * (1.0 - p), b)
    mean = np.maximum(s.wait_s / np.maximum(p, 1e-12), 1e-12)
    for weight, rate in phases(mean, s.wait_variation):
        a = np.where(np.abs(rate - b) < 1e-6 * b, b * (1.0 + 1e-6), rate)
        both = p * weight * q / (a - b)
        within = within - tail(p * weight * (1.0 - q) - both * b, a) - tail(both * a, b)
    return np.asarray(np.clip(np.where(left > 0.0, within / wide, 0.0), 0.0, 1.0))


def ttft_quantile(s: Spread, share: float) -> Floats:
    """Time to first token that `share` of the requests meet: the root of the logarithm of who is later, which is nearly

    straight in an exponential tail, by false position (Illinois) within bounds of the parts' own quantiles.
    """
    late = (2.0 - np.log(1.0 - share)) * np.maximum(s.wait_variation, 1.0)
    waits = s.wait_s / np.maximum(s.wait_share, 1e-6) + s.place_s / np.maximum(s.place_share, 1e-6)
    wide = np.sqrt(np.log1p(s.prompt_cv**2))
    low = s.fixed_s + s.prefill_s * np.exp(-4.0 * wide)
    high = s.fixed_s + s.prefill_s * np.exp(3.5 * wide) * (1.0 + 1e-9) + 2.0 * s.held_s + waits * late

    def later(seconds: Floats) -> Floats:
        return np.log((1.0 - share) / np.maximum(1.0 - ttft_share_within(s, seconds), 1e-12))

    f_low, f_high = np.full_like(low, np.log(1.0 - share)), np.maximum(later(high), 1e-12)
    for step in range(ROUNDS):
        # Every third step halves: where a prompt's own time sets the quantile the share jumps.
        at = 0.5 * (low + high) if step % 3 == 2 else low - f_low * (high - low) / (f_high - f_low)
        f = later(at)
        over = f >= 0
        f_low, f_high = np.where(over, 0.5 * f_low, f), np.where(over, np.maximum(f, 1e-12), 0.5 * f_high)
        low, high = np.where(over, low, at), np.where(over, at, high)
    return np.asarray(np.where(np.isfinite(s.tpot_s), high, np.nan))


def tpot_share_within(s: Spread, seconds: Floats) -> Floats:
    """Share of requests whose mean time between tokens is within `seconds`."""
    skew = np.maximum(s.tpot_skew, 1e-6)
    away = (seconds - s.tpot_s) / np.maximum(s.tpot_sd_s, 1e-9 * s.tpot_s)
    cube = np.cbrt(np.maximum(1.0 + 0.5 * skew * np.clip(away, -1e6, 1e6), 0.0))
    return np.asarray(ndtr(6.0 / skew * (cube - 1.0) + skew / 6.0))


def tpot_quantile(s: Spread, share: float) -> Floats:
    """Mean time between tokens that `share` of the requests meet."""
    skew = np.maximum(s.tpot_skew, 1e-6)
    cube = np.maximum(1.0 + skew / 6.0 * (float(ndtri(share)) - skew / 6.0), 0.0) ** 3
    return np.asarray(s.tpot_s + np.maximum(s.tpot_sd_s, 1e-9 * s.tpot_s) * 2.0 / skew * (cube - 1.0))


def itl_quantile(s: Spread, share: float) -> Floats:
    """Time between two steps that `share` of the steps meet: decoding alone, or with the prompts that enter."""
    chance = np.exp(-s.entering)
    reached, count = chance, np.zeros_like(s.entering)
    for n in range(1, MOST_PROMPTS + 1):
        count = np.where(reached < share, np.minimum(float(n), s.most), count)
        chance = chance * s.entering / n
        reached = reached + chance
    return np.asarray(s.step_s + count * s.chunk_s)

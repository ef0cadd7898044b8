"""When requests come and how long they are: seeded generators. The same seed gives the same bytes.

Arrival processes, all at a mean rate r (requests/s), as sorted times from zero:

    Poisson    gaps exponential: gap CV 1, variance of counts over their mean (index of dispersion) 1
    Gamma      independent gaps of coefficient of variation c: the index of dispersion of long windows tends to c^2
    On-off     a Poisson process whose rate jumps between two levels, each held for exponential times (a two-state MMPP):
               dispersion tends to 1 + 2 (l1-l2)^2 q1 q2 / ((q1+q2)^2 (l1 q2 + l2 q1)), l levels, q rates of leaving them
    Diurnal    a Poisson process whose rate follows the day, by thinning one at the peak's rate

Streams of a seed are apart: times, lengths and sessions do not repeat one another's numbers.

Sources: W. Fischer and K. Meier-Hellstern, "The Markov-modulated Poisson process (MMPP) cookbook", Performance
Evaluation 18 (1993), for the dispersion; P. Lewis and G. Shedler, Naval Research Logistics Quarterly 26 (1979), for
thinning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.serving.events.requests import Requests

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY_S = 86_400.0
# Streams of a seed.
TIMES, INPUTS, OUTPUTS, TURNS, PAUSES, PROMPTS = range(6)


@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent arrivals: gaps are exponential."""


@dataclass(frozen=True, slots=True)
class Gamma:
    """Independent gaps, Gamma of coefficient of variation `gap_cv` (1 is Poisson; above it, clumps; near 0, a metronome)."""

    gap_cv: float


@dataclass(frozen=True, slots=True)
class OnOff:
    """Bursts: `on_s` seconds at a high rate, `off_s` at `quiet` times it (means; both exponential). The mean rate is kept."""

    on_s: float
    off_s: float
    quiet: float = 0.0


@dataclass(frozen=True, slots=True)
class Diurnal:
    """The rate follows the time of day: a sine with `peak_to_mean` (1 to 2), or `profile`, weights of equal parts of a period.

    A profile of 24 values is one of hours; its mean need not be 1. The sine is at its mean, rising, at time zero.
    """

    peak_to_mean: float = 1.0
    profile: tuple[float, ...] = ()
    period_s: float = DAY_S


Process = Poisson | Gamma | OnOff | Diurnal


@dataclass(frozen=True, slots=True)
class Lengths:
    """How a length in tokens is drawn: `cv` 0 is fixed at `mean`, else lognormal, rounded and clipped to [low, high].

    `mean` and `cv` are those before clipping.
    """

    mean: float
    cv: float = 0.0
    low: int = 1
    high: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Pairs:
    """Lengths drawn with replacement from pairs that were seen, so that long prompts keep their answers."""

    input_tokens: Ints
    output_tokens: Ints


@dataclass(frozen=True, slots=True)
class Sessions:
    """Conversations whose context grows: each turn's prompt is the system prompt, all turns before, and a new message.

    Turns are geometric of mean `turns`. Between an arrival and the next of its session lie the answer, at
    `token_s` a token, and a pause, exponential of mean `pause_s`. Each session has one of `system_prompts` prompts
    of `system_tokens` tokens, the i-th most used with weight i^-`skew`. `context` is the longest prompt and answer
    together: a session that would pass it ends.
    """

    turns: float
    pause_s: float
    token_s: float = 0.03
    system_tokens: int = 0
    system_prompts: int = 1
    skew: float = 1.0
    context: int = 1 << 20
    block_tokens: int = 16


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Requests as columns, sorted by `arrival_s`. `session` is -1 where a request belongs to none.

    The prompt of request i holds the full blocks `block_hash[block_start[i]:block_start[i+1]]` of `block_tokens` tokens: equal
    numbers at equal places mean the same tokens from the prompt's start up to there. Without blocks nothing is shared.
    """

    arrival_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    session: Ints
    block_start: Ints
    block_hash: Ints
    block_tokens: int

    def __len__(self) -> int:
        return len(self.arrival_s)

    def requests(self) -> Requests:
        """The same as the simulation takes them."""
        return Requests.of(
            self.arrival_s,
            self.input_tokens,
            self.output_tokens,
            session=self.session,
            hash_from=self.block_start,
            hashes=self.block_hash,
            block_tokens=self.block_tokens,
        )


def stream(seed: int, which: int) -> np.random.Generator:
    """The generator of one stream of a seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, which])))


def arrival_times(process: Process, rate_per_s: float, count: int, seed: int = 0) -> Floats:
    """The first `count` arrivals of `process` at a mean of `rate_per_s`, s, sorted.

    Raises:
        ValueError: a rate, count or shape that no process has; the message says which.
    """
    if not (rate_per_s > 0.0 and np.isfinite(rate_per_s)):
        raise ValueError(f"an arrival rate is above zero, not {rate_per_s}")
    if count < 0:
        raise ValueError(f"a count of requests is not negative: {count}")
    rng = stream(seed, TIMES)
    match process:
        case Poisson():
            return np.cumsum(rng.exponential(1.0 / rate_per_s, count))
        case Gamma(gap_cv):
            if not gap_cv > 0.0:
                raise ValueError(f"the CV of gaps is above zero, not {gap_cv}")
            shape = gap_cv**-2
            return np.cumsum(rng.gamma(shape, 1.0 / (shape * rate_per_s), count))
        case OnOff():
            return _on_off(process, rate_per_s, count, rng)
        case Diurnal():
            return _diurnal(process, rate_per_s, count, rng)


def dispersion(process: Process, rate_per_s: float) -> float:
    """Variance over mean of the counts in long windows (within a period, for `Diurnal`, that of its Poisson process)."""
    match process:
        case Gamma(gap_cv):
            return gap_cv**2
        case OnOff(on_s, off_s):
            high, low = _levels(process, rate_per_s)
            leave_on, leave_off = 1.0 / on_s, 1.0 / off_s
            both = leave_on + leave_off
            return 1.0 + 2.0 * (high - low) ** 2 * leave_on * leave_off / (
                both**2 * (high * leave_off + low * leave_on)
            )
        case _:
            return 1.0


def _levels(process: OnOff, rate_per_s: float) -> tuple[float, float]:
    """Rates while on and while off whose mean over time is `rate_per_s`."""
    if not (process.on_s > 0.0 and process.off_s > 0.0 and 0.0 <= process.quiet <= 1.0):
        raise ValueError("bursts need on_s and off_s above zero and quiet between 0 and 1")
    on = process.on_s / (process.on_s + process.off_s)
    high = rate_per_s / (on + process.quiet * (1.0 - on))
    return high, process.quiet * high


def _on_off(process: OnOff, rate_per_s: float, count: int, rng: np.random.Generator) -> Floats:
    """Poisson arrivals of rate one, put where the integral of the rate reaches them.

    Time zero is on with the share of time that is on, and a period's rest is as long as a period (they are exponential), so
    the process is stationary from the start.
    """
    means, levels = np.array([process.on_s, process.off_s]), np.array(_levels(process, rate_per_s))
    if rng.random() >= means[0] / means.sum():
        means, levels = means[::-1], levels[::-1]
    wanted = np.cumsum(rng.exponential(1.0, count))
    last = float(wanted[-1]) if count else 0.0
    lot = int(last / (rate_per_s * means.sum())) + 16  # pairs of periods that hold, on average, all that is wanted
    times, masses = [np.zeros(1)], [np.zeros(1)]
    while masses[-1][-1] < last:
        lasting = (rng.exponential(1.0, (lot, 2)) * means).ravel()
        times.append(times[-1][-1] + np.cumsum(lasting))
        masses.append(masses[-1][-1] + np.cumsum(lasting * np.tile(levels, lot)))
    time, mass = np.concatenate(times), np.concatenate(masses)
    piece = (
        np.searchsorted(mass, wanted, side="left") - 1
    )  # of a flat piece only the end can be reached, by the one before
    return time[piece] + (wanted - mass[piece]) * (np.diff(time)[piece] / np.diff(mass)[piece])


def relative_rate(process: Diurnal, time_s: Floats) -> Floats:
    """The rate at each time over the mean rate."""
    if process.profile:
        weights = np.asarray(process.profile, dtype=np.float64)
        part = (time_s / process.period_s % 1.0 * len(weights)).astype(np.int64)
        return np.asarray(weights[np.minimum(part, len(weights) - 1)] / weights.mean())
    return np.asarray(1.0 + (process.peak_to_mean - 1.0) * np.sin(2.0 * np.pi * time_s / process.period_s))


def _diurnal(process: Diurnal, rate_per_s: float, count: int, rng: np.random.Generator) -> Floats:
    """Candidates at the peak's rate, each kept with the chance of its time's rate over the peak's."""
    weights = np.asarray(process.profile, dtype=np.float64)
    if not process.period_s > 0.0 or not 1.0 <= process.peak_to_mean <= 2.0:
        raise ValueError("a day needs a period above zero and, as a sine, a peak of 1 to 2 times its mean")
    if len(weights) and not (np.all(weights >= 0.0) and weights.sum() > 0.0):
        raise ValueError("the profile of a day has weights of zero or more, and one above zero")
    peak = float(weights.max() / weights.mean()) if len(weights) else process.peak_to_mean
    kept, found, start = [np.zeros(0)], 0, 0.0
    while found < count:
        lot = int((count - found) * peak * 1.1) + 64
        candidates = start + np.cumsum(rng.exponential(1.0 / (rate_per_s * peak), lot))
        start = float(candidates[-1])
        kept.append(candidates[rng.random(lot) * peak < relative_rate(process, candidates)])
        found += len(kept[-1])
    return np.concatenate(kept)[:count]


def draw_lengths(lengths: Lengths, count: int, rng: np.random.Generator) -> Ints:
    """`count` lengths, tokens.

    Raises:
        ValueError: a mean, spread or range that no length has.
    """
    if not (lengths.mean > 0.0 and lengths.cv >= 0.0 and 1 <= lengths.low <= lengths.high):
        raise ValueError("lengths need a mean above zero, a CV of zero or more and 1 <= low <= high")
    variance = np.log1p(lengths.cv**2)  # of the logarithm
    drawn = np.exp(np.log(lengths.mean) - variance / 2.0 + np.sqrt(variance) * rng.standard_normal(count))
    return np.asarray(np.clip(np.rint(drawn), lengths.low, lengths.high), dtype=np.int64)


def _both_lengths(lengths: tuple[Lengths, Lengths] | Pairs, count: int, seed: int) -> tuple[Ints, Ints]:
    if isinstance(lengths, Pairs):
        if not len(lengths.input_tokens):
            raise ValueError("there are no pairs of lengths to draw from")
        row = stream(seed, INPUTS).integers(0, len(lengths.input_tokens), count)
        return lengths.input_tokens[row], lengths.output_tokens[row]
    inputs, outputs = lengths
    return draw_lengths(inputs, count, stream(seed, INPUTS)), draw_lengths(outputs, count, stream(seed, OUTPUTS))


def generate(
    process: Process,
    rate_per_s: float,
    count: int,
    lengths: tuple[Lengths, Lengths] | Pairs,
    sessions: Sessions | None = None,
    seed: int = 0,
) -> Arrivals:
    """`count` requests at a mean of `rate_per_s`; with `sessions` the process is that of conversations' starts.

    `lengths` are those of prompt and answer, within a session of a turn's new message and answer.

    Raises:
        ValueError: a rate, shape, length or session that can not be.
    """
    if sessions is not None:
        return _conversations(process, rate_per_s, count, lengths, sessions, seed)
    inputs, outputs = _both_lengths(lengths, count, seed)
    return Arrivals(
        arrival_s=arrival_times(process, rate_per_s, count, seed),
        input_tokens=inputs,
        output_tokens=outputs,
        session=np.full(count, -1, dtype=np.int64),
        block_start=np.zeros(count + 1, dtype=np.int64),
        block_hash=np.zeros(0, dtype=np.int64),
        block_tokens=1,
    )


def _conversations(
    process: Process,
    rate_per_s: float,
    count: int,
    lengths: tuple[Lengths, Lengths] | Pairs,
    sessions: Sessions,
    seed: int,
) -> Arrivals:
    """Turns of sessions that began long enough ago for the mix of first and later turns to be the steady one."""
    if not (sessions.turns >= 1.0 and sessions.pause_s >= 0.0 and sessions.token_s >= 0.0):
        raise ValueError("sessions need a mean of one turn or more, and no negative pause or time per token")
    if not (
        0 <= sessions.system_tokens < sessions.context and sessions.system_prompts >= 1 and sessions.block_tokens >= 1
    ):
        raise ValueError("a system prompt is shorter than the context; prompts and tokens of a block count from one")
    starts = int(count / sessions.turns) + 64
    while True:
        turns = _turns(starts, lengths, sessions, seed)
        if not len(turns.session):
            raise ValueError(f"no first turn fits in a context of {sessions.context} tokens")
        begun = arrival_times(process, rate_per_s * starts / len(turns.session), starts, seed)
        at = begun[turns.session] + turns.since_s
        # Before the longest session has had its time old sessions are missing, after the last start new ones are.
        warm_s = float(turns.since_s.max())
        if isinstance(process, Diurnal):
            warm_s = float(np.ceil(warm_s / process.period_s)) * process.period_s
        steady = np.flatnonzero((at >= warm_s) & (at <= begun[-1]))
        if len(steady) >= count:
            break
        starts *= 2
    rows = steady[np.argsort(at[steady], kind="stable")[:count]]
    block_start, block_hash = _blocks(turns, rows, starts, sessions, seed)
    return Arrivals(
        arrival_s=at[rows] - warm_s,
        input_tokens=turns.input_tokens[rows],
        output_tokens=turns.output_tokens[rows],
        session=turns.session[rows],
        block_start=block_start,
        block_hash=block_hash,
        block_tokens=sessions.block_tokens,
    )


@dataclass(frozen=True, slots=True)
class _Turns:
    """Turns of all sessions, session by session; `since_s` counts from the session's start."""

    session: Ints
    since_s: Floats
    input_tokens: Ints
    output_tokens: Ints


def _turns(starts: int, lengths: tuple[Lengths, Lengths] | Pairs, sessions: Sessions, seed: int) -> _Turns:
    many = stream(seed, TURNS).geometric(1.0 / sessions.turns, starts)
    session = np.repeat(np.arange(starts), many)
    first = np.repeat(np.cumsum(many) - many, many)
    said, answered = _both_lengths(lengths, len(session), seed)

    def before(values: Floats) -> Floats:
        """The sum over the session's turns before each."""
        total = np.concatenate([np.zeros(1), np.cumsum(values)])
        return np.asarray(total[:-1] - total[first])

    pause = stream(seed, PAUSES).exponential(sessions.pause_s, len(session))
    inputs = sessions.system_tokens + before((said + answered).astype(np.float64)).astype(np.int64) + said
    keep = inputs + answered <= sessions.context
    since = before(answered * sessions.token_s + pause)
    return _Turns(session[keep], since[keep], inputs[keep], answered[keep])


def _blocks(turns: _Turns, rows: Ints, starts: int, sessions: Sessions, seed: int) -> tuple[Ints, Ints]:
    """Numbers of the full blocks of each prompt: first those of its system prompt, then those of its session alone."""
    shared = sessions.system_tokens // sessions.block_tokens
    weights = np.arange(1, sessions.system_prompts + 1, dtype=np.float64) ** -sessions.skew
    prompt = stream(seed, PROMPTS).choice(sessions.system_prompts, starts, p=weights / weights.sum())
    most = np.zeros(starts, dtype=np.int64)
    np.maximum.at(most, turns.session, turns.input_tokens // sessions.block_tokens)
    own = sessions.system_prompts * shared + np.cumsum(most) - most

    held = turns.input_tokens[rows] // sessions.block_tokens
    start = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(held)])
    place = np.arange(start[-1]) - np.repeat(start[:-1], held)
    session = np.repeat(turns.session[rows], held)
    blocks = np.where(place < shared, prompt[session] * shared + place, own[session] + place)
    return start, blocks.astype(np.int64)

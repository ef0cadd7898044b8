"""A trace of requests as columns, what can be cut or scaled of it, and its statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, Where
from gigawatt.physics.serving.events.arrivals import Poisson, arrival_times
from gigawatt.physics.serving.events.requests import Requests

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests as columns; `arrival_s` from zero and sorted, or not known (`timed` false, times zero).

    `session` is -1 where a request belongs to none. The prompt of request i is the blocks
    `block_hash[block_start[i]:block_start[i+1]]` of `block_tokens` tokens, the last maybe part filled: equal numbers mean the
    same tokens from the prompt's start up to there. `line` is the line of `file` that the request stands on.
    """

    file: str
    format: str
    timed: bool
    arrival_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    session: Ints
    block_start: Ints
    block_hash: Ints
    block_tokens: int
    line: Ints

    def __len__(self) -> int:
        return len(self.arrival_s)

    def requests(self) -> Requests:
        """The same as the simulation takes them.

        Raises:
            InputError: the trace has no times and was given no rate.
        """
        if not self.timed:
            hint = "state a rate: requests then come as a Poisson process"
            raise InputError(Problem("no_times", "the trace says not when requests arrive", Where(self.file), (hint,)))
        return Requests.of(
            self.arrival_s,
            self.input_tokens,
            self.output_tokens,
            session=self.session,
            hash_from=self.block_start,
            hashes=self.block_hash,
            block_tokens=self.block_tokens,
        )


@dataclass(frozen=True, slots=True)
class TraceStatistics:
    """What a trace asks of a server. NaN where it has no times; shares are of what an endless prefix cache would hold."""

    rows: int
    span_s: float
    rate_per_s: float
    gap_cv: float
    input_mean: float
    input_p50: float
    input_p99: float
    output_mean: float
    output_p50: float
    output_p99: float
    sessions: int
    prefix_block_share: float
    prefix_token_share: float


def rows_of(trace: Trace, rows: Ints) -> Trace:
    """The rows named, in that order."""
    held = np.diff(trace.block_start)[rows]
    start = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(held)])
    within = np.arange(start[-1]) - np.repeat(start[:-1], held)
    return replace(
        trace,
        arrival_s=trace.arrival_s[rows],
        input_tokens=trace.input_tokens[rows],
        output_tokens=trace.output_tokens[rows],
        session=trace.session[rows],
        block_start=start,
        block_hash=trace.block_hash[np.repeat(trace.block_start[:-1][rows], held) + within],
        line=trace.line[rows],
    )


def cut(trace: Trace, window_s: tuple[float, float] | None = None, first: int | None = None) -> Trace:
    """The requests that arrive in [from, to) seconds of the trace, of these the first ones; times begin at zero again."""
    rows = np.arange(len(trace))
    if window_s is not None and trace.timed:
        rows = rows[(trace.arrival_s >= window_s[0]) & (trace.arrival_s < window_s[1])]
    if first is not None:
        rows = rows[:first]
    kept = rows_of(trace, rows)
    if not kept.timed or not len(kept):
        return kept
    return replace(kept, arrival_s=kept.arrival_s - kept.arrival_s[0])


def at_rate(trace: Trace, rate_per_s: float | None = None, factor: float = 1.0, seed: int = 0) -> Trace:
    """The same requests, faster: gaps shrink so that the mean rate is `rate_per_s`, then by `factor`.

    A trace without times gets those of a Poisson process at that rate.
    """
    if not trace.timed:
        if rate_per_s is None:
            return trace
        return replace(trace, timed=True, arrival_s=arrival_times(Poisson(), rate_per_s * factor, len(trace), seed))
    now = mean_rate(trace)
    if rate_per_s is not None and np.isfinite(now):
        factor *= rate_per_s / now
    return replace(trace, arrival_s=trace.arrival_s / factor)


def mean_rate(trace: Trace) -> float:
    """Gaps over the time they take, requests/s; NaN without times."""
    span = float(trace.arrival_s[-1] - trace.arrival_s[0]) if len(trace) > 1 else 0.0
    return (len(trace) - 1) / span if trace.timed and span > 0.0 else float("nan")


def cached_blocks(trace: Trace) -> Ints:
    """Leading blocks of each prompt that an earlier one had too: what an endless prefix cache holds of it."""
    count = len(trace.block_hash)
    if not count:
        return np.zeros(len(trace), dtype=np.int64)
    seen = np.ones(count, dtype=np.bool_)
    seen[np.unique(trace.block_hash, return_index=True)[1]] = False
    held = np.diff(trace.block_start)
    place = np.arange(count) - np.repeat(trace.block_start[:-1], held)
    # The first block not seen ends the prefix.
    miss = np.where(seen, np.repeat(held, held), place)
    out = np.zeros(len(trace), dtype=np.int64)
    some = held > 0
    out[some] = np.minimum.reduceat(miss, trace.block_start[:-1][some])
    return out


def statistics(trace: Trace) -> TraceStatistics:
    """Counts, rates and lengths of a trace.

    Gap CV is the standard deviation of the gaps between arrivals over their mean: 1 for a Poisson process.

    Raises:
        ValueError: the trace is empty.
    """
    if not len(trace):
        raise ValueError("an empty trace has no statistics")
    gaps = np.diff(trace.arrival_s)
    cached = cached_blocks(trace)
    blocks = len(trace.block_hash)
    tokens = np.minimum(cached * trace.block_tokens, trace.input_tokens)
    nan = float("nan")
    return TraceStatistics(
        rows=len(trace),
        span_s=float(trace.arrival_s[-1] - trace.arrival_s[0]) if trace.timed else nan,
        rate_per_s=mean_rate(trace),
        gap_cv=float(gaps.std() / gaps.mean()) if trace.timed and len(gaps) and gaps.mean() > 0.0 else nan,
        **_of_lengths("input", trace.input_tokens),
        **_of_lengths("output", trace.output_tokens),
        sessions=len(np.unique(trace.session[trace.session >= 0])),
        prefix_block_share=float(cached.sum() / blocks) if blocks else nan,
        prefix_token_share=float(tokens.sum() / trace.input_tokens.sum()) if blocks else nan,
    )


def _of_lengths(name: str, tokens: Ints) -> dict[str, float]:
    p50, p99 = np.percentile(tokens, [50, 99])
    return {f"{name}_mean": float(tokens.mean()), f"{name}_p50": float(p50), f"{name}_p99": float(p99)}

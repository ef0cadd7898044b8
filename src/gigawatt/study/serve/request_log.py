"""A log of served requests: when each came, was scheduled, had its first and its last token.

Columns are found by the names of vLLM's and of common benchmark clients, or named by the user:

    arrival, input, output       as in a trace (`traces`)
    cached                       tokens of the prompt found in the prefix cache; may be missing
    scheduled                    when the engine took it up; may be missing
    first, last                  times of the first and the last token, on the clock of `arrival` or on one of the engine
    ttft, tpot or latency        durations instead of those, in the unit their names end with (s, ms, us)

Times are seconds, or dates, or since 1970 in whatever unit their size says; or in the unit that the column's name ends with.

Where the engine's times are on a clock of their own, the two are set so that the request that was queued fastest took no
time to be queued; so a front end's fastest path counts as nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, Problems, Where, nearest
from gigawatt.physics.serving.events.outcome import Outcome, Timed
from gigawatt.study.serve.trace_text import Cells, dates_ns, numbers, read_cells, tell_bad, times_s, tokens, unit_of
from gigawatt.study.serve.traces import KNOWN_AS, called

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NAMES: Mapping[str, tuple[str, ...]] = {
    "arrival": KNOWN_AS["arrival"],
    "input": KNOWN_AS["input"],
    "output": KNOWN_AS["output"],
    "cached": ("cached_tokens", "num_cached_tokens", "cached_toks", "cached_input_tokens"),
    "queued": ("queued_ts", "queued_s", "queued_time", "queued_at"),
    "scheduled": ("scheduled_ts", "scheduled_s", "scheduled_time", "scheduled_at"),
    "first": ("first_token_ts", "first_token_s", "first_token_time", "first_token_at"),
    "last": ("last_token_ts", "last_token_s", "last_token_time", "finish_s", "finished_at", "end_time"),
    "ttft": ("ttft_s", "ttft_ms", "ttft", "time_to_first_token_s", "time_to_first_token_ms"),
    "tpot": ("tpot_s", "tpot_ms", "tpot"),
    "latency": ("latency_s", "latency_ms", "e2e_s", "e2e_ms", "e2e_latency_s", "e2e_latency_ms", "latency"),
}


@dataclass(frozen=True, slots=True)
class RequestLog(Timed):
    """Requests as columns, sorted by arrival; times in s, the first arrival at 0. `scheduled_s` is NaN where not logged.

    `cached_tokens` of each prompt were found in the prefix cache (0 where not logged).
    """

    file: str
    arrival_s: Floats
    scheduled_s: Floats
    first_token_s: Floats
    finish_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    cached_tokens: Ints
    clock_shift_s: float | None

    def __len__(self) -> int:
        return len(self.arrival_s)

    def later(self, first: int, shift_s: float) -> RequestLog:
        """The requests from row `first` on, with times counted from `shift_s`."""
        times = ("arrival_s", "scheduled_s", "first_token_s", "finish_s")
        lengths = ("input_tokens", "output_tokens", "cached_tokens")
        columns = {name: getattr(self, name)[first:] - shift_s for name in times}
        return replace(self, **columns, **{name: getattr(self, name)[first:] for name in lengths})


def read_log(path: Path | str, columns: Mapping[str, str] | None = None, drop_failed: bool = False) -> RequestLog:
    """Read a log; `columns` names the file's own columns by role (see `NAMES`).

    `drop_failed` leaves out requests without tokens or without the times that an answer has.

    Raises:
        InputError: with everything wrong, each at its place.
    """
    cells = read_cells(path)
    names = _columns(cells, dict(columns or {}))
    if not len(cells.frame):
        raise InputError(Problem("empty", "the log has a header and no request", Where(cells.file, 1, 1)))
    if drop_failed:
        cells = _answered(cells, names)
    problems = Problems()
    inputs, outputs = (tokens(cells, names[role], problems) for role in ("input", "output"))
    for role, values in (("input", inputs), ("output", outputs)):
        tell_bad(cells, names[role], values < 1, problems, "no tokens; a served request has at least one")
    cached = tokens(cells, names["cached"], problems) if names["cached"] else np.zeros(len(inputs), dtype=np.int64)
    if names["cached"]:
        wrong = (cached < 0) | (cached >= np.maximum(inputs, 1))
        tell_bad(cells, names["cached"], wrong, problems, "not from 0 to below the tokens of the prompt")

    dated = unit_of(cells, names["arrival"]) == "date"
    zero_ns = int(dates_ns(cells.frame[names["arrival"]])[0][0]) if dated else None

    def at(role: str) -> Floats:
        if not names[role]:
            return np.full(len(cells.frame), np.nan)
        return times_s(cells, names[role], unit_of(cells, names[role]), problems, zero_ns)

    arrival = at("arrival")
    queued, scheduled, first, last = (at(role) for role in ("queued", "scheduled", "first", "last"))
    ttft, tpot, latency = (at(role) for role in ("ttft", "tpot", "latency"))
    if problems.found and not drop_failed and any(problem.code == "blank" for problem in problems.found):
        last_one = problems.found[-1]
        problems.found[-1] = replace(last_one, hints=(*last_one.hints, "leave failed requests out: drop_failed"))
    problems.raise_if_any()
    shift = None
    if names["first"] and float(np.median(np.abs(first - arrival))) > 1e6:
        shift = _shift(cells, names, arrival, queued, scheduled)
        scheduled, first, last = scheduled - shift, first - shift, last - shift
    if not names["first"]:
        first = arrival + ttft
    if not names["last"]:
        last = arrival + latency if names["latency"] else first + tpot * (outputs - 1)
    tell_bad(cells, names["first"] or names["ttft"], ~(first > arrival), problems, "not after the request's arrival")
    tell_bad(
        cells, names["last"] or names["latency"] or names["tpot"], ~(last >= first), problems, "before the first token"
    )
    problems.raise_if_any()
    order = np.argsort(arrival, kind="stable")
    zero = arrival[order[0]]
    return RequestLog(
        file=cells.file,
        arrival_s=arrival[order] - zero,
        scheduled_s=scheduled[order] - zero,
        first_token_s=first[order] - zero,
        finish_s=last[order] - zero,
        input_tokens=inputs[order],
        output_tokens=outputs[order],
        cached_tokens=cached[order],
        clock_shift_s=shift,
    )


def log_of(outcome: Outcome, file: str = "simulated") -> RequestLog:
    """What a simulated run would have logged, of the requests that were served."""
    rows = outcome.served
    return RequestLog(
        file=file,
        arrival_s=outcome.arrival_s[rows],
        scheduled_s=outcome.scheduled_s[rows],
        first_token_s=outcome.first_token_s[rows],
        finish_s=outcome.finish_s[rows],
        input_tokens=outcome.input_tokens[rows],
        output_tokens=outcome.output_tokens[rows],
        cached_tokens=outcome.cached_tokens[rows],
        clock_shift_s=None,
    )


def write_log(log: RequestLog, path: Path | str) -> None:
    """Write a log as JSONL that `read_log` reads."""
    names = ("arrival_s", "scheduled_s", "first_token_s", "finish_s", "input_tokens", "output_tokens", "cached_tokens")
    rows = zip(*(getattr(log, name).tolist() for name in names), strict=True)
    text = "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)
    Path(path).write_text(text, encoding="utf-8", newline="\n")


def _columns(cells: Cells, given: dict[str, str]) -> dict[str, str]:
    """The file's column for each role, '' where it has none."""
    problems = Problems()
    for role, name in given.items():
        if role not in NAMES:
            near = nearest(role, NAMES)
            hint = f"did you mean '{near}'?" if near else f"known: {', '.join(NAMES)}"
            problems.add("unknown_column", f"a log has no '{role}'", None, hint)
        elif name not in cells.header:
            near = nearest(name, cells.header)
            hint = f"did you mean '{near}'?" if near else f"it has: {', '.join(cells.header[:12])}"
            problems.add("missing_column", f"the log has no column '{name}'", Where(cells.file, 1, 1), hint)
    problems.raise_if_any()
    found = {role: given.get(role) or called(cells.header, NAMES[role]) for role in NAMES}
    wanted = {
        "arrival": found["arrival"],
        "input": found["input"],
        "output": found["output"],
        "first (or ttft)": found["first"] or found["ttft"],
        "last (or latency, or tpot)": found["last"] or found["latency"] or found["tpot"],
    }
    missing = [role for role, name in wanted.items() if not name]
    if missing:
        message = f"no column of the log is known to hold {', '.join(missing)}"
        hints = (f"it has: {', '.join(cells.header[:16])}", "name them: columns {role: column}")
        raise InputError(Problem("missing_column", message, Where(cells.file, 1, 1), hints))
    return found


def _answered(cells: Cells, names: Mapping[str, str]) -> Cells:
    """The rows that have tokens and times of an answer.

    Raises:
        InputError: none has.
    """
    keep = np.ones(len(cells.frame), dtype=np.bool_)
    for role in ("output", "first", "last", "ttft", "tpot", "latency"):
        if names[role]:
            values, missing = numbers(cells.frame[names[role]])
            if unit_of(cells, names[role]) == "date":
                missing = dates_ns(cells.frame[names[role]])[1]
            keep &= ~missing & ~((role == "output") & (values <= 0.0))
    if not keep.any():
        raise InputError(Problem("empty", "no request of the log was answered", Where(cells.file)))
    return replace(cells, frame=cells.frame.filter(pl.Series(keep)), line=cells.line[keep])


def _shift(cells: Cells, names: dict[str, str], arrival: Floats, queued: Floats, scheduled: Floats) -> float:
    """The engine's clock less that of arrivals, by the request that was queued fastest."""
    seen = queued if names["queued"] else scheduled
    if not (names["queued"] or names["scheduled"]):
        message = (
            f"{names['first']} and {names['arrival']} are on different clocks, and nothing says how far they are apart"
        )
        hints = ("log when requests are queued or scheduled on the engine's clock (queued, scheduled)",)
        raise InputError(Problem("two_clocks", message, Where(cells.file, 1, 1), hints))
    return float(np.min(seen - arrival))

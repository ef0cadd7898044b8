"""Reads traces of requests: published ones and tables of one's own, CSV or JSONL, plain or gzipped.

    azure      Azure LLM inference traces: TIMESTAMP (a date), ContextTokens, GeneratedTokens
    mooncake   JSONL of timestamp (ms), input_length, output_length, hash_ids (blocks of 512 tokens)
    vidur      arrived_at (s; may be missing), num_prefill_tokens, num_decode_tokens
    burstgpt   Timestamp (s), Request tokens, Response tokens; Session ID where the release has it
    vllm       a log of served requests: arrival_time (s), input_toks, output_toks, and the engine's own times
    csv, jsonl any other: columns named, or found by the names that people give them

The format is that whose columns the file has; the first found in the order above. A request without an answer
(BurstGPT counts failed calls as 0 tokens) is a mistake unless such are to be dropped.

Sources: github.com/Azure/AzurePublicDataset, kvcache-ai/Mooncake, microsoft/vidur, HPMLL/BurstGPT (their READMEs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, Problems, Where, nearest
from gigawatt.study.serve.trace import Trace, at_rate, cut, rows_of
from gigawatt.study.serve.trace_text import MOST, Cells, capped, read_cells, tell_bad, times_s, tokens, unit_of

TIME_UNITS = ("s", "ms", "us", "ns", "date")
ROLES = ("arrival", "input", "output", "session", "blocks")


@dataclass(frozen=True, slots=True)
class Format:
    """Which column holds what; `marks` are columns that a file of this format must have to be known by them."""

    name: str
    arrival: str
    input: str
    output: str
    time_unit: str
    session: str = ""
    blocks: str = ""
    block_tokens: int = 16
    marks: tuple[str, ...] = ()


FORMATS = (
    Format(
        "azure", "TIMESTAMP", "ContextTokens", "GeneratedTokens", "date", marks=("ContextTokens", "GeneratedTokens")
    ),
    Format(
        "mooncake",
        "timestamp",
        "input_length",
        "output_length",
        "ms",
        session="session_id",
        blocks="hash_ids",
        block_tokens=512,
        marks=("timestamp", "input_length", "hash_ids"),
    ),
    Format("vidur", "arrived_at", "num_prefill_tokens", "num_decode_tokens", "s", marks=("num_prefill_tokens",)),
    Format(
        "burstgpt",
        "Timestamp",
        "Request tokens",
        "Response tokens",
        "s",
        session="Session ID",
        marks=("Request tokens", "Response tokens"),
    ),
    Format("vllm", "arrival_time", "input_toks", "output_toks", "s", marks=("input_toks", "first_token_ts")),
)
# Names by which other tables call their columns, the more telling ones first.
KNOWN_AS: Mapping[str, tuple[str, ...]] = {
    "arrival": (
        "arrival_s",
        "arrival_time",
        "arrived_at",
        "arrival_ms",
        "timestamp",
        "time_s",
        "time",
        "ts",
        "start_time",
    ),
    "input": (
        "input_tokens",
        "prompt_tokens",
        "input_length",
        "input_toks",
        "num_prefill_tokens",
        "context_tokens",
        "isl",
    ),
    "output": ("output_tokens", "completion_tokens", "output_length", "output_toks", "num_decode_tokens", "osl"),
    "session": ("session", "session_id", "conversation_id", "user_id"),
    "blocks": ("hash_ids", "block_hashes", "prefix_hashes"),
}


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """How a trace is read. `columns`: role ('arrival', 'input', 'output', 'session', 'blocks') -> the file's name for it.

    `sort` puts unsorted requests in order; `drop_empty` leaves out requests without prompt or answer. Of what is left:
    `window_s` [from, to), then the first `first`, then the mean rate `rate_per_s`, then `factor` times it.
    `context` is the longest prompt and answer together that the server takes.
    """

    format: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    time_unit: str = ""
    block_tokens: int = 0
    sort: bool = False
    drop_empty: bool = False
    context: int = 0
    window_s: tuple[float, float] | None = None
    first: int | None = None
    rate_per_s: float | None = None
    factor: float = 1.0
    seed: int = 0


def read_trace(path: Path | str, options: TraceOptions = TraceOptions()) -> Trace:
    """Read, check, cut and scale a trace.

    Raises:
        InputError: with everything wrong of the file and of the options, each at its place.
    """
    _check_options(options)
    cells = read_cells(path)
    form = format_of(cells, options)
    trace = _checked(cells, form, options)
    kept = at_rate(cut(trace, options.window_s, options.first), options.rate_per_s, options.factor, options.seed)
    if not len(kept):
        span = f"it spans 0 to {trace.arrival_s[-1]:,.6g} s" if trace.timed else "it has no times"
        raise InputError(Problem("empty", "no request is left of the trace", Where(trace.file), (span,)))
    return kept


def _check_options(options: TraceOptions) -> None:
    problems = Problems()
    known = [f.name for f in FORMATS] + ["csv", "jsonl"]
    if options.format and options.format not in known:
        near = nearest(options.format, known)
        hints = ((f"did you mean '{near}'?",) if near else ()) + (f"known: {', '.join(known)}",)
        problems.add("unknown_format", f"there is no trace format '{options.format}'", None, *hints)
    if options.time_unit and options.time_unit not in TIME_UNITS:
        message = f"times of a trace are in {', '.join(TIME_UNITS)}, not '{options.time_unit}'"
        problems.add("unknown_unit", message)
    for role in options.columns:
        if role not in ROLES:
            near = nearest(role, ROLES)
            hints = ((f"did you mean '{near}'?",) if near else ()) + (f"known: {', '.join(ROLES)}",)
            problems.add("unknown_column", f"a request has no '{role}'", None, *hints)
    for name, value in (("rate", options.rate_per_s), ("rate factor", options.factor)):
        if value is not None and not (0.0 < value < float("inf")):
            problems.add("out_of_range", f"the {name} of a trace must be over 0, not {value:g}")
    if options.first is not None and options.first < 1:
        problems.add("out_of_range", f"the first {options.first} requests of a trace are none; it must be at least 1")
    if options.window_s is not None and not 0.0 <= options.window_s[0] < options.window_s[1]:
        low, high = options.window_s
        problems.add("out_of_range", f"a window runs from 0 or later to later still, not from {low:g} to {high:g} s")
    problems.raise_if_any()


def format_of(cells: Cells, options: TraceOptions) -> Format:
    """The format named, or that whose columns the file has, or a table with columns named or known by other names.

    Raises:
        InputError: columns that must be there are not; with the nearest that are.
    """
    named = next((f for f in FORMATS if f.name == options.format), None)
    if named is None and not options.format and not options.columns:
        named = next((f for f in FORMATS if set(f.marks) <= set(cells.header)), None)
    if named is None:
        kind = "csv" if cells.separator else "jsonl"
        found = {role: called(cells.header, KNOWN_AS[role]) for role in ROLES}
        named = Format(
            kind,
            found["arrival"],
            found["input"],
            found["output"],
            "",
            found["session"],
            found["blocks"],
            block_tokens=16,
        )
    form = replace(
        _renamed(named, options.columns),
        time_unit=options.time_unit or named.time_unit,
        block_tokens=options.block_tokens or named.block_tokens,
    )
    problems = Problems()
    for role in ROLES:
        name, must = getattr(form, role), role in ("input", "output") or role in options.columns
        if must and name not in cells.header:
            _tell_missing(cells, role, name, problems)
    problems.raise_if_any()
    form = _renamed(form, {role: "" for role in ROLES if getattr(form, role) not in cells.header})
    return form if form.time_unit or not form.arrival else replace(form, time_unit=unit_of(cells, form.arrival))


def _renamed(form: Format, columns: Mapping[str, str]) -> Format:
    """The format with other columns for some roles ('': it has none)."""
    return replace(
        form,
        arrival=columns.get("arrival", form.arrival),
        input=columns.get("input", form.input),
        output=columns.get("output", form.output),
        session=columns.get("session", form.session),
        blocks=columns.get("blocks", form.blocks),
    )


def called(header: tuple[str, ...], names: tuple[str, ...]) -> str:
    """The file's own spelling of the first of `names` that it has, or ''."""
    plain = {column.lower().strip().replace(" ", "_").replace("-", "_"): column for column in header}
    return next((plain[name] for name in names if name in plain), "")


def _tell_missing(cells: Cells, role: str, name: str, problems: Problems) -> None:
    what = {"input": "tokens of the prompt", "output": "tokens of the answer"}.get(role, role)
    message = f"the trace has no column '{name}'" if name else f"no column of the trace is known to hold {what}"
    near = nearest(name or f"{role}_tokens", cells.header)
    hints = [f"did you mean '{near}'?"] if near else []
    hints.append(f"it has: {', '.join(cells.header[:12])}")
    hints.append(f"name it: columns {{{role}: {near or cells.header[0]}}}")
    problems.add("missing_column", message, Where(cells.file, 1, 1), *hints)


def _checked(cells: Cells, form: Format, options: TraceOptions) -> Trace:
    if not len(cells.frame):
        hints = ("a trace has one request a line",)
        raise InputError(Problem("empty", "the trace has a header and no request", Where(cells.file, 1, 1), hints))
    problems = Problems()
    count = len(cells.frame)
    arrival = times_s(cells, form.arrival, form.time_unit, problems) if form.arrival else np.zeros(count)
    inputs = tokens(cells, form.input, problems)
    outputs = tokens(cells, form.output, problems)
    problems.raise_if_any()
    start, blocks = _blocks(cells, form, problems)
    whole = Trace(
        file=cells.file,
        format=form.name,
        timed=bool(form.arrival),
        arrival_s=arrival,
        input_tokens=inputs,
        output_tokens=outputs,
        session=_sessions(cells, form),
        block_start=start,
        block_hash=blocks,
        block_tokens=form.block_tokens,
        line=cells.line,
    )
    keep = np.arange(count)
    if options.drop_empty:
        keep = np.flatnonzero((inputs != 0) & (outputs != 0))
    _tell_lengths(cells, form, whole, keep, options, problems)
    if form.arrival and options.sort:
        keep = keep[np.argsort(arrival[keep], kind="stable")]
    elif form.arrival:
        _tell_unsorted(cells, form, arrival, problems)
    problems.raise_if_any()
    return cut(rows_of(whole, keep))


def _tell_lengths(
    cells: Cells, form: Format, trace: Trace, keep: NDArray[np.int64], options: TraceOptions, problems: Problems
) -> None:
    kept = np.zeros(len(trace), dtype=np.bool_)
    kept[keep] = True
    for name, values in ((form.input, trace.input_tokens), (form.output, trace.output_tokens)):
        tell_bad(cells, name, kept & (values < 0), problems, "negative; a request has tokens")
        before = len(problems.found)
        tell_bad(cells, name, kept & (values == 0), problems, "no tokens; a request has at least one")
        if len(problems.found) > before:
            last = problems.found[-1]
            problems.found[-1] = replace(last, hints=(*last.hints, "leave such requests out: drop_empty"))
    if options.context:
        both = trace.input_tokens + trace.output_tokens
        long = np.flatnonzero(kept & (both > options.context))
        shown = [
            Problem(
                "too_long",
                f"{trace.input_tokens[row]:,} tokens of prompt and {trace.output_tokens[row]:,} of answer are more than the"
                f" context of {options.context:,}",
                cells.where(row, form.input),
                (f"a context of {int(both.max()):,} holds the longest request",) if row == long[0] else (),
            )
            for row in long[:MOST].tolist()
        ]
        problems.extend(capped(shown, len(long)))


def _tell_unsorted(cells: Cells, form: Format, arrival: NDArray[np.float64], problems: Problems) -> None:
    back = np.flatnonzero(np.diff(arrival) < 0.0) + 1
    if len(back):
        row = int(back[0])
        early = arrival[row - 1] - arrival[row]
        message = f"the request arrives {early:,.6g} s before the one above it; a trace is sorted by time"
        more = (f"and {len(back) - 1:,} more like this",) if len(back) > 1 else ()
        problems.add(
            "unsorted", message, cells.where(row, form.arrival), *more, "to sort it: sort=yes (--trace-with sort=yes)"
        )


def _sessions(cells: Cells, form: Format) -> NDArray[np.int64]:
    """Sessions numbered from 0 in the order they appear; -1 where blank."""
    if not form.session:
        return np.full(len(cells.frame), -1, dtype=np.int64)
    numbers: dict[str, int] = {}
    texts = ["" if value is None else str(value).strip() for value in cells.frame[form.session].to_list()]
    return np.array([numbers.setdefault(text, len(numbers)) if text else -1 for text in texts], dtype=np.int64)


def _blocks(cells: Cells, form: Format, problems: Problems) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Blocks of each prompt as one column and where each request's begin; text is numbered in the order it appears."""
    if not form.blocks:
        return np.zeros(len(cells.frame) + 1, dtype=np.int64), np.zeros(0, dtype=np.int64)
    held = [[] if value is None else value for value in cells.frame[form.blocks].to_list()]
    bad = np.array([isinstance(value, str) or not hasattr(value, "__len__") for value in held], dtype=np.bool_)
    tell_bad(cells, form.blocks, bad, problems, "not a list of blocks such as [0, 1, 2]")
    problems.raise_if_any()
    start = np.concatenate([[0], np.cumsum([len(value) for value in held])]).astype(np.int64)
    flat = [block for value in held for block in value]
    if all(isinstance(block, int) and abs(block) < 2**63 for block in flat):
        return start, np.array(flat, dtype=np.int64)
    numbers: dict[str, int] = {}
    return start, np.array([numbers.setdefault(str(block), len(numbers)) for block in flat], dtype=np.int64)

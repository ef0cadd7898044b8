"""What instances have done, in seconds and tokens: by instance, and over the fleet by interval of time."""

from __future__ import annotations

from gigawatt.physics.serving.events.rows import (
    BATCH,
    BIN_COLUMNS,
    BUSY,
    CONTEXT,
    MIXED,
    ON_TIME,
    OUTPUTS,
    PROMPTS,
    STEPS,
    USED,
    CurveRow,
    InstanceRow,
    World,
)


def account(w: World, x: InstanceRow, c: CurveRow) -> None:
    """Count the stretch that ends. Its blocks in use are those at its beginning, its cached tokens the mean of its steps."""
    s = w.state[0]
    seconds = x.clock_s - x.began_s
    context = x.context + x.decoding * c.tokens_per_step * 0.5 * (x.steps + 1)
    used = c.blocks - x.free - x.idle
    x.all_steps += x.steps
    x.prompt_tokens += x.chunk
    if x.chunk > 0:
        x.mixed_s += seconds
    else:
        x.decode_s += seconds
    x.batch_s += x.decoding * seconds
    x.context_s += context * seconds
    x.used_s += used * seconds
    if s.bins > 1:
        spread(w, x, c, context, used)


def spread(w: World, x: InstanceRow, c: CurveRow, context: float, used: int) -> None:
    """Share a stretch among the intervals of time it lies in."""
    s = w.state[0]
    whole_s = x.clock_s - x.began_s
    begin_s = x.began_s
    at, last = interval(w, x.began_s), interval(w, x.clock_s)
    while at <= last:
        until_s = x.clock_s if at == last else (at + 1) * s.bin_s
        seconds = until_s - begin_s
        part = seconds / whole_s if whole_s > 0.0 else 1.0
        base = s.bins_at + at * BIN_COLUMNS
        w.floats[base + BUSY] += seconds
        if x.chunk > 0:
            w.floats[base + MIXED] += seconds
        w.floats[base + BATCH] += seconds * x.decoding
        w.floats[base + CONTEXT] += seconds * context
        w.floats[base + USED] += seconds * used
        w.floats[base + PROMPTS] += part * x.chunk
        w.floats[base + OUTPUTS] += part * x.decoding * c.tokens_per_step * x.steps
        w.floats[base + STEPS] += part * x.steps
        begin_s = until_s
        at += 1


def interval(w: World, at_s: float) -> int:
    """The interval of a time; the last takes what comes after."""
    s = w.state[0]
    return max(min(int(at_s / s.bin_s), s.bins - 1), 0)


def made(w: World, x: InstanceRow, tokens: int, counted: float) -> None:
    """Count the tokens of an answer, of which `counted` are in the intervals already (whole steps with speculation)."""
    s = w.state[0]
    x.output_tokens += tokens
    if s.bins > 1:
        w.floats[s.bins_at + interval(w, x.clock_s) * BIN_COLUMNS + OUTPUTS] += tokens - counted


def was_on(w: World, x: InstanceRow, until_s: float) -> None:
    """Count the time an instance was on."""
    s = w.state[0]
    x.on_s += until_s - x.on_since_s
    if s.bins > 1:
        begin_s = x.on_since_s
        at, last = interval(w, begin_s), interval(w, until_s)
        while at <= last:
            end_s = until_s if at == last else (at + 1) * s.bin_s
            w.floats[s.bins_at + at * BIN_COLUMNS + ON_TIME] += end_s - begin_s
            begin_s = end_s
            at += 1

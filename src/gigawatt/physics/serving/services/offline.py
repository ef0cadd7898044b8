"""Batch work: tokens at no latency limit, what a deadline takes, and what the same tokens take with someone waiting.

    ratio   = rate of the best point without limits / rate of the best point within the limits of an interactive tier
    chips   = requests / (deadline x requests/s of a chip x derate), whole replicas

Rates are those of `search.frontier` at both limits, over the same layouts, precisions and engines. The discount that a ratio
allows is a matter of price, not of this room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.chip.device import Chip, PowerMode
from gigawatt.physics.fabric import Fabric
from gigawatt.physics.serving.engine.deployment import FULL
from gigawatt.physics.serving.search.frontier import frontier
from gigawatt.physics.serving.services.frontier import ServiceFrontier, positive
from gigawatt.physics.serving.services.tokens import of_tokens
from gigawatt.physics.serving.services.work import precisions_of
from gigawatt.physics.workload import Architecture


@dataclass(frozen=True, slots=True)
class Tier:
    """The limits of the interactive service that batch work is compared with: first token (p99) and between tokens."""

    ttft_s: float = 2.0
    tpot_s: float = 0.05


def offline(
    arch: Architecture,
    chip: Chip,
    *,
    input_tokens: float,
    output_tokens: float,
    tier: Tier | None = None,
    fabric: Fabric | None = None,
    precisions: Sequence[str] = (),
    engine: str = "best",
    disaggregate: bool = True,
    mode: PowerMode = FULL,
) -> ServiceFrontier:
    """Requests/s per chip at no limit. `details`: those of tokens, and `ratio_to_interactive` of every point (infinite where
    the tier can not be met at all).

    Raises:
        InputError: lengths or limits that are not above zero, lengths beyond the model's positions.
    """
    held = tier or Tier()
    positive("batch", input_tokens=input_tokens, output_tokens=output_tokens, ttft_s=held.ttft_s, tpot_s=held.tpot_s)
    if arch.max_positions and input_tokens + output_tokens > arch.max_positions:
        message = f"batch: {input_tokens + output_tokens:,.0f} tokens a request, and '{arch.name}' knows "
        raise InputError(Problem("too_long", f"{message}{arch.max_positions:,} positions"))

    def found(ttft_s: float, tpot_s: float) -> ServiceFrontier:
        points = frontier(
            arch,
            chip,
            fabric=fabric,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            ttft_s=ttft_s,
            tpot_s=tpot_s,
            precisions=precisions_of(chip, precisions),
            engine=engine,
            disaggregate=disaggregate,
            modes=(mode,),
        )
        return of_tokens(points, chip, "batch", "request", 1.0 / output_tokens)

    free, bound = found(np.inf, np.inf), found(held.ttft_s, held.tpot_s)
    best = 0.0 if bound.best is None else float(bound.units_per_s_per_chip[bound.best])
    ratio = free.units_per_s_per_chip / best if best else np.full(len(free), np.inf)
    said = f"beside an interactive tier of {held.ttft_s:g} s to the first token and {held.tpot_s * 1e3:g} ms between"
    return free.with_details((said,), ratio_to_interactive=ratio)


def chips_by_deadline(
    found: ServiceFrontier, requests: float, deadline_s: float, *, derate: float = 1.0, row: int | None = None
) -> int:
    """Chips, in whole replicas of a point (the best where none is named), that answer `requests` within `deadline_s`.

    `derate` is what is left of a benchmark's speed in production.

    Raises:
        InputError: no point, nothing to do, no time to do it in.
    """
    positive("batch", requests=requests, deadline_s=deadline_s, derate=derate)
    at = found.best if row is None else row
    if at is None:
        hints = tuple(f"{r.reason}: {r.nearest_fix}" for r in found.rejected)
        raise InputError(Problem("no_point", "no point of this frontier can do the work", None, hints))
    replica = float(found.chips[at])
    each = float(found.units_per_s_per_chip[at]) * replica * derate * deadline_s
    return int(np.ceil(np.ceil(requests / each) * replica))

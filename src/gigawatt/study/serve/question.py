"""The question of `gigawatt serve` in numbers: what is served, where, how long its requests are, and what they may take."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gigawatt.study.hosts import Cap

DEFAULT_ON = "gb300-nvl72"
DEFAULT_INPUT, DEFAULT_OUTPUT = 1024, 1024
DEFAULT_FACILITY = "liquid-cooled-2026"
OBJECTIVES = ("chip", "mw")


@dataclass(frozen=True, slots=True)
class Slo:
    """Limits in s at the client's side of the router; infinite where there is none.

    TPOT is a request's own mean time between tokens: `tpot_s` holds its mean over requests, `tpot_p99_s` its 99th percentile.
    `latency_s` holds a request from first to last, in the mean.
    """

    ttft_p99_s: float = math.inf
    ttft_mean_s: float = math.inf
    tpot_s: float = math.inf
    tpot_p99_s: float = math.inf
    latency_s: float = math.inf

    @property
    def words(self) -> str:
        """As people say it.

        >>> Slo(ttft_p99_s=1.0, tpot_s=0.03).words
        'TTFT p99 within 1 s, TPOT within 30 ms'
        """
        named = (
            ("TTFT p99", self.ttft_p99_s),
            ("mean TTFT", self.ttft_mean_s),
            ("TPOT", self.tpot_s),
            ("TPOT p99", self.tpot_p99_s),
            ("a request", self.latency_s),
        )
        return ", ".join(f"{name} within {seconds(limit)}" for name, limit in named if limit < math.inf) or "no SLO"


@dataclass(frozen=True, slots=True)
class Derate:
    """What production keeps of a benchmark's speed of decoding and of prefill."""

    decode: float = 1.0
    prefill: float = 1.0


@dataclass(frozen=True, slots=True)
class Drafts:
    """Speculative decoding: by whom (`mtp`, `eagle`; '' for a plain `factor`), tokens a step, share accepted."""

    by: str = ""
    tokens: int = 1
    acceptance: float = 0.0
    factor: float = 1.0

    @property
    def words(self) -> str:
        """As people say it."""
        if not self.by:
            return "none" if self.factor == 1.0 else f"{self.factor:g} times as fast"
        return f"{self.by}, {self.tokens} a step, {self.acceptance:.0%} accepted"


@dataclass(frozen=True, slots=True)
class Known:
    """80 % half-widths of the logarithm of a deployment's own TPOT and TTFT where it was measured; None where it was not."""

    tpot: float | None = None
    ttft: float | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """How a model is served on each of `on`, within an SLO.

    Empty tuples, 0 and None leave the choice open: every precision that the chip has a peak for, every engine that runs on
    it, every layout of its scale-up domain, every power mode of the platform, every concurrency. `cached_share` of the
    input is found in the cache. With `rate_per_s` requests come at that rate, answered or not. `chips` are all there are
    (0: a fleet without end, pools in fractions); `replica_chips` lets replicas span several scale-up domains, `stages`
    pipelines of up to so many. `pools` is 'both', 'only' (prefill and decode apart) or 'never'; `partners` are the prefill
    layouts tried beside each decode layout. `release` is a date of the software, or a version of the one engine that is
    named; the newest that was fitted where empty. `known` is how well a measured deployment is known, `most_at_once` what its
    replica runs at once (0: what the cache holds). `objective` is what
    `best` has most tokens of: a chip, or a MW.
    """

    model: str
    on: tuple[str, ...] = (DEFAULT_ON,)
    input_tokens: int = DEFAULT_INPUT
    output_tokens: int = DEFAULT_OUTPUT
    cached_share: float = 0.0
    slo: Slo = Slo()
    rate_per_s: float = 0.0
    concurrency: tuple[int, ...] = ()
    precisions: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    mappings: tuple[str, ...] = ()
    chips: int = 0
    replica_chips: int = 0
    pools: str = "both"
    stages: int = 1
    partners: int = 4
    speculation: Drafts = Drafts()
    caps: tuple[Cap, ...] = ()
    maturity: float | None = None
    release: str = ""
    fabric: str = ""
    facility: str = DEFAULT_FACILITY
    derate: Derate = Derate()
    known: Known = Known()
    most_at_once: int = 0
    objective: str = "chip"
    pareto: int = 12


def seconds(value: float) -> str:
    """A time as people write it.

    >>> seconds(0.03), seconds(1.5)
    ('30 ms', '1.5 s')
    """
    if value >= 1.0:
        return f"{value:,.0f} s" if value >= 1000 else f"{value:.3g} s"
    return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} us"

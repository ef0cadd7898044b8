"""When an engine lets prompts in: settings of its scheduler, and how many prompts a step then takes together.

    polling     SGLang looks for new requests every `poll_steps` decode steps (`--scheduler-recv-interval`)
    gathering   TensorRT-LLM holds prompts until they fill a share of a step's tokens, or for `gather_steps` steps
                (`batch_wait_timeout_iters`, `batch_wait_max_tokens_ratio`)
    balancing   data-parallel attention ranks prefill side by side only in the same step: TensorRT-LLM holds prompts until every
                rank has one, for `balance_steps` steps at most (`attention_dp_config: enable_balance, timeout_iters`)

With a prompts that arrive in a step on a rank and a window of P steps, a prompt enters beside a P others of its rank, and
beside those of (dp - 1) (1 - exp(-a P)) further ranks (Poisson arrivals). Sources: flags of SGLang 0.5 and TensorRT-LLM 1.x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from gigawatt.physics.serving.engine.model import Floats

BUDGET_TOKENS = 8192.0  # of prompts in one step: the default or the usual setting of all three engines


@dataclass(frozen=True, slots=True)
class Scheduling:
    """Settings of an engine's scheduler, in decode steps and tokens; the defaults are the engines' own.

    `balance_steps` holds where attention has more than one data-parallel rank; 0 leaves ranks to enter alone.
    """

    poll_steps: float = 1.0
    gather_steps: float = 0.0
    gather_tokens: float = np.inf
    balance_steps: float = 50.0


ENGINE_DEFAULT = Scheduling()


@dataclass(frozen=True, slots=True)
class SchedulingColumns:
    """`Scheduling` of each row."""

    poll_steps: Floats
    gather_steps: Floats
    gather_tokens: Floats
    balance_steps: Floats

    @classmethod
    def of(cls, settings: Sequence[Scheduling]) -> SchedulingColumns:
        """Columns of a sequence of settings."""
        names = [f.name for f in fields(cls)]
        return cls(**{n: np.array([getattr(s, n) for s in settings], dtype=np.float64) for n in names})

    def take(self, rows: NDArray[np.intp]) -> SchedulingColumns:
        """The rows named."""
        return SchedulingColumns(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Entry:
    """How prompts enter: `steps` they wait for it in the mean, `beside` prompts of a rank in one go, `ranks` at once."""

    steps: Floats
    beside: Floats
    ranks: Floats


def entry(s: SchedulingColumns, arrivals: Floats, dp: Floats, tokens: Floats) -> Entry:
    """How prompts of `tokens` enter where `arrivals` come in a decode step on each of `dp` ranks."""
    balance = np.where(dp > 1, s.balance_steps, 0.0)
    # Balancing ends early once every rank has a prompt.
    balance = np.minimum(balance, np.maximum(1.0, np.log(np.maximum(dp, 2.0) + 1.0) / np.maximum(arrivals, 1e-9)))
    full = np.maximum(s.gather_tokens / np.maximum(tokens, 1.0), 1.0)  # prompts that end the gathering
    gather = np.minimum(s.gather_steps, np.maximum(full - 1.0, 0.0) / np.maximum(arrivals, 1e-9))
    window = np.maximum(np.maximum(s.poll_steps, balance), 1.0)
    others = arrivals * gather
    # The first of a gathering waits all of it, those that follow half of it in the mean.
    held = gather * (1.0 + others / 2.0) / (1.0 + others)
    open_steps = window + gather
    return Entry(
        steps=window / 2.0 + held,
        beside=1.0 + arrivals * open_steps,
        ranks=1.0 + (dp - 1.0) * -np.expm1(-arrivals * open_steps),
    )

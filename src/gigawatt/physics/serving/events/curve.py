"""One kind of instance as plain arrays for the simulation: what a step takes and what it may hold.

    step seconds = decode_s[b] + token_s[b] context + chunk_s(p / r) + pair_s pairs / r

b sequences decode with `context` cached tokens between them; p tokens of prompts enter, which meet `pairs` (query, key)
pairs in attention. Each decode step makes `tokens_per_step` tokens of a sequence (1; more with speculation). Where attention
has data-parallel ranks, prompts lie on r of them side by side, a prompt on each.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import Problems

Floats = NDArray[np.float64]
UNLIMITED = 1 << 40  # tokens or blocks of what has no limit
TABLES = ("decode_s", "token_s", "chunk_s", "beside")
LIMITS = (
    "chunk_stride",
    "ranks",
    "token_budget",
    "kv_blocks",
    "block_size",
    "gate_steps",
    "gate_prompts",
    "max_context",
)


@dataclass(frozen=True, slots=True)
class StepCurve:
    """One kind of instance.

    Args:
        decode_s: (max_num_seqs + 1,) seconds of a decode step of b sequences without context; entry 0 is not used.
        token_s: (max_num_seqs + 1,) seconds more for each cached token, over all sequences.
        chunk_s: seconds that `chunk_stride` x k prompt tokens add to a step, k = 0, 1, ..; linear between and beyond;
            entry 0 is the limit towards no tokens. With ranks: the tokens of each busy one, while one alone is busy.
        beside_s: the same while all ranks have prompts (as `chunk_s` where None); in between in proportion.
        pair_s: seconds for each pair of a prompt token and a key it attends to.
        ranks: data-parallel ranks of attention, which take a prompt each side by side.
        token_budget: most tokens of a step, one for each who decodes and the rest prompts' (chunked prefill); of one prompt
            no more than a rank's share.
        kv_blocks: blocks of the cache, each of `block_size` tokens.
        tokens_per_step: tokens a decode step makes of each sequence.
        api_s, api_token_s: seconds before a request is in the queue: router and tokeniser, and for each input token.
        seen_steps: steps from the time a request is in the queue until it has its place in a step; half of the step under
            way and the decoding in the step it enters are among them (up to 1.5: no wait beyond these).
        gate_steps, gate_prompts: the queue is looked at every `gate_steps` steps, or as soon as `gate_prompts` wait; at once
            where nobody runs.
        reserve: True reserves blocks to the end of the answer at admission, so that nobody is preempted.
        held_back: share of blocks left free when a request is admitted beside others.
        static_batch: admit only when nobody runs, and then as many as fit: no continuous batching.
        prefix_cache: keep hashed blocks of prompts for reuse.
        max_context: longest prompt and answer together; longer requests are refused.
        max_waiting: longest queue; beyond it requests are refused.
        step_error: 80 % half-width of the logarithm of step seconds, as whoever made the curve knows it (0: exact).

    Raises:
        InputError: tables of other lengths, negative times, limits below one.
    """

    decode_s: Floats
    token_s: Floats
    chunk_s: Floats
    chunk_stride: int = 1
    beside_s: Floats | None = None
    pair_s: float = 0.0
    ranks: int = 1
    token_budget: int = UNLIMITED
    kv_blocks: int = UNLIMITED
    block_size: int = 16
    tokens_per_step: float = 1.0
    api_s: float = 0.0
    api_token_s: float = 0.0
    seen_steps: float = 0.0
    gate_steps: int = 1
    gate_prompts: int = UNLIMITED
    reserve: bool = False
    held_back: float = 0.0
    static_batch: bool = False
    prefix_cache: bool = True
    max_context: int = UNLIMITED
    max_waiting: int = UNLIMITED
    step_error: float = 0.0
    name: str = field(default="instance")

    def __post_init__(self) -> None:
        for table in ("decode_s", "token_s", "chunk_s", "beside_s"):
            if getattr(self, table) is not None:
                object.__setattr__(self, table, np.ascontiguousarray(getattr(self, table), dtype=np.float64))
        problems = Problems()
        if self.decode_s.shape != self.token_s.shape or self.decode_s.ndim != 1 or len(self.decode_s) < 2:
            problems.add("shape", "decode_s and token_s need the same length, max_num_seqs + 1, at least 2")
        if self.chunk_s.ndim != 1 or len(self.chunk_s) < 2:
            problems.add("shape", "chunk_s needs at least two entries")
        if self.beside.shape != self.chunk_s.shape:
            problems.add("shape", "beside_s needs the length of chunk_s")
        for table in (*TABLES, "pair_s", "api_s", "api_token_s", "seen_steps", "step_error"):
            values = np.asarray(getattr(self, table))
            if not bool(np.all(np.isfinite(values) & (values >= 0))):
                problems.add("out_of_range", f"{table} must be finite and not negative")
        for limit in LIMITS:
            if getattr(self, limit) < 1:
                problems.add("out_of_range", f"{limit} is {getattr(self, limit)}; it must be at least 1")
        if not self.tokens_per_step >= 1.0:
            problems.add("out_of_range", f"tokens_per_step is {self.tokens_per_step}; a step makes at least one token")
        if not 0.0 <= self.held_back < 1.0:
            problems.add("out_of_range", f"held_back is {self.held_back}; it is a share, from 0 to below 1")
        problems.raise_if_any()

    @property
    def beside(self) -> Floats:
        """Seconds of prompt tokens while all ranks have prompts."""
        return self.chunk_s if self.beside_s is None else self.beside_s

    @property
    def max_num_seqs(self) -> int:
        """Most sequences that run at once, prompts among them."""
        return len(self.decode_s) - 1

    @property
    def kv_tokens(self) -> int:
        """Tokens the cache holds."""
        return self.kv_blocks * self.block_size

    @property
    def longest(self) -> int:
        """Longest prompt and answer that can be served at all."""
        return min(self.max_context, self.kv_tokens)

    @classmethod
    def affine(
        cls,
        *,
        step_s: float,
        request_s: float = 0.0,
        token_s: float = 0.0,
        chunk_s: float = 0.0,
        chunk_token_s: float = 0.0,
        max_num_seqs: int = 256,
        **more: float,
    ) -> StepCurve:
        """A curve of a few numbers: step_s + request_s b + token_s context + chunk_s + chunk_token_s p + pair_s pairs.

        `more` are limits and other fields of the class by name.
        """
        b = np.arange(max_num_seqs + 1, dtype=np.float64)
        return cls(
            decode_s=step_s + request_s * b,
            token_s=np.full(max_num_seqs + 1, token_s),
            chunk_s=np.array([chunk_s, chunk_s + chunk_token_s]),
            **more,  # type: ignore[arg-type]
        )

    def step_seconds(
        self,
        decoding: ArrayLike,
        context: ArrayLike,
        tokens: ArrayLike = 0.0,
        pairs: ArrayLike = 0.0,
        prompts: ArrayLike = 1.0,
    ) -> Floats:
        """Seconds of steps: who decodes, their cached tokens, prompts' tokens, pairs and number; arrays broadcast."""
        b = np.asarray(decoding, dtype=np.intp)
        decode = np.where(b > 0, self.decode_s[b] + self.token_s[b] * np.asarray(context), 0.0)
        lanes = np.clip(prompts, 1.0, self.ranks)
        each = np.asarray(tokens, dtype=np.float64) / lanes / self.chunk_stride
        below = np.minimum(each.astype(np.intp), len(self.chunk_s) - 2)

        def at(table: Floats) -> Floats:
            return np.asarray(table[below] + (table[below + 1] - table[below]) * (each - below))

        alone, beside = at(self.chunk_s), at(self.beside)
        chunk = alone + (beside - alone) * (lanes - 1.0) / max(self.ranks - 1, 1)
        return np.asarray(decode + np.where(each > 0, chunk + self.pair_s * np.asarray(pairs) / lanes, 0.0))

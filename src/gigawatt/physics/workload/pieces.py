"""The pieces a model is made of once its shape is spelled out: matrices, attention, scans, small vectors.

Every count of this package (parameters, FLOPs, bytes, operators) is a sum over pieces, so that each shape is written
once. A piece stands for `count` equal ones, and for each sequence of S tokens (and T context tokens) it meets `Rows`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Cut = Literal["column", "row", "replicated", "expert", "vocab"]
Part = Literal[
    "attention",
    "state",
    "dense_ffn",
    "shared",
    "router",
    "routed_experts",
    "norm",
    "embedding",
    "head",
    "modulation",
    "stem",
]
PARTS: tuple[Part, ...] = (
    "attention",
    "state",
    "dense_ffn",
    "shared",
    "router",
    "routed_experts",
    "norm",
    "embedding",
    "head",
    "modulation",
    "stem",
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that one sequence puts through a piece: per_token * S + per_context * T + per_sequence.

    >>> Rows(1, 1)(4096, 512)
    4608
    """

    per_token: int = 1
    per_context: int = 0
    per_sequence: int = 0

    def __call__(self, tokens: Any, context: Any = 0) -> Any:
        return self.per_token * tokens + self.per_context * context + self.per_sequence


TOKENS = Rows()
CONTEXT = Rows(0, 1)  # the conditioning text of a diffusion model, the encoder's output of a decoder
JOINT = Rows(1, 1)
SEQUENCE = Rows(0, 0, 1)  # once for each sequence: a time step's embedding, a pooled output


@dataclass(frozen=True, slots=True)
class Linear:
    """A k x n matrix: 2 k n FLOPs a row. `stored` is False where the weights belong to another piece (a tied head).

    Of `experts` equal matrices each row meets `top_k`. `cut` says how tensor parallelism divides it: "column" n,
    "row" k, "vocab" n of the head, "expert" its width (`inner` of k or n) within one expert, "replicated" not at all.
    `cached` matrices act on cached context and run once a request, not at every decoding step.
    """

    name: str
    part: Part
    k: int
    n: int
    count: int = 1
    bias: int = 0
    experts: int = 1
    top_k: int = 1
    rows: Rows = TOKENS
    cut: Cut = "replicated"
    inner: Literal["k", "n", ""] = ""
    stored: bool = True
    cached: bool = False

    @property
    def each(self) -> int:
        """Parameters of one matrix and its bias."""
        return self.k * self.n + self.bias

    @property
    def parameters(self) -> int:
        return self.count * self.experts * self.each if self.stored else 0


@dataclass(frozen=True, slots=True)
class Attention:
    """Scores and weighted sums: 2 * heads * (qk_dim + v_dim) FLOPs for each pair of query and visible key.

    Keys are those of the same sequence (`keys` = `queries`) or, in cross-attention, of the context. `window` limits
    how far back a causal query sees (0: all); `chunked` windows restart every `window` tokens. `latent_dim`,
    `rope_dim` (MLA): decoding works on the cached latent, so each pair costs 2 * heads * (2 latent + rope).
    `top_k`: a query attends to so many of its keys at most; MLA then works on the latent in every phase, as each query
    has keys of its own. `sharded` False: tensor parallelism does not divide the heads. `summed`: an indexer, whose
    heads' scores are weighted and added up, 2 more FLOPs a head and pair.
    """

    name: str
    heads: int
    kv_heads: int
    qk_dim: int
    v_dim: int
    count: int = 1
    causal: bool = True
    window: int = 0
    chunked: bool = False
    queries: Rows = TOKENS
    keys: Rows = TOKENS
    latent_dim: int = 0
    rope_dim: int = 0
    top_k: int = 0
    sharded: bool = True
    summed: bool = False

    @property
    def cross(self) -> bool:
        return self.keys.per_token == 0 and self.keys.per_context > 0

    @property
    def pair_flops(self) -> int:
        """FLOPs of one query and one key, all heads."""
        return 2 * self.heads * (self.qk_dim + self.v_dim + int(self.summed))

    @property
    def absorbed_pair_flops(self) -> int:
        """The same while decoding: MLA meets the latent itself."""
        if self.latent_dim:
            return 2 * self.heads * (2 * self.latent_dim + self.rope_dim)
        return self.pair_flops

    def pair_flops_when(self, decoding: bool) -> int:
        """FLOPs of a pair in the form that runs: absorbed while decoding and wherever keys are chosen."""
        return self.absorbed_pair_flops if decoding or self.top_k else self.pair_flops

    @property
    def kv_values(self) -> int:
        """Values cached for each token by one layer."""
        if self.latent_dim:
            return self.latent_dim + self.rope_dim
        return self.kv_heads * (self.qk_dim + self.v_dim)


ScanKind = Literal["mamba1", "mamba2", "gated_delta", "kda", "lightning", "linear"]


@dataclass(frozen=True, slots=True)
class Scan:
    """A recurrence of constant state: `heads` states of `k_dim` x `v_dim`, computed in chunks over many tokens.

    `groups` heads of keys (B, C of a state-space model) serve all `heads`.
    """

    name: str
    kind: ScanKind
    heads: int
    k_dim: int
    v_dim: int
    groups: int = 1
    chunk: int = 0
    count: int = 1

    @property
    def state_values(self) -> int:
        return self.heads * self.k_dim * self.v_dim


@dataclass(frozen=True, slots=True)
class Convolution:
    """A causal depthwise convolution over time: 2 * channels * width FLOPs a row, and a tail of width - 1 rows kept."""

    name: str
    channels: int
    width: int
    bias: bool = False
    count: int = 1
    part: Part = "state"

    @property
    def parameters(self) -> int:
        return self.count * self.channels * (self.width + int(self.bias))

    @property
    def state_values(self) -> int:
        return self.channels * (self.width - 1)


@dataclass(frozen=True, slots=True)
class Vector:
    """Parameters that multiply no matrix: norm weights, decay rates, tables of positions.

    `stored` False: they belong to another model.
    """

    name: str
    part: Part
    size: int
    count: int = 1
    stored: bool = True

    @property
    def parameters(self) -> int:
        return self.count * self.size if self.stored else 0


@dataclass(frozen=True, slots=True)
class Elementwise:
    """Work bound by memory: `reads` and `writes` values a row, `sharded` by tensor parallelism or not.

    `top_k` rows a token inside a mixture of experts.
    """

    name: str
    reads: int
    writes: int
    count: int = 1
    sharded: bool = False
    rows: Rows = TOKENS
    top_k: int = 1


Piece = Linear | Attention | Scan | Convolution | Vector | Elementwise

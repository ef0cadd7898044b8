"""An architecture as the operators that one chip runs: forward, backward, prefill or decode.

Vectorised over points (batch, length); the loop is over pieces only, of which a model has a few dozen.

    gemm         2 m n k FLOPs; reads the weights and the input, writes the output
    attention    pair FLOPs times visible pairs; prefill reads queries, keys and values once (tiled), decode the cache
    experts      each row goes to top_k of E; of the E/ep on a chip, E/ep * (1 - (1 - top_k/E)^rows) are touched when
                 routing is uniform, and only their weights are read
    backward     a GEMM twice its forward FLOPs (input and weight gradients); attention 2.5 times (FlashAttention-2,
                 arXiv 2307.08691, recomputes the scores: five products for two); the rest twice its bytes
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.attended import visible_pairs
from gigawatt.physics.workload.flops import check_size
from gigawatt.physics.workload.lower import pieces
from gigawatt.physics.workload.mtp import mtp_pieces
from gigawatt.physics.workload.pieces import Attention, Convolution, Elementwise, Linear, Scan, Vector
from gigawatt.physics.workload.recurrence import chunk_flops, convolution_flops, step_flops
from gigawatt.physics.workload.table import Layout, OperatorTable, TableBuilder, Widths

Phase = Literal["forward", "backward", "prefill", "decode"]
PHASES = ("forward", "backward", "prefill", "decode")
ATTENTION_BACKWARD = 2.5  # five matrix products for the forward pass's two


def operators(
    arch: Architecture,
    phase: Phase,
    *,
    tokens: Any = None,
    batch: Any = 1,
    past: Any = 0,
    context_tokens: Any = None,
    tp: int = 1,
    ep: int = 1,
    moe_tp: int = 0,
    widths: Widths | None = None,
    imbalance: Any = 1.0,
    mtp: int = 0,
) -> OperatorTable:
    """The operators of one chip for `batch` sequences of `tokens` new tokens that follow `past` cached ones.

    Sizes are numbers or arrays that broadcast to the points. `tokens` defaults to 1 when decoding (more:
    speculation), else to `sample_tokens`. forward: training or an encoder, logits for every token; prefill: logits
    for the last token and the cache written; decode: the cache read. `tp`, `ep`, `moe_tp`: see `Layout`.

    `imbalance`: rows that the busiest of the `ep` expert places gets, over the mean; the table is then that chip's. 1 is
    even routing, and more than `ep` cannot be. `mtp` modules of multi-token prediction run besides; none unless asked.

    Rotary positions beyond those a model was trained on are counted all the same: a scenario refuses them, a count need not.

    Raises:
        InputError: unknown phase, empty sizes, positions never learned, a layout that the shape does not allow.
    """
    if phase not in PHASES:
        raise InputError(unknown_name("phase", phase, PHASES))
    layout = Layout(tp, ep, moe_tp)
    layout.check(arch)
    if tokens is None:
        tokens = 1 if phase == "decode" else arch.sample_tokens
    context = arch.context_tokens if context_tokens is None else context_tokens
    check_size(arch, tokens, batch, past)
    if np.any(np.asarray(imbalance) < 1):
        problem = "the busiest expert place cannot get less than the mean: imbalance is at least 1"
        raise InputError(Problem("wrong_value", problem))
    columns = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (tokens, batch, past, context, imbalance))
    )
    writer = _Writer(phase, layout, widths or Widths(), *columns)
    for piece in (*pieces(arch), *mtp_pieces(arch, mtp)):
        if isinstance(piece, Linear):
            writer.linear(piece)
        elif isinstance(piece, Attention):
            writer.attention(piece)
        elif isinstance(piece, Scan):
            writer.scan(piece)
        elif isinstance(piece, Convolution):
            writer.convolution(piece)
        elif isinstance(piece, Elementwise):
            writer.elementwise(piece)
        elif piece.name == "embedding":
            writer.embedding(piece, arch.hidden)
    return writer.out.build()


class _Writer:
    """Writes one piece at a time into the table."""

    def __init__(
        self,
        phase: str,
        layout: Layout,
        widths: Widths,
        tokens: Any,
        batch: Any,
        past: Any,
        context: Any,
        imbalance: Any,
    ) -> None:
        self.phase, self.layout, self.w = phase, layout, widths
        self.tokens, self.batch, self.past, self.context = tokens, batch, past, context
        self.out = TableBuilder(len(tokens))
        self.backward = phase == "backward"
        self.imbalance = np.minimum(imbalance, layout.ep)

    def linear(self, p: Linear) -> None:
        if p.cached and self.phase == "decode":
            return  # keys and values of the context were computed with the prompt
        m = self.batch * p.rows(self.tokens, self.context)
        if p.part == "head" and self.phase in ("prefill", "decode"):
            m = self.batch * (self.tokens if self.phase == "decode" else 1.0)
        if p.experts > 1:
            self._experts(p, m)
            return
        tp = self.layout.tp
        n = p.n / tp if p.cut in ("column", "vocab") else p.n
        k = p.k / tp if p.cut == "row" else p.k
        family, precision = ("head", "head") if p.part == "head" else ("gemm", precision_of(p))
        self._gemm(p.name, family, precision, p.count, m, n, k)

    def _experts(self, p: Linear, rows: Any) -> None:
        lay = self.layout
        total = rows * lay.groups  # tokens of all groups that share the experts
        local = p.experts / lay.ep
        # Of an expert here, the chance that one row is sent to it; no more than certain.
        share = np.minimum(self.imbalance * p.top_k / p.experts, 1.0)
        with np.errstate(divide="ignore"):
            touched = np.maximum(local * -np.expm1(total * np.log1p(-share)), 1e-300)
        each = total * share * local / touched
        n = p.n / lay.expert_cut if p.inner == "n" else p.n
        k = p.k / lay.expert_cut if p.inner == "k" else p.k
        choice = {"routed": total, "top_k": float(p.top_k), "of_experts": float(p.experts)}
        self._gemm(p.name, "moe_gemm", "weights", p.count, each, n, k, touched, **choice)

    def _gemm(
        self,
        name: str,
        family: str,
        precision: str,
        count: int,
        m: Any,
        n: float,
        k: float,
        experts: Any = 1.0,
        **more: Any,
    ) -> None:
        weight = getattr(self.w, precision)
        act = self.w.activations
        held, inp, outp = k * n * weight * experts, m * k * act * experts, m * n * act * experts
        common: dict[str, Any] = {"flops": 2.0 * m * n * k * experts, "experts": experts, **more}
        if not self.backward:
            self.out.add(
                name, family, precision, count, m=m, n=n, k=k, bytes_read=held + inp, bytes_written=outp, **common
            )
            return
        self.out.add(
            f"{name}.dgrad",
            family,
            precision,
            count,
            m=m,
            n=k,
            k=n,
            bytes_read=held + outp,
            bytes_written=inp,
            **common,
        )
        gradient = k * n * self.w.gradients * experts
        self.out.add(
            f"{name}.wgrad",
            family,
            precision,
            count,
            m=k,
            n=n,
            k=m,
            bytes_read=inp + outp,
            bytes_written=gradient,
            **common,
        )

    def attention(self, p: Attention) -> None:
        w, tp = self.w, self.layout.tp if p.sharded else 1
        decoding = self.phase == "decode"
        pairs = visible_pairs(p, self.tokens, self.context, self.past)
        queries = p.queries(self.tokens, self.context)
        flops = self.batch * pairs * p.pair_flops_when(decoding) / tp
        kv_heads = max(p.kv_heads / tp, 1.0)
        latent = bool(p.latent_dim) and (decoding or p.top_k > 0)
        values = float(p.kv_values) if latent else kv_heads * (p.qk_dim + p.v_dim)
        new = p.keys(self.tokens, self.context)
        held = new if p.cross else new + self.past
        if p.window:  # of the cached prefix only the window's reach is read
            held = np.minimum(held, new + p.window - 1.0)
        if p.top_k:  # each query reads keys of its own, at most all of them once
            held = np.minimum(held, queries * p.top_k)
        cached = p.causal or p.cross
        read = self.batch * (queries * p.heads / tp * p.qk_dim * w.activations + held * values * w.kv)
        written = self.batch * queries * p.heads / tp * p.v_dim * w.activations
        if cached and not p.cross and self.phase in ("prefill", "decode"):
            store = float(p.kv_values) if p.latent_dim else values
            written = written + self.batch * new * store * w.kv
        if p.summed:  # a score of 32 bits for each pair is written, and read by the choice of keys
            read, written = read + 4.0 * self.batch * pairs, written + 4.0 * self.batch * pairs
        scale = ATTENTION_BACKWARD if self.backward else 1.0
        self.out.add(
            f"{p.name}.backward" if self.backward else p.name,
            "attention_decode" if decoding else "attention_prefill",
            "kv",
            p.count,
            m=self.batch * queries,
            n=p.heads / tp,
            k=float(p.latent_dim + p.rope_dim) if latent else float(p.qk_dim),
            kv_heads=1.0 if latent else kv_heads,
            length=pairs / np.maximum(queries, 1.0),
            sequences=self.batch,
            past=self.past,
            window=float(p.window),
            causal=float(p.causal),
            latent=float(p.latent_dim > 0),
            v_dim=float(p.v_dim),
            flops=flops * scale,
            # Backward reads queries, keys, values, output and its gradient, and writes three gradients.
            bytes_read=read + 2.0 * written if self.backward else read,
            bytes_written=read if self.backward else written,
        )

    def scan(self, p: Scan) -> None:
        tp, decoding = self.layout.tp, self.phase == "decode"
        rows = self.batch * self.tokens
        flops = rows * step_flops(p) if decoding else self.batch * chunk_flops(p, self.tokens)
        moved = p.heads * p.v_dim + 2 * p.groups * p.k_dim
        state = self.batch * p.state_values * self.w.state
        scale = 2.0 if self.backward else 1.0
        self.out.add(
            f"{p.name}.backward" if self.backward else p.name,
            "scan",
            "state",
            p.count,
            m=rows,
            n=p.heads / tp,
            k=float(p.k_dim),
            length=float(p.chunk),
            sequences=self.batch,
            past=self.past,
            kv_heads=float(p.groups) / tp,
            v_dim=float(p.v_dim),
            flops=scale * flops / tp,
            bytes_read=scale * (rows * moved * self.w.activations + state) / tp,
            bytes_written=scale * (rows * p.heads * p.v_dim * self.w.activations + state) / tp,
        )

    def convolution(self, p: Convolution) -> None:
        flops = self.batch * convolution_flops(p, self.tokens)
        rows = self.batch * self.tokens
        self._moved(p.name, p.count, rows, p.channels, p.channels, self.layout.tp, flops, sequences=self.batch)

    def elementwise(self, p: Elementwise) -> None:
        rows = self.batch * p.rows(self.tokens, self.context) * p.top_k
        if p.name.startswith("expert"):
            rows = rows * self.layout.groups * self.imbalance / self.layout.ep
            cut = self.layout.expert_cut if p.sharded else 1
        else:
            cut = self.layout.tp if p.sharded else 1
        self._moved(p.name, p.count, rows, p.reads, p.writes, cut, 0.0)

    def _moved(
        self, name: str, count: int, rows: Any, reads: int, writes: int, cut: int, flops: Any, **more: Any
    ) -> None:
        scale = 2.0 if self.backward else 1.0
        a = self.w.activations
        self.out.add(
            f"{name}.backward" if self.backward else name,
            "elementwise",
            "activations",
            count,
            m=rows,
            n=float(max(reads, writes)) / cut,
            flops=scale * flops / cut,
            bytes_read=scale * rows * reads * a / cut,
            bytes_written=scale * rows * writes * a / cut,
            **more,
        )

    def embedding(self, p: Vector, hidden: int) -> None:
        rows = self.batch * self.tokens
        size = rows * float(hidden)
        self.out.add(
            "embedding.backward" if self.backward else "embedding",
            "embedding",
            "head",
            p.count,
            m=rows,
            n=float(hidden),
            bytes_read=size * (self.w.activations if self.backward else self.w.head),
            bytes_written=size * (self.w.gradients if self.backward else self.w.activations),
        )


def precision_of(p: Linear) -> str:
    """The class in `Widths` that a matrix's weights have."""
    if p.part == "head":
        return "head"
    return "high" if p.part in ("router", "modulation", "stem") or p.name == "shared_gate" else "weights"

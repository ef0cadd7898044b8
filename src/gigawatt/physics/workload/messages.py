"""The collectives that a layout implies for one pass of one chip: what kind, among how many, how large, how often.

    tensor parallel   a matrix cut by rows leaves partial sums: one all-reduce of its output; with sequence parallelism
                      a reduce-scatter after it and an all-gather before the next block (Megatron-LM, arXiv 1909.08053,
                      2205.05198). Backward mirrors it, and gathers the kept input once more for the weight gradient.
    expert parallel   each row goes to the places of its top_k experts and comes back: two all-to-alls. A row goes once to
                      a place that holds several of its experts: ep (1 - (1 - 1/ep)^top_k) copies on average (DeepEP).
    pipeline          the rows leave for the next stage, and their gradients come back.

Bytes are the payload of one chip: an all-reduce's whole tensor, the whole gathered or scattered tensor, what a chip
sends in an all-to-all (its own share included), or the tensor that is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.flops import check_size
from gigawatt.physics.workload.lower import pieces
from gigawatt.physics.workload.mtp import mtp_pieces
from gigawatt.physics.workload.pieces import Linear
from gigawatt.physics.workload.table import Layout, Widths

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]
MessagePhase = Literal["forward", "backward", "prefill", "decode"]
_PHASES = ("forward", "backward", "prefill", "decode")


@dataclass(frozen=True, slots=True)
class MessageTable:
    """One row a kind of message; `bytes` has shape (messages, points), the others (messages,).

    kind: all_reduce, reduce_scatter, all_gather, all_to_all, send_recv. group: tp, ep, pp, dp. `ranks` take part and
    `count` equal messages run in the pass.
    """

    name: Texts
    kind: Texts
    group: Texts
    ranks: Floats
    count: Floats
    bytes: Floats

    def __len__(self) -> int:
        return len(self.name)

    @property
    def total_bytes(self) -> Floats:
        """Payload of one chip over all messages, shape (points,)."""
        return np.asarray((self.bytes * self.count[:, None]).sum(axis=0))

    def where(self, group: str) -> MessageTable:
        """The rows of one group of ranks."""
        keep = self.group == group
        return MessageTable(*(getattr(self, f.name)[keep] for f in fields(self)))


class _Messages:
    def __init__(self, points: int) -> None:
        self.points = points
        self.rows: list[tuple[str, str, str, float, float, Any]] = []

    def add(self, name: str, kind: str, group: str, ranks: int, count: float, payload: Any) -> None:
        if ranks > 1 and count:
            self.rows.append((name, kind, group, float(ranks), float(count), payload))

    def build(self) -> MessageTable:
        name, kind, group = (np.array([row[i] for row in self.rows], dtype=np.str_) for i in range(3))
        ranks, count = (np.array([row[i] for row in self.rows], dtype=np.float64) for i in (3, 4))
        payload = np.empty((len(self.rows), self.points), dtype=np.float64)
        for i, row in enumerate(self.rows):
            payload[i] = row[5]
        return MessageTable(name, kind, group, ranks, count, payload)


def messages(
    arch: Architecture,
    phase: MessagePhase,
    *,
    tokens: Any = None,
    batch: Any = 1,
    past: Any = 0,
    context_tokens: Any = None,
    tp: int = 1,
    ep: int = 1,
    moe_tp: int = 0,
    pp: int = 1,
    sequence_parallel: bool = False,
    widths: Widths | None = None,
    imbalance: Any = 1.0,
    mtp: int = 0,
) -> MessageTable:
    """Messages of one chip of one pass; arguments as those of `operators`, with `pp` pipeline stages.

    Layers are spread evenly over the stages, so counts are a stage's mean. `imbalance` scales what the busiest expert
    place takes in.

    Raises:
        InputError: as `operators`; fewer than one stage, or more stages than layers.
    """
    if phase not in _PHASES:
        raise InputError(unknown_name("phase", phase, _PHASES))
    if pp < 1 or pp > max(arch.layers, 1):
        problem = f"model '{arch.name}' has {arch.layers} layers: {pp} pipeline stages are not possible"
        raise InputError(Problem("stages", problem, None, (f"between 1 and {max(arch.layers, 1)}",)))
    layout = Layout(tp, ep, moe_tp)
    layout.check(arch)
    if tokens is None:
        tokens = 1 if phase == "decode" else arch.sample_tokens
    context = arch.context_tokens if context_tokens is None else context_tokens
    check_size(arch, tokens, batch, past)
    tokens, batch, context, imbalance = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (tokens, batch, context, imbalance))
    )
    width = (widths or Widths()).activations
    out = _Messages(len(tokens))
    hidden = batch * tokens * arch.hidden * width
    if arch.vocab:  # the table is cut by words: each chip looks up its own, the sum is whole
        out.add("embedding", "all_reduce", "tp", tp, 1 / pp, hidden)
    for piece in (*pieces(arch), *mtp_pieces(arch, mtp)):
        if not isinstance(piece, Linear) or (piece.cached and phase == "decode"):
            continue
        rows = batch * piece.rows(tokens, context)
        if piece.experts > 1:
            _experts(out, piece, rows, layout, width, pp, imbalance)
        elif piece.cut == "row":
            _tensor(out, piece, rows * piece.n * width, phase, tp, pp, sequence_parallel)
        elif piece.cut == "vocab" and phase in ("prefill", "decode"):
            last = batch if phase == "prefill" else batch * tokens
            out.add("logits", "all_gather", "tp", tp, piece.count / pp, last * piece.n * width)
    if pp > 1:
        sent = hidden / tp if sequence_parallel else hidden
        name = "stage_gradient" if phase == "backward" else "stage"
        out.add(name, "send_recv", "pp", 2, (pp - 1) / pp, sent)
    return out.build()


def _tensor(out: _Messages, p: Linear, payload: Any, phase: str, tp: int, pp: int, sequence_parallel: bool) -> None:
    """What one cut block costs: its output forward, its input's gradient backward, both of the same size."""
    count = p.count / pp
    if not sequence_parallel:
        out.add(p.name, "all_reduce", "tp", tp, count, payload)
        return
    out.add(p.name, "reduce_scatter", "tp", tp, count, payload)
    out.add(p.name, "all_gather", "tp", tp, count * (2 if phase == "backward" else 1), payload)


def _experts(out: _Messages, p: Linear, rows: Any, layout: Layout, width: float, pp: int, imbalance: Any) -> None:
    """Dispatch before the first expert matrix, combine after the second, partial sums where one expert is cut."""
    ep, cut = layout.ep, layout.expert_cut
    places = ep * -np.expm1(p.top_k * np.log1p(-1.0 / ep)) if ep > 1 else 1.0
    # A group's chips share its rows, so each sends its part.
    copies = rows / layout.tp * places * np.minimum(imbalance, ep)
    if p.inner == "n":
        out.add("dispatch", "all_to_all", "ep", ep, p.count / pp, copies * p.k * width)
        return
    out.add("combine", "all_to_all", "ep", ep, p.count / pp, copies * p.n * width)
    # A place adds up its experts' outputs for a row before it shares the sum among the chips that cut them.
    partial = rows * layout.groups * places / ep * np.minimum(imbalance, ep) * p.n * width
    out.add("expert_sum", "all_reduce", "tp", cut, p.count / pp, partial)


def gradient_messages(parameters: Any, dp: int, *, sharded: bool = True, widths: Widths | None = None) -> MessageTable:
    """Data-parallel messages of a step for the `parameters` on a chip: gradients summed, weights shared again.

    `sharded` (ZeRO 1 and up): a reduce-scatter of gradients and an all-gather of updated weights; else one all-reduce.

    Raises:
        InputError: fewer than one replica.
    """
    if dp < 1:
        raise InputError(Problem("wrong_value", f"{dp} data-parallel replicas: at least 1 is needed"))
    w = widths or Widths()
    owned = np.atleast_1d(np.asarray(parameters, dtype=np.float64))
    out = _Messages(len(owned))
    if sharded:
        out.add("gradients", "reduce_scatter", "dp", dp, 1, owned * w.gradients)
        out.add("weights", "all_gather", "dp", dp, 1, owned * w.weights)
    else:
        out.add("gradients", "all_reduce", "dp", dp, 1, owned * w.gradients)
    return out.build()

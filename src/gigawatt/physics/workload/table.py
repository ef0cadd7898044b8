"""Operators as columns: one row an operator, one column a point (a batch, a length)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigawatt.core.errors import InputError, Problem
from gigawatt.physics.workload.architecture import Architecture

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Widths:
    """Bytes of a value by class of use; bf16 throughout unless said otherwise.

    weights, activations: of the large matrices, and what enters and leaves them. kv: cached keys
    and values. high: router, norms, modulation. head: the output matrix and the embedding. state: recurrent states.
    gradients: of weights, in backward.
    """

    weights: float = 2.0
    activations: float = 2.0
    kv: float = 2.0
    high: float = 2.0
    head: float = 2.0
    state: float = 4.0
    gradients: float = 4.0


@dataclass(frozen=True, slots=True)
class Layout:
    """How one replica is spread: `tp` cuts attention and dense parts; experts lie on `ep` places, each cut `moe_tp` ways.

    ep * moe_tp chips hold the experts, so ep * moe_tp / tp attention groups share them, each with its own batch.
    """

    tp: int = 1
    ep: int = 1
    moe_tp: int = 0

    @property
    def expert_cut(self) -> int:
        return self.moe_tp or max(self.tp // self.ep, 1)

    @property
    def groups(self) -> int:
        """Attention groups whose tokens meet in the experts."""
        return self.ep * self.expert_cut // self.tp

    def check(self, arch: Architecture) -> None:
        """Refuse a layout that the shape does not allow.

        Raises:
            InputError: sizes below 1, heads or experts that do not divide, expert places that are no multiple of `tp`.
        """
        problems: list[Problem] = []

        def refuse(code: str, message: str) -> None:
            problems.append(Problem(code, f"model '{arch.name}': {message}"))

        if min(self.tp, self.ep, self.expert_cut) < 1:
            raise InputError(Problem("wrong_value", "parallel sizes must be at least 1"))
        for group in arch.groups:
            mixer, part = group.mixer, group.feed_forward
            if mixer.heads and mixer.heads % self.tp:
                refuse("heads_not_divisible", f"{mixer.heads} heads are not divisible by tensor parallelism {self.tp}")
            if mixer.kind == "gqa" and mixer.kv_heads % self.tp and self.tp % mixer.kv_heads:
                refuse("heads_not_divisible", f"{mixer.kv_heads} key-value heads cannot be spread over {self.tp} chips")
            if part.kind == "moe" and part.experts % self.ep:
                refuse("experts_not_divisible", f"{part.experts} experts cannot be spread over {self.ep} places")
        if any(g.feed_forward.kind == "moe" for g in arch.groups) and (self.ep * self.expert_cut) % self.tp:
            refuse(
                "layout", f"{self.ep} x {self.expert_cut} expert places are no multiple of tensor parallelism {self.tp}"
            )
        if problems:
            raise InputError(dict.fromkeys(problems))


@dataclass(frozen=True, slots=True)
class OperatorTable:
    """Operators of ONE chip. Text and count columns have shape (operators,), all others (operators, points).

    `count` equal operators run; m, n, k, flops, bytes_* are of one. family: gemm, moe_gemm, head, attention_prefill,
    attention_decode, scan, elementwise, embedding. precision: the class in `Widths` that the operator's weights or
    cache have. A GEMM is (m x k) times (k x n); a moe_gemm runs `experts` of them with m rows each. Attention: m
    queries (all sequences), `length` keys a query sees on average, n heads and k head width, `kv_heads`. Elementwise:
    m rows of n values.

    What a kernel's time needs besides: `sequences` and their `past` (attention, scans), `window` of attention (0: all),
    `causal` and `latent` (0 or 1) of attention, `v_dim` of values, `routed` tokens of all groups that meet in the experts,
    the `top_k` and the number (`of_experts`) they choose among.
    """

    name: Texts
    family: Texts
    precision: Texts
    count: Floats
    m: Floats
    n: Floats
    k: Floats
    experts: Floats
    kv_heads: Floats
    length: Floats
    flops: Floats
    bytes_read: Floats
    bytes_written: Floats
    sequences: Floats
    past: Floats
    window: Floats
    causal: Floats
    latent: Floats
    v_dim: Floats
    routed: Floats
    top_k: Floats
    of_experts: Floats

    def __len__(self) -> int:
        return len(self.name)

    @property
    def points(self) -> int:
        return int(self.flops.shape[1])

    @property
    def total_flops(self) -> Floats:
        """FLOPs of one chip over all operators, shape (points,)."""
        return np.asarray((self.flops * self.count[:, None]).sum(axis=0))

    @property
    def total_bytes(self) -> Floats:
        """Bytes read and written by one chip over all operators, shape (points,)."""
        return np.asarray(((self.bytes_read + self.bytes_written) * self.count[:, None]).sum(axis=0))

    def where(self, *families: str) -> OperatorTable:
        """The rows of the families named."""
        keep = np.isin(self.family, families)
        return OperatorTable(*(getattr(self, f.name)[keep] for f in fields(self)))

    def repeated(self, times: float) -> OperatorTable:
        """The same operators, each run so many times."""
        return replace(self, count=self.count * times)


def stacked(tables: Sequence[OperatorTable]) -> OperatorTable:
    """The operators of several tables, one after the other; their points must be equal in number or one.

    Raises:
        ValueError: tables of different numbers of points.
    """
    points = max(table.points for table in tables)
    columns: list[Any] = []
    for f in fields(OperatorTable):
        parts = [getattr(table, f.name) for table in tables]
        if parts[0].ndim == 2:
            parts = [np.broadcast_to(part, (len(part), points)) for part in parts]
        columns.append(np.concatenate(parts))
    return OperatorTable(*columns)


_TEXT = ("name", "family", "precision")


class TableBuilder:
    """Collects operators for a fixed number of points."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.rows: list[dict[str, Any]] = []

    def add(self, name: str, family: str, precision: str, count: float, **numbers: Any) -> None:
        """One operator; numbers not given are 0 (experts: 1)."""
        self.rows.append({"name": name, "family": family, "precision": precision, "count": float(count), **numbers})

    def build(self) -> OperatorTable:
        columns: dict[str, Any] = {key: np.array([row[key] for row in self.rows], dtype=np.str_) for key in _TEXT}
        columns["count"] = np.array([row["count"] for row in self.rows], dtype=np.float64)
        for f in fields(OperatorTable)[4:]:
            empty = 1.0 if f.name == "experts" else 0.0
            columns[f.name] = self._stack([row.get(f.name, empty) for row in self.rows])
        return OperatorTable(**columns)

    def _stack(self, values: Sequence[Any]) -> Floats:
        out = np.empty((len(values), self.points), dtype=np.float64)
        for i, value in enumerate(values):
            out[i] = value
        return out

"""The few sums over layers that serving and training start from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gigawatt.physics.workload.architecture import Architecture
from gigawatt.physics.workload.lower import pieces
from gigawatt.physics.workload.pieces import Attention, Linear, Scan
from gigawatt.physics.workload.recurrence import step_flops


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """Counts over the whole model.

    `layers_by_mixer` and `layers_by_feed_forward` count layers by kind. `gemm_parameters` and
    `active_gemm_parameters` are entries of matrices by part (biases and norms left out): all of them, and those that
    each token meets. `pair_flops` are attention FLOPs of one query and one key summed over layers of full attention,
    `pair_flops_absorbed` the same while decoding (MLA on its latent), `windowed` pairs (window, pair FLOPs) of the
    others, sparse layers with the number of keys they choose among them. `scan_flops_per_token` in recurrent form.
    """

    layers: int
    hidden: int
    layers_by_mixer: dict[str, int]
    layers_by_feed_forward: dict[str, int]
    gemm_parameters: dict[str, int]
    active_gemm_parameters: dict[str, int]
    pair_flops: int
    pair_flops_absorbed: int
    windowed: tuple[tuple[int, int], ...]
    scan_flops_per_token: int
    experts: int = 0
    top_k: int = 0
    expert_width: int = 0
    windows: dict[int, int] = field(default_factory=dict)

    def attention_flops_per_token(self, context: Any, absorbed: bool = False) -> Any:
        """FLOPs of one new token that sees `context` keys (itself included), all layers.

        `absorbed`: MLA as decoded. The mean over a prompt of S tokens is that at (S + 1) / 2, windows apart.
        """
        keys = np.asarray(context, dtype=np.float64)
        total = keys * float(self.pair_flops_absorbed if absorbed else self.pair_flops)
        for window, pair in self.windowed:
            total = total + np.minimum(keys, window) * pair
        return float(total) if total.ndim == 0 else total

    @property
    def gemm_flops_per_token(self) -> float:
        """2 FLOPs for each matrix entry that a token meets."""
        return 2.0 * sum(self.active_gemm_parameters.values())


def layer_summary(arch: Architecture) -> LayerSummary:
    """The sums of an architecture (towers and multi-token-prediction layers left out)."""
    by_mixer: dict[str, int] = {}
    by_part: dict[str, int] = {}
    for group in arch.groups:
        by_mixer[group.mixer.kind] = by_mixer.get(group.mixer.kind, 0) + group.count
        by_part[group.feed_forward.kind] = by_part.get(group.feed_forward.kind, 0) + group.count
    gemm: dict[str, int] = {}
    active: dict[str, int] = {}
    pair = absorbed = scan = 0
    windowed: dict[int, int] = {}
    windows: dict[int, int] = {}
    for p in pieces(arch):
        if isinstance(p, Linear):
            size = p.count * p.k * p.n
            gemm[p.part] = gemm.get(p.part, 0) + size * p.experts
            active[p.part] = active.get(p.part, 0) + size * p.top_k
        elif isinstance(p, Attention):
            if p.top_k:  # keys seen stop growing as in a window, though all stay cached
                windowed[p.top_k] = windowed.get(p.top_k, 0) + p.count * p.absorbed_pair_flops
            elif p.window:
                windowed[p.window] = windowed.get(p.window, 0) + p.count * p.pair_flops
                windows[p.window] = windows.get(p.window, 0) + p.count
            elif not p.cross:
                pair += p.count * p.pair_flops
                absorbed += p.count * p.absorbed_pair_flops
        elif isinstance(p, Scan):
            scan += p.count * step_flops(p)
    moe = [g.feed_forward for g in arch.groups if g.feed_forward.kind == "moe"]
    return LayerSummary(
        arch.layers,
        arch.hidden,
        by_mixer,
        by_part,
        gemm,
        active,
        pair,
        absorbed,
        tuple(sorted(windowed.items())),
        scan,
        max((f.experts for f in moe), default=0),
        max((f.top_k for f in moe), default=0),
        max((f.width for f in moe), default=0),
        windows,
    )

"""What a training step does besides forward and backward: activations made again, and the optimizer's update."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.workload.table import OperatorTable, TableBuilder

RECOMPUTE = ("none", "selective", "full")
# Operators whose output is cheap to make again and large to keep: norms, activations, gates (Korthikanti et al. 2022,
# arXiv 2205.05198). Attention's scores need no row: the backward kernel makes them again in any case.
_CHEAP = ("norm", "activation", "gate")


def recomputed(forward: OperatorTable, kind: str = "none") -> OperatorTable:
    """Of a forward pass, the operators that run a second time before the backward one.

    none: nothing. selective: norms, activation functions and gates. full: all of the layers, since only their inputs
    were kept; embedding and head are outside the layers and run once.

    Raises:
        InputError: an unknown kind.
    """
    if kind not in RECOMPUTE:
        raise InputError(unknown_name("kind of recomputation", kind, RECOMPUTE))
    if kind == "full":
        keep = ~np.isin(forward.family, ("embedding", "head")) & (forward.name != "final_norm")
    elif kind == "selective":
        cheap = np.array([any(word in name for word in _CHEAP) for name in forward.name], dtype=bool)
        keep = (forward.family == "elementwise") & cheap
    else:
        keep = np.zeros(len(forward), dtype=bool)
    return OperatorTable(*(getattr(forward, f.name)[keep] for f in fields(OperatorTable)))


@dataclass(frozen=True, slots=True)
class AdamWidths:
    """Bytes of a value of each tensor that Adam holds: mixed precision as Rajbhandari et al. 2020 (ZeRO,
    arXiv 1910.02054) count it: 12 bytes of state a parameter, besides weight and gradient."""

    master: float = 4.0
    first_moment: float = 4.0
    second_moment: float = 4.0
    gradient: float = 4.0
    weight: float = 2.0

    @property
    def state(self) -> float:
        """Bytes of optimizer state a parameter."""
        return self.master + self.first_moment + self.second_moment


# Of one parameter (Loshchilov and Hutter 2019, arXiv 1711.05101): moments 3 + 4, bias corrections 2, root, sum and
# quotient 3, step and weight decay 4.
ADAM_FLOPS = 16.0


def optimizer_operators(parameters: Any, widths: AdamWidths | None = None) -> OperatorTable:
    """The update of the `parameters` that one chip owns (number or array of points): reads all state, writes it back.

    With the optimizer sharded over data-parallel ranks these are the chip's share, not the model's.

    Raises:
        InputError: fewer than no parameters.
    """
    w = widths or AdamWidths()
    owned = np.atleast_1d(np.asarray(parameters, dtype=np.float64))
    if np.any(owned < 0):
        raise InputError(Problem("wrong_value", "a chip cannot own fewer than no parameters"))
    out = TableBuilder(len(owned))
    out.add(
        "adam",
        "elementwise",
        "high",
        1,
        m=owned,
        n=1.0,
        flops=ADAM_FLOPS * owned,
        bytes_read=owned * (w.state + w.gradient),
        bytes_written=owned * (w.state + w.weight),
    )
    return out.build()

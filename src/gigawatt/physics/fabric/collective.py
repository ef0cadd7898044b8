"""Seconds of a collective on a network, what binds it, and the 80 % band.

The answer is the fastest of the lines that apply (algorithm x protocol, as NCCL chooses), joined with the floor F that
machines have: (t^4 + F^4)^(1/4). Rows are worked in blocks that stay in cache: a million of them take about a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigawatt.core.errors import InputError, Problem, unknown_name
from gigawatt.physics.fabric import composed, constants, exchanges, rings, trees
from gigawatt.physics.fabric.bands import band
from gigawatt.physics.fabric.columns import LL, LL128, SIMPLE, Columns, Line, columns
from gigawatt.physics.fabric.constants import Constants
from gigawatt.physics.fabric.design import Fabric
from gigawatt.physics.fabric.models import with_models
from gigawatt.physics.fabric.wires import Array, Networks, Wires, wires_of

_BINDS = ("latency-bound", "scale-up-bound at tier 1", "NIC-bound at tier 2")
_BLOCK = 8192


@dataclass(frozen=True, slots=True)
class Answer:
    """One row per call: seconds with an 80 % range, and what binds.

    `code` indexes `texts`; `bound` spells it out, such as 'NIC-bound at tier 2, ring, simple'.
    """

    seconds: Array
    low: Array
    high: Array
    code: NDArray[np.intp]
    texts: tuple[str, ...]

    @property
    def bound(self) -> NDArray[np.str_]:
        """What binds each call, in words."""
        words: NDArray[np.str_] = np.asarray(self.texts)[self.code]
        return words


def _all_reduce(c: Columns, fit: Constants) -> list[Line]:
    return [
        *(rings.ring(c, 2.0, protocol, fit) for protocol in (LL, LL128, SIMPLE)),
        *(trees.tree(c, protocol, fit) for protocol in (LL, LL128, SIMPLE)),
        trees.in_switch(c, fit),
        trees.in_network(c, fit),
    ]


def _gather(c: Columns, fit: Constants) -> list[Line]:
    return [*(rings.ring(c, 1.0, protocol, fit) for protocol in (LL, LL128, SIMPLE)), rings.doubling(c, fit)]


# Collective -> its line that is answered only where it is named.
NAMED: dict[str, Callable[[Columns, Constants], Line]] = {
    "all_reduce": lambda c, fit: composed.hierarchical(c, 2.0, fit),
    "all_gather": lambda c, fit: composed.hierarchical(c, 1.0, fit),
    "reduce_scatter": lambda c, fit: composed.hierarchical(c, 1.0, fit),
    "all_to_all": composed.rail_aligned,
}
# Collective -> its lines. Sizes are those of nccl-tests: all-gather counts the gathered whole, reduce-scatter what is
# scattered, all-to-all what one rank sends, send-receive the message.
LINES: dict[str, Callable[[Columns, Constants], list[Line]]] = {
    "all_reduce": _all_reduce,
    "all_gather": _gather,
    "reduce_scatter": _gather,
    "all_to_all": lambda c, fit: [exchanges.direct(c, fit)],
    "broadcast": lambda c, fit: [rings.pipeline(c, fit)],
    "reduce": lambda c, fit: [rings.pipeline(c, fit)],
    "send_recv": lambda c, fit: [exchanges.point_to_point(c, fit)],
}


def algorithms_of(kind: str) -> tuple[str, ...]:
    """Names of the lines of a collective, with that which is answered only where it is named.

    >>> algorithms_of("all_to_all")
    ('direct', 'hierarchical')
    """
    one = np.ones(1)
    c = columns(
        one,
        2.0 * one,
        one,
        wires_of([Fabric("any", "roce", "switched", "", 1.0, 1, 1, 1.0, 1.0)]),
        constants.packaged(),
    )
    made = [line.name for line in LINES[kind](c, constants.packaged())]
    return (*dict.fromkeys(made), *((composed.NAME,) if kind in NAMED else ()))


def bus_factor(kind: str, ranks: ArrayLike) -> Array:
    """Bus bandwidth over algorithm bandwidth (bytes/seconds), as nccl-tests defines it."""
    n = np.asarray(ranks, dtype=np.float64)
    if kind in ("broadcast", "reduce", "send_recv"):
        return np.ones_like(n)
    factor: Array = (2.0 if kind == "all_reduce" else 1.0) * (n - 1.0) / n
    return factor


def collective_seconds(
    kind: str,
    nbytes: ArrayLike,
    ranks: ArrayLike,
    network: Networks,
    *,
    per_domain: ArrayLike | None = None,
    algorithms: Sequence[str] | None = None,
    fit: Constants | None = None,
) -> Answer:
    """Seconds of a collective.

    Args:
        kind: all_reduce, reduce_scatter, all_gather, all_to_all, broadcast, reduce, send_recv.
        nbytes: bytes in nccl-tests' meaning (see `LINES`), any shape that broadcasts to one dimension.
        ranks: ranks of the group; 1 takes no time.
        network: one fabric, one a row, or the columns of `wires_of`.
        per_domain: ranks of the group in one scale-up domain (1 for a data-parallel group over domains); as many as fit
            where None.
        algorithms: only lines whose name begins so ('NVLS', 'ring'), for machines that pin one; 'hierarchical' is the
            collective in phases, which no library chooses by itself. A fabric with a model of its own has no lines.
        fit: constants, the packaged ones where None.

    Raises:
        InputError: unknown kind, negative size, fewer than one rank, or no line of that name.
    """
    if kind not in LINES:
        raise InputError(unknown_name("collective", kind, LINES))
    fit = constants.packaged() if fit is None else fit
    inside = np.inf if per_domain is None else per_domain
    size, n, most = (np.atleast_1d(np.asarray(x, np.float64)) for x in np.broadcast_arrays(nbytes, ranks, inside))
    if bool(np.any(size < 0)) or bool(np.any(n < 1)) or bool(np.any(most < 1)):
        raise InputError(Problem("out_of_range", f"{kind}: bytes must not be negative and ranks be at least 1"))
    wires = wires_of(network).spread(len(n))
    blocks = [slice(start, start + _BLOCK) for start in range(0, max(len(n), 1), _BLOCK)]
    done = [_block(kind, size[rows], n[rows], most[rows], wires.take(rows), algorithms, fit) for rows in blocks]
    if len(done) == 1:
        return with_models(done[0], kind, size, n, most, wires)
    seconds, low, high = (np.concatenate([getattr(d, name) for d in done]) for name in ("seconds", "low", "high"))
    made = Answer(seconds, low, high, np.concatenate([d.code for d in done]), done[0].texts)
    return with_models(made, kind, size, n, most, wires)


def _block(
    kind: str, size: Array, n: Array, most: Array, wires: Wires, algorithms: Sequence[str] | None, fit: Constants
) -> Answer:
    c = columns(size, n, most, wires, fit)
    found = LINES[kind](c, fit)
    if algorithms is not None:
        found += [NAMED[kind](c, fit)] if kind in NAMED else []
        names = [line.name for line in found]
        found = [line for line in found if line.name.startswith(tuple(algorithms))]
        if not found:
            raise InputError(unknown_name(f"algorithm of {kind}", ", ".join(algorithms), names))
    raw, latency, network = found[0].seconds, found[0].latency, found[0].network_binds
    best = np.zeros(len(n), dtype=np.intp)
    for index, line in enumerate(found[1:], start=1):
        faster = line.seconds < raw
        raw = np.where(faster, line.seconds, raw)
        latency = np.where(faster, line.latency, latency)
        network = np.where(faster, line.network_binds, network)
        best[faster] = index
    floor = 0.0 if kind == "send_recv" else fit["floor"]
    seconds = np.where(n > 1, np.sqrt(np.sqrt(raw**4 + floor**4)), 0.0)
    binds = np.where(latency > 0.5 * raw, 0, np.where(network, 2, 1))
    low, high = band(c, wires.nic_stated, fit, pair=kind == "send_recv")
    texts = tuple(f"{bind}, {line.name}" for line in found for bind in _BINDS)
    return Answer(seconds, seconds * low, seconds * high, best * len(_BINDS) + binds, texts)
